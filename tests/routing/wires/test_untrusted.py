"""Requests of clients and answers of providers that are wrong in one place: refused in the right words, never a crash.

Each starts from what the wire itself writes, so that the wrong place is reached.
"""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from chat_examples import answers, choices, requests
from hypothesis import given, settings
from hypothesis import strategies as st
from losses import sayable

from karkhana.domain.chat import ChatAnswer, ChatRequest, Format, Message, Role, Text, Tool, ToolChoice, deltas_of
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.sse import Event
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import LONGEST_MESSAGE, BadRequest, Wire

wires = pytest.mark.parametrize("wire", WIRES.values(), ids=list(WIRES))
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(allow_nan=False),
    st.sampled_from(["", "x", "text", "image", "user"]),
    st.lists(st.one_of(st.none(), st.integers(0, 1), st.just({})), max_size=2),
    st.dictionaries(st.sampled_from(["type", "text", "name", "id", "parts", "content"]), st.integers(0, 1), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value within a JSON value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found += places(each, (*path, key))
    return found


def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """The value with another one in one place, or without one."""
    copy = json.loads(json.dumps(value))
    *path, last = draw(st.sampled_from(places(copy)))
    inner = copy
    for key in path:
        inner = inner[key]
    if draw(st.booleans()):
        del inner[last]
    else:
        inner[last] = draw(junk)
    return copy


@wires
@settings(max_examples=50)
@given(data=st.data(), request=requests, choice=choices)
def test_a_request_that_is_wrong_in_one_place_is_read_or_refused(
    wire: Wire, data: st.DataObject, request: ChatRequest, choice: ToolChoice | None
) -> None:
    request = sayable(wire.name, msgspec.structs.replace(request, tool_choice=choice))
    call = wire.client.call(request, "key")
    body = data.draw(st.composite(lambda draw: spoilt(draw, call.body))())
    with suppress(BadRequest):
        found = wire.server.request(call.path, body)
        # What was read can be asked of every provider, or is refused as a request.
        for other in WIRES.values():
            with suppress(BadRequest):
                msgspec.json.encode(other.client.call(found, "key").body)


@wires
@settings(max_examples=50)
@given(data=st.data(), request=requests, answer=answers())
def test_an_answer_that_is_wrong_in_one_place_is_read_or_a_fault(
    wire: Wire, data: st.DataObject, request: ChatRequest, answer: ChatAnswer
) -> None:
    body = data.draw(st.composite(lambda draw: spoilt(draw, wire.server.body(answer, request)))())
    with suppress(ProviderFault):
        found = wire.client.answer(body)
        for other in WIRES.values():
            msgspec.json.encode(other.server.body(found, request))


@wires
@settings(max_examples=50)
@given(data=st.data(), request=requests, answer=answers())
def test_a_stream_that_is_wrong_in_one_place_is_read_or_a_fault(
    wire: Wire, data: st.DataObject, request: ChatRequest, answer: ChatAnswer
) -> None:
    writer, reader = wire.server.writer(request), wire.client.reader()
    events = wire.framing.reader().feed(b"".join(map(writer.write, deltas_of(answer))))
    number = data.draw(st.integers(0, len(events) - 1))
    writers = [other.server.writer(request) for other in WIRES.values()]
    with suppress(ProviderFault):
        for each, event in enumerate(events):
            text = event.data
            if each == number and text.startswith("{"):
                value = json.loads(text)
                text = json.dumps(data.draw(st.composite(lambda draw, v=value: spoilt(draw, v))()))
            for delta in reader.read(Event(event.name, text)):
                for other in writers:
                    other.write(delta)


@wires
@pytest.mark.parametrize("depth", [100, 900])
def test_what_is_nested_deeply_is_read_or_refused(wire: Wire, depth: int) -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(depth):
        deep = {"type": "object", "properties": {"a": deep}}
    tool = Tool(name="t", parameters=deep)
    message = Message(role=Role.USER, parts=(Text(text="x"),))
    request = ChatRequest(model="m", messages=(message,), tools=(tool,), format=Format(schema=deep))
    with suppress(BadRequest):
        call = wire.client.call(request, "")
        found = wire.server.request(call.path, call.body)
        assert found.tools == (tool,)


@wires
def test_a_message_is_not_passed_on_without_end(wire: Wire) -> None:
    status, body = wire.server.refusal(ProviderFault(Fault.INVALID, "x" * 100_000))
    assert len(wire.client.fault(status, [], json.dumps(body).encode()).message) == LONGEST_MESSAGE
    with pytest.raises(BadRequest) as caught:
        wire.server.request("/v1/models/m:generateContent", {"model": "m", "messages": [{"role": "x" * 100_000}]})
    assert len(caught.value.message) <= LONGEST_MESSAGE
    assert len(wire.client.fault(500, [], b"[" * 200_000).message) <= LONGEST_MESSAGE
