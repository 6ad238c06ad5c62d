// Decoders of one block to floats, for the types that are multiplied as floats: those with plain
// codes here, the others in decode_iq.h, which ends with the list of all.
//
// This is the definition that the reference and the strips of tmpl/matmul_blocks.h share; each file
// that includes it compiles it for its own instruction set. All of them give the same bits: the
// product of a scale and a code has at most 24 significant bits and is exact unless a line says
// otherwise, so an element sees one rounding at most, that of the sum in types with a minimum.
// Scales may be anything, infinities and NaN included: no code turns them into an index.
//
// The loops are cut for compilers' vectors: codes go to bytes of a local array, all of them to
// floats in one loop, and then groups of floats are scaled. With the conversion inside the loops of
// 16, those are unrolled and stay scalar (Q2_K on AVX-512: 205 us for 256 x 2048 instead of 53).
#ifndef HEARTH_KERN_DECODE_H
#define HEARTH_KERN_DECODE_H

#include "kern/blocks.h"
#include "kern/half.h"

// Code j of 16 nibbles with their fifth bits, low ones first.
static inline int five_low(const uint8_t *qs, uint32_t high, int j)
{
    return (qs[j] & 15) | (int)(high >> j & 1) << 4;
}

static inline int five_high(const uint8_t *qs, uint32_t high, int j)
{
    return qs[j] >> 4 | (int)(high >> (j + 16) & 1) << 4;
}

static inline uint32_t word_at(const uint8_t p[4])
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// 256 codes of 2 bits, laid out as in Q2_K.
static inline void unpack_pairs(const uint8_t qs[64], uint8_t q[QK_256])
{
    for (int half = 0; half < 2; half++)
        for (int shift = 0; shift < 8; shift += 2)
            for (int l = 0; l < 32; l++) *q++ = qs[32 * half + l] >> shift & 3;
}

static inline void decode_q4_1(const void *block, float *w)
{
    const block_q4_1 *b = block;
    float d = f16_to_f32(b->d), m = f16_to_f32(b->m);
    for (int j = 0; j < 16; j++) w[j] = d * (float)(b->qs[j] & 15) + m;
    for (int j = 0; j < 16; j++) w[j + 16] = d * (float)(b->qs[j] >> 4) + m;
}

static inline void decode_q5_0(const void *block, float *w)
{
    const block_q5_0 *b = block;
    float d = f16_to_f32(b->d);
    uint32_t high = word_at(b->qh);
    for (int j = 0; j < 16; j++) w[j] = d * (float)(five_low(b->qs, high, j) - 16);
    for (int j = 0; j < 16; j++) w[j + 16] = d * (float)(five_high(b->qs, high, j) - 16);
}

static inline void decode_q5_1(const void *block, float *w)
{
    const block_q5_1 *b = block;
    float d = f16_to_f32(b->d), m = f16_to_f32(b->m);
    uint32_t high = word_at(b->qh);
    for (int j = 0; j < 16; j++) w[j] = d * (float)five_low(b->qs, high, j) + m;
    for (int j = 0; j < 16; j++) w[j + 16] = d * (float)five_high(b->qs, high, j) + m;
}

static inline void decode_q8_1(const void *block, float *w)
{
    const block_q8_1 *b = block;
    float d = f16_to_f32(b->d);
    for (int j = 0; j < QK_32; j++) w[j] = d * (float)b->qs[j];
}

static inline void decode_q2_k(const void *block, float *w)
{
    const block_q2_k *b = block;
    float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
    uint8_t q[QK_256];
    unpack_pairs(b->qs, q);
    for (int j = 0; j < QK_256; j++) w[j] = (float)q[j];
    for (int g = 0; g < QK_256 / 16; g++) {
        float scale = d * (float)(b->scales[g] & 15), m = dmin * (float)(b->scales[g] >> 4);
        for (int j = 16 * g; j < 16 * g + 16; j++) w[j] = scale * w[j] - m;
    }
}

static inline int q3_k_scale(const uint8_t s[12], int g)
{
    int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
    return (low | (s[8 + g % 4] >> 2 * (g / 4) & 3) << 4) - 32;
}

static inline void decode_q3_k(const void *block, float *w)
{
    const block_q3_k *b = block;
    float d = f16_to_f32(b->d);
    uint8_t q[QK_256];
    unpack_pairs(b->qs, q);
    for (int g = 0; g < 8; g++)
        for (int j = 0; j < 32; j++) q[32 * g + j] |= (uint8_t)((b->hmask[j] >> g & 1) << 2);
    for (int j = 0; j < QK_256; j++) w[j] = (float)(q[j] - 4);
    for (int g = 0; g < QK_256 / 16; g++) {
        float scale = d * (float)q3_k_scale(b->scales, g);
        for (int j = 16 * g; j < 16 * g + 16; j++) w[j] = scale * w[j];
    }
}

static inline void decode_q5_k(const void *block, float *w)
{
    const block_q5_k *b = block;
    float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
    uint8_t sc[8], m[8], q[QK_256];
    unpack_q4_k_scales(b->scales, sc, m);
    for (int g = 0; g < 8; g++)
        for (int j = 0; j < 32; j++) {
            int low = b->qs[g / 2 * 32 + j] >> 4 * (g % 2) & 15;
            q[32 * g + j] = (uint8_t)(low | (b->qh[j] >> g & 1) << 4);
        }
    for (int j = 0; j < QK_256; j++) w[j] = (float)q[j];
    for (int g = 0; g < 8; g++) {
        float scale = d * (float)sc[g], min = dmin * (float)m[g];
        for (int j = 32 * g; j < 32 * g + 32; j++) w[j] = scale * w[j] - min;
    }
}

// The scale is a whole float: this product rounds.
static inline void decode_q8_k(const void *block, float *w)
{
    const block_q8_k *b = block;
    float d = f32_from_bits(b->d[0] | (uint32_t)b->d[1] << 16);
    for (int j = 0; j < QK_256; j++) w[j] = d * (float)b->qs[j];
}

#endif
