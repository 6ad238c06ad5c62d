// Files and directories on POSIX and, since wasi-libc has the same calls, under WASI; see os.h.
//
// Every descriptor is opened close-on-exec: the engine child must not inherit what it was not
// given. Every call is repeated on EINTR, because Ctrl-C only sets a flag (posix_system.c).
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "os/posix_error.h"

struct os_file {
    int fd;
};

// Linux moves at most about 2 GB a call; macOS refuses more than INT_MAX.
#define IO_MAX ((size_t)1 << 30)

static int open_retry(const char *path, int flags)
{
    int fd;
    do fd = open(path, flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

hearth_status os_file_open(const char *path, os_open_mode mode, os_file **out, hearth_err *err)
{
    static const int flags[] = {[OS_READ] = O_RDONLY,
                                [OS_CREATE] = O_WRONLY | O_CREAT | O_TRUNC,
                                [OS_CREATE_NEW] = O_WRONLY | O_CREAT | O_EXCL};
    *out = NULL;
    os_file *f = os_heap_alloc(sizeof *f, alignof(os_file));
    if (!f) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    f->fd = open_retry(path, flags[mode]);
    if (f->fd < 0) {
        hearth_status status =
            posix_fail(err, errno, mode == OS_READ ? "open the file" : "create the file");
        os_heap_free(f);
        return status;
    }
    *out = f;
    return HEARTH_OK;
}

hearth_status os_file_read(os_file *f, void *p, size_t n, size_t *got, hearth_err *err)
{
    size_t done = 0;
    *got = 0;
    while (done < n) {
        ssize_t k = read(f->fd, (uint8_t *)p + done, size_min(n - done, IO_MAX));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return posix_fail(err, errno, "read");
        if (k == 0) break;
        done += (size_t)k;
    }
    *got = done;
    return HEARTH_OK;
}

hearth_status os_file_write(os_file *f, const void *p, size_t n, hearth_err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = write(f->fd, (const uint8_t *)p + done, size_min(n - done, IO_MAX));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return posix_fail(err, errno, "write");
        done += (size_t)k;
    }
    return HEARTH_OK;
}

hearth_status os_file_sync(os_file *f, hearth_err *err)
{
    while (fsync(f->fd) != 0)
        if (errno != EINTR) return posix_fail(err, errno, "flush to the disk");
    return HEARTH_OK;
}

hearth_status os_file_close(os_file *f, hearth_err *err)
{
    if (!f) return HEARTH_OK;
    int fd = f->fd;
    os_heap_free(f);
    // After EINTR Linux has closed the descriptor; repeating could close somebody else's.
    if (close(fd) != 0 && errno != EINTR) return posix_fail(err, errno, "close the file");
    return HEARTH_OK;
}

hearth_status os_rename(const char *from, const char *to, hearth_err *err)
{
    return rename(from, to) == 0 ? HEARTH_OK : posix_fail(err, errno, "rename");
}

hearth_status os_remove(const char *path, hearth_err *err)
{
    return remove(path) == 0 ? HEARTH_OK : posix_fail(err, errno, "remove");
}

static hearth_status make_dir(const char *path, hearth_err *err)
{
    if (mkdir(path, 0700) == 0) return HEARTH_OK;
    int why = errno; // EEXIST, but also EROFS or EACCES for parents that are there
    if (os_path_kind(path, NULL) == OS_KIND_DIR) return HEARTH_OK;
    return posix_fail(err, why, "create the directory");
}

hearth_status os_mkdirs(const char *path, hearth_err *err)
{
    size_t n = strlen(path);
    char *part = os_heap_alloc(n + 1, 1);
    if (!part) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    memcpy(part, path, n + 1);
    hearth_status status = HEARTH_OK;
    for (size_t i = 1; i < n && status == HEARTH_OK; i++) {
        if (part[i] != '/') continue;
        part[i] = 0;
        status = make_dir(part, err);
        part[i] = '/';
    }
    if (status == HEARTH_OK) status = make_dir(part, err);
    os_heap_free(part);
    return status;
}

os_kind os_path_kind(const char *path, uint64_t *size)
{
    struct stat st;
    if (size) *size = 0;
    if (stat(path, &st) != 0) return OS_KIND_NONE;
    if (size && S_ISREG(st.st_mode)) *size = (uint64_t)st.st_size;
    if (S_ISREG(st.st_mode)) return OS_KIND_FILE;
    return S_ISDIR(st.st_mode) ? OS_KIND_DIR : OS_KIND_OTHER;
}

int64_t os_path_modified(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_mtime : 0;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

hearth_status os_list_dir(const char *path, bool (*fn)(void *ctx, const char *name), void *ctx,
                          hearth_err *err)
{
    DIR *dir = opendir(path);
    if (!dir) return posix_fail(err, errno, "open the directory");
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) break;
        if (is_dots(entry->d_name)) continue;
        if (!fn(ctx, entry->d_name)) {
            errno = 0;
            break;
        }
    }
    int why = errno;
    closedir(dir);
    return why ? posix_fail(err, why, "read the directory") : HEARTH_OK;
}
