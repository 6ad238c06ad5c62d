// If, Loop and Scan: nodes whose bodies are graphs.
//
//   inputs of a body:  its own (state, slices), then the values it captures from around it
//
// A body has a session of its own, made when it first runs and kept while types and shapes of its
// inputs stay the same. Captured constants are constants in the body too. Results live in the
// body's session until it runs again, so everything that goes from one iteration to the next, or
// out of the node, is copied. All of this happens while running: shapes of results are known only
// afterwards, and memory comes from the heap.
#include "graph/control.h"

#include "graph/op/control_ops.h"

#include <string.h>

static hearth_status no_memory(hearth_err *err)
{
    return err_fail(err, HEARTH_E_NOMEM, "out of memory for a loop");
}

// --- building -----------------------------------------------------------------------------------

static int own_inputs(const graph *body)
{
    return body->n_inputs - body->n_captured;
}

static hearth_status check_body(const graph *body, int n_in, int n_out, hearth_err *err)
{
    if (own_inputs(body) != n_in) {
        return err_fail(err, HEARTH_E_FORMAT, "its body has %d inputs where %d are given",
                        own_inputs(body), n_in);
    }
    if (body->n_outputs < n_out) {
        return err_fail(err, HEARTH_E_FORMAT, "its body has %d results, %d are wanted",
                        body->n_outputs, n_out);
    }
    return HEARTH_OK;
}

hearth_status control_check(const graph_node *n, hearth_err *err)
{
    const control_params *p = n->params;
    int n_state = n->n_own_in - (int)p->n_scan_inputs;
    switch (n->op->control) {
    case CONTROL_IF:
        if (n->n_own_in != 1) return err_fail(err, HEARTH_E_FORMAT, "%d inputs", n->n_own_in);
        HEARTH_TRY(check_body(n->sub[0], 0, n->n_out, err));
        return check_body(n->sub[1], 0, n->n_out, err);
    case CONTROL_LOOP:
        HEARTH_TRY(check_body(n->sub[0], int_max(n->n_own_in, 2), n->n_out + 1, err));
        n_state = int_max(n->n_own_in - 2, 0);
        if (n->sub[0]->n_outputs >= n_state + 1) return HEARTH_OK;
        break;
    default:
        HEARTH_TRY(check_body(n->sub[0], n->n_own_in, n->n_out, err));
        if (n->sub[0]->n_outputs >= n_state) return HEARTH_OK;
        break;
    }
    return err_fail(err, HEARTH_E_FORMAT, "its body has fewer results than states");
}

// --- running a body -----------------------------------------------------------------------------

static bool fits_session(const graph_session *s, const tensor *const *in)
{
    for (int i = 0; i < s->g->n_inputs; i++) {
        const session_value *v = &s->values[s->g->input_value[i]];
        if (!in[i] || in[i]->type != v->t.type || !tensor_same_shape(in[i], &v->t)) return false;
    }
    return true;
}

static const tensor *node_input(const graph_session *s, const graph_node *n, int i)
{
    return i < n->n_own_in && n->in[i] >= 0 ? &s->values[n->in[i]].t : NULL;
}

// Body k on its own inputs; *out is its session with the results.
static hearth_status run_body(graph_session *s, int node, int k, const tensor *const *own,
                              graph_session **out, hearth_err *err)
{
    const graph_node *n = &s->g->nodes[node];
    const graph *body = n->sub[k];
    session_node *sn = &s->nodes[node];
    int n_own = own_inputs(body), first = n->sub_first[k];
    for (int i = 0; i < n_own; i++) sn->sub_in[i] = own[i], sn->sub_known[i] = false;
    for (int i = 0; i < body->n_captured; i++) {
        const session_value *v = &s->values[n->in[first + i]];
        sn->sub_in[n_own + i] = &v->t;
        sn->sub_known[n_own + i] = v->state == VALUE_CONST;
    }
    if (sn->sub[k] && !fits_session(sn->sub[k], sn->sub_in)) {
        graph_session_free(sn->sub[k]);
        sn->sub[k] = NULL;
    }
    if (!sn->sub[k]) {
        HEARTH_TRY(session_prepare(body, sn->sub_in, sn->sub_known, &sn->sub[k], err));
    }
    *out = sn->sub[k];
    return graph_run(*out, sn->sub_in, err);
}

