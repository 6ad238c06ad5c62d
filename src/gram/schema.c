// JSON Schema (draft 2020-12) to rules.
//
// A rule stands for a list of schemas that a value has to satisfy all: one as a rule, several where
// allOf, $ref or the members of two objects meet. Rules are made one after another from a queue, so
// recursive schemas are no problem. For one rule:
//
//   collect    the schemas, what they refer to and their allOf: a conjunction
//   expand     anyOf and oneOf: one alternative for each branch joined to the conjunction (oneOf
//              only if no value can satisfy two branches)
//   by type    for each type that is left what its keywords say (schema_parts.c)
//
// What cannot be decided while a text is written is refused with the keyword's name. Keywords that
// only annotate (title, default, format in GRAM_FREE ...) and unknown ones have no effect, as the
// specification has it.
#include <string.h>

#include "gram/schema_int.h"

hearth_status schema_refuse(const char *keyword, const char *why, hearth_err *err)
{
    return err_fail(err, HEARTH_E_UNSUPPORTED, "schema: \"%s\" cannot be enforced%s%s", keyword,
                    why[0] ? ": " : "", why);
}

static bool is_trivial(const schema_node *n)
{
    return n->kind == JSON_TRUE || (n->kind == JSON_OBJECT_BEGIN && n->n_child == 0);
}

// --- keywords that are refused ------------------------------------------------------------------

static hearth_status check_conditional(const schema_node *node, hearth_err *err)
{
    if (schema_get(node, "if") && (schema_get(node, "then") || schema_get(node, "else")))
        return schema_refuse("if", "", err);
    const schema_node *uri = schema_get(node, "$schema");
    if (uri && !str_starts(uri->text, STR("https://json-schema.org/")) &&
        !str_starts(uri->text, STR("http://json-schema.org/")))
        return schema_refuse("$schema", "unknown dialect", err);
    const schema_node *items = schema_get(node, "items");
    if (items && items->kind == JSON_ARRAY_BEGIN)
        return schema_refuse("items", "a list of schemas is called \"prefixItems\"", err);
    return HEARTH_OK;
}

static hearth_status check_keywords(const schema_node *node, hearth_err *err)
{
    static const char *const never[] = {"dependentRequired", "dependentSchemas", "dependencies",
                                        "contains", "multipleOf", "$dynamicRef", "$recursiveRef",
                                        "additionalItems"};
    static const char *const unless_trivial[] = {"propertyNames", "patternProperties",
                                                 "unevaluatedProperties", "unevaluatedItems"};
    for (size_t i = 0; i < COUNTOF(never); i++)
        if (schema_get(node, never[i])) return schema_refuse(never[i], "", err);
    for (size_t i = 0; i < COUNTOF(unless_trivial); i++) {
        const schema_node *x = schema_get(node, unless_trivial[i]);
        if (x && !is_trivial(x)) return schema_refuse(unless_trivial[i], "", err);
    }
    const schema_node *unique = schema_get(node, "uniqueItems");
    if (unique && unique->kind != JSON_FALSE) return schema_refuse("uniqueItems", "", err);
    return check_conditional(node, err);
}

// --- collect ------------------------------------------------------------------------------------

static hearth_status collect_all(schema *s, conjunction *c, const schema_node *node,
                                 hearth_err *err)
{
    const schema_node *ref = schema_get(node, "$ref"), *all = schema_get(node, "allOf");
    if (ref) {
        schema_node *to;
        HEARTH_TRY(schema_resolve(node, ref->text, &s->b->mem, &to, err));
        HEARTH_TRY(schema_collect(s, c, to, err));
    }
    if (all && all->kind != JSON_ARRAY_BEGIN)
        return err_fail(err, HEARTH_E_ARG, "schema: \"allOf\": expected an array");
    for (const schema_node *x = all ? all->child : NULL; x; x = x->next)
        HEARTH_TRY(schema_collect(s, c, x, err));
    return HEARTH_OK;
}

hearth_status schema_collect(schema *s, conjunction *c, const schema_node *node, hearth_err *err)
{
    if (node->kind == JSON_TRUE) return HEARTH_OK;
    if (node->kind == JSON_FALSE) {
        c->impossible = true;
        return HEARTH_OK;
    }
    if (node->kind != JSON_OBJECT_BEGIN)
        return err_fail(err, HEARTH_E_ARG, "schema: expected an object, true or false%s%.*s",
                        node->key.n ? " at " : "", STR_ARG(node->key));
    for (int i = 0; i < c->n; i++)
        if (c->node[i] == node) return HEARTH_OK;
    if (c->n == CONJUNCTS_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "schema: more than %d schemas for one value",
                        CONJUNCTS_MAX);
    HEARTH_TRY(check_keywords(node, err));
    c->any_done[c->n] = !schema_get(node, "anyOf");
    c->one_done[c->n] = !schema_get(node, "oneOf");
    c->node[c->n++] = node;
    return collect_all(s, c, node, err);
}

