// Masks: the vocabulary as a trie, walked beside the automaton.
//
// The trie lies in the order of a depth-first walk, each node with the number of the node after its
// subtree. A walk is one pass: a byte that does not fit skips the subtree. The states on the way
// down are kept by depth. A mask is kept with its state, together with the longest completion that
// one of its tokens would need; as long as that fits into the budget, it serves as it is.
#include <stdlib.h>
#include <string.h>

#include "gram/match_int.h"

// --- vocabulary ---------------------------------------------------------------------------------

typedef struct spelling { str text; int32_t id; } spelling;

static int compare_spellings(const void *x, const void *y)
{
    const spelling *a = x, *b = y;
    int order = str_cmp(a->text, b->text);
    return order ? order : (a->id > b->id) - (a->id < b->id);
}

static size_t count_common(str a, str b)
{
    size_t n = size_min(a.n, b.n), i = 0;
    while (i < n && a.p[i] == b.p[i]) i++;
    return i;
}

static size_t count_nodes(const spelling *s, int32_t n)
{
    size_t nodes = 1;
    for (int32_t i = 0; i < n; i++)
        nodes += s[i].text.n - (i > 0 ? count_common(s[i - 1].text, s[i].text) : 0);
    return nodes;
}

// Ends the nodes on the way that are deeper than `depth`.
static void close_nodes(gram_vocab *v, const uint32_t *way, size_t from, size_t depth)
{
    for (size_t d = from; d > depth; d--) v->node[way[d]].end = v->n_node;
}

static void lay_nodes(gram_vocab *v, const spelling *s, uint32_t *way)
{
    size_t depth = 0;
    way[0] = 0;
    v->node[0] = (vocab_node){0};
    v->n_node = 1;
    for (int32_t i = 0; i < v->n_order; i++) {
        str text = s[i].text;
        size_t common = i > 0 ? count_common(s[i - 1].text, text) : 0;
        close_nodes(v, way, depth, common);
        for (size_t d = common; d < text.n; d++) {
            way[d + 1] = v->n_node;
            v->node[v->n_node++] = (vocab_node){.first = (uint32_t)i, .depth = (uint16_t)(d + 1),
                                                .byte = (uint8_t)text.p[d]};
        }
        depth = text.n;
        v->node[way[depth]].n++;
        v->order[i] = s[i].id;
        if (depth == 1) v->has_byte[(uint8_t)text.p[0]] = true;
    }
    close_nodes(v, way, depth, 0);
    v->node[0].end = v->n_node;
}

static hearth_status build_trie(gram_vocab *v, spelling *s, hearth_err *err)
{
    qsort(s, (size_t)v->n_order, sizeof *s, compare_spellings);
    size_t nodes = count_nodes(s, v->n_order);
    if (nodes >= UINT32_MAX) return err_fail(err, HEARTH_E_LIMIT, "vocabulary: too many bytes");
    v->node = arena_new(&v->mem, vocab_node, nodes);
    v->order = arena_new(&v->mem, int32_t, (size_t)v->n_order);
    uint32_t *way = mem_alloc(MEM_TOKENIZER, ((size_t)v->longest + 1) * sizeof *way);
    bool ok = v->node && v->order && way;
    if (ok) lay_nodes(v, s, way);
    ASSERT(!ok || v->n_node == nodes);
    mem_free(way);
    return ok ? HEARTH_OK : err_fail(err, HEARTH_E_NOMEM, "vocabulary: out of memory");
}

static hearth_status fill_vocab(gram_vocab *v, const str *text, const bool *is_end,
                                hearth_err *err)
{
    size_t n = (size_t)v->n;
    spelling *s = mem_alloc_zero(MEM_TOKENIZER, n + 1, sizeof *s);
    v->text = arena_new(&v->mem, str, n);
    v->is_end = arena_new(&v->mem, bool, n);
    hearth_status status = HEARTH_OK;
    if (!s || !v->text || !v->is_end) status = HEARTH_E_NOMEM;
    for (size_t i = 0; i < n && status == HEARTH_OK; i++) {
        v->is_end[i] = is_end[i];
        if (text[i].n == 0 || is_end[i] || text[i].n > LIMIT_TOKEN_BYTES) continue;
        char *copy = arena_copy_string(&v->mem, text[i].p, text[i].n);
        if (!copy) status = HEARTH_E_NOMEM;
        v->text[i] = (str){copy, text[i].n};
        s[v->n_order++] = (spelling){v->text[i], (int32_t)i};
        if (text[i].n > v->longest) v->longest = (uint32_t)text[i].n;
    }
    status = status == HEARTH_OK ? build_trie(v, s, err)
                                 : err_fail(err, status, "vocabulary: out of memory");
    mem_free(s);
    return status;
}

