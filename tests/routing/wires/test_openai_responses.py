"""OpenAI's Responses against what its reference shows."""

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
    deltas_of,
)
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.wires.openai_responses import WIRE
from karkhana.routing.wires.wire import BadRequest

ASKED = Message(role=Role.USER, parts=(Text(text="hello"),))
PROOF = "openai_responses:rs_1:gAAA"


def body_for(model: str = "gpt-4.1", **fields: Any) -> dict[str, Any]:
    return WIRE.client.call(ChatRequest(**{"model": model, "messages": (ASKED,), **fields}), "secret").body


def test_a_whole_request() -> None:
    request = ChatRequest(
        model="gpt-5.6-sol",
        max_tokens=500,
        stream=True,
        effort="low",
        show_reasoning=True,
        user="u-1",
        cache_key="k",
        format=Format(schema={"type": "object"}, name="row", strict=True, description="a row"),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
            Message(
                role=Role.USER,
                parts=(Text(text="look", cache=Cache.LONG), Image(media_type="image/png", data=b"\x00\x01")),
            ),
            Message(
                role=Role.ASSISTANT,
                parts=(
                    Reasoning(text="hm", signature=PROOF),
                    Reasoning(text="hm", signature="anthropic:EqQB"),
                    Text(text="I look."),
                    ToolCall(id="c1", name="read", arguments='{"path": "a.py"'),
                ),
            ),
            Message(
                role=Role.USER,
                parts=(
                    ToolResult(id="c1", parts=(Text(text="gone"),), failed=True),
                    ToolResult(id="c2", parts=(Text(text="see"), Image(url="https://example.test/a.png"))),
                    Text(text="and?"),
                ),
            ),
        ),
        tools=(Tool(name="read", description="reads", parameters={"type": "object"}),),
        tool_choice=ToolChoice(use=ToolUse.REQUIRED, name="read", parallel=False),
    )
    path, headers, body = WIRE.client.call(request, "secret")
    assert path == "/responses"
    assert dict(headers)[b"authorization"] == b"Bearer secret"
    assert body == {
        "model": "gpt-5.6-sol",
        "stream": True,
        "store": False,
        "instructions": "Be brief.",
        "max_output_tokens": 500,
        "user": "u-1",
        "prompt_cache_key": "k",
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "text": {
            "format": {
                "type": "json_schema",
                "name": "row",
                "schema": {"type": "object"},
                "strict": True,
                "description": "a row",
            }
        },
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {
                        "type": "input_text",
                        "text": "look",
                        "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
                    },
                    {"type": "input_image", "image_url": "data:image/png;base64,AAE=", "detail": "auto"},
                ],
            },
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "gAAA",
            },
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "c1", "name": "read", "arguments": '{"path": "a.py"'},
            {"type": "function_call_output", "call_id": "c1", "output": "Error: gone"},
            {
                "type": "function_call_output",
                "call_id": "c2",
                "output": [
                    {"type": "input_text", "text": "see"},
                    {"type": "input_image", "image_url": "https://example.test/a.png", "detail": "auto"},
                ],
            },
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and?"}]},
        ],
        "tools": [
            {
                "type": "function",
                "name": "read",
                "description": "reads",
                "parameters": {"type": "object"},
                "strict": False,
            }
        ],
        "tool_choice": {"type": "function", "name": "read"},
        "parallel_tool_calls": False,
    }


def test_what_only_reasoning_models_take_is_not_sent_to_others() -> None:
    body = body_for(messages=(Message(role=Role.USER, parts=(Text(text="x", cache=Cache.SHORT),)),))
    assert not {"include", "reasoning"} & set(body)
    assert "prompt_cache_breakpoint" not in json.dumps(body)


def test_a_marked_instruction_is_an_item_for_its_mark() -> None:
    system = Message(role=Role.SYSTEM, parts=(Text(text="Be brief.", cache=Cache.SHORT),))
    body = body_for("gpt-5.6-sol", messages=(system, ASKED))
    assert "instructions" not in body
    assert body["input"][0]["role"] == "system"
    assert WIRE.server.request("", body).messages[0] == system


def test_a_sequence_to_stop_at_is_refused() -> None:
    with pytest.raises(BadRequest, match="stop"):
        body_for(stop=("END",))


