// Products that other operators are built from: the functions of Conv and MatMul on tensors of
// float32, float64 and int32 (which wraps), called with an op_call of {x, w[, bias]}.
#ifndef HEARTH_GRAPH_OP_PRODUCT_H
#define HEARTH_GRAPH_OP_PRODUCT_H

#include "graph/op/op.h"

// Params: window_params of op/window.h.
hearth_status conv_shape(const op_call *c);
hearth_status conv_scratch(const op_call *c, size_t *out);
hearth_status conv_run(const op_call *c);
// No params, no scratch.
hearth_status matmul_shape(const op_call *c);
hearth_status matmul_run(const op_call *c);

#endif
