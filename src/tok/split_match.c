// The split patterns as hand-written matchers; the published patterns stand above them.
//
// Patterns are alternatives tried in order at one position, so each becomes a function that tries
// the same alternatives in the same order; where a pattern would go back over what it took, the
// function says why its answer is the same. \p{L} and \p{N} are letters and numbers, \s is
// White_Space; bytes that are not UTF-8 are none of them. "Run" below means as long as possible.
#include "tok/split_match.h"

#include <limits.h>
#include <string.h>

#include "tok/glyph.h"

// --- parts --------------------------------------------------------------------------------------

// A letter of a contraction, in lower case; U+017F is another lower case of S.
static char fold_ascii(uint32_t cp)
{
    if (cp == 0x17F) return 's';
    if (cp >= 'A' && cp <= 'Z') return (char)(cp - 'A' + 'a');
    return cp < 0x80 ? (char)cp : 0;
}

// The end of 's 't 'm 'd 're 've 'll at `at`, or `at` itself.
static size_t match_contraction(str s, size_t at, bool any_case)
{
    if (at >= s.n || s.p[at] != '\'') return at;
    glyph a = glyph_at(s, at + 1), b = glyph_at(s, at + 1 + a.n);
    char x = any_case ? fold_ascii(a.cp) : (char)(a.cp < 0x80 ? a.cp : 0);
    char y = any_case ? fold_ascii(b.cp) : (char)(b.cp < 0x80 ? b.cp : 0);
    if (x == 's' || x == 't' || x == 'm' || x == 'd') return at + 1 + a.n;
    bool two = (x == 'r' && y == 'e') || (x == 'v' && y == 'e') || (x == 'l' && y == 'l');
    return two ? at + 1 + a.n + b.n : at;
}

// \s+(?!\S)|\s+ : a run of white space without its last character, which the next word may want;
// the whole run at the end of the text or if it is one character.
static size_t match_spaces(str s, size_t at)
{
    size_t last = at, end = at;
    for (glyph g; (g = glyph_at(s, end)).set == SET_SPACE; end += g.n) last = end;
    return end == s.n || last == at ? end : last;
}

// \s{512}(?!\S)|\s{256}(?!\S)|...|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}
static size_t match_halved_spaces(str s, size_t at)
{
    size_t end = glyph_skip_some(s, at, SET_SPACE, 513);
    size_t run = 0;
    for (size_t i = at; i < end; i += glyph_at(s, i).n) run++;
    if (end < s.n && run > 0) run--; // the last is followed by something, or there are enough
    int most = 512;
    while (most > 2 && (size_t)most > run) most /= 2;
    return glyph_skip_some(s, at, SET_SPACE, run == 0 ? 1 : most <= (int)run ? most : (int)run);
}

// \s*[\r\n]+ : up to the last newline of a run of white space, or `at` when it has none.
static size_t match_newlines(str s, size_t at)
{
    size_t end = at, found = at;
    for (glyph g; (g = glyph_at(s, end)).set == SET_SPACE;) {
        end += g.n;
        if (glyph_is_newline(g)) found = end;
    }
    return found;
}

static size_t skip_chars(str s, size_t at, const char *chars, int most)
{
    for (; most > 0 && at < s.n && s.p[at] && strchr(chars, s.p[at]); most--) at++;
    return at;
}

// --- gpt-2 --------------------------------------------------------------------------------------

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t match_gpt2(str s, size_t at)
{
    static const uint32_t sets[] = {SET_L, SET_N, SET_OTHER};
    size_t end = match_contraction(s, at, false);
    if (end > at) return end;
    size_t start = at + (s.p[at] == ' ');
    uint32_t set = glyph_at(s, start).set;
    for (size_t i = 0; i < COUNTOF(sets); i++) {
        if (set & sets[i]) return glyph_skip(s, start, sets[i]);
    }
    return match_spaces(s, at);
}

