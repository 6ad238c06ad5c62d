#!/usr/bin/env python3
"""Makes texts.vec: random mixed-script strings with what other tokenizers make of them.

usage: gen_texts.py VOCAB_DIR COUNT [SEED] > texts.vec
       VOCAB_DIR holds gpt-2.gguf, llama-bpe.gguf, llama-spm.gguf and phi-3.gguf

One line a string, fields separated by blanks:
  text       UTF-8 with %XX for bytes up to 0x20, '%', 0x7F and those that are not UTF-8
  4 splits   gpt-2, llama-bpe, qwen2, default: the published patterns run by the regex package
  4 ids      gpt-2, llama-bpe by tokenizers; llama-spm, phi-3 by sentencepiece; models are built of
             vocabulary, merges and scores of the .gguf files; no special tokens; '----' for texts
             that are not UTF-8, which those packages do not take
Splits and ids are given as hashes: FNV-1a over 32-bit little-endian numbers (word lengths in bytes,
ids), its upper 24 bits in base64.

texts.vec: gen_texts.py DIR 4000 1 with regex 2026.11.15, tokenizers 0.23.3, sentencepiece 0.2.3,
Unicode 14 (only characters assigned there are used, so newer tables agree).
"""
import base64
import random
import sys
import unicodedata

import gguf
import regex
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
GROUPED = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
           r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = GROUPED % "{1,3}"
QWEN2 = GROUPED % ""
SPLITS = [[GPT2], [LLAMA3], [QWEN2],
          [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"]]

POOLS = [
    "etaoin shrdlu ETAOIN", "'s 't 're 've 'm 'll 'd 'S 'RE 'Ll 'D 'vE '\u017f".split(),
    ["don't", "we'll", "I'M", "it's", "''s", "hello", " world", " the", " The", "quick"],
    [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n", "\n ", "        "],
    "0123456789", ["12", "123", "1234", "٣٤", "१२", "Ⅷ", "½", "²", "１２"],
    "éßñüÅøœǅʰˢªº", "абвгдЖЗИ", "αβγΔΘ", "אבגד", "ابتث", "अआइकि", "กขคงำ",
    "漢字仮名交じり文", "한국어",
    "\u0301\u0308\u093f\u0e31\u20dd\ufe0f\u200d", "😀🚀👍🏽🇩🇪🦙", ".,;:!?()[]{}<>-_=+*/\\|@#$%^&~`\"",
    "«»„“”‘’…—–・。、「」￥€©®™∑√≠", "\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u0085",
    "\x00\x1b\x1c\x1f\x7f\u00ad\u200b\ufeff\ue000",
    ["https://", "==", "...", "#include", "C++", "ſ", "K"],
]
ASSIGNED = [chr(cp) for cp in range(0x110000)
            if unicodedata.category(chr(cp)) not in ("Cn", "Cs", "Co")]


def random_text(rng):
    def piece():
        if rng.random() < 0.04:
            return rng.choice(ASSIGNED).encode()
        if rng.random() < 0.02:
            return bytes([rng.randrange(0x80, 0x100)])
        return rng.choice(rng.choice(favourites)).encode()
    favourites = rng.sample(POOLS, rng.randint(1, 6))
    # The mark that SentencePiece puts for a space is the same as a space to it.
    return b"".join(piece() for _ in range(rng.randint(1, 14))).replace("\u2581".encode(), b"")


def cut(pattern, text):
    at = 0
    for m in regex.finditer(pattern, text):
        if m.start() > at:
            yield text[at:m.start()]
        if m.end() > m.start():
            yield m.group()
        at = m.end()
    if at < len(text):
        yield text[at:]


def word_lengths(patterns, raw):
    # A byte that is not UTF-8 is neither letter, number nor space: U+E000 is such a character.
    text = raw.decode(errors="surrogateescape")
    stand_in = regex.sub("[\udc80-\udcff]", "\ue000", text)
    words = [stand_in]
    for pattern in patterns:
        words = [part for word in words for part in cut(pattern, word)]
    at, lengths = 0, []
    for word in words:
        lengths.append(len(text[at:at + len(word)].encode(errors="surrogateescape")))
        at += len(word)
    return lengths


def hashed(numbers):
    h = 0x811C9DC5
    for number in numbers:
        for byte in number.to_bytes(4, "little"):
            h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return base64.b64encode((h >> 8).to_bytes(3, "big")).decode()


def fields(path):
    reader = gguf.GGUFReader(path)
    return lambda name: reader.fields["tokenizer.ggml." + name].contents()


def load_bpe(path, pattern, whole_words):
    get = fields(path)
    vocab = {text: i for i, text in enumerate(get("tokens"))}
    merges = []
    for line in get("merges"):
        gap = line.index(" ", 1)
        merges.append((line[:gap], line[gap + 1:]))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=whole_words))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def load_spm(path):
    get = fields(path)
    proto = pb.ModelProto()
    proto.trainer_spec.model_type = pb.TrainerSpec.BPE
    proto.trainer_spec.byte_fallback = True
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = True
    proto.normalizer_spec.remove_extra_whitespaces = False
    for i, (text, score, kind) in enumerate(zip(get("tokens"), get("scores"), get("token_type"))):
        # The package wants exactly one unknown piece.
        proto.pieces.add(piece=text, score=score, type=2 if i == 0 else 3 if kind == 2 else kind)
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    return processor.encode


def escape(raw):
    text = raw.decode(errors="surrogateescape")
    out = []
    for c in text:
        for byte in c.encode(errors="surrogateescape"):
            plain = len(c.encode(errors="surrogateescape")) > 1 or 0x20 < byte < 0x7F and c != "%"
            out.append(bytes([byte]) if plain else b"%%%02X" % byte)
    return b"".join(out)


def main():
    directory, count = sys.argv[1], int(sys.argv[2])
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    encoders = [load_bpe(f"{directory}/gpt-2.gguf", GPT2, False),
                load_bpe(f"{directory}/llama-bpe.gguf", LLAMA3, True),
                load_spm(f"{directory}/llama-spm.gguf"), load_spm(f"{directory}/phi-3.gguf")]
    for _ in range(count):
        raw = random_text(rng)
        row = [hashed(word_lengths(patterns, raw)) for patterns in SPLITS]
        try:
            text = raw.decode()
            row += [hashed(encode(text)) for encode in encoders]
        except UnicodeDecodeError:
            row += ["----"] * len(encoders)
        sys.stdout.buffer.write(escape(raw) + b" " + " ".join(row).encode() + b"\n")


if __name__ == "__main__":
    main()
