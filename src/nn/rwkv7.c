// The two mixings of RWKV-7 (Peng and others 2025): over time, with a matrix per head that each
// position fades, corrects and adds to, and over channels.
//
//   time     h -> xr, xw, xk, xv, xa, xg      each between h and the row before it
//            r, k, v = R xr, K xk, V xv
//            w = w0 + W2 tanh(W1 xw)          how much of the state fades
//            a = a0 + A2 A1 xa                how much of the old value at a key is taken out
//            g = G2 sigmoid(G1 xg)
//            v = v + (v_first - v) sigmoid(v0 + V2 V1 xv)    layers but the first, whose v it is
//            h = O rwkv7(r, w, k, v, a, g)    dev.h, kern/kern.h
//   channel  h -> xk;  h = V relu(K xk)^2
//
// State per sequence: the last h of time [n], the last h of channel [n], the matrices.
// run.own per row: v_first | six x | r w k v a g | the narrow middle of a pair like W2, W1.
#include "nn/block.h"

enum { R, W, K, V, A, G, KINDS };

typedef struct own_views { dev_view v_first, x[KINDS], y[KINDS], narrow; } own_views;

int64_t nn_rwkv7_own_floats(int64_t n, int64_t rank) { return (1 + 2 * KINDS) * n + rank; }
int64_t nn_rwkv7_state_floats(int64_t n, int64_t d_head) { return n * (2 + d_head); }

static own_views divide_own(const nn_run *r, int64_t n)
{
    size_t bytes = (size_t)(r->n_rows * n) * sizeof(float);
    own_views o = {.v_first = r->own, .narrow = dev_at(r->own, (1 + 2 * KINDS) * bytes)};
    for (size_t i = 0; i < KINDS; i++) {
        o.x[i] = dev_at(r->own, (1 + i) * bytes);
        o.y[i] = dev_at(r->own, (1 + KINDS + i) * bytes);
    }
    return o;
}

static dev_state state_at(const nn_memory *mem, int64_t floats)
{
    return (dev_state){dev_at(mem->state.base, (size_t)floats * sizeof(float)),
                       mem->state.slot_stride};
}

static hearth_status shift(const nn_run *r, const nn_memory *mem, weight_id mix, int64_t at,
                           int64_t n, int n_y, const dev_view *y, hearth_err *err)
{
    const dev_weight *w;
    const dev_state state = state_at(mem, at);
    HEARTH_TRY(weights_acquire(r->w, mix, &w, err));
    r->d->ops->token_shift(r->d, r->h, w, &state, mem->state_rows, r->n_rows, n, n_y, y);
    weights_release(r->w, mix);
    return HEARTH_OK;
}

typedef enum narrow_act { ACT_NONE, ACT_TANH, ACT_SIGMOID } narrow_act;

// y = base + wide act(narrow x)
static hearth_status run_pair(const nn_run *r, const nn_pair *p, narrow_act act, dev_view x,
                              dev_view middle, dev_view y, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    HEARTH_TRY(nn_linear(r, 1, &p->narrow, x, r->n_rows, &middle, err));
    if (act == ACT_TANH) ops->soft_cap(r->d, middle, 1, r->n_rows, p->rank, middle);
    if (act == ACT_SIGMOID) ops->sigmoid(r->d, middle, r->n_rows, p->rank, middle);
    HEARTH_TRY(nn_linear(r, 1, &p->wide, middle, r->n_rows, &y, err));
    return nn_add_bias(r, p->base, y, err);
}

// The first layer's values are kept; the others' move towards them.
static hearth_status mix_values(const nn_run *r, const nn_rwkv7 *t, const own_views *o,
                                hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = r->n_rows * t->n;
    if (t->v_mix.wide == WEIGHT_NONE) {
        ops->copy(r->d, o->v_first, o->y[V], (size_t)n * sizeof(float));
        return HEARTH_OK;
    }
    const dev_view share = o->x[R]; // no longer needed
    HEARTH_TRY(run_pair(r, &t->v_mix, ACT_NONE, o->x[V], o->narrow, share, err));
    ops->sigmoid(r->d, share, r->n_rows, t->n, share);
    ops->lerp(r->d, o->y[V], o->v_first, share, n, o->y[V]);
    return HEARTH_OK;
}

static hearth_status run_heads(const nn_run *r, const nn_rwkv7 *t, const own_views *o,
                               const nn_memory *mem, dev_view y, hearth_err *err)
{
    const weight_id ids[] = {t->k_k, t->k_a, t->r_k, t->norm.weight, t->norm.bias};
    const dev_weight *w[COUNTOF(ids)];
    const dev_state state = state_at(mem, 2 * t->n);
    for (size_t i = 0; i < COUNTOF(ids); i++) {
        hearth_status s = weights_acquire(r->w, ids[i], &w[i], err);
        if (s == HEARTH_OK) continue;
        while (i > 0) weights_release(r->w, ids[--i]);
        return s;
    }
    const dev_rwkv7 m = {
        .n_head = t->n / t->d_head, .d_head = t->d_head,
        .r = o->y[R], .w = o->y[W], .k = o->y[K], .v = o->y[V], .a = o->y[A], .g = o->y[G],
        .k_k = w[0], .k_a = w[1], .r_k = w[2], .norm = w[3], .norm_bias = w[4],
        .eps = t->norm.eps,
    };
    r->d->ops->rwkv7(r->d, &m, &state, mem->state_rows, r->n_rows, y);
    for (size_t i = 0; i < COUNTOF(ids); i++) weights_release(r->w, ids[i]);
    return HEARTH_OK;
}

hearth_status nn_time_mixing(const nn_run *r, const nn_rwkv7 *t, const nn_memory *mem,
                             hearth_err *err)
{
    const own_views o = divide_own(r, t->n);
    HEARTH_TRY(shift(r, mem, t->mix, 0, t->n, KINDS, o.x, err));
    HEARTH_TRY(nn_linear(r, 1, &t->r, o.x[R], r->n_rows, &o.y[R], err));
    HEARTH_TRY(nn_linear(r, 1, &t->k, o.x[K], r->n_rows, &o.y[K], err));
    HEARTH_TRY(nn_linear(r, 1, &t->v, o.x[V], r->n_rows, &o.y[V], err));
    HEARTH_TRY(run_pair(r, &t->w, ACT_TANH, o.x[W], o.narrow, o.y[W], err));
    HEARTH_TRY(run_pair(r, &t->a, ACT_NONE, o.x[A], o.narrow, o.y[A], err));
    HEARTH_TRY(run_pair(r, &t->g, ACT_SIGMOID, o.x[G], o.narrow, o.y[G], err));
    HEARTH_TRY(mix_values(r, t, &o, err));
    HEARTH_TRY(run_heads(r, t, &o, mem, o.x[W], err));
    return nn_linear(r, 1, &t->o, o.x[W], r->n_rows, &r->h, err);
}

hearth_status nn_channel_mixing(const nn_run *r, const nn_rwkv7 *t, const nn_memory *mem,
                                hearth_err *err)
{
    const own_views o = divide_own(r, t->n);
    HEARTH_TRY(shift(r, mem, t->channel_mix, t->n, t->n, 1, &o.x[K], err));
    HEARTH_TRY(nn_linear(r, 1, &t->channel_key, o.x[K], r->n_rows, &r->up, err));
    r->d->ops->relu_sqr(r->d, r->up, r->n_rows, t->n_ff, r->up);
    return nn_linear(r, 1, &t->channel_value, r->up, r->n_rows, &r->h, err);
}
