// Statements of templates.
//
// Scopes are chains of bindings: a loop's turn, a macro, a block with an end of its own make one,
// {% if %} does not. What is set in one is gone at its end; only namespaces carry values out. They
// live in the arena, so that a macro may keep the one in which it was defined.
#include <string.h>

#include "tmpl/tmpl_int.h"

hearth_status scope_push(interp *in, scope *parent, scope **saved)
{
    *saved = in->scope;
    scope *s = arena_new(&in->mem, scope, 1);
    if (!s) return fail_memory(in);
    s->parent = parent;
    in->scope = s;
    return HEARTH_OK;
}

hearth_status scope_set(interp *in, str name, value v)
{
    for (binding *b = in->scope->first; b; b = b->next) {
        if (str_eq(b->name, name)) {
            b->v = v;
            return HEARTH_OK;
        }
    }
    binding *b = arena_new(&in->mem, binding, 1);
    if (!b) return fail_memory(in);
    *b = (binding){name, v, in->scope->first};
    in->scope->first = b;
    return HEARTH_OK;
}

// A body in a scope of its own.
static hearth_status exec_scoped(interp *in, const node *body)
{
    scope *saved;
    HEARTH_TRY(scope_push(in, in->scope, &saved));
    hearth_status st = exec_body(in, body);
    in->scope = saved;
    return st;
}

// --- output -------------------------------------------------------------------------------------

static hearth_status check_output(interp *in)
{
    if (in->text.failed == HEARTH_OK && in->mask.failed == HEARTH_OK) return HEARTH_OK;
    if (in->text.failed == HEARTH_E_NOMEM || in->mask.failed == HEARTH_E_NOMEM) {
        return err_fail(in->err, HEARTH_E_NOMEM, "out of memory for the text of a template");
    }
    return err_fail(in->err, HEARTH_E_LIMIT, "template line %d: more than %u MB of text", in->line,
                    LIMIT_TMPL_OUTPUT >> 20);
}

static hearth_status write_text(interp *in, value s)
{
    size_t n = s.u.s.n;
    if (n == 0) return HEARTH_OK;
    HEARTH_TRY(charge(in, n / 16));
    buf_append(&in->text, s.u.s.p, n);
    if (buf_reserve(&in->mask, n) == HEARTH_OK) {
        if (s.u.s.mask) memcpy(in->mask.p + in->mask.n, s.u.s.mask, n);
        else memset(in->mask.p + in->mask.n, s.user, n);
        in->mask.n += n;
    }
    return check_output(in);
}

// What was written since `from` becomes a string and is taken back.
static hearth_status cut_output(interp *in, size_t from, value *out)
{
    builder b = build(in);
    size_t n = in->text.n - from;
    *out = val_text(STR(""), false);
    if (n == 0) return HEARTH_OK;
    HEARTH_TRY(build_bytes(&b, in->text.p + from, n, true));
    memcpy(b.mask, in->mask.p + from, n);
    in->text.n = in->mask.n = from;
    *out = build_done(&b);
    return HEARTH_OK;
}

hearth_status capture(interp *in, const node *body, value *out)
{
    size_t from = in->text.n;
    HEARTH_TRY(exec_scoped(in, body));
    return cut_output(in, from, out);
}

static hearth_status exec_print(interp *in, const node *n)
{
    value v, s;
    HEARTH_TRY(eval(in, n->a, &v));
    HEARTH_TRY(to_text(in, v, &s));
    return write_text(in, s);
}

// --- assignment ---------------------------------------------------------------------------------

static hearth_status assign_member(interp *in, const node *target, value v)
{
    value ns;
    HEARTH_TRY(eval(in, target->a, &ns));
    if (ns.kind != V_NAMESPACE) {
        return fail(in, "'%.*s' is no namespace: its '%.*s' cannot be set",
                    STR_ARG(target->a->text), STR_ARG(target->text));
    }
    if (target->text.p[0] == '_') {
        return fail(in, "'%.*s' cannot be a name in a namespace", STR_ARG(target->text));
    }
    return dict_set(in, ns.u.d, val_text(target->text, false), v);
}

