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
    {"mlp.experts.gate_up_proj", "ffn_gate_exps", true, HF_FIRST},
    {"mlp.experts.gate_up_proj", "ffn_up_exps", true, HF_SECOND},
    {"mlp.experts.down_proj", "ffn_down_exps", true, HF_AS_IS},
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
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps norm_eps", HF_KEY_F32},
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

// YaRN whose factor is in the scores, and scores that grow with the position.
static void add_mistral3_keys(hf_keys *k)
{
    add_llama_keys(k);
    if (hf_rope_find(k->m, "mscale_all_dim"))
        hf_key_f32(k, "rope.scaling.yarn_log_multiplier", hf_rope_f64(k->m, "mscale_all_dim", 0));
    if (hf_rope_find(k->m, "llama_4_scaling_beta"))
        hf_key_f32(k, "attention.temperature_scale",
                   hf_rope_f64(k->m, "llama_4_scaling_beta", 0));
}

static const hf_name granitemoe_names[] = {
    {"block_sparse_moe.router", "ffn_gate_inp", true, HF_AS_IS},
    {"block_sparse_moe.router.layer", "ffn_gate_inp", true, HF_AS_IS},
    {"block_sparse_moe.input_linear", "ffn_gate_exps", true, HF_FIRST},
    {"block_sparse_moe.input_linear", "ffn_up_exps", true, HF_SECOND},
    {"block_sparse_moe.output_linear", "ffn_down_exps", true, HF_AS_IS},
    {"block_sparse_moe.experts.gate_up_proj", "ffn_gate_exps", true, HF_FIRST},
    {"block_sparse_moe.experts.gate_up_proj", "ffn_up_exps", true, HF_SECOND},
    {"block_sparse_moe.experts.down_proj", "ffn_down_exps", true, HF_AS_IS},
    {"shared_mlp.input_linear", "ffn_gate_shexp", true, HF_FIRST},
    {"shared_mlp.input_linear", "ffn_up_shexp", true, HF_SECOND},
    {"shared_mlp.output_linear", "ffn_down_shexp", true, HF_AS_IS},
    {0},
};

static void add_granitemoe_keys(hf_keys *k)
{
    int64_t n_ff = hf_config_i64(k->m, "shared_intermediate_size", 0);
    add_llama_keys(k);
    if (n_ff > 0) hf_key_u32(k, "expert_shared_feed_forward_length", n_ff);
}

// --- mixtures -----------------------------------------------------------------------------------

static const hf_key moe_keys[] = {
    {"expert_feed_forward_length", "moe_intermediate_size", HF_KEY_U32},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size", HF_KEY_U32},
    {0},
};

// Gate and up alternate; packed codes have their scales in tensors of their own.
static const hf_name gpt_oss_names[] = {
    {"post_attention_layernorm", "post_attention_norm", true, HF_AS_IS},
    {"self_attn.sinks", "attn_sinks", true, HF_AS_IS},
    {"mlp.router", "ffn_gate_inp", true, HF_AS_IS},
    {"mlp.experts.gate_up_proj_blocks", "ffn_gate_exps", true, HF_MX_EVEN},
    {"mlp.experts.gate_up_proj_blocks", "ffn_up_exps", true, HF_MX_ODD},
    {"mlp.experts.gate_up_proj_scales", "", true, HF_SKIP},
    {"mlp.experts.down_proj_blocks", "ffn_down_exps", true, HF_MX},
    {"mlp.experts.down_proj_scales", "", true, HF_SKIP},
    {"mlp.experts.gate_up_proj", "ffn_gate_exps", true, HF_EVEN},
    {"mlp.experts.gate_up_proj", "ffn_up_exps", true, HF_ODD},
    {"mlp.experts.down_proj", "ffn_down_exps", true, HF_TURNED},
    {"mlp.experts.gate_up_proj_bias", "ffn_gate_exps", true, HF_EVEN},
    {"mlp.experts.gate_up_proj_bias", "ffn_up_exps", true, HF_ODD},
    {"mlp.experts.down_proj_bias", "ffn_down_exps", true, HF_AS_IS},
    {0},
};

static const hf_key gpt_oss_keys[] = {
    {"attention.sliding_window", "sliding_window", HF_KEY_U32},
    {"expert_feed_forward_length", "intermediate_size", HF_KEY_U32},
    {0},
};

