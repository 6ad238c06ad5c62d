// Language models: loading, the step over a batch of rows, and the paged cache.
//
//   llm_model    a GGUF's configuration and weights; immutable, shared by contexts, any thread
//   llm_ctx      a cache and the scratch of one step; one thread at a time (llm_cancel: any)
//   llm_seq      a small integer: one sequence of positions in a context's cache
//
// A step takes rows {sequence, position, token or embedding row, what is wanted} of any number of
// sequences and appends each to its sequence. A row's result depends on its own sequence alone:
// the same bits for any batch, neighbours and thread count.
//
// The cache holds pages of LLM_PAGE positions, shared by reference count between forked sequences
// and copied when one of them writes. Layers with a sliding window keep only the pages that it can
// reach, recurrent layers a state of fixed size with a few checkpoints; so a sequence of such a
// model can go back to some positions only (llm_seq_nearest).
#ifndef HEARTH_LLM_LLM_H
#define HEARTH_LLM_LLM_H

#include "base/str.h"
#include "dev/dev.h"
#include "fmt/gguf.h"

enum { LLM_PAGE = 64 }; // positions; also the attention block, so blocks begin at multiples of it

// How the rows of a text become one vector; the numbers of the GGUF key "pooling_type".
typedef enum llm_pooling {
    LLM_POOL_NONE = 0, // the file says so, or nothing
    LLM_POOL_MEAN = 1, LLM_POOL_CLS = 2, LLM_POOL_LAST = 3, // of all rows; the first; the last
    LLM_POOL_RANK = 4  // a classifier's labels
} llm_pooling;

// --- model --------------------------------------------------------------------------------------
// Latent attention (deepseek2): keys and values are made from one small vector per position, which
// is what the cache holds. d_k and d_v of the configuration are the cache's then. All 0 without.
typedef struct llm_latent {
    int64_t n_q;            // width that queries are squeezed to, 0: they are not
    int64_t d_key, d_value; // of a head outside the cache; a key's last n_rot are rotated
} llm_latent;

// Gated delta nets (qwen3next, qwen35) in layers without attention. All 0 without.
typedef struct llm_delta {
    int64_t n_head_k, n_head_v, d_k, d_v;
    bool is_tiled; // value head h goes with key head h % n_head_k, not with its neighbours'
} llm_delta;

typedef struct llm_config {
    char arch[32];
    int64_t n_layer, n_embd, n_ff, n_head, n_head_kv, d_k, d_v, n_vocab, n_ctx_train;
    float norm_eps;
    int64_t n_rot;        // rotated dimensions of a head
    float rope_base;
    float rope_linear;    // positions are divided by this (linear scaling), 1 without
    bool rope_neox, has_qkv_bias, has_qk_norm;
    bool is_tied;         // the output matrix is the embedding
    bool has_layer_norm, has_norm_bias; // LayerNorm instead of RMS norm
    bool is_parallel;     // attention and feed-forward of a layer see the same input
    // What some families add; 1 or 0 stands for "without".
    float embd_scale;     // 1; token embeddings are multiplied by it (rows given as embd are not)
    float residual_scale; // 1; the output of each block is multiplied by it
    float logit_scale;    // 1; logits are multiplied by it
    float attn_scale;     // of scores; 0: 1 / sqrt(d_k)
    float attn_cap;       // 0; scores s become cap tanh(s / cap)
    float logit_cap;      // 0; the same for logits
    int64_t window;       // 0; a row of a local layer attends to its last `window` positions
    int64_t local_period; // with a window: layers i with (i + 1) % local_period == 0 are global,
                          // none when it is 0
    bool has_local_list;  // local layers are the set bits here and not by period
    uint64_t local_list[LIMIT_LAYERS / 64];
    int64_t n_head_kv_local, d_local; // 0; local layers have so many heads of this size
    int64_t n_rot_local;  // 0; and rotate so many numbers of them
    int64_t n_shared_kv;  // 0; so many last layers read the keys and values of an earlier one
    int64_t n_embd_layer; // 0; width of inputs per layer (nn/per_layer.c)
    int64_t n_stream;     // 0; residual streams (nn/streams.c)
    float rope_base_local;// 0; local layers turn by this base, without scaling
    int64_t no_rope_period; // 0; layers i with (i + 1) % no_rope_period == 0 are not rotated
    float heat;           // 0; queries at position p are multiplied by
    int64_t heat_length;  // 1 + heat ln(1 + floor(p / heat_length))
    bool has_head_bias;   // the output matrix has a bias
    // YaRN: pairs that make yarn_fast turns or more in n_ctx_short positions, the context that the
    // network was first trained for, keep their frequency, those with yarn_slow or fewer have it
    // divided by rope_linear, those between have a mixture. Cosine and sine times rope_attn.
    bool has_yarn;
    bool yarn_exact;      // the two ends need not be whole pairs
    float yarn_fast, yarn_slow;
    float yarn_mix;       // 1; how much of that is done, 0: all pairs divided
    // Long rope (phi3): pairs are divided by one list in contexts of up to n_ctx_short positions
    // and by another in longer ones; cosine and sine are multiplied by rope_attn.
    bool has_long_rope;
    int64_t n_ctx_short;
    float rope_attn;      // 1
    llm_latent latent;
    // Encoders: each row sees its whole text, which is one step's; no logits (pooling.c).
    bool is_encoder;
    bool is_window_centred; // a row of a local layer sees window / 2 positions to each side
    bool is_global_first;   // layers i with i % local_period == 0 are global instead
    bool has_embd_norm;     // of the sum of what a token, its position and its part are given
    bool has_silu;          // where a family's files have one activation or the other
    bool has_out_norm;      // false: each layer ends with a norm
    int64_t n_pos;          // rows of a table of positions; 0: rotary
    int64_t n_parts;        // rows of a table of a text's parts (token types); 0: none
    llm_pooling pooling;    // as the file says
    uint64_t recurrent[LIMIT_LAYERS / 64]; // bit i % 64 of word i / 64: layer i has a recurrent
                                           // state instead of attention
    int64_t n_taps;       // of the short convolutions of such layers
    int64_t rank_decay, rank_rate, rank_value, rank_gate; // of RWKV-7's pairs of matrices
    bool is_out_norm_misnamed; // the output norm is called token_embd_norm (lfm2)
    llm_delta delta;
    // Mixtures of experts; all 0 without.
    int64_t n_expert, n_expert_used, n_ff_expert, n_ff_shared; // n_ff_shared 0: no shared expert
    int64_t n_dense_lead; // the first layers have a plain feed-forward
    int64_t n_expert_group, n_expert_group_used; // experts come from the best groups; 0: from all
    float expert_scale;   // 1; of the chosen experts' weights
    bool has_expert_norm; // the chosen experts' weights are divided by their sum
    bool has_expert_sigmoid; // weights are sigmoids of the router, not its softmax
} llm_config;

