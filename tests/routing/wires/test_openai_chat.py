"""OpenAI's Chat Completions against what its reference shows, and what compatible servers do to it."""

import json
from typing import Any

import pytest
from streams import chunks, deltas_in

from karkhana.domain.chat import (
    Cache,
    ChatAnswer,
    ChatRequest,
    Format,
    Image,
    Message,
    Reasoning,
    Role,
    Stopped,
    StopReason,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolUse,
    Usage,
    collected,
    deltas_of,
)
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.wires.openai_chat import WIRE
from karkhana.routing.wires.wire import BadRequest

ASKED = Message(role=Role.USER, parts=(Text(text="hello"),))


def body_for(model: str = "gpt-4.1", **fields: Any) -> dict[str, Any]:
    return WIRE.client.call(ChatRequest(**{"model": model, "messages": (ASKED,), **fields}), "secret").body


def test_a_whole_request() -> None:
    request = ChatRequest(
        model="gpt-5.6",
        max_tokens=500,
        stop=("END",),
        stream=True,
        seed=7,
        user="u-1",
        cache_key="k",
        reasoning_tokens=9000,
        format=Format(schema={"type": "object"}, name="row", strict=True),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief.", cache=Cache.SHORT),)),
            Message(role=Role.USER, name="ada", parts=(Text(text="look"), Image(media_type="image/png", data=b"\x00"))),
            Message(role=Role.ASSISTANT, parts=(Reasoning(text="hm", signature="anthropic:EqQB"),)),
            Message(
                role=Role.ASSISTANT,
                parts=(ToolCall(id="c1", name="read", arguments='{"path": ', signature="gemini:UFJPT0Y="),),
            ),
            Message(
                role=Role.USER,
                parts=(
                    Text(text="and?"),
                    ToolResult(id="c1", parts=(Text(text="gone"), Image(url="https://e.test/a.png")), failed=True),
                ),
            ),
        ),
        tools=(Tool(name="read", description="reads", parameters={"type": "object"}, strict=True),),
        tool_choice=ToolChoice(use=ToolUse.REQUIRED, name="read", parallel=False),
    )
    path, headers, body = WIRE.client.call(request, "secret")
    assert path == "/chat/completions"
    assert dict(headers)[b"authorization"] == b"Bearer secret"
    assert body == {
        "model": "gpt-5.6",
        "max_completion_tokens": 500,
        "reasoning_effort": "medium",
        "stop": ["END"],
        "seed": 7,
        "user": "u-1",
        "prompt_cache_key": "k",
        "stream": True,
        "stream_options": {"include_usage": True},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "row", "schema": {"type": "object"}, "strict": True},
        },
        "messages": [
            {
                "role": "system",
                "content": [
                    {"type": "text", "text": "Be brief.", "prompt_cache_breakpoint": {"mode": "explicit"}},
                ],
            },
            {
                "role": "user",
                "name": "ada",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "read", "arguments": '{"path": '},
                        "extra_content": {"google": {"thought_signature": "UFJPT0Y="}},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "Error: gone"},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "https://e.test/a.png"}},
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "read",
                    "description": "reads",
                    "parameters": {"type": "object"},
                    "strict": True,
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "read"}},
        "parallel_tool_calls": False,
    }


