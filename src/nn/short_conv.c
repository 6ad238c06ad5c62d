// The gated short convolution of LFM2 (Liquid AI 2025): between two gates that the input itself
// makes, each channel sees its last few values.
//
//   h -> b, c, x          one pass over the packed input
//   x = b * x
//   x = conv(x)           taps oldest first; the state is the last n_taps - 1 values of b * x
//   h = o(c * x)
#include "nn/block.h"

hearth_status nn_short_conv(const nn_run *r, const nn_conv *c, const nn_memory *mem,
                            hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = r->n_rows * c->n;
    size_t bytes = (size_t)n * sizeof(float);
    const dev_view b = r->own, gate = dev_at(b, bytes), x = dev_at(gate, bytes);
    const weight_id in[] = {c->b, c->c, c->x};
    const dev_view to[] = {b, gate, x};
    const dev_weight *taps;
    HEARTH_TRY(nn_linear(r, 3, in, r->h, r->n_rows, to, err));
    ops->mul(r->d, b, x, n, x);
    HEARTH_TRY(weights_acquire(r->w, c->taps, &taps, err));
    ops->short_conv(r->d, x, taps, &mem->state, mem->state_rows, r->n_rows, c->n, x);
    weights_release(r->w, c->taps);
    ops->mul(r->d, gate, x, n, x);
    return nn_linear(r, 1, &c->o, x, r->n_rows, &r->h, err);
}
