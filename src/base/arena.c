// See arena.h.
//
// Chunks are linked in order of birth; blocks are cut from the last one:
//
//   | chunk head, 64 bytes | block | block |red| block | ... unused, poisoned under ASan |
//
// A chunk is twice as large as the one before (4 KB to 1 MB) but not larger than what max_bytes
// still allows, though at least 4 KB, or as large as the one block that made it necessary. What is
// left over in a chunk is smaller than the block that did not fit with its alignment, so an arena
// holds at most about twice max_bytes. Rejected: one reserved address range per arena (not on 32
// bits, not under WASI).
#include "base/arena.h"

#include <string.h>

#include "base/red_zone.h"

enum {
    CHUNK_MIN = 4096,
    CHUNK_MAX = 1 << 20,
    HEAD_BYTES = 64,                    // keeps payloads 64-byte aligned
    RED_BYTES = RED_ZONES ? 16 : 0,     // after each block
    RED_ALIGN = RED_ZONES ? 8 : 1,      // ASan's granule: red zones start on one
};

struct arena_chunk {
    arena_chunk *next;
    size_t size, used; // of the payload
};
STATIC_ASSERT(sizeof(arena_chunk) <= HEAD_BYTES, "the head fits in front of the payload");

static uint8_t *payload_of(arena_chunk *c)
{
    return (uint8_t *)c + HEAD_BYTES;
}

void arena_init(arena *a, mem_tag tag, size_t max_bytes)
{
    *a = (arena){.tag = tag, .max_bytes = max_bytes};
}

void arena_release(arena *a)
{
    for (arena_chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        red_zone_clear(payload_of(c), c->size);
        mem_free(c);
    }
    a->first = a->last = NULL;
    a->used_bytes = 0;
}

// The size of the next chunk, which must hold `need` bytes.
static size_t choose_size(const arena *a, size_t need, size_t room)
{
    size_t grown = a->last ? size_min(a->last->size, CHUNK_MAX / 2) * 2 : CHUNK_MIN;
    return size_max(need, size_max(size_min(grown, room), CHUNK_MIN));
}

static arena_chunk *add_chunk(arena *a, size_t need, size_t room)
{
    size_t size = choose_size(a, need, room), whole;
    if (!add_ok(size, HEAD_BYTES, &whole)) return NULL;
    arena_chunk *c = mem_alloc(a->tag, whole);
    if (!c) return NULL;
    *c = (arena_chunk){.size = size};
    red_zone_set(payload_of(c), size);
    if (a->last) a->last->next = c;
    else a->first = c;
    a->last = c;
    return c;
}

// Where a block would start in c; false when `need` bytes do not fit there.
static bool find_place(const arena_chunk *c, size_t need, size_t align, size_t *at)
{
    if (!c) return false;
    *at = align_up(c->used, align); // used <= size, which is far below SIZE_MAX - 64
    return *at <= c->size && need <= c->size - *at;
}

void *arena_alloc(arena *a, size_t count, size_t size, size_t align)
{
    ASSERT(align > 0 && align <= HEAD_BYTES && (align & (align - 1)) == 0);
    size_t n, need, at = 0, room = a->max_bytes - a->used_bytes;
    if (!mul_ok(count, size, &n)) return NULL;
    if (n == 0) n = 1; // a unique address
    if (n > room || !add_ok(n, RED_ALIGN - 1 + RED_BYTES, &need)) return NULL;
    need = align_up(n, RED_ALIGN) + RED_BYTES;
    align = size_max(align, RED_ALIGN);
    arena_chunk *c = a->last;
    if (!find_place(c, need, align, &at)) {
        c = add_chunk(a, need, room);
        at = 0;
        if (!c) return NULL;
    }
    size_t padding = at - c->used;
    if (padding > room - n) return NULL;
    c->used = at + need;
    a->used_bytes += n + padding;
    uint8_t *p = payload_of(c) + at;
    red_zone_clear(p, n);
    memset(p, 0, n);
    return p;
}

char *arena_copy_string(arena *a, const char *p, size_t n)
{
    size_t whole;
    if (!add_ok(n, 1, &whole)) return NULL;
    char *copy = arena_alloc(a, whole, 1, 1);
    if (copy && n > 0) memcpy(copy, p, n);
    return copy;
}
