// BPE vocabularies of tokenizer.json, streamed: "model": {"vocab": {"text": id}, "merges": [...]}.
//
// Merges are "left right" or ["left", "right"]; the second form may have spaces inside, which the
// first and GGUF spell as the byte-level alphabet does (U+0120).
//
// BPE over text with byte fallback is what SentencePiece's BPE becomes in that library. A GGUF has
// scores for it instead of merges: the earlier the merge that makes a token, the higher.
#include <string.h>

#include "hf/hf_vocab.h"

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_BYTE = 6 };

typedef struct bpe_reader {
    json_reader *json;
    hf_vocab *v;
    const hf_model *m;
    int64_t n_ids; // one above the largest id
    map ids;       // text to id, for scores
    hearth_err *err;
} bpe_reader;

// --- walking ------------------------------------------------------------------------------------

// Leaves the reader behind `key` of the object that just began; false when it has none.
static hearth_status find_key(bpe_reader *r, const char *key, bool *found)
{
    json_event e;
    for (*found = false; !*found;) {
        HEARTH_TRY(json_next(r->json, &e, r->err));
        if (e != JSON_KEY) return HEARTH_OK;
        *found = str_eq_z(json_text(r->json), key);
        if (!*found) HEARTH_TRY(json_skip(r->json, r->err));
    }
    return HEARTH_OK;
}

static hearth_status expect(bpe_reader *r, json_event wanted, const char *what)
{
    json_event e;
    HEARTH_TRY(json_next(r->json, &e, r->err));
    return e == wanted ? HEARTH_OK
                       : err_fail(r->err, HEARTH_E_FORMAT, "'%s' is not as expected", what);
}

// Opens the file at the value of "model".`key`.
static hearth_status open_at(bpe_reader *r, const os_mapping *file, const char *key)
{
    bool found;
    HEARTH_TRY(json_open_memory(file->data, file->size, LIMIT_GGUF_STRING, &r->json, r->err));
    HEARTH_TRY(expect(r, JSON_OBJECT_BEGIN, "tokenizer.json"));
    HEARTH_TRY(find_key(r, "model", &found));
    if (found) HEARTH_TRY(expect(r, JSON_OBJECT_BEGIN, "model"));
    if (found) HEARTH_TRY(find_key(r, key, &found));
    return found ? HEARTH_OK : err_fail(r->err, HEARTH_E_FORMAT, "no '%s' in its model", key);
}

// --- tokens -------------------------------------------------------------------------------------

static bool is_byte_name(str s)
{
    return s.n == 6 && str_starts(s, STR("<0x")) && s.p[5] == '>';
}

static hearth_status set_token(bpe_reader *r, str text, int64_t id)
{
    bool is_text = r->v->has_scores;
    int32_t type = is_text && is_byte_name(text) ? TYPE_BYTE : TYPE_NORMAL;
    if (is_text && str_eq_z(text, "<unk>")) type = TYPE_UNKNOWN;
    HEARTH_TRY(hf_vocab_set(r->v, id, text, type, is_text ? -1e9f : 0, r->err));
    if (!is_text || id >= r->v->n) return HEARTH_OK;
    hearth_status s = map_put(&r->ids, r->v->text[id], (uint32_t)id, NULL);
    return s == HEARTH_OK ? s : err_fail(r->err, s, "no memory for tokens");
}

// Each entry of "vocab"; the first pass (v->n == 0) only looks for the largest id.
static hearth_status walk_tokens(bpe_reader *r)
{
    json_event e;
    HEARTH_TRY(expect(r, JSON_OBJECT_BEGIN, "vocab"));
    buf text;
    buf_init(&text, MEM_MODEL, LIMIT_TOKEN_BYTES);
    hearth_status s = HEARTH_OK;
    while (s == HEARTH_OK) {
        int64_t id = -1;
        s = json_next(r->json, &e, r->err);
        if (s != HEARTH_OK || e != JSON_KEY) break;
        buf_reset(&text);
        if (buf_append_str(&text, json_text(r->json)) != HEARTH_OK)
            s = err_fail(r->err, HEARTH_E_LIMIT, "a token of %zu bytes", json_text(r->json).n);
        if (s == HEARTH_OK) s = json_next(r->json, &e, r->err);
        if (s == HEARTH_OK && (!json_i64(r->json, &id) || id < 0 || id >= LIMIT_VOCAB))
            s = err_fail(r->err, HEARTH_E_FORMAT, "token '%.*s' has no id",
                         STR_ARG(buf_str(&text)));
        r->n_ids = i64_max(r->n_ids, id + 1);
        if (s == HEARTH_OK && r->v->n > 0) s = set_token(r, buf_str(&text), id);
    }
    buf_release(&text);
    return s;
}

