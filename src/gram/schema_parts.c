// Strings, numbers and arrays of a schema, and values that it lists.
#include <stdio.h>

#include "gram/schema_int.h"

// The strictest of a count among the schemas.
hearth_status schema_count(const conjunction *c, const char *keyword, bool is_least, uint32_t *out,
                           hearth_err *err)
{
    *out = is_least ? 0 : GRAM_INF;
    for (int i = 0; i < c->n; i++) {
        const schema_node *x = schema_get(c->node[i], keyword);
        double n = 0;
        if (!x) continue;
        bool is_number = x->kind == JSON_NUMBER && str_parse_f64(x->text, &n);
        if (is_number && n > LIMIT_GRAM_REPEAT)
            return err_fail(err, HEARTH_E_LIMIT, "schema: \"%s\": %.*s, at most %d", keyword,
                            STR_ARG(x->text), LIMIT_GRAM_REPEAT);
        if (!is_number || n < 0 || n != (double)(int64_t)n)
            return err_fail(err, HEARTH_E_ARG, "schema: \"%s\": expected a natural number",
                            keyword);
        if (is_least ? n > *out : n < *out) *out = (uint32_t)n;
    }
    return HEARTH_OK;
}

// --- strings ------------------------------------------------------------------------------------

static gram_expr *quote(gram_build *b, gram_expr *x)
{
    return expr_seq(b, expr_bytes(b, STR("\"")), expr_seq(b, x, expr_bytes(b, STR("\""))));
}

#define DATE "[0-9]{4}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|" \
             "(0[13578]|1[02])-31)"
#define HOUR "([01][0-9]|2[0-3]):[0-5][0-9]"
#define TIME HOUR ":[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]" HOUR ")"
#define HEX "[0-9a-fA-F]"
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

// Formats that a pattern can say; of leap days it knows nothing, so none are written.
static const char *find_format(str name)
{
    static const struct { const char *name, *pattern; } formats[] = {
        {"date", "^" DATE "$"},
        {"time", "^" TIME "$"},
        {"date-time", "^" DATE "T" TIME "$"},
        {"uuid", "^" HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}$"},
        {"ipv4", "^(" OCTET "\\.){3}" OCTET "$"},
    };
    for (size_t i = 0; i < COUNTOF(formats); i++)
        if (str_eq_z(name, formats[i].name)) return formats[i].pattern;
    return NULL;
}

// The one pattern that the string has to match; n == 0: none.
static hearth_status find_pattern(const schema *s, const conjunction *c, str *out, hearth_err *err)
{
    *out = (str){NULL, 0};
    for (int i = 0; i < c->n; i++) {
        const schema_node *pattern = schema_get(c->node[i], "pattern");
        if (!pattern) continue;
        if (pattern->kind != JSON_STRING)
            return err_fail(err, HEARTH_E_ARG, "schema: \"pattern\": expected a string");
        if (out->n > 0 && !str_eq(*out, pattern->text))
            return schema_refuse("pattern", "two for one string", err);
        *out = pattern->text;
    }
    for (int i = 0; i < c->n && out->n == 0 && s->b->style == GRAM_STRICT; i++) {
        const schema_node *format = schema_get(c->node[i], "format");
        if (format && format->kind == JSON_STRING) *out = str_from(find_format(format->text));
    }
    return HEARTH_OK;
}

static gram_expr *any_string(schema *s)
{
    if (s->any_string == 0) {
        uint32_t rule = build_rule(s->b, STR("string"));
        build_define(s->b, rule, json_any_string(s->b));
        s->any_string = rule + 1;
    }
    return expr_rule(s->b, s->any_string - 1);
}

