// If, Loop and Scan: the engine's part. See control.c.
#ifndef HEARTH_GRAPH_CONTROL_H
#define HEARTH_GRAPH_CONTROL_H

#include "graph/graph_int.h"

// Do bodies and node agree on the number of inputs and results?
hearth_status control_check(const graph_node *n, hearth_err *err);
// Arrays of a session for one node, and its end.
hearth_status control_bind(graph_session *s, int node, hearth_err *err);
void control_free(graph_session *s, int node);
hearth_status control_run(graph_session *s, int node, hearth_err *err);

#endif
