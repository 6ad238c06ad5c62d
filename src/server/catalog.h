// The models that a server offers: names and files.
//
// A file DIR/name.gguf is the model "name" (and "name:latest"); the first part of a split model
// stands for all; a Hugging Face folder DIR/name is the model "name". Names are compared without
// case. The folder is read anew for each list, so files may come and go.
#ifndef HEARTH_SERVER_CATALOG_H
#define HEARTH_SERVER_CATALOG_H

#include "base/str.h"

typedef struct catalog catalog;
// dir, single: a folder and one model's path; either may be NULL.
hearth_status catalog_open(const char *dir, const char *single, catalog **out, hearth_err *err);
void catalog_close(catalog *m); // NULL is legal

typedef struct model_entry {
    char name[128];        // "qwen2.5-0.5b:latest"
    char path[512];
    uint64_t bytes;
    int64_t modified;      // seconds, Unix time
    // From the file's metadata; empty where it says nothing.
    char family[32], type[32], size[16], digest[65];
    int64_t n_ctx, n_embd;
    bool has_template, is_encoder;
} model_entry;
// All models, newest first. The caller mem_free()s *out.
hearth_status catalog_list(catalog *m, model_entry **out, size_t *n, hearth_err *err);
// HEARTH_E_NOTFOUND: "model 'x' not found". Without what the metadata says.
hearth_status catalog_find(catalog *m, const char *name, model_entry *out, hearth_err *err);
// Fills in what the metadata says; a file that cannot be read leaves it empty.
void catalog_describe(model_entry *e);

#endif
