// MatMul and Gemm, over one loop: C[m, n] = A[m, k] B[k, n], row-major with strides.
//
// The order of additions is that of k for every element, so results do not depend on the shape of
// the batch. Rows of B are streamed and a row of C accumulates (in float, as the reference does),
// which vectorises without reordering.
#include "graph/op/product.h"

#include <string.h>

#define MULTIPLY(name, type, W)                                                              \
    static void multiply_##name(matrix a, matrix b, type *y, int64_t m, int64_t n, int64_t k) \
    {                                                                                        \
        for (int64_t i = 0; i < m; i++, y += n) {                                            \
            for (int64_t j = 0; j < n; j++) y[j] = 0;                                        \
            for (int64_t l = 0; l < k; l++) {                                                \
                W v = (W)((const type *)a.p)[i * a.row + l * a.col];                         \
                const type *from = (const type *)b.p + l * b.row;                            \
                for (int64_t j = 0; j < n; j++) {                                            \
                    y[j] = (type)((W)y[j] + v * (W)from[j * b.col]);                         \
                }                                                                            \
            }                                                                                \
        }                                                                                    \
    }
MULTIPLY(f32, float, float)
MULTIPLY(f64, double, double)
MULTIPLY(i32, int32_t, uint32_t)
MULTIPLY(i64, int64_t, uint64_t)

void op_multiply(elem type, matrix a, matrix b, void *y, int64_t m, int64_t n, int64_t k)
{
    switch (type) {
    case T_F32: multiply_f32(a, b, y, m, n, k); break;
    case T_F64: multiply_f64(a, b, y, m, n, k); break;
    case T_I32: case T_U32: multiply_i32(a, b, y, m, n, k); break;
    default: multiply_i64(a, b, y, m, n, k); break;
    }
}

// --- MatMul: NumPy's, with batches that broadcast ------------------------------------------------

// A vector becomes a matrix: a row on the left, a column on the right.
static tensor as_matrix(const tensor *t, bool is_left)
{
    tensor m = *t;
    if (t->n_dims != 1) return m;
    m.n_dims = 2;
    m.dim[0] = is_left ? 1 : t->dim[0];
    m.dim[1] = is_left ? t->dim[0] : 1;
    return m;
}

static tensor batch_of(const tensor *m)
{
    tensor b = *m;
    b.n_dims = m->n_dims - 2;
    return b;
}

hearth_status matmul_shape(const op_call *c)
{
    tensor a = as_matrix(c->in[0], true), b = as_matrix(c->in[1], false), y = {.type = a.type};
    if (c->in[0]->n_dims < 1 || c->in[1]->n_dims < 1) {
        return op_fail(c, HEARTH_E_FORMAT, "a scalar");
    }
    if (a.dim[a.n_dims - 1] != b.dim[b.n_dims - 2]) {
        return op_fail(c, HEARTH_E_FORMAT, "inner dimensions %lld and %lld",
                       (long long)a.dim[a.n_dims - 1], (long long)b.dim[b.n_dims - 2]);
    }
    tensor ba = batch_of(&a), bb = batch_of(&b);
    const tensor *batches[2] = {&ba, &bb};
    HEARTH_TRY(op_broadcast(c, batches, 2, &y));
    if (c->in[0]->n_dims > 1) y.dim[y.n_dims++] = a.dim[a.n_dims - 2];
    if (c->in[1]->n_dims > 1) y.dim[y.n_dims++] = b.dim[b.n_dims - 1];
    tensor_set(op_out(c, 0), y.type, y.n_dims, y.dim);
    return HEARTH_OK;
}

hearth_status matmul_run(const op_call *c)
{
    tensor a = as_matrix(c->in[0], true), b = as_matrix(c->in[1], false);
    tensor ba = batch_of(&a), bb = batch_of(&b), by = {.n_dims = 0};
    const tensor *batches[2] = {&ba, &bb};
    int64_t m = a.dim[a.n_dims - 2], k = a.dim[a.n_dims - 1], n = b.dim[b.n_dims - 1];
    int64_t strides[2][MAX_DIMS];
    size_t size = elem_bytes(a.type);
    walk w;
    HEARTH_TRY(op_broadcast(c, batches, 2, &by));
    strides_broadcast(&ba, &by, strides[0]);
    strides_broadcast(&bb, &by, strides[1]);
    walk_init(&w, by.n_dims, by.dim, 2, (const int64_t(*)[MAX_DIMS])strides);
    char *y = c->out[0]->data;
    for (; !w.done; walk_next(&w)) {
        for (int64_t i = 0; i < w.row; i++, y += (size_t)(m * n) * size) {
            int64_t ia = w.offset[0] + i * w.row_stride[0], ib = w.offset[1] + i * w.row_stride[1];
            matrix ma = {byte_at(a.data, ia * m * k, size), k, 1};
            matrix mb = {byte_at(b.data, ib * k * n, size), n, 1};
            op_multiply(a.type, ma, mb, y, m, n, k);
        }
    }
    return HEARTH_OK;
}

