// Gated delta net (Yang, Kautz and Hatamizadeh 2024) as Qwen3-Next has it: attention without a
// cache of positions. Each value head has a matrix that keys write to and queries read from; what a
// key says already is taken off before its value is written, and the matrix fades.
//
//   h -> q k v | z | alpha beta        one pass over the packed input
//   q k v = silu(conv(q k v))          each channel by itself, over the last n_taps positions
//   y = delta rule(q, k, v, alpha, beta)
//   y = norm(y) * silu(z)              per head
//   h = o y
//
// The state: the last n_taps - 1 inputs of the convolution, then the matrices. In run.own, n_rows
// each: q k v | what is multiplied by it, then y | z | alpha, beta.
#include "nn/block.h"

static int64_t mixed_floats(const nn_delta *a)
{
    return 2 * a->n_head_k * a->d_k + a->n_head_v * a->d_v;
}

int64_t nn_delta_state_floats(const nn_delta *a)
{
    return (a->n_taps - 1) * mixed_floats(a) + a->n_head_v * a->d_k * a->d_v;
}

int64_t nn_delta_own_floats(const nn_delta *a)
{
    return 2 * mixed_floats(a) + a->n_head_v * a->d_v + 2 * a->n_head_v;
}

typedef struct delta_places { dev_view mixed, y, z, gates; } delta_places;

static delta_places place_parts(const nn_run *r, const nn_delta *a)
{
    size_t row = (size_t)r->n_rows * sizeof(float), mixed = row * (size_t)mixed_floats(a);
    delta_places p = {.mixed = r->own};
    p.y = dev_at(p.mixed, mixed);
    p.z = dev_at(p.y, mixed);
    p.gates = dev_at(p.z, row * (size_t)(a->n_head_v * a->d_v));
    return p;
}

// Where alpha and beta are: beside each other in one matrix per key head, or in two.
static void place_gates(const nn_run *r, const nn_delta *a, dev_view gates, dev_delta *m)
{
    int64_t group = a->n_head_v / a->n_head_k, n = a->n_head_v;
    bool is_one = a->alpha == WEIGHT_NONE;
    m->beta = gates;
    m->alpha = dev_at(gates, (size_t)(is_one ? group : r->n_rows * n) * sizeof(float));
    m->gate_row = is_one ? 2 * n : n;
    m->gate_group = is_one ? 2 * group : group;
}

static hearth_status project(const nn_run *r, const nn_delta *a, const delta_places *p,
                             const dev_delta *m, hearth_err *err)
{
    const weight_id in[] = {a->qkv, a->z, a->beta, a->alpha};
    const dev_view to[] = {p->mixed, p->z, m->beta, m->alpha};
    return nn_linear(r, a->alpha == WEIGHT_NONE ? 3 : 4, in, r->h, r->n_rows, to, err);
}

static hearth_status convolve(const nn_run *r, const nn_delta *a, const delta_places *p,
                              const nn_memory *mem, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t width = mixed_floats(a);
    const dev_weight *taps;
    HEARTH_TRY(weights_acquire(r->w, a->taps, &taps, err));
    ops->short_conv(r->d, p->mixed, taps, &mem->state, mem->state_rows, r->n_rows, width, p->mixed);
    weights_release(r->w, a->taps);
    ops->sigmoid(r->d, p->mixed, r->n_rows, width, p->y);
    ops->mul(r->d, p->mixed, p->y, r->n_rows * width, p->mixed);
    return HEARTH_OK;
}

static hearth_status apply_rule(const nn_run *r, const nn_delta *a, dev_delta *m, dev_view y,
                                const nn_memory *mem, hearth_err *err)
{
    size_t taps = (size_t)((a->n_taps - 1) * mixed_floats(a)) * sizeof(float);
    const dev_state state = {dev_at(mem->state.base, taps), mem->state.slot_stride};
    HEARTH_TRY(weights_acquire(r->w, a->a, &m->a, err));
    hearth_status s = weights_acquire(r->w, a->dt, &m->dt, err);
    if (s == HEARTH_OK) {
        r->d->ops->delta_rule(r->d, m, &state, mem->state_rows, r->n_rows, y);
        weights_release(r->w, a->dt);
    }
    weights_release(r->w, a->a);
    return s;
}

hearth_status nn_delta_net(const nn_run *r, const nn_delta *a, const nn_memory *mem,
                           hearth_err *err)
{
    const delta_places p = place_parts(r, a);
    const nn_norm norm = {.weight = a->norm, .n = a->d_v, .eps = a->eps};
    dev_delta m = {.n_head_k = a->n_head_k, .n_head_v = a->n_head_v, .d_k = a->d_k, .d_v = a->d_v,
                   .is_tiled = a->is_tiled, .qkv = p.mixed};
    place_gates(r, a, p.gates, &m);
    HEARTH_TRY(project(r, a, &p, &m, err));
    HEARTH_TRY(convolve(r, a, &p, mem, err));
    HEARTH_TRY(apply_rule(r, a, &m, p.y, mem, err));
    HEARTH_TRY(nn_apply_norm(r, &norm, p.y, r->n_rows * a->n_head_v, p.y, err));
    r->d->ops->silu_mul(r->d, p.z, p.y, r->n_rows, a->n_head_v * a->d_v, p.y);
    return nn_linear(r, 1, &a->o, p.y, r->n_rows, &r->h, err);
}
