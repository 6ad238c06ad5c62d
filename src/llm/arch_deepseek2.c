// deepseek2: DeepSeek-V2, V2-Lite, V2.5, V3, R1, and what is built like them (Kimi K2,
// GLM-4.7-Flash).
//
//   x --+--> norm -> latent attention --(+)--+--> norm -> SwiGLU or mixture --(+)--> x
//       +--------------------------------^   +---------------------------------^
//
// The cache holds one latent vector and one rotated key per position (nn/latent.c). Files of today
// say so: one key/value head, key_length = kv_lora_rank + n_rot, value_length = kv_lora_rank, the
// sizes of the heads outside the cache in *_length_mla, and per head K_h (turned over) and V_h as
// attn_k_b and attn_v_b. Older ones describe the network before that: n_head key/value heads,
// key_length and value_length of those, and both matrices in attn_kv_b; K_h is then turned over
// into memory of our own at opening.
//
// The first leading_dense_block_count layers have a SwiGLU, the others a mixture with shared
// experts, which are one SwiGLU of expert_shared_count times the width. Rotary pairs are
// neighbours. YaRN's factor on scores stands on the scale of scores alone: both its rotation
// factors are equal and cancel, and 10 times the file's multiplier is mscale_all_dim.
#include "llm/family.h"

#include <math.h>
#include <stdio.h>

enum { GATING_SOFTMAX = 1, GATING_SIGMOID = 2 };

static hearth_status read_u64(const gguf *g, const llm_config *c, const char *name, int64_t max,
                              int64_t fallback, int64_t *out, hearth_err *err)
{
    char key[96];
    uint64_t v = (uint64_t)fallback;
    bool found;
    snprintf(key, sizeof key, "%s.%s", c->arch, name);
    HEARTH_TRY(gguf_get_u64(g, key, (uint64_t)max, &v, &found, err));
    *out = (int64_t)v;
    return HEARTH_OK;
}

// What the cache holds becomes d_k, d_v, n_head_kv; what heads are outside it becomes c->latent.
static hearth_status read_latent(const gguf *g, llm_config *c, hearth_err *err)
{
    int64_t n_latent;
    llm_latent *l = &c->latent;
    HEARTH_TRY(llm_read_size(g, c, "attention.kv_lora_rank", LIMIT_HEAD_SIZE - c->n_rot, 0,
                             &n_latent, err));
    HEARTH_TRY(read_u64(g, c, "attention.q_lora_rank", LIMIT_EMBD, 0, &l->n_q, err));
    HEARTH_TRY(llm_read_size(g, c, "attention.key_length_mla", LIMIT_HEAD_SIZE, c->d_k, &l->d_key,
                             err));
    HEARTH_TRY(llm_read_size(g, c, "attention.value_length_mla", LIMIT_HEAD_SIZE, c->d_v,
                             &l->d_value, err));
    if (c->n_rot >= l->d_key)
        return err_fail(err, HEARTH_E_FORMAT,
                        "key '%s.rope.dimension_count': %lld of a key's %lld numbers are rotated, "
                        "some have to be left",
                        c->arch, (long long)c->n_rot, (long long)l->d_key);
    c->n_head_kv = 1;
    c->d_k = n_latent + c->n_rot;
    c->d_v = n_latent;
    return HEARTH_OK;
}

static hearth_status read_groups(const gguf *g, llm_config *c, hearth_err *err)
{
    int64_t n, used;
    HEARTH_TRY(read_u64(g, c, "expert_group_count", c->n_expert, 0, &n, err));
    HEARTH_TRY(read_u64(g, c, "expert_group_used_count", c->n_expert, 0, &used, err));
    if (n <= 1) return HEARTH_OK;
    if (c->n_expert % n || used < 1 || used > n || used * (c->n_expert / n) < c->n_expert_used)
        return err_fail(err, HEARTH_E_FORMAT,
                        "key '%s.expert_group_count': %lld experts of %lld groups cannot give %lld "
                        "experts of %lld groups", c->arch, (long long)c->n_expert, (long long)n,
                        (long long)c->n_expert_used, (long long)used);
    c->n_expert_group = n;
    c->n_expert_group_used = used;
    return HEARTH_OK;
}

