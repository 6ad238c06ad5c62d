// Every row of every option table: each spelling parses to the right value in the right place, the
// edges of ranges are accepted and what is beyond is refused with the range, help, man page and
// completion name it. A row added tomorrow is tested tomorrow.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/args.h"

enum { WORDS = 16 };

// One parse over fresh arguments.
typedef struct parsed {
    hearth_status st;
    hearth_err err;
    void *args;
    const char *words[WORDS];
} parsed;

static parsed parse(const cmd *c, int argc, const char *const *argv)
{
    parsed p = {.err = ERR_INIT};
    p.args = mem_alloc_zero(MEM_TEST, 1, c->args_bytes);
    assert_non_null(p.args);
    p.st = opt_parse(c, argc, argv, p.words, p.args, &p.err);
    return p;
}

// --help switches off the count of words, so that a single option can be parsed alone.
static parsed parse_one(const cmd *c, const char *a, const char *b)
{
    const char *argv[3] = {"--help", a, b};
    return parse(c, b ? 3 : 2, argv);
}

static void release(parsed *p)
{
    mem_free(p->args);
}

static void fail_row(const cmd *c, const opt *o, const char *what, const parsed *p)
{
    fail_msg("%s --%s: %s (%s)", c->name, o->name, what, p->err.msg);
}

static void expect_set(const cmd *c, opt_ref r, const char *a, const char *b, const char *text)
{
    parsed p = parse_one(c, a, b);
    const opt *o = r.o;
    const char *at = (const char *)p.args + r.base + o->at;
    if (p.st != HEARTH_OK) fail_row(c, o, a, &p);
    double number = 0;
    (void)str_parse_f64(str_from(text), &number);
    bool ok = true;
    switch (o->kind) {
    case OPT_FLAG: ok = *(const bool *)at == (strcmp(text, "true") == 0); break;
    case OPT_INT: ok = *(const int *)at == (int)number; break;
    case OPT_I64: ok = *(const int64_t *)at == (int64_t)number; break;
    case OPT_F32: ok = *(const float *)at == (float)number; break;
    case OPT_SIZE: ok = *(const uint64_t *)at == UINT64_C(1536) << 20; break;
    case OPT_TEXT:
    case OPT_PATH: ok = strcmp(*(const char *const *)at, text) == 0; break;
    case OPT_CHOICE: ok = str_eq_z(opt_choice(o, *(const int *)at), text); break;
    case OPT_LIST: {
        const opt_list *list = (const opt_list *)at;
        ok = list->n == 1 && strcmp(list->v[0], text) == 0;
        break;
    }
    }
    if (!ok) fail_row(c, o, "wrong value", &p);
    if (!opt_seen(c, p.args, o->name)) fail_row(c, o, "not seen", &p);
    release(&p);
}

static void expect_refused(const cmd *c, const opt *o, const char *a, const char *b,
                           const char *part)
{
    parsed p = parse_one(c, a, b);
    if (p.st != HEARTH_E_ARG) fail_row(c, o, "accepted", &p);
    if (!strstr(p.err.msg, part)) fail_row(c, o, part, &p);
    if (strchr(p.err.msg, '\n')) fail_row(c, o, "more than one line", &p);
    release(&p);
}

// All spellings of one value: --name V, --name=V, -nV, -n V, aliases.
static void check_spellings(const cmd *c, opt_ref r, const char *text)
{
    char a[256];
    const opt *o = r.o;
    snprintf(a, sizeof a, "--%s", o->name);
    expect_set(c, r, a, text, text);
    snprintf(a, sizeof a, "--%s=%s", o->name, text);
    expect_set(c, r, a, NULL, text);
    if (o->letter) {
        snprintf(a, sizeof a, "-%c", o->letter);
        expect_set(c, r, a, text, text);
        snprintf(a, sizeof a, "-%c%s", o->letter, text);
        expect_set(c, r, a, NULL, text);
    }
    str rest = str_from(o->alias);
    while (rest.n > 0) {
        str alias = str_cut(&rest, ' ');
        snprintf(a, sizeof a, "%.*s", STR_ARG(alias));
        expect_set(c, r, a, text, text);
        snprintf(a, sizeof a, "%.*s=%s", STR_ARG(alias), text);
        expect_set(c, r, a, NULL, text);
    }
}

