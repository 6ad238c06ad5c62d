// TensorProto: shape, type and where the elements are. See onnx.h.
//
// Elements come as raw bytes or, for other writers, in a typed field chosen by the element type,
// packed or one field per item. The parser only counts the latter; onnx_tensor_read() walks them
// again, so that the index stays small and raw weights are never touched.
#include "fmt/onnx_int.h"

#include <string.h>

enum { FLOAT_DATA = 4, INT32_DATA = 5, STRING_DATA = 6, INT64_DATA = 7, DOUBLE_DATA = 10,
       UINT64_DATA = 11 };

typedef struct type_row {
    const char *name;
    uint8_t bits;    // in raw data; 0: strings
    uint8_t bytes;   // in memory
    uint8_t field;   // of typed data
    uint8_t wire;    // of its items
} type_row;
static const type_row types[ONNX_TYPE_COUNT] = {
    [ONNX_F32] = {"float32", 32, 4, FLOAT_DATA, PB_FIXED32},
    [ONNX_U8] = {"uint8", 8, 1, INT32_DATA, PB_VARINT},
    [ONNX_I8] = {"int8", 8, 1, INT32_DATA, PB_VARINT},
    [ONNX_U16] = {"uint16", 16, 2, INT32_DATA, PB_VARINT},
    [ONNX_I16] = {"int16", 16, 2, INT32_DATA, PB_VARINT},
    [ONNX_I32] = {"int32", 32, 4, INT32_DATA, PB_VARINT},
    [ONNX_I64] = {"int64", 64, 8, INT64_DATA, PB_VARINT},
    [ONNX_STRING] = {"string", 0, sizeof(str), STRING_DATA, PB_BYTES},
    [ONNX_BOOL] = {"bool", 8, 1, INT32_DATA, PB_VARINT},
    [ONNX_F16] = {"float16", 16, 2, INT32_DATA, PB_VARINT},
    [ONNX_F64] = {"float64", 64, 8, DOUBLE_DATA, PB_FIXED64},
    [ONNX_U32] = {"uint32", 32, 4, UINT64_DATA, PB_VARINT},
    [ONNX_U64] = {"uint64", 64, 8, UINT64_DATA, PB_VARINT},
    [ONNX_BF16] = {"bfloat16", 16, 2, INT32_DATA, PB_VARINT},
    [ONNX_F8E4M3FN] = {"float8e4m3fn", 8, 1, INT32_DATA, PB_VARINT},
    [ONNX_F8E4M3FNUZ] = {"float8e4m3fnuz", 8, 1, INT32_DATA, PB_VARINT},
    [ONNX_F8E5M2] = {"float8e5m2", 8, 1, INT32_DATA, PB_VARINT},
    [ONNX_F8E5M2FNUZ] = {"float8e5m2fnuz", 8, 1, INT32_DATA, PB_VARINT},
    [ONNX_U4] = {"uint4", 4, 1, INT32_DATA, PB_VARINT},
    [ONNX_I4] = {"int4", 4, 1, INT32_DATA, PB_VARINT},
    [ONNX_F4E2M1] = {"float4e2m1", 4, 1, INT32_DATA, PB_VARINT},
    [ONNX_F8E8M0] = {"float8e8m0", 8, 1, INT32_DATA, PB_VARINT},
    [ONNX_U2] = {"uint2", 2, 1, INT32_DATA, PB_VARINT},
    [ONNX_I2] = {"int2", 2, 1, INT32_DATA, PB_VARINT},
};

static bool is_type(int64_t type)
{
    return type > 0 && type < ONNX_TYPE_COUNT && types[type].name;
}

const char *onnx_type_name(int64_t type)
{
    return is_type(type) ? types[type].name : "unknown type";
}

size_t onnx_type_bytes(int64_t type)
{
    return is_type(type) ? types[type].bytes : 0;
}

