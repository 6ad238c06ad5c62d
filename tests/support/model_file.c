// See model_file.h. One seed per tensor, drawn in file order, so a tensor's values do not depend on
// the types of those before it.
#include "support/model_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "fmt/gguf_write.h"
#include "support/block_scale.h"

enum { N_SPECIAL = 3, N_BYTES = 256, N_LETTERS = 27, WINDOW = 24 };

// --- random values ------------------------------------------------------------------------------

// Nearest f16 of a finite value below 65504.
static uint16_t to_f16(double v)
{
    unsigned sign = v < 0 ? 0x8000u : 0;
    int e;
    double m = frexp(fabs(v), &e); // |v| = m * 2^e, m in [0.5, 1)
    if (m == 0) return (uint16_t)sign;
    if (e < -13) return (uint16_t)(sign | (unsigned)lrint(ldexp(m, e + 24))); // subnormal
    // 1.f * 2^(e-1); a carry out of the fraction runs into the exponent, as it should.
    return (uint16_t)(sign | ((unsigned)((e + 13) << 10) + (unsigned)lrint(ldexp(m, 11))));
}

static void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put_f32(uint8_t *p, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u16(p, (uint16_t)bits);
    put_u16(p + 2, (uint16_t)(bits >> 16));
}

// All bytes but the scales are uniform random codes.
static void fill_blocks(rng *r, dtype type, int64_t n_blocks, double sd, uint8_t *out)
{
    size_t block_bytes = dtype_get(type)->block_bytes;
    double unit = block_scale_spread(type);
    for (int64_t i = 0; i < n_blocks; i++, out += block_bytes) {
        for (size_t k = 0; k < block_bytes; k++) out[k] = (uint8_t)rng_u64(r);
        block_scale_put(type, (float)(sd / unit * (0.75 + 0.5 * rng_f64(r))), out);
    }
}

static bool fill_plain(rng *r, dtype type, int64_t n, double sd, uint8_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        float v = (float)(sd * (double)rng_normal(r));
        uint8_t wide[4];
        put_f32(wide, v);
        if (type == DTYPE_F32 || type == DTYPE_I32) memcpy(out + 4 * i, wide, 4); // any 4 bytes
        else if (type == DTYPE_BF16) memcpy(out + 2 * i, wide + 2, 2); // cut, not rounded
        else if (type == DTYPE_F16) put_u16(out + 2 * i, to_f16((double)v));
        else return false;
    }
    return true;
}

bool test_model_fill(uint64_t seed, dtype type, int64_t n, double sd, void *out)
{
    rng r;
    rng_seed(&r, seed);
    if (block_scale_spread(type) == 0) return fill_plain(&r, type, n, sd, out);
    fill_blocks(&r, type, n / dtype_get(type)->block_len, sd, out);
    return true;
}

// --- keys ---------------------------------------------------------------------------------------

typedef struct maker {
    const test_model_spec *spec;
    gguf_writer *w;
    rng seeds;
    bool is_declaring; // tensors are visited twice: to declare them, then to write their data
    bool ok;
} maker;

static const char *arch_name(test_arch arch)
{
    static const char *const names[] = {"llama", "qwen2", "qwen3", "gemma2", "gemma3", "qwen35"};
    return names[arch];
}

static bool is_gemma(test_arch arch) { return arch == TEST_GEMMA2 || arch == TEST_GEMMA3; }

// A delta net's values are as wide as the model, its keys half of that.
enum { DELTA_KEY_HEADS = 2, DELTA_VALUE_HEADS = 4, DELTA_TAPS = 4 };

static void check(maker *m, hearth_status s) { m->ok = m->ok && s == HEARTH_OK; }

static void add_u32(maker *m, const char *name, int v)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", arch_name(m->spec->arch), name);
    check(m, gguf_write_u32(m->w, key, (uint32_t)v, NULL));
}

static void add_f32(maker *m, const char *name, float v)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", arch_name(m->spec->arch), name);
    check(m, gguf_write_f32(m->w, key, v, NULL));
}

