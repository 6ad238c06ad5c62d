// The pull reader of json.h.
//
// Input comes through a window of fixed size; every byte is looked at once, in order, so nothing
// depends on how the source cuts it. What remains between two events is: the bit stack of open
// containers (1: object), what the grammar allows next, and the text of the last event.
//
//   expect        allowed next                        entered by
//   VALUE         a value                             start, after "key":, after , in an array
//   FIRST         a value or key, or the end          after [ or {
//   KEY           a key                               after , in an object
//   COLON         :                                   after a key
//   AFTER         , or the end of the container       after a value inside one
//   DONE          the end of the input                after the outermost value
//
// An error is final: json_next repeats its status.
#include "base/json.h"

#include <stdio.h>
#include <string.h>

enum { WINDOW_BYTES = 16384, NUMBER_MAX = 1024 };
STATIC_ASSERT(LIMIT_JSON_DEPTH <= 64, "the container stack is one 64-bit word");

typedef enum expect {
    EXPECT_VALUE, EXPECT_FIRST, EXPECT_KEY, EXPECT_COLON, EXPECT_AFTER, EXPECT_DONE
} expect;

struct json_reader {
    json_source source;
    void *ctx;
    const uint8_t *memory; // when reading from memory: what is left to hand out
    size_t memory_left;
    size_t max_string;
    uint64_t stack; // bit d: the container at depth d + 1 is an object
    int depth;
    expect next;
    json_event last;
    hearth_status failed;
    buf text;
    uint64_t window_offset; // of window[0] in the document
    size_t at, end;         // unread part of the window
    bool ended;             // the source has nothing more
    uint8_t window[WINDOW_BYTES];
};

// --- input --------------------------------------------------------------------------------------

static hearth_status refill(json_reader *r, hearth_err *err)
{
    size_t got = 0;
    r->window_offset += r->end;
    r->at = r->end = 0;
    HEARTH_TRY(r->source(r->ctx, r->window, sizeof r->window, &got, err));
    ASSERT(got <= sizeof r->window);
    r->end = got;
    r->ended = got == 0;
    return HEARTH_OK;
}

// The next byte without taking it, or -1 at the end of the input.
static hearth_status peek(json_reader *r, int *c, hearth_err *err)
{
    if (r->at == r->end && !r->ended) HEARTH_TRY(refill(r, err));
    *c = r->at < r->end ? r->window[r->at] : -1;
    return HEARTH_OK;
}

uint64_t json_offset(const json_reader *r)
{
    return r->window_offset + r->at;
}

// The byte that was peeked at is not what was expected.
static hearth_status fail_here(json_reader *r, int c, const char *expected, hearth_err *err)
{
    unsigned long long at = json_offset(r);
    char found[8] = "the end";
    if (c >= 0) snprintf(found, sizeof found, c > 0x20 && c < 0x7F ? "'%c'" : "0x%02x", c);
    return err_fail(err, HEARTH_E_FORMAT, "json: byte %llu is %s, expected %s", at, found,
                    expected);
}

static hearth_status skip_space(json_reader *r, int *c, hearth_err *err)
{
    for (;;) {
        HEARTH_TRY(peek(r, c, err));
        if (*c != ' ' && *c != '\n' && *c != '\r' && *c != '\t') return HEARTH_OK;
        r->at++;
    }
}

// --- strings ------------------------------------------------------------------------------------

static hearth_status add_text(json_reader *r, const void *p, size_t n, size_t max, hearth_err *err)
{
    if (n > max - r->text.n)
        return err_fail(err, HEARTH_E_LIMIT, "json: text at byte %llu is longer than %zu bytes",
                        (unsigned long long)json_offset(r), max);
    hearth_status status = buf_append(&r->text, p, n);
    return status == HEARTH_OK ? status : err_fail(err, status, "json: out of memory for a string");
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static hearth_status read_hex4(json_reader *r, uint32_t *out, hearth_err *err)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int c = -1;
        HEARTH_TRY(peek(r, &c, err));
        int digit = hex_digit(c);
        if (digit < 0) return fail_here(r, c, "a hexadecimal digit", err);
        r->at++;
        v = v << 4 | (uint32_t)digit;
    }
    *out = v;
    return HEARTH_OK;
}

