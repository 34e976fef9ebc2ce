"""The gateway's health for people: one page without scripts, which loads itself anew every five seconds.

Knows nothing of where the facts come from. Whatever stands in them is escaped.

>>> _table(("a",), [("<b>",)])
'<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
"""

import functools
import html
import string
import time
from collections.abc import Iterable, Sequence
from importlib import resources

from karkhana.routing.wires.wire import Json

HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
_STATES = {"closed": "● closed", "open": "✕ open", "half_open": "◐ half open"}


def health_page(told: Json, budgets: Sequence[Json]) -> str:
    """The page for what :meth:`karkhana.routing.gateway.insight.Insight.told` says."""
    return _template().substitute(
        status=html.escape(told["status"]),
        glyph="●" if told["status"] == "ok" else "✕",
        summary=html.escape(_summary(told)),
        notices="\n".join(f'<p class="bad">✕ {html.escape(notice)}</p>' for notice in _notices(told)),
        providers=_providers(told["providers"]),
        breakers=_breakers(told["breakers"]),
        resting=_table(("key", "for"), [(name, f"{wait} s") for name, wait in told["resting_keys"].items()]),
        budgets=_budgets(budgets),
    )


@functools.cache
def _template() -> string.Template:
    found = resources.files("karkhana.routing.gateway").joinpath("health.html")
    return string.Template(found.read_text("utf-8"))


def _summary(told: Json) -> str:
    read = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(told["configuration"]["read_at"]))
    parts = [f"{told['requests_under_way']} requests under way", f"configuration read {read} UTC"]
    parts.append(f"ledger: {told['ledger']['transactions']} transactions, {told['ledger']['failures']} failed")
    if (cache := told["cache"]) is not None:
        parts.append(f"cache: {cache['entries']} answers, {cache['hits']} hits")
    return " · ".join(parts)


def _notices(told: Json) -> Iterable[str]:
    if told["ledger"]["failure"]:
        yield f"The ledger cannot be written, so no call is made: {told['ledger']['failure']}"
    if mistake := told["configuration"]["mistake"]:
        yield f"The changed configuration is not used: {mistake}"
    if names := told["configuration"]["needs_restart"]:
        yield f"Changed, and used from the next start on: {', '.join(names)}"


def _providers(providers: Sequence[Json]) -> str:
    head = ("provider", "wire", "address", "keys", "models", "answered", "failed")
    rows = [
        (p["name"], p["wire"], p["address"], p["keys"], ", ".join(p["models"]), p["answered"], p["failed"])
        for p in providers
    ]
    return _table(head, rows)


def _breakers(breakers: Sequence[Json]) -> str:
    head = ("model", "key", "state", "answered", "failed", "lets through in")
    rows = [
        (
            f"{b['provider']}/{b['model']}",
            b["key"],
            _STATES[b["state"]],
            b["answered"],
            b["failed"],
            f"{b['opens_in_s']} s" if b["state"] == "open" else "",
        )
        for b in breakers
    ]
    return _table(head, rows)


def _budgets(budgets: Sequence[Json]) -> str:
    head = ("account", "period", "used", "soft limit", "hard limit", "share")
    rows = [
        (
            b["scope"],
            f"{b['period']} {b['start']}".strip(),
            f"${b['used_usd']}",
            "" if b["soft_usd"] is None else f"${b['soft_usd']}",
            "" if b["hard_usd"] is None else f"${b['hard_usd']}",
            f"{b['share']:.0%}",
        )
        for b in budgets
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return '<p class="empty">None.</p>'
    top = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    cells = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody><tr>{'</tr><tr>'.join(cells)}</tr></tbody></table>"
