// Lookups and typed reads on an opened GGUF index.
//
// gguf_open() proved that every value lies in the file, so nothing here can read outside; what is
// left to check is what only the caller knows: which type and range a key must have. Integers are
// widened to sign and 64 bits first, so that a file may store a count in any width. Values are not
// aligned in the file and are assembled from bytes, which also holds on big-endian machines.
#include "fmt/gguf_int.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *gguf_type_name(gguf_type t)
{
    static const char *const names[GGUF_TYPE_COUNT] = {
        [GGUF_U8] = "u8",   [GGUF_I8] = "i8",   [GGUF_U16] = "u16",   [GGUF_I16] = "i16",
        [GGUF_U32] = "u32", [GGUF_I32] = "i32", [GGUF_F32] = "f32",   [GGUF_BOOL] = "bool",
        [GGUF_U64] = "u64", [GGUF_I64] = "i64", [GGUF_F64] = "f64",   [GGUF_STRING] = "string",
        [GGUF_ARRAY] = "array",
    };
    return (unsigned)t < GGUF_TYPE_COUNT ? names[t] : "unknown";
}

int gguf_version(const gguf *g) { return g->version; }
size_t gguf_kv_count(const gguf *g) { return g->n_kv; }
size_t gguf_tensor_count(const gguf *g) { return g->n_tensors; }

const gguf_kv *gguf_kv_at(const gguf *g, size_t i)
{
    ASSERT(i < g->n_kv);
    return &g->kv[i];
}

const gguf_tensor *gguf_tensor_at(const gguf *g, size_t i)
{
    ASSERT(i < g->n_tensors);
    return &g->tensors[i];
}

const gguf_kv *gguf_find(const gguf *g, const char *key)
{
    uint32_t i;
    return map_get(&g->key_map, str_from(key), &i) ? &g->kv[i] : NULL;
}

const gguf_tensor *gguf_find_tensor(const gguf *g, const char *name)
{
    uint32_t i;
    return map_get(&g->tensor_map, str_from(name), &i) ? &g->tensors[i] : NULL;
}

// --- items --------------------------------------------------------------------------------------

typedef struct integer { uint64_t bits; bool is_negative; } integer; // two's complement

static integer from_signed(int64_t v) { return (integer){(uint64_t)v, v < 0}; }

// Little endian, sign as the type has it. False for floats, strings and arrays.
static bool load_integer(const gguf_kv *kv, uint64_t i, integer *out)
{
    size_t width = gguf_type_bytes(kv->item_type);
    if (width == 0 || i >= kv->n) return false;
    const uint8_t *p = kv->data + (size_t)i * width;
    uint16_t u16 = (uint16_t)(p[0] | (width > 1 ? p[1] << 8 : 0));
    switch (kv->item_type) {
    case GGUF_U8:
    case GGUF_BOOL: *out = (integer){p[0], false}; return true;
    case GGUF_U16: *out = (integer){u16, false}; return true;
    case GGUF_U32: *out = (integer){gguf_load_u32(p), false}; return true;
    case GGUF_U64: *out = (integer){gguf_load_u64(p), false}; return true;
    case GGUF_I8: *out = from_signed((int8_t)p[0]); return true;
    case GGUF_I16: *out = from_signed((int16_t)u16); return true;
    case GGUF_I32: *out = from_signed((int32_t)gguf_load_u32(p)); return true;
    case GGUF_I64: *out = from_signed((int64_t)gguf_load_u64(p)); return true;
    default: return false;
    }
}

bool gguf_item_i64(const gguf_kv *kv, uint64_t i, int64_t *out)
{
    integer v;
    if (!load_integer(kv, i, &v)) return false;
    if (!v.is_negative && v.bits > INT64_MAX) return false;
    *out = (int64_t)v.bits;
    return true;
}

bool gguf_item_f64(const gguf_kv *kv, uint64_t i, double *out)
{
    if (i >= kv->n) return false;
    if (kv->item_type == GGUF_F32) {
        float f;
        uint32_t bits = gguf_load_u32(kv->data + (size_t)i * 4);
        memcpy(&f, &bits, sizeof f);
        *out = (double)f;
        return true;
    }
    if (kv->item_type == GGUF_F64) {
        uint64_t bits = gguf_load_u64(kv->data + (size_t)i * 8);
        memcpy(out, &bits, sizeof *out);
        return true;
    }
    integer v;
    if (!load_integer(kv, i, &v)) return false;
    *out = v.is_negative ? (double)(int64_t)v.bits : (double)v.bits;
    return true;
}

