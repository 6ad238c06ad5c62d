// Hearth: language models in your own process.
//
//   hearth_model     an opened model file; hearth_model_open() .. hearth_model_close()
//   hearth_session   one conversation: the tokens that the model has read and what it computed from
//                    them; hearth_session_create() .. hearth_session_free(). A model has as many at
//                    a time as it was opened for (options.sessions)
//   generation       what a session does between hearth_generate_start() and its last event
//
// Smallest use:
//
//   hearth_error error;
//   hearth_model *model;
//   hearth_session *session;
//   int32_t prompt[256];
//   size_t n;
//   if (hearth_model_open("model.gguf", NULL, &model, &error) ||
//       hearth_session_create(model, &session, &error) ||
//       hearth_tokenize(model, "Once upon a time", 16, HEARTH_ADD_SPECIAL, prompt, 256, &n,
//                       &error) ||
//       hearth_generate(session, prompt, n, NULL, show, NULL, &error))
//       puts(error.message);
//
// Errors     Functions that can fail return HEARTH_OK (0) or a negative code and fill the caller's
//            hearth_error, which may be NULL. On failure outputs are NULL or untouched and nothing
//            is left to free. Damaged files and impossible requests are errors, never crashes.
// Threads    All functions may be called from any thread. Calls on one model and its sessions wait
//            for each other, except hearth_generate_cancel(), which never waits. Free the sessions
//            before their model, and nothing while another thread is using it.
// Ownership  What a function makes is freed by its counterpart, named there. Inputs are copied or
//            used only during the call. Texts are UTF-8; lengths are in bytes.
// Options    A structure whose first member is `size` is filled by its _default() function, or
//            zeroed with size set to sizeof: later versions may add members at its end.
// Output     The library prints nothing, reads no environment variable and starts no process. Set a
//            log function to see its diagnostics.
#ifndef HEARTH_H
#define HEARTH_H

#include <stddef.h>
#include <stdint.h>

#include "hearth/status.h"

#if defined(__GNUC__) && !defined(_WIN32)
#define HEARTH_API __attribute__((visibility("default")))
#else
#define HEARTH_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

// --- library ------------------------------------------------------------------------------------
#define HEARTH_MESSAGE_CAP 512

typedef struct hearth_error {
    hearth_status code;
    char message[HEARTH_MESSAGE_CAP]; // one line, e.g. "model.gguf: tensor 'x': is missing"
} hearth_error;

HEARTH_API const char *hearth_version(void);                       // "0.1.0"
HEARTH_API const char *hearth_status_name(hearth_status status);   // "out of memory"; never NULL
// For what hearth_model_describe(), hearth_session_export() and hearth_chat() made; NULL is legal.
HEARTH_API void hearth_free(void *p);

enum { HEARTH_LOG_ERROR = 0, HEARTH_LOG_WARN = 1, HEARTH_LOG_INFO = 2, HEARTH_LOG_DEBUG = 3 };
// One line without its end. May be called from any thread.
typedef void (*hearth_log_fn)(void *ctx, int level, const char *text);
// For the whole process; set it before the first model is opened. NULL: none. Levels above `most`
// are not formatted.
HEARTH_API void hearth_set_log(hearth_log_fn log, void *ctx, int most);

// --- models -------------------------------------------------------------------------------------
typedef struct hearth_model hearth_model;

enum { HEARTH_CACHE_F16 = 0, HEARTH_CACHE_F32 = 1 };

typedef struct hearth_adapter {
    const char *path; // of a LoRA adapter: a GGUF file, or a folder of PEFT
    float scale;      // 1: as it was trained
} hearth_adapter;

typedef struct hearth_model_options {
    uint32_t size;
    int32_t threads;       // 0: one per processor; at most 512
    int64_t context;       // tokens over all sessions; 0: the model's own, at most 4096
    int32_t sessions;      // at the same time, 1 to 4096; 0: 1
    int32_t batch;         // tokens of a prompt that are computed at once, 1 to 65536; 0: 512
    int32_t cache_type;    // HEARTH_CACHE_...
    int32_t metadata_only; // not 0: for looking at a file and tokenizing; nothing can be generated
    uint64_t memory_limit; // bytes; 0: none. A model that would need more is HEARTH_E_LIMIT
    const hearth_adapter *adapters; // that add up, in this order; read by the open call only
    int32_t n_adapters;    // at most 16
} hearth_model_options;
HEARTH_API void hearth_model_options_default(hearth_model_options *options);

// Opens a GGUF file (of a split model: the first part). The file is mapped and must not be changed
// while the model is open. "shape:NAME:TYPE[:SEED]" makes a model with random weights instead.
// `options` may be NULL. Counterpart: hearth_model_close().
HEARTH_API hearth_status hearth_model_open(const char *path, const hearth_model_options *options,
                                           hearth_model **out, hearth_error *error);
