// Generations of the engine in this process: several sessions in one step of the model.
//
//   sessions that decode    one row each, in turns when there are more than rows
//   sessions in a prompt    an equal share of the rows that are left, cut to PROMPT_ROWS_BESIDE in
//                           all while somebody decodes: tokens then come at least every step of
//                           that many rows, and the prompt still runs at the speed of a batch
//
//   collect rows -> llm_step -> each session takes its logits and draws
//
// Steps are all or nothing. One that llm_cancel() stopped is run again, so a cancel that hits the
// wrong step by a race is noticed by nobody; it is only sent while its session is alone, since one
// session's cancel must not cost the others a step: among others the session leaves after the
// running step. When the shared context is full, sessions step one by one to learn who has no room.
#include "engine/local.h"

enum { PROMPT_ROWS_BESIDE = 128 };

// --- one step -----------------------------------------------------------------------------------

static void ask_rows(engine_local *e, local_span *span, int max, hearth_err *failed)
{
    span->first = e->n_rows;
    span->n_rows = 0;
    generate_rows(span->slot->running, e->rows + e->n_rows, max, &span->n_rows, failed);
    e->n_rows += span->n_rows;
}

static bool is_decoding(const local_span *span)
{
    return generate_get_stats(span->slot->running)->n_generated > 0;
}

static int count_decoding(const engine_local *e, int n)
{
    int n_decoding = 0;
    for (int i = 0; i < n; i++) n_decoding += is_decoding(&e->spans[i]);
    return n_decoding;
}

static void collect_rows(engine_local *e, int n, engine_news *news)
{
    int n_decoding = count_decoding(e, n);
    e->n_rows = 0;
    for (int i = 0; i < n; i++)
        if (is_decoding(&e->spans[i]))
            ask_rows(e, &e->spans[i], int_min(1, e->o.n_batch - e->n_rows), &news[i].failed);
    int room = e->o.n_batch - e->n_rows;
    if (n_decoding > 0) room = int_min(room, PROMPT_ROWS_BESIDE);
    int share = n > n_decoding ? int_max(room / (n - n_decoding), 1) : 0;
    for (int i = 0; i < n; i++)
        if (!is_decoding(&e->spans[i]))
            ask_rows(e, &e->spans[i], int_min(share, e->o.n_batch - e->n_rows), &news[i].failed);
}

static void step_alone(engine_local *e, const local_span *span, hearth_err *failed)
{
    hearth_err own = ERR_INIT;
    generation *g = span->slot->running;
    uint64_t begin = os_now_ns();
    hearth_status status = llm_step(e->ctx, e->rows + span->first, span->n_rows, &own);
    if (status == HEARTH_OK) generate_took(g, span->n_rows, 0, os_now_ns() - begin);
    else generate_refused(g, status, &own, failed);
}

// HEARTH_E_CANCELED: nothing was done. Other failures are in the news.
static hearth_status run_rows(engine_local *e, int n, engine_news *news)
{
    if (e->n_rows == 0) return HEARTH_OK;
    hearth_err own = ERR_INIT;
    uint64_t begin = os_now_ns();
    hearth_status status = llm_step(e->ctx, e->rows, e->n_rows, &own);
    uint64_t ns = os_now_ns() - begin;
    if (status == HEARTH_E_CANCELED) return status;
    for (int i = 0; i < n; i++) {
        local_span *span = &e->spans[i];
        if (span->n_rows == 0) continue;
        if (status == HEARTH_OK)
            generate_took(span->slot->running, span->n_rows, span->first, ns);
        else if (status == HEARTH_E_LIMIT)
            step_alone(e, span, &news[i].failed);
        else
            news[i].failed = own;
    }
    return HEARTH_OK;
}

// False: there is nothing to tell of this session yet.
static bool take_news(const local_span *span, engine_news *out)
{
    generation *g = span->slot->running;
    engine_event *event = &out->event;
    if (out->failed.status == HEARTH_OK && generate_is_ready(g))
        generate_take(g, &event->gen, &out->failed);
    else if (out->failed.status != HEARTH_OK || span->n_rows == 0)
        return out->failed.status != HEARTH_OK;
    else
        generate_in_prompt(g, &event->prompt_done, &event->prompt_total);
    event->stats = *generate_get_stats(g);
    return true;
}

