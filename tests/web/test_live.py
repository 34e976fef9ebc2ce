"""Live updates: everybody is told of what is new, nobody makes the server keep what he does not read."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from web_support import PORT

from karkhana.domain import events as ev
from karkhana.domain.errors import DatabaseUnavailable
from karkhana.storage.run_lists import RunLists
from karkhana.web.app import dashboard
from karkhana.web.live import PENDING, Hub
from karkhana.web.pages.now import Seen
from karkhana.web.pages.streams import body

ALL = msgspec.json.encode(Seen(True, (), True, "")).decode()
"""The topic of somebody who may see everything."""


def during(hub: Hub, work: Callable[[], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        watching = asyncio.ensure_future(hub.watch())
        try:
            async with asyncio.timeout(30):
                await work()
        finally:
            watching.cancel()

    asyncio.run(all_of_it())


@pytest.fixture
def hub(stores) -> Hub:
    return Hub(RunLists(stores.database), lambda topic, after: f"{topic}:{after}".encode())


def test_an_event_reaches_every_reader_of_its_run_and_no_other(hub, line):
    claim, other = line.begin("one"), line.begin("two")

    async def work() -> None:
        streams = [hub.stream(claim.run_id, 0) for _ in range(3)]
        quiet = hub.stream(other.run_id, 0)
        for stream in (*streams, quiet):
            assert [await anext(stream), await anext(stream)][0] == b"retry: 1500\n\n"
        seq = line.stores.events.head(claim.run_id)[0]
        waiting = asyncio.ensure_future(anext(quiet))
        await asyncio.to_thread(line.record, claim, ev.Noted(text="new"))
        assert [await anext(stream) for stream in streams] == [f"{claim.run_id}:{seq}".encode()] * 3
        assert not waiting.done()
        waiting.cancel()
        assert hub.listeners == 3 + 1

    during(hub, work)


def test_what_came_between_the_page_and_the_stream_is_not_lost(app, line):
    site = app.state.site
    claim = line.begin("one")
    known = site.stores.events.head(claim.run_id)[0]
    line.record(claim, ev.Noted(text="between <b>"))

    async def work() -> None:
        stream = site.hub.stream(claim.run_id, known)
        await anext(stream)
        update = (await anext(stream)).decode()
        told = msgspec.json.decode(update.split("data: ")[1])
        assert update.startswith(f"id: {known + 1}\n")
        assert "between &lt;b&gt;" in told["rows"]
        assert f'id="e{known}"' not in told["rows"]

    during(site.hub, work)


def test_a_reader_that_does_not_read_is_let_go(hub, line):
    claim = line.begin("one")

    async def work() -> None:
        slow = hub.stream(claim.run_id, 0)
        await anext(slow)
        await anext(slow)
        for _ in range(PENDING + 2):
            hub._tell(claim.run_id, b"update")
        assert hub.listeners == 0
        got = [update async for update in slow]
        assert got == [b"update"] * (PENDING - 1)

    during(hub, work)


def test_closing_ends_every_stream(hub, line):
    claim = line.begin("one")

    async def work() -> None:
        streams = [hub.stream(claim.run_id, 0), hub.stream(ALL, 0)]
        for stream in streams:
            await anext(stream)
            await anext(stream)
        reading = [asyncio.ensure_future(anext(stream, None)) for stream in streams]
        await asyncio.sleep(0)
        hub.close()
        assert await asyncio.gather(*reading) == [None, None]
        assert hub.listeners == 0

    during(hub, work)


def test_the_factory_tells_of_a_new_ticket(stores, line):
    lists = RunLists(stores.database)
    hub = Hub(lists, lambda topic, after: f"{len(lists.active())} at work".encode())

    async def work() -> None:
        stream = hub.stream(ALL, 0)
        await anext(stream)
        assert await anext(stream) == b"0 at work"
        await asyncio.to_thread(line.begin, "another")
        while await anext(stream) != b"1 at work":
            """What stood there when the stream began may be told once more."""

    during(hub, work)


def test_readers_who_come_together_share_what_is_made(stores):
    made: list[str] = []

    def slowly(topic: str, after: int) -> bytes:
        made.append(topic)
        time.sleep(0.05)
        return b"update"

    hub = Hub(RunLists(stores.database), slowly)

    async def work() -> None:
        streams = [hub.stream(ALL, 0) for _ in range(50)]
        for stream in streams:
            await anext(stream)
        assert await asyncio.gather(*(anext(stream) for stream in streams)) == [b"update"] * 50
        # the first, and once more in case something happened meanwhile
        assert len(made) <= 2

    during(hub, work)


def test_what_could_not_be_made_is_tried_again(stores):
    failing = [DatabaseUnavailable("gone", "wait")]

    def render(topic: str, after: int) -> bytes:
        if failing:
            raise failing.pop()
        return b"update"

    hub = Hub(RunLists(stores.database), render)

    async def work() -> None:
        first, second = hub.stream(ALL, 0), hub.stream(ALL, 0)
        await anext(first)
        with pytest.raises(DatabaseUnavailable):
            await anext(first)
        await anext(second)
        assert await anext(second) == b"update"

    asyncio.run(asyncio.wait_for(work(), 30))


def test_a_run_that_cannot_be_shown_takes_nothing_from_the_others_and_loses_nothing(stores, line, monkeypatch):
    monkeypatch.setattr("karkhana.web.live.AWAY_S", 0.1)
    odd, plain = line.begin("odd"), line.begin("plain")
    broken: list[Exception] = []

    def render(topic: str, after: int) -> bytes:
        if topic == odd.run_id and broken:
            raise broken[0]
        return f"{topic}:{after}".encode()

    hub = Hub(RunLists(stores.database), render)
    seqs = {claim.run_id: stores.events.head(claim.run_id)[0] for claim in (odd, plain)}

    async def work() -> None:
        streams = {claim.run_id: hub.stream(claim.run_id, 0) for claim in (odd, plain)}
        for stream in streams.values():
            assert [await anext(stream), await anext(stream)][0] == b"retry: 1500\n\n"
        broken.append(ValueError("a page that cannot be made"))
        await asyncio.to_thread(line.record, odd, ev.Noted(text="new"))
        await asyncio.to_thread(line.record, plain, ev.Noted(text="new"))
        assert await anext(streams[plain.run_id]) == f"{plain.run_id}:{seqs[plain.run_id]}".encode()
        broken.clear()
        assert await anext(streams[odd.run_id]) == f"{odd.run_id}:{seqs[odd.run_id]}".encode()

    during(hub, work)


def test_a_page_that_knows_all_is_told_of_the_next_event_only(hub, line):
    claim = line.begin("one")
    seq = line.stores.events.head(claim.run_id)[0]

    async def work() -> None:
        stream = hub.stream(claim.run_id, seq)
        await anext(stream)
        told = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.3)
        assert not told.done()
        await asyncio.to_thread(line.record, claim, ev.Noted(text="new"))
        assert await told == f"{claim.run_id}:{seq}".encode()

    during(hub, work)


def test_a_page_that_knows_all_of_a_run_that_ended_meanwhile_is_told_so(hub, line):
    run_id = line.failed("one")
    seq = line.stores.events.head(run_id)[0]

    async def work() -> None:
        stream = hub.stream(run_id, seq)
        await anext(stream)
        assert await anext(stream) == f"{run_id}:{seq}".encode()

    during(hub, work)


def test_an_update_is_one_event_and_tells_that_a_run_has_ended(stores, runs, answers):
    site = dashboard(stores, account="asha", port=PORT, answering=answers).state.site
    for kind, ended in (("delivered", True), ("running", False)):
        update = body(site, runs[kind], 0).decode()
        assert update.count("\n") == 4
        told = msgspec.json.decode(update.split("data: ")[1])
        assert told["ended"] is ended
        assert set(told["parts"]) == {"live-head"}
    assert "live-now" in msgspec.json.decode(body(site, ALL, 0).split(b"data: ")[1])["parts"]


def test_a_stream_wants_the_number_of_an_event(client, runs):
    assert client.get(f"/runs/{runs['running']}/live?after=x").status_code == 400
