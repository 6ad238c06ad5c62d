// What a context remembers of its sequences: pages of keys and values, and recurrent states.
//
// Layers whose rows see equally far are a group with its own pages (cache_pages.h); layers with a
// recurrent state have their slice of each slot (cache_state.h). All are in one device buffer:
//
//   group 0: page 0, 1, ..   | group 1: ..   | slot 0, 1, ..
//   page | layer a: keys [n_head_kv][LLM_PAGE][d_k], values [n_head_kv][LLM_PAGE][d_v] | layer b ..
//   slot | layer c: its n_state floats | layer d ..
//
// A step reserves a place for each of its rows (cache_append), computes, and then commits or rolls
// back. All tables have their final size from the start, so nothing is allocated later.
#ifndef HEARTH_LLM_CACHE_H
#define HEARTH_LLM_CACHE_H

#include "llm/cache_pages.h"
#include "llm/cache_state.h"
#include "llm/family.h"

enum { CACHE_GROUPS = 4, CACHE_NO_GROUP = -1 }; // published models have one or two windows

typedef struct cache_shape {
    const llm_memory *memory; // [n_layer], of the model
    int64_t n_layer, n_ctx, n_seq;
    dtype type_k, type_v;
    int n_group;
    page_shape group[CACHE_GROUPS];
    uint64_t group_at[CACHE_GROUPS]; // where its pages begin in the buffer
    int64_t n_slots;
    uint64_t slot_bytes, slots_at, pool_bytes;
} cache_shape;

// Where a layer's own memory is. One that shares has no group; see its source.
typedef struct cache_place {
    uint64_t page_at, state_at; // in a page of the group, in a slot
    int32_t group;
} cache_place;

typedef struct llm_cache {
    cache_shape s;
    dev *d;
    dev_buf *pool;
    uint64_t fingerprint;
    cache_place *place; // [n_layer]
    int64_t *length;    // [n_seq], -1: not in use
    int32_t *pending;   // [n_seq] rows appended since the last commit
    page_group group[CACHE_GROUPS];
    state_table states;
} llm_cache;

// Sizes from a context's options (rounded to whole pages already). HEARTH_E_LIMIT: no address space
// holds it.
hearth_status cache_plan(const llm_memory *memory, int64_t n_layer, const llm_ctx_options *o,
                         cache_shape *out, hearth_err *err);
uint64_t cache_host_bytes(const cache_shape *s);
// `host`: cache_host_bytes() bytes, owned by the caller and outliving the cache.
void cache_init(llm_cache *c, const cache_shape *s, dev *d, dev_buf *pool, uint64_t fingerprint,
                void *host);

bool cache_has(const llm_cache *c, llm_seq s);
hearth_status cache_new(llm_cache *c, llm_seq *out, hearth_err *err);
void cache_free(llm_cache *c, llm_seq s);
// The nearest position <= n that the sequence can go back to; n itself where nothing is missing.
int64_t cache_nearest(const llm_cache *c, llm_seq s, int64_t n);
hearth_status cache_fork(llm_cache *c, llm_seq from, int64_t n, llm_seq *out, hearth_err *err);
hearth_status cache_rewind(llm_cache *c, llm_seq s, int64_t n, hearth_err *err);

// Makes the next position of a sequence writable; *state: where its recurrent state comes from and
// goes to. HEARTH_E_LIMIT: no page is free.
hearth_status cache_append(llm_cache *c, llm_seq s, dev_state_row *state, hearth_err *err);
void cache_commit(llm_cache *c);
void cache_rollback(llm_cache *c);

// Of a layer of the range, from 0: group and place of the keys that it reads, and its state.
int cache_group_of(const llm_cache *c, int64_t layer);
dev_cache cache_layer(const llm_cache *c, int64_t layer);
dev_state cache_state(const llm_cache *c, int64_t layer);
// What a row at `pos` sees in a group.
dev_attn_row cache_row(const llm_cache *c, int group, llm_seq s, int64_t pos);

// A sequence as bytes (cache_blob.c). Import makes a new sequence.
size_t cache_blob_bytes(const llm_cache *c, int64_t length);
hearth_status cache_export(const llm_cache *c, llm_seq s, void *out, size_t n, hearth_err *err);
// All that can be wrong with a blob; *length is how many positions it holds.
hearth_status cache_check_blob(const llm_cache *c, const void *p, size_t n, int64_t *length,
                               hearth_err *err);
hearth_status cache_import(llm_cache *c, const void *p, size_t n, llm_seq *out, hearth_err *err);

#endif
