// What the files of reply/ share: the table of tags, the parser's state, and the seam to the
// syntaxes of calls.
#ifndef HEARTH_REPLY_REPLY_INT_H
#define HEARTH_REPLY_REPLY_INT_H

#include "defs/limits.h"
#include "reply/reply.h"

typedef enum body_verdict {
    BODY_OK,
    BODY_BAD, // no call; what was added is taken back
    BODY_MORE // not yet: the closing tag was inside a string
} body_verdict;

typedef enum tag_role {
    TAG_THINK,  // open .. close is reasoning
    TAG_CALL,   // open .. close, or to the end of the text, is a call or several
    TAG_SKIP,   // `open` alone means nothing to the user
    TAG_HEADER  // open .. close says what follows (harmony)
} tag_role;

enum {
    TAG_FIRST = 1,  // only before any content
    TAG_KEEP = 2,   // both tags belong to the body
    TAG_TOKEN = 4   // a token of this spelling is evidence enough
};

typedef struct reply_tag reply_tag;
struct reply_tag {
    tag_role role;
    unsigned flags;
    str open, close;      // close: may be empty
    const char *evidence; // in templates; NULL: `open`
    body_verdict (*parse)(reply_reader *r, const reply_tag *tag, str body);
    // With TAG_FIRST: does a text go on behind `open` as a call would? BODY_MORE: too short to say.
    body_verdict (*is_likely)(str text);
};

// --- tags.c -------------------------------------------------------------------------------------
extern const reply_tag reply_tags[];
extern const size_t reply_n_tags; // at most 64
extern const reply_tag reply_harmony_call;

typedef enum reply_state { STATE_CONTENT, STATE_THINK, STATE_BODY, STATE_HEADER } reply_state;

struct reply_reader {
    reply_style style;
    buf tools;           // JSON, maybe empty
    buf in;              // text from `at` on is not yet decided
    size_t at;
    size_t mark_at;      // BODY, HEADER: where the opening tag is
    size_t body_at, scan; // BODY, HEADER: where it begins; no closing tag begins before scan
    int n_tries;         // closing tags that were none
    reply_state state;
    const reply_tag *tag; // of the state, NULL in CONTENT and in a harmony section
    buf recipient;       // of the harmony call
    buf args, text;      // scratch of the syntaxes
    buf out, items;      // parts to be read: bytes, and records
    size_t n_read;
    int n_calls;
    bool wrote_content, skips_space, is_harmony;
    bool first[256];     // bytes that begin a tag
    hearth_status failed; // no memory
};

// --- calls, for the syntaxes --------------------------------------------------------------------
// Appends a call. BODY_BAD: the name or the arguments are none. The texts are not in r->text.
body_verdict reply_add_call(reply_reader *r, str id, str name, str arguments);
// Is `name` among the tools, or are none known?
bool reply_knows_tool(const reply_reader *r, str name);
// The type that the tools give to an argument, e.g. "string"; empty when they do not say. Into a
// buffer of the reply, valid until the next call.
str reply_argument_type(reply_reader *r, str tool, str argument);
// Writes one argument's value that stands in the text as it is.
void reply_write_plain(reply_reader *r, buf *out, str tool, str argument, str value);

// --- call_json.c --------------------------------------------------------------------------------
// The end of the JSON value at s.p[at]: only brackets and strings are looked at. SIZE_MAX: it does
// not end. `at` is at most s.n.
size_t json_find_end(str s, size_t at);
bool json_is_valid(str s);
size_t json_skip_space(str s, size_t at);
// Members of a valid object (key without quotes, escapes as they are) or items of a valid array.
// *at starts as 0; false: no more.
bool json_walk(str s, size_t *at, str *key, str *value);
// Unescapes a valid JSON string into `out` (emptied first).
str json_read_string(str raw, buf *out);
body_verdict call_parse_json(reply_reader *r, const reply_tag *tag, str body);
// The same, but it must look like a call of a tool that exists: nothing but its form announces it.
body_verdict call_parse_bare_json(reply_reader *r, const reply_tag *tag, str body);
body_verdict call_likely_json(str text);
body_verdict call_parse_harmony(reply_reader *r, const reply_tag *tag, str body);

// --- call_markup.c: <function=f><parameter=p>, <invoke name="f">, <arg_key> ----------------------
body_verdict call_parse_markup(reply_reader *r, const reply_tag *tag, str body);
body_verdict call_parse_keys(reply_reader *r, str body);

// --- call_python.c: f(a=1), call:f{a:1} ---------------------------------------------------------
body_verdict call_parse_python(reply_reader *r, const reply_tag *tag, str body);
body_verdict call_likely_python(str text);
// Appends a Python literal as JSON; false: it is none, and out is as before.
bool call_write_literal(str s, buf *out);
body_verdict call_parse_gemma(reply_reader *r, const reply_tag *tag, str body);

// --- call_marks.c: a name, control tokens, a JSON object ----------------------------------------
body_verdict call_parse_deepseek(reply_reader *r, const reply_tag *tag, str body);
body_verdict call_parse_kimi(reply_reader *r, const reply_tag *tag, str body);
body_verdict call_parse_solar(reply_reader *r, const reply_tag *tag, str body);
body_verdict call_parse_mistral(reply_reader *r, const reply_tag *tag, str body);

// --- call_any.c ---------------------------------------------------------------------------------
// Families share tags around different syntaxes; the first characters tell them apart.
body_verdict call_parse_any(reply_reader *r, const reply_tag *tag, str body);

#endif
