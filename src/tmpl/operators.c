// Operators of templates, with Python's meaning. Integers have 64 bits: what does not fit is an
// error, where Python's would grow.
#include <math.h>
#include <string.h>

#include "tmpl/tmpl_int.h"

static const char *operator_name(tk op)
{
    switch (op) {
    case TK_ADD: return "+";
    case TK_SUB: return "-";
    case TK_MUL: return "*";
    case TK_DIV: return "/";
    case TK_FLOORDIV: return "//";
    case TK_MOD: return "%";
    default: return "**";
    }
}

static hearth_status fail_operands(interp *in, tk op, value a, value b)
{
    value u = a.kind == V_UNDEFINED ? a : b;
    if (u.kind == V_UNDEFINED) return fail(in, "'%.*s' is undefined", STR_ARG(val_str(u)));
    return fail(in, "operator %s cannot take %s and %s", operator_name(op), val_type(a),
                val_type(b));
}

static int64_t as_int(value v) { return v.kind == V_BOOL ? v.u.b : v.u.i; }

// base ** exponent, exponent >= 0.
static bool power_i64(int64_t base, int64_t exponent, int64_t *out)
{
    *out = 1;
    for (;;) {
        if ((exponent & 1) && !mul_ok_i64(*out, base, out)) return false;
        exponent >>= 1;
        if (exponent == 0) return true;
        if (!mul_ok_i64(base, base, &base)) return false;
    }
}

static bool add_i64(int64_t a, int64_t b, int64_t *out)
{
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b) return false;
    *out = a + b;
    return true;
}

static bool sub_i64(int64_t a, int64_t b, int64_t *out)
{
    if (b < 0 ? a > INT64_MAX + b : a < INT64_MIN + b) return false;
    *out = a - b;
    return true;
}

// Rounds towards minus infinity; b is neither 0 nor (with INT64_MIN) -1.
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static hearth_status apply_ints(interp *in, tk op, int64_t a, int64_t b, bool user, value *out)
{
    int64_t v = 0;
    bool ok = true, divides = op == TK_DIV || op == TK_FLOORDIV || op == TK_MOD;
    if (divides && b == 0) return fail(in, "division by zero");
    if (op == TK_DIV) {
        *out = val_float((double)a / (double)b, user);
        return HEARTH_OK;
    }
    if (op == TK_POW && b < 0) {
        if (a == 0) return fail(in, "division by zero");
        *out = val_float(pow((double)a, (double)b), user);
        return HEARTH_OK;
    }
    if (op == TK_ADD) ok = add_i64(a, b, &v);
    else if (op == TK_SUB) ok = sub_i64(a, b, &v);
    else if (op == TK_MUL) ok = mul_ok_i64(a, b, &v);
    else if (op == TK_POW) ok = power_i64(a, b, &v);
    else if (a == INT64_MIN && b == -1) ok = op == TK_MOD;
    else v = op == TK_MOD ? a - floor_div(a, b) * b : floor_div(a, b);
    if (!ok) return fail(in, "an integer needs more than 64 bits");
    *out = val_int(v, user);
    return HEARTH_OK;
}

static hearth_status apply_floats(interp *in, tk op, double a, double b, bool user, value *out)
{
    bool divides = op == TK_DIV || op == TK_FLOORDIV || op == TK_MOD;
    if (divides && b == 0) return fail(in, "division by zero");
    double v = 0;
    switch (op) {
    case TK_ADD: v = a + b; break;
    case TK_SUB: v = a - b; break;
    case TK_MUL: v = a * b; break;
    case TK_DIV: v = a / b; break;
    case TK_FLOORDIV: v = floor(a / b); break;
    case TK_MOD:
        v = fmod(a, b);
        if (v != 0 && (v < 0) != (b < 0)) v += b;
        break;
    default: v = pow(a, b);
    }
    if (op == TK_POW && isnan(v) && !isnan(a) && !isnan(b)) return fail(in, "a complex result");
    *out = val_float(v, user);
    return HEARTH_OK;
}

// s * n and list * n.
static hearth_status repeat(interp *in, value v, int64_t n, value *out)
{
    if (v.kind == V_STRING) {
        builder b = build(in);
        for (int64_t i = 0; i < n && v.u.s.n > 0; i++) HEARTH_TRY(build_slice(&b, v, 0, v.u.s.n));
        *out = build_done(&b);
        return HEARTH_OK;
    }
    list l = {0};
    for (int64_t i = 0; i < n && v.u.l->n > 0; i++) {
        for (size_t j = 0; j < v.u.l->n; j++) HEARTH_TRY(list_add(in, &l, v.u.l->v[j]));
    }
    return make_list(in, (val_kind)v.kind, l, out);
}

static bool is_row(value v)
{
    return v.kind == V_STRING || v.kind == V_LIST || v.kind == V_TUPLE;
}

static hearth_status add_rows(interp *in, value a, value b, value *out)
{
    if (a.kind == V_STRING) {
        builder s = build(in);
        HEARTH_TRY(build_slice(&s, a, 0, a.u.s.n));
        HEARTH_TRY(build_slice(&s, b, 0, b.u.s.n));
        *out = build_done(&s);
        return HEARTH_OK;
    }
    list l = {0};
    for (size_t i = 0; i < a.u.l->n; i++) HEARTH_TRY(list_add(in, &l, a.u.l->v[i]));
    for (size_t i = 0; i < b.u.l->n; i++) HEARTH_TRY(list_add(in, &l, b.u.l->v[i]));
    return make_list(in, (val_kind)a.kind, l, out);
}

