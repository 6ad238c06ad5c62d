#!/usr/bin/env python3
"""Goldens of the families that are more than a plain layer: logits by Hugging Face transformers.

Writes beside itself arch_cases.json and NAME.npy, by the rule and with the helpers of
gen_llm_goldens.py. Every tensor is random, attention is far from uniform, inputs are longer than any
window. A mixture's cases are refused when the logits of the last expert chosen and the first one not
chosen come nearer than 1e-4 for any row: float noise must not decide who is asked.

usage: gen_arch_goldens.py [WORD]   (writes NAME.npy only for cases whose name contains WORD)
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers as hf

from gen_llm_goldens import SPREAD, tokens_of, values

HERE = pathlib.Path(__file__).parent
CONTEXT = 512


class Case:
    """Keys and tensors of a model as its GGUF has them, and the network with the same weights."""

    def __init__(self, name, arch, n_tokens, type="F32", **kv):
        self.name, self.arch, self.type, self.n_tokens = name, arch, type, n_tokens
        self.kv = {"context_length": CONTEXT, "rope.freq_base": 10000.0,
                   "attention.layer_norm_rms_epsilon": 1e-5} | kv
        self.tensors, self.state = [], {}

    def __getitem__(self, key):
        return self.kv[key]

    def tensor(self, name, *shape, gain=1.0, offset=0.0, type=None):
        """A tensor of the file; the values are returned for the network."""
        kind = type or (self.type if len(shape) >= 2 else "F32")
        std = gain / np.sqrt(shape[-1]) if len(shape) >= 2 else gain
        scale = std / SPREAD[kind] if kind in SPREAD else std * np.sqrt(3)
        t = {"name": name, "shape": list(shape), "type": kind, "scale": float(np.float32(scale)),
             "offset": offset}
        self.tensors.append(t)
        return values(t)

    def both(self, name, theirs, *shape, shift=0.0, **rule):
        self.state[theirs] = self.tensor(name, *shape, **rule) + shift

    def json(self):
        return {"name": self.name, "arch": self.arch, "type": self.type, "kv": self.kv,
                "tensors": self.tensors, "tokens": tokens_of(self.name, self.n_tokens, self["vocab_size"])}


def sizes(n_embd=64, n_layer=3, n_head=4, n_kv=2, d=16, n_ff=176, vocab=96, **more):
    return {"embedding_length": n_embd, "block_count": n_layer, "attention.head_count": n_head,
            "attention.head_count_kv": n_kv, "attention.key_length": d, "attention.value_length": d,
            "rope.dimension_count": d, "feed_forward_length": n_ff, "vocab_size": vocab} | more


def ends(c, tied=False, shift=0.0):
    e = c["embedding_length"]
    c.both("token_embd.weight", "model.embed_tokens.weight", c["vocab_size"], e,
           gain=1.0 if tied else np.sqrt(e))
    c.both("output_norm.weight", "model.norm.weight", e, gain=0.3, offset=1.0, shift=shift)
    if tied:
        c.state["lm_head.weight"] = c.state["model.embed_tokens.weight"]
    else:
        c.both("output.weight", "lm_head.weight", c["vocab_size"], e)


def norm(c, i, ours, theirs, n=None, shift=0.0, offset=1.0):
    c.both(f"blk.{i}.{ours}.weight", f"model.layers.{i}.{theirs}.weight", n or c["embedding_length"],
           gain=0.3, offset=offset, shift=shift)


def unpermute(x, n_head):
    """GGUF of llama pairs neighbours (2i, 2i+1); transformers pairs halves (i, i + d/2)."""
    d = x.shape[0] // n_head
    return x.reshape(n_head, d // 2, 2, -1).transpose(1, 2).reshape(x.shape)


def attention(c, i, bias=False, gain=1.7):
    e, d = c["embedding_length"], c["attention.key_length"]
    at = f"model.layers.{i}.self_attn."
    heads = {"q": c["attention.head_count"], "k": c["attention.head_count_kv"], "v": c["attention.head_count_kv"]}
    for x, n in heads.items():
        # Queries and keys at 1.7 standard deviations make scores of about 3: far from uniform.
        c.both(f"blk.{i}.attn_{x}.weight", f"{at}{x}_proj.weight", n * d, e, gain=1.0 if x == "v" else gain)
        if c.arch == "llama" and x != "v":
            c.state[f"{at}{x}_proj.weight"] = unpermute(c.state[f"{at}{x}_proj.weight"], n)
        if bias:
            c.both(f"blk.{i}.attn_{x}.bias", f"{at}{x}_proj.bias", n * d, gain=0.5)
    c.both(f"blk.{i}.attn_output.weight", f"{at}o_proj.weight", e, heads["q"] * d)


def feed_forward(c, i, n_ff, ours="", theirs="mlp."):
    e, b, at = c["embedding_length"], f"blk.{i}.ffn_", f"model.layers.{i}.{theirs}"
    c.both(f"{b}gate{ours}.weight", f"{at}gate_proj.weight", n_ff, e)
    c.both(f"{b}up{ours}.weight", f"{at}up_proj.weight", n_ff, e)
    c.both(f"{b}down{ours}.weight", f"{at}down_proj.weight", e, n_ff)


def experts(c, i, n_ff):
    e, n, b, at = c["embedding_length"], c["expert_count"], f"blk.{i}.ffn_", f"model.layers.{i}.mlp."
    c.both(f"{b}gate_inp.weight", f"{at}gate.weight", n, e, gain=1.5, type="F32")
    gate = c.tensor(f"{b}gate_exps.weight", n, n_ff, e)
    up = c.tensor(f"{b}up_exps.weight", n, n_ff, e)
    c.state[f"{at}experts.gate_up_proj"] = torch.cat([gate, up], 1)
    c.both(f"{b}down_exps.weight", f"{at}experts.down_proj", n, e, n_ff)


def common(c):
    return dict(hidden_size=c["embedding_length"], intermediate_size=c["feed_forward_length"],
                num_hidden_layers=c["block_count"], num_attention_heads=c["attention.head_count"],
                num_key_value_heads=c["attention.head_count_kv"], head_dim=c["attention.key_length"],
                vocab_size=c["vocab_size"], rms_norm_eps=c["attention.layer_norm_rms_epsilon"],
                max_position_embeddings=CONTEXT, attn_implementation="eager", experts_implementation="eager",
                tie_word_embeddings=False,
                pad_token_id=0, bos_token_id=0, eos_token_id=0)


def angle_table(base, n_rot, factor=1.0):
    inv = base ** (-torch.arange(0, n_rot, 2, dtype=torch.float64) / n_rot) / factor
    angles = torch.arange(CONTEXT, dtype=torch.float64)[:, None] * inv
    return torch.cat([angles, angles], 1)


def finish(c, net, tables=None, scale=1.0):
    """Weights into the network, and rotary angles in float64 instead of the module's float32."""
    net = net.double().eval()
    net.load_state_dict(c.state, strict=True)
    tables = tables or {None: angle_table(c["rope.freq_base"], c["rope.dimension_count"])}

    def rotary(x, position_ids, layer_type=None, **kwargs):
        a = tables[layer_type][position_ids]
        return (scale * a.cos()).to(x.dtype), (scale * a.sin()).to(x.dtype)

    net.model.rotary_emb.forward = rotary
    return net


