// Resize and Upsample: every element of the result is a weighted sum of a small box of the input.
//
// Filters are separable, so each axis has a table of taps: for every position of the result,
// `width` offsets into the input and their weights. plan() asks for these tables, run() fills them
// and walks the result. Axes that keep their length have one tap of weight 1; the leading ones of
// them (batch and channels) are plain outer loops.
//
//   nearest  1 tap    linear  2    cubic  4    with antialias and a scale below 1: 2 or 4 / scale
//
// Positions outside are those of the edge (or are left out with exclude_outside). Sums run in
// double over the box in memory order.
#include "graph/op/op.h"

#include <math.h>
#include <string.h>

typedef struct resize_params {
    int64_t mode, nearest, coordinates, policy, antialias, exclude_outside;
    float cubic_a, extrapolation;
    op_ints axes;
    op_floats scales;
} resize_params;
enum { MODE_NEAREST, MODE_LINEAR, MODE_CUBIC };
enum { NEAREST_PREFER_FLOOR, NEAREST_PREFER_CEIL, NEAREST_FLOOR, NEAREST_CEIL };
// Without the attribute (before opset 11) it is the first.
enum { AT_ASYMMETRIC, AT_HALF_PIXEL, AT_PYTORCH, AT_SYMMETRIC, AT_CORNERS, AT_TF_NEAREST, AT_CROP };
enum { POLICY_STRETCH, POLICY_NOT_LARGER, POLICY_NOT_SMALLER };

typedef struct resize_axis {
    int64_t in, out;
    double scale, start, end; // start, end: of the region, for AT_CROP
} resize_axis;
typedef struct tap { int64_t offset; double weight; } tap; // offset -1: outside the region

// --- shape --------------------------------------------------------------------------------------

// Upsample and the first Resize have their scales as second input.
static const tensor *given(const op_call *c, int i)
{
    const tensor *t = op_in(c, c->opset < 11 && i == 2 ? 1 : c->opset < 11 ? 3 : i);
    return t && tensor_items(t) > 0 ? t : NULL;
}

// The dimensions that inputs speak of, in their order.
static hearth_status read_axes(const op_call *c, int *axes, int *n)
{
    const resize_params *p = c->params;
    int n_dims = c->in[0]->n_dims;
    bool seen[MAX_DIMS];
    *n = p->axes.given ? p->axes.n : n_dims;
    if (p->axes.given) HEARTH_TRY(op_axes(c, p->axes.v, p->axes.n, n_dims, seen));
    for (int i = 0; i < *n; i++) {
        axes[i] = i;
        if (p->axes.given) HEARTH_TRY(op_axis(c, p->axes.v[i], n_dims, &axes[i]));
    }
    return HEARTH_OK;
}

static hearth_status set_by_scale(const op_call *c, resize_axis *a, double scale)
{
    double out = floor((double)a->in * scale);
    if (!(scale > 0) || !(out <= (double)LIMIT_GRAPH_ITEMS)) {
        return op_fail(c, HEARTH_E_FORMAT, "scale %g for %lld elements", scale, (long long)a->in);
    }
    a->scale = scale;
    a->out = (int64_t)out;
    return HEARTH_OK;
}

static hearth_status read_scales(const op_call *c, const int *axes, int n, resize_axis *a)
{
    const op_floats *list = &((const resize_params *)c->params)->scales;
    const tensor *t = given(c, 2);
    int64_t have = t ? tensor_items(t) : list->n;
    if (have != n) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld scales for %d axes", (long long)have, n);
    }
    for (int i = 0; i < n; i++) {
        double scale = t ? tensor_number(t, i) : (double)list->v[i];
        HEARTH_TRY(set_by_scale(c, &a[axes[i]], scale));
    }
    return HEARTH_OK;
}

