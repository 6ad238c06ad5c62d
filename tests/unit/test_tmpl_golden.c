// Templates against Jinja2: what tests/golden/tmpl/gen_templates.py stored.
//
// Published templates are not in the tree; their rows are skipped when the files are absent.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "support/test_data.h"
#include "tmpl/tmpl.h"

enum { INPUTS_MAX = 32, TEXT_MAX = 1 << 20 };
typedef struct input { char name[64]; char *json; size_t n; } input;
typedef struct golden {
    input in[INPUTS_MAX];
    int n_in, ran, skipped, wrong;
    char *text[4]; // of the row: t, f, d, and x or e
    size_t len[4];
    bool fails;
} golden;

static json_event next(json_reader *r)
{
    json_event ev;
    hearth_err err = ERR_INIT;
    if (json_next(r, &ev, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return ev;
}

static char *keep(str s)
{
    char *p = malloc(s.n + 1);
    assert_non_null(p);
    memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

static void read_inputs(golden *g, json_reader *r)
{
    assert_int_equal(next(r), JSON_OBJECT_BEGIN);
    while (next(r) == JSON_KEY) {
        assert_true(g->n_in < INPUTS_MAX);
        input *in = &g->in[g->n_in++];
        snprintf(in->name, sizeof in->name, "%.*s", STR_ARG(json_text(r)));
        assert_int_equal(next(r), JSON_STRING);
        in->n = json_text(r).n;
        in->json = keep(json_text(r));
    }
}

static bool read_row(golden *g, json_reader *r)
{
    for (int i = 0; i < 4; i++) {
        free(g->text[i]);
        g->text[i] = NULL;
    }
    if (next(r) != JSON_OBJECT_BEGIN) return false;
    while (next(r) == JSON_KEY) {
        char key = json_text(r).p[0];
        int at = key == 't' ? 0 : key == 'f' ? 1 : key == 'd' ? 2 : 3;
        if (at == 3) g->fails = key == 'e';
        assert_int_equal(next(r), JSON_STRING);
        g->len[at] = json_text(r).n;
        g->text[at] = keep(json_text(r));
    }
    return true;
}

static const input *find_input(const golden *g, const char *name)
{
    for (int i = 0; i < g->n_in; i++) {
        if (strcmp(g->in[i].name, name) == 0) return &g->in[i];
    }
    fail_msg("no input %s", name);
    return NULL;
}

static hearth_status run(str source, const input *in, tmpl_output *out, hearth_err *err)
{
    tmpl *t = NULL;
    tmpl_inputs *vars = NULL;
    tmpl_options o = {.now = {2024, 7, 26, 9, 5, 3}};
    hearth_status st = tmpl_parse(source, &t, err);
    if (st == HEARTH_OK) {
        assert_int_equal(tmpl_inputs_open(&vars, err), HEARTH_OK);
        assert_int_equal(tmpl_inputs_read_json(vars, (str){in->json, in->n}, err), HEARTH_OK);
        st = tmpl_render(t, vars, &o, out, err);
    }
    tmpl_inputs_free(vars);
    tmpl_free(t);
    return st;
}

// What a failure must say: the line and, for raise_exception(), its words.
static bool is_right_failure(const golden *g, const hearth_err *err)
{
    return strncmp(err->msg, "template line ", 14) == 0 &&
           (g->len[3] == 0 || strstr(err->msg, g->text[3]) != NULL);
}

static void check_row(golden *g, str source)
{
    const input *in = find_input(g, g->text[2] ? g->text[2] : "snippets");
    tmpl_output out = {0};
    hearth_err err = ERR_INIT;
    hearth_status st = run(source, in, &out, &err);
    str got = buf_str(&out.text), want = {g->text[3], g->len[3]};
    bool ok = g->fails ? st != HEARTH_OK && is_right_failure(g, &err)
                       : st == HEARTH_OK && str_eq(got, want);
    if (!ok) {
        print_error("template: %s (%s)\nexpected%s: %s\nfound: %.*s%s\n\n",
                    g->text[1] ? g->text[1] : g->text[0], in->name, g->fails ? " failure" : "",
                    want.p, (int)got.n, got.p, err.msg);
    }
    g->wrong += !ok;
    g->ran++;
    tmpl_output_release(&out);
}

static void check_published(golden *g)
{
    char name[300], path[600];
    size_t n;
    snprintf(name, sizeof name, "templates/%s", g->text[1]);
    if (g->skipped > 0 || !test_data_path(name, path, sizeof path)) { // it says so once
        g->skipped++;
        return;
    }
    char *source = (char *)test_read_file(path, &n);
    assert_non_null(source);
    check_row(g, (str){source, n});
    free(source);
}

static void run_rows(golden *g, bool published)
{
    char path[600];
    size_t n;
    json_reader *r = NULL;
    test_source_path("golden/tmpl/templates.json", path, sizeof path);
    unsigned char *file = test_read_file(path, &n);
    assert_non_null(file);
    assert_int_equal(json_open_memory(file, n, TEXT_MAX, &r, NULL), HEARTH_OK);
    next(r), next(r); // {"d":
    read_inputs(g, r);
    next(r), next(r); // "rows": [
    while (read_row(g, r)) {
        if (g->text[1] && published) check_published(g);
        if (!g->text[1] && !published) check_row(g, (str){g->text[0], g->len[0]});
    }
    json_close(r);
    free(file);
    for (int i = 0; i < g->n_in; i++) free(g->in[i].json);
}

static void test_snippets(void **state)
{
    (void)state;
    golden g = {0};
    run_rows(&g, false);
    print_message("%d snippets, %d wrong\n", g.ran, g.wrong);
    assert_true(g.ran > 1000);
    assert_int_equal(g.wrong, 0);
}

static void test_published(void **state)
{
    (void)state;
    golden g = {0};
    run_rows(&g, true);
    assert_int_equal(g.wrong, 0);
    if (g.skipped > 0) {
        print_message("published templates are absent: %d rows not checked\n", g.skipped);
        skip();
    }
    print_message("%d renderings of published templates\n", g.ran);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snippets),
        cmocka_unit_test(test_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