static hearth_status assign(interp *in, const node *target, value v)
{
    if (target->kind == N_NAME) return scope_set(in, target->text, v);
    if (target->kind == N_MEMBER) return assign_member(in, target, v);
    list l;
    HEARTH_TRY(val_items(in, v, &l));
    size_t i = 0;
    for (const node *t = target->args; t; t = t->next, i++) {
        if (i < l.n) HEARTH_TRY(assign(in, t, l.v[i]));
    }
    if (i != l.n) return fail(in, "%zu values for %zu names", l.n, i);
    return HEARTH_OK;
}

// A block's text through filters.
static hearth_status filter_block(interp *in, const node *filters, const node *body, value *out)
{
    value saved = in->captured;
    HEARTH_TRY(capture(in, body, &in->captured));
    hearth_status st = eval(in, filters, out);
    in->captured = saved;
    return st;
}

static hearth_status exec_set(interp *in, const node *n)
{
    value v;
    if (n->b) HEARTH_TRY(eval(in, n->b, &v));
    else HEARTH_TRY(filter_block(in, n->c, n->body, &v));
    return assign(in, n->a, v);
}

// --- blocks -------------------------------------------------------------------------------------

static hearth_status exec_if(interp *in, const node *n)
{
    for (;;) {
        value test;
        HEARTH_TRY(eval(in, n->a, &test));
        if (val_truth(test)) return exec_body(in, n->body);
        // An elif is a single N_IF in `other`, as is an else that holds nothing but an if.
        if (!n->other || n->other->kind != N_IF || n->other->next) return exec_body(in, n->other);
        n = n->other;
    }
}

// The items for which the loop's condition holds.
static hearth_status filter_items(interp *in, const node *n, list all, list *out)
{
    scope *saved;
    *out = (list){0};
    for (size_t i = 0; i < all.n; i++) {
        value test;
        HEARTH_TRY(scope_push(in, in->scope, &saved));
        HEARTH_TRY(assign(in, n->a, all.v[i]));
        HEARTH_TRY(eval(in, n->c, &test));
        in->scope = saved;
        if (val_truth(test)) HEARTH_TRY(list_add(in, out, all.v[i]));
    }
    return HEARTH_OK;
}

static hearth_status exec_turn(interp *in, const node *n, loop *l)
{
    scope *saved;
    HEARTH_TRY(scope_push(in, in->scope, &saved));
    HEARTH_TRY(scope_set(in, STR("loop"), (value){.kind = V_LOOP, .u.loop = l}));
    HEARTH_TRY(assign(in, n->a, l->v[l->at]));
    hearth_status st = exec_body(in, n->body);
    in->scope = saved;
    return st;
}

static hearth_status exec_loop(interp *in, const node *n, value box, int64_t depth)
{
    list items;
    in->line = n->line;
    HEARTH_TRY(val_items(in, box, &items));
    if (n->c) HEARTH_TRY(filter_items(in, n, items, &items));
    loop *l = arena_new(&in->mem, loop, 1);
    if (!l) return fail_memory(in);
    *l = (loop){.v = items.v, .n = items.n, .depth = depth, .def = n, .scope = in->scope};
    bool any = false; // a turn that came to its end: without one, Jinja runs the else part
    for (; l->at < l->n && in->flow != FLOW_BREAK; l->at++) {
        in->flow = FLOW_ON;
        HEARTH_TRY(exec_turn(in, n, l));
        any |= in->flow == FLOW_ON;
    }
    in->flow = FLOW_ON;
    return any ? HEARTH_OK : exec_scoped(in, n->other);
}

static hearth_status exec_for(interp *in, const node *n)
{
    value box;
    HEARTH_TRY(eval(in, n->b, &box));
    return exec_loop(in, n, box, 1);
}

