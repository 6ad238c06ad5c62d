// A trie over bytes: the longest or every spelling at a position, in one walk.
//
// A node's children are a chain of siblings; only the root's are found by index. Spellings of
// vocabularies branch little below the root, and a node is 16 bytes.
#ifndef HEARTH_TOK_TRIE_H
#define HEARTH_TOK_TRIE_H

#include "base/arena.h"
#include "base/str.h"

typedef struct trie_node {
    uint32_t child, sibling; // node numbers, 0 is none (the root is nobody's child)
    int32_t id;              // the token that ends here, -1 for none
    uint8_t byte;
} trie_node;

typedef struct byte_trie {
    trie_node *node;      // [n], node 0 is the root
    size_t n, cap;
    uint32_t first[256];  // children of the root by byte
} byte_trie;

// Room for spellings of `bytes` in all; memory from the arena.
hearth_status trie_init(byte_trie *trie, arena *mem, size_t bytes, hearth_err *err);
void trie_insert(byte_trie *trie, str text, int32_t id); // the first of equal spellings stays

// The node below `at` for a byte, 0 when there is none; a walk begins with at = 0.
static inline uint32_t trie_step(const byte_trie *trie, uint32_t at, uint8_t byte)
{
    if (at == 0) return trie->first[byte];
    at = trie->node[at].child;
    while (at && trie->node[at].byte != byte) at = trie->node[at].sibling;
    return at;
}

#endif
