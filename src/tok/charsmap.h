// Normalisation rules as SentencePiece compiles them (tokenizer.ggml.precompiled_charsmap).
#ifndef HEARTH_TOK_CHARSMAP_H
#define HEARTH_TOK_CHARSMAP_H

#include "base/str.h"

typedef struct charsmap {
    const uint8_t *units; // [n_units] little-endian, unaligned, borrowed; NULL: no rules
    size_t n_units;
    str texts;            // what is put instead, each ended by NUL
} charsmap;

hearth_status charsmap_open(charsmap *m, const uint8_t *data, size_t n, hearth_err *err);
// How many bytes at the front of s are replaced, and by what; 0 when none are.
size_t charsmap_match(const charsmap *m, str s, str *with);
// What the rule for the shortest front of s puts instead; false when there is none.
bool charsmap_first(const charsmap *m, str s, str *with);

#endif
