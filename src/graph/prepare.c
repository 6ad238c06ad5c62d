// graph_prepare(): shapes, constants and the memory plan of a graph for given input shapes.
#include "graph/control.h"

#include <string.h>

static hearth_status no_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_NOMEM, "out of memory for the graph's values");
}

// --- structure ----------------------------------------------------------------------------------

static hearth_status bind_node(graph_session *s, int i, hearth_err *err)
{
    const graph_node *n = &s->g->nodes[i];
    const tensor **in = arena_new(&s->memory, const tensor *, (size_t)n->n_in);
    tensor **out = arena_new(&s->memory, tensor *, (size_t)n->n_out);
    if (!in || !out) return no_memory(err);
    for (int k = 0; k < n->n_in; k++) in[k] = n->in[k] < 0 ? NULL : &s->values[n->in[k]].t;
    for (int k = 0; k < n->n_out; k++) out[k] = n->out[k] < 0 ? NULL : &s->values[n->out[k]].t;
    s->nodes[i].call = (op_call){.op = n->op, .params = n->params, .opset = n->opset,
                                 .n_in = n->n_in, .n_out = n->n_out, .in = in, .out = out};
    return n->n_sub ? control_bind(s, i, err) : HEARTH_OK;
}

static hearth_status create_arrays(graph_session *s, hearth_err *err)
{
    const graph *g = s->g;
    size_t n_in = 0, n_out = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        n_in = size_max(n_in, (size_t)g->nodes[i].n_in);
        n_out = size_max(n_out, (size_t)g->nodes[i].n_out);
    }
    s->values = arena_new(&s->memory, session_value, (size_t)g->n_values);
    s->nodes = arena_new(&s->memory, session_node, (size_t)g->n_nodes);
    s->wide = arena_new(&s->memory, tensor, n_in + n_out);
    s->wide_in = arena_new(&s->memory, const tensor *, n_in);
    s->wide_out = arena_new(&s->memory, tensor *, n_out);
    if (!s->values || !s->nodes || !s->wide || !s->wide_in || !s->wide_out) return no_memory(err);
    for (int i = 0; i < g->n_values; i++) {
        s->values[i].t = g->values[i].t;
        s->values[i].state = g->values[i].is_const ? VALUE_CONST : VALUE_UNKNOWN;
        s->values[i].last_use = -1;
    }
    for (int i = 0; i < g->n_nodes; i++) HEARTH_TRY(bind_node(s, i, err));
    return HEARTH_OK;
}

// --- inputs -------------------------------------------------------------------------------------

static hearth_status check_port(const graph_port *p, const tensor *t, hearth_err *err)
{
    if (elem_bytes(t->type) == 0 || t->n_dims < 0 || t->n_dims > MAX_DIMS) {
        return err_fail(err, HEARTH_E_ARG, "no type or shape");
    }
    if (p->t.type != T_NONE && p->t.type != t->type) {
        return err_fail(err, HEARTH_E_ARG, "type %s, the model wants %s", elem_name(t->type),
                        elem_name(p->t.type));
    }
    if (p->t.n_dims >= 0 && p->t.n_dims != t->n_dims) {
        return err_fail(err, HEARTH_E_ARG, "%d dimensions, the model wants %d", t->n_dims,
                        p->t.n_dims);
    }
    int64_t n = 1;
    for (int d = 0; d < t->n_dims; d++) {
        if (p->t.n_dims >= 0 && p->t.dim[d] >= 0 && p->t.dim[d] != t->dim[d]) {
            return err_fail(err, HEARTH_E_ARG, "dimension %d is %lld, the model wants %lld", d,
                            (long long)t->dim[d], (long long)p->t.dim[d]);
        }
        if (t->dim[d] < 0 || !mul_ok_i64(n, t->dim[d], &n) || n > LIMIT_GRAPH_ITEMS) {
            return err_fail(err, HEARTH_E_ARG, "the shape is too large");
        }
    }
    return HEARTH_OK;
}

static hearth_status set_input(graph_session *s, int i, const tensor *t, bool is_known,
                               hearth_err *err)
{
    const graph_port *p = &s->g->inputs[i];
    session_value *v = &s->values[s->g->input_value[i]];
    hearth_status st = HEARTH_OK;
    if (!t && p->has_default) return HEARTH_OK;
    st = t ? check_port(p, t, err) : err_fail(err, HEARTH_E_ARG, "it is missing");
    if (st != HEARTH_OK) {
        err_prefix(err, "input '%.*s': ", STR_ARG(p->name));
        return st;
    }
    tensor_set(&v->t, t->type, t->n_dims, t->dim);
    v->t.data = is_known ? t->data : NULL;
    v->state = is_known ? VALUE_CONST : VALUE_SHAPED;
    return HEARTH_OK;
}

// --- shapes and constants -----------------------------------------------------------------------

static bool is_foldable(const graph_session *s, int i)
{
    const graph_node *n = &s->g->nodes[i];
    if (n->op->flags & OP_NO_FOLD) return false;
    for (int k = 0; k < n->n_in && !(n->op->flags & OP_BY_SHAPE); k++) {
        if (n->in[k] >= 0 && s->values[n->in[k]].state != VALUE_CONST) return false;
    }
    return true;
}

