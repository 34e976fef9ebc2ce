import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.sse import Event, EventReader, EventTooLarge, event

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\x00"), max_size=20)
names = st.from_regex(r"[a-z.]{0,9}", fullmatch=True)


def read(data: bytes, size: int) -> list[Event]:
    reader = EventReader()
    return [found for start in range(0, len(data), size) for found in reader.feed(data[start : start + size])]


@given(events=st.lists(st.builds(Event, names, texts.filter(bool)), max_size=4), size=st.integers(1, 40))
def test_what_is_written_is_read_however_it_is_cut(events: list[Event], size: int) -> None:
    data = b"".join(event(each.data.encode(), each.name.encode()) for each in events)
    # One space after the colon belongs to the line, not to the data.
    assert read(data, size) == events


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_lines_may_end_in_three_ways(end: str, size: int) -> None:
    data = end.join(["event: a", "data: 1", "data: é", "", "data: 3", "", ""]).encode()
    # What follows tells whether a carriage return at the end was half of a line's end.
    assert read(data + b": more" + end.encode(), size) == [Event("a", "1\né"), Event("", "3")]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data:1\n\n", [Event("", "1")]),
        (b"data:  1\n\n", [Event("", " 1")]),
        (b"data\n\n", [Event("", "")]),
        (b": comment\nid: 7\nretry: 10\ndata: 1\n\n", [Event("", "1")]),
        (b"event: a\n\ndata: 1\n\n", [Event("", "1")]),
        (b"data: 1\n", []),
        (b"\xef\xbb\xbfdata: 1\n\n", [Event("", "1")]),
        (b"data: \xff\n\n", [Event("", "\N{REPLACEMENT CHARACTER}")]),
        (b"\n\n\n", []),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_lines_mean_what_the_standard_says(data: bytes, events: list[Event], size: int) -> None:
    assert read(data, size) == events


@pytest.mark.parametrize("piece", [b"data: x", b"data: x\n"])
def test_an_endless_event_is_refused(piece: bytes) -> None:
    reader = EventReader(largest=700)
    for _ in range(100):
        assert reader.feed(piece) == []
    with pytest.raises(EventTooLarge):
        reader.feed(piece)


def test_many_events_are_not_one_large_one() -> None:
    reader = EventReader(largest=1000)
    assert sum(len(reader.feed(b"data: x\n\n" * 50)) for _ in range(10)) == 500


def test_a_long_line_in_small_pieces_is_joined_once() -> None:
    reader = EventReader()
    for _ in range(200_000):
        assert not reader.feed(b"data: x" if not reader._rest else b"x")
    assert reader.feed(b"\n\n") == [Event("", "x" * 200_000)]
