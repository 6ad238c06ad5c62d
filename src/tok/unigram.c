// SentencePiece Unigram, tokenizer.ggml.model "t5".
//
// Text is normalised by the rules that the file carries (charsmap.h), spaces become U+2581, one is
// put in front, and of all ways to cover the text with tokens the one with the highest sum of
// scores is taken. A character that is no token costs 10 more than the worst token; it becomes its
// bytes where the vocabulary has them, otherwise a run of such characters becomes one unknown
// token. Sums are doubles, as in the tokenizers package; the sentencepiece package adds floats, and
// where two ways are equal but for rounding (one text of some 90,000) takes the other.
//
// best[i] is the best way to cover the first i bytes: from each character that can be reached, the
// trie gives every token that begins there. Where no token holds U+2581 behind another character,
// no way crosses the front of a word; words are then done one by one (as in spm.c).
//
// Bytes that are not UTF-8 become U+FFFD, and what the rules removed does not come back.
#include <math.h>

#include "defs/limits.h"
#include "tok/charsmap.h"
#include "tok/tok_int.h"

struct unigram_data {
    charsmap rules;
    byte_trie words;  // ordinary tokens; user-defined ones are found before, see special.c
    float *score;     // [t->n]
    double unk_score;
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
    t->unigram->score = arena_new(&t->mem, float, (size_t)t->n);
    if (!t->unigram->score) return err_fail(err, HEARTH_E_NOMEM, "'%s': no memory", key);
    double least = (double)INFINITY;
    for (int32_t i = 0; i < t->n; i++) {
        double score;
        if (!gguf_item_f64(kv, (uint64_t)i, &score) || !isfinite(score)) {
            return err_fail(err, HEARTH_E_FORMAT, "'%s': token %d has no number", key, (int)i);
        }
        t->unigram->score[i] = (float)score;
        if (attr_of(t, i) == TOK_NORMAL && score < least) least = score;
    }
    t->unigram->unk_score = (isfinite(least) ? least : 0) - UNK_PENALTY;
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
    HEARTH_TRY(trie_init(&t->unigram->words, &t->mem, bytes, err));
    for (int32_t i = 0; i < t->n; i++) {
        if (attr_of(t, i) == TOK_NORMAL) trie_insert(&t->unigram->words, t->text[i], i);
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

// --- the best way -------------------------------------------------------------------------------

typedef struct step { // the last token of the best way to here
    double sum;
    uint32_t start;
    int32_t id; // TOK_NONE: a character that is no token
} step;

typedef struct ways {
    step *best; // [cap]
    size_t cap;
} ways;

#define NOWHERE UINT32_MAX

static hearth_status begin_ways(ways *w, size_t n, hearth_err *err)
{
    size_t bytes, cap = n + 1;
    if (cap > w->cap) {
        mem_free(w->best);
        w->cap = 0;
        cap = size_max(cap, 256);
        w->best = n < NOWHERE && mul_ok(cap, sizeof *w->best, &bytes)
                      ? mem_alloc(MEM_TOKENIZER, bytes)
                      : NULL;
        if (!w->best) {
            return err_fail(err, HEARTH_E_NOMEM, "no memory to tokenize a word of %zu bytes", n);
        }
        w->cap = cap;
    }
    for (size_t i = 0; i <= n; i++) w->best[i] = (step){.start = NOWHERE, .id = TOK_NONE};
    w->best[0].start = 0;
    return HEARTH_OK;
}

static void offer(step *to, double sum, size_t start, int32_t id)
{
    if (to->start == NOWHERE || sum > to->sum) *to = (step){sum, (uint32_t)start, id};
}

// Every token that begins at `at`, and the character itself where it is none.
static void extend(const unigram_data *d, str s, size_t at, size_t char_n, step *best)
{
    bool is_token = false;
    uint32_t node = 0;
    for (size_t i = at; i < s.n && (node = trie_step(&d->words, node, (uint8_t)s.p[i])) != 0; i++) {
        int32_t id = d->words.node[node].id;
        if (id == TOK_NONE) continue;
        offer(&best[i + 1], best[at].sum + (double)d->score[id], at, id);
        is_token = is_token || i + 1 == at + char_n;
    }
    if (!is_token) offer(&best[at + char_n], best[at].sum + d->unk_score, at, TOK_NONE);
}

// Turns the chain of steps round: afterwards `start` of best[i] is where the step from i ends.
static void reverse_steps(step *best, size_t n)
{
    size_t end = n;
    step last = best[n];
    while (end > 0) {
        size_t start = last.start;
        step before = best[start];
        best[start].id = last.id;
        best[start].start = (uint32_t)end;
        end = start;
        last = before;
    }
}

static hearth_status encode_word(const tok *t, str s, ways *w, size_t run_start, tok_ids *out,
                                 hearth_err *err)
{
    HEARTH_TRY(begin_ways(w, s.n, err));
    for (size_t at = 0; at < s.n;) {
        uint32_t cp;
        size_t n = utf8_decode(s.p + at, s.n - at, &cp);
        extend(t->unigram, s, at, n, w->best);
        at += n;
    }
    reverse_steps(w->best, s.n);
    for (size_t at = 0; at < s.n; at = w->best[at].start) {
        if (w->best[at].id != TOK_NONE) {
            HEARTH_TRY(ids_push(out, w->best[at].id, err));
            continue;
        }
        for (size_t i = at; i < w->best[at].start; i++) {
            HEARTH_TRY(ids_push_byte(t, (uint8_t)s.p[i], run_start, out, err));
        }
    }
    return HEARTH_OK;
}

static hearth_status encode_unigram(const tok *t, str text, tok_ids *out, hearth_err *err)
{
    buf normal;
    ways w = {0};
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
    mem_free(w.best);
    buf_release(&normal);
    return status;
}

const tok_kind tok_kind_unigram = {
    .model = "t5",
    .defaults = {.bos = TOK_NONE, .eos = 1, .eot = TOK_NONE, .eom = TOK_NONE, .unk = 2,
                 .sep = TOK_NONE, .pad = 0, .mask = TOK_NONE, .fim_pre = TOK_NONE,
                 .fim_suf = TOK_NONE, .fim_mid = TOK_NONE, .add_eos = true,
                 .add_space_prefix = true},
    .open = open_unigram,
    .encode = encode_unigram,
    .decode = spm_decode,
};
