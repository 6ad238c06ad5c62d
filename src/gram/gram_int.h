// Private to gram/: expressions, the automaton that they become, and their construction.
//
//   front end (gbnf.c, regex.c, schema_*.c) -> expressions by rule -> nodes (gram_emit.c)
//                                                                     -> gram_match.c runs them
//
// The automaton is a network of nodes for each rule. A node that calls pushes where to go on. An
// object of a schema has a register beside each position within its rule: which members were
// written. So members may come in any order without a state for each subset.
#ifndef HEARTH_GRAM_GRAM_INT_H
#define HEARTH_GRAM_GRAM_INT_H

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "defs/limits.h"
#include "gram/gram.h"

#define GRAM_INF UINT32_MAX      // repetition without end; no completion
#define GRAM_NONE_NODE UINT32_MAX
enum { GRAM_FAIL = 0, GRAM_RETURN = 1 }; // the one node of these kinds

// --- nodes --------------------------------------------------------------------------------------
typedef enum node_kind {
    NODE_BYTE,   // a byte of lo..hi, then out
    NODE_SPLIT,  // out or other
    NODE_CALL,   // the rule `other`, then out
    NODE_RETURN, // the rule ends
    NODE_FAIL,   // nothing follows
    NODE_OPEN,   // object `other` begins: its register is empty
    NODE_KEY,    // member `index` of object `other` begins, if it may
    NODE_EXTRA,  // an undeclared member of object `other` begins, if it may
    NODE_CLOSE,  // object `other` ends, if it may
} node_kind;

typedef struct gram_node {
    uint8_t kind, lo, hi;
    uint16_t index;
    uint32_t out, other; // BYTE: other is the node where a member is chosen (see object.c), or
                         // GRAM_NONE_NODE
} gram_node;

typedef struct gram_expr gram_expr;
enum { GRAM_SET_WORDS = LIMIT_GRAM_PROPERTIES / 64 };
typedef struct gram_register { // the members that an object has so far
    uint64_t seen[GRAM_SET_WORDS];
    uint32_t n;      // of all kinds; not above what matters (gram_object.n_cap)
    uint32_t object; // plus 1; 0: no object
} gram_register;

typedef struct gram_property {
    str key;
    uint32_t value;  // rule
    bool required;
    uint32_t node;   // its NODE_KEY
} gram_property;

typedef struct gram_object {
    gram_property *property;
    uint32_t n_property;
    bool has_extra;
    gram_expr *extra_key;
    uint32_t extra_value, extra_node; // rule, NODE_EXTRA
    uint32_t first, member; // nodes: the choice after '{', and after ','
    uint32_t least, most;             // members; most may be GRAM_INF
    uint32_t n_cap;
    bool in_order;
} gram_object;

struct gram {
    arena mem;
    gram_node *node;   // [n_node]
    uint32_t n_node, cap_node;
    uint32_t *entry;   // [n_rule]
    uint32_t n_rule, cap_rule;
    gram_object *object;
    uint32_t n_object, cap_object;
    uint32_t *cost;    // [n_node] bytes to the end of the rule, as if registers permitted all
    uint8_t class_of[256]; // bytes that no node tells apart have one class
    int n_class;
    uint32_t root;
};

// --- expressions --------------------------------------------------------------------------------
typedef enum expr_kind {
    EXPR_BYTES, EXPR_CLASS, EXPR_SEQ, EXPR_ALT, EXPR_REPEAT, EXPR_RULE, EXPR_OBJECT
} expr_kind;

typedef struct gram_range { uint32_t lo, hi; } gram_range; // code points

struct gram_expr {
    expr_kind kind;
    bool in_json;       // CLASS: characters as a JSON string spells them
    uint32_t least, most; // REPEAT
    uint32_t index;     // RULE, OBJECT
    str bytes;          // BYTES
    gram_range *range;  // CLASS: sorted, apart
    uint32_t n_range;
    gram_expr *last;    // SEQ, ALT, REPEAT: the last part; the others by ->before
    gram_expr *before;
    uint32_t n_part;
};

