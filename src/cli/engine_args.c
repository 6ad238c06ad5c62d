// See engine_args.h.
#include "cli/engine_args.h"

#include <stdatomic.h>
#include <string.h>

#include "defs/limits.h"
#include "kern/kern.h"
#include "os/os.h"

// The choices "f32 f16" of the cache types, by index.
static dtype cache_dtype(int choice)
{
    return choice == 0 ? DTYPE_F32 : DTYPE_F16;
}

static hearth_status set_cpu(cli *c, const char *name, engine_options *o, hearth_err *err)
{
    if (!name || cpu_mask_from_name(name, &o->cpu)) return HEARTH_OK;
    return cli_usage(c, err, "option '--cpu': '%s' is no instruction set, such as none or avx2",
                     name);
}

static engine_place choose_place(bool in_process)
{
    return in_process || !os_has_processes() ? ENGINE_LOCAL : ENGINE_CHILD;
}

// "PATH:0.5"; a path may have colons, and what follows the last one need not be a number.
static engine_adapter parse_adapter(const char *text)
{
    str all = str_from(text);
    size_t at = all.n;
    double scale;
    while (at > 0 && all.p[at - 1] != ':') at--;
    if (at > 1 && str_parse_f64((str){all.p + at, all.n - at}, &scale))
        return (engine_adapter){{all.p, at - 1}, (float)scale};
    return (engine_adapter){all, 1};
}

static hearth_status set_adapters(cli *c, const opt_list *list, engine_options *o, hearth_err *err)
{
    if (list->n > ENGINE_ADAPTERS_MAX)
        return cli_usage(c, err, "option '--lora': %d adapters, at most %d", list->n,
                         ENGINE_ADAPTERS_MAX);
    for (int i = 0; i < list->n; i++) o->adapters[i] = parse_adapter(list->v[i]);
    o->n_adapters = list->n;
    return HEARTH_OK;
}

hearth_status fill_engine_options(cli *c, const engine_args *a, engine_options *o, hearth_err *err)
{
    engine_options_default(o);
    o->place = choose_place(a->in_process);
    o->n_threads = a->threads;
    o->n_ctx = a->ctx;
    o->n_batch = a->batch;
    o->type_k = cache_dtype(a->cache_k);
    o->type_v = cache_dtype(a->cache_v);
    o->memory_limit = a->memory_limit;
    HEARTH_TRY(set_adapters(c, &a->lora, o, err));
    return set_cpu(c, a->cpu, o, err);
}

void fill_metadata_options(bool in_process, engine_options *o)
{
    engine_options_default(o);
    o->place = choose_place(in_process);
    o->metadata_only = true;
}

hearth_status open_engine(const char *source, const engine_options *o, engine **out,
                          uint64_t *load_ns, hearth_err *err)
{
    HEARTH_TRY(check_model_path(source, err));
    uint64_t begin = os_now_ns();
    hearth_status st = engine_open(source, o, out, err);
    if (load_ns) *load_ns = os_now_ns() - begin;
    if (st == HEARTH_OK || !err) return st;
    // A message about one part of a split model names that part itself.
    if (!str_starts(str_from(err->msg), str_from(source))) err_prefix(err, "%s: ", source);
    return st;
}

static bool is_separator(char ch)
{
    return ch == ',' || ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

hearth_status parse_ids(str text, int64_t n_vocab, tok_ids *out, hearth_err *err)
{
    for (size_t i = 0; i < text.n;) {
        size_t end = i;
        while (end < text.n && !is_separator(text.p[end])) end++;
        str word = {text.p + i, end - i};
        i = end + 1;
        if (word.n == 0) continue;
        int64_t id;
        if (!str_parse_i64(word, &id)) {
            return err_fail(err, HEARTH_E_ARG, "'%.*s' is not a token id", STR_ARG(word));
        }
        if (id < 0 || id >= n_vocab) {
            return err_fail(err, HEARTH_E_ARG,
                            "token id %lld is outside the vocabulary (0 to %lld)", (long long)id,
                            (long long)n_vocab - 1);
        }
        HEARTH_TRY(tok_ids_push(out, (int32_t)id, err));
    }
    return HEARTH_OK;
}

// --- Ctrl-C -------------------------------------------------------------------------------------

enum { WATCH_PERIOD_NS = 20 * 1000 * 1000 }; // well below what a person notices

struct watch {
    engine *e;
    engine_session s;
    os_thread *thread;
    atomic_bool ended;
};

static void watch_loop(void *ctx)
{
    watch *w = ctx;
    while (!atomic_load(&w->ended)) {
        if (os_interrupted()) {
            engine_cancel(w->e, w->s);
            return;
        }
        os_sleep_ns(WATCH_PERIOD_NS);
    }
}

watch *watch_start(engine *e, engine_session s)
{
    if (!os_has_threads()) return NULL;
    watch *w = mem_alloc_zero(MEM_MISC, 1, sizeof *w);
    if (!w) return NULL;
    w->e = e;
    w->s = s;
    atomic_init(&w->ended, false);
    if (os_thread_start(watch_loop, w, &w->thread, NULL) == HEARTH_OK) return w;
    mem_free(w);
    return NULL;
}

void watch_stop(watch *w)
{
    if (!w) return;
    atomic_store(&w->ended, true);
    os_thread_join(w->thread);
    mem_free(w);
}
