// The engine child, its channel and shared memory on POSIX; see os.h.
//
// The child is this executable again: fork, then only async-signal-safe calls, then exec of
// /proc/self/exe, which names the running program even after its file was replaced by an update.
//
//   fd    parent                      child
//   0                                 /dev/null
//   1, 2  stdout, stderr              the parent's stderr
//   3                                 its end of the socket pair
//   else  as before                   closed by exec
//
// A second, close-on-exec pipe tells the parent whether exec worked: end of file is success, an int
// is errno. SIGINT is ignored in the child: Ctrl-C at the terminal reaches the whole process group,
// but what it means is the parent's decision.
//
// Shared memory is a memfd, sealed against shrinking before it is sent: a receiver that maps a
// sealed descriptor cannot be hit by SIGBUS whatever the sender does later, and refuses any other.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

#include "os/os.h"
#include "os/posix_error.h"

enum { CHILD_FD = 3, SAFE_FD = 10, CLOSE_UP_TO = 4096 };

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 // macOS: SO_NOSIGPIPE is set on the socket instead
#endif
#if !defined(MSG_CMSG_CLOEXEC)
#define MSG_CMSG_CLOEXEC 0
#endif

struct os_process {
    pid_t pid;
};

// `users` counts calls in progress, so that closing can wait for them to leave.
struct os_channel {
    int fd;
    atomic_int users;
};

bool os_has_processes(void)
{
    return true;
}

// --- channel ------------------------------------------------------------------------------------

static os_channel *wrap_fd(int fd)
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

static int enter(os_channel *c)
{
    atomic_fetch_add(&c->users, 1);
    return c->fd;
}

static void leave(os_channel *c)
{
    atomic_fetch_sub(&c->users, 1);
}

hearth_status os_channel_inherited(os_channel **out, hearth_err *err)
{
    *out = NULL;
    struct stat st;
    if (fstat(CHILD_FD, &st) != 0 || !S_ISSOCK(st.st_mode))
        return err_fail(err, HEARTH_E_STATE, "this process was not started by Hearth");
    fcntl(CHILD_FD, F_SETFD, FD_CLOEXEC);
    *out = wrap_fd(CHILD_FD);
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
    hearth_status status = read_full(enter(c), p, n, end, err);
    leave(c);
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
    hearth_status status = write_full(enter(c), p, n, err);
    leave(c);
    return status;
}

bool os_channel_wait(os_channel *c, int timeout_ms)
{
    uint64_t start = os_now_ns();
    struct pollfd p = {.fd = enter(c), .events = POLLIN};
    int ready, left = timeout_ms;
    for (;;) {
        ready = poll(&p, 1, left);
        if (ready >= 0 || errno != EINTR || os_interrupted()) break;
        if (timeout_ms < 0) continue;
        int64_t passed = (int64_t)((os_now_ns() - start) / 1000000);
        left = (int)i64_max(timeout_ms - passed, 0);
    }
    leave(c);
    return ready > 0;
}

void os_channel_shutdown(os_channel *c)
{
    shutdown(enter(c), SHUT_RDWR);
    leave(c);
}

void os_channel_close(os_channel *c)
{
    if (!c) return;
    os_channel_shutdown(c); // wakes readers and writers in other threads
    while (atomic_load(&c->users) > 0) os_sleep_ns(100000);
    close(c->fd);
    os_heap_free(c);
}

// --- process ------------------------------------------------------------------------------------

// Everything the child needs is computed before the fork: between fork and exec only
// async-signal-safe functions may be called.
typedef struct child_plan {
    const char *exe;
    char *const *argv;
    int channel, report;
} child_plan;

#if defined(__APPLE__)
static bool find_self(char *path, size_t cap)
{
    uint32_t n = (uint32_t)cap;
    return _NSGetExecutablePath(path, &n) == 0;
}
#else
static bool find_self(char *path, size_t cap)
{
    static const char *const links[] = {"/proc/self/exe", "/proc/curproc/file"};
    for (size_t i = 0; i < COUNTOF(links); i++) {
        snprintf(path, cap, "%s", links[i]);
        if (access(path, X_OK) == 0) return true;
    }
    return false;
}
#endif

