// One step: a batch of rows of any sequences through the layers of the model.
//
//   check rows -> reserve their places in the cache -> forward -> commit; any failure rolls back
//
// A row's arithmetic never looks at other rows: matrices multiply row by row, attention reads the
// row's own pages. The rows of the batch are only computed together because the weights are then
// read once. Nothing is allocated; host arrays have their final size from the context's creation.
#include "llm/ctx_int.h"

// --- arguments -----------------------------------------------------------------------------------

static hearth_status check_input(const llm_ctx *c, const llm_row *row, int i, hearth_err *err)
{
    if (row->part >= i64_max(c->m->c.n_parts, 1))
        return err_fail(err, HEARTH_E_ARG, "row %d: part %d of a text, the model knows %lld", i,
                        row->part, (long long)i64_max(c->m->c.n_parts, 1));
    if (row->embd) return HEARTH_OK;
    if (!c->m->has_embedding)
        return err_fail(err, HEARTH_E_ARG, "row %d: a model part from layer %lld needs embeddings",
                        i, (long long)c->m->layer_first);
    if (row->token < 0 || row->token >= c->m->c.n_vocab)
        return err_fail(err, HEARTH_E_ARG, "row %d: token %d is not in the vocabulary of %lld", i,
                        (int)row->token, (long long)c->m->c.n_vocab);
    return HEARTH_OK;
}

static hearth_status check_want(const llm_ctx *c, const llm_row *row, int i, hearth_err *err)
{
    const llm_model *m = c->m;
    int64_t layer = row->hidden_layer;
    bool pools = c->l.o.pooling != LLM_POOL_NONE;
    if ((row->want & LLM_WANT_LOGITS) && (pools || !model_has_logits(m)))
        return err_fail(err, HEARTH_E_ARG, "row %d: there is no output head here", i);
    if ((row->want & LLM_WANT_POOLED) && (!pools || !m->has_head || row->want != LLM_WANT_POOLED))
        return err_fail(err, HEARTH_E_ARG, "row %d: this context makes no vectors of texts", i);
    if (!(row->want & LLM_WANT_HIDDEN)) return HEARTH_OK;
    bool is_layer = layer >= m->layer_first && layer < m->layer_first + m->n_layer;
    if (is_layer || (layer == m->c.n_layer && m->has_head)) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "row %d: hidden state of layer %lld is not in this part", i,
                    (long long)layer);
}

// An encoder's text is read in one step, and a table of positions ends somewhere.
static hearth_status check_place(const llm_ctx *c, const llm_row *row, hearth_err *err)
{
    const llm_config *config = &c->m->c;
    if (config->is_encoder && c->cache.length[row->seq] > 0)
        return err_fail(err, HEARTH_E_STATE,
                        "sequence %d: '%s' models read a text in one step, it has been read",
                        (int)row->seq, config->arch);
    if (!config->n_pos || row->pos < config->n_pos) return HEARTH_OK;
    return err_fail(err, HEARTH_E_LIMIT, "position %d: the model knows %lld", (int)row->pos,
                    (long long)config->n_pos);
}

static hearth_status reserve_row(llm_ctx *c, const llm_row *row, int i, hearth_err *err)
{
    HEARTH_TRY(check_input(c, row, i, err));
    HEARTH_TRY(check_want(c, row, i, err));
    if (!cache_has(&c->cache, row->seq))
        return err_fail(err, HEARTH_E_ARG, "row %d: sequence %d is not in use", i, (int)row->seq);
    int64_t pos = c->cache.length[row->seq] + c->cache.pending[row->seq];
    if (row->pos != pos)
        return err_fail(err, HEARTH_E_ARG, "row %d: position %d, sequence %d goes on at %lld", i,
                        (int)row->pos, (int)row->seq, (long long)pos);
    dev_state_row state;
    HEARTH_TRY(check_place(c, row, err));
    HEARTH_TRY(cache_append(&c->cache, row->seq, &state, err));
    if (c->l.cache.n_slots) c->state_rows[i] = state;
    for (int g = 0; g < c->l.cache.n_group; g++)
        c->rows[g * c->l.o.n_batch + i] = cache_row(&c->cache, g, row->seq, pos);
    return HEARTH_OK;
}

