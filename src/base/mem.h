// Tagged heap memory: every allocation of the library goes through here.
//
// Each block carries a tag, so that the peak per purpose is known to the byte (`hearth plan` is
// checked against it) and a test can make the n-th allocation fail. Counters are process-wide and
// atomic; "bytes" are the bytes asked for, without the allocator's own overhead.
#ifndef HEARTH_BASE_MEM_H
#define HEARTH_BASE_MEM_H

#include "defs/defs.h"

typedef enum mem_tag {
    MEM_MISC,      // strings, small objects
    MEM_MODEL,     // model metadata and indexes (not the weights: those are mapped)
    MEM_TOKENIZER, // vocabularies and merge tables
    MEM_WEIGHTS,   // weights that had to be copied or made (synthetic models)
    MEM_CACHE,     // attention pages, recurrent state
    MEM_SCRATCH,   // activations, logits, packed inputs of one step
    MEM_SAMPLER,   // candidate lists and penalty windows
    MEM_WIRE,      // messages between processes
    MEM_THREADS,   // pool
    MEM_TEST,
    MEM_TAG_COUNT
} mem_tag;

// 64-byte aligned (one cache line, one AVX-512 register); contents undefined. NULL when memory is
// short or n is 0.
void *mem_alloc(mem_tag tag, size_t n);
// The same, all zero; n = count * size is checked for overflow.
void *mem_alloc_zero(mem_tag tag, size_t count, size_t size);
// Grows or shrinks; p may be NULL. On failure NULL, and p is still valid. Keeps p's tag.
void *mem_realloc(mem_tag tag, void *p, size_t n);
void mem_free(void *p); // NULL is legal

typedef struct mem_usage {
    size_t now_bytes, peak_bytes; // peak since start or mem_reset_peaks()
    uint64_t allocations;         // calls so far that succeeded
} mem_usage;
mem_usage mem_get_usage(mem_tag tag);
mem_usage mem_get_total(void); // peak of the sum, not the sum of peaks
const char *mem_tag_name(mem_tag tag);
void mem_reset_peaks(void);

// Test hook: the n-th allocation from now on fails (1 = the next), and every one after it too when
// `sticky`. 0 switches off. Returns how many allocations were asked for since the last call.
uint64_t mem_fail_nth(uint64_t n, bool sticky);

#endif
