// See vocab_file.h.
#include "support/vocab_file.h"

#include <stdio.h>
#include <string.h>

#include "fmt/gguf_write.h"
#include "tok/tok.h"

int test_vocab_add(test_vocab *v, const char *text, float score, int32_t type)
{
    ASSERT(v->n < TEST_VOCAB_MAX);
    v->text[v->n] = str_from(text);
    v->score[v->n] = score;
    v->type[v->n] = type;
    return v->n++;
}

int test_vocab_find(const test_vocab *v, const char *text)
{
    for (int i = 0; i < v->n; i++) {
        if (str_eq_z(v->text[i], text)) return i;
    }
    return -1;
}

static void add_words(test_vocab *v, const char *const *words, int n)
{
    for (int i = 0; i < n; i++) test_vocab_add(v, words[i], (float)-i, TOK_NORMAL);
}

static void add_specials(test_vocab *v)
{
    test_vocab_add(v, "<|user|>", 0, TOK_CONTROL);
    test_vocab_add(v, "<|im_end|>", 0, TOK_CONTROL);
    test_vocab_add(v, "<tool>", 0, TOK_USER_DEFINED);
    test_vocab_add(v, "<tool>s", 0, TOK_USER_DEFINED);
    test_vocab_add(v, "<pad>", 0, TOK_UNUSED);
}

static void add_hex_bytes(test_vocab *v, const char *format, int32_t type)
{
    for (int i = 0; i < 256; i++) {
        snprintf(v->bytes[i], sizeof v->bytes[i], format, (unsigned)i);
        test_vocab_add(v, v->bytes[i], 0, type);
    }
}

void test_vocab_spm(test_vocab *v)
{
    static const char *const words[] = {
        "ll", "he", "\u2581h", "llo", "hello", "\u2581hello", "\u2581\u2581", "\u2581", "h", "e",
        "l", "o", "\u00e9", "wo", "rl", "worl", "w", "r"};
    *v = (test_vocab){.model = "llama", .bos = 1, .eos = 2, .unk = 0};
    test_vocab_add(v, "<unk>", 0, TOK_UNKNOWN);
    test_vocab_add(v, "<s>", 0, TOK_CONTROL);
    test_vocab_add(v, "</s>", 0, TOK_CONTROL);
    add_hex_bytes(v, "<0x%02X>", TOK_BYTE);
    add_words(v, words, COUNTOF(words));
    add_specials(v);
}

void test_vocab_bpe(test_vocab *v, const char *pre)
{
    static const char *const words[] = {"ll", "he", "llo", "hello", "\u0120hello", "\u0120\u0120",
                                        "\u0120h", "lo"};
    static const char *const merges[] = {"l l", "h e", "ll o", "he llo", "\u0120 hello",
                                         "\u0120 \u0120", "\u0120 h", "l o"};
    *v = (test_vocab){.model = "gpt2", .pre = pre, .bos = -1, .eos = -1, .unk = -1};
    uint32_t next = 0x100; // bytes that are not printable take the characters from here on
    for (uint32_t i = 0; i < 256; i++) {
        bool plain = (i > 0x20 && i < 0x7F) || (i > 0xA0 && i != 0xAD);
        size_t n = utf8_encode(plain ? i : next, v->bytes[i]);
        next += !plain;
        v->bytes[i][n] = 0;
        test_vocab_add(v, v->bytes[i], 0, TOK_NORMAL);
    }
    add_words(v, words, COUNTOF(words));
    for (size_t i = 0; i < COUNTOF(merges); i++) v->merge[v->n_merges++] = str_from(merges[i]);
    add_specials(v);
}

