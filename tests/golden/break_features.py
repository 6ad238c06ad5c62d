#!/usr/bin/env python3
"""Switches off one feature of the models at a time and expects the goldens to notice.

usage: tests/golden/break_features.py [WORD]   (only features whose name contains WORD)

The tree is copied to build/broken, one line is changed there, the golden program is built and must
fail; then the line is put back. A feature whose golden still passes, or whose line is no longer in
the code, is an error: the goldens or this list have a hole. Lists of more families are in
features_*.py beside this file: FEATURES = [(name, file, line as it is, line without), ...], and
PROGRAM where another program than test_golden_llm is to notice.
"""
import pathlib
import runpy
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "broken"
ATTN, FFN, FAMILY, MODEL = "src/nn/attn.c", "src/nn/ffn.c", "src/llm/families.c", "src/llm/model.c"
MOE, ROUTE, GEMMA = "src/nn/moe.c", "src/nn/route.c", "src/llm/arch_gemma.c"
STEP, CONFIG, CPU = "src/llm/step.c", "src/llm/config.c", "src/dev/cpu_attention.c"

FEATURES = [  # name, file, line as it is, line without the feature
    ("bias of q", ATTN, "HEARTH_TRY(nn_add_bias(r, a->q_bias, r->q, err));", ""),
    ("bias of k", ATTN, "HEARTH_TRY(nn_add_bias(r, a->k_bias, r->k, err));", ""),
    ("bias of v", ATTN, "HEARTH_TRY(nn_add_bias(r, a->v_bias, r->v, err));", ""),
    ("norm of q", ATTN, "HEARTH_TRY(norm_heads(r, a, a->q_norm, a->n_head, r->q, err));", ""),
    ("norm of k", ATTN, "HEARTH_TRY(norm_heads(r, a, a->k_norm, a->n_head_kv, r->k, err));", ""),
    ("rotation of q", ATTN, "ops->rope(r->d, a->rope, angles, r->q, r->n_rows, a->n_head, a->d_k);", ""),
    ("rotation of k", ATTN, "ops->rope(r->d, a->rope, angles, r->k, r->n_rows, a->n_head_kv, a->d_k);", ";"),
    ("pairing of llama", "src/llm/arch_llama.c", "c->rope_neox = false;", "c->rope_neox = true;"),
    ("pairing of qwen2", "src/llm/arch_qwen2.c", "c->rope_neox = true;", "c->rope_neox = false;"),
    ("pairing of qwen3", "src/llm/arch_qwen3.c", "c->rope_neox = true;", "c->rope_neox = false;"),
    ("rope factors", MODEL, "/ (double)freq[i]);", ");"),
    ("linear rope scaling", MODEL, "f / linear *", "f / (1 + 0 * linear) *"),
    ("rope base", CONFIG, "1e-3, 1e12, &base, &c->rope_base)", "1e-3, 1e12, &base, &(float){0})"),
    ("size of a head", CONFIG, "LIMIT_HEAD_SIZE, d_head, &c->d_k));",
     "LIMIT_HEAD_SIZE, d_head, &c->d_k)); c->d_k = d_head;"),
    ("epsilon of norms", CONFIG, "0, 1, NULL, &c.norm_eps));", "0, 1, NULL, &c.norm_eps)); c.norm_eps = 0;"),
    ("attention scale", FAMILY, "float plain_scale = (float)(1.0 / sqrt((double)c->d_k));",
     "float plain_scale = 1;"),
    ("grouped heads", CPU, "int64_t head = kv_head * j->group,", "int64_t head = kv_head,"),
    ("causality", CPU, "i64_min(c->page_len - slot, r->last - pos + 1)", "c->page_len - slot"),
    ("keys before the last page", CPU, "for (int64_t pos = r->first;",
     "for (int64_t pos = r->last / c->page_len * c->page_len;"),
    ("norm before attention", FAMILY, "HEARTH_TRY(norm_stream(r, &l->attn_norm, err));",
     "HEARTH_TRY(norm_stream(r, &(nn_norm){.weight = WEIGHT_NONE, .n = l->attn_norm.n}, err));"),
    ("norm before the feed-forward", FAMILY, "HEARTH_TRY(norm_stream(r, &l->ffn_norm, err));",
     "HEARTH_TRY(norm_stream(r, &(nn_norm){.weight = WEIGHT_NONE, .n = l->ffn_norm.n}, err));"),
    ("norm after attention", FAMILY, "HEARTH_TRY(norm_output(r, &l->attn_post, err));", ""),
    ("norm after the feed-forward", FAMILY, "HEARTH_TRY(norm_output(r, &l->ffn_post, err));", ""),
    ("residual around attention", FAMILY,
     "HEARTH_TRY(norm_output(r, &l->attn_post, err));\n    add_output(r, l);",
     "HEARTH_TRY(norm_output(r, &l->attn_post, err));\n"
     "    r->d->ops->copy(r->d, r->x, r->h, (size_t)(r->n_rows * l->attn_norm.n) * sizeof(float));"),
    ("residual around the feed-forward", FAMILY,
     "HEARTH_TRY(norm_output(r, &l->ffn_post, err));\n    add_output(r, l);",
     "HEARTH_TRY(norm_output(r, &l->ffn_post, err));\n"
     "    r->d->ops->copy(r->d, r->x, r->h, (size_t)(r->n_rows * l->attn_norm.n) * sizeof(float));"),
    ("gate of the feed-forward", FFN,
     "r->d->ops->silu_mul(r->d, r->gate, r->up, r->n_rows, f->n_ff, r->gate);", "(void)r;"),
    ("pairing of qwen2moe", "src/llm/arch_qwen2moe.c", "c->rope_neox = true;", "c->rope_neox = false;"),
    ("pairing of qwen3moe", "src/llm/arch_qwen3moe.c", "c->rope_neox = true;", "c->rope_neox = false;"),
    ("choice of experts", ROUTE, "score[e] > score[best]", "score[e] < score[best]"),
    ("weights of experts", ROUTE, "(float)(p / all * (double)m->scale);", "0.25f * (float)p / (float)p;"),
    ("weights of experts sum to 1", ROUTE, "if (m->normalize) {", "if (false) {"),
    ("weights of experts need not sum to 1", ROUTE, "if (m->normalize) {", "if (true) {"),
    ("slice of the expert", "src/nn/weights.c", "(size_t)(expert * w->entry[id].n_step)", "(size_t)(0 * expert * w->entry[id].n_step)"),
    ("shared expert", MOE, "HEARTH_TRY(run_shared(r, m, err));",
     "HEARTH_TRY(run_shared(r, m, err));\n    if (m->shared.gate != WEIGHT_NONE)\n"
     "    r->d->ops->scale(r->d, r->experts, 0, r->n_rows, m->n_embd,\n"
     "    dev_at(r->experts, (size_t)(r->n_rows * m->n_used * m->n_embd) * sizeof(float)));"),
    ("gate of the shared expert", MOE, "(float)(1 / (1 + exp(-(double)gate[i])));", "1 + 0 * gate[i];"),
    ("gelu instead of silu", FFN, "if (f->is_gelu)", "if (false)"),
    ("pairing of gemma", GEMMA, "c->rope_neox = true;", "c->rope_neox = false;"),
    ("scale of embeddings", GEMMA, "c->embd_scale = sqrtf((float)c->n_embd);", ""),
    ("scale of scores of its own", FAMILY, "c->attn_scale > 0 ? c->attn_scale : plain_scale", "plain_scale"),
    ("cap of scores", FAMILY, ".cap = c->attn_cap,", ""),
    ("cap of logits", STEP, "if (m->c.logit_cap > 0)", "if (false)"),
    ("window", "src/llm/cache.c", "g->s.window ? i64_max(", "false ? i64_max("),
    ("length of the window", "src/llm/cache.c", "i64_max(pos - g->s.window + 1, 0)", "i64_max(pos - g->s.window, 0)"),
    ("local layers of gemma2", GEMMA, "c->local_period = 2;", "c->local_period = 3;"),
    ("local layers of gemma3", GEMMA, "c->local_period = 6;", "c->local_period = 5;"),
    ("base of local layers", MODEL, "divide_frequencies(c, (double)c->rope_base_local, 1,", "divide_frequencies(c, base, 1,"),
    ("angles of local layers", ATTN, "a->is_local ? r->local_angles : r->angles;", "r->angles;"),
    ("norms of q and k of gemma3", GEMMA, 'out->attn.q_norm = llm_bind(b, "attn_q_norm.weight", b->c->d_k, 1);',
     'llm_bind(b, "attn_q_norm.weight", b->c->d_k, 1);'),
    ("pairing of granite", "src/llm/arch_granite.c", "c->rope_neox = false;", "c->rope_neox = true;"),
    ("scale of embeddings in granite", "src/llm/arch_granite.c", "&c->embd_scale,", "&(float){0},"),
    ("scale of scores in granite", "src/llm/arch_granite.c", "&c->attn_scale,", "&(float){0},"),
    ("scale of residuals", FAMILY, "if (l->residual_scale < 1 || l->residual_scale > 1)", "if (false)"),
    ("scale of logits", STEP, "if (m->c.logit_scale < 1 || m->c.logit_scale > 1)", "if (false)"),
    ("pairing of olmo2", "src/llm/arch_olmo2.c", "c->rope_neox = true;", "c->rope_neox = false;"),
    ("norms over all heads", "src/llm/arch_olmo2.c", 'out->attn.k_norm = llm_bind(', 'llm_bind('),
    ("pairing of phi3", "src/llm/arch_phi3.c", "c->rope_neox = true;", "c->rope_neox = false;"),
    ("parts of a fused matrix", "src/nn/weights.c", "t->data + skip,", "t->data + 0 * skip,"),
    ("short factors", MODEL, '"rope_factors_short.weight" :', '"rope_factors_long.weight" :'),
    ("long factors", MODEL, '"rope_factors_long.weight", m->long_freq', '"rope_factors_short.weight", m->long_freq'),
    ("long factors in long contexts", STEP, "ctx_is_long(c) ?", "false ?"),
    ("scale of the rotation", MODEL, "freq, n_rot, c->rope_attn,", "freq, n_rot, 1,"),
    ("every layer local", FAMILY, "(!period ||", "(period &&"),
    ("mean of a LayerNorm", "src/nn/linear.c", "if (norm->is_layer)", "if (norm->is_layer && !r)"),
    ("bias of a LayerNorm", "src/nn/linear.c", "norm->bias != WEIGHT_NONE;", "false;"),
    ("bias of the output norm", MODEL, "false, &m->out_norm.bias,", "false, &(weight_id){0},"),
    ("bias of o", ATTN, "return nn_add_bias(r, a->o_bias, r->h, err);", "return HEARTH_OK;"),
    ("bias of up", FFN, "HEARTH_TRY(nn_add_bias(r, f->up_bias, r->up, err));", ""),
    ("bias of down", FFN, "return nn_add_bias(r, f->down_bias, y, err);", "return HEARTH_OK;"),
    ("gelu without a gate", FFN, "r->d->ops->gelu(r->d, r->up, r->n_rows, f->n_ff, r->up);", ""),
    ("pairing of starcoder2", "src/llm/arch_starcoder2.c", "c->rope_neox = true;", "c->rope_neox = false;"),
    ("pairing of command-r", "src/llm/arch_command_r.c", "c->rope_neox = false;", "c->rope_neox = true;"),
    ("blocks side by side", FAMILY,
     "HEARTH_TRY(nn_feed_forward_to(r, &l->ffn, r->beside, err));\n    HEARTH_TRY(nn_attention(r, &l->attn, mem, err));",
     "HEARTH_TRY(nn_attention(r, &l->attn, mem, err));\n    HEARTH_TRY(nn_feed_forward_to(r, &l->ffn, r->beside, err));"),
    ("output norm", STEP,
     "HEARTH_TRY(nn_apply_norm(&c->run, &m->out_norm, picked, n, picked, err));", ""),
    ("output matrix of its own", MODEL, "if (c->is_tied || c->is_encoder) return HEARTH_OK;",
     "return HEARTH_OK;"),
]

