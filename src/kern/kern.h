// The kernel table: all arithmetic on arrays, chosen once for the processor it runs on.
//
// kern_init() fills every slot with the reference and then overrides upwards, instruction set by
// instruction set. It is pure: two tables with different masks can live in one process, which makes
// "whole model, reference against AVX-512" an ordinary test. Kernels use no memory but their
// arguments, no threads, no libc beyond string.h and math.h, and never fail: shapes are proven by
// the callers. Pointers need only the alignment of their element type; NOTHING outside the stated
// ranges is read or written, not even in the same cache line.
//
// Exactness classes
//   exact    integers or bit copies: the same bytes on every instruction set.
//   ordered  float; one fixed reduction order per slot and instruction set. The bits of an output
//            depend on its own inputs only, not on n_rows, n_tok, alignment, or what else is in the
//            call. This is the promise that makes results independent of threads and batches.
//   bounded  float, within (n+1) * 2^-24 * sum|a_i * b_i| of the exact value; all ordered kernels
//            are bounded too. Where a weight is a difference (Q4_K: d sc q - dmin m), |a_i| is the
//            sum of both parts.
// Every file is compiled with -ffp-contract=off; where an FMA is meant it is written.
#ifndef HEARTH_KERN_KERN_H
#define HEARTH_KERN_KERN_H

#include "kern/dtype.h"

// --- processors ---------------------------------------------------------------------------------
enum {
    CPU_AVX2 = 1u << 0,        // AVX2, FMA, F16C, BMI2 (Haswell)
    CPU_AVX512 = 1u << 1,      // F, BW, DQ, VL (Skylake server); implies CPU_AVX2
    CPU_AVX512_VNNI = 1u << 2, // implies CPU_AVX512
    CPU_NEON = 1u << 8,        // Armv8.0 Advanced SIMD
    CPU_DOTPROD = 1u << 9      // sdot/udot; implies CPU_NEON
};
#define CPU_ALL 0xFFFFFFFFu // outside the enum, whose values are ints
unsigned cpu_detect(void); // what this processor and its operating system support
// Space-separated names, strongest last, "" for none; returns out.
char *cpu_names(unsigned cpu, char out[96]);
// "avx2" and the like to the cumulative mask up to it ("none" gives 0); false when unknown.
bool cpu_mask_from_name(const char *name, unsigned *out);

// --- activations --------------------------------------------------------------------------------
// A weight matrix multiplies activations that were packed for its type:
//   ACT_F32     as they are                  (F32, F16, BF16; every type not named below, decoded)
//   ACT_Q8_32   int8 with one scale per 32 values                  (Q4_0, Q8_0)
//   ACT_Q8_256  int8 with one scale per 256 values                 (Q4_K, Q6_K)
// Quantisation of a group, the same bits on every instruction set:
//   amax = max|x|;  d = amax / 127;  inv = d != 0 ? 1 / d : 0;  q = round_half_even(x * inv)
// in IEEE single precision, q clamped to [-127, 127], never -128. A group whose amax is not finite
// or whose d underflows so that inv is infinite gives d = amax and q = 0: a NaN or infinity then
// reaches the output instead of being hidden.
// The layout of packed activations belongs to the instruction set and is opaque outside kern/.
typedef enum act_kind { ACT_F32, ACT_Q8_32, ACT_Q8_256, ACT_COUNT } act_kind;

// --- recurrence ---------------------------------------------------------------------------------
// What a head of RWKV-7 computes from its n inputs of each kind (Peng and others 2025, equations
// 13 to 21; sigma is the logistic function):
//   decay = exp(-e^-0.5 sigma(w))       rate = sigma(a)
//   u = k_k k / max(|k_k k|, 1e-12)     k' = k (1 + (rate - 1) k_a)
//   S[j][i] = decay[j] S[j][i] - rate[j] u[j] (sum_m u[m] S[m][i]) + k'[j] v[i]
//   y[i] = sum_j r[j] S[j][i]
//   y = g (layer_norm(y) + (sum_j r[j] k'[j] r_k[j]) v)
typedef struct rwkv7_head {
    const float *r, *w, *k, *v, *a, *g;                // of the row
    const float *k_k, *k_a, *r_k, *norm, *norm_bias;   // of the model
    float eps;                                         // of the norm
    int64_t n;
} rwkv7_head;

