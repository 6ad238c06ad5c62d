// See cache_pages.h.
#include "llm/cache_pages.h"

#include <string.h>

// A sequence with b rows in a step holds at most ceil((window + slack) / page) + ceil(b / page) + 1
// pages, and with a neighbour one more while a shared page is being copied. A group never holds
// more pages than one without a window would.
int64_t pages_most(int64_t window, const llm_ctx_options *o)
{
    int64_t all = pages_for(o->n_ctx);
    if (!window) return all;
    int64_t each = pages_for(window + PAGE_SLACK) + 2 + (o->n_seq > 1);
    return i64_min(all, o->n_seq * each + o->n_batch / LLM_PAGE);
}

uint64_t pages_host_bytes(const page_shape *s)
{
    uint64_t seqs = (uint64_t)s->n_seq;
    return (uint64_t)s->n_append * sizeof(page_undo) + seqs * sizeof(int32_t) +
           (seqs * (uint64_t)s->n_entries + 2 * (uint64_t)s->n_pages) * sizeof(uint32_t);
}

void *pages_init(page_group *g, const page_shape *s, dev *d, dev_view pool, void *host)
{
    *g = (page_group){.s = *s, .d = d, .pool = pool, .undo = host};
    g->first = (int32_t *)(g->undo + s->n_append);
    g->table = (uint32_t *)(g->first + s->n_seq);
    g->refs = g->table + s->n_seq * s->n_entries;
    g->free_page = g->refs + s->n_pages;
    memset(g->first, 0, (size_t)s->n_seq * sizeof *g->first);
    memset(g->refs, 0, (size_t)s->n_pages * sizeof *g->refs);
    for (int64_t i = s->n_pages - 1; i >= 0; i--) g->free_page[g->n_free++] = (uint32_t)i;
    return g->free_page + s->n_pages;
}

static uint32_t *table_of(page_group *g, llm_seq s) { return g->table + s * g->s.n_entries; }

static void drop_page(page_group *g, uint32_t page)
{
    ASSERT(g->refs[page] > 0);
    if (--g->refs[page] == 0) g->free_page[g->n_free++] = page;
}

static uint32_t take_page(page_group *g)
{
    ASSERT(g->n_free > 0);
    uint32_t page = g->free_page[--g->n_free];
    g->refs[page] = 1;
    return page;
}

static dev_view page_at(const page_group *g, uint32_t page)
{
    return dev_at(g->pool, page * g->s.page_bytes);
}

hearth_status pages_append(page_group *g, llm_seq s, int64_t pos, hearth_err *err)
{
    uint32_t *entry = &table_of(g, s)[pos / LLM_PAGE];
    bool is_new = pos % LLM_PAGE == 0;
    if (!is_new && g->refs[*entry] == 1) return HEARTH_OK;
    if (g->n_free == 0)
        return err_fail(err, HEARTH_E_LIMIT, "the context of %lld positions is full",
                        (long long)(g->s.n_entries * LLM_PAGE));
    uint32_t page = take_page(g);
    if (!is_new) g->d->ops->copy(g->d, page_at(g, page), page_at(g, *entry), g->s.page_bytes);
    ASSERT(g->n_undo < g->s.n_append);
    g->undo[g->n_undo++] = (page_undo){s, (int32_t)(pos / LLM_PAGE),
                                       is_new ? PAGE_NONE : (int32_t)*entry};
    *entry = page;
    return HEARTH_OK;
}

void pages_commit(page_group *g)
{
    for (int64_t i = 0; i < g->n_undo; i++)
        if (g->undo[i].old_page != PAGE_NONE) drop_page(g, (uint32_t)g->undo[i].old_page);
    g->n_undo = 0;
}

void pages_rollback(page_group *g)
{
    while (g->n_undo > 0) {
        const page_undo *u = &g->undo[--g->n_undo];
        uint32_t *entry = &table_of(g, u->seq)[u->index];
        drop_page(g, *entry);
        if (u->old_page != PAGE_NONE) *entry = (uint32_t)u->old_page;
    }
}

void pages_trim(page_group *g, llm_seq s, int64_t length)
{
    int64_t keep = pages_needed(g, length - PAGE_SLACK);
    while (g->first[s] < keep) drop_page(g, table_of(g, s)[g->first[s]++]);
}

void pages_rewind(page_group *g, llm_seq s, int64_t length, int64_t n)
{
    ASSERT(pages_hold(g, s, n));
    int64_t held = pages_for(length), keep = i64_max(pages_for(n), g->first[s]);
    while (held > keep) drop_page(g, table_of(g, s)[--held]);
    if (n == 0) g->first[s] = 0;
}

void pages_share(page_group *g, llm_seq from, llm_seq to, int64_t n)
{
    ASSERT(pages_hold(g, from, n));
    g->first[to] = n ? g->first[from] : 0;
    for (int64_t i = g->first[to]; i < pages_for(n); i++) {
        uint32_t page = pages_of(g, from)[i];
        table_of(g, to)[i] = page;
        g->refs[page]++;
    }
}

void pages_fill(page_group *g, llm_seq s, int64_t length)
{
    g->first[s] = (int32_t)pages_needed(g, length);
    for (int64_t i = g->first[s]; i < pages_for(length); i++) table_of(g, s)[i] = take_page(g);
}
