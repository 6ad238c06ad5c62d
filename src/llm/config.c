// Reads a model's shape from the keys of its GGUF.
//
// Keys are "<architecture>.<name>"; what a key may hold is bounded here (limits.h), so that
// products of two of them fit 64 bits everywhere later. Defaults are those that the format's
// writers rely on:
//
//   attention.head_count_kv      head_count
//   attention.key_length         embedding_length / head_count (value_length too)
//   rope.dimension_count         key_length
//   rope.freq_base               10000
//   rope.scaling.type            none; "linear" divides positions by rope.scaling.factor, which old
//                                files call rope.scale_linear; "yarn" divides slow pairs only;
//                                "longrope" is phi3's, whose tensors say the same; others are
//                                refused
//
// The vocabulary's size is the number of rows of the embedding; the token list must agree with it.
#include <math.h>
#include <stdio.h>

#include "llm/family.h"

typedef struct config_reader {
    const gguf *g;
    const char *arch;
    hearth_err *err;
    const llm_family *family;
    char key[96]; // the last one
} config_reader;

static const char *full_key(config_reader *r, const char *name)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->arch, name);
    return r->key;
}

// An integer in [1, max]. `fallback` is used when the key is absent; 0: the key is required.
static hearth_status read_size(config_reader *r, const char *name, int64_t max, int64_t fallback,
                               int64_t *out)
{
    uint64_t v = (uint64_t)fallback;
    bool found;
    HEARTH_TRY(gguf_get_u64(r->g, full_key(r, name), UINT64_MAX, &v, &found, r->err));
    if (!found && !fallback)
        return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': not in the file", r->key);
    if (v < 1 || v > (uint64_t)max)
        return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': %llu is not in 1..%lld", r->key,
                        (unsigned long long)v, (long long)max);
    *out = (int64_t)v;
    return HEARTH_OK;
}

// A finite positive number in [min, max]; `fallback` NULL: required.
static hearth_status read_number(config_reader *r, const char *name, double min, double max,
                                 const float *fallback, float *out)
{
    float v = fallback ? *fallback : 0;
    bool found;
    HEARTH_TRY(gguf_get_f32(r->g, full_key(r, name), &v, &found, r->err));
    if (!found && !fallback)
        return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': not in the file", r->key);
    if (!((double)v >= min && (double)v <= max))
        return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': %g is not in %g..%g", r->key, (double)v,
                        min, max);
    *out = v;
    return HEARTH_OK;
}

hearth_status llm_read_number(const gguf *g, const llm_config *c, const char *name, double min,
                              double max, const float *fallback, float *out, hearth_err *err)
{
    config_reader r = {.g = g, .arch = c->arch, .err = err};
    return read_number(&r, name, min, max, fallback, out);
}

hearth_status llm_read_size(const gguf *g, const llm_config *c, const char *name, int64_t max,
                            int64_t fallback, int64_t *out, hearth_err *err)
{
    config_reader r = {.g = g, .arch = c->arch, .err = err};
    return read_size(&r, name, max, fallback, out);
}

hearth_status llm_check_pattern(const gguf *g, const llm_config *c, hearth_err *err)
{
    char key[96];
    snprintf(key, sizeof key, "%s.attention.sliding_window_pattern", c->arch);
    const gguf_kv *kv = gguf_find(g, key);
    if (!kv) return HEARTH_OK;
    int64_t item = 0;
    bool ok = kv->type != GGUF_ARRAY && gguf_item_i64(kv, 0, &item) && item == c->local_period;
    if (kv->type == GGUF_ARRAY && kv->n == (uint64_t)c->n_layer) {
        ok = true;
        for (int64_t i = 0; i < c->n_layer; i++)
            ok = ok && gguf_item_i64(kv, (uint64_t)i, &item) &&
                 (item != 0) == ((i + 1) % c->local_period != 0);
    }
    if (ok) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "key '%s': not every %lldth layer global", key,
                    (long long)c->local_period);
}

