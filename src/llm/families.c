// The table of families, and what several of them share. See family.h.
#include "llm/family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const llm_family *const families[] = {
    &llm_family_bert,
    &llm_family_cohere2,
    &llm_family_command_r,
    &llm_family_deepseek2,
    &llm_family_gemma,
    &llm_family_gemma2,
    &llm_family_gemma3,
    &llm_family_gemma3n,
    &llm_family_gemma4,
    &llm_family_gemma_embedding,
    &llm_family_gpt_oss,
    &llm_family_granite,
    &llm_family_granitemoe,
    &llm_family_lfm2,
    &llm_family_llama,
    &llm_family_mistral3,
    &llm_family_modern_bert,
    &llm_family_nomic_bert,
    &llm_family_olmo2,
    &llm_family_phi2,
    &llm_family_phi3,
    &llm_family_qwen,
    &llm_family_qwen2,
    &llm_family_qwen2moe,
    &llm_family_qwen35,
    &llm_family_qwen35moe,
    &llm_family_qwen3,
    &llm_family_qwen3moe,
    &llm_family_qwen3next,
    &llm_family_rwkv7,
    &llm_family_smollm3,
    &llm_family_starcoder2,
};

hearth_status llm_family_find(str arch, const llm_family **out, hearth_err *err)
{
    char known[512] = "";
    size_t n = 0;
    for (size_t i = 0; i < COUNTOF(families); i++) {
        if (str_eq_z(arch, families[i]->arch)) {
            *out = families[i];
            return HEARTH_OK;
        }
        int wrote = snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", families[i]->arch);
        n = size_min(n + (size_t)int_max(wrote, 0), sizeof known - 1);
    }
    *out = NULL;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "architecture '%.*s': not supported, only these are: %s", STR_ARG(arch), known);
}

static weight_id bind_named(llm_binder *b, const char *name, int64_t n_in, int64_t n_out,
                            bool optional)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind(b->w, full, n_in, n_out, optional, &id, b->err);
    return id;
}

weight_id llm_bind(llm_binder *b, const char *name, int64_t n_in, int64_t n_out)
{
    return bind_named(b, name, n_in, n_out, false);
}

weight_id llm_bind_rows(llm_binder *b, const char *name, int64_t n_in, int64_t n_total,
                        int64_t first, int64_t n_out)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind_rows(b->w, full, n_in, n_total, first, n_out, &id, b->err);
    return id;
}

weight_id llm_bind_slices(llm_binder *b, const char *name, int64_t n_in, int64_t n_out,
                          int64_t n_slices)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind_experts(b->w, full, n_in, n_out, n_slices, &id, b->err);
    return id;
}

weight_id llm_bind_heads(llm_binder *b, const char *name, int64_t n_in, int64_t n_total,
                         int64_t first, int64_t n_out)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind_slices(b->w, full, n_in, n_total, first, n_out, b->c->n_head, &id,
                                    b->err);
    return id;
}

weight_id llm_bind_heads_turned(llm_binder *b, const char *name, int64_t n_in, int64_t n_total,
                                int64_t first, int64_t n_out)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind_transposed(b->w, full, n_in, n_total, first, n_out, b->c->n_head, &id,
                                        b->err);
    return id;
}

weight_id llm_bind_slice_rows(llm_binder *b, const char *name, int64_t n_in, int64_t n_total,
                              int64_t first, int64_t n_out, int64_t n_slices)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind_expert_rows(b->w, full, n_in, n_total, first, n_out, n_slices, &id,
                                         b->err);
    return id;
}

weight_id llm_bind_outside(llm_binder *b, const char *name, int64_t n_in, int64_t n_out)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed == HEARTH_OK)
        b->failed = weights_bind(b->w, name, n_in, n_out, false, &id, b->err);
    return id;
}

weight_id llm_bind_slices_outside(llm_binder *b, const char *name, int64_t n_in, int64_t n_out,
                                  int64_t n_slices)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed == HEARTH_OK)
        b->failed = weights_bind_experts(b->w, name, n_in, n_out, n_slices, &id, b->err);
    return id;
}

weight_id llm_bind_constant(llm_binder *b, int64_t n, float value)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed == HEARTH_OK) b->failed = weights_bind_constant(b->w, n, value, &id, b->err);
    return id;
}