bool schema_has(const conjunction *c, const char *keyword)
{
    for (int i = 0; i < c->n; i++)
        if (schema_get(c->node[i], keyword)) return true;
    return false;
}

// --- types --------------------------------------------------------------------------------------

static unsigned find_type(str name)
{
    static const struct { const char *name; unsigned set; } types[] = {
        {"null", TYPE_NULL}, {"boolean", TYPE_BOOL}, {"integer", TYPE_INTEGER},
        {"number", TYPE_INTEGER | TYPE_REAL}, {"string", TYPE_STRING}, {"array", TYPE_ARRAY},
        {"object", TYPE_OBJECT},
    };
    for (size_t i = 0; i < COUNTOF(types); i++)
        if (str_eq_z(name, types[i].name)) return types[i].set;
    return 0;
}

unsigned schema_types(const schema_node *node)
{
    const schema_node *type = schema_get(node, "type");
    if (!type) return TYPE_ALL;
    if (type->kind == JSON_STRING) return find_type(type->text);
    unsigned set = 0;
    for (const schema_node *t = type->child; t; t = t->next) set |= find_type(t->text);
    return set;
}

static hearth_status find_types(const conjunction *c, unsigned *out, hearth_err *err)
{
    *out = c->impossible ? 0 : TYPE_ALL;
    for (int i = 0; i < c->n; i++) {
        const schema_node *not = schema_get(c->node[i], "not");
        unsigned set = schema_types(c->node[i]);
        if (set == 0) return err_fail(err, HEARTH_E_ARG, "schema: \"type\": unknown type");
        *out &= set;
        if (!not || not->kind == JSON_FALSE) continue;
        bool is_type = not->kind == JSON_OBJECT_BEGIN && not->n_child == 1 &&
                       schema_get(not, "type");
        if (!is_type && !is_trivial(not)) return schema_refuse("not", "", err);
        *out &= ~schema_types(not);
    }
    if ((*out & TYPE_REAL) && !(*out & TYPE_INTEGER))
        return schema_refuse("not", "a number that is no integer", err);
    return HEARTH_OK;
}

// --- alternatives -------------------------------------------------------------------------------

static hearth_status compile(schema *s, const conjunction *c, int depth, gram_expr **out,
                             hearth_err *err);

static hearth_status check_disjoint(schema *s, const schema_node *branches, hearth_err *err)
{
    for (const schema_node *a = branches->child; a; a = a->next)
        for (const schema_node *b = a->next; b; b = b->next)
            if (!schema_disjoint(a, b, &s->b->mem))
                return schema_refuse("oneOf", "two branches may hold for one value; use \"anyOf\"",
                                     err);
    return HEARTH_OK;
}

static hearth_status expand(schema *s, const conjunction *c, int i, bool is_any, int depth,
                            gram_expr **out, hearth_err *err)
{
    const schema_node *branches = schema_get(c->node[i], is_any ? "anyOf" : "oneOf");
    if (branches->kind != JSON_ARRAY_BEGIN)
        return err_fail(err, HEARTH_E_ARG, "schema: \"%s\": expected an array",
                        is_any ? "anyOf" : "oneOf");
    if (!is_any) HEARTH_TRY(check_disjoint(s, branches, err));
    *out = expr_new(s->b, EXPR_ALT);
    for (const schema_node *branch = branches->child; branch; branch = branch->next) {
        conjunction with = *c;
        gram_expr *x;
        if (++s->n_expanded > LIMIT_GRAM_RULES || depth > LIMIT_GRAM_NESTING)
            return err_fail(err, HEARTH_E_LIMIT, "schema: too many alternatives");
        *(is_any ? &with.any_done[i] : &with.one_done[i]) = true;
        HEARTH_TRY(schema_collect(s, &with, branch, err));
        HEARTH_TRY(compile(s, &with, depth + 1, &x, err));
        expr_add(s->b, *out, x);
    }
    return HEARTH_OK;
}

static hearth_status add_numbers(schema *s, const conjunction *c, unsigned types, gram_expr *to,
                                 hearth_err *err)
{
    gram_expr *x;
    if (!(types & TYPE_INTEGER)) return HEARTH_OK;
    HEARTH_TRY(schema_number(s, c, types & TYPE_REAL, &x, err));
    expr_add(s->b, to, x);
    return HEARTH_OK;
}

