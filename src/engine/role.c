// The engine process: serves one in-process engine over the channel that it was started with.
//
//   reader thread                               main thread
//   takes messages off the channel              waits for a complete request
//   CANCEL: engine_cancel() at once             runs it and answers
//   DATA: kept for the request that follows
//   a request: handed over
//   the end: stops the computation              ends
//
// The parent sends a request only after the answer to the last one, so one place between the
// threads is enough; a parent that sends more breaks the protocol and the process ends. Only the
// main thread writes. Nothing is printed: what there is to say is the parent's business.
#include "defs/limits.h"
#include "engine/engine_int.h"
#include "engine/wire.h"

typedef struct request {
    wire_header head;
    buf payload, bulk; // bulk: all DATA before it
    os_shared shared;
} request;

typedef struct role {
    os_channel *c;
    os_mutex *lock;
    os_cond *changed;
    engine *e;         // lock; set once, by OPEN
    request handed;    // lock
    bool is_handed;    // lock
    bool ended;        // lock: the channel or the protocol
    request incoming;  // reader thread
    request current;   // main thread
    buf reply;         // main thread
    engine_news *news; // main thread; as many as the engine has sequences
} role;

static void init_request(request *r)
{
    *r = (request){0};
    buf_init(&r->payload, MEM_WIRE, LIMIT_WIRE_MESSAGE);
    buf_init(&r->bulk, MEM_WIRE, LIMIT_WIRE_BULK);
}

static void release_request(request *r)
{
    buf_release(&r->payload);
    buf_release(&r->bulk);
    os_shared_close(&r->shared);
}

// Ready for the next one; small buffers are kept, so that a token costs no allocation.
static void empty_request(request *r)
{
    if (r->bulk.cap > WIRE_DATA_BYTES) buf_release(&r->bulk);
    buf_reset(&r->payload);
    buf_reset(&r->bulk);
    os_shared_close(&r->shared);
}

static void swap_requests(request *a, request *b)
{
    request t = *a;
    *a = *b;
    *b = t;
}

// --- reader thread ------------------------------------------------------------------------------

static hearth_status receive_shared(role *r, request *q, hearth_err *err)
{
    uint64_t n = 0;
    wire_io in = wire_reader(q->payload.p, q->payload.n);
    wire_u64(&in, &n);
    if (in.bad || n == 0 || n > LIMIT_SHARED || n > SIZE_MAX)
        return err_fail(err, HEARTH_E_NET, "bad size of shared memory");
    return os_shared_receive(r->c, (size_t)n, &q->shared, err);
}

static void cancel_session(role *r, engine_session s)
{
    os_mutex_lock(r->lock);
    if (r->e) engine_cancel(r->e, s);
    os_mutex_unlock(r->lock);
}

static bool hand_over(role *r)
{
    os_mutex_lock(r->lock);
    bool ok = !r->is_handed;
    if (ok) {
        swap_requests(&r->incoming, &r->handed);
        r->is_handed = true;
        os_cond_signal(r->changed);
    }
    os_mutex_unlock(r->lock);
    if (ok) empty_request(&r->incoming);
    return ok;
}

// false: the end.
static bool read_message(role *r)
{
    request *q = &r->incoming;
    bool end = false;
    if (wire_receive(r->c, &q->head, &q->payload, &end, NULL) != HEARTH_OK || end) return false;
    if (q->head.type > WIRE_DATA) return false; // replies are ours to send
    if (q->head.type == WIRE_CANCEL) {
        cancel_session(r, q->head.session);
        return true;
    }
    if (q->head.type == WIRE_DATA)
        return buf_append(&q->bulk, q->payload.p, q->payload.n) == HEARTH_OK;
    if (wire_has_shared(q->head.type) && receive_shared(r, q, NULL) != HEARTH_OK) return false;
    return hand_over(r);
}

static void read_channel(void *ctx)
{
    role *r = ctx;
    while (read_message(r)) {
    }
    os_mutex_lock(r->lock);
    r->ended = true;
    if (r->e) engine_local_interrupt(r->e);
    os_cond_signal(r->changed);
    os_mutex_unlock(r->lock);
}

