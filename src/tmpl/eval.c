// Expressions of templates: a value for every node of the tree.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tmpl/tmpl_int.h"

hearth_status fail(interp *in, const char *fmt, ...)
{
    char what[ERR_MSG_CAP];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_fail(in->err, HEARTH_E_FORMAT, "template line %d: %s", in->line, what);
}

hearth_status fail_memory(interp *in)
{
    return err_fail(in->err, HEARTH_E_LIMIT, "template line %d: more than %zu MB of memory",
                    in->line, in->mem.max_bytes >> 20);
}

hearth_status charge(interp *in, size_t work)
{
    if (work >= in->steps) {
        in->steps = 0;
        return err_fail(in->err, HEARTH_E_LIMIT, "template line %d: more work than is allowed",
                        in->line);
    }
    in->steps -= work;
    return HEARTH_OK;
}

hearth_status enter(interp *in)
{
    if (in->depth == LIMIT_TMPL_DEPTH) {
        return err_fail(in->err, HEARTH_E_LIMIT, "template line %d: nested deeper than %d levels",
                        in->line, LIMIT_TMPL_DEPTH);
    }
    HEARTH_TRY(charge(in, 1));
    in->depth++;
    return HEARTH_OK;
}

// --- names --------------------------------------------------------------------------------------

static void eval_name(interp *in, str name, value *out)
{
    for (const scope *s = in->scope; s; s = s->parent) {
        for (const binding *b = s->first; b; b = b->next) {
            if (str_eq(b->name, name)) {
                *out = b->v;
                return;
            }
        }
    }
    const function *f = find_global(name);
    *out = f ? (value){.kind = V_FUNCTION, .u.fn = f} : val_undefined(name);
}

static hearth_status loop_attr(interp *in, const loop *l, str name, value *out)
{
    int64_t at = (int64_t)l->at, n = (int64_t)l->n;
    const struct { const char *name; int64_t v; } numbers[] = {
        {"index", at + 1}, {"index0", at}, {"revindex", n - at}, {"revindex0", n - at - 1},
        {"length", n}, {"depth", l->depth}, {"depth0", l->depth - 1}};
    for (size_t i = 0; i < COUNTOF(numbers); i++) {
        if (str_eq_z(name, numbers[i].name)) *out = val_int(numbers[i].v, false);
    }
    if (str_eq_z(name, "first")) *out = val_bool(at == 0);
    if (str_eq_z(name, "last")) *out = val_bool(at == n - 1);
    if (str_eq_z(name, "previtem") && at > 0) *out = l->v[at - 1];
    if (str_eq_z(name, "nextitem") && at < n - 1) *out = l->v[at + 1];
    return charge(in, 1);
}

static hearth_status bind_method(interp *in, value of, const function *f, value *out)
{
    method *m = arena_new(&in->mem, method, 1);
    if (!m) return fail_memory(in);
    *m = (method){f, of};
    *out = (value){.kind = V_METHOD, .u.method = m};
    return HEARTH_OK;
}

// A method, or what the object keeps under that name.
static hearth_status get_method(interp *in, value of, str name, bool *found, value *out)
{
    bool is_unsafe = false;
    const function *f = find_method(of, name, &is_unsafe);
    *found = f || is_unsafe;
    return f ? bind_method(in, of, f, out) : HEARTH_OK;
}

static hearth_status fail_undefined(interp *in, value v)
{
    return fail(in, "'%.*s' is undefined", STR_ARG(val_str(v)));
}

hearth_status get_attr(interp *in, value of, str name, value *out)
{
    bool found = false;
    *out = val_undefined(name);
    if (of.kind == V_UNDEFINED) return fail_undefined(in, of);
    if (of.kind == V_LOOP) HEARTH_TRY(loop_attr(in, of.u.loop, name, out));
    if (of.kind == V_NAMESPACE) {
        size_t at = dict_find_text(of.u.d, name);
        if (at != SIZE_MAX) *out = of.u.d->v[at];
        return HEARTH_OK;
    }
    HEARTH_TRY(get_method(in, of, name, &found, out));
    if (found) return HEARTH_OK;
    if (of.kind == V_DICT) {
        HEARTH_TRY(charge(in, of.u.d->n / 8));
        size_t at = dict_find_text(of.u.d, name);
        if (at != SIZE_MAX) *out = of.u.d->v[at];
    } else if (of.kind == V_TUPLE && of.u.l->n == 2) { // of groupby
        if (str_eq_z(name, "grouper")) *out = of.u.l->v[0];
        if (str_eq_z(name, "list")) *out = of.u.l->v[1];
    }
    return HEARTH_OK;
}

