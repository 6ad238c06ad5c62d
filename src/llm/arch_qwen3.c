// qwen3: the dense Qwen3 models, their embedders and rerankers.
//
//   x ---+--> norm -> q, k, v -> norm(q), norm(k) per head -> rope(q, k) -> attention -> o --(+)--+
//        +----------------------------------------------------------------------------------^     |
//                                                  x <--(+)-- SwiGLU <- norm <-------+------------+
//                                                        ^---------------------------+
//
// No biases. The norms of q and k have one weight vector of a head's size, shared by all heads. The
// size of a head is its own key (attention.key_length), not n_embd / n_head. Pairs are halves.
#include "llm/family.h"

static hearth_status configure_qwen3(const gguf *g, llm_config *c, hearth_err *err)
{
    (void)g;
    (void)err;
    c->rope_neox = true;
    c->has_qk_norm = true;
    return HEARTH_OK;
}

static void bind_qwen3_layer(llm_binder *b, llm_layer *out)
{
    llm_bind_plain_layer(b, out);
    out->attn.q_norm = llm_bind(b, "attn_q_norm.weight", b->c->d_k, 1);
    out->attn.k_norm = llm_bind(b, "attn_k_norm.weight", b->c->d_k, 1);
}

const llm_family llm_family_qwen3 = {
    .arch = "qwen3",
    .configure = configure_qwen3,
    .bind_layer = bind_qwen3_layer,
    .run_layer = llm_run_plain_layer,
};