# --- mixtures of experts --------------------------------------------------------------------------

def mixture(name, arch, n_tokens, n_expert, n_used, n_ff_expert, n_ff_shared=0, **kw):
    type = kw.pop("type", "F32")
    own = {"expert_count": n_expert, "expert_used_count": n_used}
    if arch != "llama":
        own["expert_feed_forward_length"] = n_ff_expert
    if n_ff_shared:
        own["expert_shared_feed_forward_length"] = n_ff_shared
    c = Case(name, arch, n_tokens, type, **sizes(**kw), **own)
    ends(c)
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i, bias=arch == "qwen2moe", gain=1.0 if arch == "qwen3moe" else 1.7)
        if arch == "qwen3moe":
            norm(c, i, "attn_q_norm", "self_attn.q_norm", c["attention.key_length"], offset=1.7)
            norm(c, i, "attn_k_norm", "self_attn.k_norm", c["attention.key_length"], offset=1.7)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        experts(c, i, n_ff_expert)
        if n_ff_shared:
            at = f"model.layers.{i}.mlp."
            gate = c.tensor(f"blk.{i}.ffn_gate_inp_shexp.weight", c["embedding_length"], gain=0.2)
            c.state[at + "shared_expert_gate.weight"] = gate[None]
            feed_forward(c, i, n_ff_shared, "_shexp", "mlp.shared_expert.")
    if arch == "llama":
        net = hf.MixtralForCausalLM(hf.MixtralConfig(
            **common(c), num_local_experts=n_expert, num_experts_per_tok=n_used, sliding_window=None))
    elif arch == "qwen2moe":
        net = hf.Qwen2MoeForCausalLM(hf.Qwen2MoeConfig(
            **common(c), num_experts=n_expert, num_experts_per_tok=n_used, norm_topk_prob=False,
            moe_intermediate_size=n_ff_expert, shared_expert_intermediate_size=n_ff_shared,
            decoder_sparse_step=1, use_sliding_window=False))
    else:
        net = hf.Qwen3MoeForCausalLM(hf.Qwen3MoeConfig(
            **common(c), num_experts=n_expert, num_experts_per_tok=n_used, norm_topk_prob=True,
            moe_intermediate_size=n_ff_expert, decoder_sparse_step=1, mlp_only_layers=[]))
    net = finish(c, net)
    for layer in net.model.layers:
        layer.mlp.gate.register_forward_hook(lambda m, x, y: check_margin(c, y[0], n_used))
    return c, net


