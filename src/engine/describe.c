// What an opened model says about itself: engine_info and the JSON of `hearth show`.
//
//   {"file": {"path", "bytes", "parts", "gguf_version"},
//    "metadata": {key: value or, for arrays of more than ARRAY_SHOWN, {"length", "type", "first"}},
//    "tensors": [{"name", "type", "shape", "bytes"}]}
#include "base/json.h"
#include "defs/limits.h"
#include "engine/local.h"
#include "kern/kern.h"

enum { ARRAY_SHOWN = 16, ARRAY_FIRST = 8 };

// --- JSON ---------------------------------------------------------------------------------------

static void write_item(json_writer *w, const gguf_kv *kv, uint64_t i, size_t *offset)
{
    int64_t whole;
    double real;
    if (kv->item_type == GGUF_STRING) json_write_string(w, gguf_next_string(kv, offset));
    else if (kv->item_type == GGUF_BOOL) json_write_bool(w, kv->data[i] != 0);
    else if (gguf_item_i64(kv, i, &whole)) json_write_i64(w, whole);
    else if (gguf_item_f64(kv, i, &real)) json_write_f64(w, real);
    else json_write_null(w); // arrays of arrays
}

static void write_items(json_writer *w, const gguf_kv *kv, uint64_t n)
{
    size_t offset = 0;
    json_write_array(w);
    for (uint64_t i = 0; i < n; i++) write_item(w, kv, i, &offset);
    json_write_array_end(w);
}

static void write_value(json_writer *w, const gguf_kv *kv)
{
    size_t offset = 0;
    if (kv->type != GGUF_ARRAY) {
        write_item(w, kv, 0, &offset);
    } else if (kv->n <= ARRAY_SHOWN) {
        write_items(w, kv, kv->n);
    } else {
        json_write_object(w);
        json_write_key(w, "length");
        json_write_u64(w, kv->n);
        json_write_key(w, "type");
        json_write_string(w, str_from(gguf_type_name(kv->item_type)));
        json_write_key(w, "first");
        write_items(w, kv, ARRAY_FIRST);
        json_write_object_end(w);
    }
}

static hearth_status write_metadata(json_writer *w, const gguf *g)
{
    buf key; // keys are not NUL-terminated in the file
    buf_init(&key, MEM_MISC, LIMIT_GGUF_NAME);
    json_write_key(w, "metadata");
    json_write_object(w);
    for (size_t i = 0; i < gguf_kv_count(g); i++) {
        const gguf_kv *kv = gguf_kv_at(g, i);
        buf_reset(&key);
        if (buf_append_str(&key, kv->key) != HEARTH_OK) break;
        json_write_key(w, key.p);
        write_value(w, kv);
    }
    json_write_object_end(w);
    hearth_status status = key.failed;
    buf_release(&key);
    return status;
}

static void write_tensor(json_writer *w, const gguf_tensor *t)
{
    json_write_object(w);
    json_write_key(w, "name");
    json_write_string(w, t->name);
    json_write_key(w, "type");
    json_write_string(w, str_from(dtype_get(t->type)->name));
    json_write_key(w, "shape");
    json_write_array(w);
    for (int i = 0; i < t->n_dims; i++) json_write_i64(w, t->dim[i]);
    json_write_array_end(w);
    json_write_key(w, "bytes");
    json_write_u64(w, t->bytes);
    json_write_object_end(w);
}

static void write_file(json_writer *w, const engine_local *e)
{
    json_write_key(w, "file");
    json_write_object(w);
    json_write_key(w, "path");
    json_write_string(w, str_from(e->base.info.path));
    json_write_key(w, "bytes");
    json_write_u64(w, e->src.bytes);
    json_write_key(w, "parts");
    json_write_i64(w, e->src.n_parts);
    json_write_key(w, "gguf_version");
    json_write_i64(w, gguf_version(e->src.g));
    json_write_object_end(w);
}

hearth_status local_describe(engine *base, buf *json, hearth_err *err)
{
    const engine_local *e = (const engine_local *)base;
    json_writer w;
    size_t n_before = json->n;
    json_write_init(&w, json);
    json_write_object(&w);
    write_file(&w, e);
    hearth_status status = write_metadata(&w, e->src.g);
    json_write_key(&w, "tensors");
    json_write_array(&w);
    for (size_t i = 0; i < gguf_tensor_count(e->src.g) && json->failed == HEARTH_OK; i++)
        write_tensor(&w, gguf_tensor_at(e->src.g, i));
    json_write_array_end(&w);
    json_write_object_end(&w);
    if (status == HEARTH_OK) status = json->failed;
    if (status == HEARTH_OK) return HEARTH_OK;
    json->n = n_before;
    return err_fail(err, status, "description: %s", err_status_name(status));
}

// --- info ---------------------------------------------------------------------------------------

