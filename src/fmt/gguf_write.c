// Writes GGUF v3 in one forward pass over a sink that cannot seek.
//
// Everything before the data (keys, tensor records) is encoded into two buffers while it is
// declared; sizes, and with them all offsets, follow from shapes and types alone, so the header is
// complete before the first byte of data arrives. Bytes depend on the calls only: no time, no
// padding left undefined, keys and tensors in the order of the calls. Layout as in gguf.h; each
// tensor, the last one too, is padded with zeros to the alignment, as ggml's writers do.
//
// The first failure sticks: a writer that failed answers HEARTH_E_STATE from then on, so what was
// half encoded is never written. The alignment is 32 or what the key general.alignment said.
#include "fmt/gguf_write.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "fmt/gguf_int.h"

enum { ALIGNMENT_DEFAULT = 32 };
#define HEADER_BYTES_MAX ((size_t)1 << 30) // vocabularies are a few MB; far above any real header

typedef enum phase { DECLARE, DATA, DONE, FAILED } phase;

struct gguf_writer {
    gguf_sink sink;
    void *ctx;
    phase phase;
    buf kv, records;   // encoded keys and tensor records
    buf sizes;         // uint64_t per tensor: bytes of data without padding
    arena names;       // copies of keys and tensor names, for the maps
    map keys, tensors; // what was declared, to refuse doubles
    uint64_t n_kv, n_tensors;
    uint64_t data_end; // where the next tensor begins in the data section
    size_t alignment;
    uint64_t current, written; // tensor whose data comes, and how much of it came
};

hearth_status gguf_writer_create(gguf_sink sink, void *ctx, gguf_writer **out, hearth_err *err)
{
    *out = NULL;
    gguf_writer *w = mem_alloc_zero(MEM_MODEL, 1, sizeof *w);
    if (!w) return err_fail(err, HEARTH_E_NOMEM, "no memory for a GGUF writer");
    w->sink = sink;
    w->ctx = ctx;
    w->alignment = ALIGNMENT_DEFAULT;
    buf_init(&w->kv, MEM_MODEL, HEADER_BYTES_MAX);
    buf_init(&w->records, MEM_MODEL, HEADER_BYTES_MAX);
    buf_init(&w->sizes, MEM_MODEL, HEADER_BYTES_MAX);
    arena_init(&w->names, MEM_MODEL, HEADER_BYTES_MAX);
    map_init(&w->keys, MEM_MODEL);
    map_init(&w->tensors, MEM_MODEL);
    *out = w;
    return HEARTH_OK;
}

void gguf_writer_free(gguf_writer *w)
{
    if (!w) return;
    buf_release(&w->kv);
    buf_release(&w->records);
    buf_release(&w->sizes);
    map_release(&w->keys);
    map_release(&w->tensors);
    arena_release(&w->names);
    mem_free(w);
}

// --- encoding -----------------------------------------------------------------------------------
// Failures stay in the buf and are looked at once per key or tensor.