// Item i of a list or a string, from the end when negative; what is outside stays undefined.
static void get_index(value of, int64_t i, value *out)
{
    bool is_text = of.kind == V_STRING;
    int64_t n = (int64_t)(is_text ? text_count(val_str(of)) : of.u.l->n);
    if (i < 0) i += n;
    if (i < 0 || i >= n) return;
    if (!is_text) {
        *out = of.u.l->v[i];
        return;
    }
    uint32_t cp;
    size_t at = text_offset(val_str(of), (size_t)i);
    *out = text_slice(of, at, utf8_decode(of.u.s.p + at, of.u.s.n - at, &cp));
}

hearth_status get_item(interp *in, value of, value key, value *out)
{
    bool found;
    *out = val_undefined(key.kind == V_STRING ? val_str(key) : STR("item"));
    if (of.kind == V_UNDEFINED) return fail_undefined(in, of);
    if (of.kind == V_DICT) {
        size_t at;
        HEARTH_TRY(dict_find(in, of.u.d, key, &at));
        if (at != SIZE_MAX) {
            *out = of.u.d->v[at];
            return HEARTH_OK;
        }
        if (key.kind == V_STRING) return get_method(in, of, val_str(key), &found, out);
        return HEARTH_OK;
    }
    bool is_row = of.kind == V_LIST || of.kind == V_TUPLE || of.kind == V_STRING;
    if (is_row && (key.kind == V_INT || key.kind == V_BOOL)) {
        if (of.kind == V_STRING) HEARTH_TRY(charge(in, of.u.s.n / 8));
        get_index(of, key.kind == V_INT ? key.u.i : key.u.b, out);
        return HEARTH_OK;
    }
    return key.kind == V_STRING ? get_attr(in, of, val_str(key), out) : HEARTH_OK;
}

// --- operators ----------------------------------------------------------------------------------

static hearth_status eval_chain(interp *in, const node *n, value *out)
{
    HEARTH_TRY(eval(in, n->a, out));
    for (const node *o = n->args; o; o = o->next) {
        value right;
        HEARTH_TRY(eval(in, o->a, &right));
        in->line = o->line;
        HEARTH_TRY(apply_operator(in, (tk)o->op, *out, right, out));
    }
    return HEARTH_OK;
}

static hearth_status eval_compare(interp *in, const node *n, value *out)
{
    value left, right;
    bool holds = true;
    HEARTH_TRY(eval(in, n->a, &left));
    for (const node *o = n->args; o && holds; o = o->next) {
        HEARTH_TRY(eval(in, o->a, &right));
        in->line = o->line;
        HEARTH_TRY(apply_compare(in, (tk)o->op, left, right, &holds));
        left = right;
    }
    *out = val_bool(holds);
    return HEARTH_OK;
}

// The first part that decides, as in Python: its value, not its truth.
static hearth_status eval_logic(interp *in, const node *n, value *out)
{
    for (const node *o = n->args; o; o = o->next) {
        HEARTH_TRY(eval(in, o->a, out));
        if (val_truth(*out) == (n->kind == N_OR)) break;
    }
    return HEARTH_OK;
}

