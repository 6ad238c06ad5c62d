// Private to sched/: the tables of models and jobs. All fields are under sched.lock except where it
// says otherwise.
#ifndef HEARTH_SCHED_SCHED_INT_H
#define HEARTH_SCHED_SCHED_INT_H

#include "os/os.h"
#include "sched/sched.h"

typedef struct sched_model sched_model;
typedef struct sched_client sched_client;

typedef enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE } job_state;

struct sched_job {
    sched_job *next;      // in the model's queue, oldest first
    sched_model *model;   // NULL once done
    sched_client *client; // NULL once done
    sched_calls calls;
    int priority;
    uint64_t keep_alive_ns;
    job_state state;
    bool is_canceled, is_released;
    engine_session session; // while it runs
    uint64_t n_counted;     // tokens of it that are in client->served
};

// Whom jobs belong to, while there are any of theirs.
struct sched_client {
    sched_client *next;
    char name[64];
    int n_jobs;
    uint64_t served; // prompt and generated tokens, less what everybody had when they came
};

// A session of the engine with what its cache holds, for choosing where a prompt fits best.
typedef struct sched_session {
    engine_session id;
    sched_job *job;   // NULL: free
    tok_ids held;     // the model thread's own
    uint64_t used_at; // when it was taken last, in admissions
} sched_session;

struct sched_model {
    sched_model *next;
    sched *s;
    char *source;
    os_thread *thread;
    os_cond *changed;    // something for this model's thread
    sched_job *queue;
    int n_queued, n_running;
    uint64_t keep_alive_ns, idle_since;
    bool is_ready, must_leave, has_left; // has_left: its thread touches nothing any more
    uint64_t bytes;      // of the budget
    engine *e;           // is_ready; calls on it are the model thread's own
    engine_info info;
    sched_session *sessions; // [n_sessions], the model thread's own but for .job
    int n_sessions;
    uint64_t n_admitted;
    engine_news *news;   // the model thread's own
};

struct sched {
    sched_options o;
    os_mutex *lock;
    os_cond *changed;    // a model left, went idle or became ready
    sched_model *models;
    sched_client *clients;
    sched_stats stats;
    bool is_opening;     // a model is: one at a time, so that the budget is right
    bool is_closing;
};

// Under the lock unless said otherwise.
bool sched_is_idle(const sched_model *m);
void sched_log(const sched *s, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Takes the model's next job from its queue; NULL: none waits.
sched_job *sched_pick_job(sched_model *m);
sched_client *sched_find_client(sched *s, const char *name); // makes it; NULL: no memory
void sched_count_tokens(sched_job *j, uint64_t tokens);
// Leaves the lock while done() runs.
void sched_end_job(sched_job *j, const hearth_err *failed);
void sched_run_model(void *model); // a model's thread, without the lock

#endif
