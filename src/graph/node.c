// One node: what the engine does around an operator's functions.
#include "graph/graph_int.h"
#include "kern/half.h"

enum { ALIGN = 64 };

hearth_status node_blame(const graph_node *n, hearth_status st, hearth_err *err)
{
    if (st != HEARTH_OK) {
        err_prefix(err, "node '%.*s' (%s, %s%.*s %d): ", STR_ARG(n->name), n->op->name,
                   n->domain.n ? "" : "ai.onnx", STR_ARG(n->domain), n->opset);
    }
    return st;
}

size_t tensor_bytes(const tensor *t)
{
    return (size_t)tensor_items(t) * elem_bytes(t->type);
}

// --- inputs -------------------------------------------------------------------------------------

typedef struct sig_state { elem t, u; } sig_state; // types that T and U stand for so far

static bool fits_variable(elem *var, elem type)
{
    if (*var == T_NONE) *var = type;
    return *var == type;
}

static uint32_t types_of(const graph_op *op)
{
    bool widens = (op->flags & OP_WIDEN) && (op->types & BIT(T_F32));
    return op->types | (widens ? (uint32_t)TS_HALF : 0);
}

static bool fits(const graph_op *op, char letter, elem type, sig_state *s)
{
    switch (letter) {
    case 'T': return (types_of(op) & BIT(type)) && fits_variable(&s->t, type);
    case 'U': return fits_variable(&s->u, type);
    case 'L': return type == T_I64;
    case 'I': return type == T_I32 || type == T_I64;
    case 'B': return type == T_BOOL;
    case 'F': return type == T_F32 || type == T_F64;
    default: return true;
    }
}

static hearth_status check_input(const op_call *c, int i, char letter, bool is_optional,
                                 sig_state *s)
{
    const tensor *t = op_in(c, i);
    if (!t) {
        if (is_optional) return HEARTH_OK;
        return op_fail(c, HEARTH_E_FORMAT, "input %d is missing", i);
    }
    if (fits(c->op, letter, t->type, s)) return HEARTH_OK;
    return op_fail(c, HEARTH_E_UNSUPPORTED, "input %d is of type %s, which is not supported here",
                   i, elem_name(t->type));
}

static hearth_status check_inputs(const op_call *c)
{
    const char *sig = c->op->in;
    sig_state s = {T_NONE, T_NONE};
    int i = 0;
    while (*sig) {
        char letter = *sig++;
        bool repeats = *sig == '*', is_optional = *sig == '?';
        if (repeats || is_optional) sig++;
        do {
            HEARTH_TRY(check_input(c, i++, letter, is_optional, &s));
        } while (repeats && i < c->n_in);
    }
    if (i >= c->n_in) return HEARTH_OK;
    return op_fail(c, HEARTH_E_FORMAT, "%d inputs, at most %d", c->n_in, i);
}

bool node_can_shape(const graph_session *s, int node, bool is_running)
{
    const graph_node *n = &s->g->nodes[node];
    if (n->op->control != CONTROL_NONE) return false;
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0) continue;
        const session_value *v = &s->values[n->in[i]];
        if (v->t.n_dims < 0 || v->t.type == T_NONE) return false;
        bool is_read = i < 32 && (n->op->values >> i & 1);
        if (is_read && !is_running && v->state != VALUE_CONST) return false;
    }
    return true;
}

// --- shapes -------------------------------------------------------------------------------------

static hearth_status check_result(const op_call *c, const tensor *t, int i)
{
    int64_t n = 1;
    ASSERT(elem_bytes(t->type) > 0 && t->n_dims >= 0 && t->n_dims <= MAX_DIMS);
    for (int d = 0; d < t->n_dims; d++) {
        if (t->dim[d] < 0) {
            return op_fail(c, HEARTH_E_FORMAT, "output %d: dimension %d would be %lld", i, d,
                           (long long)t->dim[d]);
        }
        if (!mul_ok_i64(n, t->dim[d], &n) || n > LIMIT_GRAPH_ITEMS) {
            return op_fail(c, HEARTH_E_LIMIT, "output %d: too many elements", i);
        }
    }
    return HEARTH_OK;
}

static hearth_status infer(const op_call *c)
{
    HEARTH_TRY(check_inputs(c));
    HEARTH_TRY(c->op->shape(c));
    for (int i = 0; i < c->n_out; i++) {
        if (c->out[i]) HEARTH_TRY(check_result(c, c->out[i], i));
    }
    return HEARTH_OK;
}

