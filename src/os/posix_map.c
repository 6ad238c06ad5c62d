// Mapped files on POSIX; see os.h.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "os/posix_error.h"

static hearth_status check_regular(int fd, size_t *size, hearth_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return posix_fail(err, errno, "examine the file");
    if (S_ISDIR(st.st_mode)) return err_fail(err, HEARTH_E_IO, "is a directory, not a file");
    if (!S_ISREG(st.st_mode)) return err_fail(err, HEARTH_E_IO, "is not a regular file");
    if ((uint64_t)st.st_size > SIZE_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "the file is larger than the address space");
    *size = (size_t)st.st_size;
    return HEARTH_OK;
}

hearth_status os_map_file(const char *path, os_mapping *out, hearth_err *err)
{
    *out = (os_mapping){0};
    size_t size = 0;
    // O_NONBLOCK: opening a pipe by mistake must not wait for a writer.
    int fd;
    do fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return posix_fail(err, errno, "open the file");
    hearth_status status = check_regular(fd, &size, err);
    if (status == HEARTH_OK && size > 0) {
        void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) status = posix_fail(err, errno, "map the file");
        else *out = (os_mapping){.data = p, .size = size};
    }
    close(fd);
    return status;
}

void os_unmap(os_mapping *m)
{
    if (m->data) munmap((void *)(uintptr_t)m->data, m->size);
    *m = (os_mapping){0};
}

void os_map_done(const void *p, size_t n)
{
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0) return;
    uintptr_t mask = (uintptr_t)page - 1, begin = ((uintptr_t)p + mask) & ~mask;
    uintptr_t end = ((uintptr_t)p + n) & ~mask;
    if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED); // read-only: no data lost
}

void os_map_will_need(const void *p, size_t n)
{
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || n == 0) return;
    uintptr_t begin = (uintptr_t)p & ~((uintptr_t)page - 1);
    madvise((void *)begin, (uintptr_t)p - begin + n, MADV_WILLNEED);
}
