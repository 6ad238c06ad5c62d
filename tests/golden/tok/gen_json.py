#!/usr/bin/env python3
"""Makes tokenizers with every component of the tokenizers package in many combinations, and says
what the package does with them.

usage: gen_json.py                  writes json_models.txt and json.vec here
       gen_json.py check TOOL N [SEED] [FILE...]
                                    compares TOOL on N strings for as many combinations of another
                                    seed, or for the tokenizer.json FILEs

json_models.txt: one tokenizer.json a line. json.vec: for each model two lines, of ids and of bytes:
a hash (see gen_texts.py) for each of the first 250 strings of texts.vec that are UTF-8, without
blanks; '----' for those with characters that the package's tables lack (see gen_bert.py). Ids: those with special tokens parsed and added, a separator 0xFFFFFFFF, those with special
tokens as text. Bytes: what the first ids decode to, special tokens included; '----' where the
package puts U+FFFD, since bytes that are no character are passed on here.
Made with tokenizers 0.23.3 and sentencepiece 0.2.3.

TOOL JSON TEXTS prints for each text (32-bit length, bytes) five lines: ids with special tokens
parsed and added, what they decode to in hex, ids with special tokens parsed, what they decode to
without special tokens, ids without.
"""
import io
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

from gen_bert import is_known
from gen_texts import hashed, random_text

HERE = pathlib.Path(__file__).parent
GPT4O_LIKE = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}]*[\p{Ll}\p{M}]+(?i:'s|'ll)?|\p{N}{1,2}"
              r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
