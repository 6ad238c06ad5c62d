// ModelProto, GraphProto, NodeProto, AttributeProto and ValueInfoProto. See onnx.h.
//
// Each message is read twice: once to count its repeated fields, which bounds the arrays by what
// the file really holds, and once to fill them. A subgraph is therefore scanned 2 * depth times;
// the depth limit keeps that linear.
#include "fmt/onnx_int.h"

#include <string.h>

enum { FIELD_MAX = 32 };
typedef struct field_counts { size_t n[FIELD_MAX]; } field_counts;

static hearth_status count_fields(pb_reader r, field_counts *out, hearth_err *err)
{
    pb_field f;
    bool more;
    memset(out, 0, sizeof *out);
    for (;;) {
        HEARTH_TRY(pb_next(&r, &f, &more, err));
        if (!more) return HEARTH_OK;
        if (f.number < FIELD_MAX) out->n[f.number]++;
    }
}

static hearth_status no_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_NOMEM, "out of memory for the index");
}

// Walks the fields of `r` with pb_next() and leaves the function on errors and at the end.
#define EACH_FIELD(r, f, err)                                    \
    for (bool more_ = true;;)                                    \
        if (pb_next(&(r), &(f), &more_, err) != HEARTH_OK) {     \
            return HEARTH_E_FORMAT;                              \
        } else if (!more_) {                                     \
            return HEARTH_OK;                                    \
        } else

// --- types of values ----------------------------------------------------------------------------

static hearth_status read_dimension(pb_reader r, onnx_value *v, hearth_err *err)
{
    if (v->n_dims == LIMIT_GRAPH_DIMS) {
        return err_fail(err, HEARTH_E_LIMIT, "more than %d dimensions", LIMIT_GRAPH_DIMS);
    }
    int d = v->n_dims++;
    pb_field f;
    v->dim[d] = -1;
    EACH_FIELD(r, f, err)
    {
        if (f.number == 1 && f.value <= (uint64_t)LIMIT_GRAPH_ITEMS) v->dim[d] = (int64_t)f.value;
        if (f.number == 2) v->symbol[d] = pb_str(&f);
    }
}

static hearth_status read_shape(pb_reader r, onnx_value *v, hearth_err *err)
{
    pb_field f;
    v->n_dims = 0;
    EACH_FIELD(r, f, err)
    {
        if (f.number == 1) HEARTH_TRY(read_dimension(f.bytes, v, err));
    }
}

static hearth_status read_tensor_type(pb_reader r, onnx_value *v, hearth_err *err)
{
    pb_field f;
    EACH_FIELD(r, f, err)
    {
        if (f.number == 1 && onnx_type_bytes((int64_t)f.value) > 0) v->type = (onnx_type)f.value;
        if (f.number == 2) HEARTH_TRY(read_shape(f.bytes, v, err));
    }
}

static onnx_value_kind kind_of_field(uint32_t number)
{
    switch (number) {
    case 1: return ONNX_VALUE_TENSOR;
    case 4: return ONNX_VALUE_SEQUENCE;
    case 5: return ONNX_VALUE_MAP;
    case 8: return ONNX_VALUE_SPARSE;
    case 9: return ONNX_VALUE_OPTIONAL;
    default: return ONNX_VALUE_UNKNOWN;
    }
}

static hearth_status read_type(pb_reader r, onnx_value *v, hearth_err *err)
{
    pb_field f;
    EACH_FIELD(r, f, err)
    {
        onnx_value_kind kind = kind_of_field(f.number);
        if (kind != ONNX_VALUE_UNKNOWN) v->kind = kind;
        if (kind == ONNX_VALUE_TENSOR) HEARTH_TRY(read_tensor_type(f.bytes, v, err));
    }
}

static hearth_status read_value(pb_reader r, onnx_value *v, hearth_err *err)
{
    pb_field f;
    v->n_dims = -1;
    EACH_FIELD(r, f, err)
    {
        if (f.number == 1) v->name = pb_str(&f);
        if (f.number == 2) HEARTH_TRY(read_type(f.bytes, v, err));
    }
}

// --- attributes ---------------------------------------------------------------------------------

static hearth_status read_graph(arena *a, pb_reader r, int depth, onnx_graph *g, hearth_err *err);

