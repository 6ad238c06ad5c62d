// Calling: arguments, functions of the rows in the tables, macros, and the global functions.
#include <string.h>

#include "tmpl/tmpl_int.h"

const function *find_in(const function *rows, str name)
{
    for (; rows->name; rows++) {
        if (str_eq_z(name, rows->name)) return rows;
    }
    return NULL;
}

// --- arguments ----------------------------------------------------------------------------------

typedef struct arg_lists { list pos, keys, kw; } arg_lists;

static hearth_status add_keyword(interp *in, arg_lists *l, str key, value v)
{
    HEARTH_TRY(list_add(in, &l->keys, val_text(key, false)));
    return list_add(in, &l->kw, v);
}

static hearth_status add_spread(interp *in, arg_lists *l, value v, bool is_dict)
{
    list items;
    if (!is_dict) {
        HEARTH_TRY(val_items(in, v, &items));
        for (size_t i = 0; i < items.n; i++) HEARTH_TRY(list_add(in, &l->pos, items.v[i]));
        return HEARTH_OK;
    }
    if (v.kind != V_DICT) return fail(in, "** needs a dict, not %s", val_type(v));
    for (size_t i = 0; i < v.u.d->n; i++) {
        if (v.u.d->k[i].kind != V_STRING) return fail(in, "keywords must be strings");
        HEARTH_TRY(add_keyword(in, l, val_str(v.u.d->k[i]), v.u.d->v[i]));
    }
    return HEARTH_OK;
}

hearth_status collect_args(interp *in, const node *args, call *c)
{
    arg_lists l = {0};
    *c = (call){0};
    for (const node *n = args; n; n = n->next) {
        value v;
        bool is_plain = n->kind != N_KEYWORD && n->kind != N_STAR && n->kind != N_STARSTAR;
        HEARTH_TRY(eval(in, is_plain ? n : n->a, &v));
        if (is_plain) HEARTH_TRY(list_add(in, &l.pos, v));
        else if (n->kind == N_KEYWORD) HEARTH_TRY(add_keyword(in, &l, n->text, v));
        else HEARTH_TRY(add_spread(in, &l, v, n->kind == N_STARSTAR));
    }
    c->pos = l.pos.v;
    c->n_pos = l.pos.n;
    c->kw = l.kw.v;
    c->n_kw = l.kw.n;
    if (c->n_kw == 0) return HEARTH_OK;
    c->key = arena_new(&in->mem, str, c->n_kw);
    if (!c->key) return fail_memory(in);
    for (size_t i = 0; i < c->n_kw; i++) c->key[i] = val_str(l.keys.v[i]);
    return HEARTH_OK;
}

// Position of a keyword among the arguments, SIZE_MAX: not given.
static size_t find_keyword(const call *c, str name)
{
    for (size_t i = 0; i < c->n_kw; i++) {
        if (str_eq(c->key[i], name)) return i;
    }
    return SIZE_MAX;
}

// Puts arguments where the row says they belong.
static hearth_status bind_args(interp *in, const char *params, call *c)
{
    str rest = str_from(params);
    size_t i = 0, used = 0;
    while (rest.n > 0) {
        ASSERT(i < ARGS_MAX);
        str name = str_cut(&rest, ' ');
        bool must = name.p[0] == '!';
        name = (str){name.p + must, name.n - must};
        size_t at = find_keyword(c, name);
        if (at != SIZE_MAX && i < c->n_pos) {
            return fail(in, "%s: argument '%.*s' is given twice", c->name, STR_ARG(name));
        }
        if (i < c->n_pos) c->arg[i] = c->pos[i];
        else if (at != SIZE_MAX) c->arg[i] = c->kw[at];
        else if (must) return fail(in, "%s: argument '%.*s' is missing", c->name, STR_ARG(name));
        used += at != SIZE_MAX;
        i++;
    }
    if (c->n_pos > i) return fail(in, "%s: %zu arguments, expected %zu", c->name, c->n_pos, i);
    if (used < c->n_kw) return fail(in, "%s: an argument has an unknown name", c->name);
    return HEARTH_OK;
}

