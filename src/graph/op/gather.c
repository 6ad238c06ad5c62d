// Elements picked or placed by index: Gather, GatherElements, GatherND, Scatter, ScatterElements,
// ScatterND; Where, Compress, Pad; Clip and Dropout, which keep or replace.
//
// Indices come from data: each is checked when it is used.
#include "graph/op/op.h"

#include <math.h>
#include <string.h>

typedef struct gather_params { int64_t axis, batch_dims, reduction; } gather_params;
typedef enum reduction { RED_NONE, RED_ADD, RED_MUL, RED_MAX, RED_MIN } reduction;

// Value i of an index tensor as a position in [0, n); false when it is outside [-n, n).
static bool index_at(const tensor *t, int64_t i, int64_t n, int64_t *out)
{
    int64_t v = tensor_int(t, i);
    *out = v < 0 ? v + n : v;
    return v >= -n && v < n;
}

static hearth_status bad_index(const op_call *c, int64_t v, int64_t n)
{
    return op_fail(c, HEARTH_E_ARG, "index %lld of %lld", (long long)v, (long long)n);
}

static hearth_status shape_gather(const op_call *c)
{
    const tensor *x = c->in[0], *ix = c->in[1];
    int axis = 0, n = 0;
    int64_t dim[2 * MAX_DIMS];
    HEARTH_TRY(op_axis(c, ((const gather_params *)c->params)->axis, x->n_dims, &axis));
    for (int d = 0; d < axis; d++) dim[n++] = x->dim[d];
    for (int d = 0; d < ix->n_dims; d++) dim[n++] = ix->dim[d];
    for (int d = axis + 1; d < x->n_dims; d++) dim[n++] = x->dim[d];
    if (n > MAX_DIMS) return op_fail(c, HEARTH_E_LIMIT, "more than %d dimensions", MAX_DIMS);
    tensor_set(op_out(c, 0), x->type, n, dim);
    return HEARTH_OK;
}

static hearth_status run_gather(const op_call *c)
{
    const tensor *x = c->in[0], *ix = c->in[1];
    int axis = 0;
    HEARTH_TRY(op_axis(c, ((const gather_params *)c->params)->axis, x->n_dims, &axis));
    int64_t outer = dims_product(x->dim, 0, axis), n = x->dim[axis], count = tensor_items(ix);
    size_t row = (size_t)dims_product(x->dim, axis + 1, x->n_dims) * elem_bytes(x->type);
    char *to = c->out[0]->data;
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t i = 0; i < count; i++, to += row) {
            int64_t k;
            if (!index_at(ix, i, n, &k)) return bad_index(c, tensor_int(ix, i), n);
            if (row) memcpy(to, byte_at(x->data, o * n + k, row), row);
        }
    }
    return HEARTH_OK;
}

// --- one index per element -----------------------------------------------------------------------

static hearth_status check_elements(const op_call *c, const tensor *ix, int *axis)
{
    const tensor *x = c->in[0];
    HEARTH_TRY(op_axis(c, ((const gather_params *)c->params)->axis, x->n_dims, axis));
    if (ix->n_dims != x->n_dims) return op_fail(c, HEARTH_E_FORMAT, "indices of another rank");
    for (int d = 0; d < x->n_dims; d++) {
        if (d != *axis && ix->dim[d] > x->dim[d]) {
            return op_fail(c, HEARTH_E_FORMAT, "indices are larger than the data");
        }
    }
    return HEARTH_OK;
}

static hearth_status shape_gather_elements(const op_call *c)
{
    int axis = 0;
    HEARTH_TRY(check_elements(c, c->in[1], &axis));
    tensor_set(op_out(c, 0), c->in[0]->type, c->in[1]->n_dims, c->in[1]->dim);
    return HEARTH_OK;
}

