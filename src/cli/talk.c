// See talk.h.
#include "cli/talk.h"

#include <math.h>
#include <string.h>

#include "os/os.h"

// --- options ------------------------------------------------------------------------------------

// A seed of 32 bits: short enough to be typed again.
static hearth_status choose_seed(talk *t, hearth_err *err)
{
    t->seed = (uint64_t)t->a->seed;
    if (opt_seen(t->c->cmd, &t->a->common, "seed")) return HEARTH_OK;
    uint32_t drawn;
    HEARTH_TRY(os_random(&drawn, sizeof drawn, err));
    t->seed = drawn;
    return HEARTH_OK;
}

// "ID+X", "ID-X", "ID-inf".
static hearth_status parse_bias(const char *text, int64_t n_vocab, sampler_bias *out,
                                hearth_err *err)
{
    size_t cut = strcspn(text, "+-=");
    int64_t id;
    double value;
    if (!str_parse_i64((str){text, cut}, &id) || !text[cut]) {
        return err_fail(err, HEARTH_E_ARG,
                        "option '--logit-bias': '%s' is not of the form ID+X or ID-X", text);
    }
    const char *number = text + cut + (text[cut] != '-');
    if (strcmp(number, "-inf") == 0) {
        value = -(double)INFINITY;
    } else if (!str_parse_f64(str_from(number), &value) || isnan(value)) {
        return err_fail(err, HEARTH_E_ARG, "option '--logit-bias': '%s' is not a number", number);
    }
    if (id < 0 || id >= n_vocab) {
        return err_fail(err, HEARTH_E_ARG, "option '--logit-bias': token %lld is outside the "
                        "vocabulary (0 to %lld)", (long long)id, (long long)n_vocab - 1);
    }
    *out = (sampler_bias){(int32_t)id, (float)value};
    return HEARTH_OK;
}

static hearth_status fill_sampling(talk *t, hearth_err *err)
{
    const run_args *a = t->a;
    sampler_params *p = &t->o.sampling;
    sampler_params order = *p;
    *p = a->sampling;
    memcpy(p->order, order.order, sizeof p->order);
    p->n_order = order.n_order;
    p->seed = t->seed;
    for (int i = 0; i < a->bias.n; i++) {
        int64_t n_vocab = engine_get_info(t->e)->n_vocab;
        HEARTH_TRY(parse_bias(a->bias.v[i], n_vocab, &t->bias[i], err));
    }
    p->bias = t->bias;
    p->n_bias = (size_t)a->bias.n;
    if (!a->samplers) return HEARTH_OK;
    hearth_status st = sampler_parse_order(str_from(a->samplers), p, err);
    err_prefix(err, "option '--samplers': ");
    return st;
}

static hearth_status write_choices(const opt_list *choice, buf *out)
{
    json_writer w;
    json_write_init(&w, out);
    json_write_array(&w);
    for (int i = 0; i < choice->n; i++) json_write_string(&w, str_from(choice->v[i]));
    json_write_array_end(&w);
    return out->failed;
}

// What the answer has to be, by one of the options.
static hearth_status fill_constraint(talk *t, hearth_err *err)
{
    const run_args *a = t->a;
    const char *const file = a->json_schema ? a->json_schema : a->grammar;
    int n = !!a->json_schema + !!a->grammar + !!a->regex + (a->choice.n > 0);
    hearth_status st = HEARTH_OK;
    if (n > 1)
        return cli_usage(t->c, err, "only one of --json-schema, --grammar, --regex and --choice");
    t->o.constraint = a->json_schema    ? GRAM_SCHEMA
                      : a->grammar      ? GRAM_GBNF
                      : a->regex        ? GRAM_REGEX
                      : a->choice.n > 0 ? GRAM_CHOICES
                                        : GRAM_NONE;
    if (file) st = read_file(file, &t->constraint, err);
    else if (a->regex) st = buf_append_str(&t->constraint, str_from(a->regex));
    else if (a->choice.n > 0) st = write_choices(&a->choice, &t->constraint);
    t->o.constraint_text = buf_str(&t->constraint);
    return st;
}

hearth_status talk_init(talk *t, hearth_err *err)
{
    const run_args *a = t->a;
    buf_init(&t->text, MEM_MISC, SIZE_MAX);
    buf_init(&t->logprobs, MEM_MISC, SIZE_MAX);
    buf_init(&t->constraint, MEM_MISC, LIMIT_GRAM_TEXT);
    generate_options_default(&t->o);
    HEARTH_TRY(fill_constraint(t, err));
    HEARTH_TRY(choose_seed(t, err));
    HEARTH_TRY(fill_sampling(t, err));
    for (int i = 0; i < a->stop.n; i++) t->stop[i] = str_from(a->stop.v[i]);
    t->o.stop = t->stop;
    t->o.n_stop = (size_t)a->stop.n;
    t->o.n_predict = a->predict;
    t->o.ignore_end = a->ignore_eos;
    t->o.special = a->special;
    t->o.n_logprobs = a->logprobs;
    t->keeps_text = a->common.json;
    HEARTH_TRY(dialog_init(t, err));
    return engine_session_open(t->e, &t->s, err);
}

