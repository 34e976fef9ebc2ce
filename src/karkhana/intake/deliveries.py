"""What comes in at a door, and what it is read as. Knows nothing of how it came, or of what is done about it.

>>> Ignored("the issue was closed").reason
'the issue was closed'
"""

import enum
import hashlib
from collections.abc import Mapping

import msgspec


class Delivery(msgspec.Struct, frozen=True):
    """Bytes that somebody sent, believed in nothing."""

    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes
    at: float
    """When it came: seconds since the epoch."""

    @property
    def digest(self) -> str:
        """SHA-256 of the body, in hexadecimal digits: all of it that most signatures vouch for."""
        return hashlib.sha256(self.body).hexdigest()


class TicketDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants something done."""

    text: str
    sender: str
    """Who asks, as the door knows them."""
    place: str
    """What stands for a repository at this door: ``octo/shop``, a channel, a group."""
    subjects: tuple[str, ...]
    """What it is about: one ticket is made for all deliveries that share one of them."""
    reference: str = ""
    """Where people find it."""
    address: str = ""
    """Where to answer, as the door's channel reads it (:mod:`karkhana.intake.answers`); empty: nowhere."""
    continues: bool = False
    """Whether something was said before that is not in it, but may be asked for at its address."""
    labels: tuple[str, ...] = ()
    opening: bool = True
    """Made by its author alone; otherwise somebody pointed at it on purpose (a label, a command)."""
    check: str = ""
    """The check that failed, when it comes of one. A machine asks, so that checks are allowed and not senders."""


class Verb(enum.StrEnum):
    """What may be asked about a task that came in by a door."""

    APPROVE = "approve"
    REJECT = "reject"
    RETRY = "retry"
    CANCEL = "cancel"
    ANSWER = "answer"
    STATUS = "status"
    HELP = "help"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody says what is to become of a ticket."""

    verb: Verb
    sender: str
    place: str
    subject: str
    """The ticket's, as in :attr:`TicketDraft.subjects`; empty when ``run_id`` is given."""
    words: str = ""
    """What follows the verb."""
    run_id: str = ""
    address: str = ""
    """Where to answer."""
    respond: str = ""
    """Where the press of a button is answered, for a while."""


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody says something where a ticket was given, to nobody by name: the answer to a question, maybe."""

    sender: str
    place: str
    subject: str
    """The ticket's, as in :attr:`TicketDraft.subjects`."""
    text: str
    address: str = ""
    """Where to answer."""


class Ignored(msgspec.Struct, frozen=True):
    """A delivery that is in order, and of which nothing is wanted."""

    reason: str
    known: bool = True
    """Whether this kind of delivery is left out on purpose; otherwise it is a kind that nobody knows."""


class Refused(msgspec.Struct, frozen=True):
    """A delivery that is not in order. Nothing of it is kept."""

    reason: str
    status: int = 400
    """Of the answer by HTTP."""
    retry_after_s: float = 0.0


class Challenge(msgspec.Struct, frozen=True):
    """The sender wants its own words back, to see that somebody is there."""

    text: str


Outcome = TicketDraft | Command | Remark | Ignored | Refused | Challenge