hearth_status run_function(interp *in, const function *f, call *c, value *out)
{
    HEARTH_TRY(enter(in));
    c->name = f->name;
    hearth_status st = f->params ? bind_args(in, f->params, c) : HEARTH_OK;
    if (st == HEARTH_OK) st = f->fn(in, c, out);
    leave(in);
    return st;
}

// --- macros -------------------------------------------------------------------------------------

static hearth_status bind_parameter(interp *in, const node *param, size_t i, call *c, size_t *used)
{
    size_t at = find_keyword(c, param->text);
    value v = val_undefined(param->text);
    if (i < c->n_pos) v = c->pos[i];
    else if (at != SIZE_MAX) v = c->kw[at];
    else if (param->a) HEARTH_TRY(eval(in, param->a, &v));
    *used += at != SIZE_MAX;
    return scope_set(in, param->text, v);
}

static hearth_status bind_rest(interp *in, const node *def, size_t n_params, size_t used, call *c)
{
    size_t caller = find_keyword(c, STR("caller"));
    used += caller != SIZE_MAX;
    if (def->uses & USES_CALLER) {
        value v = caller != SIZE_MAX ? c->kw[caller] : val_undefined(STR("caller"));
        HEARTH_TRY(scope_set(in, STR("caller"), v));
    }
    list extra = {0};
    for (size_t i = n_params; i < c->n_pos; i++) HEARTH_TRY(list_add(in, &extra, c->pos[i]));
    if (def->uses & USES_VARARGS) {
        value v;
        HEARTH_TRY(make_list(in, V_TUPLE, extra, &v));
        HEARTH_TRY(scope_set(in, STR("varargs"), v));
    } else if (extra.n > 0) {
        return fail(in, "macro '%.*s' takes %zu arguments, not %zu", STR_ARG(def->text), n_params,
                    c->n_pos);
    }
    if (!(def->uses & USES_KWARGS)) {
        if (used >= c->n_kw) return HEARTH_OK;
        return fail(in, "macro '%.*s': an argument has an unknown name", STR_ARG(def->text));
    }
    dict *d;
    HEARTH_TRY(dict_new(in, &d));
    for (size_t i = 0; i < c->n_kw; i++) {
        bool is_param = str_eq_z(c->key[i], "caller");
        for (const node *p = def->args; p; p = p->next) is_param |= str_eq(p->text, c->key[i]);
        if (!is_param) HEARTH_TRY(dict_set(in, d, val_text(c->key[i], false), c->kw[i]));
    }
    return scope_set(in, STR("kwargs"), (value){.kind = V_DICT, .u.d = d});
}

static hearth_status run_macro(interp *in, const macro *m, call *c, value *out)
{
    scope *saved;
    size_t i = 0, used = 0;
    HEARTH_TRY(scope_push(in, m->scope, &saved));
    for (const node *p = m->def->args; p; p = p->next) {
        HEARTH_TRY(bind_parameter(in, p, i++, c, &used));
    }
    HEARTH_TRY(bind_rest(in, m->def, i, used, c));
    hearth_status st = capture(in, m->def->body, out);
    in->scope = saved;
    return st;
}

hearth_status call_value(interp *in, value callee, call *c, value *out)
{
    HEARTH_TRY(enter(in));
    hearth_status st;
    switch (callee.kind) {
    case V_FUNCTION: st = run_function(in, callee.u.fn, c, out); break;
    case V_METHOD:
        c->self = callee.u.method->self;
        st = run_function(in, callee.u.method->fn, c, out);
        break;
    case V_LOOP: st = run_loop(in, callee.u.loop, c, out); break;
    case V_MACRO: st = run_macro(in, callee.u.macro, c, out); break;
    case V_UNDEFINED:
        st = fail(in, "'%.*s' is undefined or not allowed", STR_ARG(val_str(callee)));
        break;
    default: st = fail(in, "a value of type %s cannot be called", val_type(callee));
    }
    leave(in);
    return st;
}

// --- global functions ---------------------------------------------------------------------------

