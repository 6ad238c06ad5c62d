// Keys of a GGUF from config.json. Most are rows of a table (family_table.c); those that depend on
// one another (rotation) are here. Keys come in the order of llama.cpp's converter as far as that
// matters to anybody: the architecture first.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hf/hf_int.h"

static const char *full_key(const hf_keys *k, const char *name, char out[96])
{
    snprintf(out, 96, "%s.%s", k->m->family->arch, name);
    return out;
}

void hf_key_u32(hf_keys *k, const char *name, int64_t v)
{
    char key[96];
    full_key(k, name, key);
    if (k->failed != HEARTH_OK) return;
    if (v < 0 || v > UINT32_MAX) {
        k->failed = err_fail(k->err, HEARTH_E_FORMAT, "%s/config.json: %lld for '%s' is no count",
                             k->m->dir, (long long)v, key);
    } else {
        k->failed = gguf_write_u32(k->w, key, (uint32_t)v, k->err);
    }
}

void hf_key_f32(hf_keys *k, const char *name, double v)
{
    char key[96];
    full_key(k, name, key);
    if (k->failed != HEARTH_OK) return;
    if (!isfinite((float)v)) {
        k->failed = err_fail(k->err, HEARTH_E_FORMAT, "%s/config.json: %g for '%s' is no float",
                             k->m->dir, v, key);
    } else {
        k->failed = gguf_write_f32(k->w, key, (float)v, k->err);
    }
}

void hf_key_str(hf_keys *k, const char *name, str v)
{
    char key[96];
    full_key(k, name, key);
    if (k->failed == HEARTH_OK) k->failed = gguf_write_str(k->w, key, v, k->err);
}

void hf_key_bool(hf_keys *k, const char *name, bool v)
{
    char key[96];
    full_key(k, name, key);
    if (k->failed == HEARTH_OK) k->failed = gguf_write_bool(k->w, key, v, k->err);
}

// How many layers "layer_types" names, and which of them are `kind`.
static int64_t read_layers(hf_keys *k, const char *kind, bool is_kind[LIMIT_LAYERS])
{
    const conf_value *list = hf_config_find(k->m, "layer_types");
    int64_t n = list && list->kind == JSON_ARRAY_BEGIN ? list->n : 0;
    if (n > LIMIT_LAYERS || (n == 0 && k->failed == HEARTH_OK)) {
        k->failed = err_fail(k->err, HEARTH_E_FORMAT, "%s/config.json: 'layer_types' names %lld "
                             "layers, not 1..%d", k->m->dir, (long long)n, LIMIT_LAYERS);
        return 0;
    }
    for (int64_t i = 0; i < n; i++) {
        char path[64];
        snprintf(path, sizeof path, "layer_types.%lld", (long long)i);
        is_kind[i] = str_eq_z(hf_config_str(k->m, path), kind);
    }
    return n;
}

void hf_key_layers(hf_keys *k, const char *name, const char *kind)
{
    char key[96];
    bool is_kind[LIMIT_LAYERS];
    uint8_t items[LIMIT_LAYERS];
    int64_t n = read_layers(k, kind, is_kind);
    for (int64_t i = 0; i < n; i++) items[i] = is_kind[i];
    full_key(k, name, key);
    if (k->failed == HEARTH_OK)
        k->failed = gguf_write_array(k->w, key, GGUF_BOOL, items, (uint64_t)n, k->err);
}

void hf_key_layer_counts(hf_keys *k, const char *name, const char *kind, int64_t yes)
{
    char key[96];
    bool is_kind[LIMIT_LAYERS];
    int32_t items[LIMIT_LAYERS];
    int64_t n = read_layers(k, kind, is_kind);
    for (int64_t i = 0; i < n; i++) items[i] = is_kind[i] ? (int32_t)i64_min(yes, INT32_MAX) : 0;
    full_key(k, name, key);
    if (k->failed == HEARTH_OK)
        k->failed = gguf_write_array(k->w, key, GGUF_I32, items, (uint64_t)n, k->err);
}

// Whether the family writes it in its own way.
static bool is_own_key(const hf_keys *k, const char *name)
{
    str rest = k->m->family->own_keys ? str_from(k->m->family->own_keys) : (str){0};
    while (rest.n > 0)
        if (str_eq_z(str_cut(&rest, ' '), name)) return true;
    return false;
}

static void write_row(hf_keys *k, const hf_key *row)
{
    const conf_value *v = NULL;
    char name[64];
    for (str rest = str_from(row->theirs); rest.n > 0 && !v;) {
        str one = str_cut(&rest, ' ');
        snprintf(name, sizeof name, "%.*s", (int)one.n, one.p);
        v = hf_config_find(k->m, name);
    }
    if (!v || k->failed != HEARTH_OK) return;
    int64_t i;
    double f;
    bool is_number = v->kind == JSON_NUMBER;
    if (is_number && row->kind == HF_KEY_U32 && str_parse_i64(v->text, &i)) {
        hf_key_u32(k, row->ours, i);
    } else if (is_number && row->kind == HF_KEY_F32 && str_parse_f64(v->text, &f)) {
        hf_key_f32(k, row->ours, f);
    } else {
        k->failed = err_fail(k->err, HEARTH_E_FORMAT, "%s/config.json: '%s' is no %s", k->m->dir,
                             name, row->kind == HF_KEY_U32 ? "count" : "number");
    }
}

