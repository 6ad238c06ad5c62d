// See lattice.h. While looking, `end` of a step says where its token begins; the chain is turned
// round at last.
#include "tok/lattice.h"

#define NOWHERE UINT32_MAX

void lattice_ways_release(lattice_ways *w)
{
    mem_free(w->step);
    *w = (lattice_ways){0};
}

static hearth_status begin_ways(lattice_ways *w, size_t n, hearth_err *err)
{
    size_t bytes, cap = n + 1;
    if (cap > w->cap) {
        lattice_ways_release(w);
        cap = size_max(cap, 256);
        w->step = n < NOWHERE && mul_ok(cap, sizeof *w->step, &bytes)
                      ? mem_alloc(MEM_TOKENIZER, bytes)
                      : NULL;
        if (!w->step) {
            return err_fail(err, HEARTH_E_NOMEM, "no memory to tokenize a word of %zu bytes", n);
        }
        w->cap = cap;
    }
    for (size_t i = 0; i <= n; i++) w->step[i] = (lattice_step){.end = NOWHERE, .id = -1};
    w->step[0].end = 0;
    return HEARTH_OK;
}

static void offer(lattice_step *to, double sum, size_t start, int32_t id)
{
    if (to->end == NOWHERE || sum > to->sum) *to = (lattice_step){sum, (uint32_t)start, id};
}

// Every token that begins at `at`, and the character itself where it is none.
static void extend(const lattice *d, str s, size_t at, size_t char_n, lattice_step *best)
{
    bool is_token = false;
    uint32_t node = 0;
    for (size_t i = at; i < s.n && (node = trie_step(&d->words, node, (uint8_t)s.p[i])) != 0; i++) {
        int32_t id = d->words.node[node].id;
        if (id < 0) continue;
        offer(&best[i + 1], best[at].sum + d->score[id], at, id);
        is_token = is_token || i + 1 == at + char_n;
    }
    if (!is_token) offer(&best[at + char_n], best[at].sum + d->unk_score, at, -1);
}

static void reverse_steps(lattice_step *best, size_t n)
{
    size_t end = n;
    lattice_step last = best[n];
    while (end > 0) {
        size_t start = last.end;
        lattice_step before = best[start];
        best[start].id = last.id;
        best[start].end = (uint32_t)end;
        end = start;
        last = before;
    }
}

hearth_status lattice_find(const lattice *d, str s, lattice_ways *w, hearth_err *err)
{
    HEARTH_TRY(begin_ways(w, s.n, err));
    for (size_t at = 0; at < s.n;) {
        uint32_t cp;
        size_t n = utf8_decode(s.p + at, s.n - at, &cp);
        extend(d, s, at, n, w->step);
        at += n;
    }
    reverse_steps(w->step, s.n);
    return HEARTH_OK;
}
