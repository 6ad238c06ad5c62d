// Two or more operands that broadcast: arithmetic, comparison, logic, bits, and the variadic
// Min, Max, Sum and Mean, which fold the same loops over their inputs.
//
// A member is one expression over a and b of type E; its loop runs over one row of a walk, with a
// stride for each operand (0 where it repeats). Integer arithmetic wraps: it is done in the
// unsigned type of the same width, where C defines that.
#include "graph/op/op.h"

#include <string.h>
#include <tgmath.h>

typedef struct row_args { const void *a, *b; void *y; int64_t sa, sb, n; } row_args;
typedef bool binary_fn(const row_args *r); // false: the values have no result
typedef struct binary_loops { binary_fn *fn[T_COUNT]; } binary_loops;

#define LOOP(fn, suffix, type, result, expr)                                     \
    static bool fn##_##suffix(const row_args *r)                                 \
    {                                                                            \
        typedef type E;                                                          \
        const E *x = r->a, *z = r->b;                                            \
        result *to = r->y;                                                       \
        bool ok = true;                                                          \
        for (int64_t i = 0; i < r->n; i++) {                                     \
            E a = x[i * r->sa], b = z[i * r->sb];                                \
            (void)b;                                                             \
            to[i] = (result)(expr);                                              \
        }                                                                        \
        return ok;                                                               \
    }
#define FLOATS(fn, expr, R32, R64) LOOP(fn, f32, float, R32, expr) LOOP(fn, f64, double, R64, expr)
#define SINTS(fn, expr)                   \
    LOOP(fn, i8, int8_t, int8_t, expr)    \
    LOOP(fn, i16, int16_t, int16_t, expr) \
    LOOP(fn, i32, int32_t, int32_t, expr) \
    LOOP(fn, i64, int64_t, int64_t, expr)
#define UINTS(fn, expr)                     \
    LOOP(fn, u8, uint8_t, uint8_t, expr)    \
    LOOP(fn, u16, uint16_t, uint16_t, expr) \
    LOOP(fn, u32, uint32_t, uint32_t, expr) \
    LOOP(fn, u64, uint64_t, uint64_t, expr)
#define FLOAT_SLOTS(fn) [T_F32] = fn##_f32, [T_F64] = fn##_f64
#define INT_SLOTS(fn)                                                                         \
    [T_I8] = fn##_i8, [T_I16] = fn##_i16, [T_I32] = fn##_i32, [T_I64] = fn##_i64,             \
    [T_U8] = fn##_u8, [T_U16] = fn##_u16, [T_U32] = fn##_u32, [T_U64] = fn##_u64
#define NUM_FN(fn, fexpr, sexpr, uexpr) \
    FLOATS(fn, fexpr, float, double)    \
    SINTS(fn, sexpr)                    \
    UINTS(fn, uexpr)                    \
    static const binary_loops fn = {{FLOAT_SLOTS(fn), INT_SLOTS(fn)}};
#define INT_FN(fn, expr) \
    SINTS(fn, expr)      \
    UINTS(fn, expr)      \
    static const binary_loops fn = {{INT_SLOTS(fn)}};
