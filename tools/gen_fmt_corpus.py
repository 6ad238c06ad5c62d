#!/usr/bin/env python3
"""Writes the seed corpora of tests/fuzz/fuzz_gguf.c and fuzz_npy.c. Standard library only.

The encoder is written from the format description, not from src/fmt, so that the seeds are also a
second opinion: tests/fuzz replays them in every test run. Usage: gen_fmt_corpus.py [DIR]
"""
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
CODE = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q",
        I64: "q", F64: "d"}


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def value(kind, v):
    if kind == STR:
        return text(v)
    if kind == ARR:  # (item type, items)
        return struct.pack("<IQ", v[0], len(v[1])) + b"".join(value(v[0], x) for x in v[1])
    return struct.pack("<" + CODE[kind], v)


def gguf(keys, tensors, version=3, alignment=32):
    """keys: (name, type, value); tensors: (name, dims, type id, bytes of data)."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for name, kind, v in keys:
        out += text(name) + struct.pack("<I", kind) + value(kind, v)
    offset, data = 0, b""
    for name, dims, kind, n in tensors:
        out += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        out += struct.pack("<IQ", kind, offset)
        data += bytes(i & 255 for i in range(n)) + bytes(-n % alignment)
        offset = len(data)
    return out + bytes(-len(out) % alignment) + data


def gguf_seeds():
    every = [(f"k{t}", t, 1) for t in CODE]
    arrays = [(f"a{t}", ARR, (t, [1, 0, 1])) for t in CODE]
    words = [("words", ARR, (STR, ["<s>", "", "\u2581the", "\u00e9"])), ("none", ARR, (STR, [])),
             ("nested", ARR, (ARR, [(U8, [1, 2]), (STR, ["x"]), (ARR, [(I8, [])])]))]
    model = [("general.architecture", STR, "llama"), ("llama.block_count", U32, 1),
             ("general.alignment", U32, 32), ("tokenizer.ggml.tokens", ARR, (STR, ["a", "b"]))]
    tensors = [("token_embd.weight", [32, 2], 2, 36), ("output_norm.weight", [32], 0, 128),
               ("blk.0.ffn_up.weight", [32, 4, 1, 2], 8, 272), ("q4k", [256], 12, 144),
               ("scalar", [], 0, 4)]
    yield "empty_v2", gguf([], [], 2)
    yield "empty_v3", gguf([], [])
    yield "scalars", gguf(every + [("s", STR, "text")], [])
    yield "arrays", gguf(arrays + words, [])
    yield "model", gguf(model, tensors)
    yield "model_v2", gguf(model, tensors, 2)
    yield "align_1", gguf([("general.alignment", U32, 1)], tensors[:2], 3, 1)
    yield "align_64", gguf([("general.alignment", U16, 64)], tensors, 3, 64)

    def part(no, count, some):
        return gguf([("split.no", U16, no), ("split.count", U16, count),
                     ("split.tensors.count", I32, 4)], some)
    first, second = part(0, 2, tensors[:1]), part(1, 2, tensors[1:4])
    yield "split", b"2PRT" + struct.pack("<I", len(first)) + first + second
    yield "split_first_alone", first


def npy_seeds():
    def npy(major, text_, n):
        raw = text_.encode()
        length = struct.pack("<H" if major == 1 else "<I", len(raw))
        return b"\x93NUMPY" + bytes([major, 0]) + length + raw + bytes(n)
    for i, (descr, size) in enumerate([("<f4", 4), ("<f2", 2), ("<f8", 8), ("|i1", 1), ("|u1", 1),
                                       ("<i4", 4), ("<i8", 8), ("|b1", 1)]):
        shape = ["(3, 4)", "()", "(2,)", "(0, 5)"][i % 4]
        n = [12, 1, 2, 0][i % 4] * size
        head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
        yield f"v{i % 3 + 1}_{descr[1:]}", npy(i % 3 + 1, head + " " * 5 + "\n", n)
    yield "fortran", npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }\n", 4)


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "corpus"
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    for folder, seeds in (("fuzz_gguf", gguf_seeds()), ("fuzz_npy", npy_seeds())):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, data in seeds:
            (root / folder / name).write_bytes(data)


main()
