// The paged cache of one context: which sequence's positions are in which page.
//
// All keys and values are in one device buffer, an array of pages. A page holds LLM_PAGE positions
// of all layers of the model's range:
//
//   page p | layer 0: keys [n_head_kv][LLM_PAGE][d_k], values [n_head_kv][LLM_PAGE][d_v] | 1 ..
//
// Pages are counted: a fork shares them, and who writes into a shared page copies it first. All
// tables have their final size from the start, so nothing is allocated later.
//
// A step reserves a place for each of its rows (cache_append), computes, and then commits or rolls
// back. Until the commit every old page keeps its count, so that what a rollback returns to has not
// been written by anyone: writers only ever write at or behind their own sequence's end, in pages
// that they alone own.
#ifndef HEARTH_LLM_CACHE_H
#define HEARTH_LLM_CACHE_H

#include "llm/llm.h"

enum { CACHE_NO_PAGE = -1 };

typedef struct cache_shape {
    int64_t n_pages, n_seq, n_append; // n_append: rows of one step
    int64_t n_layer, n_head_kv, d_k, d_v;
    dtype type_k, type_v;
    size_t key_bytes, value_bytes;    // one head's key or value
    size_t values_at, layer_bytes, page_bytes;
} cache_shape;

typedef struct cache_undo { llm_seq seq; int32_t index, old_page; } cache_undo;

typedef struct llm_cache {
    cache_shape s;
    dev *d;
    dev_buf *pool;       // [n_pages] pages
    uint64_t fingerprint;
    int64_t *length;     // [n_seq], -1: not in use
    int32_t *pending;    // [n_seq] rows appended since the last commit
    cache_undo *undo;    // [n_append]
    uint32_t *table;     // [n_seq][n_pages]
    uint32_t *refs;      // [n_pages]
    uint32_t *free_page; // [n_pages] a stack
    int64_t n_free, n_undo;
} llm_cache;

// Sizes from a context's options (rounded to whole pages already). HEARTH_E_LIMIT: no address space
// holds it.
hearth_status cache_plan(const llm_config *c, int64_t n_layer, const llm_ctx_options *o,
                         cache_shape *out, hearth_err *err);
uint64_t cache_host_bytes(const cache_shape *s);
uint64_t cache_pool_bytes(const cache_shape *s);
// `host`: cache_host_bytes() bytes, owned by the caller and outliving the cache.
void cache_init(llm_cache *c, const cache_shape *s, dev *d, dev_buf *pool, uint64_t fingerprint,
                void *host);

bool cache_has(const llm_cache *c, llm_seq s);
hearth_status cache_new(llm_cache *c, llm_seq *out, hearth_err *err);
void cache_free(llm_cache *c, llm_seq s);
hearth_status cache_fork(llm_cache *c, llm_seq from, int64_t n, llm_seq *out, hearth_err *err);
void cache_rewind(llm_cache *c, llm_seq s, int64_t n);

// Makes the next position of a sequence writable. HEARTH_E_LIMIT: no page is free.
hearth_status cache_append(llm_cache *c, llm_seq s, hearth_err *err);
void cache_commit(llm_cache *c);
void cache_rollback(llm_cache *c);

const uint32_t *cache_pages(const llm_cache *c, llm_seq s);
dev_cache cache_layer(const llm_cache *c, int64_t layer); // of the range, from 0
static inline int64_t cache_pages_for(int64_t n) { return (n + LLM_PAGE - 1) / LLM_PAGE; }

// A sequence as bytes (cache_blob.c). Import makes a new sequence.
size_t cache_blob_bytes(const llm_cache *c, int64_t length);
hearth_status cache_export(const llm_cache *c, llm_seq s, void *out, size_t n, hearth_err *err);
// All that can be wrong with a blob; *length is how many positions it holds.
hearth_status cache_check_blob(const llm_cache *c, const void *p, size_t n, int64_t *length,
                               hearth_err *err);
hearth_status cache_import(llm_cache *c, const void *p, size_t n, llm_seq *out, hearth_err *err);

#endif
