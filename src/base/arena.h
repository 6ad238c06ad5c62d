// Memory with one common end of life: allocated in order, released at once.
//
// An arena grows by chunks of mem_alloc() up to `max_bytes`. Not for use by two threads at a time.
// Under ASan, red zones stand between blocks.
#ifndef HEARTH_BASE_ARENA_H
#define HEARTH_BASE_ARENA_H

#include "base/mem.h"
#include "defs/err.h"

typedef struct arena_chunk arena_chunk;
typedef struct arena {
    arena_chunk *first, *last;
    size_t used_bytes, max_bytes;
    mem_tag tag;
} arena;

// Nothing is allocated yet. max_bytes bounds what hostile data can make us allocate.
void arena_init(arena *a, mem_tag tag, size_t max_bytes);
void arena_release(arena *a); // idempotent

// Zeroed memory for count objects of `size` bytes, aligned to `align` (power of two, <= 64).
// NULL when memory is short, the product overflows or max_bytes would be exceeded.
// count * size == 0 gives a unique non-NULL pointer.
void *arena_alloc(arena *a, size_t count, size_t size, size_t align);
#define arena_new(a, type, count) ((type *)arena_alloc(a, count, sizeof(type), alignof(type)))

// A NUL-terminated copy of n bytes.
char *arena_copy_string(arena *a, const char *p, size_t n);

#endif
