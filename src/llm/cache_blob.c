// Sequences of the cache as bytes. All numbers little endian; floats as the cache stores them.
//
//    0  "HLSQ"
//    4  u32 version, 2
//    8  u64 fingerprint of the model (shape, tensor names and types, layer range)
//   16  u32 key type, u32 value type
//   24  u64 positions
//   32  u64 hash of the 32 bytes before it, continued over the payload
//   40  payload: group by group, page by page, layer by layer, keys of head 0, 1, ..., then values;
//       of the last page only the positions that are in use, of a group with a window only the
//       pages that the next position looks at; then the recurrent states, layer by layer
//
// The fingerprint tells shapes apart, not two fine-tunes of one base. The hash finds damage, not
// forgery: a blob is as trusted as who hands it in, and all that a forged one can do is give wrong
// numbers to a computation. A check touches nothing but the blob.
#include <string.h>

#include "base/map.h"
#include "llm/cache.h"

enum { BLOB_HEADER = 40, BLOB_HASH_AT = 32, BLOB_VERSION = 2 };
static const char magic[4] = {'H', 'L', 'S', 'Q'};

static void put_le(uint8_t *p, int n, uint64_t v)
{
    for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

// Bytes of one position in all layers of a group.
static size_t position_bytes(const page_group *g) { return g->s.page_bytes / LLM_PAGE; }

static size_t state_bytes(const cache_shape *s)
{
    size_t n = 0;
    for (int64_t i = 0; i < s->n_layer; i++) n += (size_t)s->memory[i].n_state * sizeof(float);
    return n;
}

size_t cache_blob_bytes(const llm_cache *c, int64_t length)
{
    size_t n = BLOB_HEADER + (length ? state_bytes(&c->s) : 0);
    for (int i = 0; i < c->s.n_group; i++) {
        const page_group *g = &c->group[i];
        n += (size_t)(length - pages_needed(g, length) * LLM_PAGE) * position_bytes(g);
    }
    return n;
}

static uint64_t hash_blob(const uint8_t *p, size_t n)
{
    return hash_bytes(p + BLOB_HEADER, n - BLOB_HEADER, hash_bytes(p, BLOB_HASH_AT, 0));
}

// One run of a page's bytes: `n` positions of one head's keys or values.
typedef hearth_status (*run_fn)(dev *d, dev_view at, uint8_t *bytes, size_t n, hearth_err *err);

static hearth_status read_run(dev *d, dev_view at, uint8_t *bytes, size_t n, hearth_err *err)
{
    return d->ops->read(d, at, bytes, n, err);
}

static hearth_status write_run(dev *d, dev_view at, uint8_t *bytes, size_t n, hearth_err *err)
{
    (void)err;
    d->ops->write(d, at, bytes, n);
    return HEARTH_OK;
}

static hearth_status walk_run(const llm_cache *c, dev_view at, uint8_t **bytes, size_t n, run_fn fn,
                              hearth_err *err)
{
    HEARTH_TRY(fn(c->d, at, *bytes, n, err));
    *bytes += n;
    return HEARTH_OK;
}

// The runs of one layer in one page, in the order of the payload; *bytes moves on.
static hearth_status walk_layer(const llm_cache *c, const dev_cache *layer, uint32_t page,
                                int64_t n, uint8_t **bytes, run_fn fn, hearth_err *err)
{
    dev_view at = dev_at(layer->base, page * layer->page_stride);
    for (int is_value = 0; is_value < 2 - layer->values_in_keys; is_value++) {
        size_t item = 0;
        bool ok = is_value ? dtype_bytes(layer->type_v, layer->d_v, &item)
                           : dtype_bytes(layer->type_k, layer->d_k, &item);
        ASSERT(ok);
        (void)ok;
        for (int64_t h = 0; h < layer->n_head_kv; h++) {
            size_t head_at = (is_value ? layer->values_at : 0) + (size_t)(h * LLM_PAGE) * item;
            HEARTH_TRY(walk_run(c, dev_at(at, head_at), bytes, (size_t)n * item, fn, err));
        }
    }
    return HEARTH_OK;
}

static hearth_status walk_page(const llm_cache *c, int group, uint32_t page, int64_t n,
                               uint8_t **bytes, run_fn fn, hearth_err *err)
{
    for (int64_t i = 0; i < c->s.n_layer; i++) {
        if (c->place[i].group != group) continue;
        dev_cache layer = cache_layer(c, i);
        HEARTH_TRY(walk_layer(c, &layer, page, n, bytes, fn, err));
    }
    return HEARTH_OK;
}

static hearth_status walk_states(const llm_cache *c, llm_seq seq, uint8_t **bytes, run_fn fn,
                                 hearth_err *err)
{
    for (int64_t i = 0; i < c->s.n_layer; i++) {
        dev_state state = cache_state(c, i);
        size_t slot = (size_t)c->states.seq[seq].slot * state.slot_stride;
        size_t n = (size_t)c->s.memory[i].n_state * sizeof(float);
        if (n) HEARTH_TRY(walk_run(c, dev_at(state.base, slot), bytes, n, fn, err));
    }
    return HEARTH_OK;
}

static hearth_status walk_all(const llm_cache *c, llm_seq seq, int64_t length, uint8_t *bytes,
                              run_fn fn, hearth_err *err)
{
    for (int g = 0; g < c->s.n_group; g++) {
        const uint32_t *pages = pages_of(&c->group[g], seq);
        for (int64_t i = pages_needed(&c->group[g], length); i < pages_for(length); i++) {
            int64_t n = i64_min(LLM_PAGE, length - i * LLM_PAGE);
            HEARTH_TRY(walk_page(c, g, pages[i], n, &bytes, fn, err));
        }
    }
    if (length && c->s.n_slots) HEARTH_TRY(walk_states(c, seq, &bytes, fn, err));
    return c->d->ops->sync(c->d, err);
}

hearth_status cache_export(const llm_cache *c, llm_seq s, void *out, size_t n, hearth_err *err)
{
    uint8_t *p = out;
    int64_t length = c->length[s];
    size_t need = cache_blob_bytes(c, length);
    if (n != need)
        return err_fail(err, HEARTH_E_ARG, "sequence export: %zu bytes given, %zu needed", n, need);
    memcpy(p, magic, sizeof magic);
    put_le(p + 4, 4, BLOB_VERSION);
    put_le(p + 8, 8, c->fingerprint);
    put_le(p + 16, 4, (uint64_t)c->s.type_k);
    put_le(p + 20, 4, (uint64_t)c->s.type_v);
    put_le(p + 24, 8, (uint64_t)length);
    HEARTH_TRY(walk_all(c, s, length, p + BLOB_HEADER, read_run, err));
    put_le(p + BLOB_HASH_AT, 8, hash_blob(p, n));
    return HEARTH_OK;
}

static hearth_status check_header(const llm_cache *c, const uint8_t *p, size_t n, hearth_err *err)
{
    if (n < BLOB_HEADER || memcmp(p, magic, sizeof magic) != 0)
        return err_fail(err, HEARTH_E_FORMAT, "sequence import: not an exported sequence");
    uint64_t version = get_le(p + 4, 4);
    if (version != BLOB_VERSION)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "sequence import: version %u, expected %u",
                        (unsigned)version, (unsigned)BLOB_VERSION);
    if (get_le(p + 8, 8) != c->fingerprint)
        return err_fail(err, HEARTH_E_VERIFY, "sequence import: made by another model");
    if (get_le(p + 16, 4) != (uint64_t)c->s.type_k || get_le(p + 20, 4) != (uint64_t)c->s.type_v)
        return err_fail(err, HEARTH_E_VERIFY, "sequence import: made with another cache type");
    return HEARTH_OK;
}

