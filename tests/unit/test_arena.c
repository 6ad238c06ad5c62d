// Arenas: alignment, zeroing, bounds, what they hold of the heap, failing allocations.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/red_zone.h"
#include "base/rng.h"

static void test_blocks(void **state)
{
    (void)state;
    enum { N = 2000 };
    static uint8_t *blocks[N];
    static size_t sizes[N];
    arena a;
    rng r;
    rng_seed(&r, 1);
    arena_init(&a, MEM_TEST, 64 << 20);
    for (int i = 0; i < N; i++) {
        size_t align = (size_t)1 << rng_below(&r, 7);
        sizes[i] = rng_below(&r, i % 100 ? 300 : 70000);
        blocks[i] = arena_alloc(&a, sizes[i], 1, align);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % align, 0);
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], i & 0xFF, sizes[i]);
    }
    for (int i = 0; i < N; i++) // nobody wrote into anybody else
        for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(blocks[i][k], i & 0xFF);
    assert_true(mem_get_usage(MEM_TEST).now_bytes >= a.used_bytes);
    arena_release(&a);
    arena_release(&a);
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
    assert_non_null(arena_new(&a, double, 3)); // usable again
    arena_release(&a);
}

static void test_limit(void **state)
{
    (void)state;
    arena a;
    arena_init(&a, MEM_TEST, 1000);
    assert_null(arena_alloc(&a, 1001, 1, 1));
    assert_null(arena_alloc(&a, SIZE_MAX / 2, 4, 1));
    assert_null(arena_alloc(&a, SIZE_MAX, 1, 64));
    assert_non_null(arena_alloc(&a, 125, 8, 8));
    assert_null(arena_alloc(&a, 1, 1, 1));
    assert_null(arena_alloc(&a, 0, 1, 1)); // takes a byte
    assert_int_equal(a.used_bytes, 1000);
    arena_release(&a);
    arena_init(&a, MEM_TEST, 1000); // what alignment skips counts too
    int blocks = 0;
    while (arena_alloc(&a, 1, 1, 64)) blocks++;
    if (!RED_ZONES) assert_int_equal(blocks, 16); // at 0, 64 .. 960
    assert_ptr_equal(a.first, a.last);
    arena_release(&a);
    arena_init(&a, MEM_TEST, 0);
    assert_null(arena_alloc(&a, 1, 1, 1));
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
}

// Hostile sizes never make it hold more than about twice its bound.
static void test_held(void **state)
{
    (void)state;
    const size_t max = 1 << 20;
    const size_t steps[] = {1, 63, 2049, 4097, 8193, 65537, 300000};
    for (size_t s = 0; s < COUNTOF(steps); s++) {
        arena a;
        arena_init(&a, MEM_TEST, max);
        while (arena_alloc(&a, steps[s], 1, 64)) continue;
        if (!RED_ZONES) assert_true(mem_get_usage(MEM_TEST).now_bytes <= 2 * max + 8192);
        assert_true(a.used_bytes <= max);
        arena_release(&a);
    }
}

static void test_unique(void **state)
{
    (void)state;
    arena a;
    arena_init(&a, MEM_TEST, 100);
    char *p = arena_alloc(&a, 0, 8, 1), *q = arena_alloc(&a, 8, 0, 1);
    assert_non_null(p);
    assert_non_null(q);
    assert_ptr_not_equal(p, q);
    arena_release(&a);
}

static void test_string(void **state)
{
    (void)state;
    arena a;
    arena_init(&a, MEM_TEST, 100);
    assert_string_equal(arena_copy_string(&a, "hearth!", 6), "hearth");
    assert_string_equal(arena_copy_string(&a, NULL, 0), "");
    assert_null(arena_copy_string(&a, "", SIZE_MAX));
    arena_release(&a);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 4; n++) {
        arena a;
        arena_init(&a, MEM_TEST, 1 << 20);
        mem_fail_nth(n, true);
        size_t got = 0;
        while (arena_alloc(&a, 1000, 1, 1)) got++;
        mem_fail_nth(0, false);
        if (!RED_ZONES) assert_int_equal(got, n == 1 ? 0 : n == 2 ? 4 : n == 3 ? 12 : 28);
        assert_non_null(arena_alloc(&a, 1000, 1, 1)); // still usable
        arena_release(&a);
    }
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
}

#if RED_ZONES
static void test_red_zones(void **state)
{
    (void)state;
    arena a;
    arena_init(&a, MEM_TEST, 10000);
    for (size_t n = 1; n < 40; n++) {
        char *p = arena_alloc(&a, n, 1, 1);
        assert_null(__asan_region_is_poisoned(p, n));
        assert_int_equal(__asan_address_is_poisoned(p + n), 1);
        assert_int_equal(__asan_address_is_poisoned(p + n + 15), 1);
    }
    arena_release(&a);
    char *p = mem_alloc(MEM_TEST, 5);
    assert_int_equal(__asan_address_is_poisoned(p - 1), 1);
    assert_int_equal(__asan_address_is_poisoned(p + 5), 1);
    mem_free(p);
}
#else
static void test_red_zones(void **state)
{
    (void)state;
    skip(); // needs AddressSanitizer
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_held),   cmocka_unit_test(test_unique),
        cmocka_unit_test(test_string), cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_red_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