// A result of the node of this type and shape, with memory.
static hearth_status set_result(graph_session *s, int value, const tensor *like, hearth_err *err)
{
    session_value *v = &s->values[value];
    session_drop(v);
    tensor_set(&v->t, like->type, like->n_dims, like->dim);
    v->owned = mem_alloc(MEM_SCRATCH, size_max(tensor_bytes(&v->t), 1));
    v->t.data = v->owned;
    return v->owned ? HEARTH_OK : no_memory(err);
}

static hearth_status copy_result(graph_session *s, int value, const tensor *from, hearth_err *err)
{
    if (value < 0) return HEARTH_OK;
    HEARTH_TRY(set_result(s, value, from, err));
    size_t n = tensor_bytes(from);
    if (n) memcpy(s->values[value].t.data, from->data, n);
    return HEARTH_OK;
}

// --- If -----------------------------------------------------------------------------------------

static hearth_status read_bool(const tensor *t, bool *out, hearth_err *err)
{
    if (t->type != T_BOOL || tensor_items(t) != 1) {
        return err_fail(err, HEARTH_E_FORMAT, "a condition that is no bool");
    }
    *out = *(const uint8_t *)t->data != 0;
    return HEARTH_OK;
}

static hearth_status run_if(graph_session *s, int node, hearth_err *err)
{
    const graph_node *n = &s->g->nodes[node];
    const tensor *cond = node_input(s, n, 0);
    graph_session *body = NULL;
    bool is_true = false;
    if (!cond) return err_fail(err, HEARTH_E_FORMAT, "no condition");
    HEARTH_TRY(read_bool(cond, &is_true, err));
    HEARTH_TRY(run_body(s, node, is_true ? 0 : 1, NULL, &body, err));
    for (int i = 0; i < n->n_out; i++) {
        HEARTH_TRY(copy_result(s, n->out[i], graph_result(body, i), err));
    }
    return HEARTH_OK;
}

// --- Loop and Scan: states that go round, rows that pile up --------------------------------------

typedef struct state { tensor t; buf now, next; } state; // t.data: the caller's, then now.p
typedef struct pile { tensor row; buf rows; int64_t n; } pile;

typedef struct loop {
    graph_session *s;
    int node;
    const graph_node *n;
    const graph *body;
    int n_states, n_piles;
    int first_state, first_out; // among the body's inputs and results
    state *states;
    pile *piles;
    const tensor **own; // the body's own inputs
    tensor *slices;     // of Scan, with their memory
    arena memory;
} loop;

static hearth_status loop_init(loop *l, graph_session *s, int node, hearth_err *err)
{
    l->s = s;
    l->node = node;
    l->n = &s->g->nodes[node];
    l->body = l->n->sub[0];
    l->n_piles = l->body->n_outputs - l->first_out - l->n_states;
    arena_init(&l->memory, MEM_SCRATCH, LIMIT_GRAPH_MEMORY);
    size_t n_own = (size_t)own_inputs(l->body);
    l->states = arena_new(&l->memory, state, (size_t)l->n_states);
    l->piles = arena_new(&l->memory, pile, (size_t)l->n_piles);
    l->own = arena_new(&l->memory, const tensor *, n_own);
    l->slices = arena_new(&l->memory, tensor, n_own);
    if (!l->states || !l->piles || !l->own || !l->slices) return no_memory(err);
    for (int i = 0; i < l->n_states; i++) {
        state *st = &l->states[i];
        const tensor *t = node_input(s, l->n, l->first_state + i);
        if (!t) return err_fail(err, HEARTH_E_FORMAT, "input %d is missing", l->first_state + i);
        st->t = *t;
        buf_init(&st->now, MEM_SCRATCH, SIZE_MAX);
        buf_init(&st->next, MEM_SCRATCH, SIZE_MAX);
        l->own[l->first_state + i] = &st->t;
    }
    for (int i = 0; i < l->n_piles; i++) buf_init(&l->piles[i].rows, MEM_SCRATCH, SIZE_MAX);
    return HEARTH_OK;
}

