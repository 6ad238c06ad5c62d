// Threads on POSIX; see os.h.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "os/os.h"
#include "os/posix_error.h"

struct os_thread {
    pthread_t handle;
    void (*fn)(void *);
    void *ctx;
};
struct os_mutex {
    pthread_mutex_t m;
};
struct os_cond {
    pthread_cond_t c;
};

// musl gives 128 KB by default, which deep C libraries above us may exceed; glibc's 8 MB is
// wasteful.
enum { STACK_BYTES = 2 << 20 };

bool os_has_threads(void)
{
    return true;
}

static void *run_thread(void *arg)
{
    os_thread *t = arg;
    t->fn(t->ctx);
    return NULL;
}

// Signals meant for the program go to the main thread, whose waits they are to end; those that
// report a fault of the very thread stay open.
static void block_signals(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    for (size_t i = 0; i < COUNTOF(faults); i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

hearth_status os_thread_start(void (*fn)(void *), void *ctx, os_thread **out, hearth_err *err)
{
    *out = NULL;
    os_thread *t = os_heap_alloc(sizeof *t, alignof(os_thread));
    if (!t) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    t->fn = fn;
    t->ctx = ctx;
    pthread_attr_t attr;
    sigset_t old;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    block_signals(&old);
    int failed = pthread_create(&t->handle, &attr, run_thread, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (failed) {
        os_heap_free(t);
        return posix_fail(err, failed, "start a thread");
    }
    *out = t;
    return HEARTH_OK;
}

void os_thread_join(os_thread *t)
{
    if (!t) return;
    pthread_join(t->handle, NULL);
    os_heap_free(t);
}

hearth_status os_mutex_create(os_mutex **out, hearth_err *err)
{
    *out = NULL;
    os_mutex *m = os_heap_alloc(sizeof *m, alignof(os_mutex));
    if (!m) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    int failed = pthread_mutex_init(&m->m, NULL);
    if (failed) {
        os_heap_free(m);
        return posix_fail(err, failed, "create a mutex");
    }
    *out = m;
    return HEARTH_OK;
}

void os_mutex_free(os_mutex *m)
{
    if (!m) return;
    pthread_mutex_destroy(&m->m);
    os_heap_free(m);
}

void os_mutex_lock(os_mutex *m)
{
    int failed = pthread_mutex_lock(&m->m);
    ASSERT(!failed);
    (void)failed;
}

void os_mutex_unlock(os_mutex *m)
{
    int failed = pthread_mutex_unlock(&m->m);
    ASSERT(!failed);
    (void)failed;
}

// Timed waits follow the monotonic clock, so that setting the date ends none of them. macOS cannot
// choose the clock; there the wall clock is used.
#if defined(__APPLE__)
#define COND_CLOCK CLOCK_REALTIME
#else
#define COND_CLOCK CLOCK_MONOTONIC
#endif

static int init_cond(pthread_cond_t *c)
{
#if defined(__APPLE__)
    return pthread_cond_init(c, NULL);
#else
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, COND_CLOCK);
    int failed = pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
    return failed;
#endif
}

hearth_status os_cond_create(os_cond **out, hearth_err *err)
{
    *out = NULL;
    os_cond *c = os_heap_alloc(sizeof *c, alignof(os_cond));
    if (!c) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    int failed = init_cond(&c->c);
    if (failed) {
        os_heap_free(c);
        return posix_fail(err, failed, "create a condition");
    }
    *out = c;
    return HEARTH_OK;
}

void os_cond_free(os_cond *c)
{
    if (!c) return;
    pthread_cond_destroy(&c->c);
    os_heap_free(c);
}

void os_cond_wait(os_cond *c, os_mutex *m)
{
    pthread_cond_wait(&c->c, &m->m);
}

bool os_cond_wait_for(os_cond *c, os_mutex *m, uint64_t ns)
{
    const uint64_t second = 1000000000;
    struct timespec until;
    clock_gettime(COND_CLOCK, &until);
    ns = ns < UINT64_C(1) << 60 ? ns : UINT64_C(1) << 60; // 36 years; keeps tv_sec in range
    uint64_t nsec = (uint64_t)until.tv_nsec + ns % second;
    until.tv_sec += (time_t)(ns / second + nsec / second);
    until.tv_nsec = (long)(nsec % second);
    return pthread_cond_timedwait(&c->c, &m->m, &until) != ETIMEDOUT;
}

void os_cond_signal(os_cond *c)
{
    pthread_cond_signal(&c->c);
}

void os_cond_broadcast(os_cond *c)
{
    pthread_cond_broadcast(&c->c);
}

void os_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory"); // yield is a no-op on most cores; isb waits a little
#endif
}
