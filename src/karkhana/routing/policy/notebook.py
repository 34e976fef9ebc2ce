"""Remembers choices and learns from their outcomes; what must last is written by a thread, off the way of requests.

Outcomes are learnt from the database only, so that every process that shares it learns the same: this one's clients,
other gateways, the factory. Knows nothing of HTTP.

>>> # notebook = Notebook(RouteStore(database), settings); notebook.load(); notebook.start()
>>> # notebook.begin(Call("c1", key_id, "", "auto", "bugfix", choice)); ...; notebook.end("c1", "cloud/small")
"""

import asyncio
import contextlib
import functools
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.routes import Report, RouteChoice, RouteOutcome
from karkhana.routing.policy.cascade import Offer, Stakes, propensities
from karkhana.routing.policy.choosing import Choice
from karkhana.routing.policy.habits import Habits
from karkhana.routing.policy.posteriors import Beta, Posteriors, Subject
from karkhana.routing.policy.priors import priors
from karkhana.routing.policy.sessions import SessionKey, Sessions
from karkhana.routing.policy.settings import PolicySettings
from karkhana.storage.route_store import RouteStore

WRITE_S = 1.0
DAY_S = 86_400.0
RECENT = 10_000
"""Calls that are remembered so that somebody may ask again after them."""
WAITING = 20_000
"""Choices that wait for a database that is away; later ones are not kept."""


class Call(NamedTuple):
    """A call under way."""

    name: str
    key_id: str
    pool: str
    entry: str
    task_type: str
    choice: Choice
    session: SessionKey | None = None
    tried: frozenset[str] = frozenset()


class Seen(NamedTuple):
    """A whole answer."""

    rung: str
    seconds: float
    output: int | None
    tokens: int


