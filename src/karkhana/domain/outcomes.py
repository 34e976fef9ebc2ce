"""What became of a change after it was scored: its signs, and the label that they add up to.

A change without a bad sign is good only when somebody has looked for signs until its window was over; before that it is
pending. Knows nothing of where signs come from, nor of what is done with the labels.

>>> rules = Rules(window_s=30 * 86_400.0, weights={"reverted": 1.0})
>>> change = ScoredChange(run_id="run_1", repository="/shop", type="bugfix", engineer="symbolic", score=0.9, at=0.0)
>>> settle(change, (), rules).label.value
'pending'
>>> seen = msgspec.structs.replace(change, landed_at=0.0, watched_at=31 * 86_400.0)
>>> settle(seen, (), rules).label.value
'good'
>>> settle(seen, (Sign.make("run_1", SignKind.REVERTED, "5c1f", at=40.0),), rules).label.value
'bad'
"""

import enum
import hashlib
from collections.abc import Iterable, Mapping

import msgspec

HALF = 0.5
"""From this badness on a change counts as bad."""


class SignKind(enum.StrEnum):
    """What can be seen of a change later."""

    REVERTED = "reverted"
    """A later commit undoes it."""
    HOT_FIXED = "hot_fixed"
    """A later commit mends lines that it wrote, within the window."""
    ROLLED_BACK = "rolled_back"
    """Its canary or deployment was taken back."""
    INCIDENT = "incident"
    """An incident is traced to it."""
    REJECTED = "rejected"
    """A person refused it."""
    EDITED = "edited"
    """A person had to alter it before it was merged."""
    FINDING_DISMISSED = "finding_dismissed"
    """A person called a finding on it a false alarm; says nothing of the change."""
    CLEARED = "cleared"
    """A person took another sign back; ``reference`` is that sign's identifier."""


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was seen of a change, once."""

    sign_id: str
    """The same for the same thing, whoever tells it."""
    run_id: str
    kind: SignKind
    at: float
    """Seconds since the epoch, when it happened."""
    reference: str = ""
    """The commit, incident, rule or sign that it is about."""
    detail: str = ""
    """For a person; untrusted text."""
    by: str = ""
    """Who tells it; empty: the repository's history or the trail."""
    cause: str = ""
    """What was wrong, by the taxonomy of failures; empty: not known."""

    @classmethod
    def make(
        cls,
        run_id: str,
        kind: SignKind,
        reference: str = "",
        *,
        at: float,
        detail: str = "",
        by: str = "",
        cause: str = "",
    ) -> "Sign":
        """With its identifier: a hash of run, kind and reference, so that telling it again changes nothing."""
        key = hashlib.sha256("\0".join((run_id, kind.value, reference)).encode("utf-8", "surrogateescape")).hexdigest()
        return cls(
            sign_id=f"sign_{key[:16]}",
            run_id=run_id,
            kind=kind,
            at=at,
            reference=reference,
            detail=detail,
            by=by,
            cause=cause,
        )


class ScoredChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was scored and then delivered, or refused by a person."""

    run_id: str
    repository: str
    type: str
    engineer: str
    model: str = ""
    """The language model that made it; empty: none."""
    strategy: str = ""
    """``NAME@VERSION``; empty: none."""
    commit: str = ""
    """As it was delivered; empty: it was not."""
    score: float
    raw: float | None = None
    """Before calibration and caps."""
    weights: str = ""
    """Version of the weights that ``raw`` was made with; empty: not known."""
    components: Mapping[str, float] = {}
    """Values of the score's components."""
    at: float
    """Seconds since the epoch, when it was delivered or refused."""
    landed_at: float | None = None
    """When it came into the main line; ``None``: it is not known to have."""
    landed_as: str = ""
    """The commit of the main line that brought it."""
    watched_at: float | None = None
    """Until when its repository was searched for signs."""


class Label(enum.StrEnum):
    GOOD = "good"
    BAD = "bad"
    PENDING = "pending"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What signs count, and how long to wait for them."""

    window_s: float
    """Seconds in the main line without a bad sign after which a change is good."""
    weights: Mapping[str, float]
    """Kind of sign → how bad it is, in [0,1]; a kind that is not there says nothing of the change."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A change with its label."""

    change: ScoredChange
    label: Label
    badness: float = 0.0
    """In [0,1]: what the signs add up to."""
    known_at: float
    """Seconds since the epoch, when the label was settled; for a pending one when it will be at the earliest."""
    cause: str = ""
    signs: tuple[Sign, ...] = ()
    """Those that count, the oldest first."""

    @property
    def good(self) -> bool:
        """Of a settled one."""
        return self.label is Label.GOOD


def settle(change: ScoredChange, signs: Iterable[Sign], rules: Rules) -> Outcome:
    """The label of one change by all of its signs, in any order."""
    signs = sorted(signs, key=lambda sign: (sign.at, sign.sign_id))
    cleared = {sign.reference for sign in signs if sign.kind is SignKind.CLEARED}
    standing = tuple(sign for sign in signs if sign.sign_id not in cleared and rules.weights.get(sign.kind.value))
    fine, known_at = 1.0, 0.0
    for sign in standing:
        fine *= 1 - rules.weights[sign.kind.value]
        if not known_at and 1 - fine >= HALF:
            known_at = sign.at
    badness, cause = round(1 - fine, 6), next((sign.cause for sign in standing if sign.cause), "")
    if badness >= HALF:
        label = Label.BAD
    else:
        known_at = (change.at if change.landed_at is None else change.landed_at) + rules.window_s
        watched = change.landed_at is not None and change.watched_at is not None and change.watched_at >= known_at
        label = Label.GOOD if watched else Label.PENDING
    return Outcome(change=change, label=label, badness=badness, known_at=known_at, cause=cause, signs=standing)
