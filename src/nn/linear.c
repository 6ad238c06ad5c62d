// Norms and matrices: the steps of a block that need weights. See block.h.
#include "nn/block.h"

static hearth_status apply_layer_norm(const nn_run *r, const nn_norm *norm, const dev_weight *w,
                                      dev_view x, int64_t n_rows, dev_view y, hearth_err *err)
{
    const dev_weight *bias = NULL;
    bool has_bias = norm->bias != WEIGHT_NONE;
    if (has_bias) HEARTH_TRY(weights_acquire(r->w, norm->bias, &bias, err));
    r->d->ops->layer_norm(r->d, x, w, bias, norm->eps, n_rows, norm->n, y);
    if (has_bias) weights_release(r->w, norm->bias);
    return HEARTH_OK;
}

hearth_status nn_apply_norm(const nn_run *r, const nn_norm *norm, dev_view x, int64_t n_rows,
                            dev_view y, hearth_err *err)
{
    const dev_weight *w;
    hearth_status s = HEARTH_OK;
    HEARTH_TRY(weights_acquire(r->w, norm->weight, &w, err));
    if (norm->is_layer)
        s = apply_layer_norm(r, norm, w, x, n_rows, y, err);
    else
        r->d->ops->rms_norm(r->d, x, w, norm->eps, n_rows, norm->n, y);
    weights_release(r->w, norm->weight);
    return s;
}

hearth_status nn_add_bias(const nn_run *r, weight_id id, dev_view x, hearth_err *err)
{
    return nn_add_bias_to(r, id, x, r->n_rows, err);
}

hearth_status nn_add_bias_to(const nn_run *r, weight_id id, dev_view x, int64_t n_rows,
                             hearth_err *err)
{
    if (id == WEIGHT_NONE) return HEARTH_OK;
    const dev_weight *w;
    HEARTH_TRY(weights_acquire(r->w, id, &w, err));
    r->d->ops->add_bias(r->d, x, w, n_rows, w->n_in);
    weights_release(r->w, id);
    return HEARTH_OK;
}

hearth_status nn_mul_rows(const nn_run *r, weight_id id, dev_view x, int64_t n, dev_view y,
                          hearth_err *err)
{
    const dev_weight *w;
    HEARTH_TRY(weights_acquire(r->w, id, &w, err));
    r->d->ops->mul_rows(r->d, x, w, r->n_rows, n, y);
    weights_release(r->w, id);
    return HEARTH_OK;
}

// y += scale * b (a x) for each adapter in turn.
static void add_deltas(const nn_run *r, const weight_delta *t, dev_view x, int64_t n_rows,
                       dev_view y)
{
    const dev_ops *ops = r->d->ops;
    for (; t; t = t->next) {
        const dev_weight *a = &t->a, *b = &t->b;
        ops->matmul(r->d, 1, &a, x, n_rows, &r->narrow, r->scratch);
        ops->scale(r->d, r->narrow, t->scale, n_rows, a->n_out, r->narrow);
        ops->matmul(r->d, 1, &b, r->narrow, n_rows, &r->wide, r->scratch);
        ops->add(r->d, y, r->wide, n_rows * b->n_out, y);
    }
}

hearth_status nn_linear(const nn_run *r, int n, const weight_id *id, dev_view x, int64_t n_rows,
                        const dev_view *y, hearth_err *err)
{
    ASSERT(n >= 1 && n <= DEV_MATMUL_MAX);
    const dev_weight *w[DEV_MATMUL_MAX] = {NULL};
    hearth_status s = HEARTH_OK;
    int n_held = 0;
    for (; n_held < n && s == HEARTH_OK; n_held++)
        s = weights_acquire(r->w, id[n_held], &w[n_held], err);
    if (s == HEARTH_OK)
        r->d->ops->matmul(r->d, n, w, x, n_rows, y, r->scratch);
    else
        n_held--; // the last one was refused
    for (int i = 0; i < n && s == HEARTH_OK; i++)
        add_deltas(r, weights_deltas(r->w, id[i]), x, n_rows, y[i]);
    while (n_held > 0) weights_release(r->w, id[--n_held]);
    return s;
}
