// See rwkv_bin.h. The file (docs/FILE_FORMAT.md of rwkv.cpp; little endian):
//
//   u32 magic 0x67676d66 | u32 version 100 or 101 | u32 n_vocab | u32 n_embed | u32 n_layer
//   | u32 type of most parameters | parameters to the end of the file:
//   u32 n_dims 1..3 | u32 name bytes | u32 type | u32 dim[n_dims], dim[0] contiguous | name | data
//
// Version 100 has quantised blocks that ggml has not read since May 2023. One walk counts the
// parameters and proves that their lengths make up the file; what is allocated then is in
// proportion to bytes that are there (a parameter has 19 at least). Data begins at any byte, while
// kernels need aligned elements: so the tensors are copied once, into a GGUF. Which tensors a layer
// needs is for the model to say; those at the ends are asked for here, since a model without an
// output matrix would be taken for one that shares it with the embedding.
#include "fmt/rwkv_bin.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "fmt/gguf_int.h"

enum { MAGIC = 0x67676d66, HEADER_BYTES = 24, PARAM_BYTES = 12, NAME_MAX_BYTES = 64, BYTES = 256 };

typedef struct rwkv_param {
    str name;
    dtype type;
    int n_dims;
    int64_t dim[4];
    const uint8_t *data;
    size_t bytes;
} rwkv_param;

typedef struct rwkv_index {
    uint32_t version;
    int64_t n_vocab, n_embd, n_layer;
    rwkv_param *param;
    size_t n;
    map by_name; // index into param
} rwkv_index;

typedef struct cursor { const uint8_t *data; size_t size, at; } cursor;

bool rwkv_bin_is(const uint8_t *data, size_t size)
{
    return size >= HEADER_BYTES && gguf_load_u32(data) == MAGIC;
}

// --- reading ------------------------------------------------------------------------------------

static hearth_status read_sizes(const cursor *c, rwkv_index *x, hearth_err *err)
{
    const struct { const char *name; int64_t max, *out; } sizes[] = {
        {"n_vocab", LIMIT_VOCAB, &x->n_vocab},
        {"n_embed", LIMIT_EMBD, &x->n_embd},
        {"n_layer", LIMIT_LAYERS, &x->n_layer},
    };
    if (!rwkv_bin_is(c->data, c->size))
        return err_fail(err, HEARTH_E_FORMAT, "not a file of rwkv.cpp");
    x->version = gguf_load_u32(c->data + 4);
    if (x->version != 100 && x->version != 101)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "file version %u, expected 100 or 101",
                        (unsigned)x->version);
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        int64_t n = gguf_load_u32(c->data + 8 + 4 * i);
        if (n < 1 || n > sizes[i].max)
            return err_fail(err, HEARTH_E_FORMAT, "%s: %lld is not in 1..%lld", sizes[i].name,
                            (long long)n, (long long)sizes[i].max);
        *sizes[i].out = n;
    }
    return HEARTH_OK;
}

// Ids of ggml as it was in 2023, up to the type that came last.
static bool find_type(uint32_t id, dtype *out)
{
    static const int8_t types[] = {
        DTYPE_F32, DTYPE_F16, DTYPE_Q4_0, DTYPE_Q4_1, -1, -1, -1, DTYPE_Q5_0, DTYPE_Q5_1,
        DTYPE_Q8_0,
    };
    if (id >= COUNTOF(types) || types[id] < 0) return false;
    *out = (dtype)types[id];
    return true;
}

static hearth_status count_bytes(const rwkv_index *x, rwkv_param *p, hearth_err *err)
{
    size_t n = 1;
    for (int i = 0; i < p->n_dims; i++)
        if (p->dim[i] < 1 || !mul_ok(n, (size_t)p->dim[i], &n) || n > INT64_MAX)
            return err_fail(err, HEARTH_E_FORMAT, "parameter '%.*s': dimension %d is %lld",
                            STR_ARG(p->name), i, (long long)p->dim[i]);
    if (p->dim[0] % dtype_get(p->type)->block_len || !dtype_bytes(p->type, (int64_t)n, &p->bytes))
        return err_fail(err, HEARTH_E_FORMAT,
                        "parameter '%.*s': rows of %lld are no whole blocks of %s",
                        STR_ARG(p->name), (long long)p->dim[0], dtype_get(p->type)->name);
    if (x->version == 100 && dtype_get(p->type)->is_quantized)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "parameter '%.*s': %s of file version 100, which nothing reads any more",
                        STR_ARG(p->name), dtype_get(p->type)->name);
    return HEARTH_OK;
}

