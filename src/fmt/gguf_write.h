// Writes GGUF v3 to a byte sink, streaming: keys, then the tensor list, then each tensor's data in
// order. Nothing larger than the header is held in memory.
#ifndef HEARTH_FMT_GGUF_WRITE_H
#define HEARTH_FMT_GGUF_WRITE_H

#include "fmt/gguf.h"

typedef hearth_status (*gguf_sink)(void *ctx, const void *p, size_t n, hearth_err *err);
typedef struct gguf_writer gguf_writer;

hearth_status gguf_writer_create(gguf_sink sink, void *ctx, gguf_writer **out, hearth_err *err);
void gguf_writer_free(gguf_writer *w);

// Keys and tensor declarations are buffered until gguf_write_header(). Duplicate keys or names, bad
// shapes and keys longer than LIMIT_GGUF_NAME are HEARTH_E_ARG.
hearth_status gguf_write_u32(gguf_writer *w, const char *key, uint32_t v, hearth_err *err);
hearth_status gguf_write_u64(gguf_writer *w, const char *key, uint64_t v, hearth_err *err);
hearth_status gguf_write_i32(gguf_writer *w, const char *key, int32_t v, hearth_err *err);
hearth_status gguf_write_f32(gguf_writer *w, const char *key, float v, hearth_err *err);
hearth_status gguf_write_bool(gguf_writer *w, const char *key, bool v, hearth_err *err);
hearth_status gguf_write_str(gguf_writer *w, const char *key, str v, hearth_err *err);
// type: any but STRING and ARRAY; items: n packed little-endian values.
hearth_status gguf_write_array(gguf_writer *w, const char *key, gguf_type type, const void *items,
                               uint64_t n, hearth_err *err);
hearth_status gguf_write_str_array(gguf_writer *w, const char *key, const str *items, uint64_t n,
                                   hearth_err *err);
// A key/value taken over from another file as it is.
hearth_status gguf_write_copy(gguf_writer *w, const gguf_kv *kv, hearth_err *err);
hearth_status gguf_write_tensor(gguf_writer *w, const char *name, dtype type, int n_dims,
                                const int64_t *dim, hearth_err *err);

hearth_status gguf_write_header(gguf_writer *w, hearth_err *err);
// The next tensor's bytes, in one or more calls; padding is added when a tensor is complete.
hearth_status gguf_write_data(gguf_writer *w, const void *p, size_t n, hearth_err *err);
// HEARTH_E_STATE when data is missing.
hearth_status gguf_write_end(gguf_writer *w, hearth_err *err);

#endif
