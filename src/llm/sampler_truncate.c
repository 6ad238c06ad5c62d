// The stages that narrow the choice, and temperature. Rules and corner cases are llama.cpp's, which
// people's settings are written for: which side of a threshold is kept, what min_keep protects.
//
//   top-n-sigma  logit >= max - n * sigma, sigma over all candidates (population)
//   top-k        the k best
//   typical-p    by |surprise - entropy|, the closest until their probabilities exceed p
//   top-p        the best until their probabilities reach p
//   min-p        probability >= p times the best one's, that is logit >= max + log p
//   XTC          sometimes drops all candidates above the threshold but the least likely of them
#include "llm/sampler_int.h"

#include <math.h>

enum { RANK_STEP = 64 }; // first guess of how many candidates hold the wanted probability

// Below it the best candidate has all the probability unless logits agree to 30 digits; dividing by
// less could overflow.
#define LEAST_TEMPERATURE 1e-30

static int32_t next_step(const cand_set *s, int32_t n)
{
    return n == 0 ? RANK_STEP : n < s->n / 4 ? 4 * n : s->n;
}

static double highest_logit(const cand_set *s)
{
    double max = s->c[0].logit;
    for (int32_t i = 1; i < s->n; i++) max = s->c[i].logit > max ? s->c[i].logit : max;
    return max;
}

// Drops what is below `least`, keeping the order of the others.
static void drop_below(cand_set *s, double least)
{
    int32_t n = 0, n_ranked = 0;
    for (int32_t i = 0; i < s->n; i++) {
        if (s->c[i].logit < least) continue;
        if (i < s->n_ranked) n_ranked++;
        s->c[n++] = s->c[i];
    }
    s->n = n;
    s->n_ranked = n_ranked;
}

void truncate_top_n_sigma(cand_set *s, float n_sigma)
{
    if (n_sigma <= 0 || s->n <= 1) return;
    double mean = 0, variance = 0;
    for (int32_t i = 0; i < s->n; i++) mean += s->c[i].logit;
    mean /= s->n;
    for (int32_t i = 0; i < s->n; i++) {
        double d = s->c[i].logit - mean;
        variance += d * d;
    }
    drop_below(s, highest_logit(s) - (double)n_sigma * sqrt(variance / s->n));
}

void truncate_top_k(cand_set *s, int32_t k)
{
    if (k <= 0 || k >= s->n) return;
    cand_rank(s, k);
    cand_cut(s, k);
}

void truncate_top_p(cand_set *s, float p, int32_t min_keep)
{
    if (p >= 1) return;
    cand_softmax(s);
    double sum = 0;
    for (int32_t i = 0; i < s->n; i++) {
        if (i >= s->n_ranked) cand_rank(s, next_step(s, i));
        sum += (double)s->c[i].p;
        if (sum >= (double)p && i + 1 >= min_keep) {
            cand_cut(s, i + 1);
            return;
        }
    }
}

void truncate_min_p(cand_set *s, float p, int32_t min_keep)
{
    if (p <= 0 || s->n <= 1) return;
    double least = highest_logit(s) + log((double)p);
    int32_t n = 0;
    for (int32_t i = 0; i < s->n; i++) n += s->c[i].logit >= least;
    if (n >= min_keep) {
        drop_below(s, least);
        return;
    }
    truncate_top_k(s, min_keep);
}

// p holds the distance while the candidates are put in its order; the set's max and sum give the
// probability back. What is kept is in order of distance, so nothing is ranked afterwards.
void truncate_typical(cand_set *s, float p, int32_t min_keep)
{
    if (p >= 1) return;
    cand_softmax(s);
    double entropy = cand_entropy(s), log_sum = log(s->sum), total = 0;
    for (int32_t i = 0; i < s->n; i++)
        s->c[i].p = (float)fabs(s->max + log_sum - s->c[i].logit - entropy);
    s->n_ranked = 0;
    for (int32_t i = 0; i < s->n; i++) {
        if (i >= s->n_ranked) cand_rank_by_p(s, next_step(s, i));
        total += exp(s->c[i].logit - s->max) / s->sum;
        if (total > (double)p && i + 1 >= min_keep) {
            cand_cut(s, i + 1);
            break;
        }
    }
    s->n_ranked = 0;
}

void truncate_xtc(cand_set *s, float probability, float threshold, double chance, int32_t min_keep)
{
    if (probability <= 0 || threshold > 0.5f || s->n < 2 || chance > (double)probability) return;
    cand_softmax(s);
    // At most 1 / threshold candidates reach the threshold; with threshold 0 all do.
    int32_t n_above = 0;
    for (int32_t i = 0; i < s->n; i++) n_above += s->c[i].p >= threshold;
    int32_t n_drop = n_above - 1;
    if (n_drop < 1 || s->n - n_drop < min_keep) return;
    cand_rank(s, n_above);
    for (int32_t i = n_drop; i < s->n; i++) s->c[i - n_drop] = s->c[i];
    s->n -= n_drop;
    s->n_ranked -= n_drop;
}

// Dynamic temperature: between temperature - range and + range by the normalised entropy.
static double choose_temperature(cand_set *s, float temperature, float range, float exponent)
{
    if (range <= 0) return (double)temperature;
    double low = (double)f32_max(temperature - range, 0);
    double high = (double)temperature + (double)range;
    cand_softmax(s);
    return low + (high - low) * pow(cand_entropy(s) / log((double)s->n), (double)exponent);
}

void apply_temperature(cand_set *s, float temperature, float range, float exponent)
{
    if (s->n <= 1) return;
    double t = choose_temperature(s, temperature, range, exponent);
    if (!(t > LEAST_TEMPERATURE)) {
        truncate_top_k(s, 1);
        return;
    }
    for (int32_t i = 0; i < s->n; i++) s->c[i].logit /= t;
}
