// Small vocabularies as GGUF bytes, for tests of tokenizers.
#ifndef TESTS_SUPPORT_VOCAB_FILE_H
#define TESTS_SUPPORT_VOCAB_FILE_H

#include "base/str.h"

enum { TEST_VOCAB_MAX = 1000 };

typedef struct test_vocab {
    const char *name;          // of the model, may be NULL
    const char *model, *pre;   // pre may be NULL
    int n, n_merges;
    str text[TEST_VOCAB_MAX];
    float score[TEST_VOCAB_MAX];
    int32_t type[TEST_VOCAB_MAX];
    str merge[1000];
    str charsmap;              // not written when empty
    int bos, eos, unk;         // -1: not written
    int sep;                   // 0: not written
    bool add_eos, no_space_prefix, remove_extra_spaces;
    bool lowers;               // not written when false
    char bytes[256][8];        // room for the spelling of byte tokens
} test_vocab;

// <unk> <s> </s>, 256 byte tokens, then words around "hello".
void test_vocab_spm(test_vocab *v);
// 256 byte tokens, then words and merges around "hello".
void test_vocab_bpe(test_vocab *v, const char *pre);
// <pad> </s> <unk>, words around "hello" with scores; 256 byte tokens if `bytes`.
void test_vocab_t5(test_vocab *v, bool bytes);
// The vocabulary of test_vocab_spm() with merges ("gemma4").
void test_vocab_raw(test_vocab *v);
// [PAD] [UNK] [CLS] [SEP], words around "hello".
void test_vocab_bert(test_vocab *v);
// 256 bytes as escapes, words around "hello".
void test_vocab_rwkv(test_vocab *v);
// <unk> <s> </s> <pad>, 256 byte tokens, words around "hello" with scores ("plamo2").
void test_vocab_plamo(test_vocab *v);
// The vocabulary of test_vocab_bpe() with DNA ("hybriddna").
void test_vocab_dna(test_vocab *v);
// <unk>, words around "hello" as text, with merges ("whitespace").
void test_vocab_whitespace(test_vocab *v);
int test_vocab_add(test_vocab *v, const char *text, float score, int32_t type); // its id
int test_vocab_find(const test_vocab *v, const char *text);                     // -1: absent
// Writes the file; true on success. `out` must be initialised.
bool test_vocab_write(const test_vocab *v, buf *out);

#endif
