// See merge.h. The heap is a plain binary heap ordered by (key, left) as one 64-bit number.
#include "tok/merge.h"

#include <string.h>

void merge_release(merge *m)
{
    mem_free(m->symbol);
    mem_free(m->heap);
    *m = (merge){0};
}

// The heap never holds more than 2n pairs: n - 1 at the start, and each of at most n - 1 joins
// takes one out and puts two in.
hearth_status merge_begin(merge *m, size_t n, hearth_err *err)
{
    m->n = m->n_heap = 0;
    if (n <= m->cap) return HEARTH_OK;
    size_t cap = size_max(64, size_max(n, m->cap + m->cap / 2));
    size_t symbol_bytes, heap_bytes;
    if (n > INT32_MAX || !mul_ok(cap, sizeof *m->symbol, &symbol_bytes) ||
        !mul_ok(cap, 2 * sizeof *m->heap, &heap_bytes)) {
        return err_fail(err, HEARTH_E_LIMIT, "a word of %zu characters is too long to tokenize", n);
    }
    merge_release(m);
    m->symbol = mem_alloc(MEM_TOKENIZER, symbol_bytes);
    m->heap = mem_alloc(MEM_TOKENIZER, heap_bytes);
    if (!m->symbol || !m->heap) {
        merge_release(m);
        return err_fail(err, HEARTH_E_NOMEM, "no memory to tokenize a word of %zu characters", n);
    }
    m->cap = cap;
    return HEARTH_OK;
}

void merge_add(merge *m, uint32_t start, uint32_t len, int32_t id)
{
    ASSERT(m->n < m->cap && len > 0);
    int32_t at = (int32_t)m->n;
    if (at > 0) m->symbol[at - 1].next = at;
    m->symbol[m->n++] = (merge_symbol){start, len, at - 1, -1, id};
}

static uint64_t order_of(const merge_pair *p)
{
    return (uint64_t)p->key << 32 | p->left;
}

static void push_pair(merge *m, merge_pair p)
{
    ASSERT(m->n_heap < 2 * m->cap);
    uint64_t order = order_of(&p);
    size_t at = m->n_heap++;
    while (at > 0 && order < order_of(&m->heap[(at - 1) / 2])) {
        m->heap[at] = m->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    m->heap[at] = p;
}

static merge_pair pop_pair(merge *m)
{
    ASSERT(m->n_heap > 0);
    merge_pair top = m->heap[0], last = m->heap[--m->n_heap];
    uint64_t order = order_of(&last);
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < m->n_heap; at = child) {
        if (child + 1 < m->n_heap && order_of(&m->heap[child + 1]) < order_of(&m->heap[child])) {
            child++;
        }
        if (order <= order_of(&m->heap[child])) break;
        m->heap[at] = m->heap[child];
    }
    m->heap[at] = last;
    return top;
}

static void try_pair(merge *m, int32_t left, merge_look look, const void *ctx)
{
    if (left < 0 || m->symbol[left].next < 0) return;
    const merge_symbol *a = &m->symbol[left], *b = &m->symbol[a->next];
    merge_pair p = {.left = (uint32_t)left, .end = b->start + b->len};
    if (look(ctx, a, b, &p.key, &p.id)) push_pair(m, p);
}

static bool is_stale(const merge *m, const merge_pair *p)
{
    const merge_symbol *a = &m->symbol[p->left];
    if (a->len == 0 || a->next < 0) return true;
    const merge_symbol *b = &m->symbol[a->next];
    return b->start + b->len != p->end;
}

static void join(merge *m, merge_symbol *a, int32_t id)
{
    merge_symbol *b = &m->symbol[a->next];
    a->len += b->len;
    a->id = id;
    a->next = b->next;
    b->len = 0;
    if (b->next >= 0) m->symbol[b->next].prev = (int32_t)(a - m->symbol);
}

void merge_run(merge *m, merge_look look, const void *ctx)
{
    for (size_t i = 0; i + 1 < m->n; i++) try_pair(m, (int32_t)i, look, ctx);
    while (m->n_heap > 0) {
        merge_pair p = pop_pair(m);
        if (is_stale(m, &p)) continue;
        merge_symbol *a = &m->symbol[p.left];
        join(m, a, p.id);
        try_pair(m, a->prev, look, ctx);
        try_pair(m, (int32_t)p.left, look, ctx);
    }
}