static hearth_status read_param(const rwkv_index *x, cursor *c, rwkv_param *p, hearth_err *err)
{
    const uint8_t *head = c->data + c->at;
    size_t left = c->size - c->at;
    if (left < PARAM_BYTES)
        return err_fail(err, HEARTH_E_FORMAT, "%zu bytes at the end are no parameter", left);
    uint32_t n_dims = gguf_load_u32(head), n_name = gguf_load_u32(head + 4);
    if (n_dims < 1 || n_dims > 3 || n_name < 1 || n_name > NAME_MAX_BYTES)
        return err_fail(err, HEARTH_E_FORMAT,
                        "parameter at byte %zu: %u dimensions and a name of %u bytes, expected "
                        "1..3 and 1..%d", c->at, (unsigned)n_dims, (unsigned)n_name,
                        NAME_MAX_BYTES);
    size_t before = PARAM_BYTES + 4 * (size_t)n_dims;
    if (left < before + n_name)
        return err_fail(err, HEARTH_E_FORMAT, "parameter at byte %zu: ends before its name",
                        c->at);
    *p = (rwkv_param){.name = {(const char *)head + before, n_name}, .n_dims = (int)n_dims,
                      .dim = {1, 1, 1, 1}, .data = head + before + n_name};
    for (uint32_t i = 0; i < n_dims; i++) p->dim[i] = gguf_load_u32(head + PARAM_BYTES + 4 * i);
    if (!find_type(gguf_load_u32(head + 8), &p->type))
        return err_fail(err, HEARTH_E_UNSUPPORTED, "parameter '%.*s': type %u is not supported",
                        STR_ARG(p->name), (unsigned)gguf_load_u32(head + 8));
    HEARTH_TRY(count_bytes(x, p, err));
    left -= before + n_name;
    if (p->bytes > left)
        return err_fail(err, HEARTH_E_FORMAT, "parameter '%.*s': %zu bytes, the file has %zu more",
                        STR_ARG(p->name), p->bytes, left);
    c->at += before + n_name + p->bytes;
    return HEARTH_OK;
}

static hearth_status index_params(rwkv_index *x, cursor c, hearth_err *err)
{
    const cursor begin = c;
    rwkv_param p;
    size_t n = 0;
    for (; c.at < c.size; n++) HEARTH_TRY(read_param(x, &c, &p, err));
    x->param = mem_alloc(MEM_MISC, (n + 1) * sizeof *x->param);
    if (!x->param || map_reserve(&x->by_name, n) != HEARTH_OK)
        return err_fail(err, HEARTH_E_NOMEM, "no memory for a list of %zu parameters", n);
    for (c = begin; x->n < n; x->n++) {
        bool is_there = false;
        rwkv_param *at = &x->param[x->n];
        HEARTH_TRY(read_param(x, &c, at, err));
        if (map_put(&x->by_name, at->name, (uint32_t)x->n, &is_there) != HEARTH_OK)
            return err_fail(err, HEARTH_E_NOMEM, "no memory for a list of %zu parameters", n);
        if (is_there)
            return err_fail(err, HEARTH_E_FORMAT, "parameter '%.*s': is there twice",
                            STR_ARG(at->name));
    }
    return HEARTH_OK;
}

// --- what the names and shapes say --------------------------------------------------------------

static bool has_param(const rwkv_index *x, const char *name)
{
    uint32_t ignored;
    return map_get(&x->by_name, str_from(name), &ignored);
}

static hearth_status check_version(const rwkv_index *x, hearth_err *err)
{
    static const struct { const char *name; int version; } marks[] = {
        {"blocks.0.att.time_maa_x", 6},
        {"blocks.0.att.ln_x.weight", 5},
        {"blocks.0.att.time_decay", 4},
    };
    if (has_param(x, "blocks.0.att.r_k")) return HEARTH_OK;
    for (size_t i = 0; i < COUNTOF(marks); i++)
        if (has_param(x, marks[i].name))
            return err_fail(err, HEARTH_E_UNSUPPORTED,
                            "RWKV version %d is not supported, only version 7", marks[i].version);
    return err_fail(err, HEARTH_E_FORMAT, "parameter 'blocks.0.att.r_k': not in the file");
}

static hearth_status get_dim(const rwkv_index *x, const char *name, int dim, int64_t *out,
                             hearth_err *err)
{
    uint32_t i;
    if (!map_get(&x->by_name, str_from(name), &i))
        return err_fail(err, HEARTH_E_FORMAT, "parameter '%s': not in the file", name);
    *out = x->param[i].dim[dim];
    return HEARTH_OK;
}