// One number, or one per layer: 0 for layers without attention, the same for all others.
static hearth_status read_kv_heads(config_reader *r, llm_config *c)
{
    const gguf_kv *kv = gguf_find(r->g, full_key(r, "attention.head_count_kv"));
    if (!kv || kv->type != GGUF_ARRAY)
        return read_size(r, "attention.head_count_kv", LIMIT_HEADS, c->n_head, &c->n_head_kv);
    if (kv->n != (uint64_t)c->n_layer)
        return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': %llu values for %lld layers", r->key,
                        (unsigned long long)kv->n, (long long)c->n_layer);
    for (int64_t i = 0; i < c->n_layer; i++) {
        int64_t n = 0;
        if (!gguf_item_i64(kv, (uint64_t)i, &n) || n < 0 || n > LIMIT_HEADS)
            return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': value %lld is not in 0..%d",
                            r->key, (long long)i, LIMIT_HEADS);
        if (n == 0) c->recurrent[i / 64] |= (uint64_t)1 << (i % 64);
        if (n > 0 && c->n_head_kv > 0 && n != c->n_head_kv)
            return err_fail(r->err, HEARTH_E_UNSUPPORTED, "key '%s': layers with %lld and %lld",
                            r->key, (long long)c->n_head_kv, (long long)n);
        if (n > 0) c->n_head_kv = n;
    }
    if (c->n_head_kv > 0) return HEARTH_OK;
    return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': all values are 0", r->key);
}

// The largest of a list with a number per layer, where the family knows such lists.
static hearth_status read_sizes(config_reader *r, const char *name, int64_t n_layer, int64_t max,
                                int64_t fallback, int64_t *out)
{
    const gguf_kv *kv = gguf_find(r->g, full_key(r, name));
    bool is_list = kv && kv->type == GGUF_ARRAY && r->family->has_layer_lists;
    if (!is_list) return read_size(r, name, max, fallback, out);
    int64_t most = 0, item = 0;
    bool ok = kv->n == (uint64_t)n_layer;
    for (uint64_t i = 0; ok && i < kv->n; i++) {
        ok = gguf_item_i64(kv, i, &item) && item >= 1 && item <= max;
        most = i64_max(most, item);
    }
    if (!ok)
        return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': not %lld numbers in 1..%lld", r->key,
                        (long long)n_layer, (long long)max);
    *out = most;
    return HEARTH_OK;
}

// Files of mixtures without a plain layer may leave its width out.
static hearth_status read_width(config_reader *r, llm_config *c)
{
    uint64_t experts = 0;
    bool found;
    HEARTH_TRY(gguf_get_u64(r->g, full_key(r, "expert_feed_forward_length"), LIMIT_FF, &experts,
                            &found, r->err));
    return read_sizes(r, "feed_forward_length", c->n_layer, LIMIT_FF, (int64_t)experts, &c->n_ff);
}

static hearth_status read_shape(config_reader *r, llm_config *c)
{
    HEARTH_TRY(read_size(r, "block_count", LIMIT_LAYERS, 0, &c->n_layer));
    HEARTH_TRY(read_size(r, "embedding_length", LIMIT_EMBD, 0, &c->n_embd));
    HEARTH_TRY(read_width(r, c));
    HEARTH_TRY(read_size(r, "context_length", LIMIT_CONTEXT, 0, &c->n_ctx_train));
    if (r->family->has_no_attention) return HEARTH_OK;
    HEARTH_TRY(read_size(r, "attention.head_count", LIMIT_HEADS, 0, &c->n_head));
    if (r->family->has_layer_lists)
        HEARTH_TRY(read_sizes(r, "attention.head_count_kv", c->n_layer, LIMIT_HEADS, c->n_head,
                              &c->n_head_kv));
    else
        HEARTH_TRY(read_kv_heads(r, c));
    int64_t d_head = i64_max(c->n_embd / c->n_head, 1);
    HEARTH_TRY(read_size(r, "attention.key_length", LIMIT_HEAD_SIZE, d_head, &c->d_k));
    return read_size(r, "attention.value_length", LIMIT_HEAD_SIZE, d_head, &c->d_v);
}

// Mixtures of experts. Files without the experts' own width (Mixtral) mean feed_forward_length.
static hearth_status read_experts(config_reader *r, const llm_family *family, llm_config *c)
{
    uint64_t n = 0, shared = 0;
    bool found;
    HEARTH_TRY(gguf_get_u64(r->g, full_key(r, "expert_count"), UINT64_MAX, &n, &found, r->err));
    if (n == 0) return HEARTH_OK;
    if (!family->has_experts)
        return err_fail(r->err, HEARTH_E_UNSUPPORTED,
                        "key '%s': %llu: mixtures of experts are not supported in '%s' models",
                        r->key, (unsigned long long)n, c->arch);
    HEARTH_TRY(read_size(r, "expert_count", LIMIT_EXPERTS, 0, &c->n_expert));
    HEARTH_TRY(read_size(r, "expert_used_count", c->n_expert, 0, &c->n_expert_used));
    HEARTH_TRY(read_size(r, "expert_feed_forward_length", LIMIT_FF, c->n_ff, &c->n_ff_expert));
    HEARTH_TRY(gguf_get_u64(r->g, full_key(r, "expert_shared_feed_forward_length"), LIMIT_FF,
                            &shared, &found, r->err));
    c->n_ff_shared = (int64_t)shared;
    return HEARTH_OK;
}