HEARTH_API void hearth_model_close(hearth_model *model); // NULL is legal

typedef struct hearth_plan { // bytes
    uint64_t weights;      // of the mapped file; shared with other processes that use it
    uint64_t model;        // what is kept beside the file
    uint64_t cache;        // of all sessions together
    uint64_t scratch;      // of one step
    uint64_t total;
} hearth_plan;

typedef struct hearth_model_info {
    uint32_t size;
    int32_t threads;
    char name[128], architecture[32], tokenizer[32], file_type[32], processor[96];
    uint64_t file_bytes, parameters;
    int64_t context, context_trained, vocabulary, embedding, layers;
    int32_t bos, eos, eot; // token ids, -1 where the model has none
    int32_t has_chat_template;
    hearth_plan plan;      // for the options that the model was opened with
    uint64_t load_ns;
    int64_t embedding_out; // values of a text's vector
    int32_t can_rank;      // not 0: hearth_rerank() works
    int32_t is_encoder;    // not 0: it reads texts and generates none
} hearth_model_info;
// Fills *info; info->size says how much of it.
HEARTH_API hearth_status hearth_model_get_info(const hearth_model *model, hearth_model_info *info,
                                               hearth_error *error);
// Metadata and tensors as one JSON object, NUL-terminated. Counterpart: hearth_free().
HEARTH_API hearth_status hearth_model_describe(hearth_model *model, char **json, size_t *n,
                                               hearth_error *error);
// What the model would need with another context length (0: as opened) and cache type.
HEARTH_API hearth_status hearth_model_plan(hearth_model *model, int64_t context, int32_t cache_type,
                                           hearth_plan *out, hearth_error *error);

// --- text and tokens ----------------------------------------------------------------------------
enum {
    HEARTH_ADD_SPECIAL = 1,  // tokenize: add what the model wants before and after a text
    HEARTH_PARSE_SPECIAL = 2 // tokenize: control tokens spelled in the text become their ids;
                             // detokenize: control tokens are spelled out. Not for users' text
};
// *n is set to the number of ids also when they do not fit: HEARTH_E_LIMIT, nothing is written,
// call again with more room. `ids` may be NULL when cap is 0.
HEARTH_API hearth_status hearth_tokenize(hearth_model *model, const char *text, size_t text_bytes,
                                         uint32_t flags, int32_t *ids, size_t cap, size_t *n,
                                         hearth_error *error);
// The same rule for the bytes of the text, which gets no NUL.
HEARTH_API hearth_status hearth_detokenize(hearth_model *model, const int32_t *ids, size_t n_ids,
                                           uint32_t flags, char *text, size_t cap, size_t *n,
                                           hearth_error *error);
// The logits of every position, [n][vocabulary] floats into `out`, `batch` tokens at a time, in a
// cache of its own.
HEARTH_API hearth_status hearth_logits(hearth_model *model, const int32_t *ids, size_t n,
                                       int32_t batch, float *out, hearth_error *error);

// --- vectors of texts ---------------------------------------------------------------------------
enum { HEARTH_POOL_MODEL = 0, HEARTH_POOL_MEAN = 1, HEARTH_POOL_FIRST = 2, HEARTH_POOL_LAST = 3 };

typedef struct hearth_embed_options {
    uint32_t size;
    int32_t pooling;       // HEARTH_POOL_...
    int64_t dimensions;    // the first so many values of a vector (Matryoshka); 0: all
    int32_t raw;           // not 0: as computed; otherwise every vector has the length 1
    int32_t truncate;      // not 0: texts that are too long are cut instead of HEARTH_E_LIMIT
} hearth_embed_options;
HEARTH_API void hearth_embed_options_default(hearth_embed_options *options);
// The vectors of n NUL-terminated texts, [n][dimensions, or info.embedding_out] floats into `out`.
// A text is taken as it is: prefixes that a model was trained with are yours to write. `options`
// may be NULL, n_tokens too (how many tokens were read).
HEARTH_API hearth_status hearth_embed(hearth_model *model, const char *const *texts, size_t n,
                                      const hearth_embed_options *options, float *out,
                                      int64_t *n_tokens, hearth_error *error);
// How well each document answers the query, one score each; higher is better, scales differ between
// models. HEARTH_E_UNSUPPORTED: the model has no classifier.
HEARTH_API hearth_status hearth_rerank(hearth_model *model, const char *query,
                                       const char *const *documents, size_t n, int32_t truncate,
                                       float *scores, int64_t *n_tokens, hearth_error *error);

