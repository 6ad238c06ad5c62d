// Diagnostics for developers and operators. A library never prints: without a sink nothing happens.
#ifndef HEARTH_BASE_LOG_H
#define HEARTH_BASE_LOG_H

#include "defs/defs.h"

typedef enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level;
typedef void (*log_sink)(void *ctx, log_level level, const char *text); // one line, no newline
// Process-wide; set it before threads start. Levels above `most` are not formatted.
void log_set(log_sink sink, void *ctx, log_level most);
void log_write(log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);

#endif
