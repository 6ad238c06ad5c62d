// Splits and ids against other tokenizers on random strings: golden/tok/texts.vec, whose generator
// stands beside it and describes the format. `test_tok_golden FILE` takes a larger file instead.
// The splits of fewer models are in golden/tok/splits.vec, with shorter hashes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/test_data.h"
#include "tok/split.h"
#include "tok/tok.h"

static const char *vector_file;

static int hex_value(char c) { return c <= '9' ? c - '0' : c - 'A' + 10; }

static void unescape(str s, buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            c = (char)(hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2]));
            i += 2;
        }
        assert_int_equal(buf_append_char(out, c), HEARTH_OK);
    }
}

static uint32_t hash_number(uint32_t h, uint32_t number)
{
    for (int i = 0; i < 4; i++) h = (h ^ (number >> 8 * i & 0xFF)) * 0x01000193u;
    return h;
}

// `expected`: the upper bits of the hash, at most 24.
static bool equals_base64(uint32_t h, str expected)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[4];
    assert_true(expected.n <= 4);
    for (int i = 0; i < 4; i++) text[i] = digits[h >> (26 - 6 * i) & 63];
    return str_eq((str){text, expected.n}, expected);
}

static uint32_t hash_words(const word_split *split, str text)
{
    uint32_t h = 0x811C9DC5u;
    split_cursor cursor = {0};
    for (size_t at = 0, end; at < text.n; at = end) {
        end = split_next(split, &cursor, text, at);
        assert_true(end > at && end <= text.n);
        h = hash_number(h, (uint32_t)(end - at));
    }
    return h;
}

// The text and the `column`-th field behind it; false at the end of the file.
static bool next_row(str *rest, int column, buf *text, str *field)
{
    if (rest->n == 0) return false;
    str line = str_cut(rest, '\n');
    unescape(str_cut(&line, ' '), text);
    for (int i = 0; i <= column; i++) *field = str_cut(&line, ' ');
    assert_int_equal(field->n, 4);
    return true;
}

typedef struct rows {
    unsigned char *bytes;
    str rest;
    buf text;
} rows;

static void open_file(rows *r, const char *name, const char *instead)
{
    char path[512];
    size_t n = 0;
    test_source_path(name, path, sizeof path);
    r->bytes = test_read_file(instead ? instead : path, &n);
    assert_non_null(r->bytes);
    r->rest = (str){(const char *)r->bytes, n};
    buf_init(&r->text, MEM_TEST, 1 << 20);
}

static void open_rows(rows *r) { open_file(r, "golden/tok/texts.vec", vector_file); }

static void close_rows(rows *r)
{
    free(r->bytes);
    buf_release(&r->text);
}

static void check_split(const char *pre, int column)
{
    const word_split *split = split_find(str_from(pre));
    assert_non_null(split);
    rows r;
    str expected;
    int n = 0, wrong = 0;
    open_rows(&r);
    for (; next_row(&r.rest, column, &r.text, &expected); n++) {
        if (equals_base64(hash_words(split, buf_str(&r.text)), expected)) continue;
        if (wrong++ < 10) print_error("%s splits line %d differently: %s\n", pre, n + 1, r.text.p);
    }
    print_message("%s: %d splits, %d differ\n", pre, n, wrong);
    assert_true(n >= 1000);
    assert_int_equal(wrong, 0);
    close_rows(&r);
}

static void test_split_gpt2(void **state) { (void)state; check_split("gpt-2", 0); }
static void test_split_llama(void **state) { (void)state; check_split("llama-bpe", 1); }
static void test_split_qwen2(void **state) { (void)state; check_split("qwen2", 2); }
static void test_split_default(void **state) { (void)state; check_split("default", 3); }

