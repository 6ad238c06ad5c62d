// Quantised numbers: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear.
//
//   real = (code - zero point) * scale        per tensor, per axis, or per block of an axis
//
// Rounding is to nearest, ties to even; codes saturate.
#include "graph/op/op.h"

#include <math.h>

typedef struct quant_params { int64_t axis, block_size, saturate, output_dtype, precision; }
    quant_params;

static double code_at(const tensor *t, int64_t i)
{
    if (BIT(t->type) & TS_SMALL) return small_decode(t->type, ((const uint8_t *)t->data)[i]);
    return tensor_number(t, i);
}

static double real_at(const tensor *t, int64_t i)
{
    return t->type == T_F32 ? (double)((const float *)t->data)[i] : tensor_number(t, i);
}

static void code_range(elem t, double *low, double *high)
{
    switch (t) {
    case T_I8: *low = -128, *high = 127; break;
    case T_U8: *low = 0, *high = 255; break;
    case T_I16: *low = -32768, *high = 32767; break;
    case T_U16: *low = 0, *high = 65535; break;
    case T_I4: *low = -8, *high = 7; break;
    case T_U4: *low = 0, *high = 15; break;
    case T_I2: *low = -2, *high = 1; break;
    case T_U2: *low = 0, *high = 3; break;
    default: *low = INT32_MIN, *high = INT32_MAX; break;
    }
}

static bool is_code_float(elem t)
{
    return (BIT(t) & (BIT(T_F8E4M3FN) | BIT(T_F8E4M3FNUZ) | BIT(T_F8E5M2) | BIT(T_F8E5M2FNUZ) |
                      BIT(T_F4E2M1))) != 0;
}

// `v` in units of the scale, zero point not yet added.
static void put_code(tensor *y, int64_t i, double v, double zero, bool saturate)
{
    double low, high;
    if (is_code_float(y->type)) {
        ((uint8_t *)y->data)[i] = small_encode(y->type, v + zero, saturate, 0);
        return;
    }
    code_range(y->type, &low, &high);
    v = isnan(v) ? low : fmin(fmax(nearbyint(v) + zero, low), high);
    switch (y->type) {
    case T_I16: ((int16_t *)y->data)[i] = (int16_t)v; break;
    case T_U16: ((uint16_t *)y->data)[i] = (uint16_t)v; break;
    case T_I32: ((int32_t *)y->data)[i] = (int32_t)v; break;
    default: ((uint8_t *)y->data)[i] = (uint8_t)(int)v; break;
    }
}

// Which element of scale and zero point belongs to element i of x.
typedef struct quant_map { int64_t inner, n, blocks, block; } quant_map;

static hearth_status map_scales(const op_call *c, const tensor *scale, quant_map *m)
{
    const quant_params *p = c->params;
    const tensor *x = c->in[0];
    *m = (quant_map){1, 1, 1, 1};
    int64_t n = tensor_items(scale);
    if (n == 1 && !p->block_size) {
        m->inner = INT64_MAX; // one for all
        return HEARTH_OK;
    }
    int axis = 0;
    HEARTH_TRY(op_axis(c, p->axis, x->n_dims, &axis));
    m->inner = dims_product(x->dim, axis + 1, x->n_dims);
    m->n = x->dim[axis];
    m->block = p->block_size ? p->block_size : 1;
    m->blocks = m->n;
    if (p->block_size) {
        if (p->block_size < 0 || scale->n_dims != x->n_dims) {
            return op_fail(c, HEARTH_E_FORMAT, "blocks of %lld", (long long)p->block_size);
        }
        m->blocks = scale->dim[axis];
        bool whole = m->blocks > 0 && (m->n + m->block - 1) / m->block <= m->blocks &&
                     n == tensor_items(x) / i64_max(m->n, 1) * m->blocks;
        return whole ? HEARTH_OK : op_fail(c, HEARTH_E_FORMAT, "scales do not match the blocks");
    }
    if (scale->n_dims == 1 && n == m->n) return HEARTH_OK;
    return op_fail(c, HEARTH_E_FORMAT, "%lld scales for an axis of %lld", (long long)n,
                   (long long)m->n);
}

static int64_t scale_index(const op_call *c, const quant_map *m, int64_t i)
{
    if (m->inner == INT64_MAX) return 0;
    int64_t k = i / m->inner % m->n;
    if (!((const quant_params *)c->params)->block_size) return k;
    return (i / m->inner / m->n * m->blocks + k / m->block) * m->inner + i % m->inner;
}

static hearth_status check_scales(const op_call *c)
{
    quant_map m;
    const tensor *zero = op_in(c, 2);
    HEARTH_TRY(map_scales(c, c->in[1], &m));
    if (zero && tensor_items(zero) != tensor_items(c->in[1])) {
        return op_fail(c, HEARTH_E_FORMAT, "scales and zero points differ in number");
    }
    return HEARTH_OK;
}

enum { CODES = BIT(T_I8) | BIT(T_U8) | BIT(T_I16) | BIT(T_U16) | BIT(T_I32) | BIT(T_I4) |
               BIT(T_U4) |
               BIT(T_I2) | BIT(T_U2) | BIT(T_F8E4M3FN) | BIT(T_F8E4M3FNUZ) | BIT(T_F8E5M2) |
               BIT(T_F8E5M2FNUZ) | BIT(T_F4E2M1) };