// --- llama 3 and its relatives ------------------------------------------------------------------

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?LETTERS+|\p{N}{1,digits}
// | ?[^\s LETTERS \p{N}]+[tail]*|\s*[\r\n]+|\s+(?!\S)|\s+
typedef struct grouping {
    uint32_t letters;
    int digits;
    const char *tail;  // what may follow the others, at most `tail_most` of them
    int tail_most;
    bool contractions; // the first alternative is there
    bool joins_words;  // LETTERS is \p{L}\p{M}*(?: \p{L}\p{M}*)* instead
    size_t (*spaces)(str s, size_t at);
} grouping;

// What follows in the pattern after its words. A newline in a tail is white space and no "other".
static size_t match_rest(str s, size_t at, const grouping *o)
{
    glyph g = glyph_at(s, at);
    if (g.set & SET_N) return glyph_skip_some(s, at, SET_N, o->digits);
    uint32_t others = SET_OTHER & ~o->letters;
    size_t start = at + (g.cp == ' ');
    if (glyph_at(s, start).set & others) {
        return skip_chars(s, glyph_skip(s, start, others), o->tail, o->tail_most);
    }
    size_t end = match_newlines(s, at);
    return end > at ? end : o->spaces(s, at);
}

static size_t skip_joined_words(str s, size_t at)
{
    for (;;) {
        size_t letter = at + (at < s.n && s.p[at] == ' ');
        if (!(glyph_at(s, letter).set & SET_L)) return at;
        at = glyph_skip(s, glyph_skip(s, letter, SET_L), SET_M);
    }
}

static size_t skip_letters(str s, size_t at, const grouping *o)
{
    return o->joins_words ? skip_joined_words(s, at) : glyph_skip(s, at, o->letters);
}

static size_t match_grouped(str s, size_t at, const grouping *o)
{
    size_t end = o->contractions ? match_contraction(s, at, true) : at;
    if (end > at) return end;
    glyph g = glyph_at(s, at);
    if (g.set & o->letters) return skip_letters(s, at, o);
    bool may_lead = !glyph_is_newline(g) && !(g.set & SET_N);
    if (may_lead && glyph_at(s, at + g.n).set & o->letters) return skip_letters(s, at + g.n, o);
    return match_rest(s, at, o);
}

#define GROUPING .letters = SET_L, .tail = "\r\n", .tail_most = INT_MAX, .contractions = true, \
                 .spaces = match_spaces

size_t match_llama3(str s, size_t at)
{
    static const grouping o = {GROUPING, .digits = 3};
    return match_grouped(s, at, &o);
}

size_t match_qwen2(str s, size_t at)
{
    static const grouping o = {GROUPING, .digits = 1};
    return match_grouped(s, at, &o);
}

size_t match_minicpm5(str s, size_t at)
{
    static const grouping o = {GROUPING, .digits = INT_MAX};
    return match_grouped(s, at, &o);
}

size_t match_qwen35(str s, size_t at)
{
    static const grouping o = {.letters = SET_L | SET_M, .digits = 1, .tail = "\r\n",
                               .tail_most = INT_MAX, .contractions = true, .spaces = match_spaces};
    return match_grouped(s, at, &o);
}

size_t match_seed_coder(str s, size_t at)
{
    static const grouping o = {.letters = SET_L, .digits = 1, .tail = "", .contractions = true,
                               .spaces = match_spaces};
    return match_grouped(s, at, &o);
}

size_t match_jais2(str s, size_t at)
{
    static const grouping o = {.letters = SET_L, .digits = 3, .tail = "\r\n", .tail_most = INT_MAX,
                               .contractions = true, .spaces = match_halved_spaces};
    return match_grouped(s, at, &o);
}

size_t match_ufakzeka(str s, size_t at)
{
    static const grouping o = {.letters = SET_L, .digits = 1, .tail = "\r\n",
                               .tail_most = INT_MAX, .spaces = match_spaces};
    return match_grouped(s, at, &o);
}

size_t match_exaone_moe(str s, size_t at)
{
    static const grouping o = {.letters = SET_L, .digits = 1, .tail = "\r\n/", .tail_most = 1,
                               .contractions = true, .joins_words = true, .spaces = match_spaces};
    return match_grouped(s, at, &o);
}

