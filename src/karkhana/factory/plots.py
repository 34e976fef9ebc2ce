"""Plots as data for a template: scaled points, ticks and labels in the coordinates of an SVG. Knows no colours.

>>> plot = Plot(width=300, height=200, x=(0, 1), y=(0, 1))
>>> plot.at(0, 0) == (plot.left, 200 - plot.bottom)
True
"""

import math
from collections.abc import Sequence

import msgspec


class Tick(msgspec.Struct, frozen=True):
    """A mark on an axis."""

    place: float
    text: str


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle with two linear axes."""

    width: int = 330
    height: int = 270
    x: tuple[float, float]
    y: tuple[float, float]
    left: int = 48
    bottom: int = 40
    top: int = 12
    right: int = 24

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a value is drawn; one outside the axes at their end."""
        across = (min(max(x, self.x[0]), self.x[1]) - self.x[0]) / (self.x[1] - self.x[0])
        up = (min(max(y, self.y[0]), self.y[1]) - self.y[0]) / (self.y[1] - self.y[0])
        return (
            round(self.left + across * (self.width - self.left - self.right), 2),
            round(self.height - self.bottom - up * (self.height - self.bottom - self.top), 2),
        )

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """The ``points`` attribute of a polyline."""
        return " ".join(f"{x:g},{y:g}" for x, y in (self.at(*point) for point in points))

    def ticks_x(self, percent: bool = True) -> list[Tick]:
        """Marks of the horizontal axis."""
        return [Tick(self.at(value, self.y[0])[0], _text(value, percent)) for value in steps(*self.x)]

    def ticks_y(self, percent: bool = True) -> list[Tick]:
        """Marks of the vertical axis."""
        return [Tick(self.at(self.x[0], value)[1], _text(value, percent)) for value in steps(*self.y)]


def steps(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most ``most`` of them.

    >>> steps(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw - 1e-12)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def ceiling(values: Sequence[float], least: float) -> float:
    """A round number that none of ``values`` exceeds, at least ``least``, at most 1."""
    top = max([*values, least])
    return next((end for end in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8) if top <= end), 1.0)


def floor(values: Sequence[float]) -> float:
    """A round number below 1 that is below all of ``values``.

    >>> floor([0.57, 0.9]), floor([]), floor([1.0])
    (0.4, 0.0, 0.8)
    """
    low = min(values, default=0.0)
    return next((start for start in (0.8, 0.6, 0.4, 0.2) if low >= start + 0.05), 0.0)


def _text(value: float, percent: bool) -> str:
    return f"{value * 100:g} %" if percent else f"{value:g}"
