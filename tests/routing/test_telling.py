"""Breakers are told when they change, now and then, and taken back at the end."""

import asyncio
from pathlib import Path

from karkhana.domain.errors import DatabaseUnavailable
from karkhana.routing.attempt import Place
from karkhana.routing.breaker import Health, State
from karkhana.routing.telling import BEAT_S, reports, tell_breakers
from karkhana.storage.breaker_store import BreakerReport, BreakerStore
from karkhana.storage.database import open_database

PLACE = Place("cloud", "large", "1")


def health(state: State = State.CLOSED, failed: int = 0) -> Health:
    return Health(state=state, answered=3, failed=failed, opens_in_s=0.0, opened=0)


class Written(BreakerStore):
    """Remembers what was told, and fails when it is to."""

    def __init__(self, database: object) -> None:
        super().__init__(database)  # type: ignore[arg-type]
        self.all: list[list[str]] = []
        self.away = False

    def tell(self, reporter: str, reports: list[BreakerReport]) -> None:  # type: ignore[override]
        if self.away:
            raise DatabaseUnavailable("away", "wait")
        self.all.append([f"{each.place} {each.state} {each.failed}" for each in reports])
        super().tell(reporter, reports)


def test_it_tells_what_changed_and_then_only_now_and_then(tmp_path: Path) -> None:
    now, seen = [0.0], dict[Place, Health]()
    with open_database(None, tmp_path) as database:
        store = Written(database)

        async def work() -> None:
            task = asyncio.ensure_future(tell_breakers(lambda: seen, store, "me", look_s=0.005, clock=lambda: now[0]))
            await asyncio.sleep(0.05)
            assert store.all == []
            seen[PLACE] = health()
            await until(lambda: len(store.all) == 1)
            store.away = True
            seen[PLACE] = health(State.OPEN, 9)
            await asyncio.sleep(0.03)
            store.away = False
            await until(lambda: len(store.all) == 2)
            await asyncio.sleep(0.03)
            assert len(store.all) == 2
            now[0] += BEAT_S + 1
            await until(lambda: len(store.all) == 3)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        async def until(true: object) -> None:
            async with asyncio.timeout(20):
                while not true():  # type: ignore[operator] # noqa: ASYNC110 - a list says it, not an event
                    await asyncio.sleep(0.005)

        asyncio.run(work())
        assert store.all == [["cloud/large#1 closed 0"], ["cloud/large#1 open 9"], ["cloud/large#1 open 9"], []]
        assert store.told(1e9) == []


def test_places_are_told_by_name() -> None:
    (told,) = reports({PLACE: health(State.HALF_OPEN, 2)}, "me")
    assert (told.place, told.state, told.answered, told.failed) == (str(PLACE), "half_open", 3, 2)
