#!/usr/bin/env python3
"""LoRA adapters of PEFT on the seeded models of ../llm, and what llama.cpp's converter makes of them.

Per case writes lora/NAME/: adapter_config.json and adapter_model.safetensors as PEFT saves them (values
from seed 11), adapter.gguf as convert_lora_to_gguf.py writes it (F32), and logits.npy (float32
[n_tokens, n_vocab]): the case's own tokens through the model with the adapter, in double precision.
tests/golden/test_peft.c runs model files and folders with both kinds of adapter.

usage: gen_lora_goldens.py LLAMA_CPP     (a tree of llama.cpp with convert_lora_to_gguf.py)
Needs numpy, torch, transformers, peft, safetensors, gguf; made with peft 0.21.2, torch 2.15.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
from peft import LoraConfig, get_peft_model

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "llm"))
import gen_llm_goldens as plain  # noqa: E402

SOURCE = (HERE / "gen_hf_goldens.py").read_text().rsplit("\nmain()", 1)[0]
folders = {"__file__": str(HERE / "gen_hf_goldens.py"), "__name__": "folders"}
exec(compile(SOURCE, "gen_hf_goldens.py", "exec"), folders)

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "llama_gqa": dict(r=2, lora_alpha=3, target_modules=ALL + ["lm_head"]),
    "qwen3_norms": dict(r=2, lora_alpha=1.5, use_rslora=True, target_modules=["q_proj", "v_proj", "down_proj"]),
    "phi3": dict(r=2, lora_alpha=4, rank_pattern={"down_proj": 3},
                 target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]),
}


def main():
    for name, c, net in folders["all_cases"]():
        if name not in CASES:
            continue
        out = HERE / "lora" / name
        shutil.rmtree(out, ignore_errors=True)
        with tempfile.TemporaryDirectory() as tmp:
            base = pathlib.Path(tmp) / name
            folders["make_folder"](c, net, base)
            net.double()
            adapted = get_peft_model(net, LoraConfig(bias="none", task_type="CAUSAL_LM", **CASES[name]))
            torch.manual_seed(11)
            for key, p in adapted.named_parameters():
                if ".lora_" in key:  # values that float32 holds
                    p.data = (torch.randn(p.shape) * (0.3 if "lora_B" in key else 0.1)).double()
            y = plain.logits(adapted.eval(), c["tokens"])
            for p in adapted.parameters():
                p.data = p.data.float()
            adapted.save_pretrained(out)
            (out / "README.md").unlink()
            d = json.loads((out / "adapter_config.json").read_text())
            d["base_model_name_or_path"] = name
            (out / "adapter_config.json").write_text(json.dumps(d, indent=1) + "\n")
            p = subprocess.run([sys.executable, sys.argv[1] + "/convert_lora_to_gguf.py", "--base", str(base),
                                "--outfile", str(out / "adapter.gguf"), "--outtype", "f32", str(out)],
                               capture_output=True, text=True)
            if p.returncode and not CASES[name].get("use_rslora"):
                raise SystemExit(p.stderr[-3000:])
            if CASES[name].get("use_rslora"):  # the converter does not know it
                (out / "adapter.gguf").unlink(missing_ok=True)
        np.save(out / "logits.npy", y.astype(np.float32))
        print(name, sorted(x.name for x in out.iterdir()), flush=True)


main()
