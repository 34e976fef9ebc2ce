"""A page of a run's trail: each event as a line of the tree and a bar of the waterfall. Knows nothing of HTML."""

import bisect
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from karkhana.domain import events as ev
from karkhana.domain.json import plain
from karkhana.web.digests import Digest, is_failure
from karkhana.web.text import clipped

PAGE = 150
"""Events."""
_TURNS = ("work", "propose")
FOLDED_FROM = 5
"""So many events of one type in a row are folded into one line."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One event."""

    seq: int
    at: str
    type: str
    text: str
    failed: bool
    station: str
    """That begins with this event, or with the page; empty: the same as before."""
    depth: int
    """1 below its station, 2 below the call that it answers."""
    seconds: float | None
    left: float
    """Where its bar begins, in per cent of the run."""
    width: float
    turn: int = 0
    """Of a model's answer that work can begin after once more; 0: it is none."""


class Group(msgspec.Struct, frozen=True):
    """Events of one type in a row, or a single one."""

    rows: tuple[Row, ...]

    @property
    def folded(self) -> bool:
        return len(self.rows) >= FOLDED_FROM and not any(row.failed or row.station for row in self.rows[1:])


def rows_of(entries: Iterable[ev.Entry], digest: Digest) -> list[Row]:
    """The entries as rows; bars are relative to the run as far as it is known."""
    start = digest.first_at
    whole = max(digest.seconds or 0.0, 1e-6)
    starts = sorted((station.seq, name) for name, station in digest.stations.items())
    found: list[Row] = []
    shown = ""
    for entry in entries:
        at = datetime.fromisoformat(entry.at)
        station = _station(starts, entry.seq)
        seconds = _seconds(entry.event)
        begun = at - timedelta(seconds=seconds or 0.0)
        left = 100 * max(0.0, (begun - (start or at)).total_seconds()) / whole
        found.append(
            Row(
                seq=entry.seq,
                at=entry.at,
                type=entry.type,
                text=clipped(told(entry.event), 240),
                failed=is_failure(entry.event),
                station=station if station != shown else "",
                depth=2 if isinstance(entry.event, ev.ToolReturned) else 1,
                seconds=seconds,
                left=min(99.6, left),
                width=max(0.4, min(100.0 - left, 100 * (seconds or 0.0) / whole)),
                turn=turn_of(entry.event),
            )
        )
        shown = station
    return found


def groups_of(rows: Iterable[Row]) -> list[Group]:
    """Rows of one type that follow each other, together."""
    found: list[list[Row]] = []
    for row in rows:
        if found and found[-1][-1].type == row.type and not row.station and not row.failed and row.depth == 1:
            found[-1].append(row)
        else:
            found.append([row])
    groups = [Group(tuple(each)) for each in found]
    return [part for group in groups for part in ([group] if group.folded else [Group((row,)) for row in group.rows])]


def turn_of(event: ev.AnyEvent) -> int:
    """The number of a model's answer that moved the work on, after which the work can begin once more; else 0."""
    return event.turn if isinstance(event, ev.ModelAnswered) and event.purpose in _TURNS else 0


def _station(starts: list[tuple[int, str]], seq: int) -> str:
    place = bisect.bisect_right(starts, (seq, "~")) - 1
    return starts[place][1] if place >= 0 else "start"


def _seconds(event: ev.AnyEvent) -> float | None:
    match event:
        case ev.ToolReturned(duration_s=seconds) | ev.ModelAnswered(duration_s=seconds):
            return seconds
        case ev.EnvironmentPrepared(duration_s=seconds):
            return seconds
        case ev.SuiteMeasured(report=report):
            return report.duration_s
    return None


def told(event: ev.AnyEvent) -> str:
    """One line for a person. Untrusted, as what it tells of."""
    match event:
        case ev.RunStarted(order=order):
            return f"{order.type.value}: {order.ticket.title}"
        case ev.StatusChanged(status=status, worker=worker):
            return status.value.replace("_", " ") + (f" on {worker}" if worker else "")
        case ev.ToolCalled(call=call):
            return _call(call)
        case ev.ToolReturned(error=str() as error):
            return f"refused: {error}"
        case ev.ToolReturned(result=result, changed=changed):
            return _result(result) + "".join(f", changed {file.path}" for file in changed)
        case ev.SuiteMeasured(after_change=after, report=report):
            counts = ", ".join(f"{count} {kind}" for kind, count in report.counts().items() if count)
            return f"the suite {'after' if after else 'before'} the change: {counts or 'nothing ran'}"
        case ev.HypothesisTried():
            told_note = f" ({event.note})" if event.note else ""
            return f"{event.place} {event.kind}: {event.passing} of {event.tried} pass{told_note}"
        case ev.GateFinished(result=gate):
            return f"{gate.gate} {gate.status.value}: {gate.summary}"
        case ev.ScoreComputed(confidence=confidence):
            return f"score {confidence.score:.2f}"
        case ev.DecisionMade(decision=decision):
            return f"{decision.verdict.value}: {decision.reason}"
        case ev.ModelAnswered():
            return f"{event.place or event.model} answered for {event.purpose}, turn {event.turn}"
        case ev.ChangeHandedOver(change=change):
            return change.title or ", ".join(change.paths)
        case ev.ReviewFinished(findings=findings):
            return "; ".join(f"{f.path}:{f.line} {f.message}" for f in findings) or "no finding"
        case ev.CandidatesCompared():
            return f"{event.passing} changes pass, {event.classes} behaviours; chosen: {event.chosen}"
        case ev.FunctionsSuspected(suspects=suspects):
            return ", ".join(f"{s.function} ({s.place})" for s in suspects[:4])
        case ev.ApprovalGiven():
            word = "approved" if event.approved else "rejected"
            return f"{word} by {event.by}" + (f": {event.comment}" if event.comment else "")
        case ev.RunRepeated():
            start = f"from answer {event.turn}" if event.turn else "from its start"
            return f"{event.by} had it tried again {start}, as {event.task_id}"
        case ev.Delivered(branch=branch, commit=commit):
            return f"{branch} at {commit[:12]}"
        case ev.RunFinished(status=status, reason=reason):
            return status.value.replace("_", " ") + (f": {reason}" if reason else "")
        case ev.Noted(text=text):
            return text
    fields = (f"{key}={value}" for key, value in plain(event).items() if key != "type" and value not in ("", (), None))
    return ", ".join(fields)


def _call(call: dict[str, Any]) -> str:
    words = [str(call.get("tool", ""))]
    for key in ("path", "argv", "query", "tests", "title"):
        value = call.get(key)
        if value:
            words.append(" ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
    return " ".join(words)


def _result(result: Any) -> str:
    if not isinstance(result, dict):
        return "done"
    if "exit_code" in result:
        return f"exit code {result['exit_code']}"
    text = result.get("text")
    return f"{len(text.splitlines())} lines" if isinstance(text, str) else "done"
