// Reductions over axes, arg-reductions, cumulative sums, and Softmax's family.
//
// Sums run in double (floats) or in 64 bits (integers), elements in memory order, so results depend
// on nothing but the input. A reduction is a walk over the kept dimensions with, for each of their
// positions, a walk over the reduced ones.
#include "graph/op/op.h"

#include <math.h>

typedef enum reduce_kind {
    R_SUM, R_MEAN, R_PROD, R_MAX, R_MIN, R_L1, R_L2, R_SUM_SQUARE, R_LOG_SUM, R_LOG_SUM_EXP
} reduce_kind;
typedef struct reduce_params { op_ints axes; int64_t keep, noop_empty; } reduce_params;

// Which axes go, from attribute or input; none given means all, or none with noop_with_empty_axes.
static hearth_status reduced_axes(const op_call *c, bool *gone, bool *is_noop)
{
    const reduce_params *p = c->params;
    const tensor *x = c->in[0], *t = op_in(c, 1);
    int64_t n = t ? tensor_items(t) : p->axes.n, axes[MAX_DIMS];
    if (n > x->n_dims) return op_fail(c, HEARTH_E_FORMAT, "more axes than dimensions");
    for (int64_t i = 0; i < n; i++) axes[i] = t ? tensor_int(t, i) : p->axes.v[i];
    HEARTH_TRY(op_axes(c, axes, n, x->n_dims, gone));
    *is_noop = n == 0 && p->noop_empty;
    for (int d = 0; n == 0 && d < x->n_dims; d++) gone[d] = !*is_noop;
    return HEARTH_OK;
}

static hearth_status shape_reduce(const op_call *c)
{
    const reduce_params *p = c->params;
    const tensor *x = c->in[0];
    bool gone[MAX_DIMS], is_noop;
    int64_t dim[MAX_DIMS];
    int n = 0;
    HEARTH_TRY(reduced_axes(c, gone, &is_noop));
    for (int d = 0; d < x->n_dims; d++) {
        if (!gone[d]) dim[n++] = x->dim[d];
        if (gone[d] && p->keep) dim[n++] = 1;
    }
    tensor_set(op_out(c, 0), x->type, n, dim);
    return HEARTH_OK;
}

// The two walks of a reduction.
typedef struct reduce_plan {
    int n_kept, n_gone;
    int64_t kept[MAX_DIMS], gone[MAX_DIMS];
    int64_t kept_stride[1][MAX_DIMS], gone_stride[1][MAX_DIMS];
    int64_t n; // elements that make one result
} reduce_plan;

static void plan_reduce(const tensor *x, const bool *gone, reduce_plan *r)
{
    int64_t stride[MAX_DIMS];
    strides_of(x, stride);
    r->n_kept = r->n_gone = 0;
    r->n = 1;
    for (int d = 0; d < x->n_dims; d++) {
        if (gone[d]) {
            r->gone[r->n_gone] = x->dim[d];
            r->gone_stride[0][r->n_gone++] = stride[d];
            r->n *= x->dim[d];
        } else {
            r->kept[r->n_kept] = x->dim[d];
            r->kept_stride[0][r->n_kept++] = stride[d];
        }
    }
}

static void begin_kept(const reduce_plan *r, walk *w)
{
    walk_init(w, r->n_kept, r->kept, 1, (const int64_t(*)[MAX_DIMS])r->kept_stride);
}

static void begin_gone(const reduce_plan *r, walk *w)
{
    walk_init(w, r->n_gone, r->gone, 1, (const int64_t(*)[MAX_DIMS])r->gone_stride);
}

static double start_value(reduce_kind kind)
{
    switch (kind) {
    case R_PROD: return 1;
    case R_MAX: return -(double)INFINITY;
    case R_MIN: return (double)INFINITY;
    default: return 0;
    }
}

static double step_value(reduce_kind kind, double acc, double v)
{
    switch (kind) {
    case R_PROD: return acc * v;
    case R_MAX: return isnan(v) || v > acc ? v : acc;
    case R_MIN: return isnan(v) || v < acc ? v : acc;
    case R_L1: return acc + fabs(v);
    case R_L2:
    case R_SUM_SQUARE: return acc + v * v;
    default: return acc + v;
    }
}

