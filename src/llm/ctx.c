// Contexts: what a model needs beside its weights to run, planned to the byte and taken at once.
//
// ctx_plan() lays out four blocks and llm_ctx_create() takes exactly these, so that the plan that a
// person is shown is what happens:
//
//   MEM_CACHE    device: pages and states   host: page tables, counts
//   MEM_SCRATCH  device: activations        host: the context itself, logits and hidden states
//
// Device activations (rows of n_batch), q..att and gate, up share one region since a layer uses
// them one after the other:
//
//   x | h | q, k, v, att  or  gate, up, experts | angles | picked | logits | matmul, attention
#include "llm/ctx_int.h"

void llm_ctx_options_default(llm_ctx_options *o)
{
    *o = (llm_ctx_options){.n_ctx = 4096, .n_seq = 1, .n_batch = 512, .n_logits = 1,
                           .type_k = DTYPE_F16, .type_v = DTYPE_F16};
}

static hearth_status check_types(const llm_ctx_options *o, hearth_err *err)
{
    if (o->type_k != o->type_v)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "keys as %s and values as %s: different cache types are not supported yet",
                        dtype_get(o->type_k)->name, dtype_get(o->type_v)->name);
    if (o->type_k != DTYPE_F32 && o->type_k != DTYPE_F16)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "cache type %s: only F32 and F16 are supported",
                        dtype_get(o->type_k)->name);
    return HEARTH_OK;
}

static hearth_status check_options(const llm_ctx_options *o, hearth_err *err)
{
    if (o->n_ctx < 1 || o->n_ctx > LIMIT_CONTEXT)
        return err_fail(err, HEARTH_E_ARG, "context of %lld positions: not in 1..%d",
                        (long long)o->n_ctx, LIMIT_CONTEXT);
    if (o->n_seq < 1 || o->n_seq > LIMIT_SEQUENCES)
        return err_fail(err, HEARTH_E_ARG, "%d sequences: not in 1..%d", o->n_seq, LIMIT_SEQUENCES);
    if (o->n_batch < 1 || o->n_batch > LIMIT_BATCH_ROWS)
        return err_fail(err, HEARTH_E_ARG, "batch of %d rows: not in 1..%d", o->n_batch,
                        LIMIT_BATCH_ROWS);
    if (o->n_logits < 1 || o->n_logits > LIMIT_BATCH_ROWS)
        return err_fail(err, HEARTH_E_ARG, "%d rows with logits: not in 1..%d", o->n_logits,
                        LIMIT_BATCH_ROWS);
    if ((unsigned)o->pooling > LLM_POOL_RANK)
        return err_fail(err, HEARTH_E_ARG, "pooling %d: not in 0..%d", (int)o->pooling,
                        LLM_POOL_RANK);
    return check_types(o, err);
}

// A step cannot have more rows than there are positions, nor more results than rows.
static void round_options(llm_ctx_options *o)
{
    o->n_ctx = pages_for(o->n_ctx) * LLM_PAGE;
    o->n_batch = (int)i64_min(o->n_batch, o->n_ctx);
    o->n_logits = int_min(o->n_logits, o->n_batch);
}

static size_t place(uint64_t *end, uint64_t bytes)
{
    uint64_t at = (*end + 63) & ~(uint64_t)63;
    *end = at + bytes;
    return (size_t)at;
}

static size_t place_floats(uint64_t *end, int64_t rows, int64_t n)
{
    return place(end, (uint64_t)rows * (uint64_t)n * sizeof(float));
}

static size_t attention_scratch(const llm_model *m, const llm_ctx_options *o)
{
    size_t most = 0;
    for (int64_t i = 0; i < m->n_layer; i++) {
        const llm_memory *y = &m->memory[i];
        const dev_cache shape = {.page_len = LLM_PAGE, .n_head_kv = y->n_head_kv, .d_k = y->d_k,
                                 .d_v = y->d_v, .type_k = o->type_k, .type_v = o->type_v,
                                 .values_in_keys = y->values_in_keys};
        if (y->shares >= 0 || !y->n_head_kv) continue;
        most = size_max(most, m->d->ops->attention_scratch(m->d, m->c.n_head, &shape, o->n_batch));
    }
    return most;
}