@pytest.mark.parametrize(
    ("model", "fields", "name"),
    [
        ("gpt-4.1", {}, "max_tokens"),
        ("qwen2.5-coder", {}, "max_tokens"),
        ("gpt-oss-20b", {"effort": "low"}, "max_completion_tokens"),
        ("o3-mini", {}, "max_completion_tokens"),
        ("openai/gpt-5.1", {}, "max_completion_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_model_takes(model: str, fields: dict[str, Any], name: str) -> None:
    body = body_for(model, max_tokens=5, **fields)
    assert {key for key in body if key.startswith("max")} == {name}


def test_as_much_reasoning_as_the_model_finds_good_is_not_said() -> None:
    assert "reasoning_effort" not in body_for("gpt-5", effort="auto")


def test_a_request_of_a_client_is_read_with_all_it_says() -> None:
    found = WIRE.server.request(
        "/v1/chat/completions",
        {
            "model": "m",
            "max_completion_tokens": 9,
            "stop": "END",
            "response_format": {"type": "json_object"},
            "stream": True,
            "stream_options": {"include_usage": True},
            "safety_identifier": "u-1",
            "prompt_cache_key": "k",
            "logit_bias": {},
            "messages": [
                {
                    "role": "developer",
                    "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "text",
                            "text": "look",
                            "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
                        },
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "hm",
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "read", "arguments": "{}"},
                            "extra_content": {"google": {"thought_signature": "UFJPT0Y="}},
                        },
                        {"id": "c2", "type": "function", "function": {"name": "now", "arguments": ""}},
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "one"},
                {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
                {"role": "user", "content": "and?"},
            ],
        },
    )
    assert found == ChatRequest(
        model="m",
        max_tokens=9,
        stop=("END",),
        format=Format(),
        stream=True,
        user="u-1",
        cache_key="k",
        unknown=("logit_bias",),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief.", cache=Cache.SHORT),)),
            Message(
                role=Role.USER,
                parts=(Text(text="look", cache=Cache.LONG), Image(media_type="image/png", data=b"\x00")),
            ),
            Message(
                role=Role.ASSISTANT,
                parts=(
                    Reasoning(text="hm"),
                    ToolCall(id="c1", name="read", arguments="{}", signature="gemini:UFJPT0Y="),
                    ToolCall(id="c2", name="now", arguments=""),
                ),
            ),
            Message(
                role=Role.USER,
                parts=(ToolResult(id="c1", parts=(Text(text="one"),)), ToolResult(id="c2", parts=(Text(text="two"),))),
            ),
            Message(role=Role.USER, parts=(Text(text="and?"),)),
        ),
    )


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"n": 2}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0]"),
        ({"tools": [{"type": "custom"}]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"response_format": {"type": "xml"}}, "response_format"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        WIRE.server.request("", {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields})
    assert caught.value.field == place


def choice(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4.1"}
    return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def call(index: int, **fields: Any) -> dict[str, Any]:
    return {"index": index, "function": fields.pop("function"), **fields}


USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 25,
    "total_tokens": 125,
    "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 9},
}
STREAM = [
    choice(role="assistant", content=""),
    choice(reasoning_content="Let me "),
    choice(reasoning_content="see é"),
    choice(content="Look"),
    choice(content="ing"),
    choice(tool_calls=[call(0, id="c1", type="function", function={"name": "read", "arguments": ""})]),
    choice(tool_calls=[call(0, function={"arguments": '{"path": "a'})]),
    choice(tool_calls=[call(0, function={"arguments": '.py"}'})]),
    choice(tool_calls=[call(1, id="c2", type="function", function={"name": "now", "arguments": "{}"})]),
    choice("tool_calls"),
    choice() | {"choices": [], "usage": USAGE},
]
ANSWER = ChatAnswer(
    id="chatcmpl-1",
    model="gpt-4.1",
    parts=(
        Reasoning(text="Let me see é"),
        Text(text="Looking"),
        ToolCall(id="c1", name="read", arguments='{"path": "a.py"}'),
        ToolCall(id="c2", name="now", arguments="{}"),
    ),
    stop=StopReason.TOOL_CALLS,
    usage=Usage(input=30, cache_read=40, cache_write=30, output=25, reasoning=9),
)


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
@pytest.mark.parametrize("last", ["data: [DONE]\n\n", ""])
def test_a_stream(size: int, last: str) -> None:
    assert collected(deltas_in(WIRE, chunks(STREAM, last), size)) == ANSWER


def test_a_stream_that_breaks_off_has_no_last_event() -> None:
    assert not any(isinstance(delta, Stopped) for delta in deltas_in(WIRE, chunks(STREAM[:-2]), 64))


def test_compatible_servers_send_calls_whole_without_index_and_say_stop() -> None:
    calls = [{"id": f"c{n}", "function": {"name": "now", "arguments": f'{{"n":{n}}}'}} for n in (1, 2)]
    answer = collected(
        deltas_in(WIRE, chunks([choice(tool_calls=[calls[0]]), choice("stop", tool_calls=[calls[1]])]), 9)
    )
    assert [(each.id, each.arguments) for each in answer.calls] == [("c1", '{"n":1}'), ("c2", '{"n":2}')]
    assert answer.stop is StopReason.TOOL_CALLS


def test_a_whole_answer() -> None:
    writer = WIRE.server.body(ANSWER, ChatRequest(model="m", messages=(ASKED,)))
    assert writer["usage"] == USAGE
    message = writer["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Looking", "Let me see é")
    assert WIRE.client.answer(writer) == ANSWER


def test_a_refusal_is_told_as_one() -> None:
    message = {"role": "assistant", "content": None, "refusal": "I will not."}
    answer = WIRE.client.answer({"choices": [{"message": message, "finish_reason": "stop"}]})
    assert (answer.text, answer.stop) == ("I will not.", StopReason.REFUSED)
    streamed = collected(deltas_in(WIRE, chunks([choice(refusal="I will "), choice("stop", refusal="not.")]), 9))
    assert (streamed.text, streamed.stop) == ("I will not.", StopReason.REFUSED)


def test_a_client_that_did_not_ask_for_usage_gets_none_in_a_stream() -> None:
    for wanted in (True, False):
        writer = WIRE.server.writer(ChatRequest(model="m", messages=(ASKED,), stream=True, stream_usage=wanted))
        data = b"".join(map(writer.write, deltas_of(ANSWER)))
        assert (b'"usage"' in data) is wanted
        assert data.endswith(b"data: [DONE]\n\n")


def test_googles_proof_of_a_call_comes_back() -> None:
    proven = ToolCall(id="c1", name="read", arguments="{}", signature="gemini:UFJPT0Y=")
    answer = ChatAnswer(id="a", model="m", parts=(proven,), stop=StopReason.TOOL_CALLS)
    request = ChatRequest(model="m", messages=(ASKED,))
    assert WIRE.client.answer(WIRE.server.body(answer, request)) == answer
    writer = WIRE.server.writer(request)
    assert collected(deltas_in(WIRE, b"".join(map(writer.write, deltas_of(answer))), 9)) == answer


@pytest.mark.parametrize(
    ("status", "error", "fault"),
    [
        (400, {"type": "invalid_request_error", "message": "bad field"}, Fault.INVALID),
        (400, {"code": "context_length_exceeded", "message": "too long"}, Fault.TOO_LONG),
        (400, {"message": "This model's maximum context length is 8192 tokens."}, Fault.TOO_LONG),
        (400, {"code": "content_policy_violation", "message": "no"}, Fault.REFUSED),
        (401, {"code": "invalid_api_key", "message": "Incorrect API key provided"}, Fault.UNAUTHORISED),
        (403, {"message": "country not supported"}, Fault.UNAUTHORISED),
        (404, {"code": "model_not_found", "message": "The model does not exist"}, Fault.UNKNOWN_MODEL),
        (429, {"code": "rate_limit_exceeded", "message": "Rate limit reached"}, Fault.RATE_LIMITED),
        (429, {"code": "insufficient_quota", "message": "You exceeded your current quota"}, Fault.QUOTA),
        (500, {"type": "server_error", "message": "oh"}, Fault.SERVER_ERROR),
        (503, {"message": "The engine is currently overloaded"}, Fault.OVERLOADED),
    ],
)
def test_errors(status: int, error: dict[str, Any], fault: Fault) -> None:
    found = WIRE.client.fault(status, [(b"Retry-After-Ms", b"1500")], json.dumps({"error": error}).encode())
    assert (found.fault, found.message, found.retry_after_s) == (fault, error["message"], 1.5)


def test_an_error_within_a_stream() -> None:
    error = {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}
    with pytest.raises(ProviderFault, match="slow down") as caught:
        deltas_in(WIRE, chunks([STREAM[0], error]), 9)
    assert caught.value.fault is Fault.RATE_LIMITED
