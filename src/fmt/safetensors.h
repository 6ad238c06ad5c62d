// safetensors: a checked, zero-copy index over a file of tensors that somebody else mapped.
//
// Layout (little endian):
//   u64 header bytes H | H bytes of JSON, padded with spaces | data
//   header: {"__metadata__": {"key": "text", ...},
//            "name": {"dtype": "BF16", "shape": [rows, cols], "data_offsets": [begin, end]}, ...}
//   offsets count from the first byte after the header
//
// safetensors_open() proves everything before it returns: the header inside the file and strict
// JSON, names unique, known types, shapes that make exactly the bytes of their offsets, and data
// that the tensors cover without a gap, an overlap or a rest. Names and metadata are copied; data
// points into the mapping, which must outlive the index. The format promises no alignment: data of
// a tensor may begin at any byte.
#ifndef HEARTH_FMT_SAFETENSORS_H
#define HEARTH_FMT_SAFETENSORS_H

#include "base/str.h"
#include "defs/limits.h"

typedef enum st_type {
    ST_BOOL, ST_U8, ST_I8, ST_U16, ST_I16, ST_U32, ST_I32, ST_U64, ST_I64, ST_F8_E4M3, ST_F8_E5M2,
    ST_F8_E8M0, ST_F16, ST_BF16, ST_F32, ST_F64, ST_C64, ST_TYPE_COUNT
} st_type;

typedef struct st_tensor {
    str name;
    st_type type;
    int n_dims;                          // 0: a single value
    int64_t dim[LIMIT_SAFETENSORS_DIMS]; // dim[0] is the outermost; unused ones are 1
    const uint8_t *data;                 // unaligned
    size_t bytes;                        // 0 where a dimension is
} st_tensor;

typedef struct safetensors safetensors;

// `name` may be NULL and is used in messages only, which begin with it.
hearth_status safetensors_open(const char *name, const uint8_t *data, size_t size,
                               safetensors **out, hearth_err *err);
void safetensors_close(safetensors *s); // NULL is legal
size_t safetensors_count(const safetensors *s);
const st_tensor *safetensors_at(const safetensors *s, size_t i); // in the order of the header
const st_tensor *safetensors_find(const safetensors *s, str name); // NULL when absent
// The text under `key` of "__metadata__"; false when it is not there.
bool safetensors_metadata(const safetensors *s, str key, str *out);

const char *st_type_name(st_type t); // "BF16"
size_t st_type_bytes(st_type t);

#endif