static void loop_release(loop *l)
{
    for (int i = 0; l->states && i < l->n_states; i++) {
        buf_release(&l->states[i].now);
        buf_release(&l->states[i].next);
    }
    for (int i = 0; l->piles && i < l->n_piles; i++) buf_release(&l->piles[i].rows);
    arena_release(&l->memory);
}

static hearth_status pile_up(pile *p, const tensor *row, hearth_err *err)
{
    if (p->n == 0) p->row = *row;
    if (p->row.type != row->type || !tensor_same_shape(&p->row, row)) {
        return err_fail(err, HEARTH_E_FORMAT, "a result changes its shape between iterations");
    }
    if (row->n_dims == MAX_DIMS) {
        return err_fail(err, HEARTH_E_LIMIT, "a result of more than %d dimensions", MAX_DIMS);
    }
    p->n++;
    size_t n = tensor_bytes(row);
    return n && buf_append(&p->rows, row->data, n) != HEARTH_OK ? no_memory(err) : HEARTH_OK;
}

// Results may lie in a state's present memory, so the next ones are all copied before any is used.
static hearth_status step(loop *l, graph_session **body, hearth_err *err)
{
    HEARTH_TRY(run_body(l->s, l->node, 0, l->own, body, err));
    for (int i = 0; i < l->n_states; i++) {
        const tensor *t = graph_result(*body, l->first_out + i);
        size_t n = tensor_bytes(t);
        buf_reset(&l->states[i].next);
        if (n && buf_append(&l->states[i].next, t->data, n) != HEARTH_OK) return no_memory(err);
    }
    for (int i = 0; i < l->n_states; i++) {
        state *st = &l->states[i];
        buf used = st->now;
        st->now = st->next;
        st->next = used;
        st->t = *graph_result(*body, l->first_out + i);
        st->t.data = st->now.p;
    }
    for (int i = 0; i < l->n_piles; i++) {
        const tensor *row = graph_result(*body, l->first_out + l->n_states + i);
        HEARTH_TRY(pile_up(&l->piles[i], row, err));
    }
    return HEARTH_OK;
}

// Without iterations a row is what the body declares; unknown dimensions are empty.
static hearth_status declared_row(const loop *l, int i, tensor *out, hearth_err *err)
{
    const graph_port *p = &l->body->outputs[l->first_out + l->n_states + i];
    *out = p->t;
    if (p->t.type == T_NONE || p->t.n_dims < 0 || p->t.n_dims == MAX_DIMS) {
        return err_fail(err, HEARTH_E_UNSUPPORTED, "no iterations and a result of unknown shape");
    }
    for (int d = 0; d < out->n_dims; d++) out->dim[d] = i64_max(out->dim[d], 0);
    return HEARTH_OK;
}

// Rows along a new axis, last one first when `backward`.
static hearth_status unpile(loop *l, int i, int64_t axis, bool backward, hearth_err *err)
{
    pile *p = &l->piles[i];
    int value = l->n->out[l->n_states + i];
    if (p->n == 0) HEARTH_TRY(declared_row(l, i, &p->row, err));
    int rank = p->row.n_dims + 1;
    if (axis < -rank || axis >= rank) {
        return err_fail(err, HEARTH_E_FORMAT, "axis %lld of %d dimensions", (long long)axis, rank);
    }
    axis = axis < 0 ? axis + rank : axis;
    int64_t own[MAX_DIMS], stride[MAX_DIMS], items = tensor_items(&p->row);
    tensor y = {.type = p->row.type, .n_dims = rank};
    strides_of(&p->row, own);
    for (int d = 0; d < rank; d++) {
        int from = d < axis ? d : d - 1;
        y.dim[d] = d == axis ? p->n : p->row.dim[from];
        stride[d] = d == axis ? (backward ? -items : items) : own[from];
    }
    HEARTH_TRY(set_result(l->s, value, &y, err));
    size_t size = elem_bytes(y.type);
    if (p->n == 0 || items == 0) return HEARTH_OK;
    copy_strided(l->s->values[value].t.data,
                 byte_at(p->rows.p, backward ? (p->n - 1) * items : 0, size), size, rank, y.dim,
                 stride);
    return HEARTH_OK;
}

