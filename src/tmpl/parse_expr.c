// Expressions of templates, by recursive descent. From loose to tight:
//
//   x if c else y | or | and | not | == != < <= > >= in, not in | + - | ~ | * / // % | **
//   | unary + - | .name [key] (args) | |filter, is test
//
// Binary operators of one level become one N_CHAIN, so that a sum of a thousand strings needs no
// depth. "**" goes from the left, and a filter binds tighter than a binary operator but not than a
// sign: -1|abs is 1. All of this is as in Jinja.
#include <stdio.h>
#include <string.h>

#include "tmpl/tmpl_int.h"

static hearth_status parse_unary(parser *p, bool with_filters, node **out);
static hearth_status parse_primary(parser *p, bool with_member, node **out);
static hearth_status parse_postfix(parser *p, node **n);

const char *token_name(const token *t, char out[64])
{
    switch (t->kind) {
    case TK_END: return "the end of the template";
    case TK_TAG_END: return "%}";
    case TK_PRINT_END: return "}}";
    case TK_STRING: return "a string";
    default: snprintf(out, 64, "'%.*s'", (int)size_min(t->text.n, 40), t->text.p); return out;
    }
}

hearth_status parse_fail(parser *p, const char *what)
{
    char name[64];
    return err_fail(p->err, HEARTH_E_FORMAT, "template line %d: expected %s, found %s", p->t->line,
                    what, token_name(p->t, name));
}

hearth_status parse_expect(parser *p, tk kind, const char *what)
{
    if (p->t->kind != kind) return parse_fail(p, what);
    p->t++;
    return HEARTH_OK;
}

bool parse_at_name(const parser *p, const char *name)
{
    return p->t->kind == TK_NAME && str_eq_z(p->t->text, name);
}

bool parse_skip_name(parser *p, const char *name)
{
    bool yes = parse_at_name(p, name);
    p->t += yes;
    return yes;
}

static bool skip(parser *p, tk kind)
{
    bool yes = p->t->kind == kind;
    p->t += yes;
    return yes;
}

hearth_status parse_node(parser *p, node_kind kind, node **out)
{
    *out = arena_new(p->mem, node, 1);
    if (!*out) return err_fail(p->err, HEARTH_E_LIMIT, "the template is too long");
    (*out)->kind = (uint8_t)kind;
    (*out)->line = p->t->line;
    return HEARTH_OK;
}

// A node around `a`.
static hearth_status wrap(parser *p, node_kind kind, node *a, node **out)
{
    node *n;
    HEARTH_TRY(parse_node(p, kind, &n));
    n->a = a;
    *out = n;
    return HEARTH_OK;
}

static hearth_status parse_name(parser *p, str *out)
{
    if (p->t->kind != TK_NAME) return parse_fail(p, "a name");
    *out = p->t++->text;
    return HEARTH_OK;
}

// --- binary operators ---------------------------------------------------------------------------

typedef hearth_status (*parse_fn)(parser *p, node **out);

// One operand after an operator, put at the end of a chain.
static hearth_status add_operand(parser *p, tk op, parse_fn parse, node ***tail)
{
    node *n;
    HEARTH_TRY(parse_node(p, N_OPERAND, &n));
    n->op = (uint8_t)op;
    HEARTH_TRY(parse(p, &n->a));
    **tail = n;
    *tail = &n->next;
    return HEARTH_OK;
}

static bool is_one_of(tk kind, const tk *ops)
{
    for (; *ops != TK_END; ops++) {
        if (*ops == kind) return true;
    }
    return false;
}

static hearth_status parse_chain(parser *p, const tk *ops, parse_fn parse, node **out)
{
    HEARTH_TRY(parse(p, out));
    node **tail = NULL;
    while (is_one_of(p->t->kind, ops)) {
        if (!tail) {
            HEARTH_TRY(wrap(p, N_CHAIN, *out, out));
            tail = &(*out)->args;
        }
        tk op = p->t++->kind;
        HEARTH_TRY(add_operand(p, op, parse, &tail));
    }
    return HEARTH_OK;
}

static hearth_status parse_plain_unary(parser *p, node **out) { return parse_unary(p, true, out); }

static hearth_status parse_power(parser *p, node **out)
{
    static const tk ops[] = {TK_POW, TK_END};
    return parse_chain(p, ops, parse_plain_unary, out);
}

