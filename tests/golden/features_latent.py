"""Features of deepseek2, for break_features.py."""
LATENT, ROUTE, DEEPSEEK = "src/nn/latent.c", "src/nn/route.c", "src/llm/arch_deepseek2.c"

FEATURES = [
    ("pairing of deepseek2", DEEPSEEK, "c->rope_neox = false;", "c->rope_neox = true;"),
    ("norm of the latent vector", LATENT, "HEARTH_TRY(nn_apply_norm(r, &a->kv_norm, p->in, r->n_rows, p->in, err));", ""),
    ("norm of squeezed queries", LATENT,
     "HEARTH_TRY(nn_apply_norm(r, &a->q_norm, p->squeezed, r->n_rows, p->squeezed, err));", ""),
    ("rotation of the shared key", LATENT,
     "ops->rope(r->d, a->rope, r->angles, floats_on(r->k, n_c), r->n_rows, 1, n_key);", ""),
    ("rotation of latent queries", LATENT,
     "ops->rope(r->d, a->rope, r->angles, turned, r->n_rows, a->n_head, d_cached);", ""),
    ("matrices of each head", LATENT, "weights_acquire_expert(r->w, id, h, &slice, err)",
     "weights_acquire_expert(r->w, id, 0, &slice, err)"),
    ("heads of a fused matrix", "src/nn/weights.c", "slice.data.at += (size_t)(s * e->n_step) * e->w.row_bytes;", ""),
    ("widths of heads outside the cache", DEEPSEEK, "sqrt((double)c->latent.d_key)", "sqrt((double)c->d_k)"),
    ("factor of YaRN on scores", DEEPSEEK, "magnitude += (double)multiplier * log(fmax((double)c->rope_linear, 1));", ""),
    ("factor of YaRN not on the rotation", DEEPSEEK, "1e-6, 1e6, &one,\n                                   &c->rope_attn, err));",
     "1e-6, 1e6, &one,\n                                   &(float){0}, err));"),
    ("leading dense layers", DEEPSEEK, "if (b->layer < b->c->n_dense_lead)", "if (b->layer + 1 < b->c->n_dense_lead)"),
    ("experts by sigmoid", DEEPSEEK, "c->has_expert_sigmoid = gating == GATING_SIGMOID;", ""),
    ("bias of the choice", ROUTE, "m->bias == WEIGHT_NONE ? 0 : (double)c->bias[e]", "0"),
    ("bias not in the weights", ROUTE, "double p = probability(m, (double)logits[chosen[i]], top, sum);",
     "double p = probability(m, (double)logits[chosen[i]], top, sum) + 0.05;"),
    ("groups of experts", ROUTE, "if (m->n_group > 1) close_groups(m, c);", ""),
    ("two experts speak for a group", ROUTE, "m->is_sigmoid ? best + second : best", "best"),
    ("one expert speaks for a group", ROUTE, "m->is_sigmoid ? best + second : best", "best + second"),
    ("scale of experts' weights", ROUTE, "(float)(p / all * (double)m->scale)", "(float)(p / all)"),
]
