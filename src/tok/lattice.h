// The best way to cover a text with scored tokens: Unigram's core.
//
// best[i] is the best way to cover the first i bytes: from each character that can be reached, the
// trie gives every token that begins there. A character that is no token costs `unk_score`. Sums
// are doubles, as in the tokenizers package; of equal ways the first found stays.
#ifndef HEARTH_TOK_LATTICE_H
#define HEARTH_TOK_LATTICE_H

#include "tok/trie.h"

typedef struct lattice {
    byte_trie words;
    double *score;    // by token
    double unk_score;
} lattice;

typedef struct lattice_step { // afterwards: the token that begins here and where it ends
    double sum;
    uint32_t end;
    int32_t id; // -1: a character that is no token
} lattice_step;

typedef struct lattice_ways { // {0} is valid and empty; reused from text to text
    lattice_step *step; // [cap]
    size_t cap;
} lattice_ways;

void lattice_ways_release(lattice_ways *w);
// Afterwards walk from step[0] along `end` until s.n.
hearth_status lattice_find(const lattice *d, str s, lattice_ways *w, hearth_err *err);

#endif
