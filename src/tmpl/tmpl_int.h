// What the files of the template interpreter share: tree, values, the state of one rendering.
//
// Life of a template: text -> tokens (lexer.c) -> tree (parse_stmt.c, parse_expr.c), all in one
// arena. A rendering walks the tree (statements.c, eval.c: expressions) with an arena of its
// own, so that values are never freed one by one. Values do not change after they were made, except
// namespaces and how far an iterator was read; sharing is safe and lists have no cycles.
#ifndef HEARTH_TMPL_TMPL_INT_H
#define HEARTH_TMPL_TMPL_INT_H

#include "base/arena.h"
#include "defs/limits.h"
#include "tmpl/tmpl.h"

// --- tokens -------------------------------------------------------------------------------------
typedef enum tk {
    TK_END, TK_DATA, TK_PRINT_BEGIN, TK_PRINT_END, TK_TAG_BEGIN, TK_TAG_END,
    TK_NAME, TK_STRING, TK_INT, TK_FLOAT,
    TK_ADD, TK_SUB, TK_MUL, TK_DIV, TK_FLOORDIV, TK_MOD, TK_POW, TK_TILDE,
    TK_EQ, TK_NE, TK_LT, TK_LE, TK_GT, TK_GE, TK_IN, TK_NOT_IN, // the last two: operators only
    TK_ASSIGN, TK_DOT, TK_COLON, TK_PIPE, TK_COMMA, TK_SEMICOLON,
    TK_LPAREN, TK_RPAREN, TK_LBRACKET, TK_RBRACKET, TK_LBRACE, TK_RBRACE
} tk;
typedef struct token {
    tk kind;
    int line;
    str text; // data, name, or the value of a string
    int64_t i;
    double f;
} token;
typedef struct tokens { token *t; size_t n, cap; } tokens;
hearth_status lex_template(arena *mem, str source, tokens *out, hearth_err *err);

// --- values -------------------------------------------------------------------------------------
typedef enum val_kind {
    V_ABSENT, // an argument that was not given; never seen by templates
    V_UNDEFINED, V_NONE, V_BOOL, V_INT, V_FLOAT, V_STRING, V_LIST, V_TUPLE, V_DICT,
    V_ITER,   // what Python's generators are here: true, without length, read once
    V_VIEW,   // dict.keys() and its like
    V_NAMESPACE, V_LOOP, V_MACRO, V_FUNCTION, V_METHOD
} val_kind;

// n bytes of UTF-8. Who wrote byte i: mask[i] (0 template, 1 user); value.user when mask is NULL.
typedef struct marked { const char *p; const uint8_t *mask; size_t n; } marked;

typedef struct value value;
typedef struct list { value *v; size_t n, cap; } list;
typedef struct dict dict;
typedef struct interp interp;
struct value {
    uint8_t kind;
    bool user;             // who wrote it; strings with a mask: true when any byte is a user's
    union {
        bool b;
        int64_t i;
        double f;
        marked s;          // also the name of what is undefined
        const list *l;     // list, tuple
        dict *d;           // dict, namespace
        struct iter *it;
        const struct view *view;
        struct loop *loop;
        const struct macro *macro;
        const struct function *fn;
        const struct method *method;
    } u;
};
struct dict { value *k, *v; size_t n, cap; }; // in order of insertion; searched linearly
typedef struct iter { list l; size_t at; } iter;
typedef struct view { const char *name; list l; } view;
typedef struct loop {
    const value *v;
    size_t n, at;
    bool has_changed;
    value changed;
    int64_t depth;             // 1; more in calls of a recursive loop
    const struct node *def;    // and where it stands, to be run again
    struct scope *scope;
} loop;

