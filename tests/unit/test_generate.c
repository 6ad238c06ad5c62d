// Generation: stop strings over token boundaries, ends, lengths, left-over text, log-probabilities,
// no allocation while decoding. On the tiny synthetic model; what it says is random but fixed.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "defs/limits.h"
#include "kern/kern.h"
#include "llm/generate.h"
#include "llm/stop.h"
#include "llm/synth.h"

typedef struct fixture {
    uint8_t *bytes;
    gguf *g;
    tok *t;
    dev *d;
    llm_model *m;
    llm_ctx *c;
    llm_session *s;
} fixture;

static int open_fixture(void **state)
{
    static fixture f;
    size_t n = 0;
    llm_model_options all = {0};
    llm_ctx_options o;
    llm_ctx_options_default(&o);
    o.n_ctx = 256;
    o.n_batch = 16;
    if (synth_make(synth_find("tiny"), "F32", 3, &f.bytes, &n, NULL) != HEARTH_OK) return 1;
    gguf_bytes part = {"tiny", f.bytes, n};
    if (gguf_open(&part, 1, &f.g, NULL) != HEARTH_OK) return 1;
    if (tok_open(f.g, &f.t, NULL) != HEARTH_OK) return 1;
    if (dev_cpu_open(1, CPU_ALL, &f.d, NULL) != HEARTH_OK) return 1;
    if (llm_model_open(f.g, f.d, &all, &f.m, NULL) != HEARTH_OK) return 1;
    if (llm_ctx_create(f.m, &o, &f.c, NULL) != HEARTH_OK) return 1;
    if (session_create(f.c, 0, &f.s, NULL) != HEARTH_OK) return 1;
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    fixture *f = *state;
    session_free(f->s);
    llm_ctx_free(f->c);
    llm_model_close(f->m);
    dev_close(f->d);
    tok_free(f->t);
    gguf_close(f->g);
    mem_free(f->bytes);
    return 0;
}

typedef struct result {
    char text[4096];
    size_t n_text;
    int32_t token[256];
    int n_token;
    generate_finish finish;
} result;

static const int32_t prompt[] = {1, 40, 80, 120};

static generate_options plain(int64_t n_predict)
{
    generate_options o;
    generate_options_default(&o);
    o.sampling.seed = 9;
    o.ignore_end = true;
    o.n_predict = n_predict;
    return o;
}

static bool is_whole_utf8(str s)
{
    while (s.n > 0) {
        uint32_t cp;
        size_t n = utf8_decode(s.p, s.n, &cp);
        if (cp == UTF8_BAD) return false;
        s = (str){s.p + n, s.n - n};
    }
    return true;
}

static result run(fixture *f, const generate_options *o)
{
    result r;
    generation *g = NULL;
    generate_event e;
    hearth_err err = ERR_INIT;
    memset(&r, 0, sizeof r);
    if (generate_start(f->s, f->t, prompt, COUNTOF(prompt), o, &g, &err) != HEARTH_OK)
        fail_msg("%s", err.msg);
    do {
        if (generate_next(g, &e, &err) != HEARTH_OK) fail_msg("%s", err.msg);
        if (e.has_token) r.token[r.n_token++] = e.token;
        assert_true(is_whole_utf8(e.text)); // although a random model says random bytes
        memcpy(r.text + r.n_text, e.text.p, e.text.n);
        r.n_text += e.text.n;
    } while (e.finish == GENERATE_RUNNING);
    r.finish = e.finish;
    assert_int_equal(generate_next(g, &e, NULL), HEARTH_E_STATE);
    int64_t n = 0;
    const int32_t *all = generate_tokens(g, &n);
    assert_int_equal(n, (int64_t)COUNTOF(prompt) + r.n_token);
    assert_memory_equal(all, prompt, sizeof prompt);
    assert_memory_equal(all + COUNTOF(prompt), r.token, (size_t)r.n_token * sizeof *all);
    assert_int_equal(generate_get_stats(g)->n_generated, r.n_token);
    generate_free(g);
    return r;
}

static void test_length(void **state)
{
    generate_options o = plain(30);
    result r = run(*state, &o);
    assert_int_equal(r.finish, GENERATE_LENGTH);
    assert_int_equal(r.n_token, 30);
    o = plain(0);
    r = run(*state, &o);
    assert_int_equal(r.finish, GENERATE_LENGTH);
    assert_int_equal(r.n_token, 0);
    o = plain(-1);
    r = run(*state, &o);
    assert_int_equal(r.finish, GENERATE_CONTEXT);
    assert_int_equal(r.n_token, 256 - (int)COUNTOF(prompt) + 1);
}

