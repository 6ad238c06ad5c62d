// Decoders of one block to floats for the formats of blocks_iq.h; see decode.h.
//
// Scales of the IQ2 and IQ3 types are written d (sc + 1/2) / 4 elsewhere; d (2 sc + 1) / 8 is the
// same number, and exact.
#ifndef HEARTH_KERN_DECODE_IQ_H
#define HEARTH_KERN_DECODE_IQ_H

#include "kern/blocks_iq.h"
#include "kern/codebook.h"
#include "kern/decode.h"

// --- vectors of a codebook with signs -----------------------------------------------------------
// The eighth sign, in bit 7, makes the number of ones even.
static inline unsigned complete_signs(unsigned seven)
{
    seven &= 127;
    unsigned odd = seven ^ seven >> 4;
    odd ^= odd >> 2;
    odd ^= odd >> 1;
    return seven | (odd & 1) << 7;
}

static inline float negate_if(unsigned bit, float v)
{
    return f32_from_bits(f32_bits(v) ^ (uint32_t)bit << 31);
}

static inline void put_iq2(unsigned vector, unsigned signs, float scale, float w[8])
{
    static const float levels[4] = {8.0f, 25.0f, 43.0f, 0.0f};
    for (int j = 0; j < 8; j++)
        w[j] = negate_if(signs >> j & 1, scale * levels[vector >> 2 * j & 3]);
}

static inline void decode_iq2_xxs(const void *block, float *w)
{
    const block_iq2_xxs *b = block;
    float d = f16_to_f32(b->d) * 0.125f;
    for (int g = 0; g < 8; g++) {
        uint32_t word = word_at(b->qs + 8 * g + 4);
        float scale = d * (float)(2 * (word >> 28) + 1);
        for (int v = 0; v < 4; v++, w += 8)
            put_iq2(kern_codebook_iq2_xxs[b->qs[8 * g + v]], complete_signs(word >> 7 * v), scale,
                    w);
    }
}

static inline float iq2_scale(float d, const uint8_t *scales, int v)
{
    return d * (float)(2 * (scales[v / 4] >> 4 * (v / 2 % 2) & 15) + 1);
}

static inline void decode_iq2_xs(const void *block, float *w)
{
    const block_iq2_xs *b = block;
    float d = f16_to_f32(b->d) * 0.125f;
    for (int v = 0; v < QK_256 / 8; v++, w += 8)
        put_iq2(kern_codebook_iq2_xs[b->qs[v] & 511], complete_signs(b->qs[v] >> 9),
                iq2_scale(d, b->scales, v), w);
}

static inline void decode_iq2_s(const void *block, float *w)
{
    const block_iq2_s *b = block;
    float d = f16_to_f32(b->d) * 0.125f;
    for (int v = 0; v < QK_256 / 8; v++, w += 8) {
        int index = b->qs[v] | (b->qh[v / 4] >> 2 * (v % 4) & 3) << 8;
        put_iq2(kern_codebook_iq2_s[index], b->signs[v], iq2_scale(d, b->scales, v), w);
    }
}

// Two vectors of 4; levels are low + step * c, and `last` more where c is 7.
static inline void put_iq3(unsigned vector0, unsigned vector1, unsigned signs, int low, int step,
                           int last, float scale, float w[8])
{
    unsigned codes = vector0 | vector1 << 12;
    for (int j = 0; j < 8; j++) {
        int c = (int)(codes >> 3 * j & 7);
        float level = (float)(low + step * c + (c + 1) / 8 * last);
        w[j] = negate_if(signs >> j & 1, scale * level);
    }
}

static inline void decode_iq3_xxs(const void *block, float *w)
{
    const block_iq3_xxs *b = block;
    float d = f16_to_f32(b->d) * 0.25f;
    for (int g = 0; g < 8; g++) {
        uint32_t word = word_at(b->words + 4 * g);
        float scale = d * (float)(2 * (word >> 28) + 1);
        const uint8_t *index = b->qs + 8 * g;
        for (int v = 0; v < 4; v++, w += 8)
            put_iq3(kern_codebook_iq3_xxs[index[2 * v]], kern_codebook_iq3_xxs[index[2 * v + 1]],
                    complete_signs(word >> 7 * v), 4, 8, 2, scale, w);
    }
}

