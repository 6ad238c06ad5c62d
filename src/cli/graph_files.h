// A graph and the files it came from; .pb and .npy tensors.
#ifndef HEARTH_CLI_GRAPH_FILES_H
#define HEARTH_CLI_GRAPH_FILES_H

#include "graph/graph.h"
#include "os/os.h"

typedef struct graph_file {
    os_mapping map;
    onnx_model *model;
    graph *g;
} graph_file;
hearth_status graph_file_open(const char *path, graph_file *out, hearth_err *err);
void graph_file_close(graph_file *f); // idempotent

// Tensors for a run; data belongs to `memory`.
hearth_status tensor_from_pb(const char *path, arena *memory, tensor *out, hearth_err *err);
hearth_status tensor_from_npy(const char *path, arena *memory, tensor *out, hearth_err *err);
hearth_status tensor_to_npy(const char *path, const tensor *t, hearth_err *err);

#endif
