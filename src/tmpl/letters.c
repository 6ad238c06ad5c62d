// Upper and lower case of single code points, from a generated table of ranges.
//
// Letters whose other case is several letters stay as they are, except U+00DF (text.c).
#include "tmpl/tmpl_int.h"

struct case_range { uint32_t first, last; int32_t step, delta; };

#include "tmpl/case_table.h"

// Ranges are sorted; those of step 2 may interleave with the next one, so a few are looked at.
static uint32_t look_up(const struct case_range *rows, size_t n, uint32_t cp)
{
    size_t low = 0, high = n;
    while (low < high) { // the first range that begins after cp
        size_t mid = (low + high) / 2;
        if (rows[mid].first <= cp) low = mid + 1;
        else high = mid;
    }
    for (size_t i = low; i-- > 0 && low - i <= 3;) {
        bool hit = cp <= rows[i].last && (cp - rows[i].first) % (uint32_t)rows[i].step == 0;
        if (hit) return (uint32_t)((int32_t)cp + rows[i].delta);
    }
    return cp;
}

uint32_t change_case(uint32_t cp, letter_case to)
{
    if (cp < 128) {
        bool upper = cp >= 'A' && cp <= 'Z', lower = cp >= 'a' && cp <= 'z';
        if (upper && to != CASE_UPPER) return cp + 32;
        return lower && to != CASE_LOWER ? cp - 32 : cp;
    }
    uint32_t up = look_up(to_upper, COUNTOF(to_upper), cp);
    if (to == CASE_UPPER || (to == CASE_SWAP && up != cp)) return up;
    return look_up(to_lower, COUNTOF(to_lower), cp);
}
