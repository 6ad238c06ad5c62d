// See listen.h.
//
// One thread of libmicrohttpd serves all connections. A connection whose reply is not there yet, or
// whose stream has nothing to send, is suspended; whoever brings more resumes it:
//
//   headers -> exchange -> body -> request() -> is its reply there? queue it
//                                                 otherwise: suspend .. listen_reply() resumes
//   stream:  the library wants bytes -> some are there? copy; it has ended? say so
//                                       otherwise: suspend .. listen_write() resumes
//
// Suspending happens on the server's thread and resuming on any, both under the exchange's lock,
// so none is lost. A suspended connection is out of the library's sight: os_watch tells when its
// client leaves.
//
// An exchange lives while the library has its connection or anybody holds it. After the connection
// has ended, `c` is NULL and replies go nowhere.
#include "listen/listen.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "defs/limits.h"
#include "os/os.h"
#include "os/posix_net.h"

enum { READ_BLOCK = 1 << 16, MAX_EXTRA_HEADERS = 16, HEAD_MEMORY = 64 << 10 };

typedef struct extra_header {
    char *name, *value;
} extra_header;

struct listen_exchange {
    listen_server *l;
    listen_exchange *next;      // l->lock
    uint64_t key;
    os_mutex *lock;             // for all below
    struct MHD_Connection *c;   // NULL: has ended
    atomic_int holds;
    char method[16], client[64];
    char *path;
    buf body, out;
    size_t out_at;              // sent so far of `out`
    extra_header header[MAX_EXTRA_HEADERS];
    int n_headers;
    int status;                 // of the reply; 0: not given yet
    char type[64];
    bool is_whole_body, is_refused, is_handed;
    bool is_stream, is_ended;   // no more bytes will come
    bool is_queued, is_suspended, is_gone;
    void (*gone)(void *ctx);
    void *gone_ctx;
};

struct listen {
    listen_options o;
    struct MHD_Daemon *daemon;
    os_watch *watch;
    os_mutex *lock;
    os_cond *changed;           // an exchange was freed
    listen_exchange *exchanges; // lock
    uint64_t n_keys;            // lock
    int fd;                     // our own listening socket, -1 without
    char *unix_path;
};

void listen_options_default(listen_options *o)
{
    *o = (listen_options){.inherited_fd = -1, .max_body = LIMIT_HTTP_BODY, .max_connections = 512,
                          .timeout_s = 60};
}

// --- exchanges ----------------------------------------------------------------------------------

static void unlink_exchange(listen_exchange *x)
{
    listen_server *l = x->l;
    listen_exchange **at = &l->exchanges;
    while (*at != x) at = &(*at)->next;
    *at = x->next;
}

static void free_exchange(listen_exchange *x)
{
    listen_server *l = x->l;
    for (int i = 0; i < x->n_headers; i++) {
        mem_free(x->header[i].name);
        mem_free(x->header[i].value);
    }
    os_mutex_free(x->lock);
    buf_release(&x->body);
    buf_release(&x->out);
    mem_free(x->path);
    os_mutex_lock(l->lock);
    unlink_exchange(x);
    mem_free(x);
    os_cond_broadcast(l->changed);
    os_mutex_unlock(l->lock);
}

void listen_hold(listen_exchange *x)
{
    atomic_fetch_add(&x->holds, 1);
}

void listen_release(listen_exchange *x)
{
    if (atomic_fetch_sub(&x->holds, 1) == 1) free_exchange(x);
}

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *p = mem_alloc(MEM_MISC, n);
    if (p) memcpy(p, text, n);
    return p;
}

static void name_client(listen_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    os_address_text(info ? info->client_addr : NULL, x->client, sizeof x->client);
}

static listen_exchange *new_exchange(listen_server *l, struct MHD_Connection *c, const char *path,
                                     const char *method)
{
    listen_exchange *x = mem_alloc_zero(MEM_MISC, 1, sizeof *x);
    if (!x) return NULL;
    x->l = l;
    x->c = c;
    buf_init(&x->body, MEM_MISC, l->o.max_body + 1);
    buf_init(&x->out, MEM_MISC, LIMIT_HTTP_BACKLOG);
    snprintf(x->method, sizeof x->method, "%s", method);
    atomic_init(&x->holds, 1); // the connection's
    x->path = copy_text(path);
    if (!x->path || os_mutex_create(&x->lock, NULL) != HEARTH_OK) {
        mem_free(x->path);
        mem_free(x);
        return NULL;
    }
    name_client(x);
    os_mutex_lock(l->lock);
    x->key = ++l->n_keys;
    x->next = l->exchanges;
    l->exchanges = x;
    os_mutex_unlock(l->lock);
    return x;
}

