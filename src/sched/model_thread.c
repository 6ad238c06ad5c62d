// A model's thread: opens the engine, admits jobs to its sessions, steps them together, and leaves
// when nothing has come for the keep-alive.
//
//   open (bytes permitting) -> [admit | step | wait]... -> close
//
// Bytes: the engine refuses to load beyond a limit before it takes anything. The limit is what the
// budget leaves; when that is not enough, the model that has been idle longest leaves and the
// opening is tried again; when none is idle, it waits for one. A model that does not fit alone
// fails its jobs.
//
// A job gets the free session whose cache has the longest common prefix with its prompt, among
// equals the one that was used longest ago: conversations find their own cache again.
#include "sched/sched_int.h"

#include <string.h>

// --- opening ------------------------------------------------------------------------------------

static uint64_t bytes_of_others(const sched_model *m)
{
    uint64_t n = 0;
    for (sched_model *o = m->s->models; o; o = o->next)
        if (o != m) n += o->bytes;
    return n;
}

static bool has_room_for_one(const sched_model *m)
{
    int n = 0, most = m->s->o.max_loaded;
    for (sched_model *o = m->s->models; o; o = o->next) n += o != m && o->bytes > 0;
    return most == 0 || n < most;
}

static void evict_idle(sched_model *m)
{
    sched_model *oldest = NULL;
    for (sched_model *o = m->s->models; o; o = o->next)
        if (o != m && o->is_ready && !o->must_leave && sched_is_idle(o) &&
            (!oldest || o->idle_since < oldest->idle_since))
            oldest = o;
    if (!oldest) return;
    sched_log(m->s, "%s: leaves to make room for %s", oldest->source, m->source);
    oldest->must_leave = true;
    os_cond_signal(oldest->changed);
}

static hearth_status try_open(sched_model *m, hearth_err *err)
{
    sched *s = m->s;
    engine_options o = s->o.engine;
    uint64_t taken = bytes_of_others(m);
    if (s->o.memory_limit > 0)
        o.memory_limit = taken < s->o.memory_limit ? s->o.memory_limit - taken : 1;
    s->is_opening = true;
    os_mutex_unlock(s->lock);
    engine *e = NULL;
    hearth_status status = engine_open(m->source, &o, &e, err);
    os_mutex_lock(s->lock);
    s->is_opening = false;
    os_cond_broadcast(s->changed);
    if (status != HEARTH_OK) return status;
    m->e = e;
    m->info = *engine_get_info(e);
    m->bytes = m->info.plan.total_bytes;
    return HEARTH_OK;
}

static void close_engine(sched_model *m)
{
    engine *e = m->e;
    m->e = NULL;
    m->is_ready = false;
    os_mutex_unlock(m->s->lock);
    for (int i = 0; i < m->n_sessions; i++) tok_ids_release(&m->sessions[i].held);
    mem_free(m->sessions);
    mem_free(m->news);
    engine_close(e);
    os_mutex_lock(m->s->lock);
    m->sessions = NULL;
    m->news = NULL;
    m->n_sessions = 0;
    m->bytes = 0;
}

static hearth_status take_sessions(sched_model *m, hearth_err *err)
{
    int n = m->s->o.engine.n_seq;
    m->sessions = mem_alloc_zero(MEM_MISC, (size_t)n, sizeof *m->sessions);
    m->news = mem_alloc_zero(MEM_MISC, (size_t)n, sizeof *m->news);
    if (!m->sessions || !m->news)
        return err_fail(err, HEARTH_E_NOMEM, "scheduler: out of memory");
    m->n_sessions = n;
    if (m->info.is_encoder) return HEARTH_OK; // it is only called
    for (int i = 0; i < n; i++) HEARTH_TRY(engine_session_open(m->e, &m->sessions[i].id, err));
    return HEARTH_OK;
}

// HEARTH_E_CANCELED: the model must leave.
static hearth_status open_model(sched_model *m, hearth_err *err)
{
    sched *s = m->s;
    while (!m->must_leave) {
        hearth_err own = ERR_INIT;
        bool may_try = !s->is_opening && has_room_for_one(m);
        hearth_status status = may_try ? try_open(m, &own) : HEARTH_E_LIMIT;
        if (status == HEARTH_OK) return HEARTH_OK;
        bool is_alone = bytes_of_others(m) == 0;
        if (status != HEARTH_E_LIMIT || (may_try && is_alone))
            return err_fail(err, status, "%s", own.msg);
        if (!s->is_opening) evict_idle(m);
        os_cond_wait(s->changed, s->lock);
    }
    return err_fail(err, HEARTH_E_CANCELED, "canceled");
}

