// Chat templates: who wrote which byte, limits, error lines, failing allocations.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/test_data.h"
#include "tmpl/tmpl.h"

static hearth_status render(str source, str json, const tmpl_options *o, tmpl_output *out,
                            hearth_err *err)
{
    tmpl *t = NULL;
    tmpl_inputs *in = NULL;
    tmpl_options plain = {.now = {2024, 7, 26, 9, 5, 3}};
    *out = (tmpl_output){0};
    hearth_status st = tmpl_parse(source, &t, err);
    if (st == HEARTH_OK) st = tmpl_inputs_open(&in, err);
    if (st == HEARTH_OK) st = tmpl_inputs_read_json(in, json, err);
    if (st == HEARTH_OK) st = tmpl_render(t, in, o ? o : &plain, out, err);
    tmpl_inputs_free(in);
    tmpl_free(t);
    return st;
}

// The text with what is a user's in brackets: a[b]c.
static void mark(const tmpl_output *out, char *to, size_t cap)
{
    size_t at = 0, n = 0;
    for (size_t i = 0; i < out->n_runs; i++) {
        n += (size_t)snprintf(to + n, cap - n, out->runs[i].is_user ? "[%.*s]" : "%.*s",
                              (int)out->runs[i].n, out->text.p + at);
        at += out->runs[i].n;
    }
    assert_int_equal(at, out->text.n);
    to[n] = 0;
}

static const char data[] =
    "{\"u\":\"User\",\"e\":\"\",\"n\":5,\"l\":[\"a\",\"b\"],\"d\":{\"k\":\"v\"},"
    "\"bos_token\":\"<s>\","
    "\"messages\":[{\"role\":\"user\",\"content\":\" c \"},{\"role\":\"evil\",\"content\":\"d\"}]}";

