"""Parsing what nobody vouches for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import karkhana
from karkhana.syntax import DEEPEST, Unparsable, depth, parse

DEEP = 20_000


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * DEEP + "1" + ")" * DEEP,
        "x = " + "[" * DEEP,
        "x = " + "-" * DEEP + "1",
        "x = " + "not " * DEEP + "1",
        "x = 1" + " + 1" * DEEP,
        "x = a" + ".b" * DEEP,
        "x = a" + "(1,)" * DEEP,
        "x = a" + "[0]" * DEEP,
        "x = " + "lambda: " * DEEP + "1",
        "x = " + "1 if a else " * DEEP + "1",
        "x = " + "'a' " * DEEP,
        "x = (" + "'a'\n" * DEEP + ")",
        "x = " + 'f"{' * DEEP + "1" + '}"' * DEEP,
        "x = [1 " + "for a in b " * DEEP + "]",
        "if a:\n    pass\n" + "elif b:\n    pass\n" * DEEP,
        "if a:\n    x = 1\n" + "elif b:\n    x = [\n1]\n" * DEEP,
    ],
    ids=lambda source: source[:20],
)
def test_what_would_overflow_the_parser_is_refused(source: str) -> None:
    with pytest.raises(Unparsable, match="too deeply"):
        parse(source.encode())


@pytest.mark.parametrize(
    "content",
    [b"x = \n", b"\xff = 1\n", b"# coding: nonsense\n", b"print 'two'\n", b"# coding: utf-16\nx = 1\n"],
)
def test_what_is_no_python_is_refused(content: bytes) -> None:
    with pytest.raises(Unparsable):
        parse(content)


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(Unparsable, match="too many"):
        parse(b"x = 1\n" * 1_000_000)


def test_long_but_flat_source_is_read() -> None:
    flat = "x = [" + "-1, (2, 'a'), {'k': [3]},\n" * 400 + "]\n" + "x = 1\n" * 400
    flat += '"""' + '{"a": {"b": [1]}}\\n' * 500 + '"""\n'
    assert depth(flat) < 30
    assert parse(flat.encode()).body


def test_latin_1_is_read_where_it_is_declared() -> None:
    assert parse("# coding: latin-1\nname = 'caf\xe9'\n".encode("latin-1")).body


def test_our_own_source_is_nowhere_near_the_limit() -> None:
    for path in Path(karkhana.__file__).parent.rglob("*.py"):
        assert depth(path.read_text("utf-8")) < DEEPEST / 2, path


@given(st.text(alphabet="()[]{},'\"\n #abfr:=+-\\ elif", max_size=300))
def test_any_text_is_estimated(text: str) -> None:
    assert 0 <= depth(text) <= 4 * len(text) + 4
