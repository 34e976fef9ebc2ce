"""/api/chat by Ollama's own library."""

import importlib.metadata
from typing import Any

import httpx
import ollama
from checks import IMAGE, IMAGE_TOKENS, PARIS, RESULT, SCHEMA, SYSTEM, Checks, awaited, equal, raised, tokens
from pydantic import BaseModel

checks = Checks({"ollama": importlib.metadata.version("ollama")})
WEATHER = {"name": "get_weather", "description": "Weather.", "parameters": SCHEMA}
TOOLS: Any = [{"type": "function", "function": WEATHER}]


def library(key: str, **others: Any) -> Any:
    return ollama.Client(host=checks.address, headers={"authorization": f"Bearer {key}"}, **others)


client = library(checks.key)


class Row(BaseModel):
    """What is asked for as JSON."""

    name: str
    size: int


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def ask(model: str, text: str = "Capital of France?", at: Any = client, **others: Any) -> Any:
    return at.chat(**{"model": model, "messages": said(text), **others})


def cities(message: Any) -> list[str]:
    return [call.function.arguments["city"] for call in message.tool_calls]


def on_every_wire(wire: str, model: str) -> None:
    with checks("chat", wire):
        found = ask(model)
        equal((found.message.content, found.message.role), (PARIS, "assistant"))
        equal((found.done, found.done_reason, found.eval_count), (True, "stop", tokens(PARIS)))
    with checks("turns", wire):
        before = [*said("Capital of France?"), ask(model).message, *said("And of Italy?")]
        equal(ask(model, messages=before).message.content, "Rome.")
    with checks("system", wire):
        plain = ask(model, "x").prompt_eval_count
        found = ask(model, messages=[{"role": "system", "content": SYSTEM}, *said("x")])
        equal(found.prompt_eval_count - plain, 3 + tokens(SYSTEM))
    with checks("stream", wire):
        lines = list(ask(model, stream=True))
        equal("".join(line.message.content or "" for line in lines), PARIS)
        assert len(lines) > 2
        equal([line.done for line in lines], [False] * (len(lines) - 1) + [True])
    with checks("usage in a stream", wire):
        equal(list(ask(model, stream=True))[-1].eval_count, tokens(PARIS))
    with checks("usage", wire):
        found = ask(model, "Use the cache.")
        equal((found.prompt_eval_count, found.eval_count), (1000, 50))
    with checks("tool call", wire):
        message = ask(model, "Weather in Pune?", tools=TOOLS).message
        equal((message.content, message.tool_calls[0].function.name), ("I look.", "get_weather"))
        equal(message.tool_calls[0].function.arguments, {"city": "Pune", "days": 2})
    with checks("tool result", wire):
        equal(_rounds(model, RESULT) - _rounds(model, "rain"), tokens(RESULT) - 1)
    with checks("calls at once", wire):
        equal(cities(ask(model, "Weather in both?", tools=TOOLS).message), ["Pune", "Oslo"])
    with checks("tool call in a stream", wire):
        lines = list(ask(model, "Weather in both?", tools=TOOLS, stream=True))
        equal([city for line in lines if line.message.tool_calls for city in cities(line.message)], ["Pune", "Oslo"])
    with checks("JSON by schema", wire):
        found = ask(model, "Make a row.", format=Row.model_json_schema())
        equal(Row.model_validate_json(found.message.content), Row(name="text", size=1))
    with checks("image", wire):
        found = ask(model, messages=[{"role": "user", "content": "x", "images": [IMAGE]}])
        equal(found.prompt_eval_count, 3 + 1 + IMAGE_TOKENS)
    with checks("limit of tokens", wire):
        found = ask(model, options={"num_predict": 2})
        equal((found.message.content, found.done_reason), (PARIS[:8], "length"))
    with checks("reasoning", wire):
        message = ask(model, "Think first.", think=True).message
        equal((message.thinking, message.content), ("Let me see.", "Done."))
    with checks("stop sequence", wire):
        stop = {"stop": ["zzz"]}
        if wire == "openai_responses":
            equal(raised(ollama.ResponseError, lambda: ask(model, options=stop)).status_code, 400)
        else:
            equal(ask(model, options=stop).done_reason, "stop")
    with checks("broken stream", wire):
        _broken(model)
    with checks("too long", wire):
        assert raised(ollama.ResponseError, lambda: ask(model, "Much too long.")).status_code in (400, 413)
    with checks("forbidden", wire):
        equal(raised(ollama.ResponseError, lambda: ask(model, "Forbidden.")).status_code, 400)


def _broken(model: str) -> None:
    """The library raises what a line tells; the answer must not look whole."""
    raised(ollama.ResponseError, lambda: list(ask(model, "Break off " + "x" * 200, stream=True)))


def _rounds(model: str, result: str) -> int:
    """Tokens of the second prompt, after the result of the first answer's call."""
    first = ask(model, "Weather in Pune?", tools=TOOLS).message
    told = {"role": "tool", "tool_name": "get_weather", "content": result}
    second = ask(model, messages=[*said("Weather in Pune?"), first, told], tools=TOOLS)
    equal(second.message.content, "It rains.")
    return int(second.prompt_eval_count)


def at_the_gateway() -> None:
    with checks("models"):
        names = [model.model for model in client.list().models]
        assert {"via-openai", "via-gemini"} <= set(names), names
    with checks("wrong key"):
        equal(raised(ollama.ResponseError, lambda: ask("via-openai", "x", library("kk_wrong"))).status_code, 401)
        equal(raised(ollama.ResponseError, library("kk_wrong").list).status_code, 401)
    with checks("unknown model"):
        found = raised(ollama.ResponseError, lambda: ask("nobody"))
        equal(found.status_code, 404)
        assert "nobody" in found.error, found.error
    with checks("wrong request"):
        found = raised(ollama.ResponseError, lambda: ask("via-openai", options={"stop": 7}))
        equal(found.status_code, 400)
    with checks("rate limit"):
        ask("via-openai", "Use a lot.", library(checks.given["metered"]))
        found = raised(ollama.ResponseError, lambda: ask("via-openai", "x" * 2000, library(checks.given["metered"])))
        equal(found.status_code, 429)
    with checks("failover"):
        equal(ask("failover").message.content, PARIS)
    with checks("server error"):
        assert raised(ollama.ResponseError, lambda: ask("broken")).status_code in (500, 503)
    with checks("budget"):
        found = raised(ollama.ResponseError, lambda: ask("via-openai", "x", library(checks.given["poor"])))
        equal(found.status_code, 402)
        assert "raise the limit" in found.error, found.error
    with checks("timeout"):
        raised(httpx.TimeoutException, lambda: ask("via-openai", "Be slow.", library(checks.key, timeout=0.4)))
    with checks("asynchronous"):
        awaited(_asynchronous())


async def _asynchronous() -> None:
    fast = ollama.AsyncClient(host=checks.address, headers={"authorization": f"Bearer {checks.key}"})
    found = await fast.chat(model="via-openai", messages=said("Capital of France?"))
    equal(found.message.content, PARIS)
    stream = await fast.chat(model="via-gemini", messages=said("Capital of France?"), stream=True)
    equal("".join([line.message.content or "" async for line in stream]), PARIS)


for each in checks.wires:
    on_every_wire(each, f"via-{each}")
at_the_gateway()
