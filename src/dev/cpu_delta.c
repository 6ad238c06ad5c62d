// The gated delta rule on the CPU.
//
// A row goes on from the state that the row before it in its sequence left, so each value head
// walks through the rows in order; threads share the heads, which never look at each other. The
// bits are those of one row at a time, however the rows came in batches. Chunked forms of the rule
// (which turn 64 rows into matrix products) were left out: they sum in another order for another
// batch.
#include "dev/cpu_int.h"

#include <math.h>

#include "defs/limits.h"

typedef struct delta_job {
    const kern *k;
    const dev_delta *m;
    const dev_state *s;
    const dev_state_row *rows;
    int64_t n_rows;
    float *y;
} delta_job;

static float *state_at(const delta_job *j, int32_t slot, int64_t head)
{
    if (slot < 0) return NULL;
    dev_view v = dev_at(j->s->base, (size_t)slot * j->s->slot_stride);
    return cpu_f32(v) + head * j->m->d_k * j->m->d_v;
}

static float sigmoid(float x) { return (float)(1 / (1 + exp(-(double)x))); }

// exp(a log(1 + exp(x))); above 40 the inner 1 is nothing in double.
static float fade(float a, float x)
{
    double softplus = x > 40 ? (double)x : log1p(exp((double)x));
    return (float)exp((double)a * softplus);
}

static void walk_rows(void *ctx, int64_t head, int worker)
{
    (void)worker;
    const delta_job *j = ctx;
    const dev_delta *m = j->m;
    int64_t group = m->n_head_v / m->n_head_k, keys = m->n_head_k * m->d_k;
    int64_t key_head = m->is_tiled ? head % m->n_head_k : head / group;
    int64_t width = 2 * keys + m->n_head_v * m->d_v;
    int64_t gate = head / group * m->gate_group + head % group;
    float scratch[2 * LIMIT_DELTA_HEAD];
    float a = cpu_f32(m->a->data)[head], dt = cpu_f32(m->dt->data)[head];
    delta_head h = {.d_k = m->d_k, .d_v = m->d_v};
    for (int64_t r = 0; r < j->n_rows; r++) {
        const float *x = cpu_f32(m->qkv) + r * width;
        h.q = x + key_head * m->d_k;
        h.k = h.q + keys;
        h.v = x + 2 * keys + head * m->d_v;
        h.decay = fade(a, cpu_f32(m->alpha)[r * m->gate_row + gate] + dt);
        h.beta = sigmoid(cpu_f32(m->beta)[r * m->gate_row + gate]);
        j->k->delta_head(&h, state_at(j, j->rows[r].from, head), state_at(j, j->rows[r].to, head),
                         scratch, j->y + (r * m->n_head_v + head) * m->d_v);
    }
}

void cpu_delta_rule(dev *d, const dev_delta *m, const dev_state *s, const dev_state_row *rows,
                    int64_t n_rows, dev_view y)
{
    ASSERT(m->d_k <= LIMIT_DELTA_HEAD && m->n_head_v % m->n_head_k == 0);
    ASSERT(m->a->type == DTYPE_F32 && m->dt->type == DTYPE_F32);
    delta_job j = {.k = &cpu_of(d)->k, .m = m, .s = s, .rows = rows, .n_rows = n_rows,
                   .y = cpu_f32(y)};
    int64_t work = n_rows * m->n_head_v * m->d_k * m->d_v;
    pool_run(cpu_pool_for(cpu_of(d), work), m->n_head_v, walk_rows, &j);
}
