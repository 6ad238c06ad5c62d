// Packing of activations with Advanced SIMD: the same values as act_group.h, laid out as act_arm.h
// says. Products are below 127.001 in magnitude, so the conversion, which rounds half to even,
// needs no clamp, and narrowing to bytes never saturates.
#include "kern/act_group.h"
#include "kern/arm/act_arm.h"
#include "kern/kern_int.h"

#include <arm_neon.h>

// The largest |x| of n floats as bits, n a multiple of 32.
ATTR_INLINE uint32_t amax_bits(const float *x, int64_t n)
{
    uint32x4_t m[4] = {vdupq_n_u32(0), vdupq_n_u32(0), vdupq_n_u32(0), vdupq_n_u32(0)};
    for (int64_t i = 0; i < n; i += 16)
        for (int j = 0; j < 4; j++) {
            float32x4_t magnitude = vabsq_f32(vld1q_f32(x + i + 4 * j));
            m[j] = vmaxq_u32(m[j], vreinterpretq_u32_f32(magnitude));
        }
    return vmaxvq_u32(vmaxq_u32(vmaxq_u32(m[0], m[1]), vmaxq_u32(m[2], m[3])));
}

ATTR_INLINE int16x8_t round_8(const float *x, float inv)
{
    int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x), inv));
    int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4), inv));
    return vcombine_s16(vmovn_s32(a), vmovn_s32(b));
}

// 16 floats to int8.
ATTR_INLINE int8x16_t quantize_16(const float *x, float inv)
{
    if (inv == 0.0f) return vdupq_n_s8(0); // x may not be finite
    return vcombine_s8(vmovn_s16(round_8(x, inv)), vmovn_s16(round_8(x + 8, inv)));
}

static size_t bytes_q8_32(int64_t k, int64_t n_tok)
{
    return align_up(row_bytes_q8_32(k) * (size_t)n_tok, 64);
}

static size_t bytes_q8_256(int64_t k, int64_t n_tok)
{
    return align_up(row_bytes_q8_256(k) * (size_t)n_tok, 64);
}

static void pack_q8_32(const float *x, size_t x_stride, int64_t k, int64_t n_tok, int64_t t0,
                       int64_t t1, void *out)
{
    (void)n_tok;
    for (int64_t t = t0; t < t1; t++) {
        const float *row = x + (size_t)t * x_stride;
        int8_t *q = (int8_t *)out + (size_t)t * row_bytes_q8_32(k);
        float *d = (float *)(void *)(q + k);
        for (int64_t i = 0; i < k; i += 32) {
            act_scale s = act_scale_of(amax_bits(row + i, 32));
            d[i / 32] = s.d;
            vst1q_s8(q + i, quantize_16(row + i, s.inv));
            vst1q_s8(q + i + 16, quantize_16(row + i + 16, s.inv));
        }
    }
}

static void pack_q8_256(const float *x, size_t x_stride, int64_t k, int64_t n_tok, int64_t t0,
                        int64_t t1, void *out)
{
    (void)n_tok;
    for (int64_t t = t0; t < t1; t++) {
        const float *row = x + (size_t)t * x_stride;
        int8_t *q = (int8_t *)out + (size_t)t * row_bytes_q8_256(k);
        float *d = (float *)(void *)(q + k);
        int16_t *sums = (int16_t *)(d + k / 256);
        for (int64_t i = 0; i < k; i += 256) {
            act_scale s = act_scale_of(amax_bits(row + i, 256));
            d[i / 256] = s.d;
            for (int64_t j = i; j < i + 256; j += 32) {
                int8x16_t a = quantize_16(row + j, s.inv), b = quantize_16(row + j + 16, s.inv);
                vst1q_s8(q + j, a);
                vst1q_s8(q + j + 16, b);
                sums[j / 32] = vaddvq_s16(vpadalq_s8(vpaddlq_s8(a), b));
            }
        }
    }
}

void kern_fill_act_neon(kern *k)
{
    k->act_bytes[ACT_Q8_32] = bytes_q8_32;
    k->act_bytes[ACT_Q8_256] = bytes_q8_256;
    k->act_pack[ACT_Q8_32] = pack_q8_32;
    k->act_pack[ACT_Q8_256] = pack_q8_256;
}
