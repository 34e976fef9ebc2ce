"""A run's report and its patch file, made from its trail."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

from karkhana.delivery.message import commit_message
from karkhana.delivery.patch_file import patch_file
from karkhana.delivery.report import Dossier
from karkhana.delivery.report import report as render
from karkhana.domain import events as ev
from karkhana.domain.errors import InvalidInput
from karkhana.domain.evidence import Evidence
from karkhana.factory.stores import Stores
from karkhana.ports import Receipt

E = TypeVar("E", bound=ev.Event)


class History:
    """The events of a run by their kind."""

    def __init__(self, stores: Stores, run_id: str, kinds: Collection[type[ev.Event]] = ()) -> None:
        """Of these kinds only, if any are named: a trail may be long."""
        self.run = stores.runs.get(run_id)
        self._events: dict[type[Any], list[Any]] = {}
        tags = [str(kind.__struct_config__.tag) for kind in kinds]
        for entry in stores.events.entries(run_id, kinds=tags):
            self._events.setdefault(type(entry.event), []).append(entry.event)

    def all(self, kind: type[E]) -> list[E]:
        """Every event of a kind, in order."""
        return self._events.get(kind, [])

    def last(self, kind: type[E]) -> E | None:
        """The newest event of a kind."""
        found = self.all(kind)
        return found[-1] if found else None

    def need(self, kind: type[E]) -> E:
        """The newest event of a kind. Raises ``InvalidInput`` when the run never came so far."""
        found = self.last(kind)
        if found is None:
            raise InvalidInput(
                f"{self.run.run_id} has no change to report: it is {self.run.status.value.replace('_', ' ')}",
                f"See what happened: karkhana runs trace {self.run.run_id}",
            )
        return found


_REPORTED: tuple[type[ev.Event], ...] = (
    ev.RunStarted,
    ev.Delivered,
    ev.SuiteMeasured,
    ev.ReviewFinished,
    ev.CandidatesCompared,
    ev.RiskAssessed,
    ev.ChangeHandedOver,
    ev.GateFinished,
    ev.ScoreComputed,
    ev.DecisionMade,
)


def dossier(stores: Stores, run_id: str) -> Dossier:
    """Everything a report tells. Raises ``UnknownRun``, or ``InvalidInput`` for a run without a decision."""
    history = History(stores, run_id, _REPORTED)
    started, delivered = history.need(ev.RunStarted), history.last(ev.Delivered)
    suites = history.all(ev.SuiteMeasured)
    review = history.last(ev.ReviewFinished)
    compared = history.last(ev.CandidatesCompared)
    assessed = history.last(ev.RiskAssessed)
    return Dossier(
        run_id=run_id,
        task_id=history.run.task_id,
        ticket=started.order.ticket,
        change=history.need(ev.ChangeHandedOver).change,
        baseline=next((suite.report for suite in suites if not suite.after_change), None),
        result=next((suite.report for suite in reversed(suites) if suite.after_change), None),
        evidence=Evidence(
            gates=tuple({gate.result.gate: gate.result for gate in history.all(ev.GateFinished)}.values()),
            review=review.findings if review else (),
            disagreement=compared.disagreement if compared else 0.0,
            probability=compared.probability if compared else None,
        ),
        confidence=history.need(ev.ScoreComputed).confidence,
        decision=history.need(ev.DecisionMade).decision,
        risk=assessed.risk if assessed else None,
        receipt=None
        if delivered is None
        else Receipt(branch=delivered.branch, commit=delivered.commit, remote=delivered.remote),
    )


def write_report(stores: Stores, run_id: str, output: Path | None) -> None:
    """The Markdown report to a file, or to standard output."""
    text = render(dossier(stores, run_id)).encode("utf-8", "surrogateescape")
    if output is None:
        sys.stdout.buffer.write(text)
    else:
        output.write_bytes(text)


def write_patch(stores: Stores, run_id: str, output: Path) -> None:
    """A patch that ``git am`` takes, with the commit's own message."""
    facts = dossier(stores, run_id)
    message = commit_message(
        facts.change,
        run_id=run_id,
        task_id=facts.task_id,
        confidence=facts.confidence,
        ticket=facts.ticket,
        evidence=facts.evidence,
    )
    at = int(History(stores, run_id).run.started_at.timestamp())
    options = {"commit": facts.receipt.commit} if facts.receipt else {}
    output.write_bytes(patch_file(facts.change, message, at=at, **options))