// --- tree ---------------------------------------------------------------------------------------
typedef enum node_kind {
    N_LITERAL, N_NAME, N_LIST, N_TUPLE,
    N_DICT,    // args: key, value, key, value ...
    N_ATTR,    // a.text
    N_ITEM,    // a[b]
    N_SLICE,   // a:b:c, each may be NULL
    N_CALL,    // a(args)
    N_FILTER,  // a|text(args)
    N_TEST,    // a is text(args)
    N_NOT, N_NEG, N_POS, // a
    N_CHAIN,   // a then args: each N_OPERAND op a, from the left
    N_COMPARE, // the same; all must hold
    N_OPERAND, N_AND, N_OR, N_CONCAT, // args
    N_COND,    // b if a else c
    N_KEYWORD, // text=a, in args
    N_STAR, N_STARSTAR, // *a, **a in args
    N_CAPTURED, // the block that a filter of {% set %} and {% filter %} is applied to
    N_MEMBER,  // text.name as a target of set: a is the N_NAME
    N_DATA, N_PRINT,
    N_IF,      // a, body, other
    N_FOR,     // for a in b if c: body, else other
    N_SET,     // a = b; b NULL: body, through the filters c
    N_MACRO,   // text(args: N_PARAM text=a): body
    N_PARAM,
    N_CALL_BLOCK,   // args as of a macro, a: the N_CALL, body
    N_FILTER_BLOCK, // a around N_CAPTURED, body
    N_WITH,         // args: N_SET, body
    N_SCOPE,        // body
    N_BREAK, N_CONTINUE
} node_kind;
enum { USES_CALLER = 1, USES_KWARGS = 2, USES_VARARGS = 4, LOOP_RECURSES = 8 };

typedef struct node node;
struct node {
    uint8_t kind, op, uses; // op: a tk; uses: of macros, and loops
    int line;
    node *a, *b, *c, *args, *body, *other;
    node *next;             // in args, body and other
    str text;
    value literal;
};
struct tmpl { arena mem; node *body; };

typedef struct parser {
    arena *mem;
    const token *t; // the current one
    int depth, loops;
    uint8_t uses;   // special names seen since the macro began
    hearth_err *err;
} parser;
hearth_status parse_template(arena *mem, const tokens *t, node **out, hearth_err *err);
hearth_status parse_fail(parser *p, const char *what);
hearth_status parse_expect(parser *p, tk kind, const char *what);
bool parse_at_name(const parser *p, const char *name);
bool parse_skip_name(parser *p, const char *name);
hearth_status parse_node(parser *p, node_kind kind, node **out);
hearth_status parse_expression(parser *p, node **out);
// A tuple without parentheses or one expression; end: a word that ends it, or NULL.
hearth_status parse_tuple(parser *p, bool with_cond, const char *end, node **out);
hearth_status parse_target(parser *p, bool with_member, const char *end, node **out);
hearth_status parse_filters(parser *p, node *input, bool is_inline, node **out);
const char *token_name(const token *t, char out[64]);

// --- one rendering ------------------------------------------------------------------------------
typedef struct binding binding;
struct binding { str name; value v; binding *next; };
typedef struct scope scope;
struct scope { scope *parent; binding *first; };
typedef enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;
struct interp {
    arena mem;
    uint64_t steps;   // left
    int depth, line;
    flow flow;
    scope *scope;
    value captured;   // for N_CAPTURED
    buf text, mask;   // the output; captures are cut off its end
    tmpl_time now;
    hearth_err *err;
};
// statements.c, eval.c
hearth_status exec_body(interp *in, const node *first);
hearth_status eval(interp *in, const node *n, value *out);
hearth_status enter(interp *in); // one step and one level deeper; leave() goes back
static inline void leave(interp *in) { in->depth--; }
hearth_status charge(interp *in, size_t work); // steps for what a loop is about to do
hearth_status fail(interp *in, const char *fmt, ...) ATTR_PRINTF(2, 3);
hearth_status fail_memory(interp *in);
hearth_status scope_push(interp *in, scope *parent, scope **saved);
hearth_status scope_set(interp *in, str name, value v);
hearth_status capture(interp *in, const node *body, value *out);
hearth_status get_attr(interp *in, value of, str name, value *out);
hearth_status get_item(interp *in, value of, value key, value *out);
// operators.c
hearth_status apply_operator(interp *in, tk op, value a, value b, value *out);
hearth_status apply_sign(interp *in, bool negative, value a, value *out);
hearth_status apply_compare(interp *in, tk op, value a, value b, bool *out);
hearth_status get_slice(interp *in, value of, const value part[3], value *out);

// --- calls --------------------------------------------------------------------------------------
enum { ARGS_MAX = 8 };
typedef struct call {
    const char *name;    // of what is called, for messages
    value self;          // a filter's or test's input, a method's object
    value *pos;          // positional arguments
    size_t n_pos;
    str *key;            // keyword arguments
    value *kw;
    size_t n_kw;
    value arg[ARGS_MAX]; // bound to the parameters of the row, or V_ABSENT
} call;
typedef hearth_status (*call_fn)(interp *in, call *c, value *out);
// Parameters: names separated by blanks, "!" before those that must be given; NULL: the function
// looks at pos and kw itself.
typedef struct function { const char *name, *params; call_fn fn; } function;
typedef struct method { const function *fn; value self; } method;
typedef struct macro { const node *def; scope *scope; value caller; bool is_caller; } macro;
hearth_status collect_args(interp *in, const node *args, call *c);
hearth_status run_function(interp *in, const function *f, call *c, value *out);
hearth_status call_value(interp *in, value callee, call *c, value *out);
hearth_status run_loop(interp *in, const loop *l, const call *c, value *out);
const function *find_filter(str name);
const function *find_global(str name);
const function *find_method(value of, str name, bool *is_unsafe);
// A test by name: *out is its answer.
hearth_status run_test(interp *in, str name, call *c, bool *out);
extern const function text_filters[], list_filters[], string_methods[]; // end with a NULL name
const function *find_in(const function *rows, str name);