def check_margin(c, router_logits, n_used):
    top = router_logits.sort(-1, descending=True).values
    margin = float((top[:, n_used - 1] - top[:, n_used]).min())
    if margin < 1e-4:
        raise SystemExit(f"{c.name}: an expert is chosen by a margin of {margin:.1e}: change the shape")


# --- gemma -----------------------------------------------------------------------------------------

def gemma(name, arch, n_tokens, window=None, query=None, linear=1.0, **kw):
    """Norms multiply by 1 + w in the network; the file holds the sum. Tied; heads wider than n_embd / n_head."""
    type = kw.pop("type", "F32")
    base = 1e6 if arch == "gemma3" else 10000.0
    own = {"rope.freq_base": base, "attention.layer_norm_rms_epsilon": 1e-6}
    if window:
        own["attention.sliding_window"] = window
    if query:
        own["attention.scale"] = float(np.float32(query ** -0.5))
    if arch == "gemma2":
        own |= {"attn_logit_softcapping": 4.5, "final_logit_softcapping": 2.5}
    if linear != 1.0:
        own |= {"rope.scaling.type": "linear", "rope.scaling.factor": linear}
    c = Case(name, arch, n_tokens, type, **sizes(**kw), **own)
    e, d = c["embedding_length"], c["attention.key_length"]
    ends(c, tied=True, shift=-1)
    if arch == "gemma":
        pre_ffn = "post_attention_layernorm"
    else:
        pre_ffn = "pre_feedforward_layernorm"
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm", shift=-1)
        attention(c, i, gain=1.0 if arch == "gemma3" else 1.7)
        if arch == "gemma3":
            norm(c, i, "attn_q_norm", "self_attn.q_norm", d, shift=-1, offset=1.7)
            norm(c, i, "attn_k_norm", "self_attn.k_norm", d, shift=-1, offset=1.7)
        if arch != "gemma":
            norm(c, i, "post_attention_norm", "post_attention_layernorm", shift=-1)
        norm(c, i, "ffn_norm", pre_ffn, shift=-1)
        feed_forward(c, i, c["feed_forward_length"])
        if arch != "gemma":
            norm(c, i, "post_ffw_norm", "post_feedforward_layernorm", shift=-1)
    n_rot, q = c["rope.dimension_count"], query or d
    if arch == "gemma":
        return c, finish(c, hf.GemmaForCausalLM(hf.GemmaConfig(**common(c), hidden_activation="gelu_pytorch_tanh")))
    if arch == "gemma2":
        return c, finish(c, hf.Gemma2ForCausalLM(hf.Gemma2Config(
            **common(c), query_pre_attn_scalar=q, sliding_window=window, attn_logit_softcapping=4.5,
            final_logit_softcapping=2.5)))
    tables = {"full_attention": angle_table(base, n_rot, linear), "sliding_attention": angle_table(10000.0, n_rot)}
    return c, finish(c, hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(
        **common(c), query_pre_attn_scalar=q, sliding_window=window)), tables)


