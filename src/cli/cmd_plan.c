// `hearth plan`: the exact bytes that a model and a context take, before anything is loaded.
#include <stdio.h>

#include "cli/args.h"
#include "os/os.h"

typedef struct memory { uint64_t total, available, limit; bool fits; } memory;

// Weights are mapped and may be dropped from memory, but running without them there is hopeless:
// they count in full. An unknown machine fits everything.
static memory judge(const plan_args *a, const llm_plan *p)
{
    memory m = {os_memory_total(), os_memory_available(), a->engine.memory_limit, true};
    uint64_t bound = m.limit ? m.limit : m.total;
    m.fits = bound == 0 || p->total_bytes <= bound;
    return m;
}

static void print_row(cli *c, const char *name, uint64_t bytes)
{
    char size[16];
    out_printf(c, "%-10s %16llu  %s\n", name, (unsigned long long)bytes, format_bytes(bytes, size));
}

static void print_text(cli *c, const engine_info *info, const plan_args *a,
                       const llm_ctx_options *o, const llm_plan *p)
{
    memory m = judge(a, p);
    char need[16], have[16];
    out_printf(c, "%s, context %lld, %d sequence%s, cache %s, batch %d\n\n", info->path,
               (long long)o->n_ctx, o->n_seq, o->n_seq == 1 ? "" : "s", dtype_get(o->type_k)->name,
               o->n_batch);
    print_row(c, "weights", p->weights_bytes);
    print_row(c, "model", p->model_bytes);
    print_row(c, "cache", p->cache_bytes);
    print_row(c, "scratch", p->scratch_bytes);
    out_bytes(c, STR("\n"));
    print_row(c, "total", p->total_bytes);
    if (m.limit == 0 && m.total == 0) return;
    out_printf(c, "\n%s: %s of %s%s\n", m.fits ? "fits" : "does not fit",
               format_bytes(p->total_bytes, need), format_bytes(m.limit ? m.limit : m.total, have),
               m.limit ? " (--memory-limit)" : " of memory");
    if (m.fits && m.limit == 0 && m.available && p->total_bytes > m.available) {
        out_printf(c, "only %s are free at the moment\n", format_bytes(m.available, have));
    }
}

static void print_json(cli *c, const engine_info *info, const plan_args *a,
                       const llm_ctx_options *o, const llm_plan *p)
{
    memory m = judge(a, p);
    json_writer w;
    json_write_init(&w, &c->out);
    json_write_object(&w);
    put_text(&w, "model", str_from(info->path));
    put_u64(&w, "n_ctx", (uint64_t)o->n_ctx);
    put_u64(&w, "n_seq", (uint64_t)o->n_seq);
    put_u64(&w, "n_batch", (uint64_t)o->n_batch);
    put_text(&w, "cache_type", str_from(dtype_get(o->type_k)->name));
    put_u64(&w, "weights_bytes", p->weights_bytes);
    put_u64(&w, "model_bytes", p->model_bytes);
    put_u64(&w, "cache_bytes", p->cache_bytes);
    put_u64(&w, "scratch_bytes", p->scratch_bytes);
    put_u64(&w, "total_bytes", p->total_bytes);
    put_u64(&w, "memory_total_bytes", m.total);
    put_u64(&w, "memory_available_bytes", m.available);
    json_write_key(&w, "fits");
    json_write_bool(&w, m.fits);
    json_write_object_end(&w);
    out_bytes(c, STR("\n"));
}

hearth_status cmd_plan(cli *c, void *args, hearth_err *err)
{
    const plan_args *a = args;
    engine_options eo;
    engine *e = NULL;
    fill_metadata_options(a->engine.in_process, &eo);
    HEARTH_TRY(open_engine(a->common.words[0], &eo, &e, NULL, err));
    llm_ctx_options o;
    llm_plan p;
    llm_ctx_options_default(&o);
    const engine_info *info = engine_get_info(e);
    o.n_ctx = a->engine.ctx ? a->engine.ctx : i64_min(info->n_ctx_train, ENGINE_DEFAULT_CTX);
    o.n_seq = a->parallel;
    o.n_batch = a->engine.batch;
    o.type_k = o.type_v = a->cache == 0 ? DTYPE_F32 : DTYPE_F16;
    hearth_status st = engine_plan(e, &o, &p, err);
    if (st == HEARTH_OK) (a->common.json ? print_json : print_text)(c, info, a, &o, &p);
    engine_close(e);
    return st;
}
