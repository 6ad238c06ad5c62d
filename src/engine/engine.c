// The front of engine.h: one lock, argument checks, and the way to either implementation.
#include "engine/engine.h"

#include <string.h>

#include "defs/limits.h"
#include "engine/engine_int.h"
#include "kern/kern.h"

void engine_options_default(engine_options *o)
{
    llm_ctx_options c;
    llm_ctx_options_default(&c);
    *o = (engine_options){.place = ENGINE_LOCAL, .cpu = CPU_ALL, .n_seq = c.n_seq,
                          .n_batch = c.n_batch, .n_logits = c.n_logits, .type_k = c.type_k,
                          .type_v = c.type_v};
}

void engine_copy_text(char *out, size_t cap, str text)
{
    size_t n = size_min(text.n, cap - 1);
    if (n < text.n) n -= utf8_incomplete_tail((str){text.p, n});
    if (n > 0) memcpy(out, text.p, n);
    out[n] = 0;
}

static hearth_status check_range(const char *name, int64_t x, int64_t low, int64_t high,
                                 hearth_err *err)
{
    if (x >= low && x <= high) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "%s: %lld is not in [%lld, %lld]", name, (long long)x,
                    (long long)low, (long long)high);
}

static hearth_status check_options(const engine_options *o, hearth_err *err)
{
    HEARTH_TRY(check_range("threads", o->n_threads, 0, LIMIT_THREADS, err));
    HEARTH_TRY(check_range("context", o->n_ctx, 0, LIMIT_CONTEXT, err));
    HEARTH_TRY(check_range("context of a session", o->n_ctx_seq, 0, LIMIT_CONTEXT, err));
    HEARTH_TRY(check_range("sequences", o->n_seq, 1, LIMIT_SEQUENCES, err));
    HEARTH_TRY(check_range("batch", o->n_batch, 1, LIMIT_BATCH_ROWS, err));
    HEARTH_TRY(check_range("rows with results", o->n_logits, 1, o->n_batch, err));
    HEARTH_TRY(check_range("adapters", o->n_adapters, 0, ENGINE_ADAPTERS_MAX, err));
    for (int i = 0; i < o->n_adapters; i++)
        HEARTH_TRY(check_range("length of an adapter's path", (int64_t)o->adapters[i].path.n, 1,
                               LIMIT_PATH, err));
    return HEARTH_OK;
}

hearth_status engine_open(const char *source, const engine_options *o, engine **out,
                          hearth_err *err)
{
    *out = NULL;
    if (!source || !*source) return err_fail(err, HEARTH_E_ARG, "no model was named");
    if (strlen(source) > LIMIT_PATH)
        return err_fail(err, HEARTH_E_LIMIT, "model name of %zu bytes, at most %d", strlen(source),
                        LIMIT_PATH);
    HEARTH_TRY(check_options(o, err));
    if (o->place == ENGINE_CHILD) return engine_remote_open(source, o, out, err);
    return engine_local_open(source, o, out, err);
}

void engine_close(engine *e)
{
    if (!e) return;
    os_mutex *lock = e->lock;
    e->ops->close(e);
    os_mutex_free(lock);
}

const engine_info *engine_get_info(const engine *e)
{
    return &e->info;
}

// Runs a call of the table under the lock.
#define LOCKED(e, call)                      \
    do {                                     \
        os_mutex_lock((e)->lock);            \
        hearth_status locked_status_ = call; \
        os_mutex_unlock((e)->lock);          \
        return locked_status_;               \
    } while (0)

hearth_status engine_describe(engine *e, buf *json, hearth_err *err)
{
    LOCKED(e, e->ops->describe(e, json, err));
}

hearth_status engine_plan(engine *e, const llm_ctx_options *o, llm_plan *out, hearth_err *err)
{
    LOCKED(e, e->ops->plan(e, o, out, err));
}

hearth_status engine_tokenize(engine *e, str text, tok_options o, tok_ids *out, hearth_err *err)
{
    if (text.n > LIMIT_STDIN)
        return err_fail(err, HEARTH_E_LIMIT, "text of %zu bytes, at most %u", text.n, LIMIT_STDIN);
    LOCKED(e, e->ops->tokenize(e, text, o, out, err));
}

hearth_status engine_detokenize(engine *e, const int32_t *ids, size_t n, bool special, buf *out,
                                hearth_err *err)
{
    LOCKED(e, e->ops->detokenize(e, ids, n, special, out, err));
}

hearth_status engine_chat(engine *e, const engine_chat_options *o, engine_chat_result *out,
                          hearth_err *err)
{
    const str parts[] = {o->messages, o->tools, o->variables, o->template_text};
    size_t room = LIMIT_PROMPT_BYTES;
    *out = (engine_chat_result){.note = ""};
    if (o->messages.n == 0) return err_fail(err, HEARTH_E_ARG, "a chat without messages");
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        if (parts[i].n > room)
            return err_fail(err, HEARTH_E_LIMIT, "a chat of more than %u bytes",
                            LIMIT_PROMPT_BYTES);
        room -= parts[i].n;
    }
    if (o->n_held > LIMIT_CONTEXT)
        return err_fail(err, HEARTH_E_LIMIT, "%zu held tokens, at most %d", o->n_held,
                        LIMIT_CONTEXT);
    LOCKED(e, e->ops->chat(e, o, out, err));
}

hearth_status engine_session_open(engine *e, engine_session *out, hearth_err *err)
{
    LOCKED(e, e->ops->session_open(e, out, err));
}

