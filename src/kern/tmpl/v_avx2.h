// Vector vocabulary over AVX2, FMA and F16C: 8 floats.
//
// The vocabulary is what tmpl/*.h are written in; one header per instruction set defines it:
//   V_N                     floats in a vector, a power of two from 4 to 16
//   V_TILE_ROWS, _TOKENS    the tile of a float matrix product that fits the registers
//   vf                      the vector
//   v_set1 v_load v_store v_add v_sub v_mul v_div v_fma(a, b, c) = a * b + c
//   v_min(a, b) v_max(a, b) return b when either is NaN
//   v_sum                   sum of the lanes, in one fixed order
//   v_if_negative(x, a, b)  per lane x < 0 ? a : b
//   v_scale2(p, shifted)    p * 2^n for shifted = n + EXPF_MAGIC (see expf.h), in two factors
//   v_swap_pairs v_even v_odd   (x1 x0 x3 x2 ...), (x0 x0 x2 x2 ...), (x1 x1 x3 x3 ...)
//   v_negate_even           (-x0 x1 -x2 x3 ...)
//   v_load_pairs(p, &a, &b) a = p[0] p[2] ..., b = p[1] p[3] ...: reads 2 V_N floats
//   v_load_f16 v_load_bf16 v_store_f16     conversions of half.h
// The forms with _n take 0 < n < V_N elements, touch no others, and load 0 for the rest.
#ifndef HEARTH_KERN_TMPL_V_AVX2_H
#define HEARTH_KERN_TMPL_V_AVX2_H

#include "kern/expf.h"

#include <immintrin.h>

#define V_N 8
#define V_TILE_ROWS 4
#define V_TILE_TOKENS 2

typedef __m256 vf;

ATTR_INLINE vf v_set1(float x) { return _mm256_set1_ps(x); }
ATTR_INLINE vf v_load(const float *p) { return _mm256_loadu_ps(p); }
ATTR_INLINE void v_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
ATTR_INLINE vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
ATTR_INLINE vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
ATTR_INLINE vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
ATTR_INLINE vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
ATTR_INLINE vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
ATTR_INLINE vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
ATTR_INLINE vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }

// Not vmaskmov: it takes a slow path next to an unreadable page, and emulators fault there.
ATTR_INLINE vf v_load_n(const float *p, int64_t n)
{
    float all[V_N] = {0};
    memcpy(all, p, (size_t)n * sizeof *p);
    return v_load(all);
}

ATTR_INLINE void v_store_n(float *p, vf x, int64_t n)
{
    float all[V_N];
    v_store(all, x);
    memcpy(p, all, (size_t)n * sizeof *p);
}

ATTR_INLINE float v_sum(vf x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

ATTR_INLINE vf v_if_negative(vf x, vf a, vf b)
{
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
}

ATTR_INLINE vf v_scale2(vf p, vf shifted)
{
    __m256i bits = _mm256_castps_si256(shifted), one = _mm256_set1_epi32(1);
    __m256i u = _mm256_sub_epi32(bits, _mm256_set1_epi32((int)f32_bits(EXPF_MAGIC) - 256));
    __m256i h = _mm256_srli_epi32(u, 1);
    __m256i a = _mm256_slli_epi32(_mm256_sub_epi32(h, one), 23);
    __m256i b = _mm256_slli_epi32(_mm256_sub_epi32(_mm256_sub_epi32(u, h), one), 23);
    return v_mul(v_mul(p, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
}

ATTR_INLINE vf v_swap_pairs(vf x) { return _mm256_permute_ps(x, 0xB1); }
ATTR_INLINE vf v_even(vf x) { return _mm256_moveldup_ps(x); }
ATTR_INLINE vf v_odd(vf x) { return _mm256_movehdup_ps(x); }

ATTR_INLINE vf v_negate_even(vf x)
{
    return _mm256_xor_ps(x, _mm256_castsi256_ps(_mm256_set1_epi64x(0x80000000)));
}

ATTR_INLINE void v_load_pairs(const float *p, vf *a, vf *b)
{
    vf lo = v_load(p), hi = v_load(p + 8);
    __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(lo, hi, 0x88));
    __m256d odd = _mm256_castps_pd(_mm256_shuffle_ps(lo, hi, 0xDD));
    *a = _mm256_castpd_ps(_mm256_permute4x64_pd(even, 0xD8));
    *b = _mm256_castpd_ps(_mm256_permute4x64_pd(odd, 0xD8));
}

ATTR_INLINE vf v_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

ATTR_INLINE vf v_load_bf16(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

ATTR_INLINE void v_store_f16(uint16_t *p, vf x)
{
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

ATTR_INLINE vf v_load_f16_n(const uint16_t *p, int64_t n)
{
    uint16_t all[V_N] = {0};
    memcpy(all, p, (size_t)n * sizeof *p);
    return v_load_f16(all);
}

ATTR_INLINE vf v_load_bf16_n(const uint16_t *p, int64_t n)
{
    uint16_t all[V_N] = {0};
    memcpy(all, p, (size_t)n * sizeof *p);
    return v_load_bf16(all);
}

ATTR_INLINE void v_store_f16_n(uint16_t *p, vf x, int64_t n)
{
    uint16_t all[V_N];
    v_store_f16(all, x);
    memcpy(p, all, (size_t)n * sizeof *p);
}

#endif
