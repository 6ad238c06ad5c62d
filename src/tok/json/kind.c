// Opens a tokenizer.json (pipe.h) as a tokenizer of tok.h.
//
// Ids: the vocabulary's tokens have those that the file says; added tokens without an entry there
// have theirs beside. An id that nobody has is an unused token. Kinds (tok_attr) follow from the
// added tokens: special ones are control tokens, the others user-defined; "<0x0A>" are bytes where
// the model falls back to bytes. As everywhere in tok/, control tokens are no words: only
// parse_special turns text into them.
#include "defs/limits.h"
#include "tok/json/added.h"
#include "tok/json/decoders.h"
#include "tok/json/encode.h"
#include "tok/json/models.h"
#include "tok/json/model_source.h"
#include "tok/json/stages.h"

typedef struct document {
    jnode *added, *normalizer, *cuts, *processor, *decoder; // NULL: not there
    str model_type;
    bool has_model;
} document;

// --- reading ------------------------------------------------------------------------------------

static hearth_status read_member(tok *t, json_reader *r, document *d, str key, hearth_err *err)
{
    const struct { const char *key; jnode **to; } parts[] = {
        {"added_tokens", &d->added}, {"normalizer", &d->normalizer}, {"pre_tokenizer", &d->cuts},
        {"post_processor", &d->processor}, {"decoder", &d->decoder}};
    if (str_eq_z(key, "model")) {
        d->has_model = true;
        return source_read_model(t->pipe, r, &t->mem, &d->model_type, err);
    }
    json_event event;
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        if (!str_eq_z(key, parts[i].key)) continue;
        HEARTH_TRY(json_next(r, &event, err));
        return jtree_read(r, event, &t->mem, parts[i].to, err);
    }
    return json_skip(r, err);
}

static hearth_status read_document(tok *t, json_reader *r, document *d, hearth_err *err)
{
    json_event event;
    HEARTH_TRY(json_next(r, &event, err));
    if (event != JSON_OBJECT_BEGIN) {
        return err_fail(err, HEARTH_E_FORMAT, "tokenizer.json: expected an object");
    }
    for (;;) {
        HEARTH_TRY(json_next(r, &event, err));
        if (event == JSON_OBJECT_END) break;
        HEARTH_TRY(read_member(t, r, d, json_text(r), err));
    }
    HEARTH_TRY(json_next(r, &event, err)); // nothing follows
    if (d->has_model) return HEARTH_OK;
    return err_fail(err, HEARTH_E_FORMAT, "tokenizer.json: no 'model'");
}

static hearth_status find_model(pipe *p, const document *d, hearth_err *err)
{
    static const pipe_model *const models[] = {&pipe_model_bpe, &pipe_model_wordpiece,
                                               &pipe_model_unigram, &pipe_model_words};
    str type = d->model_type;
    if (type.n == 0) { // older files
        type = p->source.has_scores ? STR("Unigram") : p->source.n_merges ? STR("BPE")
             : p->options.prefix.n ? STR("WordPiece") : STR("WordLevel");
    }
    for (size_t i = 0; i < COUNTOF(models); i++) {
        if (str_eq_z(type, models[i]->type)) p->model = models[i];
    }
    return p->model ? HEARTH_OK : stages_refuse("model", type, err);
}

