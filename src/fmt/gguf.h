// GGUF v2/v3: a checked, zero-copy index over a model file that somebody else mapped.
//
// Layout (little endian):
//   "GGUF" | u32 version | u64 n_tensors | u64 n_kv | n_kv x {string key, u32 type, value}
//   | n_tensors x {string name, u32 n_dims, u64 dim[n_dims], u32 dtype, u64 offset}
//   | padding to general.alignment | data; offsets count from here
//   string: u64 length, bytes. array: u32 element type, u64 count, elements.
//
// gguf_open() proves everything before it returns: every length inside the file, dims > 0 and
// products without overflow, offsets aligned and inside, known dtypes, unique names, no two tensors
// overlapping. Afterwards all accessors are total. Strings and data point into the mapping, which
// must outlive the index; the index itself is a few dozen bytes per key and tensor.
// v1 (32-bit lengths) and big-endian files are refused by name.
#ifndef HEARTH_FMT_GGUF_H
#define HEARTH_FMT_GGUF_H

#include "base/str.h"
#include "defs/limits.h"
#include "kern/dtype.h"

typedef enum gguf_type { // value types, ids of the format
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING,
    GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64, GGUF_TYPE_COUNT
} gguf_type;

typedef struct gguf_kv {
    str key;
    gguf_type type;      // GGUF_ARRAY for arrays
    gguf_type item_type; // of arrays; otherwise the same as type
    uint64_t n;          // items of an array, 1 otherwise
    const uint8_t *data; // encoded value or first item (a string: its length first); unaligned
    size_t data_bytes;
} gguf_kv;

typedef struct gguf_tensor {
    str name;
    dtype type;
    int n_dims;                     // 1..4 (a tensor stored with 0 is given as one of dim[0] = 1)
    int64_t dim[LIMIT_TENSOR_DIMS]; // dim[0] is contiguous; unused ones are 1
    const uint8_t *data;
    size_t bytes;
    int part; // which split file it came from
} gguf_tensor;

typedef struct gguf gguf;

// One part's bytes. For split models pass all parts in order (split.count and split.no are
// checked); otherwise n_parts = 1. `name` may be NULL and is used in messages only: errors of
// gguf_open() and gguf_split_count() begin with it ("model.gguf: key 3: ..."), so callers do not
// prefix them.
typedef struct gguf_bytes { const char *name; const uint8_t *data; size_t size; } gguf_bytes;
hearth_status gguf_open(const gguf_bytes *parts, int n_parts, gguf **out, hearth_err *err);
void gguf_close(gguf *g); // NULL is legal

// How many files a model has, from its first part alone (1 when it is not split). Another part than
// the first is HEARTH_E_FORMAT.
hearth_status gguf_split_count(const gguf_bytes *first, int *out, hearth_err *err);
// "dir/m-00001-of-00003.gguf" and part 1 give "dir/m-00002-of-00003.gguf". False: not such a name.
bool gguf_split_name(const char *first_path, int part, int n_parts, buf *out);

int gguf_version(const gguf *g);
size_t gguf_kv_count(const gguf *g); // of the first part
const gguf_kv *gguf_kv_at(const gguf *g, size_t i);
const gguf_kv *gguf_find(const gguf *g, const char *key); // NULL when absent
size_t gguf_tensor_count(const gguf *g); // of all parts
const gguf_tensor *gguf_tensor_at(const gguf *g, size_t i);
const gguf_tensor *gguf_find_tensor(const gguf *g, const char *name);

// Typed readers; integers of any width and sign convert when the value fits. A key that is absent
// leaves *out as it is and returns HEARTH_OK with *found = false (found may be NULL: then an absent
// key is HEARTH_E_FORMAT); a key of another type or range is HEARTH_E_FORMAT. A float may come from
// f32, f64 or an integer and must be finite.
hearth_status gguf_get_u64(const gguf *g, const char *key, uint64_t max, uint64_t *out, bool *found,
                           hearth_err *err);
hearth_status gguf_get_f32(const gguf *g, const char *key, float *out, bool *found,
                           hearth_err *err);
hearth_status gguf_get_bool(const gguf *g, const char *key, bool *out, bool *found,
                            hearth_err *err);
hearth_status gguf_get_str(const gguf *g, const char *key, str *out, bool *found, hearth_err *err);
// Items of arrays, or the one value of other keys (i = 0). Strings are walked with an iterator,
// since they have no fixed size: offset 0 first, then what the last call left. Past the end, or
// when the items are no strings, the slice is empty.
str gguf_next_string(const gguf_kv *kv, size_t *offset);
// False when i >= kv->n, the items have another type (bool counts as 0 and 1) or, for u64 items,
// the value is above INT64_MAX.
bool gguf_item_i64(const gguf_kv *kv, uint64_t i, int64_t *out);
bool gguf_item_f64(const gguf_kv *kv, uint64_t i, double *out); // floats and integers
const char *gguf_type_name(gguf_type t); // "u8" ... "array"

#endif
