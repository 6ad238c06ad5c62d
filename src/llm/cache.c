// See cache.h.
#include "llm/cache.h"

#include <string.h>

static size_t type_bytes(dtype t, int64_t n)
{
    size_t bytes = 0;
    bool ok = dtype_bytes(t, n, &bytes);
    ASSERT(ok);
    (void)ok;
    return bytes;
}

// A page is at most 1024 layers x 4096 heads x 64 x 2 x 4096 values x 4 bytes = 2^53.
hearth_status cache_plan(const llm_config *c, int64_t n_layer, const llm_ctx_options *o,
                         cache_shape *out, hearth_err *err)
{
    cache_shape s = {
        .n_pages = o->n_ctx / LLM_PAGE, .n_seq = o->n_seq, .n_append = o->n_batch,
        .n_layer = n_layer, .n_head_kv = c->n_head_kv, .d_k = c->d_k, .d_v = c->d_v,
        .type_k = o->type_k, .type_v = o->type_v,
        .key_bytes = type_bytes(o->type_k, c->d_k), .value_bytes = type_bytes(o->type_v, c->d_v),
    };
    uint64_t positions = (uint64_t)c->n_head_kv * LLM_PAGE, pool;
    uint64_t layer_bytes = positions * (s.key_bytes + s.value_bytes);
    if (!mul_ok_u64(layer_bytes * (uint64_t)n_layer, (uint64_t)s.n_pages, &pool) || pool > SIZE_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "a context of %lld positions has no room in memory",
                        (long long)o->n_ctx);
    s.values_at = (size_t)positions * s.key_bytes;
    s.layer_bytes = (size_t)layer_bytes;
    s.page_bytes = (size_t)n_layer * s.layer_bytes;
    *out = s;
    return HEARTH_OK;
}

uint64_t cache_host_bytes(const cache_shape *s)
{
    uint64_t pages = (uint64_t)s->n_pages, seqs = (uint64_t)s->n_seq;
    return seqs * (sizeof(int64_t) + sizeof(int32_t)) + (uint64_t)s->n_append * sizeof(cache_undo) +
           (seqs + 2) * pages * sizeof(uint32_t);
}

uint64_t cache_pool_bytes(const cache_shape *s)
{
    return (uint64_t)s->n_pages * (uint64_t)s->page_bytes;
}

// Fields in order of falling alignment, so that the arrays follow each other without gaps.
void cache_init(llm_cache *c, const cache_shape *s, dev *d, dev_buf *pool, uint64_t fingerprint,
                void *host)
{
    *c = (llm_cache){.s = *s, .d = d, .pool = pool, .fingerprint = fingerprint};
    c->length = host;
    c->pending = (int32_t *)(c->length + s->n_seq);
    c->undo = (cache_undo *)(c->pending + s->n_seq);
    c->table = (uint32_t *)(c->undo + s->n_append);
    c->refs = c->table + s->n_seq * s->n_pages;
    c->free_page = c->refs + s->n_pages;
    memset(c->pending, 0, (size_t)s->n_seq * sizeof *c->pending);
    memset(c->refs, 0, (size_t)s->n_pages * sizeof *c->refs);
    for (int64_t i = 0; i < s->n_seq; i++) c->length[i] = -1;
    for (int64_t i = s->n_pages - 1; i >= 0; i--) c->free_page[c->n_free++] = (uint32_t)i;
}

bool cache_has(const llm_cache *c, llm_seq s)
{
    return s >= 0 && s < c->s.n_seq && c->length[s] >= 0;
}

static uint32_t *table_of(const llm_cache *c, llm_seq s) { return c->table + s * c->s.n_pages; }

const uint32_t *cache_pages(const llm_cache *c, llm_seq s) { return table_of(c, s); }

static void drop_page(llm_cache *c, uint32_t page)
{
    ASSERT(c->refs[page] > 0);
    if (--c->refs[page] == 0) c->free_page[c->n_free++] = page;
}

static hearth_status take_page(llm_cache *c, uint32_t *out, hearth_err *err)
{
    if (c->n_free == 0)
        return err_fail(err, HEARTH_E_LIMIT, "the context of %lld positions is full",
                        (long long)(c->s.n_pages * LLM_PAGE));
    *out = c->free_page[--c->n_free];
    c->refs[*out] = 1;
    return HEARTH_OK;
}