# --- others ----------------------------------------------------------------------------------------

def granite(name, n_tokens, **kw):
    factors = {"embedding_scale": 6.5, "residual_scale": 0.31, "attention.scale": 0.11, "logit_scale": 3.25}
    c = Case(name, "granite", n_tokens, **sizes(**kw), **factors)
    ends(c, tied=True)
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i, gain=2.5)
        for x, n in (("q", c["attention.head_count"]), ("k", c["attention.head_count_kv"])):
            at = f"model.layers.{i}.self_attn.{x}_proj.weight"
            c.state[at] = unpermute(c.state[at], n)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        feed_forward(c, i, c["feed_forward_length"])
    return c, finish(c, hf.GraniteForCausalLM(hf.GraniteConfig(
        **common(c), embedding_multiplier=6.5, residual_multiplier=0.31, attention_multiplier=c["attention.scale"],
        logits_scaling=3.25)))


def olmo2(name, n_tokens, **kw):
    c = Case(name, "olmo2", n_tokens, **sizes(**kw))
    n_q = c["attention.head_count"] * c["attention.key_length"]
    n_k = c["attention.head_count_kv"] * c["attention.key_length"]
    ends(c)
    for i in range(c["block_count"]):
        attention(c, i, gain=1.0)
        norm(c, i, "attn_q_norm", "self_attn.q_norm", n_q, offset=1.7)
        norm(c, i, "attn_k_norm", "self_attn.k_norm", n_k, offset=1.7)
        norm(c, i, "post_attention_norm", "post_attention_layernorm")
        feed_forward(c, i, c["feed_forward_length"])
        norm(c, i, "post_ffw_norm", "post_feedforward_layernorm")
    return c, finish(c, hf.Olmo2ForCausalLM(hf.Olmo2Config(**common(c))))


