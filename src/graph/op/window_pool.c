// Pools: MaxPool (with indices), AveragePool, LpPool and their global forms; MaxUnpool.
//
// One loop over output positions and taps; a member says how a value joins and how a window ends.
#include "graph/op/window.h"

#include <math.h>

typedef enum pool_kind { P_MAX, P_AVERAGE, P_LP } pool_kind;

static hearth_status shape_pool(const op_call *c)
{
    window w;
    int64_t dim[MAX_DIMS] = {c->in[0]->dim[0], c->in[0]->dim[1]};
    HEARTH_TRY(window_init(c, NULL, &w));
    for (int d = 0; d < w.n; d++) dim[d + 2] = w.out[d];
    tensor_set(op_out(c, 0), c->in[0]->type, w.n + 2, dim);
    tensor_set(op_out(c, 1), T_I64, w.n + 2, dim);
    return HEARTH_OK;
}

static double get_item(const tensor *x, int64_t i)
{
    return x->type == T_F32 ? (double)((const float *)x->data)[i] : tensor_number(x, i);
}

static void put_item(tensor *y, int64_t i, double v)
{
    switch (y->type) { // a window that lies in the padding is -infinity, the least of a type
    case T_F32: ((float *)y->data)[i] = (float)v; break;
    case T_F64: ((double *)y->data)[i] = v; break;
    case T_U8: ((uint8_t *)y->data)[i] = (uint8_t)fmax(v, 0); break;
    case T_I8: ((int8_t *)y->data)[i] = (int8_t)fmax(v, -128); break;
    default: break;
    }
}

// Taps that fall outside count for an average when count_include_pad asks for it, but never those
// that ceil mode adds beyond the padding.
static bool in_padding(const window *w, const int64_t *o, const int64_t *k)
{
    for (int d = 0; d < w->n; d++) {
        int64_t i = o[d] * w->stride[d] + k[d] * w->dilation[d] - w->begin[d];
        if (i >= w->in[d] + w->end[d]) return false;
    }
    return true;
}

typedef struct pooled { double value; int64_t count, best; } pooled;

static pooled pool_window(const op_call *c, const window *w, int64_t base, const int64_t *o,
                          pool_kind kind)
{
    const window_params *p = c->params;
    pooled r = {kind == P_MAX ? -(double)INFINITY : 0, 0, -1};
    int64_t k[WINDOW_DIMS] = {0};
    do {
        int64_t at = window_offset(w, o, k);
        if (at < 0) {
            r.count += kind == P_AVERAGE && p->count_include_pad && in_padding(w, o, k);
            continue;
        }
        double v = get_item(c->in[0], base + at);
        r.count++;
        if (kind == P_MAX) {
            if (r.best < 0 || v > r.value || isnan(v)) r.value = v, r.best = at;
        } else {
            r.value += kind == P_LP ? pow(fabs(v), (double)p->p) : v;
        }
    } while (index_next(w->n, w->kernel, k));
    if (kind == P_AVERAGE) r.value /= (double)r.count;
    if (kind == P_LP) r.value = pow(r.value, 1 / (double)p->p);
    return r;
}

// storage_order 1 numbers the elements of a plane column by column.
static int64_t plane_index(const window *w, int64_t at, bool by_column)
{
    if (!by_column || w->n != 2 || at < 0) return at;
    return at % w->in[1] * w->in[0] + at / w->in[1];
}

static void pool_all(const op_call *c, const window *w, pool_kind kind)
{
    const tensor *x = c->in[0];
    tensor *y = op_out(c, 0), *indices = op_out(c, 1);
    bool by_column = ((const window_params *)c->params)->storage_order;
    int64_t planes = x->dim[0] * x->dim[1], at = 0;
    for (int64_t i = 0; i < planes; i++) {
        int64_t o[WINDOW_DIMS] = {0};
        do {
            pooled r = pool_window(c, w, i * w->n_in, o, kind);
            if (y) put_item(y, at, r.value);
            if (indices) {
                ((int64_t *)indices->data)[at] = i * w->n_in + plane_index(w, r.best, by_column);
            }
            at++;
        } while (index_next(w->n, w->out, o));
    }
}

static hearth_status run_pool(const op_call *c)
{
    window w;
    HEARTH_TRY(window_init(c, NULL, &w));
    pool_all(c, &w, *(const pool_kind *)c->op->aux);
    return HEARTH_OK;
}

// --- global: one window over everything ----------------------------------------------------------

static hearth_status shape_global(const op_call *c)
{
    const tensor *x = c->in[0];
    if (x->n_dims < 2) return op_fail(c, HEARTH_E_FORMAT, "%d dimensions", x->n_dims);
    int64_t dim[MAX_DIMS] = {x->dim[0], x->dim[1], 1, 1, 1, 1, 1, 1};
    if (dims_product(x->dim, 2, x->n_dims) == 0) return op_fail(c, HEARTH_E_FORMAT, "no elements");
    tensor_set(op_out(c, 0), x->type, x->n_dims, dim);
    return HEARTH_OK;
}

