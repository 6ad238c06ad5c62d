// Private to llm/: an open model.
#ifndef HEARTH_LLM_MODEL_INT_H
#define HEARTH_LLM_MODEL_INT_H

#include "llm/family.h"

struct llm_model {
    llm_config c;
    const llm_family *family;
    dev *d;
    weights *w;
    int64_t layer_first, n_layer; // the range that is loaded
    bool has_embedding, has_head; // does the range begin at 0, does it reach the end
    weight_id embedding;          // WEIGHT_NONE without
    nn_norm out_norm;
    weight_id output;             // the embedding when tied
    weight_id output_bias;        // WEIGHT_NONE: without
    llm_layer *layer;             // [n_layer]
    llm_memory *memory;           // [n_layer]; `shares` counts from the range's begin
    float *inv_freq;              // [n_rot / 2]
    dev_rope rope;
    float *local_freq;            // [n_rot / 2] of local layers
    dev_rope local_rope;
    float *long_freq;             // [n_rot / 2] of contexts above n_ctx_short
    dev_rope long_rope;
    uint64_t fingerprint;         // of configuration, layer range and tensors
    uint64_t own_bytes;           // under MEM_MODEL
    uint64_t n_parameters;        // of the whole file
};

#endif
