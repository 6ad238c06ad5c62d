// Attributes of a node into its operator's params structure, by the operator's rows.
//
// An attribute that the operator does not know is an error: it would change the result silently.
#include "graph/graph_int.h"

#include <string.h>

static hearth_status wrong_kind(hearth_err *err)
{
    return err_fail(err, HEARTH_E_FORMAT, "its value has another type than the operator wants");
}

static bool word_at(const char *choices, int index, str *out)
{
    str rest = str_from(choices);
    for (int i = 0; rest.n; i++) {
        str word = str_cut(&rest, ' ');
        if (i == index) {
            *out = word;
            return true;
        }
    }
    return false;
}

static hearth_status read_choice(const op_attr *row, str text, int64_t *out, hearth_err *err)
{
    str word;
    for (int i = 0; word_at(row->choices, i, &word); i++) {
        if (str_eq(word, text)) {
            *out = i;
            return HEARTH_OK;
        }
    }
    return err_fail(err, HEARTH_E_UNSUPPORTED, "'%.*s' is none of: %s", STR_ARG(text),
                    row->choices);
}

static hearth_status read_texts(arena *a, const onnx_attr *o, op_texts *out, hearth_err *err)
{
    op_text *v = arena_new(a, op_text, o->n);
    if (!v) return err_fail(err, HEARTH_E_NOMEM, "out of memory for its strings");
    for (size_t i = 0; i < o->n; i++) v[i] = (op_text){o->strings[i].n, true, o->strings[i].p};
    *out = (op_texts){(int)o->n, true, v};
    return HEARTH_OK;
}

static hearth_status read_value(arena *a, const op_attr *row, const onnx_attr *o, void *at,
                                hearth_err *err)
{
    static const onnx_attr_kind want[] = {
        [OP_INT] = ONNX_ATTR_INT, [OP_FLOAT] = ONNX_ATTR_FLOAT, [OP_CHOICE] = ONNX_ATTR_STRING,
        [OP_INTS] = ONNX_ATTR_INTS, [OP_FLOATS] = ONNX_ATTR_FLOATS, [OP_TEXT] = ONNX_ATTR_STRING,
        [OP_TEXTS] = ONNX_ATTR_STRINGS, [OP_TENSOR] = ONNX_ATTR_TENSOR,
        [OP_GRAPH] = ONNX_ATTR_GRAPH, [OP_IGNORED] = ONNX_ATTR_NONE,
    };
    if (row->kind == OP_IGNORED) return HEARTH_OK;
    if (o->ref.n) return err_fail(err, HEARTH_E_UNSUPPORTED, "it refers to a function's parameter");
    if (o->kind != want[row->kind]) return wrong_kind(err);
    if (o->n > INT32_MAX) return err_fail(err, HEARTH_E_LIMIT, "%zu values", o->n);
    switch (row->kind) {
    case OP_INT: *(int64_t *)at = o->i; break;
    case OP_FLOAT: *(float *)at = o->f; break;
    case OP_CHOICE: return read_choice(row, o->s, at, err);
    case OP_INTS: *(op_ints *)at = (op_ints){(int)o->n, true, o->ints}; break;
    case OP_FLOATS: *(op_floats *)at = (op_floats){(int)o->n, true, o->floats}; break;
    case OP_TEXT: *(op_text *)at = (op_text){o->s.n, true, o->s.p}; break;
    case OP_TEXTS: return read_texts(a, o, at, err);
    case OP_TENSOR: return graph_constant(a, o->tensor, at, err);
    case OP_GRAPH: *(const onnx_graph **)at = o->graph; break;
    case OP_IGNORED: break;
    }
    return HEARTH_OK;
}

static const op_attr *find_row(const graph_op *op, str name)
{
    for (int i = 0; i < op->n_attrs; i++) {
        if (str_eq_z(name, op->attrs[i].name)) return &op->attrs[i];
    }
    return NULL;
}

static hearth_status read_one(arena *a, const graph_op *op, const onnx_attr *o, void *params,
                              hearth_err *err)
{
    const op_attr *row = find_row(op, o->name);
    hearth_status st = row ? read_value(a, row, o, (char *)params + row->at, err)
                           : err_fail(err, HEARTH_E_UNSUPPORTED, "it is not supported");
    if (st != HEARTH_OK) err_prefix(err, "attribute '%.*s': ", STR_ARG(o->name));
    return st;
}

static void set_default(const op_attr *row, void *at)
{
    if (row->kind == OP_INT || row->kind == OP_CHOICE) *(int64_t *)at = (int64_t)row->def;
    if (row->kind == OP_FLOAT) *(float *)at = (float)row->def;
}

static bool has_attr(const onnx_node *n, const char *name)
{
    for (size_t i = 0; i < n->n_attr; i++) {
        if (str_eq_z(n->attr[i].name, name)) return true;
    }
    return false;
}

hearth_status graph_read_attrs(arena *a, const graph_op *op, const onnx_node *n, void *params,
                               hearth_err *err)
{
    for (int i = 0; i < op->n_attrs; i++) {
        const op_attr *row = &op->attrs[i];
        set_default(row, (char *)params + row->at);
        if (row->is_required && !has_attr(n, row->name)) {
            return err_fail(err, HEARTH_E_FORMAT, "attribute '%s' is missing", row->name);
        }
    }
    for (size_t i = 0; i < n->n_attr; i++) HEARTH_TRY(read_one(a, op, &n->attr[i], params, err));
    return HEARTH_OK;
}
