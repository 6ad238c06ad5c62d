// Decoders of one block to floats, for the types that are multiplied as floats: those with plain
// codes here, the others in decode_iq.h, which ends with the list of all.
//
// This is the definition that the reference and the strips of tmpl/matmul_blocks.h share; each file
// that includes it compiles it for its own instruction set. All of them give the same bits: the
// product of a scale and a code has at most 24 significant bits and is exact unless a line says
// otherwise, so an element sees one rounding at most, that of the sum in types with a minimum.
// Scales may be anything, infinities and NaN included: no code turns them into an index.
#ifndef HEARTH_KERN_DECODE_H
#define HEARTH_KERN_DECODE_H

#include "kern/blocks.h"
#include "kern/half.h"

// The nibbles of 16 bytes: low ones first.
static inline void unpack_nibbles(const uint8_t qs[16], uint8_t q[32])
{
    for (int j = 0; j < 16; j++) {
        q[j] = qs[j] & 15;
        q[j + 16] = qs[j] >> 4;
    }
}

// The same with a fifth bit from the 32-bit number qh.
static inline void unpack_fives(const uint8_t qs[16], const uint8_t qh[4], uint8_t q[32])
{
    unpack_nibbles(qs, q);
    uint32_t high = qh[0] | (uint32_t)qh[1] << 8 | (uint32_t)qh[2] << 16 | (uint32_t)qh[3] << 24;
    for (int j = 0; j < 32; j++) q[j] |= (uint8_t)((high >> j & 1) << 4);
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
    uint8_t q[QK_32];
    unpack_nibbles(b->qs, q);
    for (int j = 0; j < QK_32; j++) w[j] = d * (float)q[j] + m;
}

static inline void decode_q5_0(const void *block, float *w)
{
    const block_q5_0 *b = block;
    float d = f16_to_f32(b->d);
    uint8_t q[QK_32];
    unpack_fives(b->qs, b->qh, q);
    for (int j = 0; j < QK_32; j++) w[j] = d * (float)(q[j] - 16);
}

static inline void decode_q5_1(const void *block, float *w)
{
    const block_q5_1 *b = block;
    float d = f16_to_f32(b->d), m = f16_to_f32(b->m);
    uint8_t q[QK_32];
    unpack_fives(b->qs, b->qh, q);
    for (int j = 0; j < QK_32; j++) w[j] = d * (float)q[j] + m;
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
    for (int g = 0; g < QK_256 / 16; g++) {
        float scale = d * (float)(b->scales[g] & 15), m = dmin * (float)(b->scales[g] >> 4);
        for (int j = 16 * g; j < 16 * g + 16; j++) w[j] = scale * (float)q[j] - m;
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
    for (int j = 0; j < QK_256; j++) q[j] |= (uint8_t)((b->hmask[j % 32] >> j / 32 & 1) << 2);
    for (int g = 0; g < QK_256 / 16; g++) {
        float scale = d * (float)q3_k_scale(b->scales, g);
        for (int j = 16 * g; j < 16 * g + 16; j++) w[j] = scale * (float)(q[j] - 4);
    }
}

static inline void decode_q5_k(const void *block, float *w)
{
    const block_q5_k *b = block;
    float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
    uint8_t sc[8], m[8];
    unpack_q4_k_scales(b->scales, sc, m);
    for (int g = 0; g < 8; g++, w += 32) {
        float scale = d * (float)sc[g], min = dmin * (float)m[g];
        for (int j = 0; j < 32; j++) {
            int low = b->qs[g / 2 * 32 + j] >> 4 * (g % 2) & 15;
            w[j] = scale * (float)(low | (b->qh[j] >> g & 1) << 4) - min;
        }
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
