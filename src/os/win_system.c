// Heap, streams, time, entropy, the machine, Ctrl-C and guarded memory on Windows; see os.h.
//
// Environment variables come in the process's ANSI code page: names and values beyond ASCII may
// be wrong. There is one processor group (at most 64 processors).
#define _CRT_RAND_S
#define PSAPI_VERSION 2 // in kernel32, no further library
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <windows.h>
// After windows.h, which it needs.
#include <psapi.h>

#include "os/os.h"
#include "os/win_error.h"

void *os_heap_alloc(size_t n, size_t align)
{
    return _aligned_malloc(n ? n : 1, size_max(align, sizeof(void *)));
}

void os_heap_free(void *p)
{
    _aligned_free(p);
}

// --- streams ------------------------------------------------------------------------------------

static HANDLE handle_of(os_stream s)
{
    static const DWORD ids[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    return GetStdHandle(ids[s]);
}

hearth_status os_stream_read(void *p, size_t n, size_t *got, hearth_err *err)
{
    DWORD k = 0;
    *got = 0;
    if (!ReadFile(handle_of(OS_STDIN), p, (DWORD)size_min(n, 1 << 30), &k, NULL)) {
        DWORD why = GetLastError();
        if (why == ERROR_BROKEN_PIPE) return HEARTH_OK; // how a pipe ends here
        if (why == ERROR_OPERATION_ABORTED) return err_fail(err, HEARTH_E_CANCELED, "interrupted");
        return win_fail(err, why, "read the standard input");
    }
    *got = k;
    return HEARTH_OK;
}

hearth_status os_stream_write(os_stream s, const void *p, size_t n, hearth_err *err)
{
    ASSERT(s != OS_STDIN);
    for (size_t done = 0; done < n;) {
        DWORD k = 0, part = (DWORD)size_min(n - done, 1 << 30);
        if (!WriteFile(handle_of(s), (const uint8_t *)p + done, part, &k, NULL))
            return win_fail(err, GetLastError(), "write the output");
        done += k;
    }
    return HEARTH_OK;
}

bool os_is_terminal(os_stream s)
{
    DWORD mode;
    return GetConsoleMode(handle_of(s), &mode) != 0;
}

int os_terminal_width(void)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (!GetConsoleScreenBufferInfo(handle_of(OS_STDERR), &info)) return 80;
    return info.srWindow.Right - info.srWindow.Left + 1;
}

const char *os_env(const char *name)
{
    return getenv(name);
}

// --- time, entropy, machine ---------------------------------------------------------------------

uint64_t os_now_ns(void)
{
    LARGE_INTEGER ticks, rate;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&rate);
    uint64_t t = (uint64_t)ticks.QuadPart, r = (uint64_t)rate.QuadPart;
    return t / r * 1000000000u + t % r * 1000000000u / r; // t * 1e9 would wrap after 30 minutes
}

int64_t os_unix_seconds(void)
{
    return (int64_t)time(NULL);
}

void os_sleep_ns(uint64_t ns)
{
    uint64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    for (; ms > 0; ms -= ms < 1000000 ? ms : 1000000) Sleep(ms < 1000000 ? (DWORD)ms : 1000000);
}

hearth_status os_random(void *p, size_t n, hearth_err *err)
{
    for (size_t done = 0; done < n; done++) {
        unsigned v;
        if (rand_s(&v) != 0) return err_fail(err, HEARTH_E_IO, "cannot get random numbers");
        ((uint8_t *)p)[done] = (uint8_t)v;
    }
    return HEARTH_OK;
}

int os_cpu_count(void)
{
    DWORD_PTR mine = 0, all = 0;
    GetProcessAffinityMask(GetCurrentProcess(), &mine, &all);
    int n = 0;
    for (; mine; mine &= mine - 1) n++;
    return int_max(n, 1);
}

static MEMORYSTATUSEX read_memory(void)
{
    MEMORYSTATUSEX m = {.dwLength = sizeof m};
    GlobalMemoryStatusEx(&m);
    return m;
}

uint64_t os_memory_total(void)
{
    return read_memory().ullTotalPhys;
}

uint64_t os_memory_available(void)
{
    return read_memory().ullAvailPhys;
}

uint64_t os_memory_peak_self(void)
{
    PROCESS_MEMORY_COUNTERS m = {.cb = sizeof m};
    if (!GetProcessMemoryInfo(GetCurrentProcess(), &m, sizeof m)) return 0;
    return m.PeakWorkingSetSize;
}

// --- interruption -------------------------------------------------------------------------------

static atomic_bool interrupted; // the handler runs in a thread of its own

static BOOL WINAPI on_interrupt(DWORD event)
{
    if (event != CTRL_C_EVENT || atomic_load(&interrupted)) return FALSE; // the default: the end
    atomic_store(&interrupted, true);
    return TRUE;
}

void os_interrupt_catch(void)
{
    SetConsoleCtrlHandler(on_interrupt, TRUE);
}

bool os_interrupted(void)
{
    return atomic_load(&interrupted);
}

void os_interrupt_clear(void)
{
    atomic_store(&interrupted, false);
}

// There is no such signal here.
void os_pipe_errors(void)
{
}

// --- guarded memory -----------------------------------------------------------------------------

// | reserved page | pages of the data | reserved page |; id: start and length of the whole.
hearth_status os_guarded_create(size_t n, bool at_end, os_guarded *out, hearth_err *err)
{
    *out = (os_guarded){0};
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    size_t page = info.dwPageSize, whole;
    if (!add_ok(n, 3 * page - 1, &whole))
        return err_fail(err, HEARTH_E_NOMEM, "%zu bytes do not fit the address space", n);
    whole &= ~(page - 1);
    uint8_t *p = VirtualAlloc(NULL, whole, MEM_RESERVE, PAGE_NOACCESS);
    if (!p) return win_fail(err, GetLastError(), "reserve memory");
    size_t inner = whole - 2 * page;
    if (inner > 0 && !VirtualAlloc(p + page, inner, MEM_COMMIT, PAGE_READWRITE)) {
        DWORD why = GetLastError();
        VirtualFree(p, 0, MEM_RELEASE);
        return win_fail(err, why, "open guarded memory");
    }
    *out = (os_guarded){p + page + (at_end ? inner - n : 0), n, {(uintptr_t)p, whole}};
    return HEARTH_OK;
}

void os_guarded_protect(os_guarded *g, bool readable, bool writable)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    size_t page = info.dwPageSize, inner = (size_t)g->id[1] - 2 * page;
    DWORD rights = writable ? PAGE_READWRITE : readable ? PAGE_READONLY : PAGE_NOACCESS, old;
    if (inner > 0) VirtualProtect((uint8_t *)(uintptr_t)g->id[0] + page, inner, rights, &old);
}

void os_guarded_free(os_guarded *g)
{
    if (g->id[0]) VirtualFree((void *)(uintptr_t)g->id[0], 0, MEM_RELEASE);
    *g = (os_guarded){0};
}
