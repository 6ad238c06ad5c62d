// starcoder2: StarCoder2 3B to 15B.
//
// llama's order of blocks with LayerNorm and biases everywhere: on norms, q, k, v, o, up and down.
// The feed-forward has no gate: down(gelu(up h)). Pairs are halves. The published networks attend
// within attention.sliding_window where the file has that key (0: none); converters of 2024 leave
// it out, their files attend to everything.
#include "llm/family.h"

static hearth_status configure_starcoder2(const gguf *g, llm_config *c, hearth_err *err)
{
    uint64_t window = 0;
    bool found;
    HEARTH_TRY(gguf_get_u64(g, "starcoder2.attention.sliding_window", LIMIT_CONTEXT, &window,
                            &found, err));
    c->window = (int64_t)window;
    c->rope_neox = true;
    c->has_qkv_bias = true;
    c->has_norm_bias = true;
    return HEARTH_OK;
}

static void bind_starcoder2_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_bind_plain_attention(b, out);
    llm_bind_qkv_bias(b, out);
    out->attn.o_bias = llm_bind(b, "attn_output.bias", c->n_embd, 1);
    llm_bind_plain_feed_forward(b, out);
}

const llm_family llm_family_starcoder2 = {
    .arch = "starcoder2",
    .has_layer_norm = true,
    .configure = configure_starcoder2,
    .bind_layer = bind_starcoder2_layer,
    .run_layer = llm_run_plain_layer,
};