// general.file_type: the mix that the file was quantised with, numbered by llama.cpp.
static const char *const file_types[] = {
    [0] = "F32",      [1] = "F16",     [2] = "Q4_0",    [3] = "Q4_1",    [7] = "Q8_0",
    [8] = "Q5_0",     [9] = "Q5_1",    [10] = "Q2_K",   [11] = "Q3_K_S", [12] = "Q3_K_M",
    [13] = "Q3_K_L",  [14] = "Q4_K_S", [15] = "Q4_K_M", [16] = "Q5_K_S", [17] = "Q5_K_M",
    [18] = "Q6_K",    [19] = "IQ2_XXS", [20] = "IQ2_XS", [21] = "Q2_K_S", [22] = "IQ3_XS",
    [23] = "IQ3_XXS", [24] = "IQ1_S",  [25] = "IQ4_NL", [26] = "IQ3_S",  [27] = "IQ3_M",
    [28] = "IQ2_S",   [29] = "IQ2_M",  [30] = "IQ4_XS", [31] = "IQ1_M",  [32] = "BF16",
    [36] = "TQ1_0",   [37] = "TQ2_0",  [38] = "MXFP4",
};

// Where the file does not say: the type that holds most bytes.
static const char *find_main_type(const gguf *g)
{
    uint64_t bytes[DTYPE_COUNT] = {0};
    int best = -1;
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        bytes[t->type] += t->bytes;
        if (best < 0 || bytes[t->type] > bytes[best]) best = (int)t->type;
    }
    return best < 0 ? "" : dtype_get((dtype)best)->name;
}

static const char *name_file_type(const gguf *g)
{
    uint64_t id = UINT64_MAX;
    bool found = false;
    hearth_status status = gguf_get_u64(g, "general.file_type", UINT32_MAX, &id, &found, NULL);
    if (status == HEARTH_OK && found && id < COUNTOF(file_types) && file_types[id]) {
        return file_types[id];
    }
    return find_main_type(g);
}

static str get_text(const gguf *g, const char *key)
{
    str s = {"", 0};
    bool found;
    if (gguf_get_str(g, key, &s, &found, NULL) != HEARTH_OK) return STR("");
    return s;
}

static str base_name(const char *path)
{
    const char *name = path;
    for (const char *p = path; *p; p++)
        if (*p == '/' || *p == '\\') name = p + 1;
    return str_from(name);
}

static void fill_model(engine_info *info, const engine_local *e)
{
    llm_config read = {0};
    const llm_config *c = e->model ? llm_model_config(e->model) : &read;
    if (!e->model && llm_config_read(e->src.g, &read, NULL) != HEARTH_OK) read = (llm_config){0};
    if (e->model) info->n_ctx = local_ctx_options(e).n_ctx;
    info->n_ctx_train = c->n_ctx_train;
    info->n_vocab = e->model ? c->n_vocab : e->t ? tok_count(e->t) : 0;
    info->n_embd = c->n_embd;
    info->n_layer = c->n_layer;
    if (e->model) info->parameters = llm_model_parameters(e->model);
    info->is_encoder = c->is_encoder;
    info->n_embd_out = e->model ? llm_model_pooled_width(e->model, LLM_POOL_MEAN) : 0;
    info->can_rank = e->model && llm_model_pooled_width(e->model, LLM_POOL_RANK) > 0;
    if (e->ctx) info->n_ctx = llm_ctx_get_options(e->ctx)->n_ctx;
}

static const tok_special no_specials = {
    .bos = TOK_NONE, .eos = TOK_NONE, .eot = TOK_NONE, .eom = TOK_NONE, .unk = TOK_NONE,
    .sep = TOK_NONE, .pad = TOK_NONE, .mask = TOK_NONE, TOK_NO_FIM,
};

void local_fill_info(engine_local *e, const char *name)
{
    engine_info *info = &e->base.info;
    const gguf *g = e->src.g;
    str title = get_text(g, "general.name");
    bool found = false;
    str chat_template = {0};
    engine_copy_text(info->path, sizeof info->path, str_from(name));
    engine_copy_text(info->name, sizeof info->name, title.n ? title : base_name(name));
    engine_copy_text(info->arch, sizeof info->arch, get_text(g, "general.architecture"));
    engine_copy_text(info->file_type, sizeof info->file_type, str_from(name_file_type(g)));
    str kind = str_from(e->t ? tok_kind_name(e->t) : NULL);
    engine_copy_text(info->tokenizer, sizeof info->tokenizer, kind);
    info->special = e->t ? *tok_specials(e->t) : no_specials;
    hearth_status status =
        gguf_get_str(g, "tokenizer.chat_template", &chat_template, &found, NULL);
    info->has_chat_template = status == HEARTH_OK && found;
    info->file_bytes = e->src.bytes;
    cpu_names(cpu_detect() & e->o.cpu, info->cpu);
    fill_model(info, e);
}
