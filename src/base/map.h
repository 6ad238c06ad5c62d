// Hash map from byte strings to 32-bit values. Keys are borrowed and must outlive the map.
//
// Open addressing, at most 7/8 full, seeded hash (hostile vocabularies cannot choose collisions).
// Reading from several threads is safe while nobody writes.
#ifndef HEARTH_BASE_MAP_H
#define HEARTH_BASE_MAP_H

#include "base/str.h"

typedef struct map_slot map_slot;
typedef struct map {
    map_slot *slots;
    size_t n, cap; // cap: power of two or 0
    uint64_t seed;
    mem_tag tag;
} map;

void map_init(map *m, mem_tag tag);
void map_release(map *m);
// Room for n entries in all without growing again.
hearth_status map_reserve(map *m, size_t n);
// Inserts or, when the key is there, leaves the old value and sets *existing (may be NULL).
hearth_status map_put(map *m, str key, uint32_t value, bool *existing);
bool map_get(const map *m, str key, uint32_t *value);

// The hash behind it, for other tables: 64 well-mixed bits (wyhash-like, not cryptographic).
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);

#endif
