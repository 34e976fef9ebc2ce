"""Who asks: virtual keys of the gateway's own. Knows nothing of requests.

A client's key never reaches a provider, and a provider's key never reaches a client.
"""

from collections.abc import Container, Iterable
from typing import Protocol

from karkhana.domain.spending import Account
from karkhana.routing.faults import Fault, ProviderFault
from karkhana.routing.keys import KeyRefused, ModelNotAllowed, VirtualKeys
from karkhana.routing.limits import Limits, RateLimited


class ClientRefused(ProviderFault):
    """A client is not let in. ``reason`` is one of few words, for counting."""

    def __init__(self, reason: str, fault: Fault, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(fault, message, retry_after_s=retry_after_s)
        self.reason = reason


class Client:
    """A client that may ask, for one request."""

    __slots__ = ("_limits", "_taken", "account")

    def __init__(self, account: Account, limits: Limits | None = None, taken: int = 0) -> None:
        self.account = account
        self._limits = limits
        self._taken = taken

    def over(self, used: int) -> None:
        """The request is over and used so many tokens, which may be others than it was let in with."""
        if self._limits is not None:
            self._limits.correct(self._taken, used)


class Clients(Protocol):
    """Tells clients by their keys."""

    def known(self, key: str) -> Account:
        """Whose key this is. Raises ``ProviderFault`` (``UNAUTHORISED``) for one that nobody has."""

    def among(self, key: str, models: Iterable[str]) -> list[str]:
        """Those of ``models`` that the client of a key may ask. Raises as :meth:`known`."""

    def operates(self, key: str, operators: Container[str]) -> bool:
        """Whether the key is one of ``operators``, identifiers of keys. Raises as :meth:`known`."""

    def admit(self, key: str, model: str, tokens: int) -> Client:
        """The client of a key, if it may ask ``model`` with up to ``tokens`` tokens now.

        Raises ``ProviderFault``: ``UNAUTHORISED``, ``UNKNOWN_MODEL`` or ``RATE_LIMITED``.
        """


class OpenHouse:
    """Everybody may ask; only for a gateway on a loopback address."""

    def known(self, key: str) -> Account:
        """Everybody is."""
        del key
        return Account()

    def among(self, key: str, models: Iterable[str]) -> list[str]:
        """All."""
        del key
        return list(models)

    def operates(self, key: str, operators: Container[str]) -> bool:
        """Everybody does: who reaches a loopback address may use the machine."""
        del key, operators
        return True

    def admit(self, key: str, model: str, tokens: int) -> Client:
        """Anybody."""
        del key, model, tokens
        return Client(Account())


class KeyHolders:
    """Those who have a virtual key."""

    def __init__(self, keys: VirtualKeys) -> None:
        self._keys = keys

    def known(self, key: str) -> Account:
        try:
            return self._keys.find(key).account
        except KeyRefused as refused:
            raise _refusal(refused) from None

    def among(self, key: str, models: Iterable[str]) -> list[str]:
        try:
            found = self._keys.find(key).key
        except KeyRefused as refused:
            raise _refusal(refused) from None
        return [model for model in models if found.allows(model)]

    def operates(self, key: str, operators: Container[str]) -> bool:
        try:
            return self._keys.find(key).key.key_id in operators
        except KeyRefused as refused:
            raise _refusal(refused) from None

    def admit(self, key: str, model: str, tokens: int) -> Client:
        try:
            holder = self._keys.find(key)
            holder.check(model)
            holder.limits.take(tokens)
        except KeyRefused as refused:
            raise _refusal(refused) from None
        except RateLimited as limited:
            wait_s = min(limited.retry_after_s, 3600.0)
            message = f"{limited.message}; {limited.next}"
            raise ClientRefused("rate_limit", Fault.RATE_LIMITED, message, retry_after_s=wait_s) from None
        return Client(holder.account, holder.limits, tokens)


def _refusal(refused: KeyRefused) -> ClientRefused:
    message = f"{refused.message}; {refused.next}"
    if isinstance(refused, ModelNotAllowed):
        return ClientRefused("model", Fault.UNKNOWN_MODEL, message)
    return ClientRefused("key", Fault.UNAUTHORISED, message)
