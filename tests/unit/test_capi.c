// The public functions, as a program outside would use them, on a synthetic model.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hearth/hearth.h"
#include "support/test_data.h"

#define TINY "shape:tiny:Q8_0:3"

static hearth_model *open_model(int sessions)
{
    hearth_model_options o;
    hearth_error error;
    hearth_model *m = NULL;
    hearth_model_options_default(&o);
    o.threads = 1;
    o.context = 256;
    o.sessions = sessions;
    o.batch = 16;
    if (hearth_model_open(TINY, &o, &m, &error) != HEARTH_OK) fail_msg("%s", error.message);
    assert_int_equal(error.code, HEARTH_OK);
    return m;
}

static void test_library(void **state)
{
    (void)state;
    assert_true(hearth_version()[0] != 0);
    assert_string_equal(hearth_status_name(HEARTH_E_NOMEM), "out of memory");
    hearth_free(NULL);
    hearth_model_close(NULL);
    hearth_session_free(NULL);
    hearth_generate_cancel(NULL);
}

static void test_model(void **state)
{
    (void)state;
    hearth_model *m = open_model(1);
    hearth_model_info info = {.size = sizeof info};
    assert_int_equal(hearth_model_get_info(m, &info, NULL), HEARTH_OK);
    assert_string_equal(info.architecture, "llama");
    assert_int_equal(info.vocabulary, 512);
    assert_int_equal(info.context, 256);
    assert_int_equal(info.threads, 1);
    assert_int_equal(info.bos, 1);
    assert_true(info.plan.total > info.plan.cache);
    assert_int_equal(info.size, sizeof info);
    hearth_plan plan;
    assert_int_equal(hearth_model_plan(m, 0, HEARTH_CACHE_F16, &plan, NULL), HEARTH_OK);
    assert_memory_equal(&plan, &info.plan, sizeof plan);
    assert_int_equal(hearth_model_plan(m, 512, HEARTH_CACHE_F32, &plan, NULL), HEARTH_OK);
    assert_true(plan.cache > 3 * info.plan.cache); // twice the length, twice the width
    char *json = NULL;
    size_t n = 0;
    assert_int_equal(hearth_model_describe(m, &json, &n, NULL), HEARTH_OK);
    assert_int_equal(strlen(json), n);
    assert_non_null(strstr(json, "\"general.architecture\":\"llama\""));
    hearth_free(json);
    hearth_model_close(m);
}

// A caller of an older version knows fewer members; one of a newer version is refused.
static void test_sizes(void **state)
{
    (void)state;
    hearth_model *m = NULL;
    hearth_error error;
    hearth_model_options o;
    hearth_model_options_default(&o);
    o.threads = 1;
    o.cache_type = 77; // behind what this caller says it knows
    o.size = offsetof(hearth_model_options, cache_type);
    assert_int_equal(hearth_model_open(TINY, &o, &m, &error), HEARTH_OK);
    struct { uint32_t size, threads; char rest[64]; } old = {.size = 8, .rest = "untouched"};
    assert_int_equal(hearth_model_get_info(m, (hearth_model_info *)(void *)&old, NULL), HEARTH_OK);
    assert_int_equal(old.threads, 1);
    assert_string_equal(old.rest, "untouched");
    hearth_model_close(m);
    uint32_t bad[] = {0, 3, sizeof o + 1};
    for (size_t i = 0; i < 3; i++) {
        o.size = bad[i];
        assert_int_equal(hearth_model_open(TINY, &o, &m, &error), HEARTH_E_ARG);
        assert_null(m);
        assert_non_null(strstr(error.message, "options.size"));
    }
}

// What adapters compute is for test_lora.c and test_engine_lora.c.
static void test_adapters(void **state)
{
    (void)state;
    const hearth_adapter bad[] = {{NULL, 1}}, gone[] = {{"/nonexistent.gguf", 1}};
    hearth_model *m = NULL;
    hearth_error error;
    hearth_model_options o;
    hearth_model_options_default(&o);
    o.threads = 1;
    o.n_adapters = 1;
    assert_int_equal(hearth_model_open(TINY, &o, &m, &error), HEARTH_E_ARG);
    o.adapters = bad;
    assert_int_equal(hearth_model_open(TINY, &o, &m, &error), HEARTH_E_ARG);
    o.n_adapters = 17;
    assert_int_equal(hearth_model_open(TINY, &o, &m, &error), HEARTH_E_ARG);
    o.adapters = gone;
    o.n_adapters = 1;
    assert_int_equal(hearth_model_open(TINY, &o, &m, &error), HEARTH_E_NOTFOUND);
    assert_non_null(strstr(error.message, "/nonexistent.gguf: "));
    assert_null(m);
}

