// Heap, streams, time, entropy, the machine, Ctrl-C and guarded memory on POSIX; see os.h.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"
#include "os/posix_error.h"

void *os_heap_alloc(size_t n, size_t align)
{
    void *p = NULL;
    if (n > PTRDIFF_MAX) return NULL; // sanitizers would stop the program instead
    if (n == 0) n = 1;
    if (align < sizeof(void *)) align = sizeof(void *); // what posix_memalign demands
    return posix_memalign(&p, align, n) == 0 ? p : NULL;
}

void os_heap_free(void *p)
{
    free(p);
}

// --- streams ------------------------------------------------------------------------------------

static void wait_ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    poll(&p, 1, -1);
}

hearth_status os_stream_read(void *p, size_t n, size_t *got, hearth_err *err)
{
    *got = 0;
    for (;;) {
        ssize_t k = read(STDIN_FILENO, p, n);
        if (k >= 0) {
            *got = (size_t)k;
            return HEARTH_OK;
        }
        if (errno == EINTR && os_interrupted())
            return err_fail(err, HEARTH_E_CANCELED, "interrupted");
        if (errno == EAGAIN) wait_ready(STDIN_FILENO, POLLIN);
        else if (errno != EINTR) return posix_fail(err, errno, "read the standard input");
    }
}

hearth_status os_stream_write(os_stream s, const void *p, size_t n, hearth_err *err)
{
    ASSERT(s != OS_STDIN);
    int fd = s == OS_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
    for (size_t done = 0; done < n;) {
        ssize_t k = write(fd, (const uint8_t *)p + done, size_min(n - done, (size_t)1 << 30));
        if (k >= 0) done += (size_t)k;
        else if (errno == EAGAIN) wait_ready(fd, POLLOUT);
        else if (errno != EINTR) return posix_fail(err, errno, "write the output");
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
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

const char *os_env(const char *name)
{
    return getenv(name);
}

// --- time, entropy ------------------------------------------------------------------------------

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
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
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

uint64_t os_memory_peak_self(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) != 0) return 0;
#if defined(__APPLE__)
    return (uint64_t)use.ru_maxrss;
#else
    return (uint64_t)use.ru_maxrss * 1024;
#endif
}

// --- interruption -------------------------------------------------------------------------------

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    if (interrupted) {
        signal(number, SIG_DFL);
        raise(number); // delivered when this handler returns: ends with the status of a Ctrl-C
        return;
    }
    interrupted = 1;
}

void os_interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = on_interrupt}; // no SA_RESTART: waits end early
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool os_interrupted(void)
{
    return interrupted != 0;
}

void os_interrupt_clear(void)
{
    interrupted = 0;
}

void os_pipe_errors(void)
{
    signal(SIGPIPE, SIG_IGN);
}

// --- guarded memory -----------------------------------------------------------------------------

// | unreadable page | pages of the data | unreadable page |; id: start and length of the whole.
hearth_status os_guarded_create(size_t n, bool at_end, os_guarded *out, hearth_err *err)
{
    *out = (os_guarded){0};
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole;
    if (!add_ok(n, 3 * page - 1, &whole))
        return err_fail(err, HEARTH_E_NOMEM, "%zu bytes do not fit the address space", n);
    whole &= ~(page - 1);
    void *p = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return posix_fail(err, errno, "map memory");
    uint8_t *first = (uint8_t *)p + page;
    size_t inner = whole - 2 * page;
    if (inner > 0 && mprotect(first, inner, PROT_READ | PROT_WRITE) != 0) {
        hearth_status status = posix_fail(err, errno, "open guarded memory");
        munmap(p, whole);
        return status;
    }
    *out = (os_guarded){at_end ? first + (inner - n) : first, n, {(uintptr_t)p, whole}};
    return HEARTH_OK;
}

void os_guarded_protect(os_guarded *g, bool readable, bool writable)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size_t)g->id[1] - 2 * page;
    int rights = (readable ? PROT_READ : PROT_NONE) | (writable ? PROT_WRITE : PROT_NONE);
    if (inner == 0) return;
    int failed = mprotect((uint8_t *)(uintptr_t)g->id[0] + page, inner, rights);
    ASSERT(!failed);
    (void)failed;
}

void os_guarded_free(os_guarded *g)
{
    if (g->id[0]) munmap((void *)(uintptr_t)g->id[0], (size_t)g->id[1]);
    *g = (os_guarded){0};
}
