// Products of codes: QLinearConv, QLinearMatMul, ConvInteger, MatMulInteger.
//
//   sum[i] = sum of (x - x_zero) (w - w_zero)              in int32, which wraps
//   y[i]   = saturate(round(sum[i] * (x_scale * w_scale / y_scale)) + y_zero)      (QLinear)
//
// Codes become int32 without their zero points in scratch, and the bodies of Conv and MatMul
// multiply those; padding is then 0 by itself. Scales and zero points are one for all, or one for
// each row of a matrix on the left, column of one on the right, or filter: as tensors that
// broadcast. Scaling is in float32, rounded to even, as other engines do, so codes agree.
#include "graph/op/product.h"
#include "graph/op/window.h"

#include <math.h>

// Which dimension the items of a vector of scales or zero points belong to.
typedef enum role { ROLE_CHANNEL, ROLE_ROW, ROLE_COLUMN } role;

typedef struct product {
    hearth_status (*shape)(const op_call *c);
    hearth_status (*plan)(const op_call *c, size_t *scratch); // or NULL
    hearth_status (*run)(const op_call *c);
    role x, w;
    bool is_linear; // x, scale, zero, w, scale, zero, y scale, zero, bias; or x, w, zero, zero
} product;

typedef struct operands {
    const tensor *x, *x_scale, *x_zero, *w, *w_scale, *w_zero, *y_scale, *y_zero, *bias;
} operands;

static operands operands_of(const op_call *c)
{
    const product *p = c->op->aux;
    if (!p->is_linear) {
        return (operands){.x = c->in[0], .w = c->in[1], .x_zero = op_in(c, 2),
                          .w_zero = op_in(c, 3)};
    }
    return (operands){c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], c->in[5], c->in[6],
                      c->in[7], op_in(c, 8)};
}

// --- scales and zero points ----------------------------------------------------------------------

// As a tensor that broadcasts to `to`, whose dimension `channel` is that of ROLE_CHANNEL.
static tensor spread(const tensor *t, role r, const tensor *to, int channel)
{
    tensor s = *t;
    if (tensor_items(t) == 1) s.n_dims = 0;
    if (s.n_dims != 1) return s;
    if (r == ROLE_ROW) s.dim[s.n_dims++] = 1;
    while (r == ROLE_CHANNEL && s.n_dims < to->n_dims - channel) s.dim[s.n_dims++] = 1;
    return s;
}

static hearth_status check_spread(const op_call *c, const tensor *t, role r, const tensor *to,
                                  int channel)
{
    if (!t) return HEARTH_OK;
    tensor s = spread(t, r, to, channel), full = *to;
    const tensor *both[2] = {to, &s};
    HEARTH_TRY(op_broadcast(c, both, 2, &full));
    if (tensor_same_shape(&full, to)) return HEARTH_OK;
    return op_fail(c, HEARTH_E_FORMAT, "a scale or zero point is larger than what it is for");
}

static bool is_code(const tensor *t)
{
    return t->type == T_U8 || t->type == T_I8;
}

static bool is_zero_of(const tensor *zero, const tensor *t)
{
    return !zero || zero->type == t->type;
}

static hearth_status check_types(const op_call *c, const operands *o)
{
    bool ok = is_code(o->x) && is_code(o->w) && is_zero_of(o->x_zero, o->x) &&
              is_zero_of(o->w_zero, o->w);
    if (((const product *)c->op->aux)->is_linear) {
        ok = ok && is_code(o->y_zero) && is_float(o->x_scale->type) &&
             is_float(o->w_scale->type) && is_float(o->y_scale->type) &&
             (!o->bias || o->bias->type == T_I32);
    }
    return ok ? HEARTH_OK : op_fail(c, HEARTH_E_UNSUPPORTED, "codes of other types than 8 bits");
}

// --- shape --------------------------------------------------------------------------------------

// The product as Conv or MatMul sees it.
typedef struct inner { const tensor *in[3]; tensor *out[1]; op_call call; } inner;

