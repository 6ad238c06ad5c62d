// Reference: what layers with a recurrent state need. Sums run in ascending order with one
// accumulator each.
//
// The state matrix of RWKV-7 stands with its keys as rows: every step over it is then a row times a
// number, over all values at once, and no reduction crosses the vector lanes of faster versions.
#include "kern/expf.h"
#include "kern/kern_int.h"

#include <math.h>
#include <string.h>

static void mul(const float *a, const float *b, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

static void lerp(const float *a, const float *b, const float *t, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + (b[i] - a[i]) * t[i];
}

static void relu_sqr(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0.0f : x[i] * x[i]; // a NaN stays
}

static void sigmoid(const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = sigmoid_f32(x[i]);
}

static void short_conv(const float *x, const float *w, int64_t k, const float *from, float *to,
                       int64_t stride, float *y, int64_t n)
{
    for (int64_t c = 0; c < n; c++, w += k) {
        float now = x[c], sum = 0.0f;
        for (int64_t j = 0; j < k - 1; j++) sum += w[j] * (from ? from[j * stride + c] : 0.0f);
        y[c] = sum + w[k - 1] * now;
        for (int64_t j = 0; j < k - 2; j++)
            to[j * stride + c] = from ? from[(j + 1) * stride + c] : 0.0f;
        to[(k - 2) * stride + c] = now;
    }
}

// What the recurrence needs of a head's inputs, n floats each.
typedef struct wkv_inputs { float *decay, *key, *out, *in; } wkv_inputs; // out: -u, in: rate u

static void prepare_inputs(const rwkv7_head *h, const wkv_inputs *p)
{
    float squares = 0.0f;
    for (int64_t j = 0; j < h->n; j++) {
        float u = h->k[j] * h->k_k[j];
        p->out[j] = -u;
        squares += u * u;
    }
    float length = sqrtf(squares);
    float inverse = 1.0f / (length < RWKV7_NORM_MIN ? RWKV7_NORM_MIN : length);
    for (int64_t j = 0; j < h->n; j++) {
        float rate = sigmoid_f32(h->a[j]);
        p->decay[j] = exp_f32(-RWKV7_DECAY * sigmoid_f32(h->w[j]));
        p->out[j] = p->out[j] * inverse;
        p->in[j] = -p->out[j] * rate;
        p->key[j] = h->k[j] + h->k[j] * (rate - 1.0f) * h->k_a[j];
    }
}

static void step_state(const rwkv7_head *h, const wkv_inputs *p, const float *from, float *to,
                       float *y)
{
    int64_t n = h->n;
    for (int64_t i = 0; i < n; i++) {
        float seen = 0.0f, sum = 0.0f;
        for (int64_t j = 0; j < n; j++) seen += p->out[j] * from[j * n + i];
        for (int64_t j = 0; j < n; j++) {
            float s = from[j * n + i] * p->decay[j] + h->v[i] * p->key[j] + seen * p->in[j];
            to[j * n + i] = s;
            sum += s * h->r[j];
        }
        y[i] = sum;
    }
}

static void finish_output(const rwkv7_head *h, const float *key, float *y)
{
    float sum = 0.0f, squares = 0.0f, bonus = 0.0f;
    for (int64_t i = 0; i < h->n; i++) {
        sum += y[i];
        bonus += h->r[i] * key[i] * h->r_k[i];
    }
    float mean = sum / (float)h->n;
    for (int64_t i = 0; i < h->n; i++) squares += (y[i] - mean) * (y[i] - mean);
    float factor = 1.0f / sqrtf(squares / (float)h->n + h->eps);
    for (int64_t i = 0; i < h->n; i++) {
        float normed = (y[i] - mean) * factor * h->norm[i] + h->norm_bias[i];
        y[i] = (normed + bonus * h->v[i]) * h->g[i];
    }
}

static void run_rwkv7_head(const rwkv7_head *h, const float *from, float *to, float *scratch,
                           float *y)
{
    int64_t n = h->n;
    wkv_inputs p = {scratch, scratch + n, scratch + 2 * n, scratch + 3 * n};
    if (!from) memset(to, 0, (size_t)(n * n) * sizeof *to);
    prepare_inputs(h, &p);
    step_state(h, &p, from ? from : to, to, y);
    finish_output(h, p.key, y);
}

void kern_fill_ref_recur(kern *k)
{
    k->mul = mul;
    k->lerp = lerp;
    k->relu_sqr = relu_sqr;
    k->sigmoid = sigmoid;
    k->short_conv = short_conv;
    k->rwkv7_head = run_rwkv7_head;
}
