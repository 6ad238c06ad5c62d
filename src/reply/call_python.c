// Calls as expressions, which one reader of values turns into JSON.
//
//   [f(a=1, b="x", c=[True, None]), g()]         LFM2, Llama 4
//   print(f(a='x'))                              Gemma's tool_code
//   f.call(a="x")                                Llama 3's built-in tools
//   call:f{a:1,b:<|"|>x<|"|>,c:{k:[1,2]}}        Gemma 4: keys without quotes, one kind of quote
//
// Literals only: a value that would have to be computed makes the whole no call.
#include <string.h>

#include "base/json.h"
#include "reply/reply_int.h"

typedef struct scan {
    str s;
    size_t at;
    buf *out;      // JSON
    int depth;
    bool is_gemma;
} scan;

static void skip_space(scan *c) { c->at = json_skip_space(c->s, c->at); }

static bool take_char(scan *c, char x)
{
    skip_space(c);
    if (c->at >= c->s.n || c->s.p[c->at] != x) return false;
    c->at++;
    return true;
}

static bool take_text(scan *c, str text)
{
    skip_space(c);
    if (!str_starts((str){c->s.p + c->at, c->s.n - c->at}, text)) return false;
    c->at += text.n;
    return true;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '+' || (unsigned char)c >= 0x80;
}

static str take_word(scan *c)
{
    skip_space(c);
    size_t from = c->at;
    while (c->at < c->s.n && is_word(c->s.p[c->at])) c->at++;
    return (str){c->s.p + from, c->at - from};
}

static void write_string(buf *out, str s)
{
    json_writer w;
    json_write_init(&w, out);
    json_write_string(&w, s);
}

// --- strings ------------------------------------------------------------------------------------

static bool read_hex(scan *c, size_t n, uint32_t *cp)
{
    *cp = 0;
    if (c->s.n - c->at < n) return false;
    for (size_t i = 0; i < n; i++) {
        char x = c->s.p[c->at++];
        int digit = x >= '0' && x <= '9'   ? x - '0'
                    : x >= 'a' && x <= 'f' ? x - 'a' + 10
                    : x >= 'A' && x <= 'F' ? x - 'A' + 10
                                           : -1;
        if (digit < 0) return false;
        *cp = *cp * 16 + (uint32_t)digit;
    }
    return *cp <= 0x10FFFF && (*cp < 0xD800 || *cp > 0xDFFF);
}

// Behind a backslash. Python keeps one that means nothing.
static bool read_escape(scan *c, buf *text)
{
    static const char from[] = "nrtbfav0\\'\"\n", to[] = "\n\r\t\b\f\a\v\0\\'\"\n";
    char x = c->s.p[c->at++];
    const char *known = x ? strchr(from, x) : NULL;
    if (known && x == '\n') return true;
    if (known) {
        buf_append_char(text, to[known - from]);
        return true;
    }
    uint32_t cp;
    char utf8[4];
    if (x == 'x' || x == 'u' || x == 'U') {
        if (!read_hex(c, x == 'x' ? 2 : x == 'u' ? 4 : 8, &cp)) return false;
        buf_append(text, utf8, utf8_encode(cp, utf8));
        return true;
    }
    buf_append_char(text, '\\');
    buf_append_char(text, x);
    return true;
}

static body_verdict take_string(scan *c)
{
    char quote = c->s.p[c->at++];
    buf text;
    body_verdict v = BODY_MORE;
    buf_init(&text, MEM_MISC, LIMIT_REPLY_BODY);
    while (v == BODY_MORE && c->at < c->s.n) {
        char x = c->s.p[c->at++];
        if (x == quote) v = BODY_OK;
        else if (x != '\\') buf_append_char(&text, x);
        else if (c->at < c->s.n && !read_escape(c, &text)) v = BODY_BAD;
    }
    if (text.failed != HEARTH_OK) v = BODY_BAD;
    if (v == BODY_OK) write_string(c->out, buf_str(&text));
    buf_release(&text);
    return v;
}

static body_verdict take_gemma_string(scan *c)
{
    static const str quote = STR_INIT("<|\"|>");
    size_t end = str_find(c->s, quote, c->at);
    if (end == SIZE_MAX) return BODY_MORE;
    write_string(c->out, (str){c->s.p + c->at, end - c->at});
    c->at = end + quote.n;
    return BODY_OK;
}

// --- values -------------------------------------------------------------------------------------

static body_verdict take_value(scan *c);

static body_verdict take_key(scan *c)
{
    skip_space(c);
    if (c->at < c->s.n && (c->s.p[c->at] == '"' || c->s.p[c->at] == '\'')) return take_string(c);
    if (!c->is_gemma) return BODY_BAD;
    if (take_text(c, STR("<|\"|>"))) return take_gemma_string(c);
    size_t from = c->at;
    while (c->at < c->s.n && c->s.p[c->at] != ':' && c->s.p[c->at] != '}') c->at++;
    write_string(c->out, str_trim((str){c->s.p + from, c->at - from}));
    return BODY_OK;
}

// Items up to `close`, with keys where `open` is a brace. The opening character has been read.
static body_verdict take_items(scan *c, char open, char close)
{
    bool has_keys = open == '{';
    buf_append_char(c->out, has_keys ? '{' : '[');
    for (bool first = true; !take_char(c, close); first = false) {
        if (!first && !take_char(c, ',')) return c->at >= c->s.n ? BODY_MORE : BODY_BAD;
        if (!first && take_char(c, close)) break; // a comma behind the last item
        if (!first) buf_append_str(c->out, STR(", "));
        body_verdict v = has_keys ? take_key(c) : BODY_OK;
        if (v != BODY_OK) return v;
        if (has_keys && !take_char(c, ':')) return c->at >= c->s.n ? BODY_MORE : BODY_BAD;
        if (has_keys) buf_append_str(c->out, STR(": "));
        v = take_value(c);
        if (v != BODY_OK) return v;
    }
    buf_append_char(c->out, has_keys ? '}' : ']');
    return BODY_OK;
}

