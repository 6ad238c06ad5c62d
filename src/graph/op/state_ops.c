// Layers that carry a state from call to call: LinearAttention, CausalConvWithState, and the cache
// of keys that TensorScatter writes into.
//
//   LinearAttention, for each head, with a state S [key size, value size]:
//     gated   S *= exp(decay)                      by head or by row
//     delta   v  = beta * (v - S' k)
//     all     S += k v';   y = scale * S' q        query heads may share a state
#include "graph/op/op.h"

#include <math.h>
#include <string.h>

// --- LinearAttention ----------------------------------------------------------------------------

typedef struct linear_params { int64_t q_heads, kv_heads, chunk, rule; float scale; } linear_params;
enum { RULE_LINEAR, RULE_GATED, RULE_DELTA, RULE_GATED_DELTA };
enum { QUERY, KEY, VALUE, PAST, DECAY, BETA };

typedef struct linear {
    int64_t batch, steps, q_heads, heads, key, value; // key, value: sizes
    int64_t n_decay, n_beta;                          // their last dimensions, 0: none
} linear;

static bool is_rows(const tensor *t, const linear *l, int64_t width)
{
    return t->n_dims == 3 && t->dim[0] == l->batch && t->dim[1] == l->steps && t->dim[2] == width;
}

static hearth_status read_gates(const op_call *c, linear *l)
{
    int64_t rule = ((const linear_params *)c->params)->rule;
    const tensor *decay = op_in(c, DECAY), *beta = op_in(c, BETA);
    bool gated = rule == RULE_GATED || rule == RULE_GATED_DELTA;
    bool delta = rule == RULE_DELTA || rule == RULE_GATED_DELTA;
    bool ok = (decay != NULL) == gated && (beta != NULL) == delta;
    if (ok && decay) {
        ok = is_rows(decay, l, l->heads) || is_rows(decay, l, l->heads * l->key);
        l->n_decay = ok ? decay->dim[2] : 0;
    }
    if (ok && beta) {
        ok = is_rows(beta, l, l->heads) || is_rows(beta, l, 1);
        l->n_beta = ok ? beta->dim[2] : 0;
    }
    return ok ? HEARTH_OK : op_fail(c, HEARTH_E_FORMAT, "decay or beta do not fit the rule");
}

static hearth_status read_linear(const op_call *c, linear *l)
{
    const linear_params *p = c->params;
    const tensor *q = c->in[QUERY], *k = c->in[KEY], *v = c->in[VALUE], *past = op_in(c, PAST);
    if (q->n_dims != 3 || v->n_dims != 3 || p->q_heads < 1 || p->kv_heads < 1 ||
        p->q_heads % p->kv_heads || q->dim[2] % p->q_heads || v->dim[2] % p->kv_heads) {
        return op_fail(c, HEARTH_E_FORMAT, "heads that do not divide the inputs");
    }
    *l = (linear){q->dim[0], q->dim[1], p->q_heads, p->kv_heads, q->dim[2] / p->q_heads,
                  v->dim[2] / p->kv_heads, 0, 0};
    bool ok = is_rows(k, l, l->heads * l->key) && is_rows(v, l, l->heads * l->value);
    if (ok && past) {
        ok = past->n_dims == 4 && past->dim[0] == l->batch && past->dim[1] == l->heads &&
             past->dim[2] == l->key && past->dim[3] == l->value;
    }
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "queries, keys, values and state do not fit");
    return read_gates(c, l);
}

static hearth_status shape_linear(const op_call *c)
{
    linear l;
    HEARTH_TRY(read_linear(c, &l));
    int64_t y[3] = {l.batch, l.steps, l.q_heads * l.value};
    int64_t state[4] = {l.batch, l.heads, l.key, l.value};
    tensor_set(op_out(c, 0), c->in[QUERY]->type, 3, y);
    tensor_set(op_out(c, 1), (op_in(c, PAST) ? c->in[PAST] : c->in[QUERY])->type, 4, state);
    return HEARTH_OK;
}

// The state and the corrected values of one head.
static hearth_status scratch_linear(const op_call *c, size_t *out)
{
    linear l;
    size_t items;
    HEARTH_TRY(read_linear(c, &l));
    bool ok = mul_ok((size_t)l.key + 1, (size_t)l.value, &items) &&
              mul_ok(items, sizeof(float), out);
    return ok ? HEARTH_OK : op_fail(c, HEARTH_E_LIMIT, "a state too large");
}

static const float *floats(const tensor *t, int64_t i)
{
    return (const float *)t->data + i;
}

static void decay_state(const linear *l, const float *decay, int64_t head, float *state)
{
    bool by_row = l->n_decay != l->heads;
    for (int64_t i = 0; i < l->key; i++) {
        float f = expf(decay[by_row ? head * l->key + i : head]);
        for (int64_t j = 0; j < l->value; j++) state[i * l->value + j] *= f;
    }
}

