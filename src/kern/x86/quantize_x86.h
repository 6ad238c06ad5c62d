// Quantisation of activations with AVX2, for the packers of all x86 levels: the same bits as
// act_group.h. Products are below 127.001 in magnitude, so the conversion, which rounds half to
// even, needs no clamp.
#ifndef HEARTH_KERN_X86_QUANTIZE_X86_H
#define HEARTH_KERN_X86_QUANTIZE_X86_H

#include "kern/act_group.h"

#include <immintrin.h>

// The largest |x| of n floats as bits, n a multiple of 32.
ATTR_INLINE uint32_t amax_bits_avx2(const float *x, int64_t n)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
    __m256i m[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                    _mm256_setzero_si256()};
    for (int64_t i = 0; i < n; i += 32)
        for (int j = 0; j < 4; j++) {
            __m256i bits = _mm256_loadu_si256((const __m256i *)(x + i + 8 * j));
            m[j] = _mm256_max_epu32(m[j], _mm256_and_si256(bits, magnitude));
        }
    __m256i a = _mm256_max_epu32(_mm256_max_epu32(m[0], m[1]), _mm256_max_epu32(m[2], m[3]));
    __m128i b = _mm_max_epu32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_max_epu32(b, _mm_shuffle_epi32(b, 0x4E));
    b = _mm_max_epu32(b, _mm_shuffle_epi32(b, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(b);
}

ATTR_INLINE __m256i round_8(const float *x, __m256 inv)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inv));
}

// 32 floats to int8.
ATTR_INLINE __m256i quantize_32(const float *x, float inv)
{
    if (inv == 0.0f) return _mm256_setzero_si256(); // x may not be finite
    __m256 v = _mm256_set1_ps(inv);
    __m256i a = _mm256_packs_epi32(round_8(x, v), round_8(x + 8, v));
    __m256i b = _mm256_packs_epi32(round_8(x + 16, v), round_8(x + 24, v));
    // Packing works on 128-bit halves: the dwords come out as 0 2 4 6 1 3 5 7.
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);
}

// Sum of 32 int8.
ATTR_INLINE int32_t sum_32(__m256i q)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
    __m256i quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(quads), _mm256_extracti128_si256(quads, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
    return _mm_cvtsi128_si32(s);
}

#endif
