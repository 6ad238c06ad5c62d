// Children of the same program, channels and shared memory. The program starts itself again with
// the name of a role as its first argument.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"
#include "support/os_fault.h"

enum { BIG = 3 << 20 }; // more than a socket's buffer holds

// --- roles --------------------------------------------------------------------------------------

static int play_echo(os_channel *c)
{
    static uint8_t bytes[BIG];
    for (;;) {
        uint32_t n;
        bool end;
        if (os_channel_read(c, &n, sizeof n, &end, NULL) != HEARTH_OK) return 9;
        if (end) return 0;
        if (n > BIG || os_channel_read(c, bytes, n, &end, NULL) != HEARTH_OK || end) return 8;
        if (os_channel_write(c, bytes, n, NULL) != HEARTH_OK) return 7;
    }
}

static int play_crash(os_channel *c)
{
    (void)c;
    signal(SIGSEGV, SIG_DFL); // sanitizers have their own idea
    raise(SIGSEGV);
    return 1;
}

static int play_hang(os_channel *c)
{
    (void)c;
    os_sleep_ns(UINT64_C(60000000000));
    return 1;
}

static int play_shared(os_channel *c)
{
    os_shared s;
    if (os_shared_receive(c, 10000, &s, NULL) != HEARTH_OK) return 6;
    for (size_t i = 0; i < s.size; i++) s.data[i]++;
    os_shared_close(&s);
    return os_channel_write(c, "k", 1, NULL) == HEARTH_OK ? 0 : 5;
}

