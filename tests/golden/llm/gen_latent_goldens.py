#!/usr/bin/env python3
"""Goldens of families with latent attention: logits by Hugging Face transformers.

Writes beside itself latent_cases.json and NAME.npy, by the rules and with the helpers of
gen_arch_goldens.py: every tensor random, attention far from uniform, inputs longer than the original
context where the rotation is stretched, no expert and no group chosen by a hair.

usage: gen_latent_goldens.py [WORD]   (writes NAME.npy only for cases whose name contains WORD)
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
import transformers as hf

import gen_arch_goldens as arch
from gen_arch_goldens import CONTEXT, Case, ends, feed_forward, norm

HERE = pathlib.Path(__file__).parent
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "beta_fast": 4.0, "beta_slow": 1.0,
        "original_max_position_embeddings": 32}


def yarn_inverse(n_rot):
    """The paper's formula a second time, in float64."""
    base, f, n_ctx = YARN["rope_theta"], YARN["factor"], YARN["original_max_position_embeddings"]
    pair = lambda turns: n_rot * math.log(n_ctx / (turns * 2 * math.pi)) / (2 * math.log(base))
    low = max(math.floor(pair(YARN["beta_fast"])), 0)
    high = min(math.ceil(pair(YARN["beta_slow"])), n_rot - 1)
    i = torch.arange(n_rot // 2, dtype=torch.float64)
    ramp = ((i - low) / max(high - low, 0.001)).clamp(0, 1)
    inv = base ** (-2 * i / n_rot)
    return inv / f * ramp + inv * (1 - ramp)


def check_choice(c, scores, n_used, n_group, n_group_used, is_sigmoid):
    """`scores` decide (probability + bias); margins of groups and of experts."""
    if n_group:
        g = scores.view(-1, n_group, scores.shape[-1] // n_group)
        group = g.topk(2, -1).values.sum(-1) if is_sigmoid else g.max(-1).values
        order = group.sort(-1, descending=True)
        if n_group_used < n_group:
            margin = float((order.values[:, n_group_used - 1] - order.values[:, n_group_used]).min())
            if margin < 3e-5:
                raise SystemExit(f"{c.name}: a group is chosen by a margin of {margin:.1e}: change the shape")
        mask = torch.zeros_like(group).scatter_(1, order.indices[:, :n_group_used], 1)
        scores = g.masked_fill(mask[:, :, None] == 0, -9.0).reshape(scores.shape)
    top = scores.sort(-1, descending=True).values
    margin = float((top[:, n_used - 1] - top[:, n_used]).min())
    if margin < 3e-5:
        raise SystemExit(f"{c.name}: an expert is chosen by a margin of {margin:.1e}: change the shape")


def deepseek(name, n_tokens, n_q=0, n_latent=24, plain=16, n_rot=8, d_v=12, n_head=4, n_layer=3, n_dense=1, n_embd=64,
             n_ff=112, vocab=96, n_expert=8, n_used=3, n_ff_expert=40, n_shared=2, groups=None, version=2, scale=1.0,
             normalize=False, yarn=False, mscale=0.0, split=False, type="F32", tied=False):
    kv = {"embedding_length": n_embd, "block_count": n_layer, "feed_forward_length": n_ff, "vocab_size": vocab,
          "attention.head_count": n_head, "attention.head_count_kv": 1 if split else n_head,
          "attention.kv_lora_rank": n_latent, "rope.dimension_count": n_rot, "leading_dense_block_count": n_dense,
          "attention.layer_norm_rms_epsilon": 1e-6}
    if split:
        kv |= {"attention.key_length": n_latent + n_rot, "attention.value_length": n_latent,
               "attention.key_length_mla": plain + n_rot, "attention.value_length_mla": d_v}
    else:
        kv |= {"attention.key_length": plain + n_rot, "attention.value_length": d_v}
    if n_q:
        kv["attention.q_lora_rank"] = n_q
    if n_expert:
        kv |= {"expert_count": n_expert, "expert_used_count": n_used, "expert_feed_forward_length": n_ff_expert,
               "expert_shared_count": n_shared, "expert_weights_scale": scale, "expert_gating_func": version - 1,
               "expert_weights_norm": normalize}
    if groups:
        kv |= {"expert_group_count": groups[0], "expert_group_used_count": groups[1]}
    if yarn:
        kv |= {"rope.scaling.type": "yarn", "rope.scaling.factor": YARN["factor"],
               "rope.scaling.original_context_length": YARN["original_max_position_embeddings"],
               "rope.scaling.yarn_beta_fast": YARN["beta_fast"]}
        if mscale:
            kv["rope.scaling.yarn_log_multiplier"] = 0.1 * mscale
    c = Case(name, "deepseek2", n_tokens, type, **kv)
    ends(c, tied=tied)
    for i in range(n_layer):
        b, at = f"blk.{i}.", f"model.layers.{i}.self_attn."
        norm(c, i, "attn_norm", "input_layernorm")
        if n_q:
            c.both(b + "attn_q_a.weight", at + "q_a_proj.weight", n_q, n_embd)
            norm(c, i, "attn_q_a_norm", "self_attn.q_a_layernorm", n_q)
            c.both(b + "attn_q_b.weight", at + "q_b_proj.weight", n_head * (plain + n_rot), n_q, gain=1.7)
        else:
            c.both(b + "attn_q.weight", at + "q_proj.weight", n_head * (plain + n_rot), n_embd, gain=1.7)
        c.both(b + "attn_kv_a_mqa.weight", at + "kv_a_proj_with_mqa.weight", n_latent + n_rot, n_embd, gain=1.7)
        norm(c, i, "attn_kv_a_norm", "self_attn.kv_a_layernorm", n_latent)
        if split:
            k = c.tensor(b + "attn_k_b.weight", n_head, n_latent, plain, gain=1.4)
            v = c.tensor(b + "attn_v_b.weight", n_head, d_v, n_latent)
            c.state[at + "kv_b_proj.weight"] = torch.cat([k.transpose(1, 2), v], 1).reshape(-1, n_latent)
        else:
            c.both(b + "attn_kv_b.weight", at + "kv_b_proj.weight", n_head * (plain + d_v), n_latent, gain=1.4)
        c.both(b + "attn_output.weight", at + "o_proj.weight", n_embd, n_head * d_v)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        if i < n_dense:
            feed_forward(c, i, n_ff)
            continue
        arch.experts(c, i, n_ff_expert)
        if version == 3:
            c.both(b + "exp_probs_b.bias", f"model.layers.{i}.mlp.gate.e_score_correction_bias", n_expert, gain=0.2)
        feed_forward(c, i, n_shared * n_ff_expert, "_shexp", "mlp.shared_experts.")
    rope = dict(YARN) if yarn else {"rope_type": "default", "rope_theta": 10000.0}
    if mscale:
        rope |= {"mscale": mscale, "mscale_all_dim": mscale}
    config = dict(hidden_size=n_embd, intermediate_size=n_ff, num_hidden_layers=n_layer, vocab_size=vocab,
                  num_attention_heads=n_head, num_key_value_heads=n_head, kv_lora_rank=n_latent, q_lora_rank=n_q or None,
                  qk_nope_head_dim=plain, qk_rope_head_dim=n_rot, v_head_dim=d_v, first_k_dense_replace=n_dense,
                  n_routed_experts=n_expert or 8, num_experts_per_tok=n_used, n_shared_experts=n_shared,
                  moe_intermediate_size=n_ff_expert, routed_scaling_factor=scale, norm_topk_prob=normalize,
                  max_position_embeddings=CONTEXT, rms_norm_eps=1e-6, rope_parameters=rope, tie_word_embeddings=tied,
                  attn_implementation="eager", experts_implementation="eager", pad_token_id=0, bos_token_id=0,
                  eos_token_id=0)
    if version == 3:
        net = hf.DeepseekV3ForCausalLM(hf.DeepseekV3Config(
            **config, n_group=groups[0] if groups else 1, topk_group=groups[1] if groups else 1, num_mtp_layers=0))
    else:
        net = hf.DeepseekV2ForCausalLM(hf.DeepseekV2Config(
            **config, n_group=groups and groups[0], topk_group=groups and groups[1],
            topk_method="group_limited_greedy" if groups else "greedy"))
    net = net.double().eval()
    net.load_state_dict(c.state, strict=True)
    inv = yarn_inverse(n_rot) if yarn else 10000.0 ** (-torch.arange(0, n_rot, 2, dtype=torch.float64) / n_rot)
    attention = 0.1 * math.log(YARN["factor"]) + 1 if yarn and not mscale else 1.0
    if yarn:
        theirs = net.model.rotary_emb
        assert abs(theirs.attention_scaling - attention) < 1e-6
        assert float((theirs.inv_freq - inv).abs().max()) < 1e-6

    def rotary(x, position_ids):
        angles = position_ids[..., None].double() * inv
        if version == 2:
            return torch.polar(torch.full_like(angles, attention), angles)
        angles = torch.cat([angles, angles], -1)
        return attention * angles.cos(), attention * angles.sin()

    net.model.rotary_emb.forward = rotary

    def watch(m, x, y):
        p = y[0].double()
        p = p.sigmoid() + m.e_score_correction_bias if version == 3 else p.softmax(-1)
        check_choice(c, p, n_used, groups and groups[0], groups and groups[1], version == 3)

    for layer in net.model.layers[n_dense:]:
        layer.mlp.gate.register_forward_hook(watch)
    return c, net


def cases():
    # V2-Lite: no squeezed queries, softmax, YaRN with mscale, one matrix for keys and values.
    yield deepseek("deepseek2_lite", 100, yarn=True, mscale=0.707)
    # V2: squeezed queries, best of groups, a scale on weights.
    yield deepseek("deepseek2_groups", 100, n_q=40, n_expert=12, groups=(4, 2), scale=4.0, split=True, n_head=6, n_embd=96)
    # V3: sigmoids, a bias of the choice, sums of two per group, weights that sum to the scale.
    yield deepseek("deepseek3", 100, n_q=40, n_expert=16, n_used=4, groups=(4, 2), version=3, scale=2.5, normalize=True,
                   yarn=True, mscale=1.0, split=True, n_dense=2, n_layer=4, n_latent=32, n_shared=1)
    # YaRN without mscale: its factor is in the rotation. Sigmoids without groups (Kimi K2, GLM-4.7-Flash).
    yield deepseek("deepseek3_yarn", 100, n_q=24, n_expert=9, n_used=4, version=3, scale=1.8, normalize=True, yarn=True,
                   d_v=20, n_head=2, n_dense=0, n_layer=2)
    yield deepseek("deepseek2_bf16", 40, n_latent=32, type="BF16", split=True, n_dense=1, n_layer=2)
    # Turned over from blocks of 32; every layer dense (Youtu).
    yield deepseek("deepseek2_f16", 40, n_latent=64, plain=24, n_dense=2, n_layer=2, n_expert=0, type="F16", tied=True)


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    hf.utils.logging.set_verbosity_error()
    torch.manual_seed(0)
    done = []
    for c, net in cases():
        done.append(c.json())
        if word not in c.name:
            continue
        with torch.no_grad():
            y = net(torch.tensor([done[-1]["tokens"]])).logits[0].numpy().astype(np.float32)
        np.save(HERE / f"{c.name}.npy", y)
        print(c.name, "range", float(y.max() - y.min()), flush=True)
    (HERE / "latent_cases.json").write_text(json.dumps({
        "generator": "gen_latent_goldens.py", "torch": torch.__version__,
        "transformers": hf.__version__, "numpy": np.__version__, "cases": done}, indent=None))


if __name__ == "__main__":
    main()