void test_vocab_t5(test_vocab *v, bool bytes)
{
    static const struct { const char *text; float score; } words[] = {
        {"\u2581", -2}, {"h", -5}, {"e", -5}, {"l", -5}, {"o", -5}, {"ll", -6}, {"he", -7},
        {"llo", -7.5f}, {"\u2581he", -8}, {"hello", -9}, {"\u2581hello", -9.5f}, {"\u00e9", -6}};
    *v = (test_vocab){.model = "t5", .bos = -1, .eos = 1, .unk = 2};
    test_vocab_add(v, "<pad>", 0, TOK_CONTROL);
    test_vocab_add(v, "</s>", 0, TOK_CONTROL);
    test_vocab_add(v, "<unk>", 0, TOK_UNKNOWN);
    if (bytes) add_hex_bytes(v, "<0x%02X>", TOK_BYTE);
    for (size_t i = 0; i < COUNTOF(words); i++) {
        test_vocab_add(v, words[i].text, words[i].score, TOK_NORMAL);
    }
    add_specials(v);
}

void test_vocab_raw(test_vocab *v)
{
    static const char *const merges[] = {"l l", "h e", "ll o", "he llo", "\u2581 hello",
                                         "\u2581 \u2581", "\u2581 h", "w o"};
    test_vocab_spm(v);
    v->model = "gemma4";
    test_vocab_add(v, "\n", 0, TOK_NORMAL);
    test_vocab_add(v, "\n\n\n", 0, TOK_NORMAL);
    for (size_t i = 0; i < COUNTOF(merges); i++) v->merge[v->n_merges++] = str_from(merges[i]);
}

void test_vocab_bert(test_vocab *v)
{
    static const char *const words[] = {"\u2581hello", "\u2581he", "llo", "l", "o", "e", "h",
                                        "\u2581h", "\u2581world", "\u2581!", "\u2581\u4e16", "s"};
    *v = (test_vocab){.model = "bert", .bos = 2, .eos = -1, .unk = 1, .sep = 3};
    test_vocab_add(v, "[PAD]", 0, TOK_CONTROL);
    test_vocab_add(v, "[UNK]", 0, TOK_UNKNOWN);
    test_vocab_add(v, "[CLS]", 0, TOK_CONTROL);
    test_vocab_add(v, "[SEP]", 0, TOK_CONTROL);
    add_words(v, words, COUNTOF(words));
    add_specials(v);
}

void test_vocab_rwkv(test_vocab *v)
{
    static const char *const words[] = {"he", "ll", "llo", "hello", " hello", "\\n\\n", "\\'s",
                                        "\\xe4\\xb8\\x96", "\\t\\r\\\\"};
    *v = (test_vocab){.model = "rwkv", .bos = -1, .eos = 0, .unk = -1};
    test_vocab_add(v, "<|rwkv_tokenizer_end_of_text|>", 0, TOK_CONTROL);
    add_hex_bytes(v, "\\x%02x", TOK_NORMAL);
    add_words(v, words, COUNTOF(words));
    add_specials(v);
}

void test_vocab_plamo(test_vocab *v)
{
    static const struct { const char *text; float score; } words[] = {
        {"h", -3}, {"e", -3}, {"l", -3}, {"o", -3}, {"he", -4}, {"hel", -4}, {"lo", -4},
        {"llo", -4}, {"ll", -6}, {"hello", -9}, {" ", -2}, {" h", -5}, {"\u4e16", -3},
        {"q", -1000.5f}, {"z", -2000}};
    *v = (test_vocab){.model = "plamo2", .bos = 1, .eos = 2, .unk = 0};
    test_vocab_add(v, "<unk>", 0, TOK_UNKNOWN);
    test_vocab_add(v, "<s>", 0, TOK_CONTROL);
    test_vocab_add(v, "</s>", 0, TOK_CONTROL);
    test_vocab_add(v, "<pad>", 0, TOK_CONTROL);
    add_hex_bytes(v, "<0x%02X>", TOK_BYTE);
    for (size_t i = 0; i < COUNTOF(words); i++) {
        test_vocab_add(v, words[i].text, words[i].score, TOK_NORMAL);
    }
    add_specials(v);
}

void test_vocab_dna(test_vocab *v)
{
    static const char *const words[] = {"<dna>", "</dna>", "<oov>", "CCCCCC", "ACGTAC\ue000",
                                        "CCCCCC\ue000", "CCAAAA\ue000"};
    test_vocab_bpe(v, "gpt-2");
    v->model = "hybriddna";
    add_words(v, words, COUNTOF(words));
}

