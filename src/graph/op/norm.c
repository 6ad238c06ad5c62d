// Normalisations: BatchNormalization, InstanceNormalization, GroupNormalization,
// LayerNormalization, RMSNormalization, LpNormalization, LRN.
//
// Sums run in double, in memory order.
#include "graph/op/op.h"

#include <math.h>

static double get(const tensor *t, int64_t i)
{
    return t->type == T_F32 ? (double)((const float *)t->data)[i] : ((const double *)t->data)[i];
}

static void put(tensor *t, int64_t i, double v)
{
    if (!t) return;
    if (t->type == T_F32) {
        ((float *)t->data)[i] = (float)v;
    } else {
        ((double *)t->data)[i] = v;
    }
}

static bool is_vector(const tensor *t, int64_t n)
{
    return t && t->n_dims == 1 && t->dim[0] == n && (BIT(t->type) & (TS_FLOAT | TS_HALF));
}

typedef struct norm_params {
    float epsilon, momentum, alpha, beta, bias;
    int64_t axis, groups, training, p, size, stash_type;
    op_ints axes;
} norm_params;

// Mean and variance of n elements `step` apart.
typedef struct moments { double mean, variance; } moments;
static moments moments_of(const tensor *x, int64_t at, int64_t n)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) sum += get(x, at + i);
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = get(x, at + i) - mean;
        squares += d * d;
    }
    return (moments){mean, squares / (double)n};
}

// --- per channel: [N, C, ...] --------------------------------------------------------------------

static hearth_status check_channels(const op_call *c, int first, int last)
{
    const tensor *x = c->in[0];
    if (x->n_dims < 2) return op_fail(c, HEARTH_E_FORMAT, "%d dimensions", x->n_dims);
    for (int i = first; i <= last; i++) {
        if (!is_vector(op_in(c, i), x->dim[1])) {
            return op_fail(c, HEARTH_E_FORMAT, "input %d is no float vector of %lld channels", i,
                           (long long)x->dim[1]);
        }
    }
    return HEARTH_OK;
}

static hearth_status shape_batch(const op_call *c)
{
    HEARTH_TRY(check_channels(c, 1, 4));
    const tensor *x = c->in[0];
    tensor_set(op_out(c, 0), x->type, x->n_dims, x->dim);
    for (int i = 1; i < c->n_out; i++) {
        tensor_set(c->out[i], c->in[i < 3 ? i + 2 : 3]->type, 1, &x->dim[1]);
    }
    return HEARTH_OK;
}

// Mean and variance over the batch, and the running ones of training.
static moments batch_moments(const op_call *c, int64_t ch, int64_t plane)
{
    const norm_params *p = c->params;
    const tensor *x = c->in[0];
    moments given = {get(c->in[3], ch), get(c->in[4], ch)}, m = {0, 0};
    if (!p->training) return given;
    int64_t n = x->dim[0], channels = x->dim[1];
    double count = (double)(n * plane), keep = (double)p->momentum;
    for (int64_t i = 0; i < n * plane; i++) {
        m.mean += get(x, (i / plane * channels + ch) * plane + i % plane);
    }
    m.mean /= count;
    for (int64_t i = 0; i < n * plane; i++) {
        double d = get(x, (i / plane * channels + ch) * plane + i % plane) - m.mean;
        m.variance += d * d;
    }
    m.variance /= count;
    put(op_out(c, 1), ch, given.mean * keep + m.mean * (1 - keep));
    put(op_out(c, 2), ch, given.variance * keep + m.variance * (1 - keep));
    return m;
}

static hearth_status run_batch(const op_call *c)
{
    const norm_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t plane = dims_product(x->dim, 2, x->n_dims), channels = x->dim[1];
    for (int64_t ch = 0; ch < channels; ch++) {
        moments m = batch_moments(c, ch, plane);
        double scale = get(c->in[1], ch) / sqrt(m.variance + (double)p->epsilon);
        double shift = get(c->in[2], ch) - m.mean * scale;
        for (int64_t b = 0; b < x->dim[0]; b++) {
            int64_t at = (b * channels + ch) * plane;
            for (int64_t i = 0; i < plane; i++) {
                put(c->out[0], at + i, get(x, at + i) * scale + shift);
            }
        }
    }
    return HEARTH_OK;
}

static hearth_status shape_instance(const op_call *c)
{
    HEARTH_TRY(check_channels(c, 1, 2));
    return op_like_first(c);
}

