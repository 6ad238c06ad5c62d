// Conversions between float and the two 16-bit formats, in integer arithmetic: the definition that
// the conversion instructions of every processor agree with, NaN included.
//
//   half (binary16)  1 sign, 5 exponent (bias 15),  10 fraction
//   bfloat16         1 sign, 8 exponent (bias 127),  7 fraction: the upper half of a float
//
// Narrowing rounds to nearest even and overflows to infinity. A NaN keeps its sign and the upper
// bits of its payload and becomes quiet (as F16C and AArch64 do); widening a bfloat16 copies bits.
#ifndef HEARTH_KERN_HALF_H
#define HEARTH_KERN_HALF_H

#include "defs/defs.h"

#include <string.h>

static inline uint32_t f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float f32_from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 31, fraction = h & 0x3FF;
    if (exponent == 0) { // zero or denormal: fraction * 2^-24, exact
        float magnitude = (float)fraction * 0x1p-24f;
        return f32_from_bits(sign | f32_bits(magnitude));
    }
    if (exponent == 31) {
        uint32_t quiet = fraction ? 0x00400000 : 0;
        return f32_from_bits(sign | 0x7F800000 | quiet | fraction << 13);
    }
    return f32_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t f32_to_f16(float f)
{
    uint32_t x = f32_bits(f);
    uint16_t sign = (uint16_t)(x >> 16 & 0x8000);
    x &= 0x7FFFFFFF;
    if (x > 0x7F800000) return (uint16_t)(sign | 0x7E00 | (x >> 13 & 0x1FF));
    if (x >= 0x477FF000) return sign | 0x7C00; // 65520, halfway between the largest half and 2^16
    if (x < 0x38800000) { // below 2^-14: a float near 0.5 has the spacing of half denormals, 2^-24
        float shifted = f32_from_bits(x) + 0.5f;
        return (uint16_t)(sign | (f32_bits(shifted) - 0x3F000000));
    }
    x += 0xFFF + (x >> 13 & 1);
    return (uint16_t)(sign | (x - 0x38000000) >> 13);
}

static inline float bf16_to_f32(uint16_t h)
{
    return f32_from_bits((uint32_t)h << 16);
}

static inline uint16_t f32_to_bf16(float f)
{
    uint32_t x = f32_bits(f);
    if ((x & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(x >> 16 | 0x40);
    return (uint16_t)((x + 0x7FFF + (x >> 16 & 1)) >> 16);
}

#endif