static hearth_status pass_tokens(bpe_reader *r, const os_mapping *file)
{
    hearth_status s = open_at(r, file, "vocab");
    if (s == HEARTH_OK) s = walk_tokens(r);
    json_close(r->json);
    r->json = NULL;
    return s;
}

// --- merges -------------------------------------------------------------------------------------

static void append_escaped(buf *b, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ' ') buf_append_str(b, STR("\xC4\xA0"));
        else buf_append_char(b, s.p[i]);
    }
}

// The next merge as "left right"; *more = false at the end of the array.
static hearth_status read_merge(bpe_reader *r, buf *out, bool *more)
{
    json_event e;
    buf_reset(out);
    HEARTH_TRY(json_next(r->json, &e, r->err));
    *more = e != JSON_ARRAY_END;
    if (e == JSON_STRING) buf_append_str(out, json_text(r->json));
    if (e != JSON_ARRAY_BEGIN) return HEARTH_OK;
    for (int i = 0; i < 2; i++) {
        HEARTH_TRY(expect(r, JSON_STRING, "merges"));
        if (i > 0) buf_append_char(out, ' ');
        if (r->v->has_scores) buf_append_str(out, json_text(r->json));
        else append_escaped(out, json_text(r->json));
    }
    return expect(r, JSON_ARRAY_END, "merges");
}

static hearth_status keep_merge(bpe_reader *r, str merge)
{
    hf_vocab *v = r->v;
    const char *copy = arena_copy_string(&v->mem, merge.p, merge.n);
    str kept = {copy, merge.n};
    hearth_status s = copy ? buf_append(&v->merges, &kept, sizeof kept) : HEARTH_E_NOMEM;
    return s == HEARTH_OK ? s : err_fail(r->err, s, "no memory for merges");
}

// The token that this merge makes has a score by its rank, unless an earlier one made it. Both
// halves may hold spaces (as U+2581) but not the separator.
static void score_merge(bpe_reader *r, buf *merge, int64_t rank)
{
    uint32_t id;
    char *space = memchr(merge->p, ' ', merge->n);
    if (!space) return;
    memmove(space, space + 1, merge->n - (size_t)(space - merge->p) - 1);
    str whole = {merge->p, merge->n - 1};
    if (map_get(&r->ids, whole, &id) && r->v->score[id] < -1e8f) r->v->score[id] = -(float)rank;
}

static hearth_status walk_merges(bpe_reader *r)
{
    bool more = true;
    buf merge;
    buf_init(&merge, MEM_MODEL, 2 * LIMIT_TOKEN_BYTES + 1);
    hearth_status s = expect(r, JSON_ARRAY_BEGIN, "merges");
    for (int64_t rank = 0; s == HEARTH_OK; rank++) {
        s = read_merge(r, &merge, &more);
        if (s != HEARTH_OK || !more) break;
        if (merge.failed != HEARTH_OK) s = err_fail(r->err, merge.failed, "a merge is too long");
        else if (r->v->has_scores) score_merge(r, &merge, rank);
        else s = keep_merge(r, buf_str(&merge));
    }
    buf_release(&merge);
    return s;
}

static hearth_status pass_merges(bpe_reader *r, const os_mapping *file)
{
    hearth_status s = open_at(r, file, "merges");
    if (s == HEARTH_OK) s = walk_merges(r);
    json_close(r->json);
    r->json = NULL;
    return s;
}

// --- the whole ----------------------------------------------------------------------------------

static hearth_status read_all(bpe_reader *r, const hf_tokenizer_files *f)
{
    HEARTH_TRY(pass_tokens(r, &f->json));
    const conf_value *added = conf_find(&f->table, "added_tokens");
    int64_t n = r->n_ids + (added ? added->n : 0);
    HEARTH_TRY(hf_vocab_reserve(r->v, hf_config_i64(r->m, "vocab_size", n), r->err));
    HEARTH_TRY(pass_tokens(r, &f->json));
    return pass_merges(r, &f->json);
}

hearth_status hf_read_bpe(const hf_model *m, const hf_tokenizer_files *f, hf_vocab *v,
                          hearth_err *err)
{
    bpe_reader r = {.v = v, .m = m, .err = err};
    v->has_scores = f->kind == HF_VOCAB_TEXT;
    v->model = v->has_scores ? "llama" : "gpt2";
    v->pre = v->has_scores ? "default" : hf_split_name(m, &f->table);
    map_init(&r.ids, MEM_MODEL);
    hearth_status s = read_all(&r, f);
    map_release(&r.ids);
    return s;
}
