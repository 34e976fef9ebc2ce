"""Chat Completions by OpenAI's own library."""

import json
import time
from typing import Any

import openai
from checks import FITTING, IMAGE, IMAGE_TOKENS, PARIS, RESULT, SCHEMA, SYSTEM, Checks, awaited, equal, raised, tokens
from pydantic import BaseModel

checks = Checks({"openai": openai.__version__})
BASE = checks.address + "/v1"
client = openai.OpenAI(base_url=BASE, api_key=checks.key, max_retries=0)
WEATHER = {"name": "get_weather", "description": "Weather.", "parameters": SCHEMA}
TOOLS: Any = [{"type": "function", "function": WEATHER}]


class GetWeather(BaseModel):
    """Weather of a city."""

    city: str
    days: int


class Row(BaseModel):
    """What is asked for as JSON."""

    name: str
    size: int


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def ask(model: str, text: str = "Capital of France?", **others: Any) -> Any:
    return client.chat.completions.create(model=model, messages=said(text), **others)


def streamed(model: str, text: str, **others: Any) -> list[Any]:
    return list(client.chat.completions.create(model=model, messages=said(text), stream=True, **others))


def texts(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def on_every_wire(wire: str, model: str) -> None:
    """All that a client can do, whatever wire the provider speaks."""
    _answers(wire, model)
    _calls(wire, model)
    _forms(wire, model)
    _endings(wire, model)


def _answers(wire: str, model: str) -> None:
    with checks("chat", wire):
        found = ask(model)
        equal((found.choices[0].message.content, found.choices[0].finish_reason), (PARIS, "stop"))
        equal(found.choices[0].message.role, "assistant")
        equal(found.usage.total_tokens, found.usage.prompt_tokens + found.usage.completion_tokens)
    with checks("turns", wire):
        before = [*said("Capital of France?"), {"role": "assistant", "content": PARIS}, *said("And of Italy?")]
        found = client.chat.completions.create(model=model, messages=before)
        equal(found.choices[0].message.content, "Rome.")
    with checks("system", wire):
        plain = ask(model, "x").usage.prompt_tokens
        both: Any = [{"role": "system", "content": SYSTEM}, *said("x")]
        found = client.chat.completions.create(model=model, messages=both)
        equal(found.usage.prompt_tokens - plain, 3 + tokens(SYSTEM))
    with checks("stream", wire):
        chunks = streamed(model, "Capital of France?")
        equal((texts(chunks), chunks[-1].choices[0].finish_reason), (PARIS, "stop"))
        assert len(chunks) > 2
        assert all(chunk.usage is None for chunk in chunks)
    with checks("usage in a stream", wire):
        chunks = streamed(model, "Capital of France?", stream_options={"include_usage": True})
        equal((chunks[-1].choices, chunks[-1].usage.completion_tokens), ([], tokens(PARIS)))
    with checks("usage", wire):
        usage = ask(model, "Use the cache.").usage
        told = (usage.prompt_tokens, usage.completion_tokens)
        equal(told, (1000, 50))
        if wire != "ollama":
            equal(usage.prompt_tokens_details.cached_tokens, 900)
            equal(usage.completion_tokens_details.reasoning_tokens, 20)


def _calls(wire: str, model: str) -> None:
    with checks("tool call", wire):
        choice = ask(model, "Weather in Pune?", tools=TOOLS).choices[0]
        call = choice.message.tool_calls[0]
        equal((choice.finish_reason, choice.message.content), ("tool_calls", "I look."))
        equal((call.type, call.function.name), ("function", "get_weather"))
        equal(_arguments(call), {"city": "Pune", "days": 2})
    with checks("tool result", wire):
        equal(_rounds(model, RESULT) - _rounds(model, "rain"), tokens(RESULT) - 1)
    with checks("tool read by the library", wire):
        tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
        found = client.chat.completions.parse(model=model, messages=said("Weather in Pune?"), tools=[tool])
        equal(found.choices[0].message.tool_calls[0].function.parsed_arguments, GetWeather(city="Pune", days=2))
    with checks("calls at once", wire):
        calls = ask(model, "Weather in both?", tools=TOOLS).choices[0].message.tool_calls
        equal([_arguments(call)["city"] for call in calls], ["Pune", "Oslo"])
        assert calls[0].id != calls[1].id
    with checks("tool call in a stream", wire):
        with client.chat.completions.stream(model=model, messages=said("Weather in both?"), tools=TOOLS) as stream:
            for _ in stream:
                pass
            choice = stream.get_final_completion().choices[0]
        equal([_arguments(call)["city"] for call in choice.message.tool_calls], ["Pune", "Oslo"])
        equal(choice.finish_reason, "tool_calls")
    with checks("forced call", wire):
        forced = {"type": "function", "function": {"name": "get_weather"}}
        if wire == "ollama":
            refused = raised(openai.BadRequestError, lambda: ask(model, "x", tools=TOOLS, tool_choice=forced))
            assert "tool" in refused.message, refused.message
        else:
            calls = ask(model, "x", tools=TOOLS, tool_choice=forced).choices[0].message.tool_calls
            equal([_arguments(call) for call in calls], [FITTING])


def _forms(wire: str, model: str) -> None:
    with checks("JSON by schema", wire):
        found = client.chat.completions.parse(model=model, messages=said("Make a row."), response_format=Row)
        equal(found.choices[0].message.parsed, Row(name="text", size=1))
    with checks("image", wire):
        parts: Any = [
            {"type": "text", "text": "x"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}},
        ]
        found = client.chat.completions.create(model=model, messages=[{"role": "user", "content": parts}])
        equal(found.usage.prompt_tokens, 3 + 1 + IMAGE_TOKENS)
    with checks("limit of tokens", wire):
        for limit in ({"max_tokens": 2}, {"max_completion_tokens": 2}):
            choice = ask(model, **limit).choices[0]
            equal((choice.message.content, choice.finish_reason), (PARIS[:8], "length"))


