// modern-bert: ModernBERT and its derivatives (GTE, Granite Embedding R2).
//
//   token -> norm -> x --+--> norm -> attention --(+)--+--> norm -> GeGLU --(+)--> x
//                        +--------------------------^  +--------------------^
//
// LayerNorm without bias; the first layer has no norm before attention, since the embedding's own
// stands there. Layers 0, 3, 6 .. are global, the others see sliding_window / 2 positions to each
// side and turn by a base of their own. Pairs are halves. "attn_qkv" holds q, k and v, "ffn_up" the
// gate's rows and then those of up. The gate's activation is gelu by the error function unless the
// file says silu.
#include "llm/family.h"

static hearth_status configure_modern_bert(const gguf *g, llm_config *c, hearth_err *err)
{
    const float local_base = 10000;
    str act = STR("gelu");
    bool found;
    c->is_encoder = c->is_window_centred = c->is_global_first = true;
    c->rope_neox = true;
    c->has_embd_norm = true;
    HEARTH_TRY(llm_read_size(g, c, "attention.sliding_window", LIMIT_CONTEXT, 0, &c->window, err));
    HEARTH_TRY(llm_read_size(g, c, "attention.sliding_window_pattern", LIMIT_LAYERS, 3,
                             &c->local_period, err));
    HEARTH_TRY(llm_read_number(g, c, "rope.freq_base_swa", 1e-3, 1e12, &local_base,
                               &c->rope_base_local, err));
    HEARTH_TRY(gguf_get_str(g, "modern-bert.hidden_activation", &act, &found, err));
    c->has_silu = str_eq_z(act, "silu");
    if (c->has_silu || str_eq_z(act, "gelu")) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "key 'modern-bert.hidden_activation': '%.*s' is neither gelu nor silu",
                    STR_ARG(act));
}

static void bind_modern_bert_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_set_attention(b, out);
    if (b->layer > 0) out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    llm_bind_fused_qkv(b, false, out);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    out->ffn_norm = llm_bind_norm(b, "ffn_norm.weight");
    out->ffn = (nn_ffn){
        .gate = llm_bind_rows(b, "ffn_up.weight", c->n_embd, 2 * c->n_ff, 0, c->n_ff),
        .up = llm_bind_rows(b, "ffn_up.weight", c->n_embd, 2 * c->n_ff, c->n_ff, c->n_ff),
        .down = llm_bind(b, "ffn_down.weight", c->n_ff, c->n_embd),
        .n_ff = c->n_ff,
        .is_gelu = !c->has_silu, .is_exact = true,
    };
}

const llm_family llm_family_modern_bert = {
    .arch = "modern-bert",
    .has_layer_norm = true,
    .configure = configure_modern_bert,
    .bind_layer = bind_modern_bert_layer,
    .run_layer = llm_run_plain_layer,
};
