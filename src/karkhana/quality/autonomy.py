"""The autonomy ladder: what outcomes earn a repository and type of task, and how a person's word changes that.

Human in the loop → on the loop: the guarantee gives a threshold. On the loop → out of it: it also does with the
stricter alpha. Down: after a bad outcome above the threshold, the drift alarm, or a calibration that shows nothing any
more. A person may grant a higher level, which holds until the first bad outcome after it, or hold it at a lower one.

Pure: the same outcomes give the same answer. Knows nothing of storage, nor of who asks.

>>> ladder = climb([Known(score=0.95, good=True, at=float(n)) for n in range(27)])
>>> ladder.earned.value, ladder.guarantee.deploy_above
('human_on_the_loop', 0.9)
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from karkhana.domain.autonomy import Cause, LevelChange, above, lowest_of
from karkhana.domain.policy import Autonomy, Guarantee, Policy
from karkhana.quality import paths
from karkhana.quality.guarantee.binomial import needed, p_value
from karkhana.quality.guarantee.keeping import Keeper
from karkhana.quality.guarantee.rules import Rules, load_rules


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was scored and whose outcome is known."""

    score: float
    """In [0,1], when it was decided."""
    good: bool
    at: float
    """Seconds since the epoch, when the outcome became known."""
    decided: float | None = None
    """When the change was delivered or refused; ``None``: then as well."""


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """What the outcomes allow."""

    earned: Autonomy
    guarantee: Guarantee
    cause: Cause
    """Of the newest step, up or down."""
    last_bad_at: float | None = None
    """Seconds since the epoch; ``None``: there was no bad outcome."""
    alarmed_at: float | None = None
    """When the outcome became known that raised the newest drift alarm; ``None``: none was raised."""
    known: int = 0
    """Outcomes of any score."""


def climb(outcomes: Sequence[Known], lowest: float = 0.90, rules: Rules | None = None) -> Ladder:
    """Fold outcomes, in the order in which they became known; none below ``lowest`` can ever go ahead alone."""
    keeper, strict = keepers(lowest, rules)
    level, cause, alarmed_at = Autonomy.IN_THE_LOOP, Cause.GUARANTEE, None
    for known in sorted(outcomes, key=lambda known: known.at):
        alarms = int(keeper.alarms[0])
        for each in (keeper, strict):
            decided = known.at if known.decided is None else known.decided
            each.learn(np.array([known.score]), np.array([not known.good]), decided, known.at)
        if keeper.alarms[0] > alarms:
            alarmed_at = known.at
        before, level = level, _level(keeper, strict)
        if above(level, before):
            cause = Cause.GUARANTEE
        elif level is not before:
            if keeper.alarms[0] > alarms:
                cause = Cause.DRIFT
            else:
                cause = Cause.GUARANTEE_LOST if known.good else Cause.BAD_OUTCOME
    return Ladder(
        earned=level,
        guarantee=_guarantee(keeper),
        cause=cause,
        last_bad_at=max((known.at for known in outcomes if not known.good), default=None),
        alarmed_at=alarmed_at,
        known=len(outcomes),
    )


def keepers(lowest: float = 0.90, rules: Rules | None = None, histories: int = 1) -> tuple[Keeper, Keeper]:
    """Who keeps the promise, and who keeps the stricter one that nobody watches; with the alarm and the pause, always.

    The simulation in ``benchmarks/guarantee.py`` has its keepers from here, so that it measures what is shipped.
    """
    rules = rules or load_rules()
    strict = msgspec.structs.replace(rules, alpha=min(rules.alpha, rules.strict_alpha))
    return Keeper(rules, lowest, histories), Keeper(strict, lowest, histories)


def _level(keeper: Keeper, strict: Keeper) -> Autonomy:
    if not np.isfinite(keeper.deploy_above[0]) or keeper.paused[0]:
        return Autonomy.IN_THE_LOOP
    if not np.isfinite(strict.deploy_above[0]) or strict.paused[0]:
        return Autonomy.ON_THE_LOOP
    return Autonomy.OUT_OF_THE_LOOP


