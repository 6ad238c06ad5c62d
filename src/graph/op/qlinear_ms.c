// Operators on codes of the domain com.microsoft: QLinearAdd, QLinearMul,
// QLinearGlobalAveragePool. See qlinear.c for what codes are.
//
// Scales and zero points are scalars. Arithmetic is in float32 on the real values, rounded to even.
#include "graph/op/op.h"

#include <math.h>

typedef struct code_params { int64_t channels_last; } code_params;
typedef struct code_scale { float scale; int32_t zero; } code_scale;

static int32_t code_at(const tensor *t, int64_t i)
{
    return t->type == T_U8 ? ((const uint8_t *)t->data)[i] : ((const int8_t *)t->data)[i];
}

// The scale is input i, its zero point the next one, 0 when it is left out.
static code_scale scale_of(const op_call *c, int i)
{
    const tensor *zero = op_in(c, i + 1);
    return (code_scale){*(const float *)c->in[i]->data, zero ? code_at(zero, 0) : 0};
}

static hearth_status check_scale(const op_call *c, int i)
{
    const tensor *scale = c->in[i], *zero = op_in(c, i + 1);
    bool ok = scale->type == T_F32 && tensor_items(scale) == 1;
    if (zero && tensor_items(zero) != 1) ok = false;
    return ok ? HEARTH_OK : op_fail(c, HEARTH_E_FORMAT, "input %d is no scalar", i);
}

static float real_at(const tensor *t, int64_t i, code_scale s)
{
    return (float)(code_at(t, i) - s.zero) * s.scale;
}

static void put_real(tensor *y, int64_t i, float v, code_scale s)
{
    float low = y->type == T_U8 ? 0 : -128, high = low + 255;
    v = nearbyintf(v / s.scale) + (float)s.zero;
    ((uint8_t *)y->data)[i] = (uint8_t)(int)(v > low ? fminf(v, high) : low);
}

// --- QLinearAdd, QLinearMul: a, scale, zero, b, scale, zero, y scale, zero -----------------------

static hearth_status shape_pair(const op_call *c)
{
    const tensor *both[2] = {c->in[0], c->in[3]};
    tensor y = *c->in[0];
    for (int i = 1; i <= 6; i += i == 1 ? 3 : 2) HEARTH_TRY(check_scale(c, i));
    HEARTH_TRY(op_broadcast(c, both, 2, &y));
    tensor_set(op_out(c, 0), y.type, y.n_dims, y.dim);
    return HEARTH_OK;
}

static hearth_status run_pair(const op_call *c)
{
    const tensor *a = c->in[0], *b = c->in[3];
    tensor *y = c->out[0];
    code_scale sa = scale_of(c, 1), sb = scale_of(c, 4), sy = scale_of(c, 6);
    int64_t stride[2][MAX_DIMS], at = 0;
    bool is_product = c->op->aux != NULL;
    walk w;
    strides_broadcast(a, y, stride[0]);
    strides_broadcast(b, y, stride[1]);
    walk_init(&w, y->n_dims, y->dim, 2, (const int64_t(*)[MAX_DIMS])stride);
    for (; !w.done; walk_next(&w)) {
        for (int64_t i = 0; i < w.row; i++, at++) {
            float u = real_at(a, w.offset[0] + i * w.row_stride[0], sa);
            float v = real_at(b, w.offset[1] + i * w.row_stride[1], sb);
            put_real(y, at, is_product ? u * v : u + v, sy);
        }
    }
    return HEARTH_OK;
}

// --- QLinearGlobalAveragePool: x, scale, zero, y scale, zero -------------------------------------

static hearth_status shape_global(const op_call *c)
{
    const tensor *x = c->in[0];
    bool last = ((const code_params *)c->params)->channels_last;
    int64_t dim[MAX_DIMS];
    if (x->n_dims < 3) return op_fail(c, HEARTH_E_FORMAT, "%d dimensions", x->n_dims);
    HEARTH_TRY(check_scale(c, 1));
    HEARTH_TRY(check_scale(c, 3));
    int channel = last ? x->n_dims - 1 : 1;
    for (int d = 0; d < x->n_dims; d++) dim[d] = d == 0 || d == channel ? x->dim[d] : 1;
    tensor_set(op_out(c, 0), x->type, x->n_dims, dim);
    return HEARTH_OK;
}

static hearth_status run_global(const op_call *c)
{
    const tensor *x = c->in[0];
    bool last = ((const code_params *)c->params)->channels_last;
    code_scale sx = scale_of(c, 1), sy = scale_of(c, 3);
    int64_t channels = x->dim[last ? x->n_dims - 1 : 1];
    int64_t n = last ? dims_product(x->dim, 1, x->n_dims - 1) : dims_product(x->dim, 2, x->n_dims);
    for (int64_t i = 0; i < x->dim[0] * channels; i++) {
        int64_t sum = 0, from = last ? i / channels * n * channels + i % channels : i * n;
        for (int64_t k = 0; k < n; k++, from += last ? channels : 1) {
            sum += code_at(x, from) - sx.zero;
        }
        put_real(c->out[0], i, (float)sum / (float)n * sx.scale, sy);
    }
    return HEARTH_OK;
}

static const op_attr global_attrs[] = {
    {.name = "channels_last", .kind = OP_INT, .at = offsetof(code_params, channels_last)}};
enum { CODES = BIT(T_U8) | BIT(T_I8) };
#define PAIR .in = "TAT?TAT?AT?", .since = 1, .n_out = 1, .types = CODES, .shape = shape_pair, \
    .run = run_pair
static const graph_op qlinear_ms_ops[] = {
    {PAIR, .name = "QLinearAdd"},
    {PAIR, .name = "QLinearMul", .aux = "product"},
    {.name = "QLinearGlobalAveragePool", .since = 1, .in = "TAT?AT?", .n_out = 1, .types = CODES,
     OP_ATTRS(global_attrs, code_params), .shape = shape_global, .run = run_global},
};
OP_FAMILY(ops_qlinear_ms, "com.microsoft", qlinear_ms_ops);
