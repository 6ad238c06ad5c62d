// A conversation in the cache: the caller gives the full token prefix, the session decides what to
// reuse, extend, rewind or rebuild. Nobody above this sees cache positions.
#ifndef HEARTH_LLM_SESSION_H
#define HEARTH_LLM_SESSION_H

#include "llm/llm.h"

typedef struct llm_session llm_session;
// `c` outlives the session; takes one of its sequences. n_max: positions that it may hold, 0: all
// of the context's.
hearth_status session_create(llm_ctx *c, int64_t n_max, llm_session **out, hearth_err *err);
void session_free(llm_session *s);

// Rows done and rows to do of the running sync; return false to cancel.
typedef bool (*session_progress)(void *ctx, int64_t done, int64_t total);
// Brings the cache to exactly `tokens` (n >= 1) and computes the logits of the last one (that one
// is computed again when all of it was there already). After a failure or cancel the session holds
// what was finished and the next sync goes on from there. HEARTH_E_LIMIT: n exceeds the context.
hearth_status session_sync(llm_session *s, const int32_t *tokens, int64_t n,
                           session_progress progress, void *progress_ctx, hearth_err *err);
// A sync in pieces, for whoever runs the steps and puts several sessions into one:
//   session_begin()   rewinds to what `tokens` has in common with the cache, less the last token
//   session_rows()    the next rows, 1..max of them; the last token's wants logits
//   session_took()    after a step that held them, `first` being the place of the first in it
// until nothing is missing. A step that failed, or was never made, changes nothing: rows may be
// asked for again.
hearth_status session_begin(llm_session *s, const int32_t *tokens, int64_t n, hearth_err *err);
int64_t session_missing(const llm_session *s); // rows until the end of session_begin()'s tokens
// `tokens` as in session_begin(). Returns how many rows; 0 when nothing is missing.
int session_rows(const llm_session *s, const int32_t *tokens, llm_row *rows, int max);
void session_took(llm_session *s, const int32_t *tokens, int n_rows, int first);
// One step of its own with the next rows; something is missing.
hearth_status session_step(llm_session *s, const int32_t *tokens, hearth_err *err);

const float *session_logits(const llm_session *s); // [n_vocab] of the last token of the last sync
const int32_t *session_tokens(const llm_session *s, int64_t *n); // what the cache holds
int64_t session_reused(const llm_session *s); // tokens that the last sync did not compute
// Tokens and cache as bytes, for disk and for other processes.
size_t session_export_bytes(const llm_session *s);
hearth_status session_export(llm_session *s, void *out, size_t n, hearth_err *err);
hearth_status session_import(llm_session *s, const void *p, size_t n, hearth_err *err); // replaces

#endif
