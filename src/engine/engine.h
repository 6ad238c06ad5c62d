// A loaded model as the rest of the product uses it: one interface, two implementations.
//
//   ENGINE_LOCAL  in this process (C API, tools, platforms without processes)
//   ENGINE_CHILD  the same program started again in the role "engine", over a socketpair
//
// The parent does all writing and all talking to people; the child reads the model and computes,
// and needs neither network nor write access. A crash of the child is HEARTH_E_CRASHED with the
// reason in the message, for this and all later calls on the engine; nothing else in the parent is
// touched.
//
// Threads: calls on one engine are serialised inside, except engine_cancel(), which may come at any
// time from any thread. Events of one session are pulled by one thread.
#ifndef HEARTH_ENGINE_ENGINE_H
#define HEARTH_ENGINE_ENGINE_H

#include "llm/generate.h"
#include "reply/reply.h"
#include "tmpl/tmpl.h"

typedef struct engine engine;
typedef enum engine_place { ENGINE_LOCAL, ENGINE_CHILD } engine_place;

// Model sources: a path (first part of a split model), or "shape:NAME:TYPE[:SEED]" for a synthetic
// model (llm/synth.h).
enum { ENGINE_ADAPTERS_MAX = 16 };
// A LoRA adapter: a GGUF file, or a folder of PEFT.
typedef struct engine_adapter { str path; float scale; } engine_adapter; // path: for the open call
typedef struct engine_options {
    engine_place place;
    int n_threads;          // 0: one per processor
    unsigned cpu;           // instruction set mask, CPU_ALL by default
    int64_t n_ctx;          // positions over all sessions; 0: n_ctx_seq for each of n_seq
    int64_t n_ctx_seq;      // positions of one session at most; 0: n_ctx, or where that is 0 too
                            // the model's own, at most ENGINE_DEFAULT_CTX
    int n_seq, n_batch, n_logits;
    dtype type_k, type_v;
    uint64_t memory_limit;  // 0: none. Refused before loading when the plan exceeds it
    bool metadata_only;     // for show, plan and tokenize: no context; generation is HEARTH_E_STATE
    engine_adapter adapters[ENGINE_ADAPTERS_MAX];
    int n_adapters;
} engine_options;
enum { ENGINE_DEFAULT_CTX = 4096 };
void engine_options_default(engine_options *o);

typedef struct engine_info {
    char path[256], name[128], arch[32], tokenizer[32], file_type[32];
    uint64_t file_bytes, parameters;
    int64_t n_ctx, n_ctx_train, n_vocab, n_embd, n_layer;
    int64_t n_embd_out;     // values of a text's vector; 0 where the model is not known
    bool is_encoder;        // it reads texts and generates none
    bool can_rank;
    int n_threads;
    char cpu[96];
    tok_special special;
    bool has_chat_template;
    llm_plan plan;          // for the options that the engine was opened with
    uint64_t load_ns;
} engine_info;

hearth_status engine_open(const char *source, const engine_options *o, engine **out,
                          hearth_err *err);
void engine_close(engine *e); // NULL is legal; ends the child
const engine_info *engine_get_info(const engine *e);

// The metadata as one JSON object: {"metadata": {key: value, long arrays cut to {"length": n,
// "first": [...]}}, "tensors": [{"name", "type", "shape", "bytes"}], ...}.
hearth_status engine_describe(engine *e, buf *json, hearth_err *err);
// The plan for other context options; n_ctx 0 and zeroed types mean the engine's own.
hearth_status engine_plan(engine *e, const llm_ctx_options *o, llm_plan *out, hearth_err *err);

hearth_status engine_tokenize(engine *e, str text, tok_options o, tok_ids *out, hearth_err *err);
hearth_status engine_detokenize(engine *e, const int32_t *ids, size_t n, bool special, buf *out,
                                hearth_err *err);

