// qwen2moe: Qwen1.5-MoE and Qwen2-57B-A14B.
//
// qwen2 with a mixture in place of the SwiGLU: the softmax of the router is not divided by the sum
// of the chosen experts, and one shared expert takes every row, weighed by the sigmoid of its own
// gate (one number per row).
#include "llm/family.h"

static hearth_status configure_qwen2moe(const gguf *g, llm_config *c, hearth_err *err)
{
    (void)g;
    c->rope_neox = true;
    c->has_qkv_bias = true;
    if (c->n_expert && c->n_ff_shared) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "'%s': %lld experts and a shared one %lld wide: both "
                    "'expert_count' and 'expert_shared_feed_forward_length' are needed", c->arch,
                    (long long)c->n_expert, (long long)c->n_ff_shared);
}

static void bind_qwen2moe_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_bind_plain_attention(b, out);
    llm_bind_qkv_bias(b, out);
    llm_bind_experts(b, false, out);
    out->moe.shared_gate = llm_bind(b, "ffn_gate_inp_shexp.weight", c->n_embd, 1);
    llm_bind_shared_expert(b, out);
}

const llm_family llm_family_qwen2moe = {
    .arch = "qwen2moe",
    .has_experts = true,
    .configure = configure_qwen2moe,
    .bind_layer = bind_qwen2moe_layer,
    .run_layer = llm_run_plain_layer,
};
