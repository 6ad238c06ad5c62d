// The engine in this process: what local.c and its helpers share.
#ifndef HEARTH_ENGINE_LOCAL_H
#define HEARTH_ENGINE_LOCAL_H

#include <stdatomic.h>

#include "engine/engine_int.h"
#include "engine/source.h"

typedef struct local_slot {
    _Atomic engine_session id; // 0: free
    llm_session *session;
    generation *running;       // or ended, until the next start: its last event's text is borrowed
    atomic_uint cancel;        // the id that was asked to stop
} local_slot;

// Opened in this order and closed in reverse.
typedef struct engine_local {
    engine base;
    engine_options o;
    source src;
    tok *t;                    // NULL: t_err says why (metadata_only)
    hearth_err t_err;
    dev *d;
    llm_model *model;          // NULL: model_err says why (metadata_only)
    hearth_err model_err;
    llm_ctx *ctx;              // NULL with metadata_only
    local_slot *slots;         // [o.n_seq]
    uint32_t n_opened;         // sessions so far, for ids
    atomic_uint computing;     // the session whose step runs, 0: none
    atomic_bool stopping;      // engine_local_interrupt() was called: the end is near
} engine_local;

llm_ctx_options local_ctx_options(const engine_local *e);
void local_fill_info(engine_local *e, const char *name);
hearth_status local_describe(engine *base, buf *json, hearth_err *err);

#endif
