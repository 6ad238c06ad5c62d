// Functions of whole rows, over the vector vocabulary of the including file (see v_avx2.h).
//
// Each element-wise loop is full vectors, then one partial vector. rms_norm sums the squares into
// one vector of V_N lanes in ascending order (a partial vector at the end adds zeros), then v_sum.
#ifndef HEARTH_KERN_TMPL_VEC_OPS_H
#define HEARTH_KERN_TMPL_VEC_OPS_H

#include "kern/kern_int.h"

#include <math.h>

// exp_f32 of expf.h, with fused multiply-adds.
ATTR_INLINE vf v_exp(vf x)
{
    x = v_max(v_set1(EXPF_MIN), x); // a NaN in x stays
    x = v_min(v_set1(EXPF_MAX), x);
    vf shifted = v_fma(x, v_set1(EXPF_LOG2E), v_set1(EXPF_MAGIC));
    vf n = v_sub(shifted, v_set1(EXPF_MAGIC));
    vf r = v_fma(n, v_set1(-EXPF_LN2_HI), x);
    r = v_fma(n, v_set1(-EXPF_LN2_LO), r);
    vf p = v_fma(v_set1(EXPF_C6), r, v_set1(EXPF_C5));
    p = v_fma(p, r, v_set1(EXPF_C4));
    p = v_fma(p, r, v_set1(EXPF_C3));
    p = v_fma(p, r, v_set1(EXPF_C2));
    p = v_add(v_fma(p, v_mul(r, r), r), v_set1(1.0f));
    return v_scale2(p, shifted);
}

ATTR_INLINE vf v_silu_mul(vf x, vf up)
{
    vf one = v_set1(1.0f), zero = v_set1(0.0f);
    vf e = v_exp(v_if_negative(x, x, v_sub(zero, x)));
    vf sigmoid = v_div(v_if_negative(x, e, one), v_add(one, e));
    return v_mul(v_mul(x, sigmoid), up);
}

static void silu_mul(const float *gate, const float *up, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_silu_mul(v_load(gate + i), v_load(up + i)));
    if (i == n) return;
    vf last = v_silu_mul(v_load_n(gate + i, n - i), v_load_n(up + i, n - i));
    v_store_n(y + i, last, n - i);
}

// swiglu_clamped_f32 of expf.h.
ATTR_INLINE vf v_swiglu_clamped(vf x, vf up, vf limit)
{
    vf one = v_set1(1.0f), zero = v_set1(0.0f);
    x = v_min(limit, x); // a NaN in x or up stays
    up = v_max(v_sub(zero, limit), v_min(limit, up));
    vf u = v_mul(x, v_set1(SWIGLU_SLOPE));
    vf e = v_exp(v_if_negative(x, u, v_sub(zero, u)));
    vf sigmoid = v_div(v_if_negative(x, e, one), v_add(one, e));
    return v_mul(v_mul(x, sigmoid), v_add(up, one));
}

static void swiglu_clamped(const float *gate, const float *up, float limit, float *y, int64_t n)
{
    vf most = v_set1(limit);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N)
        v_store(y + i, v_swiglu_clamped(v_load(gate + i), v_load(up + i), most));
    if (i == n) return;
    vf last = v_swiglu_clamped(v_load_n(gate + i, n - i), v_load_n(up + i, n - i), most);
    v_store_n(y + i, last, n - i);
}

// gelu_f32 of expf.h, times up.
ATTR_INLINE vf v_gelu_mul(vf x, vf up)
{
    vf one = v_set1(1.0f), zero = v_set1(0.0f);
    vf u = v_mul(x, v_fma(v_mul(x, x), v_set1(GELU_3), v_set1(GELU_1)));
    vf e = v_exp(v_if_negative(x, u, v_sub(zero, u)));
    vf sigmoid = v_div(v_if_negative(x, e, one), v_add(one, e));
    return v_mul(v_mul(x, sigmoid), up);
}

static void gelu_mul(const float *gate, const float *up, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_gelu_mul(v_load(gate + i), v_load(up + i)));
    if (i == n) return;
    vf last = v_gelu_mul(v_load_n(gate + i, n - i), v_load_n(up + i, n - i));
    v_store_n(y + i, last, n - i);
}

static void gelu(const float *x, float *y, int64_t n)
{
    vf one = v_set1(1.0f);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_gelu_mul(v_load(x + i), one));
    if (i < n) v_store_n(y + i, v_gelu_mul(v_load_n(x + i, n - i), one), n - i);
}