static hearth_status shape_quantize(const op_call *c)
{
    const quant_params *p = c->params;
    const tensor *x = c->in[0], *zero = op_in(c, 2);
    elem type = zero ? zero->type : p->output_dtype ? (elem)p->output_dtype : T_U8;
    if (p->output_dtype < 0 || p->output_dtype >= T_COUNT || !(BIT(type) & CODES) ||
        !(BIT(c->in[1]->type) & (TS_FLOAT | TS_HALF))) {
        return op_fail(c, HEARTH_E_UNSUPPORTED, "codes of %s with scales of %s", elem_name(type),
                       elem_name(c->in[1]->type));
    }
    HEARTH_TRY(check_scales(c));
    tensor_set(op_out(c, 0), type, x->n_dims, x->dim);
    return HEARTH_OK;
}

static hearth_status run_quantize(const op_call *c)
{
    const tensor *x = c->in[0], *scale = c->in[1], *zero = op_in(c, 2);
    int64_t n = tensor_items(x);
    quant_map m;
    HEARTH_TRY(map_scales(c, scale, &m));
    for (int64_t i = 0; i < n; i++) {
        int64_t k = scale_index(c, &m, i);
        double v = x->type == T_F64 ? real_at(x, i) / real_at(scale, k)
                                    : (double)((float)real_at(x, i) / (float)real_at(scale, k));
        put_code(c->out[0], i, v, zero ? code_at(zero, k) : 0,
                 ((const quant_params *)c->params)->saturate);
    }
    return HEARTH_OK;
}

static hearth_status shape_dequantize(const op_call *c)
{
    const quant_params *p = c->params;
    const tensor *x = c->in[0], *zero = op_in(c, 2);
    elem type = p->output_dtype ? (elem)p->output_dtype : c->in[1]->type;
    bool real = p->output_dtype >= 0 && p->output_dtype < T_COUNT &&
                (BIT(type) & (TS_FLOAT | TS_HALF)) && (BIT(c->in[1]->type) & (TS_FLOAT | TS_HALF));
    if (!real || (zero && zero->type != x->type)) {
        return op_fail(c, HEARTH_E_UNSUPPORTED, "%s from %s", elem_name(type), elem_name(x->type));
    }
    HEARTH_TRY(check_scales(c));
    tensor_set(op_out(c, 0), type, x->n_dims, x->dim);
    return HEARTH_OK;
}

static hearth_status run_dequantize(const op_call *c)
{
    const tensor *x = c->in[0], *scale = c->in[1], *zero = op_in(c, 2);
    tensor *y = c->out[0];
    int64_t n = tensor_items(x);
    quant_map m;
    HEARTH_TRY(map_scales(c, scale, &m));
    for (int64_t i = 0; i < n; i++) {
        int64_t k = scale_index(c, &m, i);
        double v = (code_at(x, i) - (zero ? code_at(zero, k) : 0)) * real_at(scale, k);
        if (y->type == T_F64) {
            ((double *)y->data)[i] = v;
        } else {
            ((float *)y->data)[i] = (float)v;
        }
    }
    return HEARTH_OK;
}

// --- DynamicQuantizeLinear ----------------------------------------------------------------------

static hearth_status shape_dynamic(const op_call *c)
{
    tensor_set(op_out(c, 0), T_U8, c->in[0]->n_dims, c->in[0]->dim);
    tensor_set(op_out(c, 1), T_F32, 0, NULL);
    tensor_set(op_out(c, 2), T_U8, 0, NULL);
    return HEARTH_OK;
}

static hearth_status run_dynamic(const op_call *c)
{
    const tensor *x = c->in[0];
    const float *v = x->data;
    float low = 0, high = 0; // the range always holds zero
    int64_t n = tensor_items(x);
    for (int64_t i = 0; i < n; i++) low = fminf(low, v[i]), high = fmaxf(high, v[i]);
    float scale = (high - low) / 255;
    float zero = scale > 0 ? fminf(fmaxf(nearbyintf(-low / scale), 0), 255) : 0;
    for (int64_t i = 0; op_out(c, 0) && i < n; i++) {
        put_code(c->out[0], i, scale > 0 ? (double)(v[i] / scale) : 0, (double)zero, true);
    }
    if (op_out(c, 1)) *(float *)c->out[1]->data = scale;
    if (op_out(c, 2)) *(uint8_t *)c->out[2]->data = (uint8_t)zero;
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(quant_params, field)
static const op_attr quantize_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(axis), .def = 1},
    {.name = "block_size", .kind = OP_INT, AT(block_size)},
    {.name = "saturate", .kind = OP_INT, AT(saturate), .def = 1},
    {.name = "output_dtype", .kind = OP_INT, AT(output_dtype)},
    {.name = "precision", .kind = OP_INT, AT(precision)},
};
static const graph_op quant_ops[] = {
    {.name = "QuantizeLinear", .since = 10, .in = "TAA?", .n_out = 1,
     .types = TS_FLOAT | BIT(T_I32), .flags = OP_WIDEN, OP_ATTRS(quantize_attrs, quant_params),
     .shape = shape_quantize, .run = run_quantize},
    {.name = "DequantizeLinear", .since = 10, .in = "TAA?", .n_out = 1, .types = CODES,
     .flags = OP_WIDEN, OP_ATTRS(quantize_attrs, quant_params), .shape = shape_dequantize,
     .run = run_dequantize},
    {.name = "DynamicQuantizeLinear", .since = 11, .in = "T", .n_out = 3, .types = BIT(T_F32),
     .shape = shape_dynamic, .run = run_dynamic},
};
OP_FAMILY(ops_quant, "", quant_ops);
