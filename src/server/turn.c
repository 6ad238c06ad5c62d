// A turn: from a checked request to a job, and from its events to a reply in the dialect's form.
//
//   request (listener's thread) -> sched_submit()
//   prepare (model's thread)    -> tokens of the prompt (prompt.c)
//   event                       -> reply parser -> parts -> stream, or kept for one whole reply
//   done                        -> the last frame or the whole reply, or an error
//
// The head of a stream goes out with its first part, so that what fails before it has a status code
// of its own. A turn is held by whoever submits it and by the job, and freed by the last of them;
// the client's leaving is heard until done() has told the exchange to be silent.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "defs/limits.h"
#include "os/os.h"
#include "server/server_int.h"

turn *turn_new(server *s, listen_exchange *x, const turn_dialect *d, json_t *body)
{
    turn *t = mem_alloc_zero(MEM_MISC, 1, sizeof *t);
    if (!t) return NULL;
    t->s = s;
    t->x = x;
    t->dialect = d;
    t->body = json_incref(body);
    t->calls = json_array();
    t->logprobs = json_array();
    t->begun_ns = os_now_ns();
    t->unix_seconds = os_unix_seconds();
    generate_options_default(&t->o);
    buf_init(&t->content, MEM_MISC, LIMIT_HTTP_BACKLOG);
    buf_init(&t->thinking, MEM_MISC, LIMIT_HTTP_BACKLOG);
    buf_init(&t->frame, MEM_MISC, LIMIT_HTTP_BACKLOG);
    atomic_init(&t->job, NULL);
    atomic_init(&t->is_gone, false);
    atomic_init(&t->holds, 2);
    listen_hold(x);
    return t;
}

void turn_free(turn *t)
{
    sched_job *job = atomic_load(&t->job);
    if (job) sched_release(t->s->sched, job);
    listen_release(t->x);
    reply_free(t->reader);
    buf_release(&t->content);
    buf_release(&t->thinking);
    buf_release(&t->frame);
    json_decref(t->calls);
    json_decref(t->logprobs);
    json_decref(t->body);
    mem_free(t->bias);
    mem_free(t->schema);
    mem_free(t->messages);
    mem_free(t->tools);
    mem_free(t);
}

// Reasoning would come before the JSON, which has to begin at once.
hearth_status turn_keep_to(turn *t, const json_t *schema, hearth_err *err)
{
    t->o.constraint = schema ? GRAM_SCHEMA : GRAM_JSON;
    if (t->think == ENGINE_THINK_DEFAULT) t->think = ENGINE_THINK_OFF;
    if (!schema) return HEARTH_OK;
    t->schema = json_dumps(schema, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!t->schema) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    t->o.constraint_text = str_from(t->schema);
    return HEARTH_OK;
}

hearth_status turn_read_stop(turn *t, const json_t *v, hearth_err *err)
{
    const json_t *item = v;
    size_t n = json_is_array(v) ? json_array_size(v) : v && !json_is_null(v);
    if (n > TURN_MAX_STOP)
        return err_fail(err, HEARTH_E_ARG, "'stop': %zu strings, at most %d", n, TURN_MAX_STOP);
    for (size_t i = 0; i < n; i++) {
        if (json_is_array(v)) item = json_array_get(v, i);
        if (!json_is_string(item)) return err_fail(err, HEARTH_E_ARG, "'stop' must hold strings");
        t->stop[i] = str_from(json_string_value(item));
    }
    t->o.stop = t->stop;
    t->o.n_stop = n;
    return HEARTH_OK;
}

static void let_go(turn *t)
{
    if (atomic_fetch_sub(&t->holds, 1) == 1) turn_free(t);
}

const char *turn_finish_name(const turn *t)
{
    if (t->finish == GENERATE_LENGTH || t->finish == GENERATE_CONTEXT) return "length";
    return json_array_size(t->calls) > 0 ? "tool_calls" : "stop";
}

// --- sending ------------------------------------------------------------------------------------

void turn_send(turn *t, str text)
{
    if (!t->has_begun) listen_begin(t->x, 200, t->dialect->stream_type);
    t->has_begun = true;
    if (listen_write(t->x, text, NULL) == HEARTH_OK) return;
    sched_job *job = atomic_load(&t->job);
    if (job) sched_cancel(t->s->sched, job);
}

static void keep_part(turn *t, const reply_part *p)
{
    if (p->kind != REPLY_CALL) {
        buf *kept = p->kind == REPLY_CONTENT ? &t->content : &t->thinking;
        if (buf_append_str(kept, p->text) != HEARTH_OK) t->is_short = true;
    }
    if (p->kind != REPLY_CALL) return;
    char id[40];
    if (p->id.n > 0) snprintf(id, sizeof id, "%.*s", (int)size_min(p->id.n, 39), p->id.p);
    else snprintf(id, sizeof id, "call_%s%d", t->id[0] ? t->id + strlen(t->id) - 6 : "", p->index);
    json_t *call = json_pack("{s:s,s:s%,s:s%}", "id", id, "name", p->name.p, p->name.n,
                             "arguments", p->arguments.p, p->arguments.n);
    if (json_array_append_new(t->calls, call) != 0) t->is_short = true;
}

