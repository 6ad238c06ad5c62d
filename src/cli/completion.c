// Completion scripts for bash, zsh and fish, from the option tables.
//
// bash gets one function with a case per command; zsh and fish get descriptions too. Spellings and
// choices are ASCII words without quotes; help texts are quoted for the shell that reads them.
#include <stdio.h>
#include <string.h>

#include "cli/args.h"

// `s` inside single quotes; bytes of `escaped` get a backslash (zsh's _arguments splits at some).
static void put_single(cli *c, str s, const char *escaped)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'') {
            out_bytes(c, STR("'\\''"));
            continue;
        }
        if (strchr(escaped, s.p[i])) out_bytes(c, STR("\\"));
        out_bytes(c, (str){s.p + i, 1});
    }
}

static void put_spellings(cli *c, const opt *o, const char *separator)
{
    if (o->letter) out_printf(c, "-%c%s", o->letter, separator);
    out_printf(c, "--%s", o->name);
    str rest = str_from(o->alias);
    while (rest.n > 0) {
        str alias = str_cut(&rest, ' ');
        out_printf(c, "%s%.*s", separator, STR_ARG(alias));
    }
}

// The word before the first space; *verb is the one after it, "" when there is none.
static str split_name(const cmd *what, str *verb)
{
    *verb = str_from(what->name);
    return str_cut(verb, ' ');
}

// First words of commands, "debug" once.
static void put_command_names(cli *c)
{
    str last = {"", 0}, verb;
    for (int i = 0; cmd_at(i); i++) {
        str first = split_name(cmd_at(i), &verb);
        if (!str_eq(first, last)) out_printf(c, "%s%.*s", i ? " " : "", STR_ARG(first));
        last = first;
    }
}

static void put_debug_verbs(cli *c)
{
    const char *separator = "";
    str verb;
    for (int i = 0; cmd_at(i); i++) {
        if (!str_eq_z(split_name(cmd_at(i), &verb), "debug")) continue;
        out_printf(c, "%s%.*s", separator, STR_ARG(verb));
        separator = " ";
    }
}

// --- bash ---------------------------------------------------------------------------------------

