// What an operator is: the only interface between the graph engine and the operator bodies.
//
// An operator is a row of constant data in a family file (op/unary.c, op/conv.c, ...) that shares
// loops among its members; op/ops.c lists the families. Adding one: a row {name, versions, inputs,
// attributes, shape, run} in the family it belongs to, or a new file with its own OP_FAMILY and a
// line in ops.c; the official tests named after it then count.
//
// Bodies see shapes, parameters and pointers, never the graph: no heap, files, threads or printing,
// so that a C generator can reuse them. What depends on attributes and shapes is refused in
// check() and shape(); what depends on values in run(), which returns a status and trusts nothing
// that it reads from a tensor. Memory beyond inputs and outputs is asked for with plan().
//
// Life of a node:  attributes parsed into params (attrs rows) -> check() once per node
//                  -> shape() as soon as the shapes, and the values named by `values`, are known
//                  -> plan() -> run().
//
// Half precision: with OP_WIDEN the engine converts float16 and bfloat16 inputs to float32 and the
// results back, one rounding each, and the body only knows float32.
#ifndef HEARTH_GRAPH_OP_OP_H
#define HEARTH_GRAPH_OP_OP_H

#include "defs/defs.h"
#include "defs/err.h"
#include "defs/limits.h"

enum { MAX_DIMS = LIMIT_GRAPH_DIMS };

typedef enum elem { // element types; ids are those of ONNX
    T_NONE, T_F32, T_U8, T_I8, T_U16, T_I16, T_I32, T_I64, T_STRING, T_BOOL, T_F16, T_F64, T_U32,
    T_U64, T_BF16 = 16, T_F8E4M3FN, T_F8E4M3FNUZ, T_F8E5M2, T_F8E5M2FNUZ, T_U4, T_I4, T_F4E2M1,
    T_F8E8M0, T_U2, T_I2, T_COUNT
} elem;
#define BIT(t) (1u << (t))
enum {
    TS_SINT = BIT(T_I8) | BIT(T_I16) | BIT(T_I32) | BIT(T_I64),
    TS_UINT = BIT(T_U8) | BIT(T_U16) | BIT(T_U32) | BIT(T_U64),
    TS_INT = TS_SINT | TS_UINT,
    TS_FLOAT = BIT(T_F32) | BIT(T_F64),
    TS_NUM = TS_INT | TS_FLOAT,
    TS_HALF = BIT(T_F16) | BIT(T_BF16),
    TS_PLAIN = TS_NUM | TS_HALF | BIT(T_BOOL),
    TS_SMALL = BIT(T_F8E4M3FN) | BIT(T_F8E4M3FNUZ) | BIT(T_F8E5M2) | BIT(T_F8E5M2FNUZ) |
               BIT(T_U4) | BIT(T_I4) | BIT(T_F4E2M1) | BIT(T_F8E8M0) | BIT(T_U2) | BIT(T_I2),
    TS_ALL = TS_PLAIN | TS_SMALL | BIT(T_STRING)
};
size_t elem_bytes(elem t); // in memory, where types below 8 bits take a byte; 0 for T_NONE
const char *elem_name(elem t);

typedef struct tensor {
    elem type;
    int n_dims; // -1: shape not known yet
    int64_t dim[MAX_DIMS];
    void *data; // NULL: values not known yet; contiguous, C order
} tensor;
int64_t tensor_items(const tensor *t); // product; shape is known and has been checked

typedef struct op_ints { int n; bool given; const int64_t *v; } op_ints;
typedef struct op_floats { int n; bool given; const float *v; } op_floats;
typedef struct op_text { size_t n; bool given; const char *p; } op_text;
typedef struct op_texts { int n; bool given; const op_text *v; } op_texts;

typedef enum op_attr_kind {
    OP_INT,     // int64_t, default `def`
    OP_FLOAT,   // float, default `def`
    OP_CHOICE,  // int64_t: index of the word in `choices`, default `def`
    OP_INTS,    // op_ints
    OP_FLOATS,  // op_floats
    OP_TEXT,    // op_text
    OP_TEXTS,   // op_texts
    OP_TENSOR,  // tensor with data, type T_NONE when absent
    OP_GRAPH,   // const struct onnx_graph *, which only the engine understands
    OP_IGNORED  // legal, without effect on results
} op_attr_kind;
typedef struct op_attr {
    const char *name;
    op_attr_kind kind;
    bool is_required;
    size_t at; // offset in the params structure
    double def;
    const char *choices;
} op_attr;

struct kern;
typedef struct op_call {
    const struct graph_op *op;
    const void *params;      // op->params_bytes
    int opset;               // of the operator's domain in this model
    int n_in, n_out;         // n_in counts up to the last input given
    const tensor *const *in; // NULL: left out
    tensor *const *out;      // NULL: nobody reads it
    void *scratch;           // of run(): what plan() asked for, 64-byte aligned
    hearth_err *err;
} op_call;

enum { // flags
    OP_WIDEN = 1,      // half precision through float32
    OP_BY_SHAPE = 2,   // the result depends on shapes alone (Shape, Size)
    OP_NO_FOLD = 4,    // not to be computed ahead of time (random numbers)
    OP_ANY_OUT = 8     // the first result may be left out, too
};

typedef enum op_control { CONTROL_NONE, CONTROL_IF, CONTROL_LOOP, CONTROL_SCAN } op_control;

