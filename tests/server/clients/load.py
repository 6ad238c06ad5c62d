"""load.py ADDRESS: 64 clients at once that ask, go away, read slowly and send nonsense.

Each reply is known (../make_models.c): one that is mixed up, cut or repeated is seen. Afterwards
nothing may run, and the server must answer as before. HEARTH_TEST_LOAD_S says for how many seconds
(default 5), HEARTH_TEST_SEED with which numbers.
"""

import http.client
import json
import os
import random
import re
import sys
import threading
import time
import urllib.parse

CLIENTS = 64
place = urllib.parse.urlsplit(sys.argv[1])
seconds = float(os.environ.get("HEARTH_TEST_LOAD_S", "5"))
seed = int(os.environ.get("HEARTH_TEST_SEED", "1"))
until = time.monotonic() + seconds
lock = threading.Lock()
counts = {}
failures = []


def count(what):
    with lock:
        counts[what] = counts.get(what, 0) + 1


def request(method, path, body=None):
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
    connection.request(method, path, body)
    return connection, connection.getresponse()


def pieces(line, is_ollama):
    """The text of one line of a stream."""
    if is_ollama:
        return json.loads(line)["message"]["content"]
    if not line.startswith(b"data: ") or line == b"data: [DONE]\n":
        return ""
    choices = json.loads(line[6:])["choices"]
    return choices[0]["delta"].get("content", "") if choices else ""


def chat(rng):
    digit = rng.choice("0123456789")
    n = rng.randint(1, 120)
    stop_at = rng.randint(0, n) if rng.random() < 0.4 else None
    is_ollama = rng.random() < 0.5
    body = {"model": "script", "messages": [{"role": "user", "content": digit}], "stream": True}
    if is_ollama:
        body["options"] = {"num_predict": n}
    else:
        body["max_tokens"] = n
    path = "/api/chat" if is_ollama else "/v1/chat/completions"
    connection, reply = request("POST", path, json.dumps(body))
    if reply.status == 503:
        count("busy")
        connection.close()
        return
    assert reply.status == 200, reply.status
    text, n_lines = "", 0
    for line in reply:
        text += pieces(line, is_ollama)
        n_lines += 1
        if stop_at is not None and n_lines > stop_at:
            break
        if rng.random() < 0.01:
            time.sleep(0.02)
    connection.close()
    want = (f" {digit}a {digit}b" * n)[: 3 * n]
    if stop_at is None:
        assert text == want, f"{n} tokens of {digit}: {text!r}"
    assert want.startswith(text), f"part of {digit}: {text!r}"
    count("gone" if stop_at is not None else "whole")


def vanish(rng):
    """Goes away without reading anything."""
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
    body = {"model": "script", "prompt": "l", "stream": rng.random() < 0.5}
    connection.request("POST", "/api/generate", json.dumps(body))
    time.sleep(rng.random() * 0.01)
    connection.close()
    count("vanished")


def nonsense(rng):
    body = bytes(rng.randrange(256) for _ in range(rng.randint(1, 200)))
    connection, reply = request("POST", rng.choice(["/api/chat", "/v1/completions"]), body)
    assert reply.status == 400, reply.status
    reply.read()
    connection.close()
    count("nonsense")


def vector(_):
    connection, reply = request("POST", "/api/embed", '{"model":"bert","input":"hello"}')
    body = json.loads(reply.read())
    connection.close()
    assert reply.status in (200, 503), body
    count("vectors")


def client(i):
    rng = random.Random(seed * 1000 + i)
    kinds = [chat] * 6 + [vanish, nonsense, vector]
    while time.monotonic() < until and not failures:
        kind = rng.choice(kinds)
        try:
            kind(rng)
        except Exception as e:
            with lock:
                failures.append(f"client {i}, {kind.__name__}: {e!r}")


threads = [threading.Thread(target=client, args=(i,)) for i in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()


def running():
    text = request("GET", "/metrics")[1].read().decode()
    found = re.findall(r"^hearth_requests_(?:running|queued) (\d+)$", text, re.M)
    return sum(int(n) for n in found)


for _ in range(200):
    if running() == 0:
        break
    time.sleep(0.05)
if running() > 0:
    failures.append(f"{running()} jobs run after their clients have gone")
if not failures:
    request("POST", "/api/generate", '{"model":"script","prompt":"h","stream":false}')[1].read()
for failure in failures[:10]:
    print("FAILED:", failure, file=sys.stderr)
print(f"seed {seed}, {seconds:g} s:", ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
sys.exit(bool(failures))