hearth_status schema_string(schema *s, const conjunction *c, gram_expr **out, hearth_err *err)
{
    uint32_t least, most;
    str pattern;
    HEARTH_TRY(schema_count(c, "minLength", true, &least, err));
    HEARTH_TRY(schema_count(c, "maxLength", false, &most, err));
    HEARTH_TRY(find_pattern(s, c, &pattern, err));
    bool has_length = least > 0 || most != GRAM_INF;
    if (has_length && schema_has(c, "pattern"))
        return schema_refuse("pattern", "beside \"minLength\" or \"maxLength\"", err);
    if (least > most) {
        *out = expr_new(s->b, EXPR_ALT);
    } else if (has_length) {
        *out = quote(s->b, expr_repeat(s->b, json_any_char(s->b), least, most));
    } else if (pattern.n > 0) {
        HEARTH_TRY(regex_read(s->b, pattern, true, true, out, err));
        *out = quote(s->b, *out);
    } else {
        *out = any_string(s);
    }
    return HEARTH_OK;
}

// --- numbers ------------------------------------------------------------------------------------

static hearth_status add_bound(const schema_node *node, const char *keyword, bool strict,
                               bool is_least, number_bound *best, hearth_err *err)
{
    const schema_node *x = schema_get(node, keyword);
    number_bound bound = {.strict = strict};
    if (!x) return HEARTH_OK;
    if (x->kind != JSON_NUMBER || !str_parse_f64(x->text, &bound.value))
        return err_fail(err, HEARTH_E_ARG, "schema: \"%s\": expected a number", keyword);
    bound.text = x->text;
    bool is_stricter = is_least ? bound.value > best->value : bound.value < best->value;
    if (best->text.n == 0 || is_stricter || (bound.value == best->value && strict)) *best = bound;
    return HEARTH_OK;
}

hearth_status schema_number(schema *s, const conjunction *c, bool is_real, gram_expr **out,
                            hearth_err *err)
{
    number_bound least = {.value = 0}, most = {.value = 0};
    for (int i = 0; i < c->n; i++) {
        HEARTH_TRY(add_bound(c->node[i], "minimum", false, true, &least, err));
        HEARTH_TRY(add_bound(c->node[i], "exclusiveMinimum", true, true, &least, err));
        HEARTH_TRY(add_bound(c->node[i], "maximum", false, false, &most, err));
        HEARTH_TRY(add_bound(c->node[i], "exclusiveMaximum", true, false, &most, err));
    }
    if (least.text.n > 0 || most.text.n > 0)
        return number_in_bounds(s->b, is_real, least, most, out, err);
    *out = is_real ? json_any_number(s->b) : json_any_integer(s->b);
    return HEARTH_OK;
}

// --- arrays -------------------------------------------------------------------------------------

static const schema_node *get_item(const schema_node *node, uint32_t i)
{
    const schema_node *prefix = schema_get(node, "prefixItems");
    if (!prefix || i >= prefix->n_child) return schema_get(node, "items");
    const schema_node *x = prefix->child;
    while (i-- > 0) x = x->next;
    return x;
}

// An element at position i with the white space behind it.
static hearth_status make_item(schema *s, const conjunction *c, uint32_t i, gram_expr **out,
                               hearth_err *err)
{
    const schema_node *list[CONJUNCTS_MAX];
    uint32_t n = 0, rule;
    for (int k = 0; k < c->n; k++) {
        const schema_node *x = get_item(c->node[k], i);
        if (x) list[n++] = x;
    }
    HEARTH_TRY(schema_rule(s, list, n, &rule, err));
    *out = expr_seq(s->b, expr_rule(s->b, rule), json_space(s->b));
    return HEARTH_OK;
}

static gram_expr *after_comma(gram_build *b, gram_expr *x)
{
    return expr_seq(b, expr_seq(b, expr_bytes(b, STR(",")), json_space(b)), x);
}

static uint32_t less(uint32_t a, uint32_t b)
{
    return a == GRAM_INF ? a : a > b ? a - b : 0;
}

enum { PREFIX_MAX = 64 };

static hearth_status count_prefix(const conjunction *c, uint32_t *out, hearth_err *err)
{
    *out = 0;
    for (int i = 0; i < c->n; i++) {
        const schema_node *x = schema_get(c->node[i], "prefixItems");
        if (x && x->kind != JSON_ARRAY_BEGIN)
            return err_fail(err, HEARTH_E_ARG, "schema: \"prefixItems\": expected an array");
        if (x && x->n_child > *out) *out = x->n_child;
    }
    if (*out <= PREFIX_MAX) return HEARTH_OK;
    return err_fail(err, HEARTH_E_LIMIT, "schema: \"prefixItems\": %u schemas, at most %d", *out,
                    PREFIX_MAX);
}

