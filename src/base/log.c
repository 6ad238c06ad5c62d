// See log.h. A message longer than the line buffer is cut, not dropped.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES = 1024 };

// Process-wide by contract; set before threads start.
static struct {
    log_sink sink;
    void *ctx;
    log_level most;
} state;

void log_set(log_sink sink, void *ctx, log_level most)
{
    state.sink = sink;
    state.ctx = ctx;
    state.most = most;
}

void log_write(log_level level, const char *fmt, ...)
{
    if (!state.sink || level > state.most) return;
    char line[LINE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    state.sink(state.ctx, level, line);
}
