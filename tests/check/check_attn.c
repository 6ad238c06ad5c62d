// Attention over pages: against softmax in double; a head's bits alone, among others, at another
// alignment.
//
// Bound. A score has error e <= (d_k + 2) 2^-24 |scale| sum|q k|. Weights p change by at most the
// factor exp(2 e); rounding p, l and the sum adds about (2 n_keys + 16) 2^-23. So the result moves
// by (exp(2 e_max) - 1 + (2 n_keys + 16) 2^-23) * sum p|v| / sum p.
#include "check/check.h"

#include "kern/half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct pages {
    const kern *k;
    dtype type;
    int64_t n_head, d_k, d_v, n_keys, page; // pages of `page` keys, the last may be shorter
    size_t k_stride, v_stride;
    float scale, cap;
    guarded q, keys, values, state;
} pages;

static size_t elt_bytes(dtype t)
{
    return dtype_get(t)->block_bytes;
}

static double cache_value(dtype t, const void *row, int64_t i)
{
    if (t == DTYPE_F16) return (double)f16_to_f32(((const uint16_t *)row)[i]);
    return (double)((const float *)row)[i];
}

static void reset_state(pages *p)
{
    float *s = p->state.data;
    for (int64_t i = 0; i < p->n_head * (2 + p->d_v); i++) {
        s[i] = i % (2 + p->d_v) ? 0.0f : -INFINITY;
    }
}

static void call_pages(void *arg)
{
    pages *p = arg;
    reset_state(p);
    for (int64_t j = 0; j < p->n_keys; j += p->page)
        p->k->attn_page[p->type](p->q.data, p->n_head, p->d_k, p->d_v,
                                 (char *)p->keys.data + (size_t)j * p->k_stride, p->k_stride,
                                 (char *)p->values.data + (size_t)j * p->v_stride, p->v_stride,
                                 i64_min(p->page, p->n_keys - j), p->scale, p->cap,
                                 p->state.data);
}

static void fill_rows(const kern *k, dtype t, void *rows, size_t stride, int64_t n, int64_t d,
                      fill f)
{
    float *x = malloc((size_t)d * sizeof *x + 1);
    for (int64_t j = 0; j < n; j++) {
        check_fill(x, d, f);
        k->cache_store[t](x, (char *)rows + (size_t)j * stride, d);
    }
    free(x);
}

static pages pages_new(const kern *k, dtype t, int64_t n_head, int64_t d_k, int64_t d_v,
                       int64_t n_keys, edge e)
{
    pages p = {.k = k, .type = t, .n_head = n_head, .d_k = d_k, .d_v = d_v, .n_keys = n_keys};
    p.page = n_keys ? n_keys : 1;
    p.scale = 1.0f / sqrtf((float)d_k);
    p.k_stride = ((size_t)d_k + 3) * elt_bytes(t);
    p.v_stride = ((size_t)d_v + 1) * elt_bytes(t);
    p.q = guarded_new((size_t)(n_head * d_k) * 4, e);
    size_t last = n_keys ? (size_t)(n_keys - 1) : 0, some = n_keys ? 1 : 0;
    p.keys = guarded_new(last * p.k_stride + some * (size_t)d_k * elt_bytes(t), e);
    p.values = guarded_new(last * p.v_stride + some * (size_t)d_v * elt_bytes(t), e);
    p.state = guarded_new((size_t)(n_head * (2 + d_v)) * 4, e);
    return p;
}

static void pages_free(pages *p)
{
    guarded_free(&p->q);
    guarded_free(&p->keys);
    guarded_free(&p->values);
    guarded_free(&p->state);
}

// --- double -------------------------------------------------------------------------------------
typedef struct scores {
    double *s, max, error;
} scores;

static scores head_scores(const pages *p, int64_t h)
{
    scores r = {malloc((size_t)p->n_keys * sizeof(double) + 1), (double)-INFINITY, 0};
    for (int64_t j = 0; j < p->n_keys; j++) {
        const char *key = (const char *)p->keys.data + (size_t)j * p->k_stride;
        double sum = 0, magnitude = 0;
        for (int64_t i = 0; i < p->d_k; i++) {
            double t = (double)((const float *)p->q.data)[h * p->d_k + i] *
                       cache_value(p->type, key, i);
            sum += t;
            magnitude += fabs(t);
        }
        r.s[j] = sum * (double)p->scale;
        if (p->cap > 0) r.s[j] = (double)p->cap * tanh(r.s[j] / (double)p->cap);
        r.max = r.s[j] <= r.max ? r.max : r.s[j];
        double error = (double)(p->d_k + 2) * 0x1p-24 * magnitude * (double)p->scale;
        if (p->cap > 0) error += 0x1p-20 * (double)p->cap; // of soft_cap; its slope is at most 1
        r.error = error <= r.error ? r.error : error;
    }
    return r;
}

