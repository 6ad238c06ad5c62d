#!/usr/bin/env python3
"""Goldens of families close to the plain layer: logits by Hugging Face transformers.

Writes beside itself plain_cases.json and NAME.npy, by the rules and with the helpers of
gen_arch_goldens.py: every tensor random, attention far from uniform, inputs longer than any window and
than the original context of YaRN, whose frequencies are those that transformers computes. Types of
weights that are decoded (MXFP4) follow gen_type_goldens.py.

usage: gen_plain_goldens.py [WORD]   (writes NAME.npy only for cases whose name contains WORD)
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers as hf

import gen_llm_goldens as llm
import gen_type_goldens as types
from gen_arch_goldens import (CONTEXT, Case, attention, check_margin, common, ends, feed_forward, finish, norm,
                              sizes, unpermute)

HERE = pathlib.Path(__file__).parent
integer_dequantize = llm.dequantize


def dequantize(t):
    return types.dequantize(t) if t["type"] in types.RULES else integer_dequantize(t)


llm.dequantize = dequantize
for known in ("MXFP4",):
    llm.BLOCK[known], llm.SPREAD[known] = types.size_of(known), types.RULES[known][3]


# --- yarn ------------------------------------------------------------------------------------------

def yarn(factor, original, fast=None, slow=None, attn=None, log=None, ext=None):
    """The keys of a file and the parameters of transformers."""
    kv = {"rope.scaling.type": "yarn", "rope.scaling.factor": factor,
          "rope.scaling.original_context_length": original}
    theirs = {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original}
    for ours, name, value in (("yarn_beta_fast", "beta_fast", fast), ("yarn_beta_slow", "beta_slow", slow),
                              ("yarn_attn_factor", "attention_factor", attn)):
        if value is not None:
            kv["rope.scaling." + ours] = theirs[name] = value
    if log is not None:
        kv["rope.scaling.yarn_log_multiplier"] = log
        theirs |= {"mscale": 1.0, "mscale_all_dim": log}
    return kv, theirs


def own_angles(net, repeat=2):
    """Angles in float64 from the network's own frequencies, `repeat` copies side by side."""
    inv, scale = net.model.rotary_emb.inv_freq.double(), net.model.rotary_emb.attention_scaling
    angles = torch.arange(CONTEXT, dtype=torch.float64)[:, None] * inv
    return torch.cat([angles] * repeat, 1), scale


def finish_own(c, net, repeat=2):
    table, scale = own_angles(net, repeat)
    return finish(c, net, {None: table}, scale)


def yarned(name, arch, n_tokens, scaling, **kw):
    """llama, qwen2 and qwen3 with YaRN."""
    kv, rope = yarn(**scaling)
    c = Case(name, arch, n_tokens, **sizes(**kw), **kv)
    ends(c)
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i, bias=arch == "qwen2", gain=1.0 if arch == "qwen3" else 1.7)
        if arch == "qwen3":
            norm(c, i, "attn_q_norm", "self_attn.q_norm", c["attention.key_length"], offset=1.7)
            norm(c, i, "attn_k_norm", "self_attn.k_norm", c["attention.key_length"], offset=1.7)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        feed_forward(c, i, c["feed_forward_length"])
    kinds = {"llama": (hf.LlamaConfig, hf.LlamaForCausalLM), "qwen2": (hf.Qwen2Config, hf.Qwen2ForCausalLM),
             "qwen3": (hf.Qwen3Config, hf.Qwen3ForCausalLM)}
    config, model = kinds[arch]
    return c, finish_own(c, model(config(**common(c), rope_parameters=rope | {"rope_theta": c["rope.freq_base"]})))


# --- gpt-oss ---------------------------------------------------------------------------------------

