// Values of templates: making, comparing, iterating them.
//
// A value is 40 bytes by value; what it points at lives in the rendering's arena (or in the inputs)
// and does not change. Work in proportion to a value's size is charged as steps first, so that no
// template runs longer than its budget.
#include <math.h>
#include <string.h>

#include "tmpl/tmpl_int.h"

value val_undefined(str name)
{
    return (value){.kind = V_UNDEFINED, .u.s = {name.p, NULL, name.n}};
}

value val_none(void) { return (value){.kind = V_NONE}; }
value val_bool(bool v) { return (value){.kind = V_BOOL, .u.b = v}; }
value val_int(int64_t v, bool user) { return (value){.kind = V_INT, .user = user, .u.i = v}; }
value val_float(double v, bool user) { return (value){.kind = V_FLOAT, .user = user, .u.f = v}; }

value val_text(str s, bool user)
{
    return (value){.kind = V_STRING, .user = user, .u.s = {s.p, NULL, s.n}};
}

value val_list(val_kind k, const list *l) { return (value){.kind = (uint8_t)k, .u.l = l}; }

bool val_is_number(value v)
{
    return v.kind == V_BOOL || v.kind == V_INT || v.kind == V_FLOAT;
}

double val_number(value v)
{
    return v.kind == V_FLOAT ? v.u.f : v.kind == V_BOOL ? (double)v.u.b : (double)v.u.i;
}

bool val_truth(value v)
{
    switch (v.kind) {
    case V_ABSENT: case V_UNDEFINED: case V_NONE: return false;
    case V_BOOL: return v.u.b;
    case V_INT: return v.u.i != 0;
    case V_FLOAT: return v.u.f != 0;
    case V_STRING: return v.u.s.n > 0;
    case V_LIST: case V_TUPLE: return v.u.l->n > 0;
    case V_DICT: return v.u.d->n > 0;
    case V_VIEW: return v.u.view->l.n > 0;
    default: return true;
    }
}

const char *val_type(value v)
{
    static const char *const names[] = {
        "absent", "Undefined", "NoneType", "bool", "int", "float", "str", "list", "tuple", "dict",
        "generator", "dict view", "Namespace", "LoopContext", "Macro", "function", "method"};
    return names[v.kind];
}

// --- comparing ----------------------------------------------------------------------------------

static hearth_status equal_lists(interp *in, const list *a, const list *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; *out && i < a->n; i++) HEARTH_TRY(val_equal(in, a->v[i], b->v[i], out));
    return HEARTH_OK;
}

static hearth_status equal_dicts(interp *in, const dict *a, const dict *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; *out && i < a->n; i++) {
        size_t at;
        HEARTH_TRY(dict_find(in, b, a->k[i], &at));
        *out = at != SIZE_MAX;
        if (*out) HEARTH_TRY(val_equal(in, a->v[i], b->v[at], out));
    }
    return HEARTH_OK;
}

static hearth_status equal_inner(interp *in, value a, value b, bool *out)
{
    *out = false;
    if (val_is_number(a) && val_is_number(b)) {
        if (a.kind == V_INT && b.kind == V_INT) *out = a.u.i == b.u.i;
        else *out = val_number(a) == val_number(b);
    } else if (a.kind != b.kind) {
        return HEARTH_OK;
    } else if (a.kind == V_STRING) {
        *out = str_eq(val_str(a), val_str(b));
    } else if (a.kind == V_LIST || a.kind == V_TUPLE) {
        return equal_lists(in, a.u.l, b.u.l, out);
    } else if (a.kind == V_DICT) {
        return equal_dicts(in, a.u.d, b.u.d, out);
    } else if (a.kind == V_NONE || a.kind == V_UNDEFINED) {
        *out = true;
    } else {
        *out = a.u.l == b.u.l; // the same object
    }
    return HEARTH_OK;
}

hearth_status val_equal(interp *in, value a, value b, bool *out)
{
    HEARTH_TRY(enter(in));
    hearth_status st = equal_inner(in, a, b, out);
    leave(in);
    return st;
}

static hearth_status order_lists(interp *in, const list *a, const list *b, int *out)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        bool same;
        HEARTH_TRY(val_equal(in, a->v[i], b->v[i], &same));
        if (!same) return val_order(in, a->v[i], b->v[i], out);
    }
    *out = (a->n > b->n) - (a->n < b->n);
    return HEARTH_OK;
}