// Items that n elements take in typed data: small types are packed into bytes there too.
static uint64_t items_of(onnx_type type, int64_t n)
{
    uint64_t per_item = types[type].bits < 8 && types[type].bits ? 8u / types[type].bits : 1;
    return ((uint64_t)n + per_item - 1) / per_item;
}

// Counts the items of the typed field; other fields are passed over.
static hearth_status count_items(const onnx_tensor *t, uint64_t *out, hearth_err *err)
{
    const type_row *row = &types[t->type];
    pb_reader r = t->data;
    pb_field f;
    bool more, bad = false;
    *out = 0;
    for (;;) {
        HEARTH_TRY(pb_next(&r, &f, &more, err));
        if (!more) return HEARTH_OK;
        if (f.number != row->field) continue;
        uint64_t ignored;
        if (f.wire != PB_BYTES || row->wire == PB_BYTES) {
            if (f.wire != (pb_wire)row->wire) bad = true;
            ++*out;
        } else {
            while (pb_item(&f.bytes, (pb_wire)row->wire, &ignored, &bad)) ++*out;
        }
        if (bad) return err_fail(err, HEARTH_E_FORMAT, "damaged values");
    }
}

static hearth_status check_raw(const onnx_tensor *t, hearth_err *err)
{
    uint64_t bits, want;
    if (t->type == ONNX_STRING) return err_fail(err, HEARTH_E_FORMAT, "strings in raw data");
    if (!mul_ok_u64((uint64_t)t->n, types[t->type].bits, &bits)) {
        return err_fail(err, HEARTH_E_FORMAT, "its size overflows");
    }
    want = bits / 8 + (bits % 8 != 0);
    if (pb_left(&t->data) == want) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "%zu bytes of data where its shape needs %llu",
                    pb_left(&t->data), (unsigned long long)want);
}

static hearth_status check_data(const onnx_tensor *t, hearth_err *err)
{
    if (t->is_raw) return check_raw(t, err);
    uint64_t have, want = items_of(t->type, t->n);
    HEARTH_TRY(count_items(t, &have, err));
    if (have == want) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "%llu values where its shape needs %llu",
                    (unsigned long long)have, (unsigned long long)want);
}

static hearth_status add_dim(onnx_tensor *t, uint64_t v, hearth_err *err)
{
    if (t->n_dims == LIMIT_GRAPH_DIMS) {
        return err_fail(err, HEARTH_E_LIMIT, "more than %d dimensions", LIMIT_GRAPH_DIMS);
    }
    if (v > (uint64_t)LIMIT_GRAPH_ITEMS) {
        return err_fail(err, HEARTH_E_FORMAT, "dimension %lld", (long long)v);
    }
    t->dim[t->n_dims++] = (int64_t)v;
    return HEARTH_OK;
}

static hearth_status read_dims(onnx_tensor *t, pb_field *f, hearth_err *err)
{
    uint64_t v;
    bool bad = false;
    if (f->wire != PB_BYTES) return add_dim(t, f->value, err);
    while (pb_item(&f->bytes, PB_VARINT, &v, &bad)) HEARTH_TRY(add_dim(t, v, err));
    return bad ? err_fail(err, HEARTH_E_FORMAT, "damaged dimensions") : HEARTH_OK;
}

static hearth_status read_field(onnx_tensor *t, pb_field *f, hearth_err *err)
{
    switch (f->number) {
    case 1: return read_dims(t, f, err);
    case 2:
        if (is_type((int64_t)f->value)) {
            t->type = (onnx_type)f->value;
            return HEARTH_OK;
        }
        return err_fail(err, HEARTH_E_UNSUPPORTED, "element type %llu",
                        (unsigned long long)f->value);
    case 3: return err_fail(err, HEARTH_E_UNSUPPORTED, "segmented data");
    case 8: t->name = pb_str(f); return HEARTH_OK;
    case 9:
        t->is_raw = true;
        t->data = f->bytes;
        return f->wire == PB_BYTES ? HEARTH_OK : err_fail(err, HEARTH_E_FORMAT, "damaged data");
    case 14:
        if (f->value == 0) return HEARTH_OK;
        return err_fail(err, HEARTH_E_UNSUPPORTED, "its data is in another file");
    default: return HEARTH_OK;
    }
}

