// Functions of rows: rms_norm and silu_mul against double; add, rope and cache_store against the
// reference, bit for bit; each also in place and at other alignments with the same bits.
#include "check/check.h"

#include "kern/half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t lengths[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 257, 2048};

// Up to three arrays of n floats: y = f(a, b).
typedef struct vec_case {
    const kern *k;
    int64_t n;
    guarded a, b, y;
    float eps;
    dtype type; // of a cache
} vec_case;

static vec_case case_new(const kern *k, int64_t n, edge e)
{
    size_t bytes = (size_t)n * sizeof(float);
    vec_case c = {.k = k, .n = n, .eps = 1e-5f};
    c.a = guarded_new(bytes, e);
    c.b = guarded_new(bytes, e);
    c.y = guarded_new(bytes, e);
    return c;
}

static void case_free(vec_case *c)
{
    guarded_free(&c->a);
    guarded_free(&c->b);
    guarded_free(&c->y);
}

static void call_rms_norm(void *arg)
{
    vec_case *c = arg;
    c->k->rms_norm(c->a.data, c->b.data, c->eps, c->y.data, c->n);
}

static void call_silu_mul(void *arg)
{
    vec_case *c = arg;
    c->k->silu_mul(c->a.data, c->b.data, c->y.data, c->n);
}

static void call_add(void *arg)
{
    vec_case *c = arg;
    c->k->add(c->a.data, c->b.data, c->y.data, c->n);
}

// In place over `a`, and over `b` where that is legal, the bits are the same.
static void check_in_place(vec_case *c, void (*call)(void *), bool over_b)
{
    size_t bytes = (size_t)c->n * sizeof(float);
    for (int which = 0; which < (over_b ? 2 : 1); which++) {
        vec_case d = *c;
        guarded *target = which ? &d.b : &d.a;
        d.y = guarded_new(bytes, EDGE_START);
        memcpy(d.y.data, target->data, bytes);
        *target = d.y;
        if (check_call(call, &d) && !same_bits(d.y.data, c->y.data, c->n))
            check_fail("n %lld: other bits in place or at another alignment", (long long)c->n);
        guarded_free(&d.y);
    }
}

// --- rms_norm -----------------------------------------------------------------------------------
static void judge_rms_norm(const vec_case *c)
{
    const float *x = c->a.data, *w = c->b.data, *y = c->y.data;
    double sum = 0;
    for (int64_t i = 0; i < c->n; i++) sum += (double)x[i] * (double)x[i];
    double scale = 1 / sqrt(sum / (double)c->n + (double)c->eps);
    for (int64_t i = 0; i < c->n; i++) {
        double want = (double)x[i] * scale * (double)w[i];
        // Half of the relative error of the sum, and five roundings.
        double bound = fabs(want) * ((double)c->n / 2 + 5) * 0x1p-24 +
                       0x1p-149 * (fabs((double)w[i]) + 1);
        if (within(y[i], want, bound)) continue;
        check_fail("n %lld: y[%lld] = %g, expected %g", (long long)c->n, (long long)i, (double)y[i],
                   want);
        return;
    }
}

static void check_rms_norm(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    check_fill(c.a.data, n, f);
    check_fill(c.b.data, n, FILL_RANDOM);
    if (check_call(call_rms_norm, &c)) {
        judge_rms_norm(&c);
        check_in_place(&c, call_rms_norm, false);
    }
    case_free(&c);
}

// --- match_rms ----------------------------------------------------------------------------------
static void call_match_rms(void *arg)
{
    vec_case *c = arg;
    c->k->match_rms(c->a.data, c->b.data, c->y.data, c->n);
}

static double mean_of_squares(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum / (double)n;
}

