"""A change told as hunks is exact for any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.changes import Hunk, apply, difference

lines = st.lists(st.sampled_from([b"a\n", b"b\n", b"\r\n", b"\xff\x00\n", b"no end", b"\x0c"]), max_size=12).map(
    b"".join
)


@given(lines, lines)
def test_apply_undoes_difference(before: bytes, after: bytes) -> None:
    assert apply(before, difference(before, after)) == after


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_apply_undoes_difference_for_any_bytes(before: bytes, after: bytes) -> None:
    assert apply(before, difference(before, after)) == after


def test_unchanged_lines_are_not_repeated() -> None:
    before = b"keep\nsecret = 1\nold\nkeep\nold2\n"
    after = b"keep\nsecret = 1\nnew\nkeep\nnew2\n"
    assert difference(before, after) == (Hunk(2, 3, b"new\n"), Hunk(4, 5, b"new2\n"))


def test_a_hunk_for_another_base_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        apply(b"one\n", (Hunk(3, 4, b"x\n"),))
