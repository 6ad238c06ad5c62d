// The parser over an option table. See options.h.
//
// A pass over the arguments keeps nothing but the table and the caller's structure; values are
// converted and checked where they are met, so that the message can name the spelling in use.
#include "cli/options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool opt_at(const cmd *c, int i, opt_ref *out)
{
    int first = 0;
    for (int s = 0; s < OPT_SETS_MAX && c->sets[s].opts; s++) {
        const opt_set *set = &c->sets[s];
        if (i < first + set->n) {
            *out = (opt_ref){&set->opts[i - first], set->base, i};
            return true;
        }
        first += set->n;
    }
    return false;
}

static bool is_alias(const opt *o, str spelling)
{
    str rest = str_from(o->alias);
    while (rest.n > 0) {
        if (str_eq(str_cut(&rest, ' '), spelling)) return true;
    }
    return false;
}

static bool is_spelled(const opt *o, str s)
{
    if (s.n == 2 && s.p[0] == '-' && s.p[1] == o->letter) return true;
    str name = str_starts(s, STR("--")) ? (str){s.p + 2, s.n - 2} : (str){"", 0};
    return str_eq_z(name, o->name) || is_alias(o, s);
}

bool opt_find(const cmd *c, str spelling, opt_ref *out)
{
    for (int i = 0; opt_at(c, i, out); i++) {
        if (is_spelled(out->o, spelling)) return true;
    }
    return false;
}

bool opt_seen(const cmd *c, const cli_args *args, const char *name)
{
    opt_ref r;
    for (int i = 0; opt_at(c, i, &r); i++) {
        if (strcmp(r.o->name, name) == 0) return (args->seen[i / 64] >> (i % 64)) & 1;
    }
    return false;
}

str opt_choice(const opt *o, int i)
{
    str rest = str_from(o->choices), item = {"", 0};
    for (int k = 0; k <= i; k++) item = str_cut(&rest, ' ');
    return item;
}

const char *opt_range_text(const opt *o, char out[64])
{
    bool is_number = o->kind == OPT_INT || o->kind == OPT_I64 || o->kind == OPT_F32;
    out[0] = 0;
    if (!is_number || o->min >= o->max) return out;
    snprintf(out, 64, "%.16g to %.16g", o->min, o->max);
    return out;
}

// --- values -------------------------------------------------------------------------------------

// One spelling in use, for messages: "--temp" or "-n".
typedef struct given { const opt *o; str spelling; void *place; } given;

static hearth_status fail_range(given g, str text, hearth_err *err)
{
    char range[64];
    return err_fail(err, HEARTH_E_ARG, "option '%.*s': %.*s is out of range (%s)",
                    STR_ARG(g.spelling), STR_ARG(text), opt_range_text(g.o, range));
}

static hearth_status set_integer(given g, str text, hearth_err *err)
{
    int64_t v;
    if (!str_parse_i64(text, &v)) {
        return err_fail(err, HEARTH_E_ARG, "option '%.*s': '%.*s' is not a whole number",
                        STR_ARG(g.spelling), STR_ARG(text));
    }
    if ((double)v < g.o->min || (double)v > g.o->max) return fail_range(g, text, err);
    if (g.o->kind == OPT_INT) {
        *(int *)g.place = (int)v;
    } else {
        *(int64_t *)g.place = v;
    }
    return HEARTH_OK;
}

static hearth_status set_real(given g, str text, hearth_err *err)
{
    double v;
    if (!str_parse_f64(text, &v) || isnan(v)) {
        return err_fail(err, HEARTH_E_ARG, "option '%.*s': '%.*s' is not a number",
                        STR_ARG(g.spelling), STR_ARG(text));
    }
    if (!(v >= g.o->min && v <= g.o->max)) return fail_range(g, text, err);
    *(float *)g.place = (float)v;
    return HEARTH_OK;
}

