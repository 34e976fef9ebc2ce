"""Templates: escaping, missing values as errors, and the words that all pages share.

Everything that a template prints goes through :func:`karkhana.web.text.visible` and is then escaped; only what a
template itself writes is markup.

>>> Pages().environment.from_string("{{ name }}").render(name="<b>" + chr(0x202E))
'&lt;b&gt;⟦U+202E⟧'
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from karkhana.domain.money import shown, usd
from karkhana.web.text import clipped, visible

LOOKS: Mapping[str, tuple[str, str, str]] = {
    "queued": ("○", "queued", "quiet"),
    "planning": ("◔", "planning", "busy"),
    "building": ("◑", "building", "busy"),
    "reviewing": ("◕", "reviewing", "busy"),
    "verifying": ("◕", "verifying", "busy"),
    "waiting_for_review": ("◇", "waiting for review", "wait"),
    "canary": ("◐", "canary", "busy"),
    "deployed": ("✓", "deployed", "good"),
    "delivered": ("✓", "delivered", "good"),
    "rolled_back": ("↺", "rolled back", "bad"),
    "rejected": ("✕", "rejected", "quiet"),
    "failed": ("✕", "failed", "bad"),
    "cancelled": ("⊘", "cancelled", "quiet"),
    "passed": ("✓", "passed", "good"),
    "unknown": ("?", "not measured", "wait"),
    "breaker_closed": ("✓", "closed: lets all through", "good"),
    "breaker_open": ("✕", "open: lets nothing through", "bad"),
    "breaker_half_open": ("◐", "half open: tries a few", "wait"),
}
"""Status → its glyph, its word and its tone: never a colour alone."""


class Pages:
    """Renders templates."""

    def __init__(self) -> None:
        self.environment = _environment()

    def render(self, name: str, **values: Any) -> str:
        """Template ``name`` with ``values``; a missing one is a bug and raises."""
        return self.environment.get_template(name).render(values)

    def fragment(self, name: str, block: str, **values: Any) -> str:
        """One block of a template, for a part of a page that is replaced."""
        template = self.environment.get_template(name)
        return "".join(template.blocks[block](template.new_context(values)))


@cache
def _environment() -> jinja2.Environment:
    """One in a process, since each would compile all templates for itself: a second of CPU."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("karkhana.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": moment,
        "lasting": lasting,
        "stamp": stamp,
        "dollars": dollars,
        "clip": clipped,
        "coded": coded,
    }
    made.globals |= {"look": look, "asset": asset}
    return made


def _shown(value: Any) -> Any:
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    return visible(value) if isinstance(value, str) else value


def look(status: str) -> tuple[str, str, str]:
    """Glyph, word and tone."""
    return LOOKS.get(status, ("·", status.replace("_", " "), "quiet"))


def moment(at: datetime | str | None, form: str = "full") -> Markup:
    """A ``<time>`` in UTC, which the page's script turns into the reader's own time zone."""
    if at is None:
        return Markup("")
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    at = at.astimezone(UTC)
    text = f"{at:%H:%M:%S}" if form == "clock" else f"{at:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}" data-form="{}">{}</time>').format(at.isoformat(), form, text)


def stamp(seconds: float | None) -> Markup:
    """As :func:`moment`, of seconds since the epoch."""
    return moment(None if seconds is None else datetime.fromtimestamp(seconds, UTC))


def lasting(seconds: float | None) -> str:
    """A duration for people.

    >>> lasting(0.0042), lasting(12.34), lasting(125), lasting(7300), lasting(200000)
    ('4 ms', '12.3 s', '2 min 5 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit, smaller, size, part in (("min", "s", 60, 1), ("h", "min", 3600, 60), ("d", "h", 86400, 3600)):
        if whole < size * (60 if unit == "min" else 24) or unit == "d":
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    raise AssertionError("days are the last unit")


def dollars(amount: Decimal | float | None) -> str:
    """What something did cost; ``None`` is a price that nobody knows, which is not nothing."""
    if amount is None:
        return "unpriced"
    return shown(usd(f"{amount:.12f}"))


def coded(text: str) -> Markup:
    """Words between backticks as code, and nothing else as markup.

    >>> str(coded("`a < b` & c"))
    '<code>a &lt; b</code> &amp; c'
    """
    parts = visible(text).split("`")
    if len(parts) % 2 == 0:
        return escape(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


@cache
def asset(name: str) -> str:
    """The address of a file of ours, with the hash of its content, so that it may be kept for ever."""
    content = (resources.files("karkhana.web") / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
