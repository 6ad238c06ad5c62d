// Arguments of calls in messages: JSON text becomes the object that it spells.
//
//   [{"role": .., "tool_calls": [{"function": {"name": .., "arguments": "{\"a\": 1}"}}]}]
//   depth 1 2                   3 4            5
//
// Everything else is copied byte for byte, so that numbers and escapes stay as they were written.
#include <string.h>

#include "base/json.h"
#include "defs/limits.h"
#include "engine/local.h"

enum { MIN_DEPTH = 4, MAX_DEPTH = 5 }; // some leave out "function"

// The end of the JSON string at s.p[at]; s.n when there is none.
static size_t find_string_end(str s, size_t at)
{
    for (size_t i = at + 1; i < s.n; i++) {
        if (s.p[i] == '\\') i++;
        else if (s.p[i] == '"') return i + 1;
    }
    return s.n;
}

static size_t skip_space(str s, size_t at)
{
    while (at < s.n && s.p[at] && strchr(" \t\r\n", s.p[at])) at++;
    return at;
}

// The text of a JSON string, if that text is itself a JSON object.
static bool read_object(str raw, buf *out)
{
    json_reader *r = NULL;
    json_event ev;
    buf_reset(out);
    hearth_status status = json_open_memory(raw.p, raw.n, LIMIT_STDIN, &r, NULL);
    if (status == HEARTH_OK) status = json_next(r, &ev, NULL);
    if (status == HEARTH_OK && ev == JSON_STRING) buf_append_str(out, json_text(r));
    json_close(r);
    str text = str_trim(buf_str(out));
    if (text.n == 0 || text.p[0] != '{' || out->failed != HEARTH_OK) return false;
    status = json_open_memory(text.p, text.n, LIMIT_STDIN, &r, NULL);
    ev = JSON_NULL;
    while (status == HEARTH_OK && ev != JSON_END) status = json_next(r, &ev, NULL);
    json_close(r);
    return status == HEARTH_OK;
}

// The value behind the key that ends at `end`, if it is a string.
static bool find_text_value(str s, size_t end, size_t *from, size_t *to)
{
    size_t at = skip_space(s, end);
    if (at >= s.n || s.p[at] != ':') return false;
    *from = skip_space(s, at + 1);
    if (*from >= s.n || s.p[*from] != '"') return false;
    *to = find_string_end(s, *from);
    return true;
}

hearth_status chat_open_arguments(str s, buf *out, bool *changed, hearth_err *err)
{
    buf object;
    int depth = 0;
    size_t done = 0, from, to;
    *changed = false;
    buf_init(&object, MEM_MISC, LIMIT_PROMPT_BYTES);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (c != '"') continue;
        size_t end = find_string_end(s, i);
        str key = {s.p + i, end - i};
        i = end - 1;
        if (depth < MIN_DEPTH || depth > MAX_DEPTH || !str_eq_z(key, "\"arguments\"")) continue;
        if (!find_text_value(s, end, &from, &to)) continue;
        if (!read_object((str){s.p + from, to - from}, &object)) continue;
        buf_append(out, s.p + done, from - done);
        buf_append_str(out, buf_str(&object));
        done = to;
        i = to - 1;
        *changed = true;
    }
    buf_append(out, s.p + done, s.n - done);
    hearth_status status = out->failed;
    buf_release(&object);
    if (status == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, status, "messages: %s", err_status_name(status));
}