// UTF-8 sorts as its code points do.
static hearth_status order_inner(interp *in, value a, value b, int *out)
{
    if (a.kind == V_INT && b.kind == V_INT) {
        *out = (a.u.i > b.u.i) - (a.u.i < b.u.i);
    } else if (val_is_number(a) && val_is_number(b)) {
        *out = (val_number(a) > val_number(b)) - (val_number(a) < val_number(b));
    } else if (a.kind == V_STRING && b.kind == V_STRING) {
        *out = str_cmp(val_str(a), val_str(b));
    } else if (a.kind == b.kind && (a.kind == V_LIST || a.kind == V_TUPLE)) {
        return order_lists(in, a.u.l, b.u.l, out);
    } else if (a.kind == V_UNDEFINED || b.kind == V_UNDEFINED) {
        value v = a.kind == V_UNDEFINED ? a : b;
        return fail(in, "'%.*s' is undefined", STR_ARG(val_str(v)));
    } else {
        return fail(in, "values of types %s and %s have no order", val_type(a), val_type(b));
    }
    return HEARTH_OK;
}

hearth_status val_order(interp *in, value a, value b, int *out)
{
    HEARTH_TRY(enter(in));
    hearth_status st = order_inner(in, a, b, out);
    leave(in);
    return st;
}

hearth_status val_contains(interp *in, value box, value what, bool *out)
{
    *out = false;
    if (box.kind == V_STRING) {
        if (what.kind != V_STRING) {
            return fail(in, "'in <string>' requires a string on the left, not %s", val_type(what));
        }
        HEARTH_TRY(charge(in, box.u.s.n / 16));
        *out = str_find(val_str(box), val_str(what), 0) != SIZE_MAX;
        return HEARTH_OK;
    }
    if (box.kind == V_DICT) {
        size_t at;
        HEARTH_TRY(dict_find(in, box.u.d, what, &at));
        *out = at != SIZE_MAX;
        return HEARTH_OK;
    }
    list l;
    HEARTH_TRY(val_items(in, box, &l));
    for (size_t i = 0; !*out && i < l.n; i++) HEARTH_TRY(val_equal(in, l.v[i], what, out));
    return HEARTH_OK;
}

// --- items --------------------------------------------------------------------------------------

hearth_status list_add(interp *in, list *l, value v)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        value *p = arena_new(&in->mem, value, cap);
        if (!p) return fail_memory(in);
        if (l->n > 0) memcpy(p, l->v, l->n * sizeof *p);
        l->v = p;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return charge(in, 1);
}

static hearth_status split_characters(interp *in, value s, list *out)
{
    *out = (list){0};
    for (size_t i = 0; i < s.u.s.n;) {
        uint32_t cp;
        size_t n = utf8_decode(s.u.s.p + i, s.u.s.n - i, &cp);
        HEARTH_TRY(list_add(in, out, text_slice(s, i, n)));
        i += n;
    }
    return HEARTH_OK;
}

hearth_status val_items(interp *in, value v, list *out)
{
    switch (v.kind) {
    case V_UNDEFINED: *out = (list){0}; return HEARTH_OK;
    case V_LIST: case V_TUPLE: *out = *v.u.l; return charge(in, v.u.l->n / 16);
    case V_DICT: *out = (list){v.u.d->k, v.u.d->n, v.u.d->n}; return HEARTH_OK;
    case V_VIEW: *out = v.u.view->l; return HEARTH_OK;
    case V_STRING: return split_characters(in, v, out);
    case V_ITER:
        *out = v.u.it->l;
        if (v.u.it->at > 0) out->v += v.u.it->at; // of an empty list it may be NULL
        out->n = out->cap = out->n - v.u.it->at;
        v.u.it->at = v.u.it->l.n;
        return HEARTH_OK;
    default: return fail(in, "a value of type %s is not iterable", val_type(v));
    }
}

hearth_status val_length(interp *in, value v, size_t *out)
{
    switch (v.kind) {
    case V_UNDEFINED: *out = 0; return HEARTH_OK;
    case V_LIST: case V_TUPLE: *out = v.u.l->n; return HEARTH_OK;
    case V_DICT: *out = v.u.d->n; return HEARTH_OK;
    case V_VIEW: *out = v.u.view->l.n; return HEARTH_OK;
    case V_LOOP: *out = v.u.loop->n; return HEARTH_OK;
    case V_STRING: *out = text_count(val_str(v)); return charge(in, v.u.s.n / 16);
    default: return fail(in, "a value of type %s has no length", val_type(v));
    }
}