static hearth_status set_size(given g, str text, hearth_err *err)
{
    if (str_parse_size(text, (uint64_t *)g.place)) return HEARTH_OK;
    return err_fail(err, HEARTH_E_ARG, "option '%.*s': '%.*s' is not a size, such as 512M or 1.5G",
                    STR_ARG(g.spelling), STR_ARG(text));
}

static hearth_status set_choice(given g, str text, hearth_err *err)
{
    for (int i = 0; opt_choice(g.o, i).n > 0; i++) {
        if (!str_eq(opt_choice(g.o, i), text)) continue;
        *(int *)g.place = i;
        return HEARTH_OK;
    }
    return err_fail(err, HEARTH_E_ARG, "option '%.*s': '%.*s' is none of: %s", STR_ARG(g.spelling),
                    STR_ARG(text), g.o->choices);
}

static hearth_status set_list(given g, const char *text, hearth_err *err)
{
    opt_list *list = g.place;
    if (list->n == OPT_LIST_MAX) {
        return err_fail(err, HEARTH_E_ARG, "option '%.*s': given more than %d times",
                        STR_ARG(g.spelling), (int)OPT_LIST_MAX);
    }
    list->v[list->n++] = text;
    return HEARTH_OK;
}

static hearth_status set_value(given g, const char *text, hearth_err *err)
{
    switch (g.o->kind) {
    case OPT_FLAG: *(bool *)g.place = strcmp(text, "true") == 0; return HEARTH_OK;
    case OPT_INT:
    case OPT_I64: return set_integer(g, str_from(text), err);
    case OPT_F32: return set_real(g, str_from(text), err);
    case OPT_SIZE: return set_size(g, str_from(text), err);
    case OPT_TEXT:
    case OPT_PATH: *(const char **)g.place = text; return HEARTH_OK;
    case OPT_CHOICE: return set_choice(g, str_from(text), err);
    case OPT_LIST: return set_list(g, text, err);
    }
    return HEARTH_OK;
}

void opt_defaults(const cmd *c, void *args)
{
    opt_ref r;
    for (int i = 0; opt_at(c, i, &r); i++) {
        if (!r.o->def) continue;
        given g = {r.o, str_from(r.o->name), (char *)args + r.base + r.o->at};
        hearth_status st = set_value(g, r.o->def, NULL);
        ASSERT(st == HEARTH_OK);
        (void)st;
    }
}

// --- arguments ----------------------------------------------------------------------------------

typedef struct parser {
    const cmd *c;
    int argc, next;
    const char *const *argv;
    const char **words;
    cli_args *args; // begins the command's structure
} parser;

static hearth_status take(parser *p, opt_ref r, str spelling, const char *text, hearth_err *err)
{
    given g = {r.o, spelling, (char *)p->args + r.base + r.o->at};
    HEARTH_TRY(set_value(g, text, err));
    p->args->seen[r.index / 64] |= UINT64_C(1) << (r.index % 64);
    return HEARTH_OK;
}

// The value of an option that stands in the next argument.
static hearth_status take_next(parser *p, opt_ref r, str spelling, hearth_err *err)
{
    if (p->next == p->argc) {
        return err_fail(err, HEARTH_E_ARG, "option '%.*s' needs a value (%s)", STR_ARG(spelling),
                        r.o->value);
    }
    return take(p, r, spelling, p->argv[p->next++], err);
}

// The nearest long name within a third of the spelling's length, or NULL.
static const char *find_near(const cmd *c, str name)
{
    const char *best = NULL;
    size_t best_distance = name.n / 3 + 2;
    opt_ref r;
    for (int i = 0; opt_at(c, i, &r); i++) {
        size_t d = str_distance(name, str_from(r.o->name), best_distance);
        if (d < best_distance) {
            best = r.o->name;
            best_distance = d;
        }
    }
    return best;
}

