// The seeded models of tests/golden/llm: what cases.json says, as GGUF bytes in memory.
#ifndef TESTS_SUPPORT_GOLDEN_MODEL_H
#define TESTS_SUPPORT_GOLDEN_MODEL_H

#include "base/str.h"

enum { GOLDEN_MAX_CASES = 64, GOLDEN_MAX_TOKENS = 128 };

typedef struct golden_case {
    char name[64], arch[16];
    char type[8]; // of the matrices
    int32_t tokens[GOLDEN_MAX_TOKENS];
    int n_tokens;
    uint8_t *gguf; // mem_alloc; golden_release() frees
    size_t gguf_bytes;
} golden_case;

typedef struct golden_set {
    golden_case cases[GOLDEN_MAX_CASES];
    int n;
} golden_set;

// Reads a file like cases.json and makes every model by the rule in gen_llm_goldens.py.
hearth_status golden_load(const char *json_path, golden_set *out, hearth_err *err);
void golden_release(golden_set *s);

#endif