static void test_origins(void **state)
{
    (void)state;
    int wrong = 0;
    static const struct { const char *source, *want; } rows[] = {
        {"a{{ u }}b", "a[User]b"},
        {"{{ 'x' + u + 'y' }}{{ 'x' ~ u ~ n }}", "x[User]yx[User5]"},
        {"{{ ('x' + u)|upper }}{{ ('x' + u).lower() }}", "X[USER]x[user]"},
        {"{{ ('xy' + u + 'z')[1:4] }}{{ (u + 'x')[::-1] }}", "y[Us]x[resU]"},
        {"{{ ('<' + u + '>').replace('s', 'SS') }}{{ 'a-b'.replace('-', u) }}",
         "<[U]SS[er]>a[User]b"},
        {"{{ ['x', u]|join('-') }}{{ '-'.join(l) }}", "x-[Usera]-[b]"},
        {"{{ ('a ' + u + ' b').split() }}", "[[']a[', 'User', ']b[']]"},
        {"{{ ('x' + u).split('s')[0] }}|{{ (' ' + u + ' ')|trim }}|", "x[U]|[User]|"},
        {"{{ {'a': u}|tojson }}", "[{\"]a[\": \"User\"}]"},
        {"{{ d|tojson }}", "[{\"k\": \"v\"}]"},
        {"{{ n + 1 }}{{ 1 + 1 }}{{ loop }}{% for x in l %}{{ loop.index }}{{ x }}{% endfor %}",
         "[6]21[a]2[b]"},
        {"{% for k, v in d.items() %}{{ k }}={{ v }}{% endfor %}", "[k]=[v]"},
        {"{% set x %}a{{ u }}b{% endset %}{{ x|capitalize }}", "A[user]b"},
        {"{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(u)|title }}", "<[User]>"},
        {"{% filter replace('s', 'x') %}s{{ u }}{% endfilter %}", "x[U]x[er]"},
        {"{{ '%s=%s' % ('a', u) }}{{ '{}{}'.format('a', u) }}", "a=[User]a[User]"},
        {"{{ bos_token }}{{ messages[0].role }}{{ messages[0].content|trim }}", "<s>user[c]"},
        {"{{ messages[1].role }}", "[evil]"},
        {"{{ ('a\nb' + u)|indent(2) }}{{ (u ~ '\n\n')|indent }}", "a\n  b[UserUser]\n\n"},
        {"{{ ('x' ~ u)|list|join }}{{ (u ~ 'x')|reverse }}{{ ('x' ~ u) * 2 }}",
         "x[User]x[resU]x[User]x[User]"},
        {"{{ ('a' ~ u ~ 'b').partition('s')|join('/') }}", "a[U]/[s]/[er]b"},
        {"{{ u|default('x') }}{{ e|default('x', true) }}{{ u|e }}{{ u|string }}",
         "[User]x[UserUser]"},
        {"{% for x in [1, [2, [l]]] recursive %}{% if x is sequence and x is not string %}("
         "{{ loop(x) }}){{ loop.depth }}{% else %}{{ x }}{% endif %}{% endfor %}",
         "1(2(([ab])3)2)1"},
        {"{% for c in 'a' ~ u[:1] %}{{ c }}{% endfor %}{{ u.center(6, '*') }}", "a[U]*[User]*"},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        tmpl_output out;
        hearth_err err = ERR_INIT;
        char marked[512];
        if (render(str_from(rows[i].source), STR(data), NULL, &out, &err) != HEARTH_OK) {
            fail_msg("%s: %s", rows[i].source, err.msg);
        }
        mark(&out, marked, sizeof marked);
        tmpl_output_release(&out);
        if (strcmp(marked, rows[i].want) == 0) continue;
        print_error("%s\n  expected %s\n  found    %s\n", rows[i].source, rows[i].want, marked);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

// --- hostile messages ---------------------------------------------------------------------------

static const char *const published[] = {
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "Qwen-Qwen2.5-7B-Instruct",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "google-gemma-2-2b-it",
    "meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct",
    "microsoft-Phi-3.5-mini-instruct", "mistralai-Mistral-Nemo-Instruct-2407"};
static const char *const controls[] = {
    "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "</s>",
    "<|python_tag|>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "[TOOL_CALLS]",
    "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<tool_call>", "<think>"};
// "@" stands for the word.
static const char chat_format[] =
    "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_generation_prompt\":true,\"messages\":["
    "{\"role\":\"user\",\"content\":\"@\"},{\"role\":\"assistant\",\"content\":\"@\","
    "\"tool_calls\":[{\"id\":\"abcdefghi\",\"type\":\"@\",\"function\":{\"name\":\"@\","
    "\"arguments\":{\"@\":\"@\"}}}]},{\"role\":\"tool\",\"tool_call_id\":\"abcdefghi\",\"name\":"
    "\"@\",\"content\":\"@\"},{\"role\":\"@\",\"content\":\"@\"}],\"tools\":[{\"type\":"
    "\"@\",\"function\":{\"name\":\"@\",\"description\":\"@\",\"parameters\":{\"type\":"
    "\"object\",\"properties\":{\"@\":{\"type\":\"string\",\"description\":\"@\"}}}}}]}";

// How often `what` stands in the template's bytes alone.
static int count_control(const tmpl_output *out, const char *what)
{
    int n = 0;
    size_t at = 0, found;
    for (size_t i = 0; i < out->n_runs; at += out->runs[i++].n) {
        str s = {out->text.p + at, out->runs[i].n};
        if (out->runs[i].is_user) continue;
        for (size_t k = 0; (found = str_find(s, str_from(what), k)) != SIZE_MAX; k = found + 1) n++;
    }
    return n;
}

// *out has the rendering with `word` in every field; false when the template refuses.
static bool render_word(str source, const char *word, tmpl_output *out)
{
    char json[4096];
    size_t n = 0;
    for (const char *p = chat_format; *p; p++) {
        size_t k = *p == '@' ? strlen(word) : 1;
        assert_true(n + k < sizeof json);
        memcpy(json + n, *p == '@' ? word : p, k);
        n += k;
    }
    return render(source, (str){json, n}, NULL, out, NULL) == HEARTH_OK;
}

static void check_hostile(str source, const char *control)
{
    tmpl_output neutral, hostile;
    bool ok = render_word(source, "neutral", &neutral);
    assert_int_equal(render_word(source, control, &hostile), ok);
    for (size_t i = 0; ok && i < COUNTOF(controls); i++) {
        int expected = count_control(&neutral, controls[i]);
        assert_int_equal(count_control(&hostile, controls[i]), expected);
    }
    tmpl_output_release(&neutral);
    tmpl_output_release(&hostile);
}

static void test_hostile(void **state)
{
    (void)state;
    static const char own[] =
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content|trim }}"
        "{% for c in m.tool_calls %}<tool_call>{{ c.function|tojson(indent=1) }}"
        "{{ c.function.name|e }}{{ c|string }}{% endfor %}<|im_end|>{% endfor %}"
        "{{ tools|map(attribute='function')|map(attribute='name')|join('<s>') }}"
        "{{ tools|string|upper|lower }}{{ messages|groupby('content')|list }}";
    int absent = 0;
    for (size_t k = 0; k < COUNTOF(controls); k++) check_hostile(STR(own), controls[k]);
    for (size_t i = 0; i < COUNTOF(published); i++) {
        char name[200], path[600];
        size_t n;
        snprintf(name, sizeof name, "templates/%s.jinja", published[i]);
        if (!test_data_path(name, path, sizeof path)) {
            absent = (int)(COUNTOF(published) - i);
            break;
        }
        char *source = (char *)test_read_file(path, &n);
        assert_non_null(source);
        for (size_t k = 0; k < COUNTOF(controls); k++) check_hostile((str){source, n}, controls[k]);
        free(source);
    }
    if (absent > 0) {
        print_message("%d published templates are absent\n", absent);
        skip();
    }
}

