#!/usr/bin/env python3
"""Goldens of encoders, pooling and classifiers: hidden states and vectors by Hugging Face transformers.

Writes beside itself encoder_cases.json, NAME.npy (float32 [n_tokens, n_embd], the last hidden states)
and NAME.pooled.npy (float32 [1, n]: the vector of the whole text as the case's keys ask for it, not
normalised, or its labels), by the rule and with the helpers of gen_llm_goldens.py. Every tensor is
random, attention is far from uniform, inputs are longer than any window. The first two thirds of a
text's tokens are its first part (token type 0), the others its second.

Pooling is what sentence-transformers' modules do: mean of all tokens, the first, the last; Dense
layers follow without activation. Classifiers are transformers' own; a Qwen3 reranker is the softmax of
two rows of an output matrix on the last token.

usage: gen_encoder_goldens.py [WORD]   (writes arrays only for cases whose name contains WORD)
"""
import json
import sys

import numpy as np
import torch
import transformers as hf

from gen_arch_goldens import (HERE, Case, angle_table, attention, common, ends, feed_forward, finish, norm,
                              sizes)

MEAN, CLS, LAST, RANK = 1, 2, 3, 4
EPS = 1e-5


def encoder(name, arch, n_tokens, pooling, n_embd=64, n_layer=3, n_head=4, n_ff=176, vocab=96, type="F32", **own):
    c = Case(name, arch, n_tokens, type)
    c.kv = {"context_length": 256, "embedding_length": n_embd, "block_count": n_layer, "feed_forward_length": n_ff,
            "attention.head_count": n_head, "attention.layer_norm_epsilon": EPS, "attention.causal": False,
            "pooling_type": pooling, "vocab_size": vocab} | own
    return c


def linear(c, ours, theirs, n_out, n_in, bias=True, gain=1.0):
    c.both(f"{ours}.weight", f"{theirs}.weight", n_out, n_in, gain=gain)
    if bias:
        c.both(f"{ours}.bias", f"{theirs}.bias", n_out, gain=0.5)


def layer_norm(c, ours, theirs, bias=True):
    c.both(f"{ours}.weight", f"{theirs}.weight", c["embedding_length"], gain=0.3, offset=1.0)
    if bias:
        c.both(f"{ours}.bias", f"{theirs}.bias", c["embedding_length"], gain=0.5)


def load(c, net, rotary=None, tables=None):
    net = net.double().eval()
    missing, unexpected = net.load_state_dict(c.state, strict=False)
    if missing or unexpected:
        raise SystemExit(f"{c.name}: missing {missing}, unexpected {unexpected}")
    if rotary:
        def angles(x, position_ids, layer_type=None):
            a = tables[layer_type][position_ids]
            return a.cos(), a.sin()
        rotary.forward = angles
    return net


