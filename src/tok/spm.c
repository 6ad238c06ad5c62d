// SentencePiece BPE, tokenizer.ggml.model "llama".
//
// Spaces become U+2581, one is put in front of the text, and of all neighbours that together spell
// a token those with the highest score are joined first (leftmost among equals). Characters that
// are no token become their bytes, "<0x00>" to "<0xFF>", or the unknown token where those are
// missing.
//
// In the vocabularies in use no token holds U+2581 behind another character. Then no join crosses
// the front of a word, the words can be done one by one with the same result, and the working
// memory is that of the longest word; open() looks whether it is so.
#include <string.h>

#include "defs/limits.h"
#include "tok/merge.h"
#include "tok/tok_int.h"

static const str SPACE_MARK = {"\xE2\x96\x81", 3}; // U+2581

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "<0x0A>" is 10; -1 for any other text.
static int parse_byte(str s)
{
    if (s.n != 6 || memcmp(s.p, "<0x", 3) != 0 || s.p[5] != '>') return -1;
    int high = hex_value(s.p[3]), low = hex_value(s.p[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// A float's bits as an integer that grows when the float shrinks: positive floats order like their
// bits, negative ones the other way round.
static uint32_t order_score(float score)
{
    uint32_t bits;
    score += 0.0f; // -0 and 0 are equal
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

static hearth_status read_scores(tok *t, const gguf *g, hearth_err *err)
{
    const char *key = "tokenizer.ggml.scores";
    const gguf_kv *kv;
    HEARTH_TRY(vocab_find_array(g, key, t->n, &kv, err));
    if (!kv) return err_fail(err, HEARTH_E_FORMAT, "'%s': missing", key);
    t->order = arena_new(&t->mem, uint32_t, (size_t)t->n);
    if (!t->order) return err_fail(err, HEARTH_E_NOMEM, "'%s': no memory", key);
    for (int32_t i = 0; i < t->n; i++) {
        double score;
        if (!gguf_item_f64(kv, (uint64_t)i, &score) || score != score) {
            return err_fail(err, HEARTH_E_FORMAT, "'%s': token %d has no number", key, (int)i);
        }
        t->order[i] = order_score((float)score);
    }
    return HEARTH_OK;
}

hearth_status spm_find_bytes(tok *t, hearth_err *err)
{
    for (int32_t i = 0; i < t->n; i++) {
        tok_attr attr = attr_of(t, i);
        int byte = parse_byte(t->text[i]);
        if (attr == TOK_BYTE && byte < 0) {
            return err_fail(err, HEARTH_E_FORMAT, "byte token %d is '%.*s', expected '<0xNN>'",
                            (int)i, STR_ARG(t->text[i]));
        }
        if (byte < 0 || (attr != TOK_BYTE && attr != TOK_NORMAL)) continue;
        t->attr[i] = (uint8_t)((t->attr[i] & ATTR_END) | TOK_BYTE); // files without types too
        if (t->byte_id[byte] == TOK_NONE) t->byte_id[byte] = i;
    }
    return HEARTH_OK;
}

// Does the mark stand in `s` behind something else than the mark?
static bool has_inner_mark(str s)
{
    size_t front = 0;
    while (str_starts((str){s.p + front, s.n - front}, SPACE_MARK)) front += SPACE_MARK.n;
    return str_find(s, SPACE_MARK, front) != SIZE_MAX;
}

bool spm_breaks_at_space(const tok *t)
{
    for (int32_t i = 0; i < t->n; i++) {
        if (vocab_is_word(t, i) && has_inner_mark(t->text[i])) return false;
    }
    return true;
}

static hearth_status open_spm(tok *t, const gguf *g, hearth_err *err)
{
    t->name = "llama";
    HEARTH_TRY(read_scores(t, g, err));
    HEARTH_TRY(spm_find_bytes(t, err));
    t->breaks_at_space = spm_breaks_at_space(t);
    return vocab_index(t, err);
}

void spm_escape_spaces(str s, bool runs, buf *out)
{
    for (size_t i = 0; i < s.n;) {
        size_t run = i;
        while (run < s.n && s.p[run] != ' ') run++;
        buf_append(out, s.p + i, run - i);
        if (run < s.n) buf_append_str(out, SPACE_MARK);
        i = run + 1;
        while (runs && i < s.n && s.p[i] == ' ') i++;
    }
}

// With remove_extra_spaces, runs shrink to one and the ends lose theirs.
static void escape_text(const tok *t, str s, buf *out)
{
    while (t->remove_extra_spaces && s.n && s.p[0] == ' ') s.p++, s.n--;
    while (t->remove_extra_spaces && s.n && s.p[s.n - 1] == ' ') s.n--;
    if (s.n && t->special.add_space_prefix) buf_append_str(out, SPACE_MARK);
    spm_escape_spaces(s, t->remove_extra_spaces, out);
}

size_t spm_find_word_end(const tok *t, str s, size_t at)
{
    if (!t->breaks_at_space) return s.n;
    while (str_starts((str){s.p + at, s.n - at}, SPACE_MARK)) at += SPACE_MARK.n;
    while (at < s.n) {
        const char *mark = memchr(s.p + at, SPACE_MARK.p[0], s.n - at);
        if (!mark) break;
        at = (size_t)(mark - s.p);
        if (str_starts((str){mark, s.n - at}, SPACE_MARK)) return at;
        at++;
    }
    return s.n;
}

typedef struct word { const tok *t; str text; } word;

static bool look_up_pair(const void *ctx, const merge_symbol *a, const merge_symbol *b,
                         uint32_t *key, int32_t *id)
{
    const word *w = ctx;
    str text = {w->text.p + a->start, (size_t)a->len + b->len};
    *id = vocab_find_word(w->t, text);
    if (*id == TOK_NONE) return false;
    *key = w->t->order[*id];
    return true;
}

static size_t count_characters(str s)
{
    size_t n = 0;
    uint32_t cp;
    for (size_t i = 0; i < s.n; n++) i += utf8_decode(s.p + i, s.n - i, &cp);
    return n;
}

static hearth_status split_characters(const word *w, merge *m, hearth_err *err)
{
    HEARTH_TRY(merge_begin(m, count_characters(w->text), err));
    for (size_t i = 0; i < w->text.n;) {
        uint32_t cp;
        str c = {w->text.p + i, utf8_decode(w->text.p + i, w->text.n - i, &cp)};
        merge_add(m, (uint32_t)i, (uint32_t)c.n, vocab_find_word(w->t, c));
        i += c.n;
    }
    return HEARTH_OK;
}

static hearth_status encode_word(const word *w, merge *m, size_t run_start, tok_ids *out,
                                 hearth_err *err)
{
    HEARTH_TRY(split_characters(w, m, err));
    merge_run(m, look_up_pair, w);
    for (int32_t i = 0; i >= 0; i = m->symbol[i].next) {
        const merge_symbol *s = &m->symbol[i];
        if (s->id != TOK_NONE) {
            HEARTH_TRY(tok_ids_push(out, s->id, err));
            continue;
        }
        for (uint32_t k = 0; k < s->len; k++) {
            uint8_t byte = (uint8_t)w->text.p[s->start + k];
            HEARTH_TRY(ids_push_byte(w->t, byte, run_start, out, err));
        }
    }
    return HEARTH_OK;
}

static hearth_status encode_spm(const tok *t, str text, tok_ids *out, hearth_err *err)
{
    buf escaped;
    merge m = {0};
    size_t run_start = out->n;
    buf_init(&escaped, MEM_TOKENIZER, 3 * (size_t)LIMIT_PROMPT_BYTES + 3);
    escape_text(t, text, &escaped);
    hearth_status status = escaped.failed;
    if (status != HEARTH_OK) err_fail(err, status, "no memory to tokenize %zu bytes", text.n);
    str s = buf_str(&escaped);
    for (size_t at = 0; at < s.n && status == HEARTH_OK;) {
        size_t end = spm_find_word_end(t, s, at);
        word w = {t, {s.p + at, end - at}};
        status = encode_word(&w, &m, run_start, out, err);
        at = end;
    }
    merge_release(&m);
    buf_release(&escaped);
    return status;
}

hearth_status spm_decode(const tok *t, int32_t id, bool first, buf *out)
{
    str s = t->text[id];
    if (attr_of(t, id) == TOK_BYTE) return buf_append_char(out, (char)parse_byte(s));
    if (first && t->special.add_space_prefix && str_starts(s, SPACE_MARK)) {
        s = (str){s.p + SPACE_MARK.n, s.n - SPACE_MARK.n};
    }
    for (size_t mark; (mark = str_find(s, SPACE_MARK, 0)) != SIZE_MAX;) {
        HEARTH_TRY(buf_append(out, s.p, mark));
        HEARTH_TRY(buf_append_char(out, ' '));
        s = (str){s.p + mark + SPACE_MARK.n, s.n - mark - SPACE_MARK.n};
    }
    return buf_append_str(out, s);
}

const tok_kind tok_kind_spm = {
    .model = "llama",
    .defaults = {.bos = 1, .eos = 2, .eot = TOK_NONE, .eom = TOK_NONE, .unk = 0, .sep = TOK_NONE,
                 .pad = TOK_NONE, .mask = TOK_NONE, TOK_NO_FIM,
                 .add_bos = true, .add_space_prefix = true},
    .open = open_spm,
    .encode = encode_spm,
    .decode = spm_decode,
};
