// The loop of generation, turned inside out: each call computes one token and returns.
//
// A call first brings the cache up to date with the token that the last call drew, then draws from
// the fresh logits. So a token is shown before the step that it feeds is paid for, and the last one
// is never computed. Every step is all or nothing: a call that failed or was canceled can be made
// again.
//
//   token -> tok_stream (whole characters) -> stop_filter (no beginning of a stop string) -> text
//
// When the context is full the generation ends and says so. Older text is never dropped in silence:
// what to keep is a decision of whoever wrote the prompt.
#include "llm/generate.h"

#include <math.h>
#include <string.h>

#include "defs/limits.h"
#include "llm/stop.h"
#include "os/os.h"

enum {
    TEXT_MAX = 1 << 20,   // of one event: one token and what was held back
    ROOM_FIRST = 1 << 16, // tokens reserved at the start, so that decoding allocates nothing
};

struct generation {
    llm_session *session;
    const tok *t;
    sampler *sampler;
    gram *gram;                // with a constraint: these three
    gram_vocab *vocab;         // NULL: the caller's
    gram_matcher *matcher;
    stop_filter stop;
    tok_stream stream;
    buf decoded;               // bytes of the last token, before they are known to be UTF-8
    buf text;                  // of the last event
    int32_t *token;            // [n_token], room for cap
    int64_t n_token, cap, n_prompt;
    int64_t n_synced;          // tokens that the running sync is about, 0 before the first
    int64_t n_todo;            // of the prompt, that were not in the cache
    bool is_full;              // the context has no room for the last token
    int64_t n_predict;
    int n_logprobs;
    bool ignore_end, special, hide_end, cancel, ended;
    generate_stats stats;
};

static const str default_breakers[] = {{"\n", 1}, {":", 1}, {"\"", 1}, {"*", 1}};

void generate_options_default(generate_options *o)
{
    *o = (generate_options){.n_predict = -1, .dry_breakers = default_breakers,
                            .n_dry_breakers = COUNTOF(default_breakers)};
    sampler_params_default(&o->sampling);
}

// --- start --------------------------------------------------------------------------------------

static bool holds_any(str text, const str *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (parts[i].n > 0 && str_find(text, parts[i], 0) != SIZE_MAX) return true;
    return false;
}

static hearth_status find_breakers(const tok *t, const generate_options *o, tok_ids *out)
{
    if (o->sampling.dry_multiplier == 0) return HEARTH_OK;
    buf text;
    buf_init(&text, MEM_MISC, LIMIT_TOKEN_BYTES * 4);
    hearth_status status = HEARTH_OK;
    for (int32_t id = 0; id < tok_count(t) && status == HEARTH_OK; id++) {
        buf_reset(&text);
        status = tok_decode_one(t, id, false, false, &text);
        if (status == HEARTH_OK && holds_any(buf_str(&text), o->dry_breakers, o->n_dry_breakers))
            status = tok_ids_push(out, id, NULL);
    }
    buf_release(&text);
    return status;
}

// The caller's biases and, with ignore_end, a ban of every end token.
static hearth_status join_bias(const tok *t, const generate_options *o, sampler_bias **out,
                               size_t *n_out)
{
    size_t n_end = 0, n = o->sampling.n_bias;
    int32_t n_vocab = tok_count(t);
    for (int32_t id = 0; o->ignore_end && id < n_vocab; id++) n_end += tok_is_end(t, id);
    *out = NULL;
    *n_out = n + n_end;
    if (*n_out == 0) return HEARTH_OK;
    sampler_bias *bias = mem_alloc_zero(MEM_MISC, *n_out, sizeof *bias);
    if (!bias) return HEARTH_E_NOMEM;
    if (n > 0) memcpy(bias, o->sampling.bias, n * sizeof *bias);
    for (int32_t id = 0; o->ignore_end && id < n_vocab; id++)
        if (tok_is_end(t, id)) bias[n++] = (sampler_bias){id, -INFINITY};
    *out = bias;
    return HEARTH_OK;
}

static hearth_status create_sampler(generation *g, const generate_options *o, hearth_err *err)
{
    sampler_params p = o->sampling;
    sampler_bias *bias = NULL;
    tok_ids breakers = {0};
    hearth_status status = join_bias(g->t, o, &bias, &p.n_bias);
    if (status == HEARTH_OK) status = find_breakers(g->t, o, &breakers);
    p.bias = bias;
    if (status == HEARTH_OK)
        status = sampler_create(&p, tok_count(g->t), breakers.id, breakers.n, &g->sampler, err);
    else
        status = err_fail(err, status, "sampler: %s", err_status_name(status));
    mem_free(breakers.id);
    mem_free(bias);
    return status;
}

