// See hf_folder.h. The rules of folders.json are applied here a second time, in C: rows of an
// expert, rows of heads back into halves, norms less 1, tensors put together of parts; types stay
// those of the case.
#include "support/hf_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "fmt/gguf.h"
#include "kern/dtype.h"
#include "support/test_data.h"

typedef struct folder_maker {
    const hf_case *c;
    gguf *g;
    buf header, data;
    json_writer json;
} folder_maker;

bool hf_folder_put(const char *dir, const char *name, const void *p, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    bool ok = f && (n == 0 || fwrite(p, 1, n, f) == n);
    if (f && fclose(f) != 0) ok = false;
    if (!ok) fprintf(stderr, "%s cannot be written\n", path);
    return ok;
}

static int64_t number_of(const folder_maker *k, int64_t i, const char *field, int64_t fallback)
{
    char path[96];
    int64_t v = fallback;
    snprintf(path, sizeof path, "%s.weights.%lld.%s", k->c->at, (long long)i, field);
    conf_i64(k->c->all, path, &v);
    return v;
}

static str text_of(const folder_maker *k, int64_t i, const char *field)
{
    char path[96];
    str v = {0};
    snprintf(path, sizeof path, "%s.weights.%lld.%s", k->c->at, (long long)i, field);
    conf_str(k->c->all, path, &v);
    return v;
}

// Row `at` of rows that a GGUF has reordered into neighbours: where it stands there.
static int64_t source_row(int64_t at, int64_t n_rows, int64_t heads)
{
    if (heads == 0) return at;
    int64_t d = n_rows / heads, in_head = at % d;
    return at - in_head + in_head % (d / 2) * 2 + in_head / (d / 2);
}

static void put_values(folder_maker *k, const gguf_tensor *t, int64_t i)
{
    int64_t expert = number_of(k, i, "expert", -1), heads = number_of(k, i, "heads", 0);
    int64_t shift = number_of(k, i, "shift", 0), rows = t->n_dims > 1 ? t->dim[1] : 1;
    if (expert < 0) rows *= t->n_dims > 2 ? t->dim[2] : 1;
    size_t row_bytes = 0;
    dtype_bytes(t->type, t->dim[0], &row_bytes);
    const uint8_t *first = t->data + (size_t)(i64_max(expert, 0) * rows) * row_bytes;
    for (int64_t r = 0; r < rows; r++) {
        const uint8_t *p = first + (size_t)source_row(r, rows, heads) * row_bytes;
        for (int64_t x = 0; shift && x < t->dim[0]; x++) {
            float v;
            memcpy(&v, p + 4 * x, sizeof v);
            v = (float)((double)v + (double)shift);
            buf_append(&k->data, &v, sizeof v);
        }
        if (!shift) buf_append(&k->data, p, row_bytes);
    }
}

// --- tensors of parts ---------------------------------------------------------------------------

static int64_t number_at(const folder_maker *k, const char *at, const char *field, int64_t i)
{
    char path[160];
    int64_t v = 0;
    if (i < 0) snprintf(path, sizeof path, "%s.%s", at, field);
    else snprintf(path, sizeof path, "%s.%s.%lld", at, field, (long long)i);
    conf_i64(k->c->all, path, &v);
    return v;
}

// A block of MXFP4 as a folder has it: its scale, or codes in order.
static void put_mx_block(const uint8_t *block, bool is_scale, uint8_t *out)
{
    if (is_scale) *out = block[0];
    for (int i = 0; i < 16 && !is_scale; i++) {
        int two = 2 * i % 16, shift = i < 8 ? 0 : 4;
        out[i] = (uint8_t)((block[1 + two] >> shift & 15) | (block[2 + two] >> shift & 15) << 4);
    }
}