static hearth_status shape_group(const op_call *c)
{
    const norm_params *p = c->params;
    const tensor *x = c->in[0];
    if (x->n_dims < 2 || p->groups < 1 || x->dim[1] % p->groups) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld groups", (long long)p->groups);
    }
    for (int i = 1; i <= 2; i++) { // one value a channel since opset 21, one a group before
        if (!is_vector(c->in[i], c->opset >= 21 ? x->dim[1] : p->groups)) {
            return op_fail(c, HEARTH_E_FORMAT, "input %d has another length", i);
        }
    }
    return op_like_first(c);
}

// An instance is a group of one channel.
static hearth_status run_group(const op_call *c)
{
    const norm_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t channels = x->dim[1], groups = p->groups ? p->groups : channels;
    int64_t plane = dims_product(x->dim, 2, x->n_dims);
    if (channels == 0) return HEARTH_OK;
    int64_t per_group = channels / groups, n = per_group * plane;
    bool by_group = c->in[1]->dim[0] == groups && groups != channels;
    for (int64_t g = 0; g < x->dim[0] * groups; g++) {
        moments m = moments_of(x, g * n, n);
        double inverse = 1 / sqrt(m.variance + (double)p->epsilon);
        for (int64_t i = 0; i < n; i++) {
            int64_t ch = by_group ? g % groups : g % groups * per_group + i / plane;
            double v = (get(x, g * n + i) - m.mean) * inverse;
            put(c->out[0], g * n + i, v * get(c->in[1], ch) + get(c->in[2], ch));
        }
    }
    return HEARTH_OK;
}

// --- over trailing axes --------------------------------------------------------------------------

static hearth_status shape_layer(const op_call *c)
{
    const tensor *x = c->in[0];
    int axis = 0;
    int64_t dim[MAX_DIMS];
    HEARTH_TRY(op_axis(c, ((const norm_params *)c->params)->axis, x->n_dims, &axis));
    for (int d = 0; d < x->n_dims; d++) dim[d] = d < axis ? x->dim[d] : 1;
    for (int i = 1; i < c->n_in; i++) {
        tensor full = *x;
        const tensor *both[2] = {x, c->in[i]};
        if (!c->in[i]) continue;
        HEARTH_TRY(op_broadcast(c, both, 2, &full));
        if (!tensor_same_shape(&full, x)) {
            return op_fail(c, HEARTH_E_FORMAT, "input %d is larger than the first", i);
        }
    }
    tensor_set(op_out(c, 0), x->type, x->n_dims, x->dim);
    tensor_set(op_out(c, 1), T_F32, x->n_dims, dim);
    tensor_set(op_out(c, 2), T_F32, x->n_dims, dim);
    return HEARTH_OK;
}

// Index into an operand that broadcasts to x.
static int64_t broadcast_index(const tensor *x, const int64_t *stride, int64_t i)
{
    int64_t at = 0;
    for (int d = x->n_dims - 1; d >= 0; d--) {
        at += i % x->dim[d] * stride[d];
        i /= x->dim[d];
    }
    return at;
}

static hearth_status run_layer(const op_call *c)
{
    const norm_params *p = c->params;
    const tensor *x = c->in[0], *scale = c->in[1], *bias = op_in(c, 2);
    bool is_rms = c->op->aux != NULL;
    int64_t scale_stride[MAX_DIMS], bias_stride[MAX_DIMS] = {0};
    int axis = 0;
    HEARTH_TRY(op_axis(c, p->axis, x->n_dims, &axis));
    int64_t rows = dims_product(x->dim, 0, axis), n = dims_product(x->dim, axis, x->n_dims);
    strides_broadcast(scale, x, scale_stride);
    if (bias) strides_broadcast(bias, x, bias_stride);
    for (int64_t r = 0; r < rows; r++) {
        moments m = moments_of(x, r * n, n);
        if (is_rms) m = (moments){0, m.variance + m.mean * m.mean};
        double inverse = 1 / sqrt(m.variance + (double)p->epsilon);
        for (int64_t i = r * n; i < (r + 1) * n; i++) {
            double v = (get(x, i) - m.mean) * inverse;
            v *= get(scale, broadcast_index(x, scale_stride, i));
            if (bias) v += get(bias, broadcast_index(x, bias_stride, i));
            put(op_out(c, 0), i, v);
        }
        put(op_out(c, 1), r, m.mean);
        put(op_out(c, 2), r, inverse);
    }
    return HEARTH_OK;
}

// --- others -------------------------------------------------------------------------------------

static hearth_status run_lp(const op_call *c)
{
    const norm_params *p = c->params;
    const tensor *x = c->in[0];
    int axis = 0;
    HEARTH_TRY(op_axis(c, p->axis, x->n_dims, &axis));
    int64_t outer = dims_product(x->dim, 0, axis), n = x->dim[axis];
    int64_t inner = dims_product(x->dim, axis + 1, x->n_dims);
    for (int64_t o = 0; o < outer * inner; o++) {
        int64_t at = o / inner * n * inner + o % inner;
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            double v = fabs(get(x, at + i * inner));
            sum += p->p == 1 ? v : v * v;
        }
        double norm = p->p == 1 ? sum : sqrt(sum);
        for (int64_t i = 0; i < n; i++) {
            double v = get(x, at + i * inner);
            put(c->out[0], at + i * inner, norm > 0 ? v / norm : 0);
        }
    }
    return HEARTH_OK;
}

