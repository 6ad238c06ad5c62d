// See ask in server_int.h: one job that uses a model's engine once and answers with one object.
//
// Held like a turn: by who submits it and by the job, freed by the last of them.
#include "server/ask.h"

#include <stdio.h>

#include "base/mem.h"
#include "os/os.h"

struct asking {
    ask a;
    const ask_kind *kind;
    server *s;
    listen_exchange *x;
    sched_job *_Atomic job;
    atomic_bool is_gone;
    atomic_int holds;
};

static void free_asking(asking *g)
{
    sched_job *job = atomic_load(&g->job);
    if (job) sched_release(g->s->sched, job);
    listen_release(g->x);
    mem_free(g->a.texts);
    json_decref(g->a.reply);
    json_decref(g->a.body);
    mem_free(g);
}

static void let_go(asking *g)
{
    if (atomic_fetch_sub(&g->holds, 1) == 1) free_asking(g);
}

static hearth_status call(void *ctx, engine *e, hearth_err *err)
{
    asking *g = ctx;
    g->a.loaded_ns = os_now_ns();
    return g->kind->run(&g->a, e, err);
}

static void hear_done(void *ctx, const hearth_err *failed)
{
    asking *g = ctx;
    listen_on_gone(g->x, NULL, NULL);
    if (failed) {
        // What was asked for can be too long; the server's own limits are met before.
        int status = failed->status == HEARTH_E_LIMIT ? 400 : http_status(failed->status);
        g->kind->fail(g->x, status, failed->msg);
    } else {
        reply_json(g->x, 200, json_incref(g->a.reply));
    }
    let_go(g);
}

static void hear_gone(void *ctx)
{
    asking *g = ctx;
    atomic_store(&g->is_gone, true);
    sched_job *job = atomic_load(&g->job);
    if (job) sched_cancel(g->s->sched, job);
}

// The model that is named, or the only one there is.
static hearth_status find_model(const asking *g, model_entry *out, hearth_err *err)
{
    const char *name = NULL;
    HEARTH_TRY(field_str(g->a.body, "model", &name, err));
    if (name && *name) return catalog_find(g->s->models, name, out, err);
    if (g->kind->needs_model) return err_fail(err, HEARTH_E_ARG, "model is required");
    model_entry *list;
    size_t n;
    HEARTH_TRY(catalog_list(g->s->models, &list, &n, err));
    if (n == 1) *out = list[0];
    mem_free(list);
    if (n == 1) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "'model' is required: this server has %zu", n);
}

static hearth_status submit(asking *g, hearth_err *err)
{
    model_entry model;
    sched_job *job = NULL;
    ask *a = &g->a;
    HEARTH_TRY(find_model(g, &model, err));
    const char *name = json_string_value(json_object_get(a->body, "model"));
    snprintf(a->model, sizeof a->model, "%s", name && *name ? name : model.name);
    HEARTH_TRY(g->kind->read(a, err));
    sched_request r = {.source = model.path, .client = listen_client(g->x),
                       .has_keep_alive = a->has_keep_alive, .keep_alive_ns = a->keep_alive_ns,
                       .calls = {.call = call, .done = hear_done, .ctx = g}};
    listen_on_gone(g->x, hear_gone, g);
    hearth_status status = sched_submit(g->s->sched, &r, &job, err);
    if (status != HEARTH_OK) {
        listen_on_gone(g->x, NULL, NULL);
        return status;
    }
    atomic_store(&g->job, job);
    if (atomic_load(&g->is_gone)) sched_cancel(g->s->sched, job);
    let_go(g);
    return HEARTH_OK;
}

void ask_run(server *s, listen_exchange *x, const ask_kind *kind)
{
    hearth_err err = ERR_INIT;
    json_t *body = NULL;
    hearth_status status = read_body(x, &body, &err);
    asking *g = status == HEARTH_OK ? mem_alloc_zero(MEM_MISC, 1, sizeof *g) : NULL;
    if (!g) {
        json_decref(body);
        if (status == HEARTH_OK) status = err_fail(&err, HEARTH_E_NOMEM, "out of memory");
        kind->fail(x, http_status(status), err.msg);
        return;
    }
    g->a.body = body;
    g->a.begun_ns = os_now_ns();
    g->kind = kind;
    g->s = s;
    g->x = x;
    atomic_init(&g->job, NULL);
    atomic_init(&g->is_gone, false);
    atomic_init(&g->holds, 2);
    listen_hold(x);
    status = submit(g, &err);
    if (status == HEARTH_OK) return;
    if (status == HEARTH_E_LIMIT) listen_add_header(x, "Retry-After", "1", NULL);
    kind->fail(x, status == HEARTH_E_LIMIT ? 503 : http_status(status), err.msg);
    free_asking(g);
}
