// Replies: what comes out of each family's way to write reasoning and calls, in pieces of any size;
// that nothing is lost; and that what published templates print for calls reads back as the calls.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "defs/limits.h"
#include "reply/reply.h"
#include "support/test_data.h"
#include "tmpl/tmpl.h"

#define BAR "\uff5c"
#define LOW "\u2581"
#define DS(name) "<" BAR name BAR ">"

static const char TOOLS[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{"
    "\"type\":\"object\",\"properties\":{\"s\":{\"type\":\"string\",\"description\":\"d\"},"
    "\"n\":{\"type\":\"integer\",\"description\":\"d\"},\"l\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"string\"},\"description\":\"d\"}}}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"description\":\"d\",\"parameters\":{"
    "\"type\":\"object\",\"properties\":{}}}}]";

// Content as it is, reasoning as T{..}, calls as [id:name(arguments)].
typedef struct sink { buf text; reply_kind last; int n_calls; } sink;

static void take_parts(reply_reader *r, sink *s)
{
    reply_part p;
    while (reply_next(r, &p)) {
        if (p.kind != s->last && s->last == REPLY_THINKING) buf_append_char(&s->text, '}');
        if (p.kind != s->last && p.kind == REPLY_THINKING) buf_append_str(&s->text, STR("T{"));
        s->last = p.kind;
        if (p.kind == REPLY_CALL) {
            assert_int_equal(p.index, s->n_calls++);
            buf_printf(&s->text, "[%.*s:%.*s(%.*s)]", (int)p.id.n, p.id.p, (int)p.name.n, p.name.p,
                       (int)p.arguments.n, p.arguments.p);
        } else {
            assert_true(p.text.n > 0);
            buf_append_str(&s->text, p.text);
        }
    }
}

// Feeds the text in pieces of `piece` bytes; 0: of random sizes.
static void read_reply(reply_style style, str tools, str text, size_t piece, rng *rand, sink *s)
{
    reply_reader *r;
    hearth_err err = ERR_INIT;
    *s = (sink){.last = REPLY_CONTENT};
    buf_init(&s->text, MEM_TEST, 1 << 22);
    assert_int_equal(reply_open(style, tools, &r, &err), HEARTH_OK);
    for (size_t at = 0, n; at < text.n; at += n) {
        n = size_min(piece ? piece : 1 + rng_below(rand, 9), text.n - at);
        assert_int_equal(reply_put(r, (str){text.p + at, n}, &err), HEARTH_OK);
        take_parts(r, s);
    }
    assert_int_equal(reply_end(r, &err), HEARTH_OK);
    take_parts(r, s);
    if (s->last == REPLY_THINKING) buf_append_char(&s->text, '}');
    assert_int_equal(s->text.failed, HEARTH_OK);
    reply_free(r);
}

typedef struct row { const char *template_text, *prompt, *text, *want; } row;

static const row rows[] = {
    // text without a style, and tags that this template does not have
    {"", "", "plain <tool_call>{\"name\":\"f\"}</tool_call> \n", "plain <tool_call>{\"name\":\"f\"}"
     "</tool_call> \n"},
    // Hermes, Qwen
    {"<tool_call></tool_call>", "", "Let me see.\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
     "{\"s\": \"x\"}}\n</tool_call>", "Let me see.[:f({\"s\": \"x\"})]"},
    {"<tool_call>", "", "<tool_call>{\"name\":\"f\",\"arguments\":{\"s\":\"a</tool_call>b\"}}"
     "</tool_call>\n<tool_call>{\"name\":\"g\"}</tool_call>\n",
     "[:f({\"s\":\"a</tool_call>b\"})][:g({})]"},
    {"<tool_call>", "", "<tool_call>{\"name\":\"f\",\"arguments\":{}}\n<tool_call>{\"name\":\"g\","
     "\"arguments\":\"{\\\"n\\\": 1}\"}", "[:f({})][:g({\"n\": 1})]"},
    {"<tool_call>", "", "a <tool_call>{\"name\": 5}</tool_call> b", "a <tool_call>{\"name\": 5}"
     "</tool_call> b"},
    {"<tool_call>", "", "a\n<tool_call>{\"name\": \"f\", \"argu", "a\n<tool_call>{\"name\": \"f\", "
     "\"argu"},
    {"<tool_call>", "", "1 < 2 <tool <tool_cal", "1 < 2 <tool <tool_cal"},
    // reasoning
    {"<think></think>", "", "<think>\nHm.\n\n</think>\n\nYes. </think> <think>", "T{Hm.}Yes. "
     "</think> <think>"},
    {"<think></think>", "<|im_start|>assistant\n<think>\n", "Hm.</think>Yes.", "T{Hm.}Yes."},
    {"<think></think>", "assistant\n<think>\n\n</think>\n\n", "Yes.", "Yes."},
    {"</think>", "", "<think>never ends \n", "T{never ends}"},
    {"[THINK] [TOOL_CALLS]", "", "[THINK]a[/THINK]b[TOOL_CALLS]f[ARGS]{\"n\": 1}",
     "T{a}b[:f({\"n\": 1})]"},
    {"<think></think><tool_call>", "", "<think><tool_call></think><tool_call>{\"name\":\"f\"}"
     "</tool_call>", "T{<tool_call>}[:f({})]"},
    // Mistral
    {"[TOOL_CALLS]", "", "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}, \"id\": \"abcdefghi\"},"
     " {\"name\": \"g\", \"arguments\": {\"n\": [1, {\"a\": 2}]}}]",
     "[abcdefghi:f({})][:g({\"n\": [1, {\"a\": 2}]})]"},
    {"[TOOL_CALLS]", "", "[TOOL_CALLS]f[CALL_ID]a1[ARGS]{\"s\": \"[TOOL_CALLS]\"}[TOOL_CALLS]g[ARGS"
     "]{}", "[a1:f({\"s\": \"[TOOL_CALLS]\"})][:g({})]"},
    // markup
    {"<tool_call>", "", "<tool_call>\n<function=f>\n<parameter=s>\n12\n</parameter>\n<parameter=n>"
     "\n7\n</parameter>\n<parameter=l>\n['a', True]\n</parameter>\n</function>\n</tool_call>",
     "[:f({\"s\": \"12\", \"n\": 7, \"l\": [\"a\", true]})]"},
    {"<tool_call>", "", "<tool_call><function=f><parameter=other>1.5</parameter><parameter=more>a\n"
     "\"b\"</parameter></function></tool_call>", "[:f({\"other\": 1.5, \"more\": \"a\\n\\\"b\\\""
     "\"})"
     "]"},
    {"<tool_call>", "", "<tool_call>f\n<arg_key>s</arg_key>\n<arg_value>1</arg_value>\n<arg_key>n"
     "</arg_key><arg_value>2</arg_value>\n</tool_call>", "[:f({\"s\": \"1\", \"n\": 2})]"},
    {"<minimax:tool_call>", "", "<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"s\""
     ">a <"
     "b></parameter>\n</invoke>\n<invoke name=\"g\">\n</invoke>\n</minimax:tool_call>",
     "[:f({\"s\": \"a <b>\"})][:g({})]"},
    {"DSML", "", "<" BAR "DSML" BAR "function_calls>\n<" BAR "DSML" BAR "invoke name=\"f\">\n<" BAR
     "DSML" BAR "parameter name=\"s\" string=\"true\">5</" BAR "DSML" BAR "parameter>\n<" BAR "DSML"
     BAR "parameter name=\"x\" string=\"false\">[1]</" BAR "DSML" BAR "parameter>\n</" BAR "DSML"
     "" BAR
     "invoke>\n</" BAR "DSML" BAR "function_calls>", "[:f({\"s\": \"5\", \"x\": [1]})]"},
    {"<function=", "", "ok <function=f>{\"s\": \"x\"}</function>", "ok[:f({\"s\": \"x\"})]"},
    {"<tool_call>", "", "<tool_call><function=f><parameter=s>x</function></tool_call>",
     "<tool_call><function=f><parameter=s>x</function></tool_call>"},
    // DeepSeek
    {DS("tool" LOW "calls" LOW "begin"), "", "Hm." DS("tool" LOW "calls" LOW "begin")
     DS("tool" LOW "call" LOW "begin") "function" DS("tool" LOW "sep") "f\n```json\n{\"s\": \"x"
     "\"}\n"
     "```" DS("tool" LOW "call" LOW "end") "\n" DS("tool" LOW "call" LOW "begin") "function"
     DS("tool" LOW "sep") "g\n```json\n{}\n```" DS("tool" LOW "call" LOW "end")
     DS("tool" LOW "calls" LOW "end"), "Hm.[:f({\"s\": \"x\"})][:g({})]"},
    {DS("tool" LOW "calls" LOW "begin"), "", DS("tool" LOW "calls" LOW "begin")
     DS("tool" LOW "call" LOW "begin") "f" DS("tool" LOW "sep") "{\"n\": 1}"
     DS("tool" LOW "call" LOW "end") DS("tool" LOW "calls" LOW "end"), "[:f({\"n\": 1})]"},
    // Kimi, Solar, Apertus
    {"<|tool_calls_section_begin|>", "", "<|tool_calls_section_begin|><|tool_call_begin|>functio"
     "ns.f"
     ":0<|tool_call_argument_begin|>{\"n\": 1}<|tool_call_end|><|tool_calls_section_end|>",
     "[functions.f:0:f({\"n\": 1})]"},
    {"<|tool_call:begin|>", "", "<|tool_calls|><|tool_call:begin|>id1<|tool_call:name|>f"
     "<|tool_call:args|>{}<|tool_call:end|>", "[id1:f({})]"},
    {"<|tools_prefix|>", "", "<|tools_prefix|>[{\"f\": {\"n\": 1}}, {\"g\": {}}]<|tools_suffix|>",
     "[:f({\"n\": 1})][:g({})]"},
    // Llama
    {"{\"name\": function name, \"parameters\": x}", "", "{\"name\": \"f\", \"parameters\": {\"n"
     "\": "
     "1}}; {\"name\": \"g\", \"parameters\": {}}", "[:f({\"n\": 1})][:g({})]"},
    {"{\"name\": function name, \"parameters\": x}", "", "{\"name\": \"unknown\", \"parameters\""
     ": {}}"
     , "{\"name\": \"unknown\", \"parameters\": {}}"},
    {"{\"name\": function name, \"parameters\": x}", "", "{\"a\": 1} is JSON", "{\"a\": 1} is JS"
     "ON"},
    {"<|python_tag|>", "", "<|python_tag|>f.call(s=\"x, y\")", "[:f({\"s\": \"x, y\"})]"},
    {"func_name1(", "", "[f(s='it\\'s', n=-1, l=['a', \"b\"], d={'k': None}), g()]",
     "[:f({\"s\": \"it's\", \"n\": -1, \"l\": [\"a\", \"b\"], \"d\": {\"k\": null}})][:g({})]"},
    {"func_name1(", "", "[see above](x)", "[see above](x)"},
    // Gemma, LFM2
    {"tool_code", "", "```tool_code\nprint(f(s=\"x\"))\n```", "[:f({\"s\": \"x\"})]"},
    {"<|tool_call><|channel>", "", "<|channel>thought\nHm.\n<channel|><|tool_call>call:f{s:<|\"|"
     ">a, "
     "}b<|\"|>,l:[<|\"|>c<|\"|>],o:{k:true}}<tool_call|><|tool_call>call:g{}<tool_call|>",
     "T{Hm.}[:f({\"s\": \"a, }b\", \"l\": [\"c\"], \"o\": {\"k\": true}})][:g({})]"},
    {"<|tool_call_start|>", "", "<|tool_call_start|>[f(s=\"x\", n=2)]<|tool_call_end|>Done.",
     "[:f({\"s\": \"x\", \"n\": 2})]Done."},
    {"<|tool_call_start|>", "", "<|tool_call_start|>[f(s=open())]<|tool_call_end|>",
     "<|tool_call_start|>[f(s=open())]<|tool_call_end|>"},
    // Command R, Granite, Phi
    {"<|START_THINKING|><|START_ACTION|><|START_RESPONSE|><|END_RESPONSE|>", "",
     "<|START_THINKING|>I plan.<|END_THINKING|><|START_ACTION|>[\n {\"tool_call_id\": \"0\", "
     "\"tool_name\": \"f\", \"parameters\": {\"n\": 1}}\n]<|END_ACTION|>",
     "T{I plan.}[0:f({\"n\": 1})]"},
    {"<|START_THINKING|><|START_RESPONSE|><|END_RESPONSE|>", "", "<|START_RESPONSE|>Hi<|END_RESP"
     "ONSE"
     "|>", "Hi"},
    {"<|tool_call|>", "", "<|tool_call|>[{\"name\": \"f\", \"arguments\": {}}]", "[:f({})]"},
    {"functools", "", "functools[{\"name\": \"f\", \"arguments\": {\"n\": 1}}]", "[:f({\"n\": 1}"
     ")]"},
    // harmony
    {"<|channel|>", "", "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final"
     "<|message|>Hello.", "T{Hm.}Hello."},
    {"<|channel|>", "", "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|chann"
     "el|>"
     "commentary to=functions.f <|constrain|>json<|message|>{\"n\": 1}<|call|>",
     "I look.[:f({\"n\": 1})]"},
    {"<|channel|>", "", " to=functions.f<|channel|>commentary json<|message|>{\"n\": 1}",
     "[:f({\"n\": 1})]"},
    {"<|channel|>", "", "<|channel|>commentary to=functions.f<|message|>{\"n\": ", "<|channel|>"
     "commentary to=functions.f<|message|>{\"n\": "},
    {"<|channel|>", "", "no header", "no header"},
};

static void test_families(void **state)
{
    (void)state;
    int wrong = 0;
    rng rand;
    rng_seed(&rand, 7);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        reply_style style = reply_detect(str_from(rows[i].template_text), NULL, NULL);
        reply_begin_after(&style, str_from(rows[i].prompt));
        for (size_t piece = 0; piece < 40; piece++) {
            sink s;
            size_t n = piece < 10 ? 0 : piece == 39 ? 1 << 20 : piece - 9;
            read_reply(style, STR(TOOLS), str_from(rows[i].text), n, &rand, &s);
            if (!str_eq_z(buf_str(&s.text), rows[i].want)) {
                print_error("row %zu, pieces of %zu\n  text %s\n  got  %s\n  want %s\n", i, n,
                            rows[i].text, buf_str(&s.text).p, rows[i].want);
                wrong++;
                piece = 40;
            }
            buf_release(&s.text);
        }
    }
    assert_int_equal(wrong, 0);
}

static bool has_think(void *ctx, str text)
{
    ++*(int *)ctx;
    return str_eq_z(text, "<think>");
}

static void test_detection(void **state)
{
    (void)state;
    int n_asked = 0;
    reply_style none = reply_detect(STR(""), NULL, NULL);
    assert_int_equal(none.tags, 0);
    reply_style s = reply_detect(STR(""), has_think, &n_asked);
    assert_true(n_asked > 1 && s.tags != 0);
    reply_style both = reply_detect(STR("<think></think><tool_call>"), NULL, NULL);
    assert_int_not_equal(both.tags, s.tags);
    reply_forget_calls(&both);
    assert_int_equal(both.tags, s.tags);
}

// Text flows: what cannot be a tag is there at once.
static void test_flow(void **state)
{
    (void)state;
    reply_reader *r;
    reply_part p;
    reply_style style = reply_detect(STR("<think></think><tool_call>"), NULL, NULL);
    assert_int_equal(reply_open(style, STR(""), &r, NULL), HEARTH_OK);
    assert_int_equal(reply_put(r, STR("Hello <"), NULL), HEARTH_OK);
    assert_true(reply_next(r, &p) && str_eq_z(p.text, "Hello"));
    assert_false(reply_next(r, &p));
    assert_int_equal(reply_put(r, STR("b"), NULL), HEARTH_OK);
    assert_true(reply_next(r, &p) && str_eq_z(p.text, " <b"));
    assert_false(reply_next(r, &p));
    reply_free(r);
}

// --- limits and memory --------------------------------------------------------------------------

static void test_limits(void **state)
{
    (void)state;
    buf text;
    sink s;
    buf_init(&text, MEM_TEST, 1 << 22);
    reply_style style = reply_detect(STR("<tool_call>"), NULL, NULL);
    for (int i = 0; i <= LIMIT_REPLY_CALLS; i++)
        buf_append_str(&text, STR("<tool_call>{\"name\":\"f\"}</tool_call>"));
    read_reply(style, STR(""), buf_str(&text), 1 << 20, NULL, &s);
    assert_int_equal(s.n_calls, LIMIT_REPLY_CALLS);
    assert_true(str_ends(buf_str(&s.text), STR("<tool_call>{\"name\":\"f\"}</tool_call>")));
    buf_release(&s.text);
    buf_reset(&text);
    buf_append_str(&text, STR("<tool_call>{\"name\":\""));
    for (int i = 0; i <= LIMIT_REPLY_NAME; i++) buf_append_char(&text, 'n');
    buf_append_str(&text, STR("\"}</tool_call>"));
    read_reply(style, STR(""), buf_str(&text), 1000, NULL, &s);
    assert_int_equal(s.n_calls, 0);
    assert_true(str_eq(buf_str(&s.text), buf_str(&text)));
    buf_release(&s.text);
    buf_release(&text);
}

static void test_memory(void **state)
{
    (void)state;
    static const char text[] = "<think>Hm.</think>Yes.<tool_call>{\"name\":\"f\",\"arguments\":"
                               "{\"s\":\"x\"}}</tool_call><tool_call><function=f><parameter=s>x"
                               "</parameter></function></tool_call>";
    reply_style style = reply_detect(STR("<think></think><tool_call>"), NULL, NULL);
    for (uint64_t n = 1;; n++) {
        reply_reader *r = NULL;
        hearth_err err = ERR_INIT;
        mem_fail_nth(0, false);
        mem_fail_nth(n, true);
        hearth_status status = reply_open(style, STR(TOOLS), &r, &err);
        if (status == HEARTH_OK) status = reply_put(r, STR(text), &err);
        if (status == HEARTH_OK) status = reply_end(r, &err);
        bool failed = mem_fail_nth(0, false) >= n;
        if (status != HEARTH_OK) assert_int_equal(status, HEARTH_E_NOMEM);
        reply_free(r);
        if (!failed) {
            assert_int_equal(status, HEARTH_OK);
            break;
        }
        assert_true(n < 1000);
    }
}

// --- there and back through templates -----------------------------------------------------------

static const char *const with_objects[] = {
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "Qwen-Qwen2.5-7B-Instruct",
    "meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct",
    "mistralai-Mistral-Nemo-Instruct-2407",
};

static bool render(str source, const char *messages, bool opens, tmpl_output *out)
{
    char json[4096];
    tmpl *t = NULL;
    tmpl_inputs *in = NULL;
    tmpl_options o = {.now = {2026, 7, 26, 9, 5, 3}};
    snprintf(json, sizeof json, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}%s],\"tool"
     "s\":"
             "%s,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_generation_prompt\":%s}",
             messages, TOOLS, opens ? "true" : "false");
    hearth_err err = ERR_INIT;
    hearth_status status = tmpl_parse(source, &t, &err);
    if (status == HEARTH_OK) status = tmpl_inputs_open(&in, &err);
    if (status == HEARTH_OK) status = tmpl_inputs_read_json(in, str_from(json), &err);
    if (status == HEARTH_OK) status = tmpl_render(t, in, &o, out, &err);
    if (status != HEARTH_OK) fail_msg("%s", err.msg);
    tmpl_inputs_free(in);
    tmpl_free(t);
    return status == HEARTH_OK;
}

