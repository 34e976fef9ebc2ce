"""What a ticket says should hold."""

import pytest

from karkhana.engineers.symbolic.reproduction.checks import checks


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