static void check_match_rms(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    check_fill(c.a.data, n, f);
    check_fill(c.b.data, n, FILL_RANDOM);
    if (check_call(call_match_rms, &c)) {
        const float *x = c.a.data, *y = c.y.data;
        double own = mean_of_squares(x, n);
        if (own < 1e-5) own = 1e-5; // unlike fmax() keeps a NaN
        double factor = sqrt(mean_of_squares(c.b.data, n)) / sqrt(own);
        for (int64_t i = 0; i < n; i++) {
            // Half of the relative error of two sums, and six roundings.
            double want = (double)x[i] * factor;
            double bound = fabs(want) * ((double)n + 6) * 0x1p-24 + 0x1p-149 * (fabs(want) + 1);
            if (!(own < 0x1p+110) || within(y[i], want, bound)) continue; // the sum overflows
            check_fail("match_rms(%a) = %a, expected %a", (double)x[i], (double)y[i], want);
            break;
        }
        check_in_place(&c, call_match_rms, true);
    }
    case_free(&c);
}

// --- relu_above ---------------------------------------------------------------------------------
static const float sigmas = 1.25f;

static void call_relu_above(void *arg)
{
    vec_case *c = arg;
    c->k->relu_above(c->a.data, sigmas, c->y.data, c->n);
}

static void check_relu_above(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    check_fill(c.a.data, n, f);
    if (check_call(call_relu_above, &c)) {
        const float *x = c.a.data, *y = c.y.data;
        double mean = 0, squares = 0, size = 0;
        for (int64_t i = 0; i < n; i++) {
            mean += (double)x[i] / (double)n;
            size = fmax(size, fabs((double)x[i]));
        }
        for (int64_t i = 0; i < n; i++) squares += ((double)x[i] - mean) * ((double)x[i] - mean);
        bool is_finite = isfinite(squares) && size < 0x1p+55; // or squares overflow
        double cut = mean + (double)sigmas * sqrt(squares / (double)n);
        // Mean and deviation are off by n 2^-24 of the largest value at most, each; a square that
        // is denormal by more.
        double bound = 3 * ((double)n + 8) * 0x1p-24 * size + 0x1p-72;
        for (int64_t i = 0; i < n; i++) {
            double want = fmax((double)x[i] - cut, 0);
            if (!is_finite || within(y[i], want, bound)) continue;
            check_fail("relu_above(%a) = %a, expected %a", (double)x[i], (double)y[i], want);
            break;
        }
        check_in_place(&c, call_relu_above, false);
    }
    case_free(&c);
}

// --- layer_norm ---------------------------------------------------------------------------------
static void call_layer_norm(void *arg)
{
    vec_case *c = arg;
    c->k->layer_norm(c->a.data, c->b.data, c->b.data, c->eps, c->y.data, c->n);
}

static void call_layer_norm_bare(void *arg)
{
    vec_case *c = arg;
    c->k->layer_norm(c->a.data, c->b.data, NULL, c->eps, c->y.data, c->n);
}

static void judge_layer_norm(const vec_case *c, bool has_bias)
{
    const float *x = c->a.data, *w = c->b.data, *y = c->y.data;
    double mean = 0, squares = 0, size = 0;
    for (int64_t i = 0; i < c->n; i++) mean += (double)x[i] / (double)c->n;
    for (int64_t i = 0; i < c->n; i++) {
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
        size += fabs((double)x[i]) / (double)c->n;
    }
    double scale = 1 / sqrt(squares / (double)c->n + (double)c->eps);
    for (int64_t i = 0; i < c->n; i++) {
        double v = ((double)x[i] - mean) * scale * (double)w[i];
        double want = v + (has_bias ? (double)w[i] : 0);
        // The mean is off by n 2^-24 of the mean size; that moves the distances and the factor.
        double off = ((double)c->n + 2) * 0x1p-24 * size * scale;
        double bound = (fabs(v) * ((double)c->n / 2 + 8) * 0x1p-24) + fabs(want) * 0x1p-23 +
                       (off + fabs(v) * off * off) * (fabs((double)w[i]) + fabs(v)) * 2;
        if (!isfinite(scale) || !isfinite(bound) || within(y[i], want, bound)) continue;
        check_fail("n %lld: y[%lld] = %g, expected %g", (long long)c->n, (long long)i, (double)y[i],
                   want);
        return;
    }
}

