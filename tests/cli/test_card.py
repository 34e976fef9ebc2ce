"""The lines on changes that an engineer considered."""

from karkhana.cli.card import considered
from karkhana.cli.progress import Progress
from karkhana.domain.events import Candidate, CandidatesCompared


def test_a_considered_change_says_what_how_probable_and_why() -> None:
    change = Candidate(patch="", place="m.py:3", kind="operator", alike=2, probability=0.314, reasons=("for it: x",))
    assert considered(1, change) == [
        "  considered 1: m.py:3  operator, 31% probable, 2 behave alike",
        "      for it: x",
    ]
    assert considered(2, Candidate(patch="", place="m.py:3", kind="operator")) == ["  considered 2: m.py:3  operator"]


def test_a_comparison_tells_the_probability_if_there_is_one() -> None:
    event = CandidatesCompared(passing=3, classes=2, disagreement=0.1, chosen="a", probability=0.5)
    line = Progress.line(event)
    assert line is not None
    assert line[2].endswith("the best is right with a probability of 50%")
    silent = Progress.line(CandidatesCompared(passing=3, classes=2, disagreement=0.1, chosen="a"))
    assert silent is not None
    assert "probability" not in silent[2]