void test_vocab_whitespace(test_vocab *v)
{
    static const char *const words[] = {"h", "e", "l", "o", "he", "ll", "llo", "hello", "\u4e16",
                                        "\u00e9"};
    static const char *const merges[] = {"l l", "h e", "ll o", "he llo"};
    *v = (test_vocab){.model = "whitespace", .pre = "whitespace", .bos = -1, .eos = -1, .unk = 0};
    test_vocab_add(v, "<unk>", 0, TOK_UNKNOWN);
    add_words(v, words, COUNTOF(words));
    for (size_t i = 0; i < COUNTOF(merges); i++) v->merge[v->n_merges++] = str_from(merges[i]);
    add_specials(v);
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return false;
}

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

static hearth_status write_id(gguf_writer *w, const char *key, int id)
{
    return id < 0 ? HEARTH_OK : gguf_write_u32(w, key, (uint32_t)id, NULL);
}

static hearth_status write_keys(const test_vocab *v, gguf_writer *w)
{
    uint64_t n = (uint64_t)v->n;
    if (v->name) HEARTH_TRY(gguf_write_str(w, "general.name", str_from(v->name), NULL));
    HEARTH_TRY(gguf_write_str(w, "tokenizer.ggml.model", str_from(v->model), NULL));
    if (v->pre) HEARTH_TRY(gguf_write_str(w, "tokenizer.ggml.pre", str_from(v->pre), NULL));
    HEARTH_TRY(gguf_write_str_array(w, "tokenizer.ggml.tokens", v->text, n, NULL));
    HEARTH_TRY(gguf_write_array(w, "tokenizer.ggml.token_type", GGUF_I32, v->type, n, NULL));
    static const char *const scored[] = {"llama", "t5", "plamo2"};
    static const char *const merged[] = {"gpt2", "gemma4", "hybriddna", "whitespace"};
    if (is_one_of(v->model, scored, COUNTOF(scored))) {
        HEARTH_TRY(gguf_write_array(w, "tokenizer.ggml.scores", GGUF_F32, v->score, n, NULL));
    }
    if (is_one_of(v->model, merged, COUNTOF(merged))) {
        HEARTH_TRY(gguf_write_str_array(w, "tokenizer.ggml.merges", v->merge,
                                        (uint64_t)v->n_merges, NULL));
    }
    if (v->charsmap.n) {
        HEARTH_TRY(gguf_write_array(w, "tokenizer.ggml.precompiled_charsmap", GGUF_U8,
                                    v->charsmap.p, v->charsmap.n, NULL));
    }
    HEARTH_TRY(write_id(w, "tokenizer.ggml.bos_token_id", v->bos));
    HEARTH_TRY(write_id(w, "tokenizer.ggml.eos_token_id", v->eos));
    HEARTH_TRY(write_id(w, "tokenizer.ggml.unknown_token_id", v->unk));
    HEARTH_TRY(write_id(w, "tokenizer.ggml.seperator_token_id", v->sep > 0 ? v->sep : -1));
    HEARTH_TRY(gguf_write_bool(w, "tokenizer.ggml.add_eos_token", v->add_eos, NULL));
    if (v->no_space_prefix) {
        HEARTH_TRY(gguf_write_bool(w, "tokenizer.ggml.add_space_prefix", false, NULL));
    }
    if (v->remove_extra_spaces) {
        HEARTH_TRY(gguf_write_bool(w, "tokenizer.ggml.remove_extra_whitespaces", true, NULL));
    }
    if (v->lowers) {
        HEARTH_TRY(gguf_write_bool(w, "tokenizer.ggml.normalizer.lowercase", true, NULL));
    }
    HEARTH_TRY(gguf_write_header(w, NULL));
    return gguf_write_end(w, NULL);
}

bool test_vocab_write(const test_vocab *v, buf *out)
{
    gguf_writer *w = NULL;
    hearth_status status = gguf_writer_create(append, out, &w, NULL);
    if (status == HEARTH_OK) status = write_keys(v, w);
    gguf_writer_free(w);
    return status == HEARTH_OK;
}