static void check_column(str lines, str name, size_t column, buf *text)
{
    const word_split *split = split_find(name);
    assert_non_null(split);
    int n = 0, wrong = 0;
    for (; lines.n; n++) {
        str line = str_cut(&lines, '\n');
        unescape(str_cut(&line, ' '), text);
        assert_true(line.n >= 2 * column + 2);
        str expected = {line.p + 2 * column, 2};
        if (equals_base64(hash_words(split, buf_str(text)), expected)) continue;
        if (wrong++ < 10) print_error("%.*s: line %d: %s\n", STR_ARG(name), n + 2, text->p);
    }
    print_message("%.*s: %d splits, %d differ\n", STR_ARG(name), n, wrong);
    assert_true(n >= 1000);
    assert_int_equal(wrong, 0);
}

static void test_other_splits(void **state)
{
    (void)state;
    rows r;
    open_file(&r, "golden/tok/splits.vec", NULL);
    str names = str_cut(&r.rest, '\n');
    size_t column = 0;
    while (names.n) check_column(r.rest, str_cut(&names, ' '), column++, &r.text);
    assert_true(column >= 20);
    close_rows(&r);
}

// Encodes, compares the ids, decodes and compares the text.
static bool check_text(const tok *t, str text, str expected, tok_ids *ids, buf *back)
{
    hearth_err err = ERR_INIT;
    ids->n = 0;
    if (tok_encode(t, text, (tok_options){0}, ids, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    uint32_t h = 0x811C9DC5u;
    tok_stream s;
    tok_stream_init(&s);
    buf_reset(back);
    for (size_t i = 0; i < ids->n; i++) {
        h = hash_number(h, (uint32_t)ids->id[i]);
        assert_int_equal(tok_stream_put(t, &s, ids->id[i], false, back), HEARTH_OK);
    }
    assert_int_equal(tok_stream_flush(&s, false, back), HEARTH_OK);
    assert_true(str_eq(buf_str(back), text));
    return str_eq(expected, STR("----")) || equals_base64(h, expected);
}

static void check_ids(const char *name, int column)
{
    char path[512];
    size_t file_n = 0;
    if (!test_data_path(name, path, sizeof path)) skip();
    unsigned char *file = test_read_file(path, &file_n);
    gguf_bytes part = {name, file, file_n};
    gguf *g;
    tok *t;
    assert_int_equal(gguf_open(&part, 1, &g, NULL), HEARTH_OK);
    assert_int_equal(tok_open(g, &t, NULL), HEARTH_OK);
    rows r;
    str expected;
    int n = 0, wrong = 0;
    tok_ids ids = {0};
    buf back;
    buf_init(&back, MEM_TEST, 1 << 20);
    open_rows(&r);
    for (; next_row(&r.rest, column, &r.text, &expected); n++) {
        if (check_text(t, buf_str(&r.text), expected, &ids, &back)) continue;
        if (wrong++ < 10) print_error("%s differs on line %d: %s\n", name, n + 1, r.text.p);
    }
    print_message("%s: %d texts, %d differ\n", name, n, wrong);
    assert_true(n >= 1000);
    assert_int_equal(wrong, 0);
    close_rows(&r);
    buf_release(&back);
    tok_ids_release(&ids);
    tok_free(t);
    gguf_close(g);
    free(file);
}

static void test_ids_gpt_2(void **state) { (void)state; check_ids("tokenizers/gpt-2.gguf", 4); }
static void test_ids_llama(void **state) { (void)state; check_ids("tokenizers/llama-bpe.gguf", 5); }
static void test_ids_spm(void **state) { (void)state; check_ids("tokenizers/llama-spm.gguf", 6); }
static void test_ids_phi_3(void **state) { (void)state; check_ids("tokenizers/phi-3.gguf", 7); }

int main(int argc, char **argv)
{
    if (argc > 1) vector_file = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_gpt2),  cmocka_unit_test(test_split_llama),
        cmocka_unit_test(test_split_qwen2), cmocka_unit_test(test_split_default),
        cmocka_unit_test(test_other_splits),
        cmocka_unit_test(test_ids_gpt_2),   cmocka_unit_test(test_ids_llama),
        cmocka_unit_test(test_ids_spm),     cmocka_unit_test(test_ids_phi_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