hearth_status cache_new(llm_cache *c, llm_seq *out, hearth_err *err)
{
    *out = -1;
    for (int64_t i = 0; i < c->s.n_seq; i++) {
        if (c->length[i] >= 0) continue;
        c->length[i] = 0;
        *out = (llm_seq)i;
        return HEARTH_OK;
    }
    return err_fail(err, HEARTH_E_LIMIT, "all %lld sequences of the context are in use",
                    (long long)c->s.n_seq);
}

void cache_rewind(llm_cache *c, llm_seq s, int64_t n)
{
    ASSERT(cache_has(c, s) && n >= 0 && n <= c->length[s]);
    int64_t held = cache_pages_for(c->length[s]);
    while (held > cache_pages_for(n)) drop_page(c, table_of(c, s)[--held]);
    c->length[s] = n;
}

void cache_free(llm_cache *c, llm_seq s)
{
    cache_rewind(c, s, 0);
    c->length[s] = -1;
}

hearth_status cache_fork(llm_cache *c, llm_seq from, int64_t n, llm_seq *out, hearth_err *err)
{
    ASSERT(cache_has(c, from) && n >= 0 && n <= c->length[from]);
    HEARTH_TRY(cache_new(c, out, err));
    const uint32_t *pages = table_of(c, from);
    for (int64_t i = 0; i < cache_pages_for(n); i++) {
        table_of(c, *out)[i] = pages[i];
        c->refs[pages[i]]++;
    }
    c->length[*out] = n;
    return HEARTH_OK;
}

static void put_page(llm_cache *c, llm_seq s, int64_t index, uint32_t page, int32_t old_page)
{
    ASSERT(c->n_undo < c->s.n_append);
    c->undo[c->n_undo++] = (cache_undo){s, (int32_t)index, old_page};
    table_of(c, s)[index] = page;
}

hearth_status cache_append(llm_cache *c, llm_seq s, hearth_err *err)
{
    int64_t pos = c->length[s] + c->pending[s], index = pos / LLM_PAGE;
    uint32_t page;
    if (pos % LLM_PAGE == 0) {
        HEARTH_TRY(take_page(c, &page, err));
        put_page(c, s, index, page, CACHE_NO_PAGE);
    } else if (c->refs[table_of(c, s)[index]] > 1) {
        uint32_t old = table_of(c, s)[index];
        HEARTH_TRY(take_page(c, &page, err));
        c->d->ops->copy(c->d, (dev_view){c->pool, page * c->s.page_bytes},
                        (dev_view){c->pool, old * c->s.page_bytes}, c->s.page_bytes);
        put_page(c, s, index, page, (int32_t)old);
    }
    c->pending[s]++;
    return HEARTH_OK;
}

void cache_commit(llm_cache *c)
{
    for (int64_t i = 0; i < c->n_undo; i++)
        if (c->undo[i].old_page != CACHE_NO_PAGE) drop_page(c, (uint32_t)c->undo[i].old_page);
    c->n_undo = 0;
    for (int64_t i = 0; i < c->s.n_seq; i++) {
        c->length[i] += c->pending[i];
        c->pending[i] = 0;
    }
}

void cache_rollback(llm_cache *c)
{
    while (c->n_undo > 0) {
        const cache_undo *u = &c->undo[--c->n_undo];
        uint32_t *entry = &table_of(c, u->seq)[u->index];
        drop_page(c, *entry);
        if (u->old_page != CACHE_NO_PAGE) *entry = (uint32_t)u->old_page;
    }
    memset(c->pending, 0, (size_t)c->s.n_seq * sizeof *c->pending);
}

dev_cache cache_layer(const llm_cache *c, int64_t layer)
{
    const cache_shape *s = &c->s;
    return (dev_cache){
        .base = {c->pool, (size_t)layer * s->layer_bytes},
        .page_stride = s->page_bytes, .values_at = s->values_at, .page_len = LLM_PAGE,
        .n_head_kv = s->n_head_kv, .d_k = s->d_k, .d_v = s->d_v,
        .type_k = s->type_k, .type_v = s->type_v,
    };
}
