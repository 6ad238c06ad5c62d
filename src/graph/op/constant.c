// Values from shapes, attributes and ranges: Constant, ConstantOfShape, Shape, Size, Range,
// EyeLike, OneHot, NonZero, Trilu.
#include "graph/op/op.h"

#include <math.h>
#include <string.h>

// --- Constant -----------------------------------------------------------------------------------

typedef struct constant_params {
    tensor value;
    op_ints ints;
    op_floats floats;
    int64_t one_int;
    float one_float;
} constant_params;
typedef enum constant_form { C_TENSOR, C_INTS, C_FLOATS, C_INT, C_FLOAT } constant_form;

// The scalar forms have defaults that no model means; which one was given shows by elimination.
static constant_form form_of(const constant_params *p)
{
    if (p->value.type != T_NONE) return C_TENSOR;
    if (p->ints.given) return C_INTS;
    if (p->floats.given) return C_FLOATS;
    return p->one_int != INT64_MIN ? C_INT : C_FLOAT;
}

static hearth_status check_constant(const op_call *c)
{
    const constant_params *p = c->params;
    if (form_of(p) != C_FLOAT || !isnan(p->one_float)) return HEARTH_OK;
    return op_fail(c, HEARTH_E_UNSUPPORTED, "no value that is a tensor, float or integer");
}

static hearth_status shape_constant(const op_call *c)
{
    const constant_params *p = c->params;
    int64_t n_ints = p->ints.n, n_floats = p->floats.n;
    switch (form_of(p)) {
    case C_TENSOR: tensor_set(op_out(c, 0), p->value.type, p->value.n_dims, p->value.dim); break;
    case C_INTS: tensor_set(op_out(c, 0), T_I64, 1, &n_ints); break;
    case C_FLOATS: tensor_set(op_out(c, 0), T_F32, 1, &n_floats); break;
    case C_INT: tensor_set(op_out(c, 0), T_I64, 0, NULL); break;
    case C_FLOAT: tensor_set(op_out(c, 0), T_F32, 0, NULL); break;
    }
    return HEARTH_OK;
}

static hearth_status run_constant(const op_call *c)
{
    const constant_params *p = c->params;
    const void *from = p->value.data;
    const tensor *y = op_out(c, 0);
    if (!y) return HEARTH_OK;
    switch (form_of(p)) {
    case C_TENSOR: break;
    case C_INTS: from = p->ints.v; break;
    case C_FLOATS: from = p->floats.v; break;
    case C_INT: from = &p->one_int; break;
    case C_FLOAT: from = &p->one_float; break;
    }
    size_t n = (size_t)tensor_items(y) * elem_bytes(y->type);
    if (n) memcpy(y->data, from, n);
    return HEARTH_OK;
}

// --- ConstantOfShape ----------------------------------------------------------------------------

typedef struct fill_params { tensor value; } fill_params;

static hearth_status shape_fill(const op_call *c)
{
    const tensor *want = c->in[0], *value = &((const fill_params *)c->params)->value;
    int64_t dim[MAX_DIMS], n = tensor_items(want);
    if (n > MAX_DIMS) return op_fail(c, HEARTH_E_LIMIT, "more than %d dimensions", MAX_DIMS);
    for (int64_t d = 0; d < n; d++) dim[d] = tensor_int(want, d);
    tensor_set(op_out(c, 0), value->type ? value->type : T_F32, (int)n, dim);
    return HEARTH_OK;
}

static hearth_status run_fill(const op_call *c)
{
    static const int64_t zero = 0;
    const tensor *value = &((const fill_params *)c->params)->value;
    const tensor *y = c->out[0];
    const void *from = value->data && tensor_items(value) ? value->data : &zero;
    int64_t still[MAX_DIMS] = {0};
    copy_strided(y->data, from, elem_bytes(y->type), y->n_dims, y->dim, still);
    return HEARTH_OK;
}

// --- Shape, Size --------------------------------------------------------------------------------

typedef struct range_params { int64_t start, end; } range_params;

static void cut_range(const op_call *c, int *from, int *to)
{
    const range_params *p = c->params;
    int64_t n = c->in[0]->n_dims, start = p->start, end = p->end == INT64_MIN ? n : p->end;
    if (start < 0) start += n;
    if (end < 0) end += n;
    *from = (int)i64_max(0, i64_min(start, n));
    *to = (int)i64_max(*from, i64_min(end, n));
}