// --- sessions -----------------------------------------------------------------------------------
typedef struct hearth_session hearth_session;
// HEARTH_E_LIMIT: the model has no more. Counterpart: hearth_session_free().
HEARTH_API hearth_status hearth_session_create(hearth_model *model, hearth_session **out,
                                               hearth_error *error);
HEARTH_API void hearth_session_free(hearth_session *session); // NULL is legal; ends a generation
// What the session holds as bytes, for a session of the same model and cache type later or
// elsewhere; another one answers HEARTH_E_VERIFY. Counterpart: hearth_free().
HEARTH_API hearth_status hearth_session_export(hearth_session *session, void **bytes, size_t *n,
                                               hearth_error *error);
HEARTH_API hearth_status hearth_session_import(hearth_session *session, const void *bytes, size_t n,
                                               hearth_error *error);

// --- generation ---------------------------------------------------------------------------------
#define HEARTH_SEED_RANDOM UINT64_MAX

typedef struct hearth_bias {
    int32_t id;
    float bias;            // added to the token's logit; -INFINITY bans it
} hearth_bias;

// The defaults (in brackets) and the meaning of all numbers are llama.cpp's.
typedef struct hearth_generate_options {
    uint32_t size;
    int32_t ignore_end;            // not 0: end tokens cannot be drawn [0]
    int64_t n_predict;             // tokens at most; -1: until the end or a full context [-1]
    uint64_t seed;                 // the same seed gives the same text; HEARTH_SEED_RANDOM: drawn
                                   // from the system [HEARTH_SEED_RANDOM]
    const char *const *stop;       // strings that end the text and are not part of it [none]
    size_t n_stop;                 // at most 64
    const hearth_bias *bias;       // [none]
    size_t n_bias;
    const char *samplers;          // order of the stages, e.g. "top_k;temperature"; NULL: all in
                                   // the default order
    float temperature;             // <= 0: always the likeliest token [0.8]
    float dynatemp_range;          // [0]
    float dynatemp_exponent;       // [1]
    float top_p;                   // 0 to 1 [0.95]
    float min_p;                   // 0 to 1 [0.05]
    float typical_p;               // 0 to 1 [1]
    float top_n_sigma;             // <= 0: off [-1]
    float xtc_probability;         // 0 to 1 [0]
    float xtc_threshold;           // 0 to 1 [0.1]
    float repeat_penalty;          // > 0 [1]
    float presence_penalty;        // [0]
    float frequency_penalty;       // [0]
    float dry_multiplier;          // 0: off [0]
    float dry_base;                // [1.75]
    float mirostat_tau;            // [5]
    float mirostat_eta;            // [0.1]
    int32_t top_k;                 // <= 0: all [40]
    int32_t repeat_last_n;         // tokens that penalties look back; -1: all [64]
    int32_t dry_allowed_length;    // [2]
    int32_t dry_penalty_last_n;    // -1: all [64]
    int32_t mirostat;              // 0: off, 1, 2 [0]
    int32_t min_keep;              // candidates that truncation leaves at least [0]
    int32_t show_special;          // not 0: control tokens appear in the text [0]
    int32_t n_logprobs;            // alternatives to report for each token, 0 to 20 [0]
    int32_t hide_end;              // not 0: with show_special, but not the one that ends the text
                                   // [0]
} hearth_generate_options;
HEARTH_API void hearth_generate_options_default(hearth_generate_options *options);

typedef enum hearth_finish {
    HEARTH_RUNNING = 0,
    HEARTH_FINISH_END = 1,         // the model ended its text
    HEARTH_FINISH_STOP = 2,        // a stop string
    HEARTH_FINISH_LENGTH = 3,      // n_predict
    HEARTH_FINISH_CONTEXT = 4,     // the context is full
    HEARTH_FINISH_CANCELED = 5
} hearth_finish;

typedef struct hearth_logprob {
    int32_t id;
    float logprob;                 // natural logarithm, of the model's unmodified probabilities
} hearth_logprob;

typedef struct hearth_event {
    uint32_t size;
    hearth_finish finish;          // HEARTH_RUNNING: more may come
    int32_t token;                 // -1: none, only progress or left-over text
    float logprob;                 // of the token; with n_logprobs
    const char *text;              // whole characters, NUL-terminated, maybe empty; held back while
                                   // it may become a stop string. Valid until the session's next
                                   // call
    size_t text_bytes;
    const hearth_logprob *top;     // likeliest first; valid as long as text
    size_t n_top;
    int64_t prompt_done, prompt_total; // while the prompt is computed; total is 0 once tokens come
    int64_t n_prompt, n_reused, n_generated; // tokens so far; reused: found in the session
    uint64_t prompt_ns, generate_ns;
} hearth_event;

