"""Ollama's own interface against what its reference shows."""

import json
from typing import Any

import pytest
from streams import deltas_in, lines

from karkhana.domain.chat import (
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
)
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.wires.ollama import WIRE
from karkhana.routing.wires.wire import BadRequest

ASKED = Message(role=Role.USER, parts=(Text(text="hello"),))
PNG = b"\x89PNG\r\n\x1a\n"


def body_for(**fields: Any) -> dict[str, Any]:
    return WIRE.client.call(ChatRequest(**{"model": "qwen3", "messages": (ASKED,), **fields}), "").body


def test_a_whole_request() -> None:
    request = ChatRequest(
        model="qwen3",
        max_tokens=500,
        stop=("END",),
        temperature=0.0,
        seed=7,
        effort="high",
        stream=True,
        format=Format(schema={"type": "object"}),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
            Message(role=Role.USER, parts=(Text(text="look"), Image(media_type="image/png", data=b"\x00\x01"))),
            Message(
                role=Role.ASSISTANT,
                parts=(Reasoning(text="hm"), Text(text="I look."), ToolCall(id="c1", name="read", arguments="{oops")),
            ),
            Message(role=Role.USER, parts=(ToolResult(id="c1", parts=(Text(text="gone"),), failed=True),)),
        ),
        tools=(Tool(name="read", description="reads", parameters={"type": "object"}),),
    )
    path, headers, body = WIRE.client.call(request, "")
    assert path == "/api/chat"
    assert b"authorization" not in dict(headers)
    assert body == {
        "model": "qwen3",
        "stream": True,
        "format": {"type": "object"},
        "think": "high",
        "options": {"num_predict": 500, "temperature": 0.0, "seed": 7, "stop": ["END"]},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "look", "images": ["AAE="]},
            {
                "role": "assistant",
                "content": "I look.",
                "thinking": "hm",
                "tool_calls": [
                    {"id": "c1", "function": {"name": "read", "arguments": {"unreadable_arguments": "{oops"}}}
                ],
            },
            {"role": "tool", "content": "Error: gone", "tool_name": "read", "tool_call_id": "c1"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "read", "description": "reads", "parameters": {"type": "object"}},
            }
        ],
    }


@pytest.mark.parametrize(
    ("effort", "think"), [("none", False), ("auto", True), ("minimal", "low"), ("medium", "medium"), ("max", "high")]
)
def test_thinking(effort: str, think: Any) -> None:
    assert body_for(effort=effort)["think"] == think
    assert "think" not in body_for()


def test_what_would_not_be_what_was_asked_for_is_refused() -> None:
    tool = Tool(name="read")
    with pytest.raises(BadRequest, match="called"):
        body_for(tools=(tool,), tool_choice=ToolChoice(use=ToolUse.REQUIRED))
    with pytest.raises(BadRequest, match="address"):
        body_for(messages=(Message(role=Role.USER, parts=(Image(url="https://example.test/a.png"),)),))
    assert "tools" not in body_for(tools=(tool,), tool_choice=ToolChoice(use=ToolUse.NONE))


def test_a_request_of_a_client_is_read_with_all_it_says() -> None:
    found = WIRE.server.request(
        "/api/chat",
        {
            "model": "m",
            "format": "json",
            "think": True,
            "keep_alive": "5m",
            "options": {"num_predict": -1, "num_ctx": 4096, "stop": ["END"]},
            "tools": [{"type": "function", "function": {"name": "read"}}],
            "messages": [
                {"role": "user", "content": "look", "images": ["iVBORw0KGgo="]},
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {"function": {"name": "read", "arguments": {"n": 1}}},
                        {"function": {"name": "now", "arguments": {}}},
                    ],
                },
                {"role": "tool", "tool_name": "now", "content": "noon"},
                {"role": "tool", "tool_name": "read", "content": "text"},
            ],
        },
    )
    assert found == ChatRequest(
        model="m",
        stream=True,
        format=Format(),
        effort="auto",
        show_reasoning=True,
        stop=("END",),
        tools=(Tool(name="read"),),
        unknown=("options.num_ctx",),
        messages=(
            Message(role=Role.USER, parts=(Text(text="look"), Image(media_type="image/png", data=PNG))),
            Message(
                role=Role.ASSISTANT,
                parts=(
                    ToolCall(id="call_1_0", name="read", arguments='{"n":1}'),
                    ToolCall(id="call_1_1", name="now", arguments="{}"),
                ),
            ),
            Message(
                role=Role.USER,
                parts=(
                    ToolResult(id="call_1_1", name="now", parts=(Text(text="noon"),)),
                    ToolResult(id="call_1_0", name="read", parts=(Text(text="text"),)),
                ),
            ),
        ),
    )


