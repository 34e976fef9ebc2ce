"""Whoever looks on while runs are carried out: figures, traces. They see steps and events, and change nothing.

Knows nothing of what is made of it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol, TypeVar

from karkhana.domain.events import AnyEvent
from karkhana.factory.engine import DurableEngine

R = TypeVar("R")


class RunWatch(Protocol):
    """Looks on one execution of a run, in its thread."""

    def event(self, event: AnyEvent) -> None:
        """An event was stored."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Around a step of the line, also one whose result is recorded already."""


class Watch(Protocol):
    """Looks on a worker."""

    def run(self, run_id: str, task_id: str) -> AbstractContextManager[RunWatch]:
        """Around one execution of a run."""

    def taken_over(self) -> None:
        """A run of a worker that died was taken over."""


class Watches:
    """Several that look on together; none at all is fine."""

    def __init__(self, watches: Iterable[Watch] = ()) -> None:
        self._watches = tuple(watches)

    def taken_over(self) -> None:
        for watch in self._watches:
            watch.taken_over()

    @contextmanager
    def run(self, run_id: str, task_id: str) -> Iterator["_Together"]:
        with ExitStack() as stack:
            yield _Together(tuple(stack.enter_context(watch.run(run_id, task_id)) for watch in self._watches))


class _Together:
    def __init__(self, watches: tuple[RunWatch, ...]) -> None:
        self._watches = watches

    def event(self, event: AnyEvent) -> None:
        for watch in self._watches:
            watch.event(event)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        with ExitStack() as stack:
            for watch in self._watches:
                stack.enter_context(watch.step(name))
            yield


class WatchedEngine:
    """An engine whose steps are seen."""

    def __init__(self, engine: DurableEngine, watch: RunWatch) -> None:
        self._engine = engine
        self._watch = watch

    def start(self, run_id: str) -> None:
        """As the engine behind it."""
        self._engine.start(run_id)

    def step(self, name: str, function: Callable[[], R]) -> R:
        """As the engine behind it."""
        with self._watch.step(name):
            return self._engine.step(name, function)

    def wait(self, topic: str, timeout_s: float | None) -> str | None:
        """As the engine behind it."""
        return self._engine.wait(topic, timeout_s)

    def send(self, run_id: str, topic: str, message: str) -> None:
        """As the engine behind it."""
        self._engine.send(run_id, topic, message)

    def join(self, run_ids: Iterable[str], timeout_s: float | None) -> bool:
        """As the engine behind it."""
        return self._engine.join(run_ids, timeout_s)
