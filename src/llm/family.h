// What a family of models has to say; one file arch_<family>.c each.
//
// A family is a row of functions: what its files leave unsaid (configure), which tensors a layer
// has (bind_layer), what it remembers (memory) and in what order its blocks run (run_layer).
// Everything else (embedding, cache, output head, batches) is common. Adding a family: write
// arch_<name>.c, add its row to families.c.
#ifndef HEARTH_LLM_FAMILY_H
#define HEARTH_LLM_FAMILY_H

#include "llm/llm.h"
#include "nn/block.h"

// One layer. A field that a family does not use holds WEIGHT_NONE or zero.
typedef struct llm_layer {
    nn_norm attn_norm;
    nn_attn attn;
    nn_latent latent;  // instead of attn where its n_head > 0
    nn_conv conv;      // instead of attention where conv.n > 0
    nn_rwkv7 rwkv7;    // instead of attention and feed-forward where a family says so
    nn_delta delta;    // instead of attn where its n_head_v > 0
    nn_norm attn_post; // of attention's output
    nn_norm ffn_norm;
    nn_ffn ffn;
    nn_norm ffn_post;  // of the feed-forward's output
    float residual_scale; // of both outputs
    nn_moe moe; // instead of ffn where n_expert > 0
    // Of gemma4 alone.
    nn_norm ffn_post_1, moe_pre, moe_post; // where ffn and moe run side by side
    nn_input input;    // n 0: without; gemma3n has it too
    float out_scale;   // of the stream behind the layer
    // Of gemma3n alone.
    nn_altup altup;
    nn_laurel laurel;
    weight_id input_scale; // [n_embd] on what the inputs' gate sees
} llm_layer;

// Binds tensors "blk.<layer>.<name>"; keeps the first failure, so that a list of bindings is
// checked once, at its end.
typedef struct llm_binder {
    weights *w;
    dev *d;
    const llm_config *c;
    const dev_rope *rope, *local_rope;
    int64_t layer; // of the whole model
    hearth_status failed;
    hearth_err *err;
} llm_binder;
nn_norm llm_bind_norm(llm_binder *b, const char *name); // [n_embd]
weight_id llm_bind(llm_binder *b, const char *name, int64_t n_in, int64_t n_out);
weight_id llm_bind_rows(llm_binder *b, const char *name, int64_t n_in, int64_t n_total,
                        int64_t first, int64_t n_out);
weight_id llm_bind_optional(llm_binder *b, const char *name, int64_t n_in, int64_t n_out);
weight_id llm_bind_values(llm_binder *b, const char *name, int64_t n_total, int64_t first,
                          int64_t n);

// The heads of a matrix [n_in, n_head * n_total]: rows [first, first + n_out) of each, as slices;
// and turned over (nn/weights.h).
weight_id llm_bind_heads(llm_binder *b, const char *name, int64_t n_in, int64_t n_total,
                         int64_t first, int64_t n_out);
weight_id llm_bind_heads_turned(llm_binder *b, const char *name, int64_t n_in, int64_t n_total,
                                int64_t first, int64_t n_out);
// A tensor [n_in, n_out, n_slices].
weight_id llm_bind_slices(llm_binder *b, const char *name, int64_t n_in, int64_t n_out,
                          int64_t n_slices);
// The same of a tensor with n_total rows per slice, rows [first, first + n_out).
weight_id llm_bind_slice_rows(llm_binder *b, const char *name, int64_t n_in, int64_t n_total,
                              int64_t first, int64_t n_out, int64_t n_slices);
bool llm_has(const llm_binder *b, const char *name);
// The values of a tensor of any shape.
weight_id llm_bind_flat(llm_binder *b, const char *name, int64_t n);
// The number of rows that the file's tensor has, where that is at most `max`, else `max`.
int64_t llm_tensor_rows(const llm_binder *b, const char *name, int64_t max);
// Tensors outside the layers; and n equal values.
weight_id llm_bind_outside(llm_binder *b, const char *name, int64_t n_in, int64_t n_out);
weight_id llm_bind_slices_outside(llm_binder *b, const char *name, int64_t n_in, int64_t n_out,
                                  int64_t n_slices);
weight_id llm_bind_constant(llm_binder *b, int64_t n, float value);
// A tensor of one number, read now; `fallback` where the file has none.
float llm_bind_number(llm_binder *b, const char *name, float fallback);

// What a layer remembers of a sequence from one step to the next: keys and values per position, or
// a state of fixed size, or both, or neither. Layers with equal windows share pages; those with a
// window keep only what it can still reach. run_layer() gets the places in an nn_memory.
typedef struct llm_memory {
    int64_t n_head_kv, d_k, d_v; // n_head_kv 0: no keys and values
    bool values_in_keys;         // a value is the first d_v numbers of its key
    int64_t window;              // a row sees its last `window` positions; 0: all
    int64_t shares;              // -1, or an earlier layer (of the whole model) whose keys and
                                 // values this one reads; then the fields above are not looked at
    int64_t n_state;             // floats of recurrent state; begins as zeros
} llm_memory;