static hearth_status read_mixture(const gguf *g, llm_config *c, hearth_err *err)
{
    const float one = 1;
    int64_t n_shared, gating;
    bool found;
    HEARTH_TRY(read_u64(g, c, "leading_dense_block_count", LIMIT_LAYERS, 0, &c->n_dense_lead, err));
    if (c->n_expert == 0) c->n_dense_lead = c->n_layer;
    if (c->n_expert == 0) return HEARTH_OK;
    HEARTH_TRY(read_u64(g, c, "expert_shared_count", LIMIT_EXPERTS, 0, &n_shared, err));
    HEARTH_TRY(read_u64(g, c, "expert_gating_func", 255, GATING_SOFTMAX, &gating, err));
    HEARTH_TRY(llm_read_number(g, c, "expert_weights_scale", 0, 1e6, &one, &c->expert_scale, err));
    HEARTH_TRY(gguf_get_bool(g, "deepseek2.expert_weights_norm", &c->has_expert_norm, &found, err));
    if (gating != GATING_SOFTMAX && gating != GATING_SIGMOID)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "key '%s.expert_gating_func': %lld is neither softmax (1) nor sigmoid (2)",
                        c->arch, (long long)gating);
    if (n_shared > LIMIT_FF / c->n_ff_expert)
        return err_fail(err, HEARTH_E_FORMAT, "key '%s.expert_shared_count': %lld times %lld",
                        c->arch, (long long)n_shared, (long long)c->n_ff_expert);
    c->has_expert_sigmoid = gating == GATING_SIGMOID;
    if (c->expert_scale <= 0) c->expert_scale = 1; // written for "none"
    c->n_ff_shared = n_shared * c->n_ff_expert;
    return read_groups(g, c, err);
}

// With a multiplier in the file YaRN's factor is on scores and not on cosine and sine.
static hearth_status read_magnitude(const gguf *g, llm_config *c, hearth_err *err)
{
    const float none = 0, one = 1;
    float multiplier;
    HEARTH_TRY(llm_read_number(g, c, "rope.scaling.yarn_log_multiplier", 0, 100, &none, &multiplier,
                               err));
    double magnitude = 1;
    if (c->has_yarn && multiplier > 0) {
        magnitude += (double)multiplier * log(fmax((double)c->rope_linear, 1));
        HEARTH_TRY(llm_read_number(g, c, "rope.scaling.attn_factor", 1e-6, 1e6, &one,
                                   &c->rope_attn, err));
    }
    c->attn_scale = (float)(magnitude * magnitude / sqrt((double)c->latent.d_key));
    return HEARTH_OK;
}

static hearth_status configure_deepseek2(const gguf *g, llm_config *c, hearth_err *err)
{
    const float none = 0;
    float by_position;
    HEARTH_TRY(llm_read_number(g, c, "attention.temperature_scale", 0, 1e6, &none, &by_position,
                               err));
    if (by_position > 0)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "key '%s.attention.temperature_scale': not supported", c->arch);
    HEARTH_TRY(read_latent(g, c, err));
    HEARTH_TRY(read_mixture(g, c, err));
    c->rope_neox = false;
    return read_magnitude(g, c, err);
}

static nn_norm bind_latent_norm(llm_binder *b, const char *name, int64_t n)
{
    return (nn_norm){.weight = llm_bind(b, name, n, 1), .n = n, .eps = b->c->norm_eps,
                     .bias = WEIGHT_NONE};
}

