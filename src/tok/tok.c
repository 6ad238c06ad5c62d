// The tokenizer's front: choosing the kind, special tokens around and inside the text, and access.
// See tok.h for the contract and tok_int.h for the seam to the kinds.
#include "tok/tok.h"

#include <stdio.h>
#include <string.h>

#include "defs/limits.h"
#include "tok/tok_int.h"

static const tok_kind *const KINDS[] = {&tok_kind_spm, &tok_kind_bpe, &tok_kind_wordpiece,
                                       &tok_kind_unigram, &tok_kind_rwkv, &tok_kind_gemma4,
                                       &tok_kind_plamo, &tok_kind_dna, &tok_kind_whitespace};

static hearth_status find_kind(const gguf *g, const tok_kind **out, hearth_err *err)
{
    str model;
    HEARTH_TRY(gguf_get_str(g, "tokenizer.ggml.model", &model, NULL, err));
    char known[128] = "";
    for (size_t i = 0; i < COUNTOF(KINDS); i++) {
        if (str_eq_z(model, KINDS[i]->model)) {
            *out = KINDS[i];
            return HEARTH_OK;
        }
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", KINDS[i]->model);
    }
    return err_fail(err, HEARTH_E_UNSUPPORTED,
                    "'tokenizer.ggml.model': '%.*s' is not supported, only %s", STR_ARG(model),
                    known);
}

static hearth_status open_parts(tok *t, const gguf *g, hearth_err *err)
{
    HEARTH_TRY(find_kind(g, &t->kind, err));
    t->special = t->kind->defaults;
    HEARTH_TRY(vocab_read(t, g, err));
    ends_mark(t);
    strip_mark(t, g);
    HEARTH_TRY(t->kind->open(t, g, err));
    return special_build(t, err);
}

hearth_status tok_new(tok **out, hearth_err *err)
{
    tok *t = mem_alloc_zero(MEM_TOKENIZER, 1, sizeof *t);
    if (!t) return err_fail(err, HEARTH_E_NOMEM, "no memory for a tokenizer");
    // Every array is proportional to one of the file's, which bounds them all.
    arena_init(&t->mem, MEM_TOKENIZER, SIZE_MAX / 2);
    map_init(&t->words, MEM_TOKENIZER);
    *out = t;
    return HEARTH_OK;
}

static bool is_known_model(const gguf *g)
{
    str model;
    bool found = false;
    if (gguf_get_str(g, "tokenizer.ggml.model", &model, &found, NULL) != HEARTH_OK) return true;
    for (size_t i = 0; i < COUNTOF(KINDS) && found; i++) {
        if (str_eq_z(model, KINDS[i]->model)) return true;
    }
    return false;
}

// The tokenizer.json that converters may leave in a file counts where nothing else is known. The
// special tokens are those of the file's own keys.
static hearth_status open_huggingface(const gguf *g, tok **out, bool *found, hearth_err *err)
{
    str json;
    *found = false;
    if (is_known_model(g)) return HEARTH_OK;
    HEARTH_TRY(gguf_get_str(g, "tokenizer.huggingface.json", &json, found, err));
    if (!*found) return HEARTH_OK;
    HEARTH_TRY(tok_open_json(json, (str){"", 0}, out, err));
    tok *t = *out;
    tok_special said = t->special;
    hearth_status status = vocab_read_specials(t, g, err);
    t->special.add_bos = said.add_bos; // of the post-processor, which does it
    t->special.add_eos = said.add_eos;
    t->special.unk = said.unk;
    if (status == HEARTH_OK) {
        ends_mark(t);
        return HEARTH_OK;
    }
    tok_free(t);
    *out = NULL;
    return status;
}

hearth_status tok_open(const gguf *g, tok **out, hearth_err *err)
{
    *out = NULL;
    tok *t;
    bool done;
    HEARTH_TRY(open_huggingface(g, out, &done, err));
    if (done) return HEARTH_OK;
    HEARTH_TRY(tok_new(&t, err));
    hearth_status status = open_parts(t, g, err);
    if (status != HEARTH_OK) {
        tok_free(t);
        return status;
    }
    *out = t;
    return HEARTH_OK;
}

