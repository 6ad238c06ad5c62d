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
from gen_arch_goldens import (CONTEXT, Case, angle_table, attention, check_margin, common, ends, feed_forward, finish, mixture,
                              norm, sizes, unpermute)

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


# --- relatives of llama ----------------------------------------------------------------------------

def plain_layers(c, gain=1.7):
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i, gain=gain)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        feed_forward(c, i, c["feed_forward_length"])


def pair_neighbours(c):
    """The network pairs halves, the file neighbours (2i, 2i + 1)."""
    heads = {"q": c["attention.head_count"], "k": c["attention.head_count_kv"]}
    for i in range(c["block_count"]):
        for x, n in heads.items():
            at = f"model.layers.{i}.self_attn.{x}_proj.weight"
            c.state[at] = unpermute(c.state[at], n)


def smollm3(name, n_tokens, **kw):
    c = Case(name, "smollm3", n_tokens, **sizes(**kw))
    ends(c, tied=True)
    plain_layers(c)
    pair_neighbours(c)
    return c, finish(c, hf.SmolLM3ForCausalLM(hf.SmolLM3Config(**common(c))))


def mistral3(name, n_tokens, scaling, heat, **kw):
    kv, rope = yarn(**scaling)
    c = Case(name, "mistral3", n_tokens, **sizes(**kw), **kv, **{"attention.temperature_scale": heat})
    ends(c)
    plain_layers(c)
    pair_neighbours(c)
    rope |= {"rope_theta": c["rope.freq_base"], "llama_4_scaling_beta": heat}
    return c, finish_own(c, hf.Ministral3ForCausalLM(hf.Ministral3Config(**common(c), rope_parameters=rope)))


def qwen(name, n_tokens, **kw):
    """Qwen 1 is Qwen 2 with other names: q, k, v in one matrix; the width of the file is that of gate and up."""
    c = Case(name, "qwen", n_tokens, **sizes(**kw))
    e, rows = c["embedding_length"], c["attention.head_count"] * c["attention.key_length"]
    ends(c)
    for i in range(c["block_count"]):
        at = f"model.layers.{i}."
        norm(c, i, "attn_norm", "input_layernorm")
        w = c.tensor(f"blk.{i}.attn_qkv.weight", 3 * rows, e, gain=1.5)
        b = c.tensor(f"blk.{i}.attn_qkv.bias", 3 * rows, gain=0.5)
        for x, part, bias in zip("qkv", w.split(rows), b.split(rows)):
            c.state[f"{at}self_attn.{x}_proj.weight"], c.state[f"{at}self_attn.{x}_proj.bias"] = part, bias
        c.both(f"blk.{i}.attn_output.weight", at + "self_attn.o_proj.weight", e, rows)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        feed_forward(c, i, c["feed_forward_length"])
    net = finish(c, hf.Qwen2ForCausalLM(hf.Qwen2Config(**common(c))))
    c.kv["feed_forward_length"] *= 2
    return c, net


# --- blocks side by side ---------------------------------------------------------------------------

def phi2(name, n_tokens, n_rot, fused=False, **kw):
    c = Case(name, "phi2", n_tokens, **sizes(**kw), **{"attention.layer_norm_epsilon": 1e-5})
    e, n_ff, d = c["embedding_length"], c["feed_forward_length"], c["attention.key_length"]
    rows = c["attention.head_count"] * d
    c.kv["rope.dimension_count"] = n_rot
    c.both("token_embd.weight", "model.embed_tokens.weight", c["vocab_size"], e, gain=np.sqrt(e))
    c.both("output_norm.weight", "model.final_layernorm.weight", e, gain=0.3, offset=1.0)
    c.both("output_norm.bias", "model.final_layernorm.bias", e, gain=0.5)
    c.both("output.weight", "lm_head.weight", c["vocab_size"], e)
    c.both("output.bias", "lm_head.bias", c["vocab_size"], gain=0.5)
    for i in range(c["block_count"]):
        b, at = f"blk.{i}.", f"model.layers.{i}."
        norm(c, i, "attn_norm", "input_layernorm")
        c.both(b + "attn_norm.bias", at + "input_layernorm.bias", e, gain=0.5)
        if fused:
            w = c.tensor(b + "attn_qkv.weight", 3 * rows, e, gain=1.5).split(rows)
            bias = c.tensor(b + "attn_qkv.bias", 3 * rows, gain=0.5).split(rows)
            for n, x in enumerate("qkv"):
                c.state[f"{at}self_attn.{x}_proj.weight"] = w[n]
                c.state[f"{at}self_attn.{x}_proj.bias"] = bias[n]
        for x in "" if fused else "qkv":
            c.both(f"{b}attn_{x}.weight", f"{at}self_attn.{x}_proj.weight", rows, e, gain=1.5)
            c.both(f"{b}attn_{x}.bias", f"{at}self_attn.{x}_proj.bias", rows, gain=0.5)
        c.both(b + "attn_output.weight", at + "self_attn.dense.weight", e, rows)
        c.both(b + "attn_output.bias", at + "self_attn.dense.bias", e, gain=0.5)
        c.both(b + "ffn_up.weight", at + "mlp.fc1.weight", n_ff, e)
        c.both(b + "ffn_up.bias", at + "mlp.fc1.bias", n_ff, gain=0.5)
        c.both(b + "ffn_down.weight", at + "mlp.fc2.weight", e, n_ff)
        c.both(b + "ffn_down.bias", at + "mlp.fc2.bias", e, gain=0.5)
    more = common(c)
    for key in ("rms_norm_eps", "head_dim"):
        more.pop(key)
    return c, finish(c, hf.PhiForCausalLM(hf.PhiConfig(
        **more, layer_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                                                      "partial_rotary_factor": n_rot / d})))