static void tell_parts(turn *t)
{
    reply_part part;
    while (reply_next(t->reader, &part)) {
        keep_part(t, &part);
        if (t->is_stream) t->dialect->part(t, &part);
        t->n_parts++;
    }
}

// --- the job ------------------------------------------------------------------------------------

static hearth_status prepare(void *ctx, engine *e, tok_ids *prompt, generate_options *o,
                             hearth_err *err)
{
    turn *t = ctx;
    reply_style style;
    t->loaded_ns = os_now_ns();
    t->engine = e;
    if (t->wants_logprobs) HEARTH_TRY(piece_open(e, &t->lead, err));
    HEARTH_TRY(turn_read_prompt(t, e, prompt, &style, err));
    *o = t->o;
    o->n_logprobs = t->wants_logprobs ? (int)t->n_top + !t->n_top : 0;
    return reply_open(style, t->tools ? str_from(t->tools) : (str){0}, &t->reader, err);
}

static void count_time(turn *t)
{
    uint64_t now = os_now_ns();
    if (t->token_ns == 0) metrics_observe(&t->s->first_token, now - t->begun_ns);
    else metrics_observe(&t->s->next_token, now - t->token_ns);
    t->token_ns = now;
}

// What is short of memory ends here; done() says it.
static void stop_short(turn *t)
{
    sched_job *job = atomic_load(&t->job);
    t->is_short = true;
    if (job) sched_cancel(t->s->sched, job);
}

static void hear_event(void *ctx, const engine_event *event)
{
    turn *t = ctx;
    t->finish = event->gen.finish;
    t->stats = event->stats;
    if (event->gen.has_token) count_time(t);
    if (t->is_short) return;
    hearth_status status = HEARTH_OK;
    turn_keep_logprobs(t, &event->gen);
    if (event->gen.text.n > 0) status = reply_put(t->reader, event->gen.text, NULL);
    if (status == HEARTH_OK && event->gen.finish != GENERATE_RUNNING)
        status = reply_end(t->reader, NULL);
    if (status == HEARTH_OK) tell_parts(t);
    if (status != HEARTH_OK || t->is_short) {
        stop_short(t);
        return;
    }
    if (t->is_stream && t->dialect->piece) t->dialect->piece(t, event);
}

static void answer_failure(turn *t, const hearth_err *failed)
{
    int status = http_status(failed->status);
    if (t->n_too_long > 0 && t->dialect->too_long) {
        t->dialect->too_long(t, failed->msg);
        return;
    }
    // While a prompt is read only its length can be a limit; a model's bytes are the server's.
    // The same with a schema that asks for what cannot be kept to.
    bool is_started = t->reader || t->n_too_long > 0;
    bool is_theirs = failed->status == HEARTH_E_LIMIT || failed->status == HEARTH_E_UNSUPPORTED;
    if (is_started && is_theirs) status = 400;
    if (t->has_begun) t->dialect->broke(t, failed->msg);
    else t->dialect->fail(t->x, status, failed->msg);
}

static void hear_done(void *ctx, const hearth_err *failed)
{
    turn *t = ctx;
    listen_on_gone(t->x, NULL, NULL);
    hearth_err gap = ERR_INIT;
    if (!failed && t->is_short) err_fail(&gap, HEARTH_E_NOMEM, "out of memory");
    if (!failed && t->is_short) failed = &gap;
    if (failed) answer_failure(t, failed);
    else t->dialect->last(t);
    if (t->has_begun) listen_end(t->x);
    let_go(t);
}

static void hear_gone(void *ctx)
{
    turn *t = ctx;
    atomic_store(&t->is_gone, true);
    sched_job *job = atomic_load(&t->job);
    if (job) sched_cancel(t->s->sched, job);
}

void turn_run(turn *t, const char *name, bool has_keep_alive, uint64_t keep_alive_ns)
{
    server *s = t->s;
    model_entry model;
    hearth_err err = ERR_INIT;
    sched_job *job = NULL;
    hearth_status status = catalog_find(s->models, name, &model, &err);
    if (status != HEARTH_OK) {
        t->dialect->fail(t->x, http_status(status), err.msg);
        turn_free(t);
        return;
    }
    snprintf(t->model, sizeof t->model, "%s", name);
    sched_request r = {.source = model.path, .client = listen_client(t->x),
                       .has_keep_alive = has_keep_alive, .keep_alive_ns = keep_alive_ns,
                       .calls = {.prepare = prepare, .event = hear_event, .done = hear_done,
                                 .ctx = t}};
    listen_on_gone(t->x, hear_gone, t);
    status = sched_submit(s->sched, &r, &job, &err);
    if (status != HEARTH_OK) {
        listen_on_gone(t->x, NULL, NULL);
        if (status == HEARTH_E_LIMIT) listen_add_header(t->x, "Retry-After", "1", NULL);
        t->dialect->fail(t->x, status == HEARTH_E_LIMIT ? 503 : http_status(status), err.msg);
        turn_free(t);
        return;
    }
    atomic_store(&t->job, job);
    if (atomic_load(&t->is_gone)) sched_cancel(s->sched, job);
    let_go(t);
}