static hearth_status expect_byte(json_reader *r, int want, const char *what, hearth_err *err)
{
    int c = -1;
    HEARTH_TRY(peek(r, &c, err));
    if (c != want) return fail_here(r, c, what, err);
    r->at++;
    return HEARTH_OK;
}

// After \u: one code point, of two escapes when it lies beyond U+FFFF.
static hearth_status read_unicode(json_reader *r, hearth_err *err)
{
    uint32_t cp = 0, low = 0;
    char out[4];
    HEARTH_TRY(read_hex4(r, &cp, err));
    if (cp >= 0xDC00 && cp <= 0xDFFF)
        return err_fail(err, HEARTH_E_FORMAT, "json: unpaired surrogate before byte %llu",
                        (unsigned long long)json_offset(r));
    if (cp >= 0xD800 && cp <= 0xDBFF) {
        HEARTH_TRY(expect_byte(r, '\\', "the second half of a surrogate pair", err));
        HEARTH_TRY(expect_byte(r, 'u', "the second half of a surrogate pair", err));
        HEARTH_TRY(read_hex4(r, &low, err));
        if (low < 0xDC00 || low > 0xDFFF)
            return err_fail(err, HEARTH_E_FORMAT, "json: unpaired surrogate before byte %llu",
                            (unsigned long long)json_offset(r));
        cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
    }
    return add_text(r, out, utf8_encode(cp, out), r->max_string, err);
}

static hearth_status read_escape(json_reader *r, hearth_err *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = -1;
    HEARTH_TRY(peek(r, &c, err));
    if (c == 'u') {
        r->at++;
        return read_unicode(r, err);
    }
    const char *hit = c > 0 ? strchr(from, c) : NULL;
    if (!hit) return fail_here(r, c, "an escape character", err);
    r->at++;
    return add_text(r, &to[hit - from], 1, r->max_string, err);
}

