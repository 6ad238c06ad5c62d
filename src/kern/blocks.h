// Block formats of quantised weights, byte for byte as GGUF files hold them (little endian).
//
// A block is a run of consecutive elements of one row that share their scales. The structs mirror
// the file; nothing is padded, and every member's alignment divides 2, so a row may start at any
// even address. Quantised values below are written q, the value they stand for w. Scales are
// IEEE half precision bits (half.h). Types with codebooks, ternary types and 4-bit floats are in
// blocks_iq.h.
#ifndef HEARTH_KERN_BLOCKS_H
#define HEARTH_KERN_BLOCKS_H

#include "defs/defs.h"

enum { QK_32 = 32, QK_256 = 256 }; // elements of a small and of a large block

// Q4_0, 32 elements: w[i] = d * (q[i] - 8)
//   byte 0   2                      18
//        | d | qs[16]                |   qs[j]: low nibble q[j], high nibble q[j + 16]
typedef struct block_q4_0 {
    uint16_t d;
    uint8_t qs[QK_32 / 2];
} block_q4_0;
STATIC_ASSERT(sizeof(block_q4_0) == 18, "Q4_0 block");

// Q4_1, 32 elements: w[i] = d * q[i] + m
//   byte 0   2   4                      20
//        | d | m | qs[16]                |   qs as in Q4_0
typedef struct block_q4_1 {
    uint16_t d;
    uint16_t m;
    uint8_t qs[QK_32 / 2];
} block_q4_1;
STATIC_ASSERT(sizeof(block_q4_1) == 20, "Q4_1 block");

// Q5_0, 32 elements: w[i] = d * (q[i] - 16)
//   byte 0   2       6                      22
//        | d | qh[4] | qs[16]                |   qs: bits 3-0 as in Q4_0
// qh, a 32-bit number: its bit i is bit 4 of q[i].
typedef struct block_q5_0 {
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[QK_32 / 2];
} block_q5_0;
STATIC_ASSERT(sizeof(block_q5_0) == 22, "Q5_0 block");

// Q5_1, 32 elements: w[i] = d * q[i] + m
//   byte 0   2   4       8                      24
//        | d | m | qh[4] | qs[16]                |   as in Q5_0
typedef struct block_q5_1 {
    uint16_t d;
    uint16_t m;
    uint8_t qh[4];
    uint8_t qs[QK_32 / 2];
} block_q5_1;
STATIC_ASSERT(sizeof(block_q5_1) == 24, "Q5_1 block");

// Q8_0, 32 elements: w[i] = d * q[i], q any int8
//   byte 0   2                      34
//        | d | qs[32]                |
typedef struct block_q8_0 {
    uint16_t d;
    int8_t qs[QK_32];
} block_q8_0;
STATIC_ASSERT(sizeof(block_q8_0) == 34, "Q8_0 block");

// Q8_1, 32 elements: w[i] = d * q[i]. A format of activations, no published file has it.
//   byte 0   2   4                      36
//        | d | s | qs[32]                |   s = d * sum(q), not needed to decode
typedef struct block_q8_1 {
    uint16_t d;
    uint16_t s;
    int8_t qs[QK_32];
} block_q8_1;
STATIC_ASSERT(sizeof(block_q8_1) == 36, "Q8_1 block");

// Q2_K, 256 elements in 16 groups of 16: w[i] = d * sc[g] * q[i] - dmin * m[g], g = i / 16
//   byte 0            16                          80  82     84
//        | scales[16] | qs[64]                     | d | dmin |
// scales: sc in the low, m in the high nibble. qs: two halves of 128 elements with 32 bytes each;
// byte l of a half holds its elements l, l + 32, l + 64, l + 96 in bits 1-0, 3-2, 5-4, 7-6.
typedef struct block_q2_k {
    uint8_t scales[QK_256 / 16];
    uint8_t qs[QK_256 / 4];
    uint16_t d;
    uint16_t dmin;
} block_q2_k;
STATIC_ASSERT(sizeof(block_q2_k) == 84, "Q2_K block");