static hearth_status read_added(tok *t, const document *d, hearth_err *err)
{
    pipe *p = t->pipe;
    size_t n = 0;
    for (const jnode *c = d->added ? d->added->child : NULL; c; c = c->next) n++;
    p->added = arena_new(&t->mem, added_token, n);
    if (!p->added) return err_fail(err, HEARTH_E_NOMEM, "no memory for special tokens");
    for (const jnode *c = d->added ? d->added->child : NULL; c; c = c->next) {
        bool special = jtree_flag(c, "special", false);
        added_token a = {.id = (int32_t)jtree_count(c, "id", LIMIT_VOCAB - 1, TOK_NONE),
                         .text = jtree_text(c, "content"),
                         .single_word = jtree_flag(c, "single_word", false),
                         .strips_left = jtree_flag(c, "lstrip", false),
                         .strips_right = jtree_flag(c, "rstrip", false),
                         .normalized = jtree_flag(c, "normalized", !special),
                         .special = special};
        if (a.id == TOK_NONE) {
            return err_fail(err, HEARTH_E_FORMAT, "'added_tokens': '%.*s' has no id",
                            STR_ARG(a.text));
        }
        if (a.text.n == 0) continue;
        p->added[p->n_added++] = a;
        if (a.normalized) p->has_normalized = true;
    }
    return HEARTH_OK;
}

// --- the vocabulary -----------------------------------------------------------------------------

static hearth_status count_ids(tok *t, hearth_err *err)
{
    const pipe *p = t->pipe;
    uint32_t n = 0;
    for (size_t i = 0; i < p->source.n; i++) n = p->source.id[i] >= n ? p->source.id[i] + 1 : n;
    for (size_t i = 0; i < p->n_added; i++) {
        if ((uint32_t)p->added[i].id >= n) n = (uint32_t)p->added[i].id + 1;
    }
    size_t tokens = p->source.n + p->n_added;
    if (n == 0) return err_fail(err, HEARTH_E_FORMAT, "tokenizer.json: no tokens");
    if (n > 4 * tokens + LIMIT_TOKEN_GAP) {
        return err_fail(err, HEARTH_E_LIMIT, "tokenizer.json: ids up to %u for %zu tokens",
                        (unsigned)n - 1, tokens);
    }
    t->n = (int32_t)n;
    return HEARTH_OK;
}

static hearth_status take_tokens(tok *t, hearth_err *err)
{
    pipe_source *src = &t->pipe->source;
    HEARTH_TRY(count_ids(t, err));
    t->text = arena_new(&t->mem, str, (size_t)t->n);
    t->attr = arena_new(&t->mem, uint8_t, (size_t)t->n);
    char *texts = arena_copy_string(&t->mem, buf_str(&src->text).p, src->text.n);
    if (!t->text || !t->attr || !texts) {
        return err_fail(err, HEARTH_E_NOMEM, "no memory for a vocabulary");
    }
    for (int32_t i = 0; i < t->n; i++) {
        t->text[i] = (str){"", 0};
        t->attr[i] = TOK_UNUSED;
    }
    for (size_t i = 0; i < src->n; i++) {
        str s = source_text(src, i);
        t->text[src->id[i]] = (str){texts + src->from[i], s.n};
        t->attr[src->id[i]] = TOK_NORMAL;
    }
    return HEARTH_OK;
}

static void mark_added(tok *t)
{
    const pipe *p = t->pipe;
    for (size_t i = 0; i < p->n_added; i++) {
        const added_token *a = &p->added[i];
        t->text[a->id] = a->text;
        t->attr[a->id] = a->special ? TOK_CONTROL : TOK_USER_DEFINED;
    }
}

static hearth_status index_words(tok *t, hearth_err *err)
{
    const pipe_source *src = &t->pipe->source;
    hearth_status status = map_reserve(&t->words, src->n);
    for (size_t i = 0; i < src->n && status == HEARTH_OK; i++) {
        int32_t id = (int32_t)src->id[i];
        str s = source_text(src, i);
        bool taken = !str_eq(t->text[id], s); // two spellings with one id: one is not found
        if (!taken) status = map_put(&t->words, t->text[id], (uint32_t)id, NULL);
        t->word_bytes_max = size_max(t->word_bytes_max, s.n);
    }
    if (status == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, status, "no memory for %zu tokens", src->n);
}

