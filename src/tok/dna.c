// Byte-level BPE with stretches of DNA, tokenizer.ggml.model "hybriddna".
//
// Between "<dna>" and "</dna>" (or the end) every six letters are one token, small ones as large
// ones; the last is filled up with A, and what is no such token is "<oov>". All else is BPE
// (bpe.c), which may have tokens of the same letters: files spell those of DNA with U+E000 behind,
// which decoding takes off.
#include <string.h>

#include "tok/tok_int.h"

enum { LETTERS = 6 };

static const str MARK = {"\xEE\x80\x80", 3}; // U+E000
static const str BEGIN = {"<dna>", 5}, END = {"</dna>", 6};

static hearth_status open_dna(tok *t, const gguf *g, hearth_err *err)
{
    HEARTH_TRY(tok_kind_bpe.open(t, g, err));
    t->name = "hybriddna";
    return HEARTH_OK;
}

static int32_t find_letters(const tok *t, str s)
{
    char spelling[LETTERS + 3];
    for (size_t i = 0; i < LETTERS; i++) {
        char c = i < s.n ? s.p[i] : 'A';
        spelling[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    memcpy(spelling + LETTERS, MARK.p, MARK.n);
    int32_t id = vocab_find_word(t, (str){spelling, sizeof spelling});
    return id == TOK_NONE ? vocab_find_word(t, STR("<oov>")) : id;
}

// The stretch at the front of *s up to its end, which is taken off.
static hearth_status encode_stretch(const tok *t, str *s, tok_ids *out, hearth_err *err)
{
    size_t end = size_min(str_find(*s, END, 0), s->n);
    for (size_t i = 0; i < end; i += LETTERS) {
        str letters = {s->p + i, size_min(LETTERS, end - i)};
        HEARTH_TRY(tok_ids_push(out, find_letters(t, letters), err));
    }
    if (end < s->n) {
        HEARTH_TRY(tok_ids_push(out, vocab_find_word(t, END), err));
        end += END.n;
    }
    *s = (str){s->p + end, s->n - end};
    return HEARTH_OK;
}

static bool knows_dna(const tok *t)
{
    return vocab_find_word(t, BEGIN) != TOK_NONE && vocab_find_word(t, END) != TOK_NONE &&
           vocab_find_word(t, STR("<oov>")) != TOK_NONE;
}

static hearth_status encode_dna(const tok *t, str s, tok_ids *out, hearth_err *err)
{
    bool knows = knows_dna(t);
    while (s.n) {
        size_t begin = knows ? size_min(str_find(s, BEGIN, 0), s.n) : s.n;
        if (begin) HEARTH_TRY(tok_kind_bpe.encode(t, (str){s.p, begin}, out, err));
        s = (str){s.p + begin, s.n - begin};
        if (!s.n) break;
        HEARTH_TRY(tok_ids_push(out, vocab_find_word(t, BEGIN), err));
        s = (str){s.p + BEGIN.n, s.n - BEGIN.n};
        HEARTH_TRY(encode_stretch(t, &s, out, err));
    }
    return HEARTH_OK;
}

static hearth_status decode_dna(const tok *t, int32_t id, bool first, buf *out)
{
    str s = t->text[id];
    bool marked = s.n == LETTERS + MARK.n && str_ends(s, MARK);
    return marked ? buf_append(out, s.p, LETTERS) : tok_kind_bpe.decode(t, id, first, out);
}

const tok_kind tok_kind_dna = {
    .model = "hybriddna",
    .defaults = {.bos = TOK_NONE, .eos = TOK_NONE, .eot = TOK_NONE, .eom = TOK_NONE,
                 .unk = TOK_NONE, .sep = TOK_NONE, .pad = TOK_NONE, .mask = TOK_NONE,
                 TOK_NO_FIM},
    .open = open_dna,
    .encode = encode_dna,
    .decode = decode_dna,
};
