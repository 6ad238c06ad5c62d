// See glyph.h.
#include "tok/glyph.h"

static uint32_t classify(uint32_t cp)
{
    if (cp == UTF8_BAD) return SET_OF(UC_CN);
    return unicode_is_space(cp) ? SET_SPACE : SET_OF(unicode_get_category(cp));
}

glyph glyph_at(str s, size_t at)
{
    glyph g = {0};
    if (at >= s.n) return g;
    g.n = utf8_decode(s.p + at, s.n - at, &g.cp);
    g.set = classify(g.cp);
    return g;
}

size_t glyph_skip(str s, size_t at, uint32_t set)
{
    for (glyph g; (g = glyph_at(s, at)).set & set;) at += g.n;
    return at;
}

size_t glyph_skip_some(str s, size_t at, uint32_t set, int most)
{
    glyph g;
    for (int i = 0; i < most && (g = glyph_at(s, at)).set & set; i++) at += g.n;
    return at;
}

bool glyph_is_in(uint32_t cp, const glyph_range *ranges, size_t n)
{
    for (size_t i = 0; i < n && ranges[i].first <= cp; i++) {
        if (cp <= ranges[i].last) return true;
    }
    return false;
}

size_t glyph_skip_ranges(str s, size_t at, const glyph_range *ranges, size_t n)
{
    for (glyph g; (g = glyph_at(s, at)).n && glyph_is_in(g.cp, ranges, n); at += g.n) continue;
    return at;
}