static hearth_status global_raise(interp *in, call *c, value *out)
{
    value s;
    (void)out;
    HEARTH_TRY(to_text(in, c->arg[0], &s));
    return err_fail(in->err, HEARTH_E_ARG, "template line %d: refused: %.*s", in->line,
                    STR_ARG(val_str(s)));
}

static hearth_status global_time(interp *in, call *c, value *out)
{
    str format;
    builder b = build(in);
    HEARTH_TRY(arg_text(in, c, 0, &format));
    HEARTH_TRY(format_time(&b, c->arg[0], &in->now));
    *out = build_done(&b);
    return HEARTH_OK;
}

static hearth_status global_range(interp *in, call *c, value *out)
{
    int64_t a, b, step;
    list l = {0};
    bool one = !arg_given(c, 1), user = c->arg[0].user || c->arg[1].user || c->arg[2].user;
    for (int i = 0; i < 3; i++) {
        if (c->arg[i].kind == V_NONE) return fail(in, "range: an argument is none");
    }
    HEARTH_TRY(arg_int(in, c, 0, 0, &a));
    HEARTH_TRY(arg_int(in, c, 1, 0, &b));
    HEARTH_TRY(arg_int(in, c, 2, 1, &step));
    if (one) {
        b = a;
        a = 0;
    }
    if (step == 0) return fail(in, "range: the step is zero");
    while (step > 0 ? a < b : a > b) {
        if (l.n == LIMIT_TMPL_RANGE) {
            return fail(in, "range: more than %d items", LIMIT_TMPL_RANGE);
        }
        HEARTH_TRY(list_add(in, &l, val_int(a, user)));
        if (step > 0 ? a > INT64_MAX - step : a < INT64_MIN - step) break;
        a += step;
    }
    return make_list(in, V_LIST, l, out);
}

// dict(pairs or mapping, name=value ...)
static hearth_status fill_dict(interp *in, call *c, dict *d)
{
    list items, two;
    if (c->n_pos > 1) return fail(in, "%s: more than one positional argument", c->name);
    if (c->n_pos == 1 && c->pos[0].kind == V_DICT) {
        const dict *from = c->pos[0].u.d;
        for (size_t i = 0; i < from->n; i++) HEARTH_TRY(dict_set(in, d, from->k[i], from->v[i]));
    } else if (c->n_pos == 1) {
        HEARTH_TRY(val_items(in, c->pos[0], &items));
        for (size_t i = 0; i < items.n; i++) {
            HEARTH_TRY(val_items(in, items.v[i], &two));
            if (two.n != 2) return fail(in, "%s: an item is no pair", c->name);
            HEARTH_TRY(dict_set(in, d, two.v[0], two.v[1]));
        }
    }
    for (size_t i = 0; i < c->n_kw; i++) {
        HEARTH_TRY(dict_set(in, d, val_text(c->key[i], false), c->kw[i]));
    }
    return HEARTH_OK;
}

static hearth_status global_dict(interp *in, call *c, value *out)
{
    dict *d;
    HEARTH_TRY(dict_new(in, &d));
    *out = (value){.kind = V_DICT, .u.d = d};
    return fill_dict(in, c, d);
}

static hearth_status global_namespace(interp *in, call *c, value *out)
{
    HEARTH_TRY(global_dict(in, c, out));
    out->kind = V_NAMESPACE;
    for (size_t i = 0; i < out->u.d->n; i++) {
        value k = out->u.d->k[i];
        if (k.kind == V_STRING && k.u.s.n > 0 && k.u.s.p[0] == '_') {
            return fail(in, "'%.*s' cannot be a name in a namespace", STR_ARG(val_str(k)));
        }
    }
    return HEARTH_OK;
}

const function *find_global(str name)
{
    static const function rows[] = {
        {"raise_exception", "!message", global_raise},
        {"strftime_now", "!format", global_time},
        {"range", "!start stop step", global_range},
        {"dict", NULL, global_dict},
        {"namespace", NULL, global_namespace},
        {NULL, NULL, NULL},
    };
    return find_in(rows, name);
}
