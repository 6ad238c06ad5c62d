// Grouped-query attention with rotary positions over the paged cache.
//
//   h -> q, k, v          one pass over the packed input
//   q, k, v += bias       where the family has it
//   q, k, v = norm        per head or over all, where the family has it, before the rotation
//   q, k = rope           but in layers without positions
//   q = temperature of its position * q, where the family has it
//   k, v -> cache
//   att = softmax(scale q K) V, with a sink per head where the family has it
//   att *= sigmoid(gate)  where the family has it
//   h = o att             plus a bias where the family has it
//
// A gate comes out of the matrix of q, head by head, and waits in run.own: both, then the gates.
#include "nn/block.h"

#include <math.h>

static hearth_status norm_heads(const nn_run *r, const nn_attn *a, weight_id id, int64_t n_head,
                                dev_view x, hearth_err *err)
{
    if (id == WEIGHT_NONE) return HEARTH_OK;
    if (a->norms_all) {
        nn_norm all = {.weight = id, .n = n_head * a->d_k, .eps = a->norm_eps};
        return nn_apply_norm(r, &all, x, r->n_rows, x, err);
    }
    nn_norm norm = {.weight = id, .n = a->d_k, .eps = a->norm_eps};
    return nn_apply_norm(r, &norm, x, r->n_rows * n_head, x, err);
}

// Neighbours nearly always share their factor, so this is one call or none.
static void heat_queries(const nn_run *r, const nn_attn *a, const dev_attn_row *rows)
{
    int64_t width = a->n_head * a->d_k;
    for (int64_t i = 0, n; i < r->n_rows; i += n) {
        int64_t step = rows[i].pos / a->heat_length;
        for (n = 1; i + n < r->n_rows && rows[i + n].pos / a->heat_length == step; n++) {}
        if (step == 0) continue;
        dev_view q = dev_at(r->q, (size_t)(i * width) * sizeof(float));
        float factor = (float)(1 + (double)a->heat * log(1 + (double)step));
        r->d->ops->scale(r->d, q, factor, n, width, q);
    }
}

// att = softmax(scale q K) V
static hearth_status attend(const nn_run *r, const nn_attn *a, const nn_memory *mem,
                            hearth_err *err)
{
    dev_attn how = {.n_head = a->n_head, .scale = a->scale, .cap = a->cap};
    if (a->sinks != WEIGHT_NONE) HEARTH_TRY(weights_acquire(r->w, a->sinks, &how.sinks, err));
    r->d->ops->attention(r->d, &how, &mem->cache, mem->rows, r->n_rows, r->q, r->att,
                         r->scratch);
    if (how.sinks) weights_release(r->w, a->sinks);
    return HEARTH_OK;
}

static dev_view gates_of(const nn_run *r, const nn_attn *a)
{
    return dev_at(r->own, (size_t)(r->n_rows * a->n_head * 2 * a->d_k) * sizeof(float));
}

static void split_gates(const nn_run *r, const nn_attn *a)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = a->d_k, heads = r->n_rows * a->n_head;
    dev_view second = dev_at(r->own, (size_t)n * sizeof(float));
    ops->copy_rows(r->d, r->own, 2 * n, heads, n, r->q, n);
    ops->copy_rows(r->d, second, 2 * n, heads, n, gates_of(r, a), n);
}

static void close_gates(const nn_run *r, const nn_attn *a)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = a->n_head * a->d_v;
    dev_view gates = gates_of(r, a);
    ops->sigmoid(r->d, gates, r->n_rows, n, gates);
    ops->mul(r->d, r->att, gates, r->n_rows * n, r->att);
}

hearth_status nn_attention(const nn_run *r, const nn_attn *a, const nn_memory *mem,
                           hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    const dev_view angles = a->is_local ? r->local_angles : r->angles;
    const weight_id qkv[] = {a->q, a->k, a->v};
    const dev_view to[] = {a->is_gated ? r->own : r->q, r->k, r->v};
    bool has_keys = a->k != WEIGHT_NONE;
    int n = !has_keys ? 1 : a->v == WEIGHT_NONE ? 2 : 3;
    HEARTH_TRY(nn_linear(r, n, qkv, r->h, r->n_rows, to, err));
    size_t kv_bytes = (size_t)(r->n_rows * a->n_head_kv * a->d_k) * sizeof(float);
    if (n == 2) ops->copy(r->d, r->v, r->k, kv_bytes);
    if (a->is_gated) split_gates(r, a);
    HEARTH_TRY(nn_add_bias(r, a->q_bias, r->q, err));
    HEARTH_TRY(nn_add_bias(r, a->k_bias, r->k, err));
    HEARTH_TRY(nn_add_bias(r, a->v_bias, r->v, err));
    HEARTH_TRY(norm_heads(r, a, a->q_norm, a->n_head, r->q, err));
    HEARTH_TRY(norm_heads(r, a, a->k_norm, a->n_head_kv, r->k, err));
    HEARTH_TRY(norm_heads(r, a, a->v_norm, a->n_head_kv, r->v, err));
    if (a->rope) {
        ops->rope(r->d, a->rope, angles, r->q, r->n_rows, a->n_head, a->d_k);
        if (has_keys) ops->rope(r->d, a->rope, angles, r->k, r->n_rows, a->n_head_kv, a->d_k);
    }
    if (a->heat > 0) heat_queries(r, a, mem->rows);
    if (has_keys) ops->cache_write(r->d, &mem->cache, mem->rows, r->n_rows, r->k, r->v);
    HEARTH_TRY(attend(r, a, mem, err));
    if (a->is_gated) close_gates(r, a);
    HEARTH_TRY(nn_linear(r, 1, &a->o, r->att, r->n_rows, &r->h, err));
    return nn_add_bias(r, a->o_bias, r->h, err);
}
