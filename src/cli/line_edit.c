// Lines from a person: libedit with history where the build found it, plain reading elsewhere.
//
// The history lives in $XDG_STATE_HOME/hearth/history (by default ~/.local/state/...), readable by
// its owner alone, and only this process opens it, never the engine. Commands and lines that begin
// with a space are kept like others; at most 1000 lines.
#include <stdio.h>
#include <string.h>

#include "cli/talk.h"
#include "os/os.h"

#if HEARTH_HAVE_LIBEDIT
#include <errno.h>
#include <histedit.h>
#include <locale.h>

enum { HISTORY_LINES = 1000 };
struct line_editor {
    EditLine *el;
    History *history;
    const char *prompt;
    char path[1024]; // of the history file, "" when there is none
};

// Makes the folder; leaves path empty where there is no home.
static void find_history(line_editor *l)
{
    const char *state = os_env("XDG_STATE_HOME"), *home = os_env("HOME");
    char folder[960];
    int n = 0;
    if (state && *state) {
        n = snprintf(folder, sizeof folder, "%s/hearth", state);
    } else if (home && *home) {
        n = snprintf(folder, sizeof folder, "%s/.local/state/hearth", home);
    }
    if (n <= 0 || (size_t)n >= sizeof folder || os_mkdirs(folder, NULL) != HEARTH_OK) return;
    snprintf(l->path, sizeof l->path, "%s/history", folder);
}

static char *get_prompt(EditLine *el)
{
    line_editor *l = NULL;
    el_get(el, EL_CLIENTDATA, &l);
    return (char *)(uintptr_t)l->prompt; // libedit's type lacks const
}

hearth_status line_open(const char *prompt, line_editor **out, hearth_err *err)
{
    line_editor *l = mem_alloc_zero(MEM_MISC, 1, sizeof *l);
    if (!l) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    setlocale(LC_CTYPE, ""); // for characters of several bytes; numbers stay as they are
    l->prompt = prompt;
    l->el = el_init("hearth", stdin, stdout, stderr);
    l->history = history_init();
    if (!l->el || !l->history) {
        line_close(l);
        return err_fail(err, HEARTH_E_NOMEM, "no line editor for this terminal");
    }
    HistEvent ev;
    find_history(l);
    history(l->history, &ev, H_SETSIZE, HISTORY_LINES);
    history(l->history, &ev, H_SETUNIQUE, 1);
    if (*l->path) history(l->history, &ev, H_LOAD, l->path);
    el_set(l->el, EL_CLIENTDATA, l);
    el_set(l->el, EL_PROMPT, get_prompt);
    el_set(l->el, EL_EDITOR, "emacs");
    el_set(l->el, EL_HIST, history, l->history);
    el_source(l->el, NULL);
    *out = l;
    return HEARTH_OK;
}

void line_close(line_editor *l)
{
    if (!l) return;
    HistEvent ev;
    if (l->history && *l->path) history(l->history, &ev, H_SAVE, l->path); // with mode 0600
    if (l->history) history_end(l->history);
    if (l->el) el_end(l->el);
    mem_free(l);
}

line_result line_read(line_editor *l, str *out)
{
    int n = 0;
    const char *line = el_gets(l->el, &n);
    if (os_interrupted()) {
        const LineInfo *held = el_line(l->el);
        bool is_empty = held->lastchar == held->buffer;
        printf("\n");
        fflush(stdout);
        el_reset(l->el);
        return is_empty ? LINE_INTERRUPTED : LINE_ABANDONED;
    }
    if (!line || n <= 0) {
        printf("\n");
        fflush(stdout);
        return n < 0 && errno != EINTR ? LINE_FAILED : LINE_END;
    }
    HistEvent ev;
    if (n > 1) history(l->history, &ev, H_ENTER, line);
    *out = (str){line, (size_t)n - (line[n - 1] == '\n')};
    return LINE_OK;
}

#else

struct line_editor {
    const char *prompt;
    buf text; // read so far; [0, used) was given out
    size_t used;
};

hearth_status line_open(const char *prompt, line_editor **out, hearth_err *err)
{
    line_editor *l = mem_alloc_zero(MEM_MISC, 1, sizeof *l);
    if (!l) return err_fail(err, HEARTH_E_NOMEM, "out of memory");
    l->prompt = prompt;
    buf_init(&l->text, MEM_MISC, LIMIT_STDIN);
    *out = l;
    return HEARTH_OK;
}

void line_close(line_editor *l)
{
    if (!l) return;
    buf_release(&l->text);
    mem_free(l);
}

static void drop_used(line_editor *l)
{
    memmove(l->text.p, l->text.p + l->used, l->text.n - l->used);
    l->text.n -= l->used;
    l->used = 0;
}

line_result line_read(line_editor *l, str *out)
{
    if (l->used) drop_used(l);
    (void)os_stream_write(OS_STDOUT, l->prompt, strlen(l->prompt), NULL);
    for (;;) {
        size_t end = str_find(buf_str(&l->text), STR("\n"), 0), got = 0;
        if (end != SIZE_MAX) {
            *out = (str){l->text.p, end};
            l->used = end + 1;
            return LINE_OK;
        }
        if (buf_reserve(&l->text, 4096) != HEARTH_OK) return LINE_FAILED;
        hearth_status st = os_stream_read(l->text.p + l->text.n, 4096, &got, NULL);
        if (st == HEARTH_E_CANCELED) {
            // The terminal drops the line that it held when Ctrl-C comes, so what was typed is
            // not known here.
            l->text.n = 0;
            (void)os_stream_write(OS_STDOUT, "\n", 1, NULL);
            return LINE_INTERRUPTED;
        }
        if (st != HEARTH_OK || got == 0) return st == HEARTH_OK ? LINE_END : LINE_FAILED;
        l->text.n += got;
    }
}

#endif
