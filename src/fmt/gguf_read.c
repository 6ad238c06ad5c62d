// GGUF records: turns bytes into keys and tensor records, one at a time, without allocating.
//
// A reader is a position in one part's bytes. Invariant: pos <= size, and it moves only over bytes
// that were compared with what is left, so `size - pos` never wraps and no length from the file is
// ever added to a position before it was bounded. Each byte is looked at a constant number of times
// (an item of an array costs at least its own bytes), so any input is handled in linear time.
//
// The reader remembers what it is at ("key 3", then "key 'general.name'"), so that a message can
// name the offending thing without each call carrying it.
#include "fmt/gguf_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// --- fixed-width values -------------------------------------------------------------------------

uint32_t gguf_load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t gguf_load_u64(const uint8_t *p)
{
    return (uint64_t)gguf_load_u32(p) | (uint64_t)gguf_load_u32(p + 4) << 32;
}

size_t gguf_type_bytes(uint32_t type)
{
    static const uint8_t bytes[GGUF_TYPE_COUNT] = {
        [GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_BOOL] = 1, [GGUF_U16] = 2, [GGUF_I16] = 2,
        [GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4,  [GGUF_U64] = 8, [GGUF_I64] = 8,
        [GGUF_F64] = 8,
    };
    return type < GGUF_TYPE_COUNT ? bytes[type] : 0;
}

static size_t bytes_left(const gguf_reader *r)
{
    ASSERT(r->pos <= r->size);
    return r->size - r->pos;
}

static bool take_u32(gguf_reader *r, uint32_t *out)
{
    if (bytes_left(r) < 4) return false;
    *out = gguf_load_u32(r->data + r->pos);
    r->pos += 4;
    return true;
}

static bool take_u64(gguf_reader *r, uint64_t *out)
{
    if (bytes_left(r) < 8) return false;
    *out = gguf_load_u64(r->data + r->pos);
    r->pos += 8;
    return true;
}

// --- messages -----------------------------------------------------------------------------------

typedef struct subject { char text[300]; } subject; // a kind, and a name cut at 256 bytes

static subject name_subject(const gguf_reader *r)
{
    subject s;
    if (r->name.n > 0) {
        snprintf(s.text, sizeof s.text, "%s '%.*s'", r->kind, STR_ARG(r->name));
    } else {
        snprintf(s.text, sizeof s.text, "%s %" PRIu64, r->kind, r->index);
    }
    return s;
}

static hearth_status fail_short(const gguf_reader *r, const char *what, hearth_err *err)
{
    char size[16];
    return err_fail(err, HEARTH_E_FORMAT, "%s: %s goes past the end of the file (%s)",
                    name_subject(r).text, what, format_bytes(r->size, size));
}

// --- strings ------------------------------------------------------------------------------------

static hearth_status take_string(gguf_reader *r, const char *what, uint64_t most, str *out,
                                 hearth_err *err)
{
    uint64_t n;
    if (!take_u64(r, &n) || n > bytes_left(r)) return fail_short(r, what, err);
    if (n > most) {
        return err_fail(err, HEARTH_E_LIMIT, "%s: %s has %" PRIu64 " bytes, at most %" PRIu64
                        " are supported", name_subject(r).text, what, n, most);
    }
    *out = (str){(const char *)r->data + r->pos, (size_t)n};
    r->pos += (size_t)n;
    return HEARTH_OK;
}

static hearth_status take_name(gguf_reader *r, const char *kind, uint64_t index, uint64_t most,
                               hearth_err *err)
{
    r->kind = kind;
    r->index = index;
    r->name = (str){0};
    str name;
    HEARTH_TRY(take_string(r, "name", most, &name, err));
    if (name.n == 0) {
        return err_fail(err, HEARTH_E_FORMAT, "%s: has no name", name_subject(r).text);
    }
    r->name = name;
    return HEARTH_OK;
}

// --- the head -----------------------------------------------------------------------------------

// Files that people often have in place of a GGUF file, by their first four bytes.
static const char *guess_format(const uint8_t *p)
{
    static const struct { char magic[5]; const char *name; } known[] = {
        {"tjgg", "a ggjt file, from before GGUF"}, {"lmgg", "a ggml file, from before GGUF"},
        {"fmgg", "a ggmf file, from before GGUF"}, {"algg", "a ggla adapter, from before GGUF"},
        {"vers", "a Git LFS pointer in place of the model"}, {"<!DO", "a web page"},
        {"<htm", "a web page"}, {"PK\3\4", "a ZIP or PyTorch file"}, {"FUGG", "big-endian GGUF"},
    };
    for (size_t i = 0; i < COUNTOF(known); i++) {
        if (memcmp(p, known[i].magic, 4) == 0) return known[i].name;
    }
    return NULL;
}

static hearth_status check_magic(const uint8_t *p, hearth_err *err)
{
    if (memcmp(p, "GGUF", 4) == 0) return HEARTH_OK;
    const char *guess = guess_format(p);
    if (guess) return err_fail(err, HEARTH_E_FORMAT, "not a GGUF file but %s", guess);
    return err_fail(err, HEARTH_E_FORMAT,
                    "not a GGUF file: begins with bytes %02x %02x %02x %02x, expected 'GGUF'",
                    p[0], p[1], p[2], p[3]);
}

static hearth_status check_version(uint32_t version, hearth_err *err)
{
    if (version == 2 || version == 3) return HEARTH_OK;
    if (version == 1) {
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "GGUF version 1 (32-bit lengths) is not supported, expected 2 or 3");
    }
    if (version != 0 && (version & 0xFFFF) == 0) { // a small number read from the wrong end
        return err_fail(err, HEARTH_E_UNSUPPORTED, "big-endian GGUF is not supported");
    }
    return err_fail(err, HEARTH_E_UNSUPPORTED, "GGUF version %" PRIu32
                    " is not supported, expected 2 or 3", version);
}

