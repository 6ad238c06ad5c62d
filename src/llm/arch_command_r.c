// command-r: Cohere's Command R (and Aya 23); cohere2: Command R7B and Command A.
//
//             +--> attention --+
//   x -> norm +                +--(+)--> x        both blocks see the same input
//   |         +--> SwiGLU -----+   ^
//   +------------------------------+
//
// LayerNorm without bias, one per layer; rotary pairs are neighbours (the network's own order, not
// a permutation); the output is the embedding and logits are multiplied by logit_scale. Command R+
// has norms of q and k: its tensors are refused by name.
//
// cohere2: three layers with a window, then one
// that attends to everything and knows no positions.
#include "llm/family.h"

static hearth_status configure_command_r(const gguf *g, llm_config *c, hearth_err *err)
{
    c->rope_neox = false;
    c->is_parallel = true;
    return llm_read_number(g, c, "logit_scale", 1e-6, 1e6, NULL, &c->logit_scale, err);
}

static hearth_status configure_cohere2(const gguf *g, llm_config *c, hearth_err *err)
{
    c->local_period = c->no_rope_period = 4;
    HEARTH_TRY(configure_command_r(g, c, err));
    HEARTH_TRY(llm_read_size(g, c, "attention.sliding_window", LIMIT_CONTEXT, 0, &c->window, err));
    return llm_check_pattern(g, c, err);
}

static void bind_command_r_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    out->attn.q = llm_bind(b, "attn_q.weight", c->n_embd, c->n_head * c->d_k);
    out->attn.k = llm_bind(b, "attn_k.weight", c->n_embd, c->n_head_kv * c->d_k);
    out->attn.v = llm_bind(b, "attn_v.weight", c->n_embd, c->n_head_kv * c->d_v);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    llm_bind_feed_forward(b, out);
}

const llm_family llm_family_command_r = {
    .arch = "command-r",
    .has_layer_norm = true,
    .configure = configure_command_r,
    .bind_layer = bind_command_r_layer,
    .run_layer = llm_run_parallel_layer,
};

const llm_family llm_family_cohere2 = {
    .arch = "cohere2",
    .has_layer_norm = true,
    .configure = configure_cohere2,
    .bind_layer = bind_command_r_layer,
    .run_layer = llm_run_parallel_layer,
};