static hearth_status parse_product(parser *p, node **out)
{
    static const tk ops[] = {TK_MUL, TK_DIV, TK_FLOORDIV, TK_MOD, TK_END};
    return parse_chain(p, ops, parse_power, out);
}

// Parts of the same kind: a ~ b ~ c, a and b and c.
static hearth_status parse_parts(parser *p, node_kind kind, const char *word, parse_fn parse,
                                 node **out)
{
    node *first, *n = NULL, **tail = NULL;
    HEARTH_TRY(parse(p, &first));
    while (word ? parse_skip_name(p, word) : skip(p, TK_TILDE)) {
        if (!n) {
            HEARTH_TRY(parse_node(p, kind, &n));
            HEARTH_TRY(wrap(p, N_OPERAND, first, &n->args));
            tail = &n->args->next;
        }
        HEARTH_TRY(add_operand(p, TK_END, parse, &tail));
    }
    *out = n ? n : first;
    return HEARTH_OK;
}

static hearth_status parse_concat(parser *p, node **out)
{
    return parse_parts(p, N_CONCAT, NULL, parse_product, out);
}

static hearth_status parse_sum(parser *p, node **out)
{
    static const tk ops[] = {TK_ADD, TK_SUB, TK_END};
    return parse_chain(p, ops, parse_concat, out);
}

// The comparison at the current token, consumed; TK_END: none.
static tk take_comparison(parser *p)
{
    static const tk ops[] = {TK_EQ, TK_NE, TK_LT, TK_LE, TK_GT, TK_GE, TK_END};
    if (is_one_of(p->t->kind, ops)) return p->t++->kind;
    if (parse_skip_name(p, "in")) return TK_IN;
    if (!parse_at_name(p, "not") || p->t[1].kind != TK_NAME || !str_eq_z(p->t[1].text, "in")) {
        return TK_END;
    }
    p->t += 2;
    return TK_NOT_IN;
}

static hearth_status parse_compare(parser *p, node **out)
{
    HEARTH_TRY(parse_sum(p, out));
    node **tail = NULL;
    for (tk op; (op = take_comparison(p)) != TK_END;) {
        if (!tail) {
            HEARTH_TRY(wrap(p, N_COMPARE, *out, out));
            tail = &(*out)->args;
        }
        HEARTH_TRY(add_operand(p, op, parse_sum, &tail));
    }
    return HEARTH_OK;
}

static hearth_status parse_not(parser *p, node **out)
{
    bool negate = false, any = false;
    for (; parse_skip_name(p, "not"); any = true) negate = !negate;
    HEARTH_TRY(parse_compare(p, out));
    if (any) HEARTH_TRY(wrap(p, N_NOT, *out, out));
    if (any && !negate) HEARTH_TRY(wrap(p, N_NOT, *out, out));
    return HEARTH_OK;
}

static hearth_status parse_and(parser *p, node **out)
{
    return parse_parts(p, N_AND, "and", parse_not, out);
}

static hearth_status parse_or(parser *p, node **out)
{
    return parse_parts(p, N_OR, "or", parse_and, out);
}

static hearth_status parse_condition(parser *p, node **out)
{
    HEARTH_TRY(parse_or(p, out));
    while (parse_skip_name(p, "if")) {
        node *n;
        HEARTH_TRY(parse_node(p, N_COND, &n));
        n->b = *out;
        HEARTH_TRY(parse_or(p, &n->a));
        if (parse_skip_name(p, "else")) HEARTH_TRY(parse_expression(p, &n->c));
        *out = n;
    }
    return HEARTH_OK;
}

// Everything that nests comes through here.
static hearth_status parse_deeper(parser *p, parse_fn parse, node **out)
{
    if (p->depth == LIMIT_TMPL_NESTING) {
        return err_fail(p->err, HEARTH_E_LIMIT, "template line %d: nested deeper than %d levels",
                        p->t->line, LIMIT_TMPL_NESTING);
    }
    p->depth++;
    hearth_status st = parse(p, out);
    p->depth--;
    return st;
}

hearth_status parse_expression(parser *p, node **out)
{
    return parse_deeper(p, parse_condition, out);
}

// --- tuples and targets -------------------------------------------------------------------------

static bool at_tuple_end(const parser *p, const char *end)
{
    tk k = p->t->kind;
    return k == TK_PRINT_END || k == TK_TAG_END || k == TK_RPAREN || (end && parse_at_name(p, end));
}

