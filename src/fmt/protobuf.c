// See protobuf.h.
#include "fmt/protobuf.h"

// A 64-bit varint has at most 10 bytes, the last of which holds one bit.
static bool read_varint(pb_reader *r, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t byte = *r->p++;
        if (shift == 63 && byte > 1) return false;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool read_fixed(pb_reader *r, size_t n, uint64_t *out)
{
    if (pb_left(r) < n) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)r->p[i] << 8 * i;
    r->p += n;
    *out = v;
    return true;
}

bool pb_item(pb_reader *r, pb_wire wire, uint64_t *out, bool *bad)
{
    if (r->p == r->end) return false;
    bool ok = wire == PB_VARINT    ? read_varint(r, out)
              : wire == PB_FIXED64 ? read_fixed(r, 8, out)
              : wire == PB_FIXED32 ? read_fixed(r, 4, out)
                                   : false;
    if (!ok) *bad = true;
    return ok;
}

static hearth_status read_bytes(pb_reader *r, pb_field *out, hearth_err *err)
{
    uint64_t n;
    if (!read_varint(r, &n)) {
        return err_fail(err, HEARTH_E_FORMAT, "field %u: damaged length", out->number);
    }
    if (n > pb_left(r)) {
        return err_fail(err, HEARTH_E_FORMAT, "field %u: %llu bytes where %zu are left",
                        out->number, (unsigned long long)n, pb_left(r));
    }
    out->bytes = pb_over(r->p, (size_t)n);
    r->p = out->bytes.end;
    return HEARTH_OK;
}

hearth_status pb_next(pb_reader *r, pb_field *out, bool *more, hearth_err *err)
{
    *more = r->p < r->end;
    if (!*more) return HEARTH_OK;
    uint64_t key;
    bool bad = false;
    if (!read_varint(r, &key) || key >> 3 == 0 || key >> 3 >= 1u << 29) {
        return err_fail(err, HEARTH_E_FORMAT, "damaged field key");
    }
    *out = (pb_field){.number = (uint32_t)(key >> 3), .wire = (pb_wire)(key & 7)};
    switch (out->wire) {
    case PB_BYTES: return read_bytes(r, out, err);
    case PB_VARINT:
    case PB_FIXED64:
    case PB_FIXED32:
        if (pb_item(r, out->wire, &out->value, &bad)) return HEARTH_OK;
        return err_fail(err, HEARTH_E_FORMAT, "field %u: damaged value", out->number);
    }
    return err_fail(err, HEARTH_E_FORMAT, "field %u: unknown wire type %d", out->number,
                    (int)(key & 7));
}
