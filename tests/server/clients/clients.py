"""clients.py ADDRESS: the Python packages `ollama` and `openai`, unchanged, against the server.

What the packages send differs from npm's: OpenAI's asks for vectors as base64, Ollama's checks
replies against its types. The models' replies are known (../make_models.c).
"""

import json
import sys
import traceback

import ollama
import openai

address = sys.argv[1]
ol = ollama.Client(host=address)
oa = openai.OpenAI(base_url=address + "/v1", api_key="none", max_retries=0)
MODEL = "script"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "weather of a city",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string"}},
        },
    },
}


def user(text):
    return [{"role": "user", "content": text}]


def ollama_models():
    names = sorted(m.model for m in ol.list().models)
    assert {"bert:latest", "rank:latest", "script:latest"} < set(names), names
    shown = ol.show(MODEL)
    assert shown.modelinfo["llama.context_length"] == 2048
    assert "tools" in shown.capabilities


def ollama_generate():
    whole = ol.generate(MODEL, "h")
    assert whole.response == "Hello there!" and whole.done_reason == "stop", whole
    parts = list(ol.generate(MODEL, "h", stream=True))
    assert "".join(p.response for p in parts) == "Hello there!" and parts[-1].done


def ollama_chat():
    whole = ol.chat(MODEL, user("t"), think=True)
    assert (whole.message.thinking, whole.message.content) == ("I wonder", "Yes"), whole
    call = ol.chat(MODEL, user("c"), tools=[WEATHER]).message.tool_calls[0].function
    assert (call.name, call.arguments) == ("get_weather", {"city": "Zürich"}), call
    parts = list(ol.chat(MODEL, user("h"), stream=True))
    assert "".join(p.message.content for p in parts) == "Hello there!"


def ollama_running():
    ol.generate(MODEL, "", keep_alive=-1)
    assert "script:latest" in [m.model for m in ol.ps().models]


def ollama_errors():
    try:
        ol.chat("none", user("h"))
    except ollama.ResponseError as e:
        assert e.status_code == 404 and e.error == "model 'none' not found", e
    else:
        raise AssertionError("no error")


def openai_models():
    assert "script:latest" in [m.id for m in oa.models.list()]
    assert oa.models.retrieve(MODEL).object == "model"


def openai_chat():
    whole = oa.chat.completions.create(model=MODEL, messages=user("h"))
    assert whole.choices[0].message.content == "Hello there!"
    call = oa.chat.completions.create(model=MODEL, messages=user("c"), tools=[WEATHER])
    call = call.choices[0].message.tool_calls[0].function
    assert json.loads(call.arguments) == {"city": "Zürich"}
    with oa.chat.completions.stream(model=MODEL, messages=user("h")) as stream:
        text = "".join(e.delta for e in stream if e.type == "content.delta")
    assert text == "Hello there!", text


def openai_completions():
    whole = oa.completions.create(model=MODEL, prompt="l", max_tokens=2)
    assert whole.choices[0].text == " one two" and whole.choices[0].finish_reason == "length"


def openai_embeddings():
    packed = oa.embeddings.create(model="bert", input="hello").data[0].embedding  # as base64
    plain = oa.embeddings.create(model="bert", input="hello", encoding_format="float")
    assert all(abs(a - b) < 1e-6 for a, b in zip(packed, plain.data[0].embedding, strict=True))
    other = ol.embed("bert", "hello").embeddings[0]
    assert all(abs(a - b) < 1e-6 for a, b in zip(packed, other, strict=True))


def openai_errors():
    try:
        oa.chat.completions.create(model=MODEL, messages=user("h"), max_tokens=-3)
    except openai.BadRequestError as e:
        assert "'max_tokens' is -3" in e.message, e
    else:
        raise AssertionError("no error")


def openai_abort():
    for _ in range(8):
        stream = oa.chat.completions.create(model=MODEL, messages=user("l"), stream=True)
        for i, _ in enumerate(stream):
            if i == 3:
                stream.close()
                break
    whole = oa.chat.completions.create(model=MODEL, messages=user("h"))
    assert whole.choices[0].message.content == "Hello there!"


failures = 0
for name, run in list(globals().items()):
    if name.startswith(("ollama_", "openai_")) and callable(run):
        try:
            run()
        except Exception:
            failures += 1
            print(f"FAILED: {name}", file=sys.stderr)
            traceback.print_exc()
sys.exit(failures > 0)
