"""Messages by Anthropic's own library."""

import time
from typing import Any

import anthropic
from checks import FITTING, IMAGE, IMAGE_TOKENS, PARIS, RESULT, SCHEMA, SYSTEM, Checks, awaited, equal, raised, tokens
from pydantic import BaseModel

checks = Checks({"anthropic": anthropic.__version__})
client = anthropic.Anthropic(base_url=checks.address, api_key=checks.key, max_retries=0)
TOOLS: Any = [{"name": "get_weather", "description": "Weather.", "input_schema": SCHEMA}]


class Row(BaseModel):
    """What is asked for as JSON."""

    name: str
    size: int


def said(text: Any) -> Any:
    return [{"role": "user", "content": text}]


def ask(model: str, text: Any = "Capital of France?", **others: Any) -> Any:
    return client.messages.create(**{"model": model, "max_tokens": 900, "messages": said(text), **others})


def text_of(found: Any) -> str:
    return "".join(block.text for block in found.content if block.type == "text")


def inputs(found: Any) -> list[Any]:
    return [block.input for block in found.content if block.type == "tool_use"]


def on_every_wire(wire: str, model: str) -> None:
    """All that a client can do, whatever wire the provider speaks."""
    _answers(wire, model)
    _calls(wire, model)
    _forms(wire, model)
    _endings(wire, model)


def _answers(wire: str, model: str) -> None:
    with checks("chat", wire):
        found = ask(model)
        equal((text_of(found), found.stop_reason, found.type, found.role), (PARIS, "end_turn", "message", "assistant"))
    with checks("turns", wire):
        before = [*said("Capital of France?"), {"role": "assistant", "content": ask(model).content}]
        equal(text_of(ask(model, messages=[*before, *said("And of Italy?")])), "Rome.")
    with checks("system", wire):
        plain = ask(model, "x").usage.input_tokens
        equal(ask(model, "x", system=SYSTEM).usage.input_tokens - plain, 3 + tokens(SYSTEM))
        marked = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
        equal(ask(model, "x", system=marked).usage.input_tokens - plain, 3 + tokens(SYSTEM))
    with checks("stream", wire):
        with client.messages.stream(model=model, max_tokens=900, messages=said("Capital of France?")) as stream:
            pieces = list(stream.text_stream)
        equal("".join(pieces), PARIS)
        assert len(pieces) > 2
    with checks("usage in a stream", wire):
        with client.messages.stream(model=model, max_tokens=900, messages=said("Capital of France?")) as stream:
            found = stream.get_final_message()
        equal((text_of(found), found.stop_reason), (PARIS, "end_turn"))
        equal(found.usage.output_tokens, tokens(PARIS))
    with checks("usage", wire):
        usage = ask(model, "Use the cache.").usage
        cached = 0 if wire == "ollama" else 900
        told = (usage.input_tokens, usage.cache_read_input_tokens or 0, usage.output_tokens)
        equal(told, (1000 - cached, cached, 50))


def _calls(wire: str, model: str) -> None:
    with checks("tool call", wire):
        found = ask(model, "Weather in Pune?", tools=TOOLS)
        equal((found.stop_reason, text_of(found)), ("tool_use", "I look."))
        equal(inputs(found), [{"city": "Pune", "days": 2}])
    with checks("tool result", wire):
        equal(_rounds(model, RESULT) - _rounds(model, "rain"), tokens(RESULT) - 1)
    with checks("tool called by the library", wire):
        _by_itself(model)
    with checks("calls at once", wire):
        found = ask(model, "Weather in both?", tools=TOOLS)
        equal([each["city"] for each in inputs(found)], ["Pune", "Oslo"])
        equal(len({block.id for block in found.content}), 2)
    with checks("tool call in a stream", wire):
        asked: Any = {"model": model, "max_tokens": 900, "messages": said("Weather in both?"), "tools": TOOLS}
        with client.messages.stream(**asked) as stream:
            kinds = {event.type for event in stream}
            found = stream.get_final_message()
        equal(([each["city"] for each in inputs(found)], found.stop_reason), (["Pune", "Oslo"], "tool_use"))
        assert "input_json" in kinds, kinds
    with checks("forced call", wire):
        forced = {"type": "tool", "name": "get_weather"}
        if wire == "ollama":
            raised(anthropic.BadRequestError, lambda: ask(model, "x", tools=TOOLS, tool_choice=forced))
        else:
            equal(inputs(ask(model, "x", tools=TOOLS, tool_choice=forced)), [FITTING])


