// SentencePiece Unigram, tokenizer.ggml.model "t5".
//
// Text is normalised by the rules that the file carries (charsmap.h), spaces become U+2581, one is
// put in front, and of all ways to cover the text with tokens the one with the highest sum of
// scores is taken. A character that is no token costs 10 more than the worst token; it becomes its
// bytes where the vocabulary has them, otherwise a run of such characters becomes one unknown
// token. The sentencepiece package adds floats, not doubles (lattice.h), and where two ways are
// equal but for rounding (one text of some 90,000) takes the other.
//
// Where no token holds U+2581 behind another character, no way crosses the front of a word; words
// are then done one by one (as in spm.c).
//
// Bytes that are not UTF-8 become U+FFFD, and what the rules removed does not come back.
#include <math.h>

#include "defs/limits.h"
#include "tok/charsmap.h"
#include "tok/lattice.h"
#include "tok/tok_int.h"

struct unigram_data {
    charsmap rules;
    lattice ways; // of ordinary tokens; user-defined ones are found before, see special.c
};

static const str SPACE_MARK = {"\xE2\x96\x81", 3}; // U+2581
static const double UNK_PENALTY = 10; // as published

static hearth_status read_rules(unigram_data *d, const gguf *g, hearth_err *err)
{
    const char *key = "tokenizer.ggml.precompiled_charsmap";
    const gguf_kv *kv = gguf_find(g, key);
    if (!kv) return HEARTH_OK;
    bool bytes = kv->type == GGUF_ARRAY && (kv->item_type == GGUF_U8 || kv->item_type == GGUF_I8);
    if (!bytes) return err_fail(err, HEARTH_E_FORMAT, "'%s': expected an array of bytes", key);
    return charsmap_open(&d->rules, kv->data, (size_t)kv->n, err);
}

static hearth_status read_scores(tok *t, const gguf *g, hearth_err *err)
{
    const char *key = "tokenizer.ggml.scores";
    const gguf_kv *kv;
    HEARTH_TRY(vocab_find_array(g, key, t->n, &kv, err));
    if (!kv) return err_fail(err, HEARTH_E_FORMAT, "'%s': missing", key);
    t->unigram->ways.score = arena_new(&t->mem, double, (size_t)t->n);
    if (!t->unigram->ways.score) return err_fail(err, HEARTH_E_NOMEM, "'%s': no memory", key);
    double least = (double)INFINITY;
    for (int32_t i = 0; i < t->n; i++) {
        double score;
        if (!gguf_item_f64(kv, (uint64_t)i, &score) || !isfinite(score)) {
            return err_fail(err, HEARTH_E_FORMAT, "'%s': token %d has no number", key, (int)i);
        }
        t->unigram->ways.score[i] = score;
        if (attr_of(t, i) == TOK_NORMAL && score < least) least = score;
    }
    t->unigram->ways.unk_score = (isfinite(least) ? least : 0) - UNK_PENALTY;
    return HEARTH_OK;
}

static hearth_status build_trie(tok *t, hearth_err *err)
{
    size_t bytes = 0;
    for (int32_t i = 0; i < t->n; i++) {
        if (attr_of(t, i) != TOK_NORMAL) continue;
        if (t->text[i].n > LIMIT_WALK_BYTES) {
            return err_fail(err, HEARTH_E_LIMIT, "token %d has %zu bytes, at most %d", (int)i,
                            t->text[i].n, LIMIT_WALK_BYTES);
        }
        bytes += t->text[i].n;
    }
    HEARTH_TRY(trie_init(&t->unigram->ways.words, &t->mem, bytes, err));
    for (int32_t i = 0; i < t->n; i++) {
        if (attr_of(t, i) == TOK_NORMAL) trie_insert(&t->unigram->ways.words, t->text[i], i);
    }
    return HEARTH_OK;
}

