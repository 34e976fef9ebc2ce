"""Anthropic's Messages against what its reference shows."""

import json
from typing import Any

import pytest
from streams import deltas_in, sent

from karkhana.domain.chat import (
    Cache,
    ChatAnswer,
    ChatRequest,
    Format,
    Image,
    Message,
    PartEnded,
    Reasoning,
    Role,
    Started,
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
from karkhana.routing.wires.anthropic import WIRE
from karkhana.routing.wires.wire import BadRequest

ASKED = Message(role=Role.USER, parts=(Text(text="hello"),))


def body_for(model: str = "claude-sonnet-4-5", **fields: Any) -> dict[str, Any]:
    request = ChatRequest(**{"model": model, "messages": (ASKED,), **fields})
    return WIRE.client.call(request, "secret").body


def test_a_whole_request() -> None:
    request = ChatRequest(
        model="claude-sonnet-4-5",
        max_tokens=500,
        stop=("END",),
        stream=True,
        user="u-1",
        temperature=0.5,
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief.", cache=Cache.LONG),)),
            Message(role=Role.USER, parts=(Text(text="look"), Image(media_type="image/png", data=b"\x00\x01"))),
            Message(
                role=Role.ASSISTANT,
                parts=(
                    Reasoning(text="hm", signature="anthropic:EqQB"),
                    Reasoning(hidden="anthropic:b64"),
                    Text(text="I read it."),
                    ToolCall(id="functions.read:0", name="read", arguments='{"path": "a.py"}'),
                ),
            ),
            Message(
                role=Role.USER,
                parts=(
                    Text(text="and then?"),
                    ToolResult(
                        id="functions.read:0",
                        failed=True,
                        cache=Cache.SHORT,
                        parts=(Text(text="gone"), Image(url="https://example.test/a.png")),
                    ),
                ),
            ),
        ),
        tools=(Tool(name="read", description="reads", parameters={"type": "object"}, strict=True, cache=Cache.SHORT),),
        tool_choice=ToolChoice(use=ToolUse.REQUIRED, name="read", parallel=False),
    )
    path, headers, body = WIRE.client.call(request, "secret")
    assert path == "/v1/messages"
    assert dict(headers)[b"x-api-key"] == b"secret"
    assert dict(headers)[b"anthropic-version"] == b"2023-06-01"
    assert body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 500,
        "stop_sequences": ["END"],
        "stream": True,
        "temperature": 0.5,
        "metadata": {"user_id": "u-1"},
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAE="}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                    {"type": "redacted_thinking", "data": "b64"},
                    {"type": "text", "text": "I read it."},
                    {"type": "tool_use", "id": "functions_read_0", "name": "read", "input": {"path": "a.py"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "functions_read_0",
                        "is_error": True,
                        "cache_control": {"type": "ephemeral"},
                        "content": [
                            {"type": "text", "text": "gone"},
                            {"type": "image", "source": {"type": "url", "url": "https://example.test/a.png"}},
                        ],
                    },
                    {"type": "text", "text": "and then?"},
                ],
            },
        ],
        "tools": [
            {
                "name": "read",
                "description": "reads",
                "input_schema": {"type": "object"},
                "strict": True,
                "cache_control": {"type": "ephemeral"},
            }
        ],
        "tool_choice": {"type": "tool", "name": "read", "disable_parallel_tool_use": True},
    }


def test_a_request_of_a_client_is_read_with_all_it_says() -> None:
    found = WIRE.server.request(
        "/v1/messages",
        {
            "model": "m",
            "max_tokens": 9,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "thinking": {"type": "enabled", "budget_tokens": 2048},
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
            "metadata": {"user_id": "u-1"},
            "tools": [
                {"name": "read", "input_schema": {"type": "object"}},
                {"type": "web_search_20260318", "name": "web_search"},
            ],
            "service_tier": "auto",
            "messages": [
                {"role": "user", "content": "hello"},
                {"role": "system", "content": "Now in French."},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                        {"type": "redacted_thinking", "data": "b64"},
                        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "é"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "gone", "is_error": True},
                        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "doc"}},
                    ],
                },
            ],
        },
    )
    assert found == ChatRequest(
        model="m",
        max_tokens=9,
        reasoning_tokens=2048,
        show_reasoning=True,
        user="u-1",
        format=Format(schema={"type": "object"}, strict=True),
        tools=(Tool(name="read", parameters={"type": "object"}),),
        unknown=("service_tier", "tools[1].type=web_search_20260318"),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief.", cache=Cache.LONG),)),
            Message(role=Role.USER, parts=(Text(text="hello"),)),
            Message(role=Role.SYSTEM, parts=(Text(text="Now in French."),)),
            Message(
                role=Role.ASSISTANT,
                parts=(
                    Reasoning(text="hm", signature="anthropic:EqQB"),
                    Reasoning(hidden="anthropic:b64"),
                    ToolCall(id="toolu_1", name="read", arguments='{"path":"é"}'),
                ),
            ),
            Message(
                role=Role.USER,
                parts=(ToolResult(id="toolu_1", parts=(Text(text="gone"),), failed=True), Text(text="doc")),
            ),
        ),
    )


