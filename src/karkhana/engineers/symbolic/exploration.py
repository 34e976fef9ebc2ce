"""Trying: one attempt after the other, the cheap ones first, until something convincing passes.

Knows the order of the attempts; knows nothing of how candidates are judged or how a change is handed over.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from karkhana.behaviour.running import ProbeFailed, pytest_arguments
from karkhana.behaviour.spectra import Spectrum
from karkhana.behaviour.validation import UNTRIED, apply
from karkhana.domain.events import HypothesisTried
from karkhana.engineers.symbolic.choice.comparison import ASK, Comparison, Verdict
from karkhana.engineers.symbolic.choice.evidence import Voices
from karkhana.engineers.symbolic.choice.probability import load_model
from karkhana.engineers.symbolic.circumstances import Circumstances
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.hands import Abstention, Hands, NothingPasses
from karkhana.engineers.symbolic.pool import Pool
from karkhana.engineers.symbolic.proposals import Case, Passing, Rewrite
from karkhana.engineers.symbolic.search import Budget, Outcome, Search

_RESERVE_S = 20.0
"""Seconds kept back for confirming and handing over."""
_CPU_S = 30.0
"""CPU seconds for running candidates, over all groups of failing tests."""
_LEAST_CPU_S = 3.0
_PROPOSED_CPU_S = 10.0
"""CPU seconds for running what others propose, over all rounds of one search."""
_SURE = 0.9
"""Probability from which on nobody else is asked."""
_FIRST = 2500
"""Live candidates that are tried before those that need a fresh interpreter; the right one is seldom behind them."""
_HEARD = 8
"""Candidates in need of a fresh interpreter that are tried although something convincing passes already."""
_AS_LIKELY = 0.5
"""Share of the score of what passes from which on those are tried."""
_NAMED = 3
"""Places that a note names."""
_WORDS = {
    "f": "fail",
    "n": "repair a part",
    "t": "run out of time",
    "c": "end the process",
    "u": "pass once, not always",
    "p": "pass",
}


class Exploration:
    """All attempts on one assignment, and what came of them."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self.tried: list[str] = []
        """One line per attempt, for the hand-over."""
        self.count = 0
        """Candidates that were run."""
        self._now = ""
        self._cpu_left = _CPU_S

    def choose(
        self,
        spectrum: Spectrum,
        places: tuple[Place, ...],
        ideas: list[Hypothesis],
        known: Circumstances,
        *,
        share: float,
        others: "Others | None" = None,
    ) -> Verdict:
        """Try ``ideas`` in a share of the time that is left, and judge those that pass.

        When what passes does not convince, constants and signatures are tried too, then what ``others`` propose,
        before it is returned as it is. Raises :class:`NothingPasses`, or ``Abstention`` when what passes makes no
        sense.
        """
        budget = Budget(seconds=max(1.0, (self._hands.left() - _RESERVE_S) * share), cpu_s=self._cpu_left * share)
        arguments = pytest_arguments(self._hands.assignment.test_command)

        def search_within(budget: Budget) -> Search:
            tell = self._announcer(places)
            return Search(self._hands.run, spectrum, arguments, places, budget, announce=tell, read=self._hands.text)

        search = search_within(budget)
        found = _Found(Comparison(self._hands, search, places, spectrum, known))
        try:
            self._try_own(search, found, places, ideas)
        finally:
            self._cpu_left = max(_LEAST_CPU_S, self._cpu_left - search.spent_s)
        if others is not None and not found.convinces(_SURE):
            case = msgspec.structs.replace(others.case, passing=found.passing_in(others.case.places))
            pool = others.pool(places, spectrum, known)
            self._try_proposed(others.rewrites(case), pool, search_within, found, places)
        return self._judged(found, places)

    def _try_own(self, search: Search, found: "_Found", places: tuple[Place, ...], ideas: list[Hypothesis]) -> None:
        """Try what the templates made, attempt by attempt."""
        outcomes = found.outcomes
        for position, (note, attempt, is_dear) in enumerate(self._attempts(search, ideas, outcomes)):
            # Rivals that seemed as likely as what passes are heard first.
            if position > 1 and found.convinces(load_model().threshold):
                break
            if is_dear and found.verdict is not None:
                continue
            try:
                outcome = self._attempt(note, attempt, places)
            except ProbeFailed as error:
                if not outcomes:
                    raise
                # What the attempts before it found still stands.
                self._hands.note(f"given up: {note}: {error.message}")
                continue
            outcomes.append(outcome)
            if outcome.passing:
                found.judge()

    def _try_proposed(
        self,
        rounds: Iterator[Sequence[Rewrite]],
        pool: Pool,
        search_within: Callable[[Budget], Search],
        found: "_Found",
        places: tuple[Place, ...],
    ) -> None:
        """Try what others propose, round by round, until it convinces or nobody proposes more."""
        found.voices = pool.voices
        spent = 0.0
        for rewrites in rounds:
            before = pool.heard
            new = pool.candidates(rewrites)
            left = max(_LEAST_CPU_S, _PROPOSED_CPU_S - spent)
            search = search_within(Budget(seconds=max(1.0, self._hands.left() - _RESERVE_S), cpu_s=left))
            for note, attempt in self._proposed(search, pool, new, mend=not found.passing):
                outcome = self._attempt(note, attempt, places)
                found.outcomes.append(outcome)
            spent += search.spent_s
            if found.passing and pool.heard != before:
                found.judge()
            if found.convinces(_SURE) or self._hands.left() < _RESERVE_S:
                return

    def _proposed(
        self, search: Search, pool: Pool, new: list[Hypothesis], *, mend: bool
    ) -> Iterator[tuple[str, Callable[[], Outcome]]]:
        """The attempts of one round: as they are, in a new interpreter, in the suite's order, with slips mended.

        ``mend``: look for slips; where something passes already, proposals are asked for to tell what is right.
        """
        done: list[Outcome] = []

        def remembered(outcome: Outcome) -> Outcome:
            done.append(outcome)
            return outcome

        yield "proposed", lambda: remembered(search.singles([h for h in new if not h.fresh]))
        unfit = _untried(done[0])
        fresh = sorted([*unfit, *(h for h in new if h.fresh)], key=lambda h: -h.score)
        if fresh:
            yield "proposed, in a new interpreter", lambda: remembered(search.fresh(fresh[:_HEARD]))
        if done[0].near and not any(outcome.passing for outcome in done):
            yield "proposed, in the suite's own order", lambda: remembered(search.again_in_order(done[0]))
        if mend and not any(outcome.passing for outcome in done):
            near = pool.small_changes(done[0])
            if near:
                yield "small changes of what was proposed", lambda: search.singles(near)

    def _judged(self, found: "_Found", places: tuple[Place, ...]) -> Verdict:
        if found.verdict is not None:
            return found.verdict
        if found.nonsense is not None:
            raise found.nonsense
        where = ", ".join(p.name for p in places[:4])
        raise NothingPasses(
            f"none of {self.count} changes to {where} makes the failing tests pass without breaking others", ASK
        )

    def _attempts(
        self, search: Search, ideas: list[Hypothesis], so_far: list[Outcome]
    ) -> tuple[tuple[str, Callable[[], Outcome], bool], ...]:
        """(note, attempt, whether it is only worth its price when nothing has passed)."""
        live = [idea for idea in ideas if not idea.fresh]
        fresh = [idea for idea in ideas if idea.fresh]

        def passing() -> list[Hypothesis]:
            return [h for outcome in so_far for h in outcome.passing]

        def as_likely() -> list[Hypothesis]:
            least = _AS_LIKELY * max((h.score for h in passing()), default=math.inf)
            return [idea for idea in fresh if idea.score >= least][:_HEARD]

        def other() -> list[Hypothesis]:
            heard = {(h.suspect, h.edits) for outcome in so_far[1:2] for h in outcome.tried}
            return [idea for idea in fresh if (idea.suspect, idea.edits) not in heard]

        return (
            ("", lambda: search.singles(live[:_FIRST]), False),
            ("rivals that need a new interpreter", lambda: search.fresh(as_likely(), as_rivals=True), False),
            ("again, in the suite's own order", lambda: search.again_in_order(so_far[0]), True),
            (
                "constants, defaults and what runs at import",
                lambda: search.fresh(other(), as_rivals=bool(passing())),
                False,
            ),
            ("less likely ones", lambda: search.singles(live[_FIRST:]), True),
            ("again, with more time", lambda: search.again_longer(so_far[0]), True),
            ("two changes at once", lambda: search.pairs(so_far[0]), True),
        )

    def _announcer(self, places: tuple[Place, ...]) -> Callable[[int], None]:
        more = f" and {len(places) - _NAMED} other places" if len(places) > _NAMED else ""
        where = ", ".join(f"`{place.name}`" for place in places[:_NAMED]) + more

        def announce(count: int) -> None:
            how = f" ({self._now})" if self._now else ""
            self._hands.note(f"trying up to {count} changes of {where}{how}")

        return announce

    def _attempt(self, note: str, attempt: Callable[[], Outcome], places: tuple[Place, ...]) -> Outcome:
        self._now = note
        outcome = attempt()
        self._report(places, outcome, note)
        return outcome

    def _report(self, places: tuple[Place, ...], outcome: Outcome, note: str) -> None:
        """One event per suspect and template, and a line of what was tried."""
        self.count += outcome.count
        table: dict[tuple[int, str], tuple[int, Counter[str]]] = {}
        for hypothesis, status in zip(outcome.tried, outcome.statuses, strict=True):
            if status not in "-dsx":
                row = table.setdefault((hypothesis.suspect, hypothesis.kind), (hypothesis.line, Counter()))
                row[1][status] += 1
        for (number, kind), (line, ends) in sorted(table.items()):
            if "+" in kind and not ends["p"]:
                continue
            why = ", ".join(f"{n} {_WORDS[s]}" for s, n in sorted(ends.items()) if s in "ntcu")
            self._hands.record(
                HypothesisTried(
                    place=f"{places[number].suspect.path}:{line}",
                    kind=kind,
                    tried=ends.total(),
                    passing=ends["p"],
                    note="; ".join(part for part in (note, why) if part),
                )
            )
        if outcome.count:
            self.tried.append(
                f"{outcome.count} changes{' (' + note + ')' if note else ''} in "
                f"{len({n for n, _ in table})} function(s): {len(outcome.passing)} pass"
            )