def test_a_request_of_a_client_is_read_with_all_it_says() -> None:
    found = WIRE.server.request(
        "/v1/responses",
        {
            "model": "m",
            "instructions": "Be brief.",
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "reasoning": {"effort": "xhigh", "summary": "auto"},
            "text": {"format": {"type": "json_object"}, "verbosity": "low"},
            "max_tool_calls": 3,
            "tool_choice": "required",
            "tools": [
                {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": False},
                {"type": "web_search"},
            ],
            "input": [
                {"role": "developer", "content": "In French."},
                {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
                {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{}"},
                {"type": "function_call", "call_id": "c2", "name": "read", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "one"},
                {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
                {"role": "user", "content": "and?"},
            ],
        },
    )
    assert found == ChatRequest(
        model="m",
        effort="xhigh",
        show_reasoning=True,
        format=Format(),
        tools=(Tool(name="read", parameters={"type": "object"}),),
        tool_choice=ToolChoice(use=ToolUse.REQUIRED),
        unknown=("max_tool_calls", "tools[1].type=web_search"),
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
            Message(role=Role.SYSTEM, parts=(Text(text="In French."),)),
            Message(role=Role.USER, parts=(Text(text="hello"),)),
            Message(
                role=Role.ASSISTANT,
                parts=(
                    Reasoning(signature=PROOF),
                    Text(text="I look."),
                    ToolCall(id="c1", name="read", arguments="{}"),
                    ToolCall(id="c2", name="read", arguments="{}"),
                ),
            ),
            Message(
                role=Role.USER,
                parts=(ToolResult(id="c1", parts=(Text(text="one"),)), ToolResult(id="c2", parts=(Text(text="two"),))),
            ),
            Message(role=Role.USER, parts=(Text(text="and?"),)),
        ),
    )
    assert WIRE.server.request("", {"model": "m", "input": "hello"}).messages == (ASKED,)


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "background", "prompt"])
def test_what_would_need_a_memory_is_refused(field: str) -> None:
    with pytest.raises(BadRequest, match=field) as caught:
        WIRE.server.request("", {"model": "m", "input": "hello", field: "resp_1"})
    assert caught.value.field == field


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"{kind}_1", "status": "completed", **fields}


USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {
        "cached_tokens": 40,
        "cache_write_tokens": 30,
        "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 10},
    },
    "output_tokens": 25,
    "output_tokens_details": {"reasoning_tokens": 9},
    "total_tokens": 125,
}
OUTPUT = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        "encrypted_content": "gAAA",
    },
    item("message", role="assistant", content=[{"type": "output_text", "text": "Looking", "annotations": []}]),
    item("web_search_call", action={"type": "search"}),
    item("function_call", call_id="c1", name="read", arguments='{"path": "a.py"}'),
]
RESPONSE = {"id": "resp_1", "object": "response", "model": "gpt-5.6", "status": "completed", "error": None}
ANSWER = ChatAnswer(
    id="resp_1",
    model="gpt-5.6",
    parts=(
        Reasoning(text="One.\n\nTwo.", signature=PROOF),
        Text(text="Looking"),
        ToolCall(id="c1", name="read", arguments='{"path": "a.py"}'),
    ),
    stop=StopReason.TOOL_CALLS,
    usage=Usage(input=30, cache_read=40, cache_write=20, cache_write_long=10, output=25, reasoning=9),
)


def test_a_whole_answer() -> None:
    assert WIRE.client.answer(RESPONSE | {"output": OUTPUT, "usage": USAGE}) == ANSWER
    written = WIRE.server.body(ANSWER, ChatRequest(model="m", messages=(ASKED,)))
    assert written["usage"] == USAGE
    assert written["output"][0]["encrypted_content"] == "gAAA"


@pytest.mark.parametrize(
    ("fields", "stop"),
    [
        ({"status": "completed"}, StopReason.END),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, StopReason.LENGTH),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, StopReason.REFUSED),
    ],
)
def test_reasons_to_stop(fields: dict[str, Any], stop: StopReason) -> None:
    answer = WIRE.client.answer(RESPONSE | fields | {"output": [OUTPUT[1]]})
    assert answer.stop is stop
    written = WIRE.server.body(answer, ChatRequest(model="m", messages=(ASKED,)))
    assert {name: written[name] for name in fields} == fields


