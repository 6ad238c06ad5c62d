// The operating system, as the rest of Hearth sees it.
//
// One interface, implemented by posix_*.c, win_*.c or wasm_*.c; nothing outside os/ includes a
// platform header, forks, maps or names a platform. Functions that can fail return hearth_status;
// messages do not name the path: callers add it with err_prefix(). What does not exist is
// HEARTH_E_NOTFOUND. All functions are safe from any thread unless said otherwise. Paths are UTF-8.
//
// Tests put tests/support/os_fault.c in front, which counts the fallible calls and fails the n-th.
#ifndef HEARTH_OS_OS_H
#define HEARTH_OS_OS_H

#include "defs/defs.h"
#include "defs/err.h"

// --- heap: the only calls to malloc; everyone else uses base/mem.h -------------------------------
void *os_heap_alloc(size_t n, size_t align); // align: power of two; NULL when it fails
void os_heap_free(void *p);                  // NULL is legal

// --- files --------------------------------------------------------------------------------------
// A whole file mapped read-only. `data` is NULL for an empty file. Another program that truncates
// the file while it is mapped turns a read into SIGBUS; the engine process contains that.
typedef struct os_mapping {
    const uint8_t *data;
    size_t size;
    uint64_t id[2]; // platform private
} os_mapping;

hearth_status os_map_file(const char *path, os_mapping *out, hearth_err *err);
void os_unmap(os_mapping *m); // idempotent; zeroes *m
// Advice only: `n` bytes at `p` will be read soon / in order. Never fails.
void os_map_will_need(const void *p, size_t n);
// Likewise: `n` bytes at `p` will not be read soon; whole pages of them may leave memory.
void os_map_done(const void *p, size_t n);

typedef struct os_file os_file; // unbuffered
typedef enum os_open_mode { OS_READ, OS_CREATE, OS_CREATE_NEW } os_open_mode; // CREATE truncates
hearth_status os_file_open(const char *path, os_open_mode mode, os_file **out, hearth_err *err);
// Reads up to n bytes; *got < n only at the end of the file.
hearth_status os_file_read(os_file *f, void *p, size_t n, size_t *got, hearth_err *err);
hearth_status os_file_write(os_file *f, const void *p, size_t n, hearth_err *err);
hearth_status os_file_sync(os_file *f, hearth_err *err);
// Closes and frees also when it fails. NULL is legal.
hearth_status os_file_close(os_file *f, hearth_err *err);
hearth_status os_rename(const char *from, const char *to, hearth_err *err); // replaces `to`
hearth_status os_remove(const char *path, hearth_err *err);
hearth_status os_mkdirs(const char *path, hearth_err *err); // like mkdir -p, mode 0700
typedef enum os_kind { OS_KIND_NONE, OS_KIND_FILE, OS_KIND_DIR, OS_KIND_OTHER } os_kind;
os_kind os_path_kind(const char *path, uint64_t *size); // size may be NULL
int64_t os_path_modified(const char *path); // seconds, Unix time; 0: unknown
// Calls fn for each entry but . and .., in no order; fn returns false to stop.
hearth_status os_list_dir(const char *path, bool (*fn)(void *ctx, const char *name), void *ctx,
                          hearth_err *err);

// --- standard streams ---------------------------------------------------------------------------
typedef enum os_stream { OS_STDIN, OS_STDOUT, OS_STDERR } os_stream;
// Reads what is there, up to n bytes, waiting for the first; *got = 0 is the end. Ctrl-C, when
// caught, ends a wait with HEARTH_E_CANCELED.
hearth_status os_stream_read(void *p, size_t n, size_t *got, hearth_err *err); // stdin
hearth_status os_stream_write(os_stream s, const void *p, size_t n, hearth_err *err);
bool os_is_terminal(os_stream s);
int os_terminal_width(void); // columns of stderr's terminal, 80 when unknown
const char *os_env(const char *name); // NULL when unset; valid until the process ends

// --- time, entropy, machine ---------------------------------------------------------------------
uint64_t os_now_ns(void);      // monotonic
int64_t os_unix_seconds(void); // wall clock
void os_sleep_ns(uint64_t ns);
hearth_status os_random(void *p, size_t n, hearth_err *err); // from the system's generator
int os_cpu_count(void);        // processors this process may run on, at least 1
uint64_t os_memory_total(void);     // bytes of physical memory or the cgroup's limit, 0 unknown
uint64_t os_memory_available(void); // 0 unknown
uint64_t os_memory_peak_self(void); // peak resident bytes of this process, 0 unknown

