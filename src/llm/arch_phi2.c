// phi2: Microsoft's Phi-1, Phi-1.5 and Phi-2.
//
//             +--> attention --------------+
//   x -> norm +                            +--(+)--> x        both blocks see the same input
//   |         +--> down(gelu(up h)) -------+   ^
//   +------------------------------------------+
//
// LayerNorm with bias, one per layer; biases on every matrix, the output's too. Pairs are halves of
// the first part of a head. q, k and v are three tensors or, in older files, the rows of one.
#include "llm/family.h"

static hearth_status configure_phi2(const gguf *g, llm_config *c, hearth_err *err)
{
    (void)g;
    (void)err;
    c->rope_neox = true;
    c->is_parallel = true;
    c->has_norm_bias = c->has_qkv_bias = c->has_head_bias = true;
    return HEARTH_OK;
}

static void bind_phi2_qkv(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    if (llm_has(b, "attn_qkv.weight")) {
        llm_bind_fused_qkv(b, true, out);
        return;
    }
    out->attn.q = llm_bind(b, "attn_q.weight", c->n_embd, c->n_head * c->d_k);
    out->attn.k = llm_bind(b, "attn_k.weight", c->n_embd, c->n_head_kv * c->d_k);
    out->attn.v = llm_bind(b, "attn_v.weight", c->n_embd, c->n_head_kv * c->d_v);
    llm_bind_qkv_bias(b, out);
}

static void bind_phi2_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    bind_phi2_qkv(b, out);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    out->attn.o_bias = llm_bind(b, "attn_output.bias", c->n_embd, 1);
    llm_bind_plain_feed_forward(b, out);
}

const llm_family llm_family_phi2 = {
    .arch = "phi2",
    .has_layer_norm = true,
    .configure = configure_phi2,
    .bind_layer = bind_phi2_layer,
    .run_layer = llm_run_parallel_layer,
};
