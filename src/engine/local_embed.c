// Vectors of texts and ranks of documents in this process.
//
//   texts -> tokens (with the tokens that the file puts around a text) -> llm_embed() -> cut to the
//   dimensions that were asked for -> divided by their length
//
// A document is read together with its query: through the model's own template where it has one
// (tokenizer.chat_template.rerank: what stands in for {query} and {document} never becomes a
// control token), otherwise as the pair that cross-encoders were trained on:
//
//   [CLS] query [SEP] document [SEP]        <s> query </s></s> document </s>
//
// The context is made for the call: as long as its longest text, and sessions are not disturbed.
#include <math.h>
#include <string.h>

#include "defs/limits.h"
#include "engine/local.h"

enum { CHUNK_TEXTS = 64, RUNS_MAX = 17 }; // texts between two looks at `stopping`; template pieces

typedef struct reading {
    const engine_local *e;
    const engine_texts *t;
    tok_ids ids;     // of all texts
    llm_text *texts; // `ids` NULL until all are read, since the array moves
    int64_t n, longest, total, most;
    str pattern;     // of the template
} reading;

// --- texts to tokens ----------------------------------------------------------------------------

static hearth_status encode(reading *r, str text, hearth_err *err)
{
    return tok_encode(r->e->t, text, (tok_options){.add_special = true}, &r->ids, err);
}

// The second text of a pair: the first one's beginning serves both, and RoBERTa's kind ends the
// first one twice.
static hearth_status encode_pair(reading *r, str query, str document, size_t *n_first,
                                 hearth_err *err)
{
    const tok_special *s = tok_specials(r->e->t);
    int32_t sep = s->sep != TOK_NONE ? s->sep : s->eos;
    size_t begin = r->ids.n;
    HEARTH_TRY(encode(r, query, err));
    if (sep != TOK_NONE && str_eq_z(tok_text(r->e->t, sep), "</s>"))
        HEARTH_TRY(tok_ids_push(&r->ids, sep, err));
    size_t at = r->ids.n;
    *n_first = at - begin;
    HEARTH_TRY(encode(r, document, err));
    if (!s->add_bos || r->ids.n == at || r->ids.id[at] != s->bos) return HEARTH_OK;
    r->ids.n--;
    memmove(r->ids.id + at, r->ids.id + at + 1, (r->ids.n - at) * sizeof *r->ids.id);
    return HEARTH_OK;
}

typedef struct filled { buf text; str_run runs[RUNS_MAX]; size_t n_runs; } filled;

static hearth_status add_run(filled *f, str piece, bool is_user, hearth_err *err)
{
    if (piece.n == 0) return HEARTH_OK;
    if (f->n_runs == RUNS_MAX)
        return err_fail(err, HEARTH_E_UNSUPPORTED,
                        "key 'tokenizer.chat_template.rerank': more than %d pieces", RUNS_MAX);
    f->runs[f->n_runs++] = (str_run){piece.n, is_user};
    hearth_status s = buf_append_str(&f->text, piece);
    return s == HEARTH_OK ? s : err_fail(err, s, "pair of texts: %s", err_status_name(s));
}

static hearth_status fill_template(filled *f, str pattern, str query, str document,
                                   hearth_err *err)
{
    const str names[] = {STR("{query}"), STR("{document}")}, values[] = {query, document};
    for (size_t at = 0;;) {
        size_t to[] = {str_find(pattern, names[0], at), str_find(pattern, names[1], at)};
        int which = to[1] < to[0];
        size_t end = size_min(to[which], pattern.n);
        HEARTH_TRY(add_run(f, (str){pattern.p + at, end - at}, false, err));
        if (end == pattern.n) return HEARTH_OK;
        HEARTH_TRY(add_run(f, values[which], true, err));
        at = end + names[which].n;
    }
}

static hearth_status encode_by_template(reading *r, str query, str document, hearth_err *err)
{
    filled f = {.n_runs = 0};
    buf_init(&f.text, MEM_MISC, LIMIT_PROMPT_BYTES);
    hearth_status s = fill_template(&f, r->pattern, query, document, err);
    if (s == HEARTH_OK)
        s = tok_encode_marked(r->e->t, buf_str(&f.text), f.runs, f.n_runs,
                              (tok_options){.parse_special = true}, &r->ids, err);
    buf_release(&f.text);
    return s;
}

// Cut, but with the token that ends a text still at its end.
static void shorten(reading *r, size_t begin)
{
    size_t n = r->ids.n - begin, most = (size_t)r->most;
    if (n <= most) return;
    int32_t last = r->ids.id[r->ids.n - 1];
    bool is_mark = tok_get_attr(r->e->t, last) == TOK_CONTROL;
    r->ids.n = begin + most;
    if (is_mark) r->ids.id[r->ids.n - 1] = last;
}

