// Private to llm/: a context, and the plan of its memory.
#ifndef HEARTH_LLM_CTX_INT_H
#define HEARTH_LLM_CTX_INT_H

#include <stdatomic.h>

#include "llm/cache.h"
#include "llm/model_int.h"

// Byte offsets into a context's two scratch blocks: one on the device, one on the host.
typedef struct ctx_layout {
    llm_ctx_options o; // as given, rounded and bounded
    cache_shape cache;
    // device
    size_t x, h, q, k, v, att, gate, up, experts, route, angles, local_angles, beside, own;
    size_t picked, pooled, logits, narrow, wide, scratch;
    size_t n_scratch;          // bytes of it
    int64_t n_narrow, n_wide;  // floats
    uint64_t device_bytes;
    // host
    size_t host_rows, host_state_rows, host_ids, host_slot, host_want, host_logits, host_hidden;
    size_t host_share, host_input; // of a context for vectors
    size_t host_choice[11]; // of a mixture of experts, in the order of nn_choice
    uint64_t host_bytes;
} ctx_layout;

struct llm_ctx {
    const llm_model *m;
    ctx_layout l;
    llm_cache cache;
    void *cache_host;
    dev_buf *scratch;
    nn_run run;
    dev_attn_row *rows; // [cache.n_group][n_batch]
    dev_state_row *state_rows; // [n_batch] where layers have a recurrent state
    int32_t *ids;       // [n_batch] arguments of gather, select and rope_angles
    int32_t *slot;      // [n_batch] of row i in logits and hidden, -1 without
    uint8_t *want;      // [n_batch]
    float *logits;      // [n_logits][n_vocab]
    float *hidden;      // [n_logits][n_embd]; of a context for vectors, those: [n_logits][n_out]
    float *share;       // [n_batch] what a row counts in a mean
    llm_row *input;     // [n_batch] of llm_embed()
    int n_rows;         // of the last step that succeeded
    atomic_bool is_canceled;
};

// Does the context use the rotary factors of long contexts? Fixed from its creation.
static inline bool ctx_is_long(const llm_ctx *c)
{
    return c->m->c.has_long_rope && c->l.o.n_ctx > c->m->c.n_ctx_short;
}

// HEARTH_E_ARG, HEARTH_E_LIMIT or HEARTH_E_UNSUPPORTED when the options cannot be had.
hearth_status ctx_plan(const llm_model *m, const llm_ctx_options *o, ctx_layout *out,
                       hearth_err *err);

// pooling.c: the vectors of the step's texts, after the last layer.
hearth_status pooling_run(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err);

#endif
