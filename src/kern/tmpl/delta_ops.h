// One head of the gated delta rule, over the vector vocabulary of the including file (see
// v_avx2.h); vec_ops.h and recur_ops.h come before.
//
// The state's rows are keys, so a column of V_N values needs no sum across lanes: one pass over the
// keys for what the state says of k, one that changes the state and reads it by q. Four columns go
// together, since each pass is a chain of dependent additions. Products and sums are fused, in
// ascending order of the keys, whatever the number of columns.
#ifndef HEARTH_KERN_TMPL_DELTA_OPS_H
#define HEARTH_KERN_TMPL_DELTA_OPS_H

#include "kern/kern_int.h"

#include <math.h>
#include <string.h>

typedef struct delta_step {
    const float *k, *q, *v, *from; // k and q normalised
    float *to, *y;
    int64_t d_k, d_v;
    vf decay, beta;
} delta_step;

ATTR_INLINE vf delta_put(const delta_step *s, int64_t i, int64_t lanes, vf seen)
{
    vf v = v_load_up_to(s->v + i, lanes);
    return v_mul(s->beta, v_sub(v, v_mul(s->decay, seen)));
}

ATTR_INLINE vf delta_next(const delta_step *s, vf before, int64_t j, vf put)
{
    return v_fma(v_set1(s->k[j]), put, v_mul(s->decay, before));
}

static void step_four_columns(const delta_step *s, int64_t i)
{
    const float *from = s->from + i;
    float *to = s->to + i;
    vf a = v_set1(0.0f), b = a, c = a, d = a;
    for (int64_t j = 0; j < s->d_k; j++, from += s->d_v) {
        vf k = v_set1(s->k[j]);
        a = v_fma(k, v_load(from), a);
        b = v_fma(k, v_load(from + V_N), b);
        c = v_fma(k, v_load(from + 2 * V_N), c);
        d = v_fma(k, v_load(from + 3 * V_N), d);
    }
    vf put_a = delta_put(s, i, V_N, a), put_b = delta_put(s, i + V_N, V_N, b);
    vf put_c = delta_put(s, i + 2 * V_N, V_N, c), put_d = delta_put(s, i + 3 * V_N, V_N, d);
    a = b = c = d = v_set1(0.0f);
    from = s->from + i;
    for (int64_t j = 0; j < s->d_k; j++, from += s->d_v, to += s->d_v) {
        vf q = v_set1(s->q[j]);
        vf next_a = delta_next(s, v_load(from), j, put_a);
        vf next_b = delta_next(s, v_load(from + V_N), j, put_b);
        vf next_c = delta_next(s, v_load(from + 2 * V_N), j, put_c);
        vf next_d = delta_next(s, v_load(from + 3 * V_N), j, put_d);
        v_store(to, next_a);
        v_store(to + V_N, next_b);
        v_store(to + 2 * V_N, next_c);
        v_store(to + 3 * V_N, next_d);
        a = v_fma(q, next_a, a);
        b = v_fma(q, next_b, b);
        c = v_fma(q, next_c, c);
        d = v_fma(q, next_d, d);
    }
    v_store(s->y + i, a);
    v_store(s->y + i + V_N, b);
    v_store(s->y + i + 2 * V_N, c);
    v_store(s->y + i + 3 * V_N, d);
}

// V_N values or the fewer that are left.
static void step_one_column(const delta_step *s, int64_t i, int64_t lanes)
{
    const float *from = s->from + i;
    float *to = s->to + i;
    vf sum = v_set1(0.0f);
    for (int64_t j = 0; j < s->d_k; j++)
        sum = v_fma(v_set1(s->k[j]), v_load_up_to(from + j * s->d_v, lanes), sum);
    vf put = delta_put(s, i, lanes, sum);
    sum = v_set1(0.0f);
    for (int64_t j = 0; j < s->d_k; j++) {
        vf next = delta_next(s, v_load_up_to(from + j * s->d_v, lanes), j, put);
        v_store_up_to(to + j * s->d_v, next, lanes);
        sum = v_fma(v_set1(s->q[j]), next, sum);
    }
    v_store_up_to(s->y + i, sum, lanes);
}

static void run_delta_head(const delta_head *h, const float *from, float *to, float *scratch,
                           float *y)
{
    int64_t d_k = h->d_k, d_v = h->d_v, i = 0;
    float *k = scratch, *q = scratch + d_k;
    scale(h->k, 1.0f / sqrtf(sum_squares(h->k, d_k) + DELTA_NORM_EPS), k, d_k);
    float root = 1.0f / sqrtf((float)d_k);
    scale(h->q, root / sqrtf(sum_squares(h->q, d_k) + DELTA_NORM_EPS), q, d_k);
    if (!from) memset(to, 0, (size_t)(d_k * d_v) * sizeof *to);
    delta_step s = {.k = k, .q = q, .v = h->v, .from = from ? from : to, .to = to, .y = y,
                    .d_k = d_k, .d_v = d_v,
                    .decay = v_set1(h->decay), .beta = v_set1(h->beta)};
    for (; i + 4 * V_N <= d_v; i += 4 * V_N) step_four_columns(&s, i);
    for (; i < d_v; i += V_N) step_one_column(&s, i, d_v - i < V_N ? d_v - i : V_N);
}

static void fill_delta_ops(kern *k) { k->delta_head = run_delta_head; }

#endif
