import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.routing.wires.retry_after import LONGEST_S, retry_after_s

NOON_S = 1_767_268_800.0  # Thu, 01 Jan 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([(b"Retry-After", b"2")], 2.0),
        ([(b"retry-after", b" 1.5 ")], 1.5),
        ([(b"Retry-After-Ms", b"250")], 0.25),
        ([(b"retry-after", b"9"), (b"retry-after-ms", b"1500.5")], 1.5005),
        ([(b"retry-after", b"9"), (b"retry-after-ms", b"soon")], 9.0),
        ([(b"retry-after", b"Thu, 01 Jan 2026 12:00:30 GMT")], 30.0),
        ([(b"retry-after", b"Thu, 01 Jan 2026 12:00:30")], 30.0),
        ([(b"retry-after", b"Thu, 01 Jan 2026 11:00:00 GMT")], 0.0),
        ([(b"retry-after", b"Fri, 01 Jan 2027 12:00:00 GMT")], LONGEST_S),
        ([(b"retry-after", b"999999999999")], LONGEST_S),
        ([(b"retry-after", b"9" * 5000)], LONGEST_S),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"-5")], None),
        ([(b"retry-after", b"")], None),
        ([(b"retry-after", b"nan")], None),
    ],
)
def test_what_is_asked_for(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    assert retry_after_s(headers, NOON_S) == seconds


@given(value=st.one_of(st.binary(max_size=30), st.text("0123456789 :,GMTJan+-", max_size=30).map(str.encode)))
def test_nonsense_says_nothing_and_never_more_than_the_longest(value: bytes) -> None:
    found = retry_after_s([(b"retry-after", value), (b"retry-after-ms", value)], NOON_S)
    assert found is None or 0 <= found <= LONGEST_S
