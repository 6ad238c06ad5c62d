// Blocks that language models are made of, over the device table.
//
// A block sees its input as rows of float32 in device buffers, its weights as ids, and the places
// where it may put intermediate values. It knows no file names and no families: those are in llm/.
// Shapes in comments are per row unless said otherwise.
#ifndef HEARTH_NN_BLOCK_H
#define HEARTH_NN_BLOCK_H

#include "nn/weights.h"

// Where a mixture of experts keeps on the host who goes where (moe.c).
typedef struct nn_choice {
    float *logits;  // [n_rows][n_expert], then [n_rows] for the shared expert
    float *weights; // [n_rows][n_used + 1]
    int32_t *ids;   // [n_rows][n_used + 1]
    int32_t *rows;  // [n_rows * n_used]
    int32_t *first; // [n_expert + 2]
    double *score, *group;           // [n_expert] of the row that is being routed, of its groups
    float *bias, *each;              // [n_expert] copies of nn_moe's bias and expert_scales
    bool *is_taken, *is_group_taken; // [n_expert]
} nn_choice;

// What all blocks of one step share.
typedef struct nn_run {
    dev *d;
    weights *w;
    int64_t n_rows;
    dev_view angles;           // [n_rows][n_rot / 2][2]
    dev_view local_angles;     // the same for local layers, of their own base
    dev_view x;                // residual stream, [n_embd]
    dev_view h;                // a block's input after its norm and then its output, [n_embd]
    dev_view q, k, v;          // [n_head * d_k], [n_head_kv * d_k], [n_head_kv * d_v]
    dev_view att;              // [n_head * d_v]
    dev_view gate, up;         // [n_ff] each, or [n_used][n_ff] of a mixture
    dev_view beside;           // [n_embd], of blocks that run side by side
    dev_view own;              // what the family asked for itself
    dev_view experts, route;   // of a mixture: [n_used + 1][n_embd], [n_expert + 1]
    nn_choice choice;
    dev_view narrow, wide;     // of adapters: [rank], [n_out] of the largest that has one
    dev_view scratch;          // of matmul() and attention()
} nn_run;

// What the running layer remembers of each row's sequence; only what it asked for (llm/family.h,
// llm_memory) is there.
typedef struct nn_memory {
    dev_cache cache;                 // keys and values: its own, or those of the layer it shares
    const dev_attn_row *rows;        // [n_rows] where they are, and what a row sees of them
    dev_state state;                 // recurrent state
    const dev_state_row *state_rows; // [n_rows]
} nn_memory;

typedef struct nn_norm {
    weight_id weight; // [n]
    int64_t n;
    float eps;
    bool is_layer;    // the mean is taken off (LayerNorm) and `bias` added; otherwise RMS
    weight_id bias;   // [n] of a LayerNorm; WEIGHT_NONE: without
} nn_norm;

typedef struct nn_attn {
    weight_id q, k, v, o;                // [n_embd -> n_head * d_k] ...; v WEIGHT_NONE: values
                                         // are the keys before norm and rotation; k WEIGHT_NONE
                                         // too: the cache is an earlier layer's, only read
    weight_id q_bias, k_bias, v_bias, o_bias; // WEIGHT_NONE: without
    weight_id q_norm, k_norm;            // RMS norm of each head, [d_k]; WEIGHT_NONE: without
    weight_id v_norm;                    // the same of values
    bool norms_all;                      // one norm over all heads, [n_head * d_k], instead
    int64_t n_head, n_head_kv, d_k, d_v;
    float scale, norm_eps;
    float cap;                           // of scores, soft; 0: without
    weight_id sinks;                     // [n_head]; WEIGHT_NONE: without
    const dev_rope *rope;                // NULL: not rotated
    float heat;                          // > 0: queries at position p are multiplied by
    int64_t heat_length;                 // 1 + heat ln(1 + floor(p / heat_length))
    bool is_local;                       // turns by run.local_angles
    bool is_gated;                       // q is [n_embd -> n_head * 2 * d_k], of each head q and a
                                         // gate, whose sigmoid multiplies what the head gives
} nn_attn;

