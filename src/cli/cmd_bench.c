// `hearth bench`: speed of prompt reading and generation, medians of several runs.
//
// Each run opens a fresh session, reads the same random prompt and generates greedily past any end
// token, so that all runs do the same work. One run beforehand is not counted: it brings the
// weights into memory and the threads into being.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cli/args.h"
#include "llm/synth.h"
#include "os/os.h"

typedef struct bench {
    cli *c;
    const bench_args *a;
    engine *e;
    uint64_t load_ns;
    tok_ids prompt;
    double prompt_tps[101], generation_tps[101]; // of the runs so far
    int n;
} bench;

// "shape:NAME:TYPE:SEED" with the type in the upper case of GGUF tools.
static hearth_status make_source(cli *c, const bench_args *a, char *out, size_t n, hearth_err *err)
{
    if (!synth_find(a->shape)) {
        return cli_usage(c, err, "no shape '%s', 'hearth bench --shape list' names them", a->shape);
    }
    char type[32];
    size_t i = 0;
    for (; a->type[i] && i + 1 < sizeof type; i++) {
        char ch = a->type[i];
        type[i] = ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A') : ch;
    }
    type[i] = 0;
    snprintf(out, n, "shape:%s:%s:%lld", a->shape, type, (long long)a->seed);
    return HEARTH_OK;
}

static hearth_status list_shapes(cli *c)
{
    for (size_t i = 0; synth_shape_at(i); i++) {
        const synth_shape *s = synth_shape_at(i);
        out_printf(c, "%-16s %s, %lld layers, width %lld\n", s->name, s->arch,
                   (long long)s->n_layer, (long long)s->n_embd);
    }
    return HEARTH_OK;
}

static hearth_status make_prompt(bench *b, hearth_err *err)
{
    rng r;
    rng_seed(&r, (uint64_t)b->a->seed);
    int64_t n_vocab = engine_get_info(b->e)->n_vocab;
    for (int i = 0; i < b->a->prompt; i++) {
        HEARTH_TRY(tok_ids_push(&b->prompt, (int32_t)rng_below(&r, (uint32_t)n_vocab), err));
    }
    return HEARTH_OK;
}

static hearth_status pull_all(bench *b, engine_session s, generate_stats *stats, hearth_err *err)
{
    generate_options o;
    engine_event ev = {.gen.finish = GENERATE_RUNNING};
    generate_options_default(&o);
    o.n_predict = b->a->predict;
    o.sampling.temperature = 0;
    o.ignore_end = true;
    HEARTH_TRY(engine_start(b->e, s, b->prompt.id, (int64_t)b->prompt.n, &o, err));
    while (ev.gen.finish == GENERATE_RUNNING) {
        if (os_interrupted()) engine_cancel(b->e, s);
        HEARTH_TRY(engine_next(b->e, s, &ev, err));
    }
    *stats = ev.stats;
    return ev.gen.finish == GENERATE_CANCELED ? HEARTH_E_CANCELED : HEARTH_OK;
}

static hearth_status run_once(bench *b, generate_stats *stats, hearth_err *err)
{
    engine_session s;
    HEARTH_TRY(engine_session_open(b->e, &s, err));
    watch *w = watch_start(b->e, s);
    hearth_status st = pull_all(b, s, stats, err);
    watch_stop(w);
    engine_session_close(b->e, s);
    return st;
}

static double per_second(int64_t n, uint64_t ns)
{
    return ns ? (double)n * 1e9 / (double)ns : 0;
}

static hearth_status run_all(bench *b, hearth_err *err)
{
    generate_stats s;
    progress_show(b->c, "warming up");
    HEARTH_TRY(run_once(b, &s, err));
    for (; b->n < b->a->runs; b->n++) {
        progress_show(b->c, "run %d of %d", b->n + 1, b->a->runs);
        HEARTH_TRY(run_once(b, &s, err));
        b->prompt_tps[b->n] = per_second(s.n_prompt, s.prompt_ns);
        b->generation_tps[b->n] = per_second(s.n_generated, s.generate_ns);
    }
    progress_clear(b->c);
    return HEARTH_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *v, int n)
{
    double sorted[101];
    memcpy(sorted, v, (size_t)n * sizeof *v);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_doubles);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void write_runs(json_writer *w, const char *key, const double *v, int n)
{
    json_write_key(w, key);
    json_write_array(w);
    for (int i = 0; i < n; i++) json_write_f64(w, v[i]);
    json_write_array_end(w);
}

