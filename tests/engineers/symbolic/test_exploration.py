"""The order of the attempts."""

from collections.abc import Sequence
from typing import cast

from karkhana.behaviour.validation import Edit
from karkhana.engineers.symbolic.exploration import Exploration
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis
from karkhana.engineers.symbolic.hands import Hands
from karkhana.engineers.symbolic.pool import Pool
from karkhana.engineers.symbolic.search import Outcome, Search


def change(number: int, score: float, *, fresh: bool = False) -> Hypothesis:
    return Hypothesis(suspect=0, kind="sign", line=1, edits=(Edit(number, number, "-"),), score=score, fresh=fresh)


class Recorder:
    """A search in which the changes of ``passing`` pass; remembers what it was asked to try."""

    def __init__(self, passing: Sequence[Hypothesis]) -> None:
        self.passing = passing
        self.asked: list[tuple[str, list[Hypothesis]]] = []

    def singles(self, ideas: list[Hypothesis]) -> Outcome:
        return self._outcome("live", ideas)

    def fresh(self, ideas: list[Hypothesis], *, as_rivals: bool = False) -> Outcome:
        return self._outcome("rivals" if as_rivals else "fresh", ideas)

    def again_in_order(self, outcome: Outcome) -> Outcome:
        return self._outcome("in order", [])

    def again_longer(self, outcome: Outcome) -> Outcome:
        return self._outcome("longer", [])

    def pairs(self, outcome: Outcome) -> Outcome:
        return self._outcome("pairs", [])

    def _outcome(self, name: str, ideas: list[Hypothesis]) -> Outcome:
        self.asked.append((name, ideas))
        passing = tuple(idea for idea in ideas if idea in self.passing)
        return Outcome(tried=tuple(ideas), statuses="f" * len(ideas), passing=passing, cpu_s=0.1)


def asked(ideas: list[Hypothesis], passing: Sequence[Hypothesis]) -> list[tuple[str, list[Hypothesis]]]:
    """All attempts, carried out one after the other."""
    recorder, so_far = Recorder(passing), list[Outcome]()
    exploration = Exploration(cast(Hands, None))
    for _, attempt, _ in exploration._attempts(cast(Search, recorder), ideas, so_far):
        so_far.append(attempt())
    return [(name, tried) for name, tried in recorder.asked if tried]


def test_what_needs_a_new_interpreter_comes_before_the_unlikely() -> None:
    likely, unlikely = [change(n, 0.5) for n in range(2500)], [change(n, 0.1) for n in range(2500, 2600)]
    constant = change(9000, 0.3, fresh=True)
    assert asked([*likely, constant, *unlikely], []) == [("live", likely), ("fresh", [constant]), ("live", unlikely)]


def test_rivals_as_likely_as_what_passes_are_tried_before_it_counts() -> None:
    hit = change(1, 0.5)
    better, worse = change(2, 0.3, fresh=True), change(3, 0.2, fresh=True)
    assert asked([hit, better, worse], [hit]) == [("live", [hit]), ("rivals", [better]), ("rivals", [worse])]


class Slips:
    """A pool whose proposals all have one slip."""

    def __init__(self, small: list[Hypothesis]) -> None:
        self.small = small

    def small_changes(self, outcome: Outcome) -> list[Hypothesis]:
        return self.small


class Half(Recorder):
    """A search in which what is tried live repairs a part, or cannot be tried so."""

    def __init__(self, statuses: str, passing: Sequence[Hypothesis]) -> None:
        super().__init__(passing)
        self.statuses = statuses

    def singles(self, ideas: list[Hypothesis]) -> Outcome:
        outcome = super().singles(ideas)
        return Outcome(
            tried=outcome.tried, statuses=self.statuses[: len(ideas)], passing=outcome.passing, cpu_s=outcome.cpu_s
        )

    def again_in_order(self, outcome: Outcome) -> Outcome:
        return self._outcome("in order", [h for h, s in zip(outcome.tried, outcome.statuses, strict=True) if s == "n"])


def proposed(
    search: Recorder, new: list[Hypothesis], small: list[Hypothesis], *, mend: bool = True
) -> list[tuple[str, list[Hypothesis]]]:
    exploration, pool = Exploration(cast(Hands, None)), cast(Pool, Slips(small))
    for _, attempt in exploration._proposed(cast(Search, search), pool, new, mend=mend):
        attempt()
    return [(name, tried) for name, tried in search.asked if tried]


def test_a_proposal_that_passes_is_not_changed_any_more() -> None:
    hit, slip = change(1, 0.5), change(2, 0.1)
    assert proposed(Half("p", [hit]), [hit], [slip]) == [("live", [hit])]


def test_what_repairs_a_part_is_run_in_the_suites_order_before_its_slips_are_looked_for() -> None:
    part, slip = change(1, 0.5), change(2, 0.1)
    assert proposed(Half("n", []), [part], [slip]) == [("live", [part]), ("in order", [part]), ("live", [slip])]


def test_slips_are_not_looked_for_when_something_passes_already() -> None:
    part, slip = change(1, 0.5), change(2, 0.1)
    assert proposed(Half("n", []), [part], [slip], mend=False) == [("live", [part]), ("in order", [part])]


def test_what_no_live_function_takes_on_is_tried_in_a_new_interpreter() -> None:
    odd, signature = change(1, 0.5), change(2, 0.6, fresh=True)
    assert proposed(Half("x", []), [odd, signature], []) == [
        ("live", [odd]),
        ("fresh", [signature, change(1, 0.5, fresh=True)]),
    ]