typedef struct llm_family {
    const char *arch; // general.architecture
    bool has_experts; // may "expert_count" be above 0?
    bool has_no_attention; // no heads, no rotation
    bool is_whole;    // layers need what the first one left in run.own: no ranges of layers
    bool has_layer_norm; // and with it another key for epsilon
    bool has_layer_lists; // may feed_forward_length and head_count_kv be lists, one per layer?
    // Keys and tensors that this family alone has; the common ones are read already.
    hearth_status (*configure)(const gguf *g, llm_config *c, hearth_err *err);
    void (*bind_layer)(llm_binder *b, llm_layer *out);
    // Inputs per layer: their tensors, outside the layers. NULL: the family has none. They are made
    // before the first layer and stay at the begin of run.own. (n 0 in out: this model has none.)
    void (*bind_inputs)(llm_binder *b, nn_inputs *out);
    // Several residual streams (nn/streams.c), made before the first layer, after the inputs, and
    // one again behind the last: the tensors for that, outside the layers. NULL: one stream.
    void (*bind_streams)(llm_binder *b, nn_stream_ends *out);
    // Changes what the layer (of the whole model) remembers; *m comes as attention with the
    // configuration's shape and window. NULL: that is right for all layers.
    void (*memory)(const llm_config *c, int64_t layer, llm_memory *m);
    // Floats per row of run.own, which a layer may use as it likes and which the next one sees as
    // it was left. NULL: none.
    int64_t (*own_floats)(const llm_config *c);
    hearth_status (*run_layer)(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                               hearth_err *err);
} llm_family;

extern const llm_family llm_family_command_r, llm_family_deepseek2, llm_family_gemma,
    llm_family_gemma2, llm_family_gemma3, llm_family_gemma3n, llm_family_gemma4,
    llm_family_granite, llm_family_llama, llm_family_olmo2, llm_family_phi3, llm_family_qwen2,
    llm_family_qwen2moe, llm_family_qwen3, llm_family_qwen3moe, llm_family_starcoder2;
extern const llm_family llm_family_cohere2, llm_family_gpt_oss, llm_family_granitemoe,
    llm_family_mistral3, llm_family_phi2, llm_family_qwen, llm_family_smollm3;
// Encoders.
extern const llm_family llm_family_bert, llm_family_gemma_embedding, llm_family_modern_bert,
    llm_family_nomic_bert;
extern const llm_family llm_family_lfm2, llm_family_rwkv7;
extern const llm_family llm_family_qwen35, llm_family_qwen35moe, llm_family_qwen3next;

// For configure(): keys "<arch>.<name>" with bounds. `fallback` NULL or 0: the key is required.
hearth_status llm_read_number(const gguf *g, const llm_config *c, const char *name, double min,
                              double max, const float *fallback, float *out, hearth_err *err);
hearth_status llm_read_size(const gguf *g, const llm_config *c, const char *name, int64_t max,
                            int64_t fallback, int64_t *out, hearth_err *err);

// "attention.sliding_window_pattern", where a file has it, is a period or a list of booleans, true
// for local layers; anything but local_period's own pattern is refused.
hearth_status llm_check_pattern(const gguf *g, const llm_config *c, hearth_err *err);

// Families whose files list what layers are (layer_lists.c). A list with an item per layer, or
// NULL; "attention.sliding_window_pattern" as such a list, true for local layers; a count, 0
// without.
const gguf_kv *llm_find_list(const gguf *g, const llm_config *c, const char *name);
hearth_status llm_read_local_list(const gguf *g, llm_config *c, hearth_err *err);
hearth_status llm_read_count(const gguf *g, const llm_config *c, const char *name, int64_t max,
                             int64_t *out, hearth_err *err);
// "attention.shared_kv_layers": so many last layers read the keys and values of another one. The
// first of them; and the last layer before them that is of this one's kind, -1: there is none.
hearth_status llm_read_shared(const gguf *g, llm_config *c, hearth_err *err);
int64_t llm_first_shared(const llm_config *c);
int64_t llm_find_source(const llm_config *c, int64_t layer);
// Inputs per layer: their tensors outside the layers, and a layer's own.
void llm_bind_inputs(llm_binder *b, nn_inputs *out);
void llm_bind_input(llm_binder *b, llm_layer *out);

// Does this layer have a recurrent state instead of attention?
bool llm_is_recurrent(const llm_config *c, int64_t layer);
// With a window, is this layer one of those that see no further?
bool llm_is_local(const llm_config *c, int64_t layer);

// HEARTH_E_UNSUPPORTED that lists what is there.
hearth_status llm_family_find(str arch, const llm_family **out, hearth_err *err);

// Shared by families. The tensors of a plain layer (norm, q, k, v, o, norm, gate, up, down); its
// norms and attention alone; the router and the experts of a mixture. Norms of outputs are set to
// "without".
void llm_bind_plain_layer(llm_binder *b, llm_layer *out);
void llm_bind_plain_attention(llm_binder *b, llm_layer *out);
void llm_bind_feed_forward(llm_binder *b, llm_layer *out);
void llm_bind_plain_feed_forward(llm_binder *b, llm_layer *out); // no gate, gelu, two biases
// Shapes, scales and rotation of attention, no tensors; no norm of outputs.
void llm_set_attention(const llm_binder *b, llm_layer *out);
void llm_set_mixture(const llm_binder *b, bool normalize, llm_layer *out); // no tensors
void llm_bind_experts(llm_binder *b, bool normalize, llm_layer *out);
void llm_bind_shared_expert(llm_binder *b, llm_layer *out); // after the experts
void llm_bind_expert_biases(llm_binder *b, llm_layer *out); // of the router and all experts
void llm_bind_qkv_bias(llm_binder *b, llm_layer *out);      // q, k and v
// q, k and v from the rows of "attn_qkv.weight", their biases from "attn_qkv.bias".
void llm_bind_fused_qkv(llm_binder *b, bool has_bias, llm_layer *out);
//   x += attn_post(attention(attn_norm(x)));  x += ffn_post(feed_forward(ffn_norm(x)))
// each norm only where the layer has it.
hearth_status llm_run_plain_layer(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                  hearth_err *err);
//   x += attention(attn_norm(x)) + feed_forward(attn_norm(x)); the configuration says is_parallel
hearth_status llm_run_parallel_layer(const nn_run *r, const llm_layer *l, const nn_memory *mem,
                                     hearth_err *err);

#endif
