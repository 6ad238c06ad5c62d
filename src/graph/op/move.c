// Operators that move elements without looking at them: any type, by element size.
//
// Most are a strided copy: out[i] = in[offset + sum i_d * stride_d], with strides that permute
// (Transpose), step or run backwards (Slice) or stand still (Expand, Tile).
#include "graph/op/op.h"

#include <string.h>

static void copy_all(const tensor *from, tensor *to)
{
    size_t n = (size_t)tensor_items(from) * elem_bytes(from->type);
    if (to && n) memcpy(to->data, from->data, n);
}

static hearth_status run_copy(const op_call *c)
{
    copy_all(c->in[0], op_out(c, 0));
    return HEARTH_OK;
}

// --- Reshape, Flatten, Squeeze, Unsqueeze --------------------------------------------------------

typedef struct shape_params { op_ints shape, axes; int64_t allow_zero, axis; } shape_params;

// A list from attribute or input: operators moved theirs from the one to the other.
typedef struct int_list { int64_t n; int64_t v[MAX_DIMS]; bool given; } int_list;

static hearth_status read_list(const op_call *c, const op_ints *attr, int input, int_list *out)
{
    const tensor *t = op_in(c, input);
    *out = (int_list){.given = attr->given || t};
    out->n = t ? tensor_items(t) : attr->n;
    if (out->n > MAX_DIMS) return op_fail(c, HEARTH_E_LIMIT, "more than %d axes", MAX_DIMS);
    for (int64_t i = 0; i < out->n; i++) out->v[i] = t ? tensor_int(t, i) : attr->v[i];
    return HEARTH_OK;
}

static hearth_status shape_reshape(const op_call *c)
{
    const shape_params *p = c->params;
    const tensor *x = c->in[0];
    int_list want;
    HEARTH_TRY(read_list(c, &p->shape, 1, &want));
    int64_t known = 1, free_axis = -1, items = tensor_items(x);
    for (int64_t d = 0; d < want.n; d++) {
        if (want.v[d] == 0 && !p->allow_zero && d < x->n_dims) want.v[d] = x->dim[d];
        if (want.v[d] == -1) {
            if (free_axis >= 0) return op_fail(c, HEARTH_E_FORMAT, "two dimensions of -1");
            free_axis = d;
        } else if (want.v[d] < 0 || !mul_ok_i64(known, want.v[d], &known)) {
            return op_fail(c, HEARTH_E_FORMAT, "a dimension of %lld", (long long)want.v[d]);
        }
    }
    if (free_axis >= 0) want.v[free_axis] = known > 0 ? items / known : 0;
    if (free_axis >= 0) known *= want.v[free_axis];
    if (known != items) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld elements into a shape of %lld", (long long)items,
                       (long long)known);
    }
    tensor_set(op_out(c, 0), x->type, (int)want.n, want.v);
    return HEARTH_OK;
}

static hearth_status shape_flatten(const op_call *c)
{
    const tensor *x = c->in[0];
    int64_t axis = ((const shape_params *)c->params)->axis;
    if (axis < -x->n_dims || axis > x->n_dims) {
        return op_fail(c, HEARTH_E_FORMAT, "axis %lld of %d dimensions", (long long)axis,
                       x->n_dims);
    }
    int cut = (int)(axis < 0 ? axis + x->n_dims : axis);
    int64_t dim[2] = {dims_product(x->dim, 0, cut), dims_product(x->dim, cut, x->n_dims)};
    tensor_set(op_out(c, 0), x->type, 2, dim);
    return HEARTH_OK;
}

static hearth_status shape_squeeze(const op_call *c)
{
    const tensor *x = c->in[0];
    int_list axes;
    bool drop[MAX_DIMS];
    int64_t dim[MAX_DIMS];
    int n = 0;
    HEARTH_TRY(read_list(c, &((const shape_params *)c->params)->axes, 1, &axes));
    HEARTH_TRY(op_axes(c, axes.v, axes.n, x->n_dims, drop));
    for (int d = 0; d < x->n_dims; d++) {
        if (axes.given && drop[d] && x->dim[d] != 1) {
            return op_fail(c, HEARTH_E_FORMAT, "dimension %d is %lld, not 1", d,
                           (long long)x->dim[d]);
        }
        if (axes.given ? !drop[d] : x->dim[d] != 1) dim[n++] = x->dim[d];
    }
    tensor_set(op_out(c, 0), x->type, n, dim);
    return HEARTH_OK;
}

