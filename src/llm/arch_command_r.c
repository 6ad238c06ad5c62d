// command-r: Cohere's Command R (and Aya 23).
//
//             +--> attention --+
//   x -> norm +                +--(+)--> x        both blocks see the same input
//   |         +--> SwiGLU -----+   ^
//   +------------------------------+
//
// LayerNorm without bias, one per layer; rotary pairs are neighbours (the network's own order, not
// a permutation); the output is the embedding and logits are multiplied by logit_scale. Command R+
// has norms of q and k: its tensors are refused by name.
#include "llm/family.h"

static hearth_status configure_command_r(const gguf *g, llm_config *c, hearth_err *err)
{
    c->rope_neox = false;
    c->is_parallel = true;
    return llm_read_number(g, c, "logit_scale", 1e-6, 1e6, NULL, &c->logit_scale, err);
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

static hearth_status run_command_r_layer(const nn_run *r, const llm_layer *l,
                                         const nn_memory *mem, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = r->n_rows * l->attn_norm.n;
    HEARTH_TRY(nn_apply_norm(r, &l->attn_norm, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_feed_forward_to(r, &l->ffn, r->beside, err));
    HEARTH_TRY(nn_attention(r, &l->attn, mem, err));
    ops->add(r->d, r->x, r->h, n, r->x);
    ops->add(r->d, r->x, r->beside, n, r->x);
    return HEARTH_OK;
}

const llm_family llm_family_command_r = {
    .arch = "command-r",
    .has_layer_norm = true,
    .configure = configure_command_r,
    .bind_layer = bind_command_r_layer,
    .run_layer = run_command_r_layer,
};
