// What layers with a recurrent state need, over the vector vocabulary of the including file (see
// v_avx2.h); vec_ops.h comes before.
//
// A head of RWKV-7 goes through its state in columns of V_N values: what a column needs twice (how
// much of it each key takes out, the sum that it gives) stays in registers, and no sum crosses the
// lanes. Products and sums are fused, in ascending order of the keys. The convolution has no
// version of its own: it is a hundredth of the projections around it.
#ifndef HEARTH_KERN_TMPL_RECUR_OPS_H
#define HEARTH_KERN_TMPL_RECUR_OPS_H

#include "kern/kern_int.h"

#include <math.h>
#include <string.h>

static void mul(const float *a, const float *b, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_mul(v_load(a + i), v_load(b + i)));
    if (i < n) v_store_n(y + i, v_mul(v_load_n(a + i, n - i), v_load_n(b + i, n - i)), n - i);
}

ATTR_INLINE vf v_lerp(vf a, vf b, vf t) { return v_add(a, v_mul(v_sub(b, a), t)); }

static void lerp(const float *a, const float *b, const float *t, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N)
        v_store(y + i, v_lerp(v_load(a + i), v_load(b + i), v_load(t + i)));
    if (i == n) return;
    int64_t rest = n - i;
    vf last = v_lerp(v_load_n(a + i, rest), v_load_n(b + i, rest), v_load_n(t + i, rest));
    v_store_n(y + i, last, rest);
}

ATTR_INLINE vf v_relu_sqr(vf x) { return v_if_negative(x, v_set1(0.0f), v_mul(x, x)); }

static void relu_sqr(const float *x, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_relu_sqr(v_load(x + i)));
    if (i < n) v_store_n(y + i, v_relu_sqr(v_load_n(x + i, n - i)), n - i);
}

// sigmoid_f32 of expf.h.
ATTR_INLINE vf v_sigmoid(vf x)
{
    vf one = v_set1(1.0f);
    vf e = v_exp(v_if_negative(x, x, v_sub(v_set1(0.0f), x)));
    return v_div(v_if_negative(x, e, one), v_add(one, e));
}

static void sigmoid(const float *x, float *y, int64_t n)
{
    int64_t i = 0;
    for (; i + V_N <= n; i += V_N) v_store(y + i, v_sigmoid(v_load(x + i)));
    if (i < n) v_store_n(y + i, v_sigmoid(v_load_n(x + i, n - i)), n - i);
}

// --- RWKV-7 -------------------------------------------------------------------------------------

// Loops over a head are over `lanes` values from i on: V_N, a constant after inlining, or fewer.
ATTR_INLINE vf v_load_up_to(const float *p, int64_t lanes)
{
    return lanes == V_N ? v_load(p) : v_load_n(p, lanes);
}

ATTR_INLINE void v_store_up_to(float *p, vf x, int64_t lanes)
{
    if (lanes == V_N) v_store(p, x);
    else v_store_n(p, x, lanes);
}

// What the recurrence needs of a head's inputs, n floats each.
typedef struct wkv_inputs { float *decay, *key, *out, *in; } wkv_inputs; // out: -u, in: rate u

ATTR_INLINE void prepare_lanes(const rwkv7_head *h, const wkv_inputs *p, vf inverse, int64_t i,
                               int64_t lanes)
{
    vf k = v_load_up_to(h->k + i, lanes), one = v_set1(1.0f);
    vf rate = v_sigmoid(v_load_up_to(h->a + i, lanes));
    vf decay = v_mul(v_set1(-RWKV7_DECAY), v_sigmoid(v_load_up_to(h->w + i, lanes)));
    vf u = v_mul(v_mul(k, v_load_up_to(h->k_k + i, lanes)), inverse);
    vf less = v_mul(v_mul(k, v_sub(rate, one)), v_load_up_to(h->k_a + i, lanes));
    v_store_up_to(p->decay + i, v_exp(decay), lanes);
    v_store_up_to(p->out + i, v_sub(v_set1(0.0f), u), lanes);
    v_store_up_to(p->in + i, v_mul(u, rate), lanes);
    v_store_up_to(p->key + i, v_add(k, less), lanes);
}

static void prepare_inputs(const rwkv7_head *h, const wkv_inputs *p)
{
    mul(h->k, h->k_k, p->out, h->n);
    float length = sqrtf(sum_squares(p->out, h->n));
    vf inverse = v_set1(1.0f / (length < RWKV7_NORM_MIN ? RWKV7_NORM_MIN : length));
    int64_t i = 0;
    for (; i + V_N <= h->n; i += V_N) prepare_lanes(h, p, inverse, i, V_N);
    if (i < h->n) prepare_lanes(h, p, inverse, i, h->n - i);
}

ATTR_INLINE void step_column(const rwkv7_head *h, const wkv_inputs *p, const float *from, float *to,
                             float *y, int64_t i, int64_t lanes)
{
    int64_t n = h->n;
    vf seen = v_set1(0.0f), sum = v_set1(0.0f), v = v_load_up_to(h->v + i, lanes);
    for (int64_t j = 0; j < n; j++)
        seen = v_fma(v_set1(p->out[j]), v_load_up_to(from + j * n + i, lanes), seen);
    for (int64_t j = 0; j < n; j++) {
        vf s = v_mul(v_load_up_to(from + j * n + i, lanes), v_set1(p->decay[j]));
        s = v_fma(seen, v_set1(p->in[j]), v_fma(v, v_set1(p->key[j]), s));
        v_store_up_to(to + j * n + i, s, lanes);
        sum = v_fma(s, v_set1(h->r[j]), sum);
    }
    v_store_up_to(y + i, sum, lanes);
}

// sum r k' r_k; a partial vector at the end adds zeros.
static float sum_bonus(const rwkv7_head *h, const float *key)
{
    vf sum = v_set1(0.0f);
    for (int64_t i = 0; i < h->n; i += V_N) {
        int64_t lanes = h->n - i < V_N ? h->n - i : V_N;
        vf rk = v_mul(v_load_up_to(h->r + i, lanes), v_load_up_to(key + i, lanes));
        sum = v_fma(rk, v_load_up_to(h->r_k + i, lanes), sum);
    }
    return v_sum(sum);
}

static void run_rwkv7_head(const rwkv7_head *h, const float *from, float *to, float *scratch,
                           float *y)
{
    int64_t n = h->n, i = 0;
    wkv_inputs p = {scratch, scratch + n, scratch + 2 * n, scratch + 3 * n};
    if (!from) memset(to, 0, (size_t)(n * n) * sizeof *to);
    if (!from) from = to;
    prepare_inputs(h, &p);
    for (; i + V_N <= n; i += V_N) step_column(h, &p, from, to, y, i, V_N);
    if (i < n) step_column(h, &p, from, to, y, i, n - i);
    layer_norm(y, h->norm, h->norm_bias, h->eps, y, n);
    add_scaled(h->v, sum_bonus(h, p.key), y, n);
    mul(y, h->g, y, n);
}

static void fill_recur_ops(kern *k)
{
    k->mul = mul;
    k->lerp = lerp;
    k->relu_sqr = relu_sqr;
    k->sigmoid = sigmoid;
    k->rwkv7_head = run_rwkv7_head;
}

#endif