static hearth_status shape_lrn(const op_call *c)
{
    const norm_params *p = c->params;
    if (c->in[0]->n_dims < 2 || p->size < 1 || p->size > LIMIT_GRAPH_ITEMS) {
        return op_fail(c, HEARTH_E_FORMAT, "size %lld over %d dimensions", (long long)p->size,
                       c->in[0]->n_dims);
    }
    return op_like_first(c);
}

// y = x / (bias + alpha / size * sum of squares over neighbouring channels) ^ beta
static hearth_status run_lrn(const op_call *c)
{
    const norm_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t channels = x->dim[1], plane = dims_product(x->dim, 2, x->n_dims);
    int64_t before = (p->size - 1) / 2, after = p->size - 1 - before;
    for (int64_t i = 0; i < tensor_items(x); i++) {
        int64_t ch = i / plane % channels, base = i - ch * plane;
        double sum = 0;
        for (int64_t k = i64_max(0, ch - before); k <= i64_min(channels - 1, ch + after); k++) {
            double v = get(x, base + k * plane);
            sum += v * v;
        }
        double d = (double)p->bias + (double)p->alpha / (double)p->size * sum;
        put(c->out[0], i, get(x, i) / pow(d, (double)p->beta));
    }
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(norm_params, field)
#define EPSILON {.name = "epsilon", .kind = OP_FLOAT, AT(epsilon), .def = (double)1e-5f}
static const op_attr batch_attrs[] = {
    EPSILON, {.name = "momentum", .kind = OP_FLOAT, AT(momentum), .def = (double)0.9f},
    {.name = "training_mode", .kind = OP_INT, AT(training)},
    {.name = "spatial", .kind = OP_IGNORED}, {.name = "is_test", .kind = OP_IGNORED},
    {.name = "consumed_inputs", .kind = OP_IGNORED},
};
static const op_attr instance_attrs[] = {EPSILON, {.name = "consumed_inputs", .kind = OP_IGNORED}};
static const op_attr group_attrs[] = {
    EPSILON, {.name = "num_groups", .kind = OP_INT, .is_required = true, AT(groups)},
    {.name = "stash_type", .kind = OP_INT, AT(stash_type), .def = 1}};
static const op_attr layer_attrs[] = {
    EPSILON, {.name = "axis", .kind = OP_INT, AT(axis), .def = -1},
    {.name = "stash_type", .kind = OP_INT, AT(stash_type), .def = 1}};
static const op_attr lp_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(axis), .def = -1},
    {.name = "p", .kind = OP_INT, AT(p), .def = 2}};
static const op_attr lrn_attrs[] = {
    {.name = "alpha", .kind = OP_FLOAT, AT(alpha), .def = (double)1e-4f},
    {.name = "beta", .kind = OP_FLOAT, AT(beta), .def = 0.75},
    {.name = "bias", .kind = OP_FLOAT, AT(bias), .def = 1},
    {.name = "size", .kind = OP_INT, .is_required = true, AT(size)},
};
#define NORM(name_, in_, n_out_, rows) .name = name_, .in = in_, .n_out = n_out_, \
    .types = TS_FLOAT, .flags = OP_WIDEN, OP_ATTRS(rows, norm_params)
static const graph_op norm_ops[] = {
    {NORM("BatchNormalization", "TAAAA", 5, batch_attrs), .since = 1, .shape = shape_batch,
     .run = run_batch},
    {NORM("InstanceNormalization", "TTT", 1, instance_attrs), .since = 1, .shape = shape_instance,
     .run = run_group},
    {NORM("GroupNormalization", "TTT", 1, group_attrs), .since = 18, .shape = shape_group,
     .run = run_group},
    {NORM("LayerNormalization", "TTT?", 3, layer_attrs), .since = 17, .shape = shape_layer,
     .run = run_layer},
    {NORM("RMSNormalization", "TT", 1, layer_attrs), .since = 23, .aux = "rms",
     .shape = shape_layer, .run = run_layer},
    {NORM("LpNormalization", "T", 1, lp_attrs), .since = 1, .shape = op_like_first, .run = run_lp},
    {NORM("LRN", "T", 1, lrn_attrs), .since = 1, .shape = shape_lrn, .run = run_lrn},
};
OP_FAMILY(ops_norm, "", norm_ops);
