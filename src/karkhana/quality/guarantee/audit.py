"""The audit: a small share of what could go ahead alone goes to a person, chosen by chance, and what that tells.

Bad changes that nobody notices stay in the outcomes as good ones. People who look at a random share of what would have
gone ahead find some of these, so the share that they refuse, against the share of known bad ones among the rest, says
how much the outcomes overlook. Knows nothing of runs but their identifier.

>>> audited("run_1", "salt", 1.0), audited("run_1", "salt", 0.0)
(True, False)
"""

import hashlib

import msgspec

from karkhana.quality.guarantee.binomial import interval


def audited(run_id: str, salt: str, share: float) -> bool:
    """Whether a run is in the audited share, in [0,1]: the same answer for the same run and salt, wherever."""
    digest = hashlib.sha256(f"{salt}\0{run_id}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


class Overlooked(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit says about bad changes that no outcome tells of."""

    audited: int
    refused: int
    alone: int
    """Of those that could have been drawn."""
    alone_bad: int
    share: float | None = None
    """Of what could go ahead alone, the part that was drawn; ``None``: nothing could."""
    rate: float | None = None
    """Estimated share of what went ahead alone that is bad without being known to be; ``None``: no audit yet."""
    low: float = 0.0
    high: float = 1.0
    """A conservative interval of it."""


def overlooked(*, refused: int, of_audited: int, bad: int, of_alone: int, confidence: float) -> Overlooked:
    """Rate among the audited minus known rate among the rest; the interval joins the exact ones of both (each at half
    the error, Bonferroni)."""
    drawn = of_audited / (of_audited + of_alone) if of_audited + of_alone else None
    found = Overlooked(audited=of_audited, refused=refused, alone=of_alone, alone_bad=bad, share=drawn)
    if not of_audited:
        return found
    each = 1 - (1 - confidence) / 2
    (low, high), (known_low, known_high) = interval(refused, of_audited, each), interval(bad, of_alone, each)
    known = bad / of_alone if of_alone else 0.0
    return msgspec.structs.replace(
        found,
        rate=max(0.0, refused / of_audited - known),
        low=max(0.0, low - known_high),
        high=max(0.0, high - known_low),
    )
