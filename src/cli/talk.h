// One generation as `run` shows it: prompt in, text streamed out, numbers kept.
#ifndef HEARTH_CLI_TALK_H
#define HEARTH_CLI_TALK_H

#include "cli/args.h"
#include "cli/dialog.h"
#include "defs/limits.h"

typedef struct talk_logprob {
    int32_t id;
    float logprob;
    int n_top;
    sampler_logprob top[GENERATE_TOP_MAX];
} talk_logprob;

// What `run` knows between turns. The conversation is a list of tokens; the engine's session holds
// the cache for its beginning.
struct talk {
    cli *c;
    dialog d;
    const run_args *a;
    engine *e;
    engine_session s;
    uint64_t seed, load_ns;
    generate_options o;
    str stop[LIMIT_STOP_STRINGS];
    sampler_bias bias[OPT_LIST_MAX];
    buf constraint;     // o.constraint_text
    tok_ids tokens;     // the whole conversation
    size_t n_prompt;    // tokens[0 .. n_prompt) were the last prompt
    bool keeps_text;    // --json: collect instead of print
    buf text;           // of the last answer when keeps_text
    buf logprobs;       // talk_logprob records when asked for
    bool ends_in_newline;
    generate_finish finish;
    generate_stats stats;
};

// Options to generation parameters; draws the seed when none was given. `t` is zeroed but for c, a.
hearth_status talk_init(talk *t, hearth_err *err);
void talk_release(talk *t); // the engine stays open
// Appends text to the conversation; the first time with the beginning-of-text token when the model
// wants one (or when there is nothing else to begin with).
hearth_status talk_append(talk *t, str text, hearth_err *err);
// The user says `text`: as a message or, without a template, appended (`joiner` between the turns).
hearth_status talk_ask(talk *t, str text, str joiner, hearth_err *err);
// Generates from the conversation so far and appends what comes. A cancel is no failure: `finish`
// says it.
hearth_status talk_answer(talk *t, hearth_err *err);
void talk_print_stats(talk *t);
void talk_print_json(talk *t, const char *prompt_source);
const char *talk_finish_name(generate_finish f);

// A conversation on the terminal; see interactive.c.
hearth_status chat_run(talk *t, hearth_err *err);

// --- line editing -------------------------------------------------------------------------------
typedef struct line_editor line_editor;
hearth_status line_open(const char *prompt, line_editor **out, hearth_err *err);
void line_close(line_editor *l); // saves the history; NULL is legal
// ABANDONED: Ctrl-C with something on the line; INTERRUPTED: Ctrl-C on an empty one.
typedef enum line_result {
    LINE_OK, LINE_END, LINE_ABANDONED, LINE_INTERRUPTED, LINE_FAILED
} line_result;
// A line without its newline, valid until the next call.
line_result line_read(line_editor *l, str *out);

#endif
