// The CPU device against plain loops in double: matrices of several types in one call, attention
// over scattered pages with a window, rope, and scratch of exactly the size that was asked for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "dev/dev.h"
#include "kern/kern.h"
#include "support/closed_dev.h"
#include "support/model_file.h"

static dev *d; // closed: a byte too many of scratch is a fault

static int open_dev(void **state)
{
    (void)state;
    dev *cpu;
    if (dev_cpu_open(3, CPU_ALL, &cpu, NULL) != HEARTH_OK) return -1;
    return closed_dev_open(cpu, &d, NULL) == HEARTH_OK ? 0 : -1;
}

static int close_dev(void **state)
{
    (void)state;
    dev_close(d);
    return 0;
}

static dev_view make(size_t bytes)
{
    dev_buf *b;
    assert_int_equal(d->ops->alloc(d, MEM_TEST, bytes, &b, NULL), HEARTH_OK);
    return (dev_view){b, 0};
}

static void drop(dev_view v) { d->ops->free(d, v.buf); }

static dev_view upload(const float *x, size_t n)
{
    dev_view v = make(n * sizeof *x);
    d->ops->write(d, v, x, n * sizeof *x);
    return v;
}

static float *download(dev_view v, size_t n)
{
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    assert_int_equal(d->ops->read(d, v, x, n * sizeof *x, NULL), HEARTH_OK);
    return x;
}

static float *random_floats(uint64_t seed, size_t n)
{
    rng r;
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++) x[i] = rng_normal(&r);
    return x;
}

static dev_weight make_weight(dtype t, int64_t n_in, int64_t n_out, uint64_t seed)
{
    dev_weight w = {.type = t, .n_in = n_in, .n_out = n_out};
    assert_true(dtype_bytes(t, n_in, &w.row_bytes));
    size_t bytes = w.row_bytes * (size_t)n_out;
    void *p = malloc(bytes);
    assert_non_null(p);
    assert_true(test_model_fill(seed, t, n_in * n_out, 0.1, p));
    assert_int_equal(d->ops->wrap(d, p, bytes, &w.data.buf, NULL), HEARTH_OK);
    free(p); // the closed device has copied it
    return w;
}

// Rows of the weights as floats, through gather(): dequantisation has tests of its own.
static float *weight_values(const dev_weight *w)
{
    size_t n = (size_t)(w->n_in * w->n_out);
    int32_t *ids = malloc((size_t)w->n_out * sizeof *ids);
    assert_non_null(ids);
    for (int32_t i = 0; i < w->n_out; i++) ids[i] = i;
    dev_view v = make(n * sizeof(float));
    d->ops->gather(d, w, ids, w->n_out, v);
    float *x = download(v, n);
    drop(v);
    free(ids);
    return x;
}

// Within the error of activations rounded to 1/127 of their group's largest, or of float sums.
static void check_product(const dev_weight *w, const float *x, int64_t n_rows, dev_view y)
{
    float *values = weight_values(w), *got = download(y, (size_t)(n_rows * w->n_out));
    double step = dtype_get(w->type)->is_quantized ? 4.0 / 127 : 1e-5;
    for (int64_t t = 0; t < n_rows; t++) {
        for (int64_t r = 0; r < w->n_out; r++) {
            double sum = 0, square = 0;
            for (int64_t i = 0; i < w->n_in; i++) {
                double a = (double)values[r * w->n_in + i];
                sum += a * (double)x[t * w->n_in + i];
                square += a * a;
            }
            double error = fabs(sum - (double)got[t * w->n_out + r]);
            assert_true(error <= step * sqrt(square) + 1e-6);
        }
    }
    free(values);
    free(got);
}

