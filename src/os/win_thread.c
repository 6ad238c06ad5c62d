// Threads on Windows; see os.h. Slim locks and condition variables need no destruction.
#include <errno.h>
#include <process.h>
#include <windows.h>

#include "os/os.h"
#include "os/win_error.h"

struct os_thread {
    HANDLE handle;
    void (*fn)(void *);
    void *ctx;
};
struct os_mutex {
    SRWLOCK lock;
};
struct os_cond {
    CONDITION_VARIABLE c;
};

enum { STACK_BYTES = 2 << 20 };

bool os_has_threads(void)
{
    return true;
}

static unsigned __stdcall run_thread(void *arg)
{
    os_thread *t = arg;
    t->fn(t->ctx);
    return 0;
}

hearth_status os_thread_start(void (*fn)(void *), void *ctx, os_thread **out, hearth_err *err)
{
    *out = NULL;
    os_thread *t = os_heap_alloc(sizeof *t, alignof(os_thread));
    if (!t) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    t->fn = fn;
    t->ctx = ctx;
    t->handle = (HANDLE)_beginthreadex(NULL, STACK_BYTES, run_thread, t, 0, NULL);
    if (!t->handle) {
        os_heap_free(t);
        return err_fail(err, HEARTH_E_IO, "cannot start a thread");
    }
    *out = t;
    return HEARTH_OK;
}

void os_thread_join(os_thread *t)
{
    if (!t) return;
    WaitForSingleObject(t->handle, INFINITE);
    CloseHandle(t->handle);
    os_heap_free(t);
}

hearth_status os_mutex_create(os_mutex **out, hearth_err *err)
{
    *out = os_heap_alloc(sizeof **out, alignof(os_mutex));
    if (!*out) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    InitializeSRWLock(&(*out)->lock);
    return HEARTH_OK;
}

void os_mutex_free(os_mutex *m)
{
    os_heap_free(m);
}

void os_mutex_lock(os_mutex *m)
{
    AcquireSRWLockExclusive(&m->lock);
}

void os_mutex_unlock(os_mutex *m)
{
    ReleaseSRWLockExclusive(&m->lock);
}

hearth_status os_cond_create(os_cond **out, hearth_err *err)
{
    *out = os_heap_alloc(sizeof **out, alignof(os_cond));
    if (!*out) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    InitializeConditionVariable(&(*out)->c);
    return HEARTH_OK;
}

void os_cond_free(os_cond *c)
{
    os_heap_free(c);
}

void os_cond_wait(os_cond *c, os_mutex *m)
{
    SleepConditionVariableSRW(&c->c, &m->lock, INFINITE, 0);
}

bool os_cond_wait_for(os_cond *c, os_mutex *m, uint64_t ns)
{
    uint64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    DWORD wait = ms < INFINITE ? (DWORD)ms : INFINITE - 1;
    return SleepConditionVariableSRW(&c->c, &m->lock, wait, 0) != 0;
}

void os_cond_signal(os_cond *c)
{
    WakeConditionVariable(&c->c);
}

void os_cond_broadcast(os_cond *c)
{
    WakeAllConditionVariable(&c->c);
}

void os_cpu_relax(void)
{
    YieldProcessor();
}
