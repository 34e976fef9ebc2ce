"""What is shown of a function, and how an answer about it is put back."""

import pytest

from karkhana.behaviour.spectra import FunctionPlace
from karkhana.engineers.llm.small.passages import Passage, passage_of, suspicious_lines
from karkhana.engineers.symbolic.generation.places import Place
from karkhana.engineers.symbolic.localisation.localise import Suspect

SHORT = 'def f(a):\n    """Add one.\n\n    Really."""\n    return a - 1\n'
STEPS = "".join(f"    a += {n}\n" for n in range(30))
LONG = (
    f"def f(a):\n{STEPS}    if a > 3:\n        a = 0\n        a -= 1\n    else:\n        a = 2\n{STEPS}    return a\n"
)


def place(text: str, lines: dict[int, float], start: int = 11) -> Place:
    where = FunctionPlace(name="f", top=start, start=start, end=start + text.count("\n") - 1)
    suspect = Suspect(path="m.py", place=where, score=1.0, lines=lines, failing=(0,), passing=())
    return Place(suspect=suspect, text=text, file_text="\n" * (start - 1) + text)


def test_a_short_function_is_shown_whole_without_its_documentation() -> None:
    shown = passage_of(place(SHORT, {15: 1.0}))
    assert shown.whole
    assert shown.text == "def f(a):\n    return a - 1\n"
    assert shown.documentation == "Add one. Really."


def test_documentation_alone_is_shown() -> None:
    shown = passage_of(place('def f(a):\n    """Nothing."""\n', {}))
    assert shown.text == 'def f(a):\n    """Nothing."""\n'
    assert shown.documentation == ""


def test_of_a_long_function_whole_statements_around_the_likeliest_line_are_shown() -> None:
    shown = passage_of(place(LONG, {11 + 33: 1.0, 12: 0.5}))
    assert not shown.whole
    assert "if a > 3:\n    a = 0\n    a -= 1\nelse:\n    a = 2\n" in shown.text
    assert len(shown.text.splitlines()) <= 22
    compile(shown.text, "passage.py", "exec")
    assert "a += 0\n" in passage_of(place(LONG, {11 + 33: 1.0, 12: 0.5}), rank=1).text


def test_an_answer_about_a_passage_is_put_into_the_function() -> None:
    shown = passage_of(place(LONG, {11 + 33: 1.0}))
    answer = f"```python\n{shown.text.replace('a = 0', 'a = 7')}```"
    rewrite = shown.read(answer, 4)
    assert rewrite is not None
    assert rewrite.place == 4
    assert rewrite.text == LONG.replace("a = 0", "a = 7")


def test_an_answer_with_the_whole_function_is_taken_as_such() -> None:
    shown = passage_of(place(LONG, {11 + 33: 1.0}))
    rewrite = shown.read("```python\ndef f(a):\n    return 5\n```", 0)
    assert rewrite is not None
    assert rewrite.text == "def f(a):\n    return 5\n"


@pytest.mark.parametrize("answer", ["", "no idea", "```python\nif a >:\n```", "```python\n)\n```"])
def test_what_is_no_python_there_is_none(answer: str) -> None:
    assert passage_of(place(LONG, {11 + 33: 1.0})).read(answer, 0) is None


def test_without_suspicions_or_syntax_all_is_shown() -> None:
    assert passage_of(place(LONG, {})).whole
    broken = place("def f(:\n" + STEPS + STEPS, {12: 1.0})
    assert passage_of(broken) == Passage(place=broken, start=0, end=61)


def test_lines_outside_the_function_are_not_suspicious() -> None:
    assert suspicious_lines(place(SHORT, {3: 1.0, 12: 0.4, 15: 0.4, 13: 0.7})) == [13, 15, 12]
