// Bodies inside graphs: a Loop made here, and silero-vad, which is Ifs around an LSTM.
#include "graph/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "os/os.h"
#include "support/onnx_make.h"
#include "support/test_data.h"

typedef struct opened { onnx_model *m; graph *g; graph_session *s; } opened;

static void open_model(const void *p, size_t n, const tensor *const *in, opened *o)
{
    hearth_err err = ERR_INIT;
    hearth_status st = onnx_open(p, n, &o->m, &err);
    if (st == HEARTH_OK) st = graph_open(o->m, &o->g, &err);
    if (st == HEARTH_OK) st = graph_prepare(o->g, in, &o->s, &err);
    if (st != HEARTH_OK) fail_msg("%s", err.msg);
}

static void close_all(opened *o)
{
    graph_session_free(o->s);
    graph_close(o->g);
    onnx_close(o->m);
}

static void test_loop(void **state)
{
    (void)state;
    int64_t m = 0;
    float x[2] = {1, -3};
    tensor trips = {.type = T_I64, .data = &m}, start = {.type = T_F32, 1, {2}, x};
    const tensor *in[2] = {&trips, &start};
    buf model;
    opened o = {NULL, NULL, NULL};
    onnx_make_loop(&model);
    open_model(model.p, model.n, in, &o);
    static const int64_t counts[] = {3, 0, 5, 1, -2};
    for (size_t k = 0; k < COUNTOF(counts); k++) { // one session, another length each time
        int64_t n = i64_max(counts[k], 0);
        m = counts[k];
        assert_int_equal(graph_run(o.s, in, NULL), HEARTH_OK);
        const tensor *acc = graph_result(o.s, 0), *rows = graph_result(o.s, 1);
        const float *a = acc->data, *r = rows->data;
        assert_true(acc->n_dims == 1 && acc->dim[0] == 2);
        assert_true(a[0] == (float)(n + 1) && a[1] == (float)(-3 * (n + 1)));
        assert_true(rows->n_dims == 2 && rows->dim[0] == n && rows->dim[1] == 2);
        for (int64_t i = 0; i < n; i++) assert_true(r[2 * i + 1] == (float)(-3 * (i + 2)));
    }
    close_all(&o);
    buf_release(&model);
}

// Every damaged byte gives a status; memory tools watch the rest. Trip counts stay small: the input
// is the only one.
static void test_damage(void **state)
{
    (void)state;
    int64_t m = 2;
    float x[2] = {1, 2};
    tensor trips = {.type = T_I64, .data = &m}, start = {.type = T_F32, 1, {2}, x};
    const tensor *in[2] = {&trips, &start};
    buf model;
    onnx_make_loop(&model);
    for (size_t i = 0; i < 8 * model.n; i++) {
        opened o = {NULL, NULL, NULL};
        hearth_err err = ERR_INIT;
        model.p[i / 8] = (char)(model.p[i / 8] ^ 1 << i % 8);
        hearth_status st = onnx_open(model.p, model.n, &o.m, &err);
        if (st == HEARTH_OK) st = graph_open(o.m, &o.g, &err);
        if (st == HEARTH_OK && graph_input_count(o.g) == 2) st = graph_prepare(o.g, in, &o.s, &err);
        if (o.s) st = graph_run(o.s, in, &err);
        assert_true((st == HEARTH_OK) == (err.msg[0] == 0));
        close_all(&o);
        model.p[i / 8] = (char)(model.p[i / 8] ^ 1 << i % 8);
    }
    buf_release(&model);
}

// Three frames, the state of each given to the next. Made with onnxruntime 1.31.1 from
//   x = ((np.arange(576) * 37 % 101) / 50 - 1).astype(np.float32)[None], state zeros, sr 16000
static const float silero_want[3][3] = { // probability, state[0, 0, 0], state[1, 0, 127]
    {0.008517295122146606f, -0.007801635656505823f, -0.9981669783592224f},
    {0.005285829305648804f, -0.08362282067537308f, -1.3600609302520752f},
    {0.005888998508453369f, -0.07003150880336761f, -1.7242993116378784f},
};

static void test_silero(void **state)
{
    (void)state;
    static float x[576], memory[2 * 128];
    int64_t rate = 16000;
    tensor frame = {T_F32, 2, {1, 576}, x}, past = {T_F32, 3, {2, 1, 128}, memory},
           sr = {.type = T_I64, .data = &rate};
    const tensor *in[3] = {&frame, &past, &sr};
    char path[512];
    os_mapping file;
    opened o = {NULL, NULL, NULL};
    bool found = test_data_path("vad-silero/silero_vad_16k_op15.onnx", path, sizeof path);
    if (!found || os_map_file(path, &file, NULL) != HEARTH_OK) {
        print_message("vad-silero not found, skipped\n");
        skip();
    }
    for (int i = 0; i < 576; i++) x[i] = (float)((double)(i * 37 % 101) / 50 - 1);
    open_model(file.data, file.size, in, &o);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(graph_run(o.s, in, NULL), HEARTH_OK);
        const float *p = graph_result(o.s, 0)->data, *next = graph_result(o.s, 1)->data;
        float have[3] = {p[0], next[0], next[255]};
        for (int i = 0; i < 3; i++) assert_true(fabsf(have[i] - silero_want[k][i]) < 1e-5f);
        for (int i = 0; i < 256; i++) memory[i] = next[i];
    }
    close_all(&o);
    os_unmap(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop), cmocka_unit_test(test_damage), cmocka_unit_test(test_silero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
