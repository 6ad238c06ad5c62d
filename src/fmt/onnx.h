// ONNX models: a checked index over a ModelProto that somebody else mapped.
//
//   ModelProto  1 ir_version, 2 producer_name, 7 graph, 8 opset_import*{1 domain, 2 version},
//               25 functions*
//   GraphProto  1 node*, 2 name, 5 initializer*, 11 input*, 12 output*, 13 value_info*
//   NodeProto   1 input*, 2 output*, 3 name, 4 op_type, 5 attribute*, 7 domain
//   TensorProto 1 dims*, 2 data_type, 4 float_data, 5 int32_data, 6 string_data, 7 int64_data,
//               8 name, 9 raw_data, 10 double_data, 11 uint64_data, 14 data_location
//
// onnx_open() walks the file and builds arrays of slices; weights and strings stay where they are
// mapped, and the mapping must outlive the index. It proves: every length inside its parent,
// nesting at most LIMIT_GRAPH_DEPTH, known element types, dimensions >= 0 with products that do not
// overflow, and tensor data of exactly the size that the shape asks for. What the graph *means*
// (names that resolve, operators that exist) is checked by graph/. External data is refused.
//
// Elements of 2 and 4 bits are packed in files, low bits first, and one byte each in memory.
#ifndef HEARTH_FMT_ONNX_H
#define HEARTH_FMT_ONNX_H

#include "base/arena.h"
#include "base/str.h"
#include "defs/limits.h"
#include "fmt/protobuf.h"

typedef enum onnx_type { // TensorProto.DataType
    ONNX_UNDEFINED, ONNX_F32, ONNX_U8, ONNX_I8, ONNX_U16, ONNX_I16, ONNX_I32, ONNX_I64, ONNX_STRING,
    ONNX_BOOL, ONNX_F16, ONNX_F64, ONNX_U32, ONNX_U64, ONNX_C64, ONNX_C128, ONNX_BF16,
    ONNX_F8E4M3FN, ONNX_F8E4M3FNUZ, ONNX_F8E5M2, ONNX_F8E5M2FNUZ, ONNX_U4, ONNX_I4, ONNX_F4E2M1,
    ONNX_F8E8M0, ONNX_U2, ONNX_I2, ONNX_TYPE_COUNT
} onnx_type;
const char *onnx_type_name(int64_t type); // "float32"; "unknown type" when it is none
// Bytes of one element in memory (a str for strings); 0 when it is no element type.
size_t onnx_type_bytes(int64_t type);

typedef struct onnx_tensor {
    str name;
    onnx_type type;
    int n_dims;
    int64_t dim[LIMIT_GRAPH_DIMS]; // >= 0
    int64_t n;                     // elements, their product
    bool is_raw;                   // `data` holds the elements; otherwise typed fields are in it
    pb_reader data;
} onnx_tensor;
// Unpacks t->n elements of onnx_type_bytes() each; strings become slices into the mapping.
void onnx_tensor_read(const onnx_tensor *t, void *out);

typedef struct onnx_graph onnx_graph;
typedef enum onnx_attr_kind { // AttributeProto.AttributeType
    ONNX_ATTR_NONE, ONNX_ATTR_FLOAT, ONNX_ATTR_INT, ONNX_ATTR_STRING, ONNX_ATTR_TENSOR,
    ONNX_ATTR_GRAPH, ONNX_ATTR_FLOATS, ONNX_ATTR_INTS, ONNX_ATTR_STRINGS
} onnx_attr_kind;
typedef struct onnx_attr {
    str name, ref; // ref: of a function's parameter that gives the value
    onnx_attr_kind kind;
    float f;
    int64_t i;
    str s;
    const onnx_tensor *tensor;
    const onnx_graph *graph;
    size_t n; // of the lists
    const float *floats;
    const int64_t *ints;
    const str *strings;
} onnx_attr;

typedef struct onnx_node {
    str name, op, domain; // domain: "" for ai.onnx
    size_t n_in, n_out, n_attr;
    const str *in, *out; // names; empty: left out
    const onnx_attr *attr;
} onnx_node;

typedef enum onnx_value_kind {
    ONNX_VALUE_UNKNOWN, ONNX_VALUE_TENSOR, ONNX_VALUE_SEQUENCE, ONNX_VALUE_MAP, ONNX_VALUE_SPARSE,
    ONNX_VALUE_OPTIONAL
} onnx_value_kind;
typedef struct onnx_value {
    str name;
    onnx_value_kind kind;
    onnx_type type;                // of tensors
    int n_dims;                    // -1: rank unknown
    int64_t dim[LIMIT_GRAPH_DIMS]; // -1: unknown or symbolic
    str symbol[LIMIT_GRAPH_DIMS];  // of symbolic dimensions
} onnx_value;

struct onnx_graph {
    str name;
    size_t n_nodes, n_tensors, n_inputs, n_outputs, n_infos;
    const onnx_node *nodes;
    const onnx_tensor *tensors; // initializers
    const onnx_value *inputs, *outputs, *infos;
};

typedef struct onnx_opset { str domain; int64_t version; } onnx_opset;
typedef struct onnx_model {
    int64_t ir_version;
    str producer;
    size_t n_opsets, n_functions;
    const onnx_opset *opsets;
    onnx_graph graph;
    arena memory; // of the index
} onnx_model;

hearth_status onnx_open(const void *data, size_t n, onnx_model **out, hearth_err *err);
void onnx_close(onnx_model *m); // NULL is legal
// A file that is one TensorProto.
hearth_status onnx_tensor_parse(const void *data, size_t n, onnx_tensor *out, hearth_err *err);

#endif
