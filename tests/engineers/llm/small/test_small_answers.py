"""What small models write, and what it is taken for."""

import pytest

from karkhana.engineers.llm.small.answers import codes, function_of, indented

ORIGINAL = "def total(prices):\n    return sum(prices) - 1\n"
RIGHT = "def total(prices):\n    return sum(prices)\n"


def read(answer: str, original: str = ORIGINAL, *, cut: bool = False) -> str | None:
    found = function_of(answer, "total", original, cut=cut)
    return found.text if found else None


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{RIGHT}```",
        f"Here you are:\n\n```\n{RIGHT}```\nThe bug was an off-by-one.",
        f"```python\n{RIGHT}",
        f"```py\n{RIGHT}```".replace("\n", "\r\n"),
        RIGHT,
        f"Of course.\n{RIGHT}\nThis works, because the sum is what it should be.",
        "```python\ndef total(prices):\n\treturn sum(prices)\n```",
        f"```python\n{RIGHT}\n\nprint(total([1]))\n```",
    ],
)
def test_words_and_fences_around_the_code_are_left_out(answer: str) -> None:
    assert read(answer) == RIGHT


def test_the_longest_block_is_the_answer() -> None:
    assert next(codes(f"```python\nx\n```\nthen\n```python\n{RIGHT}```")) == RIGHT


def test_another_name_is_put_right() -> None:
    answer = "```python\ndef fixed_total(p):\n    return p[0] + fixed_total(p[1:])\n```"
    assert read(answer) == "def total(p):\n    return p[0] + total(p[1:])\n"


def test_of_several_functions_the_one_that_was_asked_for_is_taken() -> None:
    answer = f"```python\nimport math\n\ndef helper(a):\n    return a\n\n{RIGHT}\ndef test_total():\n    pass\n```"
    found = function_of(answer, "total", ORIGINAL)
    assert found is not None
    assert found.text == RIGHT
    assert found.imports == ("import math",)


def test_a_method_is_found_in_its_class_and_indented_as_it_was() -> None:
    original = "    def total(self):\n        return 1\n"
    for answer in (
        "```python\nclass Cart:\n    def total(self):\n        return 2\n```",
        "```python\ndef total(self):\n  return 2\n```",
        "```python\n    def total(self):\n        return 2\n```",
    ):
        text = read(answer, original)
        assert text is not None
        assert text.splitlines()[0] == "    def total(self):"
        compile("class Cart:\n" + text, "cart.py", "exec")


def test_a_body_alone_gets_the_signature_of_the_original() -> None:
    assert read("```python\nreturn sum(prices)\n```") == RIGHT


def test_what_was_cut_off_is_not_completed() -> None:
    answer = "```python\ndef total(prices):\n    found = 0\n    for price in prices:\n        found += pr"
    assert read(answer, cut=True) is None
    assert read(f"```python\n{RIGHT}```\nThis is because", cut=True) == RIGHT


@pytest.mark.parametrize(
    "answer", ["", "I cannot help with that.", "```python\n```", "```python\ndef (:\n```", "x = 1"]
)
def test_no_function_is_none(answer: str) -> None:
    assert read(answer) is None


def test_two_functions_of_other_names_are_none() -> None:
    assert read("```python\ndef a():\n    return 1\n\ndef b():\n    return 2\n```") is None


def test_indentation_follows_the_original() -> None:
    assert indented("  a\n    b\n", "        x") == "        a\n          b\n"
