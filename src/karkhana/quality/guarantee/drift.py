"""An alarm for a rate of bad outcomes that rises: a betting martingale that may be looked at after every outcome.

Each bet says that from some outcome on the odds of a bad one are a multiple of what is allowed; it pays the
likelihood ratio of the two rates. The wealth of all bets together, each begun with the share 1/(s(s+1)) at outcome s,
is a non-negative supermartingale that starts at 1 as long as the rate is at most the allowed one. So P(wealth ever
reaches 1/delta) <= delta: J. Ville, "Étude critique de la notion de collectif", 1939. For betting on bounded means,
Waudby-Smith and Ramdas, JRSS B 86 (2024); for bets that begin at any time, Shin, Ramdas and Rinaldo, "E-detectors",
NEJSDS 2 (2024).

Works on many streams side by side. Knows nothing of what an outcome is.

>>> import numpy as np
>>> alarm = DriftAlarm(streams=1, odds=(2.0, 4.0))
>>> alarm.begin(np.array([True]), np.array([0.05]))
>>> wealth = [float(alarm.watch(np.array([bad]), np.array([True]))[0]) for bad in [False] * 40 + [True] * 9]
>>> max(wealth[:40]) <= 1, wealth[-1] > 10
(True, True)
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


class DriftAlarm:
    """The wealth of each stream; 1 where nothing is watched."""

    def __init__(self, streams: int, odds: tuple[float, ...]) -> None:
        self._odds = np.array(odds)
        self._bets = np.zeros((streams, len(odds)))
        self._seen = np.zeros(streams)
        self._good = np.ones((streams, len(odds)))
        self._bad = np.ones((streams, len(odds)))
        self.wealth = np.ones(streams)

    def begin(self, streams: Booleans, allowed: Floats) -> None:
        """Watch some streams anew, for a rate above ``allowed`` (one for each stream, in (0,1))."""
        rates = allowed[streams, None]
        suspected = self._odds * rates / (1 - rates + self._odds * rates)
        self._bad[streams] = suspected / rates
        self._good[streams] = (1 - suspected) / (1 - rates)
        self._bets[streams], self._seen[streams], self.wealth[streams] = 0.0, 0.0, 1.0

    def watch(self, bad: Booleans, streams: Booleans) -> Floats:
        """One more outcome in each of ``streams``; returns the wealth of all of them."""
        self._seen += streams
        number = np.maximum(self._seen, 1)
        paid = np.where(bad[:, None], self._bad, self._good)
        after = (self._bets + (1 / (number * (number + 1)))[:, None]) * paid
        self._bets = np.where(streams[:, None], after, self._bets)
        # What is not yet bet is kept.
        self.wealth = np.where(streams, self._bets.mean(axis=1) + 1 / (number + 1), self.wealth)
        return self.wealth
