// Tests: what stands after "is".
#include <string.h>

#include "tmpl/tmpl_int.h"

// Is every letter of s of one case, and is there one?
static bool has_case(str s, letter_case is)
{
    bool any = false;
    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        i += utf8_decode(s.p + i, s.n - i, &cp);
        if (change_case(cp, CASE_UPPER) == cp && change_case(cp, CASE_LOWER) == cp) continue;
        if (change_case(cp, is) != cp) return false;
        any = true;
    }
    return any;
}

// Tests of the value alone; false: not one of them.
static bool test_kind(str name, value v, bool *out)
{
    bool is_int = v.kind == V_INT, is_text = v.kind == V_STRING;
    bool is_row = is_text || v.kind == V_LIST || v.kind == V_TUPLE || v.kind == V_DICT;
    bool is_call = v.kind == V_FUNCTION || v.kind == V_METHOD || v.kind == V_MACRO;
    const struct { const char *name; bool holds; } rows[] = {
        {"defined", v.kind != V_UNDEFINED}, {"undefined", v.kind == V_UNDEFINED},
        {"none", v.kind == V_NONE}, {"boolean", v.kind == V_BOOL},
        {"true", v.kind == V_BOOL && v.u.b}, {"false", v.kind == V_BOOL && !v.u.b},
        {"integer", is_int}, {"float", v.kind == V_FLOAT}, {"number", val_is_number(v)},
        {"string", is_text}, {"mapping", v.kind == V_DICT},
        {"sequence", is_row || v.kind == V_UNDEFINED},
        {"iterable", is_row || v.kind == V_VIEW || v.kind == V_ITER || v.kind == V_UNDEFINED ||
                         v.kind == V_LOOP},
        {"callable", is_call}, {"escaped", false},
        {"lower", is_text && has_case(val_str(v), CASE_LOWER)},
        {"upper", is_text && has_case(val_str(v), CASE_UPPER)},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (!str_eq_z(name, rows[i].name)) continue;
        *out = rows[i].holds;
        return true;
    }
    return false;
}

static hearth_status test_remainder(interp *in, value v, value by, int64_t wanted, bool *out)
{
    value rest;
    HEARTH_TRY(apply_operator(in, TK_MOD, v, by, &rest));
    return val_equal(in, rest, val_int(wanted, false), out);
}

static bool is_same(value a, value b)
{
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case V_NONE: return true;
    case V_BOOL: return a.u.b == b.u.b;
    case V_INT: return a.u.i == b.u.i;
    case V_STRING: return str_eq(val_str(a), val_str(b));
    default: return a.u.l == b.u.l;
    }
}

// Tests with an argument; *known says whether there is such a one.
static hearth_status test_pair(interp *in, str name, value v, value arg, bool *known, bool *out)
{
    static const struct { const char *name; tk op; } rows[] = {
        {"eq", TK_EQ}, {"equalto", TK_EQ}, {"==", TK_EQ}, {"ne", TK_NE}, {"!=", TK_NE},
        {"lt", TK_LT}, {"lessthan", TK_LT}, {"<", TK_LT}, {"le", TK_LE}, {"<=", TK_LE},
        {"gt", TK_GT}, {"greaterthan", TK_GT}, {">", TK_GT}, {"ge", TK_GE}, {">=", TK_GE},
        {"in", TK_IN}};
    *known = true;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (str_eq_z(name, rows[i].name)) return apply_compare(in, rows[i].op, v, arg, out);
    }
    if (str_eq_z(name, "divisibleby")) return test_remainder(in, v, arg, 0, out);
    if (str_eq_z(name, "sameas")) {
        *out = is_same(v, arg);
        return HEARTH_OK;
    }
    *known = false;
    return HEARTH_OK;
}

hearth_status run_test(interp *in, str name, call *c, bool *out)
{
    bool known = false;
    HEARTH_TRY(charge(in, 1));
    if (c->n_kw > 0) return fail(in, "test '%.*s': no argument has a name", STR_ARG(name));
    if (str_eq_z(name, "odd")) return test_remainder(in, c->self, val_int(2, false), 1, out);
    if (str_eq_z(name, "even")) return test_remainder(in, c->self, val_int(2, false), 0, out);
    if (str_eq_z(name, "filter")) {
        *out = c->self.kind == V_STRING && find_filter(val_str(c->self));
        return HEARTH_OK;
    }
    if (test_kind(name, c->self, out)) {
        if (c->n_pos == 0) return HEARTH_OK;
        return fail(in, "test '%.*s' takes no argument", STR_ARG(name));
    }
    value arg = c->n_pos > 0 ? c->pos[0] : val_undefined(name);
    HEARTH_TRY(test_pair(in, name, c->self, arg, &known, out));
    if (!known) return fail(in, "unknown test '%.*s'", STR_ARG(name));
    if (c->n_pos != 1) return fail(in, "test '%.*s' takes one argument", STR_ARG(name));
    return HEARTH_OK;
}
