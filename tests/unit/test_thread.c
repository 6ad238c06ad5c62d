// Threads, mutexes and conditions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"
#include "os/os.h"
#include "support/os_fault.h"

// A ball goes back and forth between two players under one mutex and two conditions.
typedef struct game {
    os_mutex *mutex;
    os_cond *moved[2];
    int turn, hits;
} game;

enum { HITS = 4000 };

static void play(game *g, int me)
{
    os_mutex_lock(g->mutex);
    while (g->hits < HITS) {
        while (g->turn != me && g->hits < HITS) os_cond_wait(g->moved[me], g->mutex);
        g->hits++;
        g->turn = 1 - me;
        os_cond_signal(g->moved[1 - me]);
    }
    os_cond_broadcast(g->moved[1 - me]);
    os_mutex_unlock(g->mutex);
}

static void play_other(void *ctx)
{
    play(ctx, 1);
}

static void test_ping_pong(void **state)
{
    (void)state;
    game g = {0};
    os_thread *t;
    assert_true(os_has_threads());
    assert_int_equal(os_mutex_create(&g.mutex, NULL), HEARTH_OK);
    assert_int_equal(os_cond_create(&g.moved[0], NULL), HEARTH_OK);
    assert_int_equal(os_cond_create(&g.moved[1], NULL), HEARTH_OK);
    assert_int_equal(os_thread_start(play_other, &g, &t, NULL), HEARTH_OK);
    play(&g, 0);
    os_thread_join(t);
    assert_in_range(g.hits, HITS, HITS + 1);
    os_cond_free(g.moved[0]);
    os_cond_free(g.moved[1]);
    os_mutex_free(g.mutex);
    os_cond_free(NULL);
    os_mutex_free(NULL);
    os_thread_join(NULL);
}

static void test_timeout(void **state)
{
    (void)state;
    os_mutex *m;
    os_cond *c;
    assert_int_equal(os_mutex_create(&m, NULL), HEARTH_OK);
    assert_int_equal(os_cond_create(&c, NULL), HEARTH_OK);
    os_mutex_lock(m);
    uint64_t begin = os_now_ns();
    while (os_cond_wait_for(c, m, 3000000)) continue; // spurious wake-ups are allowed
    assert_true(os_now_ns() - begin >= 3000000);
    assert_false(os_cond_wait_for(c, m, 0));
    os_mutex_unlock(m);
    os_cond_free(c);
    os_mutex_free(m);
}

static void wake(void *ctx)
{
    game *g = ctx;
    os_mutex_lock(g->mutex);
    g->turn = 1;
    os_cond_signal(g->moved[0]);
    os_mutex_unlock(g->mutex);
}

static void test_wake_before_timeout(void **state)
{
    (void)state;
    game g = {0};
    os_thread *t;
    assert_int_equal(os_mutex_create(&g.mutex, NULL), HEARTH_OK);
    assert_int_equal(os_cond_create(&g.moved[0], NULL), HEARTH_OK);
    os_mutex_lock(g.mutex);
    assert_int_equal(os_thread_start(wake, &g, &t, NULL), HEARTH_OK);
    bool in_time = true;
    while (g.turn == 0 && in_time) in_time = os_cond_wait_for(g.moved[0], g.mutex, UINT64_MAX);
    assert_int_equal(g.turn, 1);
    os_mutex_unlock(g.mutex);
    os_thread_join(t);
    os_cond_free(g.moved[0]);
    os_mutex_free(g.mutex);
}

// A pool that cannot get a thread, mutex or condition is refused whole.
static void test_pool_faults(void **state)
{
    (void)state;
    if (!os_fault_available()) skip(); // the linker cannot put os_fault in front
    uint64_t n = 1;
    for (;; n++) {
        pool *p = (pool *)1;
        os_fault_arm(OS_FAULT_THREAD | OS_FAULT_HEAP, n, false);
        hearth_status status = pool_create(3, &p, NULL);
        os_fault_arm(0, 0, false);
        if (status == HEARTH_OK) {
            pool_free(p);
            break;
        }
        assert_true(status == HEARTH_E_NOMEM || status == HEARTH_E_IO);
        assert_null(p);
        assert_int_equal(mem_get_usage(MEM_THREADS).now_bytes, 0);
    }
    assert_int_equal(n, 13); // 2 blocks, then a call and its memory for 3 objects and 2 threads
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping_pong),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_wake_before_timeout),
        cmocka_unit_test(test_pool_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