static void add_step(const op_call *c, const linear *l, int64_t row, int64_t head, float *state,
                     float *v)
{
    const float *k = floats(c->in[KEY], (row * l->heads + head) * l->key);
    const float *given = floats(c->in[VALUE], (row * l->heads + head) * l->value);
    if (l->n_decay) decay_state(l, floats(c->in[DECAY], row * l->n_decay), head, state);
    for (int64_t j = 0; j < l->value; j++) v[j] = given[j];
    if (l->n_beta) {
        float beta = *floats(c->in[BETA], row * l->n_beta + (l->n_beta == 1 ? 0 : head));
        for (int64_t i = 0; i < l->key; i++) {
            for (int64_t j = 0; j < l->value; j++) v[j] -= state[i * l->value + j] * k[i];
        }
        for (int64_t j = 0; j < l->value; j++) v[j] *= beta;
    }
    for (int64_t i = 0; i < l->key; i++) {
        for (int64_t j = 0; j < l->value; j++) state[i * l->value + j] += k[i] * v[j];
    }
}

static void read_step(const op_call *c, const linear *l, int64_t row, int64_t head,
                      const float *state)
{
    const linear_params *p = c->params;
    float scale = p->scale != 0 ? p->scale : 1 / sqrtf((float)l->key);
    int64_t group = l->q_heads / l->heads;
    for (int64_t h = head * group; h < (head + 1) * group; h++) {
        const float *q = floats(c->in[QUERY], (row * l->q_heads + h) * l->key);
        float *y = (float *)c->out[0]->data + (row * l->q_heads + h) * l->value;
        for (int64_t j = 0; j < l->value; j++) y[j] = 0;
        for (int64_t i = 0; i < l->key; i++) {
            for (int64_t j = 0; j < l->value; j++) y[j] += q[i] * state[i * l->value + j];
        }
        for (int64_t j = 0; j < l->value; j++) y[j] *= scale;
    }
}

static hearth_status run_linear(const op_call *c)
{
    linear l;
    HEARTH_TRY(read_linear(c, &l));
    const tensor *past = op_in(c, PAST);
    float *state = c->scratch, *v = state + l.key * l.value;
    int64_t n = l.key * l.value;
    for (int64_t b = 0; b < l.batch * l.heads; b++) {
        for (int64_t i = 0; i < n; i++) state[i] = past ? *floats(past, b * n + i) : 0;
        for (int64_t t = 0; t < l.steps; t++) {
            int64_t row = b / l.heads * l.steps + t;
            add_step(c, &l, row, b % l.heads, state, v);
            read_step(c, &l, row, b % l.heads, state);
        }
        float *to = op_out(c, 1) ? (float *)c->out[1]->data + b * n : NULL;
        for (int64_t i = 0; to && i < n; i++) to[i] = state[i];
    }
    return HEARTH_OK;
}

// --- CausalConvWithState: x [batch, channels, length], filters [channels, 1, taps] ---------------

typedef struct causal_params { int64_t activation; } causal_params;

static hearth_status shape_causal(const op_call *c)
{
    const tensor *x = c->in[0], *f = c->in[1], *bias = op_in(c, 2), *past = op_in(c, 3);
    bool ok = x->n_dims == 3 && f->n_dims == 3 && f->dim[0] == x->dim[1] && f->dim[1] == 1 &&
              f->dim[2] >= 1;
    if (ok && bias) ok = bias->n_dims == 1 && bias->dim[0] == x->dim[1];
    int64_t state[3] = {x->dim[0], x->dim[1], ok ? f->dim[2] - 1 : 0};
    if (ok && past) {
        ok = past->n_dims == 3 && past->dim[0] == state[0] && past->dim[1] == state[1] &&
             past->dim[2] == state[2];
    }
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "input, filters, bias and state do not fit");
    tensor_set(op_out(c, 0), x->type, 3, x->dim);
    tensor_set(op_out(c, 1), (past ? past : x)->type, 3, state);
    return HEARTH_OK;
}

// Position i of a channel's row with its past in front of it.
static float padded_at(const float *past, const float *x, int64_t n_past, int64_t i)
{
    return i >= n_past ? x[i - n_past] : past ? past[i] : 0;
}

static hearth_status run_causal(const op_call *c)
{
    const tensor *x = c->in[0], *bias = op_in(c, 2), *past = op_in(c, 3);
    bool is_silu = ((const causal_params *)c->params)->activation != 0;
    int64_t taps = c->in[1]->dim[2], n = x->dim[2], channels = x->dim[1];
    for (int64_t r = 0; r < x->dim[0] * channels; r++) {
        const float *row = floats(x, r * n), *f = floats(c->in[1], r % channels * taps);
        const float *before = past ? floats(past, r * (taps - 1)) : NULL;
        for (int64_t i = 0; i < n; i++) {
            double sum = bias ? (double)*floats(bias, r % channels) : 0;
            for (int64_t k = 0; k < taps; k++) {
                sum += (double)f[k] * (double)padded_at(before, row, taps - 1, i + k);
            }
            ((float *)c->out[0]->data)[r * n + i] = (float)(is_silu ? sum / (1 + exp(-sum)) : sum);
        }
        float *state = op_out(c, 1) ? (float *)c->out[1]->data + r * (taps - 1) : NULL;
        for (int64_t k = 0; state && k < taps - 1; k++) {
            state[k] = padded_at(before, row, taps - 1, n + k);
        }
    }
    return HEARTH_OK;
}