// Where element i of the index tensor points in x.
static hearth_status element_target(const op_call *c, int axis, int64_t i, int64_t *out)
{
    const tensor *x = c->in[0], *ix = c->in[1];
    int64_t k, rest = i, stride[MAX_DIMS];
    if (!index_at(ix, i, x->dim[axis], &k)) return bad_index(c, tensor_int(ix, i), x->dim[axis]);
    strides_of(x, stride);
    *out = k * stride[axis];
    for (int d = ix->n_dims - 1; d >= 0; d--) {
        if (d != axis) *out += rest % ix->dim[d] * stride[d];
        rest /= ix->dim[d];
    }
    return HEARTH_OK;
}

static hearth_status run_gather_elements(const op_call *c)
{
    int axis = 0;
    int64_t n = tensor_items(c->in[1]), from = 0;
    size_t size = elem_bytes(c->in[0]->type);
    HEARTH_TRY(check_elements(c, c->in[1], &axis));
    for (int64_t i = 0; i < n; i++) {
        HEARTH_TRY(element_target(c, axis, i, &from));
        memcpy(byte_at(c->out[0]->data, i, size), byte_at(c->in[0]->data, from, size), size);
    }
    return HEARTH_OK;
}

static elem unsigned_twin(elem t)
{
    switch (t) {
    case T_I8: return T_U8;
    case T_I16: return T_U16;
    case T_I32: return T_U32;
    case T_I64: return T_U64;
    default: return t;
    }
}

static void combine(tensor *y, int64_t at, const tensor *u, int64_t i, reduction how)
{
    size_t size = elem_bytes(y->type);
#define CASE(id, type)                                                                   \
    case id: {                                                                           \
        type *to = (type *)y->data + at, v = ((const type *)u->data)[i];                 \
        *to = how == RED_ADD   ? (type)(*to + v)                                         \
              : how == RED_MUL ? (type)(*to * v)                                         \
              : how == RED_MAX ? (v > *to ? v : *to)                                     \
                               : (v < *to ? v : *to);                                    \
        break;                                                                           \
    }
    if (how == RED_NONE) {
        memcpy(byte_at(y->data, at, size), byte_at(u->data, i, size), size);
        return;
    }
    // Sums and products of integers wrap: in the unsigned type of the same width.
    switch (how == RED_ADD || how == RED_MUL ? unsigned_twin(y->type) : y->type) {
        EACH_UINT(CASE) EACH_FLOAT(CASE)
        CASE(T_I8, int8_t) CASE(T_I16, int16_t) CASE(T_I32, int32_t) CASE(T_I64, int64_t)
    default: break;
    }
#undef CASE
}

static void copy_first(const op_call *c)
{
    size_t bytes = (size_t)tensor_items(c->in[0]) * elem_bytes(c->in[0]->type);
    if (bytes) memcpy(c->out[0]->data, c->in[0]->data, bytes);
}

static hearth_status check_reduction(const op_call *c)
{
    reduction how = (reduction)((const gather_params *)c->params)->reduction;
    if (how == RED_NONE || (BIT(c->in[0]->type) & TS_NUM)) return HEARTH_OK;
    return op_fail(c, HEARTH_E_UNSUPPORTED, "a reduction of %s", elem_name(c->in[0]->type));
}

static hearth_status shape_scatter_elements(const op_call *c)
{
    int axis = 0;
    HEARTH_TRY(check_elements(c, c->in[1], &axis));
    HEARTH_TRY(check_reduction(c));
    if (!tensor_same_shape(c->in[1], c->in[2])) {
        return op_fail(c, HEARTH_E_FORMAT, "updates and indices differ in shape");
    }
    return op_like_first(c);
}

static hearth_status run_scatter_elements(const op_call *c)
{
    int axis = 0;
    int64_t n = tensor_items(c->in[1]), at = 0;
    reduction how = (reduction)((const gather_params *)c->params)->reduction;
    HEARTH_TRY(check_elements(c, c->in[1], &axis));
    copy_first(c);
    for (int64_t i = 0; i < n; i++) {
        HEARTH_TRY(element_target(c, axis, i, &at));
        combine(c->out[0], at, c->in[2], i, how);
    }
    return HEARTH_OK;
}