// What the child was given: reports descriptors beyond its own four, an empty stdin, ignored
// SIGINT.
static int play_inventory(os_channel *c)
{
    uint8_t report[3] = {0};
    for (int fd = 4; fd < 256; fd++) if (fcntl(fd, F_GETFD) >= 0) report[0]++;
    char byte;
    report[1] = read(STDIN_FILENO, &byte, 1) == 0;
    struct sigaction action;
    report[2] = sigaction(SIGINT, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
    return os_channel_write(c, report, sizeof report, NULL) == HEARTH_OK ? 0 : 5;
}

static int play_exit(os_channel *c)
{
    (void)c;
    return 3;
}

static const struct {
    const char *name;
    int (*play)(os_channel *c);
} roles[] = {{"echo", play_echo},     {"crash", play_crash},         {"hang", play_hang},
             {"shared", play_shared}, {"inventory", play_inventory}, {"exit", play_exit}};

static int play_role(const char *name)
{
    os_channel *c = NULL;
    if (os_channel_inherited(&c, NULL) != HEARTH_OK) return 100;
    int status = 101;
    for (size_t i = 0; i < COUNTOF(roles); i++)
        if (strcmp(roles[i].name, name) == 0) status = roles[i].play(c);
    os_channel_close(c);
    return status;
}

// --- tests --------------------------------------------------------------------------------------

static os_process *start(const char *role, os_channel **c)
{
    const char *const argv[] = {"hearth-child", role, NULL};
    os_process *p = NULL;
    hearth_err err = ERR_INIT;
    if (os_process_start(argv, &p, c, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return p;
}

static void check_end(os_process *p, const char *expected)
{
    os_exit ended;
    os_process_wait(p, &ended);
    assert_string_equal(ended.text, expected);
    assert_int_equal(ended.crashed, expected[0] == 's');
}

static void send_length(os_channel *c, uint32_t n)
{
    assert_int_equal(os_channel_write(c, &n, sizeof n, NULL), HEARTH_OK);
}

static void test_echo(void **state)
{
    (void)state;
    static uint8_t out[BIG], in[BIG];
    const uint32_t sizes[] = {1, 5, 4096, BIG};
    os_channel *c;
    bool end;
    os_process *p = start("echo", &c);
    assert_false(os_channel_wait(c, 0));
    for (size_t k = 0; k < COUNTOF(sizes); k++) {
        for (uint32_t i = 0; i < sizes[k]; i++) out[i] = (uint8_t)(i * 7 + k);
        send_length(c, sizes[k]);
        assert_int_equal(os_channel_write(c, out, sizes[k], NULL), HEARTH_OK);
        assert_true(os_channel_wait(c, 10000));
        assert_int_equal(os_channel_read(c, in, sizes[k], &end, NULL), HEARTH_OK);
        assert_false(end);
        assert_memory_equal(in, out, sizes[k]);
    }
    os_channel_close(c);
    check_end(p, "exit status 0");
    os_channel_close(NULL);
}

static void test_ends(void **state)
{
    (void)state;
    os_channel *c;
    os_process *p = start("exit", &c);
    uint8_t byte;
    bool end = false;
    assert_true(os_channel_wait(c, 10000)); // the end counts as readable
    assert_int_equal(os_channel_read(c, &byte, 1, &end, NULL), HEARTH_OK);
    assert_true(end);
    check_end(p, "exit status 3");
    hearth_err err = ERR_INIT; // writing to nobody is an error, not a signal
    assert_int_equal(os_channel_write(c, &byte, 1, &err), HEARTH_E_NET);
    assert_string_equal(err.msg, "cannot write to the channel: broken pipe");
    os_channel_close(c);

    p = start("crash", &c);
    assert_int_equal(os_channel_read(c, &byte, 1, &end, NULL), HEARTH_OK);
    assert_true(end);
    check_end(p, "signal 11 (Segmentation fault)");
    os_channel_close(c);

    p = start("hang", &c);
    os_process_kill(p);
    check_end(p, "signal 9 (Killed)");
    os_channel_close(c);

    p = start("no such role", &c);
    check_end(p, "exit status 101");
    os_channel_close(c);
}

static void test_torn_message(void **state)
{
    (void)state;
    os_channel *c;
    os_process *p = start("echo", &c);
    send_length(c, 10);
    assert_int_equal(os_channel_write(c, "abc", 3, NULL), HEARTH_OK);
    os_channel_shutdown(c);
    check_end(p, "exit status 8"); // a close in the middle is an error there
    os_channel_close(c);
}

static void test_inventory(void **state)
{
    (void)state;
    os_channel *c;
    uint8_t report[3];
    bool end;
    int leaky = open("/dev/null", O_RDONLY); // without close-on-exec, as a host program might
    os_process *p = start("inventory", &c);
    assert_int_equal(os_channel_read(c, report, sizeof report, &end, NULL), HEARTH_OK);
    assert_int_equal(report[0], 0);
    assert_int_equal(report[1], 1);
    assert_int_equal(report[2], 1);
    check_end(p, "exit status 0");
    os_channel_close(c);
    close(leaky);
}

// The descriptors that the child's channel must move to may all be taken or all be free.
static void test_closed_stdin(void **state)
{
    (void)state;
    int saved = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    os_channel *c;
    os_process *p = start("echo", &c);
    char byte;
    bool end;
    send_length(c, 1);
    assert_int_equal(os_channel_write(c, "z", 1, NULL), HEARTH_OK);
    assert_int_equal(os_channel_read(c, &byte, 1, &end, NULL), HEARTH_OK);
    assert_int_equal(byte, 'z');
    os_channel_close(c);
    check_end(p, "exit status 0");
    if (saved >= 0) dup2(saved, STDIN_FILENO);
    if (saved >= 0) close(saved);
}

static void read_until_end(void *ctx)
{
    os_channel *c = ctx;
    uint8_t byte;
    bool end = false;
    while (!end && os_channel_read(c, &byte, 1, &end, NULL) == HEARTH_OK) continue;
}

static void test_shutdown_while_reading(void **state)
{
    (void)state;
    os_channel *c;
    os_thread *t;
    os_process *p = start("hang", &c);
    assert_int_equal(os_thread_start(read_until_end, c, &t, NULL), HEARTH_OK);
    os_sleep_ns(5000000);
    os_channel_shutdown(c);
    os_thread_join(t);
    os_process_kill(p);
    check_end(p, "signal 9 (Killed)");
    os_channel_close(c);
}

static void test_shared(void **state)
{
    (void)state;
    os_channel *c;
    os_shared s;
    uint8_t byte;
    bool end;
    assert_int_equal(os_shared_create(10000, &s, NULL), HEARTH_OK);
    assert_int_equal(s.size, 10000);
    for (size_t i = 0; i < s.size; i++) s.data[i] = (uint8_t)i;
    os_process *p = start("shared", &c);
    assert_int_equal(os_shared_send(c, &s, NULL), HEARTH_OK);
    assert_int_equal(os_channel_read(c, &byte, 1, &end, NULL), HEARTH_OK);
    assert_false(end);
    for (size_t i = 0; i < s.size; i++) assert_int_equal(s.data[i], (uint8_t)(i + 1));
    check_end(p, "exit status 0");
    os_channel_close(c);
    os_shared_close(&s);
    os_shared_close(&s);
    assert_int_equal(os_shared_create(0, &s, NULL), HEARTH_E_ARG);
    assert_int_equal(os_shared_create(SIZE_MAX, &s, NULL), HEARTH_E_ARG);
}

// --- a hostile sender: raw sockets in this process, the receiver at descriptor 3
// ------------------

static int saved_fd3 = -1;

static os_channel *open_hostile(int *raw)
{
    int pair[2];
    os_channel *c = NULL;
    saved_fd3 = fcntl(3, F_DUPFD_CLOEXEC, 10);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int far = fcntl(pair[0], F_DUPFD_CLOEXEC, 10), near = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(dup2(near, 3), 3);
    close(near);
    assert_int_equal(os_channel_inherited(&c, NULL), HEARTH_OK);
    *raw = far;
    return c;
}

static void close_hostile(os_channel *c, int raw)
{
    os_channel_close(c);
    close(raw);
    if (saved_fd3 >= 0) {
        dup2(saved_fd3, 3);
        close(saved_fd3);
    }
}

static void send_fds(int raw, char byte, const int *fds, size_t n)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control = {.space = {0}};
    struct iovec data = {&byte, 1};
    struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
    if (n > 0) {
        m.msg_control = control.space;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&m);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(head), fds, n * sizeof(int));
    }
    assert_int_equal(sendmsg(raw, &m, 0), 1);
}

