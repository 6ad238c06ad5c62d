// See posix_net.h. One thread in poll() over all sockets; a pipe wakes it when the list changes.
// poll() is everywhere and the list is a few hundred long at most, so epoll would gain nothing.
#define _GNU_SOURCE
#include "os/posix_net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"
#include "os/posix_error.h"

#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

typedef struct watched {
    int fd;
    uint64_t key;
} watched;

struct os_watch {
    void (*gone)(void *ctx, uint64_t key);
    void *ctx;
    os_thread *thread;
    os_mutex *lock;
    int wake[2];         // pipe: read end, write end
    bool is_closing;     // lock
    watched *list;       // lock; [cap], n used
    struct pollfd *poll; // the thread's own; [cap + 1]
    watched *seen;       // the thread's own copy; [cap]
    size_t n, cap;       // lock
};

enum { WATCH_MAX = 4096 };

static void wake(os_watch *w)
{
    ssize_t ignored = write(w->wake[1], "", 1); // a full pipe wakes as well
    (void)ignored;
}

static size_t copy_list(os_watch *w, bool *is_closing)
{
    os_mutex_lock(w->lock);
    size_t n = w->n;
    memcpy(w->seen, w->list, n * sizeof *w->seen);
    *is_closing = w->is_closing;
    os_mutex_unlock(w->lock);
    return n;
}

static void report(os_watch *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!w->poll[i + 1].revents) continue;
        os_watch_remove(w, w->seen[i].key);
        w->gone(w->ctx, w->seen[i].key);
    }
}

static void run_watch(void *ctx)
{
    os_watch *w = ctx;
    bool is_closing;
    char drain[64];
    for (;;) {
        size_t n = copy_list(w, &is_closing);
        if (is_closing) return;
        w->poll[0] = (struct pollfd){.fd = w->wake[0], .events = POLLIN};
        for (size_t i = 0; i < n; i++)
            w->poll[i + 1] = (struct pollfd){.fd = w->seen[i].fd, .events = POLLRDHUP};
        if (poll(w->poll, (nfds_t)(n + 1), -1) < 0) continue; // EINTR
        if (w->poll[0].revents) {
            ssize_t ignored = read(w->wake[0], drain, sizeof drain);
            (void)ignored;
        }
        report(w, n);
    }
}

static hearth_status open_pipe(os_watch *w, hearth_err *err)
{
    if (pipe(w->wake) != 0) {
        w->wake[0] = w->wake[1] = -1;
        return posix_fail(err, errno, "make a pipe");
    }
    for (int i = 0; i < 2; i++) {
        fcntl(w->wake[i], F_SETFD, FD_CLOEXEC);
        fcntl(w->wake[i], F_SETFL, O_NONBLOCK);
    }
    return HEARTH_OK;
}

static hearth_status take_tables(os_watch *w, hearth_err *err)
{
    w->cap = WATCH_MAX;
    w->list = os_heap_alloc(w->cap * sizeof *w->list, alignof(watched));
    w->seen = os_heap_alloc(w->cap * sizeof *w->seen, alignof(watched));
    w->poll = os_heap_alloc((w->cap + 1) * sizeof *w->poll, alignof(struct pollfd));
    return w->list && w->seen && w->poll ? HEARTH_OK
                                         : err_fail(err, HEARTH_E_NOMEM, "out of memory");
}

hearth_status os_watch_open(void (*gone)(void *ctx, uint64_t key), void *ctx, os_watch **out,
                            hearth_err *err)
{
    *out = NULL;
    os_watch *w = os_heap_alloc(sizeof *w, alignof(os_watch));
    if (!w) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    *w = (os_watch){.gone = gone, .ctx = ctx, .wake = {-1, -1}};
    hearth_status status = take_tables(w, err);
    if (status == HEARTH_OK) status = open_pipe(w, err);
    if (status == HEARTH_OK) status = os_mutex_create(&w->lock, err);
    if (status == HEARTH_OK) status = os_thread_start(run_watch, w, &w->thread, err);
    if (status != HEARTH_OK) {
        os_watch_close(w);
        return status;
    }
    *out = w;
    return HEARTH_OK;
}

void os_watch_close(os_watch *w)
{
    if (!w) return;
    if (w->thread) {
        os_mutex_lock(w->lock);
        w->is_closing = true;
        os_mutex_unlock(w->lock);
        wake(w);
        os_thread_join(w->thread);
    }
    os_mutex_free(w->lock);
    for (int i = 0; i < 2; i++)
        if (w->wake[i] >= 0) close(w->wake[i]);
    os_heap_free(w->poll);
    os_heap_free(w->seen);
    os_heap_free(w->list);
    os_heap_free(w);
}

hearth_status os_watch_add(os_watch *w, int fd, uint64_t key, hearth_err *err)
{
    os_mutex_lock(w->lock);
    bool has_room = w->n < w->cap;
    if (has_room) w->list[w->n++] = (watched){fd, key};
    os_mutex_unlock(w->lock);
    if (!has_room) return err_fail(err, HEARTH_E_LIMIT, "%d connections are watched", WATCH_MAX);
    wake(w);
    return HEARTH_OK;
}

void os_watch_remove(os_watch *w, uint64_t key)
{
    os_mutex_lock(w->lock);
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].key == key) w->list[i] = w->list[--w->n];
    os_mutex_unlock(w->lock);
    wake(w);
}
