// A graph for readers: inputs, nodes with the shapes that are known, outputs.
#include "graph/graph_int.h"

static void put_shape(buf *out, const tensor *t)
{
    buf_printf(out, "%s", t->type == T_NONE ? "?" : elem_name(t->type));
    if (t->n_dims < 0) {
        buf_append_str(out, STR("[?]"));
        return;
    }
    buf_append_char(out, '[');
    for (int d = 0; d < t->n_dims; d++) {
        if (d) buf_append_char(out, ',');
        if (t->dim[d] < 0) {
            buf_append_char(out, '?');
        } else {
            buf_printf(out, "%lld", (long long)t->dim[d]);
        }
    }
    buf_append_char(out, ']');
}

static const tensor *known(const graph *g, const graph_session *s, int value)
{
    return s ? &s->values[value].t : &g->values[value].t;
}

static void put_value(buf *out, const graph *g, int value)
{
    if (value < 0) {
        buf_append_char(out, '-');
        return;
    }
    buf_printf(out, "%.*s", STR_ARG(g->values[value].name));
}

static void put_node(buf *out, const graph *g, const graph_session *s, int i)
{
    const graph_node *n = &g->nodes[i];
    buf_printf(out, "%5d  ", i);
    for (int k = 0; k < n->n_out; k++) {
        if (k) buf_append_str(out, STR(", "));
        put_value(out, g, n->out[k]);
        if (n->out[k] < 0) continue;
        const tensor *t = known(g, s, n->out[k]);
        if (t->type == T_NONE && t->n_dims < 0) continue;
        buf_append_char(out, ' ');
        put_shape(out, t);
    }
    buf_printf(out, " = %s(", n->op->name);
    for (int k = 0; k < n->n_in; k++) {
        if (k) buf_append_str(out, STR(", "));
        put_value(out, g, n->in[k]);
    }
    buf_append_str(out, STR(")"));
    if (s && s->nodes[i].is_done) buf_append_str(out, STR("  constant"));
    if (s && !s->nodes[i].is_static) buf_append_str(out, STR("  shape from values"));
    buf_append_char(out, '\n');
}

hearth_status graph_print(const graph *g, const graph_session *s, buf *out)
{
    for (int i = 0; i < g->n_inputs; i++) {
        buf_printf(out, "input  %.*s ", STR_ARG(g->inputs[i].name));
        put_shape(out, &g->inputs[i].t);
        buf_append_str(out, g->inputs[i].has_default ? STR(" (has a default)\n") : STR("\n"));
    }
    for (int i = 0; i < g->n_nodes; i++) put_node(out, g, s, i);
    for (int i = 0; i < g->n_outputs; i++) {
        buf_printf(out, "output %.*s ", STR_ARG(g->outputs[i].name));
        put_shape(out, s ? &s->values[g->output_value[i]].t : &g->outputs[i].t);
        buf_append_char(out, '\n');
    }
    return out->failed;
}