// --- one index vector per slice ------------------------------------------------------------------

typedef struct nd_plan { int64_t batch, depth, count, row; } nd_plan; // row: elements of a slice

static hearth_status plan_nd(const op_call *c, nd_plan *p)
{
    const tensor *x = c->in[0], *ix = c->in[1];
    int64_t b = ((const gather_params *)c->params)->batch_dims;
    if (ix->n_dims < 1 || b < 0 || b >= ix->n_dims || b >= x->n_dims + (x->n_dims == 0)) {
        return op_fail(c, HEARTH_E_FORMAT, "batch_dims %lld", (long long)b);
    }
    for (int d = 0; d < b; d++) {
        if (x->dim[d] != ix->dim[d]) return op_fail(c, HEARTH_E_FORMAT, "batches differ");
    }
    p->depth = ix->dim[ix->n_dims - 1];
    if (p->depth > x->n_dims - b) return op_fail(c, HEARTH_E_FORMAT, "indices of too many axes");
    p->batch = dims_product(x->dim, 0, (int)b);
    p->count = dims_product(ix->dim, (int)b, ix->n_dims - 1);
    p->row = dims_product(x->dim, (int)(b + p->depth), x->n_dims);
    return HEARTH_OK;
}

// Slice that index vector i of batch k points to, counted in rows.
static hearth_status nd_target(const op_call *c, const nd_plan *p, int64_t k, int64_t i,
                               int64_t *out)
{
    const tensor *x = c->in[0], *ix = c->in[1];
    int b = (int)((const gather_params *)c->params)->batch_dims;
    *out = k;
    for (int64_t d = 0; d < p->depth; d++) {
        int64_t at, n = x->dim[b + d], from = (k * p->count + i) * p->depth + d;
        if (!index_at(ix, from, n, &at)) return bad_index(c, tensor_int(ix, from), n);
        *out = *out * n + at;
    }
    return HEARTH_OK;
}

static hearth_status shape_gather_nd(const op_call *c)
{
    const tensor *x = c->in[0], *ix = c->in[1];
    nd_plan p;
    int64_t dim[2 * MAX_DIMS], n = 0;
    HEARTH_TRY(plan_nd(c, &p));
    int64_t b = ((const gather_params *)c->params)->batch_dims;
    for (int d = 0; d < ix->n_dims - 1; d++) dim[n++] = ix->dim[d];
    for (int64_t d = b + p.depth; d < x->n_dims; d++) dim[n++] = x->dim[d];
    if (n > MAX_DIMS) return op_fail(c, HEARTH_E_LIMIT, "more than %d dimensions", MAX_DIMS);
    tensor_set(op_out(c, 0), x->type, (int)n, dim);
    return HEARTH_OK;
}

static hearth_status run_gather_nd(const op_call *c)
{
    nd_plan p;
    HEARTH_TRY(plan_nd(c, &p));
    size_t row = (size_t)p.row * elem_bytes(c->in[0]->type);
    for (int64_t i = 0; i < p.batch * p.count; i++) {
        int64_t from = 0;
        HEARTH_TRY(nd_target(c, &p, i / p.count, i % p.count, &from));
        if (row) memcpy(byte_at(c->out[0]->data, i, row), byte_at(c->in[0]->data, from, row), row);
    }
    return HEARTH_OK;
}

static hearth_status shape_scatter_nd(const op_call *c)
{
    nd_plan p;
    HEARTH_TRY(plan_nd(c, &p));
    HEARTH_TRY(check_reduction(c));
    if (tensor_items(c->in[2]) != p.count * p.row) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld updates where the indices need %lld",
                       (long long)tensor_items(c->in[2]), (long long)(p.count * p.row));
    }
    return op_like_first(c);
}