// Gated delta net (delta_net.c). n_head_v 0: the layer has none.
typedef struct nn_delta {
    weight_id qkv;         // [n_embd -> 2 * n_head_k * d_k + n_head_v * d_v]
    weight_id z, o;        // [n_embd -> n_head_v * d_v], and back
    weight_id alpha, beta; // [n_embd -> n_head_v]; alpha WEIGHT_NONE: beta is [.. -> 2 * n_head_v],
                           // the betas and then the alphas of each key head's value heads
    weight_id taps;        // of the convolution, n_taps of each channel
    weight_id a, dt;       // [n_head_v]
    weight_id norm;        // [d_v]
    int64_t n_head_k, n_head_v, d_k, d_v, n_taps;
    bool is_tiled;         // dev_delta
    float eps;
} nn_delta;

// Attention over latent vectors (latent.c). n_head 0: the layer has none.
typedef struct nn_latent {
    weight_id q_squeeze;     // [n_embd -> q_norm.n]; WEIGHT_NONE: q is [n_embd -> ..]
    nn_norm q_norm;          // its n 0 without
    weight_id q;             // [.. -> n_head * (d_plain + n_rot)]
    weight_id kv;            // [n_embd -> d_latent + n_rot]
    nn_norm kv_norm;         // [d_latent]
    weight_id k_heads;       // n_head slices [d_plain -> d_latent]
    weight_id v_heads;       // n_head slices [d_latent -> d_value]
    weight_id o;             // [n_head * d_value -> n_embd]
    int64_t n_head, d_plain, n_rot, d_latent, d_value;
    float scale;
    const dev_rope *rope;
} nn_latent;
// Gated short convolution over time (LFM2): h = o(c(h) * conv(b(h) * x(h))).
typedef struct nn_conv {
    weight_id b, c, x, o; // [n -> n]
    weight_id taps;       // [n * n_taps]
    int64_t n;            // 0: the layer has none
} nn_conv;

// Inputs of each layer's own beside the residual stream (per_layer.c).
typedef struct nn_inputs {
    weight_id embedding;     // table, rows of n_layer * n
    weight_id proj;          // [n_embd -> n_layer * n]
    nn_norm norm;            // [n] of each layer's part
    int64_t n_layer, n, n_embd; // n 0: the model has none
} nn_inputs;
typedef struct nn_input {    // what one layer does with its part
    weight_id gate;          // [n_embd -> n]
    weight_id proj;          // [n -> n_embd]
    nn_norm post;            // [n_embd]
    int64_t layer, n_layer, n;
} nn_input;

// Several residual streams (streams.c): what happens at their ends, and around a layer.
typedef struct nn_stream_ends {
    weight_id split, merge;  // n - 1 matrices [n_embd -> n_embd]
    int64_t n, n_embd;       // n 0: one stream
    int64_t before;          // floats per row of run.own before the streams
} nn_stream_ends;
typedef struct nn_altup {
    nn_norm router_norm;     // [n_embd]
    weight_id router;        // [n_embd -> n]
    weight_id predict;       // [n -> n * n]
    weight_id correct;       // [n -> n]
    int64_t n, n_embd, before;
} nn_altup;
// Learned residual beside attention: h + norm(wide narrow h).
typedef struct nn_laurel {
    weight_id narrow, wide;  // [n_embd -> rank] and back; rank is at most n_ff
    nn_norm norm;            // [n_embd]
} nn_laurel;

// y = base + wide f(narrow x), two matrices with a rank between them.
typedef struct nn_pair {
    weight_id base, narrow, wide; // [n]; [n -> rank], [rank -> n]. WEIGHT_NONE: without
    int64_t rank;
} nn_pair;

