// Products with quantised weights on AVX-512 VNNI: what the two block families share.
//
// A vector lane is a row. 16 bytes of each of 16 rows are loaded and transposed to 4 vectors of
// dwords (load_16_rows); vpdpbusd multiplies such a vector, the weights being its unsigned operand,
// by one dword of four activations broadcast to all lanes. A row's sums never leave its lane, so
// the order in which an output is summed is that of its groups, the same for one token and in any
// tile. Signed weights are made unsigned by an offset b, and the accumulator starts at -b sum(a),
// which the packers precompute.
//
// One token: 16 rows at a time, straight from memory. The lanes are far apart (strips of rows), so
// that each is one long stream for the hardware's prefetcher. The distance between streams is an
// odd number of rows: with an even one, all 16 often fall into the same set of the first cache.
// More tokens: 32 rows are unpacked, a chunk of k at a time, to a panel in the first cache that
// then meets all tokens, up to TOKENS at a time; the 2 * TOKENS outputs carry over in y.
//
// Fewer than 16 rows at the end: the last tile begins 16 rows before the end and computes some rows
// twice, with the same bits. Both halves of a tile read y before either writes it, so that a row
// that is in both does not add its chunk twice. With fewer than 16 rows in all, each is computed
// alone in all lanes.
//
// Packed activations are tiles of up to ACT_TILE tokens; in a tile of `width` tokens, block after
// block, the fields of the tokens lie side by side (see the two users for the fields).
#ifndef HEARTH_KERN_X86_TILES_VNNI_H
#define HEARTH_KERN_X86_TILES_VNNI_H

#include "kern/kern_int.h"

#include <immintrin.h>
#include <string.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

// PREFETCH_BYTES: weights from memory, one thread of an AMD EPYC with VNNI, best of three runs
// beside busy neighbours (repeats differ by up to 40 %). GB/s without prefetch and at 256, 512,
// 1024, 2048: Q4_K 25, 31, 40, 41, 43; Q6_K 13, 19, 29, 30, 28. That it helps is clear; between
// 512 and 2048 the noise decides. From the second cache it costs: Q4_0 51 to 40, Q6_K 57 to 51.
enum { LANES = 16, TOKENS = 6, PREFETCH_BYTES = 1024 };

// 16 rows of weights: row i of the group begins at p + i * stride.
typedef struct lanes {
    const uint8_t *p;
    size_t stride;
} lanes;

// The activations of some tokens, from one block on.
typedef struct act_view {
    const char *tile;    // the tile's bytes from that block on
    int64_t width;       // tokens in the tile
    int64_t t;           // first token
} act_view;

// What distinguishes the formats; constant where the functions below are inlined.
typedef struct format {
    int64_t block_len;
    size_t block_bytes;  // of weights, one row
    size_t act_bytes;    // per token and block
    size_t panel_bytes;  // per 16 rows and block
    int64_t chunk;       // blocks unpacked at a time
    __m512 (*one)(lanes w, int64_t n_blocks, act_view x);
    void (*unpack)(lanes w, int64_t n_blocks, void *panel);
    // Outputs of n tokens (a constant) for the 16 rows at y0 and those at y1.
    void (*tile)(int n, const void *panel0, const void *panel1, int64_t n_blocks, act_view x,
                 float *y0, float *y1, size_t y_stride);
} format;

enum { CHUNK_PANEL_BYTES = 10240 }; // the largest chunk * panel_bytes

// --- loads --------------------------------------------------------------------------------------
ATTR_INLINE __m512i load_4_rows(const uint8_t *p, size_t step)
{
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + step)), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 2 * step)), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 3 * step)), 3);
}

// out[j], lane i: dword j of the 16 bytes at `offset` of row i.
ATTR_INLINE void load_16_rows(lanes w, size_t offset, __m512i out[4])
{
    const uint8_t *p = w.p + offset;
    size_t step = 4 * w.stride; // vector i holds rows i, i + 4, i + 8, i + 12
    __m512i a = load_4_rows(p, step), b = load_4_rows(p + w.stride, step);
    __m512i c = load_4_rows(p + 2 * w.stride, step), d = load_4_rows(p + 3 * w.stride, step);
    __m512i ab_lo = _mm512_unpacklo_epi32(a, b), ab_hi = _mm512_unpackhi_epi32(a, b);
    __m512i cd_lo = _mm512_unpacklo_epi32(c, d), cd_hi = _mm512_unpackhi_epi32(c, d);
    out[0] = _mm512_unpacklo_epi64(ab_lo, cd_lo);
    out[1] = _mm512_unpackhi_epi64(ab_lo, cd_lo);
    out[2] = _mm512_unpacklo_epi64(ab_hi, cd_hi);
    out[3] = _mm512_unpackhi_epi64(ab_hi, cd_hi);
}

