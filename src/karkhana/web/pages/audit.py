"""The audit: who did what, when, and what came of it. Searched, taken along as a file, and shown to be unaltered."""

import csv
import io
import itertools
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from karkhana.storage.audit import AuditEntry, AuditFilter
from karkhana.storage.event_log import timestamp
from karkhana.storage.run_lists import RunFilter
from karkhana.storage.visibility import Visible
from karkhana.web.site import Site, audits, site_of, who
from karkhana.web.zones import ZONE_COOKIE, midnight, zone_of

PAGE = 100
MOST = 1_000_000
"""Entries of one file."""
TRAILS = 200
"""Of the newest runs, that are looked at when all is verified, ..."""
TRAILS_S = 10.0
"""... in at most so many seconds."""
TEXTS = ("actor", "action", "target", "product", "outcome", "words")
COLUMNS = ("seq", "at", "actor", "via", "token_id", "action", "target", "product", "outcome", "details", "hash")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def audit(request: Request) -> Response:
    """``/audit?actor=&action=&target=&product=&outcome=&words=&since=&until=&before=SEQ``."""
    site, visible = site_of(request), audits(request)
    if visible is None:
        return site.missing(request, "page")
    asked, chosen = _asked(request), _filter(request, visible)
    entries = site.stores.audit.entries(chosen, before=_number(request.query_params.get("before", "")), limit=PAGE + 1)
    older = urllib.parse.urlencode(asked | {"before": str(entries[PAGE - 1].seq)}) if len(entries) > PAGE else ""
    return site.page(
        request,
        "audit.html",
        entries=entries[:PAGE],
        details={entry.seq: plainly(entry.details) for entry in entries},
        asked={name: asked.get(name, "") for name in (*TEXTS, "since", "until")},
        filtered=bool(asked),
        query=urllib.parse.urlencode(asked),
        older=f"/audit?{older}" if older else "",
        first="before" not in request.query_params,
        whole=visible == (True, frozenset()),
    )


def exported(request: Request) -> Response:
    """``/audit/export?format=csv|ndjson`` and the filter of the page: all that it chooses, the oldest first."""
    site, visible = site_of(request), audits(request)
    kind = request.query_params.get("format", "")
    if visible is None or kind not in _WRITERS:
        return site.missing(request, "page" if visible is None else f"format {kind}")
    chosen = _filter(request, visible)
    site.stores.audit.record(who(request), action="audit.export", details={"format": kind, **_asked(request)})
    entries = itertools.islice(site.stores.audit.exported(chosen), MOST + 1)
    name = f'attachment; filename="karkhana-audit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{kind}"'
    media = "text/csv; charset=utf-8" if kind == "csv" else "application/x-ndjson"
    return StreamingResponse(_WRITERS[kind](entries), media_type=media, headers={"content-disposition": name})


def verified(request: Request) -> Response:
    """``POST /audit/verify``: the chain of the audit, and the trails of the newest runs."""
    site, visible = site_of(request), audits(request)
    if visible is None:
        return site.missing(request, "page")
    problem = site.stores.audit.verify()
    count, newest = site.stores.audit.head()
    trails, broken = _trails(site, visible)
    told = {"problem": problem is not None, "broken": [run for run, _ in broken]}
    site.stores.audit.record(who(request), action="audit.verify", details=told)
    return site.page(
        request, "audit_verify.html", problem=problem, count=count, newest=newest, trails=trails, broken=broken
    )


def _trails(site: Site, visible: Visible) -> tuple[int, list[tuple[str, str]]]:
    """How many were looked at, and (run, what is wrong first)."""
    until, looked_at, broken = time.monotonic() + TRAILS_S, 0, []
    for row in site.lists.page(RunFilter(visible=visible), limit=TRAILS):
        if time.monotonic() > until:
            break
        looked_at += 1
        problems = site.stores.events.verify(row.run_id)
        if problems:
            broken.append((row.run_id, problems[0].message))
    return looked_at, broken


def _asked(request: Request) -> dict[str, str]:
    names = (*TEXTS, "since", "until")
    return {name: value.strip()[:200] for name in names if (value := request.query_params.get(name, "")).strip()}


def _filter(request: Request, visible: Visible) -> AuditFilter:
    asked = _asked(request)
    zone = zone_of(urllib.parse.unquote(request.cookies.get(ZONE_COOKIE, "")))
    return AuditFilter(
        **{name: asked.get(name, "") for name in TEXTS},
        since=_day(asked.get("since", ""), zone, 0),
        until=_day(asked.get("until", ""), zone, 1),
        visible=visible,
    )


def _day(text: str, zone: str, more: int) -> str:
    """When a day of the reader's began, or (``more`` 1) was over; nothing for what is no day."""
    try:
        day = date.fromisoformat(text) + timedelta(days=more)
    except (ValueError, OverflowError):
        return ""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    begun = midnight(zone, noon)
    # noon in London is tomorrow or yesterday in a few places
    begun = midnight(zone, noon + timedelta(days=(day - begun.date()).days))
    return timestamp(begun.astimezone(UTC))


def plainly(details: Mapping[str, object]) -> str:
    """What else is told of an entry, for people; what is empty is left out.

    >>> plainly({"name": "ci", "roles": {"shop": "viewer", "*": "admin"}, "newest": False, "broken": []})
    'name: ci, roles (shop: viewer, *: admin), newest: no'
    """
    parts = []
    for name, value in details.items():
        if isinstance(value, Mapping) and value:
            parts.append(f"{name} ({plainly(value)})")
        elif isinstance(value, list) and value:
            parts.append(f"{name} ({', '.join(_word(each) for each in value)})")
        elif value not in ("", None, [], {}):
            parts.append(f"{name}: {_word(value)}")
    return ", ".join(parts)


def _word(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({plainly(value)})"
    if isinstance(value, list):
        return f"({', '.join(_word(each) for each in value)})"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _csv(entries: Iterable[AuditEntry]) -> Iterator[bytes]:
    """As RFC 4180 has it, with formulas made harmless."""
    yield _line(COLUMNS)
    for number, entry in enumerate(entries):
        if number == MOST:
            yield _line(("more", "", "", "", "", "narrow the time, and load the rest"))
            return
        values = (msgspec.json.encode(entry.details).decode() if n == "details" else getattr(entry, n) for n in COLUMNS)
        yield _line([guarded(str(value)) for value in values])


def guarded(cell: str) -> str:
    """A cell that a spreadsheet would take for a formula begins with an apostrophe (OWASP, "CSV injection").

    >>> guarded("=1+1"), guarded("asha"), guarded("-1")
    ("'=1+1", 'asha', "'-1")
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _ndjson(entries: Iterable[AuditEntry]) -> Iterator[bytes]:
    """The last line says whether there are more."""
    for number, entry in enumerate(entries):
        if number == MOST:
            yield b'{"type":"end","complete":false}\n'
            return
        yield msgspec.json.encode({"type": "entry", **msgspec.structs.asdict(entry)}) + b"\n"
    yield b'{"type":"end","complete":true}\n'


_WRITERS = {"csv": _csv, "ndjson": _ndjson}
