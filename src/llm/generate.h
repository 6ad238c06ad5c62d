// Generation, pulled token by token: session + sampler + tokenizer + stop rules.
#ifndef HEARTH_LLM_GENERATE_H
#define HEARTH_LLM_GENERATE_H

#include "llm/sampler.h"
#include "llm/session.h"
#include "tok/tok.h"

typedef enum generate_finish {
    GENERATE_RUNNING, GENERATE_END_TOKEN, GENERATE_STOP_STRING,
    GENERATE_LENGTH,  // n_predict reached
    GENERATE_CONTEXT, // the context is full: said, never shifted in silence
    GENERATE_CANCELED
} generate_finish;

typedef struct generate_options {
    sampler_params sampling;
    int64_t n_predict;      // at most; -1: until the end or the context is full
    const str *stop; size_t n_stop; // copied; at most LIMIT_STOP_STRINGS of LIMIT_STOP_BYTES each
    const str *dry_breakers; size_t n_dry_breakers; // texts that end a repetition for DRY: every
                            // token that holds one of them; default: line feed, ':', '"', '*'
    bool ignore_end;        // end tokens do not stop and cannot be drawn
    bool special;           // show control tokens in the text
    int n_logprobs;         // 0: none; else the chosen token's and the n best ones' per token
} generate_options;
void generate_options_default(generate_options *o);
// Counts and lengths; what depends on the model is checked by generate_start(), which calls this
// too.
hearth_status generate_options_check(const generate_options *o, hearth_err *err);

enum { GENERATE_TOP_MAX = 20 };
typedef struct generate_event {
    generate_finish finish; // RUNNING while more may come
    bool has_token;         // false: only left-over text (after the end)
    int32_t token;          // an end token is reported too, by the last event
    str text;               // valid UTF-8, held back while they may begin a stop string; valid
                            // until the next call; may be empty
    float logprob;
    int n_top;
    sampler_logprob top[GENERATE_TOP_MAX];
} generate_event;

typedef struct generate_stats {
    int64_t n_prompt, n_reused, n_generated;
    uint64_t prompt_ns, generate_ns;
} generate_stats;

typedef struct generation generation;
// `s` and `t` outlive it; `t` has at most as many tokens as the model has logits. Nothing is
// computed yet. prompt: n >= 1 tokens.
hearth_status generate_start(llm_session *s, const tok *t, const int32_t *prompt, int64_t n,
                             const generate_options *o, generation **out, hearth_err *err);
// Computes the next `chunk` tokens of a long prompt. What fits in one last chunk is left to
// generate_next(), so that no other step on the context comes between the prompt's logits and the
// draw: then *more is false and nothing was done. *done of *total tokens to compute are in the
// cache.
hearth_status generate_prompt(generation *g, int64_t chunk, bool *more, int64_t *done,
                              int64_t *total, hearth_err *err);
// The next token (after the rest of the prompt). HEARTH_E_CANCELED (llm_cancel) and HEARTH_E_LIMIT
// during the prompt change nothing: the call may be repeated. After the last event: HEARTH_E_STATE.
hearth_status generate_next(generation *g, generate_event *out, hearth_err *err);
// The next event is the last one, with GENERATE_CANCELED and the text that was held back.
void generate_cancel(generation *g);
const generate_stats *generate_get_stats(const generation *g);
// All tokens so far, prompt first: the prefix for a next turn.
const int32_t *generate_tokens(const generation *g, int64_t *n);
void generate_free(generation *g); // NULL is legal

#endif
