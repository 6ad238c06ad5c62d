// From logits to a token: llama.cpp's samplers, defaults and order (llm_features, table 2.1).
//
// Order: logit bias, penalties, DRY, top-n-sigma, top-k, typical-p, top-p, min-p, XTC, temperature
// (with dynamic temperature), then a draw. temperature <= 0 is greedy after the penalties.
// Mirostat 1/2 replaces everything from top-k on. All arithmetic is double in a fixed order, ties
// are broken by the smaller id: same seed, same token.
#ifndef HEARTH_LLM_SAMPLER_H
#define HEARTH_LLM_SAMPLER_H

#include "base/str.h"
#include "defs/err.h"

typedef struct sampler_bias { int32_t id; float bias; } sampler_bias; // -INFINITY bans

typedef enum sampler_stage {
    SAMPLER_PENALTIES, SAMPLER_DRY, SAMPLER_TOP_N_SIGMA, SAMPLER_TOP_K, SAMPLER_TYPICAL_P,
    SAMPLER_TOP_P, SAMPLER_MIN_P, SAMPLER_XTC, SAMPLER_TEMPERATURE, SAMPLER_STAGE_COUNT
} sampler_stage;

typedef struct sampler_params {
    uint64_t seed;                       // default: drawn from the system by the caller
    float temperature, dynatemp_range, dynatemp_exponent; // 0.8, 0, 1
    int32_t top_k;                       // 40; <= 0: all
    float top_p, min_p, typical_p;       // 0.95, 0.05, 1
    float top_n_sigma;                   // -1: off
    float xtc_probability, xtc_threshold; // 0, 0.1
    float repeat_penalty, presence_penalty, frequency_penalty; // 1, 0, 0
    int32_t repeat_last_n;               // 64; 0: off, -1: whole context
    float dry_multiplier, dry_base;      // 0, 1.75
    int32_t dry_allowed_length, dry_last_n; // 2, 64 (-1: whole context)
    int32_t mirostat;                    // 0, 1, 2
    float mirostat_tau, mirostat_eta;    // 5, 0.1
    int32_t min_keep;                    // 0
    const sampler_bias *bias;            // borrowed while sampler_create() runs
    size_t n_bias;
    sampler_stage order[SAMPLER_STAGE_COUNT]; // the default order above
    int n_order;
} sampler_params;
void sampler_params_default(sampler_params *p);
// "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"; unknown names: HEARTH_E_ARG.
hearth_status sampler_parse_order(str text, sampler_params *p, hearth_err *err);

typedef struct sampler sampler;
// DRY's sequence breakers as token ids (a repetition does not run across them); borrowed for the
// call. Parameters out of range: HEARTH_E_ARG naming the parameter and its range.
hearth_status sampler_create(const sampler_params *p, int32_t n_vocab, const int32_t *breakers,
                             size_t n_breakers, sampler **out, hearth_err *err);
void sampler_free(sampler *s);
// The token joins the history that penalties and DRY look at; call for prompt tokens too.
void sampler_accept(sampler *s, int32_t id);
void sampler_reset(sampler *s); // history, mirostat and random state as new
// Draws; does not change `logits`, does not accept. Allocates nothing. A token whose logit is NaN
// or -infinity is never chosen, +infinity counts as the largest float; when no token is left,
// HEARTH_E_INTERNAL, or HEARTH_E_ARG where only bans and `allowed` are to blame.
// `allowed`: bit i set means token i may be chosen (constrained output); NULL: all.
hearth_status sampler_sample(sampler *s, const float *logits, const uint64_t *allowed, int32_t *out,
                             hearth_err *err);

// Natural-log probabilities under softmax of the unmodified logits: of `id`, and of the n most
// likely, best first (ties: smaller id).
typedef struct sampler_logprob { int32_t id; float logprob; } sampler_logprob;
float sampler_logprob_of(const float *logits, int32_t n_vocab, int32_t id);
int sampler_top_logprobs(const float *logits, int32_t n_vocab, sampler_logprob *out, int n);

#endif
