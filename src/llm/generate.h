// Generation, pulled token by token: session + sampler + tokenizer + stop rules.
#ifndef HEARTH_LLM_GENERATE_H
#define HEARTH_LLM_GENERATE_H

#include "gram/gram.h"
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
    bool hide_end;          // with special: but not the one that ends it
    int n_logprobs;         // 0: none; else the chosen token's and the n best ones' per token
    gram_kind constraint;   // what the text has to be; GRAM_NONE: anything. Ends as soon as nothing
    str constraint_text;    // may follow; n_predict tokens suffice, or it is HEARTH_E_ARG
    const gram_vocab *vocab; // of the tokenizer, kept by the caller; NULL: made for this one
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
// computed yet. prompt: n >= 1 tokens. The session is the generation's until its end.
hearth_status generate_start(llm_session *s, const tok *t, const int32_t *prompt, int64_t n,
                             const generate_options *o, generation **out, hearth_err *err);
// The next token (after the rest of the prompt), in steps of its own. HEARTH_E_CANCELED
// (llm_cancel) and HEARTH_E_LIMIT during the prompt change nothing: the call may be repeated. After
// the last event: HEARTH_E_STATE.
hearth_status generate_next(generation *g, generate_event *out, hearth_err *err);
// The same in pieces, so that one step serves several generations of a context:
//   generate_rows()  what it wants computed next, at most `max` rows; 0: an event can be taken now
//   generate_took()  after a step of `n_rows` of them, that took `ns`; `first`: the first's place
//   generate_take()  the event, once it is ready: no rows are wanted
hearth_status generate_rows(generation *g, llm_row *rows, int max, int *n_rows, hearth_err *err);
void generate_took(generation *g, int n_rows, int first, uint64_t ns);
bool generate_is_ready(const generation *g);
hearth_status generate_take(generation *g, generate_event *out, hearth_err *err);
bool generate_has_ended(const generation *g); // its last event was taken
// A step with its rows failed with `status` and `why`. A full context is an event to take; anything
// else comes back in *err.
hearth_status generate_refused(generation *g, hearth_status status, const hearth_err *why,
                               hearth_err *err);
// Is the prompt still being computed, and how far: *done of *total tokens that had to be?
bool generate_in_prompt(const generation *g, int64_t *done, int64_t *total);
// The next event is the last one, with GENERATE_CANCELED and the text that was held back.
void generate_cancel(generation *g);
const generate_stats *generate_get_stats(const generation *g);
// All tokens so far, prompt first: the prefix for a next turn.
const int32_t *generate_tokens(const generation *g, int64_t *n);
void generate_free(generation *g); // NULL is legal

#endif
