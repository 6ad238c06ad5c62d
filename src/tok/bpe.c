// Byte-level BPE, tokenizer.ggml.model "gpt2".
//
// Text is cut into words (split.h); the bytes of a word are its first symbols, and neighbours are
// joined in the order of the merge list (pairs.h), which may name only tokens of the vocabulary.
// Vocabulary and merges are spelled with one printable character per byte (byte_char.h). Some
// published vocabularies lack control characters and bytes that UTF-8 has no use for: without an
// unknown token those are left out before merging, as the models' own tokenizers do. GPT-2's
// relatives name the end of a text as their unknown token, which text must not become either.
//
// Some models ("gemma4" and splits marked raw) have a vocabulary of text instead, with U+2581 for a
// space: then characters are the first symbols, and those that are no token become "<0x0A>" tokens.
// Others of text ("whitespace") leave spaces out, may know no capitals, and have an unknown token.
#include "defs/limits.h"
#include "tok/byte_char.h"
#include "tok/fold.h"
#include "tok/merge.h"
#include "tok/pairs.h"
#include "tok/split.h"
#include "tok/split_match.h"
#include "tok/tok_int.h"

struct bpe_data {
    const word_split *split;
    pair_table pairs;
};

static hearth_status find_split(tok *t, const gguf *g, hearth_err *err)
{
    bool found, is_gemma = t->kind == &tok_kind_gemma4;
    str pre = is_gemma ? STR("gemma4") : STR("default");
    if (!is_gemma) HEARTH_TRY(gguf_get_str(g, "tokenizer.ggml.pre", &pre, &found, err));
    t->bpe->split = split_find(pre);
    if (!t->bpe->split) {
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "'tokenizer.ggml.pre': '%.*s' is none of the %zu supported splits",
                        STR_ARG(pre), split_count());
    }
    t->name = t->bpe->split->name;
    // Published files of Gemma 4 say "no" by mistake: the model does not work without.
    bool says = gguf_find(g, "tokenizer.ggml.add_bos_token") && !t->bpe->split->newlines_first;
    if (!says) t->special.add_bos = t->bpe->split->add_bos;
    if (!t->bpe->split->drops_spaces) return HEARTH_OK;
    return gguf_get_bool(g, "tokenizer.ggml.normalizer.lowercase", &t->lowers, &found, err);
}

// "left right"; the left side may itself begin with a space.
static hearth_status add_merge(tok *t, str line, uint32_t rank, buf *joined, hearth_err *err)
{
    size_t gap = str_find(line, STR(" "), 1);
    if (line.n > 2 * LIMIT_TOKEN_BYTES + 1 || gap == SIZE_MAX || gap + 1 == line.n) {
        return err_fail(err, HEARTH_E_FORMAT, "merge %u: '%.*s' is not a pair", (unsigned)rank,
                        STR_ARG(line));
    }
    str left = {line.p, gap}, right = {line.p + gap + 1, line.n - gap - 1};
    return pairs_learn(&t->bpe->pairs, t, left, right, 0, rank, joined, err);
}

static hearth_status read_merges(tok *t, const gguf *g, hearth_err *err)
{
    const char *key = "tokenizer.ggml.merges";
    const gguf_kv *kv = gguf_find(g, key);
    if (!kv || kv->type != GGUF_ARRAY || kv->item_type != GGUF_STRING) {
        return err_fail(err, HEARTH_E_FORMAT, "'%s': %s", key,
                        kv ? "expected an array of strings" : "missing");
    }
    if (kv->n > LIMIT_MERGES) {
        return err_fail(err, HEARTH_E_LIMIT, "'%s': %llu merges, at most %d", key,
                        (unsigned long long)kv->n, LIMIT_MERGES);
    }
    HEARTH_TRY(pairs_init(&t->bpe->pairs, t, kv->n, err));
    buf joined;
    buf_init(&joined, MEM_TOKENIZER, 2 * LIMIT_TOKEN_BYTES);
    hearth_status status = HEARTH_OK;
    size_t offset = 0;
    for (uint32_t rank = 0; rank < kv->n && status == HEARTH_OK; rank++) {
        status = add_merge(t, gguf_next_string(kv, &offset), rank, &joined, err);
    }
    buf_release(&joined);
    return status;
}

static void find_bytes(tok *t)
{
    for (int b = 0; b < 256; b++) {
        char c[4];
        str text = {c, utf8_encode(byte_char_of((uint8_t)b), c)};
        t->byte_id[b] = vocab_find_word(t, text);
    }
}

static hearth_status open_bpe(tok *t, const gguf *g, hearth_err *err)
{
    t->bpe = arena_new(&t->mem, bpe_data, 1);
    if (!t->bpe) return err_fail(err, HEARTH_E_NOMEM, "no memory for a tokenizer");
    HEARTH_TRY(find_split(t, g, err));
    if (t->bpe->split->raw) HEARTH_TRY(spm_find_bytes(t, err));
    HEARTH_TRY(vocab_index(t, err));
    if (!t->bpe->split->raw) find_bytes(t);
    return read_merges(t, g, err);
}

// --- encoding -----------------------------------------------------------------------------------

typedef struct scratch {
    merge merge;
    buf spelling;
} scratch;

// The token that spells the whole word, or TOK_NONE.
static hearth_status find_whole(const tok *t, str w, buf *spelling, int32_t *id, hearth_err *err)
{
    const word_split *split = t->bpe->split;
    *id = split->newlines_first && w.p[0] == '\n' ? vocab_find_word(t, w) : TOK_NONE;
    if (!split->whole_word_first || split->raw || w.n > t->word_bytes_max) return HEARTH_OK;
    buf_reset(spelling);
    for (size_t i = 0; i < w.n; i++) {
        char c[4];
        buf_append(spelling, c, utf8_encode(byte_char_of((uint8_t)w.p[i]), c));
    }
    if (spelling->failed != HEARTH_OK) {
        return err_fail(err, spelling->failed, "no memory to tokenize a word of %zu bytes", w.n);
    }
    *id = vocab_find_word(t, buf_str(spelling));
    return HEARTH_OK;
}