// Each row sees its text to the end, in local layers half a window to each side.
static void look_ahead(llm_ctx *c, const llm_row *rows, int n_rows)
{
    for (int g = 0; g < c->l.cache.n_group; g++) {
        int64_t half = c->l.cache.group[g].window / 2;
        dev_attn_row *seen = c->rows + g * c->l.o.n_batch;
        for (int i = 0; i < n_rows; i++) {
            int64_t last = c->cache.pending[rows[i].seq] - 1;
            seen[i].first = half ? i64_max(rows[i].pos - half, 0) : 0;
            seen[i].last = half ? i64_min(rows[i].pos + half, last) : last;
        }
    }
}

static hearth_status reserve_rows(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err)
{
    if (n_rows < 1 || n_rows > c->l.o.n_batch)
        return err_fail(err, HEARTH_E_LIMIT, "a step of %d rows: the context takes 1..%d", n_rows,
                        c->l.o.n_batch);
    int n_results = 0;
    for (int i = 0; i < n_rows; i++) {
        bool is_same_text = i > 0 && (rows[i].want & rows[i - 1].want & LLM_WANT_POOLED) &&
                            rows[i].seq == rows[i - 1].seq;
        n_results += rows[i].want && !is_same_text;
        c->want[i] = rows[i].want;
        c->slot[i] = rows[i].want ? n_results - 1 : -1;
        HEARTH_TRY(reserve_row(c, &rows[i], i, err));
    }
    if (c->m->c.is_encoder) look_ahead(c, rows, n_rows);
    if (n_results > c->l.o.n_logits)
        return err_fail(err, HEARTH_E_LIMIT, "a step with %d results: the context keeps %d",
                        n_results, c->l.o.n_logits);
    return HEARTH_OK;
}

// --- forward -------------------------------------------------------------------------------------

// x = embedding rows of the tokens, or the rows given.
static hearth_status embed_rows(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err)
{
    const dev_ops *ops = c->run.d->ops;
    size_t row_bytes = (size_t)c->m->c.n_embd * sizeof(float);
    const dev_weight *table = NULL;
    bool is_scaled = c->m->c.embd_scale < 1 || c->m->c.embd_scale > 1;
    if (c->m->has_embedding) HEARTH_TRY(weights_acquire(c->m->w, c->m->embedding, &table, err));
    for (int i = 0; i < n_rows;) {
        dev_view to = dev_at(c->run.x, (size_t)i * row_bytes);
        int n = 0;
        while (i + n < n_rows && !rows[i + n].embd) {
            c->ids[n] = rows[i + n].token;
            n++;
        }
        if (n)
            ops->gather(c->run.d, table, c->ids, n, to);
        else
            ops->write(c->run.d, to, rows[i].embd, row_bytes);
        if (n && is_scaled) ops->scale(c->run.d, to, c->m->c.embd_scale, n, c->m->c.n_embd, to);
        i += n ? n : 1;
    }
    if (table) weights_release(c->m->w, c->m->embedding);
    return HEARTH_OK;
}

// x += row ids[i] of the table; h is free before the first layer.
static hearth_status add_looked_up(llm_ctx *c, weight_id table, int n_rows, hearth_err *err)
{
    const dev_weight *w;
    nn_run *r = &c->run;
    HEARTH_TRY(weights_acquire(c->m->w, table, &w, err));
    r->d->ops->gather(r->d, w, c->ids, n_rows, r->h);
    r->d->ops->add(r->d, r->x, r->h, n_rows * c->m->c.n_embd, r->x);
    weights_release(c->m->w, table);
    return HEARTH_OK;
}