static const hf_name deepseek2_names[] = {
    {"self_attn.q_proj", "attn_q", true, HF_AS_IS},
    {"self_attn.q_a_proj", "attn_q_a", true, HF_AS_IS},
    {"self_attn.q_a_layernorm", "attn_q_a_norm", true, HF_AS_IS},
    {"self_attn.q_b_proj", "attn_q_b", true, HF_AS_IS},
    {"self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa", true, HF_AS_IS},
    {"self_attn.kv_a_layernorm", "attn_kv_a_norm", true, HF_AS_IS},
    {"self_attn.kv_b_proj", "attn_k_b", true, HF_K_B},
    {"self_attn.kv_b_proj", "attn_v_b", true, HF_V_B},
    {"mlp.gate.e_score_correction_bias", "exp_probs_b", true, HF_AS_IS},
    {"mlp.shared_experts.gate_proj", "ffn_gate_shexp", true, HF_AS_IS},
    {"mlp.shared_experts.up_proj", "ffn_up_shexp", true, HF_AS_IS},
    {"mlp.shared_experts.down_proj", "ffn_down_shexp", true, HF_AS_IS},
    {0},
};

static const hf_key deepseek2_keys[] = {
    {"attention.q_lora_rank", "q_lora_rank", HF_KEY_U32},
    {"attention.kv_lora_rank", "kv_lora_rank", HF_KEY_U32},
    {"attention.value_length_mla", "v_head_dim", HF_KEY_U32},
    {"rope.dimension_count", "qk_rope_head_dim", HF_KEY_U32},
    {"vocab_size", "vocab_size", HF_KEY_U32},
    {"expert_feed_forward_length", "moe_intermediate_size intermediate_size", HF_KEY_U32},
    {"expert_group_count", "n_group", HF_KEY_U32},
    {"expert_group_used_count", "topk_group", HF_KEY_U32},
    {"expert_weights_scale", "routed_scaling_factor", HF_KEY_F32},
    {0},
};

// Attention over latent vectors counts as one head of keys, as wide as the latent vector.
static void add_deepseek2_keys(hf_keys *k)
{
    const hf_model *m = k->m;
    int64_t latent = hf_config_i64(m, "kv_lora_rank", 512);
    int64_t turned = hf_config_i64(m, "qk_rope_head_dim", 0), n_layer = 0;
    bool has_experts = hf_config_find(m, "n_routed_experts") != NULL;
    if (!has_experts) n_layer = hf_config_i64(m, "num_hidden_layers", 0);
    hf_key_u32(k, "attention.head_count_kv", 1);
    hf_key_u32(k, "attention.key_length", latent + turned);
    hf_key_u32(k, "attention.value_length", latent);
    hf_key_u32(k, "attention.key_length_mla", hf_config_i64(m, "qk_nope_head_dim", 0) + turned);
    hf_key_u32(k, "leading_dense_block_count",
               hf_config_i64(m, "first_k_dense_replace", n_layer));
    hf_key_u32(k, "expert_shared_count", hf_config_i64(m, "n_shared_experts", 0));
    const conf_value *sums_to_one = hf_config_find(m, "norm_topk_prob");
    if (sums_to_one && sums_to_one->kind == JSON_TRUE) hf_key_bool(k, "expert_weights_norm", true);
    str judge = hf_config_str(m, "scoring_func"), version = hf_config_str(m, "architectures.0");
    bool is_v3 = str_eq_z(version, "DeepseekV3ForCausalLM"); // transformers saves no judge for it
    bool is_sigmoid = judge.n > 0 ? str_eq_z(judge, "sigmoid") : is_v3;
    hf_key_u32(k, "expert_gating_func", is_sigmoid ? 2 : 1);
    if (hf_rope_find(m, "mscale_all_dim"))
        hf_key_f32(k, "rope.scaling.yarn_log_multiplier",
                   0.1 * hf_rope_f64(m, "mscale_all_dim", 0));
}

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

static void add_cohere2_keys(hf_keys *k)
{
    double d = (double)hf_head_size(k->m);
    hf_key_u32(k, "rope.dimension_count",
               (int64_t)(d * hf_config_f64(k->m, "rotary_pct", 1)));
    hf_key_u32(k, "vocab_size", hf_config_i64(k->m, "vocab_size", 0));
    hf_key_str(k, "rope.scaling.type", STR("none"));
}

static const hf_key cohere2_keys[] = {
    {"logit_scale", "logit_scale", HF_KEY_F32},
    {"attention.sliding_window", "sliding_window", HF_KEY_U32},
    {0},
};

static void add_olmo3_keys(hf_keys *k)
{
    hf_key_layers(k, "attention.sliding_window_pattern", "sliding_attention");
}

static const hf_name phi2_names[] = {
    {"final_layernorm", "output_norm", false, HF_AS_IS},
    {"self_attn.dense", "attn_output", true, HF_AS_IS},
    {"mlp.fc1", "ffn_up", true, HF_AS_IS},
    {"mlp.fc2", "ffn_down", true, HF_AS_IS},
    {0},
};

