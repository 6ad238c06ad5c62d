// The engine from bytes to results: a model made here, its damage, bad models, values as shapes,
// and real models against their stored outputs.
#include "graph/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/os.h"
#include "support/onnx_make.h"
#include "support/test_data.h"

// Opens, prepares and runs with inputs; *session, *g and *m are the caller's to free.
typedef struct opened { onnx_model *m; graph *g; graph_session *s; } opened;

static hearth_status run_bytes(const void *p, size_t n, const tensor *const *in, opened *o,
                               hearth_err *err)
{
    *o = (opened){NULL, NULL, NULL};
    HEARTH_TRY(onnx_open(p, n, &o->m, err));
    HEARTH_TRY(graph_open(o->m, &o->g, err));
    HEARTH_TRY(graph_prepare(o->g, in, &o->s, err));
    return graph_run(o->s, in, err);
}

static void close_all(opened *o)
{
    graph_session_free(o->s);
    graph_close(o->g);
    onnx_close(o->m);
}

static float small_x[6] = {1, 2, 3, -1, -2, 40};
static const tensor small_in = {T_F32, 2, {2, 3}, small_x};

static void test_small(void **state)
{
    (void)state;
    static const float want[6] = {2, 4, 0, 0, 0, 10};
    const tensor *in[1] = {&small_in};
    buf model;
    opened o;
    hearth_err err = ERR_INIT;
    onnx_make_small(&model);
    if (run_bytes(model.p, model.n, in, &o, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    assert_memory_equal(graph_result(o.s, 0)->data, want, sizeof want);
    assert_int_equal(graph_run(o.s, in, &err), HEARTH_OK); // again, in the same memory
    assert_memory_equal(graph_result(o.s, 0)->data, want, sizeof want);
    tensor other = small_in;
    other.dim[0] = 1;
    in[0] = &other;
    assert_int_equal(graph_run(o.s, in, NULL), HEARTH_E_ARG);
    close_all(&o);
    buf_release(&model);
}

// Whatever a byte says, the engine answers with a status; memory tools watch the rest.
static void test_damage(void **state)
{
    (void)state;
    const tensor *in[1] = {&small_in};
    buf model;
    onnx_make_small(&model);
    for (size_t n = 0; n <= model.n; n++) {
        for (int flip = -1; flip < 8 && (flip < 0 || n < model.n); flip++) {
            char *copy = malloc(model.n);
            opened o;
            memcpy(copy, model.p, model.n);
            if (flip >= 0) copy[n] = (char)(copy[n] ^ 1 << flip);
            hearth_err err = ERR_INIT;
            hearth_status st = run_bytes(copy, flip < 0 ? n : model.n, in, &o, &err);
            assert_true((st == HEARTH_OK) == (err.msg[0] == 0));
            close_all(&o);
            free(copy);
        }
    }
    buf_release(&model);
}

static void expect_refusal(const buf *model, const tensor *const *in, hearth_status want,
                           const char *text)
{
    opened o;
    hearth_err err = ERR_INIT;
    hearth_status st = run_bytes(model->p, model->n, in, &o, &err);
    if (st != want || !strstr(err.msg, text)) fail_msg("%d: '%s', not '%s'", st, err.msg, text);
    close_all(&o);
}

static void test_messages(void **state)
{
    (void)state;
    const tensor *in[1] = {&small_in};
    buf model, attr;
    onnx_make_node(&model, "Nonsense", 17, 1, 0, NULL);
    expect_refusal(&model, in, HEARTH_E_UNSUPPORTED,
                   "node 'a node' (Nonsense, ai.onnx 17): the operator is not supported");
    buf_release(&model);
    onnx_make_node(&model, "Gelu", 17, 1, 0, NULL);
    expect_refusal(&model, in, HEARTH_E_UNSUPPORTED, "this opset's form of the operator");
    buf_release(&model);
    onnx_make_node(&model, "Transpose", 17, 7, 0, NULL);
    expect_refusal(&model, in, HEARTH_E_ARG, "input 'x': type float32, the model wants int64");
    buf_release(&model);
    buf_init(&attr, MEM_TEST, 1024);
    pb_put_text(&attr, 1, "colour");
    pb_put_int(&attr, 3, 1);
    pb_put_int(&attr, 20, 2);
    onnx_make_node(&model, "Relu", 17, 1, 0, &attr);
    expect_refusal(&model, in, HEARTH_E_UNSUPPORTED, "attribute 'colour': it is not supported");
    buf_release(&model);
    buf_release(&attr);
}

// Indices are checked when they are used, shapes that come from values when they are there.
static void test_values(void **state)
{
    (void)state;
    int64_t index = 2, shape[2] = {3, -1};
    tensor i = {T_I64, 0, {0}, &index}, want = {T_I64, 1, {2}, shape};
    const tensor *in[2] = {&small_in, &i};
    buf model;
    opened o;
    onnx_make_node(&model, "Gather", 17, 1, 7, NULL);
    expect_refusal(&model, in, HEARTH_E_ARG, "index 2 of 2");
    buf_release(&model);
    in[1] = &want;
    onnx_make_node(&model, "Reshape", 17, 1, 7, NULL);
    assert_int_equal(run_bytes(model.p, model.n, in, &o, NULL), HEARTH_OK);
    const tensor *y = graph_result(o.s, 0);
    assert_true(y->n_dims == 2 && y->dim[0] == 3 && y->dim[1] == 2);
    assert_memory_equal(y->data, small_x, sizeof small_x);
    shape[0] = 1; // another shape in the same session
    assert_int_equal(graph_run(o.s, in, NULL), HEARTH_OK);
    assert_true(y->dim[0] == 1 && y->dim[1] == 6);
    shape[0] = 4;
    assert_int_equal(graph_run(o.s, in, NULL), HEARTH_E_FORMAT);
    close_all(&o);
    buf_release(&model);
}

// --- real models --------------------------------------------------------------------------------

static bool map_file(const char *name, os_mapping *out)
{
    char path[512];
    return test_data_path(name, path, sizeof path) && os_map_file(path, out, NULL) == HEARTH_OK;
}

static void check_close(const tensor *have, const tensor *want)
{
    for (int64_t i = 0; i < tensor_items(want); i++) {
        double u = tensor_number(have, i), v = tensor_number(want, i);
        if (!(fabs(u - v) <= 1e-4 + 1e-3 * fabs(v))) fail_msg("value %d: %g, not %g", (int)i, u, v);
    }
}

static int64_t top_of(const tensor *t)
{
    int64_t best = 0;
    for (int64_t i = 1; i < tensor_items(t); i++) {
        if (tensor_number(t, i) > tensor_number(t, best)) best = i;
    }
    return best;
}

// Stored codes of quantised models are those of the writer's processor (some saturate the sums of
// pairs), so of them only the class counts.
static void check_top(const tensor *have, const tensor *want)
{
    assert_int_equal(top_of(have), top_of(want));
}

static void check_set(const char *folder, const char *file, int set,
                      void (*check)(const tensor *have, const tensor *want))
{
    char name[256];
    os_mapping model, x, y;
    onnx_tensor tx, ty;
    tensor in, want;
    arena a;
    opened o;
    hearth_err err = ERR_INIT;
    arena_init(&a, MEM_TEST, 1 << 28);
    snprintf(name, sizeof name, "%s/%s", folder, file);
    if (!map_file(name, &model)) {
        print_message("%s not found, skipped\n", name);
        skip();
    }
    snprintf(name, sizeof name, "%s/test_data_set_%d/input_0.pb", folder, set);
    assert_true(map_file(name, &x));
    snprintf(name, sizeof name, "%s/test_data_set_%d/output_0.pb", folder, set);
    assert_true(map_file(name, &y));
    assert_int_equal(onnx_tensor_parse(x.data, x.size, &tx, &err), HEARTH_OK);
    assert_int_equal(onnx_tensor_parse(y.data, y.size, &ty, &err), HEARTH_OK);
    assert_int_equal(graph_constant(&a, &tx, &in, &err), HEARTH_OK);
    assert_int_equal(graph_constant(&a, &ty, &want, &err), HEARTH_OK);
    const tensor *inputs[64] = {&in}; // the others have initializers
    if (run_bytes(model.data, model.size, inputs, &o, &err) != HEARTH_OK) fail_msg("%s", err.msg);
    const tensor *have = graph_result(o.s, 0);
    assert_int_equal(tensor_items(have), tensor_items(&want));
    check(have, &want);
    close_all(&o);
    arena_release(&a);
    os_unmap(&model);
    os_unmap(&x);
    os_unmap(&y);
}

static void test_mnist(void **state)
{
    (void)state;
    for (int set = 0; set < 3; set++) check_set("onnx-mnist", "model.onnx", set, check_close);
}

static void test_superres(void **state)
{
    (void)state;
    check_set("onnx-superres", "model.onnx", 0, check_close);
}

static void test_shufflenet(void **state)
{
    (void)state;
    check_set("onnx-shufflenet-int8", "shufflenet-v2-12-int8.onnx", 0, check_top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),    cmocka_unit_test(test_damage),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_values),
        cmocka_unit_test(test_mnist),    cmocka_unit_test(test_superres),
        cmocka_unit_test(test_shufflenet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
