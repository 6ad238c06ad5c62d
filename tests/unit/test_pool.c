// The pool: every chunk exactly once, on any number of threads, for thousands of tiny jobs.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"
#include "defs/limits.h"
#include "os/os.h"

enum { CHUNKS_MAX = 1000 };

typedef struct job {
    int hits[CHUNKS_MAX]; // plain memory: the pool itself must order it
    int n_threads;
    atomic_int bad_worker;
    bool slow; // chunk 0 takes long
} job;

static void count_chunk(void *ctx, int64_t chunk, int worker)
{
    job *j = ctx;
    if (worker < 0 || worker >= j->n_threads) atomic_fetch_add(&j->bad_worker, 1);
    if (j->slow && chunk == 0) os_sleep_ns(2000000);
    j->hits[chunk]++;
}

static void check_job(pool *p, job *j, int64_t n)
{
    memset(j->hits, 0, sizeof j->hits);
    pool_run(p, n, count_chunk, j);
    for (int64_t i = 0; i < CHUNKS_MAX; i++) assert_int_equal(j->hits[i], i < n ? 1 : 0);
    assert_int_equal(atomic_load(&j->bad_worker), 0);
}

static void test_each_chunk_once(void **state)
{
    (void)state;
    static job j;
    for (int n = 1; n <= 8; n++) {
        pool *p = NULL;
        assert_int_equal(pool_create(n, &p, NULL), HEARTH_OK);
        assert_int_equal(pool_threads(p), n);
        j.n_threads = n;
        for (int64_t chunks = 0; chunks < 40; chunks++) check_job(p, &j, chunks);
        check_job(p, &j, CHUNKS_MAX);
        j.slow = true; // the caller has to sleep until a worker is done, or the other way round
        for (int i = 0; i < 5; i++) check_job(p, &j, 3);
        j.slow = false;
        pool_free(p);
    }
    assert_int_equal(mem_get_usage(MEM_THREADS).now_bytes, 0);
}

typedef struct tiny {
    int64_t part[4];
    int64_t round;
} tiny;

static void add_round(void *ctx, int64_t chunk, int worker)
{
    (void)worker;
    tiny *t = ctx;
    t->part[chunk] += t->round * (chunk + 1);
}

// Each job reads what the caller wrote just before and writes what it reads just after.
static void test_tiny_jobs(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    for (int n = 1; n <= 4; n++) {
        pool *p = NULL;
        tiny t = {{0}, 0};
        assert_int_equal(pool_create(n, &p, NULL), HEARTH_OK);
        for (t.round = 1; t.round <= ROUNDS; t.round++) {
            pool_run(p, 1 + t.round % 4, add_round, &t);
            if (t.round % 4096 == 0) os_sleep_ns(100000); // lets workers fall asleep
        }
        int64_t expected[4] = {0};
        for (int64_t r = 1; r <= ROUNDS; r++)
            for (int64_t c = 0; c <= r % 4; c++) expected[c] += r * (c + 1);
        for (int c = 0; c < 4; c++) assert_int_equal(t.part[c], expected[c]);
        pool_free(p);
    }
}

static void test_inline(void **state)
{
    (void)state;
    static job j;
    j.n_threads = 1;
    check_job(NULL, &j, 17);
    assert_int_equal(pool_threads(NULL), 1);
    pool_free(NULL);
}

static void test_unused(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) { // threads that never got a job end too
        pool *p = NULL;
        assert_int_equal(pool_create(4, &p, NULL), HEARTH_OK);
        pool_free(p);
    }
}

static void test_bad_count(void **state)
{
    (void)state;
    pool *p = (pool *)1;
    hearth_err err = ERR_INIT;
    assert_int_equal(pool_create(0, &p, &err), HEARTH_E_ARG);
    assert_null(p);
    assert_string_equal(err.msg, "0 threads: expected 1 to 512");
    assert_int_equal(pool_create(LIMIT_THREADS + 1, &p, NULL), HEARTH_E_ARG);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    uint64_t n = 1;
    for (;; n++) {
        pool *p = (pool *)1;
        mem_fail_nth(n, false);
        hearth_status status = pool_create(3, &p, NULL);
        mem_fail_nth(0, false);
        if (status == HEARTH_OK) {
            pool_free(p);
            break;
        }
        assert_int_equal(status, HEARTH_E_NOMEM);
        assert_null(p);
        assert_int_equal(mem_get_usage(MEM_THREADS).now_bytes, 0);
    }
    assert_int_equal(n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_chunk_once), cmocka_unit_test(test_tiny_jobs),
        cmocka_unit_test(test_inline),          cmocka_unit_test(test_unused),
        cmocka_unit_test(test_bad_count),       cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