// One scale for all axes, with which the result just fits into the sizes or just covers them.
static double common_scale(const op_call *c, const tensor *sizes, const int *axes, int n,
                           const resize_axis *a)
{
    bool smallest = ((const resize_params *)c->params)->policy == POLICY_NOT_LARGER;
    double scale = smallest ? (double)INFINITY : 0;
    for (int i = 0; i < n; i++) {
        double s = (double)tensor_int(sizes, i) / (double)a[axes[i]].in;
        scale = smallest ? fmin(scale, s) : fmax(scale, s);
    }
    return scale;
}

static hearth_status read_sizes(const op_call *c, const tensor *sizes, const int *axes, int n,
                                resize_axis *a)
{
    if (tensor_items(sizes) != n) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld sizes for %d axes",
                       (long long)tensor_items(sizes), n);
    }
    bool is_common = ((const resize_params *)c->params)->policy != POLICY_STRETCH;
    for (int i = 0; i < n; i++) {
        resize_axis *x = &a[axes[i]];
        int64_t size = tensor_int(sizes, i);
        if (size < 0 || size > LIMIT_GRAPH_ITEMS || x->in == 0) {
            return op_fail(c, HEARTH_E_FORMAT, "size %lld for %lld elements", (long long)size,
                           (long long)x->in);
        }
        x->out = size;
        x->scale = (double)size / (double)x->in;
    }
    double scale = is_common ? common_scale(c, sizes, axes, n, a) : 0;
    for (int i = 0; is_common && i < n; i++) {
        resize_axis *x = &a[axes[i]];
        if (!(scale * (double)x->in < (double)LIMIT_GRAPH_ITEMS)) {
            return op_fail(c, HEARTH_E_LIMIT, "a scale of %g", scale);
        }
        x->scale = scale;
        x->out = (int64_t)floor(scale * (double)x->in + 0.5);
    }
    return HEARTH_OK;
}

static hearth_status plan_axes(const op_call *c, resize_axis *a)
{
    const tensor *x = c->in[0], *sizes = given(c, 3);
    int axes[MAX_DIMS] = {0}, n = 0;
    for (int d = 0; d < x->n_dims; d++) a[d] = (resize_axis){x->dim[d], x->dim[d], 1, 0, 1};
    HEARTH_TRY(read_axes(c, axes, &n));
    HEARTH_TRY(sizes ? read_sizes(c, sizes, axes, n, a) : read_scales(c, axes, n, a));
    for (int d = 0; d < x->n_dims; d++) {
        if (a[d].in == 0 && a[d].out > 0) return op_fail(c, HEARTH_E_FORMAT, "an empty axis grows");
    }
    return HEARTH_OK;
}

static hearth_status shape_resize(const op_call *c)
{
    resize_axis a[MAX_DIMS];
    int64_t dim[MAX_DIMS];
    HEARTH_TRY(plan_axes(c, a));
    for (int d = 0; d < c->in[0]->n_dims; d++) dim[d] = a[d].out;
    tensor_set(op_out(c, 0), c->in[0]->type, c->in[0]->n_dims, dim);
    return HEARTH_OK;
}

// --- taps ---------------------------------------------------------------------------------------

static bool is_whole(const resize_axis *a)
{
    return a->in == a->out && a->scale == 1;
}

// Half the width of the filter: it reaches from floor(x) - reach + 1 to floor(x) + reach.
static double reach_of(const resize_params *p, const resize_axis *a)
{
    double reach = p->mode == MODE_CUBIC ? 2 : 1;
    return p->antialias && a->scale < 1 ? ceil(reach / a->scale) : reach;
}

static bool needs_one_tap(const resize_params *p, const resize_axis *a)
{
    return p->mode == MODE_NEAREST || (is_whole(a) && p->coordinates != AT_CROP);
}

static hearth_status tap_width(const op_call *c, const resize_axis *a, size_t *out)
{
    const resize_params *p = c->params;
    double reach = reach_of(p, a);
    *out = 1;
    if (needs_one_tap(p, a)) return HEARTH_OK;
    // Wider filters than twice the input only repeat its edges.
    if (!(reach < 4 * (double)a->in + 8)) {
        return op_fail(c, HEARTH_E_LIMIT, "a filter of %g taps", 2 * reach);
    }
    *out = 2 * (size_t)reach;
    return HEARTH_OK;
}

