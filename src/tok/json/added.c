// Added tokens of tokenizer.json. Those marked "normalized" are looked for in normalised text, by
// their own normalised spelling, the others before. Of several at one place the longest counts; a
// match that is refused (not a word of its own, or a control token where they are text) is skipped
// whole, as the library does it.
#include "tok/json/added.h"

#include "defs/limits.h"
#include "tok/glyph.h"
#include "tok/json/normal.h"
#include "tok/json/ranges.h"
#include "tok/json/work.h"

static hearth_status spell(tok *t, pipe_work *w, const added_token *a, str *out, hearth_err *err)
{
    *out = a->text;
    if (!a->normalized || t->pipe->n_normal == 0) return HEARTH_OK;
    HEARTH_TRY(normal_run(t->pipe, w, a->text, err));
    char *copy = arena_copy_string(&t->mem, buf_str(&w->text).p, w->text.n);
    if (!copy) return err_fail(err, HEARTH_E_NOMEM, "no memory for special tokens");
    *out = (str){copy, w->text.n};
    return HEARTH_OK;
}

static hearth_status spell_all(tok *t, pipe_work *w, str *spelled, size_t bytes[2],
                               hearth_err *err)
{
    pipe *p = t->pipe;
    for (size_t i = 0; i < p->n_added; i++) {
        HEARTH_TRY(spell(t, w, &p->added[i], &spelled[i], err));
        if (spelled[i].n > LIMIT_SPECIAL_BYTES) {
            return err_fail(err, HEARTH_E_LIMIT, "added token %zu has %zu bytes, at most %d", i,
                            spelled[i].n, LIMIT_SPECIAL_BYTES);
        }
        bytes[p->added[i].normalized] += spelled[i].n;
    }
    return HEARTH_OK;
}

hearth_status added_build(tok *t, hearth_err *err)
{
    pipe *p = t->pipe;
    size_t bytes[2] = {0, 0};
    str *spelled = arena_new(&t->mem, str, p->n_added);
    if (!spelled) return err_fail(err, HEARTH_E_NOMEM, "no memory for special tokens");
    pipe_work w;
    work_init(&w);
    hearth_status status = spell_all(t, &w, spelled, bytes, err);
    work_release(&w);
    HEARTH_TRY(status);
    HEARTH_TRY(trie_init(&p->raw, &t->mem, bytes[0], err));
    HEARTH_TRY(trie_init(&p->normal_trie, &t->mem, bytes[1], err));
    for (size_t i = 0; i < p->n_added; i++) {
        bool normalized = p->added[i].normalized;
        trie_insert(normalized ? &p->normal_trie : &p->raw, spelled[i], (int32_t)i);
    }
    return HEARTH_OK;
}

static int32_t match_longest(const byte_trie *trie, str s, size_t at, size_t *to)
{
    int32_t best = -1;
    uint32_t node = 0;
    for (size_t i = at; i < s.n && (node = trie_step(trie, node, (uint8_t)s.p[i])) != 0; i++) {
        if (trie->node[node].id < 0) continue;
        best = trie->node[node].id;
        *to = i + 1;
    }
    return best;
}

// Where the last character before `at` begins; at > 0.
static size_t step_back(str s, size_t at)
{
    size_t from = at - 1;
    while (from > 0 && at - from < 4 && ((uint8_t)s.p[from] & 0xC0) == 0x80) from--;
    return from + glyph_at(s, from).n == at ? from : at - 1;
}

static bool is_word_at(str s, size_t at)
{
    glyph g = glyph_at(s, at);
    return g.n && g.cp != UTF8_BAD && range_is_word(g.cp);
}

static bool is_alone(str s, size_t from, size_t to)
{
    bool before = from > 0 && is_word_at(s, step_back(s, from));
    return !before && !is_word_at(s, to);
}

// What a search goes through, and which control tokens it may find.
typedef struct scan {
    const tok *t;
    const byte_trie *trie;
    str s;
    tok_marked *marks;    // NULL: `control_too` holds for all of s
    bool control_too;
} scan;

static bool may_be_control(const scan *c, size_t from, size_t to)
{
    return c->marks ? marked_count_control(c->marks, from) >= to - from : c->control_too;
}

static bool is_refused(const scan *c, const added_token *a, size_t from, size_t to)
{
    tok_attr attr = attr_of(c->t, a->id);
    bool control = attr == TOK_CONTROL || attr == TOK_UNKNOWN;
    if (control && !may_be_control(c, from, to)) return true;
    return a->single_word && !is_alone(c->s, from, to);
}

// The match with the white space that it takes, none of it from the match before.
static void set_match(const added_token *a, str s, size_t from, size_t to, added_match *m)
{
    size_t done = m->to;
    m->search = to;
    while (a->strips_left && from > done && glyph_at(s, step_back(s, from)).set == SET_SPACE) {
        from = step_back(s, from);
    }
    if (a->strips_right) to = glyph_skip(s, to, SET_SPACE);
    m->from = size_max(from, done);
    m->to = size_max(to, m->from);
    m->search = size_max(m->search, m->to);
}

static int32_t find_next(const scan *c, added_match *m)
{
    for (size_t at = m->search, to; at < c->s.n; at = to) {
        to = at + 1;
        if (!c->trie->first[(uint8_t)c->s.p[at]]) continue;
        int32_t i = match_longest(c->trie, c->s, at, &to);
        if (i < 0) continue;
        const added_token *a = &c->t->pipe->added[i];
        if (is_refused(c, a, at, to)) continue;
        set_match(a, c->s, at, to, m);
        return i;
    }
    m->from = m->to = c->s.n;
    return -1;
}

int32_t added_find_raw(const tok *t, tok_marked *text, added_match *m)
{
    return find_next(&(scan){.t = t, .trie = &t->pipe->raw, .s = text->text, .marks = text}, m);
}

int32_t added_find_normalized(const tok *t, str s, bool control_too, added_match *m)
{
    const byte_trie *trie = &t->pipe->normal_trie;
    return find_next(&(scan){.t = t, .trie = trie, .s = s, .control_too = control_too}, m);
}