static hearth_status run_global(const op_call *c)
{
    const tensor *x = c->in[0];
    window w = {.n = 1, .kernel = {1}, .stride = {1}, .dilation = {1}, .out = {1}, .n_out = 1};
    w.kernel[0] = w.in[0] = w.n_in = w.n_taps = dims_product(x->dim, 2, x->n_dims);
    pool_all(c, &w, *(const pool_kind *)c->op->aux);
    return HEARTH_OK;
}

// --- MaxUnpool ----------------------------------------------------------------------------------

static hearth_status shape_unpool(const op_call *c)
{
    const tensor *x = c->in[0], *want = op_in(c, 2);
    window w;
    int64_t dim[MAX_DIMS] = {x->dim[0], x->dim[1]};
    if (x->n_dims < 3) return op_fail(c, HEARTH_E_FORMAT, "%d dimensions", x->n_dims);
    if (!tensor_same_shape(x, c->in[1])) return op_fail(c, HEARTH_E_FORMAT, "indices differ");
    if (((const window_params *)c->params)->kernel.n != x->n_dims - 2 ||
        (want && tensor_items(want) != x->n_dims)) {
        return op_fail(c, HEARTH_E_FORMAT, "kernel_shape or output_shape of another rank");
    }
    HEARTH_TRY(window_attrs(c, ((const window_params *)c->params)->kernel.v, &w));
    for (int d = 0; d < w.n; d++) {
        dim[d + 2] = (x->dim[d + 2] - 1) * w.stride[d] + w.kernel[d] - w.begin[d] - w.end[d];
    }
    for (int d = 0; want && d < x->n_dims; d++) dim[d] = tensor_int(want, d);
    tensor_set(op_out(c, 0), x->type, x->n_dims, dim);
    return HEARTH_OK;
}

static hearth_status run_unpool(const op_call *c)
{
    const tensor *x = c->in[0];
    tensor *y = c->out[0];
    const window_params *p = c->params;
    const int64_t *indices = c->in[1]->data;
    int64_t n = tensor_items(x), n_out = tensor_items(y), n_dims = x->n_dims;
    window w;
    int64_t inner[MAX_DIMS];
    HEARTH_TRY(window_attrs(c, p->kernel.v, &w));
    // Indices count in the tensor that the pool saw, which output_shape may exceed.
    for (int d = 0; d < w.n; d++) {
        inner[d + 2] = (x->dim[d + 2] - 1) * w.stride[d] + w.kernel[d] - w.begin[d] - w.end[d];
    }
    inner[0] = x->dim[0];
    inner[1] = x->dim[1];
    for (int64_t i = 0; i < n_out; i++) put_item(y, i, 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = indices[i], at = 0, step = 1;
        bool ok = rest >= 0;
        for (int64_t d = n_dims - 1; ok && d >= 0; d--) {
            int64_t k = inner[d] > 0 ? rest % inner[d] : 0;
            rest = inner[d] > 0 ? rest / inner[d] : 0;
            ok = k < y->dim[d];
            at += k * step;
            step *= y->dim[d];
        }
        if (!ok || rest) return op_fail(c, HEARTH_E_ARG, "index %lld", (long long)indices[i]);
        put_item(y, at, get_item(x, i));
    }
    return HEARTH_OK;
}

#define COUNTS                                                                        \
    {.name = "ceil_mode", .kind = OP_INT, WINDOW_AT(ceil_mode)},                      \
    {.name = "count_include_pad", .kind = OP_INT, WINDOW_AT(count_include_pad)},      \
    {.name = "storage_order", .kind = OP_INT, WINDOW_AT(storage_order)},              \
    {.name = "p", .kind = OP_INT, WINDOW_AT(p), .def = 2}
static const op_attr pool_attrs[] = {WINDOW_ATTRS, COUNTS};
enum { POOLED = TS_FLOAT | BIT(T_I8) | BIT(T_U8) };
#define ROW(name_, kind_, set, n_out_, shape_, run_)                                         \
    {.name = name_, .since = 1, .in = "T", .n_out = n_out_, .types = set, .flags = OP_WIDEN, \
     OP_ATTRS(pool_attrs, window_params), .aux = &(const pool_kind){kind_}, .shape = shape_, \
     .run = run_}
static const graph_op pool_ops[] = {
    ROW("MaxPool", P_MAX, POOLED, 2, shape_pool, run_pool),
    ROW("AveragePool", P_AVERAGE, TS_FLOAT, 1, shape_pool, run_pool),
    ROW("LpPool", P_LP, TS_FLOAT, 1, shape_pool, run_pool),
    ROW("GlobalMaxPool", P_MAX, TS_FLOAT, 1, shape_global, run_global),
    ROW("GlobalAveragePool", P_AVERAGE, TS_FLOAT, 1, shape_global, run_global),
    ROW("GlobalLpPool", P_LP, TS_FLOAT, 1, shape_global, run_global),
    {.name = "MaxUnpool", .since = 9, .in = "TLL?", .n_out = 1, .types = TS_FLOAT, .values = 4,
     .flags = OP_WIDEN, OP_ATTRS(pool_attrs, window_params), .shape = shape_unpool,
     .run = run_unpool},
};
OP_FAMILY(ops_pool, "", pool_ops);
