// Recurrent layers: RNN, GRU, LSTM.
//
//   x part  W x + Wb   and  h part  R h + Rb, for the gates of one step:
//   RNN    h' = f(x + h)
//   GRU    z r h:    z, r = f(x + h);  n = g(x + R (r h) + Rb)  or  g(x + r (R h + Rb));
//                    h' = (1 - z) n + z h
//   LSTM   i o f c:  i, f = f(x + h + p c);  c' = f c + i g(x + h);
//                    o = f(x + h + p c');  h' = o h(c')
//
// Each direction of each row of the batch is a sequence of its own; steps behind its length leave
// zeros in Y. Products are summed in eight strands (see dot()), whatever the batch.
#include "graph/op/op.h"

#include <math.h>
#include <string.h>

typedef struct recurrent_params {
    op_texts activations;
    op_floats alpha, beta;
    float clip;
    int64_t direction, hidden, input_forget, layout, linear_before_reset;
} recurrent_params;
enum { FORWARD, REVERSE, BIDIRECTIONAL };

typedef enum cell { CELL_RNN, CELL_GRU, CELL_LSTM } cell;
typedef struct cell_kind { cell cell; int n_gates, n_acts; const char *acts[3]; } cell_kind;
static const cell_kind rnn = {CELL_RNN, 1, 1, {"Tanh", NULL, NULL}},
                       gru = {CELL_GRU, 3, 2, {"Sigmoid", "Tanh", NULL}},
                       lstm = {CELL_LSTM, 4, 3, {"Sigmoid", "Tanh", "Tanh"}};

// --- activations --------------------------------------------------------------------------------

typedef enum act {
    ACT_RELU, ACT_TANH, ACT_SIGMOID, ACT_AFFINE, ACT_LEAKY, ACT_THRESHOLD, ACT_SCALED_TANH,
    ACT_HARD_SIGMOID, ACT_ELU, ACT_SOFTSIGN, ACT_SOFTPLUS, ACTS
} act;
static const struct { const char *name; float alpha, beta; } act_rows[ACTS] = {
    {"relu", 0, 0}, {"tanh", 0, 0}, {"sigmoid", 0, 0}, {"affine", 1, 0}, {"leakyrelu", 0.01f, 0},
    {"thresholdedrelu", 1, 0}, {"scaledtanh", 1, 1}, {"hardsigmoid", 0.2f, 0.5f}, {"elu", 1, 0},
    {"softsign", 0, 0}, {"softplus", 0, 0},
};
typedef struct activation { act act; float alpha, beta; } activation;

static float activate(activation a, float x)
{
    switch (a.act) {
    case ACT_RELU: return fmaxf(x, 0);
    case ACT_TANH: return tanhf(x);
    case ACT_SIGMOID: return 1 / (1 + expf(-x));
    case ACT_AFFINE: return a.alpha * x + a.beta;
    case ACT_LEAKY: return x < 0 ? a.alpha * x : x;
    case ACT_THRESHOLD: return x < a.alpha ? 0 : x;
    case ACT_SCALED_TANH: return a.alpha * tanhf(a.beta * x);
    case ACT_HARD_SIGMOID: return fminf(fmaxf(a.alpha * x + a.beta, 0), 1);
    case ACT_ELU: return x < 0 ? a.alpha * (expf(x) - 1) : x;
    case ACT_SOFTSIGN: return x / (1 + fabsf(x));
    default: return logf(1 + expf(x));
    }
}

static char lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch;
}

static bool names_act(const char *p, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (lower(p[i]) != name[i]) return false; // the end of `name` differs too
    }
    return name[n] == 0;
}

// Activation k of direction d. Values of alpha and beta are for the activations in their order.
static hearth_status find_act(const op_call *c, int d, int k, activation *out)
{
    const recurrent_params *p = c->params;
    const cell_kind *kind = c->op->aux;
    int i = d * kind->n_acts + k;
    const char *name = kind->acts[k];
    size_t n = strlen(name);
    if (p->activations.given) name = p->activations.v[i].p, n = p->activations.v[i].n;
    for (int a = 0; a < ACTS; a++) {
        if (!names_act(name, n, act_rows[a].name)) continue;
        out->act = (act)a;
        out->alpha = i < p->alpha.n ? p->alpha.v[i] : act_rows[a].alpha;
        out->beta = i < p->beta.n ? p->beta.v[i] : act_rows[a].beta;
        return HEARTH_OK;
    }
    return op_fail(c, HEARTH_E_UNSUPPORTED, "activation '%.*s'", (int)n, name);
}

