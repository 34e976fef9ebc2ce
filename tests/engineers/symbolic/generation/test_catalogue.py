"""Every template makes its own example, and nothing that it makes overlaps itself."""

import itertools

import pytest

from karkhana.behaviour.spectra import Failure, Frame
from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.generation.catalogue import Entry, catalogue
from karkhana.engineers.symbolic.generation.declarations import declarations, names_in
from karkhana.engineers.symbolic.generation.hypotheses import everywhere, literals_of
from karkhana.engineers.symbolic.generation.scene import FileScene, Idea, Scene
from karkhana.engineers.symbolic.generation.source import FunctionView
from karkhana.engineers.symbolic.generation.told import Told


def ideas_of(entry: Entry) -> list[Idea]:
    failures: tuple[Failure, ...] = ()
    if entry.failure is not None:
        frame = Frame("m.py", entry.failure["line"], "f")
        failures = (Failure(type=entry.failure["type"], message=entry.failure["message"], frames=(frame,)),)
    if entry.file_template is not None:
        constants = declarations(entry.before, dict.fromkeys(names_in(entry.before), 1.0))
        scene = FileScene(entry.before, failures=failures, declarations=constants, told=Told(entry.told))
        return list(entry.file_ideas(scene))
    view = FunctionView(entry.before, 1, module_text=entry.module, classes=entry.classes)
    seen = Scene(
        view,
        failures=failures,
        literals=literals_of(entry.told),
        expected=entry.expected,
        path="m.py",
        told=Told(entry.told),
    )
    return list(entry.ideas(seen))


@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda e: e.name)
def test_example_is_among_candidates(entry: Entry) -> None:
    assert entry.after in {apply(entry.before, idea.edits) for idea in ideas_of(entry)}


@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda e: e.name)
def test_edits_of_one_idea_do_not_overlap(entry: Entry) -> None:
    for idea in ideas_of(entry):
        edits = sorted(idea.edits)
        assert all(one.end <= other.start for one, other in itertools.pairwise(edits))
        assert idea.weight > 0


def test_one_replacement_is_also_made_in_all_its_places() -> None:
    text = "def f(a, b):\n    return (a < b, b < a)\n"
    entry = catalogue()["comparison-operator"]
    scene = Scene(FunctionView(text, 1), path="m.py")
    made = {apply(text, idea.edits) for _, idea in everywhere(text, ((entry, idea) for idea in entry.ideas(scene)))}
    assert "def f(a, b):\n    return (a <= b, b <= a)\n" in made
    assert "def f(a, b):\n    return (a <= b, b < a)\n" in made
    assert "def f(a, b):\n    return (a <= b, b > a)\n" not in made
