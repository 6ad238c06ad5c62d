// Quantised weights with AVX2: packed activations and the four matrix products.
//
// One row of weights meets TOKENS tokens at a time, so that a block is unpacked once for all of
// them. An output is a vector of 8 float lanes; lane i of a block sums in integers the products at
// four neighbouring bytes i of each 32, and enters by one fused multiply-add:
//   Q4_0, Q8_0  acc = fma(sum, d * a.d, acc) per 32 elements
//   Q6_K        acc = fma(sum sc q a, d * a.d, acc) per 256
//   Q4_K        the same, then acc = fma(sum m a, -(dmin * a.d), acc)
// and at the end the lanes are added as in sum_lanes(). The number of tokens changes nothing in it.
//
// vpmaddubsw multiplies an unsigned by a signed byte and saturates the sum of two at 16 bits.
// Signed weights w are therefore used as |w| (at most 128, unsigned) times a with the sign of w: a
// is in [-127, 127], so negation is exact and a pair is at most 2 * 128 * 127 = 32512 < 2^15.
//
// Packed activations, per token (all counts exact, k a multiple of the group):
//   ACT_Q8_32   int8 q[k], float d[k / 32]
//   ACT_Q8_256  int8 q[k], float d[k / 256], int16 sum[k / 32] (|sum| <= 32 * 127)
#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "compile with the flags of cmake/kern_flags.cmake"
#endif

#include "kern/blocks.h"
#include "kern/kern_int.h"
#include "kern/x86/quantize_x86.h"

enum { TOKENS = 4 };

// --- packing ------------------------------------------------------------------------------------
ATTR_INLINE size_t row_bytes_q8_32(int64_t k)
{
    return (size_t)(k + k / 32 * 4);
}

ATTR_INLINE size_t row_bytes_q8_256(int64_t k)
{
    return (size_t)(k + k / 256 * 4 + k / 32 * 2);
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
    for (int64_t t = t0; t < t1; t++) {
        const float *row = x + (size_t)t * x_stride;
        char *q = (char *)out + (size_t)t * row_bytes_q8_32(k);
        float *d = (float *)(q + k);
        for (int64_t i = 0; i < k; i += 32) {
            act_scale s = act_scale_of(amax_bits_avx2(row + i, 32));
            d[i / 32] = s.d;
            _mm256_storeu_si256((__m256i *)(q + i), quantize_32(row + i, s.inv));
        }
    }
    (void)n_tok;
}

static void pack_q8_256(const float *x, size_t x_stride, int64_t k, int64_t n_tok, int64_t t0,
                        int64_t t1, void *out)
{
    for (int64_t t = t0; t < t1; t++) {
        const float *row = x + (size_t)t * x_stride;
        char *q = (char *)out + (size_t)t * row_bytes_q8_256(k);
        float *d = (float *)(q + k);
        int16_t *sums = (int16_t *)(d + k / 256);
        for (int64_t i = 0; i < k; i += 256) {
            act_scale s = act_scale_of(amax_bits_avx2(row + i, 256));
            d[i / 256] = s.d;
            for (int64_t j = i; j < i + 256; j += 32) {
                __m256i v = quantize_32(row + j, s.inv);
                _mm256_storeu_si256((__m256i *)(q + j), v);
                sums[j / 32] = (int16_t)sum_32(v);
            }
        }
    }
    (void)n_tok;
}

// --- pieces of a block --------------------------------------------------------------------------
ATTR_INLINE float half_to_float(uint16_t h)
{
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

ATTR_INLINE __m256i load_32(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

// 16 bytes of nibbles: the low ones, then the high ones.
ATTR_INLINE __m256i unpack_nibbles(const uint8_t *p)
{
    __m128i x = _mm_loadu_si128((const __m128i *)p);
    return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(x, 4), x), _mm256_set1_epi8(15));
}

// Pairs of products of signed bytes, with |w| given.
ATTR_INLINE __m256i signed_pairs(__m256i w, __m256i abs_w, __m256i a)
{
    return _mm256_maddubs_epi16(abs_w, _mm256_sign_epi8(a, w));
}

ATTR_INLINE __m256 add_scaled(__m256i sum, float scale, __m256 acc)
{
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(scale), acc);
}

