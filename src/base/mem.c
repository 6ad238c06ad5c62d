// See mem.h.
//
// Every block is preceded by one cache line that holds its size and tag, so that freeing needs no
// size from the caller and the counters stay exact:
//
//   | size, tag, magic ... 64 bytes | block, 64-byte aligned |
//   ^ from os_heap_alloc            ^ what the caller sees
//
// The counters are relaxed atomics: nobody orders other memory by them. A peak is the largest value
// that the counter itself ever had: fetch_add returns each value exactly once, and the maximum of
// those is kept by compare-and-swap, so no concurrent pair of allocations is missed. Growing a
// block means a new block, a copy and a free, and the peak contains both blocks, because both were
// there.
#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>

#include "base/red_zone.h"
#include "os/os.h"

enum { BLOCK_ALIGN = 64, MAGIC_LIVE = 0x4c495645, MAGIC_FREED = 0x46524545 };

typedef struct block_head {
    size_t size;
    uint32_t tag;
    uint32_t magic; // catches a second free and foreign pointers in builds with ASSERT
} block_head;
STATIC_ASSERT(sizeof(block_head) <= BLOCK_ALIGN, "the header fits in front of the block");

typedef struct counter {
    atomic_size_t now, peak;
    _Atomic uint64_t allocations;
} counter;

// The process-wide state that mem.h announces: one counter a tag, the sum, the test hook.
static counter tag_counters[MEM_TAG_COUNT], total_counter;
static _Atomic uint64_t asked, fail_at;
static atomic_bool fail_sticky;

static void count_up(counter *c, size_t n)
{
    size_t now = atomic_fetch_add_explicit(&c->now, n, memory_order_relaxed) + n;
    size_t peak = atomic_load_explicit(&c->peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(
                             &c->peak, &peak, now, memory_order_relaxed, memory_order_relaxed)) {
    }
    atomic_fetch_add_explicit(&c->allocations, 1, memory_order_relaxed);
}

static void count_down(counter *c, size_t n)
{
    atomic_fetch_sub_explicit(&c->now, n, memory_order_relaxed);
}

static bool must_fail(void)
{
    uint64_t n = atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed) + 1;
    uint64_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (LIKELY(at == 0)) return false;
    return n == at || (n > at && atomic_load_explicit(&fail_sticky, memory_order_relaxed));
}

static block_head *head_of(void *p)
{
    block_head *h = (block_head *)(void *)((uint8_t *)p - BLOCK_ALIGN);
    red_zone_clear(h, BLOCK_ALIGN);
    ASSERT(h->magic == MAGIC_LIVE);
    return h;
}

void *mem_alloc(mem_tag tag, size_t n)
{
    ASSERT((unsigned)tag < MEM_TAG_COUNT);
    size_t whole;
    if (n == 0 || must_fail() || !add_ok(n, BLOCK_ALIGN, &whole)) return NULL;
    block_head *h = os_heap_alloc(whole, BLOCK_ALIGN);
    if (!h) return NULL;
    *h = (block_head){n, (uint32_t)tag, MAGIC_LIVE};
    red_zone_set(h, BLOCK_ALIGN);
    count_up(&tag_counters[tag], n);
    count_up(&total_counter, n);
    return (uint8_t *)h + BLOCK_ALIGN;
}

void *mem_alloc_zero(mem_tag tag, size_t count, size_t size)
{
    size_t n;
    if (!mul_ok(count, size, &n)) return NULL;
    void *p = mem_alloc(tag, n);
    if (p) memset(p, 0, n);
    return p;
}

void *mem_realloc(mem_tag tag, void *p, size_t n)
{
    if (!p) return mem_alloc(tag, n);
    block_head *h = head_of(p);
    size_t old_size = h->size;
    mem_tag old_tag = (mem_tag)h->tag;
    red_zone_set(h, BLOCK_ALIGN);
    void *grown = mem_alloc(old_tag, n);
    if (!grown) return NULL;
    memcpy(grown, p, size_min(old_size, n));
    mem_free(p);
    return grown;
}

void mem_free(void *p)
{
    if (!p) return;
    block_head *h = head_of(p);
    count_down(&tag_counters[h->tag], h->size);
    count_down(&total_counter, h->size);
    h->magic = MAGIC_FREED;
    os_heap_free(h);
}

static mem_usage read_counter(counter *c)
{
    return (mem_usage){atomic_load_explicit(&c->now, memory_order_relaxed),
                       atomic_load_explicit(&c->peak, memory_order_relaxed),
                       atomic_load_explicit(&c->allocations, memory_order_relaxed)};
}

mem_usage mem_get_usage(mem_tag tag)
{
    ASSERT((unsigned)tag < MEM_TAG_COUNT);
    return read_counter(&tag_counters[tag]);
}

mem_usage mem_get_total(void)
{
    return read_counter(&total_counter);
}

const char *mem_tag_name(mem_tag tag)
{
    static const char *const names[] = {"misc",    "model",   "tokenizer", "weights", "cache",
                                        "scratch", "sampler", "wire",      "threads", "test"};
    STATIC_ASSERT(COUNTOF(names) == MEM_TAG_COUNT, "one name a tag");
    ASSERT((unsigned)tag < MEM_TAG_COUNT);
    return names[tag];
}

static void reset_peak(counter *c)
{
    size_t now = atomic_load_explicit(&c->now, memory_order_relaxed);
    atomic_store_explicit(&c->peak, now, memory_order_relaxed);
}

void mem_reset_peaks(void)
{
    for (int i = 0; i < MEM_TAG_COUNT; i++) reset_peak(&tag_counters[i]);
    reset_peak(&total_counter);
}

uint64_t mem_fail_nth(uint64_t n, bool sticky)
{
    atomic_store_explicit(&fail_at, 0, memory_order_relaxed);
    uint64_t before = atomic_exchange_explicit(&asked, 0, memory_order_relaxed);
    atomic_store_explicit(&fail_sticky, sticky, memory_order_relaxed);
    atomic_store_explicit(&fail_at, n, memory_order_relaxed);
    return before;
}