static hearth_status copy_prompt(generation *g, const int32_t *prompt, int64_t n, hearth_err *err)
{
    for (int64_t i = 0; i < n; i++)
        if (prompt[i] < 0 || prompt[i] >= tok_count(g->t))
            return err_fail(err, HEARTH_E_ARG, "prompt: token %d at %lld, expected 0 to %d",
                            prompt[i], (long long)i, tok_count(g->t) - 1);
    int64_t room = g->n_predict < 0 ? ROOM_FIRST : i64_min(g->n_predict, ROOM_FIRST);
    g->cap = n + room + 1;
    g->token = mem_alloc(MEM_MISC, (size_t)g->cap * sizeof *g->token);
    if (!g->token) return err_fail(err, HEARTH_E_NOMEM, "prompt: out of memory");
    memcpy(g->token, prompt, (size_t)n * sizeof *prompt);
    g->n_token = g->n_prompt = g->stats.n_prompt = n;
    return HEARTH_OK;
}

static hearth_status check_range(const char *name, int64_t x, int64_t low, int64_t high,
                                 hearth_err *err)
{
    if (x >= low && x <= high) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "%s: %lld is not in [%lld, %lld]", name, (long long)x,
                    (long long)low, (long long)high);
}

static hearth_status check_texts(const char *name, const str *text, size_t n, hearth_err *err)
{
    if (n > LIMIT_STOP_STRINGS)
        return err_fail(err, HEARTH_E_LIMIT, "%zu %ss, at most %d", n, name, LIMIT_STOP_STRINGS);
    for (size_t i = 0; i < n; i++) {
        if (text[i].n == 0) return err_fail(err, HEARTH_E_ARG, "%s %zu is empty", name, i + 1);
        if (text[i].n > LIMIT_STOP_BYTES)
            return err_fail(err, HEARTH_E_LIMIT, "%s %zu has %zu bytes, at most %d", name, i + 1,
                            text[i].n, LIMIT_STOP_BYTES);
    }
    return HEARTH_OK;
}

hearth_status generate_options_check(const generate_options *o, hearth_err *err)
{
    HEARTH_TRY(check_range("n_predict", o->n_predict, -1, INT64_MAX, err));
    HEARTH_TRY(check_range("n_logprobs", o->n_logprobs, 0, GENERATE_TOP_MAX, err));
    HEARTH_TRY(check_range("number of samplers", o->sampling.n_order, 0, SAMPLER_STAGE_COUNT, err));
    HEARTH_TRY(check_texts("stop string", o->stop, o->n_stop, err));
    HEARTH_TRY(check_texts("dry sequence breaker", o->dry_breakers, o->n_dry_breakers, err));
    if (o->sampling.n_bias <= LIMIT_LOGIT_BIAS) return HEARTH_OK;
    return err_fail(err, HEARTH_E_LIMIT, "logit_bias: %zu entries, at most %d", o->sampling.n_bias,
                    LIMIT_LOGIT_BIAS);
}

static hearth_status start_constraint(generation *g, const generate_options *o, hearth_err *err)
{
    int64_t least;
    if (o->constraint == GRAM_NONE) return HEARTH_OK;
    HEARTH_TRY(gram_compile(o->constraint, o->constraint_text, GRAM_STRICT, &g->gram, err));
    if (!o->vocab) HEARTH_TRY(gram_vocab_create(g->t, &g->vocab, err));
    const gram_vocab *vocab = o->vocab ? o->vocab : g->vocab;
    HEARTH_TRY(gram_matcher_create(g->gram, vocab, &g->matcher, err));
    HEARTH_TRY(gram_min_tokens(g->matcher, &least, err));
    if (o->n_predict < 0 || least <= o->n_predict) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "n_predict: %lld tokens, but the constraint needs %lld",
                    (long long)o->n_predict, (long long)least);
}

static hearth_status fill_generation(generation *g, const int32_t *prompt, int64_t n,
                                     const generate_options *o, hearth_err *err)
{
    HEARTH_TRY(copy_prompt(g, prompt, n, err));
    HEARTH_TRY(stop_open(&g->stop, o->stop, o->n_stop, err));
    HEARTH_TRY(create_sampler(g, o, err));
    HEARTH_TRY(start_constraint(g, o, err));
    if (buf_reserve(&g->text, 1024) != HEARTH_OK || buf_reserve(&g->decoded, 1024) != HEARTH_OK)
        return err_fail(err, HEARTH_E_NOMEM, "generation: out of memory");
    for (int64_t i = 0; i < n; i++) sampler_accept(g->sampler, prompt[i]);
    // Only at the very beginning of a text does a SentencePiece token lose its leading space.
    tok_stream_init(&g->stream);
    // A constraint counts every byte.
    g->stream.started = g->matcher || prompt[n - 1] != tok_specials(g->t)->bos;
    return HEARTH_OK;
}

