// See window.h.
#include "graph/op/window.h"

enum { EDGE_MAX = 1 << 20 }; // strides, pads, kernels: 2^40 (an input) * 2^20 is far from 2^63

static hearth_status read_ints(const op_call *c, const char *name, const op_ints *v, int n,
                               int64_t low, int64_t def, int64_t *out)
{
    if (v->given && v->n && v->n != n) {
        return op_fail(c, HEARTH_E_FORMAT, "%s of %d values, not %d", name, v->n, n);
    }
    for (int d = 0; d < n; d++) {
        out[d] = v->given && v->n ? v->v[d] : def;
        if (out[d] < low || out[d] > EDGE_MAX) {
            return op_fail(c, HEARTH_E_FORMAT, "%s of %lld", name, (long long)out[d]);
        }
    }
    return HEARTH_OK;
}

hearth_status window_attrs(const op_call *c, const int64_t *kernel, window *w)
{
    const window_params *p = c->params;
    *w = (window){.n = c->in[0]->n_dims - 2};
    int64_t pads[2 * WINDOW_DIMS];
    op_ints given = {w->n, true, kernel};
    HEARTH_TRY(read_ints(c, "kernel_shape", kernel ? &given : &p->kernel, w->n, 1, 0, w->kernel));
    HEARTH_TRY(read_ints(c, "strides", &p->strides, w->n, 1, 1, w->stride));
    HEARTH_TRY(read_ints(c, "dilations", &p->dilations, w->n, 1, 1, w->dilation));
    HEARTH_TRY(read_ints(c, "pads", &p->pads, 2 * w->n, 0, 0, pads));
    for (int d = 0; d < w->n; d++) w->begin[d] = pads[d], w->end[d] = pads[w->n + d];
    return HEARTH_OK;
}

static int64_t extent(const window *w, int d)
{
    return (w->kernel[d] - 1) * w->dilation[d] + 1;
}

static void pad_same(window *w, int d, bool upper)
{
    int64_t out = (w->in[d] + w->stride[d] - 1) / w->stride[d];
    int64_t pad = i64_max(0, (out - 1) * w->stride[d] + extent(w, d) - w->in[d]);
    w->begin[d] = upper ? pad / 2 : pad - pad / 2;
    w->end[d] = pad - w->begin[d];
}

static hearth_status set_out(const op_call *c, window *w, int d, bool ceil_mode)
{
    int64_t room = w->in[d] + w->begin[d] + w->end[d] - extent(w, d), s = w->stride[d];
    if (room < 0) {
        return op_fail(c, HEARTH_E_FORMAT, "a window of %lld over %lld", (long long)extent(w, d),
                       (long long)(w->in[d] + w->begin[d] + w->end[d]));
    }
    w->out[d] = room / s + 1;
    // A last window that starts beyond the input and its first padding would see nothing.
    if (ceil_mode && room % s && w->out[d] * s < w->in[d] + w->begin[d]) w->out[d]++;
    return HEARTH_OK;
}

hearth_status window_products(const op_call *c, window *w)
{
    w->n_in = w->n_out = w->n_taps = 1;
    for (int d = 0; d < w->n; d++) {
        bool ok = mul_ok_i64(w->n_in, w->in[d], &w->n_in) &&
                  mul_ok_i64(w->n_out, w->out[d], &w->n_out) &&
                  mul_ok_i64(w->n_taps, w->kernel[d], &w->n_taps);
        if (!ok || w->n_in > LIMIT_GRAPH_ITEMS || w->n_out > LIMIT_GRAPH_ITEMS) {
            return op_fail(c, HEARTH_E_LIMIT, "the window covers too many elements");
        }
    }
    return HEARTH_OK;
}

hearth_status window_init(const op_call *c, const int64_t *kernel, window *w)
{
    const window_params *p = c->params;
    const tensor *x = c->in[0];
    if (x->n_dims < 3) return op_fail(c, HEARTH_E_FORMAT, "%d dimensions, at least 3", x->n_dims);
    if (!kernel && p->kernel.n != x->n_dims - 2) {
        return op_fail(c, HEARTH_E_FORMAT, "kernel_shape is missing");
    }
    HEARTH_TRY(window_attrs(c, kernel, w));
    for (int d = 0; d < w->n; d++) {
        w->in[d] = x->dim[d + 2];
        if (p->auto_pad == PAD_VALID) w->begin[d] = w->end[d] = 0;
        if (p->auto_pad == PAD_SAME_UPPER || p->auto_pad == PAD_SAME_LOWER) {
            pad_same(w, d, p->auto_pad == PAD_SAME_UPPER);
        }
        HEARTH_TRY(set_out(c, w, d, p->ceil_mode));
    }
    return window_products(c, w);
}

bool index_next(int n, const int64_t *dim, int64_t *at)
{
    for (int d = n - 1; d >= 0; d--) {
        if (++at[d] < dim[d]) return true;
        at[d] = 0;
    }
    return false;
}

int64_t window_offset(const window *w, const int64_t *o, const int64_t *k)
{
    int64_t offset = 0;
    for (int d = 0; d < w->n; d++) {
        int64_t i = o[d] * w->stride[d] + k[d] * w->dilation[d] - w->begin[d];
        if (i < 0 || i >= w->in[d]) return -1;
        offset = offset * w->in[d] + i;
    }
    return offset;
}
