"""One run: the strip, the question to a person, and the tabs Changes, Trail, Evidence, Confidence and Cost."""

import bisect
import itertools
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from karkhana.domain.access import Role
from karkhana.domain.evidence import Finding
from karkhana.domain.json import plain
from karkhana.domain.tasks import Status
from karkhana.factory.explaining import explain_run
from karkhana.factory.understanding import kept_of
from karkhana.storage.run_lists import RunRow
from karkhana.web.cards import card_of
from karkhana.web.diffs import read_patch
from karkhana.web.digests import Digest
from karkhana.web.evidence import measured
from karkhana.web.site import Site, chosen_product, site_of, who
from karkhana.web.strip import GLYPHS, strip
from karkhana.web.trails import PAGE, groups_of, rows_of, turn_of
from karkhana.web.windows import MOST_FILES, windows

TABS = ("changes", "trail", "evidence", "confidence", "cost")
LATEST = 6


def run(request: Request) -> Response:
    """``/runs/RUN`` and ``/runs/RUN/TAB``."""
    site = site_of(request)
    run_id: str = request.path_params["run_id"]
    row = site.row(request, run_id)
    tab = request.path_params.get("tab", "")
    if row is None or tab not in ("", *TABS):
        return site.missing(request, f"run {run_id}" if row is None else f"tab {tab}")
    digest = site.digests.of(run_id, row.events)
    tab = tab or ("trail" if digest.handed_over is None else "changes")
    return site.page(
        request,
        "run.html",
        tab=tab,
        tabs=TABS,
        card=card_of(site.grounds, who(request), row, digest),
        told=site.heard(request),
        understood=kept_of(site.stores, row.task_id),
        operates=who(request).may(Role.OPERATOR, row.product),
        audited=who(request).may(Role.ADMIN, row.product) and chosen_product(request) in ("", row.product),
        **head(site, row, digest),
        **_VIEWS[tab](site, request, row, digest),
    )


def head(site: Site, row: RunRow, digest: Digest) -> dict[str, Any]:
    """What the top of the page shows, which is also what changes while it runs."""
    after = max(0, digest.seq - LATEST)
    live = not row.status.finished
    entries = site.stores.events.entries(row.run_id, after=after) if live else ()
    return {
        "run": row,
        "digest": digest,
        "stops": strip(digest, datetime.now(UTC)),
        "glyphs": GLYPHS,
        "live": live,
        "busy": live and row.status is not Status.WAITING_FOR_REVIEW,
        "latest": rows_of(itertools.islice(entries, LATEST), digest),
        "score": None if digest.scored is None else digest.scored.confidence.score,
    }