// --- requests: each reads its fields, calls the engine and fills the reply -----------------------

static hearth_status bad_request(const role *r, hearth_err *err)
{
    return err_fail(err, HEARTH_E_NET, "message %s: bad fields",
                    wire_type_name(r->current.head.type));
}

static hearth_status do_open(role *r, wire_io *in, wire_io *out, hearth_err *err)
{
    str source = {0};
    engine_options o;
    engine *e = NULL;
    buf name;
    engine_options_default(&o);
    wire_open(in, &source, &o);
    if (!wire_read_all(in) || r->e) return bad_request(r, err);
    buf_init(&name, MEM_WIRE, LIMIT_PATH + 1);
    hearth_status status = buf_append_str(&name, source);
    if (status != HEARTH_OK) return err_fail(err, status, "out of memory");
    status = engine_open(name.p, &o, &e, err);
    buf_release(&name);
    if (status != HEARTH_OK) return status;
    r->news = mem_alloc_zero(MEM_WIRE, (size_t)o.n_seq, sizeof *r->news);
    if (!r->news) {
        engine_close(e);
        return err_fail(err, HEARTH_E_NOMEM, "sessions: out of memory");
    }
    os_mutex_lock(r->lock);
    r->e = e;
    os_mutex_unlock(r->lock);
    engine_info info = *engine_get_info(e);
    wire_info(out, &info);
    return HEARTH_OK;
}

static hearth_status do_plan(role *r, wire_io *in, wire_io *out, hearth_err *err)
{
    llm_ctx_options o = {0};
    llm_plan plan = {0};
    wire_ctx_options(in, &o);
    if (!wire_read_all(in)) return bad_request(r, err);
    HEARTH_TRY(engine_plan(r->e, &o, &plan, err));
    wire_plan(out, &plan);
    return HEARTH_OK;
}

static hearth_status do_describe(role *r, hearth_err *err)
{
    buf json;
    buf_init(&json, MEM_WIRE, LIMIT_WIRE_BULK);
    hearth_status status = engine_describe(r->e, &json, err);
    if (status == HEARTH_OK) status = wire_send_bulk(r->c, &r->reply, json.p, json.n, err);
    buf_release(&json);
    return status;
}

static hearth_status do_tokenize(role *r, wire_io *in, hearth_err *err)
{
    tok_options o = {0};
    tok_ids ids = {0};
    wire_bool(in, &o.add_special);
    wire_bool(in, &o.parse_special);
    if (!wire_read_all(in)) return bad_request(r, err);
    hearth_status status = engine_tokenize(r->e, buf_str(&r->current.bulk), o, &ids, err);
    if (status == HEARTH_OK) { // in place: the same four bytes, in the wire's order
        for (size_t i = 0; i < ids.n; i++) wire_ids_out(&ids.id[i], 1, (uint8_t *)&ids.id[i]);
        status = wire_send_bulk(r->c, &r->reply, ids.id, ids.n * sizeof *ids.id, err);
    }
    tok_ids_release(&ids);
    return status;
}

// The bulk as ids, converted in place (buffers are 64-byte aligned).
static hearth_status take_ids(role *r, int32_t **ids, size_t *n, hearth_err *err)
{
    buf *b = &r->current.bulk;
    if (b->n % sizeof(int32_t) != 0) return bad_request(r, err);
    *ids = (int32_t *)(void *)b->p;
    *n = b->n / sizeof(int32_t);
    for (size_t i = 0; i < *n; i++) wire_ids_in((uint8_t *)&(*ids)[i], 1, &(*ids)[i]);
    return HEARTH_OK;
}

