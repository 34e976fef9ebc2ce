"""What a service has to be able to do so that answers can be sent there, and how it fails.

Errors, by what is to be done about them::

    Unsaid
    ├── NotNow      the service wants us to wait: nothing is sent to it for so long
    ├── LockedOut   our credentials do not count: nothing is sent until a person mends that
    ├── Failed      try again later
    └── Hopeless    trying again is of no use
"""

from typing import Any, Protocol

import msgspec

from karkhana.intake.answers.message import Message


class Unsaid(Exception):
    """An answer that was not said; the message says why, without anything secret."""


class NotNow(Unsaid):
    """The service wants us to wait."""

    def __init__(self, reason: str, wait_s: float) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class LockedOut(Unsaid):
    """Our credentials do not count, or do not reach as far as they must."""


class Failed(Unsaid):
    """It may work later."""


class Hopeless(Unsaid):
    """It will not work later either."""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message belongs, and what is known of earlier sendings of it."""

    reference: str
    """Where the ticket came from."""
    marker: str
    """Unique to this message; it goes with it, so that it can be found."""
    begun: bool = False
    """Whether it may have been sent already without our knowing."""
    external: dict[str, Any] = {}
    """What :meth:`Channel.say` returned last; empty: it was not said yet."""


class Channel(Protocol):
    """One service, with our credentials for it."""

    async def say(self, message: Message, post: Post) -> dict[str, Any]:
        """Say it, or change what was said; returns where it stands now. Raises :class:`Unsaid`.

        Saying it again after a crash says it once: whatever is done here is looked for first when ``post.begun``.
        """

    async def earlier(self, reference: str) -> list[tuple[str, str]]:
        """What was said in the same conversation before: sender and text, the oldest first; none where nobody can
        ask. Raises :class:`Unsaid`."""


SETTLED = 120.0
"""Seconds that a service is left alone when it wants that and does not say for how long."""
