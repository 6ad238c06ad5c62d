// See pairs.h. Reading the merges takes most of the time to open a tokenizer, and most of that is
// waiting for memory: the product of a merge is a word that was not touched for long. So the word
// behind the last product is looked at first, which finds nearly all without a search.
#include "tok/pairs.h"

#include <string.h>

#include "defs/limits.h"

enum { SLOT_EMPTY = -1 };

// Where two tokens have one spelling the first counts, so a guess could be wrong.
hearth_status pairs_init(pair_table *table, tok *t, uint64_t n, hearth_err *err)
{
    ASSERT(n <= LIMIT_MERGES);
    size_t cap = 4;
    while (cap / 4 * 3 < n) cap *= 2;
    bool distinct = t->words.n == (size_t)t->n;
    *table = (pair_table){.mask = cap - 1, .seed = t->words.seed, .guess = distinct ? 0 : -1};
    table->slots = arena_new(&t->mem, pair_slot, cap);
    if (!table->slots) return err_fail(err, HEARTH_E_NOMEM, "no memory for merges");
    for (size_t i = 0; i < cap; i++) table->slots[i].id = SLOT_EMPTY;
    return HEARTH_OK;
}

// The slot of a pair, or the empty one where it belongs. The hash is a multiplication whose upper
// half is folded in; the seed keeps a hostile list from choosing where its pairs fall.
static pair_slot *find_slot(const pair_table *table, uint64_t pair)
{
    uint64_t h = (pair ^ table->seed) * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 32 ^ table->seed) * 0xD6E8FEB86659FD93u;
    size_t i = (size_t)(h >> 32) & table->mask;
    while (table->slots[i].id != SLOT_EMPTY && table->slots[i].pair != pair) {
        i = (i + 1) & table->mask;
    }
    return &table->slots[i];
}

static hearth_status find_token(const tok *t, str text, uint32_t rank, uint32_t *id,
                                hearth_err *err)
{
    if (map_get(&t->words, text, id)) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "merge %u: '%.*s' is not in the vocabulary",
                    (unsigned)rank, STR_ARG(text));
}

static bool is_product(str s, str left, str right)
{
    return s.n == left.n + right.n && memcmp(s.p, left.p, left.n) == 0 &&
           memcmp(s.p + left.n, right.p, right.n) == 0;
}

static hearth_status find_product(const pair_table *table, const tok *t, str left, str right,
                                  uint32_t rank, buf *joined, uint32_t *id, hearth_err *err)
{
    *id = (uint32_t)table->guess;
    if (*id < (uint32_t)t->n && is_product(t->text[*id], left, right)) return HEARTH_OK;
    buf_reset(joined);
    buf_append_str(joined, left);
    buf_append_str(joined, right);
    if (joined->failed != HEARTH_OK) return err_fail(err, joined->failed, "no memory for merges");
    return find_token(t, buf_str(joined), rank, id, err);
}

hearth_status pairs_learn(pair_table *table, const tok *t, str left, str right, size_t skip,
                          uint32_t rank, buf *joined, hearth_err *err)
{
    uint32_t a, b, product;
    HEARTH_TRY(find_token(t, left, rank, &a, err));
    HEARTH_TRY(find_token(t, right, rank, &b, err));
    skip = size_min(skip, right.n);
    str tail = {right.p + skip, right.n - skip};
    HEARTH_TRY(find_product(table, t, left, tail, rank, joined, &product, err));
    if (table->guess >= 0) table->guess = (int32_t)product + 1;
    if (!vocab_is_word(t, (int32_t)a) || !vocab_is_word(t, (int32_t)b) ||
        !vocab_is_word(t, (int32_t)product)) {
        return HEARTH_OK;
    }
    uint64_t pair = (uint64_t)a << 32 | b;
    pair_slot *slot = find_slot(table, pair);
    if (slot->id != SLOT_EMPTY) return HEARTH_OK; // listed twice: the first counts
    *slot = (pair_slot){pair, rank, (int32_t)product};
    return HEARTH_OK;
}

bool pairs_look(const void *ctx, const merge_symbol *a, const merge_symbol *b, uint32_t *key,
                int32_t *id)
{
    if (a->id == TOK_NONE || b->id == TOK_NONE) return false;
    const pair_slot *slot = find_slot(ctx, (uint64_t)(uint32_t)a->id << 32 | (uint32_t)b->id);
    *key = slot->rank;
    *id = slot->id;
    return slot->id != SLOT_EMPTY;
}
