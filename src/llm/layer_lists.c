// What layers differ in, where a file lists it layer by layer; layers that read the keys and values
// of an earlier one; and inputs of each layer. gemma3n and gemma4 share this. Other families' files
// say the first by a period (llm_check_pattern).
#include "llm/family.h"

#include <stdio.h>

const gguf_kv *llm_find_list(const gguf *g, const llm_config *c, const char *name)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", c->arch, name);
    const gguf_kv *kv = gguf_find(g, key);
    return kv && kv->type == GGUF_ARRAY && kv->n == (uint64_t)c->n_layer ? kv : NULL;
}

hearth_status llm_read_local_list(const gguf *g, llm_config *c, hearth_err *err)
{
    const gguf_kv *kv = llm_find_list(g, c, "attention.sliding_window_pattern");
    int64_t item = 0;
    bool ok = kv != NULL;
    c->has_local_list = true;
    for (int64_t i = 0; ok && i < c->n_layer; i++) {
        ok = gguf_item_i64(kv, (uint64_t)i, &item);
        if (item) c->local_list[i / 64] |= (uint64_t)1 << (i % 64);
    }
    if (ok) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT,
                    "key '%s.attention.sliding_window_pattern': not a list with an item per layer",
                    c->arch);
}

int64_t llm_first_shared(const llm_config *c) { return c->n_layer - c->n_shared_kv; }

int64_t llm_find_source(const llm_config *c, int64_t layer)
{
    int64_t i = llm_first_shared(c) - 1;
    while (i >= 0 && llm_is_local(c, i) != llm_is_local(c, layer)) i--;
    return i;
}

hearth_status llm_read_count(const gguf *g, const llm_config *c, const char *name, int64_t max,
                             int64_t *out, hearth_err *err)
{
    char key[96];
    uint64_t n = 0;
    bool found;
    snprintf(key, sizeof key, "%s.%s", c->arch, name);
    HEARTH_TRY(gguf_get_u64(g, key, (uint64_t)max, &n, &found, err));
    *out = (int64_t)n;
    return HEARTH_OK;
}

hearth_status llm_read_shared(const gguf *g, llm_config *c, hearth_err *err)
{
    HEARTH_TRY(llm_read_count(g, c, "attention.shared_kv_layers", c->n_layer - 1, &c->n_shared_kv,
                          err));
    for (int64_t i = llm_first_shared(c); i < c->n_layer; i++)
        if (llm_find_source(c, i) < 0)
            return err_fail(err, HEARTH_E_FORMAT,
                            "key '%s.attention.shared_kv_layers': layer %lld has no layer of its "
                            "kind to read from", c->arch, (long long)i);
    return HEARTH_OK;
}

void llm_bind_inputs(llm_binder *b, nn_inputs *out)
{
    const llm_config *c = b->c;
    int64_t n = c->n_embd_layer, n_all = c->n_layer * n;
    *out = (nn_inputs){
        .embedding = llm_bind_outside(b, "per_layer_token_embd.weight", n_all, c->n_vocab),
        .proj = llm_bind_outside(b, "per_layer_model_proj.weight", c->n_embd, n_all),
        .norm = {.weight = llm_bind_outside(b, "per_layer_proj_norm.weight", n, 1), .n = n,
                 .eps = c->norm_eps},
        .n_layer = c->n_layer, .n = n, .n_embd = c->n_embd,
    };
}

void llm_bind_input(llm_binder *b, llm_layer *out)
{
    const llm_config *c = b->c;
    out->input = (nn_input){
        .gate = llm_bind(b, "inp_gate.weight", c->n_embd, c->n_embd_layer),
        .proj = llm_bind(b, "proj.weight", c->n_embd_layer, c->n_embd),
        .post = llm_bind_norm(b, "post_norm.weight"),
        .layer = b->layer, .n_layer = c->n_layer, .n = c->n_embd_layer,
    };
}
