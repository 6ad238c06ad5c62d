// Mixture of experts: each row goes through a few of many feed-forward blocks (Shazeer and others
// 2017).
//
//   logits = router h  [+ bias]             per row; read by the host
//   n_used experts and their weights        by falling score: ranks 0, 1 ... (route.c)
//   h = sum over ranks of weight * expert(h)  [+ sigmoid(shared_gate h) * shared(h), last]
//
// An expert is down(silu(gate h) * up h), or with biases and the clamped product of gpt-oss.
//
// Rows are sorted by expert, so that an expert's matrices are read once however many rows chose it:
//
//   slot    0 1 2 | 3 4 | 5 ..        slots of expert 0, of expert 1, ..; then one slot per row
//   row     0 2 5 | 1 2 | 0 ..        for the shared expert, in the order of the rows
//
// The sum is taken per row in the order of its ranks, not of the slots, so its bits do not depend
// on the other rows. Rejected: an expert at a time added to the result, which sums in the order of
// the experts and needs a scatter; it would save the slots' memory (n_used + 1 rows of n_embd per
// row).
#include "nn/block.h"

#include <math.h>
#include <string.h>

static int64_t terms_of(const nn_moe *m) { return m->n_used + (m->shared.gate != WEIGHT_NONE); }

// A number per expert to the host: once per layer and step, a few hundred.
static hearth_status read_each(const nn_run *r, const nn_moe *m, weight_id id, float *to,
                               hearth_err *err)
{
    const dev_weight *w;
    if (id == WEIGHT_NONE) return HEARTH_OK;
    HEARTH_TRY(weights_acquire(r->w, id, &w, err));
    hearth_status s = r->d->ops->read(r->d, w->data, to, (size_t)m->n_expert * sizeof *to, err);
    weights_release(r->w, id);
    return s;
}

// What the router looks at: the experts' input, or a norm of the residual stream of its own, which
// may stand where the experts' rows come later.
static hearth_status find_router_input(const nn_run *r, const nn_moe *m, dev_view *out,
                                       hearth_err *err)
{
    *out = r->h;
    if (m->router_norm.weight == WEIGHT_NONE) return HEARTH_OK;
    *out = r->experts;
    HEARTH_TRY(nn_apply_norm(r, &m->router_norm, r->x, r->n_rows, *out, err));
    r->d->ops->scale(r->d, *out, m->router_scale, r->n_rows, m->n_embd, *out);
    return HEARTH_OK;
}

// Logits of the router, then the gate of the shared expert, of all rows to the host.
static hearth_status read_router(const nn_run *r, const nn_moe *m, hearth_err *err)
{
    size_t bytes = (size_t)(r->n_rows * m->n_expert) * sizeof(float);
    const weight_id id[] = {m->router, m->shared_gate};
    const dev_view to[] = {r->route, dev_at(r->route, bytes)};
    dev_view in;
    int n = m->shared_gate == WEIGHT_NONE ? 1 : 2;
    HEARTH_TRY(find_router_input(r, m, &in, err));
    HEARTH_TRY(nn_linear(r, n, id, in, r->n_rows, to, err));
    if (m->has_bias) HEARTH_TRY(nn_add_bias(r, m->router_bias, r->route, err));
    if (n == 2) bytes += (size_t)r->n_rows * sizeof(float);
    HEARTH_TRY(r->d->ops->read(r->d, r->route, r->choice.logits, bytes, err));
    HEARTH_TRY(read_each(r, m, m->bias, r->choice.bias, err));
    return read_each(r, m, m->expert_scales, r->choice.each, err);
}

static void choose_for_rows(const nn_run *r, const nn_moe *m)
{
    const nn_choice *c = &r->choice;
    int64_t terms = terms_of(m);
    const float *gate = c->logits + r->n_rows * m->n_expert;
    for (int64_t i = 0; i < r->n_rows; i++) {
        const float *logits = c->logits + i * m->n_expert;
        nn_route_row(m, c, logits, c->ids + i * terms, c->weights + i * terms);
        if (terms == m->n_used) continue;
        bool is_open = m->shared_gate == WEIGHT_NONE;
        c->weights[i * terms + m->n_used] =
            is_open ? 1 : (float)(1 / (1 + exp(-(double)gate[i])));
    }
}

// Experts in ids[] become slots; first[e] .. first[e + 1] are the slots of expert e, rows[] who is
// in each.
static void sort_rows(const nn_run *r, const nn_moe *m)
{
    const nn_choice *c = &r->choice;
    int64_t terms = terms_of(m);
    memset(c->first, 0, (size_t)(m->n_expert + 2) * sizeof *c->first);
    for (int64_t i = 0; i < r->n_rows; i++)
        for (int64_t k = 0; k < m->n_used; k++) c->first[c->ids[i * terms + k] + 2]++;
    for (int64_t e = 2; e < m->n_expert + 2; e++) c->first[e] += c->first[e - 1];
    // first[e + 1] is where expert e's next row goes, and ends as where expert e + 1 begins.
    for (int64_t i = 0; i < r->n_rows; i++) {
        for (int64_t k = 0; k < m->n_used; k++) {
            int32_t slot = c->first[c->ids[i * terms + k] + 1]++;
            c->rows[slot] = (int32_t)i;
            c->ids[i * terms + k] = slot;
        }
        if (terms > m->n_used)
            c->ids[i * terms + m->n_used] = (int32_t)(r->n_rows * m->n_used + i);
    }
}

