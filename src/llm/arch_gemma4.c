// gemma4 (text): Google's Gemma 4, E2B, E4B, 26B-A4B and 31B.
//
//   x --+--> norm -> attention -> norm --(+)--+--> norm -> GeGLU ------------> norm --(+)--+
//       +---------------------------------^   +----------------------------------------^   |
//       ^                                                                                  |
//       +-- * number of the layer <--(+)-- norm <- proj <- gelu(gate) * input per layer ---+
//
// 26B-A4B: the GeGLU's and a mixture's outputs have a norm each and are added before the last norm;
// the mixture sees x through another norm, its router through a third one.
//
// Layers are local (a window, heads of one size, base 10000) or global (larger heads, few or no
// values of their own: they are the keys then, before norm and rotation). Queries and keys have
// norms with weights, values one without; scores are not scaled. In global layers the slow pairs
// stand still: files hold divisors of 1e30 for them (rope_freqs). The last layers of E2B and E4B
// read the keys and values of the last layer before them that is of their kind.
#include "llm/family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Key/value heads: one number for all layers, or a list in which layers of a kind are equal.
static hearth_status read_kv_heads(const gguf *g, llm_config *c, hearth_err *err)
{
    const gguf_kv *kv = llm_find_list(g, c, "attention.head_count_kv");
    int64_t n[2] = {c->n_head_kv, c->n_head_kv}, item = 0; // global, local
    bool seen[2] = {false, false}, ok = true;
    for (int64_t i = 0; kv && ok && i < c->n_layer; i++) {
        int kind = llm_is_local(c, i);
        ok = gguf_item_i64(kv, (uint64_t)i, &item) && (!seen[kind] || n[kind] == item);
        n[kind] = item;
        seen[kind] = true;
    }
    c->n_head_kv = n[0];
    c->n_head_kv_local = n[1];
    if (ok && c->n_head % n[0] == 0 && c->n_head % n[1] == 0) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "key '%s.attention.head_count_kv': %lld heads, and %lld and %lld key/value "
                    "heads in layers of a kind", c->arch, (long long)c->n_head, (long long)n[0],
                    (long long)n[1]);
}

static hearth_status read_heads(const gguf *g, llm_config *c, hearth_err *err)
{
    int64_t d_v_local;
    HEARTH_TRY(read_kv_heads(g, c, err));
    HEARTH_TRY(llm_read_size(g, c, "attention.key_length_swa", LIMIT_HEAD_SIZE, c->d_k,
                             &c->d_local, err));
    HEARTH_TRY(llm_read_size(g, c, "attention.value_length_swa", LIMIT_HEAD_SIZE, c->d_v,
                             &d_v_local, err));
    HEARTH_TRY(llm_read_size(g, c, "rope.dimension_count_swa", c->d_local, c->d_local,
                             &c->n_rot_local, err));
    if (c->d_k == c->d_v && c->d_local == d_v_local && c->n_rot_local % 2 == 0) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "'%s': keys of %lld and values of %lld, in local layers %lld and %lld, rotated "
                    "%lld: not equal, or odd", c->arch, (long long)c->d_k, (long long)c->d_v,
                    (long long)c->d_local, (long long)d_v_local, (long long)c->n_rot_local);
}

static hearth_status configure_gemma4(const gguf *g, llm_config *c, hearth_err *err)
{
    const float local_base = 10000, no_cap = 0;
    c->rope_neox = true;
    c->embd_scale = sqrtf((float)c->n_embd);
    c->attn_scale = 1;
    c->has_expert_norm = true;
    HEARTH_TRY(llm_read_size(g, c, "attention.sliding_window", LIMIT_CONTEXT, 0, &c->window, err));
    HEARTH_TRY(llm_read_number(g, c, "rope.freq_base_swa", 1e-3, 1e12, &local_base,
                               &c->rope_base_local, err));
    HEARTH_TRY(llm_read_number(g, c, "final_logit_softcapping", 0, 1e6, &no_cap, &c->logit_cap,
                               err));
    HEARTH_TRY(llm_read_count(g, c, "embedding_length_per_layer_input", LIMIT_FF / LIMIT_LAYERS,
                              &c->n_embd_layer, err));
    HEARTH_TRY(llm_read_local_list(g, c, err));
    HEARTH_TRY(read_heads(g, c, err));
    return llm_read_shared(g, c, err);
}