static hearth_status do_detokenize(role *r, wire_io *in, hearth_err *err)
{
    bool special = false;
    int32_t *ids = NULL;
    size_t n = 0;
    buf text;
    wire_bool(in, &special);
    if (!wire_read_all(in)) return bad_request(r, err);
    HEARTH_TRY(take_ids(r, &ids, &n, err));
    buf_init(&text, MEM_WIRE, LIMIT_WIRE_BULK);
    hearth_status status = engine_detokenize(r->e, ids, n, special, &text, err);
    if (status == HEARTH_OK) status = wire_send_bulk(r->c, &r->reply, text.p, text.n, err);
    buf_release(&text);
    return status;
}

static bool take_text(str *rest, str *text)
{
    if (text->n > rest->n) return false;
    text->p = rest->p;
    *rest = (str){rest->p + text->n, rest->n - text->n};
    return true;
}

// Held ids come first, where they are aligned.
static hearth_status read_chat(role *r, wire_io *in, engine_chat_options *o, hearth_err *err)
{
    str rest = buf_str(&r->current.bulk), held = {0};
    wire_chat(in, o);
    held.n = o->n_held * sizeof *o->held;
    if (!wire_read_all(in) || !take_text(&rest, &held) || !take_text(&rest, &o->messages) ||
        !take_text(&rest, &o->tools) || !take_text(&rest, &o->variables) ||
        !take_text(&rest, &o->template_text) || rest.n > 0)
        return bad_request(r, err);
    int32_t *ids = (int32_t *)(void *)r->current.bulk.p;
    for (size_t i = 0; i < o->n_held; i++) wire_ids_in((uint8_t *)&ids[i], 1, &ids[i]);
    o->held = ids;
    return HEARTH_OK;
}

static hearth_status do_chat(role *r, wire_io *in, wire_io *out, hearth_err *err)
{
    engine_chat_options o = {0};
    engine_chat_result result;
    HEARTH_TRY(read_chat(r, in, &o, err));
    HEARTH_TRY(engine_chat(r->e, &o, &result, err));
    int32_t *ids = result.ids.id;
    for (size_t i = 0; i < result.ids.n; i++) wire_ids_out(&ids[i], 1, (uint8_t *)&ids[i]);
    hearth_status status =
        wire_send_bulk(r->c, &r->reply, ids, result.ids.n * sizeof *ids, err);
    wire_chat_result(out, &result);
    tok_ids_release(&result.ids);
    return status;
}

static hearth_status do_start(role *r, wire_io *in, hearth_err *err)
{
    generate_options o;
    arena a;
    int32_t *ids = NULL;
    size_t n = 0;
    HEARTH_TRY(take_ids(r, &ids, &n, err));
    arena_init(&a, MEM_WIRE, LIMIT_WIRE_MESSAGE * 4); // arrays of a message and their rounding
    generate_options_default(&o);
    wire_generate(in, &o, &a);
    hearth_status status = HEARTH_OK;
    if (!wire_read_all(in)) status = bad_request(r, err);
    if (status == HEARTH_OK)
        status = engine_start(r->e, r->current.head.session, ids, (int64_t)n, &o, err);
    arena_release(&a);
    return status;
}

static hearth_status do_next(role *r, wire_io *out, hearth_err *err)
{
    engine_event event;
    HEARTH_TRY(engine_next(r->e, r->current.head.session, &event, err));
    wire_event(out, &event);
    return HEARTH_OK;
}

// Each session's news is a message of its own, so that no number of them is too long for one.
static hearth_status do_step(role *r, hearth_err *err)
{
    int n = 0;
    HEARTH_TRY(engine_step(r->e, r->news, &n, err));
    for (int i = 0; i < n; i++) {
        wire_begin(&r->reply);
        wire_io out = wire_writer(&r->reply);
        wire_news(&out, &r->news[i]);
        if (out.bad) return err_fail(err, HEARTH_E_NOMEM, "engine process: out of memory");
        HEARTH_TRY(wire_send(r->c, &r->reply, WIRE_NEWS, r->news[i].session, err));
    }
    return HEARTH_OK;
}

