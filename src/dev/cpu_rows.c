// Row-by-row operations on the CPU.
//
// A job is a range of rows cut into chunks of about CHUNK_WORK elements. Kernels are called with
// whole rows, so that an element's place in a call, and with it the vector or tail code that it
// goes through, depends on its column alone.
#include "dev/cpu_int.h"

#include <math.h>
#include <string.h>

enum { CHUNK_WORK = 16384 }; // elements; 64 KB of floats, a few us

typedef struct rows_job {
    const kern *k;
    const float *a, *b, *t, *bias;
    float *y;
    int64_t n_rows, n, chunk_rows;
    float eps; // or another number that all rows share
    const int32_t *ids;
    const float *weights;
    int64_t n_terms, n_in_part;
    const dev_rope *rope;
    int64_t n_head;
} rows_job;

typedef void (*rows_fn)(const rows_job *j, int64_t row);
typedef struct rows_call { rows_job *j; rows_fn fn; } rows_call;

static void run_chunk(void *ctx, int64_t chunk, int worker)
{
    (void)worker;
    const rows_call *call = ctx;
    int64_t from = chunk * call->j->chunk_rows;
    int64_t to = i64_min(from + call->j->chunk_rows, call->j->n_rows);
    for (int64_t r = from; r < to; r++) call->fn(call->j, r);
}

// `width`: elements of work in a row.
static void run_rows(const cpu_dev *d, rows_job *j, int64_t width, rows_fn fn)
{
    if (!j->n_rows) return;
    j->k = &d->k;
    j->chunk_rows = i64_max(CHUNK_WORK / i64_max(width, 1), 1);
    rows_call call = {j, fn};
    int64_t chunks = (j->n_rows + j->chunk_rows - 1) / j->chunk_rows;
    pool_run(cpu_pool_for(d, chunks > 1 ? j->n_rows * width : 0), chunks, run_chunk, &call);
}

void cpu_gather(dev *d, const dev_weight *table, const int32_t *ids, int64_t n_rows, dev_view y)
{
    const uint8_t *rows = cpu_ptr(table->data);
    float *to = cpu_f32(y);
    for (int64_t r = 0; r < n_rows; r++) {
        ASSERT(ids[r] >= 0 && ids[r] < table->n_out);
        cpu_of(d)->k.dequant[table->type](rows + (size_t)ids[r] * table->row_bytes,
                                          to + r * table->n_in, table->n_in);
    }
}

void cpu_select(dev *d, dev_view x, const int32_t *rows, int64_t n_rows, int64_t n, dev_view y)
{
    (void)d;
    const float *from = cpu_f32(x);
    float *to = cpu_f32(y);
    for (int64_t r = 0; r < n_rows; r++)
        memcpy(to + r * n, from + rows[r] * n, (size_t)n * sizeof *to);
}

void cpu_copy_rows(dev *d, dev_view x, int64_t x_step, int64_t n_rows, int64_t n, dev_view y,
                   int64_t y_step)
{
    (void)d;
    const float *from = cpu_f32(x);
    float *to = cpu_f32(y);
    ASSERT(n <= y_step);
    for (int64_t r = 0; r < n_rows; r++)
        memcpy(to + r * y_step, from + r * x_step, (size_t)n * sizeof *to);
}

static void norm_row(const rows_job *j, int64_t r)
{
    j->k->rms_norm(j->a + r * j->n, j->b, j->eps, j->y + r * j->n, j->n);
}

void cpu_rms_norm(dev *d, dev_view x, const dev_weight *w, float eps, int64_t n_rows, int64_t n,
                  dev_view y)
{
    ASSERT(w->type == DTYPE_F32 && w->n_in == n);
    rows_job j = {.a = cpu_f32(x), .b = cpu_f32(w->data), .y = cpu_f32(y), .n_rows = n_rows,
                  .n = n, .eps = eps};
    run_rows(cpu_of(d), &j, n, norm_row);
}

static void layer_norm_row(const rows_job *j, int64_t r)
{
    j->k->layer_norm(j->a + r * j->n, j->b, j->bias, j->eps, j->y + r * j->n, j->n);
}

void cpu_layer_norm(dev *d, dev_view x, const dev_weight *w, const dev_weight *b, float eps,
                    int64_t n_rows, int64_t n, dev_view y)
{
    ASSERT(w->type == DTYPE_F32 && w->n_in == n);
    ASSERT(!b || (b->type == DTYPE_F32 && b->n_in == n));
    rows_job j = {.a = cpu_f32(x), .b = cpu_f32(w->data), .y = cpu_f32(y), .n_rows = n_rows,
                  .bias = b ? cpu_f32(b->data) : NULL, .n = n, .eps = eps};
    run_rows(cpu_of(d), &j, n, layer_norm_row);
}

static void add_row(const rows_job *j, int64_t r)
{
    int64_t from = r * CHUNK_WORK, n = i64_min(CHUNK_WORK, j->n - from);
    j->k->add(j->a + from, j->b + from, j->y + from, n);
}

