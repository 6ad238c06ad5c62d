// What the files of the GGUF reader share; nobody else includes this.
#ifndef HEARTH_FMT_GGUF_INT_H
#define HEARTH_FMT_GGUF_INT_H

#include "base/map.h"
#include "fmt/gguf.h"

struct gguf {
    int version; // of the first part
    gguf_kv *kv; // [n_kv], of the first part
    size_t n_kv;
    gguf_tensor *tensors; // [n_tensors], all parts in order
    size_t n_tensors;
    map key_map, tensor_map; // name to position in kv and tensors
    char *header;            // of an index without a file, otherwise NULL
};

// An index over the records in `header`, whose tensors lie at `places`, one each. Takes the bytes
// of `header`, also when it fails.
hearth_status gguf_open_placed(buf *header, const uint8_t *const *places, gguf **out,
                               hearth_err *err);

// A position in one part, and what is being read there for messages ("key 3", "tensor 'a.b'").
typedef struct gguf_reader {
    const uint8_t *data;
    size_t size, pos; // pos <= size
    const char *kind; // "key" or "tensor"
    uint64_t index;
    str name; // empty until it is known; then it stands for the index
} gguf_reader;

typedef struct gguf_head {
    int version;
    uint64_t n_tensors, n_kv;
} gguf_head;

// Fewest bytes one record can take; bounds what a count may ask us to allocate.
// key: u64 length, 1 byte, u32 type, 1 byte of value.
// tensor: u64 length, 1 byte, u32 n_dims, no dimension, u32 type, u64 offset.
enum { GGUF_KV_BYTES_MIN = 8 + 1 + 4 + 1, GGUF_TENSOR_BYTES_MIN = 8 + 1 + 4 + 4 + 8 };

// Each reads at r->pos and leaves r->pos behind what it read.
hearth_status gguf_read_head(gguf_reader *r, gguf_head *out, hearth_err *err);
hearth_status gguf_read_kv(gguf_reader *r, uint64_t index, gguf_kv *out, hearth_err *err);
// `out` without data; the offset counts from the data section, which begins after all records.
hearth_status gguf_read_tensor(gguf_reader *r, uint64_t index, gguf_tensor *out, uint64_t *offset,
                               hearth_err *err);

// Bytes of one value of a type of fixed size; 0 for strings, arrays and unknown types.
size_t gguf_type_bytes(uint32_t type);
uint32_t gguf_load_u32(const uint8_t *p);
uint64_t gguf_load_u64(const uint8_t *p);

#endif
