// Opening a model: configuration, then every tensor of the layer range bound and checked.
//
// Nothing is read from the weights here but vectors that need converting and the divisors of the
// rotary frequencies; matrices stay in the mapped file until a step touches them. After opening,
// the model does not change, so any number of contexts may use it.
#include "llm/model_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

static hearth_status set_range(llm_model *m, const llm_model_options *o, hearth_err *err)
{
    int64_t first = o ? o->layer_first : 0, count = o ? o->layer_count : 0;
    int64_t n = m->c.n_layer;
    if (first < 0 || first >= n || count < 0 || count > n - first)
        return err_fail(err, HEARTH_E_ARG, "layers %lld + %lld: the model has %lld",
                        (long long)first, (long long)count, (long long)n);
    if (m->family->is_whole && (first || (count && count < n)))
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "layers %lld + %lld: those of '%s' models cannot be parted",
                        (long long)first, (long long)count, m->c.arch);
    m->layer_first = first;
    m->n_layer = count ? count : n - first;
    m->has_embedding = first == 0;
    m->has_head = first + m->n_layer == n;
    return HEARTH_OK;
}

static int64_t local_rot(const llm_config *c) { return c->n_rot_local ? c->n_rot_local : c->n_rot; }

static hearth_status alloc_tables(llm_model *m, hearth_err *err)
{
    // One pair at least: what is empty has no address to tell it from a failure.
    size_t layers = (size_t)m->n_layer, pairs = size_max((size_t)m->c.n_rot / 2, 1);
    size_t local_pairs = size_max((size_t)local_rot(&m->c) / 2, 1);
    m->layer = mem_alloc_zero(MEM_MODEL, layers, sizeof *m->layer);
    m->memory = mem_alloc_zero(MEM_MODEL, layers, sizeof *m->memory);
    m->inv_freq = mem_alloc_zero(MEM_MODEL, pairs, sizeof *m->inv_freq);
    m->local_freq = mem_alloc_zero(MEM_MODEL, local_pairs, sizeof *m->local_freq);
    m->long_freq = mem_alloc_zero(MEM_MODEL, pairs, sizeof *m->long_freq);
    if (!m->layer || !m->memory || !m->inv_freq || !m->local_freq || !m->long_freq)
        return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu layers", layers);
    m->own_bytes = sizeof *m + layers * (sizeof *m->layer + sizeof *m->memory) +
                   (2 * pairs + local_pairs) * sizeof *m->inv_freq;
    return HEARTH_OK;
}

// What the layers of the range remember. A part of a model has no access to the keys of another.
static hearth_status set_memory(llm_model *m, hearth_err *err)
{
    const llm_config *c = &m->c;
    for (int64_t i = 0; i < m->n_layer; i++) {
        int64_t layer = m->layer_first + i;
        llm_memory memory = {.n_head_kv = c->n_head_kv, .d_k = c->d_k, .d_v = c->d_v, .shares = -1,
                             .window = llm_is_local(c, layer) ? c->window : 0};
        if (m->family->memory) m->family->memory(c, layer, &memory);
        ASSERT(memory.n_head_kv >= 0 && memory.n_head_kv <= LIMIT_HEADS);
        ASSERT(memory.d_k <= LIMIT_HEAD_SIZE && memory.d_v <= LIMIT_HEAD_SIZE);
        ASSERT(memory.n_state >= 0 && memory.n_state <= LIMIT_STATE && memory.shares < layer);
        if (memory.shares >= 0 && memory.shares < m->layer_first)
            return err_fail(err, HEARTH_E_UNSUPPORTED,
                            "layers from %lld: layer %lld reads the keys of layer %lld",
                            (long long)m->layer_first, (long long)layer, (long long)memory.shares);
        if (memory.shares >= 0) memory.shares -= m->layer_first;
        m->memory[i] = memory;
    }
    return HEARTH_OK;
}

// Llama 3.1 and phi3 stretch the slow rotations by divisors per pair; the file holds them as a
// tensor. They stand in freq[] until the frequencies replace them. Without the tensor they are 1.
static hearth_status read_divisors(llm_model *m, const char *name, float *freq, hearth_err *err)
{
    int64_t pairs = m->c.n_rot / 2;
    for (int64_t i = 0; i < pairs; i++) freq[i] = 1;
    weight_id id;
    HEARTH_TRY(weights_bind(m->w, name, pairs, 1, !m->c.has_long_rope, &id, err));
    if (id == WEIGHT_NONE) return HEARTH_OK;
    const dev_weight *w;
    HEARTH_TRY(weights_acquire(m->w, id, &w, err));
    size_t bytes = (size_t)pairs * sizeof(float);
    hearth_status s = m->d->ops->read(m->d, w->data, freq, bytes, err);
    weights_release(m->w, id);
    for (int64_t i = 0; i < pairs && s == HEARTH_OK; i++)
        if (!(freq[i] > 0 && isfinite(freq[i])))
            s = err_fail(err, HEARTH_E_FORMAT, "tensor '%s': value %lld is %g", name, (long long)i,
                         (double)freq[i]);
    return s;
}

