// The engine in this process: what local.c and its helpers share.
#ifndef HEARTH_ENGINE_LOCAL_H
#define HEARTH_ENGINE_LOCAL_H

#include <stdatomic.h>

#include "engine/engine_int.h"
#include "engine/source.h"

// A session's part of the running step.
typedef struct local_span {
    struct local_slot *slot;
    int first, n_rows; // in engine_local.rows
} local_span;

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
    source adapter[ENGINE_ADAPTERS_MAX]; // [o.n_adapters]
    tok *t;                    // NULL: t_err says why (metadata_only)
    hearth_err t_err;
    gram_vocab *vocab;         // of t, from the first constraint on
    dev *d;
    llm_model *model;          // NULL: model_err says why (metadata_only)
    hearth_err model_err;
    llm_ctx *ctx;              // NULL with metadata_only
    local_slot *slots;         // [o.n_seq]
    llm_row *rows;             // [o.n_batch] of the running step
    int n_rows;
    local_span *spans;         // [o.n_seq]
    uint32_t n_steps;          // of engine_step(): who comes first takes turns
    uint32_t n_opened;         // sessions so far, for ids
    atomic_uint computing;     // the session whose step runs, 0: none
    atomic_bool stopping;      // engine_local_interrupt() was called: the end is near
} engine_local;

static inline engine_local *as_local(engine *e) { return (engine_local *)e; }

// HEARTH_E_ARG: there is no such session.
hearth_status local_find_slot(engine_local *e, engine_session s, local_slot **out,
                              hearth_err *err);
llm_ctx_options local_ctx_options(const engine_local *e);
void local_fill_info(engine_local *e, const char *name);
hearth_status local_describe(engine *base, buf *json, hearth_err *err);
// Conversations (local_chat.c).
hearth_status local_chat(engine *base, const engine_chat_options *o, engine_chat_result *out,
                         hearth_err *err);
// A copy of messages with arguments as objects (chat_arguments.c). *changed: it is not the same.
hearth_status chat_open_arguments(str messages, buf *out, bool *changed, hearth_err *err);
// Generation (local_step.c).
hearth_status local_start(engine *base, engine_session s, const int32_t *prompt, int64_t n,
                          const generate_options *o, hearth_err *err);
hearth_status local_next(engine *base, engine_session s, engine_event *out, hearth_err *err);
hearth_status local_step(engine *base, engine_news *out, int *n, hearth_err *err);
hearth_status local_check_memory(const engine_local *e, const llm_plan *p, hearth_err *err);
// Vectors of texts (local_embed.c).
hearth_status local_embed(engine *base, const engine_texts *t, float *out, int64_t *n_tokens,
                          hearth_err *err);
void local_cancel(engine *base, engine_session s);

#endif