static hearth_status fail_unknown(parser *p, str spelling, hearth_err *err)
{
    str name = spelling;
    while (name.n > 0 && name.p[0] == '-') name = (str){name.p + 1, name.n - 1};
    const char *near = name.n > 1 ? find_near(p->c, name) : NULL;
    if (near) {
        return err_fail(err, HEARTH_E_ARG, "unknown option '%.*s', did you mean '--%s'?",
                        STR_ARG(spelling), near);
    }
    return err_fail(err, HEARTH_E_ARG, "unknown option '%.*s'", STR_ARG(spelling));
}

// "--name", "--name=value", "--no-name", and aliases with one dash.
static hearth_status take_long(parser *p, const char *arg, hearth_err *err)
{
    str rest = str_from(arg), spelling = str_cut(&rest, '=');
    const char *value = spelling.n < strlen(arg) ? arg + spelling.n + 1 : NULL;
    opt_ref r;
    bool is_on = true;
    if (!opt_find(p->c, spelling, &r)) {
        char plain[64];
        if (!str_starts(spelling, STR("--no-")) || spelling.n >= sizeof plain) {
            return fail_unknown(p, spelling, err);
        }
        snprintf(plain, sizeof plain, "--%.*s", (int)(spelling.n - 5), spelling.p + 5);
        if (!opt_find(p->c, str_from(plain), &r) || r.o->kind != OPT_FLAG) {
            return fail_unknown(p, spelling, err);
        }
        is_on = false;
    }
    if (r.o->kind == OPT_FLAG) {
        if (value) {
            return err_fail(err, HEARTH_E_ARG, "option '%.*s' takes no value", STR_ARG(spelling));
        }
        return take(p, r, spelling, is_on ? "true" : "false", err);
    }
    return value ? take(p, r, spelling, value, err) : take_next(p, r, spelling, err);
}

// "-q", "-n5", "-n 5", "-qn5".
static hearth_status take_letters(parser *p, const char *arg, hearth_err *err)
{
    for (const char *at = arg + 1; *at; at++) {
        char text[2] = {'-', *at};
        str spelling = {text, 2};
        opt_ref r;
        if (!opt_find(p->c, spelling, &r)) {
            return fail_unknown(p, at == arg + 1 ? str_from(arg) : spelling, err);
        }
        if (r.o->kind == OPT_FLAG) {
            HEARTH_TRY(take(p, r, spelling, "true", err));
            continue;
        }
        return at[1] ? take(p, r, spelling, at + 1, err) : take_next(p, r, spelling, err);
    }
    return HEARTH_OK;
}

static hearth_status take_option(parser *p, const char *arg, hearth_err *err)
{
    opt_ref r;
    str rest = str_from(arg), spelling = str_cut(&rest, '=');
    if (arg[1] == '-' || (spelling.n > 2 && opt_find(p->c, spelling, &r))) {
        return take_long(p, arg, err);
    }
    return take_letters(p, arg, err);
}

static hearth_status check_words(const parser *p, hearth_err *err)
{
    int n = p->args->n_words;
    if (p->args->help) return HEARTH_OK;
    if (n < p->c->min_words) {
        return err_fail(err, HEARTH_E_ARG, "something is missing: hearth %s %s", p->c->name,
                        p->c->synopsis);
    }
    if (p->c->max_words >= 0 && n > p->c->max_words) {
        return err_fail(err, HEARTH_E_ARG, "'%s' is one argument too many: hearth %s %s",
                        p->words[p->c->max_words], p->c->name, p->c->synopsis);
    }
    return HEARTH_OK;
}

hearth_status opt_parse(const cmd *c, int argc, const char *const *argv, const char **words,
                        void *args, hearth_err *err)
{
    parser p = {c, argc, 0, argv, words, args};
    bool only_words = false;
    opt_defaults(c, args);
    p.args->words = words;
    while (p.next < argc) {
        const char *arg = argv[p.next++];
        if (!only_words && strcmp(arg, "--") == 0) {
            only_words = true;
        } else if (only_words || arg[0] != '-' || arg[1] == 0) {
            words[p.args->n_words++] = arg;
        } else {
            HEARTH_TRY(take_option(&p, arg, err));
        }
    }
    return check_words(&p, err);
}
