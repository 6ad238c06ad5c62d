// graph_run(): the nodes in order, and memory for those whose shapes come with the values.
#include "graph/control.h"

static hearth_status no_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_NOMEM, "out of memory for a value");
}

void session_drop(session_value *v)
{
    if (!v->owned) return;
    mem_free(v->owned);
    v->owned = NULL;
    v->t.data = NULL;
}

static hearth_status set_inputs(graph_session *s, const tensor *const *inputs, hearth_err *err)
{
    const graph *g = s->g;
    for (int i = 0; i < g->n_inputs; i++) {
        session_value *v = &s->values[g->input_value[i]];
        if (v->state == VALUE_CONST) continue;
        bool same = inputs[i] && inputs[i]->type == v->t.type &&
                    tensor_same_shape(inputs[i], &v->t);
        if (!same) {
            return err_fail(err, HEARTH_E_ARG, "input '%.*s' is not what was prepared for",
                            STR_ARG(g->inputs[i].name));
        }
        v->t.data = inputs[i]->data;
    }
    return HEARTH_OK;
}

static hearth_status alloc_results(graph_session *s, int node, hearth_err *err)
{
    const graph_node *n = &s->g->nodes[node];
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] < 0) continue;
        session_value *v = &s->values[n->out[k]];
        session_drop(v);
        v->owned = mem_alloc(MEM_SCRATCH, size_max(tensor_bytes(&v->t), 1));
        if (!v->owned) return no_memory(err);
        v->t.data = v->owned;
    }
    return HEARTH_OK;
}

static hearth_status run_dynamic(graph_session *s, int node, hearth_err *err)
{
    size_t n_scratch;
    const graph_node *n = &s->g->nodes[node];
    if (n->op->control != CONTROL_NONE) return node_blame(n, control_run(s, node, err), err);
    ASSERT(node_can_shape(s, node, true));
    HEARTH_TRY(node_shape(s, node, err));
    HEARTH_TRY(node_scratch(s, node, &n_scratch, err));
    HEARTH_TRY(alloc_results(s, node, err));
    void *scratch = n_scratch ? mem_alloc(MEM_SCRATCH, n_scratch) : NULL;
    if (n_scratch && !scratch) return no_memory(err);
    hearth_status st = node_run(s, node, scratch, err);
    mem_free(scratch);
    return st;
}

// Values whose last reader was this node give their heap blocks back; planned ones need nothing.
static void release_inputs(graph_session *s, int node)
{
    const graph_node *n = &s->g->nodes[node];
    for (int k = 0; k < n->n_in; k++) {
        if (n->in[k] < 0) continue;
        session_value *v = &s->values[n->in[k]];
        if (v->last_use == node) session_drop(v);
    }
}

hearth_status graph_run(graph_session *s, const tensor *const *inputs, hearth_err *err)
{
    HEARTH_TRY(set_inputs(s, inputs, err));
    for (int i = 0; i < s->g->n_nodes; i++) {
        const session_node *n = &s->nodes[i];
        if (n->is_done) continue;
        if (n->is_static) {
            HEARTH_TRY(node_run(s, i, s->block + n->scratch_at, err));
        } else {
            HEARTH_TRY(run_dynamic(s, i, err));
        }
        release_inputs(s, i);
    }
    return HEARTH_OK;
}
