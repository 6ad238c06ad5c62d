// Best-first merging of neighbours, the core of both BPE kinds.
//
// A word begins as one symbol per character (or byte). While any two neighbours can be joined, the
// pair with the smallest key is joined; among equal keys the leftmost. With the pairs in a heap
// that costs O(n log n): each join makes at most two new pairs, and a pair that went stale is
// recognised when it surfaces. A list rescanned after each join would be simpler and O(n^2), which
// a prompt of one long word (base64, a table of "=====") turns into minutes.
#ifndef HEARTH_TOK_MERGE_H
#define HEARTH_TOK_MERGE_H

#include "base/mem.h"
#include "defs/err.h"

typedef struct merge_symbol {
    uint32_t start, len; // bytes of the word; len 0: absorbed by a neighbour
    int32_t prev, next;  // neighbours, -1 at the ends
    int32_t id;          // token or TOK_NONE
} merge_symbol;

// A pair is known by where it starts and ends: joins only move its end to the right, so a pair is
// still what it was when pushed exactly if its left symbol lives and the end is unchanged.
typedef struct merge_pair {
    uint32_t key;   // smaller first
    uint32_t left;  // symbol
    uint32_t end;   // byte position
    int32_t id;     // what the two become
} merge_pair;

typedef struct merge {
    merge_symbol *symbol;
    merge_pair *heap;
    size_t n, n_heap, cap;
} merge;

// Can a and b be joined, into which token, how early?
typedef bool (*merge_look)(const void *ctx, const merge_symbol *a, const merge_symbol *b,
                           uint32_t *key, int32_t *id);

// {0} is a valid empty merge; it is reused from word to word.
void merge_release(merge *m);
// Empties it and makes room for n symbols.
hearth_status merge_begin(merge *m, size_t n, hearth_err *err);
void merge_add(merge *m, uint32_t start, uint32_t len, int32_t id);
// Afterwards walk from symbol 0 along `next`.
void merge_run(merge *m, merge_look look, const void *ctx);

#endif
