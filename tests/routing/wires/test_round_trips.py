"""What one side of a wire writes, the other side reads: whole, and in pieces of any size."""

import json
from contextlib import suppress

import msgspec
import pytest
from chat_examples import answers, choices, requests
from hypothesis import given
from hypothesis import strategies as st
from losses import heard, sayable, told

from karkhana.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Message,
    Role,
    Text,
    ToolCall,
    ToolChoice,
    collected,
    deltas_of,
)
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import BadRequest, Wire

_FIELDS = (
    *(
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "tools",
        "function",
        "name",
        "tool_calls",
        "stop",
        "input",
    ),
    *("choices", "message", "usage", "prompt_tokens", "contents", "parts", "candidates", "output", "error", "system"),
)
wires = pytest.mark.parametrize("wire", WIRES.values(), ids=list(WIRES))


@wires
@given(request=requests, choice=choices)
def test_a_request_says_the_same_on_both_sides(wire: Wire, request: ChatRequest, choice: ToolChoice | None) -> None:
    request = msgspec.structs.replace(request, tool_choice=choice if request.tools else None)
    request = sayable(wire.name, request)
    call = wire.client.call(request, "key")
    body = json.loads(json.dumps(call.body))
    assert told(wire.name, wire.server.request(call.path, body)) == told(wire.name, request)


@wires
@given(answer=answers(), request=requests)
def test_an_answer_says_the_same_on_both_sides(wire: Wire, answer: ChatAnswer, request: ChatRequest) -> None:
    body = json.loads(json.dumps(wire.server.body(answer, request)))
    assert wire.client.answer(body) == heard(wire.name, answer)


@wires
@given(answer=answers(), request=requests, size=st.integers(1, 40))
def test_a_streamed_answer_says_the_same_on_both_sides(
    wire: Wire, answer: ChatAnswer, request: ChatRequest, size: int
) -> None:
    request = msgspec.structs.replace(request, stream=True, stream_usage=True)
    writer, reader, events = wire.server.writer(request), wire.client.reader(), wire.framing.reader()
    data = b"".join(map(writer.write, deltas_of(answer)))
    pieces = [data[n : n + size] for n in range(0, len(data), size)]
    deltas = [delta for piece in pieces for event in events.feed(piece) for delta in reader.read(event)]
    assert collected([*deltas, *reader.end()]) == heard(wire.name, answer)


@wires
@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_is_told_as_what_it_is(wire: Wire, fault: Fault) -> None:
    status, body = wire.server.refusal(ProviderFault(fault, "it went wrong"))
    found = wire.client.fault(status, [(b"retry-after", b"7")], json.dumps(body).encode())
    same = {found.fault, fault}
    # A status says less than our words: what matters is what is done next.
    assert (found.fault.retryable, found.fault.elsewhere) == (fault.retryable, fault.elsewhere), same
    assert (found.message, found.retry_after_s) == ("it went wrong", 7.0)


@wires
def test_a_fault_within_a_stream_ends_it(wire: Wire) -> None:
    request = ChatRequest(model="m", messages=(Message(role=Role.USER, parts=(Text(text="hello"),)),), stream=True)
    writer, reader = wire.server.writer(request), wire.client.reader()
    answer = ChatAnswer(model="m", parts=(ToolCall(id="a", name="b", arguments="{}"),), stop="tool_calls")  # type: ignore[arg-type]
    first = next(iter(deltas_of(answer)))
    data = writer.write(first) + writer.fail(ProviderFault(Fault.OVERLOADED, "too much to do"))
    events = wire.framing.reader().feed(data)
    with pytest.raises(ProviderFault, match="too much to do") as caught:
        list(map(reader.read, events))
    assert caught.value.fault.retryable
    assert reader.end() == []


@wires
@given(
    body=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=4)
        ),
    )
)
def test_nonsense_is_refused_and_never_crashes(wire: Wire, body: object) -> None:
    if isinstance(body, dict):
        with suppress(BadRequest):
            wire.server.request("/models/m:generateContent", body)
        with suppress(ProviderFault):
            wire.client.answer(body)
        assert wire.client.fault(500, [], json.dumps(body).encode()).message