hearth_status generate_start(llm_session *s, const tok *t, const int32_t *prompt, int64_t n,
                             const generate_options *o, generation **out, hearth_err *err)
{
    *out = NULL;
    HEARTH_TRY(generate_options_check(o, err));
    HEARTH_TRY(check_range("tokens of the prompt", n, 1, LIMIT_CONTEXT, err));
    generation *g = mem_alloc_zero(MEM_MISC, 1, sizeof *g);
    if (!g) return err_fail(err, HEARTH_E_NOMEM, "generation: out of memory");
    g->session = s;
    g->t = t;
    g->n_predict = o->n_predict;
    g->n_logprobs = o->n_logprobs;
    g->ignore_end = o->ignore_end;
    g->special = o->special;
    g->hide_end = o->hide_end;
    buf_init(&g->text, MEM_MISC, TEXT_MAX);
    buf_init(&g->decoded, MEM_MISC, TEXT_MAX);
    hearth_status status = fill_generation(g, prompt, n, o, err);
    if (status != HEARTH_OK) {
        generate_free(g);
        return status;
    }
    *out = g;
    return HEARTH_OK;
}

void generate_free(generation *g)
{
    if (!g) return;
    sampler_free(g->sampler);
    gram_matcher_free(g->matcher);
    gram_vocab_free(g->vocab);
    gram_free(g->gram);
    stop_close(&g->stop);
    buf_release(&g->text);
    buf_release(&g->decoded);
    mem_free(g->token);
    mem_free(g);
}

// --- rows ---------------------------------------------------------------------------------------

bool generate_is_ready(const generation *g)
{
    bool needs_logits = !g->ended && !g->cancel && !g->is_full;
    return !needs_logits || (g->n_synced == g->n_token && session_missing(g->session) == 0);
}

// A context without room ends a generation that has begun; a prompt that does not fit is an error.
hearth_status generate_refused(generation *g, hearth_status status, const hearth_err *why,
                               hearth_err *err)
{
    if (status == HEARTH_E_LIMIT && g->stats.n_generated > 0) {
        g->is_full = true;
        return HEARTH_OK;
    }
    return err_fail(err, status, "%s", why->msg);
}

// From here on the cache is brought up to all tokens so far.
static hearth_status begin_sync(generation *g, hearth_err *err)
{
    if (generate_is_ready(g) || g->n_synced == g->n_token) return HEARTH_OK;
    hearth_err own = ERR_INIT;
    hearth_status status = session_begin(g->session, g->token, g->n_token, &own);
    if (status != HEARTH_OK) return generate_refused(g, status, &own, err);
    if (g->n_synced == 0) {
        g->stats.n_reused = session_reused(g->session);
        g->n_todo = session_missing(g->session);
    }
    g->n_synced = g->n_token;
    return HEARTH_OK;
}

hearth_status generate_rows(generation *g, llm_row *rows, int max, int *n_rows, hearth_err *err)
{
    *n_rows = 0;
    HEARTH_TRY(begin_sync(g, err));
    if (!generate_is_ready(g)) *n_rows = session_rows(g->session, g->token, rows, max);
    return HEARTH_OK;
}

static void count_time(generation *g, uint64_t ns)
{
    *(g->stats.n_generated == 0 ? &g->stats.prompt_ns : &g->stats.generate_ns) += ns;
}

void generate_took(generation *g, int n_rows, int first, uint64_t ns)
{
    session_took(g->session, g->token, n_rows, first);
    count_time(g, ns);
}

bool generate_in_prompt(const generation *g, int64_t *done, int64_t *total)
{
    bool is_begun = g->n_synced > 0;
    *total = is_begun ? g->n_todo : 0;
    *done = is_begun ? g->n_todo - session_missing(g->session) : 0;
    return is_begun && g->stats.n_generated == 0 && *done < *total;
}

// --- tokens -------------------------------------------------------------------------------------

// Text is for people and JSON: bytes that can never become a character are shown as U+FFFD.
static hearth_status hold_text(generation *g)
{
    str rest = buf_str(&g->decoded);
    while (rest.n > 0) {
        uint32_t cp;
        size_t n = utf8_decode(rest.p, rest.n, &cp);
        str part = cp == UTF8_BAD ? STR("\xEF\xBF\xBD") : (str){rest.p, n};
        HEARTH_TRY(buf_append_str(&g->stop.held, part));
        rest = (str){rest.p + n, rest.n - n};
    }
    buf_reset(&g->decoded);
    return HEARTH_OK;
}

static hearth_status finish_with(generation *g, generate_finish finish, generate_event *out)
{
    out->finish = finish;
    g->ended = true;
    if (finish == GENERATE_STOP_STRING) return HEARTH_OK;
    HEARTH_TRY(tok_stream_flush(&g->stream, true, &g->decoded));
    HEARTH_TRY(hold_text(g));
    bool hit;
    HEARTH_TRY(stop_pass(&g->stop, &g->text, &hit));
    return hit ? HEARTH_OK : stop_flush(&g->stop, &g->text);
}

