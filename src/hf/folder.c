// The files of a folder, see hf_int.h.
//
//   config.json, generation_config.json, tokenizer_config.json     small: read into tables
//   model.safetensors.index.json   {"weight_map": {"tensor": "model-00001-of-00002.safetensors"}}
//   model.safetensors              without an index; or the only *.safetensors of the folder
//
// What an index names is a file of this folder: names with a slash are refused. A link may lead
// anywhere, since the hub's own cache is made of links; what it leads to is proven like any file.
#include <string.h>

#include "hf/hf_int.h"

enum { SHARDS_MAX = 4096 };
#define FOLDER_BYTES_MAX ((size_t)1 << 30)

static hearth_status join(const hf_model *m, const char *name, buf *out, hearth_err *err)
{
    buf_init(out, MEM_MODEL, LIMIT_PATH + 512);
    hearth_status s = buf_printf(out, "%s/%s", m->dir, name);
    return s == HEARTH_OK ? s : err_fail(err, s, "%s: the name of a file is too long", m->dir);
}

hearth_status hf_folder_map(const hf_model *m, const char *name, os_mapping *out, hearth_err *err)
{
    buf path;
    *out = (os_mapping){0};
    hearth_status s = join(m, name, &path, err);
    if (s == HEARTH_OK && os_path_kind(path.p, NULL) != OS_KIND_NONE) {
        s = os_map_file(path.p, out, err);
        if (s != HEARTH_OK) err_prefix(err, "%s: ", path.p);
    }
    buf_release(&path);
    return s;
}

hearth_status hf_folder_read(const hf_model *m, const char *name, const char *const *skip,
                             conf *out, hearth_err *err)
{
    os_mapping file;
    HEARTH_TRY(hf_folder_map(m, name, &file, err));
    if (!file.data) return HEARTH_OK;
    hearth_status s = conf_read(out, file.data, file.size, skip, err);
    if (s != HEARTH_OK) err_prefix(err, "%s/%s: ", m->dir, name);
    os_unmap(&file);
    return s;
}

// --- shards -------------------------------------------------------------------------------------

static bool is_safe_name(str name)
{
    if (!str_ends(name, STR(".safetensors")) || name.p[0] == '.') return false;
    for (size_t i = 0; i < name.n; i++)
        if (strchr("/\\:", name.p[i])) return false; // and NUL, which ends the list
    return true;
}

static hearth_status add_shard(hf_model *m, str name, hearth_err *err)
{
    if (!is_safe_name(name)) {
        return err_fail(err, HEARTH_E_FORMAT, "%s: the index names '%.*s', expected a .safetensors "
                        "file of the folder", m->dir, STR_ARG(name));
    }
    for (size_t i = 0; i < m->n_shards; i++)
        if (str_eq(m->shard[i].name, name)) return HEARTH_OK;
    if (m->n_shards == SHARDS_MAX) {
        return err_fail(err, HEARTH_E_LIMIT, "%s: more than %d files", m->dir, SHARDS_MAX);
    }
    size_t n = strlen(m->dir) + 1 + name.n;
    char *path = arena_new(&m->mem, char, n + 1);
    if (!path) return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for its files", m->dir);
    memcpy(path, m->dir, strlen(m->dir));
    path[strlen(m->dir)] = '/';
    memcpy(path + n - name.n, name.p, name.n);
    m->shard[m->n_shards++] = (hf_shard){.path = path, .name = {path + n - name.n, name.n}};
    return HEARTH_OK;
}

static hearth_status list_index(hf_model *m, const conf *index, hearth_err *err)
{
    for (size_t i = 0; i < conf_count(index); i++) {
        const conf_value *v = conf_at(index, i);
        if (v->kind == JSON_STRING && str_starts(v->path, STR("weight_map."))) {
            HEARTH_TRY(add_shard(m, v->text, err));
        }
    }
    if (m->n_shards > 0) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "%s/model.safetensors.index.json: no 'weight_map'",
                    m->dir);
}

// What a folder without an index holds.
typedef struct folder_look {
    char found[256]; // the last .safetensors file
    int n_found, n_bin;
} folder_look;

static bool look_at(void *ctx, const char *name)
{
    folder_look *l = ctx;
    str s = str_from(name);
    if (is_safe_name(s) && s.n < sizeof l->found) {
        memcpy(l->found, name, s.n + 1);
        l->n_found++;
    }
    l->n_bin += str_ends(s, STR(".bin"));
    return true;
}

static hearth_status list_folder(hf_model *m, hearth_err *err)
{
    buf path;
    folder_look l = {0};
    hearth_status s = join(m, "model.safetensors", &path, err);
    bool is_there = s == HEARTH_OK && os_path_kind(path.p, NULL) == OS_KIND_FILE;
    buf_release(&path);
    HEARTH_TRY(s);
    if (is_there) return add_shard(m, STR("model.safetensors"), err);
    s = os_list_dir(m->dir, look_at, &l, err);
    if (s != HEARTH_OK) {
        err_prefix(err, "%s: ", m->dir);
        return s;
    }
    if (l.n_found == 1) return add_shard(m, str_from(l.found), err);
    return err_fail(err, HEARTH_E_NOTFOUND, "%s: no model.safetensors and no index of several%s",
                    m->dir, l.n_bin ? "; PyTorch files (.bin) are not supported" : "");
}