#define TEST(fn, expr)                      \
    FLOATS(fn, expr, uint8_t, uint8_t)      \
    LOOP(fn, i8, int8_t, uint8_t, expr)     \
    LOOP(fn, i16, int16_t, uint8_t, expr)   \
    LOOP(fn, i32, int32_t, uint8_t, expr)   \
    LOOP(fn, i64, int64_t, uint8_t, expr)   \
    LOOP(fn, u8, uint8_t, uint8_t, expr)    \
    LOOP(fn, u16, uint16_t, uint8_t, expr)  \
    LOOP(fn, u32, uint32_t, uint8_t, expr)  \
    LOOP(fn, u64, uint64_t, uint8_t, expr)  \
    static const binary_loops fn = {{FLOAT_SLOTS(fn), INT_SLOTS(fn), [T_BOOL] = fn##_u8}};
#define BOOL_FN(fn, expr)                   \
    LOOP(fn, bool, uint8_t, uint8_t, expr)  \
    static const binary_loops fn = {{[T_BOOL] = fn##_bool}};

#define U(v) ((uint64_t)(v))
// Division by zero has no result; the least value by -1 wraps.
#define SDIV(a, b) ((b) == 0 ? (ok = false, 0) : (b) == -1 ? (E)(0 - U(a)) : (a) / (b))
#define UDIV(a, b) ((b) == 0 ? (ok = false, 0) : (a) / (b))
// Mod: the sign of the divisor (Python's %); with fmod=1 that of the dividend (C's).
#define SREM(a, b) ((b) == 0 ? (ok = false, 0) : (b) == -1 ? 0 : (a) % (b))
#define FLOOR_MOD(rem, b) ((rem) != 0 && ((rem) < 0) != ((b) < 0) ? (rem) + (b) : (rem))
#define UREM(a, b) ((b) == 0 ? (ok = false, 0) : (a) % (b))
NUM_FN(fn_add, a + b, U(a) + U(b), U(a) + U(b))
NUM_FN(fn_sub, a - b, U(a) - U(b), U(a) - U(b))
NUM_FN(fn_mul, a * b, U(a) * U(b), U(a) * U(b))
NUM_FN(fn_div, a / b, SDIV(a, b), UDIV(a, b))
NUM_FN(fn_mod, FLOOR_MOD(fmod(a, b), b), FLOOR_MOD(SREM(a, b), b), UREM(a, b))
NUM_FN(fn_fmod, fmod(a, b), SREM(a, b), UREM(a, b))
// A NaN on either side stays, as in NumPy.
NUM_FN(fn_max, a > b || isnan(a) ? a : b, a > b ? a : b, a > b ? a : b)
NUM_FN(fn_min, a < b || isnan(a) ? a : b, a < b ? a : b, a < b ? a : b)
FLOATS(fn_prelu, a < 0 ? a * b : a, float, double)
SINTS(fn_prelu, a < 0 ? U(a) * U(b) : U(a))
UINTS(fn_prelu, a)
static const binary_loops fn_prelu = {{FLOAT_SLOTS(fn_prelu), INT_SLOTS(fn_prelu)}};
TEST(fn_equal, a == b)
TEST(fn_less, a < b)
TEST(fn_greater, a > b)
TEST(fn_less_equal, a <= b)
TEST(fn_greater_equal, a >= b)
BOOL_FN(fn_and, a && b)
BOOL_FN(fn_or, a || b)
BOOL_FN(fn_xor, !a != !b)
INT_FN(fn_bit_and, a & b)
INT_FN(fn_bit_or, a | b)
INT_FN(fn_bit_xor, a ^ b)
#define BITS (8 * sizeof(E))
UINTS(fn_shl, U(b) < BITS ? U(a) << U(b) : 0)
UINTS(fn_shr, U(b) < BITS ? U(a) >> U(b) : 0)
#define UINT_SLOTS(fn) [T_U8] = fn##_u8, [T_U16] = fn##_u16, [T_U32] = fn##_u32, [T_U64] = fn##_u64
static const binary_loops fn_shl = {{UINT_SLOTS(fn_shl)}};
static const binary_loops fn_shr = {{UINT_SLOTS(fn_shr)}};

typedef struct binary_params { int64_t fmod, direction, axis, broadcast; } binary_params;

// Operators of before opset 7 broadcast b only when told to, along `axis` of a.
static tensor legacy_operand(const op_call *c)
{
    const binary_params *p = c->params;
    tensor b = *c->in[1];
    const tensor *a = c->in[0];
    if (c->opset >= 7 || !p->broadcast || p->axis < 0 || p->axis + b.n_dims >= a->n_dims) return b;
    int tail = (int)(a->n_dims - p->axis - b.n_dims);
    for (int d = 0; d < tail; d++) b.dim[b.n_dims++] = 1;
    return b;
}

static hearth_status shape_binary_as(const op_call *c, elem type)
{
    tensor b = legacy_operand(c);
    const tensor *in[2] = {c->in[0], &b};
    if (op_out(c, 0)) c->out[0]->type = type;
    return op_broadcast(c, in, 2, op_out(c, 0));
}

static hearth_status shape_binary(const op_call *c) { return shape_binary_as(c, c->in[0]->type); }
static hearth_status shape_test(const op_call *c) { return shape_binary_as(c, T_BOOL); }

static bool run_rows(binary_fn *fn, const tensor *a, const tensor *b, const tensor *y)
{
    walk w;
    int64_t strides[2][MAX_DIMS];
    size_t size = elem_bytes(a->type), y_size = elem_bytes(y->type);
    bool ok = true;
    strides_broadcast(a, y, strides[0]);
    strides_broadcast(b, y, strides[1]);
    walk_init(&w, y->n_dims, y->dim, 2, (const int64_t(*)[MAX_DIMS])strides);
    for (char *to = y->data; !w.done; walk_next(&w), to += (size_t)w.row * y_size) {
        row_args r = {byte_at(a->data, w.offset[0], size), byte_at(b->data, w.offset[1], size), to,
                      w.row_stride[0], w.row_stride[1], w.row};
        ok &= fn(&r);
    }
    return ok;
}

static hearth_status run_with(const op_call *c, const binary_loops *loops)
{
    tensor b = legacy_operand(c);
    binary_fn *fn = loops->fn[c->in[0]->type];
    ASSERT(fn);
    if (!op_out(c, 0) || run_rows(fn, c->in[0], &b, c->out[0])) return HEARTH_OK;
    return op_fail(c, HEARTH_E_ARG, "integer division by zero");
}

static hearth_status run_binary(const op_call *c) { return run_with(c, c->op->aux); }

static hearth_status run_mod(const op_call *c)
{
    const binary_params *p = c->params;
    return run_with(c, p->fmod ? &fn_fmod : &fn_mod);
}

static hearth_status run_shift(const op_call *c)
{
    const binary_params *p = c->params;
    return run_with(c, p->direction ? &fn_shr : &fn_shl);
}

// --- Pow: the exponent has a type of its own -----------------------------------------------------

static hearth_status shape_pow(const op_call *c)
{
    uint32_t legal = TS_NUM | TS_HALF;
    if (!(BIT(c->in[1]->type) & legal)) {
        return op_fail(c, HEARTH_E_UNSUPPORTED, "an exponent of type %s",
                       elem_name(c->in[1]->type));
    }
    return shape_binary(c);
}

static uint64_t int_power(uint64_t base, int64_t exponent)
{
    uint64_t y = 1;
    for (; exponent > 0; exponent >>= 1, base *= base) {
        if (exponent & 1) y *= base;
    }
    return y;
}

static bool is_int(elem t) { return (BIT(t) & TS_INT) != 0; }

static void put_number(tensor *t, int64_t i, double v)
{
#define CASE(id, type) case id: ((type *)t->data)[i] = (type)v; break;
    switch (t->type) {
        EACH_FLOAT(CASE)
    default: ((int64_t *)t->data)[i] = 0; break;
    }
#undef CASE
}

static void put_int(tensor *t, int64_t i, uint64_t v)
{
#define CASE(id, type) case id: ((type *)t->data)[i] = (type)v; break;
    switch (t->type) {
        EACH_INT(CASE)
    default: break;
    }
#undef CASE
}

static uint64_t get_int(const tensor *t, int64_t i)
{
#define CASE(id, type) case id: return (uint64_t)((const type *)t->data)[i];
    switch (t->type) {
        EACH_INT(CASE)
    default: return 0;
    }
#undef CASE
}

// Converting a double that an int64 cannot hold is undefined in C; it saturates here.
static uint64_t saturate(double v)
{
    if (isnan(v)) return 0;
    if (v >= 0x1p63) return v >= 0x1p64 ? UINT64_MAX : (uint64_t)v;
    return v < -0x1p63 ? (uint64_t)INT64_MIN : (uint64_t)(int64_t)v;
}

static void pow_one(const tensor *a, int64_t ia, const tensor *b, int64_t ib, tensor *y, int64_t iy)
{
    if (!is_int(a->type)) {
        put_number(y, iy, pow(tensor_number(a, ia), tensor_number(b, ib)));
    } else if (is_int(b->type) && (int64_t)get_int(b, ib) >= 0) {
        put_int(y, iy, int_power(get_int(a, ia), (int64_t)get_int(b, ib)));
    } else {
        put_int(y, iy, saturate(pow(tensor_number(a, ia), tensor_number(b, ib))));
    }
}

static hearth_status run_pow(const op_call *c)
{
    walk w;
    int64_t strides[2][MAX_DIMS], at = 0;
    tensor b = legacy_operand(c), *y = c->out[0];
    strides_broadcast(c->in[0], y, strides[0]);
    strides_broadcast(&b, y, strides[1]);
    walk_init(&w, y->n_dims, y->dim, 2, (const int64_t(*)[MAX_DIMS])strides);
    for (; !w.done; walk_next(&w)) {
        for (int64_t i = 0; i < w.row; i++) {
            pow_one(c->in[0], w.offset[0] + i * w.row_stride[0], &b,
                    w.offset[1] + i * w.row_stride[1], y, at++);
        }
    }
    return HEARTH_OK;
}

// --- variadic -----------------------------------------------------------------------------------

static hearth_status shape_variadic(const op_call *c)
{
    for (int i = 0; i < c->n_in; i++) {
        if (!c->in[i]) return op_fail(c, HEARTH_E_FORMAT, "input %d is missing", i);
    }
    if (op_out(c, 0)) c->out[0]->type = c->in[0]->type;
    return op_broadcast(c, c->in, c->n_in, op_out(c, 0));
}

static hearth_status run_variadic(const op_call *c)
{
    const binary_loops *loops = c->op->aux;
    tensor *y = c->out[0];
    int64_t stride[MAX_DIMS];
    strides_broadcast(c->in[0], y, stride);
    copy_strided(y->data, c->in[0]->data, elem_bytes(y->type), y->n_dims, y->dim, stride);
    for (int i = 1; i < c->n_in; i++) run_rows(loops->fn[y->type], y, c->in[i], y);
    return HEARTH_OK;
}

static hearth_status run_mean(const op_call *c)
{
    HEARTH_TRY(run_variadic(c));
    tensor *y = c->out[0];
    int64_t n = tensor_items(y);
    for (int64_t i = 0; i < n; i++) put_number(y, i, tensor_number(y, i) / c->n_in);
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(binary_params, field)
static const op_attr binary_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(axis), .def = -1},
    {.name = "broadcast", .kind = OP_INT, AT(broadcast)},
    {.name = "consumed_inputs", .kind = OP_IGNORED},
};
static const op_attr prelu6_attrs[] = { // one slope per channel
    {.name = "axis", .kind = OP_INT, AT(axis), .def = 1},
    {.name = "broadcast", .kind = OP_INT, AT(broadcast), .def = 1},
    {.name = "consumed_inputs", .kind = OP_IGNORED},
};
static const op_attr mod_attrs[] = {{.name = "fmod", .kind = OP_INT, AT(fmod)}};
static const op_attr shift_attrs[] = {
    {.name = "direction", .kind = OP_CHOICE, .is_required = true, AT(direction),
     .choices = "LEFT RIGHT"}};

#define ROW(name_, loops, since_, set, shape_)                                                 \
    {.name = name_, .since = since_, .in = "TT", .n_out = 1, .types = set, .flags = OP_WIDEN,  \
     OP_ATTRS(binary_attrs, binary_params), .aux = &(loops), .shape = shape_, .run = run_binary}
#define MANY(name_, loops, since_, set, run_)                                                  \
    {.name = name_, .since = since_, .in = "T*", .n_out = 1, .types = set, .flags = OP_WIDEN,  \
     OP_ATTRS(binary_attrs, binary_params), .aux = &(loops), .shape = shape_variadic, .run = run_}
static const graph_op binary_ops[] = {
    ROW("Add", fn_add, 1, TS_NUM, shape_binary), ROW("Sub", fn_sub, 1, TS_NUM, shape_binary),
    ROW("Mul", fn_mul, 1, TS_NUM, shape_binary), ROW("Div", fn_div, 1, TS_NUM, shape_binary),
    ROW("PRelu", fn_prelu, 7, TS_NUM, shape_binary),
    ROW("Equal", fn_equal, 1, TS_NUM | BIT(T_BOOL), shape_test),
    ROW("Less", fn_less, 1, TS_NUM | BIT(T_BOOL), shape_test),
    ROW("Greater", fn_greater, 1, TS_NUM | BIT(T_BOOL), shape_test),
    ROW("LessOrEqual", fn_less_equal, 12, TS_NUM | BIT(T_BOOL), shape_test),
    ROW("GreaterOrEqual", fn_greater_equal, 12, TS_NUM | BIT(T_BOOL), shape_test),
    ROW("And", fn_and, 1, BIT(T_BOOL), shape_binary),
    ROW("Or", fn_or, 1, BIT(T_BOOL), shape_binary),
    ROW("Xor", fn_xor, 1, BIT(T_BOOL), shape_binary),
    ROW("BitwiseAnd", fn_bit_and, 18, TS_INT, shape_binary),
    ROW("BitwiseOr", fn_bit_or, 18, TS_INT, shape_binary),
    ROW("BitwiseXor", fn_bit_xor, 18, TS_INT, shape_binary),
    {.name = "PRelu", .since = 1, .until = 6, .in = "TT", .n_out = 1, .types = TS_NUM,
     .flags = OP_WIDEN, OP_ATTRS(prelu6_attrs, binary_params), .aux = &fn_prelu,
     .shape = shape_binary, .run = run_binary},
    {.name = "Mod", .since = 10, .in = "TT", .n_out = 1, .types = TS_NUM, .flags = OP_WIDEN,
     OP_ATTRS(mod_attrs, binary_params), .shape = shape_binary, .run = run_mod},
    {.name = "BitShift", .since = 11, .in = "TT", .n_out = 1, .types = TS_UINT,
     OP_ATTRS(shift_attrs, binary_params), .shape = shape_binary, .run = run_shift},
    {.name = "Pow", .since = 1, .in = "TA", .n_out = 1, .types = TS_NUM, .flags = OP_WIDEN,
     OP_ATTRS(binary_attrs, binary_params), .shape = shape_pow, .run = run_pow},
    MANY("Max", fn_max, 1, TS_NUM, run_variadic), MANY("Min", fn_min, 1, TS_NUM, run_variadic),
    MANY("Sum", fn_add, 1, TS_FLOAT, run_variadic), MANY("Mean", fn_add, 1, TS_FLOAT, run_mean),
};
OP_FAMILY(ops_binary, "", binary_ops);
