// Matrix products: against double with the bound of kern.h, and the promise of the ordered class
// that an output's bits depend on its own row and token alone.
#include "check/check_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct problem {
    const kern *k;
    dtype type;
    act_kind act;
    size_t w_stride, x_stride, y_stride;
    int64_t n_rows, n_tok, depth;
    guarded w, x, packed, y;
    double *w_value, *w_magnitude; // [n_rows][depth]
    double *x_value;               // [n_tok][depth], as the packed activations have it
} problem;

// --- activations as the contract of kern.h packs them, written independently --------------------
static void quantise(const float *x, int64_t n, double *out)
{
    float amax = 0.0f;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        finite = finite && isfinite(x[i]);
        amax = fmaxf(amax, fabsf(x[i]));
    }
    float d = amax / 127.0f, inv = d > 0.0f ? 1.0f / d : 0.0f;
    for (int64_t i = 0; i < n; i++) {
        if (!finite) out[i] = (double)NAN; // a scale that is not finite, times 0
        else if (isinf(inv)) out[i] = 0.0;
        else out[i] = (double)d * (double)fmaxf(-127.0f, fminf(127.0f, nearbyintf(x[i] * inv)));
    }
}

static void expect_activations(problem *p)
{
    static const int64_t groups[ACT_COUNT] = {0, 32, 256};
    int64_t group = groups[p->act];
    for (int64_t t = 0; t < p->n_tok; t++) {
        const float *row = (const float *)p->x.data + (size_t)t * p->x_stride;
        double *out = p->x_value + t * p->depth;
        for (int64_t i = 0; group && i < p->depth; i += group) quantise(row + i, group, out + i);
        for (int64_t i = 0; !group && i < p->depth; i++) out[i] = (double)row[i];
    }
}

// --- one problem --------------------------------------------------------------------------------
static void problem_fill(problem *p, const kern *ref, weight_fill wf, fill xf)
{
    for (int64_t r = 0; r < p->n_rows; r++) {
        char *row = (char *)p->w.data + (size_t)r * p->w_stride;
        weights_fill(p->type, row, p->depth, wf);
        weights_to_double(ref, p->type, row, p->depth, p->w_value + r * p->depth,
                          p->w_magnitude + r * p->depth);
    }
    for (int64_t t = 0; t < p->n_tok; t++)
        check_fill((float *)p->x.data + (size_t)t * p->x_stride, p->depth, xf);
    expect_activations(p);
}

static problem problem_new(const kern *k, dtype type, int64_t n_rows, int64_t n_tok, int64_t depth,
                           edge e)
{
    problem p = {.k = k, .type = type, .act = kern_act_kind(type)};
    p.n_rows = n_rows;
    p.n_tok = n_tok;
    p.depth = depth;
    size_t row = weight_bytes(type, depth), gap = type == DTYPE_F32 ? 12 : 6;
    p.w_stride = row + gap;
    p.x_stride = (size_t)depth + 5;
    p.y_stride = (size_t)n_rows + 3;
    p.w = guarded_new(n_rows ? (size_t)(n_rows - 1) * p.w_stride + row : 0, e);
    p.x = guarded_new(n_tok ? ((size_t)(n_tok - 1) * p.x_stride + (size_t)depth) * 4 : 0, e);
    p.y = guarded_new(n_tok ? ((size_t)(n_tok - 1) * p.y_stride + (size_t)n_rows) * 4 : 0, e);
    p.packed = guarded_new(k->act_bytes[p.act](depth, n_tok), e);
    size_t n_w = (size_t)(n_rows * depth) * sizeof(double) + 1;
    p.w_value = malloc(n_w);
    p.w_magnitude = malloc(n_w);
    p.x_value = malloc((size_t)(n_tok * depth) * sizeof(double) + 1);
    return p;
}

static void problem_free(problem *p)
{
    guarded_free(&p->w);
    guarded_free(&p->x);
    guarded_free(&p->y);
    guarded_free(&p->packed);
    free(p->w_value);
    free(p->w_magnitude);
    free(p->x_value);
}

