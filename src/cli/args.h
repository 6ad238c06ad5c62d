// Argument structures of the commands; commands.c says how they are filled.
#ifndef HEARTH_CLI_ARGS_H
#define HEARTH_CLI_ARGS_H

#include "cli/engine_args.h"

typedef struct run_args {
    cli_args common;
    engine_args engine;
    sampler_params sampling; // seed, bias and order are filled from the fields below
    int64_t seed, predict;
    const char *prompt, *file, *samplers, *system, *template_file, *tools;
    const char *grammar, *json_schema, *regex; // constraints on the answer
    opt_list stop, bias, choice;
    bool raw, ignore_eos, special, stats, demo;
    int logprobs, think; // think: index into "auto on off hide"
} run_args;

typedef struct show_args {
    cli_args common;
    bool in_process, tensors;
} show_args;

typedef struct plan_args {
    cli_args common;
    engine_args engine;
    int parallel, cache; // cache: index into "f32 f16"
} plan_args;

typedef struct convert_args {
    cli_args common;
    int type; // index into "auto f16 bf16 f32 q8_0"
} convert_args;

typedef struct tokenize_args {
    cli_args common;
    bool in_process, ids, decode, bos, special;
    const char *prompt, *file;
} tokenize_args;

typedef struct embed_args {
    cli_args common;
    engine_args engine;
    const char *file;
    int64_t dimensions;
    int pooling; // index into "model mean cls last": the numbers of llm_pooling
    bool raw, truncate, similarity;
} embed_args;

typedef struct rerank_args {
    cli_args common;
    engine_args engine;
    const char *file;
    bool truncate;
} rerank_args;

typedef struct serve_args {
    cli_args common;
    engine_args engine;
    const char *host, *models, *origins, *socket, *keep_alive;
    const char *api_key, *tls_cert, *tls_key;
    int port, parallel, max_queue, max_loaded;
} serve_args;

typedef struct bench_args {
    cli_args common;
    engine_args engine;
    const char *shape, *type;
    int prompt, predict, runs;
    int64_t seed;
} bench_args;

typedef struct help_args { cli_args common; bool man, all; } help_args;
typedef struct plain_args { cli_args common; } plain_args;

typedef struct logits_args {
    cli_args common;
    int threads, batch;
    bool in_process;
    const char *tokens, *out, *cpu;
} logits_args;

typedef struct gguf_args { cli_args common; bool keys, tensors; } gguf_args;
typedef struct kern_args { cli_args common; const char *cpu; } kern_args;
typedef struct template_args { cli_args common; const char *messages; } template_args;
typedef struct diff_args { cli_args common; float tolerance; } diff_args;

typedef struct graph_run_args {
    cli_args common;
    opt_list inputs;
    const char *output;
} graph_run_args;
typedef struct graph_conform_args {
    cli_args common;
    const char *filter, *outputs;
    int at_least;
} graph_conform_args;

#endif
