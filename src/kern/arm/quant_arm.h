// Quantised weights times packed activations, over a vocabulary of integer dot products that the
// including file defines for its level. Each takes bytes w of weights and a of activations, a in
// [-127, 127], and returns or adds four partial sums whose total is exact:
//   dot_32(w0, w1, a0, a1)               any int8 w
//   dot_32_nibbles(w0, w1, a0, a1)       |w| <= 15
//   add_scaled_32(sum, w0, w1, a0, a1, sc)   |w| <= 15, 0 <= sc <= 63
//   add_scaled_16(sum, w, a, sc)         |w| <= 32, |sc| <= 128
//
// ROWS weight rows meet 1 or TOKENS tokens at a time. The lanes of an accumulator are the rows: the
// partial sums of the rows' blocks are folded by three pairwise additions into one vector, so an
// output is one float lane that every block enters by one fused multiply-add,
//   Q4_0, Q8_0  acc = fma(sum, d * a.d, acc) per 32 elements
//   Q6_K        acc = fma(sum sc q a, d * a.d, acc) per 256
//   Q4_K        the same, then acc = fma(sum m a, -(dmin * a.d), acc)
// in ascending order. Rows and tokens around it change nothing in it. Where fewer than ROWS rows
// are left the last one stands in for those that are missing, and only lanes that exist are stored.
//
// A sum of 256 products fits 32 bits: Q6_K reaches 256 * 32 * 127 * 128 < 2^27, Q4_K
// 256 * 15 * 127 * 63 < 2^25; beyond 2^24 the conversion to float is one more rounding.
#ifndef HEARTH_KERN_ARM_QUANT_ARM_H
#define HEARTH_KERN_ARM_QUANT_ARM_H

#include "kern/arm/act_arm.h"
#include "kern/blocks.h"
#include "kern/kern_int.h"

#include <arm_neon.h>

// ROWS is the number of lanes. ROW_BLOCK rows stay in the second level cache while tokens pass.
enum { ROWS = 4, TOKENS = 4, ROW_BLOCK = 32 };

// --- pieces of a block --------------------------------------------------------------------------
// Lane r is the sum of the lanes of s[r].
ATTR_INLINE int32x4_t fold_rows(const int32x4_t s[ROWS])
{
    return vpaddq_s32(vpaddq_s32(s[0], s[1]), vpaddq_s32(s[2], s[3]));
}

ATTR_INLINE float32x4_t add_blocks(float32x4_t acc, const int32x4_t s[ROWS], float32x4_t scale)
{
    return vfmaq_f32(acc, vcvtq_f32_s32(fold_rows(s)), scale);
}

// The half precision numbers at p[r] + offset, which is even.
ATTR_INLINE float32x4_t load_scales(const char *const p[ROWS], size_t offset)
{
    uint16x4_t h = vdup_n_u16(0);
    h = vld1_lane_u16((const uint16_t *)(const void *)(p[0] + offset), h, 0);
    h = vld1_lane_u16((const uint16_t *)(const void *)(p[1] + offset), h, 1);
    h = vld1_lane_u16((const uint16_t *)(const void *)(p[2] + offset), h, 2);
    h = vld1_lane_u16((const uint16_t *)(const void *)(p[3] + offset), h, 3);
    return vcvt_f32_f16(vreinterpret_f16_u16(h));
}

ATTR_INLINE int8x16_t low_nibbles(uint8x16_t x)
{
    return vreinterpretq_s8_u8(vandq_u8(x, vdupq_n_u8(15)));
}

ATTR_INLINE int8x16_t high_nibbles(uint8x16_t x)
{
    return vreinterpretq_s8_u8(vshrq_n_u8(x, 4));
}

// Products of ROWS rows, w[r] each, with n tokens (a constant where inlined); adds to acc[n].
typedef void tile_fn(int n, const char *const w[ROWS], const int8_t *x, int64_t k,
                     float32x4_t *acc);

// --- Q4_0 and Q8_0 ------------------------------------------------------------------------------
typedef int32x4_t dot_fn(int8x16_t w0, int8x16_t w1, int8x16_t a0, int8x16_t a1);

