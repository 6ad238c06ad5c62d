// gemma3n (text): Google's Gemma 3n, E2B and E4B.
//
//   streams -> predict -> x --+--> norm --+--> attention -> norm --(+)--(+)--> / sqrt(2) --+--> y
//                             |           +--> laurel ----------------^   |                |
//                             +-------------------------------------------+                |
//                                        y --+--> norm -> GeGLU -> norm --(+)--> correct -> streams
//                                            +------------------------------^
//
// Four residual streams (nn/streams.c), of which the first goes through the layer; the inputs per
// layer (nn/per_layer.c) are made of it and added to the others. Layers are local or global as a
// list says; queries and keys have norms with weights, values one without, scores are not scaled.
// The last layers read the keys and values of the last layer before them that is of their kind;
// their files have tensors for keys and values all the same, which nobody reads. The first layers
// let few of the gate's values through.
#include "llm/family.h"

#include <math.h>
#include <stdio.h>

// Of layers without sparsity the list says minus infinity: so much of a normal distribution lies
// below that none of it is cut off.
static hearth_status check_sparsity(const gguf *g, const llm_config *c, hearth_err *err)
{
    const gguf_kv *kv = llm_find_list(g, c, "activation_sparsity_scale");
    double item = 0;
    bool ok = kv != NULL;
    for (int64_t i = 0; ok && i < c->n_layer; i++)
        ok = gguf_item_f64(kv, (uint64_t)i, &item) && item <= 10; // no NaN either
    if (ok) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT,
                    "key '%s.activation_sparsity_scale': not a list with a number up to 10 per "
                    "layer", c->arch);
}

static hearth_status read_streams(const gguf *g, llm_config *c, hearth_err *err)
{
    int64_t active = 0;
    HEARTH_TRY(llm_read_size(g, c, "altup.num_inputs", LIMIT_STREAMS, 4, &c->n_stream, err));
    HEARTH_TRY(llm_read_count(g, c, "altup.active_idx", LIMIT_STREAMS, &active, err));
    if (c->n_stream >= 2 && active == 0) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "'%s': stream %lld of %lld goes through the layers, expected the first of "
                    "several", c->arch, (long long)active, (long long)c->n_stream);
}

static hearth_status configure_gemma3n(const gguf *g, llm_config *c, hearth_err *err)
{
    const float local_base = 10000, cap = 30;
    c->rope_neox = true;
    c->embd_scale = sqrtf((float)c->n_embd);
    c->attn_scale = 1;
    HEARTH_TRY(llm_read_size(g, c, "attention.sliding_window", LIMIT_CONTEXT, 0, &c->window, err));
    HEARTH_TRY(llm_read_number(g, c, "rope.freq_base_swa", 1e-3, 1e12, &local_base,
                               &c->rope_base_local, err));
    HEARTH_TRY(llm_read_number(g, c, "final_logit_softcapping", 0, 1e6, &cap, &c->logit_cap, err));
    HEARTH_TRY(llm_read_size(g, c, "embedding_length_per_layer_input", LIMIT_FF / LIMIT_LAYERS, 0,
                             &c->n_embd_layer, err));
    HEARTH_TRY(read_streams(g, c, err));
    HEARTH_TRY(check_sparsity(g, c, err));
    HEARTH_TRY(llm_read_local_list(g, c, err));
    if (c->d_k != c->d_v)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "'%s': keys of %lld and values of %lld", c->arch,
                        (long long)c->d_k, (long long)c->d_v);
    return llm_read_shared(g, c, err);
}

static void set_memory(const llm_config *c, int64_t layer, llm_memory *m)
{
    if (layer >= llm_first_shared(c)) m->shares = llm_find_source(c, layer);
}

static int64_t count_input_floats(const llm_config *c)
{
    return nn_input_floats(c->n_layer, c->n_embd_layer);
}

static int64_t count_own_floats(const llm_config *c)
{
    return count_input_floats(c) + nn_stream_floats(c->n_stream, c->n_embd);
}

static void bind_attention(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    nn_attn *a = &out->attn;
    int64_t n_kv = c->n_head_kv * c->d_k;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    a->q = llm_bind(b, "attn_q.weight", c->n_embd, c->n_head * c->d_k);
    a->q_norm = llm_bind(b, "attn_q_norm.weight", c->d_k, 1);
    a->o = llm_bind(b, "attn_output.weight", c->n_head * c->d_k, c->n_embd);
    out->attn_post = llm_bind_norm(b, "post_attention_norm.weight");
    bool is_own = b->layer < llm_first_shared(c);
    weight_id (*bind)(llm_binder *, const char *, int64_t, int64_t) = is_own ? llm_bind
                                                                            : llm_bind_optional;
    weight_id k = bind(b, "attn_k.weight", c->n_embd, n_kv);
    weight_id v = bind(b, "attn_v.weight", c->n_embd, n_kv);
    weight_id k_norm = bind(b, "attn_k_norm.weight", c->d_k, 1);
    if (!is_own) return;
    a->k = k;
    a->v = v;
    a->k_norm = k_norm;
    a->v_norm = llm_bind_constant(b, c->d_k, 1);
}

