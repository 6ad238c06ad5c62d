// Tiny seeded llama-like models as GGUF bytes, for tests that need a whole model.
//
// Every tensor is random, norms and biases too, so that leaving any of them out changes a result.
// The same spec gives the same bytes on every run of one platform. The tokenizer is of the
// SentencePiece kind ("llama"): <unk> <s> </s>, 256 byte tokens, then pieces of 1, 2, 3 ... letters
// of U+2581 and a to z with falling scores, so that merges happen.
#ifndef TESTS_SUPPORT_MODEL_FILE_H
#define TESTS_SUPPORT_MODEL_FILE_H

#include "base/str.h"
#include "kern/dtype.h"

typedef enum test_arch {
    TEST_LLAMA, // no biases, no q/k norms
    TEST_QWEN2, // biases on q, k, v
    TEST_QWEN3, // RMS norms on q and k per head
    TEST_GEMMA2, // norms of outputs, caps; layers 0, 2, .. see 24 positions
    TEST_GEMMA3, // norms of outputs, q and k; layers 0 to 4 see 24 positions
    TEST_QWEN35 // layers 0, 2, .. are gated delta nets, the others gated attention
} test_arch;

typedef struct test_model_spec {
    test_arch arch;
    uint64_t seed;
    int n_layer, n_embd, n_head, n_head_kv, head_dim, n_ff;
    int n_vocab; // at least 260
    int n_ctx;
    float rope_base, norm_eps;
    bool is_tied;      // no output.weight: token_embd.weight serves as both
    dtype embd_type;   // of token_embd.weight
    dtype weight_type; // of the layers' matrices
    dtype output_type; // of output.weight
} test_model_spec;

// 2 layers, 64 wide (256 for types with blocks of 256), 4 heads on 2, 300 tokens, all matrices of
// one type; change what the test needs.
test_model_spec test_model_default(test_arch arch, dtype type);

// False when the spec makes no model (a type that test_model_fill() does not know, a width that is
// no multiple of its block) or memory is short. The caller initialises and releases `out`.
bool test_model_make(const test_model_spec *spec, buf *out);

// n random elements of a type as valid blocks whose values have about the given standard deviation.
// Types: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K. False for others.
bool test_model_fill(uint64_t seed, dtype type, int64_t n, double sd, void *out);

#endif
