// Convolutions of any number of spatial dimensions: Conv and ConvTranspose.
//
// Per batch and group, the input is laid out as a matrix with one row for each (channel, tap) and
// one column for each output position, and multiplied by the filters:
//   Y[m, positions] = W[m, channels * taps] * X'[channels * taps, positions]
// A 1x1 kernel with stride 1 and no padding is such a matrix already. ConvTranspose is the same
// matrix product the other way round, its columns added to where they came from.
#include "graph/op/product.h"
#include "graph/op/window.h"

#include <string.h>

typedef struct conv_plan {
    window w;
    int64_t batch, group, c_in, c_out; // channels per group
    bool direct;                       // no rearrangement needed
} conv_plan;

static hearth_status check_bias(const op_call *c, int64_t channels)
{
    const tensor *b = op_in(c, 2);
    if (!b || (b->n_dims == 1 && b->dim[0] == channels)) return HEARTH_OK;
    return op_fail(c, HEARTH_E_FORMAT, "a bias that is no vector of %lld", (long long)channels);
}

static bool is_pointwise(const window *w)
{
    for (int d = 0; d < w->n; d++) {
        if (w->kernel[d] != 1 || w->stride[d] != 1 || w->begin[d] || w->end[d]) return false;
    }
    return true;
}

static hearth_status check_kernel(const op_call *c)
{
    const window_params *p = c->params;
    const tensor *x = c->in[0], *f = c->in[1];
    if (x->n_dims < 3 || f->n_dims != x->n_dims) {
        return op_fail(c, HEARTH_E_FORMAT, "input of %d and filter of %d dimensions", x->n_dims,
                       f->n_dims);
    }
    if (p->group < 1 || p->group > LIMIT_GRAPH_ITEMS) {
        return op_fail(c, HEARTH_E_FORMAT, "group %lld", (long long)p->group);
    }
    return HEARTH_OK;
}

static hearth_status plan_conv(const op_call *c, conv_plan *p)
{
    const tensor *x = c->in[0], *f = c->in[1];
    HEARTH_TRY(check_kernel(c));
    HEARTH_TRY(window_init(c, f->dim + 2, &p->w));
    p->group = ((const window_params *)c->params)->group;
    p->batch = x->dim[0];
    p->c_in = f->dim[1];
    p->c_out = f->dim[0] / p->group;
    p->direct = is_pointwise(&p->w);
    if (x->dim[1] / p->group != p->c_in || x->dim[1] % p->group || f->dim[0] % p->group) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld channels for filters of %lld in %lld groups",
                       (long long)x->dim[1], (long long)p->c_in, (long long)p->group);
    }
    return check_bias(c, f->dim[0]);
}

hearth_status conv_shape(const op_call *c)
{
    conv_plan p;
    int64_t dim[MAX_DIMS];
    HEARTH_TRY(plan_conv(c, &p));
    dim[0] = p.batch;
    dim[1] = c->in[1]->dim[0];
    for (int d = 0; d < p.w.n; d++) dim[d + 2] = p.w.out[d];
    tensor_set(op_out(c, 0), c->in[0]->type, p.w.n + 2, dim);
    return HEARTH_OK;
}

// Bytes of the rearranged input of one group.
static hearth_status columns_bytes(const op_call *c, int64_t rows, int64_t n, size_t *out)
{
    size_t items;
    bool ok = mul_ok((size_t)rows, (size_t)n, &items) &&
              mul_ok(items, elem_bytes(c->in[0]->type), out);
    return ok ? HEARTH_OK : op_fail(c, HEARTH_E_LIMIT, "the rearranged input is too large");
}

hearth_status conv_scratch(const op_call *c, size_t *out)
{
    conv_plan p;
    HEARTH_TRY(plan_conv(c, &p));
    if (p.direct) return HEARTH_OK;
    int64_t rows;
    if (!mul_ok_i64(p.c_in, p.w.n_taps, &rows)) return op_fail(c, HEARTH_E_LIMIT, "too large");
    return columns_bytes(c, rows, p.w.n_out, out);
}

// One row of the matrix: tap k of a plane, for every output position. The last dimension is a
// strided run of the input with zeros at its ends.
#define FILL(name, type)                                                                     \
    static void fill_##name(const window *w, const type *plane, const int64_t *k, type *to)  \
    {                                                                                        \
        int64_t o[WINDOW_DIMS] = {0};                                                        \
        int last = w->n - 1;                                                                 \
        int64_t n = w->out[last], step = w->stride[last];                                    \
        int64_t first = k[last] * w->dilation[last] - w->begin[last];                        \
        do {                                                                                 \
            int64_t row = 0;                                                                 \
            for (int d = 0; d < last && row >= 0; d++) {                                     \
                int64_t i = o[d] * w->stride[d] + k[d] * w->dilation[d] - w->begin[d];       \
                row = i < 0 || i >= w->in[d] ? -1 : row * w->in[d] + i;                      \
            }                                                                                \
            const type *from = plane + row * w->in[last];                                    \
            for (int64_t j = 0; j < n; j++) {                                                \
                int64_t i = first + j * step;                                                \
                to[j] = row < 0 || i < 0 || i >= w->in[last] ? 0 : from[i];                  \
            }                                                                                \
            to += n;                                                                         \
        } while (index_next(last, w->out, o));                                               \
    }
