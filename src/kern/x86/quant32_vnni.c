// Q4_0 and Q8_0 on AVX-512 VNNI; see tiles_vnni.h for the method.
//
// Both formats become bytes u = 128 + c w' with d = scale / c: Q8_0 flips the sign bit (c = 1),
// Q4_0 puts its nibble into the high half (16 q = 128 + 16 (q - 8), c = 16, and d / 16 is exact in
// a float). So one accumulator start, -128 sum(a), and one tile serve both. Per block of 32:
//   sum = -128 sum(a) + sum(u a)           |sum(u a)| <= 32 * 255 * 127 < 2^20
//   acc = fma(sum, d * a.d, acc)
//
// Packed activations of a block, `width` tokens: int8 q[width][32], float d[width],
// int32 start[width] (-128 sum(q)).
#if !defined(__AVX512F__) || !defined(__AVX512VNNI__) || !defined(__AVX512BW__)
#error "compile with the flags of cmake/kern_flags.cmake"
#endif

#include "kern/blocks.h"
#include "kern/x86/quantize_x86.h"
#include "kern/x86/tiles_vnni.h"

enum { ACT_BLOCK = 32 + 4 + 4, CHUNK = 16 };

typedef struct panel_32 {
    __m512i u[8];
    __m512 d;
} panel_32;
STATIC_ASSERT(CHUNK * sizeof(panel_32) <= CHUNK_PANEL_BYTES, "a chunk fits its panel");

// --- packing ------------------------------------------------------------------------------------
static size_t act_bytes(int64_t k, int64_t n_tok)
{
    return align_up((size_t)(k / 32 * n_tok) * ACT_BLOCK, 64);
}

static void pack_token(const float *x, int64_t k, int64_t width, int64_t t, char *tile)
{
    for (int64_t i = 0; i < k; i += 32, tile += width * ACT_BLOCK) {
        act_scale s = act_scale_of(amax_bits_avx2(x + i, 32));
        __m256i q = quantize_32(x + i, s.inv);
        int32_t start = -128 * sum_32(q);
        _mm256_storeu_si256((__m256i *)(tile + t * 32), q);
        memcpy(tile + width * 32 + t * 4, &s.d, 4);
        memcpy(tile + width * 36 + t * 4, &start, 4);
    }
}

static void act_pack(const float *x, size_t x_stride, int64_t k, int64_t n_tok, int64_t t0,
                     int64_t t1, void *out)
{
    for (int64_t t = t0; t < t1; t++) {
        int64_t first = t & ~(int64_t)(ACT_TILE - 1);
        char *tile = (char *)out + (size_t)(first * (k / 32)) * ACT_BLOCK;
        pack_token(x + (size_t)t * x_stride, k, i64_min(ACT_TILE, n_tok - first), t - first, tile);
    }
}

// --- blocks of 16 rows --------------------------------------------------------------------------
typedef void block_fn(lanes w, __m512i u[8], __m512 *d);

ATTR_INLINE void block_q4_0_rows(lanes w, __m512i u[8], __m512 *d)
{
    const __m512i high = _mm512_set1_epi8((char)0xF0);
    __m512i q[4];
    load_16_rows(w, offsetof(block_q4_0, qs), q);
    UNROLL for (int j = 0; j < 4; j++) {
        u[j] = _mm512_and_si512(_mm512_slli_epi16(q[j], 4), high);
        u[j + 4] = _mm512_and_si512(q[j], high);
    }
    *d = _mm512_mul_ps(load_halves(w, offsetof(block_q4_0, d)), _mm512_set1_ps(0x1p-4f));
}

ATTR_INLINE void block_q8_0_rows(lanes w, __m512i u[8], __m512 *d)
{
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    load_16_rows(w, offsetof(block_q8_0, qs), u);
    load_16_rows(w, offsetof(block_q8_0, qs) + 16, u + 4);
    UNROLL for (int j = 0; j < 8; j++) u[j] = _mm512_xor_si512(u[j], sign);
    *d = load_halves(w, offsetof(block_q8_0, d));
}

