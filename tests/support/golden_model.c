// Makes the models of tests/golden/llm. The rule that gives every weight is stated in
// gen_llm_goldens.py and written here a second time, in C: the two must agree or the goldens fail.
#include "support/golden_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "fmt/gguf_write.h"
#include "support/block_scale.h"
#include "support/test_data.h"

enum { MAX_TENSORS = 768 };

typedef struct tensor_rule {
    char name[64];
    dtype type;
    int64_t dim[4]; // GGUF order: dim[0] contiguous
    int n_dims;
    float scale, offset;
} tensor_rule;

// --- the rule ------------------------------------------------------------------------------------

static uint64_t hash_name(const char *name)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 0x100000001B3u;
    return h;
}

static uint64_t word_at(uint64_t hash, uint64_t i)
{
    uint64_t z = hash + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

// Float32 to float16, round to nearest even; the values here are finite and far from the top.
static uint16_t to_half(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t sign = (u >> 16) & 0x8000;
    float a = fabsf(f);
    if (a < 6.103515625e-05f) // subnormal: a multiple of 2^-24
        return (uint16_t)(sign | (uint32_t)lrintf(a * 16777216.0f));
    memcpy(&u, &a, sizeof u);
    uint32_t rounded = u + 0xFFF + ((u >> 13) & 1);
    return (uint16_t)(sign | ((rounded - (112u << 23)) >> 13));
}

static uint16_t to_bfloat(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (uint16_t)((u + 0x7FFF + ((u >> 16) & 1)) >> 16);
}

static void make_plain(const tensor_rule *t, uint8_t *out, int64_t n)
{
    uint64_t hash = hash_name(t->name);
    for (int64_t i = 0; i < n; i++) {
        int code = (int)(word_at(hash, (uint64_t)i) >> 40) - (1 << 23);
        float product = t->scale * ((float)code / 8388608.0f);
        float v = t->offset + product;
        uint16_t narrow = t->type == DTYPE_F16 ? to_half(v) : to_bfloat(v);
        if (t->type == DTYPE_F32) memcpy(out + 4 * i, &v, 4);
        else memcpy(out + 2 * i, &narrow, 2);
    }
}

static void make_blocks(const tensor_rule *t, uint8_t *out, int64_t n)
{
    const dtype_info *info = dtype_get(t->type);
    uint64_t hash = hash_name(t->name);
    for (int64_t b = 0; b < n / info->block_len; b++, out += info->block_bytes) {
        for (int j = 0; j < info->block_bytes; j++)
            out[j] = (uint8_t)(word_at(hash, (uint64_t)(b * 32 + j / 8)) >> (8 * (j % 8)));
        float f = (float)(word_at(hash, (uint64_t)(b * 32 + 31)) >> 40) / 16777216.0f;
        float half_f = 0.5f * f;
        block_scale_put(t->type, t->scale * (0.75f + half_f), out);
    }
}

// --- reading cases.json --------------------------------------------------------------------------

typedef struct loader {
    json_reader *json;
    gguf_writer *gguf;
    golden_case *at;
    tensor_rule tensors[MAX_TENSORS];
    int n_tensors;
    buf bytes;
    hearth_err *err;
} loader;

static hearth_status append_bytes(void *ctx, const void *p, size_t n, hearth_err *err)
{
    if (buf_append(ctx, p, n) != HEARTH_OK) return err_fail(err, HEARTH_E_NOMEM, "golden model");
    return HEARTH_OK;
}

static void copy_text(char *out, size_t cap, str s)
{
    size_t n = size_min(s.n, cap - 1);
    memcpy(out, s.p, n);
    out[n] = 0;
}

static hearth_status next(loader *l, json_event *e)
{
    return json_next(l->json, e, l->err);
}

// Floats of a list whose [ has been read; -1e39 and below is minus infinity, which JSON lacks.
static hearth_status read_floats(loader *l, const char *key)
{
    float numbers[64];
    size_t n = 0;
    for (;;) {
        json_event e;
        double f = 0;
        HEARTH_TRY(next(l, &e));
        if (e == JSON_ARRAY_END) break;
        if (n == COUNTOF(numbers) || !json_f64(l->json, &f))
            return err_fail(l->err, HEARTH_E_LIMIT, "'%s' is too long, or not of numbers", key);
        numbers[n++] = f <= -1e39 ? -INFINITY : (float)f;
    }
    return gguf_write_array(l->gguf, key, GGUF_F32, numbers, n, l->err);
}

// A list of up to four strings, or of whole numbers; its [ has been read.
static hearth_status read_list(loader *l, const char *key)
{
    char text[4][32];
    str texts[4];
    int32_t numbers[64];
    size_t n_texts = 0, n_numbers = 0;
    for (;;) {
        json_event e;
        int64_t i;
        HEARTH_TRY(next(l, &e));
        if (e == JSON_ARRAY_END) break;
        if (n_texts == COUNTOF(texts) || n_numbers == COUNTOF(numbers))
            return err_fail(l->err, HEARTH_E_LIMIT, "'%s' is too long", key);
        if (e != JSON_STRING && json_i64(l->json, &i)) {
            numbers[n_numbers++] = (int32_t)i;
            continue;
        }
        copy_text(text[n_texts], sizeof text[n_texts], json_text(l->json));
        texts[n_texts] = str_from(text[n_texts]);
        n_texts++;
    }
    if (n_texts) return gguf_write_str_array(l->gguf, key, texts, n_texts, l->err);
    return gguf_write_array(l->gguf, key, GGUF_I32, numbers, n_numbers, l->err);
}

static hearth_status read_kv(loader *l)
{
    json_event e;
    HEARTH_TRY(next(l, &e)); // {
    for (;;) {
        HEARTH_TRY(next(l, &e));
        if (e == JSON_OBJECT_END) return HEARTH_OK;
        char key[128] = {0}, full[160];
        copy_text(key, sizeof key, json_text(l->json));
        snprintf(full, sizeof full, "%s.%s", l->at->arch, key);
        HEARTH_TRY(next(l, &e));
        int64_t i;
        double f;
        if (e == JSON_ARRAY_BEGIN) {
            bool is_real = strstr(key, "sparsity") != NULL;
            HEARTH_TRY(is_real ? read_floats(l, full) : read_list(l, full));
        } else if (e == JSON_TRUE || e == JSON_FALSE) {
            HEARTH_TRY(gguf_write_bool(l->gguf, full, e == JSON_TRUE, l->err));
        } else if (e == JSON_STRING) {
            char text[64];
            copy_text(text, sizeof text, json_text(l->json));
            HEARTH_TRY(gguf_write_str(l->gguf, full, str_from(text), l->err));
        } else if (e == JSON_TRUE || e == JSON_FALSE) {
            HEARTH_TRY(gguf_write_bool(l->gguf, full, e == JSON_TRUE, l->err));
        } else if (json_i64(l->json, &i) && !strstr(key, "freq_base") && !strstr(key, "factor") &&
                   !strstr(key, "yarn")) {
            HEARTH_TRY(gguf_write_u32(l->gguf, full, (uint32_t)i, l->err));
        } else if (json_f64(l->json, &f)) {
            HEARTH_TRY(gguf_write_f32(l->gguf, full, (float)f, l->err));
        }
    }
}

static hearth_status read_tensor(loader *l)
{
    json_event e;
    tensor_rule t = {.dim = {1, 1, 1, 1}};
    int64_t shape[4];
    for (;;) {
        HEARTH_TRY(next(l, &e));
        if (e == JSON_OBJECT_END) break;
        char key[32], text[64];
        copy_text(key, sizeof key, json_text(l->json));
        HEARTH_TRY(next(l, &e));
        double f = 0;
        json_f64(l->json, &f);
        copy_text(text, sizeof text, json_text(l->json));
        if (!strcmp(key, "name")) memcpy(t.name, text, sizeof t.name);
        if (!strcmp(key, "type") && !dtype_from_name(text, &t.type))
            return err_fail(l->err, HEARTH_E_FORMAT, "type '%s' in cases.json", text);
        if (!strcmp(key, "scale")) t.scale = (float)f;
        if (!strcmp(key, "offset")) t.offset = (float)f;
        while (!strcmp(key, "shape")) {
            HEARTH_TRY(next(l, &e));
            if (e == JSON_ARRAY_END) break;
            if (t.n_dims < 4) json_i64(l->json, &shape[t.n_dims++]);
        }
    }
    for (int i = 0; i < t.n_dims; i++) t.dim[i] = shape[t.n_dims - 1 - i];
    if (l->n_tensors == MAX_TENSORS) return err_fail(l->err, HEARTH_E_LIMIT, "too many tensors");
    l->tensors[l->n_tensors++] = t;
    return gguf_write_tensor(l->gguf, t.name, t.type, t.n_dims, t.dim, l->err);
}

static hearth_status write_tensors(loader *l)
{
    HEARTH_TRY(gguf_write_header(l->gguf, l->err));
    for (int i = 0; i < l->n_tensors; i++) {
        const tensor_rule *t = &l->tensors[i];
        int64_t n = t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3];
        size_t bytes = 0;
        if (!dtype_bytes(t->type, n, &bytes)) return err_fail(l->err, HEARTH_E_ARG, "%s", t->name);
        uint8_t *data = mem_alloc(MEM_TEST, bytes);
        if (!data) return err_fail(l->err, HEARTH_E_NOMEM, "%s", t->name);
        if (dtype_get(t->type)->is_quantized) make_blocks(t, data, n);
        else make_plain(t, data, n);
        hearth_status status = gguf_write_data(l->gguf, data, bytes, l->err);
        mem_free(data);
        HEARTH_TRY(status);
    }
    return gguf_write_end(l->gguf, l->err);
}

