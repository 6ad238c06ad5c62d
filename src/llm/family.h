// What a family of models has to say; one file arch_<family>.c each.
//
// A family is a row of functions: what its files leave unsaid (configure), which tensors a layer
// has (bind_layer), and in what order its blocks run (run_layer). Everything else (embedding,
// cache, output head, batches) is common. Adding a family: write arch_<name>.c, add its row to
// families.c.
#ifndef HEARTH_LLM_FAMILY_H
#define HEARTH_LLM_FAMILY_H

#include "llm/llm.h"
#include "nn/block.h"

// One layer. A field that a family does not use holds WEIGHT_NONE or zero.
typedef struct llm_layer {
    nn_norm attn_norm;
    nn_attn attn;
    nn_norm ffn_norm;
    nn_ffn ffn;
    nn_moe moe; // instead of ffn where n_expert > 0
} llm_layer;

// Binds tensors "blk.<layer>.<name>"; keeps the first failure, so that a list of bindings is
// checked once, at its end.
typedef struct llm_binder {
    weights *w;
    const llm_config *c;
    const dev_rope *rope;
    int64_t layer;
    hearth_status failed;
    hearth_err *err;
} llm_binder;
weight_id llm_bind(llm_binder *b, const char *name, int64_t n_in, int64_t n_out);
weight_id llm_bind_optional(llm_binder *b, const char *name, int64_t n_in, int64_t n_out);

typedef struct llm_family {
    const char *arch; // general.architecture
    bool has_experts; // may "expert_count" be above 0?
    // Keys and tensors that this family alone has; the common ones are read already.
    hearth_status (*configure)(const gguf *g, llm_config *c, hearth_err *err);
    void (*bind_layer)(llm_binder *b, llm_layer *out);
    hearth_status (*run_layer)(const nn_run *r, const llm_layer *l, const dev_cache *cache,
                               hearth_err *err);
} llm_family;

extern const llm_family llm_family_llama, llm_family_qwen2, llm_family_qwen2moe, llm_family_qwen3,
    llm_family_qwen3moe;

// HEARTH_E_UNSUPPORTED that lists what is there.
hearth_status llm_family_find(str arch, const llm_family **out, hearth_err *err);

// Shared by families: the tensors of a plain layer (norm, q, k, v, o, norm, gate, up, down), and
//   x += attention(norm(x));  x += feed_forward(norm(x))
void llm_bind_plain_layer(llm_binder *b, llm_layer *out);
// Norms and attention of a plain layer; the router and the experts of a mixture.
void llm_bind_plain_attention(llm_binder *b, llm_layer *out);
void llm_bind_experts(llm_binder *b, bool normalize, llm_layer *out);
hearth_status llm_run_prenorm_layer(const nn_run *r, const llm_layer *l, const dev_cache *cache,
                                    hearth_err *err);

#endif
