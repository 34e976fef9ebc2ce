"""What a provider's refusal means for what to do next. Knows nothing of wires.

| fault | retry the same | another provider | counts against it |
|---|---|---|---|
| rate_limited, overloaded, server_error, timeout, broken | yes | yes | yes |
| unauthorised, quota | no | yes | yes |
| unknown_model, too_long | no | yes | no |
| invalid, refused | no | no | no |
"""

import enum
from collections.abc import Mapping

import msgspec


class Fault(enum.StrEnum):
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    """The connection or the answer broke off, or the answer makes no sense."""
    UNAUTHORISED = "unauthorised"
    """The key is wrong, expired or not allowed to do this."""
    QUOTA = "quota"
    """The account's money or quota is used up."""
    UNKNOWN_MODEL = "unknown_model"
    TOO_LONG = "too_long"
    """The prompt does not fit into the model's context."""
    INVALID = "invalid"
    """The request itself is wrong."""
    REFUSED = "refused"
    """The provider's rules forbid an answer."""

    @property
    def retryable(self) -> bool:
        """Whether asking the same provider again may help."""
        return self in (Fault.RATE_LIMITED, Fault.OVERLOADED, Fault.SERVER_ERROR, Fault.TIMEOUT, Fault.BROKEN)

    @property
    def elsewhere(self) -> bool:
        """Whether asking another provider or model may help."""
        return self not in (Fault.INVALID, Fault.REFUSED)

    @property
    def blames_provider(self) -> bool:
        """Whether it counts against the provider's health."""
        return self.retryable or self in (Fault.UNAUTHORISED, Fault.QUOTA)


class ProviderFault(Exception):
    """A provider did not answer."""

    def __init__(
        self, fault: Fault, message: str, *, status: int = 0, code: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.status = status
        """The provider's HTTP status, 0 if there was no answer."""
        self.code = code
        """The provider's own name for it."""
        self.retry_after_s = retry_after_s


class FaultTable(msgspec.Struct, frozen=True, kw_only=True):
    """Statuses and words of one wire that tell its faults."""

    statuses: Mapping[int, Fault]
    codes: dict[str, Fault] = {}
    """Parts of the provider's own code or type."""
    words: dict[str, Fault] = {}
    """Parts of the message, in lower case."""

    def fault(self, status: int, code: str, message: str) -> Fault:
        lower = message.lower()
        for part, fault in self.codes.items():
            if part in code:
                return fault
        for part, fault in self.words.items():
            if part in lower:
                return fault
        found = self.statuses.get(status)
        if found is None:
            found = Fault.SERVER_ERROR if status >= 500 else Fault.INVALID
        return found
