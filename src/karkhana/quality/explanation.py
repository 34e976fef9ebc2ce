"""Explains a score in words: what each component contributed, why, what held it down, and what would raise it.

Knows nothing of terminals; the text is plain and the rows are data.

    Score 0.88 (weights 2026-11-3, not calibrated by outcomes yet)

    coverage           1.00 x 0.15 = 0.150
        3 of 3 changed executable lines covered by tests
"""

from collections.abc import Sequence

import msgspec

from karkhana.domain.confidence import Component, Confidence
from karkhana.quality.weights import Weights, load_weights


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One component, explained."""

    component: str
    value: float
    weight: float
    contribution: float
    because: str
    would_raise: str
    """Empty when the component is at its best already."""
    could_add: float
    """What the weighted sum would gain at most."""


def rows(confidence: Confidence, weights: Weights | None = None) -> tuple[Row, ...]:
    """The components in the order of the score."""
    return tuple(_row(component, weights or load_weights()) for component in confidence.components)


def explain(confidence: Confidence, weights: Weights | None = None, more: Sequence[str] = ()) -> str:
    """A page of plain text, ending with a line feed; ``more`` are lines for its end."""
    calibration = confidence.calibration
    known = f"calibrated on {confidence.calibration_size} outcomes" if confidence.calibration_size else ""
    known = (known or "not calibrated by outcomes yet") + (f" of {calibration.scope}" if calibration.scope else "")
    lines = [f"Score {confidence.score:.2f} (weights {confidence.weights_version}, {known})", ""]
    for row in rows(confidence, weights):
        lines.append(f"{row.component:<16} {row.value:.2f} x {row.weight:.2f} = {row.contribution:.3f}")
        lines += [f"    {reason}" for reason in row.because.split("; ")]
        if row.would_raise:
            lines.append(f"    up to +{row.could_add:.3f}: {row.would_raise}")
    total = sum(component.value * component.weight for component in confidence.components)
    lines.append(f"{'sum':<16} {'':>14}{total:.3f}")
    if confidence.raw is not None and abs(confidence.raw - total) > 5e-4:
        lines.append(f"{'as outcomes say':<16} {'':>14}{confidence.raw:.3f}")
    if confidence.raw is not None and calibration.outcomes:
        lines.append(f"{'calibrated':<16} {'':>14}{calibration.apply(confidence.raw):.3f}")
    if confidence.caps:
        lines += ["", "Held down:", *(f"    {cap}" for cap in confidence.caps)]
    if confidence.missing:
        lines += ["", "Not measured: " + ", ".join(confidence.missing)]
    return "\n".join([*lines, *more]) + "\n"


def _row(component: Component, weights: Weights) -> Row:
    known = weights.components.get(component.name)
    missing = (1 - component.value) * component.weight
    return Row(
        component=component.name,
        value=component.value,
        weight=component.weight,
        contribution=round(component.value * component.weight, 4),
        because=component.because,
        would_raise=known.raise_ if known is not None and missing > 0 else "",
        could_add=round(missing, 4),
    )
