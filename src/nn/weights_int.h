// Private to nn/: the table of weights, for weights.c and delta.c.
#ifndef HEARTH_NN_WEIGHTS_INT_H
#define HEARTH_NN_WEIGHTS_INT_H

#include "nn/weights.h"

typedef struct weight_entry {
    dev_weight w;
    dev_buf *buf;
    const gguf_tensor *source;
    int64_t n_slices; // matrices of the tensor, one after the other; `w` is the first
    int64_t n_step;   // rows from the begin of one to the next
    bool is_apart;    // the slices are the entries from here on instead
    int64_t first;    // row of the tensor that is this weight's row 0
    bool takes_deltas;    // only nn_linear() uses it
    weight_delta *deltas; // of adapters, in the order they came
} weight_entry;

struct weights {
    const gguf *g;
    dev *d;
    weight_entry *entry;
    int32_t n, cap, n_tensors;
    uint64_t file_bytes, own_bytes, fingerprint;
};

#endif
