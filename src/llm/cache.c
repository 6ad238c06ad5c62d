// See cache.h.
#include "llm/cache.h"

#include <string.h>

// --- sizes ---------------------------------------------------------------------------------------

static size_t type_bytes(dtype t, int64_t n)
{
    size_t bytes = 0;
    bool ok = dtype_bytes(t, n, &bytes);
    ASSERT(ok);
    (void)ok;
    return bytes;
}

static bool has_pages(const llm_memory *m) { return m->shares < 0 && m->n_head_kv > 0; }

static uint64_t keys_bytes(const cache_shape *s, const llm_memory *m)
{
    return (uint64_t)m->n_head_kv * LLM_PAGE * type_bytes(s->type_k, m->d_k);
}

// A layer's share of a page: at most 4096 heads x 64 x 2 x 4096 values x 4 bytes = 2^33.
static uint64_t page_share(const cache_shape *s, const llm_memory *m)
{
    if (m->values_in_keys) return keys_bytes(s, m);
    return keys_bytes(s, m) + (uint64_t)m->n_head_kv * LLM_PAGE * type_bytes(s->type_v, m->d_v);
}

static uint64_t state_share(const llm_memory *m)
{
    return align_up((size_t)m->n_state * sizeof(float), 64);
}

// A window that covers the whole context is none.
static int64_t window_of(const cache_shape *s, const llm_memory *m)
{
    return m->window < s->n_ctx ? m->window : 0;
}

static int find_group(const cache_shape *s, const llm_memory *m)
{
    int g = 0;
    while (g < s->n_group && s->group[g].window != window_of(s, m)) g++;
    return g;
}

static hearth_status add_layer(cache_shape *s, const llm_memory *m, const llm_ctx_options *o,
                               hearth_err *err)
{
    s->slot_bytes += state_share(m);
    if (!has_pages(m)) return HEARTH_OK;
    int g = find_group(s, m);
    if (g == CACHE_GROUPS)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "layers of more than %d different windows",
                        CACHE_GROUPS);
    if (g == s->n_group) {
        int64_t window = window_of(s, m);
        s->group[s->n_group++] = (page_shape){
            .window = window, .n_pages = pages_most(window, o), .n_entries = pages_for(o->n_ctx),
            .n_seq = o->n_seq, .n_append = o->n_batch};
    }
    s->group[g].page_bytes += (size_t)page_share(s, m);
    return HEARTH_OK;
}

static bool place_block(cache_shape *s, int64_t n, uint64_t each, uint64_t *at)
{
    uint64_t bytes;
    *at = s->pool_bytes;
    return mul_ok_u64((uint64_t)n, each, &bytes) && bytes <= SIZE_MAX / 2 &&
           (s->pool_bytes += (bytes + 63) & ~(uint64_t)63) <= SIZE_MAX / 2;
}

hearth_status cache_plan(const llm_memory *memory, int64_t n_layer, const llm_ctx_options *o,
                         cache_shape *out, hearth_err *err)
{
    cache_shape s = {.memory = memory, .n_layer = n_layer, .n_ctx = o->n_ctx, .n_seq = o->n_seq,
                     .type_k = o->type_k, .type_v = o->type_v};
    for (int64_t i = 0; i < n_layer; i++) HEARTH_TRY(add_layer(&s, &memory[i], o, err));
    s.n_slots = states_most(o->n_seq, s.slot_bytes);
    bool ok = place_block(&s, s.n_slots, s.slot_bytes, &s.slots_at);
    for (int g = 0; g < s.n_group; g++)
        ok = ok && place_block(&s, s.group[g].n_pages, s.group[g].page_bytes, &s.group_at[g]);
    if (!ok)
        return err_fail(err, HEARTH_E_LIMIT, "a context of %lld positions has no room in memory",
                        (long long)o->n_ctx);
    *out = s;
    return HEARTH_OK;
}

uint64_t cache_host_bytes(const cache_shape *s)
{
    uint64_t n = (uint64_t)s->n_layer * sizeof(cache_place) +
                 (uint64_t)s->n_seq * (sizeof(int64_t) + sizeof(int32_t)) +
                 states_host_bytes(s->n_seq, s->n_slots);
    for (int g = 0; g < s->n_group; g++) n += pages_host_bytes(&s->group[g]);
    return n;
}

// --- places --------------------------------------------------------------------------------------

static void place_layers(llm_cache *c)
{
    const cache_shape *s = &c->s;
    uint64_t page[CACHE_GROUPS] = {0}, slot = 0;
    for (int64_t i = 0; i < s->n_layer; i++) {
        const llm_memory *m = &s->memory[i];
        c->place[i] = (cache_place){.group = CACHE_NO_GROUP, .state_at = slot};
        slot += state_share(m);
        if (!has_pages(m)) continue;
        int g = find_group(s, m);
        c->place[i].group = g;
        c->place[i].page_at = page[g];
        page[g] += page_share(s, m);
    }
}

// Fields in order of falling alignment, so that the arrays follow each other without gaps.
void cache_init(llm_cache *c, const cache_shape *s, dev *d, dev_buf *pool, uint64_t fingerprint,
                void *host)
{
    *c = (llm_cache){.s = *s, .d = d, .pool = pool, .fingerprint = fingerprint, .place = host};
    c->length = (int64_t *)(c->place + s->n_layer);
    c->pending = (int32_t *)(c->length + s->n_seq);
    memset(c->pending, 0, (size_t)s->n_seq * sizeof *c->pending);
    for (int64_t i = 0; i < s->n_seq; i++) c->length[i] = -1;
    void *end = c->pending + s->n_seq;
    for (int g = 0; g < s->n_group; g++)
        end = pages_init(&c->group[g], &s->group[g], d, (dev_view){pool, (size_t)s->group_at[g]},
                         end);
    states_init(&c->states, s->n_seq, s->n_slots, end);
    place_layers(c);
}