// What the adapters of a weight need: floats of the two products, and scratch.
static void add_adapters(const llm_model *m, weight_id id, int64_t rows, ctx_layout *l)
{
    for (const weight_delta *t = weights_deltas(m->w, id); t; t = t->next) {
        const dev_weight *a = &t->a, *b = &t->b;
        l->n_narrow = i64_max(l->n_narrow, rows * a->n_out);
        l->n_wide = i64_max(l->n_wide, rows * b->n_out);
        size_t n = m->d->ops->matmul_scratch(m->d, a->type, a->n_in, rows);
        l->n_scratch = size_max(l->n_scratch, n);
        n = m->d->ops->matmul_scratch(m->d, b->type, b->n_in, rows);
        l->n_scratch = size_max(l->n_scratch, n);
    }
}

// The most that any matrix of the model, or attention, wants for n_batch rows.
static hearth_status max_scratch(const llm_model *m, ctx_layout *l, hearth_err *err)
{
    const dev_ops *ops = m->d->ops;
    const llm_ctx_options *o = &l->o;
    size_t most = attention_scratch(m, o);
    for (weight_id id = 0; id < weights_count(m->w); id++) {
        const dev_weight *w;
        HEARTH_TRY(weights_acquire(m->w, id, &w, err));
        bool is_head = id == m->output && model_has_logits(m);
        bool is_table = (id == m->embedding && !is_head) || id == m->positions || id == m->parts;
        int64_t rows = is_head ? o->n_logits : o->n_batch;
        // A shared expert's gate is a vector that is multiplied.
        bool is_matrix = w->n_out > 1 || m->c.n_ff_shared || pooling_multiplies(&m->pool, id);
        if (is_matrix && !is_table)
            most = size_max(most, ops->matmul_scratch(m->d, w->type, w->n_in, rows));
        add_adapters(m, id, rows, l);
        weights_release(m->w, id);
    }
    l->n_scratch = size_max(l->n_scratch, most);
    return HEARTH_OK;
}

// Numbers of a row's queries, keys, values and results in the layer where they are most.
typedef struct head_sizes { int64_t q, k, v, att; } head_sizes;

static head_sizes max_heads(const llm_model *m)
{
    const llm_config *c = &m->c;
    head_sizes h = {0};
    for (int64_t i = 0; i < m->n_layer; i++) {
        const llm_memory *y = &m->memory[i];
        if (y->shares >= 0 || !y->n_head_kv) continue;
        h.q = i64_max(h.q, c->n_head * y->d_k);
        h.k = i64_max(h.k, y->n_head_kv * y->d_k);
        h.v = i64_max(h.v, y->n_head_kv * y->d_v);
        h.att = i64_max(h.att, c->n_head * y->d_v);
    }
    return h;
}

// Rows with logits: none in a context for vectors, and none of a model without an output.
static int64_t count_logits(const llm_model *m, const llm_ctx_options *o)
{
    return o->pooling == LLM_POOL_NONE && model_has_logits(m) ? o->n_logits : 0;
}

static void plan_device(const llm_model *m, ctx_layout *l)
{
    const llm_config *c = &m->c;
    const llm_family *f = m->family;
    int64_t rows = l->o.n_batch;
    uint64_t end = 0;
    l->x = place_floats(&end, rows, c->n_embd);
    l->h = place_floats(&end, rows, c->n_embd);
    uint64_t ffn_end = end;
    head_sizes heads = max_heads(m);
    l->q = place_floats(&end, rows, heads.q);
    l->k = place_floats(&end, rows, heads.k);
    l->v = place_floats(&end, rows, heads.v);
    l->att = place_floats(&end, rows, heads.att);
    int64_t n_ff = i64_max(c->n_ff, i64_max(c->n_expert_used * c->n_ff_expert, c->n_ff_shared));
    l->gate = place_floats(&ffn_end, rows, n_ff);
    l->up = place_floats(&ffn_end, rows, n_ff);
    if (c->n_expert > 0) {
        l->experts = place_floats(&ffn_end, rows, (c->n_expert_used + 1) * c->n_embd);
        l->route = place_floats(&ffn_end, rows, c->n_expert + 1);
    }
    end = end > ffn_end ? end : ffn_end;
    l->angles = place_floats(&end, rows, c->n_rot);
    l->local_angles = place_floats(&end, c->rope_base_local > 0 ? rows : 0,
                                   i64_max(c->n_rot, c->n_rot_local));
    l->beside = place_floats(&end, c->is_parallel ? rows : 0, c->n_embd);
    l->own = place_floats(&end, f->own_floats ? rows : 0, f->own_floats ? f->own_floats(c) : 0);
    bool pools = l->o.pooling != LLM_POOL_NONE;
    l->picked = place_floats(&end, l->o.n_logits, pools ? pooling_widest(m) : c->n_embd);
    l->pooled = place_floats(&end, pools ? l->o.n_logits : 0, pooling_widest(m));
    l->logits = place_floats(&end, count_logits(m, &l->o), c->n_vocab);
    l->narrow = place_floats(&end, 1, l->n_narrow);
    l->wide = place_floats(&end, 1, l->n_wide);
    l->scratch = place(&end, l->n_scratch);
    l->device_bytes = end;
}

