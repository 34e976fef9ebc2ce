"""How the search spends its budget."""

import json
from typing import Any

import pytest

from karkhana.behaviour.spectra import FunctionPlace, Spectrum, TestRun
from karkhana.behaviour.validation import Edit
from karkhana.domain.tools import CommandResult
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.localisation.localise import Suspect
from karkhana.engineers.symbolic.search import Budget, Search, horizons


@pytest.mark.parametrize(
    ("scores", "first", "last"),
    [
        ([1.0] + [0.5] * 300 + [0.02] * 300, 300, 100),
        ([1.0] + [0.01] * 600, 100, 100),
        ([1.0] * 3000, 1500, 100),
        ([0.5], 100, 100),
    ],
)
def test_rivals_are_those_that_seemed_nearly_as_likely(scores: list[float], first: int, last: int) -> None:
    found = horizons(scores, most=1500)
    assert found[0] == first
    assert found[-1] == last
    assert len(found) == len(scores)


def test_an_unlikely_first_hit_has_all_others_for_rivals() -> None:
    assert horizons([1.0] * 10 + [0.02] + [0.005] * 900, most=1500)[10] == 900


def test_nothing_to_try() -> None:
    assert horizons([], most=10) == []


def _jobs_of(text: str) -> list[dict[str, Any]]:
    """What the search asks for when the only test file holds ``text``."""
    jobs: list[dict[str, Any]] = []

    def run(argv: tuple[str, ...], stdin: bytes, timeout_s: float | None) -> CommandResult:
        jobs.append(json.loads(stdin))
        answer = jobs[-1]["marker"] + '{"seconds": 0.1, "start": 0.1, "tried": 0}\n'
        return CommandResult(exit_code=0, stdout=answer.encode(), stderr=b"", duration_s=0.1)

    place = FunctionPlace(name="f", top=1, start=1, end=2)
    program = "def f(a):\n    return a\n"
    suspect = Suspect(path="m.py", place=place, score=1.0, lines={2: 1.0}, failing=(0,), passing=())
    spectrum = Spectrum(
        tests=(TestRun(name="test_m.py::test_f", outcome="failed", seconds=0.01),), coverage={}, functions={}
    )
    places = (Place(suspect=suspect, text=program, file_text=program),)
    search = Search(run, spectrum, ("-q",), places, Budget(seconds=30.0), read={"test_m.py": text}.get)
    change = Hypothesis(suspect=0, kind="sign", line=2, edits=(Edit(20, 21, "-a"),), score=1.0)
    search.singles([change])
    search.fresh([change], as_rivals=True)
    return jobs


def test_asserts_are_rewritten_only_for_tests_that_look_at_them() -> None:
    plain = _jobs_of("def test_f():\n    assert f(1) == -1\n")
    assert all("--assert=plain" in job["pytest"] for job in plain)
    looked_at = _jobs_of("def test_f():\n    with raises(AssertionError, match='1 == 2'):\n        check()\n")
    assert not any("--assert=plain" in job["pytest"] for job in looked_at)


def test_rivals_that_need_a_new_interpreter_get_less_time() -> None:
    first, rivals = _jobs_of("")
    assert rivals["seconds"] < first["seconds"] / 2