static hearth_status shape_unsqueeze(const op_call *c)
{
    const tensor *x = c->in[0];
    int_list axes;
    bool is_new[MAX_DIMS];
    int64_t dim[MAX_DIMS];
    HEARTH_TRY(read_list(c, &((const shape_params *)c->params)->axes, 1, &axes));
    int n = x->n_dims + (int)axes.n;
    if (n > MAX_DIMS) return op_fail(c, HEARTH_E_LIMIT, "more than %d dimensions", MAX_DIMS);
    HEARTH_TRY(op_axes(c, axes.v, axes.n, n, is_new));
    for (int d = 0, from = 0; d < n; d++) dim[d] = is_new[d] ? 1 : x->dim[from++];
    tensor_set(op_out(c, 0), x->type, n, dim);
    return HEARTH_OK;
}

// --- Transpose ----------------------------------------------------------------------------------

typedef struct perm_params { op_ints perm; } perm_params;

static int perm_at(const op_call *c, int d)
{
    const op_ints *perm = &((const perm_params *)c->params)->perm;
    return perm->given ? (int)perm->v[d] : c->in[0]->n_dims - 1 - d;
}

static hearth_status shape_transpose(const op_call *c)
{
    const tensor *x = c->in[0];
    const op_ints *perm = &((const perm_params *)c->params)->perm;
    bool seen[MAX_DIMS];
    int64_t dim[MAX_DIMS];
    if (perm->given) {
        if (perm->n != x->n_dims) {
            return op_fail(c, HEARTH_E_FORMAT, "perm of %d for %d dimensions", perm->n, x->n_dims);
        }
        for (int d = 0; d < perm->n; d++) {
            if (perm->v[d] < 0) return op_fail(c, HEARTH_E_FORMAT, "a negative axis in perm");
        }
        HEARTH_TRY(op_axes(c, perm->v, perm->n, x->n_dims, seen));
    }
    for (int d = 0; d < x->n_dims; d++) dim[d] = x->dim[perm_at(c, d)];
    tensor_set(op_out(c, 0), x->type, x->n_dims, dim);
    return HEARTH_OK;
}

static hearth_status run_transpose(const op_call *c)
{
    const tensor *x = c->in[0], *y = c->out[0];
    int64_t own[MAX_DIMS], stride[MAX_DIMS];
    strides_of(x, own);
    for (int d = 0; d < x->n_dims; d++) stride[d] = own[perm_at(c, d)];
    copy_strided(y->data, x->data, elem_bytes(x->type), y->n_dims, y->dim, stride);
    return HEARTH_OK;
}

// --- Expand, Tile -------------------------------------------------------------------------------

static hearth_status shape_expand(const op_call *c)
{
    const tensor *x = c->in[0];
    tensor want = {.type = T_I64};
    if (tensor_items(c->in[1]) > MAX_DIMS) {
        return op_fail(c, HEARTH_E_LIMIT, "more than %d dimensions", MAX_DIMS);
    }
    want.n_dims = (int)tensor_items(c->in[1]);
    for (int d = 0; d < want.n_dims; d++) want.dim[d] = tensor_int(c->in[1], d);
    const tensor *in[2] = {x, &want};
    if (op_out(c, 0)) c->out[0]->type = x->type;
    return op_broadcast(c, in, 2, op_out(c, 0));
}

static hearth_status run_expand(const op_call *c)
{
    const tensor *x = c->in[0], *y = c->out[0];
    int64_t stride[MAX_DIMS];
    strides_broadcast(x, y, stride);
    copy_strided(y->data, x->data, elem_bytes(x->type), y->n_dims, y->dim, stride);
    return HEARTH_OK;
}

static hearth_status shape_tile(const op_call *c)
{
    const tensor *x = c->in[0];
    int64_t dim[MAX_DIMS];
    if (tensor_items(c->in[1]) != x->n_dims) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld repeats for %d dimensions",
                       (long long)tensor_items(c->in[1]), x->n_dims);
    }
    for (int d = 0; d < x->n_dims; d++) {
        int64_t times = tensor_int(c->in[1], d);
        if (times < 0 || !mul_ok_i64(x->dim[d], times, &dim[d])) {
            return op_fail(c, HEARTH_E_FORMAT, "%lld repeats", (long long)times);
        }
    }
    tensor_set(op_out(c, 0), x->type, x->n_dims, dim);
    return HEARTH_OK;
}