static void test_refusals(void **state)
{
    (void)state;
    hearth_error error;
    hearth_model *m = (hearth_model *)(void *)&error;
    assert_int_equal(hearth_model_open("/nonexistent.gguf", NULL, &m, &error), HEARTH_E_NOTFOUND);
    assert_null(m);
    assert_ptr_equal(strstr(error.message, "/nonexistent.gguf: "), error.message);
    assert_int_equal(hearth_model_open(NULL, NULL, &m, &error), HEARTH_E_ARG);
    assert_int_equal(hearth_model_open(TINY, NULL, NULL, &error), HEARTH_E_ARG);
    assert_int_equal(hearth_generate(NULL, NULL, 0, NULL, NULL, NULL, NULL), HEARTH_E_ARG);
    m = open_model(1);
    hearth_session *a = NULL, *b = NULL;
    int32_t prompt = 1;
    assert_int_equal(hearth_session_create(m, &a, &error), HEARTH_OK);
    assert_int_equal(hearth_session_create(m, &b, &error), HEARTH_E_LIMIT);
    assert_null(b);
    hearth_event event = {.size = sizeof event};
    assert_int_equal(hearth_generate_next(a, &event, &error), HEARTH_E_STATE);
    hearth_generate_options o;
    hearth_generate_options_default(&o);
    o.top_p = 7;
    assert_int_equal(hearth_generate_start(a, &prompt, 1, &o, &error), HEARTH_E_ARG);
    assert_non_null(strstr(error.message, "top_p"));
    hearth_generate_options_default(&o);
    o.samplers = "top_k;magic";
    assert_int_equal(hearth_generate_start(a, &prompt, 1, &o, &error), HEARTH_E_ARG);
    assert_non_null(strstr(error.message, "magic"));
    prompt = 5000;
    assert_int_equal(hearth_generate_start(a, &prompt, 1, NULL, &error), HEARTH_E_ARG);
    assert_int_equal(hearth_session_import(a, "garbage", 7, &error) != HEARTH_OK, 1);
    hearth_session_free(a);
    hearth_model_close(m);
}

static void test_tokens(void **state)
{
    (void)state;
    hearth_model *m = open_model(1);
    const char *text = "Grüße, Welt";
    int32_t ids[64];
    size_t n = 0, n_needed = 0;
    assert_int_equal(hearth_tokenize(m, text, strlen(text), 0, NULL, 0, &n_needed, NULL),
                     HEARTH_E_LIMIT);
    assert_int_equal(hearth_tokenize(m, text, strlen(text), 0, ids, 64, &n, NULL), HEARTH_OK);
    assert_int_equal(n, n_needed);
    assert_int_equal(hearth_tokenize(m, text, strlen(text), HEARTH_ADD_SPECIAL, ids, 64, &n, NULL),
                     HEARTH_OK);
    assert_int_equal(n, n_needed + 1);
    assert_int_equal(ids[0], 1);
    char back[64];
    size_t n_back = 0;
    assert_int_equal(hearth_detokenize(m, ids + 1, n - 1, 0, back, sizeof back, &n_back, NULL),
                     HEARTH_OK);
    assert_int_equal(n_back, strlen(text));
    assert_memory_equal(back, text, n_back);
    assert_int_equal(hearth_detokenize(m, ids, n, 0, back, 3, &n_back, NULL), HEARTH_E_LIMIT);
    assert_int_equal(n_back, strlen(text));
    hearth_model_close(m);
}

typedef struct heard {
    int32_t token[64];
    size_t n;
    char text[4096];
    size_t n_text;
    hearth_finish finish;
    int n_progress, stop_after;
} heard;

static int listen(void *ctx, const hearth_event *event)
{
    heard *h = ctx;
    h->finish = event->finish;
    if (event->prompt_total > 0) h->n_progress++;
    if (event->token >= 0 && h->n < 64) h->token[h->n++] = event->token;
    assert_int_equal(strlen(event->text), event->text_bytes);
    assert_true(h->n_text + event->text_bytes < sizeof h->text);
    memcpy(h->text + h->n_text, event->text, event->text_bytes);
    h->n_text += event->text_bytes;
    return h->stop_after > 0 && (int)h->n >= h->stop_after;
}

