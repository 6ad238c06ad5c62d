// Attention (softmax of scaled products) and RotaryEmbedding.
//
//   score[j] = q . k[j] * scale          keys and values: the past ones, then the new ones
//   score[j] = softcap * tanh(score[j] / softcap)
//   bias[j]  = mask + (-inf behind the causal frontier, outside the window or the length)
//   y        = sum of softmax(score + bias)[j] * v[j]
//
// One row of scores at a time, in float32; a row without any key gives zeros. Several query heads
// may share a head of keys. Tensors are [batch, heads, length, size], or [batch, length,
// heads * size] with the heads as attributes.
#include "graph/op/op.h"

#include <math.h>
#include <string.h>

typedef struct attention_params {
    float scale, softcap;
    int64_t is_causal, q_heads, kv_heads, mode, left, right, precision;
} attention_params;
enum { MODE_SCORES, MODE_CAPPED, MODE_BIASED, MODE_PROBABILITIES }; // of the fourth result
enum { Q, K, V, MASK, PAST_K, PAST_V, LENGTHS };

// A tensor of heads in either form.
typedef struct heads {
    const float *p;
    int64_t n, length, size;           // heads, positions, numbers of one
    int64_t batch_step, head_step, row_step;
} heads;

static const float *row_of(const heads *h, int64_t b, int64_t head, int64_t i)
{
    return h->p + b * h->batch_step + head * h->head_step + i * h->row_step;
}

static hearth_status read_heads(const op_call *c, const tensor *t, int64_t n, heads *h)
{
    if (t->n_dims == 4) {
        *h = (heads){t->data, t->dim[1], t->dim[2], t->dim[3], 0, 0, t->dim[3]};
        h->head_step = h->length * h->size;
        h->batch_step = h->n * h->head_step;
        return HEARTH_OK;
    }
    if (t->n_dims != 3 || n < 1 || t->dim[2] % n) {
        return op_fail(c, HEARTH_E_FORMAT, "%lld heads of a tensor of %d dimensions", (long long)n,
                       t->n_dims);
    }
    *h = (heads){t->data, n, t->dim[1], t->dim[2] / n, t->dim[1] * t->dim[2], t->dim[2] / n,
                 t->dim[2]};
    return HEARTH_OK;
}

typedef struct attention {
    int64_t batch, past, total; // total: keys, with the past ones
    heads q, k, v, past_k, past_v;
    const tensor *mask, *lengths;
    int64_t mask_stride[4], mask_length;
} attention;

// --- shapes -------------------------------------------------------------------------------------

static bool is_past(const tensor *t, const attention *a, const heads *like)
{
    return t->n_dims == 4 && t->dim[0] == a->batch && t->dim[1] == like->n &&
           t->dim[3] == like->size;
}

static hearth_status read_past(const op_call *c, attention *a)
{
    const tensor *k = op_in(c, PAST_K), *v = op_in(c, PAST_V);
    if (!k && !v) return HEARTH_OK;
    bool ok = k && v && is_past(k, a, &a->k) && is_past(v, a, &a->v) && k->dim[2] == v->dim[2];
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "past keys and values of other shapes");
    a->past = k->dim[2];
    HEARTH_TRY(read_heads(c, k, 0, &a->past_k));
    return read_heads(c, v, 0, &a->past_v);
}

// The mask broadcasts to [batch, heads, queries, keys]; what its last dimension lacks is masked.
static hearth_status read_mask(const op_call *c, attention *a)
{
    const tensor *m = op_in(c, MASK);
    if (!m) return HEARTH_OK;
    int64_t full[4] = {a->batch, a->q.n, a->q.length, a->total}, own[MAX_DIMS];
    bool is_legal = BIT(m->type) & (BIT(T_BOOL) | BIT(T_F32) | TS_HALF);
    bool ok = is_legal && m->n_dims >= 1 && m->n_dims <= 4;
    for (int d = 0; ok && d < m->n_dims; d++) {
        int64_t n = m->dim[d], want = full[4 - m->n_dims + d];
        ok = n == want || n == 1 || (d == m->n_dims - 1 && n < want);
    }
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "a mask that does not fit %lld keys",
                            (long long)a->total);
    strides_of(m, own);
    for (int d = 0; d < m->n_dims; d++) {
        a->mask_stride[4 - m->n_dims + d] = m->dim[d] == 1 ? 0 : own[d];
    }
    a->mask = m;
    a->mask_length = m->dim[m->n_dims - 1];
    if (a->mask_length == 1 && a->total != 1) a->mask_length = a->total;
    return HEARTH_OK;
}