// Row by row of the output: whole rows of the input, repeated.
static hearth_status run_tile(const op_call *c)
{
    const tensor *x = c->in[0], *y = c->out[0];
    size_t size = elem_bytes(x->type);
    int n = x->n_dims;
    int64_t own[MAX_DIMS], at[MAX_DIMS] = {0};
    if (n == 0) return run_copy(c);
    int64_t row = x->dim[n - 1], total = tensor_items(y);
    strides_of(x, own);
    for (int64_t i = 0; i < total; i += row) {
        int64_t from = 0;
        for (int d = 0; d < n - 1; d++) from += at[d] % x->dim[d] * own[d];
        memcpy(byte_at(y->data, i, size), byte_at(x->data, from, size), (size_t)row * size);
        at[n - 1] += row;
        for (int d = n - 1; d > 0 && at[d] == y->dim[d]; d--) at[d] = 0, at[d - 1]++;
    }
    return HEARTH_OK;
}

// --- Slice --------------------------------------------------------------------------------------

typedef struct slice_params { op_ints starts, ends, axes; } slice_params;
typedef struct slice_plan { int64_t start[MAX_DIMS], step[MAX_DIMS], dim[MAX_DIMS]; } slice_plan;

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

// One axis, by NumPy's rules for slices.
static hearth_status slice_axis(const op_call *c, int64_t n, int64_t start, int64_t end,
                                int64_t step, slice_plan *out, int d)
{
    if (step == 0 || step == INT64_MIN) return op_fail(c, HEARTH_E_ARG, "a step of zero");
    if (start < 0) start = start < -n ? -1 : start + n;
    if (end < 0) end = end < -n ? -1 : end + n;
    int64_t span;
    if (step > 0) {
        start = clamp(start, 0, n);
        end = clamp(end, 0, n);
        span = end - start;
    } else {
        start = clamp(start, -1, n - 1);
        end = clamp(end, -1, n - 1);
        span = start - end;
    }
    int64_t size = step > 0 ? step : -step;
    out->start[d] = start;
    out->step[d] = step;
    out->dim[d] = span <= 0 ? 0 : 1 + (span - 1) / size;
    return HEARTH_OK;
}

static int64_t list_at(const op_call *c, int input, const op_ints *attr, int64_t i)
{
    return op_in(c, input) ? tensor_int(c->in[input], i) : attr->v[i];
}

static int64_t list_n(const op_call *c, int input, const op_ints *attr)
{
    return op_in(c, input) ? tensor_items(c->in[input]) : attr->n;
}

static hearth_status plan_slice(const op_call *c, slice_plan *out)
{
    static const op_ints none = {0};
    const slice_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t n = list_n(c, 1, &p->starts), n_axes = list_n(c, 3, &p->axes);
    int64_t n_steps = list_n(c, 4, &none);
    if (n > x->n_dims || list_n(c, 2, &p->ends) != n || (n_axes && n_axes != n) ||
        (n_steps && n_steps != n)) {
        return op_fail(c, HEARTH_E_FORMAT, "starts, ends, axes and steps of different lengths");
    }
    for (int d = 0; d < x->n_dims; d++) {
        out->start[d] = 0;
        out->step[d] = 1;
        out->dim[d] = x->dim[d];
    }
    for (int64_t i = 0; i < n; i++) {
        int d = 0;
        HEARTH_TRY(op_axis(c, n_axes ? list_at(c, 3, &p->axes, i) : i, x->n_dims, &d));
        HEARTH_TRY(slice_axis(c, x->dim[d], list_at(c, 1, &p->starts, i),
                              list_at(c, 2, &p->ends, i), n_steps ? list_at(c, 4, &none, i) : 1,
                              out, d));
    }
    return HEARTH_OK;
}

static hearth_status shape_slice(const op_call *c)
{
    slice_plan s;
    HEARTH_TRY(plan_slice(c, &s));
    tensor_set(op_out(c, 0), c->in[0]->type, c->in[0]->n_dims, s.dim);
    return HEARTH_OK;
}

