"""What the forecasts of a back-test come to: the bands of policy, what could be promised, examples, and caveats.

Knows nothing of how forecasts are made.

>>> [band.decision for band in bands([0.05, 0.2, 0.9], [False, False, True], Policy())]
['deploy', 'canary', 'review']
"""

from collections.abc import Sequence

from karkhana.domain.policy import Policy
from karkhana.factory.backtest.history import Gathered, Judged
from karkhana.factory.backtest.results import Band, Example
from karkhana.factory.risk import moved
from karkhana.quality.guarantee.binomial import interval, needed, p_value
from karkhana.quality.history.features import NAMES
from karkhana.quality.risk.measuring import LEVEL, AtThreshold

ALPHA = DELTA = 0.10
"""Of the promise: the share of bad changes, and the chance that it is broken."""
FLOOR = 0.70
"""Nothing below is ever deployed, whatever the outcomes say."""
EXAMPLES = 15


def table(judged: Sequence[Judged]) -> dict[str, list[float]]:
    """Name of a feature → its value for each commit, as models want it."""
    return {name: [float(getattr(one.row, name)) for one in judged] for name in NAMES}


def bands(risk: Sequence[float], bad: Sequence[bool], policy: Policy) -> tuple[Band, ...]:
    """What policy would have done with each score, and how that would have ended."""
    decisions = [
        "deploy" if 1 - r > policy.deploy_above else "canary" if 1 - r >= policy.canary_from else "review" for r in risk
    ]
    found = []
    for name in ("deploy", "canary", "review"):
        outcomes = [wrong for decision, wrong in zip(decisions, bad, strict=True) if decision == name]
        low, high = interval(sum(outcomes), len(outcomes), LEVEL) if outcomes else (None, None)
        found.append(
            Band(
                decision=name,
                count=len(outcomes),
                share=len(outcomes) / len(risk),
                bad=sum(outcomes),
                bad_share=sum(outcomes) / len(outcomes) if outcomes else None,
                low=low,
                high=high,
            )
        )
    return tuple(found)


def guarantee(at: Sequence[AtThreshold]) -> str:
    """The lowest threshold, from the highest down, above which a rate of ``ALPHA`` is ruled out at level ``DELTA``."""
    best = None
    for one in sorted(at, key=lambda each: -each.threshold):
        if one.deployed < needed(ALPHA, DELTA):
            continue
        if one.threshold < FLOOR:
            break
        if p_value(one.bad, one.deployed, ALPHA) > DELTA:
            break
        best = one
    if best is None:
        return (
            f"No threshold could be shown to keep the share of bad changes at or below {ALPHA:.0%} "
            f"(Learn-then-Test, error {DELTA:.0%}): nothing would have been deployed on this alone."
        )
    return (
        f"Letting through what scores above {best.threshold:g} keeps the share of bad changes at or below {ALPHA:.0%}, "
        f"wrong with probability {DELTA:.0%} at most (Learn-then-Test on {best.deployed} outcomes, {best.bad} of them "
        "bad), if changes to come are like these."
    )


def examples(
    gathered: Gathered, scored: Sequence[Judged], risk: Sequence[float], order: Sequence[int]
) -> tuple[Example, ...]:
    """The first commits of ``order``, with what the prior made of them."""
    chosen = [scored[place] for place in order[:EXAMPLES]]
    if not chosen:
        return ()
    reasons = moved(table(chosen))
    found = []
    for one, place, why in zip(chosen, order, reasons, strict=False):
        bad = gathered.labels.bad.get(one.row.commit) if one.bad else None
        found.append(
            Example(
                commit=one.row.commit,
                title=one.title[:120],
                risk=round(risk[place], 4),
                bad=one.bad,
                because=bad.because if bad else None,
                by=bad.by if bad else None,
                reasons=why[:2],
            )
        )
    return tuple(found)


def notes(gathered: Gathered, days: int, bad: int) -> tuple[str, ...]:
    """What a reader has to know before believing a figure."""
    notes = [
        f"A commit counts as bad when a later commit that calls itself a repair removed lines that it wrote, or "
        f"took it back, within {days} days. Faults that nobody repaired, that a repair answered only by adding lines, "
        "or whose repair does not say so are not seen.",
        "Each forecast knows only what was known when its commit was made; outcomes count from the day on "
        "which the time to turn out bad was over.",
        "Only history is judged here. The score of a change also rests on its tests and on how it behaves, which "
        "no history holds.",
    ]
    if bad < 20:
        notes.append(
            f"Only {bad} forecast commits turned out bad: the intervals are wide, and differences mean little."
        )
    return tuple(notes)