def _guarantee(keeper: Keeper) -> Guarantee:
    rules, number = keeper.rules, int(keeper.number[0])
    threshold = float(keeper.deploy_above[0])
    given = bool(np.isfinite(threshold)) and not keeper.paused[0]
    outcomes, bad = int(keeper.tested[0]), int(keeper.tested_bad[0])
    found = Guarantee(
        alpha=rules.alpha,
        delta=rules.delta,
        deploy_above=threshold if given else None,
        outcomes=outcomes,
        bad=bad,
        number=number,
        p_value=p_value(bad, outcomes, rules.alpha) if number else 1.0,
        spent=rules.spent(number) if number else 0.0,
        wealth=float(keeper.wealth[0]),
        alarms=int(keeper.alarms[0]),
        paused=bool(keeper.paused[0]),
    )
    return msgspec.structs.replace(found, says=_says(found, keeper))


def _says(found: Guarantee, keeper: Keeper) -> str:
    promise = f"alpha {found.alpha:g}, delta {found.delta:g}"
    since = f" after {found.alarms} drift alarms" if found.alarms else ""
    waiting = int(keeper.outcomes[0])
    if found.paused:
        left = keeper.rules.regain - int(keeper.streak[0])
        since = " of changes that were decided since the newest" if np.isfinite(keeper.bad_since[0]) else ""
        return f"the guarantee ({promise}) pauses after a bad outcome: {left} more good ones{since} are needed in a row"
    if found.deploy_above is not None:
        return (
            f"at most {found.alpha:.0%} of the changes with a score above {found.deploy_above:.3f} are bad, with"
            f" confidence {1 - found.delta:.0%}: {found.bad} of {found.outcomes} were (p = {found.p_value:.4f}, spent"
            f" {found.spent:.4f} of delta in calibration {found.number}{since}); assumed is that the next changes are"
            " like these, and that bad ones show within the window of outcomes"
        )
    due, lowest = int(keeper.due[0]), float(keeper.grid[-1])
    fewest = needed(found.alpha, found.delta)
    return (
        f"the guarantee ({promise}) abstains{since}: {waiting} outcomes above {lowest:.2f} are known, the next"
        f" calibration is due at {due}, and below {fewest} nothing could be said at all"
    )


def level_in_force(ladder: Ladder, policy: Policy, changes: Sequence[LevelChange]) -> tuple[Autonomy, str]:
    """The level that holds, and why. ``changes`` is the history, the oldest first; only persons' words in it count.

    What the settings or a person grant above what was earned holds until the first bad outcome after it.
    """
    words = [change for change in changes if change.cause is Cause.PERSON]
    word = words[-1] if words else None
    granted, since = (policy.autonomy, float("-inf")) if word is None else (word.level, word.at)
    who = "the settings say so" if word is None else f"{word.by or 'a person'} set it"
    limit = policy.autonomy_limit if above(policy.autonomy_limit, policy.autonomy) else policy.autonomy
    if word is not None and above(ladder.earned, granted):
        return lowest_of(granted, limit), f"{who}, and holds it there"
    if above(granted, ladder.earned):
        if ladder.last_bad_at is None or ladder.last_bad_at < since:
            return lowest_of(granted, limit), who
        return ladder.earned, f"{who}, and a bad outcome has come since; {ladder.guarantee.says}"
    level = lowest_of(ladder.earned, limit)
    held = "" if level is ladder.earned else f"the settings allow no more than {level.value}; "
    return level, held + ladder.guarantee.says


def protected_because(changed: Sequence[str], policy: Policy) -> tuple[str, ...]:
    """Why a person decides on a change of these paths, a sentence for each kind of place; none when the score may."""
    found: dict[str, str] = {}
    for path in changed:
        why = paths.person_because(path, policy.protected_paths)
        if why is not None:
            found.setdefault(why, path)
    return tuple(f"{path}: {why}" for why, path in found.items())
