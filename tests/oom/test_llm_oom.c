// The n-th allocation fails, for every n, while a model is made, loaded and run: always
// HEARTH_E_NOMEM, never a leak, and the next try works.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "llm/synth.h"
#include "support/golden_model.h"
#include "support/llm_fixture.h"
#include "support/test_data.h"

static const synth_shape shapes[] = {
    {"plain", "qwen2", 2, 64, 96, 4, 2, 16, 300, 128, 1e4f, false, 0, 0, 0, 0},
    {"window", "gemma3", 7, 64, 96, 4, 2, 16, 300, 128, 1e4f, true, 3, 0, 0, 0},
    {"mixture", "qwen3moe", 2, 64, 96, 4, 2, 16, 300, 128, 1e4f, true, 0, 6, 2, 32},
    {"gpt-oss", "gpt-oss", 2, 64, 96, 4, 2, 16, 300, 128, 1e4f, false, 24, 6, 2, 32},
};

// From a file's bytes to logits. Cleans up whatever the outcome.
static hearth_status run_file(const uint8_t *p, size_t n, hearth_err *err)
{
    gguf *g = NULL;
    dev *d = NULL;
    llm_model *m = NULL;
    llm_ctx *c = NULL;
    llm_session *s = NULL;
    const gguf_bytes part = {"test", p, n};
    const llm_ctx_options o = {128, 2, 16, 1, DTYPE_F16, DTYPE_F16, LLM_POOL_NONE};
    const int32_t ids[] = {1, 50, 60, 70, 80};
    hearth_status status = gguf_open(&part, 1, &g, err);
    if (status == HEARTH_OK) status = dev_cpu_open(1, 0, &d, err);
    if (status == HEARTH_OK) status = llm_model_open(g, d, NULL, &m, err);
    if (status == HEARTH_OK) status = llm_ctx_create(m, &o, &c, err);
    if (status == HEARTH_OK) status = session_create(c, 0, &s, err);
    if (status == HEARTH_OK) status = session_sync(s, ids, 5, NULL, NULL, err);
    session_free(s);
    llm_ctx_free(c);
    llm_model_close(m);
    dev_close(d);
    gguf_close(g);
    return status;
}

// All of it, from seed to logits.
static hearth_status run_shape(const void *shape, hearth_err *err)
{
    uint8_t *p;
    size_t n;
    HEARTH_TRY(synth_make(shape, "Q8_0", 1, &p, &n, err));
    hearth_status status = run_file(p, n, err);
    mem_free(p);
    return status;
}

static hearth_status run_golden(const void *golden, hearth_err *err)
{
    const golden_case *c = golden;
    return run_file(c->gguf, c->gguf_bytes, err);
}

static void fail_each(hearth_status (*run)(const void *, hearth_err *), const void *what,
                      bool is_sticky)
{
    size_t before = mem_get_total().now_bytes;
    hearth_status s = HEARTH_E_NOMEM;
    uint64_t n = 0;
    while (s != HEARTH_OK) {
        hearth_err err = ERR_INIT;
        mem_fail_nth(++n, is_sticky);
        s = run(what, &err);
        mem_fail_nth(0, false);
        assert_int_equal(mem_get_total().now_bytes, before);
        if (s == HEARTH_OK) break;
        assert_int_equal(s, HEARTH_E_NOMEM);
        assert_int_equal(err.status, HEARTH_E_NOMEM);
        assert_true(n < 100000);
    }
    assert_true(n > 20); // the hook was in use
}

static void test_every_allocation(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * (int)COUNTOF(shapes); i++)
        fail_each(run_shape, &shapes[i / 2], i % 2 != 0);
}

// Families that bind more than a plain layer: slices turned over and flattened vectors; layers of
// two shapes, constants and inputs per layer; a mixture beside a feed-forward; several streams.
static void test_bindings(void **state)
{
    (void)state;
    static const struct { const char *file, *name; } models[] = {
        {"golden/llm/latent_cases.json", "deepseek2_f16"},
        {"golden/llm/gemma4_cases.json", "gemma4_e2b"},
        {"golden/llm/gemma4_cases.json", "gemma4_moe"},
        {"golden/llm/gemma3n_cases.json", "gemma3n"},
    };
    for (size_t i = 0; i < COUNTOF(models); i++) {
        static golden_set set;
        char path[512];
        hearth_err err = ERR_INIT;
        test_source_path(models[i].file, path, sizeof path);
        if (golden_load(path, &set, &err)) fail_msg("%s", err.msg);
        int at = 0;
        while (at < set.n && strcmp(set.cases[at].name, models[i].name)) at++;
        assert_in_range(at, 0, set.n - 1);
        fail_each(run_golden, &set.cases[at], false);
        fail_each(run_golden, &set.cases[at], true);
        golden_release(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation),
                                       cmocka_unit_test(test_bindings)};
    return cmocka_run_group_tests_name("llm oom", tests, NULL, NULL);
}