// A sequence of two to four bytes, which may straddle windows.
static hearth_status read_multibyte(json_reader *r, hearth_err *err)
{
    char bytes[4];
    size_t n = 0;
    uint32_t cp = UTF8_BAD;
    int c = -1;
    do {
        HEARTH_TRY(peek(r, &c, err));
        if (n > 0 && (c < 0x80 || c > 0xBF)) break;
        bytes[n++] = (char)c;
        r->at++;
        utf8_decode(bytes, n, &cp);
    } while (n < 4 && cp == UTF8_BAD);
    if (cp != UTF8_BAD) return add_text(r, bytes, n, r->max_string, err);
    return err_fail(err, HEARTH_E_FORMAT, "json: ill-formed UTF-8 before byte %llu",
                    (unsigned long long)json_offset(r));
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

// The run of plain bytes that lies in the window, in one piece.
static hearth_status read_run(json_reader *r, hearth_err *err)
{
    size_t begin = r->at;
    while (r->at < r->end && is_plain(r->window[r->at])) r->at++;
    return add_text(r, r->window + begin, r->at - begin, r->max_string, err);
}

static hearth_status read_string(json_reader *r, hearth_err *err)
{
    r->at++; // the quote
    for (;;) {
        int c = -1;
        HEARTH_TRY(peek(r, &c, err));
        if (c < 0x20) return fail_here(r, c, c < 0 ? "the end of a string" : "an escape", err);
        if (c >= 0x80) {
            HEARTH_TRY(read_multibyte(r, err));
        } else if (c == '\\') {
            r->at++;
            HEARTH_TRY(read_escape(r, err));
        } else if (c == '"') {
            r->at++;
            return HEARTH_OK;
        } else {
            HEARTH_TRY(read_run(r, err));
        }
    }
}

// --- numbers and words --------------------------------------------------------------------------

static hearth_status take_digits(json_reader *r, hearth_err *err)
{
    int c = -1;
    HEARTH_TRY(peek(r, &c, err));
    if (c < '0' || c > '9') return fail_here(r, c, "a digit", err);
    while (c >= '0' && c <= '9') {
        char digit = (char)c;
        HEARTH_TRY(add_text(r, &digit, 1, NUMBER_MAX, err));
        r->at++;
        HEARTH_TRY(peek(r, &c, err));
    }
    return HEARTH_OK;
}

// Takes one byte when it is a or b.
static hearth_status take_either(json_reader *r, int a, int b, bool *taken, hearth_err *err)
{
    int c = -1;
    HEARTH_TRY(peek(r, &c, err));
    *taken = c >= 0 && (c == a || c == b);
    if (!*taken) return HEARTH_OK;
    r->at++;
    char byte = (char)c;
    return add_text(r, &byte, 1, NUMBER_MAX, err);
}

// -? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?
static hearth_status read_number(json_reader *r, hearth_err *err)
{
    bool taken = false;
    HEARTH_TRY(take_either(r, '-', '-', &taken, err));
    HEARTH_TRY(take_either(r, '0', '0', &taken, err));
    if (!taken) HEARTH_TRY(take_digits(r, err)); // after a 0 a digit is no part of the number
    HEARTH_TRY(take_either(r, '.', '.', &taken, err));
    if (taken) HEARTH_TRY(take_digits(r, err));
    HEARTH_TRY(take_either(r, 'e', 'E', &taken, err));
    if (!taken) return HEARTH_OK;
    HEARTH_TRY(take_either(r, '+', '-', &taken, err));
    return take_digits(r, err);
}

static hearth_status read_word(json_reader *r, const char *word, hearth_err *err)
{
    for (const char *p = word; *p; p++) HEARTH_TRY(expect_byte(r, *p, word, err));
    return HEARTH_OK;
}

// --- grammar ------------------------------------------------------------------------------------

static bool in_object(const json_reader *r)
{
    return r->depth > 0 && (r->stack >> (r->depth - 1) & 1);
}

static void end_value(json_reader *r)
{
    r->next = r->depth > 0 ? EXPECT_AFTER : EXPECT_DONE;
}

static hearth_status open_container(json_reader *r, bool object, hearth_err *err)
{
    if (r->depth == LIMIT_JSON_DEPTH)
        return err_fail(err, HEARTH_E_LIMIT, "json: byte %llu is nested deeper than %d",
                        (unsigned long long)json_offset(r), LIMIT_JSON_DEPTH);
    r->at++;
    uint64_t bit = UINT64_C(1) << r->depth++;
    r->stack = object ? r->stack | bit : r->stack & ~bit;
    r->next = EXPECT_FIRST;
    r->last = object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
    return HEARTH_OK;
}

static hearth_status close_container(json_reader *r)
{
    r->last = in_object(r) ? JSON_OBJECT_END : JSON_ARRAY_END;
    r->at++;
    r->depth--;
    end_value(r);
    return HEARTH_OK;
}

static hearth_status read_scalar(json_reader *r, int c, hearth_err *err)
{
    end_value(r);
    switch (c) {
    case '"': r->last = JSON_STRING; return read_string(r, err);
    case 't': r->last = JSON_TRUE; return read_word(r, "true", err);
    case 'f': r->last = JSON_FALSE; return read_word(r, "false", err);
    case 'n': r->last = JSON_NULL; return read_word(r, "null", err);
    }
    if (c != '-' && (c < '0' || c > '9')) return fail_here(r, c, "a value", err);
    r->last = JSON_NUMBER;
    return read_number(r, err);
}

static hearth_status read_value(json_reader *r, int c, hearth_err *err)
{
    if (c == '{' || c == '[') return open_container(r, c == '{', err);
    return read_scalar(r, c, err);
}

static hearth_status read_key(json_reader *r, int c, hearth_err *err)
{
    if (c != '"') return fail_here(r, c, "a key", err);
    r->last = JSON_KEY;
    r->next = EXPECT_COLON;
    return read_string(r, err);
}

// Takes the punctuation between two values; *c becomes the first byte of what follows.
static hearth_status pass_separator(json_reader *r, int *c, hearth_err *err)
{
    if (r->next == EXPECT_COLON) {
        if (*c != ':') return fail_here(r, *c, "':'", err);
        r->next = EXPECT_VALUE;
    } else if (r->next == EXPECT_AFTER && *c == ',') {
        r->next = in_object(r) ? EXPECT_KEY : EXPECT_VALUE;
    } else {
        return HEARTH_OK;
    }
    r->at++;
    return skip_space(r, c, err);
}

static hearth_status step(json_reader *r, hearth_err *err)
{
    int c = -1;
    buf_reset(&r->text);
    HEARTH_TRY(skip_space(r, &c, err));
    HEARTH_TRY(pass_separator(r, &c, err));
    int closing = in_object(r) ? '}' : ']';
    switch (r->next) {
    case EXPECT_DONE:
        if (c >= 0) return fail_here(r, c, "nothing after the document", err);
        r->last = JSON_END;
        return HEARTH_OK;
    case EXPECT_AFTER:
        return c == closing ? close_container(r)
                            : fail_here(r, c, in_object(r) ? "',' or '}'" : "',' or ']'", err);
    case EXPECT_FIRST:
        if (c == closing) return close_container(r);
        return in_object(r) ? read_key(r, c, err) : read_value(r, c, err);
    case EXPECT_KEY: return read_key(r, c, err);
    case EXPECT_VALUE:
    case EXPECT_COLON: break; // the colon has been passed
    }
    return read_value(r, c, err);
}

hearth_status json_next(json_reader *r, json_event *event, hearth_err *err)
{
    if (r->failed != HEARTH_OK) return err_fail(err, r->failed, "json: an earlier error stands");
    r->failed = step(r, err);
    if (r->failed == HEARTH_OK) *event = r->last;
    return r->failed;
}

hearth_status json_skip(json_reader *r, hearth_err *err)
{
    json_event event = r->last;
    if (event == JSON_KEY) HEARTH_TRY(json_next(r, &event, err));
    if (event != JSON_OBJECT_BEGIN && event != JSON_ARRAY_BEGIN) return HEARTH_OK;
    for (int outside = r->depth - 1; r->depth > outside;) HEARTH_TRY(json_next(r, &event, err));
    return HEARTH_OK;
}

str json_text(const json_reader *r)
{
    return buf_str(&r->text);
}

bool json_i64(const json_reader *r, int64_t *out)
{
    return r->last == JSON_NUMBER && str_parse_i64(json_text(r), out);
}

bool json_f64(const json_reader *r, double *out)
{
    return r->last == JSON_NUMBER && str_parse_f64(json_text(r), out);
}

int json_depth(const json_reader *r)
{
    return r->depth;
}

// --- life ---------------------------------------------------------------------------------------

hearth_status json_open(json_source source, void *ctx, size_t max_string_bytes, json_reader **out,
                        hearth_err *err)
{
    *out = NULL;
    json_reader *r = mem_alloc(MEM_MISC, sizeof *r);
    if (!r) return err_fail(err, HEARTH_E_NOMEM, "json: out of memory for the reader");
    memset(r, 0, offsetof(json_reader, window));
    r->source = source;
    r->ctx = ctx;
    r->max_string = max_string_bytes;
    r->next = EXPECT_VALUE;
    buf_init(&r->text, MEM_MISC, size_max(max_string_bytes, NUMBER_MAX));
    *out = r;
    return HEARTH_OK;
}

static hearth_status read_memory(void *ctx, void *p, size_t n, size_t *got, hearth_err *err)
{
    (void)err;
    json_reader *r = ctx;
    *got = size_min(n, r->memory_left);
    if (*got > 0) memcpy(p, r->memory, *got);
    r->memory += *got;
    r->memory_left -= *got;
    return HEARTH_OK;
}

hearth_status json_open_memory(const void *p, size_t n, size_t max_string_bytes, json_reader **out,
                               hearth_err *err)
{
    HEARTH_TRY(json_open(read_memory, NULL, max_string_bytes, out, err));
    (*out)->ctx = *out;
    (*out)->memory = n > 0 ? p : (const void *)"";
    (*out)->memory_left = n;
    return HEARTH_OK;
}

void json_close(json_reader *r)
{
    if (!r) return;
    buf_release(&r->text);
    mem_free(r);
}
