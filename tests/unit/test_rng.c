// The random stream against the published vectors and an independent implementation.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

#include "golden/rng_vectors.h"

// State {1, 2, 3, 4}, as in the tests of other published implementations.
static void test_published(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        41943041, 58720359, 3588806011781223, 3591011842654386, UINT64_C(9228616714210784205),
        UINT64_C(9973669472204895162), UINT64_C(14011001112246962877),
        UINT64_C(12406186145184390807),
        UINT64_C(15849039046786891736), UINT64_C(10450023813501588000)};
    rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < COUNTOF(expected); i++) assert_true(rng_u64(&r) == expected[i]);
}

static void test_seed(void **state)
{
    (void)state;
    static const uint64_t first[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                     UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
    rng r;
    rng_seed(&r, 1234567); // splitmix64's published outputs are the state
    assert_memory_equal(r.s, first, sizeof first);
}

static void check_stream(uint64_t seed, const uint64_t *expected, size_t n)
{
    rng r;
    rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++) assert_true(rng_u64(&r) == expected[i]);
    rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++) {
        double v = rng_f64(&r);
        assert_true(v >= 0 && v < 1 && v == ldexp((double)(expected[i] >> 11), -53));
    }
}

static void test_streams(void **state)
{
    (void)state;
    check_stream(0, rng_u64_0, COUNTOF(rng_u64_0));
    check_stream(1, rng_u64_1, COUNTOF(rng_u64_1));
    check_stream(UINT64_C(0xdeadbeefcafef00d), rng_u64_deadbeefcafef00d, COUNTOF(rng_u64_0));
}

static void test_below(void **state)
{
    (void)state;
    rng r;
    rng_seed(&r, 7);
    for (size_t i = 0; i < COUNTOF(rng_below_7); i++)
        assert_int_equal(rng_below(&r, rng_below_7[i][0]), rng_below_7[i][1]);
}

static void test_normal(void **state)
{
    (void)state;
    enum { N = 200000 };
    rng r;
    double sum = 0, squares = 0, fourth = 0;
    rng_seed(&r, 3);
    for (int i = 0; i < N; i++) {
        double v = (double)rng_normal(&r);
        assert_true(isfinite(v));
        sum += v;
        squares += v * v;
        fourth += v * v * v * v;
    }
    assert_true(fabs(sum / N) < 0.01); // 4.5 standard errors
    assert_true(fabs(squares / N - 1) < 0.015);
    assert_true(fabs(fourth / N - 3) < 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published), cmocka_unit_test(test_seed),
        cmocka_unit_test(test_streams),   cmocka_unit_test(test_below),
        cmocka_unit_test(test_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
