// Private to llm/: an open model.
#ifndef HEARTH_LLM_MODEL_INT_H
#define HEARTH_LLM_MODEL_INT_H

#include "llm/family.h"

// What follows the last layer where a text becomes one vector: projections, or a classifier.
typedef struct llm_pool {
    struct { weight_id weight, bias; int64_t n_out; } dense[2]; // WEIGHT_NONE: without
    weight_id cls, cls_bias;   // [n_embd -> n_embd], then tanh, or gelu and a norm
    nn_norm cls_norm;
    weight_id label, label_bias; // [n_embd -> n_label]
    int64_t n_label;           // 0: no classifier
    int64_t n_out;             // values of a vector
    bool is_share;             // labels are shares of 1 (softmax)
} llm_pool;

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
    weight_id positions, parts;   // tables [n_embd, n_pos], [n_embd, n_parts]; WEIGHT_NONE without
    nn_norm embd_norm;            // its weight WEIGHT_NONE: without
    llm_pool pool;
    nn_inputs inputs;             // n 0 without
    nn_stream_ends streams;       // n 0: one residual stream
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

// The fingerprint, of what is bound by now.
uint64_t model_hash(const llm_model *m);

// pooling.c. The tensors behind the last layer; none of them is required.
hearth_status pooling_bind(llm_model *m, hearth_err *err);
// Is this weight multiplied although it has one row?
bool pooling_multiplies(const llm_pool *p, weight_id id);
// The widest row between the last layer and the result.
int64_t pooling_widest(const llm_model *m);

static inline bool model_has_logits(const llm_model *m) { return m->has_head && !m->c.is_encoder; }

#endif
