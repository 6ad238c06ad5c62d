// Files, directories and mappings on Windows; see os.h. Paths are UTF-8 outside, UTF-16 inside.
#include <string.h>
#include <windows.h>

#include "os/os.h"
#include "os/win_error.h"

struct os_file {
    HANDLE handle;
};

#define IO_MAX ((size_t)1 << 30) // counts are 32-bit

static HANDLE open_path(const char *path, DWORD rights, DWORD how, DWORD *why)
{
    wchar_t *wide = win_wide(path);
    HANDLE h = INVALID_HANDLE_VALUE;
    *why = ERROR_NOT_ENOUGH_MEMORY;
    if (wide) {
        h = CreateFileW(wide, rights, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, how,
                        FILE_ATTRIBUTE_NORMAL, NULL);
        *why = GetLastError();
    }
    os_heap_free(wide);
    return h;
}

static hearth_status map_handle(HANDLE file, os_mapping *out, hearth_err *err)
{
    LARGE_INTEGER size;
    if (!GetFileSizeEx(file, &size)) return win_fail(err, GetLastError(), "examine the file");
    if (size.QuadPart == 0) return HEARTH_OK;
    if ((uint64_t)size.QuadPart > SIZE_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "the file is larger than the address space");
    HANDLE section = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    if (!section) return win_fail(err, GetLastError(), "map the file");
    void *p = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
    DWORD why = GetLastError();
    CloseHandle(section); // the view keeps it
    if (!p) return win_fail(err, why, "map the file");
    *out = (os_mapping){.data = p, .size = (size_t)size.QuadPart};
    return HEARTH_OK;
}

hearth_status os_map_file(const char *path, os_mapping *out, hearth_err *err)
{
    DWORD why;
    *out = (os_mapping){0};
    HANDLE file = open_path(path, GENERIC_READ, OPEN_EXISTING, &why);
    if (file == INVALID_HANDLE_VALUE) return win_fail(err, why, "open the file");
    hearth_status status = map_handle(file, out, err);
    CloseHandle(file);
    return status;
}

void os_unmap(os_mapping *m)
{
    if (m->data) UnmapViewOfFile(m->data);
    *m = (os_mapping){0};
}

void os_map_done(const void *p, size_t n)
{
    (void)p; // views of files are trimmed by the system when memory is short
    (void)n;
}

void os_map_will_need(const void *p, size_t n)
{
    (void)p; // PrefetchVirtualMemory needs Windows 8; the cache manager reads ahead by itself
    (void)n;
}

hearth_status os_file_open(const char *path, os_open_mode mode, os_file **out, hearth_err *err)
{
    static const DWORD how[] = {[OS_READ] = OPEN_EXISTING, [OS_CREATE] = CREATE_ALWAYS,
                                [OS_CREATE_NEW] = CREATE_NEW};
    DWORD why;
    *out = NULL;
    os_file *f = os_heap_alloc(sizeof *f, alignof(os_file));
    if (!f) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    f->handle = open_path(path, mode == OS_READ ? GENERIC_READ : GENERIC_WRITE, how[mode], &why);
    if (f->handle == INVALID_HANDLE_VALUE) {
        os_heap_free(f);
        return win_fail(err, why, mode == OS_READ ? "open the file" : "create the file");
    }
    *out = f;
    return HEARTH_OK;
}

hearth_status os_file_read(os_file *f, void *p, size_t n, size_t *got, hearth_err *err)
{
    size_t done = 0;
    *got = 0;
    while (done < n) {
        DWORD k = 0;
        if (!ReadFile(f->handle, (uint8_t *)p + done, (DWORD)size_min(n - done, IO_MAX), &k, NULL))
            return win_fail(err, GetLastError(), "read");
        if (k == 0) break;
        done += k;
    }
    *got = done;
    return HEARTH_OK;
}

hearth_status os_file_write(os_file *f, const void *p, size_t n, hearth_err *err)
{
    for (size_t done = 0; done < n;) {
        DWORD k = 0, part = (DWORD)size_min(n - done, IO_MAX);
        if (!WriteFile(f->handle, (const uint8_t *)p + done, part, &k, NULL))
            return win_fail(err, GetLastError(), "write");
        done += k;
    }
    return HEARTH_OK;
}

hearth_status os_file_sync(os_file *f, hearth_err *err)
{
    return FlushFileBuffers(f->handle) ? HEARTH_OK
                                       : win_fail(err, GetLastError(), "flush to the disk");
}

