// qwen3moe: Qwen3-30B-A3B, 235B-A22B and their coders.
//
// qwen3 with a mixture in place of the SwiGLU; the chosen experts' weights sum to 1, there is no
// shared expert.
#include "llm/family.h"

static hearth_status configure_qwen3moe(const gguf *g, llm_config *c, hearth_err *err)
{
    (void)g;
    c->rope_neox = true;
    c->has_qk_norm = true;
    if (c->n_expert && !c->n_ff_shared) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "'%s': %lld experts and a shared one %lld wide, "
                    "expected experts and none shared", c->arch, (long long)c->n_expert,
                    (long long)c->n_ff_shared);
}

static void bind_qwen3moe_layer(llm_binder *b, llm_layer *out)
{
    llm_bind_plain_attention(b, out);
    out->attn.q_norm = llm_bind(b, "attn_q_norm.weight", b->c->d_k, 1);
    out->attn.k_norm = llm_bind(b, "attn_k_norm.weight", b->c->d_k, 1);
    llm_bind_experts(b, true, out);
}

const llm_family llm_family_qwen3moe = {
    .arch = "qwen3moe",
    .has_experts = true,
    .configure = configure_qwen3moe,
    .bind_layer = bind_qwen3moe_layer,
    .run_layer = llm_run_plain_layer,
};