// Elements from position i, the first without a comma. Each is optional from `least` on.
static hearth_status make_items(schema *s, const conjunction *c, uint32_t n_prefix, uint32_t least,
                                uint32_t most, gram_expr **out, hearth_err *err)
{
    gram_build *b = s->b;
    gram_expr *item, *rest;
    uint32_t fixed = n_prefix > 0 ? n_prefix : 1; // position 0 is not like those after commas
    HEARTH_TRY(make_item(s, c, n_prefix > 0 ? n_prefix : 0, &item, err));
    uint32_t more = less(most, fixed);
    rest = expr_repeat(b, after_comma(b, item), less(least, fixed), more);
    for (uint32_t i = fixed; i-- > 0;) {
        if (i >= most) {
            rest = expr_new(b, EXPR_SEQ);
            continue;
        }
        HEARTH_TRY(make_item(s, c, i, &item, err));
        rest = expr_seq(b, i > 0 ? after_comma(b, item) : item, rest);
        if (i >= least) rest = expr_repeat(b, rest, 0, 1);
    }
    *out = rest;
    return HEARTH_OK;
}

hearth_status schema_array(schema *s, const conjunction *c, gram_expr **out, hearth_err *err)
{
    uint32_t least, most, n_prefix;
    gram_build *b = s->b;
    HEARTH_TRY(schema_count(c, "minItems", true, &least, err));
    HEARTH_TRY(schema_count(c, "maxItems", false, &most, err));
    HEARTH_TRY(count_prefix(c, &n_prefix, err));
    *out = expr_new(b, EXPR_ALT);
    if (least > most) return HEARTH_OK;
    gram_expr *items, *begin = expr_seq(b, expr_bytes(b, STR("[")), json_space(b));
    HEARTH_TRY(make_items(s, c, n_prefix, least, most, &items, err));
    *out = expr_seq(b, begin, expr_seq(b, items, expr_bytes(b, STR("]"))));
    return HEARTH_OK;
}

// --- listed values ------------------------------------------------------------------------------

unsigned schema_type_of(const schema_node *v)
{
    double x;
    switch (v->kind) {
    case JSON_NULL: return TYPE_NULL;
    case JSON_TRUE:
    case JSON_FALSE: return TYPE_BOOL;
    case JSON_STRING: return TYPE_STRING;
    case JSON_ARRAY_BEGIN: return TYPE_ARRAY;
    case JSON_OBJECT_BEGIN: return TYPE_OBJECT;
    default: break;
    }
    bool is_whole = str_parse_f64(v->text, &x) && x > -9e15 && x < 9e15 && x == (double)(int64_t)x;
    return is_whole ? TYPE_INTEGER : TYPE_REAL;
}

static gram_expr *make_value(gram_build *b, const schema_node *v);

static gram_expr *make_object_value(gram_build *b, const schema_node *v)
{
    gram_object o = {.n_property = v->n_child, .most = GRAM_INF, .n_cap = 1,
                     .in_order = b->style == GRAM_STRICT};
    o.property = arena_new(&b->g->mem, gram_property, v->n_child);
    uint32_t i = 0, rule = build_rule(b, STR("value"));
    if (!o.property || v->n_child > LIMIT_GRAM_PROPERTIES) {
        build_fail(b, HEARTH_E_LIMIT, "an object value with more than 256 members");
        return expr_new(b, EXPR_ALT);
    }
    for (const schema_node *c = v->child; c; c = c->next, i++) {
        uint32_t value = build_rule(b, c->key);
        build_define(b, value, make_value(b, c));
        o.property[i] = (gram_property){.key = c->key, .value = value, .required = true};
    }
    build_define(b, rule, expr_object(b, &o));
    return expr_rule(b, rule);
}

