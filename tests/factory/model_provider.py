"""A fake provider on loopback behind the real line, for tests of runs with a language model."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from homes import ready_home
from karkhana.domain import events as ev
from karkhana.factory.stores import open_stores
from karkhana.routing.fake.program import FakeProvider
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import fake_provider

PRICE = """
[price.any]
input = "1"
output = "2"
"""
"""Stands at the head of a script."""
MODELS = """
[provider.fake]
wire = "openai"
base_url = "{address}/v1"
[model.fake]
candidates = ["fake/any"]
[price."fake/any"]
input = "1"
output = "2"
"""
WEAK = """
[capability."fake/any"]
context = 8192
tools = false
"""
"""What makes the model of the file one that calls no tools."""


def says(turn: int, *calls: tuple[str, dict[str, Any]], others: str = "") -> str:
    """A rule of a script: the tools that are called in the so many-th answer; ``others`` are further lines of it."""
    listed = ", ".join(
        f"{{ name = {json.dumps(name)}, arguments = {{ "
        + ", ".join(f"{key} = {json.dumps(value)}" for key, value in arguments.items())
        + " } }"
        for name, arguments in calls
    )
    return f"[[answer]]\nturn = {turn}\ncalls = [{listed}]\n{others}\n"


class Provider:
    """A fake provider on a loop of its own, which can be ended and started again on another port."""

    def __init__(self, file: Path, script: str = "") -> None:
        """``file`` is where the models are named; ``script`` is that of a start without one."""
        self._file, self._script = file, script
        self.program: FakeProvider | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, script: str = "", *, models: str = MODELS) -> None:
        ready = threading.Event()

        async def serve() -> None:
            async with fake_provider(read_script(script or self._script)) as (address, self.program):
                self._file.write_text(models.format(address=address))
                self._over = asyncio.Event()
                self._loop = asyncio.get_running_loop()
                ready.set()
                await self._over.wait()

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()))
        self._thread.start()
        assert ready.wait(10)

    def end(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()
            self._loop = None

    def requests(self) -> int:
        """In this life."""
        return int(str(self.program.account.told()["requests"])) if self.program is not None else 0


P = TypeVar("P", bound=Provider)


@contextmanager
def provider_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str = "", kind: type[P] = Provider
) -> Iterator[P]:
    """One that is not started yet, and a home of the factory's own that knows of it; ended in the end."""
    monkeypatch.setenv("KARKHANA_HOME", str(ready_home(folder / "home")))
    monkeypatch.setenv("KARKHANA_MODELS_FILE", str(folder / "gateway.toml"))
    made = kind(folder / "gateway.toml", script)
    try:
        yield made
    finally:
        made.end()


def events_of(run_id: str) -> list[ev.AnyEvent]:
    """A run's events; its trail is intact."""
    with open_stores() as stores:
        assert stores.events.verify(run_id) == []
        return [entry.event for entry in stores.events.entries(run_id)]


def asked(run_id: str) -> list[ev.ModelAnswered]:
    """The answers that were really asked for."""
    return [event for event in events_of(run_id) if isinstance(event, ev.ModelAnswered) and not event.recalled]
