// See synth.h.
//
// The list of keys and tensors is walked three times with the same code: into a writer that only
// counts (so that the buffer gets its exact size), then to declare, then to fill. A tensor's values
// come from its own generator, seeded by the model's seed and the tensor's number.
#include "llm/synth.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "fmt/gguf_write.h"
#include "llm/synth_int.h"

static const synth_shape shapes[] = {
    // name            arch    layers embd   ff   heads kv head   vocab    ctx  base  tied
    //     window of local layers, experts, experts used, width of an expert
    {"tiny",         "llama", 4,  256,  704,  8,  4, 32,   512,   2048, 1e4f, false, 0, 0, 0, 0},
    {"tiny-tied",    "llama", 3,  320,  896,  5,  1, 64,   512,   2048, 1e4f, true, 0, 0, 0, 0},
    {"tiny-qwen2",   "qwen2", 3,  256,  768,  8,  2, 32,   512,   2048, 1e6f, true, 0, 0, 0, 0},
    {"tiny-qwen3",   "qwen3", 3,  256,  768,  4,  2, 128,  512,   2048, 1e6f, true, 0, 0, 0, 0},
    {"tiny-gemma3",  "gemma3", 7, 256,  768,  4,  1, 64,   512,   8192, 1e6f, true, 128, 0, 0, 0},
    {"tiny-moe",     "qwen3moe", 3, 256, 768, 4,  2, 128,  512,   2048, 1e6f, true, 0, 8, 2, 256},
    {"tiny-gpt-oss", "gpt-oss", 4, 256,  512, 8,  2, 64,   512,   2048, 15e4f, false, 64,
     8, 2, 512},
    {"qwen2.5-0.5b", "qwen2", 24, 896,  4864, 14, 2, 64,   151936, 32768, 1e6f, true, 0, 0, 0, 0},
    {"qwen2.5-1.5b", "qwen2", 28, 1536, 8960, 12, 2, 128,  151936, 32768, 1e6f, true, 0, 0, 0, 0},
    {"llama-3.2-1b", "llama", 16, 2048, 8192, 32, 8, 64,   128256, 131072, 5e5f, true, 0, 0, 0, 0},
    {"llama-3.2-3b", "llama", 28, 3072, 8192, 24, 8, 128,  128256, 131072, 5e5f, true, 0, 0, 0, 0},
    {"qwen3-0.6b",   "qwen3", 28, 1024, 3072, 16, 8, 128,  151936, 40960, 1e6f, true, 0, 0, 0, 0},
    {"qwen3-30b-a3b", "qwen3moe", 48, 2048, 6144, 32, 4, 128, 151936, 40960, 1e6f, false, 0, 128,
     8, 768},
    {"gpt-oss-20b",  "gpt-oss", 24, 2880, 2880, 64, 8, 64, 201088, 131072, 15e4f, false, 128, 32,
     4, 2880},
    {"gemma-3-1b",   "gemma3", 26, 1152, 6912, 4, 1, 256,  262144, 32768, 1e6f, true, 512, 0, 0, 0},
    {"gemma-3-4b",   "gemma3", 34, 2560, 10240, 8, 4, 256, 262208, 131072, 1e6f, true, 1024,
     0, 0, 0},
};

enum { CHUNK_BYTES = 1 << 16, ALIGNMENT = 32 };

const synth_shape *synth_shape_at(size_t i) { return i < COUNTOF(shapes) ? &shapes[i] : NULL; }

const synth_shape *synth_find(const char *name)
{
    for (size_t i = 0; i < COUNTOF(shapes); i++)
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i];
    return NULL;
}

typedef struct maker {
    const synth_shape *s;
    gguf_writer *w;
    hearth_err *err;
    hearth_status failed; // the first failure; later calls do nothing
    bool is_q4_k_m;
    dtype type;
    uint64_t seed;
    bool is_filling;  // tensors: write data instead of declaring
    int64_t n_tensors; // visited in this walk
    uint64_t data_bytes; // of declared tensors, aligned
    synth_source source;
    uint8_t chunk[CHUNK_BYTES + 8];
} maker;

static void keep(maker *m, hearth_status s)
{
    if (m->failed == HEARTH_OK) m->failed = s;
}

// --- keys ----------------------------------------------------------------------------------------

