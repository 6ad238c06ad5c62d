// What recurrent layers add: mul, lerp, relu_sqr and short_conv bit for bit against arithmetic in
// double that is rounded after each operation; sigmoid and rwkv7_head against double with a bound;
// in place and over several rows, each of which goes on from the state that the last one left.
#include "check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t lengths[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257};

static float round_mul(float a, float b) { return (float)((double)a * (double)b); }
static float round_add(float a, float b) { return (float)((double)a + (double)b); }

// --- by element ---------------------------------------------------------------------------------
typedef struct element_case {
    const kern *k;
    int64_t n;
    guarded a, b, t, y;
} element_case;

typedef struct element_slot {
    void (*call)(void *);
    bool (*is_right)(float a, float b, float t, float y);
} element_slot;

static void call_mul(void *arg)
{
    element_case *c = arg;
    c->k->mul(c->a.data, c->b.data, c->y.data, c->n);
}

static bool is_product(float a, float b, float t, float y)
{
    (void)t;
    float want = round_mul(a, b);
    return same_bits(&y, &want, 1);
}

static void call_lerp(void *arg)
{
    element_case *c = arg;
    c->k->lerp(c->a.data, c->b.data, c->t.data, c->y.data, c->n);
}

static bool is_between(float a, float b, float t, float y)
{
    float want = round_add(a, round_mul(round_add(b, -a), t));
    return same_bits(&y, &want, 1);
}

static void call_relu_sqr(void *arg)
{
    element_case *c = arg;
    c->k->relu_sqr(c->a.data, c->y.data, c->n);
}

static bool is_relu_sqr(float a, float b, float t, float y)
{
    (void)b;
    (void)t;
    float want = a < 0 ? 0.0f : round_mul(a, a);
    return same_bits(&y, &want, 1);
}

static void call_sigmoid(void *arg)
{
    element_case *c = arg;
    c->k->sigmoid(c->a.data, c->y.data, c->n);
}

static bool is_sigmoid(float a, float b, float t, float y)
{
    (void)b;
    (void)t;
    double want = 1 / (1 + exp(-(double)a));
    return within(y, want, want * 0x1p-21 + 0x1p-148);
}

static void judge_elements(const element_case *c, const element_slot *s)
{
    const float *a = c->a.data, *b = c->b.data, *t = c->t.data, *y = c->y.data;
    for (int64_t i = 0; i < c->n; i++) {
        if (s->is_right(a[i], b[i], t[i], y[i])) continue;
        check_fail("n %lld: f(%a, %a, %a) = %a", (long long)c->n, (double)a[i], (double)b[i],
                   (double)t[i], (double)y[i]);
        return;
    }
}

static void check_element(const kern *k, const element_slot *s, int64_t n, fill f, edge e)
{
    size_t bytes = (size_t)n * sizeof(float);
    element_case c = {k, n, guarded_new(bytes, e), guarded_new(bytes, e), guarded_new(bytes, e),
                      guarded_new(bytes, e)};
    check_fill(c.a.data, n, f);
    check_fill(c.b.data, n, FILL_RANDOM);
    check_fill(c.t.data, n, FILL_RANDOM);
    float *a = c.a.data;
    if (s->call == call_sigmoid && f == FILL_RANDOM)
        for (int64_t i = 0; i < n; i++) a[i] = check_uniform(-120.0f, 120.0f);
    if (check_call(s->call, &c)) judge_elements(&c, s);
    element_case d = c; // over its first input
    d.y = d.a = guarded_new(bytes, EDGE_START);
    memcpy(d.a.data, c.a.data, bytes);
    if (check_call(s->call, &d) && !same_bits(d.y.data, c.y.data, n))
        check_fail("n %lld: other bits in place or at another alignment", (long long)n);
    guarded_free(&d.y);
    guarded_free(&c.a);
    guarded_free(&c.b);
    guarded_free(&c.t);
    guarded_free(&c.y);
}

static void check_elements(const kern *k, element_slot s)
{
    for (size_t i = 0; i < COUNTOF(lengths) && !check_failed(); i++)
        for (int f = 0; f < FILL_COUNT; f++)
            for (int e = 0; e < EDGE_COUNT; e++) check_element(k, &s, lengths[i], (fill)f, (edge)e);
}

// --- short_conv ---------------------------------------------------------------------------------
enum { CONV_ROWS = 6 };

typedef struct conv_case {
    const kern *k;
    int64_t n, taps, stride;
    guarded x, w, state, y;
    bool is_first;
} conv_case;

static void call_short_conv(void *arg)
{
    conv_case *c = arg;
    const float *from = c->is_first ? NULL : c->state.data;
    c->k->short_conv(c->x.data, c->w.data, c->taps, from, c->state.data, c->stride, c->y.data,
                     c->n);
}

