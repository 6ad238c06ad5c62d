// Pre-tokenizers of tokenizer.json: they cut the pieces of a section into smaller ones. See pipe.h.
//
// A stage reads w->pieces and writes w->next, then the two change places; so do w->text and
// w->other in a stage that rewrites the text. Cutting at matches knows five ways to deal with a
// match; what is between two matches is a piece of its own in all of them. Empty pieces are left
// out as they come.
#include "tok/json/cuts.h"

#include <string.h>

#include "defs/limits.h"
#include "tok/byte_char.h"
#include "tok/glyph.h"
#include "tok/json/ranges.h"
#include "tok/split_match.h"

static hearth_status add_piece(piece_list *list, size_t from, size_t to, hearth_err *err)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64, bytes;
        piece *grown = mul_ok(cap, sizeof *grown, &bytes)
                           ? mem_realloc(MEM_TOKENIZER, list->p, bytes) : NULL;
        if (!grown) return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu pieces of text", cap);
        list->p = grown;
        list->cap = cap;
    }
    list->p[list->n++] = (piece){(uint32_t)from, (uint32_t)to};
    return HEARTH_OK;
}

// --- ways to deal with a match ------------------------------------------------------------------

typedef struct joiner {
    piece_list *out;
    size_t first;       // piece that this text's pieces begin with
    cut_behavior behavior;
    bool after_match;   // what came before was one
    bool waiting;       // CUT_WITH_NEXT: a match that the next piece may take in
    size_t waiting_from, waiting_to;
    hearth_err *err;
} joiner;

static hearth_status extend_last(joiner *j, size_t from, size_t to)
{
    if (j->out->n == j->first) return add_piece(j->out, from, to, j->err);
    j->out->p[j->out->n - 1].to = (uint32_t)to;
    return HEARTH_OK;
}

static hearth_status put_waiting(joiner *j)
{
    if (!j->waiting) return HEARTH_OK;
    j->waiting = false;
    return add_piece(j->out, j->waiting_from, j->waiting_to, j->err);
}

static hearth_status join_with_next(joiner *j, size_t from, size_t to, bool match)
{
    if (match) {
        HEARTH_TRY(put_waiting(j));
        j->waiting = true;
        j->waiting_from = from;
        j->waiting_to = to;
        return HEARTH_OK;
    }
    if (j->waiting) from = j->waiting_from;
    j->waiting = false;
    return add_piece(j->out, from, to, j->err);
}

static hearth_status join(joiner *j, size_t from, size_t to, bool match)
{
    bool before = j->after_match;
    j->after_match = match;
    switch (j->behavior) {
    case CUT_REMOVED: return match ? HEARTH_OK : add_piece(j->out, from, to, j->err);
    case CUT_ISOLATED: break;
    case CUT_CONTIGUOUS:
        if (match == before) return extend_last(j, from, to);
        break;
    case CUT_WITH_PREVIOUS:
        if (match && !before) return extend_last(j, from, to);
        break;
    case CUT_WITH_NEXT: return join_with_next(j, from, to, match);
    }
    return add_piece(j->out, from, to, j->err);
}

// Empty pieces take part in joining, then go.
static void drop_empty(piece_list *list, size_t first)
{
    size_t kept = first;
    for (size_t i = first; i < list->n; i++) {
        if (list->p[i].to > list->p[i].from) list->p[kept++] = list->p[i];
    }
    list->n = kept;
}

// --- matches ------------------------------------------------------------------------------------

static bool is_numeric(uint32_t cp) { return unicode_is_number(unicode_get_category(cp)); }

static bool stage_takes(const cut_stage *st, uint32_t cp)
{
    if (cp == UTF8_BAD) return false;
    switch (st->kind) {
    case CUT_SPACES: return unicode_is_space(cp);
    case CUT_DIGITS: return is_numeric(cp);
    case CUT_MARKS: return range_is_mark(cp);
    case CUT_CHAR: return cp == st->cp;
    default: return false;
    }
}

// Every character of the kind is a match.
static hearth_status cut_chars(const cut_stage *st, str s, piece p, joiner *j)
{
    size_t done = p.from;
    for (size_t at = p.from, n; at < p.to; at += n) {
        uint32_t cp;
        n = utf8_decode(s.p + at, p.to - at, &cp);
        if (!stage_takes(st, cp)) continue;
        if (done < at) HEARTH_TRY(join(j, done, at, false));
        HEARTH_TRY(join(j, at, at + n, true));
        done = at + n;
    }
    return done < p.to ? join(j, done, p.to, false) : HEARTH_OK;
}

static hearth_status cut_pattern(const cut_stage *st, pipe_work *w, piece p, joiner *j)
{
    str s = {buf_str(&w->text).p + p.from, p.to - p.from};
    size_t done = 0, from = 0, to = 0;
    bool found;
    HEARTH_TRY(pattern_search_begin(&w->search, &st->pattern, s, j->err));
    for (;;) {
        HEARTH_TRY(pattern_search_next(&w->search, &from, &to, &found, j->err));
        if (!found) break;
        if (done != from) HEARTH_TRY(join(j, p.from + done, p.from + from, st->invert));
        HEARTH_TRY(join(j, p.from + from, p.from + to, !st->invert));
        done = to;
    }
    return done < s.n ? join(j, p.from + done, p.to, st->invert) : HEARTH_OK;
}

