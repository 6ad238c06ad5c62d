// The patterns of single passes, each about one kind of character, and the lists of characters that
// some models publish instead of classes. See split_match.c.
#include "tok/split_match.h"

#include <string.h>

#include "tok/glyph.h"
#include "tok/json/ranges.h"

size_t match_newline(str s, size_t at) { return at + (s.p[at] == '\r' || s.p[at] == '\n'); }
size_t match_number(str s, size_t at) { return glyph_skip_some(s, at, SET_N, 1); }
size_t match_numbers(str s, size_t at) { return glyph_skip(s, at, SET_N); }
size_t match_numbers3(str s, size_t at) { return glyph_skip_some(s, at, SET_N, 3); }

size_t match_decimals(str s, size_t at) { return glyph_skip(s, at, SET_OF(UC_ND)); }

size_t match_not_spaces(str s, size_t at)
{
    for (glyph g; (g = glyph_at(s, at)).n && g.set != SET_SPACE; at += g.n) continue;
    return at;
}

size_t match_triple(str s, size_t at)
{
    for (size_t i = at; i < at + 3; i++) {
        if (i >= s.n || s.p[i] < '0' || s.p[i] > '9') return at;
    }
    return at + 3;
}

static size_t skip_marks(str s, size_t at, const char *more)
{
    for (glyph g; (g = glyph_at(s, at)).n; at += g.n) {
        bool listed = g.cp && g.cp < 0x80 && strchr(more, (int)g.cp);
        if (!listed && !(g.set & SET_P)) break;
    }
    return at;
}

size_t match_marks(str s, size_t at) { return skip_marks(s, at, "$+<=>^~|"); }
size_t match_falcon_marks(str s, size_t at) { return skip_marks(s, at, "$+<=>^~|`"); }

size_t match_mark(str s, size_t at)
{
    glyph g = glyph_at(s, at);
    return g.n && g.cp != UTF8_BAD && range_is_mark(g.cp) ? at + g.n : at;
}

size_t match_sentinel(str s, size_t at)
{
    str front = STR("<sentinel:");
    if (!str_starts((str){s.p + at, s.n - at}, front)) return at;
    size_t first = at + front.n, end = first;
    while (end < s.n && s.p[end] >= '0' && s.p[end] <= '9') end++;
    return end > first && end < s.n && s.p[end] == '>' ? end + 1 : at;
}

size_t match_image(str s, size_t at)
{
    str front = STR("IMGIMG");
    if (!str_starts((str){s.p + at, s.n - at}, front)) return at;
    size_t first = at + front.n, end = first;
    while (end < s.n && end < first + 4 && s.p[end] >= 'A' && s.p[end] <= 'I') end++;
    return end > first && end < s.n && s.p[end] == 'Z' ? end + 1 : at;
}

size_t match_indent(str s, size_t at)
{
    str rest = {s.p + at, s.n - at};
    if (rest.p[0] == '\t' || rest.p[0] == '\n') return at + 1;
    if (str_starts(rest, STR("    "))) return at + 4;
    return str_starts(rest, STR("  ")) ? at + 2 : at;
}

size_t match_lines(str s, size_t at)
{
    bool newline = s.p[at] == '\n';
    while (at < s.n && (s.p[at] == '\n') == newline) at++;
    return at;
}

static size_t match_after_space(str s, size_t at, uint32_t set)
{
    size_t start = glyph_skip_some(s, at, SET_SPACE, 1), end = glyph_skip(s, start, set);
    return end > start ? end : at;
}

size_t match_space_letters(str s, size_t at) { return match_after_space(s, at, SET_L); }
size_t match_space_points(str s, size_t at) { return match_after_space(s, at, SET_P); }

size_t match_words(str s, size_t at)
{
    glyph g = glyph_at(s, at);
    bool word = g.cp != UTF8_BAD && range_is_word(g.cp);
    while (g.n && g.set != SET_SPACE && (g.cp != UTF8_BAD && range_is_word(g.cp)) == word) {
        at += g.n;
        g = glyph_at(s, at);
    }
    return at;
}