// The mixings of RWKV-7 (rwkv7.c).
typedef struct nn_rwkv7 {
    weight_id mix;           // [6 * n], shares of the row before in the inputs of r, w, k, v, a, g
    weight_id r, k, v, o;    // [n -> n]
    nn_pair w, a, v_mix, g;  // v_mix: WEIGHT_NONE in the first layer
    weight_id k_k, k_a, r_k; // [n]
    nn_norm norm;            // of each head; weight and bias [n]
    weight_id channel_mix, channel_key, channel_value; // [n], [n -> n_ff], [n_ff -> n]
    int64_t n, d_head, n_ff;
} nn_rwkv7;

typedef struct nn_ffn {
    weight_id gate, up, down; // down(act(gate x) * up x)
    int64_t n_ff;
    bool is_gelu;             // act: gelu (tanh form) instead of silu
    bool is_exact;            // gelu by the error function instead of its tanh form
    bool is_sparse;           // of the gate only what lies so many standard deviations above its
    float sigmas;             // row's mean is left, and counts from there
    bool is_plain;            // without gate: down(act(up x + up_bias)) + down_bias, act is gelu
    weight_id up_bias, down_bias; // of a plain one
} nn_ffn;

typedef struct nn_moe {
    weight_id router;          // [n_embd -> n_expert]
    weight_id gate, up, down;  // of n_expert slices
    nn_ffn shared;             // an expert for every row; its gate WEIGHT_NONE: without
    weight_id shared_gate;     // [n_embd]; its sigmoid weighs the shared expert. WEIGHT_NONE: 1
    int64_t n_embd, n_expert, n_used, n_ff; // n_expert 0: the layer has no mixture
    bool is_gelu;              // experts have gelu (tanh form) instead of silu
    nn_norm router_norm;       // the router sees this norm of the residual stream, times
    float router_scale;        // router_scale, instead of the experts' input; WEIGHT_NONE: not
    weight_id expert_scales;   // [n_expert], on weights after all else; WEIGHT_NONE: without
    bool normalize;            // weights of the chosen experts sum to 1, before the scale
    bool is_sigmoid;           // an expert's probability is its logit's sigmoid, not the softmax
    weight_id bias;            // [n_expert], added to probabilities for the choice; WEIGHT_NONE
    int64_t n_group, n_group_used; // experts are taken from the best groups; 0: from all
    float scale;               // of weights
    bool has_bias;             // the router and all experts have one each:
    weight_id router_bias, gate_bias, up_bias, down_bias; // n_expert slices but the router's
    float clamp;               // > 0: (up + 1) gate sigmoid(1.702 gate), both held below this,
                               // instead of silu(gate) up
} nn_moe;

// y = norm of n_rows rows of x.
hearth_status nn_apply_norm(const nn_run *r, const nn_norm *norm, dev_view x, int64_t n_rows,
                            dev_view y, hearth_err *err);
// y[i] = x times weight i, n_rows rows, and what adapters add to it; the weights have equal n_in,
// no y overlaps x. n <= DEV_MATMUL_MAX.
hearth_status nn_linear(const nn_run *r, int n, const weight_id *id, dev_view x, int64_t n_rows,
                        const dev_view *y, hearth_err *err);
// Adds the vector to the rows of x, of the run or n_rows; nothing for WEIGHT_NONE.
hearth_status nn_add_bias(const nn_run *r, weight_id id, dev_view x, hearth_err *err);
hearth_status nn_add_bias_to(const nn_run *r, weight_id id, dev_view x, int64_t n_rows,
                             hearth_err *err);
// h = attention(h), keys and values of the rows put into the layer's cache first.
hearth_status nn_attention(const nn_run *r, const nn_attn *a, const nn_memory *mem,
                           hearth_err *err);
// The same over latent vectors. The floats of run.own that it uses per row.
hearth_status nn_latent_attention(const nn_run *r, const nn_latent *a, const nn_memory *mem,
                                  hearth_err *err);