// Everything that lives while a grammar is built. Failures of memory and limits are kept: functions
// that return an expression never return NULL, `failed` says whether it counts.
typedef struct gram_build {
    gram *g;
    arena mem;          // expressions
    gram_expr **rule;   // [g->n_rule], NULL until defined
    str *name;          // [g->n_rule], may be empty
    uint32_t cap_rule;
    gram_expr nothing;  // stands for expressions that could not be made
    hearth_status failed;
    const char *failed_why;
    gram_style style;
} gram_build;

gram_expr *expr_bytes(gram_build *b, str bytes); // borrowed until the grammar is finished
gram_expr *expr_copy(gram_build *b, str bytes);
// Sorts and joins; `not`: the complement among code points without surrogates.
gram_expr *expr_class(gram_build *b, const gram_range *range, uint32_t n, bool not, bool in_json);
gram_expr *expr_new(gram_build *b, expr_kind kind); // SEQ or ALT without parts: "", nothing at all
void expr_add(gram_build *b, gram_expr *to, gram_expr *part);
gram_expr *expr_seq(gram_build *b, gram_expr *x, gram_expr *y);
gram_expr *expr_either(gram_build *b, gram_expr *x, gram_expr *y);
gram_expr *expr_repeat(gram_build *b, gram_expr *part, uint32_t least, uint32_t most);
gram_expr *expr_rule(gram_build *b, uint32_t rule);
gram_expr *expr_object(gram_build *b, const gram_object *o); // a rule's whole expression

uint32_t build_rule(gram_build *b, str name); // a new one; the name is for messages
void build_define(gram_build *b, uint32_t rule, gram_expr *x);
void build_fail(gram_build *b, hearth_status status, const char *why);
hearth_status build_status(const gram_build *b, hearth_err *err);
void build_init(gram_build *b, gram *g, gram_style style);
void build_release(gram_build *b);

// Nodes of all rules; then costs and byte classes. Refuses left recursion, and a language without a
// text.
hearth_status gram_emit(gram_build *b, hearth_err *err);
uint32_t emit_node(gram_build *b, gram_node node);
uint32_t emit_byte(gram_build *b, uint8_t lo, uint8_t hi, uint32_t next);
uint32_t emit_either(gram_build *b, uint32_t x, uint32_t y); // GRAM_FAIL takes no part
uint32_t emit_expr(gram_build *b, const gram_expr *x, uint32_t next);
uint32_t emit_class(gram_build *b, const gram_expr *x, uint32_t next);
uint32_t emit_object(gram_build *b, uint32_t index, uint32_t next);
hearth_status gram_finish(gram_build *b, hearth_err *err);
uint32_t cost_add(uint32_t a, uint32_t b); // GRAM_INF stays

// --- objects ------------------------------------------------------------------------------------
// What the missing members of an object cost, with their commas; GRAM_INF: it cannot be completed.
uint32_t object_debt(const gram *g, const gram_object *o, const gram_register *r);
bool object_may(const gram *g, const gram_node *n, const gram_register *r); // KEY, EXTRA, CLOSE
void object_take(const gram *g, const gram_node *n, gram_register *r);      // OPEN, KEY, EXTRA
// From a NODE_BYTE to the end of its rule.
uint32_t object_cost(const gram *g, uint32_t node, const gram_register *r);

// --- front ends: each defines the rule `root` ---------------------------------------------------
hearth_status gbnf_read(gram_build *b, str text, uint32_t root, hearth_err *err);
hearth_status choices_read(gram_build *b, str json, uint32_t root, hearth_err *err);
hearth_status schema_read(gram_build *b, str json, uint32_t root, hearth_err *err);
// is_search: a match anywhere, as in a schema's "pattern"; in_json: characters spelled as in JSON.
hearth_status regex_read(gram_build *b, str text, bool is_search, bool in_json, gram_expr **out,
                         hearth_err *err);

// --- parts of JSON ------------------------------------------------------------------------------
gram_expr *json_space(gram_build *b);                  // optional white space, bounded
gram_expr *json_spelled(gram_build *b, str text);      // with quotes and escapes
gram_expr *json_any_char(gram_build *b);
gram_expr *json_any_string(gram_build *b);             // any escapes
gram_expr *json_any_integer(gram_build *b);
gram_expr *json_any_number(gram_build *b);

#endif
