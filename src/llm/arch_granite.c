// granite: IBM's Granite 3 and the dense Granite 4; granitemoe: their mixtures of experts.
//
// llama with four factors: token embeddings times embedding_scale, scores times attention.scale
// instead of 1 / sqrt(d_k), the output of a block times residual_scale, logits divided by
// logit_scale. Rotary pairs are neighbours, as in llama; "rope.scaling.finetuned" false means that
// nothing is rotated. Weights of chosen experts sum to 1, a shared one takes every row as it is.
#include "llm/family.h"

#include <stdio.h>

static hearth_status configure_granite(const gguf *g, llm_config *c, hearth_err *err)
{
    const float one = 1, none = 0;
    float divisor = 1;
    bool is_turned = true, found;
    char key[64];
    snprintf(key, sizeof key, "%s.rope.scaling.finetuned", c->arch);
    HEARTH_TRY(gguf_get_bool(g, key, &is_turned, &found, err));
    c->no_rope_period = is_turned ? 0 : 1;
    HEARTH_TRY(llm_read_number(g, c, "embedding_scale", 1e-6, 1e6, &one, &c->embd_scale, err));
    HEARTH_TRY(llm_read_number(g, c, "residual_scale", 1e-6, 1e6, &one, &c->residual_scale, err));
    HEARTH_TRY(llm_read_number(g, c, "attention.scale", 0, 1e6, &none, &c->attn_scale, err));
    HEARTH_TRY(llm_read_number(g, c, "logit_scale", 1e-6, 1e6, NULL, &divisor, err));
    c->logit_scale = 1 / divisor;
    c->rope_neox = false;
    return HEARTH_OK;
}

const llm_family llm_family_granite = {
    .arch = "granite",
    .configure = configure_granite,
    .bind_layer = llm_bind_plain_layer,
    .run_layer = llm_run_plain_layer,
};

static void bind_granitemoe_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_bind_plain_attention(b, out);
    if (!c->n_expert) {
        llm_bind_feed_forward(b, out);
        return;
    }
    llm_bind_experts(b, true, out);
    if (c->n_ff_shared) llm_bind_shared_expert(b, out);
}

const llm_family llm_family_granitemoe = {
    .arch = "granitemoe",
    .has_experts = true,
    .configure = configure_granite,
    .bind_layer = bind_granitemoe_layer,
    .run_layer = llm_run_plain_layer,
};
