// What the files about tokenizers share; nobody else includes this.
#ifndef HEARTH_HF_VOCAB_H
#define HEARTH_HF_VOCAB_H

#include "hf/hf_int.h"

#define HF_VOCAB_BYTES_MAX ((size_t)1 << 30) // LIMIT_VOCAB tokens of 200 bytes

typedef enum hf_vocab_kind_id {
    HF_VOCAB_NONE,  // no tokenizer files
    HF_VOCAB_BPE,   // byte-level, with a known split
    HF_VOCAB_TEXT,  // BPE over text with byte fallback
    HF_VOCAB_SPM,   // tokenizer.model
    HF_VOCAB_OTHER, // a tokenizer.json that GGUF has no keys for
} hf_vocab_kind_id;

typedef struct hf_tokenizer_files {
    os_mapping json, model;
    conf table; // of json without the vocabulary and the merges
    hf_vocab_kind_id kind;
} hf_tokenizer_files;

typedef struct hf_vocab {
    arena mem;
    const char *model, *pre; // static storage
    int64_t n;
    str *text;      // [n]; p is NULL while an id has no name
    int32_t *type;  // [n] as tokenizer.ggml.token_type numbers them
    float *score;   // [n]
    bool has_scores;
    buf merges;     // str
} hf_vocab;

hf_vocab_kind_id hf_vocab_kind(const hf_model *m, const hf_tokenizer_files *f);
// The name in tokenizer.ggml.pre for a tokenizer.json's pre-tokenizer, NULL when it has none.
const char *hf_split_name(const hf_model *m, const conf *tokenizer);

hearth_status hf_vocab_reserve(hf_vocab *v, int64_t n, hearth_err *err);
// Ids outside the vocabulary are left out.
hearth_status hf_vocab_set(hf_vocab *v, int64_t id, str text, int32_t type, float score,
                           hearth_err *err);
hearth_status hf_read_bpe(const hf_model *m, const hf_tokenizer_files *f, hf_vocab *v,
                          hearth_err *err);
hearth_status hf_read_spm(const hf_model *m, const os_mapping *model, hf_vocab *v, hearth_err *err);
// Special ids, add_bos and its like, the chat template. `v` may be NULL: then ids come from the
// added tokens alone.
hearth_status hf_write_specials(const hf_model *m, const conf *tokenizer, const hf_vocab *v,
                                gguf_writer *w, hearth_err *err);

#endif
