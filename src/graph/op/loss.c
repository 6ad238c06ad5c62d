// Losses over classes: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
//
//   x [N, C, positions...], labels [N, positions...], weights [C] or none
//   loss = -weight[label] * log p[label], reduced by sum, by weighted mean, or not at all
// The first takes log p as it is, the second makes it by a log-softmax over C. Labels come from
// data and are checked; those equal to ignore_index weigh nothing.
#include "graph/op/op.h"

#include <math.h>

typedef struct loss_params { int64_t ignore_index, reduction; } loss_params;
typedef enum loss_reduction { LOSS_MEAN, LOSS_SUM, LOSS_NONE } loss_reduction;

static hearth_status shape_loss(const op_call *c)
{
    const tensor *x = c->in[0], *labels = c->in[1], *weights = op_in(c, 2);
    bool fits = x->n_dims >= 2 && labels->n_dims == x->n_dims - 1 && labels->dim[0] == x->dim[0];
    for (int d = 1; fits && d < labels->n_dims; d++) fits = labels->dim[d] == x->dim[d + 1];
    if (!fits) return op_fail(c, HEARTH_E_FORMAT, "labels do not fit the scores");
    if (weights && (weights->n_dims != 1 || weights->dim[0] != x->dim[1])) {
        return op_fail(c, HEARTH_E_FORMAT, "weights that are not one for each class");
    }
    bool whole = ((const loss_params *)c->params)->reduction == LOSS_NONE;
    tensor_set(op_out(c, 0), x->type, whole ? labels->n_dims : 0, labels->dim);
    tensor_set(op_out(c, 1), x->type, x->n_dims, x->dim);
    return HEARTH_OK;
}

static void put(tensor *t, int64_t i, double v)
{
    if (!t) return;
    if (t->type == T_F32) {
        ((float *)t->data)[i] = (float)v;
    } else {
        ((double *)t->data)[i] = v;
    }
}

// log sum exp of `n` scores `step` apart; 0 where the scores are log p already.
static double log_total(const op_call *c, int64_t at, int64_t n, int64_t step)
{
    double top = -(double)INFINITY, sum = 0;
    if (!c->op->aux) return 0;
    for (int64_t k = 0; k < n; k++) top = fmax(top, tensor_number(c->in[0], at + k * step));
    for (int64_t k = 0; k < n; k++) sum += exp(tensor_number(c->in[0], at + k * step) - top);
    return top + log(sum);
}

// Weight of one label, 0 when it is ignored.
static hearth_status weigh(const op_call *c, int64_t label, double *out)
{
    int64_t classes = c->in[0]->dim[1];
    *out = 0;
    if (label == ((const loss_params *)c->params)->ignore_index) return HEARTH_OK;
    if (label < 0 || label >= classes) {
        return op_fail(c, HEARTH_E_ARG, "label %lld of %lld classes", (long long)label,
                       (long long)classes);
    }
    *out = op_in(c, 2) ? tensor_number(c->in[2], label) : 1;
    return HEARTH_OK;
}

static hearth_status run_loss(const op_call *c)
{
    const tensor *x = c->in[0];
    int64_t classes = x->dim[1], inner = dims_product(x->dim, 2, x->n_dims);
    int64_t how = ((const loss_params *)c->params)->reduction;
    double total = 0, weights = 0;
    for (int64_t i = 0; i < x->dim[0] * inner; i++) {
        int64_t at = i / inner * classes * inner + i % inner, label = tensor_int(c->in[1], i);
        double weight, shift = log_total(c, at, classes, inner);
        HEARTH_TRY(weigh(c, label, &weight));
        bool ignored = label == ((const loss_params *)c->params)->ignore_index;
        double loss = ignored ? 0 : -weight * (tensor_number(x, at + label * inner) - shift);
        total += loss;
        weights += weight;
        if (how == LOSS_NONE) put(op_out(c, 0), i, loss);
        for (int64_t k = 0; op_out(c, 1) && k < classes; k++) {
            put(c->out[1], at + k * inner, tensor_number(x, at + k * inner) - shift);
        }
    }
    if (how != LOSS_NONE) put(op_out(c, 0), 0, how == LOSS_MEAN ? total / weights : total);
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(loss_params, field)
// The default cannot be a label: "not given".
static const op_attr loss_attrs[] = {
    {.name = "ignore_index", .kind = OP_INT, AT(ignore_index), .def = (double)INT64_MIN},
    {.name = "reduction", .kind = OP_CHOICE, AT(reduction), .choices = "mean sum none"},
};
static const graph_op loss_ops[] = {
    {.name = "NegativeLogLikelihoodLoss", .since = 12, .in = "TIT?", .n_out = 1, .types = TS_FLOAT,
     .flags = OP_WIDEN, OP_ATTRS(loss_attrs, loss_params), .shape = shape_loss, .run = run_loss},
    {.name = "SoftmaxCrossEntropyLoss", .since = 12, .in = "TIT?", .n_out = 2, .types = TS_FLOAT,
     .flags = OP_WIDEN, OP_ATTRS(loss_attrs, loss_params), .aux = "softmax", .shape = shape_loss,
     .run = run_loss},
};
OP_FAMILY(ops_loss, "", loss_ops);