static bool judge_head(const pages *p, int64_t h)
{
    scores r = head_scores(p, h);
    const float *state = (const float *)p->state.data + h * (2 + p->d_v);
    bool ok = true;
    for (int64_t i = 0; i < p->d_v && ok; i++) {
        double sum = 0, total = 0, magnitude = 0;
        for (int64_t j = 0; j < p->n_keys; j++) {
            const char *value = (const char *)p->values.data + (size_t)j * p->v_stride;
            double w = exp(r.s[j] - r.max), v = cache_value(p->type, value, i);
            total += w;
            sum += w * v;
            magnitude += w * fabs(v);
        }
        double relative = expm1(2 * r.error) + (2 * (double)p->n_keys + 16) * 0x1p-23;
        float got = state[2 + i] / state[1];
        ok = within(got, sum / total, relative * magnitude / total + 0x1p-140);
        if (!ok)
            check_fail("%lld keys in pages of %lld, d %lld/%lld, head %lld: out[%lld] = %g, "
                       "expected %g",
                       (long long)p->n_keys, (long long)p->page, (long long)p->d_k,
                       (long long)p->d_v, (long long)h, (long long)i, (double)got, sum / total);
    }
    free(r.s);
    return ok;
}

// --- the ordered class --------------------------------------------------------------------------
static void check_head_alone(const pages *whole, int64_t h)
{
    pages p = pages_new(whole->k, whole->type, 1, whole->d_k, whole->d_v, whole->n_keys,
                        EDGE_START);
    guarded own_keys = p.keys, own_values = p.values;
    p.keys = whole->keys;
    p.values = whole->values;
    p.page = whole->page;
    p.cap = whole->cap;
    memcpy(p.q.data, (const float *)whole->q.data + h * p.d_k, (size_t)p.d_k * sizeof(float));
    if (check_call(call_pages, &p) &&
        !same_bits(p.state.data, (const float *)whole->state.data + h * (2 + p.d_v), 2 + p.d_v))
        check_fail("%lld keys: head %lld has other bits alone", (long long)p.n_keys, (long long)h);
    p.keys = own_keys;
    p.values = own_values;
    pages_free(&p);
}

static void check_pages(const kern *k, dtype t, const int64_t shape[5], fill f, edge e)
{
    pages p = pages_new(k, t, shape[0], shape[1], shape[2], shape[3], e);
    p.page = shape[4];
    p.cap = shape[3] % 3 ? 0 : 2.5f;
    check_fill(p.q.data, p.n_head * p.d_k, f == FILL_INF ? FILL_RANDOM : f);
    fill_rows(k, t, p.keys.data, p.k_stride, p.n_keys, p.d_k, f == FILL_INF ? FILL_RANDOM : f);
    fill_rows(k, t, p.values.data, p.v_stride, p.n_keys, p.d_v, f == FILL_WIDE ? FILL_RANDOM : f);
    if (check_call(call_pages, &p) && p.n_keys) {
        for (int64_t h = 0; h < p.n_head && !check_failed(); h++)
            if (judge_head(&p, h)) check_head_alone(&p, h);
    }
    pages_free(&p);
}

// No keys: the state stays as it is.
static void check_empty(const kern *k, dtype t)
{
    pages p = pages_new(k, t, 2, 16, 8, 0, EDGE_END);
    reset_state(&p);
    float before[20];
    memcpy(before, p.state.data, sizeof before);
    k->attn_page[t](p.q.data, 2, 16, 8, p.keys.data, p.k_stride, p.values.data, p.v_stride, 0,
                    p.scale, 20.0f, p.state.data);
    if (memcmp(before, p.state.data, sizeof before)) check_fail("no keys: the state changed");
    pages_free(&p);
}

static void run_family(const kern *k, const kern *below)
{
    static const int64_t dims[][2] = {{8, 8}, {16, 24}, {64, 64}, {128, 128}, {40, 80}, {80, 40}};
    static const int64_t keys[][2] = {{1, 1}, {2, 2}, {3, 16}, {16, 16}, {17, 17}, {33, 16},
                                      {64, 64}, {100, 32}, {31, 1}};
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!k->attn_page[t]) continue;
        bool changed = k->attn_page[t] != below->attn_page[t];
        if (!check_slot("attn_page", dtype_get((dtype)t)->name, changed)) continue;
        check_empty(k, (dtype)t);
        int n = 0;
        for (size_t d = 0; d < COUNTOF(dims); d++)
            for (size_t j = 0; j < COUNTOF(keys) && !check_failed(); j++)
                for (int f = 0; f < FILL_COUNT; f++, n++) {
                    int64_t shape[5] = {1 + n % 4, dims[d][0], dims[d][1], keys[j][0], keys[j][1]};
                    check_pages(k, (dtype)t, shape, (fill)f, (edge)(n % EDGE_COUNT));
                }
    }
}

static void bench_family(const kern *k, const kern *below)
{
    kern ref;
    kern_init(&ref, 0);
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!k->attn_page[t]) continue;
        bool changed = k->attn_page[t] != below->attn_page[t];
        if (!check_slot("attn_page", dtype_get((dtype)t)->name, changed)) continue;
        pages p = pages_new(&ref, (dtype)t, 6, 128, 128, 256, EDGE_START);
        p.page = 64;
        check_fill(p.q.data, 6 * 128, FILL_RANDOM);
        fill_rows(&ref, (dtype)t, p.keys.data, p.k_stride, 256, 128, FILL_RANDOM);
        fill_rows(&ref, (dtype)t, p.values.data, p.v_stride, 256, 128, FILL_RANDOM);
        double ref_seconds = bench_seconds(call_pages, &p);
        p.k = k;
        bench_report("attn_page", dtype_get((dtype)t)->name, "6x128x256",
                     bench_seconds(call_pages, &p), 256.0 * 256.0 * (double)elt_bytes((dtype)t),
                     6.0 * 256.0 * 256.0, ref_seconds);
        pages_free(&p);
    }
}

const check_family check_attn = {"attn", run_family, bench_family};
