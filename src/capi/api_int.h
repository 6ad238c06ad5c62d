// Private to capi/: the public handles and the way between public and internal records.
#ifndef HEARTH_CAPI_API_INT_H
#define HEARTH_CAPI_API_INT_H

#include "engine/engine.h"
#include "hearth/hearth.h"

struct hearth_model { engine *e; };

struct hearth_session {
    hearth_model *model;
    engine_session id;
    hearth_logprob top[GENERATE_TOP_MAX]; // of the last event
};

// Copies an internal error to the caller's record and returns its status.
hearth_status api_report(hearth_status status, const hearth_err *from, hearth_error *to);
// HEARTH_E_ARG with a message; for misuse of the public functions.
hearth_status api_refuse(hearth_error *to, const char *what);

// A structure that begins with its size came from a caller who may know fewer members: those that
// it has replace the ones in `to`, which holds the defaults. false: the size is impossible.
bool api_read_sized(void *to, size_t to_bytes, const void *from);
// The other way round: fills as much of `to` as its size says, which is kept.
bool api_write_sized(void *to, const void *from, size_t from_bytes);

#endif
