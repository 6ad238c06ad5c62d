// /health, and /metrics in Prometheus' text format.
//
// Times go into histograms whose bounds double from 1 ms: a count for each bound that a time did
// not pass, as Prometheus wants them. Counters only grow; they are read one by one, so that a line
// may be a request ahead of the one above it.
#include "server/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "defs/limits.h"
#include "server/server_int.h"

static const uint64_t first_bound_ns = 1000000;

void metrics_observe(metrics_times *h, uint64_t ns)
{
    size_t i = 0;
    while (i < METRICS_BOUNDS && ns > first_bound_ns << i) i++;
    atomic_fetch_add_explicit(&h->n[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, ns / 1000, memory_order_relaxed);
}

static void put(buf *b, const char *line) { buf_append_str(b, str_from(line)); }

static void put_value(buf *b, const char *name, const char *kind, const char *help, uint64_t v)
{
    char line[320];
    snprintf(line, sizeof line, "# HELP hearth_%s %s\n# TYPE hearth_%s %s\nhearth_%s %" PRIu64 "\n",
             name, help, name, kind, name, v);
    put(b, line);
}

static void put_times(buf *b, const char *name, const char *help, metrics_times *h)
{
    char line[320];
    uint64_t n = 0;
    snprintf(line, sizeof line, "# HELP hearth_%s %s\n# TYPE hearth_%s histogram\n", name, help,
             name);
    put(b, line);
    for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
        char bound[32] = "+Inf";
        if (i < METRICS_BOUNDS)
            snprintf(bound, sizeof bound, "%g", (double)(first_bound_ns << i) / 1e9);
        n += atomic_load(&h->n[i]);
        snprintf(line, sizeof line, "hearth_%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, bound, n);
        put(b, line);
    }
    snprintf(line, sizeof line, "hearth_%s_sum %g\nhearth_%s_count %" PRIu64 "\n", name,
             (double)atomic_load(&h->sum_us) / 1e6, name, n);
    put(b, line);
}

static void put_all(server *s, buf *b)
{
    sched_stats t;
    sched_get_stats(s->sched, &t);
    const struct { const char *name, *kind, *help; uint64_t v; } rows[] = {
        {"requests_total", "counter", "Jobs that came.", t.n_submitted},
        {"requests_refused_total", "counter", "Jobs refused since the queue was full.",
         t.n_refused},
        {"requests_finished_total", "counter", "Jobs that ended well.", t.n_finished},
        {"requests_failed_total", "counter", "Jobs that failed.", t.n_failed},
        {"requests_canceled_total", "counter", "Jobs whose client went away.", t.n_canceled},
        {"requests_running", "gauge", "Jobs that run.", (uint64_t)t.n_running},
        {"requests_queued", "gauge", "Jobs that wait.", (uint64_t)t.n_queued},
        {"prompt_tokens_total", "counter", "Tokens of prompts.", t.n_prompt_tokens},
        {"prompt_tokens_reused_total", "counter", "Tokens of prompts found in the cache.",
         t.n_reused_tokens},
        {"generated_tokens_total", "counter", "Tokens generated.", t.n_generated_tokens},
        {"models_loaded", "gauge", "Models in memory.", (uint64_t)t.n_loaded},
        {"model_loads_total", "counter", "Times that a model was loaded.", t.n_loads},
        {"model_crashes_total", "counter", "Engines that died.", t.n_crashes},
        {"memory_bytes", "gauge", "Planned memory of the loaded models.", t.bytes},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        put_value(b, rows[i].name, rows[i].kind, rows[i].help, rows[i].v);
    put_times(b, "first_token_seconds", "From the request to its first token.", &s->first_token);
    put_times(b, "next_token_seconds", "Between two tokens of a reply.", &s->next_token);
}

static void tell_metrics(server *s, listen_exchange *x)
{
    buf text;
    buf_init(&text, MEM_MISC, LIMIT_HTTP_BACKLOG);
    put_all(s, &text);
    listen_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&text));
    buf_release(&text);
}

static void tell_health(server *s, listen_exchange *x)
{
    (void)s;
    reply_json(x, 200, json_pack("{s:s}", "status", "ok"));
}

const route state_routes[] = {
    {"GET", "/health", tell_health, openai_error},
    {"GET", "/v1/health", tell_health, openai_error},
    {"GET", "/metrics", tell_metrics, openai_error},
    {0},
};