GOLDENS = "test_golden_llm"
FEATURES = [row + (GOLDENS,) for row in FEATURES]
for more in sorted(pathlib.Path(__file__).parent.glob("features_*.py")):
    listed = runpy.run_path(str(more))
    FEATURES += [row + (listed.get("PROGRAM", GOLDENS),) for row in listed["FEATURES"]]


def run(*command):
    return subprocess.run(command, cwd=WORK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def copy_tree():
    for name in ("src", "include", "cmake", "tests"):
        shutil.rmtree(WORK / name, ignore_errors=True)  # what was renamed since
        shutil.copytree(ROOT / name, WORK / name, dirs_exist_ok=True)
    for name in ("CMakeLists.txt", "CMakePresets.json"):
        shutil.copy(ROOT / name, WORK / name)
    # Unused variables and functions are what a removed line leaves behind.
    lists = WORK / "CMakeLists.txt"
    lists.write_text(lists.read_text().replace("-Werror", ""))
    run("cmake", "--preset", "release")


def judge(program):
    """"passes", "fails", or "does not build"."""
    if run("cmake", "--build", "build/release", "--target", program).returncode:
        return "does not build"
    return "fails" if run(f"build/release/tests/{program}").returncode else "passes"


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    WORK.mkdir(parents=True, exist_ok=True)
    copy_tree()
    chosen = [row for row in FEATURES if word in row[0]]
    for program in sorted({row[4] for row in chosen}):
        if judge(program) != "passes":
            raise SystemExit(f"{program} {judge(program)} before anything is broken")
    holes = 0
    for name, file, line, without, program in chosen:
        path = WORK / file
        text = path.read_text()
        if text.count(line) != 1:
            print(f"{name}: the line is in {file} {text.count(line)} times")
            holes += 1
            continue
        path.write_text(text.replace(line, without))
        verdict = judge(program)
        path.write_text(text)
        words = {"fails": "noticed", "passes": "NOT NOTICED", "does not build": "DOES NOT BUILD"}
        print(f"{name}: {words[verdict]}", flush=True)
        holes += verdict != "fails"
    print(f"{len(chosen)} features, {holes} not noticed")
    raise SystemExit(1 if holes else 0)


main()
