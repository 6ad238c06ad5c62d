// Block formats with codebooks (IQ), ternary formats (TQ) and formats of 1 to 4 bits with plain
// codes, byte for byte as GGUF files hold them; conventions as in blocks.h.
//
// The IQ2, IQ3 and IQ1 types store short vectors of elements as indices into a codebook
// (codebook.h); below, grid[x] is the vector of index x. Where signs are stored in 7 bits for 8
// elements, the eighth makes the number of minus signs even. "[a 7 | b 9]" is a little-endian word
// with field a of 7 bits on top of field b of 9.
#ifndef HEARTH_KERN_BLOCKS_IQ_H
#define HEARTH_KERN_BLOCKS_IQ_H

#include "kern/blocks.h"

enum { QK_64 = 64, QK_128 = 128 };

// IQ2_XXS, 8 groups of 32: w = +-d * (2 sc + 1) / 8 * level, level one of 8, 25, 43
//   byte 0   2                              66
//        | d | 8 groups of 8 bytes           |
// group: four index bytes x0..x3 (8 elements each), the word [sc 4 | s3 7 | s2 7 | s1 7 | s0 7]
typedef struct block_iq2_xxs {
    uint16_t d;
    uint8_t qs[QK_256 / 4];
} block_iq2_xxs;
STATIC_ASSERT(sizeof(block_iq2_xxs) == 66, "IQ2_XXS block");

// IQ2_XS, 16 groups of 16: levels and scales as in IQ2_XXS
//   byte 0   2                 66          74
//        | d | qs[32] of 16 bit | scales[8] |
// qs: [signs 7 | index 9] for 8 elements. scales: group 2j in the low, 2j + 1 in the high nibble.
typedef struct block_iq2_xs {
    uint16_t d;
    uint16_t qs[QK_256 / 8];
    uint8_t scales[QK_256 / 32];
} block_iq2_xs;
STATIC_ASSERT(sizeof(block_iq2_xs) == 74, "IQ2_XS block");

// IQ2_S, 16 groups of 16: levels and scales as in IQ2_XS
//   byte 0   2        34          66      74          82
//        | d | qs[32] | signs[32] | qh[8] | scales[8] |
// Vector v (8 elements): index bits 7-0 in qs[v], bits 9-8 in qh[v / 4] at bit 2 (v % 4).
typedef struct block_iq2_s {
    uint16_t d;
    uint8_t qs[QK_256 / 8];
    uint8_t signs[QK_256 / 8];
    uint8_t qh[QK_256 / 32];
    uint8_t scales[QK_256 / 32];
} block_iq2_s;
STATIC_ASSERT(sizeof(block_iq2_s) == 82, "IQ2_S block");

// IQ3_XXS, 8 groups of 32: w = +-d * (2 sc + 1) / 4 * level, level one of 4, 12 ... 52, 62
//   byte 0   2        66                     98
//        | d | qs[64] | 8 words of 32 bit     |
// qs: indices of vectors of 4 elements. words: [sc 4 | s3 7 | s2 7 | s1 7 | s0 7], signs of 8 each.
typedef struct block_iq3_xxs {
    uint16_t d;
    uint8_t qs[QK_256 / 4];
    uint8_t words[QK_256 / 8];
} block_iq3_xxs;
STATIC_ASSERT(sizeof(block_iq3_xxs) == 98, "IQ3_XXS block");

// IQ3_S, 8 groups of 32: w = +-d * (2 sc + 1) * level, level one of 1, 3 ... 15
//   byte 0   2        66      74          106         110
//        | d | qs[64] | qh[8] | signs[32] | scales[4] |
// Vector v (4 elements): index bits 7-0 in qs[v], bit 8 is bit v % 8 of qh[v / 8].
typedef struct block_iq3_s {
    uint16_t d;
    uint8_t qs[QK_256 / 4];
    uint8_t qh[QK_256 / 32];
    uint8_t signs[QK_256 / 8];
    uint8_t scales[QK_256 / 64];
} block_iq3_s;
STATIC_ASSERT(sizeof(block_iq3_s) == 110, "IQ3_S block");

// IQ1_S, 8 groups of 32: w = d * (2 sc + 1) * (level +- 1/8), level one of -1, 0, 1
//   byte 0   2        34               50
//        | d | qs[32] | qh[8] of 16 bit |
// qs: index bits 7-0 of vectors of 8. qh: [minus 1 | sc 3 | x3 3 | x2 3 | x1 3 | x0 3], where x are
// index bits 10-8.
typedef struct block_iq1_s {
    uint16_t d;
    uint8_t qs[QK_256 / 8];
    uint16_t qh[QK_256 / 32];
} block_iq1_s;
STATIC_ASSERT(sizeof(block_iq1_s) == 50, "IQ1_S block");