static gram_expr *make_array_value(gram_build *b, const schema_node *v)
{
    gram_expr *x = expr_new(b, EXPR_SEQ);
    expr_add(b, x, expr_bytes(b, STR("[")));
    expr_add(b, x, json_space(b));
    for (const schema_node *c = v->child; c; c = c->next) {
        gram_expr *item = expr_seq(b, make_value(b, c), json_space(b));
        expr_add(b, x, c == v->child ? item : after_comma(b, item));
    }
    expr_add(b, x, expr_bytes(b, STR("]")));
    return x;
}

static gram_expr *make_value(gram_build *b, const schema_node *v)
{
    char whole[32];
    double x = 0;
    switch (v->kind) {
    case JSON_NULL: return expr_bytes(b, STR("null"));
    case JSON_TRUE: return expr_bytes(b, STR("true"));
    case JSON_FALSE: return expr_bytes(b, STR("false"));
    case JSON_STRING: return json_spelled(b, v->text);
    case JSON_ARRAY_BEGIN: return make_array_value(b, v);
    case JSON_OBJECT_BEGIN: return make_object_value(b, v);
    default: break;
    }
    if (schema_type_of(v) != TYPE_INTEGER || !str_parse_f64(v->text, &x))
        return expr_bytes(b, v->text);
    snprintf(whole, sizeof whole, "%lld", (long long)x);
    return expr_copy(b, str_from(whole));
}

static bool is_listed(const schema_node *node, const schema_node *v)
{
    const schema_node *values = schema_get(node, "enum"), *one = schema_get(node, "const");
    bool found = !values;
    for (const schema_node *x = values ? values->child : NULL; x && !found; x = x->next)
        found = schema_equal(x, v);
    return found && (!one || schema_equal(one, v));
}

// Keywords that the values would have to be looked at for.
static hearth_status check_alone(const conjunction *c, unsigned type, hearth_err *err)
{
    static const struct { unsigned types; const char *name; } keywords[] = {
        {TYPE_STRING, "minLength"}, {TYPE_STRING, "maxLength"}, {TYPE_STRING, "pattern"},
        {TYPE_INTEGER | TYPE_REAL, "minimum"}, {TYPE_INTEGER | TYPE_REAL, "maximum"},
        {TYPE_INTEGER | TYPE_REAL, "exclusiveMinimum"},
        {TYPE_INTEGER | TYPE_REAL, "exclusiveMaximum"}, {TYPE_ARRAY, "items"},
        {TYPE_ARRAY, "prefixItems"}, {TYPE_ARRAY, "minItems"}, {TYPE_ARRAY, "maxItems"},
        {TYPE_OBJECT, "properties"}, {TYPE_OBJECT, "additionalProperties"},
        {TYPE_OBJECT, "required"}, {TYPE_OBJECT, "minProperties"}, {TYPE_OBJECT, "maxProperties"},
    };
    for (size_t i = 0; i < COUNTOF(keywords); i++)
        if ((keywords[i].types & type) && schema_has(c, keywords[i].name))
            return schema_refuse(keywords[i].name, "beside \"enum\" or \"const\"", err);
    return HEARTH_OK;
}

static const schema_node *find_list(const conjunction *c)
{
    for (int i = 0; i < c->n; i++) {
        const schema_node *one = schema_get(c->node[i], "const");
        if (one) return one;
    }
    for (int i = 0; i < c->n; i++) {
        const schema_node *values = schema_get(c->node[i], "enum");
        if (values) return values;
    }
    return NULL;
}

hearth_status schema_values(schema *s, const conjunction *c, unsigned types, gram_expr **out,
                            hearth_err *err)
{
    const schema_node *list = find_list(c);
    bool is_const = str_eq_z(list->key, "const");
    *out = expr_new(s->b, EXPR_ALT);
    if (!is_const && list->kind != JSON_ARRAY_BEGIN)
        return err_fail(err, HEARTH_E_ARG, "schema: \"enum\": expected an array");
    for (const schema_node *v = is_const ? list : list->child; v; v = is_const ? NULL : v->next) {
        bool holds = types & schema_type_of(v);
        for (int i = 0; i < c->n && holds; i++) holds = is_listed(c->node[i], v);
        if (!holds) continue;
        HEARTH_TRY(check_alone(c, schema_type_of(v), err));
        expr_add(s->b, *out, make_value(s->b, v));
    }
    return HEARTH_OK;
}