static hearth_status check_shape(const llm_config *c, hearth_err *err)
{
    if (c->n_head % c->n_head_kv)
        return err_fail(err, HEARTH_E_FORMAT,
                        "%lld attention heads cannot share %lld key/value heads equally",
                        (long long)c->n_head, (long long)c->n_head_kv);
    return HEARTH_OK;
}

// 0.1 m ln(factor) + 1, by which YaRN sharpens attention.
static double sharpen(double factor, double m)
{
    return factor > 1 ? 0.1 * m * log(factor) + 1 : 1;
}

// Cosine and sine are multiplied by a number that the file has, or by sharpen(factor, 1), divided
// by sharpen(factor, yarn_log_multiplier) where that is not 0.
static hearth_status read_yarn(config_reader *r, llm_config *c)
{
    const float fast = 32, slow = 1, one = 1, zero = 0;
    float all = 0, more = 1;
    int64_t trained = c->n_ctx_train;
    c->has_yarn = true;
    HEARTH_TRY(read_number(r, "rope.scaling.factor", 1e-6, 1e6, NULL, &c->rope_linear));
    HEARTH_TRY(read_size(r, "rope.scaling.original_context_length", LIMIT_CONTEXT, trained,
                         &c->n_ctx_short));
    HEARTH_TRY(read_number(r, "rope.scaling.yarn_beta_fast", 1e-3, 1e6, &fast, &c->yarn_fast));
    HEARTH_TRY(read_number(r, "rope.scaling.yarn_beta_slow", 1e-3, 1e6, &slow, &c->yarn_slow));
    HEARTH_TRY(read_number(r, "rope.scaling.yarn_ext_factor", 0, 1, &one, &c->yarn_mix));
    HEARTH_TRY(read_number(r, "rope.scaling.yarn_log_multiplier", 0, 100, &zero, &all));
    HEARTH_TRY(read_number(r, "rope.scaling.attn_factor", 1e-6, 1e6, &one, &more));
    double factor = (double)c->rope_linear;
    float usual = (float)(sharpen(factor, 1) / (all > 0 ? sharpen(factor, (double)all) : 1));
    HEARTH_TRY(read_number(r, "rope.scaling.yarn_attn_factor", 1e-6, 1e6, &usual, &c->rope_attn));
    c->rope_attn *= more;
    if (c->rope_base > 1 && c->yarn_slow <= c->yarn_fast) return HEARTH_OK;
    return err_fail(r->err, HEARTH_E_FORMAT,
                    "yarn with base %g, beta_fast %g and beta_slow %g: expected a base above 1 and "
                    "fast not below slow", (double)c->rope_base, (double)c->yarn_fast,
                    (double)c->yarn_slow);
}

static hearth_status read_rope_scaling(config_reader *r, llm_config *c)
{
    const float one = 1;
    str type = STR("none");
    bool found;
    HEARTH_TRY(read_number(r, "rope.scale_linear", 1e-6, 1e6, &one, &c->rope_linear));
    HEARTH_TRY(gguf_get_str(r->g, full_key(r, "rope.scaling.type"), &type, &found, r->err));
    if (!found) return HEARTH_OK;
    bool is_long = str_eq_z(type, "longrope") && str_eq_z(str_from(r->arch), "phi3");
    if (str_eq_z(type, "none") || is_long) {
        c->rope_linear = 1;
        return HEARTH_OK;
    }
    if (str_eq_z(type, "yarn")) return read_yarn(r, c);
    if (!str_eq_z(type, "linear"))
        return err_fail(r->err, HEARTH_E_UNSUPPORTED,
                        "key '%s': rope scaling '%.*s' is not supported, only none, linear and "
                        "yarn", r->key, STR_ARG(type));
    const float old = c->rope_linear;
    return read_number(r, "rope.scaling.factor", 1e-6, 1e6, &old, &c->rope_linear);
}

static hearth_status read_rope(config_reader *r, llm_config *c)
{
    const float base = 10000;
    HEARTH_TRY(read_size(r, "rope.dimension_count", c->d_k, c->d_k, &c->n_rot));
    if (c->n_rot % 2)
        return err_fail(r->err, HEARTH_E_FORMAT, "key '%s': %lld is odd", r->key,
                        (long long)c->n_rot);
    HEARTH_TRY(read_number(r, "rope.freq_base", 1e-3, 1e12, &base, &c->rope_base));
    return read_rope_scaling(r, c);
}

