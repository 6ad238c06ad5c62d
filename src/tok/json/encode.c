// A text through the parts of a tokenizer.json, in the order of pipe.h.
//
// Control tokens are made of bytes that are not the user's. Those that are looked for in normalised
// text, where bytes have no origin any more, are found in sections without a byte of the user.
#include "tok/json/encode.h"

#include "defs/limits.h"
#include "tok/json/added.h"
#include "tok/json/cuts.h"
#include "tok/json/normal.h"
#include "tok/json/work.h"

// Normalizing may make a text longer, three bytes for a space or more; what no text needs fails.
void work_init(pipe_work *w)
{
    size_t most = UINT32_MAX < SIZE_MAX / 2 ? (size_t)UINT32_MAX : SIZE_MAX / 4;
    *w = (pipe_work){0};
    pattern_search_init(&w->search);
    buf_init(&w->text, MEM_TOKENIZER, most);
    buf_init(&w->other, MEM_TOKENIZER, most);
    buf_init(&w->spelling, MEM_TOKENIZER, most);
}

void work_release(pipe_work *w)
{
    pattern_search_release(&w->search);
    buf_release(&w->text);
    buf_release(&w->other);
    buf_release(&w->spelling);
    mem_free(w->pieces.p);
    mem_free(w->next.p);
    merge_release(&w->merge);
    lattice_ways_release(&w->ways);
}

typedef struct encoding {
    const tok *t;
    pipe_work w;
    tok_ids *out;
    tok_marked *m;       // at the search for raw tokens
    tok_marked sections; // at the sections between them
    hearth_err *err;
} encoding;

// Normalised text between two added tokens, in w->text.
static hearth_status encode_section(encoding *e)
{
    const pipe *p = e->t->pipe;
    HEARTH_TRY(cuts_run(p, &e->w, e->err));
    for (size_t i = 0; i < e->w.pieces.n; i++) {
        piece at = e->w.pieces.p[i];
        str s = {e->w.text.p + at.from, at.to - at.from};
        HEARTH_TRY(p->model->encode(e->t, &e->w, s, e->out, e->err));
    }
    return HEARTH_OK;
}

static hearth_status copy_text(encoding *e, str s)
{
    buf_reset(&e->w.text);
    if (buf_append_str(&e->w.text, s) == HEARTH_OK) return HEARTH_OK;
    return err_fail(e->err, e->w.text.failed, "no memory to tokenize %zu bytes", s.n);
}

// Sections of a normalised text; `whole` begins where the text begins.
static hearth_status encode_normalized(encoding *e, str s, bool at_start, bool control_too)
{
    added_match m = {0};
    for (size_t from = 0; from < s.n;) {
        int32_t i = added_find_normalized(e->t, s, control_too, &m);
        if (m.from > from) {
            e->w.at_start = at_start && from == 0;
            HEARTH_TRY(copy_text(e, (str){s.p + from, m.from - from}));
            HEARTH_TRY(encode_section(e));
        }
        if (i >= 0) HEARTH_TRY(tok_ids_push(e->out, e->t->pipe->added[i].id, e->err));
        from = m.to;
    }
    return HEARTH_OK;
}

static hearth_status encode_raw(encoding *e, size_t from, size_t to)
{
    const pipe *p = e->t->pipe;
    str s = {e->sections.text.p + from, to - from};
    bool control_too = e->sections.parses && !marked_has_user(&e->sections, from, to);
    HEARTH_TRY(normal_run(p, &e->w, s, e->err));
    e->w.at_start = from == 0;
    if (!p->has_normalized) return encode_section(e);
    buf whole = e->w.text; // the sections are copied out of it
    buf_init(&e->w.text, MEM_TOKENIZER, whole.max_bytes);
    hearth_status status = encode_normalized(e, buf_str(&whole), from == 0, control_too);
    buf_release(&whole);
    return status;
}

static hearth_status encode_text(encoding *e)
{
    added_match m = {0};
    for (size_t from = 0; from < e->m->text.n;) {
        int32_t i = added_find_raw(e->t, e->m, &m);
        if (m.from > from) HEARTH_TRY(encode_raw(e, from, m.from));
        if (i >= 0) HEARTH_TRY(tok_ids_push(e->out, e->t->pipe->added[i].id, e->err));
        from = m.to;
    }
    return HEARTH_OK;
}

hearth_status pipe_encode(const tok *t, tok_marked *m, bool add_special, tok_ids *out,
                          hearth_err *err)
{
    const pipe *p = t->pipe;
    encoding e = {.t = t, .out = out, .m = m, .sections = *m, .err = err};
    for (size_t i = 0; add_special && i < p->n_before; i++) {
        HEARTH_TRY(tok_ids_push(out, p->before[i], err));
    }
    work_init(&e.w);
    hearth_status status = encode_text(&e);
    work_release(&e.w);
    HEARTH_TRY(status);
    for (size_t i = 0; add_special && i < p->n_behind; i++) {
        HEARTH_TRY(tok_ids_push(out, p->behind[i], err));
    }
    return HEARTH_OK;
}