static int directions(const op_call *c)
{
    return ((const recurrent_params *)c->params)->direction == BIDIRECTIONAL ? 2 : 1;
}

static hearth_status check_cell(const op_call *c)
{
    const recurrent_params *p = c->params;
    const cell_kind *kind = c->op->aux;
    activation a;
    int n = directions(c) * kind->n_acts;
    if (p->activations.given && p->activations.n != n) {
        return op_fail(c, HEARTH_E_FORMAT, "%d activations, not %d", p->activations.n, n);
    }
    for (int i = 0; i < n; i++) {
        HEARTH_TRY(find_act(c, i / kind->n_acts, i % kind->n_acts, &a));
    }
    return HEARTH_OK;
}

// --- shapes -------------------------------------------------------------------------------------

typedef struct sizes { int64_t steps, batch, in, dirs, hidden; int gates; bool batch_first; } sizes;

static hearth_status expect(const op_call *c, int i, int n_dims, const int64_t *dim)
{
    const tensor *t = op_in(c, i);
    bool same = !t || t->n_dims == n_dims;
    for (int d = 0; t && same && d < n_dims; d++) same = t->dim[d] == dim[d];
    return same ? HEARTH_OK : op_fail(c, HEARTH_E_FORMAT, "input %d has another shape", i);
}

static hearth_status read_sizes(const op_call *c, sizes *s)
{
    const recurrent_params *p = c->params;
    const cell_kind *kind = c->op->aux;
    const tensor *x = c->in[0], *r = c->in[2];
    if (x->n_dims != 3 || r->n_dims != 3) return op_fail(c, HEARTH_E_FORMAT, "not 3 dimensions");
    *s = (sizes){x->dim[0], x->dim[1], x->dim[2], directions(c), r->dim[2], kind->n_gates,
                 p->layout != 0};
    if (s->batch_first) s->steps = x->dim[1], s->batch = x->dim[0];
    int64_t w[3] = {s->dirs, s->gates * s->hidden, s->in};
    int64_t u[3] = {s->dirs, s->gates * s->hidden, s->hidden};
    int64_t bias[2] = {s->dirs, 2 * s->gates * s->hidden};
    int64_t state[3] = {s->batch_first ? s->batch : s->dirs, s->batch_first ? s->dirs : s->batch,
                        s->hidden};
    int64_t peepholes[2] = {s->dirs, 3 * s->hidden};
    HEARTH_TRY(expect(c, 1, 3, w));
    HEARTH_TRY(expect(c, 2, 3, u));
    HEARTH_TRY(expect(c, 3, 2, bias));
    HEARTH_TRY(expect(c, 4, 1, &s->batch));
    HEARTH_TRY(expect(c, 5, 3, state));
    HEARTH_TRY(expect(c, 6, 3, state));
    HEARTH_TRY(expect(c, 7, 2, peepholes));
    if (p->hidden && p->hidden != s->hidden) {
        return op_fail(c, HEARTH_E_FORMAT, "hidden_size %lld, the weights have %lld",
                       (long long)p->hidden, (long long)s->hidden);
    }
    return op_in(c, 4) && c->in[4]->type != T_I32
               ? op_fail(c, HEARTH_E_UNSUPPORTED, "lengths that are no int32") : HEARTH_OK;
}

static hearth_status shape_cell(const op_call *c)
{
    sizes s;
    HEARTH_TRY(read_sizes(c, &s));
    int64_t y[4] = {s.steps, s.dirs, s.batch, s.hidden}, last[3] = {s.dirs, s.batch, s.hidden};
    if (s.batch_first) {
        y[0] = s.batch, y[1] = s.steps, y[2] = s.dirs;
        last[0] = s.batch, last[1] = s.dirs;
    }
    tensor_set(op_out(c, 0), T_F32, 4, y);
    tensor_set(op_out(c, 1), T_F32, 3, last);
    tensor_set(op_out(c, 2), T_F32, 3, last);
    return HEARTH_OK;
}

// h, c, the next h, and the two parts of the gates.
static hearth_status scratch_cell(const op_call *c, size_t *out)
{
    sizes s;
    size_t items;
    HEARTH_TRY(read_sizes(c, &s));
    bool ok = mul_ok((size_t)s.hidden, (size_t)(3 + 2 * s.gates), &items) &&
              mul_ok(items, sizeof(float), out);
    return ok ? HEARTH_OK : op_fail(c, HEARTH_E_LIMIT, "too many units");
}

// --- steps --------------------------------------------------------------------------------------

