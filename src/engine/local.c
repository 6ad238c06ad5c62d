// The engine in this process: opening, sessions and calls.
//
// One context serves all sessions; each holds one of its sequences (local_step.c).
//
// With metadata_only a model that cannot be computed can still be shown: the errors of tokenizer
// and weights are kept for the calls that need them.
#include "engine/local.h"

#include <string.h>

#include "defs/limits.h"

// --- open and close -----------------------------------------------------------------------------

// Positions of one session.
static int64_t ctx_of_session(const engine_local *e)
{
    if (e->o.n_ctx_seq > 0) return e->o.n_ctx_seq;
    if (e->o.n_ctx > 0) return e->o.n_ctx;
    int64_t trained = llm_model_config(e->model)->n_ctx_train;
    return trained < 1 ? ENGINE_DEFAULT_CTX : i64_min(trained, ENGINE_DEFAULT_CTX);
}

llm_ctx_options local_ctx_options(const engine_local *e)
{
    llm_ctx_options o;
    llm_ctx_options_default(&o);
    int64_t all = i64_min(ctx_of_session(e) * e->o.n_seq, LIMIT_CONTEXT);
    o.n_ctx = e->o.n_ctx > 0 ? e->o.n_ctx : all;
    o.n_seq = e->o.n_seq;
    o.n_batch = e->o.n_batch;
    o.n_logits = int_max(e->o.n_logits, int_min(e->o.n_seq, e->o.n_batch)); // engine_step()
    o.type_k = e->o.type_k;
    o.type_v = e->o.type_v;
    return o;
}

hearth_status local_check_memory(const engine_local *e, const llm_plan *p, hearth_err *err)
{
    char need[16], weights[16], cache[16], scratch[16], limit[16];
    if (e->o.memory_limit == 0 || p->total_bytes <= e->o.memory_limit) return HEARTH_OK;
    format_bytes(p->total_bytes, need);
    format_bytes(p->weights_bytes + p->model_bytes, weights);
    format_bytes(p->cache_bytes, cache);
    format_bytes(p->scratch_bytes, scratch);
    return err_fail(err, HEARTH_E_LIMIT, "needs %s (weights %s, cache %s, scratch %s), the memory "
                    "limit is %s", need, weights, cache, scratch,
                    format_bytes(e->o.memory_limit, limit));
}

static hearth_status put_adapter(engine_local *e, int i, hearth_err *err)
{
    const engine_adapter *a = &e->o.adapters[i];
    source *src = &e->adapter[i];
    buf path;
    buf_init(&path, MEM_MISC, LIMIT_PATH + 1);
    hearth_status s = buf_append_str(&path, a->path);
    if (s != HEARTH_OK) return err_fail(err, s, "no memory for the name of an adapter");
    s = source_open_adapter(path.p, e->src.g, src, err);
    if (s == HEARTH_OK) {
        s = llm_model_adapt(e->model, src->g, a->scale, err);
        if (s != HEARTH_OK) source_blame(src, path.p, err);
    }
    buf_release(&path);
    return s;
}

static hearth_status open_model(engine_local *e, hearth_err *err)
{
    int n_threads = e->o.n_threads > 0 ? e->o.n_threads : int_min(os_cpu_count(), LIMIT_THREADS);
    if (e->o.metadata_only) n_threads = 1;
    HEARTH_TRY(dev_cpu_open(n_threads, e->o.cpu, &e->d, err));
    llm_model_options all = {0};
    HEARTH_TRY(llm_model_open(e->src.g, e->d, &all, &e->model, err));
    for (int i = 0; i < e->o.n_adapters; i++) HEARTH_TRY(put_adapter(e, i, err));
    int64_t n_vocab = llm_model_config(e->model)->n_vocab;
    e->base.info.n_threads = n_threads;
    if (!e->t || tok_count(e->t) <= n_vocab) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "the tokenizer has %d tokens, the model computes %lld",
                    tok_count(e->t), (long long)n_vocab);
}

// An encoder needs what one text of this length does, while it is read; it has no sessions.
static hearth_status plan_text(const engine_local *e, int64_t n_ctx, llm_plan *out, hearth_err *err)
{
    llm_ctx_options o;
    HEARTH_TRY(llm_embed_options(e->model, LLM_POOL_NONE, n_ctx, n_ctx, 1, &o, err));
    return llm_make_plan(e->model, &o, out, err);
}

