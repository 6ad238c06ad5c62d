// olmo2: AllenAI's OLMo 2 and 3.
//
//   x --+--> q, k, v -> norm(q), norm(k) -> rope(q, k) -> attention -> o -> norm --(+)--+
//       +---------------------------------------------------------------------------^   |
//                                          x <--(+)-- norm <- SwiGLU <-------------+----+
//                                                ^---------------------------------+
//
// No norm before a block, one after it. The norms of q and k go over all heads at once. Pairs are
// halves. OLMo 3 says "olmo2" too and has a window in three of four layers, whose rotation is not
// stretched by YaRN.
#include "llm/family.h"

static hearth_status configure_olmo2(const gguf *g, llm_config *c, hearth_err *err)
{
    uint64_t window = 0;
    bool found;
    c->rope_neox = true;
    c->has_qk_norm = true;
    HEARTH_TRY(gguf_get_u64(g, "olmo2.attention.sliding_window", LIMIT_CONTEXT, &window, &found,
                            err));
    c->window = (int64_t)window;
    if (!c->window) return HEARTH_OK;
    c->local_period = 4;
    c->rope_base_local = c->rope_base;
    return llm_check_pattern(g, c, err);
}

static void bind_olmo2_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    int64_t n_q = c->n_head * c->d_k, n_k = c->n_head_kv * c->d_k;
    llm_set_attention(b, out);
    out->attn.q = llm_bind(b, "attn_q.weight", c->n_embd, n_q);
    out->attn.k = llm_bind(b, "attn_k.weight", c->n_embd, n_k);
    out->attn.v = llm_bind(b, "attn_v.weight", c->n_embd, c->n_head_kv * c->d_v);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    out->attn.q_norm = llm_bind(b, "attn_q_norm.weight", n_q, 1);
    out->attn.k_norm = llm_bind(b, "attn_k_norm.weight", n_k, 1);
    out->attn.norms_all = true;
    out->attn_post = llm_bind_norm(b, "post_attention_norm.weight");
    llm_bind_feed_forward(b, out);
    out->ffn_post = llm_bind_norm(b, "post_ffw_norm.weight");
}

const llm_family llm_family_olmo2 = {
    .arch = "olmo2",
    .configure = configure_olmo2,
    .bind_layer = bind_olmo2_layer,
    .run_layer = llm_run_plain_layer,
};
