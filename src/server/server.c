// See server.h: opening, who may ask, and the way from a path to a dialect's function.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/server_int.h"

void server_options_default(server_options *o)
{
    *o = (server_options){0};
    listen_options_default(&o->listen);
    sched_options_default(&o->sched);
    o->listen.port = 11434;
}

// --- who may ask --------------------------------------------------------------------------------
// A page of any web site can send requests to this machine from its visitor's browser. Two headers
// that scripts cannot forge tell: Origin, the page's site, and Host, the name it used for us (which
// a site may have pointed at this machine: DNS rebinding).

static bool is_same(const char *a, const char *b, size_t n)
{
    return str_eq_caseless((str){a, n}, (str){b, n});
}

static bool starts_with(const char *text, const char *head)
{
    size_t n = strlen(head);
    return strlen(text) >= n && is_same(text, head, n);
}

// Is `name` (a host, maybe with a port) this one?
static bool is_host(const char *name, const char *host)
{
    size_t n = strlen(host);
    return starts_with(name, host) && (name[n] == 0 || name[n] == ':');
}

static bool ends_in_domain(const char *name, const char *domain)
{
    const char *colon = name[0] == '[' ? NULL : strchr(name, ':');
    size_t n = colon ? (size_t)(colon - name) : strlen(name), k = strlen(domain);
    return n > k && is_same(name + n - k, domain, k);
}

static bool is_local_name(const char *name)
{
    return is_host(name, "localhost") || is_host(name, "127.0.0.1") || is_host(name, "[::1]") ||
           is_host(name, "0.0.0.0") || ends_in_domain(name, ".localhost") ||
           ends_in_domain(name, ".local") || ends_in_domain(name, ".internal");
}

// Only this machine can reach what listens there.
static bool is_loopback(const listen_options *o)
{
    if (o->unix_path || !o->host || !strcmp(o->host, "::1")) return true;
    return starts_with(o->host, "127.") || str_eq_caseless(str_from(o->host), STR("localhost"));
}

static bool is_listed(const char *list, const char *origin)
{
    while (list && *list) {
        size_t n = strcspn(list, ",");
        if (n == 1 && *list == '*') return true;
        if (n == strlen(origin) && is_same(list, origin, n)) return true;
        list += n + (list[n] == ',');
    }
    return false;
}

static bool is_origin_allowed(const server *s, const char *origin)
{
    static const char *const schemes[] = {"app://", "file://", "tauri://", "vscode-webview://",
                                          "vscode-file://"};
    for (size_t i = 0; i < COUNTOF(schemes); i++)
        if (starts_with(origin, schemes[i])) return true;
    const char *host = starts_with(origin, "http://") ? origin + 7
                       : starts_with(origin, "https://") ? origin + 8 : NULL;
    if (host && (is_host(host, "localhost") || is_host(host, "127.0.0.1") ||
                 is_host(host, "0.0.0.0") || is_host(host, "[::1]")))
        return true;
    return is_listed(s->o.origins, origin);
}

// Takes as long wherever the two differ, so that a key cannot be found letter by letter.
static bool is_key(const char *key, size_t n, const char *given)
{
    size_t n_given = strlen(given);
    unsigned differ = n != n_given;
    for (size_t i = 0; i < n_given; i++)
        differ |= (unsigned char)given[i] ^ (n > 0 ? (unsigned char)key[i % n] : 1u);
    return differ == 0;
}

// Every key of the list is looked at.
static bool is_key_listed(const char *list, const char *given)
{
    bool found = false;
    while (*list) {
        size_t n = strcspn(list, ",");
        found |= n > 0 && is_key(list, n, given);
        list += n + (list[n] == ',');
    }
    return found;
}

// What a browser asks before a request, and what a watcher asks, go without a key.
static bool has_key(const server *s, const listen_exchange *x)
{
    const char *bearer = listen_header(x, "Authorization"), *key = listen_header(x, "X-Api-Key");
    if (!s->o.api_keys || !strcmp(listen_method(x), "OPTIONS")) return true;
    if (!strcmp(listen_path(x), "/health")) return true;
    if (!key && bearer && starts_with(bearer, "Bearer ")) key = bearer + strlen("Bearer ");
    return key && is_key_listed(s->o.api_keys, key);
}

static int refuse_key(const listen_exchange *x, const char **reply)
{
    bool is_ollama = !strncmp(listen_path(x), "/api/", 5) || !strcmp(listen_path(x), "/");
    *reply = is_ollama ? "{\"error\":\"unauthorized\"}"
                       : "{\"error\":{\"message\":\"no valid API key was given\",\"type\":"
                         "\"authentication_error\",\"param\":null,\"code\":401}}";
    return 401;
}