// --- jobs ---------------------------------------------------------------------------------------

static size_t common_prefix(const tok_ids *a, const tok_ids *b)
{
    size_t n = 0;
    while (n < a->n && n < b->n && a->id[n] == b->id[n]) n++;
    return n;
}

static sched_session *choose_session(sched_model *m, const tok_ids *prompt)
{
    sched_session *best = NULL;
    size_t best_prefix = 0;
    for (int i = 0; i < m->n_sessions; i++) {
        sched_session *at = &m->sessions[i];
        if (at->job) continue;
        size_t prefix = common_prefix(&at->held, prompt);
        bool is_better = !best || prefix > best_prefix ||
                         (prefix == best_prefix && at->used_at < best->used_at);
        if (!is_better) continue;
        best = at;
        best_prefix = prefix;
    }
    return best;
}

static bool has_free_session(const sched_model *m)
{
    return m->n_running < m->n_sessions;
}

static void release_session(sched_model *m, sched_session *at)
{
    at->job->session = 0;
    at->job = NULL;
    m->n_running--;
}

// Without the lock: asks the job what it wants and starts it.
static hearth_status start_job(sched_model *m, sched_job *j, sched_session **out, hearth_err *err)
{
    tok_ids prompt = {0};
    generate_options o;
    generate_options_default(&o);
    if (m->info.is_encoder)
        return err_fail(err, HEARTH_E_ARG, "the model gives vectors of texts and generates none");
    hearth_status status = j->calls.prepare(j->calls.ctx, m->e, &prompt, &o, err);
    if (status == HEARTH_OK && prompt.n == 0)
        status = err_fail(err, HEARTH_E_ARG, "the prompt is empty");
    if (status == HEARTH_OK) {
        sched_session *at = choose_session(m, &prompt);
        ASSERT(at);
        status = engine_start(m->e, at->id, prompt.id, (int64_t)prompt.n, &o, err);
        if (status == HEARTH_OK) {
            tok_ids_release(&at->held);
            at->held = prompt;
            at->used_at = ++m->n_admitted;
            *out = at;
            return HEARTH_OK;
        }
    }
    tok_ids_release(&prompt);
    return status;
}

// One job from the queue. HEARTH_E_CRASHED: the engine is gone.
static hearth_status admit_job(sched_model *m, sched_job *j)
{
    sched *s = m->s;
    hearth_err failed = ERR_INIT;
    sched_session *at = NULL;
    m->keep_alive_ns = j->keep_alive_ns;
    if (j->is_canceled) {
        err_fail(&failed, HEARTH_E_CANCELED, "canceled");
        sched_end_job(j, &failed);
        return HEARTH_OK;
    }
    j->state = JOB_RUNNING;
    m->n_running++;
    os_mutex_unlock(s->lock);
    hearth_status status = j->calls.call ? j->calls.call(j->calls.ctx, m->e, &failed)
                                         : start_job(m, j, &at, &failed);
    os_mutex_lock(s->lock);
    if (status != HEARTH_OK || j->calls.call) {
        m->n_running--;
        sched_end_job(j, status == HEARTH_OK ? NULL : &failed);
        return status;
    }
    j->session = at->id;
    at->job = j;
    if (j->is_canceled) engine_cancel(m->e, at->id); // while it was being started
    return HEARTH_OK;
}

// --- steps --------------------------------------------------------------------------------------

static sched_session *find_session(sched_model *m, engine_session id)
{
    for (int i = 0; i < m->n_sessions; i++)
        if (m->sessions[i].id == id) return &m->sessions[i];
    ASSERT(false);
    return NULL;
}

static void count_stats(sched *s, const generate_stats *stats)
{
    s->stats.n_prompt_tokens += (uint64_t)stats->n_prompt;
    s->stats.n_reused_tokens += (uint64_t)stats->n_reused;
    s->stats.n_generated_tokens += (uint64_t)stats->n_generated;
}

static uint64_t computed_tokens(const engine_event *event)
{
    const generate_stats *t = &event->stats;
    int64_t prompt = event->prompt_total > 0 ? event->prompt_done : t->n_prompt - t->n_reused;
    return (uint64_t)(prompt + t->n_generated);
}

