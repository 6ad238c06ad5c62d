// BPE of tokenizer.json, of characters; see pipe.h. (bpe.c has the byte-level kind of GGUF files.)
//
// Symbols are numbered by their place, not by bytes: a character that is no token may be dropped
// (no unknown token), become an unknown token together with its neighbours, or its bytes.
#include "defs/limits.h"
#include "tok/json/models.h"

static hearth_status open_bpe(tok *t, hearth_err *err)
{
    pipe *p = t->pipe;
    pipe_source *src = &p->source;
    HEARTH_TRY(pairs_init(&p->pairs, t, src->n_merges, err));
    if (t->words.n == src->n) p->pairs.guess = 0; // tokens that were added do not count
    buf joined;
    buf_init(&joined, MEM_TOKENIZER, 2 * (size_t)LIMIT_TOKEN_BYTES);
    hearth_status status = HEARTH_OK;
    for (size_t i = 0; i < src->n_merges && status == HEARTH_OK; i++) {
        const pipe_merge *m = &src->merge[i];
        str left = {src->merges.p + m->from, m->left_n};
        str right = {left.p + left.n, m->right_n};
        status = pairs_learn(&p->pairs, t, left, right, p->options.prefix.n, (uint32_t)i, &joined,
                             err);
    }
    buf_release(&joined);
    HEARTH_TRY(status);
    p->char_id = arena_new(&t->mem, int32_t, PIPE_CHARS);
    if (!p->char_id) return err_fail(err, HEARTH_E_NOMEM, "no memory for a tokenizer");
    for (uint32_t cp = 0; cp < PIPE_CHARS; cp++) {
        char c[4];
        p->char_id[cp] = vocab_find_word(t, (str){c, utf8_encode(cp, c)});
    }
    return HEARTH_OK;
}

// The character itself, with what marks its place in the word.
static int32_t find_char(const tok *t, pipe_work *w, str c, uint32_t cp, bool first, bool last)
{
    const pipe_options *o = &t->pipe->options;
    bool bare = (first || o->prefix.n == 0) && (!last || o->suffix.n == 0);
    buf_reset(&w->spelling);
    if (bare) return cp < PIPE_CHARS ? t->pipe->char_id[cp] : vocab_find_word(t, c);
    if (!first) buf_append_str(&w->spelling, o->prefix);
    buf_append_str(&w->spelling, c);
    if (last) buf_append_str(&w->spelling, o->suffix);
    if (w->spelling.failed != HEARTH_OK) return TOK_NONE;
    return vocab_find_word(t, buf_str(&w->spelling));
}

typedef struct symbols {
    merge *m;
    uint32_t n;
    bool unknown; // a run of unknown characters is open
} symbols;

static void add_symbol(symbols *s, int32_t id)
{
    merge_add(s->m, s->n++, 1, id);
    s->unknown = false;
}

// `spelled` is the character with its marks: their bytes count as well.
static bool add_bytes(const tok *t, str spelled, symbols *s)
{
    if (!t->pipe->options.byte_fallback) return false;
    for (size_t i = 0; i < spelled.n; i++) {
        if (t->byte_id[(uint8_t)spelled.p[i]] == TOK_NONE) return false;
    }
    // An open run stays where it is: the library puts it behind the bytes, see close_run().
    bool unknown = s->unknown;
    for (size_t i = 0; i < spelled.n; i++) add_symbol(s, t->byte_id[(uint8_t)spelled.p[i]]);
    s->unknown = unknown;
    return true;
}

// The unknown token of an open run; it comes when the next known character does.
static void close_run(const tok *t, symbols *s)
{
    if (s->unknown) add_symbol(s, t->special.unk);
}

static hearth_status add_char(const tok *t, pipe_work *w, str c, uint32_t cp, bool first, bool last,
                              symbols *s, hearth_err *err)
{
    int32_t id = find_char(t, w, c, cp, first, last);
    if (w->spelling.failed != HEARTH_OK) {
        return err_fail(err, w->spelling.failed, "no memory to tokenize a word");
    }
    if (id != TOK_NONE) {
        close_run(t, s);
        add_symbol(s, id);
        return HEARTH_OK;
    }
    if (add_bytes(t, w->spelling.n ? buf_str(&w->spelling) : c, s)) return HEARTH_OK;
    if (t->special.unk == TOK_NONE) return HEARTH_OK; // dropped
    if (!t->pipe->options.fuse_unk) close_run(t, s);
    s->unknown = true;
    return HEARTH_OK;
}

static hearth_status encode_bpe(const tok *t, pipe_work *w, str text, tok_ids *out,
                                hearth_err *err)
{
    const pipe_options *o = &t->pipe->options;
    int32_t whole = o->ignore_merges ? vocab_find_word(t, text) : TOK_NONE;
    if (whole != TOK_NONE) return tok_ids_push(out, whole, err);
    // A symbol for each byte and for those of the marks, and an unknown one that they close.
    size_t per_char = 1 + o->prefix.n, most;
    if (!mul_ok(text.n, o->prefix.n ? per_char : 1, &most)) most = SIZE_MAX / 2;
    HEARTH_TRY(merge_begin(&w->merge, most + o->suffix.n + 1, err));
    symbols s = {.m = &w->merge};
    for (size_t at = 0; at < text.n;) {
        uint32_t cp;
        str c = {text.p + at, utf8_decode(text.p + at, text.n - at, &cp)};
        HEARTH_TRY(add_char(t, w, c, cp, at == 0, at + c.n == text.n, &s, err));
        at += c.n;
    }
    close_run(t, &s);
    if (s.n == 0) return HEARTH_OK;
    merge_run(&w->merge, pairs_look, &t->pipe->pairs);
    for (int32_t i = 0; i >= 0; i = w->merge.symbol[i].next) {
        HEARTH_TRY(tok_ids_push(out, w->merge.symbol[i].id, err));
    }
    return HEARTH_OK;
}

const pipe_model pipe_model_bpe = {"BPE", "json/bpe", open_bpe, encode_bpe};
