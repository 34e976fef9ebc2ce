"""What the stations of the line hand to each other: plain, storable data.

Each is the result of one durable step, so its fields must survive a trip through JSON.
"""

import hashlib

import msgspec

from karkhana.domain.changes import Change, FileEdit
from karkhana.domain.confidence import Confidence
from karkhana.domain.evidence import Evidence, Finding
from karkhana.domain.json import canonical
from karkhana.domain.policy import Decision
from karkhana.domain.suites import TestReport
from karkhana.domain.tasks import Status
from karkhana.ports import Handover


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How the repository is tested, and what its suite says before any change."""

    test_command: tuple[str, ...]
    baseline: TestReport


REPLY = "reply"
"""The topic on which a run hears its reporter's answer."""
REPLY_MAX = 20_000
"""Characters of a reply that join the ticket."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What is left for a run that asked."""

    text: str
    by: str


class Readied(msgspec.Struct, frozen=True, kw_only=True):
    """What understanding the ticket adds to it, and how long its reporter may take to answer."""

    added: str = ""
    """Text that whoever works on it reads below the ticket."""
    wait_s: float | None = None
    """``None``: nothing is asked."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the question."""

    added: str = ""
    suspicions: tuple[str, ...] = ()
    rejected: bool = False


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """The change, as its difference from the base commit."""

    change: Change
    edits: tuple[FileEdit, ...]
    handover: Handover
    turns: int
    attempt: int = 1

    @property
    def digest(self) -> str:
        """SHA-256 of base and edits; an approval is bound to it."""
        return hashlib.sha256(canonical([self.change.base, self.edits])).hexdigest()


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Why one of several attempts came to nothing."""

    reason: str
    next: str = ""
    nothing_to_fix: bool = False


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of building: a change, a reason to wait, or (one of several attempts) nothing."""

    built: Built | None = None
    failed: Failed | None = None
    exhausted: bool = False
    """A budget is used up: it waits, or (one of several attempts) waits if none of the others gives a change."""
    reason: str = ""
    """Why it waits for somebody: no model answers, or a budget is used up."""
    next: str = ""
    again_s: float | None = None
    """Seconds after which it goes on by itself."""


CLOCK = "the clock"
"""Who let a run go on when nobody did, and its time to wait was over."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What a run may use beyond its order's budget, since somebody let it go on."""

    turns: int = 0
    usd: float = 0.0
    by: str = ""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What the critique of the diff found."""

    findings: tuple[Finding, ...]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of all gates, and the suite after the change."""

    evidence: Evidence
    result: TestReport


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Confidence and decision. ``at`` (seconds since the epoch) and ``trail`` go into the commit: they are fixed
    here, so that the commit is the same when it is made again after a crash."""

    confidence: Confidence
    decision: Decision
    at: int
    trail: str
    """Hash of the trail at this point."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is asked to approve."""

    patch_sha256: str
    until: float | None = None
    """Seconds since the epoch; ``None``: the question stands for good."""


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """When the change goes ahead unless a person stops it."""

    until: float
    """Seconds since the epoch."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A person's answer."""

    approved: bool
    by: str
    comment: str = ""
    patch_sha256: str = ""
    account: str = ""
    """Of the operating system, that the answer came from."""
    refused: str = ""
    """Why the answer does not count; empty: it does."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, or that it began."""

    status: Status
    reason: str = ""
