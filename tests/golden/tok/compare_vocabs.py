#!/usr/bin/env python3
"""Published vocabularies against the reference libraries, on random strings of mixed scripts, code,
emoji and broken bytes.

usage: compare_vocabs.py BUILD COUNT [--llama SOURCE LIBRARIES] [--limit N] FILE...
  BUILD      a build folder with libhearth.a
  SOURCE, LIBRARIES   of llama.cpp: a tree with headers, a folder with libllama
  FILE       GGUF vocabularies (*.gguf), tokenizer.json files, SentencePiece models (*.model,
             which are compared as GGUF files made of them)

One line a file: strings, those whose ids differ from the package (tokenizers or sentencepiece) as
plain text and with special tokens, those that differ from llama.cpp in the same two ways, and
broken strings that do not come back from decoding. '-' where there is no such reference. For GGUF
files the package gets the published pattern of the split (gen_splits.py); special tokens are
compared for tokenizer.json files and with llama.cpp.

Known differences. From the package: NFKC of letters that its tables lack (3 strings of 10,000 for
Anthropic's); user-defined tokens of phi-3, behind which its tokenizer.json puts a space and takes
white space away, and a SentencePiece model cannot say so. From llama.cpp: its BERT takes no
capitals and syllables of Hangul apart as published (1 string in 5); patterns that it approximates;
bytes that a vocabulary lacks, which it leaves out behind merging.
Broken strings, which no reference takes, come back where the vocabulary has all 256 bytes
(GPT-NeoX', StarCoder's and deepseek-coder's lack some) and nothing is normalised.
"""
import argparse
import functools
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers)

from gen_bert import is_known
from gen_splits import GPT2, LLAMA3, QWEN2, SPLITS
from gen_texts import fields, load_spm, random_text

HERE = pathlib.Path(__file__).resolve().parent
PATTERNS = {**SPLITS, "gpt-2": [GPT2], "mpt": [GPT2], "olmo": [GPT2], "llama-bpe": [LLAMA3],
            "qwen2": [QWEN2], "refact": SPLITS["starcoder"], "command-r": SPLITS["starcoder"],
            "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"]}
CODE = [line for path in sorted(HERE.glob("*.[cp]*")) for line in path.read_text().splitlines(True)]


def text_of(rng):
    kind = rng.random()
    if kind < .15:
        at = rng.randrange(len(CODE))
        return "".join(CODE[at:at + rng.randint(1, 6)]).encode()
    return b"".join(random_text(rng) for _ in range(rng.choice([1, 1, 2, 4])))


def is_utf8(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False


def run(tool, path, texts):
    blob = b"".join(struct.pack("<I", len(t)) + t for t in texts)
    out = subprocess.run([tool, path], input=blob, capture_output=True, check=False)
    return out.stdout.decode().split("\n"), out.stderr.decode()[-200:].strip()


# --- references ---------------------------------------------------------------------------------

def spell_out(pattern):
    """Oniguruma takes \\xb5 for a byte."""
    return re.sub(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))",
                  lambda m: chr(int(m[1] or m[2] or m[3], 16)), pattern)


def gguf_bpe(get):
    types = get("token_type")
    vocab = {}
    for i, text in enumerate(get("tokens")):
        vocab.setdefault(text, i)
    merges = []
    for line in get("merges"):
        gap = line.index(" ", 1)
        merges.append((line[:gap], line[gap + 1:]))
    pre = maybe(get, "pre", "default")
    whole = pre in ("llama-bpe", "tekken")
    if get("model") == "gemma4":
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, byte_fallback=True))
        tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    else:
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=whole))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(spell_out(p)), "isolated") for p in PATTERNS[pre]]
            + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t, i in vocab.items()
                          if types[i] == 4])
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def gguf_wordpiece(get):
    """The published spelling: '##' where there is no mark of a first piece."""
    vocab, types = {}, get("token_type")
    for i, text in enumerate(get("tokens")):
        spelled = text if types[i] != 1 else text[1:] if text[0] == "\u2581" else "##" + text
        vocab.setdefault(spelled, i)
    tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


@functools.lru_cache(maxsize=None)
def is_in_tables(c):
    return is_known(c)


def maybe(get, name, otherwise):
    try:
        return get(name)
    except KeyError:
        return otherwise


def reference_of(path):
    """text -> (ids as plain text, ids with special tokens or None)"""
    if path.suffix == ".json":
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()

        def encode(text):
            tokenizer.encode_special_tokens = True
            plain = tokenizer.encode(text, add_special_tokens=False).ids
            tokenizer.encode_special_tokens = False
            return plain, tokenizer.encode(text).ids
        return encode
    if path.suffix != ".gguf":
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        return lambda text: (processor.encode(text), None)
    get = fields(path)
    make = {"gpt2": gguf_bpe, "gemma4": gguf_bpe, "bert": gguf_wordpiece,
            "llama": lambda get: load_spm(path)}.get(get("model"))
    if not make:
        return None
    plain = make(get)
    return lambda text: (plain(text), None)