typedef struct graph_op {
    const char *name;
    int since, until;    // versions of the operator set; until 0: still current
    // One letter per input: T one type of `types`, the same for all Ts; U the like, any type;
    // L int64; I int32 or int64; B bool; F float32 or float64; A any. ? after it: may be left out.
    // * after the last: one or more.
    const char *in;
    int n_out;           // at most; -1: any
    uint32_t types;      // of T
    unsigned flags;
    uint32_t values;     // bit i: shape() reads the values of input i
    const op_attr *attrs;
    int n_attrs;
    size_t params_bytes;
    const void *aux;     // what the family needs to tell its members apart
    op_control control;  // bodies that are graphs: the engine runs it, without shape() and run()
    hearth_status (*check)(const op_call *c);                // NULL: nothing to check
    hearth_status (*shape)(const op_call *c);                // types and dims of out
    hearth_status (*plan)(const op_call *c, size_t *scratch); // NULL: no scratch
    // May shorten dimensions of results when every input is in `values`.
    hearth_status (*run)(const op_call *c);
} graph_op;
#define OP_ATTRS(rows, type) .attrs = (rows), .n_attrs = (int)COUNTOF(rows), \
    .params_bytes = sizeof(type)

typedef struct op_family { const char *domain; const graph_op *ops; int n; } op_family;
#define OP_FAMILY(name, domain, rows) \
    extern const op_family name;      \
    const op_family name = {domain, rows, (int)COUNTOF(rows)}

extern const op_family *const op_families[]; // ends with NULL

// --- helpers for bodies (op/op_help.c, op/walk.c) ------------------------------------------------
#define op_fail(c, status, ...) err_fail((c)->err, status, __VA_ARGS__)
static inline const tensor *op_in(const op_call *c, int i) { return i < c->n_in ? c->in[i] : NULL; }
static inline tensor *op_out(const op_call *c, int i) { return i < c->n_out ? c->out[i] : NULL; }
static inline bool is_float(elem t) { return t < 32 && (BIT(t) & (TS_FLOAT | TS_HALF)) != 0; }

// Sets shape and type of an output (NULL is legal).
void tensor_set(tensor *t, elem type, int n_dims, const int64_t *dim);
bool tensor_same_shape(const tensor *a, const tensor *b);
// Axis in [-n, n) to [0, n).
hearth_status op_axis(const op_call *c, int64_t axis, int n, int *out);
// Several different axes as flags [n].
hearth_status op_axes(const op_call *c, const int64_t *axes, int64_t n_axes, int n, bool *out);
// Value i of an integer tensor (I or L).
int64_t tensor_int(const tensor *t, int64_t i);
// The value of a numeric or bool tensor as double; 0 for small types and strings.
double tensor_number(const tensor *t, int64_t i);
int64_t dims_product(const int64_t *dim, int from, int to); // dim[from..to)
// Shape after multidirectional broadcasting.
hearth_status op_broadcast(const op_call *c, const tensor *const *in, int n, tensor *out);
hearth_status op_like_first(const op_call *c); // shape(): all outputs like input 0

// A walk over the elements of a shape with up to four operands, each with its own strides (in
// elements). Adjacent dimensions that every operand steps through evenly are merged; the last one
// is the row that inner loops run over.
enum { WALK_MAX = 4 };
typedef struct walk {
    int n_operands, n_dims;             // of the outer dimensions
    int64_t dim[MAX_DIMS], at[MAX_DIMS];
    int64_t stride[WALK_MAX][MAX_DIMS];
    int64_t row, row_stride[WALK_MAX];
    int64_t offset[WALK_MAX];           // of the current row, elements
    bool done;
} walk;
void walk_init(walk *w, int n_dims, const int64_t *dim, int n_operands,
               const int64_t stride[][MAX_DIMS]);
void walk_next(walk *w);
void strides_of(const tensor *t, int64_t *stride); // contiguous
// Strides of `t` broadcast to `to`: 0 where it repeats.
void strides_broadcast(const tensor *t, const tensor *to, int64_t *stride);
// Copies elements of `size` bytes: dst contiguous over dim, src with strides from `src`.
void copy_strided(void *dst, const void *src, size_t size, int n_dims, const int64_t *dim,
                  const int64_t *stride);
// Address of element i.
static inline void *byte_at(const void *p, int64_t i, size_t size)
{
    return (char *)(uintptr_t)p + (size_t)i * size;
}

// y[m, n] = a[m, k] b[k, n]; strides of a and b in elements (op/matmul.c). Float, double, integers
// of 32 and 64 bits, which wrap.
typedef struct matrix { const void *p; int64_t row, col; } matrix;
void op_multiply(elem type, matrix a, matrix b, void *y, int64_t m, int64_t n, int64_t k);

// Codes of the formats of 8 bits and fewer (op/cast.c).
double small_decode(elem t, uint8_t code);
uint8_t small_encode(elem t, double v, bool saturate, int64_t round_mode);

// X(type id, C type) for every member of a set; bodies are written once as macros over these.
#define EACH_SINT(X) X(T_I8, int8_t) X(T_I16, int16_t) X(T_I32, int32_t) X(T_I64, int64_t)
#define EACH_UINT(X) X(T_U8, uint8_t) X(T_U16, uint16_t) X(T_U32, uint32_t) X(T_U64, uint64_t)
#define EACH_INT(X) EACH_SINT(X) EACH_UINT(X)
#define EACH_FLOAT(X) X(T_F32, float) X(T_F64, double)
#define EACH_NUM(X) EACH_INT(X) EACH_FLOAT(X)

#endif
