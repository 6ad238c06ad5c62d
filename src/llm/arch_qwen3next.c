// qwen3next, qwen35, qwen35moe: Qwen3-Next, Qwen3.5 and Qwen3.6 (text).
//
//   x --+--> norm -> gated delta net, or gated attention --(+)--+--> norm -> FFN --(+)--> x
//       +--------------------------------------------------^    +------------------^
//
// Every full_attention_interval-th layer has attention, the others a gated delta net
// (nn/delta_net.c) with a recurrent state. Attention has norms of q and k per head, turns the first
// rope.dimension_count numbers of a head (pairs are halves of those), and multiplies what it gives
// by the sigmoid of a gate that comes out of the same matrix as q: q and gate of head 0, of head
// 1.. The norms of the network multiply by 1 + w: files hold that sum. The positions of pictures
// (rope.dimension_sections) are those of text where there are none.
//
// qwen3next and qwen35moe have a mixture whose chosen weights sum to 1 and a shared expert with a
// gate; qwen35 a SwiGLU. Value heads stand in two orders: in qwen3next those of one key head side
// by side, alpha and beta likewise in one matrix; in qwen35 one of each key head, then the next.
// Layers that predict further tokens (nextn_predict_layers, at the end) are not loaded.
#include "llm/family.h"

#include <stdio.h>

static bool is_next(const llm_config *c) { return str_eq_z(str_from(c->arch), "qwen3next"); }

static nn_delta shape_of(const llm_config *c)
{
    const llm_delta *d = &c->delta;
    return (nn_delta){.n_head_k = d->n_head_k, .n_head_v = d->n_head_v, .d_k = d->d_k,
                      .d_v = d->d_v, .n_taps = c->n_taps, .is_tiled = d->is_tiled,
                      .eps = c->norm_eps};
}

static hearth_status read_heads(const gguf *g, llm_config *c, hearth_err *err)
{
    llm_delta *d = &c->delta;
    int64_t inner;
    HEARTH_TRY(llm_read_size(g, c, "ssm.conv_kernel", LIMIT_CONV_TAPS, 0, &c->n_taps, err));
    HEARTH_TRY(llm_read_size(g, c, "ssm.state_size", LIMIT_DELTA_HEAD, 0, &d->d_k, err));
    HEARTH_TRY(llm_read_size(g, c, "ssm.group_count", LIMIT_HEADS, 0, &d->n_head_k, err));
    HEARTH_TRY(llm_read_size(g, c, "ssm.time_step_rank", LIMIT_HEADS, 0, &d->n_head_v, err));
    HEARTH_TRY(llm_read_size(g, c, "ssm.inner_size", LIMIT_EMBD, 0, &inner, err));
    d->d_v = inner / d->n_head_v;
    const nn_delta shape = shape_of(c);
    bool ok = c->n_taps > 1 && d->n_head_v > 1 && d->n_head_v % d->n_head_k == 0 &&
              inner % d->n_head_v == 0 && d->d_v > 0 && d->d_v <= LIMIT_DELTA_HEAD;
    if (!ok || nn_delta_state_floats(&shape) > LIMIT_STATE)
        return err_fail(err, HEARTH_E_FORMAT,
                        "'%s': %lld taps, %lld values of %lld heads for %lld key heads: no shape "
                        "of a gated delta net", c->arch, (long long)c->n_taps, (long long)inner,
                        (long long)d->n_head_v, (long long)d->n_head_k);
    if (c->d_k == c->d_v) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "'%s': keys of %lld, values of %lld: gates need one size",
                    c->arch, (long long)c->d_k, (long long)c->d_v);
}

// The list of layers without attention, or every layer but the interval-th.
static hearth_status read_layers(const gguf *g, llm_config *c, hearth_err *err)
{
    char key[96];
    int64_t interval = 4, n_ahead = 0, item = 0;
    snprintf(key, sizeof key, "%s.nextn_predict_layers", c->arch);
    if (gguf_find(g, key))
        HEARTH_TRY(gguf_get_u64(g, key, (uint64_t)c->n_layer - 1, (uint64_t *)&n_ahead, NULL, err));
    int64_t n_listed = c->n_layer;
    c->n_layer -= n_ahead;
    HEARTH_TRY(llm_read_size(g, c, "full_attention_interval", LIMIT_LAYERS, interval, &interval,
                             err));
    snprintf(key, sizeof key, "%s.attention.recurrent_layers", c->arch);
    const gguf_kv *list = gguf_find(g, key);
    if (list && (list->type != GGUF_ARRAY || list->n != (uint64_t)n_listed))
        return err_fail(err, HEARTH_E_FORMAT, "key '%s': not a list of %lld", key,
                        (long long)n_listed);
    for (int64_t i = 0; i < c->n_layer; i++) {
        bool is_recurrent = (i + 1) % interval != 0;
        if (list && gguf_item_i64(list, (uint64_t)i, &item)) is_recurrent = item != 0;
        if (is_recurrent) c->recurrent[i / 64] |= (uint64_t)1 << (i % 64);
    }
    return HEARTH_OK;
}

