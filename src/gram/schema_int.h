// Private to gram/: JSON Schemas as trees, and their compilation.
#ifndef HEARTH_GRAM_SCHEMA_INT_H
#define HEARTH_GRAM_SCHEMA_INT_H

#include "gram/gram_int.h"

typedef struct schema_node schema_node;
struct schema_node {
    json_event kind;       // OBJECT_BEGIN, ARRAY_BEGIN, STRING, NUMBER, TRUE, FALSE, NULL
    str key, text;         // in an object; of a string or number
    schema_node *parent, *child, *next; // children in order
    uint32_t n_child;
};

hearth_status schema_parse(str json, arena *mem, schema_node **out, hearth_err *err);
const schema_node *schema_get(const schema_node *object, const char *key); // NULL: none
schema_node *schema_find(const schema_node *object, str key);
// What a "$ref" in `at` refers to, within the document.
hearth_status schema_resolve(const schema_node *at, str ref, arena *mem, schema_node **out,
                             hearth_err *err);
bool schema_equal(const schema_node *a, const schema_node *b); // as JSON values

// --- sets of types ---
enum {
    TYPE_NULL = 1, TYPE_BOOL = 2, TYPE_INTEGER = 4, TYPE_REAL = 8, TYPE_STRING = 16,
    TYPE_ARRAY = 32, TYPE_OBJECT = 64, TYPE_ALL = 127
};

// --- compilation ---
enum { CONJUNCTS_MAX = 64 };
// Schemas that a value has to satisfy all; subschemas of anyOf and the like are decided in turn.
typedef struct conjunction {
    const schema_node *node[CONJUNCTS_MAX];
    bool any_done[CONJUNCTS_MAX], one_done[CONJUNCTS_MAX];
    int n;
    bool impossible;
} conjunction;

typedef struct schema_job { uint32_t rule; const schema_node **node; uint32_t n; } schema_job;
typedef struct schema {
    gram_build *b;
    map rules;            // lists of nodes
    schema_job *job;      // [n_job] rules to be made, in order
    uint32_t n_job, cap_job, n_expanded;
    uint32_t any_string;  // rule, plus 1
} schema;

// The rule for values of all n schemas; n == 0: any value. Made later.
hearth_status schema_rule(schema *s, const schema_node **node, uint32_t n, uint32_t *out,
                          hearth_err *err);
hearth_status schema_collect(schema *s, conjunction *c, const schema_node *node, hearth_err *err);
hearth_status schema_refuse(const char *keyword, const char *why, hearth_err *err);
hearth_status schema_count(const conjunction *c, const char *keyword, bool is_least, uint32_t *out,
                           hearth_err *err);
hearth_status schema_string(schema *s, const conjunction *c, gram_expr **out, hearth_err *err);
hearth_status schema_array(schema *s, const conjunction *c, gram_expr **out, hearth_err *err);
hearth_status schema_object(schema *s, const conjunction *c, gram_expr **out, hearth_err *err);
hearth_status schema_number(schema *s, const conjunction *c, bool is_real, gram_expr **out,
                            hearth_err *err);
hearth_status schema_values(schema *s, const conjunction *c, unsigned types, gram_expr **out,
                            hearth_err *err);
bool schema_disjoint(const schema_node *a, const schema_node *b, arena *mem);
unsigned schema_types(const schema_node *node); // of "type", TYPE_ALL without; 0: not understood
unsigned schema_type_of(const schema_node *value);
bool schema_has(const conjunction *c, const char *keyword);

// --- numbers ---
typedef struct number_bound {
    str text;    // as in the schema; n == 0: none
    double value;
    bool strict;
} number_bound;
// Integers, or with `is_real` any decimal, within the bounds.
hearth_status number_in_bounds(gram_build *b, bool is_real, number_bound least, number_bound most,
                               gram_expr **out, hearth_err *err);

#endif
