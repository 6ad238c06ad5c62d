// Reference: the types that are multiplied as floats (decode_iq.h lists them).
//
// A row is decoded block by block into a buffer on the stack. Reduction order: one float
// accumulator per output, starting at 0, elements in ascending order, each with a rounded product
// and a rounded sum, as for F32.
#include "kern/decode_iq.h"
#include "kern/kern_int.h"

static void decode_row(const decoded_format *f, const void *src, float *dst, int64_t n)
{
    const char *block = src;
    for (; n > 0; n -= f->len, block += f->bytes, dst += f->len) f->decode(block, dst);
}

static float dot_row(const decoded_format *f, const char *w, const float *x, int64_t k)
{
    float acc = 0.0f, block[QK_256];
    for (int64_t i = 0; i < k; i += f->len, w += f->bytes) {
        f->decode(w, block);
        for (int j = 0; j < f->len; j++) acc += block[j] * x[i + j];
    }
    return acc;
}

static void multiply(const decoded_format *f, const void *w, size_t w_stride, int64_t n_rows,
                     const void *x, int64_t n_tok, int64_t k, float *y, size_t y_stride)
{
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t t = 0; t < n_tok; t++)
            y[(size_t)t * y_stride + (size_t)r] = dot_row(
                f, (const char *)w + (size_t)r * w_stride, (const float *)x + t * k, k);
}

#define DEFINE_TYPE(id, name, len)                                                                 \
    static void dequant_##name(const void *src, float *dst, int64_t n)                             \
    {                                                                                              \
        const decoded_format f = DECODED_FORMAT(name, len);                                        \
        decode_row(&f, src, dst, n);                                                               \
    }                                                                                              \
    static void matmul_##name(const void *w, size_t w_stride, int64_t n_rows, const void *x,       \
                              int64_t n_tok, int64_t k, float *y, size_t y_stride)                 \
    {                                                                                              \
        const decoded_format f = DECODED_FORMAT(name, len);                                        \
        multiply(&f, w, w_stride, n_rows, x, n_tok, k, y, y_stride);                               \
    }
KERN_DECODED_TYPES(DEFINE_TYPE)

void kern_fill_ref_decoded(kern *k)
{
#define FILL_TYPE(id, name, len)                                                                   \
    k->dequant[DTYPE_##id] = dequant_##name;                                                       \
    k->matmul[DTYPE_##id] = matmul_##name;
    KERN_DECODED_TYPES(FILL_TYPE)
}