// Every piece of the text that it would say is a stop string once, at every place and of several
// lengths: the text ends just before its first occurrence.
static void test_stop_strings(void **state)
{
    generate_options o = plain(24);
    result whole = run(*state, &o);
    str text = {whole.text, whole.n_text};
    assert_true(text.n > 20);
    for (size_t n = 1; n <= 12; n += 3) {
        for (size_t at = 0; at + n <= text.n; at++) {
            str stop[] = {STR("\x01never\x02"), {text.p + at, n}};
            if (!is_whole_utf8(stop[1])) continue; // text comes in whole characters
            o.stop = stop;
            o.n_stop = 2;
            result r = run(*state, &o);
            assert_int_equal(r.finish, GENERATE_STOP_STRING);
            assert_int_equal(r.n_text, str_find(text, stop[1], 0));
            assert_memory_equal(r.text, text.p, r.n_text);
        }
    }
}

// A beginning of a stop string that never ends comes out after all.
static void test_held_back(void **state)
{
    generate_options o = plain(24);
    result whole = run(*state, &o);
    char almost[64];
    size_t n = size_min(10, whole.n_text);
    memcpy(almost, whole.text + whole.n_text - n, n);
    almost[n] = '\x01';
    str stop = {almost, n + 1};
    o.stop = &stop;
    o.n_stop = 1;
    result r = run(*state, &o);
    assert_int_equal(r.finish, GENERATE_LENGTH);
    assert_int_equal(r.n_text, whole.n_text);
    assert_memory_equal(r.text, whole.text, r.n_text);
}

static void test_filter(void **state)
{
    (void)state;
    str stop[] = {STR("aab"), STR("xyz")};
    const struct { const char *in, *shown; bool hit; } cases[] = {
        {"a", "", false}, {"aa", "", false}, {"aaa", "a", false}, {"aaab", "a", true},
        {"caabd", "c", true}, {"xyaxy", "xya", false}, {"xyxyzaab", "xy", true}, {"b", "b", false},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        stop_filter f;
        buf out;
        bool hit = false;
        size_t n = strlen(cases[i].in);
        buf_init(&out, MEM_TEST, 100);
        assert_int_equal(stop_open(&f, stop, 2, NULL), HEARTH_OK);
        for (size_t k = 0; k < n && !hit; k++) { // a byte at a time: as hard as it gets
            assert_int_equal(buf_append_char(&f.held, cases[i].in[k]), HEARTH_OK);
            assert_int_equal(stop_pass(&f, &out, &hit), HEARTH_OK);
        }
        assert_int_equal(hit, cases[i].hit);
        assert_true(str_eq_z(buf_str(&out), cases[i].shown));
        stop_close(&f);
        buf_release(&out);
    }
}

// With a bias the model says what the test wants.
static void test_end_token(void **state)
{
    fixture *f = *state;
    int32_t eos = tok_specials(f->t)->eos;
    sampler_bias force = {eos, 1000};
    generate_options o = plain(10);
    o.sampling.bias = &force;
    o.sampling.n_bias = 1;
    o.ignore_end = false;
    result r = run(f, &o);
    assert_int_equal(r.finish, GENERATE_END_TOKEN);
    assert_int_equal(r.n_token, 1);
    assert_int_equal(r.token[0], eos);
    assert_int_equal(r.n_text, 0);
    o.special = true;
    r = run(f, &o);
    assert_int_equal(r.n_text, 4); // </s>
    o.hide_end = true;
    r = run(f, &o);
    assert_int_equal(r.n_text, 0);
    o.ignore_end = true;
    r = run(f, &o);
    assert_int_equal(r.finish, GENERATE_LENGTH);
    for (int i = 0; i < r.n_token; i++) assert_int_not_equal(r.token[i], eos);
}

// Half a character at the end of a generation is shown as U+FFFD, never as a broken byte.
static void test_half_character(void **state)
{
    fixture *f = *state;
    tok_ids ids = {0};
    assert_int_equal(tok_encode(f->t, STR("\xC3\xA9"), (tok_options){false, false}, &ids, NULL),
                     HEARTH_OK);
    assert_int_equal(ids.n, 2);
    sampler_bias force = {ids.id[0], 1000};
    tok_ids_release(&ids);
    generate_options o = plain(1);
    o.sampling.bias = &force;
    o.sampling.n_bias = 1;
    result r = run(f, &o);
    assert_int_equal(r.n_text, 3);
    assert_memory_equal(r.text, "\xEF\xBF\xBD", 3);
}