// The pair, not a whole number, that makes so many turns in the original context: with
// f = base^(-2 i / n_rot), n f = 2 pi turns at i = n_rot ln(n / (2 pi turns)) / (2 ln base).
static double find_pair(const llm_config *c, double turns)
{
    const double tau = 6.283185307179586;
    return (double)c->n_rot * log((double)c->n_ctx_short / (tau * turns)) /
           (2 * log((double)c->rope_base));
}

// How much of its own frequency YaRN (Peng and others 2023) leaves to pair i: from 1 at the last
// fast pair to 0 at the first slow one.
static double keep_frequency(const llm_config *c, int64_t i)
{
    if (!c->has_yarn) return 0;
    double fast = find_pair(c, (double)c->yarn_fast), slow = find_pair(c, (double)c->yarn_slow);
    if (!c->yarn_exact) {
        fast = floor(fast);
        slow = ceil(slow);
    }
    fast = fmax(fast, 0);
    slow = fmin(slow, (double)c->n_rot - 1);
    double left = 1 - ((double)i - fast) / fmax(slow - fast, 0.001);
    return (double)c->yarn_mix * fmin(fmax(left, 0), 1);
}

static dev_rope divide_frequencies(const llm_config *c, double base, double linear, int64_t n_rot,
                                   float *freq)
{
    for (int64_t i = 0; i < n_rot / 2; i++) {
        double f = pow(base, -2.0 * (double)i / (double)n_rot), keep = keep_frequency(c, i);
        freq[i] = (float)((f / linear * (1 - keep) + f * keep) / (double)freq[i]);
    }
    return (dev_rope){freq, n_rot, c->rope_attn, c->rope_neox};
}

static hearth_status make_frequencies(llm_model *m, hearth_err *err)
{
    const llm_config *c = &m->c;
    double base = (double)c->rope_base, linear = (double)c->rope_linear;
    if (!c->has_long_rope && gguf_find_tensor(weights_source(m->w), "rope_factors_long.weight"))
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "tensor 'rope_factors_long.weight': not known in '%s' models", c->arch);
    const char *name = c->has_long_rope ? "rope_factors_short.weight" : "rope_freqs.weight";
    HEARTH_TRY(read_divisors(m, name, m->inv_freq, err));
    if (c->has_long_rope)
        HEARTH_TRY(read_divisors(m, "rope_factors_long.weight", m->long_freq, err));
    m->rope = m->local_rope = divide_frequencies(c, base, linear, c->n_rot, m->inv_freq);
    if (c->has_long_rope)
        m->long_rope = divide_frequencies(c, base, linear, c->n_rot, m->long_freq);
    if (c->rope_base_local <= 0) return HEARTH_OK;
    for (int64_t i = 0; i < local_rot(c) / 2; i++) m->local_freq[i] = 1;
    m->local_rope = divide_frequencies(c, (double)c->rope_base_local, 1, local_rot(c),
                                       m->local_freq);
    m->local_rope.scale = 1;
    return HEARTH_OK;
}

// What an encoder adds to the embedding of a token.
static hearth_status bind_places(llm_model *m, hearth_err *err)
{
    const llm_config *c = &m->c;
    m->positions = m->parts = WEIGHT_NONE;
    if (!m->has_embedding) return HEARTH_OK;
    if (c->n_pos)
        HEARTH_TRY(weights_bind(m->w, "position_embd.weight", c->n_embd, c->n_pos, false,
                                &m->positions, err));
    if (c->n_parts)
        HEARTH_TRY(weights_bind(m->w, "token_types.weight", c->n_embd, c->n_parts, false,
                                &m->parts, err));
    if (!c->has_embd_norm) return HEARTH_OK;
    HEARTH_TRY(weights_bind(m->w, "token_embd_norm.weight", c->n_embd, 1, false,
                            &m->embd_norm.weight, err));
    if (!c->has_norm_bias) return HEARTH_OK;
    return weights_bind(m->w, "token_embd_norm.bias", c->n_embd, 1, false, &m->embd_norm.bias, err);
}

