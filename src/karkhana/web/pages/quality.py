"""Quality: how sure the factory was and what came of it, why changes failed, and whether that gets less.

Each figure is there as a table as well. What is worked out from outcomes is kept for half a minute, and so are the
outcomes, for the other pages: ``made`` says when they were read.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from karkhana.domain.outcomes import Label
from karkhana.domain.tasks import Status
from karkhana.storage.run_figures import ALONE, APPROVED, REFUSED, WAYS, RunFigures
from karkhana.storage.visibility import Visible
from karkhana.web import charts
from karkhana.web.site import Site, sees, site_of

TABS = ("confidence", "failures", "learning")
DAYS = (30, 90, 365)
DAY_S = 86_400.0
EDGES = [round(0.05 * number, 2) for number in range(20)]
WAY_WORDS = {
    "alone": "went ahead alone",
    "approved": "a person approved",
    "refused": "a person refused",
    "other": "nobody decided, or taken back",
}
FAILING = (Status.FAILED, Status.REJECTED, Status.ROLLED_BACK)
"""Ends that a run was not ordered for; one that was cancelled says nothing."""
LABELS = (Label.GOOD, Label.BAD, Label.PENDING)
COUNTED = (*FAILING, Status.DELIVERED, Status.DEPLOYED, Status.CANARY)


def quality(request: Request) -> Response:
    """``/quality`` and ``/quality/TAB``, each ``?days=30|90|365``."""
    site = site_of(request)
    tab = request.path_params.get("tab", TABS[0])
    if tab not in TABS:
        return site.missing(request, f"figure {tab}")
    asked = request.query_params.get("days", "")
    days = int(asked) if asked in map(str, DAYS) else 90
    visible = sees(request)
    _, figures = site.kept.of(("quality", tab, days, visible), lambda: _VIEWS[tab](site, visible, days))
    return site.page(
        request,
        f"quality_{tab}.html",
        tab=tab,
        names=TABS,
        days=days,
        choices=DAYS,
        words=WAY_WORDS,
        **figures,
    )


def _confidence(site: Site, visible: Visible, days: int) -> dict[str, Any]:
    # numpy takes half a second, which no other page needs
    from karkhana.factory import quality_view as view

    policy, since = site.stores.settings.policy, time.time() - days * DAY_S
    made, outcomes = site.kept.of("outcomes", lambda: view.known(site.stores))
    calibration = view.calibration(each.outcome for each in outcomes.seen(visible, since))
    edges, buckets = _weeks(days), _scores(site, visible, since)
    by_week = defaultdict[int, Counter[str]](Counter)
    for each in RunFigures(site.stores.database).ways(edges, visible=visible):
        by_week[each.period][each.way] += each.runs
    names = [f"{datetime.fromtimestamp(edge, UTC):%d %b}" for edge in edges]
    parts = [[by_week[number][way] for way in WAYS[:3]] for number in range(len(edges))]
    rates = [
        (name, counts, _share(counts[0], counts[0] + counts[1])) for name, counts in zip(names, parts, strict=True)
    ]
    alone, approved = (sum(each[way] for each in by_week.values()) for way in (ALONE, APPROVED))
    return {
        "made": made,
        "policy": policy,
        "ways": WAYS,
        "scored": [(edge, buckets[number]) for number, edge in enumerate(EDGES) if any(buckets[number])],
        "scored_total": sum(map(sum, buckets)),
        "histogram": charts.stacked(
            [(f"{edge:.2f}", parts) for edge, parts in zip(EDGES, buckets, strict=True)],
            tones=WAYS,
            every=4,
            rules=[
                (policy.canary_from * 20, f"canary from {policy.canary_from:.2f}"),
                (policy.deploy_above * 20, f"deploy above {policy.deploy_above:.2f}"),
            ],
        ),
        "calibration": calibration,
        "reliability": charts.reliability(
            [(b.said, b.good / b.outcomes, b.good_low, b.good_high) for b in calibration.bands]
        ),
        "rates": rates,
        "auto_share": _share(alone, alone + approved),
        "auto": (alone, alone + approved),
        "weekly": charts.stacked(list(zip(names, parts, strict=True)), tones=WAYS[:3], every=max(1, len(names) // 6)),
        "promises": view.promises(site.stores, outcomes, visible),
        "cut": view.MOST if outcomes.cut else 0,
    }


def _failures(site: Site, visible: Visible, days: int) -> dict[str, Any]:
    # as above
    from karkhana.factory import quality_view as view

    since = time.time() - days * DAY_S
    made, outcomes = site.kept.of("outcomes", lambda: view.known(site.stores))
    labels: dict[str, Counter[Label]] = defaultdict(Counter)
    for each in outcomes.seen(visible, since):
        refused = any(sign.kind.value == "rejected" for sign in outcomes.signs.get(each.outcome.change.run_id, ()))
        way = REFUSED if refused else APPROVED if each.asked else ALONE
        labels[way][each.outcome.label] += 1
    causes, rules = view.failures(site.stores, outcomes, visible, since)
    looked_at, patterns = view.failing(site.stores, visible)
    return {
        "made": made,
        "reviews": [(way, [labels[way][label] for label in LABELS]) for way in WAYS[:3]],
        "decided": sum(sum(each.values()) for each in labels.values()),
        "causes": causes,
        "most": max((cause.bad for cause in causes), default=1),
        "rules": rules[:40],
        "patterns": patterns,
        "looked_at": looked_at,
    }


def _learning(site: Site, visible: Visible, days: int) -> dict[str, Any]:
    # as above
    from karkhana.factory import quality_view as view

    edges = _weeks(days)
    ended = [
        each for each in RunFigures(site.stores.database).periods(edges, visible=visible) if each.status in COUNTED
    ]
    labels = [f"{datetime.fromtimestamp(edge, UTC):%d %b}" for edge in edges]
    curves = []
    for type_ in sorted({each.type for each in ended}):
        same = [each for each in ended if each.type == type_]
        whole = Counter[int]()
        bad = Counter[int]()
        for each in same:
            whole[each.period] += each.runs
            bad[each.period] += each.runs if each.status in FAILING else 0
        rows = [(number, bad[number], whole[number]) for number in sorted(whole)]
        points = [(number, *view.share(bad[number], whole[number])) for number in sorted(whole)]
        table = [(labels[n], bad[n], whole[n], *shares) for n, *shares in points]
        chart = charts.curve(points, labels, every=max(1, len(labels) // 5))
        curves.append({"type": type_, "chart": chart, "rows": table, "trend": _trend(rows)})
    made, outcomes = site.kept.of("outcomes", lambda: view.known(site.stores))
    seen = [each.outcome for each in outcomes.seen(visible)]
    return {
        "made": made,
        "curves": curves,
        "records": view.records(seen),
        "levels": view.history(site.stores, {outcome.change.repository for outcome in seen})[:30],
    }


_VIEWS: dict[str, Callable[[Site, Visible, int], dict[str, Any]]] = {
    "confidence": _confidence,
    "failures": _failures,
    "learning": _learning,
}


def _scores(site: Site, visible: Visible, since: float) -> list[list[int]]:
    """Counts by bucket and way."""
    found = [[0] * len(WAYS) for _ in EDGES]
    for each in RunFigures(site.stores.database).scores(since, EDGES, visible=visible):
        found[each.bucket][WAYS.index(each.way)] += each.runs
    return found


def _weeks(days: int) -> list[float]:
    """Mondays, UTC, in seconds since the epoch, the oldest first; for a year every fourth of them."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday, step = today - timedelta(days=today.weekday()), 28 if days > 90 else 7
    return [(monday - timedelta(days=step * back)).timestamp() for back in range(days // step, -1, -1)]


def _share(part: int, whole: int) -> tuple[float, float, float] | tuple[()]:
    """With its interval; nothing of nothing."""
    # as above
    from karkhana.factory import quality_view as view

    return view.share(part, whole) if whole else ()


def _trend(rows: list[tuple[int, int, int]]) -> tuple[float, float] | None:
    """Share that failed in the older and in the newer half of the periods; ``None``: there is only one."""
    if len(rows) < 2:
        return None
    half = len(rows) // 2
    older, newer = (
        (sum(bad for _, bad, _ in part), sum(whole for *_, whole in part)) for part in (rows[:half], rows[half:])
    )
    return older[0] / older[1], newer[0] / newer[1]