// Items up to the first that no comma follows; the tuple is made when there is a comma.
static hearth_status parse_items(parser *p, parse_fn parse, const char *end, bool may_be_empty,
                                 node **out)
{
    node *first = NULL, **tail = &first;
    bool is_tuple = false;
    while (!at_tuple_end(p, end)) {
        HEARTH_TRY(parse_deeper(p, parse, tail));
        // Items are fresh nodes: a chain of them needs no node of its own.
        tail = &(*tail)->next;
        if (!skip(p, TK_COMMA)) break;
        is_tuple = true;
    }
    if (!first && !may_be_empty) return parse_fail(p, "an expression");
    if (first && !is_tuple) {
        *out = first;
        return HEARTH_OK;
    }
    HEARTH_TRY(parse_node(p, N_TUPLE, out));
    (*out)->args = first;
    return HEARTH_OK;
}

hearth_status parse_tuple(parser *p, bool with_cond, const char *end, node **out)
{
    return parse_items(p, with_cond ? parse_condition : parse_or, end, false, out);
}

static hearth_status parse_member_target(parser *p, node **out)
{
    return parse_primary(p, true, out);
}

static hearth_status parse_plain_target(parser *p, node **out)
{
    return parse_primary(p, false, out);
}

static bool can_assign(const node *n)
{
    if (n->kind != N_TUPLE) return n->kind == N_NAME || n->kind == N_MEMBER;
    for (const node *i = n->args; i; i = i->next) {
        if (!can_assign(i)) return false;
    }
    return true;
}

hearth_status parse_target(parser *p, bool with_member, const char *end, node **out)
{
    HEARTH_TRY(parse_items(p, with_member ? parse_member_target : parse_plain_target, end, false,
                           out));
    return can_assign(*out) ? HEARTH_OK : parse_fail(p, "a name to assign to before this");
}

// --- literals -----------------------------------------------------------------------------------

static hearth_status parse_literal(parser *p, value v, node **out)
{
    HEARTH_TRY(parse_node(p, N_LITERAL, out));
    (*out)->literal = v;
    p->t++;
    return HEARTH_OK;
}

// Strings side by side are one.
static hearth_status parse_strings(parser *p, node **out)
{
    const token *first = p->t;
    HEARTH_TRY(parse_literal(p, val_text(first->text, false), out));
    if (p->t->kind != TK_STRING) return HEARTH_OK;
    size_t n = 0, at = 0;
    while (p->t->kind == TK_STRING) p->t++;
    for (const token *t = first; t < p->t; t++) n += t->text.n;
    char *joined = arena_new(p->mem, char, n);
    if (!joined) return err_fail(p->err, HEARTH_E_LIMIT, "the template is too long");
    for (const token *t = first; t < p->t; t++) {
        if (t->text.n > 0) memcpy(joined + at, t->text.p, t->text.n);
        at += t->text.n;
    }
    (*out)->literal = val_text((str){joined, n}, false);
    return HEARTH_OK;
}

static void note_special(parser *p, str name)
{
    if (str_eq_z(name, "caller")) p->uses |= USES_CALLER;
    if (str_eq_z(name, "kwargs")) p->uses |= USES_KWARGS;
    if (str_eq_z(name, "varargs")) p->uses |= USES_VARARGS;
}

static hearth_status parse_word(parser *p, bool with_member, node **out)
{
    str s = p->t->text;
    bool yes = str_eq_z(s, "true") || str_eq_z(s, "True");
    if (yes || str_eq_z(s, "false") || str_eq_z(s, "False")) {
        return parse_literal(p, val_bool(yes), out);
    }
    if (str_eq_z(s, "none") || str_eq_z(s, "None")) return parse_literal(p, val_none(), out);
    HEARTH_TRY(parse_node(p, N_NAME, out));
    (*out)->text = s;
    p->t++;
    note_special(p, s);
    if (with_member && skip(p, TK_DOT)) {
        HEARTH_TRY(wrap(p, N_MEMBER, *out, out));
        return parse_name(p, &(*out)->text);
    }
    return HEARTH_OK;
}