static void add_size(maker *m, const char *name, int64_t v)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", m->s->arch, name);
    if (m->failed == HEARTH_OK) keep(m, gguf_write_u32(m->w, key, (uint32_t)v, m->err));
}

static void add_real(maker *m, const char *name, float v)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", m->s->arch, name);
    if (m->failed == HEARTH_OK) keep(m, gguf_write_f32(m->w, key, v, m->err));
}

static void add_shape(maker *m)
{
    const synth_shape *s = m->s;
    char name[64];
    snprintf(name, sizeof name, "synthetic %s", s->name);
    keep(m, gguf_write_str(m->w, "general.architecture", str_from(s->arch), m->err));
    if (m->failed == HEARTH_OK)
        keep(m, gguf_write_str(m->w, "general.name", str_from(name), m->err));
    add_size(m, "context_length", s->n_ctx);
    add_size(m, "embedding_length", s->n_embd);
    add_size(m, "block_count", s->n_layer);
    add_size(m, "feed_forward_length", s->n_ff);
    add_size(m, "attention.head_count", s->n_head);
    add_size(m, "attention.head_count_kv", s->n_head_kv);
    add_size(m, "attention.key_length", s->d_head);
    add_size(m, "attention.value_length", s->d_head);
    add_size(m, "rope.dimension_count", s->d_head);
    add_size(m, "vocab_size", s->n_vocab);
    add_real(m, "rope.freq_base", s->rope_base);
    add_real(m, "attention.layer_norm_rms_epsilon", 1e-6f);
    if (s->window) add_size(m, "attention.sliding_window", s->window);
    if (!s->n_expert) return;
    add_size(m, "expert_count", s->n_expert);
    add_size(m, "expert_used_count", s->n_expert_used);
    add_size(m, "expert_feed_forward_length", s->n_ff_expert);
}

static void add_vocabulary(maker *m)
{
    if (m->failed == HEARTH_OK) keep(m, synth_write_vocabulary(m->w, m->s->n_vocab, m->err));
}

// --- tensors -------------------------------------------------------------------------------------

// Q4_K_M in the manner of its recipe: more bits for embedding, output and half of v and down.
static dtype choose_type(const maker *m, const char *name, int64_t layer, int64_t n_in)
{
    dtype t = m->type;
    if (m->is_q4_k_m) {
        bool is_end = strcmp(name, "token_embd.weight") == 0 || strcmp(name, "output.weight") == 0;
        bool is_rich = strstr(name, "attn_v.") || strstr(name, "ffn_down");
        t = is_end || (is_rich && layer % 2 == 0) ? DTYPE_Q6_K : DTYPE_Q4_K;
    }
    return n_in % dtype_get(t)->block_len ? DTYPE_Q8_0 : t;
}

static bool is_vector(const char *name, int64_t n_out)
{
    return n_out == 1 || strstr(name, ".bias");
}

static void fill_tensor(maker *m, const char *name, dtype t, const int64_t dim[3])
{
    bool is_norm = strstr(name, "norm.") != NULL;
    double spread = is_vector(name, dim[1]) ? 0.1 : 1 / sqrt((double)dim[0]);
    if (!m->s->is_tied && strcmp(name, "token_embd.weight") == 0) spread = 1;
    synth_source_set(&m->source, t, is_norm ? 1 : 0, spread);

    rng r;
    uint64_t number = (uint64_t)m->n_tensors;
    rng_seed(&r, hash_bytes(&number, sizeof number, m->seed));
    const dtype_info *info = dtype_get(t);
    int64_t most = CHUNK_BYTES / info->block_bytes * info->block_len;
    int64_t left = dim[0] * dim[1] * dim[2];
    while (left > 0 && m->failed == HEARTH_OK) {
        int64_t n = i64_min(left, most);
        synth_source_fill(&m->source, &r, n, m->chunk);
        size_t bytes = (size_t)(n / info->block_len) * info->block_bytes;
        keep(m, gguf_write_data(m->w, m->chunk, bytes, m->err));
        left -= n;
    }
}

