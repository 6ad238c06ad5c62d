// Reference: weights times packed activations, one dot product per output.
//
// Reduction order, for every type: one float accumulator per output, starting at 0; the groups of
// the activations (single elements for ACT_F32) are added in ascending order, each with a rounded
// product and a rounded sum. Inside a group everything is integer and exact:
//   Q4_0, Q8_0   acc += (d * a.d) * sum(q * a.q)                  |sum| <= 32 * 128 * 127
//   Q4_K         acc += a.d * (d * sum(sc q a.q) - dmin * sum(m a.q))
//                  |sum(sc q a.q)| <= 256 * 63 * 15 * 127 < 2^25, the other is smaller
//   Q6_K         acc += (d * a.d) * sum(sc (q - 32) a.q)       |sum| <= 256 * 128 * 32 * 127 < 2^28
#include "kern/blocks.h"
#include "kern/half.h"
#include "kern/kern_int.h"
#include "kern/ref/act_ref.h"

// Token `t` of packed activations whose rows hold n records.
#define ACT_ROW(type, x, n, t) ((const type *)(x) + (t) * (n))

typedef float dot_fn(const void *w, const void *x, int64_t t, int64_t k);

static float dot_f32(const void *w, const void *x, int64_t t, int64_t k)
{
    const float *a = w, *b = ACT_ROW(float, x, k, t);
    float acc = 0.0f;
    for (int64_t i = 0; i < k; i++) acc += a[i] * b[i];
    return acc;
}

static float dot_f16(const void *w, const void *x, int64_t t, int64_t k)
{
    const uint16_t *a = w;
    const float *b = ACT_ROW(float, x, k, t);
    float acc = 0.0f;
    for (int64_t i = 0; i < k; i++) acc += f16_to_f32(a[i]) * b[i];
    return acc;
}

static float dot_bf16(const void *w, const void *x, int64_t t, int64_t k)
{
    const uint16_t *a = w;
    const float *b = ACT_ROW(float, x, k, t);
    float acc = 0.0f;
    for (int64_t i = 0; i < k; i++) acc += bf16_to_f32(a[i]) * b[i];
    return acc;
}

static float dot_q4_0(const void *w, const void *x, int64_t t, int64_t k)
{
    const block_q4_0 *b = w;
    const ref_q8_32 *a = ACT_ROW(ref_q8_32, x, k / QK_32, t);
    float acc = 0.0f;
    for (int64_t i = 0; i < k / QK_32; i++) {
        int32_t sum = 0;
        for (int j = 0; j < 16; j++) {
            sum += ((b[i].qs[j] & 15) - 8) * a[i].q[j];
            sum += ((b[i].qs[j] >> 4) - 8) * a[i].q[j + 16];
        }
        acc += f16_to_f32(b[i].d) * a[i].d * (float)sum;
    }
    return acc;
}

static float dot_q8_0(const void *w, const void *x, int64_t t, int64_t k)
{
    const block_q8_0 *b = w;
    const ref_q8_32 *a = ACT_ROW(ref_q8_32, x, k / QK_32, t);
    float acc = 0.0f;
    for (int64_t i = 0; i < k / QK_32; i++) {
        int32_t sum = 0;
        for (int j = 0; j < QK_32; j++) sum += b[i].qs[j] * a[i].q[j];
        acc += f16_to_f32(b[i].d) * a[i].d * (float)sum;
    }
    return acc;
}

static float dot_q4_k(const void *w, const void *x, int64_t t, int64_t k)
{
    const block_q4_k *b = w;
    const ref_q8_256 *a = ACT_ROW(ref_q8_256, x, k / QK_256, t);
    float acc = 0.0f;
    for (int64_t i = 0; i < k / QK_256; i++) {
        uint8_t sc[8], m[8];
        unpack_q4_k_scales(b[i].scales, sc, m);
        int32_t sum = 0, min_sum = 0;
        for (int j = 0; j < QK_256; j++) {
            int g = j / 32, byte = b[i].qs[g / 2 * 32 + j % 32];
            int q = g % 2 ? byte >> 4 : byte & 15;
            sum += sc[g] * q * a[i].q[j];
            min_sum += m[g] * a[i].q[j];
        }
        float d = f16_to_f32(b[i].d), dmin = f16_to_f32(b[i].dmin);
        acc += a[i].d * (d * (float)sum - dmin * (float)min_sum);
    }
    return acc;
}

static float dot_q6_k(const void *w, const void *x, int64_t t, int64_t k)
{
    const block_q6_k *b = w;
    const ref_q8_256 *a = ACT_ROW(ref_q8_256, x, k / QK_256, t);
    float acc = 0.0f;
    for (int64_t i = 0; i < k / QK_256; i++) {
        int8_t q[QK_256];
        unpack_q6_k(&b[i], q);
        int32_t sum = 0;
        for (int j = 0; j < QK_256; j++) sum += b[i].scales[j / 16] * q[j] * a[i].q[j];
        acc += f16_to_f32(b[i].d) * a[i].d * (float)sum;
    }
    return acc;
}

static inline void multiply(dot_fn *dot, const void *w, size_t w_stride, int64_t n_rows,
                            const void *x, int64_t n_tok, int64_t k, float *y, size_t y_stride)
{
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t t = 0; t < n_tok; t++)
            y[(size_t)t * y_stride + (size_t)r] =
                dot((const char *)w + (size_t)r * w_stride, x, t, k);
}

#define MATMUL(type)                                                                          \
    static void matmul_##type(const void *w, size_t w_stride, int64_t n_rows, const void *x,  \
                              int64_t n_tok, int64_t k, float *y, size_t y_stride)            \
    {                                                                                         \
        multiply(dot_##type, w, w_stride, n_rows, x, n_tok, k, y, y_stride);                  \
    }
MATMUL(f32)
MATMUL(f16)
MATMUL(bf16)
MATMUL(q4_0)
MATMUL(q8_0)
MATMUL(q4_k)
MATMUL(q6_k)

void kern_fill_ref_matmul(kern *k)
{
    k->matmul[DTYPE_F32] = matmul_f32;
    k->matmul[DTYPE_F16] = matmul_f16;
    k->matmul[DTYPE_BF16] = matmul_bf16;
    k->matmul[DTYPE_Q4_0] = matmul_q4_0;
    k->matmul[DTYPE_Q8_0] = matmul_q8_0;
    k->matmul[DTYPE_Q4_K] = matmul_q4_k;
    k->matmul[DTYPE_Q6_K] = matmul_q6_k;
}