static void find_bytes(tok *t)
{
    for (size_t i = 0; i < COUNTOF(t->byte_id); i++) t->byte_id[i] = TOK_NONE;
    for (int32_t i = 0; i < t->n && t->pipe->options.byte_fallback; i++) {
        int byte = decode_byte_token(t->text[i]);
        uint32_t id;
        if (byte < 0 || !map_get(&t->words, t->text[i], &id) || id != (uint32_t)i) continue;
        if (attr_of(t, i) == TOK_NORMAL) t->attr[i] = TOK_BYTE;
        t->byte_id[byte] = i;
    }
}

static hearth_status find_unknown(tok *t, hearth_err *err)
{
    const pipe_options *o = &t->pipe->options;
    uint32_t id;
    t->special.unk = o->unk_id;
    if (o->unk_id >= t->n) {
        return err_fail(err, HEARTH_E_FORMAT, "'unk_id': %d is not a token", (int)o->unk_id);
    }
    if (o->unk.n && map_get(&t->words, o->unk, &id)) t->special.unk = (int32_t)id;
    return HEARTH_OK;
}

// What unknown characters become is no control token, however it is spelled (ends.c).
static void mark_unknown(tok *t)
{
    int32_t unk = t->special.unk;
    if (unk == TOK_NONE || attr_of(t, unk) != TOK_CONTROL) return;
    t->attr[unk] = (uint8_t)((t->attr[unk] & ~ATTR_MASK) | TOK_UNKNOWN);
}

// --- special tokens -----------------------------------------------------------------------------

static int32_t find_spelling(const tok *t, str s)
{
    uint32_t id;
    for (size_t i = 0; i < t->pipe->n_added; i++) {
        if (str_eq(t->pipe->added[i].text, s)) return t->pipe->added[i].id;
    }
    return s.n && map_get(&t->words, s, &id) ? (int32_t)id : TOK_NONE;
}

// "bos_token": "<s>" or {"content": "<s>", ...}
static void take_special(const tok *t, const jnode *config, const char *key, int32_t *id)
{
    const jnode *n = jtree_get(config, key);
    str s = jtree_is(n, JSON_STRING) ? n->text : jtree_text(n, "content");
    int32_t found = find_spelling(t, s);
    if (found != TOK_NONE) *id = found;
}

static void take_config(tok *t, const jnode *config)
{
    tok_special *s = &t->special;
    take_special(t, config, "cls_token", &s->bos);
    take_special(t, config, "bos_token", &s->bos);
    take_special(t, config, "eos_token", &s->eos);
    take_special(t, config, "sep_token", &s->sep);
    take_special(t, config, "pad_token", &s->pad);
    take_special(t, config, "mask_token", &s->mask);
}

// The post-processor's own tokens are what begins and ends a text, whatever else says so.
static hearth_status take_processor(tok *t, hearth_err *err)
{
    const pipe *p = t->pipe;
    for (size_t i = 0; i < p->n_before + p->n_behind; i++) {
        int32_t id = i < p->n_before ? p->before[i] : p->behind[i - p->n_before];
        if (id < t->n) continue;
        return err_fail(err, HEARTH_E_FORMAT, "'post_processor': %d is not a token", (int)id);
    }
    if (p->n_before && t->special.bos == TOK_NONE) t->special.bos = p->before[0];
    t->special.add_bos = p->n_before > 0 && p->before[0] == t->special.bos;
    t->special.add_eos = p->n_behind > 0 && p->behind[0] == t->special.eos;
    t->add_sep = p->n_behind > 0 && !t->special.add_eos;
    if (t->add_sep && t->special.sep == TOK_NONE) t->special.sep = p->behind[0];
    return HEARTH_OK;
}

static void take_decoder(tok *t)
{
    const pipe *p = t->pipe;
    for (size_t i = 0; i < p->n_decode; i++) {
        if (p->decode[i].kind == DECODE_SUFFIX) t->word_end = p->decode[i].text;
        if (p->decode[i].kind == DECODE_CTC) t->drops_repeats = true;
    }
}

// --- opening ------------------------------------------------------------------------------------