// --- other cuts ---------------------------------------------------------------------------------

static hearth_status cut_fixed(const cut_stage *st, str s, piece p, joiner *j)
{
    for (size_t at = p.from; at < p.to;) {
        size_t end = at;
        for (size_t i = 0; i < st->length && end < p.to; i++) end += glyph_at(s, end).n;
        HEARTH_TRY(add_piece(j->out, at, end, j->err));
        at = end;
    }
    return HEARTH_OK;
}

static hearth_status cut_piece(const cut_stage *st, pipe_work *w, piece p, joiner *j)
{
    str s = {buf_str(&w->text).p, p.to};
    switch (st->kind) {
    case CUT_PATTERN: return cut_pattern(st, w, p, j);
    case CUT_FIXED: return cut_fixed(st, s, p, j);
    default: return cut_chars(st, s, p, j);
    }
}

static void swap_pieces(pipe_work *w)
{
    piece_list done = w->next;
    w->next = w->pieces;
    w->pieces = done;
}

static hearth_status cut_all(const cut_stage *st, pipe_work *w, hearth_err *err)
{
    w->next.n = 0;
    for (size_t i = 0; i < w->pieces.n; i++) {
        joiner j = {.out = &w->next, .first = w->next.n, .behavior = st->behavior, .err = err};
        HEARTH_TRY(cut_piece(st, w, w->pieces.p[i], &j));
        HEARTH_TRY(put_waiting(&j));
        drop_empty(&w->next, j.first);
    }
    swap_pieces(w);
    return HEARTH_OK;
}

// --- stages that rewrite the text ---------------------------------------------------------------

// Puts one piece, rewritten, behind w->other.
typedef void (*rewrite)(const cut_stage *st, pipe_work *w, str s, bool first);

static hearth_status rewrite_all(const cut_stage *st, pipe_work *w, rewrite f, hearth_err *err)
{
    buf_reset(&w->other);
    for (size_t i = 0; i < w->pieces.n; i++) {
        piece *p = &w->pieces.p[i];
        size_t from = w->other.n;
        f(st, w, (str){w->text.p + p->from, p->to - p->from}, w->at_start && p->from == 0);
        *p = (piece){(uint32_t)from, (uint32_t)w->other.n};
    }
    buf done = w->other;
    w->other = w->text;
    w->text = done;
    if (done.failed == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, done.failed, "no memory to cut a text");
}

static void put_prefixed(const cut_stage *st, pipe_work *w, str s, bool first)
{
    (void)first;
    if (st->prepend && s.p[0] != ' ') buf_append_char(&w->other, ' ');
    buf_append_str(&w->other, s);
}

static void put_byte_chars(const cut_stage *st, pipe_work *w, str s, bool first)
{
    (void)st, (void)first;
    if (buf_reserve(&w->other, 2 * s.n) != HEARTH_OK) return;
    for (size_t i = 0; i < s.n; i++) {
        char c[4];
        buf_append(&w->other, c, utf8_encode(byte_char_of((uint8_t)s.p[i]), c));
    }
}

static hearth_status cut_bytes(const cut_stage *st, pipe_work *w, hearth_err *err)
{
    static const cut_stage words = {
        .kind = CUT_PATTERN, .behavior = CUT_ISOLATED, .pattern = {.match = match_gpt2}};
    if (st->prepend) HEARTH_TRY(rewrite_all(st, w, put_prefixed, err));
    if (st->splits) HEARTH_TRY(cut_all(&words, w, err));
    return rewrite_all(st, w, put_byte_chars, err);
}

static void put_metaspace(const cut_stage *st, pipe_work *w, str s, bool first)
{
    size_t from = w->other.n;
    bool wanted = st->prepend == PREPEND_ALWAYS || (st->prepend == PREPEND_FIRST && first);
    bool has = s.p[0] == ' ' || str_starts(s, st->text);
    if (wanted && !has) buf_append_str(&w->other, st->text);
    for (size_t i = 0; i < s.n;) {
        size_t run = i;
        while (run < s.n && s.p[run] != ' ') run++;
        buf_append(&w->other, s.p + i, run - i);
        if (run < s.n) buf_append_str(&w->other, st->text);
        i = run + 1;
    }
    ASSERT(w->other.n > from || w->other.failed);
}

static hearth_status cut_metaspace(const cut_stage *st, pipe_work *w, hearth_err *err)
{
    cut_stage marks = {.kind = CUT_CHAR, .behavior = CUT_WITH_NEXT, .cp = st->cp};
    HEARTH_TRY(rewrite_all(st, w, put_metaspace, err));
    return st->splits ? cut_all(&marks, w, err) : HEARTH_OK;
}

hearth_status cuts_run(const pipe *p, pipe_work *w, hearth_err *err)
{
    w->pieces.n = 0;
    if (w->text.n == 0) return HEARTH_OK;
    HEARTH_TRY(add_piece(&w->pieces, 0, w->text.n, err));
    for (size_t i = 0; i < p->n_cut; i++) {
        const cut_stage *st = &p->cut[i];
        if (st->kind == CUT_BYTES) HEARTH_TRY(cut_bytes(st, w, err));
        else if (st->kind == CUT_METASPACE) HEARTH_TRY(cut_metaspace(st, w, err));
        else HEARTH_TRY(cut_all(st, w, err));
    }
    return HEARTH_OK;
}
