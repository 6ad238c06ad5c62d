// LoRA adapters of PEFT as a GGUF index, see hf.h.
//
//   adapter_config.json          {"peft_type": "LORA", "lora_alpha": 16, "use_rslora": false, ...}
//   adapter_model.safetensors    "base_model.model." X ".lora_A.weight" [rank, n_in]
//                                "base_model.model." X ".lora_B.weight" [n_out, rank]
//
// X is the name of a matrix in the model's own folder; what GGUF calls it is in the tables of the
// families. Rows of q and k stay in the folder's order and a key says so (llm/lora.c). Everything
// else that PEFT can do to a model (biases, whole modules, DoRA, scales by name) would be left out
// without a word, so each is refused by name. Ranks by name need nothing: a tensor has its rank.
// Beside an adapter of the output PEFT saves the model's own matrix (".base_layer.weight"), which
// the model has.
#include <stdio.h>
#include <string.h>

#include "fmt/gguf_build.h"
#include "hf/hf_int.h"

static const char config_name[] = "adapter_config.json", file_name[] = "adapter_model.safetensors";

bool hf_is_adapter(const char *path)
{
    buf name;
    buf_init(&name, MEM_MODEL, LIMIT_PATH + 64);
    bool is = os_path_kind(path, NULL) == OS_KIND_DIR &&
              buf_printf(&name, "%s/%s", path, config_name) == HEARTH_OK &&
              os_path_kind(name.p, NULL) == OS_KIND_FILE;
    buf_release(&name);
    return is;
}

// --- adapter_config.json ------------------------------------------------------------------------

// Absent, null, false, "none", and an empty list or table say that a feature is not used.
static bool is_unused(const conf_value *v)
{
    if (!v) return true;
    if (v->kind == JSON_ARRAY_BEGIN || v->kind == JSON_OBJECT_BEGIN) return v->n == 0;
    return v->kind == JSON_FALSE || (v->kind == JSON_STRING && str_eq_z(v->text, "none"));
}

static hearth_status check_config(const hf_model *m, hearth_err *err)
{
    static const char *const unknown[] = {
        "bias", "modules_to_save", "use_dora", "fan_in_fan_out", "lora_bias", "alpha_pattern",
        "layer_replication", "trainable_token_indices", "target_parameters", "use_qalora",
        "alora_invocation_tokens", "invocation_string", "arrow_config", "use_bdlora",
    };
    str type = {0};
    if (!conf_str(&m->config, "peft_type", &type) || !str_eq_z(type, "LORA"))
        return err_fail(err, HEARTH_E_UNSUPPORTED, "%s/%s: 'peft_type' is '%.*s', expected 'LORA'",
                        m->dir, config_name, STR_ARG(type));
    for (size_t i = 0; i < COUNTOF(unknown); i++)
        if (!is_unused(conf_find(&m->config, unknown[i])))
            return err_fail(err, HEARTH_E_UNSUPPORTED, "%s/%s: '%s' is not supported", m->dir,
                            config_name, unknown[i]);
    return HEARTH_OK;
}

static hearth_status add_keys(const hf_model *m, gguf_writer *w, hearth_err *err)
{
    double alpha = 0;
    bool rooted = false;
    if (!conf_f64(&m->config, "lora_alpha", &alpha))
        return err_fail(err, HEARTH_E_FORMAT, "%s/%s: no number 'lora_alpha'", m->dir, config_name);
    conf_bool(&m->config, "use_rslora", &rooted);
    HEARTH_TRY(gguf_write_str(w, "general.type", STR("adapter"), err));
    HEARTH_TRY(gguf_write_str(w, "general.architecture", str_from(m->family->arch), err));
    HEARTH_TRY(gguf_write_str(w, "adapter.type", STR("lora"), err));
    HEARTH_TRY(gguf_write_f32(w, "adapter.lora.alpha", (float)alpha, err));
    if (rooted) HEARTH_TRY(gguf_write_bool(w, "hearth.lora.rank_root", true, err));
    if (!m->family->pairs_neighbours) return HEARTH_OK;
    return gguf_write_bool(w, "hearth.rope.halves", true, err);
}

// --- tensors ------------------------------------------------------------------------------------

// "base_model.model.X.lora_A.weight": "X.weight" and which half. False: no such name.
static bool split_name(str name, char out[256], char *half)
{
    const str front = STR("base_model.model.");
    const str a = STR(".lora_A.weight"), b = STR(".lora_B.weight");
    if (!str_starts(name, front) || name.n >= 250) return false;
    *half = str_ends(name, a) ? 'a' : str_ends(name, b) ? 'b' : 0;
    if (!*half || name.n <= front.n + a.n) return false;
    snprintf(out, 256, "%.*s.weight", (int)(name.n - front.n - a.n), name.p + front.n);
    return true;
}

// Several classes share an architecture: the first one that knows the name.
static bool find_name(str arch, const char *theirs, char out[64], hf_op *op)
{
    const hf_family *f;
    for (size_t i = 0; (f = hf_family_at(i)) != NULL; i++)
        if (str_eq_z(arch, f->arch) && hf_name_of(f, str_from(theirs), out, op)) return true;
    return false;
}

static hearth_status fail_tensor(const hf_model *m, const st_tensor *t, const char *what,
                                 hearth_err *err)
{
    return err_fail(err, HEARTH_E_UNSUPPORTED, "%s/%s: tensor '%.*s': %s", m->dir, file_name,
                    STR_ARG(t->name), what);
}

