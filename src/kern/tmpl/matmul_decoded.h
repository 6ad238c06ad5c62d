// Products of block types that are decoded to floats with ACT_F32 activations, over the vector
// vocabulary of the including file.
//
// V_TILE_ROWS rows are decoded 256 elements at a time into a strip on the stack, which then meets
// all tokens of a block of TOKEN_BLOCK, so decoding is paid once for many tokens. What the outputs
// have gathered so far waits in memory between strips. Reduction order of an output: one vector of
// V_N partial sums over ascending k, fused, then v_sum, as in matmul_float.h; rows, tokens, strips
// and tiles only decide which outputs are under way together. Block lengths are multiples of V_N:
// there is no partial vector.
#ifndef HEARTH_KERN_TMPL_MATMUL_DECODED_H
#define HEARTH_KERN_TMPL_MATMUL_DECODED_H

#include "kern/decode_iq.h"
#include "kern/kern_int.h"

enum { STRIP = 256, TOKEN_BLOCK = 48 };
STATIC_ASSERT(QK_32 % V_N == 0, "strips are whole vectors");

typedef struct strip_state {
    float w[V_TILE_ROWS][STRIP];
    vf acc[TOKEN_BLOCK][V_TILE_ROWS];
} strip_state;

// Elements [i, i + n) of n_r rows.
static void decode_strip(const decoded_format *f, const char *w, size_t w_stride, int n_r,
                         int64_t i, int64_t n, strip_state *s)
{
    for (int r = 0; r < n_r; r++) {
        const char *block = w + (size_t)r * w_stride + (size_t)(i / f->len) * f->bytes;
        for (int64_t j = 0; j < n; j += f->len, block += f->bytes) f->decode(block, &s->w[r][j]);
    }
}

// n_r x n_t outputs, of which acc has the sums; constants wherever this is inlined.
ATTR_INLINE void add_tile(int n_r, int n_t, const strip_state *s, int64_t n, const float *x,
                          int64_t k, vf (*acc)[V_TILE_ROWS])
{
    vf sum[V_TILE_TOKENS][V_TILE_ROWS], b[V_TILE_TOKENS];
    for (int t = 0; t < n_t; t++)
        for (int r = 0; r < n_r; r++) sum[t][r] = acc[t][r];
    for (int64_t i = 0; i < n; i += V_N) {
        for (int t = 0; t < n_t; t++) b[t] = v_load(x + t * k + i);
        for (int r = 0; r < n_r; r++) {
            vf a = v_load(&s->w[r][i]);
            for (int t = 0; t < n_t; t++) sum[t][r] = v_fma(a, b[t], sum[t][r]);
        }
    }
    for (int t = 0; t < n_t; t++)
        for (int r = 0; r < n_r; r++) acc[t][r] = sum[t][r];
}

ATTR_INLINE void add_strip(int n_r, strip_state *s, int64_t n, const float *x, int64_t n_tok,
                           int64_t k)
{
    int64_t t = 0;
    for (; t + V_TILE_TOKENS <= n_tok; t += V_TILE_TOKENS)
        add_tile(n_r, V_TILE_TOKENS, s, n, x + t * k, k, s->acc + t);
    for (; t < n_tok; t++) add_tile(n_r, 1, s, n, x + t * k, k, s->acc + t);
}

// n_r rows times at most TOKEN_BLOCK tokens.
ATTR_INLINE void multiply_rows(const decoded_format *f, int n_r, const char *w, size_t w_stride,
                               const float *x, int64_t n_tok, int64_t k, float *y, size_t y_stride)
{
    strip_state s;
    for (int64_t t = 0; t < n_tok; t++)
        for (int r = 0; r < n_r; r++) s.acc[t][r] = v_set1(0.0f);
    for (int64_t i = 0; i < k; i += STRIP) {
        int64_t n = i64_min(STRIP, k - i);
        decode_strip(f, w, w_stride, n_r, i, n, &s);
        add_strip(n_r, &s, n, x + i, n_tok, k);
    }
    for (int64_t t = 0; t < n_tok; t++)
        for (int r = 0; r < n_r; r++) y[(size_t)t * y_stride + (size_t)r] = v_sum(s.acc[t][r]);
}

static void multiply_decoded(const decoded_format *f, const void *w, size_t w_stride,
                             int64_t n_rows, const float *x, int64_t n_tok, int64_t k, float *y,
                             size_t y_stride)
{
    for (int64_t t = 0; t < n_tok; t += TOKEN_BLOCK) {
        int64_t n = i64_min(TOKEN_BLOCK, n_tok - t), r = 0;
        const float *xt = x + t * k;
        float *yt = y + (size_t)t * y_stride;
        const char *wr = w;
        for (; r + V_TILE_ROWS <= n_rows; r += V_TILE_ROWS, wr += V_TILE_ROWS * w_stride)
            multiply_rows(f, V_TILE_ROWS, wr, w_stride, xt, n, k, yt + r, y_stride);
        for (; r < n_rows; r++, wr += w_stride)
            multiply_rows(f, 1, wr, w_stride, xt, n, k, yt + r, y_stride);
    }
}

#define MATMUL_DECODED(id, name, len)                                                              \
    static void matmul_##name(const void *w, size_t w_stride, int64_t n_rows, const void *x,       \
                              int64_t n_tok, int64_t k, float *y, size_t y_stride)                 \
    {                                                                                              \
        const decoded_format f = DECODED_FORMAT(name, len);                                        \
        multiply_decoded(&f, w, w_stride, n_rows, x, n_tok, k, y, y_stride);                       \
    }
KERN_DECODED_TYPES(MATMUL_DECODED)

static void fill_matmul_decoded(kern *k)
{
#define FILL_DECODED(id, name, len) k->matmul[DTYPE_##id] = matmul_##name;
    KERN_DECODED_TYPES(FILL_DECODED)
}

#endif
