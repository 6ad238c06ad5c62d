// The engine in a process of its own, seen from the parent.
//
// Each call is a request and its reply (wire.h). Whatever goes wrong with the channel or the
// child's manners ends the child: it is killed, waited for, and the reason is kept as the error of
// this and all later calls. So nothing hangs on a dead child, none is left as a zombie, and a child
// that was taken over by a hostile model file gets no second message.
//
// Bulk results come in shared memory that the parent made, sized by what the parent expects.
#include <string.h>

#include "defs/limits.h"
#include "engine/engine_int.h"
#include "engine/wire.h"

typedef struct remote_slot {
    engine_session id; // 0: free
    buf text;          // of the session's last event
} remote_slot;

typedef struct engine_remote {
    engine base;
    os_process *process; // NULL once it has been waited for
    os_channel *c;
    os_mutex *writing;   // a message at a time: requests, and cancels from other threads
    buf out, in;
    remote_slot *slots;  // [n_seq]
    int n_seq;
    hearth_err lost;     // set: there is no child any more
} engine_remote;

static engine_remote *as_remote(engine *e)
{
    return (engine_remote *)e;
}

// --- the end of a child -------------------------------------------------------------------------

static hearth_status report_lost(const engine_remote *e, hearth_err *err)
{
    return err_fail(err, HEARTH_E_CRASHED, "%s", e->lost.msg);
}

// The child has closed its end: it is dying or dead, and its own end is the news.
static hearth_status lose_ended(engine_remote *e, hearth_err *err)
{
    os_exit ended;
    os_channel_shutdown(e->c);
    os_process_kill(e->process); // no effect on how a process that is already ending ends
    os_process_wait(e->process, &ended);
    e->process = NULL;
    err_fail(&e->lost, HEARTH_E_CRASHED, "engine process ended: %s", ended.text);
    return report_lost(e, err);
}

static hearth_status lose_rude(engine_remote *e, const char *what, hearth_err *err)
{
    os_exit ended;
    os_channel_shutdown(e->c);
    os_process_kill(e->process);
    os_process_wait(e->process, &ended);
    e->process = NULL;
    err_fail(&e->lost, HEARTH_E_CRASHED, "engine process broke the protocol: %s", what);
    return report_lost(e, err);
}

// --- requests -----------------------------------------------------------------------------------

static hearth_status check_alive(const engine_remote *e, hearth_err *err)
{
    return e->process ? HEARTH_OK : report_lost(e, err);
}

typedef struct outgoing {
    wire_type type;
    uint32_t session;
    const void *bulk; // sent before it
    size_t n_bulk;
    const os_shared *shared; // sent after it
} outgoing;

// The message's fields are in e->out already; e->in is scratch for the bulk.
static hearth_status send_request(engine_remote *e, const outgoing *m, hearth_err *err)
{
    hearth_err why = ERR_INIT;
    os_mutex_lock(e->writing);
    hearth_status status = wire_send_bulk(e->c, &e->in, m->bulk, m->n_bulk, &why);
    if (status == HEARTH_OK) status = wire_send(e->c, &e->out, m->type, m->session, &why);
    if (status == HEARTH_OK && m->shared) status = os_shared_send(e->c, m->shared, &why);
    os_mutex_unlock(e->writing);
    if (status == HEARTH_OK) return HEARTH_OK;
    if (status != HEARTH_E_NOMEM && status != HEARTH_E_LIMIT) return lose_ended(e, err);
    // Nothing of the request itself was sent, but data before it may have been.
    if (m->n_bulk > 0) return lose_rude(e, "a request that could not be finished", err);
    return err_fail(err, status, "%s", why.msg);
}

static hearth_status take_failure(engine_remote *e, hearth_err *err)
{
    int status = 0;
    str message = {0};
    wire_io in = wire_reader(e->in.p, e->in.n);
    wire_fail(&in, &status, &message);
    if (!wire_read_all(&in)) return lose_rude(e, "message FAIL: bad fields", err);
    return err_fail(err, (hearth_status)status, "%.*s", (int)message.n, message.p);
}

