"""Virtual keys: what the gateway's own clients show instead of a provider's key.

A secret has 256 random bits, is shown once, and is known afterwards only by its SHA-256: a slow hash would guard
nothing that can be guessed, and cost each request. Knows nothing of HTTP or budgets.

>>> secret, key = minted("ci", team="web")
>>> secret.startswith(key.prefix), len(secret), digest(secret) != secret
(True, 46, True)
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any, ClassVar

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.spending import Account
from karkhana.domain.virtual_keys import VirtualKey
from karkhana.routing.limits import Limits
from karkhana.storage.virtual_key_store import VirtualKeyStore

START = "kk_"
_SHOWN = len(START) + 4
_LONGEST = 256
_MODELS = 1024


class KeyRefused(KarkhanaError):
    """A client's key does not open this door; ``status`` is HTTP's word for it."""

    status: ClassVar[int] = 401


class UnknownKey(KeyRefused):
    """Nobody has this key."""


class KeyExpired(KeyRefused):
    """Its time is over."""


class KeyDisabled(KeyRefused):
    """Somebody turned it off."""


class ModelNotAllowed(KeyRefused):
    """The key is right, but not for this model."""

    status: ClassVar[int] = 403


def minted(name: str, **fields: Any) -> tuple[str, VirtualKey]:
    """A new secret, to be shown once, and its key; ``fields`` are those of :class:`VirtualKey`.

    Raises ``ValueError`` for a key that makes no sense.
    """
    secret = START + secrets.token_urlsafe(32)
    fields = {"created_at": time.time(), **fields}
    return secret, VirtualKey(key_id=secrets.token_hex(6), prefix=secret[:_SHOWN], name=name, **fields)


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Holder:
    """A client with a key that is known, and what this process remembers of it."""

    __slots__ = ("_models", "account", "key", "limits", "secret_sha256")

    def __init__(self, key: VirtualKey, secret_sha256: str, limits: Limits) -> None:
        self.key = key
        self.secret_sha256 = secret_sha256
        self.limits = limits
        self.account = Account(key.key_id, key.team)
        self._models: dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"Holder({self.key.key_id})"

    def check(self, model: str) -> None:
        """Raises :class:`ModelNotAllowed`."""
        allowed = self._models.get(model)
        if allowed is None:
            allowed = self.key.allows(model)
            # clients make up names
            if len(self._models) < _MODELS:
                self._models[model] = allowed
        if not allowed:
            patterns = ", ".join(self.key.models)
            raise ModelNotAllowed(f"the key {self.key.prefix}… is not for {model[:100]!r}", f"it is for: {patterns}")


class VirtualKeys:
    """All keys in memory. :meth:`refresh` is to be called every second or so, outside of requests."""

    def __init__(
        self,
        store: VirtualKeyStore,
        *,
        workers: int = 1,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._workers = workers
        self._wall = wall
        self._clock = clock
        self._holders: dict[str, Holder] = {}
        self._version: tuple[int, int] | None = None
        self.refresh()

    def find(self, secret: str) -> Holder:
        """Whose key this is. Raises :class:`KeyRefused`, with the cause as its class."""
        # whoever sends megabytes shall not have them hashed
        shown = digest(secret[:_LONGEST])
        found = self._holders.get(shown)
        if found is None or not hmac.compare_digest(found.secret_sha256, shown):
            raise UnknownKey("this key is not known", "ask whoever runs this gateway for a key")
        if found.key.disabled:
            raise KeyDisabled(f"the key {found.key.prefix}… is disabled", "ask for it to be enabled, or for another")
        if found.key.expires_at is not None and found.key.expires_at <= self._wall():
            raise KeyExpired(f"the key {found.key.prefix}… has expired", "ask for a new one")
        return found

    def refresh(self) -> bool:
        """Take over what was changed; whether anything was. What was used of a limit that stays is remembered."""
        version = self._store.version()
        if version == self._version:
            return False
        before = {holder.key.key_id: holder.limits for holder in self._holders.values()}
        holders = {}
        for secret_sha256, key in self._store.all().items():
            wanted = key.requests_per_minute, key.tokens_per_minute
            limits = before.get(key.key_id)
            if limits is None or limits.allowed != wanted:
                limits = Limits(*wanted, self._clock, self._workers)
            holders[secret_sha256] = Holder(key, secret_sha256, limits)
        self._holders, self._version = holders, version
        return True
