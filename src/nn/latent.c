// Multi-head latent attention (DeepSeek-V2, 2024) in its absorbed form.
//
// Keys and values of all heads are made from one vector c of d_latent numbers per position:
//   key of head h = [K_h c, r]   with r, n_rot rotated numbers that all heads share
//   value         = V_h c
// A score is q . key = (K_h^T q_plain) . c + q_rot . r, and the weighted sum of values is V_h times
// the weighted sum of c. So K_h moves to the query and V_h behind the softmax, and what is left is
// attention with one key/value head whose keys are [c, r] and whose values are c, the begin of the
// key. Rejected: making keys and values per head, which for DeepSeek-V3 is 70 times the cache.
//
//   h -> c, r                 one matrix; c = norm(c), r = rope(r); [c, r] -> cache
//   h -> (-> norm ->) q       [n_head][d_key]: plain part, then n_rot to rotate
//   q'_h = [K_h^T q_plain, rope(q_rot)]
//   att_h = softmax(scale q'_h . [c, r]) c
//   h = o [V_0 att_0, V_1 att_1 ..]
//
// Matrices per head take rows side by side, so a head's rows are copied out and back; run.own:
//
//   | flat: n_head * max(d_key, d_value) | in: max(d_plain, d_latent) | out | squeezed: n_q |
#include "nn/block.h"

static int64_t flat_floats(const nn_latent *a)
{
    return a->n_head * i64_max(a->d_plain + a->n_rot, a->d_value);
}

static int64_t in_floats(const nn_latent *a) { return i64_max(a->d_plain, a->d_latent); }
static int64_t out_floats(const nn_latent *a) { return i64_max(a->d_value, a->d_latent); }

int64_t nn_latent_floats(const nn_latent *a)
{
    return flat_floats(a) + in_floats(a) + out_floats(a) + a->q_norm.n;
}

typedef struct places { dev_view flat, in, out, squeezed; } places;

static dev_view floats_on(dev_view v, int64_t n) { return dev_at(v, (size_t)n * sizeof(float)); }

static places find_places(const nn_run *r, const nn_latent *a)
{
    places p = {.flat = r->own};
    p.in = floats_on(p.flat, r->n_rows * flat_floats(a));
    p.out = floats_on(p.in, r->n_rows * in_floats(a));
    p.squeezed = floats_on(p.out, r->n_rows * out_floats(a));
    return p;
}

// k = [norm(c), rope(r)]
static hearth_status make_keys(const nn_run *r, const nn_latent *a, const places *p,
                               hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n_c = a->d_latent, n_key = n_c + a->n_rot;
    HEARTH_TRY(nn_linear(r, 1, &a->kv, r->h, r->n_rows, &r->k, err));
    ops->copy_rows(r->d, r->k, n_key, r->n_rows, n_c, p->in, n_c);
    HEARTH_TRY(nn_apply_norm(r, &a->kv_norm, p->in, r->n_rows, p->in, err));
    ops->copy_rows(r->d, p->in, n_c, r->n_rows, n_c, r->k, n_key);
    ops->rope(r->d, a->rope, r->angles, floats_on(r->k, n_c), r->n_rows, 1, n_key);
    return HEARTH_OK;
}

// flat = the queries as the matrix makes them
static hearth_status make_queries(const nn_run *r, const nn_latent *a, const places *p,
                                  hearth_err *err)
{
    if (a->q_squeeze == WEIGHT_NONE)
        return nn_linear(r, 1, &a->q, r->h, r->n_rows, &p->flat, err);
    HEARTH_TRY(nn_linear(r, 1, &a->q_squeeze, r->h, r->n_rows, &p->squeezed, err));
    HEARTH_TRY(nn_apply_norm(r, &a->q_norm, p->squeezed, r->n_rows, p->squeezed, err));
    return nn_linear(r, 1, &a->q, p->squeezed, r->n_rows, &p->flat, err);
}

// One head's part of rows of n_head parts.
typedef struct head_rows {
    dev_view at;  // of head 0
    int64_t step; // floats from a head to the next
    int64_t n;    // floats that are taken
} head_rows;

// For each head: to = the head's matrix times from.
static hearth_status multiply_heads(const nn_run *r, const nn_latent *a, const places *p,
                                    weight_id id, const head_rows *from, const head_rows *to,
                                    hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    for (int64_t h = 0; h < a->n_head; h++) {
        dev_weight slice;
        const dev_weight *w = &slice;
        HEARTH_TRY(weights_acquire_expert(r->w, id, h, &slice, err));
        ops->copy_rows(r->d, floats_on(from->at, h * from->step), a->n_head * from->step,
                       r->n_rows, from->n, p->in, from->n);
        ops->matmul(r->d, 1, &w, p->in, r->n_rows, &p->out, r->scratch);
        ops->copy_rows(r->d, p->out, to->n, r->n_rows, to->n, floats_on(to->at, h * to->step),
                       a->n_head * to->step);
        weights_release(r->w, id);
    }
    return HEARTH_OK;
}

// q = the queries for keys of the cache
static hearth_status absorb_queries(const nn_run *r, const nn_latent *a, const places *p,
                                    hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t d_key = a->d_plain + a->n_rot, d_cached = a->d_latent + a->n_rot;
    const head_rows plain = {p->flat, d_key, a->d_plain}, to = {r->q, d_cached, a->d_latent};
    dev_view turned = floats_on(r->q, a->d_latent);
    HEARTH_TRY(multiply_heads(r, a, p, a->k_heads, &plain, &to, err));
    ops->copy_rows(r->d, floats_on(p->flat, a->d_plain), d_key, r->n_rows * a->n_head, a->n_rot,
                   turned, d_cached);
    ops->rope(r->d, a->rope, r->angles, turned, r->n_rows, a->n_head, d_cached);
    return HEARTH_OK;
}

hearth_status nn_latent_attention(const nn_run *r, const nn_latent *a, const nn_memory *mem,
                                  hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    const places p = find_places(r, a);
    ASSERT(mem->cache.values_in_keys);
    const dev_attn how = {.n_head = a->n_head, .scale = a->scale};
    const head_rows sums = {r->att, a->d_latent, a->d_latent};
    const head_rows values = {p.flat, a->d_value, a->d_value};
    HEARTH_TRY(make_keys(r, a, &p, err));
    HEARTH_TRY(make_queries(r, a, &p, err));
    HEARTH_TRY(absorb_queries(r, a, &p, err));
    ops->cache_write(r->d, &mem->cache, mem->rows, r->n_rows, r->k, r->k);
    ops->attention(r->d, &how, &mem->cache, mem->rows, r->n_rows, r->q, r->att, r->scratch);
    HEARTH_TRY(multiply_heads(r, a, &p, a->v_heads, &sums, &values, err));
    return nn_linear(r, 1, &a->o, p.flat, r->n_rows, &r->h, err);
}
