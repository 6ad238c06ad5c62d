#!/usr/bin/env python3
"""Compares our GGUF reader and writer with the Python package `gguf`. Not run in CI.

1. A model that our writer made is read by gguf.GGUFReader: dequantised values are finite, and the
   architecture, counts and vocabulary are those of tests/support/model_file.c.
2. A file that gguf.GGUFWriter made goes through our reader and writer: the same bytes come out.
3. The same for real files; without tensor padding at the end, keys and tensors must be equal.

Usage: check_gguf.py build/release/tests/test_gguf_write [FILE.gguf ...]. Last run with gguf 0.19.0,
numpy 2.4.6.
"""
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np


def contents(path):
    r = gguf.GGUFReader(path)
    keys = {k: (f.types, f.contents()) for k, f in r.fields.items() if not k.startswith("GGUF.")}
    tensors = {t.name: (int(t.tensor_type), t.shape.tolist(), bytes(t.data)) for t in r.tensors}
    return keys, tensors


def check_ours(tool, tmp):
    path = tmp / "ours.gguf"
    subprocess.run([tool, "--make", path], check=True)
    keys, tensors = contents(path)
    assert keys["general.architecture"][1] == "qwen2"
    assert len(keys["tokenizer.ggml.tokens"][1]) == 300
    assert keys["tokenizer.ggml.tokens"][1][:4] == ["<unk>", "<s>", "</s>", "<0x00>"]
    assert len(tensors) == 2 * 12 + 3, len(tensors)
    for t in gguf.GGUFReader(path).tensors:
        v = gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64)
        assert np.isfinite(v).all() and 0.01 < v.std() < 1, (t.name, v.std())
        print(f"  {t.name:28} {t.tensor_type.name:5} mean {v.mean():7.4f} sd {v.std():.4f}")


def write_theirs(path):
    w = gguf.GGUFWriter(path, "llama")
    rng = np.random.default_rng(1)
    w.add_uint8("u8", 255), w.add_int8("i8", -128), w.add_uint16("u16", 65535)
    w.add_int16("i16", -1), w.add_int32("i32", -1), w.add_uint64("u64", 2**64 - 1)
    w.add_int64("i64", -2**63), w.add_float64("f64", 1e300), w.add_bool("b", True)
    w.add_array("words", ["a", "\u00e9", ""]), w.add_array("flags", [True, False])
    w.add_array("floats", [0.5, -1.0]), w.add_string("text", "\u2581x")
    for kind in ("Q4_0", "Q8_0", "Q5_1", "BF16", "F16"):
        v = rng.standard_normal((3, 64), dtype=np.float32)
        kind = gguf.GGMLQuantizationType[kind]
        w.add_tensor(kind.name, gguf.quants.quantize(v, kind), raw_dtype=kind)
    w.add_tensor("f32", rng.standard_normal((2, 3, 5), dtype=np.float32))
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


def check_copy(tool, tmp, path):
    copy = tmp / "copy.gguf"
    subprocess.run([tool, "--copy", path, copy], check=True)
    assert contents(path) == contents(copy), path
    equal = pathlib.Path(path).read_bytes() == copy.read_bytes()
    print(f"  {pathlib.Path(path).name}: equal{', the same bytes' if equal else ''}")
    return equal


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        check_ours(tool, tmp)
        write_theirs(tmp / "theirs.gguf")
        assert check_copy(tool, tmp, tmp / "theirs.gguf")
        for path in sys.argv[2:]:
            check_copy(tool, tmp, path)
    print("ok")


main()