static const char *out_norm_name(const llm_model *m)
{
    if (m->c.is_out_norm_misnamed && !gguf_find_tensor(weights_source(m->w), "output_norm.weight"))
        return "token_embd_norm.weight";
    return "output_norm.weight";
}

static hearth_status bind_ends(llm_model *m, hearth_err *err)
{
    const llm_config *c = &m->c;
    m->embedding = m->output = m->output_bias = WEIGHT_NONE;
    m->out_norm = m->embd_norm = (nn_norm){.weight = WEIGHT_NONE, .n = c->n_embd,
                                           .eps = c->norm_eps, .is_layer = c->has_layer_norm,
                                           .bias = WEIGHT_NONE};
    if (m->has_embedding || (m->has_head && c->is_tied))
        HEARTH_TRY(weights_bind(m->w, "token_embd.weight", c->n_embd, c->n_vocab, false,
                                &m->embedding, err));
    HEARTH_TRY(bind_places(m, err));
    if (!m->has_head) return pooling_bind(m, err);
    if (c->has_out_norm)
        HEARTH_TRY(weights_bind(m->w, out_norm_name(m), c->n_embd, 1, false, &m->out_norm.weight,
                                err));
    if (c->has_out_norm && c->has_norm_bias)
        HEARTH_TRY(weights_bind(m->w, "output_norm.bias", c->n_embd, 1, false, &m->out_norm.bias,
                                err));
    if (c->has_head_bias)
        HEARTH_TRY(weights_bind(m->w, "output.bias", c->n_vocab, 1, false, &m->output_bias, err));
    HEARTH_TRY(pooling_bind(m, err));
    m->output = m->embedding;
    if (c->is_tied || c->is_encoder) return HEARTH_OK;
    return weights_bind(m->w, "output.weight", c->n_embd, c->n_vocab, false, &m->output, err);
}

static hearth_status bind_inputs(llm_model *m, hearth_err *err)
{
    if (!m->family->bind_inputs || m->c.n_embd_layer == 0) return HEARTH_OK;
    if (!m->has_embedding)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "layers from %lld: a model with inputs per layer cannot begin there",
                        (long long)m->layer_first);
    llm_binder b = {.w = m->w, .d = m->d, .c = &m->c, .err = err};
    m->family->bind_inputs(&b, &m->inputs);
    return b.failed;
}

static hearth_status bind_streams(llm_model *m, hearth_err *err)
{
    if (!m->family->bind_streams) return HEARTH_OK;
    ASSERT(m->has_embedding && m->has_head); // the family is_whole
    llm_binder b = {.w = m->w, .d = m->d, .c = &m->c, .err = err};
    m->family->bind_streams(&b, &m->streams);
    return b.failed;
}

// Is this "blk.N.*" with N in the range? Rotation tables of old converters are computed, not read.
static bool is_layer_tensor(const llm_model *m, str name)
{
    int64_t layer;
    str rest = name;
    if (!str_eq_z(str_cut(&rest, '.'), "blk")) return false;
    if (!str_parse_i64(str_cut(&rest, '.'), &layer)) return false;
    if (str_starts(rest, STR("attn_rot_embd"))) return false;
    return layer >= m->layer_first && layer < m->layer_first + m->n_layer;
}

// A tensor that the family does not know is a feature that it does not compute: without this check
// the model would run and answer nonsense. At most n_bound + 1 tensors are looked up before one
// that is not bound is found, so a hostile file cannot make this slow.
static hearth_status check_all_bound(const llm_model *m, int32_t n_bound, hearth_err *err)
{
    int64_t n = 0;
    for (size_t i = 0; i < gguf_tensor_count(weights_source(m->w)); i++)
        n += is_layer_tensor(m, gguf_tensor_at(weights_source(m->w), i)->name);
    if (n == n_bound) return HEARTH_OK;
    for (size_t i = 0; i < gguf_tensor_count(weights_source(m->w)); i++) {
        const gguf_tensor *t = gguf_tensor_at(weights_source(m->w), i);
        if (is_layer_tensor(m, t->name) && !weights_is_bound(m->w, t))
            return err_fail(err, HEARTH_E_UNSUPPORTED, "tensor '%.*s': not known in '%s' models",
                            STR_ARG(t->name), m->c.arch);
    }
    return HEARTH_OK;
}

