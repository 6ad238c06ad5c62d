// Splits and ids against other tokenizers on random strings: golden/tok/texts.vec, whose generator
// stands beside it and describes the format. `test_tok_golden FILE [IDS [MODELS]]`
// takes a larger file instead, one of ids like bert.vec, and models like unigram_*.txt.
// The splits of fewer models are in golden/tok/splits.vec, with shorter hashes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/test_data.h"
#include "support/vocab_file.h"
#include "tok/split.h"
#include "tok/tok.h"

static const char *vector_file, *second_file, *second_model[2];

static int hex_value(char c) { return c <= '9' ? c - '0' : (c & ~32) - 'A' + 10; }

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

typedef struct model {
    unsigned char *file;
    gguf *g;
    tok *t;
    tok_ids ids;
    buf back;
} model;

static void open_bytes(const char *name, const void *bytes, size_t n, model *m)
{
    gguf_bytes part = {name, bytes, n};
    hearth_err err = ERR_INIT;
    if (gguf_open(&part, 1, &m->g, &err) != HEARTH_OK || tok_open(m->g, &m->t, &err) != HEARTH_OK) {
        fail_msg("%s: %s", name, err.msg);
    }
    buf_init(&m->back, MEM_TEST, 1 << 20);
}

static bool open_model(const char *name, model *m)
{
    char path[512];
    size_t n = 0;
    *m = (model){0};
    if (!test_data_path(name, path, sizeof path)) return false;
    m->file = test_read_file(path, &n);
    assert_non_null(m->file);
    open_bytes(name, m->file, n, m);
    return true;
}

static void close_model(model *m)
{
    buf_release(&m->back);
    tok_ids_release(&m->ids);
    tok_free(m->t);
    gguf_close(m->g);
    free(m->file);
}

// Encodes and compares the ids.
static bool check_text(model *m, str text, str expected)
{
    hearth_err err = ERR_INIT;
    m->ids.n = 0;
    hearth_status status = tok_encode(m->t, text, (tok_options){0}, &m->ids, &err);
    if (status != HEARTH_OK) fail_msg("%s", err.msg);
    uint32_t h = 0x811C9DC5u;
    for (size_t i = 0; i < m->ids.n; i++) h = hash_number(h, (uint32_t)m->ids.id[i]);
    return str_eq(expected, STR("----")) || equals_base64(h, expected);
}

static void check_back(model *m, str text)
{
    tok_stream s;
    tok_stream_init(&s);
    buf_reset(&m->back);
    for (size_t i = 0; i < m->ids.n; i++) {
        assert_int_equal(tok_stream_put(m->t, &s, m->ids.id[i], false, &m->back), HEARTH_OK);
    }
    assert_int_equal(tok_stream_flush(&s, false, &m->back), HEARTH_OK);
    assert_true(str_eq(buf_str(&m->back), text));
}

static void check_ids(const char *name, int column)
{
    model m;
    if (!open_model(name, &m)) skip();
    rows r;
    str expected;
    int n = 0, wrong = 0;
    open_rows(&r);
    for (; next_row(&r.rest, column, &r.text, &expected); n++) {
        bool right = check_text(&m, buf_str(&r.text), expected);
        check_back(&m, buf_str(&r.text));
        if (!right && wrong++ < 10) print_error("%s: line %d: %s\n", name, n + 1, r.text.p);
    }
    print_message("%s: %d texts, %d differ\n", name, n, wrong);
    assert_true(n >= 1000);
    assert_int_equal(wrong, 0);
    close_rows(&r);
    close_model(&m);
}

static void test_ids_gpt_2(void **state) { (void)state; check_ids("tokenizers/gpt-2.gguf", 4); }
static void test_ids_llama(void **state) { (void)state; check_ids("tokenizers/llama-bpe.gguf", 5); }
static void test_ids_spm(void **state) { (void)state; check_ids("tokenizers/llama-spm.gguf", 6); }
static void test_ids_phi_3(void **state) { (void)state; check_ids("tokenizers/phi-3.gguf", 7); }

// The hashes of a model that does not give the text back stand in a file of their own.
static void check_own_file(model *m, const char *vectors, int column)
{
    rows texts, hashes;
    str unused, line, expected = {0};
    int n = 0, wrong = 0;
    open_rows(&texts);
    open_file(&hashes, vectors, second_file);
    for (; next_row(&texts.rest, 0, &texts.text, &unused); n++) {
        line = str_cut(&hashes.rest, '\n');
        for (int i = 0; i <= column; i++) expected = str_cut(&line, ' ');
        if (check_text(m, buf_str(&texts.text), expected)) continue;
        if (wrong++ < 10) print_error("%s: line %d: %s\n", vectors, n + 1, texts.text.p);
    }
    print_message("%s: %d texts, %d differ\n", vectors, n, wrong);
    assert_true(n >= 1000 && hashes.rest.n == 0);
    assert_int_equal(wrong, 0);
    close_rows(&texts);
    close_rows(&hashes);
}