static void check_layer_norm(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    check_fill(c.a.data, n, f == FILL_WIDE ? FILL_RANDOM : f);
    check_fill(c.b.data, n, FILL_RANDOM);
    for (int bias = 0; bias < 2; bias++) {
        void (*call)(void *) = bias ? call_layer_norm : call_layer_norm_bare;
        if (!check_call(call, &c)) continue;
        judge_layer_norm(&c, bias);
        check_in_place(&c, call, false);
    }
    case_free(&c);
}

// --- silu_mul -----------------------------------------------------------------------------------
static void judge_silu_mul(const vec_case *c)
{
    const float *g = c->a.data, *u = c->b.data, *y = c->y.data;
    for (int64_t i = 0; i < c->n; i++) {
        double gate = (double)g[i], up = (double)u[i];
        double want = gate / (1 + exp(-gate)) * up; // double does not overflow before -709
        double bound = fabs(want) * 0x1p-21 + 0x1p-149 * (fabs(gate) + 1) * (fabs(up) + 1);
        if (isinf(gate) && gate < 0) want = (double)NAN; // inf * 0
        if (within(y[i], want, bound)) continue;
        check_fail("silu(%a) * %a = %a, expected %a", gate, up, (double)y[i], want);
        return;
    }
}

static void check_silu_mul(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    float *gate = c.a.data;
    check_fill(gate, n, f);
    for (int64_t i = 0; f == FILL_RANDOM && i < n; i++) gate[i] = check_uniform(-120.0f, 120.0f);
    check_fill(c.b.data, n, FILL_RANDOM);
    if (check_call(call_silu_mul, &c)) {
        judge_silu_mul(&c);
        check_in_place(&c, call_silu_mul, true);
    }
    case_free(&c);
}

// --- gelu_mul -----------------------------------------------------------------------------------
static void call_gelu_mul(void *arg)
{
    vec_case *c = arg;
    c->k->gelu_mul(c->a.data, c->b.data, c->y.data, c->n);
}

static void judge_gelu_mul(const vec_case *c)
{
    const float *g = c->a.data, *u = c->b.data, *y = c->y.data;
    for (int64_t i = 0; i < c->n; i++) {
        double gate = (double)g[i], up = (double)u[i];
        double twice_u = 2 * sqrt(2 / acos(-1.0)) * (gate + 0.044715 * gate * gate * gate);
        double want = gate / (1 + exp(-twice_u)) * up;
        double slope = isfinite(twice_u) ? 0x1p-20 * fabs(twice_u) : 1;
        double bound = fabs(want) * (0x1p-21 + (fabs(twice_u) < 104 ? slope : 0)) +
                       0x1p-148 * (fabs(gate) + 1) * (fabs(up) + 1);
        if (isinf(gate) && gate < 0) want = (double)NAN; // inf * 0
        if (within(y[i], want, bound)) continue;
        check_fail("gelu(%a) * %a = %a, expected %a", gate, up, (double)y[i], want);
        return;
    }
}

static void check_gelu_mul(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    float *gate = c.a.data;
    check_fill(gate, n, f);
    for (int64_t i = 0; f == FILL_RANDOM && i < n; i++) gate[i] = check_uniform(-14.0f, 14.0f);
    check_fill(c.b.data, n, FILL_RANDOM);
    if (check_call(call_gelu_mul, &c)) {
        judge_gelu_mul(&c);
        check_in_place(&c, call_gelu_mul, true);
    }
    case_free(&c);
}

// Without up it is the same as with ones.
static void call_gelu(void *arg)
{
    vec_case *c = arg;
    c->k->gelu(c->a.data, c->y.data, c->n);
}

static void check_gelu(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    float *x = c.a.data, *one = c.b.data;
    check_fill(x, n, f);
    for (int64_t i = 0; f == FILL_RANDOM && i < n; i++) x[i] = check_uniform(-14.0f, 14.0f);
    for (int64_t i = 0; i < n; i++) one[i] = 1;
    if (check_call(call_gelu, &c)) {
        judge_gelu_mul(&c);
        check_in_place(&c, call_gelu, false);
    }
    case_free(&c);
}

