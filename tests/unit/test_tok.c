// Tokenizers against the published vectors of llama.cpp's vocabularies, ids line by line.
//
// The vector files hold texts separated by a marker line and, in the .out file, one line of ids per
// text, made without begin and end tokens. They are not in the tree; absent files are skipped.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/test_data.h"
#include "tok/tok.h"

typedef struct model {
    unsigned char *bytes;
    gguf *g;
    tok *t;
} model;

static bool open_model(const char *name, model *m)
{
    char path[512];
    *m = (model){0};
    if (!test_data_path(name, path, sizeof path)) return false;
    hearth_err err = ERR_INIT;
    size_t n = 0;
    m->bytes = test_read_file(path, &n);
    assert_non_null(m->bytes);
    gguf_bytes part = {name, m->bytes, n};
    if (gguf_open(&part, 1, &m->g, &err) != HEARTH_OK || tok_open(m->g, &m->t, &err) != HEARTH_OK) {
        fail_msg("%s: %s", name, err.msg);
    }
    return true;
}

static void close_model(model *m)
{
    tok_free(m->t);
    gguf_close(m->g);
    free(m->bytes);
}

static void format_ids(const tok_ids *ids, buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < ids->n; i++) buf_printf(out, " %d", (int)ids->id[i]);
    assert_int_equal(out->failed, HEARTH_OK);
}

static void check_vectors(void **state, const char *vocabulary)
{
    (void)state;
    model m;
    char name[128], file[256], path[512];
    snprintf(name, sizeof name, "tokenizers/%s.gguf", vocabulary);
    if (!open_model(name, &m)) skip();
    size_t in_n = 0, out_n = 0;
    snprintf(file, sizeof file, "%s.inp", name);
    assert_true(test_data_path(file, path, sizeof path));
    char *in = (char *)test_read_file(path, &in_n);
    snprintf(file, sizeof file, "%s.out", name);
    assert_true(test_data_path(file, path, sizeof path));
    char *out = (char *)test_read_file(path, &out_n);
    str texts = {in, in_n}, lines = {out, out_n}, marker = STR("\n__ggml_vocab_test__\n");
    tok_ids ids = {0};
    buf got;
    buf_init(&got, MEM_TEST, 1 << 20);
    int n = 0, wrong = 0;
    for (bool more = true; more; n++) {
        size_t end = str_find(texts, marker, 0);
        more = end != SIZE_MAX;
        str text = {texts.p, more ? end : texts.n};
        if (more) texts = (str){texts.p + end + marker.n, texts.n - end - marker.n};
        ids.n = 0;
        hearth_err err = ERR_INIT;
        assert_int_equal(tok_encode(m.t, text, (tok_options){0}, &ids, &err), HEARTH_OK);
        format_ids(&ids, &got);
        str expected = str_trim(str_cut(&lines, '\n'));
        if (!str_eq(str_trim(buf_str(&got)), expected)) {
            print_error("%s, text %d: got %s\n expected %.*s\n", name, n, buf_str(&got).p,
                        (int)expected.n, expected.p);
            wrong++;
        }
    }
    print_message("%s: %d texts, %d wrong\n", name, n, wrong);
    assert_true(n >= 40);
    assert_int_equal(wrong, 0);
    buf_release(&got);
    tok_ids_release(&ids);
    free(in);
    free(out);
    close_model(&m);
}

static void test_vectors_llama_spm(void **state) { check_vectors(state, "llama-spm"); }
static void test_vectors_phi_3(void **state) { check_vectors(state, "phi-3"); }
static void test_vectors_gpt_2(void **state) { check_vectors(state, "gpt-2"); }
static void test_vectors_mpt(void **state) { check_vectors(state, "mpt"); }
static void test_vectors_llama_bpe(void **state) { check_vectors(state, "llama-bpe"); }
static void test_vectors_starcoder(void **state) { check_vectors(state, "starcoder"); }
static void test_vectors_deepseek(void **state) { check_vectors(state, "deepseek-llm"); }
static void test_vectors_bert_bge(void **state) { check_vectors(state, "bert-bge"); }

