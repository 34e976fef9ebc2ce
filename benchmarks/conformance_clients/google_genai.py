"""generateContent by Google's own library."""

import base64
import time
from typing import Any

from checks import FITTING, IMAGE, IMAGE_TOKENS, PARIS, RESULT, SCHEMA, SYSTEM, Checks, awaited, equal, raised, tokens
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

checks = Checks({"google-genai": genai.__version__})
WEATHER = types.FunctionDeclaration(name="get_weather", description="Weather.", parameters_json_schema=SCHEMA)
TOOLS: Any = [types.Tool(function_declarations=[WEATHER])]
NOT_BY_ITSELF = types.AutomaticFunctionCallingConfig(disable=True)


def library(key: str, **options: Any) -> Any:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=checks.address, **options))


client = library(checks.key)


class Row(BaseModel):
    """What is asked for as JSON."""

    name: str
    size: int


def ask(model: str, text: Any = "Capital of France?", at: Any = client, **config: Any) -> Any:
    return at.models.generate_content(
        model=model, contents=text, config=types.GenerateContentConfig(**config) if config else None
    )


def streamed(model: str, text: str, **config: Any) -> list[Any]:
    chunks = client.models.generate_content_stream(
        model=model, contents=text, config=types.GenerateContentConfig(**config)
    )
    return list(chunks)


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk.text or "" for chunk in chunks)


def user(text: str) -> Any:
    return types.Content(role="user", parts=[types.Part(text=text)])


def with_tools(**others: Any) -> dict[str, Any]:
    return {"tools": TOOLS, "automatic_function_calling": NOT_BY_ITSELF, **others}


def on_every_wire(wire: str, model: str) -> None:
    with checks("chat", wire):
        found = ask(model)
        equal((found.text, found.candidates[0].finish_reason), (PARIS, types.FinishReason.STOP))
        usage = found.usage_metadata
        equal(usage.total_token_count, usage.prompt_token_count + usage.candidates_token_count)
    with checks("turns", wire):
        chat = client.chats.create(model=model)
        equal(chat.send_message("Capital of France?").text, PARIS)
        equal(chat.send_message("And of Italy?").text, "Rome.")
    with checks("system", wire):
        plain = ask(model, "x").usage_metadata.prompt_token_count
        found = ask(model, "x", system_instruction=SYSTEM).usage_metadata.prompt_token_count
        equal(found - plain, 3 + tokens(SYSTEM))
    with checks("stream", wire):
        chunks = streamed(model, "Capital of France?")
        equal(text_of(chunks), PARIS)
        assert len(chunks) > 2
        equal(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP)
    with checks("usage in a stream", wire):
        equal(streamed(model, "Capital of France?")[-1].usage_metadata.candidates_token_count, tokens(PARIS))
    with checks("usage", wire):
        usage = ask(model, "Use the cache.").usage_metadata
        equal((usage.prompt_token_count, usage.total_token_count), (1000, 1050))
        if wire != "ollama":
            equal((usage.cached_content_token_count, usage.thoughts_token_count), (900, 20))
    with checks("tool call", wire):
        found = ask(model, "Weather in Pune?", **with_tools())
        call = found.function_calls[0]
        equal((call.name, call.args), ("get_weather", {"city": "Pune", "days": 2}))
        equal(found.candidates[0].content.parts[0].text, "I look.")
    with checks("tool result", wire):
        equal(_rounds(model, RESULT) - _rounds(model, "rain"), tokens(RESULT) - 1)
    with checks("tool called by the library", wire):
        _by_itself(model)
    with checks("calls at once", wire):
        found = ask(model, "Weather in both?", **with_tools())
        equal([call.args["city"] for call in found.function_calls], ["Pune", "Oslo"])
    with checks("tool call in a stream", wire):
        chunks = streamed(model, "Weather in both?", **with_tools())
        calls = [call for chunk in chunks for call in chunk.function_calls or []]
        equal([call.args["city"] for call in calls], ["Pune", "Oslo"])
    with checks("forced call", wire):
        mode = types.FunctionCallingConfig(mode="ANY", allowed_function_names=["get_weather"])
        forced = with_tools(tool_config=types.ToolConfig(function_calling_config=mode))
        if wire == "ollama":
            equal(raised(errors.ClientError, lambda: ask(model, "x", **forced)).code, 400)
        else:
            equal([call.args for call in ask(model, "x", **forced).function_calls], [FITTING])
    with checks("JSON by schema", wire):
        found = ask(model, "Make a row.", response_mime_type="application/json", response_schema=Row)
        equal(found.parsed, Row(name="text", size=1))
    with checks("image", wire):
        image = types.Part.from_bytes(data=base64.b64decode(IMAGE), mime_type="image/png")
        equal(ask(model, ["x", image]).usage_metadata.prompt_token_count, 3 + 1 + IMAGE_TOKENS)
    with checks("limit of tokens", wire):
        found = ask(model, max_output_tokens=2)
        equal((found.text, found.candidates[0].finish_reason), (PARIS[:8], types.FinishReason.MAX_TOKENS))
    with checks("reasoning", wire):
        found = ask(model, "Think first.", thinking_config=types.ThinkingConfig(include_thoughts=True))
        parts = [(bool(part.thought), part.text) for part in found.candidates[0].content.parts]
        equal(parts, [(True, "Let me see."), (False, "Done.")])
    with checks("refusal", wire):
        found = ask(model, "Say no.").candidates[0].finish_reason
        equal(found.name, {"ollama": "STOP"}.get(wire, "SAFETY"))
    with checks("stop sequence", wire):
        if wire == "openai_responses":
            assert "stop" in raised(errors.ClientError, lambda: ask(model, stop_sequences=["zzz"])).message
        else:
            equal(ask(model, stop_sequences=["zzz"]).candidates[0].finish_reason, types.FinishReason.STOP)
    with checks("broken stream", wire):
        _broken(model)
    with checks("too long", wire):
        assert raised(errors.ClientError, lambda: ask(model, "Much too long.")).code in (400, 413)
    with checks("forbidden", wire):
        equal(raised(errors.ClientError, lambda: ask(model, "Forbidden.")).code, 400)