static void put_u32(buf *b, uint32_t v)
{
    uint8_t p[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    buf_append(b, p, sizeof p);
}

static void put_u64(buf *b, uint64_t v)
{
    put_u32(b, (uint32_t)v);
    put_u32(b, (uint32_t)(v >> 32));
}

static void put_str(buf *b, str s)
{
    put_u64(b, s.n);
    buf_append_str(b, s);
}

static hearth_status fail(gguf_writer *w, hearth_status s)
{
    w->phase = FAILED;
    return s;
}

static hearth_status expect_phase(const gguf_writer *w, phase expected, hearth_err *err)
{
    static const char *const names[] = {"declaring", "writing data", "finished", "broken"};
    if (w->phase == expected) return HEARTH_OK;
    return err_fail(err, HEARTH_E_STATE, "GGUF writer: is %s, expected %s", names[w->phase],
                    names[expected]);
}

static hearth_status check_buffer(gguf_writer *w, const buf *b, hearth_err *err)
{
    if (b->failed == HEARTH_OK) return HEARTH_OK;
    return fail(w, err_fail(err, b->failed, "GGUF writer: header of %zu bytes cannot grow", b->n));
}

// Checks a key or tensor name and enters it into the map of its kind.
static hearth_status declare(gguf_writer *w, const char *kind, map *m, str name, size_t most,
                             hearth_err *err)
{
    HEARTH_TRY(expect_phase(w, DECLARE, err));
    if (name.n == 0 || name.n > most) {
        return err_fail(err, HEARTH_E_ARG, "%s '%.*s': name has %zu bytes, expected 1 to %zu", kind,
                        STR_ARG(name), name.n, most);
    }
    uint32_t ignored;
    if (map_get(m, name, &ignored)) {
        return err_fail(err, HEARTH_E_ARG, "%s '%.*s': is there twice", kind, STR_ARG(name));
    }
    char *copy = arena_copy_string(&w->names, name.p, name.n);
    hearth_status s = copy ? map_put(m, (str){copy, name.n}, 0, NULL) : HEARTH_E_NOMEM;
    if (s != HEARTH_OK) return fail(w, err_fail(err, s, "GGUF writer: no memory for a name"));
    return HEARTH_OK;
}

// --- keys ---------------------------------------------------------------------------------------

static hearth_status begin_key(gguf_writer *w, str key, gguf_type type, hearth_err *err)
{
    HEARTH_TRY(declare(w, "key", &w->keys, key, LIMIT_GGUF_NAME, err));
    put_str(&w->kv, key);
    put_u32(&w->kv, (uint32_t)type);
    return HEARTH_OK;
}

static hearth_status end_key(gguf_writer *w, hearth_err *err)
{
    w->n_kv++;
    return check_buffer(w, &w->kv, err);
}

static hearth_status set_alignment(gguf_writer *w, str key, bool is_u32, uint32_t v,
                                   hearth_err *err)
{
    uint32_t ignored;
    HEARTH_TRY(expect_phase(w, DECLARE, err));
    if (!str_eq_z(key, "general.alignment")) return HEARTH_OK;
    if (map_get(&w->keys, key, &ignored)) return HEARTH_OK; // refused by declare()
    if (!is_u32 || v == 0 || v > LIMIT_GGUF_ALIGNMENT || (v & (v - 1)) != 0) {
        return err_fail(err, HEARTH_E_ARG,
                        "key 'general.alignment': expected a u32, a power of two up to %d",
                        LIMIT_GGUF_ALIGNMENT);
    }
    if (w->n_tensors > 0) {
        return err_fail(err, HEARTH_E_STATE, "key 'general.alignment': comes after a tensor");
    }
    w->alignment = v;
    return HEARTH_OK;
}

hearth_status gguf_write_u32(gguf_writer *w, const char *key, uint32_t v, hearth_err *err)
{
    HEARTH_TRY(set_alignment(w, str_from(key), true, v, err));
    HEARTH_TRY(begin_key(w, str_from(key), GGUF_U32, err));
    put_u32(&w->kv, v);
    return end_key(w, err);
}

// Scalars of other types; the value's low `width` bytes.
static hearth_status write_scalar(gguf_writer *w, const char *key, gguf_type type, uint64_t bits,
                                  hearth_err *err)
{
    HEARTH_TRY(set_alignment(w, str_from(key), false, 0, err));
    HEARTH_TRY(begin_key(w, str_from(key), type, err));
    size_t width = gguf_type_bytes((uint32_t)type);
    for (size_t i = 0; i < width; i++) buf_append_char(&w->kv, (char)(uint8_t)(bits >> 8 * i));
    return end_key(w, err);
}

hearth_status gguf_write_u64(gguf_writer *w, const char *key, uint64_t v, hearth_err *err)
{
    return write_scalar(w, key, GGUF_U64, v, err);
}

hearth_status gguf_write_i32(gguf_writer *w, const char *key, int32_t v, hearth_err *err)
{
    return write_scalar(w, key, GGUF_I32, (uint32_t)v, err);
}

hearth_status gguf_write_f32(gguf_writer *w, const char *key, float v, hearth_err *err)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return write_scalar(w, key, GGUF_F32, bits, err);
}

