// See check_weights.h.
#include "check/check_weights.h"

#include "kern/blocks.h"
#include "kern/half.h"
#include "support/block_scale.h"

#include <math.h>
#include <stdlib.h>

const dtype weight_types[WEIGHT_TYPES] = {
    DTYPE_F32,   DTYPE_F16,    DTYPE_BF16,    DTYPE_Q4_0,   DTYPE_Q8_0,  DTYPE_Q4_K,
    DTYPE_Q6_K,  DTYPE_Q4_1,   DTYPE_Q5_0,    DTYPE_Q5_1,   DTYPE_Q8_1,  DTYPE_Q2_K,
    DTYPE_Q3_K,  DTYPE_Q5_K,   DTYPE_Q8_K,    DTYPE_IQ2_XXS, DTYPE_IQ2_XS, DTYPE_IQ2_S,
    DTYPE_IQ3_XXS, DTYPE_IQ3_S, DTYPE_IQ1_S,  DTYPE_IQ1_M,  DTYPE_IQ4_NL, DTYPE_IQ4_XS,
    DTYPE_TQ1_0, DTYPE_TQ2_0,  DTYPE_MXFP4,   DTYPE_NVFP4,  DTYPE_Q1_0,  DTYPE_Q2_0};
const char *const weight_fill_names[WEIGHT_FILL_COUNT] = {"min", "max", "alternating", "sparse",
                                                          "random"};

// One byte of codes: `lo` and `hi` are the bytes of the extremes, `zero` that of no weight at all.
static uint8_t code_byte(weight_fill f, int i, uint8_t lo, uint8_t hi, uint8_t zero)
{
    switch (f) {
    case WEIGHT_MIN: return lo;
    case WEIGHT_MAX: return hi;
    case WEIGHT_ALTERNATING: return i % 2 ? lo : hi;
    case WEIGHT_SPARSE: return check_random() % 16 ? zero : (uint8_t)check_random();
    default: return (uint8_t)check_random();
    }
}

static void fill_codes(void *p, int n, weight_fill f, uint8_t lo, uint8_t hi, uint8_t zero)
{
    for (int i = 0; i < n; i++) ((uint8_t *)p)[i] = code_byte(f, i, lo, hi, zero);
}

static uint16_t random_scale(weight_fill f)
{
    return f32_to_f16(f <= WEIGHT_ALTERNATING ? 1.0f : check_uniform(-2.0f, 2.0f));
}

static void fill_block(dtype t, void *p, weight_fill f)
{
    if (t == DTYPE_Q4_0) {
        block_q4_0 *b = p;
        b->d = random_scale(f);
        fill_codes(b->qs, sizeof b->qs, f, 0x00, 0xFF, 0x88);
    } else if (t == DTYPE_Q8_0) {
        block_q8_0 *b = p;
        b->d = random_scale(f);
        fill_codes(b->qs, sizeof b->qs, f, 0x80, 0x7F, 0x00);
    } else if (t == DTYPE_Q4_K) {
        block_q4_k *b = p;
        b->d = random_scale(f);
        b->dmin = random_scale(f);
        fill_codes(b->scales, sizeof b->scales, f, 0xFF, 0xFF, 0x00);
        fill_codes(b->qs, sizeof b->qs, f, 0x00, 0xFF, 0x00);
    } else if (t != DTYPE_Q6_K) {
        fill_codes(p, dtype_get(t)->block_bytes, f, 0x00, 0xFF, 0x00);
        block_scale_put(t, f <= WEIGHT_ALTERNATING ? 1.0f : check_uniform(-2.0f, 2.0f), p);
    } else {
        block_q6_k *b = p;
        b->d = random_scale(f);
        fill_codes(b->ql, sizeof b->ql, f, 0x00, 0xFF, 0x00);
        fill_codes(b->qh, sizeof b->qh, f, 0x00, 0xFF, 0xAA);
        fill_codes(b->scales, sizeof b->scales, f, 0x80, 0x80, 0x01);
    }
}

static void fill_plain(dtype t, void *p, int64_t n, weight_fill f)
{
    static const fill fills[WEIGHT_FILL_COUNT] = {FILL_MIN, FILL_MAX, FILL_ALTERNATING, FILL_SPARSE,
                                                  FILL_RANDOM};
    float *x = malloc((size_t)n * sizeof *x + 1);
    check_fill(x, n, fills[f]);
    for (int64_t i = 0; i < n; i++) {
        if (t == DTYPE_F32) ((float *)p)[i] = x[i];
        if (t == DTYPE_F16) ((uint16_t *)p)[i] = f32_to_f16(x[i]);
        if (t == DTYPE_BF16) ((uint16_t *)p)[i] = f32_to_bf16(x[i]);
    }
    free(x);
}

void weights_fill(dtype t, void *p, int64_t n, weight_fill f)
{
    const dtype_info *info = dtype_get(t);
    if (!info->is_quantized) {
        fill_plain(t, p, n, f);
        return;
    }
    for (int64_t i = 0; i < n / info->block_len; i++)
        fill_block(t, (char *)p + i * info->block_bytes, f);
}

void weights_to_double(const kern *ref, dtype t, const void *p, int64_t n, double *value,
                       double *magnitude)
{
    float *x = malloc((size_t)n * sizeof *x + 1);
    ref->dequant[t](p, x, n);
    for (int64_t i = 0; i < n; i++) {
        value[i] = (double)x[i];
        magnitude[i] = fabs((double)x[i]);
    }
    // |d| sc q - (-|dmin|) m is the sum of both parts.
    for (int64_t i = 0; t == DTYPE_Q4_K && i < n / QK_256; i++) {
        block_q4_k b = ((const block_q4_k *)p)[i];
        b.d &= 0x7FFF;
        b.dmin |= 0x8000;
        ref->dequant[t](&b, x, QK_256);
        for (int j = 0; j < QK_256; j++) magnitude[i * QK_256 + j] = (double)x[j];
    }
    free(x);
}

size_t weight_bytes(dtype t, int64_t n)
{
    const dtype_info *info = dtype_get(t);
    return (size_t)(n / info->block_len) * info->block_bytes;
}

int64_t weight_group(dtype t)
{
    static const int64_t groups[ACT_COUNT] = {1, 32, 256};
    return i64_max(groups[kern_act_kind(t)], dtype_get(t)->block_len);
}