static void test_generate(void **state)
{
    (void)state;
    hearth_model *m = open_model(2);
    hearth_session *a = NULL, *b = NULL;
    int32_t prompt[50];
    for (int i = 0; i < 50; i++) prompt[i] = 10 + i;
    assert_int_equal(hearth_session_create(m, &a, NULL), HEARTH_OK);
    assert_int_equal(hearth_session_create(m, &b, NULL), HEARTH_OK);
    hearth_generate_options o;
    hearth_generate_options_default(&o);
    o.ignore_end = 1;
    o.n_predict = 20;
    o.seed = 5;
    o.n_logprobs = 4;
    heard x = {0}, y = {0}, z = {.stop_after = 3};
    assert_int_equal(hearth_generate(a, prompt, 50, &o, listen, &x, NULL), HEARTH_OK);
    assert_int_equal(x.n, 20);
    assert_int_equal(x.finish, HEARTH_FINISH_LENGTH);
    assert_int_equal(x.n_progress, 3); // 50 tokens in batches of 16

    void *bytes = NULL;
    size_t n = 0;
    assert_int_equal(hearth_session_export(a, &bytes, &n, NULL), HEARTH_OK);
    assert_int_equal(hearth_session_import(b, bytes, n, NULL), HEARTH_OK);
    hearth_free(bytes);
    assert_int_equal(hearth_generate_start(b, prompt, 50, &o, NULL), HEARTH_OK);
    hearth_event event = {.size = sizeof event};
    do {
        assert_int_equal(hearth_generate_next(b, &event, NULL), HEARTH_OK);
        listen(&y, &event);
        assert_int_equal(event.n_top, 4);
        assert_true(event.top[0].logprob >= event.top[1].logprob && event.logprob <= 0);
    } while (event.finish == HEARTH_RUNNING);
    assert_memory_equal(x.token, y.token, sizeof x.token);
    assert_string_equal(x.text, y.text);
    assert_int_equal(event.n_reused, 49);
    assert_int_equal(event.n_generated, 20);

    assert_int_equal(hearth_generate(a, prompt, 50, &o, listen, &z, NULL), HEARTH_OK);
    assert_int_equal(z.finish, HEARTH_FINISH_CANCELED);
    assert_int_equal(z.n, 3);
    hearth_session_free(a);
    hearth_session_free(b);
    hearth_model_close(m);
}

static void test_logits(void **state)
{
    (void)state;
    hearth_model *m = open_model(1);
    int32_t ids[] = {1, 50, 60};
    float *x = calloc(3 * 512, sizeof *x), *y = calloc(3 * 512, sizeof *y);
    assert_int_equal(hearth_logits(m, ids, 3, 1, x, NULL), HEARTH_OK);
    assert_int_equal(hearth_logits(m, ids, 3, 3, y, NULL), HEARTH_OK);
    assert_memory_equal(x, y, 3 * 512 * sizeof *x);
    assert_true(isfinite(x[700]) && x[700] != x[701]);
    assert_int_equal(hearth_logits(m, ids, 0, 3, y, NULL), HEARTH_E_ARG);
    ids[1] = 512;
    assert_int_equal(hearth_logits(m, ids, 3, 3, y, NULL) != HEARTH_OK, 1);
    free(x);
    free(y);
    hearth_model_close(m);
}

// hearth_api.symbols lists what the header declares, no more and no less. (That the library exports
// the same is checked by tools/symbols.py.)
static void test_symbol_list(void **state)
{
    (void)state;
    char path[1024];
    size_t n = 0, n_header = 0;
    test_source_path("unit/hearth_api.symbols", path, sizeof path);
    char *list = (char *)test_read_file(path, &n);
    test_source_path("../include/hearth/hearth.h", path, sizeof path);
    char *header = (char *)test_read_file(path, &n_header);
    assert_true(list && header && n > 0 && list[n - 1] == '\n');
    header[n_header - 1] = 0;
    int declared = 0, listed = 0;
    for (char *p = header; (p = strstr(p, "\nHEARTH_API ")) != NULL; p++) declared++;
    for (char *name = list, *end; name < list + n; name = end + 1, listed++) {
        char call[80];
        end = memchr(name, '\n', (size_t)(list + n - name));
        snprintf(call, sizeof call, "%.*s(", (int)(end - name), name);
        if (!strstr(header, call)) fail_msg("%s is not in the header", call);
    }
    assert_int_equal(declared, listed);
    free(list);
    free(header);
}

