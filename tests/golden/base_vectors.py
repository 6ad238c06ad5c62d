#!/usr/bin/env python3
"""Writes expected values for tests/unit: rng_vectors.h, float_vectors.h and utf8_vectors.h.

An independent implementation in plain Python integers, Python's own UTF-8 decoder and float().
Needs Python 3 only (3.11.7 was used). Seed: 1.   python3 base_vectors.py rng > rng_vectors.h
"""
import random
import struct
import sys
import zlib

MASK = (1 << 64) - 1
rnd = random.Random(1)


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def rotl(x, k):
    return ((x << k) | (x >> (64 - k))) & MASK


def xoshiro(s):
    s = list(s)
    while True:
        yield (rotl((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)


def seeded(seed):
    mix = splitmix(seed)
    return xoshiro([next(mix) for _ in range(4)])


def below(stream, n):
    """Accept x when it lies in the first floor(2^32/n) * n values of the low half's order."""
    while True:
        product = (next(stream) >> 32) * n
        if product % 2**32 >= 2**32 % n:
            return product >> 32


def c_bytes(b):
    return '"' + "".join("\\x%02x" % x for x in b) + '"'


def decode(b, i):
    for n in range(1, 5):
        try:
            text = b[i:i + n].decode("utf-8")
        except UnicodeDecodeError:
            continue
        if len(text) == 1 and i + n <= len(b):
            return n, ord(text)
    return 1, 0xFFFFFFFF


def decode_all(b):
    out, i = [], 0
    while i < len(b):
        n, cp = decode(b, i)
        out.append(cp)
        i += n
    return out


def random_utf8():
    """Bytes that are nearly UTF-8: characters of all lengths, cut, flipped and glued."""
    out = b""
    for _ in range(rnd.randrange(1, 6)):
        top = rnd.choice([0x80, 0x800, 0x10000, 0x110000])
        cp = rnd.randrange(top)
        piece = b"x" if 0xD800 <= cp < 0xE000 else chr(cp).encode()
        kind = rnd.randrange(6)
        if kind == 0:
            piece = piece[:-1]
        elif kind == 1:
            lead = rnd.choice([0xC0, 0xC1, 0xE0, 0xED, 0xF0, 0xF4, 0xF5, 0xFF])
            piece = bytes([lead]) + piece[1:]
        elif kind == 2:
            piece = bytes(rnd.randrange(0x80, 0x100) for _ in range(3))
        out += piece
    return out


def tail(b):
    """Bytes at the end that more bytes could complete to one character."""
    for back in range(1, min(3, len(b)) + 1):
        part = b[-back:]
        try:
            part.decode("utf-8")
            continue
        except UnicodeDecodeError as e:
            if e.reason == "unexpected end of data" and e.start == 0:
                return back
    return 0


def write_rng():
    for seed in (0, 1, 0xDEADBEEFCAFEF00D):
        stream = seeded(seed)
        print(f"static const uint64_t rng_u64_{seed:x}[] = {{")
        print("".join(f"    UINT64_C(0x{next(stream):016x}),\n" for _ in range(16)), end="};\n")
    bounds = [1, 2, 3, 7, 100, 1000003, 0x80000001, 0xFFFFFFFF]
    stream = seeded(7)
    print("// {bound, value} in the order drawn from seed 7; 0x80000001 rejects about half.")
    print("static const uint32_t rng_below_7[][2] = {")
    print("".join(f"    {{0x{n:x}u, 0x{below(stream, n):x}u}},\n" for n in bounds * 4), end="};\n")



def write_float():
    print("static const struct { const char *text; double value; } floats[] = {")
    texts = ["0", "1", "-1.5", "+2.25", ".5", "5.", "1e5", "1E-5", "123456789012345678901234567890",
             "0.000000000000000000000000000001", "2.2250738585072011e-308", "2.2250738585072014e-308",
             "4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623157e308",
             "1.7976931348623158e308", "9007199254740993", "9007199254740993.00000000000000000001",
             "0.1", "1e-400", "8.41e21", "9.5e-15", "6.02214076e23", "1e23", "0e999999999999999999999",
             "1" + "0" * 400 + "e-400", "0." + "0" * 400 + "1e400", "1e-99999999999999999999",
             "1" * 800 + "e-700", "0.5" + "0" * 900 + "1"]
    # Ties between two doubles, exactly and one digit beyond the digits kept.
    tie = (1 << 53) + 1
    texts += [str(tie), str(tie) + "." + "0" * 760 + "1", str(tie - 2) + "." + "9" * 790]
    for _ in range(60):
        bits = struct.pack("<Q", rnd.randrange(0x7FE << 52))
        texts.append(repr(struct.unpack("<d", bits)[0]))
    for _ in range(60):
        parts = rnd.randrange(10**9), rnd.randrange(10**20), rnd.randrange(-300, 280)
        texts.append("%d.%de%d" % parts)
    for t in texts:
        print(f'    {{"{t}", {float(t).hex()}}},')
    print("};")



def write_utf8():
    print("static const struct { const char *p; uint32_t n, tail, n_cp, cp[24]; } utf8_cases[] = {")
    for _ in range(250):
        b = random_utf8() or b"x"
        cps = decode_all(b)
        assert len(cps) <= 24
        points = ", ".join(hex(c) + "u" for c in cps)
        print(f"    {{{c_bytes(b)}, {len(b)}, {tail(b)}, {len(cps)}, {{{points}}}}},")
    print("};")
    crc = 0
    for a in range(256):
        for b in range(256):
            for c in (0x41, 0x80, 0xBF):
                n, cp = decode(bytes([a, b, c, 0x81]), 0)
                crc = zlib.crc32(struct.pack("<II", n, cp), crc)
    print("// CRC-32 of {length, code point} as little-endian words, over all first and second")
    print("// bytes, third byte 41, 80, BF, fourth byte 81.")
    print(f"static const uint32_t utf8_crc = 0x{crc:08x}u;")


print(f"// Written by base_vectors.py {sys.argv[1]}; do not edit.")
{"rng": write_rng, "float": write_float, "utf8": write_utf8}[sys.argv[1]]()