static hearth_status receive_any(engine_remote *e, wire_header *h, hearth_err *err)
{
    bool end = false;
    hearth_err why = ERR_INIT;
    hearth_status status = wire_receive(e->c, h, &e->in, &end, &why);
    if (end) return lose_ended(e, err);
    if (status == HEARTH_OK) return HEARTH_OK;
    if (status == HEARTH_E_NOMEM) return lose_rude(e, "no memory for its message", err);
    // A header that is none, or a stream cut in the middle: by a child that has died, mostly.
    return strstr(why.msg, "header") ? lose_rude(e, why.msg, err) : lose_ended(e, err);
}

// Waits for the reply; DATA before it is appended to `bulk` (NULL: none is expected).
static hearth_status receive_reply(engine_remote *e, wire_type expected, wire_header *h, buf *bulk,
                                   hearth_err *err)
{
    for (;;) {
        HEARTH_TRY(receive_any(e, h, err));
        if (h->type == expected) return HEARTH_OK;
        if (h->type == WIRE_FAIL) return take_failure(e, err);
        if (h->type != WIRE_DATA || !bulk)
            return lose_rude(e, "an answer to another question", err);
        if (buf_append(bulk, e->in.p, e->in.n) != HEARTH_OK)
            return lose_rude(e, "an answer that is too long", err);
    }
}

static hearth_status call(engine_remote *e, const outgoing *m, wire_type expected, buf *bulk,
                          hearth_err *err)
{
    wire_header h = {0};
    HEARTH_TRY(check_alive(e, err));
    HEARTH_TRY(send_request(e, m, err));
    HEARTH_TRY(receive_reply(e, expected, &h, bulk, err));
    bool new_session = m->type == WIRE_SESSION_OPEN;
    if (!new_session && h.session != m->session)
        return lose_rude(e, "an answer for another session", err);
    return HEARTH_OK;
}

static hearth_status check_reply(engine_remote *e, const wire_io *in, hearth_err *err)
{
    return wire_read_all(in) ? HEARTH_OK : lose_rude(e, "an answer with bad fields", err);
}

// Ids on the wire are little-endian, wherever this runs.
static uint8_t *copy_ids(const int32_t *ids, size_t n, hearth_err *err)
{
    uint8_t *p = mem_alloc(MEM_WIRE, size_max(n, 1) * sizeof *ids);
    if (p) wire_ids_out(ids, n, p);
    else err_fail(err, HEARTH_E_NOMEM, "token ids: out of memory");
    return p;
}

// --- metadata -----------------------------------------------------------------------------------

static hearth_status describe_remote(engine *base, buf *json, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    size_t n_before = json->n;
    wire_begin(&e->out);
    hearth_status status = call(e, &(outgoing){.type = WIRE_DESCRIBE}, WIRE_OK, json, err);
    if (status != HEARTH_OK) json->n = n_before;
    return status;
}

static hearth_status plan_remote(engine *base, const llm_ctx_options *o, llm_plan *out,
                                 hearth_err *err)
{
    engine_remote *e = as_remote(base);
    llm_ctx_options sent = *o;
    llm_plan plan = {0};
    wire_begin(&e->out);
    wire_io w = wire_writer(&e->out);
    wire_ctx_options(&w, &sent);
    HEARTH_TRY(call(e, &(outgoing){.type = WIRE_PLAN}, WIRE_PLANNED, NULL, err));
    wire_io in = wire_reader(e->in.p, e->in.n);
    wire_plan(&in, &plan);
    HEARTH_TRY(check_reply(e, &in, err));
    *out = plan;
    return HEARTH_OK;
}