def _broken(model: str) -> None:
    """The library raises; the answer must not look whole."""
    raised(Exception, lambda: streamed(model, "Break off " + "x" * 200))


def _rounds(model: str, result: str) -> int:
    """Tokens of the second prompt, after the result of the first answer's call."""
    first = ask(model, "Weather in Pune?", **with_tools())
    told = types.Part.from_function_response(name="get_weather", response={"result": result})
    contents = [user("Weather in Pune?"), first.candidates[0].content, types.Content(role="user", parts=[told])]
    second = ask(model, contents, **with_tools())
    equal(second.text, "It rains.")
    return int(second.usage_metadata.prompt_token_count)


def _by_itself(model: str) -> None:
    asked = []

    def get_weather(city: str, days: int = 1) -> str:
        """Weather of a city."""
        asked.append((city, days))
        return "rain"

    equal(ask(model, "Weather in Pune?", tools=[get_weather]).text, "It rains.")
    equal(asked, [("Pune", 2)])


def at_the_gateway() -> None:
    with checks("models"):
        names = [model.name for model in client.models.list()]
        assert {"models/via-openai", "models/via-gemini"} <= set(names), names
        equal(client.models.get(model="via-openai").display_name, "via-openai")
    with checks("PROVIDER/MODEL as a name"):
        equal(ask("anthropic/large").text, PARIS)
    with checks("cost and route"):
        found = ask("via-openai", "Use the cache.")
        headers = found.sdk_http_response.headers
        equal((headers["x-karkhana-cost-usd"], headers["x-karkhana-route"]), ("0.00132", "openai/large"))
    with checks("wrong key"):
        found = raised(errors.ClientError, lambda: ask("via-openai", "x", library("kk_wrong")))
        equal((found.code, found.status), (401, "UNAUTHENTICATED"))
    with checks("unknown model"):
        found = raised(errors.ClientError, lambda: ask("nobody"))
        equal((found.code, found.status), (404, "NOT_FOUND"))
    with checks("wrong request"):
        parts = [types.Part.from_bytes(data=b"x", mime_type="audio/wav")]
        found = raised(errors.ClientError, lambda: ask("via-openai", parts))
        assert "audio/wav" in found.message, found.message
    with checks("rate limit"):
        ask("via-openai", "Use a lot.", library(checks.given["metered"]))
        found = raised(errors.ClientError, lambda: ask("via-openai", "x" * 2000, library(checks.given["metered"])))
        equal((found.code, found.status), (429, "RESOURCE_EXHAUSTED"))
        assert 1 <= int(found.response.headers["retry-after"]) <= 10
    with checks("rate limit, asked again"):
        patient = library(checks.given["metered"], retry_options=types.HttpRetryOptions(attempts=5, initial_delay=1.0))
        began = time.monotonic()
        equal(ask("via-openai", "y" * 3000, patient).text, "y" * 3000)
        assert time.monotonic() - began > 0.4
    with checks("failover"):
        found = ask("failover")
        equal((found.text, found.sdk_http_response.headers["x-karkhana-route"]), (PARIS, "anthropic/large"))
    with checks("server error"):
        assert raised(errors.ServerError, lambda: ask("broken")).code in (500, 503)
    with checks("budget"):
        found = raised(errors.ClientError, lambda: ask("via-openai", "x", library(checks.given["poor"])))
        equal(found.code, 402)
        assert "raise the limit" in found.message, found.message
    with checks("timeout"):
        hasty = library(checks.key, timeout=400)
        found = raised(Exception, lambda: ask("via-openai", "Be slow.", hasty))
        assert "Timeout" in type(found).__name__, found
    with checks("asynchronous"):
        awaited(_asynchronous())


async def _asynchronous() -> None:
    found = await client.aio.models.generate_content(model="via-anthropic", contents="Capital of France?")
    equal(found.text, PARIS)
    stream = await client.aio.models.generate_content_stream(model="via-openai", contents="Capital of France?")
    equal(text_of([chunk async for chunk in stream]), PARIS)


for each in checks.wires:
    on_every_wire(each, f"via-{each}")
at_the_gateway()