static void set_memory(const llm_config *c, int64_t layer, llm_memory *m)
{
    if (llm_is_local(c, layer)) {
        m->n_head_kv = c->n_head_kv_local;
        m->d_k = m->d_v = c->d_local;
    }
    if (layer >= llm_first_shared(c)) m->shares = llm_find_source(c, layer);
}

static nn_norm bind_head_norm(llm_binder *b, const char *name, int64_t n)
{
    return (nn_norm){.weight = llm_bind(b, name, n, 1), .n = n, .eps = b->c->norm_eps};
}

static void bind_attention(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    nn_attn *a = &out->attn;
    llm_set_attention(b, out);
    if (llm_is_local(c, b->layer)) {
        a->d_k = a->d_v = c->d_local;
        a->n_head_kv = c->n_head_kv_local;
    }
    int64_t n_kv = a->n_head_kv * a->d_k;
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    a->q = llm_bind(b, "attn_q.weight", c->n_embd, c->n_head * a->d_k);
    a->q_norm = llm_bind(b, "attn_q_norm.weight", a->d_k, 1);
    a->o = llm_bind(b, "attn_output.weight", c->n_head * a->d_k, c->n_embd);
    out->attn_post = llm_bind_norm(b, "post_attention_norm.weight");
    if (b->layer >= llm_first_shared(c)) return;
    a->k = llm_bind(b, "attn_k.weight", c->n_embd, n_kv);
    a->v = llm_bind_optional(b, "attn_v.weight", c->n_embd, n_kv);
    a->k_norm = llm_bind(b, "attn_k_norm.weight", a->d_k, 1);
    a->v_norm = llm_bind_constant(b, a->d_k, 1);
}

// The feed-forward's width is the tensor's: layers that share keys may have a wider one.
static void bind_feed_forward(llm_binder *b, llm_layer *out)
{
    int64_t n_embd = b->c->n_embd, n_ff = llm_tensor_rows(b, "ffn_gate.weight", b->c->n_ff);
    out->ffn_norm = llm_bind_norm(b, "ffn_norm.weight");
    out->ffn = (nn_ffn){
        .gate = llm_bind(b, "ffn_gate.weight", n_embd, n_ff),
        .up = llm_bind(b, "ffn_up.weight", n_embd, n_ff),
        .down = llm_bind(b, "ffn_down.weight", n_ff, n_embd),
        .n_ff = n_ff, .is_gelu = true,
    };
    out->ffn_post = llm_bind_norm(b, "post_ffw_norm.weight");
}

static void bind_mixture(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    int64_t n_embd = c->n_embd, n = c->n_expert, n_ff = c->n_ff_expert;
    const char *fused = "ffn_gate_up_exps.weight";
    nn_moe *m = &out->moe;
    llm_set_mixture(b, c->has_expert_norm, out);
    m->router = llm_bind(b, "ffn_gate_inp.weight", n_embd, n);
    if (llm_has(b, fused)) {
        m->gate = llm_bind_slice_rows(b, fused, n_embd, 2 * n_ff, 0, n_ff, n);
        m->up = llm_bind_slice_rows(b, fused, n_embd, 2 * n_ff, n_ff, n_ff, n);
    } else {
        m->gate = llm_bind_slices(b, "ffn_gate_exps.weight", n_embd, n_ff, n);
        m->up = llm_bind_slices(b, "ffn_up_exps.weight", n_embd, n_ff, n);
    }
    m->down = llm_bind_slices(b, "ffn_down_exps.weight", n_ff, n_embd, n);
    m->expert_scales = llm_bind_optional(b, "ffn_down_exps.scale", n, 1);
    m->router_norm = bind_head_norm(b, "ffn_gate_inp.scale", n_embd);
    m->router_scale = 1 / sqrtf((float)n_embd);
    m->is_gelu = true;
    out->moe_pre = llm_bind_norm(b, "pre_ffw_norm_2.weight");
    out->moe_post = llm_bind_norm(b, "post_ffw_norm_2.weight");
    out->ffn_post_1 = llm_bind_norm(b, "post_ffw_norm_1.weight");
}