static void test_ids_bert(void **state)
{
    (void)state;
    model m;
    if (!open_model("tokenizers/bert-bge.gguf", &m)) skip();
    check_own_file(&m, "golden/tok/bert.vec", 0);
    close_model(&m);
}

static test_vocab vocab;

// A model as gen_unigram.py writes it.
static void read_unigram(str in, buf *charsmap)
{
    int64_t number;
    str head = str_cut(&in, '\n'), rules = str_cut(&in, '\n');
    vocab = (test_vocab){.model = "t5", .bos = -1, .eos = -1};
    vocab.no_space_prefix = str_eq_z(str_cut(&head, ' '), "0");
    vocab.remove_extra_spaces = str_eq_z(str_cut(&head, ' '), "1");
    assert_true(str_parse_i64(head, &number));
    vocab.unk = (int)number;
    for (size_t i = 0; i + 1 < rules.n; i += 2) {
        int byte = hex_value(rules.p[i]) * 16 + hex_value(rules.p[i + 1]);
        assert_int_equal(buf_append_char(charsmap, (char)byte), HEARTH_OK);
    }
    vocab.charsmap = buf_str(charsmap);
    while (in.n) {
        double score;
        str line = str_cut(&in, '\n');
        assert_true(str_parse_f64(str_cut(&line, ' '), &score));
        assert_true(str_parse_i64(str_cut(&line, ' '), &number));
        int at = test_vocab_add(&vocab, "", (float)score, (int32_t)number);
        vocab.text[at] = line;
    }
}

static void check_unigram(const char *name, int column)
{
    model m = {0};
    rows r;
    buf charsmap, file;
    buf_init(&charsmap, MEM_TEST, 1 << 20);
    buf_init(&file, MEM_TEST, 1 << 20);
    open_file(&r, name, second_model[column]);
    read_unigram(r.rest, &charsmap);
    assert_true(test_vocab_write(&vocab, &file));
    open_bytes(name, file.p, file.n, &m);
    check_own_file(&m, "golden/tok/unigram.vec", column);
    close_model(&m);
    buf_release(&charsmap);
    buf_release(&file);
    close_rows(&r);
}

static void test_ids_unigram(void **state)
{
    (void)state;
    check_unigram("golden/tok/unigram_unk.txt", 0);
    check_unigram("golden/tok/unigram_bytes.txt", 1);
}


// A model as gen_raw.py writes it; `room` takes the spellings, which must not move.
static void read_raw(str in, buf *room)
{
    int64_t n = 0, n_merges = 0;
    buf text;
    str head = str_cut(&in, '\n');
    assert_true(str_parse_i64(str_cut(&head, ' '), &n) && str_parse_i64(head, &n_merges));
    assert_true(n <= TEST_VOCAB_MAX && n_merges <= (int64_t)COUNTOF(vocab.merge));
    assert_int_equal(buf_reserve(room, in.n), HEARTH_OK);
    buf_init(&text, MEM_TEST, 1 << 10);
    vocab = (test_vocab){.model = "gemma4", .bos = -1, .eos = -1, .unk = -1};
    for (int64_t i = 0; i < n + n_merges; i++) {
        unescape(str_cut(&in, '\n'), &text);
        str kept = {room->p + room->n, text.n};
        assert_int_equal(buf_append_str(room, buf_str(&text)), HEARTH_OK);
        if (i >= n) {
            vocab.merge[vocab.n_merges++] = kept;
        } else {
            int at = test_vocab_add(&vocab, "", 0, i < 256 ? TOK_BYTE : TOK_NORMAL);
            vocab.text[at] = kept;
        }
    }
    buf_release(&text);
}

static void test_ids_raw(void **state)
{
    (void)state;
    model m = {0};
    rows r;
    buf room, file;
    buf_init(&room, MEM_TEST, 1 << 20);
    buf_init(&file, MEM_TEST, 1 << 20);
    open_file(&r, "golden/tok/raw_bpe.txt", NULL);
    read_raw(r.rest, &room);
    assert_true(test_vocab_write(&vocab, &file));
    open_bytes("raw_bpe.txt", file.p, file.n, &m);
    check_own_file(&m, "golden/tok/raw_bpe.vec", 0);
    close_model(&m);
    buf_release(&room);
    buf_release(&file);
    close_rows(&r);
}

int main(int argc, char **argv)
{
    if (argc > 1) vector_file = argv[1];
    if (argc > 2) second_file = argv[2];
    if (argc > 3) second_model[0] = argv[3];
    if (argc > 4) second_model[1] = argv[4];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_gpt2),  cmocka_unit_test(test_split_llama),
        cmocka_unit_test(test_split_qwen2), cmocka_unit_test(test_split_default),
        cmocka_unit_test(test_other_splits),
        cmocka_unit_test(test_ids_gpt_2),   cmocka_unit_test(test_ids_llama),
        cmocka_unit_test(test_ids_spm),     cmocka_unit_test(test_ids_phi_3),
        cmocka_unit_test(test_ids_bert),    cmocka_unit_test(test_ids_unigram),
        cmocka_unit_test(test_ids_raw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
