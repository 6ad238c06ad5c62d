// Private to the sampler's files and their tests: the candidate set and its stages.
//
// A candidate set is an array that shrinks: each stage drops candidates from it or changes logits.
// Its first n_ranked entries are in rank order (higher logit first, smaller id on a tie), the rest
// is in no particular but reproducible order and ranks after them. Ranking is done only as far as a
// stage needs it: top-k of a 150,000 word vocabulary looks at every logit once and sorts 40.
// Logits are doubles, so that no penalty, bias or temperature can overflow them.
#ifndef HEARTH_LLM_SAMPLER_INT_H
#define HEARTH_LLM_SAMPLER_INT_H

#include "base/rng.h"
#include "defs/limits.h"
#include "llm/sampler.h"

typedef struct cand {
    double logit; // finite
    float p;      // after cand_softmax()
    int32_t id;
} cand;

typedef struct cand_set {
    cand *c;
    int32_t n, n_ranked;
    double max, sum; // of the last cand_softmax(): p = exp(logit - max) / sum
} cand_set;

// Ranks the best k (k > n: all); what is ranked already is not looked at again.
void cand_rank(cand_set *s, int32_t k);
// The same by ascending p (ties: smaller id); n_ranked then speaks of that order.
void cand_rank_by_p(cand_set *s, int32_t k);
// Fills p, in the present order; n > 0.
void cand_softmax(cand_set *s);
double cand_entropy(const cand_set *s); // natural log, of p
// Keeps the first k, which are ranked.
void cand_cut(cand_set *s, int32_t k);

// --- truncation: all keep at least one candidate -------------------------------------------------
void truncate_top_n_sigma(cand_set *s, float n_sigma);
void truncate_top_k(cand_set *s, int32_t k);
void truncate_typical(cand_set *s, float p, int32_t min_keep);
void truncate_top_p(cand_set *s, float p, int32_t min_keep);
void truncate_min_p(cand_set *s, float p, int32_t min_keep);
// `chance`: the uniform number that decides whether it happens this time.
void truncate_xtc(cand_set *s, float probability, float threshold, double chance, int32_t min_keep);
void apply_temperature(cand_set *s, float temperature, float range, float exponent);

// --- history ------------------------------------------------------------------------------------
// The last tokens, oldest first, in a linear buffer of twice the window that is moved down when it
// is full; with an unbounded window it grows instead.
typedef struct history {
    int32_t *id;
    int32_t n, cap, window; // window: how many the stages may look at, -1: all
    bool short_of_memory;   // growing failed; sticky until reset
} history;

typedef struct penalty_state {
    uint32_t *count;  // [n_vocab] occurrences in the last repeat_last_n tokens; NULL when off
    int32_t *run;     // [n_vocab] DRY: 1 + longest repetition that this token would continue
    int32_t *match;   // [history.cap] DRY: length of the match at each distance from the end
    uint64_t *breaker; // [n_vocab bits]
} penalty_state;

void apply_penalties(cand_set *s, const sampler_params *p, const uint32_t *count);
void apply_dry(cand_set *s, const sampler_params *p, const history *h, penalty_state *st);

// --- mirostat: cuts the set by the state's surprise limit mu; the caller draws and then updates --
enum { MIROSTAT_M = 100 }; // candidates that version 1 estimates the exponent from
void mirostat_cut(cand_set *s, const sampler_params *p, int32_t n_vocab, double mu);
double mirostat_update(const sampler_params *p, double mu, double chosen_p);

struct sampler {
    sampler_params p;   // bias points into this sampler's own memory
    int32_t n_vocab;
    rng random;
    double mu;          // mirostat's surprise limit, bits
    cand_set set;       // memory for n_vocab candidates
    history past;
    penalty_state pen;
    sampler_bias *bias; // [p.n_bias], sorted by id, one entry an id
};

hearth_status sampler_params_check(const sampler_params *p, int32_t n_vocab, hearth_err *err);

// The stages of sampler_sample() one by one: logits to candidates (bias and bans applied), all
// stages before the draw, the draw.
hearth_status sampler_fill(sampler *s, const float *logits, const uint64_t *allowed,
                           hearth_err *err);
void sampler_run_stages(sampler *s);
int32_t sampler_draw(sampler *s);

#endif