static hearth_status configure_qwen35(const gguf *g, llm_config *c, hearth_err *err)
{
    c->rope_neox = true;
    c->has_qk_norm = true;
    c->delta.is_tiled = !is_next(c);
    HEARTH_TRY(read_heads(g, c, err));
    return read_layers(g, c, err);
}

static hearth_status configure_mixture(const gguf *g, llm_config *c, hearth_err *err)
{
    if (!c->n_expert || !c->n_ff_shared)
        return err_fail(err, HEARTH_E_FORMAT,
                        "'%s': %lld experts and a shared one %lld wide: both 'expert_count' and "
                        "'expert_shared_feed_forward_length' are needed", c->arch,
                        (long long)c->n_expert, (long long)c->n_ff_shared);
    return configure_qwen35(g, c, err);
}

static void bind_delta_net(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    nn_delta *a = &out->delta;
    *a = shape_of(c);
    int64_t n_value = a->n_head_v * a->d_v, n_mixed = 2 * a->n_head_k * a->d_k + n_value;
    a->qkv = llm_bind(b, "attn_qkv.weight", c->n_embd, n_mixed);
    a->z = llm_bind(b, "attn_gate.weight", c->n_embd, n_value);
    a->alpha = WEIGHT_NONE;
    if (is_next(c)) {
        a->beta = llm_bind(b, "ssm_ba.weight", c->n_embd, 2 * a->n_head_v);
    } else {
        a->beta = llm_bind(b, "ssm_beta.weight", c->n_embd, a->n_head_v);
        a->alpha = llm_bind(b, "ssm_alpha.weight", c->n_embd, a->n_head_v);
    }
    a->taps = llm_bind_flat(b, "ssm_conv1d.weight", n_mixed * c->n_taps);
    a->a = llm_bind(b, "ssm_a", a->n_head_v, 1);
    a->dt = llm_bind(b, "ssm_dt.bias", a->n_head_v, 1);
    a->norm = llm_bind(b, "ssm_norm.weight", a->d_v, 1);
    a->o = llm_bind(b, "ssm_out.weight", n_value, c->n_embd);
}

static void bind_gated_attention(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    int64_t n_q = c->n_head * c->d_k;
    out->attn.is_gated = true;
    out->attn.q = llm_bind(b, "attn_q.weight", c->n_embd, 2 * n_q);
    out->attn.k = llm_bind(b, "attn_k.weight", c->n_embd, c->n_head_kv * c->d_k);
    out->attn.v = llm_bind(b, "attn_v.weight", c->n_embd, c->n_head_kv * c->d_v);
    out->attn.o = llm_bind(b, "attn_output.weight", n_q, c->n_embd);
    out->attn.q_norm = llm_bind(b, "attn_q_norm.weight", c->d_k, 1);
    out->attn.k_norm = llm_bind(b, "attn_k_norm.weight", c->d_k, 1);
}

static void bind_qwen35_layer(llm_binder *b, llm_layer *out)
{
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    if (llm_is_recurrent(b->c, b->layer))
        bind_delta_net(b, out);
    else
        bind_gated_attention(b, out);
    out->ffn_norm = llm_bind_norm(b, "post_attention_norm.weight");
    if (b->c->n_expert > 0) {
        llm_bind_experts(b, true, out);
        llm_bind_shared_expert(b, out);
        out->moe.shared_gate = llm_bind(b, "ffn_gate_inp_shexp.weight", b->c->n_embd, 1);
    } else {
        llm_bind_feed_forward(b, out);
    }
}

static void remember_qwen35(const llm_config *c, int64_t layer, llm_memory *m)
{
    if (!llm_is_recurrent(c, layer)) return;
    const nn_delta shape = shape_of(c);
    *m = (llm_memory){.shares = -1, .n_state = nn_delta_state_floats(&shape)};
}

static int64_t own_floats_qwen35(const llm_config *c)
{
    const nn_delta shape = shape_of(c);
    return i64_max(nn_delta_own_floats(&shape), NN_GATED_OWN * c->n_head * c->d_k);
}

const llm_family llm_family_qwen3next = {
    .arch = "qwen3next",
    .has_experts = true,
    .configure = configure_mixture,
    .bind_layer = bind_qwen35_layer,
    .memory = remember_qwen35,
    .own_floats = own_floats_qwen35,
    .run_layer = llm_run_plain_layer,
};

const llm_family llm_family_qwen35 = {
    .arch = "qwen35",
    .configure = configure_qwen35,
    .bind_layer = bind_qwen35_layer,
    .memory = remember_qwen35,
    .own_floats = own_floats_qwen35,
    .run_layer = llm_run_plain_layer,
};

const llm_family llm_family_qwen35moe = {
    .arch = "qwen35moe",
    .has_experts = true,
    .configure = configure_mixture,
    .bind_layer = bind_qwen35_layer,
    .memory = remember_qwen35,
    .own_floats = own_floats_qwen35,
    .run_layer = llm_run_plain_layer,
};
