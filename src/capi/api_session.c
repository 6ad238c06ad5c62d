// Public functions on sessions and their generations.
#include <string.h>

#include "capi/api_int.h"
#include "defs/limits.h"
#include "os/os.h"

hearth_status hearth_session_create(hearth_model *model, hearth_session **out, hearth_error *error)
{
    if (!model || !out) return api_refuse(error, "hearth_session_create: an argument is NULL");
    hearth_err err = ERR_INIT;
    *out = NULL;
    hearth_session *s = mem_alloc_zero(MEM_MISC, 1, sizeof *s);
    if (!s) return api_report(err_fail(&err, HEARTH_E_NOMEM, "out of memory"), &err, error);
    s->model = model;
    hearth_status status = engine_session_open(model->e, &s->id, &err);
    if (status == HEARTH_OK) *out = s;
    else mem_free(s);
    return api_report(status, &err, error);
}

void hearth_session_free(hearth_session *session)
{
    if (!session) return;
    engine_session_close(session->model->e, session->id);
    mem_free(session);
}

hearth_status hearth_session_export(hearth_session *session, void **bytes, size_t *n,
                                    hearth_error *error)
{
    if (!session || !bytes || !n)
        return api_refuse(error, "hearth_session_export: an argument is NULL");
    hearth_err err = ERR_INIT;
    buf out;
    *bytes = NULL;
    buf_init(&out, MEM_MISC, PTRDIFF_MAX);
    hearth_status status = engine_session_export(session->model->e, session->id, &out, &err);
    if (status == HEARTH_OK) {
        *bytes = out.p;
        *n = out.n;
    } else {
        buf_release(&out);
    }
    return api_report(status, &err, error);
}

hearth_status hearth_session_import(hearth_session *session, const void *bytes, size_t n,
                                    hearth_error *error)
{
    if (!session || !bytes) return api_refuse(error, "hearth_session_import: an argument is NULL");
    hearth_err err = ERR_INIT;
    return api_report(engine_session_import(session->model->e, session->id, bytes, n, &err), &err,
                      error);
}

// --- options ------------------------------------------------------------------------------------

// Members of both records with the same meaning: X(public, internal).
#define SAME_MEMBERS(X)                                                                        \
    X(temperature, temperature) X(dynatemp_range, dynatemp_range)                              \
    X(dynatemp_exponent, dynatemp_exponent) X(top_p, top_p) X(min_p, min_p)                    \
    X(typical_p, typical_p) X(top_n_sigma, top_n_sigma) X(xtc_probability, xtc_probability)    \
    X(xtc_threshold, xtc_threshold) X(repeat_penalty, repeat_penalty)                          \
    X(presence_penalty, presence_penalty) X(frequency_penalty, frequency_penalty)              \
    X(dry_multiplier, dry_multiplier) X(dry_base, dry_base) X(mirostat_tau, mirostat_tau)      \
    X(mirostat_eta, mirostat_eta) X(top_k, top_k) X(repeat_last_n, repeat_last_n)              \
    X(dry_allowed_length, dry_allowed_length) X(dry_penalty_last_n, dry_last_n)                \
    X(mirostat, mirostat) X(min_keep, min_keep)

void hearth_generate_options_default(hearth_generate_options *options)
{
    sampler_params p;
    sampler_params_default(&p);
    *options = (hearth_generate_options){.size = sizeof *options, .n_predict = -1,
                                         .seed = HEARTH_SEED_RANDOM};
#define TO_PUBLIC(name, internal) options->name = p.internal;
    SAME_MEMBERS(TO_PUBLIC)
#undef TO_PUBLIC
}

// The arrays of a call in the internal form.
typedef struct lists {
    str stop[LIMIT_STOP_STRINGS];
    sampler_bias *bias;
} lists;

static hearth_status convert_lists(const hearth_generate_options *o, generate_options *to, lists *l,
                                   hearth_err *err)
{
    if (o->n_stop > LIMIT_STOP_STRINGS || o->n_bias > LIMIT_LOGIT_BIAS)
        return err_fail(err, HEARTH_E_LIMIT, "%zu stop strings and %zu biases, at most %d and %d",
                        o->n_stop, o->n_bias, LIMIT_STOP_STRINGS, LIMIT_LOGIT_BIAS);
    for (size_t i = 0; i < o->n_stop; i++) l->stop[i] = str_from(o->stop[i]);
    to->stop = l->stop;
    to->n_stop = o->n_stop;
    if (o->n_bias == 0) return HEARTH_OK;
    l->bias = mem_alloc_zero(MEM_MISC, o->n_bias, sizeof *l->bias);
    if (!l->bias) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    for (size_t i = 0; i < o->n_bias; i++)
        l->bias[i] = (sampler_bias){o->bias[i].id, o->bias[i].bias};
    to->sampling.bias = l->bias;
    to->sampling.n_bias = o->n_bias;
    return HEARTH_OK;
}

