// Element types of tensors: ids, block shapes and names. No arithmetic here.
//
// Ids below 64 are the ids of the GGUF format (ggml's enum), so a file's id is used as it is after
// dtype_known() said yes. Types of other formats begin at 64.
#ifndef HEARTH_KERN_DTYPE_H
#define HEARTH_KERN_DTYPE_H

#include "defs/defs.h"

typedef enum dtype {
    DTYPE_F32 = 0, DTYPE_F16 = 1, DTYPE_Q4_0 = 2, DTYPE_Q4_1 = 3, DTYPE_Q5_0 = 6, DTYPE_Q5_1 = 7,
    DTYPE_Q8_0 = 8, DTYPE_Q8_1 = 9, DTYPE_Q2_K = 10, DTYPE_Q3_K = 11, DTYPE_Q4_K = 12,
    DTYPE_Q5_K = 13, DTYPE_Q6_K = 14, DTYPE_Q8_K = 15, DTYPE_IQ2_XXS = 16, DTYPE_IQ2_XS = 17,
    DTYPE_IQ3_XXS = 18, DTYPE_IQ1_S = 19, DTYPE_IQ4_NL = 20, DTYPE_IQ3_S = 21, DTYPE_IQ2_S = 22,
    DTYPE_IQ4_XS = 23, DTYPE_I8 = 24, DTYPE_I16 = 25, DTYPE_I32 = 26, DTYPE_I64 = 27,
    DTYPE_F64 = 28, DTYPE_IQ1_M = 29, DTYPE_BF16 = 30, DTYPE_TQ1_0 = 34, DTYPE_TQ2_0 = 35,
    DTYPE_MXFP4 = 39, DTYPE_NVFP4 = 40, DTYPE_Q1_0 = 41, DTYPE_Q2_0 = 42,
    DTYPE_COUNT = 43
} dtype;

typedef struct dtype_info {
    const char *name;     // upper case as GGUF tools print it, "Q4_K"
    uint16_t block_len;   // elements per block, 1 for plain types
    uint16_t block_bytes; // bytes per block
    bool is_quantized;    // values are codes with a scale
} dtype_info;

// Is this one of the ids above (retired and unassigned ids are not)?
bool dtype_known(uint32_t id);
const dtype_info *dtype_get(dtype t); // t is known
// What is known about an id that dtype_known() refuses: "Q4_2, retired" or "IQ2_K of ik_llama.cpp";
// NULL when nothing is.
const char *dtype_foreign_name(uint32_t id);
// Case-insensitive name to type, for command lines.
bool dtype_from_name(const char *name, dtype *out);
// Bytes of n consecutive elements; false when n is no multiple of the block or it overflows.
bool dtype_bytes(dtype t, int64_t n, size_t *out);

#endif