static hearth_status shape_shape(const op_call *c)
{
    int from, to;
    cut_range(c, &from, &to);
    int64_t n = to - from;
    tensor_set(op_out(c, 0), T_I64, 1, &n);
    return HEARTH_OK;
}

static hearth_status run_shape(const op_call *c)
{
    int from, to;
    cut_range(c, &from, &to);
    int64_t *y = c->out[0]->data;
    for (int d = from; d < to; d++) *y++ = c->in[0]->dim[d];
    return HEARTH_OK;
}

static hearth_status shape_size(const op_call *c)
{
    tensor_set(op_out(c, 0), T_I64, 0, NULL);
    return HEARTH_OK;
}

static hearth_status run_size(const op_call *c)
{
    *(int64_t *)c->out[0]->data = tensor_items(c->in[0]);
    return HEARTH_OK;
}

// --- Range --------------------------------------------------------------------------------------

static hearth_status shape_range(const op_call *c)
{
    for (int i = 0; i < 3; i++) {
        if (tensor_items(c->in[i]) != 1) {
            return op_fail(c, HEARTH_E_FORMAT, "input %d is no scalar", i);
        }
    }
    double start = tensor_number(c->in[0], 0), end = tensor_number(c->in[1], 0);
    double n = ceil((end - start) / tensor_number(c->in[2], 0));
    if (isnan(n) || n > (double)LIMIT_GRAPH_ITEMS) {
        return op_fail(c, HEARTH_E_ARG, "a range without end");
    }
    int64_t dim = n > 0 ? (int64_t)n : 0;
    tensor_set(op_out(c, 0), c->in[0]->type, 1, &dim);
    return HEARTH_OK;
}

// Integers in 64 unsigned bits: the last step past the end may wrap, and is not stored.
#define RANGE(id, type, W)                                                                 \
    case id: {                                                                             \
        W start = (W)*(const type *)c->in[0]->data, step = (W)*(const type *)c->in[2]->data; \
        type *y = c->out[0]->data;                                                         \
        for (int64_t i = 0; i < n; i++) y[i] = (type)(start + (W)i * step);                \
        break;                                                                             \
    }
static hearth_status run_range(const op_call *c)
{
    int64_t n = c->out[0]->dim[0];
    switch (c->in[0]->type) {
        RANGE(T_F32, float, float)
        RANGE(T_F64, double, double)
        RANGE(T_I16, int16_t, uint64_t)
        RANGE(T_I32, int32_t, uint64_t)
        RANGE(T_I64, int64_t, uint64_t)
    default: break;
    }
    return HEARTH_OK;
}

// --- EyeLike, OneHot ----------------------------------------------------------------------------

typedef struct eye_params { int64_t type, k; } eye_params;

static hearth_status shape_eye(const op_call *c)
{
    const tensor *x = c->in[0];
    int64_t type = ((const eye_params *)c->params)->type;
    elem t = type ? (elem)type : x->type;
    if (x->n_dims != 2) return op_fail(c, HEARTH_E_FORMAT, "%d dimensions", x->n_dims);
    if (type < 0 || type >= T_COUNT || !(BIT(t) & (TS_NUM | BIT(T_BOOL)))) {
        return op_fail(c, HEARTH_E_UNSUPPORTED, "type %lld", (long long)type);
    }
    tensor_set(op_out(c, 0), t, 2, x->dim);
    return HEARTH_OK;
}

static void put_one(tensor *t, int64_t i)
{
#define CASE(id, type) case id: ((type *)t->data)[i] = 1; break;
    switch (t->type) {
        EACH_NUM(CASE)
    default: ((uint8_t *)t->data)[i] = 1; break;
    }
#undef CASE
}

static hearth_status run_eye(const op_call *c)
{
    int64_t k = ((const eye_params *)c->params)->k;
    tensor *y = c->out[0];
    size_t bytes = (size_t)tensor_items(y) * elem_bytes(y->type);
    if (bytes) memset(y->data, 0, bytes);
    if (k < -y->dim[0] || k > y->dim[1]) return HEARTH_OK;
    for (int64_t i = 0; i < y->dim[0]; i++) {
        if (i + k >= 0 && i + k < y->dim[1]) put_one(y, i * y->dim[1] + i + k);
    }
    return HEARTH_OK;
}