// `computing` is set before `cancel` is read, and local_cancel() writes `cancel` before it reads
// `computing`: one of the two sees the other.
static hearth_status try_step(engine_local *e, int n, engine_news *news)
{
    atomic_store(&e->computing, n == 1 ? e->spans[0].slot->id : 0);
    for (int i = 0; i < n; i++) {
        local_slot *slot = e->spans[i].slot;
        news[i] = (engine_news){.session = slot->id, .event.gen.token = TOK_NONE};
        if (atomic_load(&slot->cancel) == slot->id) generate_cancel(slot->running);
    }
    collect_rows(e, n, news);
    hearth_status status = run_rows(e, n, news);
    atomic_store(&e->computing, 0);
    if (status == HEARTH_E_CANCELED) llm_cancel_clear(e->ctx);
    return status;
}

// One step of the first n spans; news[i] is filled for each of them.
static hearth_status step_spans(engine_local *e, int n, engine_news *news, hearth_err *err)
{
    hearth_status status;
    do {
        status = try_step(e, n, news);
    } while (status == HEARTH_E_CANCELED && !atomic_load(&e->stopping));
    return status == HEARTH_OK ? HEARTH_OK : err_fail(err, status, "canceled");
}

// --- calls --------------------------------------------------------------------------------------

hearth_status local_start(engine *base, engine_session s, const int32_t *prompt, int64_t n,
                          const generate_options *o, hearth_err *err)
{
    engine_local *e = as_local(base);
    local_slot *slot;
    generation *g = NULL;
    HEARTH_TRY(local_find_slot(e, s, &slot, err));
    generate_options with = *o;
    if (o->constraint != GRAM_NONE && !e->vocab)
        HEARTH_TRY(gram_vocab_create(e->t, &e->vocab, err));
    with.vocab = e->vocab;
    HEARTH_TRY(generate_start(slot->session, e->t, prompt, n, &with, &g, err));
    generate_free(slot->running);
    slot->running = g;
    atomic_store(&slot->cancel, 0);
    return HEARTH_OK;
}

hearth_status local_next(engine *base, engine_session s, engine_event *out, hearth_err *err)
{
    engine_local *e = as_local(base);
    local_slot *slot;
    engine_news news;
    HEARTH_TRY(local_find_slot(e, s, &slot, err));
    if (!slot->running) return err_fail(err, HEARTH_E_STATE, "session %u generates nothing", s);
    e->spans[0] = (local_span){.slot = slot};
    HEARTH_TRY(step_spans(e, 1, &news, err));
    take_news(&e->spans[0], &news);
    *out = news.event;
    if (news.failed.status == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, news.failed.status, "%s", news.failed.msg);
}

static int list_running(engine_local *e)
{
    int n = 0, n_seq = e->o.n_seq;
    for (int i = 0; i < n_seq; i++) {
        local_slot *slot = &e->slots[(e->n_steps + (uint32_t)i) % (uint32_t)n_seq];
        if (slot->id == 0 || !slot->running || generate_has_ended(slot->running)) continue;
        e->spans[n++] = (local_span){.slot = slot};
    }
    return n;
}

static void drop_failed(local_slot *slot)
{
    generate_free(slot->running);
    slot->running = NULL;
}

hearth_status local_step(engine *base, engine_news *out, int *n, hearth_err *err)
{
    engine_local *e = as_local(base);
    if (!e->ctx) return err_fail(err, HEARTH_E_STATE, "the model is open for its metadata only");
    int n_running = list_running(e);
    if (n_running == 0) return HEARTH_OK;
    e->n_steps++;
    HEARTH_TRY(step_spans(e, n_running, out, err));
    for (int i = 0; i < n_running; i++) {
        if (!take_news(&e->spans[i], &out[i])) continue;
        if (out[i].failed.status != HEARTH_OK) drop_failed(e->spans[i].slot);
        if (*n != i) out[*n] = out[i];
        ++*n;
    }
    return HEARTH_OK;
}

void local_cancel(engine *base, engine_session s)
{
    engine_local *e = as_local(base);
    if (!e->slots || s == 0) return;
    for (int i = 0; i < e->o.n_seq; i++)
        if (e->slots[i].id == s) atomic_store(&e->slots[i].cancel, s);
    if (atomic_load(&e->computing) == s) llm_cancel(e->ctx);
}

void engine_local_interrupt(engine *base)
{
    engine_local *e = as_local(base);
    atomic_store(&e->stopping, true);
    if (e->ctx) llm_cancel(e->ctx);
}