def _forms(wire: str, model: str) -> None:
    with checks("JSON by schema", wire):
        found = client.messages.parse(model=model, max_tokens=900, messages=said("Make a row."), output_format=Row)
        equal(found.parsed_output, Row(name="text", size=1))
    with checks("image", wire):
        source = {"type": "base64", "media_type": "image/png", "data": IMAGE}
        found = ask(model, [{"type": "text", "text": "x"}, {"type": "image", "source": source}])
        equal(found.usage.input_tokens, 3 + 1 + IMAGE_TOKENS)
    with checks("limit of tokens", wire):
        found = ask(model, max_tokens=2)
        equal((text_of(found), found.stop_reason), (PARIS[:8], "max_tokens"))
    with checks("reasoning", wire):
        found = ask(model, "Think first.", max_tokens=3000, thinking={"type": "enabled", "budget_tokens": 1024})
        equal([block.type for block in found.content], ["thinking", "text"])
        equal((found.content[0].thinking, text_of(found)), ("Let me see.", "Done."))
        back = [*said("Think first."), {"role": "assistant", "content": found.content}, *said("And of Italy?")]
        equal(text_of(ask(model, messages=back)), "Rome.")


def _endings(wire: str, model: str) -> None:
    with checks("refusal", wire):
        equal(ask(model, "Say no.").stop_reason, {"ollama": "end_turn"}.get(wire, "refusal"))
    with checks("stop sequence", wire):
        if wire == "openai_responses":
            assert "stop" in str(raised(anthropic.BadRequestError, lambda: ask(model, stop_sequences=["zzz"])))
        else:
            equal(ask(model, stop_sequences=["zzz"]).stop_reason, "end_turn")
    with checks("broken stream", wire):
        raised(anthropic.APIError, lambda: _read(model, "Break off " + "x" * 200))
    with checks("too long", wire):
        equal(raised(anthropic.APIStatusError, lambda: ask(model, "Much too long.")).status_code, 413)
    with checks("forbidden", wire):
        raised(anthropic.BadRequestError, lambda: ask(model, "Forbidden."))


def _read(model: str, text: str) -> Any:
    with client.messages.stream(model=model, max_tokens=900, messages=said(text)) as stream:
        return stream.get_final_message()


def _rounds(model: str, result: str) -> int:
    """Tokens of the second prompt, after the result of the first answer's call."""
    first = ask(model, "Weather in Pune?", tools=TOOLS)
    call = first.content[-1].id
    told = [{"type": "tool_result", "tool_use_id": call, "content": result}]
    messages = [*said("Weather in Pune?"), {"role": "assistant", "content": first.content}, *said(told)]
    second = ask(model, messages=messages, tools=TOOLS)
    equal(text_of(second), "It rains.")
    return int(second.usage.input_tokens)


def _by_itself(model: str) -> None:
    asked = []

    @anthropic.beta_tool
    def get_weather(city: str, days: int = 1) -> str:
        """Weather of a city."""
        asked.append((city, days))
        return "rain"

    runner = client.beta.messages.tool_runner(
        model=model, max_tokens=900, messages=said("Weather in Pune?"), tools=[get_weather]
    )
    equal((text_of(runner.until_done()), asked), ("It rains.", [("Pune", 2)]))


