// The merges of BPE: (token, token) -> (rank, token), in an open-addressed table.
//
// The texts of tokens are looked at while the merges are read, only. A merge that would make or
// take a token that is not ordinary text is left out, so no text can become a control token.
#ifndef HEARTH_TOK_PAIRS_H
#define HEARTH_TOK_PAIRS_H

#include "tok/merge.h"
#include "tok/tok_int.h"

typedef struct pair_slot {
    uint64_t pair; // left id << 32 | right id
    uint32_t rank;
    int32_t id;    // of the product; -1: empty
} pair_slot;

typedef struct pair_table {
    pair_slot *slots; // [mask + 1], at most 3/4 full
    size_t mask;
    uint64_t seed;
    int32_t guess;    // lists mostly make tokens in the order of their ids; -1: not guessed
} pair_table;

// Room for n <= LIMIT_MERGES merges of t, whose words are indexed.
hearth_status pairs_init(pair_table *table, tok *t, uint64_t n, hearth_err *err);
// Left and right are words of t; together, without the first `skip` bytes of the right, they are
// the product. `joined` is room for it.
hearth_status pairs_learn(pair_table *table, const tok *t, str left, str right, size_t skip,
                          uint32_t rank, buf *joined, hearth_err *err);
// For merge_run(); ctx is the table.
bool pairs_look(const void *ctx, const merge_symbol *a, const merge_symbol *b, uint32_t *key,
                int32_t *id);

#endif
