"""Tells the database how the breakers of this process stand, so that a page can show those of all processes.

Breakers live in the memory of whoever asks models; nothing here changes them. Knows nothing of who reads it.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Mapping

from karkhana.domain.errors import KarkhanaError
from karkhana.routing.attempt import Place
from karkhana.routing.breaker import Health
from karkhana.storage.breaker_store import BreakerReport, BreakerStore

LOOK_S = 3.0
"""Seconds between two looks."""
BEAT_S = 20.0
"""Seconds after which it is told again that nothing has changed."""
SILENT_S = 3 * BEAT_S
"""Seconds after which who has said nothing is believed to be gone."""


def reporter_name(kind: str, number: int) -> str:
    """Of a process: what it is, where, and its number there."""
    return f"{kind} {socket.gethostname()}:{number}"


async def tell_breakers(
    breakers: Callable[[], Mapping[Place, Health]],
    store: BreakerStore,
    reporter: str,
    *,
    look_s: float = LOOK_S,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Look and tell until it is cancelled; what was told last is taken back then."""
    told, told_at = list[BreakerReport](), 0.0
    try:
        while True:
            found = reports(breakers(), reporter)
            if _shown(found) != _shown(told) or (found and clock() - told_at > BEAT_S):
                # a database that is away for a moment must not end whoever asks models
                with contextlib.suppress(KarkhanaError):
                    await asyncio.to_thread(store.tell, reporter, found)
                    told, told_at = found, clock()
            await asyncio.sleep(look_s)
    finally:
        if told:
            with contextlib.suppress(KarkhanaError):
                store.tell(reporter, ())


def reports(breakers: Mapping[Place, Health], reporter: str) -> list[BreakerReport]:
    """By the places' names."""
    return [
        BreakerReport(
            reporter=reporter,
            place=str(place),
            state=health.state.value,
            answered=health.answered,
            failed=health.failed,
            opens_in_s=health.opens_in_s,
        )
        for place, health in sorted(breakers.items())
    ]


def _shown(told: list[BreakerReport]) -> list[tuple[str, str, int, int]]:
    """Without the seconds that pass by themselves."""
    return [(each.place, each.state, each.answered, each.failed) for each in told]
