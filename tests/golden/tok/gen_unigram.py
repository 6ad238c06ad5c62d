#!/usr/bin/env python3
"""Trains two small Unigram models and says what sentencepiece makes of the strings of texts.vec.

usage: gen_unigram.py            writes unigram_unk.txt, unigram_bytes.txt and unigram.vec here
       gen_unigram.py TEXTS NAME writes NAME_unk.txt ... for a larger file of gen_texts.py, with the
                                 package's nmt_nfkc rules instead of the few below

A model: a line of settings (add_dummy_prefix remove_extra_whitespaces unk), a line with its
normalisation rules as the package compiled them, in hexadecimal, and for each piece a line of
score, type and spelling. unigram.vec: two hashes of ids a line as in texts.vec, for the model that
has an unknown token only and for the one with bytes; '----' for texts that are not UTF-8.

Made with sentencepiece 0.2.3. Training is deterministic with one thread; the text is random words
of seed 5.
"""
import io
import pathlib
import random
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb

from gen_bert import unescape
from gen_texts import hashed

HERE = pathlib.Path(__file__).parent
RULES = {"\u00a0": " ", "\u3000": " ", "\u2003": " ", "\t": " ", "\n": " ", "\r\n": "  ", "\u0085": "",
         "\u00ad": "", "\u200b": "", "\u2026": "...", "\u2122": "TM", "\u00bd": "1 2", "\u00df": "ss",
         "\u0301": "", "e\u0301": "\u00e9", "Ⅷ": "VIII", "\ufeff": " x ", "“": "\"", "”": "\"", "\x1b": ""}
RULES.update({chr(c + 0xFEE0): chr(c) for c in range(0x21, 0x7F)})


def corpus():
    rng = random.Random(5)
    words = ["the", "quick", "hello", "world", "don't", "we'll", "it's", "https://", "#include", "123"]
    words += ["".join(rng.choice("etaoinshrdlu") for _ in range(rng.randint(2, 8))) for _ in range(300)]
    words += ["".join(rng.choice("абвгд漢字仮名אבגד") for _ in range(rng.randint(1, 4))) for _ in range(80)]
    for _ in range(3000):
        yield " ".join(rng.choice(words) for _ in range(rng.randint(1, 12)))


def train(use_bytes, settings):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(list(corpus())), model_writer=out, model_type="unigram",
        vocab_size=750 if use_bytes else 500, byte_fallback=use_bytes, num_threads=1,
        character_coverage=1.0, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
        remove_extra_whitespaces=not use_bytes, hard_vocab_limit=False, **settings)
    return out.getvalue()


def write_model(path, model):
    proto = pb.ModelProto.FromString(model)
    spec = proto.normalizer_spec
    with open(path, "w", encoding="utf-8") as f:
        print(int(spec.add_dummy_prefix), int(spec.remove_extra_whitespaces),
              proto.trainer_spec.unk_id, file=f)
        print(spec.precompiled_charsmap.hex(), file=f)
        for piece in proto.pieces:
            print(repr(piece.score), piece.type, piece.piece, file=f)


def main():
    texts, prefix = HERE / "texts.vec", "unigram"
    settings = {}
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as rules:
        if len(sys.argv) > 2:
            texts, prefix = pathlib.Path(sys.argv[1]), sys.argv[2]
        else:
            for key, value in RULES.items():
                print(*(" ".join("%X" % ord(c) for c in part) for part in (key, value)), sep="\t",
                      file=rules)
            rules.flush()
            settings = {"normalization_rule_tsv": rules.name}
        models = [train(False, settings), train(True, settings)]
    write_model(HERE / f"{prefix}_unk.txt", models[0])
    write_model(HERE / f"{prefix}_bytes.txt", models[1])
    encoders = [sentencepiece.SentencePieceProcessor(model_proto=m).encode for m in models]
    with open(HERE / f"{prefix}.vec", "w", encoding="utf-8") as f:
        for line in texts.read_bytes().split(b"\n")[:-1]:
            try:
                text = unescape(line.split(b" ")[0]).decode()
                print(*(hashed(encode(text)) for encode in encoders), file=f)
            except UnicodeDecodeError:
                print("---- ----", file=f)


if __name__ == "__main__":
    main()
