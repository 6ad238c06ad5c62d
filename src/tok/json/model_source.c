// Reads "model" of a tokenizer.json as a stream: vocabulary and merges are megabytes and go into
// plain arrays, the rest is small and goes into pipe_options. Members may come in any order.
//
//   vocab    {"token": id, ...}, or [["token", score], ...] whose ids are the places
//   merges   ["left right", ...] or [["left", "right"], ...]
#include "tok/json/model_source.h"

#include <math.h>

void source_init(pipe_source *s)
{
    *s = (pipe_source){0};
    buf_init(&s->text, MEM_TOKENIZER, UINT32_MAX / 2);
    buf_init(&s->merges, MEM_TOKENIZER, UINT32_MAX / 2);
}

void source_release(pipe_source *s)
{
    buf_release(&s->text);
    buf_release(&s->merges);
    mem_free(s->from);
    mem_free(s->id);
    mem_free(s->score);
    mem_free(s->merge);
    *s = (pipe_source){0};
}

str source_text(const pipe_source *s, size_t i)
{
    ASSERT(i < s->n);
    size_t end = i + 1 < s->n ? s->from[i + 1] : s->text.n;
    return (str){buf_str(&s->text).p + s->from[i], end - s->from[i]};
}

static hearth_status grow(void **p, size_t cap, size_t size, hearth_err *err)
{
    size_t bytes;
    void *grown = mul_ok(cap, size, &bytes) ? mem_realloc(MEM_TOKENIZER, *p, bytes) : NULL;
    if (!grown) return err_fail(err, HEARTH_E_NOMEM, "no memory for a vocabulary of %zu", cap);
    *p = grown;
    return HEARTH_OK;
}

static hearth_status add_token(pipe_source *s, str text, hearth_err *err)
{
    if (s->n == LIMIT_VOCAB) {
        return err_fail(err, HEARTH_E_LIMIT, "'model.vocab': more than %d tokens", LIMIT_VOCAB);
    }
    if (text.n > LIMIT_TOKEN_BYTES) {
        return err_fail(err, HEARTH_E_LIMIT, "'model.vocab': token %zu has %zu bytes, at most %d",
                        s->n, text.n, LIMIT_TOKEN_BYTES);
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 1024;
        HEARTH_TRY(grow((void **)&s->from, cap, sizeof *s->from, err));
        HEARTH_TRY(grow((void **)&s->id, cap, sizeof *s->id, err));
        if (s->has_scores) HEARTH_TRY(grow((void **)&s->score, cap, sizeof *s->score, err));
        s->cap = cap;
    }
    s->from[s->n] = (uint32_t)s->text.n;
    s->id[s->n] = (uint32_t)s->n;
    s->n++;
    hearth_status status = buf_append_str(&s->text, text);
    return status == HEARTH_OK ? status : err_fail(err, status, "no memory for a vocabulary");
}

static hearth_status fail_vocab(const json_reader *r, const char *expected, hearth_err *err)
{
    return err_fail(err, HEARTH_E_FORMAT, "'model.vocab': before byte %llu: expected %s",
                    (unsigned long long)json_offset(r), expected);
}

static hearth_status read_ids(pipe_source *s, json_reader *r, hearth_err *err)
{
    json_event event;
    for (;;) {
        HEARTH_TRY(json_next(r, &event, err));
        if (event == JSON_OBJECT_END) return HEARTH_OK;
        HEARTH_TRY(add_token(s, json_text(r), err));
        HEARTH_TRY(json_next(r, &event, err));
        int64_t id;
        if (event != JSON_NUMBER || !json_i64(r, &id) || id < 0 || id >= LIMIT_VOCAB) {
            return fail_vocab(r, "an id", err);
        }
        s->id[s->n - 1] = (uint32_t)id;
    }
}

static hearth_status expect(json_reader *r, json_event wanted, const char *what, hearth_err *err)
{
    json_event event;
    HEARTH_TRY(json_next(r, &event, err));
    return event == wanted ? HEARTH_OK : fail_vocab(r, what, err);
}

static hearth_status read_scores(pipe_source *s, json_reader *r, hearth_err *err)
{
    s->has_scores = true;
    for (;;) {
        json_event event;
        HEARTH_TRY(json_next(r, &event, err));
        if (event == JSON_ARRAY_END) return HEARTH_OK;
        if (event != JSON_ARRAY_BEGIN) return fail_vocab(r, "a token and its score", err);
        HEARTH_TRY(expect(r, JSON_STRING, "a token", err));
        HEARTH_TRY(add_token(s, json_text(r), err));
        HEARTH_TRY(expect(r, JSON_NUMBER, "a score", err));
        double *score = &s->score[s->n - 1];
        if (!json_f64(r, score) || !isfinite(*score)) return fail_vocab(r, "a score", err);
        HEARTH_TRY(expect(r, JSON_ARRAY_END, "the end of a pair", err));
    }
}

static hearth_status read_vocab(pipe_source *s, json_reader *r, json_event event, hearth_err *err)
{
    if (s->n > 0) return fail_vocab(r, "one vocabulary", err);
    if (event == JSON_OBJECT_BEGIN) return read_ids(s, r, err);
    return event == JSON_ARRAY_BEGIN ? read_scores(s, r, err) : fail_vocab(r, "tokens", err);
}

// --- merges -------------------------------------------------------------------------------------

static hearth_status fail_merges(const pipe_source *s, hearth_err *err)
{
    return err_fail(err, HEARTH_E_FORMAT, "'model.merges': merge %zu is not a pair of tokens",
                    s->n_merges);
}

