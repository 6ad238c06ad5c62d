#!/usr/bin/env python3
"""Writes cases.txt: what is left of random logits after each sampling stage, by numpy.

Written from the definitions of the stages (full sorts, float64), not from the C code.
Made with Python 3.11, numpy 2.4; logits and histories come from the LCG below, seeds are in the file.

  case SEED N_VOCAB N_HISTORY key=value ...
  id:probability ...                 survivors by id, softmax of their final logits
"""
import math
import pathlib
import sys

import numpy as np

DEFAULTS = dict(temperature=1.0, dynatemp_range=0.0, dynatemp_exponent=1.0, top_k=0, top_p=1.0,
                min_p=0.0, typical_p=1.0, top_n_sigma=-1.0, xtc_probability=0.0, xtc_threshold=0.1,
                repeat_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0, repeat_last_n=64,
                dry_multiplier=0.0, dry_base=1.75, dry_allowed_length=2, dry_last_n=64, min_keep=0,
                mirostat=0, mirostat_tau=5.0, mirostat_eta=0.1, breaker=-1, alphabet=0,
                order="penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature")


class Lcg:
    def __init__(self, seed):
        self.x = seed

    def next(self):
        self.x = (self.x * 1664525 + 1013904223) % 2**32
        return self.x >> 8


def make_input(seed, n_vocab, n_history, alphabet):
    r = Lcg(seed)
    logits = np.array([np.float32(r.next() * (16 / 2**24) - 8) for _ in range(n_vocab)])
    history = [r.next() % (alphabet or n_vocab) for _ in range(n_history)]
    return logits.astype(np.float64), history


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def by_rank(ids, x):
    return np.lexsort((ids, -x))


def penalties(ids, x, p, history):
    w = p["repeat_last_n"]
    window = history if w < 0 else history[len(history) - min(w, len(history)):]
    x = x.copy()
    for i, t in enumerate(ids):
        n = window.count(t)
        if n:
            x[i] = x[i] * p["repeat_penalty"] if x[i] <= 0 else x[i] / p["repeat_penalty"]
            x[i] -= n * p["frequency_penalty"] + p["presence_penalty"]
    return ids, x


def dry(ids, x, p, history):
    if p["dry_multiplier"] == 0:
        return ids, x
    w = p["dry_last_n"]
    h = history if w < 0 else history[len(history) - min(w, len(history)):]
    allowed = p["dry_allowed_length"]
    limit = 0
    for t in reversed(h):
        if t == p["breaker"]:
            break
        limit += 1
    if len(h) <= allowed or limit < allowed:
        return ids, x
    longest = {}
    for end in range(len(h) - 1):  # a copy of the suffix could end at `end`
        n = 0
        while n <= end and h[end - n] == h[len(h) - 1 - n]:
            n += 1
        n = min(n, limit)
        if n >= allowed:
            longest[h[end + 1]] = max(longest.get(h[end + 1], 0), n)
    x = x.copy()
    for i, t in enumerate(ids):
        if t in longest:
            x[i] -= p["dry_multiplier"] * p["dry_base"] ** (longest[t] - allowed)
    return ids, x


def top_n_sigma(ids, x, p, _):
    if p["top_n_sigma"] <= 0:
        return ids, x
    keep = x >= x.max() - p["top_n_sigma"] * x.std()
    return ids[keep], x[keep]


def top_k(ids, x, p, _):
    keep = by_rank(ids, x)[: p["top_k"] if p["top_k"] > 0 else None]
    return ids[keep], x[keep]


def first_reaching(prob, target, min_keep, strictly):
    c = np.cumsum(prob)
    for i in range(len(c)):
        if (c[i] > target if strictly else c[i] >= target) and i + 1 >= min_keep:
            return i + 1
    return len(c)


def typ_p(ids, x, p, _):
    if p["typical_p"] >= 1:
        return ids, x
    q = softmax(x)
    surprise = -np.log(q)
    order = np.argsort(np.abs(surprise - (q * surprise).sum()), kind="stable")
    keep = order[: first_reaching(q[order], p["typical_p"], p["min_keep"], True)]
    return ids[keep], x[keep]


def top_p(ids, x, p, _):
    if p["top_p"] >= 1:
        return ids, x
    order = by_rank(ids, x)
    keep = order[: first_reaching(softmax(x)[order], p["top_p"], p["min_keep"], False)]
    return ids[keep], x[keep]


def min_p(ids, x, p, _):
    if p["min_p"] <= 0:
        return ids, x
    order = by_rank(ids, x)
    q = softmax(x)[order]
    n = max(int((q >= p["min_p"] * q[0]).sum()), min(p["min_keep"], len(ids)))
    return ids[order[:n]], x[order[:n]]


def xtc(ids, x, p, _):
    if p["xtc_probability"] <= 0 or p["xtc_threshold"] > 0.5 or len(ids) < 2:
        return ids, x
    order = by_rank(ids, x)  # cases use probability 0 or 1 only
    drop = int((softmax(x) >= p["xtc_threshold"]).sum()) - 1
    if drop < 1 or len(ids) - drop < p["min_keep"]:
        return ids, x
    return ids[order[drop:]], x[order[drop:]]


def temperature(ids, x, p, _):
    t = p["temperature"]
    if p["dynatemp_range"] > 0 and len(ids) > 1:
        q = softmax(x)
        h = -(q * np.log(q)).sum() / math.log(len(ids))
        low = max(0, t - p["dynatemp_range"])
        t = low + (t + p["dynatemp_range"] - low) * h ** p["dynatemp_exponent"]
    return ids, x / t