static void add_shape(maker *m)
{
    const test_model_spec *s = m->spec;
    check(m, gguf_write_str(m->w, "general.architecture", str_from(arch_name(s->arch)), NULL));
    check(m, gguf_write_str(m->w, "general.name", STR("seeded test model"), NULL));
    add_u32(m, "block_count", s->n_layer);
    add_u32(m, "context_length", s->n_ctx);
    add_u32(m, "embedding_length", s->n_embd);
    add_u32(m, "feed_forward_length", s->n_ff);
    add_u32(m, "attention.head_count", s->n_head);
    add_u32(m, "attention.head_count_kv", s->n_head_kv);
    add_u32(m, "attention.key_length", s->head_dim);
    add_u32(m, "attention.value_length", s->head_dim);
    add_u32(m, "rope.dimension_count", s->head_dim);
    add_u32(m, "vocab_size", s->n_vocab);
    add_f32(m, "rope.freq_base", s->rope_base);
    add_f32(m, "attention.layer_norm_rms_epsilon", s->norm_eps);
    if (is_gemma(s->arch)) add_u32(m, "attention.sliding_window", WINDOW);
    if (s->arch != TEST_QWEN35) return;
    add_u32(m, "ssm.conv_kernel", DELTA_TAPS);
    add_u32(m, "ssm.state_size", s->n_embd / DELTA_VALUE_HEADS);
    add_u32(m, "ssm.group_count", DELTA_KEY_HEADS);
    add_u32(m, "ssm.time_step_rank", DELTA_VALUE_HEADS);
    add_u32(m, "ssm.inner_size", s->n_embd);
    add_u32(m, "full_attention_interval", 2);
}

// Piece k in order of length, then of letters, like counting in a system of 27 digits without zero.
static size_t spell_piece(unsigned k, char out[32])
{
    unsigned letters[8], n = 0;
    for (k++; k > 0; k = (k - 1) / N_LETTERS) letters[n++] = (k - 1) % N_LETTERS;
    size_t used = 0;
    while (n-- > 0) {
        if (letters[n] == 0) used += (size_t)snprintf(out + used, 32 - used, "\xE2\x96\x81"); // ▁
        else out[used++] = (char)('a' + (int)letters[n] - 1);
    }
    return used;
}

static size_t spell_token(int id, char out[32])
{
    static const char *const special[N_SPECIAL] = {"<unk>", "<s>", "</s>"};
    if (id < N_SPECIAL) return (size_t)snprintf(out, 32, "%s", special[id]);
    if (id < N_SPECIAL + N_BYTES) {
        return (size_t)snprintf(out, 32, "<0x%02X>", (unsigned)(id - N_SPECIAL));
    }
    return spell_piece((unsigned)(id - N_SPECIAL - N_BYTES), out);
}

// GGUF token types: 1 normal, 2 unknown, 3 control, 6 byte.
static int32_t token_type(int id)
{
    if (id >= N_SPECIAL + N_BYTES) return 1;
    return id == 0 ? 2 : id < N_SPECIAL ? 3 : 6;
}

static void write_vocabulary(maker *m, str *tokens, float *scores, int32_t *kinds, buf *text)
{
    int n = m->spec->n_vocab;
    for (int id = 0; id < n; id++) {
        char piece[32];
        size_t len = spell_token(id, piece);
        buf_append(text, piece, len);
        tokens[id].n = len;
        scores[id] = id < N_SPECIAL + N_BYTES ? 0.0f : -(float)(id - N_SPECIAL - N_BYTES);
        kinds[id] = token_type(id);
    }
    size_t at = 0; // only now does the text stay where it is
    for (int id = 0; id < n; at += tokens[id].n, id++) tokens[id].p = text->p + at;
    check(m, text->failed);
    if (!m->ok) return;
    check(m, gguf_write_str_array(m->w, "tokenizer.ggml.tokens", tokens, (uint64_t)n, NULL));
    check(m, gguf_write_array(m->w, "tokenizer.ggml.scores", GGUF_F32, scores, (uint64_t)n, NULL));
    check(m, gguf_write_array(m->w, "tokenizer.ggml.token_type", GGUF_I32, kinds, (uint64_t)n,
                              NULL));
}