static hearth_status read_attention(const op_call *c, attention *a)
{
    const attention_params *p = c->params;
    const tensor *q = c->in[Q];
    *a = (attention){.batch = q->n_dims > 0 ? q->dim[0] : 0, .lengths = op_in(c, LENGTHS)};
    HEARTH_TRY(read_heads(c, q, p->q_heads, &a->q));
    HEARTH_TRY(read_heads(c, c->in[K], p->kv_heads, &a->k));
    HEARTH_TRY(read_heads(c, c->in[V], p->kv_heads, &a->v));
    HEARTH_TRY(read_past(c, a));
    bool ok = c->in[K]->n_dims == q->n_dims && c->in[V]->n_dims == q->n_dims &&
              c->in[K]->dim[0] == a->batch && c->in[V]->dim[0] == a->batch &&
              a->k.size == a->q.size && a->k.n == a->v.n && a->k.length == a->v.length &&
              a->k.n > 0 && a->q.n % a->k.n == 0;
    if (!ok) return op_fail(c, HEARTH_E_FORMAT, "queries, keys and values do not fit");
    a->total = a->past + a->k.length;
    if (a->lengths && (a->lengths->n_dims != 1 || a->lengths->dim[0] != a->batch)) {
        return op_fail(c, HEARTH_E_FORMAT, "not one length for each of the batch");
    }
    return read_mask(c, a);
}

static hearth_status shape_attention(const op_call *c)
{
    attention a;
    const tensor *q = c->in[Q];
    HEARTH_TRY(read_attention(c, &a));
    int64_t y[4] = {a.batch, a.q.n, a.q.length, a.v.size};
    int64_t flat[3] = {a.batch, a.q.length, a.q.n * a.v.size};
    int64_t k[4] = {a.batch, a.k.n, a.total, a.k.size}, v[4] = {a.batch, a.v.n, a.total, a.v.size};
    int64_t scores[4] = {a.batch, a.q.n, a.q.length, a.total};
    tensor_set(op_out(c, 0), q->type, q->n_dims, q->n_dims == 4 ? y : flat);
    tensor_set(op_out(c, 1), c->in[K]->type, 4, k);
    tensor_set(op_out(c, 2), c->in[V]->type, 4, v);
    tensor_set(op_out(c, 3), q->type, 4, scores);
    return HEARTH_OK;
}

// A row of scores and one of biases.
static hearth_status scratch_attention(const op_call *c, size_t *out)
{
    attention a;
    HEARTH_TRY(read_attention(c, &a));
    *out = 2 * (size_t)a.total * sizeof(float);
    return HEARTH_OK;
}

// --- one row ------------------------------------------------------------------------------------

static float mask_at(const attention *a, const int64_t at[4], int64_t j)
{
    int64_t i = j * a->mask_stride[3];
    if (j >= a->mask_length) return -INFINITY;
    for (int d = 0; d < 3; d++) i += at[d] * a->mask_stride[d];
    if (a->mask->type == T_BOOL) return ((const uint8_t *)a->mask->data)[i] ? 0 : -INFINITY;
    return ((const float *)a->mask->data)[i];
}

// at: batch, head, query. Positions of queries count from the first key.
static void fill_bias(const attention *a, const attention_params *p, const int64_t at[4],
                      float *bias)
{
    int64_t length = a->lengths ? tensor_int(a->lengths, at[0]) : a->total;
    int64_t shift = a->lengths && !a->past ? length - a->q.length : a->past;
    int64_t position = at[2] + shift;
    for (int64_t j = 0; j < a->total; j++) {
        bool hidden = j >= length || (p->is_causal && j > position) ||
                      (p->left >= 0 && position - j > p->left) ||
                      (p->right >= 0 && j - position > p->right);
        bias[j] = hidden ? -INFINITY : a->mask ? mask_at(a, at, j) : 0;
    }
}

static const float *key_or_value(const heads *past, const heads *now, int64_t n_past, int64_t b,
                                 int64_t head, int64_t j)
{
    return j < n_past ? row_of(past, b, head, j) : row_of(now, b, head, j - n_past);
}

static float dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return (float)sum;
}

static void keep(const op_call *c, const attention *a, const int64_t at[4], const float *row)
{
    tensor *t = op_out(c, 3);
    if (!t) return;
    int64_t i = (at[0] * a->q.n + at[1]) * a->q.length + at[2];
    if (a->total) memcpy((float *)t->data + i * a->total, row, (size_t)a->total * sizeof(float));
}

