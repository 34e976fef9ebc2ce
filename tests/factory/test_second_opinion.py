"""The gate ``second_opinion``, with engineers of whom is known what they come to."""

from collections.abc import Mapping

import msgspec
from tests.quality.quality_contexts import real_context

from karkhana.domain.evidence import GateStatus
from karkhana.domain.tools import EditFile, PushChanges
from karkhana.factory.second_opinion import SecondOpinion
from karkhana.ports import Assignment, Engineer, Handover, Tools, Trail

BUGGY = "def grade(points, limit=50):\n    if points > limit:\n        return 'pass'\n    return 'fail'\n"
FIXED = BUGGY.replace("points > limit", "points >= limit")
WRONG = BUGGY.replace("points > limit", "points > 3")
TESTS = (
    "import pytest\nfrom calc import grade\n\n\n"
    "def test_limit():\n    assert grade(50) == 'pass'\n\n\n"
    "@pytest.mark.parametrize('points', [0, 1, 2])\ndef test_below(points):\n    assert grade(points) == 'fail'\n"
)


class Told:
    """An engineer who makes one edit, or abstains when it would change nothing."""

    name = "told"

    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old, new
        self.seen: tuple[str, ...] = ()

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        self.seen = assignment.baseline.failing
        if self._old == self._new:
            return Handover(solved=False, reason="nothing convinces")
        tools.call(EditFile(path="calc.py", old=self._old, new=self._new))
        tools.call(PushChanges(title="Mend it", summary="one edit"))
        return Handover(solved=True, reason="mended", probability=0.8)


def check(
    engineer: Engineer, changed: str, tests: Mapping[str, str] = {"test_calc.py": TESTS}
) -> tuple[GateStatus, dict[str, float], str]:
    before = {"calc.py": BUGGY, "test_calc.py": tests.get("old", TESTS), "README.md": "a"}
    after = {"calc.py": changed, "test_calc.py": tests["test_calc.py"], "README.md": "b"}
    with real_context(before, after) as found:
        context = msgspec.structs.replace(found, change=msgspec.structs.replace(found.change, engineer="human"))
        result = SecondOpinion(engineer).check(context)
        assert context.before.changes() == ()
    return result.status, result.measures, result.summary


def test_the_same_change_and_another_that_does_the_same() -> None:
    status, measures, summary = check(Told("points > limit", "points >= limit"), FIXED)
    assert (status, measures["agrees"], summary) == (GateStatus.PASSED, 1, "a second engineer makes the same change")
    status, measures, _ = check(Told("points > limit", "not points < limit"), FIXED)
    assert (status, measures["agrees"], measures["differing"], measures["sure"]) == (GateStatus.PASSED, 1, 0, 0.8)
    assert measures["inputs"] >= 20


def test_what_cannot_be_compared_is_no_agreement() -> None:
    unused = "\n\ndef unused():\n    return 1\n"
    engineer = Told("points > limit", "points >= limit")
    for before, after in (
        ({"rates.json": "1"}, {"rates.json": "2"}),
        ({"extra.py": "x = 1\n"}, {}),
        ({"calc.py": BUGGY + unused}, {}),
    ):
        with real_context(
            {"calc.py": BUGGY, "test_calc.py": TESTS} | before, {"calc.py": FIXED, "test_calc.py": TESTS} | after
        ) as found:
            context = msgspec.structs.replace(found, change=msgspec.structs.replace(found.change, engineer="human"))
            result = SecondOpinion(engineer).check(context)
        assert (result.status, result.measures) == (GateStatus.UNKNOWN, {"asked": 1.0})


def test_a_change_that_only_fits_the_tests_is_told_with_an_input() -> None:
    with real_context({"calc.py": BUGGY, "test_calc.py": TESTS}, {"calc.py": WRONG, "test_calc.py": TESTS}) as found:
        context = msgspec.structs.replace(found, change=msgspec.structs.replace(found.change, engineer="llm"))
        result = SecondOpinion(Told("points > limit", "points >= limit")).check(context)
    assert result.status is GateStatus.FAILED
    assert result.measures["differing"] > 0
    assert result.findings[0].message.startswith("grade(")
    assert "with the change" in result.findings[0].message


def test_tests_that_the_change_brings_along_are_what_is_asked_for() -> None:
    engineer = Told("points > limit", "points >= limit")
    old = TESTS.replace("grade(50)", "grade(51)")
    assert check(engineer, FIXED, {"test_calc.py": TESTS, "old": old})[0] is GateStatus.PASSED
    assert engineer.seen == ("test_calc.py::test_limit",)


def test_whoever_abstains_says_nothing() -> None:
    status, measures, summary = check(Told("", ""), FIXED)
    assert (status, measures) == (GateStatus.UNKNOWN, {"asked": 1})
    assert summary == "the second engineer abstains: nothing convinces"


def test_nobody_is_asked_about_a_change_of_his_own_or_where_no_test_needs_it() -> None:
    engineer = Told("points > limit", "points >= limit")
    engineer.name = "human"
    assert check(engineer, FIXED)[:2] == (GateStatus.PASSED, {"asked": 0})
    green = TESTS.replace("grade(50)", "grade(51)")
    engineer.name = "told"
    status, _, summary = check(engineer, FIXED, {"test_calc.py": green, "old": green})
    assert (status, summary) == (GateStatus.UNKNOWN, "no test fails before the change and passes with it")
    assert engineer.seen == ()
