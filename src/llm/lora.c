// LoRA adapters: from the tensors of an adapter to deltas of weights (nn/weights.h).
//
//   general.type "adapter", adapter.type "lora", general.architecture as the model
//   adapter.lora.alpha                     s = alpha / rank; 0: s = 1
//   hearth.lora.rank_root (ours, bool)     s = alpha / sqrt(rank) (rsLoRA, Kalajdzievski 2023)
//   "blk.0.attn_q.weight.lora_a" [n_in, rank], "blk.0.attn_q.weight.lora_b" [rank, n_out]
//
// An adapter changes what a model computes without a trace in its text, so a tensor that would not
// be applied is an error that names it: embeddings, experts, norms. Only what lies outside the
// range of layers that is loaded is passed over.
//
// GGUF files of llama and granite have the rows of q and k reordered, views of folders do not
// (hf/hf.h); where adapter and model differ in that, rows of b are put in the model's order.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "llm/model_int.h"

typedef struct adapter {
    const gguf *g;
    float scale, alpha;
    bool rank_root;
    bool reorders, to_pairs; // q and k
} adapter;

static hearth_status check_key(const gguf *g, const char *key, str want, hearth_err *err)
{
    str is = {0};
    bool found;
    HEARTH_TRY(gguf_get_str(g, key, &is, &found, err));
    if (str_eq(is, want)) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "key '%s' is '%.*s', expected '%.*s'", key,
                    STR_ARG(is), STR_ARG(want));
}

static hearth_status read_halves(const gguf *g, bool *out, hearth_err *err)
{
    bool found;
    *out = false;
    return gguf_get_bool(g, "hearth.rope.halves", out, &found, err);
}

static hearth_status read_keys(const llm_model *m, adapter *t, hearth_err *err)
{
    bool found, theirs, ours;
    HEARTH_TRY(check_key(t->g, "general.type", STR("adapter"), err));
    HEARTH_TRY(check_key(t->g, "adapter.type", STR("lora"), err));
    HEARTH_TRY(check_key(t->g, "general.architecture", str_from(m->c.arch), err));
    HEARTH_TRY(gguf_get_f32(t->g, "adapter.lora.alpha", &t->alpha, NULL, err));
    HEARTH_TRY(gguf_get_bool(t->g, "hearth.lora.rank_root", &t->rank_root, &found, err));
    // It would count only after certain words of the text (activated LoRA).
    const char *words = "adapter.alora.invocation_tokens";
    if (gguf_find(t->g, words))
        return err_fail(err, HEARTH_E_UNSUPPORTED, "key '%s' is not supported", words);
    HEARTH_TRY(read_halves(t->g, &theirs, err));
    HEARTH_TRY(read_halves(weights_source(m->w), &ours, err));
    t->reorders = theirs != ours;
    t->to_pairs = !ours;
    return HEARTH_OK;
}

// "blk.3.attn_q.weight.lora_a": the name of the whole matrix and that of the other half.
static hearth_status split_name(const gguf_tensor *t, char whole[256], char other[256], bool *is_a,
                                hearth_err *err)
{
    const size_t n_end = STR(".lora_a").n;
    *is_a = str_ends(t->name, STR(".lora_a"));
    if (!*is_a && !str_ends(t->name, STR(".lora_b")))
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "tensor '%.*s': is no half of a matrix (.lora_a, .lora_b)",
                        STR_ARG(t->name));
    ASSERT(t->name.n <= LIMIT_GGUF_TENSOR_NAME);
    snprintf(whole, 256, "%.*s", (int)(t->name.n - n_end), t->name.p);
    snprintf(other, 256, "%.*s%c", (int)(t->name.n - 1), t->name.p, *is_a ? 'b' : 'a');
    return HEARTH_OK;
}

static weight_order find_order(const llm_model *m, const adapter *t, const char *whole)
{
    bool is_q = str_ends(str_from(whole), STR(".attn_q.weight"));
    bool is_k = str_ends(str_from(whole), STR(".attn_k.weight"));
    if (!t->reorders || (!is_q && !is_k)) return (weight_order){0};
    return (weight_order){is_q ? m->c.n_head : m->c.n_head_kv, t->to_pairs};
}

static bool is_whole_model(const llm_model *m) { return m->n_layer == m->c.n_layer; }

static hearth_status add_pair(llm_model *m, const adapter *t, const char *whole,
                              const gguf_tensor *a, const gguf_tensor *b, hearth_err *err)
{
    int n = 0;
    double rank = (double)a->dim[1], share = t->rank_root ? sqrt(rank) : rank;
    double s = t->alpha < 0 || t->alpha > 0 ? (double)t->alpha / share : 1;
    const weight_adapter pair = {a, b, (float)(s * (double)t->scale), find_order(m, t, whole)};
    HEARTH_TRY(weights_add_delta(m->w, whole, &pair, &n, err));
    if (n > 0 || (!is_whole_model(m) && gguf_find_tensor(weights_source(m->w), whole)))
        return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': the model has no '%s'", STR_ARG(a->name),
                    whole);
}

// Tables are looked up and not multiplied; a tied output is one of them.
static hearth_status check_tables(const llm_model *m, hearth_err *err)
{
    const struct { weight_id id; const char *name; } tables[] = {
        {m->embedding, "token_embd.weight"}, {m->positions, "position_embd.weight"},
        {m->parts, "token_types.weight"},
        {m->inputs.n > 0 ? m->inputs.embedding : WEIGHT_NONE, "per_layer_token_embd.weight"},
    };
    for (size_t i = 0; i < COUNTOF(tables); i++)
        if (tables[i].id != WEIGHT_NONE && weights_deltas(m->w, tables[i].id))
            return err_fail(err, HEARTH_E_UNSUPPORTED, "adapters of '%s' are not supported",
                            tables[i].name);
    return HEARTH_OK;
}

static hearth_status add_tensors(llm_model *m, const adapter *t, hearth_err *err)
{
    for (size_t i = 0; i < gguf_tensor_count(t->g); i++) {
        const gguf_tensor *half = gguf_tensor_at(t->g, i), *second;
        char whole[256], other[256];
        bool is_a;
        HEARTH_TRY(split_name(half, whole, other, &is_a, err));
        second = gguf_find_tensor(t->g, other);
        if (!second)
            return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': there is no '%s'",
                            STR_ARG(half->name), other);
        if (is_a) HEARTH_TRY(add_pair(m, t, whole, half, second, err));
    }
    if (gguf_tensor_count(t->g) > 0) return check_tables(m, err);
    return err_fail(err, HEARTH_E_FORMAT, "the adapter has no tensors");
}

hearth_status llm_model_adapt(llm_model *m, const gguf *g, float scale, hearth_err *err)
{
    adapter t = {.g = g, .scale = scale};
    if (!isfinite(scale))
        return err_fail(err, HEARTH_E_ARG, "scale %g is no number", (double)scale);
    uint64_t before = weights_own_bytes(m->w);
    HEARTH_TRY(read_keys(m, &t, err));
    HEARTH_TRY(add_tensors(m, &t, err));
    m->own_bytes += weights_own_bytes(m->w) - before;
    m->fingerprint = model_hash(m);
    return HEARTH_OK;
}