hearth_status gguf_write_bool(gguf_writer *w, const char *key, bool v, hearth_err *err)
{
    return write_scalar(w, key, GGUF_BOOL, v, err);
}

hearth_status gguf_write_str(gguf_writer *w, const char *key, str v, hearth_err *err)
{
    HEARTH_TRY(set_alignment(w, str_from(key), false, 0, err));
    HEARTH_TRY(begin_key(w, str_from(key), GGUF_STRING, err));
    put_str(&w->kv, v);
    return end_key(w, err);
}

hearth_status gguf_write_array(gguf_writer *w, const char *key, gguf_type type, const void *items,
                               uint64_t n, hearth_err *err)
{
    size_t width = gguf_type_bytes((uint32_t)type);
    if (width == 0 || n > HEADER_BYTES_MAX / width) {
        return err_fail(err, HEARTH_E_ARG, "key '%s': cannot write %" PRIu64 " items of type %s",
                        key, n, gguf_type_name(type));
    }
    HEARTH_TRY(set_alignment(w, str_from(key), false, 0, err));
    HEARTH_TRY(begin_key(w, str_from(key), GGUF_ARRAY, err));
    put_u32(&w->kv, (uint32_t)type);
    put_u64(&w->kv, n);
    if (n > 0) buf_append(&w->kv, items, (size_t)n * width);
    return end_key(w, err);
}

hearth_status gguf_write_str_array(gguf_writer *w, const char *key, const str *items, uint64_t n,
                                   hearth_err *err)
{
    HEARTH_TRY(set_alignment(w, str_from(key), false, 0, err));
    HEARTH_TRY(begin_key(w, str_from(key), GGUF_ARRAY, err));
    put_u32(&w->kv, GGUF_STRING);
    put_u64(&w->kv, n);
    for (uint64_t i = 0; i < n; i++) put_str(&w->kv, items[i]);
    return end_key(w, err);
}

hearth_status gguf_write_copy(gguf_writer *w, const gguf_kv *kv, hearth_err *err)
{
    uint32_t v = kv->type == GGUF_U32 ? gguf_load_u32(kv->data) : 0;
    HEARTH_TRY(set_alignment(w, kv->key, kv->type == GGUF_U32, v, err));
    HEARTH_TRY(begin_key(w, kv->key, kv->type, err));
    if (kv->type == GGUF_ARRAY) {
        put_u32(&w->kv, (uint32_t)kv->item_type);
        put_u64(&w->kv, kv->n);
    }
    buf_append(&w->kv, kv->data, kv->data_bytes);
    return end_key(w, err);
}

// --- tensors ------------------------------------------------------------------------------------

// `alignment` is a power of two; n is below INT64_MAX, so nothing wraps.
static uint64_t pad_to(uint64_t n, uint64_t alignment)
{
    return (n + alignment - 1) & ~(alignment - 1);
}

static bool measure_shape(dtype type, int n_dims, const int64_t *dim, size_t *bytes)
{
    if (n_dims < 1 || n_dims > LIMIT_TENSOR_DIMS) return false;
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++) {
        if (dim[i] < 1 || dim[i] > LIMIT_TENSOR_DIM || !mul_ok_i64(n, dim[i], &n)) return false;
    }
    return dim[0] % dtype_get(type)->block_len == 0 && dtype_bytes(type, n, bytes);
}