static void make_inner(const op_call *c, const tensor *x, const tensor *w, const tensor *bias,
                       tensor *y, inner *to)
{
    to->in[0] = x, to->in[1] = w, to->in[2] = bias;
    to->out[0] = y;
    to->call = *c;
    to->call.in = to->in;
    to->call.out = to->out;
    to->call.n_in = bias ? 3 : 2;
    to->call.n_out = 1;
}

static hearth_status shape_product(const op_call *c)
{
    const product *p = c->op->aux;
    operands o = operands_of(c);
    tensor y = {.n_dims = 0};
    inner part;
    HEARTH_TRY(check_types(c, &o));
    make_inner(c, o.x, o.w, o.bias, &y, &part);
    HEARTH_TRY(p->shape(&part.call));
    HEARTH_TRY(check_spread(c, o.x_zero, p->x, o.x, 1));
    HEARTH_TRY(check_spread(c, o.w_zero, p->w, o.w, 0));
    if (p->is_linear) {
        HEARTH_TRY(check_spread(c, o.x_scale, p->x, &y, 1));
        HEARTH_TRY(check_spread(c, o.w_scale, p->w, &y, 1));
        HEARTH_TRY(check_spread(c, o.y_scale, p->x, &y, 1));
        HEARTH_TRY(check_spread(c, o.y_zero, p->x, &y, 1));
    }
    tensor_set(op_out(c, 0), p->is_linear ? o.y_zero->type : T_I32, y.n_dims, y.dim);
    return HEARTH_OK;
}

// --- memory: x, w and the sums as int32, then what the product wants -----------------------------

enum { ALIGN = 64 };
static size_t wide_bytes(const tensor *t)
{
    return align_up((size_t)tensor_items(t) * sizeof(int32_t), ALIGN);
}

static tensor widened(const tensor *t, char **memory)
{
    tensor wide = *t;
    wide.type = T_I32;
    wide.data = *memory;
    if (*memory) *memory += wide_bytes(t);
    return wide;
}

static hearth_status scratch_product(const op_call *c, size_t *out)
{
    const product *p = c->op->aux;
    operands o = operands_of(c);
    char *none = NULL;
    tensor x = widened(o.x, &none), w = widened(o.w, &none);
    inner part;
    size_t own = 0;
    make_inner(c, &x, &w, o.bias, c->out[0], &part);
    if (p->plan) HEARTH_TRY(p->plan(&part.call, &own));
    *out = wide_bytes(&x) + wide_bytes(&w) + wide_bytes(c->out[0]);
    return add_ok(*out, own, out) ? HEARTH_OK : op_fail(c, HEARTH_E_LIMIT, "too much scratch");
}

// --- running ------------------------------------------------------------------------------------

static int32_t code_at(const tensor *t, int64_t i)
{
    return t->type == T_U8 ? ((const uint8_t *)t->data)[i] : ((const int8_t *)t->data)[i];
}

static void remove_zero(const tensor *t, const tensor *zero, role r, int channel, int32_t *to)
{
    int64_t stride[1][MAX_DIMS] = {{0}};
    tensor z = zero ? spread(zero, r, t, channel) : (tensor){.type = T_NONE};
    walk w;
    if (zero) strides_broadcast(&z, t, stride[0]);
    walk_init(&w, t->n_dims, t->dim, 1, (const int64_t(*)[MAX_DIMS])stride);
    for (int64_t at = 0; !w.done; walk_next(&w)) {
        for (int64_t i = 0; i < w.row; i++, at++) {
            int32_t shift = zero ? code_at(&z, w.offset[0] + i * w.row_stride[0]) : 0;
            to[at] = code_at(t, at) - shift;
        }
    }
}

static uint8_t to_code(elem type, float v, int32_t zero)
{
    float low = type == T_U8 ? 0 : -128, high = low + 255;
    v = nearbyintf(v) + (float)zero;
    return (uint8_t)(int)(v > low ? fminf(v, high) : low);
}

enum { X_SCALE, W_SCALE, Y_SCALE, Y_ZERO, SCALINGS };

