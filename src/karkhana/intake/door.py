"""A door: from raw bytes to what they say, in a fixed order: verified first, read second.

Knows the order, and nothing of single senders; each kind of door is a class in a file of its own.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from karkhana.intake.deliveries import Delivery, Outcome, Refused
from karkhana.intake.payload import Unreadable
from karkhana.intake.signatures import Secrets


class Door(Protocol):
    """One kind of sender."""

    def verify(self, delivery: Delivery, secrets: Secrets) -> Refused | None:
        """``None`` when it comes from whoever shares one of the ``secrets``."""

    def identity(self, delivery: Delivery) -> str:
        """By which a second delivery of the same is known; empty: by its body alone. Of a verified one only."""

    def read(self, delivery: Delivery) -> Outcome:
        """What a verified delivery says. May raise ``Unreadable``."""


class Reading(msgspec.Struct, frozen=True):
    """A delivery that was read."""

    identity: str
    digest: str
    outcome: Outcome


def received(door: Door, delivery: Delivery, secrets: Secrets) -> Reading | Refused:
    """What a delivery says; :class:`Refused` when it is not in order."""
    if refused := (UNARMED if not secrets else door.verify(delivery, secrets)):
        return refused
    try:
        outcome = door.read(delivery)
        identity = door.identity(delivery)
    except Unreadable as error:
        return Refused(f"the delivery cannot be read: {error}"[:300], 422)
    if isinstance(outcome, Refused):
        return outcome
    return Reading(identity[:200] or delivery.digest, delivery.digest, outcome)


UNARMED = Refused("this door has no secret, so that nothing can come in by it", 503)


def media_type(headers: Mapping[str, str]) -> str:
    """Of the body, in small letters, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()
