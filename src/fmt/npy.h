// NumPy .npy arrays (format 1.0 to 3.0), C order, little endian: f32, f16, f64, i8, u8, i32, i64,
// bool.
#ifndef HEARTH_FMT_NPY_H
#define HEARTH_FMT_NPY_H

#include "base/str.h"

enum { NPY_MAX_DIMS = 8 };
typedef enum npy_type {
    NPY_F32, NPY_F16, NPY_F64, NPY_I8, NPY_U8, NPY_I32, NPY_I64, NPY_BOOL
} npy_type;
typedef struct npy {
    npy_type type;
    int n_dims; // 0: a scalar
    int64_t dim[NPY_MAX_DIMS]; // may be 0
    const uint8_t *data; // into the caller's bytes; alignment as the file has it (64 usually)
    size_t bytes;
} npy;
size_t npy_item_bytes(npy_type t);
hearth_status npy_parse(const void *p, size_t n, npy *out, hearth_err *err);
// Appends a version 1.0 header, padded so that data starts at a multiple of 64; data follows by the
// caller's own writes.
hearth_status npy_header(npy_type type, int n_dims, const int64_t *dim, buf *out, hearth_err *err);

#endif
