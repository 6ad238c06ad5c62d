// See ranges.h.
#include "tok/json/ranges.h"

// The fourth block is published as beginning at 0x2B920, where 0x2B820 was meant.
bool range_is_ideograph(uint32_t cp)
{
    static const glyph_range blocks[] = {
        {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
        {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
    return cp >= 0x3400 && glyph_is_in(cp, blocks, COUNTOF(blocks));
}

bool range_is_bert_removed(uint32_t cp)
{
    if (cp == '\t' || cp == '\n' || cp == '\r') return false;
    return cp == 0 || cp == 0xFFFD || unicode_get_category(cp) >= UC_CC;
}

bool range_is_mark(uint32_t cp)
{
    unicode_category c = unicode_get_category(cp);
    return unicode_is_punctuation(c) || (cp < 0x80 && c >= UC_SM && c <= UC_SO);
}

// Alphabetic symbols are the circled and squared letters; the two joiners count as well.
bool range_is_word(uint32_t cp)
{
    static const glyph_range more[] = {{0x200C, 0x200D},   {0x24B6, 0x24E9},   {0x1F130, 0x1F149},
                                       {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
    uint32_t set = SET_OF(unicode_get_category(cp));
    if (set & (SET_L | SET_M | SET_OF(UC_ND) | SET_OF(UC_NL) | SET_OF(UC_PC))) return true;
    return glyph_is_in(cp, more, COUNTOF(more));
}
