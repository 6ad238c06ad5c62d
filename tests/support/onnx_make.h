// Writes small ONNX files for tests: just enough of Protocol Buffers' wire format.
#ifndef HEARTH_TESTS_ONNX_MAKE_H
#define HEARTH_TESTS_ONNX_MAKE_H

#include "base/str.h"

void pb_put_int(buf *b, unsigned number, uint64_t v);
void pb_put_bytes(buf *b, unsigned number, const void *p, size_t n);
void pb_put_text(buf *b, unsigned number, const char *z);
// x float32[2, 3] -> Add(x, w) -> Relu -> y, with w float32[3] = 1, 2, -30.
void onnx_make_small(buf *out);
// One node `op` over inputs "x" (and "i", when given) of the types; `attr` is an AttributeProto.
void onnx_make_node(buf *out, const char *op, int64_t opset, int x_type, int i_type,
                    const buf *attr);
// acc = x; m times: acc = acc + x. Inputs int64 m, float32 x[2]; outputs acc and `rows`, the acc of
// every time. The body captures x.
void onnx_make_loop(buf *out);

#endif