static void check_number(const cmd *c, opt_ref r)
{
    char name[96], low[64], high[64], range[64];
    const opt *o = r.o;
    snprintf(name, sizeof name, "--%s", o->name);
    snprintf(low, sizeof low, "%.17g", o->min);
    snprintf(high, sizeof high, "%.17g", o->max);
    assert_true(o->min < o->max);
    check_spellings(c, r, low);
    check_spellings(c, r, high);
    opt_range_text(o, range);
    bool is_whole = o->kind != OPT_F32;
    snprintf(low, sizeof low, "%.17g", o->min - 1);
    expect_refused(c, o, name, low, range);
    if (!is_whole || o->max < 9e15) {
        snprintf(high, sizeof high, "%.17g", o->max + 1);
        expect_refused(c, o, name, high, range);
    }
    expect_refused(c, o, name, "x", is_whole ? "is not a whole number" : "is not a number");
    expect_refused(c, o, name, "", is_whole ? "is not a whole number" : "is not a number");
    expect_refused(c, o, name, "1,5", is_whole ? "is not a whole number" : "is not a number");
    if (is_whole) expect_refused(c, o, name, "99999999999999999999", "is not a whole number");
}

static void check_flag(const cmd *c, opt_ref r)
{
    char name[96];
    snprintf(name, sizeof name, "--%s", r.o->name);
    expect_set(c, r, name, NULL, "true");
    if (strcmp(r.o->name, "help") != 0) {
        snprintf(name, sizeof name, "--no-%s", r.o->name);
        expect_set(c, r, name, NULL, "false");
    }
    snprintf(name, sizeof name, "--%s=1", r.o->name);
    expect_refused(c, r.o, name, NULL, "takes no value");
    if (!r.o->letter) return;
    snprintf(name, sizeof name, "-%c", r.o->letter);
    expect_set(c, r, name, NULL, "true");
}

static void check_choice(const cmd *c, opt_ref r)
{
    char text[64], name[96];
    for (int i = 0; opt_choice(r.o, i).n > 0; i++) {
        snprintf(text, sizeof text, "%.*s", STR_ARG(opt_choice(r.o, i)));
        check_spellings(c, r, text);
    }
    snprintf(name, sizeof name, "--%s", r.o->name);
    expect_refused(c, r.o, name, "nonsense", r.o->choices);
}

static void check_row(const cmd *c, opt_ref r)
{
    char name[96];
    snprintf(name, sizeof name, "--%s", r.o->name);
    switch (r.o->kind) {
    case OPT_FLAG: check_flag(c, r); return;
    case OPT_INT:
    case OPT_I64:
    case OPT_F32: check_number(c, r); break;
    case OPT_SIZE:
        check_spellings(c, r, "1.5G");
        expect_refused(c, r.o, name, "much", "is not a size");
        expect_refused(c, r.o, name, "-1", "is not a size");
        break;
    case OPT_TEXT:
    case OPT_PATH:
    case OPT_LIST: check_spellings(c, r, "some text=1"); break;
    case OPT_CHOICE: check_choice(c, r); break;
    }
    expect_refused(c, r.o, name, NULL, "needs a value");
}

typedef void (*row_check)(const cmd *c, opt_ref r);

static void for_all_rows(row_check check)
{
    opt_ref r;
    for (int i = 0; cmd_at(i); i++) {
        for (int k = 0; opt_at(cmd_at(i), k, &r); k++) check(cmd_at(i), r);
    }
}

static void test_each_row_parses(void **state)
{
    (void)state;
    for_all_rows(check_row);
}

// --- the table itself ---------------------------------------------------------------------------

static void check_form(const cmd *c, opt_ref r)
{
    const opt *o = r.o;
    parsed none = {.err = ERR_INIT};
    if (r.index >= OPT_MAX) fail_row(c, o, "too many rows", &none);
    if (!o->name || !o->help || !o->group) fail_row(c, o, "incomplete", &none);
    if ((o->value == NULL) != (o->kind == OPT_FLAG)) fail_row(c, o, "placeholder", &none);
    if ((o->choices != NULL) != (o->kind == OPT_CHOICE)) fail_row(c, o, "choices", &none);
    if (o->help[strlen(o->help) - 1] == '.') fail_row(c, o, "full stop", &none);
    opt_ref found;
    char spelling[96];
    snprintf(spelling, sizeof spelling, "--%s", o->name);
    if (!opt_find(c, str_from(spelling), &found) || found.index != r.index) {
        fail_row(c, o, "name is taken twice", &none);
    }
    if (o->letter) {
        char letter[3] = {'-', o->letter, 0};
        if (!opt_find(c, str_from(letter), &found) || found.index != r.index) {
            fail_row(c, o, "letter is taken twice", &none);
        }
    }
    str rest = str_from(o->alias);
    while (rest.n > 0) {
        if (!opt_find(c, str_cut(&rest, ' '), &found) || found.index != r.index) {
            fail_row(c, o, "alias is taken twice", &none);
        }
    }
}