// Only the keys can be bounded here; where the tensor records begin is not known yet.
hearth_status gguf_read_head(gguf_reader *r, gguf_head *out, hearth_err *err)
{
    enum { HEAD_BYTES = 4 + 4 + 8 + 8 };
    if (r->size < 4) return err_fail(err, HEARTH_E_FORMAT, "%zu bytes are no GGUF file", r->size);
    HEARTH_TRY(check_magic(r->data, err));
    if (r->size < HEAD_BYTES) {
        return err_fail(err, HEARTH_E_FORMAT, "file ends inside its head: %zu bytes, expected %d",
                        r->size, HEAD_BYTES);
    }
    uint32_t version = gguf_load_u32(r->data + 4);
    HEARTH_TRY(check_version(version, err));
    *out = (gguf_head){(int)version, gguf_load_u64(r->data + 8), gguf_load_u64(r->data + 16)};
    r->pos = HEAD_BYTES;
    if (out->n_kv > bytes_left(r) / GGUF_KV_BYTES_MIN) {
        return err_fail(err, HEARTH_E_FORMAT, "%" PRIu64 " keys do not fit in %zu bytes",
                        out->n_kv, r->size);
    }
    if (out->n_kv > LIMIT_GGUF_KV) {
        return err_fail(err, HEARTH_E_LIMIT, "%" PRIu64 " keys, at most %d are supported",
                        out->n_kv, LIMIT_GGUF_KV);
    }
    return HEARTH_OK;
}

// --- keys ---------------------------------------------------------------------------------------

static hearth_status fail_type(const gguf_reader *r, uint32_t type, hearth_err *err)
{
    return err_fail(err, HEARTH_E_FORMAT, "%s: value type %" PRIu32 " is unknown, expected 0 to %d",
                    name_subject(r).text, type, GGUF_TYPE_COUNT - 1);
}

static hearth_status skip_fixed(gguf_reader *r, uint32_t type, uint64_t n, hearth_err *err)
{
    size_t item_bytes = gguf_type_bytes(type);
    if (item_bytes == 0) return fail_type(r, type, err);
    if (n > bytes_left(r) / item_bytes) return fail_short(r, "value", err);
    size_t bytes = (size_t)n * item_bytes;
    if (type == GGUF_BOOL) {
        for (size_t i = 0; i < bytes; i++) {
            uint8_t v = r->data[r->pos + i];
            if (v > 1) {
                return err_fail(err, HEARTH_E_FORMAT, "%s: bool is %d, expected 0 or 1",
                                name_subject(r).text, v);
            }
        }
    }
    r->pos += bytes;
    return HEARTH_OK;
}

static hearth_status skip_strings(gguf_reader *r, uint64_t n, hearth_err *err)
{
    str ignored;
    for (uint64_t i = 0; i < n; i++) {
        HEARTH_TRY(take_string(r, "string", LIMIT_GGUF_STRING, &ignored, err));
    }
    return HEARTH_OK;
}

static hearth_status take_array_head(gguf_reader *r, uint32_t *type, uint64_t *n, hearth_err *err)
{
    if (!take_u32(r, type) || !take_u64(r, n)) return fail_short(r, "array", err);
    return *type < GGUF_TYPE_COUNT ? HEARTH_OK : fail_type(r, *type, err);
}

