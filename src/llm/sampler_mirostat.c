// Mirostat (Basu et al., 2021): holds the surprise of the drawn tokens, in bits, near tau.
//
// A limit mu on surprise starts at 2 tau and moves against the error after every draw. Version 1
// turns it into a top-k through a Zipf exponent that it estimates from the best MIROSTAT_M
// candidates; version 2 simply drops what surprises more than mu.
#include "llm/sampler_int.h"

#include <math.h>

// Least squares of log(p_i / p_i+1) against log((i + 2) / (i + 1)): the exponent s of p_i ~ i^-s.
static double estimate_exponent(const cand_set *s)
{
    double top = 0, bottom = 0;
    for (int32_t i = 0; i < MIROSTAT_M - 1 && i < s->n - 1; i++) {
        double t = log((double)(i + 2) / (i + 1));
        top += t * (s->c[i].logit - s->c[i + 1].logit); // = log of the ratio of probabilities
        bottom += t * t;
    }
    return bottom > 0 ? top / bottom : 0;
}

static int32_t choose_k(const cand_set *s, int32_t n_vocab, double mu)
{
    double exponent = estimate_exponent(s), over = exponent - 1;
    double k = pow(over * pow(2, mu) / (1 - pow((double)n_vocab, -over)), 1 / exponent);
    if (!(k < s->n)) return s->n; // also NaN, of flat distributions
    return k < 1 ? 1 : (int32_t)k;
}

static int32_t count_within(cand_set *s, double mu)
{
    cand_softmax(s);
    int32_t n = 0;
    for (int32_t i = 0; i < s->n; i++) n += -log2((double)s->c[i].p) <= mu;
    return n < 1 ? 1 : n;
}

void mirostat_cut(cand_set *s, const sampler_params *p, int32_t n_vocab, double mu)
{
    if (p->mirostat == 1) cand_rank(s, MIROSTAT_M);
    truncate_top_k(s, p->mirostat == 1 ? choose_k(s, n_vocab, mu) : count_within(s, mu));
}

double mirostat_update(const sampler_params *p, double mu, double chosen_p)
{
    double surprise = -log2(chosen_p);
    return mu - (double)p->mirostat_eta * (surprise - (double)p->mirostat_tau);
}
