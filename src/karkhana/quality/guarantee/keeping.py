"""Keeps the promise over time: a fold over outcomes in the order in which they became known.

After each outcome it knows the threshold above which changes may go ahead alone. It calibrates anew whenever there are
``growth`` times as many outcomes, and spends a part of delta each time; watches the rate of bad ones above the
threshold; and when the drift alarm is raised it forgets everything and begins again with what is left of delta. A
calibration that can no longer show a threshold takes it away, and after a bad change nothing goes ahead alone until
there are some good ones in a row. When another bad one comes before that, only changes count that were decided after
it: a good outcome takes a month to be known, so those that come in first tell of the world before.

The fold has no state but the outcomes, so anybody who has them gets the same result. It works on many histories side
by side, which is how the simulation in ``benchmarks/guarantee.py`` runs exactly this code.

>>> import numpy as np
>>> keeper = Keeper(load_rules(), lowest=0.90)
>>> for _ in range(27):
...     keeper.learn(np.array([0.95]), np.array([False]))
>>> keeper.deploy_above.tolist(), keeper.number.tolist()
([0.9], [1])
"""

import numpy as np
from numpy.typing import NDArray

from karkhana.quality.guarantee.binomial import Integers, most_bad, needed
from karkhana.quality.guarantee.drift import Booleans, DriftAlarm, Floats
from karkhana.quality.guarantee.rules import Rules, load_rules
from karkhana.quality.guarantee.thresholds import certified, thresholds

NONE = np.inf
"""The threshold of somebody who may not go ahead alone."""


class Keeper:
    """One or many histories; arrays have one element for each.

    ``alarm`` and ``demote`` can be turned off to see what they are worth.
    """

    def __init__(
        self, rules: Rules, lowest: float | None = None, histories: int = 1, *, alarm: bool = True, demote: bool = True
    ) -> None:
        self.rules = rules
        self.grid = thresholds(rules.lowest if lowest is None else max(lowest, rules.lowest), rules.step)
        self._watching, self._demoting = alarm, demote
        # How many outcomes lie between two thresholds, good and bad ones apart; summed up only to calibrate.
        self._between: Integers = np.zeros((2, histories, len(self.grid) + 1), dtype=np.int64)
        self._due = np.full(histories, float(needed(rules.alpha, rules.spent(1))))
        self._drift = DriftAlarm(histories, rules.drift.odds)
        self.deploy_above: Floats = np.full(histories, NONE)
        """Infinity where nothing may go ahead alone."""
        self.number: Integers = np.zeros(histories, dtype=np.int64)
        """Calibrations so far."""
        self.alarms: Integers = np.zeros(histories, dtype=np.int64)
        self.tested: Integers = np.zeros(histories, dtype=np.int64)
        """Outcomes that the newest calibration had above the threshold that it gave, or above the lowest one."""
        self.tested_bad: Integers = np.zeros(histories, dtype=np.int64)
        self.paused: Booleans = np.zeros(histories, dtype=bool)
        """After a bad change that went ahead alone, until there are ``regain`` good ones in a row."""
        self.streak: Integers = np.zeros(histories, dtype=np.int64)
        """Good outcomes above the threshold since the last bad one."""
        self.bad_since: Floats = np.full(histories, -np.inf)
        """Good outcomes of changes that were decided before do not end a pause; on the clock of :meth:`learn`."""
        self._all = np.arange(histories)
        self.outcomes: Integers = np.zeros(histories, dtype=np.int64)
        """Above the lowest threshold, since the last alarm."""

    @property
    def wealth(self) -> Floats:
        """Of the alarm's bets; it is raised at 1/delta."""
        return self._drift.wealth

    @property
    def due(self) -> Floats:
        """With how many outcomes above the lowest threshold the next calibration takes place."""
        return self._due

    def alone(self, score: Floats) -> Booleans:
        """Whether changes of these scores, one for each history, may go ahead alone now."""
        return (score > self.deploy_above) & ~self.paused

    def learn(self, score: Floats, bad: Booleans, decided: float = 0.0, at: float = 0.0) -> None:
        """One more outcome for each history, with the score at which it was decided.

        ``decided`` and ``at``: when its change was decided, and when the outcome became known, on one clock. Equal
        where nobody has to wait for an outcome.
        """
        place = np.searchsorted(-self.grid, -score, side="right")
        self._between[bad.astype(np.int64), self._all, place] += 1
        counted = place < len(self.grid)
        self.outcomes += counted
        self._watch(score, bad, decided, at)
        due = counted & (self.outcomes >= self._due)
        if due.any():
            self._calibrate(due)

    def _watch(self, score: Floats, bad: Booleans, decided: float, at: float) -> None:
        above = score > self.deploy_above
        if not above.any():
            return
        fresh = decided >= self.bad_since
        self.streak = np.where(above, np.where(bad, 0, self.streak + fresh), self.streak)
        if self._demoting:
            self.bad_since[above & bad & self.paused] = at
            self.paused = np.where(above, (self.paused | bad) & (self.streak < self.rules.regain), self.paused)
        if not self._watching:
            return
        # What a person let through counts as well: it says as much about the rate.
        raised = (self._drift.watch(bad, above) >= 1 / self.rules.drift.delta) & above
        if raised.any():
            self.deploy_above[raised] = NONE
            self.alarms += raised
            self._between[:, raised] = 0
            self.outcomes[raised] = self.streak[raised] = 0
            self.paused[raised] = False
            # Begun again, but with the parts of delta that come after those already spent.
            self._due[raised] = [needed(self.rules.alpha, self.rules.spent(n + 1)) for n in self.number[raised]]

    def _calibrate(self, due: Booleans) -> None:
        self.number += due
        for number in np.unique(self.number[due]):
            rows = due & (self.number == number)
            good, bad = np.cumsum(self._between[:, rows, :-1], axis=2)
            outcomes = good + bad
            size = 1 << int(outcomes.max()).bit_length()
            allowed = most_bad(self.rules.alpha, self.rules.spent(int(number)), size)
            found = certified(outcomes, bad, allowed, self.rules.first_share)
            self.deploy_above[rows] = np.where(found >= 0, self.grid[found], NONE)
            pick: NDArray[np.int64] = np.where(found >= 0, found, len(self.grid) - 1)
            line = np.arange(len(found))
            self.tested[rows], self.tested_bad[rows] = outcomes[line, pick], bad[line, pick]
        self._due[due] = np.ceil(self.outcomes[due] * self.rules.growth)
        seen = (self.tested_bad + 0.5) / (self.tested + 1)
        share = self.rules.drift.towards_alpha
        self._drift.begin(due, np.minimum(seen + (self.rules.alpha - seen) * share, self.rules.alpha))


__all__ = ["NONE", "Keeper", "load_rules"]