static hearth_status list_shards(hf_model *m, str only, conf *index, hearth_err *err)
{
    m->shard = arena_new(&m->mem, hf_shard, SHARDS_MAX);
    if (!m->shard) return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for its files", m->dir);
    if (only.n > 0) return add_shard(m, only, err);
    HEARTH_TRY(hf_folder_read(m, "model.safetensors.index.json", NULL, index, err));
    return conf_count(index) > 0 ? list_index(m, index, err) : list_folder(m, err);
}

static hearth_status open_shard(hf_shard *s, hearth_err *err)
{
    hearth_status status = os_map_file(s->path, &s->map, err);
    if (status != HEARTH_OK) {
        err_prefix(err, "%s: ", s->path);
        return status;
    }
    return safetensors_open(s->path, s->map.data, s->map.size, &s->st, err);
}

static hearth_status collect_sources(hf_model *m, hearth_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_shards; i++) {
        HEARTH_TRY(open_shard(&m->shard[i], err));
        n += safetensors_count(m->shard[i].st);
    }
    m->source = arena_new(&m->mem, hf_source, n + 1);
    if (!m->source)
        return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for %zu tensors", m->dir, n);
    for (size_t i = 0; i < m->n_shards; i++) {
        const hf_shard *s = &m->shard[i];
        for (size_t t = 0; t < safetensors_count(s->st); t++)
            m->source[m->n_sources++] = (hf_source){safetensors_at(s->st, t), s, NULL};
    }
    return HEARTH_OK;
}

// A tensor that the index promises must be in the file it names.
static hearth_status check_index(const hf_model *m, const conf *index, hearth_err *err)
{
    const str prefix = STR("weight_map.");
    for (size_t i = 0; i < conf_count(index); i++) {
        const conf_value *v = conf_at(index, i);
        if (v->kind != JSON_STRING || !str_starts(v->path, prefix)) continue;
        str name = {v->path.p + prefix.n, v->path.n - prefix.n};
        for (size_t s = 0; s < m->n_shards; s++) {
            if (!str_eq(m->shard[s].name, v->text)) continue;
            if (safetensors_find(m->shard[s].st, name)) break;
            return err_fail(err, HEARTH_E_FORMAT, "%s: tensor '%.*s' is not there, but the index "
                            "says so", m->shard[s].path, STR_ARG(name));
        }
    }
    return HEARTH_OK;
}

static hearth_status open_weights(hf_model *m, str only, hearth_err *err)
{
    conf index;
    conf_init(&index);
    hearth_status s = list_shards(m, only, &index, err);
    if (s == HEARTH_OK) s = collect_sources(m, err);
    if (s == HEARTH_OK) s = check_index(m, &index, err);
    conf_release(&index);
    return s;
}

// --- the folder ---------------------------------------------------------------------------------

static bool is_folder(const char *dir)
{
    buf path;
    buf_init(&path, MEM_MODEL, LIMIT_PATH + 512);
    bool is = buf_printf(&path, "%s/config.json", dir) == HEARTH_OK &&
              os_path_kind(path.p, NULL) == OS_KIND_FILE;
    buf_release(&path);
    return is;
}

bool hf_is_model(const char *path)
{
    os_kind kind = os_path_kind(path, NULL);
    if (kind == OS_KIND_FILE) return str_ends(str_from(path), STR(".safetensors"));
    return kind == OS_KIND_DIR && is_folder(path);
}

// Parts "dir/file.safetensors"; `only` is empty for a folder.
static hearth_status split_path(hf_model *m, const char *path, str *only, hearth_err *err)
{
    str dir = str_from(path);
    *only = (str){0};
    if (os_path_kind(path, NULL) != OS_KIND_DIR) {
        size_t slash = dir.n;
        while (slash > 0 && dir.p[slash - 1] != '/') slash--;
        *only = (str){dir.p + slash, dir.n - slash};
        dir = slash > 0 ? (str){dir.p, slash} : STR(".");
    }
    while (dir.n > 1 && dir.p[dir.n - 1] == '/') dir.n--;
    m->dir = arena_copy_string(&m->mem, dir.p, dir.n);
    return m->dir ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "%s: no memory for its name", path);
}

void hf_model_init(hf_model *m)
{
    arena_init(&m->mem, MEM_MODEL, FOLDER_BYTES_MAX);
    conf_init(&m->config);
    conf_init(&m->generation);
    conf_init(&m->tokenizer);
}

hearth_status hf_folder_open(hf_model *m, const char *path, hearth_err *err)
{
    str only;
    hf_model_init(m);
    HEARTH_TRY(split_path(m, path, &only, err));
    HEARTH_TRY(hf_folder_read(m, "config.json", NULL, &m->config, err));
    if (conf_count(&m->config) == 0) {
        return err_fail(err, HEARTH_E_NOTFOUND, "%s: has no config.json", m->dir);
    }
    HEARTH_TRY(hf_folder_read(m, "generation_config.json", NULL, &m->generation, err));
    HEARTH_TRY(hf_folder_read(m, "tokenizer_config.json", NULL, &m->tokenizer, err));
    return open_weights(m, only, err);
}

void hf_folder_close(hf_model *m)
{
    for (size_t i = 0; i < m->n_shards; i++) {
        safetensors_close(m->shard[i].st);
        os_unmap(&m->shard[i].map);
    }
    conf_release(&m->config);
    conf_release(&m->generation);
    conf_release(&m->tokenizer);
    arena_release(&m->mem);
}
