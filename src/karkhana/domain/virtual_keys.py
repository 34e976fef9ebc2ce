"""Keys that a gateway gives to its own clients. Pure data, without the secret."""

from fnmatch import fnmatchcase

import msgspec

from karkhana.domain.spending import Account


class VirtualKey(msgspec.Struct, frozen=True, kw_only=True):
    """What its holder may do. Raises ``ValueError`` for what makes no sense."""

    key_id: str
    """Its name in the ledger and in budgets (``key:ID``)."""
    prefix: str
    """The beginning of the secret, for people to tell keys apart."""
    name: str
    team: str = ""
    models: tuple[str, ...] = ()
    """Patterns of model names (``*``, ``?``, ``[abc]``); none: all models."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    expires_at: float | None = None
    """Seconds since the epoch."""
    disabled: bool = False
    created_at: float = 0.0

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 200 or not self.name.isprintable():
            raise ValueError("a key's name must be up to 200 printable characters")
        # refuses what is no name of a key or a team
        Account(self.key_id, self.team)
        for limit in (self.requests_per_minute, self.tokens_per_minute):
            if limit is not None and not 0 < limit <= 10**12:
                raise ValueError("a limit per minute must be above 0")
        if any(not pattern or not pattern.isprintable() for pattern in self.models):
            raise ValueError("patterns of models must be printable")

    def allows(self, model: str) -> bool:
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)
