// The engine child on POSIX; see os.h.
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
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

#include "os/posix_channel.h"
#include "os/posix_error.h"

enum { SAFE_FD = 10, CLOSE_UP_TO = 4096 };

struct os_process {
    pid_t pid;
};

bool os_has_processes(void)
{
    return true;
}

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
    if (syscall(SYS_close_range, CHANNEL_CHILD_FD + 1, ~0u, cloexec) == 0) return;
#endif
    for (int fd = CHANNEL_CHILD_FD + 1; fd < CLOSE_UP_TO; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
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
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return false;
    if (dup2(plan->channel, CHANNEL_CHILD_FD) < 0) return false;
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
    os_channel *c = status == HEARTH_OK ? posix_channel_wrap(pair[0]) : NULL;
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