def test_a_mark_of_the_whole_request_is_one_of_its_last_part() -> None:
    body = {"model": "m", "max_tokens": 9, "cache_control": {"type": "ephemeral"}}
    found = WIRE.server.request("", body | {"messages": [{"role": "user", "content": "hello"}]})
    assert found.messages[0].parts == (Text(text="hello", cache=Cache.SHORT),)


@pytest.mark.parametrize(
    ("part", "place"),
    [
        (
            {"type": "document", "source": {"type": "url", "url": "https://example.test/a.pdf"}},
            "messages[0].content[0]",
        ),
        ({"type": "image", "source": {"type": "base64", "data": "%%"}}, "messages[0].content[0].source.data"),
        ({"type": "tool_use", "id": "a", "name": "b", "input": "text"}, "messages[0].content[0].input"),
        ({"type": "text"}, "messages[0].content[0].text"),
    ],
)
def test_a_part_that_cannot_be_read_is_named(part: dict[str, Any], place: str) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [part]}]}
    with pytest.raises(BadRequest) as caught:
        WIRE.server.request("", body)
    assert caught.value.field == place


def test_a_whole_answer() -> None:
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
            {"type": "redacted_thinking", "data": "b64"},
            {"type": "text", "text": "I look."},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
            {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 7,
            "cache_read_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 12},
        },
    }
    answer = WIRE.client.answer(body)
    assert answer == ChatAnswer(
        id="msg_1",
        model="claude-sonnet-4-5",
        parts=(
            Reasoning(text="hm", signature="anthropic:EqQB"),
            Reasoning(hidden="anthropic:b64"),
            Text(text="I look."),
            ToolCall(id="toolu_1", name="now", arguments="{}"),
        ),
        stop=StopReason.TOOL_CALLS,
        usage=Usage(input=10, cache_read=5, cache_write=3, cache_write_long=4, output=20, reasoning=12),
    )
    written = WIRE.server.body(answer, ChatRequest(model="m", messages=(ASKED,)))
    assert written["content"] == [block for block in body["content"] if block["type"] != "server_tool_use"]
    assert written["usage"] == body["usage"]


EVENTS = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": "claude-opus-4-8",
            "stop_reason": None,
            "usage": {
                "input_tokens": 25,
                "cache_read_input_tokens": 4,
                "cache_creation_input_tokens": 6,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 6},
                "output_tokens": 1,
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Let me "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "see é"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQB"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "b64"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "Look"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "ing"}},
    {"type": "content_block_stop", "index": 2},
    {
        "type": "content_block_start",
        "index": 3,
        "content_block": {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    },
    {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "content_block_stop", "index": 3},
    {
        "type": "content_block_start",
        "index": 4,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}},
    },
    {"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": '{"path": "a'}},
    {"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": '.py"}'}},
    {"type": "content_block_stop", "index": 4},
    {
        "type": "content_block_start",
        "index": 5,
        "content_block": {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
    },
    {"type": "content_block_stop", "index": 5},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 9}},
    },
    {"type": "message_stop"},
]


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_stream(size: int) -> None:
    deltas = deltas_in(WIRE, sent(EVENTS), size)
    assert isinstance(deltas[0], Started)
    assert sum(isinstance(delta, PartEnded) for delta in deltas) == 5
    assert collected(deltas) == ChatAnswer(
        id="msg_1",
        model="claude-opus-4-8",
        parts=(
            Reasoning(text="Let me see é", signature="anthropic:EqQB"),
            Reasoning(hidden="anthropic:b64"),
            Text(text="Looking"),
            ToolCall(id="toolu_1", name="read", arguments='{"path": "a.py"}'),
            ToolCall(id="toolu_2", name="now", arguments="{}"),
        ),
        stop=StopReason.TOOL_CALLS,
        usage=Usage(input=25, cache_read=4, cache_write_long=6, output=30, reasoning=9),
    )


