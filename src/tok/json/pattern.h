// Patterns of tokenizer.json: plain text, or a regular expression in Oniguruma's syntax.
//
// Expressions that published models use in numbers are known by their text and matched by the
// functions of split_match.h. The others are translated (pattern_onig.c) for PCRE2, which may be
// absent; then they are refused by name. Immutable after opening; what a search needs besides is in
// pattern_search, one for each thread.
//
// Steps are counted: an expression that goes back and forth without end fails with one line instead
// of hanging (LIMIT_PATTERN_STEPS).
#ifndef HEARTH_TOK_PATTERN_H
#define HEARTH_TOK_PATTERN_H

#include "base/arena.h"
#include "base/str.h"
#include "tok/split.h"

typedef struct regex regex; // a compiled expression, pattern_pcre.c
typedef struct pattern {
    str source;        // as written
    bool literal;      // `source` is the text itself
    split_match match; // not NULL: a known expression
    regex *re;         // otherwise, unless literal
} pattern;

// Memory for the texts comes from the arena.
hearth_status pattern_open(pattern *p, str source, bool literal, arena *mem, hearth_err *err);
void pattern_close(pattern *p); // {0} is legal

// Finds one match after the other, as Oniguruma's callers do: an empty match right behind the match
// before is passed over.
typedef struct pattern_search {
    const pattern *p;
    str s;           // the text
    str checked;     // the text with every byte that is not UTF-8 replaced, for PCRE2
    size_t at;       // where the next search begins
    size_t last_end; // SIZE_MAX: nothing was found yet
    uint64_t steps;  // charged so far
    buf copy;        // room for `checked`
    void *scratch;   // of PCRE2
} pattern_search;
void pattern_search_init(pattern_search *f); // once, then any number of times begin
void pattern_search_release(pattern_search *f);
hearth_status pattern_search_begin(pattern_search *f, const pattern *p, str s, hearth_err *err);
// *found: the next match is [*from, *to).
hearth_status pattern_search_next(pattern_search *f, size_t *from, size_t *to, bool *found,
                                  hearth_err *err);

// --- pattern_onig.c -----------------------------------------------------------------------------
// The same expression in PCRE2's syntax.
hearth_status pattern_translate(str source, buf *out, hearth_err *err);

// --- pattern_pcre.c -----------------------------------------------------------------------------
hearth_status regex_open(str source, regex **out, hearth_err *err);
void regex_close(regex *re); // NULL is legal
// The first match at or after f->at of well-formed f->checked.
hearth_status regex_find(pattern_search *f, size_t *from, size_t *to, bool *found,
                         hearth_err *err);
void regex_release_scratch(void *scratch);

#endif
