"""Functions that only run while a module is loaded."""

from karkhana.behaviour.spectra import FunctionPlace, Spectrum, TestRun
from karkhana.engineers.symbolic.localisation.loading import called_while_loading, loaded
from karkhana.engineers.symbolic.localisation.localise import Suspect

MODULE = """\
TABLE = {}


def add(word):
    TABLE[key(word)] = word


def key(word):
    return word[1:]


def unused():
    return add("y")


def find(word):
    return TABLE[word]


add("xy")
"""


def test_what_the_module_calls_and_what_that_calls_in_turn() -> None:
    assert called_while_loading(MODULE) == {"add", "key"}


def test_a_definition_calls_its_decorators_and_defaults_but_not_its_body() -> None:
    text = "def f(): ...\ndef g(): ...\ndef h(): ...\n@f\ndef k(x=g()):\n    return h()\n"
    assert called_while_loading(text) == {"f", "g"}


def test_a_class_that_is_made_counts_by_its_constructor() -> None:
    text = "class A:\n    def __init__(self):\n        fill(self)\n    def other(self):\n        more()\n"
    text += "def fill(a): ...\ndef more(): ...\nONE = A()\n"
    assert called_while_loading(text) == {"A", "fill"}


def test_text_that_is_no_program_calls_nothing() -> None:
    assert called_while_loading("def (") == frozenset()


def test_only_functions_that_no_test_runs_are_suspects() -> None:
    places = (
        FunctionPlace(name="add", top=4, start=4, end=5),
        FunctionPlace(name="key", top=8, start=8, end=9),
        FunctionPlace(name="unused", top=12, start=12, end=13),
        FunctionPlace(name="find", top=16, start=16, end=17),
    )
    spectrum = Spectrum(
        tests=(TestRun(name="t.py::test_find", outcome="failed", seconds=0.1),),
        coverage={"m.py": {17: (0,), 9: (0,)}},
        functions={"m.py": places},
    )
    find = Suspect(path="m.py", place=places[3], score=2.0, lines={17: 1.0}, failing=(0,), passing=())
    (found,) = loaded(spectrum, (find,), {"m.py": MODULE}.get)
    assert found.place.name == "add"
    assert found.failing == (0,)
    assert 0 < found.score < find.score
