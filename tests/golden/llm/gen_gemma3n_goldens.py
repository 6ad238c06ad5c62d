#!/usr/bin/env python3
"""Goldens of gemma3n: logits by Hugging Face transformers.

Writes beside itself gemma3n_cases.json and NAME.npy, by the rules and with the helpers of
gen_arch_goldens.py: every tensor random, attention far from uniform, inputs longer than the window.
Routers are strong enough that what streams say of each other is far from constant.

usage: gen_gemma3n_goldens.py [WORD]   (writes NAME.npy only for cases whose name contains WORD)
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers as hf
from transformers.models.gemma3n import modeling_gemma3n

from gen_arch_goldens import CONTEXT, Case, angle_table, ends, feed_forward, norm

HERE = pathlib.Path(__file__).parent


def sigmas(share):
    """As the converter has it; -1e39 stands for minus infinity, which JSON lacks."""
    return float(torch.distributions.Normal(0, 1).icdf(torch.tensor(share, dtype=torch.float32))) if share else -1e39


def gemma3n(name, n_tokens, kinds, sparse, window=20, n_embd=64, n_head=4, d=16, n_kv=2, n_ff=112, n_input=12,
            n_shared=0, n_stream=4, rank=8, cap=5.5, keeps_keys=False, calm=1.0, vocab=96, type="F32"):
    """kinds: a letter per layer, l for local and g for global. sparse: of the first layers, what share of the
    gate's values falls away. keeps_keys: layers that share have tensors for keys and values, as real files do.
    calm: of the routers' gains; many layers make noise of what is strong."""
    n_layer, local = len(kinds), [k == "l" for k in kinds]
    first_shared, e = n_layer - n_shared, n_embd
    sparse = sparse + [0.0] * (n_layer - len(sparse))
    c = Case(name, "gemma3n", n_tokens, type, **{
        "embedding_length": e, "block_count": n_layer, "attention.head_count": n_head, "vocab_size": vocab,
        "attention.head_count_kv": n_kv, "feed_forward_length": [n_ff] * n_layer, "attention.key_length": d,
        "attention.value_length": d, "rope.dimension_count": d, "rope.freq_base": 1000000.0,
        "rope.freq_base_swa": 10000.0, "attention.layer_norm_rms_epsilon": 1e-6, "attention.sliding_window": window,
        "attention.sliding_window_pattern": [int(x) for x in local], "attention.shared_kv_layers": n_shared,
        "embedding_length_per_layer_input": n_input, "altup.num_inputs": n_stream, "altup.active_idx": 0,
        "activation_sparsity_scale": [sigmas(x) for x in sparse], "final_logit_softcapping": cap})
    ends(c, tied=True)
    c.both("per_layer_token_embd.weight", "model.embed_tokens_per_layer.weight", vocab, n_layer * n_input,
           gain=np.sqrt(n_layer))
    c.both("per_layer_model_proj.weight", "model.per_layer_model_projection.weight", n_layer * n_input, e)
    c.both("per_layer_proj_norm.weight", "model.per_layer_projection_norm.weight", n_input, gain=0.3, offset=1.0)
    for ours, theirs in (("altup_proj", "altup_projections"), ("altup_unembd_proj", "altup_unembed_projections")):
        for i, x in enumerate(c.tensor(f"{ours}.weight", n_stream - 1, e, e)):
            c.state[f"model.{theirs}.{i}.weight"] = x
    for i in range(n_layer):
        b, at = f"blk.{i}.", f"model.layers.{i}."
        norm(c, i, "attn_norm", "input_layernorm")
        c.both(b + "attn_q.weight", at + "self_attn.q_proj.weight", n_head * d, e)
        norm(c, i, "attn_q_norm", "self_attn.q_norm", d, offset=0.7)
        if i < first_shared:
            c.both(b + "attn_k.weight", at + "self_attn.k_proj.weight", n_kv * d, e)
            norm(c, i, "attn_k_norm", "self_attn.k_norm", d, offset=0.7)
            c.both(b + "attn_v.weight", at + "self_attn.v_proj.weight", n_kv * d, e)
        elif keeps_keys:
            c.tensor(b + "attn_k.weight", n_kv * d, e)
            c.tensor(b + "attn_k_norm.weight", d)
            c.tensor(b + "attn_v.weight", n_kv * d, e)
        c.both(b + "attn_output.weight", at + "self_attn.o_proj.weight", e, n_head * d)
        norm(c, i, "post_attention_norm", "post_attention_layernorm")
        norm(c, i, "ffn_norm", "pre_feedforward_layernorm")
        feed_forward(c, i, n_ff)
        norm(c, i, "post_ffw_norm", "post_feedforward_layernorm")
        c.both(b + "inp_gate.weight", at + "per_layer_input_gate.weight", n_input, e)
        c.both(b + "proj.weight", at + "per_layer_projection.weight", e, n_input)
        norm(c, i, "post_norm", "post_per_layer_input_norm")
        norm(c, i, "altup_router_norm", "altup.router_norm")
        c.both(b + "altup_router.weight", at + "altup.modality_router.weight", n_stream, e, gain=calm * e)
        c.both(b + "altup_predict_coef.weight", at + "altup.prediction_coefs.weight", n_stream**2, n_stream, gain=0.3 * calm,
               type="F32")
        c.both(b + "altup_correct_coef.weight", at + "altup.correction_coefs.weight", n_stream, n_stream, gain=0.5 * calm,
               type="F32")
        c.both(b + "altup_correct_scale.weight", at + "altup.correct_output_scale", e, gain=0.3, offset=1.0)
        c.both(b + "laurel_l.weight", at + "laurel.linear_left.weight", rank, e)
        c.both(b + "laurel_r.weight", at + "laurel.linear_right.weight", e, rank)
        norm(c, i, "laurel_post_norm", "laurel.post_laurel_norm")
    net = hf.Gemma3nForCausalLM(hf.Gemma3nTextConfig(
        hidden_size=e, intermediate_size=n_ff, num_hidden_layers=n_layer, num_attention_heads=n_head,
        num_key_value_heads=n_kv, head_dim=d, vocab_size=vocab, vocab_size_per_layer_input=vocab, rms_norm_eps=1e-6,
        hidden_size_per_layer_input=n_input, num_kv_shared_layers=n_shared, sliding_window=window, laurel_rank=rank,
        layer_types=["sliding_attention" if x else "full_attention" for x in local], altup_num_inputs=n_stream,
        activation_sparsity_pattern=sparse, final_logit_softcapping=cap, max_position_embeddings=CONTEXT,
        attn_implementation="eager", pad_token_id=0, bos_token_id=0, eos_token_id=0))
    net = net.double().eval()
    net.load_state_dict(c.state, strict=True)
    tables = {"full_attention": angle_table(1000000.0, d), "sliding_attention": angle_table(10000.0, d)}

    def rotary(x, position_ids, layer_type):
        a = tables[layer_type][position_ids]
        return a.cos().to(x.dtype), a.sin().to(x.dtype)

    net.model.rotary_emb.forward = rotary
    return c, in_double(net)


