// Properties of code points that the word splits ask for.
//
// General categories come from a generated table of ranges (16 KB, binary search; ASCII directly);
// white space is the White_Space property, which is what \s means in the published patterns.
#ifndef HEARTH_TOK_UNICODE_H
#define HEARTH_TOK_UNICODE_H

#include "defs/defs.h"

typedef enum unicode_category { // in the order of tools/gen_unicode.py
    UC_LU, UC_LL, UC_LT, UC_LM, UC_LO, UC_MN, UC_MC, UC_ME, UC_ND, UC_NL, UC_NO,
    UC_PC, UC_PD, UC_PS, UC_PE, UC_PI, UC_PF, UC_PO, UC_SM, UC_SC, UC_SK, UC_SO,
    UC_ZS, UC_ZL, UC_ZP, UC_CC, UC_CF, UC_CS, UC_CO, UC_CN
} unicode_category;

unicode_category unicode_get_category(uint32_t cp); // UC_CN above 0x10FFFF
bool unicode_is_space(uint32_t cp);

static inline bool unicode_is_letter(unicode_category c) { return c <= UC_LO; }
static inline bool unicode_is_number(unicode_category c) { return c >= UC_ND && c <= UC_NO; }
static inline bool unicode_is_punctuation(unicode_category c) { return c >= UC_PC && c <= UC_PO; }

#endif
