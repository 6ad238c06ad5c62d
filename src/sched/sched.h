// Several models under one budget of bytes, each with a fair queue of jobs.
//
//   sched_submit() -> the model's queue -> a free session -> engine_step() of all running jobs
//
// Each model that is loaded has a thread of its own, which opens the engine, admits jobs to its
// sessions while there are free ones, and steps them together. Everything a job's owner hears comes
// from that thread, one call after the other; the last one is done(). A model stays loaded for its
// keep-alive after its last job, and leaves earlier when another one needs its bytes. When an
// engine dies, its jobs fail with the reason and the next job opens it again.
//
// Which job is next: the highest priority; among these the client that was served least (prompt and
// generated tokens, counted while it has jobs here); among its jobs the oldest.
#ifndef HEARTH_SCHED_SCHED_H
#define HEARTH_SCHED_SCHED_H

#include "engine/engine.h"

typedef struct sched sched;

#define SCHED_FOREVER UINT64_MAX
typedef struct sched_options {
    uint64_t memory_limit; // bytes of all loaded models' plans; 0: none
    int max_loaded;        // models at the same time, at least 1; 0: only the bytes count
    int max_queue;         // jobs that wait, of all models; at least 1
    uint64_t keep_alive_ns; // after a model's last job; SCHED_FOREVER
    engine_options engine; // n_seq: jobs of one model that run at the same time
    // Called from the models' threads with what deserves a line in a log; may be NULL.
    void (*log)(void *ctx, const char *line);
    void *log_ctx;
} sched_options;
void sched_options_default(sched_options *o);
hearth_status sched_open(const sched_options *o, sched **out, hearth_err *err);
// Cancels all jobs, waits for their done(), unloads everything. NULL is legal.
void sched_close(sched *s);

// What a job does. All calls come from the model's thread, with no lock held; they must not wait
// for other jobs. ctx outlives done().
typedef struct sched_calls {
    // The engine is ready and a session is the job's: says what to generate. NULL: this job is a
    // call (below). The job fails with what it returns.
    hearth_status (*prepare)(void *ctx, engine *e, tok_ids *prompt, generate_options *o,
                             hearth_err *err);
    void (*event)(void *ctx, const engine_event *event); // progress and tokens; text is borrowed
    // Instead of generating: uses the engine once, for embeddings, token counts and the like.
    hearth_status (*call)(void *ctx, engine *e, hearth_err *err);
    // The end. failed: NULL after the last event or a call that was right. HEARTH_E_CANCELED: it
    // was canceled before it ran.
    void (*done)(void *ctx, const hearth_err *failed);
    void *ctx;
} sched_calls;

typedef struct sched_request {
    const char *source;     // of the model, as for engine_open(); the models' identity
    const char *client;     // whose job it is, for fairness: an address or a key's name
    int priority;           // higher ones first
    bool has_keep_alive;
    uint64_t keep_alive_ns; // of the model from this job on, where has_keep_alive
    sched_calls calls;
} sched_request;

typedef struct sched_job sched_job;
// HEARTH_E_LIMIT: the queue is full (nothing was called). Otherwise done() will be called, maybe
// before this returns. *out is valid until sched_release().
hearth_status sched_submit(sched *s, const sched_request *r, sched_job **out, hearth_err *err);
// Ends the job soon: its last event says GENERATE_CANCELED, or it never runs. From any thread.
void sched_cancel(sched *s, sched_job *job);
void sched_release(sched *s, sched_job *job);
// Jobs that go before this one in its model's queue as things stand; 0 when it runs.
int sched_position(sched *s, const sched_job *job);

// Sets the keep-alive of a loaded model and lets it go when that has passed and nothing runs; 0:
// now. HEARTH_E_NOTFOUND: it is not loaded.
hearth_status sched_keep_alive(sched *s, const char *source, uint64_t ns, hearth_err *err);

typedef struct sched_loaded {
    char source[256];
    engine_info info;
    int n_running, n_queued;
    bool is_ready;          // false while it is being loaded
    uint64_t expires_in_ns; // SCHED_FOREVER; counts from now, while nothing runs
} sched_loaded;
// Up to `max` models; returns how many there are.
int sched_list(sched *s, sched_loaded *out, int max);

typedef struct sched_stats {
    uint64_t n_submitted, n_refused, n_finished, n_failed, n_canceled;
    uint64_t n_prompt_tokens, n_reused_tokens, n_generated_tokens, n_loads, n_crashes;
    int n_running, n_queued, n_loaded;
    uint64_t bytes; // of the plans of all loaded models
} sched_stats;
void sched_get_stats(sched *s, sched_stats *out);

#endif
