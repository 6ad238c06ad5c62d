// See hf_folder.h. The rules of folders.json are applied here a second time, in C: rows of an
// expert, rows of heads back into halves, norms less 1; types stay those of the case.
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
    int64_t expert = number_of(k, i, "expert", 0), heads = number_of(k, i, "heads", 0);
    int64_t shift = number_of(k, i, "shift", 0), rows = t->n_dims > 1 ? t->dim[1] : 1;
    size_t row_bytes = 0;
    dtype_bytes(t->type, t->dim[0], &row_bytes);
    const uint8_t *first = t->data + (size_t)(expert * rows) * row_bytes;
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
        if (!add_weight(k, i)) return false;
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
