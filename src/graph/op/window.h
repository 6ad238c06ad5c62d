// Sliding windows: the geometry that convolutions and pools share.
//
//   out = floor or ceil((in + pads - (kernel - 1) * dilation - 1) / stride) + 1
//   input position of window w, tap k:  w * stride + k * dilation - pad_begin
#ifndef HEARTH_GRAPH_OP_WINDOW_H
#define HEARTH_GRAPH_OP_WINDOW_H

#include "graph/op/op.h"

enum { WINDOW_DIMS = MAX_DIMS - 2 };
typedef enum auto_pad { PAD_NOTSET, PAD_SAME_UPPER, PAD_SAME_LOWER, PAD_VALID } auto_pad;

typedef struct window_params {
    op_ints kernel, strides, pads, dilations, output_padding, output_shape;
    int64_t auto_pad, group, ceil_mode, count_include_pad, storage_order, p;
} window_params;

typedef struct window {
    int n; // spatial dimensions
    int64_t kernel[WINDOW_DIMS], stride[WINDOW_DIMS], dilation[WINDOW_DIMS];
    int64_t begin[WINDOW_DIMS], end[WINDOW_DIMS]; // padding; end without what ceil mode adds
    int64_t in[WINDOW_DIMS], out[WINDOW_DIMS];
    int64_t n_in, n_out, n_taps; // products
} window;

// Geometry over x [N, C, spatial...]; `kernel` is NULL when the attribute has it.
hearth_status window_init(const op_call *c, const int64_t *kernel, window *w);
// The attributes alone; sizes of input and output stay 0.
hearth_status window_attrs(const op_call *c, const int64_t *kernel, window *w);
// n_in, n_out and n_taps from the dimensions.
hearth_status window_products(const op_call *c, window *w);
// Steps an index over dim[n]; false after the last.
bool index_next(int n, const int64_t *dim, int64_t *at);
// Offset in the input plane of tap `k` of window `o`, or -1 in the padding.
int64_t window_offset(const window *w, const int64_t *o, const int64_t *k);

#define WINDOW_AT(field) .at = offsetof(window_params, field)
#define WINDOW_ATTRS                                                                  \
    {.name = "kernel_shape", .kind = OP_INTS, WINDOW_AT(kernel)},                     \
    {.name = "strides", .kind = OP_INTS, WINDOW_AT(strides)},                         \
    {.name = "pads", .kind = OP_INTS, WINDOW_AT(pads)},                               \
    {.name = "dilations", .kind = OP_INTS, WINDOW_AT(dilations)},                     \
    {.name = "auto_pad", .kind = OP_CHOICE, WINDOW_AT(auto_pad),                      \
     .choices = "NOTSET SAME_UPPER SAME_LOWER VALID"}

#endif
