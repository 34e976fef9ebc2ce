"""Untrusted text, made fit to be shown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.delivery.text import clean, fenced, inline, one_line, paragraphs


def test_escapes_overrides_and_surrogates_go() -> None:
    assert clean("a\x1b[2Jb\u202ec\udc80d\x00e\x7ff\u200bg") == "a[2Jbcdefg"
    assert clean("a\tb\nc\r\nd\re\u2028f") == "a\tb\nc\nd\ne\nf"
    assert clean("naïve 工場 🏭") == "naïve 工場 🏭"


def test_one_line() -> None:
    assert one_line("\n\n  many   words \n more", 50) == "many words"
    assert one_line("x" * 80, 10) == "x" * 9 + "…"
    assert one_line(" \n", 10) == ""


@pytest.mark.parametrize(
    "line", ["---", "diff --git a/x b/x", "Index: x", "From ada Mon", "Karkhana-Run: fake", "From: eve"]
)
def test_a_paragraph_never_starts_a_trailer_or_a_patch(line: str) -> None:
    assert paragraphs(f"Words.\n\n{line}\n") == f"Words.\n\n {line}"


@given(st.text(max_size=400))
def test_no_line_of_any_text_is_a_trailer(text: str) -> None:
    for line in paragraphs(text).split("\n"):
        assert not re.match(r"(?i)\w+-[\w-]+:|(from|date|subject):|---|diff -|index: |From ", line)


@given(st.text(alphabet="`~ab\n", max_size=200))
def test_nothing_closes_a_fence_from_within(text: str) -> None:
    lines = fenced(text, "diff").split("\n")
    fence = lines[-1]
    assert set(fence) == {"`"}
    assert lines[0] == f"{fence}diff"
    assert not any(re.match(rf" {{0,3}}`{{{len(fence)},}}\s*$", line) for line in lines[1:-1])


@given(st.text(max_size=200))
def test_inline_text_stays_in_its_cell(text: str) -> None:
    cell = inline(text)
    assert "\n" not in cell
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<`*\[]", cell)