static hearth_status append_ids(engine_remote *e, const buf *bytes, tok_ids *out, hearth_err *err)
{
    size_t n = bytes->n / sizeof(int32_t);
    if (bytes->n % sizeof(int32_t) != 0) return lose_rude(e, "token ids with a rest", err);
    if (n == 0) return HEARTH_OK;
    if (out->cap - out->n < n) {
        int32_t *grown = mem_realloc(MEM_MISC, out->id, (out->n + n) * sizeof *grown);
        if (!grown) return err_fail(err, HEARTH_E_NOMEM, "token ids: out of memory");
        out->id = grown;
        out->cap = out->n + n;
    }
    wire_ids_in((const uint8_t *)bytes->p, n, out->id + out->n);
    out->n += n;
    return HEARTH_OK;
}

// A SentencePiece space is three bytes and each may become a token.
enum { TOKENS_PER_BYTE = 3, TOKENS_EXTRA = 64 };

static hearth_status tokenize_remote(engine *base, str text, tok_options o, tok_ids *out,
                                     hearth_err *err)
{
    engine_remote *e = as_remote(base);
    buf bytes;
    uint64_t most = ((uint64_t)text.n * TOKENS_PER_BYTE + TOKENS_EXTRA) * sizeof(int32_t);
    buf_init(&bytes, MEM_WIRE, (size_t)(most < LIMIT_WIRE_BULK ? most : LIMIT_WIRE_BULK));
    wire_begin(&e->out);
    wire_io w = wire_writer(&e->out);
    wire_bool(&w, &o.add_special);
    wire_bool(&w, &o.parse_special);
    outgoing m = {.type = WIRE_TOKENIZE, .bulk = text.p, .n_bulk = text.n};
    hearth_status status = call(e, &m, WIRE_OK, &bytes, err);
    if (status == HEARTH_OK) status = append_ids(e, &bytes, out, err);
    buf_release(&bytes);
    return status;
}

static hearth_status detokenize_remote(engine *base, const int32_t *ids, size_t n, bool special,
                                       buf *out, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    size_t n_before = out->n;
    HEARTH_TRY(check_alive(e, err));
    uint8_t *bytes = copy_ids(ids, n, err);
    if (!bytes) return HEARTH_E_NOMEM;
    wire_begin(&e->out);
    wire_io w = wire_writer(&e->out);
    wire_bool(&w, &special);
    outgoing m = {.type = WIRE_DETOKENIZE, .bulk = bytes, .n_bulk = n * sizeof *ids};
    hearth_status status = call(e, &m, WIRE_OK, out, err);
    if (status != HEARTH_OK) out->n = n_before;
    mem_free(bytes);
    return status;
}

// Held ids and the texts in one piece.
static hearth_status join_chat(const engine_chat_options *o, buf *out, hearth_err *err)
{
    size_t n_held = o->n_held * sizeof *o->held;
    const str parts[] = {o->messages, o->tools, o->variables, o->template_text};
    hearth_status status = buf_reserve(out, n_held);
    if (status == HEARTH_OK) {
        wire_ids_out(o->held, o->n_held, (uint8_t *)out->p);
        out->n = n_held;
    }
    for (size_t i = 0; i < COUNTOF(parts) && status == HEARTH_OK; i++)
        status = buf_append_str(out, parts[i]);
    return status == HEARTH_OK ? HEARTH_OK : err_fail(err, status, "chat: out of memory");
}

static hearth_status chat_remote(engine *base, const engine_chat_options *o,
                                 engine_chat_result *out, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    engine_chat_options sent = *o;
    engine_chat_result result = {.note = ""};
    buf bulk, bytes;
    HEARTH_TRY(check_alive(e, err));
    buf_init(&bulk, MEM_WIRE, LIMIT_WIRE_BULK);
    buf_init(&bytes, MEM_WIRE, LIMIT_WIRE_BULK);
    hearth_status status = join_chat(o, &bulk, err);
    if (status == HEARTH_OK) {
        wire_begin(&e->out);
        wire_io w = wire_writer(&e->out);
        wire_chat(&w, &sent);
        outgoing m = {.type = WIRE_CHAT, .bulk = bulk.p, .n_bulk = bulk.n};
        status = call(e, &m, WIRE_CHATTED, &bytes, err);
    }
    if (status == HEARTH_OK) {
        wire_io in = wire_reader(e->in.p, e->in.n);
        wire_chat_result(&in, &result);
        status = check_reply(e, &in, err);
    }
    if (status == HEARTH_OK) status = append_ids(e, &bytes, &result.ids, err);
    if (status == HEARTH_OK) *out = result;
    buf_release(&bulk);
    buf_release(&bytes);
    return status;
}