static hearth_status append_side(pipe_source *s, str side, hearth_err *err)
{
    if (side.n > LIMIT_TOKEN_BYTES) return fail_merges(s, err);
    hearth_status status = buf_append_str(&s->merges, side);
    return status == HEARTH_OK ? status : err_fail(err, status, "no memory for merges");
}

static hearth_status read_pair(pipe_source *s, json_reader *r, pipe_merge *m, hearth_err *err)
{
    json_event event;
    HEARTH_TRY(json_next(r, &event, err));
    if (event != JSON_STRING) return fail_merges(s, err);
    m->left_n = (uint32_t)json_text(r).n;
    HEARTH_TRY(append_side(s, json_text(r), err));
    HEARTH_TRY(json_next(r, &event, err));
    if (event != JSON_STRING) return fail_merges(s, err);
    m->right_n = (uint32_t)json_text(r).n;
    HEARTH_TRY(append_side(s, json_text(r), err));
    HEARTH_TRY(json_next(r, &event, err));
    return event == JSON_ARRAY_END ? HEARTH_OK : fail_merges(s, err);
}

static hearth_status read_line(pipe_source *s, str line, pipe_merge *m, hearth_err *err)
{
    size_t gap = str_find(line, STR(" "), 0);
    if (gap == SIZE_MAX) return fail_merges(s, err);
    str left = {line.p, gap}, right = {line.p + gap + 1, line.n - gap - 1};
    if (str_find(right, STR(" "), 0) != SIZE_MAX) return fail_merges(s, err);
    m->left_n = (uint32_t)left.n;
    m->right_n = (uint32_t)right.n;
    HEARTH_TRY(append_side(s, left, err));
    return append_side(s, right, err);
}

static hearth_status read_merges(pipe_source *s, json_reader *r, json_event event, hearth_err *err)
{
    if (event != JSON_ARRAY_BEGIN) return fail_merges(s, err);
    for (;;) {
        HEARTH_TRY(json_next(r, &event, err));
        if (event == JSON_ARRAY_END) return HEARTH_OK;
        bool comment = event == JSON_STRING && str_starts(json_text(r), STR("#version"));
        if (comment) continue;
        if (s->n_merges == LIMIT_MERGES) {
            return err_fail(err, HEARTH_E_LIMIT, "'model.merges': more than %d", LIMIT_MERGES);
        }
        if (s->n_merges == s->merges_cap) {
            size_t cap = s->merges_cap ? s->merges_cap * 2 : 1024;
            HEARTH_TRY(grow((void **)&s->merge, cap, sizeof *s->merge, err));
            s->merges_cap = cap;
        }
        pipe_merge *m = &s->merge[s->n_merges];
        *m = (pipe_merge){.from = (uint32_t)s->merges.n};
        if (event == JSON_STRING) HEARTH_TRY(read_line(s, json_text(r), m, err));
        else if (event == JSON_ARRAY_BEGIN) HEARTH_TRY(read_pair(s, r, m, err));
        else return fail_merges(s, err);
        s->n_merges++;
    }
}

// --- the rest -----------------------------------------------------------------------------------

static void take_option(pipe_options *o, const jnode *n, str *type)
{
    const struct { const char *key; str *text; } texts[] = {
        {"type", type}, {"unk_token", &o->unk}, {"continuing_subword_prefix", &o->prefix},
        {"end_of_word_suffix", &o->suffix}};
    const struct { const char *key; bool *flag; } flags[] = {
        {"fuse_unk", &o->fuse_unk}, {"byte_fallback", &o->byte_fallback},
        {"ignore_merges", &o->ignore_merges}};
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        if (str_eq_z(n->key, texts[i].key)) *texts[i].text = n->text;
    }
    for (size_t i = 0; i < COUNTOF(flags); i++) {
        if (str_eq_z(n->key, flags[i].key)) *flags[i].flag = n->kind == JSON_TRUE;
    }
    bool count = n->kind == JSON_NUMBER && n->number >= 0 && n->number < LIMIT_VOCAB;
    if (count && str_eq_z(n->key, "unk_id")) o->unk_id = (int32_t)n->number;
    if (count && str_eq_z(n->key, "max_input_chars_per_word")) {
        o->word_chars_max = (size_t)n->number;
    }
}

static hearth_status read_option(pipe *p, json_reader *r, json_event event, str key, arena *mem,
                                 str *type, hearth_err *err)
{
    jnode *n;
    HEARTH_TRY(jtree_read(r, event, mem, &n, err));
    n->key = key;
    take_option(&p->options, n, type);
    return HEARTH_OK;
}

hearth_status source_read_model(pipe *p, json_reader *r, arena *mem, str *type, hearth_err *err)
{
    json_event event;
    HEARTH_TRY(json_next(r, &event, err));
    if (event != JSON_OBJECT_BEGIN) return fail_vocab(r, "a model", err);
    p->options.unk_id = TOK_NONE;
    p->options.word_chars_max = 100;
    for (;;) {
        HEARTH_TRY(json_next(r, &event, err));
        if (event == JSON_OBJECT_END) return HEARTH_OK;
        str key = json_text(r);
        bool vocab = str_eq_z(key, "vocab"), merges = str_eq_z(key, "merges");
        const char *copy = arena_copy_string(mem, key.p, key.n);
        if (!copy) return err_fail(err, HEARTH_E_NOMEM, "no memory for a tokenizer");
        key.p = copy;
        HEARTH_TRY(json_next(r, &event, err));
        if (vocab) HEARTH_TRY(read_vocab(&p->source, r, event, err));
        else if (merges) HEARTH_TRY(read_merges(&p->source, r, event, err));
        else HEARTH_TRY(read_option(p, r, event, key, mem, type, err));
    }
}