static hearth_status do_logits(role *r, wire_io *in, hearth_err *err)
{
    uint64_t bytes = 0;
    int batch = 0;
    int32_t *ids = NULL;
    size_t n = 0;
    wire_u64(in, &bytes);
    wire_int(in, &batch, 1, LIMIT_BATCH_ROWS);
    if (!wire_read_all(in)) return bad_request(r, err);
    HEARTH_TRY(take_ids(r, &ids, &n, err));
    uint64_t row = (uint64_t)engine_get_info(r->e)->n_vocab * sizeof(float);
    if (n > LIMIT_CONTEXT || bytes != n * row || bytes != r->current.shared.size)
        return bad_request(r, err);
    float *out = (float *)(void *)r->current.shared.data;
    return engine_logits(r->e, ids, (int64_t)n, batch, out, err);
}

// The bulk as the texts of a call.
static hearth_status take_texts(const role *r, str *texts, size_t n, hearth_err *err)
{
    wire_io in = wire_reader(r->current.bulk.p, r->current.bulk.n);
    for (size_t i = 0; i < n; i++) wire_str(&in, &texts[i], LIMIT_STDIN);
    return wire_read_all(&in) ? HEARTH_OK : bad_request(r, err);
}

static hearth_status embed_into(role *r, const engine_texts *t, int64_t *n_tokens, hearth_err *err)
{
    float *to = (float *)(void *)r->current.shared.data;
    if (r->current.shared.size != engine_count_results(r->e, t) * sizeof *to)
        return bad_request(r, err);
    if (!t->ranks) return engine_embed(r->e, t->texts, t->n, &t->o, to, n_tokens, err);
    return engine_rerank(r->e, t->texts[0], t->texts + 1, t->n - 1, t->o.truncate, to, n_tokens,
                         err);
}

static hearth_status do_embed(role *r, wire_io *in, wire_io *out, hearth_err *err)
{
    uint64_t bytes = 0;
    int64_t n_tokens = 0;
    engine_texts t = {0};
    wire_u64(in, &bytes); // how much memory follows; received with it
    wire_embed(in, &t);
    // Each text has its length in front.
    if (!wire_read_all(in) || t.n > r->current.bulk.n / sizeof(uint32_t))
        return bad_request(r, err);
    str *texts = mem_alloc_zero(MEM_WIRE, t.n, sizeof *texts);
    if (!texts) return err_fail(err, HEARTH_E_NOMEM, "texts: out of memory");
    t.texts = texts;
    hearth_status status = take_texts(r, texts, t.n, err);
    if (status == HEARTH_OK) status = embed_into(r, &t, &n_tokens, err);
    mem_free(texts);
    uint64_t sent = (uint64_t)n_tokens;
    if (status == HEARTH_OK) wire_u64(out, &sent);
    return status;
}

static hearth_status do_export_size(role *r, wire_io *out, hearth_err *err)
{
    size_t n = 0;
    HEARTH_TRY(engine_local_export_bytes(r->e, r->current.head.session, &n, err));
    uint64_t bytes = n;
    wire_u64(out, &bytes);
    return HEARTH_OK;
}

static hearth_status run_request(role *r, wire_io *in, wire_io *out, uint32_t *session,
                                 hearth_err *err)
{
    const request *q = &r->current;
    *session = q->head.session;
    if (!r->e && q->head.type != WIRE_OPEN) return bad_request(r, err);
    switch (q->head.type) {
    case WIRE_OPEN: return do_open(r, in, out, err);
    case WIRE_DESCRIBE: return do_describe(r, err);
    case WIRE_PLAN: return do_plan(r, in, out, err);
    case WIRE_TOKENIZE: return do_tokenize(r, in, err);
    case WIRE_DETOKENIZE: return do_detokenize(r, in, err);
    case WIRE_CHAT: return do_chat(r, in, out, err);
    case WIRE_SESSION_OPEN: return engine_session_open(r->e, session, err);
    case WIRE_SESSION_CLOSE: engine_session_close(r->e, q->head.session); return HEARTH_OK;
    case WIRE_EXPORT_SIZE: return do_export_size(r, out, err);
    case WIRE_EXPORT:
        return engine_local_export_to(r->e, q->head.session, q->shared.data, q->shared.size, err);
    case WIRE_IMPORT:
        return engine_session_import(r->e, q->head.session, q->shared.data, q->shared.size, err);
    case WIRE_START: return do_start(r, in, err);
    case WIRE_NEXT: return do_next(r, out, err);
    case WIRE_STEP: return do_step(r, err);
    case WIRE_LOGITS: return do_logits(r, in, err);
    case WIRE_EMBED: return do_embed(r, in, out, err);
    default: return bad_request(r, err);
    }
}

