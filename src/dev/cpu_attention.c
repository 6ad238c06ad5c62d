// The paged cache and attention over it on the CPU.
//
// A page of one layer holds, for each key/value head, page_len keys side by side and page_len
// values side by side, so that a page of one head is one contiguous run:
//
//   | head 0: key 0, key 1 ... | head 1: ... | ...   | head 0: value 0 ... | ...
//   ^ base + page * page_stride                      ^ + values_at
//
// Where values are the begin of their keys, values_at is 0 and the step between values is a key's.
//
// Work is cut into (row, key/value head) pairs: the query heads that share a key/value head go
// through its pages together, and a pair is one thread's from the first page to the division, so
// nothing is merged and the bits do not depend on who did it. Scratch is one online-softmax state
// per thread. Head sizes that are no multiple of 8 (only toys have them) go to the reference.
#include "dev/cpu_int.h"

#include <math.h>
#include <string.h>

enum { STATE_HEAD = 2 }; // m, l before acc[d_v]

typedef struct attn_job {
    const kern *k;
    const dev_attn *a;
    const dev_cache *c;
    const dev_attn_row *rows;
    int64_t n_rows, group;         // group: query heads per key/value head
    size_t k_item, v_item;         // bytes of one key and one value of a head
    const float *sinks;            // [n_head] or NULL
    const float *q;
    float *out;
    uint8_t *state;
    size_t state_bytes; // of one thread
} attn_job;

static size_t item_bytes(dtype t, int64_t n)
{
    size_t bytes = 0;
    bool ok = dtype_bytes(t, n, &bytes);
    ASSERT(ok);
    (void)ok;
    return bytes;
}

static size_t value_step(const dev_cache *c)
{
    return c->values_in_keys ? item_bytes(c->type_k, c->d_k) : item_bytes(c->type_v, c->d_v);
}

static uint8_t *page_at(const dev_cache *c, const dev_attn_row *r, int64_t page)
{
    return (uint8_t *)cpu_ptr(c->base) + (size_t)r->pages[page] * c->page_stride;
}

void cpu_cache_write(dev *d, const dev_cache *c, const dev_attn_row *rows, int64_t n_rows,
                     dev_view k, dev_view v)
{
    const cpu_dev *cpu = cpu_of(d);
    size_t k_item = item_bytes(c->type_k, c->d_k), v_item = item_bytes(c->type_v, c->d_v);
    const float *key = cpu_f32(k), *value = c->values_in_keys ? NULL : cpu_f32(v);
    for (int64_t r = 0; r < n_rows; r++) {
        uint8_t *page = page_at(c, &rows[r], rows[r].pos / c->page_len);
        int64_t slot = rows[r].pos % c->page_len;
        for (int64_t h = 0; h < c->n_head_kv; h++, key += c->d_k) {
            size_t at = (size_t)(h * c->page_len + slot);
            cpu->k.cache_store[c->type_k](key, page + at * k_item, c->d_k);
            if (c->values_in_keys) continue;
            cpu->k.cache_store[c->type_v](value, page + c->values_at + at * v_item, c->d_v);
            value += c->d_v;
        }
    }
}

static size_t state_bytes(const dev_cache *c, int64_t n_head)
{
    int64_t floats = n_head / c->n_head_kv * (STATE_HEAD + c->d_v);
    return align_up((size_t)floats * sizeof(float), 64);
}

size_t cpu_attention_scratch(dev *d, int64_t n_head, const dev_cache *shape, int64_t n_rows)
{
    (void)n_rows;
    return (size_t)pool_threads(cpu_of(d)->pool) * state_bytes(shape, n_head);
}