ATTR_INLINE int load_u16(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return h;
}

ATTR_INLINE __m128i load_8_halves(const uint8_t *p, size_t stride)
{
    __m128i x = _mm_cvtsi32_si128(load_u16(p));
    x = _mm_insert_epi16(x, load_u16(p + stride), 1);
    x = _mm_insert_epi16(x, load_u16(p + 2 * stride), 2);
    x = _mm_insert_epi16(x, load_u16(p + 3 * stride), 3);
    x = _mm_insert_epi16(x, load_u16(p + 4 * stride), 4);
    x = _mm_insert_epi16(x, load_u16(p + 5 * stride), 5);
    x = _mm_insert_epi16(x, load_u16(p + 6 * stride), 6);
    return _mm_insert_epi16(x, load_u16(p + 7 * stride), 7);
}

// Asks for the line PREFETCH_BYTES ahead of byte `offset` of each row. An address past the end of
// the weights is harmless: a prefetch never faults.
ATTR_INLINE void prefetch_rows(lanes w, size_t offset)
{
    uintptr_t ahead = (uintptr_t)w.p + offset + PREFETCH_BYTES;
    UNROLL for (size_t i = 0; i < LANES; i++)
        _mm_prefetch((const char *)(ahead + i * w.stride), _MM_HINT_T0);
}

// The half at `offset` of each row.
ATTR_INLINE __m512 load_halves(lanes w, size_t offset)
{
    __m128i lo = load_8_halves(w.p + offset, w.stride);
    __m128i hi = load_8_halves(w.p + offset + 8 * w.stride, w.stride);
    return _mm512_cvtph_ps(_mm256_set_m128i(hi, lo));
}

// --- activations --------------------------------------------------------------------------------
ATTR_INLINE __m512i broadcast_i32(const char *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return _mm512_set1_epi32(x);
}

ATTR_INLINE __m512 broadcast_f32(const char *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return _mm512_set1_ps(x);
}

// --- products -----------------------------------------------------------------------------------
ATTR_INLINE const char *tile_start(const format *f, const void *x, int64_t k, int64_t t0)
{
    return (const char *)x + (size_t)(t0 * (k / f->block_len)) * f->act_bytes;
}

// All rows for one token: strips, then what is left, 16 adjacent rows at a time.
ATTR_INLINE void one_token(const format *f, lanes w, int64_t n_rows, act_view x, int64_t n_blocks,
                           float *y)
{
    int64_t strip = (n_rows / LANES - 1) | 1; // the largest odd number of rows
    float out[LANES];
    for (int64_t r = 0; r < strip; r++) {
        lanes rows = {w.p + (size_t)r * w.stride, (size_t)strip * w.stride};
        _mm512_storeu_ps(out, f->one(rows, n_blocks, x));
        for (int i = 0; i < LANES; i++) y[i * strip + r] = out[i];
    }
    for (int64_t r = strip * LANES; r < n_rows; r += LANES) {
        int64_t at = i64_min(r, n_rows - LANES);
        lanes rows = {w.p + (size_t)at * w.stride, w.stride};
        _mm512_storeu_ps(y + at, f->one(rows, n_blocks, x));
    }
}

// Few rows, each in all lanes.
ATTR_INLINE void few_rows(const format *f, lanes w, int64_t n_rows, const void *x, int64_t n_tok,
                          int64_t k, float *y, size_t y_stride)
{
    for (int64_t t = 0; t < n_tok; t++) {
        int64_t t0 = t & ~(int64_t)(ACT_TILE - 1);
        act_view v = {tile_start(f, x, k, t0), i64_min(ACT_TILE, n_tok - t0), t - t0};
        for (int64_t r = 0; r < n_rows; r++) {
            lanes row = {w.p + (size_t)r * w.stride, 0};
            __m512 sum = f->one(row, k / f->block_len, v);
            y[(size_t)t * y_stride + (size_t)r] = _mm512_cvtss_f32(sum);
        }
    }
}

