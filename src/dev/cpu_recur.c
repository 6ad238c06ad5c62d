// Layers with a recurrent state on the CPU.
//
// A row needs what the row before it in its sequence left behind, so the rows are gone through one
// after the other; threads share the channels or the heads, which never look at each other. That
// makes the bits those of one row at a time, however the rows came in batches. Channels are cut
// into equal runs of CHANNELS, whatever the number of threads.
#include "dev/cpu_int.h"

#include <string.h>

#include "defs/limits.h"

enum { CHANNELS = 256 }; // of one piece of work: 16 full cache lines of each row

typedef struct recur_job {
    const kern *k;
    const dev_state *s;
    const dev_state_row *rows;
    int64_t n_rows, n, n_y;
    const float *x, *w;
    const dev_view *y;
    const dev_rwkv7 *m;
} recur_job;

// The state that row r begins with (NULL: zeros) and the one that it leaves, `at` floats in.
static const float *state_before(const recur_job *j, int64_t r, int64_t at)
{
    if (j->rows[r].from < 0) return NULL;
    return cpu_f32(dev_at(j->s->base, (size_t)j->rows[r].from * j->s->slot_stride)) + at;
}

static float *state_after(const recur_job *j, int64_t r, int64_t at)
{
    ASSERT(j->rows[r].to >= 0);
    return cpu_f32(dev_at(j->s->base, (size_t)j->rows[r].to * j->s->slot_stride)) + at;
}

static void run_channels(const cpu_dev *d, recur_job *j, int64_t work, pool_fn fn)
{
    j->k = &d->k;
    pool_run(cpu_pool_for(d, j->n_rows * work), (j->n + CHANNELS - 1) / CHANNELS, fn, j);
}

static void conv_chunk(void *ctx, int64_t chunk, int worker)
{
    (void)worker;
    const recur_job *j = ctx;
    int64_t c = chunk * CHANNELS, n = i64_min(CHANNELS, j->n - c);
    float *y = cpu_f32(j->y[0]);
    for (int64_t r = 0; r < j->n_rows; r++)
        j->k->short_conv(j->x + r * j->n + c, j->w + c * j->n_y, j->n_y, state_before(j, r, c),
                         state_after(j, r, c), j->n, y + r * j->n + c, n);
}

void cpu_short_conv(dev *d, dev_view x, const dev_weight *w, const dev_state *s,
                    const dev_state_row *rows, int64_t n_rows, int64_t n, dev_view y)
{
    int64_t taps = w->n_in / n;
    ASSERT(w->type == DTYPE_F32 && w->n_out == 1 && taps * n == w->n_in && taps >= 2);
    recur_job j = {.s = s, .rows = rows, .n_rows = n_rows, .n = n, .n_y = taps, .x = cpu_f32(x),
                   .w = cpu_f32(w->data), .y = &y};
    run_channels(cpu_of(d), &j, n * taps, conv_chunk);
}

static void shift_chunk(void *ctx, int64_t chunk, int worker)
{
    (void)worker;
    static const float zeros[CHANNELS];
    const recur_job *j = ctx;
    int64_t c = chunk * CHANNELS, n = i64_min(CHANNELS, j->n - c);
    for (int64_t r = 0; r < j->n_rows; r++) {
        const float *x = j->x + r * j->n + c, *before = state_before(j, r, c);
        for (int64_t i = 0; i < j->n_y; i++)
            j->k->lerp(x, before ? before : zeros, j->w + i * j->n + c,
                       cpu_f32(j->y[i]) + r * j->n + c, n);
        memcpy(state_after(j, r, c), x, (size_t)n * sizeof *x);
    }
}

void cpu_token_shift(dev *d, dev_view x, const dev_weight *mix, const dev_state *s,
                     const dev_state_row *rows, int64_t n_rows, int64_t n, int n_y,
                     const dev_view *y)
{
    ASSERT(mix->type == DTYPE_F32 && mix->n_out == 1 && mix->n_in == n_y * n);
    recur_job j = {.s = s, .rows = rows, .n_rows = n_rows, .n = n, .n_y = n_y, .x = cpu_f32(x),
                   .w = cpu_f32(mix->data), .y = y};
    run_channels(cpu_of(d), &j, n * n_y, shift_chunk);
}

static const float *vector_at(const dev_weight *w, int64_t at) { return cpu_f32(w->data) + at; }

static void rwkv7_chunk(void *ctx, int64_t head, int worker)
{
    (void)worker;
    const recur_job *j = ctx;
    const dev_rwkv7 *m = j->m;
    int64_t d = m->d_head, at = head * d;
    float scratch[4 * LIMIT_WKV_HEAD];
    rwkv7_head h = {.k_k = vector_at(m->k_k, at), .k_a = vector_at(m->k_a, at),
                    .r_k = vector_at(m->r_k, at), .norm = vector_at(m->norm, at),
                    .norm_bias = vector_at(m->norm_bias, at), .eps = m->eps, .n = d};
    for (int64_t r = 0; r < j->n_rows; r++, at += m->n_head * d) {
        h.r = cpu_f32(m->r) + at;
        h.w = cpu_f32(m->w) + at;
        h.k = cpu_f32(m->k) + at;
        h.v = cpu_f32(m->v) + at;
        h.a = cpu_f32(m->a) + at;
        h.g = cpu_f32(m->g) + at;
        j->k->rwkv7_head(&h, state_before(j, r, head * d * d), state_after(j, r, head * d * d),
                         scratch, cpu_f32(j->y[0]) + at);
    }
}

void cpu_rwkv7(dev *d, const dev_rwkv7 *m, const dev_state *s, const dev_state_row *rows,
               int64_t n_rows, dev_view y)
{
    ASSERT(m->d_head <= LIMIT_WKV_HEAD && m->k_k->n_in == m->n_head * m->d_head);
    recur_job j = {.k = &cpu_of(d)->k, .s = s, .rows = rows, .n_rows = n_rows, .m = m, .y = &y};
    int64_t work = n_rows * m->n_head * m->d_head * m->d_head;
    pool_run(cpu_pool_for(cpu_of(d), work), m->n_head, rwkv7_chunk, &j);
}
