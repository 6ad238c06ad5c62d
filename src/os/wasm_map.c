// "Mapped" files under WASI; see os.h. Linear memory has no pages to map to, so the content is
// read.
#include <string.h>

#include "os/os.h"

static hearth_status read_all(os_file *f, os_mapping *out, hearth_err *err)
{
    size_t got = 0;
    uint8_t *p = os_heap_alloc(out->size, 64);
    if (!p) return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu bytes", out->size);
    hearth_status status = os_file_read(f, p, out->size, &got, err);
    if (status == HEARTH_OK && got < out->size)
        status = err_fail(err, HEARTH_E_IO, "the file became shorter while it was read");
    if (status == HEARTH_OK) out->data = p;
    else os_heap_free(p);
    return status;
}

hearth_status os_map_file(const char *path, os_mapping *out, hearth_err *err)
{
    uint64_t size = 0;
    os_file *f = NULL;
    *out = (os_mapping){0};
    os_kind kind = os_path_kind(path, &size);
    if (kind == OS_KIND_DIR) return err_fail(err, HEARTH_E_IO, "is a directory, not a file");
    if (kind == OS_KIND_OTHER) return err_fail(err, HEARTH_E_IO, "is not a regular file");
    if (size > SIZE_MAX / 2)
        return err_fail(err, HEARTH_E_LIMIT, "the file is larger than the address space");
    HEARTH_TRY(os_file_open(path, OS_READ, &f, err));
    os_mapping m = {.size = (size_t)size};
    hearth_status status = size > 0 ? read_all(f, &m, err) : HEARTH_OK;
    os_file_close(f, NULL);
    if (status == HEARTH_OK) *out = m;
    return status;
}

void os_unmap(os_mapping *m)
{
    os_heap_free((void *)(uintptr_t)m->data);
    *m = (os_mapping){0};
}

void os_map_done(const void *p, size_t n)
{
    (void)p;
    (void)n;
}

void os_map_will_need(const void *p, size_t n)
{
    (void)p;
    (void)n;
}
