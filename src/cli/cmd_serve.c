// `hearth serve`: the server of server/server.h from the command line and the environment.
//
// OLLAMA_HOST, OLLAMA_ORIGINS, OLLAMA_KEEP_ALIVE, OLLAMA_NUM_PARALLEL, OLLAMA_MAX_LOADED_MODELS,
// OLLAMA_MAX_QUEUE and OLLAMA_CONTEXT_LENGTH count where no option says otherwise, since clients
// and scripts set them. HEARTH_API_KEY keeps a key out of the list of processes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "os/os.h"

#if HEARTH_HAVE_SERVER
#include "server/server.h"

enum { PEM_MAX = 1 << 20 }; // a chain of certificates is some tens of KB

typedef struct place {
    char host[256];
    int port;
} place;

// "host", "host:port", ":port", "http://host:port", "[::1]:port"
static hearth_status read_place(const char *text, place *out, hearth_err *err)
{
    str s = str_from(text), scheme = STR("://");
    size_t at = str_find(s, scheme, 0);
    if (at != SIZE_MAX) s = (str){s.p + at + scheme.n, s.n - at - scheme.n};
    while (s.n > 0 && s.p[s.n - 1] == '/') s.n--;
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':' && s.p[colon - 1] != ']') colon--;
    bool has_port = colon > 0 && s.p[colon - 1] == ':';
    int64_t port = out->port;
    str host = has_port ? (str){s.p, colon - 1} : s;
    if (has_port && (!str_parse_i64((str){s.p + colon, s.n - colon}, &port) || port < 0 ||
                     port > 65535))
        return err_fail(err, HEARTH_E_ARG, "'%s': not HOST:PORT", text);
    if (host.n >= 2 && host.p[0] == '[') host = (str){host.p + 1, host.n - 2};
    if (host.n >= sizeof out->host) return err_fail(err, HEARTH_E_ARG, "'%s' is too long", text);
    if (host.n > 0) snprintf(out->host, sizeof out->host, "%.*s", STR_ARG(host));
    out->port = (int)port;
    return HEARTH_OK;
}

static hearth_status choose_place(const serve_args *a, place *out, hearth_err *err)
{
    const char *set = os_env("OLLAMA_HOST");
    *out = (place){"127.0.0.1", 11434};
    if (set && *set) HEARTH_TRY(read_place(set, out, err));
    if (a->host) snprintf(out->host, sizeof out->host, "%s", a->host);
    if (a->port >= 0) out->port = a->port;
    return HEARTH_OK;
}

// Seconds, or a number with ms, s, m, h; negative: for ever.
static hearth_status read_duration(const char *text, uint64_t *ns, hearth_err *err)
{
    static const struct { const char *unit; double seconds; } units[] = {
        {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"", 1},
    };
    char *end;
    double n = strtod(text, &end);
    for (size_t i = 0; end > text && i < COUNTOF(units); i++) {
        if (strcmp(end, units[i].unit) != 0) continue;
        double seconds = n * units[i].seconds;
        *ns = seconds < 0 || seconds > 1e9 ? SCHED_FOREVER : (uint64_t)(seconds * 1e9);
        return HEARTH_OK;
    }
    return err_fail(err, HEARTH_E_ARG, "keep-alive '%s': expected a time such as 300, 10m or -1",
                    text);
}

static const char *env_or(const char *name, const char *value, bool was_given)
{
    const char *set = os_env(name);
    return !was_given && set && *set ? set : value;
}

static int env_number(const char *name, int value, int low, int high)
{
    int64_t n;
    const char *set = os_env(name);
    if (!set || !str_parse_i64(str_from(set), &n) || n < low || n > high) return value;
    return (int)n;
}

static void log_line(void *ctx, const char *line) { note(ctx, "%s", line); }