def _endings(wire: str, model: str) -> None:
    with checks("refusal", wire):
        wanted = {"ollama": "stop"}.get(wire, "content_filter")
        equal(ask(model, "Say no.").choices[0].finish_reason, wanted)
    with checks("stop sequence", wire):
        if wire == "openai_responses":
            assert "stop" in str(raised(openai.BadRequestError, lambda: ask(model, stop=["city"])))
        else:
            equal(ask(model, stop=["zzz"]).choices[0].finish_reason, "stop")
    with checks("broken stream", wire):
        raised(openai.APIError, lambda: streamed(model, "Break off " + "x" * 200))
    with checks("too long", wire):
        error = raised(openai.BadRequestError, lambda: ask(model, "Much too long."))
        equal(error.code, "context_length_exceeded")
    with checks("forbidden", wire):
        raised(openai.BadRequestError, lambda: ask(model, "Forbidden."))


def _arguments(call: Any) -> Any:
    return json.loads(call.function.arguments)


def _rounds(model: str, result: str) -> int:
    """Tokens of the second prompt, after the result of the first answer's call."""
    first = ask(model, "Weather in Pune?", tools=TOOLS).choices[0].message
    told = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": result}
    messages: Any = [*said("Weather in Pune?"), first, told]
    second = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    equal(second.choices[0].message.content, "It rains.")
    return int(second.usage.prompt_tokens)


def at_the_gateway() -> None:
    with checks("models"):
        names = [model.id for model in client.models.list()]
        assert {"via-openai", "via-gemini"} <= set(names), names
        equal(client.models.retrieve("via-openai").id, "via-openai")
        raised(openai.NotFoundError, lambda: client.models.retrieve("nobody"))
    with checks("cost and route"):
        answer = client.chat.completions.with_raw_response.create(model="via-openai", messages=said("Use the cache."))
        equal(answer.headers["x-karkhana-cost-usd"], "0.00132")
        equal(answer.headers["x-karkhana-route"], "openai/large")
        equal(answer.headers["x-karkhana-attempts"], "1")
        equal(answer.parse().choices[0].message.content, "Done.")
    with checks("wrong key"):
        stranger = client.with_options(api_key="kk_wrong")
        found = raised(
            openai.AuthenticationError, lambda: stranger.chat.completions.create(model="via-openai", messages=said("x"))
        )
        equal((found.status_code, found.code), (401, "invalid_api_key"))
        raised(openai.AuthenticationError, lambda: list(stranger.models.list()))
    with checks("unknown model"):
        equal(raised(openai.NotFoundError, lambda: ask("nobody")).code, "model_not_found")
    with checks("wrong request"):
        found = raised(openai.BadRequestError, lambda: ask("via-anthropic", temperature="hot"))
        assert "temperature" in found.message
    with checks("rate limit"):
        metered = client.with_options(api_key=checks.given["metered"])
        metered.chat.completions.create(model="via-openai", messages=said("Use a lot."))
        asked: Any = {"model": "via-openai", "messages": said("x" * 2000)}
        found = raised(openai.RateLimitError, lambda: metered.chat.completions.create(**asked))
        equal((found.status_code, found.code), (429, "rate_limit_exceeded"))
        assert 1 <= int(found.response.headers["retry-after"]) <= 10
    with checks("rate limit, asked again"):
        began = time.monotonic()
        patient = client.with_options(api_key=checks.given["metered"], max_retries=4)
        found = patient.chat.completions.create(model="via-openai", messages=said("y" * 3000))
        equal(found.choices[0].message.content, "y" * 3000)
        assert time.monotonic() - began > 0.4
    with checks("failover"):
        answer = client.chat.completions.with_raw_response.create(model="failover", messages=said("Capital of France?"))
        equal(answer.parse().choices[0].message.content, PARIS)
        equal(answer.headers["x-karkhana-route"], "anthropic/large")
        equal(texts(streamed("failover", "Capital of France?")), PARIS)
    with checks("server error"):
        assert raised(openai.InternalServerError, lambda: ask("broken")).status_code in (500, 503)
    with checks("budget"):
        poor = client.with_options(api_key=checks.given["poor"])
        found = raised(
            openai.APIStatusError, lambda: poor.chat.completions.create(model="via-openai", messages=said("x"))
        )
        equal((found.status_code, found.code), (402, "insufficient_quota"))
        assert "raise the limit" in found.message, found.message
    with checks("timeout"):
        hasty = client.with_options(timeout=0.4)
        raised(
            openai.APITimeoutError,
            lambda: hasty.chat.completions.create(model="via-openai", messages=said("Be slow.")),
        )
    with checks("asynchronous"):
        awaited(_asynchronous())


async def _asynchronous() -> None:
    async with openai.AsyncOpenAI(base_url=BASE, api_key=checks.key, max_retries=0) as fast:
        found = await fast.chat.completions.create(model="via-gemini", messages=said("Capital of France?"))
        equal(found.choices[0].message.content, PARIS)
        stream = await fast.chat.completions.create(
            model="via-anthropic", messages=said("Capital of France?"), stream=True
        )
        equal(texts([chunk async for chunk in stream]), PARIS)


for each in checks.wires:
    on_every_wire(each, f"via-{each}")
at_the_gateway()