// gelu_erf_f32 of expf.h, times up.
ATTR_INLINE vf v_gelu_erf_mul(vf x, vf up)
{
    vf one = v_set1(1.0f), zero = v_set1(0.0f);
    vf a = v_min(v_if_negative(x, v_sub(zero, x), x), v_set1(ERF_X_MAX));
    vf z = v_mul(a, v_set1(ERF_Z));
    vf t = v_div(one, v_fma(z, v_set1(ERF_P), one));
    vf p = v_fma(v_set1(ERF_5), t, v_set1(ERF_4));
    p = v_fma(p, t, v_set1(ERF_3));
    p = v_fma(p, t, v_set1(ERF_2));
    p = v_fma(p, t, v_set1(ERF_1));
    vf tail = v_mul(v_mul(v_mul(p, t), v_set1(0.5f)), v_exp(v_sub(zero, v_mul(z, z))));
    return v_mul(v_mul(x, v_if_negative(x, tail, v_sub(one, tail))), up);
}

static void gelu_erf_mul(const float *gate, const float *up, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_gelu_erf_mul(v_load(gate + i), v_load(up + i)));
    if (i == n) return;
    vf last = v_gelu_erf_mul(v_load_n(gate + i, n - i), v_load_n(up + i, n - i));
    v_store_n(y + i, last, n - i);
}

static void gelu_erf(const float *x, float *y, int64_t n)
{
    vf one = v_set1(1.0f);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_gelu_erf_mul(v_load(x + i), one));
    if (i < n) v_store_n(y + i, v_gelu_erf_mul(v_load_n(x + i, n - i), one), n - i);
}

// soft_cap_f32 of expf.h.
ATTR_INLINE vf v_soft_cap(vf x, vf cap)
{
    vf one = v_set1(1.0f), zero = v_set1(0.0f);
    vf y = v_div(x, cap), twice = v_add(y, y);
    vf e = v_exp(v_if_negative(y, twice, v_sub(zero, twice)));
    vf t = v_mul(v_div(v_sub(one, e), v_add(one, e)), cap);
    return v_if_negative(y, v_sub(zero, t), t);
}

static void soft_cap(const float *x, float cap, float *y, int64_t n)
{
    vf c = v_set1(cap);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_soft_cap(v_load(x + i), c));
    if (i < n) v_store_n(y + i, v_soft_cap(v_load_n(x + i, n - i), c), n - i);
}

static void add(const float *a, const float *b, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_add(v_load(a + i), v_load(b + i)));
    if (i == n) return;
    v_store_n(y + i, v_add(v_load_n(a + i, n - i), v_load_n(b + i, n - i)), n - i);
}

static void scale(const float *x, float s, float *y, int64_t n)
{
    vf v = v_set1(s);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_mul(v_load(x + i), v));
    if (i < n) v_store_n(y + i, v_mul(v_load_n(x + i, n - i), v), n - i);
}

static void add_scaled(const float *x, float s, float *y, int64_t n)
{
    vf v = v_set1(s);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N)
        v_store(y + i, v_add(v_load(y + i), v_mul(v_load(x + i), v)));
    if (i == n) return;
    vf last = v_add(v_load_n(y + i, n - i), v_mul(v_load_n(x + i, n - i), v));
    v_store_n(y + i, last, n - i);
}

static float sum_squares(const float *x, int64_t n)
{
    vf sum = v_set1(0.0f);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) sum = v_fma(v_load(x + i), v_load(x + i), sum);
    if (i < n) sum = v_fma(v_load_n(x + i, n - i), v_load_n(x + i, n - i), sum);
    return v_sum(sum);
}

static void rms_norm(const float *x, const float *w, float eps, float *y, int64_t n)
{
    vf factor = v_set1(1.0f / sqrtf(sum_squares(x, n) / (float)n + eps));
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) {
        v_store(y + i, v_mul(v_mul(v_load(x + i), factor), v_load(w + i)));
    }
    if (i == n) return;
    v_store_n(y + i, v_mul(v_mul(v_load_n(x + i, n - i), factor), v_load_n(w + i, n - i)), n - i);
}

static float sum_values(const float *x, int64_t n)
{
    vf sum = v_set1(0.0f);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) sum = v_add(sum, v_load(x + i));
    if (i < n) sum = v_add(sum, v_load_n(x + i, n - i));
    return v_sum(sum);
}

// The last vector is padded with the mean itself, whose distance is 0.
static float sum_distances(const float *x, float mean, int64_t n)
{
    vf sum = v_set1(0.0f), m = v_set1(mean);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) {
        vf d = v_sub(v_load(x + i), m);
        sum = v_fma(d, d, sum);
    }
    if (i == n) return v_sum(sum);
    float last[V_N];
    for (int64_t j = 0; j < V_N; j++) last[j] = mean;
    memcpy(last, x + i, (size_t)(n - i) * sizeof *x);
    vf d = v_sub(v_load(last), m);
    return v_sum(v_fma(d, d, sum));
}

