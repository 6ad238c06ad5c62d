// The front of sched.h: jobs come in here; models and clients are kept in short lists.
//
// One lock guards everything that several threads see. A model's thread holds it only between
// steps; the engine, its sessions and the callbacks are used without it. Lists are searched from
// end to end: there are few models, and the queue is bounded.
#include "sched/sched_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "defs/limits.h"

enum { DEFAULT_QUEUE = 512, DEFAULT_PARALLEL = 4 };
#define DEFAULT_KEEP_ALIVE_NS UINT64_C(300000000000) // five minutes, as users of Ollama know it

void sched_options_default(sched_options *o)
{
    *o = (sched_options){.max_queue = DEFAULT_QUEUE, .keep_alive_ns = DEFAULT_KEEP_ALIVE_NS};
    engine_options_default(&o->engine);
    o->engine.place = os_has_processes() ? ENGINE_CHILD : ENGINE_LOCAL;
    o->engine.n_seq = DEFAULT_PARALLEL;
}

hearth_status sched_open(const sched_options *o, sched **out, hearth_err *err)
{
    *out = NULL;
    if (o->max_queue < 1 || o->max_loaded < 0)
        return err_fail(err, HEARTH_E_ARG, "a queue of %d jobs for %d models", o->max_queue,
                        o->max_loaded);
    if (!os_has_threads())
        return err_fail(err, HEARTH_E_UNSUPPORTED, "serving needs threads, which are not here");
    sched *s = mem_alloc_zero(MEM_MISC, 1, sizeof *s);
    if (!s) return err_fail(err, HEARTH_E_NOMEM, "scheduler: out of memory");
    s->o = *o;
    hearth_status status = os_mutex_create(&s->lock, err);
    if (status == HEARTH_OK) status = os_cond_create(&s->changed, err);
    if (status != HEARTH_OK) {
        sched_close(s);
        return status;
    }
    *out = s;
    return HEARTH_OK;
}

void sched_log(const sched *s, const char *fmt, ...)
{
    if (!s->o.log) return;
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    s->o.log(s->o.log_ctx, line);
}

// --- models -------------------------------------------------------------------------------------

static sched_model *find_model(const sched *s, const char *source)
{
    for (sched_model *m = s->models; m; m = m->next)
        if (!m->must_leave && !m->has_left && !strcmp(m->source, source)) return m;
    return NULL;
}

static void free_model(sched_model *m)
{
    os_cond_free(m->changed);
    mem_free(m->source);
    mem_free(m);
}

// Joins the threads of models that have left; the lock is given up meanwhile.
static void bury_models(sched *s)
{
    sched_model **at = &s->models;
    while (*at) {
        sched_model *m = *at;
        if (!m->has_left) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        os_mutex_unlock(s->lock);
        os_thread_join(m->thread);
        free_model(m);
        os_mutex_lock(s->lock);
        at = &s->models;
    }
}

static hearth_status add_model(sched *s, const char *source, sched_model **out, hearth_err *err)
{
    size_t n = strlen(source);
    if (n == 0 || n > LIMIT_PATH)
        return err_fail(err, HEARTH_E_ARG, "model name of %zu bytes, expected 1 to %d", n,
                        LIMIT_PATH);
    sched_model *m = mem_alloc_zero(MEM_MISC, 1, sizeof *m);
    if (!m) return err_fail(err, HEARTH_E_NOMEM, "scheduler: out of memory");
    m->s = s;
    m->keep_alive_ns = s->o.keep_alive_ns;
    m->source = mem_alloc(MEM_MISC, n + 1);
    hearth_status status = HEARTH_OK;
    if (m->source) memcpy(m->source, source, n + 1);
    else status = err_fail(err, HEARTH_E_NOMEM, "scheduler: out of memory");
    if (status == HEARTH_OK) status = os_cond_create(&m->changed, err);
    if (status == HEARTH_OK) status = os_thread_start(sched_run_model, m, &m->thread, err);
    if (status != HEARTH_OK) {
        free_model(m);
        return status;
    }
    m->next = s->models;
    s->models = m;
    *out = m;
    return HEARTH_OK;
}

bool sched_is_idle(const sched_model *m)
{
    return m->n_running == 0 && m->n_queued == 0;
}

// --- clients ------------------------------------------------------------------------------------