static hearth_status read_one(reading *r, size_t i, hearth_err *err)
{
    const str *texts = r->t->texts;
    size_t begin = r->ids.n, n_first = SIZE_MAX;
    hearth_status s;
    if (!r->t->ranks) s = encode(r, texts[i], err);
    else if (r->pattern.n) s = encode_by_template(r, texts[0], texts[i + 1], err);
    else s = encode_pair(r, texts[0], texts[i + 1], &n_first, err);
    HEARTH_TRY(s);
    if (r->t->o.truncate) shorten(r, begin);
    int64_t n = (int64_t)(r->ids.n - begin);
    if (n < 1 || n > r->most)
        return err_fail(err, n < 1 ? HEARTH_E_ARG : HEARTH_E_LIMIT,
                        "text %zu: %lld tokens, expected 1 to %lld", i + 1, (long long)n,
                        (long long)r->most);
    r->texts[i] = (llm_text){NULL, n, i64_min((int64_t)n_first, n)};
    if (n_first == SIZE_MAX) r->texts[i].n_first = n;
    r->longest = i64_max(r->longest, n);
    r->total += n;
    return HEARTH_OK;
}

static hearth_status read_all(reading *r, hearth_err *err)
{
    bool found;
    if (r->t->ranks)
        HEARTH_TRY(gguf_get_str(r->e->src.g, "tokenizer.chat_template.rerank", &r->pattern, &found,
                                err));
    r->texts = mem_alloc_zero(MEM_MISC, (size_t)r->n, sizeof *r->texts);
    if (!r->texts) return err_fail(err, HEARTH_E_NOMEM, "texts: out of memory");
    for (int64_t i = 0; i < r->n; i++) HEARTH_TRY(read_one(r, (size_t)i, err));
    const int32_t *at = r->ids.id;
    for (int64_t i = 0; i < r->n; at += r->texts[i++].n) r->texts[i].ids = at;
    return HEARTH_OK;
}

// --- tokens to numbers --------------------------------------------------------------------------

static void put_vector(const float *from, int64_t n, bool raw, float *out)
{
    double squares = 0;
    for (int64_t i = 0; i < n; i++) squares += (double)from[i] * (double)from[i];
    double factor = raw || !(squares > 0) ? 1 : 1 / sqrt(squares);
    for (int64_t i = 0; i < n; i++) out[i] = (float)((double)from[i] * factor);
}

static hearth_status compute(const reading *r, llm_ctx *ctx, float *chunk, float *out,
                             hearth_err *err)
{
    llm_pooling pooling = llm_ctx_get_options(ctx)->pooling;
    int64_t width = llm_model_pooled_width(r->e->model, pooling);
    int64_t kept = r->t->ranks ? 1 : r->t->o.dimensions > 0 ? r->t->o.dimensions : width;
    for (int64_t at = 0; at < r->n; at += CHUNK_TEXTS) {
        int64_t n = i64_min(CHUNK_TEXTS, r->n - at);
        if (atomic_load(&r->e->stopping)) return err_fail(err, HEARTH_E_CANCELED, "canceled");
        HEARTH_TRY(llm_embed(ctx, r->texts + at, n, chunk, err));
        for (int64_t i = 0; i < n; i++)
            put_vector(chunk + i * width, kept, r->t->ranks || r->t->o.raw, out + (at + i) * kept);
    }
    return HEARTH_OK;
}

static hearth_status run_model(const reading *r, float *out, hearth_err *err)
{
    llm_ctx_options o;
    llm_plan plan;
    llm_ctx *ctx = NULL;
    llm_pooling wanted = r->t->ranks ? LLM_POOL_RANK : r->t->o.pooling;
    HEARTH_TRY(llm_embed_options(r->e->model, wanted, r->longest, r->total, r->n, &o, err));
    if (!r->t->ranks && o.pooling == LLM_POOL_RANK)
        return err_fail(err, HEARTH_E_STATE, "the model ranks documents, it makes no vectors");
    HEARTH_TRY(llm_make_plan(r->e->model, &o, &plan, err));
    HEARTH_TRY(local_check_memory(r->e, &plan, err));
    int64_t width = llm_model_pooled_width(r->e->model, o.pooling);
    float *chunk = mem_alloc_zero(MEM_MISC, (size_t)width * CHUNK_TEXTS, sizeof *chunk);
    if (!chunk) return err_fail(err, HEARTH_E_NOMEM, "vectors: out of memory");
    hearth_status s = llm_ctx_create(r->e->model, &o, &ctx, err);
    if (s == HEARTH_OK) s = compute(r, ctx, chunk, out, err);
    llm_ctx_free(ctx);
    mem_free(chunk);
    return s;
}

hearth_status local_embed(engine *base, const engine_texts *t, float *out, int64_t *n_tokens,
                          hearth_err *err)
{
    engine_local *e = as_local(base);
    if (!e->model || e->o.metadata_only)
        return err_fail(err, HEARTH_E_STATE, "the model is open for its metadata only");
    reading r = {.e = e, .t = t, .n = (int64_t)t->n - t->ranks,
                 .most = llm_model_longest(e->model)};
    if (e->o.n_ctx > 0) r.most = i64_min(r.most, e->o.n_ctx);
    hearth_status s = read_all(&r, err);
    if (s == HEARTH_OK) s = run_model(&r, out, err);
    if (s == HEARTH_OK) *n_tokens = r.total;
    mem_free(r.texts);
    tok_ids_release(&r.ids);
    return s;
}