// Every element or block of a part to its place in `out`.
static bool put_part(folder_maker *k, const char *at, uint8_t *out, size_t out_bytes,
                     size_t *item)
{
    char path[160], from[96];
    str source = {0}, mx = {0};
    snprintf(path, sizeof path, "%s.from", at);
    conf_str(k->c->all, path, &source);
    snprintf(from, sizeof from, "%.*s", STR_ARG(source));
    snprintf(path, sizeof path, "%s.mx", at);
    bool is_mx = conf_str(k->c->all, path, &mx), is_scale = str_eq_z(mx, "scales");
    const gguf_tensor *t = gguf_find_tensor(k->g, from);
    if (!t) return false;
    int64_t step[4], n = t->dim[0] / (is_mx ? 32 : 1);
    for (int s = 0; s < 4; s++) step[s] = number_at(k, at, "cut", s);
    size_t in = dtype_get(t->type)->block_bytes;
    *item = is_mx ? (is_scale ? 1 : 16) : in;
    const uint8_t *p = t->data;
    for (int64_t e = 0; e < t->dim[2]; e++)
        for (int64_t r = 0; r < t->dim[1]; r++)
            for (int64_t i = 0; i < n; i++, p += in) {
                size_t to = (size_t)(step[0] + i * step[1] + r * step[2] + e * step[3]) * *item;
                if (to + *item > out_bytes) return false;
                if (is_mx) put_mx_block(p, is_scale, out + to);
                else memcpy(out + to, p, in);
            }
    return true;
}

static const char *type_of_item(size_t item, const gguf_tensor *t)
{
    return item == 1 || item == 16 ? "U8" : dtype_get(t->type)->name;
}

static bool put_parts(folder_maker *k, const char *at, uint8_t *out, size_t bytes, size_t *item)
{
    char path[128];
    snprintf(path, sizeof path, "%s.parts", at);
    const conf_value *list = conf_find(k->c->all, path);
    for (int64_t i = 0; list && i < list->n; i++) {
        snprintf(path, sizeof path, "%s.parts.%lld", at, (long long)i);
        if (!put_part(k, path, out, bytes, item)) return false;
    }
    return list != NULL;
}

static bool add_weight_of_parts(folder_maker *k, int64_t i)
{
    char at[96], path[128], from[96], key[128];
    str name = text_of(k, i, "name"), source = {0};
    snprintf(at, sizeof at, "%s.weights.%lld", k->c->at, (long long)i);
    snprintf(path, sizeof path, "%s.parts.0.from", at);
    conf_str(k->c->all, path, &source);
    snprintf(from, sizeof from, "%.*s", STR_ARG(source));
    snprintf(path, sizeof path, "%s.shape", at);
    const conf_value *shape = conf_find(k->c->all, path);
    const gguf_tensor *t = gguf_find_tensor(k->g, from);
    if (!shape || !t) return false;
    size_t n = 1, item = 0, begin = k->data.n;
    for (int64_t d = 0; d < shape->n; d++) n *= (size_t)number_at(k, at, "shape", d);
    uint8_t *out = calloc(n, 4);
    bool ok = out && put_parts(k, at, out, 4 * n, &item);
    const char *type = type_of_item(item, t);
    size_t bytes = n * (item == 16 ? 1 : item);
    if (ok) buf_append(&k->data, out, bytes);
    free(out);
    snprintf(key, sizeof key, "%.*s", STR_ARG(name));
    json_write_key(&k->json, key);
    json_write_object(&k->json);
    json_write_key(&k->json, "dtype");
    json_write_string(&k->json, str_from(type));
    json_write_key(&k->json, "shape");
    json_write_array(&k->json);
    for (int64_t d = 0; d < shape->n; d++)
        json_write_i64(&k->json, number_at(k, at, "shape", d));
    json_write_array_end(&k->json);
    json_write_key(&k->json, "data_offsets");
    json_write_array(&k->json);
    json_write_u64(&k->json, begin);
    json_write_u64(&k->json, k->data.n);
    json_write_array_end(&k->json);
    json_write_object_end(&k->json);
    return ok;
}

