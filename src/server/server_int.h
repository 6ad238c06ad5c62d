// Private to server/: what the dialects share.
#ifndef HEARTH_SERVER_SERVER_INT_H
#define HEARTH_SERVER_SERVER_INT_H

#include <stdatomic.h>

#include <jansson.h>

#include "reply/reply.h"
#include "server/catalog.h"
#include "server/metrics.h"
#include "server/server.h"

struct server {
    server_options o;
    catalog *models;
    sched *sched;
    listen_server *listen;
    metrics_times first_token, next_token;
};

// --- replies ------------------------------------------------------------------------------------
// Takes the reference.
void reply_json(listen_exchange *x, int status, json_t *body);
// A dialect's error body.
typedef void (*error_form)(listen_exchange *x, int status, const char *message);
void ollama_error(listen_exchange *x, int status, const char *message);
void openai_error(listen_exchange *x, int status, const char *message);
int http_status(hearth_status status);

// --- fields of a request ------------------------------------------------------------------------
// Each takes a field that may be absent or null (false then, *out as it is); one of another type is
// an error that names it: HEARTH_E_ARG.
hearth_status field_str(const json_t *body, const char *name, const char **out, hearth_err *err);
hearth_status field_bool(const json_t *body, const char *name, bool *out, hearth_err *err);
hearth_status field_int(const json_t *body, const char *name, int64_t low, int64_t high,
                        int64_t *out, hearth_err *err);
hearth_status field_f32(const json_t *body, const char *name, double low, double high, float *out,
                        hearth_err *err);
// An array of objects; *out: borrowed, NULL when absent.
hearth_status field_objects(const json_t *body, const char *name, const json_t **out,
                            hearth_err *err);
hearth_status field_messages(const json_t *body, const json_t **out, hearth_err *err); // with roles
hearth_status dump_text(const json_t *v, char **out, hearth_err *err); // of mem_free()
// "keep_alive": a number of seconds, or "10m", "1h30m", "-1"; negative: for ever.
hearth_status field_keep_alive(const json_t *body, bool *has, uint64_t *ns, hearth_err *err);
// The body as a JSON object. *out: new reference.
hearth_status read_body(const listen_exchange *x, json_t **out, hearth_err *err);
void time_of(int64_t unix_seconds, char out[40]); // RFC 3339, UTC
void time_text(char out[40]);                     // now

// --- a turn: one prompt and its answer ----------------------------------------------------------
typedef struct turn turn;
typedef struct turn_dialect {
    const char *stream_type;
    error_form fail;                                // before anything was sent
    void (*too_long)(turn *t, const char *message); // a prompt; NULL: as `fail`
    void (*part)(turn *t, const reply_part *part);  // of a stream
    void (*piece)(turn *t, const engine_event *event); // after the parts of a token; may be NULL
    void (*last)(turn *t);                          // the end, of a stream and of one whole reply
    void (*broke)(turn *t, const char *message);    // an error in the middle of a stream
} turn_dialect;

// A token that shows `bytes` bytes, in front of those whose text within a text is asked for.
typedef struct piece_lead { int32_t id; size_t bytes; } piece_lead;
hearth_status piece_open(engine *e, piece_lead *lead, hearth_err *err);
// NULL: no text of its own, half a character maybe. *bytes: an array, of both.
json_t *piece_value(engine *e, const piece_lead *lead, int32_t id, json_t **bytes);

enum { TURN_MAX_STOP = 16 };
struct turn {
    server *s;
    listen_exchange *x;
    const turn_dialect *dialect;
    char model[256];         // as the client said it
    char id[40];             // of the reply, where the dialect has one
    json_t *body;            // of the request; strings below point into it
    bool is_chat, is_stream, is_legacy; // is_legacy: the dialect's completions, not its chat
    bool wants_usage;        // in a stream
    char *messages, *tools;  // JSON texts, of mem_free()
    char *schema;            // that the answer keeps to; NULL: none, or any object
    const char *prompt;      // otherwise
    const char *suffix;      // what the reply is to stand before; NULL: nothing
    bool may_cut;            // a prompt that is too long is shortened
    bool wants_logprobs;
    int64_t n_top;           // others than the chosen one
    bool is_raw;             // control tokens in the prompt are meant
    engine_think think;
    generate_options o;
    str stop[TURN_MAX_STOP];
    sampler_bias *bias;
    // What came so far.
    reply_reader *reader;    // of the text, into parts
    buf content, thinking, frame;
    json_t *logprobs;        // of tokens that were not told yet
    engine *engine;          // in calls from the model's thread
    piece_lead lead;
    int64_t n_ctx, n_too_long; // n_too_long: tokens of a prompt that does not fit, or 0
    int64_t dropped_tokens, dropped_messages;
    json_t *calls;           // [{"id", "name", "arguments": text}]
    int n_parts;
    generate_finish finish;
    generate_stats stats;
    uint64_t begun_ns, loaded_ns, token_ns; // token_ns: when the last one came
    int64_t unix_seconds;
    bool has_begun;          // the stream's head was sent
    bool is_short;           // of memory: the reply has a gap and must fail
    // Private to turn.c.
    sched_job *_Atomic job;
    atomic_bool is_gone;
    atomic_int holds;
};

// A turn for the request, with the sampling of the dialect's defaults.
turn *turn_new(server *s, listen_exchange *x, const turn_dialect *d, json_t *body);
void turn_free(turn *t); // one that was not run
// The answer is JSON: an object of any kind, or what the schema (an object or a boolean) says.
hearth_status turn_keep_to(turn *t, const json_t *schema, hearth_err *err);
// Stop strings: one, an array of them, or none.
hearth_status turn_read_stop(turn *t, const json_t *v, hearth_err *err);
// Takes the turn over: runs it, or answers with an error. `name` is the model's.
void turn_run(turn *t, const char *name, bool has_keep_alive, uint64_t keep_alive_ns);
// Of a stream: sends text, and the head before the first.
void turn_send(turn *t, str text);
// The prompt's tokens, and how its reply is to be read (prompt.c).
hearth_status turn_read_prompt(turn *t, engine *e, tok_ids *prompt, reply_style *style,
                               hearth_err *err);
void turn_keep_logprobs(turn *t, const generate_event *event);
json_t *turn_take_logprobs(turn *t); // new reference; NULL: not wanted
const char *turn_finish_name(const turn *t); // "stop", "length", "tool_calls" (OpenAI's words)

// --- routes -------------------------------------------------------------------------------------
typedef struct route {
    const char *method, *path; // a path that ends in '/' is a prefix
    void (*run)(server *s, listen_exchange *x);
    error_form fail;
} route;
// Each up to one without a path.
extern const route ollama_routes[], openai_routes[], vector_routes[], token_routes[],
    state_routes[];

#endif