def cohere2(name, n_tokens, window, **kw):
    c = Case(name, "cohere2", n_tokens, **sizes(**kw),
             **{"attention.layer_norm_epsilon": 1e-5, "logit_scale": 0.375, "attention.sliding_window": window})
    ends(c, tied=True)
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i)
        feed_forward(c, i, c["feed_forward_length"])
    more = common(c)
    more.pop("rms_norm_eps")
    half = angle_table(10000.0, c["rope.dimension_count"])[:, :c["rope.dimension_count"] // 2]
    types = ["full_attention" if (i + 1) % 4 == 0 else "sliding_attention" for i in range(c["block_count"])]
    return c, finish(c, hf.Cohere2ForCausalLM(hf.Cohere2Config(
        **more, layer_norm_eps=1e-5, logit_scale=0.375, sliding_window=window, layer_types=types)),
        {None: half.repeat_interleave(2, 1)})


# --- others ----------------------------------------------------------------------------------------

def olmo3(name, n_tokens, window, scaling, **kw):
    kv, rope = yarn(**scaling)
    c = Case(name, "olmo2", n_tokens, **sizes(**kw), **kv, **{"attention.sliding_window": window})
    n_q = c["attention.head_count"] * c["attention.key_length"]
    n_k = c["attention.head_count_kv"] * c["attention.key_length"]
    ends(c)
    for i in range(c["block_count"]):
        attention(c, i, gain=1.0)
        norm(c, i, "attn_q_norm", "self_attn.q_norm", n_q, offset=1.7)
        norm(c, i, "attn_k_norm", "self_attn.k_norm", n_k, offset=1.7)
        norm(c, i, "post_attention_norm", "post_attention_layernorm")
        feed_forward(c, i, c["feed_forward_length"])
        norm(c, i, "post_ffw_norm", "post_feedforward_layernorm")
    base = c["rope.freq_base"]
    types = ["full_attention" if (i + 1) % 4 == 0 else "sliding_attention" for i in range(c["block_count"])]
    net = hf.Olmo3ForCausalLM(hf.Olmo3Config(
        **common(c), sliding_window=window, layer_types=types, rope_parameters={
            "full_attention": rope | {"rope_theta": base},
            "sliding_attention": {"rope_type": "default", "rope_theta": base}}))
    # This network keeps both kinds of frequencies itself; in float64 the scaling differs by kind.
    r = net.model.rotary_emb
    inv = {kind: getattr(r, kind + "_inv_freq").double() for kind in ("full_attention", "sliding_attention")}
    scale = {kind: getattr(r, kind + "_attention_scaling") for kind in inv}
    net = finish(c, net)

    def rotary(x, position_ids, layer_type):
        a = position_ids[..., None].double() * inv[layer_type]
        a = torch.cat([a, a], -1)
        return scale[layer_type] * a.cos(), scale[layer_type] * a.sin()

    net.model.rotary_emb.forward = rotary
    return c, net


def granitemoe(name, n_tokens, n_expert, n_used, n_ff_shared=0, turned=True, **kw):
    factors = {"embedding_scale": 6.5, "residual_scale": 0.31, "attention.scale": 0.11, "logit_scale": 3.25}
    own = {"expert_count": n_expert, "expert_used_count": n_used}
    if n_ff_shared:
        own["expert_shared_feed_forward_length"] = n_ff_shared
    if not turned:
        own["rope.scaling.finetuned"] = False
    c = Case(name, "granitemoe", n_tokens, **sizes(**kw), **factors, **own)
    e, n_ff = c["embedding_length"], c["feed_forward_length"]
    ends(c, tied=True)
    for i in range(c["block_count"]):
        b, at = f"blk.{i}.ffn_", f"model.layers.{i}."
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i, gain=2.5)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        c.both(b + "gate_inp.weight", at + "block_sparse_moe.router.weight", n_expert, e, gain=1.5)
        gate, up = c.tensor(b + "gate_exps.weight", n_expert, n_ff, e), c.tensor(b + "up_exps.weight", n_expert, n_ff, e)
        c.state[at + "block_sparse_moe.experts.gate_up_proj"] = torch.cat([gate, up], 1)
        c.both(b + "down_exps.weight", at + "block_sparse_moe.experts.down_proj", n_expert, e, n_ff)
        if n_ff_shared:
            gate, up = c.tensor(b + "gate_shexp.weight", n_ff_shared, e), c.tensor(b + "up_shexp.weight", n_ff_shared, e)
            c.state[at + "shared_mlp.input_linear.weight"] = torch.cat([gate, up])
            c.both(b + "down_shexp.weight", at + "shared_mlp.output_linear.weight", e, n_ff_shared)
    pair_neighbours(c)
    more = dict(**common(c), num_local_experts=n_expert, num_experts_per_tok=n_used, embedding_multiplier=6.5,
                residual_multiplier=0.31, attention_multiplier=c["attention.scale"], logits_scaling=3.25)
    if n_ff_shared:
        net = hf.GraniteMoeSharedForCausalLM(hf.GraniteMoeSharedConfig(**more, shared_intermediate_size=n_ff_shared))
    else:
        net = hf.GraniteMoeForCausalLM(hf.GraniteMoeConfig(**more))
    net = finish(c, net)
    if not turned:
        net.model.rotary_emb.forward = lambda x, position_ids, **kwargs: (
            torch.ones(1, 1, c["attention.key_length"], dtype=x.dtype),
            torch.zeros(1, 1, c["attention.key_length"], dtype=x.dtype))
    for layer in net.model.layers:
        layer.block_sparse_moe.router.register_forward_hook(lambda m, x, y: check_margin(c, y[0], n_used))
    return c, net