static hearth_status run_slice(const op_call *c)
{
    slice_plan s;
    const tensor *x = c->in[0];
    tensor *y = c->out[0];
    int64_t own[MAX_DIMS], stride[MAX_DIMS], offset = 0;
    size_t size = elem_bytes(x->type);
    HEARTH_TRY(plan_slice(c, &s));
    if (tensor_items(y) == 0) return HEARTH_OK;
    strides_of(x, own);
    for (int d = 0; d < x->n_dims; d++) {
        offset += s.start[d] * own[d];
        stride[d] = s.dim[d] > 1 ? own[d] * s.step[d] : 0;
    }
    copy_strided(y->data, byte_at(x->data, offset, size), size, y->n_dims, s.dim, stride);
    return HEARTH_OK;
}

// --- Concat, Split ------------------------------------------------------------------------------

typedef struct axis_params { int64_t axis, num_outputs; op_ints split; } axis_params;

// Copies n rows of `bytes` between two grids of rows.
static void copy_rows(char *to, size_t to_step, const char *from, size_t from_step, size_t bytes,
                      int64_t n)
{
    for (int64_t i = 0; bytes && i < n; i++, to += to_step, from += from_step) {
        memcpy(to, from, bytes);
    }
}

static hearth_status shape_concat(const op_call *c)
{
    const tensor *first = c->in[0];
    int64_t dim[MAX_DIMS];
    int axis = 0;
    HEARTH_TRY(op_axis(c, ((const axis_params *)c->params)->axis, first->n_dims, &axis));
    for (int d = 0; d < first->n_dims; d++) dim[d] = first->dim[d];
    for (int i = 1; i < c->n_in; i++) {
        const tensor *t = c->in[i];
        if (!t || t->n_dims != first->n_dims) {
            return op_fail(c, HEARTH_E_FORMAT, "input %d has another rank", i);
        }
        for (int d = 0; d < t->n_dims; d++) {
            if (d != axis && t->dim[d] != dim[d]) {
                return op_fail(c, HEARTH_E_FORMAT, "input %d: dimension %d is %lld, not %lld", i, d,
                               (long long)t->dim[d], (long long)dim[d]);
            }
        }
        dim[axis] += t->dim[axis];
    }
    tensor_set(op_out(c, 0), first->type, first->n_dims, dim);
    return HEARTH_OK;
}

static hearth_status run_concat(const op_call *c)
{
    tensor *y = c->out[0];
    size_t size = elem_bytes(y->type);
    int axis = 0;
    HEARTH_TRY(op_axis(c, ((const axis_params *)c->params)->axis, y->n_dims, &axis));
    int64_t rows = dims_product(y->dim, 0, axis);
    size_t step = (size_t)dims_product(y->dim, axis, y->n_dims) * size;
    char *to = y->data;
    for (int i = 0; i < c->n_in; i++) {
        size_t bytes = (size_t)dims_product(c->in[i]->dim, axis, y->n_dims) * size;
        copy_rows(to, step, c->in[i]->data, bytes, bytes, rows);
        to += bytes;
    }
    return HEARTH_OK;
}

// Length of part i: given, or equal parts of which the last may be smaller.
static int64_t part_length(const op_call *c, int axis, int i)
{
    const axis_params *p = c->params;
    int64_t n = c->in[0]->dim[axis], parts = p->num_outputs ? p->num_outputs : c->n_out;
    if (op_in(c, 1)) return tensor_int(c->in[1], i);
    if (p->split.given) return p->split.v[i];
    int64_t part = (n + parts - 1) / parts;
    return i64_max(0, i64_min(part, n - part * i));
}

static hearth_status shape_split(const op_call *c)
{
    const axis_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t dim[MAX_DIMS], sum = 0;
    int axis = 0;
    HEARTH_TRY(op_axis(c, p->axis, x->n_dims, &axis));
    int64_t n = op_in(c, 1) ? tensor_items(c->in[1]) : p->split.given ? p->split.n : c->n_out;
    if (n < c->n_out || c->n_out == 0 || p->num_outputs < 0) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld parts for %d outputs", (long long)n, c->n_out);
    }
    for (int d = 0; d < x->n_dims; d++) dim[d] = x->dim[d];
    for (int i = 0; i < c->n_out; i++) {
        dim[axis] = part_length(c, axis, i);
        if (dim[axis] < 0 || dim[axis] > x->dim[axis] - sum) {
            return op_fail(c, HEARTH_E_FORMAT, "the parts are longer than %lld",
                           (long long)x->dim[axis]);
        }
        sum += dim[axis];
        tensor_set(c->out[i], x->type, x->n_dims, dim);
    }
    return HEARTH_OK;
}

