#!/usr/bin/env python3
"""Goldens of the families with a recurrent state.

Writes beside itself recurrent_cases.json and NAME.npy, by the rule of gen_llm_goldens.py and with
the helpers of gen_arch_goldens.py. lfm2 is judged by Hugging Face transformers. rwkv7, which
transformers has not, by the equations of its paper (Peng and others 2025, "RWKV-7 Goose", arXiv
2503.14456, numbers in brackets), written here in float64 as they stand there: a loop over
positions, states as matrices, nothing fused.

usage: gen_recurrent_goldens.py [WORD]   (writes NAME.npy only for cases whose name contains WORD)
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers as hf

from gen_arch_goldens import Case, angle_table, attention, common, norm, sizes

HERE = pathlib.Path(__file__).parent


# --- lfm2 ------------------------------------------------------------------------------------------

def lfm2(name, n_tokens, has_attention, taps=3, n_kv=2, **kw):
    """`has_attention`: one letter per layer, a or c."""
    type = kw.pop("type", "F32")
    c = Case(name, "lfm2", n_tokens, type, **sizes(n_layer=len(has_attention), n_kv=n_kv, **kw),
             **{"shortconv.l_cache": taps, "rope.freq_base": 1e6})
    e, n_ff = c["embedding_length"], c["feed_forward_length"]
    c.both("token_embd.weight", "model.embed_tokens.weight", c["vocab_size"], e)
    c.state["lm_head.weight"] = c.state["model.embed_tokens.weight"]
    c.both("token_embd_norm.weight", "model.embedding_norm.weight", e, gain=0.3, offset=1.0)
    for i, kind in enumerate(has_attention):
        at, b = f"model.layers.{i}.", f"blk.{i}."
        norm(c, i, "attn_norm", "operator_norm")
        if kind == "a":
            attention(c, i, gain=1.0)
            c.state[at + "self_attn.out_proj.weight"] = c.state.pop(at + "self_attn.o_proj.weight")
            for x in "qk":
                norm(c, i, f"attn_{x}_norm", f"self_attn.{x}_layernorm", c["attention.key_length"], offset=1.7)
        else:
            c.both(b + "shortconv.in_proj.weight", at + "conv.in_proj.weight", 3 * e, e)
            w = c.tensor(b + "shortconv.conv.weight", e, taps, gain=1.5, type="F32")
            c.state[at + "conv.conv.weight"] = w[:, None]
            c.both(b + "shortconv.out_proj.weight", at + "conv.out_proj.weight", e, e)
        norm(c, i, "ffn_norm", "ffn_norm")
        for ours, theirs, shape in (("gate", "w1", (n_ff, e)), ("up", "w3", (n_ff, e)), ("down", "w2", (e, n_ff))):
            c.both(f"{b}ffn_{ours}.weight", f"{at}feed_forward.{theirs}.weight", *shape)
    more = common(c)
    eps = more.pop("rms_norm_eps")
    more.pop("tie_word_embeddings")
    net = hf.Lfm2ForCausalLM(hf.Lfm2Config(
        **more, norm_eps=eps, conv_L_cache=taps, block_auto_adjust_ff_dim=False, tie_word_embeddings=True,
        layer_types=["full_attention" if x == "a" else "conv" for x in has_attention]))
    net = net.double().eval()
    net.load_state_dict(c.state, strict=True)
    table = angle_table(1e6, c["rope.dimension_count"])
    net.model.rotary_emb.forward = lambda x, position_ids, **k: (
        table[position_ids].cos().to(x.dtype), table[position_ids].sin().to(x.dtype))
    c.kv["attention.head_count_kv"] = [n_kv if x == "a" else 0 for x in has_attention]
    return c, lambda tokens: net(torch.tensor([tokens])).logits[0]


def cases():
    yield lfm2("lfm2", 100, "ccaccac")
    yield lfm2("lfm2_taps", 80, "acca", taps=5, n_kv=1, n_embd=96, n_head=6, d=32)
    yield lfm2("lfm2_bf16", 40, "cac", n_ff=96, type="BF16")


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    hf.utils.logging.set_verbosity_error()
    done = []
    for c, run in cases():
        done.append(c.json())
        if word not in c.name:
            continue
        with torch.no_grad():
            y = run(done[-1]["tokens"]).numpy().astype(np.float32)
        np.save(HERE / f"{c.name}.npy", y)
        print(c.name, "range", float(y.max() - y.min()), flush=True)
    (HERE / "recurrent_cases.json").write_text(json.dumps({
        "generator": "gen_recurrent_goldens.py", "torch": torch.__version__,
        "transformers": hf.__version__, "numpy": np.__version__, "cases": done}, indent=None))


if __name__ == "__main__":
    main()