static hearth_status append_token(generation *g, int32_t id)
{
    if (g->n_token == g->cap) {
        int32_t *grown = mem_realloc(MEM_MISC, g->token, (size_t)g->cap * 2 * sizeof *grown);
        if (!grown) return HEARTH_E_NOMEM;
        g->token = grown;
        g->cap *= 2;
    }
    g->token[g->n_token++] = id;
    sampler_accept(g->sampler, id);
    g->stats.n_generated++;
    return HEARTH_OK;
}

static void report_logprobs(const generation *g, const float *logits, generate_event *out)
{
    if (g->n_logprobs == 0) return;
    int32_t n_vocab = tok_count(g->t);
    out->logprob = sampler_logprob_of(logits, n_vocab, out->token);
    out->n_top = sampler_top_logprobs(logits, n_vocab, out->top, g->n_logprobs);
}

static hearth_status draw_token(generation *g, generate_event *out, hearth_err *err)
{
    const float *logits = session_logits(g->session);
    const uint64_t *allowed = NULL;
    int64_t left = g->n_predict < 0 ? -1 : g->n_predict - g->stats.n_generated;
    if (g->matcher) HEARTH_TRY(gram_mask(g->matcher, left, &allowed, err));
    HEARTH_TRY(sampler_sample(g->sampler, logits, allowed, &out->token, err));
    if (g->matcher) HEARTH_TRY(gram_accept(g->matcher, out->token, err));
    out->has_token = true;
    report_logprobs(g, logits, out);
    if (append_token(g, out->token) != HEARTH_OK)
        return err_fail(err, HEARTH_E_NOMEM, "generation: out of memory");
    return HEARTH_OK;
}

static hearth_status show_token(generation *g, generate_event *out)
{
    bool is_end = !g->ignore_end && tok_is_end(g->t, out->token), hit = false;
    if (!is_end || (g->special && !g->hide_end))
        HEARTH_TRY(tok_stream_put(g->t, &g->stream, out->token, g->special, &g->decoded));
    HEARTH_TRY(hold_text(g));
    HEARTH_TRY(stop_pass(&g->stop, &g->text, &hit));
    if (hit) return finish_with(g, GENERATE_STOP_STRING, out);
    if (is_end || (g->matcher && gram_must_end(g->matcher)))
        return finish_with(g, GENERATE_END_TOKEN, out);
    if (g->n_predict >= 0 && g->stats.n_generated >= g->n_predict)
        return finish_with(g, GENERATE_LENGTH, out);
    return HEARTH_OK;
}

static hearth_status make_event(generation *g, generate_event *out, hearth_err *err)
{
    if (g->cancel) return finish_with(g, GENERATE_CANCELED, out);
    if (g->is_full) return finish_with(g, GENERATE_CONTEXT, out);
    if (g->n_predict == 0) return finish_with(g, GENERATE_LENGTH, out);
    HEARTH_TRY(draw_token(g, out, err));
    return show_token(g, out);
}

hearth_status generate_take(generation *g, generate_event *out, hearth_err *err)
{
    *out = (generate_event){.token = TOK_NONE};
    if (g->ended) return err_fail(err, HEARTH_E_STATE, "the generation has ended");
    ASSERT(generate_is_ready(g));
    buf_reset(&g->text);
    uint64_t begin = os_now_ns();
    hearth_status status = make_event(g, out, err);
    out->text = buf_str(&g->text);
    g->stats.generate_ns += os_now_ns() - begin;
    if (status != HEARTH_OK && err && err->status == HEARTH_OK)
        return err_fail(err, status, "generation: %s", err_status_name(status));
    return status;
}

hearth_status generate_next(generation *g, generate_event *out, hearth_err *err)
{
    *out = (generate_event){.token = TOK_NONE};
    HEARTH_TRY(begin_sync(g, err));
    while (!generate_is_ready(g)) {
        hearth_err own = ERR_INIT;
        uint64_t begin = os_now_ns();
        hearth_status status = session_step(g->session, g->token, &own);
        count_time(g, os_now_ns() - begin);
        if (status != HEARTH_OK) HEARTH_TRY(generate_refused(g, status, &own, err));
    }
    return generate_take(g, out, err);
}

bool generate_has_ended(const generation *g)
{
    return g->ended;
}

void generate_cancel(generation *g)
{
    g->cancel = true;
}

const generate_stats *generate_get_stats(const generation *g)
{
    return &g->stats;
}

const int32_t *generate_tokens(const generation *g, int64_t *n)
{
    *n = g->n_token;
    return g->token;
}
