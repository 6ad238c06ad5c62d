// Template text to tokens.
//
// Outside of tags everything is data; "{{", "{%" and "{#" begin a tag. White space around tags:
//
//   text {%- ... -%} text      "-" takes all white space on its side
//   "   {% ... %}\n"           blanks between the line's beginning and a tag or comment go
//                              (lstrip_blocks), so does one newline after it (trim_blocks);
//   "   {%+ ... +%}\n"         "+" keeps them. Neither happens around {{ }}, only "-" works there.
//
// The end of a tag counts only where brackets are balanced: {{ {"a": {}} }} is one tag.
// One newline at the end of the template is dropped; \r\n and \r are newlines.
#include <string.h>

#include "tmpl/tmpl_int.h"

typedef struct lexer {
    arena *mem;
    str src;
    size_t at;
    int line;
    bool line_starts;  // what came before ended in a newline, or nothing came before
    tokens *out;
    char open[LIMIT_TMPL_NESTING];
    int n_open;
    hearth_err *err;
} lexer;

#define LEX_FAIL(x, ...) lex_fail(x, HEARTH_E_FORMAT, __VA_ARGS__)
#define lex_fail(x, status, what) \
    err_fail((x)->err, status, "template line %d: %s", (x)->line, what)

static hearth_status add_token(lexer *x, tk kind, str text, token **added)
{
    tokens *o = x->out;
    if (o->n == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 64;
        token *t = arena_new(x->mem, token, cap);
        if (!t) return lex_fail(x, HEARTH_E_LIMIT, "the template is too long");
        if (o->n > 0) memcpy(t, o->t, o->n * sizeof *t);
        o->t = t;
        o->cap = cap;
    }
    o->t[o->n] = (token){.kind = kind, .line = x->line, .text = text};
    if (added) *added = &o->t[o->n];
    o->n++;
    return HEARTH_OK;
}

// Moves on by n bytes and counts lines.
static void advance(lexer *x, size_t n)
{
    for (size_t i = 0; i < n; i++) x->line += x->src.p[x->at + i] == '\n';
    if (n > 0) x->line_starts = x->src.p[x->at + n - 1] == '\n';
    x->at += n;
}

static bool at_text(const lexer *x, size_t at, const char *z)
{
    size_t n = strlen(z);
    return n <= x->src.n - at && memcmp(x->src.p + at, z, n) == 0;
}

static size_t skip_space(const lexer *x, size_t at)
{
    while (at < x->src.n) {
        uint32_t cp;
        size_t n = utf8_decode(x->src.p + at, x->src.n - at, &cp);
        if (!is_space(cp)) break;
        at += n;
    }
    return at;
}

// The length of a tag's end at `at`, with the white space that it takes; 0: none there.
static size_t match_end(const lexer *x, size_t at, char c, bool trims)
{
    char end[] = {c, '}', 0};
    if (at >= x->src.n) return 0;
    bool minus = x->src.p[at] == '-', plus = x->src.p[at] == '+' && trims;
    size_t i = at + (minus || plus);
    if (!at_text(x, i, end)) return 0;
    i += 2;
    if (minus) i = skip_space(x, i);
    else if (!plus && trims && i < x->src.n && x->src.p[i] == '\n') i++;
    return i - at;
}

// Data from x->at to `to`, less what the tag there takes of it.
static hearth_status add_data(lexer *x, size_t to, char sign, bool strips_line)
{
    str s = {x->src.p + x->at, to - x->at};
    size_t from, n = s.n;
    if (sign == '-') {
        text_trim(s, NULL, false, true, &from, &n);
    } else if (sign != '+' && strips_line) {
        size_t begin = s.n;
        while (begin > 0 && s.p[begin - 1] != '\n') begin--;
        str rest = {s.p + begin, s.n - begin};
        text_trim(rest, NULL, true, false, &from, &n);
        n = n == 0 && (begin > 0 || x->line_starts) ? begin : s.n;
    }
    if (n > 0) HEARTH_TRY(add_token(x, TK_DATA, (str){s.p, n}, NULL));
    advance(x, s.n);
    return HEARTH_OK;
}

