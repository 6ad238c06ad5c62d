// Fuzzes tokenizer.json: the input is the document, up to a zero byte if there is one, then a text.
// Whatever opens must encode any text to ids inside the vocabulary, or say why not, and decode it.
#include <stdlib.h>
#include <string.h>

#include "tok/tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool x)
{
    if (!x) abort();
}

static void try_text(const tok *t, str text, const str_run *runs, size_t n_runs, tok_options o)
{
    tok_ids ids = {0};
    tok_stream s;
    buf out;
    hearth_err err = ERR_INIT;
    buf_init(&out, MEM_TEST, (size_t)1 << 28);
    tok_stream_init(&s);
    hearth_status status = tok_encode_marked(t, text, runs, n_runs, o, &ids, &err);
    require(status == HEARTH_OK || (ids.n == 0 && err.msg[0]));
    for (size_t i = 0; i < ids.n; i++) {
        require(ids.id[i] >= 0 && ids.id[i] < tok_count(t));
        bool control = tok_get_attr(t, ids.id[i]) == TOK_CONTROL;
        require(!control || o.parse_special || o.add_special);
        hearth_status put = tok_stream_put(t, &s, ids.id[i], o.parse_special, &out);
        require(put == HEARTH_OK || put == HEARTH_E_LIMIT); // a pattern of the decoder
    }
    require(tok_stream_flush(&s, true, &out) == HEARTH_OK);
    buf_release(&out);
    tok_ids_release(&ids);
}

static void try_texts(const tok *t, str text)
{
    str texts[] = {STR("Hello \xE4\xB8\x96 <s>x\xFF 12\r\n\r\n a\xCC\x81 KEY "), text};
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        str_run half[] = {{.n = texts[i].n / 2, .is_user = true},
                          {.n = texts[i].n - texts[i].n / 2}};
        str_run all = {.n = texts[i].n, .is_user = true};
        try_text(t, texts[i], half, 2, (tok_options){.parse_special = true});
        try_text(t, texts[i], &all, 1, (tok_options){0});
    }
    buf out;
    buf_init(&out, MEM_TEST, 1 << 24);
    for (int32_t i = 0; i < tok_count(t) && i < 200; i++) {
        (void)tok_is_end(t, i);
        (void)tok_decode_one(t, i, true, i % 2, &out);
        buf_reset(&out);
    }
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *end = n ? memchr(data, 0, n) : NULL;
    str json = {(const char *)data, end ? (size_t)(end - data) : n}, text = {"", 0};
    if (end) text = (str){json.p + json.n + 1, n - json.n - 1};
    tok *t = NULL;
    hearth_err err = ERR_INIT;
    hearth_status status = tok_open_json(json, (str){"", 0}, &t, &err);
    require((status == HEARTH_OK) == (t != NULL) && (status == HEARTH_OK || err.msg[0]));
    if (t) try_texts(t, text);
    tok_free(t);
    return 0;
}