static hearth_status fold(graph_session *s, int i, hearth_err *err)
{
    const graph_node *n = &s->g->nodes[i];
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] < 0) continue;
        session_value *v = &s->values[n->out[k]];
        v->t.data = arena_alloc(&s->memory, tensor_bytes(&v->t), 1, 64);
        if (!v->t.data) return no_memory(err);
        v->state = VALUE_CONST;
    }
    size_t n_scratch;
    HEARTH_TRY(node_scratch(s, i, &n_scratch, err));
    void *scratch = n_scratch ? mem_alloc(MEM_SCRATCH, n_scratch) : NULL;
    if (n_scratch && !scratch) return no_memory(err);
    hearth_status st = node_run(s, i, scratch, err);
    mem_free(scratch);
    s->nodes[i].is_done = true;
    return st;
}

static hearth_status prepare_node(graph_session *s, int i, hearth_err *err)
{
    const graph_node *n = &s->g->nodes[i];
    session_node *sn = &s->nodes[i];
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] >= 0) s->values[n->in[k]].last_use = i;
    }
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] >= 0) s->values[n->out[k]].last_use = i;
    }
    if (!node_can_shape(s, i, false)) return HEARTH_OK;
    HEARTH_TRY(node_shape(s, i, err));
    sn->is_static = true;
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] >= 0) s->values[n->out[k]].state = VALUE_SHAPED;
    }
    if (is_foldable(s, i)) return fold(s, i, err);
    return node_scratch(s, i, &sn->scratch_bytes, err);
}

// --- the memory plan ----------------------------------------------------------------------------

// Results of static nodes live from their node to their last use, scratch for its node alone.
static int collect(graph_session *s, plan_item *items, size_t **where)
{
    int n = 0;
    for (int i = 0; i < s->g->n_nodes; i++) {
        const graph_node *node = &s->g->nodes[i];
        session_node *sn = &s->nodes[i];
        if (!sn->is_static || sn->is_done) continue;
        for (int k = 0; k < node->n_out; k++) {
            if (node->out[k] < 0) continue;
            session_value *v = &s->values[node->out[k]];
            where[n] = NULL;
            items[n++] = (plan_item){i, v->last_use, tensor_bytes(&v->t), 0};
        }
        if (!sn->scratch_bytes) continue;
        where[n] = &sn->scratch_at;
        items[n++] = (plan_item){i, i, sn->scratch_bytes, 0};
    }
    return n;
}

static void set_places(graph_session *s, const plan_item *items, size_t *const *where)
{
    int n = 0;
    for (int i = 0; i < s->g->n_nodes; i++) {
        const graph_node *node = &s->g->nodes[i];
        if (!s->nodes[i].is_static || s->nodes[i].is_done) continue;
        for (int k = 0; k < node->n_out; k++) {
            if (node->out[k] < 0) continue;
            s->values[node->out[k]].t.data = s->block + items[n++].offset;
        }
        if (s->nodes[i].scratch_bytes) *where[n] = items[n].offset, n++;
    }
}

static hearth_status plan_memory(graph_session *s, hearth_err *err)
{
    size_t cap = (size_t)s->g->n_nodes + (size_t)s->g->n_values;
    arena temp;
    arena_init(&temp, MEM_SCRATCH, LIMIT_GRAPH_MEMORY);
    plan_item *items = arena_new(&temp, plan_item, cap);
    size_t **where = arena_new(&temp, size_t *, cap);
    int *order = arena_new(&temp, int, cap);
    hearth_status st = items && where && order ? HEARTH_OK : no_memory(err);
    if (st == HEARTH_OK) {
        s->block_bytes = plan_offsets(items, collect(s, items, where), order);
        s->block = mem_alloc(MEM_SCRATCH, size_max(s->block_bytes, 64));
        if (s->block) set_places(s, items, where);
        if (!s->block) st = no_memory(err);
    }
    arena_release(&temp);
    return st;
}

// --- the whole ----------------------------------------------------------------------------------

static hearth_status prepare(graph_session *s, const tensor *const *inputs, const bool *known,
                             hearth_err *err)
{
    const graph *g = s->g;
    HEARTH_TRY(create_arrays(s, err));
    for (int i = 0; i < g->n_inputs; i++) {
        HEARTH_TRY(set_input(s, i, inputs[i], known && known[i], err));
    }
    for (int i = 0; i < g->n_nodes; i++) HEARTH_TRY(prepare_node(s, i, err));
    for (int i = 0; i < g->n_outputs; i++) s->values[g->output_value[i]].last_use = g->n_nodes;
    return plan_memory(s, err);
}

hearth_status session_prepare(const graph *g, const tensor *const *inputs, const bool *known,
                              graph_session **out, hearth_err *err)
{
    *out = NULL;
    graph_session *s = mem_alloc_zero(MEM_MODEL, 1, sizeof *s);
    if (!s) return no_memory(err);
    s->g = g;
    arena_init(&s->memory, MEM_MODEL, LIMIT_GRAPH_MEMORY);
    hearth_status st = prepare(s, inputs, known, err);
    if (st != HEARTH_OK) {
        graph_session_free(s);
        return st;
    }
    *out = s;
    return HEARTH_OK;
}

hearth_status graph_prepare(const graph *g, const tensor *const *inputs, graph_session **out,
                            hearth_err *err)
{
    return session_prepare(g, inputs, NULL, out, err);
}

void graph_session_free(graph_session *s)
{
    if (!s) return;
    for (int i = 0; s->nodes && i < s->g->n_nodes; i++) control_free(s, i);
    for (int i = 0; s->values && i < s->g->n_values; i++) mem_free(s->values[i].owned);
    mem_free(s->block);
    arena_release(&s->memory);
    mem_free(s);
}

size_t graph_arena_bytes(const graph_session *s) { return s->block_bytes; }

const tensor *graph_result(const graph_session *s, int i)
{
    return &s->values[s->g->output_value[i]].t;
}
