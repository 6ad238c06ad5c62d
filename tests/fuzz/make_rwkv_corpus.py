#!/usr/bin/env python3
"""Writes the seeds of fuzz_rwkv, which test_rwkv_bin.c takes apart too: tiny files of rwkv.cpp.

usage: make_rwkv_corpus.py   (Python alone; data is i % 251, since only shapes matter here)
"""
import pathlib
import struct

OUT = pathlib.Path(__file__).parent / "corpus" / "fuzz_rwkv"
F32, F16, Q5_0, Q8_0 = 0, 1, 7, 9
BLOCK = {F32: (1, 4), F16: (1, 2), Q5_0: (32, 22), Q8_0: (32, 34)}


def param(name, kind, *dims):
    n = 1
    for d in dims:
        n *= d
    length, size = BLOCK[kind]
    data = bytes(i % 251 for i in range(n // length * size))
    return struct.pack(f"<{3 + len(dims)}I", len(dims), len(name), kind, *dims) + name.encode() + data


def layer(i, n, kind, rank, n_ff):
    b = f"blocks.{i}."
    norms = [param(f"{b}{x}.{y}", F32, n) for x in ("ln1", "ln2", "att.ln_x") for y in ("weight", "bias")]
    if i == 0:
        norms += [param(f"{b}ln0.{y}", F32, n) for y in ("weight", "bias")]
    pairs = []
    for x in "wag" if i == 0 else "wavg":
        pairs += [param(f"{b}att.{x}1", F32, n, rank), param(f"{b}att.{x}2", F32, rank, n)]
        pairs += [param(f"{b}att.{x}0", F32, n, 1, 1)] if x != "g" else []
    squares = [param(f"{b}att.{x}.weight", kind, n, n) for x in ("receptance", "key", "value", "output")]
    return norms + pairs + squares + [
        param(b + "att.x_rwkvag", F32, n, 1, 6), param(b + "att.k_k", F32, n, 1, 1), param(b + "att.k_a", F32, n, 1, 1),
        param(b + "att.r_k", F32, n // 2, 2), param(b + "ffn.x_k", F32, n, 1, 1),
        param(b + "ffn.key.weight", kind, n, n_ff), param(b + "ffn.value.weight", kind, n_ff, n)]


def model(n, n_layer, kind, vocab, version=101):
    params = [param("emb.weight", F32, n, vocab)]
    for i in range(n_layer):
        params += layer(i, n, kind, 2, n)
    params += [param("ln_out.weight", F32, n), param("ln_out.bias", F32, n), param("head.weight", F32, n, vocab)]
    return struct.pack("<6I", 0x67676D66, version, vocab, n, n_layer, kind) + b"".join(params)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "two_layers").write_bytes(model(4, 2, F32, 8))
    (OUT / "one_layer_f16").write_bytes(model(4, 1, F16, 8, 100))
    (OUT / "bytes").write_bytes(model(2, 1, F32, 256))
    (OUT / "q5_0").write_bytes(model(32, 1, Q5_0, 2))
    (OUT / "version_4").write_bytes(struct.pack("<6I", 0x67676D66, 101, 2, 2, 1, F32) + param("blocks.0.att.time_decay", F32, 2))
    (OUT / "no_parameter").write_bytes(struct.pack("<6I", 0x67676D66, 101, 8, 4, 2, F32))


main()