static void plan_host(const llm_model *m, ctx_layout *l)
{
    const llm_config *c = &m->c;
    bool pools = l->o.pooling != LLM_POOL_NONE;
    uint64_t rows = (uint64_t)l->o.n_batch, end = sizeof(llm_ctx);
    l->host_rows = place(&end, (uint64_t)l->cache.n_group * rows * sizeof(dev_attn_row));
    l->host_state_rows = place(&end, l->cache.n_slots ? rows * sizeof(dev_state_row) : 0);
    l->host_ids = place(&end, rows * sizeof(int32_t));
    l->host_slot = place(&end, rows * sizeof(int32_t));
    l->host_want = place(&end, rows);
    l->host_logits = place_floats(&end, count_logits(m, &l->o), c->n_vocab);
    l->host_hidden = place_floats(&end, l->o.n_logits, pools ? pooling_widest(m) : c->n_embd);
    l->host_share = place_floats(&end, pools ? l->o.n_batch : 0, 1);
    l->host_input = place(&end, pools ? rows * sizeof(llm_row) : 0);
    if (c->n_expert > 0) {
        int64_t batch = l->o.n_batch, terms = c->n_expert_used + 1;
        l->host_choice[0] = place_floats(&end, batch, c->n_expert + 1);
        l->host_choice[1] = place_floats(&end, batch, terms);
        l->host_choice[2] = place_floats(&end, batch, terms); // ids: int32_t is as wide as float
        l->host_choice[3] = place_floats(&end, batch, c->n_expert_used);
        l->host_choice[4] = place_floats(&end, 1, c->n_expert + 2);
        l->host_choice[5] = place(&end, (uint64_t)c->n_expert * sizeof(double));
        l->host_choice[6] = place(&end, (uint64_t)c->n_expert * sizeof(double));
        l->host_choice[7] = place_floats(&end, 1, c->n_expert);
        l->host_choice[8] = place_floats(&end, 1, c->n_expert);
        l->host_choice[9] = place(&end, (uint64_t)c->n_expert);
        l->host_choice[10] = place(&end, (uint64_t)c->n_expert);
    }
    l->host_bytes = end;
}

hearth_status ctx_plan(const llm_model *m, const llm_ctx_options *o, ctx_layout *out,
                       hearth_err *err)
{
    ctx_layout l = {.o = *o};
    HEARTH_TRY(check_options(o, err));
    round_options(&l.o);
    if (o->pooling != LLM_POOL_NONE)
        HEARTH_TRY(llm_model_pooling(m, o->pooling, &l.o.pooling, err));
    HEARTH_TRY(cache_plan(m->memory, m->n_layer, &l.o, &l.cache, err));
    HEARTH_TRY(max_scratch(m, &l, err));
    plan_device(m, &l);
    plan_host(m, &l);
    if (l.device_bytes > SIZE_MAX || l.host_bytes > SIZE_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "a batch of %d rows has no room in memory",
                        l.o.n_batch);
    *out = l;
    return HEARTH_OK;
}

