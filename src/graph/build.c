// From an ONNX index to the engine's form: names to numbers, operators found, attributes parsed.
//
// ONNX promises that nodes come in an order in which they can run and that every name is defined
// once; both are checked, since everything after relies on them.
#include "graph/graph_int.h"

#include <string.h>

STATIC_ASSERT((int)T_I2 == (int)ONNX_I2 && (int)T_BF16 == (int)ONNX_BF16, "ids differ");
STATIC_ASSERT(MAX_DIMS == LIMIT_GRAPH_DIMS, "ranks differ");

typedef struct builder {
    graph *g;
    const onnx_model *m;
    map names; // to values
} builder;

static hearth_status no_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_NOMEM, "out of memory for the graph");
}

// --- constants ----------------------------------------------------------------------------------

// Elements that need no unpacking and are aligned stay where they are mapped.
hearth_status graph_constant(arena *a, const onnx_tensor *t, tensor *out, hearth_err *err)
{
    size_t size = onnx_type_bytes(t->type);
    tensor_set(out, (elem)t->type, t->n_dims, t->dim);
    bool whole = t->is_raw && pb_left(&t->data) == (size_t)t->n * size;
    if (whole && t->n > 0 && (uintptr_t)t->data.p % size == 0) {
        out->data = (void *)(uintptr_t)t->data.p;
        return HEARTH_OK;
    }
    out->data = arena_alloc(a, (size_t)t->n, size, 64);
    if (!out->data) return no_memory(err);
    onnx_tensor_read(t, out->data);
    return HEARTH_OK;
}

// --- names --------------------------------------------------------------------------------------

static hearth_status add_value(builder *b, str name, int *out, hearth_err *err)
{
    bool exists = false;
    hearth_status st = map_put(&b->names, name, (uint32_t)b->g->n_values, &exists);
    if (st != HEARTH_OK) return no_memory(err);
    if (exists) {
        return err_fail(err, HEARTH_E_FORMAT, "value '%.*s' is defined twice", STR_ARG(name));
    }
    *out = b->g->n_values;
    b->g->values[b->g->n_values++] = (graph_value){.name = name, .t = {.n_dims = -1}};
    return HEARTH_OK;
}

static hearth_status find_value(builder *b, str name, int *out, hearth_err *err)
{
    uint32_t at;
    if (!map_get(&b->names, name, &at)) {
        return err_fail(err, HEARTH_E_FORMAT, "value '%.*s' is not defined before it is used",
                        STR_ARG(name));
    }
    *out = (int)at;
    return HEARTH_OK;
}

// --- ports --------------------------------------------------------------------------------------

static void set_port(graph_port *p, const onnx_value *v)
{
    p->name = v->name;
    p->t = (tensor){.type = (elem)v->type, .n_dims = v->n_dims};
    p->is_tensor = v->kind == ONNX_VALUE_TENSOR || v->kind == ONNX_VALUE_UNKNOWN;
    for (int d = 0; d < v->n_dims; d++) p->t.dim[d] = v->dim[d];
}

static hearth_status add_initializers(builder *b, hearth_err *err)
{
    const onnx_graph *o = &b->m->graph;
    for (size_t i = 0; i < o->n_tensors; i++) {
        int at;
        HEARTH_TRY(add_value(b, o->tensors[i].name, &at, err));
        graph_value *v = &b->g->values[at];
        HEARTH_TRY(graph_constant(&b->g->memory, &o->tensors[i], &v->t, err));
        v->is_const = true;
    }
    return HEARTH_OK;
}