static inline void decode_iq3_s(const void *block, float *w)
{
    const block_iq3_s *b = block;
    float d = f16_to_f32(b->d);
    for (int v = 0; v < QK_256 / 8; v++, w += 8) {
        int high = b->qh[v / 4] >> 2 * (v % 4), g = v / 4;
        float scale = d * (float)(2 * (b->scales[g / 2] >> 4 * (g % 2) & 15) + 1);
        put_iq3(kern_codebook_iq3_s[b->qs[2 * v] | (high & 1) << 8],
                kern_codebook_iq3_s[b->qs[2 * v + 1] | (high >> 1 & 1) << 8], b->signs[v], 1, 2, 0,
                scale, w);
    }
}

// level - 1 +- 1/8 is a multiple of 1/8 up to 9/8.
static inline void put_iq1(unsigned vector, unsigned minus, float scale, float w[8])
{
    float delta = minus ? -0.125f : 0.125f;
    for (int j = 0; j < 8; j++) w[j] = scale * ((float)(int)(vector >> 2 * j & 3) - 1.0f + delta);
}

static inline void decode_iq1_s(const void *block, float *w)
{
    const block_iq1_s *b = block;
    float d = f16_to_f32(b->d);
    for (int v = 0; v < QK_256 / 8; v++, w += 8) {
        unsigned qh = b->qh[v / 4], index = b->qs[v] | (qh >> 3 * (v % 4) & 7) << 8;
        put_iq1(kern_codebook_iq1[index], qh >> 15, d * (float)(2 * (qh >> 12 & 7) + 1), w);
    }
}

static inline void decode_iq1_m(const void *block, float *w)
{
    const block_iq1_m *b = block;
    const uint16_t *s = b->scales;
    int bits = s[0] >> 12 | s[1] >> 12 << 4 | s[2] >> 12 << 8 | s[3] >> 12 << 12;
    float d = f16_to_f32((uint16_t)bits);
    for (int v = 0; v < QK_256 / 8; v++, w += 8) {
        unsigned qh = (unsigned)b->qh[v / 2] >> 4 * (v % 2), index = b->qs[v] | (qh & 7) << 8;
        int g = v / 2;
        float scale = d * (float)(2 * (s[g / 4] >> 3 * (g % 4) & 7) + 1);
        put_iq1(kern_codebook_iq1[index], qh >> 3 & 1, scale, w);
    }
}

// --- 4-bit codes of unequal steps ---------------------------------------------------------------
// n bytes of nibbles, low ones first. The 16 products are fewer than the elements.
static inline void put_levels(const uint8_t *qs, int n, const int8_t levels[16], float scale,
                              float *w)
{
    float products[16];
    for (int c = 0; c < 16; c++) products[c] = scale * (float)levels[c];
    for (int j = 0; j < n; j++) {
        w[j] = products[qs[j] & 15];
        w[j + n] = products[qs[j] >> 4];
    }
}

// Facts of the format: about the quantiles of trained weights, scaled to 127.
static const int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

static inline void decode_iq4_nl(const void *block, float *w)
{
    const block_iq4_nl *b = block;
    put_levels(b->qs, 16, iq4_levels, f16_to_f32(b->d), w);
}

static inline void decode_iq4_xs(const void *block, float *w)
{
    const block_iq4_xs *b = block;
    float d = f16_to_f32(b->d);
    for (int g = 0; g < 8; g++, w += 32) {
        int sc = (b->low[g / 2] >> 4 * (g % 2) & 15) | (b->high >> 2 * g & 3) << 4;
        put_levels(b->qs + 16 * g, 16, iq4_levels, d * (float)(sc - 32), w);
    }
}

