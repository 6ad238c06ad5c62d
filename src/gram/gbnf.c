// GBNF, the grammars of llama.cpp:
//
//   file      rule*                       # to the end of the line is a comment
//   rule      name ::= choice             the text is what `root` reads
//   choice    sequence ("|" sequence)*
//   sequence  (item repeat?)*
//   item      "text"   [a-z0-9]   [^"]   .   name   ( choice )
//   repeat    *   +   ?   {n}   {n,}   {n,m}
//
// A rule ends where the next `name ::=` begins, so lines may be broken anywhere. Escapes: \n \r \t
// \\ \" \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH, characters all of them.
#include <string.h>

#include "gram/scan.h"

static bool is_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static void skip_blank(gram_scan *s)
{
    for (int c; (c = scan_peek(s)) >= 0;) {
        if (c == '#')
            while (scan_peek(s) >= 0 && scan_peek(s) != '\n') s->at++;
        else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') s->at++;
        else return;
    }
}

static str read_name(gram_scan *s)
{
    size_t begin = s->at;
    while (is_name(scan_peek(s))) s->at++;
    return (str){s->text.p + begin, s->at - begin};
}

// Does `name ::=` come next? Nothing is taken.
static bool begins_rule(const gram_scan *s)
{
    gram_scan ahead = *s;
    if (read_name(&ahead).n == 0) return false;
    skip_blank(&ahead);
    return scan_take_all(&ahead, "::=");
}

typedef struct gbnf {
    gram_build *b;
    gram_scan s;
    map names;
} gbnf;

static hearth_status find_rule(gbnf *f, str name, uint32_t *out, hearth_err *err)
{
    if (map_get(&f->names, name, out)) return HEARTH_OK;
    *out = build_rule(f->b, name);
    hearth_status status = map_put(&f->names, name, *out, NULL);
    return status == HEARTH_OK ? status : err_fail(err, status, "grammar: out of memory");
}

static hearth_status read_escape(gram_scan *s, uint32_t *cp, hearth_err *err)
{
    static const char from[] = "nrt\\\"[]-^", to[] = "\n\r\t\\\"[]-^";
    int c = scan_peek(s);
    const char *hit = c > 0 ? strchr(from, c) : NULL;
    if (hit) {
        s->at++;
        *cp = (uint8_t)to[hit - from];
        return HEARTH_OK;
    }
    int n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (n == 0) return scan_fail(s, "an escape (\\n \\r \\t \\\\ \\\" \\[ \\] \\x \\u \\U)", err);
    s->at++;
    return scan_hex(s, n, cp, err);
}

static hearth_status read_char(gram_scan *s, uint32_t *cp, hearth_err *err)
{
    if (!scan_take(s, '\\')) return scan_char(s, cp, err);
    return read_escape(s, cp, err);
}

static hearth_status read_literal(gbnf *f, gram_expr **out, hearth_err *err)
{
    buf text;
    buf_init(&text, MEM_MISC, LIMIT_GRAM_TEXT);
    hearth_status status = HEARTH_OK;
    while (status == HEARTH_OK && !scan_take(&f->s, '"')) {
        uint32_t cp = 0;
        char bytes[4];
        status = read_char(&f->s, &cp, err);
        if (status == HEARTH_OK && buf_append(&text, bytes, utf8_encode(cp, bytes)) != HEARTH_OK)
            status = err_fail(err, HEARTH_E_NOMEM, "grammar: out of memory");
    }
    *out = expr_copy(f->b, buf_str(&text));
    buf_release(&text);
    return status;
}

static hearth_status read_class(gbnf *f, gram_expr **out, hearth_err *err)
{
    gram_range r[SCAN_RANGES];
    uint32_t n = 0;
    bool not = scan_take(&f->s, '^');
    while (!scan_take(&f->s, ']')) {
        if (n == COUNTOF(r)) return scan_fail(&f->s, "at most 256 parts of a class", err);
        HEARTH_TRY(read_char(&f->s, &r[n].lo, err));
        r[n].hi = r[n].lo;
        bool is_range = scan_peek(&f->s) == '-' && scan_peek_at(&f->s, 1) != ']';
        if (is_range) {
            f->s.at++;
            HEARTH_TRY(read_char(&f->s, &r[n].hi, err));
        }
        if (r[n].hi < r[n].lo) return scan_fail(&f->s, "a range that ascends", err);
        n++;
    }
    *out = expr_class(f->b, r, n, not, false);
    return HEARTH_OK;
}

