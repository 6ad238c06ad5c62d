// Private to engine/: the table behind engine.h that both implementations fill.
#ifndef HEARTH_ENGINE_ENGINE_INT_H
#define HEARTH_ENGINE_ENGINE_INT_H

#include "engine/engine.h"
#include "os/os.h"

// What embed() is asked for. With `ranks` texts[0] is the query, the others are documents, and
// there is one number for each of these.
typedef struct engine_texts {
    const str *texts;
    size_t n;
    engine_embed_options o;
    bool ranks;
} engine_texts;
// Numbers that come out.
uint64_t engine_count_results(const engine *e, const engine_texts *t);

// Entries are called with the engine's lock held, except cancel. Arguments are checked as far as
// engine.c can: sources and pointers are there, counts are positive.
typedef struct engine_ops {
    void (*close)(engine *e); // frees the engine
    hearth_status (*describe)(engine *e, buf *json, hearth_err *err);
    hearth_status (*plan)(engine *e, const llm_ctx_options *o, llm_plan *out, hearth_err *err);
    hearth_status (*tokenize)(engine *e, str text, tok_options o, tok_ids *out, hearth_err *err);
    hearth_status (*detokenize)(engine *e, const int32_t *ids, size_t n, bool special, buf *out,
                                hearth_err *err);
    hearth_status (*chat)(engine *e, const engine_chat_options *o, engine_chat_result *out,
                          hearth_err *err);
    hearth_status (*session_open)(engine *e, engine_session *out, hearth_err *err);
    void (*session_close)(engine *e, engine_session s);
    hearth_status (*session_export)(engine *e, engine_session s, buf *out, hearth_err *err);
    hearth_status (*session_import)(engine *e, engine_session s, const void *p, size_t n,
                                    hearth_err *err);
    hearth_status (*start)(engine *e, engine_session s, const int32_t *prompt, int64_t n,
                           const generate_options *o, hearth_err *err);
    hearth_status (*next)(engine *e, engine_session s, engine_event *out, hearth_err *err);
    hearth_status (*step)(engine *e, engine_news *out, int *n, hearth_err *err);
    void (*cancel)(engine *e, engine_session s); // any thread, no lock
    hearth_status (*logits)(engine *e, const int32_t *ids, int64_t n, int batch, float *out,
                            hearth_err *err);
    hearth_status (*embed)(engine *e, const engine_texts *t, float *out, int64_t *n_tokens,
                           hearth_err *err);
} engine_ops;

// Every engine begins with this.
struct engine {
    const engine_ops *ops;
    os_mutex *lock;
    engine_info info;
};

hearth_status engine_local_open(const char *source, const engine_options *o, engine **out,
                                hearth_err *err);
hearth_status engine_remote_open(const char *source, const engine_options *o, engine **out,
                                 hearth_err *err);
// The local engine's export, split in two for the child, which writes into shared memory.
hearth_status engine_local_export_bytes(engine *e, engine_session s, size_t *out, hearth_err *err);
hearth_status engine_local_export_to(engine *e, engine_session s, void *out, size_t n,
                                     hearth_err *err);
// Cancels whatever the local engine computes; any thread. For the end of the child.
void engine_local_interrupt(engine *e);

// Copies what fits, NUL-terminated, not cutting a UTF-8 character in half.
void engine_copy_text(char *out, size_t cap, str text);

#endif