void tok_free(tok *t)
{
    if (!t) return;
    if (t->kind && t->kind->close) t->kind->close(t);
    map_release(&t->words);
    arena_release(&t->mem);
    mem_free(t);
}

int32_t tok_count(const tok *t) { return t->n; }
const tok_special *tok_specials(const tok *t) { return &t->special; }
const char *tok_kind_name(const tok *t) { return t->name; }

static bool is_token(const tok *t, int32_t id) { return id >= 0 && id < t->n; }

bool tok_is_end(const tok *t, int32_t id) { return is_token(t, id) && (t->attr[id] & ATTR_END); }

tok_attr tok_get_attr(const tok *t, int32_t id)
{
    ASSERT(is_token(t, id));
    return attr_of(t, id);
}

str tok_text(const tok *t, int32_t id)
{
    ASSERT(is_token(t, id));
    return t->text[id];
}

// --- ids ----------------------------------------------------------------------------------------

void tok_ids_release(tok_ids *ids)
{
    mem_free(ids->id);
    *ids = (tok_ids){0};
}

hearth_status tok_ids_push(tok_ids *ids, int32_t id, hearth_err *err)
{
    if (ids->n == ids->cap) {
        size_t cap = ids->cap ? ids->cap * 2 : 64, bytes;
        int32_t *grown = mul_ok(cap, sizeof *grown, &bytes) ? mem_realloc(MEM_MISC, ids->id, bytes)
                                                            : NULL;
        if (!grown) return err_fail(err, HEARTH_E_NOMEM, "no memory for %zu token ids", cap);
        ids->id = grown;
        ids->cap = cap;
    }
    ids->id[ids->n++] = id;
    return HEARTH_OK;
}

hearth_status ids_push_byte(const tok *t, uint8_t byte, size_t run_start, tok_ids *out,
                            hearth_err *err)
{
    if (t->byte_id[byte] != TOK_NONE) return tok_ids_push(out, t->byte_id[byte], err);
    int32_t unk = t->special.unk;
    if (unk == TOK_NONE) {
        return err_fail(err, HEARTH_E_FORMAT,
                        "the vocabulary has no token for byte 0x%02X and no unknown token", byte);
    }
    if (out->n > run_start && out->id[out->n - 1] == unk) return HEARTH_OK;
    return tok_ids_push(out, unk, err);
}

// --- encoding -----------------------------------------------------------------------------------

size_t marked_count_control(tok_marked *m, size_t at)
{
    if (!m->parses) return 0;
    while (m->run_end <= at && m->n_runs > 1) {
        m->runs++;
        m->n_runs--;
        m->run_end += m->runs->n;
    }
    if (m->runs->is_user) return 0;
    size_t end = m->run_end;
    for (size_t i = 1; i < m->n_runs && !m->runs[i].is_user && end - at < LIMIT_SPECIAL_BYTES; i++)
        end += m->runs[i].n;
    return end - at;
}

bool marked_has_user(tok_marked *m, size_t from, size_t to)
{
    while (m->run_end <= from && m->n_runs > 1) {
        m->runs++;
        m->n_runs--;
        m->run_end += m->runs->n;
    }
    bool has = m->n_runs > 0 && m->runs->is_user;
    size_t end = m->run_end;
    for (size_t i = 1; i < m->n_runs && end < to && !has; i++) {
        has = m->runs[i].is_user && m->runs[i].n > 0;
        end += m->runs[i].n;
    }
    return has;
}

// The first special token of the text at or after `from`; TOK_NONE when there is none.
static int32_t find_special(const tok *t, tok_marked *m, size_t from, size_t *at, size_t *len)
{
    str s = m->text;
    for (size_t i = from; i < s.n; i++) {
        if (!t->trie.first[(uint8_t)s.p[i]]) continue;
        int32_t id = special_match(t, (str){s.p + i, s.n - i}, marked_count_control(m, i), len);
        if (id == TOK_NONE) continue;
        *at = i;
        return id;
    }
    return TOK_NONE;
}

