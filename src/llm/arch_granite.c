// granite: IBM's Granite 3 (dense).
//
// llama with four factors: token embeddings times embedding_scale, scores times attention.scale
// instead of 1 / sqrt(d_k), the output of a block times residual_scale, logits divided by
// logit_scale. Rotary pairs are neighbours, as in llama.
#include "llm/family.h"

static hearth_status configure_granite(const gguf *g, llm_config *c, hearth_err *err)
{
    const float one = 1, none = 0;
    float divisor = 1;
    bool is_turned = true, found;
    HEARTH_TRY(gguf_get_bool(g, "granite.rope.scaling.finetuned", &is_turned, &found, err));
    if (!is_turned)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "key 'granite.rope.scaling.finetuned': models without rotation are not "
                        "supported");
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
