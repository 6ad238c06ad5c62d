// WordPiece, tokenizer.ggml.model "bert".
//
// Text is cleaned as BERT's own tokenizer does it: control characters go, ideographs and
// punctuation are words of their own, accents and capitals go where the file does not say otherwise
// (they go by default). Each word is then covered from the left by the longest tokens; a word that
// cannot be covered, or has more than 100 characters, is the unknown token. What was cleaned away
// does not come back in decoding.
//
// The first token of a word is spelled with U+2581 in front, as files are converted; where a file
// keeps the published spelling, the others have "##" in front instead.
#include <string.h>

#include "tok/fold.h"
#include "tok/json/ranges.h"
#include "tok/tok_int.h"

enum { WORD_CHARS_MAX = 100 }; // as published; a longer word is unknown whatever the vocabulary

static const str SPACE_MARK = {"\xE2\x96\x81", 3}; // U+2581
static const str JOIN_MARK = {"##", 2};

static hearth_status open_wordpiece(tok *t, const gguf *g, hearth_err *err)
{
    t->name = "bert";
    t->add_sep = true;
    bool found;
    HEARTH_TRY(gguf_get_bool(g, "tokenizer.ggml.add_sep_token", &t->add_sep, &found, err));
    t->lowers = true;
    HEARTH_TRY(gguf_get_bool(g, "tokenizer.ggml.normalizer.lowercase", &t->lowers, &found, err));
    t->strips_accents = t->lowers;
    HEARTH_TRY(gguf_get_bool(g, "tokenizer.ggml.normalizer.strip_accents", &t->strips_accents,
                             &found, err));
    bool has_space_mark = false, has_join_mark = false;
    for (int32_t i = 0; i < t->n; i++) {
        has_space_mark = has_space_mark || str_starts(t->text[i], SPACE_MARK);
        has_join_mark = has_join_mark || str_starts(t->text[i], JOIN_MARK);
    }
    t->joins_by_mark = has_join_mark && !has_space_mark;
    return vocab_index(t, err);
}

// The word being collected; characters beyond the maximum are counted only.
typedef struct word {
    const tok *t;
    tok_ids *out;
    hearth_err *err;
    size_t n, n_chars;
    char text[4 * WORD_CHARS_MAX];
} word;

// A piece that goes on with U+2581 from the text must not pass for the first of a word.
static int32_t find_piece(const tok *t, const char *p, size_t n, bool first)
{
    if (!first && !t->joins_by_mark && str_starts((str){p, n}, SPACE_MARK)) return TOK_NONE;
    char spelling[4 + 4 * WORD_CHARS_MAX];
    str mark = first ? SPACE_MARK : JOIN_MARK;
    if (t->joins_by_mark == first) mark.n = 0;
    memcpy(spelling, mark.p, mark.n);
    memcpy(spelling + mark.n, p, n);
    return vocab_find_word(t, (str){spelling, mark.n + n});
}

// The longest token at `at` that ends between characters; 0 bytes when there is none.
static size_t match_piece(const word *w, size_t at, int32_t *id)
{
    for (size_t end = w->n; end > at; end--) {
        bool inside = end < w->n && ((uint8_t)w->text[end] & 0xC0) == 0x80;
        if (inside) continue;
        *id = find_piece(w->t, w->text + at, end - at, at == 0);
        if (*id != TOK_NONE) return end - at;
    }
    return 0;
}

static hearth_status push_unknown(word *w)
{
    if (w->t->special.unk != TOK_NONE) return tok_ids_push(w->out, w->t->special.unk, w->err);
    return err_fail(w->err, HEARTH_E_FORMAT, "no tokens for '%.*s' and no unknown token", (int)w->n,
                    w->text);
}

static hearth_status end_word(word *w)
{
    if (w->n_chars == 0) return HEARTH_OK;
    size_t before = w->out->n, n = w->n_chars > WORD_CHARS_MAX ? 0 : 1;
    for (size_t at = 0; n && at < w->n; at += n) {
        int32_t id = TOK_NONE;
        n = match_piece(w, at, &id);
        if (n) HEARTH_TRY(tok_ids_push(w->out, id, w->err));
    }
    if (n == 0) {
        w->out->n = before;
        HEARTH_TRY(push_unknown(w));
    }
    w->n = w->n_chars = 0;
    return HEARTH_OK;
}

static void add_char(word *w, uint32_t cp)
{
    char c[4];
    size_t n = utf8_encode(cp, c);
    w->n_chars++;
    if (w->n_chars > WORD_CHARS_MAX) return;
    memcpy(w->text + w->n, c, n);
    w->n += n;
}

// One character after normalisation.
static hearth_status take_char(word *w, uint32_t cp, bool alone)
{
    if (unicode_is_space(cp)) return end_word(w);
    alone = alone || range_is_mark(cp);
    if (alone) HEARTH_TRY(end_word(w));
    add_char(w, cp);
    return alone ? end_word(w) : HEARTH_OK;
}

static hearth_status take_raw(word *w, uint32_t cp)
{
    if (cp == UTF8_BAD || range_is_bert_removed(cp)) return HEARTH_OK;
    uint32_t plain[FOLD_MAX] = {cp}, lower[2];
    int n = w->t->strips_accents ? fold_strip(cp, plain) : 1;
    for (int i = 0; i < n; i++) {
        lower[0] = plain[i];
        int n_lower = w->t->lowers ? fold_lower(plain[i], lower) : 1;
        bool alone = range_is_ideograph(cp);
        for (int k = 0; k < n_lower; k++) HEARTH_TRY(take_char(w, lower[k], alone));
    }
    return HEARTH_OK;
}

static hearth_status encode_wordpiece(const tok *t, str text, tok_ids *out, hearth_err *err)
{
    word w = {.t = t, .out = out, .err = err};
    for (size_t at = 0; at < text.n;) {
        uint32_t cp;
        at += utf8_decode(text.p + at, text.n - at, &cp);
        HEARTH_TRY(take_raw(&w, cp));
    }
    return end_word(&w);
}

static hearth_status decode_wordpiece(const tok *t, int32_t id, bool first, buf *out)
{
    str s = t->text[id], mark = t->joins_by_mark ? JOIN_MARK : SPACE_MARK;
    bool marked = str_starts(s, mark);
    if (marked) s = (str){s.p + mark.n, s.n - mark.n};
    if (marked != t->joins_by_mark && !first) HEARTH_TRY(buf_append_char(out, ' '));
    return buf_append_str(out, s);
}

const tok_kind tok_kind_wordpiece = {
    .model = "bert",
    .defaults = {.bos = 101, .eos = TOK_NONE, .eot = TOK_NONE, .eom = TOK_NONE, .unk = 100,
                 .sep = 102, .pad = 0, .mask = 103, TOK_NO_FIM, .add_bos = true},
    .open = open_wordpiece,
    .encode = encode_wordpiece,
    .decode = decode_wordpiece,
};