static hearth_status by_type(schema *s, const conjunction *c, unsigned types, gram_expr **out,
                             hearth_err *err)
{
    typedef hearth_status (*maker)(schema *, const conjunction *, gram_expr **, hearth_err *);
    static const struct { unsigned type; maker make; } makers[] = {
        {TYPE_STRING, schema_string}, {TYPE_ARRAY, schema_array}, {TYPE_OBJECT, schema_object}};
    *out = expr_new(s->b, EXPR_ALT);
    if (types & TYPE_NULL) expr_add(s->b, *out, expr_bytes(s->b, STR("null")));
    if (types & TYPE_BOOL) {
        expr_add(s->b, *out, expr_bytes(s->b, STR("true")));
        expr_add(s->b, *out, expr_bytes(s->b, STR("false")));
    }
    for (size_t i = 0; i < COUNTOF(makers); i++) {
        gram_expr *x;
        if (!(types & makers[i].type)) continue;
        HEARTH_TRY(makers[i].make(s, c, &x, err));
        expr_add(s->b, *out, x);
    }
    return add_numbers(s, c, types, *out, err);
}

static hearth_status compile(schema *s, const conjunction *c, int depth, gram_expr **out,
                             hearth_err *err)
{
    unsigned types;
    *out = expr_new(s->b, EXPR_ALT);
    for (int i = 0; i < c->n && !c->impossible; i++)
        if (!c->any_done[i] || !c->one_done[i])
            return expand(s, c, i, !c->any_done[i], depth, out, err);
    HEARTH_TRY(find_types(c, &types, err));
    if (types == 0) return HEARTH_OK;
    bool is_listed = schema_has(c, "enum") || schema_has(c, "const");
    return is_listed ? schema_values(s, c, types, out, err) : by_type(s, c, types, out, err);
}

// --- rules --------------------------------------------------------------------------------------

static hearth_status push_job(schema *s, schema_job job, hearth_err *err)
{
    if (s->n_job == s->cap_job) {
        uint32_t cap = s->cap_job ? 2 * s->cap_job : 64;
        schema_job *grown = mem_realloc(MEM_MISC, s->job, cap * sizeof *grown);
        if (!grown) return err_fail(err, HEARTH_E_NOMEM, "schema: out of memory");
        s->job = grown;
        s->cap_job = cap;
    }
    s->job[s->n_job++] = job;
    return HEARTH_OK;
}

hearth_status schema_rule(schema *s, const schema_node **node, uint32_t n, uint32_t *out,
                          hearth_err *err)
{
    str key = {(const char *)node, n * sizeof *node};
    if (map_get(&s->rules, key, out)) return HEARTH_OK;
    const schema_node **copy = arena_new(&s->b->mem, const schema_node *, (size_t)n + 1);
    *out = build_rule(s->b, n == 1 ? node[0]->key : STR("schema"));
    HEARTH_TRY(build_status(s->b, err));
    if (!copy) return err_fail(err, HEARTH_E_NOMEM, "schema: out of memory");
    if (n > 0) memcpy(copy, node, n * sizeof *node);
    key.p = (const char *)copy;
    hearth_status status = map_put(&s->rules, key, *out, NULL);
    if (status != HEARTH_OK) return err_fail(err, status, "schema: out of memory");
    return push_job(s, (schema_job){*out, copy, n}, err);
}

static hearth_status run_jobs(schema *s, hearth_err *err)
{
    for (uint32_t i = 0; i < s->n_job; i++) {
        schema_job job = s->job[i];
        conjunction c = {.n = 0};
        gram_expr *x;
        for (uint32_t k = 0; k < job.n; k++) HEARTH_TRY(schema_collect(s, &c, job.node[k], err));
        HEARTH_TRY(compile(s, &c, 0, &x, err));
        HEARTH_TRY(build_status(s->b, err));
        build_define(s->b, job.rule, x);
    }
    return HEARTH_OK;
}

hearth_status schema_read(gram_build *b, str json, uint32_t root, hearth_err *err)
{
    schema s = {.b = b};
    schema_node *tree = NULL;
    uint32_t rule;
    HEARTH_TRY(schema_parse(json, &b->mem, &tree, err));
    map_init(&s.rules, MEM_MISC);
    const schema_node *top = tree;
    hearth_status status = schema_rule(&s, &top, 1, &rule, err);
    if (status == HEARTH_OK) status = run_jobs(&s, err);
    if (status == HEARTH_OK) build_define(b, root, expr_rule(b, rule));
    map_release(&s.rules);
    mem_free(s.job);
    return status;
}