static hearth_status run_scatter_nd(const op_call *c)
{
    nd_plan p;
    reduction how = (reduction)((const gather_params *)c->params)->reduction;
    HEARTH_TRY(plan_nd(c, &p));
    copy_first(c);
    for (int64_t i = 0; i < p.count; i++) {
        int64_t at = 0;
        HEARTH_TRY(nd_target(c, &p, 0, i, &at));
        for (int64_t k = 0; k < p.row; k++) {
            combine(c->out[0], at * p.row + k, c->in[2], i * p.row + k, how);
        }
    }
    return HEARTH_OK;
}

// --- Where --------------------------------------------------------------------------------------

static hearth_status shape_where(const op_call *c)
{
    if (op_out(c, 0)) c->out[0]->type = c->in[1]->type;
    return op_broadcast(c, c->in, 3, op_out(c, 0));
}

static hearth_status run_where(const op_call *c)
{
    tensor *y = c->out[0];
    size_t size = elem_bytes(y->type);
    int64_t strides[3][MAX_DIMS];
    walk w;
    for (int i = 0; i < 3; i++) strides_broadcast(c->in[i], y, strides[i]);
    walk_init(&w, y->n_dims, y->dim, 3, (const int64_t(*)[MAX_DIMS])strides);
    char *to = y->data;
    for (; !w.done; walk_next(&w)) {
        for (int64_t i = 0; i < w.row; i++, to += size) {
            uint8_t yes = ((const uint8_t *)c->in[0]->data)[w.offset[0] + i * w.row_stride[0]];
            int k = yes ? 1 : 2;
            memcpy(to, byte_at(c->in[k]->data, w.offset[k] + i * w.row_stride[k], size), size);
        }
    }
    return HEARTH_OK;
}

// --- Clip ---------------------------------------------------------------------------------------

typedef struct clip_params { float min, max; } clip_params;

static hearth_status shape_clip(const op_call *c)
{
    for (int i = 1; i < c->n_in; i++) {
        if (c->in[i] && tensor_items(c->in[i]) != 1) {
            return op_fail(c, HEARTH_E_FORMAT, "input %d is no scalar", i);
        }
    }
    return op_like_first(c);
}

#define CLIP(id, type)                                                                \
    case id: {                                                                        \
        const type *from = x->data;                                                   \
        type *to = c->out[0]->data;                                                   \
        for (int64_t i = 0; i < n; i++) {                                             \
            type v = from[i];                                                         \
            if (low && v < *(const type *)low->data) v = *(const type *)low->data;    \
            if (high && v > *(const type *)high->data) v = *(const type *)high->data; \
            to[i] = v;                                                                \
        }                                                                             \
        break;                                                                        \
    }
static hearth_status run_clip(const op_call *c)
{
    const tensor *x = c->in[0], *low = op_in(c, 1), *high = op_in(c, 2);
    int64_t n = tensor_items(x);
    switch (x->type) {
        EACH_NUM(CLIP)
    default: break;
    }
    return HEARTH_OK;
}

static hearth_status run_clip_attrs(const op_call *c)
{
    const clip_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t n = tensor_items(x);
    for (int64_t i = 0; i < n; i++) {
        double v = tensor_number(x, i);
        v = v < (double)p->min ? (double)p->min : v > (double)p->max ? (double)p->max : v;
        if (x->type == T_F32) {
            ((float *)c->out[0]->data)[i] = (float)v;
        } else {
            ((double *)c->out[0]->data)[i] = v;
        }
    }
    return HEARTH_OK;
}

// --- Pad ----------------------------------------------------------------------------------------

typedef struct pad_params { op_ints pads; float value; int64_t mode; } pad_params;
typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } pad_mode;

