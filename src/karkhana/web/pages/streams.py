"""The bodies of live updates, and the streams that carry them."""

import itertools
from collections.abc import AsyncIterator

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from karkhana.storage.event_log import EventLog
from karkhana.web.live import RUN
from karkhana.web.pages.now import Seen, seen_by, state
from karkhana.web.pages.run import head
from karkhana.web.site import Site, site_of
from karkhana.web.trails import PAGE, groups_of, rows_of

MOST_ROWS = PAGE
"""Events that one update adds to a page; who misses more loads the page anew."""


def body(site: Site, topic: str, after: int) -> bytes:
    """One server-sent event: parts of a page by the ``id`` that they replace, and rows that are added."""
    if not topic.startswith(RUN):
        values = state(site, msgspec.json.decode(topic, type=Seen))
        parts = {"live-now": site.pages.fragment("now.html", "live", **values)}
        return _message({"parts": parts, "waiting": values["waits"]}, "0")
    row = site.lists.get(topic)
    if row is None:
        return b": no such run\n\n"
    digest = site.digests.of(topic, row.events)
    parts = {"live-head": site.pages.fragment("run.html", "head", **head(site, row, digest))}
    rows = rows_of(_entries(site.stores.events, topic, after), digest)
    added = site.pages.fragment("trail_rows.html", "rows", groups=groups_of(rows), run=row)
    told = {"parts": parts, "rows": added, "ended": row.status.finished, "status": row.status.value}
    return _message(told, str(digest.seq))


def _entries(log: EventLog, run_id: str, after: int) -> itertools.islice:  # type: ignore[type-arg]
    return itertools.islice(log.entries(run_id, after=after), MOST_ROWS)


def _message(data: dict[str, object], number: str) -> bytes:
    # JSON has no line feeds in it, so that it is one line of data
    return b"id: " + number.encode() + b"\nevent: update\ndata: " + msgspec.json.encode(data) + b"\n\n"


async def run_stream(request: Request) -> Response:
    """``/runs/RUN/live?after=SEQ``; ``Last-Event-ID`` goes before ``after``."""
    site = site_of(request)
    run_id: str = request.path_params["run_id"]
    if await run_in_threadpool(site.row, request, run_id) is None:
        return PlainTextResponse("There is no such run.\n", 404)
    known = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    if not (known.isascii() and known.isdigit() and len(known) < 10):
        return PlainTextResponse("after must be the number of an event\n", 400)
    return _stream(site.hub.stream(run_id, int(known)))


async def factory_stream(request: Request) -> Response:
    """``/live``: what whoever asks may see; those who may see the same share what is rendered."""
    return _stream(site_of(request).hub.stream(msgspec.json.encode(seen_by(request)).decode(), 0))


def _stream(updates: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(updates, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