static void test_matmul_of_mixed_types(void **state)
{
    (void)state;
    static const dtype types[] = {DTYPE_Q4_0, DTYPE_F16, DTYPE_Q6_K,
                                  DTYPE_Q8_0, DTYPE_F32, DTYPE_Q4_K};
    static const int64_t outs[] = {16, 100, 1, 33, 257, 64};
    static const int64_t rows[] = {1, 2, 7, 8, 40};
    enum { N_IN = 512, N = 6 };
    dev_weight w[N];
    const dev_weight *list[N];
    for (int i = 0; i < N; i++) {
        w[i] = make_weight(types[i], N_IN, outs[i], (uint64_t)i + 1);
        list[i] = &w[i];
    }
    for (size_t k = 0; k < COUNTOF(rows); k++) {
        float *x = random_floats(k, (size_t)(rows[k] * N_IN));
        dev_view in = upload(x, (size_t)(rows[k] * N_IN)), y[N];
        size_t most = 0;
        for (int i = 0; i < N; i++) {
            y[i] = make((size_t)(rows[k] * outs[i]) * sizeof(float));
            most = size_max(most, d->ops->matmul_scratch(d, types[i], N_IN, rows[k]));
        }
        dev_view scratch = make(most);
        d->ops->matmul(d, N, list, in, rows[k], y, scratch);
        for (int i = 0; i < N; i++) {
            check_product(&w[i], x, rows[k], y[i]);
            drop(y[i]);
        }
        drop(scratch);
        drop(in);
        free(x);
    }
    for (int i = 0; i < N; i++) drop(w[i].data);
}

typedef struct attn_case {
    int64_t n_head, n_head_kv, d_k, d_v;
    dtype type;
    bool sinks;
    double tolerance;
} attn_case;
enum { ATTN_ROWS = 70, ATTN_PAGE = 16, ATTN_PAGES = 9 };

// What attention() should give for one head of one row.
static void attend(const attn_case *c, const float *q, const float *k, const float *v, int64_t head,
                   const dev_attn_row *row, float scale, const float *sinks, double *out)
{
    double weight[ATTN_ROWS], most = sinks ? (double)sinks[head] : (double)-INFINITY, sum = 0;
    int64_t kv = head / (c->n_head / c->n_head_kv);
    for (int64_t j = row->first; j <= row->last; j++) {
        weight[j] = 0;
        for (int64_t i = 0; i < c->d_k; i++)
            weight[j] += (double)q[(row->pos * c->n_head + head) * c->d_k + i] *
                         (double)k[(j * c->n_head_kv + kv) * c->d_k + i] * (double)scale;
        most = fmax(most, weight[j]);
    }
    for (int64_t i = 0; i < c->d_v; i++) out[i] = 0;
    if (sinks) sum = exp((double)sinks[head] - most);
    for (int64_t j = row->first; j <= row->last; j++) {
        double e = exp(weight[j] - most);
        sum += e;
        for (int64_t i = 0; i < c->d_v; i++)
            out[i] += e * (double)v[(j * c->n_head_kv + kv) * c->d_v + i];
    }
    for (int64_t i = 0; i < c->d_v; i++) out[i] /= sum;
}

static dev_cache make_cache(const attn_case *c)
{
    size_t k_item = 0, v_item = 0;
    assert_true(dtype_bytes(c->type, c->d_k, &k_item) && dtype_bytes(c->type, c->d_v, &v_item));
    size_t positions = (size_t)c->n_head_kv * ATTN_PAGE;
    dev_cache cache = {.page_stride = 128 + positions * (k_item + v_item), // a gap between pages
                       .values_at = positions * k_item, .page_len = ATTN_PAGE,
                       .n_head_kv = c->n_head_kv, .d_k = c->d_k, .d_v = c->d_v,
                       .type_k = c->type, .type_v = c->type};
    cache.base = make(ATTN_PAGES * cache.page_stride);
    return cache;
}