// `layer` < 0: a tensor of the whole model; n_slices > 1: one of all experts.
static void add_slices(maker *m, int64_t layer, const char *name, int64_t n_in, int64_t n_out,
                       int64_t n_slices)
{
    if (m->failed != HEARTH_OK) return;
    char full[64];
    snprintf(full, sizeof full, "blk.%lld.%s", (long long)layer, name);
    if (layer < 0) snprintf(full, sizeof full, "%s", name);
    bool is_plain = is_vector(name, n_out) || strstr(name, "ffn_gate_inp.");
    dtype t = is_plain ? DTYPE_F32 : choose_type(m, name, layer, n_in);
    const int64_t dim[3] = {n_in, n_out, n_slices};
    m->n_tensors++;
    if (m->is_filling) {
        fill_tensor(m, name, t, dim);
        return;
    }
    size_t row = 0;
    if (!dtype_bytes(t, n_in, &row))
        keep(m, err_fail(m->err, HEARTH_E_ARG, "shape '%s': rows of %lld cannot be %s", m->s->name,
                         (long long)n_in, dtype_get(t)->name));
    else
        keep(m, gguf_write_tensor(m->w, full, t, n_slices > 1 ? 3 : n_out > 1 ? 2 : 1, dim,
                                  m->err));
    m->data_bytes += align_up(row * (size_t)(n_out * n_slices), ALIGNMENT);
}

static void add_tensor(maker *m, int64_t layer, const char *name, int64_t n_in, int64_t n_out)
{
    add_slices(m, layer, name, n_in, n_out, 1);
}

static void add_experts(maker *m, int64_t i)
{
    const synth_shape *s = m->s;
    add_tensor(m, i, "ffn_gate_inp.weight", s->n_embd, s->n_expert);
    add_slices(m, i, "ffn_gate_exps.weight", s->n_embd, s->n_ff_expert, s->n_expert);
    add_slices(m, i, "ffn_up_exps.weight", s->n_embd, s->n_ff_expert, s->n_expert);
    add_slices(m, i, "ffn_down_exps.weight", s->n_ff_expert, s->n_embd, s->n_expert);
    if (strcmp(s->arch, "gpt-oss") != 0) return;
    add_tensor(m, i, "ffn_gate_inp.bias", s->n_expert, 1);
    add_tensor(m, i, "ffn_gate_exps.bias", s->n_ff_expert, s->n_expert);
    add_tensor(m, i, "ffn_up_exps.bias", s->n_ff_expert, s->n_expert);
    add_tensor(m, i, "ffn_down_exps.bias", s->n_embd, s->n_expert);
}

static void add_layer(maker *m, int64_t i)
{
    const synth_shape *s = m->s;
    int64_t n_q = s->n_head * s->d_head, n_kv = s->n_head_kv * s->d_head;
    add_tensor(m, i, "attn_norm.weight", s->n_embd, 1);
    add_tensor(m, i, "attn_q.weight", s->n_embd, n_q);
    add_tensor(m, i, "attn_k.weight", s->n_embd, n_kv);
    add_tensor(m, i, "attn_v.weight", s->n_embd, n_kv);
    add_tensor(m, i, "attn_output.weight", n_q, s->n_embd);
    bool is_gpt_oss = strcmp(s->arch, "gpt-oss") == 0;
    if (is_gpt_oss) {
        add_tensor(m, i, "attn_output.bias", s->n_embd, 1);
        add_tensor(m, i, "attn_sinks.weight", s->n_head, 1);
    }
    if (is_gpt_oss || strcmp(s->arch, "qwen2") == 0) {
        add_tensor(m, i, "attn_q.bias", n_q, 1);
        add_tensor(m, i, "attn_k.bias", n_kv, 1);
        add_tensor(m, i, "attn_v.bias", n_kv, 1);
    }
    bool is_gemma3 = strcmp(s->arch, "gemma3") == 0;
    if (is_gemma3) {
        add_tensor(m, i, "post_attention_norm.weight", s->n_embd, 1);
        add_tensor(m, i, "post_ffw_norm.weight", s->n_embd, 1);
    }
    if (is_gemma3 || strncmp(s->arch, "qwen3", 5) == 0) {
        add_tensor(m, i, "attn_q_norm.weight", s->d_head, 1);
        add_tensor(m, i, "attn_k_norm.weight", s->d_head, 1);
    }
    const char *norm = is_gpt_oss ? "post_attention_norm.weight" : "ffn_norm.weight";
    add_tensor(m, i, norm, s->n_embd, 1);
    if (s->n_expert) {
        add_experts(m, i);
        return;
    }
    add_tensor(m, i, "ffn_gate.weight", s->n_embd, s->n_ff);
    add_tensor(m, i, "ffn_up.weight", s->n_embd, s->n_ff);
    add_tensor(m, i, "ffn_down.weight", s->n_ff, s->n_embd);
}

