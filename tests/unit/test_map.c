// The hash map against a plain array, and the hash's own quality.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/rng.h"

enum { N_KEYS = 5000, KEY_CAP = 24 };

static char keys[N_KEYS][KEY_CAP];

static str key_at(int i)
{
    return str_from(keys[i]);
}

static int make_keys(void **state)
{
    (void)state;
    for (int i = 0; i < N_KEYS; i++)
        snprintf(keys[i], KEY_CAP, "%s%d", i % 3 ? "k" : "longer-key-", i);
    return 0;
}

static void test_put_get(void **state)
{
    (void)state;
    map m;
    map_init(&m, MEM_TEST);
    uint32_t v;
    bool existing;
    assert_false(map_get(&m, STR("x"), &v));
    for (int i = 0; i < N_KEYS; i++) {
        assert_int_equal(map_put(&m, key_at(i), (uint32_t)i, &existing), HEARTH_OK);
        assert_false(existing);
        assert_true(m.n * 8 <= m.cap * 7);
    }
    for (int i = 0; i < N_KEYS; i++) {
        assert_int_equal(map_put(&m, key_at(i), 7, &existing), HEARTH_OK);
        assert_true(existing);
        assert_true(map_get(&m, key_at(i), &v));
        assert_int_equal(v, i); // the old value stays
    }
    assert_int_equal(m.n, N_KEYS);
    assert_false(map_get(&m, STR("k"), &v));
    assert_false(map_get(&m, STR("k1\0"), &v)); // the length is part of the key
    map_release(&m);
    map_release(&m);
    assert_false(map_get(&m, key_at(0), &v));
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
}

static void test_odd_keys(void **state)
{
    (void)state;
    map m;
    map_init(&m, MEM_TEST);
    uint32_t v;
    bool existing;
    assert_int_equal(map_put(&m, (str){NULL, 0}, 1, NULL), HEARTH_OK);
    assert_int_equal(map_put(&m, STR(""), 2, &existing), HEARTH_OK);
    assert_true(existing);
    assert_int_equal(map_put(&m, STR("a\0b"), 3, NULL), HEARTH_OK);
    assert_int_equal(map_put(&m, STR("a\0c"), 4, NULL), HEARTH_OK);
    assert_true(map_get(&m, STR(""), &v) && v == 1);
    assert_true(map_get(&m, STR("a\0b"), &v) && v == 3);
    assert_true(map_get(&m, STR("a\0c"), NULL));
    assert_false(map_get(&m, STR("a"), &v));
    map_release(&m);
}

static void test_reserve(void **state)
{
    (void)state;
    map m;
    map_init(&m, MEM_TEST);
    assert_int_equal(map_reserve(&m, N_KEYS), HEARTH_OK);
    uint64_t before = mem_get_usage(MEM_TEST).allocations;
    for (int i = 0; i < N_KEYS; i++)
        assert_int_equal(map_put(&m, key_at(i), 0, NULL), HEARTH_OK);
    assert_int_equal(mem_get_usage(MEM_TEST).allocations, before);
    assert_int_equal(map_reserve(&m, SIZE_MAX), HEARTH_E_LIMIT);
    map_release(&m);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    map m;
    map_init(&m, MEM_TEST);
    int stored = 0;
    mem_fail_nth(4, true);
    while (map_put(&m, key_at(stored), (uint32_t)stored, NULL) == HEARTH_OK) stored++;
    mem_fail_nth(0, false);
    assert_int_equal(stored, 28); // 8, 16 and 32 slots, 7/8 full
    uint32_t v;
    for (int i = 0; i < stored; i++) assert_true(map_get(&m, key_at(i), &v) && v == (uint32_t)i);
    assert_int_equal(map_put(&m, key_at(stored), 1, NULL), HEARTH_OK);
    map_release(&m);
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
}

// Every length up to 64 and every single bit of input and seed changes about half of the output.
static void test_avalanche(void **state)
{
    (void)state;
    uint8_t text[64];
    rng r;
    rng_seed(&r, 5);
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)rng_u64(&r);
    int changed = 0, cases = 0;
    for (size_t n = 1; n <= sizeof text; n++) {
        uint64_t h = hash_bytes(text, n, 1);
        assert_true(h != hash_bytes(text, n - 1, 1));
        for (size_t bit = 0; bit < n * 8; bit++, cases++) {
            text[bit / 8] ^= (uint8_t)(1u << bit % 8);
            uint64_t d = h ^ hash_bytes(text, n, 1);
            text[bit / 8] ^= (uint8_t)(1u << bit % 8);
            int flips = __builtin_popcountll(d);
            assert_in_range(flips, 8, 56);
            changed += flips;
        }
    }
    double mean = (double)changed / cases;
    assert_true(mean > 31.5 && mean < 32.5);
    assert_true(hash_bytes("", 0, 1) != hash_bytes("", 0, 2));
    assert_true(hash_bytes("a\0", 2, 1) != hash_bytes("a", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get),       cmocka_unit_test(test_odd_keys),
        cmocka_unit_test(test_reserve),       cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_avalanche),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
