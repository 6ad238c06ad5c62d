// Private to synth*.c: random values in the types of weights.
#ifndef HEARTH_LLM_SYNTH_INT_H
#define HEARTH_LLM_SYNTH_INT_H

#include "base/rng.h"
#include "fmt/gguf_write.h"
#include "kern/dtype.h"

enum { SYNTH_TABLE = 4096, SYNTH_JITTER = 16 };

// What a tensor's values are drawn from.
typedef struct synth_source {
    float normal[SYNTH_TABLE]; // samples of a standard normal distribution
    dtype type;                // of the tensor that is being made
    int item_bytes;            // plain types: the samples times the spread, in the type
    uint8_t table[SYNTH_TABLE * 4];
    uint16_t d[SYNTH_JITTER], m[SYNTH_JITTER]; // blocks: scales as f16
    int d_at, m_at;            // where they stand in a block, -1: nowhere
} synth_source;

void synth_source_init(synth_source *s, uint64_t seed);
bool synth_can_fill(dtype t);
// Chooses type and distribution of the next values: normal(mean, spread) for plain types, of about
// this spread around 0 for blocks.
void synth_source_set(synth_source *s, dtype t, double mean, double spread);
// n elements, a multiple of the block length, n * bits <= cap; out has room rounded up to 8 bytes.
void synth_source_fill(const synth_source *s, rng *r, int64_t n, uint8_t *out);

// The keys "tokenizer.ggml.*" of a vocabulary of n tokens.
hearth_status synth_write_vocabulary(gguf_writer *w, int64_t n, hearth_err *err);

#endif
