// Statements of templates: a body is what stands between two tags, as a list of nodes.
#include <string.h>

#include "tmpl/tmpl_int.h"

static hearth_status parse_body(parser *p, const char *const *ends, node **out);

static hearth_status end_tag(parser *p)
{
    return parse_expect(p, TK_TAG_END, "%}");
}

// A body from the end of its opening tag to the closing one `end`, which is consumed up to "%}".
static hearth_status parse_block(parser *p, const char *end, node **out)
{
    const char *const ends[] = {end, NULL};
    HEARTH_TRY(end_tag(p));
    HEARTH_TRY(parse_body(p, ends, out));
    p->t++; // the closing word
    return HEARTH_OK;
}

// After "if" or "elif".
static hearth_status parse_if(parser *p, node **out)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    for (;;) {
        HEARTH_TRY(parse_node(p, N_IF, out));
        HEARTH_TRY(parse_tuple(p, false, NULL, &(*out)->a));
        HEARTH_TRY(end_tag(p));
        HEARTH_TRY(parse_body(p, ends, &(*out)->body));
        out = &(*out)->other;
        if (parse_skip_name(p, "elif")) continue;
        if (parse_skip_name(p, "else")) return parse_block(p, "endif", out);
        p->t++;
        return HEARTH_OK;
    }
}

static hearth_status parse_for(parser *p, node **out)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    node *n;
    HEARTH_TRY(parse_node(p, N_FOR, &n));
    HEARTH_TRY(parse_target(p, false, "in", &n->a));
    if (!parse_skip_name(p, "in")) return parse_fail(p, "'in'");
    HEARTH_TRY(parse_tuple(p, false, "recursive", &n->b));
    if (parse_skip_name(p, "if")) HEARTH_TRY(parse_expression(p, &n->c));
    if (parse_skip_name(p, "recursive")) n->uses = LOOP_RECURSES;
    HEARTH_TRY(end_tag(p));
    p->loops++;
    HEARTH_TRY(parse_body(p, ends, &n->body));
    p->loops--;
    *out = n;
    if (parse_skip_name(p, "else")) return parse_block(p, "endfor", &n->other);
    p->t++;
    return HEARTH_OK;
}

static hearth_status parse_set(parser *p, node **out)
{
    HEARTH_TRY(parse_node(p, N_SET, out));
    HEARTH_TRY(parse_target(p, true, NULL, &(*out)->a));
    if (p->t->kind == TK_ASSIGN) {
        p->t++;
        return parse_tuple(p, true, NULL, &(*out)->b);
    }
    node *captured;
    HEARTH_TRY(parse_node(p, N_CAPTURED, &captured));
    HEARTH_TRY(parse_filters(p, captured, false, &(*out)->c));
    return parse_block(p, "endset", &(*out)->body);
}

// "(a, b=1)"
static hearth_status parse_parameters(parser *p, node **out)
{
    bool had_default = false;
    HEARTH_TRY(parse_expect(p, TK_LPAREN, "'('"));
    while (p->t->kind != TK_RPAREN) {
        if (p->t->kind != TK_NAME) return parse_fail(p, "a parameter's name");
        HEARTH_TRY(parse_node(p, N_PARAM, out));
        (*out)->text = p->t++->text;
        if (p->t->kind == TK_ASSIGN) {
            p->t++;
            HEARTH_TRY(parse_expression(p, &(*out)->a));
            had_default = true;
        } else if (had_default) {
            return parse_fail(p, "a default value");
        }
        out = &(*out)->next;
        if (p->t->kind != TK_COMMA) break;
        p->t++;
    }
    return parse_expect(p, TK_RPAREN, "')' or ','");
}

// The body of something that is called; loops outside do not count in there.
static hearth_status parse_called(parser *p, const char *end, node *n)
{
    uint8_t uses = p->uses;
    int loops = p->loops;
    p->uses = 0;
    p->loops = 0;
    HEARTH_TRY(parse_block(p, end, &n->body));
    n->uses = p->uses;
    p->uses = uses;
    p->loops = loops;
    return HEARTH_OK;
}

static hearth_status parse_macro(parser *p, node **out)
{
    HEARTH_TRY(parse_node(p, N_MACRO, out));
    if (p->t->kind != TK_NAME) return parse_fail(p, "the macro's name");
    (*out)->text = p->t++->text;
    HEARTH_TRY(parse_parameters(p, &(*out)->args));
    return parse_called(p, "endmacro", *out);
}

