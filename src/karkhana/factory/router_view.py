"""What asking models did cost, how long it took and how often it failed; and what choosing among them has saved.

For a page; nothing here changes anything. Savings compare what was paid with what the same tokens would have cost at
the dearest model that was asked: a ratio of two sums, with an interval by linearisation over clusters of calls that
belong together (Cochran, "Sampling Techniques", 3rd ed., sections 6.3 and 9A). They say nothing of how much better the
dearer answers would have been.

>>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
2.5
"""

import math
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from karkhana.domain.errors import KarkhanaError
from karkhana.domain.money import Unpriced
from karkhana.factory.models import models_file
from karkhana.factory.stores import Stores
from karkhana.routing.configuration import Candidate, Configuration
from karkhana.routing.gateway.advice import Record, records
from karkhana.routing.gateway.serving import PRICES, read_file
from karkhana.routing.policy.settings import PolicySettings
from karkhana.routing.prices import PriceBook, Rate, cost
from karkhana.routing.prices_shipped import price_book
from karkhana.routing.telling import SILENT_S
from karkhana.storage.ledger_figures import Call, LedgerFigures, PlaceSum
from karkhana.storage.route_store import RouteStore

__all__ = ["SILENT_S", "Place", "RouterFigures", "Savings", "figures", "percentile", "savings"]
Z = 1.959964
"""Of a 95 % interval."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one provider."""

    sum: PlaceSum
    p50: float | None
    """Seconds from the call to the end of its answer; ``None``: no call of the newest ended with a known price."""
    p95: float | None


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """Against asking always the dearest."""

    baseline: str
    calls: int
    paid: float
    """Dollars."""
    would: float
    """Dollars, for the same tokens."""
    share: float
    low: float
    """Of the 95 % interval; equal to ``share`` when there is only one cluster."""
    high: float
    clusters: int


class RouterFigures(msgspec.Struct, frozen=True, kw_only=True):
    places: tuple[Place, ...]
    days: tuple[tuple[str, int, int, float], ...]
    """Day, calls, those that came to nothing, dollars."""
    savings: Savings | None
    records: tuple[Record, ...]
    configured: bool
    """Whether there is a file that names models."""
    problem: str = ""
    """Why prices cannot be told; empty: they can."""


def figures(stores: Stores, first_day: str) -> RouterFigures:
    """Since a day (YYYY-MM-DD, UTC)."""
    ledger = LedgerFigures(stores.database)
    calls = ledger.calls(first_day)
    configuration, prices, problem = _prices(stores)
    policy = PolicySettings() if configuration is None else configuration.policy
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for call in calls:
        seconds[call.provider, call.model].append(call.seconds)
    places = tuple(
        Place(
            sum=each,
            p50=percentile(seconds[each.provider, each.model], 0.5),
            p95=percentile(seconds[each.provider, each.model], 0.95),
        )
        for each in ledger.places(first_day)
    )
    return RouterFigures(
        places=places,
        days=tuple((each.day, each.calls, each.refused, float(each.cost)) for each in ledger.days(first_day)),
        savings=savings(calls, prices),
        records=tuple(records(RouteStore(stores.database), policy, prices)),
        configured=configuration is not None,
        problem=problem,
    )


def savings(calls: Sequence[Call], prices: PriceBook) -> Savings | None:
    """``None`` without two models whose prices are known."""
    asked = sorted({(call.provider, call.model) for call in calls})
    rates = {place: rate for place in asked if isinstance(rate := prices.rate(Candidate(*place)), Rate)}
    if len(rates) < 2:
        return None
    would = {place: [_picos(call, rate) for call in calls] for place, rate in rates.items()}
    baseline = max(would, key=lambda place: sum(would[place]))
    paid, else_ = sum(call.cost for call in calls), sum(would[baseline])
    if not else_:
        return None
    ratio = paid / else_
    residuals: dict[str, float] = defaultdict(float)
    for call, other in zip(calls, would[baseline], strict=True):
        residuals[call.cluster] += call.cost - ratio * other
    clusters = len(residuals)
    spread = 0.0
    if clusters > 1:
        spread = Z * math.sqrt(clusters / (clusters - 1) * sum(e * e for e in residuals.values())) / else_
    return Savings(
        baseline="/".join(baseline),
        calls=len(calls),
        paid=paid / 1e12,
        would=else_ / 1e12,
        share=1 - ratio,
        low=1 - ratio - spread,
        high=min(1.0, 1 - ratio + spread),
        clusters=clusters,
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """Linear between the two nearest; ``None`` of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _picos(call: Call, rate: Rate) -> int:
    found = cost(call.usage, rate)
    return 0 if isinstance(found, Unpriced) else round(found * 10**12)


def _prices(stores: Stores) -> tuple[Configuration | None, PriceBook, str]:
    file = models_file(stores.settings)
    if file is None:
        return None, PriceBook({}), ""
    try:
        configuration = read_file(file)
        return configuration, price_book(configuration, stores.settings.home / PRICES), ""
    except KarkhanaError as error:
        # a page about what was paid is there also while somebody edits the file
        return None, PriceBook({}), f"{error.message}. {error.next}".strip()
