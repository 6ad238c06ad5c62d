// Hugging Face folders: config.json, safetensors and tokenizer files as a GGUF model.
//
// A folder is opened once; then it is either looked at as a gguf index (`hearth run DIR`), whose
// tensors lie in the mapped files wherever their bytes can stay as they are, or written as a GGUF
// file with the keys, names and types of llama.cpp's own converter. Both come from one list of
// tensors (hf_int.h) that a table per family makes (families in family_table.c).
//
// The view differs from the file in two things, so that nothing large has to be copied: q and k of
// llama and granite keep their order and the key "hearth.rope.halves" says so, and experts that the
// folder keeps apart stay apart (weights.h).
#ifndef HEARTH_HF_HF_H
#define HEARTH_HF_HF_H

#include "fmt/gguf_write.h"

typedef struct hf_model hf_model;

// Is `path` a folder with a config.json, or a .safetensors file?
bool hf_is_model(const char *path);
// `path` as above; of a folder with several .safetensors files the index says which belong to it.
// Messages begin with the name of the file that is to blame.
hearth_status hf_open(const char *path, hf_model **out, hearth_err *err);
void hf_close(hf_model *m); // NULL is legal
uint64_t hf_bytes(const hf_model *m); // of all safetensors files

// The model as a GGUF index, which the model outlives. Once for a model.
hearth_status hf_view(hf_model *m, gguf **out, hearth_err *err);
// The same, but packed matrices are left zeros, which takes neither time nor memory: to see whether
// a model can be opened.
hearth_status hf_view_shapes(hf_model *m, gguf **out, hearth_err *err);

// An adapter of PEFT: a folder with adapter_config.json and adapter_model.safetensors.
bool hf_is_adapter(const char *path);
// As a GGUF index for models of the architecture `arch`, with the keys and names of llama.cpp's own
// converter (docs/ADAPTERS.md); *m outlives it.
hearth_status hf_open_adapter(const char *path, str arch, hf_model **m, gguf **out,
                              hearth_err *err);

typedef struct hf_convert_options {
    bool is_auto; // F16 where the folder's first matrix is that, BF16 otherwise
    dtype type;   // of matrices, unless is_auto: F32, F16, BF16, Q8_0
    // May be NULL. After each piece of work, bytes of the output's tensors.
    void (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *progress_ctx;
} hf_convert_options;
// Streams tensor by tensor: takes a few MB beside the folder's index, whatever the model's size.
hearth_status hf_convert(hf_model *m, const hf_convert_options *o, gguf_sink sink, void *ctx,
                         hearth_err *err);

#endif