def test_a_stream_that_breaks_off_has_no_last_event() -> None:
    deltas = deltas_in(WIRE, sent(EVENTS[:-2]), 64)
    assert not any(isinstance(delta, Stopped) for delta in deltas)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", StopReason.END),
        ("max_tokens", StopReason.LENGTH),
        ("model_context_window_exceeded", StopReason.LENGTH),
        ("stop_sequence", StopReason.STOP_SEQUENCE),
        ("pause_turn", StopReason.PAUSED),
        ("refusal", StopReason.REFUSED),
        ("a_new_one", StopReason.END),
    ],
)
def test_reasons_to_stop(reason: str, stop: StopReason) -> None:
    body = {"content": [], "stop_reason": reason, "stop_sequence": "END" if reason == "stop_sequence" else None}
    answer = WIRE.client.answer(body)
    assert answer.stop is stop
    if reason not in ("a_new_one", "model_context_window_exceeded"):
        written = WIRE.server.body(answer, ChatRequest(model="m", messages=(ASKED,)))
        assert (written["stop_reason"], written["stop_sequence"]) == (reason, body["stop_sequence"])


@pytest.mark.parametrize(
    ("status", "kind", "message", "fault"),
    [
        (400, "invalid_request_error", "max_tokens: Field required", Fault.INVALID),
        (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum", Fault.TOO_LONG),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", Fault.QUOTA),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", Fault.QUOTA),
        (401, "authentication_error", "invalid x-api-key", Fault.UNAUTHORISED),
        (402, "billing_error", "payment is due", Fault.QUOTA),
        (403, "permission_error", "not allowed", Fault.UNAUTHORISED),
        (404, "not_found_error", "model: claude-0", Fault.UNKNOWN_MODEL),
        (413, "request_too_large", "Request exceeds the maximum size", Fault.TOO_LONG),
        (429, "rate_limit_error", "too many", Fault.RATE_LIMITED),
        (500, "api_error", "Internal server error", Fault.SERVER_ERROR),
        (504, "timeout_error", "took too long", Fault.TIMEOUT),
        (529, "overloaded_error", "Overloaded", Fault.OVERLOADED),
    ],
)
def test_errors(status: int, kind: str, message: str, fault: Fault) -> None:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    found = WIRE.client.fault(status, [(b"retry-after", b"3")], json.dumps(body).encode())
    assert (found.fault, found.message, found.status, found.retry_after_s) == (fault, message, status, 3.0)
    within = deltas_fault(body)
    assert within.fault is fault


def deltas_fault(body: dict[str, Any]) -> ProviderFault:
    with pytest.raises(ProviderFault) as caught:
        deltas_in(WIRE, sent([EVENTS[0], body]), 10)
    return caught.value


def test_what_is_no_json_is_told_as_it_is() -> None:
    found = WIRE.client.fault(502, [], b"<html>bad gateway</html>")
    assert (found.fault, found.message) == (Fault.SERVER_ERROR, "<html>bad gateway</html>")
    assert WIRE.client.fault(502, [], b"").message == "status 502 without a body"


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("claude-sonnet-4-5", {"effort": "high", "max_tokens": 50_000}, {"type": "enabled", "budget_tokens": 24_576}),
        ("claude-sonnet-4-5", {"effort": "high", "max_tokens": 4000}, {"type": "enabled", "budget_tokens": 3999}),
        ("claude-sonnet-4-5", {"effort": "high", "max_tokens": 900}, None),
        ("claude-sonnet-4-5", {"effort": "none"}, None),
        (
            "claude-sonnet-4-5",
            {"reasoning_tokens": 5000, "max_tokens": 9000},
            {"type": "enabled", "budget_tokens": 5000},
        ),
        ("claude-opus-4-8", {"effort": "high"}, {"type": "adaptive"}),
        ("claude-opus-4-8", {"reasoning_tokens": 5000}, {"type": "adaptive"}),
        ("claude-opus-4-8", {"effort": "low", "show_reasoning": True}, {"type": "adaptive", "display": "summarized"}),
        ("claude-opus-4-8", {"effort": "none"}, {"type": "disabled"}),
        ("claude-opus-4-8", {}, None),
    ],
)
def test_thinking_is_asked_for_as_the_generation_wants_it(model: str, fields: dict[str, Any], expected: Any) -> None:
    assert body_for(model, **fields).get("thinking") == expected


def test_an_effort_is_said_beside_adaptive_thinking() -> None:
    assert body_for("claude-opus-4-8", effort="minimal")["output_config"] == {"effort": "low"}
    assert body_for("claude-sonnet-4-6", effort="xhigh")["output_config"] == {"effort": "high"}
    assert "output_config" not in body_for("claude-sonnet-5", effort="auto")


