// Property of the memory plan: values that live at the same time do not overlap, everything is
// inside the block, and the block is no larger than all values side by side.
#include "graph/graph_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/rng.h"

enum { ITEMS = 60, ROUNDS = 300 };

static size_t below(rng *r, size_t n)
{
    return (size_t)(rng_u64(r) % n);
}

static void check_plan(const plan_item *items, int n, size_t total)
{
    size_t sum = 0;
    for (int i = 0; i < n; i++) {
        const plan_item *a = &items[i];
        sum += align_up(a->bytes, 64);
        assert_true(a->offset % 64 == 0 && a->offset + a->bytes <= total);
        for (int k = 0; k < i; k++) {
            const plan_item *b = &items[k];
            bool meet = a->first <= b->last && b->first <= a->last;
            bool apart = a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset;
            assert_true(!meet || apart);
        }
    }
    assert_true(total <= sum);
}

static void test_random(void **state)
{
    (void)state;
    plan_item items[ITEMS];
    int order[ITEMS];
    rng r;
    rng_seed(&r, 7);
    for (int round = 0; round < ROUNDS; round++) {
        int n = (int)below(&r, ITEMS + 1);
        for (int i = 0; i < n; i++) {
            int first = (int)below(&r, 40);
            items[i] = (plan_item){first, first + (int)below(&r, 12), below(&r, 1000), 99};
        }
        check_plan(items, n, plan_offsets(items, n, order));
    }
}

// A chain of equal values needs two of them, whatever its length.
static void test_chain(void **state)
{
    (void)state;
    plan_item items[ITEMS];
    int order[ITEMS];
    for (int i = 0; i < ITEMS; i++) items[i] = (plan_item){i, i + 1, 640, 0};
    assert_int_equal(plan_offsets(items, ITEMS, order), 2 * 640);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_chain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
