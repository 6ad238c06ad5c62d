// Files that the program reads and writes for its user. See cli.h.
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "defs/limits.h"
#include "hf/hf.h"
#include "os/os.h"

enum { READ_BYTES = 1 << 16 };

hearth_status read_stdin(buf *out, hearth_err *err)
{
    for (;;) {
        size_t got = 0;
        if (buf_reserve(out, READ_BYTES) != HEARTH_OK) {
            return err_fail(err, out->failed, "stdin: no room for more than %zu bytes", out->n);
        }
        hearth_status st = os_stream_read(out->p + out->n, READ_BYTES, &got, err);
        if (st != HEARTH_OK) {
            err_prefix(err, "stdin: ");
            return st;
        }
        if (got == 0) return HEARTH_OK;
        out->n += got;
        out->p[out->n] = 0;
    }
}

static hearth_status read_all(os_file *f, buf *out, hearth_err *err)
{
    for (;;) {
        size_t got = 0;
        if (buf_reserve(out, READ_BYTES) != HEARTH_OK) {
            return err_fail(err, out->failed, "no room for more than %zu bytes", out->n);
        }
        HEARTH_TRY(os_file_read(f, out->p + out->n, READ_BYTES, &got, err));
        out->n += got;
        out->p[out->n] = 0;
        if (got < READ_BYTES) return HEARTH_OK;
    }
}

hearth_status read_file(const char *path, buf *out, hearth_err *err)
{
    os_file *f = NULL;
    hearth_status st = os_file_open(path, OS_READ, &f, err);
    if (st == HEARTH_OK) {
        st = read_all(f, out, err);
        (void)os_file_close(f, NULL);
    }
    if (st != HEARTH_OK) err_prefix(err, "%s: ", path);
    return st;
}

// --- files that appear complete or not at all ---------------------------------------------------

struct safe_file {
    os_file *f;
    buf path, temp; // temp.n == 0: written directly
};

static void free_safe(safe_file *f)
{
    buf_release(&f->path);
    buf_release(&f->temp);
    mem_free(f);
}

static hearth_status open_temp(safe_file *f, hearth_err *err)
{
    uint32_t tag;
    HEARTH_TRY(os_random(&tag, sizeof tag, err));
    buf_printf(&f->temp, "%s.%08x.tmp", f->path.p, (unsigned)tag);
    if (f->temp.failed != HEARTH_OK) return err_fail(err, f->temp.failed, "out of memory");
    return os_file_open(f->temp.p, OS_CREATE_NEW, &f->f, err);
}

hearth_status safe_open(const char *path, safe_file **out, hearth_err *err)
{
    safe_file *f = mem_alloc_zero(MEM_MISC, 1, sizeof *f);
    if (!f) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    buf_init(&f->path, MEM_MISC, SIZE_MAX);
    buf_init(&f->temp, MEM_MISC, SIZE_MAX);
    hearth_status st = buf_append_str(&f->path, str_from(path));
    os_kind kind = os_path_kind(path, NULL);
    if (st != HEARTH_OK) {
        st = err_fail(err, st, "out of memory");
    } else if (kind == OS_KIND_DIR) {
        st = err_fail(err, HEARTH_E_IO, "is a directory");
    } else if (kind == OS_KIND_OTHER) {
        st = os_file_open(path, OS_CREATE, &f->f, err);
    } else {
        st = open_temp(f, err);
    }
    if (st != HEARTH_OK) {
        err_prefix(err, "%s: ", path);
        free_safe(f);
        return st;
    }
    *out = f;
    return HEARTH_OK;
}

hearth_status safe_write(safe_file *f, const void *p, size_t n, hearth_err *err)
{
    hearth_status st = os_file_write(f->f, p, n, err);
    if (st != HEARTH_OK) err_prefix(err, "%s: ", f->path.p);
    return st;
}

