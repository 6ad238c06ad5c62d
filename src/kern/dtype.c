// See dtype.h. Block sizes are facts of the file format: those of the structs in blocks.h and
// blocks_iq.h.
#include "kern/dtype.h"

#include "kern/blocks_iq.h"

#define PLAIN(text, bytes) {text, 1, bytes, false}
#define QUANT(text, len, bytes) {text, len, bytes, true}

// Ids without an entry (name NULL) are retired or unassigned.
static const dtype_info infos[DTYPE_COUNT] = {
    [DTYPE_F32] = PLAIN("F32", 4),
    [DTYPE_F16] = PLAIN("F16", 2),
    [DTYPE_Q4_0] = QUANT("Q4_0", QK_32, sizeof(block_q4_0)),
    [DTYPE_Q4_1] = QUANT("Q4_1", QK_32, sizeof(block_q4_1)),
    [DTYPE_Q5_0] = QUANT("Q5_0", QK_32, sizeof(block_q5_0)),
    [DTYPE_Q5_1] = QUANT("Q5_1", QK_32, sizeof(block_q5_1)),
    [DTYPE_Q8_0] = QUANT("Q8_0", QK_32, sizeof(block_q8_0)),
    [DTYPE_Q8_1] = QUANT("Q8_1", QK_32, sizeof(block_q8_1)),
    [DTYPE_Q2_K] = QUANT("Q2_K", QK_256, sizeof(block_q2_k)),
    [DTYPE_Q3_K] = QUANT("Q3_K", QK_256, sizeof(block_q3_k)),
    [DTYPE_Q4_K] = QUANT("Q4_K", QK_256, sizeof(block_q4_k)),
    [DTYPE_Q5_K] = QUANT("Q5_K", QK_256, sizeof(block_q5_k)),
    [DTYPE_Q6_K] = QUANT("Q6_K", QK_256, sizeof(block_q6_k)),
    [DTYPE_Q8_K] = QUANT("Q8_K", QK_256, sizeof(block_q8_k)),
    [DTYPE_IQ2_XXS] = QUANT("IQ2_XXS", QK_256, sizeof(block_iq2_xxs)),
    [DTYPE_IQ2_XS] = QUANT("IQ2_XS", QK_256, sizeof(block_iq2_xs)),
    [DTYPE_IQ3_XXS] = QUANT("IQ3_XXS", QK_256, sizeof(block_iq3_xxs)),
    [DTYPE_IQ1_S] = QUANT("IQ1_S", QK_256, sizeof(block_iq1_s)),
    [DTYPE_IQ4_NL] = QUANT("IQ4_NL", QK_32, sizeof(block_iq4_nl)),
    [DTYPE_IQ3_S] = QUANT("IQ3_S", QK_256, sizeof(block_iq3_s)),
    [DTYPE_IQ2_S] = QUANT("IQ2_S", QK_256, sizeof(block_iq2_s)),
    [DTYPE_IQ4_XS] = QUANT("IQ4_XS", QK_256, sizeof(block_iq4_xs)),
    [DTYPE_I8] = PLAIN("I8", 1),
    [DTYPE_I16] = PLAIN("I16", 2),
    [DTYPE_I32] = PLAIN("I32", 4),
    [DTYPE_I64] = PLAIN("I64", 8),
    [DTYPE_F64] = PLAIN("F64", 8),
    [DTYPE_IQ1_M] = QUANT("IQ1_M", QK_256, sizeof(block_iq1_m)),
    [DTYPE_BF16] = PLAIN("BF16", 2),
    [DTYPE_TQ1_0] = QUANT("TQ1_0", QK_256, sizeof(block_tq1_0)),
    [DTYPE_TQ2_0] = QUANT("TQ2_0", QK_256, sizeof(block_tq2_0)),
    [DTYPE_MXFP4] = QUANT("MXFP4", QK_32, sizeof(block_mxfp4)),
    [DTYPE_NVFP4] = QUANT("NVFP4", QK_64, sizeof(block_nvfp4)),
    [DTYPE_Q1_0] = QUANT("Q1_0", QK_128, sizeof(block_q1_0)),
    [DTYPE_Q2_0] = QUANT("Q2_0", QK_64, sizeof(block_q2_0)),
};

// Ids that files in the field carry and that this format never had or no longer has.
static const struct foreign {
    uint16_t id;
    const char *text;
} foreigns[] = {
    {4, "Q4_2, retired"},
    {5, "Q4_3, retired"},
    {31, "Q4_0_4_4, retired"},
    {32, "Q4_0_4_8, retired"},
    {33, "Q4_0_8_8, retired"},
    {36, "IQ4_NL_4_4, retired, or I2_S of bitnet.cpp and ik_llama.cpp"},
    {37, "IQ4_NL_4_8, retired"},
    {38, "IQ4_NL_8_8, retired"},
    {133, "Q6_0 of ik_llama.cpp"},
    {134, "IQ1_BN of ik_llama.cpp"},
    {135, "IQ2_BN of ik_llama.cpp"},
    {137, "IQ2_K of ik_llama.cpp"},
    {138, "IQ3_K of ik_llama.cpp"},
    {139, "IQ4_K of ik_llama.cpp"},
    {140, "IQ5_K of ik_llama.cpp"},
    {141, "IQ6_K of ik_llama.cpp"},
    {144, "IQ4_KS of ik_llama.cpp"},
    {145, "IQ2_KS of ik_llama.cpp"},
    {146, "IQ4_KSS of ik_llama.cpp"},
    {152, "IQ5_KS of ik_llama.cpp"},
    {153, "IQ2_KT of ik_llama.cpp"},
    {154, "IQ3_KT of ik_llama.cpp"},
    {155, "IQ4_KT of ik_llama.cpp"},
    {156, "IQ3_KS of ik_llama.cpp"},
    {157, "IQ2_KL of ik_llama.cpp"},
    {158, "IQ1_KT of ik_llama.cpp"},
};

bool dtype_known(uint32_t id)
{
    return id < DTYPE_COUNT && infos[id].name;
}

const dtype_info *dtype_get(dtype t)
{
    ASSERT(dtype_known((uint32_t)t));
    return &infos[t];
}

const char *dtype_foreign_name(uint32_t id)
{
    for (size_t i = 0; i < COUNTOF(foreigns); i++)
        if (foreigns[i].id == id) return foreigns[i].text;
    // Its repacked types: 200 plus the id of the plain type.
    if (id >= 200 && id < 400) return "a row-interleaved type of ik_llama.cpp";
    return NULL;
}

static char fold_case(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool same_name(const char *name, const char *upper)
{
    while (*name && fold_case(*name) == *upper) {
        name++;
        upper++;
    }
    return !*name && !*upper;
}

bool dtype_from_name(const char *name, dtype *out)
{
    for (uint32_t id = 0; id < DTYPE_COUNT; id++) {
        if (!dtype_known(id) || !same_name(name, infos[id].name)) continue;
        *out = (dtype)id;
        return true;
    }
    return false;
}

bool dtype_bytes(dtype t, int64_t n, size_t *out)
{
    const dtype_info *info = dtype_get(t);
    if (n < 0 || n % info->block_len != 0) return false;
    uint64_t bytes;
    if (!mul_ok_u64((uint64_t)(n / info->block_len), info->block_bytes, &bytes)) return false;
    if (bytes > SIZE_MAX) return false;
    *out = (size_t)bytes;
    return true;
}