static void print_json(bench *b)
{
    const engine_info *info = engine_get_info(b->e);
    json_writer w;
    json_write_init(&w, &b->c->out);
    json_write_object(&w);
    put_text(&w, "model", str_from(info->path));
    put_text(&w, "type", str_from(info->file_type));
    put_text(&w, "cpu", str_from(info->cpu));
    put_u64(&w, "bytes", info->plan.weights_bytes);
    put_i64(&w, "threads", info->n_threads);
    put_i64(&w, "n_prompt", b->a->prompt);
    put_i64(&w, "n_gen", b->a->predict);
    put_f64(&w, "load_ms", (double)b->load_ns / 1e6);
    put_f64(&w, "prompt_tps", median(b->prompt_tps, b->n));
    put_f64(&w, "generation_tps", median(b->generation_tps, b->n));
    put_i64(&w, "runs", b->n);
    write_runs(&w, "prompt_tps_runs", b->prompt_tps, b->n);
    write_runs(&w, "generation_tps_runs", b->generation_tps, b->n);
    json_write_object_end(&w);
    out_bytes(b->c, STR("\n"));
}

// The spread is half the distance between the fastest and the slowest run, in per cent.
static double spread(const double *v, int n)
{
    double low = v[0], high = v[0];
    for (int i = 1; i < n; i++) {
        if (v[i] < low) low = v[i];
        if (v[i] > high) high = v[i];
    }
    return high > 0 ? 50 * (high - low) / median(v, n) : 0;
}

static void print_text(bench *b)
{
    const engine_info *info = engine_get_info(b->e);
    cli *c = b->c;
    char size[16];
    out_printf(c, "model       %s\n", info->path);
    out_printf(c, "weights     %s, %s\n", format_bytes(info->plan.weights_bytes, size),
               info->file_type);
    out_printf(c, "processor   %d thread%s, %s\n", info->n_threads, info->n_threads == 1 ? "" : "s",
               info->cpu);
    out_printf(c, "loading     %10.1f ms\n", (double)b->load_ns / 1e6);
    out_printf(c, "prompt      %10.1f tokens/s  +- %.1f %%  (%d tokens)\n",
               median(b->prompt_tps, b->n), spread(b->prompt_tps, b->n), b->a->prompt);
    out_printf(c, "generation  %10.1f tokens/s  +- %.1f %%  (%d tokens)\n",
               median(b->generation_tps, b->n), spread(b->generation_tps, b->n), b->a->predict);
}

static hearth_status run_bench(bench *b, const char *source, hearth_err *err)
{
    engine_options o;
    HEARTH_TRY(fill_engine_options(b->c, &b->a->engine, &o, err));
    if (o.n_ctx == 0) o.n_ctx = (int64_t)b->a->prompt + b->a->predict;
    progress_show(b->c, "loading %s", source);
    hearth_status st = open_engine(source, &o, &b->e, &b->load_ns, err);
    if (st == HEARTH_OK) st = make_prompt(b, err);
    if (st == HEARTH_OK) st = run_all(b, err);
    if (st == HEARTH_OK) (b->a->common.json ? print_json : print_text)(b);
    return st;
}

hearth_status cmd_bench(cli *c, void *args, hearth_err *err)
{
    const bench_args *a = args;
    int n_words = a->common.n_words;
    char shape[128];
    if (a->shape && strcmp(a->shape, "list") == 0) return list_shapes(c);
    if (a->shape && n_words) return cli_usage(c, err, "a model and --shape exclude each other");
    if (!a->shape && !n_words) return cli_usage(c, err, "no model and no --shape");
    if (a->shape) HEARTH_TRY(make_source(c, a, shape, sizeof shape, err));
    bench b = {.c = c, .a = a};
    os_interrupt_catch();
    hearth_status st = run_bench(&b, a->shape ? shape : a->common.words[0], err);
    tok_ids_release(&b.prompt);
    engine_close(b.e);
    return st;
}