// Without the lock until the event was heard. What the session holds without the last token, which
// is not in its cache, is of no matter: one more token in common is never counted on.
static void tell_news(sched_model *m, const engine_news *news)
{
    sched *s = m->s;
    sched_session *at = find_session(m, news->session);
    sched_job *j = at->job;
    bool is_failed = news->failed.status != HEARTH_OK;
    bool is_over = is_failed || news->event.gen.finish != GENERATE_RUNNING;
    if (!is_failed) j->calls.event(j->calls.ctx, &news->event);
    if (news->event.gen.has_token && tok_ids_push(&at->held, news->event.gen.token, NULL))
        at->held.n = 0; // forgotten: the session is chosen as if it were empty
    if (is_failed) at->held.n = 0;
    os_mutex_lock(s->lock);
    sched_count_tokens(j, computed_tokens(&news->event));
    if (is_over) {
        count_stats(s, &news->event.stats);
        release_session(m, at);
        sched_end_job(j, is_failed ? &news->failed : NULL);
    }
    os_mutex_unlock(s->lock);
}

static hearth_status step_jobs(sched_model *m, hearth_err *err)
{
    int n = 0;
    os_mutex_unlock(m->s->lock);
    hearth_status status = engine_step(m->e, m->news, &n, err);
    for (int i = 0; i < n; i++) tell_news(m, &m->news[i]);
    os_mutex_lock(m->s->lock);
    return status;
}

static void fail_running(sched_model *m, const hearth_err *why)
{
    for (int i = 0; i < m->n_sessions; i++) {
        sched_job *j = m->sessions[i].job;
        if (!j) continue;
        release_session(m, &m->sessions[i]);
        sched_end_job(j, why);
    }
}

static void fail_queued(sched_model *m, const hearth_err *why)
{
    for (sched_job *j = sched_pick_job(m); j; j = sched_pick_job(m)) sched_end_job(j, why);
}

// --- the thread ---------------------------------------------------------------------------------

static void lose_engine(sched_model *m, const hearth_err *why)
{
    m->s->stats.n_crashes++;
    sched_log(m->s, "%s: %s", m->source, why->msg);
    fail_running(m, why);
}

static bool has_canceled_job(const sched_model *m)
{
    for (const sched_job *j = m->queue; j; j = j->next)
        if (j->is_canceled) return true;
    return false;
}

// Jobs run until nothing waits or runs. A failure is the engine's: it is of no more use.
static hearth_status work(sched_model *m, hearth_err *err)
{
    while (!sched_is_idle(m)) {
        while (m->queue && (has_free_session(m) || has_canceled_job(m))) {
            hearth_status status = admit_job(m, sched_pick_job(m));
            if (status == HEARTH_E_CRASHED)
                return err_fail(err, status, "the engine's process has ended");
        }
        if (m->n_running > 0) HEARTH_TRY(step_jobs(m, err));
    }
    m->idle_since = os_now_ns();
    os_cond_broadcast(m->s->changed);
    return HEARTH_OK;
}

// False: the keep-alive has passed, or the model was told to leave.
static bool wait_for_jobs(sched_model *m)
{
    while (sched_is_idle(m) && !m->must_leave) {
        if (m->keep_alive_ns == SCHED_FOREVER) {
            os_cond_wait(m->changed, m->s->lock);
            continue;
        }
        uint64_t idle = os_now_ns() - m->idle_since;
        if (idle >= m->keep_alive_ns) return false;
        os_cond_wait_for(m->changed, m->s->lock, m->keep_alive_ns - idle);
    }
    return !sched_is_idle(m);
}

static void serve(sched_model *m)
{
    hearth_err why = ERR_INIT;
    while (wait_for_jobs(m)) {
        if (work(m, &why) == HEARTH_OK) continue;
        lose_engine(m, &why);
        return;
    }
}

// The engine's life, from opening to closing. What an engine that died has left in the queue gets
// the next one.
static hearth_status live(sched_model *m, hearth_err *why)
{
    HEARTH_TRY(open_model(m, why));
    hearth_status status = take_sessions(m, why);
    if (status == HEARTH_OK) {
        m->s->stats.n_loads++;
        m->is_ready = true;
        m->idle_since = os_now_ns();
        os_cond_broadcast(m->s->changed);
        serve(m);
    }
    close_engine(m);
    os_cond_broadcast(m->s->changed);
    return status;
}

void sched_run_model(void *model)
{
    sched_model *m = model;
    sched *s = m->s;
    hearth_err why = ERR_INIT;
    os_mutex_lock(s->lock);
    hearth_status status = HEARTH_OK;
    do {
        status = live(m, &why);
    } while (status == HEARTH_OK && m->queue);
    m->must_leave = true; // jobs that come now find no entry and make a new one
    fail_queued(m, &why);
    m->has_left = true;
    os_cond_broadcast(s->changed);
    os_mutex_unlock(s->lock);
}