// Probabilities in the place of scores + bias; all 0 when nothing is to be seen.
static void soften(float *s, const float *bias, int64_t n)
{
    float top = -INFINITY;
    double sum = 0;
    bool any = false;
    for (int64_t j = 0; j < n; j++) {
        s[j] += bias[j];
        any |= bias[j] > -INFINITY;
        top = s[j] > top || isnan(s[j]) ? s[j] : top;
    }
    if (top == -INFINITY) top = 0;
    for (int64_t j = 0; j < n; j++) {
        s[j] = any ? expf(s[j] - top) : 0;
        sum += (double)s[j];
    }
    for (int64_t j = 0; sum != 0 && j < n; j++) s[j] = (float)((double)s[j] / sum);
}

static void fill_scores(const op_call *c, const attention *a, const int64_t at[4], float *s)
{
    const attention_params *p = c->params;
    int64_t head = at[1] / (a->q.n / a->k.n);
    float scale = p->scale != 0 ? p->scale : 1 / sqrtf((float)a->q.size);
    const float *q = row_of(&a->q, at[0], at[1], at[2]);
    for (int64_t j = 0; j < a->total; j++) {
        const float *k = key_or_value(&a->past_k, &a->k, a->past, at[0], head, j);
        s[j] = dot(q, k, a->q.size) * scale;
    }
    if (p->mode == MODE_SCORES) keep(c, a, at, s);
    for (int64_t j = 0; p->softcap > 0 && j < a->total; j++) {
        s[j] = p->softcap * tanhf(s[j] / p->softcap);
    }
    if (p->mode == MODE_CAPPED) keep(c, a, at, s);
}

static void attend(const op_call *c, const attention *a, const int64_t at[4], float *y)
{
    const attention_params *p = c->params;
    float *s = c->scratch, *bias = s + a->total;
    int64_t head = at[1] / (a->q.n / a->k.n);
    fill_scores(c, a, at, s);
    fill_bias(a, p, at, bias);
    if (p->mode == MODE_BIASED && op_out(c, 3)) {
        for (int64_t j = 0; j < a->total; j++) bias[j] += s[j];
        keep(c, a, at, bias);
        fill_bias(a, p, at, bias);
    }
    soften(s, bias, a->total);
    if (p->mode == MODE_PROBABILITIES) keep(c, a, at, s);
    for (int64_t i = 0; i < a->v.size; i++) y[i] = 0;
    for (int64_t j = 0; j < a->total; j++) {
        const float *v = key_or_value(&a->past_v, &a->v, a->past, at[0], head, j);
        for (int64_t i = 0; s[j] != 0 && i < a->v.size; i++) y[i] += s[j] * v[i];
    }
}

// --- running ------------------------------------------------------------------------------------

static void write_present(const attention *a, const heads *past, const heads *now, tensor *out)
{
    float *to = out ? out->data : NULL;
    for (int64_t i = 0; out && i < a->batch * now->n * a->total; i++, to += now->size) {
        int64_t b = i / a->total / now->n, head = i / a->total % now->n;
        const float *from = key_or_value(past, now, a->past, b, head, i % a->total);
        if (now->size) memcpy(to, from, (size_t)now->size * sizeof(float));
    }
}

static hearth_status check_lengths(const op_call *c, const attention *a)
{
    for (int64_t b = 0; a->lengths && b < a->batch; b++) {
        int64_t n = tensor_int(a->lengths, b);
        if (n < 0 || n > a->total) {
            return op_fail(c, HEARTH_E_ARG, "a length of %lld with %lld keys", (long long)n,
                           (long long)a->total);
        }
    }
    return HEARTH_OK;
}

static hearth_status run_attention(const op_call *c)
{
    attention a;
    HEARTH_TRY(read_attention(c, &a));
    HEARTH_TRY(check_lengths(c, &a));
    write_present(&a, &a.past_k, &a.k, op_out(c, 1));
    write_present(&a, &a.past_v, &a.v, op_out(c, 2));
    bool is_flat = c->in[Q]->n_dims == 3;
    for (int64_t b = 0; b < a.batch; b++) {
        for (int64_t h = 0; h < a.q.n; h++) {
            for (int64_t i = 0; i < a.q.length; i++) {
                int64_t row = is_flat ? (b * a.q.length + i) * a.q.n + h
                                      : (b * a.q.n + h) * a.q.length + i;
                int64_t at[4] = {b, h, i, 0};
                attend(c, &a, at, (float *)c->out[0]->data + row * a.v.size);
            }
        }
    }
    return HEARTH_OK;
}

// --- RotaryEmbedding: pairs of numbers turned by the angle of their position ---------------------

typedef struct rotary_params { int64_t interleaved, dims, heads; } rotary_params;