// --- sessions -----------------------------------------------------------------------------------

static remote_slot *find_slot(engine_remote *e, engine_session s)
{
    for (int i = 0; i < e->n_seq; i++)
        if (e->slots[i].id == s) return &e->slots[i];
    return NULL;
}

static hearth_status check_session(engine_remote *e, engine_session s, remote_slot **out,
                                   hearth_err *err)
{
    HEARTH_TRY(check_alive(e, err));
    *out = s ? find_slot(e, s) : NULL;
    return *out ? HEARTH_OK : err_fail(err, HEARTH_E_ARG, "there is no session %u", s);
}

static hearth_status open_session(engine *base, engine_session *out, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    wire_header h = {0};
    HEARTH_TRY(check_alive(e, err));
    wire_begin(&e->out);
    HEARTH_TRY(send_request(e, &(outgoing){.type = WIRE_SESSION_OPEN}, err));
    HEARTH_TRY(receive_reply(e, WIRE_OK, &h, NULL, err));
    remote_slot *slot = find_slot(e, 0);
    if (h.session == 0 || find_slot(e, h.session) || !slot)
        return lose_rude(e, "an impossible session", err);
    *out = slot->id = h.session;
    return HEARTH_OK;
}

static void close_session(engine *base, engine_session s)
{
    engine_remote *e = as_remote(base);
    remote_slot *slot = s ? find_slot(e, s) : NULL;
    if (!slot) return;
    wire_begin(&e->out);
    call(e, &(outgoing){.type = WIRE_SESSION_CLOSE, .session = s}, WIRE_OK, NULL, NULL);
    slot->id = 0;
}

static hearth_status ask_export_size(engine_remote *e, engine_session s, uint64_t *n,
                                     hearth_err *err)
{
    wire_begin(&e->out);
    outgoing m = {.type = WIRE_EXPORT_SIZE, .session = s};
    HEARTH_TRY(call(e, &m, WIRE_SIZE, NULL, err));
    wire_io in = wire_reader(e->in.p, e->in.n);
    wire_u64(&in, n);
    HEARTH_TRY(check_reply(e, &in, err));
    if (*n > 0 && *n <= LIMIT_SHARED && *n <= PTRDIFF_MAX) return HEARTH_OK;
    return lose_rude(e, "an impossible size", err);
}

static hearth_status call_shared(engine_remote *e, outgoing m, const os_shared *shared,
                                 const int *batch, hearth_err *err)
{
    uint64_t bytes = shared->size;
    wire_begin(&e->out);
    wire_io w = wire_writer(&e->out);
    wire_u64(&w, &bytes);
    int n = batch ? *batch : 0;
    if (batch) wire_int(&w, &n, 1, LIMIT_BATCH_ROWS);
    m.shared = shared;
    return call(e, &m, WIRE_OK, NULL, err);
}

static hearth_status export_session(engine *base, engine_session s, buf *out, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    remote_slot *slot;
    os_shared shared;
    uint64_t n = 0;
    HEARTH_TRY(check_session(e, s, &slot, err));
    HEARTH_TRY(ask_export_size(e, s, &n, err));
    hearth_status status = buf_reserve(out, (size_t)n);
    if (status != HEARTH_OK)
        return err_fail(err, status, "a session of %llu bytes has no room", (unsigned long long)n);
    HEARTH_TRY(os_shared_create((size_t)n, &shared, err));
    outgoing m = {.type = WIRE_EXPORT, .session = s};
    status = call_shared(e, m, &shared, NULL, err);
    if (status == HEARTH_OK) buf_append(out, shared.data, shared.size); // reserved above
    os_shared_close(&shared);
    return status;
}