def test_a_budget_is_added_to_the_limit_that_nobody_named() -> None:
    assert body_for(reasoning_tokens=2000)["max_tokens"] == 8192 + 2000


def test_no_thinking_where_it_is_refused() -> None:
    tool = Tool(name="read")
    forced = ToolChoice(use=ToolUse.REQUIRED)
    assert "thinking" not in body_for(effort="high", tools=(tool,), tool_choice=forced)
    assert "thinking" not in body_for("claude-opus-4-8", effort="high", tools=(tool,), tool_choice=forced)
    call = ToolCall(id="a", name="read", arguments="{}")
    result = Message(role=Role.USER, parts=(ToolResult(id="a", parts=()),))
    foreign = (ASKED, Message(role=Role.ASSISTANT, parts=(Reasoning(signature="gemini:x"), call)), result)
    assert "thinking" not in body_for(effort="high", messages=foreign)
    own = (ASKED, Message(role=Role.ASSISTANT, parts=(Reasoning(signature="anthropic:x"), call)), result)
    assert "thinking" in body_for(effort="high", messages=own)
    assert "thinking" in body_for(effort="high", messages=(*foreign, ASKED))


def test_sampling_by_generation() -> None:
    wanted = {"temperature": 1.5, "top_p": 0.9, "top_k": 5}

    def said(model: str, **fields: Any) -> dict[str, Any]:
        return {name: value for name, value in body_for(model, **wanted, **fields).items() if name in wanted}

    assert said("claude-3-7-sonnet-20250219") == {"temperature": 1.0, "top_p": 0.9, "top_k": 5}
    assert said("claude-opus-4-1-20250805") == {"temperature": 1.0, "top_k": 5}
    assert said("claude-opus-4-8") == said("claude-sonnet-4-5", effort="high") == {}


def test_json_without_a_schema_is_asked_of_the_model() -> None:
    body = body_for(format=Format())
    assert "output_config" not in body
    assert "JSON" in body["system"][-1]["text"]


def test_a_schema_is_closed_and_its_limits_are_told() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "description": "how many"}, "minimum": {"oneOf": [{}]}},
    }
    found = body_for(format=Format(schema=schema))["output_config"]["format"]
    assert found == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"n": {"type": "integer", "description": "how many; minimum: 1"}, "minimum": {"anyOf": [{}]}},
            "additionalProperties": False,
        },
    }


def test_the_older_field_for_a_schema_is_still_read() -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    found = WIRE.server.request("", body | {"output_format": {"type": "json_schema", "schema": {"type": "object"}}})
    assert found.format == Format(schema={"type": "object"}, strict=True)


def test_empty_texts_and_messages_are_not_sent() -> None:
    messages = (ASKED, Message(role=Role.ASSISTANT, parts=(Text(text=""),)), ASKED)
    assert [message["role"] for message in body_for(messages=messages)["messages"]] == ["user", "user"]


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_a_thread_is_refused_so_that_the_library_sends_the_whole_conversation(thread: dict[str, str]) -> None:
    asked = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}], "thread": thread}
    with pytest.raises(BadRequest, match="whole conversation") as caught:
        WIRE.server.request("", asked)
    status, body = WIRE.server.refusal(ProviderFault(Fault.INVALID, caught.value.message, code=caught.value.code))
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    assert body["error"]["details"] == {"error_code": "thread_unsupported_request"}


def test_other_refusals_have_no_details() -> None:
    assert "details" not in WIRE.server.refusal(ProviderFault(Fault.INVALID, "x", code="y"))[1]["error"]


@pytest.mark.parametrize("code", ["thread_unsupported_request", "thread_not_found", "thread_already_continued"])
def test_what_a_provider_says_of_a_thread_reaches_the_client(code: str) -> None:
    error = {"type": "invalid_request_error", "message": "x", "details": {"error_code": code}}
    found = WIRE.client.fault(400, [], json.dumps({"type": "error", "error": error}).encode())
    assert found.fault is Fault.INVALID
    assert WIRE.server.refusal(found) == (400, {"type": "error", "error": error})


@pytest.mark.parametrize(
    "details", ["thread_x", {"error_code": 7}, {"error_code": "thread_<b>"}, {"error_code": "key"}]
)
def test_other_details_are_kept_to_ourselves(details: Any) -> None:
    error = {"type": "invalid_request_error", "message": "x", "details": details}
    found = WIRE.client.fault(400, [], json.dumps({"type": "error", "error": error}).encode())
    assert "details" not in WIRE.server.refusal(found)[1]["error"]
