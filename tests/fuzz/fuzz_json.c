// The JSON reader on anything: it ends, never reads past the input, gives the same events for every
// cut of the input, its text is UTF-8, and what it accepted can be written and read again.
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STRING_MAX = 4096 };

typedef struct piece_source {
    const uint8_t *p;
    size_t n, step;
} piece_source;

static hearth_status read_piece(void *ctx, void *p, size_t n, size_t *got, hearth_err *err)
{
    (void)err;
    piece_source *s = ctx;
    *got = size_min(size_min(n, s->step), s->n);
    if (*got > 0) memcpy(p, s->p, *got);
    s->p += *got;
    s->n -= *got;
    return HEARTH_OK;
}

static void check(bool truth)
{
    if (!truth) TRAP();
}

static void check_utf8(str s)
{
    while (s.n > 0) {
        uint32_t cp;
        size_t n = utf8_decode(s.p, s.n, &cp);
        check(cp != UTF8_BAD);
        s.p += n, s.n -= n;
    }
}

// A NUL inside cuts the key, in both rounds the same.
static void copy_key(json_writer *w, str text)
{
    char key[STRING_MAX + 1];
    check(text.n <= STRING_MAX);
    memcpy(key, text.p, text.n);
    key[text.n] = 0;
    json_write_key(w, key);
}

static void copy_number(json_writer *w, const json_reader *r)
{
    double v;
    if (json_f64(r, &v)) json_write_f64(w, v);
    else json_write_null(w);
}

static void copy_event(json_writer *w, json_event event, const json_reader *r)
{
    switch (event) {
    case JSON_OBJECT_BEGIN: json_write_object(w); return;
    case JSON_OBJECT_END: json_write_object_end(w); return;
    case JSON_ARRAY_BEGIN: json_write_array(w); return;
    case JSON_ARRAY_END: json_write_array_end(w); return;
    case JSON_KEY: copy_key(w, json_text(r)); return;
    case JSON_STRING: json_write_string(w, json_text(r)); return;
    case JSON_NUMBER: copy_number(w, r); return;
    case JSON_TRUE: json_write_bool(w, true); return;
    case JSON_FALSE: json_write_bool(w, false); return;
    case JSON_NULL: json_write_null(w); return;
    case JSON_END: return;
    }
}

// Reads all of it and writes it to out; the status of the first failure.
static hearth_status copy_document(const uint8_t *p, size_t n, size_t step, buf *out)
{
    piece_source source = {p, n, step};
    json_reader *r = NULL;
    json_writer w;
    json_event event = JSON_NULL;
    buf_reset(out);
    json_write_init(&w, out);
    if (json_open(read_piece, &source, STRING_MAX, &r, NULL) != HEARTH_OK) return HEARTH_E_NOMEM;
    hearth_status status = HEARTH_OK;
    while (event != JSON_END && (status = json_next(r, &event, NULL)) == HEARTH_OK) {
        check_utf8(json_text(r));
        check(json_depth(r) <= LIMIT_JSON_DEPTH && json_offset(r) <= n);
        copy_event(&w, event, r);
    }
    json_close(r);
    return status;
}

static void skip_document(const uint8_t *p, size_t n, hearth_status expected)
{
    json_reader *r = NULL;
    json_event event;
    if (json_open_memory(p, n, STRING_MAX, &r, NULL) != HEARTH_OK) return;
    hearth_status status = json_next(r, &event, NULL);
    if (status == HEARTH_OK) status = json_skip(r, NULL);
    if (status == HEARTH_OK) status = json_next(r, &event, NULL);
    check(status == expected && (status != HEARTH_OK || event == JSON_END));
    json_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buf whole, pieces, again;
    buf_init(&whole, MEM_TEST, SIZE_MAX);
    buf_init(&pieces, MEM_TEST, SIZE_MAX);
    buf_init(&again, MEM_TEST, SIZE_MAX);
    hearth_status status = copy_document(data, size, SIZE_MAX, &whole);
    size_t step = size ? 1 + data[size - 1] % 7 : 1;
    check(copy_document(data, size, step, &pieces) == status);
    check(str_eq(buf_str(&whole), buf_str(&pieces)));
    skip_document(data, size, status);
    if (status == HEARTH_OK) {
        const uint8_t *written = (const uint8_t *)whole.p;
        check(copy_document(written, whole.n, SIZE_MAX, &again) == HEARTH_OK);
        check(str_eq(buf_str(&whole), buf_str(&again)));
    }
    buf_release(&whole);
    buf_release(&pieces);
    buf_release(&again);
    return 0;
}
