// gpt-oss: OpenAI's gpt-oss-20b and 120b.
//
//   x --+--> norm -> q, k, v + bias -> rope(q, k) -> attention with sinks -> o + bias --(+)--+
//       +----------------------------------------------------------------------------------^ |
//                                     x <--(+)-- mixture with biases <- norm <----------+----+
//                                           ^-------------------------------------------+
//
// Layers 0, 2, 4 .. attend within a window; every head has a sink, a score that takes its share of
// the softmax and has no value. Pairs are halves, their frequencies by YaRN, whose ends are not
// rounded to whole pairs here (the file does not say so). The norm before the mixture is named
// "post_attention_norm". The router and the experts have biases; the weights of the chosen experts
// are a softmax over them; an expert multiplies (up + 1) by gate sigmoid(1.702 gate), both clamped
// at 7. Experts are MXFP4 in the published files.
#include "llm/family.h"

static hearth_status configure_gpt_oss(const gguf *g, llm_config *c, hearth_err *err)
{
    c->rope_neox = true;
    c->has_qkv_bias = true;
    c->yarn_exact = true;
    c->local_period = 2;
    if (!c->n_expert)
        return err_fail(err, HEARTH_E_FORMAT, "key 'gpt-oss.expert_count': not in the file");
    HEARTH_TRY(llm_read_size(g, c, "attention.sliding_window", LIMIT_CONTEXT, 0, &c->window, err));
    return llm_check_pattern(g, c, err);
}

static void bind_gpt_oss_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    out->attn.q = llm_bind(b, "attn_q.weight", c->n_embd, c->n_head * c->d_k);
    out->attn.k = llm_bind(b, "attn_k.weight", c->n_embd, c->n_head_kv * c->d_k);
    out->attn.v = llm_bind(b, "attn_v.weight", c->n_embd, c->n_head_kv * c->d_v);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    llm_bind_qkv_bias(b, out);
    out->attn.o_bias = llm_bind(b, "attn_output.bias", c->n_embd, 1);
    out->attn.sinks = llm_bind(b, "attn_sinks.weight", c->n_head, 1);
    out->ffn_norm = llm_bind_norm(b, "post_attention_norm.weight");
    llm_bind_experts(b, true, out);
    llm_bind_expert_biases(b, out);
    out->moe.clamp = 7;
}

const llm_family llm_family_gpt_oss = {
    .arch = "gpt-oss",
    .has_experts = true,
    .configure = configure_gpt_oss,
    .bind_layer = bind_gpt_oss_layer,
    .run_layer = llm_run_plain_layer,
};
