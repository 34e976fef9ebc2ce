"""One corrected line, and where it may belong."""

import pytest

from karkhana.engineers.llm.small.lines import piece_of, placed

FUNCTION = """\
def gcd(a, b):
    if b == 0:
        return a
    else:
        return gcd(a % b, b)
"""


@pytest.mark.parametrize(
    "answer",
    [
        "return gcd(b, a % b)",
        "        return gcd(b, a % b)\n",
        "5: return gcd(b, a % b)",
        "Line 7:         return gcd(b, a % b)",
        "`return gcd(b, a % b)`",
        "```python\nreturn gcd(b, a % b)\n```",
        "```\n        return gcd(b, a % b)",
        "+        return gcd(b, a % b)",
    ],
)
def test_the_line_is_found_in_what_stands_around_it(answer: str) -> None:
    assert piece_of(answer) == "return gcd(b, a % b)"


def test_several_lines_keep_their_form_and_too_many_are_none() -> None:
    assert piece_of("4:     else:\n5:         return a") == "else:\n    return a"
    assert piece_of("\n".join("abcdef")) == ""
    assert piece_of("") == ""


def test_the_line_takes_the_place_of_the_one_it_resembles() -> None:
    (first, *others) = placed(FUNCTION, "return gcd(b, a % b)", {5: 1.0, 2: 1.0})
    assert first == FUNCTION.replace("gcd(a % b, b)", "gcd(b, a % b)")
    assert FUNCTION.replace("return a\n", "return gcd(b, a % b)\n") in others


def test_a_new_line_may_stand_in_front_of_any_other() -> None:
    found = placed("def f(a):\n    while a:\n        a -= 1\n    return a\n", "print('here')", {})
    assert "def f(a):\n    while a:\n        print('here')\n        a -= 1\n    return a\n" in found
    assert "def f(a):\n    while a:\n        a -= 1\n    return a\n    print('here')\n" in found


def test_a_block_replaces_a_block() -> None:
    found = placed(FUNCTION, "if a % b == 0:\n    return b", {})
    assert found[0] == FUNCTION.replace("if b == 0:\n        return a", "if a % b == 0:\n        return b")


def test_what_makes_no_program_or_no_difference_is_left_out() -> None:
    for text in placed(FUNCTION, "else:", {}):
        compile(text, "gcd.py", "exec")
    assert placed(FUNCTION, ")", {}) == []
    assert FUNCTION not in placed(FUNCTION, "return a", {})