static hearth_status run_split(const op_call *c)
{
    const tensor *x = c->in[0];
    size_t size = elem_bytes(x->type);
    int axis = 0;
    HEARTH_TRY(op_axis(c, ((const axis_params *)c->params)->axis, x->n_dims, &axis));
    int64_t rows = dims_product(x->dim, 0, axis), inner = dims_product(x->dim, axis + 1, x->n_dims);
    size_t step = (size_t)(x->dim[axis] * inner) * size;
    const char *from = x->data;
    for (int i = 0; i < c->n_out; i++) {
        size_t bytes = (size_t)(part_length(c, axis, i) * inner) * size;
        if (c->out[i]) copy_rows(c->out[i]->data, bytes, from, step, bytes, rows);
        from += bytes;
    }
    return HEARTH_OK;
}

// --- DepthToSpace, SpaceToDepth ------------------------------------------------------------------

typedef struct block_params { int64_t size, mode; } block_params;

static hearth_status check_block(const op_call *c)
{
    const tensor *x = c->in[0];
    int64_t b = ((const block_params *)c->params)->size;
    if (x->n_dims != 4 || b < 1 || b > 1 << 15) {
        return op_fail(c, HEARTH_E_FORMAT, "blocks of %lld in %d dimensions", (long long)b,
                       x->n_dims);
    }
    return HEARTH_OK;
}

static hearth_status shape_depth_to_space(const op_call *c)
{
    HEARTH_TRY(check_block(c));
    const int64_t *x = c->in[0]->dim, b = ((const block_params *)c->params)->size;
    if (x[1] % (b * b)) return op_fail(c, HEARTH_E_FORMAT, "channels do not divide");
    int64_t dim[4] = {x[0], x[1] / (b * b), x[2] * b, x[3] * b};
    tensor_set(op_out(c, 0), c->in[0]->type, 4, dim);
    return HEARTH_OK;
}

static hearth_status shape_space_to_depth(const op_call *c)
{
    HEARTH_TRY(check_block(c));
    const int64_t *x = c->in[0]->dim, b = ((const block_params *)c->params)->size;
    if (x[2] % b || x[3] % b) return op_fail(c, HEARTH_E_FORMAT, "the image does not divide");
    int64_t dim[4] = {x[0], x[1] * b * b, x[2] / b, x[3] / b};
    tensor_set(op_out(c, 0), c->in[0]->type, 4, dim);
    return HEARTH_OK;
}

// Views the input as six dimensions and copies it with their order changed.
static void permute_blocks(const op_call *c, const int64_t view[6], const int order[6])
{
    int64_t own[6], dim[6], stride[6], step = 1;
    for (int d = 5; d >= 0; d--) own[d] = step, step *= view[d];
    for (int d = 0; d < 6; d++) dim[d] = view[order[d]], stride[d] = own[order[d]];
    copy_strided(c->out[0]->data, c->in[0]->data, elem_bytes(c->in[0]->type), 6, dim, stride);
}

static hearth_status run_depth_to_space(const op_call *c)
{
    static const int dcr[6] = {0, 3, 4, 1, 5, 2}, crd[6] = {0, 1, 4, 2, 5, 3};
    const block_params *p = c->params;
    const int64_t *x = c->in[0]->dim, b = p->size, depth = x[1] / (b * b);
    int64_t view_dcr[6] = {x[0], b, b, depth, x[2], x[3]};
    int64_t view_crd[6] = {x[0], depth, b, b, x[2], x[3]};
    permute_blocks(c, p->mode ? view_crd : view_dcr, p->mode ? crd : dcr);
    return HEARTH_OK;
}

static hearth_status run_space_to_depth(const op_call *c)
{
    static const int order[6] = {0, 3, 5, 1, 2, 4};
    const int64_t *x = c->in[0]->dim, b = ((const block_params *)c->params)->size;
    int64_t view[6] = {x[0], x[1], x[2] / b, b, x[3] / b, b};
    permute_blocks(c, view, order);
    return HEARTH_OK;
}

