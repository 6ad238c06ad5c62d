// See os_fault.h. Every line that begins with WRAP is read by tests/CMakeLists.txt too, which
// passes --wrap for the function it names.
#include "support/os_fault.h"

#include <stdatomic.h>

#include "os/os.h"

#if !OS_FAULT_WRAPPED

bool os_fault_available(void)
{
    return false;
}

uint64_t os_fault_arm(unsigned kinds, uint64_t n, bool sticky)
{
    (void)kinds, (void)n, (void)sticky;
    return 0;
}

#else

static atomic_uint armed_kinds;
static _Atomic uint64_t calls, fail_at;
static atomic_bool keep_failing;

bool os_fault_available(void)
{
    return true;
}

uint64_t os_fault_arm(unsigned kinds, uint64_t n, bool sticky)
{
    atomic_store(&armed_kinds, 0);
    uint64_t before = atomic_exchange(&calls, 0);
    atomic_store(&fail_at, n);
    atomic_store(&keep_failing, sticky);
    atomic_store(&armed_kinds, kinds);
    return before;
}

static bool must_fail(unsigned kind)
{
    if (!(atomic_load(&armed_kinds) & kind)) return false;
    uint64_t n = atomic_fetch_add(&calls, 1) + 1, at = atomic_load(&fail_at);
    return at != 0 && (n == at || (n > at && atomic_load(&keep_failing)));
}

#define INJECTED "injected fault"

// kind, status, function, parameters, arguments, what a failing call still does.
#define WRAP(kind, status, name, params, args, instead) \
    hearth_status __real_##name params;                 \
    hearth_status __wrap_##name params;                 \
    hearth_status __wrap_##name params                  \
    {                                                   \
        if (!must_fail(kind)) return __real_##name args; \
        instead;                                        \
        return err_fail(err, status, INJECTED);         \
    }

// clang-format off
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_map_file, (const char *path, os_mapping *out, hearth_err *err),
     (path, out, err), *out = (os_mapping){0})
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_file_open,
     (const char *path, os_open_mode mode, os_file **out, hearth_err *err), (path, mode, out, err),
     *out = NULL)
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_file_read,
     (os_file *f, void *p, size_t n, size_t *got, hearth_err *err), (f, p, n, got, err), *got = 0)
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_file_write,
     (os_file *f, const void *p, size_t n, hearth_err *err), (f, p, n, err),
     (void)__real_os_file_write(f, p, n / 2, NULL))
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_file_sync, (os_file *f, hearth_err *err), (f, err), (void)f)
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_file_close, (os_file *f, hearth_err *err), (f, err),
     (void)__real_os_file_close(f, NULL))
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_rename, (const char *from, const char *to, hearth_err *err),
     (from, to, err), (void)0)
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_remove, (const char *path, hearth_err *err),
     (path, err), (void)0)
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_mkdirs, (const char *path, hearth_err *err),
     (path, err), (void)0)
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_list_dir,
     (const char *path, bool (*fn)(void *ctx, const char *name), void *ctx, hearth_err *err),
     (path, fn, ctx, err), (void)0)
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_stream_read,
     (void *p, size_t n, size_t *got, hearth_err *err), (p, n, got, err), *got = 0)
WRAP(OS_FAULT_FILE, HEARTH_E_IO, os_stream_write,
     (os_stream s, const void *p, size_t n, hearth_err *err), (s, p, n, err), (void)0)
WRAP(OS_FAULT_MISC, HEARTH_E_IO, os_random, (void *p, size_t n, hearth_err *err),
     (p, n, err), (void)0)
WRAP(OS_FAULT_MISC, HEARTH_E_NOMEM, os_guarded_create,
     (size_t n, bool at_end, os_guarded *out, hearth_err *err), (n, at_end, out, err),
     *out = (os_guarded){0})
WRAP(OS_FAULT_THREAD, HEARTH_E_IO, os_thread_start,
     (void (*fn)(void *), void *ctx, os_thread **out, hearth_err *err), (fn, ctx, out, err),
     *out = NULL)
WRAP(OS_FAULT_THREAD, HEARTH_E_NOMEM, os_mutex_create, (os_mutex **out, hearth_err *err),
     (out, err),
     *out = NULL)
WRAP(OS_FAULT_THREAD, HEARTH_E_NOMEM, os_cond_create, (os_cond **out, hearth_err *err), (out, err),
     *out = NULL)
WRAP(OS_FAULT_PROCESS, HEARTH_E_IO, os_process_start,
     (const char *const *argv, os_process **out, os_channel **channel, hearth_err *err),
     (argv, out, channel, err), (*out = NULL, *channel = NULL))
WRAP(OS_FAULT_PROCESS, HEARTH_E_STATE, os_channel_inherited, (os_channel **out, hearth_err *err),
     (out, err), *out = NULL)
WRAP(OS_FAULT_PROCESS, HEARTH_E_NET, os_channel_read,
     (os_channel *c, void *p, size_t n, bool *end, hearth_err *err), (c, p, n, end, err),
     *end = false)
WRAP(OS_FAULT_PROCESS, HEARTH_E_NET, os_channel_write,
     (os_channel *c, const void *p, size_t n, hearth_err *err), (c, p, n, err), (void)0)
WRAP(OS_FAULT_PROCESS, HEARTH_E_NOMEM, os_shared_create,
     (size_t n, os_shared *out, hearth_err *err), (n, out, err), *out = (os_shared){0})
WRAP(OS_FAULT_PROCESS, HEARTH_E_NET, os_shared_send,
     (os_channel *c, const os_shared *s, hearth_err *err), (c, s, err), (void)0)
WRAP(OS_FAULT_PROCESS, HEARTH_E_NET, os_shared_receive,
     (os_channel *c, size_t expected, os_shared *out, hearth_err *err), (c, expected, out, err),
     *out = (os_shared){0})
// clang-format on

#define WRAP_POINTER(kind, name, params, args) \
    void *__real_##name params;                \
    void *__wrap_##name params;                \
    void *__wrap_##name params { return must_fail(kind) ? NULL : __real_##name args; }

WRAP_POINTER(OS_FAULT_HEAP, os_heap_alloc, (size_t n, size_t align), (n, align))

#endif
