#!/usr/bin/env python3
"""Makes the seeds in corpus/fuzz_safetensors with the safetensors package (0.8.0) and torch.

tests/unit/test_safetensors.c knows what is in them.
"""
import pathlib

import torch
from safetensors.torch import save

OUT = pathlib.Path(__file__).parent / "corpus/fuzz_safetensors"
OUT.mkdir(parents=True, exist_ok=True)
count = lambda n, *shape, to=torch.float32: torch.arange(n).to(to).reshape(shape)

(OUT / "empty").write_bytes(save({}))
(OUT / "types").write_bytes(save({
    "f32": count(6, 2, 3), "f16": count(6, 3, 2, to=torch.float16), "bf16": count(5, 5, to=torch.bfloat16),
    "f64": count(2, 2, to=torch.float64), "i8": count(3, 3, to=torch.int8), "u8": count(3, 3, to=torch.uint8),
    "i16": count(3, 3, to=torch.int16), "i32": count(3, 3, to=torch.int32), "i64": count(3, 3, to=torch.int64),
    "bool": torch.tensor([True, False, True]), "e4m3": count(4, 2, 2, to=torch.float8_e4m3fn),
    "e5m2": count(4, 4, to=torch.float8_e5m2)}))
(OUT / "shapes").write_bytes(save({
    "scalar": torch.tensor(7.0), "none": torch.zeros(0, 3), "five": count(32, 2, 2, 2, 2, 2),
    'na"me\\\u00e9': count(1, 1)}, metadata={"format": "pt", "note": "line\nline"}))
