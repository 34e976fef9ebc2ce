"""What became of changes: kept when runs end, searched for in repositories, and spread to whoever learns from it.

The one place from which an outcome goes on: to the strategies' and the router's bandits, and to the lessons of
engineers; levels of autonomy are looked at in the same moment. Scores and thresholds read the labels when they need
them. Everything can be done twice; the second time changes nothing. The trails are the source: what is seen of a
change later is written to its run's trail first.

Knows nothing of how a change is made.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from karkhana.domain import events as ev
from karkhana.domain.confidence import TrackRecord
from karkhana.domain.errors import InvalidInput, KarkhanaError
from karkhana.domain.lessons import Verdict, taught
from karkhana.domain.outcomes import Label, Outcome, ScoredChange, Sign, SignKind, settle
from karkhana.domain.policy import Policy
from karkhana.domain.routes import RouteOutcome
from karkhana.domain.strategies import pool
from karkhana.factory.levels import Levels
from karkhana.factory.ordering import settings_for
from karkhana.factory.stores import Stores
from karkhana.git import Repository
from karkhana.git.log import read_log
from karkhana.git.patches import read_patches
from karkhana.learning.outcomes.folding import Folded
from karkhana.learning.outcomes.mainline import MainLine, seen_until, tips
from karkhana.learning.outcomes.searching import Reader, search
from karkhana.learning.outcomes.taxonomy import cause_of, taxonomy
from karkhana.learning.outcomes.track_record import Kind, track_record
from karkhana.quality.history.messages import reverted_by, says_fix
from karkhana.quality.history.szz import origins
from karkhana.storage.autonomy_store import AutonomyStore
from karkhana.storage.event_log import EventLog
from karkhana.storage.lesson_store import LessonStore
from karkhana.storage.outcome_store import OutcomeStore
from karkhana.storage.route_store import RouteStore
from karkhana.storage.runs import RunStore

HORIZON_S = 365 * 86_400.0
"""Changes that were delivered longer ago are no longer searched for."""
_PAGE = 500

READER = Reader(says_fix=says_fix, reverted_by=reverted_by, origins=origins)
"""How commits are read: the same way as where a repository's whole history is labelled."""


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What a search of one repository brought."""

    repository: str
    landed: int = 0
    """Changes that were seen in the main line for the first time."""
    signs: tuple[Sign, ...] = ()
    """New ones."""
    seen_until: float | None = None
    """Seconds since the epoch; ``None``: it was not searched."""
    problem: str = ""


@dataclass(frozen=True)
class OutcomeBook:
    """All outcomes, and everybody who learns from them."""

    store: OutcomeStore
    events: EventLog
    runs: RunStore
    lessons: LessonStore
    routes: RouteStore
    levels: Levels
    """Of autonomy: they are looked at when a label changes."""
    window_days: float

    def all(self, repository: str | None = None) -> tuple[Outcome, ...]:
        """Every outcome with its label, the oldest first."""
        rules = taxonomy().rules(self.window_days)
        changes = self.store.changes(repository=repository)
        signs = self.store.signs(None if repository is None else [change.run_id for change in changes])
        return tuple(settle(change, signs.get(change.run_id, ()), rules) for change in changes)

    def record(self, kind: Kind) -> TrackRecord:
        """The track record of a kind of change."""
        return track_record(self.all(), kind)

    def keep(self, run_id: str) -> None:
        """Take a run up from its trail, if it has a change that was delivered or refused."""
        change = self._take_up(run_id)
        if change is not None:
            self._spread([change])

    def add(self, sign: Sign) -> bool:
        """Something was seen; whether that is new. Raises ``UnknownRun``, or ``InvalidInput`` without a change."""
        changes = self.store.changes(run_id=sign.run_id)
        if not changes:
            self.keep(sign.run_id)
            changes = self.store.changes(run_id=sign.run_id)
        if not changes:
            raise InvalidInput(
                f"{sign.run_id} has no change that was delivered or refused", "See: karkhana outcomes list"
            )
        new = self._observe(sign)
        self._spread(changes)
        return new

    def traced(self, repository: str, fix: str) -> tuple[str, ...]:
        """The runs whose delivered changes wrote lines that the commit ``fix`` had to remove.

        Raises ``InvalidInput`` when it is no commit, or is the fix of no delivered change.
        """
        source = Repository.open(repository)
        commit = source.resolve(fix)
        logged = next(iter(read_log(source, commit, wanted=frozenset([commit]))), None)
        patch = next(iter(read_patches(source, [commit])))[1]
        wrote = READER.origins(source, logged, patch) if logged is not None else {}
        changes = self.store.changes(repository=repository)
        found = tuple(c.run_id for c in changes if wrote.get(c.commit) or wrote.get(c.landed_as))
        if not found:
            raise InvalidInput(
                f"{fix} removes no line that a delivered change wrote", "Name the run instead: karkhana outcomes list"
            )
        return found

    def sync(self, repository: str, *, branch: str = "", now: float | None = None) -> Synced:
        """Search a repository for what became of the changes that were delivered to it.

        A repository that cannot be read is told in the answer, since others may be searched after it. Raises
        ``InvalidInput`` for a ``branch`` that is not there.
        """
        now = time.time() if now is None else now
        changes = [c for c in self.store.changes(repository=repository) if c.commit and c.at > now - HORIZON_S]
        if not changes:
            return Synced(repository=repository, seen_until=now)
        try:
            source = Repository.open(repository)
            ends = tips(source, branch)
            line = MainLine(source, ends, min(change.at for change in changes))
            rules = taxonomy().rules(self.window_days)
            found = search(source, changes, line, READER, rules.window_s)
        except InvalidInput:
            if branch:
                raise
            return Synced(repository=repository, problem="its main line was not found")
        except KarkhanaError as error:
            return Synced(repository=repository, problem=error.message)
        known = {change.run_id for change in changes if change.landed_at is not None}
        new = [landing for landing in found.landings if landing.run_id not in known]
        for landing in new:
            self.events.trail(landing.run_id).record(ev.ChangeLanded(commit=landing.commit, at=landing.at))
            self.store.land(landing.run_id, landing.commit, landing.at)
        signs = tuple(sign for sign in found.signs if self._observe(sign))
        until = seen_until(source, line, now)
        self.store.watched(repository, until)
        self._spread(self.store.changes(repository=repository))
        return Synced(repository=repository, landed=len(new), signs=signs, seen_until=until)

    def sync_all(self, repositories: Iterable[str] | None = None) -> tuple[Synced, ...]:
        """Each repository that changes were delivered to."""
        names = repositories or dict.fromkeys(change.repository for change in self.store.changes())
        return tuple(self.sync(name) for name in names)

    def rebuild(self) -> int:
        """Make the store again from the trails; returns how many changes there are. Search the repositories then."""
        self.store.clear()
        offset = 0
        while page := self.runs.list(limit=_PAGE, offset=offset):
            for run in page:
                self._take_up(run.run_id)
            offset += _PAGE
        changes = self.store.changes()
        # No level is looked at: until the repositories are searched, no outcome is known to be good.
        self._spread(changes, look=False)
        return len(changes)

    def _take_up(self, run_id: str) -> ScoredChange | None:
        folded = self._folded(run_id)
        change = folded.change()
        if change is None:
            return None
        self.store.keep(change)
        for sign in folded.signs:
            self.store.add(sign)
        if change.landed_at is not None:
            self.store.land(run_id, change.landed_as, change.landed_at)
        return change

    def _observe(self, sign: Sign) -> bool:
        """Write a sign of a known change down, in the trail first; whether it is new."""
        if sign.sign_id in {each.sign_id for each in self.store.signs([sign.run_id]).get(sign.run_id, ())}:
            return False
        self.events.trail(sign.run_id).record(ev.OutcomeObserved(sign=sign))
        self.store.add(sign)
        return True

    # Spreading

    def _spread(self, changes: Iterable[ScoredChange], *, look: bool = True) -> None:
        """Pass on each label that differs from the one that was passed on last."""
        changes, rules, told = list(changes), taxonomy().rules(self.window_days), self.store.spread()
        signs = self.store.signs([change.run_id for change in changes])
        moved = []
        for change in changes:
            outcome = settle(change, signs.get(change.run_id, ()), rules)
            before = told.get(change.run_id, "")
            if outcome.label.value == before:
                continue
            # A delivered change counts as good until something speaks against it, and does not count again then.
            if not before or (outcome.label is Label.BAD) != (before == Label.BAD.value):
                self._teach(change, Verdict.BAD if outcome.label is Label.BAD else Verdict.GOOD)
            moved.append(outcome)
        if look:
            # A change that is delivered and waits for its label moves nothing yet.
            self.levels.moved((o for o in moved if told.get(o.change.run_id) or o.label is not Label.PENDING), self.all)
        # At last, so that whoever dies before begins again.
        for outcome in moved:
            self.store.mark_spread(outcome.change.run_id, outcome.label.value)

    def _teach(self, change: ScoredChange, verdict: Verdict) -> None:
        folded, now = self._folded(change.run_id), time.time()
        told = [(f"run:{change.run_id}:{change.engineer}", "", change.engineer)]
        if change.strategy:
            reference = f"strategy:{change.run_id}:{change.engineer}:{folded.attempt}"
            told.append((reference, pool(change.model), change.strategy))
        if folded.place:
            # The router's own rung: whom to ask for a model depends on what came of whose answers.
            told.append((f"place:{change.run_id}:{folded.place}", "", folded.place))
        for reference, where, rung in told:
            before = self.routes.outcome(reference)
            if before is None or before.passed != (verdict is Verdict.GOOD):
                self.routes.record(
                    RouteOutcome(
                        reference=reference,
                        at=now,
                        pool=where,
                        task_type=change.type,
                        rung=rung,
                        passed=verdict is Verdict.GOOD,
                    )
                )
        if folded.credits:
            self.lessons.learn(change.run_id, change.repository, taught(folded.credits, verdict))

    def _folded(self, run_id: str) -> Folded:
        folded = Folded(run_id)
        for entry in self.events.entries(run_id):
            folded.add(entry)
        return folded


def outcome_book(stores: Stores) -> OutcomeBook:
    """What became of changes, and everybody who learns from that."""

    def policy(repository: str) -> Policy:
        try:
            source = Repository.open(repository)
            return settings_for(source, source.head(), {}).policy
        except KarkhanaError:
            # One that is gone or cannot be read: what whoever runs the factory says.
            return stores.settings.policy

    return OutcomeBook(
        store=OutcomeStore(stores.database, redact=stores.redactor.text),
        events=stores.events,
        levels=Levels(
            store=AutonomyStore(stores.database, redact=stores.redactor.text), events=stores.events, policy=policy
        ),
        runs=stores.runs,
        lessons=LessonStore(stores.database),
        routes=RouteStore(stores.database),
        window_days=stores.settings.outcomes.window_days,
    )


def make_sign(run_id: str, kind: SignKind, *, reference: str, comment: str, by: str, cause: str = "") -> Sign:
    """A person's word. Raises ``InvalidInput`` for a cause that the taxonomy does not have."""
    causes = taxonomy().causes
    if cause and cause not in causes:
        raise InvalidInput(f"there is no cause {cause!r}", f"Choose one of: {', '.join(causes)}.")
    if kind is SignKind.CLEARED and not reference:
        raise InvalidInput("say which sign is taken back", "--reference SIGN, see: karkhana outcomes list --json")
    if kind is SignKind.FINDING_DISMISSED and not reference:
        raise InvalidInput("say which finding is a false alarm", "--reference RULE, see: karkhana runs show RUN --json")
    return Sign.make(run_id, kind, reference, at=time.time(), detail=comment, by=by, cause=cause or cause_of(comment))


def repository_name(path: Path) -> str:
    """As orders name it. Raises ``NotARepository``."""
    return str(Repository.open(path).root)