def at_the_gateway() -> None:
    with checks("models"):
        names = [model.id for model in client.models.list()]
        assert {"via-openai", "via-gemini"} <= set(names), names
        equal(client.models.retrieve("via-openai").display_name, "via-openai")
    with checks("cost and route"):
        asked: Any = {"model": "via-gemini", "max_tokens": 900, "messages": said("Use the cache.")}
        answer = client.messages.with_raw_response.create(**asked)
        equal(answer.headers["x-karkhana-cost-usd"], "0.00132")
        equal(answer.headers["x-karkhana-route"], "gemini/large")
        equal(text_of(answer.parse()), "Done.")
    with checks("count of tokens"):
        few, many = (client.messages.count_tokens(model="via-openai", messages=said("x" * n)) for n in (40, 4000))
        assert 1 <= few.input_tokens < many.input_tokens, (few, many)
    with checks("bearer token"):
        bearer = anthropic.Anthropic(base_url=checks.address, auth_token=checks.key, max_retries=0)
        equal(text_of(bearer.messages.create(model="via-openai", max_tokens=9, messages=said("x"))), "x")
    with checks("wrong key"):
        stranger = client.with_options(api_key="kk_wrong")
        asked = {"model": "via-openai", "max_tokens": 9, "messages": said("x")}
        found = raised(anthropic.AuthenticationError, lambda: stranger.messages.create(**asked))
        equal(found.body["error"]["type"], "authentication_error")
    with checks("unknown model"):
        found = raised(anthropic.NotFoundError, lambda: ask("nobody"))
        equal(found.body["error"]["type"], "not_found_error")
    with checks("wrong request"):
        found = raised(anthropic.BadRequestError, lambda: ask("via-openai", system=7))
        assert "system" in found.message
    with checks("rate limit"):
        metered = client.with_options(api_key=checks.given["metered"])
        metered.messages.create(model="via-openai", max_tokens=9, messages=said("Use a lot."))
        asked = {"model": "via-openai", "max_tokens": 600, "messages": said("x" * 2000)}
        found = raised(anthropic.RateLimitError, lambda: metered.messages.create(**asked))
        assert 1 <= int(found.response.headers["retry-after"]) <= 10
    with checks("rate limit, asked again"):
        patient = client.with_options(api_key=checks.given["metered"], max_retries=4)
        asked = {"model": "via-openai", "max_tokens": 900, "messages": said("y" * 3000)}
        began = time.monotonic()
        equal(text_of(patient.messages.create(**asked)), "y" * 3000)
        assert time.monotonic() - began > 0.4
    with checks("failover"):
        asked = {"model": "failover", "max_tokens": 900, "messages": said("Capital of France?")}
        answer = client.messages.with_raw_response.create(**asked)
        equal((text_of(answer.parse()), answer.headers["x-karkhana-route"]), (PARIS, "anthropic/large"))
    with checks("server error"):
        assert raised(anthropic.APIStatusError, lambda: ask("broken")).status_code in (500, 529)
    with checks("budget"):
        poor = client.with_options(api_key=checks.given["poor"])
        asked = {"model": "via-openai", "max_tokens": 9, "messages": said("x")}
        found = raised(anthropic.APIStatusError, lambda: poor.messages.create(**asked))
        equal((found.status_code, found.body["error"]["type"]), (402, "billing_error"))
    with checks("timeout"):
        hasty = client.with_options(timeout=0.4)
        asked = {"model": "via-openai", "max_tokens": 9, "messages": said("Be slow.")}
        raised(anthropic.APITimeoutError, lambda: hasty.messages.create(**asked))
    with checks("asynchronous"):
        awaited(_asynchronous())


async def _asynchronous() -> None:
    async with anthropic.AsyncAnthropic(base_url=checks.address, api_key=checks.key, max_retries=0) as fast:
        asked: Any = {"max_tokens": 900, "messages": said("Capital of France?")}
        equal(text_of(await fast.messages.create(model="via-ollama", **asked)), PARIS)
        async with fast.messages.stream(model="via-openai", **asked) as stream:
            equal("".join([piece async for piece in stream.text_stream]), PARIS)


for each in checks.wires:
    on_every_wire(each, f"via-{each}")
at_the_gateway()