// Nothing folded yet, or the sink: one score of weight exp(0) whose value is zero.
static void reset_state(float *state, int64_t n_head, int64_t d_v, const float *sinks)
{
    memset(state, 0, (size_t)(n_head * (STATE_HEAD + d_v)) * sizeof *state);
    for (int64_t h = 0; h < n_head; h++) {
        float *head = state + h * (STATE_HEAD + d_v);
        head[0] = sinks ? sinks[h] : -INFINITY;
        head[1] = sinks ? 1.0f : 0.0f;
    }
}

static void fold_pages(const attn_job *j, const dev_attn_row *r, int64_t kv_head, const float *q,
                       float *state)
{
    const dev_cache *c = j->c;
    for (int64_t pos = r->first; pos <= r->last;) {
        int64_t slot = pos % c->page_len;
        int64_t n_keys = i64_min(c->page_len - slot, r->last - pos + 1);
        const uint8_t *page = page_at(c, r, pos / c->page_len);
        size_t at = (size_t)(kv_head * c->page_len + slot);
        j->k->attn_page[c->type_k](q, j->group, c->d_k, c->d_v, page + at * j->k_item, j->k_item,
                                   page + c->values_at + at * j->v_item, j->v_item, n_keys,
                                   j->a->scale, j->a->cap, state);
        pos += n_keys;
    }
}

// Later rows of a prompt see more keys; they are claimed first so that no thread is left with a
// long one at the end.
static void attend_chunk(void *ctx, int64_t chunk, int worker)
{
    const attn_job *j = ctx;
    const dev_cache *c = j->c;
    int64_t r = j->n_rows - 1 - chunk / c->n_head_kv, kv_head = chunk % c->n_head_kv;
    int64_t head = kv_head * j->group, record = STATE_HEAD + c->d_v;
    float *state = (float *)(void *)(j->state + (size_t)worker * j->state_bytes);
    int64_t first = r * j->a->n_head + head; // of the group's heads, among all rows'
    reset_state(state, j->group, c->d_v, j->sinks ? j->sinks + head : NULL);
    fold_pages(j, &j->rows[r], kv_head, j->q + first * c->d_k, state);
    float *out = j->out + first * c->d_v;
    for (int64_t h = 0; h < j->group; h++, state += record, out += c->d_v)
        for (int64_t i = 0; i < c->d_v; i++) out[i] = state[STATE_HEAD + i] / state[1];
}

static const kern *choose_kern(const cpu_dev *d, const dev_cache *c)
{
    return c->d_k % 8 || c->d_v % 8 ? &d->plain : &d->k;
}

static int64_t count_keys(const dev_attn_row *rows, int64_t n_rows)
{
    int64_t n = 0;
    for (int64_t r = 0; r < n_rows; r++) n += rows[r].last - rows[r].first + 1;
    return n;
}

void cpu_attention(dev *d, const dev_attn *a, const dev_cache *c, const dev_attn_row *rows,
                   int64_t n_rows, dev_view q, dev_view out, dev_view scratch)
{
    ASSERT(c->type_k == c->type_v && a->n_head % c->n_head_kv == 0);
    ASSERT(!c->values_in_keys || (c->values_at == 0 && c->d_v <= c->d_k));
    ASSERT(!a->sinks || a->sinks->type == DTYPE_F32);
    const cpu_dev *cpu = cpu_of(d);
    attn_job j = {.k = choose_kern(cpu, c), .a = a, .c = c, .rows = rows, .n_rows = n_rows,
                  .group = a->n_head / c->n_head_kv,
                  .k_item = item_bytes(c->type_k, c->d_k),
                  .v_item = value_step(c),
                  .sinks = a->sinks ? cpu_f32(a->sinks->data) : NULL,
                  .q = cpu_f32(q),
                  .out = cpu_f32(out), .state = cpu_ptr(scratch),
                  .state_bytes = state_bytes(c, a->n_head)};
    int64_t work = count_keys(rows, n_rows) * a->n_head * (c->d_k + c->d_v);
    pool_run(cpu_pool_for(cpu, work), n_rows * c->n_head_kv, attend_chunk, &j);
}
