// See graph_files.h.
#include "cli/graph_files.h"

#include <string.h>

#include "cli/cli.h"
#include "fmt/npy.h"

hearth_status graph_file_open(const char *path, graph_file *out, hearth_err *err)
{
    memset(out, 0, sizeof *out);
    hearth_status st = os_map_file(path, &out->map, err);
    if (st == HEARTH_OK) st = onnx_open(out->map.data, out->map.size, &out->model, err);
    if (st == HEARTH_OK) st = graph_open(out->model, &out->g, err);
    if (st == HEARTH_OK) return HEARTH_OK;
    err_prefix(err, "%s: ", path);
    graph_file_close(out);
    return st;
}

void graph_file_close(graph_file *f)
{
    graph_close(f->g);
    onnx_close(f->model);
    os_unmap(&f->map);
    memset(f, 0, sizeof *f);
}

static hearth_status no_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_NOMEM, "out of memory for a tensor");
}

// The file's bytes in `memory`, so that a tensor may point into them.
static hearth_status read_into(const char *path, arena *memory, str *out, hearth_err *err)
{
    os_mapping map;
    HEARTH_TRY(os_map_file(path, &map, err));
    char *copy = arena_alloc(memory, map.size, 1, 64);
    if (copy && map.size) memcpy(copy, map.data, map.size);
    *out = (str){copy, map.size};
    os_unmap(&map);
    return copy ? HEARTH_OK : no_memory(err);
}

hearth_status tensor_from_pb(const char *path, arena *memory, tensor *out, hearth_err *err)
{
    str bytes;
    onnx_tensor t;
    hearth_status st = read_into(path, memory, &bytes, err);
    if (st == HEARTH_OK) st = onnx_tensor_parse(bytes.p, bytes.n, &t, err);
    if (st == HEARTH_OK) st = graph_constant(memory, &t, out, err);
    if (st != HEARTH_OK) err_prefix(err, "%s: ", path);
    return st;
}

// --- NumPy --------------------------------------------------------------------------------------

static const struct { npy_type npy; elem type; } npy_types[] = {
    {NPY_F32, T_F32}, {NPY_F16, T_F16}, {NPY_F64, T_F64}, {NPY_I8, T_I8},
    {NPY_U8, T_U8},   {NPY_I32, T_I32}, {NPY_I64, T_I64}, {NPY_BOOL, T_BOOL},
};

static hearth_status copy_npy(const npy *a, arena *memory, tensor *out, hearth_err *err)
{
    for (size_t i = 0; i < COUNTOF(npy_types); i++) {
        if (npy_types[i].npy == a->type) out->type = npy_types[i].type;
    }
    tensor_set(out, out->type, a->n_dims, a->dim);
    out->data = arena_alloc(memory, a->bytes, 1, 64);
    if (!out->data) return no_memory(err);
    if (a->bytes) memcpy(out->data, a->data, a->bytes);
    return HEARTH_OK;
}

STATIC_ASSERT((int)NPY_MAX_DIMS <= (int)MAX_DIMS, "a file's shape fits a tensor");

hearth_status tensor_from_npy(const char *path, arena *memory, tensor *out, hearth_err *err)
{
    str bytes;
    npy a;
    hearth_status st = read_into(path, memory, &bytes, err);
    if (st == HEARTH_OK) st = npy_parse(bytes.p, bytes.n, &a, err);
    if (st == HEARTH_OK) st = copy_npy(&a, memory, out, err);
    if (st != HEARTH_OK) err_prefix(err, "%s: ", path);
    return st;
}

static hearth_status write_npy(const char *path, const tensor *t, npy_type type, hearth_err *err)
{
    buf header;
    safe_file *f = NULL;
    buf_init(&header, MEM_MISC, 4096);
    hearth_status st = npy_header(type, t->n_dims, t->dim, &header, err);
    if (st == HEARTH_OK) st = safe_open(path, &f, err);
    if (st == HEARTH_OK) st = safe_write(f, header.p, header.n, err);
    if (st == HEARTH_OK) {
        st = safe_write(f, t->data, (size_t)tensor_items(t) * elem_bytes(t->type), err);
    }
    buf_release(&header);
    if (st == HEARTH_OK) return safe_commit(f, err);
    safe_abort(f);
    return st;
}

hearth_status tensor_to_npy(const char *path, const tensor *t, hearth_err *err)
{
    for (size_t i = 0; i < COUNTOF(npy_types); i++) {
        if (npy_types[i].type == t->type) return write_npy(path, t, npy_types[i].npy, err);
    }
    return err_fail(err, HEARTH_E_UNSUPPORTED, "'%s': .npy files of %s are not written", path,
                    elem_name(t->type));
}