static hearth_status read_rotary(const op_call *c, heads *h, int64_t *turned)
{
    const rotary_params *p = c->params;
    const tensor *x = c->in[0], *cosines = c->in[1], *positions = op_in(c, 3);
    HEARTH_TRY(read_heads(c, x, p->heads, h));
    *turned = p->dims ? p->dims : h->size;
    int n = cosines->n_dims, want = positions ? 2 : 3;
    bool ok = n == want && tensor_same_shape(cosines, c->in[2]) && *turned >= 0 &&
              *turned <= h->size && *turned % 2 == 0 && cosines->dim[n - 1] == *turned / 2;
    if (ok && !positions) ok = cosines->dim[0] == x->dim[0] && cosines->dim[1] == h->length;
    if (ok && positions) {
        ok = positions->n_dims == 2 && positions->dim[0] == x->dim[0] &&
             positions->dim[1] == h->length;
    }
    return ok ? HEARTH_OK : op_fail(c, HEARTH_E_FORMAT, "angles or positions of another shape");
}

static hearth_status shape_rotary(const op_call *c)
{
    heads h;
    int64_t turned;
    HEARTH_TRY(read_rotary(c, &h, &turned));
    return op_like_first(c);
}

static void turn(const float *x, float *y, const float *cosines, const float *sines, int64_t half,
                 bool interleaved)
{
    for (int64_t i = 0; i < half; i++) {
        int64_t re = interleaved ? 2 * i : i, im = interleaved ? 2 * i + 1 : i + half;
        y[re] = cosines[i] * x[re] - sines[i] * x[im];
        y[im] = sines[i] * x[re] + cosines[i] * x[im];
    }
}

static hearth_status run_rotary(const op_call *c)
{
    const rotary_params *p = c->params;
    const tensor *positions = op_in(c, 3);
    heads h;
    int64_t turned;
    HEARTH_TRY(read_rotary(c, &h, &turned));
    for (int64_t k = 0; k < c->in[0]->dim[0] * h.length; k++) {
        int64_t angle = positions ? tensor_int(positions, k) : k;
        if (positions && (angle < 0 || angle >= c->in[1]->dim[0])) {
            return op_fail(c, HEARTH_E_ARG, "position %lld of %lld", (long long)angle,
                           (long long)c->in[1]->dim[0]);
        }
        for (int64_t head = 0; head < h.n; head++) {
            const float *x = row_of(&h, k / h.length, head, k % h.length);
            float *y = (float *)c->out[0]->data + (x - h.p);
            turn(x, y, (const float *)c->in[1]->data + angle * (turned / 2),
                 (const float *)c->in[2]->data + angle * (turned / 2), turned / 2, p->interleaved);
            for (int64_t i = turned; i < h.size; i++) y[i] = x[i];
        }
    }
    return HEARTH_OK;
}

#define AT(field) .at = offsetof(attention_params, field)
static const op_attr attention_attrs[] = {
    {.name = "scale", .kind = OP_FLOAT, AT(scale)},
    {.name = "softcap", .kind = OP_FLOAT, AT(softcap)},
    {.name = "is_causal", .kind = OP_INT, AT(is_causal)},
    {.name = "q_num_heads", .kind = OP_INT, AT(q_heads)},
    {.name = "kv_num_heads", .kind = OP_INT, AT(kv_heads)},
    {.name = "qk_matmul_output_mode", .kind = OP_INT, AT(mode)},
    {.name = "left_window_size", .kind = OP_INT, AT(left), .def = -1},
    {.name = "right_window_size", .kind = OP_INT, AT(right), .def = -1},
    {.name = "softmax_precision", .kind = OP_INT, AT(precision)},
};
#define ROTARY_AT(field) .at = offsetof(rotary_params, field)
static const op_attr rotary_attrs[] = {
    {.name = "interleaved", .kind = OP_INT, ROTARY_AT(interleaved)},
    {.name = "rotary_embedding_dim", .kind = OP_INT, ROTARY_AT(dims)},
    {.name = "num_heads", .kind = OP_INT, ROTARY_AT(heads)},
};
static const graph_op attention_ops[] = {
    {.name = "Attention", .since = 23, .in = "TTTA?T?T?L?", .n_out = 4, .types = BIT(T_F32),
     .flags = OP_WIDEN, OP_ATTRS(attention_attrs, attention_params), .shape = shape_attention,
     .plan = scratch_attention, .run = run_attention},
    {.name = "RotaryEmbedding", .since = 23, .in = "TTTL?", .n_out = 1, .types = BIT(T_F32),
     .flags = OP_WIDEN, OP_ATTRS(rotary_attrs, rotary_params), .shape = shape_rotary,
     .run = run_rotary},
};
OP_FAMILY(ops_attention, "", attention_ops);
