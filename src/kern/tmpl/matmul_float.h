// Products of F32, F16 and BF16 weights with ACT_F32 activations (rows of k floats, as the
// reference packs them), over the vector vocabulary of the including file.
//
// Reduction order of an output: one vector of V_N partial sums over ascending k, fused, the last
// partial vector padded with zeros, then v_sum. Tiles only decide which outputs are under way
// together, so every tile gives the same bits. Blocks of ROW_BLOCK weight rows stay in the second
// level cache while the tokens pass.
#ifndef HEARTH_KERN_TMPL_MATMUL_FLOAT_H
#define HEARTH_KERN_TMPL_MATMUL_FLOAT_H

#include "kern/kern_int.h"
#include "kern/tmpl/loads.h"

enum { ROW_BLOCK = 32, TILE_MAX = 8 }; // of rows or tokens

// n_r x n_t outputs at y; constants wherever this is inlined.
ATTR_INLINE void float_tile(loader load, int n_r, int n_t, const char *w, size_t w_stride,
                            const float *x, int64_t k, float *y, size_t y_stride)
{
    vf acc[TILE_MAX][TILE_MAX], b[TILE_MAX];
    for (int r = 0; r < n_r; r++)
        for (int t = 0; t < n_t; t++) acc[r][t] = v_set1(0.0f);
    int64_t i = 0;
    for (; i + V_N <= k; i += V_N) {
        for (int t = 0; t < n_t; t++) b[t] = v_load(x + t * k + i);
        for (int r = 0; r < n_r; r++) {
            vf a = load.full(w + (size_t)r * w_stride, i);
            for (int t = 0; t < n_t; t++) acc[r][t] = v_fma(a, b[t], acc[r][t]);
        }
    }
    if (i < k) {
        for (int t = 0; t < n_t; t++) b[t] = v_load_n(x + t * k + i, k - i);
        for (int r = 0; r < n_r; r++) {
            vf a = load.part(w + (size_t)r * w_stride, i, k - i);
            for (int t = 0; t < n_t; t++) acc[r][t] = v_fma(a, b[t], acc[r][t]);
        }
    }
    for (int r = 0; r < n_r; r++)
        for (int t = 0; t < n_t; t++) y[(size_t)t * y_stride + (size_t)r] = v_sum(acc[r][t]);
}

// n_t tokens with rows [0, n_rows), rows_at_once at a time.
ATTR_INLINE void float_strip(loader load, int rows_at_once, int n_t, const char *w,
                             size_t w_stride, int64_t n_rows, const float *x, int64_t k, float *y,
                             size_t y_stride)
{
    int64_t r = 0;
    for (; r + rows_at_once <= n_rows; r += rows_at_once)
        float_tile(load, rows_at_once, n_t, w + (size_t)r * w_stride, w_stride, x, k, y + r,
                   y_stride);
    for (; r < n_rows; r++)
        float_tile(load, 1, n_t, w + (size_t)r * w_stride, w_stride, x, k, y + r, y_stride);
}

ATTR_INLINE void float_product(loader load, const void *w, size_t w_stride, int64_t n_rows,
                               const void *x, int64_t n_tok, int64_t k, float *y, size_t y_stride)
{
    for (int64_t r0 = 0; r0 < n_rows; r0 += ROW_BLOCK) {
        const char *wr = (const char *)w + (size_t)r0 * w_stride;
        int64_t n = i64_min(ROW_BLOCK, n_rows - r0), t = 0;
        for (; t + V_TILE_TOKENS <= n_tok; t += V_TILE_TOKENS)
            float_strip(load, V_TILE_ROWS, V_TILE_TOKENS, wr, w_stride, n, (const float *)x + t * k,
                        k, y + (size_t)t * y_stride + r0, y_stride);
        for (; t < n_tok; t++)
            float_strip(load, TILE_MAX, 1, wr, w_stride, n, (const float *)x + t * k, k,
                        y + (size_t)t * y_stride + r0, y_stride);
    }
}

#define MATMUL_FLOAT(type)                                                                        \
    static void matmul_##type(const void *w, size_t w_stride, int64_t n_rows, const void *x,      \
                              int64_t n_tok, int64_t k, float *y, size_t y_stride)                \
    {                                                                                             \
        float_product(LOADER(type), w, w_stride, n_rows, x, n_tok, k, y, y_stride);               \
    }
MATMUL_FLOAT(f32)
MATMUL_FLOAT(f16)
MATMUL_FLOAT(bf16)

static void fill_matmul_float(kern *k)
{
    k->matmul[DTYPE_F32] = matmul_f32;
    k->matmul[DTYPE_F16] = matmul_f16;
    k->matmul[DTYPE_BF16] = matmul_bf16;
}

#endif
