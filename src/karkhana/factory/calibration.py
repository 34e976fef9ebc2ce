"""The calibration of the score for a repository and type of task, from the outcomes that are settled.

Outcomes of other repositories come first, then of this repository's other tasks, then of its own kind; each scope is
pulled to the one before it. Only scores by the weights that hold now are compared: older ones are made again from what
their trails keep, or left out. Knows nothing of thresholds.
"""

from collections.abc import Callable, Iterable
from pathlib import PurePath

from karkhana.domain.confidence import Calibration
from karkhana.domain.outcomes import Label, Outcome
from karkhana.quality.guarantee.calibration import calibrate

Pair = tuple[float, bool]
"""Score before calibration, and whether the change was good."""


AGAIN = 400
"""Scores by other weights that are made again, at most; the newest."""


def calibration_for(
    outcomes: Iterable[Outcome],
    repository: str,
    type: str,
    *,
    version: str,
    again: Callable[[str], float | None],
) -> Calibration:
    """The identity without settled outcomes; an empty ``type`` is that of a change that nobody ordered.

    ``version``: of the weights that hold now. ``again``: run → its score by these before calibration, from its trail.
    """
    settled = [each for each in outcomes if each.label is not Label.PENDING]
    settled.sort(key=lambda each: (each.known_at, each.change.run_id))
    name = PurePath(repository).name or repository
    elsewhere, here, own = list[Pair](), list[Pair](), list[Pair]()
    others = [each.change.run_id for each in settled if each.change.weights != version]
    raws = {run: again(run) for run in others[-AGAIN:]}
    for each in settled:
        change = each.change
        raw = change.raw if change.weights == version else raws.get(change.run_id)
        if raw is None:
            continue
        scope = elsewhere if change.repository != repository else own if change.type == type else here
        scope.append((raw, each.good))
    return calibrate((("all repositories", elsewhere), (name, here), (f"{name}, {type}", own)))
