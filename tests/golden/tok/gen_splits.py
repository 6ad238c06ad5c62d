#!/usr/bin/env python3
"""Makes splits.vec: random mixed-script strings cut by the published patterns of byte-level BPE.

usage: gen_splits.py COUNT [SEED] > splits.vec
       gen_splits.py lists    prints how many characters the listed sets have and their hash, for
                              test_tok_kinds.c

The first line names the splits. Then one line a string: the text as in texts.vec (gen_texts.py), a
blank, and for each split two characters of base64: the upper 12 bits of the FNV-1a hash of the word
lengths. 12 bits miss one difference in 4,096, and a wrong matcher differs on many lines.

splits.vec: gen_splits.py 2100 2 with regex 2026.11.15, Unicode 14.
"""
import base64
import random
import sys

import regex

from gen_texts import GPT2, LLAMA3, QWEN2, POOLS, escape, hashed, random_text, word_lengths

CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
LEAD = r"[^\r\n\p{L}\p{N}]?"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def by_case(contraction, digits):
    return (f"{LEAD}{UPPER}*{LOWER}+{contraction}|{LEAD}{UPPER}+{LOWER}*{contraction}|{digits}"
            rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{TAIL}")


CASED = (
    r"A-Za-z\xb5\xc0-\xd6\xd8-\xf6\xf8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373"
    r"\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5"
    r"\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba"
    r"\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45"
    r"\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe"
    r"\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc"
    r"\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134"
    r"\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee"
    r"\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf"
    r"\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f"
    r"\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
    r"\U000118a0-\U000118df\U0001e900-\U0001e943")
CJK = r"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
HAN_KANA = r"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
MARKED = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
          r"| ?[\p{P}\p{S}]+")
BLOOM = r" ?[^(\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
HALVES = "|".join(r"\s{%d}(?!\S)" % 2 ** i for i in range(9, 1, -1))
CHAMELEON = [r"<sentinel:[0-9]+>", r"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}",
             r"[\p{P}!-/:-@\[-`{-~]", GPT2]
AFMOE_SCRIPTS = (
    r"(?:[\u4E00-\u9FFF\u3040-\u309F\u30A0-\u30FF\u3400-\u4DBF\uf900-\uFAFF\uFF65-\uFF9F"
    r"\u2F00-\u2FDF]+|[\u0E00-\u0E7F]+|[\u0E80-\u0EFF]+|[\u1780-\u17FF]+"
    r"|[\u1000-\u109F\uAA60-\uAA7F\uA9E0-\uA9FF]+|[\uAC00-\uD7AF\u1100-\u11FF]+)")
SPLITS = {
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, r"[0-9][0-9][0-9]"],
    "starcoder": [r"\p{N}", GPT2],
    "qwen35": [CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
               "|" + TAIL],
    "gpt-4o": [by_case(CONTRACTION + "?", r"\p{N}{1,3}")],
    "tekken": [by_case("", r"\p{N}")],
    "deepseek-llm": [r"[\r\n]", rf"\s?[{CASED}]+",
                     r"\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$",
                     CJK, r"\p{N}+"],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK, r"\p{N}"],
    "deepseek-v3": [r"\p{N}{1,3}", HAN_KANA, MARKED + r"[\r\n]*|" + TAIL],
    "spark2_5": [r"\p{N}{1,3}", HAN_KANA, MARKED + r"|[\r\n]|\s+(?!\S)|\s+", r"\p{N}"],
    "youtu": [r"[\uac00-\ud7a3\u3131-\u318e]+"
              r"|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f"
              r"\ufe30-\ufe4f]+|[\u3105-\u312f]+|" + HAN_KANA,
              by_case(CONTRACTION + "?", r"\p{N}")],
    "bloom": [BLOOM],
    "viking": [BLOOM, r"\p{N}"],
    "bailingmoe": [r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"
                   r"|\s*[\r\n]|\s+(?!\S)|\s+"],
    "seed-coder": [CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + TAIL],
    "jais-2": [LLAMA3.replace(r"|\s+(?!\S)|\s+", "|" + HALVES + r"|\s{1,2}(?!\S)|\s{1}")],
    "ufakzeka": [QWEN2[QWEN2.index(")|") + 2:]],
    "exaone-moe": [CONTRACTION + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}"
                   r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"],
    "laguna": [r"[^\n]+|[\n]+", QWEN2],
    "minicpm5": [r"\p{N}{1,3}", LLAMA3.replace("{1,3}", "+")],
    "dbrx": [LLAMA3],
    "kimi-k2": [r"\p{Han}+|" + by_case(CONTRACTION + "?", r"\p{N}{1,3}").replace("/]*", "]*")
                .replace(UPPER, r"(?:(?!\p{Han})" + UPPER + ")")
                .replace(LOWER, r"(?:(?!\p{Han})" + LOWER + ")")],
    "superbpe": [r"\p{N}+", r"(?=(\d{3})+(?!\d))"],
    "afmoe": [r"\p{Nd}{1,510}(?=(?>\p{Nd}{510})*(?:\P{Nd}|$))|\G\p{Nd}{510}",
              r"\A\p{Nd}{1,2}(?=(?:\p{Nd}{3})+\Z)", r"\A\p{Nd}{3}|\G\p{Nd}{3}", AFMOE_SCRIPTS,
              MARKED + r"[\r\n]*|" + TAIL],
    "chameleon": CHAMELEON,
    "tiny_aya": [r"\d{1,3}(?=(?:\d{3})*\b)", by_case(CONTRACTION + "?", r"\p{N}{1,3}")],
    "whitespace": [r"\S+"],
}
POOLS += [
    "ABCabcÄöЖд中ʰ", ["camelCase", "HTTPServer", "XMLâ", "iPhone's", "A'LL", "it'S", "é'd", "АБВ'т"],
    ["/", "//", "/\n", "\r/\n", "./", "-a", "$x", "_y", "(z", "。a", "\u3000", "　a"],
    "ㄱㅎ가힣ㄅㄆㄯ「」！…“”—：；，、〜︰", "εΏΐΊᾼℂΩKÅⅎＡｚ𐐀𐒰Აა", "ा्ँ\u0300\u0345", "々〇⺀漢\u302a", ["۔", "،", "।", "|", "(", ")"],
    [" " * n for n in (3, 4, 5, 8, 9, 17, 33, 65)],
    ["1234567", "123456", "½123", "12½3456", "1234a", "1234_5", "१२३४", "1" * 513, "4567\u0301"],
    ["<sentinel:12>", "<sentinel:", "IMGIMGABZ", "IMGIMGABCDEZ", "IMGIMGZ", "ไทยລາວ", "ខ្មែរမြန်မာ"],
]


def print_lists():
    for name, pattern in (("cased", f"[{CASED}]"), ("han", r"\p{Han}")):
        found = [cp for cp in range(0x110000)
                 if not 0xD800 <= cp < 0xE000 and regex.match(pattern, chr(cp))]
        print(name, len(found), base64.b64decode(hashed(found)).hex())


def main():
    if sys.argv[1] == "lists":
        print_lists()
        return
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 2)
    print(" ".join(SPLITS), flush=True)
    for _ in range(int(sys.argv[1])):
        raw = random_text(rng)
        row = "".join(hashed(word_lengths(p, raw))[:2] for p in SPLITS.values())
        sys.stdout.buffer.write(escape(raw) + b" " + row.encode() + b"\n")


if __name__ == "__main__":
    main()