// Messages to tokens, the answer's text to parts.
static void test_chat(void **state)
{
    (void)state;
    hearth_model *m = open_model(1);
    hearth_error error;
    hearth_chat_options o;
    hearth_chat_options_default(&o);
    int32_t *ids, *again, want[64];
    size_t n, n_again, n_want;
    hearth_reply *reply;
    static const char messages[] = "[{\"role\":\"user\",\"content\":\"Hello\"}]";
    o.template_text = "{{ bos_token }}{{ messages[0].content }}<tool_call>{{ strftime_now('%Y') }}";
    o.tools = "[{\"function\":{\"name\":\"f\"}}]";
    o.year = 2026;
    if (hearth_chat(m, messages, &o, &ids, &n, &reply, &error)) fail_msg("%s", error.message);
    static const char text[] = "<s>Hello<tool_call>2026";
    assert_int_equal(hearth_tokenize(m, text, sizeof text - 1, HEARTH_PARSE_SPECIAL, want, 64,
                                     &n_want, &error), HEARTH_OK);
    assert_int_equal(n, n_want);
    assert_memory_equal(ids, want, n * sizeof *ids);
    static const char answer[] = "See <tool_call>{\"name\":\"f\",\"arguments\":{\"a\":1}}</tool_"
     "call>";
    hearth_part part = {.size = sizeof part};
    assert_int_equal(hearth_reply_put(reply, answer, sizeof answer - 1, &error), HEARTH_OK);
    assert_int_equal(hearth_reply_end(reply, &error), HEARTH_OK);
    assert_int_equal(hearth_reply_next(reply, &part), 1);
    assert_int_equal(part.kind, HEARTH_CONTENT);
    assert_memory_equal(part.text, "See", 3);
    assert_int_equal(hearth_reply_next(reply, &part), 1);
    assert_int_equal(part.kind, HEARTH_CALL);
    assert_int_equal(part.arguments_bytes, 7);
    assert_memory_equal(part.arguments, "{\"a\":1}", 7);
    assert_int_equal(hearth_reply_next(reply, &part), 0);
    hearth_reply_free(reply);
    o.held = ids;
    o.n_held = n;
    assert_int_equal(hearth_chat(m, messages, &o, &again, &n_again, NULL, &error), HEARTH_OK);
    assert_int_equal(n_again, n);
    hearth_free(again);
    hearth_free(ids);
    o.month = 13;
    assert_int_equal(hearth_chat(m, messages, &o, &ids, &n, &reply, &error), HEARTH_E_ARG);
    assert_true(!ids && !reply);
    assert_int_equal(hearth_chat(m, NULL, NULL, &ids, &n, NULL, &error), HEARTH_E_ARG);
    assert_int_equal(hearth_reply_put(NULL, "", 0, &error), HEARTH_E_ARG);
    hearth_reply_free(NULL);
    hearth_model_close(m);
}

static void test_embed(void **state)
{
    static const char *const texts[] = {"one text", "another"};
    static float x[2 * 512], first[2 * 512];
    (void)state;
    hearth_model *m = open_model(1);
    hearth_error error;
    hearth_model_info info = {.size = sizeof info};
    hearth_embed_options o;
    int64_t n_tokens = 0;
    assert_int_equal(hearth_model_get_info(m, &info, &error), HEARTH_OK);
    assert_in_range(info.embedding_out, 1, 512);
    assert_true(!info.can_rank && !info.is_encoder);
    assert_int_equal(hearth_embed(m, texts, 2, NULL, x, &n_tokens, &error), HEARTH_OK);
    assert_true(n_tokens > 0);
    hearth_embed_options_default(&o);
    o.dimensions = 3;
    assert_int_equal(hearth_embed(m, texts, 2, &o, first, NULL, &error), HEARTH_OK);
    // The same direction, and the length 1 again.
    const float *cut = first + 3, *whole = x + info.embedding_out;
    double length = 0, ratio = (double)cut[0] / (double)whole[0];
    for (int i = 0; i < 3; i++) {
        length += (double)cut[i] * (double)cut[i];
        assert_true(fabs((double)cut[i] - ratio * (double)whole[i]) < 1e-5);
    }
    assert_true(fabs(length - 1) < 1e-5);
    o.size = 4096;
    assert_int_equal(hearth_embed(m, texts, 2, &o, x, NULL, &error), HEARTH_E_ARG);
    assert_int_equal(hearth_embed(m, NULL, 2, NULL, x, NULL, &error), HEARTH_E_ARG);
    assert_int_equal(hearth_rerank(m, "q", texts, 2, 0, x, NULL, &error), HEARTH_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "no classifier"));
    hearth_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_library), cmocka_unit_test(test_chat), cmocka_unit_test(test_embed),
        cmocka_unit_test(test_model), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_adapters),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_generate), cmocka_unit_test(test_logits),
        cmocka_unit_test(test_symbol_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
