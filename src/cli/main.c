// The program: finds the command, parses its options, runs it, makes an exit status of its status.
//
// The same executable is the engine's child process: that role is recognised before anything else,
// so that the child touches neither the terminal nor the environment.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/args.h"
#include "os/os.h"

static void print_log(void *ctx, log_level level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    note_always(ctx, "%s: %s", names[level], text);
}

// "debug logits" takes two arguments, all others one. *used: how many.
static const cmd *find_command(int argc, const char *const *argv, int *used)
{
    char two[64];
    *used = 1;
    const cmd *one = cmd_find(str_from(argv[0]));
    if (one || argc < 2) return one;
    int n = snprintf(two, sizeof two, "%s %s", argv[0], argv[1]);
    *used = 2;
    return n > 0 && (size_t)n < sizeof two ? cmd_find(str_from(two)) : NULL;
}

static hearth_status parse_and_run(cli *c, int argc, const char *const *argv, const char **words,
                                   void *args, hearth_err *err)
{
    c->is_usage = true; // all that can fail here is a mistake in the arguments
    HEARTH_TRY(opt_parse(c->cmd, argc, argv, words, args, err));
    c->is_usage = false;
    const cli_args *common = args;
    c->quiet = common->quiet;
    log_set(print_log, c, (log_level)common->log_level);
    if (common->help) {
        help_command(c, c->cmd, false);
        return HEARTH_OK;
    }
    return c->cmd->run(c, args, err);
}

static hearth_status run_command(cli *c, int argc, const char *const *argv, hearth_err *err)
{
    void *args = mem_alloc_zero(MEM_MISC, 1, c->cmd->args_bytes);
    const char **words = mem_alloc_zero(MEM_MISC, (size_t)argc + 1, sizeof *words);
    hearth_status st = HEARTH_E_NOMEM;
    if (args && words) {
        st = parse_and_run(c, argc, argv, words, args, err);
    } else {
        err_fail(err, st, "out of memory");
    }
    mem_free(words);
    mem_free(args);
    return st;
}

static hearth_status dispatch(cli *c, int argc, const char *const *argv, hearth_err *err)
{
    if (argc == 0) return cli_usage(c, err, "no command");
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        help_overview(c);
        return HEARTH_OK;
    }
    if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0) {
        c->cmd = cmd_find(STR("version"));
        return run_command(c, 0, NULL, err);
    }
    int used;
    c->cmd = find_command(argc, argv, &used);
    if (c->cmd) return run_command(c, argc - used, argv + used, err);
    if (strcmp(argv[0], "debug") != 0) return fail_unknown_command(c, argv[0], err);
    if (argc < 2) return cli_usage(c, err, "'debug' needs a verb");
    char name[96];
    snprintf(name, sizeof name, "debug %s", argv[1]);
    return fail_unknown_command(c, name, err);
}

// One line, and for usage a second one that says where to look.
static int report(cli *c, hearth_status st, const hearth_err *err)
{
    if (st == HEARTH_E_CANCELED) return EXIT_INTERRUPTED;
    note_always(c, "%serror:%s %s", err_colour(c, COLOUR_RED), err_colour(c, COLOUR_NONE),
                *err->msg ? err->msg : err_status_name(st));
    if (!c->is_usage) return 1;
    note_always(c, "try 'hearth help%s%s'", c->cmd ? " " : "", c->cmd ? c->cmd->name : "");
    return 2;
}

static int finish(cli *c, hearth_status st, const hearth_err *err)
{
    hearth_err out_err = ERR_INIT;
    hearth_status flushed = out_flush(c, &out_err);
    progress_clear(c);
    if (flushed != HEARTH_OK) return c->out_closed ? 1 : report(c, flushed, &out_err);
    return st == HEARTH_OK ? 0 : report(c, st, err);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], ENGINE_ROLE_ARG) == 0) return engine_role_main();
    hearth_err err = ERR_INIT;
    cli c;
    os_pipe_errors();
    cli_init(&c);
    hearth_status st = dispatch(&c, argc > 0 ? argc - 1 : 0, (const char *const *)argv + 1, &err);
    int status = finish(&c, st, &err);
    cli_release(&c);
    return status;
}