// The keys of a case come in the order name, arch, type, kv, tensors, tokens.
static hearth_status read_case_field(loader *l, const char *key)
{
    json_event e;
    golden_case *c = l->at;
    if (!strcmp(key, "kv")) {
        HEARTH_TRY(gguf_write_str(l->gguf, "general.architecture", str_from(c->arch), l->err));
        return read_kv(l);
    }
    HEARTH_TRY(next(l, &e));
    if (!strcmp(key, "name")) copy_text(c->name, sizeof c->name, json_text(l->json));
    if (!strcmp(key, "arch")) copy_text(c->arch, sizeof c->arch, json_text(l->json));
    if (!strcmp(key, "type")) copy_text(c->type, sizeof c->type, json_text(l->json));
    if (e != JSON_ARRAY_BEGIN) return HEARTH_OK;
    for (;;) {
        HEARTH_TRY(next(l, &e));
        if (e == JSON_ARRAY_END) return HEARTH_OK;
        int64_t token;
        if (e == JSON_OBJECT_BEGIN) HEARTH_TRY(read_tensor(l));
        else if (json_i64(l->json, &token) && c->n_tokens < GOLDEN_MAX_TOKENS)
            c->tokens[c->n_tokens++] = (int32_t)token;
    }
}

static hearth_status read_case(loader *l)
{
    json_event e;
    l->n_tensors = 0;
    buf_init(&l->bytes, MEM_TEST, (size_t)1 << 30);
    hearth_status status = gguf_writer_create(append_bytes, &l->bytes, &l->gguf, l->err);
    while (status == HEARTH_OK) {
        status = next(l, &e);
        if (status != HEARTH_OK || e == JSON_OBJECT_END) break;
        char key[32];
        copy_text(key, sizeof key, json_text(l->json));
        status = read_case_field(l, key);
    }
    if (status == HEARTH_OK) status = write_tensors(l);
    gguf_writer_free(l->gguf);
    l->gguf = NULL;
    l->at->gguf = (uint8_t *)l->bytes.p;
    l->at->gguf_bytes = l->bytes.n;
    return status;
}

