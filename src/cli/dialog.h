// The messages behind `run`: what was said by whom, and how the model's text becomes an answer.
//
// With a chat template the conversation is a list of messages; each turn it is rendered as a whole
// (engine_chat), and the tokens of the turns before are kept. Without one, text simply goes on.
#ifndef HEARTH_CLI_DIALOG_H
#define HEARTH_CLI_DIALOG_H

#include "cli/args.h"
#include "engine/engine.h"

typedef struct talk talk;

typedef struct dialog {
    bool is_on;         // messages, not plain text
    buf messages;       // JSON objects with commas between them
    size_t n_system;    // bytes of the system message in front
    buf template_text, tools;
    reply_reader *reply;       // of the running answer
    buf content, thinking, calls; // of the answer; calls: JSON objects with commas between them
    int n_calls;        // so far, for ids
    bool is_thinking;   // what was printed last
    bool was_noted;
} dialog;

// Reads the files that the options name and decides whether there will be messages.
hearth_status dialog_init(talk *t, hearth_err *err);
void dialog_release(dialog *d);
void dialog_clear(talk *t); // all but the system message
// Messages from a saved conversation instead of these.
hearth_status dialog_replace(talk *t, str messages, hearth_err *err);
// The user says `text`: t->tokens becomes the prompt. A failure leaves the messages as they were.
hearth_status dialog_ask(talk *t, str text, hearth_err *err);
// Text of the running answer, and its end: then it is one of the messages.
hearth_status dialog_take(talk *t, str text, hearth_err *err);
hearth_status dialog_finish(talk *t, hearth_err *err);
// "thinking" and "tool_calls" of the last answer, for --json.
void dialog_write(json_writer *w, const talk *t);

#endif
