#!/usr/bin/env python3
"""Golden of the tensor types: what blocks of arbitrary bytes decode to.

usage: gen_types.py > types.txt

One line a type: name, blocks, FNV-1a of all decoded floats (their bits as little-endian 32-bit
words, every NaN as 7FC00000), the bits of the first eight. The bytes come from the rule of
../llm/gen_llm_goldens.py: byte j of block b is byte j % 8 of word b * 64 + j / 8 of the stream
"bytes of NAME". Scales are arbitrary too, infinities and NaN included.

The judge is the Python package gguf, except for types that it does not decode: Q8_1 and Q8_K (scale
times int8), Q1_0 and Q2_0 (llama.cpp's ggml-quants.c: bit j % 8 of byte j / 8, set for +d; code at
bit 2 (j % 4) of byte j / 4, minus 1), and plain numbers (NumPy's conversions).
"""
import importlib.metadata
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T, quants

N_BLOCKS = 64
MASK = (1 << 64) - 1


def words(name, n):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(h) + (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def half(q, at):
    return q[:, at:at + 2].copy().view(np.float16).astype(np.float32)


def codes(q, bits):  # of consecutive elements, the first in the lowest bits
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return ((q[:, :, None] >> shifts) & ((1 << bits) - 1)).reshape(len(q), -1).astype(np.float32)


OTHERS = {
    "Q8_1": (36, lambda q: half(q, 0) * q[:, 4:].view(np.int8).astype(np.float32)),
    "Q8_K": (292, lambda q: q[:, :4].copy().view(np.float32) * q[:, 4:260].view(np.int8).astype(np.float32)),
    "Q1_0": (18, lambda q: half(q, 0) * (2 * codes(q[:, 2:], 1) - 1)),
    "Q2_0": (18, lambda q: half(q, 0) * (codes(q[:, 2:], 2) - 1)),
    "F32": (4, lambda q: q.copy().view(np.float32)),
    "F16": (2, lambda q: half(q, 0)),
    "F64": (8, lambda q: q.copy().view(np.float64).astype(np.float32)),
    "I8": (1, lambda q: q.copy().view(np.int8).astype(np.float32)),
    "I16": (2, lambda q: q.copy().view(np.int16).astype(np.float32)),
    "I32": (4, lambda q: q.copy().view(np.int32).astype(np.float32)),
    "I64": (8, lambda q: q.copy().view(np.int64).astype(np.float32)),
}


def decode(name):
    size = OTHERS[name][0] if name in OTHERS else GGML_QUANT_SIZES[T[name]][1]
    raw = words("bytes of " + name, N_BLOCKS * 64).astype("<u8").view(np.uint8).reshape(N_BLOCKS, 512)[:, :size]
    raw = np.ascontiguousarray(raw)
    if name in OTHERS:
        return OTHERS[name][1](raw)
    return quants.dequantize(raw, T[name])


def main():
    names = [t.name for t in quants._type_traits] + list(OTHERS)
    print(f"# made by gen_types.py with gguf {importlib.metadata.version('gguf')}, numpy {np.__version__}")
    with np.errstate(all="ignore"):
        for name in sorted(names):
            x = np.ascontiguousarray(decode(name), dtype=np.float32).reshape(-1)
            bits = np.where(np.isnan(x), np.uint32(0x7FC00000), x.view(np.uint32))
            h = 0xCBF29CE484222325
            for byte in bits.astype("<u4").tobytes():
                h = ((h ^ byte) * 0x100000001B3) & MASK
            print(name, N_BLOCKS, f"{h:016x}", *(f"{b:08x}" for b in bits[:8]))


sys.exit(main())
