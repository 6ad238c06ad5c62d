// A folder as a GGUF index, see hf.h.
//
// A tensor whose bytes can stay is pointed to: one run, no operation, a type that GGUF has, at an
// address that suits it. Others are made in one block of memory, float32 or the source's 16 bits;
// with q and k left in their order and experts apart, these are norms of gemma at most, and what is
// packed (packed.c).
#include <stdio.h>
#include <string.h>

#include "fmt/gguf_build.h"
#include "hf/hf_int.h"

// In the view, rows keep their order (hf.h).
static hf_op view_op(const hf_tensor *t) { return t->op == HF_PAIRS ? HF_AS_IS : t->op; }

static dtype view_type(const hf_tensor *t)
{
    dtype type;
    bool is_vector = t->n_dims == 1;
    if (hf_packed_tensor(t, &type)) return type;
    if (t->scales) return DTYPE_MXFP4;
    if (!hf_same_type(t->type, &type) || (is_vector && t->op == HF_PLUS_ONE)) return DTYPE_F32;
    return type;
}

// Experts that the view has apart: their number, 0 for tensors that are whole.
static int64_t count_apart(const hf_tensor *t)
{
    if (t->has_experts) return t->n_runs;
    bool is_stack = t->is_cut && t->n_dims == 3;
    return is_stack && str_find(str_from(t->name), STR("_exps."), 0) != SIZE_MAX ? t->dim[2] : 0;
}

// Of a part: slice s, when its rows follow one another in the source.
static const uint8_t *find_slice(const hf_tensor *t, int64_t s)
{
    const hf_cut *c = &t->cut;
    if (c->step[0] != 1 || c->step[1] != t->dim[0]) return NULL;
    if (t->dim[2] > 1 && count_apart(t) == 0) return NULL;
    size_t at = (size_t)(c->origin + s * c->step[2]);
    return t->run[0].source->t->data + at * st_type_bytes(t->type);
}

// The bytes of expert or run r where they can stay, or NULL.
static const uint8_t *find_bytes(const hf_tensor *t, int64_t r)
{
    dtype same;
    if (t->made) return (const uint8_t *)t->made;
    hf_op op = view_op(t);
    if (hf_packed_tensor(t, &same)) return NULL;
    if (op == HF_PLUS_ONE || !hf_same_type(t->type, &same)) return NULL;
    if (t->is_cut) {
        const uint8_t *p = find_slice(t, r);
        return (uintptr_t)p % st_type_bytes(t->type) == 0 ? p : NULL;
    }
    size_t item = st_type_bytes(t->type), row_bytes = (size_t)t->dim[0] * item;
    const uint8_t *p = t->run[r].source->t->data + (size_t)t->run[r].first * row_bytes;
    return (uintptr_t)p % item == 0 ? p : NULL;
}

// --- values that have to be made ----------------------------------------------------------------

static size_t own_bytes(const hf_tensor *t)
{
    size_t bytes = 0;
    for (int64_t r = 0; r < i64_max(count_apart(t), 1); r++)
        if (!find_bytes(t, r)) bytes = 1;
    if (bytes == 0) return 0;
    bool fits = dtype_bytes(view_type(t), t->dim[0] * hf_rows(t), &bytes);
    ASSERT(fits); // at most as large as the source, or four bytes for its two
    (void)fits;
    return align_up(bytes, 64);
}

static hearth_status make_own(hf_model *m, bool with_packed, hearth_err *err)
{
    size_t total = 0, row_max = 1, at = 0;
    for (size_t i = 0; i < hf_tensor_count(m); i++) {
        const hf_tensor *t = hf_tensor_at(m, i);
        total += own_bytes(t);
        row_max = size_max(row_max, (size_t)t->dim[0]);
    }
    if (total == 0) return HEARTH_OK;
    float *scratch = mem_alloc_zero(MEM_MODEL, row_max, sizeof *scratch);
    m->own = mem_alloc_zero(MEM_WEIGHTS, total, 1);
    if (!scratch || !m->own) {
        mem_free(scratch);
        return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for %zu bytes of weights", m->dir,
                        total);
    }
    for (size_t i = 0; i < hf_tensor_count(m); i++) {
        hf_tensor t = *hf_tensor_at(m, i);
        size_t n = own_bytes(&t);
        t.op = view_op(&t);
        if (n > 0 && (with_packed || !t.is_packed))
            hf_produce(&t, view_type(&t), 0, hf_rows(&t), scratch, m->own + at);
        at += n;
    }
    mem_free(scratch);
    return HEARTH_OK;
}

