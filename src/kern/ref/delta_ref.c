// Reference: one head of the gated delta rule. Sums run in ascending order with one accumulator
// each, over the keys of one value at a time, as the columns of faster versions do.
#include "kern/kern_int.h"

#include <math.h>
#include <string.h>

static void normalize(const float *x, float factor, float *y, int64_t n)
{
    float squares = 0.0f;
    for (int64_t i = 0; i < n; i++) squares += x[i] * x[i];
    float inverse = factor / sqrtf(squares + DELTA_NORM_EPS);
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * inverse;
}

static void run_delta_head(const delta_head *h, const float *from, float *to, float *scratch,
                           float *y)
{
    int64_t d_k = h->d_k, d_v = h->d_v;
    float *k = scratch, *q = scratch + d_k;
    normalize(h->k, 1.0f, k, d_k);
    normalize(h->q, 1.0f / sqrtf((float)d_k), q, d_k);
    if (!from) memset(to, 0, (size_t)(d_k * d_v) * sizeof *to);
    if (!from) from = to;
    for (int64_t i = 0; i < d_v; i++) {
        float seen = 0.0f, sum = 0.0f;
        for (int64_t j = 0; j < d_k; j++) seen += k[j] * from[j * d_v + i];
        float put = h->beta * (h->v[i] - h->decay * seen);
        for (int64_t j = 0; j < d_k; j++) {
            float s = h->decay * from[j * d_v + i] + k[j] * put;
            to[j * d_v + i] = s;
            sum += q[j] * s;
        }
        y[i] = sum;
    }
}

void kern_fill_ref_delta(kern *k) { k->delta_head = run_delta_head; }