hearth_status node_shape(graph_session *s, int node, hearth_err *err)
{
    op_call c = s->nodes[node].call;
    c.err = err;
    return node_blame(&s->g->nodes[node], infer(&c), err);
}

// --- half precision -----------------------------------------------------------------------------

static bool is_half(const tensor *t)
{
    return t && (BIT(t->type) & TS_HALF);
}

static size_t wide_bytes(const tensor *t)
{
    return align_up((size_t)tensor_items(t) * sizeof(float), ALIGN);
}

// Memory for the float32 copies of half-precision inputs and outputs.
static size_t widening_bytes(const op_call *c)
{
    size_t n = 0;
    if (!(c->op->flags & OP_WIDEN)) return 0;
    for (int i = 0; i < c->n_in; i++) n += is_half(c->in[i]) ? wide_bytes(c->in[i]) : 0;
    for (int i = 0; i < c->n_out; i++) n += is_half(c->out[i]) ? wide_bytes(c->out[i]) : 0;
    return n;
}

static void widen(const tensor *t, float *out)
{
    const uint16_t *h = t->data;
    int64_t n = tensor_items(t);
    if (t->type == T_F16) {
        for (int64_t i = 0; i < n; i++) out[i] = f16_to_f32(h[i]);
    } else {
        for (int64_t i = 0; i < n; i++) out[i] = bf16_to_f32(h[i]);
    }
}

static void narrow(const float *in, tensor *t)
{
    uint16_t *h = t->data;
    int64_t n = tensor_items(t);
    if (t->type == T_F16) {
        for (int64_t i = 0; i < n; i++) h[i] = f32_to_f16(in[i]);
    } else {
        for (int64_t i = 0; i < n; i++) h[i] = f32_to_bf16(in[i]);
    }
}

static tensor *stand_in(const tensor *t, tensor *wide, char **memory)
{
    *wide = *t;
    wide->type = T_F32;
    wide->data = *memory;
    if (*memory) *memory += wide_bytes(t);
    return wide;
}

// Puts float32 tensors in the place of half-precision ones; without memory only their types.
static void use_stand_ins(graph_session *s, op_call *c, char *memory)
{
    tensor *wide = s->wide;
    for (int i = 0; i < c->n_in; i++) {
        s->wide_in[i] = is_half(c->in[i]) ? stand_in(c->in[i], wide++, &memory) : c->in[i];
    }
    for (int i = 0; i < c->n_out; i++) {
        s->wide_out[i] = is_half(c->out[i]) ? stand_in(c->out[i], wide++, &memory) : c->out[i];
    }
    c->in = s->wide_in;
    c->out = s->wide_out;
}

// The float32 copies lie in front of the operator's own scratch.
static hearth_status run_widened(graph_session *s, op_call c, size_t n_wide)
{
    const tensor *const *in = c.in;
    tensor *const *out = c.out;
    use_stand_ins(s, &c, c.scratch);
    c.scratch = (char *)c.scratch + n_wide;
    for (int i = 0; i < c.n_in; i++) {
        if (is_half(in[i])) widen(in[i], c.in[i]->data);
    }
    HEARTH_TRY(c.op->run(&c));
    for (int i = 0; i < c.n_out; i++) {
        if (is_half(out[i])) narrow(c.out[i]->data, out[i]);
    }
    return HEARTH_OK;
}

// --- running ------------------------------------------------------------------------------------

static hearth_status own_scratch(const op_call *c, size_t *out)
{
    *out = 0;
    if (c->op->plan) HEARTH_TRY(c->op->plan(c, out));
    if (*out > LIMIT_GRAPH_MEMORY) return op_fail(c, HEARTH_E_LIMIT, "%zu bytes of scratch", *out);
    *out = align_up(*out, ALIGN);
    return HEARTH_OK;
}

hearth_status node_scratch(graph_session *s, int node, size_t *out, hearth_err *err)
{
    op_call c = s->nodes[node].call;
    size_t n_wide = widening_bytes(&c);
    c.err = err;
    if (n_wide) use_stand_ins(s, &c, NULL);
    HEARTH_TRY(node_blame(&s->g->nodes[node], own_scratch(&c, out), err));
    *out += n_wide;
    return HEARTH_OK;
}

hearth_status node_run(graph_session *s, int node, void *scratch, hearth_err *err)
{
    op_call c = s->nodes[node].call;
    size_t n_wide = widening_bytes(&c);
    c.err = err;
    c.scratch = scratch;
    hearth_status st = n_wide ? run_widened(s, c, n_wide) : c.op->run(&c);
    return node_blame(&s->g->nodes[node], st, err);
}