ATTR_INLINE float sum_lanes(__m256 x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

// --- a row times n tokens (a constant where inlined) --------------------------------------------
typedef void row_fn(int n, const void *w, const char *x, int64_t k, __m256 *acc);

ATTR_INLINE void add_block_32(int n, __m256i w, float d, const char *x, int64_t k, int64_t i,
                              __m256 *acc)
{
    __m256i abs_w = _mm256_abs_epi8(w);
    for (int t = 0; t < n; t++) {
        const char *q = x + (size_t)t * row_bytes_q8_32(k);
        __m256i pairs = signed_pairs(w, abs_w, load_32(q + i * 32));
        float scale = d * ((const float *)(q + k))[i];
        acc[t] = add_scaled(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)), scale, acc[t]);
    }
}

ATTR_INLINE void row_q4_0(int n, const void *w, const char *x, int64_t k, __m256 *acc)
{
    const block_q4_0 *b = w;
    for (int64_t i = 0; i < k / QK_32; i++) {
        __m256i q = _mm256_sub_epi8(unpack_nibbles(b[i].qs), _mm256_set1_epi8(8));
        add_block_32(n, q, half_to_float(b[i].d), x, k, i, acc);
    }
}

ATTR_INLINE void row_q8_0(int n, const void *w, const char *x, int64_t k, __m256 *acc)
{
    const block_q8_0 *b = w;
    for (int64_t i = 0; i < k / QK_32; i++)
        add_block_32(n, load_32(b[i].qs), half_to_float(b[i].d), x, k, i, acc);
}

// sum += sc * (pairs): |pairs| <= 3810 and sc <= 63; 8 groups of 2 pairs: < 2^22.
ATTR_INLINE __m256i scale_pairs(__m256i pairs, __m256i sc, __m256i sum)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, sc));
}

ATTR_INLINE void row_q4_k(int n, const void *w, const char *x, int64_t k, __m256 *acc)
{
    const block_q4_k *b = w;
    for (int64_t i = 0; i < k / QK_256; i++) {
        _Alignas(8) uint8_t sc[8], m[8];
        unpack_q4_k_scales(b[i].scales, sc, m);
        __m128i mins = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)m));
        __m256i sum[TOKENS];
        for (int t = 0; t < n; t++) sum[t] = _mm256_setzero_si256();
        for (int c = 0; c < 4; c++) {
            __m256i both = load_32(b[i].qs + 32 * c), low = _mm256_set1_epi8(15);
            __m256i q0 = _mm256_and_si256(both, low);
            __m256i q1 = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
            __m256i s0 = _mm256_set1_epi16(sc[2 * c]), s1 = _mm256_set1_epi16(sc[2 * c + 1]);
            for (int t = 0; t < n; t++) {
                const char *q = x + (size_t)t * row_bytes_q8_256(k) + i * 256 + c * 64;
                sum[t] = scale_pairs(_mm256_maddubs_epi16(q0, load_32(q)), s0, sum[t]);
                sum[t] = scale_pairs(_mm256_maddubs_epi16(q1, load_32(q + 32)), s1, sum[t]);
            }
        }
        float d = half_to_float(b[i].d), dmin = half_to_float(b[i].dmin);
        for (int t = 0; t < n; t++) {
            const float *da = (const float *)(x + (size_t)t * row_bytes_q8_256(k) + k);
            const int16_t *sums = (const int16_t *)(da + k / 256) + i * 8;
            __m128i offset = _mm_madd_epi16(mins, _mm_loadu_si128((const __m128i *)sums));
            acc[t] = add_scaled(sum[t], d * da[i], acc[t]);
            acc[t] = add_scaled(_mm256_zextsi128_si256(offset), -(dmin * da[i]), acc[t]);
        }
    }
}

// Group c (of 32 elements) of half h of a Q6_K block.
ATTR_INLINE __m256i unpack_q6_k_group(const block_q6_k *b, int h, int c)
{
    __m256i low = load_32(b->ql + 64 * h + 32 * (c & 1)), high = load_32(b->qh + 32 * h);
    low = _mm256_and_si256(c & 2 ? _mm256_srli_epi16(low, 4) : low, _mm256_set1_epi8(15));
    high = _mm256_and_si256(_mm256_srli_epi16(high, 2 * c), _mm256_set1_epi8(3));
    __m256i q = _mm256_or_si256(low, _mm256_slli_epi16(high, 4));
    return _mm256_sub_epi8(q, _mm256_set1_epi8(32));
}