// Under the exchange's lock, so that whoever silences gone() knows that it is not running.
static void mark_gone(listen_exchange *x)
{
    if (x->is_gone || x->is_ended) return;
    x->is_gone = true;
    if (x->gone) x->gone(x->gone_ctx);
}

static void resume(listen_exchange *x)
{
    if (!x->c || !x->is_suspended) return;
    x->is_suspended = false;
    MHD_resume_connection(x->c);
}

// The client has left; the library finds out by itself once the connection is resumed.
static void leave(listen_exchange *x)
{
    os_mutex_lock(x->lock);
    mark_gone(x);
    resume(x);
    os_mutex_unlock(x->lock);
}

// An exchange in the list may be on its way out, when its last holder has let go.
static bool try_hold(listen_exchange *x)
{
    int n = atomic_load(&x->holds);
    while (n > 0)
        if (atomic_compare_exchange_weak(&x->holds, &n, n + 1)) return true;
    return false;
}

// The exchange with the smallest key above `key`, held; NULL: none.
static listen_exchange *hold_next(listen_server *l, uint64_t key)
{
    listen_exchange *best;
    do {
        best = NULL;
        os_mutex_lock(l->lock);
        for (listen_exchange *x = l->exchanges; x; x = x->next)
            if (x->key > key && (!best || x->key < best->key)) best = x;
        if (best) key = best->key;
        bool is_held = best && try_hold(best);
        os_mutex_unlock(l->lock);
        if (is_held) return best;
    } while (best);
    return NULL;
}

static void watch_gone(void *ctx, uint64_t key)
{
    listen_server *l = ctx;
    os_mutex_lock(l->lock);
    listen_exchange *x = l->exchanges;
    while (x && x->key != key) x = x->next;
    bool is_held = x && try_hold(x);
    os_mutex_unlock(l->lock);
    if (!is_held) return;
    leave(x);
    listen_release(x);
}

// --- replies ------------------------------------------------------------------------------------

static void add_headers(const listen_exchange *x, struct MHD_Response *r)
{
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, x->type);
    for (int i = 0; i < x->n_headers; i++)
        MHD_add_response_header(r, x->header[i].name, x->header[i].value);
}

// The library asks for bytes of a stream.
static ssize_t read_stream(void *ctx, uint64_t pos, char *to, size_t max)
{
    listen_exchange *x = ctx;
    (void)pos;
    os_mutex_lock(x->lock);
    size_t n = size_min(max, x->out.n - x->out_at);
    ssize_t result = (ssize_t)n;
    if (n > 0) {
        memcpy(to, x->out.p + x->out_at, n);
        x->out_at += n;
        if (x->out_at == x->out.n) {
            buf_reset(&x->out);
            x->out_at = 0;
        }
    } else if (x->is_gone) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (x->is_ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        x->is_suspended = true;
        MHD_suspend_connection(x->c);
    }
    os_mutex_unlock(x->lock);
    return result;
}

static struct MHD_Response *make_response(listen_exchange *x)
{
    if (x->is_stream)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, READ_BLOCK, read_stream, x,
                                                 NULL);
    return MHD_create_response_from_buffer(x->out.n, x->out.p, MHD_RESPMEM_MUST_COPY);
}

// On the server's thread, once the reply is given, without the lock: the library has locks of its
// own, under which it asks for a stream's bytes.
static enum MHD_Result queue_reply(listen_exchange *x)
{
    struct MHD_Response *r = make_response(x);
    if (!r) return MHD_NO;
    add_headers(x, r);
    enum MHD_Result result = MHD_queue_response(x->c, (unsigned)x->status, r);
    MHD_destroy_response(r);
    return result;
}

static void give_reply(listen_exchange *x, int status, const char *type, bool is_stream)
{
    ASSERT(x->status == 0 && status >= 200 && status <= 599);
    x->status = status;
    x->is_stream = is_stream;
    snprintf(x->type, sizeof x->type, "%s", type);
    resume(x);
}

hearth_status listen_add_header(listen_exchange *x, const char *name, const char *value,
                                hearth_err *err)
{
    extra_header h = {copy_text(name), copy_text(value)};
    os_mutex_lock(x->lock);
    bool ok = h.name && h.value && x->n_headers < MAX_EXTRA_HEADERS && x->status == 0;
    if (ok) x->header[x->n_headers++] = h;
    os_mutex_unlock(x->lock);
    if (ok) return HEARTH_OK;
    mem_free(h.name);
    mem_free(h.value);
    return err_fail(err, HEARTH_E_LIMIT, "header '%s' has no room", name);
}

