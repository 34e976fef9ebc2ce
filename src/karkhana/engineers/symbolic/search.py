"""The search: from hypotheses to those that turn the target tests green and break nothing.

One-place changes first, then pairs of the most telling ones. Knows how to spend a budget; knows nothing of
which passing candidate is the right one.
"""

import bisect
import itertools
import re
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from karkhana.behaviour.observation import Observations, compare
from karkhana.behaviour.running import Run
from karkhana.behaviour.spectra import Spectrum
from karkhana.behaviour.validation import NEAR, OVERTIME, PASSES, Proposal, Target, Validation, validate
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place

_LEAST_S = 0.03
_TIMES = 6.0
_UNKNOWN_S = 0.015
"""CPU seconds for a test that never ended, when nothing like it is known; see :meth:`Search.again_longer`."""
_STRETCH = 20.0
_MAIN = 0.65
"""Share of the time that is left for one-place changes; constants and pairs shall have their turn."""
_LONGER = 0.2
"""Share of the time that is left for what ran out of time, which is hopeless as a rule."""
_FRESH = 0.6
"""The same for changes that need the suite collected again."""
_RIVALS = 0.25
"""The same when something passes without them."""
_OBSERVATION_S = 8.0
"""CPU seconds for comparing the behaviour of passing candidates."""
_FAINT = 0.03
"""Share of the score of a candidate that passes below which others are no rivals."""
_FEWEST_RIVALS = 100
_WITH_VALUE = frozenset({"-p", "-o", "-W", "-c", "--rootdir", "-k", "-m", "--override-ini"})
_PLAIN = ("--assert=plain",)
"""Collecting takes half the CPU time when asserts are not rewritten; whether a test passes is all that counts."""
_ASSERTION_TEXT = re.compile(r"AssertionError\b[^\n]*(?:\bmatch\s*=|\bas\s)|assertRaisesRegex\w*\(\s*AssertionError")
_TEST_FILES = 20
_SLOWEST_PASSING = 400
"""Passing tests that are run for a candidate; the quickest ones are taken."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How much the search may cost."""

    seconds: float
    """Wall-clock seconds."""
    cpu_s: float = 30.0
    """CPU seconds of the candidates' runs together."""
    candidates: int = 8000
    beyond: int = 1500
    """Candidates to try after the first that passes: the rivals it is compared with."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the search found."""

    tried: tuple[Hypothesis, ...]
    """Everything that was run, in order."""
    statuses: str
    """One letter each; see ``karkhana.behaviour.validation``."""
    passing: tuple[Hypothesis, ...]
    cpu_s: float

    @property
    def count(self) -> int:
        return sum(s not in "-dsx" for s in self.statuses)

    @property
    def near(self) -> int:
        """Candidates that turned some of the target tests green, not all."""
        return self.statuses.count(NEAR)


