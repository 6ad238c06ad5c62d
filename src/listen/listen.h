// HTTP/1.1 for the server: connections, requests and replies that may come later and in pieces.
// Over libmicrohttpd; nothing of it is visible here.
//
// A request is handed over when its body is whole, on the listener's thread, which must not wait.
// Its reply may be given there or later from any thread, at once or as a stream. A client that goes
// away before its reply is whole is reported, also while nothing is being sent.
#ifndef HEARTH_LISTEN_LISTEN_H
#define HEARTH_LISTEN_LISTEN_H

#include "base/str.h"

typedef struct listen listen_server;
typedef struct listen_exchange listen_exchange; // a request and its reply

typedef struct listen_options {
    const char *host;         // an address or a name; NULL: 127.0.0.1
    int port;                 // 0: any free one
    const char *unix_path;    // a socket file instead of host and port; replaced when it is there
    int inherited_fd;         // a listening socket instead of both (systemd); -1: none
    const char *tls_key, *tls_cert; // PEM texts; NULL: no TLS
    size_t max_body;          // bytes; a longer one is 413
    int max_connections;
    int timeout_s;            // of a connection on which nothing moves while we wait for the client
    // The head of a request is there. A status other than 0 ends it with that status and `reply`
    // as its JSON body (static storage), before a body is read. NULL: all are taken.
    int (*accept)(void *ctx, listen_exchange *x, const char **reply);
    void (*request)(void *ctx, listen_exchange *x); // listen_hold() keeps x beyond the call
    void *ctx;
} listen_options;
void listen_options_default(listen_options *o);
hearth_status listen_open(const listen_options *o, listen_server **out, hearth_err *err);
int listen_port(const listen_server *l); // 0 for a socket file
// Ends all replies where they are, reports their clients as gone, and waits until nobody holds an
// exchange. NULL is legal.
void listen_close(listen_server *l);

// --- the request; in accept() and request() only ------------------------------------------------
const char *listen_method(const listen_exchange *x);
const char *listen_path(const listen_exchange *x);   // percent-decoded, without the query
const char *listen_header(const listen_exchange *x, const char *name); // NULL: absent
const char *listen_query(const listen_exchange *x, const char *name);  // NULL: absent
// --- while it is held ----------------------------------------------------------------------------
const char *listen_client(const listen_exchange *x); // "127.0.0.1"; "local" for a socket file
str listen_body(const listen_exchange *x);           // until the reply is given
bool listen_is_head(const listen_exchange *x);

// Every hold has its release; the request() call has one of its own.
void listen_hold(listen_exchange *x);
void listen_release(listen_exchange *x);

// --- the reply: one listen_reply(); or listen_begin(), listen_write()s, listen_end() -------------
// Both strings are copied; before the reply is given.
hearth_status listen_add_header(listen_exchange *x, const char *name, const char *value,
                                hearth_err *err);
// The body is copied. type: of the body, "application/json".
void listen_reply(listen_exchange *x, int status, const char *type, str body);
void listen_begin(listen_exchange *x, int status, const char *type);
// HEARTH_E_CANCELED: the client is gone; HEARTH_E_LIMIT: it reads so slowly that LIMIT_HTTP_BACKLOG
// bytes wait already. The stream is over then.
hearth_status listen_write(listen_exchange *x, str bytes, hearth_err *err);
void listen_end(listen_exchange *x);
// gone() is called at most once, from some thread, when the client leaves before the reply is
// whole; at once when it has left already. It must not wait and must not call anything of this
// header. After listen_on_gone(x, NULL, NULL) it is not running any more and never will.
void listen_on_gone(listen_exchange *x, void (*gone)(void *ctx), void *ctx);

#endif