// Block i of the rows, unpacked, times block i of the tokens.
ATTR_INLINE void add_block_32(dot_fn *dot, int n, int8x16_t q[ROWS][2], float32x4_t d,
                              const int8_t *x, int64_t k, int64_t i, float32x4_t *acc)
{
    for (int t = 0; t < n; t++) {
        const int8_t *row = x + (size_t)t * row_bytes_q8_32(k);
        int8x16_t a0 = vld1q_s8(row + i * 32), a1 = vld1q_s8(row + i * 32 + 16);
        int32x4_t s[ROWS];
        for (int r = 0; r < ROWS; r++) s[r] = dot(q[r][0], q[r][1], a0, a1);
        float da = ((const float *)(const void *)(row + k))[i];
        acc[t] = add_blocks(acc[t], s, vmulq_n_f32(d, da));
    }
}

ATTR_INLINE void tile_q4_0(int n, const char *const w[ROWS], const int8_t *x, int64_t k,
                           float32x4_t *acc)
{
    const int8x16_t eight = vdupq_n_s8(8);
    for (int64_t i = 0; i < k / QK_32; i++) {
        size_t at = (size_t)i * sizeof(block_q4_0);
        int8x16_t q[ROWS][2];
        for (int r = 0; r < ROWS; r++) {
            uint8x16_t both = vld1q_u8((const uint8_t *)w[r] + at + offsetof(block_q4_0, qs));
            q[r][0] = vsubq_s8(low_nibbles(both), eight);
            q[r][1] = vsubq_s8(high_nibbles(both), eight);
        }
        float32x4_t d = load_scales(w, at + offsetof(block_q4_0, d));
        add_block_32(dot_32_nibbles, n, q, d, x, k, i, acc);
    }
}

ATTR_INLINE void tile_q8_0(int n, const char *const w[ROWS], const int8_t *x, int64_t k,
                           float32x4_t *acc)
{
    for (int64_t i = 0; i < k / QK_32; i++) {
        size_t at = (size_t)i * sizeof(block_q8_0);
        int8x16_t q[ROWS][2];
        for (int r = 0; r < ROWS; r++) {
            const int8_t *qs = (const int8_t *)w[r] + at + offsetof(block_q8_0, qs);
            q[r][0] = vld1q_s8(qs);
            q[r][1] = vld1q_s8(qs + 16);
        }
        float32x4_t d = load_scales(w, at + offsetof(block_q8_0, d));
        add_block_32(dot_32, n, q, d, x, k, i, acc);
    }
}

// --- Q4_K and Q6_K: one row's block at a time, into sum[token][row] ------------------------------
// q: the first token's 256 values of this block; q_stride bytes from token to token.
ATTR_INLINE void row_q4_k(int n, const block_q4_k *b, const int8_t *q, size_t q_stride, int r,
                          const uint8_t sc[8], int32x4_t sum[TOKENS][ROWS])
{
    int32x4_t s[TOKENS];
    for (int t = 0; t < n; t++) s[t] = vdupq_n_s32(0);
    for (int c = 0; c < 4; c++) {
        uint8x16_t u0 = vld1q_u8(b->qs + 32 * c), u1 = vld1q_u8(b->qs + 32 * c + 16);
        int8x16_t lo0 = low_nibbles(u0), lo1 = low_nibbles(u1);
        int8x16_t hi0 = high_nibbles(u0), hi1 = high_nibbles(u1);
        for (int t = 0; t < n; t++) {
            const int8_t *a = q + (size_t)t * q_stride + 64 * c;
            s[t] = add_scaled_32(s[t], lo0, lo1, vld1q_s8(a), vld1q_s8(a + 16), sc[2 * c]);
            s[t] = add_scaled_32(s[t], hi0, hi1, vld1q_s8(a + 32), vld1q_s8(a + 48), sc[2 * c + 1]);
        }
    }
    for (int t = 0; t < n; t++) sum[t][r] = s[t];
}

// Out of line: inlined, compilers keep the 64 vectors of the tokens for all rows, on the stack.
#define ROW_Q4_K(name, n)                                                                    \
    static ATTR_NOINLINE void name(const block_q4_k *b, const int8_t *q, size_t q_stride,    \
                                   int r, const uint8_t sc[8], int32x4_t sum[TOKENS][ROWS])  \
    {                                                                                        \
        row_q4_k(n, b, q, q_stride, r, sc, sum);                                             \
    }