static double end_value(reduce_kind kind, double acc, int64_t n)
{
    switch (kind) {
    case R_MEAN: return acc / (double)n;
    case R_L2: return sqrt(acc);
    case R_LOG_SUM: return log(acc);
    default: return acc;
    }
}

// log(sum(exp(v))) with the largest value taken out, so that nothing overflows.
static double log_sum_exp(const tensor *x, const reduce_plan *r, int64_t base)
{
    double top = -(double)INFINITY, sum = 0;
    walk w;
    for (begin_gone(r, &w); !w.done; walk_next(&w)) {
        for (int64_t i = 0; i < w.row; i++) {
            top = fmax(top, tensor_number(x, base + w.offset[0] + i * w.row_stride[0]));
        }
    }
    if (isinf(top)) return top;
    for (begin_gone(r, &w); !w.done; walk_next(&w)) {
        for (int64_t i = 0; i < w.row; i++) {
            sum += exp(tensor_number(x, base + w.offset[0] + i * w.row_stride[0]) - top);
        }
    }
    return log(sum) + top;
}

static double reduce_float(const tensor *x, const reduce_plan *r, int64_t base, reduce_kind kind)
{
    double acc = start_value(kind);
    walk w;
    if (kind == R_LOG_SUM_EXP) return log_sum_exp(x, r, base);
    for (begin_gone(r, &w); !w.done; walk_next(&w)) {
        if (x->type == T_F32) {
            const float *v = (const float *)x->data + base + w.offset[0];
            for (int64_t i = 0; i < w.row; i++) {
                acc = step_value(kind, acc, (double)v[i * w.row_stride[0]]);
            }
            continue;
        }
        for (int64_t i = 0; i < w.row; i++) {
            acc = step_value(kind, acc,
                             tensor_number(x, base + w.offset[0] + i * w.row_stride[0]));
        }
    }
    return end_value(kind, acc, r->n);
}

// Integers that a double might not hold: sums wrap, extremes compare in their own type.
#define REDUCE_INT(name, type, least, most)                                                 \
    static uint64_t reduce_##name(const tensor *x, const reduce_plan *r, int64_t base,      \
                                  reduce_kind kind)                                         \
    {                                                                                       \
        type low = most, high = least;                                                      \
        uint64_t sum = 0, product = 1;                                                      \
        walk w;                                                                             \
        for (begin_gone(r, &w); !w.done; walk_next(&w)) {                                   \
            const type *v = (const type *)x->data + base + w.offset[0];                     \
            for (int64_t i = 0; i < w.row; i++) {                                           \
                type a = v[i * w.row_stride[0]];                                            \
                uint64_t u = (uint64_t)a;                                                   \
                low = a < low ? a : low;                                                    \
                high = a > high ? a : high;                                                 \
                product *= u;                                                               \
                sum += kind == R_SUM_SQUARE ? u * u :                                         \
                       kind == R_L1 && (least) != 0 && u >> 63 ? 0 - u : u;                   \
            }                                                                               \
        }                                                                                   \
        if (kind == R_MAX) return (uint64_t)high;                                           \
        if (kind == R_MIN) return (uint64_t)low;                                            \
        return kind == R_PROD ? product : sum;                                              \
    }
REDUCE_INT(i8, int8_t, INT8_MIN, INT8_MAX)
REDUCE_INT(u8, uint8_t, 0, UINT8_MAX)
REDUCE_INT(i32, int32_t, INT32_MIN, INT32_MAX)
REDUCE_INT(i64, int64_t, INT64_MIN, INT64_MAX)
REDUCE_INT(u32, uint32_t, 0, UINT32_MAX)
REDUCE_INT(u64, uint64_t, 0, UINT64_MAX)

// Means and logarithms of integers, cut to whole numbers and to what a double holds exactly.
static int64_t to_int(double v)
{
    return (int64_t)fmin(fmax(v, -0x1p53), 0x1p53);
}