// From a conversation to the tokens of a prompt, by the chat template.
typedef enum engine_think { ENGINE_THINK_DEFAULT, ENGINE_THINK_ON, ENGINE_THINK_OFF } engine_think;
typedef struct engine_chat_options {
    str messages;       // JSON array as for OpenAI's API or Hugging Face's templates
    str tools;          // JSON array; empty: none
    str variables;      // JSON object of further variables for the template; empty: none
    str template_text;  // instead of the model's; empty: the model's
    str template_name;  // of the model's several; empty: "tool_use", if there are tools and it has
                        // one, else the unnamed one
    tmpl_time now;      // for templates that say the date
    engine_think think; // reasoning before the answer, as far as the template offers it
    bool no_generation_prompt;
    const int32_t *held; // tokens of the conversation so far, from the last call and the reply:
    size_t n_held;       // kept as they are if the text begins with theirs, so that a session's
                         // cache serves the next turn
} engine_chat_options;
typedef struct engine_chat_result {
    tok_ids ids;
    reply_style style;  // how the model's answer is to be read
    char note[160];     // one line that a person should see, mostly empty
} engine_chat_result;
// Users' bytes never become control tokens. *out need not be initialised; the caller releases ids.
hearth_status engine_chat(engine *e, const engine_chat_options *o, engine_chat_result *out,
                          hearth_err *err);

typedef uint32_t engine_session; // > 0
hearth_status engine_session_open(engine *e, engine_session *out, hearth_err *err);
void engine_session_close(engine *e, engine_session s);
hearth_status engine_session_export(engine *e, engine_session s, buf *out, hearth_err *err);
hearth_status engine_session_import(engine *e, engine_session s, const void *p, size_t n,
                                    hearth_err *err);

// Starts a generation from the full prefix `prompt`; the session reuses what it holds of it.
hearth_status engine_start(engine *e, engine_session s, const int32_t *prompt, int64_t n,
                           const generate_options *o, hearth_err *err);
// The next event. During the prompt, events are progress reports (prompt_total > 0, no token).
typedef struct engine_event {
    generate_event gen;
    int64_t prompt_done, prompt_total; // total 0 once tokens come
    generate_stats stats;              // final when gen.finish is not RUNNING
} engine_event;
hearth_status engine_next(engine *e, engine_session s, engine_event *out, hearth_err *err);

// The same for all generations that run, in one step of the model: each decodes one token or goes
// on with its prompt. Long prompts are cut, so that they hold up nobody's tokens. A reply is the
// same bits as if its session had been alone.
typedef struct engine_news {
    engine_session session;
    hearth_err failed;  // .status HEARTH_OK: `event` counts. Else the generation is over
    engine_event event; // its text is valid until the session's next event
} engine_news;
// out: as many as the engine has sequences. *n: how many came, 0 when nothing runs.
hearth_status engine_step(engine *e, engine_news *out, int *n, hearth_err *err);
// The running generation ends with GENERATE_CANCELED at its next event; any thread.
void engine_cancel(engine *e, engine_session s);

// --- vectors of texts ---
typedef struct engine_embed_options {
    llm_pooling pooling;    // LLM_POOL_NONE: the model's own
    int64_t dimensions;     // > 0: the first so many values of a vector (Matryoshka), 0: all
    bool raw;               // as computed; otherwise every vector has the length 1
    bool truncate;          // texts that are too long are cut; otherwise they are HEARTH_E_LIMIT
} engine_embed_options;
// out [n][dimensions, or info.n_embd_out]; *n_tokens: how many were read. A text is taken as it is:
// prefixes that a model was trained with ("search_query: ") are the caller's.
hearth_status engine_embed(engine *e, const str *texts, size_t n, const engine_embed_options *o,
                           float *out, int64_t *n_tokens, hearth_err *err);
// How well each document answers the query: the classifier's first label, as it is; shares of "yes"
// for models that say yes or no. Higher is better; scales differ between models.
hearth_status engine_rerank(engine *e, str query, const str *documents, size_t n, bool truncate,
                            float *scores, int64_t *n_tokens, hearth_err *err);

// Logits of every token, [n][n_vocab] into `out`, in steps of `batch` rows, with a fresh sequence.
hearth_status engine_logits(engine *e, const int32_t *ids, int64_t n, int batch, float *out,
                            hearth_err *err);

// The child's main loop, called by the program when it was started in the role "engine".
// Returns the process's exit status.
int engine_role_main(void);
#define ENGINE_ROLE_ARG "--role=engine"

#endif
