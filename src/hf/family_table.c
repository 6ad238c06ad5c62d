// The families: which classes of config.json they are, and what their tensors and keys are called.
//
// A row of names says "theirs -> ours" for weight and bias alike. "*" stands for an expert's
// number; such tensors become one, stacked. Rows of a family are looked at before the common ones.
// Adding a family that has nothing but plain layers is one row here.
#include <math.h>

#include "hf/hf_int.h"

const hf_name hf_common_names[] = {
    {"embed_tokens", "token_embd", false, HF_AS_IS},
    {"norm", "output_norm", false, HF_AS_IS},
    {"lm_head", "output", false, HF_AS_IS},
    {"input_layernorm", "attn_norm", true, HF_AS_IS},
    {"post_attention_layernorm", "ffn_norm", true, HF_AS_IS},
    {"self_attn.q_proj", "attn_q", true, HF_PAIRS},
    {"self_attn.k_proj", "attn_k", true, HF_PAIRS},
    {"self_attn.v_proj", "attn_v", true, HF_AS_IS},
    {"self_attn.qkv_proj", "attn_qkv", true, HF_AS_IS},
    {"self_attn.o_proj", "attn_output", true, HF_AS_IS},
    {"self_attn.q_norm", "attn_q_norm", true, HF_AS_IS},
    {"self_attn.k_norm", "attn_k_norm", true, HF_AS_IS},
    {"mlp.gate_proj", "ffn_gate", true, HF_AS_IS},
    {"mlp.up_proj", "ffn_up", true, HF_AS_IS},
    {"mlp.down_proj", "ffn_down", true, HF_AS_IS},
    {"mlp.gate_up_proj", "ffn_up", true, HF_AS_IS},
    {"mlp.gate", "ffn_gate_inp", true, HF_AS_IS},
    {"mlp.experts.*.gate_proj", "ffn_gate_exps", true, HF_AS_IS},
    {"mlp.experts.*.up_proj", "ffn_up_exps", true, HF_AS_IS},
    {"mlp.experts.*.down_proj", "ffn_down_exps", true, HF_AS_IS},
    {"mlp.shared_expert.gate_proj", "ffn_gate_shexp", true, HF_AS_IS},
    {"mlp.shared_expert.up_proj", "ffn_up_shexp", true, HF_AS_IS},
    {"mlp.shared_expert.down_proj", "ffn_down_shexp", true, HF_AS_IS},
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp", true, HF_AS_IS},
    {0},
};

const hf_key hf_common_keys[] = {
    {"block_count", "num_hidden_layers n_layers n_layer num_layers", HF_KEY_U32},
    {"context_length", "max_position_embeddings n_ctx n_positions", HF_KEY_U32},
    {"embedding_length", "hidden_size n_embd", HF_KEY_U32},
    {"feed_forward_length", "intermediate_size n_inner", HF_KEY_U32},
    {"attention.head_count", "num_attention_heads n_head", HF_KEY_U32},
    {"attention.head_count_kv", "num_key_value_heads", HF_KEY_U32},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", HF_KEY_F32},
    {"attention.layer_norm_epsilon", "layer_norm_eps layer_norm_epsilon norm_epsilon", HF_KEY_F32},
    {"expert_count", "num_local_experts num_experts n_routed_experts", HF_KEY_U32},
    {"expert_used_count", "num_experts_per_tok num_experts_per_token", HF_KEY_U32},
    {0},
};

// --- llama and what is like it ------------------------------------------------------------------

static const hf_name mixtral_names[] = {
    {"block_sparse_moe.gate", "ffn_gate_inp", true, HF_AS_IS},
    {"block_sparse_moe.experts.*.w1", "ffn_gate_exps", true, HF_AS_IS},
    {"block_sparse_moe.experts.*.w2", "ffn_down_exps", true, HF_AS_IS},
    {"block_sparse_moe.experts.*.w3", "ffn_up_exps", true, HF_AS_IS},
    {0},
};

static const hf_key granite_keys[] = {
    {"attention.scale", "attention_multiplier", HF_KEY_F32},
    {"embedding_scale", "embedding_multiplier", HF_KEY_F32},
    {"residual_scale", "residual_multiplier", HF_KEY_F32},
    {"logit_scale", "logits_scaling", HF_KEY_F32},
    {0},
};

static void add_llama_keys(hf_keys *k)
{
    hf_key_u32(k, "vocab_size", hf_config_i64(k->m, "vocab_size", 0));
    hf_key_u32(k, "rope.dimension_count", hf_head_size(k->m));
}

// --- mixtures -----------------------------------------------------------------------------------

static const hf_key moe_keys[] = {
    {"expert_feed_forward_length", "moe_intermediate_size", HF_KEY_U32},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size", HF_KEY_U32},
    {0},
};

// --- gemma --------------------------------------------------------------------------------------

static const hf_name gemma2_names[] = {
    {"post_attention_layernorm", "post_attention_norm", true, HF_AS_IS},
    {"pre_feedforward_layernorm", "ffn_norm", true, HF_AS_IS},
    {"post_feedforward_layernorm", "post_ffw_norm", true, HF_AS_IS},
    {0},
};

