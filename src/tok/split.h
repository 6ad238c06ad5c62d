// How byte-level BPE cuts text into words before merging, by the name in tokenizer.ggml.pre.
//
// A split is a list of passes, each a published pattern written as a matcher; a pass cuts the
// pieces that the one before left, into what its pattern matches and what lies between. A new split
// is a row in split.c and, if its patterns are new, matchers in split_match.c or split_part.c.
#ifndef HEARTH_TOK_SPLIT_H
#define HEARTH_TOK_SPLIT_H

#include "base/str.h"

enum { SPLIT_PASSES = 6 };
// The end of the match that begins at `at` < s.n, `at` when there is none. Must fail in constant
// time: it is tried at every position between two matches.
typedef size_t (*split_match)(str s, size_t at);

typedef struct word_split {
    const char *name; // of the tokenizer: "gpt2/" and the split; aliases share it
    split_match pass[SPLIT_PASSES]; // NULL behind the last
    bool whole_word_first; // a word that is a token is not put together by merges
    bool add_bos;          // when the file is silent
    bool raw;              // the vocabulary is spelled as text with U+2581 for spaces, see bpe.c
    bool drops_spaces;     // white space between words is no token; nothing stands for it
    bool newlines_first;   // a run of newlines that is a token is not put together by merges
} word_split;

const word_split *split_find(str pre); // NULL: not supported
size_t split_count(void);              // names that split_find() knows

// Where the pieces of each pass end; {0} at the beginning of a text.
typedef struct split_cursor { size_t end[SPLIT_PASSES]; } split_cursor;
// The end of the word that begins at `at`, which is 0 or where the last word ended; at < text.n.
size_t split_next(const word_split *split, split_cursor *c, str text, size_t at);

#endif
