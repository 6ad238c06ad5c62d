"""Features of the families with a recurrent state; see break_features.py."""
LFM2, CONV, FAMILY, RECUR = "src/llm/arch_lfm2.c", "src/nn/short_conv.c", "src/llm/families.c", "src/dev/cpu_recur.c"

FEATURES = [
    ("pairing of lfm2", LFM2, "c->rope_neox = true;", "c->rope_neox = false;"),
    ("norm of q in lfm2", LFM2, "out->attn.q_norm = llm_bind", "llm_bind"),
    ("norm of k in lfm2", LFM2, "out->attn.k_norm = llm_bind", "llm_bind"),
    ("gate before the convolution", CONV, "ops->mul(r->d, b, x, n, x);", ""),
    ("gate after the convolution", CONV, "ops->mul(r->d, gate, x, n, x);", ""),
    ("convolution", CONV, "ops->short_conv(r->d, x, taps, &mem->state, mem->state_rows, r->n_rows, c->n, x);", ""),
    ("order of the inputs of a convolution", CONV, "const dev_view to[] = {b, gate, x};",
     "const dev_view to[] = {gate, b, x};"),
    ("order of the taps", "src/kern/ref/recur_ref.c", "sum += w[j] * (from ?", "sum += w[k - 2 - j] * (from ?"),
    ("state between rows", RECUR, "if (j->rows[r].from < 0) return NULL;", "return NULL;"),
    ("convolution instead of attention", FAMILY, "if (l->conv.n > 0)", "if (false)"),
    ("output norm of lfm2", LFM2, "c->is_out_norm_misnamed = true;", "c->is_out_norm_misnamed = false;"),
]
