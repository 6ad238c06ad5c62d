// Opening and generating while the n-th allocation fails, for every n: an error that says so,
// nothing kept, and the next try with more memory goes further.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"

// All that may allocate: returns the first failure.
static hearth_status use_engine(engine **e, tok_ids *ids, buf *json, hearth_err *err)
{
    engine_options o;
    generate_options g;
    engine_session s;
    engine_event event;
    str stop = STR("zzz");
    sampler_bias bias = {3, 1};
    engine_options_default(&o);
    generate_options_default(&g);
    o.n_threads = 2;
    o.n_ctx = 128;
    o.n_batch = 8;
    g.stop = &stop;
    g.n_stop = 1;
    g.n_predict = 4;
    g.ignore_end = true;
    g.sampling.bias = &bias;
    g.sampling.n_bias = 1;
    g.sampling.repeat_penalty = 1.1f;
    g.sampling.dry_multiplier = 1;
    HEARTH_TRY(engine_open("shape:tiny:Q8_0", &o, e, err));
    HEARTH_TRY(engine_describe(*e, json, err));
    str text = STR("Once upon a time there");
    HEARTH_TRY(engine_tokenize(*e, text, (tok_options){true, false}, ids, err));
    HEARTH_TRY(engine_session_open(*e, &s, err));
    HEARTH_TRY(engine_start(*e, s, ids->id, (int64_t)ids->n, &g, err));
    do HEARTH_TRY(engine_next(*e, s, &event, err));
    while (event.gen.finish == GENERATE_RUNNING);
    buf_reset(json);
    return engine_session_export(*e, s, json, err);
}

static void test_every_allocation(void **state)
{
    (void)state;
    size_t before = mem_get_total().now_bytes;
    for (uint64_t n = 1;; n++) {
        engine *e = NULL;
        tok_ids ids = {0};
        buf json;
        hearth_err err = ERR_INIT;
        buf_init(&json, MEM_TEST, 1 << 26);
        mem_fail_nth(n, false);
        hearth_status status = use_engine(&e, &ids, &json, &err);
        bool was_reached = mem_fail_nth(0, false) >= n;
        engine_close(e);
        tok_ids_release(&ids);
        buf_release(&json);
        if (mem_get_total().now_bytes != before)
            fail_msg("allocation %llu: %lld bytes are kept", (unsigned long long)n,
                     (long long)(mem_get_total().now_bytes - before));
        if (status == HEARTH_OK && !was_reached) {
            assert_true(n > 50);
            return;
        }
        if (status != HEARTH_E_NOMEM || err.status != HEARTH_E_NOMEM || err.msg[0] == 0)
            fail_msg("allocation %llu: status %d, '%s'", (unsigned long long)n, status, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
