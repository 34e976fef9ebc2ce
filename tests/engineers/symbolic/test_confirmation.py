"""Handing over what convinces, and nothing else."""

from typing import Any

import msgspec
import pytest

from karkhana.behaviour.spectra import FunctionPlace, Spectrum, TestRun
from karkhana.behaviour.validation import Edit
from karkhana.domain.errors import ToolRefused
from karkhana.domain.suites import Outcome, TestReport, TestResult
from karkhana.domain.tasks import Budget, Ticket
from karkhana.domain.tools import EditFile, PushChanges, RunTests, WriteFile
from karkhana.engineers.symbolic.choice.appearance import Ranked
from karkhana.engineers.symbolic.choice.choose import Choice, Group
from karkhana.engineers.symbolic.choice.comparison import Opinion, Verdict
from karkhana.engineers.symbolic.choice.features import Features
from karkhana.engineers.symbolic.confirmation import Confirmation
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.localisation.localise import Suspect
from karkhana.engineers.symbolic.localisation.targets import Targets
from karkhana.ports import Assignment

TEXT = "def f(a, b):\n    return a < b\n"
TARGET, GUARD = "test_m.py::test_f", "test_m.py::test_g"
NOTHING = Features(**dict.fromkeys(Features.__struct_fields__, 0.0))


class Workshop:
    """Tools on one file in memory: the suite fails with a word of ``bad`` in it, edits to ``refused`` are refused."""

    def __init__(self, bad: tuple[str, ...] = (), refused: tuple[str, ...] = ()) -> None:
        self.text = TEXT
        self.bad = bad
        self.refused = refused
        self.pushed: list[PushChanges] = []

    def call(self, call: Any) -> Any:
        if isinstance(call, EditFile):
            if any(word in call.new for word in self.refused):
                raise ToolRefused("no", "another")
            self.text = self.text.replace(call.old, call.new)
        elif isinstance(call, WriteFile):
            self.text = call.content
        elif isinstance(call, PushChanges):
            self.pushed.append(call)
        elif isinstance(call, RunTests):
            good = not any(word in self.text for word in self.bad)
            return report(TARGET, *([GUARD] if good else []))
        return None


class Silent:
    def record(self, event: object) -> None:
        pass

    def keep(self, content: bytes) -> str:
        return ""


def report(*passed: str) -> TestReport:
    results = tuple(TestResult(name, Outcome.PASSED if name in passed else Outcome.FAILED) for name in (TARGET, GUARD))
    return TestReport(command=("pytest",), exit_code=0, results=results, duration_s=0.1)


def opinion(new: str, probability: float) -> Opinion:
    at = TEXT.index("a < b")
    hypothesis = Hypothesis(suspect=0, kind="comparison-operator", line=2, edits=(Edit(at, at + 5, new),), score=0.5)
    group = Group(members=(Ranked(hypothesis=hypothesis, value=0.0),), standing=0.0)
    return Opinion(group=group, features=NOTHING, probability=probability)


def verdict(*opinions: Opinion, question: str = "") -> Verdict:
    choice = Choice(groups=tuple(o.group for o in opinions), disagreement=0.1, question=question)
    return Verdict(choice=choice, opinions=opinions)


def confirmation(workshop: Workshop) -> Confirmation:
    assignment = Assignment(
        ticket=Ticket(text="f is wrong"),
        baseline=report(GUARD),
        budget=Budget(seconds=60.0),
        root="/workspace",
        test_command=("pytest",),
    )
    place = FunctionPlace(name="f", top=1, start=1, end=2)
    suspect = Suspect(path="m.py", place=place, score=1.0, lines={2: 1.0}, failing=(0,), passing=(1,))
    spectrum = Spectrum(
        tests=(TestRun(name=TARGET, outcome="failed", seconds=0.1), TestRun(name=GUARD, outcome="passed", seconds=0.1)),
        coverage={},
        functions={},
    )
    places = (Place(suspect=suspect, text=TEXT, file_text=TEXT),)
    targets = Targets(chosen=(0,), others=(), why="named")
    return Confirmation(Hands(assignment, workshop, Silent()), places, targets, spectrum)


def test_what_convinces_is_pushed_with_its_probability() -> None:
    workshop = Workshop()
    handover, chosen = confirmation(workshop).hand_over(verdict(opinion("a <= b", 0.97), opinion("a > b", 0.02)), 812)
    assert handover.solved
    assert handover.probability == 0.97
    assert handover.alternatives == 1
    assert handover.disagreement == 0.1
    assert "probability of 97%" in handover.summary
    assert "812 changes were tried, 2 of them passed" in handover.summary
    assert chosen.hypothesis.edits[0].text == "a <= b"
    assert workshop.text == TEXT.replace("a < b", "a <= b")
    assert len(workshop.pushed) == 1


def test_what_does_not_convince_is_told_and_not_made() -> None:
    workshop = Workshop()
    with pytest.raises(Abstention) as caught:
        confirmation(workshop).hand_over(
            verdict(opinion("a <= b", 0.001), opinion("a > b", 0.0), question="For (1, 1), is `True` right?"), 9
        )
    assert "2 changes pass, none convinces" in caught.value.reason
    assert "`return a < b` → `return a <= b` in f (0%)" in caught.value.reason
    assert caught.value.question == "For (1, 1), is `True` right?"
    assert workshop.text == TEXT
    assert workshop.pushed == []


@pytest.mark.parametrize("workshop", [Workshop(bad=("<=",)), Workshop(refused=("<=",))])
def test_a_second_choice_is_less_sure_of_itself(workshop: Workshop) -> None:
    handover, _ = confirmation(workshop).hand_over(verdict(opinion("a <= b", 0.87), opinion("a > b", 0.261)), 9)
    assert workshop.text == TEXT.replace("a < b", "a > b")
    assert handover.disagreement == 0.5
    # 0.261 of what is left once the first is out, which is at least taken for 0.3
    assert handover.probability == pytest.approx(0.87)


def test_nothing_is_pushed_when_the_whole_suite_disagrees() -> None:
    workshop = Workshop(bad=("<=", ">"))
    with pytest.raises(Abstention, match="whole suite"):
        confirmation(workshop).hand_over(verdict(opinion("a <= b", 0.87), opinion("a > b", 0.261)), 9)
    assert workshop.text == TEXT
    assert workshop.pushed == []


def test_one_change_that_does_not_convince_is_one() -> None:
    with pytest.raises(Abstention, match="the one change that passes does not convince"):
        confirmation(Workshop()).hand_over(verdict(opinion("a <= b", 0.001)), 9)


def test_the_probability_of_later_choices_stays_a_probability() -> None:
    many = verdict(*(opinion(f"a < b + {n}", 0.5) for n in range(4)))
    assert all(0.0 <= many.probability_of(n) <= 1.0 for n in range(10))
    assert many.probability_of(9) == 0.0
    assert msgspec.structs.asdict(many)["choice"].classes == 4
