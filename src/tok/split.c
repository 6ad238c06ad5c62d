// The word splits as hand-written matchers; the published patterns stand above them.
//
// Patterns are alternatives tried in order at one position, so each becomes a function that tries
// the same alternatives in the same order. \p{L} and \p{N} are letters and numbers, \s is
// White_Space; bytes that are not UTF-8 are none of them. "Run" below means as long as possible.
#include "tok/split.h"

#include <stdio.h>
#include <string.h>

#include "tok/unicode.h"

typedef enum char_class {
    CLASS_END, CLASS_LETTER, CLASS_NUMBER, CLASS_SPACE, CLASS_OTHER
} char_class;

typedef struct glyph {
    uint32_t cp;
    size_t n; // bytes, 0 at the end of the text
    char_class class;
} glyph;

static char_class classify(uint32_t cp)
{
    if (cp == UTF8_BAD) return CLASS_OTHER;
    if (unicode_is_space(cp)) return CLASS_SPACE;
    unicode_category category = unicode_get_category(cp);
    if (unicode_is_letter(category)) return CLASS_LETTER;
    return unicode_is_number(category) ? CLASS_NUMBER : CLASS_OTHER;
}

static glyph glyph_at(str s, size_t at)
{
    glyph g = {0, 0, CLASS_END};
    if (at >= s.n) return g;
    g.n = utf8_decode(s.p + at, s.n - at, &g.cp);
    g.class = classify(g.cp);
    return g;
}

static size_t skip_class(str s, size_t at, char_class class)
{
    for (glyph g; (g = glyph_at(s, at)).class == class;) at += g.n;
    return at;
}

static bool is_newline(uint32_t cp) { return cp == '\r' || cp == '\n'; }

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
    if (s.p[at] != '\'') return at;
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
    for (glyph g; (g = glyph_at(s, end)).class == CLASS_SPACE; end += g.n) last = end;
    return end == s.n || last == at ? end : last;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
static size_t next_gpt2(str s, size_t at)
{
    size_t end = match_contraction(s, at, false);
    if (end > at) return end;
    size_t start = at + (s.p[at] == ' ');
    glyph g = glyph_at(s, start);
    if (g.class != CLASS_END && g.class != CLASS_SPACE) return skip_class(s, start, g.class);
    return match_spaces(s, at);
}

// \s*[\r\n]+ : up to the last newline of a run of white space, or `at` when it has none.
static size_t match_newlines(str s, size_t at)
{
    size_t end = at, found = at;
    for (glyph g; (g = glyph_at(s, end)).class == CLASS_SPACE;) {
        end += g.n;
        if (is_newline(g.cp)) found = end;
    }
    return found;
}

// [^\s\p{L}\p{N}]+[\r\n]*
static size_t match_others(str s, size_t at)
{
    at = skip_class(s, at, CLASS_OTHER);
    while (at < s.n && is_newline((uint8_t)s.p[at])) at++;
    return at;
}

static size_t match_digits(str s, size_t at, int most)
{
    glyph g;
    for (int i = 0; i < most && (g = glyph_at(s, at)).class == CLASS_NUMBER; i++) at += g.n;
    return at;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,most}
// | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
static size_t next_grouped(str s, size_t at, int most_digits)
{
    size_t end = match_contraction(s, at, true);
    if (end > at) return end;
    glyph g = glyph_at(s, at), after = glyph_at(s, at + g.n);
    if (g.class == CLASS_LETTER) return skip_class(s, at, CLASS_LETTER);
    if (g.class == CLASS_NUMBER) return match_digits(s, at, most_digits);
    if (!is_newline(g.cp) && after.class == CLASS_LETTER) {
        return skip_class(s, at + g.n, CLASS_LETTER);
    }
    if (g.class == CLASS_OTHER) return match_others(s, at);
    if (g.cp == ' ' && after.class == CLASS_OTHER) return match_others(s, at + 1);
    end = match_newlines(s, at);
    return end > at ? end : match_spaces(s, at);
}

static size_t next_llama3(str s, size_t at) { return next_grouped(s, at, 3); }
static size_t next_qwen2(str s, size_t at) { return next_grouped(s, at, 1); }

static bool is_mark(glyph g)
{
    if (g.class != CLASS_OTHER || g.cp == UTF8_BAD) return false;
    if (g.cp < 0x80 && g.cp && strchr("$+<=>^~|", (int)g.cp)) return true;
    return unicode_is_punctuation(unicode_get_category(g.cp));
}

// The end of the run of marks, or of everything else, that begins at `at`.
static size_t match_mark_run(str s, size_t at)
{
    glyph g = glyph_at(s, at);
    bool marks = is_mark(g);
    do {
        at += g.n;
        g = glyph_at(s, at);
    } while (g.n && is_mark(g) == marks);
    return at;
}

// [0-9][0-9][0-9] cut out of a run of numbers: the three digits at its front, or what is before the
// first three, or all of it.
static size_t match_triple(str s, size_t at)
{
    size_t digits = 0;
    for (size_t i = at; i < s.n; i++) {
        digits = s.p[i] >= '0' && s.p[i] <= '9' ? digits + 1 : 0;
        if (digits == 3) return i - 2 == at ? i + 1 : i - 2;
    }
    return s.n;
}

// Four patterns, each cutting the pieces of the one before:
// [\p{P}$+<=>^~|]+  then gpt-2's  then  \p{N}+  then  [0-9][0-9][0-9]
static size_t next_default(str s, size_t at)
{
    str piece = {s.p, match_mark_run(s, at)};
    size_t end = next_gpt2(piece, at), numbers = skip_class(piece, at, CLASS_NUMBER);
    if (numbers > at) return match_triple((str){s.p, numbers}, at);
    bool space_first = s.p[at] == ' ' && glyph_at(piece, at + 1).class == CLASS_NUMBER;
    return space_first ? at + 1 : end;
}

static const word_split SPLITS[] = {
    {"default", "gpt2/default", next_default, false, false},
    {"gpt-2", "gpt2/gpt-2", next_gpt2, false, false},
    {"phi-2", "gpt2/gpt-2", next_gpt2, false, false},
    {"mpt", "gpt2/gpt-2", next_gpt2, false, false},
    {"llama-bpe", "gpt2/llama-bpe", next_llama3, true, true},
    {"llama3", "gpt2/llama-bpe", next_llama3, true, true},
    {"llama-v3", "gpt2/llama-bpe", next_llama3, true, true},
    {"falcon3", "gpt2/llama-bpe", next_llama3, true, true},
    {"qwen2", "gpt2/qwen2", next_qwen2, false, false},
    {"deepseek-r1-qwen", "gpt2/qwen2", next_qwen2, false, false},
    {"megrez", "gpt2/qwen2", next_qwen2, false, false},
};

const word_split *split_find(str pre)
{
    for (size_t i = 0; i < COUNTOF(SPLITS); i++) {
        if (str_eq_z(pre, SPLITS[i].pre)) return &SPLITS[i];
    }
    return NULL;
}

void split_list(char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNTOF(SPLITS) && n < cap; i++) {
        n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? ", " : "", SPLITS[i].pre);
    }
}
