// `hearth help` on the terminal, from the option tables.
//
// Two columns: spellings, then the text with default and range, wrapped to the terminal (at most
// 100 columns, for long lines tire). Rare options appear with --all only.
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "os/os.h"

enum { SPELLING_COLUMN = 2, TEXT_COLUMN = 30, WIDTH_MAX = 100, WIDTH_MIN = 60 };

static int get_width(const cli *c)
{
    int width = c->out_is_tty ? os_terminal_width() : 80;
    return int_max(WIDTH_MIN, int_min(width, WIDTH_MAX));
}

// Words of `s` from column `at` on, continued at `indent`; ends the line.
static void print_wrapped(cli *c, str s, int at, int indent)
{
    int width = get_width(c), column = at;
    bool first = true;
    while (s.n > 0) {
        str word = str_cut(&s, ' ');
        if (!first && column + 1 + (int)word.n > width) {
            out_printf(c, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            out_bytes(c, STR(" "));
            column++;
        }
        out_bytes(c, word);
        column += (int)word.n;
        first = false;
    }
    out_bytes(c, STR("\n"));
}

static void print_paragraphs(cli *c, str text)
{
    while (text.n > 0) {
        size_t cut = size_min(str_find(text, STR("\n\n"), 0), text.n);
        out_bytes(c, STR("\n"));
        print_wrapped(c, (str){text.p, cut}, 0, 0);
        size_t next = size_min(cut + 2, text.n);
        text = (str){text.p + next, text.n - next};
    }
}

static void print_heading(cli *c, const char *text)
{
    out_printf(c, "\n%s%s:%s\n", out_colour(c, COLOUR_BOLD), text, out_colour(c, COLOUR_NONE));
}

static int print_spellings(cli *c, const opt *o)
{
    char text[160], letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    int n = snprintf(text, sizeof text, "%s--%s%s%s", letter, o->name, o->value ? " " : "",
                     o->value ? o->value : "");
    out_printf(c, "%*s%s", SPELLING_COLUMN, "", text);
    return SPELLING_COLUMN + n;
}

// The range is left out where its upper end only guards against mistakes.
static void append_details(const opt *o, buf *b)
{
    enum { RANGE_MAX = 1 << 20 };
    char range[64];
    bool has_default = o->def && o->kind != OPT_FLAG;
    bool has_range = *opt_range_text(o, range) && o->max < RANGE_MAX;
    buf_printf(b, "%s", o->help);
    if (!has_default && !has_range && !o->choices) return;
    const char *values = o->choices ? o->choices : has_range ? range : "";
    buf_printf(b, " [%s%s%s%s]", values, has_default && *values ? "; " : "",
               has_default ? "default " : "", has_default ? o->def : "");
}

static void print_option(cli *c, const opt *o)
{
    buf text;
    buf_init(&text, MEM_MISC, SIZE_MAX);
    append_details(o, &text);
    int column = print_spellings(c, o);
    if (column + 2 > TEXT_COLUMN) {
        out_bytes(c, STR("\n"));
        column = 0;
    }
    out_printf(c, "%*s", TEXT_COLUMN - column, "");
    print_wrapped(c, buf_str(&text), TEXT_COLUMN, TEXT_COLUMN);
    buf_release(&text);
}

static bool is_first_of_group(const cmd *what, int i, const char *group)
{
    opt_ref r;
    for (int k = 0; k < i && opt_at(what, k, &r); k++) {
        if (strcmp(r.o->group, group) == 0) return false;
    }
    return true;
}

static int print_group(cli *c, const cmd *what, const char *group, bool all)
{
    opt_ref r;
    int hidden = 0, shown = 0;
    for (int i = 0; opt_at(what, i, &r); i++) {
        if (strcmp(r.o->group, group) != 0) continue;
        if (!all && !r.o->is_common) {
            hidden++;
            continue;
        }
        if (shown++ == 0) print_heading(c, group);
        print_option(c, r.o);
    }
    return hidden;
}

static void print_examples(cli *c, str lines)
{
    if (lines.n > 0) print_heading(c, "Examples");
    while (lines.n > 0) {
        str line = str_cut(&lines, '\n');
        size_t cut = size_min(str_find(line, STR(" # "), 0), line.n);
        out_printf(c, "  %.*s\n", (int)cut, line.p);
    }
}

void help_command(cli *c, const cmd *what, bool all)
{
    out_printf(c, "hearth %s - %s\n\nUsage: hearth %s [OPTION...]%s%s\n", what->name, what->summary,
               what->name, *what->synopsis ? " " : "", what->synopsis);
    print_paragraphs(c, str_from(what->about));
    opt_ref r;
    int hidden = 0;
    for (int i = 0; opt_at(what, i, &r); i++) {
        if (is_first_of_group(what, i, r.o->group)) hidden += print_group(c, what, r.o->group, all);
    }
    print_examples(c, str_from(what->examples));
    if (hidden > 0) {
        out_printf(c, "\n%d more options: hearth help --all %s\n", hidden, what->name);
    }
}

void help_overview(cli *c)
{
    out_printf(c, "hearth - run AI models on this machine\n\nUsage: hearth COMMAND [OPTION...]\n");
    print_heading(c, "Commands");
    for (int i = 0; cmd_at(i); i++) {
        out_printf(c, "  %-16s%s\n", cmd_at(i)->name, cmd_at(i)->summary);
    }
    out_printf(c, "\n'hearth help COMMAND' explains one. "
                  "To begin: hearth run model.gguf \"Once upon a time\"\n");
}

hearth_status fail_unknown_command(cli *c, const char *name, hearth_err *err)
{
    const char *near = NULL;
    size_t best = strlen(name) / 3 + 2;
    for (int i = 0; cmd_at(i); i++) {
        size_t d = str_distance(str_from(name), str_from(cmd_at(i)->name), best);
        if (d < best) {
            near = cmd_at(i)->name;
            best = d;
        }
    }
    if (near) return cli_usage(c, err, "unknown command '%s', did you mean '%s'?", name, near);
    return cli_usage(c, err, "unknown command '%s'", name);
}

// "help debug logits" and "help debug-logits" both name the command; "help debug" lists its verbs.
static const cmd *find_topic(const cli_args *args, buf *name)
{
    for (int i = 0; i < args->n_words; i++) buf_printf(name, "%s%s", i ? " " : "", args->words[i]);
    for (size_t i = 0; i < name->n; i++) {
        if (name->p[i] == '-') name->p[i] = ' ';
    }
    return cmd_find(buf_str(name));
}

static bool print_verbs(cli *c, str name)
{
    bool found = false;
    for (int i = 0; cmd_at(i); i++) {
        str full = str_from(cmd_at(i)->name);
        if (!str_starts(full, name) || full.n <= name.n || full.p[name.n] != ' ') continue;
        if (!found) out_printf(c, "Usage: hearth %.*s VERB [OPTION...]\n\n", STR_ARG(name));
        out_printf(c, "  %-16s%s\n", cmd_at(i)->name, cmd_at(i)->summary);
        found = true;
    }
    return found;
}

hearth_status cmd_help(cli *c, void *args, hearth_err *err)
{
    const help_args *a = args;
    if (a->common.n_words == 0 && !a->man) {
        help_overview(c);
        return HEARTH_OK;
    }
    buf name;
    buf_init(&name, MEM_MISC, SIZE_MAX);
    const cmd *what = find_topic(&a->common, &name);
    hearth_status st = HEARTH_OK;
    if (a->man) {
        if (what || a->common.n_words == 0) {
            man_command(c, what);
        } else {
            st = fail_unknown_command(c, a->common.words[0], err);
        }
    } else if (what) {
        help_command(c, what, a->all);
    } else if (!print_verbs(c, buf_str(&name))) {
        st = fail_unknown_command(c, buf_str(&name).p, err);
    }
    buf_release(&name);
    return st;
}

hearth_status cmd_version(cli *c, void *args, hearth_err *err)
{
    (void)err;
    const plain_args *a = args;
    if (a->common.json) {
        out_printf(c, "{\"version\": \"%s\"}\n", HEARTH_VERSION);
    } else {
        out_printf(c, "hearth %s\n", HEARTH_VERSION);
    }
    return HEARTH_OK;
}