static wire_type reply_type(wire_type t)
{
    switch (t) {
    case WIRE_OPEN: return WIRE_INFO;
    case WIRE_PLAN: return WIRE_PLANNED;
    case WIRE_CHAT: return WIRE_CHATTED;
    case WIRE_EMBED:
    case WIRE_EXPORT_SIZE: return WIRE_SIZE;
    case WIRE_NEXT: return WIRE_EVENT;
    default: return WIRE_OK;
    }
}

// false: the channel is gone. The fields of the reply are collected aside, since bulk goes first
// and a failure may replace them.
static bool answer(role *r, buf *fields)
{
    uint32_t session = 0;
    hearth_err err = ERR_INIT;
    wire_io in = wire_reader(r->current.payload.p, r->current.payload.n), out = wire_writer(fields);
    buf_reset(fields);
    hearth_status status = run_request(r, &in, &out, &session, &err);
    if (status == HEARTH_OK && out.bad)
        status = err_fail(&err, HEARTH_E_NOMEM, "engine process: out of memory");
    wire_begin(&r->reply);
    if (status == HEARTH_OK) {
        buf_append(&r->reply, fields->p, fields->n);
        wire_type type = reply_type(r->current.head.type);
        return wire_send(r->c, &r->reply, type, session, NULL) == HEARTH_OK;
    }
    int code = status;
    str message = str_from(err.msg);
    wire_io fail = wire_writer(&r->reply);
    wire_fail(&fail, &code, &message);
    return wire_send(r->c, &r->reply, WIRE_FAIL, session, NULL) == HEARTH_OK;
}

static bool take_request(role *r)
{
    os_mutex_lock(r->lock);
    while (!r->is_handed && !r->ended) os_cond_wait(r->changed, r->lock);
    bool ok = !r->ended;
    if (ok) swap_requests(&r->handed, &r->current);
    r->is_handed = false;
    os_mutex_unlock(r->lock);
    return ok;
}

static void serve(role *r)
{
    buf fields;
    buf_init(&fields, MEM_WIRE, LIMIT_WIRE_MESSAGE);
    while (take_request(r) && answer(r, &fields)) empty_request(&r->current);
    buf_release(&fields);
}

// --- process ------------------------------------------------------------------------------------

static void close_role(role *r)
{
    os_channel_close(r->c);
    engine_close(r->e);
    mem_free(r->news);
    release_request(&r->incoming);
    release_request(&r->handed);
    release_request(&r->current);
    buf_release(&r->reply);
    os_cond_free(r->changed);
    os_mutex_free(r->lock);
}

static hearth_status open_role(role *r, os_thread **reader)
{
    *r = (role){0};
    init_request(&r->incoming);
    init_request(&r->handed);
    init_request(&r->current);
    buf_init(&r->reply, MEM_WIRE, LIMIT_WIRE_MESSAGE + WIRE_HEADER);
    HEARTH_TRY(os_mutex_create(&r->lock, NULL));
    HEARTH_TRY(os_cond_create(&r->changed, NULL));
    HEARTH_TRY(os_channel_inherited(&r->c, NULL));
    return os_thread_start(read_channel, r, reader, NULL);
}

int engine_role_main(void)
{
    role r;
    os_thread *reader = NULL;
    hearth_status status = open_role(&r, &reader);
    if (status == HEARTH_OK) {
        serve(&r);
        os_channel_shutdown(r.c);
        os_thread_join(reader);
    }
    close_role(&r);
    return status == HEARTH_OK ? 0 : 1;
}
