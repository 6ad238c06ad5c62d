// Who goes where in a mixture of experts: the host's part. See block.h and moe.c.
//
//   score = logit                      softmax without a bias: it orders as the probabilities do
//           probability + bias         otherwise (DeepSeek-V3: the bias balances the load and takes
//                                      no part in the weights)
//   with groups: an expert outside the n_group_used best groups is out. A group is as good as its
//   best expert under a softmax (DeepSeek-V2), as the sum of its best two under sigmoids (V3).
//   chosen: the n_used highest scores, ties to the lower index, by falling score
//   weight = scale * probability / (sum of the chosen ones, where the family divides)
//
// All in double: a row's weights are far below a step's cost.
#include "nn/block.h"

#include <math.h>

static double probability(const nn_moe *m, double logit, double top, double sum)
{
    return m->is_sigmoid ? 1 / (1 + exp(-logit)) : exp(logit - top) / sum;
}

// The softmax's largest logit and sum; 0 and 1 without one.
static void sum_logits(const nn_moe *m, const float *logits, double *top, double *sum)
{
    *top = 0;
    *sum = 1;
    if (m->is_sigmoid) return;
    *top = (double)logits[0];
    for (int64_t e = 1; e < m->n_expert; e++) *top = fmax(*top, (double)logits[e]);
    *sum = 0;
    for (int64_t e = 0; e < m->n_expert; e++) *sum += exp((double)logits[e] - *top);
}

static void score_experts(const nn_moe *m, const nn_choice *c, const float *logits)
{
    double top, sum;
    bool is_plain = m->bias == WEIGHT_NONE && !m->is_sigmoid;
    sum_logits(m, logits, &top, &sum);
    for (int64_t e = 0; e < m->n_expert; e++) {
        double bias = m->bias == WEIGHT_NONE ? 0 : (double)c->bias[e];
        c->score[e] = is_plain ? (double)logits[e]
                               : probability(m, (double)logits[e], top, sum) + bias;
    }
}

static double score_group(const nn_moe *m, const double *score)
{
    double best = -(double)INFINITY, second = -(double)INFINITY;
    for (int64_t e = 0; e < m->n_expert / m->n_group; e++) {
        if (score[e] > best) {
            second = best;
            best = score[e];
        } else if (score[e] > second) {
            second = score[e];
        }
    }
    return m->is_sigmoid ? best + second : best;
}

// The best of n scores that is not taken yet, which is then marked as taken. A NaN is never larger,
// so there always is one.
static int32_t take_best(const double *score, bool *is_taken, int64_t n)
{
    int32_t best = -1;
    for (int32_t e = 0; e < n; e++)
        if (!is_taken[e] && (best < 0 || score[e] > score[best])) best = e;
    is_taken[best] = true;
    return best;
}

// Experts of groups that are not among the best count as taken.
static void close_groups(const nn_moe *m, const nn_choice *c)
{
    int64_t n_each = m->n_expert / m->n_group;
    for (int64_t g = 0; g < m->n_group; g++) {
        c->group[g] = score_group(m, c->score + g * n_each);
        c->is_group_taken[g] = false;
    }
    for (int64_t i = 0; i < m->n_group_used; i++)
        take_best(c->group, c->is_group_taken, m->n_group);
    for (int64_t e = 0; e < m->n_expert; e++) c->is_taken[e] = !c->is_group_taken[e / n_each];
}

static void weigh_experts(const nn_moe *m, const nn_choice *c, const float *logits,
                          const int32_t *chosen, float *out)
{
    double top, sum, all = 1;
    sum_logits(m, logits, &top, &sum);
    if (m->normalize) {
        all = 1e-20; // as the networks have it, against sigmoids that are all 0
        for (int64_t i = 0; i < m->n_used; i++)
            all += probability(m, (double)logits[chosen[i]], top, sum);
    }
    for (int64_t i = 0; i < m->n_used; i++) {
        double p = probability(m, (double)logits[chosen[i]], top, sum);
        out[i] = (float)(p / all * (double)m->scale);
        if (m->expert_scales != WEIGHT_NONE) out[i] *= c->each[chosen[i]];
    }
}

void nn_route_row(const nn_moe *m, const nn_choice *c, const float *logits, int32_t *chosen,
                  float *out)
{
    score_experts(m, c, logits);
    for (int64_t e = 0; e < m->n_expert; e++) c->is_taken[e] = false;
    if (m->n_group > 1) close_groups(m, c);
    for (int64_t i = 0; i < m->n_used; i++)
        chosen[i] = take_best(c->score, c->is_taken, m->n_expert);
    weigh_experts(m, c, logits, chosen, out);
}
