"""One request to one place, and how it ended, for whoever keeps books on it. Knows nothing of what is done next.

>>> Attempt(call="c1", number=1, place=Place("cloud", "large", "2"), streamed=False).place
Place(provider='cloud', model='large', key='2')
"""

import enum
from typing import NamedTuple, Protocol

import msgspec

from karkhana.domain.chat import Usage
from karkhana.routing.faults import ProviderFault


class Place(NamedTuple):
    """What is asked: a model at a provider with one of its keys."""

    provider: str
    model: str
    key: str
    """Label of the key, never the key."""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}#{self.key}"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is about to be sent."""

    call: str
    """The call that it serves; hedges and repetitions share it."""
    number: int
    """From 1 within the call, hedges included."""
    place: Place
    streamed: bool
    hedge: bool = False

    @property
    def name(self) -> str:
        """What the provider is told (``x-client-request-id``) and the ledger remembers."""
        return f"{self.call}-{self.number}"


class Outcome(enum.StrEnum):
    ANSWERED = "answered"
    """The answer came whole."""
    FAILED = "failed"
    """It never began."""
    BROKE_OFF = "broke_off"
    """It began, and did not come to its end."""
    LEFT = "left"
    """We gave it up: the client is gone, or another attempt was faster."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended."""

    outcome: Outcome
    usage: Usage | None = None
    """As far as the provider told it; ``None`` does not mean that nothing was used."""
    charged: bool = True
    """Whether the provider may charge for it. It does not for what never reached it or what it refused."""
    fault: ProviderFault | None = None
    first_s: float | None = None
    """Seconds until the answer began."""
    whole_s: float = 0.0
    """Seconds until this ending."""


class Observer(Protocol):
    """Is told of every attempt, e.g. a ledger or a trail."""

    async def begins(self, attempt: Attempt) -> None:
        """Before it is sent. What this raises ends the call; nothing is sent then."""

    def ends(self, attempt: Attempt, ending: Ending) -> None:
        """Once for each that began, also when it was cancelled."""


class Unobserved:
    """For calls that nobody keeps books on."""

    async def begins(self, attempt: Attempt) -> None:
        """Does nothing."""

    def ends(self, attempt: Attempt, ending: Ending) -> None:
        """Does nothing."""
