#!/usr/bin/env python3
"""Hugging Face folders of the seeded models, and what llama.cpp's converter makes of them.

Writes beside itself folders.json: per case the text of config.json, how each tensor of the folder is
made of the tensors of a case in ../llm, the type asked for, and the keys and tensors (CRC-32 of their
bytes) of the GGUF file that convert_hf_to_gguf.py writes. tests/golden/test_hf.c makes the same folder,
converts it and compares; logits of both routes are compared with ../llm/NAME.npy. Also writes the
tokenizer files tokenizer.json, tokenizer_config.json (byte-level BPE) and spm.model, spm_config.json,
which all folders share.

The converter knows a tokenizer's split by a hash of its output on one text; for our tiny tokenizer the
answer ("qwen2") is put in its place. AutoTokenizer would add tokens of the family's published models;
the tokenizer is read as the file has it. Nothing else is changed.

usage: gen_hf_goldens.py LLAMA_CPP [NAME ...]   (a tree of llama.cpp with convert_hf_to_gguf.py; only these cases)
Needs numpy, torch, transformers, tokenizers, sentencepiece, safetensors, gguf.
"""
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "llm"))
import gen_llm_goldens as plain  # noqa: E402
from gen_llm_goldens import values  # noqa: E402

# Case, type asked for. One per family and per way of storing things.
CASES = {"llama_gqa": "q8_0", "qwen2_bias": "bf16", "qwen3_norms": "f16", "mixtral": "f16", "qwen2moe": "f16",
         "qwen3moe_bf16": "bf16", "gemma": "f16", "gemma2": "q8_0", "gemma3_linear": "f32", "granite": "f16",
         "olmo2": "bf16", "phi3": "f16", "phi3_long": "f16", "starcoder2": "f32", "command_r": "f16",
         "smollm3": "f16", "mistral3": "f16", "phi2": "f16", "cohere2": "f32", "olmo3": "bf16", "granitemoe": "f16",
         "granitemoe_shared": "f32", "gpt_oss": "f16", "gpt_oss_mxfp4": "bf16", "deepseek2_lite": "f16",
         "deepseek3": "bf16", "lfm2": "f16", "lfm2_taps": "f32"}