int64_t nn_latent_floats(const nn_latent *a);
// h = gated convolution(h); run.own holds 3 n floats per row.
hearth_status nn_short_conv(const nn_run *r, const nn_conv *c, const nn_memory *mem,
                            hearth_err *err);
// h = mixing(h) over time, or over channels. Floats of run.own that they use per row, where
// v_first of the first layer stays for the others; and floats of state.
hearth_status nn_time_mixing(const nn_run *r, const nn_rwkv7 *t, const nn_memory *mem,
                             hearth_err *err);
hearth_status nn_channel_mixing(const nn_run *r, const nn_rwkv7 *t, const nn_memory *mem,
                                hearth_err *err);
int64_t nn_rwkv7_own_floats(int64_t n, int64_t rank);
int64_t nn_rwkv7_state_floats(int64_t n, int64_t d_head);
enum { NN_GATED_OWN = 3 }; // times n_head * d_k floats of run.own for gated attention
// h = gated delta net(h); what it needs of run.own and of a state.
hearth_status nn_delta_net(const nn_run *r, const nn_delta *a, const nn_memory *mem,
                           hearth_err *err);
int64_t nn_delta_own_floats(const nn_delta *a);
int64_t nn_delta_state_floats(const nn_delta *a);
// h = feed-forward(h), or y = feed-forward(h).
hearth_status nn_feed_forward(const nn_run *r, const nn_ffn *f, hearth_err *err);
hearth_status nn_feed_forward_to(const nn_run *r, const nn_ffn *f, dev_view y, hearth_err *err);
// The inputs of all layers from the rows of x, at the begin of run.own, where they stay for the
// step; tokens [n_rows]. For one layer then h = norm(proj(gelu(gate y) * input)), and x += that of
// x. The floats of run.own that all use per row.
hearth_status nn_make_inputs(const nn_run *r, const nn_inputs *p, const int32_t *tokens,
                             hearth_err *err);
hearth_status nn_apply_input(const nn_run *r, const nn_input *p, dev_view y, hearth_err *err);
hearth_status nn_add_input(const nn_run *r, const nn_input *p, hearth_err *err);
int64_t nn_input_floats(int64_t n_layer, int64_t n);
// The streams from the rows of x, and x from the streams. While there are several, x is the first
// one: nn_predict() puts what the others say of it there, nn_correct() takes what the layer made of
// x into all of them and leaves the new first one, nn_add_to_others() adds h to all but that one.
hearth_status nn_split_stream(const nn_run *r, const nn_stream_ends *e, hearth_err *err);
hearth_status nn_merge_streams(const nn_run *r, const nn_stream_ends *e, hearth_err *err);
hearth_status nn_predict(const nn_run *r, const nn_altup *a, hearth_err *err);
hearth_status nn_correct(const nn_run *r, const nn_altup *a, hearth_err *err);
void nn_add_to_others(const nn_run *r, const nn_altup *a);
// y = h + norm(wide narrow h) in run.own, where it stays until nn_correct(); run.gate is used.
hearth_status nn_laurel_beside(const nn_run *r, const nn_altup *a, const nn_laurel *l,
                               dev_view *y, hearth_err *err);
// Floats of run.own per row, all streams together.
int64_t nn_stream_floats(int64_t n, int64_t n_embd);
// y = x times the vector, on each row.
hearth_status nn_mul_rows(const nn_run *r, weight_id id, dev_view x, int64_t n, dev_view y,
                          hearth_err *err);
// The experts of one row by falling score, and in `out` their weights: [n_used] each (route.c).
void nn_route_row(const nn_moe *m, const nn_choice *c, const float *logits, int32_t *chosen,
                  float *out);
// h = mixture of experts(h).
hearth_status nn_mixture(const nn_run *r, const nn_moe *m, hearth_err *err);

#endif
