// The device table: everything that the blocks in nn/ may do to memory and numbers.
//
// A device owns buffers that the host cannot look into; a view is a byte offset into one. The CPU
// fills the table with direct calls (its buffers are plain memory), a GPU would queue commands: so
// compute entries return nothing, errors are kept and come out of sync() and read(). Host arrays in
// arguments (page tables, positions, frequencies) are copied before the call returns.
//
// All activations are float32, row-major, rows contiguous: row r of width n at r * n floats.
// Results do not depend on threads, on n_rows, or on what else is in the call (kern/kern.h).
// One thread at a time may use a device.
#ifndef HEARTH_DEV_DEV_H
#define HEARTH_DEV_DEV_H

#include "base/mem.h"
#include "defs/err.h"
#include "kern/dtype.h"

typedef struct dev dev;
typedef struct dev_buf dev_buf;
typedef struct dev_view { dev_buf *buf; size_t at; } dev_view; // `at` in bytes
static inline dev_view dev_at(dev_view v, size_t bytes) { return (dev_view){v.buf, v.at + bytes}; }

// A matrix [n_out rows][n_in], or a vector (n_out = 1), as weights_acquire() hands it out.
typedef struct dev_weight {
    dtype type;
    int64_t n_in, n_out;
    size_t row_bytes;
    dev_view data;
} dev_weight;

// Rotary embedding: pair i of a head turns by pos * inv_freq[i]; the rest of the head is left.
typedef struct dev_rope {
    const float *inv_freq; // [n_dims / 2], scaling and per-pair factors already in
    int64_t n_dims;        // even, <= head size
    float scale;           // on cos and sin (YaRN's attention factor), 1 otherwise
    bool neox;             // pairs (i, i + n_dims/2) instead of (2i, 2i + 1)
} dev_rope;

// One layer's slice of a paged cache. Page p of this layer begins at base + p * page_stride bytes:
//   keys   [n_head_kv][page_len][d_k] of type_k
//   values [n_head_kv][page_len][d_v] of type_v, at values_at bytes from the page's begin
typedef struct dev_cache {
    dev_view base;
    size_t page_stride, values_at;
    int64_t page_len, n_head_kv, d_k, d_v;
    dtype type_k, type_v;
    bool values_in_keys; // a value is the first d_v numbers of its key: no values are stored
} dev_cache;

// Where one row's keys are: position j lives in page pages[j / page_len], slot j % page_len.
typedef struct dev_attn_row {
    const uint32_t *pages; // host
    int64_t pos;           // this row's own position: its key/value goes here
    int64_t first, last;   // attends to positions [first, last]: [0, pos] in causal attention,
                           // first > 0 in a sliding window, last > pos where rows see ahead
} dev_attn_row;

// One layer's slice of the recurrent states: what a sequence leaves behind in slot s begins at
// base + s * slot_stride bytes, float32 in an order that is the layer's own.
typedef struct dev_state {
    dev_view base;
    size_t slot_stride;
} dev_state;

// Row i of a batch goes on from what slot `from` holds (-1: from zeros) and leaves its result in
// slot `to`. Rows of a sequence stand in order and mostly have from == to; rows of other sequences
// may stand between them and never name their slots. An op goes through the rows one after the
// other and cuts its work by heads or channels, so that the bits do not depend on the batch.
typedef struct dev_state_row { int32_t from, to; } dev_state_row;

// How scores become weights.
typedef struct dev_attn {
    int64_t n_head;          // query heads; head h uses key/value head h / (n_head / n_head_kv)
    float scale;             // of scores
    float cap;               // > 0: scores s become cap tanh(s / cap), after the scale
    const dev_weight *sinks; // [n_head] F32: a score per head that takes its share of the softmax
                             // and has no value (Xiao and others 2023); NULL: without
} dev_attn;

// One layer's time mixing of RWKV-7 (kern/kern.h, rwkv7_head), over all heads.
typedef struct dev_rwkv7 {
    int64_t n_head, d_head;
    dev_view r, w, k, v, a, g;                              // [n_rows][n_head * d_head]
    const dev_weight *k_k, *k_a, *r_k, *norm, *norm_bias;   // [n_head * d_head] F32
    float eps;
} dev_rwkv7;

// One layer's gated delta rule (kern/kern.h, delta_head), over all value heads, with
// decay = exp(a softplus(alpha + dt)) and the sigmoid of beta.
typedef struct dev_delta {
    int64_t n_head_k, n_head_v, d_k, d_v; // n_head_v a multiple of n_head_k
    bool is_tiled;          // value head h goes with key head h % n_head_k, otherwise with
                            // h / (n_head_v / n_head_k)
    dev_view qkv;           // [n_rows][2 * n_head_k * d_k + n_head_v * d_v]: q, k, v of all heads
    dev_view alpha, beta;   // of row i and head h at i * gate_row + h / n * gate_group + h % n
    int64_t gate_row, gate_group;  // floats; n = n_head_v / n_head_k
    const dev_weight *a, *dt;      // [n_head_v] F32: factor, and what is added to alpha
} dev_delta;