static hearth_status parse_call(parser *p, node **out)
{
    HEARTH_TRY(parse_node(p, N_CALL_BLOCK, out));
    if (p->t->kind == TK_LPAREN) HEARTH_TRY(parse_parameters(p, &(*out)->args));
    HEARTH_TRY(parse_expression(p, &(*out)->a));
    if ((*out)->a->kind != N_CALL) return parse_fail(p, "a call before this");
    return parse_called(p, "endcall", *out);
}

static hearth_status parse_filter_block(parser *p, node **out)
{
    node *captured;
    HEARTH_TRY(parse_node(p, N_FILTER_BLOCK, out));
    HEARTH_TRY(parse_node(p, N_CAPTURED, &captured));
    HEARTH_TRY(parse_filters(p, captured, true, &(*out)->a));
    return parse_block(p, "endfilter", &(*out)->body);
}

static hearth_status parse_with(parser *p, node **out)
{
    HEARTH_TRY(parse_node(p, N_WITH, out));
    for (node **tail = &(*out)->args; p->t->kind != TK_TAG_END; tail = &(*tail)->next) {
        HEARTH_TRY(parse_node(p, N_SET, tail));
        HEARTH_TRY(parse_target(p, false, NULL, &(*tail)->a));
        HEARTH_TRY(parse_expect(p, TK_ASSIGN, "'='"));
        HEARTH_TRY(parse_expression(p, &(*tail)->b));
        if (p->t->kind != TK_COMMA) break;
        p->t++;
    }
    return parse_block(p, "endwith", &(*out)->body);
}

static hearth_status parse_generation(parser *p, node **out)
{
    HEARTH_TRY(parse_node(p, N_SCOPE, out));
    return parse_called(p, "endgeneration", *out);
}

static hearth_status parse_jump(parser *p, node_kind kind, node **out)
{
    if (p->loops == 0) return parse_fail(p, "break and continue only in a loop, before this");
    return parse_node(p, kind, out);
}

static hearth_status parse_break(parser *p, node **out) { return parse_jump(p, N_BREAK, out); }

static hearth_status parse_continue(parser *p, node **out)
{
    return parse_jump(p, N_CONTINUE, out);
}

// A statement from its word to before its "%}".
static hearth_status parse_statement(parser *p, node **out)
{
    static const struct { const char *word; hearth_status (*parse)(parser *, node **); } rows[] = {
        {"if", parse_if}, {"for", parse_for}, {"set", parse_set}, {"macro", parse_macro},
        {"call", parse_call}, {"filter", parse_filter_block}, {"with", parse_with},
        {"generation", parse_generation}, {"break", parse_break}, {"continue", parse_continue},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (!parse_skip_name(p, rows[i].word)) continue;
        if (p->depth == LIMIT_TMPL_NESTING) return parse_fail(p, "less nesting");
        p->depth++;
        hearth_status st = rows[i].parse(p, out);
        p->depth--;
        return st;
    }
    return parse_fail(p, "a statement (if, for, set, macro, call, filter, with, generation)");
}

static bool at_word(const parser *p, const char *const *words)
{
    for (; words && *words; words++) {
        if (parse_at_name(p, *words)) return true;
    }
    return false;
}

static hearth_status parse_print(parser *p, node **out)
{
    HEARTH_TRY(parse_node(p, N_PRINT, out));
    HEARTH_TRY(parse_tuple(p, true, NULL, &(*out)->a));
    return parse_expect(p, TK_PRINT_END, "}}");
}

// Nodes up to a tag that begins with one of the words `ends` (the word is the current token then),
// or to the end of the template when `ends` is NULL.
static hearth_status parse_body(parser *p, const char *const *ends, node **out)
{
    for (;;) {
        if (p->t->kind == TK_END) {
            return ends ? parse_fail(p, ends[1] ? "the end of a block" : ends[0]) : HEARTH_OK;
        }
        tk kind = p->t->kind;
        p->t++;
        if (kind == TK_DATA) {
            HEARTH_TRY(parse_node(p, N_DATA, out));
            (*out)->text = p->t[-1].text;
        } else if (kind == TK_PRINT_BEGIN) {
            HEARTH_TRY(parse_print(p, out));
        } else {
            if (at_word(p, ends)) return HEARTH_OK;
            HEARTH_TRY(parse_statement(p, out));
            HEARTH_TRY(end_tag(p));
        }
        while (*out) out = &(*out)->next;
    }
}

hearth_status parse_template(arena *mem, const tokens *t, node **out, hearth_err *err)
{
    parser p = {.mem = mem, .t = t->t, .err = err};
    *out = NULL;
    return parse_body(&p, NULL, out);
}
