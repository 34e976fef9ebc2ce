"""Charts as data for a template: bars, points with intervals and lines in the coordinates of an SVG. Knows no colours.

>>> chart = stacked([("50", (3, 1)), ("60", (0, 2))], tones=("good", "bad"))
>>> [(bar.tone, bar.height > 0) for bar in chart.bars]
[('good', True), ('bad', True), ('bad', True)]
"""

import itertools
import math
from collections.abc import Sequence

import msgspec

from karkhana.factory.plots import Plot, Tick, ceiling, steps

WIDTH, HEIGHT = 640, 230
GAP = 0.16
"""Share of a column that is left free."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    x: float
    y: float
    width: float
    height: float
    tone: str


class Dot(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its interval."""

    x: float
    y: float
    low: float
    high: float
    tone: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A line across, with what it stands for."""

    x: float
    text: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn."""

    plot: Plot
    bars: tuple[Bar, ...] = ()
    dots: tuple[Dot, ...] = ()
    lines: tuple[str, ...] = ()
    """Each the points of a polyline."""
    diagonal: str = ""
    rules: tuple[Rule, ...] = ()
    ticks_x: tuple[Tick, ...] = ()
    ticks_y: tuple[Tick, ...] = ()
    left: int = 0
    right: int = 0
    floor: int = 0
    """Where the horizontal axis is."""


def stacked(
    columns: Sequence[tuple[str, Sequence[int]]],
    *,
    tones: Sequence[str],
    every: int = 1,
    rules: Sequence[tuple[float, str]] = (),
) -> Chart:
    """Columns of parts on each other; ``every``: which columns have their label; ``rules``: places in columns."""
    top = max((sum(parts) for _, parts in columns), default=0)
    plot = Plot(width=WIDTH, height=HEIGHT, x=(0, max(1, len(columns))), y=(0, _whole_ceiling(top)), left=44, right=12)
    bars = []
    for number, (_, parts) in enumerate(columns):
        below = 0
        for part, tone in zip(parts, tones, strict=True):
            if part:
                left, low = plot.at(number + GAP / 2, below)
                right, high = plot.at(number + 1 - GAP / 2, below + part)
                bars.append(Bar(x=left, y=high, width=round(right - left, 2), height=round(low - high, 2), tone=tone))
            below += part
    labels = [
        Tick(plot.at(number + 0.5, 0)[0], text) for number, (text, _) in enumerate(columns) if number % every == 0
    ]
    marks = tuple(Rule(x=plot.at(place, 0)[0], text=text) for place, text in rules)
    return _framed(plot, bars=tuple(bars), rules=marks, ticks_x=tuple(labels), ticks_y=_counts(plot))


def reliability(points: Sequence[tuple[float, float, float, float]]) -> Chart:
    """(said, seen, low, high) each: what was forecast against what came of it; the diagonal is where both agree."""
    plot = Plot(width=360, height=300, x=(0, 1), y=(0, 1), left=48, right=26)
    dots = tuple(_dot(plot, *point, tone="busy") for point in points)
    return _framed(
        plot,
        dots=dots,
        diagonal=plot.path([(0, 0), (1, 1)]),
        ticks_x=tuple(plot.ticks_x()),
        ticks_y=tuple(plot.ticks_y()),
    )


def curve(points: Sequence[tuple[int, float, float, float]], labels: Sequence[str], *, every: int = 1) -> Chart:
    """(column, share, low, high) each, joined by a line; columns without a point are left out of it."""
    reach = ceiling([high for *_, high in points], 0.1)
    plot = Plot(width=420, height=200, x=(0, max(1, len(labels))), y=(0, reach), left=48, right=12, bottom=34)
    dots = tuple(_dot(plot, column + 0.5, value, low, high, tone="busy") for column, value, low, high in points)
    ticks = tuple(Tick(plot.at(number + 0.5, 0)[0], text) for number, text in enumerate(labels) if number % every == 0)
    line = plot.path([(column + 0.5, value) for column, value, *_ in points]) if len(points) > 1 else ""
    return _framed(plot, dots=dots, lines=(line,) if line else (), ticks_x=ticks, ticks_y=tuple(plot.ticks_y()))


def spans(values: Sequence[float]) -> list[tuple[float, float]]:
    """Each value with the one that follows.

    >>> spans([0.0, 0.5, 1.0])
    [(0.0, 0.5), (0.5, 1.0)]
    """
    return list(itertools.pairwise(values))


def _dot(plot: Plot, x: float, y: float, low: float, high: float, *, tone: str) -> Dot:
    across, up = plot.at(x, y)
    return Dot(x=across, y=up, low=plot.at(x, low)[1], high=plot.at(x, high)[1], tone=tone)


def _framed(plot: Plot, **parts: object) -> Chart:
    return msgspec.structs.replace(
        Chart(plot=plot), left=plot.left, right=plot.width - plot.right, floor=plot.height - plot.bottom, **parts
    )


def _counts(plot: Plot) -> tuple[Tick, ...]:
    whole = [value for value in steps(*plot.y, 5) if value == int(value)]
    return tuple(Tick(plot.at(plot.x[0], value)[1], f"{value:,.0f}") for value in whole)


def _whole_ceiling(top: int) -> float:
    """A round number that is not below ``top``.

    >>> [_whole_ceiling(top) for top in (0, 3, 17, 4321)]
    [4.0, 4.0, 20.0, 5000.0]
    """
    if top <= 4:
        return 4.0
    power = 10 ** math.floor(math.log10(top))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= top))
