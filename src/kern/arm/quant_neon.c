// Quantised weights with Armv8.0 Advanced SIMD: the integer dot products of quant_arm.h out of
// widening multiplications (SMULL, SMLAL).
//
// A 16-bit lane holds as many products as fit, with |a| <= 127:
//   any int8    2 * 128 * 127 = 32512 < 2^15
//   nibbles     4 *  15 * 127 =  7620
//   6 bits      2 *  32 * 127 =  8128
// so nothing overflows, -128 included, before pairs of lanes are added into 32 bits (SADDLP,
// SADALP) or multiplied by the scale of their group into 32 bits (SMLAL).
#include "defs/defs.h"

#include <arm_neon.h>

// Lane i: w[i] a[i] + w[i + 8] a[i + 8].
ATTR_INLINE int16x8_t multiply_16(int8x16_t w, int8x16_t a)
{
    return vmlal_high_s8(vmull_s8(vget_low_s8(w), vget_low_s8(a)), w, a);
}

ATTR_INLINE int16x8_t multiply_nibbles(int8x16_t w0, int8x16_t w1, int8x16_t a0, int8x16_t a1)
{
    int16x8_t p = multiply_16(w0, a0);
    return vmlal_high_s8(vmlal_s8(p, vget_low_s8(w1), vget_low_s8(a1)), w1, a1);
}

ATTR_INLINE int32x4_t scale_pairs(int32x4_t sum, int16x8_t p, int sc)
{
    int16x8_t s = vdupq_n_s16((int16_t)sc);
    return vmlal_high_s16(vmlal_s16(sum, vget_low_s16(p), vget_low_s16(s)), p, s);
}

ATTR_INLINE int32x4_t dot_32(int8x16_t w0, int8x16_t w1, int8x16_t a0, int8x16_t a1)
{
    return vpadalq_s16(vpaddlq_s16(multiply_16(w0, a0)), multiply_16(w1, a1));
}

ATTR_INLINE int32x4_t dot_32_nibbles(int8x16_t w0, int8x16_t w1, int8x16_t a0, int8x16_t a1)
{
    return vpaddlq_s16(multiply_nibbles(w0, w1, a0, a1));
}

ATTR_INLINE int32x4_t add_scaled_32(int32x4_t sum, int8x16_t w0, int8x16_t w1, int8x16_t a0,
                                      int8x16_t a1, int sc)
{
    return scale_pairs(sum, multiply_nibbles(w0, w1, a0, a1), sc);
}

ATTR_INLINE int32x4_t add_scaled_16(int32x4_t sum, int8x16_t w, int8x16_t a, int sc)
{
    return scale_pairs(sum, multiply_16(w, a), sc);
}

#include "kern/arm/quant_arm.h"

void kern_fill_quant_neon(kern *k)
{
    fill_matmul_quant(k);
}