// Items of field `number`, packed or not, as 64-bit patterns; out NULL counts only.
static hearth_status collect_items(pb_reader r, uint32_t number, pb_wire wire, uint64_t *out,
                                   size_t *n, hearth_err *err)
{
    pb_field f;
    uint64_t v;
    bool bad = false;
    *n = 0;
    EACH_FIELD(r, f, err)
    {
        if (f.number != number) continue;
        if (f.wire == wire) {
            if (out) out[*n] = f.value;
            ++*n;
            continue;
        }
        while (f.wire == PB_BYTES && pb_item(&f.bytes, wire, &v, &bad)) {
            if (out) out[*n] = v;
            ++*n;
        }
        if (bad || f.wire != PB_BYTES) return err_fail(err, HEARTH_E_FORMAT, "damaged list");
    }
}

static float float_from_bits(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof f);
    return f;
}

static hearth_status read_numbers(arena *a, pb_reader r, onnx_attr *attr, hearth_err *err)
{
    bool is_float = attr->kind == ONNX_ATTR_FLOATS;
    uint32_t number = is_float ? 7 : 8;
    pb_wire wire = is_float ? PB_FIXED32 : PB_VARINT;
    HEARTH_TRY(collect_items(r, number, wire, NULL, &attr->n, err));
    uint64_t *bits = arena_new(a, uint64_t, attr->n);
    float *floats = is_float ? arena_new(a, float, attr->n) : NULL;
    if (!bits || (is_float && !floats)) return no_memory(err);
    HEARTH_TRY(collect_items(r, number, wire, bits, &attr->n, err));
    for (size_t i = 0; is_float && i < attr->n; i++) floats[i] = float_from_bits(bits[i]);
    attr->floats = floats;
    attr->ints = is_float ? NULL : (const int64_t *)bits;
    return HEARTH_OK;
}

static hearth_status read_attr_tensor(arena *a, pb_reader r, onnx_attr *attr, hearth_err *err)
{
    onnx_tensor *t = arena_new(a, onnx_tensor, 1);
    if (!t) return no_memory(err);
    attr->tensor = t;
    return onnx_read_tensor(r, t, err);
}

static hearth_status read_attr_graph(arena *a, pb_reader r, int depth, onnx_attr *attr,
                                     hearth_err *err)
{
    onnx_graph *g = arena_new(a, onnx_graph, 1);
    if (!g) return no_memory(err);
    attr->graph = g;
    return read_graph(a, r, depth + 1, g, err);
}

static hearth_status read_attr_fields(arena *a, pb_reader r, int depth, onnx_attr *attr,
                                      str *strings, hearth_err *err)
{
    pb_field f;
    EACH_FIELD(r, f, err)
    {
        switch (f.number) {
        case 1: attr->name = pb_str(&f); break;
        case 2: attr->f = float_from_bits(f.value); break;
        case 3: attr->i = (int64_t)f.value; break;
        case 4: attr->s = pb_str(&f); break;
        case 5: HEARTH_TRY(read_attr_tensor(a, f.bytes, attr, err)); break;
        case 6: HEARTH_TRY(read_attr_graph(a, f.bytes, depth, attr, err)); break;
        case 9: strings[attr->n++] = pb_str(&f); break;
        case 20: attr->kind = (onnx_attr_kind)size_min((size_t)f.value, ONNX_ATTR_STRINGS + 1);
                 break;
        case 21: attr->ref = pb_str(&f); break;
        default: break;
        }
    }
}

// Writers of before ONNX 1.0 left the type out; what is there says it.
static onnx_attr_kind guess_kind(const field_counts *counts)
{
    static const struct { int field; onnx_attr_kind kind; } rows[] = {
        {2, ONNX_ATTR_FLOAT}, {3, ONNX_ATTR_INT}, {4, ONNX_ATTR_STRING}, {5, ONNX_ATTR_TENSOR},
        {6, ONNX_ATTR_GRAPH}, {7, ONNX_ATTR_FLOATS}, {8, ONNX_ATTR_INTS}, {9, ONNX_ATTR_STRINGS},
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (counts->n[rows[i].field]) return rows[i].kind;
    }
    return ONNX_ATTR_NONE;
}