// --- one token ----------------------------------------------------------------------------------
ATTR_INLINE __m512 one_32(block_fn *block, size_t block_bytes, lanes w, int64_t n_blocks,
                          act_view x)
{
    __m512 acc = _mm512_setzero_ps();
    for (int64_t b = 0; b < n_blocks; b++, w.p += block_bytes, x.tile += x.width * ACT_BLOCK) {
        __m512i u[8];
        __m512 d;
        block(w, u, &d);
        prefetch_rows(w, 0);
        // Two accumulators halve the chain; integer sums do not mind.
        __m512i even = broadcast_i32(x.tile + x.width * 36 + x.t * 4), odd = _mm512_setzero_si512();
        UNROLL for (int j = 0; j < 8; j += 2) {
            even = _mm512_dpbusd_epi32(even, u[j], broadcast_i32(x.tile + x.t * 32 + j * 4));
            odd = _mm512_dpbusd_epi32(odd, u[j + 1], broadcast_i32(x.tile + x.t * 32 + j * 4 + 4));
        }
        __m512 sum = _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
        __m512 scale = _mm512_mul_ps(d, broadcast_f32(x.tile + x.width * 32 + x.t * 4));
        acc = _mm512_fmadd_ps(sum, scale, acc);
    }
    return acc;
}

// --- tiles --------------------------------------------------------------------------------------
ATTR_INLINE void unpack_32(block_fn *block, size_t block_bytes, lanes w, int64_t n_blocks,
                           void *panel)
{
    panel_32 *p = panel;
    for (int64_t b = 0; b < n_blocks; b++, w.p += block_bytes) block(w, p[b].u, &p[b].d);
}

ATTR_INLINE void tile_32(int n, const void *panel0, const void *panel1, int64_t n_blocks,
                         act_view x, float *y0, float *y1, size_t y_stride)
{
    const panel_32 *p0 = panel0, *p1 = panel1;
    __m512 acc0[TOKENS], acc1[TOKENS];
    UNROLL for (int t = 0; t < n; t++) {
        acc0[t] = _mm512_loadu_ps(y0 + (size_t)t * y_stride);
        acc1[t] = _mm512_loadu_ps(y1 + (size_t)t * y_stride);
    }
    for (int64_t b = 0; b < n_blocks; b++, x.tile += x.width * ACT_BLOCK) {
        const char *q = x.tile + x.t * 32, *d = x.tile + x.width * 32 + x.t * 4;
        const char *start = d + x.width * 4;
        __m512i sum0[TOKENS], sum1[TOKENS];
        UNROLL for (int t = 0; t < n; t++) sum0[t] = sum1[t] = broadcast_i32(start + t * 4);
        UNROLL for (int j = 0; j < 8; j++) {
            __m512i u0 = p0[b].u[j], u1 = p1[b].u[j];
            UNROLL for (int t = 0; t < n; t++) {
                __m512i a = broadcast_i32(q + t * 32 + j * 4);
                sum0[t] = _mm512_dpbusd_epi32(sum0[t], u0, a);
                sum1[t] = _mm512_dpbusd_epi32(sum1[t], u1, a);
            }
        }
        UNROLL for (int t = 0; t < n; t++) {
            __m512 da = broadcast_f32(d + t * 4);
            acc0[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum0[t]), _mm512_mul_ps(p0[b].d, da),
                                      acc0[t]);
            acc1[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum1[t]), _mm512_mul_ps(p1[b].d, da),
                                      acc1[t]);
        }
    }
    UNROLL for (int t = 0; t < n; t++) {
        _mm512_storeu_ps(y0 + (size_t)t * y_stride, acc0[t]);
        _mm512_storeu_ps(y1 + (size_t)t * y_stride, acc1[t]);
    }
}

// --- formats ------------------------------------------------------------------------------------
#define FORMAT_32(type)                                                                  \
    ATTR_INLINE __m512 one_##type(lanes w, int64_t n_blocks, act_view x)                 \
    {                                                                                    \
        return one_32(block_##type##_rows, sizeof(block_##type), w, n_blocks, x);        \
    }                                                                                    \
    ATTR_INLINE void unpack_##type(lanes w, int64_t n_blocks, void *panel)               \
    {                                                                                    \
        unpack_32(block_##type##_rows, sizeof(block_##type), w, n_blocks, panel);        \
    }                                                                                    \
    static const format format_##type = {                                                \
        32, sizeof(block_##type), ACT_BLOCK, sizeof(panel_32), CHUNK, one_##type,        \
        unpack_##type, tile_32};                                                         \
    MATMUL_VNNI(type)
FORMAT_32(q4_0)
FORMAT_32(q8_0)

void kern_fill_quant32_vnni(kern *k)
{
    k->act_bytes[ACT_Q8_32] = act_bytes;
    k->act_pack[ACT_Q8_32] = act_pack;
    k->matmul[DTYPE_Q4_0] = matmul_q4_0;
    k->matmul[DTYPE_Q8_0] = matmul_q8_0;
}