// What the template prints for a reply: the text behind the prompt, without the end of the turn.
static void check_round_trip(const char *name, str source, const char *message, const char *want)
{
    static const char *const ends[] = {"<|im_end|>", "<|eot_id|>", "</s>",
                                       DS("end" LOW "of" LOW "sentence")};
    tmpl_output prompt = {0}, all = {0};
    sink s;
    assert_true(render(source, "", true, &prompt) && render(source, message, false, &all));
    str text = buf_str(&all.text), before = buf_str(&prompt.text);
    size_t n = 0;
    while (n < size_min(text.n, before.n) && text.p[n] == before.p[n]) n++;
    bool is_prefix = n == before.n; // else the prompt opens reasoning that this message lacks
    while (!is_prefix && n > 0 && text.p[n - 1] == '<') n--;
    text = str_trim((str){text.p + n, text.n - n});
    for (size_t i = 0; i < COUNTOF(ends); i++)
        if (str_ends(text, str_from(ends[i]))) text.n -= strlen(ends[i]);
    reply_style style = reply_detect(source, NULL, NULL);
    if (is_prefix) reply_begin_after(&style, before);
    read_reply(style, STR(TOOLS), text, 5, NULL, &s);
    const char *got = buf_str(&s.text).p;
    const char *call = strstr(got, "[c");
    if (!call) call = strstr(got, "[:");
    if (!call || strcmp(strchr(call, ':'), strchr(want, ':')) != 0)
        fail_msg("%s\n text %.*s\n got  %s\n want %s", name, (int)text.n, text.p, got, want);
    buf_release(&s.text);
    tmpl_output_release(&prompt);
    tmpl_output_release(&all);
}

