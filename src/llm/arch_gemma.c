// gemma, gemma2, gemma3 (text), gemma-embedding: Google's Gemma 1 to 3, EmbeddingGemma.
//
//   gemma      x --+--> norm -> attention --(+)--+--> norm -> GeGLU --(+)--> x
//                  +-------------------------^   +---------------------^
//   gemma2, 3  x --+--> norm -> attention -> norm --(+)--+--> norm -> GeGLU -> norm --(+)--> x
//                  +---------------------------------^   +-----------------------------^
//
// Token embeddings are multiplied by sqrt(n_embd); the output matrix is the embedding. The norms of
// the networks multiply by 1 + w: files hold that sum. The size of a head is its own key (256),
// pairs are halves, the gate's activation is gelu in its tanh form.
//
// gemma2: layers 0, 2, 4 .. attend within a window; scores and logits have soft caps.
// gemma3: five local layers, then a global one; norms of q and k per head; local layers have base
// 10000 and no scaling, global ones by rope.freq_base (and linear scaling from 4B on).
// Scores are scaled by 1 / sqrt(d_k) except in the two 27B models (46 and 62 layers), by
// 1 / sqrt(n_embd / n_head); files do not say which, but may hold attention.scale.
//
// gemma-embedding is gemma3's network with every row seeing its whole text; in local layers,
// sliding_window / 2 positions to each side.
#include "llm/family.h"

#include <math.h>

static hearth_status configure_gemma(const gguf *g, llm_config *c, hearth_err *err)
{
    (void)g;
    c->rope_neox = true;
    c->embd_scale = sqrtf((float)c->n_embd);
    if (c->is_tied) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "tensor 'output.weight': '%s' models share the embedding with the output",
                    c->arch);
}

static hearth_status read_scale(const gguf *g, llm_config *c, int64_t layers_27b, hearth_err *err)
{
    double d = c->n_layer == layers_27b ? (double)c->n_embd / (double)c->n_head : (double)c->d_k;
    const float usual = (float)(1 / sqrt(d));
    return llm_read_number(g, c, "attention.scale", 1e-6, 1e6, &usual, &c->attn_scale, err);
}

static hearth_status configure_gemma2(const gguf *g, llm_config *c, hearth_err *err)
{
    const float attn_cap = 50, logit_cap = 30;
    HEARTH_TRY(configure_gemma(g, c, err));
    HEARTH_TRY(read_scale(g, c, 46, err));
    HEARTH_TRY(llm_read_number(g, c, "attn_logit_softcapping", 1e-3, 1e6, &attn_cap, &c->attn_cap,
                               err));
    HEARTH_TRY(llm_read_number(g, c, "final_logit_softcapping", 1e-3, 1e6, &logit_cap,
                               &c->logit_cap, err));
    c->local_period = 2;
    HEARTH_TRY(llm_read_size(g, c, "attention.sliding_window", LIMIT_CONTEXT, 4096, &c->window,
                             err));
    return llm_check_pattern(g, c, err);
}

static hearth_status configure_gemma3(const gguf *g, llm_config *c, hearth_err *err)
{
    const float local_base = 10000;
    HEARTH_TRY(configure_gemma(g, c, err));
    HEARTH_TRY(read_scale(g, c, 62, err));
    HEARTH_TRY(llm_read_number(g, c, "rope.freq_base_swa", 1e-3, 1e12, &local_base,
                               &c->rope_base_local, err));
    c->has_qk_norm = true;
    c->local_period = 6;
    HEARTH_TRY(llm_read_size(g, c, "attention.sliding_window", LIMIT_CONTEXT, 0, &c->window, err));
    return llm_check_pattern(g, c, err);
}

// gemma3's network that sees ahead: local layers to both sides, and no output.
static hearth_status configure_embedding(const gguf *g, llm_config *c, hearth_err *err)
{
    HEARTH_TRY(configure_gemma3(g, c, err));
    c->is_encoder = true;
    c->is_window_centred = true;
    return HEARTH_OK;
}

static void bind_gemma_layer(llm_binder *b, llm_layer *out)
{
    llm_bind_plain_layer(b, out);
    out->ffn.is_gelu = true;
}

static void bind_gemma2_layer(llm_binder *b, llm_layer *out)
{
    bind_gemma_layer(b, out);
    out->attn_post = llm_bind_norm(b, "post_attention_norm.weight");
    out->ffn_post = llm_bind_norm(b, "post_ffw_norm.weight");
}

static void bind_gemma3_layer(llm_binder *b, llm_layer *out)
{
    bind_gemma2_layer(b, out);
    out->attn.q_norm = llm_bind(b, "attn_q_norm.weight", b->c->d_k, 1);
    out->attn.k_norm = llm_bind(b, "attn_k_norm.weight", b->c->d_k, 1);
}

const llm_family llm_family_gemma = {
    .arch = "gemma",
    .configure = configure_gemma,
    .bind_layer = bind_gemma_layer,
    .run_layer = llm_run_plain_layer,
};

const llm_family llm_family_gemma2 = {
    .arch = "gemma2",
    .configure = configure_gemma2,
    .bind_layer = bind_gemma2_layer,
    .run_layer = llm_run_plain_layer,
};

const llm_family llm_family_gemma3 = {
    .arch = "gemma3",
    .configure = configure_gemma3,
    .bind_layer = bind_gemma3_layer,
    .run_layer = llm_run_plain_layer,
};

const llm_family llm_family_gemma_embedding = {
    .arch = "gemma-embedding",
    .configure = configure_embedding,
    .bind_layer = bind_gemma3_layer,
    .run_layer = llm_run_plain_layer,
};