// What an encoder adds to the embeddings of tokens before the first layer.
static hearth_status add_places(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err)
{
    const llm_model *m = c->m;
    for (int i = 0; i < n_rows; i++) c->ids[i] = rows[i].part;
    if (m->parts != WEIGHT_NONE) HEARTH_TRY(add_looked_up(c, m->parts, n_rows, err));
    for (int i = 0; i < n_rows; i++) c->ids[i] = rows[i].pos;
    if (m->positions != WEIGHT_NONE) HEARTH_TRY(add_looked_up(c, m->positions, n_rows, err));
    if (m->embd_norm.weight == WEIGHT_NONE) return HEARTH_OK;
    return nn_apply_norm(&c->run, &m->embd_norm, c->run.x, n_rows, c->run.x, err);
}

static void set_angles(llm_ctx *c, const llm_row *rows, int n_rows)
{
    for (int i = 0; i < n_rows; i++) c->ids[i] = rows[i].pos;
    const dev_rope *rope = ctx_is_long(c) ? &c->m->long_rope : &c->m->rope;
    c->run.d->ops->rope_angles(c->run.d, rope, c->ids, n_rows, c->run.angles);
    if (c->m->c.rope_base_local > 0)
        c->run.d->ops->rope_angles(c->run.d, &c->m->local_rope, c->ids, n_rows,
                                   c->run.local_angles);
}

// Rows of x that satisfy a want, side by side in `picked`; ids[] says which they are.
static int pick_rows(llm_ctx *c, const llm_row *rows, int n_rows, int64_t layer, bool with_logits)
{
    int n = 0;
    for (int i = 0; i < n_rows; i++) {
        bool hidden = (rows[i].want & LLM_WANT_HIDDEN) && rows[i].hidden_layer == layer;
        if (hidden || (with_logits && (rows[i].want & LLM_WANT_LOGITS))) c->ids[n++] = i;
    }
    dev_view to = {c->scratch, c->l.picked};
    if (n) c->run.d->ops->select(c->run.d, c->run.x, c->ids, n, c->m->c.n_embd, to);
    return n;
}

// Copies the picked rows, or their logits, of those that want them to the host.
static hearth_status read_picked(llm_ctx *c, int n, uint8_t want, const llm_row *rows,
                                 int64_t layer, hearth_err *err)
{
    bool is_hidden = want == LLM_WANT_HIDDEN;
    int64_t width = is_hidden ? c->m->c.n_embd : c->m->c.n_vocab;
    dev_view from = {c->scratch, is_hidden ? c->l.picked : c->l.logits};
    float *to = is_hidden ? c->hidden : c->logits;
    size_t bytes = (size_t)width * sizeof(float);
    for (int i = 0; i < n; i++, from.at += bytes) {
        const llm_row *row = &rows[c->ids[i]];
        if (!(row->want & want) || (is_hidden && row->hidden_layer != layer)) continue;
        float *slot = to + c->slot[c->ids[i]] * width;
        HEARTH_TRY(c->run.d->ops->read(c->run.d, from, slot, bytes, err));
    }
    return HEARTH_OK;
}

static hearth_status run_head(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err)
{
    const llm_model *m = c->m;
    dev_view picked = {c->scratch, c->l.picked}, logits = {c->scratch, c->l.logits};
    int n = pick_rows(c, rows, n_rows, m->c.n_layer, true);
    if (!n) return HEARTH_OK;
    if (m->c.has_out_norm)
        HEARTH_TRY(nn_apply_norm(&c->run, &m->out_norm, picked, n, picked, err));
    HEARTH_TRY(read_picked(c, n, LLM_WANT_HIDDEN, rows, m->c.n_layer, err));
    if (!model_has_logits(m)) return HEARTH_OK;
    HEARTH_TRY(nn_linear(&c->run, 1, &m->output, picked, n, &logits, err));
    HEARTH_TRY(nn_add_bias_to(&c->run, m->output_bias, logits, n, err));
    if (m->c.logit_scale < 1 || m->c.logit_scale > 1)
        c->run.d->ops->scale(c->run.d, logits, m->c.logit_scale, n, m->c.n_vocab, logits);
    if (m->c.logit_cap > 0)
        c->run.d->ops->soft_cap(c->run.d, logits, m->c.logit_cap, n, m->c.n_vocab, logits);
    return read_picked(c, n, LLM_WANT_LOGITS, rows, m->c.n_layer, err);
}