static void test_logprobs(void **state)
{
    fixture *f = *state;
    generate_options o = plain(8);
    generation *g = NULL;
    generate_event e;
    o.n_logprobs = 5;
    assert_int_equal(generate_start(f->s, f->t, prompt, 4, &o, &g, NULL), HEARTH_OK);
    do {
        assert_int_equal(generate_next(g, &e, NULL), HEARTH_OK);
        assert_int_equal(e.n_top, 5);
        assert_true(e.logprob <= e.top[0].logprob && e.logprob < 0);
        for (int i = 0; i < 5; i++)
            if (e.top[i].id == e.token) assert_true(e.top[i].logprob == e.logprob);
    } while (e.finish == GENERATE_RUNNING);
    generate_free(g);
}

static void test_no_allocation(void **state)
{
    fixture *f = *state;
    generate_options o = plain(100);
    generation *g = NULL;
    generate_event e;
    o.n_logprobs = 5;
    o.sampling.dry_multiplier = 0.5f;
    o.sampling.repeat_penalty = 1.1f;
    str stop = STR("\n\n");
    o.stop = &stop;
    o.n_stop = 1;
    assert_int_equal(generate_start(f->s, f->t, prompt, 4, &o, &g, NULL), HEARTH_OK);
    assert_int_equal(generate_next(g, &e, NULL), HEARTH_OK);
    uint64_t before = mem_get_total().allocations;
    for (int i = 0; i < 64 && e.finish == GENERATE_RUNNING; i++)
        assert_int_equal(generate_next(g, &e, NULL), HEARTH_OK);
    assert_int_equal(mem_get_total().allocations, before);
    generate_free(g);
}

static void test_refusals(void **state)
{
    fixture *f = *state;
    generation *g = NULL;
    hearth_err err = ERR_INIT;
    str empty = STR("");
    generate_options o = plain(1);
    o.stop = &empty;
    o.n_stop = 1;
    assert_int_equal(generate_start(f->s, f->t, prompt, 4, &o, &g, &err), HEARTH_E_ARG);
    o.n_stop = LIMIT_STOP_STRINGS + 1;
    assert_int_equal(generate_start(f->s, f->t, prompt, 4, &o, &g, NULL), HEARTH_E_LIMIT);
    o = plain(-2);
    assert_int_equal(generate_start(f->s, f->t, prompt, 4, &o, &g, NULL), HEARTH_E_ARG);
    o = plain(1);
    o.n_logprobs = GENERATE_TOP_MAX + 1;
    assert_int_equal(generate_start(f->s, f->t, prompt, 4, &o, &g, NULL), HEARTH_E_ARG);
    o = plain(1);
    assert_int_equal(generate_start(f->s, f->t, prompt, 0, &o, &g, NULL), HEARTH_E_ARG);
    int32_t bad = 100000;
    assert_int_equal(generate_start(f->s, f->t, &bad, 1, &o, &g, NULL), HEARTH_E_ARG);
    assert_null(g);
}

// A random model says what the constraint permits, and has said it when its tokens are used up.
static void test_constraint(void **state)
{
    fixture *f = *state;
    generate_options o = plain(6);
    o.constraint = GRAM_REGEX;
    o.constraint_text = STR("-?[1-9][0-9]{2,9}\\.x");
    for (uint64_t seed = 1; seed < 20; seed++) {
        o.sampling.seed = seed;
        result r = run(f, &o);
        str text = {r.text, r.n_text};
        assert_true(text.n >= 5 && str_ends(text, STR(".x")));
        for (size_t i = text.p[0] == '-'; i + 2 < text.n; i++) assert_in_range(text.p[i], '0', '9');
    }
    generation *g = NULL;
    hearth_err err = ERR_INIT;
    o.constraint_text = STR("ab{20,}");
    assert_int_equal(generate_start(f->s, f->t, prompt, COUNTOF(prompt), &o, &g, &err),
                     HEARTH_E_ARG);
    assert_null(g);
    assert_non_null(strstr(err.msg, "the constraint needs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),         cmocka_unit_test(test_stop_strings),
        cmocka_unit_test(test_held_back),      cmocka_unit_test(test_filter),
        cmocka_unit_test(test_end_token),      cmocka_unit_test(test_half_character),
        cmocka_unit_test(test_logprobs),       cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_constraint),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
