// Calls as JSON: one object, several in a row, or an array of them.
//
//   {"name": "f", "arguments": {..}}    Hermes, Qwen, Granite, Mistral, Phi ("parameters": Llama)
//   {"tool_name": "f", "parameters": {..}, "tool_call_id": "0"}            Command R
//   {"type": "function", "function": {"name": .., "arguments": "{..}"}}    what APIs look like
//   {"f": {..}}                                                            Apertus
//
// A body is cut by brackets, then proven by base/json.h, and only then are its members looked at,
// in place: what is left to do needs no error handling.
#include <string.h>

#include "base/json.h"
#include "reply/reply_int.h"

// --- JSON in place ------------------------------------------------------------------------------

size_t json_skip_space(str s, size_t at)
{
    while (at < s.n && strchr(" \n\t\r", s.p[at]) && s.p[at]) at++;
    return at;
}

static size_t find_string_end(str s, size_t at)
{
    for (size_t i = at + 1; i < s.n; i++) {
        if (s.p[i] == '\\') i++;
        else if (s.p[i] == '"') return i + 1;
    }
    return SIZE_MAX;
}

static size_t find_bracket_end(str s, size_t at)
{
    size_t depth = 0;
    for (size_t i = at; i < s.n; i++) {
        char c = s.p[i];
        if (c == '"') {
            size_t end = find_string_end(s, i);
            if (end == SIZE_MAX) return SIZE_MAX;
            i = end - 1;
        }
        if (c == '{' || c == '[') depth++;
        if ((c == '}' || c == ']') && --depth == 0) return i + 1;
    }
    return SIZE_MAX;
}

size_t json_find_end(str s, size_t at)
{
    ASSERT(at <= s.n);
    if (at == s.n) return SIZE_MAX;
    if (s.p[at] == '"') return find_string_end(s, at);
    if (s.p[at] == '{' || s.p[at] == '[') return find_bracket_end(s, at);
    size_t end = at;
    while (end < s.n && s.p[end] && !strchr(",]}: \n\t\r", s.p[end])) end++;
    return end;
}

bool json_is_valid(str s)
{
    json_reader *r = NULL;
    json_event ev = JSON_NULL;
    hearth_status status = json_open_memory(s.p, s.n, LIMIT_REPLY_BYTES, &r, NULL);
    while (status == HEARTH_OK && ev != JSON_END) status = json_next(r, &ev, NULL);
    json_close(r);
    return status == HEARTH_OK;
}

bool json_walk(str s, size_t *at, str *key, str *value)
{
    bool is_object = s.p[0] == '{';
    size_t i = json_skip_space(s, *at == 0 ? 1 : *at);
    if (i < s.n && s.p[i] == ',') i = json_skip_space(s, i + 1);
    if (i >= s.n || s.p[i] == '}' || s.p[i] == ']') return false;
    *key = (str){s.p, 0};
    if (is_object) {
        size_t end = json_find_end(s, i);
        *key = (str){s.p + i + 1, end - i - 2};
        i = json_skip_space(s, json_skip_space(s, end) + 1); // behind the colon
    }
    size_t end = json_find_end(s, i);
    *value = (str){s.p + i, end - i};
    *at = end;
    return true;
}

str json_read_string(str raw, buf *out)
{
    json_reader *r = NULL;
    json_event ev;
    buf_reset(out);
    hearth_status status = json_open_memory(raw.p, raw.n, LIMIT_REPLY_BYTES, &r, NULL);
    if (status == HEARTH_OK) status = json_next(r, &ev, NULL);
    if (status == HEARTH_OK && ev == JSON_STRING) buf_append_str(out, json_text(r));
    json_close(r);
    return buf_str(out);
}

// --- one call -----------------------------------------------------------------------------------

typedef struct members { str name, arguments, id; } members; // raw JSON; p is NULL where absent

static bool is_one_of(str key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_z(key, names[i])) return true;
    return false;
}

static members read_members(str object)
{
    static const char *const names[] = {"name", "tool_name", "function"};
    static const char *const arguments[] = {"arguments", "parameters", "args"};
    static const char *const ids[] = {"id", "tool_call_id", "call_id"};
    members m = {0};
    str key, value;
    size_t at = 0;
    while (json_walk(object, &at, &key, &value)) {
        bool inner = str_eq_z(key, "function") && value.p[0] == '{';
        if (inner) {
            members sub = {0};
            size_t i = 0;
            str k, v;
            while (json_walk(value, &i, &k, &v)) {
                if (str_eq_z(k, "name")) sub.name = v;
                if (is_one_of(k, arguments, COUNTOF(arguments))) sub.arguments = v;
            }
            m.name = sub.name;
            m.arguments = sub.arguments;
        } else if (is_one_of(key, names, COUNTOF(names))) {
            m.name = value;
        } else if (is_one_of(key, arguments, COUNTOF(arguments))) {
            m.arguments = value;
        } else if (is_one_of(key, ids, COUNTOF(ids))) {
            m.id = value;
        }
    }
    return m;
}