static bool has_unknown(const tok *t)
{
    int32_t unk = t->special.unk;
    return t->bpe->split->raw || (unk != TOK_NONE && attr_of(t, unk) != TOK_CONTROL);
}

static void add_symbols(const tok *t, str w, merge *m)
{
    bool unknown = has_unknown(t);
    for (size_t i = 0, n = 1; i < w.n; i += n) {
        uint32_t cp;
        if (t->bpe->split->raw) n = utf8_decode(w.p + i, w.n - i, &cp);
        int32_t id = t->bpe->split->raw ? vocab_find_word(t, (str){w.p + i, n})
                                        : t->byte_id[(uint8_t)w.p[i]];
        if (id != TOK_NONE || unknown) merge_add(m, (uint32_t)i, (uint32_t)n, id);
    }
}

static hearth_status encode_word(const tok *t, str w, scratch *s, size_t run_start, tok_ids *out,
                                 hearth_err *err)
{
    int32_t whole;
    HEARTH_TRY(find_whole(t, w, &s->spelling, &whole, err));
    if (whole != TOK_NONE) return tok_ids_push(out, whole, err);
    HEARTH_TRY(merge_begin(&s->merge, w.n, err));
    add_symbols(t, w, &s->merge);
    merge_run(&s->merge, pairs_look, &t->bpe->pairs);
    bool each = t->bpe->split->drops_spaces; // unknown characters are as many unknown tokens
    for (int32_t i = s->merge.n ? 0 : -1; i >= 0; i = s->merge.symbol[i].next) {
        const merge_symbol *m = &s->merge.symbol[i];
        if (m->id != TOK_NONE) HEARTH_TRY(tok_ids_push(out, m->id, err));
        if (each) run_start = out->n;
        for (uint32_t k = 0; k < m->len && m->id == TOK_NONE; k++) {
            HEARTH_TRY(ids_push_byte(t, (uint8_t)w.p[m->start + k], run_start, out, err));
        }
    }
    return HEARTH_OK;
}

static hearth_status encode_words(const tok *t, str text, tok_ids *out, hearth_err *err)
{
    scratch s = {0};
    size_t run_start = out->n;
    buf_init(&s.spelling, MEM_TOKENIZER, 2 * LIMIT_TOKEN_BYTES);
    split_cursor cursor = {0};
    hearth_status status = HEARTH_OK;
    for (size_t at = 0; at < text.n && status == HEARTH_OK;) {
        size_t end = split_next(t->bpe->split, &cursor, text, at);
        ASSERT(end > at && end <= text.n);
        str w = {text.p + at, end - at};
        bool drops = t->bpe->split->drops_spaces && match_not_spaces(w, 0) == 0;
        if (!drops) status = encode_word(t, w, &s, run_start, out, err);
        at = end;
    }
    merge_release(&s.merge);
    buf_release(&s.spelling);
    return status;
}

static void lower_text(str s, buf *out)
{
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t cp, lower[2];
        n = utf8_decode(s.p + i, s.n - i, &cp);
        int n_lower = cp == UTF8_BAD ? 0 : fold_lower(cp, lower);
        if (n_lower == 0) buf_append(out, s.p + i, n);
        for (int k = 0; k < n_lower; k++) {
            char c[4];
            buf_append(out, c, utf8_encode(lower[k], c));
        }
    }
}

static hearth_status encode_bpe(const tok *t, str text, tok_ids *out, hearth_err *err)
{
    bool escapes = t->bpe->split->raw && !t->bpe->split->drops_spaces;
    if (!escapes && !t->lowers) return encode_words(t, text, out, err);
    buf escaped;
    buf_init(&escaped, MEM_TOKENIZER, 3 * (size_t)LIMIT_PROMPT_BYTES);
    if (escapes) spm_escape_spaces(text, false, &escaped);
    else lower_text(text, &escaped);
    hearth_status status = escaped.failed;
    if (status != HEARTH_OK) err_fail(err, status, "no memory to tokenize %zu bytes", text.n);
    else status = encode_words(t, buf_str(&escaped), out, err);
    buf_release(&escaped);
    return status;
}

// Characters that stand for no byte (a token added by hand) are themselves.
static hearth_status decode_bpe(const tok *t, int32_t id, bool first, buf *out)
{
    (void)first;
    if (t->bpe->split->raw) return spm_decode(t, id, false, out); // nothing was put in front
    str s = t->text[id];
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t cp;
        n = utf8_decode(s.p + i, s.n - i, &cp);
        int byte = byte_char_value(cp);
        HEARTH_TRY(byte < 0 ? buf_append(out, s.p + i, n) : buf_append_char(out, (char)byte));
    }
    return HEARTH_OK;
}

#define BPE_KIND                                                                                  \
    .defaults = {.bos = TOK_NONE, .eos = TOK_NONE, .eot = TOK_NONE, .eom = TOK_NONE,              \
                 .unk = TOK_NONE, .sep = TOK_NONE, .pad = TOK_NONE, .mask = TOK_NONE,             \
                 TOK_NO_FIM},                                                                     \
    .open = open_bpe, .encode = encode_bpe, .decode = decode_bpe

const tok_kind tok_kind_bpe = {.model = "gpt2", BPE_KIND};
const tok_kind tok_kind_gemma4 = {.model = "gemma4", BPE_KIND};
const tok_kind tok_kind_whitespace = {.model = "whitespace", BPE_KIND};
