// WordLevel and WordPiece of tokenizer.json; see pipe.h.
#include "defs/limits.h"
#include "tok/glyph.h"
#include "tok/json/models.h"

static hearth_status push_unknown(const tok *t, str text, tok_ids *out, hearth_err *err)
{
    if (t->special.unk != TOK_NONE) return tok_ids_push(out, t->special.unk, err);
    return err_fail(err, HEARTH_E_FORMAT, "no token for '%.*s' and no unknown token",
                    STR_ARG(text));
}

static hearth_status open_words(tok *t, hearth_err *err)
{
    (void)t, (void)err;
    return HEARTH_OK;
}

static hearth_status encode_words(const tok *t, pipe_work *w, str text, tok_ids *out,
                                  hearth_err *err)
{
    (void)w;
    int32_t id = vocab_find_word(t, text);
    return id != TOK_NONE ? tok_ids_push(out, id, err) : push_unknown(t, text, out, err);
}

static bool is_longer(str s, size_t most)
{
    size_t n = 0;
    for (size_t at = 0; at < s.n && n <= most; n++) at += glyph_at(s, at).n;
    return n > most;
}

// The longest token at `at`, found from its end; 0 when there is none.
static size_t match_piece(const tok *t, pipe_work *w, str s, size_t at, int32_t *id)
{
    str prefix = t->pipe->options.prefix;
    if (at == 0) prefix.n = 0;
    buf_reset(&w->spelling);
    buf_append_str(&w->spelling, prefix);
    size_t most = size_min(s.n - at, t->word_bytes_max);
    buf_append(&w->spelling, s.p + at, most);
    if (w->spelling.failed != HEARTH_OK) return 0;
    for (size_t n = most; n > 0; n--) {
        bool inside = at + n < s.n && ((uint8_t)s.p[at + n] & 0xC0) == 0x80;
        if (inside) continue;
        *id = vocab_find_word(t, (str){w->spelling.p, prefix.n + n});
        if (*id != TOK_NONE) return n;
    }
    return 0;
}

static hearth_status encode_wordpiece(const tok *t, pipe_work *w, str text, tok_ids *out,
                                      hearth_err *err)
{
    size_t before = out->n;
    size_t n = is_longer(text, t->pipe->options.word_chars_max) ? 0 : 1;
    for (size_t at = 0; n && at < text.n; at += n) {
        int32_t id = TOK_NONE;
        n = match_piece(t, w, text, at, &id);
        if (n) HEARTH_TRY(tok_ids_push(out, id, err));
    }
    if (w->spelling.failed != HEARTH_OK) {
        return err_fail(err, w->spelling.failed, "no memory to tokenize a word");
    }
    if (n) return HEARTH_OK;
    out->n = before;
    return push_unknown(t, text, out, err);
}

const pipe_model pipe_model_words = {"WordLevel", "json/words", open_words, encode_words};
const pipe_model pipe_model_wordpiece = {"WordPiece", "json/wordpiece", open_words,
                                         encode_wordpiece};
