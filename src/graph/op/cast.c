// Conversions of element types: Cast, CastLike, and the small formats.
//
// Every value goes through a double or, between integers, through a 64-bit integer, both of which
// hold every source exactly; so one decoder and one encoder per type serve all pairs.
//
//   float8e4m3fn     s eeee mmm  bias 7   no infinity, NaN 0x7F, largest 448
//   float8e4m3fnuz   s eeee mmm  bias 8   no infinity, no -0, NaN 0x80, largest 240
//   float8e5m2       s eeeee mm  bias 15  IEEE-like
//   float8e5m2fnuz   s eeeee mm  bias 16  no infinity, no -0, NaN 0x80, largest 57344
//   float8e8m0         eeeeeeee  2^(e - 127), NaN 0xFF
//   float4e2m1       s ee m      bias 1   no infinity, no NaN, largest 6
//
// Rounding is to nearest, ties to even. Values beyond the largest saturate when `saturate` says so
// (default), otherwise become infinity or NaN. Integers wrap as NumPy's do.
#include "graph/op/op.h"
#include "kern/half.h"

#include <math.h>

typedef struct cast_params { int64_t to, saturate, round_mode; } cast_params;
typedef struct small_float { int mantissa, bias; bool fnuz, has_inf; double largest; uint8_t nan; }
    small_float;

static const small_float *format_of(elem t)
{
    static const small_float e4m3fn = {3, 7, false, false, 448, 0x7F};
    static const small_float e4m3fnuz = {3, 8, true, false, 240, 0x80};
    static const small_float e5m2 = {2, 15, false, true, 57344, 0x7E};
    static const small_float e5m2fnuz = {2, 16, true, false, 57344, 0x80};
    switch (t) {
    case T_F8E4M3FN: return &e4m3fn;
    case T_F8E4M3FNUZ: return &e4m3fnuz;
    case T_F8E5M2: return &e5m2;
    case T_F8E5M2FNUZ: return &e5m2fnuz;
    default: return NULL;
    }
}

static double decode_f8(const small_float *f, uint8_t code)
{
    int magnitude = code & 0x7F, e = magnitude >> f->mantissa;
    int m = magnitude & ((1 << f->mantissa) - 1);
    double sign = code & 0x80 ? -1 : 1;
    if (f->fnuz && code == 0x80) return (double)NAN;
    if (!f->fnuz && !f->has_inf && magnitude == 0x7F) return (double)NAN;
    if (f->has_inf && e == 31) return m ? (double)NAN : sign * (double)INFINITY;
    if (e == 0) return sign * ldexp(m, 1 - f->bias - f->mantissa);
    return sign * ldexp(m + (1 << f->mantissa), e - f->bias - f->mantissa);
}

// Rounds |v| to the format's grid; the exponent range has no end here.
static double round_to_grid(double v, int mantissa, int bias)
{
    int e;
    frexp(v, &e); // v = f * 2^e, f in [0.5, 1)
    int step = int_max(e - 1, 1 - bias) - mantissa;
    return ldexp(nearbyint(ldexp(v, -step)), step);
}

static uint8_t pack_f8(const small_float *f, double magnitude)
{
    int e;
    if (magnitude <= 0) return 0;
    frexp(magnitude, &e);
    int exponent = int_max(e - 1, 1 - f->bias);
    int code = (int)ldexp(magnitude, f->mantissa - exponent); // with the leading bit
    return (uint8_t)(code + (int)((unsigned)(exponent + f->bias - 1) << f->mantissa));
}

static uint8_t encode_f8(const small_float *f, double v, bool saturate)
{
    uint8_t sign = signbit(v) ? 0x80 : 0;
    if (isnan(v)) return f->fnuz ? f->nan : sign | f->nan;
    double r = isinf(v) ? (double)INFINITY : round_to_grid(fabs(v), f->mantissa, f->bias);
    if (r > f->largest) {
        if (saturate) return sign | pack_f8(f, f->largest);
        if (f->has_inf) return sign | 0x7C;
        return f->fnuz ? f->nan : sign | f->nan;
    }
    uint8_t code = pack_f8(f, r);
    return f->fnuz && code == 0 ? 0 : sign | code;
}

