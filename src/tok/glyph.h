// Characters with their class, for matchers of published patterns.
//
// A class is a set of one bit: 1 << general category, or SET_SPACE for White_Space (\s), whose
// characters are in no category's bit. Patterns' classes are unions. Bytes that are not UTF-8 are
// unassigned characters of one byte. At the end of the text the set is empty.
#ifndef HEARTH_TOK_GLYPH_H
#define HEARTH_TOK_GLYPH_H

#include "base/str.h"
#include "tok/unicode.h"

#define SET_OF(category) (1u << (category))
#define SET_L (SET_OF(UC_LU) | SET_OF(UC_LL) | SET_OF(UC_LT) | SET_OF(UC_LM) | SET_OF(UC_LO))
#define SET_M (SET_OF(UC_MN) | SET_OF(UC_MC) | SET_OF(UC_ME))
#define SET_N (SET_OF(UC_ND) | SET_OF(UC_NL) | SET_OF(UC_NO))
#define SET_P (SET_OF(UC_PC) | SET_OF(UC_PD) | SET_OF(UC_PS) | SET_OF(UC_PE) | SET_OF(UC_PI) | \
               SET_OF(UC_PF) | SET_OF(UC_PO))
#define SET_S (SET_OF(UC_SM) | SET_OF(UC_SC) | SET_OF(UC_SK) | SET_OF(UC_SO))
#define SET_SPACE (1u << 30)
#define SET_OTHER (SET_SPACE - 1 - (SET_L | SET_N)) // [^\s\p{L}\p{N}]

typedef struct glyph {
    uint32_t cp;
    uint32_t set;
    size_t n; // bytes, 0 at the end of the text
} glyph;

glyph glyph_at(str s, size_t at);
// The end of the run of characters in `set` that begins at `at`; at most `most` of them.
size_t glyph_skip(str s, size_t at, uint32_t set);
size_t glyph_skip_some(str s, size_t at, uint32_t set, int most);

typedef struct glyph_range { uint32_t first, last; } glyph_range; // lists of them are in order
bool glyph_is_in(uint32_t cp, const glyph_range *ranges, size_t n);
size_t glyph_skip_ranges(str s, size_t at, const glyph_range *ranges, size_t n);

static inline bool glyph_is_newline(glyph g) { return g.cp == '\r' || g.cp == '\n'; }

#endif