static int check_head(void *ctx, listen_exchange *x, const char **reply)
{
    const server *s = ctx;
    const char *host = listen_header(x, "Host"), *origin = listen_header(x, "Origin");
    if (is_loopback(&s->o.listen) && !s->o.listen.unix_path && host && *host &&
        !is_local_name(host)) {
        *reply = "{\"error\":\"this host name is not one of this server\"}";
        return 403;
    }
    if (origin && !is_origin_allowed(s, origin)) {
        *reply = "{\"error\":\"pages of this origin are not allowed to ask (see --origins)\"}";
        return 403;
    }
    if (!has_key(s, x)) return refuse_key(x, reply);
    return 0;
}

static void allow_origin(listen_exchange *x)
{
    const char *origin = listen_header(x, "Origin");
    if (!origin) return;
    listen_add_header(x, "Access-Control-Allow-Origin", origin, NULL);
    listen_add_header(x, "Vary", "Origin", NULL);
}

static void answer_preflight(listen_exchange *x)
{
    const char *asked = listen_header(x, "Access-Control-Request-Headers");
    listen_add_header(x, "Access-Control-Allow-Methods", "GET, POST, HEAD, PUT, DELETE, OPTIONS",
                      NULL);
    listen_add_header(x, "Access-Control-Allow-Headers", asked ? asked : "*", NULL);
    listen_add_header(x, "Access-Control-Max-Age", "43200", NULL);
    listen_reply(x, 204, "text/plain", (str){0});
}

// --- routes -------------------------------------------------------------------------------------

static bool is_path(const route *r, const char *path)
{
    size_t n = strlen(r->path);
    if (n > 1 && r->path[n - 1] == '/') return !strncmp(path, r->path, n) && path[n];
    return !strcmp(path, r->path);
}

static bool is_method(const route *r, const char *method)
{
    return !strcmp(r->method, method) || (!strcmp(r->method, "GET") && !strcmp(method, "HEAD"));
}

// *other: a route of the path with another method.
static const route *find_route(const route *r, const listen_exchange *x, const route **other)
{
    for (; r->path; r++) {
        if (!is_path(r, listen_path(x))) continue;
        if (is_method(r, listen_method(x))) return r;
        *other = r;
    }
    return NULL;
}

static const route *const tables[] = {ollama_routes, openai_routes, vector_routes, token_routes,
                                      state_routes};

static void take_request(void *ctx, listen_exchange *x)
{
    server *s = ctx;
    const route *other = NULL, *found = NULL;
    allow_origin(x);
    if (!strcmp(listen_method(x), "OPTIONS")) {
        answer_preflight(x);
        return;
    }
    for (size_t i = 0; i < COUNTOF(tables) && !found; i++)
        found = find_route(tables[i], x, &other);
    if (s->o.logs_requests && s->o.sched.log) {
        char line[256];
        snprintf(line, sizeof line, "%s %s %s", listen_client(x), listen_method(x), listen_path(x));
        s->o.sched.log(s->o.sched.log_ctx, line);
    }
    if (found) found->run(s, x);
    else if (other) other->fail(x, 405, "this path does not take that method");
    else listen_reply(x, 404, "text/plain; charset=utf-8", STR("404 page not found"));
}

// --- opening and closing ------------------------------------------------------------------------

// JSON's memory is counted and bounded like all other.
static void *alloc_json(size_t n) { return mem_alloc(MEM_MISC, n); }

hearth_status server_open(const server_options *o, server **out, hearth_err *err)
{
    *out = NULL;
    if (!is_loopback(&o->listen) && !o->api_keys)
        return err_fail(err, HEARTH_E_ARG,
                        "listening on '%s' lets other machines ask: give an API key",
                        o->listen.host);
    json_set_alloc_funcs(alloc_json, mem_free);
    server *s = mem_alloc_zero(MEM_MISC, 1, sizeof *s);
    if (!s) return err_fail(err, HEARTH_E_NOMEM, "server: out of memory");
    s->o = *o;
    s->o.listen.accept = check_head;
    s->o.listen.request = take_request;
    s->o.listen.ctx = s;
    hearth_status status = catalog_open(o->models, o->model, &s->models, err);
    if (status == HEARTH_OK) status = sched_open(&s->o.sched, &s->sched, err);
    if (status == HEARTH_OK) status = listen_open(&s->o.listen, &s->listen, err);
    if (status != HEARTH_OK) {
        server_close(s);
        return status;
    }
    *out = s;
    return HEARTH_OK;
}

int server_port(const server *s) { return listen_port(s->listen); }

// First the clients, whose leaving cancels their jobs; what is left has nobody to tell.
void server_close(server *s)
{
    if (!s) return;
    listen_close(s->listen);
    sched_close(s->sched);
    catalog_close(s->models);
    mem_free(s);
}