// --- swiglu_clamped -----------------------------------------------------------------------------
static const float swiglu_limit = 7;

static void call_swiglu_clamped(void *arg)
{
    vec_case *c = arg;
    c->k->swiglu_clamped(c->a.data, c->b.data, swiglu_limit, c->y.data, c->n);
}

static void judge_swiglu_clamped(const vec_case *c)
{
    const float *g = c->a.data, *u = c->b.data, *y = c->y.data;
    double limit = (double)swiglu_limit;
    for (int64_t i = 0; i < c->n; i++) {
        double gate = (double)g[i] > limit ? limit : (double)g[i]; // unlike fmin() keeps a NaN
        double up = (double)u[i] > limit ? limit : (double)u[i] < -limit ? -limit : (double)u[i];
        double slope = 1.702 * gate, want = (up + 1) * gate / (1 + exp(-slope));
        double bound = fabs(want) * (0x1p-21 + (fabs(slope) < 104 ? 0x1p-23 * fabs(slope) : 0)) +
                       0x1p-148 * (fabs(gate) + 1) * (fabs(up) + 1);
        if (isinf(gate)) want = (double)NAN; // inf * 0
        if (within(y[i], want, bound)) continue;
        check_fail("swiglu_clamped(%a, %a) = %a, expected %a", gate, up, (double)y[i], want);
        return;
    }
}

static void check_swiglu_clamped(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    float *gate = c.a.data, *up = c.b.data;
    check_fill(gate, n, f);
    check_fill(up, n, FILL_RANDOM);
    for (int64_t i = 0; f == FILL_RANDOM && i < n; i++) gate[i] = check_uniform(-60.0f, 10.0f);
    for (int64_t i = 0; f == FILL_RANDOM && i < n; i++) up[i] = check_uniform(-10.0f, 10.0f);
    if (check_call(call_swiglu_clamped, &c)) {
        judge_swiglu_clamped(&c);
        check_in_place(&c, call_swiglu_clamped, true);
    }
    case_free(&c);
}

// --- gelu_erf -----------------------------------------------------------------------------------
static void call_gelu_erf_mul(void *arg)
{
    vec_case *c = arg;
    c->k->gelu_erf_mul(c->a.data, c->b.data, c->y.data, c->n);
}

static void call_gelu_erf(void *arg)
{
    vec_case *c = arg;
    c->k->gelu_erf(c->a.data, c->y.data, c->n);
}

static void judge_gelu_erf_mul(const vec_case *c)
{
    const float *g = c->a.data, *u = c->b.data, *y = c->y.data;
    for (int64_t i = 0; i < c->n; i++) {
        double gate = (double)g[i], up = (double)u[i];
        double want = gate * (erfc(-gate * sqrt(0.5)) / 2) * up;
        double bound = fabs(gate * up) * 0x1p-21 + 0x1p-149 * (fabs(gate) + 1) * (fabs(up) + 1);
        if (isinf(gate) && gate < 0) want = (double)NAN; // inf * 0
        if (within(y[i], want, bound)) continue;
        check_fail("gelu_erf(%a) * %a = %a, expected %a", gate, up, (double)y[i], want);
        return;
    }
}

static void check_gelu_erf_mul(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    float *gate = c.a.data;
    check_fill(gate, n, f);
    for (int64_t i = 0; f == FILL_RANDOM && i < n; i++) gate[i] = check_uniform(-7.0f, 7.0f);
    check_fill(c.b.data, n, FILL_RANDOM);
    if (check_call(call_gelu_erf_mul, &c)) {
        judge_gelu_erf_mul(&c);
        check_in_place(&c, call_gelu_erf_mul, true);
    }
    case_free(&c);
}

static void check_gelu_erf(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    float *x = c.a.data, *one = c.b.data;
    check_fill(x, n, f);
    for (int64_t i = 0; f == FILL_RANDOM && i < n; i++) x[i] = check_uniform(-7.0f, 7.0f);
    for (int64_t i = 0; i < n; i++) one[i] = 1;
    if (check_call(call_gelu_erf, &c)) {
        judge_gelu_erf_mul(&c);
        check_in_place(&c, call_gelu_erf, false);
    }
    case_free(&c);
}

