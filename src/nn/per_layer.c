// Inputs per layer (Gemma 3n, 2025): each layer adds, beside its blocks, something that depends on
// the token itself and on its embedding x0, the same for the whole step.
//
//   once    P = (embedding[token] * sqrt(n) + norm(proj x0 / sqrt(n_embd))) / sqrt(2)
//           of n_layer parts of n numbers, each with a norm of its own
//   layer   x += post(proj(gelu(gate x) * P[layer])), in gemma3n of another y than x
//
// P stays in run.own through all layers:
//
//   | P: n_layer * n | scratch: n_layer * n once, two times n per layer |
#include "nn/block.h"

#include <math.h>

int64_t nn_input_floats(int64_t n_layer, int64_t n)
{
    return n_layer * n + i64_max(n_layer, 2) * n;
}

static dev_view scratch_of(const nn_run *r, int64_t n_layer, int64_t n)
{
    return dev_at(r->own, (size_t)(r->n_rows * n_layer * n) * sizeof(float));
}

hearth_status nn_make_inputs(const nn_run *r, const nn_inputs *p, const int32_t *tokens,
                             hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n_all = p->n_layer * p->n;
    dev_view projected = scratch_of(r, p->n_layer, p->n);
    const dev_weight *table;
    HEARTH_TRY(weights_acquire(r->w, p->embedding, &table, err));
    ops->gather(r->d, table, tokens, r->n_rows, r->own);
    weights_release(r->w, p->embedding);
    ops->scale(r->d, r->own, sqrtf((float)p->n), r->n_rows, n_all, r->own);
    HEARTH_TRY(nn_linear(r, 1, &p->proj, r->x, r->n_rows, &projected, err));
    ops->scale(r->d, projected, 1 / sqrtf((float)p->n_embd), r->n_rows, n_all, projected);
    HEARTH_TRY(nn_apply_norm(r, &p->norm, projected, r->n_rows * p->n_layer, projected, err));
    ops->add(r->d, r->own, projected, r->n_rows * n_all, r->own);
    ops->scale(r->d, r->own, sqrtf(0.5f), r->n_rows, n_all, r->own);
    return HEARTH_OK;
}

hearth_status nn_apply_input(const nn_run *r, const nn_input *p, dev_view y, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    dev_view gate = scratch_of(r, p->n_layer, p->n);
    dev_view part = dev_at(gate, (size_t)(r->n_rows * p->n) * sizeof(float));
    dev_view input = dev_at(r->own, (size_t)(p->layer * p->n) * sizeof(float));
    HEARTH_TRY(nn_linear(r, 1, &p->gate, y, r->n_rows, &gate, err));
    ops->copy_rows(r->d, input, p->n_layer * p->n, r->n_rows, p->n, part, p->n);
    ops->gelu_mul(r->d, gate, part, r->n_rows, p->n, gate);
    HEARTH_TRY(nn_linear(r, 1, &p->proj, gate, r->n_rows, &r->h, err));
    return nn_apply_norm(r, &p->post, r->h, r->n_rows, r->h, err);
}

hearth_status nn_add_input(const nn_run *r, const nn_input *p, hearth_err *err)
{
    HEARTH_TRY(nn_apply_input(r, p, r->x, err));
    r->d->ops->add(r->d, r->x, r->h, r->n_rows * p->post.n, r->x);
    return HEARTH_OK;
}