// --- TensorScatter: a copy of the cache with new rows, for each of the batch at its own place ----

typedef struct scatter_params { int64_t axis, mode; } scatter_params;

static hearth_status shape_scatter(const op_call *c)
{
    const tensor *cache = c->in[0], *new = c->in[1], *at = op_in(c, 2);
    int axis = 0;
    HEARTH_TRY(op_axis(c, ((const scatter_params *)c->params)->axis, cache->n_dims, &axis));
    bool ok = axis > 0 && new->n_dims == cache->n_dims && new->dim[axis] <= cache->dim[axis];
    for (int d = 0; ok && d < cache->n_dims; d++) {
        ok = d == axis || new->dim[d] == cache->dim[d];
    }
    if (ok && at) ok = at->n_dims == 1 && at->dim[0] == cache->dim[0];
    return ok ? op_like_first(c) : op_fail(c, HEARTH_E_FORMAT, "cache, rows and places do not fit");
}

static hearth_status run_scatter(const op_call *c)
{
    const scatter_params *p = c->params;
    const tensor *cache = c->in[0], *new = c->in[1], *at = op_in(c, 2);
    int axis = 0;
    HEARTH_TRY(op_axis(c, p->axis, cache->n_dims, &axis));
    int64_t length = cache->dim[axis], n = new->dim[axis];
    int64_t outer = dims_product(cache->dim, 0, axis);
    size_t row = (size_t)dims_product(cache->dim, axis + 1, cache->n_dims);
    row *= elem_bytes(cache->type);
    if (row == 0 || outer == 0 || length == 0) return HEARTH_OK;
    memcpy(c->out[0]->data, cache->data, row * (size_t)(outer * length));
    for (int64_t o = 0; o < outer; o++) {
        int64_t first = at ? tensor_int(at, o / (outer / cache->dim[0])) : 0;
        if (first < 0 || first > length || (!p->mode && first + n > length)) {
            return op_fail(c, HEARTH_E_ARG, "%lld rows at %lld of %lld", (long long)n,
                           (long long)first, (long long)length);
        }
        for (int64_t i = 0; i < n; i++) {
            memcpy(byte_at(c->out[0]->data, o * length + (first + i) % length, row),
                   byte_at(new->data, o * n + i, row), row);
        }
    }
    return HEARTH_OK;
}

#define AT(type, field) .at = offsetof(type, field)
static const op_attr linear_attrs[] = {
    {.name = "q_num_heads", .kind = OP_INT, .is_required = true, AT(linear_params, q_heads)},
    {.name = "kv_num_heads", .kind = OP_INT, .is_required = true, AT(linear_params, kv_heads)},
    {.name = "chunk_size", .kind = OP_INT, AT(linear_params, chunk)},
    {.name = "scale", .kind = OP_FLOAT, AT(linear_params, scale)},
    {.name = "update_rule", .kind = OP_CHOICE, AT(linear_params, rule), .def = RULE_GATED_DELTA,
     .choices = "linear gated delta gated_delta"},
};
static const op_attr causal_attrs[] = {
    {.name = "activation", .kind = OP_CHOICE, AT(causal_params, activation),
     .choices = "none silu swish"}};
static const op_attr scatter_attrs[] = {
    {.name = "axis", .kind = OP_INT, AT(scatter_params, axis), .def = -2},
    {.name = "mode", .kind = OP_CHOICE, AT(scatter_params, mode), .choices = "linear circular"},
};
static const graph_op state_ops[] = {
    {.name = "LinearAttention", .since = 27, .in = "TTTT?T?T?", .n_out = 2, .types = BIT(T_F32),
     .flags = OP_WIDEN, OP_ATTRS(linear_attrs, linear_params), .shape = shape_linear,
     .plan = scratch_linear, .run = run_linear},
    {.name = "CausalConvWithState", .since = 27, .in = "TTT?T?", .n_out = 2, .types = BIT(T_F32),
     .flags = OP_WIDEN, OP_ATTRS(causal_attrs, causal_params), .shape = shape_causal,
     .run = run_causal},
    {.name = "TensorScatter", .since = 24, .in = "UUL?", .n_out = 1,
     OP_ATTRS(scatter_attrs, scatter_params), .shape = shape_scatter, .run = run_scatter},
};
OP_FAMILY(ops_state, "", state_ops);