str gguf_next_string(const gguf_kv *kv, size_t *offset)
{
    if (kv->item_type != GGUF_STRING || *offset >= kv->data_bytes) return STR("");
    const uint8_t *p = kv->data + *offset;
    ASSERT(kv->data_bytes - *offset >= 8);
    size_t n = (size_t)gguf_load_u64(p);
    ASSERT(n <= kv->data_bytes - *offset - 8);
    *offset += 8 + n;
    return (str){(const char *)p + 8, n};
}

// --- typed keys ---------------------------------------------------------------------------------

// *kv is NULL when the key is absent and may be.
static hearth_status find_key(const gguf *g, const char *key, const gguf_kv **kv, bool *found,
                              hearth_err *err)
{
    *kv = gguf_find(g, key);
    if (found) *found = *kv != NULL;
    if (*kv || found) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "key '%s': is missing", key);
}

static hearth_status fail_kind(const gguf_kv *kv, const char *expected, hearth_err *err)
{
    return err_fail(err, HEARTH_E_FORMAT, "key '%.*s': is of type %s, expected %s",
                    STR_ARG(kv->key), gguf_type_name(kv->type), expected);
}

hearth_status gguf_get_u64(const gguf *g, const char *key, uint64_t max, uint64_t *out, bool *found,
                           hearth_err *err)
{
    const gguf_kv *kv;
    HEARTH_TRY(find_key(g, key, &kv, found, err));
    if (!kv) return HEARTH_OK;
    integer v;
    bool is_integer = kv->type != GGUF_ARRAY && kv->type != GGUF_BOOL && load_integer(kv, 0, &v);
    if (!is_integer) return fail_kind(kv, "an integer", err);
    if (v.is_negative) {
        return err_fail(err, HEARTH_E_FORMAT, "key '%s': is %" PRId64 ", expected 0 to %" PRIu64,
                        key, (int64_t)v.bits, max);
    }
    if (v.bits > max) {
        return err_fail(err, HEARTH_E_FORMAT, "key '%s': is %" PRIu64 ", expected at most %" PRIu64,
                        key, v.bits, max);
    }
    *out = v.bits;
    return HEARTH_OK;
}

hearth_status gguf_get_f32(const gguf *g, const char *key, float *out, bool *found,
                           hearth_err *err)
{
    const gguf_kv *kv;
    HEARTH_TRY(find_key(g, key, &kv, found, err));
    if (!kv) return HEARTH_OK;
    double v;
    bool is_number = kv->type != GGUF_ARRAY && kv->type != GGUF_BOOL && gguf_item_f64(kv, 0, &v);
    if (!is_number) return fail_kind(kv, "a number", err);
    if (!(fabs(v) <= (double)FLT_MAX)) { // also NaN
        return err_fail(err, HEARTH_E_FORMAT, "key '%s': is %g, expected a finite f32", key, v);
    }
    *out = (float)v;
    return HEARTH_OK;
}

hearth_status gguf_get_bool(const gguf *g, const char *key, bool *out, bool *found,
                            hearth_err *err)
{
    const gguf_kv *kv;
    HEARTH_TRY(find_key(g, key, &kv, found, err));
    if (!kv) return HEARTH_OK;
    if (kv->type != GGUF_BOOL) return fail_kind(kv, "bool", err);
    *out = kv->data[0] != 0;
    return HEARTH_OK;
}

hearth_status gguf_get_str(const gguf *g, const char *key, str *out, bool *found, hearth_err *err)
{
    const gguf_kv *kv;
    HEARTH_TRY(find_key(g, key, &kv, found, err));
    if (!kv) return HEARTH_OK;
    if (kv->type != GGUF_STRING) return fail_kind(kv, "string", err);
    size_t offset = 0;
    *out = gguf_next_string(kv, &offset);
    return HEARTH_OK;
}
