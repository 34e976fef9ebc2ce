"""What is going on: what waits for a person, who works on what, the queue, what today brought, and the budgets."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from karkhana.domain.tasks import Status
from karkhana.storage.budget_store import BudgetStore
from karkhana.storage.run_lists import RunFilter
from karkhana.web.site import Site, site_of

SHOWN = 12


def now(request: Request) -> Response:
    """``/``."""
    site = site_of(request)
    return site.page(request, "now.html", **state(site))


def state(site: Site) -> dict[str, Any]:
    """Everything that changes on this page."""
    at = datetime.now(UTC)
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    ended = site.lists.finished_since(midnight.timestamp())
    budgets = BudgetStore(site.stores.database)
    scopes = [budget.scope for budget in budgets.all()]
    return {
        "at": at,
        "active": [(row, site.digests.of(row.run_id), site.costs.of(row)) for row in site.lists.active(SHOWN)],
        "queue": site.stores.tasks.list(status=Status.QUEUED, limit=SHOWN),
        "queued": site.lists.queued(),
        "waits": site.lists.count(Status.WAITING_FOR_REVIEW),
        "delivered": ended.get("delivered", 0) + ended.get("deployed", 0),
        "failed": ended.get("failed", 0) + ended.get("rolled_back", 0),
        "others": ended.get("rejected", 0) + ended.get("cancelled", 0),
        "recent": site.lists.page(RunFilter(), limit=SHOWN),
        "standings": budgets.standings(scopes, at.date().isoformat()) if scopes else [],
    }
