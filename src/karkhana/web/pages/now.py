"""What is going on: what waits for a person, who works on what, the queue, what today brought, and the budgets."""

import urllib.parse
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from karkhana.domain.tasks import Status
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.outbox import Outbox
from karkhana.storage.run_lists import RunFilter, RunRow
from karkhana.storage.visibility import Visible
from karkhana.web.digests import Digest, Station
from karkhana.web.site import Site, keeps_house, sees, site_of
from karkhana.web.trails import Row, rows_of
from karkhana.web.zones import ZONE_COOKIE, midnight, zone_of

SHOWN = 12
UNSAID = 100
"""Answers that were given up are counted up to this."""


class Seen(msgspec.Struct, frozen=True):
    """What a reader may see, and where their day begins; those with the same share each update."""

    everywhere: bool
    named: tuple[str, ...]
    house: bool
    zone: str

    @property
    def visible(self) -> Visible:
        return self.everywhere, frozenset(self.named)


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody at work."""

    row: RunRow
    digest: Digest
    station: Station | None
    doing: Row | None
    """The newest event."""
    cost: Decimal | None
    """Dollars; ``None``: not known."""


def seen_by(request: Request) -> Seen:
    everywhere, named = sees(request)
    zone = zone_of(urllib.parse.unquote(request.cookies.get(ZONE_COOKIE, "")))
    return Seen(everywhere, tuple(sorted(named)), keeps_house(request), zone)


def now(request: Request) -> Response:
    """``/``."""
    site = site_of(request)
    return site.page(request, "now.html", **state(site, seen_by(request)))


def state(site: Site, seen: Seen) -> dict[str, Any]:
    """Everything that changes on this page."""
    at, visible = datetime.now(UTC), seen.visible
    since = midnight(seen.zone, at)
    ended = site.lists.finished_since(since.timestamp(), visible=visible)
    budgets = BudgetStore(site.stores.database)
    scopes = [budget.scope for budget in budgets.all()] if seen.house else []
    outbox = Outbox(site.stores.database)
    return {
        "at": at,
        "since": since,
        "zone": seen.zone,
        "house": seen.house,
        "agents": [_agent(site, row) for row in site.lists.active(SHOWN, visible=visible)],
        "queue": site.stores.tasks.list(status=Status.QUEUED, limit=SHOWN, visible=visible),
        "queued": site.lists.queued(visible=visible),
        "waits": site.lists.count(Status.WAITING_FOR_REVIEW, visible=visible),
        "delivered": ended.get("delivered", 0) + ended.get("deployed", 0),
        "failed": ended.get("failed", 0) + ended.get("rolled_back", 0),
        "others": ended.get("rejected", 0) + ended.get("cancelled", 0),
        "recent": site.lists.page(RunFilter(visible=visible), limit=SHOWN),
        "unsaid": len(outbox.waiting(UNSAID, failed=True)) if seen.house else 0,
        "troubles": outbox.troubles() if seen.house else {},
        "standings": budgets.standings(scopes, at.date().isoformat()) if scopes else [],
    }


def _agent(site: Site, row: RunRow) -> Agent:
    digest = site.digests.of(row.run_id, row.events)
    busy = [station for station in digest.stations.values() if station.until is None]
    newest = site.stores.events.at(row.run_id, [digest.seq])
    return Agent(
        row=row,
        digest=digest,
        station=busy[-1] if busy else None,
        doing=next(iter(rows_of(newest, digest)), None),
        cost=digest.usd,
    )