FILL(f32, float)
FILL(f64, double)
FILL(i32, int32_t)

static void fill_columns(const conv_plan *p, elem type, const void *x, void *columns)
{
    size_t size = elem_bytes(type);
    char *to = columns;
    for (int64_t ch = 0; ch < p->c_in; ch++) {
        int64_t k[WINDOW_DIMS] = {0};
        const void *plane = byte_at(x, ch * p->w.n_in, size);
        do {
            if (type == T_F32) {
                fill_f32(&p->w, plane, k, (float *)(void *)to);
            } else if (type == T_I32) {
                fill_i32(&p->w, plane, k, (int32_t *)(void *)to);
            } else {
                fill_f64(&p->w, plane, k, (double *)(void *)to);
            }
            to += (size_t)p->w.n_out * size;
        } while (index_next(p->w.n, p->w.kernel, k));
    }
}

// Integers wrap.
#define ADD(id, type, W)                                                           \
    case id: {                                                                     \
        type *to = (type *)y->data + i * plane, v = ((const type *)b->data)[ch];   \
        for (int64_t k = 0; k < plane; k++) to[k] = (type)((W)to[k] + (W)v);       \
        break;                                                                     \
    }
static void add_bias(const op_call *c, int64_t plane)
{
    tensor *y = c->out[0];
    const tensor *b = op_in(c, 2);
    int64_t n = b ? y->dim[0] * y->dim[1] : 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t ch = i % y->dim[1];
        switch (y->type) {
            ADD(T_F32, float, float)
            ADD(T_F64, double, double)
            ADD(T_I32, int32_t, uint32_t)
        default: break;
        }
    }
}

hearth_status conv_run(const op_call *c)
{
    conv_plan p;
    const tensor *x = c->in[0];
    HEARTH_TRY(plan_conv(c, &p));
    size_t size = elem_bytes(x->type);
    int64_t depth = p.c_in * p.w.n_taps;
    for (int64_t i = 0; i < p.batch * p.group; i++) {
        int64_t g = i % p.group;
        const void *from = byte_at(x->data, i * p.c_in * p.w.n_in, size), *columns = from;
        if (!p.direct) {
            fill_columns(&p, x->type, from, c->scratch);
            columns = c->scratch;
        }
        matrix filters = {byte_at(c->in[1]->data, g * p.c_out * depth, size), depth, 1};
        op_multiply(x->type, filters, (matrix){columns, p.w.n_out, 1},
                    byte_at(c->out[0]->data, i * p.c_out * p.w.n_out, size), p.c_out, p.w.n_out,
                    depth);
    }
    add_bias(c, p.w.n_out);
    return HEARTH_OK;
}

// --- ConvTranspose ------------------------------------------------------------------------------

// `w` describes the convolution whose gradient this is: w.in is the output here, w.out the input.
static hearth_status transposed_dim(const op_call *c, conv_plan *p, int d)
{
    const window_params *a = c->params;
    window *w = &p->w;
    int64_t extra = a->output_padding.given ? a->output_padding.v[d] : 0;
    int64_t full = (w->out[d] - 1) * w->stride[d] + extra + (w->kernel[d] - 1) * w->dilation[d] + 1;
    bool is_same = a->auto_pad == PAD_SAME_UPPER || a->auto_pad == PAD_SAME_LOWER;
    if (extra < 0 || extra > 1 << 20) return op_fail(c, HEARTH_E_FORMAT, "output_padding");
    if (a->output_shape.given || is_same) {
        int64_t want = a->output_shape.given
                           ? a->output_shape.v[a->output_shape.n - w->n + d]
                           : w->out[d] * w->stride[d];
        if (want < 0 || want > LIMIT_GRAPH_ITEMS) {
            return op_fail(c, HEARTH_E_FORMAT, "output_shape of %lld", (long long)want);
        }
        int64_t total = i64_max(0, full - want);
        w->begin[d] = a->auto_pad == PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->in[d] = want;
    } else {
        w->in[d] = full - w->begin[d] - w->end[d];
    }
    return w->in[d] > 0 ? HEARTH_OK : op_fail(c, HEARTH_E_FORMAT, "no output is left");
}

