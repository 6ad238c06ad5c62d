// Types, shapes and axes: what every operator needs. See op.h.
#include "graph/op/op.h"

#include "kern/half.h"

typedef struct elem_row { const char *name; uint8_t bytes; } elem_row;
static const elem_row elems[T_COUNT] = {
    [T_F32] = {"float32", 4}, [T_U8] = {"uint8", 1}, [T_I8] = {"int8", 1}, [T_U16] = {"uint16", 2},
    [T_I16] = {"int16", 2}, [T_I32] = {"int32", 4}, [T_I64] = {"int64", 8},
    [T_STRING] = {"string", 2 * sizeof(void *)}, [T_BOOL] = {"bool", 1}, [T_F16] = {"float16", 2},
    [T_F64] = {"float64", 8}, [T_U32] = {"uint32", 4}, [T_U64] = {"uint64", 8},
    [T_BF16] = {"bfloat16", 2}, [T_F8E4M3FN] = {"float8e4m3fn", 1},
    [T_F8E4M3FNUZ] = {"float8e4m3fnuz", 1}, [T_F8E5M2] = {"float8e5m2", 1},
    [T_F8E5M2FNUZ] = {"float8e5m2fnuz", 1}, [T_U4] = {"uint4", 1}, [T_I4] = {"int4", 1},
    [T_F4E2M1] = {"float4e2m1", 1}, [T_F8E8M0] = {"float8e8m0", 1}, [T_U2] = {"uint2", 1},
    [T_I2] = {"int2", 1},
};

size_t elem_bytes(elem t)
{
    return (unsigned)t < T_COUNT ? elems[t].bytes : 0;
}

const char *elem_name(elem t)
{
    return elem_bytes(t) ? elems[t].name : "no type";
}

int64_t dims_product(const int64_t *dim, int from, int to)
{
    int64_t n = 1;
    for (int d = from; d < to; d++) n *= dim[d];
    return n;
}

int64_t tensor_items(const tensor *t)
{
    return dims_product(t->dim, 0, t->n_dims);
}

void tensor_set(tensor *t, elem type, int n_dims, const int64_t *dim)
{
    if (!t) return;
    t->type = type;
    t->n_dims = n_dims;
    for (int d = 0; d < n_dims; d++) t->dim[d] = dim[d];
}

bool tensor_same_shape(const tensor *a, const tensor *b)
{
    if (a->n_dims != b->n_dims) return false;
    for (int d = 0; d < a->n_dims; d++) {
        if (a->dim[d] != b->dim[d]) return false;
    }
    return true;
}

hearth_status op_axis(const op_call *c, int64_t axis, int n, int *out)
{
    if (axis < -n || axis >= n) {
        return op_fail(c, HEARTH_E_FORMAT, "axis %lld of %d dimensions", (long long)axis, n);
    }
    *out = (int)(axis < 0 ? axis + n : axis);
    return HEARTH_OK;
}

hearth_status op_axes(const op_call *c, const int64_t *axes, int64_t n_axes, int n, bool *out)
{
    for (int d = 0; d < n; d++) out[d] = false;
    for (int64_t i = 0; i < n_axes; i++) {
        int d = 0;
        HEARTH_TRY(op_axis(c, axes[i], n, &d));
        if (out[d]) return op_fail(c, HEARTH_E_FORMAT, "axis %d twice", d);
        out[d] = true;
    }
    return HEARTH_OK;
}

int64_t tensor_int(const tensor *t, int64_t i)
{
    return t->type == T_I64 ? ((const int64_t *)t->data)[i] : ((const int32_t *)t->data)[i];
}

double tensor_number(const tensor *t, int64_t i)
{
#define CASE(id, type) case id: return (double)((const type *)t->data)[i];
    switch (t->type) {
        EACH_NUM(CASE)
        CASE(T_BOOL, uint8_t)
    case T_F16: return (double)f16_to_f32(((const uint16_t *)t->data)[i]);
    case T_BF16: return (double)bf16_to_f32(((const uint16_t *)t->data)[i]);
    default: return 0;
    }
#undef CASE
}

// Dimension d counted from the right; missing ones are 1.
static int64_t dim_from_right(const tensor *t, int d)
{
    return d < t->n_dims ? t->dim[t->n_dims - 1 - d] : 1;
}

hearth_status op_broadcast(const op_call *c, const tensor *const *in, int n, tensor *out)
{
    int n_dims = 0;
    for (int i = 0; i < n; i++) n_dims = int_max(n_dims, in[i]->n_dims);
    int64_t dim[MAX_DIMS];
    for (int d = 0; d < n_dims; d++) {
        int64_t want = 1;
        for (int i = 0; i < n; i++) {
            int64_t have = dim_from_right(in[i], d);
            if (have != 1 && want != 1 && have != want) {
                return op_fail(c, HEARTH_E_FORMAT, "shapes do not broadcast: %lld and %lld",
                               (long long)want, (long long)have);
            }
            if (have != 1) want = have;
        }
        dim[n_dims - 1 - d] = want;
    }
    if (out) tensor_set(out, out->type, n_dims, dim);
    return HEARTH_OK;
}

hearth_status op_like_first(const op_call *c)
{
    for (int i = 0; i < c->n_out; i++) {
        tensor_set(c->out[i], c->in[0]->type, c->in[0]->n_dims, c->in[0]->dim);
    }
    return HEARTH_OK;
}