hearth_status safe_commit(safe_file *f, hearth_err *err)
{
    bool is_temp = f->temp.n > 0;
    hearth_status st = is_temp ? os_file_sync(f->f, err) : HEARTH_OK;
    hearth_status closed = os_file_close(f->f, st == HEARTH_OK ? err : NULL);
    if (st == HEARTH_OK) st = closed;
    if (st == HEARTH_OK && is_temp) st = os_rename(f->temp.p, f->path.p, err);
    if (st != HEARTH_OK) {
        err_prefix(err, "%s: ", f->path.p);
        if (is_temp) (void)os_remove(f->temp.p, NULL);
    }
    free_safe(f);
    return st;
}

void safe_abort(safe_file *f)
{
    if (!f) return;
    (void)os_file_close(f->f, NULL);
    if (f->temp.n > 0) (void)os_remove(f->temp.p, NULL);
    free_safe(f);
}

// --- names nearby -------------------------------------------------------------------------------

enum { NEAR_MAX = 3, NEAR_NAME_MAX = 128 };
typedef struct near_names {
    str wanted; // last part of the path
    int n;
    size_t distance[NEAR_MAX]; // ascending
    char name[NEAR_MAX][NEAR_NAME_MAX];
} near_names;

// A third of the name may differ; a name that begins with what was typed counts as one edit.
static size_t name_distance(str wanted, str name)
{
    size_t limit = size_max(wanted.n / 3, 2) + 1;
    if (wanted.n >= 2 && str_starts(name, wanted)) return 1;
    size_t d = str_distance(wanted, name, limit);
    return d < limit ? d : SIZE_MAX;
}

static bool keep_near(void *ctx, const char *name)
{
    near_names *near = ctx;
    str s = str_from(name);
    size_t d = name_distance(near->wanted, s);
    if (d == SIZE_MAX || s.n >= NEAR_NAME_MAX || name[0] == '.') return true;
    int at = near->n;
    while (at > 0 && near->distance[at - 1] > d) at--;
    if (at == NEAR_MAX) return true;
    near->n = int_min(near->n + 1, NEAR_MAX);
    for (int i = near->n - 1; i > at; i--) {
        near->distance[i] = near->distance[i - 1];
        memcpy(near->name[i], near->name[i - 1], NEAR_NAME_MAX);
    }
    near->distance[at] = d;
    memcpy(near->name[at], name, s.n + 1);
    return true;
}

static hearth_status fail_not_found(const char *path, str folder, const near_names *near,
                                    hearth_err *err)
{
    char list[NEAR_MAX * (NEAR_NAME_MAX + 8)] = "";
    size_t n = 0;
    for (int i = 0; i < near->n && n < sizeof list; i++) {
        n += (size_t)snprintf(list + n, sizeof list - n, "%s'%.*s%s'", i ? " or " : "",
                              STR_ARG(folder), near->name[i]);
    }
    if (near->n == 0) return err_fail(err, HEARTH_E_NOTFOUND, "%s: no such file or model", path);
    return err_fail(err, HEARTH_E_NOTFOUND, "%s: no such file or model, did you mean %s?", path,
                    list);
}

hearth_status check_model_path(const char *path, hearth_err *err)
{
    str s = str_from(path);
    if (str_starts(s, STR("shape:"))) return HEARTH_OK;
    os_kind kind = os_path_kind(path, NULL);
    if (kind == OS_KIND_DIR && !hf_is_model(path)) {
        return err_fail(err, HEARTH_E_ARG, "%s: is a folder without a config.json, not a model",
                        path);
    }
    if (kind != OS_KIND_NONE) return HEARTH_OK;
    size_t cut = s.n;
    while (cut > 0 && s.p[cut - 1] != '/') cut--;
    near_names near = {.wanted = {s.p + cut, s.n - cut}};
    char folder[1024];
    snprintf(folder, sizeof folder, "%.*s", (int)size_min(cut, sizeof folder - 1), cut ? s.p : "");
    (void)os_list_dir(cut ? folder : ".", keep_near, &near, NULL);
    return fail_not_found(path, (str){s.p, cut}, &near, err);
}
