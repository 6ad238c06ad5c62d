// Regular expressions, the common part of ECMAScript, Perl and Python.
//
//   literals, .  [a-z]  [^a-z]  |  ( )  (?: )  (?<name> )  * + ? {n} {n,} {n,m}, also lazy
//   \d \D \w \W \s \S   \n \r \t \f \v \0   \xHH \uHHHH \u{H..} \cX, \ before a sign
//   ^ and $ at the ends of the whole expression or of its alternatives
//
// \d and \w are of ASCII, as in ECMAScript. What looks around (\b, (?= )), repeats what was matched
// (\1), or depends on Unicode's properties (\p) is refused by name. An expression matches the whole
// text, or as a search, where each alternative without ^ or $ goes on with anything at that end.
#include <string.h>

#include "gram/scan.h"

typedef struct regex {
    gram_build *b;
    gram_scan s;
    bool is_search, in_json;
} regex;

typedef struct class_list { gram_range r[SCAN_RANGES]; uint32_t n; } class_list;

static const gram_range digit_class[] = {{'0', '9'}};
static const gram_range word_class[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const gram_range space_class[] = {
    {'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029},
    {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
};
static const gram_range line_class[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

static bool find_named_class(int c, const gram_range **r, uint32_t *n)
{
    switch (c | 0x20) {
    case 'd': *r = digit_class; *n = COUNTOF(digit_class); return true;
    case 'w': *r = word_class; *n = COUNTOF(word_class); return true;
    case 's': *r = space_class; *n = COUNTOF(space_class); return true;
    }
    return false;
}

static hearth_status add_range(regex *x, class_list *list, gram_range r, hearth_err *err)
{
    if (list->n == COUNTOF(list->r)) return scan_fail(&x->s, "at most 256 parts of a class", err);
    list->r[list->n++] = r;
    return HEARTH_OK;
}

static hearth_status add_named(regex *x, class_list *list, int c, hearth_err *err)
{
    const gram_range *r;
    uint32_t n, at = 0;
    if (!find_named_class(c, &r, &n)) return HEARTH_OK;
    for (uint32_t i = 0; i < n && c >= 'a'; i++) HEARTH_TRY(add_range(x, list, r[i], err));
    for (uint32_t i = 0; i < n && c < 'a'; at = r[i++].hi + 1)
        if (r[i].lo > at) HEARTH_TRY(add_range(x, list, (gram_range){at, r[i].lo - 1}, err));
    return c < 'a' ? add_range(x, list, (gram_range){at, 0x10FFFF}, err) : HEARTH_OK;
}

static hearth_status read_braced_hex(gram_scan *s, uint32_t *cp, hearth_err *err)
{
    int n = 0;
    while (n < 7 && scan_peek_at(s, (size_t)n) >= 0 && scan_peek_at(s, (size_t)n) != '}') n++;
    HEARTH_TRY(scan_hex(s, n, cp, err));
    return scan_take(s, '}') ? HEARTH_OK : scan_fail(s, "'}'", err);
}

// After the backslash: one character.
static hearth_status read_escape(gram_scan *s, uint32_t *cp, hearth_err *err)
{
    static const char from[] = "nrtfv0", to[] = "\n\r\t\f\v";
    int c = scan_peek(s);
    const char *hit = c > 0 ? strchr(from, c) : NULL;
    if (hit) {
        s->at++;
        *cp = (uint8_t)to[hit - from];
        return HEARTH_OK;
    }
    if (c == 'c') {
        int letter = scan_peek_at(s, 1) | 0x20;
        if (letter < 'a' || letter > 'z') return scan_fail(s, "a letter after \\c", err);
        s->at += 2;
        *cp = (uint32_t)letter & 31;
        return HEARTH_OK;
    }
    if (scan_take_all(s, "u{")) return read_braced_hex(s, cp, err);
    if (scan_take(s, 'x')) return scan_hex(s, 2, cp, err);
    if (scan_take(s, 'u')) return scan_hex(s, 4, cp, err);
    bool is_sign = c > 0x20 && c < 0x7F && !(c >= '0' && c <= '9') &&
                   !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (!is_sign && c != ' ')
        return scan_fail(s, "an escape that is supported (not \\b, \\B, \\p, \\1)", err);
    return scan_char(s, cp, err);
}

// --- classes ------------------------------------------------------------------------------------

// A character, or *named: a class of several.
static hearth_status read_class_part(regex *x, uint32_t *cp, int *named, hearth_err *err)
{
    const gram_range *r;
    uint32_t n;
    *named = 0;
    if (!scan_take(&x->s, '\\')) return scan_char(&x->s, cp, err);
    int c = scan_peek(&x->s);
    if (c > 0 && find_named_class(c, &r, &n)) {
        *named = c;
        x->s.at++;
        return HEARTH_OK;
    }
    if (scan_take(&x->s, 'b')) {
        *cp = '\b';
        return HEARTH_OK;
    }
    return read_escape(&x->s, cp, err);
}

static hearth_status read_class(regex *x, gram_expr **out, hearth_err *err)
{
    class_list list = {.n = 0};
    bool not = scan_take(&x->s, '^');
    while (!scan_take(&x->s, ']')) {
        gram_range r = {0, 0};
        int named, named_end = 0;
        HEARTH_TRY(read_class_part(x, &r.lo, &named, err));
        if (named) {
            HEARTH_TRY(add_named(x, &list, named, err));
            continue;
        }
        r.hi = r.lo;
        bool is_range = scan_peek(&x->s) == '-' && scan_peek_at(&x->s, 1) != ']';
        if (is_range) {
            x->s.at++;
            HEARTH_TRY(read_class_part(x, &r.hi, &named_end, err));
        }
        if (named_end || r.hi < r.lo) return scan_fail(&x->s, "a range that ascends", err);
        HEARTH_TRY(add_range(x, &list, r, err));
    }
    *out = expr_class(x->b, list.r, list.n, not, x->in_json);
    return HEARTH_OK;
}

// --- expressions --------------------------------------------------------------------------------

static hearth_status read_choice(regex *x, int depth, gram_expr **out, hearth_err *err);

static hearth_status read_group(regex *x, int depth, gram_expr **out, hearth_err *err)
{
    gram_scan *s = &x->s;
    if (scan_take(s, '?')) {
        int second = scan_peek_at(s, 1);
        bool is_name = scan_take_all(s, "P<") ||
                       (second != '=' && second != '!' && scan_take(s, '<'));
        if (!is_name && !scan_take(s, ':'))
            return scan_fail(s, "a plain group (looking around is not supported)", err);
        while (is_name && !scan_take(s, '>')) {
            if (scan_peek(s) < 0) return scan_fail(s, "'>'", err);
            s->at++;
        }
    }
    HEARTH_TRY(read_choice(x, depth + 1, out, err));
    return scan_take(s, ')') ? HEARTH_OK : scan_fail(s, "')'", err);
}

static gram_expr *make_class(regex *x, const gram_range *r, uint32_t n, bool not)
{
    return expr_class(x->b, r, n, not, x->in_json);
}

static hearth_status read_item(regex *x, int depth, gram_expr **out, hearth_err *err)
{
    gram_scan *s = &x->s;
    gram_range one;
    const gram_range *named;
    uint32_t n;
    if (scan_take(s, '(')) return read_group(x, depth, out, err);
    if (scan_take(s, '[')) return read_class(x, out, err);
    if (scan_take(s, '.')) {
        *out = make_class(x, line_class, COUNTOF(line_class), true);
        return HEARTH_OK;
    }
    int c = scan_peek(s), second = scan_peek_at(s, 1);
    if (c == '^' || c == '$')
        return scan_fail(s, "'^' and '$' only at the ends of the expression", err);
    if (c == '*' || c == '+' || c == '?') return scan_fail(s, "something to repeat", err);
    if (c == '\\' && second > 0 && find_named_class(second, &named, &n)) {
        s->at += 2;
        *out = make_class(x, named, n, second < 'a');
        return HEARTH_OK;
    }
    HEARTH_TRY(scan_take(s, '\\') ? read_escape(s, &one.lo, err) : scan_char(s, &one.lo, err));
    one.hi = one.lo;
    *out = make_class(x, &one, 1, false);
    return HEARTH_OK;
}

static hearth_status read_repeated(regex *x, int depth, gram_expr **out, hearth_err *err)
{
    uint32_t least, most;
    bool found;
    HEARTH_TRY(read_item(x, depth, out, err));
    // A brace that holds no numbers is a character.
    int c = scan_peek_at(&x->s, 1);
    if (scan_peek(&x->s) == '{' && (c < '0' || c > '9')) return HEARTH_OK;
    HEARTH_TRY(scan_repeat(&x->s, &least, &most, &found, err));
    if (!found) return HEARTH_OK;
    scan_take(&x->s, '?'); // lazy: the same texts
    *out = expr_repeat(x->b, *out, least, most);
    return HEARTH_OK;
}

static bool ends_sequence(const gram_scan *s, int depth)
{
    int c = scan_peek(s);
    return c < 0 || c == '|' || (c == ')' && depth > 0) ||
           (c == '$' && depth == 0 && (scan_peek_at(s, 1) < 0 || scan_peek_at(s, 1) == '|'));
}

static gram_expr *make_anything(regex *x)
{
    return expr_repeat(x->b, make_class(x, NULL, 0, true), 0, GRAM_INF);
}

static hearth_status read_sequence(regex *x, int depth, gram_expr **out, hearth_err *err)
{
    gram_expr *sequence = expr_new(x->b, EXPR_SEQ), *item = NULL;
    bool is_open = x->is_search && depth == 0;
    bool has_begin = depth == 0 && scan_take(&x->s, '^');
    if (is_open && !has_begin) expr_add(x->b, sequence, make_anything(x));
    while (!ends_sequence(&x->s, depth)) {
        HEARTH_TRY(read_repeated(x, depth, &item, err));
        expr_add(x->b, sequence, item);
    }
    bool has_end = depth == 0 && scan_take(&x->s, '$');
    if (is_open && !has_end) expr_add(x->b, sequence, make_anything(x));
    *out = sequence;
    return HEARTH_OK;
}

static hearth_status read_choice(regex *x, int depth, gram_expr **out, hearth_err *err)
{
    if (depth > LIMIT_GRAM_NESTING) return scan_fail(&x->s, "at most 64 nested parentheses", err);
    gram_expr *choice = expr_new(x->b, EXPR_ALT), *sequence = NULL;
    do {
        HEARTH_TRY(read_sequence(x, depth, &sequence, err));
        expr_add(x->b, choice, sequence);
    } while (scan_take(&x->s, '|'));
    *out = choice;
    return HEARTH_OK;
}

hearth_status regex_read(gram_build *b, str text, bool is_search, bool in_json, gram_expr **out,
                         hearth_err *err)
{
    regex x = {.b = b, .s = {.text = text, .what = in_json ? "pattern" : "regular expression"},
               .is_search = is_search, .in_json = in_json};
    *out = expr_new(b, EXPR_SEQ);
    HEARTH_TRY(read_choice(&x, 0, out, err));
    return scan_peek(&x.s) < 0 ? HEARTH_OK : scan_fail(&x.s, "the end", err);
}
