// Calls as markup.
//
//   <function=f> <parameter=p> value </parameter> .. </function>              Qwen3-Coder, Seed
//   <invoke name="f"> <parameter name="p">value</parameter> .. </invoke>      MiniMax, DeepSeek 3.2
//   <function=f>{"p": "value"}</function>                                     Functionary
//   f <arg_key>p</arg_key> <arg_value>value</arg_value> ..                    GLM
//
// Names may carry a prefix ("<x:invoke", U+FF5C around it). Nothing is escaped: a value ends at the
// first closing tag of its own name. One line feed on each side of it belongs to the layout.
#include <string.h>

#include "base/json.h"
#include "reply/reply_int.h"

typedef struct markup {
    str full, name;   // "x:invoke", "invoke"
    str value;        // of "=value" or name="value"
    bool closes;
    bool says_text, says_json; // string="true" or "false"
    size_t end;       // behind ">"
} markup;

static str local_name(str full)
{
    static const str bar = STR_INIT("\xEF\xBD\x9C");
    for (size_t at; (at = str_find(full, bar, 0)) != SIZE_MAX;)
        full = (str){full.p + at + bar.n, full.n - at - bar.n};
    const char *colon = full.n ? memchr(full.p, ':', full.n) : NULL;
    if (!colon) return full;
    size_t n = (size_t)(colon - full.p) + 1;
    return (str){full.p + n, full.n - n};
}

static str find_attribute(str tag, const char *key)
{
    size_t at = str_find(tag, str_from(key), 0);
    if (at == SIZE_MAX) return STR("");
    at += strlen(key);
    const char *end = memchr(tag.p + at, '"', tag.n - at);
    return (str){tag.p + at, end ? (size_t)(end - tag.p) - at : 0};
}

// The tag at s.p[at], which is '<'.
static bool read_tag(str s, size_t at, markup *m)
{
    const char *close = memchr(s.p + at, '>', s.n - at);
    if (!close) return false;
    str tag = {s.p + at + 1, (size_t)(close - (s.p + at)) - 1};
    *m = (markup){.end = at + tag.n + 2};
    m->closes = tag.n > 0 && tag.p[0] == '/';
    if (m->closes) tag = (str){tag.p + 1, tag.n - 1};
    size_t n = 0;
    while (n < tag.n && tag.p[n] != '=' && tag.p[n] != ' ') n++;
    m->full = (str){tag.p, n};
    m->name = local_name(m->full);
    if (n < tag.n && tag.p[n] == '=') m->value = str_trim((str){tag.p + n + 1, tag.n - n - 1});
    else m->value = find_attribute(tag, "name=\"");
    if (m->value.n >= 2 && m->value.p[0] == '"') m->value = (str){m->value.p + 1, m->value.n - 2};
    str text = find_attribute(tag, "string=\"");
    m->says_text = str_eq_z(text, "true");
    m->says_json = str_eq_z(text, "false");
    return m->full.n > 0;
}

// The first "</full>" at or after `at`; *end is behind it.
static size_t find_close(str s, size_t at, str full, size_t *end)
{
    while ((at = str_find(s, full, at)) != SIZE_MAX) {
        bool is_tag = at >= 2 && s.p[at - 1] == '/' && s.p[at - 2] == '<' && at + full.n < s.n &&
                      s.p[at + full.n] == '>';
        if (is_tag) {
            *end = at + full.n + 1;
            return at - 2;
        }
        at += full.n;
    }
    return SIZE_MAX;
}

static str strip_layout(str v)
{
    if (v.n > 0 && v.p[0] == '\n') v = (str){v.p + 1, v.n - 1};
    if (v.n > 0 && v.p[v.n - 1] == '\n') v.n--;
    static const str open = STR_INIT("<![CDATA["), close = STR_INIT("]]>");
    if (str_starts(v, open) && str_ends(v, close) && v.n >= open.n + close.n)
        v = (str){v.p + open.n, v.n - open.n - close.n};
    return v;
}

