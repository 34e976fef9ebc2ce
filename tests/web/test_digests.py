"""What a run's page says, folded from its events; the strip and the trail made from it."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from karkhana.domain import events as ev
from karkhana.domain.tasks import Status
from karkhana.storage.event_log import Stored
from karkhana.web.digests import Digest, Digests
from karkhana.web.strip import strip
from karkhana.web.trails import groups_of, rows_of


def test_a_digest_goes_on_where_it_was_and_reads_nothing_twice(line, stores, monkeypatch):
    claim = line.begin("Prices are added twice")
    digests = Digests(stores.events)
    first = digests.of(claim.run_id)
    read: list[int] = []
    stored = stores.events.stored

    def counted(run_id: str, after: int = 0, **more: Any):
        for row in stored(run_id, after, **more):
            read.append(row.seq)
            yield row

    monkeypatch.setattr(stores.events, "stored", counted)
    line.build(claim)
    before, stations = first.seq, list(first.stations)
    again = digests.of(claim.run_id)
    assert read == list(range(before + 1, again.seq + 1))
    assert again.turns == 2
    # a page that is being rendered has the first one in its hands
    assert (first.seq, first.turns, list(first.stations), first.engineers) == (before, 0, stations, [])
    assert first.stations["plan"].until is None
    assert again.stations["plan"].until is not None


def test_what_models_did_cost_is_told_and_an_unknown_price_is_not_nothing():
    digest = Digest()
    answer = ev.ModelAnswered(turn=1, purpose="work", model="m", answer={}, cost_usd="0.0125", duration_s=1.0)
    take(digest, 1, answer)
    take(digest, 2, ev.ModelAnswered(turn=1, purpose="work", model="m", answer={}, cost_usd="9", recalled=True))
    assert digest.usd == Decimal("0.0125")
    take(digest, 3, ev.ModelAnswered(turn=2, purpose="work", model="m", answer={}))
    assert digest.usd is None


def take(digest: Digest, seq: int, event: ev.AnyEvent) -> None:
    of = entry(seq, event)
    digest.take(Stored(of.run_id, of.seq, of.at, of.type, ""), event)


@pytest.mark.parametrize("kind", ["delivered", "failed", "waiting", "running"])
def test_what_is_read_in_passing_says_the_same_as_the_whole(runs, stores, kind):
    trail = stores.events.trail(runs[kind])
    texts = {"text": "x" * 20_000, "$odd": 1}
    for turn, result in enumerate(
        (texts, texts | {"exit_code": 3}, {"exit_code": None}, ["exit_code"], None, "text"), 5
    ):
        trail.record(ev.ToolReturned(turn=turn, result=result))
    trail.record(ev.ToolReturned(turn=20, error="e" * 20_000))
    answer = {"content": "y" * 20_000}
    trail.record(ev.ModelAnswered(turn=3, purpose="work", model="m", place="a/m", answer=answer, cost_usd="0.5"))
    whole = Digest()
    for each in stores.events.entries(runs[kind]):
        whole.take(Stored(each.run_id, each.seq, each.at, each.type, ""), each.event)
    assert Digests(stores.events).of(runs[kind]) == whole
    assert len(whole.failures) >= 3


def entry(seq: int, event: ev.AnyEvent) -> ev.Entry:
    kind = str(type(event).__struct_config__.tag)
    at = f"2026-05-12T08:30:{seq % 60:02d}.000000Z"
    return ev.Entry(run_id="run_1", seq=seq, at=at, type=kind, event=event, previous_hash="", hash="")


def states(digest: Digest) -> dict[str, str]:
    return {stop.name: stop.state for stop in strip(digest, datetime(2026, 5, 12, 8, 31, tzinfo=UTC))}


def test_the_strip_follows_the_line(runs, stores):
    digests = Digests(stores.events)
    assert set(states(digests.of(runs["delivered"])).values()) == {"done"}
    assert states(digests.of(runs["waiting"]))["ship"] == "wait"
    running = states(digests.of(runs["running"]))
    assert (running["plan"], running["build"], running["ship"]) == ("done", "busy", "ahead")
    failed = states(digests.of(runs["failed"]))
    assert (failed["build"], failed["verify"]) == ("failed", "skipped")


def test_a_run_that_is_rejected_ends_its_strip_without_a_delivery(line, stores):
    run_id = line.waiting("Prices")
    digest = Digests(stores.events).of(run_id)
    take(digest, 99, ev.RunFinished(status=Status.REJECTED))
    assert states(digest)["ship"] == "skipped"


def test_failures_are_numbered(runs, stores):
    digest = Digests(stores.events).of(runs["failed"])
    kinds = {e.seq: e.type for e in stores.events.entries(runs["failed"])}
    assert [kinds[seq] for seq in digest.failures] == ["tool.returned", "engineer.abstained", "run.finished"]


def test_a_long_row_of_one_kind_is_folded_but_never_a_failure_in_it(runs, stores):
    digest = Digests(stores.events).of(runs["failed"])
    rows = rows_of(stores.events.entries(runs["failed"]), digest)
    groups = groups_of(rows)
    assert [len(group.rows) for group in groups if group.folded] == [8]
    assert [row.seq for group in groups for row in group.rows] == [row.seq for row in rows]
    assert all(not row.failed for group in groups if group.folded for row in group.rows)


def test_bars_lie_within_the_run(runs, stores):
    digest = Digests(stores.events).of(runs["delivered"])
    rows = rows_of(itertools.islice(stores.events.entries(runs["delivered"]), 100), digest)
    assert all(0 <= row.left <= 100 and row.width > 0 for row in rows)
    assert [row.station for row in rows if row.station] == [
        "start",
        "plan",
        "build",
        "review",
        "verify",
        "score",
        "ship",
    ]
