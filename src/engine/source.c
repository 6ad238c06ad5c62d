// See source.h. Splits are found from the first part's metadata and its own name, as llama.cpp
// does: whoever names another part gets an error that names the first one.
#include "engine/source.h"

#include <string.h>

#include "defs/limits.h"
#include "engine/engine_int.h"
#include "fmt/rwkv_bin.h"
#include "llm/synth.h"

void source_blame(const source *s, const char *name, hearth_err *err)
{
    if (!err || err->status == HEARTH_OK) return;
    for (int i = 0; i < s->n_parts && s->path; i++) {
        size_t n = s->path[i].n;
        if (n > 0 && strncmp(err->msg, s->path[i].p, n) == 0 && err->msg[n] == ':') return;
    }
    err_prefix(err, "%s: ", name);
}

static hearth_status allocate_parts(source *s, int n)
{
    s->map = mem_alloc_zero(MEM_MODEL, (size_t)n, sizeof *s->map);
    s->path = mem_alloc_zero(MEM_MODEL, (size_t)n, sizeof *s->path);
    s->parts = mem_alloc_zero(MEM_MODEL, (size_t)n, sizeof *s->parts);
    if (!s->map || !s->path || !s->parts) return HEARTH_E_NOMEM;
    for (int i = 0; i < n; i++) buf_init(&s->path[i], MEM_MODEL, LIMIT_PATH + 64);
    s->n_parts = n;
    return HEARTH_OK;
}

static void free_parts(source *s)
{
    for (int i = 0; i < s->n_parts; i++) {
        os_unmap(&s->map[i]);
        buf_release(&s->path[i]);
    }
    mem_free(s->map);
    mem_free(s->path);
    mem_free(s->parts);
    s->map = NULL;
    s->path = NULL;
    s->parts = NULL;
    s->n_parts = 0;
}

void source_close(source *s)
{
    gguf_close(s->g);
    s->g = NULL;
    hf_close(s->folder);
    s->folder = NULL;
    free_parts(s);
    mem_free(s->made);
    s->made = NULL;
}

// --- synthetic ----------------------------------------------------------------------------------

static hearth_status make_model(str name, source *s, hearth_err *err)
{
    char shape[64], type[32];
    int64_t seed = 1;
    str rest = name;
    str_cut(&rest, ':');
    engine_copy_text(shape, sizeof shape, str_cut(&rest, ':'));
    engine_copy_text(type, sizeof type, str_cut(&rest, ':'));
    if (rest.n > 0 && !str_parse_i64(rest, &seed))
        return err_fail(err, HEARTH_E_ARG, "seed '%.*s' is not a number", STR_ARG(rest));
    const synth_shape *found = synth_find(shape);
    if (!found) return err_fail(err, HEARTH_E_NOTFOUND, "no shape is called '%s'", shape);
    if (!type[0]) return err_fail(err, HEARTH_E_ARG, "expected shape:NAME:TYPE[:SEED]");
    size_t n = 0;
    HEARTH_TRY(synth_make(found, type, (uint64_t)seed, &s->made, &n, err));
    if (allocate_parts(s, 1) != HEARTH_OK) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    s->parts[0] = (gguf_bytes){NULL, s->made, n};
    s->bytes = n;
    return HEARTH_OK;
}

// --- files of other formats, made again as GGUF in memory ---------------------------------------

static hearth_status append_made(void *ctx, const void *p, size_t n, hearth_err *err)
{
    if (buf_append(ctx, p, n) == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, HEARTH_E_NOMEM, "no memory for the model as GGUF");
}

// The mapping is given back: everything is in the copy.
static hearth_status convert_rwkv(source *s, hearth_err *err)
{
    enum { KEYS_BYTES = 1 << 20 }; // keys and padding, which are a few KB
    buf made;
    buf_init(&made, MEM_MODEL, SIZE_MAX / 2);
    hearth_status status = buf_reserve(&made, s->parts[0].size + KEYS_BYTES);
    if (status != HEARTH_OK)
        return err_fail(err, HEARTH_E_NOMEM, "no memory for the model as GGUF");
    status = rwkv_bin_to_gguf(s->parts[0].data, s->parts[0].size, append_made, &made, err);
    if (status != HEARTH_OK) {
        buf_release(&made);
        return status;
    }
    s->made = (uint8_t *)made.p;
    s->parts[0].data = s->made;
    s->parts[0].size = made.n;
    os_unmap(&s->map[0]);
    return HEARTH_OK;
}