// "{% raw %}": the length of the tag at `at`, 0: another one. `word` is raw or endraw.
static size_t match_raw(const lexer *x, size_t at, const char *word, bool trims)
{
    size_t i = at + 2;
    if (!at_text(x, at, "{%")) return 0;
    if (i < x->src.n && (x->src.p[i] == '-' || x->src.p[i] == '+')) i++;
    i = skip_space(x, i);
    if (!at_text(x, i, word)) return 0;
    i = skip_space(x, i + strlen(word));
    if (!trims && at_text(x, i, "%}")) return i + 2 - at;
    if (!trims && !at_text(x, i, "-%}")) return 0;
    size_t end = match_end(x, i, '%', trims);
    return end ? i + end - at : 0;
}

static char sign_at(const lexer *x, size_t at)
{
    return at < x->src.n ? x->src.p[at] : 0;
}

static hearth_status lex_raw(lexer *x, size_t begin)
{
    advance(x, begin);
    for (size_t i = x->at; i < x->src.n; i++) {
        size_t end = x->src.p[i] == '{' ? match_raw(x, i, "endraw", true) : 0;
        if (end == 0) continue;
        HEARTH_TRY(add_data(x, i, sign_at(x, i + 2), true));
        advance(x, end);
        return HEARTH_OK;
    }
    return LEX_FAIL(x, "expected {% endraw %} before the end of the template");
}

static hearth_status lex_comment(lexer *x)
{
    char sign = sign_at(x, x->at + 2);
    size_t from = x->at + 2 + (sign == '-' || sign == '+');
    size_t i = str_find(x->src, STR("#}"), from);
    if (i == SIZE_MAX) return LEX_FAIL(x, "expected #} before the end of the template");
    if (i > from && (x->src.p[i - 1] == '-' || x->src.p[i - 1] == '+')) i--;
    advance(x, i - x->at + match_end(x, i, '#', true));
    return HEARTH_OK;
}

