// Shared memory on POSIX; see os.h.
//
// It is a memfd, sealed against shrinking before it is sent: a receiver that maps a sealed
// descriptor cannot be hit by SIGBUS whatever the sender does later, and refuses any other.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/posix_channel.h"
#include "os/posix_error.h"

#if !defined(MSG_CMSG_CLOEXEC)
#define MSG_CMSG_CLOEXEC 0
#endif

// id[0] is the descriptor plus one, so that zero means none.
static int fd_of(const os_shared *s)
{
    return (int)s->id[0] - 1;
}

#if defined(__linux__)
static int create_memory(void)
{
    return memfd_create("hearth", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static bool seal_size(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

static bool is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK);
}
#else
// Without seals the receiver trusts the sender not to shrink the object.
static int create_memory(void)
{
    uint64_t id;
    char name[32];
    if (os_random(&id, sizeof id, NULL) != HEARTH_OK) return -1;
    snprintf(name, sizeof name, "/hearth-%016llx", (unsigned long long)id);
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) shm_unlink(name);
    return fd;
}

static bool seal_size(int fd)
{
    (void)fd;
    return true;
}

static bool is_sealed(int fd)
{
    (void)fd;
    return true;
}
#endif

// Takes over fd; closes it on failure.
static hearth_status map_shared(int fd, size_t n, os_shared *out, hearth_err *err)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        hearth_status status = posix_fail(err, errno, "map shared memory");
        close(fd);
        return status;
    }
    *out = (os_shared){p, n, {(uint64_t)fd + 1, 0}};
    return HEARTH_OK;
}

hearth_status os_shared_create(size_t n, os_shared *out, hearth_err *err)
{
    *out = (os_shared){0};
    if (n == 0 || n > PTRDIFF_MAX)
        return err_fail(err, HEARTH_E_ARG, "shared memory of %zu bytes is not possible", n);
    int fd = create_memory();
    if (fd < 0) return posix_fail(err, errno, "create shared memory");
    if (ftruncate(fd, (off_t)n) != 0 || !seal_size(fd)) {
        hearth_status status = posix_fail(err, errno, "size shared memory");
        close(fd);
        return status;
    }
    return map_shared(fd, n, out, err);
}

// The descriptor travels with one byte, since a stream carries no message without data.
typedef union fd_message {
    struct cmsghdr head; // for its alignment
    char space[CMSG_SPACE(sizeof(int))];
} fd_message;

hearth_status os_shared_send(os_channel *c, const os_shared *s, hearth_err *err)
{
    char byte = 'S';
    struct iovec data = {&byte, 1};
    fd_message control = {.space = {0}};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int fd = fd_of(s);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    ssize_t k;
    int socket_fd = channel_enter(c);
    do k = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    int why = errno;
    channel_leave(c);
    return k == 1 ? HEARTH_OK : posix_fail(err, why, "send shared memory");
}

// The one descriptor of a message, or -1. Alignment leaves room for a second one, which a hostile
// sender may use: then both are closed. What has no room the kernel closes itself.
static int take_fd(struct msghdr *message)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) return -1;
    size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fd = -1;
    for (size_t i = 0; i < n; i++) {
        memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
        if (n == 1) fcntl(fd, F_SETFD, FD_CLOEXEC); // where MSG_CMSG_CLOEXEC is missing
        else close(fd);
    }
    return n == 1 ? fd : -1;
}

static hearth_status receive_fd(os_channel *c, int *fd, hearth_err *err)
{
    char byte = 0;
    struct iovec data = {&byte, 1};
    fd_message control = {.space = {0}};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    ssize_t k;
    int socket_fd = channel_enter(c);
    do k = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    while (k < 0 && errno == EINTR);
    int why = errno;
    channel_leave(c);
    if (k < 0) return posix_fail(err, why, "receive shared memory");
    *fd = take_fd(&message);
    if (*fd >= 0 && byte == 'S') return HEARTH_OK;
    if (*fd >= 0) close(*fd);
    return err_fail(err, HEARTH_E_NET, "expected shared memory, found %s",
                    k == 0 ? "the end of the connection" : "other data");
}

hearth_status os_shared_receive(os_channel *c, size_t expected, os_shared *out, hearth_err *err)
{
    int fd = -1;
    struct stat st;
    *out = (os_shared){0};
    if (expected == 0) return err_fail(err, HEARTH_E_ARG, "expected 0 bytes of shared memory");
    HEARTH_TRY(receive_fd(c, &fd, err));
    bool large = fstat(fd, &st) == 0 && st.st_size >= 0 && (uint64_t)st.st_size >= expected;
    if (!large || !is_sealed(fd)) {
        close(fd);
        return err_fail(err, HEARTH_E_NET, "shared memory: not %zu bytes of fixed size", expected);
    }
    return map_shared(fd, expected, out, err);
}

void os_shared_close(os_shared *s)
{
    if (s->data) munmap(s->data, s->size);
    if (s->id[0]) close(fd_of(s));
    *s = (os_shared){0};
}
