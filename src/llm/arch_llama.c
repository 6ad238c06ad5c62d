// llama and its nearest relatives: smollm3 and mistral3.
//
// llama: Llama 1 to 3, Mistral, TinyLlama, SmolLM2, Yi and others whose files say "llama".
//
//   x ---+--> norm -> q, k, v -> rope(q, k) -> attention -> o --(+)--+--> norm -> SwiGLU --(+)--> x
//        +------------------------------------------------------^    +----------------------^
//
// Rotary pairs are neighbours (2i, 2i+1): the converter to GGUF has permuted the rows of q and k
// for that. Llama 3.1 files bring "rope_freqs.weight", divisors of the frequencies (common code).
// Biases on q, k and v are optional: a few fine-tunes have them. Mixtral, a mixture of experts, is
// "llama" too: a router and experts stand for the SwiGLU, the weights of the chosen ones sum to 1.
//
// smollm3: every fourth layer knows no positions. mistral3 (Mistral Small 3, Ministral 3): queries
// beyond the original context of YaRN grow with the logarithm of their position.
#include "llm/family.h"

static hearth_status configure_llama(const gguf *g, llm_config *c, hearth_err *err)
{
    (void)err;
    c->rope_neox = false;
    c->has_qkv_bias = gguf_find_tensor(g, "blk.0.attn_q.bias") != NULL;
    return HEARTH_OK;
}

static void bind_llama_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    if (c->n_expert > 0) {
        llm_bind_plain_attention(b, out);
        llm_bind_experts(b, true, out);
    } else {
        llm_bind_plain_layer(b, out);
    }
    out->attn.q_bias = llm_bind_optional(b, "attn_q.bias", c->n_head * c->d_k, 1);
    out->attn.k_bias = llm_bind_optional(b, "attn_k.bias", c->n_head_kv * c->d_k, 1);
    out->attn.v_bias = llm_bind_optional(b, "attn_v.bias", c->n_head_kv * c->d_v, 1);
}

const llm_family llm_family_llama = {
    .arch = "llama",
    .has_experts = true,
    .configure = configure_llama,
    .bind_layer = bind_llama_layer,
    .run_layer = llm_run_plain_layer,
};

static hearth_status configure_smollm3(const gguf *g, llm_config *c, hearth_err *err)
{
    c->no_rope_period = 4;
    return configure_llama(g, c, err);
}

const llm_family llm_family_smollm3 = {
    .arch = "smollm3",
    .configure = configure_smollm3,
    .bind_layer = bind_llama_layer,
    .run_layer = llm_run_plain_layer,
};

static hearth_status configure_mistral3(const gguf *g, llm_config *c, hearth_err *err)
{
    const float none = 0;
    HEARTH_TRY(configure_llama(g, c, err));
    HEARTH_TRY(llm_read_number(g, c, "attention.temperature_scale", 0, 1e3, &none, &c->heat, err));
    c->heat_length = c->has_yarn ? c->n_ctx_short : c->n_ctx_train;
    return HEARTH_OK;
}

const llm_family llm_family_mistral3 = {
    .arch = "mistral3",
    .has_experts = true,
    .configure = configure_mistral3,
    .bind_layer = bind_llama_layer,
    .run_layer = llm_run_plain_layer,
};
