"""The line as one strip: Plan, Build, Review, Verify, Score, Ship, each done, under way, failed or still to come."""

from datetime import datetime

import msgspec

from karkhana.domain.tasks import Status
from karkhana.web.digests import STATIONS, Digest


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One station on the strip."""

    name: str
    state: str
    """``done``, ``busy``, ``wait``, ``failed``, ``skipped`` or ``ahead``."""
    seq: int
    """Of its first event; 0: none."""
    seconds: float | None
    note: str


GLYPHS = {"done": "✓", "busy": "◑", "wait": "◇", "failed": "✕", "skipped": "·", "ahead": "○"}


def strip(digest: Digest, now: datetime) -> list[Stop]:
    """The stations in the order of the line."""
    return [_stop(digest, name, now) for name in STATIONS]


def _stop(digest: Digest, name: str, now: datetime) -> Stop:
    station = digest.stations.get(name)
    if station is None:
        ended = digest.finished is not None
        return Stop(name=name, state="skipped" if ended else "ahead", seq=0, seconds=None, note="")
    seconds = ((station.until or now) - station.since).total_seconds()
    return Stop(name=name, state=_state(digest, name), seq=station.seq, seconds=seconds, note=_note(digest, name))


def _state(digest: Digest, name: str) -> str:
    station = digest.stations[name]
    if station.failed:
        return "failed"
    if name == "ship" and digest.finished is not None:
        return "done" if digest.delivered is not None else "skipped"
    if station.until is not None:
        return "done"
    return "wait" if digest.status is Status.WAITING_FOR_REVIEW else "busy"


def _note(digest: Digest, name: str) -> str:
    if name == "score" and digest.scored is not None:
        return f"{digest.scored.confidence.score:.2f}"
    if name == "verify" and digest.gates:
        return f"{len(digest.gates)} gates"
    if name == "review" and digest.review:
        return f"{len(digest.review)} findings"
    if name == "build" and digest.turns:
        return f"{digest.turns} turns"
    if name == "ship" and digest.decided is not None:
        return digest.decided.decision.verdict.value
    return ""
