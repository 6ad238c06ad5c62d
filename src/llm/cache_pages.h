// One group of pages: the keys and values of all layers whose rows see equally far.
//
// Positions are held in pages of LLM_PAGE, counted by reference: a fork shares them, and who writes
// into a shared page copies it first. A sequence's table is indexed by absolute page number.
//
//   window 0     entries 0 .. of a sequence are all held
//   window w     only from `first` on: what rows at or after the sequence's end can see, and
//                PAGE_SLACK positions more, so that short rewinds need no recomputation
//
// Appending reserves a place; until the commit every old page keeps its count, so that what a
// rollback returns to has not been written by anyone: writers only ever write at or behind their
// own sequence's end, in pages that they alone own.
#ifndef HEARTH_LLM_CACHE_PAGES_H
#define HEARTH_LLM_CACHE_PAGES_H

#include "llm/llm.h"

enum { PAGE_SLACK = LLM_PAGE, PAGE_NONE = -1 };

typedef struct page_shape {
    int64_t window;                     // positions that a row sees, with its own; 0: all
    int64_t n_pages;                    // of the pool
    int64_t n_entries, n_seq, n_append; // tables' length, sequences, rows of one step
    size_t page_bytes;
} page_shape;

typedef struct page_undo { llm_seq seq; int32_t index, old_page; } page_undo;

typedef struct page_group {
    page_shape s;
    dev *d;
    dev_view pool;       // [n_pages] pages
    page_undo *undo;     // [n_append]
    int32_t *first;      // [n_seq] entries before it are not held
    uint32_t *table;     // [n_seq][n_entries]
    uint32_t *refs;      // [n_pages]
    uint32_t *free_page; // [n_pages] a stack
    int64_t n_free, n_undo;
} page_group;

static inline int64_t pages_for(int64_t n) { return (n + LLM_PAGE - 1) / LLM_PAGE; }

// How many pages a window needs so that a step never finds the pool empty.
int64_t pages_most(int64_t window, const llm_ctx_options *o);
uint64_t pages_host_bytes(const page_shape *s);
// `host`: pages_host_bytes() bytes, aligned for uint32_t. Returns its end.
void *pages_init(page_group *g, const page_shape *s, dev *d, dev_view pool, void *host);

static inline const uint32_t *pages_of(const page_group *g, llm_seq s)
{
    return g->table + s * g->s.n_entries;
}
// The first entry that a row at position n looks at.
static inline int64_t pages_needed(const page_group *g, int64_t n)
{
    return g->s.window ? i64_max(n - g->s.window + 1, 0) / LLM_PAGE : 0;
}
// Can a sequence go on from position n, as far as these layers know?
static inline bool pages_hold(const page_group *g, llm_seq s, int64_t n)
{
    return n == 0 || g->first[s] <= pages_needed(g, n);
}

// Makes position `pos`, the sequence's end, writable. HEARTH_E_LIMIT: no page is free.
hearth_status pages_append(page_group *g, llm_seq s, int64_t pos, hearth_err *err);
void pages_commit(page_group *g);
void pages_rollback(page_group *g);
// Gives back what the window of a sequence of this length has left behind.
void pages_trim(page_group *g, llm_seq s, int64_t length);
void pages_rewind(page_group *g, llm_seq s, int64_t length, int64_t n);
void pages_share(page_group *g, llm_seq from, llm_seq to, int64_t n);
// Fresh pages for the positions that a sequence of this length needs; there are enough.
void pages_fill(page_group *g, llm_seq s, int64_t length);

#endif
