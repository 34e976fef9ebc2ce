"""What the outcomes say of the score and of the promise, for a page: nothing here changes anything.

The commands ``karkhana outcomes`` and ``karkhana autonomy`` tell the same from the same rooms. Knows nothing of pages,
nor of who may see what: that is told as ``visible``.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from karkhana.domain.autonomy import LevelChange, Standing
from karkhana.domain.outcomes import Label, Outcome, Sign, settle
from karkhana.domain.policy import Policy
from karkhana.factory.autonomy import autonomy_book
from karkhana.factory.causes import Cause, Rule, causes, rules
from karkhana.factory.outcomes import OutcomeBook, outcome_book
from karkhana.factory.stores import Stores
from karkhana.learning.failure_patterns import recurring
from karkhana.learning.outcomes.taxonomy import taxonomy
from karkhana.learning.outcomes.track_record import Kind, track_records
from karkhana.quality.autonomy import Known, climb, level_in_force
from karkhana.quality.guarantee.binomial import interval
from karkhana.quality.guarantee.report import Judged, Report, report
from karkhana.storage.run_figures import RunFigures
from karkhana.storage.visibility import Visible

MOST = 20_000
"""Outcomes that are looked at, the newest."""
GROUPS = 24
"""Repositories and types of task of which the promise is told; those with the newest outcomes."""
FAILED = 30
"""Failed runs whose trails are searched for patterns."""
RECORDS = 30
"""Kinds of changes whose track record is told, ..."""
RECENT = 3_000
"""... by so many of the newest outcomes."""
CONFIDENCE = 0.95
_PATTERN_KINDS = (
    "workspace.opened",
    "tool.called",
    "tool.returned",
    "model.answered",
    "model.nudged",
    "change.handed_over",
    "engineer.abstained",
    "work.paused",
    "suite.measured",
    "review.finished",
    "gate.finished",
    "approval.given",
    "outcome.observed",
)
"""What :mod:`karkhana.learning.failure_patterns` looks at."""


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """As far as they are looked at, with their products."""

    all: tuple["Placed", ...]
    signs: Mapping[str, Sequence[Sign]]
    """Run → everything that was seen of its change."""
    cut: bool
    """Whether there are older ones."""

    def seen(self, visible: Visible, since: float = 0.0) -> list["Placed"]:
        """Of the products that may be seen, of changes that were decided since a time (seconds since the epoch)."""
        everywhere, named = visible
        return [e for e in self.all if (e.product in named) != everywhere and e.outcome.change.at >= since]


class Placed(NamedTuple):
    """An outcome with its product, and whether a person decided on its change."""

    outcome: Outcome
    product: str
    asked: bool


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """How often a kind of change turned out well."""

    kind: Kind
    good: float
    bad: float
    mean: float | None


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong again and again."""

    name: str
    told: str
    runs: int


def known(stores: Stores) -> Outcomes:
    """Read once for everything on a page."""
    book = outcome_book(stores)
    found = book.store.newest(MOST)
    signs = book.store.signs([each.change.run_id for each in found])
    settled = taxonomy().rules(book.window_days)
    every = tuple(
        Placed(settle(each.change, signs.get(each.change.run_id, ()), settled), each.product, each.asked)
        for each in found
    )
    return Outcomes(all=every, signs=signs, cut=len(found) == MOST)


def calibration(outcomes: Iterable[Outcome]) -> Report:
    """How often changes of each score turned out well, with exact intervals."""
    settled = [o for o in outcomes if o.label is not Label.PENDING]
    return report(
        [Judged(score=o.change.score, good=o.good, at=o.known_at, alone=False, audited=False) for o in settled]
    )


def promises(stores: Stores, found: Outcomes, visible: Visible) -> tuple[Standing, ...]:
    """What holds for each repository and type of task that somebody may see; looked at, and not written down."""
    book = autonomy_book(stores)
    seen = [each.outcome for each in reversed(found.seen(visible))]
    keys = list(dict.fromkeys((o.change.repository, o.change.type) for o in seen))[:GROUPS]
    policies: dict[str, Policy] = {}
    told = []
    # all outcomes of each, also of products that are not shown: the promise is one
    own = defaultdict[tuple[str, str], list[Outcome]](list)
    for each in found.all:
        own[each.outcome.change.repository, each.outcome.change.type].append(each.outcome)
    for repository, type_ in keys:
        if repository not in policies:
            policies[repository] = book.outcomes.levels.policy(repository)
        told.append(_standing(book.outcomes, repository, type_, own[repository, type_], policies[repository]))
    return tuple(told)


def _standing(book: OutcomeBook, repository: str, type_: str, outcomes: Sequence[Outcome], policy: Policy) -> Standing:
    settled = [o for o in outcomes if o.label is not Label.PENDING]
    ladder = climb(
        [Known(score=o.change.score, good=o.good, at=o.known_at, decided=o.change.at) for o in settled],
        policy.deploy_above,
    )
    level, because = level_in_force(ladder, policy, book.levels.store.history(repository, type_))
    return Standing(
        repository=repository,
        task_type=type_,
        level=level,
        earned=ladder.earned,
        guarantee=ladder.guarantee,
        because=because,
    )


def failures(
    stores: Stores, found: Outcomes, visible: Visible, since: float
) -> tuple[tuple[Cause, ...], tuple[Rule, ...]]:
    """Why changes turned out badly, and which rules found something in changes."""
    seen = [each.outcome for each in found.seen(visible, since)]
    return causes(stores.events, seen), rules(stores.events, seen, found.signs)


def failing(stores: Stores, visible: Visible) -> tuple[int, tuple[Pattern, ...]]:
    """How many of the newest failed runs were looked at, and what recurs in them, the most frequent first."""
    newest = RunFigures(stores.database).newest_failed(FAILED, visible=visible)
    trails = [[e.event for e in stores.events.entries(run_id, kinds=_PATTERN_KINDS)] for run_id in newest]
    found = recurring(trails, least=1)
    return len(newest), tuple(Pattern(name=each.name, told=each.told, runs=count) for each, count in found)


def records(outcomes: Sequence[Outcome]) -> tuple[Records, ...]:
    """The track record of each kind of change that was seen, those with the most outcomes first."""
    names, recent = Kind.__struct_fields__, outcomes[-RECENT:]
    kinds = Counter(Kind(**{name: str(getattr(o.change, name)) for name in names}) for o in recent)
    most = [kind for kind, _ in kinds.most_common(RECORDS)]
    told = zip(most, track_records(recent, most), strict=True)
    return tuple(Records(kind=kind, good=record.good, bad=record.bad, mean=record.mean) for kind, record in told)


def history(stores: Stores, repositories: Collection[str]) -> list[LevelChange]:
    """How levels of autonomy changed in these, the newest first."""
    found = autonomy_book(stores).store.history()
    return [change for change in reversed(found) if change.repository in repositories]


def share(part: int, whole: int) -> tuple[float, float, float]:
    """A share of something with its exact interval (Clopper and Pearson)."""
    low, high = interval(part, whole, CONFIDENCE)
    return part / whole, low, high