// `history` [CONV_ROWS][n]: the inputs of rows up to `row`.
static void judge_conv(const conv_case *c, const float *history, int row)
{
    const float *w = c->w.data, *y = c->y.data;
    for (int64_t i = 0; i < c->n; i++, w += c->taps) {
        float sum = 0;
        for (int64_t j = 0; j < c->taps; j++) {
            int64_t at = row - (c->taps - 1) + j;
            sum = round_add(sum, round_mul(w[j], at < 0 ? 0.0f : history[at * c->n + i]));
        }
        if (same_bits(&sum, &y[i], 1)) continue;
        check_fail("n %lld, %lld taps, row %d: y[%lld] = %a, expected %a", (long long)c->n,
                   (long long)c->taps, row, (long long)i, (double)y[i], (double)sum);
        return;
    }
}

static void check_short_conv(const kern *k, int64_t n, int64_t taps, fill f, edge e)
{
    int64_t stride = n + (e == EDGE_END ? 0 : 5);
    size_t bytes = (size_t)n * sizeof(float);
    size_t held = ((size_t)(taps - 2) * (size_t)stride + (size_t)n) * sizeof(float);
    conv_case c = {k, n, taps, stride, guarded_new(bytes, e),
                   guarded_new(bytes * (size_t)taps, e), guarded_new(held, e),
                   guarded_new(bytes, e), true};
    float *history = malloc(bytes * CONV_ROWS + 1);
    check_fill(c.w.data, n * taps, FILL_RANDOM);
    for (int row = 0; row < CONV_ROWS && !check_failed(); row++, c.is_first = false) {
        check_fill(c.x.data, n, f);
        memcpy(history + row * n, c.x.data, bytes);
        if (check_call(call_short_conv, &c)) judge_conv(&c, history, row);
    }
    free(history);
    guarded_free(&c.x);
    guarded_free(&c.w);
    guarded_free(&c.state);
    guarded_free(&c.y);
}

// --- rwkv7_head ---------------------------------------------------------------------------------
enum { HEAD_ARRAYS = 11, HEAD_MAX = 100 };

typedef struct head_case {
    const kern *k;
    rwkv7_head h;
    guarded in[HEAD_ARRAYS], state, scratch, y;
    bool is_first;
} head_case;

static void call_rwkv7_head(void *arg)
{
    head_case *c = arg;
    const float *from = c->is_first ? NULL : c->state.data;
    c->k->rwkv7_head(&c->h, from, c->state.data, c->scratch.data, c->y.data);
}

static double logistic(double x) { return 1 / (1 + exp(-x)); }

// What a step should give: the state and output in double, and how far floats may be from them.
typedef struct head_want {
    double state[HEAD_MAX][HEAD_MAX], state_off[HEAD_MAX][HEAD_MAX];
    double y[HEAD_MAX], y_off[HEAD_MAX];
} head_want;

static void want_state(const rwkv7_head *h, const float *from, double bonus[2], head_want *out)
{
    int64_t n = h->n;
    double u[HEAD_MAX], length = 0;
    for (int64_t j = 0; j < n; j++) {
        u[j] = (double)h->k[j] * (double)h->k_k[j];
        length += u[j] * u[j];
    }
    length = fmax(sqrt(length), 1e-12);
    for (int64_t i = 0; i < n; i++) {
        double seen = 0, size = 0;
        for (int64_t m = 0; m < n; m++) {
            double term = from ? u[m] / length * (double)from[m * n + i] : 0;
            seen += term;
            size += fabs(term);
        }
        for (int64_t j = 0; j < n; j++) {
            double rate = logistic((double)h->a[j]), in = rate * u[j] / length;
            double key = (double)h->k[j] * (1 + (rate - 1) * (double)h->k_a[j]);
            double decay = exp(-exp(-0.5) * logistic((double)h->w[j]));
            double kept = from ? decay * (double)from[j * n + i] : 0, put = key * (double)h->v[i];
            double key_size = fabs((double)h->k[j]) * (1 + fabs((double)h->k_a[j]));
            out->state[j][i] = kept - in * seen + put;
            out->state_off[j][i] = (double)(n + 24) * 0x1p-23 *
                                   (fabs(kept) + fabs(in) * size +
                                    key_size * fabs((double)h->v[i]));
            if (i) continue;
            bonus[0] += (double)h->r[j] * key * (double)h->r_k[j];
            bonus[1] += fabs((double)h->r[j] * (double)h->r_k[j]) * key_size;
        }
    }
}

static void want_output(const rwkv7_head *h, const double bonus[2], head_want *out)
{
    int64_t n = h->n;
    double sum[HEAD_MAX], off = 0, mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        double sum_off = 0;
        sum[i] = 0;
        for (int64_t j = 0; j < n; j++) {
            double r = (double)h->r[j];
            sum[i] += r * out->state[j][i];
            sum_off += fabs(r) * (out->state_off[j][i] +
                                  (double)n * 0x1p-23 * fabs(out->state[j][i]));
        }
        off = fmax(off, sum_off);
        mean += sum[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) squares += (sum[i] - mean) * (sum[i] - mean) / (double)n;
    double factor = 1 / sqrt(squares + (double)h->eps);
    for (int64_t i = 0; i < n; i++) {
        double z = (sum[i] - mean) * factor, w = (double)h->norm[i], g = (double)h->g[i];
        double b = (double)h->norm_bias[i], v = (double)h->v[i];
        double size = fabs(z * w) + fabs(b) + bonus[1] * fabs(v);
        out->y[i] = g * (z * w + b + bonus[0] * v);
        out->y_off[i] = fabs(g) * (fabs(w) * factor * 4 * off * (1 + fabs(z)) +
                                   (double)(n + 24) * 0x1p-23 * size);
    }
}