static void check_attention(const attn_case *c)
{
    static const uint32_t pages[] = {7, 2, 8, 0, 5};
    dev_cache cache = make_cache(c);
    dev_attn_row rows[ATTN_ROWS];
    for (int64_t i = 0; i < ATTN_ROWS; i++)
        rows[i] = (dev_attn_row){pages, i, i % 3 == 0 ? i64_max(i - 20, 0) : 0,
                                 i % 5 == 0 ? ATTN_ROWS - 1 : i};
    static const float scores[] = {0.5f, -2, 3, 0, 8, -30, 1, 2};
    dev_weight sinks = {.type = DTYPE_F32, .n_in = c->n_head, .n_out = 1,
                        .data = upload(scores, (size_t)c->n_head)};
    const dev_attn how = {.n_head = c->n_head, .scale = 0.3f, .sinks = c->sinks ? &sinks : NULL};
    size_t n_q = (size_t)(ATTN_ROWS * c->n_head * c->d_k);
    size_t n_k = (size_t)(ATTN_ROWS * c->n_head_kv * c->d_k);
    size_t n_v = (size_t)(ATTN_ROWS * c->n_head_kv * c->d_v);
    size_t n_out = (size_t)(ATTN_ROWS * c->n_head * c->d_v);
    float *q = random_floats(1, n_q), *k = random_floats(2, n_k), *v = random_floats(3, n_v);
    dev_view dq = upload(q, n_q), dk = upload(k, n_k), dv = upload(v, n_v);
    dev_view out = make(n_out * sizeof(float));
    dev_view scratch = make(d->ops->attention_scratch(d, c->n_head, &cache, ATTN_ROWS));
    d->ops->cache_write(d, &cache, rows, ATTN_ROWS, dk, dv);
    d->ops->attention(d, &how, &cache, rows, ATTN_ROWS, dq, out, scratch);
    float *got = download(out, n_out);
    double want[64];
    for (int64_t r = 0; r < ATTN_ROWS; r++) {
        for (int64_t h = 0; h < c->n_head; h++) {
            attend(c, q, k, v, h, &rows[r], 0.3f, c->sinks ? scores : NULL, want);
            for (int64_t i = 0; i < c->d_v; i++)
                assert_true(fabs(want[i] - (double)got[(r * c->n_head + h) * c->d_v + i]) <
                            c->tolerance);
        }
    }
    free(got);
    free(q);
    free(k);
    free(v);
    const dev_view all[] = {dq, dk, dv, out, scratch, cache.base, sinks.data};
    for (size_t i = 0; i < COUNTOF(all); i++) drop(all[i]);
}

static void test_attention(void **state)
{
    (void)state;
    static const attn_case cases[] = {
        {4, 4, 16, 16, DTYPE_F32, false, 1e-5}, {6, 2, 64, 32, DTYPE_F32, true, 1e-5},
        {8, 1, 32, 64, DTYPE_F16, true, 1e-2},
        {2, 1, 4, 4, DTYPE_F16, false, 1e-2}, // 4: the reference kernels
        {2, 2, 12, 20, DTYPE_F32, true, 1e-5},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) check_attention(&cases[i]);
}

static void check_rope(bool neox)
{
    enum { ROWS = 3, HEADS = 5, SIZE = 16, ROT = 8 };
    static const float freq[ROT / 2] = {1, 0.3f, 0.01f, 1e-5f};
    static const int32_t pos[ROWS] = {0, 7, 1000003};
    const dev_rope rope = {freq, ROT, 1.5f, neox};
    float *x = random_floats(9, ROWS * HEADS * SIZE);
    dev_view v = upload(x, ROWS * HEADS * SIZE), angles = make(ROWS * ROT * sizeof(float));
    d->ops->rope_angles(d, &rope, pos, ROWS, angles);
    d->ops->rope(d, &rope, angles, v, ROWS, HEADS, SIZE);
    float *got = download(v, ROWS * HEADS * SIZE);
    for (int i = 0; i < ROWS * HEADS * SIZE; i++) {
        int row = i / (HEADS * SIZE), at = i % SIZE, base = i - at;
        double want = (double)x[i];
        if (at < ROT) {
            int pair = neox ? at % (ROT / 2) : at / 2;
            int a = base + (neox ? pair : 2 * pair), b = neox ? a + ROT / 2 : a + 1;
            double angle = (double)pos[row] * (double)freq[pair];
            double c = 1.5 * cos(angle), s = 1.5 * sin(angle);
            want = i == a ? (double)x[a] * c - (double)x[b] * s
                          : (double)x[a] * s + (double)x[b] * c;
        }
        assert_true(fabs(want - (double)got[i]) < 1e-5);
    }
    free(got);
    free(x);
    drop(angles);
    drop(v);
}