// --- soft_cap -----------------------------------------------------------------------------------
static void call_soft_cap(void *arg)
{
    vec_case *c = arg;
    c->k->soft_cap(c->a.data, 30.0f, c->y.data, c->n);
}

static void check_soft_cap(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    float *x = c.a.data, *y = c.y.data;
    check_fill(x, n, f);
    for (int64_t i = 0; f == FILL_RANDOM && i < n; i++) x[i] = check_uniform(-120.0f, 120.0f);
    if (check_call(call_soft_cap, &c)) {
        for (int64_t i = 0; i < n; i++) {
            double want = 30 * tanh((double)x[i] / 30);
            if (within(y[i], want, 30 * 0x1p-21)) continue;
            check_fail("soft_cap(%a) = %a, expected %a", (double)x[i], (double)y[i], want);
            break;
        }
        check_in_place(&c, call_soft_cap, false);
    }
    case_free(&c);
}

// --- scale and add_scaled -----------------------------------------------------------------------
static const float factor = 0x1.3579bp-1f;

static void call_scale(void *arg)
{
    vec_case *c = arg;
    c->k->scale(c->a.data, factor, c->y.data, c->n);
}

static void call_add_scaled(void *arg)
{
    vec_case *c = arg;
    memcpy(c->y.data, c->b.data, (size_t)c->n * sizeof(float));
    c->k->add_scaled(c->a.data, factor, c->y.data, c->n);
}

static void check_scaled(const kern *k, int64_t n, fill f, edge e, bool adds)
{
    vec_case c = case_new(k, n, e);
    check_fill(c.a.data, n, f);
    check_fill(c.b.data, n, FILL_RANDOM);
    if (check_call(adds ? call_add_scaled : call_scale, &c)) {
        const float *a = c.a.data, *b = c.b.data;
        for (int64_t i = 0; i < n; i++) {
            float product = (float)((double)a[i] * (double)factor);
            float want = adds ? (float)((double)b[i] + (double)product) : product;
            if (same_bits((float *)c.y.data + i, &want, 1)) continue;
            check_fail("%a scaled (and added to %a) = %a, expected %a", (double)a[i], (double)b[i],
                       (double)((float *)c.y.data)[i], (double)want);
            break;
        }
        if (!adds) check_in_place(&c, call_scale, false);
    }
    case_free(&c);
}

static void check_scale(const kern *k, int64_t n, fill f, edge e)
{
    check_scaled(k, n, f, e, false);
}

static void check_add_scaled(const kern *k, int64_t n, fill f, edge e)
{
    check_scaled(k, n, f, e, true);
}

// --- add ----------------------------------------------------------------------------------------
static void check_add(const kern *k, int64_t n, fill f, edge e)
{
    vec_case c = case_new(k, n, e);
    check_fill(c.a.data, n, f);
    check_fill(c.b.data, n, FILL_WIDE);
    if (check_call(call_add, &c)) {
        const float *a = c.a.data, *b = c.b.data;
        for (int64_t i = 0; i < n; i++) {
            float want = (float)((double)a[i] + (double)b[i]);
            if (same_bits((float *)c.y.data + i, &want, 1)) continue;
            check_fail("%a + %a = %a", (double)a[i], (double)b[i], (double)((float *)c.y.data)[i]);
            break;
        }
        check_in_place(&c, call_add, true);
    }
    case_free(&c);
}

// --- rope ---------------------------------------------------------------------------------------
static void call_rope_norm(void *arg)
{
    vec_case *c = arg;
    c->k->rope_norm(c->a.data, c->b.data, c->n);
}

static void call_rope_neox(void *arg)
{
    vec_case *c = arg;
    c->k->rope_neox(c->a.data, c->b.data, c->n);
}

