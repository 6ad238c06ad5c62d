// Reference: one page of attention, key after key.
//
// For each key: s = scale * (q . k), capped;  m' = max(m, s);  c = exp(m - m');  p = exp(s - m')
//               l = l * c + p;  acc = acc * c + p * v
// A fresh record has m = -inf, which makes c = 0. A score that is NaN makes the record NaN for
// good:
// the comparison keeps the old m, and p is NaN.
#include "kern/expf.h"
#include "kern/kern_int.h"

typedef float load_fn(const void *p, int64_t i);

static inline float load_f32(const void *p, int64_t i)
{
    return ((const float *)p)[i];
}

static inline float load_f16(const void *p, int64_t i)
{
    return f16_to_f32(((const uint16_t *)p)[i]);
}

static inline void fold_key(load_fn *load, const float *q, int64_t d_k, int64_t d_v,
                            const void *key, const void *value, float scale, float cap,
                            float *state)
{
    float dot = 0.0f;
    for (int64_t i = 0; i < d_k; i++) dot += q[i] * load(key, i);
    float s = dot * scale, m = state[0];
    if (cap > 0) s = soft_cap_f32(s, cap);
    float m_new = s > m ? s : m;
    float c = exp_f32(m - m_new), p = exp_f32(s - m_new);
    state[0] = m_new;
    state[1] = state[1] * c + p;
    for (int64_t i = 0; i < d_v; i++) state[2 + i] = state[2 + i] * c + p * load(value, i);
}

static inline void fold_page(load_fn *load, const float *q, int64_t n_head, int64_t d_k,
                             int64_t d_v, const void *k, size_t k_stride, const void *v,
                             size_t v_stride, int64_t n_keys, float scale, float cap, float *state)
{
    for (int64_t h = 0; h < n_head; h++)
        for (int64_t j = 0; j < n_keys; j++)
            fold_key(load, q + h * d_k, d_k, d_v, (const char *)k + (size_t)j * k_stride,
                     (const char *)v + (size_t)j * v_stride, scale, cap, state + h * (2 + d_v));
}

static void attn_page_f32(const float *q, int64_t n_head, int64_t d_k, int64_t d_v, const void *k,
                          size_t k_stride, const void *v, size_t v_stride, int64_t n_keys,
                          float scale, float cap, float *state)
{
    fold_page(load_f32, q, n_head, d_k, d_v, k, k_stride, v, v_stride, n_keys, scale, cap,
              state);
}

static void attn_page_f16(const float *q, int64_t n_head, int64_t d_k, int64_t d_v, const void *k,
                          size_t k_stride, const void *v, size_t v_stride, int64_t n_keys,
                          float scale, float cap, float *state)
{
    fold_page(load_f16, q, n_head, d_k, d_v, k, k_stride, v, v_stride, n_keys, scale, cap,
              state);
}

void kern_fill_ref_attn(kern *k)
{
    k->attn_page[DTYPE_F32] = attn_page_f32;
    k->attn_page[DTYPE_F16] = attn_page_f16;
}
