// The engine in process and as a child: the same results, and what happens when the child dies,
// lies or is canceled. The child is this program again, so main() looks for the role first; the
// environment says how a child misbehaves.
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/rng.h"
#include "defs/limits.h"
#include "engine/engine.h"
#include "engine/wire.h"
#include "support/test_data.h"

#define TINY "shape:tiny:Q8_0:3"

static engine *open_engine(const char *source, engine_place place, void (*adjust)(engine_options *))
{
    engine_options o;
    engine *e = NULL;
    hearth_err err = ERR_INIT;
    engine_options_default(&o);
    o.place = place;
    o.n_threads = 1;
    o.n_ctx = 512;
    if (adjust) adjust(&o);
    if (engine_open(source, &o, &e, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return e;
}

static void use_two_sessions(engine_options *o) { o->n_seq = 2; o->n_ctx = 1024; o->n_batch = 16; }
static void use_metadata(engine_options *o) { o->metadata_only = true; }

// Generates to the end; returns the tokens' number, their text in `text`, the finish in *finish.
static int64_t generate_all(engine *e, engine_session s, const int32_t *prompt, int64_t n,
                            const generate_options *o, int32_t *tokens, int64_t cap, buf *text,
                            generate_finish *finish)
{
    hearth_err err = ERR_INIT;
    engine_event event;
    int64_t n_token = 0;
    if (engine_start(e, s, prompt, n, o, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    do {
        if (engine_next(e, s, &event, &err) != HEARTH_OK) fail_msg("%s", err.msg);
        if (event.gen.has_token && n_token < cap) tokens[n_token++] = event.gen.token;
        if (text) assert_int_equal(buf_append_str(text, event.gen.text), HEARTH_OK);
    } while (event.gen.finish == GENERATE_RUNNING);
    if (finish) *finish = event.gen.finish;
    assert_int_equal(event.stats.n_prompt, n);
    return n_token;
}

static engine_session open_session(engine *e)
{
    engine_session s = 0;
    hearth_err err = ERR_INIT;
    if (engine_session_open(e, &s, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    return s;
}

static generate_options endless(void)
{
    generate_options o;
    generate_options_default(&o);
    o.ignore_end = true;
    o.sampling.seed = 11;
    return o;
}

static size_t encode(engine *e, const char *text, int32_t *ids, size_t cap)
{
    tok_ids out = {0};
    assert_int_equal(engine_tokenize(e, str_from(text), (tok_options){true, false}, &out, NULL),
                     HEARTH_OK);
    assert_in_range(out.n, 1, cap);
    memcpy(ids, out.id, out.n * sizeof *ids);
    size_t n = out.n;
    tok_ids_release(&out);
    return n;
}

// --- both places give the same ------------------------------------------------------------------

static void compare_generations(engine *a, engine *b, const char *prompt_text)
{
    enum { N = 60 };
    int32_t prompt[256], ta[N], tb[N];
    size_t n = encode(a, prompt_text, prompt, 256);
    buf xa, xb;
    buf_init(&xa, MEM_TEST, 1 << 20);
    buf_init(&xb, MEM_TEST, 1 << 20);
    generate_options o = endless();
    o.n_predict = N;
    generate_finish finish;
    engine_session sa = open_session(a), sb = open_session(b);
    assert_int_equal(generate_all(a, sa, prompt, (int64_t)n, &o, ta, N, &xa, &finish), N);
    assert_int_equal(finish, GENERATE_LENGTH);
    assert_int_equal(generate_all(b, sb, prompt, (int64_t)n, &o, tb, N, &xb, &finish), N);
    assert_memory_equal(ta, tb, sizeof ta);
    assert_int_equal(xa.n, xb.n);
    assert_memory_equal(xa.p, xb.p, xa.n);
    engine_session_close(a, sa);
    engine_session_close(b, sb);
    buf_release(&xa);
    buf_release(&xb);
}

// --- several sessions in one step ----------------------------------------------------------------

enum { TOGETHER = 5, TOGETHER_TOKENS = 40 };

static void use_many_sessions(engine_options *o)
{
    o->n_seq = TOGETHER;
    o->n_ctx = TOGETHER * 512;
    o->n_batch = 32; // less than the longest prompts
}

typedef struct together {
    engine_session s;
    int32_t prompt[256], alone[TOGETHER_TOKENS], token[TOGETHER_TOKENS];
    int64_t n_prompt, n_token;
    bool has_ended, saw_progress;
} together;

static generate_options seeded(int i)
{
    generate_options o = endless();
    o.sampling.seed = (uint64_t)(100 + i);
    o.n_predict = TOGETHER_TOKENS - i; // ends differ too
    return o;
}

static void make_prompts(engine *e, together *t)
{
    char text[256];
    for (int i = 0; i < TOGETHER; i++) {
        snprintf(text, sizeof text, "%.*s number %d", 2 + 50 * i,
                 "One two three four five six seven eight nine ten eleven twelve thirteen fourteen "
                 "fifteen sixteen seventeen eighteen nineteen twenty twentyone twentytwo "
                 "twentythree twentyfour twentyfive twentysix twentyseven twentyeight", i);
        t[i].n_prompt = (int64_t)encode(e, text, t[i].prompt, COUNTOF(t[i].prompt));
        t[i].s = open_session(e);
        generate_options o = seeded(i);
        generate_all(e, t[i].s, t[i].prompt, t[i].n_prompt, &o, t[i].alone, TOGETHER_TOKENS, NULL,
                     NULL);
        engine_session_close(e, t[i].s);
        t[i].s = open_session(e);
    }
}

static together *find_session(together *t, engine_session s)
{
    for (int i = 0; i < TOGETHER; i++)
        if (t[i].s == s) return &t[i];
    fail_msg("news of session %u", s);
    return NULL;
}

static void take_event(together *t, const engine_event *event)
{
    assert_false(t->has_ended);
    t->saw_progress |= event->prompt_total > 0;
    if (event->gen.has_token) t->token[t->n_token++] = event->gen.token;
    t->has_ended = event->gen.finish != GENERATE_RUNNING;
}

// Starts session i at step 3 i, so that prompts meet sessions that decode.
static void run_together(engine *e, together *t, int cancel_at)
{
    engine_news news[TOGETHER];
    hearth_err err = ERR_INIT;
    int n = 1;
    for (int step = 0; n > 0 || step < 3 * TOGETHER; step++) {
        int i = step / 3;
        generate_options o = seeded(i);
        if (step % 3 == 0 && i < TOGETHER &&
            engine_start(e, t[i].s, t[i].prompt, t[i].n_prompt, &o, &err))
            fail_msg("%s", err.msg);
        if (step == cancel_at) engine_cancel(e, t[0].s);
        if (engine_step(e, news, &n, &err)) fail_msg("%s", err.msg);
        for (int k = 0; k < n; k++) {
            assert_int_equal(news[k].failed.status, HEARTH_OK);
            take_event(find_session(t, news[k].session), &news[k].event);
        }
    }
}

static void check_together(engine_place place)
{
    engine *e = open_engine(TINY, place, use_many_sessions);
    together *t = calloc(TOGETHER, sizeof *t);
    assert_non_null(t);
    make_prompts(e, t);
    run_together(e, t, 20);
    assert_in_range(t[0].n_token, 1, TOGETHER_TOKENS - 1); // canceled on its way
    assert_memory_equal(t[0].token, t[0].alone, (size_t)t[0].n_token * sizeof *t[0].token);
    assert_true(t[TOGETHER - 1].saw_progress);
    for (int i = 1; i < TOGETHER; i++) {
        assert_true(t[i].has_ended);
        assert_int_equal(t[i].n_token, TOGETHER_TOKENS - i);
        assert_memory_equal(t[i].token, t[i].alone, (size_t)t[i].n_token * sizeof *t[i].token);
    }
    free(t);
    engine_close(e);
}

static void test_step_in_process(void **state) { (void)state; check_together(ENGINE_LOCAL); }
static void test_step_in_child(void **state) { (void)state; check_together(ENGINE_CHILD); }

static void use_small_context(engine_options *o) { o->n_seq = 2; o->n_ctx = 128; o->n_batch = 64; }

// Two sessions share two pages: one gets both, the other's prompt has no room. The first goes on to
// the end of the context as if it were alone.
static void test_step_full_context(void **state)
{
    (void)state;
    engine *e = open_engine(TINY, ENGINE_LOCAL, use_small_context);
    int32_t prompt[100];
    for (int i = 0; i < 100; i++) prompt[i] = 40 + i % 20;
    engine_session a = open_session(e), b = open_session(e);
    generate_options o = endless();
    hearth_err err = ERR_INIT;
    engine_news news[2];
    int n = 0, n_token = 0;
    generate_finish finish = GENERATE_RUNNING;
    assert_int_equal(engine_start(e, a, prompt, 70, &o, &err), HEARTH_OK);
    while (n_token == 0) {
        assert_int_equal(engine_step(e, news, &n, &err), HEARTH_OK);
        n_token += n == 1 && news[0].event.gen.has_token;
    }
    assert_int_equal(engine_start(e, b, prompt, 100, &o, &err), HEARTH_OK);
    bool was_refused = false;
    while (finish == GENERATE_RUNNING) {
        assert_int_equal(engine_step(e, news, &n, &err), HEARTH_OK);
        for (int i = 0; i < n; i++) {
            if (news[i].session == b) was_refused = news[i].failed.status == HEARTH_E_LIMIT;
            else n_token += news[i].event.gen.has_token;
            if (news[i].session == a) finish = news[i].event.gen.finish;
        }
    }
    assert_true(was_refused);
    assert_int_equal(finish, GENERATE_CONTEXT);
    assert_int_equal(n_token, 128 - 70 + 1); // the last one is drawn, not put into the cache
    assert_int_equal(engine_step(e, news, &n, &err), HEARTH_OK);
    assert_int_equal(n, 0);
    engine_close(e);
}

static void compare_logits(engine *a, engine *b)
{
    enum { N = 20 };
    int32_t ids[N];
    for (int i = 0; i < N; i++) ids[i] = (i * 37 + 5) % (int32_t)engine_get_info(a)->n_vocab;
    size_t count = (size_t)engine_get_info(a)->n_vocab * N;
    float *x = calloc(count, sizeof *x), *y = calloc(count, sizeof *y);
    hearth_err err = ERR_INIT;
    if (engine_logits(a, ids, N, 7, x, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    if (engine_logits(b, ids, N, 20, y, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    assert_memory_equal(x, y, count * sizeof *x);
    int n_other = 0;
    for (size_t i = 1; i < count; i++) n_other += x[i] != x[0];
    assert_true(n_other > 100);
    free(x);
    free(y);
}

static void compare_rest(engine *a, engine *b)
{
    buf x, y;
    buf_init(&x, MEM_TEST, 1 << 26);
    buf_init(&y, MEM_TEST, 1 << 26);
    assert_int_equal(engine_describe(a, &x, NULL), HEARTH_OK);
    assert_int_equal(engine_describe(b, &y, NULL), HEARTH_OK);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.p, y.p, x.n);
    llm_ctx_options o = {.n_ctx = 128, .type_k = DTYPE_F32, .type_v = DTYPE_F32};
    llm_plan p, q;
    assert_int_equal(engine_plan(a, &o, &p, NULL), HEARTH_OK);
    assert_int_equal(engine_plan(b, &o, &q, NULL), HEARTH_OK);
    assert_memory_equal(&p, &q, sizeof p);
    assert_true(p.total_bytes > 0 && p.total_bytes != engine_get_info(a)->plan.total_bytes);
    engine_info ia = *engine_get_info(a), ib = *engine_get_info(b);
    assert_string_equal(ia.name, ib.name);
    assert_string_equal(ia.arch, ib.arch);
    assert_string_equal(ia.file_type, ib.file_type);
    assert_memory_equal(&ia.plan, &ib.plan, sizeof ia.plan);
    assert_memory_equal(&ia.special, &ib.special, sizeof ia.special);
    buf_release(&x);
    buf_release(&y);
}

static void compare_places(const char *source)
{
    engine *a = open_engine(source, ENGINE_LOCAL, NULL);
    engine *b = open_engine(source, ENGINE_CHILD, NULL);
    compare_generations(a, b, "Once upon a time");
    compare_generations(a, b, "");
    compare_logits(a, b);
    compare_rest(a, b);
    engine_close(a);
    engine_close(b);
}

static void test_same_synthetic(void **state)
{
    (void)state;
    compare_places(TINY);
}

static void test_same_story(void **state)
{
    (void)state;
    char path[1024];
    if (!test_data_path("llm-stories260k/stories260K.gguf", path, sizeof path)) skip();
    compare_places(path);
}

static void test_story_text(void **state)
{
    (void)state;
    char model[1024], expected[1024];
    if (!test_data_path("llm-stories260k/stories260K.gguf", model, sizeof model)) skip();
    const char *name = "llm-stories260k/expected_stdout_temp0_n200.txt";
    if (!test_data_path(name, expected, sizeof expected)) skip();
    size_t n_expected = 0;
    unsigned char *text = test_read_file(expected, &n_expected);
    engine *e = open_engine(model, ENGINE_LOCAL, NULL);
    generate_options o = endless();
    o.sampling.temperature = 0;
    o.n_predict = 200;
    int32_t bos = engine_get_info(e)->special.bos, tokens[200];
    buf out;
    buf_init(&out, MEM_TEST, 1 << 20);
    generate_all(e, open_session(e), &bos, 1, &o, tokens, 200, &out, NULL);
    size_t n = size_min(n_expected, out.n);
    assert_true(n > 400);
    assert_memory_equal(out.p, text, n);
    buf_release(&out);
    free(text);
    engine_close(e);
}

// Text and ids of more than one DATA message.
static void test_large_text(void **state)
{
    (void)state;
    engine *a = open_engine(TINY, ENGINE_LOCAL, use_metadata);
    engine *b = open_engine(TINY, ENGINE_CHILD, use_metadata);
    size_t n = 2 * WIRE_DATA_BYTES + 77;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++) text[i] = (char)('a' + i % 26);
    tok_ids x = {0}, y = {0};
    str s = {text, n};
    assert_int_equal(engine_tokenize(a, s, (tok_options){false, false}, &x, NULL), HEARTH_OK);
    assert_int_equal(engine_tokenize(b, s, (tok_options){false, false}, &y, NULL), HEARTH_OK);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.id, y.id, x.n * sizeof *x.id);
    buf back;
    buf_init(&back, MEM_TEST, 2 * n);
    assert_int_equal(engine_detokenize(b, y.id, y.n, false, &back, NULL), HEARTH_OK);
    assert_int_equal(back.n, n);
    assert_memory_equal(back.p, text, n);
    int32_t bad = 1 << 21;
    hearth_err err = ERR_INIT;
    assert_int_equal(engine_detokenize(b, &bad, 1, false, &back, &err), HEARTH_E_ARG);
    assert_int_equal(back.n, n);
    buf_release(&back);
    tok_ids_release(&x);
    tok_ids_release(&y);
    free(text);
    engine_close(a);
    engine_close(b);
}

// --- sessions -----------------------------------------------------------------------------------

static void test_two_sessions(void **state)
{
    (void)state;
    for (int place = ENGINE_LOCAL; place <= ENGINE_CHILD; place++) {
        engine *e = open_engine(TINY, (engine_place)place, use_two_sessions);
        int32_t prompt[64], alone[40], both[2][40];
        for (int i = 0; i < 64; i++) prompt[i] = 10 + i;
        engine_session s[2] = {open_session(e), 0};
        generate_options o = endless();
        o.n_predict = 40;
        generate_all(e, s[0], prompt, 64, &o, alone, 40, NULL, NULL);
        s[1] = open_session(e);
        engine_session third = 0;
        assert_int_equal(engine_session_open(e, &third, NULL), HEARTH_E_LIMIT);
        int n[2] = {0, 0}, n_progress = 0;
        for (int k = 0; k < 2; k++)
            assert_int_equal(engine_start(e, s[k], prompt, 64, &o, NULL), HEARTH_OK);
        for (bool more = true; more;) { // in turns, the first with its prompt in the cache
            more = false;
            for (int k = 0; k < 2; k++) {
                engine_event event;
                if (n[k] == 40) continue;
                assert_int_equal(engine_next(e, s[k], &event, NULL), HEARTH_OK);
                n_progress += event.prompt_total > 0;
                if (event.gen.has_token) both[k][n[k]++] = event.gen.token;
                more = true;
            }
        }
        assert_true(n_progress >= 3); // 64 tokens in batches of 16, the last with the first token
        assert_memory_equal(both[0], alone, sizeof alone);
        assert_memory_equal(both[1], alone, sizeof alone);
        engine_session_close(e, s[0]);
        assert_int_equal(engine_session_open(e, &third, NULL), HEARTH_OK);
        assert_int_equal(engine_start(e, s[0], prompt, 1, &o, NULL), HEARTH_E_ARG);
        engine_close(e);
    }
}

static void test_export_between_places(void **state)
{
    (void)state;
    engine *a = open_engine(TINY, ENGINE_LOCAL, NULL), *b = open_engine(TINY, ENGINE_CHILD, NULL);
    int32_t prompt[100], first[30], second[30];
    for (int i = 0; i < 100; i++) prompt[i] = 20 + i;
    generate_options o = endless();
    o.n_predict = 30;
    buf blob, back;
    buf_init(&blob, MEM_TEST, 1 << 28);
    buf_init(&back, MEM_TEST, 1 << 28);
    engine_session sa = open_session(a), sb = open_session(b);
    generate_all(a, sa, prompt, 100, &o, first, 30, NULL, NULL);
    assert_int_equal(engine_session_export(a, sa, &blob, NULL), HEARTH_OK);
    assert_int_equal(engine_session_import(b, sb, blob.p, blob.n, NULL), HEARTH_OK);
    assert_int_equal(engine_session_export(b, sb, &back, NULL), HEARTH_OK);
    assert_int_equal(back.n, blob.n);
    assert_memory_equal(back.p, blob.p, blob.n);

    engine_event event;
    assert_int_equal(engine_start(b, sb, prompt, 100, &o, NULL), HEARTH_OK);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(engine_next(b, sb, &event, NULL), HEARTH_OK);
        second[i] = event.gen.token;
    }
    assert_int_equal(event.stats.n_reused, 99);
    assert_memory_equal(first, second, sizeof first);
    blob.p[blob.n / 2] ^= 1;
    assert_int_equal(engine_session_import(b, sb, blob.p, 10, NULL) != HEARTH_OK, 1);
    buf_release(&blob);
    buf_release(&back);
    engine_close(a);
    engine_close(b);
}

// --- the context's end, states and messages -----------------------------------------------------

static void test_context_full(void **state)
{
    (void)state;
    for (int place = ENGINE_LOCAL; place <= ENGINE_CHILD; place++) {
        engine *e = open_engine(TINY, (engine_place)place, NULL);
        int32_t prompt[600] = {1}, tokens[600];
        engine_session s = open_session(e);
        generate_options o = endless();
        generate_finish finish;
        int64_t n = generate_all(e, s, prompt, 500, &o, tokens, 600, NULL, &finish);
        assert_int_equal(finish, GENERATE_CONTEXT);
        assert_int_equal(n, 512 - 500 + 1); // the last one is drawn, but has no place any more
        hearth_err err = ERR_INIT;
        engine_event event;
        assert_int_equal(engine_start(e, s, prompt, 600, &o, &err), HEARTH_OK);
        hearth_status status = HEARTH_OK;
        for (int i = 0; i < 10 && status == HEARTH_OK; i++)
            status = engine_next(e, s, &event, &err);
        assert_int_equal(status, HEARTH_E_LIMIT);
        assert_non_null(strstr(err.msg, "512"));
        engine_close(e);
    }
}

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part)) n++;
    return n;
}

static void test_messages(void **state)
{
    (void)state;
    const char *bad[] = {"/nonexistent/model.gguf", "shape:nothing:F32", "shape:tiny:Q9_9",
                         "shape:tiny", "shape:tiny:F32:x", "/dev/null", "/"};
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        for (int place = ENGINE_LOCAL; place <= ENGINE_CHILD; place++) {
            engine_options o;
            engine *e = NULL;
            hearth_err err = ERR_INIT;
            engine_options_default(&o);
            o.place = (engine_place)place;
            assert_int_not_equal(engine_open(bad[i], &o, &e, &err), HEARTH_OK);
            assert_null(e);
            char prefix[64];
            snprintf(prefix, sizeof prefix, "%s: ", bad[i]);
            if (strncmp(err.msg, prefix, strlen(prefix)) != 0 || count_of(err.msg, prefix) != 1)
                fail_msg("'%s' does not begin with '%s' once", err.msg, prefix);
        }
    }
}

static void test_memory_limit(void **state)
{
    (void)state;
    for (int place = ENGINE_LOCAL; place <= ENGINE_CHILD; place++) {
        engine_options o;
        engine *e = NULL;
        hearth_err err = ERR_INIT;
        engine_options_default(&o);
        o.place = (engine_place)place;
        o.memory_limit = 1000;
        assert_int_equal(engine_open(TINY, &o, &e, &err), HEARTH_E_LIMIT);
        assert_non_null(strstr(err.msg, "1000 B"));
        assert_non_null(strstr(err.msg, "needs"));
    }
}

static void test_metadata_only(void **state)
{
    (void)state;
    for (int place = ENGINE_LOCAL; place <= ENGINE_CHILD; place++) {
        engine *e = open_engine(TINY, (engine_place)place, use_metadata);
        engine_session s = 0;
        assert_int_equal(engine_session_open(e, &s, NULL), HEARTH_E_STATE);
        float logits[4096];
        int32_t id = 1;
        assert_true(engine_get_info(e)->n_vocab <= 4096);
        assert_int_equal(engine_logits(e, &id, 1, 1, logits, NULL), HEARTH_E_STATE);
        assert_true(engine_get_info(e)->plan.total_bytes > 0);
        engine_cancel(e, 1);
        engine_close(e);
    }
}

static void test_description(void **state)
{
    (void)state;
    engine *e = open_engine(TINY, ENGINE_LOCAL, use_metadata);
    buf json;
    buf_init(&json, MEM_TEST, 1 << 24);
    assert_int_equal(engine_describe(e, &json, NULL), HEARTH_OK);
    json_reader *r = NULL;
    assert_int_equal(json_open_memory(json.p, json.n, 1 << 20, &r, NULL), HEARTH_OK);
    json_event event;
    hearth_err err = ERR_INIT;
    do
        if (json_next(r, &event, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    while (event != JSON_END);
    json_close(r);
    assert_int_equal(count_of(json.p, "\"general.architecture\":"), 1);
    assert_int_equal(count_of(json.p, "\"tokenizer.ggml.tokens\":{\"length\":"), 1);
    assert_true(count_of(json.p, "\"shape\":[") > 10);
    buf_release(&json);
    engine_close(e);
}

// --- cancel -------------------------------------------------------------------------------------

typedef struct canceler { engine *e; engine_session s; atomic_bool done; } canceler;

static void run_cancel(void *ctx)
{
    canceler *c = ctx;
    engine_cancel(c->e, c->s);
    atomic_store(&c->done, true);
}

static void test_cancel(void **state)
{
    (void)state;
    for (int place = ENGINE_LOCAL; place <= ENGINE_CHILD; place++) {
        engine *e = open_engine(TINY, (engine_place)place, use_two_sessions);
        engine_session s = open_session(e), other = open_session(e);
        generate_options o = endless();
        int32_t prompt[200] = {3};
        engine_event event = {0};
        for (int round = 0; round < 20; round++) {
            canceler c = {e, s, false};
            os_thread *t = NULL;
            assert_int_equal(engine_start(e, s, prompt, 200, &o, NULL), HEARTH_OK);
            assert_int_equal(engine_start(e, other, prompt, 1, &o, NULL), HEARTH_OK);
            for (int i = 0; i < round; i++)
                assert_int_equal(engine_next(e, s, &event, NULL), HEARTH_OK);
            assert_int_equal(os_thread_start(run_cancel, &c, &t, NULL), HEARTH_OK);
            bool was_done;
            do { // an event that was asked for after the cancel is the last one
                was_done = atomic_load(&c.done);
                assert_int_equal(engine_next(e, s, &event, NULL), HEARTH_OK);
            } while (event.gen.finish == GENERATE_RUNNING && !was_done);
            assert_int_equal(event.gen.finish, GENERATE_CANCELED);
            os_thread_join(t);
            assert_int_equal(engine_next(e, other, &event, NULL), HEARTH_OK); // not its business
            assert_int_equal(event.gen.finish, GENERATE_RUNNING);
            assert_int_equal(engine_next(e, s, &event, NULL), HEARTH_E_STATE);
        }
        engine_close(e);
    }
}

// --- children that die or lie -------------------------------------------------------------------

static void set_child(const char *behaviour)
{
    setenv("HEARTH_TEST_CHILD", behaviour, 1);
}

static void check_no_zombie(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no child at all is left
}

// Starts an engine whose child writes its process id into a file.
static engine *open_known(pid_t *pid)
{
    char how[64] = "pid:/tmp/hearth-test-XXXXXX", *path = how + 4, text[32] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    set_child(how);
    engine *e = open_engine(TINY, ENGINE_CHILD, NULL);
    set_child("");
    assert_true(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    unlink(path);
    *pid = (pid_t)strtol(text, NULL, 10);
    return e;
}

static void check_dead(engine *e, engine_session s, const hearth_err *first)
{
    engine_event event;
    hearth_err again = ERR_INIT;
    buf json;
    assert_int_equal(engine_next(e, s, &event, &again), HEARTH_E_CRASHED);
    assert_string_equal(again.msg, first->msg);
    engine_cancel(e, s);
    engine_session_close(e, s);
    assert_int_equal(engine_session_open(e, &s, NULL), HEARTH_E_CRASHED);
    buf_init(&json, MEM_TEST, 1 << 20);
    assert_int_equal(engine_describe(e, &json, NULL), HEARTH_E_CRASHED);
}

// The child gets a signal in the middle of a generation.
static void check_killed(int signal_number, const char *expected)
{
    pid_t pid;
    engine *e = open_known(&pid);
    engine_session s = open_session(e);
    generate_options o = endless();
    int32_t first_token = 1;
    hearth_status status = engine_start(e, s, &first_token, 1, &o, NULL);
    hearth_err err = ERR_INIT;
    engine_event event;
    for (int i = 0; status == HEARTH_OK && i < 400; i++) {
        if (i == 20) assert_int_equal(kill(pid, signal_number), 0);
        status = engine_next(e, s, &event, &err);
    }
    assert_int_equal(status, HEARTH_E_CRASHED);
    assert_string_equal(err.msg, expected);
    check_no_zombie();
    check_dead(e, s, &err);
    engine_close(e);
}

static void test_child_dies(void **state)
{
    (void)state;
    check_killed(SIGKILL, "engine process ended: signal 9 (Killed)");
    check_killed(SIGSEGV, "engine process ended: signal 11 (Segmentation fault)");
    check_killed(SIGUSR1, "engine process ended: exit status 3");
}

static void test_child_lies(void **state)
{
    (void)state;
    for (int seed = 0; seed < 80; seed++) {
        char behaviour[32];
        snprintf(behaviour, sizeof behaviour, "lie%d", seed);
        engine_options o;
        engine *e = NULL;
        hearth_err err = ERR_INIT;
        engine_options_default(&o);
        o.place = ENGINE_CHILD;
        set_child(behaviour);
        hearth_status status = engine_open(TINY, &o, &e, &err);
        set_child("");
        if (status != HEARTH_E_CRASHED) fail_msg("%s: %d %s", behaviour, status, err.msg);
        assert_null(e);
        check_no_zombie();
    }
}

static void test_closed_parent(void **state)
{
    (void)state;
    engine *e = open_engine(TINY, ENGINE_CHILD, NULL);
    engine_session s = open_session(e);
    generate_options o = endless();
    int32_t prompt = 1;
    assert_int_equal(engine_start(e, s, &prompt, 1, &o, NULL), HEARTH_OK);
    engine_close(e);
    check_no_zombie();
}

// --- the child's side ---------------------------------------------------------------------------

static void exit_with_3(int signal_number)
{
    (void)signal_number;
    _exit(3);
}

static int run_known(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) return 1;
    fprintf(f, "%ld\n", (long)getpid());
    fclose(f);
    signal(SIGSEGV, SIG_DFL); // sanitizers have a handler that exits
    signal(SIGUSR1, exit_with_3);
    return engine_role_main();
}

// Answers with bytes that begin more or less like a message. Odd seeds send whole messages and
// stay; even ones hang up anywhere.
static int run_liar(unsigned seed)
{
    os_channel *c = NULL;
    rng r;
    wire_header h;
    bool end = false;
    uint8_t answer[300];
    buf in;
    buf_init(&in, MEM_TEST, LIMIT_WIRE_MESSAGE);
    rng_seed(&r, seed);
    if (os_channel_inherited(&c, NULL) != HEARTH_OK) return 1;
    while (wire_receive(c, &h, &in, &end, NULL) == HEARTH_OK && !end) {
        for (size_t i = 0; i < sizeof answer; i++) answer[i] = (uint8_t)rng_below(&r, 256);
        if (seed % 8 > 1) memset(answer, 0, WIRE_HEADER);
        answer[4] = (uint8_t)(1 + rng_below(&r, WIRE_TYPE_END));
        size_t payload = seed % 8 > 1 ? answer[0] = (uint8_t)rng_below(&r, 255) : 0;
        size_t n = seed % 2 ? WIRE_HEADER + payload : rng_below(&r, sizeof answer);
        if (os_channel_write(c, answer, n, NULL) != HEARTH_OK || seed % 2 == 0) break;
    }
    buf_release(&in);
    os_channel_close(c);
    return 0;
}

static int run_child(void)
{
    const char *how = os_env("HEARTH_TEST_CHILD");
    if (how && strncmp(how, "lie", 3) == 0) return run_liar((unsigned)strtoul(how + 3, NULL, 10));
    if (how && strncmp(how, "pid:", 4) == 0) return run_known(how + 4);
    return engine_role_main();
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], ENGINE_ROLE_ARG) == 0) return run_child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_step_in_process),
        cmocka_unit_test(test_step_in_child),
        cmocka_unit_test(test_step_full_context),
        cmocka_unit_test(test_same_synthetic),  cmocka_unit_test(test_same_story),
        cmocka_unit_test(test_story_text),      cmocka_unit_test(test_large_text),
        cmocka_unit_test(test_two_sessions),    cmocka_unit_test(test_export_between_places),
        cmocka_unit_test(test_context_full),    cmocka_unit_test(test_messages),
        cmocka_unit_test(test_memory_limit),    cmocka_unit_test(test_metadata_only),
        cmocka_unit_test(test_description),     cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_child_dies),      cmocka_unit_test(test_child_lies),
        cmocka_unit_test(test_closed_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