// Where a tensor's bytes can be read as numbers: in the file, or copied to own + *at.
static const uint8_t *find_bytes(const hf_model *m, const st_tensor *t, size_t *at)
{
    if ((uintptr_t)t->data % st_type_bytes(t->type) == 0) return t->data;
    uint8_t *copy = m->own + *at;
    memcpy(copy, t->data, t->bytes);
    *at += align_up(t->bytes, 64);
    return copy;
}

static hearth_status add_tensor(const hf_model *m, str arch, const st_tensor *t, size_t *at,
                                gguf_builder *b, hearth_err *err)
{
    char theirs[256], ours[64], name[96], half;
    hf_op op;
    dtype type;
    if (str_ends(t->name, STR(".base_layer.weight"))) return HEARTH_OK;
    if (!split_name(t->name, theirs, &half))
        return fail_tensor(m, t, "is no half of a matrix (lora_A, lora_B)", err);
    if (!find_name(arch, theirs, ours, &op)) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "%s/%s: tensor '%.*s': not known in a model of "
                        "family '%.*s'", m->dir, file_name, STR_ARG(t->name), STR_ARG(arch));
    }
    if (op != HF_AS_IS && op != HF_PAIRS) return fail_tensor(m, t, "its matrix is reordered", err);
    if (t->n_dims != 2 || t->bytes == 0) return fail_tensor(m, t, "is no matrix", err);
    if (!hf_same_type(t->type, &type))
        return fail_tensor(m, t, "is neither F32 nor F16 nor BF16", err);
    const int64_t dim[2] = {t->dim[1], t->dim[0]};
    snprintf(name, sizeof name, "%s.lora_%c", ours, half);
    return gguf_builder_tensor(b, name, type, 2, dim, find_bytes(m, t, at), err);
}

static hearth_status take_own(hf_model *m, const safetensors *st, hearth_err *err)
{
    size_t n = 0; // at most the file's bytes and 64 for each of its tensors
    for (size_t i = 0; i < safetensors_count(st); i++) {
        const st_tensor *t = safetensors_at(st, i);
        if ((uintptr_t)t->data % st_type_bytes(t->type)) n += align_up(t->bytes, 64);
    }
    if (n == 0) return HEARTH_OK;
    m->own = mem_alloc(MEM_WEIGHTS, n);
    return m->own ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "%s: no memory for %zu bytes",
                                         m->dir, n);
}

static hearth_status fill(hf_model *m, str arch, gguf_builder *b, hearth_err *err)
{
    const safetensors *st = m->shard[0].st;
    size_t at = 0;
    HEARTH_TRY(add_keys(m, gguf_builder_keys(b), err));
    HEARTH_TRY(take_own(m, st, err));
    for (size_t i = 0; i < safetensors_count(st); i++)
        HEARTH_TRY(add_tensor(m, arch, safetensors_at(st, i), &at, b, err));
    return HEARTH_OK;
}

// --- the folder ---------------------------------------------------------------------------------

static hearth_status open_files(hf_model *m, const char *path, hearth_err *err)
{
    str dir = str_from(path);
    while (dir.n > 1 && dir.p[dir.n - 1] == '/') dir.n--;
    size_t n = dir.n + sizeof file_name + 1;
    m->dir = arena_copy_string(&m->mem, dir.p, dir.n);
    m->shard = arena_new(&m->mem, hf_shard, 1);
    char *name = arena_new(&m->mem, char, n);
    if (!m->dir || !m->shard || !name)
        return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for its name", path);
    snprintf(name, n, "%s/%s", m->dir, file_name);
    hf_shard *s = m->shard;
    *s = (hf_shard){.path = name};
    m->n_shards = 1;
    HEARTH_TRY(hf_folder_read(m, config_name, NULL, &m->config, err));
    HEARTH_TRY(check_config(m, err));
    HEARTH_TRY(hf_folder_map(m, file_name, &s->map, err));
    if (!s->map.data)
        return err_fail(err, HEARTH_E_NOTFOUND, "%s: has no %s", m->dir, file_name);
    return safetensors_open(name, s->map.data, s->map.size, &s->st, err);
}

static hearth_status find_family(hf_model *m, str arch, hearth_err *err)
{
    const hf_family *f;
    for (size_t i = 0; (f = hf_family_at(i)) != NULL; i++)
        if (!m->family && str_eq_z(arch, f->arch)) m->family = f;
    if (m->family) return HEARTH_OK;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "%s: names of folders are not known for '%.*s' "
                    "models", m->dir, STR_ARG(arch));
}

static hearth_status make_view(hf_model *m, str arch, gguf **out, hearth_err *err)
{
    gguf_builder *b;
    HEARTH_TRY(gguf_builder_create(&b, err));
    hearth_status s = fill(m, arch, b, err);
    if (s == HEARTH_OK) s = gguf_builder_finish(b, out, err);
    gguf_builder_free(b);
    return s;
}

hearth_status hf_open_adapter(const char *path, str arch, hf_model **out, gguf **view,
                              hearth_err *err)
{
    *out = NULL;
    *view = NULL;
    hf_model *m = mem_alloc_zero(MEM_MODEL, 1, sizeof *m);
    if (!m) return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for a folder", path);
    hf_model_init(m);
    hearth_status s = open_files(m, path, err);
    if (s == HEARTH_OK) s = find_family(m, arch, err);
    if (s == HEARTH_OK) s = make_view(m, arch, view, err);
    if (s == HEARTH_OK) *out = m;
    else hf_close(m);
    return s;
}
