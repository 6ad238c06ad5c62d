// Tokenizer files of a folder as the keys of a GGUF.
//
//   tokenizer.json, byte-level BPE with a split that has a name   "gpt2": tokens, merges, pre
//   tokenizer.model (SentencePiece)                               "llama": tokens, scores, types
//   tokenizer.json, BPE over text with byte fallback              "llama", scores by merge rank
//   any other tokenizer.json     the whole text under "tokenizer.huggingface.json", for tok/ itself
//
// Added tokens replace what the vocabulary says about their ids, from tokenizer.json and from
// "added_tokens_decoder" of tokenizer_config.json. Ids that nobody names are "[PAD<id>]", unused:
// the embedding has rows for them.
#include "hf/hf_vocab.h"

#include <stdio.h>
#include <string.h>

enum { TYPE_NORMAL = 1, TYPE_CONTROL = 3, TYPE_USER = 4, TYPE_UNUSED = 5 };
#define MARK "\xE2\x96\x81" // U+2581

hearth_status hf_vocab_reserve(hf_vocab *v, int64_t n, hearth_err *err)
{
    if (n < 1 || n > LIMIT_VOCAB) {
        return err_fail(err, HEARTH_E_LIMIT, "%lld tokens are not in 1..%d", (long long)n,
                        LIMIT_VOCAB);
    }
    v->text = arena_new(&v->mem, str, (size_t)n);
    v->type = arena_new(&v->mem, int32_t, (size_t)n);
    v->score = arena_new(&v->mem, float, (size_t)n);
    if (!v->text || !v->type || !v->score) {
        return err_fail(err, HEARTH_E_NOMEM, "no memory for %lld tokens", (long long)n);
    }
    v->n = n;
    for (int64_t i = 0; i < n; i++) {
        v->type[i] = TYPE_UNUSED;
        v->score[i] = -10000;
    }
    return HEARTH_OK;
}

hearth_status hf_vocab_set(hf_vocab *v, int64_t id, str text, int32_t type, float score,
                           hearth_err *err)
{
    if (id < 0 || id >= v->n) return HEARTH_OK; // more tokens than rows of the embedding
    const char *copy = arena_copy_string(&v->mem, text.p, text.n);
    if (!copy) return err_fail(err, HEARTH_E_NOMEM, "no memory for %lld tokens", (long long)v->n);
    v->text[id] = (str){copy, text.n};
    v->type[id] = type;
    v->score[id] = score;
    return HEARTH_OK;
}

static hearth_status name_unused(hf_vocab *v, hearth_err *err)
{
    for (int64_t i = 0; i < v->n; i++) {
        char name[32];
        if (v->text[i].p) continue;
        snprintf(name, sizeof name, "[PAD%lld]", (long long)i);
        HEARTH_TRY(hf_vocab_set(v, i, str_from(name), TYPE_UNUSED, v->score[i], err));
    }
    return HEARTH_OK;
}

// --- added tokens -------------------------------------------------------------------------------

// Some that steer a model are not marked as special; by their spelling they are.
static bool looks_special(str s)
{
    static const char *const known[] = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (str_eq_z(s, known[i])) return true;
    return (str_starts(s, STR("<|")) && str_ends(s, STR("|>"))) ||
           (str_starts(s, STR("<\xEF\xBD\x9C")) && str_ends(s, STR("\xEF\xBD\x9C>"))) ||
           (str_starts(s, STR("<unused")) && str_ends(s, STR(">")));
}

// Marks for spaces become spaces: such tokens are found in plain text.
static hearth_status set_user_token(hf_vocab *v, int64_t id, str text, hearth_err *err)
{
    buf b;
    buf_init(&b, MEM_MODEL, LIMIT_TOKEN_BYTES);
    for (size_t i = 0; i < text.n;) {
        bool is_mark = str_starts((str){text.p + i, text.n - i}, STR(MARK));
        buf_append_char(&b, is_mark ? ' ' : text.p[i]);
        i += is_mark ? sizeof MARK - 1 : 1;
    }
    hearth_status s = b.failed;
    if (s == HEARTH_OK) s = hf_vocab_set(v, id, buf_str(&b), TYPE_USER, -1000, err);
    else err_fail(err, s, "a token is too long");
    buf_release(&b);
    return s;
}

static hearth_status add_token(hf_vocab *v, int64_t id, const conf *c, const char *at,
                               hearth_err *err)
{
    char path[128];
    str text;
    bool special = false;
    snprintf(path, sizeof path, "%s.content", at);
    if (!conf_str(c, path, &text)) return HEARTH_OK;
    snprintf(path, sizeof path, "%s.special", at);
    conf_bool(c, path, &special);
    if (special || looks_special(text)) return hf_vocab_set(v, id, text, TYPE_CONTROL, -1000, err);
    return set_user_token(v, id, text, err);
}

static hearth_status add_listed(hf_vocab *v, const conf *tokenizer, hearth_err *err)
{
    const conf_value *list = conf_find(tokenizer, "added_tokens");
    for (int64_t i = 0; list && i < list->n; i++) {
        char at[64], path[80];
        int64_t id;
        snprintf(at, sizeof at, "added_tokens.%lld", (long long)i);
        snprintf(path, sizeof path, "%s.id", at);
        if (conf_i64(tokenizer, path, &id)) HEARTH_TRY(add_token(v, id, tokenizer, at, err));
    }
    return HEARTH_OK;
}

