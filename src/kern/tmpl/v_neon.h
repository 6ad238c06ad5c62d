// Vector vocabulary (see v_avx2.h) over Armv8.0 Advanced SIMD: 4 floats.
//
// Half precision is converted by FCVTL and FCVTN, which are part of Armv8.0; half precision
// arithmetic is not and is not used. Both keep the payload of a NaN and make it quiet, as half.h
// defines. FMIN and FMAX give NaN when either side is one, so minimum and maximum are a comparison
// and a selection. The _n forms load and store lane by lane: they run once per row.
#ifndef HEARTH_KERN_TMPL_V_NEON_H
#define HEARTH_KERN_TMPL_V_NEON_H

#include "kern/expf.h"

#include <arm_neon.h>

#define V_N 4
#define V_TILE_ROWS 4 // with 4 tokens: 16 sums, 4 loads and 1 row vector of 32 registers
#define V_TILE_TOKENS 4

typedef float32x4_t vf;

ATTR_INLINE vf v_set1(float x) { return vdupq_n_f32(x); }
ATTR_INLINE vf v_load(const float *p) { return vld1q_f32(p); }
ATTR_INLINE void v_store(float *p, vf x) { vst1q_f32(p, x); }
ATTR_INLINE vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
ATTR_INLINE vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
ATTR_INLINE vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
ATTR_INLINE vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
ATTR_INLINE vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
ATTR_INLINE vf v_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
ATTR_INLINE vf v_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }

ATTR_INLINE vf v_load_n(const float *p, int64_t n)
{
    vf x = vld1q_lane_f32(p, v_set1(0.0f), 0);
    if (n > 1) x = vld1q_lane_f32(p + 1, x, 1);
    if (n > 2) x = vld1q_lane_f32(p + 2, x, 2);
    return x;
}

ATTR_INLINE void v_store_n(float *p, vf x, int64_t n)
{
    vst1q_lane_f32(p, x, 0);
    if (n > 1) vst1q_lane_f32(p + 1, x, 1);
    if (n > 2) vst1q_lane_f32(p + 2, x, 2);
}

ATTR_INLINE float v_sum(vf x) // (x0 + x1) + (x2 + x3)
{
    return vpadds_f32(vget_low_f32(vpaddq_f32(x, x)));
}

ATTR_INLINE vf v_if_negative(vf x, vf a, vf b)
{
    return vbslq_f32(vcltzq_f32(x), a, b);
}

ATTR_INLINE vf v_scale2(vf p, vf shifted)
{
    uint32x4_t bits = vreinterpretq_u32_f32(shifted), one = vdupq_n_u32(1);
    uint32x4_t u = vsubq_u32(bits, vdupq_n_u32(f32_bits(EXPF_MAGIC) - 256));
    uint32x4_t h = vshrq_n_u32(u, 1);
    uint32x4_t a = vshlq_n_u32(vsubq_u32(h, one), 23);
    uint32x4_t b = vshlq_n_u32(vsubq_u32(vsubq_u32(u, h), one), 23);
    return v_mul(v_mul(p, vreinterpretq_f32_u32(a)), vreinterpretq_f32_u32(b));
}

ATTR_INLINE vf v_swap_pairs(vf x) { return vrev64q_f32(x); }
ATTR_INLINE vf v_even(vf x) { return vtrn1q_f32(x, x); }
ATTR_INLINE vf v_odd(vf x) { return vtrn2q_f32(x, x); }

ATTR_INLINE vf v_negate_even(vf x)
{
    uint32x4_t sign = vreinterpretq_u32_u64(vdupq_n_u64(0x80000000));
    return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(x), sign));
}

ATTR_INLINE void v_load_pairs(const float *p, vf *a, vf *b)
{
    float32x4x2_t pairs = vld2q_f32(p);
    *a = pairs.val[0];
    *b = pairs.val[1];
}

ATTR_INLINE vf widen_f16(uint16x4_t x) { return vcvt_f32_f16(vreinterpret_f16_u16(x)); }
ATTR_INLINE uint16x4_t narrow_f16(vf x) { return vreinterpret_u16_f16(vcvt_f16_f32(x)); }
ATTR_INLINE vf widen_bf16(uint16x4_t x) { return vreinterpretq_f32_u32(vshll_n_u16(x, 16)); }

ATTR_INLINE vf v_load_f16(const uint16_t *p) { return widen_f16(vld1_u16(p)); }
ATTR_INLINE vf v_load_bf16(const uint16_t *p) { return widen_bf16(vld1_u16(p)); }
ATTR_INLINE void v_store_f16(uint16_t *p, vf x) { vst1_u16(p, narrow_f16(x)); }

ATTR_INLINE uint16x4_t load_u16_n(const uint16_t *p, int64_t n)
{
    uint16x4_t x = vld1_lane_u16(p, vdup_n_u16(0), 0);
    if (n > 1) x = vld1_lane_u16(p + 1, x, 1);
    if (n > 2) x = vld1_lane_u16(p + 2, x, 2);
    return x;
}

ATTR_INLINE vf v_load_f16_n(const uint16_t *p, int64_t n) { return widen_f16(load_u16_n(p, n)); }
ATTR_INLINE vf v_load_bf16_n(const uint16_t *p, int64_t n) { return widen_bf16(load_u16_n(p, n)); }

ATTR_INLINE void v_store_f16_n(uint16_t *p, vf x, int64_t n)
{
    uint16x4_t halves = narrow_f16(x);
    vst1_lane_u16(p, halves, 0);
    if (n > 1) vst1_lane_u16(p + 1, halves, 1);
    if (n > 2) vst1_lane_u16(p + 2, halves, 2);
}

#endif