static hearth_status scratch_resize(const op_call *c, size_t *out)
{
    resize_axis a[MAX_DIMS];
    size_t total = 0;
    HEARTH_TRY(plan_axes(c, a));
    for (int d = 0; d < c->in[0]->n_dims; d++) {
        size_t width = 0, n;
        HEARTH_TRY(tap_width(c, &a[d], &width));
        if (!mul_ok((size_t)a[d].out, width * sizeof(tap), &n) || !add_ok(total, n, &total)) {
            return op_fail(c, HEARTH_E_LIMIT, "the filters are too large");
        }
    }
    *out = total;
    return HEARTH_OK;
}

// Where element i of the result lies in the input.
static double source_of(const resize_params *p, const resize_axis *a, int64_t i)
{
    double x = (double)i, in = (double)a->in, out = a->scale * in; // out: before it was rounded
    switch (p->coordinates) {
    case AT_PYTORCH: return a->out > 1 ? (x + 0.5) / a->scale - 0.5 : 0;
    case AT_SYMMETRIC:
        return in / 2 * (1 - (double)a->out / out) + (x + 0.5) / a->scale - 0.5;
    case AT_CORNERS: return a->out > 1 ? x * (in - 1) / (out - 1) : 0;
    case AT_ASYMMETRIC: return x / a->scale;
    case AT_TF_NEAREST: return (x + 0.5) / a->scale;
    case AT_CROP:
        if (a->out <= 1) return (a->start + a->end) / 2 * (in - 1);
        return a->start * (in - 1) + x * (a->end - a->start) * (in - 1) / (out - 1);
    default: return (x + 0.5) / a->scale - 0.5;
    }
}

static double round_nearest(const op_call *c, const resize_axis *a, double x)
{
    const resize_params *p = c->params;
    if (c->opset < 11) return a->scale < 1 ? ceil(x) : floor(x);
    switch (p->nearest) {
    case NEAREST_PREFER_CEIL: return floor(x + 0.5);
    case NEAREST_FLOOR: return floor(x);
    case NEAREST_CEIL: return ceil(x);
    default: return ceil(x - 0.5);
    }
}

static double linear_weight(double d)
{
    return fmax(0, 1 - fabs(d));
}

// Keys' cubic: two polynomials, of [0, 1] and of [1, 2].
static double cubic_weight(double a, double d)
{
    d = fabs(d);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    return 0;
}

static int64_t clamp_index(double v, int64_t n)
{
    return !(v > 0) ? 0 : v >= (double)(n - 1) ? n - 1 : (int64_t)v;
}

static void fill_filter(const resize_params *p, const resize_axis *a, double x, tap *to, int width)
{
    double first = floor(x) - width / 2 + 1, sum = 0;
    double squeeze = p->antialias ? fmin(a->scale, 1) : 1;
    for (int k = 0; k < width; k++) {
        double at = first + k, d = (at - x) * squeeze;
        bool out = at < 0 || at > (double)(a->in - 1);
        double w = p->mode == MODE_CUBIC ? cubic_weight((double)p->cubic_a, d) : linear_weight(d);
        to[k] = (tap){clamp_index(at, a->in), out && p->exclude_outside ? 0 : w};
        sum += to[k].weight;
    }
    for (int k = 0; k < width && sum != 0; k++) to[k].weight /= sum;
}

static void fill_axis(const op_call *c, const resize_axis *a, int64_t stride, tap *to, int width)
{
    const resize_params *p = c->params;
    for (int64_t i = 0; i < a->out; i++, to += width) {
        double x = source_of(p, a, i);
        if (needs_one_tap(p, a)) {
            bool kept = is_whole(a) && p->coordinates != AT_CROP;
            to[0] = (tap){kept ? i : clamp_index(round_nearest(c, a, x), a->in), 1};
        } else {
            fill_filter(p, a, x, to, width);
        }
        for (int k = 0; k < width; k++) to[k].offset *= stride;
        if (p->coordinates == AT_CROP && !(x >= 0 && x <= (double)(a->in - 1))) to[0].offset = -1;
    }
}