static hearth_status read_pads(const op_call *c, int64_t *begin, int64_t *end)
{
    const pad_params *p = c->params;
    const tensor *x = c->in[0], *t = op_in(c, 1), *axes = op_in(c, 3);
    int64_t n_axes = axes ? tensor_items(axes) : x->n_dims, n = t ? tensor_items(t) : p->pads.n;
    if (n != 2 * n_axes || n_axes > x->n_dims) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld pads for %lld axes", (long long)n,
                       (long long)n_axes);
    }
    for (int d = 0; d < x->n_dims; d++) begin[d] = end[d] = 0;
    for (int64_t i = 0; i < n_axes; i++) {
        int d = 0;
        HEARTH_TRY(op_axis(c, axes ? tensor_int(axes, i) : i, x->n_dims, &d));
        begin[d] = t ? tensor_int(t, i) : p->pads.v[i];
        end[d] = t ? tensor_int(t, n_axes + i) : p->pads.v[n_axes + i];
        int64_t most = LIMIT_GRAPH_ITEMS;
        if (begin[d] < -most || begin[d] > most || end[d] < -most || end[d] > most) {
            return op_fail(c, HEARTH_E_LIMIT, "pads out of range");
        }
    }
    return HEARTH_OK;
}

static hearth_status shape_pad(const op_call *c)
{
    const tensor *x = c->in[0];
    int64_t begin[MAX_DIMS], end[MAX_DIMS], dim[MAX_DIMS];
    HEARTH_TRY(read_pads(c, begin, end));
    if (op_in(c, 2) && tensor_items(c->in[2]) != 1) return op_fail(c, HEARTH_E_FORMAT, "value");
    for (int d = 0; d < x->n_dims; d++) {
        dim[d] = x->dim[d] + begin[d] + end[d];
        bool is_empty = x->dim[d] == 0 && ((const pad_params *)c->params)->mode != PAD_CONSTANT;
        if (is_empty && dim[d] > 0) return op_fail(c, HEARTH_E_FORMAT, "nothing to repeat");
    }
    tensor_set(op_out(c, 0), x->type, x->n_dims, dim);
    return HEARTH_OK;
}

// Position i of an axis of n elements, -1 for the constant.
static int64_t padded_index(int64_t i, int64_t n, pad_mode mode)
{
    if (i >= 0 && i < n) return i;
    if (mode == PAD_CONSTANT) return -1;
    if (mode == PAD_EDGE) return i < 0 ? 0 : n - 1;
    int64_t period = mode == PAD_WRAP ? n : i64_max(1, 2 * (n - 1));
    int64_t k = (i % period + period) % period;
    return k < n ? k : period - k;
}

static hearth_status run_pad(const op_call *c)
{
    const pad_params *p = c->params;
    const tensor *x = c->in[0], *y = c->out[0], *given = op_in(c, 2);
    int64_t begin[MAX_DIMS], end[MAX_DIMS], stride[MAX_DIMS], n = tensor_items(y);
    size_t size = elem_bytes(x->type);
    double wide = (double)p->value;
    char zero[8] = {0};
    const void *value = given ? given->data : x->type == T_F32 ? (const void *)&p->value
                        : x->type == T_F64 ? (const void *)&wide : (const void *)zero;
    HEARTH_TRY(read_pads(c, begin, end));
    strides_of(x, stride);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, from = 0;
        for (int d = x->n_dims - 1; d >= 0 && from >= 0; d--) {
            int64_t k = padded_index(rest % y->dim[d] - begin[d], x->dim[d], (pad_mode)p->mode);
            from = k < 0 ? -1 : from + k * stride[d];
            rest /= y->dim[d];
        }
        memcpy(byte_at(y->data, i, size), from < 0 ? value : byte_at(x->data, from, size), size);
    }
    return HEARTH_OK;
}

// --- Compress -----------------------------------------------------------------------------------

typedef struct compress_params { int64_t axis; } compress_params;