static void write_argument(reply_reader *r, str tool, const markup *m, str value)
{
    json_writer w;
    value = strip_layout(value);
    if (r->args.n > 1) buf_append_str(&r->args, STR(", "));
    json_write_init(&w, &r->args);
    json_write_string(&w, m->value);
    buf_append_str(&r->args, STR(": "));
    if (m->says_text) {
        json_write_init(&w, &r->args);
        json_write_string(&w, value);
    } else if (m->says_json && json_is_valid(value)) {
        buf_append_str(&r->args, str_trim(value));
    } else {
        reply_write_plain(r, &r->args, tool, m->value, value);
    }
}

// Parameters up to the end of `s`: into r->args.
static body_verdict read_parameters(reply_reader *r, str tool, str s)
{
    buf_reset(&r->args);
    buf_append_char(&r->args, '{');
    for (size_t at = json_skip_space(s, 0); at < s.n; at = json_skip_space(s, at)) {
        markup m;
        size_t end;
        if (s.p[at] != '<' || !read_tag(s, at, &m) || m.closes) return BODY_BAD;
        if (!str_eq_z(m.name, "parameter") && !str_eq_z(m.name, "param")) return BODY_BAD;
        size_t close = find_close(s, m.end, m.full, &end);
        if (close == SIZE_MAX) return BODY_BAD;
        write_argument(r, tool, &m, (str){s.p + m.end, close - m.end});
        at = end;
    }
    buf_append_char(&r->args, '}');
    return r->args.failed == HEARTH_OK ? BODY_OK : BODY_BAD;
}

static body_verdict add_function(reply_reader *r, const markup *m, str inner)
{
    str json = str_trim(inner);
    if (json.n > 0 && json.p[0] == '{') return reply_add_call(r, STR(""), m->value, json);
    if (read_parameters(r, m->value, inner) != BODY_OK) return BODY_BAD;
    return reply_add_call(r, STR(""), m->value, buf_str(&r->args));
}

body_verdict call_parse_markup(reply_reader *r, const reply_tag *tag, str body)
{
    (void)tag;
    for (size_t at = json_skip_space(body, 0); at < body.n; at = json_skip_space(body, at)) {
        markup m;
        size_t end;
        if (body.p[at] != '<' || !read_tag(body, at, &m) || m.closes) return BODY_BAD;
        if (!str_eq_z(m.name, "function") && !str_eq_z(m.name, "invoke")) return BODY_BAD;
        size_t close = find_close(body, m.end, m.full, &end);
        if (close == SIZE_MAX) return BODY_MORE;
        if (add_function(r, &m, (str){body.p + m.end, close - m.end}) != BODY_OK) return BODY_BAD;
        at = end;
    }
    return BODY_OK;
}

// The text of the element at *at, which must have this name.
static bool take_element(str s, size_t *at, const char *name, str *text)
{
    markup m;
    size_t end;
    *at = json_skip_space(s, *at);
    if (*at >= s.n || s.p[*at] != '<' || !read_tag(s, *at, &m) || m.closes) return false;
    size_t close = find_close(s, m.end, m.full, &end);
    if (!str_eq_z(m.name, name) || close == SIZE_MAX) return false;
    *text = (str){s.p + m.end, close - m.end};
    *at = end;
    return true;
}

body_verdict call_parse_keys(reply_reader *r, str body)
{
    const char *first = body.n ? memchr(body.p, '<', body.n) : NULL;
    size_t at = first ? (size_t)(first - body.p) : body.n;
    str name = str_trim((str){body.p, at});
    buf_reset(&r->args);
    buf_append_char(&r->args, '{');
    while (json_skip_space(body, at) < body.n) {
        str key, value;
        if (!take_element(body, &at, "arg_key", &key)) return BODY_BAD;
        if (!take_element(body, &at, "arg_value", &value)) return BODY_BAD;
        write_argument(r, name, &(markup){.value = str_trim(key)}, value);
    }
    buf_append_char(&r->args, '}');
    if (r->args.failed != HEARTH_OK) return BODY_BAD;
    return reply_add_call(r, STR(""), name, buf_str(&r->args));
}
