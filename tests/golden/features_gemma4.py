"""Features of gemma4, for break_features.py.

That the weights of experts sum to 1 is not among them: the norm behind the mixture takes any factor out.
"""
GEMMA4, INPUTS, ATTN, MOE = "src/llm/arch_gemma4.c", "src/nn/per_layer.c", "src/nn/attn.c", "src/nn/moe.c"

FEATURES = [
    ("gemma4: pairing", GEMMA4, "c->rope_neox = true;", "c->rope_neox = false;"),
    ("gemma4: scale of embeddings", GEMMA4, "c->embd_scale = sqrtf((float)c->n_embd);", ""),
    ("gemma4: scores without a scale", GEMMA4, "c->attn_scale = 1;", ""),
    ("gemma4: base of local layers", GEMMA4, "&c->rope_base_local, err));", "&c->rope_base_local, err)); c->rope_base_local = 20000;"),
    ("gemma4: cap of logits", GEMMA4, "&no_cap, &c->logit_cap,", "&no_cap, &(float){0},"),
    ("gemma4: norm of values", GEMMA4, "a->v_norm = llm_bind_constant(b, a->d_k, 1);", ""),
    ("gemma4: values that are keys before their norm", ATTN, "if (n == 2) ops->copy(", "if (n == 2 && !r) ops->copy("),
    ("gemma4: shared keys of a layer of the same kind", "src/llm/layer_lists.c",
     "while (i >= 0 && llm_is_local(c, i) != llm_is_local(c, layer)) i--;",
     "while (i >= 0 && (llm_is_local(c, i) != llm_is_local(c, layer) || i == llm_first_shared(c) - 1)) i--;"),
    ("gemma4: norm of attention's output", GEMMA4, "HEARTH_TRY(nn_apply_norm(r, &l->attn_post, r->h, r->n_rows, r->h, err));", ""),
    ("gemma4: norm of the feed-forward's output", GEMMA4, "HEARTH_TRY(nn_apply_norm(r, &l->ffn_post, r->h, r->n_rows, r->h, err));", ""),
    ("gemma4: gelu", GEMMA4, ".n_ff = n_ff, .is_gelu = true,", ".n_ff = n_ff, .is_gelu = false,"),
    ("gemma4: number of a layer", GEMMA4, "ops->scale(r->d, r->x, l->out_scale, r->n_rows, n, r->x);", "(void)ops;"),
    ("gemma4: inputs per layer", GEMMA4, "if (l->input.n > 0) HEARTH_TRY(nn_add_input(r, &l->input, err));", ""),
    ("gemma4: mixture", GEMMA4, "ops->add(r->d, r->h, kept, r->n_rows * n, r->h);", "ops->copy(r->d, r->h, kept, (size_t)(r->n_rows * n) * sizeof(float));"),
    ("gemma4: feed-forward beside the mixture", GEMMA4, "ops->add(r->d, r->h, kept, r->n_rows * n, r->h);", "(void)ops; (void)n;"),
    ("gemma4: norm before the mixture", GEMMA4, "nn_apply_norm(r, &l->moe_pre, r->x,", "nn_apply_norm(r, &l->ffn_norm, r->x,"),
    ("gemma4: norm behind the mixture", GEMMA4, "HEARTH_TRY(nn_apply_norm(r, &l->moe_post, r->h, r->n_rows, r->h, err));", ""),
    ("gemma4: norm beside the mixture", GEMMA4, "nn_apply_norm(r, &l->ffn_post_1, r->h,", "nn_apply_norm(r, &l->ffn_post, r->h,"),
    ("gemma4: gelu of experts", GEMMA4, "m->is_gelu = true;", ""),
    ("gemma4: parts of fused experts", GEMMA4, "llm_bind_slice_rows(b, fused, n_embd, 2 * n_ff, n_ff, n_ff, n);", "llm_bind_slice_rows(b, fused, n_embd, 2 * n_ff, 0, n_ff, n);"),
    ("gemma4: scales of experts", "src/nn/route.c", "if (m->expert_scales != WEIGHT_NONE) out[i] *= c->each[chosen[i]];", "(void)c;"),
    ("gemma4: input of the router", MOE, "*out = r->experts;\n", "return HEARTH_OK;\n    *out = r->experts;\n"),
    ("gemma4: scale of the router's input", MOE, "r->d->ops->scale(r->d, *out, m->router_scale, r->n_rows, m->n_embd, *out);", ""),
    ("inputs per layer: scale of the table", INPUTS, "ops->scale(r->d, r->own, sqrtf((float)p->n), r->n_rows, n_all, r->own);", ""),
    ("inputs per layer: norm", INPUTS, "HEARTH_TRY(nn_apply_norm(r, &p->norm, projected, r->n_rows * p->n_layer, projected, err));", ""),
    ("inputs per layer: what the embedding gives", INPUTS, "ops->add(r->d, r->own, projected, r->n_rows * n_all, r->own);", ""),
    ("inputs per layer: scale of the sum", INPUTS, "ops->scale(r->d, r->own, sqrtf(0.5f), r->n_rows, n_all, r->own);", ""),
    ("inputs per layer: the layer's own part", INPUTS, "(size_t)(p->layer * p->n)", "(size_t)(0 * p->layer * p->n)"),
    ("inputs per layer: gate", INPUTS, "ops->gelu_mul(r->d, gate, part, r->n_rows, p->n, gate);", "gate = part;"),
    ("inputs per layer: norm of the result", INPUTS, "return nn_apply_norm(r, &p->post, r->h, r->n_rows, r->h, err);", "return HEARTH_OK;"),
    ("size of the rotation in local layers", "src/llm/model.c", "return c->n_rot_local ? c->n_rot_local : c->n_rot;", "return c->n_rot;"),
]
