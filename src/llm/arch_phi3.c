// phi3: Microsoft's Phi-3 mini and medium, Phi-3.5 mini, Phi-4 and Phi-4 mini.
//
// llama's layer with fused matrices: "attn_qkv" holds the rows of q, k and v, "ffn_up" those of the
// gate and of up. Pairs are halves, Phi-4 mini turns a part of each head only. The long-context
// models divide the frequencies by one list of factors up to the original context and by another
// beyond, and multiply cosine and sine by rope.scaling.attn_factor. Which list it is depends on the
// length that a context was made for, not on how much of it is used, so that a position has one
// rotation. A window of attention.sliding_window (0: none) holds in every layer.
#include "llm/family.h"

static hearth_status configure_phi3(const gguf *g, llm_config *c, hearth_err *err)
{
    const float one = 1;
    uint64_t window = 0;
    bool found;
    c->rope_neox = true;
    HEARTH_TRY(gguf_get_u64(g, "phi3.attention.sliding_window", LIMIT_CONTEXT, &window, &found,
                            err));
    c->window = (int64_t)window;
    c->has_long_rope = gguf_find_tensor(g, "rope_factors_long.weight") != NULL;
    if (!c->has_long_rope) return HEARTH_OK;
    HEARTH_TRY(llm_read_number(g, c, "rope.scaling.attn_factor", 1e-6, 1e6, &one, &c->rope_attn,
                               err));
    return llm_read_size(g, c, "rope.scaling.original_context_length", LIMIT_CONTEXT, 0,
                         &c->n_ctx_short, err);
}

static void bind_phi3_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    llm_bind_fused_qkv(b, false, out);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    out->ffn_norm = llm_bind_norm(b, "ffn_norm.weight");
    out->ffn = (nn_ffn){
        .gate = llm_bind_rows(b, "ffn_up.weight", c->n_embd, 2 * c->n_ff, 0, c->n_ff),
        .up = llm_bind_rows(b, "ffn_up.weight", c->n_embd, 2 * c->n_ff, c->n_ff, c->n_ff),
        .down = llm_bind(b, "ffn_down.weight", c->n_ff, c->n_embd),
        .n_ff = c->n_ff,
    };
}

const llm_family llm_family_phi3 = {
    .arch = "phi3",
    .configure = configure_phi3,
    .bind_layer = bind_phi3_layer,
    .run_layer = llm_run_plain_layer,
};
