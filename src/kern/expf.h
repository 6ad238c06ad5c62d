// exp() for floats: one algorithm for every instruction set, here in scalar C for the reference,
// in tmpl/vec_ops.h over vectors with the same constants.
//
//   n = round(x / ln 2),  r = x - n ln 2 in two steps,  exp(x) = 2^n * p(r),  |r| <= 0.3466
//
// ln 2 is split into its 9 leading bits, whose product with |n| <= 150 is exact, and the rest.
// p(r) = 1 + r + r^2 (C2 + C3 r + ... + C6 r^4); the coefficients are a minimax fit (iterated
// weighted least squares on Chebyshev nodes), 2^-27.8 relative to exp after rounding to float.
// 2^n is applied in two factors, so that results become infinite or denormal without branches.
// Bound: 2^-22 relative, plus 2^-149 where the result is denormal; tests/check holds it against
// double. exp(-inf) = 0, exp(inf) = inf, a NaN stays one.
#ifndef HEARTH_KERN_EXPF_H
#define HEARTH_KERN_EXPF_H

#include "kern/half.h"

#define EXPF_MIN (-104.0f) // exp(-103.98) is half of the smallest denormal
#define EXPF_MAX 89.0f     // exp(88.73) overflows
#define EXPF_LOG2E 0x1.715476p+0f
#define EXPF_LN2_HI 0x1.62p-1f
#define EXPF_LN2_LO 0x1.c85fe0p-10f
#define EXPF_MAGIC 0x1.8p+23f // adding it rounds to an integer, then found in the low bits
#define EXPF_C2 0x1.fffffcp-2f
#define EXPF_C3 0x1.555490p-3f
#define EXPF_C4 0x1.5558f8p-5f
#define EXPF_C5 0x1.123b02p-7f
#define EXPF_C6 0x1.6a2256p-10f

static inline float exp_f32(float x)
{
    x = x < EXPF_MIN ? EXPF_MIN : x; // comparisons are false for NaN, which passes through
    x = x > EXPF_MAX ? EXPF_MAX : x;
    float shifted = x * EXPF_LOG2E + EXPF_MAGIC;
    float n = shifted - EXPF_MAGIC;
    float r = x - n * EXPF_LN2_HI - n * EXPF_LN2_LO;
    float p = EXPF_C6;
    p = p * r + EXPF_C5;
    p = p * r + EXPF_C4;
    p = p * r + EXPF_C3;
    p = p * r + EXPF_C2;
    p = p * (r * r) + r + 1.0f;
    // With u = n + 256 in [106, 384]: n = (h - 128) + (u - h - 128), h = u / 2, and the bits of
    // 2^e are (e + 127) << 23. For NaN u is garbage, which unsigned arithmetic tolerates.
    uint32_t u = f32_bits(shifted) - f32_bits(EXPF_MAGIC) + 256, h = u >> 1;
    return p * f32_from_bits((h - 1) << 23) * f32_from_bits((u - h - 1) << 23);
}

static inline float sigmoid_f32(float x)
{
    float e = exp_f32(x < 0 ? x : -x);
    return (x < 0 ? e : 1.0f) / (1.0f + e);
}

// x * sigmoid(x), through exp(-|x|), which cannot overflow.
static inline float silu_f32(float x)
{
    float e = exp_f32(x < 0 ? x : -x);
    return x * ((x < 0 ? e : 1.0f) / (1.0f + e));
}

// x * sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3); the constants are 2 sqrt(2/pi) and that times
// 0.044715. Where x^3 overflows, the sigmoid is 0 or 1 before.
#define GELU_1 0x1.988454p+0f
#define GELU_3 0x1.2444f2p-4f

static inline float gelu_f32(float x)
{
    float u = x * (x * x * GELU_3 + GELU_1);
    float e = exp_f32(x < 0 ? u : -u);
    return x * ((x < 0 ? e : 1.0f) / (1.0f + e));
}

// (u + 1) g sigmoid(1.702 g), g and u held below the limit, u above its negative too.
#define SWIGLU_SLOPE 1.702f

static inline float swiglu_clamped_f32(float gate, float up, float limit)
{
    float x = gate > limit ? limit : gate; // a NaN passes through
    float y = up > limit ? limit : up < -limit ? -limit : up;
    float u = x * SWIGLU_SLOPE;
    float e = exp_f32(x < 0 ? u : -u);
    return x * ((x < 0 ? e : 1.0f) / (1.0f + e)) * (y + 1.0f);
}

// x * P(x), P the normal distribution. With z = |x| / sqrt(2), t = 1 / (1 + ERF_P z):
// erfc(z) = (ERF_1 t + ... + ERF_5 t^5) exp(-z^2) within 1.5e-7 (Abramowitz and Stegun, 7.1.26);
// half of it is P(-|x|). At 16 it is 0 already; beyond, z^2 could overflow.
#define ERF_P 0x1.4f740ap-2f
#define ERF_1 0x1.04f20cp-2f
#define ERF_2 (-0x1.23531cp-2f)
#define ERF_3 0x1.6be1c6p+0f
#define ERF_4 (-0x1.7401c6p+0f)
#define ERF_5 0x1.0fb844p+0f
#define ERF_Z 0x1.6a09e6p-1f // 1 / sqrt(2)
#define ERF_X_MAX 16.0f

static inline float gelu_erf_f32(float x)
{
    float a = x < 0 ? -x : x;
    a = a > ERF_X_MAX ? ERF_X_MAX : a;
    float z = a * ERF_Z, t = 1.0f / (1.0f + ERF_P * z);
    float p = (((ERF_5 * t + ERF_4) * t + ERF_3) * t + ERF_2) * t + ERF_1;
    float tail = 0.5f * (p * t) * exp_f32(-(z * z));
    return x * (x < 0 ? tail : 1.0f - tail);
}

// cap * tanh(x / cap) with tanh |y| = (1 - exp(-2|y|)) / (1 + exp(-2|y|)).
static inline float soft_cap_f32(float x, float cap)
{
    float y = x / cap;
    float e = exp_f32(y < 0 ? y + y : -(y + y));
    float t = (1.0f - e) / (1.0f + e) * cap;
    return y < 0 ? -t : t;
}

#endif