static void scale_row(const walk *w, const tensor *t, const int32_t *sums, tensor *y, int64_t at)
{
    bool is_even = true;
    float scale = 0;
    int32_t zero = 0;
    for (int k = 0; k < SCALINGS; k++) is_even &= w->row_stride[k] == 0;
    for (int64_t i = 0; i < w->row; i++) {
        if (i == 0 || !is_even) {
            int64_t o[SCALINGS];
            for (int k = 0; k < SCALINGS; k++) o[k] = w->offset[k] + i * w->row_stride[k];
            scale = (float)tensor_number(&t[X_SCALE], o[X_SCALE]) *
                    (float)tensor_number(&t[W_SCALE], o[W_SCALE]) /
                    (float)tensor_number(&t[Y_SCALE], o[Y_SCALE]);
            zero = code_at(&t[Y_ZERO], o[Y_ZERO]);
        }
        ((uint8_t *)y->data)[at + i] = to_code(y->type, (float)sums[at + i] * scale, zero);
    }
}

static void scale_sums(const op_call *c, const operands *o, const int32_t *sums)
{
    const product *p = c->op->aux;
    tensor *y = c->out[0];
    tensor t[SCALINGS] = {
        [X_SCALE] = spread(o->x_scale, p->x, y, 1), [W_SCALE] = spread(o->w_scale, p->w, y, 1),
        [Y_SCALE] = spread(o->y_scale, p->x, y, 1), [Y_ZERO] = spread(o->y_zero, p->x, y, 1)};
    int64_t stride[SCALINGS][MAX_DIMS];
    walk w;
    for (int k = 0; k < SCALINGS; k++) strides_broadcast(&t[k], y, stride[k]);
    walk_init(&w, y->n_dims, y->dim, SCALINGS, (const int64_t(*)[MAX_DIMS])stride);
    for (int64_t at = 0; !w.done; at += w.row, walk_next(&w)) scale_row(&w, t, sums, y, at);
}

static hearth_status run_product(const op_call *c)
{
    const product *p = c->op->aux;
    operands o = operands_of(c);
    char *memory = c->scratch;
    tensor x = widened(o.x, &memory), w = widened(o.w, &memory), sums = widened(c->out[0], &memory);
    inner part;
    if (!p->is_linear) sums.data = c->out[0]->data;
    remove_zero(o.x, o.x_zero, p->x, 1, x.data);
    remove_zero(o.w, o.w_zero, p->w, 0, w.data);
    make_inner(c, &x, &w, o.bias, &sums, &part);
    part.call.scratch = memory;
    HEARTH_TRY(p->run(&part.call));
    if (p->is_linear) scale_sums(c, &o, sums.data);
    return HEARTH_OK;
}

static const op_attr conv_attrs[] = {
    WINDOW_ATTRS, {.name = "group", .kind = OP_INT, WINDOW_AT(group), .def = 1}};
static const product linear_conv = {conv_shape, conv_scratch, conv_run, ROLE_CHANNEL, ROLE_CHANNEL,
                                    true},
                     integer_conv = {conv_shape, conv_scratch, conv_run, ROLE_CHANNEL,
                                     ROLE_CHANNEL, false},
                     linear_matmul = {matmul_shape, NULL, matmul_run, ROLE_ROW, ROLE_COLUMN, true},
                     integer_matmul = {matmul_shape, NULL, matmul_run, ROLE_ROW, ROLE_COLUMN,
                                       false};
#define PRODUCT .n_out = 1, .shape = shape_product, .plan = scratch_product, .run = run_product
static const graph_op qlinear_ops[] = {
    {PRODUCT, .name = "QLinearConv", .since = 10, .in = "AAAAAAAAA?", .aux = &linear_conv,
     OP_ATTRS(conv_attrs, window_params)},
    {PRODUCT, .name = "QLinearMatMul", .since = 10, .in = "AAAAAAAA", .aux = &linear_matmul},
    {PRODUCT, .name = "ConvInteger", .since = 10, .in = "AAA?A?", .aux = &integer_conv,
     OP_ATTRS(conv_attrs, window_params)},
    {PRODUCT, .name = "MatMulInteger", .since = 10, .in = "AAA?A?", .aux = &integer_matmul},
};
OP_FAMILY(ops_qlinear, "", qlinear_ops);
