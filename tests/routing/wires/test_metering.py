import msgspec
from chat_examples import answers, requests
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.chat import ChatAnswer, ChatRequest, Usage, deltas_of
from karkhana.routing.wires.metering import OpenAIMeter
from karkhana.routing.wires.openai_chat import WIRE


@given(answer=answers(), request=requests, size=st.integers(1, 200))
def test_the_usage_is_that_of_a_reader_who_reads_everything(
    answer: ChatAnswer, request: ChatRequest, size: int
) -> None:
    whole, streamed = OpenAIMeter(), OpenAIMeter()
    whole.whole(msgspec.json.encode(WIRE.server.body(answer, request)))
    writer = WIRE.server.writer(msgspec.structs.replace(request, stream_usage=True))
    data = b"".join(map(writer.write, deltas_of(answer)))
    for start in range(0, len(data), size):
        streamed.piece(data[start : start + size])
    assert whole.usage == streamed.usage == answer.usage


def test_what_says_nothing_of_usage_is_not_guessed() -> None:
    meter = OpenAIMeter()
    for body in (b"", b"<html>", b"[]", b'{"usage":null}', b'{"usage":3}', b'{"usage":null}', b'{"error":{}}'):
        meter.whole(body)
        meter.piece(b"data: " + body + b"\n\n")
    assert meter.usage is None


def test_an_endless_event_is_not_kept() -> None:
    meter = OpenAIMeter()
    for _ in range(100):
        meter.piece(b'data: "usage"' + b"x" * 100_000)
    assert len(meter._lines._rest) <= 4 << 20


def test_nonsense_within_the_usage_counts_nothing() -> None:
    meter = OpenAIMeter()
    meter.whole(b'{"usage":{"prompt_tokens":"3","completion_tokens":-4,"prompt_tokens_details":[true]}}')
    assert meter.usage == Usage()