static hearth_status read_cases(loader *l, golden_set *out)
{
    json_event e;
    HEARTH_TRY(next(l, &e)); // {
    for (;;) {
        HEARTH_TRY(next(l, &e));
        if (e == JSON_OBJECT_END) return HEARTH_OK;
        bool is_cases = str_eq_z(json_text(l->json), "cases");
        HEARTH_TRY(next(l, &e));
        while (is_cases) {
            HEARTH_TRY(next(l, &e));
            if (e == JSON_ARRAY_END) break;
            if (out->n == GOLDEN_MAX_CASES) {
                return err_fail(l->err, HEARTH_E_LIMIT, "too many cases");
            }
            l->at = &out->cases[out->n++];
            HEARTH_TRY(read_case(l));
        }
    }
}

hearth_status golden_load(const char *json_path, golden_set *out, hearth_err *err)
{
    memset(out, 0, sizeof *out);
    size_t n = 0;
    unsigned char *text = test_read_file(json_path, &n);
    if (!text) return err_fail(err, HEARTH_E_IO, "'%s' cannot be read", json_path);
    static loader l;
    l = (loader){.err = err};
    hearth_status status = json_open_memory(text, n, 1 << 16, &l.json, err);
    if (status == HEARTH_OK) status = read_cases(&l, out);
    json_close(l.json);
    free(text);
    if (status != HEARTH_OK) golden_release(out);
    return status;
}

void golden_release(golden_set *s)
{
    for (int i = 0; i < s->n; i++) mem_free(s->cases[i].gguf);
    s->n = 0;
}