static bool add_weight(folder_maker *k, int64_t i)
{
    char from[96];
    str source = text_of(k, i, "from"), name = text_of(k, i, "name");
    snprintf(from, sizeof from, "%.*s", STR_ARG(source));
    const gguf_tensor *t = gguf_find_tensor(k->g, from);
    if (!t) {
        fprintf(stderr, "%s: no tensor '%s'\n", k->c->name, from);
        return false;
    }
    bool is_expert = number_of(k, i, "expert", -1) >= 0;
    size_t begin = k->data.n;
    char key[128];
    snprintf(key, sizeof key, "%.*s", STR_ARG(name));
    put_values(k, t, i);
    json_write_key(&k->json, key);
    json_write_object(&k->json);
    json_write_key(&k->json, "dtype");
    json_write_string(&k->json, str_from(dtype_get(t->type)->name));
    json_write_key(&k->json, "shape");
    json_write_array(&k->json);
    for (int d = is_expert ? 1 : t->n_dims - 1; d >= 0; d--) json_write_i64(&k->json, t->dim[d]);
    json_write_array_end(&k->json);
    json_write_key(&k->json, "data_offsets");
    json_write_array(&k->json);
    json_write_u64(&k->json, begin);
    json_write_u64(&k->json, k->data.n);
    json_write_array_end(&k->json);
    json_write_object_end(&k->json);
    return true;
}

static bool write_weights(folder_maker *k, const char *dir)
{
    char path[64];
    snprintf(path, sizeof path, "%s.weights", k->c->at);
    const conf_value *list = conf_find(k->c->all, path);
    json_write_init(&k->json, &k->header);
    json_write_object(&k->json);
    for (int64_t i = 0; list && i < list->n; i++)
        if (!(text_of(k, i, "from").n > 0 ? add_weight(k, i) : add_weight_of_parts(k, i)))
            return false;
    json_write_object_end(&k->json);
    while (k->header.n % 8) buf_append_char(&k->header, ' ');
    buf file;
    buf_init(&file, MEM_TEST, (size_t)1 << 30);
    for (int i = 0; i < 8; i++) buf_append_char(&file, (char)(k->header.n >> 8 * i & 0xFF));
    buf_append_str(&file, buf_str(&k->header));
    buf_append_str(&file, buf_str(&k->data));
    bool ok = file.failed == HEARTH_OK && hf_folder_put(dir, "model.safetensors", file.p, file.n);
    buf_release(&file);
    return ok;
}

static bool copy_file(const char *from, const char *dir, const char *name)
{
    char file[96], path[512];
    size_t n;
    snprintf(file, sizeof file, "golden/hf/%s", from);
    test_source_path(file, path, sizeof path);
    unsigned char *p = test_read_file(path, &n);
    bool ok = p && hf_folder_put(dir, name, p, n);
    free(p);
    return ok;
}

bool hf_folder_make(const hf_case *c, const char *dir)
{
    folder_maker k = {.c = c};
    hearth_err err = ERR_INIT;
    gguf_bytes bytes = {c->name, c->model->gguf, c->model->gguf_bytes};
    char path[64];
    str config = {0};
    snprintf(path, sizeof path, "%s.config", c->at);
    conf_str(c->all, path, &config);
    if (gguf_open(&bytes, 1, &k.g, &err) != HEARTH_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return false;
    }
    buf_init(&k.header, MEM_TEST, 1 << 24);
    buf_init(&k.data, MEM_TEST, (size_t)1 << 30);
    bool spm = !strncmp(c->model->arch, "gemma", 5) || !strcmp(c->model->arch, "phi3");
    bool ok = write_weights(&k, dir) && hf_folder_put(dir, "config.json", config.p, config.n) &&
              copy_file(spm ? "spm.model" : "tokenizer.json", dir,
                        spm ? "tokenizer.model" : "tokenizer.json") &&
              copy_file(spm ? "spm_config.json" : "tokenizer_config.json", dir,
                        "tokenizer_config.json");
    buf_release(&k.header);
    buf_release(&k.data);
    gguf_close(k.g);
    return ok;
}

void hf_folder_remove(const char *dir)
{
    static const char *const names[] = {"config.json", "model.safetensors", "tokenizer.json",
                                        "tokenizer.model", "tokenizer_config.json",
                                        "generation_config.json", "model.safetensors.index.json"};
    char path[512];
    for (size_t i = 0; i < COUNTOF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
    rmdir(dir);
}