hearth_status llm_make_plan(const llm_model *m, const llm_ctx_options *o, llm_plan *out,
                            hearth_err *err)
{
    ctx_layout l;
    HEARTH_TRY(ctx_plan(m, o, &l, err));
    llm_plan p = {
        .weights_bytes = weights_bytes(m->w),
        .model_bytes = m->own_bytes,
        .cache_bytes = cache_host_bytes(&l.cache) + l.cache.pool_bytes,
        .scratch_bytes = l.device_bytes + l.host_bytes,
    };
    p.total_bytes = p.weights_bytes + p.model_bytes + p.cache_bytes + p.scratch_bytes;
    *out = p;
    return HEARTH_OK;
}

static void set_pointers(llm_ctx *c)
{
    const ctx_layout *l = &c->l;
    uint8_t *host = (uint8_t *)c;
    c->rows = (dev_attn_row *)(void *)(host + l->host_rows);
    c->state_rows = (dev_state_row *)(void *)(host + l->host_state_rows);
    c->ids = (int32_t *)(void *)(host + l->host_ids);
    c->slot = (int32_t *)(void *)(host + l->host_slot);
    c->want = host + l->host_want;
    c->logits = (float *)(void *)(host + l->host_logits);
    c->hidden = (float *)(void *)(host + l->host_hidden);
    c->share = (float *)(void *)(host + l->host_share);
    c->input = (llm_row *)(void *)(host + l->host_input);
}

static void set_run(llm_ctx *c)
{
    const ctx_layout *l = &c->l;
    dev_view base = {c->scratch, 0};
    c->run = (nn_run){
        .d = c->m->d, .w = c->m->w, .angles = dev_at(base, l->angles),
        .local_angles = dev_at(base, c->m->c.rope_base_local > 0 ? l->local_angles : l->angles),
        .x = dev_at(base, l->x), .h = dev_at(base, l->h),
        .q = dev_at(base, l->q), .k = dev_at(base, l->k), .v = dev_at(base, l->v),
        .att = dev_at(base, l->att), .gate = dev_at(base, l->gate), .up = dev_at(base, l->up),
        .beside = dev_at(base, l->beside), .own = dev_at(base, l->own),
        .experts = dev_at(base, l->experts), .route = dev_at(base, l->route),
        .narrow = dev_at(base, l->narrow), .wide = dev_at(base, l->wide),
        .scratch = dev_at(base, l->scratch),
    };
    uint8_t *host = (uint8_t *)c;
    c->run.choice = (nn_choice){
        .logits = (float *)(void *)(host + l->host_choice[0]),
        .weights = (float *)(void *)(host + l->host_choice[1]),
        .ids = (int32_t *)(void *)(host + l->host_choice[2]),
        .rows = (int32_t *)(void *)(host + l->host_choice[3]),
        .first = (int32_t *)(void *)(host + l->host_choice[4]),
        .score = (double *)(void *)(host + l->host_choice[5]),
        .group = (double *)(void *)(host + l->host_choice[6]),
        .bias = (float *)(void *)(host + l->host_choice[7]),
        .each = (float *)(void *)(host + l->host_choice[8]),
        .is_taken = (bool *)(host + l->host_choice[9]),
        .is_group_taken = (bool *)(host + l->host_choice[10]),
    };
}

static hearth_status take_blocks(llm_ctx *c, hearth_err *err)
{
    const dev_ops *ops = c->m->d->ops;
    uint64_t host_bytes = cache_host_bytes(&c->l.cache);
    dev_buf *pool;
    if (host_bytes > SIZE_MAX || !(c->cache_host = mem_alloc(MEM_CACHE, (size_t)host_bytes)))
        return err_fail(err, HEARTH_E_NOMEM, "no memory for page tables (%llu bytes)",
                        (unsigned long long)host_bytes);
    HEARTH_TRY(ops->alloc(c->m->d, MEM_SCRATCH, (size_t)c->l.device_bytes, &c->scratch, err));
    HEARTH_TRY(ops->alloc(c->m->d, MEM_CACHE, (size_t)c->l.cache.pool_bytes, &pool, err));
    uint64_t fingerprint = c->m->fingerprint + ctx_is_long(c); // keys are turned differently
    cache_init(&c->cache, &c->l.cache, c->m->d, pool, fingerprint, c->cache_host);
    return HEARTH_OK;
}