static void test_rope(void **state)
{
    (void)state;
    check_rope(false);
    check_rope(true);
}

// Rows that are cut over threads, and odd sizes at the end.
static void test_rows(void **state)
{
    (void)state;
    enum { ROWS = 200, N = 333 };
    float *x = random_floats(4, ROWS * N), *y = random_floats(5, ROWS * N);
    dev_view a = upload(x, ROWS * N), b = upload(y, ROWS * N), out = make(ROWS * N * sizeof(float));
    dev_weight w = make_weight(DTYPE_F32, N, 1, 6);
    float *scale = weight_values(&w);
    d->ops->rms_norm(d, a, &w, 1e-5f, ROWS, N, out);
    float *norm = download(out, ROWS * N);
    d->ops->silu_mul(d, a, b, ROWS, N, out);
    float *silu = download(out, ROWS * N);
    d->ops->swiglu_clamped(d, a, b, 0.5f, ROWS, N, out);
    float *clamped = download(out, ROWS * N);
    d->ops->add(d, a, b, ROWS * N, out);
    d->ops->add_bias(d, out, &w, ROWS, N);
    float *sum = download(out, ROWS * N);
    for (int r = 0; r < ROWS; r++) {
        double square = 0;
        for (int i = 0; i < N; i++) square += (double)x[r * N + i] * (double)x[r * N + i];
        for (int i = 0; i < N; i++) {
            int at = r * N + i;
            double g = (double)x[at], u = (double)y[at];
            double n = g / sqrt(square / N + 1e-5) * (double)scale[i];
            assert_true(fabs(n - (double)norm[at]) < 1e-6);
            assert_true(fabs(g / (1 + exp(-g)) * u - (double)silu[at]) < 1e-5);
            assert_true(sum[at] == x[at] + y[at] + scale[i]);
            g = fmin(g, 0.5);
            u = fmax(fmin(u, 0.5), -0.5);
            assert_true(fabs((u + 1) * g / (1 + exp(-1.702 * g)) - (double)clamped[at]) < 1e-5);
        }
    }
    free(norm);
    free(silu);
    free(clamped);
    free(sum);
    free(scale);
    free(x);
    free(y);
    const dev_view all[] = {a, b, out, w.data};
    for (size_t i = 0; i < COUNTOF(all); i++) drop(all[i]);
}

static void test_select_and_copy(void **state)
{
    (void)state;
    float x[6 * 5], *got;
    const int32_t rows[] = {5, 0, 5, 2};
    for (int i = 0; i < 30; i++) x[i] = (float)i;
    dev_view a = upload(x, 30), b = make(20 * sizeof(float));
    d->ops->select(d, a, rows, 4, 5, b);
    got = download(b, 20);
    for (int i = 0; i < 20; i++) assert_true(got[i] == (float)(rows[i / 5] * 5 + i % 5));
    free(got);
    d->ops->copy(d, dev_at(b, 4), dev_at(a, 8), 12);
    got = download(b, 20);
    assert_true(got[0] == 25 && got[1] == 2 && got[2] == 3 && got[3] == 4 && got[4] == 29);
    free(got);
    drop(a);
    drop(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_of_mixed_types), cmocka_unit_test(test_attention),
        cmocka_unit_test(test_rope), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_select_and_copy),
    };
    return cmocka_run_group_tests_name("cpu device", tests, open_dev, close_dev);
}