void engine_session_close(engine *e, engine_session s)
{
    os_mutex_lock(e->lock);
    e->ops->session_close(e, s);
    os_mutex_unlock(e->lock);
}

hearth_status engine_session_export(engine *e, engine_session s, buf *out, hearth_err *err)
{
    LOCKED(e, e->ops->session_export(e, s, out, err));
}

hearth_status engine_session_import(engine *e, engine_session s, const void *p, size_t n,
                                    hearth_err *err)
{
    if (n == 0) return err_fail(err, HEARTH_E_FORMAT, "a session of 0 bytes");
    LOCKED(e, e->ops->session_import(e, s, p, n, err));
}

hearth_status engine_start(engine *e, engine_session s, const int32_t *prompt, int64_t n,
                           const generate_options *o, hearth_err *err)
{
    if (n < 1 || n > LIMIT_CONTEXT)
        return err_fail(err, HEARTH_E_ARG, "prompt of %lld tokens, expected 1 to %d", (long long)n,
                        LIMIT_CONTEXT);
    LOCKED(e, e->ops->start(e, s, prompt, n, o, err));
}

hearth_status engine_next(engine *e, engine_session s, engine_event *out, hearth_err *err)
{
    *out = (engine_event){.gen = {.token = TOK_NONE}};
    LOCKED(e, e->ops->next(e, s, out, err));
}

hearth_status engine_step(engine *e, engine_news *out, int *n, hearth_err *err)
{
    *n = 0;
    LOCKED(e, e->ops->step(e, out, n, err));
}

void engine_cancel(engine *e, engine_session s)
{
    e->ops->cancel(e, s);
}

hearth_status engine_logits(engine *e, const int32_t *ids, int64_t n, int batch, float *out,
                            hearth_err *err)
{
    size_t bytes;
    if (n < 1 || n > LIMIT_CONTEXT || batch < 1 || batch > LIMIT_BATCH_ROWS)
        return err_fail(err, HEARTH_E_ARG, "%lld tokens in batches of %d, expected 1 to %d in 1 to "
                        "%d", (long long)n, batch, LIMIT_CONTEXT, LIMIT_BATCH_ROWS);
    if (e->info.n_vocab < 1)
        return err_fail(err, HEARTH_E_STATE, "no model is loaded for computing");
    if (!mul_ok((size_t)n, (size_t)e->info.n_vocab * sizeof(float), &bytes) || bytes > PTRDIFF_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "logits of %lld tokens do not fit in memory",
                        (long long)n);
    LOCKED(e, e->ops->logits(e, ids, n, batch, out, err));
}

uint64_t engine_count_results(const engine *e, const engine_texts *t)
{
    if (t->ranks) return t->n - 1;
    int64_t width = t->o.dimensions > 0 ? t->o.dimensions : e->info.n_embd_out;
    return (uint64_t)t->n * (uint64_t)width;
}

static hearth_status embed_texts(engine *e, const engine_texts *t, float *out, int64_t *n_tokens,
                                 hearth_err *err)
{
    LOCKED(e, e->ops->embed(e, t, out, n_tokens, err));
}

static hearth_status check_texts(const engine_texts *t, hearth_err *err)
{
    uint64_t bytes = 0;
    HEARTH_TRY(check_range("texts", (int64_t)size_min(t->n, LIMIT_TEXTS + 1), 1 + t->ranks,
                           LIMIT_TEXTS, err));
    for (size_t i = 0; i < t->n; i++) bytes += t->texts[i].n;
    if (bytes <= LIMIT_STDIN) return HEARTH_OK;
    return err_fail(err, HEARTH_E_LIMIT, "texts of %llu bytes, at most %u",
                    (unsigned long long)bytes, LIMIT_STDIN);
}

hearth_status engine_embed(engine *e, const str *texts, size_t n, const engine_embed_options *o,
                           float *out, int64_t *n_tokens, hearth_err *err)
{
    engine_texts t = {texts, n, *o, false};
    HEARTH_TRY(check_texts(&t, err));
    if (e->info.n_embd_out < 1)
        return err_fail(err, HEARTH_E_STATE, "no model is loaded for computing");
    HEARTH_TRY(check_range("pooling", (int64_t)o->pooling, LLM_POOL_NONE, LLM_POOL_LAST, err));
    HEARTH_TRY(check_range("dimensions", o->dimensions, 0, e->info.n_embd_out, err));
    return embed_texts(e, &t, out, n_tokens, err);
}

hearth_status engine_rerank(engine *e, str query, const str *documents, size_t n, bool truncate,
                            float *scores, int64_t *n_tokens, hearth_err *err)
{
    if (!e->info.can_rank)
        return err_fail(err, HEARTH_E_UNSUPPORTED, "'%s': the model has no classifier to rank with",
                        e->info.name);
    if (n < 1 || n >= LIMIT_TEXTS)
        return err_fail(err, HEARTH_E_ARG, "%zu documents, expected 1 to %d", n, LIMIT_TEXTS - 1);
    str *texts = mem_alloc(MEM_MISC, (n + 1) * sizeof *texts);
    if (!texts) return err_fail(err, HEARTH_E_NOMEM, "texts: out of memory");
    texts[0] = query;
    memcpy(texts + 1, documents, n * sizeof *texts);
    engine_texts t = {texts, n + 1, {.truncate = truncate}, true};
    hearth_status status = check_texts(&t, err);
    if (status == HEARTH_OK) status = embed_texts(e, &t, scores, n_tokens, err);
    mem_free(texts);
    return status;
}
