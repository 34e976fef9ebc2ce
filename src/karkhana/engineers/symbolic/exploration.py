"""Trying and comparing: from suspicious places to a ranked choice, with every step in the trail.

Knows the order of the attempts; knows nothing of how a change is handed over.
"""

from collections.abc import Callable

from karkhana.behaviour.running import ProbeFailed, pytest_arguments
from karkhana.behaviour.spectra import Spectrum
from karkhana.domain.events import CandidatesCompared, HypothesisTried
from karkhana.engineers.symbolic.choose import Choice, choose, rank_by_text, with_others
from karkhana.engineers.symbolic.hands import Abstention, Hands, NothingPasses
from karkhana.engineers.symbolic.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.search import Budget, Outcome, Search
from karkhana.engineers.symbolic.wording import shown

_COMPARED = 40
"""Passing candidates whose behaviour is compared."""
_RESERVE_S = 20.0
"""Seconds kept back for confirming and handing over."""
_ASK = "What should the code do instead? A second example would narrow it down."


class Exploration:
    """All attempts on one assignment, and what came of them."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self.tried: list[str] = []
        """One line per attempt, for the hand-over."""
        self.count = 0
        """Candidates that were run."""

    def choose(
        self,
        spectrum: Spectrum,
        places: tuple[Place, ...],
        ideas: list[Hypothesis],
        literals: tuple[str, ...],
        share: float,
    ) -> Choice:
        """Try ``ideas`` in a share of the time that is left, and rank those that pass.

        Raises :class:`NothingPasses`, or ``Abstention`` when what passes makes no sense.
        """
        budget = Budget(seconds=max(1.0, (self._hands.left() - _RESERVE_S) * share))
        arguments = pytest_arguments(self._hands.assignment.test_command)
        search = Search(self._hands.run, spectrum, arguments, places, budget)
        outcome = self._search(search, places, ideas)
        return self._compare(search, places, outcome, literals, spectrum)

    def _search(self, search: Search, places: tuple[Place, ...], ideas: list[Hypothesis]) -> Outcome:
        """One attempt after the other, the cheap ones first, until something passes."""
        first = search.singles([idea for idea in ideas if not idea.fresh])
        attempts: tuple[tuple[str, Callable[[], Outcome]], ...] = (
            ("", lambda: first),
            ("again, in the suite's own order", lambda: search.again_in_order(first)),
            ("again, with more time", lambda: search.again_longer(first)),
            ("constants and defaults", lambda: search.fresh([idea for idea in ideas if idea.fresh])),
            ("two changes at once", lambda: search.pairs(first)),
        )
        for note, attempt in attempts:
            outcome = attempt()
            self._report(places, outcome, note)
            if outcome.passing:
                return outcome
        where = ", ".join(p.name for p in places[:4])
        raise NothingPasses(
            f"none of {self.count} changes to {where} makes the failing tests pass without breaking others", _ASK
        )

    def _report(self, places: tuple[Place, ...], outcome: Outcome, note: str) -> None:
        """One event per suspect and template, and a line of what was tried."""
        self.count += outcome.count
        table: dict[tuple[int, str], list[int]] = {}
        for hypothesis, status in zip(outcome.tried, outcome.statuses, strict=True):
            if status in "-dsx":
                continue
            row = table.setdefault((hypothesis.suspect, hypothesis.kind), [0, 0, hypothesis.line])
            row[0] += 1
            row[1] += status == "p"
        for (number, kind), (tried, passing, line) in sorted(table.items()):
            path = places[number].suspect.path
            if "+" not in kind or passing:
                self._hands.record(
                    HypothesisTried(place=f"{path}:{line}", kind=kind, tried=tried, passing=passing, note=note)
                )
        if outcome.count:
            self.tried.append(
                f"{outcome.count} changes{' (' + note + ')' if note else ''} in "
                f"{len({n for n, _ in table})} function(s): {len(outcome.passing)} pass"
            )

    def _compare(
        self, search: Search, places: tuple[Place, ...], outcome: Outcome, literals: tuple[str, ...], spectrum: Spectrum
    ) -> Choice:
        """Rank what passes: by its text, then by what it does on inputs like those of the tests."""
        every = rank_by_text(places, outcome.passing, literals)
        ranked = [r for r in every if not r.absurd]
        if not ranked:
            place = places[every[0].hypothesis.suspect]
            raise Abstention(
                f"only changes that make no sense pass the tests, such as {shown(place, every[0].hypothesis)}: "
                + "; ".join(every[0].reasons),
                _ASK,
            )
        first = ranked[0].hypothesis.suspect
        same = [r for r in ranked if r.hypothesis.suspect == first and not r.hypothesis.fresh][:_COMPARED]
        others = [r for r in ranked if r not in same]
        observations = None
        if same and (len(ranked) > 1 or self._hands.left() > 2 * _RESERVE_S):
            try:
                observations = search.observed(first, [r.hypothesis for r in same], literals)
            except ProbeFailed as error:
                self._hands.note(f"behaviour was not compared: {error.message}")
        failures = [spectrum.tests[n].failure for n in places[first].suspect.failing]
        raised = all(f is None or f.type not in ("AssertionError", "Failed") for f in failures)
        if same:
            choice = with_others(choose(same, observations, raised=raised), others)
        else:
            choice = choose(ranked, None, raised=raised)
        best = choice.ranked[0]
        self._hands.record(
            CandidatesCompared(
                passing=len(ranked),
                classes=choice.classes,
                disagreement=choice.disagreement,
                chosen=shown(places[best.hypothesis.suspect], best.hypothesis),
                reasons=best.reasons,
                distinguishing_input=choice.distinguishing,
            )
        )
        return choice
