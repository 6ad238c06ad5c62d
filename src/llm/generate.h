// Generation, pulled token by token: session + sampler + tokenizer + stop rules.
#ifndef HEARTH_LLM_GENERATE_H
#define HEARTH_LLM_GENERATE_H

#include "llm/sampler.h"
#include "llm/session.h"
#include "tok/tok.h"

typedef enum generate_finish {
    GENERATE_RUNNING, GENERATE_END_TOKEN, GENERATE_STOP_STRING, GENERATE_LENGTH, // n_predict reached
    GENERATE_CONTEXT, // the context is full: said, never shifted in silence
    GENERATE_CANCELED
} generate_finish;

typedef struct generate_options {
    sampler_params sampling;
    int64_t n_predict;      // at most; -1: until the end or the context is full
    const str *stop; size_t n_stop; // copied
    bool ignore_end;        // end tokens do not stop and cannot be drawn
    bool special;           // show control tokens in the text
    int n_logprobs;         // 0: none; else the chosen token's and the n best ones' per token
} generate_options;
void generate_options_default(generate_options *o);

enum { GENERATE_TOP_MAX = 20 };
typedef struct generate_event {
    generate_finish finish; // RUNNING while more may come
    bool has_token;         // false: only left-over text (after the end)
    int32_t token;
    str text;               // whole characters, held back while they may begin a stop string; valid
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
// `s` and `t` outlive it. Runs the prompt (n >= 1 tokens) on the first generate_next().
hearth_status generate_start(llm_session *s, const tok *t, const int32_t *prompt, int64_t n,
                             const generate_options *o, generation **out, hearth_err *err);
// Progress of the prompt; set before the first generate_next().
void generate_on_progress(generation *g, session_progress fn, void *ctx);
hearth_status generate_next(generation *g, generate_event *out, hearth_err *err);
const generate_stats *generate_get_stats(const generation *g);
// All tokens so far, prompt first: the prefix for a next turn.
const int32_t *generate_tokens(const generation *g, int64_t *n);
void generate_free(generation *g);

#endif