static void layer_norm(const float *x, const float *w, const float *b, float eps, float *y,
                       int64_t n)
{
    float mean = sum_values(x, n) / (float)n;
    vf m = v_set1(mean);
    vf factor = v_set1(1.0f / sqrtf(sum_distances(x, mean, n) / (float)n + eps));
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N)
        v_store(y + i, v_mul(v_mul(v_sub(v_load(x + i), m), factor), v_load(w + i)));
    if (i < n) {
        vf v = v_mul(v_mul(v_sub(v_load_n(x + i, n - i), m), factor), v_load_n(w + i, n - i));
        v_store_n(y + i, v, n - i);
    }
    // A pass of its own: a choice inside the loop becomes masked loads from NULL, which hardware
    // ignores and emulators fault on.
    if (b) add(y, b, y, n);
}

static void match_rms(const float *x, const float *like, float *y, int64_t n)
{
    float own = sum_squares(x, n) / (float)n, wanted = sum_squares(like, n) / (float)n;
    scale(x, sqrtf(wanted) / sqrtf(own < MATCH_RMS_MIN ? MATCH_RMS_MIN : own), y, n);
}

static void relu_above(const float *x, float sigmas, float *y, int64_t n)
{
    float mean = sum_values(x, n) / (float)n;
    vf cut = v_set1(mean + sigmas * sqrtf(sum_distances(x, mean, n) / (float)n));
    vf zero = v_set1(0.0f);
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_max(zero, v_sub(v_load(x + i), cut)));
    if (i < n) v_store_n(y + i, v_max(zero, v_sub(v_load_n(x + i, n - i), cut)), n - i);
}

// Pairs (a, b) with angles (c, s): (a c - b s, b c + a s).
ATTR_INLINE vf v_rotate_pairs(vf x, vf angles)
{
    vf turned = v_negate_even(v_mul(v_swap_pairs(x), v_odd(angles)));
    return v_add(v_mul(x, v_even(angles)), turned);
}

static void rope_norm(float *x, const float *angles, int64_t n_dims)
{
    int64_t i = 0;
    for (; i + V_N <= n_dims; i += V_N)
        v_store(x + i, v_rotate_pairs(v_load(x + i), v_load(angles + i)));
    int64_t rest = n_dims - i;
    if (rest) {
        v_store_n(x + i, v_rotate_pairs(v_load_n(x + i, rest), v_load_n(angles + i, rest)), rest);
    }
}

static void rope_neox(float *x, const float *angles, int64_t n_dims)
{
    float *lo = x, *hi = x + n_dims / 2;
    int64_t i = 0;
    for (; i + V_N <= n_dims / 2; i += V_N) {
        vf c, s, a = v_load(lo + i), b = v_load(hi + i);
        v_load_pairs(angles + 2 * i, &c, &s);
        v_store(lo + i, v_sub(v_mul(a, c), v_mul(b, s)));
        v_store(hi + i, v_add(v_mul(a, s), v_mul(b, c)));
    }
    for (; i < n_dims / 2; i++) {
        float c = angles[2 * i], s = angles[2 * i + 1], a = lo[i], b = hi[i];
        lo[i] = a * c - b * s;
        hi[i] = a * s + b * c;
    }
}

static void store_f16(const float *x, void *dst, int64_t n)
{
    uint16_t *h = dst;
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store_f16(h + i, v_load(x + i));
    if (i < n) v_store_f16_n(h + i, v_load_n(x + i, n - i), n - i);
}

static void dequant_f16(const void *src, float *dst, int64_t n)
{
    const uint16_t *h = src;
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(dst + i, v_load_f16(h + i));
    if (i < n) v_store_n(dst + i, v_load_f16_n(h + i, n - i), n - i);
}

static void fill_vec_ops(kern *k)
{
    k->rms_norm = rms_norm;
    k->match_rms = match_rms;
    k->relu_above = relu_above;
    k->silu_mul = silu_mul;
    k->layer_norm = layer_norm;
    k->gelu_mul = gelu_mul;
    k->gelu = gelu;
    k->gelu_erf_mul = gelu_erf_mul;
    k->gelu_erf = gelu_erf;
    k->swiglu_clamped = swiglu_clamped;
    k->soft_cap = soft_cap;
    k->add = add;
    k->scale = scale;
    k->add_scaled = add_scaled;
    k->rope_norm = rope_norm;
    k->rope_neox = rope_neox;
    k->cache_store[DTYPE_F16] = store_f16;
    k->dequant[DTYPE_F16] = dequant_f16;
}

#endif