static hearth_status read_attr(arena *a, pb_reader r, int depth, onnx_attr *attr, hearth_err *err)
{
    field_counts counts;
    HEARTH_TRY(count_fields(r, &counts, err));
    str *strings = arena_new(a, str, counts.n[9]);
    if (!strings) return no_memory(err);
    attr->strings = strings;
    hearth_status st = read_attr_fields(a, r, depth, attr, strings, err);
    if (st == HEARTH_OK && attr->kind == ONNX_ATTR_NONE) attr->kind = guess_kind(&counts);
    bool is_list = attr->kind == ONNX_ATTR_FLOATS || attr->kind == ONNX_ATTR_INTS;
    if (st == HEARTH_OK && is_list) st = read_numbers(a, r, attr, err);
    bool is_whole = (attr->kind != ONNX_ATTR_TENSOR || attr->tensor) &&
                    (attr->kind != ONNX_ATTR_GRAPH || attr->graph);
    if (st == HEARTH_OK && !is_whole) st = err_fail(err, HEARTH_E_FORMAT, "its value is missing");
    if (st != HEARTH_OK) err_prefix(err, "attribute '%.*s': ", STR_ARG(attr->name));
    return st;
}

// --- nodes and graphs ---------------------------------------------------------------------------

typedef struct node_arrays { str *in, *out; onnx_attr *attr; } node_arrays;

static hearth_status read_node_fields(arena *a, pb_reader r, int depth, onnx_node *n,
                                      node_arrays *to, hearth_err *err)
{
    pb_field f;
    EACH_FIELD(r, f, err)
    {
        switch (f.number) {
        case 1: to->in[n->n_in++] = pb_str(&f); break;
        case 2: to->out[n->n_out++] = pb_str(&f); break;
        case 3: n->name = pb_str(&f); break;
        case 4: n->op = pb_str(&f); break;
        case 5: HEARTH_TRY(read_attr(a, f.bytes, depth, &to->attr[n->n_attr++], err)); break;
        case 7: n->domain = pb_str(&f); break;
        default: break;
        }
    }
}

static hearth_status read_node(arena *a, pb_reader r, int depth, onnx_node *n, hearth_err *err)
{
    field_counts counts;
    HEARTH_TRY(count_fields(r, &counts, err));
    if (counts.n[1] > LIMIT_GRAPH_IO || counts.n[2] > LIMIT_GRAPH_IO) {
        return err_fail(err, HEARTH_E_LIMIT, "a node with more than %d inputs or outputs",
                        LIMIT_GRAPH_IO);
    }
    node_arrays to = {arena_new(a, str, counts.n[1]), arena_new(a, str, counts.n[2]),
                      arena_new(a, onnx_attr, counts.n[5])};
    if (!to.in || !to.out || !to.attr) return no_memory(err);
    n->in = to.in;
    n->out = to.out;
    n->attr = to.attr;
    hearth_status st = read_node_fields(a, r, depth, n, &to, err);
    if (st == HEARTH_OK && str_eq(n->domain, STR("ai.onnx"))) n->domain = (str){"", 0};
    if (st != HEARTH_OK) err_prefix(err, "node '%.*s' (%.*s): ", STR_ARG(n->name), STR_ARG(n->op));
    return st;
}

typedef struct graph_arrays {
    onnx_node *nodes;
    onnx_tensor *tensors;
    onnx_value *inputs, *outputs, *infos;
} graph_arrays;

static hearth_status read_graph_fields(arena *a, pb_reader r, int depth, onnx_graph *g,
                                       graph_arrays *to, hearth_err *err)
{
    pb_field f;
    EACH_FIELD(r, f, err)
    {
        switch (f.number) {
        case 1: HEARTH_TRY(read_node(a, f.bytes, depth, &to->nodes[g->n_nodes++], err)); break;
        case 2: g->name = pb_str(&f); break;
        case 5: HEARTH_TRY(onnx_read_tensor(f.bytes, &to->tensors[g->n_tensors++], err)); break;
        case 11: HEARTH_TRY(read_value(f.bytes, &to->inputs[g->n_inputs++], err)); break;
        case 12: HEARTH_TRY(read_value(f.bytes, &to->outputs[g->n_outputs++], err)); break;
        case 13: HEARTH_TRY(read_value(f.bytes, &to->infos[g->n_infos++], err)); break;
        case 15: return err_fail(err, HEARTH_E_UNSUPPORTED, "sparse initializers");
        default: break;
        }
    }
}