static void call_matmul(void *arg)
{
    problem *p = arg;
    p->k->act_pack[p->act](p->x.data, p->x_stride, p->depth, p->n_tok, 0, p->n_tok,
                           p->packed.data);
    p->k->matmul[p->type](p->w.data, p->w_stride, p->n_rows, p->packed.data, p->n_tok, p->depth,
                          p->y.data, p->y_stride);
}

static bool judge_output(const problem *p, int64_t r, int64_t t)
{
    const double *w = p->w_value + r * p->depth, *m = p->w_magnitude + r * p->depth;
    const double *x = p->x_value + t * p->depth;
    double want = 0, bound = 0;
    for (int64_t i = 0; i < p->depth; i++) {
        want += w[i] * x[i];
        bound += fabs(m[i] * x[i]);
    }
    bound = bound * (double)(p->depth + 1) * 0x1p-24 + (double)p->depth * 0x1p-149;
    float got = ((const float *)p->y.data)[(size_t)t * p->y_stride + (size_t)r];
    if (within(got, want, bound)) return true;
    check_fail("%lld x %lld x %lld: y[token %lld][row %lld] = %g, expected %g +- %g",
               (long long)p->n_rows, (long long)p->n_tok, (long long)p->depth, (long long)t,
               (long long)r, (double)got, want, bound);
    return false;
}

// Elements between n_rows and y_stride belong to somebody else.
static bool gaps_untouched(const problem *p)
{
    const uint8_t *y = p->y.data;
    for (int64_t t = 0; t + 1 < p->n_tok; t++)
        for (size_t i = (size_t)p->n_rows * 4; i < p->y_stride * 4; i++)
            if (y[(size_t)t * p->y_stride * 4 + i] != 0xA5) return false;
    return true;
}

static void check_problem(const kern *k, dtype type, const int64_t shape[3], weight_fill wf,
                          fill xf, edge e)
{
    problem p = problem_new(k, type, shape[0], shape[1], shape[2], e);
    problem_fill(&p, k, wf, xf);
    bool ok = check_call(call_matmul, &p);
    for (int64_t t = 0; ok && t < p.n_tok; t++)
        for (int64_t r = 0; ok && r < p.n_rows; r++) ok = judge_output(&p, r, t);
    if (ok && !gaps_untouched(&p)) check_fail("writes outside its rows");
    if (!ok) check_fail("   weights %s, activations %s", weight_fill_names[wf], fill_names[xf]);
    problem_free(&p);
}

// --- shapes -------------------------------------------------------------------------------------
static const int64_t row_counts[] = {16, 1, 33, 0, 2, 15, 17, 50, 32, 7};
static const int64_t tok_counts[] = {1, 16, 3, 2, 0, 17, 6, 35, 5, 8, 7};
static const int64_t depths_plain[] = {0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257};
static const int64_t depths_grouped[] = {0, 1, 2, 3, 5, 8, 9, 17, 20}; // in groups

static void check_depth(const kern *k, dtype type, int64_t depth)
{
    int n = 0;
    int64_t group = weight_group(type), area_max = group == 256 ? 300 : 1200;
    for (size_t r = 0; r < COUNTOF(row_counts); r++)
        for (size_t t = 0; t < COUNTOF(tok_counts) && !check_failed(); t++, n++) {
            if (row_counts[r] * tok_counts[t] > area_max) continue;
            int64_t shape[3] = {row_counts[r], tok_counts[t], depth};
            check_problem(k, type, shape, (weight_fill)(n % WEIGHT_FILL_COUNT),
                          (fill)(check_random() % FILL_COUNT), (edge)(n % EDGE_COUNT));
        }
}

static void check_extremes(const kern *k, dtype type)
{
    int64_t shape[3] = {18, 9, weight_group(type) == 1 ? 133 : 512};
    for (int wf = 0; wf < WEIGHT_FILL_COUNT; wf++)
        for (int xf = 0; xf < FILL_COUNT && !check_failed(); xf++)
            for (int e = 0; e < EDGE_COUNT; e++)
                check_problem(k, type, shape, (weight_fill)wf, (fill)xf, (edge)e);
}

