// Log-probabilities of unmodified logits, for callers who want to see them. Infinite and NaN logits
// count as impossible, so that one broken logit does not hide the others.
#include "llm/sampler.h"

#include <math.h>

static double log_sum_exp(const float *logits, int32_t n)
{
    float max = -INFINITY;
    for (int32_t i = 0; i < n; i++)
        if (isfinite(logits[i]) && logits[i] > max) max = logits[i];
    if (!isfinite(max)) return 0;
    double sum = 0;
    for (int32_t i = 0; i < n; i++)
        if (isfinite(logits[i])) sum += exp((double)logits[i] - (double)max);
    return (double)max + log(sum);
}

static float logprob_from(float logit, double log_sum)
{
    return isfinite(logit) ? (float)((double)logit - log_sum) : -INFINITY;
}

float sampler_logprob_of(const float *logits, int32_t n_vocab, int32_t id)
{
    ASSERT(id >= 0 && id < n_vocab);
    return logprob_from(logits[id], log_sum_exp(logits, n_vocab));
}

// Insertion into a short sorted list: n is at most a few dozen, and almost every logit is refused
// by one comparison with the last.
int sampler_top_logprobs(const float *logits, int32_t n_vocab, sampler_logprob *out, int n)
{
    int n_out = 0;
    for (int32_t id = 0; id < n_vocab && n > 0; id++) {
        float x = logits[id];
        if (!isfinite(x) || (n_out == n && x <= out[n - 1].logprob)) continue;
        int at = n_out < n ? n_out++ : n - 1;
        for (; at > 0 && out[at - 1].logprob < x; at--) out[at] = out[at - 1];
        out[at] = (sampler_logprob){id, x};
    }
    double log_sum = n_out ? log_sum_exp(logits, n_vocab) : 0;
    for (int i = 0; i < n_out; i++) out[i].logprob = logprob_from(out[i].logprob, log_sum);
    return n_out;
}
