// The safetensors reader. See safetensors.h for the format.
//
// The header is streamed through the JSON reader, one entry at a time; a tensor's own object may
// have its three keys in any order and others beside them, which later versions of the format may
// bring, but none twice. What the header says costs at most a few times its own bytes. Data is
// looked at as extents only: sorted, the next one must begin where the last one ended, and the last
// must end with the file. Tensors without elements have no extent.
//
// Rejected: the order of the header as the order of the data (the reference sorts too); types of
// less than a byte (F4, F6), which nothing that we read uses.
#include "fmt/safetensors.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/map.h"
#include "fmt/extent.h"

struct safetensors {
    arena strings;
    buf tensors;          // st_tensor
    buf notes;            // note
    map by_name, by_note; // position in tensors, in notes
    size_t n, n_notes;
};

typedef struct note { str text; } note;

// What is read at a time: the file, and the entry of the header.
typedef struct entry_reader {
    safetensors *s;
    json_reader *json;
    const uint8_t *data;  // behind the header
    size_t data_bytes;
    str name;             // of the entry, in s->strings
} entry_reader;

static const struct { const char *name; uint8_t bytes; } types[ST_TYPE_COUNT] = {
    [ST_BOOL] = {"BOOL", 1}, [ST_U8] = {"U8", 1},   [ST_I8] = {"I8", 1},
    [ST_U16] = {"U16", 2},   [ST_I16] = {"I16", 2}, [ST_U32] = {"U32", 4},
    [ST_I32] = {"I32", 4},   [ST_U64] = {"U64", 8}, [ST_I64] = {"I64", 8},
    [ST_F16] = {"F16", 2},   [ST_BF16] = {"BF16", 2},
    [ST_F32] = {"F32", 4},   [ST_F64] = {"F64", 8}, [ST_C64] = {"C64", 8},
    [ST_F8_E4M3] = {"F8_E4M3", 1}, [ST_F8_E5M2] = {"F8_E5M2", 1}, [ST_F8_E8M0] = {"F8_E8M0", 1},
};

const char *st_type_name(st_type t)
{
    ASSERT((unsigned)t < ST_TYPE_COUNT);
    return types[t].name;
}

size_t st_type_bytes(st_type t)
{
    ASSERT((unsigned)t < ST_TYPE_COUNT);
    return types[t].bytes;
}

// --- entries ------------------------------------------------------------------------------------

static hearth_status fail_entry(const entry_reader *r, const char *what, hearth_err *err)
{
    return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': %s", STR_ARG(r->name), what);
}

static hearth_status copy_text(safetensors *s, str text, str *out, hearth_err *err)
{
    char *p = arena_copy_string(&s->strings, text.p, text.n);
    if (!p) return err_fail(err, HEARTH_E_NOMEM, "no memory for a header's names");
    *out = (str){p, text.n};
    return HEARTH_OK;
}

static hearth_status read_type(entry_reader *r, st_tensor *t, hearth_err *err)
{
    json_event e;
    HEARTH_TRY(json_next(r->json, &e, err));
    if (e != JSON_STRING) return fail_entry(r, "dtype is no text", err);
    str found = json_text(r->json);
    for (int i = 0; i < ST_TYPE_COUNT; i++) {
        if (!str_eq_z(found, types[i].name)) continue;
        t->type = (st_type)i;
        return HEARTH_OK;
    }
    return err_fail(err, HEARTH_E_UNSUPPORTED, "tensor '%.*s': type '%.*s' is unknown",
                    STR_ARG(r->name), STR_ARG(found));
}

// An array of at most `cap` numbers from 0.
static hearth_status read_numbers(entry_reader *r, const char *what, int cap, int64_t *out, int *n,
                                  hearth_err *err)
{
    json_event e;
    *n = 0;
    HEARTH_TRY(json_next(r->json, &e, err));
    if (e != JSON_ARRAY_BEGIN) return fail_entry(r, "shape or data_offsets is no array", err);
    for (;;) {
        int64_t v = -1;
        HEARTH_TRY(json_next(r->json, &e, err));
        if (e == JSON_ARRAY_END) return HEARTH_OK;
        if (e != JSON_NUMBER || !json_i64(r->json, &v) || v < 0) {
            return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': %s holds what is no count",
                            STR_ARG(r->name), what);
        }
        if (*n == cap) {
            return err_fail(err, HEARTH_E_LIMIT, "tensor '%.*s': %s has more than %d numbers",
                            STR_ARG(r->name), what, cap);
        }
        out[(*n)++] = v;
    }
}

static hearth_status read_shape(entry_reader *r, st_tensor *t, hearth_err *err)
{
    for (int i = 0; i < LIMIT_SAFETENSORS_DIMS; i++) t->dim[i] = 1;
    return read_numbers(r, "shape", LIMIT_SAFETENSORS_DIMS, t->dim, &t->n_dims, err);
}

