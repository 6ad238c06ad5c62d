// See fold.h. Both mappings are generated tables searched by halves; Hangul syllables are computed,
// as the Unicode standard (3.12) defines them. Marks that stay are not sorted by combining class:
// only three musical symbols and two tone marks could ever change places.
#include "tok/fold.h"

#include "tok/fold_table.h"
#include "tok/unicode.h"

// A syllable is (lead * 21 + vowel) * 28 + tail; tail 0 is none.
static int split_hangul(uint32_t cp, uint32_t *out)
{
    uint32_t n = cp - 0xAC00, tail = n % 28;
    out[0] = 0x1100 + n / 28 / 21;
    out[1] = 0x1161 + n / 28 % 21;
    out[2] = 0x11A7 + tail;
    return tail ? 3 : 2;
}

int fold_strip(uint32_t cp, uint32_t out[FOLD_MAX])
{
    if (cp < 0xC0) { // nothing below decomposes
        out[0] = cp;
        return 1;
    }
    if (cp >= 0xAC00 && cp <= 0xD7A3) return split_hangul(cp, out);
    size_t low = 0, high = COUNTOF(STRIP_ROWS); // the first row whose code point is >= cp
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (STRIP_ROWS[middle] >> 11 < cp) low = middle + 1;
        else high = middle;
    }
    if (low == COUNTOF(STRIP_ROWS) || STRIP_ROWS[low] >> 11 != cp) {
        out[0] = cp;
        return unicode_get_category(cp) != UC_MN;
    }
    size_t from = STRIP_ROWS[low] & 0x7FF, n = STRIP_POOL[from] >> 24;
    for (size_t i = 0; i < n; i++) out[i] = STRIP_POOL[from + i] & 0x1FFFFF;
    return (int)n;
}

int fold_lower(uint32_t cp, uint32_t out[2])
{
    out[0] = cp;
    if (cp < 0x80) {
        if (cp >= 'A' && cp <= 'Z') out[0] = cp - 'A' + 'a';
        return 1;
    }
    if (cp == 0x130) {
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    size_t low = 0, high = COUNTOF(LOWER_RUNS); // the last run that begins at or before cp
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (LOWER_RUNS[middle].first <= cp) low = middle;
        else high = middle;
    }
    uint32_t offset = cp - LOWER_RUNS[low].first;
    if (cp >= LOWER_RUNS[low].first && cp <= LOWER_RUNS[low].last &&
        offset % LOWER_RUNS[low].step == 0) {
        out[0] = (uint32_t)((int32_t)cp + LOWER_RUNS[low].delta);
    }
    return 1;
}