// Addition (and what follows) is exact, so its cut need not follow the rows.
void cpu_add(dev *d, dev_view a, dev_view b, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(a), .b = cpu_f32(b), .y = cpu_f32(y), .n = n,
                  .n_rows = (n + CHUNK_WORK - 1) / CHUNK_WORK};
    run_rows(cpu_of(d), &j, CHUNK_WORK, add_row);
}

static void mul_row(const rows_job *j, int64_t r)
{
    int64_t from = r * CHUNK_WORK, n = i64_min(CHUNK_WORK, j->n - from);
    j->k->mul(j->a + from, j->b + from, j->y + from, n);
}

void cpu_mul(dev *d, dev_view a, dev_view b, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(a), .b = cpu_f32(b), .y = cpu_f32(y), .n = n,
                  .n_rows = (n + CHUNK_WORK - 1) / CHUNK_WORK};
    run_rows(cpu_of(d), &j, CHUNK_WORK, mul_row);
}

static void lerp_row(const rows_job *j, int64_t r)
{
    int64_t from = r * CHUNK_WORK, n = i64_min(CHUNK_WORK, j->n - from);
    j->k->lerp(j->a + from, j->b + from, j->t + from, j->y + from, n);
}

void cpu_lerp(dev *d, dev_view a, dev_view b, dev_view t, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(a), .b = cpu_f32(b), .t = cpu_f32(t), .y = cpu_f32(y), .n = n,
                  .n_rows = (n + CHUNK_WORK - 1) / CHUNK_WORK};
    run_rows(cpu_of(d), &j, CHUNK_WORK, lerp_row);
}

static void sigmoid_row(const rows_job *j, int64_t r)
{
    j->k->sigmoid(j->a + r * j->n, j->y + r * j->n, j->n);
}

void cpu_sigmoid(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, 2 * n, sigmoid_row);
}

static void relu_sqr_row(const rows_job *j, int64_t r)
{
    j->k->relu_sqr(j->a + r * j->n, j->y + r * j->n, j->n);
}

void cpu_relu_sqr(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, n, relu_sqr_row);
}

static void bias_row(const rows_job *j, int64_t r)
{
    j->k->add(j->y + r * j->n, j->b, j->y + r * j->n, j->n);
}

void cpu_add_bias(dev *d, dev_view x, const dev_weight *bias, int64_t n_rows, int64_t n)
{
    ASSERT(bias->type == DTYPE_F32 && bias->n_in == n);
    rows_job j = {.b = cpu_f32(bias->data), .y = cpu_f32(x), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, n, bias_row);
}

static void silu_row(const rows_job *j, int64_t r)
{
    j->k->silu_mul(j->a + r * j->n, j->b + r * j->n, j->y + r * j->n, j->n);
}

void cpu_silu_mul(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(gate), .b = cpu_f32(up), .y = cpu_f32(y), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, 2 * n, silu_row);
}

static void gelu_row(const rows_job *j, int64_t r)
{
    j->k->gelu_mul(j->a + r * j->n, j->b + r * j->n, j->y + r * j->n, j->n);
}

void cpu_gelu_mul(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(gate), .b = cpu_f32(up), .y = cpu_f32(y), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, 2 * n, gelu_row);
}

static void gelu_only_row(const rows_job *j, int64_t r)
{
    j->k->gelu(j->a + r * j->n, j->y + r * j->n, j->n);
}

void cpu_gelu(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, 2 * n, gelu_only_row);
}

static void swiglu_row(const rows_job *j, int64_t r)
{
    j->k->swiglu_clamped(j->a + r * j->n, j->b + r * j->n, j->eps, j->y + r * j->n, j->n);
}

void cpu_swiglu_clamped(dev *d, dev_view gate, dev_view up, float limit, int64_t n_rows, int64_t n,
                        dev_view y)
{
    rows_job j = {.a = cpu_f32(gate), .b = cpu_f32(up), .y = cpu_f32(y), .n_rows = n_rows, .n = n,
                  .eps = limit};
    run_rows(cpu_of(d), &j, 2 * n, swiglu_row);
}

static void gelu_erf_row(const rows_job *j, int64_t r)
{
    j->k->gelu_erf_mul(j->a + r * j->n, j->b + r * j->n, j->y + r * j->n, j->n);
}

void cpu_gelu_erf_mul(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(gate), .b = cpu_f32(up), .y = cpu_f32(y), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, 2 * n, gelu_erf_row);
}

static void gelu_erf_only_row(const rows_job *j, int64_t r)
{
    j->k->gelu_erf(j->a + r * j->n, j->y + r * j->n, j->n);
}

void cpu_gelu_erf(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, 2 * n, gelu_erf_only_row);
}

static void scale_row(const rows_job *j, int64_t r)
{
    j->k->scale(j->a + r * j->n, j->eps, j->y + r * j->n, j->n);
}

void cpu_scale(dev *d, dev_view x, float s, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_rows, .n = n, .eps = s};
    run_rows(cpu_of(d), &j, n, scale_row);
}

static void cap_row(const rows_job *j, int64_t r)
{
    j->k->soft_cap(j->a + r * j->n, j->eps, j->y + r * j->n, j->n);
}