// E2M1 times 2, to be whole numbers; -0 is +0, as in the decoder of ggml.
static const int8_t e2m1_twice[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static inline void decode_mxfp4(const void *block, float *w)
{
    const block_mxfp4 *b = block;
    // 2^(e - 128): the exponent field e - 1, or a denormal.
    uint32_t bits = b->e < 2 ? (uint32_t)0x00200000 << b->e : (uint32_t)(b->e - 1) << 23;
    put_levels(b->qs, 16, e2m1_twice, f32_from_bits(bits), w);
}

// Half the value of an E4M3 code without sign.
static inline float e4m3_half(uint8_t code)
{
    int exponent = code >> 3 & 15, fraction = code & 7;
    if (code == 0x7F) return 0.0f;
    if (exponent == 0) return (float)fraction * 0x1p-10f; // fraction / 8 * 2^-6 / 2
    return (float)(8 + fraction) * f32_from_bits((uint32_t)(exponent + 127 - 11) << 23);
}

static inline void decode_nvfp4(const void *block, float *w)
{
    const block_nvfp4 *b = block;
    for (int g = 0; g < 4; g++)
        put_levels(b->qs + 8 * g, 8, e2m1_twice, e4m3_half(b->d[g]), w + 16 * g);
}

// --- one and two bits, ternary ------------------------------------------------------------------
// Digit n of `n_bytes` bytes each; see block_tq1_0.
static inline float *put_digits(const uint8_t *qs, int n_bytes, int n_digits, float d, float *w)
{
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    for (int n = 0; n < n_digits; n++)
        for (int m = 0; m < n_bytes; m++) {
            uint8_t rest = (uint8_t)(qs[m] * powers[n]);
            *w++ = d * (float)((rest * 3 >> 8) - 1);
        }
    return w;
}

static inline void decode_tq1_0(const void *block, float *w)
{
    const block_tq1_0 *b = block;
    float d = f16_to_f32(b->d);
    w = put_digits(b->qs, 32, 5, d, w);
    w = put_digits(b->qs + 32, 16, 5, d, w);
    put_digits(b->qh, 4, 4, d, w);
}

static inline void decode_tq2_0(const void *block, float *w)
{
    const block_tq2_0 *b = block;
    float d = f16_to_f32(b->d);
    uint8_t q[QK_256];
    unpack_pairs(b->qs, q);
    for (int j = 0; j < QK_256; j++) w[j] = d * (float)(q[j] - 1);
}

static inline void decode_q1_0(const void *block, float *w)
{
    const block_q1_0 *b = block;
    float d = f16_to_f32(b->d);
    for (int i = 0; i < QK_128 / 8; i++) {
        unsigned minus = ~(unsigned)b->qs[i];
        for (int j = 0; j < 8; j++) *w++ = negate_if(minus >> j & 1, d);
    }
}

static inline void decode_q2_0(const void *block, float *w)
{
    const block_q2_0 *b = block;
    float d = f16_to_f32(b->d);
    for (int j = 0; j < QK_64; j++) w[j] = d * (float)((b->qs[j / 4] >> 2 * (j % 4) & 3) - 1);
}

// --- all of them --------------------------------------------------------------------------------
// X(id, name, elements of a block): the types that are decoded and multiplied with ACT_F32.
#define KERN_DECODED_TYPES(X)                                                                      \
    X(Q4_1, q4_1, 32) X(Q5_0, q5_0, 32) X(Q5_1, q5_1, 32) X(Q8_1, q8_1, 32) X(Q2_K, q2_k, 256)     \
    X(Q3_K, q3_k, 256) X(Q5_K, q5_k, 256) X(Q8_K, q8_k, 256) X(IQ2_XXS, iq2_xxs, 256)              \
    X(IQ2_XS, iq2_xs, 256) X(IQ2_S, iq2_s, 256) X(IQ3_XXS, iq3_xxs, 256) X(IQ3_S, iq3_s, 256)      \
    X(IQ1_S, iq1_s, 256) X(IQ1_M, iq1_m, 256) X(IQ4_NL, iq4_nl, 32) X(IQ4_XS, iq4_xs, 256)         \
    X(TQ1_0, tq1_0, 256) X(TQ2_0, tq2_0, 256) X(MXFP4, mxfp4, 32) X(NVFP4, nvfp4, 64)              \
    X(Q1_0, q1_0, 128) X(Q2_0, q2_0, 64)

typedef struct decoded_format {
    void (*decode)(const void *block, float *w);
    int len;      // elements of a block
    size_t bytes; // of a block
} decoded_format;

#define DECODED_FORMAT(name, len) ((decoded_format){decode_##name, len, sizeof(block_##name)})

#endif
