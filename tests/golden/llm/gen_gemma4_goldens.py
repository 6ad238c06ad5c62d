#!/usr/bin/env python3
"""Goldens of gemma4: logits by Hugging Face transformers.

Writes beside itself gemma4_cases.json and NAME.npy, by the rules and with the helpers of
gen_arch_goldens.py: every tensor random, attention far from uniform, inputs longer than the window.
The divisors of global layers' rotation are random numbers instead of the ones and 1e30 of real files.

usage: gen_gemma4_goldens.py [WORD]   (writes NAME.npy only for cases whose name contains WORD)
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers as hf

from gen_arch_goldens import CONTEXT, Case, angle_table, check_margin, ends, feed_forward, norm

HERE = pathlib.Path(__file__).parent


def gemma4(name, n_tokens, kinds, window=20, n_embd=64, n_head=4, d=16, d_global=32, n_kv=2, n_kv_global=None,
           n_ff=112, n_input=0, n_shared=0, wide=False, same=False, cap=None, experts=None, vocab=96, type="F32"):
    """kinds: a letter per layer, l for local and g for global. experts: (number, used, width)."""
    n_layer, local = len(kinds), [k == "l" for k in kinds]
    first_shared = n_layer - n_shared
    width = [n_ff * (2 if wide and i >= first_shared else 1) for i in range(n_layer)]
    heads = [n_kv if x else n_kv_global or n_kv for x in local]
    kv = {"embedding_length": n_embd, "block_count": n_layer, "attention.head_count": n_head, "vocab_size": vocab,
          "attention.head_count_kv": heads if n_kv_global else n_kv, "feed_forward_length": width if wide else n_ff,
          "attention.key_length": d_global, "attention.value_length": d_global,
          "attention.key_length_swa": d, "attention.value_length_swa": d,
          "rope.dimension_count": d_global, "rope.dimension_count_swa": d,
          "rope.freq_base": 1000000.0, "rope.freq_base_swa": 10000.0, "attention.layer_norm_rms_epsilon": 1e-6,
          "attention.sliding_window": window, "attention.sliding_window_pattern": [int(x) for x in local],
          "attention.shared_kv_layers": n_shared, "embedding_length_per_layer_input": n_input}
    if cap:
        kv["final_logit_softcapping"] = cap
    if experts:
        kv |= {"expert_count": experts[0], "expert_used_count": experts[1], "expert_feed_forward_length": experts[2]}
    c = Case(name, "gemma4", n_tokens, type, **kv)
    ends(c, tied=True)
    divisors = c.tensor("rope_freqs.weight", d_global // 2, gain=2.0, offset=5.0)
    if n_input:
        c.both("per_layer_token_embd.weight", "model.embed_tokens_per_layer.weight", vocab, n_layer * n_input,
               gain=np.sqrt(n_layer))
        c.both("per_layer_model_proj.weight", "model.per_layer_model_projection.weight", n_layer * n_input, n_embd)
        norm_at = c.tensor("per_layer_proj_norm.weight", n_input, gain=0.3, offset=1.0)
        c.state["model.per_layer_projection_norm.weight"] = norm_at
    for i in range(n_layer):
        b, at, size, n = f"blk.{i}.", f"model.layers.{i}.", d if local[i] else d_global, heads[i]
        norm(c, i, "attn_norm", "input_layernorm")
        c.both(b + "attn_q.weight", at + "self_attn.q_proj.weight", n_head * size, n_embd)
        norm(c, i, "attn_q_norm", "self_attn.q_norm", size, offset=0.7)
        if i < first_shared:
            c.both(b + "attn_k.weight", at + "self_attn.k_proj.weight", n * size, n_embd)
            norm(c, i, "attn_k_norm", "self_attn.k_norm", size, offset=0.7)
            if not same or local[i]:
                c.both(b + "attn_v.weight", at + "self_attn.v_proj.weight", n * size, n_embd)
        c.both(b + "attn_output.weight", at + "self_attn.o_proj.weight", n_embd, n_head * size)
        norm(c, i, "post_attention_norm", "post_attention_layernorm")
        norm(c, i, "ffn_norm", "pre_feedforward_layernorm")
        feed_forward(c, i, width[i])
        norm(c, i, "post_ffw_norm", "post_feedforward_layernorm")
        c.both(b + "layer_output_scale.weight", at + "layer_scalar", 1, gain=0.2, offset=0.8)
        if experts:
            mixture(c, i, *experts)
        if n_input:
            c.both(b + "inp_gate.weight", at + "per_layer_input_gate.weight", n_input, n_embd)
            c.both(b + "proj.weight", at + "per_layer_projection.weight", n_embd, n_input)
            norm(c, i, "post_norm", "post_per_layer_input_norm")
    net = hf.Gemma4ForCausalLM(hf.Gemma4TextConfig(
        hidden_size=n_embd, intermediate_size=n_ff, num_hidden_layers=n_layer, num_attention_heads=n_head,
        num_key_value_heads=n_kv, num_global_key_value_heads=n_kv_global, attention_k_eq_v=same, head_dim=d,
        global_head_dim=d_global, vocab_size=vocab, vocab_size_per_layer_input=vocab, rms_norm_eps=1e-6,
        hidden_size_per_layer_input=n_input, num_kv_shared_layers=n_shared, use_double_wide_mlp=wide,
        sliding_window=window, layer_types=["sliding_attention" if x else "full_attention" for x in local],
        final_logit_softcapping=cap, max_position_embeddings=CONTEXT, enable_moe_block=bool(experts),
        num_experts=experts and experts[0], top_k_experts=experts and experts[1],
        moe_intermediate_size=experts and experts[2], attn_implementation="eager", experts_implementation="eager",
        pad_token_id=0, bos_token_id=0, eos_token_id=0))
    net = net.double().eval()
    net.load_state_dict(c.state, strict=True)
    tables = {"full_attention": angle_table(1000000.0, d_global) / torch.cat([divisors, divisors]),
              "sliding_attention": angle_table(10000.0, d)}

    def rotary(x, position_ids, layer_type):
        a = tables[layer_type][position_ids]
        return a.cos().to(x.dtype), a.sin().to(x.dtype)

    net.model.rotary_emb.forward = rotary
    if experts:
        for layer in net.model.layers:
            layer.router.register_forward_hook(lambda m, x, y: check_margin(c, y[0].double(), experts[1]))
    return c, net


def mixture(c, i, n, n_used, n_ff):
    e, b, at = c["embedding_length"], f"blk.{i}.", f"model.layers.{i}."
    c.both(b + "ffn_gate_inp.weight", at + "router.proj.weight", n, e, gain=1.5 * np.sqrt(e), type="F32")
    c.both(b + "ffn_gate_inp.scale", at + "router.scale", e, gain=0.3, offset=1.0)
    c.both(b + "ffn_down_exps.scale", at + "router.per_expert_scale", n, gain=0.3, offset=1.0)
    c.both(b + "ffn_gate_up_exps.weight", at + "experts.gate_up_proj", n, 2 * n_ff, e)
    c.both(b + "ffn_down_exps.weight", at + "experts.down_proj", n, e, n_ff)
    norm(c, i, "post_ffw_norm_1", "post_feedforward_layernorm_1")
    norm(c, i, "post_ffw_norm_2", "post_feedforward_layernorm_2")
    norm(c, i, "pre_ffw_norm_2", "pre_feedforward_layernorm_2")


def cases():
    # E2B, E4B: inputs per layer, the last layers read the keys of earlier ones and are wider.
    yield gemma4("gemma4_e2b", 100, "llgllgllg", n_input=12, n_shared=4, wide=True, cap=5.5, n_kv=1)
    yield gemma4("gemma4_e4b", 100, "llgllgllg", n_input=12, n_shared=3, cap=5.5, d_global=24)
    # 31B: fewer key/value heads in global layers, whose values are their keys.
    yield gemma4("gemma4_31b", 100, "lllglllg", window=66, n_head=8, n_kv=4, n_kv_global=2, same=True, cap=5.5)
    # 26B-A4B: a mixture beside the feed-forward.
    yield gemma4("gemma4_moe", 70, "llglg", n_head=4, n_kv=2, n_kv_global=1, same=True, experts=(6, 2, 40), d_global=24)
    yield gemma4("gemma4_bf16", 40, "lglg", n_input=8, n_shared=2, type="BF16", d=32, d_global=64)


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
    (HERE / "gemma4_cases.json").write_text(json.dumps({
        "generator": "gen_gemma4_goldens.py", "torch": torch.__version__,
        "transformers": hf.__version__, "numpy": np.__version__, "cases": done}, indent=None))


if __name__ == "__main__":
    main()