def in_double(net):
    """Norms and routers that do not go through floats: 25 layers make 1e-3 of that noise."""
    for m in net.modules():
        if isinstance(m, modeling_gemma3n.Gemma3nRMSNorm):
            m.forward = lambda x, m=m: m._norm(x) * (m.weight if m.with_scale else 1)
        elif isinstance(m, modeling_gemma3n.Gemma3nTextAltUp):
            m.compute_router_modalities = lambda x, m=m: torch.tanh(
                m.modality_router(m.router_norm(x) * m.router_input_scale))
    return net


def cases():
    yield gemma3n("gemma3n", 100, "llgllgllg", [0.9, 0.5, 0.75], n_shared=4, n_kv=1)
    # As llama.cpp has it: keys of their own in 20 layers, ten of them sparse, rank 64, inputs of 256.
    yield gemma3n("gemma3n_e2b", 40, "llllg" * 5, [0.95] * 10, window=16, n_embd=32, d=8, n_ff=512, n_input=256,
                  n_shared=5, rank=64, cap=30.0, keeps_keys=True, calm=0.3)
    yield gemma3n("gemma3n_bf16", 40, "lglg", [0.95], n_shared=2, n_stream=3, d=32, type="BF16")


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
    (HERE / "gemma3n_cases.json").write_text(json.dumps({
        "generator": "gen_gemma3n_goldens.py", "torch": torch.__version__,
        "transformers": hf.__version__, "numpy": np.__version__, "cases": done}, indent=None))


if __name__ == "__main__":
    main()