static double decode_f4(uint8_t code)
{
    static const double magnitude[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    return (code & 8 ? -1 : 1) * magnitude[code & 7];
}

static uint8_t encode_f4(double v)
{
    static const double magnitude[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    if (isnan(v)) return 8; // -0: there is no NaN
    double r = isinf(v) ? 6 : fmin(round_to_grid(fabs(v), 1, 1), 6);
    uint8_t code = 0;
    while (code < 7 && magnitude[code] < r) code++;
    return (uint8_t)(code | (signbit(v) ? 8 : 0));
}

static double decode_e8m0(uint8_t code)
{
    return code == 0xFF ? (double)NAN : ldexp(1, code - 127);
}

// round_mode 0 up (away from zero), 1 down (toward zero), 2 nearest (ties up).
static uint8_t encode_e8m0(double v, bool saturate, int64_t round_mode)
{
    int e;
    v = fabs(v);
    if (isnan(v)) return 0xFF;
    if (isinf(v)) return saturate ? 0xFE : 0xFF;
    if (v < 0x1p-127) return 0;
    double f = frexp(v, &e); // v = f * 2^e, f in [0.5, 1)
    bool up = round_mode == 0 ? f > 0.5 : round_mode == 2 && f >= 0.75;
    int code = e - 1 + 127 + up;
    return (uint8_t)(code > 0xFE ? (saturate ? 0xFE : 0xFF) : code);
}


double small_decode(elem t, uint8_t code)
{
    const small_float *f = format_of(t);
    if (f) return decode_f8(f, code);
    switch (t) {
    case T_F4E2M1: return decode_f4(code);
    case T_F8E8M0: return decode_e8m0(code);
    case T_I4: case T_I2: return (int8_t)code;
    default: return code;
    }
}

static uint8_t wrap_small(elem t, uint8_t v)
{
    switch (t) {
    case T_U4: return v & 15;
    case T_I4: return (uint8_t)(((v & 15) ^ 8) - 8);
    case T_U2: return v & 3;
    case T_I2: return (uint8_t)(((v & 3) ^ 2) - 2);
    default: return v;
    }
}

// A double beyond int64 has no defined conversion in C; it gives the nearest end.
static int64_t to_int(double v)
{
    if (isnan(v)) return INT64_MIN;
    if (v >= 0x1p63) return INT64_MAX;
    return v < -0x1p63 ? INT64_MIN : (int64_t)v;
}

uint8_t small_encode(elem t, double v, bool saturate, int64_t round_mode)
{
    const small_float *f = format_of(t);
    if (f) return encode_f8(f, v, saturate);
    if (t == T_F4E2M1) return encode_f4(v);
    if (t == T_F8E8M0) return encode_e8m0(v, saturate, round_mode);
    return wrap_small(t, (uint8_t)to_int(v));
}

static bool is_integer(elem t)
{
    return (BIT(t) & (TS_INT | BIT(T_BOOL) | BIT(T_U4) | BIT(T_I4) | BIT(T_U2) | BIT(T_I2))) != 0;
}

static int64_t get_int(const tensor *t, int64_t i)
{
#define CASE(id, type) case id: return (int64_t)((const type *)t->data)[i];
    switch (t->type) {
        EACH_INT(CASE)
        CASE(T_U4, uint8_t) CASE(T_U2, uint8_t) CASE(T_I4, int8_t) CASE(T_I2, int8_t)
    case T_BOOL: return ((const uint8_t *)t->data)[i] != 0;
    default: return 0;
    }
#undef CASE
}

static double get_double(const tensor *t, int64_t i)
{
    switch (t->type) {
    case T_F32: return (double)((const float *)t->data)[i];
    case T_F64: return ((const double *)t->data)[i];
    case T_F16: return (double)f16_to_f32(((const uint16_t *)t->data)[i]);
    case T_BF16: return (double)bf16_to_f32(((const uint16_t *)t->data)[i]);
    case T_U64: return (double)((const uint64_t *)t->data)[i];
    default: return is_integer(t->type) ? (double)get_int(t, i)
                                        : small_decode(t->type, ((const uint8_t *)t->data)[i]);
    }
}

static void put_int(tensor *t, int64_t i, int64_t v)
{
#define CASE(id, type) case id: ((type *)t->data)[i] = (type)(uint64_t)v; break;
    switch (t->type) {
        EACH_INT(CASE)
    case T_BOOL: ((uint8_t *)t->data)[i] = v != 0; break;
    default: ((uint8_t *)t->data)[i] = wrap_small(t->type, (uint8_t)(uint64_t)v); break;
    }
#undef CASE
}

// Through float, rounded to odd: an inexact step that ends in an odd bit cannot lie on a tie of
// the second, shorter rounding. float16 and bfloat16 have at least two bits fewer.
static float to_odd_float(double v)
{
    float f = (float)v;
    if (isnan(v) || isinf(f) || (double)f == v) return f;
    if (f32_bits(f) & 1) return f;
    return nextafterf(f, (double)f < v ? INFINITY : -INFINITY);
}

static void put_double(tensor *t, int64_t i, double v, const cast_params *p)
{
    switch (t->type) {
    case T_F32: ((float *)t->data)[i] = (float)v; break;
    case T_F64: ((double *)t->data)[i] = v; break;
    case T_F16: ((uint16_t *)t->data)[i] = f32_to_f16(to_odd_float(v)); break;
    case T_BF16: ((uint16_t *)t->data)[i] = f32_to_bf16(to_odd_float(v)); break;
    case T_BOOL: ((uint8_t *)t->data)[i] = v < 0 || v > 0 || isnan(v); break;
    case T_U64: put_int(t, i, v >= 0x1p63 && v < 0x1p64 ? (int64_t)(uint64_t)v : to_int(v)); break;
    default:
        if (is_integer(t->type)) {
            put_int(t, i, to_int(v));
        } else {
            ((uint8_t *)t->data)[i] = small_encode(t->type, v, p->saturate, p->round_mode);
        }
    }
}

static hearth_status cast(const op_call *c)
{
    const cast_params *p = c->params;
    const tensor *x = c->in[0];
    tensor *y = c->out[0];
    int64_t n = tensor_items(x);
    if (is_integer(x->type) && is_integer(y->type)) {
        for (int64_t i = 0; i < n; i++) put_int(y, i, get_int(x, i));
    } else {
        for (int64_t i = 0; i < n; i++) put_double(y, i, get_double(x, i), p);
    }
    return HEARTH_OK;
}

static hearth_status shape_as(const op_call *c, int64_t to)
{
    if (to <= 0 || to >= T_COUNT || !elem_bytes((elem)to)) {
        return op_fail(c, HEARTH_E_UNSUPPORTED, "cast to type %lld", (long long)to);
    }
    if (c->in[0]->type == T_STRING || to == T_STRING) {
        return op_fail(c, HEARTH_E_UNSUPPORTED, "cast from or to strings");
    }
    tensor_set(op_out(c, 0), (elem)to, c->in[0]->n_dims, c->in[0]->dim);
    return HEARTH_OK;
}

static hearth_status shape_cast(const op_call *c)
{
    return shape_as(c, ((const cast_params *)c->params)->to);
}

static hearth_status shape_cast_like(const op_call *c)
{
    return shape_as(c, (int64_t)c->in[1]->type);
}

// The same bits as another type of the same width.
static hearth_status shape_bit_cast(const op_call *c)
{
    HEARTH_TRY(shape_cast(c));
    if (elem_bytes(c->in[0]->type) == elem_bytes((elem)((const cast_params *)c->params)->to)) {
        return HEARTH_OK;
    }
    return op_fail(c, HEARTH_E_FORMAT, "types of different width");
}

static hearth_status run_bit_cast(const op_call *c)
{
    size_t n = (size_t)tensor_items(c->in[0]) * elem_bytes(c->in[0]->type);
    if (n) memcpy(c->out[0]->data, c->in[0]->data, n);
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(cast_params, field)
static const op_attr cast_attrs[] = {
    {.name = "to", .kind = OP_INT, .is_required = true, AT(to)},
    {.name = "saturate", .kind = OP_INT, AT(saturate), .def = 1},
    {.name = "round_mode", .kind = OP_CHOICE, AT(round_mode), .choices = "up down nearest"},
};
static const op_attr cast_like_attrs[] = {
    {.name = "saturate", .kind = OP_INT, AT(saturate), .def = 1},
    {.name = "round_mode", .kind = OP_CHOICE, AT(round_mode), .choices = "up down nearest"},
};

static const graph_op cast_ops[] = {
    {.name = "Cast", .since = 6, .in = "T", .n_out = 1, .types = TS_ALL,
     OP_ATTRS(cast_attrs, cast_params), .shape = shape_cast, .run = cast},
    {.name = "CastLike", .since = 15, .in = "TA", .n_out = 1, .types = TS_ALL,
     OP_ATTRS(cast_like_attrs, cast_params), .shape = shape_cast_like, .run = cast},
    {.name = "BitCast", .since = 26, .in = "T", .n_out = 1, .types = TS_ALL,
     OP_ATTRS(cast_attrs, cast_params), .shape = shape_bit_cast, .run = run_bit_cast},
};
OP_FAMILY(ops_cast, "", cast_ops);
