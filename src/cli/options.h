// One option table per command, and what is made from it.
//
// A command's rows drive the parser, `hearth help CMD`, the man pages, the shell completion and the
// tests, so that none of them can say something that the others do not. A row names the place of
// its value by offset in the command's argument structure; rows used by several commands (engine,
// sampling) form sets, which sit in a sub-structure.
//
// Syntax is GNU's: -n 5, -n5, --n-predict=5, --n-predict 5, --flag, --no-flag, `--`; options and
// words may mix. Two deviations: long names are never abbreviated (a script must not break when an
// option is added), and llama.cpp's one-dash long names (-ctk) are matched whole before letters.
#ifndef HEARTH_CLI_OPTIONS_H
#define HEARTH_CLI_OPTIONS_H

#include "base/str.h"

typedef enum opt_kind {
    OPT_FLAG,   // bool; --name sets, --no-name clears
    OPT_INT,    // int in [min, max]
    OPT_I64,    // int64_t in [min, max], |bounds| <= 2^53
    OPT_F32,    // float in [min, max]
    OPT_SIZE,   // uint64_t bytes, suffixes K M G T
    OPT_TEXT,   // const char *
    OPT_PATH,   // const char *, completed as a file name
    OPT_CHOICE, // int: index into `choices`
    OPT_LIST    // opt_list; the option may be repeated
} opt_kind;

enum { OPT_LIST_MAX = 64, OPT_SETS_MAX = 5, OPT_MAX = 128 };
typedef struct opt_list { const char *v[OPT_LIST_MAX]; int n; } opt_list;

typedef struct opt {
    const char *name;    // long name without dashes
    char letter;         // 0: none
    bool is_common;      // shown by plain help; the others by help --all, man and completion
    opt_kind kind;
    size_t at;           // offset of the value in the set's structure
    const char *alias;   // further spellings with their dashes, space-separated, or NULL
    const char *value;   // placeholder, "N"; NULL for flags
    const char *def;     // default in the option's own syntax, NULL: zero, false or NULL
    double min, max;     // of numbers
    const char *choices; // space-separated
    const char *group;   // heading in help
    const char *help;    // lower case, no full stop
} opt;

// Every command's argument structure begins with this.
typedef struct cli_args {
    bool help, quiet, json;
    int log_level;              // of base/log.h
    int n_words;                // arguments that are no options
    const char *const *words;
    uint64_t seen[OPT_MAX / 64]; // bit i: row i (over all sets) was given
} cli_args;

typedef struct opt_set { const opt *opts; int n; size_t base; } opt_set;

typedef struct cli cli;
typedef struct cmd {
    const char *name;     // "run", "debug logits"
    const char *synopsis; // words, "MODEL [PROMPT]"
    const char *summary;  // one line, lower case, no full stop
    const char *about;    // paragraphs separated by an empty line; "" when the summary says it all
    const char *examples; // lines "command # what it does"; ""
    int min_words, max_words; // max -1: any
    const char *completes;    // what words complete to: "file", "command", "shell", ""
    size_t args_bytes;
    opt_set sets[OPT_SETS_MAX]; // the first empty one ends the list
    hearth_status (*run)(cli *c, void *args, hearth_err *err);
} cmd;

// Row i over all sets of a command; false past the end.
typedef struct opt_ref { const opt *o; size_t base; int index; } opt_ref;
bool opt_at(const cmd *c, int i, opt_ref *out);
// The row with this long name or alias ("--temp", "-n", "-ctk"); false when there is none.
bool opt_find(const cmd *c, str spelling, opt_ref *out);
bool opt_seen(const cmd *c, const cli_args *args, const char *name);

// Sets every default in `args` (c->args_bytes, zeroed by the caller).
void opt_defaults(const cmd *c, void *args);
// Parses argv[0..argc) (program and command names are not in it) over the defaults. `words` has
// room for argc pointers and becomes args->words. HEARTH_E_ARG: a mistake of the user, one line.
// With --help the number of words is not checked.
hearth_status opt_parse(const cmd *c, int argc, const char *const *argv, const char **words,
                        void *args, hearth_err *err);
// "0 to 100": the range of a numeric row; "" for other kinds.
const char *opt_range_text(const opt *o, char out[64]);
// Item i of a choices list as a slice; n == 0 past the end.
str opt_choice(const opt *o, int i);

#endif
