// Calls whose parts control tokens separate: a name, perhaps an id, and a JSON object.
//
//   begin [type sep] name (sep | line, ```json) {..} [```] end     DeepSeek; V3.1 has no type
//   begin functions.name:0 args-begin {..} end                      Kimi K2
//   begin id name-mark name args-mark {..} end                      Solar
//   [TOOL_CALLS] name [CALL_ID] id [ARGS] {..}                      Mistral since 2025
//   [TOOL_CALLS] [{"name": .., "arguments": .., "id": ..}]          Mistral before
#include <string.h>

#include "reply/reply_int.h"

#define BAR "\xEF\xBD\x9C" // U+FF5C
#define LOW "\xE2\x96\x81" // U+2581

// What is before `mark` in *rest, which goes on behind it. false: no mark, nothing changes.
static bool cut_at(str *rest, str mark, str *before)
{
    size_t at = str_find(*rest, mark, 0);
    if (at == SIZE_MAX) return false;
    *before = (str){rest->p, at};
    *rest = (str){rest->p + at + mark.n, rest->n - at - mark.n};
    return true;
}

// The JSON object that *rest begins with, perhaps in a fence.
static body_verdict take_object(str *rest, str *object)
{
    static const str json_fence = STR_INIT("```json"), fence = STR_INIT("```");
    str s = str_trim(*rest);
    bool fenced = str_starts(s, json_fence);
    if (fenced) s = str_trim((str){s.p + json_fence.n, s.n - json_fence.n});
    if (s.n == 0 || s.p[0] != '{') return BODY_BAD;
    size_t end = json_find_end(s, 0);
    if (end == SIZE_MAX) return BODY_MORE;
    *object = (str){s.p, end};
    *rest = str_trim((str){s.p + end, s.n - end});
    if (fenced && str_starts(*rest, fence))
        *rest = str_trim((str){rest->p + fence.n, rest->n - fence.n});
    return BODY_OK;
}

static body_verdict parse_deepseek_call(reply_reader *r, str *rest)
{
    static const str sep = STR_INIT("<" BAR "tool" LOW "sep" BAR ">");
    static const str begin = STR_INIT("<" BAR "tool" LOW "call" LOW "begin" BAR ">");
    static const str end = STR_INIT("<" BAR "tool" LOW "call" LOW "end" BAR ">");
    str before, name, object;
    if (!cut_at(rest, begin, &before) || str_trim(before).n > 0) return BODY_BAD;
    if (!cut_at(rest, sep, &name)) return BODY_BAD;
    if (str_eq_z(str_trim(name), "function")) {
        // "name\n```json\n{": the name is the line.
        name = str_cut(rest, '\n');
    }
    body_verdict v = take_object(rest, &object);
    if (v != BODY_OK) return v;
    if (!cut_at(rest, end, &before) || before.n > 0) return BODY_BAD;
    return reply_add_call(r, STR(""), name, object);
}

body_verdict call_parse_deepseek(reply_reader *r, const reply_tag *tag, str body)
{
    (void)tag;
    for (str rest = str_trim(body); rest.n > 0; rest = str_trim(rest)) {
        body_verdict v = parse_deepseek_call(r, &rest);
        if (v != BODY_OK) return v;
    }
    return BODY_OK;
}

// "functions.name:0" is the id of a call of `name`.
static str name_of_kimi_id(str id)
{
    static const str prefix = STR_INIT("functions.");
    str name = id;
    if (str_starts(name, prefix)) name = (str){name.p + prefix.n, name.n - prefix.n};
    size_t n = name.n;
    while (n > 0 && name.p[n - 1] >= '0' && name.p[n - 1] <= '9') n--;
    if (n > 0 && n < name.n && name.p[n - 1] == ':') name.n = n - 1;
    return name;
}

static body_verdict parse_kimi_call(reply_reader *r, str *rest)
{
    str before, id, object;
    if (!cut_at(rest, STR("<|tool_call_begin|>"), &before) || str_trim(before).n > 0)
        return BODY_BAD;
    if (!cut_at(rest, STR("<|tool_call_argument_begin|>"), &id)) return BODY_BAD;
    body_verdict v = take_object(rest, &object);
    if (v != BODY_OK) return v;
    if (!cut_at(rest, STR("<|tool_call_end|>"), &before) || before.n > 0) return BODY_BAD;
    id = str_trim(id);
    return reply_add_call(r, id, name_of_kimi_id(id), object);
}

body_verdict call_parse_kimi(reply_reader *r, const reply_tag *tag, str body)
{
    (void)tag;
    for (str rest = str_trim(body); rest.n > 0; rest = str_trim(rest)) {
        body_verdict v = parse_kimi_call(r, &rest);
        if (v != BODY_OK) return v;
    }
    return BODY_OK;
}

body_verdict call_parse_solar(reply_reader *r, const reply_tag *tag, str body)
{
    (void)tag;
    str id, name, object;
    if (!cut_at(&body, STR("<|tool_call:name|>"), &id)) return BODY_BAD;
    if (!cut_at(&body, STR("<|tool_call:args|>"), &name)) return BODY_BAD;
    body_verdict v = take_object(&body, &object);
    if (v == BODY_OK && body.n > 0) v = BODY_BAD;
    return v == BODY_OK ? reply_add_call(r, id, name, object) : v;
}

static body_verdict parse_mistral_call(reply_reader *r, str *rest)
{
    str head, id = STR(""), object;
    const char *brace = rest->n ? memchr(rest->p, '{', rest->n) : NULL;
    if (!brace) return BODY_BAD;
    size_t n = (size_t)(brace - rest->p);
    head = (str){rest->p, n};
    *rest = (str){rest->p + n, rest->n - n};
    str marks = head, name;
    cut_at(&head, STR("[ARGS]"), &marks);
    if (cut_at(&marks, STR("[CALL_ID]"), &name)) id = marks;
    else name = marks;
    body_verdict v = take_object(rest, &object);
    return v == BODY_OK ? reply_add_call(r, id, name, object) : v;
}

body_verdict call_parse_mistral(reply_reader *r, const reply_tag *tag, str body)
{
    str rest = str_trim(body);
    if (rest.n > 0 && (rest.p[0] == '[' || rest.p[0] == '{')) return call_parse_json(r, tag, rest);
    while (rest.n > 0) {
        body_verdict v = parse_mistral_call(r, &rest);
        if (v != BODY_OK) return v;
        rest = str_trim(rest);
        if (str_starts(rest, tag->open))
            rest = str_trim((str){rest.p + tag->open.n, rest.n - tag->open.n});
        else if (rest.n > 0)
            return BODY_BAD;
    }
    return BODY_OK;
}