static hearth_status finish(loop *l, const op_ints *axes, const op_ints *backward,
                            hearth_err *err)
{
    for (int i = 0; i < l->n_states && i < l->n->n_out; i++) {
        HEARTH_TRY(copy_result(l->s, l->n->out[i], &l->states[i].t, err));
    }
    for (int i = 0; i < l->n_piles && l->n_states + i < l->n->n_out; i++) {
        if (l->n->out[l->n_states + i] < 0) continue;
        int64_t axis = axes && i < axes->n ? axes->v[i] : 0;
        HEARTH_TRY(unpile(l, i, axis, backward && i < backward->n && backward->v[i] == 1, err));
    }
    return HEARTH_OK;
}

static hearth_status read_trips(const tensor *t, int64_t *out, hearth_err *err)
{
    if (!t) return HEARTH_OK;
    if (t->type != T_I64 || tensor_items(t) != 1) {
        return err_fail(err, HEARTH_E_FORMAT, "a trip count that is no int64");
    }
    *out = tensor_int(t, 0);
    return HEARTH_OK;
}

static hearth_status iterate(loop *l, hearth_err *err)
{
    const tensor *cond = node_input(l->s, l->n, 1);
    int64_t trips = INT64_MAX, i = 0;
    bool go = true;
    uint8_t flag = 1;
    tensor index = {.type = T_I64, .data = &i}, again = {.type = T_BOOL, .data = &flag};
    graph_session *body = NULL;
    HEARTH_TRY(read_trips(node_input(l->s, l->n, 0), &trips, err));
    if (cond) HEARTH_TRY(read_bool(cond, &go, err));
    l->own[0] = &index;
    l->own[1] = &again;
    for (; go && i < trips; i++) {
        HEARTH_TRY(step(l, &body, err));
        HEARTH_TRY(read_bool(graph_result(body, 0), &go, err));
    }
    return finish(l, NULL, NULL, err);
}

static hearth_status run_loop(graph_session *s, int node, hearth_err *err)
{
    loop l = {.n_states = int_max(s->g->nodes[node].n_own_in - 2, 0), .first_state = 2,
              .first_out = 1};
    hearth_status st = loop_init(&l, s, node, err);
    if (st == HEARTH_OK) st = iterate(&l, err);
    loop_release(&l);
    return st;
}

// --- Scan ---------------------------------------------------------------------------------------

static hearth_status scan_axis(const loop *l, int k, const tensor *x, int *axis, hearth_err *err)
{
    const control_params *p = l->n->params;
    int64_t a = p->in_axes.given ? p->in_axes.v[k] : 0;
    if (a < -x->n_dims || a >= x->n_dims) {
        return err_fail(err, HEARTH_E_FORMAT, "axis %lld of %d dimensions", (long long)a,
                        x->n_dims);
    }
    *axis = (int)(a < 0 ? a + x->n_dims : a);
    return HEARTH_OK;
}