static hearth_status add_inputs(builder *b, hearth_err *err)
{
    const onnx_graph *o = &b->m->graph;
    graph *g = b->g;
    for (size_t i = 0; i < o->n_inputs; i++) {
        graph_port *p = &g->inputs[g->n_inputs];
        uint32_t at;
        set_port(p, &o->inputs[i]);
        if (!p->is_tensor) {
            return err_fail(err, HEARTH_E_UNSUPPORTED,
                            "input '%.*s' is no tensor (sequence, optional, map)",
                            STR_ARG(p->name));
        }
        p->has_default = map_get(&b->names, p->name, &at);
        if (p->has_default) {
            g->input_value[g->n_inputs] = (int)at;
        } else {
            HEARTH_TRY(add_value(b, p->name, &g->input_value[g->n_inputs], err));
        }
        g->n_inputs++;
    }
    return HEARTH_OK;
}

static hearth_status add_outputs(builder *b, hearth_err *err)
{
    const onnx_graph *o = &b->m->graph;
    graph *g = b->g;
    for (size_t i = 0; i < o->n_outputs; i++) {
        set_port(&g->outputs[i], &o->outputs[i]);
        if (!g->outputs[i].is_tensor) {
            return err_fail(err, HEARTH_E_UNSUPPORTED,
                            "output '%.*s' is no tensor (sequence, optional, map)",
                            STR_ARG(g->outputs[i].name));
        }
        HEARTH_TRY(find_value(b, g->outputs[i].name, &g->output_value[i], err));
        g->n_outputs++;
    }
    return HEARTH_OK;
}

// --- nodes --------------------------------------------------------------------------------------

static int64_t opset_of(const onnx_model *m, str domain)
{
    for (size_t i = 0; i < m->n_opsets; i++) {
        if (str_eq(m->opsets[i].domain, domain)) return m->opsets[i].version;
    }
    return 0;
}

static hearth_status no_such_op(const onnx_node *o, int64_t opset, hearth_err *err)
{
    if (opset <= 0) {
        return err_fail(err, HEARTH_E_FORMAT, "the model imports no opset of domain '%.*s'",
                        STR_ARG(o->domain));
    }
    return err_fail(err, HEARTH_E_UNSUPPORTED, "%s",
                    graph_has_op(o->domain, o->op)
                        ? "this opset's form of the operator is not supported"
                        : "the operator is not supported");
}

// Trailing inputs and outputs that are left out do not count.
static size_t trimmed(const str *names, size_t n)
{
    while (n > 0 && names[n - 1].n == 0) n--;
    return n;
}

static hearth_status bind_inputs(builder *b, const onnx_node *o, graph_node *n, hearth_err *err)
{
    n->n_in = (int)trimmed(o->in, o->n_in);
    int *in = arena_new(&b->g->memory, int, (size_t)n->n_in);
    if (!in) return no_memory(err);
    n->in = in;
    for (int i = 0; i < n->n_in; i++) {
        in[i] = -1;
        if (o->in[i].n) HEARTH_TRY(find_value(b, o->in[i], &in[i], err));
    }
    return HEARTH_OK;
}

static hearth_status bind_outputs(builder *b, const onnx_node *o, graph_node *n, hearth_err *err)
{
    n->n_out = (int)trimmed(o->out, o->n_out);
    if (n->op->n_out >= 0 && n->n_out > n->op->n_out) {
        return err_fail(err, HEARTH_E_FORMAT, "%d outputs, at most %d", n->n_out, n->op->n_out);
    }
    // Operators write their first output without asking whether somebody wants it.
    if (n->n_out < 1 || !o->out[0].n) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "its first output has no name");
    }
    int *out = arena_new(&b->g->memory, int, (size_t)n->n_out);
    if (!out) return no_memory(err);
    n->out = out;
    for (int i = 0; i < n->n_out; i++) {
        out[i] = -1;
        if (o->out[i].n) HEARTH_TRY(add_value(b, o->out[i], &out[i], err));
    }
    return HEARTH_OK;
}