def phi3(name, n_tokens, window=None, original=None, n_rot=None, **kw):
    """`original`: context beyond which the long factors hold; the test's context has n_tokens in whole pages."""
    own = {"attention.sliding_window": window or 0}
    if original:
        own |= {"rope.scaling.attn_factor": 1.1875, "rope.scaling.original_context_length": original}
    c = Case(name, "phi3", n_tokens, **sizes(**kw), **own)
    d = c["attention.key_length"]
    n_rot = c.kv["rope.dimension_count"] = n_rot or d
    e, n_ff = c["embedding_length"], c["feed_forward_length"]
    rows = (c["attention.head_count"] + 2 * c["attention.head_count_kv"]) * d
    ends(c)
    table, scale = angle_table(10000.0, n_rot), 1.0
    if original:
        long = c.tensor("rope_factors_long.weight", n_rot // 2, gain=2.0, offset=6.0)
        short = c.tensor("rope_factors_short.weight", n_rot // 2, gain=0.2, offset=1.5)
        factors = torch.cat([long, long] if n_tokens > original else [short, short])
        table, scale = table / factors, 1.1875
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm")
        at = f"model.layers.{i}."
        c.both(f"blk.{i}.attn_qkv.weight", at + "self_attn.qkv_proj.weight", rows, e, gain=1.5)
        c.both(f"blk.{i}.attn_output.weight", at + "self_attn.o_proj.weight", e, c["attention.head_count"] * d)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        c.both(f"blk.{i}.ffn_up.weight", at + "mlp.gate_up_proj.weight", 2 * n_ff, e)
        c.both(f"blk.{i}.ffn_down.weight", at + "mlp.down_proj.weight", e, n_ff)
    config = hf.Phi3Config(**common(c), sliding_window=window,
                           rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                                            "partial_rotary_factor": n_rot / d})
    return c, finish(c, hf.Phi3ForCausalLM(config), {None: table}, scale)


def starcoder2(name, n_tokens, window=None, **kw):
    own = {"attention.layer_norm_epsilon": 1e-5}
    if window:
        own["attention.sliding_window"] = window
    c = Case(name, "starcoder2", n_tokens, **sizes(**kw), **own)
    e, n_ff = c["embedding_length"], c["feed_forward_length"]
    ends(c)

    def bias(ours, theirs, n, gain=0.5):
        c.both(f"{ours}.bias", f"{theirs}.bias", n, gain=gain)

    bias("output_norm", "model.norm", e)
    for i in range(c["block_count"]):
        b, at = f"blk.{i}.", f"model.layers.{i}."
        norm(c, i, "attn_norm", "input_layernorm")
        bias(b + "attn_norm", at + "input_layernorm", e)
        attention(c, i, bias=True)
        bias(b + "attn_output", at + "self_attn.o_proj", e)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        bias(b + "ffn_norm", at + "post_attention_layernorm", e)
        c.both(b + "ffn_up.weight", at + "mlp.c_fc.weight", n_ff, e)
        bias(b + "ffn_up", at + "mlp.c_fc", n_ff)
        c.both(b + "ffn_down.weight", at + "mlp.c_proj.weight", e, n_ff)
        bias(b + "ffn_down", at + "mlp.c_proj", e)
    more = common(c)
    more.pop("rms_norm_eps")
    return c, finish(c, hf.Starcoder2ForCausalLM(hf.Starcoder2Config(
        **more, norm_epsilon=1e-5, sliding_window=window, use_bias=True)))


def command_r(name, n_tokens, **kw):
    c = Case(name, "command-r", n_tokens, **sizes(**kw), **{"attention.layer_norm_epsilon": 1e-5, "logit_scale": 0.375})
    ends(c, tied=True)
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i)
        feed_forward(c, i, c["feed_forward_length"])
    more = common(c)
    more.pop("rms_norm_eps")
    # This network pairs neighbours itself: the angles are repeated side by side.
    half = angle_table(10000.0, c["rope.dimension_count"])[:, :c["rope.dimension_count"] // 2]
    return c, finish(c, hf.CohereForCausalLM(hf.CohereConfig(**more, layer_norm_eps=1e-5, logit_scale=0.375)),
                     {None: half.repeat_interleave(2, 1)})


def cases():
    yield mixture("mixtral", "llama", 80, 8, 2, 96, n_ff=96)
    yield mixture("mixtral_f16", "llama", 40, 4, 2, 96, n_ff=96, type="F16")
    yield mixture("qwen2moe", "qwen2moe", 80, 12, 4, 48, 112, n_head=4, n_kv=4)
    yield mixture("qwen3moe", "qwen3moe", 80, 16, 4, 40, n_head=4, n_kv=1, d=32)
    yield mixture("qwen3moe_bf16", "qwen3moe", 40, 6, 5, 40, n_head=4, n_kv=2, d=32, type="BF16")
    yield gemma("gemma", "gemma", 80, n_embd=96, d=32, n_kv=1)
    yield gemma("gemma2", "gemma2", 100, window=20, n_embd=96, d=32, n_layer=4)
    yield gemma("gemma2_scale", "gemma2", 100, window=70, query=11, n_embd=72, d=24, n_head=6, n_layer=2)
    yield gemma("gemma3", "gemma3", 100, window=20, n_embd=96, d=32, n_kv=1, n_layer=7)
    yield gemma("gemma3_linear", "gemma3", 100, window=66, linear=8.0, query=150, n_embd=64, d=256, n_head=2,
                n_kv=2, n_layer=6, n_ff=80)
    yield granite("granite", 80, n_head=6, n_kv=2, n_embd=96)
    yield olmo2("olmo2", 80, n_head=6, n_kv=3, n_embd=96)
    yield phi3("phi3", 80, n_embd=96, d=24)
    yield phi3("phi3_window", 100, window=20, n_embd=128, d=32, n_rot=24)
    yield phi3("phi3_short", 100, original=256, n_embd=128, d=32)
    yield phi3("phi3_long", 100, original=64, n_embd=128, d=32, n_rot=24, n_kv=4)
    yield starcoder2("starcoder2", 80, n_embd=96, n_head=6, n_kv=2)
    yield starcoder2("starcoder2_window", 100, window=20, d=32, n_embd=128, n_kv=1)
    yield command_r("command_r", 80, n_embd=96, n_head=6, n_kv=3)


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
    (HERE / "arch_cases.json").write_text(json.dumps({
        "generator": "gen_arch_goldens.py", "torch": torch.__version__,
        "transformers": hf.__version__, "numpy": np.__version__, "cases": done}, indent=None))


if __name__ == "__main__":
    main()