static void judge_rope(const vec_case *c, const float *x, bool neox)
{
    const float *got = c->a.data, *angles = c->b.data;
    for (int64_t i = 0; i < c->n / 2; i++) {
        int64_t at = neox ? i : 2 * i, bt = neox ? i + c->n / 2 : 2 * i + 1;
        float co = angles[2 * i], si = angles[2 * i + 1];
        float ac = x[at] * co, bs = x[bt] * si, as = x[at] * si, bc = x[bt] * co;
        float want[2] = {ac - bs, as + bc}, y[2] = {got[at], got[bt]};
        if (same_bits(y, want, 2)) continue;
        check_fail("%lld dims, pair %lld: %a %a, expected %a %a", (long long)c->n, (long long)i,
                   (double)y[0], (double)y[1], (double)want[0], (double)want[1]);
        return;
    }
}

static void check_rope(const kern *k, int64_t n, fill f, edge e, bool neox)
{
    vec_case c = case_new(k, n, e);
    check_fill(c.a.data, n, f);
    float *angles = c.b.data, *before = malloc((size_t)n * sizeof *before + 1);
    for (int64_t i = 0; i < n; i++) angles[i] = check_uniform(-1.0f, 1.0f);
    memcpy(before, c.a.data, (size_t)n * sizeof *before);
    if (check_call(neox ? call_rope_neox : call_rope_norm, &c)) judge_rope(&c, before, neox);
    free(before);
    case_free(&c);
}

// --- cache_store --------------------------------------------------------------------------------
static void call_store(void *arg)
{
    vec_case *c = arg;
    c->k->cache_store[c->type](c->a.data, c->y.data, c->n);
}

static void fill_bits(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = (uint32_t)(check_random() >> 32);
        // Half of the cases where halves are normal, denormal or about to overflow.
        if (u & 1) u = (u & 0x87FFFFFF) | (0x60u + (uint32_t)(check_random() % 0x30)) << 23;
        x[i] = f32_from_bits(u);
    }
}

static void check_store(const kern *k, dtype t, int64_t n, edge e)
{
    kern ref;
    kern_init(&ref, 0);
    vec_case c = case_new(k, n, e);
    size_t bytes = 0;
    if (!dtype_bytes(t, n, &bytes)) check_fail("no size");
    guarded_free(&c.y);
    c.y = guarded_new(bytes, e);
    c.type = t;
    fill_bits(c.a.data, n);
    char *want = malloc(bytes + 1);
    ref.cache_store[t](c.a.data, want, n);
    if (check_call(call_store, &c) && memcmp(want, c.y.data, bytes))
        check_fail("n %lld: other bytes than the reference", (long long)n);
    free(want);
    case_free(&c);
}

// The reference's rounding to half against the two neighbours of a double.
static void check_half_rounding(const kern *k)
{
    for (int i = 0; i < 200000 && !check_failed(); i++) {
        float x;
        fill_bits(&x, 1);
        uint16_t h;
        k->cache_store[DTYPE_F16](&x, &h, 1);
        float back = f16_to_f32(h);
        if (isnan(x) ? isnan(back) : fabsf(x) >= 65520.0f ? isinf(back) : false) continue;
        double error = fabs((double)back - (double)x);
        int exponent = int_max(ilogbf(fabsf(back) > 0 ? back : 1e-8f), -14);
        if (error <= ldexp(1.0, exponent - 11)) continue;
        check_fail("half of %a is %a", (double)x, (double)back);
    }
}

// --- the family ---------------------------------------------------------------------------------
typedef void check_fn(const kern *k, int64_t n, fill f, edge e);

static void check_rope_norm(const kern *k, int64_t n, fill f, edge e)
{
    check_rope(k, n & ~INT64_C(1), f, e, false);
}

static void check_rope_neox(const kern *k, int64_t n, fill f, edge e)
{
    check_rope(k, n & ~INT64_C(1), f, e, true);
}

static void check_lengths(const kern *k, check_fn *check, int64_t n_min)
{
    for (size_t i = 0; i < COUNTOF(lengths) && !check_failed(); i++)
        for (int f = 0; f < FILL_COUNT; f++)
            for (int e = 0; e < EDGE_COUNT && lengths[i] >= n_min; e++)
                check(k, lengths[i], (fill)f, (edge)e);
}

