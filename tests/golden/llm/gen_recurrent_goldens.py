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

    def run(tokens):
        return net(torch.tensor([tokens])).logits[0]

    run.net = net
    return c, run


# --- rwkv7 -----------------------------------------------------------------------------------------

class Goose:
    """The network over a GGUF's tensors by their names, float64."""

    def __init__(self, c):
        self.t, self.n_layer, self.d, self.eps = {}, c["block_count"], c["wkv.head_size"], c["attention.layer_norm_epsilon"]

    def norm(self, x, name):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + self.eps).sqrt()
        return x * self.t[name + ".weight"] + self.t[name + ".bias"]

    def time(self, b, x, v_first):  # x: [T, n]
        t = lambda name: self.t[f"{b}time_mix_{name}.weight"]
        n_pos, n = x.shape
        heads = (n // self.d, self.d)
        before = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
        xr, xw, xk, xv, xa, xg = (x + (before - x) * mu for mu in t("lerp_fused").reshape(6, n))  # (2)
        r, k, v = xr @ t("receptance").T, xk @ t("key").T, xv @ t("value").T
        w = torch.exp(-np.exp(-0.5) * torch.sigmoid(t("w0") + torch.tanh(xw @ t("w1").T) @ t("w2").T))  # (12)
        a = torch.sigmoid(t("a0") + xa @ t("a1").T @ t("a2").T)  # (4)
        g = torch.sigmoid(xg @ t("g1").T) @ t("g2").T
        if v_first is None:
            v_first = v
        else:  # (10)
            v = v + (v_first - v) * torch.sigmoid(t("v0") + xv @ t("v1").T @ t("v2").T)
        kappa = torch.nn.functional.normalize((k * t("k_k")).reshape(n_pos, *heads), dim=-1)  # (6), (15)
        k = k * (1 + (a - 1) * t("k_a"))  # (7)
        y = torch.zeros(n_pos, *heads, dtype=x.dtype)
        state = torch.zeros(heads[0], self.d, self.d, dtype=x.dtype)  # [head][value][key]
        r_, w_, k_, v_, a_ = (z.reshape(n_pos, *heads) for z in (r, w, k, v, a))
        for i in range(n_pos):  # (17): S (diag(w) - kappa^T (a * kappa)) + v^T k
            for h in range(heads[0]):
                change = torch.diag(w_[i, h]) - torch.outer(kappa[i, h], a_[i, h] * kappa[i, h])
                state[h] = state[h] @ change + torch.outer(v_[i, h], k_[i, h])
                y[i, h] = state[h] @ r_[i, h]
        y = (y - y.mean(-1, keepdim=True)) / (y.var(-1, unbiased=False, keepdim=True) + 64e-5).sqrt()
        y = y.reshape(n_pos, n) * self.t[f"{b}time_mix_ln.weight"] + self.t[f"{b}time_mix_ln.bias"]
        bonus = (r * k * t("r_k").reshape(n)).reshape(n_pos, *heads).sum(-1, keepdim=True) * v_  # (20)
        return ((y + bonus.reshape(n_pos, n)) * g) @ t("output").T, v_first

    def channel(self, b, x):
        before = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
        k = x + (before - x) * self.t[b + "channel_mix_lerp_k.weight"]
        return torch.relu(k @ self.t[b + "channel_mix_key.weight"].T) ** 2 @ self.t[b + "channel_mix_value.weight"].T

    def __call__(self, tokens):
        x, v_first = self.norm(self.t["token_embd.weight"][tokens], "token_embd_norm"), None
        for i in range(self.n_layer):
            b = f"blk.{i}."
            y, v_first = self.time(b, self.norm(x, b + "attn_norm"), v_first)
            x = x + y
            x = x + self.channel(b, self.norm(x, b + "attn_norm_2"))
        return self.norm(x, "output_norm") @ self.t["output.weight"].T


def rwkv7(name, n_tokens, n_embd=64, n_layer=3, head=16, n_ff=176, vocab=96, ranks=(12, 8, 6, 20), type="F32"):
    rank = dict(zip("wavg", ranks))
    c = Case(name, "rwkv7", n_tokens, type, **{
        "embedding_length": n_embd, "block_count": n_layer, "feed_forward_length": n_ff, "vocab_size": vocab,
        "attention.head_count": 0, "attention.layer_norm_epsilon": 1e-5, "wkv.head_size": head,
        "attention.decay_lora_rank": rank["w"], "attention.iclr_lora_rank": rank["a"],
        "attention.value_residual_mix_lora_rank": rank["v"], "attention.gate_lora_rank": rank["g"]})
    for key in ("rope.freq_base", "attention.layer_norm_rms_epsilon"):
        del c.kv[key]
    net = Goose(c)
    n = n_embd

    def put(tensor, *shape, **rule):
        net.t[tensor] = c.tensor(tensor, *shape, **rule)

    def norm_both(tensor):
        put(tensor + ".weight", n, gain=0.3, offset=1.0)
        put(tensor + ".bias", n, gain=0.3)

    put("token_embd.weight", vocab, n, gain=np.sqrt(n))
    norm_both("token_embd_norm")
    for i in range(n_layer):
        b = f"blk.{i}."
        norm_both(b + "attn_norm")
        norm_both(b + "attn_norm_2")
        put(b + "time_mix_lerp_fused.weight", 6, 1, 1, n, gain=0.3 * np.sqrt(n), offset=0.5, type="F32")
        for x, y in (("receptance", 1), ("key", 1), ("value", 1), ("output", 1)):
            put(f"{b}time_mix_{x}.weight", n, n, gain=y)
        for x in "wavg":
            # The first layer's values are mixed with nothing: its tensors have the rate's rank, and no effect.
            width = rank["a"] if x == "v" and i == 0 else rank[x]
            if x != "g":
                # Decays from e^-0.6 to nearly 1: what a state remembers must reach far back.
                put(f"{b}time_mix_{x}0.weight", n, gain=1.5, offset=-2.0 if x == "w" else 0.0)
            put(f"{b}time_mix_{x}1.weight", width, n, type="F32")
            put(f"{b}time_mix_{x}2.weight", n, width, gain=1.5, type="F32")
        put(b + "time_mix_k_k.weight", n, gain=0.5, offset=1.0)
        put(b + "time_mix_k_a.weight", n, gain=0.4, offset=0.8)
        put(b + "time_mix_r_k.weight", n, gain=0.5)
        norm_both(b + "time_mix_ln")
        put(b + "channel_mix_lerp_k.weight", n, gain=0.4, offset=0.5)
        put(b + "channel_mix_key.weight", n_ff, n)
        put(b + "channel_mix_value.weight", n, n_ff)
    norm_both("output_norm")
    put("output.weight", vocab, n)
    return c, net


def cases():
    yield rwkv7("rwkv7", 100)
    yield rwkv7("rwkv7_wide", 80, n_embd=96, n_layer=2, head=32, n_ff=100, ranks=(8, 16, 24, 32))
    yield rwkv7("rwkv7_f16", 40, n_layer=2, head=8, type="F16")
    # Heads as published models have them.
    yield rwkv7("rwkv7_head64", 80, n_embd=128, n_layer=2, head=64, n_ff=96, ranks=(16, 8, 8, 24))
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