void talk_release(talk *t)
{
    if (t->s) engine_session_close(t->e, t->s);
    dialog_release(&t->d);
    tok_ids_release(&t->tokens);
    buf_release(&t->text);
    buf_release(&t->logprobs);
    buf_release(&t->constraint);
}

// --- prompt -------------------------------------------------------------------------------------

static hearth_status begin_text(talk *t, bool is_empty, hearth_err *err)
{
    const tok_special *special = &engine_get_info(t->e)->special;
    bool has_bos = special->bos != TOK_NONE;
    if (has_bos && (special->add_bos || is_empty))
        return tok_ids_push(&t->tokens, special->bos, err);
    if (!is_empty) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG,
                    "the prompt is empty and the model has no beginning-of-text token");
}

// Control tokens spelled in a prompt are parsed: without a chat template, writing them is the only
// way to give a model the form that it was trained on.
hearth_status talk_append(talk *t, str text, hearth_err *err)
{
    tok_options o = {.add_special = false, .parse_special = true};
    if (t->tokens.n == 0) HEARTH_TRY(begin_text(t, text.n == 0, err));
    return text.n ? engine_tokenize(t->e, text, o, &t->tokens, err) : HEARTH_OK;
}

hearth_status talk_ask(talk *t, str text, str joiner, hearth_err *err)
{
    if (t->d.is_on) return dialog_ask(t, text, err);
    if (t->tokens.n > 0 && !t->ends_in_newline) HEARTH_TRY(talk_append(t, joiner, err));
    return talk_append(t, text, err);
}

// --- answer -------------------------------------------------------------------------------------

static hearth_status keep_logprobs(talk *t, const generate_event *g, hearth_err *err)
{
    talk_logprob record = {.id = g->token, .logprob = g->logprob, .n_top = g->n_top};
    memcpy(record.top, g->top, sizeof record.top);
    if (buf_append(&t->logprobs, &record, sizeof record) == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, t->logprobs.failed, "out of memory for the log-probabilities");
}

static hearth_status show_text(talk *t, str text, hearth_err *err)
{
    if (text.n == 0) return HEARTH_OK;
    if (t->d.is_on) return dialog_take(t, text, err);
    t->ends_in_newline = text.p[text.n - 1] == '\n';
    if (t->keeps_text) {
        if (buf_append_str(&t->text, text) == HEARTH_OK) return HEARTH_OK;
        return err_fail(err, t->text.failed, "out of memory for the answer");
    }
    progress_clear(t->c);
    out_text(t->c, text);
    return out_flush(t->c, err);
}

static hearth_status take_event(talk *t, const engine_event *ev, hearth_err *err)
{
    t->finish = ev->gen.finish;
    t->stats = ev->stats;
    if (ev->prompt_total > 0) {
        progress_show(t->c, "reading the prompt: %lld of %lld tokens", (long long)ev->prompt_done,
                      (long long)ev->prompt_total);
    }
    if (ev->gen.has_token) {
        HEARTH_TRY(tok_ids_push(&t->tokens, ev->gen.token, err));
        if (t->o.n_logprobs > 0) HEARTH_TRY(keep_logprobs(t, &ev->gen, err));
    }
    return show_text(t, ev->gen.text, err);
}

static hearth_status pull_events(talk *t, hearth_err *err)
{
    hearth_status st = HEARTH_OK;
    t->finish = GENERATE_RUNNING;
    while (st == HEARTH_OK && t->finish == GENERATE_RUNNING) {
        engine_event ev;
        if (os_interrupted()) engine_cancel(t->e, t->s);
        st = engine_next(t->e, t->s, &ev, err);
        if (st == HEARTH_OK) st = take_event(t, &ev, err);
    }
    if (st == HEARTH_E_CANCELED) {
        t->finish = GENERATE_CANCELED;
        err_clear(err);
        st = HEARTH_OK;
    }
    return st;
}

// Said before hours of reading, not after.
static hearth_status check_length(const talk *t, hearth_err *err)
{
    int64_t n_ctx = engine_get_info(t->e)->n_ctx;
    if ((int64_t)t->tokens.n <= n_ctx) return HEARTH_OK;
    return err_fail(err, HEARTH_E_LIMIT, "the prompt has %zu tokens, the context %lld (see -c)",
                    t->tokens.n, (long long)n_ctx);
}

