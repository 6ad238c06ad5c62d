// Vector vocabulary over AVX-512 F, BW, DQ and VL: 16 floats. See v_avx2.h for what the names mean.
#ifndef HEARTH_KERN_TMPL_V_AVX512_H
#define HEARTH_KERN_TMPL_V_AVX512_H

#include "kern/expf.h"

#include <immintrin.h>

#define V_N 16
#define V_TILE_ROWS 4
#define V_TILE_TOKENS 6

typedef __m512 vf;

ATTR_INLINE vf v_set1(float x) { return _mm512_set1_ps(x); }
ATTR_INLINE vf v_load(const float *p) { return _mm512_loadu_ps(p); }
ATTR_INLINE void v_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
ATTR_INLINE vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
ATTR_INLINE vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
ATTR_INLINE vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
ATTR_INLINE vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
ATTR_INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
ATTR_INLINE vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
ATTR_INLINE vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }

ATTR_INLINE __mmask16 mask_first(int64_t n) { return (__mmask16)((1u << n) - 1); }

ATTR_INLINE vf v_load_n(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(mask_first(n), p);
}

ATTR_INLINE void v_store_n(float *p, vf x, int64_t n)
{
    _mm512_mask_storeu_ps(p, mask_first(n), x);
}

// Halves are added until one lane is left.
ATTR_INLINE float v_sum(vf x)
{
    __m256 y = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

ATTR_INLINE vf v_if_negative(vf x, vf a, vf b)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), b, a);
}

ATTR_INLINE vf v_scale2(vf p, vf shifted)
{
    __m512i bits = _mm512_castps_si512(shifted), one = _mm512_set1_epi32(1);
    __m512i u = _mm512_sub_epi32(bits, _mm512_set1_epi32((int)f32_bits(EXPF_MAGIC) - 256));
    __m512i h = _mm512_srli_epi32(u, 1);
    __m512i a = _mm512_slli_epi32(_mm512_sub_epi32(h, one), 23);
    __m512i b = _mm512_slli_epi32(_mm512_sub_epi32(_mm512_sub_epi32(u, h), one), 23);
    return v_mul(v_mul(p, _mm512_castsi512_ps(a)), _mm512_castsi512_ps(b));
}

ATTR_INLINE vf v_swap_pairs(vf x) { return _mm512_permute_ps(x, 0xB1); }
ATTR_INLINE vf v_even(vf x) { return _mm512_moveldup_ps(x); }
ATTR_INLINE vf v_odd(vf x) { return _mm512_movehdup_ps(x); }

ATTR_INLINE vf v_negate_even(vf x)
{
    return _mm512_xor_ps(x, _mm512_castsi512_ps(_mm512_set1_epi64(0x80000000)));
}

ATTR_INLINE void v_load_pairs(const float *p, vf *a, vf *b)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28,
                                           30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    vf lo = v_load(p), hi = v_load(p + 16);
    *a = _mm512_permutex2var_ps(lo, even, hi);
    *b = _mm512_permutex2var_ps(lo, odd, hi);
}

ATTR_INLINE vf widen_bf16(__m256i x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

ATTR_INLINE vf v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

ATTR_INLINE vf v_load_bf16(const uint16_t *p)
{
    return widen_bf16(_mm256_loadu_si256((const __m256i *)p));
}

ATTR_INLINE void v_store_f16(uint16_t *p, vf x)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

ATTR_INLINE vf v_load_f16_n(const uint16_t *p, int64_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask_first(n), p));
}

ATTR_INLINE vf v_load_bf16_n(const uint16_t *p, int64_t n)
{
    return widen_bf16(_mm256_maskz_loadu_epi16(mask_first(n), p));
}

ATTR_INLINE void v_store_f16_n(uint16_t *p, vf x, int64_t n)
{
    __m256i halves = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
    _mm256_mask_storeu_epi16(p, mask_first(n), halves);
}

#endif