static int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_hostile_sender(void **state)
{
    (void)state;
    int raw;
    os_channel *c = open_hostile(&raw);
    int unsealed = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int small = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int good = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(ftruncate(unsealed, 8192) == 0 && ftruncate(small, 8191) == 0);
    assert_true(ftruncate(good, 8192) == 0);
    assert_int_equal(fcntl(small, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_int_equal(fcntl(good, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), before = count_fds();
    const int pair[] = {good, good};
    const struct { char byte; const int *fds; size_t n; } cases[] = {
        {'S', &unsealed, 1}, {'S', &small, 1}, {'S', &null_fd, 1},
        {'S', NULL, 0},      {'x', &good, 1},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        os_shared s;
        send_fds(raw, cases[i].byte, cases[i].fds, cases[i].n);
        assert_int_equal(os_shared_receive(c, 8192, &s, NULL), HEARTH_E_NET);
        assert_null(s.data);
        assert_int_equal(count_fds(), before);
    }
    os_shared s;
    send_fds(raw, 'S', &good, 1);
    assert_int_equal(os_shared_receive(c, 8192, &s, NULL), HEARTH_OK);
    assert_int_equal(s.size, 8192);
    os_shared_close(&s);
    send_fds(raw, 'S', pair, 2);
    assert_int_equal(os_shared_receive(c, 8192, &s, NULL), HEARTH_E_NET);
    assert_int_equal(count_fds(), before);
    shutdown(raw, SHUT_RDWR);
    hearth_err err = ERR_INIT;
    assert_int_equal(os_shared_receive(c, 8192, &s, &err), HEARTH_E_NET);
    assert_string_equal(err.msg, "expected shared memory, found the end of the connection");
    close(unsealed);
    close(small);
    close(good);
    close(null_fd);
    close_hostile(c, raw);
}

static void test_no_leaks(void **state)
{
    (void)state;
    int before = count_fds();
    for (int i = 0; i < 20; i++) {
        os_channel *c;
        os_process *p = start("exit", &c);
        os_channel_close(c);
        check_end(p, "exit status 3");
    }
    assert_int_equal(count_fds(), before);
    if (!os_fault_available()) return;
    const char *const argv[] = {"hearth-child", "exit", NULL};
    for (uint64_t n = 1; n <= 2; n++) { // either of the two blocks of memory
        os_channel *c = (os_channel *)1;
        os_process *p = (os_process *)1;
        os_fault_arm(OS_FAULT_HEAP, n, false);
        hearth_status status = os_process_start(argv, &p, &c, NULL);
        os_fault_arm(0, 0, false);
        assert_null(p);
        assert_null(c);
        assert_int_equal(status, HEARTH_E_NOMEM);
        assert_int_equal(count_fds(), before);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) return play_role(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),          cmocka_unit_test(test_ends),
        cmocka_unit_test(test_torn_message),  cmocka_unit_test(test_inventory),
        cmocka_unit_test(test_closed_stdin),  cmocka_unit_test(test_shutdown_while_reading),
        cmocka_unit_test(test_shared),        cmocka_unit_test(test_hostile_sender),
        cmocka_unit_test(test_no_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