def gpt_oss(name, n_tokens, n_expert, n_used, n_ff_expert, window, scaling, experts="F32", biases="F32", **kw):
    kv, rope = yarn(**scaling)
    own = {"rope.freq_base": 150000.0, "attention.sliding_window": window, "expert_count": n_expert,
           "expert_used_count": n_used, "expert_feed_forward_length": n_ff_expert}
    c = Case(name, "gpt-oss", n_tokens, **sizes(n_ff=n_ff_expert, **kw), **kv, **own)
    e = c["embedding_length"]
    ends(c)
    for i in range(c["block_count"]):
        b, at = f"blk.{i}.", f"model.layers.{i}."
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i, bias=True)
        c.both(b + "attn_output.bias", at + "self_attn.o_proj.bias", e, gain=0.5)
        c.both(b + "attn_sinks.weight", at + "self_attn.sinks", c["attention.head_count"], gain=1.0, offset=2.0)
        norm(c, i, "post_attention_norm", "post_attention_layernorm")
        c.both(b + "ffn_gate_inp.weight", at + "mlp.router.weight", n_expert, e, gain=1.5, type="F32")
        c.both(b + "ffn_gate_inp.bias", at + "mlp.router.bias", n_expert, gain=1.0)
        # Of 4 standard deviations some 8 % are clamped at 7.
        gate = c.tensor(b + "ffn_gate_exps.weight", n_expert, n_ff_expert, e, gain=4.0, type=experts)
        up = c.tensor(b + "ffn_up_exps.weight", n_expert, n_ff_expert, e, gain=4.0, type=experts)
        down = c.tensor(b + "ffn_down_exps.weight", n_expert, e, n_ff_expert, gain=0.2, type=experts)
        gate_bias = c.tensor(b + "ffn_gate_exps.bias", n_expert, n_ff_expert, gain=8.0, type=biases)
        up_bias = c.tensor(b + "ffn_up_exps.bias", n_expert, n_ff_expert, gain=8.0, type=biases)
        down_bias = c.tensor(b + "ffn_down_exps.bias", n_expert, e, gain=4.0, type=biases)
        at += "mlp.experts."
        c.state[at + "gate_up_proj"] = torch.stack([gate, up], 2).reshape(n_expert, 2 * n_ff_expert, e).mT
        c.state[at + "gate_up_proj_bias"] = torch.stack([gate_bias, up_bias], 2).reshape(n_expert, -1)
        c.state[at + "down_proj"] = down.mT
        c.state[at + "down_proj_bias"] = down_bias
    net = hf.GptOssForCausalLM(hf.GptOssConfig(
        **common(c), num_local_experts=n_expert, num_experts_per_tok=n_used, sliding_window=window,
        rope_parameters=rope | {"rope_theta": 150000.0, "truncate": False}))
    net = finish_own(c, net, 1)
    for layer in net.model.layers:
        layer.mlp.router.register_forward_hook(lambda m, x, y: check_margin(c, y[0], n_used))
    return c, net


def cases():
    yield gpt_oss("gpt_oss", 100, 8, 3, 48, 20, dict(factor=32.0, original=60, fast=4.0, slow=1.0), n_embd=96, d=32,
                  n_layer=4, n_kv=1)
    yield gpt_oss("gpt_oss_mxfp4", 100, 6, 2, 64, 70, dict(factor=8.0, original=50, fast=5.0, slow=0.5), n_embd=64,
                  d=24, n_layer=2, experts="MXFP4", biases="BF16")
    yield yarned("llama_yarn", "llama", 100, dict(factor=4.0, original=40, fast=4.0, slow=0.5), d=32)
    yield yarned("qwen2_yarn", "qwen2", 100, dict(factor=8.0, original=64), n_embd=96, d=24)
    yield yarned("qwen3_yarn", "qwen3", 100, dict(factor=4.0, original=32, fast=2.0, slow=1.0, attn=1.0625), d=32)


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
    (HERE / "plain_cases.json").write_text(json.dumps({
        "generator": "gen_plain_goldens.py", "torch": torch.__version__,
        "transformers": hf.__version__, "numpy": np.__version__, "cases": done}, separators=(",", ":")))


if __name__ == "__main__":
    main()
