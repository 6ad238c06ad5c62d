#!/usr/bin/env python3
"""Goldens of families that mix gated delta nets with attention: logits by Hugging Face transformers.

Writes beside itself hybrid_cases.json and NAME.npy, by the rules and with the helpers of
gen_arch_goldens.py: every tensor random, attention far from uniform, no expert chosen by a hair.
States fade slowly enough that inputs of more than a page are seen from the other end of it.

usage: gen_hybrid_goldens.py [WORD]   (writes NAME.npy only for cases whose name contains WORD)
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers as hf

from gen_arch_goldens import Case, attention, check_margin, common, ends, experts, feed_forward, finish, norm, sizes

HERE = pathlib.Path(__file__).parent


def split_heads(x, n_k, r):
    """Rows of value heads from the file's order, one of each key head after the other, to side by side."""
    return x.reshape(r, n_k, -1, *x.shape[1:]).transpose(0, 1).reshape(x.shape)


def delta_net(c, i, n_k, n_v, d, taps):
    e, b, at, r = c["embedding_length"], f"blk.{i}.", f"model.layers.{i}.linear_attn.", n_v // n_k
    keys, n_value = n_k * d, n_v * d
    is_tiled = c.arch != "qwen3next"
    order = (lambda x: split_heads(x, n_k, r)) if is_tiled else (lambda x: x)
    qkv = c.tensor(b + "attn_qkv.weight", 2 * keys + n_value, e)
    q, k, v = qkv[:keys], qkv[keys:2 * keys], order(qkv[2 * keys:])
    z = order(c.tensor(b + "attn_gate.weight", n_value, e))
    if is_tiled:
        c.state[at + "in_proj_qkv.weight"] = torch.cat([q, k, v])
        c.state[at + "in_proj_z.weight"] = z
        c.state[at + "in_proj_b.weight"] = order(c.tensor(b + "ssm_beta.weight", n_v, e))
        c.state[at + "in_proj_a.weight"] = order(c.tensor(b + "ssm_alpha.weight", n_v, e, gain=1.5))
    else:
        heads = [x.reshape(n_k, -1, e) for x in (q, k, v, z)]
        c.state[at + "in_proj_qkvz.weight"] = torch.cat(heads, 1).reshape(-1, e)
        c.both(b + "ssm_ba.weight", at + "in_proj_ba.weight", 2 * n_v, e, gain=1.5)
    w = c.tensor(b + "ssm_conv1d.weight", 2 * keys + n_value, taps, gain=1.5, type="F32")
    c.state[at + "conv1d.weight"] = torch.cat([w[:2 * keys], order(w[2 * keys:])])[:, None]
    c.state[at + "A_log"] = order(-c.tensor(b + "ssm_a", n_v, gain=0.05, offset=-0.12)).log()
    c.state[at + "dt_bias"] = order(c.tensor(b + "ssm_dt.bias", n_v, gain=0.5))
    c.both(b + "ssm_norm.weight", at + "norm.weight", d, gain=0.3, offset=1.0)
    out = c.tensor(b + "ssm_out.weight", e, n_value)
    c.state[at + "out_proj.weight"] = order(out.T).T.contiguous()


def gated_attention(c, i):
    e, d, n = c["embedding_length"], c["attention.key_length"], c["attention.head_count"]
    attention(c, i, gain=1.0)
    t = next(t for t in c.tensors if t["name"] == f"blk.{i}.attn_q.weight")
    c.tensors.remove(t)
    c.both(f"blk.{i}.attn_q.weight", f"model.layers.{i}.self_attn.q_proj.weight", 2 * n * d, e)
    for x in "qk":
        norm(c, i, f"attn_{x}_norm", f"self_attn.{x}_norm", d, offset=1.7, shift=-1.0)