static hearth_status parse_list(parser *p, node **out)
{
    HEARTH_TRY(parse_node(p, N_LIST, out));
    p->t++;
    for (node **tail = &(*out)->args; p->t->kind != TK_RBRACKET; tail = &(*tail)->next) {
        HEARTH_TRY(parse_expression(p, tail));
        if (!skip(p, TK_COMMA)) break;
    }
    return parse_expect(p, TK_RBRACKET, "']' or ','");
}

static hearth_status parse_dict(parser *p, node **out)
{
    HEARTH_TRY(parse_node(p, N_DICT, out));
    p->t++;
    for (node **tail = &(*out)->args; p->t->kind != TK_RBRACE; tail = &(*tail)->next) {
        HEARTH_TRY(parse_expression(p, tail));
        HEARTH_TRY(parse_expect(p, TK_COLON, "':'"));
        tail = &(*tail)->next;
        HEARTH_TRY(parse_expression(p, tail));
        if (!skip(p, TK_COMMA)) break;
    }
    return parse_expect(p, TK_RBRACE, "'}' or ','");
}

static hearth_status parse_primary(parser *p, bool with_member, node **out)
{
    switch (p->t->kind) {
    case TK_NAME: return parse_word(p, with_member, out);
    case TK_STRING: return parse_strings(p, out);
    case TK_INT: return parse_literal(p, val_int(p->t->i, false), out);
    case TK_FLOAT: return parse_literal(p, val_float(p->t->f, false), out);
    case TK_LBRACKET: return parse_list(p, out);
    case TK_LBRACE: return parse_dict(p, out);
    case TK_LPAREN:
        p->t++;
        HEARTH_TRY(parse_items(p, parse_condition, NULL, true, out));
        // In a list of items a parenthesised one must not bring its neighbours along.
        ASSERT((*out)->next == NULL);
        return parse_expect(p, TK_RPAREN, "')'");
    default: return parse_fail(p, "an expression");
    }
}

// --- what follows a value -----------------------------------------------------------------------

static hearth_status parse_argument(parser *p, node **out)
{
    bool star = p->t->kind == TK_MUL, stars = p->t->kind == TK_POW;
    bool keyword = p->t->kind == TK_NAME && p->t[1].kind == TK_ASSIGN;
    if (!star && !stars && !keyword) return parse_expression(p, out);
    HEARTH_TRY(parse_node(p, star ? N_STAR : stars ? N_STARSTAR : N_KEYWORD, out));
    (*out)->text = p->t->text;
    p->t += keyword ? 2 : 1;
    return parse_expression(p, &(*out)->a);
}

// "(a, b, name=c)" from the parenthesis on.
static hearth_status parse_arguments(parser *p, node **out)
{
    bool named = false;
    HEARTH_TRY(parse_expect(p, TK_LPAREN, "'('"));
    while (p->t->kind != TK_RPAREN) {
        HEARTH_TRY(parse_argument(p, out));
        bool positional = (*out)->kind != N_KEYWORD && (*out)->kind != N_STARSTAR;
        if (positional && named) return parse_fail(p, "positional arguments before named ones");
        named |= !positional;
        out = &(*out)->next;
        if (!skip(p, TK_COMMA)) break;
    }
    return parse_expect(p, TK_RPAREN, "')' or ','");
}

static hearth_status parse_slice_part(parser *p, node **out)
{
    tk k = p->t->kind;
    if (k == TK_COLON || k == TK_RBRACKET || k == TK_COMMA) return HEARTH_OK;
    return parse_expression(p, out);
}

static hearth_status parse_key(parser *p, node **out)
{
    node *first = NULL;
    HEARTH_TRY(parse_slice_part(p, &first));
    if (p->t->kind != TK_COLON) {
        *out = first;
        return first ? HEARTH_OK : parse_fail(p, "an index");
    }
    HEARTH_TRY(wrap(p, N_SLICE, first, out));
    p->t++;
    HEARTH_TRY(parse_slice_part(p, &(*out)->b));
    if (skip(p, TK_COLON)) HEARTH_TRY(parse_slice_part(p, &(*out)->c));
    return HEARTH_OK;
}

static hearth_status parse_dot(parser *p, node **n)
{
    p->t++;
    if (p->t->kind == TK_INT) {
        HEARTH_TRY(wrap(p, N_ITEM, *n, n));
        return parse_literal(p, val_int(p->t->i, false), &(*n)->b);
    }
    HEARTH_TRY(wrap(p, N_ATTR, *n, n));
    return parse_name(p, &(*n)->text);
}