// A client that comes begins where the least served one stands, so that nobody gains by staying
// away, or by coming often.
sched_client *sched_find_client(sched *s, const char *name)
{
    uint64_t least = UINT64_MAX;
    for (sched_client *c = s->clients; c; c = c->next) {
        if (!strncmp(c->name, name, sizeof c->name - 1)) return c;
        if (c->served < least) least = c->served;
    }
    sched_client *c = mem_alloc_zero(MEM_MISC, 1, sizeof *c);
    if (!c) return NULL;
    snprintf(c->name, sizeof c->name, "%s", name);
    c->served = s->clients ? least : 0;
    c->next = s->clients;
    s->clients = c;
    return c;
}

static void leave_client(sched *s, sched_client *c)
{
    if (--c->n_jobs > 0) return;
    sched_client **at = &s->clients;
    while (*at != c) at = &(*at)->next;
    *at = c->next;
    mem_free(c);
}

void sched_count_tokens(sched_job *j, uint64_t tokens)
{
    if (tokens <= j->n_counted) return;
    j->client->served += tokens - j->n_counted;
    j->n_counted = tokens;
}

// --- jobs ---------------------------------------------------------------------------------------

static bool goes_before(const sched_job *a, const sched_job *b)
{
    if (a->is_canceled != b->is_canceled) return a->is_canceled; // it only has to be told so
    if (a->priority != b->priority) return a->priority > b->priority;
    return a->client->served < b->client->served; // the older one, which comes first in the list
}

sched_job *sched_pick_job(sched_model *m)
{
    sched_job **best = NULL;
    for (sched_job **at = &m->queue; *at; at = &(*at)->next)
        if (!best || goes_before(*at, *best)) best = at;
    if (!best) return NULL;
    sched_job *j = *best;
    *best = j->next;
    j->next = NULL;
    m->n_queued--;
    m->s->stats.n_queued--;
    return j;
}

static void count_end(sched *s, const sched_job *j, const hearth_err *failed)
{
    if (j->is_canceled) s->stats.n_canceled++;
    else if (failed) s->stats.n_failed++;
    else s->stats.n_finished++;
}

void sched_end_job(sched_job *j, const hearth_err *failed)
{
    sched *s = j->model->s;
    sched_calls calls = j->calls;
    count_end(s, j, failed);
    leave_client(s, j->client);
    j->client = NULL;
    j->model = NULL;
    j->state = JOB_DONE;
    bool is_released = j->is_released;
    os_mutex_unlock(s->lock);
    calls.done(calls.ctx, failed);
    if (is_released) mem_free(j);
    os_mutex_lock(s->lock);
}

static void enqueue(sched_model *m, sched_job *j)
{
    sched_job **at = &m->queue;
    while (*at) at = &(*at)->next;
    *at = j;
    m->n_queued++;
    m->s->stats.n_queued++;
    m->s->stats.n_submitted++;
    os_cond_signal(m->changed);
}

static hearth_status submit_locked(sched *s, const sched_request *r, sched_job *j, hearth_err *err)
{
    bury_models(s);
    if (s->is_closing) return err_fail(err, HEARTH_E_STATE, "the server is shutting down");
    if (s->stats.n_queued >= s->o.max_queue) {
        s->stats.n_refused++;
        return err_fail(err, HEARTH_E_LIMIT, "server busy: %d requests wait already",
                        s->stats.n_queued);
    }
    sched_model *m = find_model(s, r->source);
    if (!m) HEARTH_TRY(add_model(s, r->source, &m, err));
    j->client = sched_find_client(s, r->client);
    if (!j->client) return err_fail(err, HEARTH_E_NOMEM, "scheduler: out of memory");
    j->client->n_jobs++;
    j->model = m;
    j->keep_alive_ns = r->has_keep_alive ? r->keep_alive_ns : s->o.keep_alive_ns;
    enqueue(m, j);
    return HEARTH_OK;
}

hearth_status sched_submit(sched *s, const sched_request *r, sched_job **out, hearth_err *err)
{
    *out = NULL;
    ASSERT(r->calls.done && !r->calls.prepare == !!r->calls.call);
    sched_job *j = mem_alloc_zero(MEM_MISC, 1, sizeof *j);
    if (!j) return err_fail(err, HEARTH_E_NOMEM, "scheduler: out of memory");
    j->calls = r->calls;
    j->priority = r->priority;
    os_mutex_lock(s->lock);
    *out = j; // before done() can come
    hearth_status status = submit_locked(s, r, j, err);
    os_mutex_unlock(s->lock);
    if (status == HEARTH_OK) return HEARTH_OK;
    *out = NULL;
    mem_free(j);
    return status;
}