static hearth_status import_session(engine *base, engine_session s, const void *p, size_t n,
                                    hearth_err *err)
{
    engine_remote *e = as_remote(base);
    remote_slot *slot;
    os_shared shared;
    HEARTH_TRY(check_session(e, s, &slot, err));
    HEARTH_TRY(os_shared_create(n, &shared, err));
    memcpy(shared.data, p, n);
    outgoing m = {.type = WIRE_IMPORT, .session = s};
    hearth_status status = call_shared(e, m, &shared, NULL, err);
    os_shared_close(&shared);
    return status;
}

// --- generation ---------------------------------------------------------------------------------

static hearth_status start_remote(engine *base, engine_session s, const int32_t *prompt, int64_t n,
                                  const generate_options *o, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    remote_slot *slot;
    generate_options sent = *o;
    HEARTH_TRY(generate_options_check(o, err));
    HEARTH_TRY(check_session(e, s, &slot, err));
    uint8_t *bytes = copy_ids(prompt, (size_t)n, err);
    if (!bytes) return HEARTH_E_NOMEM;
    wire_begin(&e->out);
    wire_io w = wire_writer(&e->out);
    wire_generate(&w, &sent, NULL);
    outgoing m = {.type = WIRE_START, .session = s, .bulk = bytes,
                  .n_bulk = (size_t)n * sizeof *prompt};
    hearth_status status = call(e, &m, WIRE_OK, NULL, err);
    mem_free(bytes);
    return status;
}

// The text is moved to the session's own buffer: the message is gone with the next call.
static hearth_status keep_text(remote_slot *slot, engine_event *event, hearth_err *err)
{
    buf_reset(&slot->text);
    hearth_status status = buf_append_str(&slot->text, event->gen.text);
    event->gen.text = buf_str(&slot->text);
    return status == HEARTH_OK ? HEARTH_OK : err_fail(err, status, "text: out of memory");
}

static hearth_status next_remote(engine *base, engine_session s, engine_event *out, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    remote_slot *slot;
    engine_event event = {0};
    HEARTH_TRY(check_session(e, s, &slot, err));
    wire_begin(&e->out);
    HEARTH_TRY(call(e, &(outgoing){.type = WIRE_NEXT, .session = s}, WIRE_EVENT, NULL, err));
    wire_io in = wire_reader(e->in.p, e->in.n);
    wire_event(&in, &event);
    HEARTH_TRY(check_reply(e, &in, err));
    HEARTH_TRY(keep_text(slot, &event, err));
    *out = event;
    return HEARTH_OK;
}

static hearth_status take_one_news(engine_remote *e, engine_session s, engine_news *out,
                                   hearth_err *err)
{
    remote_slot *slot = s ? find_slot(e, s) : NULL;
    wire_io in = wire_reader(e->in.p, e->in.n);
    if (!slot) return lose_rude(e, "news of an unknown session", err);
    *out = (engine_news){.session = s};
    wire_news(&in, out);
    HEARTH_TRY(check_reply(e, &in, err));
    return keep_text(slot, &out->event, err);
}

static hearth_status step_remote(engine *base, engine_news *out, int *n, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    wire_header h = {0};
    HEARTH_TRY(check_alive(e, err));
    wire_begin(&e->out);
    HEARTH_TRY(send_request(e, &(outgoing){.type = WIRE_STEP}, err));
    for (;;) {
        HEARTH_TRY(receive_any(e, &h, err));
        if (h.type == WIRE_OK) return HEARTH_OK;
        if (h.type == WIRE_FAIL) return take_failure(e, err);
        if (h.type != WIRE_NEWS) return lose_rude(e, "an answer to another question", err);
        if (*n == e->n_seq) return lose_rude(e, "news of too many sessions", err);
        HEARTH_TRY(take_one_news(e, h.session, &out[*n], err));
        ++*n;
    }
}