static hearth_status compress_axis(const op_call *c, int *axis, int64_t *n)
{
    const tensor *x = c->in[0];
    int64_t given = ((const compress_params *)c->params)->axis;
    *axis = -1;
    *n = tensor_items(x);
    if (given == INT64_MIN) return HEARTH_OK;
    HEARTH_TRY(op_axis(c, given, x->n_dims, axis));
    *n = x->dim[*axis];
    return HEARTH_OK;
}

static hearth_status shape_compress(const op_call *c)
{
    const tensor *x = c->in[0], *keep = c->in[1];
    int axis = 0;
    int64_t n = 0, kept = 0, dim[MAX_DIMS];
    HEARTH_TRY(compress_axis(c, &axis, &n));
    for (int64_t i = 0; i < i64_min(n, tensor_items(keep)); i++) {
        kept += ((const uint8_t *)keep->data)[i] != 0;
    }
    for (int d = 0; d < x->n_dims; d++) dim[d] = d == axis ? kept : x->dim[d];
    tensor_set(op_out(c, 0), x->type, axis < 0 ? 1 : x->n_dims, axis < 0 ? &kept : dim);
    return HEARTH_OK;
}

static hearth_status run_compress(const op_call *c)
{
    const tensor *x = c->in[0], *keep = c->in[1];
    int axis = 0;
    int64_t n = 0;
    HEARTH_TRY(compress_axis(c, &axis, &n));
    int64_t outer = axis < 0 ? 1 : dims_product(x->dim, 0, axis);
    int64_t inner = axis < 0 ? 1 : dims_product(x->dim, axis + 1, x->n_dims);
    size_t row = (size_t)inner * elem_bytes(x->type);
    char *to = c->out[0]->data;
    for (int64_t o = 0; row && o < outer; o++) {
        for (int64_t i = 0; i < i64_min(n, tensor_items(keep)); i++) {
            if (!((const uint8_t *)keep->data)[i]) continue;
            memcpy(to, byte_at(x->data, o * n + i, row), row);
            to += row;
        }
    }
    return HEARTH_OK;
}

// --- Dropout: what it does outside training ------------------------------------------------------

typedef struct dropout_params { float ratio; int64_t seed; } dropout_params;

static hearth_status shape_dropout(const op_call *c)
{
    const tensor *x = c->in[0], *training = op_in(c, 2), *ratio = op_in(c, 1);
    if (training && (tensor_items(training) != 1 || (ratio && tensor_items(ratio) != 1))) {
        return op_fail(c, HEARTH_E_FORMAT, "inputs that are no scalars");
    }
    bool trains = training && *(const uint8_t *)training->data;
    double share = ratio ? tensor_number(ratio, 0) : 0.5;
    if (trains && share > 0) {
        return op_fail(c, HEARTH_E_UNSUPPORTED, "training with random numbers");
    }
    tensor_set(op_out(c, 0), x->type, x->n_dims, x->dim);
    tensor_set(op_out(c, 1), T_BOOL, x->n_dims, x->dim);
    return HEARTH_OK;
}

static hearth_status run_dropout(const op_call *c)
{
    if (op_out(c, 0)) copy_first(c);
    if (op_out(c, 1)) memset(c->out[1]->data, 1, (size_t)tensor_items(c->in[0]));
    return HEARTH_OK;
}

#define AT(type, field) .at = offsetof(type, field)
static const op_attr gather_attrs[] = {{.name = "axis", .kind = OP_INT, AT(gather_params, axis)}};
static const op_attr gather_nd_attrs[] = {
    {.name = "batch_dims", .kind = OP_INT, AT(gather_params, batch_dims)}};
#define REDUCTION {.name = "reduction", .kind = OP_CHOICE, AT(gather_params, reduction), \
                   .choices = "none add mul max min"}