hearth_status gguf_write_tensor(gguf_writer *w, const char *name, dtype type, int n_dims,
                                const int64_t *dim, hearth_err *err)
{
    size_t bytes;
    uint64_t end;
    if (!dtype_known((uint32_t)type) || !measure_shape(type, n_dims, dim, &bytes) ||
        !add_ok_u64(w->data_end, bytes, &end) || end > (uint64_t)INT64_MAX) {
        return err_fail(err, HEARTH_E_ARG, "tensor '%s': shape is not possible for its type", name);
    }
    HEARTH_TRY(declare(w, "tensor", &w->tensors, str_from(name), LIMIT_GGUF_TENSOR_NAME, err));
    put_str(&w->records, str_from(name));
    put_u32(&w->records, (uint32_t)n_dims);
    for (int i = 0; i < n_dims; i++) put_u64(&w->records, (uint64_t)dim[i]);
    put_u32(&w->records, (uint32_t)type);
    put_u64(&w->records, w->data_end);
    uint64_t size = bytes;
    buf_append(&w->sizes, &size, sizeof size);
    w->data_end = pad_to(end, w->alignment);
    w->n_tensors++;
    HEARTH_TRY(check_buffer(w, &w->records, err));
    return check_buffer(w, &w->sizes, err);
}

// --- output -------------------------------------------------------------------------------------

static hearth_status emit(gguf_writer *w, const void *p, size_t n, hearth_err *err)
{
    hearth_status s = n > 0 ? w->sink(w->ctx, p, n, err) : HEARTH_OK;
    return s == HEARTH_OK ? s : fail(w, s);
}

static hearth_status emit_padding(gguf_writer *w, uint64_t written, hearth_err *err)
{
    static const uint8_t zeros[256];
    ASSERT(w->alignment > 0 && (w->alignment & (w->alignment - 1)) == 0);
    size_t left = (size_t)(pad_to(written, w->alignment) - written);
    for (size_t n; left > 0; left -= n) {
        n = size_min(left, sizeof zeros);
        HEARTH_TRY(emit(w, zeros, n, err));
    }
    return HEARTH_OK;
}

hearth_status gguf_write_header(gguf_writer *w, hearth_err *err)
{
    HEARTH_TRY(expect_phase(w, DECLARE, err));
    buf head;
    buf_init(&head, MEM_MODEL, 64);
    buf_append(&head, "GGUF", 4);
    put_u32(&head, 3);
    put_u64(&head, w->n_tensors);
    put_u64(&head, w->n_kv);
    hearth_status s = check_buffer(w, &head, err);
    if (s == HEARTH_OK) s = emit(w, head.p, head.n, err);
    if (s == HEARTH_OK) s = emit(w, w->kv.p, w->kv.n, err);
    if (s == HEARTH_OK) s = emit(w, w->records.p, w->records.n, err);
    if (s == HEARTH_OK) s = emit_padding(w, head.n + w->kv.n + w->records.n, err);
    if (s == HEARTH_OK) w->phase = DATA;
    buf_release(&head);
    return s;
}

static uint64_t tensor_bytes(const gguf_writer *w, uint64_t i)
{
    uint64_t n;
    ASSERT(i < w->n_tensors && w->sizes.n == w->n_tensors * sizeof n);
    memcpy(&n, w->sizes.p + (size_t)i * sizeof n, sizeof n);
    return n;
}

hearth_status gguf_write_data(gguf_writer *w, const void *p, size_t n, hearth_err *err)
{
    HEARTH_TRY(expect_phase(w, DATA, err));
    if (n == 0) return HEARTH_OK;
    uint64_t left = w->current < w->n_tensors ? tensor_bytes(w, w->current) - w->written : 0;
    if (n > left) {
        return err_fail(err, HEARTH_E_ARG, "GGUF writer: %zu bytes for tensor %" PRIu64
                        ", expected at most %" PRIu64, n, w->current, left);
    }
    HEARTH_TRY(emit(w, p, n, err));
    w->written += n;
    ASSERT(w->written <= tensor_bytes(w, w->current));
    if (n < left) return HEARTH_OK;
    HEARTH_TRY(emit_padding(w, w->written, err));
    w->current++;
    w->written = 0;
    return HEARTH_OK;
}

hearth_status gguf_write_end(gguf_writer *w, hearth_err *err)
{
    HEARTH_TRY(expect_phase(w, DATA, err));
    if (w->current < w->n_tensors) {
        return err_fail(err, HEARTH_E_STATE, "GGUF writer: data of %" PRIu64 " tensors is missing",
                        w->n_tensors - w->current);
    }
    w->phase = DONE;
    return HEARTH_OK;
}
