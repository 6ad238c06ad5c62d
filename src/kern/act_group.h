// Quantisation of one group of activations, the definition that all packers share (see kern.h).
//
// The maximum is taken on the bits: for non-negative floats their order is that of the values,
// infinity is above every number and NaN above infinity, so nothing that is not finite can hide.
#ifndef HEARTH_KERN_ACT_GROUP_H
#define HEARTH_KERN_ACT_GROUP_H

#include "kern/half.h"

typedef struct act_scale {
    float d;   // x is about d * q
    float inv; // 1 / d; 0: every q is 0
} act_scale;

// amax_bits: the largest f32_bits(|x|) of the group.
static inline act_scale act_scale_of(uint32_t amax_bits)
{
    float amax = f32_from_bits(amax_bits);
    act_scale s = {amax, 0.0f};
    if (amax_bits >= 0x7F800000) return s;
    float d = amax / 127.0f;
    float inv = d != 0.0f ? 1.0f / d : 0.0f;
    if (f32_bits(inv) == 0x7F800000) return s;
    s.d = d;
    s.inv = inv;
    return s;
}

static inline uint32_t act_amax_bits(const float *x, int64_t n)
{
    uint32_t amax = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t magnitude = f32_bits(x[i]) & 0x7FFFFFFF;
        if (magnitude > amax) amax = magnitude;
    }
    return amax;
}

// Rounds half to even: 1.5 * 2^23 has spacing 1, and |x * inv| <= 127.001 is far below it.
static inline int8_t act_quant(float x, float inv)
{
    if (inv == 0.0f) return 0; // x may not be finite
    float q = x * inv + 0x1.8p+23f - 0x1.8p+23f;
    q = q > 127.0f ? 127.0f : q;
    q = q < -127.0f ? -127.0f : q;
    return (int8_t)q;
}

#endif