static void check_ids(const tok *t, str text, tok_options o, const int32_t *expected, size_t n)
{
    tok_ids ids = {0};
    hearth_err err = ERR_INIT;
    assert_int_equal(tok_encode(t, text, o, &ids, &err), HEARTH_OK);
    assert_int_equal(ids.n, n);
    assert_memory_equal(ids.id, expected, n * sizeof *expected);
    tok_ids_release(&ids);
}

// The ids that llama2.c prints for this model's usual prompt.
static void test_stories(void **state)
{
    (void)state;
    model m;
    if (!open_model("llm-stories260k/stories260K.gguf", &m)) skip();
    assert_int_equal(tok_count(m.t), 512);
    assert_string_equal(tok_kind_name(m.t), "llama");
    const int32_t expected[] = {1, 403, 407, 261, 378};
    check_ids(m.t, STR("Once upon a time"), (tok_options){.add_special = true}, expected, 5);
    assert_true(tok_is_end(m.t, 2));
    assert_false(tok_is_end(m.t, 1));
    assert_int_equal(tok_specials(m.t)->pad, TOK_NONE);
    close_model(&m);
}

// --- decode(encode(x)) = x ----------------------------------------------------------------------

// Half of the characters from anywhere in Unicode, half from ranges that texts are made of. U+2581
// is left out: SentencePiece vocabularies spell the space so.
static uint32_t random_char(rng *r)
{
    static const uint32_t first[] = {0x20, 0x61, 0xC0, 0x400, 0x5D0, 0x900, 0x3040, 0x4E00, 0xAC00,
                                     0x1F600};
    for (;;) {
        uint32_t cp = rng_below(r, 2) ? rng_below(r, 0x110000)
                                      : first[rng_below(r, COUNTOF(first))] + rng_below(r, 64);
        if ((cp < 0xD800 || cp > 0xDFFF) && cp != 0x2581) return cp;
    }
}

static void decode_all(const tok *t, const tok_ids *ids, buf *out)
{
    tok_stream s;
    tok_stream_init(&s);
    buf_reset(out);
    for (size_t i = 0; i < ids->n; i++)
        assert_int_equal(tok_stream_put(t, &s, ids->id[i], false, out), HEARTH_OK);
    assert_int_equal(tok_stream_flush(&s, false, out), HEARTH_OK);
}

static void check_round_trip(void **state, const char *vocabulary)
{
    (void)state;
    enum { N = 10000, CHARS = 40 };
    model m;
    char name[128];
    snprintf(name, sizeof name, "tokenizers/%s.gguf", vocabulary);
    if (!open_model(name, &m)) skip();
    rng r;
    rng_seed(&r, 20261120);
    tok_ids ids = {0};
    buf back;
    buf_init(&back, MEM_TEST, 1 << 20);
    for (int i = 0; i < N; i++) {
        char text[CHARS * 4];
        size_t n = 0;
        for (uint32_t left = rng_below(&r, CHARS); left > 0; left--)
            n += utf8_encode(random_char(&r), text + n);
        ids.n = 0;
        hearth_err err = ERR_INIT;
        str in = {text, n};
        assert_int_equal(tok_encode(m.t, in, (tok_options){0}, &ids, &err), HEARTH_OK);
        decode_all(m.t, &ids, &back);
        if (!str_eq(buf_str(&back), in)) fail_msg("%s: text %d comes back changed", name, i);
    }
    buf_release(&back);
    tok_ids_release(&ids);
    close_model(&m);
}

static void test_back_llama_spm(void **state) { check_round_trip(state, "llama-spm"); }
static void test_back_phi_3(void **state) { check_round_trip(state, "phi-3"); }
static void test_back_gpt_2(void **state) { check_round_trip(state, "gpt-2"); }
static void test_back_llama_bpe(void **state) { check_round_trip(state, "llama-bpe"); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_llama_spm),
        cmocka_unit_test(test_vectors_phi_3),
        cmocka_unit_test(test_vectors_gpt_2),
        cmocka_unit_test(test_vectors_mpt),
        cmocka_unit_test(test_vectors_llama_bpe),
        cmocka_unit_test(test_vectors_starcoder),
        cmocka_unit_test(test_vectors_deepseek),
        cmocka_unit_test(test_vectors_bert_bge),
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_back_llama_spm),
        cmocka_unit_test(test_back_phi_3),
        cmocka_unit_test(test_back_gpt_2),
        cmocka_unit_test(test_back_llama_bpe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