hearth_status make_list(interp *in, val_kind k, list l, value *out)
{
    list *copy = arena_new(&in->mem, list, 1);
    if (!copy) return fail_memory(in);
    *copy = (list){l.v, l.n, l.n}; // full: nobody grows a list that is a value
    *out = val_list(k, copy);
    return HEARTH_OK;
}

hearth_status make_iter(interp *in, list l, value *out)
{
    iter *it = arena_new(&in->mem, iter, 1);
    if (!it) return fail_memory(in);
    it->l = l;
    *out = (value){.kind = V_ITER, .u.it = it};
    return HEARTH_OK;
}

hearth_status make_pair(interp *in, value a, value b, value *out)
{
    list l = {0};
    HEARTH_TRY(list_add(in, &l, a));
    HEARTH_TRY(list_add(in, &l, b));
    return make_list(in, V_TUPLE, l, out);
}

// --- dictionaries -------------------------------------------------------------------------------

hearth_status dict_new(interp *in, dict **out)
{
    *out = arena_new(&in->mem, dict, 1);
    return *out ? HEARTH_OK : fail_memory(in);
}

size_t dict_find_text(const dict *d, str key)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->k[i].kind == V_STRING && str_eq(val_str(d->k[i]), key)) return i;
    }
    return SIZE_MAX;
}

static bool is_key(value k)
{
    return k.kind != V_LIST && k.kind != V_DICT && k.kind != V_VIEW;
}

hearth_status dict_find(interp *in, const dict *d, value k, size_t *at)
{
    *at = SIZE_MAX;
    if (!is_key(k)) return fail(in, "a value of type %s cannot be a key", val_type(k));
    HEARTH_TRY(charge(in, d->n / 8));
    if (k.kind == V_STRING) {
        *at = dict_find_text(d, val_str(k));
        return HEARTH_OK;
    }
    for (size_t i = 0; i < d->n; i++) {
        bool same;
        HEARTH_TRY(val_equal(in, d->k[i], k, &same));
        if (same) {
            *at = i;
            break;
        }
    }
    return HEARTH_OK;
}

static hearth_status grow_dict(interp *in, dict *d)
{
    if (d->n < d->cap) return HEARTH_OK;
    size_t cap = d->cap ? d->cap * 2 : 8;
    value *k = arena_new(&in->mem, value, cap), *v = arena_new(&in->mem, value, cap);
    if (!k || !v) return fail_memory(in);
    if (d->n > 0) {
        memcpy(k, d->k, d->n * sizeof *k);
        memcpy(v, d->v, d->n * sizeof *v);
    }
    d->k = k;
    d->v = v;
    d->cap = cap;
    return HEARTH_OK;
}

hearth_status dict_set(interp *in, dict *d, value k, value v)
{
    size_t at;
    HEARTH_TRY(dict_find(in, d, k, &at));
    if (at == SIZE_MAX) {
        HEARTH_TRY(grow_dict(in, d));
        at = d->n++;
        d->k[at] = k;
    }
    d->v[at] = v;
    return HEARTH_OK;
}

// --- arguments ----------------------------------------------------------------------------------

hearth_status arg_int(interp *in, const call *c, int i, int64_t def, int64_t *out)
{
    value v = c->arg[i];
    *out = def;
    if (v.kind == V_ABSENT || v.kind == V_NONE) return HEARTH_OK;
    if (v.kind != V_INT && v.kind != V_BOOL) {
        return fail(in, "%s: argument %d is of type %s, expected an integer", c->name, i + 1,
                    val_type(v));
    }
    *out = v.kind == V_INT ? v.u.i : v.u.b;
    return HEARTH_OK;
}

hearth_status arg_text(interp *in, const call *c, int i, str *out)
{
    value v = c->arg[i];
    if (v.kind != V_STRING) {
        return fail(in, "%s: argument %d is of type %s, expected a string", c->name, i + 1,
                    val_type(v));
    }
    *out = val_str(v);
    return HEARTH_OK;
}

bool arg_truth(const call *c, int i, bool def)
{
    return arg_given(c, i) ? val_truth(c->arg[i]) : def;
}
