"""Proposals as candidates."""

from karkhana.behaviour.spectra import FunctionPlace, Spectrum, TestRun
from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.circumstances import Circumstances
from karkhana.engineers.symbolic.generation.places import Place, declared_in
from karkhana.engineers.symbolic.localisation.localise import Suspect
from karkhana.engineers.symbolic.pool import Pool
from karkhana.engineers.symbolic.proposals import PROPOSED, Case, Rewrite
from karkhana.engineers.symbolic.search import Outcome

TEXT = "def f(a):\n    # keep me\n    b = a - 1\n    print(b)\n    return b\n"
FILE = "import os\n\n\n" + TEXT


def function(score: float = 0.8) -> Place:
    where = FunctionPlace(name="f", top=4, start=4, end=8)
    lines = dict.fromkeys(range(4, 9), 1.0)
    suspect = Suspect(path="m.py", place=where, score=score, lines=lines, failing=(0,), passing=())
    return Place(suspect=suspect, text=TEXT, file_text=FILE)


def pool(*, templates: bool = True) -> Pool:
    places = (function(),)
    whole = declared_in("m.py", FILE, {}, "", score=0.8, failing=(0,), passing=())
    case = Case(places=places, tests=(), numbers=(), ticket="", seconds_left=lambda: 100.0)
    spectrum = Spectrum(tests=(TestRun(name="t.py::t", outcome="failed", seconds=0.1),), coverage={}, functions={})
    return Pool(case, (*places, whole), spectrum, Circumstances(), lessons={}, told="", templates=templates)


def written(old: str, new: str) -> Rewrite:
    return Rewrite(place=0, text=TEXT.replace("    # keep me\n", "").replace(old, new))


def test_a_proposal_is_as_small_as_it_can_be() -> None:
    (one,) = pool().candidates([written("a - 1", "a + 1")])
    assert one.kind == PROPOSED
    assert (one.suspect, one.line, one.fresh) == (0, 6, False)
    assert apply(TEXT, one.edits) == TEXT.replace("a - 1", "a + 1")


def test_the_same_proposal_is_one_candidate_with_two_voices() -> None:
    proposals = pool()
    first = proposals.candidates([written("a - 1", "a + 1"), Rewrite(place=0, text=TEXT.replace("a - 1", "a + 1"))])
    assert len(first) == 1
    assert proposals.candidates([written("a - 1", "a  +  1")]) == []
    assert list(proposals.voices.values()) == [{1, 2, 3}]


def test_parts_of_a_proposal_come_behind_it_and_have_no_voice() -> None:
    both = written("a - 1", "a + 1")
    both = Rewrite(place=0, text=both.text.replace("return b", "return -b"))
    proposals = pool()
    whole, *rest = proposals.candidates([both])
    assert len(rest) == 2
    assert all(part.score < whole.score for part in rest)
    assert len(proposals.voices) == 1


def test_a_proposal_that_changes_nothing_says_nothing() -> None:
    proposals = pool()
    assert proposals.candidates([Rewrite(place=0, text=TEXT)]) == []
    assert not proposals.voices


def test_a_missing_import_makes_it_a_change_of_the_file() -> None:
    (one,) = pool().candidates([written("a - 1", "math.floor(a)")])
    assert (one.suspect, one.fresh) == (1, True)
    assert apply(FILE, one.edits) == FILE.replace("import os\n", "import os\nimport math\n").replace(
        "a - 1", "math.floor(a)"
    )


def test_what_fails_is_mended_once_and_what_passes_never() -> None:
    proposals = pool()
    (one,) = proposals.candidates([written("a - 1", "a + 2")])

    def outcome(status: str) -> Outcome:
        return Outcome(tried=(one,), statuses=status, passing=(), cpu_s=0.0)

    assert proposals.small_changes(outcome("p")) == []
    small = proposals.small_changes(outcome("f"))
    assert any(apply(TEXT, h.edits) == TEXT.replace("a - 1", "a - 2") for h in small)
    assert all(h.kind.startswith(f"{PROPOSED}+") and h.score < one.score and not h.fresh for h in small)
    assert proposals.small_changes(outcome("f")) == []


def test_without_templates_slips_of_logic_stay() -> None:
    proposals = pool(templates=False)
    (one,) = proposals.candidates([written("a - 1", "a + 2")])
    assert proposals.small_changes(Outcome(tried=(one,), statuses="f", passing=(), cpu_s=0.0)) == []