float llm_bind_number(llm_binder *b, const char *name, float fallback)
{
    const dev_weight *w;
    float value = fallback;
    weight_id id = llm_bind_optional(b, name, 1, 1);
    if (id == WEIGHT_NONE) return value;
    b->failed = weights_acquire(b->w, id, &w, b->err);
    if (b->failed != HEARTH_OK) return value;
    b->failed = b->d->ops->read(b->d, w->data, &value, sizeof value, b->err);
    weights_release(b->w, id);
    return value;
}

int64_t llm_tensor_rows(const llm_binder *b, const char *name, int64_t max)
{
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    const gguf_tensor *t = gguf_find_tensor(weights_source(b->w), full);
    return t && t->dim[1] <= max ? t->dim[1] : max;
}

bool llm_has(const llm_binder *b, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    return gguf_find_tensor(weights_source(b->w), full) != NULL;
}

weight_id llm_bind_flat(llm_binder *b, const char *name, int64_t n)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind_flat(b->w, full, n, &id, b->err);
    return id;
}

weight_id llm_bind_optional(llm_binder *b, const char *name, int64_t n_in, int64_t n_out)
{
    return bind_named(b, name, n_in, n_out, true);
}

weight_id llm_bind_values(llm_binder *b, const char *name, int64_t n_total, int64_t first,
                          int64_t n)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind_values(b->w, full, n_total, first, n, &id, b->err);
    return id;
}

bool llm_is_recurrent(const llm_config *c, int64_t layer)
{
    return c->recurrent[layer / 64] >> (layer % 64) & 1;
}

bool llm_is_local(const llm_config *c, int64_t layer)
{
    if (c->has_local_list) return c->local_list[layer / 64] >> (layer % 64) & 1;
    int64_t period = c->local_period, i = layer + (c->is_global_first ? 0 : 1);
    return c->window > 0 && (!period || i % period != 0);
}

// Is this layer one of those without positions?
static bool is_still_layer(const llm_binder *b)
{
    int64_t period = b->c->no_rope_period;
    return period > 0 && (b->layer + 1) % period == 0;
}

void llm_set_attention(const llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    bool is_local = llm_is_local(c, b->layer);
    float plain_scale = (float)(1.0 / sqrt((double)c->d_k));
    const nn_norm none = {.weight = WEIGHT_NONE, .n = c->n_embd, .eps = c->norm_eps};
    out->attn = (nn_attn){
        .q = WEIGHT_NONE, .k = WEIGHT_NONE, .v = WEIGHT_NONE, .o = WEIGHT_NONE,
        .q_bias = WEIGHT_NONE, .k_bias = WEIGHT_NONE, .v_bias = WEIGHT_NONE,
        .o_bias = WEIGHT_NONE,
        .q_norm = WEIGHT_NONE, .k_norm = WEIGHT_NONE, .v_norm = WEIGHT_NONE, .sinks = WEIGHT_NONE,
        .n_head = c->n_head, .n_head_kv = c->n_head_kv, .d_k = c->d_k, .d_v = c->d_v,
        .scale = c->attn_scale > 0 ? c->attn_scale : plain_scale,
        .cap = c->attn_cap,
        .norm_eps = c->norm_eps,
        .rope = c->n_pos || is_still_layer(b) ? NULL : is_local ? b->local_rope : b->rope,
        .heat = c->heat, .heat_length = c->heat_length,
        .is_local = is_local,
    };
    out->attn_norm = out->attn_post = out->ffn_norm = out->ffn_post = none;
    out->residual_scale = c->residual_scale;
}

// `name` ends in ".weight"; the bias of a LayerNorm has the same name with ".bias".
nn_norm llm_bind_norm(llm_binder *b, const char *name)
{
    const llm_config *c = b->c;
    nn_norm norm = {.weight = llm_bind(b, name, c->n_embd, 1), .n = c->n_embd, .eps = c->norm_eps,
                    .is_layer = c->has_layer_norm, .bias = WEIGHT_NONE};
    char bias[48];
    snprintf(bias, sizeof bias, "%.*s.bias", (int)(strlen(name) - strlen(".weight")), name);
    if (c->has_norm_bias) norm.bias = llm_bind(b, bias, c->n_embd, 1);
    return norm;
}

