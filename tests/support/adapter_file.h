// LoRA adapters with random values for a model, as GGUF bytes in memory.
#ifndef TESTS_SUPPORT_ADAPTER_FILE_H
#define TESTS_SUPPORT_ADAPTER_FILE_H

#include "base/str.h"
#include "fmt/gguf.h"

typedef struct adapter_spec {
    uint64_t seed;
    int rank;
    float alpha;
    dtype type;       // F32 or F16
    bool is_halves;   // "hearth.rope.halves", with the rows of q and k in that order
    bool is_rooted;   // "hearth.lora.rank_root"
} adapter_spec;

// One pair for every matrix of the layers and for the output. The caller initialises and releases.
bool adapter_make(const gguf *model, const adapter_spec *spec, buf *out);
// Adds the same adapter to the F32 matrices of a model's bytes, in double precision: what
// multiplying beside the matrices has to equal.
bool adapter_merge(gguf *model, const adapter_spec *spec, float scale);

#endif