static hearth_status read_offsets(entry_reader *r, st_tensor *t, hearth_err *err)
{
    int64_t at[2] = {0, 0};
    int n;
    HEARTH_TRY(read_numbers(r, "data_offsets", 2, at, &n, err));
    if (n != 2 || at[0] > at[1] || (uint64_t)at[1] > r->data_bytes) {
        return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': data_offsets are %" PRId64 " and %"
                        PRId64 ", expected a stretch of the %zu bytes of data", STR_ARG(r->name),
                        at[0], at[1], r->data_bytes);
    }
    t->data = r->data + (size_t)at[0];
    t->bytes = (size_t)(at[1] - at[0]);
    return HEARTH_OK;
}

static hearth_status check_size(const entry_reader *r, const st_tensor *t, hearth_err *err)
{
    int64_t n = st_type_bytes(t->type) > 0 ? (int64_t)st_type_bytes(t->type) : 1;
    bool ok = true, is_empty = false;
    for (int i = 0; i < t->n_dims; i++) {
        is_empty = is_empty || t->dim[i] == 0;
        ok = ok && mul_ok_i64(n, t->dim[i], &n);
    }
    if (is_empty ? t->bytes == 0 : ok && (uint64_t)n == t->bytes) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT,
                    "tensor '%.*s': %zu bytes of data, its shape and type %s make another number",
                    STR_ARG(r->name), t->bytes, st_type_name(t->type));
}

// The object of one tensor, up to its end.
static hearth_status read_fields(entry_reader *r, st_tensor *t, hearth_err *err)
{
    static const struct {
        const char *key;
        hearth_status (*read)(entry_reader *r, st_tensor *t, hearth_err *err);
    } fields[] = {{"dtype", read_type}, {"shape", read_shape}, {"data_offsets", read_offsets}};
    unsigned seen = 0;
    json_event e;
    HEARTH_TRY(json_next(r->json, &e, err));
    if (e != JSON_OBJECT_BEGIN) return fail_entry(r, "its entry is no object", err);
    for (;;) {
        HEARTH_TRY(json_next(r->json, &e, err));
        if (e == JSON_OBJECT_END) break;
        size_t i = 0;
        while (i < COUNTOF(fields) && !str_eq_z(json_text(r->json), fields[i].key)) i++;
        if (i == COUNTOF(fields)) {
            HEARTH_TRY(json_skip(r->json, err));
            continue;
        }
        if (seen & 1u << i) return fail_entry(r, "a key of its entry is there twice", err);
        seen |= 1u << i;
        HEARTH_TRY(fields[i].read(r, t, err));
    }
    if (seen != 7) return fail_entry(r, "its entry lacks dtype, shape or data_offsets", err);
    return check_size(r, t, err);
}

static hearth_status add_name(map *names, const entry_reader *r, size_t i, hearth_err *err)
{
    bool exists = false;
    hearth_status s = map_put(names, r->name, (uint32_t)i, &exists);
    if (s != HEARTH_OK) return err_fail(err, s, "no memory for the index of tensors");
    return exists ? fail_entry(r, "is there twice", err) : HEARTH_OK;
}

static hearth_status read_tensor(entry_reader *r, hearth_err *err)
{
    safetensors *s = r->s;
    st_tensor t = {.name = r->name};
    HEARTH_TRY(read_fields(r, &t, err));
    HEARTH_TRY(add_name(&s->by_name, r, s->n, err));
    hearth_status status = buf_append(&s->tensors, &t, sizeof t);
    if (status != HEARTH_OK) return err_fail(err, status, "no memory for %zu tensors", s->n);
    s->n++;
    return HEARTH_OK;
}

static hearth_status read_notes(entry_reader *r, hearth_err *err)
{
    safetensors *s = r->s;
    json_event e;
    HEARTH_TRY(json_next(r->json, &e, err));
    if (e != JSON_OBJECT_BEGIN) return fail_entry(r, "is no object", err);
    for (;;) {
        note n;
        HEARTH_TRY(json_next(r->json, &e, err));
        if (e == JSON_OBJECT_END) return HEARTH_OK;
        HEARTH_TRY(copy_text(s, json_text(r->json), &r->name, err));
        HEARTH_TRY(json_next(r->json, &e, err));
        if (e != JSON_STRING) return fail_entry(r, "expected a text as metadata", err);
        HEARTH_TRY(copy_text(s, json_text(r->json), &n.text, err));
        HEARTH_TRY(add_name(&s->by_note, r, s->n_notes, err));
        hearth_status status = buf_append(&s->notes, &n, sizeof n);
        if (status != HEARTH_OK) return err_fail(err, status, "no memory for metadata");
        s->n_notes++;
    }
}

static hearth_status read_entries(entry_reader *r, hearth_err *err)
{
    json_event e;
    bool has_notes = false;
    HEARTH_TRY(json_next(r->json, &e, err));
    if (e != JSON_OBJECT_BEGIN) return err_fail(err, HEARTH_E_FORMAT, "header is no object");
    for (;;) {
        HEARTH_TRY(json_next(r->json, &e, err));
        if (e == JSON_OBJECT_END) break;
        HEARTH_TRY(copy_text(r->s, json_text(r->json), &r->name, err));
        if (!str_eq_z(r->name, "__metadata__")) {
            HEARTH_TRY(read_tensor(r, err));
            continue;
        }
        if (has_notes) return fail_entry(r, "is there twice", err);
        has_notes = true;
        HEARTH_TRY(read_notes(r, err));
    }
    return json_next(r->json, &e, err); // nothing but spaces may follow
}

