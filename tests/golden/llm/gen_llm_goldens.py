#!/usr/bin/env python3
"""Goldens of the language models: logits of seeded models by Hugging Face transformers.

Writes beside itself: cases.json (what each model is, its tokens) and NAME.npy (float32
[n_tokens, n_vocab]); for quantised models also NAME.float.npy. No weights are stored: both this
script and the C test make them from the rule below, so a change on either side breaks the test.

The rule. Tensor value number i (in GGUF order, dim[0] fastest) comes from a 64-bit word
    u(i) = splitmix64_mix(fnv1a64(tensor name) + (i + 1) * 0x9E3779B97F4A7C15)
  F32, F16, BF16:  offset + scale * (float)((int)(u >> 40) - 2^23) / 2^23, all in float32, then
                   rounded to nearest even.
  Quantised:       byte j of block b is byte j % 8 (little endian) of u(b * 32 + j / 8); then the
                   float16 scale of the block is overwritten by f16(scale * (0.75 + 0.5 * f)) with
                   f = (u(b * 32 + 31) >> 40) / 2^24 in float32; Q4_K's dmin by f16(7.5 * that).

Two references for quantised models:
  NAME.npy        float64 network over dequantised weights whose linear layers see activations that
                  were quantised in groups as kern/kern.h says: must agree with our integer kernels
                  up to float rounding, as long as no activation lies so near to a rounding tie that
                  the float noise of two right programs decides it (one such flip changes everything
                  after it by as much as the quantisation itself does). The first EXACT tokens are
                  therefore searched so that nothing comes nearer than MARGIN of a step to a tie; only
                  their rows are stored.
  NAME.float.npy  all tokens with float activations: what the model would say without that step.

Needs: numpy, torch, transformers. The versions used are recorded in cases.json.
"""
import json
import pathlib

import numpy as np
import torch
import transformers
from transformers import (LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM)

HERE = pathlib.Path(__file__).parent
GOLDEN, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1
BLOCK = {"Q4_0": (32, 18), "Q8_0": (32, 34), "Q4_K": (256, 144), "Q6_K": (256, 210)}
# Standard deviation of a dequantised value for block scale 1, from uniform random codes.
SPREAD = {"Q4_0": 4.61, "Q8_0": 73.9, "Q4_K": 257.0, "Q6_K": 1367.0}
GROUP = {"Q4_0": 32, "Q8_0": 32, "Q4_K": 256, "Q6_K": 256}
# Float32 noise moves x * 127 / amax by about 5e-5. With some 2,300 quantised values per token, one
# token list in exp(2 * 1.5e-4 * 2300 * 6) = 63 keeps this distance.
EXACT, MARGIN = 6, 1.5e-4


