// Strided walks over several operands. See op.h.
//
// Dimensions of length 1 vanish and neighbours are merged where every operand's outer stride is
// its inner stride times the inner length, so that the usual cases (same shapes, a scalar, a bias
// along the last axis) become one or two long rows whatever the rank.
#include "graph/op/op.h"

#include <string.h>

void strides_of(const tensor *t, int64_t *stride)
{
    int64_t step = 1;
    for (int d = t->n_dims - 1; d >= 0; d--) {
        stride[d] = step;
        step *= t->dim[d];
    }
}

void strides_broadcast(const tensor *t, const tensor *to, int64_t *stride)
{
    int64_t own[MAX_DIMS];
    int shift = to->n_dims - t->n_dims;
    strides_of(t, own);
    for (int d = 0; d < to->n_dims; d++) {
        stride[d] = d < shift || t->dim[d - shift] == 1 ? 0 : own[d - shift];
    }
}

static bool merges(const walk *w, int last, const int64_t stride[][MAX_DIMS], int d, int64_t dim)
{
    for (int i = 0; i < w->n_operands; i++) {
        if (w->stride[i][last] != stride[i][d] * dim) return false;
    }
    return true;
}

void walk_init(walk *w, int n_dims, const int64_t *dim, int n_operands,
               const int64_t stride[][MAX_DIMS])
{
    memset(w, 0, sizeof *w);
    w->n_operands = n_operands;
    w->row = 1;
    int n = 0;
    for (int d = 0; d < n_dims; d++) {
        if (dim[d] == 0) w->done = true;
        if (dim[d] == 1) continue;
        bool merged = n > 0 && merges(w, n - 1, stride, d, dim[d]);
        if (!merged) n++;
        w->dim[n - 1] = merged ? w->dim[n - 1] * dim[d] : dim[d];
        for (int i = 0; i < n_operands; i++) w->stride[i][n - 1] = stride[i][d];
    }
    if (n == 0) return;
    w->n_dims = n - 1;
    w->row = w->dim[n - 1];
    for (int i = 0; i < n_operands; i++) w->row_stride[i] = w->stride[i][n - 1];
}

void walk_next(walk *w)
{
    for (int d = w->n_dims - 1; d >= 0; d--) {
        for (int i = 0; i < w->n_operands; i++) w->offset[i] += w->stride[i][d];
        if (++w->at[d] < w->dim[d]) return;
        for (int i = 0; i < w->n_operands; i++) w->offset[i] -= w->stride[i][d] * w->dim[d];
        w->at[d] = 0;
    }
    w->done = true;
}

#define COPY_ROW(type)                                                               \
    do {                                                                             \
        type *to = dst;                                                              \
        const type *from = src;                                                      \
        for (int64_t i = 0; i < n; i++) to[i] = from[i * stride];                    \
    } while (0)

static void copy_row(void *dst, const void *src, size_t size, int64_t n, int64_t stride)
{
    if (stride == 1) {
        memcpy(dst, src, (size_t)n * size);
        return;
    }
    switch (size) {
    case 1: COPY_ROW(uint8_t); break;
    case 2: COPY_ROW(uint16_t); break;
    case 4: COPY_ROW(uint32_t); break;
    case 8: COPY_ROW(uint64_t); break;
    default:
        for (int64_t i = 0; i < n; i++) {
            memcpy(byte_at(dst, i, size), (const char *)src + i * stride * (int64_t)size, size);
        }
    }
}

void copy_strided(void *dst, const void *src, size_t size, int n_dims, const int64_t *dim,
                  const int64_t *stride)
{
    walk w;
    int64_t strides[1][MAX_DIMS];
    for (int d = 0; d < n_dims; d++) strides[0][d] = stride[d];
    walk_init(&w, n_dims, dim, 1, (const int64_t(*)[MAX_DIMS])strides);
    for (char *to = dst; !w.done; walk_next(&w), to += (size_t)w.row * size) {
        const char *from = (const char *)src + w.offset[0] * (int64_t)size;
        copy_row(to, from, size, w.row, w.row_stride[0]);
    }
}