static const op_attr scatter_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(gather_params, axis)}, REDUCTION};
static const op_attr scatter_nd_attrs[] = {REDUCTION};
static const op_attr clip_attrs[] = {
    {.name = "min", .kind = OP_FLOAT, AT(clip_params, min), .def = (double)-3.402823e+38f},
    {.name = "max", .kind = OP_FLOAT, AT(clip_params, max), .def = (double)3.402823e+38f},
    {.name = "consumed_inputs", .kind = OP_IGNORED}};
static const op_attr pad_attrs[] = {
    {.name = "pads", .kind = OP_INTS, AT(pad_params, pads)},
    {.name = "paddings", .kind = OP_INTS, AT(pad_params, pads)},
    {.name = "value", .kind = OP_FLOAT, AT(pad_params, value)},
    {.name = "mode", .kind = OP_CHOICE, AT(pad_params, mode),
     .choices = "constant reflect edge wrap"}};
static const op_attr compress_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(compress_params, axis), .def = (double)INT64_MIN}};
static const op_attr dropout_attrs[] = {
    {.name = "ratio", .kind = OP_FLOAT, AT(dropout_params, ratio), .def = 0.5},
    {.name = "seed", .kind = OP_INT, AT(dropout_params, seed)},
    {.name = "is_test", .kind = OP_IGNORED}, {.name = "consumed_inputs", .kind = OP_IGNORED}};

#define PICK(name_, since_, in_, rows, shape_, run_)                                     \
    {.name = name_, .since = since_, .in = in_, .n_out = 1, .types = TS_ALL,             \
     OP_ATTRS(rows, gather_params), .shape = shape_, .run = run_}
static const graph_op gather_ops[] = {
    PICK("Gather", 1, "TI", gather_attrs, shape_gather, run_gather),
    PICK("GatherElements", 11, "TI", gather_attrs, shape_gather_elements, run_gather_elements),
    PICK("GatherND", 11, "TL", gather_nd_attrs, shape_gather_nd, run_gather_nd),
    PICK("Scatter", 9, "TIT", scatter_attrs, shape_scatter_elements, run_scatter_elements),
    PICK("ScatterElements", 11, "TIT", scatter_attrs, shape_scatter_elements, run_scatter_elements),
    PICK("ScatterND", 11, "TLT", scatter_nd_attrs, shape_scatter_nd, run_scatter_nd),
    {.name = "Where", .since = 9, .in = "BTT", .n_out = 1, .types = TS_ALL, .shape = shape_where,
     .run = run_where},
    {.name = "Clip", .since = 1, .until = 10, .in = "T", .n_out = 1, .types = TS_FLOAT,
     .flags = OP_WIDEN, OP_ATTRS(clip_attrs, clip_params), .shape = op_like_first,
     .run = run_clip_attrs},
    {.name = "Clip", .since = 11, .in = "TT?T?", .n_out = 1, .types = TS_NUM, .flags = OP_WIDEN,
     .shape = shape_clip, .run = run_clip},
    {.name = "Pad", .since = 1, .until = 10, .in = "T", .n_out = 1, .types = TS_NUM,
     OP_ATTRS(pad_attrs, pad_params), .shape = shape_pad, .run = run_pad},
    {.name = "Pad", .since = 11, .in = "TLT?I?", .n_out = 1, .types = TS_PLAIN, .values = 10,
     OP_ATTRS(pad_attrs, pad_params), .shape = shape_pad, .run = run_pad},
    {.name = "Compress", .since = 9, .in = "TB", .n_out = 1, .types = TS_ALL, .values = 2,
     OP_ATTRS(compress_attrs, compress_params), .shape = shape_compress, .run = run_compress},
    {.name = "Dropout", .since = 1, .in = "TF?B?", .n_out = 2, .types = TS_FLOAT | TS_HALF,
     .values = 6, OP_ATTRS(dropout_attrs, dropout_params), .shape = shape_dropout,
     .run = run_dropout},
};
OP_FAMILY(ops_gather, "", gather_ops);