static void bind_feed_forward(llm_binder *b, llm_layer *out)
{
    double sigmas = 0;
    const llm_config *c = b->c;
    const gguf_kv *kv = llm_find_list(weights_source(b->w), c, "activation_sparsity_scale");
    int64_t n_embd = c->n_embd, n_ff = llm_tensor_rows(b, "ffn_gate.weight", c->n_ff);
    bool ok = gguf_item_f64(kv, (uint64_t)b->layer, &sigmas);
    ASSERT(ok); // check_sparsity()
    (void)ok;
    out->ffn_norm = llm_bind_norm(b, "ffn_norm.weight");
    out->ffn = (nn_ffn){
        .gate = llm_bind(b, "ffn_gate.weight", n_embd, n_ff),
        .up = llm_bind(b, "ffn_up.weight", n_embd, n_ff),
        .down = llm_bind(b, "ffn_down.weight", n_ff, n_embd),
        .n_ff = n_ff, .is_gelu = true, .is_sparse = isfinite(sigmas), .sigmas = (float)sigmas,
    };
    out->ffn_post = llm_bind_norm(b, "post_ffw_norm.weight");
}

static void bind_altup(llm_binder *b, nn_altup *out)
{
    const llm_config *c = b->c;
    int64_t n = c->n_stream;
    *out = (nn_altup){
        .router_norm = llm_bind_norm(b, "altup_router_norm.weight"),
        .router = llm_bind(b, "altup_router.weight", c->n_embd, n),
        .predict = llm_bind(b, "altup_predict_coef.weight", n, n * n),
        .correct = llm_bind(b, "altup_correct_coef.weight", n, n),
        .n = n, .n_embd = c->n_embd, .before = count_input_floats(c),
    };
}

static void bind_gemma3n_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    bind_attention(b, out);
    bind_feed_forward(b, out);
    bind_altup(b, &out->altup);
    int64_t rank = llm_tensor_rows(b, "laurel_l.weight", c->n_ff);
    out->laurel = (nn_laurel){
        .narrow = llm_bind(b, "laurel_l.weight", c->n_embd, rank),
        .wide = llm_bind(b, "laurel_r.weight", rank, c->n_embd),
        .norm = llm_bind_norm(b, "laurel_post_norm.weight"),
    };
    llm_bind_input(b, out);
    out->input_scale = llm_bind(b, "altup_correct_scale.weight", c->n_embd, 1);
}

static void bind_gemma3n_streams(llm_binder *b, nn_stream_ends *out)
{
    const llm_config *c = b->c;
    int64_t n = c->n_stream - 1;
    *out = (nn_stream_ends){
        .split = llm_bind_slices_outside(b, "altup_proj.weight", c->n_embd, c->n_embd, n),
        .merge = llm_bind_slices_outside(b, "altup_unembd_proj.weight", c->n_embd, c->n_embd, n),
        .n = c->n_stream, .n_embd = c->n_embd, .before = count_input_floats(c),
    };
}

// y = (x + norm(attention(norm(x))) + laurel(norm(x))) / sqrt(2), and x = y + norm(GeGLU(norm(y)))
static hearth_status run_blocks(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = l->attn_norm.n, n_all = r->n_rows * n;
    dev_view beside;
    HEARTH_TRY(nn_apply_norm(r, &l->attn_norm, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_laurel_beside(r, &l->altup, &l->laurel, &beside, err));
    HEARTH_TRY(nn_attention(r, &l->attn, mem, err));
    HEARTH_TRY(nn_apply_norm(r, &l->attn_post, r->h, r->n_rows, r->h, err));
    ops->add(r->d, r->x, r->h, n_all, r->x);
    ops->add(r->d, r->x, beside, n_all, r->x);
    ops->scale(r->d, r->x, sqrtf(0.5f), r->n_rows, n, r->x);
    HEARTH_TRY(nn_apply_norm(r, &l->ffn_norm, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_feed_forward(r, &l->ffn, err));
    HEARTH_TRY(nn_apply_norm(r, &l->ffn_post, r->h, r->n_rows, r->h, err));
    ops->add(r->d, r->x, r->h, n_all, r->x);
    return HEARTH_OK;
}

static hearth_status run_gemma3n_layer(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                       hearth_err *err)
{
    HEARTH_TRY(nn_predict(r, &l->altup, err));
    HEARTH_TRY(run_blocks(r, l, mem, err));
    HEARTH_TRY(nn_correct(r, &l->altup, err));
    HEARTH_TRY(nn_mul_rows(r, l->input_scale, r->x, l->attn_norm.n, r->h, err));
    HEARTH_TRY(nn_apply_input(r, &l->input, r->h, err));
    nn_add_to_others(r, &l->altup);
    return HEARTH_OK;
}

const llm_family llm_family_gemma3n = {
    .arch = "gemma3n",
    .is_whole = true,
    .has_layer_lists = true,
    .configure = configure_gemma3n,
    .memory = set_memory,
    .bind_inputs = llm_bind_inputs,
    .bind_streams = bind_gemma3n_streams,
    .bind_layer = bind_gemma3n_layer,
    .own_floats = count_own_floats,
    .run_layer = run_gemma3n_layer,
};
