"""What was understood of a ticket, before anybody works on it: plain, storable data with the words that it rests on.

Everything quoted here comes from the ticket and is as untrusted as that.

>>> Understanding(type=Judgement(value="bugfix", confidence=0.9, because=("crashes",))).type.value
'bugfix'
"""

import enum

import msgspec


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was concluded."""

    value: str
    confidence: float = 1.0
    """In [0,1]; 1: somebody said so."""
    because: tuple[str, ...] = ()
    """What it rests on, in few words."""


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the ticket is probably about."""

    path: str
    confidence: float
    because: tuple[str, ...] = ()


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Another ticket that may ask for the same. It says so, and does nothing."""

    task_id: str
    title: str
    likeness: float
    """In [0,1]."""
    because: tuple[str, ...] = ()
    by: str = ""
    """The person who confirmed it; empty: nobody did."""


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """Something that should hold when the ticket is done."""

    text: str
    kind: str = "told"
    """``equal``, ``raises`` or ``holds`` can be checked by running; ``told`` is for readers."""
    by: str = ""
    """The person who gave it; empty: proposed from the ticket."""


class QuestionState(enum.StrEnum):
    """What became of a question."""

    WAITING = "waiting"
    ANSWERED = "answered"
    EXPIRED = "expired"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The one question that a ticket may cost its reporter."""

    text: str
    missing: str
    """What the ticket lacks, e.g. ``observation``."""
    asked_at: float
    """Seconds since the epoch."""
    until: float
    """When the wait is over, seconds since the epoch."""
    state: QuestionState = QuestionState.WAITING
    reply: str = ""
    by: str = ""
    """Who answered."""
    run_id: str = ""
    """The run that waits for it."""


class Understanding(msgspec.Struct, frozen=True, kw_only=True):
    """What was understood of a ticket."""

    type: Judgement
    product: Judgement = Judgement(value="")
    repository: Judgement = Judgement(value="")
    priority: Judgement = Judgement(value="5")
    """1-10, 10 first."""
    concerns: tuple[Concern, ...] = ()
    """The likeliest first; empty until the repository was looked at."""
    duplicates: tuple[Suggestion, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    engineer: Judgement = Judgement(value="")
    """Empty until a worker takes the ticket."""
    missing: str = ""
    """What the ticket does not say and would help; empty: nothing."""
    question: Question | None = None
