// How byte-level BPE cuts text into words before merging, by the name in tokenizer.ggml.pre.
//
// A split is a function from a position to the end of the word that begins there; it needs no state
// from earlier words. A new one is a function in split.c and a row of its table.
#ifndef HEARTH_TOK_SPLIT_H
#define HEARTH_TOK_SPLIT_H

#include "base/str.h"

typedef struct word_split {
    const char *pre;  // value of tokenizer.ggml.pre
    const char *name; // of the tokenizer, "gpt2/" and the split; aliases share it
    size_t (*next)(str text, size_t at); // at < text.n; result in (at, text.n]
    bool whole_word_first; // a word that is a token is not put together by merges
    bool add_bos;          // when the file is silent
} word_split;

const word_split *split_find(str pre); // NULL: not supported
void split_list(char *out, size_t cap); // the supported names, for a message

#endif