static hearth_status open_ctx(engine_local *e, hearth_err *err)
{
    llm_ctx_options o = local_ctx_options(e);
    if (llm_model_config(e->model)->is_encoder) {
        int64_t longest = i64_min(o.n_ctx, llm_model_longest(e->model));
        HEARTH_TRY(plan_text(e, longest, &e->base.info.plan, err));
        return local_check_memory(e, &e->base.info.plan, err);
    }
    HEARTH_TRY(llm_make_plan(e->model, &o, &e->base.info.plan, err));
    if (e->o.metadata_only) return HEARTH_OK;
    HEARTH_TRY(local_check_memory(e, &e->base.info.plan, err));
    HEARTH_TRY(llm_ctx_create(e->model, &o, &e->ctx, err));
    e->slots = mem_alloc_zero(MEM_MISC, (size_t)e->o.n_seq, sizeof *e->slots);
    e->spans = mem_alloc_zero(MEM_MISC, (size_t)e->o.n_seq, sizeof *e->spans);
    e->rows = mem_alloc_zero(MEM_MISC, (size_t)e->o.n_batch, sizeof *e->rows);
    if (e->slots && e->spans && e->rows) return HEARTH_OK;
    return err_fail(err, HEARTH_E_NOMEM, "sessions: out of memory");
}

// Says whether opening goes on without what failed; its error is kept.
static bool may_do_without(const engine_local *e, hearth_status status, hearth_err *kept,
                           hearth_err *err)
{
    if (status == HEARTH_OK) return true;
    if (e->o.metadata_only && status != HEARTH_E_NOMEM) return true;
    if (err && err->status == HEARTH_OK) *err = *kept;
    return false;
}

static hearth_status open_parts(engine_local *e, const char *name, hearth_err *err)
{
    HEARTH_TRY(source_open(name, &e->src, err));
    hearth_status status = tok_open(e->src.g, &e->t, &e->t_err);
    if (!may_do_without(e, status, &e->t_err, err)) return status;
    status = open_model(e, &e->model_err);
    if (status == HEARTH_OK) status = open_ctx(e, &e->model_err);
    if (status != HEARTH_OK && e->o.metadata_only) {
        llm_model_close(e->model);
        e->model = NULL;
    }
    return may_do_without(e, status, &e->model_err, err) ? HEARTH_OK : status;
}

static void close_slot(local_slot *slot)
{
    generate_free(slot->running);
    session_free(slot->session);
    slot->running = NULL;
    slot->session = NULL;
    slot->id = 0;
}

static void close_local(engine *base)
{
    engine_local *e = as_local(base);
    for (int i = 0; e->slots && i < e->o.n_seq; i++) close_slot(&e->slots[i]);
    mem_free(e->rows);
    mem_free(e->spans);
    mem_free(e->slots);
    llm_ctx_free(e->ctx);
    llm_model_close(e->model);
    for (int i = 0; i < e->o.n_adapters; i++) source_close(&e->adapter[i]);
    dev_close(e->d);
    gram_vocab_free(e->vocab);
    tok_free(e->t);
    source_close(&e->src);
    mem_free(e);
}

// --- metadata -----------------------------------------------------------------------------------

static hearth_status plan_local(engine *base, const llm_ctx_options *o, llm_plan *out,
                                hearth_err *err)
{
    engine_local *e = as_local(base);
    if (!e->model) return err_fail(err, e->model_err.status, "%s", e->model_err.msg);
    llm_ctx_options used = local_ctx_options(e);
    if (llm_model_config(e->model)->is_encoder) {
        int64_t n_ctx = o->n_ctx > 0 ? o->n_ctx : used.n_ctx;
        return plan_text(e, i64_min(n_ctx, llm_model_longest(e->model)), out, err);
    }
    if (o->n_ctx > 0) used.n_ctx = o->n_ctx;
    if (o->n_seq > 0) used.n_seq = o->n_seq;
    if (o->n_batch > 0) used.n_batch = o->n_batch;
    if (o->n_logits > 0) used.n_logits = o->n_logits;
    // A zeroed type is DTYPE_F32; both zero is what an empty struct says.
    if (o->n_ctx > 0 || o->type_k != 0 || o->type_v != 0) {
        used.type_k = o->type_k;
        used.type_v = o->type_v;
    }
    return llm_make_plan(e->model, &used, out, err);
}