// --- threads ------------------------------------------------------------------------------------
typedef struct os_thread os_thread;
typedef struct os_mutex os_mutex;
typedef struct os_cond os_cond;
bool os_has_threads(void); // false under WASI: os_thread_start then answers UNSUPPORTED
hearth_status os_thread_start(void (*fn)(void *), void *ctx, os_thread **out, hearth_err *err);
void os_thread_join(os_thread *t); // and frees it
hearth_status os_mutex_create(os_mutex **out, hearth_err *err);
void os_mutex_free(os_mutex *m);
void os_mutex_lock(os_mutex *m);
void os_mutex_unlock(os_mutex *m);
hearth_status os_cond_create(os_cond **out, hearth_err *err);
void os_cond_free(os_cond *c);
void os_cond_wait(os_cond *c, os_mutex *m);
bool os_cond_wait_for(os_cond *c, os_mutex *m, uint64_t ns); // false: the time ran out
void os_cond_signal(os_cond *c);
void os_cond_broadcast(os_cond *c);
void os_cpu_relax(void); // hint inside a spin loop

// --- interruption -------------------------------------------------------------------------------
// From the first call on, Ctrl-C sets a flag instead of ending the process; a second Ctrl-C while
// the flag is still set ends it. os_interrupted() reads the flag, os_interrupt_clear() resets it.
void os_interrupt_catch(void);
bool os_interrupted(void);
void os_interrupt_clear(void);
// From this call on, writing to a pipe that nobody reads fails instead of ending the process.
void os_pipe_errors(void);

// --- children of the same program ---------------------------------------------------------------
// Starts this very executable with `argv` (argv[0] included, NULL-terminated) and one end of a
// connected stream; the child finds its end with os_channel_inherited(). stdin of the child is
// empty, stdout and stderr are the parent's stderr; it ignores Ctrl-C and inherits nothing else.
typedef struct os_process os_process;
typedef struct os_channel os_channel; // a duplex byte stream
bool os_has_processes(void); // false under WASI
hearth_status os_process_start(const char *const *argv, os_process **out, os_channel **channel,
                               hearth_err *err);
// Waits for the end. `ended` says how: "exit status 3", "signal 11 (Segmentation fault)".
typedef struct os_exit { bool crashed; int code; char text[64]; } os_exit;
void os_process_wait(os_process *p, os_exit *ended); // and frees it
void os_process_kill(os_process *p);                 // ask the kernel to end it now
hearth_status os_channel_inherited(os_channel **out, hearth_err *err);
// Full reads and writes. *end: the other side closed before the first byte (status is HEARTH_OK,
// nothing read); a close in the middle is HEARTH_E_NET.
hearth_status os_channel_read(os_channel *c, void *p, size_t n, bool *end, hearth_err *err);
hearth_status os_channel_write(os_channel *c, const void *p, size_t n, hearth_err *err);
// Waits until a read would not block (data or the end). false: the time ran out or Ctrl-C was
// caught. timeout_ms < 0: for ever.
bool os_channel_wait(os_channel *c, int timeout_ms);
// Both directions end, here and at the other side; calls in progress in other threads return.
void os_channel_shutdown(os_channel *c);
// Shuts down, waits for calls in progress to return, frees. A thread that loops over reads must
// have ended (os_channel_shutdown, then join) before the channel is closed. NULL is legal.
void os_channel_close(os_channel *c);

// Memory that both processes see. The creator makes it, sends the handle through the channel with
// the kernel's descriptor passing, the other side opens it.
typedef struct os_shared { uint8_t *data; size_t size; uint64_t id[2]; } os_shared;
hearth_status os_shared_create(size_t n, os_shared *out, hearth_err *err);
hearth_status os_shared_send(os_channel *c, const os_shared *s, hearth_err *err);
// `expected` bytes at least, or HEARTH_E_NET; the mapping is exactly `expected` long.
hearth_status os_shared_receive(os_channel *c, size_t expected, os_shared *out, hearth_err *err);
void os_shared_close(os_shared *s); // idempotent

// --- test aid -----------------------------------------------------------------------------------
// `n` readable bytes whose last (at_end) or first byte touches an unreadable page; for over-read
// tests and for device doubles that close their memory between calls.
typedef struct os_guarded { uint8_t *data; size_t size; uint64_t id[2]; } os_guarded;
hearth_status os_guarded_create(size_t n, bool at_end, os_guarded *out, hearth_err *err);
void os_guarded_protect(os_guarded *g, bool readable, bool writable);
void os_guarded_free(os_guarded *g);

#endif
