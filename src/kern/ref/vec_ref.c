// Reference: functions of whole rows. Sums run in ascending order with one accumulator.
#include "kern/expf.h"
#include "kern/kern_int.h"

#include <math.h>

static void rms_norm(const float *x, const float *w, float eps, float *y, int64_t n)
{
    float sum = 0.0f;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    float factor = 1.0f / sqrtf(sum / (float)n + eps);
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * factor * w[i];
}

static void layer_norm(const float *x, const float *w, const float *b, float eps, float *y,
                       int64_t n)
{
    float sum = 0.0f, squares = 0.0f;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    float mean = sum / (float)n;
    for (int64_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    float factor = 1.0f / sqrtf(squares / (float)n + eps);
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * factor * w[i] + (b ? b[i] : 0.0f);
}

static float mean_square(const float *x, int64_t n)
{
    float sum = 0.0f;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sum / (float)n;
}

static void match_rms(const float *x, const float *like, float *y, int64_t n)
{
    float own = mean_square(x, n);
    float factor = sqrtf(mean_square(like, n)) / sqrtf(own < MATCH_RMS_MIN ? MATCH_RMS_MIN : own);
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * factor;
}

static void relu_above(const float *x, float sigmas, float *y, int64_t n)
{
    float sum = 0.0f, squares = 0.0f;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    float mean = sum / (float)n;
    for (int64_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    float cut = mean + sigmas * sqrtf(squares / (float)n);
    for (int64_t i = 0; i < n; i++) {
        float above = x[i] - cut;
        y[i] = above < 0 ? 0.0f : above; // a NaN stays
    }
}

static void silu_mul(const float *gate, const float *up, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = silu_f32(gate[i]) * up[i];
}

static void gelu_mul(const float *gate, const float *up, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = gelu_f32(gate[i]) * up[i];
}

static void gelu(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = gelu_f32(x[i]);
}

static void swiglu_clamped(const float *gate, const float *up, float limit, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = swiglu_clamped_f32(gate[i], up[i], limit);
}

static void gelu_erf_mul(const float *gate, const float *up, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = gelu_erf_f32(gate[i]) * up[i];
}

static void gelu_erf(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = gelu_erf_f32(x[i]);
}

static void soft_cap(const float *x, float cap, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = soft_cap_f32(x[i], cap);
}

static void add(const float *a, const float *b, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void scale(const float *x, float s, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = x[i] * s;
}

static void add_scaled(const float *x, float s, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = y[i] + x[i] * s;
}

static void rotate(float *a, float *b, const float *angle)
{
    float c = angle[0], s = angle[1], a0 = *a, b0 = *b;
    *a = a0 * c - b0 * s;
    *b = a0 * s + b0 * c;
}

static void rope_norm(float *x, const float *angles, int64_t n_dims)
{
    for (int64_t i = 0; i < n_dims / 2; i++) rotate(&x[2 * i], &x[2 * i + 1], &angles[2 * i]);
}

static void rope_neox(float *x, const float *angles, int64_t n_dims)
{
    for (int64_t i = 0; i < n_dims / 2; i++) rotate(&x[i], &x[i + n_dims / 2], &angles[2 * i]);
}

static void store_f32(const float *x, void *dst, int64_t n)
{
    memcpy(dst, x, (size_t)n * sizeof(float));
}

static void store_f16(const float *x, void *dst, int64_t n)
{
    uint16_t *h = dst;
    for (int64_t i = 0; i < n; i++) h[i] = f32_to_f16(x[i]);
}

void kern_fill_ref_vec(kern *k)
{
    k->rms_norm = rms_norm;
    k->match_rms = match_rms;
    k->relu_above = relu_above;
    k->silu_mul = silu_mul;
    k->layer_norm = layer_norm;
    k->gelu_mul = gelu_mul;
    k->gelu = gelu;
    k->gelu_erf_mul = gelu_erf_mul;
    k->gelu_erf = gelu_erf;
    k->swiglu_clamped = swiglu_clamped;
    k->soft_cap = soft_cap;
    k->add = add;
    k->scale = scale;
    k->add_scaled = add_scaled;
    k->rope_norm = rope_norm;
    k->rope_neox = rope_neox;
    k->cache_store[DTYPE_F32] = store_f32;
    k->cache_store[DTYPE_F16] = store_f16;
}