static void mark_others_cloexec(void)
{
#if defined(SYS_close_range)
    const unsigned cloexec = 4; // CLOSE_RANGE_CLOEXEC, Linux 5.11
    if (syscall(SYS_close_range, CHILD_FD + 1, ~0u, cloexec) == 0) return;
#endif
    for (int fd = CHILD_FD + 1; fd < CLOSE_UP_TO; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static bool place_fds(child_plan *plan)
{
    // Out of the way first: either descriptor may happen to be one of 0..3.
    plan->channel = fcntl(plan->channel, F_DUPFD_CLOEXEC, SAFE_FD);
    plan->report = fcntl(plan->report, F_DUPFD_CLOEXEC, SAFE_FD);
    if (plan->channel < 0 || plan->report < 0) return false;
    int empty = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (empty < 0 || (empty != 0 && dup2(empty, STDIN_FILENO) < 0)) return false;
    if (empty == 0) fcntl(empty, F_SETFD, 0);
    if (fcntl(STDERR_FILENO, F_GETFD) < 0) dup2(STDIN_FILENO, STDERR_FILENO);
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || dup2(plan->channel, CHILD_FD) < 0) return false;
    mark_others_cloexec();
    return true;
}

static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

ATTR_NORETURN static void become_child(child_plan plan)
{
    reset_signals();
    if (place_fds(&plan)) execv(plan.exe, plan.argv);
    int why = errno;
    ssize_t ignored = write(plan.report, &why, sizeof why);
    (void)ignored;
    _exit(127);
}

static hearth_status open_pair(int pair[2], int report[2], hearth_err *err)
{
    pair[0] = pair[1] = report[0] = report[1] = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || pipe(report) != 0)
        return posix_fail(err, errno, "create a channel");
    for (int i = 0; i < 2; i++) {
        fcntl(pair[i], F_SETFD, FD_CLOEXEC);
        fcntl(report[i], F_SETFD, FD_CLOEXEC);
    }
    return HEARTH_OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

// Waits for exec: 0, or the child's errno.
static int read_report(int fd)
{
    int why = 0;
    ssize_t k;
    do k = read(fd, &why, sizeof why);
    while (k < 0 && errno == EINTR);
    return k == (ssize_t)sizeof why ? why : 0;
}

static hearth_status fork_child(const child_plan *plan, int *report, os_process *p, hearth_err *err)
{
    p->pid = fork();
    if (p->pid == 0) become_child(*plan);
    if (p->pid < 0) return posix_fail(err, errno, "start a process");
    close_fd(&report[1]);
    int why = read_report(report[0]);
    if (why == 0) return HEARTH_OK;
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return posix_fail(err, why, "start the program again");
}

hearth_status os_process_start(const char *const *argv, os_process **out, os_channel **channel,
                               hearth_err *err)
{
    char exe[1024];
    int pair[2], report[2];
    *out = NULL;
    *channel = NULL;
    if (!find_self(exe, sizeof exe))
        return err_fail(err, HEARTH_E_UNSUPPORTED, "cannot find the running program's file");
    hearth_status status = open_pair(pair, report, err);
    os_process *p = os_heap_alloc(sizeof *p, alignof(os_process));
    os_channel *c = status == HEARTH_OK ? wrap_fd(pair[0]) : NULL;
    if (status == HEARTH_OK && (!p || !c)) status = err_fail(err, HEARTH_E_NOMEM, "out of memory");
    if (status == HEARTH_OK) {
        child_plan plan = {exe, (char *const *)(uintptr_t)argv, pair[1], report[1]};
        status = fork_child(&plan, report, p, err);
    }
    close_fd(&report[0]);
    close_fd(&report[1]);
    close_fd(&pair[1]);
    if (status != HEARTH_OK) {
        close_fd(&pair[0]);
        os_heap_free(c);
        os_heap_free(p);
        return status;
    }
    *out = p;
    *channel = c;
    return HEARTH_OK;
}

void os_process_wait(os_process *p, os_exit *ended)
{
    int status = 0;
    pid_t got;
    *ended = (os_exit){0};
    do got = waitpid(p->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got == p->pid && WIFSIGNALED(status)) {
        ended->crashed = true;
        ended->code = WTERMSIG(status);
        snprintf(ended->text, sizeof ended->text, "signal %d (%s)", ended->code,
                 strsignal(ended->code));
    } else {
        ended->code = got == p->pid ? WEXITSTATUS(status) : -1;
        snprintf(ended->text, sizeof ended->text, "exit status %d", ended->code);
    }
    os_heap_free(p);
}

void os_process_kill(os_process *p)
{
    kill(p->pid, SIGKILL);
}

// --- shared memory ------------------------------------------------------------------------------

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
    int socket_fd = enter(c);
    do k = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    int why = errno;
    leave(c);
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
    int socket_fd = enter(c);
    do k = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    while (k < 0 && errno == EINTR);
    int why = errno;
    leave(c);
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
    if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size < expected || !is_sealed(fd)) {
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
