// The n-th allocation fails, for every n, while a model is made, loaded and run: always
// HEARTH_E_NOMEM, never a leak, and the next try works.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "llm/synth.h"
#include "support/llm_fixture.h"

static const synth_shape shapes[] = {
    {"plain", "qwen2", 2, 64, 96, 4, 2, 16, 300, 128, 1e4f, false, 0, 0, 0, 0},
    {"window", "gemma3", 7, 64, 96, 4, 2, 16, 300, 128, 1e4f, true, 3, 0, 0, 0},
    {"mixture", "qwen3moe", 2, 64, 96, 4, 2, 16, 300, 128, 1e4f, true, 0, 6, 2, 32},
    {"gpt-oss", "gpt-oss", 2, 64, 96, 4, 2, 16, 300, 128, 1e4f, false, 24, 6, 2, 32},
};

// All of it, from seed to logits. Cleans up whatever the outcome.
static hearth_status run_all(const synth_shape *shape, hearth_err *err)
{
    uint8_t *p;
    size_t n;
    HEARTH_TRY(synth_make(shape, "Q8_0", 1, &p, &n, err));
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
    mem_free(p);
    return status;
}

static void test_every_allocation(void **state)
{
    (void)state;
    size_t before = mem_get_total().now_bytes;
    for (int i = 0; i < 2 * (int)COUNTOF(shapes); i++) {
        bool is_sticky = i % 2 != 0;
        hearth_status s = HEARTH_E_NOMEM;
        uint64_t n = 0;
        while (s != HEARTH_OK) {
            hearth_err err = ERR_INIT;
            mem_fail_nth(++n, is_sticky);
            s = run_all(&shapes[i / 2], &err);
            mem_fail_nth(0, false);
            assert_int_equal(mem_get_total().now_bytes, before);
            if (s == HEARTH_OK) break;
            assert_int_equal(s, HEARTH_E_NOMEM);
            assert_int_equal(err.status, HEARTH_E_NOMEM);
            assert_true(n < 100000);
        }
        assert_true(n > 50); // the hook was in use
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};
    return cmocka_run_group_tests_name("llm oom", tests, NULL, NULL);
}
