#!/usr/bin/env python3
"""Goldens against llama.cpp: every seeded model is written as a GGUF file and run there.

usage: tests/golden/compare_llama.py LLAMA_SOURCE LLAMA_LIBRARIES [WORD]
  LLAMA_SOURCE     a source tree of llama.cpp, for its headers
  LLAMA_LIBRARIES  the folder with libllama and libggml of the same version
  WORD             only cases whose name contains it

Logits must lie within 1e-3 of the range of the golden (which transformers made and which Hearth
meets within 1e-4). This shows that the keys and tensor names of our models are those of real files.
Cases with quantised weights are left out: llama.cpp rounds activations in other groups. Where it is
known to compute something else than transformers, KNOWN says what.

Needs: numpy, gguf, a C compiler, and what gen_llm_goldens.py needs.
"""
import json
import pathlib
import runpy
import subprocess
import sys
import tempfile

import gguf
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
RULE = runpy.run_path(str(HERE / "llm" / "gen_llm_goldens.py"), run_name="rule")
FLOATS = {"F32": np.float32, "F16": np.float16}
LIMIT = 1e-3
BF16_LIMIT = 1e-2  # llama.cpp rounds activations to bfloat16 before it multiplies with such weights
KNOWN = {
    "gemma4_e2b": "takes the last two layers with keys of their own for a local and a global one",
    "gemma4_31b": "rounds gelu to halves; transformers does it with the same 2.21e-3 then",
    "gemma4_moe": "rounds gelu to halves",
    "gemma4_bf16": "rounds gelu to halves",
    "deepseek2_lite": "takes 26 or 27 layers, and no others, for V2-Lite",
    "deepseek2_bf16": "takes 26 or 27 layers, and no others, for V2-Lite",
    "deepseek2_f16": "takes 26 or 27 layers, and no others, for V2-Lite",
    "deepseek2_groups": "judges groups by two experts where V2's network does by one",
    "deepseek3_yarn": "multiplies scores by YaRN's factor also where the rotation has it",
    "gemma2_scale": "does not read attention.scale",
    "gemma3_linear": "does not read attention.scale",
    "phi3_window": "leaves out the sliding window of phi3",
    "starcoder2_window": "leaves out the sliding window of starcoder2",
}


def build_peer(source, libraries, out):
    names = [p for p in libraries.iterdir() if p.name.startswith(("libllama.", "libggml.", "libggml-base."))]
    subprocess.run(["cc", "-O1", "-o", out, HERE.parents[1] / "bench/peers/llama_logits.c", f"-I{source}/include",
                    f"-I{source}/ggml/include", *names, f"-Wl,-rpath,{libraries}"], check=True)


def add_key(w, key, v):
    if isinstance(v, str):
        w.add_string(key, v)
    elif isinstance(v, bool):
        w.add_bool(key, v)
    elif isinstance(v, list):
        w.add_array(key, [bool(x) for x in v] if key.endswith("pattern") else v)
    elif isinstance(v, int) and "freq_base" not in key and "factor" not in key:
        w.add_uint32(key, v)
    else:
        w.add_float32(key, float(v))


def write_model(case, path):
    w = gguf.GGUFWriter(path, case["arch"])
    for key, v in case["kv"].items():
        add_key(w, f"{case['arch']}.{key}", v)
    w.add_string("tokenizer.ggml.model", "no_vocab")
    for t in case["tensors"]:
        x = RULE["plain_values"](t).reshape(t["shape"])
        if t["type"] == "BF16":
            w.add_tensor(t["name"], gguf.quants.quantize(x, gguf.GGMLQuantizationType.BF16),
                         raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            w.add_tensor(t["name"], x.astype(FLOATS[t["type"]]))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def difference(case, golden, peer, libraries, folder):
    path = folder / (case["name"] + ".gguf")
    write_model(case, path)
    want = np.load(golden)
    tokens = "\n".join(map(str, case["tokens"]))
    r = subprocess.run([peer, libraries, path], input=tokens.encode(), capture_output=True)
    path.unlink()
    if r.returncode:
        return None, r.stderr.decode(errors="replace").strip().splitlines()[:3]
    got = np.frombuffer(r.stdout, np.float32).reshape(len(case["tokens"]), -1)[:len(want)]
    return float(np.abs(got - want).max() / (want.max() - want.min())), []


def main():
    source, libraries = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    word = sys.argv[3] if len(sys.argv) > 3 else ""
    counts = {"agree": 0, "known": 0, "DIFFER": 0, "not loaded": 0}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        peer = folder / "llama_logits"
        build_peer(source, libraries, peer)
        for file in sorted((HERE / "llm").glob("*cases.json")):
            for case in json.loads(file.read_text())["cases"]:
                golden = HERE / "llm" / (case["name"] + ".npy")
                plain = all(t["type"] in ("F32", "F16", "BF16") for t in case["tensors"])
                if word not in case["name"] or not plain or not golden.exists():
                    continue
                worst, why = difference(case, golden, peer, libraries, folder)
                limit = BF16_LIMIT if case["type"] == "BF16" else LIMIT
                verdict = "not loaded" if worst is None else "agree" if worst <= limit else "DIFFER"
                if verdict != "agree" and case["name"] in KNOWN:
                    verdict, why = "known", [KNOWN[case["name"]]]
                counts[verdict] += 1
                figure = "" if worst is None else f"{worst:.2e} of the range"
                print(f"{case['arch']:<14} {case['name']:<22} {verdict:<10} {figure} {' | '.join(why)}", flush=True)
    print(", ".join(f"{n} {k}" for k, n in counts.items()))
    raise SystemExit(1 if counts["DIFFER"] + counts["not loaded"] else 0)


main()
