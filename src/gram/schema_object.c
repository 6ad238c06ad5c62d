// Objects of a schema: declared and undeclared members; and which schemas exclude each other.
//
// A key that is declared must not slip in as an undeclared one. So undeclared keys are all strings
// but the declared ones: a walk along the declared keys that leaves them somewhere. Such keys are
// spelled in one way (schema keys too), or "\u0061" would be a second name of "a".
#include <string.h>

#include "gram/schema_int.h"

enum { KEY_BYTES_MAX = 256 }; // of a declared key; the walk along it recurses

// --- undeclared keys ----------------------------------------------------------------------------

typedef struct key_walk {
    gram_build *b;
    const gram_property *property;
    uint32_t n_property;
    uint32_t rest; // rule: characters to the end of the string
} key_walk;

static bool has_prefix(str key, str prefix)
{
    return str_starts(key, prefix);
}

// The characters that declared keys have after `prefix`, which is theirs up to the byte at[i].
static uint32_t list_next(const key_walk *w, str prefix, gram_range *out, bool *is_key)
{
    uint32_t n = 0;
    *is_key = false;
    for (uint32_t i = 0; i < w->n_property; i++) {
        str key = w->property[i].key;
        uint32_t cp, k = 0;
        if (!has_prefix(key, prefix)) continue;
        *is_key |= key.n == prefix.n;
        if (key.n == prefix.n) continue;
        utf8_decode(key.p + prefix.n, key.n - prefix.n, &cp);
        while (k < n && out[k].lo != cp) k++;
        if (k == n) out[n++] = (gram_range){cp, cp};
    }
    return n;
}

// What may follow `prefix` (bytes of some declared key) in a key that is not declared.
static gram_expr *make_other(const key_walk *w, str prefix)
{
    gram_range next[LIMIT_GRAM_PROPERTIES];
    char longer[KEY_BYTES_MAX + 4];
    bool is_key;
    gram_build *b = w->b;
    uint32_t n = list_next(w, prefix, next, &is_key);
    gram_expr *x = expr_new(b, EXPR_ALT);
    expr_add(b, x, expr_seq(b, expr_class(b, next, n, true, true), expr_rule(b, w->rest)));
    if (!is_key) expr_add(b, x, expr_bytes(b, STR("\"")));
    for (uint32_t i = 0; i < n && b->failed == HEARTH_OK; i++) {
        memcpy(longer, prefix.p, prefix.n);
        size_t bytes = utf8_encode(next[i].lo, longer + prefix.n);
        gram_expr *same = expr_class(b, &next[i], 1, false, true);
        expr_add(b, x, expr_seq(b, same, make_other(w, (str){longer, prefix.n + bytes})));
    }
    return x;
}

static gram_expr *make_extra_key(gram_build *b, const gram_object *o)
{
    if (o->n_property == 0) return json_any_string(b);
    key_walk w = {b, o->property, o->n_property, build_rule(b, STR("key"))};
    build_define(b, w.rest, expr_seq(b, expr_repeat(b, json_any_char(b), 0, GRAM_INF),
                                     expr_bytes(b, STR("\""))));
    return expr_seq(b, expr_bytes(b, STR("\"")), make_other(&w, STR("")));
}

// --- members ------------------------------------------------------------------------------------

static gram_property *find_property(gram_object *o, str key)
{
    for (uint32_t i = 0; i < o->n_property; i++)
        if (str_eq(o->property[i].key, key)) return &o->property[i];
    return NULL;
}

static hearth_status add_key(gram_object *o, str key, bool required, hearth_err *err)
{
    gram_property *p = find_property(o, key);
    if (p) {
        p->required |= required;
        return HEARTH_OK;
    }
    if (o->n_property == LIMIT_GRAM_PROPERTIES)
        return err_fail(err, HEARTH_E_LIMIT, "schema: an object with more than %d members",
                        LIMIT_GRAM_PROPERTIES);
    if (key.n > KEY_BYTES_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "schema: member '%.*s' has more than %d bytes",
                        STR_ARG(key), KEY_BYTES_MAX);
    o->property[o->n_property++] = (gram_property){.key = key, .required = required};
    return HEARTH_OK;
}

static hearth_status add_keys(const conjunction *c, gram_object *o, hearth_err *err)
{
    for (int i = 0; i < c->n; i++) {
        const schema_node *declared = schema_get(c->node[i], "properties");
        if (declared && declared->kind != JSON_OBJECT_BEGIN)
            return err_fail(err, HEARTH_E_ARG, "schema: \"properties\": expected an object");
        for (const schema_node *x = declared ? declared->child : NULL; x; x = x->next)
            HEARTH_TRY(add_key(o, x->key, false, err));
    }
    for (int i = 0; i < c->n; i++) {
        const schema_node *required = schema_get(c->node[i], "required");
        if (required && required->kind != JSON_ARRAY_BEGIN)
            return err_fail(err, HEARTH_E_ARG, "schema: \"required\": expected an array");
        for (const schema_node *x = required ? required->child : NULL; x; x = x->next) {
            if (x->kind != JSON_STRING)
                return err_fail(err, HEARTH_E_ARG, "schema: \"required\": expected strings");
            HEARTH_TRY(add_key(o, x->text, true, err));
        }
    }
    return HEARTH_OK;
}