static hearth_status read_graph(arena *a, pb_reader r, int depth, onnx_graph *g, hearth_err *err)
{
    field_counts counts;
    if (depth > LIMIT_GRAPH_DEPTH) {
        return err_fail(err, HEARTH_E_LIMIT, "graphs nested deeper than %d", LIMIT_GRAPH_DEPTH);
    }
    HEARTH_TRY(count_fields(r, &counts, err));
    if (counts.n[1] > LIMIT_GRAPH_NODES) {
        return err_fail(err, HEARTH_E_LIMIT, "%zu nodes, at most %d", counts.n[1],
                        LIMIT_GRAPH_NODES);
    }
    graph_arrays to = {arena_new(a, onnx_node, counts.n[1]), arena_new(a, onnx_tensor, counts.n[5]),
                       arena_new(a, onnx_value, counts.n[11]),
                       arena_new(a, onnx_value, counts.n[12]),
                       arena_new(a, onnx_value, counts.n[13])};
    if (!to.nodes || !to.tensors || !to.inputs || !to.outputs || !to.infos) return no_memory(err);
    g->nodes = to.nodes;
    g->tensors = to.tensors;
    g->inputs = to.inputs;
    g->outputs = to.outputs;
    g->infos = to.infos;
    return read_graph_fields(a, r, depth, g, &to, err);
}

// --- the model ----------------------------------------------------------------------------------

static hearth_status read_opset(pb_reader r, onnx_opset *out, hearth_err *err)
{
    pb_field f;
    EACH_FIELD(r, f, err)
    {
        if (f.number == 1) out->domain = pb_str(&f);
        if (f.number == 2) out->version = (int64_t)f.value;
        if (str_eq(out->domain, STR("ai.onnx"))) out->domain = (str){"", 0};
    }
}

static hearth_status read_model_fields(onnx_model *m, pb_reader r, onnx_opset *opsets,
                                       hearth_err *err)
{
    pb_field f;
    bool has_graph = false;
    EACH_FIELD(r, f, err)
    {
        switch (f.number) {
        case 1: m->ir_version = (int64_t)f.value; break;
        case 2: m->producer = pb_str(&f); break;
        case 7:
            if (has_graph) return err_fail(err, HEARTH_E_FORMAT, "more than one graph");
            has_graph = true;
            HEARTH_TRY(read_graph(&m->memory, f.bytes, 0, &m->graph, err));
            break;
        case 8: HEARTH_TRY(read_opset(f.bytes, &opsets[m->n_opsets++], err)); break;
        case 25: m->n_functions++; break;
        default: break;
        }
    }
}

static hearth_status read_model(onnx_model *m, pb_reader r, hearth_err *err)
{
    field_counts counts;
    HEARTH_TRY(count_fields(r, &counts, err));
    if (!counts.n[7] || !counts.n[8]) {
        return err_fail(err, HEARTH_E_FORMAT, "no ONNX model: it has no %s",
                        counts.n[7] ? "opset" : "graph");
    }
    onnx_opset *opsets = arena_new(&m->memory, onnx_opset, counts.n[8]);
    if (!opsets) return no_memory(err);
    m->opsets = opsets;
    return read_model_fields(m, r, opsets, err);
}

hearth_status onnx_open(const void *data, size_t n, onnx_model **out, hearth_err *err)
{
    *out = NULL;
    onnx_model *m = mem_alloc_zero(MEM_MODEL, 1, sizeof *m);
    if (!m) return no_memory(err);
    arena_init(&m->memory, MEM_MODEL, LIMIT_GRAPH_MEMORY);
    hearth_status st = read_model(m, pb_over(data, n), err);
    if (st != HEARTH_OK) {
        onnx_close(m);
        return st;
    }
    *out = m;
    return HEARTH_OK;
}

void onnx_close(onnx_model *m)
{
    if (!m) return;
    arena_release(&m->memory);
    mem_free(m);
}
