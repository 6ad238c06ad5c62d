// Models made from a seed: real shapes with random weights, so that anyone can see how a model
// would run before downloading it, and tiny ones for tests and demonstrations.
#ifndef HEARTH_LLM_SYNTH_H
#define HEARTH_LLM_SYNTH_H

#include "fmt/gguf.h"

typedef struct synth_shape {
    const char *name, *arch;
    int64_t n_layer, n_embd, n_ff, n_head, n_head_kv, d_head, n_vocab, n_ctx;
    float rope_base;
    bool is_tied;
    int64_t window; // of local layers, 0: the family has none
    int64_t n_expert, n_expert_used, n_ff_expert; // 0: no mixture
} synth_shape;
// "qwen2.5-0.5b", "llama-3.2-1b", "llama-3.2-3b", "qwen3-0.6b", "gpt-oss-20b", "tiny", ...;
// NULL when unknown. synth_shape_at() lists them, NULL at the end.
const synth_shape *synth_find(const char *name);
const synth_shape *synth_shape_at(size_t i);
// A complete GGUF in memory (mem_alloc, MEM_WEIGHTS; the caller frees with mem_free). `mix` is a
// type name (F32, F16, BF16, Q4_0, Q8_0, Q4_K, Q6_K) or "Q4_K_M"; where a row is no multiple of
// 256, Q8_0 stands in for Q4_K and Q6_K. The same seed gives the same bytes everywhere. The
// vocabulary is <unk> <s> </s>, 256 byte tokens, U+2581 and fillers that no text encodes to, so
// that any text can be encoded.
hearth_status synth_make(const synth_shape *s, const char *mix, uint64_t seed, uint8_t **out,
                         size_t *n, hearth_err *err);

#endif