void listen_reply(listen_exchange *x, int status, const char *type, str body)
{
    os_mutex_lock(x->lock);
    buf_reset(&x->out);
    bool fits = buf_append_str(&x->out, body) == HEARTH_OK;
    if (!fits) buf_reset(&x->out);
    x->is_ended = true;
    give_reply(x, fits ? status : 500, type, false);
    os_mutex_unlock(x->lock);
}

void listen_begin(listen_exchange *x, int status, const char *type)
{
    os_mutex_lock(x->lock);
    give_reply(x, status, type, true);
    os_mutex_unlock(x->lock);
}

hearth_status listen_write(listen_exchange *x, str bytes, hearth_err *err)
{
    os_mutex_lock(x->lock);
    ASSERT(x->is_stream && !x->is_ended);
    hearth_status status = HEARTH_OK;
    if (x->is_gone || !x->c)
        status = err_fail(err, HEARTH_E_CANCELED, "the client has left");
    else if (buf_append_str(&x->out, bytes) != HEARTH_OK)
        status = err_fail(err, HEARTH_E_LIMIT, "the client reads too slowly: %zu bytes wait",
                          x->out.n - x->out_at);
    resume(x);
    os_mutex_unlock(x->lock);
    return status;
}

void listen_end(listen_exchange *x)
{
    os_mutex_lock(x->lock);
    x->is_ended = true;
    resume(x);
    os_mutex_unlock(x->lock);
}

void listen_on_gone(listen_exchange *x, void (*gone)(void *ctx), void *ctx)
{
    os_mutex_lock(x->lock);
    x->gone = gone;
    x->gone_ctx = ctx;
    if (x->is_gone && gone) gone(ctx);
    os_mutex_unlock(x->lock);
}

// --- requests -----------------------------------------------------------------------------------

const char *listen_method(const listen_exchange *x) { return x->method; }
const char *listen_path(const listen_exchange *x) { return x->path; }
const char *listen_client(const listen_exchange *x) { return x->client; }
str listen_body(const listen_exchange *x) { return buf_str(&x->body); }
bool listen_is_head(const listen_exchange *x) { return !strcmp(x->method, "HEAD"); }

const char *listen_header(const listen_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->c, MHD_HEADER_KIND, name);
}

const char *listen_query(const listen_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->c, MHD_GET_ARGUMENT_KIND, name);
}

static const char too_large[] = "{\"error\":\"request body too large\"}";

static void refuse(listen_exchange *x, int status, const char *json)
{
    x->is_refused = true;
    listen_reply(x, status, "application/json", str_from(json));
}

// Nobody else knows the exchange yet.
static enum MHD_Result begin_request(listen_server *l, listen_exchange *x)
{
    const char *reply = "{}", *length = listen_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int status = l->o.accept ? l->o.accept(l->o.ctx, x, &reply) : 0;
    unsigned long long n = 0;
    if (status != 0) refuse(x, status, reply);
    else if (length && sscanf(length, "%20llu", &n) == 1 && n > l->o.max_body)
        refuse(x, 413, too_large);
    if (!x->is_refused) return MHD_YES;
    x->is_queued = true;
    return queue_reply(x); // the library then reads no body
}

static void take_body(listen_exchange *x, const char *data, size_t n)
{
    if (x->is_refused) return;
    if (x->body.n + n > x->l->o.max_body || buf_append(&x->body, data, n) != HEARTH_OK)
        refuse(x, 413, too_large);
}

static void watch_client(listen_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->c, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info) os_watch_add(x->l->watch, info->connect_fd, x->key, NULL);
}

static void hand_over(listen_exchange *x)
{
    x->is_handed = true;
    if (x->is_refused) return;
    watch_client(x);
    listen_hold(x);
    x->l->o.request(x->l->o.ctx, x);
    listen_release(x);
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *c, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *n_data, void **state)
{
    listen_server *l = ctx;
    listen_exchange *x = *state;
    (void)version;
    if (!x) {
        *state = x = new_exchange(l, c, path, method);
        return x ? begin_request(l, x) : MHD_NO;
    }
    if (*n_data > 0) {
        take_body(x, data, *n_data);
        *n_data = 0;
        return MHD_YES;
    }
    if (!x->is_handed) hand_over(x);
    os_mutex_lock(x->lock);
    bool is_gone = x->is_gone; // nobody is there to hear a reply
    bool may_queue = x->status != 0 && !x->is_queued;
    if (may_queue) {
        x->is_queued = true;
    } else if (!x->is_queued && !is_gone) {
        x->is_suspended = true;
        MHD_suspend_connection(c);
    }
    os_mutex_unlock(x->lock);
    if (is_gone) return MHD_NO;
    return may_queue ? queue_reply(x) : MHD_YES;
}