// y[i] = x times expert e's slice of weight i, for the slots of the expert; widths of a slot of x
// and of y.
static hearth_status multiply_slots(const nn_run *r, int64_t e, int n, const weight_id *id,
                                    dev_view x, int64_t n_x, const dev_view *y, int64_t n_y,
                                    hearth_err *err)
{
    int64_t first = r->choice.first[e], n_rows = r->choice.first[e + 1] - first;
    dev_weight slice[2];
    const dev_weight *w[2];
    dev_view to[2];
    ASSERT(n <= 2);
    hearth_status s = HEARTH_OK;
    int n_held = 0;
    for (; n_held < n && s == HEARTH_OK; n_held++) {
        s = weights_acquire_expert(r->w, id[n_held], e, &slice[n_held], err);
        w[n_held] = &slice[n_held];
        to[n_held] = dev_at(y[n_held], (size_t)(first * n_y) * sizeof(float));
    }
    if (s == HEARTH_OK) {
        dev_view from = dev_at(x, (size_t)(first * n_x) * sizeof(float));
        r->d->ops->matmul(r->d, n, w, from, n_rows, to, r->scratch);
    } else {
        n_held--; // the last one was refused
    }
    while (n_held > 0) weights_release(r->w, id[--n_held]);
    return s;
}

// y += expert e's vector of the weight, for the slots of the expert.
static hearth_status add_slots_bias(const nn_run *r, int64_t e, weight_id id, dev_view y,
                                    hearth_err *err)
{
    int64_t first = r->choice.first[e], n_rows = r->choice.first[e + 1] - first;
    dev_weight bias;
    HEARTH_TRY(weights_acquire_expert(r->w, id, e, &bias, err));
    dev_view at = dev_at(y, (size_t)(first * bias.n_in) * sizeof(float));
    r->d->ops->add_bias(r->d, at, &bias, n_rows, bias.n_in);
    weights_release(r->w, id);
    return HEARTH_OK;
}

static hearth_status enter_expert(const nn_run *r, const nn_moe *m, int64_t e, hearth_err *err)
{
    const weight_id in[] = {m->gate, m->up};
    const dev_view to[] = {r->gate, r->up};
    HEARTH_TRY(multiply_slots(r, e, 2, in, r->experts, m->n_embd, to, m->n_ff, err));
    if (!m->has_bias) return HEARTH_OK;
    HEARTH_TRY(add_slots_bias(r, e, m->gate_bias, r->gate, err));
    return add_slots_bias(r, e, m->up_bias, r->up, err);
}

static hearth_status leave_expert(const nn_run *r, const nn_moe *m, int64_t e, hearth_err *err)
{
    HEARTH_TRY(multiply_slots(r, e, 1, &m->down, r->gate, m->n_ff, &r->experts, m->n_embd, err));
    return m->has_bias ? add_slots_bias(r, e, m->down_bias, r->experts, err) : HEARTH_OK;
}

static hearth_status run_experts(const nn_run *r, const nn_moe *m, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    const nn_choice *c = &r->choice;
    int64_t n_slots = r->n_rows * m->n_used;
    ops->select(r->d, r->h, c->rows, n_slots, m->n_embd, r->experts);
    for (int64_t e = 0; e < m->n_expert; e++)
        if (c->first[e + 1] > c->first[e])
            HEARTH_TRY(enter_expert(r, m, e, err));
    if (m->clamp > 0)
        ops->swiglu_clamped(r->d, r->gate, r->up, m->clamp, n_slots, m->n_ff, r->gate);
    else if (m->is_gelu)
        ops->gelu_mul(r->d, r->gate, r->up, n_slots, m->n_ff, r->gate);
    else
        ops->silu_mul(r->d, r->gate, r->up, n_slots, m->n_ff, r->gate);
    for (int64_t e = 0; e < m->n_expert; e++)
        if (c->first[e + 1] > c->first[e])
            HEARTH_TRY(leave_expert(r, m, e, err));
    return HEARTH_OK;
}

static hearth_status run_shared(const nn_run *r, const nn_moe *m, hearth_err *err)
{
    if (m->shared.gate == WEIGHT_NONE) return HEARTH_OK;
    size_t at = (size_t)(r->n_rows * m->n_used * m->n_embd) * sizeof(float);
    return nn_feed_forward_to(r, &m->shared, dev_at(r->experts, at), err);
}

hearth_status nn_mixture(const nn_run *r, const nn_moe *m, hearth_err *err)
{
    HEARTH_TRY(read_router(r, m, err));
    choose_for_rows(r, m);
    sort_rows(r, m);
    HEARTH_TRY(run_experts(r, m, err));
    HEARTH_TRY(run_shared(r, m, err));
    r->d->ops->mix(r->d, r->experts, r->choice.ids, r->choice.weights, r->n_rows, terms_of(m),
                   m->n_embd, r->h);
    return HEARTH_OK;
}