// Starts to continue `prompt` (n >= 1 tokens: the whole text so far, not only what is new; what the
// session has computed of it is used again). Ends what the session was generating.
// `options` may be NULL.
HEARTH_API hearth_status hearth_generate_start(hearth_session *session, const int32_t *prompt,
                                               size_t n, const hearth_generate_options *options,
                                               hearth_error *error);
// Computes the next event. A prompt longer than a batch comes with events of progress. After the
// last event: HEARTH_E_STATE. event->size says how much of *event is filled.
HEARTH_API hearth_status hearth_generate_next(hearth_session *session, hearth_event *event,
                                              hearth_error *error);
// The running generation ends soon, with HEARTH_FINISH_CANCELED and the text held back. Never
// waits.
HEARTH_API void hearth_generate_cancel(hearth_session *session);

// Both in one: calls on_event for every event up to the last one. It returns 0 to go on, anything
// else to cancel; it must not call functions of this session but hearth_generate_cancel().
typedef int (*hearth_event_fn)(void *ctx, const hearth_event *event);
HEARTH_API hearth_status hearth_generate(hearth_session *session, const int32_t *prompt, size_t n,
                                         const hearth_generate_options *options,
                                         hearth_event_fn on_event, void *ctx, hearth_error *error);

// --- conversations ------------------------------------------------------------------------------
// Messages to tokens by the model's chat template, and the model's text back to parts:
//
//   hearth_chat(model, "[{\"role\": \"user\", \"content\": \"Hi\"}]", NULL, &ids, &n, &reply,
//               &error);
//   options.show_special = options.hide_end = 1;    tags are often control tokens
//   hearth_generate(session, ids, n, &options, ..); for each event:
//       hearth_reply_put(reply, event->text, event->text_bytes, ..);
//       while (hearth_reply_next(reply, &part)) ..
//   hearth_reply_end(reply, ..); and the rest of the parts
enum { HEARTH_THINK_DEFAULT = 0, HEARTH_THINK_ON = 1, HEARTH_THINK_OFF = 2 };

typedef struct hearth_chat_options {
    uint32_t size;
    int32_t think;                 // HEARTH_THINK_...: reasoning, as far as the template offers it
    int32_t no_generation_prompt;  // not 0: end behind the last message
    int32_t year, month, day, hour, minute, second; // for templates that say the date [1970-01-01]
    const char *tools;             // JSON array [none]
    const char *variables;         // JSON object of further variables for the template [none]
    const char *template_text;     // Jinja, instead of the model's [the model's]
    const char *template_name;     // of the model's several ["tool_use" with tools, if it has one]
    const int32_t *held;           // tokens of the conversation so far: kept as they are if the
    size_t n_held;                 // text begins with theirs, so that a session reuses them [none]
} hearth_chat_options;
HEARTH_API void hearth_chat_options_default(hearth_chat_options *options);

typedef struct hearth_reply hearth_reply;
// `messages` is a JSON array as for OpenAI's API or Hugging Face's templates. What messages and
// tools say never becomes a control token. A model without a template gets a usual form. Sets *ids
// (counterpart: hearth_free()) and, if `reply` is not NULL, *reply for the answer (counterpart:
// hearth_reply_free()). `options` may be NULL.
HEARTH_API hearth_status hearth_chat(hearth_model *model, const char *messages,
                                     const hearth_chat_options *options, int32_t **ids, size_t *n,
                                     hearth_reply **reply, hearth_error *error);

typedef enum hearth_part_kind {
    HEARTH_CONTENT = 0,
    HEARTH_THINKING = 1,
    HEARTH_CALL = 2                // of a tool
} hearth_part_kind;

typedef struct hearth_part {       // texts have no NUL; valid until the next put or end
    uint32_t size;
    hearth_part_kind kind;
    int32_t index;                 // of a call in this reply, from 0
    const char *text;              // content or thinking
    size_t text_bytes;
    const char *id;                // of a call as the model gave it, mostly empty
    size_t id_bytes;
    const char *name;
    size_t name_bytes;
    const char *arguments;         // a JSON object
    size_t arguments_bytes;
} hearth_part;
// A reply is used by one thread at a time. A call that is damaged comes as content.
HEARTH_API hearth_status hearth_reply_put(hearth_reply *reply, const char *text, size_t text_bytes,
                                          hearth_error *error);
HEARTH_API hearth_status hearth_reply_end(hearth_reply *reply, hearth_error *error);
// 1: *part is filled, as much as part->size says; 0: no more until more text comes.
HEARTH_API int hearth_reply_next(hearth_reply *reply, hearth_part *part);
HEARTH_API void hearth_reply_free(hearth_reply *reply); // NULL is legal

#ifdef __cplusplus
}
#endif
#endif
