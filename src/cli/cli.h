// What the commands of the program share: streams, colours, files, and the list of commands.
//
// A command gets the context, its parsed arguments and an error record; it writes results with
// out_* (buffered, stdout) and everything else with note() (stderr). It returns a status: main()
// prints "error: ..." and picks the exit status (0, 1, 2 for usage, 130 after Ctrl-C). Failures of
// stdout are sticky and come out of out_flush(), so that printing code needs no checks of its own.
#ifndef HEARTH_CLI_CLI_H
#define HEARTH_CLI_CLI_H

#include "base/json.h"
#include "cli/options.h"

struct cli {
    const cmd *cmd;
    bool quiet;
    bool is_usage;               // the failure is a mistake in the arguments: exit status 2
    bool out_is_tty, err_is_tty, in_is_tty;
    bool out_colour, err_colour; // terminal, NO_COLOR unset, TERM not dumb
    bool has_progress;           // a progress line stands on stderr
    bool out_in_line;            // what was last written to stdout does not end in a newline
    hearth_status out_failed;    // of stdout, sticky
    bool out_closed;             // its reader went away: end quietly with status 1
    hearth_err out_err;
    buf out;
};
enum { EXIT_INTERRUPTED = 130 }; // 128 + SIGINT, as shells report it

// A mistake in the arguments that the parser could not see.
#define cli_usage(c, err, ...) ((c)->is_usage = true, err_fail(err, HEARTH_E_ARG, __VA_ARGS__))

// --- commands -----------------------------------------------------------------------------------
const cmd *cmd_at(int i);                    // NULL past the end
const cmd *cmd_find(str name);               // "run", "debug logits"; NULL when unknown
hearth_status cmd_run(cli *c, void *args, hearth_err *err);
hearth_status cmd_show(cli *c, void *args, hearth_err *err);
hearth_status cmd_plan(cli *c, void *args, hearth_err *err);
hearth_status cmd_tokenize(cli *c, void *args, hearth_err *err);
hearth_status cmd_convert(cli *c, void *args, hearth_err *err);
hearth_status cmd_embed(cli *c, void *args, hearth_err *err);
hearth_status cmd_rerank(cli *c, void *args, hearth_err *err);
hearth_status cmd_serve(cli *c, void *args, hearth_err *err);
hearth_status cmd_bench(cli *c, void *args, hearth_err *err);
hearth_status cmd_graph_show(cli *c, void *args, hearth_err *err);
hearth_status cmd_graph_run(cli *c, void *args, hearth_err *err);
hearth_status cmd_graph_conform(cli *c, void *args, hearth_err *err);
hearth_status cmd_help(cli *c, void *args, hearth_err *err);
hearth_status cmd_completion(cli *c, void *args, hearth_err *err);
hearth_status cmd_version(cli *c, void *args, hearth_err *err);
hearth_status cmd_debug_logits(cli *c, void *args, hearth_err *err);
hearth_status cmd_debug_gguf(cli *c, void *args, hearth_err *err);
hearth_status cmd_debug_tokens(cli *c, void *args, hearth_err *err);
hearth_status cmd_debug_template(cli *c, void *args, hearth_err *err);
hearth_status cmd_debug_kern(cli *c, void *args, hearth_err *err);
hearth_status cmd_debug_diff(cli *c, void *args, hearth_err *err);
// "error: unknown command" with the nearest name.
hearth_status fail_unknown_command(cli *c, const char *name, hearth_err *err);

// --- help in three shapes -----------------------------------------------------------------------
void help_overview(cli *c);
void help_command(cli *c, const cmd *what, bool all);
void man_command(cli *c, const cmd *what);
hearth_status completion_script(cli *c, str shell, hearth_err *err);

// --- streams ------------------------------------------------------------------------------------
void cli_init(cli *c);
void cli_release(cli *c);
void out_bytes(cli *c, str s);
void out_printf(cli *c, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Text from a model or a file: control bytes are made visible when stdout is a terminal, so that
// nobody's file can rewrite the screen.
void out_text(cli *c, str s);
hearth_status out_flush(cli *c, hearth_err *err);
typedef enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_DIM, COLOUR_RED } colour;
const char *out_colour(const cli *c, colour what); // escape sequence or ""
const char *err_colour(const cli *c, colour what);
void note(cli *c, const char *fmt, ...) ATTR_PRINTF(2, 3); // a line on stderr unless --quiet
void note_always(cli *c, const char *fmt, ...) ATTR_PRINTF(2, 3);
// A line that the next one replaces; nothing unless stderr is a terminal.
void progress_show(cli *c, const char *fmt, ...) ATTR_PRINTF(2, 3);
void progress_clear(cli *c);
// Appends s with control bytes and ill-formed UTF-8 as \n, \t, \xNN and with quotes escaped.
void append_quoted(buf *b, str s);
// Fields of JSON results.
void put_text(json_writer *w, const char *key, str v);
void put_u64(json_writer *w, const char *key, uint64_t v);
void put_i64(json_writer *w, const char *key, int64_t v);
void put_f64(json_writer *w, const char *key, double v);
char *format_count(uint64_t n, char out[16]); // "1.5 B", "260.0 K"

// --- files --------------------------------------------------------------------------------------
hearth_status read_stdin(buf *out, hearth_err *err);
hearth_status read_file(const char *path, buf *out, hearth_err *err);
// A file that appears complete or not at all: written beside `path`, synced, then renamed. A path
// that exists and is no regular file (a device, a pipe) is written directly.
typedef struct safe_file safe_file;
hearth_status safe_open(const char *path, safe_file **out, hearth_err *err);
hearth_status safe_write(safe_file *f, const void *p, size_t n, hearth_err *err);
hearth_status safe_commit(safe_file *f, hearth_err *err); // frees f also when it fails
void safe_abort(safe_file *f);                            // removes what is there; NULL is legal
// HEARTH_E_NOTFOUND with the names nearby when there is no file `path`; synthetic sources
// ("shape:...") pass.
hearth_status check_model_path(const char *path, hearth_err *err);

#endif
