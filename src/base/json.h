// JSON (RFC 8259): a pull reader that streams through files of any size, and a writer into a buf.
//
// The reader keeps no tree: a 10 MB tokenizer.json costs the depth stack and one string buffer.
// Input is untrusted: strict grammar, valid UTF-8 only, depth <= LIMIT_JSON_DEPTH, strings bounded
// by the caller. Errors carry the byte offset. (Request bodies of the server use jansson.)
#ifndef HEARTH_BASE_JSON_H
#define HEARTH_BASE_JSON_H

#include "base/str.h"
#include "defs/limits.h"

typedef enum json_event {
    JSON_END, // the whole document was read, nothing follows
    JSON_OBJECT_BEGIN, JSON_OBJECT_END, JSON_ARRAY_BEGIN, JSON_ARRAY_END,
    JSON_KEY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL
} json_event;

// Fills up to n bytes at p; *got = 0 is the end.
typedef hearth_status (*json_source)(void *ctx, void *p, size_t n, size_t *got, hearth_err *err);

typedef struct json_reader json_reader;
hearth_status json_open(json_source source, void *ctx, size_t max_string_bytes, json_reader **out,
                        hearth_err *err);
hearth_status json_open_memory(const void *p, size_t n, size_t max_string_bytes, json_reader **out,
                               hearth_err *err);
void json_close(json_reader *r); // NULL is legal
hearth_status json_next(json_reader *r, json_event *event, hearth_err *err);
// Of the last event: the unescaped key or string, or the number's own text; valid until json_next.
str json_text(const json_reader *r);
// The last event was a number that fits.
bool json_i64(const json_reader *r, int64_t *out);
bool json_f64(const json_reader *r, double *out);
uint64_t json_offset(const json_reader *r);
int json_depth(const json_reader *r);
// Skips the rest of the value that the last event began (a key: its whole value).
hearth_status json_skip(json_reader *r, hearth_err *err);

// Writer: commas and escapes are its business. Failures are kept in the buf.
typedef struct json_writer { buf *out; int depth; bool need_comma, after_key; } json_writer;
void json_write_init(json_writer *w, buf *out);
void json_write_object(json_writer *w);
void json_write_object_end(json_writer *w);
void json_write_array(json_writer *w);
void json_write_array_end(json_writer *w);
void json_write_key(json_writer *w, const char *key);
// Ill-formed UTF-8 becomes U+FFFD.
void json_write_string(json_writer *w, str s);
void json_write_i64(json_writer *w, int64_t v);
void json_write_u64(json_writer *w, uint64_t v);
void json_write_f64(json_writer *w, double v); // shortest of %.{6,9,17}g that reads back; or null
void json_write_bool(json_writer *w, bool v);
void json_write_null(json_writer *w);

#endif
