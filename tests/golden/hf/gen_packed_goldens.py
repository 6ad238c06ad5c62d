#!/usr/bin/env python3
"""Matrices packed as GPTQ and AWQ folders hold them, and the values that they stand for.

Per case writes beside itself packed/NAME.safetensors (one layer's q_proj and down_proj in packed form),
packed/NAME.json (its quantization_config) and packed/NAME.q.npy, NAME.down.npy: w = s (q - z) in float32,
from the integers that were drawn and not from the packed words. The layouts are those of AutoGPTQ and
AutoAWQ, see src/hf/packed.c.

usage: gen_packed_goldens.py     needs numpy, safetensors; made with numpy 2, seed 5
"""
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent / "packed"
GPTQ = dict(quant_method="gptq", checkpoint_format="gptq")
CASES = {  # configuration, even zeros, order of inputs
    "gptq4": (GPTQ | dict(bits=4, group_size=32, sym=True), True, False),
    "gptq4_one": (GPTQ | dict(bits=4, group_size=-1, sym=True), True, False),
    "gptq4_asym": (GPTQ | dict(bits=4, group_size=32, sym=False), False, False),
    "gptq4_v2": (GPTQ | dict(bits=4, group_size=64, sym=False, checkpoint_format="gptq_v2"), False, False),
    "gptq4_order": (GPTQ | dict(bits=4, group_size=32, sym=True, desc_act=True), True, True),
    "gptq4_16": (GPTQ | dict(bits=4, group_size=16, sym=True), True, False),
    "gptq8": (GPTQ | dict(bits=8, group_size=32, sym=True), True, False),
    "gptq8_asym": (GPTQ | dict(bits=8, group_size=32, sym=False), False, False),
    "awq4": (dict(quant_method="awq", bits=4, group_size=32, version="gemm", zero_point=True), False, False),
}


def pack(x, bits, order=None):
    """[rows, n] codes side by side in words, code `order[i]` of each at place i."""
    per = 32 // bits
    x = x.reshape(x.shape[0], -1, per).astype(np.uint64)
    if order:
        x = x[:, :, order]
    words = sum(x[:, :, i] << np.uint64(bits * i) for i in range(per))
    return words.astype(np.uint32).view(np.int32)


def matrix(rng, config, n_in, n_out, even, reorders):
    bits, awq = config["bits"], config["quant_method"] == "awq"
    size = n_in if config["group_size"] < 0 else config["group_size"]
    n_group = n_in // size
    q = rng.integers(0, 2 ** bits, (n_in, n_out))
    z = np.full((n_group, n_out), 2 ** (bits - 1)) if even else rng.integers(0, 2 ** bits, (n_group, n_out))
    s = (rng.random((n_group, n_out)) * 0.02 + 0.001).astype(np.float16)
    g = np.arange(n_in) // size
    if reorders:
        g = rng.permutation(g)
    w = (s[g].astype(np.float32) * (q - z[g]).astype(np.float32)).T
    if awq:
        order = [0, 2, 4, 6, 1, 3, 5, 7]
        return w, {"qweight": pack(q, 4, order), "qzeros": pack(z, 4, order), "scales": s}
    if config["checkpoint_format"] == "gptq":
        z = (z - 1) % 2 ** bits
    return w, {"qweight": np.ascontiguousarray(pack(q.T, bits).T), "qzeros": pack(z, bits), "scales": s,
               "g_idx": g.astype(np.int32)}


def main():
    HERE.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    for name, (config, even, reorders) in CASES.items():
        tensors = {}
        for short, stem, n_in, n_out in (("q", "self_attn.q_proj", 64, 16), ("down", "mlp.down_proj", 128, 8)):
            w, parts = matrix(rng, config, n_in, n_out, even, reorders)
            np.save(HERE / f"{name}.{short}.npy", np.ascontiguousarray(w))
            tensors |= {f"model.layers.0.{stem}.{k}": np.ascontiguousarray(v) for k, v in parts.items()}
        tensors["model.layers.0.self_attn.q_proj.bias"] = np.zeros(16, np.float16)
        save_file(tensors, HERE / f"{name}.safetensors")
        (HERE / f"{name}.json").write_text(json.dumps(config) + "\n")


main()
