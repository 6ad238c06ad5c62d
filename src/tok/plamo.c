// The tokenizer of PLaMo 2, tokenizer.ggml.model "plamo2".
//
// Of all ways to cover the text with tokens the one with the highest sum of scores is taken, as in
// Unigram (unigram.c), but the sums are exact: scores are counted in ten-thousandths. A character
// that is no token becomes its bytes and costs as much as a score of -1000. Ways are found from the
// end of the text, and of equal ones the longest first token counts. A byte order mark in front of
// a text says nothing. Spaces are themselves, and nothing else is rewritten.
#include <math.h>

#include "defs/limits.h"
#include "tok/tok_int.h"

struct plamo_data {
    byte_trie words;
    int32_t *cost; // [n] of a token
};

static const double UNITS = 10000;                       // of cost in a score of -1
static const int64_t COST_UNKNOWN = 10000000;            // of a character that is no token
static const double SCORE_UNUSED = -2000, SCORE_MAX = 2000; // a token with the first is left out

static bool is_used(const tok *t, int32_t id, double score)
{
    return vocab_is_word(t, id) && isfinite(score) && score > SCORE_UNUSED;
}

static hearth_status read_costs(tok *t, const gguf *g, size_t *bytes, hearth_err *err)
{
    const char *key = "tokenizer.ggml.scores";
    const gguf_kv *kv;
    HEARTH_TRY(vocab_find_array(g, key, t->n, &kv, err));
    if (!kv) return err_fail(err, HEARTH_E_FORMAT, "'%s': missing", key);
    t->plamo->cost = arena_new(&t->mem, int32_t, (size_t)t->n);
    if (!t->plamo->cost) return err_fail(err, HEARTH_E_NOMEM, "'%s': no memory", key);
    for (int32_t i = 0; i < t->n; i++) {
        double score;
        t->plamo->cost[i] = INT32_MAX;
        if (!gguf_item_f64(kv, (uint64_t)i, &score)) {
            return err_fail(err, HEARTH_E_FORMAT, "'%s': token %d has no number", key, (int)i);
        }
        if (!is_used(t, i, score)) continue;
        if (score > SCORE_MAX || t->text[i].n > LIMIT_WALK_BYTES) {
            return err_fail(err, HEARTH_E_LIMIT, "token %d has %zu bytes and a score of %g, "
                            "at most %d and %g", (int)i, t->text[i].n, score, LIMIT_WALK_BYTES,
                            SCORE_MAX);
        }
        t->plamo->cost[i] = -(int32_t)round(score * UNITS);
        *bytes += t->text[i].n;
    }
    return HEARTH_OK;
}

static hearth_status open_plamo(tok *t, const gguf *g, hearth_err *err)
{
    t->name = "plamo2";
    t->plamo = arena_new(&t->mem, plamo_data, 1);
    if (!t->plamo) return err_fail(err, HEARTH_E_NOMEM, "no memory for a tokenizer");
    HEARTH_TRY(spm_find_bytes(t, err)); // before: bytes take no part in the rest
    size_t bytes = 0;
    HEARTH_TRY(read_costs(t, g, &bytes, err));
    HEARTH_TRY(trie_init(&t->plamo->words, &t->mem, bytes, err));
    for (int32_t i = 0; i < t->n; i++) {
        if (t->plamo->cost[i] != INT32_MAX) trie_insert(&t->plamo->words, t->text[i], i);
    }
    return HEARTH_OK;
}

// --- encoding -----------------------------------------------------------------------------------

typedef struct step { // the best way from a character to the end of the text
    int64_t cost;
    uint32_t end; // of its first token; 0: no character begins here
    int32_t id;
} step;

// At first each character stands alone.
static void mark_characters(str s, step *way)
{
    for (size_t i = 0; i <= s.n; i++) way[i] = (step){0};
    for (size_t i = 0; i < s.n; i = way[i].end) {
        uint32_t cp;
        way[i].end = (uint32_t)(i + utf8_decode(s.p + i, s.n - i, &cp));
    }
}

// Longer tokens come later in the walk and take an equal cost; a character alone must be cheaper.
static void find_first_token(const plamo_data *d, str s, size_t at, step *way)
{
    step best = {.cost = INT64_MAX, .id = TOK_NONE}, alone = way[at];
    uint32_t node = 0;
    for (size_t i = at; i < s.n && (node = trie_step(&d->words, node, (uint8_t)s.p[i])) != 0;) {
        i++;
        int32_t id = d->words.node[node].id;
        if (id == TOK_NONE || (i < s.n && way[i].end == 0)) continue;
        int64_t cost = way[i].cost + d->cost[id];
        if (cost <= best.cost) best = (step){cost, (uint32_t)i, id};
    }
    int64_t cost = way[alone.end].cost + COST_UNKNOWN;
    way[at] = cost < best.cost ? (step){cost, alone.end, TOK_NONE} : best;
}

static hearth_status push_way(const tok *t, str s, const step *way, tok_ids *out, hearth_err *err)
{
    size_t run_start = out->n;
    for (size_t at = 0; at < s.n; at = way[at].end) {
        if (way[at].id != TOK_NONE) {
            HEARTH_TRY(tok_ids_push(out, way[at].id, err));
            continue;
        }
        for (size_t i = at; i < way[at].end; i++) {
            HEARTH_TRY(ids_push_byte(t, (uint8_t)s.p[i], run_start, out, err));
        }
    }
    return HEARTH_OK;
}

static hearth_status encode_plamo(const tok *t, str s, tok_ids *out, hearth_err *err)
{
    str mark = STR("\xEF\xBB\xBF");
    if (str_starts(s, mark)) s = (str){s.p + mark.n, s.n - mark.n};
    size_t bytes;
    step *way = mul_ok(s.n + 1, sizeof *way, &bytes) ? mem_alloc(MEM_TOKENIZER, bytes) : NULL;
    if (!way) return err_fail(err, HEARTH_E_NOMEM, "no memory to tokenize %zu bytes", s.n);
    mark_characters(s, way);
    for (size_t at = s.n; at-- > 0;) {
        if (way[at].end) find_first_token(t->plamo, s, at, way);
    }
    hearth_status status = push_way(t, s, way, out, err);
    mem_free(way);
    return status;
}

static hearth_status decode_plamo(const tok *t, int32_t id, bool first, buf *out)
{
    if (attr_of(t, id) == TOK_BYTE) return spm_decode(t, id, first, out);
    return buf_append_str(out, t->text[id]);
}

const tok_kind tok_kind_plamo = {
    .model = "plamo2",
    .defaults = {.bos = 1, .eos = 2, .eot = TOK_NONE, .eom = TOK_NONE, .unk = 0, .sep = TOK_NONE,
                 .pad = 3, .mask = TOK_NONE, TOK_NO_FIM},
    .open = open_plamo,
    .encode = encode_plamo,
    .decode = decode_plamo,
};
