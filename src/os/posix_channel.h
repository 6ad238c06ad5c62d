// A channel's inside, shared by the POSIX files that use its socket.
#ifndef HEARTH_OS_POSIX_CHANNEL_H
#define HEARTH_OS_POSIX_CHANNEL_H

#include <stdatomic.h>

#include "os/os.h"

enum { CHANNEL_CHILD_FD = 3 }; // where the child finds its end

// `users` counts calls in progress, so that closing can wait for them to leave.
struct os_channel {
    int fd;
    atomic_int users;
};

// Takes over fd; NULL when memory is short.
os_channel *posix_channel_wrap(int fd);

static inline int channel_enter(os_channel *c)
{
    atomic_fetch_add(&c->users, 1);
    return c->fd;
}

static inline void channel_leave(os_channel *c)
{
    atomic_fetch_sub(&c->users, 1);
}

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 // macOS: SO_NOSIGPIPE is set on the socket instead
#endif

#endif
