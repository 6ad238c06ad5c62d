#!/usr/bin/env python3
"""Makes bert.vec: what the tokenizers package makes of the strings of texts.vec for a BERT model.

usage: gen_bert.py VOCAB_DIR [TEXTS] > bert.vec
       VOCAB_DIR holds bert-bge.gguf; TEXTS is texts.vec or a larger file of gen_texts.py

One hash of ids a line, as in texts.vec; '----' for texts that are not UTF-8, and for those with
punctuation, non-spacing marks or format characters that the package's tables (Unicode 7) lack.
bert.vec: gen_bert.py DIR with tokenizers 0.23.3.
"""
import functools
import pathlib
import sys
import unicodedata

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from gen_texts import fields, hashed


def load(path):
    get = fields(path)
    vocab = {}
    for i, (text, kind) in enumerate(zip(get("tokens"), get("token_type"))):
        special = kind == 3
        # Back to the published spelling.
        text = text if special else text[1:] if text.startswith("\u2581") else "##" + text
        vocab[text] = i
    tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


@functools.cache
def is_known(c):
    category = unicodedata.category(c)
    normal = normalizers.BertNormalizer().normalize_str("a" + c)
    if category in ("Mn", "Cf"):
        return c not in normal
    if category[0] == "P":
        return len(pre_tokenizers.BertPreTokenizer().pre_tokenize_str(normal)) == 2
    return c not in "\u166d\u1734"  # in other categories since


def unescape(field):
    parts = field.split(b"%")
    return parts[0] + b"".join(bytes([int(p[:2], 16)]) + p[2:] for p in parts[1:])


def main():
    encode = load(sys.argv[1] + "/bert-bge.gguf")
    here = pathlib.Path(__file__).parent
    texts = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else here / "texts.vec"
    for line in texts.read_bytes().split(b"\n")[:-1]:
        try:
            text = unescape(line.split(b" ")[0]).decode()
            print(hashed(encode(text)) if all(map(is_known, text)) else "----")
        except UnicodeDecodeError:
            print("----")


if __name__ == "__main__":
    main()