int cache_group_of(const llm_cache *c, int64_t layer)
{
    int64_t shares = c->s.memory[layer].shares;
    return c->place[shares < 0 ? layer : shares].group;
}

dev_cache cache_layer(const llm_cache *c, int64_t layer)
{
    const llm_memory *m = &c->s.memory[layer];
    if (m->shares >= 0) return cache_layer(c, m->shares);
    const cache_place *p = &c->place[layer];
    if (p->group == CACHE_NO_GROUP) return (dev_cache){.page_len = LLM_PAGE};
    return (dev_cache){
        .base = dev_at(c->group[p->group].pool, (size_t)p->page_at),
        .page_stride = c->s.group[p->group].page_bytes,
        .values_at = m->values_in_keys ? 0 : (size_t)keys_bytes(&c->s, m),
        .page_len = LLM_PAGE, .n_head_kv = m->n_head_kv, .d_k = m->d_k, .d_v = m->d_v,
        .type_k = c->s.type_k, .type_v = c->s.type_v, .values_in_keys = m->values_in_keys,
    };
}

dev_state cache_state(const llm_cache *c, int64_t layer)
{
    return (dev_state){{c->pool, (size_t)(c->s.slots_at + c->place[layer].state_at)},
                       (size_t)c->s.slot_bytes};
}

dev_attn_row cache_row(const llm_cache *c, int group, llm_seq s, int64_t pos)
{
    const page_group *g = &c->group[group];
    int64_t first = g->s.window ? i64_max(pos - g->s.window + 1, 0) : 0;
    return (dev_attn_row){pages_of(g, s), pos, first, pos};
}

// --- sequences -----------------------------------------------------------------------------------

bool cache_has(const llm_cache *c, llm_seq s)
{
    return s >= 0 && s < c->s.n_seq && c->length[s] >= 0;
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

int64_t cache_nearest(const llm_cache *c, llm_seq s, int64_t n)
{
    ASSERT(cache_has(c, s) && n >= 0 && n <= c->length[s]);
    n = states_nearest(&c->states, s, n);
    for (int g = 0; g < c->s.n_group; g++)
        if (!pages_hold(&c->group[g], s, n)) return 0;
    return n;
}

static void go_back(llm_cache *c, llm_seq s, int64_t n)
{
    for (int g = 0; g < c->s.n_group; g++) pages_rewind(&c->group[g], s, c->length[s], n);
    states_rewind(&c->states, s, n);
    c->length[s] = n;
}

static hearth_status check_reach(const llm_cache *c, llm_seq s, int64_t n, hearth_err *err)
{
    int64_t nearest = cache_nearest(c, s, n);
    if (nearest == n) return HEARTH_OK;
    return err_fail(err, HEARTH_E_STATE,
                    "sequence %d: position %lld is not remembered, the nearest is %lld", (int)s,
                    (long long)n, (long long)nearest);
}

hearth_status cache_rewind(llm_cache *c, llm_seq s, int64_t n, hearth_err *err)
{
    HEARTH_TRY(check_reach(c, s, n, err));
    go_back(c, s, n);
    return HEARTH_OK;
}

void cache_free(llm_cache *c, llm_seq s)
{
    go_back(c, s, 0);
    c->length[s] = -1;
}

hearth_status cache_fork(llm_cache *c, llm_seq from, int64_t n, llm_seq *out, hearth_err *err)
{
    *out = -1;
    HEARTH_TRY(check_reach(c, from, n, err));
    HEARTH_TRY(cache_new(c, out, err));
    for (int g = 0; g < c->s.n_group; g++) pages_share(&c->group[g], from, *out, n);
    states_share(&c->states, from, *out, n);
    c->length[*out] = n;
    return HEARTH_OK;
}

// --- a step --------------------------------------------------------------------------------------

hearth_status cache_append(llm_cache *c, llm_seq s, dev_state_row *state, hearth_err *err)
{
    int64_t pos = c->length[s] + c->pending[s];
    if (pos >= c->s.n_ctx)
        return err_fail(err, HEARTH_E_LIMIT, "the context of %lld positions is full",
                        (long long)c->s.n_ctx);
    for (int g = 0; g < c->s.n_group; g++) HEARTH_TRY(pages_append(&c->group[g], s, pos, err));
    *state = states_append(&c->states, s, pos);
    c->pending[s]++;
    return HEARTH_OK;
}

void cache_commit(llm_cache *c)
{
    for (int g = 0; g < c->s.n_group; g++) pages_commit(&c->group[g]);
    for (llm_seq s = 0; s < c->s.n_seq; s++) {
        if (!c->pending[s]) continue;
        c->length[s] += c->pending[s];
        c->pending[s] = 0;
        for (int g = 0; g < c->s.n_group; g++) pages_trim(&c->group[g], s, c->length[s]);
        states_commit(&c->states, s, c->length[s]);
    }
}

void cache_rollback(llm_cache *c)
{
    for (int g = 0; g < c->s.n_group; g++) pages_rollback(&c->group[g]);
    for (llm_seq s = 0; s < c->s.n_seq; s++) states_rollback(&c->states, s);
    memset(c->pending, 0, (size_t)c->s.n_seq * sizeof *c->pending);
}