hearth_status os_file_close(os_file *f, hearth_err *err)
{
    if (!f) return HEARTH_OK;
    BOOL closed = CloseHandle(f->handle);
    os_heap_free(f);
    return closed ? HEARTH_OK : win_fail(err, GetLastError(), "close the file");
}

hearth_status os_rename(const char *from, const char *to, hearth_err *err)
{
    wchar_t *a = win_wide(from), *b = win_wide(to);
    DWORD why = ERROR_NOT_ENOUGH_MEMORY;
    BOOL done = FALSE;
    if (a && b) {
        done = MoveFileExW(a, b, MOVEFILE_REPLACE_EXISTING);
        why = GetLastError();
    }
    os_heap_free(a);
    os_heap_free(b);
    return done ? HEARTH_OK : win_fail(err, why, "rename");
}

hearth_status os_remove(const char *path, hearth_err *err)
{
    wchar_t *wide = win_wide(path);
    if (!wide) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    DWORD kind = GetFileAttributesW(wide);
    bool is_dir = kind != INVALID_FILE_ATTRIBUTES && (kind & FILE_ATTRIBUTE_DIRECTORY);
    BOOL done = is_dir ? RemoveDirectoryW(wide) : DeleteFileW(wide);
    DWORD why = GetLastError();
    os_heap_free(wide);
    return done ? HEARTH_OK : win_fail(err, why, "remove");
}

static bool make_dir(const wchar_t *path, DWORD *why)
{
    if (CreateDirectoryW(path, NULL)) return true;
    *why = GetLastError();
    DWORD kind = GetFileAttributesW(path);
    return kind != INVALID_FILE_ATTRIBUTES && (kind & FILE_ATTRIBUTE_DIRECTORY);
}

hearth_status os_mkdirs(const char *path, hearth_err *err)
{
    wchar_t *part = win_wide(path);
    if (!part) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    bool ok = true;
    DWORD why = 0;
    for (size_t i = 1; part[i] && ok; i++) {
        wchar_t c = part[i];
        if ((c != L'/' && c != L'\\') || part[i - 1] == L':') continue;
        part[i] = 0;
        ok = make_dir(part, &why);
        part[i] = c;
    }
    ok = ok && make_dir(part, &why);
    os_heap_free(part);
    return ok ? HEARTH_OK : win_fail(err, why, "create the directory");
}

os_kind os_path_kind(const char *path, uint64_t *size)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    wchar_t *wide = win_wide(path);
    BOOL found = wide && GetFileAttributesExW(wide, GetFileExInfoStandard, &data);
    os_heap_free(wide);
    if (size) *size = 0;
    if (!found) return OS_KIND_NONE;
    if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) return OS_KIND_DIR;
    if (size) *size = (uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow;
    return OS_KIND_FILE;
}

// Windows counts 100 ns from 1601.
int64_t os_path_modified(const char *path)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    wchar_t *wide = win_wide(path);
    BOOL found = wide && GetFileAttributesExW(wide, GetFileExInfoStandard, &data);
    os_heap_free(wide);
    if (!found) return 0;
    uint64_t ticks = (uint64_t)data.ftLastWriteTime.dwHighDateTime << 32 |
                     data.ftLastWriteTime.dwLowDateTime;
    return (int64_t)(ticks / 10000000) - INT64_C(11644473600);
}

static bool is_dots(const wchar_t *name)
{
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

static bool visit(const wchar_t *name, bool (*fn)(void *ctx, const char *name), void *ctx,
                  hearth_status *status)
{
    if (is_dots(name)) return true;
    char *narrow = win_narrow(name);
    if (!narrow) *status = HEARTH_E_NOMEM;
    bool more = narrow && fn(ctx, narrow);
    os_heap_free(narrow);
    return more;
}

hearth_status os_list_dir(const char *path, bool (*fn)(void *ctx, const char *name), void *ctx,
                          hearth_err *err)
{
    size_t n = strlen(path);
    char *pattern = os_heap_alloc(n + 3, 1);
    if (!pattern) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    memcpy(pattern, path, n);
    memcpy(pattern + n, "\\*", 3);
    wchar_t *wide = win_wide(pattern);
    os_heap_free(pattern);
    if (!wide) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    WIN32_FIND_DATAW entry;
    HANDLE h = FindFirstFileW(wide, &entry);
    DWORD why = GetLastError();
    os_heap_free(wide);
    if (h == INVALID_HANDLE_VALUE) return win_fail(err, why, "open the directory");
    hearth_status status = HEARTH_OK;
    while (visit(entry.cFileName, fn, ctx, &status) && FindNextFileW(h, &entry)) {
    }
    FindClose(h);
    return status == HEARTH_OK ? status : err_fail(err, status, "out of memory");
}
