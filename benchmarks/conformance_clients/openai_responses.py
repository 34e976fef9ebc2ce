"""Responses by OpenAI's own library."""

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
TOOLS: Any = [{"type": "function", "strict": False, **WEATHER}]


class Row(BaseModel):
    """What is asked for as JSON."""

    name: str
    size: int


def ask(model: str, text: Any = "Capital of France?", **others: Any) -> Any:
    return client.responses.create(model=model, input=text, **others)


def calls(found: Any) -> list[Any]:
    return [item for item in found.output if item.type == "function_call"]


def cities(found: Any) -> list[str]:
    return [json.loads(call.arguments)["city"] for call in calls(found)]


def on_every_wire(wire: str, model: str) -> None:
    with checks("chat", wire):
        found = ask(model)
        equal((found.output_text, found.status, found.object), (PARIS, "completed", "response"))
        equal(found.usage.total_tokens, found.usage.input_tokens + found.usage.output_tokens)
    with checks("turns", wire):
        before = [{"role": "user", "content": "Capital of France?"}, *ask(model).output]
        equal(ask(model, [*before, {"role": "user", "content": "And of Italy?"}]).output_text, "Rome.")
    with checks("system", wire):
        plain = ask(model, "x").usage.input_tokens
        equal(ask(model, "x", instructions=SYSTEM).usage.input_tokens - plain, 3 + tokens(SYSTEM))
    with checks("stream", wire):
        events = list(client.responses.create(model=model, input="Capital of France?", stream=True))
        equal("".join(event.delta for event in events if event.type == "response.output_text.delta"), PARIS)
        equal((events[0].type, events[-1].type), ("response.created", "response.completed"))
        equal([event.sequence_number for event in events], list(range(len(events))))
    with checks("usage in a stream", wire):
        with client.responses.stream(model=model, input="Capital of France?") as stream:
            for _ in stream:
                pass
            found = stream.get_final_response()
        equal((found.output_text, found.usage.output_tokens), (PARIS, tokens(PARIS)))
    with checks("usage", wire):
        usage = ask(model, "Use the cache.").usage
        equal((usage.input_tokens, usage.output_tokens), (1000, 50))
        if wire != "ollama":
            equal(usage.input_tokens_details.cached_tokens, 900)
            equal(usage.output_tokens_details.reasoning_tokens, 20)
    with checks("tool call", wire):
        found = ask(model, "Weather in Pune?", tools=TOOLS)
        equal((found.output_text, calls(found)[0].name), ("I look.", "get_weather"))
        equal(json.loads(calls(found)[0].arguments), {"city": "Pune", "days": 2})
    with checks("tool result", wire):
        equal(_rounds(model, RESULT) - _rounds(model, "rain"), tokens(RESULT) - 1)
    with checks("calls at once", wire):
        found = ask(model, "Weather in both?", tools=TOOLS)
        equal(cities(found), ["Pune", "Oslo"])
        equal(len({call.call_id for call in calls(found)}), 2)
    with checks("tool call in a stream", wire):
        with client.responses.stream(model=model, input="Weather in both?", tools=TOOLS) as stream:
            kinds = [event.type for event in stream]
            equal(cities(stream.get_final_response()), ["Pune", "Oslo"])
        assert "response.function_call_arguments.delta" in kinds
    with checks("forced call", wire):
        forced: Any = {"type": "function", "name": "get_weather"}
        if wire == "ollama":
            raised(openai.BadRequestError, lambda: ask(model, "x", tools=TOOLS, tool_choice=forced))
        else:
            found = ask(model, "x", tools=TOOLS, tool_choice=forced)
            equal([json.loads(call.arguments) for call in calls(found)], [FITTING])
    with checks("JSON by schema", wire):
        found = client.responses.parse(model=model, input="Make a row.", text_format=Row)
        equal(found.output_parsed, Row(name="text", size=1))
    with checks("image", wire):
        parts: Any = [
            {"type": "input_text", "text": "x"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}", "detail": "auto"},
        ]
        equal(ask(model, [{"role": "user", "content": parts}]).usage.input_tokens, 3 + 1 + IMAGE_TOKENS)
    with checks("limit of tokens", wire):
        found = ask(model, max_output_tokens=2)
        equal((found.output_text, found.status), (PARIS[:8], "incomplete"))
        equal(found.incomplete_details.reason, "max_output_tokens")
    with checks("reasoning", wire):
        found = ask(model, "Think first.", reasoning={"effort": "low", "summary": "auto"})
        thought = [item for item in found.output if item.type == "reasoning"]
        equal((found.output_text, thought[0].summary[0].text), ("Done.", "Let me see."))
    with checks("broken stream", wire):
        _broken(model)
    with checks("too long", wire):
        error = raised(openai.BadRequestError, lambda: ask(model, "Much too long."))
        equal(error.code, "context_length_exceeded")
    with checks("forbidden", wire):
        raised(openai.BadRequestError, lambda: ask(model, "Forbidden."))