static hearth_status check_tokenizer(const engine_local *e, hearth_err *err)
{
    if (e->t) return HEARTH_OK;
    return err_fail(err, e->t_err.status, "%s", e->t_err.msg);
}

static hearth_status tokenize_local(engine *base, str text, tok_options o, tok_ids *out,
                                    hearth_err *err)
{
    engine_local *e = as_local(base);
    HEARTH_TRY(check_tokenizer(e, err));
    return tok_encode(e->t, text, o, out, err);
}

static hearth_status detokenize_local(engine *base, const int32_t *ids, size_t n, bool special,
                                      buf *out, hearth_err *err)
{
    engine_local *e = as_local(base);
    HEARTH_TRY(check_tokenizer(e, err));
    size_t n_before = out->n;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= tok_count(e->t)) {
            out->n = n_before;
            return err_fail(err, HEARTH_E_ARG, "token %d, expected 0 to %d", ids[i],
                            tok_count(e->t) - 1);
        }
        hearth_status status = tok_decode_one(e->t, ids[i], special, out->n == n_before, out);
        if (status == HEARTH_OK) continue;
        out->n = n_before;
        return err_fail(err, status, "text: %s", err_status_name(status));
    }
    return HEARTH_OK;
}

// --- sessions -----------------------------------------------------------------------------------

static hearth_status check_ctx(const engine_local *e, hearth_err *err)
{
    if (e->ctx) return HEARTH_OK;
    if (e->model && !e->o.metadata_only)
        return err_fail(err, HEARTH_E_STATE, "'%s' models read texts and generate none",
                        llm_model_config(e->model)->arch);
    return err_fail(err, HEARTH_E_STATE, "the model is open for its metadata only");
}

hearth_status local_find_slot(engine_local *e, engine_session s, local_slot **out, hearth_err *err)
{
    HEARTH_TRY(check_ctx(e, err));
    for (int i = 0; s != 0 && i < e->o.n_seq; i++) {
        if (e->slots[i].id != s) continue;
        *out = &e->slots[i];
        return HEARTH_OK;
    }
    return err_fail(err, HEARTH_E_ARG, "there is no session %u", s);
}

static hearth_status open_session(engine *base, engine_session *out, hearth_err *err)
{
    engine_local *e = as_local(base);
    local_slot *slot = NULL;
    HEARTH_TRY(check_ctx(e, err));
    for (int i = 0; !slot && i < e->o.n_seq; i++)
        if (e->slots[i].id == 0) slot = &e->slots[i];
    if (!slot || e->n_opened == UINT32_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "all %d sessions are in use", e->o.n_seq);
    HEARTH_TRY(session_create(e->ctx, ctx_of_session(e), &slot->session, err));
    atomic_store(&slot->cancel, 0);
    *out = ++e->n_opened;
    slot->id = *out;
    return HEARTH_OK;
}

static void close_session(engine *base, engine_session s)
{
    local_slot *slot;
    if (local_find_slot(as_local(base), s, &slot, NULL) == HEARTH_OK) close_slot(slot);
}

hearth_status engine_local_export_bytes(engine *base, engine_session s, size_t *out,
                                        hearth_err *err)
{
    local_slot *slot;
    HEARTH_TRY(local_find_slot(as_local(base), s, &slot, err));
    *out = session_export_bytes(slot->session);
    return HEARTH_OK;
}

hearth_status engine_local_export_to(engine *base, engine_session s, void *out, size_t n,
                                     hearth_err *err)
{
    local_slot *slot;
    HEARTH_TRY(local_find_slot(as_local(base), s, &slot, err));
    return session_export(slot->session, out, n, err);
}

static hearth_status export_session(engine *base, engine_session s, buf *out, hearth_err *err)
{
    size_t n = 0;
    HEARTH_TRY(engine_local_export_bytes(base, s, &n, err));
    hearth_status status = buf_reserve(out, n);
    if (status != HEARTH_OK) return err_fail(err, status, "a session of %zu bytes has no room", n);
    HEARTH_TRY(engine_local_export_to(base, s, out->p + out->n, n, err));
    out->n += n;
    out->p[out->n] = 0;
    return HEARTH_OK;
}

