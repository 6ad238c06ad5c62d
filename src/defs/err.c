// See err.h.
#include "defs/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Messages quote bytes from files; a control byte in one could rewrite the reader's terminal.
static void copy_printable(char *out, size_t cap, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = *p >= 0x20 && *p != 0x7F;
        if (n + (plain ? 1 : 4) >= cap) break;
        if (plain) {
            out[n++] = (char)*p;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[*p >> 4];
            out[n++] = hex[*p & 15];
        }
    }
    out[n] = 0;
}

hearth_status err_fail_at(hearth_err *err, hearth_status status, const char *file, int line,
                          const char *fmt, ...)
{
    ASSERT(status != HEARTH_OK);
    if (!err || err->status != HEARTH_OK) return status;
    char raw[ERR_MSG_CAP];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    err->status = status;
    err->file = file;
    err->line = line;
    copy_printable(err->msg, sizeof err->msg, raw);
    return status;
}

void err_prefix(hearth_err *err, const char *fmt, ...)
{
    if (!err || err->status == HEARTH_OK) return;
    char raw[ERR_MSG_CAP], joined[ERR_MSG_CAP];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    copy_printable(joined, sizeof joined, raw);
    size_t n = strlen(joined);
    snprintf(joined + n, sizeof joined - n, "%s", err->msg);
    memcpy(err->msg, joined, sizeof joined);
}

void err_clear(hearth_err *err)
{
    if (err) *err = (hearth_err)ERR_INIT;
}

const char *err_status_name(hearth_status status)
{
    switch (status) {
    case HEARTH_OK: return "ok";
    case HEARTH_E_NOMEM: return "out of memory";
    case HEARTH_E_IO: return "input/output error";
    case HEARTH_E_FORMAT: return "bad format";
    case HEARTH_E_UNSUPPORTED: return "not supported";
    case HEARTH_E_ARG: return "bad argument";
    case HEARTH_E_STATE: return "not possible now";
    case HEARTH_E_LIMIT: return "limit exceeded";
    case HEARTH_E_CANCELED: return "canceled";
    case HEARTH_E_NET: return "connection failed";
    case HEARTH_E_AUTH: return "not allowed";
    case HEARTH_E_VERIFY: return "verification failed";
    case HEARTH_E_INTERNAL: return "internal error";
    case HEARTH_E_NOTFOUND: return "not found";
    case HEARTH_E_CRASHED: return "engine crashed";
    }
    return "unknown error";
}