class Search:
    """Runs hypotheses of one set of places against one set of target tests."""

    def __init__(
        self,
        run: Run,
        spectrum: Spectrum,
        arguments: tuple[str, ...],
        places: Sequence[Place],
        budget: Budget,
        *,
        announce: Callable[[int], None] | None = None,
        read: Callable[[str], str | None] | None = None,
    ) -> None:
        """``announce`` is told the number of candidates of each attempt before it begins; ``read`` gives texts."""
        self._announce = announce
        self._run = run
        self._spectrum = spectrum
        self._places = places
        self._budget = budget
        self._deadline = time.monotonic() + budget.seconds
        self.spent_s = 0.0
        """CPU seconds of the candidates that were run."""
        self._numbers, self._targets = self._prepare()
        files = dict.fromkeys(spectrum.tests[n].name.split("::")[0] for n in self._numbers)
        self._arguments = (*_options(arguments), *files)
        self._plainly = _PLAIN if read is not None and not _about_assertions(files, read) else ()
        if spectrum.rootdir:
            self._arguments += ("--rootdir", spectrum.rootdir)
        if spectrum.inifile:
            self._arguments += ("-c", spectrum.inifile)

    def _prepare(self) -> tuple[list[int], list[Target]]:
        """The tests that matter (in the suite's order), and the places with test numbers among those."""
        tests = self._spectrum.tests
        chosen: list[tuple[list[int], list[int]]] = []
        every = sorted({n for p in self._places for n in p.suspect.failing}, key=lambda n: (tests[n].seconds, n))
        for place in self._places:
            own = set(place.suspect.failing)
            failing = [n for n in every if n in own] + [n for n in every if n not in own]
            passing = sorted(place.suspect.passing, key=lambda n: (tests[n].seconds, n))[:_SLOWEST_PASSING]
            chosen.append((failing, passing))
        numbers = sorted({n for failing, passing in chosen for n in (*failing, *passing)})
        index = {n: i for i, n in enumerate(numbers)}
        targets = [
            Target(
                path=place.suspect.path,
                text=place.text,
                place=place.suspect.place if place.suspect.place.name else None,
                failing=tuple(index[n] for n in failing),
                passing=tuple(index[n] for n in passing),
            )
            for place, (failing, passing) in zip(self._places, chosen, strict=True)
        ]
        return numbers, targets

    def limits(self) -> list[float]:
        """CPU seconds for each test: six times its own, from the tests around it when it never ended."""
        tests = self._spectrum.tests
        passing = sorted(tests[n].seconds for n in self._spectrum.passing)
        usual = passing[len(passing) // 2] if passing else 0.0
        slowest = max((tests[n].seconds for n in self._numbers if tests[n].outcome == "passed"), default=0.0)
        limits: list[float] = []
        for number in self._numbers:
            test = tests[number]
            if test.outcome in ("timeout", "crashed"):
                limits.append(max(_TIMES * slowest, _UNKNOWN_S))
            else:
                limits.append(max(_TIMES * test.seconds, _TIMES * usual if test.broken else 0.0, _LEAST_S))
        return limits

    def observed(
        self,
        hypotheses: Sequence[Hypothesis],
        literals: tuple[str, ...],
        examples: Sequence[tuple[int, str, str]] = (),
        claims: int = 0,
    ) -> Observations | None:
        """What the program and these changes of it do on inputs like those of the tests.

        ``examples`` are (number of the place, call, expected), the last ``claims`` of them from the ticket.
        """
        numbers = sorted({h.suspect for h in hypotheses})
        return compare(
            self._run,
            arguments=self._arguments,
            tests=[self._spectrum.tests[n].name for n in self._numbers],
            limits=self.limits(),
            targets=[self._targets[n] for n in numbers],
            variants=[Proposal(numbers.index(h.suspect), h.edits, h.fresh) for h in hypotheses],
            literals=literals,
            examples=[(numbers.index(n), call, expected) for n, call, expected in examples],
            claims=claims,
            seconds=max(1.0, min(_OBSERVATION_S, self._left_of_clock() / 3)),
        )

    def _left(self) -> float:
        """CPU seconds."""
        return self._budget.cpu_s - self.spent_s

    def _left_of_clock(self) -> float:
        return self._deadline - time.monotonic()

    def singles(self, hypotheses: Sequence[Hypothesis]) -> Outcome:
        """Try one-place changes in their order."""
        most = self._budget.candidates
        return self._try(list(hypotheses[:most]), ordered=self._ordered(), share=_MAIN)

    def _ordered(self) -> bool:
        return any(self._spectrum.tests[n].order_dependent for n in self._numbers)

    def fresh(self, hypotheses: Sequence[Hypothesis], *, as_rivals: bool = False) -> Outcome:
        """Changes that need the suite to be collected again, each as dear as hundreds of the others.

        ``as_rivals``: something passes already, and these only show whether anything else does.
        """
        share = 1.0 if not self.spent_s else _RIVALS if as_rivals else _FRESH
        return self._try(list(hypotheses), ordered=self._ordered(), share=share)

    def again_longer(self, outcome: Outcome) -> Outcome:
        """Those that ran out of time once more with more of it: a right fix may be slow."""
        late = [h for h, s in zip(outcome.tried, outcome.statuses, strict=True) if s == OVERTIME]
        return self._try(late[:400], ordered=self._ordered(), stretch=_STRETCH, share=_LONGER)

    def _try(self, hypotheses: list[Hypothesis], *, ordered: bool, stretch: float = 1.0, share: float = 1.0) -> Outcome:
        if not hypotheses or self._left() <= 0 or self._left_of_clock() <= 0:
            return Outcome(tried=(), statuses="", passing=(), cpu_s=0.0)
        if self._announce is not None:
            self._announce(len(hypotheses))
        result: Validation = validate(
            self._run,
            arguments=(*self._arguments, *self._plainly),
            tests=[self._spectrum.tests[n].name for n in self._numbers],
            limits=[limit * stretch for limit in self.limits()],
            targets=self._targets,
            proposals=[Proposal(h.suspect, h.edits, h.fresh) for h in hypotheses],
            seconds=max(1.0, self._left() * share),
            wall_seconds=max(1.0, self._left_of_clock() * share),
            beyond=horizons([h.score for h in hypotheses], self._budget.beyond),
            ordered=ordered,
        )
        self.spent_s += result.seconds
        passing = tuple(h for h, s in zip(hypotheses, result.statuses, strict=True) if s == PASSES)
        return Outcome(tried=tuple(hypotheses), statuses=result.statuses, passing=passing, cpu_s=result.seconds)

    def pairs(self, outcome: Outcome, limit: int = 3000) -> Outcome:
        """Two changes at once: those that turned a test green with the others, then the likeliest with each other."""
        near = [h for h, s in zip(outcome.tried, outcome.statuses, strict=True) if s == NEAR][:60]
        likely = [h for h, s in zip(outcome.tried, outcome.statuses, strict=True) if s not in "dsx-"][:220]
        combined: dict[tuple[int, tuple[object, ...]], Hypothesis] = {}
        for group, others, weight in ((near, likely, 1.0), (likely[:90], likely[:90], 0.2)):
            for one in group:
                for other in others:
                    pair = _pair(one, other, weight)
                    if pair is not None:
                        key = (pair.suspect, pair.edits)
                        if key not in combined or combined[key].score < pair.score:
                            combined[key] = pair
        best = sorted(combined.values(), key=lambda h: (-h.score, h.suspect, h.edits))[:limit]
        return self._try(best, ordered=self._ordered())

    def again_in_order(self, outcome: Outcome) -> Outcome:
        """Those that turned a test green once more, with all tests in their own order."""
        near = [h for h, s in zip(outcome.tried, outcome.statuses, strict=True) if s in (NEAR, "u")][:200]
        return self._try(near, ordered=True)


def _about_assertions(files: Iterable[str], read: Callable[[str], str | None]) -> bool:
    """Whether tests look at the texts of failed assertions, which pytest makes."""
    return any(_ASSERTION_TEXT.search(read(path) or "") for path in itertools.islice(files, _TEST_FILES))


def horizons(scores: Sequence[float], most: int) -> list[int]:
    """For each candidate: how many of those behind it are worth trying as its rivals when it is the first to pass.

    ``scores`` fall. What seemed far less likely than the one that passes would hardly replace it.

    >>> horizons([1.0] * 200 + [0.5] + [0.01] * 400, most=1500)[0]
    200
    """
    falling = [-score for score in scores]
    ends = (bisect.bisect_right(falling, -score * _FAINT) for score in scores)
    return [min(most, max(_FEWEST_RIVALS, end - n - 1)) for n, end in enumerate(ends)]


def _pair(one: Hypothesis, other: Hypothesis, weight: float) -> Hypothesis | None:
    if one.suspect != other.suspect or one is other:
        return None
    spans = sorted((*one.edits, *other.edits))
    if any(a.end > b.start or (a.start, a.end) == (b.start, b.end) for a, b in itertools.pairwise(spans)):
        return None
    return Hypothesis(
        suspect=one.suspect,
        kind="+".join(sorted((one.kind, other.kind))),
        line=min(one.line, other.line),
        edits=tuple(spans),
        score=one.score * other.score * weight,
        fresh=one.fresh or other.fresh,
    )


def _options(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The options among pytest's arguments, without the paths that say what to collect."""
    kept: list[str] = []
    takes_value = False
    for argument in arguments:
        if takes_value or argument.startswith("-"):
            kept.append(argument)
            takes_value = not takes_value and argument in _WITH_VALUE
    return tuple(kept)