static hearth_status open_unigram(tok *t, const gguf *g, hearth_err *err)
{
    t->name = "t5";
    t->unigram = arena_new(&t->mem, unigram_data, 1);
    if (!t->unigram) return err_fail(err, HEARTH_E_NOMEM, "no memory for a tokenizer");
    HEARTH_TRY(read_rules(t->unigram, g, err));
    HEARTH_TRY(spm_find_bytes(t, err)); // before: bytes take no part in the rest
    HEARTH_TRY(read_scores(t, g, err));
    HEARTH_TRY(build_trie(t, err));
    t->breaks_at_space = spm_breaks_at_space(t);
    return HEARTH_OK;
}

// --- normalisation ------------------------------------------------------------------------------

// What stands for the front of *s, which is taken off.
static str take_normal(const unigram_data *d, str *s)
{
    str with;
    size_t n = d->rules.units ? charsmap_match(&d->rules, *s, &with) : 0;
    if (n == 0) {
        uint32_t cp;
        n = utf8_decode(s->p, s->n, &cp);
        with = cp == UTF8_BAD ? STR("\xEF\xBF\xBD") : (str){s->p, n};
    }
    *s = (str){s->p + n, s->n - n};
    return with;
}

static void append_normal(str s, buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ' ') buf_append_str(out, SPACE_MARK);
        else buf_append_char(out, s.p[i]);
    }
}

// With remove_extra_spaces, spaces in front, behind and after a space are left out.
static void normalize(const tok *t, str s, buf *out)
{
    bool removes = t->remove_extra_spaces, after_space = removes;
    bool empty = true;
    while (s.n) {
        str normal = take_normal(t->unigram, &s);
        if (empty && removes && str_eq(normal, STR(" "))) continue; // not even one in front
        if (empty && t->special.add_space_prefix) buf_append_str(out, SPACE_MARK);
        empty = false;
        while (after_space && normal.n && normal.p[0] == ' ') normal.p++, normal.n--;
        if (normal.n == 0) continue;
        append_normal(normal, out);
        after_space = removes && normal.p[normal.n - 1] == ' ';
    }
    while (removes && str_ends(buf_str(out), SPACE_MARK)) out->n -= SPACE_MARK.n;
}

// --- encoding -----------------------------------------------------------------------------------

static hearth_status encode_word(const tok *t, str s, lattice_ways *w, size_t run_start,
                                 tok_ids *out, hearth_err *err)
{
    HEARTH_TRY(lattice_find(&t->unigram->ways, s, w, err));
    for (size_t at = 0; at < s.n; at = w->step[at].end) {
        if (w->step[at].id != TOK_NONE) {
            HEARTH_TRY(tok_ids_push(out, w->step[at].id, err));
            continue;
        }
        for (size_t i = at; i < w->step[at].end; i++) {
            HEARTH_TRY(ids_push_byte(t, (uint8_t)s.p[i], run_start, out, err));
        }
    }
    return HEARTH_OK;
}

static hearth_status encode_unigram(const tok *t, str text, tok_ids *out, hearth_err *err)
{
    buf normal;
    lattice_ways w = {0};
    size_t run_start = out->n;
    buf_init(&normal, MEM_TOKENIZER, 3 * (size_t)LIMIT_PROMPT_BYTES + 3);
    normalize(t, text, &normal);
    hearth_status status = normal.failed;
    if (status != HEARTH_OK) err_fail(err, status, "no memory to tokenize %zu bytes", text.n);
    str s = buf_str(&normal);
    for (size_t at = 0; at < s.n && status == HEARTH_OK;) {
        size_t end = spm_find_word_end(t, s, at);
        status = encode_word(t, (str){s.p + at, end - at}, &w, run_start, out, err);
        at = end;
    }
    lattice_ways_release(&w);
    buf_release(&normal);
    return status;
}

const tok_kind tok_kind_unigram = {
    .model = "t5",
    .defaults = {.bos = TOK_NONE, .eos = 1, .eot = TOK_NONE, .eom = TOK_NONE, .unk = 2,
                 .sep = TOK_NONE, .pad = 0, .mask = TOK_NONE, TOK_NO_FIM, .add_eos = true,
                 .add_space_prefix = true},
    .open = open_unigram,
    .encode = encode_unigram,
    .decode = spm_decode,
};