// The rule for a member's value: what each schema says of it. key.p NULL: of an undeclared one.
static hearth_status make_member(schema *s, const conjunction *c, str key, uint32_t *rule,
                                 hearth_err *err)
{
    const schema_node *list[CONJUNCTS_MAX];
    uint32_t n = 0;
    for (int i = 0; i < c->n; i++) {
        const schema_node *declared = schema_get(c->node[i], "properties");
        const schema_node *x = declared && key.p ? schema_find(declared, key) : NULL;
        if (!x) x = schema_get(c->node[i], "additionalProperties");
        if (x) list[n++] = x;
    }
    return schema_rule(s, list, n, rule, err);
}

static bool is_closed(const schema *s, const conjunction *c)
{
    for (int i = 0; i < c->n; i++) {
        const schema_node *x = schema_get(c->node[i], "additionalProperties");
        if (x && x->kind == JSON_FALSE) return true;
    }
    return s->b->style == GRAM_STRICT && schema_has(c, "properties") &&
           !schema_has(c, "additionalProperties");
}

static hearth_status find_bounds(const conjunction *c, gram_object *o, hearth_err *err)
{
    uint32_t n_required = 0;
    HEARTH_TRY(schema_count(c, "minProperties", true, &o->least, err));
    HEARTH_TRY(schema_count(c, "maxProperties", false, &o->most, err));
    for (uint32_t i = 0; i < o->n_property; i++) n_required += o->property[i].required;
    if (o->least > 1 && o->least > n_required && o->has_extra)
        return schema_refuse("minProperties", "undeclared members may have equal keys", err);
    o->n_cap = o->most != GRAM_INF ? o->most : o->least;
    return HEARTH_OK;
}

hearth_status schema_object(schema *s, const conjunction *c, gram_expr **out, hearth_err *err)
{
    gram_build *b = s->b;
    gram_object o = {.has_extra = !is_closed(s, c), .in_order = b->style == GRAM_STRICT};
    o.property = arena_new(&b->g->mem, gram_property, LIMIT_GRAM_PROPERTIES);
    if (!o.property) return err_fail(err, HEARTH_E_LIMIT, "schema: too many objects");
    HEARTH_TRY(add_keys(c, &o, err));
    for (uint32_t i = 0; i < o.n_property; i++)
        HEARTH_TRY(make_member(s, c, o.property[i].key, &o.property[i].value, err));
    if (o.has_extra) {
        HEARTH_TRY(make_member(s, c, (str){NULL, 0}, &o.extra_value, err));
        o.extra_key = make_extra_key(b, &o);
    }
    HEARTH_TRY(find_bounds(c, &o, err));
    uint32_t rule = build_rule(b, STR("object"));
    build_define(b, rule, expr_object(b, &o));
    *out = expr_rule(b, rule);
    return HEARTH_OK;
}

// --- disjoint schemas ---------------------------------------------------------------------------

static const schema_node *follow_ref(const schema_node *node, arena *mem)
{
    for (int i = 0; i < 8 && schema_get(node, "$ref") && node->n_child == 1; i++) {
        schema_node *to = NULL;
        str ref = schema_get(node, "$ref")->text;
        if (schema_resolve(node, ref, mem, &to, NULL) != HEARTH_OK) break;
        node = to;
    }
    return node;
}

static unsigned find_value_types(const schema_node *node)
{
    const schema_node *values = schema_get(node, "enum"), *one = schema_get(node, "const");
    unsigned set = one ? schema_type_of(one) : values ? 0 : TYPE_ALL;
    for (const schema_node *v = values && !one ? values->child : NULL; v; v = v->next)
        set |= schema_type_of(v);
    return set & schema_types(node);
}

static bool has_value(const schema_node *node, const schema_node *v)
{
    const schema_node *values = schema_get(node, "enum"), *one = schema_get(node, "const");
    if (one) return schema_equal(one, v);
    for (const schema_node *x = values ? values->child : NULL; x; x = x->next)
        if (schema_equal(x, v)) return true;
    return !values;
}

// Both list their values, and none is in both.
static bool list_apart(const schema_node *a, const schema_node *b)
{
    const schema_node *one = schema_get(a, "const"), *values = schema_get(a, "enum");
    if (!one && !values) return false;
    if (one) return !has_value(b, one);
    for (const schema_node *v = values->child; v; v = v->next)
        if (has_value(b, v)) return false;
    return true;
}

static bool is_required(const schema_node *node, str key)
{
    const schema_node *required = schema_get(node, "required");
    for (const schema_node *x = required ? required->child : NULL; x; x = x->next)
        if (str_eq(x->text, key)) return true;
    return false;
}

bool schema_disjoint(const schema_node *a, const schema_node *b, arena *mem)
{
    a = follow_ref(a, mem);
    b = follow_ref(b, mem);
    if (a->kind == JSON_FALSE || b->kind == JSON_FALSE) return true;
    if (a->kind != JSON_OBJECT_BEGIN || b->kind != JSON_OBJECT_BEGIN) return false;
    unsigned both = find_value_types(a) & find_value_types(b);
    if (both == 0 || list_apart(a, b)) return true;
    if (both != TYPE_OBJECT) return false;
    // Objects: a member that both require tells them apart, as a tagged union has it.
    const schema_node *in_a = schema_get(a, "properties"), *in_b = schema_get(b, "properties");
    for (const schema_node *x = in_a ? in_a->child : NULL; x && in_b; x = x->next) {
        const schema_node *y = schema_find(in_b, x->key);
        bool counts = y && is_required(a, x->key) && is_required(b, x->key);
        if (counts && x->kind == JSON_OBJECT_BEGIN && y->kind == JSON_OBJECT_BEGIN &&
            ((find_value_types(x) & find_value_types(y)) == 0 || list_apart(x, y)))
            return true;
    }
    return false;
}