def hybrid(name, arch, n_tokens, kinds, n_k=2, n_v=4, d_delta=16, taps=4, n_expert=0, n_used=3, n_ff_expert=40,
           n_ff_shared=56, tied=False, interval=0, ahead=0, type="F32", **kw):
    """`kinds`: one letter per layer, d (delta net) or a. interval 0: the file has a list of layers."""
    own = {"ssm.conv_kernel": taps, "ssm.state_size": d_delta, "ssm.group_count": n_k, "ssm.time_step_rank": n_v,
           "ssm.inner_size": n_v * d_delta, "rope.freq_base": 1e6, "attention.layer_norm_rms_epsilon": 1e-6}
    if n_expert:
        own |= {"expert_count": n_expert, "expert_used_count": n_used, "expert_feed_forward_length": n_ff_expert,
                "expert_shared_feed_forward_length": n_ff_shared}
    c = Case(name, arch, n_tokens, type, **(sizes(n_layer=len(kinds), d=32, **kw) | own))
    c.kv["rope.dimension_count"] = 8
    ends(c, tied=tied, shift=-1.0)
    for i, kind in enumerate(kinds):
        norm(c, i, "attn_norm", "input_layernorm", shift=-1.0)
        if kind == "d":
            delta_net(c, i, n_k, n_v, d_delta, taps)
        else:
            gated_attention(c, i)
        norm(c, i, "post_attention_norm", "post_attention_layernorm", shift=-1.0)
        if not n_expert:
            feed_forward(c, i, c["feed_forward_length"])
            continue
        experts(c, i, n_ff_expert)
        gate = c.tensor(f"blk.{i}.ffn_gate_inp_shexp.weight", c["embedding_length"], gain=0.2)
        c.state[f"model.layers.{i}.mlp.shared_expert_gate.weight"] = gate[None]
        feed_forward(c, i, n_ff_shared, "_shexp", "mlp.shared_expert.")
    more = common(c) | dict(
        linear_num_key_heads=n_k, linear_num_value_heads=n_v, linear_key_head_dim=d_delta,
        linear_value_head_dim=d_delta, linear_conv_kernel_dim=taps, tie_word_embeddings=tied,
        layer_types=["linear_attention" if x == "d" else "full_attention" for x in kinds],
        rope_parameters={"rope_type": "default", "rope_theta": 1e6, "partial_rotary_factor": 0.25,
                         "mrope_section": [2, 1, 1]})
    if n_expert:
        more |= dict(num_experts=n_expert, num_experts_per_tok=n_used, norm_topk_prob=True,
                     moe_intermediate_size=n_ff_expert, shared_expert_intermediate_size=n_ff_shared)
    net = {"qwen3next": lambda: hf.Qwen3NextForCausalLM(hf.Qwen3NextConfig(**more, decoder_sparse_step=1)),
           "qwen35": lambda: hf.Qwen3_5ForCausalLM(hf.Qwen3_5TextConfig(**more)),
           "qwen35moe": lambda: hf.Qwen3_5MoeForCausalLM(hf.Qwen3_5MoeTextConfig(**more))}[arch]()
    net = finish(c, net)
    rotary = net.model.rotary_emb.forward  # three positions per token, of time, height and width: equal in text
    net.model.rotary_emb.forward = lambda x, ids: rotary(x, ids[0] if ids.dim() == 3 else ids)
    for layer in net.model.layers if n_expert else ():
        layer.mlp.gate.register_forward_hook(lambda m, x, y: check_margin(c, y[0], n_used))
    c.kv["rope.dimension_sections"] = [2, 1, 1, 0]
    if interval:
        c.kv["full_attention_interval"] = interval
    else:
        c.kv["attention.recurrent_layers"] = [int(x == "d") for x in kinds] + [0] * ahead
    if ahead:
        c.kv |= {"nextn_predict_layers": ahead, "block_count": len(kinds) + ahead}
        norm_of_more = {"name": f"blk.{len(kinds)}.attn_norm.weight", "shape": [c["embedding_length"]], "type": "F32",
                        "scale": 1.0, "offset": 0.0}
        c.tensors.append(norm_of_more)
    if arch == "qwen35moe":
        del c.kv["feed_forward_length"]
    return c, net


def cases():
    yield hybrid("qwen3next", "qwen3next", 128, "dddad", n_expert=8, interval=4)
    yield hybrid("qwen3next_wide", "qwen3next", 90, "dad", n_k=3, n_v=9, d_delta=24, taps=3, n_expert=6, n_embd=96,
                 n_head=6, n_kv=3, interval=2)
    yield hybrid("qwen35", "qwen35", 128, "ddad", n_k=2, n_v=6, ahead=1)
    yield hybrid("qwen35_tied", "qwen35", 60, "da", n_k=4, n_v=4, tied=True, interval=2, type="BF16")
    yield hybrid("qwen35moe", "qwen35moe", 100, "ddda", n_v=8, n_expert=9, n_ff_shared=48, interval=4)


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    hf.utils.logging.set_verbosity_error()
    torch.manual_seed(0)
    done = []
    for c, net in cases():
        done.append(c.json())
        if word not in c.name:
            continue
        with torch.no_grad():
            y = net(torch.tensor([done[-1]["tokens"]])).logits[0].numpy().astype(np.float32)
        np.save(HERE / f"{c.name}.npy", y)
        print(c.name, "range", float(y.max() - y.min()), flush=True)
    (HERE / "hybrid_cases.json").write_text(json.dumps({
        "generator": "gen_hybrid_goldens.py", "torch": torch.__version__,
        "transformers": hf.__version__, "numpy": np.__version__, "cases": done}, indent=None))


if __name__ == "__main__":
    main()