static void test_rows_are_well_formed(void **state)
{
    (void)state;
    for_all_rows(check_form);
}

// A default in the table is what parsing it gives, and nothing else is set.
static void check_default(const cmd *c, opt_ref r)
{
    char name[96];
    if (!r.o->def || r.o->kind == OPT_FLAG || r.o->kind == OPT_LIST) return;
    snprintf(name, sizeof name, "--%s", r.o->name);
    parsed given = parse_one(c, name, r.o->def), plain = parse_one(c, "--help", NULL);
    size_t at = r.base + r.o->at, n = sizeof(int);
    if (r.o->kind == OPT_I64 || r.o->kind == OPT_SIZE) n = sizeof(int64_t);
    if (r.o->kind == OPT_TEXT || r.o->kind == OPT_PATH) {
        const char *x = *(const char **)((char *)given.args + at);
        const char *y = *(const char **)((char *)plain.args + at);
        if (strcmp(x, y) != 0) fail_row(c, r.o, "default", &given);
    } else if (memcmp((char *)given.args + at, (char *)plain.args + at, n) != 0) {
        fail_row(c, r.o, "default", &given);
    }
    if (opt_seen(c, plain.args, r.o->name)) fail_row(c, r.o, "seen though not given", &plain);
    release(&given);
    release(&plain);
}

static void test_defaults(void **state)
{
    (void)state;
    for_all_rows(check_default);
}

static void test_sampling_defaults_are_the_samplers(void **state)
{
    (void)state;
    sampler_params p;
    sampler_params_default(&p);
    parsed run = parse_one(cmd_find(STR("run")), "--help", NULL);
    const sampler_params *q = &((const run_args *)run.args)->sampling;
    assert_true(q->temperature == p.temperature && q->dynatemp_range == p.dynatemp_range);
    assert_true(q->dynatemp_exponent == p.dynatemp_exponent && q->top_k == p.top_k);
    assert_true(q->top_p == p.top_p && q->min_p == p.min_p && q->typical_p == p.typical_p);
    assert_true(q->top_n_sigma == p.top_n_sigma && q->xtc_probability == p.xtc_probability);
    assert_true(q->xtc_threshold == p.xtc_threshold && q->repeat_penalty == p.repeat_penalty);
    assert_true(q->presence_penalty == p.presence_penalty);
    assert_true(q->frequency_penalty == p.frequency_penalty && q->repeat_last_n == p.repeat_last_n);
    assert_true(q->dry_multiplier == p.dry_multiplier && q->dry_base == p.dry_base);
    assert_int_equal(q->dry_allowed_length, p.dry_allowed_length);
    assert_int_equal(q->dry_last_n, p.dry_last_n);
    assert_int_equal(q->mirostat, p.mirostat);
    assert_true(q->mirostat_tau == p.mirostat_tau && q->mirostat_eta == p.mirostat_eta);
    assert_int_equal(q->min_keep, p.min_keep);
    release(&run);
}

// --- help, man page, completion -----------------------------------------------------------------

// bytes of `name` with the man page's escaped dashes
static void escape_dashes(const char *name, char *out, size_t n)
{
    size_t k = 0;
    for (; *name && k + 3 < n; name++) {
        if (*name == '-') out[k++] = '\\';
        out[k++] = *name;
    }
    out[k] = 0;
}

static void check_texts(const cmd *c, opt_ref r)
{
    cli k;
    char name[96], escaped[160];
    parsed none = {.err = ERR_INIT};
    cli_init(&k);
    snprintf(name, sizeof name, "--%s", r.o->name);
    help_command(&k, c, true);
    if (!strstr(k.out.p, name)) fail_row(c, r.o, "not in the help", &none);
    if (!strstr(k.out.p, c->summary)) fail_row(c, r.o, "no summary", &none);
    buf_reset(&k.out);
    escape_dashes(name, escaped, sizeof escaped);
    man_command(&k, c);
    if (!strstr(k.out.p, escaped)) fail_row(c, r.o, "not in the man page", &none);
    cli_release(&k);
}