static void reduce_one(const tensor *x, const reduce_plan *r, int64_t base, reduce_kind kind,
                       tensor *y, int64_t at)
{
    bool is_exact = kind == R_SUM || kind == R_PROD || kind == R_MAX || kind == R_MIN ||
                    kind == R_L1 || kind == R_SUM_SQUARE;
    double v = BIT(x->type) & TS_FLOAT || !is_exact ? reduce_float(x, r, base, kind) : 0;
#define INT_CASE(id, type, name)                                                  \
    case id:                                                                      \
        ((type *)y->data)[at] =                                                   \
            is_exact ? (type)reduce_##name(x, r, base, kind) : (type)to_int(v);   \
        break;
    switch (x->type) {
    case T_F32: ((float *)y->data)[at] = (float)v; break;
    case T_F64: ((double *)y->data)[at] = v; break;
        INT_CASE(T_I8, int8_t, i8)
        INT_CASE(T_U8, uint8_t, u8)
        INT_CASE(T_BOOL, uint8_t, u8)
        INT_CASE(T_U32, uint32_t, u32)
        INT_CASE(T_U64, uint64_t, u64)
    case T_I32:
        ((int32_t *)y->data)[at] =
            (int32_t)(is_exact ? (int64_t)reduce_i32(x, r, base, kind) : to_int(v));
        break;
    case T_I64:
        ((int64_t *)y->data)[at] = is_exact ? (int64_t)reduce_i64(x, r, base, kind) : to_int(v);
        break;
    default: break;
    }
#undef INT_CASE
}

static hearth_status run_reduce(const op_call *c)
{
    const tensor *x = c->in[0];
    bool gone[MAX_DIMS], is_noop;
    reduce_plan r;
    walk w;
    int64_t at = 0;
    HEARTH_TRY(reduced_axes(c, gone, &is_noop));
    plan_reduce(x, gone, &r);
    reduce_kind kind = *(const reduce_kind *)c->op->aux;
    for (begin_kept(&r, &w); !w.done; walk_next(&w)) {
        for (int64_t i = 0; i < w.row; i++) {
            reduce_one(x, &r, w.offset[0] + i * w.row_stride[0], kind, c->out[0], at++);
        }
    }
    return HEARTH_OK;
}

// --- ArgMax, ArgMin -----------------------------------------------------------------------------

typedef struct arg_params { int64_t axis, keep, select_last; } arg_params;

static hearth_status shape_arg(const op_call *c)
{
    const arg_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t dim[MAX_DIMS];
    int axis = 0, n = 0;
    HEARTH_TRY(op_axis(c, p->axis, x->n_dims, &axis));
    if (x->dim[axis] == 0) return op_fail(c, HEARTH_E_FORMAT, "no elements to choose from");
    for (int d = 0; d < x->n_dims; d++) {
        if (d != axis || p->keep) dim[n++] = d == axis ? 1 : x->dim[d];
    }
    tensor_set(op_out(c, 0), T_I64, n, dim);
    return HEARTH_OK;
}

static hearth_status run_arg(const op_call *c)
{
    const arg_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t *y = c->out[0]->data;
    double sign = *(const reduce_kind *)c->op->aux == R_MAX ? 1 : -1;
    int axis = 0;
    HEARTH_TRY(op_axis(c, p->axis, x->n_dims, &axis));
    int64_t outer = dims_product(x->dim, 0, axis), n = x->dim[axis];
    int64_t inner = dims_product(x->dim, axis + 1, x->n_dims);
    for (int64_t o = 0; o < outer * inner; o++) {
        int64_t base = o / inner * n * inner + o % inner, best = 0;
        double top = sign * tensor_number(x, base);
        for (int64_t i = 1; i < n; i++) {
            double v = sign * tensor_number(x, base + i * inner);
            if (v < top || (v <= top && !p->select_last)) continue;
            top = v;
            best = i;
        }
        y[o] = best;
    }
    return HEARTH_OK;
}

// --- CumSum, CumProd -----------------------------------------------------------------------------

typedef struct scan_params { int64_t exclusive, reverse; } scan_params;