// One panel and one tile of activations.
ATTR_INLINE void all_tokens(const format *f, const void *panel0, const void *panel1,
                            int64_t n_blocks, act_view x, float *y0, float *y1, size_t y_stride)
{
    while (x.t < x.width) {
        int64_t rest = x.width - x.t;
        int64_t n = rest >= TOKENS ? TOKENS : rest >= 4 ? 4 : rest >= 2 ? 2 : 1;
        float *out0 = y0 + (size_t)x.t * y_stride, *out1 = y1 + (size_t)x.t * y_stride;
        switch (n) {
        case TOKENS: f->tile(TOKENS, panel0, panel1, n_blocks, x, out0, out1, y_stride); break;
        case 4: f->tile(4, panel0, panel1, n_blocks, x, out0, out1, y_stride); break;
        case 2: f->tile(2, panel0, panel1, n_blocks, x, out0, out1, y_stride); break;
        default: f->tile(1, panel0, panel1, n_blocks, x, out0, out1, y_stride); break;
        }
        x.t += n;
    }
}

ATTR_INLINE void clear_rows(float *y0, float *y1, int64_t n_tok, size_t y_stride)
{
    for (int64_t t = 0; t < n_tok; t++) {
        _mm512_storeu_ps(y0 + (size_t)t * y_stride, _mm512_setzero_ps());
        _mm512_storeu_ps(y1 + (size_t)t * y_stride, _mm512_setzero_ps());
    }
}

// 32 rows, the halves beginning at w0 and w1, for all tokens.
ATTR_INLINE void row_tile(const format *f, lanes w0, lanes w1, const void *x, int64_t n_tok,
                          int64_t k, float *y0, float *y1, size_t y_stride)
{
    _Alignas(64) char panel[2][CHUNK_PANEL_BYTES];
    int64_t n_blocks = k / f->block_len;
    clear_rows(y0, y1, n_tok, y_stride);
    for (int64_t b = 0; b < n_blocks; b += f->chunk) {
        int64_t n = i64_min(f->chunk, n_blocks - b);
        f->unpack((lanes){w0.p + (size_t)b * f->block_bytes, w0.stride}, n, panel[0]);
        f->unpack((lanes){w1.p + (size_t)b * f->block_bytes, w1.stride}, n, panel[1]);
        for (int64_t t0 = 0; t0 < n_tok; t0 += ACT_TILE) {
            act_view v = {tile_start(f, x, k, t0), i64_min(ACT_TILE, n_tok - t0), 0};
            v.tile += (size_t)(b * v.width) * f->act_bytes;
            all_tokens(f, panel[0], panel[1], n, v, y0 + (size_t)t0 * y_stride,
                       y1 + (size_t)t0 * y_stride, y_stride);
        }
    }
}

ATTR_INLINE void multiply(const format *f, const void *w, size_t w_stride, int64_t n_rows,
                          const void *x, int64_t n_tok, int64_t k, float *y, size_t y_stride)
{
    lanes rows = {w, w_stride};
    if (n_rows < LANES) {
        few_rows(f, rows, n_rows, x, n_tok, k, y, y_stride);
        return;
    }
    if (n_tok == 1) {
        one_token(f, rows, n_rows, (act_view){x, 1, 0}, k / f->block_len, y);
        return;
    }
    for (int64_t r = 0; r < n_rows; r += 2 * LANES) {
        int64_t r0 = i64_min(r, n_rows - LANES), r1 = i64_min(r + LANES, n_rows - LANES);
        lanes w0 = {rows.p + (size_t)r0 * w_stride, w_stride};
        lanes w1 = {rows.p + (size_t)r1 * w_stride, w_stride};
        row_tile(f, w0, w1, x, n_tok, k, y + r0, y + r1, y_stride);
    }
}

#define MATMUL_VNNI(type)                                                                        \
    static void matmul_##type(const void *w, size_t w_stride, int64_t n_rows, const void *x,     \
                              int64_t n_tok, int64_t k, float *y, size_t y_stride)               \
    {                                                                                            \
        multiply(&format_##type, w, w_stride, n_rows, x, n_tok, k, y, y_stride);                 \
    }

#endif