static void add_tokenizer(maker *m)
{
    size_t n = (size_t)m->spec->n_vocab;
    str *tokens = mem_alloc_zero(MEM_TEST, n, sizeof *tokens);
    float *scores = mem_alloc_zero(MEM_TEST, n, sizeof *scores);
    int32_t *kinds = mem_alloc_zero(MEM_TEST, n, sizeof *kinds);
    buf text;
    buf_init(&text, MEM_TEST, SIZE_MAX / 2);
    check(m, gguf_write_str(m->w, "tokenizer.ggml.model", STR("llama"), NULL));
    if (tokens && scores && kinds) write_vocabulary(m, tokens, scores, kinds, &text);
    else m->ok = false;
    check(m, gguf_write_u32(m->w, "tokenizer.ggml.unknown_token_id", 0, NULL));
    check(m, gguf_write_u32(m->w, "tokenizer.ggml.bos_token_id", 1, NULL));
    check(m, gguf_write_u32(m->w, "tokenizer.ggml.eos_token_id", 2, NULL));
    check(m, gguf_write_bool(m->w, "tokenizer.ggml.add_bos_token", true, NULL));
    check(m, gguf_write_bool(m->w, "tokenizer.ggml.add_eos_token", false, NULL));
    buf_release(&text);
    mem_free(kinds);
    mem_free(scores);
    mem_free(tokens);
}

// --- tensors ------------------------------------------------------------------------------------

static void write_random(maker *m, dtype type, int64_t n, double sd, double mean)
{
    size_t bytes = 0;
    uint64_t seed = rng_u64(&m->seeds);
    void *p = dtype_bytes(type, n, &bytes) ? mem_alloc(MEM_TEST, bytes) : NULL;
    m->ok = m->ok && p && test_model_fill(seed, type, n, sd, p);
    float *f = p;
    for (int64_t i = 0; m->ok && type == DTYPE_F32 && i < n; i++) f[i] += (float)mean;
    if (m->ok) check(m, gguf_write_data(m->w, p, bytes, NULL));
    mem_free(p);
}

// Matrix rows have n_in elements of about 1/sqrt(n_in), so activations keep their size.
static void add_matrix(maker *m, const char *name, dtype type, int n_in, int n_out)
{
    if (m->is_declaring) {
        int64_t dim[2] = {n_in, n_out};
        check(m, gguf_write_tensor(m->w, name, type, 2, dim, NULL));
    } else {
        write_random(m, type, (int64_t)n_in * n_out, 1 / sqrt(n_in), 0);
    }
}

// Norm weights are about 1 +- 0.2, biases about 0 +- 0.2.
static void add_vector(maker *m, const char *name, int n, double mean)
{
    if (m->is_declaring) {
        int64_t dim[1] = {n};
        check(m, gguf_write_tensor(m->w, name, DTYPE_F32, 1, dim, NULL));
    } else {
        write_random(m, DTYPE_F32, n, 0.2, mean);
    }
}

static const char *layer_name(char out[64], int layer, const char *name)
{
    snprintf(out, 64, "blk.%d.%s", layer, name);
    return out;
}

static void add_delta_net(maker *m, int layer)
{
    const test_model_spec *s = m->spec;
    int e = s->n_embd, heads = DELTA_VALUE_HEADS, mixed = 2 * (e / heads * DELTA_KEY_HEADS) + e;
    char name[64];
    add_matrix(m, layer_name(name, layer, "attn_qkv.weight"), s->weight_type, e, mixed);
    add_matrix(m, layer_name(name, layer, "attn_gate.weight"), s->weight_type, e, e);
    add_matrix(m, layer_name(name, layer, "ssm_beta.weight"), s->weight_type, e, heads);
    add_matrix(m, layer_name(name, layer, "ssm_alpha.weight"), s->weight_type, e, heads);
    add_matrix(m, layer_name(name, layer, "ssm_conv1d.weight"), DTYPE_F32, DELTA_TAPS, mixed);
    add_vector(m, layer_name(name, layer, "ssm_a"), heads, -1);
    add_vector(m, layer_name(name, layer, "ssm_dt.bias"), heads, 0);
    add_vector(m, layer_name(name, layer, "ssm_norm.weight"), e / heads, 1);
    add_matrix(m, layer_name(name, layer, "ssm_out.weight"), s->weight_type, e, e);
}