class Notebook:
    """What one process knows. Its methods are for the event loop's thread but where they say that they block."""

    def __init__(self, store: RouteStore, settings: PolicySettings, *, wall: Callable[[], float] = time.time) -> None:
        self.posteriors = Posteriors(discount=settings.discount, half_life_s=settings.half_life_days * DAY_S)
        self.habits = Habits()
        self.sessions = Sessions(capacity=settings.sessions, cache_s=priors().cache_s)
        self.lost = 0
        """Choices that could not be kept."""
        self._store = store
        self._remember_s = settings.remember_days * DAY_S
        self._wall = wall
        self._open: dict[str, tuple[Call, list[Seen]]] = {}
        self._recent: OrderedDict[str, tuple[str, frozenset[str]]] = OrderedDict()
        self._waiting: list[tuple[Call, RouteChoice]] = []
        self._failed: list[tuple[str, str]] = []
        self._last = 0
        self._known: set[int] = set()
        self._writing = threading.Lock()
        self._forgotten = 0.0
        self._task: asyncio.Task[None] | None = None

    # -- calls

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return bool(self._open)

    def begin(self, call: Call) -> None:
        """Before a call is made; :meth:`end` it afterwards."""
        self._open[call.name] = (call, [])

    def answered(self, name: str, seen: Seen) -> None:
        """A whole answer came, for this call or one that nobody had to be chosen for."""
        self.habits.seen(seen.rung, seconds=seen.seconds, output=seen.output)
        found = self._open.get(name)
        if found is not None:
            found[1].append(seen)

    def end(self, name: str, rung: str) -> None:
        """The call is over; ``rung`` did answer it, none if it is empty. Nothing if nobody had to be chosen."""
        found = self._open.pop(name, None)
        if found is None:
            return
        (call, answers), now = found, self._wall()
        seen = next((each for each in answers if each.rung == rung), None)
        if seen is not None and call.session is not None:
            self.sessions.answered(call.session, rung, seen.tokens, now)
        self._recent[name] = call.key_id, call.tried | {rung}
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        if len(self._waiting) >= WAITING:
            self.lost += 1
            return
        kept = RouteChoice(
            call=name,
            at=now,
            key_id=call.key_id,
            pool=call.pool,
            entry=call.entry,
            task_type=call.task_type,
            chosen=call.choice.offers[0].rung,
            propensity=1.0,
            answered=rung,
            seconds=None if seen is None else seen.seconds,
            output=None if seen is None else seen.output,
        )
        self._waiting.append((call, kept))

    def failed(self, name: str, key_id: str) -> frozenset[str]:
        """The client says that a call's answer did not pass, and asks again: the rungs that were tried by then.

        None for a call of somebody else, or of long ago.
        """
        found = self._recent.get(name)
        if found is None or found[0] != key_id:
            return frozenset()
        if len(self._failed) < WAITING:
            self._failed.append((name, key_id))
        return found[1]

    # -- what lasts

    def start(self) -> None:
        """Begin to write in the background, if that is not yet done; :meth:`close` ends it."""
        self._task = self._task or asyncio.ensure_future(self._keep_writing())

    async def close(self) -> None:
        """Write down what is left. What cannot be written now is lost: these are no accounts."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        with contextlib.suppress(KarkhanaError):
            await asyncio.to_thread(self.write)

    def load(self) -> None:
        """Learn all that is known. Blocks."""
        self._learn(self._news())
        for rung, seconds, output in self._store.habits():
            self.habits.seen(rung, seconds=seconds, output=output)

    async def report(self, call: str, key_id: str, passed: bool) -> Report:
        """A client's word on its call, written down before this returns. Raises ``InfrastructureFailure``."""
        told = await asyncio.to_thread(self._report, call, key_id, passed)
        self._learn(await asyncio.to_thread(self._news))
        return told

    async def record(self, outcome: RouteOutcome) -> None:
        """An outcome that is no client's word, written down before this returns. Raises ``InfrastructureFailure``."""
        await asyncio.to_thread(self._store.record, outcome)
        self._learn(await asyncio.to_thread(self._news))

    async def _keep_writing(self) -> None:
        """Until it is cancelled: write down what is new, and learn what others wrote."""
        while True:
            await asyncio.sleep(WRITE_S)
            try:
                await asyncio.to_thread(self.write)
                self._learn(await asyncio.to_thread(self._news))
            except KarkhanaError:
                # a database that is away for a moment: what waits is written later
                continue

    def write(self) -> None:
        """Write down what waits. Blocks. Raises ``InfrastructureFailure``; nothing is lost then."""
        with self._writing:
            waiting = self._waiting[:]
            self._store.keep([_complete(call, kept) for call, kept in waiting])
            del self._waiting[: len(waiting)]
            failed, now = self._failed[:], self._wall()
            for call, key_id in failed:
                self._store.report(call, key_id, False, now)
            del self._failed[: len(failed)]
            if now - self._forgotten > DAY_S / 24:
                self._store.forget(now - self._remember_s)
                self._forgotten = now

    def _report(self, call: str, key_id: str, passed: bool) -> Report:
        self.write()
        return self._store.report(call, key_id, passed, self._wall())

    def _news(self) -> list[tuple[int, RouteOutcome]]:
        return self._store.outcomes(self._last)

    def _learn(self, news: Iterable[tuple[int, RouteOutcome]]) -> None:
        for number, told in news:
            if number not in self._known:
                self._known.add(number)
                self._last = max(self._last, number)
                self.posteriors.learn(Subject(told.pool, told.task_type, told.rung), told.passed, told.at)
        if len(self._known) > RECENT:
            self._known = set(sorted(self._known)[-RECENT // 10 :])


def _complete(call: Call, kept: RouteChoice) -> RouteChoice:
    choice = call.choice
    return msgspec.structs.replace(
        kept, propensity=propensity_of(choice, kept.chosen), reasons=msgspec.json.encode(choice).decode()
    )


def propensity_of(choice: Choice, rung: str) -> float:
    """How likely it was that this rung would be the first, 1 if nothing was left to chance."""
    if not choice.drawn:
        return 1.0
    # close enough for an estimate, and most requests of a kind are then looked up
    rounded = tuple(
        (o.rung, round(o.passes.alpha, 1), round(o.passes.beta, 1), round(o.correction, 2), float(f"{o.price:.2g}"))
        for o in choice.offers
    )
    return _propensities(rounded, choice.stakes)[rung]


@functools.lru_cache(maxsize=1000)
def _propensities(rounded: tuple[tuple[str, float, float, float, float], ...], stakes: Stakes) -> dict[str, float]:
    offers = [
        Offer(rung, Beta(max(0.05, alpha), max(0.05, beta)), correction=correction, cost=price)
        for rung, alpha, beta, correction, price in rounded
    ]
    return propensities(offers, stakes, random.Random(1))  # noqa: S311 - the same estimate whenever it is asked for