// --- inside of tags -----------------------------------------------------------------------------

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_name_char(char c)
{
    return is_digit(c) || c == '_' || (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static size_t count_digits(const lexer *x, size_t at)
{
    size_t i = at;
    while (i < x->src.n && (is_digit(x->src.p[i]) || (i > at && x->src.p[i] == '_'))) i++;
    return i - at;
}

// Digits, then perhaps a fraction and an exponent; underscores do not count.
static hearth_status lex_number(lexer *x)
{
    char digits[64];
    size_t n = count_digits(x, x->at), k = 0;
    bool real = false;
    if (sign_at(x, x->at + n) == '.' && is_digit(sign_at(x, x->at + n + 1))) {
        n += 1 + count_digits(x, x->at + n + 1);
        real = true;
    }
    if ((sign_at(x, x->at + n) | 32) == 'e') {
        char sign = sign_at(x, x->at + n + 1);
        size_t skip = 1 + (sign == '+' || sign == '-');
        size_t more = count_digits(x, x->at + n + skip);
        if (more > 0) n += skip + more;
        real |= more > 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (x->src.p[x->at + i] == '_') continue;
        if (k == sizeof digits) return LEX_FAIL(x, "a number is too long");
        digits[k++] = x->src.p[x->at + i];
    }
    token *t;
    HEARTH_TRY(add_token(x, real ? TK_FLOAT : TK_INT, (str){x->src.p + x->at, n}, &t));
    str s = {digits, k};
    bool ok = real ? str_parse_f64(s, &t->f) : str_parse_i64(s, &t->i);
    if (!ok) return LEX_FAIL(x, "a number is out of range");
    advance(x, n);
    return HEARTH_OK;
}

static int hex_digit(char c)
{
    if (is_digit(c)) return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// \xHH, \uHHHH, \UHHHHHHHH: n digits at s.p[at].
static hearth_status read_hex(lexer *x, str s, size_t at, size_t n, char out[4], size_t *used)
{
    uint32_t cp = 0;
    for (size_t i = 0; i < n; i++) {
        int d = at + i < s.n ? hex_digit(s.p[at + i]) : -1;
        if (d < 0) return LEX_FAIL(x, "a \\x or \\u in a string lacks hexadecimal digits");
        cp = cp << 4 | (uint32_t)d;
    }
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) {
        return LEX_FAIL(x, "a \\u in a string is no character");
    }
    *used = utf8_encode(cp, out);
    return HEARTH_OK;
}

// One escape of a string at s.p[*at] (after the backslash).
static hearth_status unescape(lexer *x, str s, size_t *at, char *out, size_t *n)
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    char c = s.p[*at], four[4];
    const char *plain = c ? strchr(from, c) : NULL;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, used = 0;
    ++*at;
    if (plain) {
        out[(*n)++] = to[plain - from];
    } else if (digits > 0) {
        HEARTH_TRY(read_hex(x, s, *at, digits, four, &used));
        memcpy(out + *n, four, used); // never longer than the escape
        *n += used;
        *at += digits;
    } else if (c >= '0' && c <= '7') {
        uint32_t v = 0;
        --*at;
        for (int i = 0; i < 3 && *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '7'; i++) {
            v = v * 8 + (uint32_t)(s.p[(*at)++] - '0');
        }
        *n += utf8_encode(v, four);
        memcpy(out + *n - (v < 0x80 ? 1 : 2), four, v < 0x80 ? 1 : 2);
    } else if (c != '\n') { // a backslash that means nothing stays
        out[(*n)++] = '\\';
        out[(*n)++] = c;
    }
    return HEARTH_OK;
}

static hearth_status lex_string(lexer *x)
{
    char quote = x->src.p[x->at];
    size_t end = x->at + 1;
    while (end < x->src.n && x->src.p[end] != quote) end += x->src.p[end] == '\\' ? 2 : 1;
    if (end >= x->src.n) return LEX_FAIL(x, "a string does not end");
    str s = {x->src.p + x->at + 1, end - x->at - 1};
    char *out = arena_new(x->mem, char, s.n);
    if (!out) return lex_fail(x, HEARTH_E_LIMIT, "the template is too long");
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] != '\\') {
            out[n++] = s.p[i++];
            continue;
        }
        i++;
        HEARTH_TRY(unescape(x, s, &i, out, &n));
    }
    HEARTH_TRY(add_token(x, TK_STRING, (str){out, n}, NULL));
    advance(x, s.n + 2);
    return HEARTH_OK;
}

static hearth_status track_bracket(lexer *x, char c)
{
    const char *open = "([{", *close = ")]}", *at;
    if ((at = strchr(open, c))) {
        if (x->n_open == LIMIT_TMPL_NESTING) return LEX_FAIL(x, "brackets are nested too deeply");
        x->open[x->n_open++] = close[at - open];
    } else if (strchr(close, c) && (x->n_open == 0 || x->open[--x->n_open] != c)) {
        return LEX_FAIL(x, "a closing bracket does not match");
    }
    return HEARTH_OK;
}

static hearth_status lex_operator(lexer *x)
{
    static const struct { const char *z; tk kind; } rows[] = { // longer ones first
        {"//", TK_FLOORDIV}, {"**", TK_POW}, {"==", TK_EQ}, {"!=", TK_NE}, {"<=", TK_LE},
        {">=", TK_GE}, {"+", TK_ADD}, {"-", TK_SUB}, {"*", TK_MUL}, {"/", TK_DIV},
        {"%", TK_MOD}, {"~", TK_TILDE}, {"<", TK_LT}, {">", TK_GT}, {"=", TK_ASSIGN},
        {".", TK_DOT}, {":", TK_COLON}, {"|", TK_PIPE}, {",", TK_COMMA}, {";", TK_SEMICOLON},
        {"(", TK_LPAREN}, {")", TK_RPAREN}, {"[", TK_LBRACKET}, {"]", TK_RBRACKET},
        {"{", TK_LBRACE}, {"}", TK_RBRACE},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (!at_text(x, x->at, rows[i].z)) continue;
        HEARTH_TRY(track_bracket(x, rows[i].z[0]));
        HEARTH_TRY(add_token(x, rows[i].kind, str_from(rows[i].z), NULL));
        advance(x, strlen(rows[i].z));
        return HEARTH_OK;
    }
    return LEX_FAIL(x, "a character that begins nothing");
}

