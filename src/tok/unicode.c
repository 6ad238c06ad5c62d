// See unicode.h.
#include "tok/unicode.h"

#include "tok/unicode_table.h"

unicode_category unicode_get_category(uint32_t cp)
{
    if (cp < COUNTOF(ASCII_CATEGORY)) return (unicode_category)ASCII_CATEGORY[cp];
    if (cp > 0x10FFFF) return UC_CN;
    // The last range that begins at or before cp; the first begins at 0.
    size_t low = 0, high = COUNTOF(CATEGORY_RANGES);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (CATEGORY_RANGES[middle] >> 8 <= cp) low = middle;
        else high = middle;
    }
    return (unicode_category)(CATEGORY_RANGES[low] & 0xFF);
}

bool unicode_is_space(uint32_t cp)
{
    if (cp < 0x80) return cp == ' ' || (cp >= '\t' && cp <= '\r');
    switch (cp) {
    case 0x85: case 0xA0: case 0x1680: case 0x2028: case 0x2029: case 0x202F: case 0x205F:
    case 0x3000: return true;
    default: return cp >= 0x2000 && cp <= 0x200A;
    }
}