# --- mixtures: other files, other types ------------------------------------------------------------

def mixtral_apart(name, n_tokens, n_expert, n_used, n_ff, **kw):
    """A file of 2023: every expert's matrices are tensors of their own."""
    c = Case(name, "llama", n_tokens, **sizes(n_ff=n_ff, **kw), expert_count=n_expert, expert_used_count=n_used)
    e = c["embedding_length"]
    ends(c)
    for i in range(c["block_count"]):
        b, at = f"blk.{i}.ffn_", f"model.layers.{i}.mlp."
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        c.both(b + "gate_inp.weight", at + "gate.weight", n_expert, e, gain=1.5)
        parts = {x: torch.stack([c.tensor(f"{b}{x}.{n}.weight", *shape) for n in range(n_expert)])
                 for x, shape in (("gate", (n_ff, e)), ("up", (n_ff, e)), ("down", (e, n_ff)))}
        c.state[at + "experts.gate_up_proj"] = torch.cat([parts["gate"], parts["up"]], 1)
        c.state[at + "experts.down_proj"] = parts["down"]
    net = finish(c, hf.MixtralForCausalLM(hf.MixtralConfig(
        **common(c), num_local_experts=n_expert, num_experts_per_tok=n_used, sliding_window=None)))
    for layer in net.model.layers:
        layer.mlp.gate.register_forward_hook(lambda m, x, y: check_margin(c, y[0], n_used))
    return c, net


class quantised_experts:
    """The experts of a network see activations quantised in groups, as its linear layers do in llm.logits()."""

    def __init__(self, net, group):
        self.modules, self.group = [layer.mlp.experts for layer in net.model.layers], group

    def forward(self, m):
        def run(x, chosen, weights):
            y, q = torch.zeros_like(x), lambda v: llm.quantize_activations(v, self.group)
            for row in range(len(x)):
                for e, w in zip(chosen[row].tolist(), weights[row]):
                    gate, up = (m.gate_up_proj[e] @ q(x[row])).chunk(2)
                    y[row] += w * (m.down_proj[e] @ q(torch.nn.functional.silu(gate) * up))
            return y
        return run

    def __enter__(self):
        for m in self.modules:
            m.forward = self.forward(m)

    def __exit__(self, *error):
        for m in self.modules:
            del m.forward


def smallest_margin(net, n_used):
    """A list that gets the margin by which experts are chosen, from each call of each router."""
    seen = []
    for layer in net.model.layers:
        def look(m, x, y):
            top = y[0].sort(-1, descending=True).values
            seen.append(float((top[:, n_used - 1] - top[:, n_used]).min()))
        layer.mlp.gate._forward_hooks.clear()
        layer.mlp.gate.register_forward_hook(look)
    return seen