def part_of(n):
    return (torch.arange(n) >= n * 2 // 3).long()[None]


# --- bert -----------------------------------------------------------------------------------------

def bert_tensors(c, n_pos, n_parts, at="", skip=0):
    """`skip`: rows of the network's position table that a RoBERTa file does not have."""
    e, n_ff = c["embedding_length"], c["feed_forward_length"]
    c.both("token_embd.weight", at + "embeddings.word_embeddings.weight", c["vocab_size"], e, gain=np.sqrt(e))
    key = at + "embeddings.position_embeddings.weight"
    c.both("position_embd.weight", key, n_pos, e, gain=np.sqrt(e), type="F32")
    c.state[key] = torch.cat([torch.full((skip, e), 9.0).double(), c.state[key]])
    c.both("token_types.weight", at + "embeddings.token_type_embeddings.weight", n_parts, e, gain=np.sqrt(e), type="F32")
    layer_norm(c, "token_embd_norm", at + "embeddings.LayerNorm")
    for i in range(c["block_count"]):
        b, t = f"blk.{i}.", f"{at}encoder.layer.{i}."
        for x, name in (("q", "query"), ("k", "key"), ("v", "value")):
            linear(c, f"{b}attn_{x}", f"{t}attention.self.{name}", e, e, gain=1.0 if x == "v" else 1.7)
        linear(c, b + "attn_output", t + "attention.output.dense", e, e)
        layer_norm(c, b + "attn_output_norm", t + "attention.output.LayerNorm")
        linear(c, b + "ffn_up", t + "intermediate.dense", n_ff, e)
        linear(c, b + "ffn_down", t + "output.dense", e, n_ff)
        layer_norm(c, b + "layer_output_norm", t + "output.LayerNorm")


def bert_config(c, kind, n_pos, n_parts, **more):
    return kind(vocab_size=c["vocab_size"], hidden_size=c["embedding_length"], num_hidden_layers=c["block_count"],
                num_attention_heads=c["attention.head_count"], intermediate_size=c["feed_forward_length"],
                max_position_embeddings=n_pos, type_vocab_size=n_parts, layer_norm_eps=EPS,
                attn_implementation="eager", **more)


def bert(name, n_tokens, pooling, **kw):
    c = encoder(name, "bert", n_tokens, pooling, **kw)
    bert_tensors(c, 256, 2)
    net = load(c, hf.BertModel(bert_config(c, hf.BertConfig, 256, 2), add_pooling_layer=False))
    return c, lambda ids: net(ids, token_type_ids=part_of(ids.shape[1])).last_hidden_state[0], None


def roberta_rank(name, n_tokens, **kw):
    c = encoder(name, "bert", n_tokens, RANK, **kw, **{"context_length": 128})
    e = c["embedding_length"]
    bert_tensors(c, 128, 1, "roberta.", skip=2)
    linear(c, "cls", "classifier.dense", e, e)
    linear(c, "cls.output", "classifier.out_proj", 1, e)
    net = load(c, hf.XLMRobertaForSequenceClassification(bert_config(c, hf.XLMRobertaConfig, 130, 1, num_labels=1)))
    where = lambda ids: torch.arange(2, 2 + ids.shape[1])[None]
    return (c, lambda ids: net.roberta(ids, position_ids=where(ids)).last_hidden_state[0],
            lambda ids, h: net(ids, position_ids=where(ids)).logits[0])


def nomic(name, n_tokens, **kw):
    base = 1000.0
    c = encoder(name, "nomic-bert", n_tokens, MEAN, **kw, **{"rope.freq_base": base})
    e, n_ff, n_head = c["embedding_length"], c["feed_forward_length"], c["attention.head_count"]
    c.both("token_embd.weight", "embeddings.word_embeddings.weight", c["vocab_size"], e, gain=np.sqrt(e))
    c.both("token_types.weight", "embeddings.token_type_embeddings.weight", 2, e, gain=np.sqrt(e))
    layer_norm(c, "token_embd_norm", "embeddings.LayerNorm")
    for i in range(c["block_count"]):
        b, t = f"blk.{i}.", f"layers.{i}."
        parts = c.tensor(b + "attn_qkv.weight", 3 * e, e, gain=1.5).chunk(3)
        for x, part in zip("qkv", parts):
            c.state[f"{t}self_attn.{x}_proj.weight"] = part
        linear(c, b + "attn_output", t + "self_attn.o_proj", e, e, bias=False)
        layer_norm(c, b + "attn_output_norm", t + "post_attention_layernorm")
        for x in ("gate", "up"):
            linear(c, f"{b}ffn_{x}", f"{t}mlp.{x}_proj", n_ff, e, bias=False)
        linear(c, b + "ffn_down", t + "mlp.down_proj", e, n_ff, bias=False)
        layer_norm(c, b + "layer_output_norm", t + "post_mlp_layernorm")
    config = hf.NomicBertConfig(vocab_size=c["vocab_size"], hidden_size=e, num_hidden_layers=c["block_count"],
                                num_attention_heads=n_head, intermediate_size=n_ff, max_position_embeddings=256,
                                layer_norm_eps=EPS, attn_implementation="eager")
    net = hf.NomicBertModel(config, add_pooling_layer=False)
    load(c, net, net.rotary_emb, {None: angle_table(base, e // n_head)})
    return c, lambda ids: net(ids, token_type_ids=part_of(ids.shape[1])).last_hidden_state[0], None


def modern(name, n_tokens, window, pooling=CLS, act=None, n_label=0, **kw):
    own = {"attention.sliding_window": window, "rope.freq_base": 160000.0, "rope.freq_base_swa": 5000.0}
    if act:
        own["hidden_activation"] = act
    if n_label:
        own["classifier.output_labels"] = [f"label {i}" for i in range(n_label)]
    c = encoder(name, "modern-bert", n_tokens, pooling, **kw, **own)
    e, n_ff, n_head = c["embedding_length"], c["feed_forward_length"], c["attention.head_count"]
    at = "model." if n_label else ""
    c.both("token_embd.weight", at + "embeddings.tok_embeddings.weight", c["vocab_size"], e, gain=np.sqrt(e))
    layer_norm(c, "token_embd_norm", at + "embeddings.norm", bias=False)
    for i in range(c["block_count"]):
        b, t = f"blk.{i}.", f"{at}layers.{i}."
        if i:
            layer_norm(c, b + "attn_norm", t + "attn_norm", bias=False)
        linear(c, b + "attn_qkv", t + "attn.Wqkv", 3 * e, e, bias=False, gain=1.5)
        linear(c, b + "attn_output", t + "attn.Wo", e, e, bias=False)
        layer_norm(c, b + "ffn_norm", t + "mlp_norm", bias=False)
        linear(c, b + "ffn_up", t + "mlp.Wi", 2 * n_ff, e, bias=False)
        linear(c, b + "ffn_down", t + "mlp.Wo", e, n_ff, bias=False)
    layer_norm(c, "output_norm", at + "final_norm", bias=False)
    if n_label:
        linear(c, "cls", "head.dense", e, e, bias=False)
        layer_norm(c, "cls.norm", "head.norm", bias=False)
        linear(c, "cls.output", "classifier", n_label, e)
    config = hf.ModernBertConfig(
        vocab_size=c["vocab_size"], hidden_size=e, num_hidden_layers=c["block_count"], num_attention_heads=n_head,
        intermediate_size=n_ff, max_position_embeddings=256, norm_eps=EPS, local_attention=window,
        hidden_activation=act or "gelu", classifier_pooling="mean", num_labels=n_label or 2, pad_token_id=0,
        bos_token_id=0, eos_token_id=0, cls_token_id=0, sep_token_id=0, attn_implementation="eager")
    net = hf.ModernBertForSequenceClassification(config) if n_label else hf.ModernBertModel(config)
    body = net.model if n_label else net
    d = e // n_head
    load(c, net, body.rotary_emb, {"full_attention": angle_table(160000.0, d), "sliding_attention": angle_table(5000.0, d)})
    return c, lambda ids: body(ids).last_hidden_state[0], (lambda ids, h: net(ids).logits[0]) if n_label else None


# --- decoders, and one that sees ahead ------------------------------------------------------------

def gemma_embedding(name, n_tokens, window, dense, **kw):
    c = Case(name, "gemma-embedding", n_tokens, **sizes(**kw), **{
        "rope.freq_base": 1e6, "attention.layer_norm_rms_epsilon": 1e-6, "attention.sliding_window": window,
        "pooling_type": MEAN})
    e, d = c["embedding_length"], c["attention.key_length"]
    ends(c, tied=True, shift=-1)
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm", shift=-1)
        attention(c, i, gain=1.0)
        norm(c, i, "attn_q_norm", "self_attn.q_norm", d, shift=-1, offset=1.7)
        norm(c, i, "attn_k_norm", "self_attn.k_norm", d, shift=-1, offset=1.7)
        norm(c, i, "post_attention_norm", "post_attention_layernorm", shift=-1)
        norm(c, i, "ffn_norm", "pre_feedforward_layernorm", shift=-1)
        feed_forward(c, i, c["feed_forward_length"])
        norm(c, i, "post_ffw_norm", "post_feedforward_layernorm", shift=-1)
    tables = {"full_attention": angle_table(1e6, d), "sliding_attention": angle_table(10000.0, d)}
    net = finish(c, hf.Gemma3ForCausalLM(hf.Gemma3TextConfig(
        **common(c), query_pre_attn_scalar=d, sliding_window=window, use_bidirectional_attention=True)), tables)
    c.kv |= {"dense_2_feat_in": e, "dense_2_feat_out": dense, "dense_3_feat_in": dense, "dense_3_feat_out": e}
    first, second = c.tensor("dense_2.weight", dense, e), c.tensor("dense_3.weight", e, dense)
    return c, lambda ids: net.model(ids).last_hidden_state[0], lambda ids, h: h.mean(0) @ first.T @ second.T


def decoder(name, arch, n_tokens, pooling, tied=False, ahead=False, **kw):
    """`ahead`: a decoder's network that was trained on to see whole texts."""
    c = Case(name, arch, n_tokens, **sizes(**kw), pooling_type=pooling)
    if ahead:
        c.kv["attention.causal"] = False
    ends(c, tied=tied)
    for i in range(c["block_count"]):
        norm(c, i, "attn_norm", "input_layernorm")
        attention(c, i, gain=1.0 if arch == "qwen3" else 1.7)
        if arch == "qwen3":
            norm(c, i, "attn_q_norm", "self_attn.q_norm", c["attention.key_length"], offset=1.7)
            norm(c, i, "attn_k_norm", "self_attn.k_norm", c["attention.key_length"], offset=1.7)
        norm(c, i, "ffn_norm", "post_attention_layernorm")
        feed_forward(c, i, c["feed_forward_length"])
    if arch == "qwen3":
        net = hf.Qwen3ForCausalLM(hf.Qwen3Config(**common(c)))
    else:
        net = hf.LlamaForCausalLM(hf.LlamaConfig(**common(c)))
    finish(c, net)
    mask = torch.zeros(1, 1, n_tokens, n_tokens).double() if ahead else None
    return c, lambda ids: net.model(ids, attention_mask=mask).last_hidden_state[0], None


def qwen3_rank(name, n_tokens, **kw):
    c, hidden, _ = decoder(name, "qwen3", n_tokens, RANK, tied=True, **kw)
    c.kv["classifier.output_labels"] = ["yes", "no"]
    rows = c.tensor("cls.output.weight", 2, c["embedding_length"])
    return c, hidden, lambda ids, h: (h[-1] @ rows.T).softmax(0)


def cases():
    yield bert("bert", 80, CLS, n_embd=96, n_head=6)
    yield bert("bert_f16", 70, MEAN, type="F16")
    yield roberta_rank("roberta_rank", 80, n_head=2)
    yield nomic("nomic_bert", 100, n_embd=96, n_head=3)
    yield modern("modern_bert", 100, 20, n_layer=5)
    yield modern("modern_bert_silu", 100, 65, act="silu", pooling=MEAN, n_layer=2, n_head=2)
    yield modern("modern_bert_rank", 80, 16, pooling=RANK, n_label=3)
    yield gemma_embedding("gemma_embedding", 100, 20, 160, n_embd=96, d=32, n_kv=1, n_layer=7)
    yield decoder("llama_mean", "llama", 100, MEAN)
    yield decoder("qwen3_last", "qwen3", 100, LAST, tied=True, d=32, n_kv=1)
    yield decoder("llama_ahead", "llama", 80, MEAN, ahead=True)
    yield qwen3_rank("qwen3_rank", 80, d=32)


def pool(c, h):
    return {MEAN: h.mean(0), CLS: h[0], LAST: h[-1]}[c["pooling_type"]]


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    hf.utils.logging.set_verbosity_error()
    done = []
    for c, hidden, finish_text in cases():
        done.append(c.json())
        if word not in c.name:
            continue
        ids = torch.tensor([done[-1]["tokens"]])
        with torch.no_grad():
            h = hidden(ids)
            y = finish_text(ids, h) if finish_text else pool(c, h)
        np.save(HERE / f"{c.name}.npy", h.numpy().astype(np.float32))
        np.save(HERE / f"{c.name}.pooled.npy", y.numpy().astype(np.float32)[None])
        print(c.name, "range", float(h.max() - h.min()), float(y.max() - y.min()), flush=True)
    (HERE / "encoder_cases.json").write_text(json.dumps({
        "generator": "gen_encoder_goldens.py", "torch": torch.__version__, "transformers": hf.__version__,
        "numpy": np.__version__, "cases": done}, indent=None))


if __name__ == "__main__":
    main()
