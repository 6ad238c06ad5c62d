// Protocol Buffers wire format: a checked reader over bytes that somebody else mapped.
//
//   message: field*      field: varint key = number << 3 | wire, then by wire
//     0 varint           7 bits a byte, low first, at most 10 bytes
//     1 64 bits          little endian
//     2 length-delimited varint n, then n bytes: a string, a message, or packed scalars
//     5 32 bits          little endian
//   3 and 4 (groups) are long deprecated and refused.
//
// A pb_reader is a window [p, end) into the bytes; pb_next() takes one field off its front. Nested
// messages are windows of their own, so a length can never reach outside its parent, and recursion
// belongs to the caller, who bounds it. Nothing is copied and nothing is allocated.
#ifndef HEARTH_FMT_PROTOBUF_H
#define HEARTH_FMT_PROTOBUF_H

#include "base/str.h"

typedef enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 } pb_wire;

typedef struct pb_reader { const uint8_t *p, *end; } pb_reader;

typedef struct pb_field {
    uint32_t number; // 1 to 2^29 - 1
    pb_wire wire;
    uint64_t value;     // of PB_VARINT, PB_FIXED64, PB_FIXED32
    pb_reader bytes;    // of PB_BYTES
} pb_field;

static inline pb_reader pb_over(const void *p, size_t n)
{
    const uint8_t *b = p;
    return (pb_reader){b, n ? b + n : b};
}
static inline size_t pb_left(const pb_reader *r) { return (size_t)(r->end - r->p); }

// *more = false at the end of the window. HEARTH_E_FORMAT when what is there is no field.
hearth_status pb_next(pb_reader *r, pb_field *out, bool *more, hearth_err *err);
// The wires of scalar items, for fields that may be packed: false at the end of the window or, with
// *bad set, when what is left is no item.
bool pb_item(pb_reader *r, pb_wire wire, uint64_t *out, bool *bad);

static inline str pb_str(const pb_field *f)
{
    return (str){(const char *)f->bytes.p, pb_left(&f->bytes)};
}

#endif