enum { DEV_MATMUL_MAX = 8 }; // weights of one matmul() call

typedef struct dev_ops {
    const char *name; // "cpu"

    // --- memory ---
    hearth_status (*alloc)(dev *d, mem_tag tag, size_t bytes, dev_buf **out, hearth_err *err);
    // Read-only host memory as a buffer: the CPU borrows it, others copy. `host` outlives it.
    hearth_status (*wrap)(dev *d, const void *host, size_t bytes, dev_buf **out, hearth_err *err);
    void (*free)(dev *d, dev_buf *b); // NULL is legal
    void (*write)(dev *d, dev_view to, const void *from, size_t n);
    hearth_status (*read)(dev *d, dev_view from, void *to, size_t n, hearth_err *err);
    void (*copy)(dev *d, dev_view to, dev_view from, size_t n); // ranges do not overlap
    hearth_status (*sync)(dev *d, hearth_err *err); // all done; the first error since the last sync

    // --- compute ---
    bool (*can_matmul)(dev *d, dtype type); // for the loader's early, clear refusal
    // Bytes of scratch that matmul() of up to n_rows rows and n_in columns, and attention() of
    // n_rows rows of this shape, need at most. Pure; used by the memory plan.
    size_t (*matmul_scratch)(dev *d, dtype type, int64_t n_in, int64_t n_rows);
    size_t (*attention_scratch)(dev *d, int64_t n_head, const dev_cache *shape, int64_t n_rows);

    // y[i] (rows of w[i]->n_out) = x (n_rows rows of n_in) times w[i] transposed, for n_w weights
    // of equal n_in that share the packed input; n_w <= DEV_MATMUL_MAX.
    void (*matmul)(dev *d, int n_w, const dev_weight *const *w, dev_view x, int64_t n_rows,
                   const dev_view *y, dev_view scratch);
    // Row r of y = row ids[r] of the table, as float.
    void (*gather)(dev *d, const dev_weight *table, const int32_t *ids, int64_t n_rows, dev_view y);
    // Row r of y = row rows[r] of x, both of width n.
    void (*select)(dev *d, dev_view x, const int32_t *rows, int64_t n_rows, int64_t n, dev_view y);
    // Row r of y, which begins at r * y_step floats, = the n floats of x from r * x_step on. x and
    // y do not overlap.
    void (*copy_rows)(dev *d, dev_view x, int64_t x_step, int64_t n_rows, int64_t n, dev_view y,
                      int64_t y_step);
    void (*rms_norm)(dev *d, dev_view x, const dev_weight *w, float eps, int64_t n_rows, int64_t n,
                     dev_view y); // in place is legal
    // The same with the mean taken off; `b` may be NULL.
    void (*layer_norm)(dev *d, dev_view x, const dev_weight *w, const dev_weight *b, float eps,
                       int64_t n_rows, int64_t n, dev_view y);
    void (*add)(dev *d, dev_view a, dev_view b, int64_t n, dev_view y); // in place is legal
    // y = a * b; y = a + (b - a) * t. n values, in place is legal.
    void (*mul)(dev *d, dev_view a, dev_view b, int64_t n, dev_view y);
    void (*lerp)(dev *d, dev_view a, dev_view b, dev_view t, int64_t n, dev_view y);
    // y = 1 / (1 + exp(-x)); y = max(x, 0)^2. n_rows rows of n, in place is legal.
    void (*sigmoid)(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y);
    void (*relu_sqr)(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y);
    // Adds the vector to each row, in place.
    void (*add_bias)(dev *d, dev_view x, const dev_weight *bias, int64_t n_rows, int64_t n);
    // y = silu(gate) * up, n_rows rows of n. In place is legal.
    void (*silu_mul)(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y);
    // The same with gelu in its tanh form.
    void (*gelu_mul)(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y);
    void (*gelu)(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y); // in place is legal
    // Both with gelu as it is defined, by the error function.
    void (*gelu_erf_mul)(dev *d, dev_view gate, dev_view up, int64_t n_rows, int64_t n, dev_view y);
    void (*gelu_erf)(dev *d, dev_view x, int64_t n_rows, int64_t n, dev_view y);
    // y = (u + 1) * g * sigmoid(1.702 g), g = min(gate, limit), u = up held in [-limit, limit].
    void (*swiglu_clamped)(dev *d, dev_view gate, dev_view up, float limit, int64_t n_rows,
                           int64_t n, dev_view y);
    // y = x times the vector, on each row. In place is legal.
    void (*mul_rows)(dev *d, dev_view x, const dev_weight *w, int64_t n_rows, int64_t n,
                     dev_view y);
    // Each row of y = that of x, multiplied to have the root mean square of that of `like`
    // (kern/kern.h). In place is legal.
    void (*match_rms)(dev *d, dev_view x, dev_view like, int64_t n_rows, int64_t n, dev_view y);
    // y = what of x lies higher than so many standard deviations above its row's mean, otherwise 0.
    // In place is legal.
    void (*relu_above)(dev *d, dev_view x, float sigmas, int64_t n_rows, int64_t n, dev_view y);
    // y[i] += sum over j < n_x, in this order, of w[i][j] * x[j] for every row, with weights w
    // [n_rows][n_y][n_x] of its own; x [n_x][n_rows][n], y [n_y][n_rows][n]. They do not overlap.
    void (*add_blend)(dev *d, dev_view x, int64_t n_x, dev_view w, int64_t n_rows, int64_t n,
                      dev_view y, int64_t n_y);
    // y = s * x; y = cap * tanh(x / cap). n_rows rows of n, in place is legal.
    void (*scale)(dev *d, dev_view x, float s, int64_t n_rows, int64_t n, dev_view y);
    void (*soft_cap)(dev *d, dev_view x, float cap, int64_t n_rows, int64_t n, dev_view y);
    // Row r of y = sum over j < n_terms, in this order, of weights[i] * row ids[i] of x with
    // i = r * n_terms + j; rows of n. y and x do not overlap.
    void (*mix)(dev *d, dev_view x, const int32_t *ids, const float *weights, int64_t n_rows,
                int64_t n_terms, int64_t n, dev_view y);
    // angles [n_rows][n_dims / 2][2] = (cos, sin) for each row's position; once per step.
    void (*rope_angles)(dev *d, const dev_rope *rope, const int32_t *pos, int64_t n_rows,
                        dev_view angles);
    // x: [n_rows][n_head][d_head], rotated in place.
    void (*rope)(dev *d, const dev_rope *rope, dev_view angles, dev_view x, int64_t n_rows,
                 int64_t n_head, int64_t d_head);
    // Stores k [n_rows][n_head_kv * d_k] and v likewise at each row's own position. v is not looked
    // at where values are in keys.
    void (*cache_write)(dev *d, const dev_cache *c, const dev_attn_row *rows, int64_t n_rows,
                        dev_view k, dev_view v);
    // out [n_rows][n_head * d_v] = softmax(scale * q k) v with q [n_rows][n_head * d_k].
    // Pages are folded in order of position, so the bits depend on the row's own keys alone.
    void (*attention)(dev *d, const dev_attn *a, const dev_cache *c, const dev_attn_row *rows,
                      int64_t n_rows, dev_view q, dev_view out, dev_view scratch);

    // --- recurrence: rows go on from what rows[] says, see dev_state_row ---
    // y = causal convolution over time of each of n channels by itself, with the taps w [n][k] (a
    // vector of n * k values), k >= 2. The state holds k - 1 rows [k - 1][n]. In place is legal.
    void (*short_conv)(dev *d, dev_view x, const dev_weight *w, const dev_state *s,
                       const dev_state_row *rows, int64_t n_rows, int64_t n, dev_view y);
    // y[i] = x + (p - x) * mix[i], p being the row before x in its sequence: n_y results, mix of
    // n_y * n values. The state is that row, [n]. y[i] == x is not legal.
    void (*token_shift)(dev *d, dev_view x, const dev_weight *mix, const dev_state *s,
                        const dev_state_row *rows, int64_t n_rows, int64_t n, int n_y,
                        const dev_view *y);
    // The state is [n_head][d_head][d_head]. y overlaps none of the inputs.
    void (*rwkv7)(dev *d, const dev_rwkv7 *m, const dev_state *s, const dev_state_row *rows,
                  int64_t n_rows, dev_view y);
    // The state is [n_head_v][d_k][d_v]; y [n_rows][n_head_v * d_v] overlaps none of the inputs.
    void (*delta_rule)(dev *d, const dev_delta *m, const dev_state *s, const dev_state_row *rows,
                       int64_t n_rows, dev_view y);
    void (*close)(dev *d);
} dev_ops;

// Every device begins with this; its own state follows.
struct dev { const dev_ops *ops; };

// The CPU. `cpu` masks the instruction sets (CPU_ALL: all that are there).
hearth_status dev_cpu_open(int n_threads, unsigned cpu, dev **out, hearth_err *err);
void dev_close(dev *d); // NULL is legal

#endif