// --- words by case ------------------------------------------------------------------------------

#define SET_BOTH (SET_OF(UC_LM) | SET_OF(UC_LO) | SET_M) // letters and marks without case
#define SET_UPPER (SET_OF(UC_LU) | SET_OF(UC_LT) | SET_BOTH)
#define SET_LOWER (SET_OF(UC_LL) | SET_BOTH)

// UPPER*LOWER+ : behind the run of UPPER stands a LOWER, or the run gives back what follows its
// last character that is in both; none is, then there is no match.
static size_t match_lower_word(str s, size_t at)
{
    size_t end = at, last = at;
    for (glyph g; (g = glyph_at(s, end)).set & SET_UPPER;) {
        end += g.n;
        if (g.set & SET_BOTH) last = end;
    }
    return glyph_at(s, end).set & SET_LOWER ? glyph_skip(s, end, SET_LOWER) : last;
}

// [^\r\n\p{L}\p{N}]?UPPER*LOWER+|[^\r\n\p{L}\p{N}]?UPPER+LOWER* : where the second is tried, no
// LOWER follows the run of UPPER. A mark may be either the lead or part of the word.
static size_t match_case_word(str s, size_t at)
{
    glyph g = glyph_at(s, at);
    bool may_lead = !(g.set & (SET_L | SET_N)) && !glyph_is_newline(g);
    size_t start = may_lead ? at + g.n : at;
    size_t end = match_lower_word(s, start);
    if (end > start) return end;
    if (g.set & SET_M && (end = match_lower_word(s, at)) > at) return end;
    end = glyph_skip(s, start, SET_UPPER);
    return end > start ? end : at;
}

// The two above, each with (?i:'s|'t|'re|'ve|'m|'ll|'d)? behind it if `contractions`, then
// |\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
static size_t match_by_case(str s, size_t at, bool contractions, int digits)
{
    size_t end = match_case_word(s, at);
    if (end > at) return contractions ? match_contraction(s, end, true) : end;
    const grouping rest = {.digits = digits, .tail = "\r\n/", .tail_most = INT_MAX,
                           .spaces = match_spaces};
    return match_rest(s, at, &rest);
}

size_t match_gpt4o(str s, size_t at) { return match_by_case(s, at, true, 3); }
size_t match_youtu(str s, size_t at) { return match_by_case(s, at, true, 1); }
size_t match_tekken(str s, size_t at) { return match_by_case(s, at, false, 1); }

// --- deepseek -----------------------------------------------------------------------------------

static bool is_ascii_letter(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');
}

static bool is_ascii_mark(glyph g) { return g.cp < 0x80 && g.set & (SET_P | SET_S); }

// [ASCII punctuation and symbols][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
static size_t match_marked_word(str s, size_t at)
{
    glyph g = glyph_at(s, at);
    size_t start = at + g.n;
    if (is_ascii_mark(g) && is_ascii_letter(glyph_at(s, start).cp)) {
        while (is_ascii_letter(glyph_at(s, start).cp)) start++;
        return start;
    }
    bool may_lead = !(g.set & (SET_L | SET_P | SET_S)) && !glyph_is_newline(g);
    size_t end = may_lead ? glyph_skip(s, start, SET_L | SET_M) : start;
    return may_lead && end > start ? end : glyph_skip(s, at, SET_L | SET_M);
}

// | ?[\p{P}\p{S}]+
static size_t match_mark_run(str s, size_t at)
{
    size_t start = at + (s.p[at] == ' ');
    size_t end = glyph_skip(s, start, SET_P | SET_S);
    return end > start ? end : at;
}

// The two above with [\r\n]* behind the second, then |\s*[\r\n]+|\s+(?!\S)|\s+
size_t match_deepseek3(str s, size_t at)
{
    size_t end = match_marked_word(s, at);
    if (end > at) return end;
    end = match_mark_run(s, at);
    if (end > at) return skip_chars(s, end, "\r\n", INT_MAX);
    end = match_newlines(s, at);
    return end > at ? end : match_spaces(s, at);
}