// --- running ------------------------------------------------------------------------------------

typedef struct resizer {
    const tensor *x;
    tensor *y;
    int first, n_dims; // axes before `first` are whole
    const tap *taps[MAX_DIMS];
    int width[MAX_DIMS];
    double outside;
} resizer;

static double value_at(const tensor *x, int64_t i)
{
    return x->type == T_F32 ? (double)((const float *)x->data)[i] : tensor_number(x, i);
}

static double sum_box(const resizer *r, const int64_t *at, int d, int64_t offset)
{
    if (d == r->n_dims) return value_at(r->x, offset);
    const tap *t = r->taps[d] + at[d] * r->width[d];
    if (r->width[d] == 1 && t->weight == 1) return sum_box(r, at, d + 1, offset + t->offset);
    double sum = 0;
    for (int k = 0; k < r->width[d]; k++) {
        if (t[k].weight != 0) sum += t[k].weight * sum_box(r, at, d + 1, offset + t[k].offset);
    }
    return sum;
}

static bool is_outside(const resizer *r, const int64_t *at)
{
    for (int d = r->first; d < r->n_dims; d++) {
        if (r->taps[d][at[d] * r->width[d]].offset < 0) return true;
    }
    return false;
}

static void put_number(tensor *y, int64_t i, double v)
{
#define CASE(id, type, low, high) \
    case id: ((type *)y->data)[i] = (type)fmin(fmax(nearbyint(v), low), high); break;
    switch (y->type) {
    case T_F32: ((float *)y->data)[i] = (float)v; break;
    case T_F64: ((double *)y->data)[i] = v; break;
    CASE(T_I8, int8_t, -128, 127)
    CASE(T_U8, uint8_t, 0, 255)
    default: ((int32_t *)y->data)[i] = (int32_t)fmin(fmax(nearbyint(v), INT32_MIN), INT32_MAX);
    }
#undef CASE
}

static int64_t nearest_offset(const resizer *r, const int64_t *at)
{
    int64_t offset = 0;
    for (int d = r->first; d < r->n_dims; d++) offset += r->taps[d][at[d]].offset;
    return offset;
}

// All of the result that belongs to one element of the whole axes.
static void resize_part(const resizer *r, const op_call *c, int64_t from, int64_t to)
{
    bool is_nearest = ((const resize_params *)c->params)->mode == MODE_NEAREST;
    size_t size = elem_bytes(r->x->type);
    int64_t at[MAX_DIMS] = {0}, n = dims_product(r->y->dim, r->first, r->n_dims);
    for (int64_t i = 0; i < n; i++) {
        if (is_outside(r, at)) {
            put_number(r->y, to + i, r->outside);
        } else if (is_nearest) {
            memcpy(byte_at(r->y->data, to + i, size),
                   byte_at(r->x->data, from + nearest_offset(r, at), size), size);
        } else {
            put_number(r->y, to + i, sum_box(r, at, r->first, from));
        }
        for (int d = r->n_dims - 1; d >= r->first && ++at[d] == r->y->dim[d]; d--) at[d] = 0;
    }
}

static hearth_status read_region(const op_call *c, resize_axis *a)
{
    const tensor *roi = given(c, 1);
    int axes[MAX_DIMS] = {0}, n = 0;
    if (((const resize_params *)c->params)->coordinates != AT_CROP) return HEARTH_OK;
    HEARTH_TRY(read_axes(c, axes, &n));
    if (!roi || tensor_items(roi) != 2 * n) {
        return op_fail(c, HEARTH_E_FORMAT, "no region of %d numbers to crop", 2 * n);
    }
    for (int i = 0; i < n; i++) {
        a[axes[i]].start = tensor_number(roi, i);
        a[axes[i]].end = tensor_number(roi, n + i);
    }
    return HEARTH_OK;
}