static body_verdict take_plain(scan *c)
{
    static const struct { const char *from, *to; } words[] = {
        {"True", "true"}, {"False", "false"}, {"None", "null"}, {"true", "true"},
        {"false", "false"}, {"null", "null"},
    };
    str word = take_word(c);
    for (size_t i = 0; i < COUNTOF(words); i++) {
        if (!str_eq_z(word, words[i].from)) continue;
        buf_append_str(c->out, str_from(words[i].to));
        return BODY_OK;
    }
    if (word.n == 0 || !json_is_valid(word)) return c->at >= c->s.n ? BODY_MORE : BODY_BAD;
    buf_append_str(c->out, word);
    return BODY_OK;
}

static body_verdict take_value(scan *c)
{
    skip_space(c);
    if (c->at >= c->s.n) return BODY_MORE;
    if (c->depth >= LIMIT_JSON_DEPTH) return BODY_BAD;
    if (c->is_gemma && take_text(c, STR("<|\"|>"))) return take_gemma_string(c);
    char x = c->s.p[c->at];
    if (x == '"' || x == '\'') return take_string(c);
    if (x != '[' && x != '{' && x != '(') return take_plain(c);
    c->at++;
    c->depth++;
    body_verdict v = take_items(c, x, x == '[' ? ']' : x == '{' ? '}' : ')');
    c->depth--;
    return v;
}

bool call_write_literal(str s, buf *out)
{
    scan c = {.s = str_trim(s), .out = out};
    size_t before = out->n;
    if (take_value(&c) == BODY_OK && c.at == c.s.n) return true;
    out->n = before;
    return false;
}

// --- calls --------------------------------------------------------------------------------------

// a=1, b="x") as an object.
static body_verdict take_arguments(scan *c)
{
    buf_append_char(c->out, '{');
    for (bool first = true; !take_char(c, ')'); first = false) {
        if (!first && !take_char(c, ',')) return c->at >= c->s.n ? BODY_MORE : BODY_BAD;
        if (!first && take_char(c, ')')) break;
        if (!first) buf_append_str(c->out, STR(", "));
        str name = take_word(c);
        if (c->at >= c->s.n) return BODY_MORE;
        if (name.n == 0 || !take_char(c, '=')) return BODY_BAD;
        write_string(c->out, name);
        buf_append_str(c->out, STR(": "));
        body_verdict v = take_value(c);
        if (v != BODY_OK) return v;
    }
    buf_append_char(c->out, '}');
    return BODY_OK;
}

static body_verdict take_call(reply_reader *r, scan *c)
{
    static const str suffix = STR_INIT(".call");
    buf_reset(&r->args);
    str name = take_word(c);
    if (name.n == 0 || !take_char(c, '(')) return c->at >= c->s.n ? BODY_MORE : BODY_BAD;
    if (str_eq_z(name, "print")) {
        body_verdict v = take_call(r, c);
        return v == BODY_OK && !take_char(c, ')') ? BODY_MORE : v;
    }
    if (str_ends(name, suffix)) name.n -= suffix.n;
    body_verdict v = take_arguments(c);
    if (v != BODY_OK) return v;
    if (r->args.failed != HEARTH_OK) return BODY_BAD;
    return reply_add_call(r, STR(""), name, buf_str(&r->args));
}

body_verdict call_parse_python(reply_reader *r, const reply_tag *tag, str body)
{
    (void)tag;
    scan c = {.s = str_trim(body), .out = &r->args};
    bool is_list = take_char(&c, '[');
    for (bool first = true; c.at < c.s.n; first = false) {
        if (is_list && take_char(&c, ']')) break;
        if (!first && !take_char(&c, is_list ? ',' : ';') && is_list) return BODY_BAD;
        body_verdict v = take_call(r, &c);
        if (v != BODY_OK) return v;
        skip_space(&c);
    }
    skip_space(&c);
    if (is_list && c.s.p[c.at - 1] != ']') return BODY_MORE;
    return c.at == c.s.n ? BODY_OK : BODY_BAD;
}

body_verdict call_likely_python(str text)
{
    scan c = {.s = text, .at = 1};
    str name = take_word(&c);
    if (c.at >= text.n) return name.n <= LIMIT_REPLY_NAME ? BODY_MORE : BODY_BAD;
    return name.n > 0 && text.p[c.at] == '(' ? BODY_OK : BODY_BAD;
}

body_verdict call_parse_gemma(reply_reader *r, const reply_tag *tag, str body)
{
    scan c = {.s = str_trim(body), .out = &r->args, .is_gemma = true};
    while (c.at < c.s.n) {
        if (!take_text(&c, STR("call:"))) return BODY_BAD;
        const char *brace = memchr(c.s.p + c.at, '{', c.s.n - c.at);
        if (!brace) return BODY_MORE;
        str name = {c.s.p + c.at, (size_t)(brace - (c.s.p + c.at))};
        buf_reset(&r->args);
        c.at += name.n + 1;
        body_verdict v = take_items(&c, '{', '}');
        if (v == BODY_OK && r->args.failed != HEARTH_OK) v = BODY_BAD;
        if (v == BODY_OK) v = reply_add_call(r, STR(""), name, buf_str(&r->args));
        if (v != BODY_OK) return v;
        skip_space(&c);
        while (take_text(&c, tag->close) || take_text(&c, tag->open)) skip_space(&c);
    }
    return BODY_OK;
}
