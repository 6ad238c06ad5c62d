// Quantised weights with the dot product extension: the integer dot products of quant_arm.h out of
// SDOT, which adds four products of signed bytes to each 32-bit lane, exactly.
#if !defined(__ARM_FEATURE_DOTPROD)
#error "compile with the flags of cmake/kern_flags.cmake"
#endif

#include "defs/defs.h"

#include <arm_neon.h>

ATTR_INLINE int32x4_t dot_32(int8x16_t w0, int8x16_t w1, int8x16_t a0, int8x16_t a1)
{
    return vdotq_s32(vdotq_s32(vdupq_n_s32(0), w0, a0), w1, a1);
}

ATTR_INLINE int32x4_t dot_32_nibbles(int8x16_t w0, int8x16_t w1, int8x16_t a0, int8x16_t a1)
{
    return dot_32(w0, w1, a0, a1);
}

ATTR_INLINE int32x4_t add_scaled_32(int32x4_t sum, int8x16_t w0, int8x16_t w1, int8x16_t a0,
                                    int8x16_t a1, int sc)
{
    return vmlaq_s32(sum, dot_32(w0, w1, a0, a1), vdupq_n_s32(sc));
}

ATTR_INLINE int32x4_t add_scaled_16(int32x4_t sum, int8x16_t w, int8x16_t a, int sc)
{
    return vmlaq_s32(sum, vdotq_s32(vdupq_n_s32(0), w, a), vdupq_n_s32(sc));
}

#include "kern/arm/quant_arm.h"

void kern_fill_quant_dotprod(kern *k)
{
    fill_matmul_quant(k);
}