static const hf_key gemma2_keys[] = {
    {"attn_logit_softcapping", "attn_logit_softcapping", HF_KEY_F32},
    {"final_logit_softcapping", "final_logit_softcapping", HF_KEY_F32},
    {"attention.sliding_window", "sliding_window", HF_KEY_U32},
    {0},
};

// The scale of scores is a property of the shape in the files' own reading, except where a model
// departs from it.
static void add_gemma_scale(hf_keys *k)
{
    double q = hf_config_f64(k->m, "query_pre_attn_scalar", 0), d = (double)hf_head_size(k->m);
    if (q > 0 && (q < d || q > d)) hf_key_f32(k, "attention.scale", 1 / sqrt(q));
}

// --- others -------------------------------------------------------------------------------------

static void add_phi3_keys(hf_keys *k)
{
    const hf_model *m = k->m;
    int64_t n_embd = hf_config_i64(m, "hidden_size", 0);
    int64_t n_head = i64_max(hf_config_i64(m, "num_attention_heads", 1), 1);
    int64_t turned = (int64_t)(hf_rope_f64(m, "partial_rotary_factor", 1) * (double)n_embd);
    hf_key_u32(k, "rope.dimension_count", turned / n_head);
    hf_key_u32(k, "rope.scaling.original_context_length",
               (int64_t)hf_rope_f64(m, "original_max_position_embeddings", 4096));
    hf_key_u32(k, "attention.sliding_window", hf_config_i64(m, "sliding_window", 0));
}

static const hf_name olmo2_names[] = {
    {"post_attention_layernorm", "post_attention_norm", true, HF_AS_IS},
    {"post_feedforward_layernorm", "post_ffw_norm", true, HF_AS_IS},
    {0},
};

static const hf_name starcoder2_names[] = {
    {"mlp.c_fc", "ffn_up", true, HF_AS_IS},
    {"mlp.c_proj", "ffn_down", true, HF_AS_IS},
    {0},
};

static const hf_key window_keys[] = {
    {"attention.sliding_window", "sliding_window", HF_KEY_U32},
    {0},
};

static const hf_key command_r_keys[] = {
    {"logit_scale", "logit_scale", HF_KEY_F32},
    {0},
};

// Said in so many words, as every file of the family does.
static void add_command_r_keys(hf_keys *k)
{
    if (str_eq_z(hf_rope_type(k->m), "default")) hf_key_str(k, "rope.scaling.type", STR("none"));
}

static const hf_family families[] = {
    {.classes = "LlamaForCausalLM LLaMAForCausalLM MistralForCausalLM MixtralForCausalLM",
     .arch = "llama", .names = mixtral_names, .more_keys = add_llama_keys,
     .pairs_neighbours = true},
    {.classes = "SmolLM3ForCausalLM", .arch = "smollm3", .more_keys = add_llama_keys,
     .pairs_neighbours = true},
    {.classes = "GraniteForCausalLM", .arch = "granite", .keys = granite_keys,
     .more_keys = add_llama_keys, .pairs_neighbours = true},
    {.classes = "Qwen2ForCausalLM", .arch = "qwen2"},
    {.classes = "Qwen3ForCausalLM", .arch = "qwen3"},
    {.classes = "Qwen2MoeForCausalLM", .arch = "qwen2moe", .keys = moe_keys},
    {.classes = "Qwen3MoeForCausalLM", .arch = "qwen3moe", .keys = moe_keys},
    {.classes = "GemmaForCausalLM", .arch = "gemma", .norms_plus_one = true, .is_tied = true},
    {.classes = "Gemma2ForCausalLM", .arch = "gemma2", .names = gemma2_names, .keys = gemma2_keys,
     .more_keys = add_gemma_scale, .norms_plus_one = true, .is_tied = true},
    {.classes = "Gemma3ForCausalLM", .arch = "gemma3", .names = gemma2_names, .keys = gemma2_keys,
     .more_keys = add_gemma_scale, .norms_plus_one = true, .is_tied = true},
    {.classes = "Phi3ForCausalLM", .arch = "phi3", .more_keys = add_phi3_keys},
    {.classes = "Olmo2ForCausalLM", .arch = "olmo2", .names = olmo2_names},
    {.classes = "Starcoder2ForCausalLM", .arch = "starcoder2", .names = starcoder2_names,
     .keys = window_keys},
    {.classes = "CohereForCausalLM", .arch = "command-r", .keys = command_r_keys,
     .more_keys = add_command_r_keys},
};

const hf_family *hf_family_at(size_t i) { return i < COUNTOF(families) ? &families[i] : NULL; }

const hf_family *hf_family_find(str class_name)
{
    for (size_t i = 0; i < COUNTOF(families); i++) {
        str rest = str_from(families[i].classes);
        while (rest.n > 0)
            if (str_eq(str_cut(&rest, ' '), class_name)) return &families[i];
    }
    return NULL;
}