static void add_tensors(maker *m)
{
    const synth_shape *s = m->s;
    m->n_tensors = 0;
    add_tensor(m, -1, "token_embd.weight", s->n_embd, s->n_vocab);
    for (int64_t i = 0; i < s->n_layer; i++) add_layer(m, i);
    add_tensor(m, -1, "output_norm.weight", s->n_embd, 1);
    if (!s->is_tied) add_tensor(m, -1, "output.weight", s->n_embd, s->n_vocab);
}

// --- the file ------------------------------------------------------------------------------------

typedef struct memory_sink { uint8_t *p; size_t n, cap; } memory_sink; // p NULL: only counts

static hearth_status put_bytes(void *ctx, const void *p, size_t n, hearth_err *err)
{
    memory_sink *s = ctx;
    if (s->p && n > s->cap - s->n)
        return err_fail(err, HEARTH_E_INTERNAL, "a synthetic model outgrew its %zu bytes", s->cap);
    if (s->p && n) memcpy(s->p + s->n, p, n);
    s->n += n;
    return HEARTH_OK;
}

// Keys, tensor list and, with `fill`, the data.
static hearth_status write_model(maker *m, memory_sink *sink, bool fill)
{
    m->failed = gguf_writer_create(put_bytes, sink, &m->w, m->err);
    if (m->failed != HEARTH_OK) return m->failed;
    m->data_bytes = 0;
    m->is_filling = false;
    add_shape(m);
    add_vocabulary(m);
    add_tensors(m);
    if (m->failed == HEARTH_OK) keep(m, gguf_write_header(m->w, m->err));
    m->is_filling = true;
    if (fill && m->failed == HEARTH_OK) {
        add_tensors(m);
        if (m->failed == HEARTH_OK) keep(m, gguf_write_end(m->w, m->err));
    }
    gguf_writer_free(m->w);
    return m->failed;
}

static hearth_status parse_mix(maker *m, const char *mix)
{
    m->is_q4_k_m = strcmp(mix, "Q4_K_M") == 0 || strcmp(mix, "q4_k_m") == 0;
    m->type = DTYPE_Q4_K;
    if (m->is_q4_k_m || (dtype_from_name(mix, &m->type) && synth_can_fill(m->type)))
        return HEARTH_OK;
    return err_fail(m->err, HEARTH_E_ARG,
                    "weights as '%s': expected Q4_K_M or a type such as F16, Q8_0 or Q4_K", mix);
}

static hearth_status make_file(maker *m, const char *mix, memory_sink *sink)
{
    memory_sink count = {0};
    HEARTH_TRY(parse_mix(m, mix));
    HEARTH_TRY(write_model(m, &count, false));
    if (!add_ok(count.n, (size_t)m->data_bytes, &sink->cap) || m->data_bytes > SIZE_MAX)
        return err_fail(m->err, HEARTH_E_LIMIT, "shape '%s' has no room in memory", m->s->name);
    sink->p = mem_alloc(MEM_WEIGHTS, sink->cap);
    if (!sink->p)
        return err_fail(m->err, HEARTH_E_NOMEM, "no memory for %zu bytes of weights", sink->cap);
    synth_source_init(&m->source, m->seed);
    return write_model(m, sink, true);
}

hearth_status synth_make(const synth_shape *s, const char *mix, uint64_t seed, uint8_t **out,
                         size_t *n, hearth_err *err)
{
    *out = NULL;
    *n = 0;
    maker *m = mem_alloc_zero(MEM_MISC, 1, sizeof *m);
    if (!m) return err_fail(err, HEARTH_E_NOMEM, "no memory for a model maker");
    m->s = s;
    m->seed = seed;
    m->err = err;
    memory_sink sink = {0};
    hearth_status status = make_file(m, mix, &sink);
    if (status == HEARTH_OK) {
        *out = sink.p;
        *n = sink.n;
    } else {
        mem_free(sink.p);
    }
    mem_free(m);
    return status;
}