void cpu_soft_cap(dev *d, dev_view x, float cap, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_rows, .n = n, .eps = cap};
    run_rows(cpu_of(d), &j, n, cap_row);
}

static void mix_row(const rows_job *j, int64_t r)
{
    float *y = j->y + r * j->n;
    const int32_t *ids = j->ids + r * j->n_terms;
    const float *weights = j->weights + r * j->n_terms;
    j->k->scale(j->a + ids[0] * j->n, weights[0], y, j->n);
    for (int64_t t = 1; t < j->n_terms; t++)
        j->k->add_scaled(j->a + ids[t] * j->n, weights[t], y, j->n);
}

void cpu_mix(dev *d, dev_view x, const int32_t *ids, const float *weights, int64_t n_rows,
             int64_t n_terms, int64_t n, dev_view y)
{
    ASSERT(n_terms > 0);
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_rows, .n = n, .ids = ids,
                  .weights = weights, .n_terms = n_terms};
    run_rows(cpu_of(d), &j, n * n_terms, mix_row);
}

static void mul_rows_row(const rows_job *j, int64_t r)
{
    j->k->mul(j->a + r * j->n, j->b, j->y + r * j->n, j->n);
}

void cpu_mul_rows(dev *d, dev_view x, const dev_weight *w, int64_t n_rows, int64_t n, dev_view y)
{
    ASSERT(w->type == DTYPE_F32 && w->n_in == n);
    rows_job j = {.a = cpu_f32(x), .b = cpu_f32(w->data), .y = cpu_f32(y), .n_rows = n_rows,
                  .n = n};
    run_rows(cpu_of(d), &j, n, mul_rows_row);
}

static void match_row(const rows_job *j, int64_t r)
{
    j->k->match_rms(j->a + r * j->n, j->b + r * j->n, j->y + r * j->n, j->n);
}

void cpu_match_rms(dev *d, dev_view x, dev_view like, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(x), .b = cpu_f32(like), .y = cpu_f32(y), .n_rows = n_rows, .n = n};
    run_rows(cpu_of(d), &j, 2 * n, match_row);
}

static void relu_above_row(const rows_job *j, int64_t r)
{
    j->k->relu_above(j->a + r * j->n, j->eps, j->y + r * j->n, j->n);
}

void cpu_relu_above(dev *d, dev_view x, float sigmas, int64_t n_rows, int64_t n, dev_view y)
{
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_rows, .n = n, .eps = sigmas};
    run_rows(cpu_of(d), &j, 2 * n, relu_above_row);
}

// Row r of the job is row r % n_in_part of result r / n_in_part.
static void blend_row(const rows_job *j, int64_t r)
{
    int64_t part = r / j->n_in_part, row = r % j->n_in_part, n_parts = j->n_rows / j->n_in_part;
    const float *w = j->weights + (row * n_parts + part) * j->n_terms;
    for (int64_t t = 0; t < j->n_terms; t++)
        j->k->add_scaled(j->a + (t * j->n_in_part + row) * j->n, w[t], j->y + r * j->n, j->n);
}

void cpu_add_blend(dev *d, dev_view x, int64_t n_x, dev_view w, int64_t n_rows, int64_t n,
                   dev_view y, int64_t n_y)
{
    ASSERT(n_x > 0 && n_y > 0);
    rows_job j = {.a = cpu_f32(x), .y = cpu_f32(y), .n_rows = n_y * n_rows, .n = n,
                  .weights = cpu_f32(w), .n_terms = n_x, .n_in_part = n_rows};
    run_rows(cpu_of(d), &j, n * n_x, blend_row);
}

// The angle is a double: at position 100,000 a float angle is off by 0.004 rad.
void cpu_rope_angles(dev *d, const dev_rope *rope, const int32_t *pos, int64_t n_rows,
                     dev_view angles)
{
    (void)d;
    float *to = cpu_f32(angles);
    for (int64_t r = 0; r < n_rows; r++) {
        for (int64_t i = 0; i < rope->n_dims / 2; i++, to += 2) {
            double angle = (double)pos[r] * (double)rope->inv_freq[i];
            to[0] = (float)cos(angle) * rope->scale;
            to[1] = (float)sin(angle) * rope->scale;
        }
    }
}

static void rope_row(const rows_job *j, int64_t r)
{
    void (*turn)(float *, const float *, int64_t) = j->rope->neox ? j->k->rope_neox
                                                                  : j->k->rope_norm;
    float *x = j->y + r * j->n_head * j->n;
    for (int64_t h = 0; h < j->n_head; h++)
        turn(x + h * j->n, j->a + r * j->rope->n_dims, j->rope->n_dims);
}

void cpu_rope(dev *d, const dev_rope *rope, dev_view angles, dev_view x, int64_t n_rows,
              int64_t n_head, int64_t d_head)
{
    rows_job j = {.a = cpu_f32(angles), .y = cpu_f32(x), .n_rows = n_rows, .n = d_head,
                  .n_head = n_head, .rope = rope};
    run_rows(cpu_of(d), &j, n_head * d_head, rope_row);
}
