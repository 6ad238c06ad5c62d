// Reference: packed activations, row after row.
//
//   ACT_F32     k floats per token
//   ACT_Q8_32   k / 32 records of ref_q8_32 per token
//   ACT_Q8_256  k / 256 records of ref_q8_256 per token
#include "kern/act_group.h"
#include "kern/kern_int.h"
#include "kern/ref/act_ref.h"

static size_t round_64(int64_t bytes)
{
    return align_up((size_t)bytes, 64);
}

static size_t bytes_f32(int64_t k, int64_t n_tok)
{
    return round_64(k * n_tok * (int64_t)sizeof(float));
}

static size_t bytes_q8_32(int64_t k, int64_t n_tok)
{
    return round_64(k / 32 * n_tok * (int64_t)sizeof(ref_q8_32));
}

static size_t bytes_q8_256(int64_t k, int64_t n_tok)
{
    return round_64(k / 256 * n_tok * (int64_t)sizeof(ref_q8_256));
}

static void pack_f32(const float *x, size_t x_stride, int64_t k, int64_t n_tok, int64_t t0,
                     int64_t t1, void *out)
{
    (void)n_tok;
    for (int64_t t = t0; t < t1; t++)
        memcpy((float *)out + t * k, x + (size_t)t * x_stride, (size_t)k * sizeof(float));
}

static float quant_group(const float *x, int n, int8_t *q)
{
    act_scale s = act_scale_of(act_amax_bits(x, n));
    for (int i = 0; i < n; i++) q[i] = act_quant(x[i], s.inv);
    return s.d;
}

static void pack_q8_32(const float *x, size_t x_stride, int64_t k, int64_t n_tok, int64_t t0,
                       int64_t t1, void *out)
{
    (void)n_tok;
    for (int64_t t = t0; t < t1; t++) {
        const float *row = x + (size_t)t * x_stride;
        ref_q8_32 *a = (ref_q8_32 *)out + t * (k / 32);
        for (int64_t g = 0; g < k / 32; g++) a[g].d = quant_group(row + g * 32, 32, a[g].q);
    }
}

static void pack_q8_256(const float *x, size_t x_stride, int64_t k, int64_t n_tok, int64_t t0,
                        int64_t t1, void *out)
{
    (void)n_tok;
    for (int64_t t = t0; t < t1; t++) {
        const float *row = x + (size_t)t * x_stride;
        ref_q8_256 *a = (ref_q8_256 *)out + t * (k / 256);
        for (int64_t g = 0; g < k / 256; g++) a[g].d = quant_group(row + g * 256, 256, a[g].q);
    }
}

void kern_fill_ref_act(kern *k)
{
    k->act_bytes[ACT_F32] = bytes_f32;
    k->act_bytes[ACT_Q8_32] = bytes_q8_32;
    k->act_bytes[ACT_Q8_256] = bytes_q8_256;
    k->act_pack[ACT_F32] = pack_f32;
    k->act_pack[ACT_Q8_32] = pack_q8_32;
    k->act_pack[ACT_Q8_256] = pack_q8_256;
}
