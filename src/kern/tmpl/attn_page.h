// One page of attention over the vector vocabulary of the including file.
//
// Keys are taken in blocks of KEY_BLOCK from the start of the page. For a block: the scores; the
// new maximum; one rescaling of the record; then, for each slice of the values, the weighted sum
// over the keys in ascending order. Scores and weights of a block live in a small array, padded
// with -inf, whose exp is 0, to whole vectors. A dot product sums V_N lanes over ascending i, then
// v_sum. Nothing depends on the other heads.
#ifndef HEARTH_KERN_TMPL_ATTN_PAGE_H
#define HEARTH_KERN_TMPL_ATTN_PAGE_H

#include "kern/kern_int.h"
#include "kern/tmpl/loads.h"
#include "kern/tmpl/vec_ops.h"

#include <math.h>

enum { KEY_BLOCK = 32, KEYS_AT_ONCE = 4, SLICES_AT_ONCE = 4 };

// n_j scores; a constant where inlined.
ATTR_INLINE void score_keys(loader load, int n_j, const float *q, int64_t d, const char *keys,
                            size_t stride, float scale, float *s)
{
    vf acc[KEYS_AT_ONCE];
    for (int j = 0; j < n_j; j++) acc[j] = v_set1(0.0f);
    int64_t i = 0;
    for (; i + V_N <= d; i += V_N)
        for (int j = 0; j < n_j; j++)
            acc[j] = v_fma(v_load(q + i), load.full(keys + (size_t)j * stride, i), acc[j]);
    if (i < d)
        for (int j = 0; j < n_j; j++)
            acc[j] = v_fma(v_load_n(q + i, d - i), load.part(keys + (size_t)j * stride, i, d - i),
                           acc[j]);
    for (int j = 0; j < n_j; j++) s[j] = v_sum(acc[j]) * scale;
}

ATTR_INLINE void score_block(loader load, const float *q, int64_t d, const char *keys,
                             size_t stride, int64_t n, float scale, float *s)
{
    int64_t j = 0;
    for (; j + KEYS_AT_ONCE <= n; j += KEYS_AT_ONCE)
        score_keys(load, KEYS_AT_ONCE, q, d, keys + (size_t)j * stride, stride, scale, s + j);
    for (; j < n; j++) score_keys(load, 1, q, d, keys + (size_t)j * stride, stride, scale, s + j);
    for (; j % V_N; j++) s[j] = -INFINITY;
}

// Scores to capped scores, in place; the padding is restored.
ATTR_INLINE void cap_block(float *s, int64_t n, float cap)
{
    int64_t j = 0;
    for (; j < n; j += V_N) v_store(s + j, v_soft_cap(v_load(s + j), v_set1(cap)));
    for (int64_t i = n; i < j; i++) s[i] = -INFINITY;
}

// Scores to weights exp(s - m) in place; returns their sum.
ATTR_INLINE float weigh_block(float *s, int64_t n, float m)
{
    vf sum = v_set1(0.0f);
    for (int64_t j = 0; j < n; j += V_N) {
        vf p = v_exp(v_sub(v_load(s + j), v_set1(m)));
        v_store(s + j, p);
        sum = v_add(sum, p);
    }
    return v_sum(sum);
}

// acc = acc * c + sum of p[j] * value[j] over n_s slices of V_N elements from element i on.
ATTR_INLINE void blend_slices(loader load, int n_s, const float *p, int64_t n, const char *values,
                              size_t stride, int64_t i, float c, float *acc)
{
    vf sum[SLICES_AT_ONCE];
    for (int s = 0; s < n_s; s++) sum[s] = v_mul(v_load(acc + i + s * V_N), v_set1(c));
    for (int64_t j = 0; j < n; j++)
        for (int s = 0; s < n_s; s++)
            sum[s] = v_fma(v_set1(p[j]), load.full(values + (size_t)j * stride, i + s * V_N),
                           sum[s]);
    for (int s = 0; s < n_s; s++) v_store(acc + i + s * V_N, sum[s]);
}

ATTR_INLINE void blend_rest(loader load, const float *p, int64_t n, const char *values,
                            size_t stride, int64_t i, int64_t rest, float c, float *acc)
{
    vf sum = v_mul(v_load_n(acc + i, rest), v_set1(c));
    for (int64_t j = 0; j < n; j++)
        sum = v_fma(v_set1(p[j]), load.part(values + (size_t)j * stride, i, rest), sum);
    v_store_n(acc + i, sum, rest);
}

ATTR_INLINE void blend_block(loader load, const float *p, int64_t n, const char *values,
                             size_t stride, int64_t d, float c, float *acc)
{
    int64_t i = 0;
    for (; i + SLICES_AT_ONCE * V_N <= d; i += SLICES_AT_ONCE * V_N)
        blend_slices(load, SLICES_AT_ONCE, p, n, values, stride, i, c, acc);
    for (; i + V_N <= d; i += V_N) blend_slices(load, 1, p, n, values, stride, i, c, acc);
    if (i < d) blend_rest(load, p, n, values, stride, i, d - i, c, acc);
}

ATTR_INLINE void fold_head(loader load, const float *q, int64_t d_k, int64_t d_v, const char *k,
                           size_t k_stride, const char *v, size_t v_stride, int64_t n_keys,
                           float scale, float cap, float *state)
{
    float s[KEY_BLOCK];
    for (int64_t j = 0; j < n_keys; j += KEY_BLOCK) {
        int64_t n = i64_min(KEY_BLOCK, n_keys - j);
        score_block(load, q, d_k, k + (size_t)j * k_stride, k_stride, n, scale, s);
        if (cap > 0) cap_block(s, n, cap);
        float m = state[0];
        for (int64_t i = 0; i < n; i++) m = s[i] > m ? s[i] : m;
        float c = exp_f32(state[0] - m);
        state[0] = m;
        state[1] = state[1] * c + weigh_block(s, n, m);
        blend_block(load, s, n, v + (size_t)j * v_stride, v_stride, d_v, c, state + 2);
    }
}

#define ATTN_PAGE(type)                                                                          \
    static void attn_page_##type(const float *q, int64_t n_head, int64_t d_k, int64_t d_v,       \
                                 const void *k, size_t k_stride, const void *v, size_t v_stride, \
                                 int64_t n_keys, float scale, float cap, float *state)           \
    {                                                                                            \
        for (int64_t h = 0; h < n_head; h++)                                                     \
            fold_head(LOADER(type), q + h * d_k, d_k, d_v, k, k_stride, v, v_stride, n_keys,     \
                      scale, cap, state + h * (2 + d_v));                                        \
    }
ATTN_PAGE(f32)
ATTN_PAGE(f16)

static void fill_attn_page(kern *k)
{
    k->attn_page[DTYPE_F32] = attn_page_f32;
    k->attn_page[DTYPE_F16] = attn_page_f16;
}

#endif