hearth_status llm_ctx_create(const llm_model *m, const llm_ctx_options *o, llm_ctx **out,
                             hearth_err *err)
{
    ctx_layout l;
    *out = NULL;
    HEARTH_TRY(ctx_plan(m, o, &l, err));
    llm_ctx *c = mem_alloc_zero(MEM_SCRATCH, 1, (size_t)l.host_bytes);
    if (!c)
        return err_fail(err, HEARTH_E_NOMEM, "no memory for a context (%llu bytes)",
                        (unsigned long long)l.host_bytes);
    c->m = m;
    c->l = l;
    atomic_init(&c->is_canceled, false);
    hearth_status s = take_blocks(c, err);
    if (s != HEARTH_OK) {
        llm_ctx_free(c);
        return s;
    }
    set_pointers(c);
    set_run(c);
    *out = c;
    return HEARTH_OK;
}

void llm_ctx_free(llm_ctx *c)
{
    if (!c) return;
    c->m->d->ops->free(c->m->d, c->cache.pool);
    c->m->d->ops->free(c->m->d, c->scratch);
    mem_free(c->cache_host);
    mem_free(c);
}

const llm_model *llm_ctx_model(const llm_ctx *c) { return c->m; }
const llm_ctx_options *llm_ctx_get_options(const llm_ctx *c) { return &c->l.o; }
void llm_cancel(llm_ctx *c) { atomic_store_explicit(&c->is_canceled, true, memory_order_relaxed); }
void llm_cancel_clear(llm_ctx *c)
{
    atomic_store_explicit(&c->is_canceled, false, memory_order_relaxed);
}

// --- sequences: the cache with its arguments checked ---------------------------------------------

static hearth_status check_seq(const llm_ctx *c, llm_seq s, hearth_err *err)
{
    if (cache_has(&c->cache, s)) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "sequence %d: not in use", (int)s);
}

static hearth_status check_length(const llm_ctx *c, llm_seq s, int64_t n, hearth_err *err)
{
    HEARTH_TRY(check_seq(c, s, err));
    if (n >= 0 && n <= c->cache.length[s]) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "sequence %d: position %lld, it has %lld", (int)s,
                    (long long)n, (long long)c->cache.length[s]);
}

hearth_status llm_seq_new(llm_ctx *c, llm_seq *out, hearth_err *err)
{
    return cache_new(&c->cache, out, err);
}

void llm_seq_free(llm_ctx *c, llm_seq s)
{
    if (cache_has(&c->cache, s)) cache_free(&c->cache, s);
}

int64_t llm_seq_length(const llm_ctx *c, llm_seq s)
{
    return cache_has(&c->cache, s) ? c->cache.length[s] : 0;
}

hearth_status llm_seq_fork(llm_ctx *c, llm_seq from, int64_t n, llm_seq *out, hearth_err *err)
{
    *out = -1;
    HEARTH_TRY(check_length(c, from, n, err));
    return cache_fork(&c->cache, from, n, out, err);
}

hearth_status llm_seq_rewind(llm_ctx *c, llm_seq s, int64_t n, hearth_err *err)
{
    HEARTH_TRY(check_length(c, s, n, err));
    return cache_rewind(&c->cache, s, n, err);
}

int64_t llm_seq_nearest(const llm_ctx *c, llm_seq s, int64_t n)
{
    if (!cache_has(&c->cache, s)) return 0;
    return cache_nearest(&c->cache, s, i64_min(i64_max(n, 0), c->cache.length[s]));
}

size_t llm_seq_export_bytes(const llm_ctx *c, llm_seq s)
{
    return cache_blob_bytes(&c->cache, llm_seq_length(c, s));
}

hearth_status llm_seq_export(llm_ctx *c, llm_seq s, void *out, size_t n, hearth_err *err)
{
    HEARTH_TRY(check_seq(c, s, err));
    return cache_export(&c->cache, s, out, n, err);
}

hearth_status llm_seq_import(llm_ctx *c, const void *p, size_t n, llm_seq *out, hearth_err *err)
{
    return cache_import(&c->cache, p, n, out, err);
}
