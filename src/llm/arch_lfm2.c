// lfm2: Liquid AI's LFM2 and LFM2.5, convolutions with a few layers of attention between them.
//
//   x ---+--> norm -> short convolution, or attention --(+)--+--> norm -> SwiGLU --(+)--> x
//        +-----------------------------------------------^    +----------------------^
//
// Which layer has attention is said by attention.head_count_kv, a number for each, 0 where there is
// a convolution. Attention has norms of q and k per head, and pairs that are halves. The three
// inputs of a convolution are one matrix in the file: the gate before it, the gate after it, and
// what goes through. The output norm is called token_embd_norm. A convolution remembers its last
// n_taps - 1 inputs.
#include "llm/family.h"

static hearth_status configure_lfm2(const gguf *g, llm_config *c, hearth_err *err)
{
    c->rope_neox = true;
    c->has_qk_norm = true;
    c->is_out_norm_misnamed = true;
    HEARTH_TRY(llm_read_size(g, c, "shortconv.l_cache", LIMIT_CONV_TAPS, 0, &c->n_taps,
                             err));
    if (c->n_taps > 1) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "key 'lfm2.shortconv.l_cache': %lld, expected 2 or more",
                    (long long)c->n_taps);
}

static void bind_convolution(llm_binder *b, llm_layer *out)
{
    int64_t n = b->c->n_embd;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    out->conv = (nn_conv){
        .b = llm_bind_rows(b, "shortconv.in_proj.weight", n, 3 * n, 0, n),
        .c = llm_bind_rows(b, "shortconv.in_proj.weight", n, 3 * n, n, n),
        .x = llm_bind_rows(b, "shortconv.in_proj.weight", n, 3 * n, 2 * n, n),
        .o = llm_bind(b, "shortconv.out_proj.weight", n, n),
        .taps = llm_bind_flat(b, "shortconv.conv.weight", n * b->c->n_taps),
        .n = n,
    };
    out->ffn_norm = llm_bind_norm(b, "ffn_norm.weight");
}

static void bind_lfm2_layer(llm_binder *b, llm_layer *out)
{
    if (llm_is_recurrent(b->c, b->layer)) {
        bind_convolution(b, out);
    } else {
        llm_bind_plain_attention(b, out);
        out->attn.q_norm = llm_bind(b, "attn_q_norm.weight", b->c->d_k, 1);
        out->attn.k_norm = llm_bind(b, "attn_k_norm.weight", b->c->d_k, 1);
    }
    llm_bind_feed_forward(b, out);
}

static void remember_lfm2(const llm_config *c, int64_t layer, llm_memory *m)
{
    if (!llm_is_recurrent(c, layer)) return;
    *m = (llm_memory){.shares = -1, .n_state = (c->n_taps - 1) * c->n_embd};
}

static int64_t own_floats_lfm2(const llm_config *c) { return 3 * c->n_embd; }

const llm_family llm_family_lfm2 = {
    .arch = "lfm2",
    .configure = configure_lfm2,
    .bind_layer = bind_lfm2_layer,
    .memory = remember_lfm2,
    .own_floats = own_floats_lfm2,
    .run_layer = llm_run_plain_layer,
};