#define AT(type, field) .at = offsetof(type, field)
static const op_attr reshape_attrs[] = {
    {.name = "shape", .kind = OP_INTS, AT(shape_params, shape)},
    {.name = "allowzero", .kind = OP_INT, AT(shape_params, allow_zero)},
    {.name = "consumed_inputs", .kind = OP_IGNORED},
};
static const op_attr axes_attrs[] = {{.name = "axes", .kind = OP_INTS, AT(shape_params, axes)}};
static const op_attr flatten_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(shape_params, axis), .def = 1}};
static const op_attr perm_attrs[] = {{.name = "perm", .kind = OP_INTS, AT(perm_params, perm)}};
static const op_attr slice_attrs[] = {
    {.name = "starts", .kind = OP_INTS, AT(slice_params, starts)},
    {.name = "ends", .kind = OP_INTS, AT(slice_params, ends)},
    {.name = "axes", .kind = OP_INTS, AT(slice_params, axes)},
};
static const op_attr concat_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(axis_params, axis), .def = 1}};
static const op_attr split_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(axis_params, axis)},
    {.name = "split", .kind = OP_INTS, AT(axis_params, split)},
    {.name = "num_outputs", .kind = OP_INT, AT(axis_params, num_outputs)},
};
static const op_attr block_attrs[] = {
    {.name = "blocksize", .kind = OP_INT, .is_required = true, AT(block_params, size)},
    {.name = "mode", .kind = OP_CHOICE, AT(block_params, mode), .choices = "DCR CRD"},
};

#define MOVE(name_, in_) .name = name_, .in = in_, .n_out = 1, .types = TS_ALL
static const graph_op move_ops[] = {
    {MOVE("Identity", "T"), .since = 1, .shape = op_like_first, .run = run_copy},
    {MOVE("Reshape", "T"), .since = 1, .until = 4, OP_ATTRS(reshape_attrs, shape_params),
     .shape = shape_reshape, .run = run_copy},
    {MOVE("Reshape", "TL"), .since = 5, .values = 2, OP_ATTRS(reshape_attrs, shape_params),
     .shape = shape_reshape, .run = run_copy},
    {MOVE("Flatten", "T"), .since = 1, OP_ATTRS(flatten_attrs, shape_params),
     .shape = shape_flatten, .run = run_copy},
    {MOVE("Squeeze", "TL?"), .since = 1, .values = 2, OP_ATTRS(axes_attrs, shape_params),
     .shape = shape_squeeze, .run = run_copy},
    {MOVE("Unsqueeze", "TL?"), .since = 1, .values = 2, OP_ATTRS(axes_attrs, shape_params),
     .shape = shape_unsqueeze, .run = run_copy},
    {MOVE("Transpose", "T"), .since = 1, OP_ATTRS(perm_attrs, perm_params),
     .shape = shape_transpose, .run = run_transpose},
    {MOVE("Expand", "TL"), .since = 8, .values = 2, .shape = shape_expand, .run = run_expand},
    {MOVE("Tile", "TL"), .since = 6, .values = 2, .shape = shape_tile, .run = run_tile},
    {MOVE("Slice", "T"), .since = 1, .until = 9, OP_ATTRS(slice_attrs, slice_params),
     .shape = shape_slice, .run = run_slice},
    {MOVE("Slice", "TIII?I?"), .since = 10, .values = 30, .params_bytes = sizeof(slice_params),
     .shape = shape_slice, .run = run_slice},
    {MOVE("Concat", "T*"), .since = 1, OP_ATTRS(concat_attrs, axis_params), .shape = shape_concat,
     .run = run_concat},
    {.name = "Split", .in = "TL?", .n_out = -1, .types = TS_ALL, .since = 1, .values = 2,
     OP_ATTRS(split_attrs, axis_params), .shape = shape_split, .run = run_split},
    {MOVE("DepthToSpace", "T"), .since = 1, OP_ATTRS(block_attrs, block_params),
     .shape = shape_depth_to_space, .run = run_depth_to_space},
    {MOVE("SpaceToDepth", "T"), .since = 1, OP_ATTRS(block_attrs, block_params),
     .shape = shape_space_to_depth, .run = run_space_to_depth},
};
OP_FAMILY(ops_move, "", move_ops);