// --- the whole file -----------------------------------------------------------------------------

static hearth_status check_cover(const entry_reader *r, extent *e, hearth_err *err)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < r->s->n; i++) {
        const st_tensor *t = safetensors_at(r->s, i);
        if (t->bytes > 0) e[n++] = (extent){(uint64_t)(t->data - r->data), i};
    }
    extent_sort(e, n);
    for (size_t i = 0; i < n; i++) {
        const st_tensor *t = safetensors_at(r->s, e[i].tensor);
        if (e[i].offset != at) {
            return err_fail(err, HEARTH_E_FORMAT, "tensor '%.*s': begins at byte %" PRIu64
                            " of the data, expected %zu where the one before ends",
                            STR_ARG(t->name), e[i].offset, at);
        }
        at += t->bytes;
    }
    if (at == r->data_bytes) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "%zu bytes of data, but the tensors have %zu",
                    r->data_bytes, at);
}

static hearth_status read_header(entry_reader *r, const uint8_t *header, size_t n, hearth_err *err)
{
    HEARTH_TRY(json_open_memory(header, n, n, &r->json, err));
    hearth_status status = read_entries(r, err);
    json_close(r->json);
    HEARTH_TRY(status);
    extent *e = mem_alloc_zero(MEM_MODEL, r->s->n + 1, sizeof *e);
    if (!e) return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu tensors", r->s->n);
    status = check_cover(r, e, err);
    mem_free(e);
    return status;
}

static hearth_status read_file(safetensors *s, const uint8_t *data, size_t size, hearth_err *err)
{
    enum { LENGTH_BYTES = 8 };
    if (size < LENGTH_BYTES) {
        return err_fail(err, HEARTH_E_FORMAT, "%zu bytes are no safetensors file", size);
    }
    uint64_t n = 0;
    for (int i = 0; i < LENGTH_BYTES; i++) n |= (uint64_t)data[i] << 8 * i;
    if (n > size - LENGTH_BYTES) {
        return err_fail(err, HEARTH_E_FORMAT, "no safetensors file, or cut: a header of %" PRIu64
                        " bytes in a file of %zu", n, size);
    }
    if (n > LIMIT_SAFETENSORS_HEADER) {
        return err_fail(err, HEARTH_E_LIMIT, "a header of %" PRIu64 " bytes, at most %d are "
                        "supported", n, LIMIT_SAFETENSORS_HEADER);
    }
    size_t data_at = LENGTH_BYTES + (size_t)n;
    entry_reader r = {.s = s, .data = data + data_at, .data_bytes = size - data_at};
    return read_header(&r, data + LENGTH_BYTES, (size_t)n, err);
}

hearth_status safetensors_open(const char *name, const uint8_t *data, size_t size,
                               safetensors **out, hearth_err *err)
{
    *out = NULL;
    safetensors *s = mem_alloc_zero(MEM_MODEL, 1, sizeof *s);
    if (!s) return err_fail(err, HEARTH_E_NOMEM, "no memory for an index of tensors");
    // The shortest entry has 45 bytes, so a header's tensors take at most three times its size.
    const size_t most = 4 * (size_t)LIMIT_SAFETENSORS_HEADER;
    arena_init(&s->strings, MEM_MODEL, most);
    buf_init(&s->tensors, MEM_MODEL, most);
    buf_init(&s->notes, MEM_MODEL, most);
    map_init(&s->by_name, MEM_MODEL);
    map_init(&s->by_note, MEM_MODEL);
    hearth_status status = read_file(s, data, size, err);
    if (status == HEARTH_OK) {
        *out = s;
        return HEARTH_OK;
    }
    if (name) err_prefix(err, "%s: ", name);
    safetensors_close(s);
    return status;
}

void safetensors_close(safetensors *s)
{
    if (!s) return;
    map_release(&s->by_name);
    map_release(&s->by_note);
    buf_release(&s->tensors);
    buf_release(&s->notes);
    arena_release(&s->strings);
    mem_free(s);
}

size_t safetensors_count(const safetensors *s) { return s->n; }

const st_tensor *safetensors_at(const safetensors *s, size_t i)
{
    ASSERT(i < s->n);
    return (const st_tensor *)(const void *)s->tensors.p + i;
}

const st_tensor *safetensors_find(const safetensors *s, str name)
{
    uint32_t i;
    return map_get(&s->by_name, name, &i) ? safetensors_at(s, i) : NULL;
}

bool safetensors_metadata(const safetensors *s, str key, str *out)
{
    uint32_t i;
    if (!map_get(&s->by_note, key, &i)) return false;
    *out = ((const note *)(const void *)s->notes.p + i)->text;
    return true;
}