typedef struct llm_model llm_model;
typedef struct llm_model_options {
    int64_t layer_first, layer_count; // layer_count 0: to the end. The embedding is used when the
                                      // range begins at 0, the output head when it reaches the end
} llm_model_options;
// Checks every tensor's presence, type and shape. `g` and its mapping outlive the model.
hearth_status llm_model_open(const gguf *g, dev *d, const llm_model_options *o, llm_model **out,
                             hearth_err *err);
// Puts a LoRA adapter on the model, before the first context: y = W x + scale alpha / rank B (A x)
// for the matrices W that it has. `g` and its mapping outlive the model. Several add up, in the
// order they came. On failure the model can only be closed.
hearth_status llm_model_adapt(llm_model *m, const gguf *g, float scale, hearth_err *err);
void llm_model_close(llm_model *m);
const llm_config *llm_model_config(const llm_model *m);
// Only the configuration, for `show` and `plan`; nothing is loaded.
hearth_status llm_config_read(const gguf *g, llm_config *out, hearth_err *err);
// Values of a pooled vector, or labels of LLM_POOL_RANK; `pooling` as llm_model_pooling() gives it.
int64_t llm_model_pooled_width(const llm_model *m, llm_pooling pooling);
// The pooling that is used when `wanted` is asked for; LLM_POOL_NONE: the model's own, or what is
// usual (encoders: mean; others: last). HEARTH_E_UNSUPPORTED: ranking without a classifier.
hearth_status llm_model_pooling(const llm_model *m, llm_pooling wanted, llm_pooling *out,
                                hearth_err *err);
uint64_t llm_model_parameters(const llm_model *m);

// --- context ------------------------------------------------------------------------------------
typedef struct llm_ctx llm_ctx;
typedef struct llm_ctx_options {
    int64_t n_ctx;    // positions over all sequences; rounded up to whole pages. Where no layer
                      // remembers all of them, those of each sequence
    int n_seq;        // sequences at the same time, 1..LIMIT_SEQUENCES
    int n_batch;      // rows of a step at most
    int n_logits;     // rows of a step that may want logits or hidden states
    dtype type_k, type_v; // DTYPE_F32 or DTYPE_F16
    llm_pooling pooling;  // rows may want LLM_WANT_POOLED, and no logits; NONE: the other way round
} llm_ctx_options;
void llm_ctx_options_default(llm_ctx_options *o); // 4096, 1, 512, 1, F16, F16, NONE

// Exact bytes, known before anything is allocated. cache_bytes and scratch_bytes are what
// llm_ctx_create() takes under MEM_CACHE and MEM_SCRATCH, to the byte, for the life of the context.
typedef struct llm_plan {
    uint64_t weights_bytes; // of the tensors in the layer range: mapped, shared with the page cache
    uint64_t model_bytes;   // metadata, converted vectors (MEM_MODEL)
    uint64_t cache_bytes, scratch_bytes;
    uint64_t total_bytes;   // the sum
} llm_plan;
hearth_status llm_make_plan(const llm_model *m, const llm_ctx_options *o, llm_plan *out,
                            hearth_err *err);
