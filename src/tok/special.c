// Finding special tokens in text: a trie over the spellings of control, unknown and user-defined
// tokens, walked at each position whose byte begins one; the longest wins, then the walk goes on
// behind it. A list tried token by token (longest first over the whole text) gives the same except
// where two spellings overlap, and costs tokens x text.
#include "defs/limits.h"
#include "tok/tok_int.h"

bool special_is(const tok *t, int32_t id)
{
    tok_attr attr = attr_of(t, id);
    bool kind = attr == TOK_CONTROL || attr == TOK_UNKNOWN || attr == TOK_USER_DEFINED;
    return kind && t->text[id].n > 0;
}

hearth_status special_build(tok *t, hearth_err *err)
{
    size_t bytes = 0;
    for (int32_t i = 0; i < t->n; i++) {
        if (!special_is(t, i)) continue;
        if (t->text[i].n > LIMIT_SPECIAL_BYTES) {
            return err_fail(err, HEARTH_E_LIMIT, "special token %d has %zu bytes, at most %d",
                            (int)i, t->text[i].n, LIMIT_SPECIAL_BYTES);
        }
        bytes += t->text[i].n;
    }
    HEARTH_TRY(trie_init(&t->trie, &t->mem, bytes, err));
    for (int32_t i = 0; i < t->n; i++) {
        if (special_is(t, i)) trie_insert(&t->trie, t->text[i], i);
    }
    return HEARTH_OK;
}

int32_t special_match(const tok *t, str s, size_t n_control, size_t *len)
{
    int32_t best = TOK_NONE;
    uint32_t at = 0;
    for (size_t i = 0; i < s.n && (at = trie_step(&t->trie, at, (uint8_t)s.p[i])) != 0; i++) {
        int32_t id = t->trie.node[at].id;
        if (id != TOK_NONE && (i < n_control || attr_of(t, id) == TOK_USER_DEFINED)) {
            best = id;
            *len = i + 1;
        }
    }
    return best;
}
