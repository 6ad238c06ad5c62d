// Adapters through the engine, in process and as a child: the same bits in both, and messages that
// name the adapter's file. The child is this program again, so main() looks for the role first.
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <math.h>

#include "engine/engine.h"
#include "llm/synth.h"
#include "support/adapter_file.h"

#define MODEL "shape:tiny:F32:3"
enum { N = 5, N_VOCAB = 512 };

static const engine_place places[] = {ENGINE_LOCAL, ENGINE_CHILD};
static const int32_t ids[N] = {1, 40, 300, 7, 511};
static char path[64];

static int make_adapter(void **state)
{
    (void)state;
    const adapter_spec spec = {.seed = 4, .rank = 3, .alpha = 3};
    uint8_t *model;
    gguf *g;
    buf file;
    gguf_bytes part = {0};
    if (synth_make(synth_find("tiny"), "F32", 3, &model, &part.size, NULL)) return 1;
    part.data = model;
    if (gguf_open(&part, 1, &g, NULL)) return 1;
    buf_init(&file, MEM_TEST, 1u << 28);
    bool ok = adapter_make(g, &spec, &file);
    snprintf(path, sizeof path, "/tmp/hearth:lora-XXXXXX"); // a colon is no scale
    int fd = mkstemp(path);
    ok = ok && fd >= 0 && write(fd, file.p, file.n) == (ssize_t)file.n;
    if (fd >= 0) close(fd);
    buf_release(&file);
    gguf_close(g);
    mem_free(model);
    return ok ? 0 : 1;
}

static int remove_adapter(void **state)
{
    (void)state;
    return unlink(path);
}

static hearth_status compute(engine_place place, int n, const float *scales, float *out,
                             hearth_err *err)
{
    engine_options o;
    engine *e = NULL;
    engine_options_default(&o);
    o.place = place;
    o.n_threads = 1;
    o.n_adapters = n;
    for (int i = 0; i < n; i++) o.adapters[i] = (engine_adapter){str_from(path), scales[i]};
    HEARTH_TRY(engine_open(MODEL, &o, &e, err));
    hearth_status s = engine_logits(e, ids, N, N, out, err);
    engine_close(e);
    return s;
}

static void test_places(void **state)
{
    (void)state;
    static const float scales[] = {0.5f, -2};
    static float plain[N * N_VOCAB], both[2][N * N_VOCAB], none[N * N_VOCAB];
    hearth_err err = ERR_INIT;
    for (int i = 0; i < 2; i++)
        if (compute(places[i], 2, scales, both[i], &err)) fail_msg("%s", err.msg);
    assert_memory_equal(both[0], both[1], sizeof both[0]);
    if (compute(ENGINE_LOCAL, 0, NULL, plain, &err)) fail_msg("%s", err.msg);
    assert_memory_not_equal(plain, both[0], sizeof plain);
    if (compute(ENGINE_CHILD, 1, (const float[]){0}, none, &err)) fail_msg("%s", err.msg);
    assert_memory_equal(plain, none, sizeof plain);
}

static void expect_fail(engine_place place, const char *adapter, const char *message)
{
    engine_options o;
    engine *e = NULL;
    hearth_err err = ERR_INIT;
    engine_options_default(&o);
    o.place = place;
    o.n_adapters = 1;
    o.adapters[0] = (engine_adapter){str_from(adapter), 1};
    hearth_status s = engine_open(MODEL, &o, &e, &err);
    if (s == HEARTH_OK || !strstr(err.msg, message))
        fail_msg("%d '%s', expected '%s'", s, err.msg, message);
    assert_null(e);
}

static void test_refusals(void **state)
{
    (void)state;
    float logits[N * N_VOCAB];
    hearth_err err = ERR_INIT;
    for (int i = 0; i < 2; i++) {
        expect_fail(places[i], "/nonexistent.gguf", "/nonexistent.gguf: cannot open");
        expect_fail(places[i], "/dev/null", "/dev/null");
        expect_fail(places[i], "", "length of an adapter's path");
    }
    const float scales[] = {1, INFINITY};
    assert_int_equal(compute(ENGINE_LOCAL, 2, scales, logits, &err), HEARTH_E_ARG);
    assert_non_null(strstr(err.msg, path));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], ENGINE_ROLE_ARG)) return engine_role_main();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests_name("engine_lora", tests, make_adapter, remove_adapter);
}
