// What the request's tools say about calls: which names exist, and which type an argument has.
//
//   [{"type": "function", "function": {"name": "f", "parameters":
//        {"properties": {"a": {"type": "string"}}}}}]          or the inner objects alone
//
// The list is walked anew for each question: it is short, and calls are rare.
#include "base/json.h"
#include "reply/reply_int.h"

static bool find_member(str object, const char *key, str *value)
{
    str k;
    size_t at = 0;
    if (object.n == 0 || object.p[0] != '{') return false;
    while (json_walk(object, &at, &k, value))
        if (str_eq_z(k, key)) return true;
    return false;
}

static bool spells(reply_reader *r, str raw, str text)
{
    return raw.p[0] == '"' && str_eq(json_read_string(raw, &r->text), text);
}

// The function object of this name.
static bool find_tool(const reply_reader *r, str name, buf *scratch, str *out)
{
    str tools = buf_str(&r->tools), key, tool, raw;
    size_t at = 0;
    if (tools.n == 0 || tools.p[0] != '[') return false;
    while (json_walk(tools, &at, &key, &tool)) {
        str inner;
        if (find_member(tool, "function", &inner)) tool = inner;
        if (find_member(tool, "name", &raw) && raw.p[0] == '"' &&
            str_eq(json_read_string(raw, scratch), name)) {
            *out = tool;
            return true;
        }
    }
    return false;
}

bool reply_knows_tool(const reply_reader *r, str name)
{
    str tool;
    buf scratch;
    if (r->tools.n == 0) return true;
    buf_init(&scratch, MEM_MISC, LIMIT_REPLY_BYTES);
    bool found = find_tool(r, name, &scratch, &tool);
    buf_release(&scratch);
    return found;
}

str reply_argument_type(reply_reader *r, str tool, str argument)
{
    str function, parameters, properties, schema, type, key;
    size_t at = 0;
    if (!find_tool(r, tool, &r->text, &function)) return STR("");
    if (!find_member(function, "parameters", &parameters)) return STR("");
    if (!find_member(parameters, "properties", &properties) || properties.p[0] != '{')
        return STR("");
    while (json_walk(properties, &at, &key, &schema)) {
        // A key is a JSON string without its quotes, which are there in the text.
        if (!spells(r, (str){key.p - 1, key.n + 2}, argument)) continue;
        if (find_member(schema, "type", &type) && type.p[0] == '"')
            return json_read_string(type, &r->text);
        return STR("");
    }
    return STR("");
}

void reply_write_plain(reply_reader *r, buf *out, str tool, str argument, str value)
{
    str type = reply_argument_type(r, tool, argument), trimmed = str_trim(value);
    bool is_text = str_eq_z(type, "string");
    bool is_json = !is_text && trimmed.n > 0 && json_is_valid(trimmed);
    if (is_json && (type.n > 0 || trimmed.p[0] != '"')) {
        buf_append_str(out, trimmed);
        return;
    }
    // Templates print lists and true values as Python does; text in quotes stays as it is.
    bool may_be_literal = !is_text && trimmed.n > 0 && trimmed.p[0] != '"' && trimmed.p[0] != '\'';
    if (may_be_literal && call_write_literal(trimmed, out)) return;
    json_writer w;
    json_write_init(&w, out);
    json_write_string(&w, value);
}
