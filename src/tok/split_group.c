// Digits in groups of three that are counted from the right, as thousands are: the lead of one or
// two, then threes. The published patterns look ahead over the whole run at each digit; here
// one pass cuts off the lead, which takes going over a run twice, and another cuts the threes.
// Digits are \d, in any script.
#include "tok/split_match.h"

#include "tok/glyph.h"
#include "tok/json/ranges.h"

#define SET_D SET_OF(UC_ND)

static size_t count_digits(str s, size_t at)
{
    size_t n = 0;
    for (glyph g; (g = glyph_at(s, at)).set & SET_D; at += g.n) n++;
    return n;
}

// The character that ends at `at`; one byte of what is not UTF-8.
static glyph glyph_before(str s, size_t at)
{
    for (size_t n = 1; n <= 4 && n <= at; n++) {
        glyph g = glyph_at((str){s.p, at}, at - n);
        if (g.n == n && (n > 1 || g.cp != UTF8_BAD)) return g;
    }
    return (glyph){.cp = UTF8_BAD, .set = SET_OF(UC_CN), .n = at > 0};
}

// (?=(\d{3})+(?!\d)) in a run of numbers, cut at the first such place of each run of digits: those
// are whole threes, and what follows them up to the next place has no third digit in a row.
size_t match_thousands(str s, size_t at)
{
    if (!(glyph_at(s, at).set & SET_N)) return at;
    size_t n = count_digits(s, at);
    if (n % 3 == 0) at = glyph_skip(s, at, SET_D);
    while (at < s.n) {
        n = count_digits(s, at);
        if (n >= 3) return glyph_skip_some(s, at, SET_D, (int)(n % 3));
        at = glyph_skip(s, at, SET_D);
        at = glyph_skip(s, at, ~SET_D);
    }
    return at;
}

// \d{3}(?=\d{3}) in what match_thousands() leaves.
size_t match_group(str s, size_t at)
{
    size_t end = glyph_skip_some(s, at, SET_D, 3), next = glyph_skip_some(s, end, SET_D, 3);
    return end - at >= 3 && next - end >= 3 ? end : at;
}

// All of \d+\b : no match for it can begin behind a digit, which spares looking at the rest of a
// run that a letter follows. First of the passes, or `s` would not begin where the text does.
size_t match_whole_digits(str s, size_t at)
{
    if (!(glyph_at(s, at).set & SET_D) || glyph_before(s, at).set & SET_D) return at;
    size_t end = glyph_skip(s, at, SET_D);
    glyph next = glyph_at(s, end);
    return next.n && next.cp != UTF8_BAD && range_is_word(next.cp) ? at : end;
}

// match_thousands() in what match_whole_digits() or match_decimals() took: no other piece that they
// leave ends in a digit.
size_t match_whole_thousands(str s, size_t at)
{
    return glyph_before(s, s.n).set & SET_D ? match_thousands(s, at) : at;
}