static void test_help_and_man_name_every_option(void **state)
{
    (void)state;
    for_all_rows(check_texts);
}

static void test_completion_names_every_option(void **state)
{
    (void)state;
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t s = 0; s < COUNTOF(shells); s++) {
        cli k;
        opt_ref r;
        cli_init(&k);
        assert_int_equal(completion_script(&k, str_from(shells[s]), NULL), HEARTH_OK);
        for (int i = 0; cmd_at(i); i++) {
            for (int o = 0; opt_at(cmd_at(i), o, &r); o++) {
                char name[96];
                snprintf(name, sizeof name, "%s%s", s == 2 ? "-l " : "--", r.o->name);
                if (!strstr(k.out.p, name)) fail_msg("%s: %s", shells[s], name);
            }
        }
        cli_release(&k);
    }
}

// --- arguments ----------------------------------------------------------------------------------

static void test_words_and_options_mix(void **state)
{
    (void)state;
    const char *argv[] = {"model", "-qn5", "--temp", "-1", "text"};
    parsed bad = parse(cmd_find(STR("run")), 5, argv);
    assert_int_equal(bad.st, HEARTH_E_ARG); // -1 is the value of --temp, and out of its range
    assert_non_null(strstr(bad.err.msg, "-1 is out of range"));
    release(&bad);
    const char *good[] = {"model", "-qn5", "--", "--text"};
    parsed p = parse(cmd_find(STR("run")), 4, good);
    const run_args *a = p.args;
    assert_int_equal(p.st, HEARTH_OK);
    assert_int_equal(a->predict, 5);
    assert_true(a->common.quiet);
    assert_int_equal(a->common.n_words, 2);
    assert_string_equal(a->common.words[1], "--text");
    release(&p);
}

static void test_unknown_option_names_the_nearest(void **state)
{
    (void)state;
    const cmd *run = cmd_find(STR("run"));
    parsed p = parse_one(run, "--tmep", "1");
    assert_string_equal(p.err.msg, "unknown option '--tmep', did you mean '--temp'?");
    release(&p);
    p = parse_one(run, "--tem=1", NULL); // no abbreviations
    assert_string_equal(p.err.msg, "unknown option '--tem', did you mean '--temp'?");
    release(&p);
    p = parse_one(run, "--no-temp", NULL); // not a flag
    assert_non_null(strstr(p.err.msg, "unknown option '--no-temp'"));
    release(&p);
    p = parse_one(run, "-Z", NULL);
    assert_string_equal(p.err.msg, "unknown option '-Z'");
    release(&p);
}

static void test_word_counts(void **state)
{
    (void)state;
    parsed p = parse(cmd_find(STR("show")), 0, NULL);
    assert_int_equal(p.st, HEARTH_E_ARG);
    release(&p);
    const char *argv[] = {"a", "b"};
    p = parse(cmd_find(STR("show")), 2, argv);
    assert_non_null(strstr(p.err.msg, "'b' is one argument too many"));
    release(&p);
}

static void test_list_is_bounded(void **state)
{
    (void)state;
    const char *argv[OPT_LIST_MAX + 1];
    for (size_t i = 0; i < COUNTOF(argv); i++) argv[i] = "--stop=x";
    parsed p = parse(cmd_find(STR("run")), OPT_LIST_MAX, argv);
    assert_int_equal(p.st, HEARTH_OK);
    release(&p);
    p = parse(cmd_find(STR("run")), OPT_LIST_MAX + 1, argv);
    assert_int_equal(p.st, HEARTH_E_ARG);
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_well_formed),
        cmocka_unit_test(test_each_row_parses),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_sampling_defaults_are_the_samplers),
        cmocka_unit_test(test_help_and_man_name_every_option),
        cmocka_unit_test(test_completion_names_every_option),
        cmocka_unit_test(test_words_and_options_mix),
        cmocka_unit_test(test_unknown_option_names_the_nearest),
        cmocka_unit_test(test_word_counts),
        cmocka_unit_test(test_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
