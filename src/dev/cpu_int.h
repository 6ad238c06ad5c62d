// Private to the CPU device: what its files share.
#ifndef HEARTH_DEV_CPU_INT_H
#define HEARTH_DEV_CPU_INT_H

#include "base/pool.h"
#include "dev/dev.h"
#include "kern/kern.h"

struct dev_buf {
    uint8_t *data; // 64-byte aligned when owned
    size_t bytes;
    bool is_owned; // false: the host's memory, borrowed by wrap()
};

typedef struct cpu_dev {
    dev base;
    kern k;
    kern plain; // the reference, for shapes that no vector kernel takes
    pool *pool;
} cpu_dev;

static inline const cpu_dev *cpu_of(const dev *d) { return (const cpu_dev *)(const void *)d; }

static inline void *cpu_ptr(dev_view v)
{
    ASSERT(v.buf && v.at <= v.buf->bytes);
    return v.buf->data + v.at;
}

static inline float *cpu_f32(dev_view v) { return (float *)cpu_ptr(v); }

// Waking the pool costs about 2 us on an idle machine and more on a busy one; below this many
// multiply-adds (some 4 us of vector code on one core) the caller alone is as fast.
enum { CPU_INLINE_WORK = 1 << 16 };
static inline pool *cpu_pool_for(const cpu_dev *d, int64_t work)
{
    return work < CPU_INLINE_WORK ? NULL : d->pool;
}

size_t cpu_matmul_scratch(dev *d, dtype type, int64_t n_in, int64_t n_rows);
void cpu_matmul(dev *d, int n_w, const dev_weight *const *w, dev_view x, int64_t n_rows,
                const dev_view *y, dev_view scratch);

size_t cpu_attention_scratch(dev *d, int64_t n_head, const dev_cache *shape, int64_t n_rows);
void cpu_cache_write(dev *d, const dev_cache *c, const dev_attn_row *rows, int64_t n_rows,
                     dev_view k, dev_view v);
void cpu_attention(dev *d, const dev_attn *a, const dev_cache *c, const dev_attn_row *rows,
                   int64_t n_rows, dev_view q, dev_view out, dev_view scratch);

void cpu_delta_rule(dev *d, const dev_delta *m, const dev_state *s, const dev_state_row *rows,
                    int64_t n_rows, dev_view y);

void cpu_gather(dev *d, const dev_weight *table, const int32_t *ids, int64_t n_rows, dev_view y);
void cpu_select(dev *d, dev_view x, const int32_t *rows, int64_t n_rows, int64_t n, dev_view y);
void cpu_copy_rows(dev *d, dev_view x, int64_t x_step, int64_t n_rows, int64_t n, dev_view y,
                   int64_t y_step);
void cpu_rms_norm(dev *d, dev_view x, const dev_weight *w, float eps, int64_t n_rows, int64_t n,
                  dev_view y);
void cpu_layer_norm(dev *d, dev_view x, const dev_weight *w, const dev_weight *b, float eps,
                    int64_t n_rows, int64_t n, dev_view y);
void cpu_mul(dev *d, dev_view a, dev_view b, int64_t n, dev_view y);
void cpu_lerp(dev *d, dev_view a, dev_view b, dev_view t, int64_t n, dev_view y);
void cpu_mul_rows(dev *d, dev_view x, const dev_weight *w, int64_t n_rows, int64_t n, dev_view y);
void cpu_match_rms(dev *d, dev_view x, dev_view like, int64_t n_rows, int64_t n, dev_view y);
void cpu_relu_above(dev *d, dev_view x, float sigmas, int64_t n_rows, int64_t n, dev_view y);
void cpu_add_blend(dev *d, dev_view x, int64_t n_x, dev_view w, int64_t n_rows, int64_t n,
                   dev_view y, int64_t n_y);
void cpu_sigmoid(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y);
void cpu_relu_sqr(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y);
void cpu_short_conv(dev *d, dev_view x, const dev_weight *w, const dev_state *s,
                    const dev_state_row *rows, int64_t n_rows, int64_t n, dev_view y);
void cpu_token_shift(dev *d, dev_view x, const dev_weight *mix, const dev_state *s,
                     const dev_state_row *rows, int64_t n_rows, int64_t n, int n_y,
                     const dev_view *y);
void cpu_rwkv7(dev *d, const dev_rwkv7 *m, const dev_state *s, const dev_state_row *rows,
               int64_t n_rows, dev_view y);

void cpu_gelu(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y);
void cpu_gelu_erf(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y);
void cpu_gelu_erf_mul(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y);
void cpu_add(dev *d, dev_view a, dev_view b, int64_t n, dev_view y);
void cpu_add_bias(dev *d, dev_view x, const dev_weight *bias, int64_t n_rows, int64_t n);
void cpu_silu_mul(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y);
void cpu_gelu_mul(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y);
void cpu_swiglu_clamped(dev *d, dev_view gate, dev_view up, float limit, int64_t n_rows, int64_t n,
                        dev_view y);
void cpu_scale(dev *d, dev_view x, float s, int64_t n_rows, int64_t n, dev_view y);
void cpu_soft_cap(dev *d, dev_view x, float cap, int64_t n_rows, int64_t n, dev_view y);
void cpu_mix(dev *d, dev_view x, const int32_t *ids, const float *weights, int64_t n_rows,
             int64_t n_terms, int64_t n, dev_view y);
void cpu_rope_angles(dev *d, const dev_rope *rope, const int32_t *pos, int64_t n_rows,
                     dev_view angles);
void cpu_rope(dev *d, const dev_rope *rope, dev_view angles, dev_view x, int64_t n_rows,
              int64_t n_head, int64_t d_head);

#endif