static void judge_head(const head_case *c, const head_want *want, int row)
{
    const float *state = c->state.data, *y = c->y.data;
    int64_t n = c->h.n;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            if (within(state[j * n + i], want->state[j][i], want->state_off[j][i] + 0x1p-120))
                continue;
            check_fail("n %lld, row %d: state[%lld][%lld] = %g, expected %g", (long long)n, row,
                       (long long)j, (long long)i, (double)state[j * n + i], want->state[j][i]);
            return;
        }
        if (within(y[i], want->y[i], want->y_off[i] + 0x1p-120)) continue;
        check_fail("n %lld, row %d: y[%lld] = %g, expected %g within %g", (long long)n, row,
                   (long long)i, (double)y[i], want->y[i], want->y_off[i]);
        return;
    }
}

static void check_rwkv7_rows(head_case *c, fill f, head_want *want)
{
    int64_t n = c->h.n;
    float *before = malloc((size_t)(n * n) * sizeof *before);
    for (int i = 6; i < HEAD_ARRAYS; i++) check_fill(c->in[i].data, n, FILL_RANDOM);
    for (int row = 0; row < 5 && !check_failed(); row++, c->is_first = false) {
        for (int i = 0; i < 6; i++)
            check_fill(c->in[i].data, n, i == 1 || i == 4 ? FILL_RANDOM : f);
        memcpy(before, c->state.data, (size_t)(n * n) * sizeof *before);
        double bonus[2] = {0, 0};
        want_state(&c->h, c->is_first ? NULL : before, bonus, want);
        want_output(&c->h, bonus, want);
        if (check_call(call_rwkv7_head, c)) judge_head(c, want, row);
    }
    free(before);
}

static void check_rwkv7_head(const kern *k, int64_t n, fill f, edge e, head_want *want)
{
    size_t bytes = (size_t)n * sizeof(float);
    head_case c = {.k = k, .is_first = true};
    for (int i = 0; i < HEAD_ARRAYS; i++) c.in[i] = guarded_new(bytes, e);
    c.state = guarded_new(bytes * (size_t)n, e);
    c.scratch = guarded_new(4 * bytes, e);
    c.y = guarded_new(bytes, e);
    c.h = (rwkv7_head){c.in[0].data, c.in[1].data, c.in[2].data, c.in[3].data, c.in[4].data,
                       c.in[5].data, c.in[6].data, c.in[7].data, c.in[8].data, c.in[9].data,
                       c.in[10].data, 64e-5f, n};
    check_rwkv7_rows(&c, f, want);
    for (int i = 0; i < HEAD_ARRAYS; i++) guarded_free(&c.in[i]);
    guarded_free(&c.state);
    guarded_free(&c.scratch);
    guarded_free(&c.y);
}

static void check_rwkv7(const kern *k)
{
    static const int64_t sizes[] = {1, 2, 3, 8, 13, 16, 31, 32, 64, HEAD_MAX};
    static const fill fills[] = {FILL_RANDOM, FILL_SPARSE, FILL_ALTERNATING, FILL_ZERO};
    head_want *want = malloc(sizeof *want);
    for (size_t i = 0; i < COUNTOF(sizes) && !check_failed(); i++)
        for (size_t f = 0; f < COUNTOF(fills); f++)
            for (int e = 0; e < EDGE_COUNT; e++)
                check_rwkv7_head(k, sizes[i], fills[f], (edge)e, want);
    free(want);
}

// --- the family ---------------------------------------------------------------------------------
static void check_convs(const kern *k)
{
    for (size_t i = 1; i < COUNTOF(lengths) && !check_failed(); i++)
        for (int64_t taps = 2; taps <= 5; taps++)
            for (int e = 0; e < EDGE_COUNT; e++)
                check_short_conv(k, lengths[i], taps, e ? FILL_WIDE : FILL_RANDOM, (edge)e);
}

static void run_family(const kern *k, const kern *below)
{
    if (check_slot("mul", NULL, k->mul != below->mul))
        check_elements(k, (element_slot){call_mul, is_product});
    if (check_slot("lerp", NULL, k->lerp != below->lerp))
        check_elements(k, (element_slot){call_lerp, is_between});
    if (check_slot("relu_sqr", NULL, k->relu_sqr != below->relu_sqr))
        check_elements(k, (element_slot){call_relu_sqr, is_relu_sqr});
    if (check_slot("sigmoid", NULL, k->sigmoid != below->sigmoid))
        check_elements(k, (element_slot){call_sigmoid, is_sigmoid});
    if (check_slot("short_conv", NULL, k->short_conv != below->short_conv)) check_convs(k);
    if (check_slot("rwkv7_head", NULL, k->rwkv7_head != below->rwkv7_head)) check_rwkv7(k);
}

const check_family check_recur = {"recur", run_family, NULL};