def _changes(site: Site, request: Request, row: RunRow, digest: Digest) -> dict[str, Any]:
    patch = digest.handed_over.change.patch if digest.handed_over is not None else ""
    files = read_patch(patch)
    inline: dict[str, dict[int, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in digest.findings:
        inline[finding.path][finding.line].append(finding)
    asked = request.query_params
    found = windows(files, asked.get("file", ""), _number(asked.get("from", "0")))
    return {
        "files": files[:MOST_FILES],
        "unlisted": len(files[MOST_FILES:]),
        "inline": inline,
        "windows": found,
        "shown": {window.file.path: window.lines for window in found},
        "elsewhere": [finding for finding in digest.findings if finding.path not in {file.path for file in files}],
    }


def _trail(site: Site, request: Request, row: RunRow, digest: Digest) -> dict[str, Any]:
    asked = request.query_params
    failed_only = asked.get("failed") == "1"
    first = max(1, _number(asked.get("from", "1")))
    if failed_only:
        wanted = digest.failures[bisect.bisect_left(digest.failures, first) :][:PAGE]
        entries = site.stores.events.at(row.run_id, wanted)
        following = wanted[-1] + 1 if wanted and wanted[-1] != digest.failures[-1] else 0
    else:
        entries = list(itertools.islice(site.stores.events.entries(row.run_id, after=first - 1), PAGE))
        following = first + PAGE if entries and entries[-1].seq < digest.seq else 0
    place = bisect.bisect_right(digest.failures, _number(asked.get("seen", "0")))
    return {
        "groups": groups_of(rows_of(entries, digest)),
        "failed_only": failed_only,
        "first": first,
        "earlier": max(1, first - PAGE) if first > 1 else 0,
        "following": following,
        "following_failure": digest.failures[place] if place < len(digest.failures) else 0,
        "page_size": PAGE,
        "tail": not failed_only and not following,
    }


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _evidence(site: Site, request: Request, row: RunRow, digest: Digest) -> dict[str, Any]:
    gates = list(digest.gates.values())
    return {"gates": gates, "measured": {gate.gate: measured(gate.measures) for gate in gates}}


def _confidence(site: Site, request: Request, row: RunRow, digest: Digest) -> dict[str, Any]:
    if digest.scored is None:
        return {"explained": None, "policy": site.stores.settings.policy}
    return {"explained": explain_run(site.stores, row.run_id), "policy": site.stores.settings.policy}


def _cost(site: Site, request: Request, row: RunRow, digest: Digest) -> dict[str, Any]:
    return {"budget": None if digest.order is None else digest.order.budget}


_VIEWS = {"changes": _changes, "trail": _trail, "evidence": _evidence, "confidence": _confidence, "cost": _cost}


def event(request: Request) -> Response:
    """``/runs/RUN/trail/SEQ``: one event with everything that it holds."""
    site = site_of(request)
    run_id: str = request.path_params["run_id"]
    row = site.row(request, run_id)
    seq: int = request.path_params["seq"]
    if row is None or not 1 <= seq <= row.events:
        return site.missing(request, f"event {seq} of run {run_id}")
    entry = next(site.stores.events.entries(run_id, after=seq - 1))
    text = msgspec.json.format(msgspec.json.encode(_encodable(plain(entry.event))), indent=2).decode()
    return site.page(
        request,
        "event.html",
        run=row,
        entry=entry,
        text=text,
        turn=turn_of(entry.event),
        operates=who(request).may(Role.OPERATOR, row.product),
    )


def _encodable(value: Any) -> Any:
    """File names and patches may hold bytes that are no UTF-8, which JSON cannot."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, list | tuple) else value


def patch(request: Request) -> Response:
    """``/runs/RUN/patch``: the change as a file, byte for byte."""
    site = site_of(request)
    row = site.row(request, request.path_params["run_id"])
    if row is None:
        return site.missing(request, "run")
    digest = site.digests.of(row.run_id)
    if digest.handed_over is None:
        return site.missing(request, "change of this run")
    name = f'attachment; filename="{row.run_id}.patch"'
    content = digest.handed_over.change.patch.encode("utf-8", "surrogateescape")
    return Response(content, headers={"content-disposition": name}, media_type="application/octet-stream")


def log(request: Request) -> Response:
    """``/runs/RUN/log``: every event as it was stored, one JSON object a line."""
    site = site_of(request)
    row = site.row(request, request.path_params["run_id"])
    if row is None:
        return site.missing(request, "run")
    entries = site.stores.events.entries(row.run_id)
    lines = (msgspec.json.encode(_encodable(plain(entry))) + b"\n" for entry in entries)
    name = f'attachment; filename="{row.run_id}.ndjson"'
    return StreamingResponse(lines, media_type="application/x-ndjson", headers={"content-disposition": name})


def verified(request: Request) -> Response:
    """``/runs/RUN/verify``: whether the trail is as it was written."""
    site = site_of(request)
    row = site.row(request, request.path_params["run_id"])
    if row is None:
        return site.missing(request, "run")
    problems = site.stores.events.verify(row.run_id)
    site.audit(request, "run.verify", row, details={"problems": len(problems)})
    return site.page(request, "verify.html", run=row, problems=problems, head=site.stores.events.head(row.run_id))
