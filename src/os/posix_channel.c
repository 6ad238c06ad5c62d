// Channels on POSIX: one end of a pair of connected stream sockets; see os.h.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/posix_channel.h"
#include "os/posix_error.h"

os_channel *posix_channel_wrap(int fd)
{
    os_channel *c = os_heap_alloc(sizeof *c, alignof(os_channel));
    if (!c) return NULL;
    c->fd = fd;
    atomic_init(&c->users, 0);
#if defined(SO_NOSIGPIPE)
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return c;
}

hearth_status os_channel_inherited(os_channel **out, hearth_err *err)
{
    *out = NULL;
    struct stat st;
    if (fstat(CHANNEL_CHILD_FD, &st) != 0 || !S_ISSOCK(st.st_mode))
        return err_fail(err, HEARTH_E_STATE, "this process was not started by Hearth");
    fcntl(CHANNEL_CHILD_FD, F_SETFD, FD_CLOEXEC);
    *out = posix_channel_wrap(CHANNEL_CHILD_FD);
    return *out ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "out of memory");
}

static hearth_status read_full(int fd, void *p, size_t n, bool *end, hearth_err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = recv(fd, (uint8_t *)p + done, n - done, 0);
        if (k > 0) {
            done += (size_t)k;
        } else if (k == 0) {
            *end = done == 0;
            if (*end) return HEARTH_OK;
            return err_fail(err, HEARTH_E_NET, "connection closed after %zu of %zu bytes", done, n);
        } else if (errno != EINTR) {
            return posix_fail(err, errno, "read from the channel");
        }
    }
    return HEARTH_OK;
}

hearth_status os_channel_read(os_channel *c, void *p, size_t n, bool *end, hearth_err *err)
{
    *end = false;
    hearth_status status = read_full(channel_enter(c), p, n, end, err);
    channel_leave(c);
    return status;
}

static hearth_status write_full(int fd, const void *p, size_t n, hearth_err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = send(fd, (const uint8_t *)p + done, n - done, MSG_NOSIGNAL);
        if (k >= 0) done += (size_t)k;
        else if (errno != EINTR) return posix_fail(err, errno, "write to the channel");
    }
    return HEARTH_OK;
}

hearth_status os_channel_write(os_channel *c, const void *p, size_t n, hearth_err *err)
{
    hearth_status status = write_full(channel_enter(c), p, n, err);
    channel_leave(c);
    return status;
}

bool os_channel_wait(os_channel *c, int timeout_ms)
{
    uint64_t start = os_now_ns();
    struct pollfd p = {.fd = channel_enter(c), .events = POLLIN};
    int ready, left = timeout_ms;
    for (;;) {
        ready = poll(&p, 1, left);
        if (ready >= 0 || errno != EINTR || os_interrupted()) break;
        if (timeout_ms < 0) continue;
        int64_t passed = (int64_t)((os_now_ns() - start) / 1000000);
        left = (int)i64_max(timeout_ms - passed, 0);
    }
    channel_leave(c);
    return ready > 0;
}

void os_channel_shutdown(os_channel *c)
{
    shutdown(channel_enter(c), SHUT_RDWR);
    channel_leave(c);
}

void os_channel_close(os_channel *c)
{
    if (!c) return;
    os_channel_shutdown(c); // wakes readers and writers in other threads
    while (atomic_load(&c->users) > 0) os_sleep_ns(100000);
    close(c->fd);
    os_heap_free(c);
}
