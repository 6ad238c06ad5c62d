// See trie.h.
#include "tok/trie.h"

hearth_status trie_init(byte_trie *trie, arena *mem, size_t bytes, hearth_err *err)
{
    size_t nodes;
    if (!add_ok(bytes, 1, &nodes) || nodes > UINT32_MAX) {
        return err_fail(err, HEARTH_E_LIMIT, "tokens of %zu bytes in all are too many", bytes);
    }
    *trie = (byte_trie){.n = 1, .cap = nodes};
    trie->node = arena_new(mem, trie_node, nodes);
    if (trie->node) return HEARTH_OK;
    return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu bytes of tokens", bytes);
}

static uint32_t add_node(byte_trie *trie, uint8_t byte, uint32_t sibling)
{
    ASSERT(trie->n < trie->cap);
    trie->node[trie->n] = (trie_node){.sibling = sibling, .id = -1, .byte = byte};
    return (uint32_t)trie->n++;
}

void trie_insert(byte_trie *trie, str text, int32_t id)
{
    uint32_t at = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t byte = (uint8_t)text.p[i];
        uint32_t next = trie_step(trie, at, byte);
        if (!next) {
            next = add_node(trie, byte, at ? trie->node[at].child : 0);
            if (at) trie->node[at].child = next;
            else trie->first[byte] = next;
        }
        at = next;
    }
    if (at && trie->node[at].id == -1) trie->node[at].id = id;
}
