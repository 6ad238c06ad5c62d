// See pattern.h. The known expressions stand here as the models publish them; the functions behind
// them do the same without a regular expression engine, several times faster.
#include "tok/json/pattern.h"

#include <string.h>

#include "defs/limits.h"
#include "tok/split_match.h"

// Parts that several expressions share.
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define MARKS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LEAD "[^\\r\\n\\p{L}\\p{N}]?"
#define CASED(end) LEAD UPPER "*" LOWER "+" end "|" LEAD UPPER "+" LOWER "*" end

static const struct { const char *source; split_match match; } KNOWN[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     match_gpt2},
    {CONTRACTIONS WORDS "|\\p{N}{1,3}" MARKS SPACES, match_llama3},
    {CONTRACTIONS WORDS "|\\p{N}" MARKS SPACES, match_qwen2},
    {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
     "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" SPACES, match_qwen35},
    {CASED(CONTRACTIONS "?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES, match_gpt4o},
    {CASED("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES, match_tekken},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
     "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" SPACES,
     match_deepseek3},
    {" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+", match_bloom},
    {"\\p{N}", match_number},
    {"\\p{N}+", match_numbers},
    {"\\p{N}{1,3}", match_numbers3},
    {"[0-9][0-9][0-9]", match_triple},
    {"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", match_han_kana},
    {"[\r\n]", match_newline},
    {"[\\r\\n]", match_newline},
    {"\\s?\\p{L}+", match_space_letters},
    {"\\s?\\p{P}+", match_space_points},
};

hearth_status pattern_open(pattern *p, str source, bool literal, arena *mem, hearth_err *err)
{
    *p = (pattern){.literal = literal};
    char *copy = arena_copy_string(mem, source.p, source.n);
    if (!copy) return err_fail(err, HEARTH_E_NOMEM, "no memory for a pattern");
    p->source = (str){copy, source.n};
    for (size_t i = 0; i < COUNTOF(KNOWN) && !literal && !p->match; i++) {
        if (str_eq_z(source, KNOWN[i].source)) p->match = KNOWN[i].match;
    }
    return literal || p->match ? HEARTH_OK : regex_open(p->source, &p->re, err);
}

void pattern_close(pattern *p)
{
    regex_close(p->re);
    *p = (pattern){0};
}

void pattern_search_init(pattern_search *f)
{
    *f = (pattern_search){0};
    buf_init(&f->copy, MEM_TOKENIZER, 4 * (size_t)LIMIT_PROMPT_BYTES);
}

void pattern_search_release(pattern_search *f)
{
    regex_release_scratch(f->scratch);
    buf_release(&f->copy);
    f->scratch = NULL;
}

static bool is_well_formed(str s)
{
    for (size_t i = 0; i < s.n;) {
        uint32_t cp = 0;
        i += (uint8_t)s.p[i] < 0x80 ? 1 : utf8_decode(s.p + i, s.n - i, &cp);
        if (cp == UTF8_BAD) return false;
    }
    return true;
}

// A byte that is no character counts as one that is neither letter, number, space nor punctuation.
static hearth_status replace_bad(pattern_search *f, hearth_err *err)
{
    buf_reset(&f->copy);
    buf_append_str(&f->copy, f->s);
    if (f->copy.failed != HEARTH_OK) {
        return err_fail(err, f->copy.failed, "no memory to split %zu bytes", f->s.n);
    }
    for (size_t i = 0, n; i < f->s.n; i += n) {
        uint32_t cp;
        n = utf8_decode(f->s.p + i, f->s.n - i, &cp);
        if (cp == UTF8_BAD) f->copy.p[i] = 1;
    }
    f->checked = buf_str(&f->copy);
    return HEARTH_OK;
}

hearth_status pattern_search_begin(pattern_search *f, const pattern *p, str s, hearth_err *err)
{
    f->p = p;
    f->s = f->checked = s;
    f->at = 0;
    f->last_end = SIZE_MAX;
    return !p->re || is_well_formed(s) ? HEARTH_OK : replace_bad(f, err);
}

static bool find_known(const pattern_search *f, size_t *from, size_t *to)
{
    for (size_t at = f->at; at < f->s.n;) {
        size_t end = f->p->match(f->s, at);
        if (end > at) {
            *from = at;
            *to = end;
            return true;
        }
        uint32_t cp;
        at += utf8_decode(f->s.p + at, f->s.n - at, &cp);
    }
    return false;
}

static bool find_literal(const pattern_search *f, size_t *from, size_t *to)
{
    size_t at = f->p->source.n ? str_find(f->s, f->p->source, f->at) : SIZE_MAX;
    *from = at;
    *to = at + f->p->source.n;
    return at != SIZE_MAX;
}

hearth_status pattern_search_next(pattern_search *f, size_t *from, size_t *to, bool *found,
                                  hearth_err *err)
{
    for (;;) {
        *found = false;
        if (f->at > f->s.n) return HEARTH_OK;
        if (f->p->re) HEARTH_TRY(regex_find(f, from, to, found, err));
        else *found = f->p->literal ? find_literal(f, from, to) : find_known(f, from, to);
        if (!*found) return HEARTH_OK;
        bool again = *from == *to && f->last_end == *to;
        if (!again) {
            f->at = f->last_end = *to;
            return HEARTH_OK;
        }
        uint32_t cp;
        f->at += f->at < f->s.n ? utf8_decode(f->s.p + f->at, f->s.n - f->at, &cp) : 1;
    }
}
