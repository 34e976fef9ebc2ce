import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.framing import JSON_LINES, SERVER_SENT_EVENTS, LineReader
from karkhana.routing.sse import Event, EventTooLarge

values = st.dictionaries(st.text(max_size=3), st.one_of(st.integers(), st.text(max_size=8)), max_size=2)


@given(sent=st.lists(values, max_size=4), size=st.integers(1, 30), end=st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_values_are_told_apart_however_they_are_cut(sent: list[dict[str, object]], size: int, end: str) -> None:
    data = "".join(json.dumps(value) + end for value in sent).encode()
    reader = LineReader()
    found = [each for start in range(0, len(data), size) for each in reader.feed(data[start : start + size])]
    assert [json.loads(each.data) for each in found] == sent
    assert {each.name for each in found} <= {""}


def test_an_unfinished_line_is_not_told() -> None:
    assert LineReader().feed(b'{"a":1}') == []


def test_an_endless_line_is_refused() -> None:
    reader = LineReader(largest=1000)
    for _ in range(125):
        assert reader.feed(b"xxxxxxxx") == []
    with pytest.raises(EventTooLarge):
        reader.feed(b"x")


def test_both_ways_are_read_by_one_kind_of_reader() -> None:
    assert SERVER_SENT_EVENTS.reader().feed(b"data: {}\n\n") == JSON_LINES.reader().feed(b"{}\n") == [Event("", "{}")]
    assert (SERVER_SENT_EVENTS.content_type, JSON_LINES.content_type) == (b"text/event-stream", b"application/x-ndjson")