static hearth_status import_session(engine *base, engine_session s, const void *p, size_t n,
                                    hearth_err *err)
{
    local_slot *slot;
    HEARTH_TRY(local_find_slot(as_local(base), s, &slot, err));
    generate_free(slot->running);
    slot->running = NULL;
    return session_import(slot->session, p, n, err);
}

// --- logits -------------------------------------------------------------------------------------

static hearth_status step_logits(engine_local *e, llm_ctx *ctx, llm_seq seq, llm_row *rows,
                                 const int32_t *ids, int64_t n, int batch, float *out,
                                 hearth_err *err)
{
    size_t n_vocab = (size_t)e->base.info.n_vocab;
    for (int64_t at = 0; at < n; at += batch) {
        int n_rows = (int)i64_min(batch, n - at);
        if (atomic_load(&e->stopping)) return err_fail(err, HEARTH_E_CANCELED, "canceled");
        for (int i = 0; i < n_rows; i++)
            rows[i] = (llm_row){.seq = seq, .pos = (int32_t)(at + i), .token = ids[at + i],
                                .want = LLM_WANT_LOGITS};
        HEARTH_TRY(llm_step(ctx, rows, n_rows, err));
        for (int i = 0; i < n_rows; i++)
            memcpy(out + (size_t)(at + i) * n_vocab, llm_logits(ctx, i), n_vocab * sizeof *out);
    }
    return HEARTH_OK;
}

// A context of its own: as long as the input, every row of a batch may have logits, and sessions
// are not disturbed.
static hearth_status logits_local(engine *base, const int32_t *ids, int64_t n, int batch,
                                  float *out, hearth_err *err)
{
    engine_local *e = as_local(base);
    HEARTH_TRY(check_ctx(e, err));
    llm_ctx_options o = local_ctx_options(e);
    batch = (int)i64_min(batch, n);
    o.n_ctx = n;
    o.n_seq = 1;
    o.n_batch = o.n_logits = batch;
    llm_plan plan;
    llm_ctx *ctx = NULL;
    llm_row *rows = NULL;
    llm_seq seq;
    HEARTH_TRY(llm_make_plan(e->model, &o, &plan, err));
    HEARTH_TRY(local_check_memory(e, &plan, err));
    hearth_status status = llm_ctx_create(e->model, &o, &ctx, err);
    if (status != HEARTH_OK) goto out;
    status = llm_seq_new(ctx, &seq, err);
    if (status != HEARTH_OK) goto out;
    rows = mem_alloc_zero(MEM_SCRATCH, (size_t)batch, sizeof *rows);
    if (rows) status = step_logits(e, ctx, seq, rows, ids, n, batch, out, err);
    else status = err_fail(err, HEARTH_E_NOMEM, "logits: out of memory");
out:
    mem_free(rows);
    llm_ctx_free(ctx);
    return status;
}

static const engine_ops local_ops = {
    .close = close_local, .describe = local_describe, .plan = plan_local,
    .tokenize = tokenize_local, .detokenize = detokenize_local, .chat = local_chat,
    .session_open = open_session,
    .session_close = close_session, .session_export = export_session,
    .session_import = import_session, .start = local_start, .next = local_next,
    .step = local_step, .cancel = local_cancel, .logits = logits_local,
    .embed = local_embed,
};

hearth_status engine_local_open(const char *name, const engine_options *o, engine **out,
                                hearth_err *err)
{
    *out = NULL;
    uint64_t begin = os_now_ns();
    engine_local *e = mem_alloc_zero(MEM_MISC, 1, sizeof *e);
    if (!e) return err_fail(err, HEARTH_E_NOMEM, "%s: out of memory", name);
    e->base.ops = &local_ops;
    e->o = *o;
    hearth_status status = os_mutex_create(&e->base.lock, err);
    if (status == HEARTH_OK) status = open_parts(e, name, err);
    if (status != HEARTH_OK) {
        if (e->src.g) source_blame(&e->src, name, err); // else source_open() did
        engine_close(&e->base);
        return status;
    }
    local_fill_info(e, name);
    e->base.info.load_ns = os_now_ns() - begin;
    *out = &e->base;
    return HEARTH_OK;
}