#define SCAN(name, type, W)                                                              \
    static void scan_##name(const type *x, type *y, int64_t n, int64_t step, bool prod,  \
                            bool exclusive)                                              \
    {                                                                                    \
        W acc = prod ? 1 : 0;                                                            \
        for (int64_t i = 0; i < n; i++, x += step, y += step) {                          \
            W before = acc;                                                              \
            acc = prod ? acc * (W)*x : acc + (W)*x;                                      \
            *y = (type)(exclusive ? before : acc);                                       \
        }                                                                                \
    }
SCAN(f32, float, double)
SCAN(f64, double, double)
SCAN(i32, int32_t, uint32_t)
SCAN(i64, int64_t, uint64_t)

static hearth_status run_scan(const op_call *c)
{
    const scan_params *p = c->params;
    const tensor *x = c->in[0];
    bool prod = *(const reduce_kind *)c->op->aux == R_PROD;
    int axis = 0;
    if (tensor_items(c->in[1]) != 1) return op_fail(c, HEARTH_E_ARG, "more than one axis");
    HEARTH_TRY(op_axis(c, tensor_int(c->in[1], 0), x->n_dims, &axis));
    int64_t outer = dims_product(x->dim, 0, axis), n = x->dim[axis];
    int64_t inner = dims_product(x->dim, axis + 1, x->n_dims);
    int64_t step = p->reverse ? -inner : inner;
    for (int64_t o = 0; n > 0 && o < outer * inner; o++) {
        int64_t at = o / inner * n * inner + o % inner + (p->reverse ? (n - 1) * inner : 0);
#define CASE(id, type, name)                                                                  \
    case id:                                                                                  \
        scan_##name((const type *)x->data + at, (type *)c->out[0]->data + at, n, step, prod,  \
                    p->exclusive);                                                            \
        break;
        switch (x->type) {
            CASE(T_F32, float, f32)
            CASE(T_F64, double, f64)
            CASE(T_I32, int32_t, i32)
            CASE(T_I64, int64_t, i64)
        default: break;
        }
#undef CASE
    }
    return HEARTH_OK;
}

// --- Softmax, LogSoftmax, Hardmax ----------------------------------------------------------------

typedef enum softmax_kind { S_SOFTMAX, S_LOG, S_HARD } softmax_kind;
typedef struct softmax_params { int64_t axis; } softmax_params;

static double get_float(const tensor *t, int64_t i)
{
    return t->type == T_F32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}

static void put_float(tensor *t, int64_t i, double v)
{
    if (t->type == T_F32) {
        ((float *)t->data)[i] = (float)v;
    } else {
        ((double *)t->data)[i] = v;
    }
}

// n elements `step` apart, from `at` on.
static void softmax_one(const tensor *x, tensor *y, int64_t at, int64_t n, int64_t step,
                        softmax_kind kind)
{
    double top = get_float(x, at), sum = 0;
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++) {
        double v = get_float(x, at + i * step);
        if (v > top) top = v, best = i;
    }
    for (int64_t i = 0; i < n && kind != S_HARD; i++) sum += exp(get_float(x, at + i * step) - top);
    for (int64_t i = 0; i < n; i++) {
        double v = get_float(x, at + i * step) - top;
        put_float(y, at + i * step, kind == S_HARD ? i == best
                                    : kind == S_LOG ? v - log(sum) : exp(v) / sum);
    }
}

// Before opset 13 everything from `axis` on is one row.
static hearth_status run_softmax(const op_call *c)
{
    const tensor *x = c->in[0];
    bool flat = c->opset < 13;
    int64_t wanted = ((const softmax_params *)c->params)->axis;
    int axis = 0;
    if (wanted == INT64_MIN) wanted = flat ? 1 : -1;
    if (x->n_dims == 0) return op_fail(c, HEARTH_E_FORMAT, "no dimensions");
    HEARTH_TRY(op_axis(c, wanted, x->n_dims, &axis));
    int64_t outer = dims_product(x->dim, 0, axis);
    int64_t n = flat ? dims_product(x->dim, axis, x->n_dims) : x->dim[axis];
    int64_t inner = flat ? 1 : dims_product(x->dim, axis + 1, x->n_dims);
    softmax_kind kind = *(const softmax_kind *)c->op->aux;
    for (int64_t o = 0; n > 0 && o < outer * inner; o++) {
        softmax_one(x, c->out[0], o / inner * n * inner + o % inner, n, inner, kind);
    }
    return HEARTH_OK;
}

