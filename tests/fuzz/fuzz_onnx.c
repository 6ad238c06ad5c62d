// Fuzzes ONNX models from bytes to results: reader, attributes, shapes, operators. Inputs are ramps
// of the model's own shapes; unknown dimensions are 2. Large models are not run, only opened.
#include <stdlib.h>

#include "graph/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUTS = 8, BYTES_MAX = 1 << 16 };
static uint64_t values[BYTES_MAX / 8];

static bool make_input(const graph_port *p, tensor *t)
{
    int64_t n = 1;
    *t = p->t;
    if (t->type == T_NONE) t->type = T_F32;
    if (t->type == T_STRING) return false;
    if (t->n_dims < 0) t->n_dims = 1, t->dim[0] = -1;
    for (int d = 0; d < t->n_dims; d++) {
        if (t->dim[d] < 0) t->dim[d] = 2;
        if (!mul_ok_i64(n, t->dim[d], &n) || n > BYTES_MAX / 8) return false;
    }
    t->data = values;
    return true;
}

static void run(const graph *g)
{
    tensor given[INPUTS];
    const tensor *in[INPUTS];
    graph_session *s = NULL;
    if (graph_input_count(g) > INPUTS) return;
    for (int i = 0; i < graph_input_count(g); i++) {
        if (!make_input(graph_input(g, i), &given[i])) return;
        in[i] = &given[i];
    }
    hearth_err err = ERR_INIT;
    hearth_status st = graph_prepare(g, in, &s, &err);
    if ((st == HEARTH_OK) != (s != NULL) || (st == HEARTH_OK) != (err.msg[0] == 0)) abort();
    if (s && graph_arena_bytes(s) < 1 << 24) graph_run(s, in, NULL);
    graph_session_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    onnx_model *m = NULL;
    graph *g = NULL;
    hearth_err err = ERR_INIT;
    for (size_t i = 0; i < COUNTOF(values); i++) values[i] = i % 7;
    hearth_status st = onnx_open(data, size, &m, &err);
    if ((st == HEARTH_OK) != (m != NULL) || (st == HEARTH_OK) != (err.msg[0] == 0)) abort();
    if (m && graph_open(m, &g, NULL) == HEARTH_OK) run(g);
    graph_close(g);
    onnx_close(m);
    return 0;
}