// --- failures -----------------------------------------------------------------------------------

static void test_error_lines(void **state)
{
    (void)state;
    static const struct { const char *source, *message; } rows[] = {
        {"a\nb\n{{ x.y }}", "template line 3: 'x' is undefined"},
        {"{% if a %}\n\n{% endfor %}", "template line 3: expected a statement"},
        {"\n{{ 1 + }}", "template line 2: expected an expression, found }}"},
        {"{{ 'a' + 1 }}", "template line 1: operator + cannot take str and int"},
        {"{{ u|nope }}", "template line 1: unknown filter 'nope'"},
        {"{{ raise_exception('no ' ~ u) }}", "template line 1: refused: no User"},
        {"\n{# a", "template line 2: expected #}"},
        {"{{ \xff }}", "template line 1: not UTF-8"},
        {"{% for i in range(100001) %}{% endfor %}", "template line 1: range: more than 100000"},
        {"{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}", "template line 1: nested deeper"},
        {"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
         "template line 1: more than 256 MB"},
        {"{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}"
         "{% endfor %}", "template line 1: more"},
        {"{{ 'a' * 999999999999 }}", "template line 1: more"},
        {"{% for i in range(99999) %}{{ 'abcdefgh' * 1000 }}{% endfor %}", "template line 1: more"},
        {"{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "template line 1: nested deeper"},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        tmpl_output out;
        hearth_err err = ERR_INIT;
        hearth_status st = render(str_from(rows[i].source), STR(data), NULL, &out, &err);
        assert_int_not_equal(st, HEARTH_OK);
        if (strncmp(err.msg, rows[i].message, strlen(rows[i].message)) != 0) {
            fail_msg("%s: found \"%s\", expected \"%s\"", rows[i].source, err.msg, rows[i].message);
        }
        assert_null(out.runs);
        tmpl_output_release(&out);
    }
}

static void test_deep_templates(void **state)
{
    (void)state;
    static const char *const parts[] = {"(", "[", "{1:", "-", "not ", "{% if 1 %}", "a|e(", "x.",
                                        "a["};
    char source[40000];
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        size_t n = 0, k = strlen(parts[i]);
        bool is_tag = parts[i][1] == '%';
        if (!is_tag) n = (size_t)snprintf(source, sizeof source, "{{ ");
        for (int j = 0; j < 3000; j++, n += k) memcpy(source + n, parts[i], k);
        n += (size_t)snprintf(source + n, sizeof source - n, "%s", is_tag ? "" : " 1 }}");
        tmpl_output out;
        hearth_err err = ERR_INIT;
        hearth_status st = render((str){source, n}, STR("{}"), NULL, &out, &err);
        assert_true(st == HEARTH_OK || strncmp(err.msg, "template line 1: ", 17) == 0);
        tmpl_output_release(&out);
    }
}

