// Every tensor type decodes to the floats that the Python package gguf gives for the same bytes:
// types/gen_types.py made types.txt.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "kern/half.h"
#include "kern/kern.h"
#include "support/test_data.h"

enum { BLOCKS_MAX = 64, LEN_MAX = 256, N_SHOWN = 8 };

static uint64_t hash_name(const char *head, const char *name)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *head; head++) h = (h ^ (uint8_t)*head) * 0x100000001B3u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 0x100000001B3u;
    return h;
}

static uint64_t word_at(uint64_t hash, uint64_t i)
{
    uint64_t z = hash + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void make_bytes(const char *name, int n_blocks, size_t block_bytes, uint8_t *out)
{
    uint64_t hash = hash_name("bytes of ", name);
    for (int b = 0; b < n_blocks; b++)
        for (size_t j = 0; j < block_bytes; j++)
            *out++ = (uint8_t)(word_at(hash, (uint64_t)b * 64 + j / 8) >> 8 * (j % 8));
}

static uint64_t hash_floats(const float *x, size_t n)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = isnan(x[i]) ? 0x7FC00000 : f32_bits(x[i]);
        for (int k = 0; k < 32; k += 8) h = (h ^ (bits >> k & 255)) * 0x100000001B3u;
    }
    return h;
}

static void check_line(const kern *k, const char *line, bool *seen)
{
    static uint64_t bytes[BLOCKS_MAX * 64]; // aligned for every type
    static float got[BLOCKS_MAX * LEN_MAX];
    char name[16];
    int n_blocks = 0, used = 0;
    uint64_t want = 0;
    dtype t;
    assert_int_equal(sscanf(line, "%15s %d %" SCNx64 "%n", name, &n_blocks, &want, &used), 3);
    assert_true(dtype_from_name(name, &t) && n_blocks <= BLOCKS_MAX && k->dequant[t]);
    const dtype_info *info = dtype_get(t);
    size_t n = (size_t)n_blocks * info->block_len;
    make_bytes(name, n_blocks, info->block_bytes, (uint8_t *)bytes);
    k->dequant[t](bytes, got, (int64_t)n);
    for (int i = 0; i < N_SHOWN; i++) {
        char *end;
        unsigned long bits = strtoul(line + used, &end, 16);
        used = (int)(end - line);
        if (!isnan(got[i]) && f32_bits(got[i]) != bits)
            fail_msg("%s: element %d is %a, expected %a", name, i, (double)got[i],
                     (double)f32_from_bits((uint32_t)bits));
    }
    if (hash_floats(got, n) != want) fail_msg("%s: not the floats of the golden", name);
    seen[t] = true;
}

static void test_decoding(void **state)
{
    (void)state;
    char path[512];
    size_t n = 0;
    test_source_path("golden/types/types.txt", path, sizeof path);
    unsigned char *text = test_read_file(path, &n);
    assert_non_null(text);
    kern k;
    kern_init(&k, 0);
    bool seen[DTYPE_COUNT] = {false};
    const char *end = (char *)text + n, *line = (char *)text;
    for (; line < end; line = (char *)memchr(line, '\n', (size_t)(end - line)) + 1)
        if (*line != '#') check_line(&k, line, seen);
    free(text);
    for (uint32_t id = 0; id < DTYPE_COUNT; id++)
        if (dtype_known(id) && !seen[id]) fail_msg("no golden for %s", dtype_get((dtype)id)->name);
}

// What the loader asks: a type multiplies if and only if its slots are there.
static void test_slots(void **state)
{
    (void)state;
    kern k;
    kern_init(&k, CPU_ALL);
    int n = 0;
    for (uint32_t id = 0; id < DTYPE_COUNT; id++) {
        dtype t = (dtype)id;
        assert_int_equal(kern_can_matmul(t), k.matmul[t] != NULL);
        assert_int_equal(dtype_known(id), k.dequant[t] != NULL);
        n += kern_can_matmul(t);
    }
    assert_int_equal(n, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_slots),
    };
    return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
