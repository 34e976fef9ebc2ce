"""Questions for a reporter."""

import pytest

from karkhana.engineers.symbolic.choice.questions import difference, question


@pytest.mark.parametrize(
    ("text", "mine", "other", "asked"),
    [
        ("f(3)", "=4", "=5", "Should `f(3)` return `4` or `5`?"),
        ("f(3)", "!KeyError", "!ValueError", "Should `f(3)` raise `KeyError` or `ValueError`?"),
        ("f(3)", "!KeyError", "=None", "Should `f(3)` raise `KeyError` or return `None`?"),
        ("f(3)", "~", "=None", "Should `f(3)` run without an end or return `None`?"),
        ("f(3)", "=['generator', 1, 2]", "=['generator']", "Should `f(3)` yield `1, 2` or yield nothing?"),
        (
            "f([2])",
            "=1 and argument 0 = [2, 1]",
            "=1",
            "What should the first argument be after `f([2])`: `[2, 1]`, or as before?",
        ),
        (
            "f(2)",
            "=1 and variables [{'N': 1}]",
            "=1 and variables [{'N': 2}]",
            "What should the variables of the module be after `f(2)`: `[{'N': 1}]`, or `[{'N': 2}]`?",
        ),
        (
            "test_f with 3 → 4",
            "=passed: f 1; g 2",
            "=AssertionError: f 0; g 2",
            "When `test_f` uses `4` instead of `3`, should `f` return `1` or `0`?",
        ),
        ("test_f", "=passed: f 1", "!TypeError: ", "Should `test_f` pass or end with `TypeError`?"),
        ("test_f", "~", "=passed: f 1", "Should `test_f` run without an end or pass?"),
        (
            "test_f with 3 → 4",
            "=passed: f 1 and argument 0 = [1]",
            "=passed: f 1 and argument 0 = [2]",
            "When `test_f` uses `4` instead of `3`, what should the first argument be after `f`: `[1]`, or `[2]`?",
        ),
    ],
)
def test_differences_are_asked_in_plain_words(text: str, mine: str, other: str, asked: str) -> None:
    assert question(text, mine, other) == asked


def test_long_values_are_cut() -> None:
    asked = question("f('" + "a" * 500 + "')", "='" + "b" * 500 + "'", "=1")
    assert len(asked) < 300
    assert asked.endswith("…` or `1`?")


def test_the_statement_names_both() -> None:
    assert difference("f(0)", "=1", "!KeyError") == "for f(0): `1` against raising KeyError"
