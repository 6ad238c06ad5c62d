// Jobs, sessions and models of the scheduler, with small synthetic models in this process. Order is
// observed through the callbacks, which come from the model's thread; nothing depends on time but
// the keep-alive, whose only promise is that an idle model leaves.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/os.h"
#include "sched/sched.h"

#define TINY "shape:tiny:Q8_0:3"
#define OTHER "shape:tiny:Q8_0:4"

enum { MAX_JOBS = 32, MAX_TOKENS = 64 };

typedef struct watch { // all jobs of a test
    os_mutex *lock;
    os_cond *changed;
    int n_done, n_begun;
    bool is_held; // prepare() waits while it is set
} watch;

typedef struct job {
    watch *w;
    int seed, n_prompt, n_predict;
    int begun_as, done_as; // places in the order of all jobs
    int32_t token[MAX_TOKENS];
    int n_token;
    generate_finish finish;
    hearth_status status;
    char message[256];
    sched_job *handle;
} job;

static watch watching;

static void wait_while_held(watch *w)
{
    os_mutex_lock(w->lock);
    while (w->is_held) os_cond_wait(w->changed, w->lock);
    os_mutex_unlock(w->lock);
}

static hearth_status prepare(void *ctx, engine *e, tok_ids *prompt, generate_options *o,
                             hearth_err *err)
{
    job *j = ctx;
    (void)e;
    (void)err;
    os_mutex_lock(j->w->lock);
    j->begun_as = ++j->w->n_begun;
    os_cond_broadcast(j->w->changed);
    os_mutex_unlock(j->w->lock);
    wait_while_held(j->w);
    prompt->id = mem_alloc(MEM_MISC, (size_t)j->n_prompt * sizeof *prompt->id);
    if (!prompt->id) return HEARTH_E_NOMEM;
    prompt->n = prompt->cap = (size_t)j->n_prompt;
    for (int i = 0; i < j->n_prompt; i++) prompt->id[i] = 40 + (i * 7 + j->seed) % 50;
    o->ignore_end = true;
    o->sampling.seed = (uint64_t)j->seed;
    o->n_predict = j->n_predict;
    return HEARTH_OK;
}

static void hear_event(void *ctx, const engine_event *event)
{
    job *j = ctx;
    if (event->gen.has_token && j->n_token < MAX_TOKENS) j->token[j->n_token++] = event->gen.token;
    j->finish = event->gen.finish;
}

static void hear_done(void *ctx, const hearth_err *failed)
{
    job *j = ctx;
    os_mutex_lock(j->w->lock);
    j->done_as = ++j->w->n_done;
    j->status = failed ? failed->status : HEARTH_OK;
    if (failed) memcpy(j->message, failed->msg, sizeof j->message - 1);
    os_cond_broadcast(j->w->changed);
    os_mutex_unlock(j->w->lock);
}

static hearth_status crash(void *ctx, engine *e, hearth_err *err)
{
    (void)ctx;
    (void)e;
    return err_fail(err, HEARTH_E_CRASHED, "the test says so");
}

static sched_options small_options(void)
{
    sched_options o;
    sched_options_default(&o);
    o.engine.place = ENGINE_LOCAL;
    o.engine.n_threads = 1;
    o.engine.n_seq = 3;
    o.engine.n_ctx_seq = 256;
    return o;
}