// Has its own small message: e->out belongs to the thread that holds the engine's lock.
static void cancel_remote(engine *base, engine_session s)
{
    engine_remote *e = as_remote(base);
    buf message;
    buf_init(&message, MEM_WIRE, WIRE_HEADER);
    wire_begin(&message);
    os_mutex_lock(e->writing);
    wire_send(e->c, &message, WIRE_CANCEL, s, NULL); // a child that has died needs no cancel
    os_mutex_unlock(e->writing);
    buf_release(&message);
}

static hearth_status logits_remote(engine *base, const int32_t *ids, int64_t n, int batch,
                                   float *out, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    os_shared shared;
    size_t bytes = (size_t)n * (size_t)e->base.info.n_vocab * sizeof *out; // checked by engine.c
    HEARTH_TRY(check_alive(e, err));
    uint8_t *sent = copy_ids(ids, (size_t)n, err);
    if (!sent) return HEARTH_E_NOMEM;
    hearth_status status = os_shared_create(bytes, &shared, err);
    if (status == HEARTH_OK) {
        outgoing m = {.type = WIRE_LOGITS, .bulk = sent, .n_bulk = (size_t)n * sizeof *ids};
        status = call_shared(e, m, &shared, &batch, err);
        if (status == HEARTH_OK) memcpy(out, shared.data, bytes);
        os_shared_close(&shared);
    }
    mem_free(sent);
    return status;
}

// --- vectors of texts ---------------------------------------------------------------------------

static hearth_status write_texts(const engine_texts *t, buf *bulk, hearth_err *err)
{
    wire_io w = wire_writer(bulk);
    for (size_t i = 0; i < t->n; i++) {
        str text = t->texts[i];
        wire_str(&w, &text, LIMIT_STDIN);
    }
    if (bulk->failed == HEARTH_OK) return HEARTH_OK;
    return err_fail(err, bulk->failed, "texts: %s", err_status_name(bulk->failed));
}

static hearth_status ask_embed(engine_remote *e, const engine_texts *t, const buf *bulk,
                               const os_shared *shared, uint64_t *n_tokens, hearth_err *err)
{
    uint64_t bytes = shared->size;
    engine_texts sent = *t;
    wire_begin(&e->out);
    wire_io w = wire_writer(&e->out);
    wire_u64(&w, &bytes);
    wire_embed(&w, &sent);
    outgoing m = {.type = WIRE_EMBED, .bulk = bulk->p, .n_bulk = bulk->n, .shared = shared};
    HEARTH_TRY(call(e, &m, WIRE_SIZE, NULL, err));
    wire_io in = wire_reader(e->in.p, e->in.n);
    wire_u64(&in, n_tokens);
    HEARTH_TRY(check_reply(e, &in, err));
    return *n_tokens <= INT64_MAX ? HEARTH_OK : lose_rude(e, "an impossible size", err);
}

static hearth_status embed_remote(engine *base, const engine_texts *t, float *out,
                                  int64_t *n_tokens, hearth_err *err)
{
    engine_remote *e = as_remote(base);
    uint64_t bytes = engine_count_results(base, t) * sizeof *out, read = 0;
    os_shared shared;
    buf bulk;
    HEARTH_TRY(check_alive(e, err));
    if (bytes > PTRDIFF_MAX)
        return err_fail(err, HEARTH_E_LIMIT, "vectors of %zu texts do not fit in memory", t->n);
    buf_init(&bulk, MEM_WIRE, LIMIT_WIRE_BULK);
    hearth_status status = write_texts(t, &bulk, err);
    bool made = status == HEARTH_OK;
    if (made) status = os_shared_create((size_t)bytes, &shared, err);
    made = made && status == HEARTH_OK;
    if (made) status = ask_embed(e, t, &bulk, &shared, &read, err);
    if (status == HEARTH_OK) {
        memcpy(out, shared.data, (size_t)bytes);
        *n_tokens = (int64_t)read;
    }
    if (made) os_shared_close(&shared);
    buf_release(&bulk);
    return status;
}