static hearth_status lex_name(lexer *x)
{
    size_t n = 0;
    while (x->at + n < x->src.n && is_name_char(x->src.p[x->at + n])) n++;
    HEARTH_TRY(add_token(x, TK_NAME, (str){x->src.p + x->at, n}, NULL));
    advance(x, n);
    return HEARTH_OK;
}

// From "{%" or "{{" to the end of the tag.
static hearth_status lex_tag(lexer *x, bool is_block)
{
    char sign = sign_at(x, x->at + 2);
    HEARTH_TRY(add_token(x, is_block ? TK_TAG_BEGIN : TK_PRINT_BEGIN, STR(""), NULL));
    advance(x, 2 + (sign == '-' || sign == '+'));
    x->n_open = 0;
    for (;;) {
        advance(x, skip_space(x, x->at) - x->at);
        if (x->at >= x->src.n) return LEX_FAIL(x, "a tag does not end");
        size_t end = x->n_open ? 0 : match_end(x, x->at, is_block ? '%' : '}', is_block);
        if (end > 0) {
            HEARTH_TRY(add_token(x, is_block ? TK_TAG_END : TK_PRINT_END, STR(""), NULL));
            advance(x, end);
            return HEARTH_OK;
        }
        char c = x->src.p[x->at];
        if (is_digit(c)) HEARTH_TRY(lex_number(x));
        else if (c == '"' || c == '\'') HEARTH_TRY(lex_string(x));
        else if (is_name_char(c)) HEARTH_TRY(lex_name(x));
        else HEARTH_TRY(lex_operator(x));
    }
}

// The next "{{", "{%" or "{#".
static size_t find_tag(const lexer *x)
{
    for (size_t i = x->at; i + 1 < x->src.n; i++) {
        char c = x->src.p[i + 1];
        if (x->src.p[i] == '{' && (c == '{' || c == '%' || c == '#')) return i;
    }
    return SIZE_MAX;
}

static hearth_status lex_all(lexer *x)
{
    for (size_t tag; (tag = find_tag(x)) != SIZE_MAX;) {
        char what = x->src.p[tag + 1];
        HEARTH_TRY(add_data(x, tag, sign_at(x, tag + 2), what != '{'));
        size_t raw = match_raw(x, x->at, "raw", false);
        if (raw > 0) HEARTH_TRY(lex_raw(x, raw));
        else if (what == '#') HEARTH_TRY(lex_comment(x));
        else HEARTH_TRY(lex_tag(x, what == '%'));
    }
    HEARTH_TRY(add_data(x, x->src.n, '+', false));
    return add_token(x, TK_END, STR(""), NULL);
}

// A copy with \n for every kind of newline and without the last one.
static char *copy_source(arena *mem, str s, size_t *n)
{
    char *p = arena_new(mem, char, s.n);
    size_t k = 0;
    for (size_t i = 0; p && i < s.n; i++) {
        if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') continue;
        p[k++] = s.p[i] == '\r' ? '\n' : s.p[i];
    }
    if (k > 0 && p[k - 1] == '\n') k--;
    *n = k;
    return p;
}

hearth_status lex_template(arena *mem, str source, tokens *out, hearth_err *err)
{
    lexer x = {.mem = mem, .line = 1, .line_starts = true, .out = out, .err = err};
    *out = (tokens){0};
    x.src.p = copy_source(mem, source, &x.src.n);
    if (!x.src.p) return err_fail(err, HEARTH_E_NOMEM, "out of memory for a template");
    return lex_all(&x);
}