// "added_tokens_decoder": {"32000": {"content": "<|end|>", "special": true}, ...}
static hearth_status add_decoder(hf_vocab *v, const conf *config, hearth_err *err)
{
    const str front = STR("added_tokens_decoder.");
    for (size_t i = 0; i < conf_count(config); i++) {
        const conf_value *one = conf_at(config, i);
        int64_t id;
        char at[64];
        str number = {one->path.p + front.n, one->path.n - front.n};
        if (one->kind != JSON_OBJECT_BEGIN || !str_starts(one->path, front) || number.n > 10 ||
            !str_parse_i64(number, &id))
            continue;
        snprintf(at, sizeof at, "%.*s", (int)one->path.n, one->path.p);
        HEARTH_TRY(add_token(v, id, config, at, err));
    }
    return HEARTH_OK;
}

// added_tokens.json: {"<|end|>": 32000}, beside tokenizer.model.
static hearth_status add_file(const hf_model *m, hf_vocab *v, hearth_err *err)
{
    conf c;
    conf_init(&c);
    hearth_status s = hf_folder_read(m, "added_tokens.json", NULL, &c, err);
    for (size_t i = 1; i < conf_count(&c) && s == HEARTH_OK; i++) {
        const conf_value *one = conf_at(&c, i);
        int64_t id;
        if (one->kind == JSON_NUMBER && str_parse_i64(one->text, &id))
            s = hf_vocab_set(v, id, one->path, TYPE_USER, -1000, err);
    }
    conf_release(&c);
    return s;
}

// --- keys ---------------------------------------------------------------------------------------

static hearth_status write_lists(const hf_vocab *v, gguf_writer *w, hearth_err *err)
{
    uint64_t n = (uint64_t)v->n;
    HEARTH_TRY(gguf_write_str(w, "tokenizer.ggml.model", str_from(v->model), err));
    HEARTH_TRY(gguf_write_str(w, "tokenizer.ggml.pre", str_from(v->pre), err));
    HEARTH_TRY(gguf_write_str_array(w, "tokenizer.ggml.tokens", v->text, n, err));
    if (v->has_scores)
        HEARTH_TRY(gguf_write_array(w, "tokenizer.ggml.scores", GGUF_F32, v->score, n, err));
    HEARTH_TRY(gguf_write_array(w, "tokenizer.ggml.token_type", GGUF_I32, v->type, n, err));
    if (v->merges.n == 0) return HEARTH_OK;
    return gguf_write_str_array(w, "tokenizer.ggml.merges", (const str *)(const void *)v->merges.p,
                                v->merges.n / sizeof(str), err);
}

static hearth_status read_vocab(const hf_model *m, const hf_tokenizer_files *f, hf_vocab *v,
                                hearth_err *err)
{
    const char *name = f->kind == HF_VOCAB_SPM ? "tokenizer.model" : "tokenizer.json";
    hearth_status s = f->kind == HF_VOCAB_SPM ? hf_read_spm(m, &f->model, v, err)
                                              : hf_read_bpe(m, f, v, err);
    if (s == HEARTH_OK && f->kind == HF_VOCAB_SPM) s = add_file(m, v, err);
    if (s == HEARTH_OK) s = add_decoder(v, &m->tokenizer, err);
    if (s == HEARTH_OK && f->kind != HF_VOCAB_SPM) s = add_listed(v, &f->table, err);
    if (s == HEARTH_OK) s = name_unused(v, err);
    if (s != HEARTH_OK) err_prefix(err, "%s/%s: ", m->dir, name);
    return s;
}

static hearth_status write_known(const hf_model *m, const hf_tokenizer_files *f, gguf_writer *w,
                                 hearth_err *err)
{
    hf_vocab v = {0};
    arena_init(&v.mem, MEM_MODEL, HF_VOCAB_BYTES_MAX);
    buf_init(&v.merges, MEM_MODEL, (size_t)LIMIT_MERGES * sizeof(str));
    hearth_status s = read_vocab(m, f, &v, err);
    if (s == HEARTH_OK) s = write_lists(&v, w, err);
    if (s == HEARTH_OK) s = hf_write_specials(m, &f->table, &v, w, err);
    buf_release(&v.merges);
    arena_release(&v.mem);
    return s;
}

static hearth_status write_files(const hf_model *m, hf_tokenizer_files *f, gguf_writer *w,
                                 hearth_err *err)
{
    static const char *const skip[] = {"model.vocab", "model.merges", NULL};
    HEARTH_TRY(hf_folder_map(m, "tokenizer.json", &f->json, err));
    HEARTH_TRY(hf_folder_map(m, "tokenizer.model", &f->model, err));
    if (f->json.data) {
        hearth_status s = conf_read(&f->table, f->json.data, f->json.size, skip, err);
        if (s != HEARTH_OK) {
            err_prefix(err, "%s/tokenizer.json: ", m->dir);
            return s;
        }
    }
    f->kind = hf_vocab_kind(m, f);
    if (f->kind != HF_VOCAB_NONE && f->kind != HF_VOCAB_OTHER) return write_known(m, f, w, err);
    if (f->kind == HF_VOCAB_NONE) return HEARTH_OK;
    HEARTH_TRY(hf_write_specials(m, &f->table, NULL, w, err));
    return gguf_write_str(w, "tokenizer.huggingface.json",
                          (str){(const char *)f->json.data, f->json.size}, err);
}

hearth_status hf_write_vocab(const hf_model *m, gguf_writer *w, hearth_err *err)
{
    hf_tokenizer_files f = {0};
    conf_init(&f.table);
    hearth_status s = write_files(m, &f, w, err);
    conf_release(&f.table);
    os_unmap(&f.json);
    os_unmap(&f.model);
    return s;
}