// Weights of arbitrary bytes: scales may be infinite or NaN, and no code may lead outside.
static void check_wild(const kern *k, dtype type)
{
    problem p = problem_new(k, type, 9, 5, weight_group(type) == 1 ? 133 : 512, EDGE_END);
    uint8_t *w = p.w.data;
    for (size_t i = 0; i < 8 * p.w_stride + weight_bytes(type, p.depth); i++)
        w[i] = (uint8_t)check_random();
    check_fill(p.x.data, 4 * (int64_t)p.x_stride + p.depth, FILL_RANDOM);
    if (check_call(call_matmul, &p) && !gaps_untouched(&p)) check_fail("writes outside its rows");
    problem_free(&p);
}

// --- the ordered class --------------------------------------------------------------------------
typedef struct part {
    int64_t r0, r1, t0, t1;
    int shift; // bytes by which the copy of the weights is moved
} part;

// The part computed alone must have the bits that it has in the whole.
static void check_part(const problem *whole, part c)
{
    problem p = problem_new(whole->k, whole->type, c.r1 - c.r0, c.t1 - c.t0, whole->depth,
                            EDGE_END);
    size_t bytes = (size_t)p.n_rows * p.w_stride;
    guarded_free(&p.w);
    p.w = guarded_new(bytes + 64, EDGE_START);
    void *base = p.w.data;
    p.w.data = (char *)base + c.shift;
    for (int64_t r = 0; r < p.n_rows; r++)
        memcpy((char *)p.w.data + (size_t)r * p.w_stride,
               (const char *)whole->w.data + (size_t)(c.r0 + r) * whole->w_stride,
               weight_bytes(p.type, p.depth));
    for (int64_t t = 0; t < p.n_tok; t++)
        memcpy((float *)p.x.data + (size_t)t * p.x_stride,
               (const float *)whole->x.data + (size_t)(c.t0 + t) * whole->x_stride,
               (size_t)p.depth * sizeof(float));
    bool ok = check_call(call_matmul, &p);
    for (int64_t t = 0; ok && t < p.n_tok; t++) {
        const float *all = (const float *)whole->y.data + (size_t)(c.t0 + t) * whole->y_stride;
        ok = same_bits((const float *)p.y.data + (size_t)t * p.y_stride, all + c.r0, p.n_rows);
        if (!ok)
            check_fail("rows %lld..%lld, tokens %lld..%lld, depth %lld, weights at +%d: other bits "
                       "than in one call", (long long)c.r0, (long long)c.r1, (long long)c.t0,
                       (long long)c.t1, (long long)p.depth, c.shift);
    }
    problem_free(&p);
}

static void check_order(const kern *k, dtype type, int64_t depth)
{
    problem whole = problem_new(k, type, 83, 64, depth, EDGE_END);
    problem_fill(&whole, k, WEIGHT_RANDOM, FILL_RANDOM);
    if (!check_call(call_matmul, &whole)) {
        problem_free(&whole);
        return;
    }
    static const int64_t toks[] = {1, 7, 16, 64, 2, 6, 33}, rows[] = {1, 83, 16, 17, 40, 5};
    for (size_t i = 0; i < COUNTOF(toks); i++)
        for (size_t j = 0; j < COUNTOF(rows) && !check_failed(); j++) {
            part c = {.shift = (int)(check_random() % 8) * (type == DTYPE_F32 ? 4 : 2)};
            c.r0 = (int64_t)(check_random() % (uint64_t)(84 - rows[j]));
            c.t0 = (int64_t)(check_random() % (uint64_t)(65 - toks[i]));
            c.r1 = c.r0 + rows[j];
            c.t1 = c.t0 + toks[i];
            check_part(&whole, c);
        }
    problem_free(&whole);
}

