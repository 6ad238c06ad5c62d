// A schema's JSON as a tree in an arena, and the references within it.
#include <string.h>

#include "gram/schema_int.h"

static hearth_status fail_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_NOMEM, "schema: out of memory");
}

static void append_child(schema_node *parent, schema_node *child, schema_node **last)
{
    child->parent = parent;
    *(*last ? &(*last)->next : &parent->child) = child;
    *last = child;
    parent->n_child++;
}

typedef struct tree_level { schema_node *node, *last; } tree_level;

static hearth_status copy_text(arena *mem, const json_reader *r, str *out, hearth_err *err)
{
    str text = json_text(r);
    const char *copy = arena_copy_string(mem, text.p, text.n);
    if (!copy) return fail_memory(err);
    *out = (str){copy, text.n};
    return HEARTH_OK;
}

static hearth_status read_tree(json_reader *r, arena *mem, schema_node **root, hearth_err *err)
{
    tree_level level[LIMIT_JSON_DEPTH + 1] = {{NULL, NULL}};
    str key = {NULL, 0};
    for (int depth = 0;;) {
        json_event event;
        HEARTH_TRY(json_next(r, &event, err));
        if (event == JSON_END) return HEARTH_OK;
        if (event == JSON_OBJECT_END || event == JSON_ARRAY_END) {
            depth--;
            continue;
        }
        if (event == JSON_KEY) {
            HEARTH_TRY(copy_text(mem, r, &key, err));
            continue;
        }
        schema_node *node = arena_new(mem, schema_node, 1);
        if (!node) return fail_memory(err);
        node->kind = event;
        node->key = key;
        if (event == JSON_STRING || event == JSON_NUMBER)
            HEARTH_TRY(copy_text(mem, r, &node->text, err));
        if (depth > 0) append_child(level[depth - 1].node, node, &level[depth - 1].last);
        else *root = node;
        if (event == JSON_OBJECT_BEGIN || event == JSON_ARRAY_BEGIN)
            level[depth++] = (tree_level){node, NULL};
    }
}

hearth_status schema_parse(str json, arena *mem, schema_node **out, hearth_err *err)
{
    json_reader *r = NULL;
    HEARTH_TRY(json_open_memory(json.p, json.n, LIMIT_GRAM_TEXT, &r, err));
    hearth_status status = read_tree(r, mem, out, err);
    json_close(r);
    if (status != HEARTH_OK) err_prefix(err, "schema: ");
    return status;
}

schema_node *schema_find(const schema_node *object, str key)
{
    if (object->kind != JSON_OBJECT_BEGIN) return NULL;
    schema_node *hit = NULL; // of equal keys the last one counts, as for most readers
    for (schema_node *c = object->child; c; c = c->next)
        if (str_eq(c->key, key)) hit = c;
    return hit;
}

const schema_node *schema_get(const schema_node *object, const char *key)
{
    return schema_find(object, str_from(key));
}

bool schema_equal(const schema_node *a, const schema_node *b)
{
    double x, y;
    if (a->kind != b->kind || a->n_child != b->n_child) return false;
    if (a->kind == JSON_NUMBER && str_parse_f64(a->text, &x) && str_parse_f64(b->text, &y))
        return x == y;
    if (!str_eq(a->text, b->text)) return false;
    for (const schema_node *c = a->child, *d = b->child; c; c = c->next, d = d->next) {
        const schema_node *other = a->kind == JSON_ARRAY_BEGIN ? d : schema_find(b, c->key);
        if (!other || !schema_equal(c, other)) return false;
    }
    return true;
}

// --- references ---------------------------------------------------------------------------------

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// One part of a JSON pointer in a URI: %XX, then ~1 and ~0.
static str unescape(char *p, str part)
{
    size_t n = 0;
    for (size_t i = 0; i < part.n; i++) {
        int high = i + 2 < part.n ? hex_value(part.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(part.p[i + 2]) : -1;
        bool is_percent = part.p[i] == '%' && low >= 0;
        p[n++] = is_percent ? (char)(high * 16 + low) : part.p[i];
        if (is_percent) i += 2;
    }
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_tilde = p[i] == '~' && i + 1 < n && (p[i + 1] == '0' || p[i + 1] == '1');
        p[k++] = is_tilde ? (p[++i] == '0' ? '~' : '/') : p[i];
    }
    return (str){p, k};
}

static schema_node *get_part(const schema_node *at, str part)
{
    int64_t index;
    if (at->kind == JSON_OBJECT_BEGIN) return schema_find(at, part);
    if (at->kind != JSON_ARRAY_BEGIN || !str_parse_i64(part, &index) || index < 0) return NULL;
    schema_node *c = at->child;
    while (c && index-- > 0) c = c->next;
    return c;
}

static schema_node *find_anchor(schema_node *at, str name)
{
    const schema_node *anchor = schema_get(at, "$anchor");
    if (anchor && anchor->kind == JSON_STRING && str_eq(anchor->text, name)) return at;
    for (schema_node *c = at->child; c; c = c->next) {
        schema_node *hit = find_anchor(c, name);
        if (hit) return hit;
    }
    return NULL;
}

// The document that '#' means: the nearest schema around with an "$id".
static schema_node *find_base(const schema_node *at)
{
    while (at->parent && !schema_get(at, "$id")) at = at->parent;
    return (schema_node *)(uintptr_t)at;
}

hearth_status schema_resolve(const schema_node *at, str ref, arena *mem, schema_node **out,
                             hearth_err *err)
{
    *out = NULL;
    if (ref.n == 0 || ref.p[0] != '#')
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "schema: \"$ref\": '%.*s' is outside of the document", STR_ARG(ref));
    schema_node *node = find_base(at);
    str rest = {ref.p + 1, ref.n - 1};
    char *scratch = arena_copy_string(mem, rest.p, rest.n);
    if (!scratch) return fail_memory(err);
    if (rest.n > 0 && rest.p[0] != '/') node = find_anchor(node, rest);
    else str_cut(&rest, '/');
    for (bool more = ref.n > 1 && ref.p[1] == '/'; more && node;) {
        more = str_find(rest, STR("/"), 0) != SIZE_MAX;
        node = get_part(node, unescape(scratch, str_cut(&rest, '/')));
    }
    if (!node)
        return err_fail(err, HEARTH_E_ARG, "schema: \"$ref\": '%.*s' is not in the document",
                        STR_ARG(ref));
    *out = node;
    return HEARTH_OK;
}
