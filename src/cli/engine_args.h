// Options that open an engine, and helpers that several commands use on one.
#ifndef HEARTH_CLI_ENGINE_ARGS_H
#define HEARTH_CLI_ENGINE_ARGS_H

#include "cli/cli.h"
#include "engine/engine.h"

typedef struct engine_args {
    int threads;           // 0: one per processor
    int64_t ctx;           // 0: the model's own
    int batch;
    int cache_k, cache_v;  // index into "f32 f16"
    uint64_t memory_limit; // 0: none
    bool in_process;
    const char *cpu;       // instruction set name, NULL: all
    opt_list lora;         // "PATH[:SCALE]"
} engine_args;

// Opens `source` after checking that it is there; messages name the source. *load_ns (may be NULL):
// the time that a person waits, starting the child included.
hearth_status open_engine(const char *source, const engine_options *o, engine **out,
                          uint64_t *load_ns, hearth_err *err);
hearth_status fill_engine_options(cli *c, const engine_args *a, engine_options *o, hearth_err *err);
// Options for commands that only look: metadata, plan, tokens.
void fill_metadata_options(bool in_process, engine_options *o);
// "1,2,3" (commas, white space or both) to ids; every id is checked against n_vocab.
hearth_status parse_ids(str text, int64_t n_vocab, tok_ids *out, hearth_err *err);

// Cancels the session's running generation when Ctrl-C comes; a thread that looks at
// os_interrupted() where there are threads, else nothing.
typedef struct watch watch;
watch *watch_start(engine *e, engine_session s); // NULL when it could not be started
void watch_stop(watch *w);                       // NULL is legal

#endif
