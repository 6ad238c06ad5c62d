// Children, channels and shared memory where there are none: Windows (so far) and WASI. See os.h.
//
// os_has_processes() is false, and callers then keep the engine in their own process; every call
// that could make an object says so, and the others are never reached with one.
#include "os/os.h"

bool os_has_processes(void)
{
    return false;
}

static hearth_status refuse(hearth_err *err)
{
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "child processes are not available on this platform");
}

hearth_status os_process_start(const char *const *argv, os_process **out, os_channel **channel,
                               hearth_err *err)
{
    (void)argv;
    *out = NULL;
    *channel = NULL;
    return refuse(err);
}

void os_process_wait(os_process *p, os_exit *ended)
{
    (void)p;
    *ended = (os_exit){0};
}

void os_process_kill(os_process *p)
{
    (void)p;
}

hearth_status os_channel_inherited(os_channel **out, hearth_err *err)
{
    *out = NULL;
    return refuse(err);
}

hearth_status os_channel_read(os_channel *c, void *p, size_t n, bool *end, hearth_err *err)
{
    (void)c, (void)p, (void)n;
    *end = false;
    return refuse(err);
}

hearth_status os_channel_write(os_channel *c, const void *p, size_t n, hearth_err *err)
{
    (void)c, (void)p, (void)n;
    return refuse(err);
}

bool os_channel_wait(os_channel *c, int timeout_ms)
{
    (void)c, (void)timeout_ms;
    return false;
}

void os_channel_shutdown(os_channel *c)
{
    (void)c;
}

void os_channel_close(os_channel *c)
{
    (void)c;
}

hearth_status os_shared_create(size_t n, os_shared *out, hearth_err *err)
{
    (void)n;
    *out = (os_shared){0};
    return refuse(err);
}

hearth_status os_shared_send(os_channel *c, const os_shared *s, hearth_err *err)
{
    (void)c, (void)s;
    return refuse(err);
}

hearth_status os_shared_receive(os_channel *c, size_t expected, os_shared *out, hearth_err *err)
{
    (void)c, (void)expected;
    *out = (os_shared){0};
    return refuse(err);
}

void os_shared_close(os_shared *s)
{
    *s = (os_shared){0};
}
