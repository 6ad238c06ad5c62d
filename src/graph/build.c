// From an ONNX index to the engine's form: names to numbers, operators found, attributes parsed.
//
// ONNX promises that nodes come in an order in which they can run and that every name is defined
// once; both are checked, since everything after relies on them.
//
// Bodies of If, Loop and Scan are graphs of their own. A name that a body does not know is looked
// for around it and becomes one more input of the body (captured), and of the node that has it; so
// the memory plan sees who reads what, and a body runs like any graph.
#include "graph/control.h"

#include <string.h>

STATIC_ASSERT((int)T_I2 == (int)ONNX_I2 && (int)T_BF16 == (int)ONNX_BF16, "ids differ");
STATIC_ASSERT(MAX_DIMS == LIMIT_GRAPH_DIMS, "ranks differ");

typedef struct builder {
    graph *g;
    arena *memory; // of the outermost graph
    const onnx_model *m;
    const onnx_graph *o;
    struct builder *around; // NULL: it is the outermost
    map names;              // to values
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

static hearth_status find_value(builder *b, str name, int *out, hearth_err *err);

// As deep as bodies are nested, LIMIT_GRAPH_DEPTH at most.
static hearth_status capture(builder *b, str name, int *out, hearth_err *err)
{
    graph *g = b->g;
    int outer = 0;
    HEARTH_TRY(find_value(b->around, name, &outer, err));
    HEARTH_TRY(add_value(b, name, out, err));
    g->inputs[g->n_inputs] = (graph_port){.name = name, .t = {.n_dims = -1}, .is_tensor = true};
    g->input_value[g->n_inputs++] = *out;
    g->captured[g->n_captured++] = outer;
    return HEARTH_OK;
}

static hearth_status find_value(builder *b, str name, int *out, hearth_err *err)
{
    uint32_t at;
    if (!map_get(&b->names, name, &at)) {
        if (b->around) return capture(b, name, out, err);
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
    const onnx_graph *o = b->o;
    for (size_t i = 0; i < o->n_tensors; i++) {
        int at;
        HEARTH_TRY(add_value(b, o->tensors[i].name, &at, err));
        graph_value *v = &b->g->values[at];
        HEARTH_TRY(graph_constant(b->memory, &o->tensors[i], &v->t, err));
        v->is_const = true;
    }
    return HEARTH_OK;
}

static hearth_status add_inputs(builder *b, hearth_err *err)
{
    const onnx_graph *o = b->o;
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
    const onnx_graph *o = b->o;
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
    n->n_in = n->n_own_in = (int)trimmed(o->in, o->n_in);
    int *in = arena_new(b->memory, int, (size_t)n->n_in);
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
    // Most operators write their first output without asking whether somebody wants it.
    bool any = n->op->control != CONTROL_NONE || (n->op->flags & OP_ANY_OUT);
    if (!any && (n->n_out < 1 || !o->out[0].n)) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "its first output has no name");
    }
    int *out = arena_new(b->memory, int, (size_t)n->n_out);
    if (!out) return no_memory(err);
    n->out = out;
    for (int i = 0; i < n->n_out; i++) {
        out[i] = -1;
        if (o->out[i].n) HEARTH_TRY(add_value(b, o->out[i], &out[i], err));
    }
    return HEARTH_OK;
}

// --- bodies -------------------------------------------------------------------------------------

static hearth_status build(builder *b, hearth_err *err);

static hearth_status build_body(builder *b, const onnx_graph *o, graph **out, hearth_err *err)
{
    graph *g = arena_new(b->memory, graph, 1);
    if (!g) return no_memory(err);
    builder inner = {.g = g, .memory = b->memory, .m = b->m, .o = o, .around = b};
    map_init(&inner.names, MEM_MODEL);
    hearth_status st = build(&inner, err);
    map_release(&inner.names);
    *out = g;
    return st;
}

// The node's inputs, and after them what its bodies capture.
static hearth_status append_captured(builder *b, graph_node *n, hearth_err *err)
{
    int n_in = n->n_in, *first = arena_new(b->memory, int, (size_t)n->n_sub);
    for (int k = 0; k < n->n_sub; k++) n_in += n->sub[k]->n_captured;
    int *in = arena_new(b->memory, int, (size_t)n_in);
    if (!first || !in) return no_memory(err);
    for (int i = 0; i < n->n_in; i++) in[i] = n->in[i];
    for (int k = 0; k < n->n_sub; k++) {
        first[k] = n->n_in;
        for (int i = 0; i < n->sub[k]->n_captured; i++) in[n->n_in++] = n->sub[k]->captured[i];
    }
    n->in = in;
    n->sub_first = first;
    return HEARTH_OK;
}