// The part of [from, to) that is left when the tokens beside it have taken their white space.
static str strip_text(const tok *t, str s, size_t from, size_t to, int32_t before, int32_t behind)
{
    static const char spaces[] = " \t\n\v\f\r";
    if (before != TOK_NONE && t->attr[before] & ATTR_STRIP_BEHIND) {
        while (from < to && memchr(spaces, s.p[from], sizeof spaces - 1)) from++;
    }
    if (behind != TOK_NONE && t->attr[behind] & ATTR_STRIP_BEFORE) {
        while (from < to && memchr(spaces, s.p[to - 1], sizeof spaces - 1)) to--;
    }
    return (str){s.p + from, to - from};
}

static hearth_status encode_text(const tok *t, tok_marked *m, tok_ids *out, hearth_err *err)
{
    str text = m->text;
    int32_t before = TOK_NONE; // the special token in front
    for (size_t from = 0; from < text.n;) {
        size_t at = text.n, len = 0;
        int32_t id = find_special(t, m, from, &at, &len);
        str plain = strip_text(t, text, from, at, before, id);
        if (plain.n) HEARTH_TRY(t->kind->encode(t, plain, out, err));
        if (id != TOK_NONE) HEARTH_TRY(tok_ids_push(out, id, err));
        before = id;
        from = at + len;
    }
    return HEARTH_OK;
}

static hearth_status encode_all(const tok *t, tok_marked *m, bool add_special, tok_ids *out,
                                hearth_err *err)
{
    const tok_special *s = &t->special;
    if (add_special && s->add_bos && s->bos != TOK_NONE) HEARTH_TRY(tok_ids_push(out, s->bos, err));
    HEARTH_TRY(encode_text(t, m, out, err));
    int32_t end = t->add_sep ? s->sep : s->add_eos ? s->eos : TOK_NONE;
    return add_special && end != TOK_NONE ? tok_ids_push(out, end, err) : HEARTH_OK;
}

hearth_status tok_encode_marked(const tok *t, str text, const str_run *runs, size_t n_runs,
                                tok_options o, tok_ids *out, hearth_err *err)
{
    if (text.n > LIMIT_PROMPT_BYTES) {
        return err_fail(err, HEARTH_E_LIMIT, "a text of %zu bytes is too long, at most %zu", text.n,
                        (size_t)LIMIT_PROMPT_BYTES);
    }
    size_t n_before = out->n, n_covered = 0;
    for (size_t i = 0; i < n_runs; i++) n_covered += runs[i].n;
    ASSERT(n_covered == text.n);
    tok_marked m = {.text = text, .runs = runs, .n_runs = n_runs, .parses = o.parse_special};
    if (n_runs > 0) m.run_end = runs[0].n;
    hearth_status status = t->kind->encode_all
                               ? t->kind->encode_all(t, &m, o.add_special, out, err)
                               : encode_all(t, &m, o.add_special, out, err);
    if (status != HEARTH_OK) out->n = n_before;
    return status;
}

hearth_status tok_encode(const tok *t, str text, tok_options o, tok_ids *out, hearth_err *err)
{
    return tok_encode_marked(t, text, &(str_run){.n = text.n}, 1, o, out, err);
}

// --- decoding -----------------------------------------------------------------------------------

hearth_status tok_decode_one(const tok *t, int32_t id, bool special, bool first, buf *out)
{
    if (!is_token(t, id)) return HEARTH_E_ARG;
    tok_attr attr = attr_of(t, id);
    bool hidden = !special && (attr == TOK_UNKNOWN || attr == TOK_CONTROL);
    if (t->kind->decodes_all && !hidden) return t->kind->decode(t, id, first, out);
    switch (attr) {
    case TOK_UNKNOWN:
    case TOK_CONTROL: return special ? buf_append_str(out, t->text[id]) : HEARTH_OK;
    case TOK_USER_DEFINED: return buf_append_str(out, t->text[id]);
    case TOK_NORMAL:
    case TOK_UNUSED:
    case TOK_BYTE: break;
    }
    return t->kind->decode(t, id, first, out);
}
