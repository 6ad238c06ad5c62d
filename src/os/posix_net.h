// Listening sockets, and a watch for the moment when the other side of a connection goes away,
// which libraries do not report while there is nothing to send or to receive.
#ifndef HEARTH_OS_POSIX_NET_H
#define HEARTH_OS_POSIX_NET_H

#include "defs/err.h"

// host: an address or a name; port 0: any free one. *fd: a socket that listens.
hearth_status os_listen_host(const char *host, int port, int *fd, hearth_err *err);
// A socket file that only this user may open. One that is there already is replaced.
hearth_status os_listen_path(const char *path, int *fd, hearth_err *err);
int os_socket_port(int fd); // 0 where it has none
void os_socket_close(int fd);
// "127.0.0.1" of a struct sockaddr; "local" where it has no address, or is NULL.
void os_address_text(const void *sockaddr, char *out, size_t cap);

typedef struct os_watch os_watch;
// gone() is called once for a socket that was added, from a thread of the watch's own, when the
// other side has closed its end (or only its sending direction) or the connection broke. It may
// still be called shortly after os_watch_remove(): `key` must be safe to be looked up then.
hearth_status os_watch_open(void (*gone)(void *ctx, uint64_t key), void *ctx, os_watch **out,
                            hearth_err *err);
void os_watch_close(os_watch *w); // waits for gone() to return; NULL is legal
hearth_status os_watch_add(os_watch *w, int fd, uint64_t key, hearth_err *err);
void os_watch_remove(os_watch *w, uint64_t key); // before the socket is closed

#endif