ROW_Q4_K(row_q4_k_token, 1)
ROW_Q4_K(row_q4_k_tokens, TOKENS)

// Partial sums of m * (sum of the activations of its group): at most 8 * 63 * 4064 < 2^21 in all.
ATTR_INLINE int32x4_t dot_minima(const uint8_t m[8], const int16_t sums[8])
{
    int16x8_t a = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(m))), b = vld1q_s16(sums);
    return vmlal_high_s16(vmull_s16(vget_low_s16(a), vget_low_s16(b)), a, b);
}

ATTR_INLINE void tile_q4_k(int n, const char *const w[ROWS], const int8_t *x, int64_t k,
                           float32x4_t *acc)
{
    size_t x_stride = row_bytes_q8_256(k);
    for (int64_t i = 0; i < k / QK_256; i++) {
        size_t at = (size_t)i * sizeof(block_q4_k);
        uint8_t sc[ROWS][8], m[ROWS][8];
        int32x4_t sum[TOKENS][ROWS];
        for (int r = 0; r < ROWS; r++) {
            const block_q4_k *b = (const block_q4_k *)(const void *)(w[r] + at);
            unpack_q4_k_scales(b->scales, sc[r], m[r]);
            if (n == 1) row_q4_k_token(b, x + i * 256, x_stride, r, sc[r], sum);
            else row_q4_k_tokens(b, x + i * 256, x_stride, r, sc[r], sum);
        }
        float32x4_t d = load_scales(w, at + offsetof(block_q4_k, d));
        float32x4_t dmin = load_scales(w, at + offsetof(block_q4_k, dmin));
        for (int t = 0; t < n; t++) {
            const float *da = (const float *)(const void *)(x + (size_t)t * x_stride + k);
            const int16_t *sums = (const int16_t *)(da + k / 256) + i * 8;
            int32x4_t low[ROWS];
            for (int r = 0; r < ROWS; r++) low[r] = dot_minima(m[r], sums);
            acc[t] = add_blocks(acc[t], sum[t], vmulq_n_f32(d, da[i]));
            acc[t] = add_blocks(acc[t], low, vnegq_f32(vmulq_n_f32(dmin, da[i])));
        }
    }
}

// Six bits, the upper two in place, to q - 32.
ATTR_INLINE int8x16_t join_6_bits(uint8x16_t low, uint8x16_t high)
{
    uint8x16_t q = vorrq_u8(low, vandq_u8(high, vdupq_n_u8(0x30)));
    return vsubq_s8(vreinterpretq_s8_u8(q), vdupq_n_s8(32));
}

// Half h of a block: eight runs of 16 elements, each with a scale of its own.
ATTR_INLINE void unpack_q6_k_half(const block_q6_k *b, int h, int8x16_t q[8])
{
    const uint8x16_t low = vdupq_n_u8(15);
    for (int i = 0; i < 2; i++) {
        uint8x16_t l0 = vld1q_u8(b->ql + 64 * h + 16 * i);
        uint8x16_t l1 = vld1q_u8(b->ql + 64 * h + 16 * i + 32);
        uint8x16_t high = vld1q_u8(b->qh + 32 * h + 16 * i);
        q[i] = join_6_bits(vandq_u8(l0, low), vshlq_n_u8(high, 4));
        q[i + 2] = join_6_bits(vandq_u8(l1, low), vshlq_n_u8(high, 2));
        q[i + 4] = join_6_bits(vshrq_n_u8(l0, 4), high);
        q[i + 6] = join_6_bits(vshrq_n_u8(l1, 4), vshrq_n_u8(high, 2));
    }
}

ATTR_INLINE void row_q6_k(int n, const block_q6_k *b, const int8_t *q, size_t q_stride, int r,
                          int32x4_t sum[TOKENS][ROWS])
{
    int32x4_t s[TOKENS];
    for (int t = 0; t < n; t++) s[t] = vdupq_n_s32(0);
    for (int h = 0; h < 2; h++) {
        int8x16_t v[8];
        unpack_q6_k_half(b, h, v);
        for (int j = 0; j < 8; j++)
            for (int t = 0; t < n; t++) {
                const int8_t *a = q + (size_t)t * q_stride + 128 * h + 16 * j;
                s[t] = add_scaled_16(s[t], v[j], vld1q_s8(a), b->scales[8 * h + j]);
            }
    }
    for (int t = 0; t < n; t++) sum[t][r] = s[t];
}