static nn_memory layer_memory(const llm_ctx *c, int64_t layer)
{
    int group = cache_group_of(&c->cache, layer);
    return (nn_memory){
        .cache = cache_layer(&c->cache, layer),
        .rows = group == CACHE_NO_GROUP ? NULL : c->rows + (int64_t)group * c->l.o.n_batch,
        .state = cache_state(&c->cache, layer), .state_rows = c->state_rows,
    };
}

static hearth_status forward(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err)
{
    const llm_model *m = c->m;
    c->run.n_rows = n_rows;
    HEARTH_TRY(embed_rows(c, rows, n_rows, err));
    HEARTH_TRY(add_places(c, rows, n_rows, err));
    if (m->inputs.n > 0) {
        // A row given as an embedding has no token; the first one of the vocabulary stands for it.
        for (int i = 0; i < n_rows; i++) c->ids[i] = rows[i].embd ? 0 : rows[i].token;
        HEARTH_TRY(nn_make_inputs(&c->run, &m->inputs, c->ids, err));
    }
    if (m->streams.n > 0) HEARTH_TRY(nn_split_stream(&c->run, &m->streams, err));
    set_angles(c, rows, n_rows);
    for (int64_t i = 0; i < m->n_layer; i++) {
        if (atomic_load_explicit(&c->is_canceled, memory_order_relaxed))
            return err_fail(err, HEARTH_E_CANCELED, "canceled");
        nn_memory mem = layer_memory(c, i);
        HEARTH_TRY(m->family->run_layer(&c->run, &m->layer[i], &mem, err));
        int n = pick_rows(c, rows, n_rows, m->layer_first + i, false);
        HEARTH_TRY(read_picked(c, n, LLM_WANT_HIDDEN, rows, m->layer_first + i, err));
    }
    if (m->streams.n > 0) HEARTH_TRY(nn_merge_streams(&c->run, &m->streams, err));
    if (c->l.o.pooling != LLM_POOL_NONE)
        HEARTH_TRY(pooling_run(c, rows, n_rows, err));
    else if (m->has_head)
        HEARTH_TRY(run_head(c, rows, n_rows, err));
    return c->run.d->ops->sync(c->run.d, err);
}

hearth_status llm_step(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err)
{
    c->n_rows = 0;
    hearth_status s = reserve_rows(c, rows, n_rows, err);
    if (s == HEARTH_OK) s = forward(c, rows, n_rows, err);
    if (s != HEARTH_OK) {
        cache_rollback(&c->cache);
        return s;
    }
    cache_commit(&c->cache);
    c->n_rows = n_rows;
    return HEARTH_OK;
}

const float *llm_logits(const llm_ctx *c, int i)
{
    if (i < 0 || i >= c->n_rows || !(c->want[i] & LLM_WANT_LOGITS)) return NULL;
    return c->logits + c->slot[i] * c->m->c.n_vocab;
}

const float *llm_hidden(const llm_ctx *c, int i)
{
    if (i < 0 || i >= c->n_rows || !(c->want[i] & LLM_WANT_HIDDEN)) return NULL;
    return c->hidden + c->slot[i] * c->m->c.n_embd;
}

const float *llm_pooled(const llm_ctx *c, int i)
{
    if (i < 0 || i >= c->n_rows || !(c->want[i] & LLM_WANT_POOLED)) return NULL;
    return c->hidden + c->slot[i] * llm_model_pooled_width(c->m, c->l.o.pooling);
}
