// The gated delta rule's head against its definition in double, with a bound from the sizes of the
// terms; over several rows, each of which goes on from the state that the last one left, in the
// same matrix and in another one.
#include "check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D_MAX = 160, N_ROWS = 5 };

typedef struct delta_case {
    const kern *k;
    delta_head h;
    guarded q, key, v, from, to, scratch, y;
    bool is_first;
} delta_case;

static void call_delta(void *arg)
{
    delta_case *c = arg;
    c->k->delta_head(&c->h, c->is_first ? NULL : c->from.data, c->to.data, c->scratch.data,
                     c->y.data);
}

typedef struct delta_want {
    double k[D_MAX], q[D_MAX];
} delta_want;

static void normalize(const float *x, double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    for (int64_t i = 0; i < n; i++) y[i] = (double)x[i] / sqrt(sum + 1e-6);
}

static void prepare(const delta_head *h, delta_want *w)
{
    normalize(h->k, w->k, h->d_k);
    normalize(h->q, w->q, h->d_k);
    for (int64_t j = 0; j < h->d_k; j++) w->q[j] /= sqrt((double)h->d_k);
}

// Value i: the state's column and the output, each with how far floats may be from it.
static bool judge_column(const delta_case *c, const delta_want *w, const float *from, int64_t i)
{
    const delta_head *h = &c->h;
    const float *to = c->to.data, *y = c->y.data;
    double seen = 0, size = fabs((double)h->v[i]), sum = 0, sum_off = 0;
    double unit = (double)(h->d_k + 32) * 0x1p-23;
    for (int64_t j = 0; j < h->d_k; j++) {
        double s = from ? (double)from[j * h->d_v + i] * (double)h->decay : 0;
        seen += w->k[j] * s;
        size += fabs(w->k[j] * s);
    }
    double put = (double)h->beta * ((double)h->v[i] - seen);
    for (int64_t j = 0; j < h->d_k; j++) {
        double before = from ? (double)from[j * h->d_v + i] * (double)h->decay : 0;
        double want = before + w->k[j] * put;
        double off = unit * (fabs(before) + fabs(w->k[j]) * size) + 0x1p-120;
        if (!within(to[j * h->d_v + i], want, off)) {
            check_fail("%lld x %lld: state[%lld][%lld] = %g, expected %g", (long long)h->d_k,
                       (long long)h->d_v, (long long)j, (long long)i,
                       (double)to[j * h->d_v + i], want);
            return false;
        }
        sum += w->q[j] * want;
        sum_off += fabs(w->q[j]) * (off + unit * fabs(want));
    }
    if (within(y[i], sum, sum_off + 0x1p-120)) return true;
    check_fail("%lld x %lld: y[%lld] = %g, expected %g", (long long)h->d_k, (long long)h->d_v,
               (long long)i, (double)y[i], sum);
    return false;
}

static void check_row(delta_case *c, fill f, float *before)
{
    size_t bytes = (size_t)(c->h.d_k * c->h.d_v) * sizeof(float);
    delta_want w;
    check_fill(c->q.data, c->h.d_k, f);
    check_fill(c->key.data, c->h.d_k, f);
    check_fill(c->v.data, c->h.d_v, f);
    c->h.decay = check_uniform(0.0f, 1.0f);
    c->h.beta = check_uniform(0.0f, 1.0f);
    memcpy(before, c->from.data, bytes);
    if (!check_call(call_delta, c)) return;
    prepare(&c->h, &w);
    for (int64_t i = 0; i < c->h.d_v; i++)
        if (!judge_column(c, &w, c->is_first ? NULL : before, i)) return;
}

static void check_shape(const kern *k, int64_t d_k, int64_t d_v, fill f, edge e)
{
    size_t matrix = (size_t)(d_k * d_v) * sizeof(float), width = (size_t)d_v * sizeof(float);
    size_t depth = (size_t)d_k * sizeof(float);
    delta_case c = {k, {.d_k = d_k, .d_v = d_v}, guarded_new(depth, e), guarded_new(depth, e),
                    guarded_new(width, e), guarded_new(matrix, e), guarded_new(matrix, e),
                    guarded_new(2 * depth, e), guarded_new(width, e), true};
    float *before = malloc(matrix);
    c.h.q = c.q.data;
    c.h.k = c.key.data;
    c.h.v = c.v.data;
    for (int row = 0; row < N_ROWS && !check_failed(); row++, c.is_first = false) {
        guarded from = c.from;
        if (row >= 2) c.from = c.to; // in place
        check_row(&c, f, before);
        c.from = from;
        memcpy(c.from.data, c.to.data, matrix);
    }
    free(before);
    guarded *all[] = {&c.q, &c.key, &c.v, &c.from, &c.to, &c.scratch, &c.y};
    for (size_t i = 0; i < COUNTOF(all); i++) guarded_free(all[i]);
}

static void check_shapes(const kern *k)
{
    static const int64_t depths[] = {1, 5, 16, 128, D_MAX}, widths[] = {1, 7, 8, 33, 64, 100, 128};
    static const fill fills[] = {FILL_RANDOM, FILL_SPARSE, FILL_ALTERNATING, FILL_ZERO};
    for (size_t i = 0; i < COUNTOF(depths) * COUNTOF(widths) && !check_failed(); i++)
        for (size_t f = 0; f < COUNTOF(fills); f++)
            for (int e = 0; e < EDGE_COUNT; e++)
                check_shape(k, depths[i / COUNTOF(widths)], widths[i % COUNTOF(widths)], fills[f],
                            (edge)e);
}

static void run_family(const kern *k, const kern *below)
{
    if (check_slot("delta_head", NULL, k->delta_head != below->delta_head)) check_shapes(k);
}

const check_family check_delta = {"delta", run_family, NULL};