ATTR_INLINE void tile_q6_k(int n, const char *const w[ROWS], const int8_t *x, int64_t k,
                           float32x4_t *acc)
{
    size_t x_stride = row_bytes_q8_256(k);
    for (int64_t i = 0; i < k / QK_256; i++) {
        size_t at = (size_t)i * sizeof(block_q6_k);
        int32x4_t sum[TOKENS][ROWS];
        for (int r = 0; r < ROWS; r++) {
            const block_q6_k *b = (const block_q6_k *)(const void *)(w[r] + at);
            row_q6_k(n, b, x + i * 256, x_stride, r, sum);
        }
        float32x4_t d = load_scales(w, at + offsetof(block_q6_k, d));
        for (int t = 0; t < n; t++) {
            const float *da = (const float *)(const void *)(x + (size_t)t * x_stride + k);
            acc[t] = add_blocks(acc[t], sum[t], vmulq_n_f32(d, da[i]));
        }
    }
}

// --- the product --------------------------------------------------------------------------------
ATTR_INLINE void store_lanes(float *y, float32x4_t x, int64_t n)
{
    if (n >= ROWS) {
        vst1q_f32(y, x);
        return;
    }
    vst1q_lane_f32(y, x, 0);
    if (n > 1) vst1q_lane_f32(y + 1, x, 1);
    if (n > 2) vst1q_lane_f32(y + 2, x, 2);
}

// n tokens with rows [0, n_rows), n_rows > 0.
ATTR_INLINE void multiply_strip(tile_fn *tile, int n, const char *w, size_t w_stride,
                                int64_t n_rows, const int8_t *x, int64_t k, float *y,
                                size_t y_stride)
{
    for (int64_t r0 = 0; r0 < n_rows; r0 += ROWS) {
        const char *row[ROWS];
        for (int r = 0; r < ROWS; r++) row[r] = w + (size_t)i64_min(r0 + r, n_rows - 1) * w_stride;
        float32x4_t acc[TOKENS];
        for (int t = 0; t < n; t++) acc[t] = vdupq_n_f32(0.0f);
        tile(n, row, x, k, acc);
        for (int t = 0; t < n; t++) store_lanes(y + (size_t)t * y_stride + r0, acc[t], n_rows - r0);
    }
}

ATTR_INLINE void multiply(tile_fn *tile, size_t x_stride, const char *w, size_t w_stride,
                          int64_t n_rows, const int8_t *x, int64_t n_tok, int64_t k, float *y,
                          size_t y_stride)
{
    for (int64_t r0 = 0; r0 < n_rows; r0 += ROW_BLOCK) {
        const char *block = w + (size_t)r0 * w_stride;
        int64_t n = i64_min(ROW_BLOCK, n_rows - r0), t = 0;
        for (; t + TOKENS <= n_tok; t += TOKENS)
            multiply_strip(tile, TOKENS, block, w_stride, n, x + (size_t)t * x_stride, k,
                           y + (size_t)t * y_stride + r0, y_stride);
        for (; t < n_tok; t++)
            multiply_strip(tile, 1, block, w_stride, n, x + (size_t)t * x_stride, k,
                           y + (size_t)t * y_stride + r0, y_stride);
    }
}

#define MATMUL(type, act)                                                                    \
    static void matmul_##type(const void *w, size_t w_stride, int64_t n_rows, const void *x, \
                              int64_t n_tok, int64_t k, float *y, size_t y_stride)           \
    {                                                                                        \
        multiply(tile_##type, row_bytes_##act(k), w, w_stride, n_rows, x, n_tok, k, y,       \
                 y_stride);                                                                  \
    }
MATMUL(q4_0, q8_32)
MATMUL(q8_0, q8_32)
MATMUL(q4_k, q8_256)
MATMUL(q6_k, q8_256)

static void fill_matmul_quant(kern *k)
{
    k->matmul[DTYPE_Q4_0] = matmul_q4_0;
    k->matmul[DTYPE_Q8_0] = matmul_q8_0;
    k->matmul[DTYPE_Q4_K] = matmul_q4_k;
    k->matmul[DTYPE_Q6_K] = matmul_q6_k;
}

#endif
