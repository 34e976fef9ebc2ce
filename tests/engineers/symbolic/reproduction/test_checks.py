"""What a ticket says should hold."""

import sys
from types import FrameType
from typing import Any

import pytest

from karkhana.engineers.symbolic.reproduction.checks import checks
from karkhana.engineers.symbolic.reproduction.spans import spans


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`f(1)` returns 2 instead of 3", [("equal", "f(1)", "3", True)]),
        ("`f(1)` should raise ValueError", [("raises", "f(1)", "ValueError", True)]),
        ("```python\nfrom m import f\nassert f(1) == 3\n```", [("holds", "assert f(1) == 3", "", True)]),
        (">>> f(1)\n2\n\nIt should be 3.", [("equal", "f(1)", "3", False)]),
        (">>> f(1)\n2\n\nThat is odd.", []),
        ("```python\nimport os\nos.system('x')\nassert f(1) == 3\n```", []),
    ],
)
def test_only_what_is_called_expected_is_a_check(text: str, expected: list[tuple[str, str, str, bool]]) -> None:
    assert [(c.kind, c.subject, c.expected, c.sure) for c in checks(text)] == expected


def test_a_check_brings_its_setup_and_says_what_it_lacks() -> None:
    (check,) = checks("With `s = parse('x')` I expected `s.name()` to be 'a'.")
    assert (check.setup, check.subject, check.missing) == (("s = parse('x')",), "s.name()", ("parse",))


LONG = 60_000


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param("[(", id="brackets"),
        pytest.param("a(", id="calls"),
        pytest.param("1 2 3 ", id="numbers"),
        pytest.param("'\"`", id="quotes"),
        pytest.param("\n", id="blank lines"),
        pytest.param("a(1).b(2)", id="chains"),
    ],
)
def test_hostile_text_costs_no_more_than_long_text(piece: str) -> None:
    # lines of this package that are run, instead of time; the clock of a busy machine says nothing
    ran = 0

    def count(frame: FrameType, _event: str, _arg: object) -> Any:
        nonlocal ran
        if "reproduction" not in frame.f_code.co_filename:
            return None
        ran += 1
        assert ran < 4_000_000, "too much work"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        found = checks("a" + (piece * LONG)[:LONG] + "b")
    finally:
        sys.settrace(before)
    assert found == ()


def test_a_run_of_blank_lines_takes_no_cube_of_time() -> None:
    # in the pattern itself, where no line of Python is run: with the cube this would take an hour
    assert [span.text for span in spans("a" + "\n" * 8_000 + "ValueError: no\nb")] == ["ValueError: no"]
    assert [span.text for span in spans("It says:\n  ValueError: no")] == ["ValueError: no"]
