"""The order of ideas, what a failure rules in and out, and what the words of a test say."""

import pytest

from karkhana.behaviour.spectra import Failure, Frame, FunctionPlace, Spectrum, TestRun
from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.generation.hypotheses import (
    Hypothesis,
    Place,
    cut,
    declared,
    expected_errors,
    hypotheses,
    literals_of,
)
from karkhana.engineers.symbolic.localisation.localise import Suspect

TEXT = """LIMIT = 3
OTHER = 4


class Box:
    def __mul__(self, other):
        return other


def total(items, start):
    n = start
    for item in items:
        n -= item
    return n if n < LIMIT else LIMIT
"""


def place(text: str = TEXT, start: int = 10, end: int = 14) -> Place:
    where = FunctionPlace(name="total", top=start, start=start, end=end)
    lines = dict.fromkeys(range(start + 1, end + 1), 1.0)
    suspect = Suspect(path="m.py", place=where, score=1.0, lines=lines, failing=(0,), passing=())
    return Place(suspect=suspect, text=cut(text, suspect), file_text=text)


def spectrum(kind: str = "AssertionError", message: str = "assert 1 == 2", line: int = 13) -> Spectrum:
    failure = Failure(type=kind, message=message, frames=(Frame("m.py", line, "total"),))
    run = TestRun(name="t.py::test", outcome="failed", seconds=0.01, failure=failure)
    return Spectrum(tests=(run,), coverage={}, functions={})


def changed(found: list[Hypothesis], places: tuple[Place, ...]) -> list[str]:
    return [apply(places[h.suspect].text, h.edits) for h in found]


def test_the_likeliest_come_first_and_none_twice() -> None:
    places = (place(),)
    found = hypotheses(places, spectrum())
    texts = changed(found, places)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert len({(h.suspect, h.edits) for h in found}) == len(found)
    assert texts.index(places[0].text.replace("-=", "+=")) < 40


def test_templates_for_an_error_are_silent_without_it() -> None:
    places = (place(),)
    assert not {"zero-division", "missing-key"} & {h.kind for h in hypotheses(places, spectrum())}
    text = TEXT.replace("n -= item", "n /= item\n        n = n / item")
    places = (place(text, end=15),)
    kinds = {h.kind for h in hypotheses(places, spectrum("ZeroDivisionError", "division by zero", 14))}
    assert "zero-division" in kinds


def test_lessons_and_failures_change_the_order() -> None:
    places = (place(),)
    plain = [h.kind for h in hypotheses(places, spectrum())]
    taught = [h.kind for h in hypotheses(places, spectrum(), lessons={"early-return": 50.0})]
    endless = [h.kind for h in hypotheses(places, spectrum("RecursionError", "maximum recursion depth exceeded"))]
    assert taught.index("early-return") < plain.index("early-return")
    assert endless.index("early-return") < plain.index("early-return")


def test_the_limit_keeps_the_best() -> None:
    places = (place(),)
    assert [h.score for h in hypotheses(places, spectrum(), limit=50)] == [
        h.score for h in hypotheses(places, spectrum())[:50]
    ]


def test_a_file_is_a_place_of_its_own_for_constants_and_for_what_is_missing() -> None:
    (file,) = declared((place(),))
    places = (place(), file)
    assert file.is_file
    assert [d.text for d in file.declarations] == ["LIMIT = 3\n"]
    found = [h for h in hypotheses(places, spectrum()) if h.suspect == 1]
    assert TEXT.replace("LIMIT = 3", "LIMIT = 4") in changed(found, places)
    assert all(h.fresh for h in found)
    message = "unsupported operand type(s) for *: 'int' and 'Box'"
    found = hypotheses(places, spectrum("TypeError", message))
    mended = TEXT.replace(
        "        return other\n",
        "        return other\n\n    def __rmul__(self, other):\n        return self.__mul__(other)\n",
    )
    assert mended in changed(found, places)


def test_one_replacement_is_made_in_several_functions_of_a_file() -> None:
    text = "def one(a):\n    return a - 1\n\n\ndef two(a):\n    return a - 1\n"
    functions = []
    for name, start in (("one", 1), ("two", 5)):
        where = FunctionPlace(name=name, top=start, start=start, end=start + 1)
        suspect = Suspect(path="m.py", place=where, score=1.0, lines={start + 1: 1.0}, failing=(0,), passing=())
        functions.append(Place(suspect=suspect, text=cut(text, suspect), file_text=text))
    places = tuple(functions)
    places += declared(places)
    found = hypotheses(places, spectrum(line=2))
    both = text.replace("a - 1", "a + 1")
    assert both in changed([h for h in found if h.suspect == 2], places)
    assert both not in changed([h for h in found if h.suspect < 2], places)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("with pytest.raises(ValueError):", ("ValueError",)),
        ("with pytest.raises(errors.Bad, match=r'no \\(x\\)'):", ("errors.Bad('no (x)')",)),
        ("with pytest.raises(Bad, match='a|b'):", ("Bad",)),
        ("with pytest.raises(Bad, match='('):", ("Bad",)),
        ("self.assertRaisesRegex(KeyError, 'gone', f)", ("KeyError('gone')",)),
        ("self.assertRaises(KeyError, f, 'gone')", ("KeyError",)),
        ("DID NOT RAISE <class 'm.errors.Bad'>", ("Bad",)),
        ("with raises(Bad):\nDID NOT RAISE <class 'm.Bad'>", ("Bad",)),
        ("raise ValueError", ()),
    ],
)
def test_expected_errors(text: str, expected: tuple[str, ...]) -> None:
    assert expected_errors(text) == expected


def test_literals_keep_their_order_and_stand_once() -> None:
    assert literals_of("f(3, 'a', -2.5, 3) == \"b\"") == ("3", "'a'", "-2.5", '"b"')


def test_constants_that_only_the_tests_name_are_looked_at() -> None:
    text = "LIMIT = 3\n\n\ndef one(a):\n    return a - 1\n"
    where = FunctionPlace(name="one", top=4, start=4, end=5)
    suspect = Suspect(path="m.py", place=where, score=1.0, lines={5: 1.0}, failing=(0,), passing=())
    places = (Place(suspect=suspect, text=cut(text, suspect), file_text=text),)
    assert declared(places)[0].declarations == ()
    (file,) = declared(places, "def test_limit():\n    assert one(LIMIT) == 3\n")
    assert [d.text for d in file.declarations] == ["LIMIT = 3\n"]