static hearth_status plan_transposed(const op_call *c, conv_plan *p)
{
    const window_params *a = c->params;
    const tensor *x = c->in[0], *f = c->in[1];
    HEARTH_TRY(check_kernel(c));
    bool bad = (a->output_padding.given && a->output_padding.n != x->n_dims - 2) ||
               (a->output_shape.given && a->output_shape.n < x->n_dims - 2);
    if (bad) return op_fail(c, HEARTH_E_FORMAT, "output_padding or output_shape of another rank");
    HEARTH_TRY(window_attrs(c, f->dim + 2, &p->w));
    p->group = a->group;
    p->batch = x->dim[0];
    p->c_in = x->dim[1] / a->group;
    p->c_out = f->dim[1];
    if (x->dim[1] != f->dim[0] || x->dim[1] % a->group) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld channels for %lld filters in %lld groups",
                       (long long)x->dim[1], (long long)f->dim[0], (long long)a->group);
    }
    for (int d = 0; d < p->w.n; d++) {
        p->w.out[d] = x->dim[d + 2];
        HEARTH_TRY(transposed_dim(c, p, d));
    }
    HEARTH_TRY(window_products(c, &p->w));
    return check_bias(c, p->c_out * a->group);
}

static hearth_status shape_transposed(const op_call *c)
{
    conv_plan p;
    int64_t dim[MAX_DIMS];
    HEARTH_TRY(plan_transposed(c, &p));
    dim[0] = p.batch;
    dim[1] = p.c_out * p.group;
    for (int d = 0; d < p.w.n; d++) dim[d + 2] = p.w.in[d];
    tensor_set(op_out(c, 0), c->in[0]->type, p.w.n + 2, dim);
    return HEARTH_OK;
}

static hearth_status scratch_transposed(const op_call *c, size_t *out)
{
    conv_plan p;
    HEARTH_TRY(plan_transposed(c, &p));
    int64_t rows;
    if (!mul_ok_i64(p.c_out, p.w.n_taps, &rows)) return op_fail(c, HEARTH_E_LIMIT, "too large");
    return columns_bytes(c, rows, p.w.n_out, out);
}

// Adds each column back to where the forward convolution would have read it.
#define SCATTER(name, type)                                                                   \
    static void scatter_##name(const conv_plan *p, const type *columns, type *y)              \
    {                                                                                         \
        for (int64_t ch = 0; ch < p->c_out; ch++, y += p->w.n_in) {                           \
            int64_t k[WINDOW_DIMS] = {0};                                                     \
            do {                                                                              \
                int64_t o[WINDOW_DIMS] = {0};                                                 \
                do {                                                                          \
                    int64_t at = window_offset(&p->w, o, k);                                  \
                    if (at >= 0) y[at] += *columns;                                           \
                    columns++;                                                                \
                } while (index_next(p->w.n, p->w.out, o));                                    \
            } while (index_next(p->w.n, p->w.kernel, k));                                     \
        }                                                                                     \
    }
SCATTER(f32, float)
SCATTER(f64, double)

static hearth_status run_transposed(const op_call *c)
{
    conv_plan p;
    const tensor *x = c->in[0];
    tensor *y = c->out[0];
    HEARTH_TRY(plan_transposed(c, &p));
    size_t size = elem_bytes(x->type);
    int64_t rows = p.c_out * p.w.n_taps;
    memset(y->data, 0, (size_t)tensor_items(y) * size);
    for (int64_t i = 0; p.w.n_out > 0 && i < p.batch * p.group; i++) {
        int64_t g = i % p.group;
        void *to = byte_at(y->data, i * p.c_out * p.w.n_in, size);
        matrix filters = {byte_at(c->in[1]->data, g * p.c_in * rows, size), 1, rows};
        matrix input = {byte_at(x->data, i * p.c_in * p.w.n_out, size), p.w.n_out, 1};
        op_multiply(x->type, filters, input, c->scratch, rows, p.w.n_out, p.c_in);
        if (x->type == T_F32) {
            scatter_f32(&p, c->scratch, to);
        } else {
            scatter_f64(&p, c->scratch, to);
        }
    }
    add_bias(c, p.w.n_in);
    return HEARTH_OK;
}

static const op_attr conv_attrs[] = {
    WINDOW_ATTRS, {.name = "group", .kind = OP_INT, WINDOW_AT(group), .def = 1}};
static const op_attr transposed_attrs[] = {
    WINDOW_ATTRS, {.name = "group", .kind = OP_INT, WINDOW_AT(group), .def = 1},
    {.name = "output_padding", .kind = OP_INTS, WINDOW_AT(output_padding)},
    {.name = "output_shape", .kind = OP_INTS, WINDOW_AT(output_shape)},
};
static const graph_op conv_ops[] = {
    {.name = "Conv", .since = 1, .in = "TTT?", .n_out = 1, .types = TS_FLOAT, .flags = OP_WIDEN,
     OP_ATTRS(conv_attrs, window_params), .shape = conv_shape, .plan = conv_scratch,
     .run = conv_run},
    {.name = "ConvTranspose", .since = 1, .in = "TTT?", .n_out = 1, .types = TS_FLOAT,
     .flags = OP_WIDEN, OP_ATTRS(transposed_attrs, window_params), .shape = shape_transposed,
     .plan = scratch_transposed, .run = run_transposed},
};
OP_FAMILY(ops_conv, "", conv_ops);