static hearth_status eval_concat(interp *in, const node *n, value *out)
{
    builder b = build(in);
    for (const node *o = n->args; o; o = o->next) {
        value v;
        HEARTH_TRY(eval(in, o->a, &v));
        HEARTH_TRY(build_value(&b, v));
    }
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status eval_condition(interp *in, const node *n, value *out)
{
    value test;
    HEARTH_TRY(eval(in, n->a, &test));
    if (val_truth(test)) return eval(in, n->b, out);
    if (n->c) return eval(in, n->c, out);
    *out = val_undefined(STR("the inline if without else"));
    return HEARTH_OK;
}

static hearth_status eval_sign(interp *in, const node *n, value *out)
{
    value v;
    HEARTH_TRY(eval(in, n->a, &v));
    if (n->kind == N_NOT) {
        *out = val_bool(!val_truth(v));
        return HEARTH_OK;
    }
    return apply_sign(in, n->kind == N_NEG, v, out);
}

// --- the rest -----------------------------------------------------------------------------------

static hearth_status eval_list(interp *in, const node *n, value *out)
{
    list l = {0};
    for (const node *i = n->args; i; i = i->next) {
        value v;
        HEARTH_TRY(eval(in, i, &v));
        HEARTH_TRY(list_add(in, &l, v));
    }
    return make_list(in, n->kind == N_LIST ? V_LIST : V_TUPLE, l, out);
}

static hearth_status eval_dict(interp *in, const node *n, value *out)
{
    dict *d;
    HEARTH_TRY(dict_new(in, &d));
    for (const node *i = n->args; i; i = i->next->next) {
        value k, v;
        HEARTH_TRY(eval(in, i, &k));
        HEARTH_TRY(eval(in, i->next, &v));
        HEARTH_TRY(dict_set(in, d, k, v));
    }
    *out = (value){.kind = V_DICT, .u.d = d};
    return HEARTH_OK;
}

static hearth_status eval_item(interp *in, const node *n, value *out)
{
    value of, key;
    HEARTH_TRY(eval(in, n->a, &of));
    if (n->b->kind != N_SLICE) {
        HEARTH_TRY(eval(in, n->b, &key));
        in->line = n->line;
        return get_item(in, of, key, out);
    }
    const node *parts[3] = {n->b->a, n->b->b, n->b->c};
    value v[3];
    for (int i = 0; i < 3; i++) {
        v[i] = val_none();
        if (parts[i]) HEARTH_TRY(eval(in, parts[i], &v[i]));
    }
    return get_slice(in, of, v, out);
}

static hearth_status eval_attr(interp *in, const node *n, value *out)
{
    value of;
    HEARTH_TRY(eval(in, n->a, &of));
    in->line = n->line;
    return get_attr(in, of, n->text, out);
}

static hearth_status eval_call(interp *in, const node *n, value *out)
{
    value callee;
    call c;
    HEARTH_TRY(eval(in, n->a, &callee));
    HEARTH_TRY(collect_args(in, n->args, &c));
    in->line = n->line;
    return call_value(in, callee, &c, out);
}

static hearth_status eval_filter(interp *in, const node *n, value *out)
{
    value self;
    call c;
    HEARTH_TRY(eval(in, n->a, &self));
    const function *f = find_filter(n->text);
    in->line = n->line;
    if (!f) return fail(in, "unknown filter '%.*s'", STR_ARG(n->text));
    HEARTH_TRY(collect_args(in, n->args, &c));
    c.self = self;
    return run_function(in, f, &c, out);
}

static hearth_status eval_test(interp *in, const node *n, value *out)
{
    value self;
    call c;
    bool yes;
    HEARTH_TRY(eval(in, n->a, &self));
    HEARTH_TRY(collect_args(in, n->args, &c));
    c.self = self;
    in->line = n->line;
    HEARTH_TRY(run_test(in, n->text, &c, &yes));
    *out = val_bool(yes);
    return HEARTH_OK;
}

static hearth_status eval_inner(interp *in, const node *n, value *out)
{
    switch (n->kind) {
    case N_LITERAL: *out = n->literal; return HEARTH_OK;
    case N_NAME: eval_name(in, n->text, out); return HEARTH_OK;
    case N_CAPTURED: *out = in->captured; return HEARTH_OK;
    case N_LIST: case N_TUPLE: return eval_list(in, n, out);
    case N_DICT: return eval_dict(in, n, out);
    case N_ATTR: return eval_attr(in, n, out);
    case N_ITEM: return eval_item(in, n, out);
    case N_CALL: return eval_call(in, n, out);
    case N_FILTER: return eval_filter(in, n, out);
    case N_TEST: return eval_test(in, n, out);
    case N_NOT: case N_NEG: case N_POS: return eval_sign(in, n, out);
    case N_CHAIN: return eval_chain(in, n, out);
    case N_COMPARE: return eval_compare(in, n, out);
    case N_AND: case N_OR: return eval_logic(in, n, out);
    case N_CONCAT: return eval_concat(in, n, out);
    case N_COND: return eval_condition(in, n, out);
    default: return fail(in, "expected an expression");
    }
}

hearth_status eval(interp *in, const node *n, value *out)
{
    in->line = n->line;
    HEARTH_TRY(enter(in));
    hearth_status st = eval_inner(in, n, out);
    leave(in);
    return st;
}