static void bind_queries(llm_binder *b, nn_latent *a)
{
    const llm_config *c = b->c;
    int64_t n = c->n_head * c->latent.d_key, n_q = c->latent.n_q;
    a->q_squeeze = WEIGHT_NONE;
    if (n_q == 0) {
        a->q = llm_bind(b, "attn_q.weight", c->n_embd, n);
        return;
    }
    a->q_squeeze = llm_bind(b, "attn_q_a.weight", c->n_embd, n_q);
    a->q_norm = bind_latent_norm(b, "attn_q_a_norm.weight", n_q);
    a->q = llm_bind(b, "attn_q_b.weight", n_q, n);
}

static void bind_heads(llm_binder *b, nn_latent *a)
{
    int64_t n_head = a->n_head;
    if (llm_has(b, "attn_k_b.weight")) {
        a->k_heads = llm_bind_slices(b, "attn_k_b.weight", a->d_plain, a->d_latent, n_head);
        a->v_heads = llm_bind_slices(b, "attn_v_b.weight", a->d_latent, a->d_value, n_head);
        return;
    }
    const char *name = "attn_kv_b.weight";
    int64_t n_total = a->d_plain + a->d_value;
    a->k_heads = llm_bind_heads_turned(b, name, a->d_latent, n_total, 0, a->d_plain);
    a->v_heads = llm_bind_heads(b, name, a->d_latent, n_total, a->d_plain, a->d_value);
}

static void bind_latent(llm_binder *b, nn_latent *a)
{
    const llm_config *c = b->c;
    *a = (nn_latent){.n_head = c->n_head, .d_plain = c->latent.d_key - c->n_rot, .n_rot = c->n_rot,
                     .d_latent = c->d_v, .d_value = c->latent.d_value, .scale = c->attn_scale,
                     .rope = b->rope};
    bind_queries(b, a);
    a->kv = llm_bind(b, "attn_kv_a_mqa.weight", c->n_embd, c->d_k);
    a->kv_norm = bind_latent_norm(b, "attn_kv_a_norm.weight", c->d_v);
    bind_heads(b, a);
    a->o = llm_bind(b, "attn_output.weight", c->n_head * a->d_value, c->n_embd);
}

static void bind_mixture(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_bind_experts(b, c->has_expert_norm, out);
    out->moe.is_sigmoid = c->has_expert_sigmoid;
    out->moe.n_group = c->n_expert_group;
    out->moe.n_group_used = c->n_expert_group_used;
    out->moe.bias = llm_bind_optional(b, "exp_probs_b.bias", c->n_expert, 1);
    if (c->n_ff_shared == 0) return;
    out->moe.shared = (nn_ffn){
        .gate = llm_bind(b, "ffn_gate_shexp.weight", c->n_embd, c->n_ff_shared),
        .up = llm_bind(b, "ffn_up_shexp.weight", c->n_embd, c->n_ff_shared),
        .down = llm_bind(b, "ffn_down_shexp.weight", c->n_ff_shared, c->n_embd),
        .n_ff = c->n_ff_shared,
    };
}

static void bind_deepseek2_layer(llm_binder *b, llm_layer *out)
{
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    bind_latent(b, &out->latent);
    out->ffn_norm = llm_bind_norm(b, "ffn_norm.weight");
    if (b->layer < b->c->n_dense_lead)
        llm_bind_feed_forward(b, out);
    else
        bind_mixture(b, out);
}

static int64_t count_own_floats(const llm_config *c)
{
    const nn_latent shape = {.n_head = c->n_head, .d_plain = c->latent.d_key - c->n_rot,
                             .n_rot = c->n_rot, .d_latent = c->d_v,
                             .d_value = c->latent.d_value, .q_norm.n = c->latent.n_q};
    return nn_latent_floats(&shape);
}

static void share_latent(const llm_config *c, int64_t layer, llm_memory *m)
{
    (void)c;
    (void)layer;
    m->values_in_keys = true;
}

const llm_family llm_family_deepseek2 = {
    .arch = "deepseek2",
    .has_experts = true,
    .configure = configure_deepseek2,
    .bind_layer = bind_deepseek2_layer,
    .memory = share_latent,
    .own_floats = count_own_floats,
    .run_layer = llm_run_plain_layer,
};