hearth_status apply_operator(interp *in, tk op, value a, value b, value *out)
{
    bool user = a.user || b.user;
    if (val_is_number(a) && val_is_number(b)) {
        if (a.kind == V_FLOAT || b.kind == V_FLOAT) {
            return apply_floats(in, op, val_number(a), val_number(b), user, out);
        }
        return apply_ints(in, op, as_int(a), as_int(b), user, out);
    }
    if (op == TK_ADD && is_row(a) && a.kind == b.kind) return add_rows(in, a, b, out);
    if (op == TK_MUL && is_row(a) && (b.kind == V_INT || b.kind == V_BOOL)) {
        return repeat(in, a, as_int(b), out);
    }
    if (op == TK_MUL && is_row(b) && (a.kind == V_INT || a.kind == V_BOOL)) {
        return repeat(in, b, as_int(a), out);
    }
    if (op == TK_MOD && a.kind == V_STRING) return format_percent(in, a, b, out);
    return fail_operands(in, op, a, b);
}

hearth_status apply_sign(interp *in, bool negative, value a, value *out)
{
    if (!val_is_number(a)) {
        if (a.kind == V_UNDEFINED) return fail(in, "'%.*s' is undefined", STR_ARG(val_str(a)));
        return fail(in, "a value of type %s has no sign", val_type(a));
    }
    if (a.kind == V_FLOAT) {
        *out = val_float(negative ? -a.u.f : a.u.f, a.user);
        return HEARTH_OK;
    }
    return apply_ints(in, negative ? TK_SUB : TK_ADD, 0, as_int(a), a.user, out);
}

hearth_status apply_compare(interp *in, tk op, value a, value b, bool *out)
{
    int order = 0;
    if (op == TK_IN || op == TK_NOT_IN) {
        HEARTH_TRY(val_contains(in, b, a, out));
        *out ^= op == TK_NOT_IN;
        return HEARTH_OK;
    }
    if (op == TK_EQ || op == TK_NE) {
        HEARTH_TRY(val_equal(in, a, b, out));
        *out ^= op == TK_NE;
        return HEARTH_OK;
    }
    HEARTH_TRY(val_order(in, a, b, &order));
    if (op == TK_LT || op == TK_LE) *out = order < (op == TK_LE);
    else *out = order > -(op == TK_GE);
    return HEARTH_OK;
}

// --- slices -------------------------------------------------------------------------------------

static hearth_status slice_part(interp *in, value v, int64_t def, int64_t *out)
{
    *out = def;
    if (v.kind == V_NONE) return HEARTH_OK;
    if (v.kind != V_INT && v.kind != V_BOOL) {
        return fail(in, "an index of a slice is of type %s", val_type(v));
    }
    *out = as_int(v);
    return HEARTH_OK;
}

// Python's rule: count from the end when negative, then clamp to what the direction can reach.
static int64_t clamp_index(int64_t i, int64_t n, bool backwards)
{
    if (i < 0) i = i < -n ? -1 : i + n;
    else if (i > n) i = n;
    if (i < 0) return backwards ? -1 : 0;
    return backwards && i >= n ? n - 1 : i;
}

hearth_status get_slice(interp *in, value of, const value part[3], value *out)
{
    size_t n_items;
    int64_t from, to, step;
    if (of.kind == V_UNDEFINED) return fail(in, "'%.*s' is undefined", STR_ARG(val_str(of)));
    if (!is_row(of)) return fail(in, "a value of type %s has no slices", val_type(of));
    HEARTH_TRY(val_length(in, of, &n_items));
    int64_t n = (int64_t)n_items;
    HEARTH_TRY(slice_part(in, part[2], 1, &step));
    if (step == 0) return fail(in, "the step of a slice is zero");
    bool back = step < 0;
    HEARTH_TRY(slice_part(in, part[0], back ? INT64_MAX : 0, &from));
    HEARTH_TRY(slice_part(in, part[1], INT64_MAX, &to));
    from = clamp_index(from, n, back);
    to = back && part[1].kind == V_NONE ? -1 : clamp_index(to, n, back);
    if (of.kind == V_STRING && step == 1) {
        size_t begin = text_offset(val_str(of), (size_t)from);
        size_t end = to > from ? text_offset(val_str(of), (size_t)to) : begin;
        *out = text_slice(of, begin, end - begin);
        return charge(in, of.u.s.n / 16);
    }
    list all, l = {0};
    HEARTH_TRY(val_items(in, of, &all));
    builder b = build(in);
    for (int64_t i = from; back ? i > to : i < to;) {
        if (of.kind != V_STRING) HEARTH_TRY(list_add(in, &l, all.v[i]));
        else HEARTH_TRY(build_slice(&b, all.v[i], 0, all.v[i].u.s.n));
        if (!add_i64(i, step, &i)) break;
    }
    if (of.kind != V_STRING) return make_list(in, (val_kind)of.kind, l, out);
    *out = build_done(&b);
    return HEARTH_OK;
}