static void add_attention(maker *m, int layer)
{
    const test_model_spec *s = m->spec;
    int q_dim = s->n_head * s->head_dim, kv_dim = s->n_head_kv * s->head_dim;
    int gated = s->arch == TEST_QWEN35 ? 2 : 1; // each head of q with a gate
    char name[64];
    add_matrix(m, layer_name(name, layer, "attn_q.weight"), s->weight_type, s->n_embd,
               gated * q_dim);
    add_matrix(m, layer_name(name, layer, "attn_k.weight"), s->weight_type, s->n_embd, kv_dim);
    add_matrix(m, layer_name(name, layer, "attn_v.weight"), s->weight_type, s->n_embd, kv_dim);
    if (s->arch == TEST_QWEN2) {
        add_vector(m, layer_name(name, layer, "attn_q.bias"), q_dim, 0);
        add_vector(m, layer_name(name, layer, "attn_k.bias"), kv_dim, 0);
        add_vector(m, layer_name(name, layer, "attn_v.bias"), kv_dim, 0);
    }
    if (s->arch == TEST_QWEN3 || s->arch == TEST_GEMMA3 || s->arch == TEST_QWEN35) {
        add_vector(m, layer_name(name, layer, "attn_q_norm.weight"), s->head_dim, 1);
        add_vector(m, layer_name(name, layer, "attn_k_norm.weight"), s->head_dim, 1);
    }
    add_matrix(m, layer_name(name, layer, "attn_output.weight"), s->weight_type, q_dim, s->n_embd);
}

static void add_layer(maker *m, int layer)
{
    const test_model_spec *s = m->spec;
    char name[64];
    add_vector(m, layer_name(name, layer, "attn_norm.weight"), s->n_embd, 1);
    if (s->arch == TEST_QWEN35 && layer % 2 == 0)
        add_delta_net(m, layer);
    else
        add_attention(m, layer);
    if (is_gemma(s->arch)) {
        add_vector(m, layer_name(name, layer, "post_attention_norm.weight"), s->n_embd, 1);
        add_vector(m, layer_name(name, layer, "post_ffw_norm.weight"), s->n_embd, 1);
    }
    const char *before = s->arch == TEST_QWEN35 ? "post_attention_norm.weight" : "ffn_norm.weight";
    add_vector(m, layer_name(name, layer, before), s->n_embd, 1);
    add_matrix(m, layer_name(name, layer, "ffn_gate.weight"), s->weight_type, s->n_embd, s->n_ff);
    add_matrix(m, layer_name(name, layer, "ffn_up.weight"), s->weight_type, s->n_embd, s->n_ff);
    add_matrix(m, layer_name(name, layer, "ffn_down.weight"), s->weight_type, s->n_ff, s->n_embd);
}

static void add_tensors(maker *m, bool is_declaring)
{
    const test_model_spec *s = m->spec;
    m->is_declaring = is_declaring;
    add_matrix(m, "token_embd.weight", s->embd_type, s->n_embd, s->n_vocab);
    for (int i = 0; i < s->n_layer; i++) add_layer(m, i);
    add_vector(m, "output_norm.weight", s->n_embd, 1);
    if (!s->is_tied) add_matrix(m, "output.weight", s->output_type, s->n_embd, s->n_vocab);
}

// --- the file -----------------------------------------------------------------------------------

test_model_spec test_model_default(test_arch arch, dtype type)
{
    int width = dtype_get(type)->block_len > 64 ? 256 : 64;
    return (test_model_spec){
        .arch = arch, .seed = 1, .n_layer = 2, .n_embd = width, .n_head = 4, .n_head_kv = 2,
        .head_dim = width / 4, .n_ff = width * 2, .n_vocab = 300, .n_ctx = 256,
        .rope_base = arch == TEST_LLAMA ? 10000.0f : 1000000.0f, .norm_eps = 1e-5f,
        .is_tied = is_gemma(arch),
        .embd_type = type, .weight_type = type, .output_type = type,
    };
}

static hearth_status append(void *ctx, const void *p, size_t n, hearth_err *err)
{
    (void)err;
    return buf_append(ctx, p, n);
}

bool test_model_make(const test_model_spec *spec, buf *out)
{
    maker m = {.spec = spec, .ok = spec->n_vocab >= N_SPECIAL + N_BYTES + 1};
    if (!m.ok || gguf_writer_create(append, out, &m.w, NULL) != HEARTH_OK) return false;
    rng_seed(&m.seeds, spec->seed);
    add_shape(&m);
    add_tokenizer(&m);
    add_tensors(&m, true);
    if (m.ok) check(&m, gguf_write_header(m.w, NULL));
    if (m.ok) add_tensors(&m, false);
    if (m.ok) check(&m, gguf_write_end(m.w, NULL));
    gguf_writer_free(m.w);
    return m.ok;
}