static hearth_status write_sizes(const rwkv_index *x, gguf_writer *w, hearth_err *err)
{
    const struct { const char *key, *name; } ranks[] = {
        {"rwkv7.feed_forward_length", "blocks.0.ffn.key.weight"},
        {"rwkv7.attention.decay_lora_rank", "blocks.0.att.w1"},
        {"rwkv7.attention.iclr_lora_rank", "blocks.0.att.a1"},
        {"rwkv7.attention.gate_lora_rank", "blocks.0.att.g1"},
        // A model of one layer has none; the rate's rank stands for it.
        {"rwkv7.attention.value_residual_mix_lora_rank",
         x->n_layer > 1 ? "blocks.1.att.v1" : "blocks.0.att.a1"},
    };
    int64_t n = 0;
    for (size_t i = 0; i < COUNTOF(ranks); i++) {
        HEARTH_TRY(get_dim(x, ranks[i].name, 1, &n, err));
        HEARTH_TRY(gguf_write_u32(w, ranks[i].key, (uint32_t)n, err));
    }
    HEARTH_TRY(get_dim(x, "blocks.0.att.r_k", 0, &n, err));
    return gguf_write_u32(w, "rwkv7.wkv.head_size", (uint32_t)n, err);
}

// Tokens as the "rwkv" tokenizer spells them, all by their number: "\x41" is "A".
static hearth_status write_bytes_tokenizer(gguf_writer *w, hearth_err *err)
{
    char text[BYTES][8];
    str token[BYTES];
    for (int i = 0; i < BYTES; i++) {
        snprintf(text[i], sizeof text[i], "\\x%02x", (unsigned)i);
        token[i] = str_from(text[i]);
    }
    HEARTH_TRY(gguf_write_str(w, "tokenizer.ggml.model", STR("rwkv"), err));
    return gguf_write_str_array(w, "tokenizer.ggml.tokens", token, BYTES, err);
}

static hearth_status write_keys(const rwkv_index *x, gguf_writer *w, hearth_err *err)
{
    HEARTH_TRY(gguf_write_str(w, "general.architecture", STR("rwkv7"), err));
    HEARTH_TRY(gguf_write_u32(w, "rwkv7.context_length", 1048576, err)); // as the converter says
    HEARTH_TRY(gguf_write_u32(w, "rwkv7.block_count", (uint32_t)x->n_layer, err));
    HEARTH_TRY(gguf_write_u32(w, "rwkv7.embedding_length", (uint32_t)x->n_embd, err));
    HEARTH_TRY(gguf_write_u32(w, "rwkv7.attention.head_count", 0, err));
    HEARTH_TRY(gguf_write_f32(w, "rwkv7.attention.layer_norm_epsilon", 1e-5f, err));
    HEARTH_TRY(write_sizes(x, w, err));
    return x->n_vocab == BYTES ? write_bytes_tokenizer(w, err) : HEARTH_OK;
}

// --- writing ------------------------------------------------------------------------------------

typedef struct name_pair { const char *from, *to; } name_pair;
static const name_pair ends[] = {
    {"emb.weight", "token_embd.weight"},
    {"blocks.0.ln0.weight", "token_embd_norm.weight"},
    {"blocks.0.ln0.bias", "token_embd_norm.bias"},
    {"ln_out.weight", "output_norm.weight"},
    {"ln_out.bias", "output_norm.bias"},
    {"head.weight", "output.weight"},
};
static const name_pair of_layers[] = {
    {"ln1.weight", "attn_norm.weight"},
    {"ln1.bias", "attn_norm.bias"},
    {"ln2.weight", "attn_norm_2.weight"},
    {"ln2.bias", "attn_norm_2.bias"},
    {"att.x_rwkvag", "time_mix_lerp_fused.weight"},
    {"att.w0", "time_mix_w0.weight"},
    {"att.w1", "time_mix_w1.weight"},
    {"att.w2", "time_mix_w2.weight"},
    {"att.a0", "time_mix_a0.weight"},
    {"att.a1", "time_mix_a1.weight"},
    {"att.a2", "time_mix_a2.weight"},
    {"att.v0", "time_mix_v0.weight"},
    {"att.v1", "time_mix_v1.weight"},
    {"att.v2", "time_mix_v2.weight"},
    {"att.g1", "time_mix_g1.weight"},
    {"att.g2", "time_mix_g2.weight"},
    {"att.k_k", "time_mix_k_k.weight"},
    {"att.k_a", "time_mix_k_a.weight"},
    {"att.r_k", "time_mix_r_k.weight"},
    {"att.receptance.weight", "time_mix_receptance.weight"},
    {"att.key.weight", "time_mix_key.weight"},
    {"att.value.weight", "time_mix_value.weight"},
    {"att.output.weight", "time_mix_output.weight"},
    {"att.ln_x.weight", "time_mix_ln.weight"},
    {"att.ln_x.bias", "time_mix_ln.bias"},
    {"ffn.x_k", "channel_mix_lerp_k.weight"},
    {"ffn.key.weight", "channel_mix_key.weight"},
    {"ffn.value.weight", "channel_mix_value.weight"},
};