def quantised(name, type, n_tokens=16, n_used=2):
    """Qwen 3 with experts of a type that is multiplied as integers. The first tokens stay clear of rounding ties and
    of other experts (llm.EXACT); all of them choose theirs by a margin that the quantisation does not use up."""
    c, net = mixture(name, "qwen3moe", n_tokens, 4, n_used, 256, n_embd=256, n_layer=1, n_head=4, n_kv=1, d=64,
                     n_ff=256, type=type)
    vocab, group, margins = c["vocab_size"], llm.GROUP[type], smallest_margin(net, n_used)

    def try_tokens(tokens, run, least):
        margins.clear()
        llm.nearest_tie = 1.0
        y = run(tokens)
        return y if min(margins) > least else None

    def exact(tokens):
        with quantised_experts(net, group):
            return llm.logits(net, tokens, group)

    tokens = c.json()["tokens"]
    for attempt in range(20000):
        tokens[:llm.EXACT] = llm.tokens_of(f"{name} {attempt}", llm.EXACT, vocab)
        y = try_tokens(tokens[:llm.EXACT], exact, 0.02)
        if y is not None and llm.nearest_tie > llm.MARGIN:
            break
    for n in range(llm.EXACT, n_tokens):
        for attempt in range(vocab):
            tokens[n] = attempt
            both = try_tokens(tokens[:n + 1], lambda t: llm.logits(net, t), 0.05)
            if both is not None:
                break
    return c, tokens, y, llm.logits(net, tokens)


QUANTISED = {"qwen3moe_q8_0": "Q8_0", "qwen3moe_q4_k": "Q4_K"}


def cases():
    yield gpt_oss("gpt_oss", 100, 8, 3, 48, 20, dict(factor=32.0, original=60, fast=4.0, slow=1.0), n_embd=96, d=32,
                  n_layer=4, n_kv=1)
    yield gpt_oss("gpt_oss_mxfp4", 100, 6, 2, 64, 70, dict(factor=8.0, original=50, fast=5.0, slow=0.5), n_embd=64,
                  d=24, n_layer=2, experts="MXFP4", biases="BF16")
    yield yarned("llama_yarn", "llama", 100, dict(factor=4.0, original=40, fast=4.0, slow=0.5), d=32)
    yield yarned("qwen2_yarn", "qwen2", 100, dict(factor=8.0, original=64), n_embd=96, d=24)
    yield yarned("qwen3_yarn", "qwen3", 100, dict(factor=4.0, original=32, fast=2.0, slow=1.0, attn=1.0625), d=32)
    yield smollm3("smollm3", 80, n_layer=5, n_embd=96, n_head=6, n_kv=2)
    yield mistral3("mistral3", 100, dict(factor=4.0, original=30, fast=4.0, slow=1.0, log=1.0), 0.5, d=32)
    yield mistral3("mistral3_log", 100, dict(factor=16.0, original=45, fast=3.0, slow=0.5, log=0.5), 0.1, d=24, n_kv=4)
    yield qwen("qwen", 80, n_embd=96, n_head=6, n_kv=6, n_ff=136)
    yield phi2("phi2", 80, 12, n_embd=96, n_head=4, n_kv=4, d=24, n_ff=200)
    yield phi2("phi2_fused", 80, 16, fused=True, n_embd=64, n_head=4, n_kv=4, d=16, n_layer=2)
    yield cohere2("cohere2", 100, 20, n_embd=96, n_head=6, n_kv=3, n_layer=5)
    yield olmo3("olmo3", 100, 20, dict(factor=8.0, original=60, fast=4.0, slow=1.0), n_embd=96, n_head=4, n_kv=2, d=24,
                n_layer=5)
    yield granitemoe("granitemoe", 80, 8, 3, n_ff=56, n_head=6, n_kv=2, n_embd=96)
    yield granitemoe("granitemoe_shared", 80, 6, 2, n_ff_shared=72, n_ff=40)
    yield granitemoe("granitemoe_still", 80, 6, 2, n_ff_shared=72, turned=False, n_ff=40)
    yield mixtral_apart("mixtral_apart", 60, 6, 2, 56, n_layer=2)


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
    for name, type in QUANTISED.items():
        # Its tokens are searched for: a run for other cases takes them from the last one.
        if word not in name:
            old = json.loads((HERE / "plain_cases.json").read_text())["cases"]
            done += [case for case in old if case["name"] == name]
            continue
        c, tokens, exact, full = quantised(name, type)
        done.append(c.json() | {"tokens": tokens})
        np.save(HERE / f"{name}.npy", exact)
        np.save(HERE / f"{name}.float.npy", full)
        print(name, "range", float(full.max() - full.min()), flush=True)
    (HERE / "plain_cases.json").write_text(json.dumps({
        "generator": "gen_plain_goldens.py", "torch": torch.__version__,
        "transformers": hf.__version__, "numpy": np.__version__, "cases": done}, separators=(",", ":")))


if __name__ == "__main__":
    main()
