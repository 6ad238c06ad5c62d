"""fields.py ADDRESS: every field of every request, absent, valid, of a wrong type and out of range.

A row: the field, values that are taken, values of a wrong type, values out of range, and whether
the field is required. What is refused is a 400 (or what the row says) whose body is the dialect's
error form and names the field; nothing is a 500. Only Python's own library is used.
"""

import http.client
import json
import sys
import urllib.parse

place = urllib.parse.urlsplit(sys.argv[1])
failures = 0
n_requests = 0
USER = [{"role": "user", "content": "h"}]
WEATHER = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def fail(what):
    global failures
    failures += 1
    print("FAILED:", what, file=sys.stderr)


def post(path, body, method="POST"):
    global n_requests
    n_requests += 1
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, data)
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, text


def error_of(dialect, text):
    """The message of an error body; None if it has not the dialect's form."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    if dialect == "ollama":
        return body["error"] if set(body) == {"error"} else None
    error = body.get("error")
    if not isinstance(error, dict) or not {"message", "type", "param", "code"} <= set(error):
        return None
    return error["message"]


def expect(what, dialect, path, body, status, name=None):
    got, text = post(path, body)
    if got != status:
        fail(f"{path} {what}: status {got}, expected {status}: {text[:200]}")
    elif status >= 400:
        message = error_of(dialect, text)
        if message is None:
            fail(f"{path} {what}: not the dialect's error form: {text[:200]}")
        elif name and name.split(".")[-1].rstrip("s") not in message and "\\u0000" not in message:
            fail(f"{path} {what}: the field is not named: {message}")


def put(body, name, value):
    """A copy of the body with the field, which may be one of another object: "options.seed"."""
    body = json.loads(json.dumps(body))
    *path, last = name.split(".")
    at = body
    for part in path:
        at = at.setdefault(part, {})
    at[last] = value
    return body


NUMBER_TYPES = ["1", [], {}, True]
BIG = 2**31
SAMPLING = [
    ("top_p", [0.5, 0, 1, 0.9999], ["x", [], {}, True], [-0.1, 1.1]),
    ("min_p", [0, 0.3], ["x", []], [-1, 2]),
    ("temperature", [0, 1, 1.5], ["warm", [], {}], [-1, 1e9]),
    ("seed", [0, 1, -1, 2**40], [1.5, *NUMBER_TYPES], []),
    ("top_k", [0, 1, 40], [0.5, *NUMBER_TYPES], [BIG, -BIG - 1]),
]
STOP = ("stop", ["x", ["a", "b"], []], [1, {}, [1], ["a", None], True], [["x"] * 17])
OLLAMA_OPTIONS = [("options." + r[0], *r[1:]) for r in [
    *SAMPLING, STOP,
    ("num_predict", [1, 3], ["x", 1.5, []], [-3, BIG]),
    ("repeat_last_n", [0, -1, 64], ["x", 0.5], [-2]),
    ("repeat_penalty", [1, 1.1], ["x", []], [0, -1]),
    ("presence_penalty", [0, -1.5], ["x"], [1e4]),
    ("frequency_penalty", [0, 1], [{}], [1e4]),
    ("typical_p", [1, 0.5], ["x"], [-1, 2]),
]]
OLLAMA = [
    ("stream", [True, False], ["yes", 1, []], []),
    ("think", [True, False, "low"], [1, [], {}], []),
    ("keep_alive", [60, "5m", "1h30m", "90s", "-1", -1], [[], {}, True], ["", "5 parsecs", "m"]),
    ("options", [{}, {"unknown": 1}], [[], "x", 1], []),
    ("truncate", [True, False], [1, "x"], []),
    ("logprobs", [True, False], [1, "x"], []),
    ("top_logprobs", [0, 20], ["1", 1.5], [-1, 21]),
    *OLLAMA_OPTIONS,
]
OPENAI = [
    ("stream", [True, False], ["yes", 1, []], []),
    ("stream_options", [{"include_usage": True}], ["x", []], []),
    ("max_tokens", [1, 5, 0], ["1", 1.5, []], [-1, BIG]),
    ("presence_penalty", [0, 2, -2], ["x"], [2.1, -3]),
    ("frequency_penalty", [0, 2, -2], ["x"], [2.1, -3]),
    ("logit_bias", [{}, {"5": 1, "6": -100}], ["x", [], {"5": "x"}], [{"a": 1}, {"-1": 1}]),
    *SAMPLING, STOP,
]
TEXTS = (["hello", ["hello", "he"]], [1, {}, True, [1], [["x"]], [None]], [])
# path, dialect, the least body, the required fields, rows
REQUESTS = [
    ("/api/generate", "ollama", {"model": "script", "prompt": "h", "options": {"num_predict": 2}},
     ["model"],
     [*OLLAMA, ("prompt", ["h"], [1, [], {}], ["a\u0000b"]), ("system", ["x"], [1, []], []),
      ("raw", [True, False], ["x", 1], []), ("model", ["SCRIPT:latest"], [1, [], {}], [""])]),
    ("/api/chat", "ollama", {"model": "script", "messages": USER, "options": {"num_predict": 2}},
     ["model"],
     [*OLLAMA, ("messages", [USER, USER * 3], [1, "x", {}, [1], [[]]], []),
      ("tools", [[], WEATHER], [1, "x", {}], [])]),
    ("/api/embed", "ollama", {"model": "bert", "input": "hello"}, ["model", "input"],
     [("input", *TEXTS), ("truncate", [True, False], [1, "x"], []),
      ("dimensions", [0, 8], ["8", 1.5, []], [-1, 100000]),
      ("keep_alive", [60, "5m"], [[]], ["x"])]),
    ("/api/embeddings", "ollama", {"model": "bert", "prompt": "hello"}, ["model", "prompt"],
     [("prompt", ["hello", ""], [1, [], ["x"], {}], [])]),
    ("/api/show", "ollama", {"model": "script"}, ["model"], [("model", ["script"], [1, []], [""])]),
    ("/v1/chat/completions", "openai", {"model": "script", "messages": USER, "max_tokens": 2},
     ["model", "messages"],
     [*OPENAI, ("messages", [USER, USER * 3], [1, "x", {}, [1], [[]]], [[]]),
      ("max_completion_tokens", [1, 5], ["1", 1.5, []], [-1, BIG]),
      ("logprobs", [True, False], [1, "x"], []),
      ("top_logprobs", [0, 20], ["1", 1.5], [-1, 21]),
      ("n", [1], ["x", 1.5, []], [0, -1, 1000]),
      ("tools", [[], WEATHER], [1, "x", {}, ["x"]], []),
      ("tool_choice", ["auto", "none"], [1, []], ["required", "x", {"type": "function"}])]),
    ("/v1/completions", "openai", {"model": "script", "prompt": "h", "max_tokens": 2},
     ["model", "prompt"],
     [*OPENAI, ("logprobs", [0, 5, 20], [True, "1"], [-1, 21]), ("suffix", ["x"], [1, []], []),
      ("prompt", ["h", ["h"]], [1, {}, [1], True], [])]),
    ("/v1/embeddings", "openai", {"model": "bert", "input": "hello"}, ["model", "input"],
     [("input", *TEXTS), ("encoding_format", ["float", "base64"], [1, []], ["hex"]),
      ("dimensions", [8, 96], ["8", 1.5], [-1, 100000])]),
    ("/v1/rerank", "openai", {"model": "rank", "query": "hello", "documents": ["he", "hello"]},
     ["query", "documents"],
     [("query", ["x", ""], [1, [], {}], []),
      ("documents", [["a"], [{"text": "a"}]], ["x", 1, [1], [{}]], [[]]),
      ("top_n", [1, 100], ["1", 1.5], [0, -1]),
      ("return_documents", [True, False], [1, "x"], [])]),
    ("/tokenize", "openai", {"model": "script", "content": "h"}, ["content"],
     [("content", ["", "\u00e9"], [1, []], []), ("add_special", [True], [1], []),
      ("parse_special", [False], ["x"], []), ("with_pieces", [True], [1], [])]),
    ("/detokenize", "openai", {"model": "script", "tokens": [104]}, ["tokens"],
     [("tokens", [[], [1, 2]], ["x", 1, ["x"], [1.5]], [[-1], [BIG], [100000]])]),
    ("/apply-template", "openai", {"model": "script", "messages": USER}, ["messages"],
     [("messages", [USER], [1, "x", {}, [1]], []), ("tools", [[], WEATHER], ["x"], [])]),
]

for path, dialect, least, required, rows in REQUESTS:
    expect("least", dialect, path, least, 200)
    for name in required:
        body = {k: v for k, v in least.items() if k != name}
        expect(f"without {name}", dialect, path, body, 400, name)
    for name, valid, wrong, outside in rows:
        for value in [*valid, *([] if name in required else [None])]:
            expect(f"{name} {value!r}", dialect, path, put(least, name, value), 200)
        for value in [*wrong, *outside]:
            expect(f"{name} {value!r}", dialect, path, put(least, name, value), 400, name)
    expect("no model of the name", dialect, path, put(least, "model", "none"), 404)
    for what in [b"", b"{", b"[]", b'"x"', b"{} {}", b'{"model":"a","model":"b"}', b"\xff\xfe",
                 b'{"model":"\xc3"}', b'{"x":1e999}', b'{"x":99999999999999999999}',
                 b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"]:
        expect(f"body {what[:30]!r}", dialect, path, what, 400)
    status, _ = post(path, b"", "PATCH")
    if status != 405:
        fail(f"PATCH {path}: status {status}, expected 405")

print(f"{n_requests} requests, {failures} failed")
sys.exit(failures > 0)
