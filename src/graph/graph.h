// The graph engine: a model as typed values and operators, prepared for shapes, run.
//
//   graph_open     names resolved, operators found, attributes parsed; refuses what it cannot run
//   graph_prepare  shapes and types of everything that does not depend on values; constants
//                  computed; lifetimes turned into offsets of one arena
//   graph_run      the nodes in order. A node whose shapes depend on values gets them, and its
//                  memory, when its turn comes; all others were fixed by graph_prepare
//
// The model's bytes must outlive the graph, the graph its sessions. A graph may be shared by
// threads; a session belongs to one at a time. Messages name node, operator, domain and opset.
#ifndef HEARTH_GRAPH_GRAPH_H
#define HEARTH_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/str.h"
#include "fmt/onnx.h"
#include "graph/op/op.h"

typedef struct graph graph;
hearth_status graph_open(const onnx_model *m, graph **out, hearth_err *err);
void graph_close(graph *g); // NULL is legal

typedef struct graph_port {
    str name;
    tensor t;          // dim -1: any; n_dims -1: any rank; T_NONE: unknown
    bool is_tensor;    // or a sequence, a map, ...
    bool has_default;  // an initializer of this name stands in when no value is given
} graph_port;
int graph_input_count(const graph *g);
const graph_port *graph_input(const graph *g, int i);
int graph_output_count(const graph *g);
const graph_port *graph_output(const graph *g, int i);

typedef struct graph_session graph_session;
// inputs: [graph_input_count], NULL for those that have a default; only types and shapes count.
hearth_status graph_prepare(const graph *g, const tensor *const *inputs, graph_session **out,
                            hearth_err *err);
void graph_session_free(graph_session *s); // NULL is legal
// The same inputs with data, read in place while this runs.
hearth_status graph_run(graph_session *s, const tensor *const *inputs, hearth_err *err);
// Valid until the next graph_run().
const tensor *graph_result(const graph_session *s, int i);
// Bytes of the arena: all that static nodes need.
size_t graph_arena_bytes(const graph_session *s);

// A tensor of a file as the engine takes it: aligned raw elements in place, others unpacked.
hearth_status graph_constant(arena *a, const onnx_tensor *t, tensor *out, hearth_err *err);

// A readable listing; with a session also what is known of shapes.
hearth_status graph_print(const graph *g, const graph_session *s, buf *out);
// Does the engine have this operator, in any version?
bool graph_has_op(str domain, str name);

#endif