// --- Gemm: alpha * A' * B' + beta * C ------------------------------------------------------------

typedef struct gemm_params { float alpha, beta; int64_t trans_a, trans_b; } gemm_params;

static hearth_status shape_gemm(const op_call *c)
{
    const gemm_params *p = c->params;
    const tensor *a = c->in[0], *b = c->in[1], *bias = op_in(c, 2);
    if (a->n_dims != 2 || b->n_dims != 2) return op_fail(c, HEARTH_E_FORMAT, "not two matrices");
    int64_t dim[2] = {a->dim[p->trans_a ? 1 : 0], b->dim[p->trans_b ? 0 : 1]};
    if (a->dim[p->trans_a ? 0 : 1] != b->dim[p->trans_b ? 1 : 0]) {
        return op_fail(c, HEARTH_E_FORMAT, "inner dimensions differ");
    }
    tensor y = {.type = a->type}, full;
    tensor_set(&y, a->type, 2, dim);
    if (bias) {
        const tensor *both[2] = {&y, bias};
        full = y;
        HEARTH_TRY(op_broadcast(c, both, 2, &full));
        if (!tensor_same_shape(&full, &y)) {
            return op_fail(c, HEARTH_E_FORMAT, "C is larger than the result");
        }
    }
    tensor_set(op_out(c, 0), a->type, 2, dim);
    return HEARTH_OK;
}

#define FINISH(name, type, W)                                                                \
    static void finish_##name(tensor *y, const tensor *bias, const int64_t *stride,          \
                              const gemm_params *p)                                          \
    {                                                                                        \
        type *to = y->data;                                                                  \
        const type *from = bias ? bias->data : NULL;                                         \
        for (int64_t i = 0; i < y->dim[0]; i++) {                                            \
            for (int64_t j = 0; j < y->dim[1]; j++, to++) {                                  \
                W v = (W)p->alpha * (W)*to;                                                  \
                if (from) v += (W)p->beta * (W)from[i * stride[0] + j * stride[1]];          \
                *to = (type)v;                                                               \
            }                                                                                \
        }                                                                                    \
    }
FINISH(f32, float, float)
FINISH(f64, double, double)

static hearth_status run_gemm(const op_call *c)
{
    const gemm_params *p = c->params;
    const tensor *a = c->in[0], *b = c->in[1], *bias = op_in(c, 2);
    tensor *y = c->out[0];
    matrix ma = {a->data, p->trans_a ? 1 : a->dim[1], p->trans_a ? a->dim[1] : 1};
    matrix mb = {b->data, p->trans_b ? 1 : b->dim[1], p->trans_b ? b->dim[1] : 1};
    int64_t stride[MAX_DIMS] = {0};
    op_multiply(y->type, ma, mb, y->data, y->dim[0], y->dim[1], a->dim[p->trans_a ? 0 : 1]);
    if (bias) strides_broadcast(bias, y, stride);
    if (y->type == T_F32) {
        finish_f32(y, bias, stride, p);
    } else {
        finish_f64(y, bias, stride, p);
    }
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(gemm_params, field)
static const op_attr gemm_attrs[] = {
    {.name = "alpha", .kind = OP_FLOAT, AT(alpha), .def = 1},
    {.name = "beta", .kind = OP_FLOAT, AT(beta), .def = 1},
    {.name = "transA", .kind = OP_INT, AT(trans_a)},
    {.name = "transB", .kind = OP_INT, AT(trans_b)},
    {.name = "broadcast", .kind = OP_IGNORED}, // before opset 7; C always does
};
static const graph_op matmul_ops[] = {
    {.name = "MatMul", .since = 1, .in = "TT", .n_out = 1,
     .types = TS_FLOAT | BIT(T_I32) | BIT(T_I64) | BIT(T_U32) | BIT(T_U64), .flags = OP_WIDEN,
     .shape = matmul_shape, .run = matmul_run},
    {.name = "Gemm", .since = 1, .in = "TTT?", .n_out = 1, .types = TS_FLOAT, .flags = OP_WIDEN,
     OP_ATTRS(gemm_attrs, gemm_params), .shape = shape_gemm, .run = run_gemm},
};
OP_FAMILY(ops_matmul, "", matmul_ops);