static hearth_status parse_fields(pb_reader r, onnx_tensor *t, hearth_err *err)
{
    pb_field f;
    bool more;
    for (;;) {
        HEARTH_TRY(pb_next(&r, &f, &more, err));
        if (!more) break;
        HEARTH_TRY(read_field(t, &f, err));
    }
    if (t->type == ONNX_UNDEFINED) return err_fail(err, HEARTH_E_FORMAT, "no element type");
    for (int d = 0; d < t->n_dims; d++) {
        if (!mul_ok_i64(t->n, t->dim[d], &t->n) || t->n > LIMIT_GRAPH_ITEMS) {
            return err_fail(err, HEARTH_E_FORMAT, "the product of its dimensions is too large");
        }
    }
    return check_data(t, err);
}

hearth_status onnx_read_tensor(pb_reader r, onnx_tensor *out, hearth_err *err)
{
    onnx_tensor t = {.n = 1, .data = r};
    hearth_status st = parse_fields(r, &t, err);
    if (st != HEARTH_OK) {
        err_prefix(err, "tensor '%.*s': ", STR_ARG(t.name));
        return st;
    }
    *out = t;
    return HEARTH_OK;
}

hearth_status onnx_tensor_parse(const void *data, size_t n, onnx_tensor *out, hearth_err *err)
{
    return onnx_read_tensor(pb_over(data, n), out, err);
}

// --- elements -----------------------------------------------------------------------------------

static bool is_signed_small(onnx_type type)
{
    return type == ONNX_I4 || type == ONNX_I2;
}

// Elements of a packed byte, from element i on. Codes of signed types are extended by their sign.
static void unpack_byte(onnx_type type, uint8_t byte, uint8_t *out, int64_t n)
{
    unsigned bits = types[type].bits, sign = is_signed_small(type) ? 1u << (bits - 1) : 0;
    for (int64_t i = 0; i < n; i++) {
        unsigned code = byte >> (unsigned)i * bits & ((1u << bits) - 1);
        out[i] = (uint8_t)((code ^ sign) - sign);
    }
}

static void put_item(const onnx_tensor *t, uint64_t at, uint64_t v, uint8_t *out)
{
    unsigned bits = types[t->type].bits;
    if (bits < 8) {
        int64_t per_byte = 8 / (int)bits, first = (int64_t)at * per_byte;
        if (first < t->n) unpack_byte(t->type, (uint8_t)v, out + first,
                                      i64_min(per_byte, t->n - first));
        return;
    }
    size_t size = types[t->type].bytes;
    for (size_t b = 0; b < size; b++) out[at * size + b] = (uint8_t)(v >> 8 * b);
}

// check_data() has walked the same items, so nothing can fail here.
static void read_typed(const onnx_tensor *t, uint8_t *out)
{
    const type_row *row = &types[t->type];
    pb_reader r = t->data;
    pb_field f;
    uint64_t at = 0, v;
    bool more, bad = false;
    while (pb_next(&r, &f, &more, NULL) == HEARTH_OK && more) {
        if (f.number != row->field) continue;
        if (t->type == ONNX_STRING) {
            ((str *)(void *)out)[at++] = pb_str(&f);
        } else if (f.wire != PB_BYTES) {
            put_item(t, at++, f.value, out);
        } else {
            while (pb_item(&f.bytes, (pb_wire)row->wire, &v, &bad)) put_item(t, at++, v, out);
        }
    }
}

void onnx_tensor_read(const onnx_tensor *t, void *out)
{
    if (!t->is_raw) {
        read_typed(t, out);
    } else if (types[t->type].bits < 8) {
        for (size_t i = 0; i < pb_left(&t->data); i++) put_item(t, i, t->data.p[i], out);
    } else if (t->n > 0) {
        memcpy(out, t->data.p, pb_left(&t->data));
    }
}