// {"f": {..}}
static body_verdict add_single_key(reply_reader *r, str object)
{
    str key, value, more;
    size_t at = 0;
    if (!json_walk(object, &at, &key, &value)) return BODY_BAD;
    if (json_walk(object, &at, &more, &more)) return BODY_BAD;
    return reply_add_call(r, STR(""), key, value);
}

static body_verdict add_object(reply_reader *r, str object)
{
    members m = read_members(object);
    buf id, name;
    if (!m.name.p) return add_single_key(r, object);
    if (m.name.p[0] != '"') return BODY_BAD;
    buf_init(&id, MEM_MISC, LIMIT_REPLY_BODY);
    buf_init(&name, MEM_MISC, LIMIT_REPLY_BODY);
    str id_text = m.id, arguments_text = m.arguments;
    if (id_text.p && id_text.p[0] == '"') id_text = json_read_string(m.id, &id);
    else if (!id_text.p || str_eq_z(id_text, "null")) id_text = STR("");
    if (!arguments_text.p || str_eq_z(arguments_text, "null")) arguments_text = STR("{}");
    body_verdict v = reply_add_call(r, id_text, json_read_string(m.name, &name), arguments_text);
    buf_release(&id);
    buf_release(&name);
    return v;
}

static body_verdict add_value(reply_reader *r, str value)
{
    if (value.p[0] == '{') return add_object(r, value);
    if (value.p[0] != '[') return BODY_BAD;
    str key, item;
    size_t at = 0;
    while (json_walk(value, &at, &key, &item)) {
        if (item.p[0] != '{' || add_object(r, item) != BODY_OK) return BODY_BAD;
    }
    return BODY_OK;
}

// --- bodies -------------------------------------------------------------------------------------

// Between calls: white space, punctuation, and an opening tag whose own closing tag was forgotten.
static size_t skip_between(const reply_tag *tag, str s, size_t at)
{
    for (;;) {
        size_t before = at;
        while (at < s.n && s.p[at] && strchr(" \n\t\r,;", s.p[at])) at++;
        bool keeps = tag->flags & TAG_KEEP;
        if (!keeps && at < s.n && str_starts((str){s.p + at, s.n - at}, tag->open))
            at += tag->open.n;
        if (at == before) return at;
    }
}

static str strip_fence(str body)
{
    static const str fence = STR_INIT("```");
    body = str_trim(body);
    if (!str_starts(body, fence)) return body;
    str_cut(&body, '\n');
    return str_ends(body, fence) ? str_trim((str){body.p, body.n - fence.n}) : body;
}

body_verdict call_parse_json(reply_reader *r, const reply_tag *tag, str body)
{
    body = strip_fence(body);
    for (size_t at = skip_between(tag, body, 0); at < body.n; at = skip_between(tag, body, at)) {
        if (body.p[at] != '{' && body.p[at] != '[') return BODY_BAD;
        size_t end = json_find_end(body, at);
        if (end == SIZE_MAX) return BODY_MORE;
        str value = {body.p + at, end - at};
        if (!json_is_valid(value) || add_value(r, value) != BODY_OK) return BODY_BAD;
        at = end;
    }
    return BODY_OK;
}

body_verdict call_parse_bare_json(reply_reader *r, const reply_tag *tag, str body)
{
    for (size_t at = skip_between(tag, body, 0); at < body.n; at = skip_between(tag, body, at)) {
        size_t end = json_find_end(body, at);
        if (end == SIZE_MAX || body.p[at] != '{') return BODY_BAD;
        str object = {body.p + at, end - at};
        if (!json_is_valid(object)) return BODY_BAD;
        members m = read_members(object);
        if (!m.name.p || !m.arguments.p || !reply_knows_tool(r, json_read_string(m.name, &r->text)))
            return BODY_BAD;
        if (add_object(r, object) != BODY_OK) return BODY_BAD;
        at = end;
    }
    return BODY_OK;
}

body_verdict call_likely_json(str text)
{
    static const char *const keys[] = {"\"name\"", "\"type\"", "\"function\"", "\"parameters\"",
                                       "\"id\""};
    size_t at = json_skip_space(text, 1);
    str rest = {text.p + at, text.n - at};
    for (size_t i = 0; i < COUNTOF(keys); i++) {
        str key = str_from(keys[i]);
        if (str_starts(rest, key)) return BODY_OK;
        if (str_starts(key, rest)) return BODY_MORE;
    }
    return BODY_BAD;
}

body_verdict call_parse_harmony(reply_reader *r, const reply_tag *tag, str body)
{
    (void)tag;
    body = str_trim(body);
    if (body.n > 0 && json_find_end(body, 0) == SIZE_MAX) return BODY_MORE;
    return reply_add_call(r, STR(""), buf_str(&r->recipient), body.n ? body : STR("{}"));
}