// loop(items) inside of a recursive loop: the text of the same loop over those.
hearth_status run_loop(interp *in, const loop *l, const call *c, value *out)
{
    if (!(l->def->uses & LOOP_RECURSES)) return fail(in, "a loop that is not recursive is called");
    if (c->n_pos != 1 || c->n_kw > 0) return fail(in, "loop: expected one argument");
    scope *saved = in->scope;
    size_t from = in->text.n;
    in->scope = l->scope;
    hearth_status st = exec_loop(in, l->def, c->pos[0], l->depth + 1);
    in->scope = saved;
    return st == HEARTH_OK ? cut_output(in, from, out) : st;
}

static hearth_status make_macro(interp *in, const node *n, value *out)
{
    macro *m = arena_new(&in->mem, macro, 1);
    if (!m) return fail_memory(in);
    *m = (macro){.def = n, .scope = in->scope};
    *out = (value){.kind = V_MACRO, .u.macro = m};
    return HEARTH_OK;
}

static hearth_status exec_macro(interp *in, const node *n)
{
    value v;
    HEARTH_TRY(make_macro(in, n, &v));
    return scope_set(in, n->text, v);
}

// {% call(args) f(x) %}body{% endcall %}: f gets a macro `caller` that renders the body.
static hearth_status exec_call_block(interp *in, const node *n)
{
    value callee, result, s;
    call c;
    HEARTH_TRY(eval(in, n->a->a, &callee));
    HEARTH_TRY(collect_args(in, n->a->args, &c));
    str *key = arena_new(&in->mem, str, c.n_kw + 1);
    value *kw = arena_new(&in->mem, value, c.n_kw + 1);
    if (!key || !kw) return fail_memory(in);
    if (c.n_kw > 0) {
        memcpy(key, c.key, c.n_kw * sizeof *key);
        memcpy(kw, c.kw, c.n_kw * sizeof *kw);
    }
    key[c.n_kw] = STR("caller");
    HEARTH_TRY(make_macro(in, n, &kw[c.n_kw]));
    c.key = key;
    c.kw = kw;
    c.n_kw++;
    HEARTH_TRY(call_value(in, callee, &c, &result));
    HEARTH_TRY(to_text(in, result, &s));
    return write_text(in, s);
}

static hearth_status exec_filter_block(interp *in, const node *n)
{
    value v, s;
    HEARTH_TRY(filter_block(in, n->a, n->body, &v));
    HEARTH_TRY(to_text(in, v, &s));
    return write_text(in, s);
}

// Values are computed outside of the new scope.
static hearth_status exec_with(interp *in, const node *n)
{
    scope *outer = in->scope, *inner, *ignored;
    HEARTH_TRY(scope_push(in, outer, &ignored));
    inner = in->scope;
    for (const node *s = n->args; s; s = s->next) {
        value v;
        in->scope = outer;
        HEARTH_TRY(eval(in, s->b, &v));
        in->scope = inner;
        HEARTH_TRY(assign(in, s->a, v));
    }
    hearth_status st = exec_body(in, n->body);
    in->scope = outer;
    return st;
}

static hearth_status exec_node(interp *in, const node *n)
{
    in->line = n->line;
    switch (n->kind) {
    case N_DATA: return write_text(in, val_text(n->text, false));
    case N_PRINT: return exec_print(in, n);
    case N_IF: return exec_if(in, n);
    case N_FOR: return exec_for(in, n);
    case N_SET: return exec_set(in, n);
    case N_MACRO: return exec_macro(in, n);
    case N_CALL_BLOCK: return exec_call_block(in, n);
    case N_FILTER_BLOCK: return exec_filter_block(in, n);
    case N_WITH: return exec_with(in, n);
    case N_SCOPE: return exec_scoped(in, n->body);
    case N_BREAK: in->flow = FLOW_BREAK; return HEARTH_OK;
    case N_CONTINUE: in->flow = FLOW_CONTINUE; return HEARTH_OK;
    default: return fail(in, "expected a statement");
    }
}

hearth_status exec_body(interp *in, const node *first)
{
    HEARTH_TRY(enter(in));
    hearth_status st = HEARTH_OK;
    for (const node *n = first; n && st == HEARTH_OK && in->flow == FLOW_ON; n = n->next) {
        st = charge(in, 1);
        if (st == HEARTH_OK) st = exec_node(in, n);
    }
    leave(in);
    return st;
}
