// What a model's text says: words for the user, reasoning, and calls of tools, as it streams.
//
// Families spell calls and reasoning in their own ways; a style says which of them to look for. It
// is read off the chat template (and the names of control tokens), never off a model's name.
// Text flows through at once; only what may still become a tag is held back, and a call until it is
// whole. A call that is damaged or never ends comes back as text, with every byte it had; white
// space around tags is not text.
//
// The text is untrusted: all that is kept is proportional to it and bounded (defs/limits.h), names
// are short and printable, arguments are one valid JSON object.
#ifndef HEARTH_REPLY_REPLY_H
#define HEARTH_REPLY_REPLY_H

#include "base/str.h"

typedef struct reply_style {
    uint64_t tags;        // rows of the table in tags.c
    bool starts_thinking; // the prompt ends where reasoning has begun
} reply_style;

// Is there a control or user-defined token of this spelling?
typedef bool (*reply_has_token)(void *ctx, str text);
// `has` may be NULL.
reply_style reply_detect(str template_text, reply_has_token has, void *ctx);
// What the end of the prompt decides.
void reply_begin_after(reply_style *s, str prompt);
// Without tools, nothing is taken for a call.
void reply_forget_calls(reply_style *s);

typedef struct reply_reader reply_reader;
// tools: the JSON array of the request ([] or empty: none); it decides the types of arguments whose
// syntax does not say them. It is copied.
hearth_status reply_open(reply_style s, str tools, reply_reader **out, hearth_err *err);
void reply_free(reply_reader *r); // NULL is legal

// More of the text: whole UTF-8 characters. After a failure the reply is good for reply_free().
hearth_status reply_put(reply_reader *r, str text, hearth_err *err);
hearth_status reply_end(reply_reader *r, hearth_err *err); // no more text

typedef enum reply_kind { REPLY_CONTENT, REPLY_THINKING, REPLY_CALL } reply_kind;
typedef struct reply_part {
    reply_kind kind;
    str text;            // content or thinking; never empty
    int index;           // of the call in this reply, from 0
    str id;              // as the model gave it, often empty
    str name, arguments; // arguments: a JSON object
} reply_part;
// The next part; false: none until more text comes. Valid until the next reply_put() or _end().
bool reply_next(reply_reader *r, reply_part *out);

#endif