void sched_cancel(sched *s, sched_job *job)
{
    os_mutex_lock(s->lock);
    if (job->state != JOB_DONE && !job->is_canceled) {
        job->is_canceled = true;
        // The engine is open while one of its jobs runs.
        if (job->state == JOB_RUNNING && job->session) engine_cancel(job->model->e, job->session);
        os_cond_signal(job->model->changed);
    }
    os_mutex_unlock(s->lock);
}

void sched_release(sched *s, sched_job *job)
{
    os_mutex_lock(s->lock);
    bool is_done = job->state == JOB_DONE;
    job->is_released = true;
    os_mutex_unlock(s->lock);
    if (is_done) mem_free(job);
}

int sched_position(sched *s, const sched_job *job)
{
    int n = 0;
    bool is_older = true; // than the job: so is what stands before it in the list
    os_mutex_lock(s->lock);
    for (sched_job *at = job->state == JOB_QUEUED ? job->model->queue : NULL; at; at = at->next) {
        if (at == job) is_older = false;
        else n += goes_before(at, job) || (is_older && !goes_before(job, at));
    }
    os_mutex_unlock(s->lock);
    return n;
}

// --- looking and leaving ------------------------------------------------------------------------

hearth_status sched_keep_alive(sched *s, const char *source, uint64_t ns, hearth_err *err)
{
    hearth_status status = HEARTH_OK;
    os_mutex_lock(s->lock);
    sched_model *m = find_model(s, source);
    if (m) {
        m->keep_alive_ns = ns;
        os_cond_signal(m->changed);
    } else {
        status = err_fail(err, HEARTH_E_NOTFOUND, "'%s' is not loaded", source);
    }
    os_mutex_unlock(s->lock);
    return status;
}

static uint64_t expires_in(const sched_model *m)
{
    if (m->keep_alive_ns == SCHED_FOREVER) return SCHED_FOREVER;
    uint64_t idle = sched_is_idle(m) && m->is_ready ? os_now_ns() - m->idle_since : 0;
    return idle < m->keep_alive_ns ? m->keep_alive_ns - idle : 0;
}

int sched_list(sched *s, sched_loaded *out, int max)
{
    int n = 0;
    os_mutex_lock(s->lock);
    for (sched_model *m = s->models; m; m = m->next) {
        if (m->must_leave || m->has_left) continue;
        if (n < max) {
            out[n] = (sched_loaded){.info = m->info, .n_running = m->n_running,
                                    .n_queued = m->n_queued, .is_ready = m->is_ready,
                                    .expires_in_ns = expires_in(m)};
            snprintf(out[n].source, sizeof out[n].source, "%s", m->source);
        }
        n++;
    }
    os_mutex_unlock(s->lock);
    return n;
}

void sched_get_stats(sched *s, sched_stats *out)
{
    os_mutex_lock(s->lock);
    *out = s->stats;
    out->n_running = out->n_loaded = 0;
    out->bytes = 0;
    for (sched_model *m = s->models; m; m = m->next) {
        out->n_running += m->n_running;
        out->n_loaded += m->is_ready;
        out->bytes += m->bytes;
    }
    os_mutex_unlock(s->lock);
}

static void cancel_all(sched_model *m)
{
    for (sched_job *j = m->queue; j; j = j->next) j->is_canceled = true;
    for (int i = 0; i < m->n_sessions; i++) {
        sched_job *j = m->sessions[i].job;
        if (!j || j->is_canceled) continue;
        j->is_canceled = true;
        engine_cancel(m->e, m->sessions[i].id);
    }
    m->must_leave = true;
    os_cond_signal(m->changed);
}

void sched_close(sched *s)
{
    if (!s) return;
    if (s->lock && s->changed) {
        os_mutex_lock(s->lock);
        s->is_closing = true;
        for (sched_model *m = s->models; m; m = m->next) cancel_all(m);
        os_cond_broadcast(s->changed);
        while (s->models) {
            bury_models(s);
            if (s->models) os_cond_wait(s->changed, s->lock);
        }
        os_mutex_unlock(s->lock);
    }
    os_cond_free(s->changed);
    os_mutex_free(s->lock);
    mem_free(s);
}