static void complete(void *ctx, struct MHD_Connection *c, void **state,
                     enum MHD_RequestTerminationCode why)
{
    listen_exchange *x = *state;
    (void)ctx;
    (void)c;
    if (!x) return;
    *state = NULL;
    os_watch_remove(x->l->watch, x->key);
    os_mutex_lock(x->lock);
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK) mark_gone(x);
    x->c = NULL;
    os_mutex_unlock(x->lock);
    listen_release(x);
}

// --- opening and closing ------------------------------------------------------------------------

static hearth_status bind_socket(listen_server *l, hearth_err *err)
{
    if (l->o.inherited_fd >= 0) {
        l->fd = l->o.inherited_fd;
        return HEARTH_OK;
    }
    if (!l->o.unix_path)
        return os_listen_host(l->o.host ? l->o.host : "127.0.0.1", l->o.port, &l->fd, err);
    HEARTH_TRY(os_listen_path(l->o.unix_path, &l->fd, err));
    l->unix_path = copy_text(l->o.unix_path);
    return HEARTH_OK;
}

static hearth_status start_daemon(listen_server *l, hearth_err *err)
{
    struct MHD_OptionItem more[4] = {{MHD_OPTION_END, 0, NULL}};
    // Not epoll: quiescing races with the thread's own changes to its set, and the library then
    // ends the process. A few hundred connections are nothing for poll().
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_ALLOW_SUSPEND_RESUME;
    if (l->o.tls_key && l->o.tls_cert) {
        // The library takes the texts as they are and does not change them.
        more[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0,
                                          (void *)(uintptr_t)l->o.tls_key};
        more[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0,
                                          (void *)(uintptr_t)l->o.tls_cert};
        more[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
        flags |= MHD_USE_TLS;
    }
    l->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, l, MHD_OPTION_LISTEN_SOCKET, l->fd,
                                 MHD_OPTION_NOTIFY_COMPLETED, complete, l,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)l->o.max_connections,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)l->o.timeout_s,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MEMORY,
                                 MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (l->daemon) return HEARTH_OK;
    return err_fail(err, HEARTH_E_NET, flags & MHD_USE_TLS
                                           ? "the server does not start (key or certificate?)"
                                           : "the server does not start");
}

hearth_status listen_open(const listen_options *o, listen_server **out, hearth_err *err)
{
    *out = NULL;
    ASSERT(o->request);
    listen_server *l = mem_alloc_zero(MEM_MISC, 1, sizeof *l);
    if (!l) return err_fail(err, HEARTH_E_NOMEM, "server: out of memory");
    l->o = *o;
    l->fd = -1;
    hearth_status status = os_mutex_create(&l->lock, err);
    if (status == HEARTH_OK) status = os_cond_create(&l->changed, err);
    if (status == HEARTH_OK) status = os_watch_open(watch_gone, l, &l->watch, err);
    if (status == HEARTH_OK) status = bind_socket(l, err);
    if (status == HEARTH_OK) status = start_daemon(l, err);
    if (status != HEARTH_OK) {
        listen_close(l);
        return status;
    }
    *out = l;
    return HEARTH_OK;
}

int listen_port(const listen_server *l) { return os_socket_port(l->fd); }

// Those there are now, oldest first; no new ones come.
static void end_exchanges(listen_server *l)
{
    uint64_t last = 0;
    for (;;) {
        listen_exchange *x = hold_next(l, last);
        if (!x) return;
        last = x->key;
        leave(x);
        listen_release(x);
    }
}

static void wait_for_holders(listen_server *l)
{
    os_mutex_lock(l->lock);
    while (l->exchanges) os_cond_wait(l->changed, l->lock);
    os_mutex_unlock(l->lock);
}

void listen_close(listen_server *l)
{
    if (!l) return;
    if (l->daemon) {
        MHD_quiesce_daemon(l->daemon); // no new connections; the socket is ours again
        end_exchanges(l);
        MHD_stop_daemon(l->daemon);
        wait_for_holders(l);
    }
    if (l->fd >= 0) os_socket_close(l->fd);
    if (l->unix_path) os_remove(l->unix_path, NULL);
    mem_free(l->unix_path);
    os_watch_close(l->watch);
    os_cond_free(l->changed);
    os_mutex_free(l->lock);
    mem_free(l);
}