// The two above, then |[\r\n]|\s+(?!\S)|\s+
size_t match_spark(str s, size_t at)
{
    size_t end = match_marked_word(s, at);
    if (end == at) end = match_mark_run(s, at);
    if (end == at) end = match_newline(s, at);
    return end > at ? end : match_spaces(s, at);
}

// --- passes -------------------------------------------------------------------------------------

size_t match_newline(str s, size_t at) { return at + (s.p[at] == '\r' || s.p[at] == '\n'); }
size_t match_number(str s, size_t at) { return glyph_skip_some(s, at, SET_N, 1); }
size_t match_numbers(str s, size_t at) { return glyph_skip(s, at, SET_N); }
size_t match_numbers3(str s, size_t at) { return glyph_skip_some(s, at, SET_N, 3); }

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

typedef struct range { uint32_t first, last; } range;

static bool is_in(uint32_t cp, const range *ranges, size_t n)
{
    for (size_t i = 0; i < n && ranges[i].first <= cp; i++) {
        if (cp <= ranges[i].last) return true;
    }
    return false;
}

static size_t skip_ranges(str s, size_t at, const range *ranges, size_t n)
{
    for (glyph g; (g = glyph_at(s, at)).n && is_in(g.cp, ranges, n); at += g.n) continue;
    return at;
}

// \s?[ranges]+ : a space that is in the ranges itself may be all that there is.
static size_t match_space_ranges(str s, size_t at, const range *ranges, size_t n)
{
    size_t start = glyph_skip_some(s, at, SET_SPACE, 1);
    size_t end = skip_ranges(s, start, ranges, n);
    return end > start ? end : skip_ranges(s, at, ranges, n);
}

// Letters with case of the older scripts, as the pattern lists them; in order.
static const range CASED[] = {
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
    static const range marks[] = {{'!', '/'}, {':', '~'}, {0x2018, 0x201F}, {0x3000, 0x3002},
                                  {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}};
    return match_space_ranges(s, at, marks, COUNTOF(marks));
}

size_t match_cjk(str s, size_t at)
{
    static const range cjk[] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
    return skip_ranges(s, at, cjk, COUNTOF(cjk));
}

size_t match_han_kana(str s, size_t at)
{
    static const range han[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
    return skip_ranges(s, at, han, COUNTOF(han));
}

size_t match_youtu_scripts(str s, size_t at)
{
    static const range hangul[] = {{0x3131, 0x318E}, {0xAC00, 0xD7A3}};
    static const range marks[] = {{0x2014, 0x2014}, {0x2018, 0x2019}, {0x201C, 0x201D},
                                  {0x2026, 0x2026}, {0x3001, 0x303F}, {0xFE30, 0xFE4F},
                                  {0xFF01, 0xFF01}, {0xFF0C, 0xFF0C}, {0xFF1A, 0xFF1B}};
    static const range bopomofo[] = {{0x3105, 0x312F}};
    size_t end = skip_ranges(s, at, hangul, COUNTOF(hangul));
    if (end == at) end = skip_ranges(s, at, marks, COUNTOF(marks));
    if (end == at) end = skip_ranges(s, at, bopomofo, COUNTOF(bopomofo));
    return end == at ? match_han_kana(s, at) : end;
}

//  ?[^(\s|.,!?...)]+ : no space, bracket, bar, nor a mark that ends a clause in some script.
size_t match_bloom(str s, size_t at)
{
    static const range stops[] = {{0x60C, 0x60C}, {0x6D4, 0x6D4}, {0x964, 0x964}, {0x2026, 0x2026},
                                  {0x3001, 0x3002}, {0xFF0C, 0xFF0C}};
    size_t start = at + (s.p[at] == ' '), end = start;
    for (glyph g; (g = glyph_at(s, end)).n && g.set != SET_SPACE; end += g.n) {
        bool ascii = g.cp && g.cp < 0x80 && strchr("(|.,!?)", (int)g.cp);
        if (ascii || is_in(g.cp, stops, COUNTOF(stops))) break;
    }
    return end > start ? end : at;
}
