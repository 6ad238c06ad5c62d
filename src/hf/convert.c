// A folder as a GGUF file, tensor by tensor. See hf.h.
//
// Types are those of llama.cpp's converter: vectors, norms, biases and routers in F32, matrices as
// asked for, F16 where rows are no whole Q8_0 blocks; packed ones that nobody asked a type for keep
// their values (packed.c). About a megabyte is made at a time, and pages
// of the folder's files are given back after some dozens of such pieces, so that neither our own
// memory nor the resident part of the mappings grows with the model.
#include "hf/hf_int.h"

enum { PIECE_BYTES = 1 << 20, PIECES_KEPT = 64 };

typedef struct converter {
    const hf_model *m;
    const hf_convert_options *o;
    gguf_writer *w;
    dtype type;
    uint64_t done, total;
    uint8_t *piece;
    float *scratch;
} converter;

static dtype choose_auto(const hf_model *m)
{
    for (size_t i = 0; i < hf_tensor_count(m); i++) {
        const hf_tensor *t = hf_tensor_at(m, i);
        if (t->n_dims > 1 && !t->is_float && !t->is_packed && !t->scales)
            return t->type == ST_F16 ? DTYPE_F16 : DTYPE_BF16;
    }
    return DTYPE_BF16;
}

static dtype out_type(const converter *c, const hf_tensor *t)
{
    dtype packed;
    if (t->scales) return DTYPE_MXFP4;
    if (t->is_float) return DTYPE_F32;
    if (c->o->is_auto && hf_packed_tensor(t, &packed)) return packed;
    return t->dim[0] % dtype_get(c->type)->block_len == 0 ? c->type : DTYPE_F16;
}

// What the file is called by: the type of packed matrices, where they keep theirs.
static dtype main_type(const converter *c)
{
    dtype type = c->type;
    for (size_t i = 0; i < hf_tensor_count(c->m) && c->o->is_auto; i++)
        if (hf_packed_tensor(hf_tensor_at(c->m, i), &type)) break;
    return type;
}

static size_t row_bytes(const converter *c, const hf_tensor *t)
{
    size_t n = 0;
    bool fits = dtype_bytes(out_type(c, t), t->dim[0], &n);
    ASSERT(fits);
    (void)fits;
    return n;
}

static hearth_status declare(converter *c, hearth_err *err)
{
    HEARTH_TRY(hf_write_keys(c->m, hf_file_type(main_type(c)), c->w, err));
    HEARTH_TRY(hf_write_vocab(c->m, c->w, err));
    for (size_t i = 0; i < hf_tensor_count(c->m); i++) {
        const hf_tensor *t = hf_tensor_at(c->m, i);
        HEARTH_TRY(gguf_write_tensor(c->w, t->name, out_type(c, t), t->n_dims, t->dim, err));
        c->total += row_bytes(c, t) * (uint64_t)hf_rows(t);
    }
    return gguf_write_header(c->w, err);
}

// Room for the longest row, and for a piece that holds at least one.
static hearth_status take_memory(converter *c, hearth_err *err)
{
    size_t longest = 1, most = PIECE_BYTES;
    for (size_t i = 0; i < hf_tensor_count(c->m); i++) {
        const hf_tensor *t = hf_tensor_at(c->m, i);
        longest = size_max(longest, (size_t)t->dim[0]);
        most = size_max(most, row_bytes(c, t));
    }
    c->piece = mem_alloc(MEM_MODEL, most);
    c->scratch = mem_alloc_zero(MEM_MODEL, longest, sizeof *c->scratch);
    if (c->piece && c->scratch) return HEARTH_OK;
    return err_fail(err, HEARTH_E_NOMEM, "%s: no memory for rows of %zu values", c->m->dir,
                    longest);
}

static void give_back(const hf_tensor *t)
{
    for (int64_t r = 0; r < t->n_runs; r++) {
        const hf_source *s = t->run[r].source;
        const st_tensor *read = s->packed ? hf_packed_codes(s->packed) : s->t;
        os_map_done(read->data, read->bytes);
    }
}

static hearth_status write_tensor(converter *c, const hf_tensor *t, hearth_err *err)
{
    size_t row = row_bytes(c, t);
    int64_t step = i64_max((int64_t)(PIECE_BYTES / row), 1), rows = hf_rows(t), n_pieces = 0;
    for (int64_t at = 0; at < rows; at += step) {
        int64_t n = i64_min(step, rows - at);
        hf_produce(t, out_type(c, t), at, n, c->scratch, c->piece);
        HEARTH_TRY(gguf_write_data(c->w, c->piece, row * (size_t)n, err));
        c->done += row * (uint64_t)n;
        if (++n_pieces % PIECES_KEPT == 0) give_back(t);
        if (c->o->progress) c->o->progress(c->o->progress_ctx, c->done, c->total);
    }
    give_back(t);
    return HEARTH_OK;
}

static hearth_status write_all(converter *c, hearth_err *err)
{
    HEARTH_TRY(declare(c, err));
    HEARTH_TRY(take_memory(c, err));
    for (size_t i = 0; i < hf_tensor_count(c->m); i++)
        HEARTH_TRY(write_tensor(c, hf_tensor_at(c->m, i), err));
    return gguf_write_end(c->w, err);
}

hearth_status hf_convert(hf_model *m, const hf_convert_options *o, gguf_sink sink, void *ctx,
                         hearth_err *err)
{
    converter c = {.m = m, .o = o, .type = o->is_auto ? choose_auto(m) : o->type};
    if (c.type != DTYPE_F32 && c.type != DTYPE_F16 && c.type != DTYPE_BF16 && c.type != DTYPE_Q8_0)
        return err_fail(err, HEARTH_E_ARG, "type %s: expected F32, F16, BF16 or Q8_0",
                        dtype_get(c.type)->name);
    HEARTH_TRY(gguf_writer_create(sink, ctx, &c.w, err));
    hearth_status s = write_all(&c, err);
    mem_free(c.piece);
    mem_free(c.scratch);
    gguf_writer_free(c.w);
    return s;
}
