"""A gap: where a change was made, what is shown of it, and how an answer fills it."""

import pytest

from karkhana.behaviour.spectra import FunctionPlace
from karkhana.engineers.llm.small.gaps import Gap, fill, gap_of, line_gap
from karkhana.engineers.llm.small.passages import passage_around
from karkhana.engineers.symbolic.generation.places import Place
from karkhana.engineers.symbolic.localisation.localise import Suspect

TEXT = """\
    def walk(self, node):
        \"\"\"Every node once.\"\"\"
        if node in self.seen:
            return
        yield node
        for child in node.children:
            yield from self.walk(child)
"""


def place(text: str = TEXT) -> Place:
    where = FunctionPlace(name="walk", top=1, start=1, end=text.count("\n"))
    suspect = Suspect(path="m.py", place=where, score=1.0, lines={5: 1.0}, failing=(0,), passing=())
    return Place(suspect=suspect, text=text, file_text=text)


def test_a_change_of_lines_leaves_a_gap_and_an_addition_an_empty_one() -> None:
    assert gap_of(TEXT, TEXT.replace("yield node\n", "yield node.name\n")) == Gap(4, 5, "        ")
    assert gap_of(
        TEXT, TEXT.replace("        yield node\n", "        self.seen.add(node)\n        yield node\n")
    ) == Gap(4, 4, "        ")
    assert gap_of(TEXT, TEXT) is None


def test_a_line_leaves_a_gap_unless_it_opens_the_function() -> None:
    assert line_gap(TEXT, 6) == Gap(6, 7, "            ")
    assert line_gap(TEXT, 0) is None
    assert line_gap(TEXT, 99) is None


@pytest.mark.parametrize("gap", [Gap(4, 4, "        "), Gap(4, 5, "        ")])
def test_the_code_is_shown_with_its_gap_and_without_documentation(gap: Gap) -> None:
    shown = passage_around(place(), 4).with_gap(gap)
    kept = "" if gap.end > gap.start else "    yield node\n"
    assert shown == (
        "def walk(self, node):\n    if node in self.seen:\n        return\n    <MISSING>\n"
        + kept
        + "    for child in node.children:\n        yield from self.walk(child)\n"
    )


@pytest.mark.parametrize(
    "answer", ["```python\nself.seen.add(node)\n```", "self.seen.add(node)", "  self.seen.add(node)"]
)
def test_an_answer_fills_the_gap_with_its_indentation(answer: str) -> None:
    rewrite = passage_around(place(), 4).read_gap(answer, 0, Gap(4, 4, "        "))
    assert rewrite is not None
    assert rewrite.text == TEXT.replace("        yield node\n", "        self.seen.add(node)\n        yield node\n")


def test_an_answer_that_repeats_what_stands_around_is_read_where_it_fits() -> None:
    answer = "```python\nfor child in node.children:\n    yield from self.walk(child, node)\n```"
    rewrite = passage_around(place(), 6).read_gap(answer, 0, Gap(6, 7, "            "))
    assert rewrite is not None
    assert TEXT.replace("walk(child)", "walk(child, node)") in rewrite.others


def test_what_makes_no_function_fills_nothing() -> None:
    assert fill(TEXT, Gap(4, 5, "        "), "else:") is None
    assert passage_around(place(), 4).read_gap("", 0, Gap(4, 5, "        ")) is None