def gguf_of_model(path, folder):
    """A GGUF file with the pieces of a SentencePiece model."""
    proto = pb.ModelProto()
    proto.ParseFromString(path.read_bytes())
    out = pathlib.Path(folder) / (path.name + ".gguf")
    w = gguf.GGUFWriter(out, "llama")
    unigram = proto.trainer_spec.model_type == pb.TrainerSpec.UNIGRAM
    w.add_tokenizer_model("t5" if unigram else "llama")
    w.add_token_list([p.piece for p in proto.pieces])
    w.add_token_scores([p.score for p in proto.pieces])
    w.add_token_types([p.type for p in proto.pieces])
    w.add_add_space_prefix(proto.normalizer_spec.add_dummy_prefix)
    w.add_remove_extra_whitespaces(proto.normalizer_spec.remove_extra_whitespaces)
    if unigram:
        w.add_precompiled_charsmap(proto.normalizer_spec.precompiled_charsmap)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()
    return out


# --- comparing ----------------------------------------------------------------------------------

def numbers(ids):
    return " ".join(map(str, ids))


class Count:
    def __init__(self, name, limit):
        self.name, self.limit, self.wrong, self.used = name, limit, 0, False

    def add(self, text, got, want):
        self.used = True
        if got == want:
            return
        self.wrong += 1
        if self.wrong <= self.limit:
            print(f"  {self.name}: {text!r}\n    got  {got}\n    want {want}")

    def __str__(self):
        return str(self.wrong) if self.used else "-"


def compare(tool, peer, path, texts, limit):
    with tempfile.TemporaryDirectory() as folder:
        file = gguf_of_model(path, folder) if path.suffix not in (".gguf", ".json") else path
        ours, problem = run(tool, file, texts)
        theirs, _ = run(peer, file, texts) if peer and file.suffix == ".gguf" else ([], "")
    if len(ours) < 3 * len(texts):
        print(f"{path.name}: REFUSED {problem}")
        return
    reference = reference_of(path)
    counts = [Count(n, limit) for n in ("package", "package special", "llama", "llama special",
                                        "broken")]
    is_bert = path.suffix == ".gguf" and fields(path)("model") == "bert"
    for i, text in enumerate(texts):
        special, plain, back = ours[3 * i:3 * i + 3]
        if not is_utf8(text):
            counts[4].add(text, back, "1")
            continue
        want = reference(text.decode()) if reference else (None, None)
        for k, (got, ids) in enumerate(zip((plain, special), want)):
            lacks = is_bert and not all(map(is_in_tables, text.decode()))
            if ids is not None and not lacks:
                counts[k].add(text.decode(), got, numbers(ids))
        if len(theirs) >= 2 * len(texts):
            counts[2].add(text.decode(), plain, theirs[2 * i])
            counts[3].add(text.decode(), special, theirs[2 * i + 1])
    print(f"{path.parent.name}/{path.name}: {len(texts)} strings; "
          + ", ".join(f"{c.name} {c}" for c in counts), flush=True)


def build_tool(build, out):
    root = HERE.parents[2]
    libraries = subprocess.run(["pkg-config", "--libs", "libpcre2-8", "libutf8proc"],
                               capture_output=True, text=True, check=False).stdout.split()
    subprocess.run(["cc", "-std=gnu17", "-O1", "-o", out, HERE / "tok_ids.c", f"-I{root}/src",
                    f"-I{root}/include", build / "libhearth.a", *libraries, "-lpthread", "-lm"],
                   check=True)


def build_peer(source, libraries, out):
    names = [p for p in libraries.iterdir()
             if p.name.startswith(("libllama.", "libggml.", "libggml-base."))]
    subprocess.run(["cc", "-O1", "-o", out, HERE.parents[2] / "bench/peers/llama_tokens.c",
                    f"-I{source}/include", f"-I{source}/ggml/include", *names,
                    f"-Wl,-rpath,{libraries}"], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--llama", nargs=2, type=pathlib.Path)
    parser.add_argument("--limit", type=int, default=2)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    rng = random.Random(5)
    texts = [text_of(rng) for _ in range(args.count)]
    with tempfile.TemporaryDirectory() as folder:
        tool, peer = pathlib.Path(folder) / "tok_ids", pathlib.Path(folder) / "llama_tokens"
        build_tool(args.build, tool)
        if args.llama:
            build_peer(*args.llama, peer)
        for path in args.files:
            compare(tool, args.llama and peer, path, texts, args.limit)


if __name__ == "__main__":
    main()
