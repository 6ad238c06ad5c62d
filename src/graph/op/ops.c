// The families of operators that the engine knows.
#include "graph/op/op.h"

extern const op_family ops_unary, ops_binary, ops_cast, ops_move, ops_reduce, ops_matmul, ops_conv,
    ops_pool, ops_norm, ops_constant, ops_gather, ops_quant, ops_loss, ops_topk, ops_resize,
    ops_qlinear, ops_qlinear_ms, ops_control, ops_recurrent, ops_attention,
    ops_state, ops_signal, ops_sample, ops_boxes;

const op_family *const op_families[] = {
    &ops_unary, &ops_binary, &ops_cast, &ops_move, &ops_reduce, &ops_matmul, &ops_conv, &ops_pool,
    &ops_norm, &ops_constant, &ops_gather, &ops_quant, &ops_loss, &ops_topk, &ops_resize,
    &ops_qlinear, &ops_qlinear_ms, &ops_control, &ops_recurrent, &ops_attention, &ops_state,
    &ops_signal, &ops_sample, &ops_boxes, NULL,
};