// --- open and close -----------------------------------------------------------------------------

// The child has nothing to save and nothing to say: it is ended at once, also in mid-step.
static void close_remote(engine *base)
{
    engine_remote *e = as_remote(base);
    if (e->process) {
        os_exit ended;
        os_process_kill(e->process);
        os_process_wait(e->process, &ended);
    }
    os_channel_close(e->c);
    for (int i = 0; e->slots && i < e->n_seq; i++) buf_release(&e->slots[i].text);
    mem_free(e->slots);
    buf_release(&e->out);
    buf_release(&e->in);
    os_mutex_free(e->writing);
    mem_free(e);
}

static const engine_ops remote_ops = {
    .close = close_remote, .describe = describe_remote, .plan = plan_remote,
    .tokenize = tokenize_remote, .detokenize = detokenize_remote, .chat = chat_remote,
    .session_open = open_session,
    .session_close = close_session, .session_export = export_session,
    .session_import = import_session, .start = start_remote, .next = next_remote,
    .step = step_remote,
    .cancel = cancel_remote, .logits = logits_remote,
    .embed = embed_remote,
};

static hearth_status ask_open(engine_remote *e, const char *name, const engine_options *o,
                              hearth_err *err)
{
    str source = str_from(name);
    engine_options sent = *o;
    wire_begin(&e->out);
    wire_io w = wire_writer(&e->out);
    wire_open(&w, &source, &sent);
    HEARTH_TRY(call(e, &(outgoing){.type = WIRE_OPEN}, WIRE_INFO, NULL, err));
    wire_io in = wire_reader(e->in.p, e->in.n);
    wire_info(&in, &e->base.info);
    return check_reply(e, &in, err);
}

static hearth_status prepare(engine_remote *e, const engine_options *o, hearth_err *err)
{
    buf_init(&e->out, MEM_WIRE, LIMIT_WIRE_MESSAGE + WIRE_HEADER);
    buf_init(&e->in, MEM_WIRE, LIMIT_WIRE_MESSAGE + WIRE_HEADER);
    e->n_seq = o->n_seq;
    e->slots = mem_alloc_zero(MEM_WIRE, (size_t)o->n_seq, sizeof *e->slots);
    if (!e->slots) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    for (int i = 0; i < o->n_seq; i++) buf_init(&e->slots[i].text, MEM_WIRE, LIMIT_WIRE_MESSAGE);
    HEARTH_TRY(os_mutex_create(&e->base.lock, err));
    return os_mutex_create(&e->writing, err);
}

hearth_status engine_remote_open(const char *name, const engine_options *o, engine **out,
                                 hearth_err *err)
{
    static const char *const argv[] = {"hearth", ENGINE_ROLE_ARG, NULL};
    *out = NULL;
    if (!os_has_processes())
        return err_fail(err, HEARTH_E_UNSUPPORTED, "this platform has no processes for the engine");
    engine_remote *e = mem_alloc_zero(MEM_WIRE, 1, sizeof *e);
    if (!e) return err_fail(err, HEARTH_E_NOMEM, "%s: out of memory", name);
    e->base.ops = &remote_ops;
    hearth_status status = prepare(e, o, err);
    if (status == HEARTH_OK) status = os_process_start(argv, &e->process, &e->c, err);
    bool asked = status == HEARTH_OK;
    if (asked) status = ask_open(e, name, o, err);
    if (status == HEARTH_OK) {
        *out = &e->base;
        return HEARTH_OK;
    }
    // What the child says about a model names its file already.
    if (!asked || !e->process) err_prefix(err, "%s: ", name);
    engine_close(&e->base);
    return status;
}
