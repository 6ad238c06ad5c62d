// If, Loop and Scan as rows: their attributes and forms. The engine runs them (graph/control.c),
// because their bodies are graphs and bodies of operators see none.
#include "graph/op/control_ops.h"

static hearth_status check_scan(const op_call *c)
{
    const control_params *p = c->params;
    if (p->n_scan_inputs < 1 || p->n_scan_inputs > c->n_in) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld scan inputs of %d inputs",
                       (long long)p->n_scan_inputs, c->n_in);
    }
    bool fits = (!p->in_axes.given || p->in_axes.n == p->n_scan_inputs) &&
                (!p->in_backward.given || p->in_backward.n == p->n_scan_inputs);
    return fits ? HEARTH_OK : op_fail(c, HEARTH_E_FORMAT, "axes or directions of another number");
}

#define AT(field) .at = offsetof(control_params, field)
#define BODY(name_, i) \
    {.name = name_, .kind = OP_GRAPH, .is_required = true, AT(body[i])}
static const op_attr if_attrs[] = {BODY("then_branch", 0), BODY("else_branch", 1)};
static const op_attr loop_attrs[] = {BODY("body", 0)};
static const op_attr scan_attrs[] = {
    BODY("body", 0),
    {.name = "num_scan_inputs", .kind = OP_INT, .is_required = true, AT(n_scan_inputs)},
    {.name = "scan_input_axes", .kind = OP_INTS, AT(in_axes)},
    {.name = "scan_output_axes", .kind = OP_INTS, AT(out_axes)},
    {.name = "scan_input_directions", .kind = OP_INTS, AT(in_backward)},
    {.name = "scan_output_directions", .kind = OP_INTS, AT(out_backward)},
};
#define CONTROL(kind, rows) .n_out = -1, .control = (kind), OP_ATTRS(rows, control_params)
static const graph_op control_ops[] = {
    {CONTROL(CONTROL_IF, if_attrs), .name = "If", .since = 1, .in = "A"},
    {CONTROL(CONTROL_LOOP, loop_attrs), .name = "Loop", .since = 1, .in = "A?A?A*"},
    {CONTROL(CONTROL_SCAN, scan_attrs), .name = "Scan", .since = 9, .in = "A*",
     .check = check_scan},
};
OP_FAMILY(ops_control, "", control_ops);