static bool read_template(const char *file, char **source, size_t *n)
{
    char name[128], path[512];
    snprintf(name, sizeof name, "templates/%s.jinja", file);
    if (!test_data_path(name, path, sizeof path)) return false;
    *source = (char *)test_read_file(path, n);
    assert_non_null(*source);
    return true;
}

static void test_round_trip(void **state)
{
    (void)state;
    char *source;
    size_t n;
    int n_found = 0;
    for (size_t i = 0; i < COUNTOF(with_objects); i++) {
        if (!read_template(with_objects[i], &source, &n)) continue;
        check_round_trip(with_objects[i], (str){source, n},
                         ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":"
                         "\"cdefghijk\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                         "\"arguments\":{\"s\": \"a \\\"b\\\" <c>\", \"n\": 3}}}]}",
                         "[:f({\"s\": \"a \\\"b\\\" <c>\", \"n\": 3})]");
        free(source);
        n_found++;
    }
    if (read_template("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", &source, &n)) {
        check_round_trip("DeepSeek", (str){source, n},
                         ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"type\":"
                         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"n\\\": "
                         "3}\""
                         "}}]}", "[:f({\"n\": 3})]");
        free(source);
        n_found++;
    }
    if (n_found == 0) skip();
    print_message("%d templates\n", n_found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),   cmocka_unit_test(test_detection),
        cmocka_unit_test(test_flow),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory),     cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
