// One operand, element by element: functions, activations, tests of bits and of numbers.
//
// A member is one expression over v of type E, compiled for float and double (tgmath.h picks the
// function) and, where it makes sense, for integers. The row's aux is the table of its loops.
#include "graph/op/op.h"

#include <tgmath.h>

typedef struct act_params {
    float alpha, beta, gamma, bias, lambd;
    int64_t approximate;
} act_params;
typedef void unary_fn(const void *x, void *y, int64_t n, const act_params *p);
typedef struct unary_loops { unary_fn *fn[T_COUNT]; } unary_loops;

#define LOOP(fn, suffix, type, result, expr)                                              \
    static void fn##_##suffix(const void *x, void *y, int64_t n, const act_params *p)     \
    {                                                                                     \
        typedef type E;                                                                   \
        const E *from = x;                                                                \
        result *to = y;                                                                   \
        (void)p;                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                 \
            E v = from[i];                                                                \
            to[i] = (result)(expr);                                                       \
        }                                                                                 \
    }
#define FLOAT_FN(fn, expr)              \
    LOOP(fn, f32, float, float, expr)   \
    LOOP(fn, f64, double, double, expr) \
    static const unary_loops fn = {{[T_F32] = fn##_f32, [T_F64] = fn##_f64}};
#define SINT_LOOPS(fn, expr)              \
    LOOP(fn, i8, int8_t, int8_t, expr)    \
    LOOP(fn, i16, int16_t, int16_t, expr) \
    LOOP(fn, i32, int32_t, int32_t, expr) \
    LOOP(fn, i64, int64_t, int64_t, expr)
#define UINT_LOOPS(fn, expr)                 \
    LOOP(fn, u8, uint8_t, uint8_t, expr)     \
    LOOP(fn, u16, uint16_t, uint16_t, expr)  \
    LOOP(fn, u32, uint32_t, uint32_t, expr)  \
    LOOP(fn, u64, uint64_t, uint64_t, expr)
#define SINT_SLOTS(fn) [T_I8] = fn##_i8, [T_I16] = fn##_i16, [T_I32] = fn##_i32, [T_I64] = fn##_i64
#define UINT_SLOTS(fn) [T_U8] = fn##_u8, [T_U16] = fn##_u16, [T_U32] = fn##_u32, [T_U64] = fn##_u64
#define NUM_FN(fn, fexpr, sexpr, uexpr)  \
    LOOP(fn, f32, float, float, fexpr)   \
    LOOP(fn, f64, double, double, fexpr) \
    SINT_LOOPS(fn, sexpr)                \
    UINT_LOOPS(fn, uexpr)                \
    static const unary_loops fn = {      \
        {[T_F32] = fn##_f32, [T_F64] = fn##_f64, SINT_SLOTS(fn), UINT_SLOTS(fn)}};

// Negating the least integer wraps, as NumPy does; in the unsigned type it is defined.
#define WRAP_NEG(v) (E)(0 - (uint64_t)(v))
NUM_FN(fn_abs, fabs(v), v < 0 ? WRAP_NEG(v) : v, v)
NUM_FN(fn_neg, -v, WRAP_NEG(v), WRAP_NEG(v))
NUM_FN(fn_sign, isnan(v) ? v : (E)((v > 0) - (v < 0)), (v > 0) - (v < 0), v > 0)
NUM_FN(fn_relu, v > 0 || isnan(v) ? v : 0, v > 0 ? v : 0, v)
FLOAT_FN(fn_shrink, v < (E)-p->lambd ? v + (E)p->bias : v > (E)p->lambd ? v - (E)p->bias : 0)
FLOAT_FN(fn_acos, acos(v))
FLOAT_FN(fn_acosh, acosh(v))
FLOAT_FN(fn_asin, asin(v))
FLOAT_FN(fn_asinh, asinh(v))
FLOAT_FN(fn_atan, atan(v))
FLOAT_FN(fn_atanh, atanh(v))
FLOAT_FN(fn_ceil, ceil(v))
FLOAT_FN(fn_cos, cos(v))
FLOAT_FN(fn_cosh, cosh(v))
FLOAT_FN(fn_erf, erf(v))
FLOAT_FN(fn_exp, exp(v))
FLOAT_FN(fn_floor, floor(v))
FLOAT_FN(fn_log, log(v))
FLOAT_FN(fn_reciprocal, 1 / v)
FLOAT_FN(fn_round, nearbyint(v)) // half to even: the default rounding mode
FLOAT_FN(fn_sin, sin(v))
FLOAT_FN(fn_sinh, sinh(v))
FLOAT_FN(fn_sqrt, sqrt(v))
FLOAT_FN(fn_tan, tan(v))
FLOAT_FN(fn_tanh, tanh(v))
#define SIGMOID(v) (1 / (1 + exp(-(v))))
#define SOFTPLUS(v) ((v) > 0 ? (v) + log1p(exp(-(v))) : log1p(exp(v)))
FLOAT_FN(fn_sigmoid, SIGMOID(v))
FLOAT_FN(fn_softplus, SOFTPLUS(v))
FLOAT_FN(fn_softsign, v / (1 + fabs(v)))
FLOAT_FN(fn_mish, v * tanh(SOFTPLUS(v)))
FLOAT_FN(fn_elu, v < 0 ? (E)p->alpha * expm1(v) : v)
FLOAT_FN(fn_celu, fmax((E)0, v) + fmin((E)0, (E)p->alpha * expm1(v / (E)p->alpha)))
FLOAT_FN(fn_selu, (E)p->gamma * (v > 0 ? v : (E)p->alpha * expm1(v)))
FLOAT_FN(fn_leaky, v < 0 ? (E)p->alpha * v : v)
FLOAT_FN(fn_thresholded, v > (E)p->alpha ? v : 0)
FLOAT_FN(fn_hard_sigmoid, fmax((E)0, fmin((E)1, (E)p->alpha * v + (E)p->beta)))
FLOAT_FN(fn_hard_swish, v * fmax((E)0, fmin((E)1, v / 6 + (E)0.5)))
FLOAT_FN(fn_swish, v * SIGMOID((E)p->alpha * v))
// sqrt(1/2), and sqrt(2/pi) of Hendrycks and Gimpel's approximation
FLOAT_FN(fn_gelu, p->approximate ? (E)0.5 * v *
         (1 + tanh((E)0.7978845608028654 * (v + (E)0.044715 * v * v * v)))
         : (E)0.5 * v * (1 + erf(v * (E)0.7071067811865476)))

LOOP(fn_isnan, f32, float, uint8_t, isnan(v) ? 1 : 0)
LOOP(fn_isnan, f64, double, uint8_t, isnan(v) ? 1 : 0)
static const unary_loops fn_isnan = {{[T_F32] = fn_isnan_f32, [T_F64] = fn_isnan_f64}};
LOOP(fn_not, bool, uint8_t, uint8_t, !v)
static const unary_loops fn_not = {{[T_BOOL] = fn_not_bool}};
SINT_LOOPS(fn_bit_not, ~v)
UINT_LOOPS(fn_bit_not, ~v)
static const unary_loops fn_bit_not = {{SINT_SLOTS(fn_bit_not), UINT_SLOTS(fn_bit_not)}};

typedef struct inf_params { int64_t negative, positive; } inf_params;

static hearth_status run_unary(const op_call *c)
{
    const unary_loops *loops = c->op->aux;
    unary_fn *fn = loops->fn[c->in[0]->type];
    ASSERT(fn);
    if (op_out(c, 0)) fn(c->in[0]->data, c->out[0]->data, tensor_items(c->in[0]), c->params);
    return HEARTH_OK;
}

static hearth_status shape_test(const op_call *c)
{
    tensor_set(op_out(c, 0), T_BOOL, c->in[0]->n_dims, c->in[0]->dim);
    return HEARTH_OK;
}

static hearth_status run_isinf(const op_call *c)
{
    const inf_params *p = c->params;
    const tensor *x = c->in[0];
    uint8_t *y = c->out[0]->data;
    int64_t n = tensor_items(x);
    for (int64_t i = 0; i < n; i++) {
        double v = tensor_number(x, i);
        y[i] = isinf(v) && (v > 0 ? p->positive : p->negative);
    }
    return HEARTH_OK;
}

#define ACT(field, value) {.name = #field, .kind = OP_FLOAT, .at = offsetof(act_params, field), \
                           .def = (value)}
#define CONSUMED {.name = "consumed_inputs", .kind = OP_IGNORED}
static const op_attr no_attrs[] = {CONSUMED};
static const op_attr elu_attrs[] = {ACT(alpha, 1), CONSUMED};
static const op_attr selu_attrs[] = {ACT(alpha, (double)1.67326319217681884765625f),
                                     ACT(gamma, (double)1.05070102214813232421875f), CONSUMED};
static const op_attr leaky_attrs[] = {ACT(alpha, (double)0.01f), CONSUMED};
static const op_attr hard_sigmoid_attrs[] = {ACT(alpha, (double)0.2f), ACT(beta, 0.5), CONSUMED};
static const op_attr shrink_attrs[] = {ACT(bias, 0), ACT(lambd, 0.5)};
static const op_attr gelu_attrs[] = {{.name = "approximate", .kind = OP_CHOICE,
                                      .choices = "none tanh",
                                      .at = offsetof(act_params, approximate)}};
static const op_attr inf_attrs[] = {
    {.name = "detect_negative", .kind = OP_INT, .at = offsetof(inf_params, negative), .def = 1},
    {.name = "detect_positive", .kind = OP_INT, .at = offsetof(inf_params, positive), .def = 1},
};

#define ROW(name_, loops, since_, set, rows_)                                                   \
    {.name = name_, .since = since_, .in = "T", .n_out = 1, .types = set, .flags = OP_WIDEN,    \
     OP_ATTRS(rows_, act_params), .aux = &(loops), .shape = op_like_first, .run = run_unary}
static const graph_op unary_ops[] = {
    ROW("Abs", fn_abs, 1, TS_NUM, no_attrs), ROW("Neg", fn_neg, 1, TS_NUM, no_attrs),
    ROW("Sign", fn_sign, 9, TS_NUM, no_attrs), ROW("Relu", fn_relu, 1, TS_NUM, no_attrs),
    ROW("Shrink", fn_shrink, 9, TS_FLOAT, shrink_attrs),
    ROW("Acos", fn_acos, 7, TS_FLOAT, no_attrs), ROW("Acosh", fn_acosh, 9, TS_FLOAT, no_attrs),
    ROW("Asin", fn_asin, 7, TS_FLOAT, no_attrs), ROW("Asinh", fn_asinh, 9, TS_FLOAT, no_attrs),
    ROW("Atan", fn_atan, 7, TS_FLOAT, no_attrs), ROW("Atanh", fn_atanh, 9, TS_FLOAT, no_attrs),
    ROW("Ceil", fn_ceil, 1, TS_FLOAT, no_attrs), ROW("Cos", fn_cos, 7, TS_FLOAT, no_attrs),
    ROW("Cosh", fn_cosh, 9, TS_FLOAT, no_attrs), ROW("Erf", fn_erf, 9, TS_FLOAT, no_attrs),
    ROW("Exp", fn_exp, 1, TS_FLOAT, no_attrs), ROW("Floor", fn_floor, 1, TS_FLOAT, no_attrs),
    ROW("Log", fn_log, 1, TS_FLOAT, no_attrs),
    ROW("Reciprocal", fn_reciprocal, 1, TS_FLOAT, no_attrs),
    ROW("Round", fn_round, 11, TS_FLOAT, no_attrs), ROW("Sin", fn_sin, 7, TS_FLOAT, no_attrs),
    ROW("Sinh", fn_sinh, 9, TS_FLOAT, no_attrs), ROW("Sqrt", fn_sqrt, 1, TS_FLOAT, no_attrs),
    ROW("Tan", fn_tan, 7, TS_FLOAT, no_attrs), ROW("Tanh", fn_tanh, 1, TS_FLOAT, no_attrs),
    ROW("Sigmoid", fn_sigmoid, 1, TS_FLOAT, no_attrs),
    ROW("Softplus", fn_softplus, 1, TS_FLOAT, no_attrs),
    ROW("Softsign", fn_softsign, 1, TS_FLOAT, no_attrs),
    ROW("Mish", fn_mish, 18, TS_FLOAT, no_attrs), ROW("Elu", fn_elu, 1, TS_FLOAT, elu_attrs),
    ROW("Celu", fn_celu, 12, TS_FLOAT, elu_attrs), ROW("Selu", fn_selu, 1, TS_FLOAT, selu_attrs),
    ROW("LeakyRelu", fn_leaky, 1, TS_FLOAT, leaky_attrs),
    ROW("ThresholdedRelu", fn_thresholded, 10, TS_FLOAT, elu_attrs),
    ROW("HardSigmoid", fn_hard_sigmoid, 1, TS_FLOAT, hard_sigmoid_attrs),
    ROW("HardSwish", fn_hard_swish, 14, TS_FLOAT, no_attrs),
    ROW("Swish", fn_swish, 24, TS_FLOAT, elu_attrs), ROW("Gelu", fn_gelu, 20, TS_FLOAT, gelu_attrs),
    ROW("Not", fn_not, 1, BIT(T_BOOL), no_attrs),
    ROW("BitwiseNot", fn_bit_not, 18, TS_INT, no_attrs),
    {.name = "IsNaN", .since = 9, .in = "T", .n_out = 1, .types = TS_FLOAT, .flags = OP_WIDEN,
     .aux = &fn_isnan, .shape = shape_test, .run = run_unary},
    {.name = "IsInf", .since = 10, .in = "T", .n_out = 1, .types = TS_FLOAT, .flags = OP_WIDEN,
     OP_ATTRS(inf_attrs, inf_params), .shape = shape_test, .run = run_isinf},
};
OP_FAMILY(ops_unary, "", unary_ops);
