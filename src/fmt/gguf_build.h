// A GGUF index that no file stands behind: keys and tensor records are declared as for a writer,
// and each tensor's data lies wherever the caller has it. For models that come in other formats.
//
// The records are encoded and then read by the same code as a file's, so everything that
// gguf_open() proves about keys, names, types and shapes holds here too. That data is as long as
// its shape says is the caller's business; tensors may share bytes.
#ifndef HEARTH_FMT_GGUF_BUILD_H
#define HEARTH_FMT_GGUF_BUILD_H

#include "fmt/gguf_write.h"

typedef struct gguf_builder gguf_builder;

hearth_status gguf_builder_create(gguf_builder **out, hearth_err *err);
void gguf_builder_free(gguf_builder *b); // NULL is legal
// For gguf_write_u32() and the other keys.
gguf_writer *gguf_builder_keys(gguf_builder *b);
// `data` is aligned to the type's elements and outlives the index.
hearth_status gguf_builder_tensor(gguf_builder *b, const char *name, dtype type, int n_dims,
                                  const int64_t *dim, const void *data, hearth_err *err);
// The index, to be closed with gguf_close(). The builder can only be freed afterwards.
hearth_status gguf_builder_finish(gguf_builder *b, gguf **out, hearth_err *err);

#endif
