"""The router: what models did cost, how long they took, how often they failed, and what choosing among them saved."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from karkhana.storage.breaker_store import BreakerStore
from karkhana.web import charts
from karkhana.web.site import Site, keeps_house, site_of

DAYS = (7, 30, 90)


def router(request: Request) -> Response:
    """``/router?days=7|30|90``; models belong to no product, so only those see it who see all products."""
    site = site_of(request)
    if not keeps_house(request):
        return site.missing(request, "page")
    asked = request.query_params.get("days", "")
    days = int(asked) if asked in map(str, DAYS) else 30
    made, figures = site.kept.of(("router", days), lambda: _figures(site, days))
    return site.page(request, "router.html", days=days, choices=DAYS, made=made, **figures)


def _figures(site: Site, days: int) -> dict[str, Any]:
    # the router's own room, which the other pages do not need
    from karkhana.factory.router_view import SILENT_S, figures

    today = datetime.now(UTC).date()
    first = today - timedelta(days=days - 1)
    found = figures(site.stores, first.isoformat())
    known = {day: (calls, refused, usd) for day, calls, refused, usd in found.days}
    every = [(first + timedelta(days=number)).isoformat() for number in range(days)]
    rows = [(day, *known.get(day, (0, 0, 0.0))) for day in every]
    cents = [(day[5:], (round(usd * 100),)) for day, _, _, usd in rows]
    return {
        "figures": found,
        "breakers": BreakerStore(site.stores.database).told(SILENT_S),
        "total": sum(usd for *_, usd in rows),
        "calls": sum(calls for _, calls, *_ in rows),
        "rows": [row for row in rows if row[1] or row[2]],
        "daily": charts.stacked(cents, tones=("approved",), every=max(1, days // 6)),
    }