static hearth_status read_choice(gbnf *f, int depth, gram_expr **out, hearth_err *err);

static hearth_status read_item(gbnf *f, int depth, gram_expr **out, hearth_err *err)
{
    gram_scan *s = &f->s;
    uint32_t rule;
    if (scan_take(s, '"')) return read_literal(f, out, err);
    if (scan_take(s, '[')) return read_class(f, out, err);
    if (scan_take(s, '.')) {
        *out = expr_class(f->b, NULL, 0, true, false);
        return HEARTH_OK;
    }
    if (scan_take(s, '(')) {
        HEARTH_TRY(read_choice(f, depth + 1, out, err));
        return scan_take(s, ')') ? HEARTH_OK : scan_fail(s, "')'", err);
    }
    if (scan_peek(s) == '<') return scan_fail(s, "text (tokens by number are not supported)", err);
    HEARTH_TRY(find_rule(f, read_name(s), &rule, err));
    *out = expr_rule(f->b, rule);
    return HEARTH_OK;
}

static hearth_status read_repeat(gbnf *f, gram_expr **x, hearth_err *err)
{
    for (;;) {
        uint32_t least, most;
        bool found;
        skip_blank(&f->s);
        HEARTH_TRY(scan_repeat(&f->s, &least, &most, &found, err));
        if (!found) return HEARTH_OK;
        *x = expr_repeat(f->b, *x, least, most);
    }
}

static bool begins_item(const gram_scan *s)
{
    int c = scan_peek(s);
    if (is_name(c)) return !begins_rule(s);
    return c == '"' || c == '[' || c == '.' || c == '(' || c == '<';
}

static hearth_status read_choice(gbnf *f, int depth, gram_expr **out, hearth_err *err)
{
    if (depth > LIMIT_GRAM_NESTING) return scan_fail(&f->s, "at most 64 nested parentheses", err);
    gram_expr *choice = expr_new(f->b, EXPR_ALT);
    do {
        gram_expr *sequence = expr_new(f->b, EXPR_SEQ), *item = NULL;
        for (skip_blank(&f->s); begins_item(&f->s); skip_blank(&f->s)) {
            HEARTH_TRY(read_item(f, depth, &item, err));
            HEARTH_TRY(read_repeat(f, &item, err));
            expr_add(f->b, sequence, item);
        }
        expr_add(f->b, choice, sequence);
    } while (scan_take(&f->s, '|'));
    *out = choice;
    return HEARTH_OK;
}

static hearth_status read_rules(gbnf *f, hearth_err *err)
{
    for (skip_blank(&f->s); scan_peek(&f->s) >= 0; skip_blank(&f->s)) {
        if (!begins_rule(&f->s)) return scan_fail(&f->s, "'name ::='", err);
        str name = read_name(&f->s);
        uint32_t rule;
        gram_expr *x = NULL;
        skip_blank(&f->s);
        scan_take_all(&f->s, "::=");
        HEARTH_TRY(find_rule(f, name, &rule, err));
        HEARTH_TRY(build_status(f->b, err));
        if (f->b->rule[rule])
            return err_fail(err, HEARTH_E_ARG, "grammar: two rules '%.*s'", STR_ARG(name));
        HEARTH_TRY(read_choice(f, 0, &x, err));
        build_define(f->b, rule, x);
        HEARTH_TRY(build_status(f->b, err));
    }
    for (uint32_t i = 0; i < f->b->g->n_rule; i++)
        if (!f->b->rule[i])
            return err_fail(err, HEARTH_E_ARG, "grammar: no rule '%.*s'", STR_ARG(f->b->name[i]));
    return HEARTH_OK;
}

hearth_status gbnf_read(gram_build *b, str text, uint32_t root, hearth_err *err)
{
    gbnf f = {.b = b, .s = {.text = text, .what = "grammar"}};
    map_init(&f.names, MEM_MISC);
    HEARTH_TRY(build_status(b, err));
    hearth_status status = map_put(&f.names, STR("root"), root, NULL);
    status = status == HEARTH_OK ? read_rules(&f, err)
                                 : err_fail(err, status, "grammar: out of memory");
    map_release(&f.names);
    return status;
}