typedef struct layer { // one direction
    const recurrent_params *p;
    int64_t hidden, in;
    int gates;
    const float *w, *r, *bias, *peepholes; // bias, peepholes: or NULL
    activation acts[3];
    float *h, *c, *next, *x_part, *h_part;
} layer;

// Eight strands: element i goes to strand i % 8, strands are added pairwise.
static float dot(const float *a, const float *b, int64_t n)
{
    float s[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int k = 0; k < 8; k++) s[k] += a[i + k] * b[i + k];
    }
    for (int k = 0; i < n; i++, k++) s[k] += a[i] * b[i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static void multiply_rows(const float *m, const float *x, int64_t rows, int64_t n,
                          const float *bias, float *y)
{
    for (int64_t i = 0; i < rows; i++) y[i] = dot(m + i * n, x, n) + (bias ? bias[i] : 0);
}

static float gate(const layer *l, int which, float v)
{
    float clip = l->p->clip;
    return activate(l->acts[which], clip > 0 ? fminf(fmaxf(v, -clip), clip) : v);
}

static void step_rnn(const layer *l)
{
    for (int64_t i = 0; i < l->hidden; i++) l->next[i] = gate(l, 0, l->x_part[i] + l->h_part[i]);
}

static void step_gru(const layer *l)
{
    int64_t n = l->hidden;
    const float *rb = l->bias ? l->bias + 5 * n : NULL;
    for (int64_t i = 0; i < 2 * n; i++) l->x_part[i] = gate(l, 0, l->x_part[i] + l->h_part[i]);
    const float *z = l->x_part, *reset = z + n, *x = z + 2 * n;
    if (l->p->linear_before_reset) {
        for (int64_t i = 0; i < n; i++) l->h_part[2 * n + i] *= reset[i];
    } else {
        for (int64_t i = 0; i < n; i++) l->next[i] = reset[i] * l->h[i];
        multiply_rows(l->r + 2 * n * n, l->next, n, n, rb, l->h_part + 2 * n);
    }
    for (int64_t i = 0; i < n; i++) {
        float v = gate(l, 1, x[i] + l->h_part[2 * n + i]);
        l->next[i] = (1 - z[i]) * v + z[i] * l->h[i];
    }
}

static float peep(const layer *l, int which, int64_t i, float c)
{
    return l->peepholes ? l->peepholes[which * l->hidden + i] * c : 0;
}

static void step_lstm(const layer *l)
{
    int64_t n = l->hidden;
    const float *x = l->x_part, *h = l->h_part;
    for (int64_t i = 0; i < n; i++) {
        int64_t o = i + n, f = o + n, g = f + n;
        float c = l->c[i], in = gate(l, 0, x[i] + h[i] + peep(l, 0, i, c));
        float forget = l->p->input_forget ? 1 - in : gate(l, 0, x[f] + h[f] + peep(l, 2, i, c));
        c = forget * c + in * gate(l, 1, x[g] + h[g]);
        l->next[i] = gate(l, 0, x[o] + h[o] + peep(l, 1, i, c)) * activate(l->acts[2], c);
        l->c[i] = c;
    }
}

static void step(const layer *l, cell kind, const float *x)
{
    int64_t rows = l->gates * l->hidden;
    multiply_rows(l->w, x, rows, l->in, l->bias, l->x_part);
    multiply_rows(l->r, l->h, rows, l->hidden, l->bias ? l->bias + rows : NULL, l->h_part);
    switch (kind) {
    case CELL_RNN: step_rnn(l); break;
    case CELL_GRU: step_gru(l); break;
    case CELL_LSTM: step_lstm(l); break;
    }
    for (int64_t i = 0; i < l->hidden; i++) l->h[i] = l->next[i];
}

// --- running ------------------------------------------------------------------------------------

static hearth_status make_layer(const op_call *c, const sizes *s, int d, layer *l)
{
    const cell_kind *kind = c->op->aux;
    const tensor *bias = op_in(c, 3), *peepholes = op_in(c, 7);
    int64_t rows = s->gates * s->hidden;
    float *memory = c->scratch;
    *l = (layer){.p = c->params, .hidden = s->hidden, .in = s->in, .gates = s->gates};
    l->w = (const float *)c->in[1]->data + d * rows * s->in;
    l->r = (const float *)c->in[2]->data + d * rows * s->hidden;
    l->bias = bias ? (const float *)bias->data + d * 2 * rows : NULL;
    l->peepholes = peepholes ? (const float *)peepholes->data + d * 3 * s->hidden : NULL;
    l->h = memory;
    l->c = l->h + s->hidden;
    l->next = l->c + s->hidden;
    l->x_part = l->next + s->hidden;
    l->h_part = l->x_part + rows;
    for (int k = 0; k < kind->n_acts; k++) HEARTH_TRY(find_act(c, d, k, &l->acts[k]));
    return HEARTH_OK;
}

// Where the state of row b lies in Y_h, Y_c and the initial states.
static int64_t state_at(const sizes *s, int d, int64_t b)
{
    return (s->batch_first ? b * s->dirs + d : d * s->batch + b) * s->hidden;
}

static void load_state(const tensor *from, int64_t at, float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = from ? ((const float *)from->data)[at + i] : 0;
}

static void store_state(const float *from, tensor *to, int64_t at, int64_t n)
{
    for (int64_t i = 0; to && i < n; i++) ((float *)to->data)[at + i] = from[i];
}

static void run_row(const op_call *c, const sizes *s, const layer *l, int d, int64_t b, int64_t n)
{
    const cell_kind *kind = c->op->aux;
    bool backward = d == 1 || l->p->direction == REVERSE;
    int64_t state = state_at(s, d, b);
    load_state(op_in(c, 5), state, l->h, s->hidden);
    load_state(op_in(c, 6), state, l->c, s->hidden);
    for (int64_t k = 0; k < n; k++) {
        int64_t t = backward ? n - 1 - k : k;
        int64_t x = (s->batch_first ? b * s->steps + t : t * s->batch + b) * s->in;
        int64_t y = s->batch_first ? (b * s->steps + t) * s->dirs + d
                                   : (t * s->dirs + d) * s->batch + b;
        step(l, kind->cell, (const float *)c->in[0]->data + x);
        store_state(l->h, op_out(c, 0), y * s->hidden, s->hidden);
    }
    store_state(l->h, op_out(c, 1), state, s->hidden);
    store_state(l->c, op_out(c, 2), state, s->hidden);
}

static hearth_status run_cell(const op_call *c)
{
    sizes s;
    layer l;
    const tensor *lengths = op_in(c, 4);
    HEARTH_TRY(read_sizes(c, &s));
    if (op_out(c, 0)) {
        memset(c->out[0]->data, 0, (size_t)tensor_items(c->out[0]) * sizeof(float));
    }
    for (int d = 0; d < (int)s.dirs; d++) {
        HEARTH_TRY(make_layer(c, &s, d, &l));
        for (int64_t b = 0; b < s.batch; b++) {
            int64_t n = lengths ? tensor_int(lengths, b) : s.steps;
            if (n < 0 || n > s.steps) {
                return op_fail(c, HEARTH_E_ARG, "a length of %lld in %lld steps", (long long)n,
                               (long long)s.steps);
            }
            run_row(c, &s, &l, d, b, n);
        }
    }
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(recurrent_params, field)
#define COMMON                                                                                  \
    {.name = "activations", .kind = OP_TEXTS, AT(activations)},                                 \
    {.name = "activation_alpha", .kind = OP_FLOATS, AT(alpha)},                                 \
    {.name = "activation_beta", .kind = OP_FLOATS, AT(beta)},                                   \
    {.name = "clip", .kind = OP_FLOAT, AT(clip)},                                               \
    {.name = "direction", .kind = OP_CHOICE, AT(direction),                                     \
     .choices = "forward reverse bidirectional"},                                               \
    {.name = "hidden_size", .kind = OP_INT, AT(hidden)},                                        \
    {.name = "layout", .kind = OP_INT, AT(layout)},                                             \
    {.name = "output_sequence", .kind = OP_IGNORED}
static const op_attr rnn_attrs[] = {COMMON};
static const op_attr gru_attrs[] = {
    COMMON, {.name = "linear_before_reset", .kind = OP_INT, AT(linear_before_reset)}};
static const op_attr lstm_attrs[] = {
    COMMON, {.name = "input_forget", .kind = OP_INT, AT(input_forget)}};
#define CELL(kind, rows) .since = 1, .types = BIT(T_F32), .flags = OP_WIDEN | OP_ANY_OUT, \
    .aux = &(kind), OP_ATTRS(rows, recurrent_params), .check = check_cell, .shape = shape_cell, \
    .plan = scratch_cell, .run = run_cell
static const graph_op recurrent_ops[] = {
    {CELL(rnn, rnn_attrs), .name = "RNN", .in = "TTTT?A?T?", .n_out = 2},
    {CELL(gru, gru_attrs), .name = "GRU", .in = "TTTT?A?T?", .n_out = 2},
    {CELL(lstm, lstm_attrs), .name = "LSTM", .in = "TTTT?A?T?T?T?", .n_out = 3},
};
OP_FAMILY(ops_recurrent, "", recurrent_ops);
