// Gated feed-forward block (Shazeer 2020): h = down(act(gate h) * up h), act being silu (SwiGLU) or
// gelu (GeGLU), in its tanh form or exactly, as the network was trained. A plain one has no gate:
// h = down(gelu(up h + b)) + c.
#include "nn/block.h"

static hearth_status run_plain(const nn_run *r, const nn_ffn *f, dev_view y, hearth_err *err)
{
    HEARTH_TRY(nn_linear(r, 1, &f->up, r->h, r->n_rows, &r->up, err));
    HEARTH_TRY(nn_add_bias(r, f->up_bias, r->up, err));
    if (f->is_exact)
        r->d->ops->gelu_erf(r->d, r->up, r->n_rows, f->n_ff, r->up);
    else
        r->d->ops->gelu(r->d, r->up, r->n_rows, f->n_ff, r->up);
    HEARTH_TRY(nn_linear(r, 1, &f->down, r->up, r->n_rows, &y, err));
    return nn_add_bias(r, f->down_bias, y, err);
}

hearth_status nn_feed_forward_to(const nn_run *r, const nn_ffn *f, dev_view y, hearth_err *err)
{
    if (f->is_plain) return run_plain(r, f, y, err);
    const weight_id in[] = {f->gate, f->up};
    const dev_view to[] = {r->gate, r->up};
    HEARTH_TRY(nn_linear(r, 2, in, r->h, r->n_rows, to, err));
    if (f->is_sparse)
        r->d->ops->relu_above(r->d, r->gate, f->sigmas, r->n_rows, f->n_ff, r->gate);
    if (f->is_gelu && f->is_exact)
        r->d->ops->gelu_erf_mul(r->d, r->gate, r->up, r->n_rows, f->n_ff, r->gate);
    else if (f->is_gelu)
        r->d->ops->gelu_mul(r->d, r->gate, r->up, r->n_rows, f->n_ff, r->gate);
    else
        r->d->ops->silu_mul(r->d, r->gate, r->up, r->n_rows, f->n_ff, r->gate);
    return nn_linear(r, 1, &f->down, r->gate, r->n_rows, &y, err);
}

hearth_status nn_feed_forward(const nn_run *r, const nn_ffn *f, hearth_err *err)
{
    return nn_feed_forward_to(r, f, r->h, err);
}