typedef struct one_hot_params { int64_t axis; } one_hot_params;

static hearth_status shape_one_hot(const op_call *c)
{
    const tensor *x = c->in[0];
    int axis = 0;
    int64_t dim[MAX_DIMS];
    HEARTH_TRY(op_axis(c, ((const one_hot_params *)c->params)->axis, x->n_dims + 1, &axis));
    if (x->n_dims == MAX_DIMS || tensor_items(c->in[1]) != 1 || tensor_items(c->in[2]) != 2) {
        return op_fail(c, HEARTH_E_FORMAT, "depth is no scalar or values are no pair");
    }
    double depth = tensor_number(c->in[1], 0);
    if (!(depth >= 0 && depth < (double)LIMIT_GRAPH_ITEMS)) {
        return op_fail(c, HEARTH_E_ARG, "depth");
    }
    for (int d = 0; d <= x->n_dims; d++) {
        dim[d] = d == axis ? (int64_t)depth : x->dim[d > axis ? d - 1 : d];
    }
    tensor_set(op_out(c, 0), c->in[2]->type, x->n_dims + 1, dim);
    return HEARTH_OK;
}

static hearth_status run_one_hot(const op_call *c)
{
    const tensor *x = c->in[0];
    tensor *y = c->out[0];
    size_t size = elem_bytes(y->type);
    int axis = 0;
    HEARTH_TRY(op_axis(c, ((const one_hot_params *)c->params)->axis, y->n_dims, &axis));
    int64_t depth = y->dim[axis], inner = dims_product(y->dim, axis + 1, y->n_dims);
    for (int64_t i = 0; i < tensor_items(y); i++) {
        int64_t at = i / inner % (depth ? depth : 1);
        double index = tensor_number(x, i / inner / depth * inner + i % inner);
        bool hot = at == (int64_t)(index < 0 ? index + (double)depth : index);
        hot = hot && index >= (double)-depth && index < (double)depth;
        memcpy(byte_at(y->data, i, size), byte_at(c->in[2]->data, hot, size), size);
    }
    return HEARTH_OK;
}

// --- NonZero ------------------------------------------------------------------------------------

static bool is_nonzero(const tensor *x, int64_t i)
{
    double v = tensor_number(x, i);
    return v < 0 || v > 0 || isnan(v);
}

static hearth_status shape_nonzero(const op_call *c)
{
    const tensor *x = c->in[0];
    int64_t dim[2] = {x->n_dims, 0}, n = tensor_items(x);
    for (int64_t i = 0; i < n; i++) dim[1] += is_nonzero(x, i);
    tensor_set(op_out(c, 0), T_I64, 2, dim);
    return HEARTH_OK;
}

static hearth_status run_nonzero(const op_call *c)
{
    const tensor *x = c->in[0];
    int64_t *y = c->out[0]->data, n = tensor_items(x), count = c->out[0]->dim[1], at = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!is_nonzero(x, i)) continue;
        int64_t rest = i;
        for (int d = x->n_dims - 1; d >= 0; d--) {
            y[d * count + at] = rest % x->dim[d];
            rest /= x->dim[d];
        }
        at++;
    }
    return HEARTH_OK;
}

// --- Trilu --------------------------------------------------------------------------------------

typedef struct trilu_params { int64_t upper; } trilu_params;

static hearth_status shape_trilu(const op_call *c)
{
    if (c->in[0]->n_dims < 2) return op_fail(c, HEARTH_E_FORMAT, "no matrix");
    if (op_in(c, 1) && tensor_items(c->in[1]) != 1) {
        return op_fail(c, HEARTH_E_FORMAT, "k is no scalar");
    }
    return op_like_first(c);
}

