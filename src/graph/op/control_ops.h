// Attributes of If, Loop and Scan, as the engine reads them.
#ifndef HEARTH_GRAPH_OP_CONTROL_OPS_H
#define HEARTH_GRAPH_OP_CONTROL_OPS_H

#include "graph/op/op.h"

typedef struct control_params {
    const struct onnx_graph *body[2]; // If: then, else
    int64_t n_scan_inputs;
    op_ints in_axes, out_axes, in_backward, out_backward; // of Scan; backward: 0 or 1
} control_params;

#endif