static void check_type(const kern *k, dtype type)
{
    int64_t group = weight_group(type);
    check_extremes(k, type);
    check_wild(k, type);
    for (size_t i = 0; group == 1 && i < COUNTOF(depths_plain); i++)
        check_depth(k, type, depths_plain[i]);
    for (size_t i = 0; group > 1 && i < COUNTOF(depths_grouped); i++)
        if (depths_grouped[i] * group <= 1280) check_depth(k, type, depths_grouped[i] * group);
    static const int64_t orders[3] = {1, 4, 37};
    check_order(k, type, group == 1 ? 75 : group * orders[1]);
    check_order(k, type, group == 1 ? 1030 : group < 256 ? group * orders[2] : group);
}

static void run_family(const kern *k, const kern *below)
{
    for (size_t i = 0; i < COUNTOF(weight_types); i++) {
        dtype t = weight_types[i];
        act_kind a = kern_act_kind(t);
        bool changed = k->matmul[t] != below->matmul[t] || k->act_pack[a] != below->act_pack[a];
        if (check_slot("matmul", dtype_get(t)->name, changed)) check_type(k, t);
    }
}

// --- benchmark ----------------------------------------------------------------------------------

static void call_multiply(void *arg)
{
    problem *p = arg;
    p->k->matmul[p->type](p->w.data, p->w_stride, p->n_rows, p->packed.data, p->n_tok, p->depth,
                          p->y.data, p->y_stride);
}

// 256 rows stay in the second cache and measure the loop; 32768 measure memory.
static double time_shape(const kern *k, dtype type, int64_t n_rows, int64_t n_tok, int64_t depth)
{
    problem p = {.k = k, .type = type, .act = kern_act_kind(type)};
    p.n_rows = n_rows;
    p.n_tok = n_tok;
    p.depth = depth;
    p.w_stride = weight_bytes(type, depth);
    p.x_stride = (size_t)depth;
    p.y_stride = (size_t)n_rows;
    p.w = guarded_new((size_t)n_rows * p.w_stride, EDGE_START);
    p.x = guarded_new((size_t)(n_tok * depth) * sizeof(float), EDGE_START);
    p.y = guarded_new((size_t)(n_tok * n_rows) * sizeof(float), EDGE_START);
    p.packed = guarded_new(k->act_bytes[p.act](depth, n_tok), EDGE_START);
    weights_fill(type, p.w.data, depth, WEIGHT_RANDOM);
    for (int64_t r = 1; r < n_rows; r++)
        memcpy((char *)p.w.data + (size_t)r * p.w_stride, p.w.data, p.w_stride);
    check_fill(p.x.data, n_tok * depth, FILL_RANDOM);
    call_matmul(&p);
    double seconds = bench_seconds(call_multiply, &p);
    problem_free(&p);
    return seconds;
}

static void bench_type(const kern *k, const kern *ref, dtype t)
{
    static const int64_t shapes[][3] = {{256, 1, 2048},   {32768, 1, 2048}, {4096, 6, 2048},
                                        {4096, 32, 2048}, {4096, 256, 2048}};
    double ref_mac = time_shape(ref, t, 256, 1, 2048) / (256.0 * 2048.0);
    for (size_t i = 0; i < COUNTOF(shapes); i++) {
        int64_t n = shapes[i][0], tok = shapes[i][1], depth = shapes[i][2];
        if (k->cpu == 0 && tok > 1) continue;
        double seconds = time_shape(k, t, n, tok, depth), macs = (double)(n * tok * depth);
        char shape[64];
        snprintf(shape, sizeof shape, "%lldx%lldx%lld", (long long)n, (long long)tok,
                 (long long)depth);
        bench_report("matmul", dtype_get(t)->name, shape, seconds,
                     (double)n * (double)weight_bytes(t, depth), macs, ref_mac * macs);
    }
}

static void bench_family(const kern *k, const kern *below)
{
    kern ref;
    kern_init(&ref, 0);
    for (size_t i = 0; i < COUNTOF(weight_types); i++) {
        dtype t = weight_types[i];
        if (check_slot("matmul", dtype_get(t)->name, k->matmul[t] != below->matmul[t]))
            bench_type(k, &ref, t);
    }
}

const check_family check_matmul = {"matmul", run_family, bench_family};
