// Listening sockets; see posix_net.h.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/os.h"
#include "os/posix_error.h"
#include "os/posix_net.h"

enum { BACKLOG = 128 };

static int open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static int listen_on(const struct addrinfo *a)
{
    int on = 1, fd = open_socket(a->ai_family);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

hearth_status os_listen_host(const char *host, int port, int *fd, hearth_err *err)
{
    struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
                            .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char digits[16];
    *fd = -1;
    snprintf(digits, sizeof digits, "%d", port);
    if (getaddrinfo(host, digits, &want, &found) != 0)
        return err_fail(err, HEARTH_E_NET, "'%s': there is no such address here", host);
    for (const struct addrinfo *a = found; a && *fd < 0; a = a->ai_next) *fd = listen_on(a);
    int why = errno;
    freeaddrinfo(found);
    if (*fd >= 0) return HEARTH_OK;
    return err_fail(err, HEARTH_E_NET, "%s port %d: cannot listen there (%s)", host, port,
                    strerror(why));
}

hearth_status os_listen_path(const char *path, int *fd, hearth_err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    *fd = -1;
    if (strlen(path) >= sizeof a.sun_path)
        return err_fail(err, HEARTH_E_ARG, "'%s': a socket's path has at most %zu bytes", path,
                        sizeof a.sun_path - 1);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode)) unlink(path);
    int s = open_socket(AF_UNIX);
    mode_t before = umask(0177);
    bool ok = s >= 0 && bind(s, (struct sockaddr *)(void *)&a, sizeof a) == 0;
    umask(before);
    if (ok && listen(s, BACKLOG) == 0) {
        *fd = s;
        return HEARTH_OK;
    }
    int why = errno;
    if (s >= 0) close(s);
    return err_fail(err, HEARTH_E_NET, "'%s': cannot listen there (%s)", path, strerror(why));
}

int os_socket_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)(void *)&a, &n) != 0) return 0;
    if (a.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)(void *)&a)->sin_port);
    if (a.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)(void *)&a)->sin6_port);
    return 0;
}

void os_socket_close(int fd) { close(fd); }

void os_address_text(const void *sockaddr, char *out, size_t cap)
{
    const struct sockaddr_in *v4 = sockaddr;
    const struct sockaddr_in6 *v6 = sockaddr;
    int family = sockaddr ? ((const struct sockaddr *)sockaddr)->sa_family : AF_UNSPEC;
    snprintf(out, cap, "local");
    if (family == AF_INET) inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)cap);
    if (family == AF_INET6) inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)cap);
}
