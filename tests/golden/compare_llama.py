#!/usr/bin/env python3
"""Goldens against llama.cpp: every seeded model is written as a GGUF file and run there.

usage: tests/golden/compare_llama.py LLAMA_SOURCE LLAMA_LIBRARIES [WORD]
  LLAMA_SOURCE     a source tree of llama.cpp, for its headers
  LLAMA_LIBRARIES  the folder with libllama and libggml of the same version
  WORD             only cases whose name contains it

Logits must lie within 1e-3 of the range of the golden (which transformers made and which Hearth
meets within 1e-4); of encoders the last hidden states and the text's vector. This shows that the keys
and tensor names of our models are those of real files. Cases with quantised weights are left out:
llama.cpp rounds activations in other groups. Where it is known to compute something else than
transformers, KNOWN says what.

Two things that llama.cpp cannot be asked for in a file are given to it by hand: YaRN's turns, and the
second part of an encoder's text (its token type, as embeddings in place of tokens).

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
GELU_LIMIT = 5e-3  # it takes GELU from a table of half floats
# gemma4's scores are not scaled down: it answers a change with a larger one than others. With both roundings
# in the golden's network too, the difference is 4e-3 (BF16), 5e-3 (E4B; the same network in float32: 3e-3).
# Files without a cap of logits get one of 30 there, which is some 3e-3 of gemma4_moe and gemma4_bf16.
LIMITS = {"gemma4_bf16": 4e-2, "gemma4_e4b": 2e-2}
V2_LITE = "takes 26 or 27 layers, and no others, for V2-Lite"
HEADS = "computes states in heads of 64 (16 to 32 go over their end)"
KNOWN = {
    "deepseek2_lite": V2_LITE,
    "deepseek2_bf16": V2_LITE,
    "deepseek2_f16": V2_LITE,
    "gemma3n": "takes widths of inputs other than 256 for errors",
    "gemma3n_e2b": "divides the variance of gates by n - 1, rounds gelu to halves; transformers with both: 1.2e-3",
    "gemma3n_bf16": "takes streams other than 4 for errors",
    "deepseek2_groups": "judges groups by two experts where V2's network does by one",
    "deepseek3_yarn": "multiplies scores by YaRN's factor also where the rotation has it",
    "gemma2_scale": "does not read attention.scale",
    "gemma3_linear": "does not read attention.scale",
    "gemma4_e2b": "takes keys of the last two layers that have some, one local and one global",
    "gpt_oss": "rounds the bounds of YaRN's ramp, where gpt-oss' configuration says truncate: false",
    "granitemoe_still": "turns positions whatever rope.scaling.finetuned says",
    "lfm2_taps": "takes heads that fill the width, and no others",
    "mixtral_apart": "no longer reads files with a tensor for each expert",
    "phi3_window": "leaves out the sliding window of phi3",
    "qwen35": "wants every tensor of a layer that predicts further tokens, where the case has one",
    "qwen3_yarn": "does not read YaRN's attention factor",
    "rwkv7": HEADS,
    "rwkv7_f16": HEADS,
    "rwkv7_wide": HEADS,
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
    elif isinstance(v, list) and "sparsity" in key:
        w.add_array(key, [float(x) if x > -1e39 else -np.inf for x in v])
    elif isinstance(v, list):
        w.add_array(key, [bool(x) for x in v] if key.endswith("pattern") else v)
    elif isinstance(v, int) and "freq_base" not in key and "factor" not in key:
        w.add_uint32(key, v)
    else:
        w.add_float32(key, float(v))


def write_model(case, path, has_dense=True):
    """`has_dense`: with the layers that follow pooling; llama.cpp takes single states through them too."""
    w = gguf.GGUFWriter(path, case["arch"])
    for key, v in case["kv"].items():
        if has_dense or not key.startswith("dense_"):
            add_key(w, f"{case['arch']}.{key}", v)
    w.add_string("tokenizer.ggml.model", "no_vocab")
    for t in case["tensors"]:
        if t["name"].startswith("dense_") and not has_dense:
            continue
        x = RULE["plain_values"](t).reshape(t["shape"])
        if t["name"] == "token_types.weight":
            w.add_token_type_count(len(x))
        if t["type"] == "BF16":
            w.add_tensor(t["name"], gguf.quants.quantize(x, gguf.GGMLQuantizationType.BF16),
                         raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            w.add_tensor(t["name"], x.astype(FLOATS[t["type"]]))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def words_for(case, folder):
    """What the file cannot say."""
    turns = {x: case["kv"].get("rope.scaling.yarn_beta_" + x) for x in ("fast", "slow")}
    words = [f"{x}={v}" for x, v in turns.items() if v is not None]
    tables = {t["name"]: RULE["plain_values"](t).reshape(t["shape"]) for t in case["tensors"] if "token_" in t["name"]}
    types = tables.get("token_types.weight", [])
    if len(types) > 1:  # llama.cpp adds the first row of the types to every token
        n = len(case["tokens"])
        inputs = tables["token_embd.weight"][case["tokens"]] + (types - types[0])[[int(i >= n * 2 // 3) for i in range(n)]]
        (folder / "inputs").write_bytes(inputs.astype(np.float32).tobytes())
        words.append(f"inputs={folder / 'inputs'}")
    return words


def differences(case, goldens, peer, libraries, folder):
    """Per golden the worst difference, or why there is none."""
    path = folder / (case["name"] + ".gguf")
    tokens = "\n".join(map(str, case["tokens"]))
    for golden, word in goldens:
        want = np.load(golden)
        write_model(case, path, "hidden" not in word)
        r = subprocess.run([peer, libraries, path, *words_for(case, folder), *word], input=tokens.encode(),
                           capture_output=True)
        if r.returncode:
            yield word, None, r.stderr.decode(errors="replace").strip().splitlines()[:3] or [f"ends by {r.returncode}"]
            continue
        got = np.frombuffer(r.stdout, np.float32)
        if len(got) < want.size or len(got) % want.shape[1]:
            yield word, None, [f"{len(got)} values, not {want.size}"]
        else:
            got = got.reshape(-1, want.shape[1])[:len(want)]
            span = want.max() - want.min() if want.size > 1 else abs(want[0, 0])
            yield word, float(np.abs(got - want).max() / span), []
    path.unlink()


def limit_of(case):
    if case["name"] in LIMITS:
        return LIMITS[case["name"]]
    return BF16_LIMIT if case["type"] == "BF16" else GELU_LIMIT if case["arch"].startswith("gemma") else LIMIT


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
                plain = all(t["type"] in ("F32", "F16", "BF16") for t in case["tensors"])
                logits, vector = (HERE / "llm" / (case["name"] + end) for end in (".npy", ".pooled.npy"))
                goldens = [(logits, ["hidden"]), (vector, ["vector"])] if vector.exists() else [(logits, [])]
                if word not in case["name"] or not plain or not logits.exists():
                    continue
                for asked, worst, why in differences(case, goldens, peer, libraries, folder):
                    verdict = "not loaded" if worst is None else "agree" if worst <= limit_of(case) else "DIFFER"
                    name = " ".join([case["name"], *asked])
                    if verdict != "agree" and (reason := KNOWN.get(name) or KNOWN.get(case["name"])):
                        verdict, why = "known", [reason]
                    counts[verdict] += 1
                    figure = "" if worst is None else f"{worst:.2e} of the range"
                    print(f"{case['arch']:<14} {name:<24} {verdict:<10} {figure} {' | '.join(why)}", flush=True)
    print(", ".join(f"{n} {k}" for k, n in counts.items()))
    raise SystemExit(1 if counts["DIFFER"] + counts["not loaded"] else 0)


main()