// IQ1_M, 16 groups of 16: w as in IQ1_S, the 1/8 with a sign for each vector
//   byte 0        32       48                   56
//        | qs[32] | qh[16] | scales[4] of 16 bit |
// qh: vector 2j in the low, 2j + 1 in the high nibble: [minus 1 | index bits 10-8].
// scales: [four bits of d | sc 3 | sc 3 | sc 3 | sc 3]; the top nibbles make d, the last on top.
typedef struct block_iq1_m {
    uint8_t qs[QK_256 / 8];
    uint8_t qh[QK_256 / 16];
    uint16_t scales[QK_256 / 64];
} block_iq1_m;
STATIC_ASSERT(sizeof(block_iq1_m) == 56, "IQ1_M block");

// IQ4_NL, 32 elements: w[i] = d * level[q[i]], 16 levels that are denser around 0
//   byte 0   2                      18
//        | d | qs[16]                |   qs as in Q4_0
typedef struct block_iq4_nl {
    uint16_t d;
    uint8_t qs[QK_32 / 2];
} block_iq4_nl;
STATIC_ASSERT(sizeof(block_iq4_nl) == 18, "IQ4_NL block");

// IQ4_XS, 256 elements in 8 groups of 32: w[i] = d * (sc[g] - 32) * level[q[i]]
//   byte 0   2     4       8                              136
//        | d | high | low[4] | qs[128]                     |
// sc: bits 3-0 in low, group 2j in the low nibble of byte j; bits 5-4 in high at bit 2 g.
// qs: 16 bytes for each group, as in Q4_0.
typedef struct block_iq4_xs {
    uint16_t d;
    uint16_t high;
    uint8_t low[QK_256 / 64];
    uint8_t qs[QK_256 / 2];
} block_iq4_xs;
STATIC_ASSERT(sizeof(block_iq4_xs) == 136, "IQ4_XS block");

// TQ1_0, 256 elements: w[i] = d * (t[i] - 1), t a ternary digit
//   byte 0        48      52  54
//        | qs[48] | qh[4] | d |
// A byte x of five digits is their number in base 3, n of 243, as ceil(256 n / 243): the first
// digit is then the integer part of 3 x / 256, and the rest of that product holds the others.
//   qs[m], m < 32   elements m, m + 32 ... m + 128
//   qs[32 + m]      elements 160 + m, 176 + m ... 224 + m, m < 16
//   qh[m]           elements 240 + m, 244 + m, 248 + m, 252 + m: four digits
typedef struct block_tq1_0 {
    uint8_t qs[48];
    uint8_t qh[4];
    uint16_t d;
} block_tq1_0;
STATIC_ASSERT(sizeof(block_tq1_0) == 54, "TQ1_0 block");

// TQ2_0, 256 elements: w[i] = d * (q[i] - 1)
//   byte 0                           64  66
//        | qs[64]                    | d |   qs as in Q2_K
typedef struct block_tq2_0 {
    uint8_t qs[QK_256 / 4];
    uint16_t d;
} block_tq2_0;
STATIC_ASSERT(sizeof(block_tq2_0) == 66, "TQ2_0 block");

// MXFP4, 32 elements: w[i] = 2^(e - 127) * value(q[i])   (Open Compute Project, Microscaling 1.0)
//   byte 0   1                      17
//        | e | qs[16]                |   qs as in Q4_0
// q: E2M1, sign and 0, 0.5, 1, 1.5, 2, 3, 4 or 6; there is no infinity and no NaN. The e of 255, a
// NaN in the specification, is 2^128 here as in the decoder of ggml.
typedef struct block_mxfp4 {
    uint8_t e;
    uint8_t qs[QK_32 / 2];
} block_mxfp4;
STATIC_ASSERT(sizeof(block_mxfp4) == 17, "MXFP4 block");

// NVFP4, 64 elements in 4 groups of 16: w[i] = scale(d[g]) * value(q[i]), values as in MXFP4
//   byte 0      4                              36
//        | d[4] | qs[32]                        |
// d: unsigned E4M3, bias 7; bit 7 is not looked at, 0x7F counts as 0. qs: 8 bytes for each group,
// the low nibbles are its first 8 elements.
typedef struct block_nvfp4 {
    uint8_t d[QK_64 / 16];
    uint8_t qs[QK_64 / 2];
} block_nvfp4;
STATIC_ASSERT(sizeof(block_nvfp4) == 36, "NVFP4 block");

// Q1_0, 128 elements: w[i] = bit ? d : -d
//   byte 0   2                      18
//        | d | qs[16]                |   element i is bit i % 8 of byte i / 8
typedef struct block_q1_0 {
    uint16_t d;
    uint8_t qs[QK_128 / 8];
} block_q1_0;
STATIC_ASSERT(sizeof(block_q1_0) == 18, "Q1_0 block");

// Q2_0, 64 elements: w[i] = d * (q[i] - 1)
//   byte 0   2                      18
//        | d | qs[16]                |   element i is at bit 2 (i % 4) of byte i / 4
typedef struct block_q2_0 {
    uint16_t d;
    uint8_t qs[QK_64 / 4];
} block_q2_0;
STATIC_ASSERT(sizeof(block_q2_0) == 18, "Q2_0 block");

#endif