hearth_status cache_check_blob(const llm_cache *c, const void *blob, size_t n, int64_t *length,
                               hearth_err *err)
{
    const uint8_t *p = blob;
    HEARTH_TRY(check_header(c, p, n, err));
    uint64_t positions = get_le(p + 24, 8);
    if (positions > (uint64_t)c->s.n_ctx)
        return err_fail(err, HEARTH_E_LIMIT, "sequence import: %llu positions, at most %lld",
                        (unsigned long long)positions, (long long)c->s.n_ctx);
    if (n != cache_blob_bytes(c, (int64_t)positions))
        return err_fail(err, HEARTH_E_FORMAT, "sequence import: %zu bytes, expected %zu", n,
                        cache_blob_bytes(c, (int64_t)positions));
    if (get_le(p + BLOB_HASH_AT, 8) != hash_blob(p, n))
        return err_fail(err, HEARTH_E_VERIFY, "sequence import: damaged, the checksum differs");
    *length = (int64_t)positions;
    return HEARTH_OK;
}

static hearth_status check_room(const llm_cache *c, int64_t length, hearth_err *err)
{
    for (int i = 0; i < c->s.n_group; i++) {
        const page_group *g = &c->group[i];
        if (pages_for(length) - pages_needed(g, length) > g->n_free)
            return err_fail(err, HEARTH_E_LIMIT, "sequence import: %lld positions, %lld are free",
                            (long long)length, (long long)(g->n_free * LLM_PAGE));
    }
    return HEARTH_OK;
}

hearth_status cache_import(llm_cache *c, const void *p, size_t n, llm_seq *out, hearth_err *err)
{
    int64_t length = 0;
    llm_seq seq;
    *out = -1;
    HEARTH_TRY(cache_check_blob(c, p, n, &length, err));
    HEARTH_TRY(check_room(c, length, err));
    HEARTH_TRY(cache_new(c, &seq, err));
    for (int g = 0; g < c->s.n_group; g++) pages_fill(&c->group[g], seq, length);
    if (length && c->s.n_slots) states_fill(&c->states, seq, length);
    c->length[seq] = length;
    uint8_t *payload = (uint8_t *)(uintptr_t)p + BLOB_HEADER; // write_run() only reads it
    hearth_status s = walk_all(c, seq, length, payload, write_run, err);
    if (s != HEARTH_OK) {
        cache_free(c, seq);
        return s;
    }
    *out = seq;
    return HEARTH_OK;
}