// --- the index ----------------------------------------------------------------------------------

// "blk.0.ffn_gate_exps.weight" and 5: "blk.0.ffn_gate.5.weight".
static void name_expert(const hf_tensor *t, int64_t expert, char out[96])
{
    str name = str_from(t->name);
    size_t at = str_find(name, STR("_exps."), 0);
    ASSERT(at != SIZE_MAX);
    snprintf(out, 96, "%.*s.%lld.%s", (int)at, t->name, (long long)expert, t->name + at + 6);
}

static hearth_status add_tensor(gguf_builder *b, const hf_tensor *t, const uint8_t *own,
                                hearth_err *err)
{
    dtype type = view_type(t);
    if (own || count_apart(t) == 0) {
        return gguf_builder_tensor(b, t->name, type, t->n_dims, t->dim,
                                   own ? own : find_bytes(t, 0), err);
    }
    for (int64_t r = 0; r < count_apart(t); r++) {
        char name[96];
        name_expert(t, r, name);
        HEARTH_TRY(gguf_builder_tensor(b, name, type, 2, t->dim, find_bytes(t, r), err));
    }
    return HEARTH_OK;
}

static hearth_status add_keys(const hf_model *m, gguf_writer *w, hearth_err *err)
{
    dtype type = DTYPE_F32;
    for (size_t i = 0; i < hf_tensor_count(m); i++)
        if (hf_tensor_at(m, i)->n_dims > 1) type = view_type(hf_tensor_at(m, i));
    HEARTH_TRY(hf_write_keys(m, hf_file_type(type), w, err));
    HEARTH_TRY(hf_write_vocab(m, w, err));
    return m->family->pairs_neighbours ? gguf_write_bool(w, "hearth.rope.halves", true, err)
                                       : HEARTH_OK;
}

static hearth_status fill(hf_model *m, bool with_packed, gguf_builder *b, hearth_err *err)
{
    HEARTH_TRY(add_keys(m, gguf_builder_keys(b), err));
    HEARTH_TRY(make_own(m, with_packed, err));
    size_t at = 0;
    for (size_t i = 0; i < hf_tensor_count(m); i++) {
        const hf_tensor *t = hf_tensor_at(m, i);
        size_t n = own_bytes(t);
        HEARTH_TRY(add_tensor(b, t, n > 0 ? m->own + at : NULL, err));
        at += n;
    }
    return HEARTH_OK;
}

static hearth_status make_view(hf_model *m, bool with_packed, gguf **out, hearth_err *err)
{
    gguf_builder *b;
    *out = NULL;
    ASSERT(!m->own); // one view of a model
    HEARTH_TRY(gguf_builder_create(&b, err));
    hearth_status s = fill(m, with_packed, b, err);
    if (s == HEARTH_OK) s = gguf_builder_finish(b, out, err);
    gguf_builder_free(b);
    return s;
}

hearth_status hf_view(hf_model *m, gguf **out, hearth_err *err)
{
    return make_view(m, true, out, err);
}

hearth_status hf_view_shapes(hf_model *m, gguf **out, hearth_err *err)
{
    return make_view(m, false, out, err);
}

// --- open and close -----------------------------------------------------------------------------

hearth_status hf_open(const char *path, hf_model **out, hearth_err *err)
{
    *out = NULL;
    hf_model *m = mem_alloc_zero(MEM_MODEL, 1, sizeof *m);
    if (!m) return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for a folder", path);
    hearth_status s = hf_folder_open(m, path, err);
    if (s == HEARTH_OK) s = hf_pack_sources(m, err);
    if (s == HEARTH_OK) s = hf_plan(m, err);
    if (s == HEARTH_OK) *out = m;
    else hf_close(m);
    return s;
}

void hf_close(hf_model *m)
{
    if (!m) return;
    map_release(&m->names);
    buf_release(&m->tensors);
    hf_folder_close(m);
    mem_free(m->own);
    mem_free(m);
}

uint64_t hf_bytes(const hf_model *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < m->n_shards; i++) n += m->shard[i].map.size;
    return n;
}
