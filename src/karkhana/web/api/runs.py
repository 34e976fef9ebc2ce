"""Runs: what happened in each, and what came of it."""

import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

import anyio
import msgspec
from msgspec import UNSET, Meta, UnsetType

from karkhana.delivery.report import report
from karkhana.domain.events import Entry
from karkhana.domain.evidence import Finding, GateResult
from karkhana.domain.tasks import Status, TaskType
from karkhana.factory.explaining import Explanation, explain_run
from karkhana.factory.reporting import dossier
from karkhana.factory.results import RunResult, Tests, result_of
from karkhana.storage.event_log import EventLog
from karkhana.storage.run_lists import RunFilter, RunRow
from karkhana.storage.verification import Problem as TrailProblem
from karkhana.web.api.contract import STREAM, About, Answer, Call, Operation, Page
from karkhana.web.api.encoding import encoded
from karkhana.web.api.problems import missing
from karkhana.web.api.shapes import Name, Paging, given, page, position

TAG = "runs"
LONGEST_WAIT_S = 60
PATCH = "text/x-diff"
MARKDOWN = "text/markdown"


class RunQuery(Paging, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs, the newest first."""

    status: Status | UnsetType = UNSET
    type: TaskType | UnsetType = UNSET
    product: Name | UnsetType = UNSET
    task_id: Name | UnsetType = UNSET


class RunItem(RunRow, frozen=True, kw_only=True):
    """One run of a list."""

    cost_usd: str | None
    """For models, exact; ``null``: a price is not known."""


class EventQuery(Paging, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events of a run, in order."""

    type: Name | UnsetType = UNSET
    """Only of this type, e.g. ``tool.called``."""


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where on, and for how long."""

    after: Annotated[int, Meta(ge=0, le=999_999_999)] = 0
    """Events after this number; ``Last-Event-ID`` goes before it."""
    wait: Annotated[int, Meta(ge=0, le=LONGEST_WAIT_S)] = 15
    """Seconds for which new events are waited for; then the stream ends, and the client comes back."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the gates and the review say of a change."""

    run_id: str
    gates: list[GateResult]
    self_review: list[Finding]
    tests: Tests
    coverage_delta: float | None


class ModelCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one model did."""

    model: str
    calls: int
    recalled: int
    usd: str
    unpriced: int
    """Calls whose price nobody knows."""
    seconds: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did cost."""

    run_id: str
    usd: str | None
    """Exact; ``null``: a price is not known."""
    budget_usd: float | None
    turns: int
    seconds: float | None
    models: list[ModelCost]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a trail is as it was written."""

    run_id: str
    intact: bool
    events: int
    head: str
    """Hash of the newest event."""
    problems: list[TrailProblem]


def listed(call: Call) -> Answer:
    query: RunQuery = call.query
    wanted = RunFilter(
        status=given(query.status),
        type=given(query.type),
        product=given(query.product),
        task_id=given(query.task_id),
        visible=call.seen,
    )
    rows = call.site.lists.page(wanted, before=position("runs", query), limit=query.limit + 1)
    found = page("runs", query, [(row, row.run_id) for row in rows])
    return Answer(Page([item(call, row) for row in found.items], found.next))


def item(call: Call, row: RunRow) -> RunItem:
    """A line of a list."""
    cost = call.site.costs.of(row)
    told = msgspec.structs.asdict(row)
    return RunItem(**told, cost_usd=None if cost is None else format(cost, "f"))


def shown(call: Call) -> Answer:
    return Answer(result_of(call.site.stores, call.run.run_id))


def events(call: Call) -> Answer:
    query: EventQuery = call.query
    of = f"events {call.run.run_id}"
    kinds = () if isinstance(query.type, UnsetType) else (query.type,)
    entries = call.site.stores.events.entries(call.run.run_id, after=int(position(of, query) or 0), kinds=kinds)
    found = [(entry, str(entry.seq)) for entry in itertools.islice(entries, query.limit + 1)]
    return Answer(page(of, query, found))


def event(call: Call) -> Answer:
    seq = int(call.path["seq"])
    entry = next(call.site.stores.events.entries(call.run.run_id, after=seq - 1), None) if seq else None
    if entry is None or entry.seq != seq:
        raise missing(f"event {seq} of {call.run.run_id}")
    return Answer(entry)


def streamed(call: Call) -> Answer:
    query: StreamQuery = call.query
    known = call.headers.get("last-event-id", "").strip()
    after = int(known) if known else query.after
    return Answer(stream=_stream(call, after, query.wait))


async def _stream(call: Call, after: int, wait_s: int) -> AsyncIterator[bytes]:
    """Events as they come; the shared look at all runs that are watched says when there may be one."""
    log, run_id, end = call.site.stores.events, call.run.run_id, time.monotonic() + wait_s
    # a handful of bytes at once, which opens the stream for those who wait for its head
    yield b"retry: 1000\n\n"
    at = after
    async for at, told in _missed(log, run_id, after):  # noqa: B007 - where to go on from
        yield told
    row = await anyio.to_thread.run_sync(call.site.lists.get, run_id)
    if wait_s == 0 or row is None or row.status.finished:
        return
    updates = call.watch(run_id, at)
    try:
        while (left := end - time.monotonic()) > 0:
            with anyio.move_on_after(left) as scope:
                await anext(updates, None)
            if scope.cancelled_caught:
                return
            async for at, told in _missed(log, run_id, at):  # noqa: B007, B020 - as above
                yield told
            row = await anyio.to_thread.run_sync(call.site.lists.get, run_id)
            if row is None or row.status.finished:
                return
    finally:
        if isinstance(updates, AsyncGenerator):
            await updates.aclose()


async def _missed(log: EventLog, run_id: str, after: int) -> AsyncIterator[tuple[int, bytes]]:
    """What is in the trail after an event, each with its number."""
    while True:
        entries = await anyio.to_thread.run_sync(_some, log, run_id, after)
        for entry in entries:
            # JSON has no line feeds in it, so that it is one line of data
            after = entry.seq
            yield after, b"id: %d\nevent: %b\ndata: %b\n\n" % (after, entry.type.encode(), encoded(entry))
        if len(entries) < 100:
            return


def _some(log: EventLog, run_id: str, after: int) -> list[Entry]:
    return list(itertools.islice(log.entries(run_id, after=after), 100))


def diff(call: Call) -> Answer:
    digest = call.site.digests.of(call.run.run_id)
    if digest.handed_over is None:
        raise missing(f"change of {call.run.run_id}")
    content = digest.handed_over.change.patch.encode("utf-8", "surrogateescape")
    etag = {"etag": f'"{digest.requested}"'} if digest.requested else {}
    return Answer(content, {**etag, "content-disposition": f'attachment; filename="{call.run.run_id}.patch"'})


def reported(call: Call) -> Answer:
    text = report(dossier(call.site.stores, call.run.run_id))
    return Answer(text.encode("utf-8", "replace"))


def evidence(call: Call) -> Answer:
    digest = call.site.digests.of(call.run.run_id)
    result = result_of(call.site.stores, call.run.run_id)
    return Answer(
        Evidence(
            run_id=call.run.run_id,
            gates=list(digest.gates.values()),
            self_review=result.self_review,
            tests=result.tests,
            coverage_delta=result.coverage_delta,
        )
    )


def confidence(call: Call) -> Answer:
    return Answer(explain_run(call.site.stores, call.run.run_id))


def cost(call: Call) -> Answer:
    digest = call.site.digests.of(call.run.run_id)
    models = [
        ModelCost(
            model=name,
            calls=use.calls,
            recalled=use.recalled,
            usd=format(use.usd, "f"),
            unpriced=use.unpriced,
            seconds=use.seconds,
        )
        for name, use in digest.models.items()
    ]
    return Answer(
        Cost(
            run_id=call.run.run_id,
            usd=None if digest.usd is None else format(digest.usd, "f"),
            budget_usd=None if digest.order is None else digest.order.budget.usd + digest.extra_usd,
            turns=digest.turns,
            seconds=digest.seconds,
            models=models,
        )
    )


def verified(call: Call) -> Answer:
    log = call.site.stores.events
    problems = log.verify(call.run.run_id)
    seq, head = log.head(call.run.run_id)
    told = Verified(run_id=call.run.run_id, intact=not problems, events=seq, head=head, problems=problems)
    return Answer(told)


def _read(path: str, name: str, summary: str, handler: Any, answer: Any, **more: Any) -> Operation:
    return Operation(
        method="GET",
        path="/runs/{run_id}" + path,
        name=name,
        tag=TAG,
        summary=summary,
        handler=handler,
        about=About.RUN,
        answer=answer,
        **more,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/runs",
        name="listRuns",
        tag=TAG,
        summary="Runs, the newest first",
        handler=listed,
        about=About.SOME,
        query=RunQuery,
        answer=Page[RunItem],
    ),
    _read("", "showRun", "What came of a run; the keys of karkhana run --json", shown, RunResult),
    _read("/events", "listEvents", "The trail of a run", events, Page[Entry], query=EventQuery),
    _read("/events/{seq}", "showEvent", "One event of a trail", event, Entry),
    _read(
        "/stream", "streamEvents", "The trail as server-sent events", streamed, bytes, query=StreamQuery, media=STREAM
    ),
    _read("/diff", "showDiff", "The change as a patch", diff, bytes, media=PATCH, tagged=True),
    _read("/report", "showReport", "The run as a report", reported, bytes, media=MARKDOWN, errors=(409,)),
    _read("/evidence", "showEvidence", "What the gates say of the change", evidence, Evidence),
    _read("/confidence", "showConfidence", "Why the score is what it is", confidence, Explanation, errors=(409,)),
    _read("/cost", "showCost", "What the run did cost", cost, Cost),
    _read("/verification", "verifyRun", "Whether the trail is as it was written", verified, Verified, tagged=True),
)