// Q3_K, 256 elements in 16 groups of 16: w[i] = d * (sc[i / 16] - 32) * (q[i] - 4)
//   byte 0           32                         96           108 110
//        | hmask[32] | qs[64]                    | scales[12] | d |
// qs: bits 1-0 as in Q2_K. hmask: byte l has bit 2 of elements l, l + 32 ... in its bits 0, 1 ...
// scales: sixteen 6-bit sc:
//   bytes 0-7   [sc8+j bits 3-0 | sc_j bits 3-0]                                  j = 0..7
//   bytes 8-11  [sc12+j bits 5-4 | sc8+j bits 5-4 | sc4+j bits 5-4 | sc_j bits 5-4]   j = 0..3
typedef struct block_q3_k {
    uint8_t hmask[QK_256 / 8];
    uint8_t qs[QK_256 / 4];
    uint8_t scales[12];
    uint16_t d;
} block_q3_k;
STATIC_ASSERT(sizeof(block_q3_k) == 110, "Q3_K block");

// Q4_K, 256 elements in 8 groups of 32: w[i] = d * sc[g] * q[i] - dmin * m[g], g = i / 32
//   byte 0   2      4            16                              144
//        | d | dmin | scales[12] | qs[128]                        |
// qs: four runs of 32 bytes; run c holds group 2c in its low and group 2c + 1 in its high nibbles.
// scales: eight 6-bit sc and eight 6-bit m:
//   bytes 0-3   [sc4+j bits 5-4 | sc_j  bits 5-0]   j = 0..3
//   bytes 4-7   [m4+j  bits 5-4 | m_j   bits 5-0]
//   bytes 8-11  [m4+j  bits 3-0 | sc4+j bits 3-0]
typedef struct block_q4_k {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t qs[QK_256 / 2];
} block_q4_k;
STATIC_ASSERT(sizeof(block_q4_k) == 144, "Q4_K block");

// Q5_K, 256 elements in 8 groups of 32: w[i] as in Q4_K
//   byte 0   2      4            16        48                              176
//        | d | dmin | scales[12] | qh[32]  | qs[128]                        |
// scales and qs (bits 3-0) as in Q4_K. qh: byte l has bit 4 of elements l, l + 32 ... in bits 0 ...
typedef struct block_q5_k {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t qh[QK_256 / 8];
    uint8_t qs[QK_256 / 2];
} block_q5_k;
STATIC_ASSERT(sizeof(block_q5_k) == 176, "Q5_K block");

// Q6_K, 256 elements in 16 groups of 16: w[i] = d * sc[i / 16] * (q[i] - 32), sc any int8
//   byte 0         128      192         208  210
//        | ql[128] | qh[64] | scales[16] | d |
// Two halves of 128 elements; half h owns ql[64 h ..] and qh[32 h ..]. For l = 0..31:
//   element  l        ql[l]      low nibble,  qh[l] bits 1-0 above it
//   element  l + 32   ql[l + 32] low nibble,  qh[l] bits 3-2
//   element  l + 64   ql[l]      high nibble, qh[l] bits 5-4
//   element  l + 96   ql[l + 32] high nibble, qh[l] bits 7-6
typedef struct block_q6_k {
    uint8_t ql[QK_256 / 2];
    uint8_t qh[QK_256 / 4];
    int8_t scales[QK_256 / 16];
    uint16_t d;
} block_q6_k;
STATIC_ASSERT(sizeof(block_q6_k) == 210, "Q6_K block");

// Q8_K, 256 elements: w[i] = d * q[i]. A format of activations, no published file has it.
//   byte 0   4                 260              292
//        | d | qs[256]         | sums[16]        |
// d is float32 bits, the lower half first; sums (int16, of 16 elements each) are not needed here.
typedef struct block_q8_k {
    uint16_t d[2];
    int8_t qs[QK_256];
    int16_t sums[QK_256 / 16];
} block_q8_k;
STATIC_ASSERT(sizeof(block_q8_k) == 292, "Q8_K block");

// The eight scales and minima of a Q4_K or Q5_K block.
static inline void unpack_q4_k_scales(const uint8_t s[12], uint8_t sc[8], uint8_t m[8])
{
    for (int j = 0; j < 4; j++) {
        sc[j] = s[j] & 63;
        m[j] = s[j + 4] & 63;
        sc[j + 4] = (uint8_t)((s[j + 8] & 15) | (s[j] >> 6) << 4);
        m[j + 4] = (uint8_t)(s[j + 8] >> 4 | (s[j + 4] >> 6) << 4);
    }
}

// The values q - 32 of a Q6_K block in element order.
static inline void unpack_q6_k(const block_q6_k *b, int8_t q[QK_256])
{
    for (int i = 0; i < QK_256; i++) {
        int half = i / 128, quarter = i % 128 / 32, l = i % 32;
        int low = b->ql[half * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15;
        int high = b->qh[half * 32 + l] >> (quarter * 2) & 3;
        q[i] = (int8_t)((high << 4 | low) - 32);
    }
}

#endif