def _untried(outcome: Outcome) -> list[Hypothesis]:
    """What no live function could take on."""
    pairs = zip(outcome.tried, outcome.statuses, strict=True)
    return [msgspec.structs.replace(h, fresh=True) for h, status in pairs if status == UNTRIED]


class _Found:
    """What passed so far, and what it is worth."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self.outcomes: list[Outcome] = []
        self.voices: Voices = {}
        self.verdict: Verdict | None = None
        self.nonsense: Abstention | None = None

    @property
    def passing(self) -> bool:
        return any(outcome.passing for outcome in self.outcomes)

    def passing_in(self, places: tuple[Place, ...]) -> tuple[Passing, ...]:
        """The best of each class of changes that pass, as texts of functions."""
        groups = self.verdict.choice.groups if self.verdict is not None else ()
        best = [group.best.hypothesis for group in groups]
        return tuple(
            Passing(place=h.suspect, text=apply(places[h.suspect].text, h.edits))
            for h in best
            if h.suspect < len(places) and not places[h.suspect].is_file
        )

    def judge(self) -> None:
        try:
            self.verdict = self._comparison.verdict(self.outcomes, self.voices)
        except Abstention as abstention:
            self.nonsense = abstention

    def convinces(self, least: float) -> bool:
        return self.verdict is not None and self.verdict.probability_of(0) >= least


class Others(msgspec.Struct, frozen=True):
    """Whoever proposes changes of the places of a search."""

    case: Case
    rewrites: Callable[[Case], Iterator[Sequence[Rewrite]]]
    pool: Callable[[tuple[Place, ...], Spectrum, Circumstances], Pool]