// `depth` arrays are around these items.
static hearth_status skip_items(gguf_reader *r, uint32_t type, uint64_t n, int depth,
                                hearth_err *err)
{
    if (type == GGUF_STRING) return skip_strings(r, n, err);
    if (type != GGUF_ARRAY) return skip_fixed(r, type, n, err);
    if (depth >= LIMIT_GGUF_ARRAY_DEPTH) {
        return err_fail(err, HEARTH_E_LIMIT, "%s: arrays nest deeper than %d",
                        name_subject(r).text, LIMIT_GGUF_ARRAY_DEPTH);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint32_t inner_type;
        uint64_t inner_n;
        HEARTH_TRY(take_array_head(r, &inner_type, &inner_n, err));
        HEARTH_TRY(skip_items(r, inner_type, inner_n, depth + 1, err));
    }
    return HEARTH_OK;
}

hearth_status gguf_read_kv(gguf_reader *r, uint64_t index, gguf_kv *out, hearth_err *err)
{
    HEARTH_TRY(take_name(r, "key", index, LIMIT_GGUF_NAME, err));
    uint32_t type, item_type;
    if (!take_u32(r, &type)) return fail_short(r, "type", err);
    if (type >= GGUF_TYPE_COUNT) return fail_type(r, type, err);
    uint64_t n = 1;
    item_type = type;
    if (type == GGUF_ARRAY) HEARTH_TRY(take_array_head(r, &item_type, &n, err));
    size_t start = r->pos;
    HEARTH_TRY(skip_items(r, item_type, n, type == GGUF_ARRAY, err));
    *out = (gguf_kv){r->name, (gguf_type)type, (gguf_type)item_type, n, r->data + start,
                     r->pos - start};
    return HEARTH_OK;
}

// --- tensors ------------------------------------------------------------------------------------

static hearth_status take_dims(gguf_reader *r, gguf_tensor *out, hearth_err *err)
{
    uint32_t n_dims;
    if (!take_u32(r, &n_dims)) return fail_short(r, "record", err);
    if (n_dims > LIMIT_TENSOR_DIMS) {
        return err_fail(err, HEARTH_E_FORMAT, "%s: %" PRIu32 " dimensions, expected at most %d",
                        name_subject(r).text, n_dims, LIMIT_TENSOR_DIMS);
    }
    out->n_dims = int_max(1, (int)n_dims);
    for (int i = 0; i < LIMIT_TENSOR_DIMS; i++) {
        uint64_t dim = 1;
        if (i < (int)n_dims && !take_u64(r, &dim)) return fail_short(r, "record", err);
        if (dim == 0 || dim > LIMIT_TENSOR_DIM) {
            return err_fail(err, HEARTH_E_FORMAT, "%s: dimension %d is %" PRIu64
                            ", expected 1 to %" PRId64, name_subject(r).text, i, dim,
                            LIMIT_TENSOR_DIM);
        }
        out->dim[i] = (int64_t)dim;
    }
    return HEARTH_OK;
}

static hearth_status check_dtype(const gguf_reader *r, uint32_t id, hearth_err *err)
{
    if (dtype_known(id)) return HEARTH_OK;
    const char *foreign = dtype_foreign_name(id);
    if (foreign) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "%s: type %" PRIu32 " (%s) is not supported",
                        name_subject(r).text, id, foreign);
    }
    return err_fail(err, HEARTH_E_FORMAT, "%s: type %" PRIu32 " is unknown",
                    name_subject(r).text, id);
}

// dim[0] in whole blocks makes the number of elements one of whole blocks too.
static hearth_status measure_tensor(const gguf_reader *r, gguf_tensor *t, hearth_err *err)
{
    const dtype_info *info = dtype_get(t->type);
    if (t->dim[0] % info->block_len != 0) {
        return err_fail(err, HEARTH_E_FORMAT, "%s: rows of %" PRId64
                        " elements are no multiple of the %d of a %s block",
                        name_subject(r).text, t->dim[0], info->block_len, info->name);
    }
    int64_t n = 1;
    bool ok = true;
    for (int i = 0; ok && i < LIMIT_TENSOR_DIMS; i++) ok = mul_ok_i64(n, t->dim[i], &n);
    if (ok && dtype_bytes(t->type, n, &t->bytes)) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "%s: %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
                    " elements overflow", name_subject(r).text, t->dim[0], t->dim[1], t->dim[2],
                    t->dim[3]);
}

hearth_status gguf_read_tensor(gguf_reader *r, uint64_t index, gguf_tensor *out, uint64_t *offset,
                               hearth_err *err)
{
    HEARTH_TRY(take_name(r, "tensor", index, LIMIT_GGUF_TENSOR_NAME, err));
    gguf_tensor t = {.name = r->name};
    HEARTH_TRY(take_dims(r, &t, err));
    uint32_t type;
    if (!take_u32(r, &type) || !take_u64(r, offset)) return fail_short(r, "record", err);
    HEARTH_TRY(check_dtype(r, type, err));
    t.type = (dtype)type;
    HEARTH_TRY(measure_tensor(r, &t, err));
    *out = t;
    return HEARTH_OK;
}