# Whose config.json is as the library saves it.
AS_SAVED = ("smollm3", "mistral3", "phi2", "cohere2", "olmo2", "granitemoe", "gpt-oss", "deepseek2", "lfm2")
ARCHS = {"command-r": "COMMAND_R", "gpt-oss": "GPT_OSS", "granitemoe": "GRANITE_MOE"}
PAIRED = ("llama", "granite", "granitemoe", "mistral3", "smollm3")
RUN = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/gguf-py"]
import conversion.base
conversion.base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
import transformers
transformers.AutoTokenizer = transformers.PreTrainedTokenizerFast
import convert_hf_to_gguf
sys.argv = ["convert", "--outtype", sys.argv[4], "--outfile", sys.argv[3], sys.argv[2]]
convert_hf_to_gguf.main()
"""


# --- tokenizers -------------------------------------------------------------------------------------

def make_tokenizers():
    import sentencepiece
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    text = ["the quick brown fox jumps over the lazy dog", "hello world and hello moon", "a man a plan a canal",
            "numbers 123 45 and 7", "she sells sea shells on the sea shore"] * 20
    split = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
             r"\s*[\r\n]+|\s+(?!\S)|\s+")
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(split), "isolated", False),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=90, show_progress=False))
    t.add_special_tokens(["<|begin|>", "<|end|>"])
    t.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    t.save(str(HERE / "tokenizer.json"))
    put = lambda name, d: (HERE / name).write_text(json.dumps(d, indent=1) + "\n")
    put("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin|>",
                                  "eos_token": "<|end|>", "add_bos_token": False,
                                  "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}"})
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, vocab_size=60, model_type="bpe", hard_vocab_limit=False,
        user_defined_symbols=["<tool>"], normalization_rule_name="identity", minloglevel=2)
    (HERE / "spm.model").write_bytes(model.getvalue())
    put("spm_config.json", {"tokenizer_class": "GemmaTokenizer", "bos_token": "<s>", "eos_token": "</s>",
                            "add_bos_token": True, "added_tokens_decoder": {
                                "3": {"content": "<tool>", "special": False},
                                "70": {"content": "<end_of_turn>", "special": True}}})


# --- folders ----------------------------------------------------------------------------------------

def all_cases():
    """set of ../llm, name, (tensors, keys), network."""
    yield "cases", "llama_gqa", (c := plain.case("llama_gqa", "llama", 80)), plain.build(c)
    yield "cases", "qwen2_bias", (c := plain.case("qwen2_bias", "qwen2", 80, n_head=6, n_kv=2, d=16, n_embd=96, tied=True,
                                         base=1e6, eps=1e-6)), plain.build(c)
    yield "cases", "qwen3_norms", (c := plain.case("qwen3_norms", "qwen3", 80, n_head=6, n_kv=3, d=32, n_embd=96, base=1e6,
                                          eps=1e-6)), plain.build(c)
    source = (HERE.parent / "llm/gen_arch_goldens.py").read_text().rsplit("\nmain()", 1)[0]
    arch = {"__file__": str(HERE.parent / "llm/gen_arch_goldens.py"), "__name__": "arch"}
    exec(compile(source, "gen_arch_goldens.py", "exec"), arch)
    for c, net in arch["cases"]():
        yield "arch_cases", c.name, c.json(), net
    import gen_latent_goldens
    import gen_plain_goldens
    import gen_recurrent_goldens
    for name, module in (("plain_cases", gen_plain_goldens), ("latent_cases", gen_latent_goldens)):
        for c, net in module.cases():
            yield name, c.name, c.json(), net
    for c, run in gen_recurrent_goldens.cases():
        if c.name.startswith("lfm2"):
            yield "recurrent_cases", c.name, c.json(), run.net


def config_of(c, folder):
    """What the network's library saved, with the rotation that the golden has."""
    kv, d = c["kv"], json.loads((folder / "config.json").read_text())
    if c["name"] in CASES and c["arch"] in AS_SAVED and c["name"] != "olmo2":
        d["tie_word_embeddings"] = all(t["name"] != "output.weight" for t in c["tensors"])
        # What published configurations say, and the library's class does not.
        if c["arch"] == "smollm3":
            d["rope_parameters"] = {"rope_theta": kv["rope.freq_base"], "rope_type": "default"}
        if c["arch"] == "cohere2":
            d["rotary_pct"] = 1.0
        if c["name"] == "deepseek3":
            d |= {"scoring_func": "sigmoid", "topk_method": "noaux_tc"}
        if c["name"] == "deepseek2_lite":
            d |= {"scoring_func": "softmax", "topk_method": "greedy"}
        if c["arch"] == "lfm2":
            d |= {"block_ff_dim": d["intermediate_size"]}
        if c["name"] == "gpt_oss_mxfp4":
            d["quantization_config"] = {"quant_method": "mxfp4"}
        return json.dumps(d, indent=1)
    rope = {"rope_theta": kv["rope.freq_base"], "rope_type": "default"}
    if "rope.scaling.factor" in kv:
        rope.update(rope_type="linear", factor=kv["rope.scaling.factor"])
    if c["arch"] == "gemma3":
        rope = {"full_attention": rope, "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}}
    if c["arch"] == "phi3":
        rope["partial_rotary_factor"] = kv["rope.dimension_count"] * d["num_attention_heads"] / d["hidden_size"]
    original = kv.get("rope.scaling.original_context_length")
    if original:
        tensors = {t["name"]: t for t in c["tensors"]}
        factors = {x: [float(v) for v in values(tensors[f"rope_factors_{x}.weight"])] for x in ("long", "short")}
        rope.update(rope_type="longrope", original_max_position_embeddings=original,
                    attention_factor=1.1875, long_factor=factors["long"], short_factor=factors["short"])
        # The converter computes attention_factor from lengths: these give the same to three digits.
        scale = original ** (1.1875 ** 2 - 1)
        d["max_position_embeddings"] = round(original * scale)
        d["original_max_position_embeddings"] = original
    if c["name"] == "qwen2_bias":
        d["tie_word_embeddings"] = True
    d["rope_parameters"] = rope
    return json.dumps(d, indent=1)


def part(source, origin, *steps, **more):
    """Element (i, r, s) of a tensor of the case, i contiguous, goes to origin + i steps[0] + r steps[1] + s steps[2]."""
    return {"from": source, "cut": [origin, *steps], **more}


def rules_of_parts(c, theirs, shape, tensors):
    """Tensors of the folder that are made of several of the case, or of one turned over. None: rule_of() says."""
    if ".layers." not in theirs:
        return None
    b, stem = f"blk.{theirs.split('.')[2]}.", theirs.split(".", 3)[3]
    rule = lambda *parts, name=theirs, shape=shape: [{"name": name, "shape": list(shape), "parts": list(parts)}]
    if stem.endswith("input_linear.weight"):
        end = "exps" if "sparse" in stem else "shexp"
        f, n = shape[-2] // 2, shape[-1]
        return rule(*(part(f"{b}ffn_{x}_{end}.weight", k * f * n, 1, n, 2 * f * n) for k, x in enumerate(("gate", "up"))))
    if stem == "self_attn.kv_b_proj.weight" and f"{b}attn_k_b.weight" in tensors:
        heads, latent, plain = tensors[f"{b}attn_k_b.weight"]["shape"]
        head = shape[0] // heads * latent
        return rule(part(f"{b}attn_k_b.weight", 0, latent, 1, head), part(f"{b}attn_v_b.weight", plain * latent, 1, latent, head))
    if stem == "conv.conv.weight":
        return rule(part(f"{b}shortconv.conv.weight", 0, 1, shape[2], 0))
    if stem == "self_attn.sinks":
        return rule(part(f"{b}attn_sinks.weight", 0, 1, 0, 0))
    if c["arch"] != "gpt-oss" or ".experts." not in stem:
        return None
    which = [(f"{b}ffn_{x}_exps", k) for k, x in enumerate(("gate", "up"))] if "gate_up" in stem else [(f"{b}ffn_down_exps", 0)]
    step = len(which)
    if stem.endswith("_bias"):
        return rule(*(part(x + ".bias", k, step, shape[1], 0) for x, k in which))
    if tensors[which[0][0] + ".weight"]["type"] != "MXFP4":
        n, rows = shape[1:]
        return rule(*(part(x + ".weight", k, rows, step, n * rows) for x, k in which))
    n, rows, blocks = shape[0], shape[2], shape[1] // 32
    cuts = [(x + ".weight", k * blocks, 1, step * blocks, rows * blocks) for x, k in which]
    return (rule(*(part(*cut, mx="codes") for cut in cuts), name=theirs + "_blocks", shape=(n, rows, blocks, 16)) +
            rule(*(part(*cut, mx="scales") for cut in cuts), name=theirs + "_scales", shape=(n, rows, blocks)))


def gather(rule, tensors):
    """The tensor that parts make."""
    y = None
    for p in rule["parts"]:
        t, mx = tensors[p["from"]], p.get("mx")
        origin, *steps = p["cut"]
        if mx:
            import gen_type_goldens
            q = gen_type_goldens.blocks(t)
            v = np.stack([q[:, 1:] & 15, q[:, 1:] >> 4], 1).reshape(len(q), 32)  # in order
            x = v[:, 0::2] | v[:, 1::2] << 4 if mx == "codes" else q[:, :1]
            x = torch.from_numpy(np.ascontiguousarray(x)).reshape(*t["shape"][:-1], t["shape"][-1] // 32, -1)
        else:
            x = values(t).to(KINDS[t["type"]])[..., None]
        if y is None:
            y = torch.zeros(int(np.prod(rule["shape"])) // x.shape[-1], x.shape[-1], dtype=x.dtype)
        at = torch.tensor(origin)
        for step, size in zip(steps, reversed(x.shape[:-1])):
            at = at[None] + step * torch.arange(size).reshape(-1, *[1] * at.dim())
        y[at.reshape(-1)] = x.reshape(-1, x.shape[-1])
    return y.reshape(rule["shape"])


def rule_of(c, theirs, shape, tensors):
    """How a tensor of the folder comes from one of the case: which, rows, reordering, shift."""
    import gguf
    arch = ARCHS.get(c["arch"], c["arch"].upper())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch], 99)
    parts, expert = theirs.split("."), None
    if ".experts." in theirs:
        at = parts.index("experts") + 1
        expert = int(parts.pop(at))
        stem = ".".join(parts).removesuffix(".weight").replace("model.layers", "layers")
        stem = stem.replace("block_sparse_moe.experts", "feed_forward.experts")
        stem = stem if "feed_forward" in stem else "model." + stem
        ours = names.get_name(stem) + ".weight"
    else:
        known = theirs.replace("_correction_bias", "_correction.bias")
        ours = names.get_name(known, try_suffixes=(".weight", ".bias"))
        if ours and theirs.endswith((".weight", ".bias")) and not ours.endswith((".weight", ".bias")):
            ours += "." + parts[-1]
    if theirs == "lm_head.weight" and ours not in tensors:
        return None
    rule = {"name": theirs, "from": ours}
    if expert is not None:
        rule |= {"expert": expert}
    if c["arch"] in PAIRED and parts[-2] in ("q_proj", "k_proj"):
        n = "attention.head_count" + ("_kv" if parts[-2] == "k_proj" else "")
        rule["heads"] = c["kv"][n]
    if c["arch"].startswith("gemma") and "norm" in theirs:
        rule["shift"] = -1
    return rule


KINDS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def apply(rule, tensors):
    if "parts" in rule:
        return gather(rule, tensors)
    t = tensors[rule["from"]]
    x = values(t)
    if "expert" in rule:
        x = x[rule["expert"]]
    if "heads" in rule:
        d = x.shape[0] // rule["heads"]
        x = x.reshape(rule["heads"], d // 2, 2, -1).transpose(1, 2).reshape(x.shape)
    return (x + rule.get("shift", 0)).to(KINDS[t["type"]]).contiguous()


def make_folder(c, net, folder):
    from safetensors.torch import load_file, save_file
    net.float().save_pretrained(folder)
    saved = load_file(folder / "model.safetensors")
    tensors = {t["name"]: t for t in c["tensors"]}
    rules = []
    for name, x in sorted(saved.items()):
        rules += rules_of_parts(c, name, x.shape, tensors) or [r for r in [rule_of(c, name, x.shape, tensors)] if r]
    made = {r["name"]: apply(r, tensors) for r in rules}
    for name, x in made.items():  # the rules say what the library says
        assert x.dtype == torch.uint8 or torch.allclose(x.float(), saved[name].float(), atol=1e-6, rtol=1e-2), name
    save_file(made, folder / "model.safetensors")
    config = config_of(c, folder)
    (folder / "config.json").write_text(config)
    spm = c["arch"].startswith(("gemma", "phi3"))
    if spm:
        shutil.copy(HERE / "spm.model", folder / "tokenizer.model")
    else:
        shutil.copy(HERE / "tokenizer.json", folder)
    shutil.copy(HERE / ("spm_config.json" if spm else "tokenizer_config.json"), folder / "tokenizer_config.json")
    return config, rules


# --- what the converter makes -----------------------------------------------------------------------

def encode(field):
    """A value's bytes as the file has them, without an array's head."""
    import gguf
    if field.types[-1] == gguf.GGUFValueType.STRING:
        return b"".join(len(s := bytes(field.parts[i])).to_bytes(8, "little") + s for i in field.data)
    return b"".join(field.parts[i].tobytes() for i in field.data)


def read_gguf(path):
    import gguf
    r = gguf.GGUFReader(path)
    keys, tensors = [], []
    for name, f in r.fields.items():
        if name.startswith("GGUF.") or (name.startswith("general.") and name not in (
                "general.architecture", "general.type", "general.file_type", "general.quantization_version")):
            continue
        keys.append([name, f.types[0].name.lower(), zlib.crc32(encode(f))])
    for t in r.tensors:
        tensors.append([t.name, t.tensor_type.name, [int(n) for n in t.shape], zlib.crc32(t.data.tobytes())])
    return sorted(keys), sorted(tensors)


def main():
    llama_cpp, only = sys.argv[1], sys.argv[2:]
    old = {c["name"]: c for c in json.loads((HERE / "folders.json").read_text())["cases"]} if only else {}
    if not only:
        make_tokenizers()
    done = []
    for source, name, c, net in all_cases():
        if name not in CASES or (only and name not in only):
            done += [old[name]] if name in old else []
            continue
        with tempfile.TemporaryDirectory() as tmp:
            folder = pathlib.Path(tmp) / name
            config, rules = make_folder(c, net, folder)
            out = pathlib.Path(tmp) / "out.gguf"
            p = subprocess.run([sys.executable, "-c", RUN, llama_cpp, str(folder), str(out), CASES[name]],
                               capture_output=True, text=True)
            if p.returncode:
                raise SystemExit(f"{name}: {p.stderr[-2000:]}")
            keys, tensors = read_gguf(out)
        done.append({"name": name, "set": source, "type": CASES[name], "config": config, "weights": rules, "keys": keys,
                     "tensors": tensors})
        print(name, len(keys), "keys", len(tensors), "tensors", flush=True)
    (HERE / "folders.json").write_text(json.dumps({"generator": "gen_hf_goldens.py", "cases": done}) + "\n")


main()