// What a head of the gated delta rule computes (Yang, Kautz and Hatamizadeh 2024), where |x| is
// sqrt(sum x^2 + DELTA_NORM_EPS):
//   k' = k / |k|     q' = q / |q| / sqrt(d_k)
//   u[i] = beta (v[i] - decay sum_j k'[j] S[j][i])
//   S[j][i] = decay S[j][i] + k'[j] u[i]
//   y[i] = sum_j q'[j] S[j][i]
typedef struct delta_head {
    const float *q, *k, *v; // [d_k], [d_k], [d_v]
    float decay, beta;
    int64_t d_k, d_v;
} delta_head;
#define DELTA_NORM_EPS 1e-6f

// --- the table ----------------------------------------------------------------------------------
typedef struct kern {
    unsigned cpu; // the mask this table was made for

    // Weights [rows of n elements] to float, n a multiple of the block length. exact. Every type.
    void (*dequant[DTYPE_COUNT])(const void *src, float *dst, int64_t n);

    // Bytes of n_tok packed rows of k values; 64-byte multiples.
    size_t (*act_bytes[ACT_COUNT])(int64_t k, int64_t n_tok);
    // Packs rows [t0, t1) of x (row t at x + t * x_stride floats) into `out`, which is the start of
    // act_bytes(k, n_tok) bytes. k a multiple of the group. t0 is a multiple of ACT_TILE, t1 too or
    // n_tok; disjoint ranges may run at the same time. exact.
    void (*act_pack[ACT_COUNT])(const float *x, size_t x_stride, int64_t k, int64_t n_tok,
                                int64_t t0, int64_t t1, void *out);

    // y[t * y_stride + r] = sum_i w[r][i] * x[t][i] for r in [0, n_rows), t in [0, n_tok).
    // Row r of the weights starts at (char *)w + r * w_stride bytes and holds k elements; `x` is
    // what act_pack made of n_tok rows. k a multiple of the block length of the type and of the
    // group of its act_kind. ordered. NULL where the type does not multiply.
    void (*matmul[DTYPE_COUNT])(const void *w, size_t w_stride, int64_t n_rows, const void *x,
                                int64_t n_tok, int64_t k, float *y, size_t y_stride);

    // y = x / sqrt(mean(x^2) + eps) * w, n > 0. In place is legal. ordered.
    // Zhang and Sennrich 2019.
    void (*rms_norm)(const float *x, const float *w, float eps, float *y, int64_t n);
    // y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * w + b, n > 0; b may be NULL. In place
    // is legal. Ba and others 2016. ordered.
    void (*layer_norm)(const float *x, const float *w, const float *b, float eps, float *y,
                       int64_t n);
    // y = gate / (1 + exp(-gate)) * up. In place on either is legal. bounded: 2^-21 relative, or
    // 2^-149 * (|gate| + 1) * (|up| + 1) absolute where the sigmoid is denormal.
    void (*silu_mul)(const float *gate, const float *up, float *y, int64_t n);
    // y = gelu(gate) * up with gelu(x) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3): the
    // tanh form of Hendrycks and Gimpel 2016. In place on either is legal. bounded: what an error
    // of 2^-21 |u| in u makes of it, and 2^-21 relative; as silu_mul where the sigmoid is denormal.
    void (*gelu_mul)(const float *gate, const float *up, float *y, int64_t n);
    // y = gelu(x), the same without up.
    void (*gelu)(const float *x, float *y, int64_t n);
    // The same two with gelu as it is defined, x (1 + erf(x / sqrt(2))) / 2. bounded: 2^-21 of
    // |gate * up|.
    void (*gelu_erf_mul)(const float *gate, const float *up, float *y, int64_t n);
    void (*gelu_erf)(const float *x, float *y, int64_t n);
    // y = (u + 1) * g / (1 + exp(-1.702 g)) with g = min(gate, limit), u = up held in [-limit,
    // limit], limit > 0: the experts of gpt-oss. In place on either is legal. bounded: as silu_mul,
    // and 2^-24 * 1.702 |g| relative more.
    void (*swiglu_clamped)(const float *gate, const float *up, float limit, float *y, int64_t n);
    // y = cap * tanh(x / cap), cap > 0. In place is legal. bounded: 2^-21 cap.
    void (*soft_cap)(const float *x, float cap, float *y, int64_t n);
    // y = a + b. In place is legal. exact (one rounding).
    void (*add)(const float *a, const float *b, float *y, int64_t n);
    // y = a * b; y = a + (b - a) * t; y = max(x, 0)^2. In place is legal. exact (each operation
    // rounded).
    void (*mul)(const float *a, const float *b, float *y, int64_t n);
    void (*lerp)(const float *a, const float *b, const float *t, float *y, int64_t n);
    void (*relu_sqr)(const float *x, float *y, int64_t n);
    // y = 1 / (1 + exp(-x)). In place is legal. bounded: 2^-21 relative, or 2^-148 where denormal.
    void (*sigmoid)(const float *x, float *y, int64_t n);
    // y = x * sqrt(mean(like^2)) / sqrt(max(mean(x^2), 1e-5)), n > 0: x of the size of `like`.
    // In place is legal. ordered.
    void (*match_rms)(const float *x, const float *like, float *y, int64_t n);
    // y = max(x - (mean(x) + sigmas * sqrt(mean((x - mean(x))^2))), 0), n > 0. In place is legal.
    // ordered.
    void (*relu_above)(const float *x, float sigmas, float *y, int64_t n);
    // y = s * x, in place is legal; and y += s * x, the product rounded, then the sum. exact.
    void (*scale)(const float *x, float s, float *y, int64_t n);
    void (*add_scaled)(const float *x, float s, float *y, int64_t n);

    // Rotary position embedding (Su et al. 2021) of one head, in place; n_dims even, angles are
    // (cos, sin) pairs [n_dims / 2][2].
    //   rope_norm  rotates (x[2i], x[2i+1])            "llama" files
    //   rope_neox  rotates (x[i], x[i + n_dims/2])     "qwen2" and most others
    // a' = a*c - b*s, b' = a*s + b*c, each product rounded, then the sum. exact.
    void (*rope_norm)(float *x, const float *angles, int64_t n_dims);
    void (*rope_neox)(float *x, const float *angles, int64_t n_dims);

    // One row of a causal convolution over time, each of n channels for itself:
    //   y[c] = w[c][0] from[0][c] + ... + w[c][k-2] from[k-2][c] + w[c][k-1] x[c],  k >= 2
    // `from` holds the k - 1 inputs before x, the oldest first (NULL: zeros), `to` gets those that
    // the next row needs; both [k-1][stride], and may be the same. y == x is legal. w: [n][k].
    // exact (products rounded, added from left to right).
    void (*short_conv)(const float *x, const float *w, int64_t k, const float *from, float *to,
                       int64_t stride, float *y, int64_t n);
    // One head of one row of RWKV-7; see rwkv7_head. `from` (NULL: zeros) and `to` are the matrices
    // [n][n] before and after, S[j][i] for key j and value i, and may be the same. scratch: 4 n
    // floats. y: n floats, not those of h. ordered.
    void (*rwkv7_head)(const rwkv7_head *h, const float *from, float *to, float *scratch, float *y);

    // One head of one row of the gated delta rule; see delta_head. `from` (NULL: zeros) and `to`
    // are the matrices [d_k][d_v] before and after, and may be the same. scratch: 2 d_k floats. y:
    // d_v floats, not those of h. ordered.
    void (*delta_head)(const delta_head *h, const float *from, float *to, float *scratch, float *y);

    // Cache types: F32, F16 (others NULL). Store n floats; round to nearest even. exact.
    void (*cache_store[DTYPE_COUNT])(const float *x, void *dst, int64_t n);
    // One page of attention with online softmax (Milakov and Gimelshein 2018): for n_head query
    // heads that share one key/value head, folds keys [0, n_keys) of the page into the running
    // state. q: [n_head][d_k]; key j at (char *)k + j * k_stride bytes, value j likewise.
    // state: n_head records of {m, l, acc[d_v]} floats, stride 2 + d_v; a fresh record is
    // {-INFINITY, 0, 0...}. The result of a head is acc / l. d_k, d_v: multiples of 8. Scores are
    // scale * (q . k), with cap > 0 then cap * tanh(score / cap).
    // A head's bits depend on the sequence of pages (their n_keys and contents) alone. ordered.
    void (*attn_page[DTYPE_COUNT])(const float *q, int64_t n_head, int64_t d_k, int64_t d_v,
                                   const void *k, size_t k_stride, const void *v, size_t v_stride,
                                   int64_t n_keys, float scale, float cap, float *state);
} kern;

enum { ACT_TILE = 16 }; // token rows that a packed layout may interleave

// Fills *k for `cpu` & cpu_detect().
void kern_init(kern *k, unsigned cpu);
act_kind kern_act_kind(dtype weights); // ACT_F32 for types that do not compute
// Does this build multiply by weights of this type?
bool kern_can_matmul(dtype t);

#endif