static void bind_gemma4_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    bind_attention(b, out);
    bind_feed_forward(b, out);
    if (c->n_expert > 0 && llm_has(b, "ffn_gate_inp.weight")) bind_mixture(b, out);
    out->out_scale = llm_bind_number(b, "layer_output_scale.weight", 1);
    if (c->n_embd_layer == 0) return;
    llm_bind_input(b, out);
}

static int64_t count_own_floats(const llm_config *c)
{
    int64_t beside = c->n_expert > 0 ? c->n_embd : 0;
    return nn_input_floats(c->n_layer, c->n_embd_layer) + beside;
}

// h = norm(GeGLU(norm(x))) + norm(mixture(norm(x)))
static hearth_status run_side_by_side(const nn_run *r, const llm_layer *l, hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = l->attn_norm.n, n_before = nn_input_floats(l->input.n_layer, l->input.n);
    dev_view kept = dev_at(r->own, (size_t)(r->n_rows * n_before) * sizeof(float));
    HEARTH_TRY(nn_apply_norm(r, &l->ffn_norm, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_feed_forward(r, &l->ffn, err));
    HEARTH_TRY(nn_apply_norm(r, &l->ffn_post_1, r->h, r->n_rows, kept, err));
    HEARTH_TRY(nn_apply_norm(r, &l->moe_pre, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_mixture(r, &l->moe, err));
    HEARTH_TRY(nn_apply_norm(r, &l->moe_post, r->h, r->n_rows, r->h, err));
    ops->add(r->d, r->h, kept, r->n_rows * n, r->h);
    return HEARTH_OK;
}

static hearth_status run_gemma4_layer(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                      hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = l->attn_norm.n;
    HEARTH_TRY(nn_apply_norm(r, &l->attn_norm, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_attention(r, &l->attn, mem, err));
    HEARTH_TRY(nn_apply_norm(r, &l->attn_post, r->h, r->n_rows, r->h, err));
    ops->add(r->d, r->x, r->h, r->n_rows * n, r->x);
    if (l->moe.n_expert > 0) {
        HEARTH_TRY(run_side_by_side(r, l, err));
    } else {
        HEARTH_TRY(nn_apply_norm(r, &l->ffn_norm, r->x, r->n_rows, r->h, err));
        HEARTH_TRY(nn_feed_forward(r, &l->ffn, err));
    }
    HEARTH_TRY(nn_apply_norm(r, &l->ffn_post, r->h, r->n_rows, r->h, err));
    ops->add(r->d, r->x, r->h, r->n_rows * n, r->x);
    if (l->input.n > 0) HEARTH_TRY(nn_add_input(r, &l->input, err));
    ops->scale(r->d, r->x, l->out_scale, r->n_rows, n, r->x);
    return HEARTH_OK;
}

const llm_family llm_family_gemma4 = {
    .arch = "gemma4",
    .has_experts = true,
    .has_layer_lists = true,
    .configure = configure_gemma4,
    .memory = set_memory,
    .bind_inputs = llm_bind_inputs,
    .bind_layer = bind_gemma4_layer,
    .own_floats = count_own_floats,
    .run_layer = run_gemma4_layer,
};
