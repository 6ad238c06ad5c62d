// Requests that use a model once, without a conversation: vectors, ranks, tokens.
//
//   read() on the listener's thread: checks the fields   -> 400 before anything is loaded
//   run() on the model's thread: asks the engine, makes the reply
#ifndef HEARTH_SERVER_ASK_H
#define HEARTH_SERVER_ASK_H

#include "server/server_int.h"

typedef struct asking asking;
typedef struct ask {
    json_t *body;            // of the request; texts point into it
    char model[256];         // as the client said it
    bool has_keep_alive;
    uint64_t keep_alive_ns;
    uint64_t begun_ns, loaded_ns;
    // What read() leaves to run().
    str *texts;              // mem_free()d with the ask
    size_t n_texts;
    engine_embed_options embed;
    bool is_base64;
    json_t *reply;           // what run() makes; NULL: out of memory
} ask;

typedef struct ask_kind {
    error_form fail;
    bool needs_model; // otherwise the name may be left out where there is one model
    hearth_status (*read)(ask *a, hearth_err *err);
    hearth_status (*run)(ask *a, engine *e, hearth_err *err);
} ask_kind;
void ask_run(server *s, listen_exchange *x, const ask_kind *kind);

#endif
