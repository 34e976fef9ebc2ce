import msgspec
import pytest
from chat_examples import answers, requests
from hypothesis import given
from hypothesis import strategies as st
from losses import heard

from karkhana.domain.chat import ChatAnswer, ChatRequest, Usage, deltas_of
from karkhana.routing.wires.metering import METERS, AnthropicMeter, OllamaMeter, OpenAIMeter
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.wire import Wire

wires = pytest.mark.parametrize("wire", WIRES.values(), ids=list(WIRES))


def test_each_wire_has_a_meter() -> None:
    assert set(METERS) == set(WIRES)


@wires
@given(answer=answers(), request=requests, size=st.integers(1, 200))
def test_the_usage_is_that_of_a_reader_who_reads_everything(
    wire: Wire, answer: ChatAnswer, request: ChatRequest, size: int
) -> None:
    whole, streamed = METERS[wire.name](), METERS[wire.name]()
    whole.whole(msgspec.json.encode(wire.server.body(answer, request)))
    writer = wire.server.writer(msgspec.structs.replace(request, stream_usage=True))
    data = b"".join(map(writer.write, deltas_of(answer)))
    for start in range(0, len(data), size):
        streamed.piece(data[start : start + size])
    assert whole.usage == streamed.usage == heard(wire.name, answer).usage


@wires
def test_what_says_nothing_of_usage_is_not_guessed(wire: Wire) -> None:
    meter = METERS[wire.name]()
    for body in (b"", b"<html>", b"[]", b'{"usage":null}', b'{"usage":3}', b'{"message":{"usage":3}}', b'{"error":{}}'):
        meter.whole(body)
        meter.piece(b"data: " + body + b"\n\n")
        meter.piece(body + b"\n")
    assert meter.usage is None


@wires
def test_what_is_no_json_is_told(wire: Wire) -> None:
    meter = METERS[wire.name]()
    assert meter.whole(b'{"usage":null}')
    assert not any(meter.whole(body) for body in (b"", b"<html>", b'{"usage":'))


@wires
def test_an_endless_event_is_not_kept_and_its_end_says_nothing(wire: Wire) -> None:
    writer = wire.server.writer(_request())
    counted = ChatAnswer(model="m", parts=(), stop="end", usage=Usage(input=3))  # type: ignore[arg-type]
    last = b"".join(map(writer.write, deltas_of(counted))).strip()
    meter = METERS[wire.name]()
    for _ in range(60):
        meter.piece(b"x" * 100_000)
    assert meter._lines._size <= 4 << 20  # type: ignore[attr-defined]
    meter.piece(b"x" * 100_000 + last.split(b"\n")[-1] + b"\n")
    assert meter.usage is None


def _request() -> ChatRequest:
    return ChatRequest(model="m", messages=(), stream=True)


def test_nonsense_within_the_usage_counts_nothing() -> None:
    meter = OpenAIMeter()
    meter.whole(b'{"usage":{"prompt_tokens":"3","completion_tokens":-4,"prompt_tokens_details":[true]}}')
    assert meter.usage == Usage()
    other = OllamaMeter()
    other.whole(b'{"prompt_eval_count":"3","eval_count":-4}')
    assert other.usage == Usage()


def test_later_counts_replace_those_before_and_leave_the_others() -> None:
    meter = AnthropicMeter()
    meter.piece(
        b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1,'
        b'"cache_read_input_tokens":5,"cache_creation_input_tokens":7,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4}}}}\n\n'
    )
    assert meter.usage == Usage(input=9, cache_read=5, cache_write=3, cache_write_long=4, output=1)
    meter.piece(
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        b'"usage":{"output_tokens":40,"output_tokens_details":{"thinking_tokens":30}}}\n\n'
    )
    assert meter.usage == Usage(input=9, cache_read=5, cache_write=3, cache_write_long=4, output=40, reasoning=30)
