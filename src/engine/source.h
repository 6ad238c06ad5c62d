// A model's bytes: files of a path, a Hugging Face folder, or a synthetic model made in memory.
#ifndef HEARTH_ENGINE_SOURCE_H
#define HEARTH_ENGINE_SOURCE_H

#include "fmt/gguf.h"
#include "hf/hf.h"
#include "os/os.h"

typedef struct source {
    os_mapping *map;   // [n_parts]
    buf *path;         // [n_parts]
    gguf_bytes *parts; // [n_parts], into the mappings or `made`
    int n_parts;
    uint8_t *made;     // a synthetic model's bytes, or NULL
    uint64_t bytes;    // of all parts
    hf_model *folder;  // or NULL
    gguf *g;
} source;

// Maps and indexes. Messages begin with the name of the file that is to blame.
hearth_status source_open(const char *name, source *out, hearth_err *err);
// The same for an adapter of `model`.
hearth_status source_open_adapter(const char *name, const gguf *model, source *out,
                                  hearth_err *err);
void source_close(source *s); // idempotent
// Puts `name` in front of a message that does not begin with one of the source's files yet.
void source_blame(const source *s, const char *name, hearth_err *err);

#endif
