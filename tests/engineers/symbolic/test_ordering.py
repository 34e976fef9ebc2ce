"""The order in which changes are tried."""

from karkhana.behaviour.spectra import FunctionPlace
from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.localisation.localise import Suspect
from karkhana.engineers.symbolic.ordering import natural

BROKEN = "def last(items):\n    stop = len(items)\n    stop -= 2\n    return items[stop]\n"
FILE = BROKEN + "\n\ndef other(items):\n    stop = len(items)\n    stop -= 1\n    return stop\n" * 3


def place() -> Place:
    suspect = Suspect(
        path="m.py",
        place=FunctionPlace(name="last", top=1, start=1, end=4),
        score=1.0,
        lines={3: 1.0},
        failing=(0,),
        passing=(),
    )
    return Place(suspect=suspect, text=BROKEN, file_text=FILE)


def change(old: str, new: str, score: float) -> Hypothesis:
    at = BROKEN.index(old)
    edit = Edit(at, at + len(old), new)
    return Hypothesis(suspect=0, kind="constant", line=3, edits=(edit,), score=score)


def test_what_the_file_says_elsewhere_comes_first() -> None:
    usual, odd = change("-= 2", "-= 1", 0.4), change("-= 2", "^= 2", 0.5)
    assert [idea.edits for idea in natural([odd, usual], [place()])] == [usual.edits, odd.edits]


def test_looks_do_not_outweigh_a_much_better_reason() -> None:
    usual, odd = change("-= 2", "-= 1", 0.01), change("-= 2", "^= 2", 0.9)
    assert [idea.edits for idea in natural([odd, usual], [place()])] == [odd.edits, usual.edits]


def test_a_deleted_line_is_neither_usual_nor_odd() -> None:
    (gone,) = natural([change("    stop -= 2\n", "", 0.3)], [place()])
    assert gone.score == 0.3


def test_no_ideas() -> None:
    assert natural([], []) == []