static hearth_status fill_options(cli *c, const serve_args *a, const place *at, server_options *o,
                                  hearth_err *err)
{
    server_options_default(o);
    int n_seq = env_number("OLLAMA_NUM_PARALLEL", a->parallel, 1, 1024);
    HEARTH_TRY(fill_engine_options(c, &a->engine, &o->sched.engine, err));
    o->sched.engine.n_seq = n_seq;
    o->sched.engine.n_ctx = 0;
    o->sched.engine.n_ctx_seq = a->engine.ctx > 0 ? a->engine.ctx
                                : env_number("OLLAMA_CONTEXT_LENGTH", 0, 1, 1 << 24);
    o->sched.engine.memory_limit = 0;
    o->sched.memory_limit = a->engine.memory_limit;
    o->sched.max_queue = env_number("OLLAMA_MAX_QUEUE", a->max_queue, 1, 1000000);
    o->sched.max_loaded = env_number("OLLAMA_MAX_LOADED_MODELS", a->max_loaded, 0, 1000);
    o->sched.log = log_line;
    o->sched.log_ctx = c;
    o->listen.host = at->host;
    o->listen.port = at->port;
    o->listen.unix_path = a->socket;
    o->models = env_or("HEARTH_MODELS", a->models, a->models != NULL);
    o->model = a->common.n_words > 0 ? a->common.words[0] : NULL;
    o->origins = env_or("OLLAMA_ORIGINS", a->origins, a->origins != NULL);
    o->api_keys = env_or("HEARTH_API_KEY", a->api_key, a->api_key != NULL);
    bool is_default = !strcmp(a->keep_alive, "5m");
    const char *alive = env_or("OLLAMA_KEEP_ALIVE", a->keep_alive, !is_default);
    HEARTH_TRY(read_duration(alive, &o->sched.keep_alive_ns, err));
    if (o->models || o->model) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "no models to serve: name one, or a folder with --models");
}

typedef struct pem_texts { buf cert, key; } pem_texts;

static hearth_status read_tls(const serve_args *a, pem_texts *pem, listen_options *o,
                              hearth_err *err)
{
    if (!a->tls_cert && !a->tls_key) return HEARTH_OK;
    if (!a->tls_cert || !a->tls_key)
        return err_fail(err, HEARTH_E_ARG, "TLS needs both --tls-cert and --tls-key");
    HEARTH_TRY(read_file(a->tls_cert, &pem->cert, err));
    HEARTH_TRY(read_file(a->tls_key, &pem->key, err));
    o->tls_cert = pem->cert.p;
    o->tls_key = pem->key.p;
    return HEARTH_OK;
}

static void wait_for_interrupt(void)
{
    enum { PERIOD_NS = 50 * 1000 * 1000 };
    while (!os_interrupted()) os_sleep_ns(PERIOD_NS);
}

static hearth_status serve(cli *c, const serve_args *a, const place *at, const server_options *o,
                           hearth_err *err)
{
    server *s = NULL;
    HEARTH_TRY(server_open(o, &s, err));
    if (a->socket) note(c, "listening on %s", a->socket);
    else note(c, "listening on %s://%s:%d", a->tls_cert ? "https" : "http", at->host,
              server_port(s));
    wait_for_interrupt();
    note(c, "closing");
    server_close(s);
    return HEARTH_OK;
}

hearth_status cmd_serve(cli *c, void *args, hearth_err *err)
{
    const serve_args *a = args;
    server_options o;
    place at;
    pem_texts pem;
    HEARTH_TRY(choose_place(a, &at, err));
    HEARTH_TRY(fill_options(c, a, &at, &o, err));
    buf_init(&pem.cert, MEM_MISC, PEM_MAX);
    buf_init(&pem.key, MEM_MISC, PEM_MAX);
    os_interrupt_catch();
    os_pipe_errors();
    hearth_status status = read_tls(a, &pem, &o.listen, err);
    if (status == HEARTH_OK) status = serve(c, a, &at, &o, err);
    buf_release(&pem.cert);
    buf_release(&pem.key);
    return status;
}
#else
hearth_status cmd_serve(cli *c, void *args, hearth_err *err)
{
    (void)c;
    (void)args;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "this program was built without libmicrohttpd and jansson, which serving "
                    "needs");
}
#endif