REGEXES = [
    r"\s+", r"\w+|[^\w\s]", r"[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    r"\b", r"(?<=\p{L})(?=\p{N})", r"[[:alpha:]]+|[[:digit:]]+|[[:^alnum:]]", r"\p{Han}+|\p{Hiragana}+",
    r"[^(\s|[.,!?])]+", r"[\p{L}&&[^\p{Lu}]]+", r"[a-z[0-9]]+", r"\h+", r"^.", r".$", r"\S{,3}",
    r"(?m:a.+)", r"\d{1,3}(?=(?:\d{3})*\b)", r"[^\S\n]+|\n", r"\p{^L}+", r"\P{N}{2}+x?", r"(\w)\1",
    r"\p{Alpha}+|\p{Punct}", r"\p{Letter}\p{Mark}*", "[\\u0041-\\u005A]+", r"x*", r"",
    GPT4O_LIKE, r"[^\W\d_]+|\d|\W", r"(?i:the|quick)+", r"[\s&&[^\n]]+", r"\G.",
]
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def small_charsmap():
    rules = {"Å": "A", "ﬁ": "fi", "１": "1", "　": " ", "é": "e", "漢": "XY", "\u0301": "", "e\u0301": "E"}
    with tempfile.TemporaryDirectory() as folder:
        tsv = pathlib.Path(folder) / "rules.tsv"
        tsv.write_text("".join(" ".join(f"{ord(c):X}" for c in a) + "\t" +
                               " ".join(f"{ord(c):X}" for c in b) + "\n" for a, b in rules.items()))
        out = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["hello world the quick brown fox"] * 50), model_writer=out,
            vocab_size=30, model_type="unigram", normalization_rule_tsv=str(tsv),
            hard_vocab_limit=False, minloglevel=2)
    proto = pb.ModelProto()
    proto.ParseFromString(out.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


CHARSMAP = small_charsmap()


def random_normalizer(rng):
    return rng.choice([
        normalizers.NFC, normalizers.NFD, normalizers.NFKC, normalizers.NFKD, normalizers.Lowercase,
        normalizers.StripAccents, normalizers.Nmt, normalizers.BertNormalizer,
        lambda: normalizers.Strip(left=rng.random() < .7, right=rng.random() < .7),
        lambda: normalizers.BertNormalizer(*(rng.random() < .5 for _ in range(4))),
        lambda: normalizers.Prepend(rng.choice(["\u2581", "x ", "é"])),
        lambda: normalizers.Replace(rng.choice(["e", "  ", " ", "ab", "漢"]),
                                    rng.choice(["\u2581", "", "YY"])),
        lambda: normalizers.Replace(Regex(rng.choice(REGEXES[:-1])), rng.choice([" ", "", "é"])),
        lambda: normalizers.Precompiled(CHARSMAP),
    ])()


def random_cut(rng):
    return rng.choice([
        pre_tokenizers.Whitespace, pre_tokenizers.WhitespaceSplit, pre_tokenizers.BertPreTokenizer,
        lambda: pre_tokenizers.Digits(individual_digits=rng.random() < .5),
        lambda: pre_tokenizers.Punctuation(rng.choice(BEHAVIORS)),
        lambda: pre_tokenizers.CharDelimiterSplit(rng.choice("e |漢")),
        lambda: pre_tokenizers.FixedLength(rng.randint(1, 6)),
        lambda: pre_tokenizers.Metaspace(prepend_scheme=rng.choice(["always", "first", "never"]),
                                         split=rng.random() < .5),
        lambda: pre_tokenizers.ByteLevel(add_prefix_space=rng.random() < .5,
                                         use_regex=rng.random() < .5),
        lambda: pre_tokenizers.Split(rng.choice(["e", " ", "漢", "\n", "th"]),
                                     rng.choice(BEHAVIORS), rng.random() < .2),
        lambda: pre_tokenizers.Split(Regex(rng.choice(REGEXES)), rng.choice(BEHAVIORS),
                                     rng.random() < .2),
    ])()


def some(rng, make, sequence, most):
    n = rng.randint(0, most)
    if n == 0:
        return None
    return make(rng) if n == 1 else sequence([make(rng) for _ in range(n)])


def keeps_first(data):
    """Is "first" of a Metaspace asked of a text as it was? The package asks where the characters
    came from, which is not kept here."""
    cut, normalizer = data["pre_tokenizer"] or {}, json.dumps(data["normalizer"])
    later = json.dumps(cut.get("pretokenizers", [])[1:])
    return '"first"' not in later and not ('"first"' in json.dumps(cut) and "strip" in normalizer)


def random_decoder(rng):
    return rng.choice([
        lambda: None, decoders.ByteLevel, decoders.WordPiece, decoders.BPEDecoder,
        lambda: decoders.Metaspace(prepend_scheme=rng.choice(["always", "first", "never"])),
        lambda: decoders.WordPiece(prefix="##", cleanup=False), lambda: decoders.CTC("e", " "),
        lambda: decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(),
                                   decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
        lambda: decoders.Sequence([decoders.Replace(Regex("[\u2581_]"), " "),
                                   decoders.Strip("e", 1, 0)]),
    ])()


def random_model(rng):
    """(model, trainer)"""
    size = rng.randint(150, 230)
    special = ["<unk>"]
    kind = rng.randrange(6)
    if kind == 0:
        return (models.BPE(ignore_merges=rng.random() < .3), trainers.BpeTrainer(
            vocab_size=size + 150, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if kind == 1:
        unk = rng.choice([None, "<unk>"])
        return (models.BPE(unk_token=unk, fuse_unk=rng.random() < .5,
                           byte_fallback=rng.random() < .6),
                trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=special,
                                    limit_alphabet=80))
    if kind == 2:
        prefix, suffix = rng.choice([("##", None), (None, "</w>"), ("##", "</w>")])
        return (models.BPE(unk_token="<unk>", continuing_subword_prefix=prefix,
                           end_of_word_suffix=suffix),
                trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=special,
                                    continuing_subword_prefix=prefix, end_of_word_suffix=suffix,
                                    limit_alphabet=80))
    if kind == 3:
        return (models.WordPiece(unk_token="<unk>", max_input_chars_per_word=rng.choice([5, 100])),
                trainers.WordPieceTrainer(vocab_size=size, show_progress=False,
                                          special_tokens=special, limit_alphabet=80))
    if kind == 4:
        return (models.WordLevel(unk_token="<unk>"),
                trainers.WordLevelTrainer(vocab_size=size, show_progress=False,
                                          special_tokens=special))
    return (models.Unigram(), trainers.UnigramTrainer(
        vocab_size=size, show_progress=False, special_tokens=special, unk_token="<unk>"))


def add_byte_tokens(data):
    """Gives a model with byte_fallback its byte tokens, which trainers do not make."""
    model = data["model"]
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    if model["type"] == "BPE" and model["byte_fallback"]:
        for text in bytes_:
            model["vocab"].setdefault(text, len(model["vocab"]))
        shift = max(model["vocab"].values()) + 1
        for token in data["added_tokens"]:
            if token["content"] not in model["vocab"]:
                token["id"] = shift
                shift += 1
        return True
    return False


def add_specials(rng, tokenizer):
    tokenizer.add_special_tokens(["<s>", "</s>", AddedToken("<mask>", lstrip=rng.random() < .5,
                                                            rstrip=rng.random() < .5)])
    tokenizer.add_tokens([
        AddedToken("the", single_word=True, normalized=rng.random() < .5),
        AddedToken("KEY", normalized=rng.random() < .5, lstrip=rng.random() < .5,
                   rstrip=rng.random() < .5)])
    s, e = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    post = rng.choice([
        lambda: None, lambda: processors.BertProcessing(("</s>", e), ("<s>", s)),
        lambda: processors.RobertaProcessing(("</s>", e), ("<s>", s)),
        lambda: processors.TemplateProcessing(single="<s> $A </s> </s>",
                                              special_tokens=[("<s>", s), ("</s>", e)]),
        lambda: processors.Sequence([processors.ByteLevel(trim_offsets=False),
                                     processors.TemplateProcessing(
                                         single="<s> $A", special_tokens=[("<s>", s)])]),
    ])()
    if post:
        tokenizer.post_processor = post


def corpus(rng, n):
    return ["the quick brown fox don't " * 2] + [
        random_text(rng).decode(errors="replace") for _ in range(n)]


def random_tokenizer(seed):
    rng = random.Random(seed)
    model, trainer = random_model(rng)
    tokenizer = Tokenizer(model)
    normalizer = some(rng, random_normalizer, normalizers.Sequence, 3)
    cut = some(rng, random_cut, pre_tokenizers.Sequence, 3)
    if isinstance(model, models.WordLevel) and cut is None:
        cut = pre_tokenizers.Whitespace()
    if normalizer:
        tokenizer.normalizer = normalizer
    if cut:
        tokenizer.pre_tokenizer = cut
    tokenizer.train_from_iterator(corpus(rng, 300), trainer)
    decoder = random_decoder(rng)
    if decoder:
        tokenizer.decoder = decoder
    add_specials(rng, tokenizer)
    data = json.loads(tokenizer.to_str())
    if add_byte_tokens(data):
        tokenizer = Tokenizer.from_str(json.dumps(data))
    return tokenizer


def texts_of(rng, n):
    """Strings with special tokens among them; no ids beyond Unicode 14."""
    out = []
    while len(out) < n:
        try:
            text = random_text(rng).decode()
        except UnicodeDecodeError:
            continue
        if rng.random() < .3:
            at = rng.randint(0, len(text))
            text = text[:at] + rng.choice(["<s>", " <mask> ", "the", " the ", "KEY ", "  KEY",
                                           "<unk>", "</s>"]) + text[at:]
        out.append(text)
    return out


def encode(tokenizer, text):
    """[ids with specials parsed and added, parsed, as text], [decoded with, without specials]"""
    def ids_or_error(add):
        try:
            return tokenizer.encode(text, add_special_tokens=add).ids
        except BaseException:  # some panic
            return None
    tokenizer.encode_special_tokens = False
    ids = [ids_or_error(True), ids_or_error(False)]
    decoded = []
    for i, skip in enumerate([False, True]):
        try:
            decoded.append(tokenizer.decode(ids[i] or [], skip_special_tokens=skip))
        except BaseException:
            decoded.append(None)
    tokenizer.encode_special_tokens = True
    ids.append(ids_or_error(False))
    tokenizer.encode_special_tokens = False
    return ids, decoded


def respelled_ids(tokenizer):
    normalizer = tokenizer.normalizer
    return {i for i, t in tokenizer.get_added_tokens_decoder().items()
            if t.normalized and normalizer and normalizer.normalize_str(t.content) != t.content}


def compare(tool, name, tokenizer, text_json, texts, limit=3):
    """Differences of the tool, at most `limit` shown."""
    with tempfile.TemporaryDirectory() as folder:
        path, strings = folder + "/t.json", folder + "/t.txt"
        pathlib.Path(path).write_text(text_json)
        pathlib.Path(strings).write_bytes(b"".join(
            struct.pack("<I", len(t.encode())) + t.encode() for t in texts))
        out = subprocess.run([tool, path, strings], capture_output=True, text=True, check=False)
    lines = out.stdout.split("\n")
    respelled = respelled_ids(tokenizer)
    if lines[0].startswith("ERR") or len(lines) < 5 * len(texts):
        print(name, "REFUSED" if lines[0].startswith("ERR") else "CRASH", lines[0], out.stderr[-300:])
        return 1
    wrong = 0
    for i, text in enumerate(texts):
        got = lines[5 * i:5 * i + 5]
        ids, decoded = encode(tokenizer, text)
        want = [" ".join(map(str, x)) if x is not None else "E" for x in ids]
        # Errors of the package are mostly panics; control tokens as text are never ids here.
        bad = [k for k, (g, w) in enumerate(zip([got[0], got[2], got[4]], want))
               if g != w and w != "E" and not (k == 2 and "<" in text)]
        for k, line in ((0, got[1]), (1, got[3])):
            raw = bytes.fromhex(line)
            if ids[k] and respelled & set(ids[k]):
                continue  # the package decodes what the normalizer makes of the token
            if decoded[k] is not None and ids[k] is not None and "\ufffd" not in decoded[k]:
                if raw.decode(errors="replace") != decoded[k]:
                    bad.append(f"decode {k} {raw.decode(errors='replace')!r} {decoded[k]!r}")
        if bad:
            wrong += 1
            if wrong <= limit:
                print(name, repr(text), bad)
                print("   got ", got[0], "|", got[2], "|", got[4])
                print("   want", " | ".join(want))
    return wrong


def check(argv):
    tool, n = argv[0], int(argv[1])
    seed = int(argv[2]) if len(argv) > 2 else 1000
    files = argv[3:]
    per_model = n if files else 250
    rng = random.Random(seed)
    total = wrong = 0
    for i in range(len(files) or max(1, n // per_model)):
        if files:
            name, text_json = files[i], pathlib.Path(files[i]).read_text()
            tokenizer = Tokenizer.from_str(text_json)
            tokenizer.no_truncation()
            tokenizer.no_padding()
        else:
            name = f"seed {seed + i}"
            try:
                tokenizer = random_tokenizer(seed + i)
            except BaseException as problem:
                print(name, "not made:", str(problem)[:80])
                continue
            text_json = tokenizer.to_str()
            if not keeps_first(json.loads(text_json)):
                continue
        texts = texts_of(rng, per_model)
        bad = compare(tool, name, tokenizer, text_json, texts)
        if bad:
            data = json.loads(text_json)
            data["model"].pop("vocab", None)
            data["model"].pop("merges", None)
            print("  ", bad, "differ:", json.dumps(data, ensure_ascii=False)[:1500])
        total += len(texts)
        wrong += bad
    print(total, "strings,", wrong, "differ")


def unescape(field):
    parts = field.split(b"%")
    return parts[0] + b"".join(bytes([int(p[:2], 16)]) + p[2:] for p in parts[1:])


def golden_texts():
    texts = []
    for line in (HERE / "texts.vec").read_bytes().split(b"\n")[:-1]:
        try:
            text = unescape(line.split(b" ")[0]).decode()
        except UnicodeDecodeError:
            continue
        texts.append(text)
    return texts[:250]


def write(count=36):
    texts = golden_texts()
    with open(HERE / "json_models.txt", "w") as out, open(HERE / "json.vec", "w") as vec:
        seed = written = 0
        while written < count:
            seed += 1
            try:
                tokenizer = random_tokenizer(seed)
            except BaseException:  # a trainer that cannot
                continue
            if not keeps_first(json.loads(tokenizer.to_str())):
                continue
            written += 1
            respelled = respelled_ids(tokenizer)
            out.write(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False,
                                 separators=(",", ":")) + "\n")
            rows = [encode(tokenizer, text) if all(map(is_known, text))
                    else ([None] * 3, [None] * 2) for text in texts]
            vec.write("".join("----" if None in ids
                              else hashed(ids[0] + [0xFFFFFFFF] + ids[2]) for ids, _ in rows) + "\n")
            vec.write("".join("----" if None in (ids[0], d[0]) or "\ufffd" in d[0]
                              or respelled & set(ids[0]) else hashed(d[0].encode())
                              for ids, d in rows) + "\n")


if __name__ == "__main__":
    check(sys.argv[2:]) if sys.argv[1:2] == ["check"] else write()