static hearth_status run_trilu(const op_call *c)
{
    const tensor *x = c->in[0];
    size_t size = elem_bytes(x->type);
    bool upper = ((const trilu_params *)c->params)->upper;
    int64_t rows = x->dim[x->n_dims - 2], cols = x->dim[x->n_dims - 1];
    int64_t k = op_in(c, 1) ? tensor_int(c->in[1], 0) : 0, n = tensor_items(x);
    k = i64_max(-rows - 1, i64_min(k, cols + 1)); // beyond these nothing changes
    for (int64_t i = 0; i < n; i++) {
        int64_t d = i % cols - i / cols % rows;
        void *to = byte_at(c->out[0]->data, i, size);
        if (upper ? d >= k : d <= k) {
            memcpy(to, byte_at(x->data, i, size), size);
        } else {
            memset(to, 0, size);
        }
    }
    return HEARTH_OK;
}

#define AT(type, field) .at = offsetof(type, field)
// Defaults that cannot be meant: "not given".
static const op_attr constant_attrs[] = {
    {.name = "value", .kind = OP_TENSOR, AT(constant_params, value)},
    {.name = "value_int", .kind = OP_INT, AT(constant_params, one_int), .def = (double)INT64_MIN},
    {.name = "value_ints", .kind = OP_INTS, AT(constant_params, ints)},
    {.name = "value_float", .kind = OP_FLOAT, AT(constant_params, one_float), .def = (double)NAN},
    {.name = "value_floats", .kind = OP_FLOATS, AT(constant_params, floats)},
};
static const op_attr fill_attrs[] = {
    {.name = "value", .kind = OP_TENSOR, AT(fill_params, value)}};
static const op_attr range_attrs[] = {
    {.name = "start", .kind = OP_INT, AT(range_params, start)},
    {.name = "end", .kind = OP_INT, AT(range_params, end), .def = (double)INT64_MIN}};
static const op_attr eye_attrs[] = {
    {.name = "dtype", .kind = OP_INT, AT(eye_params, type)},
    {.name = "k", .kind = OP_INT, AT(eye_params, k)}};
static const op_attr one_hot_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(one_hot_params, axis), .def = -1}};
static const op_attr trilu_attrs[] = {
    {.name = "upper", .kind = OP_INT, AT(trilu_params, upper), .def = 1}};
static const op_attr range_op_attrs[] = {{.name = "stash_type", .kind = OP_IGNORED}};
typedef struct no_params { char none; } no_params;

static const graph_op constant_ops[] = {
    {.name = "Constant", .since = 1, .in = "", .n_out = 1,
     OP_ATTRS(constant_attrs, constant_params), .check = check_constant, .shape = shape_constant,
     .run = run_constant},
    {.name = "ConstantOfShape", .since = 9, .in = "L", .n_out = 1, .values = 1,
     OP_ATTRS(fill_attrs, fill_params), .shape = shape_fill, .run = run_fill},
    {.name = "Shape", .since = 1, .in = "A", .n_out = 1, .flags = OP_BY_SHAPE,
     OP_ATTRS(range_attrs, range_params), .shape = shape_shape, .run = run_shape},
    {.name = "Size", .since = 1, .in = "A", .n_out = 1, .flags = OP_BY_SHAPE, .shape = shape_size,
     .run = run_size},
    {.name = "Range", .since = 11, .in = "TTT", .n_out = 1, .values = 7,
     OP_ATTRS(range_op_attrs, no_params), .flags = OP_WIDEN,
     .types = TS_FLOAT | BIT(T_I16) | BIT(T_I32) | BIT(T_I64), .shape = shape_range,
     .run = run_range},
    {.name = "EyeLike", .since = 9, .in = "A", .n_out = 1, OP_ATTRS(eye_attrs, eye_params),
     .shape = shape_eye, .run = run_eye},
    {.name = "OneHot", .since = 9, .in = "TUA", .n_out = 1, .types = TS_NUM, .values = 2,
     OP_ATTRS(one_hot_attrs, one_hot_params), .shape = shape_one_hot, .run = run_one_hot},
    {.name = "NonZero", .since = 9, .in = "T", .n_out = 1, .types = TS_NUM | BIT(T_BOOL),
     .values = 1, .shape = shape_nonzero, .run = run_nonzero},
    {.name = "Trilu", .since = 14, .in = "TL?", .n_out = 1, .types = TS_PLAIN,
     OP_ATTRS(trilu_attrs, trilu_params), .shape = shape_trilu, .run = run_trilu},
};
OP_FAMILY(ops_constant, "", constant_ops);
