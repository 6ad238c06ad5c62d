// Requests and replies over real sockets: at once, later, in pieces; clients that leave, bodies
// that are too long, and the end of the server while requests are open.
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "listen/listen.h"
#include "os/os.h"

enum { MAX_BODY = 1000, MAX_REPLY = 1 << 20 };

// --- the server ---------------------------------------------------------------------------------

static listen_exchange *_Atomic pending; // of /later and /stream, held
static atomic_int n_gone;

static void count_gone(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&n_gone, 1);
}

static void describe(listen_exchange *x, buf *out)
{
    const char *agent = listen_header(x, "X-Agent"), *q = listen_query(x, "q");
    char line[256];
    snprintf(line, sizeof line, "%s %s agent=%s q=%s client=%s body=", listen_method(x),
             listen_path(x), agent ? agent : "-", q ? q : "-", listen_client(x));
    buf_append_str(out, str_from(line));
    buf_append_str(out, listen_body(x));
}

static void keep(listen_exchange *x)
{
    listen_hold(x);
    listen_on_gone(x, count_gone, NULL);
    atomic_store(&pending, x);
}

static void take_request(void *ctx, listen_exchange *x)
{
    (void)ctx;
    buf text;
    buf_init(&text, MEM_TEST, 1 << 20);
    if (!strcmp(listen_path(x), "/later")) {
        keep(x);
    } else if (!strcmp(listen_path(x), "/stream")) {
        listen_begin(x, 200, "text/plain");
        keep(x);
    } else {
        listen_add_header(x, "X-Test", "yes", NULL);
        describe(x, &text);
        listen_reply(x, 200, "text/plain", buf_str(&text));
    }
    buf_release(&text);
}

static int accept_head(void *ctx, listen_exchange *x, const char **reply)
{
    (void)ctx;
    if (strcmp(listen_path(x), "/forbidden") != 0) return 0;
    *reply = "{\"error\":\"no\"}";
    return 403;
}

