"""What may be switched on beside routing: an answer cache, spans. Knows nothing of how they work.

>>> CacheSettings(entries=1000).ttl_s
3600.0
"""

from typing import Literal

import msgspec

from karkhana.http.messages import Url


class CacheSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cache]``: answers that are remembered for the same request at temperature 0."""

    entries: int = 0
    """Answers at most; 0 turns it off."""
    megabytes: int = 64
    """Of memory for all of them."""
    ttl_s: float = 3600.0
    """Seconds for which an answer is remembered."""
    share: Literal["key", "team", "all"] = "key"
    """With whom an answer is shared; a key without a team shares with nobody but itself."""

    def __post_init__(self) -> None:
        if not 0 <= self.entries <= 10_000_000:
            raise ValueError("entries must be from 0 to 10000000")
        if not 1 <= self.megabytes <= 1_048_576:
            raise ValueError("megabytes must be from 1 to 1048576")
        if not 0 < self.ttl_s <= 31_536_000:
            raise ValueError("ttl_s must be above 0 and at most 31536000")


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[telemetry]``: where spans are sent."""

    otlp: str = ""
    """Address of a collector that takes OTLP over HTTP; empty: that of ``OTEL_EXPORTER_OTLP_ENDPOINT``, if any."""

    def __post_init__(self) -> None:
        if self.otlp:
            Url.parse(self.otlp)