static hearth_status build(tok *t, const document *d, const jnode *config, hearth_err *err)
{
    pipe *p = t->pipe;
    HEARTH_TRY(find_model(p, d, err));
    t->name = p->model->name;
    HEARTH_TRY(read_added(t, d, err));
    HEARTH_TRY(stages_read_normalizer(p, d->normalizer, &t->mem, err));
    HEARTH_TRY(stages_read_cuts(p, d->cuts, &t->mem, err));
    HEARTH_TRY(stages_read_decoder(p, d->decoder, &t->mem, err));
    HEARTH_TRY(stages_read_processor(p, d->processor, &t->mem, err));
    HEARTH_TRY(take_tokens(t, err));
    HEARTH_TRY(index_words(t, err));
    mark_added(t);
    HEARTH_TRY(find_unknown(t, err));
    find_bytes(t);
    take_config(t, config);
    HEARTH_TRY(take_processor(t, err));
    take_decoder(t);
    ends_mark(t);
    mark_unknown(t);
    HEARTH_TRY(p->model->open(t, err));
    return added_build(t, err);
}

static hearth_status read_config(tok *t, str text, jnode **out, hearth_err *err)
{
    json_reader *r = NULL;
    json_event event = JSON_END;
    if (text.n == 0) return HEARTH_OK;
    hearth_status status = json_open_memory(text.p, text.n, LIMIT_GGUF_STRING, &r, err);
    if (status == HEARTH_OK) status = json_next(r, &event, err);
    if (status == HEARTH_OK) status = jtree_read(r, event, &t->mem, out, err);
    if (status == HEARTH_OK) status = json_next(r, &event, err);
    json_close(r);
    if (status != HEARTH_OK) err_prefix(err, "tokenizer_config.json: ");
    return status;
}

static hearth_status open_parts(tok *t, str text, str config_text, hearth_err *err)
{
    document d = {.model_type = {"", 0}};
    json_reader *r = NULL;
    jnode *config = NULL;
    t->pipe = arena_new(&t->mem, pipe, 1);
    if (!t->pipe) return err_fail(err, HEARTH_E_NOMEM, "no memory for a tokenizer");
    t->kind = &tok_kind_json;
    t->special = t->kind->defaults;
    source_init(&t->pipe->source);
    HEARTH_TRY(json_open_memory(text.p, text.n, LIMIT_GGUF_STRING, &r, err));
    hearth_status status = read_document(t, r, &d, err);
    json_close(r);
    if (status == HEARTH_OK) status = read_config(t, config_text, &config, err);
    if (status == HEARTH_OK) status = build(t, &d, config, err);
    source_release(&t->pipe->source);
    return status;
}

hearth_status tok_open_json(str json, str config, tok **out, hearth_err *err)
{
    tok *t;
    *out = NULL;
    HEARTH_TRY(tok_new(&t, err));
    hearth_status status = open_parts(t, json, config, err);
    if (status != HEARTH_OK) {
        tok_free(t);
        return status;
    }
    *out = t;
    return HEARTH_OK;
}

static void close_pipe(tok *t)
{
    pipe *p = t->pipe;
    for (size_t i = 0; i < p->n_normal; i++) pattern_close(&p->normal[i].pattern);
    for (size_t i = 0; i < p->n_cut; i++) pattern_close(&p->cut[i].pattern);
    for (size_t i = 0; i < p->n_decode; i++) pattern_close(&p->decode[i].pattern);
}

const tok_kind tok_kind_json = {
    .model = "json",
    .defaults = {.bos = TOK_NONE, .eos = TOK_NONE, .eot = TOK_NONE, .eom = TOK_NONE,
                 .unk = TOK_NONE, .sep = TOK_NONE, .pad = TOK_NONE, .mask = TOK_NONE,
                 TOK_NO_FIM},
    .encode_all = pipe_encode,
    .decode = pipe_decode,
    .close = close_pipe,
    .decodes_all = true,
};
