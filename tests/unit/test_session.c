// Sessions: what is reused, what survives a cancel, and sessions as bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/llm_fixture.h"
#include "support/model_file.h"

enum { N = 100 };
static buf file;
static fixture f;
static int32_t ids[N];
static float expected[N][300]; // logits after ids[0..i]

static int make_model(void **state)
{
    (void)state;
    test_model_spec spec = test_model_default(TEST_LLAMA, DTYPE_Q8_0);
    fixture_options o = fixture_default();
    o.ctx.n_seq = 3;
    o.ctx.n_batch = 10;
    o.ctx.n_logits = 10;
    buf_init(&file, MEM_TEST, 1u << 28);
    if (!test_model_make(&spec, &file)) return -1;
    if (fixture_open(&f, file.p, file.n, &o, NULL) != HEARTH_OK) return -1;
    for (int i = 0; i < N; i++) ids[i] = (i * 37 + 5) % 300;
    llm_seq s;
    if (llm_seq_new(f.c, &s, NULL) != HEARTH_OK) return -1;
    if (fixture_logits(&f, s, ids, 0, N, 10, expected[0], NULL) != HEARTH_OK) return -1;
    llm_seq_free(f.c, s);
    return 0;
}

static int free_model(void **state)
{
    (void)state;
    fixture_close(&f);
    buf_release(&file);
    return 0;
}

static llm_session *new_session(void)
{
    llm_session *s;
    assert_int_equal(session_create(f.c, 0, &s, NULL), HEARTH_OK);
    return s;
}

static void sync_and_check(llm_session *s, int64_t n, int64_t reused)
{
    int64_t held;
    assert_int_equal(session_sync(s, ids, n, NULL, NULL, NULL), HEARTH_OK);
    assert_int_equal(session_reused(s), reused);
    assert_memory_equal(session_logits(s), expected[n - 1], sizeof expected[0]);
    assert_memory_equal(session_tokens(s, &held), ids, (size_t)n * sizeof *ids);
    assert_int_equal(held, n);
}

static void test_reuse(void **state)
{
    (void)state;
    llm_session *s = new_session();
    sync_and_check(s, 30, 0);
    sync_and_check(s, 31, 30); // extend
    sync_and_check(s, 31, 30); // all there: the last one again
    sync_and_check(s, 12, 11); // shorter
    sync_and_check(s, 100, 12);
    int32_t other[40];
    memcpy(other, ids, sizeof other);
    other[25] = 299;
    assert_int_equal(session_sync(s, other, 40, NULL, NULL, NULL), HEARTH_OK);
    assert_int_equal(session_reused(s), 25);
    sync_and_check(s, 40, 25);
    session_free(s);
}

static void test_sessions_side_by_side(void **state)
{
    (void)state;
    llm_session *a = new_session(), *b = new_session();
    sync_and_check(a, 20, 0);
    sync_and_check(b, 50, 0);
    assert_memory_equal(session_logits(a), expected[19], sizeof expected[0]); // still a's own
    sync_and_check(a, 21, 20);
    session_free(a);
    session_free(b);
}

typedef struct watcher { int64_t stop_at, last, total; int calls; } watcher;

static bool watch(void *ctx, int64_t done, int64_t total)
{
    watcher *w = ctx;
    assert_true(done >= w->last);
    w->last = done;
    w->total = total;
    w->calls++;
    return done < w->stop_at;
}

static void test_cancel_keeps_batches(void **state)
{
    (void)state;
    llm_session *s = new_session();
    watcher w = {.stop_at = 30};
    int64_t held;
    assert_int_equal(session_sync(s, ids, 95, watch, &w, NULL), HEARTH_E_CANCELED);
    session_tokens(s, &held);
    assert_int_equal(held, 30);
    assert_int_equal(w.total, 95);
    llm_cancel(f.c);
    assert_int_equal(session_sync(s, ids, 95, NULL, NULL, NULL), HEARTH_E_CANCELED);
    llm_cancel_clear(f.c);
    w = (watcher){.stop_at = 1000};
    assert_int_equal(session_sync(s, ids, 95, watch, &w, NULL), HEARTH_OK);
    assert_int_equal(session_reused(s), 30);
    assert_int_equal(w.last, 65);
    assert_memory_equal(session_logits(s), expected[94], sizeof expected[0]);
    session_free(s);
}

static void test_limits(void **state)
{
    (void)state;
    llm_session *s = new_session();
    int32_t *many = calloc(513, sizeof *many);
    assert_non_null(many);
    assert_int_equal(session_sync(s, ids, 0, NULL, NULL, NULL), HEARTH_E_ARG);
    assert_int_equal(session_sync(s, many, 513, NULL, NULL, NULL), HEARTH_E_LIMIT);
    assert_int_equal(session_sync(s, many, 512, NULL, NULL, NULL), HEARTH_OK);
    llm_session *t = new_session();
    assert_int_equal(session_sync(t, many, 1, NULL, NULL, NULL), HEARTH_E_LIMIT); // no page is left
    session_free(t);
    sync_and_check(s, 10, 0);
    many[4] = 300; // not in the vocabulary: what came before is kept
    assert_int_equal(session_sync(s, many, 5, NULL, NULL, NULL), HEARTH_E_ARG);
    sync_and_check(s, 10, 0);
    free(many);
    session_free(s);
}

static void test_export_import(void **state)
{
    (void)state;
    llm_session *a = new_session(), *b = new_session();
    sync_and_check(a, 77, 0);
    size_t n = session_export_bytes(a);
    unsigned char *p = malloc(n);
    assert_non_null(p);
    assert_int_equal(session_export(a, p, n, NULL), HEARTH_OK);
    sync_and_check(b, 9, 0);
    assert_int_equal(session_import(b, p, n, NULL), HEARTH_OK);
    sync_and_check(b, 77, 76);
    sync_and_check(b, 90, 77);
    for (size_t i = 0; i < n; i += i < 400 ? 1 : 101) { // nothing damaged gets in, b is as it was
        p[i] ^= 0x55;
        assert_int_not_equal(session_import(b, p, n, NULL), HEARTH_OK);
        p[i] ^= 0x55;
    }
    for (size_t cut = 0; cut < n; cut += cut < 400 ? 1 : 101)
        assert_int_not_equal(session_import(b, p, cut, NULL), HEARTH_OK);
    sync_and_check(b, 91, 90);
    free(p);
    session_free(a);
    session_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reuse), cmocka_unit_test(test_sessions_side_by_side),
        cmocka_unit_test(test_cancel_keeps_batches), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_export_import),
    };
    return cmocka_run_group_tests_name("session", tests, make_model, free_model);
}
