// The table of element types: sizes of every type of the format, names both ways, and what is
// refused.
#include "kern/dtype.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// Ids, elements and bytes of a block, as the format's documentation lists them.
static const struct expected {
    uint32_t id;
    const char *name;
    int len, bytes;
} types[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},      {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},  {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},   {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(types); i++) {
        assert_true(dtype_known(types[i].id));
        const dtype_info *info = dtype_get((dtype)types[i].id);
        assert_string_equal(info->name, types[i].name);
        assert_int_equal(info->block_len, types[i].len);
        assert_int_equal(info->block_bytes, types[i].bytes);
        assert_int_equal(info->is_quantized, types[i].len > 1);
    }
}

static void test_unknown_ids(void **state)
{
    (void)state;
    size_t known = 0;
    for (uint32_t id = 0; id < 1000; id++) {
        known += dtype_known(id);
        assert_false(dtype_known(id) && dtype_foreign_name(id));
    }
    assert_int_equal(known, COUNTOF(types));
    assert_false(dtype_known(UINT32_MAX));
    assert_string_equal(dtype_foreign_name(4), "Q4_2, retired");
    assert_string_equal(dtype_foreign_name(139), "IQ4_K of ik_llama.cpp");
    assert_non_null(dtype_foreign_name(202));
    assert_null(dtype_foreign_name(43));
    assert_null(dtype_foreign_name(UINT32_MAX));
}

// Every id that llama.cpp retired or a fork gives out has a name for the error.
static void test_foreign_ids(void **state)
{
    (void)state;
    static const struct { uint32_t id; const char *name; } ids[] = {
        {4, "Q4_2"},       {5, "Q4_3"},       {31, "Q4_0_4_4"},  {32, "Q4_0_4_8"},
        {33, "Q4_0_8_8"},  {36, "IQ4_NL_4_4"}, {36, "I2_S"},     {37, "IQ4_NL_4_8"},
        {38, "IQ4_NL_8_8"}, {133, "Q6_0"},    {137, "IQ2_K"},    {138, "IQ3_K"},
        {139, "IQ4_K"},    {140, "IQ5_K"},    {141, "IQ6_K"},    {144, "IQ4_KS"},
        {145, "IQ2_KS"},   {146, "IQ4_KSS"},  {152, "IQ5_KS"},   {153, "IQ2_KT"},
        {154, "IQ3_KT"},   {155, "IQ4_KT"},   {156, "IQ3_KS"},   {157, "IQ2_KL"},
        {158, "IQ1_KT"},
    };
    for (size_t i = 0; i < COUNTOF(ids); i++) {
        assert_false(dtype_known(ids[i].id));
        assert_non_null(strstr(dtype_foreign_name(ids[i].id), ids[i].name));
    }
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(types); i++) {
        dtype t;
        assert_true(dtype_from_name(types[i].name, &t));
        assert_int_equal(t, types[i].id);
    }
    dtype t = DTYPE_F64;
    assert_true(dtype_from_name("q4_k", &t));
    assert_int_equal(t, DTYPE_Q4_K);
    assert_false(dtype_from_name("", &t));
    assert_false(dtype_from_name("Q4", &t));
    assert_false(dtype_from_name("Q4_K_M", &t));
    assert_int_equal(t, DTYPE_Q4_K);
}

static void test_bytes(void **state)
{
    (void)state;
    size_t n;
    assert_true(dtype_bytes(DTYPE_Q4_K, 512, &n));
    assert_int_equal(n, 288);
    assert_true(dtype_bytes(DTYPE_F32, 0, &n));
    assert_int_equal(n, 0);
    assert_false(dtype_bytes(DTYPE_Q4_K, 511, &n));
    assert_false(dtype_bytes(DTYPE_Q8_0, 16, &n));
    assert_false(dtype_bytes(DTYPE_F32, -1, &n));
    assert_false(dtype_bytes(DTYPE_I64, INT64_MAX / 2, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_unknown_ids),
        cmocka_unit_test(test_foreign_ids),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
