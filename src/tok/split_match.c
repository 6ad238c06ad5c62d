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

// Script=Han of Unicode 17, as the regex package has it.
static const glyph_range HAN[] = {
    {0x2E80, 0x2E99}, {0x2E9B, 0x2EF3}, {0x2F00, 0x2FD5}, {0x3005, 0x3005}, {0x3007, 0x3007},
    {0x3021, 0x3029}, {0x3038, 0x303B}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFA6D},
    {0xFA70, 0xFAD9}, {0x16FE2, 0x16FE3}, {0x16FF0, 0x16FF6}, {0x20000, 0x2A6DF},
    {0x2A700, 0x2B81E}, {0x2B820, 0x2CEAD}, {0x2CEB0, 0x2EBE0}, {0x2EBF0, 0x2EE5D},
    {0x2F800, 0x2FA1D}, {0x30000, 0x3134A}, {0x31350, 0x33479},
};

static bool is_han(uint32_t cp) { return cp >= 0x2E80 && glyph_is_in(cp, HAN, COUNTOF(HAN)); }

// \p{Han}+ , then as gpt-4o has it, but with \p{Han} in neither UPPER nor LOWER: such a word ends
// where the text would end in front of the next of them. The tail has no slash.
size_t match_kimi(str s, size_t at)
{
    size_t end = glyph_skip_ranges(s, at, HAN, COUNTOF(HAN));
    if (end > at) return end;
    end = at + glyph_at(s, at).n;
    for (glyph g; (g = glyph_at(s, end)).set & (SET_L | SET_M) && !is_han(g.cp);) end += g.n;
    end = match_case_word((str){s.p, end}, at);
    if (end > at) return match_contraction(s, end, true);
    static const grouping rest = {.digits = 3, .tail = "\r\n", .tail_most = INT_MAX,
                                  .spaces = match_spaces};
    return match_rest(s, at, &rest);
}

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