// \s+$ : all that is before the white space at the end counts as one match, or the search for it
// would begin anew at each character.
size_t match_last_spaces(str s, size_t at)
{
    size_t from = at, start = at; // `start`: of the run of white space that ends where `at` is
    for (glyph g; (g = glyph_at(s, at)).n; at += g.n) {
        if (g.set != SET_SPACE) start = at + g.n;
    }
    return start > from ? start : s.n;
}

// \s?[ranges]+ : a space that is in the ranges itself may be all that there is.
static size_t match_space_ranges(str s, size_t at, const glyph_range *ranges, size_t n)
{
    size_t start = glyph_skip_some(s, at, SET_SPACE, 1);
    size_t end = glyph_skip_ranges(s, start, ranges, n);
    return end > start ? end : glyph_skip_ranges(s, at, ranges, n);
}

// Letters with case of the older scripts, as the pattern lists them; in order.
static const glyph_range CASED[] = {
    {0x41, 0x5A}, {0x61, 0x7A}, {0xB5, 0xB5}, {0xC0, 0xD6}, {0xD8, 0xF6},
    {0xF8, 0x1BA}, {0x1BC, 0x1BF}, {0x1C4, 0x293}, {0x295, 0x2AF}, {0x370, 0x373},
    {0x376, 0x376}, {0x377, 0x377}, {0x37B, 0x37D}, {0x37F, 0x37F}, {0x386, 0x386},
    {0x388, 0x38A}, {0x38C, 0x38C}, {0x38E, 0x3A1}, {0x3A3, 0x3F5}, {0x3F7, 0x481},
    {0x48A, 0x52F}, {0x531, 0x556}, {0x10A0, 0x10C5}, {0x13A0, 0x13F5}, {0x13F8, 0x13FD},
    {0x1C90, 0x1CBA}, {0x1CBD, 0x1CBF}, {0x1D00, 0x1D2B}, {0x1D6B, 0x1D77}, {0x1D79, 0x1D9A},
    {0x1E00, 0x1F15}, {0x1F18, 0x1F1D}, {0x1F20, 0x1F45}, {0x1F48, 0x1F4D}, {0x1F50, 0x1F57},
    {0x1F59, 0x1F59}, {0x1F5B, 0x1F5B}, {0x1F5D, 0x1F5D}, {0x1F5F, 0x1F7D}, {0x1F80, 0x1FB4},
    {0x1FB6, 0x1FBC}, {0x1FBE, 0x1FBE}, {0x1FC2, 0x1FC4}, {0x1FC6, 0x1FCC}, {0x1FD0, 0x1FD3},
    {0x1FD6, 0x1FDB}, {0x1FE0, 0x1FEC}, {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FFC}, {0x2102, 0x2102},
    {0x2107, 0x2107}, {0x210A, 0x2113}, {0x2115, 0x2115}, {0x2119, 0x211D}, {0x2124, 0x2124},
    {0x2126, 0x2126}, {0x2128, 0x2128}, {0x212A, 0x212D}, {0x212F, 0x2134}, {0x2139, 0x2139},
    {0x213C, 0x213F}, {0x2145, 0x2149}, {0x214E, 0x214E}, {0x2183, 0x2183}, {0x2184, 0x2184},
    {0x2C00, 0x2C7B}, {0x2C7E, 0x2CE4}, {0x2CEB, 0x2CEE}, {0x2CF2, 0x2CF2}, {0x2CF3, 0x2CF3},
    {0xA640, 0xA66D}, {0xA680, 0xA69B}, {0xA722, 0xA76F}, {0xA771, 0xA787}, {0xA78B, 0xA78E},
    {0xAB70, 0xABBF}, {0xFB00, 0xFB06}, {0xFB13, 0xFB17}, {0xFF21, 0xFF3A}, {0xFF41, 0xFF5A},
    {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB}, {0x10C80, 0x10CB2},
    {0x10CC0, 0x10CF2},
    {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};

size_t match_cased(str s, size_t at) { return match_space_ranges(s, at, CASED, COUNTOF(CASED)); }

// [!-/:-~] with the letters between them, their wide forms, quotation marks, wide space and points.
size_t match_deepseek_marks(str s, size_t at)
{
    static const glyph_range marks[] = {{'!', '/'}, {':', '~'}, {0x2018, 0x201F}, {0x3000, 0x3002},
                                        {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}};
    return match_space_ranges(s, at, marks, COUNTOF(marks));
}

size_t match_cjk(str s, size_t at)
{
    static const glyph_range cjk[] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
    return glyph_skip_ranges(s, at, cjk, COUNTOF(cjk));
}

size_t match_han_kana(str s, size_t at)
{
    static const glyph_range han[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
    return glyph_skip_ranges(s, at, han, COUNTOF(han));
}

size_t match_youtu_scripts(str s, size_t at)
{
    static const glyph_range hangul[] = {{0x3131, 0x318E}, {0xAC00, 0xD7A3}};
    static const glyph_range marks[] = {{0x2014, 0x2014}, {0x2018, 0x2019}, {0x201C, 0x201D},
                                        {0x2026, 0x2026}, {0x3001, 0x303F}, {0xFE30, 0xFE4F},
                                        {0xFF01, 0xFF01}, {0xFF0C, 0xFF0C}, {0xFF1A, 0xFF1B}};
    static const glyph_range bopomofo[] = {{0x3105, 0x312F}};
    size_t end = glyph_skip_ranges(s, at, hangul, COUNTOF(hangul));
    if (end == at) end = glyph_skip_ranges(s, at, marks, COUNTOF(marks));
    if (end == at) end = glyph_skip_ranges(s, at, bopomofo, COUNTOF(bopomofo));
    return end == at ? match_han_kana(s, at) : end;
}

size_t match_afmoe_scripts(str s, size_t at)
{
    static const glyph_range east[] = {{0x2F00, 0x2FDF}, {0x3040, 0x30FF}, {0x3400, 0x4DBF},
                                       {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0xFF65, 0xFF9F}};
    static const glyph_range thai[] = {{0xE00, 0xE7F}}, lao[] = {{0xE80, 0xEFF}};
    static const glyph_range khmer[] = {{0x1780, 0x17FF}};
    static const glyph_range myanmar[] = {{0x1000, 0x109F}, {0xA9E0, 0xA9FF}, {0xAA60, 0xAA7F}};
    static const glyph_range hangul[] = {{0x1100, 0x11FF}, {0xAC00, 0xD7AF}};
    static const struct { const glyph_range *range; size_t n; } scripts[] = {
        {east, COUNTOF(east)},   {thai, COUNTOF(thai)},       {lao, COUNTOF(lao)},
        {khmer, COUNTOF(khmer)}, {myanmar, COUNTOF(myanmar)}, {hangul, COUNTOF(hangul)}};
    size_t end = at;
    for (size_t i = 0; i < COUNTOF(scripts) && end == at; i++) {
        end = glyph_skip_ranges(s, at, scripts[i].range, scripts[i].n);
    }
    return end;
}

//  ?[^(\s|.,!?...)]+ : no space, bracket, bar, nor a mark that ends a clause in some script.
size_t match_bloom(str s, size_t at)
{
    static const glyph_range stops[] = {{0x60C, 0x60C},   {0x6D4, 0x6D4},   {0x964, 0x964},
                                        {0x2026, 0x2026}, {0x3001, 0x3002}, {0xFF0C, 0xFF0C}};
    size_t start = at + (s.p[at] == ' '), end = start;
    for (glyph g; (g = glyph_at(s, end)).n && g.set != SET_SPACE; end += g.n) {
        bool ascii = g.cp && g.cp < 0x80 && strchr("(|.,!?)", (int)g.cp);
        if (ascii || glyph_is_in(g.cp, stops, COUNTOF(stops))) break;
    }
    return end > start ? end : at;
}
