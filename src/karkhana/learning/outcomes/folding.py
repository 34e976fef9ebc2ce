"""From a run's trail to its scored change and the signs in it; anybody who has the trail gets the same.

Knows events; knows nothing of databases and repositories.
"""

from collections.abc import Iterable
from datetime import datetime

from karkhana.domain import events as ev
from karkhana.domain.lessons import Credit
from karkhana.domain.outcomes import ScoredChange, Sign, SignKind
from karkhana.domain.tasks import Status
from karkhana.learning.outcomes.taxonomy import cause_of


class Folded:
    """What a trail says so far."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.signs: list[Sign] = []
        self._order: ev.RunStarted | None = None
        self._strategies: dict[tuple[str, int], ev.StrategyChosen] = {}
        self._model = ""
        self._places: dict[tuple[str, int], str] = {}
        self._at_work = ("", 1)
        self.attempt = 1
        """The one whose change was handed over."""
        self.credits: tuple[Credit, ...] = ()
        """What the outcome teaches the engineer's lessons."""
        self._engineer = ""
        self._scored: ev.ScoreComputed | None = None
        self._refused_at: float | None = None
        self._delivered: tuple[float, str] | None = None
        self._landed: ev.ChangeLanded | None = None

    def add(self, entry: ev.Entry) -> None:
        """The next event."""
        event = entry.event
        match event:
            case ev.RunStarted():
                self._order = event
            case ev.StrategyChosen():
                self._strategies[event.engineer, event.attempt] = event
            case ev.ModelAnswered(purpose="work"):
                self._model = event.model
                self._places[self._at_work] = event.place
            case ev.WorkspaceOpened():
                self.attempt = event.attempt
                self._at_work = event.engineer, event.attempt
            case ev.AttemptsCompared():
                self.attempt = event.chosen
            case ev.ChangeHandedOver():
                self._engineer = event.change.engineer
            case ev.ScoreComputed():
                self._scored = event
            case ev.LessonsLearned():
                self.credits = event.credits
            case ev.ApprovalGiven(approved=False):
                self._refused(event, _seconds(entry.at))
            case ev.Delivered():
                self._delivered = _seconds(entry.at), event.commit
            case ev.ChangeLanded():
                self._landed = self._landed or event
            case ev.OutcomeObserved():
                self.signs.append(event.sign)
            case ev.RunFinished(status=Status.ROLLED_BACK):
                self._sign(SignKind.ROLLED_BACK, _seconds(entry.at), event.reason)

    @property
    def place(self) -> str:
        """Who served the model that made the change that was handed over, ``PROVIDER/MODEL``; empty: nobody."""
        return self._places.get((self._engineer, self.attempt), "")

    def change(self) -> ScoredChange | None:
        """``None`` when nothing was scored, or nobody has delivered or refused it, or it was only a trial."""
        at = self._delivered[0] if self._delivered else self._refused_at
        if self._order is None or self._scored is None or at is None or self._order.order.trial:
            return None
        order, confidence = self._order.order, self._scored.confidence
        chosen = self._strategies.get((self._engineer, self.attempt))
        return ScoredChange(
            run_id=self.run_id,
            repository=order.repository,
            type=order.type.value,
            engineer=self._engineer,
            model=chosen.model if chosen else self._model,
            strategy=chosen.strategy.key if chosen else "",
            commit=self._delivered[1] if self._delivered else "",
            score=confidence.score,
            raw=confidence.raw,
            weights=confidence.weights_version,
            components={component.name: component.value for component in confidence.components},
            at=at,
            landed_at=self._landed.at if self._landed else None,
            landed_as=self._landed.commit if self._landed else "",
        )

    def _refused(self, event: ev.ApprovalGiven, at: float) -> None:
        self._refused_at = at
        self._sign(SignKind.REJECTED, at, event.comment, event.by)

    def _sign(self, kind: SignKind, at: float, detail: str, by: str = "") -> None:
        self.signs.append(Sign.make(self.run_id, kind, "", at=at, detail=detail, by=by, cause=cause_of(detail)))


def fold(run_id: str, entries: Iterable[ev.Entry]) -> tuple[ScoredChange | None, tuple[Sign, ...]]:
    """The change of a run and its signs; no sign without a change."""
    folded = Folded(run_id)
    for entry in entries:
        folded.add(entry)
    change = folded.change()
    return change, tuple({sign.sign_id: sign for sign in reversed(folded.signs)}.values()) if change else ()


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
