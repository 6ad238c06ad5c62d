// Encodes GGUF records as told, right or wrong; for files that the real writer refuses to make.
#ifndef TESTS_SUPPORT_GGUF_RAW_H
#define TESTS_SUPPORT_GGUF_RAW_H

#include "base/str.h"

static inline void raw_uint(buf *b, uint64_t v, int width)
{
    for (int i = 0; i < width; i++) buf_append_char(b, (char)(uint8_t)(v >> 8 * i));
}

static inline void raw_str(buf *b, const char *z)
{
    raw_uint(b, str_from(z).n, 8);
    buf_append_str(b, str_from(z));
}

static inline void raw_head(buf *b, uint32_t version, uint64_t n_tensors, uint64_t n_kv)
{
    buf_append(b, "GGUF", 4);
    raw_uint(b, version, 4);
    raw_uint(b, n_tensors, 8);
    raw_uint(b, n_kv, 8);
}

// A key of a fixed-size type with `width` bytes.
static inline void raw_kv(buf *b, const char *key, uint32_t type, uint64_t v, int width)
{
    raw_str(b, key);
    raw_uint(b, type, 4);
    raw_uint(b, v, width);
}

// A matrix; rows == 0 makes it a vector.
static inline void raw_tensor(buf *b, const char *name, uint32_t type, uint64_t cols, uint64_t rows,
                              uint64_t offset)
{
    raw_str(b, name);
    raw_uint(b, rows ? 2 : 1, 4);
    raw_uint(b, cols, 8);
    if (rows) raw_uint(b, rows, 8);
    raw_uint(b, type, 4);
    raw_uint(b, offset, 8);
}

static inline void raw_pad(buf *b, size_t alignment)
{
    while (b->n % alignment != 0) buf_append_char(b, 0);
}

static inline void raw_zeros(buf *b, size_t n)
{
    while (n-- > 0) buf_append_char(b, 0);
}

#endif
