// See map.h.
//
// Linear probing over slots of 24 bytes (64-bit platforms). Each slot keeps 32 bits of its key's
// hash: a probe compares those first and touches the key's bytes only for a likely match, and
// growing does not hash again. No removal, so no tombstones. Rejected: chaining (a pointer chase
// per step).
//
// The hash multiplies 64x64 -> 128 bits and folds the halves (the idea of wyhash), 16 bytes a
// round. Every map has its own random seed, so that a hostile file cannot be made to collide.
#include "base/map.h"

#include <string.h>

#include "os/os.h"

struct map_slot {
    const char *key; // NULL: empty
    size_t key_bytes;
    uint32_t hash; // the low half; the slot index comes from the same bits
    uint32_t value;
};

// Bounds cap so that a 32-bit hash still reaches every slot.
#define CAP_MAX ((size_t)1 << (sizeof(size_t) > 4 ? 31 : 26))

// The 128-bit product's halves, folded; in 32-bit parts, because C has no wider type.
static uint64_t mul_fold(uint64_t a, uint64_t b)
{
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
    uint64_t mid = (ll >> 32) + (uint32_t)lh + hl; // <= 2 (2^32 - 1) + (2^32 - 1)^2 = 2^64 - 1
    uint64_t low = (mid << 32) | (uint32_t)ll;
    uint64_t high = hh + (lh >> 32) + (mid >> 32);
    return low ^ high;
}

static uint64_t load_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

// n < 16 bytes as two words that together determine them (given n, which is hashed too).
static void load_tail(const uint8_t *p, size_t n, uint64_t *a, uint64_t *b)
{
    uint8_t bytes[16] = {0};
    if (n > 0) memcpy(bytes, p, n);
    *a = load_u64(bytes);
    *b = load_u64(bytes + 8);
}

uint64_t hash_bytes(const void *data, size_t n, uint64_t seed)
{
    // Odd constants with balanced bits: the fractional parts of sqrt(2), sqrt(3), sqrt(5), sqrt(7).
    const uint64_t k0 = UINT64_C(0x6a09e667f3bcc909), k1 = UINT64_C(0xbb67ae8584caa73b);
    const uint64_t k2 = UINT64_C(0x3c6ef372fe94f82b), k3 = UINT64_C(0xa54ff53a5f1d36f1);
    const uint8_t *p = data;
    uint64_t h = seed ^ k0, a, b;
    size_t left = n;
    for (; left >= 16; left -= 16, p += 16) h = mul_fold(load_u64(p) ^ k1, load_u64(p + 8) ^ h);
    load_tail(p, left, &a, &b);
    h = mul_fold(a ^ k2, b ^ h);
    return mul_fold(h ^ k3, (uint64_t)n ^ k1);
}

void map_init(map *m, mem_tag tag)
{
    *m = (map){.tag = tag};
    // Without the system's generator the seed is merely hard to guess; that is no reason to fail.
    if (os_random(&m->seed, sizeof m->seed, NULL) != HEARTH_OK)
        m->seed = hash_bytes(&m, sizeof m, os_now_ns());
}

void map_release(map *m)
{
    mem_free(m->slots);
    m->slots = NULL;
    m->n = m->cap = 0;
}

static uint32_t hash_key(const map *m, str key)
{
    return (uint32_t)hash_bytes(key.p, key.n, m->seed);
}

// The slot that holds key, or the empty one where it belongs; cap > n.
static map_slot *find_slot(const map *m, str key, uint32_t hash)
{
    size_t mask = m->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        map_slot *s = &m->slots[i];
        if (!s->key) return s;
        if (s->hash == hash && s->key_bytes == key.n && memcmp(s->key, key.p, key.n) == 0) return s;
    }
}

static void move_slots(map *m, const map_slot *old, size_t old_cap)
{
    size_t mask = m->cap - 1;
    for (size_t k = 0; k < old_cap; k++) {
        if (!old[k].key) continue;
        size_t i = old[k].hash & mask;
        while (m->slots[i].key) i = (i + 1) & mask;
        m->slots[i] = old[k];
    }
}

hearth_status map_reserve(map *m, size_t n)
{
    if (n <= m->cap / 8 * 7) return HEARTH_OK;
    if (n > CAP_MAX / 8 * 7) return HEARTH_E_LIMIT;
    size_t cap = size_max(m->cap, 8);
    while (n > cap / 8 * 7) cap *= 2;
    map_slot *slots = mem_alloc_zero(m->tag, cap, sizeof *slots);
    if (!slots) return HEARTH_E_NOMEM;
    map_slot *old = m->slots;
    size_t old_cap = m->cap;
    m->slots = slots;
    m->cap = cap;
    move_slots(m, old, old_cap);
    mem_free(old);
    return HEARTH_OK;
}

hearth_status map_put(map *m, str key, uint32_t value, bool *existing)
{
    if (!key.p) key.p = "";
    HEARTH_TRY(map_reserve(m, m->n + 1));
    uint32_t hash = hash_key(m, key);
    map_slot *s = find_slot(m, key, hash);
    if (existing) *existing = s->key != NULL;
    if (s->key) return HEARTH_OK;
    *s = (map_slot){key.p, key.n, hash, value};
    m->n++;
    return HEARTH_OK;
}

bool map_get(const map *m, str key, uint32_t *value)
{
    if (m->cap == 0) return false;
    if (!key.p) key.p = "";
    const map_slot *s = find_slot(m, key, hash_key(m, key));
    if (!s->key) return false;
    if (value) *value = s->value;
    return true;
}