static void put_bash_values(cli *c, const cmd *what)
{
    opt_ref r;
    out_printf(c, "        case $prev in\n");
    for (int i = 0; opt_at(what, i, &r); i++) {
        if (r.o->kind == OPT_FLAG) continue;
        out_bytes(c, STR("        "));
        put_spellings(c, r.o, "|");
        if (r.o->choices) {
            out_printf(c, ") COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n",
                       r.o->choices);
        } else if (r.o->kind == OPT_PATH) {
            out_printf(c, ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
        } else {
            out_printf(c, ") return ;;\n");
        }
    }
    out_printf(c, "        esac\n");
}

static void put_bash_command(cli *c, const cmd *what)
{
    opt_ref r;
    out_printf(c, "    '%s')\n", what->name);
    put_bash_values(c, what);
    out_printf(c, "        options='");
    for (int i = 0; opt_at(what, i, &r); i++) {
        if (i) out_bytes(c, STR(" "));
        put_spellings(c, r.o, " ");
    }
    out_printf(c, "'\n");
    if (strcmp(what->completes, "file") == 0) {
        out_printf(c, "        files=1\n");
    } else if (strcmp(what->completes, "shell") == 0) {
        out_printf(c, "        words='bash zsh fish'\n");
    } else if (strcmp(what->completes, "command") == 0) {
        out_printf(c, "        words='");
        put_command_names(c);
        out_printf(c, "'\n");
    }
    out_printf(c, "        ;;\n");
}

static void put_bash(cli *c)
{
    out_printf(c, "_hearth() {\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    local cmd=${COMP_WORDS[1]} options= words= files=\n"
                  "    COMPREPLY=()\n"
                  "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "        COMPREPLY=($(compgen -W '");
    put_command_names(c);
    out_printf(c, "' -- \"$cur\"))\n        return\n    fi\n"
                  "    if [ \"$cmd\" = debug ]; then\n"
                  "        if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
                  "            COMPREPLY=($(compgen -W '");
    put_debug_verbs(c);
    out_printf(c, "' -- \"$cur\"))\n            return\n        fi\n"
                  "        cmd=\"debug ${COMP_WORDS[2]}\"\n    fi\n    case $cmd in\n");
    for (int i = 0; cmd_at(i); i++) put_bash_command(c, cmd_at(i));
    out_printf(c, "    esac\n"
                  "    if [ \"${cur:0:1}\" = - ]; then\n"
                  "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
                  "    elif [ -n \"$files\" ]; then\n"
                  "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                  "    else\n"
                  "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                  "    fi\n"
                  "}\n"
                  "complete -o filenames -F _hearth hearth\n");
}

// --- zsh ----------------------------------------------------------------------------------------

// One specification of _arguments: '--threads=[help]:N:'.
static void put_zsh_spec(cli *c, const opt *o, str spelling, const char *joint)
{
    out_printf(c, " \\\n        '%s%.*s%s[", o->kind == OPT_LIST ? "*" : "", STR_ARG(spelling),
               o->kind == OPT_FLAG ? "" : joint);
    put_single(c, str_from(o->help), "[]:\\");
    out_bytes(c, STR("]"));
    if (o->choices) {
        out_printf(c, ":%s:(%s)", o->value, o->choices);
    } else if (o->kind != OPT_FLAG) {
        out_printf(c, ":");
        put_single(c, str_from(o->value), "[]:\\");
        out_printf(c, ":%s", o->kind == OPT_PATH ? "_files" : "");
    }
    out_bytes(c, STR("'"));
}

static void put_zsh_option(cli *c, const opt *o)
{
    char text[80];
    if (o->letter) {
        snprintf(text, sizeof text, "-%c", o->letter);
        put_zsh_spec(c, o, str_from(text), "+");
    }
    snprintf(text, sizeof text, "--%s", o->name);
    put_zsh_spec(c, o, str_from(text), "=");
}

static void put_zsh_command(cli *c, const cmd *what)
{
    opt_ref r;
    out_printf(c, "    ('%s')\n        _arguments", what->name);
    for (int i = 0; opt_at(what, i, &r); i++) put_zsh_option(c, r.o);
    if (strcmp(what->completes, "file") == 0) {
        out_printf(c, " \\\n        '*:file:_files'");
    } else if (strcmp(what->completes, "shell") == 0) {
        out_printf(c, " \\\n        '1:shell:(bash zsh fish)'");
    } else if (strcmp(what->completes, "command") == 0) {
        out_printf(c, " \\\n        '*:command:(");
        put_command_names(c);
        out_printf(c, ")'");
    }
    out_printf(c, "\n        ;;\n");
}

// 'name:summary' entries for _describe: commands, or the verbs of debug.
static void put_zsh_names(cli *c, bool verbs)
{
    str verb;
    bool said_debug = false;
    for (int i = 0; cmd_at(i); i++) {
        str first = split_name(cmd_at(i), &verb);
        bool is_debug = str_eq_z(first, "debug");
        if (is_debug != verbs && !(is_debug && !said_debug)) continue;
        if (is_debug && !verbs) said_debug = true;
        out_printf(c, " '%.*s:", STR_ARG(verbs ? verb : first));
        put_single(c, str_from(is_debug && !verbs ? "look inside" : cmd_at(i)->summary), ":\\");
        out_bytes(c, STR("'"));
    }
}

static void put_zsh(cli *c)
{
    out_printf(c, "#compdef hearth\n_hearth() {\n    local -a names\n    local cmd=${words[2]}\n"
                  "    if (( CURRENT == 2 )); then\n        names=(");
    put_zsh_names(c, false);
    out_printf(c, ")\n        _describe command names\n        return\n    fi\n"
                  "    if [[ $cmd == debug ]]; then\n        if (( CURRENT == 3 )); then\n"
                  "            names=(");
    put_zsh_names(c, true);
    out_printf(c, ")\n            _describe verb names\n            return\n        fi\n"
                  "        cmd=\"debug ${words[3]}\"\n"
                  "        shift words\n        (( CURRENT-- ))\n"
                  "    fi\n    shift words\n    (( CURRENT-- ))\n    case $cmd in\n");
    for (int i = 0; cmd_at(i); i++) put_zsh_command(c, cmd_at(i));
    out_printf(c, "    esac\n}\n"
                  "if [[ $funcstack[1] == _hearth ]]; then _hearth \"$@\"; "
                  "else compdef _hearth hearth; fi\n");
}

// --- fish ---------------------------------------------------------------------------------------

static void put_fish_condition(cli *c, const cmd *what)
{
    str verb, first = split_name(what, &verb);
    out_printf(c, "complete -c hearth -n '__fish_seen_subcommand_from %.*s", STR_ARG(first));
    if (verb.n > 0) out_printf(c, "; and __fish_seen_subcommand_from %.*s", STR_ARG(verb));
    out_bytes(c, STR("'"));
}

static void put_fish_option(cli *c, const cmd *what, const opt *o)
{
    put_fish_condition(c, what);
    if (o->letter) out_printf(c, " -s %c", o->letter);
    out_printf(c, " -l %s", o->name);
    if (o->choices) {
        out_printf(c, " -x -a '%s'", o->choices);
    } else if (o->kind == OPT_PATH) {
        out_bytes(c, STR(" -r -F"));
    } else if (o->kind != OPT_FLAG) {
        out_bytes(c, STR(" -x"));
    }
    out_bytes(c, STR(" -d '"));
    for (const char *p = o->help; *p; p++) { // fish: \' inside single quotes
        if (*p == '\'' || *p == '\\') out_bytes(c, STR("\\"));
        out_bytes(c, (str){p, 1});
    }
    out_bytes(c, STR("'\n"));
}

static void put_fish_command(cli *c, const cmd *what)
{
    str verb, first = split_name(what, &verb);
    opt_ref r;
    if (verb.n == 0) {
        out_printf(c, "complete -c hearth -n __fish_use_subcommand -f -a %.*s -d '%s'\n",
                   STR_ARG(first), what->summary);
    } else {
        out_printf(c, "complete -c hearth -n '__fish_seen_subcommand_from %.*s' -f -a %.*s -d '",
                   STR_ARG(first), STR_ARG(verb));
        put_single(c, str_from(what->summary), "");
        out_bytes(c, STR("'\n"));
    }
    for (int i = 0; opt_at(what, i, &r); i++) put_fish_option(c, what, r.o);
    if (strcmp(what->completes, "shell") == 0) {
        put_fish_condition(c, what);
        out_printf(c, " -f -a 'bash zsh fish'\n");
    }
}

static void put_fish(cli *c)
{
    out_printf(c, "complete -c hearth -n __fish_use_subcommand -f -a debug -d 'look inside'\n");
    for (int i = 0; cmd_at(i); i++) put_fish_command(c, cmd_at(i));
}

hearth_status completion_script(cli *c, str shell, hearth_err *err)
{
    if (str_eq_z(shell, "bash")) {
        put_bash(c);
    } else if (str_eq_z(shell, "zsh")) {
        put_zsh(c);
    } else if (str_eq_z(shell, "fish")) {
        put_fish(c);
    } else {
        return cli_usage(c, err, "no completion for '%.*s', only for bash, zsh and fish",
                         STR_ARG(shell));
    }
    return HEARTH_OK;
}

hearth_status cmd_completion(cli *c, void *args, hearth_err *err)
{
    const plain_args *a = args;
    return completion_script(c, str_from(a->common.words[0]), err);
}
