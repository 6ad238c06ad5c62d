// The public functions that need no model, and what all of capi/ shares.
//
// Structures grow at their end between versions. The caller's `size` tells which version it was
// compiled with: an older one gets defaults for what it does not know, a newer one than this
// library is refused, since it may rely on members that would be ignored.
#include <string.h>

#include "base/log.h"
#include "capi/api_int.h"

STATIC_ASSERT(HEARTH_MESSAGE_CAP == ERR_MSG_CAP, "messages are copied whole");
STATIC_ASSERT((int)HEARTH_LOG_DEBUG == (int)LOG_DEBUG, "levels are the same numbers");

hearth_status api_report(hearth_status status, const hearth_err *from, hearth_error *to)
{
    if (!to) return status;
    memset(to, 0, sizeof *to);
    to->code = status;
    if (status != HEARTH_OK) memcpy(to->message, from->msg, sizeof to->message);
    return status;
}

hearth_status api_refuse(hearth_error *to, const char *what)
{
    hearth_err err = ERR_INIT;
    return api_report(err_fail(&err, HEARTH_E_ARG, "%s", what), &err, to);
}

static uint32_t read_size(const void *p)
{
    uint32_t size;
    memcpy(&size, p, sizeof size);
    return size;
}

bool api_read_sized(void *to, size_t to_bytes, const void *from)
{
    uint32_t size = read_size(from);
    if (size < sizeof size || size > to_bytes) return false;
    memcpy(to, from, size);
    return true;
}

bool api_write_sized(void *to, const void *from, size_t from_bytes)
{
    uint32_t size = read_size(to);
    if (size < sizeof size || size > from_bytes) return false;
    memcpy((char *)to + sizeof size, (const char *)from + sizeof size, size - sizeof size);
    return true;
}

const char *hearth_version(void)
{
    return HEARTH_VERSION;
}

const char *hearth_status_name(hearth_status status)
{
    return err_status_name(status);
}

void hearth_free(void *p)
{
    mem_free(p);
}

static hearth_log_fn log_fn; // set before threads start, as the header asks
static void *log_ctx;

static void forward_log(void *ctx, log_level level, const char *text)
{
    (void)ctx;
    log_fn(log_ctx, (int)level, text);
}

void hearth_set_log(hearth_log_fn log, void *ctx, int most)
{
    log_fn = log;
    log_ctx = ctx;
    most = int_max(LOG_ERROR, int_min(most, LOG_DEBUG));
    log_set(log ? forward_log : NULL, NULL, (log_level)most);
}
