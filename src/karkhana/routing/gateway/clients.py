"""Who asks: virtual keys of the gateway's own. Knows nothing of requests.

A client's key never reaches a provider, and a provider's key never reaches a client.
"""

from typing import Protocol

import msgspec

from karkhana.domain.spending import Account
from karkhana.routing.faults import Fault, ProviderFault


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A client that may ask."""

    name: str
    account: Account = Account()


class Clients(Protocol):
    """Tells clients by their keys."""

    def admit(self, key: str, model: str, tokens: int) -> Client:
        """The client of a key, if it may ask ``model`` with up to ``tokens`` tokens now.

        Raises ``ProviderFault``: ``UNAUTHORISED``, ``UNKNOWN_MODEL`` or ``RATE_LIMITED``.
        """


class OpenHouse:
    """Everybody may ask; only for a gateway on a loopback address."""

    def admit(self, key: str, model: str, tokens: int) -> Client:
        """Anybody."""
        del key, model, tokens
        return Client(name="anybody")


def not_admitted(message: str, fault: Fault = Fault.UNAUTHORISED, *, wait_s: float | None = None) -> ProviderFault:
    """Why a client may not ask."""
    return ProviderFault(fault, message, retry_after_s=wait_s)