static hearth_status convert_options(const hearth_generate_options *o, generate_options *to,
                                     lists *l, hearth_err *err)
{
    generate_options_default(to);
    to->n_predict = o->n_predict;
    to->ignore_end = o->ignore_end != 0;
    to->special = o->show_special != 0;
    to->hide_end = o->hide_end != 0;
    to->n_logprobs = o->n_logprobs;
    to->sampling.seed = o->seed;
#define TO_INTERNAL(name, internal) to->sampling.internal = o->name;
    SAME_MEMBERS(TO_INTERNAL)
#undef TO_INTERNAL
    if (o->samplers)
        HEARTH_TRY(sampler_parse_order(str_from(o->samplers), &to->sampling, err));
    if (o->seed == HEARTH_SEED_RANDOM)
        HEARTH_TRY(os_random(&to->sampling.seed, sizeof to->sampling.seed, err));
    return convert_lists(o, to, l, err);
}

// --- generation ---------------------------------------------------------------------------------

hearth_status hearth_generate_start(hearth_session *session, const int32_t *prompt, size_t n,
                                    const hearth_generate_options *options, hearth_error *error)
{
    if (!session || !prompt) return api_refuse(error, "hearth_generate_start: an argument is NULL");
    if (n < 1 || n > LIMIT_CONTEXT)
        return api_refuse(error, "hearth_generate_start: the prompt is empty or too long");
    hearth_generate_options o;
    hearth_generate_options_default(&o);
    if (options && !api_read_sized(&o, sizeof o, options))
        return api_refuse(error, "hearth_generate_start: options.size is not one of this version");
    hearth_err err = ERR_INIT;
    generate_options internal;
    lists l = {.bias = NULL};
    hearth_status status = convert_options(&o, &internal, &l, &err);
    if (status == HEARTH_OK)
        status = engine_start(session->model->e, session->id, prompt, (int64_t)n, &internal, &err);
    mem_free(l.bias);
    return api_report(status, &err, error);
}

static hearth_event convert_event(hearth_session *s, const engine_event *e)
{
    for (int i = 0; i < e->gen.n_top; i++)
        s->top[i] = (hearth_logprob){e->gen.top[i].id, e->gen.top[i].logprob};
    return (hearth_event){
        .size = sizeof(hearth_event), .finish = (hearth_finish)e->gen.finish,
        .token = e->gen.has_token ? e->gen.token : -1, .logprob = e->gen.logprob,
        .text = e->gen.text.n ? e->gen.text.p : "", .text_bytes = e->gen.text.n,
        .top = s->top, .n_top = (size_t)e->gen.n_top,
        .prompt_done = e->prompt_done, .prompt_total = e->prompt_total,
        .n_prompt = e->stats.n_prompt, .n_reused = e->stats.n_reused,
        .n_generated = e->stats.n_generated, .prompt_ns = e->stats.prompt_ns,
        .generate_ns = e->stats.generate_ns,
    };
}

STATIC_ASSERT((int)HEARTH_FINISH_CANCELED == (int)GENERATE_CANCELED, "the same numbers");

static hearth_status next_event(hearth_session *s, hearth_event *out, hearth_err *err)
{
    engine_event e;
    HEARTH_TRY(engine_next(s->model->e, s->id, &e, err));
    *out = convert_event(s, &e);
    return HEARTH_OK;
}

hearth_status hearth_generate_next(hearth_session *session, hearth_event *event,
                                   hearth_error *error)
{
    if (!session || !event) return api_refuse(error, "hearth_generate_next: an argument is NULL");
    if (event->size < sizeof event->size || event->size > sizeof *event)
        return api_refuse(error, "hearth_generate_next: event.size is not one of this version");
    hearth_event all;
    hearth_err err = ERR_INIT;
    hearth_status status = next_event(session, &all, &err);
    if (status == HEARTH_OK) api_write_sized(event, &all, sizeof all);
    return api_report(status, &err, error);
}

void hearth_generate_cancel(hearth_session *session)
{
    if (session) engine_cancel(session->model->e, session->id);
}

hearth_status hearth_generate(hearth_session *session, const int32_t *prompt, size_t n,
                              const hearth_generate_options *options, hearth_event_fn on_event,
                              void *ctx, hearth_error *error)
{
    if (!on_event) return api_refuse(error, "hearth_generate: 'on_event' is NULL");
    HEARTH_TRY(hearth_generate_start(session, prompt, n, options, error));
    hearth_event event;
    hearth_err err = ERR_INIT;
    hearth_status status;
    do {
        status = next_event(session, &event, &err);
        if (status == HEARTH_OK && on_event(ctx, &event) != 0 && event.finish == HEARTH_RUNNING)
            hearth_generate_cancel(session);
    } while (status == HEARTH_OK && event.finish == HEARTH_RUNNING);
    return api_report(status, &err, error);
}