def said(done: bool = False, **message: Any) -> dict[str, Any]:
    head = {"model": "qwen3", "created_at": "2026-01-01T00:00:00Z"}
    return head | {"message": {"role": "assistant", "content": "", **message}, "done": done}


LAST = said(done=True) | {"done_reason": "stop", "prompt_eval_count": 26, "eval_count": 98, "total_duration": 5}
CALL = {"id": "c1", "function": {"index": 0, "name": "read", "arguments": {"path": "a.py"}}}
STREAM = [
    said(thinking="Let me "),
    said(thinking="see é"),
    said(content="Look"),
    said(content="ing"),
    said(tool_calls=[CALL]),
    LAST,
]
ANSWER = ChatAnswer(
    model="qwen3",
    parts=(
        Reasoning(text="Let me see é"),
        Text(text="Looking"),
        ToolCall(id="c1", name="read", arguments='{"path":"a.py"}'),
    ),
    stop=StopReason.TOOL_CALLS,
    usage=Usage(input=26, output=98),
)


def test_a_whole_answer() -> None:
    message = {"role": "assistant", "thinking": "Let me see é", "content": "Looking", "tool_calls": [CALL]}
    assert WIRE.client.answer(LAST | {"message": message}) == ANSWER


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_stream(size: int) -> None:
    assert collected(deltas_in(WIRE, lines(STREAM), size)) == ANSWER


def test_a_stream_that_breaks_off_has_no_last_event() -> None:
    assert not any(isinstance(delta, Stopped) for delta in deltas_in(WIRE, lines(STREAM[:-1]), 64))
    with pytest.raises(ProviderFault, match="not done"):
        WIRE.client.answer(STREAM[2])


@pytest.mark.parametrize(
    ("reason", "stop"), [("stop", StopReason.END), ("length", StopReason.LENGTH), ("load", StopReason.END)]
)
def test_reasons_to_stop(reason: str, stop: StopReason) -> None:
    assert WIRE.client.answer(LAST | {"done_reason": reason}).stop is stop


def test_calls_without_identifiers_get_different_ones() -> None:
    call = {"function": {"name": "now", "arguments": {}}}
    first, second = WIRE.client.answer(said(done=True, tool_calls=[call, call])).calls
    assert first.id != second.id


@pytest.mark.parametrize(
    ("status", "message", "fault"),
    [
        (400, "invalid options", Fault.INVALID),
        (400, "the input exceeds the context length", Fault.TOO_LONG),
        (401, "unauthorized", Fault.UNAUTHORISED),
        (403, "cloud models are disabled", Fault.UNAUTHORISED),
        (404, 'model "m" not found, try pulling it first', Fault.UNKNOWN_MODEL),
        (429, "too many requests", Fault.RATE_LIMITED),
        (500, "an error was encountered while running the model", Fault.SERVER_ERROR),
        (502, "upstream error", Fault.SERVER_ERROR),
        (503, "server busy, please try again. maximum pending requests exceeded", Fault.OVERLOADED),
    ],
)
def test_errors(status: int, message: str, fault: Fault) -> None:
    found = WIRE.client.fault(status, [], json.dumps({"error": message}).encode())
    assert (found.fault, found.message) == (fault, message)


def test_an_error_within_a_stream() -> None:
    with pytest.raises(ProviderFault, match="running the model") as caught:
        deltas_in(WIRE, lines([STREAM[0], {"error": "an error was encountered while running the model"}]), 9)
    assert caught.value.fault is Fault.SERVER_ERROR
