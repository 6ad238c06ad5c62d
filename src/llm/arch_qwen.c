// qwen: the first Qwen (1.8B to 72B, 2023).
//
// llama's layer with q, k and v as the rows of one matrix with one bias, no other biases; pairs are
// halves. Its "feed_forward_length" counts gate and up together: each has half as many rows.
// Stretched frequencies and logarithmic attention of long inputs are not in the files.
#include "llm/family.h"

static hearth_status configure_qwen(const gguf *g, llm_config *c, hearth_err *err)
{
    (void)g;
    c->rope_neox = true;
    c->has_qkv_bias = true;
    if (c->n_ff % 2)
        return err_fail(err, HEARTH_E_FORMAT, "key 'qwen.feed_forward_length': %lld is odd",
                        (long long)c->n_ff);
    c->n_ff /= 2;
    return HEARTH_OK;
}

static void bind_qwen_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    llm_bind_fused_qkv(b, true, out);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    out->ffn_norm = llm_bind_norm(b, "ffn_norm.weight");
    llm_bind_feed_forward(b, out);
}

const llm_family llm_family_qwen = {
    .arch = "qwen",
    .configure = configure_qwen,
    .bind_layer = bind_qwen_layer,
    .run_layer = llm_run_plain_layer,
};
