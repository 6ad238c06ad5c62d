// Reference: weights to floats, for plain types and those with integer products (the others are in
// decoded_ref.c). Formats are drawn in blocks.h.
//
// Every product of two scales (11 + 6 or 11 + 8 significant bits) is exact in a float, so each
// element sees one rounding at most, whatever the order: all instruction sets give the same bits.
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/kern_int.h"

static void dequant_f32(const void *src, float *dst, int64_t n)
{
    memcpy(dst, src, (size_t)n * sizeof(float));
}

static void dequant_f16(const void *src, float *dst, int64_t n)
{
    const uint16_t *w = src;
    for (int64_t i = 0; i < n; i++) dst[i] = f16_to_f32(w[i]);
}

static void dequant_bf16(const void *src, float *dst, int64_t n)
{
    const uint16_t *w = src;
    for (int64_t i = 0; i < n; i++) dst[i] = bf16_to_f32(w[i]);
}

// Rounded to nearest where a float has too few bits.
#define DEQUANT_NUMBERS(name, type)                                                                \
    static void dequant_##name(const void *src, float *dst, int64_t n)                             \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++) dst[i] = (float)((const type *)src)[i];                    \
    }
DEQUANT_NUMBERS(i8, int8_t)
DEQUANT_NUMBERS(i16, int16_t)
DEQUANT_NUMBERS(i32, int32_t)
DEQUANT_NUMBERS(i64, int64_t)
DEQUANT_NUMBERS(f64, double)

static void dequant_q4_0(const void *src, float *dst, int64_t n)
{
    const block_q4_0 *b = src;
    for (; n > 0; n -= QK_32, b++, dst += QK_32) {
        float d = f16_to_f32(b->d);
        for (int j = 0; j < QK_32 / 2; j++) {
            dst[j] = d * (float)((b->qs[j] & 15) - 8);
            dst[j + QK_32 / 2] = d * (float)((b->qs[j] >> 4) - 8);
        }
    }
}

static void dequant_q8_0(const void *src, float *dst, int64_t n)
{
    const block_q8_0 *b = src;
    for (; n > 0; n -= QK_32, b++, dst += QK_32) {
        float d = f16_to_f32(b->d);
        for (int j = 0; j < QK_32; j++) dst[j] = d * (float)b->qs[j];
    }
}

static void dequant_q4_k(const void *src, float *dst, int64_t n)
{
    const block_q4_k *b = src;
    for (; n > 0; n -= QK_256, b++, dst += QK_256) {
        float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
        uint8_t sc[8], m[8];
        unpack_q4_k_scales(b->scales, sc, m);
        for (int i = 0; i < QK_256; i++) {
            int g = i / 32, byte = b->qs[g / 2 * 32 + i % 32];
            int q = g % 2 ? byte >> 4 : byte & 15;
            dst[i] = d * (float)sc[g] * (float)q - dmin * (float)m[g];
        }
    }
}

static void dequant_q6_k(const void *src, float *dst, int64_t n)
{
    const block_q6_k *b = src;
    for (; n > 0; n -= QK_256, b++, dst += QK_256) {
        float d = f16_to_f32(b->d);
        int8_t q[QK_256];
        unpack_q6_k(b, q);
        for (int i = 0; i < QK_256; i++) dst[i] = d * (float)b->scales[i / 16] * (float)q[i];
    }
}

void kern_fill_ref_dequant(kern *k)
{
    k->dequant[DTYPE_F32] = dequant_f32;
    k->dequant[DTYPE_F16] = dequant_f16;
    k->dequant[DTYPE_BF16] = dequant_bf16;
    k->dequant[DTYPE_I8] = dequant_i8;
    k->dequant[DTYPE_I16] = dequant_i16;
    k->dequant[DTYPE_I32] = dequant_i32;
    k->dequant[DTYPE_I64] = dequant_i64;
    k->dequant[DTYPE_F64] = dequant_f64;
    k->dequant[DTYPE_Q4_0] = dequant_q4_0;
    k->dequant[DTYPE_Q8_0] = dequant_q8_0;
    k->dequant[DTYPE_Q4_K] = dequant_q4_k;
    k->dequant[DTYPE_Q6_K] = dequant_q6_k;
}