static hearth_status build_bodies(builder *b, graph_node *n, hearth_err *err)
{
    const graph_op *op = n->op;
    graph **sub = arena_new(b->memory, graph *, (size_t)op->n_attrs);
    if (!sub) return no_memory(err);
    n->sub = sub;
    for (int i = 0; i < op->n_attrs; i++) {
        if (op->attrs[i].kind != OP_GRAPH) continue;
        const char *at = (const char *)n->params + op->attrs[i].at;
        const onnx_graph *o = *(const onnx_graph *const *)(const void *)at;
        hearth_status st = build_body(b, o, &sub[n->n_sub++], err);
        if (st != HEARTH_OK) {
            err_prefix(err, "%s: ", op->attrs[i].name);
            return st;
        }
    }
    HEARTH_TRY(append_captured(b, n, err));
    return control_check(n, err);
}

static hearth_status build_node(builder *b, const onnx_node *o, graph_node *n, hearth_err *err)
{
    int64_t opset = opset_of(b->m, o->domain);
    n->op = opset > 0 ? graph_find_op(o->domain, o->op, opset) : NULL;
    n->opset = (int)i64_min(opset, 1 << 20);
    if (!n->op) return no_such_op(o, opset, err);
    HEARTH_TRY(bind_inputs(b, o, n, err));
    void *params = arena_alloc(b->memory, 1, n->op->params_bytes, 16);
    if (!params) return no_memory(err);
    n->params = params;
    HEARTH_TRY(graph_read_attrs(b->memory, n->op, o, params, err));
    op_call c = {.op = n->op, .params = params, .opset = n->opset, .n_in = n->n_in,
                 .n_out = (int)trimmed(o->out, o->n_out), .err = err};
    if (n->op->check) HEARTH_TRY(n->op->check(&c));
    n->n_out = c.n_out;
    if (n->op->control != CONTROL_NONE) HEARTH_TRY(build_bodies(b, n, err));
    return bind_outputs(b, o, n, err); // after the bodies, which must not see them
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

// Every use of a name in a body, or in the bodies inside it, may capture.
static size_t count_uses(const onnx_graph *o)
{
    size_t n = o->n_outputs;
    for (size_t i = 0; i < o->n_nodes; i++) {
        const onnx_node *node = &o->nodes[i];
        n += node->n_in;
        for (size_t k = 0; k < node->n_attr; k++) {
            if (node->attr[k].graph) n += count_uses(node->attr[k].graph);
        }
    }
    return n;
}

static hearth_status reserve(builder *b, hearth_err *err)
{
    graph *g = b->g;
    const onnx_graph *o = b->o;
    size_t n_captured = b->around ? count_uses(o) : 0;
    size_t n_values = o->n_tensors + o->n_inputs + n_captured;
    for (size_t i = 0; i < o->n_nodes; i++) n_values += o->nodes[i].n_out;
    if (n_values > INT32_MAX) return err_fail(err, HEARTH_E_LIMIT, "%zu values", n_values);
    g->values = arena_new(b->memory, graph_value, n_values);
    g->nodes = arena_new(b->memory, graph_node, o->n_nodes);
    g->inputs = arena_new(b->memory, graph_port, o->n_inputs + n_captured);
    g->outputs = arena_new(b->memory, graph_port, o->n_outputs);
    g->input_value = arena_new(b->memory, int, o->n_inputs + n_captured);
    g->output_value = arena_new(b->memory, int, o->n_outputs);
    g->captured = arena_new(b->memory, int, n_captured);
    bool ok = g->values && g->nodes && g->inputs && g->outputs && g->input_value &&
              g->output_value && g->captured;
    return ok ? HEARTH_OK : no_memory(err);
}

static hearth_status build(builder *b, hearth_err *err)
{
    const onnx_graph *o = b->o;
    HEARTH_TRY(reserve(b, err));
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
    builder b = {.g = g, .memory = &g->memory, .m = m, .o = &m->graph};
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