#define AT(type, field) .at = offsetof(type, field)
static const op_attr reduce_attrs[] = {
    {.name = "axes", .kind = OP_INTS, AT(reduce_params, axes)},
    {.name = "keepdims", .kind = OP_INT, AT(reduce_params, keep), .def = 1},
    {.name = "noop_with_empty_axes", .kind = OP_INT, AT(reduce_params, noop_empty)},
};
static const op_attr arg_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(arg_params, axis)},
    {.name = "keepdims", .kind = OP_INT, AT(arg_params, keep), .def = 1},
    {.name = "select_last_index", .kind = OP_INT, AT(arg_params, select_last)},
};
static const op_attr scan_attrs[] = {
    {.name = "exclusive", .kind = OP_INT, AT(scan_params, exclusive)},
    {.name = "reverse", .kind = OP_INT, AT(scan_params, reverse)},
};
// INT64_MIN: not given; the default depends on the version.
static const op_attr softmax_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(softmax_params, axis), .def = (double)INT64_MIN}};

enum { REDUCED = TS_FLOAT | BIT(T_I32) | BIT(T_I64) | BIT(T_U32) | BIT(T_U64) };
enum { EXTREMES = REDUCED | BIT(T_I8) | BIT(T_U8) | BIT(T_BOOL) };
#define KIND(k) .aux = &(const reduce_kind){k}
#define REDUCE(name_, k, set)                                                              \
    {.name = name_, .since = 1, .in = "TL?", .n_out = 1, .types = set, .flags = OP_WIDEN,  \
     .values = 2, OP_ATTRS(reduce_attrs, reduce_params), KIND(k), .shape = shape_reduce,   \
     .run = run_reduce}
#define ARG(name_, k)                                                                      \
    {.name = name_, .since = 1, .in = "T", .n_out = 1, .types = TS_NUM, .flags = OP_WIDEN, \
     OP_ATTRS(arg_attrs, arg_params), KIND(k), .shape = shape_arg, .run = run_arg}
#define SCANS(name_, k, since_)                                                            \
    {.name = name_, .since = since_, .in = "TI", .n_out = 1,                               \
     .types = TS_FLOAT | BIT(T_I32) | BIT(T_I64), .flags = OP_WIDEN,                       \
     OP_ATTRS(scan_attrs, scan_params), KIND(k), .shape = op_like_first, .run = run_scan}
#define SOFTMAX(name_, k)                                                                  \
    {.name = name_, .since = 1, .in = "T", .n_out = 1, .types = TS_FLOAT,                  \
     .flags = OP_WIDEN, OP_ATTRS(softmax_attrs, softmax_params),                           \
     .aux = &(const softmax_kind){k}, .shape = op_like_first, .run = run_softmax}
static const graph_op reduce_ops[] = {
    REDUCE("ReduceSum", R_SUM, REDUCED), REDUCE("ReduceMean", R_MEAN, REDUCED),
    REDUCE("ReduceProd", R_PROD, REDUCED), REDUCE("ReduceMax", R_MAX, EXTREMES),
    REDUCE("ReduceMin", R_MIN, EXTREMES), REDUCE("ReduceL1", R_L1, REDUCED),
    REDUCE("ReduceL2", R_L2, REDUCED), REDUCE("ReduceSumSquare", R_SUM_SQUARE, REDUCED),
    REDUCE("ReduceLogSum", R_LOG_SUM, REDUCED), REDUCE("ReduceLogSumExp", R_LOG_SUM_EXP, REDUCED),
    ARG("ArgMax", R_MAX), ARG("ArgMin", R_MIN),
    SCANS("CumSum", R_SUM, 11), SCANS("CumProd", R_PROD, 26),
    SOFTMAX("Softmax", S_SOFTMAX), SOFTMAX("LogSoftmax", S_LOG), SOFTMAX("Hardmax", S_HARD),
};
OP_FAMILY(ops_reduce, "", reduce_ops);