// --- files --------------------------------------------------------------------------------------

static hearth_status map_part(source *s, int i, hearth_err *err)
{
    hearth_status status = os_map_file(s->path[i].p, &s->map[i], err);
    if (status != HEARTH_OK) {
        err_prefix(err, "%s: ", s->path[i].p);
        return status;
    }
    s->parts[i] = (gguf_bytes){s->path[i].p, s->map[i].data, s->map[i].size};
    s->bytes += s->map[i].size;
    return HEARTH_OK;
}

// Makes room for n parts; the first one's mapping is kept.
static hearth_status widen(source *s, int n)
{
    source wide = {.bytes = s->bytes};
    if (allocate_parts(&wide, n) != HEARTH_OK) {
        free_parts(&wide);
        return HEARTH_E_NOMEM;
    }
    wide.map[0] = s->map[0];
    wide.path[0] = s->path[0];
    wide.parts[0] = s->parts[0];
    s->n_parts = 0;
    free_parts(s);
    *s = wide;
    return HEARTH_OK;
}

static hearth_status map_rest(source *s, int n, hearth_err *err)
{
    if (widen(s, n) != HEARTH_OK) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    for (int i = 1; i < n; i++) {
        if (!gguf_split_name(s->path[0].p, i, n, &s->path[i]))
            return err_fail(err, HEARTH_E_ARG, "is the first of %d parts, but its name does not "
                            "end in -00001-of-%05d.gguf", n, n);
        HEARTH_TRY(map_part(s, i, err));
    }
    return HEARTH_OK;
}

static hearth_status map_files(const char *name, source *s, hearth_err *err)
{
    int n = 1;
    hearth_status status = allocate_parts(s, 1);
    if (status == HEARTH_OK) status = buf_append_str(&s->path[0], str_from(name));
    if (status != HEARTH_OK)
        return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    HEARTH_TRY(map_part(s, 0, err));
    if (rwkv_bin_is(s->parts[0].data, s->parts[0].size)) return convert_rwkv(s, err);
    HEARTH_TRY(gguf_split_count(&s->parts[0], &n, err));
    return n > 1 ? map_rest(s, n, err) : HEARTH_OK;
}

static hearth_status open_folder(const char *name, source *out, hearth_err *err)
{
    hearth_status status = hf_open(name, &out->folder, err);
    if (status == HEARTH_OK) status = hf_view(out->folder, &out->g, err);
    if (status == HEARTH_OK) out->bytes = hf_bytes(out->folder);
    if (status != HEARTH_OK) source_close(out);
    return status;
}

// What map_files() or make_model() left, as an index.
static hearth_status index_parts(const char *name, hearth_status status, source *out,
                                 hearth_err *err)
{
    if (status == HEARTH_OK) status = gguf_open(out->parts, out->n_parts, &out->g, err);
    if (status == HEARTH_OK) return HEARTH_OK;
    source_blame(out, name, err);
    source_close(out);
    return status;
}

hearth_status source_open(const char *name, source *out, hearth_err *err)
{
    str all = str_from(name);
    *out = (source){0};
    if (hf_is_model(name)) return open_folder(name, out, err);
    if (str_starts(all, STR("shape:")))
        return index_parts(name, make_model(all, out, err), out, err);
    return index_parts(name, map_files(name, out, err), out, err);
}

hearth_status source_open_adapter(const char *name, const gguf *model, source *out,
                                  hearth_err *err)
{
    str arch = {0};
    *out = (source){0};
    if (hf_is_adapter(name)) {
        HEARTH_TRY(gguf_get_str(model, "general.architecture", &arch, NULL, err));
        return hf_open_adapter(name, arch, &out->folder, &out->g, err);
    }
    return index_parts(name, map_files(name, out, err), out, err);
}
