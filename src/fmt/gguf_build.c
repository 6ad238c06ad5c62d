// See gguf_build.h. The header goes through a gguf_writer into memory that the index then owns.
#include "fmt/gguf_build.h"

#include "fmt/gguf_int.h"

struct gguf_builder {
    gguf_writer *writer;
    buf header;
    buf places; // const uint8_t * per tensor
};

static hearth_status append_header(void *ctx, const void *p, size_t n, hearth_err *err)
{
    gguf_builder *b = ctx;
    hearth_status s = buf_append(&b->header, p, n);
    return s == HEARTH_OK ? s : err_fail(err, s, "no memory for the keys of a model");
}

hearth_status gguf_builder_create(gguf_builder **out, hearth_err *err)
{
    *out = NULL;
    gguf_builder *b = mem_alloc_zero(MEM_MODEL, 1, sizeof *b);
    if (!b) return err_fail(err, HEARTH_E_NOMEM, "no memory for a model index");
    buf_init(&b->header, MEM_MODEL, SIZE_MAX / 2);
    buf_init(&b->places, MEM_MODEL, LIMIT_GGUF_TENSORS * sizeof(uint8_t *));
    hearth_status s = gguf_writer_create(append_header, b, &b->writer, err);
    if (s == HEARTH_OK) *out = b;
    else gguf_builder_free(b);
    return s;
}

void gguf_builder_free(gguf_builder *b)
{
    if (!b) return;
    gguf_writer_free(b->writer);
    buf_release(&b->header);
    buf_release(&b->places);
    mem_free(b);
}

gguf_writer *gguf_builder_keys(gguf_builder *b) { return b->writer; }

hearth_status gguf_builder_tensor(gguf_builder *b, const char *name, dtype type, int n_dims,
                                  const int64_t *dim, const void *data, hearth_err *err)
{
    const uint8_t *place = data;
    ASSERT(data);
    HEARTH_TRY(gguf_write_tensor(b->writer, name, type, n_dims, dim, err));
    hearth_status s = buf_append(&b->places, &place, sizeof place);
    return s == HEARTH_OK ? s : err_fail(err, s, "tensor '%s': no memory for its record", name);
}

hearth_status gguf_builder_finish(gguf_builder *b, gguf **out, hearth_err *err)
{
    *out = NULL;
    HEARTH_TRY(gguf_write_header(b->writer, err));
    const uint8_t *const *places = (const uint8_t *const *)(const void *)b->places.p;
    return gguf_open_placed(&b->header, places, out, err);
}
