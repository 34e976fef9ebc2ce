"""What the engineer takes from lessons, and the credits that it claims."""

import math

import pytest

from karkhana.behaviour.spectra import Failure, FunctionPlace, Spectrum, TestRun
from karkhana.domain.events import AnyEvent, HypothesisTried, Noted
from karkhana.domain.lessons import Credit, Lesson, Role, Verdict, taught
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.localisation.localise import Reason, Suspect, shipped_weights
from karkhana.engineers.symbolic.lore import (
    Lore,
    Witness,
    balanced,
    circumstance_of,
    multipliers,
    shipped_lessons,
    signal_credits,
    signal_weights,
    template_credits,
    told,
)


def spectrum(*kinds: str) -> Spectrum:
    tests = [
        TestRun(
            name=f"t.py::t{n}", outcome="failed", seconds=0.0, failure=Failure(type=kind) if kind != "timeout" else None
        )
        for n, kind in enumerate(kinds)
    ]
    return Spectrum(tests=tuple(tests), coverage={}, functions={})


def lesson(subject: str, good: float = 0.0, bad: float = 0.0, circumstance: str = "KeyError") -> Lesson:
    return Lesson(subject=subject, circumstance=circumstance, good=good, bad=bad)


def test_the_commonest_failure_is_the_circumstance() -> None:
    assert circumstance_of(spectrum("KeyError", "TypeError", "KeyError"), [0, 1, 2]) == "KeyError"
    assert circumstance_of(spectrum("KeyError", "TypeError"), [0, 1]) == "KeyError"
    assert circumstance_of(spectrum("timeout"), [0]) == "failed"
    assert circumstance_of(spectrum(), []) == ""


def test_templates_that_worked_are_raised_and_the_others_left_alone() -> None:
    lessons = [lesson("template:a", good=4.0, bad=40.0), lesson("signal:a", good=9.0)]
    factors = multipliers(lessons, "KeyError", {"a": 1, "b": 9})
    assert list(factors) == ["a"]
    assert factors["a"] > 1.0
    other = multipliers([lesson("template:a", good=4.0, bad=40.0)], "TypeError", {"a": 1, "b": 9})
    assert 1.0 < other["a"] <= factors["a"]


def test_scores_keep_their_scale() -> None:
    priors = {"a": 3.0, "b": 1.0, "c": 1.0}
    found = balanced({"a": 0.25, "b": 2.0}, priors)
    assert found["b"] / found["a"] == pytest.approx(8.0)
    assert sum(priors[n] * math.log(found[n]) for n in priors) == pytest.approx(0.0)
    assert balanced({}, priors) == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_the_shipped_experience_names_templates_and_is_not_told_as_learned() -> None:
    shipped = shipped_lessons()
    assert shipped
    assert {lesson.subject for lesson in shipped} <= {f"template:{name}" for name in catalogue()}
    assert all(lesson.good >= 0 <= lesson.bad and not lesson.here for lesson in shipped)
    lore = Lore(())
    lore.meet(spectrum("KeyError"), [0])
    assert len(set(lore.templates.values())) > 1
    assert not lore.told


def test_signals_keep_their_sum() -> None:
    shipped = shipped_weights()
    learned = signal_weights([lesson("signal:words", good=8.0), lesson("signal:ochiai", bad=8.0)], "KeyError", shipped)
    assert sum(learned.values()) == pytest.approx(sum(shipped.values()))
    assert learned["words"] > shipped["words"]
    assert learned["ochiai"] < shipped["ochiai"]
    assert signal_weights([], "KeyError", shipped) == pytest.approx(shipped)


def test_a_pair_shares_the_success_and_each_candidate_is_a_trial() -> None:
    found = template_credits("KeyError", {"a": 5, "b": 1, "c": 7, "a+d": 2}, "a+b")
    assert found == (
        Credit(subject="template:a", circumstance="KeyError", role=Role.USED, trials=0.5, stake=150.0),
        Credit(subject="template:b", circumstance="KeyError", role=Role.USED, trials=0.5, stake=150.0),
        Credit(subject="template:a", circumstance="KeyError", role=Role.IN_VAIN, trials=6.0),
        Credit(subject="template:c", circumstance="KeyError", role=Role.IN_VAIN, trials=7.0),
        Credit(subject="template:d", circumstance="KeyError", role=Role.IN_VAIN, trials=2.0),
    )
    assert template_credits("KeyError", {"a": 3}) == (
        Credit(subject="template:a", circumstance="KeyError", role=Role.IN_VAIN, trials=3.0),
    )


def test_a_signal_earns_by_the_rank_it_gave() -> None:
    lessons = taught(signal_credits("KeyError", {"words": 1, "ochiai": 4}), Verdict.GOOD)
    assert lessons == (
        Lesson(subject="signal:ochiai", circumstance="KeyError", good=0.25, bad=0.75),
        Lesson(subject="signal:words", circumstance="KeyError", good=1.0),
    )


def test_a_wrong_place_is_not_concluded_from_a_wrong_change() -> None:
    assert taught(signal_credits("KeyError", {"words": 1, "ochiai": 4}), Verdict.BAD) == ()


def test_only_notable_changes_are_told() -> None:
    assert not told({"a": 1.1, "b": 0.9})
    assert told({"a": 3.04, "b": 0.5, "c": 1.0}) == "past outcomes make more likely a x3.0; less likely b x0.50"


def suspect(name: str, **values: float) -> Suspect:
    place = FunctionPlace(name=name, top=1, start=1, end=2)
    reasons = tuple(Reason(signal, value, 1.0) for signal, value in values.items())
    return Suspect(path="a.py", place=place, score=1.0, lines={}, failing=(), passing=(), reasons=reasons)


def test_an_assignment_from_lessons_to_credits() -> None:
    name = next(iter(catalogue()))
    lore = Lore([lesson(f"template:{name}", good=20.0), lesson("signal:words", good=20.0)])
    lore.meet(spectrum("KeyError"), [0])
    assert lore.templates[name] > 2.0
    assert lore.signals["words"] > shipped_weights()["words"]
    assert name in lore.told
    first, second = suspect("f", ochiai=1.0, words=0.0, recency=0.0), suspect("g", ochiai=0.5, words=0.4, recency=0.0)
    lore.suspects = (first, second)
    lore.chosen(name, second)
    ranks = {c.subject: c.trials for c in lore.credits({name: 4}) if c.role is Role.USED}
    assert ranks == {f"template:{name}": 1.0, "signal:ochiai": 0.5, "signal:words": 1.0}


def test_without_a_change_only_what_was_tried_gets_credit() -> None:
    lore = Lore(())
    lore.meet(spectrum("KeyError"), [0])
    assert not lore.told
    assert [(c.subject, c.role) for c in lore.credits({"negation": 2})] == [("template:negation", Role.IN_VAIN)]


class Kept:
    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def record(self, event: AnyEvent) -> None:
        self.events.append(event)

    def keep(self, content: bytes) -> str:
        return str(len(content))


def test_a_witness_passes_everything_on_and_remembers_what_was_tried() -> None:
    kept = Kept()
    witness = Witness(kept)
    witness.record(Noted(text="x"))
    for kind in ("b", "a", "b"):
        witness.record(HypothesisTried(place="a.py:1", kind=kind, tried=3, passing=0))
    assert witness.tried == {"b": 6, "a": 3}
    assert len(kept.events) == 4
    assert witness.keep(b"abc") == "3"
