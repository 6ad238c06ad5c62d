// Man pages in roff's man macros, from the option tables; checked with `mandoc -Tlint`.
//
// One page per command (hearth-run.1), and hearth.1, which lists them. A line that begins with a
// dot or a quote would be a request, and backslashes start escapes: put_roff() guards both.
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

// mandoc wants a date; that of the text, not of the build, so that builds can be reproduced.
#define MANUAL_DATE "2026-11-20"

static void put_roff(cli *c, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool at_start = i == 0 || s.p[i - 1] == '\n';
        if (at_start && (s.p[i] == '.' || s.p[i] == '\'')) out_bytes(c, STR("\\&"));
        if (s.p[i] == '\\') {
            out_bytes(c, STR("\\e"));
        } else if (s.p[i] == '-') {
            out_bytes(c, STR("\\-"));
        } else {
            out_bytes(c, (str){s.p + i, 1});
        }
    }
}

static void put_section(cli *c, const char *name)
{
    out_printf(c, ".SH %s\n", name);
}

static void put_paragraphs(cli *c, str text)
{
    bool first = true;
    while (text.n > 0) {
        size_t cut = size_min(str_find(text, STR("\n\n"), 0), text.n);
        if (!first) out_bytes(c, STR(".PP\n"));
        put_roff(c, (str){text.p, cut});
        out_bytes(c, STR("\n"));
        size_t next = size_min(cut + 2, text.n);
        text = (str){text.p + next, text.n - next};
        first = false;
    }
}

static void put_spelling(cli *c, str spelling, const char *value)
{
    out_bytes(c, STR("\\fB"));
    put_roff(c, spelling);
    out_bytes(c, STR("\\fR"));
    if (value) out_printf(c, " \\fI%s\\fR", value);
}

static void put_spellings(cli *c, const opt *o)
{
    char text[80];
    out_bytes(c, STR(".TP\n"));
    if (o->letter) {
        snprintf(text, sizeof text, "-%c", o->letter);
        put_spelling(c, str_from(text), o->value);
        out_bytes(c, STR(", "));
    }
    snprintf(text, sizeof text, "--%s", o->name);
    put_spelling(c, str_from(text), o->value);
    str rest = str_from(o->alias);
    while (rest.n > 0) {
        out_bytes(c, STR(", "));
        put_spelling(c, str_cut(&rest, ' '), o->value);
    }
    out_bytes(c, STR("\n"));
}

// "Threads, 0 for one per processor. Default 0; 0 to 512."
static void put_option(cli *c, const opt *o)
{
    char range[64], first = o->help[0];
    put_spellings(c, o);
    if (first >= 'a' && first <= 'z') first = (char)(first - 'a' + 'A');
    put_roff(c, (str){&first, 1});
    put_roff(c, str_from(o->help + 1));
    out_bytes(c, STR(".\n"));
    opt_range_text(o, range);
    if (o->choices) {
        out_printf(c, "One of: %s.\n", o->choices);
    }
    if (o->def && o->kind != OPT_FLAG) {
        out_printf(c, "Default: ");
        put_roff(c, str_from(o->def));
        out_bytes(c, STR(".\n"));
    }
    if (range[0]) {
        out_printf(c, "Range: ");
        put_roff(c, str_from(range));
        out_bytes(c, STR(".\n"));
    }
}

static void put_options(cli *c, const cmd *what)
{
    opt_ref r;
    const char *group = NULL;
    put_section(c, "OPTIONS");
    for (int i = 0; opt_at(what, i, &r); i++) {
        if (!group || strcmp(group, r.o->group) != 0) out_printf(c, ".SS %s\n", r.o->group);
        group = r.o->group;
        put_option(c, r.o);
    }
}

static void put_examples(cli *c, str lines)
{
    if (lines.n > 0) put_section(c, "EXAMPLES");
    while (lines.n > 0) {
        str line = str_cut(&lines, '\n');
        size_t cut = size_min(str_find(line, STR(" # "), 0), line.n);
        out_bytes(c, STR(".TP\n\\fB"));
        put_roff(c, (str){line.p, cut});
        out_bytes(c, STR("\\fR\n"));
        size_t from = size_min(cut + 3, line.n);
        put_roff(c, (str){line.p + from, line.n - from});
        out_bytes(c, STR("\n"));
    }
}

static void put_exit_status(cli *c)
{
    put_section(c, "EXIT STATUS");
    out_printf(c, ".TP\n0\nSuccess.\n.TP\n1\nAn error, with one line on stderr.\n"
                  ".TP\n2\nA mistake in the arguments.\n.TP\n130\nStopped by Ctrl\\-C.\n");
}

// The page's name: "hearth-debug-logits" in upper or lower case.
static void put_page_name(cli *c, const cmd *what, bool upper)
{
    char text[80];
    int n = snprintf(text, sizeof text, "%s%s%s", upper ? "HEARTH" : "hearth", what ? "-" : "",
                     what ? what->name : "");
    for (int i = 0; i < n; i++) {
        if (text[i] == ' ') text[i] = '-';
        if (upper && text[i] >= 'a' && text[i] <= 'z') text[i] = (char)(text[i] - 'a' + 'A');
    }
    put_roff(c, str_from(text));
}

static void put_header(cli *c, const cmd *what)
{
    out_printf(c, ".TH ");
    put_page_name(c, what, true);
    out_printf(c, " 1 %s \"hearth %s\" \"hearth manual\"\n.SH NAME\n", MANUAL_DATE,
               HEARTH_VERSION);
    put_page_name(c, what, false);
    out_printf(c, " \\- %s\n", what ? what->summary : "run AI models on this machine");
    put_section(c, "SYNOPSIS");
    if (!what) {
        out_printf(c, "\\fBhearth\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...]\n");
        return;
    }
    out_printf(c, "\\fBhearth %s\\fR [\\fIOPTION\\fR...] ", what->name);
    put_roff(c, str_from(what->synopsis));
    out_bytes(c, STR("\n"));
}

static void put_overview(cli *c)
{
    put_section(c, "COMMANDS");
    for (int i = 0; cmd_at(i); i++) {
        out_printf(c, ".TP\n\\fBhearth %s\\fR\n", cmd_at(i)->name);
        put_roff(c, str_from(cmd_at(i)->summary));
        out_bytes(c, STR("\n"));
    }
}

void man_command(cli *c, const cmd *what)
{
    put_header(c, what);
    if (!what) {
        put_overview(c);
        put_exit_status(c);
        return;
    }
    put_section(c, "DESCRIPTION");
    str about = str_from(*what->about ? what->about : what->summary);
    put_paragraphs(c, about);
    put_options(c, what);
    put_exit_status(c);
    put_examples(c, str_from(what->examples));
    put_section(c, "SEE ALSO");
    out_printf(c, ".BR hearth (1)\n");
}