void llm_bind_plain_attention(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    out->attn.q = llm_bind(b, "attn_q.weight", c->n_embd, c->n_head * c->d_k);
    out->attn.k = llm_bind(b, "attn_k.weight", c->n_embd, c->n_head_kv * c->d_k);
    out->attn.v = llm_bind(b, "attn_v.weight", c->n_embd, c->n_head_kv * c->d_v);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    out->ffn_norm = llm_bind_norm(b, "ffn_norm.weight");
}

void llm_bind_fused_qkv(llm_binder *b, bool has_bias, llm_layer *out)
{
    const llm_config *c = b->c;
    const char *w = "attn_qkv.weight", *bias = "attn_qkv.bias";
    int64_t n_q = c->n_head * c->d_k, n_k = c->n_head_kv * c->d_k, n_v = c->n_head_kv * c->d_v;
    int64_t n = n_q + n_k + n_v;
    out->attn.q = llm_bind_rows(b, w, c->n_embd, n, 0, n_q);
    out->attn.k = llm_bind_rows(b, w, c->n_embd, n, n_q, n_k);
    out->attn.v = llm_bind_rows(b, w, c->n_embd, n, n_q + n_k, n_v);
    if (!has_bias) return;
    out->attn.q_bias = llm_bind_values(b, bias, n, 0, n_q);
    out->attn.k_bias = llm_bind_values(b, bias, n, n_q, n_k);
    out->attn.v_bias = llm_bind_values(b, bias, n, n_q + n_k, n_v);
}

void llm_set_mixture(const llm_binder *b, bool normalize, llm_layer *out)
{
    const llm_config *c = b->c;
    out->moe = (nn_moe){
        .router = WEIGHT_NONE, .gate = WEIGHT_NONE, .up = WEIGHT_NONE, .down = WEIGHT_NONE,
        .shared = {.gate = WEIGHT_NONE, .up = WEIGHT_NONE, .down = WEIGHT_NONE},
        .shared_gate = WEIGHT_NONE, .bias = WEIGHT_NONE, .expert_scales = WEIGHT_NONE,
        .router_norm = {.weight = WEIGHT_NONE},
        .n_embd = c->n_embd, .n_expert = c->n_expert, .n_used = c->n_expert_used,
        .n_ff = c->n_ff_expert,
        .normalize = normalize,
        .scale = c->expert_scale,
    };
}

void llm_bind_experts(llm_binder *b, bool normalize, llm_layer *out)
{
    const llm_config *c = b->c;
    int64_t n = c->n_expert, n_ff = c->n_ff_expert;
    llm_set_mixture(b, normalize, out);
    out->moe.router = llm_bind(b, "ffn_gate_inp.weight", c->n_embd, n);
    out->moe.gate = llm_bind_slices(b, "ffn_gate_exps.weight", c->n_embd, n_ff, n);
    out->moe.up = llm_bind_slices(b, "ffn_up_exps.weight", c->n_embd, n_ff, n);
    out->moe.down = llm_bind_slices(b, "ffn_down_exps.weight", n_ff, c->n_embd, n);
}

void llm_bind_shared_expert(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    out->moe.shared = (nn_ffn){
        .gate = llm_bind(b, "ffn_gate_shexp.weight", c->n_embd, c->n_ff_shared),
        .up = llm_bind(b, "ffn_up_shexp.weight", c->n_embd, c->n_ff_shared),
        .down = llm_bind(b, "ffn_down_shexp.weight", c->n_ff_shared, c->n_embd),
        .n_ff = c->n_ff_shared,
    };
}

static weight_id bind_expert_vectors(llm_binder *b, const char *name, int64_t n)
{
    weight_id id = WEIGHT_NONE;
    if (b->failed != HEARTH_OK) return id;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)b->layer, name);
    b->failed = weights_bind_vectors(b->w, full, n, b->c->n_expert, &id, b->err);
    return id;
}

void llm_bind_expert_biases(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    out->moe.has_bias = true;
    out->moe.router_bias = llm_bind(b, "ffn_gate_inp.bias", c->n_expert, 1);
    out->moe.gate_bias = bind_expert_vectors(b, "ffn_gate_exps.bias", c->n_ff_expert);
    out->moe.up_bias = bind_expert_vectors(b, "ffn_up_exps.bias", c->n_ff_expert);
    out->moe.down_bias = bind_expert_vectors(b, "ffn_down_exps.bias", c->n_embd);
}