static hearth_status run_resize(const op_call *c)
{
    resize_axis a[MAX_DIMS];
    int64_t stride[MAX_DIMS];
    const tensor *x = c->in[0];
    resizer r = {.x = x, .y = c->out[0], .n_dims = x->n_dims,
                 .outside = (double)((const resize_params *)c->params)->extrapolation};
    tap *to = c->scratch;
    HEARTH_TRY(plan_axes(c, a));
    HEARTH_TRY(read_region(c, a));
    strides_of(x, stride);
    while (r.first < x->n_dims && is_whole(&a[r.first])) r.first++;
    for (int d = 0; d < x->n_dims; d++) {
        size_t width = 0;
        HEARTH_TRY(tap_width(c, &a[d], &width));
        fill_axis(c, &a[d], stride[d], to, (int)width);
        r.taps[d] = to;
        r.width[d] = (int)width;
        to += (size_t)a[d].out * width;
    }
    int64_t n = dims_product(x->dim, 0, r.first), size = dims_product(x->dim, r.first, x->n_dims);
    int64_t out_size = dims_product(r.y->dim, r.first, x->n_dims);
    for (int64_t i = 0; i < n; i++) resize_part(&r, c, i * size, i * out_size);
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(resize_params, field)
static const op_attr resize_attrs[] = {
    {.name = "mode", .kind = OP_CHOICE, AT(mode), .choices = "nearest linear cubic"},
    {.name = "nearest_mode", .kind = OP_CHOICE, AT(nearest),
     .choices = "round_prefer_floor round_prefer_ceil floor ceil"},
    {.name = "coordinate_transformation_mode", .kind = OP_CHOICE, AT(coordinates),
     .def = AT_HALF_PIXEL,
     .choices = "asymmetric half_pixel pytorch_half_pixel half_pixel_symmetric align_corners "
                "tf_half_pixel_for_nn tf_crop_and_resize"},
    {.name = "keep_aspect_ratio_policy", .kind = OP_CHOICE, AT(policy),
     .choices = "stretch not_larger not_smaller"},
    {.name = "antialias", .kind = OP_INT, AT(antialias)},
    {.name = "exclude_outside", .kind = OP_INT, AT(exclude_outside)},
    {.name = "cubic_coeff_a", .kind = OP_FLOAT, AT(cubic_a), .def = -0.75},
    {.name = "extrapolation_value", .kind = OP_FLOAT, AT(extrapolation)},
    {.name = "axes", .kind = OP_INTS, AT(axes)},
};
static const op_attr early_attrs[] = {
    {.name = "mode", .kind = OP_CHOICE, AT(mode), .choices = "nearest linear"},
    {.name = "scales", .kind = OP_FLOATS, AT(scales)},
};
enum { SCALES = 1 << 2, SIZES = 1 << 3, EARLY_SCALES = 1 << 1 };
#define RESIZE .n_out = 1, .flags = OP_WIDEN, .shape = shape_resize, .plan = scratch_resize, \
    .run = run_resize, .types = TS_FLOAT | BIT(T_I8) | BIT(T_U8) | BIT(T_I32)
#define EARLY .values = EARLY_SCALES, OP_ATTRS(early_attrs, resize_params)
static const graph_op resize_ops[] = {
    {RESIZE, .name = "Resize", .since = 11, .in = "TA?A?L?", .values = SCALES | SIZES,
     OP_ATTRS(resize_attrs, resize_params)},
    {RESIZE, EARLY, .name = "Resize", .since = 10, .until = 10, .in = "TA"},
    {RESIZE, EARLY, .name = "Upsample", .since = 9, .until = 9, .in = "TA"},
    {RESIZE, EARLY, .name = "Upsample", .since = 7, .until = 8, .in = "T"},
};
OP_FAMILY(ops_resize, "", resize_ops);
