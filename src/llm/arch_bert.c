// bert, nomic-bert: encoders whose norms follow the sum (post-norm).
//
//   token + part + position -> norm -> x
//   x -> attention --(+)--> norm --+--> feed-forward --(+)--> norm -> x
//   +-----------------^            +--------------------^
//
// bert (BERT, RoBERTa, XLM-RoBERTa, and what was trained from them: MiniLM, BGE, E5, mxbai):
// absolute positions from a table, biases everywhere, gelu by the error function. A RoBERTa file's
// table begins at the first position: the converter cuts off what its padding offset skips.
// nomic-bert: rotary positions (pairs are halves), no biases but the norms', q, k and v in one
// matrix, SwiGLU.
#include "llm/family.h"

// Rows of a table [n_embd, rows], 0 without one.
static hearth_status count_rows(const gguf *g, const char *name, int64_t max, int64_t *out,
                                hearth_err *err)
{
    const gguf_tensor *t = gguf_find_tensor(g, name);
    *out = t ? t->dim[1] : 0;
    if (*out >= 0 && *out <= max) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "tensor '%s': %lld rows are not in 1..%lld", name,
                    (long long)*out, (long long)max);
}

static hearth_status configure_nomic_bert(const gguf *g, llm_config *c, hearth_err *err)
{
    enum { PARTS_MAX = UINT8_MAX };
    c->is_encoder = true;
    c->rope_neox = true;
    c->has_norm_bias = c->has_embd_norm = true;
    c->has_out_norm = false;
    return count_rows(g, "token_types.weight", PARTS_MAX, &c->n_parts, err);
}

static hearth_status configure_bert(const gguf *g, llm_config *c, hearth_err *err)
{
    HEARTH_TRY(configure_nomic_bert(g, c, err));
    c->has_qkv_bias = true;
    HEARTH_TRY(count_rows(g, "position_embd.weight", LIMIT_CONTEXT, &c->n_pos, err));
    if (c->n_pos > 0) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "tensor 'position_embd.weight': not in the file");
}

static void bind_bert_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    int64_t n_q = c->n_head * c->d_k, n_k = c->n_head_kv * c->d_k, n_v = c->n_head_kv * c->d_v;
    llm_set_attention(b, out);
    out->attn.q = llm_bind(b, "attn_q.weight", c->n_embd, n_q);
    out->attn.k = llm_bind(b, "attn_k.weight", c->n_embd, n_k);
    out->attn.v = llm_bind(b, "attn_v.weight", c->n_embd, n_v);
    out->attn.q_bias = llm_bind(b, "attn_q.bias", n_q, 1);
    out->attn.k_bias = llm_bind(b, "attn_k.bias", n_k, 1);
    out->attn.v_bias = llm_bind(b, "attn_v.bias", n_v, 1);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    out->attn.o_bias = llm_bind(b, "attn_output.bias", c->n_embd, 1);
    out->attn_norm = llm_bind_norm(b, "attn_output_norm.weight");
    llm_bind_plain_feed_forward(b, out);
    out->ffn.is_exact = true;
    out->ffn_norm = llm_bind_norm(b, "layer_output_norm.weight");
}

static void bind_nomic_bert_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    llm_set_attention(b, out);
    llm_bind_fused_qkv(b, false, out);
    out->attn.o = llm_bind(b, "attn_output.weight", c->n_head * c->d_v, c->n_embd);
    out->attn_norm = llm_bind_norm(b, "attn_output_norm.weight");
    llm_bind_feed_forward(b, out);
    out->ffn_norm = llm_bind_norm(b, "layer_output_norm.weight");
}

// x = norm(x + h)
static hearth_status add_and_norm(const nn_run *r, const nn_norm *norm, hearth_err *err)
{
    r->d->ops->add(r->d, r->x, r->h, r->n_rows * norm->n, r->x);
    return nn_apply_norm(r, norm, r->x, r->n_rows, r->x, err);
}

static hearth_status run_bert_layer(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                    hearth_err *err)
{
    size_t bytes = (size_t)(r->n_rows * l->attn_norm.n) * sizeof(float);
    r->d->ops->copy(r->d, r->h, r->x, bytes);
    HEARTH_TRY(nn_attention(r, &l->attn, mem, err));
    HEARTH_TRY(add_and_norm(r, &l->attn_norm, err));
    r->d->ops->copy(r->d, r->h, r->x, bytes);
    HEARTH_TRY(nn_feed_forward(r, &l->ffn, err));
    return add_and_norm(r, &l->ffn_norm, err);
}

const llm_family llm_family_bert = {
    .arch = "bert",
    .has_layer_norm = true,
    .configure = configure_bert,
    .bind_layer = bind_bert_layer,
    .run_layer = run_bert_layer,
};

const llm_family llm_family_nomic_bert = {
    .arch = "nomic-bert",
    .has_layer_norm = true,
    .configure = configure_nomic_bert,
    .bind_layer = bind_nomic_bert_layer,
    .run_layer = run_bert_layer,
};
