// rwkv7: RWKV-7 "Goose", a recurrent network without attention.
//
//   x = norm(embedding)
//   x ---+--> norm -> time mixing --(+)--+--> norm -> channel mixing --(+)--> x     (nn/rwkv7.c)
//        +---------------------------^    +-----------------------------^
//
// All norms are LayerNorms with a bias. There is no rotation and no head count: heads have
// wkv.head_size channels. Later layers need the values of the first, so the layers cannot be
// parted. In the first layer of a GGUF stand value-mixing tensors that nothing uses, with the rank
// of the rate's: the converter puts them for the symmetry.
#include "llm/family.h"

#define HEAD_NORM_EPS 64e-5f // of the norm of each head; no key says it

static hearth_status configure_rwkv7(const gguf *g, llm_config *c, hearth_err *err)
{
    const struct { const char *key; int64_t *out; } ranks[] = {
        {"attention.decay_lora_rank", &c->rank_decay},
        {"attention.iclr_lora_rank", &c->rank_rate},
        {"attention.value_residual_mix_lora_rank", &c->rank_value},
        {"attention.gate_lora_rank", &c->rank_gate},
    };
    for (size_t i = 0; i < COUNTOF(ranks); i++)
        HEARTH_TRY(llm_read_size(g, c, ranks[i].key, LIMIT_EMBD, 0, ranks[i].out, err));
    HEARTH_TRY(llm_read_size(g, c, "wkv.head_size", LIMIT_WKV_HEAD, 0, &c->d_k, err));
    if (c->n_embd % c->d_k)
        return err_fail(err, HEARTH_E_FORMAT, "key 'rwkv7.wkv.head_size': %lld channels are no "
                        "whole heads of %lld", (long long)c->n_embd, (long long)c->d_k);
    c->d_v = c->d_k;
    c->n_head = c->n_head_kv = c->n_embd / c->d_k;
    c->has_norm_bias = c->has_embd_norm = true;
    for (int64_t i = 0; i < c->n_layer; i++) c->recurrent[i / 64] |= (uint64_t)1 << (i % 64);
    return HEARTH_OK;
}

static nn_pair bind_pair(llm_binder *b, char kind, int64_t rank, bool has_base)
{
    int64_t n = b->c->n_embd;
    char name[] = "time_mix_x0.weight";
    const size_t at = sizeof "time_mix_" - 1;
    nn_pair p = {.base = WEIGHT_NONE, .rank = rank};
    name[at] = kind;
    if (has_base) p.base = llm_bind(b, name, n, 1);
    name[at + 1] = '1';
    p.narrow = llm_bind(b, name, n, rank);
    name[at + 1] = '2';
    p.wide = llm_bind(b, name, rank, n);
    return p;
}

static nn_pair bind_value_pair(llm_binder *b)
{
    int64_t n = b->c->n_embd, rank = b->c->rank_rate;
    if (b->layer > 0) return bind_pair(b, 'v', b->c->rank_value, true);
    llm_bind_optional(b, "time_mix_v0.weight", n, 1);
    llm_bind_optional(b, "time_mix_v1.weight", n, rank);
    llm_bind_optional(b, "time_mix_v2.weight", rank, n);
    return (nn_pair){WEIGHT_NONE, WEIGHT_NONE, WEIGHT_NONE, 0};
}

static void bind_rwkv7_layer(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    int64_t n = c->n_embd;
    llm_set_attention(b, out);
    out->attn_norm = llm_bind_norm(b, "attn_norm.weight");
    out->rwkv7 = (nn_rwkv7){
        .mix = llm_bind_flat(b, "time_mix_lerp_fused.weight", 6 * n),
        .r = llm_bind(b, "time_mix_receptance.weight", n, n),
        .k = llm_bind(b, "time_mix_key.weight", n, n),
        .v = llm_bind(b, "time_mix_value.weight", n, n),
        .o = llm_bind(b, "time_mix_output.weight", n, n),
        .w = bind_pair(b, 'w', c->rank_decay, true),
        .a = bind_pair(b, 'a', c->rank_rate, true),
        .v_mix = bind_value_pair(b),
        .g = bind_pair(b, 'g', c->rank_gate, false),
        .k_k = llm_bind_flat(b, "time_mix_k_k.weight", n),
        .k_a = llm_bind_flat(b, "time_mix_k_a.weight", n),
        .r_k = llm_bind_flat(b, "time_mix_r_k.weight", n),
        .norm = llm_bind_norm(b, "time_mix_ln.weight"),
        .channel_mix = llm_bind_flat(b, "channel_mix_lerp_k.weight", n),
        .channel_key = llm_bind(b, "channel_mix_key.weight", n, c->n_ff),
        .channel_value = llm_bind(b, "channel_mix_value.weight", c->n_ff, n),
        .n = n, .d_head = c->d_k, .n_ff = c->n_ff,
    };
    out->rwkv7.norm.eps = HEAD_NORM_EPS;
    out->ffn_norm = llm_bind_norm(b, "attn_norm_2.weight");
}

static void remember_rwkv7(const llm_config *c, int64_t layer, llm_memory *m)
{
    (void)layer;
    *m = (llm_memory){.shares = -1, .n_state = nn_rwkv7_state_floats(c->n_embd, c->d_k)};
}

static int64_t own_floats_rwkv7(const llm_config *c)
{
    int64_t rank = i64_max(i64_max(c->rank_decay, c->rank_rate),
                           i64_max(c->rank_value, c->rank_gate));
    return nn_rwkv7_own_floats(c->n_embd, rank);
}

static hearth_status run_rwkv7_layer(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                     hearth_err *err)
{
    const dev_ops *ops = r->d->ops;
    int64_t n = r->n_rows * l->rwkv7.n;
    HEARTH_TRY(nn_apply_norm(r, &l->attn_norm, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_time_mixing(r, &l->rwkv7, mem, err));
    ops->add(r->d, r->x, r->h, n, r->x);
    HEARTH_TRY(nn_apply_norm(r, &l->ffn_norm, r->x, r->n_rows, r->h, err));
    HEARTH_TRY(nn_channel_mixing(r, &l->rwkv7, mem, err));
    ops->add(r->d, r->x, r->h, n, r->x);
    return HEARTH_OK;
}

const llm_family llm_family_rwkv7 = {
    .arch = "rwkv7",
    .has_layer_norm = true,
    .has_no_attention = true,
    .is_whole = true,
    .configure = configure_rwkv7,
    .bind_layer = bind_rwkv7_layer,
    .memory = remember_rwkv7,
    .own_floats = own_floats_rwkv7,
    .run_layer = run_rwkv7_layer,
};
