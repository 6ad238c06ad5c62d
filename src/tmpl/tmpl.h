// Chat templates: an interpreter for the Jinja that published models carry.
//
// It runs a template as `transformers` does (sandboxed and immutable values, trim_blocks,
// lstrip_blocks, loop controls, its tojson) and gives the same text. Beside the text it says for
// every byte who wrote it: the template or a user. Strings carry this through every filter, slice
// and concatenation, so that whoever turns the text into tokens can look for control tokens in the
// template's bytes alone: what a message says can never become one.
//
// Template: literals, bos_token and its like (NAME_token), numbers that the template counts, and
//   the role of a message when it is one of a closed set (system, user, assistant, ...): families
//   build control tokens around it.
// User: everything else that came with the inputs, and what is derived from it.
//
// A template is as untrusted as the model file that holds it: text, nesting, steps, memory and
// output are bounded (defs/limits.h), and every failure is one line that begins with the line
// number in the template.
//
// A tmpl is immutable and may be rendered by several threads at once.
#ifndef HEARTH_TMPL_TMPL_H
#define HEARTH_TMPL_TMPL_H

#include "base/date.h"

typedef struct tmpl tmpl;
hearth_status tmpl_parse(str text, tmpl **out, hearth_err *err); // copies what it needs
void tmpl_free(tmpl *t);                                          // NULL is legal

// Variables by name. As in transformers, messages, tools and documents exist from the start (empty
// list, none, none), and add_generation_prompt is false.
typedef struct tmpl_inputs tmpl_inputs;
hearth_status tmpl_inputs_open(tmpl_inputs **out, hearth_err *err);
void tmpl_inputs_free(tmpl_inputs *in); // NULL is legal
// Every key of the JSON object becomes a variable; a name that exists is replaced. What a message
// reasons gets the names reasoning_content and thinking, as in transformers. After a failure the
// inputs are good for tmpl_inputs_free() alone.
hearth_status tmpl_inputs_read_json(tmpl_inputs *in, str json, hearth_err *err);
// One variable; is_user: its text is a user's. The text is copied and must be UTF-8.
hearth_status tmpl_inputs_set_text(tmpl_inputs *in, const char *name, str text, bool is_user,
                                   hearth_err *err);
hearth_status tmpl_inputs_set_bool(tmpl_inputs *in, const char *name, bool v, hearth_err *err);

typedef date tmpl_time;
typedef struct tmpl_options {
    tmpl_time now;      // of strftime_now()
    uint64_t max_steps; // 0: LIMIT_TMPL_STEPS
    size_t max_bytes;   // of memory while rendering; 0: LIMIT_TMPL_MEMORY
} tmpl_options;

// Runs cover the text without gaps; neighbours differ.
typedef str_run tmpl_run;
typedef struct tmpl_output {
    buf text;
    tmpl_run *runs; // [n_runs]
    size_t n_runs;
} tmpl_output;
// Fills *out, which need not be initialised; after a failure it is empty.
hearth_status tmpl_render(const tmpl *t, const tmpl_inputs *in, const tmpl_options *o,
                          tmpl_output *out, hearth_err *err);
void tmpl_output_release(tmpl_output *out); // idempotent

#endif