hearth_status gram_vocab_create_raw(const str *text, const bool *is_end, int32_t n,
                                    gram_vocab **out, hearth_err *err)
{
    *out = NULL;
    ASSERT(n >= 0);
    gram_vocab *v = mem_alloc_zero(MEM_TOKENIZER, 1, sizeof *v);
    if (!v) return err_fail(err, HEARTH_E_NOMEM, "vocabulary: out of memory");
    v->n = n;
    arena_init(&v->mem, MEM_TOKENIZER, SIZE_MAX / 2);
    hearth_status status = fill_vocab(v, text, is_end, err);
    if (status == HEARTH_OK) *out = v;
    else gram_vocab_free(v);
    return status;
}

// All spellings one after another, then as slices: the buffer moves while it grows.
static hearth_status spell_all(const tok *t, buf *bytes, str *text, bool *is_end)
{
    int32_t n = tok_count(t);
    for (int32_t id = 0; id < n; id++) {
        size_t begin = bytes->n;
        HEARTH_TRY(tok_decode_one(t, id, false, false, bytes));
        text[id] = (str){NULL, bytes->n - begin};
        is_end[id] = tok_is_end(t, id);
    }
    const char *p = buf_str(bytes).p;
    for (int32_t id = 0; id < n; p += text[id++].n) text[id].p = p;
    return HEARTH_OK;
}

hearth_status gram_vocab_create(const tok *t, gram_vocab **out, hearth_err *err)
{
    *out = NULL;
    size_t n = (size_t)tok_count(t);
    buf bytes;
    buf_init(&bytes, MEM_TOKENIZER, SIZE_MAX / 2);
    str *text = mem_alloc_zero(MEM_TOKENIZER, n + 1, sizeof *text);
    bool *is_end = mem_alloc_zero(MEM_TOKENIZER, n + 1, sizeof *is_end);
    hearth_status status = text && is_end ? spell_all(t, &bytes, text, is_end) : HEARTH_E_NOMEM;
    status = status == HEARTH_OK ? gram_vocab_create_raw(text, is_end, (int32_t)n, out, err)
                                 : err_fail(err, status, "vocabulary: %s", err_status_name(status));
    mem_free(text);
    mem_free(is_end);
    buf_release(&bytes);
    return status;
}

void gram_vocab_free(gram_vocab *v)
{
    if (!v) return;
    arena_release(&v->mem);
    mem_free(v);
}

size_t gram_vocab_words(const gram_vocab *v)
{
    return ((size_t)v->n + 63) / 64;
}

// --- masks --------------------------------------------------------------------------------------

static void set_bit(uint64_t *bits, int32_t id)
{
    bits[id / 64] |= UINT64_C(1) << (id % 64);
}

static void set_ends(const gram_vocab *v, uint64_t *bits)
{
    for (int32_t id = 0; id < v->n; id++)
        if (v->is_end[id]) set_bit(bits, id);
}

// Sets the bits of all tokens that fit; *most: the largest cost after one of them.
static hearth_status walk(gram_matcher *m, int64_t budget, uint64_t *bits, uint32_t *most,
                          hearth_err *err)
{
    const gram_vocab *v = m->v;
    *most = 0;
    m->path[0] = m->now;
    for (uint32_t i = 1; i < v->n_node;) {
        const vocab_node *node = &v->node[i];
        uint32_t state;
        HEARTH_TRY(match_step(m, m->path[node->depth - 1], node->byte, &state, err));
        if (state == STATE_DEAD) {
            i = node->end;
            continue;
        }
        m->path[node->depth] = state;
        i++;
        if (node->n == 0) continue;
        if (m->state[state].cost > *most) *most = m->state[state].cost;
        int64_t tokens = -1;
        if (budget >= 0) HEARTH_TRY(match_tokens(m, state, &tokens, err));
        bool fits = budget < 0 || tokens < budget;
        for (uint32_t k = 0; fits && k < node->n; k++) set_bit(bits, v->order[node->first + k]);
    }
    return HEARTH_OK;
}

static hearth_status make_mask(gram_matcher *m, hearth_err *err)
{
    size_t words = gram_vocab_words(m->v);
    uint64_t *bits = arena_new(&m->cache, uint64_t, words);
    uint32_t most;
    if (!bits) return err_fail(err, HEARTH_E_LIMIT, "constraint: out of memory for a mask");
    HEARTH_TRY(walk(m, -1, bits, &most, err));
    if (m->state[m->now].may_end) set_ends(m->v, bits);
    m->state[m->now].mask = bits;
    m->state[m->now].mask_cost = most;
    return HEARTH_OK;
}

hearth_status gram_mask(gram_matcher *m, int64_t budget, const uint64_t **bits, hearth_err *err)
{
    uint32_t most;
    size_t words = gram_vocab_words(m->v);
    *bits = m->bits;
    memset(m->bits, 0, words * sizeof *m->bits);
    if (m->ended) return HEARTH_OK;
    HEARTH_TRY(match_make_room(m, err));
    if (!m->state[m->now].mask) HEARTH_TRY(make_mask(m, err));
    const gram_state *s = &m->state[m->now];
    if (budget < 0 || s->mask_cost < budget) {
        *bits = s->mask;
        return HEARTH_OK;
    }
    HEARTH_TRY(walk(m, budget, m->bits, &most, err));
    if (m->state[m->now].may_end) set_ends(m->v, m->bits);
    return HEARTH_OK;
}