hearth_status talk_answer(talk *t, hearth_err *err)
{
    HEARTH_TRY(check_length(t, err));
    buf_reset(&t->text);
    buf_reset(&t->logprobs);
    t->n_prompt = t->tokens.n;
    t->ends_in_newline = false;
    t->o.sampling.seed = t->seed;
    HEARTH_TRY(engine_start(t->e, t->s, t->tokens.id, (int64_t)t->tokens.n, &t->o, err));
    watch *w = watch_start(t->e, t->s);
    hearth_status st = pull_events(t, err);
    watch_stop(w);
    progress_clear(t->c);
    return st == HEARTH_OK && t->d.is_on ? dialog_finish(t, err) : st;
}

// --- numbers ------------------------------------------------------------------------------------

const char *talk_finish_name(generate_finish f)
{
    switch (f) {
    case GENERATE_RUNNING: return "running";
    case GENERATE_END_TOKEN: return "end";
    case GENERATE_STOP_STRING: return "stop";
    case GENERATE_LENGTH: return "length";
    case GENERATE_CONTEXT: return "context";
    case GENERATE_CANCELED: return "canceled";
    }
    return "unknown";
}

static double per_second(int64_t n, uint64_t ns)
{
    return ns ? (double)n * 1e9 / (double)ns : 0;
}

void talk_print_stats(talk *t)
{
    const generate_stats *s = &t->stats;
    note_always(t->c, "%sseed %llu, loaded in %.1f ms, prompt %lld tokens (%lld reused) at %.1f/s, "
                "generated %lld at %.1f/s, end: %s%s",
                err_colour(t->c, COLOUR_DIM), (unsigned long long)t->seed,
                (double)t->load_ns / 1e6, (long long)s->n_prompt,
                (long long)s->n_reused, per_second(s->n_prompt - s->n_reused, s->prompt_ns),
                (long long)s->n_generated, per_second(s->n_generated, s->generate_ns),
                talk_finish_name(t->finish), err_colour(t->c, COLOUR_NONE));
}

static void write_timings(json_writer *w, const talk *t)
{
    const generate_stats *s = &t->stats;
    json_write_key(w, "timings");
    json_write_object(w);
    put_f64(w, "load_ms", (double)t->load_ns / 1e6);
    put_f64(w, "prompt_ms", (double)s->prompt_ns / 1e6);
    put_f64(w, "prompt_tps", per_second(s->n_prompt - s->n_reused, s->prompt_ns));
    put_f64(w, "generation_ms", (double)s->generate_ns / 1e6);
    put_f64(w, "generation_tps", per_second(s->n_generated, s->generate_ns));
    json_write_object_end(w);
}

static void write_logprob(json_writer *w, const talk_logprob *p)
{
    json_write_object(w);
    put_i64(w, "id", p->id);
    put_f64(w, "logprob", (double)p->logprob);
    json_write_key(w, "top");
    json_write_array(w);
    for (int i = 0; i < p->n_top; i++) {
        json_write_object(w);
        put_i64(w, "id", p->top[i].id);
        put_f64(w, "logprob", (double)p->top[i].logprob);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_logprobs(json_writer *w, const talk *t)
{
    json_write_key(w, "logprobs");
    json_write_array(w);
    for (size_t at = 0; at < t->logprobs.n; at += sizeof(talk_logprob)) {
        talk_logprob p;
        memcpy(&p, t->logprobs.p + at, sizeof p);
        write_logprob(w, &p);
    }
    json_write_array_end(w);
}

void talk_print_json(talk *t, const char *source)
{
    json_writer w;
    json_write_init(&w, &t->c->out);
    json_write_object(&w);
    put_text(&w, "model", str_from(source));
    put_text(&w, "text", buf_str(&t->text));
    if (t->d.is_on) dialog_write(&w, t);
    json_write_key(&w, "tokens");
    json_write_array(&w);
    for (size_t i = t->n_prompt; i < t->tokens.n; i++) json_write_i64(&w, t->tokens.id[i]);
    json_write_array_end(&w);
    put_text(&w, "finish", str_from(talk_finish_name(t->finish)));
    put_i64(&w, "seed", (int64_t)t->seed);
    put_i64(&w, "n_prompt", t->stats.n_prompt);
    put_i64(&w, "n_reused", t->stats.n_reused);
    put_i64(&w, "n_generated", t->stats.n_generated);
    put_i64(&w, "threads", engine_get_info(t->e)->n_threads);
    write_timings(&w, t);
    if (t->o.n_logprobs > 0) write_logprobs(&w, t);
    json_write_object_end(&w);
    out_bytes(t->c, STR("\n"));
}
