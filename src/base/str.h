// Borrowed byte strings, growable buffers, UTF-8 and locale-independent number parsing.
#ifndef HEARTH_BASE_STR_H
#define HEARTH_BASE_STR_H

#include <stdarg.h>

#include "base/mem.h"
#include "defs/err.h"

// --- slices -------------------------------------------------------------------------------------
typedef struct str { const char *p; size_t n; } str; // not NUL-terminated, not owned
#define STR(literal) ((str){literal, sizeof(literal) - 1})
#define STR_INIT(literal) {literal, sizeof(literal) - 1} // in initializers of static storage
#define STR_ARG(s) (int)size_min((s).n, 256), (s).p // for "%.*s" in messages
str str_from(const char *z); // NULL gives an empty slice
bool str_eq(str a, str b);
bool str_eq_z(str a, const char *z);
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
int str_cmp(str a, str b); // bytewise, shorter first
bool str_eq_caseless(str a, str b); // ASCII letters without case, other bytes as they are
// First position of needle at or after `from`, SIZE_MAX when there is none.
size_t str_find(str s, str needle, size_t from);
str str_trim(str s); // ASCII white space off both ends
// Cuts *rest at the first `sep`: returns what is before, leaves what is after (all, "" at the end).
str str_cut(str *rest, char sep);
// Whole-slice parsers, "." as decimal point whatever the locale; false when anything is left over
// or the value does not fit. str_parse_size accepts suffixes K M G T (powers of 1024), "1.5G".
bool str_parse_i64(str s, int64_t *out);
bool str_parse_f64(str s, double *out);
bool str_parse_size(str s, uint64_t *out);
// Edit distance (Levenshtein, bytes), cut off at `limit`; for "did you mean".
size_t str_distance(str a, str b, size_t limit);

// --- origins ------------------------------------------------------------------------------------
// Who wrote a stretch of a text: runs cover it without gaps. What is a user's never becomes a
// control token (tmpl/tmpl.h makes runs, tok/tok.h keeps to them).
typedef struct str_run { size_t n; bool is_user; } str_run;

// --- UTF-8 --------------------------------------------------------------------------------------
// Decodes one code point at p (n >= 1 bytes). Returns the bytes used (1..4) and the code point;
// an ill-formed sequence uses 1 byte and gives UTF8_BAD. Strict: no surrogates, no overlong forms.
#define UTF8_BAD 0xFFFFFFFFu
size_t utf8_decode(const char *p, size_t n, uint32_t *cp);
// Writes 1..4 bytes; cp <= 0x10FFFF.
size_t utf8_encode(uint32_t cp, char out[4]);
// How many bytes at the end of s are the start of a sequence that more bytes could complete (0..3).
size_t utf8_incomplete_tail(str s);

// --- growable buffers ---------------------------------------------------------------------------
// Bytes plus a NUL that is not counted. Bounded: growing beyond max_bytes is HEARTH_E_LIMIT.
// After a failure the contents are as before the failed call, so a caller may check once at the end
// by looking at `failed` (sticky first status).
typedef struct buf {
    char *p;
    size_t n, cap, max_bytes;
    hearth_status failed;
    mem_tag tag;
} buf;
void buf_init(buf *b, mem_tag tag, size_t max_bytes);
void buf_release(buf *b);
void buf_reset(buf *b); // n = 0, keeps the memory, clears `failed`
hearth_status buf_reserve(buf *b, size_t more);
hearth_status buf_append(buf *b, const void *p, size_t n);
hearth_status buf_append_str(buf *b, str s);
hearth_status buf_append_char(buf *b, char c);
hearth_status buf_printf(buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);
hearth_status buf_vprintf(buf *b, const char *fmt, va_list ap) ATTR_PRINTF(2, 0);
static inline str buf_str(const buf *b) { return (str){b->p ? b->p : "", b->n}; }

// "812 B", "1.4 KB", "3.5 MB", "1.2 GB" (powers of 1024) into out; returns out.
char *format_bytes(uint64_t n, char out[16]);

#endif