// Makes the tensor that holds one slice after another of scan input k.
static hearth_status make_slice(loop *l, int k, int64_t *length, hearth_err *err)
{
    const tensor *x = node_input(l->s, l->n, l->n_states + k);
    tensor *slice = &l->slices[l->n_states + k];
    int axis = 0;
    if (!x) return err_fail(err, HEARTH_E_FORMAT, "input %d is missing", l->n_states + k);
    HEARTH_TRY(scan_axis(l, k, x, &axis, err));
    if (*length >= 0 && *length != x->dim[axis]) {
        return err_fail(err, HEARTH_E_FORMAT, "scan inputs of %lld and %lld slices",
                        (long long)*length, (long long)x->dim[axis]);
    }
    *length = x->dim[axis];
    slice->type = x->type;
    for (int d = 0; d < x->n_dims; d++) {
        if (d != axis) slice->dim[slice->n_dims++] = x->dim[d];
    }
    slice->data = arena_alloc(&l->memory, tensor_bytes(slice), 1, 64);
    l->own[l->n_states + k] = slice;
    return slice->data ? HEARTH_OK : no_memory(err);
}

static hearth_status take_slice(loop *l, int k, int64_t i, hearth_err *err)
{
    const control_params *p = l->n->params;
    const tensor *x = node_input(l->s, l->n, l->n_states + k);
    const tensor *slice = l->own[l->n_states + k];
    int64_t all[MAX_DIMS], stride[MAX_DIMS];
    int axis = 0, n = 0;
    HEARTH_TRY(scan_axis(l, k, x, &axis, err));
    strides_of(x, all);
    for (int d = 0; d < x->n_dims; d++) {
        if (d != axis) stride[n++] = all[d];
    }
    if (p->in_backward.given && p->in_backward.v[k] == 1) i = x->dim[axis] - 1 - i;
    size_t size = elem_bytes(x->type);
    if (tensor_items(slice) == 0) return HEARTH_OK;
    copy_strided(slice->data, byte_at(x->data, i * all[axis], size), size, n, slice->dim, stride);
    return HEARTH_OK;
}

static hearth_status scan(loop *l, hearth_err *err)
{
    const control_params *p = l->n->params;
    int n_slices = (int)p->n_scan_inputs;
    int64_t length = -1;
    graph_session *body = NULL;
    for (int k = 0; k < n_slices; k++) HEARTH_TRY(make_slice(l, k, &length, err));
    for (int64_t i = 0; i < length; i++) {
        for (int k = 0; k < n_slices; k++) HEARTH_TRY(take_slice(l, k, i, err));
        HEARTH_TRY(step(l, &body, err));
    }
    return finish(l, &p->out_axes, &p->out_backward, err);
}

static hearth_status run_scan(graph_session *s, int node, hearth_err *err)
{
    const graph_node *n = &s->g->nodes[node];
    int n_slices = (int)((const control_params *)n->params)->n_scan_inputs;
    loop l = {.n_states = n->n_own_in - n_slices};
    hearth_status st = loop_init(&l, s, node, err);
    if (st == HEARTH_OK) st = scan(&l, err);
    loop_release(&l);
    return st;
}

hearth_status control_run(graph_session *s, int node, hearth_err *err)
{
    switch (s->g->nodes[node].op->control) {
    case CONTROL_IF: return run_if(s, node, err);
    case CONTROL_LOOP: return run_loop(s, node, err);
    default: return run_scan(s, node, err);
    }
}

// --- sessions -----------------------------------------------------------------------------------

hearth_status control_bind(graph_session *s, int node, hearth_err *err)
{
    const graph_node *n = &s->g->nodes[node];
    session_node *sn = &s->nodes[node];
    size_t n_in = 0;
    for (int k = 0; k < n->n_sub; k++) n_in = size_max(n_in, (size_t)n->sub[k]->n_inputs);
    sn->sub = arena_new(&s->memory, graph_session *, (size_t)n->n_sub);
    sn->sub_in = arena_new(&s->memory, const tensor *, n_in);
    sn->sub_known = arena_new(&s->memory, bool, n_in);
    return sn->sub && sn->sub_in && sn->sub_known ? HEARTH_OK : no_memory(err);
}

void control_free(graph_session *s, int node)
{
    for (int k = 0; s->nodes[node].sub && k < s->g->nodes[node].n_sub; k++) {
        graph_session_free(s->nodes[node].sub[k]);
    }
}