def test_a_refusal_is_told_as_one() -> None:
    refusal = item("message", role="assistant", content=[{"type": "refusal", "refusal": "I will not."}])
    answer = WIRE.client.answer(RESPONSE | {"output": [refusal]})
    assert (answer.text, answer.stop) == ("I will not.", StopReason.REFUSED)


@pytest.mark.parametrize("status", ["cancelled", "in_progress", "queued"])
def test_what_did_not_end_is_no_answer(status: str) -> None:
    with pytest.raises(ProviderFault, match=status) as caught:
        WIRE.client.answer(RESPONSE | {"status": status, "output": []})
    assert caught.value.fault is Fault.BROKEN


def part(index: int, **fields: Any) -> dict[str, Any]:
    return {"output_index": index, "item_id": "i", **fields}


STREAM = [
    {"type": "response.created", "response": RESPONSE | {"status": "in_progress", "output": [], "usage": None}},
    {"type": "response.in_progress", "response": RESPONSE},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1"}},
    {"type": "response.reasoning_summary_part.added", **part(0, summary_index=0)},
    {"type": "response.reasoning_summary_text.delta", **part(0, summary_index=0, delta="One.")},
    {"type": "response.reasoning_summary_text.done", **part(0, summary_index=0, text="One.")},
    {"type": "response.reasoning_summary_text.delta", **part(0, summary_index=1, delta="Two")},
    {"type": "response.reasoning_summary_text.delta", **part(0, summary_index=1, delta=".")},
    {"type": "response.output_item.done", "output_index": 0, "item": OUTPUT[0]},
    {"type": "response.output_item.added", "output_index": 1, "item": OUTPUT[1] | {"content": []}},
    {"type": "response.content_part.added", **part(1, content_index=0, part={"type": "output_text", "text": ""})},
    {"type": "response.output_text.delta", **part(1, content_index=0, delta="Look")},
    {"type": "response.output_text.delta", **part(1, content_index=0, delta="ing")},
    {"type": "response.output_text.done", **part(1, content_index=0, text="Looking")},
    {"type": "response.output_item.done", "output_index": 1, "item": OUTPUT[1]},
    {"type": "response.output_item.added", "output_index": 2, "item": OUTPUT[2]},
    {"type": "response.web_search_call.searching", **part(2)},
    {"type": "response.output_item.done", "output_index": 2, "item": OUTPUT[2]},
    {"type": "response.output_item.added", "output_index": 3, "item": OUTPUT[3] | {"arguments": ""}},
    {"type": "response.function_call_arguments.delta", **part(3, delta='{"path": "a')},
    {"type": "response.function_call_arguments.delta", **part(3, delta='.py"}')},
    {"type": "response.function_call_arguments.done", **part(3, arguments='{"path": "a.py"}')},
    {"type": "response.output_item.done", "output_index": 3, "item": OUTPUT[3]},
    {"type": "response.completed", "response": RESPONSE | {"output": OUTPUT, "usage": USAGE}},
]


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_stream(size: int) -> None:
    deltas = deltas_in(WIRE, sent(STREAM), size)
    assert isinstance(deltas[0], Started)
    assert collected(deltas) == ANSWER


def test_a_stream_that_sends_items_whole() -> None:
    deltas = deltas_in(WIRE, sent(each for each in STREAM if not each["type"].endswith(".delta")), 50)
    assert collected(deltas) == ANSWER


def test_a_stream_that_breaks_off_has_no_last_event() -> None:
    assert not any(isinstance(delta, Stopped) for delta in deltas_in(WIRE, sent(STREAM[:-1]), 64))


def test_a_stream_is_written_in_the_order_of_the_reference() -> None:
    writer = WIRE.server.writer(ChatRequest(model="m", messages=(ASKED,)))
    text = b"".join(map(writer.write, deltas_of(ANSWER))).decode()
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == done
    assert events[-1]["response"]["usage"] == USAGE
    named = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    assert named == [event["type"] for event in events]


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "oh", "param": None}, Fault.RATE_LIMITED),
        ({"type": "error", "error": {"type": "server_error", "message": "oh"}}, Fault.SERVER_ERROR),
        (
            {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "oh"}}},
            Fault.RATE_LIMITED,
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "context_length_exceeded", "message": "oh"}}},
            Fault.TOO_LONG,
        ),
    ],
)
def test_errors_within_a_stream(event: dict[str, Any], fault: Fault) -> None:
    with pytest.raises(ProviderFault, match="oh") as caught:
        deltas_in(WIRE, sent([STREAM[0], event]), 11)
    assert caught.value.fault is fault


