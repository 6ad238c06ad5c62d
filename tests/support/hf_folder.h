// Hugging Face folders of the seeded models, made as tests/golden/hf/folders.json says.
#ifndef TESTS_SUPPORT_HF_FOLDER_H
#define TESTS_SUPPORT_HF_FOLDER_H

#include "hf/conf.h"
#include "support/golden_model.h"

enum { HF_MAX_TENSORS = 256 };

// The golden case that a folder's weights come from: its name and file in golden/llm, and a way to
// the fields of its own case in folders.json ("cases.3").
typedef struct hf_case {
    char at[32], name[64];
    const conf *all;
    const golden_case *model;
} hf_case;

// Writes config.json, model.safetensors and the tokenizer files into `dir`, which is there.
// False: said why on stderr.
bool hf_folder_make(const hf_case *c, const char *dir);
// Removes these files, and the folder.
void hf_folder_remove(const char *dir);
// Writes one file of a folder.
bool hf_folder_put(const char *dir, const char *name, const void *p, size_t n);

#endif