hearth_status llm_ctx_create(const llm_model *m, const llm_ctx_options *o, llm_ctx **out,
                             hearth_err *err);
void llm_ctx_free(llm_ctx *c);
const llm_model *llm_ctx_model(const llm_ctx *c);
const llm_ctx_options *llm_ctx_get_options(const llm_ctx *c);
// Makes a running or the next llm_step() return HEARTH_E_CANCELED soon; from any thread. The rows
// of a canceled step are not in the cache. llm_cancel_clear() before going on.
void llm_cancel(llm_ctx *c);
void llm_cancel_clear(llm_ctx *c);

// --- sequences ----------------------------------------------------------------------------------
typedef int32_t llm_seq;
hearth_status llm_seq_new(llm_ctx *c, llm_seq *out, hearth_err *err); // HEARTH_E_LIMIT: none free
void llm_seq_free(llm_ctx *c, llm_seq s);
int64_t llm_seq_length(const llm_ctx *c, llm_seq s); // positions 0 .. length-1 are in the cache
// The nearest position <= n that the sequence can go back to: n itself in plain attention, less
// where a window has left it behind or a recurrent state has no checkpoint; 0 at the least.
int64_t llm_seq_nearest(const llm_ctx *c, llm_seq s, int64_t n);
// A new sequence with the first n positions of `from`; costs no copy until one of them writes.
// HEARTH_E_STATE: n is not a position to go back to.
hearth_status llm_seq_fork(llm_ctx *c, llm_seq from, int64_t n, llm_seq *out, hearth_err *err);
// Forgets positions n and later. HEARTH_E_STATE: n is not a position to go back to.
hearth_status llm_seq_rewind(llm_ctx *c, llm_seq s, int64_t n, hearth_err *err);
// A sequence as bytes: header (magic, version, model and cache fingerprint, length), then pages and
// states as far as they matter to what comes next; checkpoints stay behind.
// Import checks all of it; a blob of another model or cache type is HEARTH_E_VERIFY.
size_t llm_seq_export_bytes(const llm_ctx *c, llm_seq s);
hearth_status llm_seq_export(llm_ctx *c, llm_seq s, void *out, size_t n, hearth_err *err);
hearth_status llm_seq_import(llm_ctx *c, const void *p, size_t n, llm_seq *out, hearth_err *err);

// --- the step -----------------------------------------------------------------------------------
// LLM_WANT_POOLED: the rows of a sequence that want it stand side by side and are one result. A
// mean is taken over these rows, so a text whose mean is wanted is one step.
enum { LLM_WANT_NOTHING = 0, LLM_WANT_LOGITS = 1, LLM_WANT_HIDDEN = 2, LLM_WANT_POOLED = 4 };
typedef struct llm_row {
    llm_seq seq;
    int32_t pos;         // the sequence's length, plus rows of it earlier in this batch
    int32_t token;       // or -1: `embd` is the input row
    const float *embd;   // [n_embd], host
    uint8_t want;
    uint8_t part;        // of the text, below n_parts; 0 where the model knows none
    int16_t hidden_layer; // for LLM_WANT_HIDDEN: output of this layer of the whole model; n_layer
                          // means after the last layer and the output norm
} llm_row;
// All or nothing: on failure no sequence has changed. HEARTH_E_LIMIT: the cache is full (n_ctx is
// named), or the batch exceeds the context's options.
hearth_status llm_step(llm_ctx *c, const llm_row *rows, int n_rows, hearth_err *err);
// Of row `i` of the last step, which wanted it; valid until the next step.
const float *llm_logits(const llm_ctx *c, int i); // [n_vocab]
const float *llm_hidden(const llm_ctx *c, int i); // [n_embd]
const float *llm_pooled(const llm_ctx *c, int i); // [llm_model_pooled_width()], not normalised

// --- whole texts --------------------------------------------------------------------------------
typedef struct llm_text {
    const int32_t *ids;
    int64_t n, n_first; // tokens, and how many of them are of part 0; the others are of part 1
} llm_text;
// Tokens of a text at most.
int64_t llm_model_longest(const llm_model *m);
// A context for texts of up to `longest` tokens that `n` of them, `total` tokens, will go through.
// HEARTH_E_LIMIT: the model does not take texts that long.
hearth_status llm_embed_options(const llm_model *m, llm_pooling pooling, int64_t longest,
                                int64_t total, int64_t n, llm_ctx_options *out, hearth_err *err);
// out [n][llm_model_pooled_width()]. As many texts as fit go through the model together; a text's
// vector has the same bits in any company.
hearth_status llm_embed(llm_ctx *c, const llm_text *texts, int64_t n, float *out, hearth_err *err);

#endif
