"""What the programs of all clients share: they run in the clients' own environments and know nothing of Karkhana.

A program gets one JSON object as its argument (``address``, ``key``, ``metered``, ``poor``, ``wires``) and prints one
JSON line for each check: ``{"feature", "wire", "ok", "said", "seconds"}``; the first line tells the versions.

>>> # checks = Checks({"openai": openai.__version__})
>>> # with checks("chat", "gemini"):
>>> #     assert answer == "Paris."
"""

import asyncio
import json
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

PARIS = "Paris, the city of light."
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
FITTING = {"city": "text", "days": 1}
"""What the fake provider makes of the schema."""
RESULT = "Heavy rain until Sunday, then sun. " * 10
"""A tool's result; it is counted in the next request's tokens, which shows that it arrived."""
SYSTEM = "You answer like a geographer of the old school. " * 4
IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG of one pixel."""
IMAGE_TOKENS = 85
"""What the fake provider counts for an image."""


def tokens(text: str) -> int:
    """As the fake provider counts them."""
    return (len(text) + 3) // 4


class Checks:
    """Runs checks, and tells of each."""

    def __init__(self, versions: dict[str, str]) -> None:
        self.given: dict[str, Any] = json.loads(sys.argv[1])
        self.address: str = self.given["address"]
        self.key: str = self.given["key"]
        print(json.dumps({"versions": versions}), flush=True)

    @contextmanager
    def __call__(self, feature: str, wire: str = "") -> Iterator[None]:
        """One check: what fails within it is told, and the next one goes on."""
        said, began = "", time.monotonic()
        try:
            yield
        except Exception as error:  # whatever a library raises is what the check is about
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{where.filename.rpartition('/')[2]}:{where.lineno}: {where.line}: {type(error).__name__} {error}"
            said = said if len(said) < 1200 else f"{said[:600]} ... {said[-600:]}"
        seconds = round(time.monotonic() - began, 2)
        told = {"feature": feature, "wire": wire, "ok": not said, "said": said, "seconds": seconds}
        print(json.dumps(told), flush=True)

    @property
    def wires(self) -> list[str]:
        """Those that the providers behind the gateway speak; the model ``via-WIRE`` is answered over it."""
        return list(self.given["wires"])


def raised(kind: type[Exception], ask: Callable[[], Any]) -> Any:
    """The error of this kind that ``ask`` must raise."""
    try:
        found = ask()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised, but there came {found!r:.300}")


def awaited(work: Awaitable[Any]) -> Any:
    """What asynchronous work gives."""

    async def done() -> Any:
        return await work

    return asyncio.run(done())


def equal(found: Any, wanted: Any) -> None:
    """Raises ``AssertionError`` with both."""
    assert found == wanted, f"found {found!r:.300} instead of {wanted!r:.300}"
