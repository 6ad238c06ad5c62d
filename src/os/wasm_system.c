// Everything but files under WASI (preview 1): one thread, no signals, no children; see os.h.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"
#include "os/posix_error.h"

void *os_heap_alloc(size_t n, size_t align)
{
    void *p = NULL;
    if (n > PTRDIFF_MAX) return NULL;
    return posix_memalign(&p, size_max(align, sizeof(void *)), n ? n : 1) == 0 ? p : NULL;
}

void os_heap_free(void *p)
{
    free(p);
}

// --- streams ------------------------------------------------------------------------------------

hearth_status os_stream_read(void *p, size_t n, size_t *got, hearth_err *err)
{
    ssize_t k = read(STDIN_FILENO, p, n);
    *got = k > 0 ? (size_t)k : 0;
    return k >= 0 ? HEARTH_OK : posix_fail(err, errno, "read the standard input");
}

hearth_status os_stream_write(os_stream s, const void *p, size_t n, hearth_err *err)
{
    ASSERT(s != OS_STDIN);
    int fd = s == OS_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
    for (size_t done = 0; done < n;) {
        ssize_t k = write(fd, (const uint8_t *)p + done, n - done);
        if (k < 0) return posix_fail(err, errno, "write the output");
        done += (size_t)k;
    }
    return HEARTH_OK;
}

bool os_is_terminal(os_stream s)
{
    static const int fds[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    return isatty(fds[s]) == 1;
}

int os_terminal_width(void)
{
    return 80;
}

const char *os_env(const char *name)
{
    return getenv(name);
}

// --- time, entropy, machine ---------------------------------------------------------------------

uint64_t os_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int64_t os_unix_seconds(void)
{
    return (int64_t)time(NULL);
}

void os_sleep_ns(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&t, NULL);
}

hearth_status os_random(void *p, size_t n, hearth_err *err)
{
    enum { AT_ONCE = 256 }; // getentropy's limit
    for (size_t done = 0, k; done < n; done += k) {
        k = size_min(n - done, AT_ONCE);
        if (getentropy((uint8_t *)p + done, k) != 0)
            return posix_fail(err, errno, "get random numbers");
    }
    return HEARTH_OK;
}

int os_cpu_count(void)
{
    return 1;
}

uint64_t os_memory_total(void)
{
    return 0;
}

uint64_t os_memory_available(void)
{
    return 0;
}

uint64_t os_memory_peak_self(void)
{
    return 0;
}

// --- threads: there is one, so every lock is free -----------------------------------------------

// C has no empty structs; these are never read.
struct os_mutex {
    int unused;
};
struct os_cond {
    int unused;
};

bool os_has_threads(void)
{
    return false;
}

hearth_status os_thread_start(void (*fn)(void *), void *ctx, os_thread **out, hearth_err *err)
{
    (void)fn, (void)ctx;
    *out = NULL;
    return err_fail(err, HEARTH_E_UNSUPPORTED, "threads are not available on this platform");
}

void os_thread_join(os_thread *t)
{
    (void)t;
}

hearth_status os_mutex_create(os_mutex **out, hearth_err *err)
{
    *out = os_heap_alloc(sizeof **out, alignof(os_mutex));
    return *out ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "out of memory");
}

void os_mutex_free(os_mutex *m)
{
    os_heap_free(m);
}

void os_mutex_lock(os_mutex *m)
{
    (void)m;
}

void os_mutex_unlock(os_mutex *m)
{
    (void)m;
}

hearth_status os_cond_create(os_cond **out, hearth_err *err)
{
    *out = os_heap_alloc(sizeof **out, alignof(os_cond));
    return *out ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "out of memory");
}

void os_cond_free(os_cond *c)
{
    os_heap_free(c);
}

// Nobody else could signal: waiting without a limit is a deadlock of the caller's making.
void os_cond_wait(os_cond *c, os_mutex *m)
{
    (void)c, (void)m;
    TRAP();
}

bool os_cond_wait_for(os_cond *c, os_mutex *m, uint64_t ns)
{
    (void)c, (void)m;
    os_sleep_ns(ns);
    return false;
}

void os_cond_signal(os_cond *c)
{
    (void)c;
}

void os_cond_broadcast(os_cond *c)
{
    (void)c;
}

void os_cpu_relax(void)
{
}

// --- interruption, guarded memory ---------------------------------------------------------------

void os_interrupt_catch(void)
{
}

bool os_interrupted(void)
{
    return false;
}

void os_interrupt_clear(void)
{
}

// There is no such signal here.
void os_pipe_errors(void)
{
}

// No pages to protect: plain memory, so that tests that need only the data still run.
hearth_status os_guarded_create(size_t n, bool at_end, os_guarded *out, hearth_err *err)
{
    (void)at_end;
    *out = (os_guarded){.data = os_heap_alloc(n, 64), .size = n};
    return out->data ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "out of memory");
}

void os_guarded_protect(os_guarded *g, bool readable, bool writable)
{
    (void)g, (void)readable, (void)writable;
}

void os_guarded_free(os_guarded *g)
{
    os_heap_free(g->data);
    *g = (os_guarded){0};
}