def test_a_fault_is_told_to_clients_of_either_kind() -> None:
    data = WIRE.server.writer(ChatRequest(model="m", messages=())).fail(ProviderFault(Fault.RATE_LIMITED, "oh"))
    first, second = (json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: "))
    assert (first["type"], first["code"], first["message"]) == ("error", "rate_limit_exceeded", "oh")
    assert (second["type"], second["response"]["status"]) == ("response.failed", "failed")
    assert second["response"]["error"] == {"code": "rate_limit_exceeded", "message": "oh"}


@pytest.mark.parametrize(
    "reasoning",
    [Reasoning(text="hm", signature="anthropic:EqQB"), Reasoning(hidden="anthropic:b64"), Reasoning(text="hm")],
)
def test_reasoning_of_others_comes_back_unchanged(reasoning: Reasoning) -> None:
    answer = ChatAnswer(id="r", model="m", parts=(reasoning,), stop=StopReason.END)
    request = ChatRequest(model="m", messages=(ASKED,))
    body = WIRE.server.body(answer, request)
    assert WIRE.server.request("", {"model": "m", "input": body["output"]}).messages[0].parts == answer.parts
    assert WIRE.client.answer(body) == answer
    writer = WIRE.server.writer(request)
    assert collected(deltas_in(WIRE, b"".join(map(writer.write, deltas_of(answer))), 9)) == answer


def test_a_tool_that_takes_a_text_is_a_function_to_other_wires() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
    found = WIRE.server.request(
        "",
        {
            "model": "m",
            "tools": [{"type": "custom", "name": "apply_patch", "description": "Edits.", "format": grammar}],
            "tool_choice": {"type": "custom", "name": "apply_patch"},
            "input": [
                {"role": "user", "content": "x"},
                {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** é"},
                {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
            ],
        },
    )
    assert found.messages[1].parts == (ToolCall(id="c1", name="apply_patch", arguments='{"input":"*** é"}'),)
    assert found.messages[2].parts == (ToolResult(id="c1", parts=(Text(text="done"),)),)
    assert found.tool_choice == ToolChoice(use=ToolUse.REQUIRED, name="apply_patch")
    (tool,) = found.tools
    assert tool.description == "Edits.\n\nThe input fits this grammar (lark):\nstart: /.+/"
    assert tool.parameters["required"] == ["input"]
    calls = (
        ToolCall(id="c2", name="apply_patch", arguments='{"input": "+ a\\n"}'),
        ToolCall(id="c3", name="now", arguments="{}"),
    )
    answer = ChatAnswer(id="r", model="m", parts=calls, stop=StopReason.TOOL_CALLS)
    writer = WIRE.server.writer(found)
    text = b"".join(map(writer.write, deltas_of(answer))).decode()
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    for items in (WIRE.server.body(answer, found)["output"], events[-1]["response"]["output"]):
        assert [item["type"] for item in items] == ["custom_tool_call", "function_call"]
        assert (items[0]["input"], items[0]["call_id"], items[0]["name"]) == ("+ a\n", "c2", "apply_patch")
    said = [event for event in events if "custom_tool_call_input" in event["type"]]
    assert [event["type"].rpartition(".")[2] for event in said] == ["delta", "done"]
    assert said[0]["delta"] == said[1]["input"] == "+ a\n"
    assert said[0]["item_id"] == events[2]["item"]["id"]


def test_arguments_that_hold_no_text_are_given_as_they_are() -> None:
    request = ChatRequest(model="m", messages=(ASKED,), tools=(Tool(name="t", freeform=True),))
    for arguments in ("{", '{"other":1}', '{"input":1}'):
        call = ToolCall(id="c", name="t", arguments=arguments)
        body = WIRE.server.body(ChatAnswer(id="r", model="m", parts=(call,), stop=StopReason.TOOL_CALLS), request)
        assert body["output"][0]["input"] == arguments