def words(name, first, n):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(h) + (np.arange(first, first + n, dtype=np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def plain_values(t):
    n = int(np.prod(t["shape"]))
    unit = ((words(t["name"], 0, n) >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(np.float32)
    x = np.float32(t["offset"]) + np.float32(t["scale"]) * (unit / np.float32(1 << 23))
    if t["type"] == "F16":
        x = x.astype(np.float16).astype(np.float32)
    if t["type"] == "BF16":
        x = torch.from_numpy(x).to(torch.bfloat16).float().numpy()
    return x


def blocks(t):
    length, size = BLOCK[t["type"]]
    n = int(np.prod(t["shape"])) // length
    u = words(t["name"], 0, n * 32).reshape(n, 32)
    q = u.astype("<u8").view(np.uint8).reshape(n, 256)[:, :size].copy()
    f = (u[:, 31] >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
    d = (np.float32(t["scale"]) * (np.float32(0.75) + np.float32(0.5) * f)).astype(np.float16)
    put = lambda at, v: q.__setitem__((slice(None), slice(at, at + 2)), v.view(np.uint8).reshape(n, 2))
    put(208 if t["type"] == "Q6_K" else 0, d)
    if t["type"] == "Q4_K":
        put(2, (np.float32(7.5) * d.astype(np.float32)).astype(np.float16))
    return q


def half(q, at):
    return q[:, at:at + 2].copy().view(np.float16).astype(np.float64)


def dequantize(t):
    """From the published block layouts (llm_features, table 1.2), in float64."""
    q = blocks(t)
    if t["type"] == "Q4_0":  # d | 16 bytes: low nibbles first half, high nibbles second half
        x = half(q, 0) * (np.concatenate([q[:, 2:] & 15, q[:, 2:] >> 4], 1).astype(np.float64) - 8)
    elif t["type"] == "Q8_0":
        x = half(q, 0) * q[:, 2:].view(np.int8)
    elif t["type"] == "Q4_K":  # d | dmin | 12 bytes of 6-bit scales and mins | 128 bytes
        s, nib = q[:, 4:16].astype(np.int64), q[:, 16:]
        sc = np.concatenate([s[:, 0:4] & 63, (s[:, 8:12] & 15) | ((s[:, 0:4] >> 6) << 4)], 1)
        mn = np.concatenate([s[:, 4:8] & 63, (s[:, 8:12] >> 4) | ((s[:, 4:8] >> 6) << 4)], 1)
        # 32 bytes carry two groups: low nibbles, then high nibbles.
        v = np.stack([nib.reshape(-1, 4, 32) & 15, nib.reshape(-1, 4, 32) >> 4], 2).reshape(-1, 8, 32)
        x = (half(q, 0)[:, :, None] * sc[:, :, None]) * v - (half(q, 2)[:, :, None] * mn[:, :, None])
        x = x.reshape(len(q), 256)
    else:  # Q6_K: 128 bytes low 4 bits | 64 bytes high 2 bits | 16 int8 scales | d
        ql, qh, sc = q[:, :128].astype(np.int64), q[:, 128:192].astype(np.int64), q[:, 192:208].view(np.int8)
        x = np.empty((len(q), 256))
        for h in range(2):
            l, g = ql[:, 64 * h:64 * h + 64], qh[:, 32 * h:32 * h + 32]
            for k in range(4):
                low = (l[:, 32 * (k & 1):32 * (k & 1) + 32] >> (4 * (k >> 1))) & 15
                v = (low | (((g >> (2 * k)) & 3) << 4)) - 32
                at = 128 * h + 32 * k
                scale = np.repeat(sc[:, at // 16:at // 16 + 2].astype(np.float64), 16, 1)
                x[:, at:at + 32] = half(q, 208) * scale * v
    return x


def values(t):
    flat = dequantize(t) if t["type"] in BLOCK else plain_values(t)
    return torch.from_numpy(np.ascontiguousarray(flat)).double().reshape(t["shape"])


nearest_tie = 1.0  # over all activations quantised since it was set


def quantize_activations(x, group):
    """kern/kern.h: amax/127 per group, round half to even, in float32 arithmetic."""
    global nearest_tie
    f = x.float().numpy().reshape(-1, group)
    d = np.abs(f).max(1, keepdims=True) / np.float32(127)
    inv = np.where(d != 0, np.float32(1) / np.where(d == 0, np.float32(1), d), np.float32(0)).astype(np.float32)
    q = np.clip(np.rint(f * inv), -127, 127)
    nearest_tie = min(nearest_tie, float(np.abs(np.abs(f * inv - q) - 0.5).min()))
    return torch.from_numpy(q.astype(np.float64) * d.astype(np.float64)).reshape(x.shape)


def case(name, arch, n_tokens, type="F32", n_embd=64, n_layer=3, n_head=4, n_kv=2, d=16, n_ff=176,
         vocab=96, base=10000.0, eps=1e-5, tied=False, factors=False, linear=1.0):
    kv = {"context_length": 512, "embedding_length": n_embd, "block_count": n_layer,
          "feed_forward_length": n_ff, "attention.head_count": n_head, "attention.head_count_kv": n_kv,
          "attention.key_length": d, "attention.value_length": d, "rope.dimension_count": d,
          "rope.freq_base": base, "attention.layer_norm_rms_epsilon": eps, "vocab_size": vocab}
    if linear != 1.0:
        kv |= {"rope.scaling.type": "linear", "rope.scaling.factor": linear}
    ts = []

    def add(name, *shape, gain=1.0, offset=0.0):
        kind = type if len(shape) == 2 else "F32"
        std = gain / np.sqrt(shape[1]) if len(shape) == 2 else gain
        scale = std / SPREAD[kind] if kind in SPREAD else std * np.sqrt(3)
        ts.append({"name": name, "shape": list(shape), "type": kind, "scale": float(np.float32(scale)),
                   "offset": offset})

    # Rows of about unit values; as an output matrix, rows of about unit length.
    add("token_embd.weight", vocab, n_embd, gain=1.0 if tied else np.sqrt(n_embd))
    for i in range(n_layer):
        b = f"blk.{i}."
        add(b + "attn_norm.weight", n_embd, gain=0.3, offset=1.0)
        # Queries and keys at 1.7 standard deviations make scores of about 3: far from uniform.
        add(b + "attn_q.weight", n_head * d, n_embd, gain=1.7)
        add(b + "attn_k.weight", n_kv * d, n_embd, gain=1.7)
        add(b + "attn_v.weight", n_kv * d, n_embd)
        add(b + "attn_output.weight", n_embd, n_head * d)
        if arch == "qwen2":
            for c, n in (("q", n_head), ("k", n_kv), ("v", n_kv)):
                add(b + f"attn_{c}.bias", n * d, gain=0.5)
        if arch == "qwen3":
            add(b + "attn_q_norm.weight", d, gain=0.3, offset=1.7)
            add(b + "attn_k_norm.weight", d, gain=0.3, offset=1.7)
        add(b + "ffn_norm.weight", n_embd, gain=0.3, offset=1.0)
        add(b + "ffn_gate.weight", n_ff, n_embd)
        add(b + "ffn_up.weight", n_ff, n_embd)
        add(b + "ffn_down.weight", n_embd, n_ff)
    add("output_norm.weight", n_embd, gain=0.3, offset=1.0)
    if not tied:
        add("output.weight", vocab, n_embd)
    if factors:
        add("rope_freqs.weight", d // 2, gain=0.8, offset=2.0)
    return {"name": name, "arch": arch, "type": type, "kv": kv, "tensors": ts,
            "tokens": tokens_of(name, n_tokens, vocab)}


def tokens_of(name, n, vocab):
    return [int(t) for t in words("tokens of " + name, 0, n) % np.uint64(vocab)]


def hf_name(name):
    fixed = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
             "output.weight": "lm_head.weight"}
    if name in fixed:
        return fixed[name]
    _, layer, rest = name.split(".", 2)
    for a, b in (("attn_norm", "input_layernorm"), ("attn_q_norm", "self_attn.q_norm"),
                 ("attn_k_norm", "self_attn.k_norm"), ("attn_output", "self_attn.o_proj"),
                 ("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"), ("attn_v", "self_attn.v_proj"),
                 ("ffn_norm", "post_attention_layernorm"), ("ffn_gate", "mlp.gate_proj"),
                 ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj")):
        if rest.split(".")[0] == a:
            return f"model.layers.{layer}.{b}.{rest.split('.')[1]}"
    raise ValueError(name)


def build(c):
    kv = c["kv"]
    common = dict(hidden_size=kv["embedding_length"], intermediate_size=kv["feed_forward_length"],
                  num_hidden_layers=kv["block_count"], num_attention_heads=kv["attention.head_count"],
                  num_key_value_heads=kv["attention.head_count_kv"], head_dim=kv["attention.key_length"],
                  vocab_size=kv["vocab_size"], rms_norm_eps=kv["attention.layer_norm_rms_epsilon"],
                  rope_theta=kv["rope.freq_base"], max_position_embeddings=512,
                  attn_implementation="eager", tie_word_embeddings=False)
    kinds = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM),
             "qwen3": (Qwen3Config, Qwen3ForCausalLM)}
    config, model = kinds[c["arch"]]
    net = model(config(**common)).double().eval()
    state, d = {}, kv["attention.key_length"]
    tensors = {t["name"]: t for t in c["tensors"]}
    for t in c["tensors"]:
        if t["name"] == "rope_freqs.weight":
            continue
        x = values(t)
        if c["arch"] == "llama" and t["name"].endswith(("attn_q.weight", "attn_k.weight")):
            # GGUF pairs neighbours (2i, 2i+1); transformers pairs halves (i, i + d/2).
            x = x.reshape(-1, d // 2, 2, x.shape[1]).transpose(1, 2).reshape(x.shape)
        state[hf_name(t["name"])] = x
    if "lm_head.weight" not in state:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    net.load_state_dict(state, strict=True)
    # Frequencies set explicitly: base, linear scaling and per-pair factors, nothing left to defaults.
    inv = kv["rope.freq_base"] ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    inv = inv / kv.get("rope.scaling.factor", 1.0)
    if "rope_freqs.weight" in tensors:
        inv = inv / values(tensors["rope_freqs.weight"])
    angles = torch.arange(512, dtype=torch.float64)[:, None] * inv
    angles = torch.cat([angles, angles], 1)

    def rotary(x, position_ids, *args, **kwargs):  # float64 instead of the module's float32
        return angles[position_ids].cos().to(x.dtype), angles[position_ids].sin().to(x.dtype)

    net.model.rotary_emb.forward = rotary
    return net


def logits(net, tokens, group=None):
    hooks = []
    if group:
        for m in net.modules():
            if isinstance(m, torch.nn.Linear):
                hooks.append(m.register_forward_pre_hook(lambda _, x: (quantize_activations(x[0], group),)))
    with torch.no_grad():
        y = net(torch.tensor([tokens])).logits[0].numpy()
    for h in hooks:
        h.remove()
    return y.astype(np.float32)


def exact_logits(c, net, group):
    """Replaces the first tokens of the case by some that stay clear of ties."""
    global nearest_tie
    for attempt in range(20000):
        tokens = tokens_of(f"{c['name']} {attempt}", EXACT, c["kv"]["vocab_size"])
        nearest_tie = 1.0
        y = logits(net, tokens, group)
        if nearest_tie > MARGIN:
            c["tokens"][:EXACT] = tokens
            return y
    raise RuntimeError(c["name"])


def main():
    torch.manual_seed(0)
    cases = [
        case("llama_gqa", "llama", 80),
        case("llama_tied_factors", "llama", 80, n_head=4, n_kv=4, d=32, tied=True, factors=True, base=5e5),
        case("llama_linear", "llama", 72, n_head=6, n_kv=1, d=24, n_embd=72, n_ff=200, linear=4.0, eps=1e-2),
        case("qwen2_bias", "qwen2", 80, n_head=6, n_kv=2, d=16, n_embd=96, tied=True, base=1e6, eps=1e-6),
        case("qwen3_norms", "qwen3", 80, n_head=6, n_kv=3, d=32, n_embd=96, base=1e6, eps=1e-6),
    ]
    shapes = {"llama": dict(n_head=4, n_kv=2, d=64), "qwen2": dict(n_head=8, n_kv=2, d=32, tied=True),
              "qwen3": dict(n_head=4, n_kv=1, d=128)}
    for arch, shape in shapes.items():
        for type in ("F16", "BF16", "Q4_0", "Q8_0", "Q4_K", "Q6_K"):
            cases.append(case(f"{arch}_{type.lower()}", arch, 70 if type == "Q4_0" else 20, type, n_embd=256,
                              n_layer=2, n_ff=256, **shape))
    for c in cases:
        net, group = build(c), GROUP.get(c["type"])
        if group:
            np.save(HERE / f"{c['name']}.npy", exact_logits(c, net, group))
        y = logits(net, c["tokens"])
        np.save(HERE / f"{c['name']}{'.float' if group else ''}.npy", y)
        print(c["name"], "range", float(y.max() - y.min()))
    (HERE / "cases.json").write_text(json.dumps({
        "generator": "gen_llm_goldens.py", "torch": torch.__version__,
        "transformers": transformers.__version__, "numpy": np.__version__, "cases": cases}, indent=None))


if __name__ == "__main__":
    main()