static void run_family(const kern *k, const kern *below)
{
    if (check_slot("rms_norm", NULL, k->rms_norm != below->rms_norm))
        check_lengths(k, check_rms_norm, 1);
    if (check_slot("match_rms", NULL, k->match_rms != below->match_rms))
        check_lengths(k, check_match_rms, 1);
    if (check_slot("relu_above", NULL, k->relu_above != below->relu_above))
        check_lengths(k, check_relu_above, 1);
    if (check_slot("silu_mul", NULL, k->silu_mul != below->silu_mul))
        check_lengths(k, check_silu_mul, 0);
    if (check_slot("layer_norm", NULL, k->layer_norm != below->layer_norm))
        check_lengths(k, check_layer_norm, 1);
    if (check_slot("gelu", NULL, k->gelu != below->gelu)) check_lengths(k, check_gelu, 0);
    if (check_slot("gelu_mul", NULL, k->gelu_mul != below->gelu_mul))
        check_lengths(k, check_gelu_mul, 0);
    if (check_slot("swiglu_clamped", NULL, k->swiglu_clamped != below->swiglu_clamped))
        check_lengths(k, check_swiglu_clamped, 0);
    if (check_slot("gelu_erf", NULL, k->gelu_erf != below->gelu_erf))
        check_lengths(k, check_gelu_erf, 0);
    if (check_slot("gelu_erf_mul", NULL, k->gelu_erf_mul != below->gelu_erf_mul))
        check_lengths(k, check_gelu_erf_mul, 0);
    if (check_slot("soft_cap", NULL, k->soft_cap != below->soft_cap))
        check_lengths(k, check_soft_cap, 0);
    if (check_slot("scale", NULL, k->scale != below->scale)) check_lengths(k, check_scale, 0);
    if (check_slot("add_scaled", NULL, k->add_scaled != below->add_scaled))
        check_lengths(k, check_add_scaled, 0);
    if (check_slot("add", NULL, k->add != below->add)) check_lengths(k, check_add, 0);
    if (check_slot("rope_norm", NULL, k->rope_norm != below->rope_norm))
        check_lengths(k, check_rope_norm, 0);
    if (check_slot("rope_neox", NULL, k->rope_neox != below->rope_neox))
        check_lengths(k, check_rope_neox, 0);
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!k->cache_store[t]) continue;
        bool changed = k->cache_store[t] != below->cache_store[t];
        if (!check_slot("cache_store", dtype_get((dtype)t)->name, changed)) continue;
        for (size_t i = 0; i < 2 * COUNTOF(lengths); i++)
            check_store(k, (dtype)t, lengths[i / 2], (edge)(i % 2));
        if (t == DTYPE_F16) check_half_rounding(k);
    }
}

static void bench_one(const kern *k, const char *name, void (*call)(void *), double n_arrays)
{
    kern ref;
    kern_init(&ref, 0);
    vec_case c = case_new(&ref, 4096, EDGE_START);
    check_fill(c.a.data, c.n, FILL_RANDOM);
    check_fill(c.b.data, c.n, FILL_RANDOM);
    double ref_seconds = bench_seconds(call, &c);
    c.k = k;
    bench_report(name, "F32", "4096", bench_seconds(call, &c), n_arrays * 4096 * 4, 0, ref_seconds);
    case_free(&c);
}

static void bench_family(const kern *k, const kern *below)
{
    if (check_slot("rms_norm", NULL, k->rms_norm != below->rms_norm))
        bench_one(k, "rms_norm", call_rms_norm, 3);
    if (check_slot("silu_mul", NULL, k->silu_mul != below->silu_mul))
        bench_one(k, "silu_mul", call_silu_mul, 3);
    if (check_slot("add", NULL, k->add != below->add)) bench_one(k, "add", call_add, 3);
}

const check_family check_vec = {"vec", run_family, bench_family};
