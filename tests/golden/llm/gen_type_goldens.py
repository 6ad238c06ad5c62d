#!/usr/bin/env python3
"""Goldens of whole models with weights of each tensor type that is multiplied as floats.

usage: gen_type_goldens.py     Writes type_cases.json and NAME.npy beside itself.

A llama for each type, as gen_llm_goldens.py makes them (network, names, tokens, and the bytes
of blocks: see "The rule" there), judged by transformers in float64 on weights that the Python package
gguf decoded (types it lacks: see ../types/gen_types.py). Activations are floats, so no token is special. What
the scale of a block is, d = f16(scale * (0.75 + 0.5 f)):
  types with a minimum     m = f16(ratio * d)
  IQ1_M                    d goes to the four top nibbles of the last 8 bytes
  Q8_K                     d stays a float32
  MXFP4                    exponent byte floor(log2 d) + 128, with d before rounding to f16
  NVFP4                    each scale byte keeps its low 3 bits under the exponent floor(log2 d) + 8,
                           at least 1
"""
import json
import pathlib

import gguf
import importlib.metadata
import numpy as np
import torch
import transformers

import gen_llm_goldens as llm

HERE = pathlib.Path(__file__).parent

# Where d is (None: see above), where m is, m / d, standard deviation of values for d = 1.
RULES = {
    "Q4_1": (0, 2, -7.5, 4.61), "Q5_0": (0, None, 0, 9.23), "Q5_1": (0, 2, -15.5, 9.23),
    "Q8_1": (0, None, 0, 73.9), "Q2_K": (80, 82, 1.5, 13.9), "Q3_K": (108, None, 0, 43.3),
    "Q5_K": (0, 2, 15.5, 526), "Q8_K": (None, None, 0, 73.9), "IQ2_XXS": (0, None, 0, 53.4),
    "IQ2_XS": (0, None, 0, 55.8), "IQ2_S": (0, None, 0, 56.4), "IQ3_XXS": (0, None, 0, 142),
    "IQ3_S": (0, None, 0, 140), "IQ1_S": (0, None, 0, 7.2), "IQ1_M": (None, None, 0, 7.2),
    "IQ4_NL": (0, None, 0, 67.2), "IQ4_XS": (0, None, 0, 1250), "TQ1_0": (52, None, 0, 0.817),
    "TQ2_0": (64, None, 0, 1.12), "MXFP4": (None, None, 0, 5.85), "NVFP4": (None, None, 0, 8.58),
    "Q1_0": (0, None, 0, 1), "Q2_0": (0, None, 0, 1.12),
}
SIZES = {"Q1_0": (128, 18), "Q2_0": (64, 18), "Q8_1": (32, 36), "Q8_K": (256, 292)}


def size_of(name):
    return SIZES.get(name) or gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]


def blocks(t):
    length, size = size_of(t["type"])
    d_at, m_at, ratio, _ = RULES[t["type"]]
    n = int(np.prod(t["shape"])) // length
    u = llm.words(t["name"], 0, n * 32).reshape(n, 32)
    # Blocks longer than 256 bytes go on in the words of the next.
    u_bytes = llm.words(t["name"], 0, (n + 1) * 32).astype("<u8").view(np.uint8)
    q = np.stack([u_bytes[b * 256:b * 256 + size] for b in range(n)])
    f = (u[:, 31] >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
    wide = np.float32(t["scale"]) * (np.float32(0.75) + np.float32(0.5) * f)
    d = wide.astype(np.float16)
    power = np.frexp(wide)[1] - 1
    if d_at is not None:
        q[:, d_at:d_at + 2] = d.view(np.uint8).reshape(n, 2)
    if m_at is not None:
        m = (np.float32(ratio) * d.astype(np.float32)).astype(np.float16)
        q[:, m_at:m_at + 2] = m.view(np.uint8).reshape(n, 2)
    if t["type"] == "IQ1_M":
        for i in range(4):
            nibble = (d.view(np.uint16) >> (4 * i)) & 15
            q[:, 49 + 2 * i] = (q[:, 49 + 2 * i] & 15) | (nibble << 4)
    if t["type"] == "Q8_K":
        q[:, :4] = wide.view(np.uint8).reshape(n, 4)
    if t["type"] == "MXFP4":
        q[:, 0] = power + 128
    if t["type"] == "NVFP4":
        q[:, :4] = (np.clip(power + 8, 1, 14) << 3)[:, None] | (q[:, :4] & 7)
    return q


def dequantize(t):
    q, name = blocks(t), t["type"]
    if name == "Q8_1":
        return llm.half(q, 0) * q[:, 4:].view(np.int8)
    if name == "Q8_K":
        return q[:, :4].copy().view(np.float32) * q[:, 4:260].view(np.int8)
    if name in ("Q1_0", "Q2_0"):
        bits = 1 if name == "Q1_0" else 2
        codes = (q[:, 2:, None] >> np.arange(0, 8, bits)) & (2 ** bits - 1)
        return llm.half(q, 0) * ((3 - bits) * codes.reshape(len(q), -1) - 1.0)
    return gguf.quants.dequantize(q, gguf.GGMLQuantizationType[name])


def main():
    torch.manual_seed(0)
    llm.BLOCK = {name: size_of(name) for name in RULES}
    llm.SPREAD = {name: rule[3] for name, rule in RULES.items()}
    llm.dequantize = dequantize
    cases = []
    for name in RULES:
        c = llm.case(f"llama_{name.lower()}", "llama", 8, name, n_embd=256, n_layer=2, n_ff=256, n_head=4, n_kv=2,
                     d=64)
        y = llm.logits(llm.build(c), c["tokens"])
        np.save(HERE / f"{c['name']}.npy", y)
        print(c["name"], "range", float(y.max() - y.min()))
        cases.append(c)
    (HERE / "type_cases.json").write_text(json.dumps({
        "generator": "gen_type_goldens.py", "torch": torch.__version__, "transformers": transformers.__version__,
        "numpy": np.__version__, "gguf": importlib.metadata.version("gguf"), "cases": cases}, separators=(",", ":")))


if __name__ == "__main__":
    main()
