"""Features of the families in gen_plain_goldens.py, for break_features.py."""
ATTN, FAMILY, MODEL = "src/nn/attn.c", "src/llm/families.c", "src/llm/model.c"
MOE, CONFIG, GPT_OSS = "src/nn/moe.c", "src/llm/config.c", "src/llm/arch_gpt_oss.c"

FEATURES = [  # name, file, line as it is, line without the feature
    ("yarn: frequencies that stay", MODEL, "if (!c->has_yarn) return 0;", "return 0;"),
    ("yarn: frequencies that are divided", MODEL, "fmin(fmax(left, 0), 1);", "fmin(fmax(left * left, 1), 1);"),
    ("yarn: fast end", CONFIG, "&fast, &c->yarn_fast));", "&fast, &c->yarn_fast)); c->yarn_fast = 32;"),
    ("yarn: slow end", CONFIG, "&slow, &c->yarn_slow));", "&slow, &c->yarn_slow)); c->yarn_slow = 1;"),
    ("yarn: whole pairs", MODEL, "if (!c->yarn_exact) {", "if (false) {"),
    ("yarn: original context", CONFIG, "&c->n_ctx_short));\n    HEARTH_TRY(read_number(r, \"rope.scaling.yarn_beta_fast\"",
     "&c->n_ctx_short)); c->n_ctx_short = trained;\n    HEARTH_TRY(read_number(r, \"rope.scaling.yarn_beta_fast\""),
    ("yarn: sharper attention", CONFIG, "sharpen(factor, 1) /", "1 /"),
    ("yarn: factor of attention in the file", CONFIG, "&usual, &c->rope_attn));", "&usual, &c->rope_attn)); c->rope_attn = usual;"),
    ("gpt-oss: ends of yarn that are no whole pairs", GPT_OSS, "c->yarn_exact = true;", ""),
    ("gpt-oss: sinks", ATTN, "if (a->sinks != WEIGHT_NONE)", "if (false)"),
    ("gpt-oss: window in every other layer", GPT_OSS, "c->local_period = 2;", "c->local_period = 0;"),
    ("gpt-oss: pairing", GPT_OSS, "c->rope_neox = true;", "c->rope_neox = false;"),
    ("gpt-oss: bias of q, k, v", GPT_OSS, "llm_bind_qkv_bias(b, out);",
     "llm_bind_qkv_bias(b, out); out->attn.q_bias = out->attn.k_bias = out->attn.v_bias = WEIGHT_NONE;"),
    ("gpt-oss: bias of the router", MOE, "if (m->has_bias) HEARTH_TRY(nn_add_bias(r, m->router_bias, r->route, err));", ""),
    ("gpt-oss: bias of gates", MOE, "HEARTH_TRY(add_slots_bias(r, e, m->gate_bias, r->gate, err));", ""),
    ("gpt-oss: bias of up", MOE, "return add_slots_bias(r, e, m->up_bias, r->up, err);", "return HEARTH_OK;"),
    ("gpt-oss: bias of down", MOE, "return m->has_bias ? add_slots_bias(r, e, m->down_bias, r->experts, err) : HEARTH_OK;",
     "return HEARTH_OK;"),
    ("gpt-oss: bias of the expert", MOE, "weights_acquire_expert(r->w, id, e, &bias, err)", "weights_acquire_expert(r->w, id, 0, &bias, err)"),
    ("gpt-oss: product of experts", MOE, "if (m->clamp > 0)", "if (false)"),
    ("gpt-oss: clamp", GPT_OSS, "out->moe.clamp = 7;", "out->moe.clamp = 70;"),
    ("gpt-oss: weights of experts sum to 1", GPT_OSS, "llm_bind_experts(b, true, out);", "llm_bind_experts(b, false, out);"),
]