static listen_server *open_server(const char *unix_path)
{
    listen_options o;
    listen_server *l = NULL;
    hearth_err err = ERR_INIT;
    listen_options_default(&o);
    o.max_body = MAX_BODY;
    o.unix_path = unix_path;
    o.accept = accept_head;
    o.request = take_request;
    atomic_store(&pending, NULL);
    atomic_store(&n_gone, 0);
    if (listen_open(&o, &l, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return l;
}

static listen_exchange *wait_pending(void)
{
    listen_exchange *x = NULL;
    for (int i = 0; i < 2000 && !(x = atomic_load(&pending)); i++) os_sleep_ns(5000000);
    assert_non_null(x);
    return x;
}

static void wait_gone(int n)
{
    for (int i = 0; i < 2000 && atomic_load(&n_gone) < n; i++) os_sleep_ns(5000000);
    assert_int_equal(atomic_load(&n_gone), n);
}

// --- the client ---------------------------------------------------------------------------------

static int open_client(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&a, sizeof a), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    size_t n = strlen(text), at = 0;
    while (at < n) {
        ssize_t k = send(fd, text + at, n - at, MSG_NOSIGNAL);
        if (k <= 0) return; // the server may have refused already
        at += (size_t)k;
    }
}

// Reads until the text holds `until` or the end; returns what came.
static const char *read_until(int fd, const char *until)
{
    static char text[MAX_REPLY];
    size_t n = 0;
    text[0] = 0;
    while (n + 1 < sizeof text && !(until && strstr(text, until))) {
        ssize_t k = recv(fd, text + n, sizeof text - 1 - n, 0);
        if (k <= 0) break;
        n += (size_t)k;
        text[n] = 0;
    }
    return text;
}

static const char *ask(int port, const char *request, const char *until)
{
    int fd = open_client(port);
    send_text(fd, request);
    const char *text = read_until(fd, until);
    close(fd);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("no '%s' in: %s", part, text);
}

// --- tests --------------------------------------------------------------------------------------

static void test_request_parts(void **state)
{
    (void)state;
    listen_server *l = open_server(NULL);
    int port = listen_port(l);
    assert_int_not_equal(port, 0);
    const char *text = ask(port, "GET /a%20b?q=1%2B1 HTTP/1.1\r\nHost: x\r\nX-Agent: me\r\n\r\n",
                           "body=");
    assert_has(text, "HTTP/1.1 200");
    assert_has(text, "X-Test: yes");
    assert_has(text, "GET /a b agent=me q=1+1 client=127.0.0.1 body=");
    text = ask(port, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "body=hello");
    assert_has(text, "body=hello");
    text = ask(port, "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "body=abcde");
    assert_has(text, "body=abcde");
    text = ask(port, "HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL);
    assert_has(text, "HTTP/1.1 200");
    assert_null(strstr(text, "agent="));
    listen_close(l);
}

static void test_refusals(void **state)
{
    (void)state;
    listen_server *l = open_server(NULL);
    int port = listen_port(l);
    assert_has(ask(port, "GET /forbidden HTTP/1.1\r\nHost: x\r\n\r\n", "}"), "HTTP/1.1 403");
    assert_has(ask(port, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "}"),
               "HTTP/1.1 413");
    char large[2600] = "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7D0\r\n";
    size_t n = strlen(large);
    memset(large + n, 'x', 2000);
    memcpy(large + n + 2000, "\r\n0\r\n\r\n", 8);
    assert_has(ask(port, large, "}"), "HTTP/1.1 413");
    ask(port, "nonsense\r\n\r\n", NULL); // the connection ends, with or without a reply
    assert_has(ask(port, "GET /after HTTP/1.1\r\nHost: x\r\n\r\n", "body="), "/after");
    listen_close(l);
}

static void test_later(void **state)
{
    (void)state;
    listen_server *l = open_server(NULL);
    int fd = open_client(listen_port(l));
    for (int i = 0; i < 2; i++) { // on the same connection
        atomic_store(&pending, NULL);
        send_text(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        listen_exchange *x = wait_pending();
        listen_reply(x, 201, "text/plain", STR("at last."));
        listen_release(x);
        const char *text = read_until(fd, "last.");
        assert_has(text, "HTTP/1.1 201");
        assert_has(text, "at last.");
    }
    close(fd);
    listen_close(l);
    assert_int_equal(atomic_load(&n_gone), 0); // both replies were whole
}

static void test_stream(void **state)
{
    (void)state;
    listen_server *l = open_server(NULL);
    int fd = open_client(listen_port(l));
    send_text(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    listen_exchange *x = wait_pending();
    for (int i = 0; i < 3; i++) { // each piece arrives before the next one is written
        char piece[16];
        snprintf(piece, sizeof piece, "piece%d;", i);
        assert_int_equal(listen_write(x, str_from(piece), NULL), HEARTH_OK);
        assert_has(read_until(fd, piece), piece);
    }
    listen_end(x);
    listen_release(x);
    assert_has(read_until(fd, "0\r\n\r\n"), "0\r\n\r\n");
    close(fd);
    listen_close(l);
}

// A client that leaves is noticed while we have nothing to say, before the reply and within it.
static void test_client_leaves(void **state)
{
    (void)state;
    listen_server *l = open_server(NULL);
    int fd = open_client(listen_port(l));
    send_text(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    listen_exchange *x = wait_pending();
    close(fd);
    wait_gone(1);
    listen_reply(x, 200, "text/plain", STR("too late"));
    listen_release(x);
    atomic_store(&pending, NULL);
    fd = open_client(listen_port(l));
    send_text(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    x = wait_pending();
    assert_int_equal(listen_write(x, STR("begin"), NULL), HEARTH_OK);
    assert_has(read_until(fd, "begin"), "begin");
    close(fd);
    wait_gone(2);
    assert_int_equal(listen_write(x, STR("more"), NULL), HEARTH_E_CANCELED);
    listen_end(x);
    listen_release(x);
    listen_close(l);
}

static void end_later(void *ctx)
{
    listen_exchange *x = ctx;
    wait_gone(1);
    listen_end(x);
    listen_release(x);
}

// The server closes while a stream is open: its client is reported as gone, and closing waits for
// the holder.
static void test_close_with_open_stream(void **state)
{
    (void)state;
    listen_server *l = open_server(NULL);
    int fd = open_client(listen_port(l));
    os_thread *holder = NULL;
    send_text(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    listen_exchange *x = wait_pending();
    assert_int_equal(os_thread_start(end_later, x, &holder, NULL), HEARTH_OK);
    listen_close(l);
    os_thread_join(holder);
    read_until(fd, NULL); // ends
    close(fd);
}

static void test_many_clients(void **state)
{
    (void)state;
    enum { N = 60 };
    listen_server *l = open_server(NULL);
    int fd[N];
    for (int i = 0; i < N; i++) {
        fd[i] = open_client(listen_port(l));
        send_text(fd[i], "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nma");
    }
    for (int i = 0; i < N; i += 2) close(fd[i]); // in the middle of their bodies
    for (int i = 1; i < N; i += 2) {
        send_text(fd[i], "ny");
        assert_has(read_until(fd[i], "body=many"), "body=many");
        close(fd[i]);
    }
    listen_close(l);
}

static void test_socket_file(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/hearth-listen-%d.sock", (int)getpid());
    listen_server *l = open_server(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&a, sizeof a), 0);
    send_text(fd, "GET /u HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has(read_until(fd, "body="), "client=local");
    close(fd);
    listen_close(l);
    assert_int_not_equal(access(path, F_OK), 0); // it leaves nothing behind
}

static void test_port_taken(void **state)
{
    (void)state;
    listen_server *l = open_server(NULL), *second = NULL;
    listen_options o;
    hearth_err err = ERR_INIT;
    listen_options_default(&o);
    o.request = take_request;
    o.port = listen_port(l);
    assert_int_equal(listen_open(&o, &second, &err), HEARTH_E_NET);
    assert_null(second);
    assert_non_null(strstr(err.msg, "cannot listen"));
    listen_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_parts), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_later),         cmocka_unit_test(test_stream),
        cmocka_unit_test(test_client_leaves), cmocka_unit_test(test_close_with_open_stream),
        cmocka_unit_test(test_many_clients),  cmocka_unit_test(test_socket_file),
        cmocka_unit_test(test_port_taken),
    };
    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
