// Constrained output: which tokens may come next, so that the whole text is of a language.
//
//   text of a constraint --gram_compile()--> gram        immutable, any number of matchers
//   tokenizer            --gram_vocab_create()--> vocab  immutable, one for each tokenizer
//   gram + vocab         --gram_matcher_create()--> the state of one text
//
// Languages: GBNF (llama.cpp's grammars), JSON Schema (draft 2020-12, as far as it can be decided
// while the text is written; anything else is refused by name), regular expressions that match the
// whole text, one of several texts, any JSON value. Text is bytes: a token may end in the middle
// of a character. docs/CONSTRAINTS.md is for users.
#ifndef HEARTH_GRAM_GRAM_H
#define HEARTH_GRAM_GRAM_H

#include "base/str.h"
#include "tok/tok.h"

typedef enum gram_kind {
    GRAM_NONE,
    GRAM_GBNF,
    GRAM_SCHEMA,  // JSON; true is any value
    GRAM_REGEX,
    GRAM_CHOICES, // JSON array of strings
    GRAM_JSON,    // any JSON object; the text is empty
    GRAM_KIND_END
} gram_kind;

typedef enum gram_style {
    GRAM_STRICT, // objects as models should write them: members in the schema's order, and no
                 // undeclared ones where properties are declared but additionalProperties is not
    GRAM_FREE,   // every document that the schema permits, members in any order
} gram_style;

typedef struct gram gram;
hearth_status gram_compile(gram_kind kind, str text, gram_style style, gram **out, hearth_err *err);
void gram_free(gram *g); // NULL is legal

typedef struct gram_vocab gram_vocab;
hearth_status gram_vocab_create(const tok *t, gram_vocab **out, hearth_err *err);
// From spellings; tokens without bytes are never allowed. Both are borrowed for the call.
hearth_status gram_vocab_create_raw(const str *text, const bool *is_end, int32_t n,
                                    gram_vocab **out, hearth_err *err);
void gram_vocab_free(gram_vocab *v); // NULL is legal
size_t gram_vocab_words(const gram_vocab *v); // uint64_t of a mask

typedef struct gram_matcher gram_matcher;
// Both outlive the matcher.
hearth_status gram_matcher_create(const gram *g, const gram_vocab *v, gram_matcher **out,
                                  hearth_err *err);
void gram_matcher_free(gram_matcher *m); // NULL is legal
// Tokens of a completion that the vocabulary can write, by longest match along the shortest text.
// HEARTH_E_UNSUPPORTED: it cannot.
hearth_status gram_min_tokens(gram_matcher *m, int64_t *out, hearth_err *err);
// The tokens that may come next, as bits. budget >= 0: only those after which a completion fits
// into `budget` tokens, this one among them (end tokens take no part); -1: no bound. While
// gram_min_tokens() <= budget there is always a token or the text is complete. *bits is valid until
// the next call.
hearth_status gram_mask(gram_matcher *m, int64_t budget, const uint64_t **bits, hearth_err *err);
// HEARTH_E_ARG: the token may not come here (nothing has changed). An end token ends the text.
hearth_status gram_accept(gram_matcher *m, int32_t token, hearth_err *err);
// The same for bytes that are not cut into tokens. *ok: whether they may come; if not, nothing has
// changed.
hearth_status gram_accept_bytes(gram_matcher *m, str bytes, bool *ok, hearth_err *err);
bool gram_may_end(const gram_matcher *m);
bool gram_must_end(const gram_matcher *m); // it may end, and nothing else may follow
hearth_status gram_reset(gram_matcher *m, hearth_err *err); // to the beginning

#endif