def _broken(model: str) -> None:
    """Either the library raises, or the last event tells it."""
    try:
        events = list(client.responses.create(model=model, input="Break off " + "x" * 200, stream=True))
    except openai.APIError:
        return
    assert events[-1].type in ("error", "response.failed"), events[-1]


def _rounds(model: str, result: str) -> int:
    """Tokens of the second prompt, after the result of the first answer's call."""
    first = ask(model, "Weather in Pune?", tools=TOOLS)
    told = {"type": "function_call_output", "call_id": calls(first)[0].call_id, "output": result}
    second = ask(model, [{"role": "user", "content": "Weather in Pune?"}, *first.output, told], tools=TOOLS)
    equal(second.output_text, "It rains.")
    return int(second.usage.input_tokens)


def at_the_gateway() -> None:
    with checks("cost and route"):
        answer = client.responses.with_raw_response.create(model="via-anthropic", input="Use the cache.")
        equal(answer.headers["x-karkhana-cost-usd"], "0.00132")
        equal(answer.headers["x-karkhana-route"], "anthropic/large")
        equal(answer.parse().output_text, "Done.")
    with checks("wrong key"):
        stranger = client.with_options(api_key="kk_wrong")
        raised(openai.AuthenticationError, lambda: stranger.responses.create(model="via-openai", input="x"))
    with checks("unknown model"):
        equal(raised(openai.NotFoundError, lambda: ask("nobody")).code, "model_not_found")
    with checks("wrong request"):
        found = raised(openai.BadRequestError, lambda: ask("via-anthropic", temperature="hot"))
        assert "temperature" in found.message
    with checks("rate limit"):
        metered = client.with_options(api_key=checks.given["metered"])
        metered.responses.create(model="via-openai", input="Use a lot.")
        found = raised(openai.RateLimitError, lambda: metered.responses.create(model="via-openai", input="x" * 2000))
        assert 1 <= int(found.response.headers["retry-after"]) <= 10
    with checks("rate limit, asked again"):
        patient = client.with_options(api_key=checks.given["metered"], max_retries=4)
        began = time.monotonic()
        equal(patient.responses.create(model="via-openai", input="y" * 3000).output_text, "y" * 3000)
        assert time.monotonic() - began > 0.4
    with checks("failover"):
        answer = client.responses.with_raw_response.create(model="failover", input="Capital of France?")
        equal((answer.parse().output_text, answer.headers["x-karkhana-route"]), (PARIS, "anthropic/large"))
    with checks("server error"):
        assert raised(openai.InternalServerError, lambda: ask("broken")).status_code in (500, 503)
    with checks("budget"):
        poor = client.with_options(api_key=checks.given["poor"])
        found = raised(openai.APIStatusError, lambda: poor.responses.create(model="via-openai", input="x"))
        equal((found.status_code, found.code), (402, "insufficient_quota"))
    with checks("timeout"):
        hasty = client.with_options(timeout=0.4)
        raised(openai.APITimeoutError, lambda: hasty.responses.create(model="via-openai", input="Be slow."))
    with checks("asynchronous"):
        awaited(_asynchronous())


async def _asynchronous() -> None:
    async with openai.AsyncOpenAI(base_url=BASE, api_key=checks.key, max_retries=0) as fast:
        equal((await fast.responses.create(model="via-gemini", input="Capital of France?")).output_text, PARIS)
        stream = await fast.responses.create(model="via-ollama", input="Capital of France?", stream=True)
        texts = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        equal("".join(texts), PARIS)


for each in checks.wires:
    on_every_wire(each, f"via-{each}")
at_the_gateway()