static hearth_status bind_layers(llm_model *m, hearth_err *err)
{
    int32_t before = weights_tensors(m->w);
    llm_binder b = {.w = m->w, .d = m->d, .c = &m->c, .rope = &m->rope,
                    .local_rope = &m->local_rope, .err = err};
    for (int64_t i = 0; i < m->n_layer && b.failed == HEARTH_OK; i++) {
        b.layer = m->layer_first + i;
        m->family->bind_layer(&b, &m->layer[i]);
    }
    if (b.failed != HEARTH_OK) return b.failed;
    return check_all_bound(m, weights_tensors(m->w) - before, err);
}

uint64_t model_hash(const llm_model *m)
{
    const llm_config *c = &m->c;
    const int64_t whole[] = {c->n_layer, c->n_embd, c->n_ff, c->n_head, c->n_head_kv, c->d_k,
                             c->d_v, c->n_vocab, c->n_rot, c->rope_neox, m->layer_first,
                             m->n_layer, c->n_expert, c->n_expert_used, c->window,
                             c->local_period, c->n_ctx_short, c->is_parallel,
                             c->has_layer_norm, c->has_yarn, c->yarn_exact, c->n_rot_local,
                             c->n_expert_group, c->n_expert_group_used, c->has_expert_norm,
                             c->has_expert_sigmoid, c->no_rope_period, c->heat_length,
                             c->is_encoder, c->is_window_centred, c->is_global_first, c->n_pos,
                             c->n_parts};
    const float real[] = {c->norm_eps, c->rope_base, c->rope_linear, c->embd_scale, c->attn_scale,
                          c->attn_cap, c->rope_base_local, c->residual_scale, c->rope_attn,
                          c->yarn_fast, c->yarn_slow, c->yarn_mix, c->expert_scale, c->heat};
    uint64_t h = hash_bytes(c->arch, strlen(c->arch), weights_fingerprint(m->w));
    for (int64_t i = 0; i < m->n_layer; i++) {
        const llm_memory *y = &m->memory[i];
        const int64_t shape[] = {y->n_head_kv, y->d_k, y->d_v, y->values_in_keys, y->window,
                                 y->shares, y->n_state};
        h = hash_bytes(shape, sizeof shape, h);
    }
    return hash_bytes(real, sizeof real, hash_bytes(whole, sizeof whole, h));
}

static uint64_t count_parameters(const gguf *g)
{
    uint64_t n = 0;
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const int64_t *dim = gguf_tensor_at(g, i)->dim;
        n += (uint64_t)dim[0] * (uint64_t)dim[1] * (uint64_t)dim[2] * (uint64_t)dim[3];
    }
    return n;
}

static hearth_status load_model(llm_model *m, const gguf *g, const llm_model_options *o,
                                hearth_err *err)
{
    HEARTH_TRY(llm_config_read(g, &m->c, err));
    HEARTH_TRY(llm_family_find(str_from(m->c.arch), &m->family, err));
    HEARTH_TRY(set_range(m, o, err));
    HEARTH_TRY(weights_open(g, m->d, &m->w, err));
    HEARTH_TRY(alloc_tables(m, err));
    HEARTH_TRY(set_memory(m, err));
    HEARTH_TRY(make_frequencies(m, err));
    HEARTH_TRY(bind_ends(m, err));
    HEARTH_TRY(bind_inputs(m, err));
    HEARTH_TRY(bind_streams(m, err));
    HEARTH_TRY(bind_layers(m, err));
    m->fingerprint = model_hash(m);
    m->own_bytes += weights_own_bytes(m->w);
    m->n_parameters = count_parameters(g);
    return HEARTH_OK;
}

hearth_status llm_model_open(const gguf *g, dev *d, const llm_model_options *o, llm_model **out,
                             hearth_err *err)
{
    *out = NULL;
    llm_model *m = mem_alloc_zero(MEM_MODEL, 1, sizeof *m);
    if (!m) return err_fail(err, HEARTH_E_NOMEM, "no memory for a model");
    m->d = d;
    hearth_status s = load_model(m, g, o, err);
    if (s != HEARTH_OK) {
        llm_model_close(m);
        return s;
    }
    *out = m;
    return HEARTH_OK;
}

void llm_model_close(llm_model *m)
{
    if (!m) return;
    weights_close(m->w);
    mem_free(m->layer);
    mem_free(m->memory);
    mem_free(m->inv_freq);
    mem_free(m->local_freq);
    mem_free(m->long_freq);
    mem_free(m);
}

const llm_config *llm_model_config(const llm_model *m) { return &m->c; }
uint64_t llm_model_parameters(const llm_model *m) { return m->n_parameters; }