// --- values -------------------------------------------------------------------------------------
value val_undefined(str name);
value val_none(void);
value val_bool(bool v);
value val_int(int64_t v, bool user);
value val_float(double v, bool user);
value val_text(str s, bool user);
value val_list(val_kind k, const list *l);
bool val_truth(value v);
const char *val_type(value v); // Python's name
bool val_is_number(value v);   // bool, int or float
double val_number(value v);
static inline str val_str(value v) { return (str){v.u.s.p, v.u.s.n}; }
static inline bool is_kind(value v, val_kind k) { return v.kind == k; }
// Equality never fails except by running out of steps or depth.
hearth_status val_equal(interp *in, value a, value b, bool *out);
hearth_status val_order(interp *in, value a, value b, int *out); // < 0, 0, > 0
hearth_status val_contains(interp *in, value box, value what, bool *out);
// Items of what can be iterated; reads iterators to their end.
hearth_status val_items(interp *in, value v, list *out);
hearth_status val_length(interp *in, value v, size_t *out);
hearth_status list_add(interp *in, list *l, value v);
hearth_status make_list(interp *in, val_kind k, list l, value *out);
hearth_status make_iter(interp *in, list l, value *out);
hearth_status make_pair(interp *in, value a, value b, value *out);
hearth_status dict_new(interp *in, dict **out);
hearth_status dict_set(interp *in, dict *d, value k, value v);
hearth_status dict_find(interp *in, const dict *d, value k, size_t *at); // SIZE_MAX: not there
size_t dict_find_text(const dict *d, str key);
// Index arguments: an int (or bool) argument, `def` when absent or none.
hearth_status arg_int(interp *in, const call *c, int i, int64_t def, int64_t *out);
hearth_status arg_text(interp *in, const call *c, int i, str *out);
bool arg_truth(const call *c, int i, bool def);
static inline bool arg_given(const call *c, int i) { return c->arg[i].kind != V_ABSENT; }

// --- texts --------------------------------------------------------------------------------------
typedef struct builder { interp *in; char *p; uint8_t *mask; size_t n, cap; } builder;
static inline builder build(interp *in) { return (builder){.in = in}; }
hearth_status build_bytes(builder *b, const char *p, size_t n, bool user);
hearth_status build_slice(builder *b, value s, size_t from, size_t n);
hearth_status build_value(builder *b, value v); // as str() gives it
hearth_status build_repr(builder *b, value v);
hearth_status build_fill(builder *b, char c, size_t n, bool user);
value build_done(builder *b);
value text_slice(value s, size_t from, size_t n);
bool text_user_at(value s, size_t i);
bool text_is_user(value s); // any byte
size_t text_count(str s);   // code points
size_t text_offset(str s, size_t i); // byte offset of code point i, s.n past the end
bool is_space(uint32_t cp);
void text_trim(str s, const str *chars, bool left, bool right, size_t *from, size_t *n);
hearth_status to_text(interp *in, value v, value *out); // str()
void format_float(double v, char out[40]);
typedef struct json_style {
    bool ascii, sort, has_indent;
    str indent, comma, colon;
} json_style;
hearth_status build_json(builder *b, value v, const json_style *s, int level);
typedef enum letter_case { CASE_UPPER, CASE_LOWER, CASE_SWAP } letter_case;
uint32_t change_case(uint32_t cp, letter_case to);
hearth_status text_change_case(builder *b, value s, size_t from, size_t n, letter_case to);
// "%" of strings, str.format(), strftime.
hearth_status format_percent(interp *in, value format, value args, value *out);
hearth_status format_fields(interp *in, value format, const call *c, value *out);
hearth_status format_time(builder *b, value format, const tmpl_time *t);

// --- inputs -------------------------------------------------------------------------------------
struct tmpl_inputs { interp in; dict *vars; };

#endif