static const char *find_name(const name_pair *list, size_t n, str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_z(name, list[i].from)) return list[i].to;
    return NULL;
}

static hearth_status name_tensor(const rwkv_index *x, str name, char out[80], hearth_err *err)
{
    const char *found = find_name(ends, COUNTOF(ends), name);
    str rest = name;
    int64_t layer = -1;
    if (found) {
        snprintf(out, 80, "%s", found);
        return HEARTH_OK;
    }
    bool is_block = str_eq_z(str_cut(&rest, '.'), "blocks");
    str number = str_cut(&rest, '.');
    bool is_plain = number.n == 1 || (number.n > 1 && number.p[0] != '0');
    if (is_block && is_plain && str_parse_i64(number, &layer) && layer >= 0 && layer < x->n_layer)
        found = find_name(of_layers, COUNTOF(of_layers), rest);
    if (!found)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "parameter '%.*s': not known in RWKV version 7",
                        STR_ARG(name));
    snprintf(out, 80, "blk.%lld.%s", (long long)layer, found);
    return HEARTH_OK;
}

// Shapes as llama.cpp's converter leaves them: no ones but those before the six mixtures, and the
// heads of r_k in one row.
static hearth_status declare_tensor(const rwkv_index *x, const rwkv_param *p, gguf_writer *w,
                                    hearth_err *err)
{
    char name[80];
    int64_t dim[4] = {p->dim[0], p->dim[1], p->dim[2], 1};
    int n_dims = p->n_dims;
    HEARTH_TRY(name_tensor(x, p->name, name, err));
    if (strstr(name, "lerp_fused")) {
        dim[3] = dim[1] * dim[2]; // bounded with the tensor's bytes
        dim[1] = dim[2] = 1;
        n_dims = 4;
    } else if (strstr(name, "r_k")) {
        dim[0] *= dim[1];
        dim[1] = 1;
        n_dims = 1;
    }
    while (n_dims > 1 && dim[n_dims - 1] == 1) n_dims--;
    return gguf_write_tensor(w, name, p->type, n_dims, dim, err);
}

static hearth_status check_ends(const rwkv_index *x, hearth_err *err)
{
    for (size_t i = 0; i < COUNTOF(ends); i++)
        if (!has_param(x, ends[i].from))
            return err_fail(err, HEARTH_E_FORMAT, "parameter '%s': not in the file", ends[i].from);
    return HEARTH_OK;
}

static hearth_status write_model(const rwkv_index *x, gguf_writer *w, hearth_err *err)
{
    HEARTH_TRY(check_version(x, err));
    HEARTH_TRY(check_ends(x, err));
    HEARTH_TRY(write_keys(x, w, err));
    for (size_t i = 0; i < x->n; i++) HEARTH_TRY(declare_tensor(x, &x->param[i], w, err));
    HEARTH_TRY(gguf_write_header(w, err));
    for (size_t i = 0; i < x->n; i++)
        HEARTH_TRY(gguf_write_data(w, x->param[i].data, x->param[i].bytes, err));
    return gguf_write_end(w, err);
}

hearth_status rwkv_bin_to_gguf(const uint8_t *data, size_t size, gguf_sink sink, void *ctx,
                               hearth_err *err)
{
    rwkv_index x = {0};
    gguf_writer *w = NULL;
    const cursor c = {data, size, HEADER_BYTES};
    map_init(&x.by_name, MEM_MISC);
    hearth_status s = read_sizes(&c, &x, err);
    if (s == HEARTH_OK) s = index_params(&x, c, err);
    if (s == HEARTH_OK) s = gguf_writer_create(sink, ctx, &w, err);
    if (s == HEARTH_OK) s = write_model(&x, w, err);
    gguf_writer_free(w);
    map_release(&x.by_name);
    mem_free(x.param);
    return s;
}
