"""Writes numbers in the text format of Prometheus. Knows nothing of what they count.

Source: version 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/.

>>> page = Exposition()
>>> page.family("jobs_total", "counter", "Jobs done.")
>>> page.sample("jobs_total", 2, kind='a "b"')
>>> print(page.text(), end="")
# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total{kind="a \\"b\\""} 2
"""

import bisect
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

Kind = Literal["counter", "gauge", "histogram", "summary"]
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Histogram:
    """Counts by upper bounds, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.sum += value


class Exposition:
    """One page."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(self, name: str, kind: Kind, told: str) -> None:
        """What follows are samples of this."""
        self._lines += (f"# HELP {name} {told}", f"# TYPE {name} {kind}")

    def sample(self, name: str, value: float | Decimal, /, **labels: str) -> None:
        written = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in labels.items())
        self._lines.append(f"{name}{{{written}}} {value}" if written else f"{name} {value}")

    def histogram(self, name: str, found: Histogram, /, **labels: str) -> None:
        """A histogram's samples: its buckets, each with all that are lower, the sum and the count."""
        total = 0
        for bound, count in zip((*map(str, found.bounds), "+Inf"), found.counts, strict=True):
            total += count
            self.sample(f"{name}_bucket", total, **labels, le=bound)
        self.sample(f"{name}_sum", round(found.sum, 6), **labels)
        self.sample(f"{name}_count", total, **labels)

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)