static void test_step_limit(void **state)
{
    (void)state;
    tmpl_options o = {.max_steps = 1000};
    tmpl_output out;
    hearth_err err = ERR_INIT;
    str source = STR("{% for i in range(900) %}{{ i }}{% endfor %}");
    assert_int_equal(render(source, STR("{}"), &o, &out, &err), HEARTH_E_LIMIT);
    assert_non_null(strstr(err.msg, "more work than is allowed"));
    tmpl_output_release(&out);
}

static void test_bad_inputs(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "[]", "{\"a\":}", "{\"a\":1} x",
                                       "{\"a\":99999999999999999999}"};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        tmpl_output out;
        hearth_err err = ERR_INIT;
        assert_int_not_equal(render(STR("a"), str_from(rows[i]), NULL, &out, &err), HEARTH_OK);
        assert_true(err.msg[0] != 0);
        tmpl_output_release(&out);
    }
}

static void test_failing_allocations(void **state)
{
    (void)state;
    str source = STR("{% macro m(a) %}{{ a|tojson }}{% endmacro %}{% for x in messages %}"
                     "{{ m(x)|upper }}"
                     "{% set y %}{{ x.content * 99 }}{% endset %}{{ y }}{% endfor %}");
    size_t before = mem_get_usage(MEM_MISC).now_bytes;
    hearth_status st = HEARTH_E_NOMEM;
    for (uint64_t n = 1; st != HEARTH_OK && n < 1000; n++) {
        tmpl_output out;
        mem_fail_nth(n, false);
        st = render(source, STR(data), NULL, &out, NULL);
        mem_fail_nth(0, false);
        tmpl_output_release(&out);
        assert_true(st == HEARTH_OK || st == HEARTH_E_NOMEM || st == HEARTH_E_LIMIT);
        assert_int_equal(mem_get_usage(MEM_MISC).now_bytes, before);
    }
    assert_int_equal(st, HEARTH_OK);
}

// As chat_template_utils._alias_reasoning_fields() of transformers 5.23.0 has it.
static void test_reasoning_names(void **state)
{
    (void)state;
    static const struct { const char *json, *want; } rows[] = {
        {"{\"a\":1,\"reasoning\":\"r\"}",
         "{\"thinking\": \"r\", \"a\": 1, \"reasoning\": \"r\", \"reasoning_content\": \"r\"}"},
        {"{\"reasoning_content\":null,\"thinking\":\"t\"}",
         "{\"thinking\": \"t\", \"reasoning_content\": \"t\"}"},
        {"{\"a\":1}", "{\"a\": 1}"},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char json[200];
        tmpl_output out;
        snprintf(json, sizeof json, "{\"messages\":[%s]}", rows[i].json);
        assert_int_equal(render(STR("{{ messages[0]|tojson }}"), str_from(json), NULL, &out, NULL),
                         HEARTH_OK);
        assert_string_equal(out.text.p, rows[i].want);
        tmpl_output_release(&out);
    }
}

static void test_set_inputs(void **state)
{
    (void)state;
    tmpl *t = NULL;
    tmpl_inputs *in = NULL;
    tmpl_output out;
    tmpl_options o = {0};
    char marked[64];
    assert_int_equal(tmpl_parse(STR("{{ a }}{{ b }}{{ c }}{{ tools }}"), &t, NULL), HEARTH_OK);
    assert_int_equal(tmpl_inputs_open(&in, NULL), HEARTH_OK);
    assert_int_equal(tmpl_inputs_set_text(in, "a", STR("x"), true, NULL), HEARTH_OK);
    assert_int_equal(tmpl_inputs_set_text(in, "b", STR("y"), false, NULL), HEARTH_OK);
    assert_int_equal(tmpl_inputs_set_bool(in, "c", true, NULL), HEARTH_OK);
    assert_int_equal(tmpl_inputs_set_text(in, "d", STR("\xff"), false, NULL), HEARTH_E_ARG);
    assert_int_equal(tmpl_render(t, in, &o, &out, NULL), HEARTH_OK);
    mark(&out, marked, sizeof marked);
    assert_string_equal(marked, "[x]yTrueNone");
    tmpl_output_release(&out);
    tmpl_inputs_free(in);
    tmpl_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_error_lines), cmocka_unit_test(test_deep_templates),
        cmocka_unit_test(test_step_limit), cmocka_unit_test(test_bad_inputs),
        cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_set_inputs),
        cmocka_unit_test(test_reasoning_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