// |pairs| <= 2 * 32 * 127 = 8128, |sc| <= 128; 8 groups of 2 pairs a lane: 16646144 < 2^24, so that
// even the conversion to float is exact.
ATTR_INLINE void row_q6_k(int n, const void *w, const char *x, int64_t k, __m256 *acc)
{
    const block_q6_k *b = w;
    for (int64_t i = 0; i < k / QK_256; i++) {
        __m256i sum[TOKENS];
        for (int t = 0; t < n; t++) sum[t] = _mm256_setzero_si256();
        for (int g = 0; g < 8; g++) {
            __m256i q = unpack_q6_k_group(&b[i], g / 4, g % 4), abs_q = _mm256_abs_epi8(q);
            __m256i sc = _mm256_set_m128i(_mm_set1_epi16(b[i].scales[2 * g + 1]),
                                          _mm_set1_epi16(b[i].scales[2 * g]));
            for (int t = 0; t < n; t++) {
                const char *a = x + (size_t)t * row_bytes_q8_256(k) + i * 256 + g * 32;
                sum[t] = scale_pairs(signed_pairs(q, abs_q, load_32(a)), sc, sum[t]);
            }
        }
        float d = half_to_float(b[i].d);
        for (int t = 0; t < n; t++) {
            const float *da = (const float *)(x + (size_t)t * row_bytes_q8_256(k) + k);
            acc[t] = add_scaled(sum[t], d * da[i], acc[t]);
        }
    }
}

// --- the product --------------------------------------------------------------------------------
ATTR_INLINE void store_row(row_fn *row, int n, const void *w, const char *x, int64_t k, float *y,
                           size_t y_stride)
{
    __m256 acc[TOKENS];
    for (int t = 0; t < n; t++) acc[t] = _mm256_setzero_ps();
    row(n, w, x, k, acc);
    for (int t = 0; t < n; t++) y[(size_t)t * y_stride] = sum_lanes(acc[t]);
}

ATTR_INLINE void multiply(row_fn *row, size_t x_stride, const void *w, size_t w_stride,
                          int64_t n_rows, const char *x, int64_t n_tok, int64_t k, float *y,
                          size_t y_stride)
{
    for (int64_t r = 0; r < n_rows; r++) {
        const char *wr = (const char *)w + (size_t)r * w_stride;
        int64_t t = 0;
        for (; t + TOKENS <= n_tok; t += TOKENS)
            store_row(row, TOKENS, wr, x + (size_t)t * x_stride, k, y + (size_t)t * y_stride + r,
                      y_stride);
        for (; t < n_tok; t++)
            store_row(row, 1, wr, x + (size_t)t * x_stride, k, y + (size_t)t * y_stride + r,
                      y_stride);
    }
}

#define MATMUL(type, act)                                                                    \
    static void matmul_##type(const void *w, size_t w_stride, int64_t n_rows, const void *x, \
                              int64_t n_tok, int64_t k, float *y, size_t y_stride)           \
    {                                                                                        \
        multiply(row_##type, row_bytes_##act(k), w, w_stride, n_rows, x, n_tok, k, y,        \
                 y_stride);                                                                  \
    }
MATMUL(q4_0, q8_32)
MATMUL(q8_0, q8_32)
MATMUL(q4_k, q8_256)
MATMUL(q6_k, q8_256)

void kern_fill_quant_avx2(kern *k)
{
    k->act_bytes[ACT_Q8_32] = bytes_q8_32;
    k->act_bytes[ACT_Q8_256] = bytes_q8_256;
    k->act_pack[ACT_Q8_32] = pack_q8_32;
    k->act_pack[ACT_Q8_256] = pack_q8_256;
    k->matmul[DTYPE_Q4_0] = matmul_q4_0;
    k->matmul[DTYPE_Q8_0] = matmul_q8_0;
    k->matmul[DTYPE_Q4_K] = matmul_q4_k;
    k->matmul[DTYPE_Q6_K] = matmul_q6_k;
}