static hearth_status read_vocabulary(const gguf *g, llm_config *c, hearth_err *err)
{
    const gguf_tensor *t = gguf_find_tensor(g, "token_embd.weight");
    if (!t) return err_fail(err, HEARTH_E_FORMAT, "tensor 'token_embd.weight': not in the file");
    c->n_vocab = t->dim[1];
    if (c->n_vocab < 2 || c->n_vocab > LIMIT_VOCAB)
        return err_fail(err, HEARTH_E_FORMAT,
                        "tensor 'token_embd.weight': %lld rows are not in 2..%d",
                        (long long)c->n_vocab, LIMIT_VOCAB);
    const gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    if (tokens && tokens->type == GGUF_ARRAY && tokens->n != (uint64_t)c->n_vocab)
        return err_fail(err, HEARTH_E_FORMAT,
                        "tensor 'token_embd.weight': %lld rows for a vocabulary of %llu tokens",
                        (long long)c->n_vocab, (unsigned long long)tokens->n);
    c->is_tied = gguf_find_tensor(g, "output.weight") == NULL;
    return HEARTH_OK;
}

// Encoders say that attention is not causal, and how a text becomes one vector; decoders that were
// trained for embeddings may say the latter too.
static hearth_status read_encoder(config_reader *r, llm_config *c)
{
    bool is_causal = true, found;
    uint64_t pooling = LLM_POOL_NONE;
    HEARTH_TRY(gguf_get_bool(r->g, full_key(r, "attention.causal"), &is_causal, &found, r->err));
    c->is_encoder = !is_causal;
    HEARTH_TRY(gguf_get_u64(r->g, full_key(r, "pooling_type"), UINT64_MAX, &pooling, &found,
                            r->err));
    if (pooling > LLM_POOL_RANK)
        return err_fail(r->err, HEARTH_E_UNSUPPORTED, "key '%s': %llu is not in 0..%d", r->key,
                        (unsigned long long)pooling, LLM_POOL_RANK);
    c->pooling = (llm_pooling)pooling;
    return HEARTH_OK;
}

// A window that ends at the row itself says nothing about rows that see ahead.
static hearth_status check_window(const llm_config *c, hearth_err *err)
{
    if (!c->is_encoder || c->window == 0 || c->is_window_centred) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "key '%s.attention.causal': false with a window is not known in '%s' models",
                    c->arch, c->arch);
}

// The view of a Hugging Face folder (hf/) leaves q and k in their own order, whatever a GGUF file
// of the family holds, and says so.
static hearth_status read_pairing(const gguf *g, llm_config *c, hearth_err *err)
{
    bool found, halves = false;
    HEARTH_TRY(gguf_get_bool(g, "hearth.rope.halves", &halves, &found, err));
    if (halves) c->rope_neox = true;
    return HEARTH_OK;
}

hearth_status llm_config_read(const gguf *g, llm_config *out, hearth_err *err)
{
    str arch = {0};
    const llm_family *family;
    llm_config c = {.rope_linear = 1, .embd_scale = 1, .residual_scale = 1, .logit_scale = 1,
                    .rope_attn = 1, .expert_scale = 1, .has_out_norm = true};
    HEARTH_TRY(gguf_get_str(g, "general.architecture", &arch, NULL, err));
    HEARTH_TRY(llm_family_find(arch, &family, err));
    snprintf(c.arch, sizeof c.arch, "%s", family->arch);
    config_reader r = {.g = g, .arch = c.arch, .family = family, .err = err};
    HEARTH_TRY(read_shape(&r, &c));
    if (!family->has_no_attention) HEARTH_TRY(check_shape(&c, err));
    HEARTH_TRY(read_experts(&r, family, &c));
    c.has_layer_norm = family->has_layer_norm;
    const char *eps = c.has_layer_norm ? "attention.layer_norm_epsilon"
                                       : "attention.layer_norm_rms_epsilon";
    HEARTH_TRY(read_number(&r, eps, 0, 1, NULL, &c.norm_eps));
    if (!family->has_no_attention) HEARTH_TRY(read_rope(&r, &c));
    HEARTH_TRY(read_vocabulary(g, &c, err));
    HEARTH_TRY(read_encoder(&r, &c));
    HEARTH_TRY(family->configure(g, &c, err));
    HEARTH_TRY(check_window(&c, err));
    HEARTH_TRY(read_pairing(g, &c, err));
    *out = c;
    return HEARTH_OK;
}
