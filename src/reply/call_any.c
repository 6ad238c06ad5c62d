// One tag, several syntaxes: "<tool_call>" holds JSON for Hermes, markup for Qwen3-Coder and names
// with keys for GLM, and models mix them up as they were trained on one another.
#include "reply/reply_int.h"

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

// f(..), print(f(..)), a.b(..)
static bool is_python(str s)
{
    size_t n = 0;
    while (n < s.n && is_word(s.p[n])) n++;
    return n > 0 && n < s.n && s.p[n] == '(';
}

body_verdict call_parse_any(reply_reader *r, const reply_tag *tag, str body)
{
    str s = str_trim(body);
    if (s.n == 0) return BODY_BAD;
    if (str_starts(s, STR("call:"))) return call_parse_gemma(r, tag, s);
    if (is_python(s)) return call_parse_python(r, tag, s);
    if (s.p[0] == '[') {
        str inner = str_trim((str){s.p + 1, s.n - 1});
        if (is_python(inner)) return call_parse_python(r, tag, s);
    }
    if (s.p[0] == '{' || s.p[0] == '[' || s.p[0] == '`') return call_parse_json(r, tag, s);
    if (s.p[0] == '<') return call_parse_markup(r, tag, s);
    return call_parse_keys(r, s);
}