// One step of .name, [key] or (args); every step is one level of the tree.
static hearth_status parse_step(parser *p, node **n)
{
    if (p->t->kind == TK_DOT) return parse_dot(p, n);
    if (p->t->kind == TK_LPAREN) {
        HEARTH_TRY(wrap(p, N_CALL, *n, n));
        return parse_arguments(p, &(*n)->args);
    }
    HEARTH_TRY(wrap(p, N_ITEM, *n, n));
    p->t++;
    HEARTH_TRY(parse_key(p, &(*n)->b));
    return parse_expect(p, TK_RBRACKET, "']'");
}

static hearth_status too_long(parser *p)
{
    return err_fail(p->err, HEARTH_E_LIMIT, "template line %d: more than %d steps on one value",
                    p->t->line, LIMIT_TMPL_NESTING);
}

static hearth_status parse_postfix(parser *p, node **n)
{
    for (int i = 0;; i++) {
        tk k = p->t->kind;
        if (k != TK_DOT && k != TK_LBRACKET && k != TK_LPAREN) return HEARTH_OK;
        if (i == LIMIT_TMPL_NESTING) return too_long(p);
        HEARTH_TRY(parse_step(p, n));
    }
}

// "|name(args)", or the same without the bar when is_inline.
hearth_status parse_filters(parser *p, node *input, bool is_inline, node **out)
{
    *out = input;
    for (int i = 0; is_inline || p->t->kind == TK_PIPE; i++) {
        if (i == LIMIT_TMPL_NESTING) return too_long(p);
        p->t += !is_inline;
        is_inline = false;
        HEARTH_TRY(wrap(p, N_FILTER, *out, out));
        HEARTH_TRY(parse_name(p, &(*out)->text));
        if (p->t->kind == TK_LPAREN) HEARTH_TRY(parse_arguments(p, &(*out)->args));
    }
    return HEARTH_OK;
}

static bool begins_test_argument(const parser *p)
{
    static const tk kinds[] = {TK_STRING, TK_INT, TK_FLOAT, TK_LBRACKET, TK_LBRACE, TK_END};
    if (p->t->kind != TK_NAME) return is_one_of(p->t->kind, kinds);
    return !parse_at_name(p, "else") && !parse_at_name(p, "or") && !parse_at_name(p, "and");
}

// After "is".
static hearth_status parse_test(parser *p, node **n)
{
    bool negated = parse_skip_name(p, "not");
    HEARTH_TRY(wrap(p, N_TEST, *n, n));
    node *test = *n;
    HEARTH_TRY(parse_name(p, &test->text));
    if (p->t->kind == TK_LPAREN) {
        HEARTH_TRY(parse_arguments(p, &test->args));
    } else if (begins_test_argument(p)) {
        if (parse_at_name(p, "is")) return parse_fail(p, "one test at a time");
        HEARTH_TRY(parse_primary(p, false, &test->args));
        HEARTH_TRY(parse_postfix(p, &test->args));
    }
    return negated ? wrap(p, N_NOT, test, n) : HEARTH_OK;
}

static hearth_status parse_filters_and_tests(parser *p, node **n)
{
    for (int i = 0;; i++) {
        if (i == LIMIT_TMPL_NESTING) return too_long(p);
        if (p->t->kind == TK_PIPE) HEARTH_TRY(parse_filters(p, *n, false, n));
        else if (parse_skip_name(p, "is")) HEARTH_TRY(parse_test(p, n));
        else if (p->t->kind == TK_LPAREN) HEARTH_TRY(parse_step(p, n));
        else return HEARTH_OK;
    }
}

static hearth_status parse_signed(parser *p, node **out)
{
    node_kind kind = p->t->kind == TK_SUB ? N_NEG : N_POS;
    p->t++;
    HEARTH_TRY(parse_node(p, kind, out));
    return parse_unary(p, false, &(*out)->a);
}

static hearth_status parse_unary(parser *p, bool with_filters, node **out)
{
    bool has_sign = p->t->kind == TK_SUB || p->t->kind == TK_ADD;
    if (has_sign) HEARTH_TRY(parse_deeper(p, parse_signed, out));
    else HEARTH_TRY(parse_primary(p, false, out));
    HEARTH_TRY(parse_postfix(p, out));
    return with_filters ? parse_filters_and_tests(p, out) : HEARTH_OK;
}