void llm_bind_qkv_bias(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    out->attn.q_bias = llm_bind(b, "attn_q.bias", c->n_head * c->d_k, 1);
    out->attn.k_bias = llm_bind(b, "attn_k.bias", c->n_head_kv * c->d_k, 1);
    out->attn.v_bias = llm_bind(b, "attn_v.bias", c->n_head_kv * c->d_v, 1);
}

void llm_bind_feed_forward(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    out->ffn = (nn_ffn){
        .gate = llm_bind(b, "ffn_gate.weight", c->n_embd, c->n_ff),
        .up = llm_bind(b, "ffn_up.weight", c->n_embd, c->n_ff),
        .down = llm_bind(b, "ffn_down.weight", c->n_ff, c->n_embd),
        .n_ff = c->n_ff,
    };
}

void llm_bind_plain_feed_forward(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    out->ffn = (nn_ffn){
        .gate = WEIGHT_NONE,
        .up = llm_bind(b, "ffn_up.weight", c->n_embd, c->n_ff),
        .down = llm_bind(b, "ffn_down.weight", c->n_ff, c->n_embd),
        .up_bias = llm_bind(b, "ffn_up.bias", c->n_ff, 1),
        .down_bias = llm_bind(b, "ffn_down.bias", c->n_embd, 1),
        .n_ff = c->n_ff,
        .is_plain = true,
    };
}

void llm_bind_plain_layer(llm_binder *b, llm_layer *out)
{
    llm_bind_plain_attention(b, out);
    llm_bind_feed_forward(b, out);
}

// h = norm(x), or x where the layer has no such norm.
static hearth_status norm_stream(const nn_run *r, const nn_norm *norm, hearth_err *err)
{
    if (norm->weight != WEIGHT_NONE) return nn_apply_norm(r, norm, r->x, r->n_rows, r->h, err);
    r->d->ops->copy(r->d, r->h, r->x, (size_t)(r->n_rows * norm->n) * sizeof(float));
    return HEARTH_OK;
}

// h = norm(h) where the layer has such a norm.
static hearth_status norm_output(const nn_run *r, const nn_norm *norm, hearth_err *err)
{
    if (norm->weight == WEIGHT_NONE) return HEARTH_OK;
    return nn_apply_norm(r, norm, r->h, r->n_rows, r->h, err);
}

// x += residual_scale * h
static void add_output(const nn_run *r, const llm_layer *l)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = l->attn_norm.n;
    if (l->residual_scale < 1 || l->residual_scale > 1)
        ops->scale(r->d, r->h, l->residual_scale, r->n_rows, n, r->h);
    ops->add(r->d, r->x, r->h, r->n_rows * n, r->x);
}

hearth_status llm_run_plain_layer(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                  hearth_err *err)
{
    HEARTH_TRY(norm_stream(r, &l->attn_norm, err));
    if (l->latent.n_head > 0)
        HEARTH_TRY(nn_latent_attention(r, &l->latent, mem, err));
    else if (l->conv.n > 0)
        HEARTH_TRY(nn_short_conv(r, &l->conv, mem, err));
    else if (l->delta.n_head_v > 0)
        HEARTH_TRY(nn_delta_net(r, &l->delta, mem, err));
    else
        HEARTH_TRY(nn_attention(r, &l->attn, mem, err));
    HEARTH_TRY(norm_output(r, &l->attn_post, err));
    add_output(r, l);
    HEARTH_TRY(norm_stream(r, &l->ffn_norm, err));
    if (l->moe.n_expert > 0)
        HEARTH_TRY(nn_mixture(r, &l->moe, err));
    else
        HEARTH_TRY(nn_feed_forward(r, &l->ffn, err));
    HEARTH_TRY(norm_output(r, &l->ffn_post, err));
    add_output(r, l);
    return HEARTH_OK;
}

hearth_status llm_run_parallel_layer(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                     hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = r->n_rows * l->attn_norm.n;
    HEARTH_TRY(nn_apply_norm(r, &l->attn_norm, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_feed_forward_to(r, &l->ffn, r->beside, err));
    HEARTH_TRY(nn_attention(r, &l->attn, mem, err));
    ops->add(r->d, r->x, r->h, n, r->x);
    ops->add(r->d, r->x, r->beside, n, r->x);
    return HEARTH_OK;
}
