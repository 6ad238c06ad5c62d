// See catalog.h. What a file says about itself is read from its mapped header each time it is
// listed: a few pages of each file, no weights.
#include "server/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "fmt/gguf.h"
#include "hf/hf.h"
#include "os/os.h"

struct catalog {
    char *dir, *single;
};

typedef struct listing {
    const catalog *m;
    model_entry *list;
    size_t n, cap;
    bool is_short; // of memory
} listing;

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *p = mem_alloc(MEM_MISC, n);
    if (p) memcpy(p, text, n);
    return p;
}

hearth_status catalog_open(const char *dir, const char *single, catalog **out, hearth_err *err)
{
    *out = NULL;
    if (dir && os_path_kind(dir, NULL) != OS_KIND_DIR)
        return err_fail(err, HEARTH_E_NOTFOUND, "'%s' is not a folder", dir);
    catalog *m = mem_alloc_zero(MEM_MISC, 1, sizeof *m);
    if (m && dir) m->dir = copy_text(dir);
    if (m && single) m->single = copy_text(single);
    if (!m || (dir && !m->dir) || (single && !m->single)) {
        catalog_close(m);
        return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    }
    *out = m;
    return HEARTH_OK;
}

void catalog_close(catalog *m)
{
    if (!m) return;
    mem_free(m->dir);
    mem_free(m->single);
    mem_free(m);
}

// --- names --------------------------------------------------------------------------------------

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), k = strlen(tail);
    return n >= k && str_eq_caseless((str){text + n - k, k}, (str){tail, k});
}

// "dir/name-00001-of-00003.gguf" is "name"; later parts are no models. False: not a model's file.
static bool name_of(const char *path, model_entry *out)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base);
    unsigned part = 0, parts = 0;
    if (hf_is_model(path)) {
        if (ends_with(base, ".safetensors")) n -= strlen(".safetensors");
    } else if (ends_with(base, ".gguf")) {
        n -= strlen(".gguf");
        const char *tail = n > 15 ? base + n - 15 : "";
        if (sscanf(tail, "-%5u-of-%5u", &part, &parts) == 2) n -= 15;
        if (part > 1) return false;
    } else if (strncmp(path, "shape:", 6) != 0) {
        return false;
    }
    if (n == 0 || n + sizeof ":latest" > sizeof out->name) return false;
    snprintf(out->name, sizeof out->name, "%.*s:latest", (int)n, base);
    return snprintf(out->path, sizeof out->path, "%s", path) < (int)sizeof out->path;
}

static bool is_named(const model_entry *e, const char *name)
{
    char full[sizeof e->name];
    if (strlen(name) + sizeof ":latest" > sizeof full) return false;
    snprintf(full, sizeof full, "%s%s", name, strchr(name, ':') ? "" : ":latest");
    return str_eq_caseless(str_from(full), str_from(e->name));
}

// --- what a file says ---------------------------------------------------------------------------

// A name for the file as it is now; not a hash of its bytes, which would take minutes.
static void fill_digest(model_entry *e)
{
    uint64_t h = hash_bytes(e->path, strlen(e->path), e->bytes ^ (uint64_t)e->modified);
    for (int i = 0; i < 4; i++, h = hash_bytes(&h, sizeof h, h))
        snprintf(e->digest + 16 * i, 17, "%016llx", (unsigned long long)h);
}

void catalog_describe(model_entry *e)
{
    engine_options o;
    engine *opened = NULL;
    engine_options_default(&o);
    o.place = ENGINE_LOCAL;
    o.metadata_only = true;
    if (engine_open(e->path, &o, &opened, NULL) != HEARTH_OK) return;
    const engine_info *i = engine_get_info(opened);
    snprintf(e->family, sizeof e->family, "%s", i->arch);
    snprintf(e->type, sizeof e->type, "%s", i->file_type);
    double billions = (double)i->parameters / 1e9;
    if (billions >= 1) snprintf(e->size, sizeof e->size, "%.1fB", billions);
    else snprintf(e->size, sizeof e->size, "%.2fM", billions * 1000);
    e->n_ctx = i->n_ctx_train;
    e->n_embd = i->n_embd;
    e->has_template = i->has_chat_template;
    e->is_encoder = i->is_encoder;
    if (e->bytes == 0) e->bytes = i->file_bytes;
    engine_close(opened);
}

static void add_path(listing *l, const char *path)
{
    model_entry e = {0};
    if (!name_of(path, &e)) return;
    os_path_kind(path, &e.bytes);
    e.modified = os_path_modified(path);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        model_entry *grown = mem_realloc(MEM_MISC, l->list, cap * sizeof *grown);
        l->is_short |= !grown;
        if (!grown) return;
        l->list = grown;
        l->cap = cap;
    }
    fill_digest(&e);
    l->list[l->n++] = e;
}

static bool add_file(void *ctx, const char *name)
{
    listing *l = ctx;
    char path[sizeof l->list->path];
    if (name[0] == '.') return true;
    if (snprintf(path, sizeof path, "%s/%s", l->m->dir, name) < (int)sizeof path) add_path(l, path);
    return true;
}

static int newer_first(const void *a, const void *b)
{
    const model_entry *x = a, *y = b;
    if (x->modified != y->modified) return x->modified > y->modified ? -1 : 1;
    return strcmp(x->name, y->name);
}

static hearth_status list_paths(catalog *m, listing *l, hearth_err *err)
{
    *l = (listing){.m = m};
    hearth_status status = HEARTH_OK;
    if (m->single) add_path(l, m->single);
    if (m->dir) status = os_list_dir(m->dir, add_file, l, err);
    if (status == HEARTH_OK && l->is_short)
        status = err_fail(err, HEARTH_E_NOMEM, "models: out of memory");
    if (status != HEARTH_OK) mem_free(l->list);
    return status;
}

hearth_status catalog_list(catalog *m, model_entry **out, size_t *n, hearth_err *err)
{
    listing l;
    *out = NULL;
    *n = 0;
    HEARTH_TRY(list_paths(m, &l, err));
    if (l.n > 0) qsort(l.list, l.n, sizeof *l.list, newer_first);
    for (size_t i = 0; i < l.n; i++) catalog_describe(&l.list[i]);
    *out = l.list;
    *n = l.n;
    return HEARTH_OK;
}

hearth_status catalog_find(catalog *m, const char *name, model_entry *out, hearth_err *err)
{
    listing l;
    HEARTH_TRY(list_paths(m, &l, err));
    bool found = false;
    for (size_t i = 0; i < l.n && !found; i++) {
        found = is_named(&l.list[i], name);
        if (found) *out = l.list[i];
    }
    mem_free(l.list);
    return found ? HEARTH_OK : err_fail(err, HEARTH_E_NOTFOUND, "model '%s' not found", name);
}