static void add_phi2_keys(hf_keys *k)
{
    int64_t n_head = i64_max(hf_config_i64(k->m, "num_attention_heads", 1), 1);
    double n_embd = (double)hf_config_i64(k->m, "hidden_size", 0);
    double turned = hf_rope_f64(k->m, "partial_rotary_factor", 0.5) * n_embd;
    hf_key_u32(k, "rope.dimension_count", (int64_t)turned / n_head);
}

static const hf_name lfm2_names[] = {
    {"embedding_norm", "token_embd_norm", false, HF_AS_IS},
    {"operator_norm", "attn_norm", true, HF_AS_IS},
    {"ffn_norm", "ffn_norm", true, HF_AS_IS},
    {"self_attn.out_proj", "attn_output", true, HF_AS_IS},
    {"self_attn.q_layernorm", "attn_q_norm", true, HF_AS_IS},
    {"self_attn.k_layernorm", "attn_k_norm", true, HF_AS_IS},
    {"conv.in_proj", "shortconv.in_proj", true, HF_AS_IS},
    {"conv.conv", "shortconv.conv", true, HF_SQUEEZED},
    {"conv.out_proj", "shortconv.out_proj", true, HF_AS_IS},
    {"feed_forward.w1", "ffn_gate", true, HF_AS_IS},
    {"feed_forward.w2", "ffn_down", true, HF_AS_IS},
    {"feed_forward.w3", "ffn_up", true, HF_AS_IS},
    {0},
};

static const hf_key lfm2_keys[] = {
    {"vocab_size", "vocab_size", HF_KEY_U32},
    {"shortconv.l_cache", "conv_L_cache", HF_KEY_U32},
    {0},
};

// The width of a feed-forward may be given as it was before two thirds of it were taken and
// rounded up.
static void add_lfm2_keys(hf_keys *k)
{
    const hf_model *m = k->m;
    int64_t n = hf_config_i64(m, "block_ff_dim", hf_config_i64(m, "intermediate_size", 0));
    int64_t unit = i64_max(hf_config_i64(m, "block_multiple_of", 256), 1);
    const conf_value *adjusts = hf_config_find(m, "block_auto_adjust_ff_dim");
    if (adjusts && adjusts->kind == JSON_TRUE && n >= 0 && n < INT32_MAX) {
        double scale = hf_config_f64(m, "block_ffn_dim_multiplier", 1);
        double wide = scale * (double)(2 * n / 3);
        n = wide > 0 && wide < INT32_MAX ? (int64_t)wide : 0;
        n = (n + unit - 1) / unit * unit;
    }
    hf_key_u32(k, "feed_forward_length", n);
    hf_key_layer_counts(k, "attention.head_count_kv", "full_attention",
                        hf_config_i64(m, "num_key_value_heads", 0));
}

static const hf_family families[] = {
    {.classes = "LlamaForCausalLM LLaMAForCausalLM MistralForCausalLM MixtralForCausalLM",
     .arch = "llama", .names = mixtral_names, .more_keys = add_llama_keys,
     .pairs_neighbours = true},
    {.classes = "SmolLM3ForCausalLM", .arch = "smollm3", .more_keys = add_llama_keys,
     .pairs_neighbours = true},
    {.classes = "GraniteForCausalLM", .arch = "granite", .keys = granite_keys,
     .more_keys = add_llama_keys, .pairs_neighbours = true},
    {.classes = "GraniteMoeForCausalLM GraniteMoeSharedForCausalLM", .arch = "granitemoe",
     .names = granitemoe_names, .keys = granite_keys, .more_keys = add_granitemoe_keys,
     .pairs_neighbours = true},
    {.classes = "Mistral3ForConditionalGeneration Ministral3ForCausalLM", .arch = "mistral3",
     .more_keys = add_mistral3_keys, .pairs_neighbours = true},
    {.classes = "GptOssForCausalLM", .arch = "gpt-oss", .names = gpt_oss_names,
     .keys = gpt_oss_keys},
    {.classes = "DeepseekV2ForCausalLM DeepseekV3ForCausalLM", .arch = "deepseek2",
     .names = deepseek2_names, .keys = deepseek2_keys, .more_keys = add_deepseek2_keys,
     .own_keys = "attention.head_count_kv attention.key_length"},
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
    {.classes = "Cohere2ForCausalLM", .arch = "cohere2", .keys = cohere2_keys,
     .more_keys = add_cohere2_keys},
    {.classes = "Olmo3ForCausalLM", .arch = "olmo2", .names = olmo2_names, .keys = window_keys,
     .more_keys = add_olmo3_keys},
    {.classes = "PhiForCausalLM", .arch = "phi2", .names = phi2_names,
     .more_keys = add_phi2_keys},
    {.classes = "Lfm2ForCausalLM", .arch = "lfm2", .names = lfm2_names, .keys = lfm2_keys,
     .more_keys = add_lfm2_keys, .own_keys = "feed_forward_length attention.head_count_kv"},
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
