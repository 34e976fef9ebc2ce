"""The calibration of the score for a repository and type of task, from the outcomes that are settled.

Outcomes of other repositories come first, then of this repository's other tasks, then of its own kind; each scope is
pulled to the one before it. Knows nothing of thresholds.
"""

from collections.abc import Iterable
from pathlib import PurePath

from karkhana.domain.confidence import Calibration
from karkhana.domain.outcomes import Label, Outcome
from karkhana.quality.guarantee.calibration import calibrate

Pair = tuple[float, bool]
"""Score before calibration, and whether the change was good."""


def calibration_for(outcomes: Iterable[Outcome], repository: str, type: str) -> Calibration:
    """The identity without settled outcomes; an empty ``type`` is that of a change that nobody ordered."""
    settled = [each for each in outcomes if each.label is not Label.PENDING and each.change.raw is not None]
    settled.sort(key=lambda each: (each.known_at, each.change.run_id))
    name = PurePath(repository).name or repository
    elsewhere, here, own = list[Pair](), list[Pair](), list[Pair]()
    for each in settled:
        change = each.change
        scope = elsewhere if change.repository != repository else own if change.type == type else here
        scope.append((change.raw or 0.0, each.good))
    return calibrate((("all repositories", elsewhere), (name, here), (f"{name}, {type}", own)))