def mirostat(ids, x, p):
    mu = 2 * p["mirostat_tau"]
    order = by_rank(ids, x)
    ids, x = ids[order], x[order]
    q = softmax(x)
    if p["mirostat"] == 2:
        n = max(1, int((-np.log2(q) <= mu).sum()))
        return ids[:n], x[:n]
    m = min(99, len(ids) - 1)
    t = np.log((np.arange(m) + 2) / (np.arange(m) + 1))
    b = np.log(q[:m] / q[1 : m + 1])
    s = (t * b).sum() / (t * t).sum()
    eps = s - 1
    k = ((eps * 2**mu) / (1 - p["n_vocab"] ** -eps)) ** (1 / s)
    n = min(max(int(k), 1), len(ids))
    return ids[:n], x[:n]


STAGES = dict(penalties=penalties, dry=dry, top_n_sigma=top_n_sigma, top_k=top_k, typ_p=typ_p,
              top_p=top_p, min_p=min_p, xtc=xtc, temperature=temperature)


def run(seed, n_vocab, n_history, **given):
    p = {**DEFAULTS, **given, "n_vocab": n_vocab}
    x, history = make_input(seed, n_vocab, n_history, p["alphabet"])
    ids = np.arange(n_vocab)
    order = p["order"].split(";")
    for name in order:
        late = name not in ("penalties", "dry", "top_n_sigma")
        if late and (p["mirostat"] or p["temperature"] <= 0):
            continue
        ids, x = STAGES[name](ids, x, p, history)
    if p["temperature"] <= 0:
        best = by_rank(ids, x)[:1]
        ids, x = ids[best], x[best]
    elif p["mirostat"]:
        ids, x = temperature(ids, x, p, history)
        ids, x = mirostat(ids, x, p)
    q = softmax(x)
    by_id = np.argsort(ids)
    args = " ".join(f"{k}={v}" for k, v in given.items())
    pairs = " ".join(f"{ids[i]}:{q[i]:.7g}" for i in by_id)
    return f"case {seed} {n_vocab} {n_history} {args}\n{pairs}\n"


CASES = [
    dict(), dict(temperature=0.0), dict(temperature=0.3), dict(temperature=2.5),
    dict(top_k=1), dict(top_k=7), dict(top_k=63), dict(top_k=64), dict(top_k=1000),
    dict(top_p=0.5), dict(top_p=0.9), dict(top_p=0.999), dict(top_p=0.0), dict(top_p=0.1, min_keep=5),
    dict(min_p=0.05), dict(min_p=0.5), dict(min_p=1.0), dict(min_p=0.9, min_keep=6),
    dict(typical_p=0.2), dict(typical_p=0.7), dict(typical_p=0.95), dict(typical_p=0.1, min_keep=4),
    dict(top_n_sigma=1.0), dict(top_n_sigma=0.2), dict(top_n_sigma=3.0),
    dict(xtc_probability=1.0, xtc_threshold=0.1), dict(xtc_probability=1.0, xtc_threshold=0.01),
    dict(xtc_probability=1.0, xtc_threshold=0.6), dict(xtc_probability=1.0, xtc_threshold=0.0),
    dict(xtc_probability=1.0, xtc_threshold=0.01, min_keep=60),
    dict(dynatemp_range=0.5), dict(dynatemp_range=2.0, dynatemp_exponent=2.0),
    dict(repeat_penalty=1.3), dict(repeat_penalty=0.8, repeat_last_n=-1),
    dict(repeat_penalty=1.1, presence_penalty=0.5, frequency_penalty=0.25, repeat_last_n=10),
    dict(frequency_penalty=1.0, repeat_last_n=3, top_k=5), dict(presence_penalty=-2.0),
    dict(dry_multiplier=0.8, alphabet=3), dict(dry_multiplier=0.8, alphabet=2, dry_last_n=-1),
    dict(dry_multiplier=1.5, dry_base=1.2, dry_allowed_length=1, alphabet=4),
    dict(dry_multiplier=0.8, alphabet=4, dry_allowed_length=0, dry_last_n=20),
    dict(dry_multiplier=0.8, alphabet=3, breaker=1, dry_allowed_length=1),
    dict(dry_multiplier=0.8, alphabet=1, dry_last_n=50),
    dict(mirostat=1), dict(mirostat=1, mirostat_tau=1.5), dict(mirostat=2),
    dict(mirostat=2, mirostat_tau=1.2), dict(mirostat=2, temperature=0.5, repeat_penalty=1.2),
    dict(top_k=40, top_p=0.95, min_p=0.05, temperature=0.8),
    dict(top_k=20, top_p=0.9, typical_p=0.9, min_p=0.02, temperature=0.7, repeat_penalty=1.1),
    dict(top_k=10, top_p=0.8, temperature=0.5, order="temperature;top_k;top_p"),
    dict(min_p=0.1, top_k=30, top_n_sigma=1.5, order="min_p;top_n_sigma;top_k;penalties",
         repeat_penalty=1.5),
]

if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "cases.txt")
    with out.open("w") as f:
        for i, case in enumerate(CASES):
            f.write(run(100 + i, 64, 100, **case))
        f.write(run(900, 600, 40, top_p=0.97, min_p=0.001, temperature=1.5))
        f.write(run(901, 600, 40, typical_p=0.9))
