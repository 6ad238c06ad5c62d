// Finding special tokens in text: a trie over the spellings of control, unknown and user-defined
// tokens, walked at each position whose byte begins one; the longest wins, then the walk goes on
// behind it. A list tried token by token (longest first over the whole text) gives the same except
// where two spellings overlap, and costs tokens x text.
#include "defs/limits.h"
#include "tok/tok_int.h"

static bool is_special(const tok *t, int32_t id)
{
    tok_attr attr = attr_of(t, id);
    bool kind = attr == TOK_CONTROL || attr == TOK_UNKNOWN || attr == TOK_USER_DEFINED;
    return kind && t->text[id].n > 0;
}

static uint32_t find_sibling(const special_trie *trie, uint32_t at, uint8_t byte)
{
    while (at && trie->node[at].byte != byte) at = trie->node[at].sibling;
    return at;
}

static uint32_t add_node(special_trie *trie, uint8_t byte, uint32_t sibling)
{
    trie->node[trie->n] = (trie_node){.sibling = sibling, .id = TOK_NONE, .byte = byte};
    return (uint32_t)trie->n++;
}

static void insert_text(special_trie *trie, str text, int32_t id)
{
    uint8_t byte = (uint8_t)text.p[0];
    if (!trie->first[byte]) trie->first[byte] = add_node(trie, byte, 0);
    uint32_t at = trie->first[byte];
    for (size_t i = 1; i < text.n; i++) {
        byte = (uint8_t)text.p[i];
        uint32_t next = find_sibling(trie, trie->node[at].child, byte);
        if (!next) {
            next = add_node(trie, byte, trie->node[at].child);
            trie->node[at].child = next;
        }
        at = next;
    }
    if (trie->node[at].id == TOK_NONE) trie->node[at].id = id;
}

hearth_status special_build(tok *t, hearth_err *err)
{
    size_t nodes = 1;
    for (int32_t i = 0; i < t->n; i++) {
        if (!is_special(t, i)) continue;
        if (t->text[i].n > LIMIT_SPECIAL_BYTES) {
            return err_fail(err, HEARTH_E_LIMIT, "special token %d has %zu bytes, at most %d",
                            (int)i, t->text[i].n, LIMIT_SPECIAL_BYTES);
        }
        nodes += t->text[i].n; // <= 2^22 tokens of 2^9 bytes: fits 32 bits
    }
    t->trie.node = arena_new(&t->mem, trie_node, nodes);
    if (!t->trie.node) return err_fail(err, HEARTH_E_NOMEM, "no memory for special tokens");
    t->trie.n = 1;
    for (int32_t i = 0; i < t->n; i++) {
        if (is_special(t, i)) insert_text(&t->trie, t->text[i], i);
    }
    return HEARTH_OK;
}

int32_t special_match(const tok *t, str s, bool control_too, size_t *len)
{
    const special_trie *trie = &t->trie;
    int32_t best = TOK_NONE;
    uint32_t at = s.n ? trie->first[(uint8_t)s.p[0]] : 0;
    for (size_t i = 1; at; i++) {
        int32_t id = trie->node[at].id;
        if (id != TOK_NONE && (control_too || attr_of(t, id) == TOK_USER_DEFINED)) {
            best = id;
            *len = i;
        }
        if (i == s.n) break;
        at = find_sibling(trie, trie->node[at].child, (uint8_t)s.p[i]);
    }
    return best;
}
