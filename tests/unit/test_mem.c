// Tagged memory: counters exact, alignment, the failure hook.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/os.h"

static void test_counts(void **state)
{
    (void)state;
    mem_usage before = mem_get_total();
    mem_reset_peaks();
    uint8_t *p = mem_alloc(MEM_TEST, 100), *q = mem_alloc(MEM_TEST, 1);
    assert_non_null(p);
    assert_non_null(q);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_int_equal((uintptr_t)q % 64, 0);
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 101);
    mem_free(p);
    mem_free(q);
    mem_free(NULL);
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
    assert_int_equal(mem_get_usage(MEM_TEST).peak_bytes, 101);
    assert_int_equal(mem_get_total().now_bytes, before.now_bytes);
    assert_int_equal(mem_get_total().peak_bytes, before.now_bytes + 101);
    assert_int_equal(mem_get_total().allocations, before.allocations + 2);
    mem_reset_peaks();
    assert_int_equal(mem_get_usage(MEM_TEST).peak_bytes, 0);
}

// The peak of the sum is not the sum of the peaks.
static void test_total_peak(void **state)
{
    (void)state;
    size_t base = mem_get_total().now_bytes;
    mem_reset_peaks();
    mem_free(mem_alloc(MEM_TEST, 1000));
    mem_free(mem_alloc(MEM_CACHE, 600));
    assert_int_equal(mem_get_total().peak_bytes, base + 1000);
    assert_int_equal(mem_get_usage(MEM_CACHE).peak_bytes, 600);
}

static void test_impossible(void **state)
{
    (void)state;
    assert_null(mem_alloc(MEM_TEST, 0));
    assert_null(mem_alloc(MEM_TEST, SIZE_MAX));
    assert_null(mem_alloc(MEM_TEST, SIZE_MAX - 63));
    assert_null(mem_alloc_zero(MEM_TEST, SIZE_MAX / 2, 3));
    assert_null(mem_alloc_zero(MEM_TEST, 0, 3));
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
}

static void test_zero(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) { // the second round gets used memory back
        uint8_t *p = mem_alloc_zero(MEM_TEST, 33, 17);
        assert_non_null(p);
        for (size_t i = 0; i < 33 * 17; i++) assert_int_equal(p[i], 0);
        memset(p, 0xA5, 33 * 17);
        mem_free(p);
    }
}

static void test_resize(void **state)
{
    (void)state;
    char *p = mem_realloc(MEM_TEST, NULL, 10);
    assert_non_null(p);
    memcpy(p, "0123456789", 10);
    p = mem_realloc(MEM_CACHE, p, 1000); // the tag of the block counts
    assert_non_null(p);
    assert_memory_equal(p, "0123456789", 10);
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 1000);
    assert_int_equal(mem_get_usage(MEM_CACHE).now_bytes, 0);
    p = mem_realloc(MEM_TEST, p, 3);
    assert_memory_equal(p, "012", 3);
    assert_null(mem_realloc(MEM_TEST, p, SIZE_MAX));
    assert_memory_equal(p, "012", 3);
    mem_fail_nth(1, false);
    assert_null(mem_realloc(MEM_TEST, p, 5));
    mem_fail_nth(0, false);
    assert_memory_equal(p, "012", 3);
    mem_free(p);
    assert_int_equal(mem_get_usage(MEM_TEST).now_bytes, 0);
}

static void test_fail_nth(void **state)
{
    (void)state;
    mem_fail_nth(3, false);
    for (int i = 1; i <= 6; i++) {
        void *p = mem_alloc(MEM_TEST, 8);
        assert_int_equal(p == NULL, i == 3);
        mem_free(p);
    }
    assert_int_equal(mem_fail_nth(2, true), 6);
    for (int i = 1; i <= 6; i++) {
        void *p = mem_alloc(MEM_TEST, 8);
        assert_int_equal(p == NULL, i >= 2);
        mem_free(p);
    }
    assert_int_equal(mem_fail_nth(0, false), 6);
    void *p = mem_alloc(MEM_TEST, 8);
    assert_non_null(p);
    mem_free(p);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(mem_tag_name(MEM_MISC), "misc");
    assert_string_equal(mem_tag_name(MEM_SAMPLER), "sampler");
    assert_string_equal(mem_tag_name(MEM_TEST), "test");
}

static void churn(void *ctx)
{
    (void)ctx;
    for (size_t i = 1; i < 2000; i++) mem_free(mem_alloc(MEM_TEST, i));
}

// Two threads at once: nothing is lost, and the peak is between one block and two.
static void test_threads(void **state)
{
    (void)state;
    os_thread *t[2];
    mem_reset_peaks();
    uint64_t before = mem_get_usage(MEM_TEST).allocations;
    for (int i = 0; i < 2; i++)
        assert_int_equal(os_thread_start(churn, NULL, &t[i], NULL), HEARTH_OK);
    for (int i = 0; i < 2; i++) os_thread_join(t[i]);
    mem_usage u = mem_get_usage(MEM_TEST);
    assert_int_equal(u.now_bytes, 0);
    assert_int_equal(u.allocations - before, 2 * 1999);
    assert_in_range(u.peak_bytes, 1999, 2 * 1999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),  cmocka_unit_test(test_total_peak),
        cmocka_unit_test(test_impossible), cmocka_unit_test(test_zero),
        cmocka_unit_test(test_resize), cmocka_unit_test(test_fail_nth),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