static hearth_status build_node(builder *b, const onnx_node *o, graph_node *n, hearth_err *err)
{
    int64_t opset = opset_of(b->m, o->domain);
    n->op = opset > 0 ? graph_find_op(o->domain, o->op, opset) : NULL;
    n->opset = (int)i64_min(opset, 1 << 20);
    if (!n->op) return no_such_op(o, opset, err);
    HEARTH_TRY(bind_inputs(b, o, n, err));
    HEARTH_TRY(bind_outputs(b, o, n, err));
    void *params = arena_alloc(&b->g->memory, 1, n->op->params_bytes, 16);
    if (!params) return no_memory(err);
    n->params = params;
    HEARTH_TRY(graph_read_attrs(&b->g->memory, n->op, o, params, err));
    op_call c = {.op = n->op, .params = params, .opset = n->opset, .n_in = n->n_in,
                 .n_out = n->n_out, .err = err};
    return n->op->check ? n->op->check(&c) : HEARTH_OK;
}

static hearth_status add_node(builder *b, const onnx_node *o, hearth_err *err)
{
    graph_node *n = &b->g->nodes[b->g->n_nodes++];
    n->name = o->name.n || !o->n_out ? o->name : o->out[0];
    n->domain = o->domain;
    hearth_status st = build_node(b, o, n, err);
    if (st != HEARTH_OK) {
        err_prefix(err, "node '%.*s' (%.*s, %s%.*s %d): ", STR_ARG(n->name), STR_ARG(o->op),
                   o->domain.n ? "" : "ai.onnx", STR_ARG(o->domain), n->opset);
    }
    return st;
}

// --- the whole ----------------------------------------------------------------------------------

static hearth_status reserve(graph *g, const onnx_graph *o, hearth_err *err)
{
    size_t n_values = o->n_tensors + o->n_inputs;
    for (size_t i = 0; i < o->n_nodes; i++) n_values += o->nodes[i].n_out;
    if (n_values > INT32_MAX) return err_fail(err, HEARTH_E_LIMIT, "%zu values", n_values);
    g->values = arena_new(&g->memory, graph_value, n_values);
    g->nodes = arena_new(&g->memory, graph_node, o->n_nodes);
    g->inputs = arena_new(&g->memory, graph_port, o->n_inputs);
    g->outputs = arena_new(&g->memory, graph_port, o->n_outputs);
    g->input_value = arena_new(&g->memory, int, o->n_inputs);
    g->output_value = arena_new(&g->memory, int, o->n_outputs);
    bool ok = g->values && g->nodes && g->inputs && g->outputs && g->input_value &&
              g->output_value;
    return ok ? HEARTH_OK : no_memory(err);
}

static hearth_status build(builder *b, hearth_err *err)
{
    const onnx_graph *o = &b->m->graph;
    HEARTH_TRY(reserve(b->g, o, err));
    HEARTH_TRY(add_initializers(b, err));
    HEARTH_TRY(add_inputs(b, err));
    for (size_t i = 0; i < o->n_nodes; i++) HEARTH_TRY(add_node(b, &o->nodes[i], err));
    return add_outputs(b, err);
}

hearth_status graph_open(const onnx_model *m, graph **out, hearth_err *err)
{
    *out = NULL;
    graph *g = mem_alloc_zero(MEM_MODEL, 1, sizeof *g);
    if (!g) return no_memory(err);
    arena_init(&g->memory, MEM_MODEL, LIMIT_GRAPH_MEMORY);
    builder b = {.g = g, .m = m};
    map_init(&b.names, MEM_MODEL);
    hearth_status st = build(&b, err);
    map_release(&b.names);
    if (st != HEARTH_OK) {
        graph_close(g);
        return st;
    }
    *out = g;
    return HEARTH_OK;
}

void graph_close(graph *g)
{
    if (!g) return;
    arena_release(&g->memory);
    mem_free(g);
}

int graph_input_count(const graph *g) { return g->n_inputs; }
const graph_port *graph_input(const graph *g, int i) { return &g->inputs[i]; }
int graph_output_count(const graph *g) { return g->n_outputs; }
const graph_port *graph_output(const graph *g, int i) { return &g->outputs[i]; }