static void write_rows(hf_keys *k, const hf_key *rows)
{
    for (; rows && rows->ours; rows++)
        if (rows == k->m->family->keys || !is_own_key(k, rows->ours)) write_row(k, rows);
}

// A head's size is written where the configuration has one, or where it must differ.
static void write_head_size(hf_keys *k)
{
    int64_t d = hf_config_i64(k->m, "head_dim", 0);
    if (d == 0 || is_own_key(k, "attention.key_length")) return;
    hf_key_u32(k, "attention.key_length", d);
    hf_key_u32(k, "attention.value_length", d);
}

static void write_yarn(hf_keys *k)
{
    static const struct { const char *theirs, *ours; } optional[] = {
        {"extrapolation_factor", "rope.scaling.yarn_ext_factor"},
        {"attention_factor", "rope.scaling.yarn_attn_factor"},
        {"beta_fast", "rope.scaling.yarn_beta_fast"},
        {"beta_slow", "rope.scaling.yarn_beta_slow"},
    };
    int64_t context = hf_config_i64(k->m, "max_position_embeddings", 0);
    hf_key_u32(k, "rope.scaling.original_context_length",
               (int64_t)hf_rope_f64(k->m, "original_max_position_embeddings", (double)context));
    for (size_t i = 0; i < COUNTOF(optional); i++)
        if (hf_rope_find(k->m, optional[i].theirs))
            hf_key_f32(k, optional[i].ours, hf_rope_f64(k->m, optional[i].theirs, 1));
}

// longrope: the larger context's angles are multiplied by a factor that follows from the lengths.
static void write_longrope(hf_keys *k)
{
    double context = (double)hf_config_i64(k->m, "max_position_embeddings", 0);
    double original = hf_rope_f64(k->m, "original_max_position_embeddings", context);
    double scale = original > 1 ? context / original : 1;
    double factor = scale > 1 ? sqrt(1 + log(scale) / log(original)) : 1;
    hf_key_f32(k, "rope.scaling.attn_factor", hf_rope_f64(k->m, "attention_factor", factor));
}

static void write_rope(hf_keys *k)
{
    const hf_model *m = k->m;
    str type = hf_rope_type(m);
    double local = hf_config_f64(m, "rope_local_base_freq", 0);
    const conf_value *base = hf_rope_find(m, "rope_theta");
    if (!base) base = hf_config_find(m, "rope_theta");
    if (base) hf_key_f32(k, "rope.freq_base", hf_rope_f64(m, "rope_theta", 10000));
    local = hf_config_f64(m, "rope_parameters.sliding_attention.rope_theta", local);
    if (local > 0) hf_key_f32(k, "rope.freq_base_swa", local);
    if (str_eq_z(type, "linear") || str_eq_z(type, "yarn")) {
        hf_key_str(k, "rope.scaling.type", type);
        hf_key_f32(k, "rope.scaling.factor", hf_rope_f64(m, "factor", 1));
        if (str_eq_z(type, "yarn")) write_yarn(k);
    } else if (str_eq_z(type, "longrope") || str_eq_z(type, "su")) {
        hf_key_str(k, "rope.scaling.type", STR("longrope"));
        write_longrope(k);
    } else if (!str_eq_z(type, "default") && !str_eq_z(type, "llama3") && k->failed == HEARTH_OK) {
        k->failed = err_fail(k->err, HEARTH_E_UNSUPPORTED, "%s/config.json: rope scaling '%.*s' is "
                             "not supported", m->dir, STR_ARG(type));
    }
}

uint32_t hf_file_type(dtype type)
{
    if (type == DTYPE_Q4_0) return 2;
    return type == DTYPE_F32 ? 0 : type == DTYPE_F16 ? 1 : type == DTYPE_Q8_0 ? 7 : 32;
}

// Experts in MXFP4 name the file, whatever type the other matrices have.
enum { MXFP4_FILE = 38 };

static bool has_mx(const hf_model *m)
{
    for (size_t i = 0; i < hf_tensor_count(m); i++)
        if (hf_tensor_at(m, i)->scales) return true;
    return false;
}

static str folder_name(const hf_model *m)
{
    str s = str_from(m->dir);
    size_t at = s.n;
    while (at > 0 && s.p[at - 1] != '/') at--;
    return (str){s.p + at, s.n - at};
}

hearth_status hf_write_keys(const hf_model *m, uint32_t file_type, gguf_writer *w, hearth_err *err)
{
    hf_keys k = {.m = m, .w = w, .err = err};
    const hf_family *f = m->family;
    HEARTH_TRY(gguf_write_str(w, "general.architecture", str_from(f->arch), err));
    HEARTH_TRY(gguf_write_str(w, "general.type", STR("model"), err));
    HEARTH_TRY(gguf_write_str(w, "general.name", folder_name(m), err));
    write_rows(&k, hf_common_keys);
    write_head_size(&k);
    write_rope(&k);
    write_rows(&k, f->keys);
    if (f->more_keys) f->more_keys(&k);
    HEARTH_TRY(k.failed);
    if (has_mx(m)) file_type = MXFP4_FILE;
    HEARTH_TRY(gguf_write_u32(w, "general.file_type", file_type, err));
    return gguf_write_u32(w, "general.quantization_version", 2, err);
}
