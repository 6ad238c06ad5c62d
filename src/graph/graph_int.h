// What the files of the graph engine share; nobody else includes this.
#ifndef HEARTH_GRAPH_GRAPH_INT_H
#define HEARTH_GRAPH_GRAPH_INT_H

#include "base/map.h"
#include "graph/graph.h"

typedef struct graph_value {
    str name;
    tensor t;      // of initializers, with data; otherwise unknown
    bool is_const;
} graph_value;

typedef struct graph_node {
    const graph_op *op;
    str name, domain;
    int opset;
    int n_in, n_out;
    const int *in, *out; // values; -1: left out
    const void *params;
    // Of If, Loop and Scan: their bodies. in[sub_first[k]...] are the values that body k captures.
    int n_own_in, n_sub; // own: inputs that the model gives; the captured ones follow
    graph *const *sub;
    const int *sub_first;
} graph_node;

struct graph {
    arena memory; // empty in a body: all is in that of the outermost graph
    int n_values, n_nodes, n_inputs, n_outputs;
    graph_value *values;
    graph_node *nodes;       // each after the nodes it reads from
    graph_port *inputs, *outputs;
    int *input_value, *output_value;
    int n_captured; // the last inputs of a body are values of the graph around it
    int *captured;  // their numbers there
};

typedef enum value_state {
    VALUE_UNKNOWN, // shape comes when it runs
    VALUE_SHAPED,  // shape is fixed, memory in the arena or from the caller
    VALUE_CONST    // values are known
} value_state;

typedef struct session_value {
    tensor t;
    value_state state;
    int last_use;     // node, n_nodes for results
    void *owned;      // heap block of a value whose shape came when it ran
} session_value;

typedef struct session_node {
    op_call call;   // its arrays point to tensors of session_value
    bool is_static; // shapes are known since graph_prepare()
    bool is_done;   // all results are constants
    size_t scratch_bytes, scratch_at; // of static nodes; at: in the block
    graph_session **sub;   // of bodies, NULL before they run
    const tensor **sub_in; // inputs of the body that runs
    bool *sub_known;       // which of them are constants
} session_node;

struct graph_session {
    const graph *g;
    arena memory;           // this structure's arrays and constants
    session_value *values;  // [n_values]
    session_node *nodes;    // [n_nodes]
    tensor *wide;           // float32 stand-ins for half precision, for the widest node
    const tensor **wide_in;
    tensor **wide_out;
    uint8_t *block;         // the planned arena
    size_t block_bytes;
};

hearth_status graph_read_attrs(arena *a, const graph_op *op, const onnx_node *n, void *params,
                               hearth_err *err);
const graph_op *graph_find_op(str domain, str name, int64_t opset);

// One node of a session. The engine's part around an operator's functions: types of inputs checked
// before, sizes of results after, half precision widened, messages completed. See node.c.
bool node_can_shape(const graph_session *s, int node, bool is_running);
hearth_status node_shape(graph_session *s, int node, hearth_err *err);
hearth_status node_scratch(graph_session *s, int node, size_t *out, hearth_err *err);
hearth_status node_run(graph_session *s, int node, void *scratch, hearth_err *err);
size_t tensor_bytes(const tensor *t);
hearth_status node_blame(const graph_node *n, hearth_status st, hearth_err *err); // whose fault

// graph_prepare() with inputs whose values are known (NULL: none); their data must stay.
hearth_status session_prepare(const graph *g, const tensor *const *inputs, const bool *known,
                              graph_session **out, hearth_err *err);
void session_drop(session_value *v); // the heap block of a value

// Live ranges to offsets. See plan.c.
typedef struct plan_item { int first, last; size_t bytes, offset; } plan_item;
// Fills the offsets; `order` is scratch of n ints. Returns the size of the whole.
size_t plan_offsets(plan_item *items, int n, int *order);

#endif
