// TopK: the k largest or smallest elements of each row along an axis, with their positions.
//
// Equal elements keep the order of their positions. A row is selected by k passes over it, which
// needs no scratch; k is small in the models that use it.
#include "graph/op/op.h"

#include <string.h>

typedef struct topk_params { int64_t axis, k, largest, sorted; } topk_params;

static hearth_status shape_topk(const op_call *c)
{
    const topk_params *p = c->params;
    const tensor *x = c->in[0];
    int64_t dim[MAX_DIMS], k = p->k;
    int axis = 0;
    HEARTH_TRY(op_axis(c, p->axis, x->n_dims, &axis));
    if (op_in(c, 1)) {
        if (tensor_items(c->in[1]) != 1) return op_fail(c, HEARTH_E_FORMAT, "k is no scalar");
        k = tensor_int(c->in[1], 0);
    }
    if (k < 0 || k > x->dim[axis]) {
        return op_fail(c, HEARTH_E_ARG, "%lld of %lld elements", (long long)k,
                       (long long)x->dim[axis]);
    }
    for (int d = 0; d < x->n_dims; d++) dim[d] = d == axis ? k : x->dim[d];
    tensor_set(op_out(c, 0), x->type, x->n_dims, dim);
    tensor_set(op_out(c, 1), T_I64, x->n_dims, dim);
    return HEARTH_OK;
}

// Compares in the element's own type: negative when a comes first.
static int order(const tensor *x, int64_t a, int64_t b)
{
#define CASE(id, type)                                              \
    case id: {                                                      \
        type u = ((const type *)x->data)[a], v = ((const type *)x->data)[b]; \
        return (u < v) - (u > v);                                   \
    }
    switch (x->type) {
        EACH_NUM(CASE)
    default: return 0;
    }
#undef CASE
}

// Next after `last` (-1: from the start) in the row's order: larger first, then by position.
static int64_t next_best(const tensor *x, int64_t base, int64_t n, int64_t step, int64_t last,
                         int sign)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++) {
        int after = last < 0 ? 1 : sign * order(x, base + i * step, base + last * step);
        if (after < 0 || (after == 0 && i <= last)) continue;
        if (best < 0 || sign * order(x, base + i * step, base + best * step) < 0) best = i;
    }
    return best;
}

static hearth_status run_topk(const op_call *c)
{
    const topk_params *p = c->params;
    const tensor *x = c->in[0];
    const tensor *y = op_out(c, 0) ? c->out[0] : c->out[1];
    size_t size = elem_bytes(x->type);
    int axis = 0;
    HEARTH_TRY(op_axis(c, p->axis, x->n_dims, &axis));
    int64_t n = x->dim[axis], k = y->dim[axis], outer = dims_product(x->dim, 0, axis);
    int64_t inner = dims_product(x->dim, axis + 1, x->n_dims);
    for (int64_t o = 0; o < outer * inner; o++) {
        int64_t base = o / inner * n * inner + o % inner, last = -1;
        for (int64_t i = 0; i < k; i++) {
            int64_t to = o / inner * k * inner + o % inner + i * inner;
            last = next_best(x, base, n, inner, last, p->largest ? 1 : -1);
            if (last < 0) return op_fail(c, HEARTH_E_ARG, "elements without an order (NaN)");
            if (op_out(c, 0)) {
                memcpy(byte_at(c->out[0]->data, to, size),
                       byte_at(x->data, base + last * inner, size), size);
            }
            if (op_out(c, 1)) ((int64_t *)c->out[1]->data)[to] = last;
        }
    }
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(topk_params, field)
static const op_attr topk_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(axis), .def = -1},
    {.name = "k", .kind = OP_INT, AT(k)},
    {.name = "largest", .kind = OP_INT, AT(largest), .def = 1},
    {.name = "sorted", .kind = OP_INT, AT(sorted), .def = 1},
};
static const graph_op topk_ops[] = {
    {.name = "TopK", .since = 1, .in = "TL?", .n_out = 2, .types = TS_NUM, .flags = OP_WIDEN,
     .values = 2, OP_ATTRS(topk_attrs, topk_params), .shape = shape_topk, .run = run_topk},
};
OP_FAMILY(ops_topk, "", topk_ops);