static sched *open_sched(const sched_options *o)
{
    sched *s = NULL;
    hearth_err err = ERR_INIT;
    watching.n_done = watching.n_begun = 0;
    watching.is_held = false;
    if (sched_open(o, &s, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return s;
}

static job make_job(int seed, int n_predict)
{
    return (job){.w = &watching, .seed = seed, .n_prompt = 5 + seed * 3, .n_predict = n_predict,
                 .status = HEARTH_E_STATE};
}

static hearth_status submit(sched *s, job *j, const char *source, const char *client, int priority)
{
    sched_request r = {.source = source, .client = client, .priority = priority,
                       .calls = {.prepare = prepare, .event = hear_event, .done = hear_done,
                                 .ctx = j}};
    return sched_submit(s, &r, &j->handle, NULL);
}

static void wait_done(int n)
{
    os_mutex_lock(watching.lock);
    while (watching.n_done < n) os_cond_wait(watching.changed, watching.lock);
    os_mutex_unlock(watching.lock);
}

static void wait_begun(int n)
{
    os_mutex_lock(watching.lock);
    while (watching.n_begun < n) os_cond_wait(watching.changed, watching.lock);
    os_mutex_unlock(watching.lock);
}

static void set_held(bool is_held)
{
    os_mutex_lock(watching.lock);
    watching.is_held = is_held;
    os_cond_broadcast(watching.changed);
    os_mutex_unlock(watching.lock);
}

static void release_all(sched *s, job *jobs, int n)
{
    for (int i = 0; i < n; i++) sched_release(s, jobs[i].handle);
}

// Jobs one at a time, then all at once: the same tokens.
static void test_same_tokens(void **state)
{
    (void)state;
    enum { N = 8 };
    sched_options o = small_options();
    sched *s = open_sched(&o);
    job alone[N], beside[N];
    for (int i = 0; i < N; i++) {
        alone[i] = make_job(i, 10 + 3 * i);
        assert_int_equal(submit(s, &alone[i], TINY, "a", 0), HEARTH_OK);
        wait_done(i + 1);
    }
    for (int i = 0; i < N; i++) {
        beside[i] = make_job(i, 10 + 3 * i);
        assert_int_equal(submit(s, &beside[i], TINY, "a", 0), HEARTH_OK);
    }
    wait_done(2 * N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(beside[i].status, HEARTH_OK);
        assert_int_equal(beside[i].finish, GENERATE_LENGTH);
        assert_int_equal(beside[i].n_token, 10 + 3 * i);
        assert_memory_equal(beside[i].token, alone[i].token, sizeof alone[i].token);
    }
    job again = make_job(N - 1, 4); // whose prompt is still in one of the sessions
    assert_int_equal(submit(s, &again, TINY, "a", 0), HEARTH_OK);
    wait_done(2 * N + 1);
    sched_stats stats;
    sched_get_stats(s, &stats);
    assert_int_equal(stats.n_finished, 2 * N + 1);
    assert_int_equal(stats.n_loads, 1);
    assert_int_equal(stats.n_reused_tokens, again.n_prompt - 1); // the last is computed again
    sched_release(s, again.handle);
    release_all(s, alone, N);
    release_all(s, beside, N);
    sched_close(s);
}

// One session. While the first job is held, eight of one client and one of another queue up, the
// other's last: it is served second, since its client had nothing yet.
static void test_fair_queue(void **state)
{
    (void)state;
    enum { N = 10 };
    sched_options o = small_options();
    o.engine.n_seq = 1;
    sched *s = open_sched(&o);
    job jobs[N];
    for (int i = 0; i < N; i++) jobs[i] = make_job(1, 8);
    set_held(true);
    assert_int_equal(submit(s, &jobs[0], TINY, "greedy", 0), HEARTH_OK);
    wait_begun(1);
    for (int i = 1; i < N - 1; i++)
        assert_int_equal(submit(s, &jobs[i], TINY, "greedy", 0), HEARTH_OK);
    assert_int_equal(submit(s, &jobs[N - 1], TINY, "modest", 0), HEARTH_OK);
    assert_int_equal(sched_position(s, jobs[1].handle), 0);
    assert_int_equal(sched_position(s, jobs[3].handle), 2);
    set_held(false);
    wait_done(N);
    assert_int_equal(jobs[N - 1].begun_as, 2);
    for (int i = 2; i < N - 1; i++) assert_true(jobs[i].begun_as > jobs[i - 1].begun_as);
    release_all(s, jobs, N);
    sched_close(s);
}

static void test_priority(void **state)
{
    (void)state;
    sched_options o = small_options();
    o.engine.n_seq = 1;
    sched *s = open_sched(&o);
    job jobs[3] = {make_job(1, 4), make_job(1, 4), make_job(1, 4)};
    set_held(true);
    assert_int_equal(submit(s, &jobs[0], TINY, "a", 0), HEARTH_OK);
    wait_begun(1);
    assert_int_equal(submit(s, &jobs[1], TINY, "a", 0), HEARTH_OK);
    assert_int_equal(submit(s, &jobs[2], TINY, "a", 1), HEARTH_OK);
    assert_int_equal(sched_position(s, jobs[1].handle), 1);
    set_held(false);
    wait_done(3);
    assert_true(jobs[2].begun_as < jobs[1].begun_as);
    release_all(s, jobs, 3);
    sched_close(s);
}

static void test_cancel(void **state)
{
    (void)state;
    sched_options o = small_options();
    o.engine.n_seq = 1;
    sched *s = open_sched(&o);
    job jobs[3] = {make_job(1, -1), make_job(2, 4), make_job(3, 4)};
    set_held(true);
    assert_int_equal(submit(s, &jobs[0], TINY, "a", 0), HEARTH_OK);
    wait_begun(1);
    assert_int_equal(submit(s, &jobs[1], TINY, "a", 0), HEARTH_OK);
    assert_int_equal(submit(s, &jobs[2], TINY, "a", 0), HEARTH_OK);
    sched_cancel(s, jobs[1].handle); // in the queue
    sched_cancel(s, jobs[0].handle); // while it is being started
    set_held(false);
    wait_done(3);
    assert_int_equal(jobs[0].status, HEARTH_OK);
    assert_int_equal(jobs[0].finish, GENERATE_CANCELED);
    assert_int_equal(jobs[1].status, HEARTH_E_CANCELED);
    assert_int_equal(jobs[1].begun_as, 0);
    assert_int_equal(jobs[2].status, HEARTH_OK);
    assert_int_equal(jobs[2].n_token, 4);
    release_all(s, jobs, 3);
    sched_close(s);
}

static void test_full_queue(void **state)
{
    (void)state;
    sched_options o = small_options();
    o.engine.n_seq = 1;
    o.max_queue = 2;
    sched *s = open_sched(&o);
    job jobs[4];
    for (int i = 0; i < 4; i++) jobs[i] = make_job(i, 4);
    set_held(true);
    assert_int_equal(submit(s, &jobs[0], TINY, "a", 0), HEARTH_OK);
    wait_begun(1);
    assert_int_equal(submit(s, &jobs[1], TINY, "a", 0), HEARTH_OK);
    assert_int_equal(submit(s, &jobs[2], TINY, "a", 0), HEARTH_OK);
    assert_int_equal(submit(s, &jobs[3], TINY, "a", 0), HEARTH_E_LIMIT);
    assert_null(jobs[3].handle);
    set_held(false);
    wait_done(3);
    release_all(s, jobs, 3);
    sched_close(s);
}

static uint64_t bytes_of_one(void)
{
    sched_options o = small_options();
    engine_options e = o.engine;
    engine *opened = NULL;
    hearth_err err = ERR_INIT;
    if (engine_open(TINY, &e, &opened, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    uint64_t n = engine_get_info(opened)->plan.total_bytes;
    engine_close(opened);
    return n;
}

// The budget holds one model and a half: the second waits for the first's jobs, then takes over.
static void test_budget(void **state)
{
    (void)state;
    sched_options o = small_options();
    o.memory_limit = bytes_of_one() * 3 / 2;
    o.keep_alive_ns = SCHED_FOREVER;
    sched *s = open_sched(&o);
    job jobs[4] = {make_job(1, 30), make_job(2, 30), make_job(3, 5), make_job(4, 5)};
    sched_loaded loaded[4];
    set_held(true);
    assert_int_equal(submit(s, &jobs[0], TINY, "a", 0), HEARTH_OK);
    wait_begun(1);
    assert_int_equal(submit(s, &jobs[1], TINY, "a", 0), HEARTH_OK);
    assert_int_equal(submit(s, &jobs[2], OTHER, "b", 0), HEARTH_OK);
    set_held(false);
    wait_done(3);
    assert_int_equal(jobs[2].status, HEARTH_OK);
    assert_int_equal(jobs[2].done_as, 3);
    assert_int_equal(sched_list(s, loaded, 4), 1);
    assert_string_equal(loaded[0].source, OTHER);
    assert_true(loaded[0].is_ready);
    assert_int_equal(loaded[0].expires_in_ns, SCHED_FOREVER);
    assert_int_equal(submit(s, &jobs[3], TINY, "a", 0), HEARTH_OK);
    wait_done(4);
    assert_int_equal(jobs[3].status, HEARTH_OK);
    release_all(s, jobs, 4);
    sched_close(s);
}

static void test_too_large(void **state)
{
    (void)state;
    sched_options o = small_options();
    o.memory_limit = bytes_of_one() / 2;
    sched *s = open_sched(&o);
    job j = make_job(1, 4), missing = make_job(1, 4);
    assert_int_equal(submit(s, &j, TINY, "a", 0), HEARTH_OK);
    wait_done(1);
    assert_int_equal(j.status, HEARTH_E_LIMIT);
    assert_non_null(strstr(j.message, "memory limit"));
    assert_int_equal(submit(s, &missing, "no-such-file.gguf", "a", 0), HEARTH_OK);
    wait_done(2);
    assert_int_equal(missing.status, HEARTH_E_NOTFOUND);
    sched_release(s, j.handle);
    sched_release(s, missing.handle);
    sched_close(s);
}

static void wait_for_count(sched *s, int n)
{
    for (int i = 0; i < 1000 && sched_list(s, NULL, 0) != n; i++) os_sleep_ns(10000000);
    assert_int_equal(sched_list(s, NULL, 0), n);
}

static void test_keep_alive(void **state)
{
    (void)state;
    sched_options o = small_options();
    sched *s = open_sched(&o);
    job jobs[2] = {make_job(1, 4), make_job(1, 4)};
    assert_int_equal(submit(s, &jobs[0], TINY, "a", 0), HEARTH_OK);
    wait_done(1);
    assert_int_equal(sched_list(s, NULL, 0), 1);
    assert_int_equal(sched_keep_alive(s, TINY, 0, NULL), HEARTH_OK);
    wait_for_count(s, 0);
    assert_int_equal(sched_keep_alive(s, TINY, 0, NULL), HEARTH_E_NOTFOUND);
    assert_int_equal(submit(s, &jobs[1], TINY, "a", 0), HEARTH_OK); // comes back
    wait_done(2);
    assert_int_equal(jobs[1].status, HEARTH_OK);
    release_all(s, jobs, 2);
    sched_close(s);
}

// Who runs when the engine dies fails with it; who waits gets the next one.
static void test_crash(void **state)
{
    (void)state;
    sched_options o = small_options();
    o.engine.n_seq = 2;
    sched *s = open_sched(&o);
    job running = make_job(1, -1), waiting = make_job(2, 5), killer = make_job(3, 0);
    set_held(true);
    assert_int_equal(submit(s, &running, TINY, "a", 0), HEARTH_OK);
    wait_begun(1);
    sched_request r = {.source = TINY, .client = "a", .priority = 2,
                       .calls = {.call = crash, .done = hear_done, .ctx = &killer}};
    assert_int_equal(sched_submit(s, &r, &killer.handle, NULL), HEARTH_OK);
    assert_int_equal(submit(s, &waiting, TINY, "a", 0), HEARTH_OK);
    set_held(false);
    wait_done(3);
    assert_int_equal(killer.status, HEARTH_E_CRASHED);
    assert_int_equal(running.status, HEARTH_E_CRASHED);
    assert_int_equal(waiting.status, HEARTH_OK);
    assert_int_equal(waiting.n_token, 5);
    sched_stats stats;
    sched_get_stats(s, &stats);
    assert_int_equal(stats.n_crashes, 1);
    assert_int_equal(stats.n_loads, 2);
    sched_release(s, running.handle);
    sched_release(s, killer.handle);
    sched_release(s, waiting.handle);
    sched_close(s);
}

static void test_close_while_running(void **state)
{
    (void)state;
    sched_options o = small_options();
    o.engine.n_seq = 1;
    sched *s = open_sched(&o);
    job jobs[3] = {make_job(1, -1), make_job(2, -1), make_job(3, 4)};
    for (int i = 0; i < 3; i++)
        assert_int_equal(submit(s, &jobs[i], i < 2 ? TINY : OTHER, "a", 0), HEARTH_OK);
    release_all(s, jobs, 3);
    sched_close(s);
    assert_int_equal(watching.n_done, 3);
}

int main(void)
{
    if (os_mutex_create(&watching.lock, NULL) || os_cond_create(&watching.changed, NULL)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_tokens), cmocka_unit_test(test_fair_queue),
        cmocka_unit_test(test_priority),    cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_full_queue),  cmocka_unit_test(test_budget),
        cmocka_unit_test(test_too_large),   cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_crash),       cmocka_unit_test(test_close_while_running),
    };
    int failed = cmocka_run_group_tests_name("sched", tests, NULL, NULL);
    os_cond_free(watching.changed);
    os_mutex_free(watching.lock);
    return failed;
}
