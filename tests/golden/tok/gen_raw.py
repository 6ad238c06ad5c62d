#!/usr/bin/env python3
"""Trains a small BPE model over text (not bytes), as Gemma 4 has it, and says what the tokenizers
package makes of the strings of texts.vec with it.

usage: gen_raw.py   writes raw_bpe.txt and raw_bpe.vec here

The model: a line with the numbers of tokens and merges, then one a line, as escaped texts (see
gen_texts.py; a blank is %20). raw_bpe.vec: one hash of ids a line, '----' for texts that are not
UTF-8. The model has byte tokens first; a run of newlines is one token where the vocabulary has it.
Made with tokenizers 0.23.3; the text is that of gen_unigram.py.
"""
import json
import pathlib

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from gen_bert import unescape
from gen_texts import escape, hashed
from gen_unigram import corpus

HERE = pathlib.Path(__file__).parent


def train():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\n]+|\n+"), "isolated")
    tokenizer.decoder = decoders.ByteFallback()
    lines = list(corpus())
    lines = [a + "\n" * (i % 4) + b for i, (a, b) in enumerate(zip(lines, lines[1:]))]
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=800, show_progress=False, special_tokens=[f"<0x{i:02X}>" for i in range(256)]))
    # Bytes are no special tokens in use: text must not match them.
    model = json.loads(tokenizer.to_str())
    model["added_tokens"] = []
    return Tokenizer.from_str(json.dumps(model)), model["model"]


def main():
    tokenizer, model = train()
    vocab = sorted(model["vocab"], key=model["vocab"].get)
    assert [model["vocab"][v] for v in vocab] == list(range(len(vocab)))
    lines = [f"{len(vocab)} {len(model['merges'])}".encode()]
    lines += [escape(v.encode()) for v in vocab]
    lines += [escape(" ".join(pair).encode()) for pair in model["merges"]]
    (HERE / "raw_bpe.txt").write_bytes(b"\n".join(lines) + b"\n")
    with open(HERE / "raw_bpe.vec", "w", encoding="utf-8") as f:
        for line in (HERE / "texts.vec").read_bytes().split(b"\n")[:-1]:
            try:
                print(hashed(tokenizer.encode(unescape(line.split(b" ")[0]).decode()).ids), file=f)
            except UnicodeDecodeError:
                print("----", file=f)


main()
